// The settings of a queue, and changing them.

import { act } from "./actions.js";
import { h } from "./dom.js";
import { length } from "./format.js";

// Name in MQ.CONFIG, title, default, whether it is a time, what it is.
const SETTINGS = [
  [
    "visibility",
    "Visibility",
    30000,
    true,
    "How long a message that was pulled is hidden from others, if the pull does not say.",
  ],
  [
    "maxretries",
    "Retries at most",
    25,
    false,
    "A message that returns more often goes to the dead-letter queue. -1: never.",
  ],
  ["deadletter", "Dead-letter queue", null, false, "Where dead messages go. Empty: the default, the queue's own."],
  ["backoff", "Backoff", 1000, true, "Delay after the first nack; it doubles with each."],
  ["backoffmax", "Backoff at most", 3600000, true, "The longest such delay."],
  ["delay", "Delay", 0, true, "Delay of pushes that do not say."],
  ["ttl", "Time to live", 0, true, "Of pushes that do not say. 0: none."],
  ["maxlen", "Length at most", 0, false, "Pushes beyond are refused. 0: no limit."],
  ["maxinflight", "In flight at most", 0, false, "Nothing is delivered while as many are in flight. 0: no limit."],
  ["rate", "Rate", 0, false, "Deliveries in each rate period at most. 0: no limit."],
  ["rateperiod", "Rate period", 1000, true, "The length of the window of the rate."],
  ["aging", "Aging", 0, true, "A message that waits longer no longer waits for higher priorities. 0: never."],
  [
    "groupinflight",
    "In flight of a group",
    1,
    false,
    "Messages of a group that are in flight or wait for a retry at most.",
  ],
  [
    "dedupwindow",
    "Deduplication window",
    300000,
    true,
    "How long a deduplication key is held, if the push does not say.",
  ],
  ["maxdedup", "Deduplication keys at most", 0, false, "Pushes with a new key beyond are refused. 0: no limit."],
  ["expires", "Expires", 0, true, "An unused queue is dropped after this time. 0: never."],
];

export function show(box, { which, about, refresh }) {
  const inputs = new Map();
  const hints = new Map();
  let current = null;
  const save = h("button", { type: "submit", class: "primary", disabled: true }, "Save changes…");
  const rows = SETTINGS.map(([name, title, standard, isTime, what]) => {
    const input = h("input", {
      id: "setting-" + name,
      type: name === "deadletter" ? "text" : "number",
      step: 1,
      readonly: !about.writes,
      "aria-describedby": "about-" + name,
    });
    const hint = h("span", { class: "hint" });
    inputs.set(name, input);
    hints.set(name, hint);
    input.addEventListener("input", tell);
    return h(
      "tr",
      null,
      h(
        "th",
        { scope: "row" },
        h("label", { for: input.id }, title),
        h("small", null, h("code", null, name.toUpperCase())),
      ),
      h("td", null, input, isTime && " ms ", hint),
      h(
        "td",
        { class: "detail", id: "about-" + name },
        what,
        standard !== null && " Default " + (isTime && standard ? length(standard) : standard) + ".",
      ),
    );
  });
  const form = h(
    "form",
    null,
    h(
      "div",
      { class: "scroll", tabindex: "0", role: "region", "aria-label": "Settings" },
      h("table", { class: "list settings" }, h("tbody", null, rows)),
    ),
    about.writes &&
      h(
        "p",
        { class: "buttons" },
        save,
        h("span", { class: "detail" }, "An empty field is the default. All changes are made, or none."),
      ),
  );
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    change();
  });
  box.append(form);

  // The settings that were edited, by name; null is the default.
  function edited() {
    const changes = {};
    for (const [name, input] of inputs) {
      const text = input.value.trim();
      if (text !== String(current[name]))
        changes[name] = text === "" ? null : name === "deadletter" ? text : Number(text);
    }
    return changes;
  }

  function tell() {
    for (const [name, , , isTime] of SETTINGS) {
      const number = Number(inputs.get(name).value);
      hints.get(name).textContent = isTime && number >= 1000 ? "= " + length(number) : "";
    }
    const changes = edited();
    save.disabled = !Object.keys(changes).length;
    for (const [name, input] of inputs) input.closest("tr").classList.toggle("edited", name in changes);
  }

  async function change() {
    const settings = edited();
    const lines = Object.entries(settings).map(([name, value]) =>
      h(
        "li",
        null,
        h("code", null, name.toUpperCase()),
        " " + current[name] + " → " + (value === null ? "default" : value),
      ),
    );
    const done = await act({
      title: "Change the settings of " + which.name + "?",
      text: "They apply from now on. Messages in flight or delayed keep their deadlines.",
      fields: h("ul", null, lines),
      verb: "Change",
      order: { ...which, action: "configure", settings },
      done: () => "The settings are changed.",
    });
    if (!done) return;
    current = null;
    await refresh();
  }

  // Shows what is stored, unless somebody edits.
  function update({ settings }) {
    if (!settings || (current && Object.keys(edited()).length)) return;
    if (JSON.stringify(current) === JSON.stringify(settings)) return;
    current = settings;
    for (const [name, input] of inputs) input.value = settings[name];
    tell();
  }

  return { update };
}
