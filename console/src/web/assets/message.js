// One message: what is known of it, its headers and history, and its payload when it is asked for.

import * as actions from "./actions.js";
import { address, get } from "./api.js";
import { badge, button, facts, h, replace, table } from "./dom.js";
import { ago, bytes, count, many, moment, until, when } from "./format.js";
import { go, link } from "./route.js";

const VIEWS = [
  ["text", "Text"],
  ["json", "JSON"],
  ["msgpack", "MessagePack"],
  ["hex", "Hex"],
];
const STATES = { ready: "ready", inflight: "in flight", delayed: "delayed" };

export function show(main, { name = "", source, id = "", from }, about) {
  const which = source ? { name, source } : { name };
  const one = { ...which, id };
  const home = from ? { name: from, source, tab: "dead" } : { ...which, tab: "messages" };
  const box = h("div");
  replace(
    main,
    h(
      "nav",
      { class: "crumbs", "aria-label": "Path" },
      h("a", { href: "#/" }, "Queues"),
      " › ",
      h("a", { href: link("queue", { ...which, name: from || name }) }, from || name),
      " › ",
      h("a", { href: link("queue", home) }, from ? "Dead letters" : "Messages"),
    ),
    h("div", { class: "title" }, h("h1", { class: "id" }, id)),
    box,
  );

  async function load() {
    try {
      draw(await get("api/message", one));
    } catch (error) {
      const gone =
        error.status === 404
          ? "The message is gone: it was acknowledged, deleted or moved, or never was in " + name + "."
          : error.message;
      replace(box, h("p", { class: "alarm", role: "alert" }, gone));
    }
  }

  function draw(message) {
    const { death } = message;
    replace(
      box,
      about.writes && h("div", { class: "buttons" }, buttons(message)),
      h(
        "div",
        { class: "figures" },
        facts([
          ["State", badge(STATES[message.state] || message.state)],
          ["Queue", h("a", { href: link("queue", { ...which, name: message.queue }) }, message.queue)],
          ["Priority", message.priority],
          ["Group", message.group],
          ["Retry count", count(message.retry_count)],
          ["Visible again", message.visibility_until && until(message.visibility_until)],
          ["Consumer", message.consumer],
          ["Due", message.due_at && until(message.due_at)],
          ["Time to live ends", message.expires_at && until(message.expires_at)],
        ]),
      ),
      h("h2", null, "History"),
      h(
        "ol",
        { class: "history" },
        events(message).map(([at, text]) => h("li", null, h("time", null, at ? moment(at) : "…"), " ", text)),
      ),
      message.last_error &&
        h("div", null, h("h2", null, "Last error"), h("pre", { class: "payload" }, message.last_error)),
      h("h2", null, "Headers"),
      message.headers.length
        ? table(
            "Headers",
            ["Name", "Value"],
            message.headers.map((header) =>
              h("tr", null, h("td", null, h("code", null, header.name)), h("td", { class: "text" }, header.value)),
            ),
          )
        : h("p", { class: "detail" }, "None."),
      payload(message),
    );
    if (death) box.querySelector(".badge").textContent = "dead letter";
  }

  function events(message) {
    const { death } = message;
    const all = [[message.timestamp, "pushed, " + ago(message.timestamp)]];
    if (message.first_delivered_at) all.push([message.first_delivered_at, "delivered for the first time"]);
    if (message.deliveries)
      all.push([null, many(message.deliveries, "delivery").replace("deliverys", "deliveries") + " in all"]);
    if (death)
      all.push([
        death.at,
        "died in " +
          death.from +
          ": " +
          death.reason +
          ", after " +
          many(death.retries, "retry").replace("retrys", "retries") +
          ", " +
          ago(death.at),
      ]);
    if (message.visibility_until) all.push([message.visibility_until, "its visibility ends"]);
    if (message.due_at) all.push([message.due_at, "becomes ready"]);
    return all;
  }

  function buttons(message) {
    const back = (action) => async () => (await action()) && go("queue", home);
    return [
      message.state === "delayed" && button("Retry now…", async () => (await actions.retryNow(which, [id])) && load()),
      message.state === "delayed" && button("Reschedule…", async () => (await reschedule(message)) && load()),
      message.death &&
        message.state === "ready" &&
        button(
          "Redrive…",
          back(() => actions.redrive({ ...which, name: from || name }, { ids: [id] }, "this dead letter")),
          "primary",
        ),
      button(
        "Delete…",
        back(() => actions.remove(which, [id])),
        "danger",
      ),
    ];
  }

  function reschedule({ due_at: due }) {
    const local = new Date(due - new Date(due).getTimezoneOffset() * 60000).toISOString().slice(0, 19);
    const input = h("input", { type: "datetime-local", id: "due", step: 1, value: local, required: true });
    return actions.act({
      title: "When is it due?",
      text: "It stays delayed until then.",
      verb: "Reschedule",
      fields: h("p", null, h("label", { for: "due" }, "Due at "), input),
      order: () => ({ ...which, action: "reschedule", id, at_ms: new Date(input.value).getTime() }),
      done: (number) =>
        number ? "It is due " + when(new Date(input.value).getTime()) + "." : "It is no longer delayed.",
    });
  }

  // Hidden until asked for: it may be private, or big.
  function payload(message) {
    const shown = h("div");
    const choice = h("div", { class: "choice", role: "group", "aria-label": "View" });
    const open = async (view) => {
      replace(
        choice,
        VIEWS.map(([key, title]) =>
          h("button", { type: "button", "aria-pressed": String(key === view), onclick: () => open(key) }, title),
        ),
      );
      try {
        const part = await get("api/payload", { ...one, view });
        replace(
          shown,
          part.cut &&
            h(
              "p",
              { class: "note" },
              "Only the beginning is shown: the payload has " + bytes(part.bytes) + ". Download it for all of it.",
            ),
          h("pre", { class: "payload", tabindex: "0", "aria-label": "Payload" }, part.text || "(empty)"),
        );
      } catch (error) {
        replace(shown, h("p", { class: "note", role: "alert" }, "Not shown as this: " + error.message));
      }
    };
    replace(
      choice,
      button(
        "Show, it looks like " + VIEWS.find(([key]) => key === message.looks_like)[1],
        () => open(message.looks_like),
        "primary",
      ),
    );
    return h(
      "section",
      null,
      h("h2", null, "Payload"),
      h(
        "div",
        { class: "toolbar" },
        choice,
        h(
          "a",
          { class: "button", href: address("api/payload", { ...one, view: "raw" }), download: id + ".bin" },
          "Download " + bytes(message.payload_bytes),
        ),
      ),
      shown,
    );
  }

  load();
  return () => {};
}
