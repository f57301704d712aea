// What changes queues: asked before, done by one request, and its result shown.

import { post } from "./api.js";
import { button, h, replace } from "./dom.js";
import { many } from "./format.js";

// A line that goes away.
export function toast(text, kind) {
  const line = h("p", { class: "toast " + (kind || "") }, text);
  document.getElementById("toasts").append(line);
  setTimeout(() => line.remove(), 8000);
}

// Asks, and does it. `order` is the body of the request, or makes it of what was typed:
//   title, text: what will happen; verb: of the button; danger: whether something is lost
//   typed: a name to be typed; fields: elements to choose with
//   done: tells the result, from the number of changes
// Returns whether it was done.
export function act({ title, text, verb, danger, typed, fields, order, done }) {
  return new Promise((resolve) => {
    const name = typed && h("input", { type: "text", id: "typed", autocomplete: "off", spellcheck: "false" });
    const error = h("p", { class: "alarm", role: "alert", hidden: true });
    const confirm = h(
      "button",
      { type: "submit", class: danger ? "danger" : "primary", disabled: Boolean(typed) },
      verb,
    );
    const form = h(
      "form",
      null,
      h("h2", { id: "asked" }, title),
      [text].flat().map((line) => h("p", null, line)),
      fields,
      typed && h("p", null, h("label", { for: "typed" }, "To confirm, type ", h("code", null, typed)), name),
      error,
      h(
        "p",
        { class: "buttons" },
        button("Cancel", () => dialog.close()),
        confirm,
      ),
    );
    const dialog = h("dialog", { "aria-labelledby": "asked" }, form);
    let finished = false;
    if (typed)
      name.addEventListener("input", () => {
        confirm.disabled = name.value !== typed;
      });
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      if (confirm.disabled) return;
      confirm.disabled = true;
      error.hidden = true;
      try {
        const body = typeof order === "function" ? order() : order;
        const { changed } = await post("api/act", typed ? { ...body, confirm: name.value } : body);
        finished = true;
        dialog.close();
        toast(done ? done(changed) : "Done.");
      } catch (failure) {
        replace(error, failure.message);
        error.hidden = false;
        confirm.disabled = false;
      }
    });
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(finished);
    });
    document.body.append(dialog);
    dialog.showModal();
    (typed ? name : confirm).focus();
  });
}

export function changed(verb) {
  return (number) => verb + " " + many(number, "message") + ".";
}

// Pause, with a choice of how long.
export function pause(which) {
  const times = [
    ["until somebody resumes it", ""],
    ["for 5 minutes", 300000],
    ["for 15 minutes", 900000],
    ["for an hour", 3600000],
  ];
  const choice = h(
    "select",
    { id: "pause-for" },
    times.map(([name, ms]) => h("option", { value: ms }, name)),
  );
  return act({
    title: "Pause " + which.name + "?",
    text: "Nothing is delivered meanwhile. Pushes and acknowledgments go on.",
    verb: "Pause",
    fields: h("p", null, h("label", { for: "pause-for" }, "Paused "), choice),
    order: () => ({ ...which, action: "pause", for_ms: choice.value === "" ? null : Number(choice.value) }),
    done: () => which.name + " is paused.",
  });
}

export function resume(which) {
  return act({
    title: "Resume " + which.name + "?",
    text: "Its messages are delivered again.",
    verb: "Resume",
    order: { ...which, action: "resume" },
    done: () => which.name + " delivers again.",
  });
}

export function purge(which) {
  const parts = [
    ["all, also those in flight", ""],
    ["ready ones", "ready"],
    ["delayed ones", "delayed"],
  ];
  const choice = h(
    "select",
    { id: "purge-what" },
    parts.map(([name, value]) => h("option", { value }, name)),
  );
  return act({
    title: "Purge " + which.name + "?",
    text: "The messages are deleted. This cannot be undone. Settings and schedules stay.",
    verb: "Purge",
    danger: true,
    typed: which.name,
    fields: h("p", null, h("label", { for: "purge-what" }, "Messages: "), choice),
    order: () => ({ ...which, action: "purge", state: choice.value || null }),
    done: changed("Deleted"),
  });
}

export function drop(which) {
  return act({
    title: "Drop " + which.name + "?",
    text: "The queue is deleted with all its messages, also those in flight, its settings and its schedules. This cannot be undone.",
    verb: "Drop",
    danger: true,
    typed: which.name,
    order: { ...which, action: "drop" },
    done: () => which.name + " is dropped.",
  });
}

export function remove(which, ids) {
  return act({
    title: "Delete " + many(ids.length, "message") + "?",
    text: "This cannot be undone.",
    verb: "Delete",
    danger: true,
    order: { ...which, action: "delete", ids },
    done: changed("Deleted"),
  });
}

export function retryNow(which, ids) {
  return act({
    title: "Make " + many(ids.length, "delayed message") + " ready now?",
    verb: "Retry now",
    order: { ...which, action: "retry-now", ids },
    done: (number) => many(number, "message") + (number === 1 ? " is" : " are") + " ready.",
    text: [],
  });
}

// Dead letters go back to where they died: these ids, or those of an origin or a reason, or all.
export function redrive(which, letters, what) {
  return act({
    title: "Redrive " + what + "?",
    text: "They go back to the queue in which they died, ready, behind what waits there, with a retry count of 0.",
    verb: "Redrive",
    order: { ...which, action: "redrive", ...letters },
    done: changed("Redrove"),
  });
}

export function giveBack(which, consumer) {
  return act({
    title: "Give back all that " + consumer + " holds?",
    text: [
      "The visibility of its messages ends at once, as if it had crashed: they are delivered to other consumers, and the retry is counted.",
      "If it still works on them, they are processed twice.",
    ],
    verb: "Give back",
    danger: true,
    order: { ...which, action: "give-back", consumer },
    done: changed("Gave back"),
  });
}
