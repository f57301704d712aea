// Who holds messages of a queue, and giving them back.

import { giveBack } from "./actions.js";
import { get, repeat } from "./api.js";
import { button, h, replace, table } from "./dom.js";
import { ago, count, many, until } from "./format.js";
import { link } from "./route.js";

export function show(box, { which, about, refresh }) {
  const held = h("div");
  const waiting = h("p");
  box.append(waiting, held);

  async function load() {
    let answer;
    try {
      answer = await get("api/consumers", which);
    } catch (error) {
      replace(held, h("p", { class: "alarm", role: "alert" }, error.message));
      return;
    }
    if (held.contains(document.activeElement)) return;
    draw(answer);
  }

  function draw({ total, examined, consumers }) {
    const give = (consumer) => async () => {
      if (await giveBack(which, consumer)) {
        document.activeElement?.blur();
        await Promise.all([load(), refresh()]);
      }
    };
    const rows = consumers
      .sort((a, b) => b.messages - a.messages)
      .map((one) =>
        h(
          "tr",
          null,
          h("td", null, one.consumer === null ? h("em", null, "pulled without CONSUMER") : one.consumer),
          h("td", { class: "number" }, count(one.messages)),
          h("td", { class: "number" }, one.redelivered ? count(one.redelivered) : "–"),
          h("td", null, one.oldest_timestamp ? ago(one.oldest_timestamp) : "–"),
          h("td", null, one.first_visibility_until ? until(one.first_visibility_until) : "–"),
          h("td", null, one.last_visibility_until ? until(one.last_visibility_until) : "–"),
          about.writes &&
            h("td", null, one.consumer === null ? "" : button("Give back…", give(one.consumer), "danger")),
        ),
      );
    replace(
      held,
      h(
        "p",
        null,
        total ? many(total, "message") + (total === 1 ? " is" : " are") + " in flight." : "Nobody holds a message.",
        examined < total && " The first " + count(examined) + " whose visibility ends are counted below.",
        " ",
        total > 0 && h("a", { href: link("queue", { ...which, tab: "messages", state: "inflight" }) }, "Show them"),
      ),
      rows.length > 0 &&
        table(
          "Consumers",
          [
            "Consumer",
            ["Holds", "number"],
            ["Redelivered", "number"],
            "Oldest was pushed",
            "First visibility ends",
            "Last visibility ends",
            ...(about.writes ? [""] : []),
          ],
          rows,
        ),
      rows.length > 0 &&
        h(
          "p",
          { class: "detail" },
          "A message whose consumer is stuck comes back by itself when its visibility ends. ",
          "The messages of a consumer that gave its name (CONSUMER) can be given back at once. ",
          "Without a name only the consumer itself can, because it alone has the receipt.",
        ),
    );
  }

  const stop = repeat(3000, load);
  return {
    update({ state }) {
      if (state)
        replace(
          waiting,
          many(state.blocked_clients, "consumer") +
            (state.blocked_clients === 1 ? " waits" : " wait") +
            " for a message in a blocking pull.",
        );
    },
    stop,
  };
}
