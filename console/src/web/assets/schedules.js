// Schedules of a queue with their next moments.

import { act } from "./actions.js";
import { get, repeat } from "./api.js";
import { badge, button, h, replace, table } from "./dom.js";
import { ago, bytes, count, length, many, moment, until } from "./format.js";
import { go } from "./route.js";

export function show(box, { which, about, parameters, refresh }) {
  const offset = Number(parameters.offset) || 0;
  const element = h("div");
  box.append(element);

  async function load() {
    try {
      const page = await get("api/schedules", { ...which, offset });
      if (!element.contains(document.activeElement)) draw(page);
    } catch (error) {
      replace(element, h("p", { class: "alarm", role: "alert" }, error.message));
    }
  }

  function draw({ schedules, total }) {
    const rows = schedules.map((schedule) =>
      h(
        "tr",
        null,
        h("td", null, schedule.name, options(schedule)),
        h(
          "td",
          null,
          schedule.cron
            ? [h("code", null, schedule.cron), h("small", null, schedule.zone)]
            : "every " + length(schedule.every),
        ),
        h(
          "td",
          null,
          schedule.paused ? badge("paused", "attention") : schedule.next_tick ? until(schedule.next_tick) : "–",
        ),
        h(
          "td",
          null,
          h(
            "ol",
            { class: "moments" },
            schedule.next_ticks.map((tick) => h("li", null, moment(tick))),
          ),
        ),
        h("td", null, schedule.last_tick ? ago(schedule.last_tick) : "never"),
        h("td", { class: "number" }, count(schedule.runs)),
        h("td", { class: "number" }, count(schedule.missed)),
        h("td", { class: "number" }, count(schedule.skipped)),
        about.writes &&
          h(
            "td",
            { class: "buttons" },
            button("Trigger…", () => trigger(schedule)),
            button("Unschedule…", () => unschedule(schedule), "danger"),
          ),
      ),
    );
    const step = (text, to, possible) =>
      h(
        "button",
        { type: "button", disabled: !possible, onclick: () => go("queue", { ...which, tab: "schedules", offset: to }) },
        text,
      );
    const last = offset + schedules.length;
    replace(
      element,
      h(
        "p",
        null,
        total ? many(total, "schedule") + "." : "The queue has no schedules. ",
        !total && h("span", { class: "detail" }, "MQ.SCHEDULE sets one."),
      ),
      rows.length > 0 &&
        table(
          "Schedules",
          [
            "Schedule",
            "Rhythm",
            "Next",
            "Next moments",
            "Last tick",
            ["Runs", "number"],
            ["Missed", "number"],
            ["Skipped", "number"],
            ...(about.writes ? [""] : []),
          ],
          rows,
        ),
      (offset > 0 || last < total) &&
        h(
          "nav",
          { class: "pages", "aria-label": "Pages" },
          step("Previous", Math.max(0, offset - 50), offset > 0),
          step("Next", last, last < total),
        ),
    );
  }

  function options(schedule) {
    const told = [
      bytes(schedule.payload_bytes),
      schedule.jitter && "jitter " + length(schedule.jitter),
      schedule.catchup !== "ONE" && "catchup " + schedule.catchup,
      schedule.overlap !== "ALLOW" && "overlap " + schedule.overlap,
      schedule.limit && "limit " + count(schedule.limit),
      schedule.end && "until " + moment(schedule.end),
      schedule.group && "group " + schedule.group,
      schedule.priority && "priority " + schedule.priority,
    ];
    return h("small", null, told.filter(Boolean).join(" · "));
  }

  async function trigger({ name }) {
    await then(
      act({
        title: "Push a message of " + name + " now?",
        text: "Its ticks do not move.",
        verb: "Trigger",
        order: { ...which, action: "trigger", schedule: name },
        done: () => "A message was pushed.",
      }),
    );
  }

  async function unschedule({ name }) {
    await then(
      act({
        title: "Remove the schedule " + name + "?",
        text: "Messages that it has pushed stay. Its history is lost.",
        verb: "Unschedule",
        danger: true,
        order: { ...which, action: "unschedule", schedule: name },
        done: () => name + " is removed.",
      }),
    );
  }

  async function then(action) {
    if (!(await action)) return;
    document.activeElement?.blur();
    await Promise.all([load(), refresh()]);
  }

  const stop = repeat(5000, load);
  return { stop };
}
