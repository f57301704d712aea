// Dead letters of a queue: summed up by where and why, and one by one.

import { act, changed, redrive } from "./actions.js";
import { get } from "./api.js";
import { button, h, replace, table } from "./dom.js";
import { count, many } from "./format.js";
import { list } from "./messages.js";
import { go, link } from "./route.js";

export function show(box, context) {
  const { which, about, refresh } = context;
  const sums = h("div");
  const messages = list({ ...context, refresh: reload }, "dead", (offset) =>
    go("queue", { ...which, tab: "dead", offset }),
  );
  box.append(
    sums,
    h("div", { class: "toolbar" }, h("h2", null, "One by one"), h("span", { class: "space" }), button("Reload", load)),
    messages.element,
  );

  async function load() {
    await Promise.all([summary(), messages.load()]);
  }

  function reload() {
    return Promise.all([summary(), refresh()]);
  }

  async function summary() {
    let letters;
    try {
      letters = await get("api/dead-letters", which);
    } catch (error) {
      replace(sums, h("p", { class: "alarm", role: "alert" }, error.message));
      return;
    }
    letters.sums.sort((a, b) => b.count - a.count);
    const then = (action) => async () => (await action()) && load() && refresh();
    const few = letters.examined < letters.total;
    const rows = letters.sums.map(({ from, reason, last_error: error, count: number }) =>
      h(
        "tr",
        null,
        h("td", null, h("a", { href: link("queue", { name: from, source: which.source }) }, from)),
        h("td", null, reason),
        h("td", { class: "text" }, error),
        h("td", { class: "number" }, count(number)),
        about.writes &&
          h(
            "td",
            null,
            button(
              "Redrive…",
              then(() =>
                redrive(
                  which,
                  { from, reason: error || reason },
                  "all dead letters of " + from + " with the reason or error “" + (error || reason) + "”",
                ),
              ),
            ),
          ),
      ),
    );
    replace(
      sums,
      h(
        "p",
        null,
        letters.total ? many(letters.total, "dead letter") + " in " : "No dead letter is in ",
        h("a", { href: link("queue", { name: letters.queue, source: which.source }) }, letters.queue),
        ".",
        few && " The sums below are of the first " + count(letters.examined) + ".",
      ),
      about.writes &&
        letters.total > 0 &&
        h(
          "div",
          { class: "buttons" },
          button(
            "Redrive all…",
            then(() => redrive(which, {}, "all " + many(letters.total, "dead letter"))),
            "primary",
          ),
          button(
            "Delete all…",
            then(() => deleteAll(letters)),
            "danger",
          ),
        ),
      rows.length > 0 &&
        table(
          "Dead letters by source and reason",
          ["Died in", "Reason", "Last error", ["Number", "number"], ...(about.writes ? [""] : [])],
          rows,
        ),
    );
  }

  function deleteAll({ queue, total }) {
    return act({
      title: "Delete all " + many(total, "dead letter") + "?",
      text: "Everything that is ready in " + queue + " is deleted. This cannot be undone.",
      verb: "Delete all",
      danger: true,
      typed: queue,
      order: { ...which, name: queue, action: "purge", state: "ready" },
      done: changed("Deleted"),
    });
  }

  load();
  return {};
}
