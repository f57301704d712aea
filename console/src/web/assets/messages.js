// Messages of a queue in one state, page by page, without payloads.

import * as actions from "./actions.js";
import { get } from "./api.js";
import { button, h, replace, table } from "./dom.js";
import { ago, bytes, clock, count, many, moment, until } from "./format.js";
import { go, link } from "./route.js";

const PAGE = 50;
const STATES = { ready: "Ready", inflight: "In flight", delayed: "Delayed" };

export function show(box, context) {
  const { which, parameters } = context;
  const state = STATES[parameters.state] ? parameters.state : "ready";
  const choice = h(
    "nav",
    { class: "choice", "aria-label": "State" },
    Object.entries(STATES).map(([key, name]) =>
      h(
        "a",
        {
          href: link("queue", { ...which, tab: "messages", state: key }),
          "aria-current": key === state ? "page" : null,
        },
        name,
      ),
    ),
  );
  const messages = list(context, state, (offset) => go("queue", { ...which, tab: "messages", state, offset }));
  const id = h("input", { type: "text", id: "find", placeholder: "id", autocomplete: "off", spellcheck: "false" });
  const find = h(
    "form",
    { class: "find" },
    h("label", { for: "find", class: "hidden" }, "Id of a message"),
    id,
    h("button", null, "Open"),
  );
  find.addEventListener("submit", (event) => {
    event.preventDefault();
    if (id.value.trim()) go("message", { ...which, id: id.value.trim() });
  });
  box.append(
    h("div", { class: "toolbar" }, choice, h("span", { class: "space" }), find, button("Reload", messages.load)),
    messages.element,
  );
  messages.load();
  return {};
}

// The columns that a state has besides: name, and text of a message.
const MORE = {
  ready: [],
  inflight: [
    ["Visible again", (m) => m.visibility_until && until(m.visibility_until)],
    ["Consumer", (m) => m.consumer || "–"],
  ],
  delayed: [["Due", (m) => m.due_at && until(m.due_at)]],
  dead: [
    ["Died", (m) => (m.death ? ago(m.death.at) : "–")],
    ["In", (m) => (m.death ? m.death.from : "–")],
    ["Reason", (m) => (m.death ? m.death.reason : "–")],
  ],
};

// A list of messages. `turn` goes to an offset. `state` dead: those of the dead-letter queue.
export function list({ which, about, parameters, refresh }, state, turn) {
  const offset = Number(parameters.offset) || 0;
  const element = h("div", { class: "messages" });
  const chosen = new Set();
  let queue = which;

  async function load() {
    try {
      draw(await get("api/messages", { ...which, state, offset, count: PAGE }));
    } catch (error) {
      replace(element, h("p", { class: "alarm", role: "alert" }, error.message));
    }
  }

  function draw(page) {
    queue = { ...which, name: page.queue };
    chosen.clear();
    const bar = h("div", { class: "selected", role: "status" });
    const columns = [
      "Message",
      ["Pushed", "number"],
      ["Retries", "number"],
      ["Payload", "number"],
      ...MORE[state].map(([name]) => name),
      "Last error",
    ];
    const boxes = [];
    const all = h("input", {
      type: "checkbox",
      "aria-label": "All of this page",
      onchange: () => {
        for (const one of boxes) if (one.checked !== all.checked) one.click();
      },
    });
    if (about.writes) columns.unshift(all);
    const rows = page.messages.map((message) => {
      const tick = h("input", {
        type: "checkbox",
        "aria-label": "Message " + message.id,
        onchange: () => {
          if (tick.checked) chosen.add(message.id);
          else chosen.delete(message.id);
          tell(bar);
        },
      });
      boxes.push(tick);
      return h(
        "tr",
        null,
        about.writes && h("td", null, tick),
        h("td", null, h("a", { class: "id", href: at(message) }, message.id), tags(message)),
        h("td", { class: "number", title: moment(message.timestamp) }, ago(message.timestamp)),
        h("td", { class: "number" }, count(message.retry_count)),
        h("td", { class: "number" }, bytes(message.payload_bytes)),
        MORE[state].map(([, text]) => h("td", null, text(message))),
        h("td", { class: "text" }, message.last_error || ""),
      );
    });
    tell(bar);
    replace(
      element,
      about.writes && bar,
      rows.length ? table("Messages", columns, rows) : h("p", { class: "detail" }, "There are none."),
      pages(page),
    );
  }

  function at(message) {
    const from = state === "dead" ? which.name : null;
    return link("message", { name: message.queue, source: which.source, id: message.id, from });
  }

  function tags(message) {
    return [message.priority ? "priority " + message.priority : null, message.group ? "group " + message.group : null]
      .filter(Boolean)
      .map((text) => h("small", null, text));
  }

  function tell(bar) {
    const ids = [...chosen];
    const then = (action) => async () => {
      if (await action(ids)) await Promise.all([load(), refresh()]);
    };
    const nothing = !ids.length;
    const some = (text, action, kind) =>
      h("button", { type: "button", class: kind, disabled: nothing, onclick: then(action) }, text);
    replace(
      bar,
      h("span", null, nothing ? "None selected" : many(ids.length, "message") + " selected"),
      state === "delayed" && some("Retry now", (list) => actions.retryNow(queue, list)),
      state === "dead" &&
        some("Redrive selected", (list) => actions.redrive(which, { ids: list }, many(list.length, "dead letter"))),
      some("Delete selected", (list) => actions.remove(queue, list), "danger"),
    );
  }

  function pages(page) {
    const last = page.offset + page.messages.length;
    const step = (text, to, possible) =>
      h("button", { type: "button", disabled: !possible, onclick: () => turn(to) }, text);
    return h(
      "nav",
      { class: "pages", "aria-label": "Pages" },
      h(
        "span",
        null,
        page.messages.length ? count(page.offset + 1) + "–" + count(last) + " of " + count(page.total) : "",
        ", as of " + clock(Date.now(), true),
      ),
      step("Previous", Math.max(0, page.offset - PAGE), page.offset > 0),
      step("Next", last, last < page.total),
    );
  }

  return { element, load };
}
