// One queue: what it is called and how it is, above the tabs.

import * as actions from "./actions.js";
import { get, repeat } from "./api.js";
import * as consumers from "./consumers.js";
import * as dead from "./dead.js";
import { badge, button, h, replace, setText } from "./dom.js";
import { short } from "./format.js";
import * as messages from "./messages.js";
import { go, link } from "./route.js";
import * as schedules from "./schedules.js";
import * as settings from "./settings.js";
import * as state from "./state.js";

// Address, name, what is shown, and the number beside the name.
const TABS = [
  ["", "Overview", state, () => 0],
  ["messages", "Messages", messages, (queue) => queue.state.ready + queue.state.inflight + queue.state.delayed],
  ["dead", "Dead letters", dead, (queue) => queue.state.dead_letters],
  ["consumers", "Consumers", consumers, (queue) => queue.state.blocked_clients],
  ["schedules", "Schedules", schedules, (queue) => queue.state.schedules],
  ["settings", "Settings", settings, () => 0],
];

export function show(main, parameters, about) {
  const { name = "", source } = parameters;
  const which = source ? { name, source } : { name };
  const [, , tab] = TABS.find(([key]) => key === (parameters.tab || "")) || TABS[0];
  const badges = h("span", { class: "badges" });
  const buttons = h("div", { class: "buttons" });
  const problem = h("div", { class: "problem", role: "alert" });
  const counts = TABS.map(() => h("span", { class: "count" }));
  const box = h("section", { class: "tab" });
  const [, origin] = name.match(/^\{(.+)\}:dead$/) || [];
  replace(
    main,
    h("nav", { class: "crumbs", "aria-label": "Path" }, h("a", { href: "#/" }, "Queues")),
    h("div", { class: "title" }, h("h1", null, name), badges, h("span", { class: "space" }), buttons),
    problem,
    origin &&
      h(
        "p",
        { class: "detail" },
        "These are dead letters. They are redriven from the page of the queue in which they died: ",
        h("a", { href: link("queue", { ...which, name: origin, tab: "dead" }) }, origin),
      ),
    h(
      "nav",
      { class: "tabs", "aria-label": "Of the queue" },
      TABS.map(([key, title], place) =>
        h(
          "a",
          { href: link("queue", { ...which, tab: key }), "aria-current": TABS[place][2] === tab ? "page" : null },
          title,
          counts[place],
        ),
      ),
    ),
    box,
  );

  main.querySelector(".tabs [aria-current]").scrollIntoView({ inline: "center", block: "nearest" });

  let last = null;
  const context = { which, about, parameters, refresh };
  const shown = tab.show(box, context);

  async function refresh() {
    let queue;
    try {
      queue = await get("api/queue", which);
      replace(problem);
    } catch (error) {
      const gone =
        error.status === 404
          ? "There is no queue " + name + ". One without messages and settings is shown for ten minutes."
          : error.message;
      if (problem.textContent !== gone) replace(problem, h("p", { class: "alarm" }, gone));
      return;
    }
    head(queue);
    if (shown.update) shown.update(queue);
  }

  function head(queue) {
    const state = queue.state;
    TABS.forEach(([, , , number], place) => {
      const value = state ? number(queue) : 0;
      setText(counts[place], value ? short(value) : "");
    });
    const key = [Boolean(state), state?.paused, state?.exists].join();
    if (last === key) return;
    last = key;
    replace(
      badges,
      !state && badge("unreadable", "bad"),
      state?.paused && badge("paused", "attention"),
      state && !state.exists && badge("empty"),
    );
    if (!about.writes) return;
    const then = (action) => async () => (await action(which)) && refresh();
    replace(
      buttons,
      state &&
        (state.paused ? button("Resume", then(actions.resume), "primary") : button("Pause…", then(actions.pause))),
      state && button("Purge…", then(actions.purge), "danger"),
      button("Drop…", async () => (await actions.drop(which)) && go(""), "danger"),
    );
  }

  const stop = repeat(2000, refresh);
  return () => {
    stop();
    if (shown.stop) shown.stop();
  };
}
