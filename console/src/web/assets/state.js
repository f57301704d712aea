// A queue's overview: why nothing is delivered, figures, charts, counters, and a check of its records.

import { act } from "./actions.js";
import { get, post, repeat } from "./api.js";
import { lineChart } from "./chart.js";
import { button, facts, h, replace, table } from "./dom.js";
import { count, length, many, rate, short, until, when } from "./format.js";

const RANGES = { "10m": ["10 minutes", 600e3, 2000], "24h": ["24 hours", 86400e3, 30000] };

const COUNTERS = [
  ["pushed", "Pushed"],
  ["pulled", "Deliveries"],
  ["acked", "Acknowledged"],
  ["late_acks", "of these, late"],
  ["nacked", "Nacked"],
  ["expired", "Visibility ended"],
  ["dead", "Died"],
  ["dead_discarded", "Dead letters discarded"],
  ["redriven", "Redriven"],
  ["ttl_expired", "TTL ended"],
  ["deduplicated", "Deduplicated"],
  ["refused_full", "Refused, full"],
  ["deleted", "Deleted"],
  ["bad_receipts", "Refused receipts"],
  ["ticks", "Ticks"],
  ["ticks_missed", "Ticks missed"],
  ["ticks_skipped", "Ticks skipped"],
];

export function show(box, { which, about, refresh }) {
  const why = h("section", { class: "why", "aria-labelledby": "why-title" });
  const figures = h("div", { class: "figures" });
  const counters = h("div");
  const charts = [
    lineChart(
      "Messages",
      [
        ["ready", (p) => p.ready],
        ["in flight", (p) => p.inflight],
        ["delayed", (p) => p.delayed],
        ["dead", (p) => p.dead_letters],
      ],
      short,
    ),
    lineChart(
      "Messages per second",
      [
        ["pushed", (p) => p.pushed],
        ["delivered", (p) => p.pulled],
        ["acknowledged", (p) => p.acked],
      ],
      rate,
    ),
    lineChart("Oldest ready message", [["waits for", (p) => p.oldest_ready_age_ms]], length),
  ];
  // Points have these where something was delivered or acknowledged meanwhile.
  const latencies = [
    [
      "delivery",
      lineChart(
        "From push to delivery",
        [
          ["half within", (p) => p.delivery_p50_ms],
          ["95 % within", (p) => p.delivery_p95_ms],
        ],
        length,
      ),
    ],
    [
      "processing",
      lineChart(
        "From delivery to acknowledgment",
        [
          ["half within", (p) => p.processing_p50_ms],
          ["95 % within", (p) => p.processing_p95_ms],
        ],
        length,
      ),
    ],
  ];
  let range = "10m";
  let points = [];
  let stop = () => {};
  const ranges = Object.entries(RANGES).map(([key, [name]]) => button(name, () => choose(key)));
  box.append(
    why,
    figures,
    h(
      "div",
      { class: "toolbar" },
      h("h2", null, "History"),
      h("span", { class: "space" }),
      h("div", { class: "choice", role: "group", "aria-label": "How far back" }, ranges),
    ),
    h(
      "div",
      { class: "charts" },
      charts.map((chart) => chart.element),
      latencies.map(([, chart]) => chart.element),
    ),
    h("h2", null, "Since the server started"),
    counters,
    checks(which, about, refresh),
  );

  function choose(key) {
    stop();
    range = key;
    points = [];
    Object.keys(RANGES).forEach((name, place) => ranges[place].setAttribute("aria-pressed", name === key));
    stop = repeat(RANGES[key][2], past);
  }

  // Of ten minutes only what is new is asked for; the last minute of a day changes.
  async function past() {
    const wanted = range;
    const since = wanted === "10m" && points.length ? points[points.length - 1].at_ms : 0;
    try {
      const history = await get("api/history", { ...which, range: wanted, since });
      if (range !== wanted) return;
      points = since ? points.concat(history.points) : history.points;
    } catch {
      return; // the head of the page tells
    }
    const length = RANGES[range][1];
    const end = points.length ? points[points.length - 1].at_ms : 0;
    points = points.filter((point) => point.at_ms >= end - length);
    for (const chart of charts) chart.draw(points, length);
    for (const [name, chart] of latencies) {
      const known = (point) => typeof point[name + "_p95_ms"] === "number";
      chart.element.hidden = !points.some(known);
      chart.draw(points, length);
    }
  }

  let told;
  function explain({ why: causes, rates }) {
    const flows = rates && rates.pulled > 0;
    const key = JSON.stringify([causes, flows && rate(rates.pulled)]);
    if (told === key) return;
    told = key;
    const line = ({ kind, sentence, action }) =>
      h(
        "li",
        { class: kind === "nothing-ready" ? "calm" : "", "data-kind": kind },
        h("p", null, sentence),
        h("p", { class: "detail" }, action),
      );
    replace(
      why,
      h(
        "h2",
        { id: "why-title" },
        flows ? "Messages are delivered: " + rate(rates.pulled) + " per second" : "Why is nothing delivered?",
      ),
      causes.length > 0 && h("ul", null, causes.map(line)),
      !flows && !causes.length && h("p", null, "Nothing stands in the way: consumers that ask get messages."),
    );
  }

  function update(queue) {
    explain(queue);
    const { state, counters: sums, rates } = queue;
    if (!state) return;
    const flow = rates.pushed - rates.acked;
    const moves = Math.abs(flow) > 0.05 * rates.pushed + 0.1;
    replace(
      figures,
      facts([
        ["Ready", count(state.ready)],
        ["In flight", count(state.inflight)],
        ["Delayed", count(state.delayed)],
        ["Dead letters", count(state.dead_letters)],
        ["Waiting consumers", count(state.blocked_clients)],
        ["In /s", rate(rates.pushed)],
        ["Out /s", rate(rates.acked)],
        [
          "Backlog",
          !moves
            ? "steady"
            : flow > 0
              ? "grows by " + rate(flow) + " /s"
              : "empty in " + length(Math.round(state.backlog / -flow) * 1000),
        ],
        ...waits(queue.latencies),
        ["Oldest ready", state.ready ? length(state.oldest_ready_age_ms) : null],
        [
          "Delivery that ends first",
          state.oldest_inflight_age_ms ? "began " + length(state.oldest_inflight_age_ms) + " ago" : null,
        ],
        ["Next due", state.next_due_at ? until(state.next_due_at) : null],
        ["Next tick", state.next_tick_at ? until(state.next_tick_at) : null],
        ["Paused until", state.paused_until ? when(state.paused_until) : null],
        ["Highest retry count", state.highest_retry_count || null],
        ["Groups", state.groups || null],
        ["Deduplication keys", state.dedup_keys || null],
        [
          "Ready by priority",
          Object.keys(state.priorities).length
            ? Object.entries(state.priorities)
                .reverse()
                .map(([priority, number]) => priority + ": " + count(number))
                .join(", ")
            : null,
        ],
        ["Damaged records", state.damaged || null],
        ["Server", queue.server],
      ]),
    );
    replace(
      counters,
      facts(
        COUNTERS.filter(([name], place) => sums[name] || place < 3).map(([name, title]) => [title, count(sums[name])]),
      ),
    );
  }

  choose(range);
  return { update, stop: () => stop() };
}

// How long messages took, of all since the server started.
function waits({ delivery, processing }) {
  const within = ({ count, p95_ms }) => (count ? length(p95_ms) : null);
  return [
    ["95 % delivered within", within(delivery)],
    ["95 % processed within", within(processing)],
  ];
}

// MQ.CHECK reads all of the queue, so it is done on demand only.
function checks(which, about, refresh) {
  const result = h("div", { role: "status" });
  const check = button("Check the records", run);

  async function run() {
    check.disabled = true;
    replace(result, h("p", { class: "detail" }, "Reading all records…"));
    try {
      tell((await post("api/check", which)).findings);
    } catch (error) {
      replace(result, h("p", { class: "alarm" }, error.message));
    }
    check.disabled = false;
  }

  function tell(findings) {
    const found = Object.entries(findings);
    if (!found.length) {
      replace(result, h("p", { class: "fine" }, "All records are consistent."));
      return;
    }
    replace(
      result,
      table(
        "Findings",
        ["Finding", ["Records", "number"]],
        found.map(([name, number]) =>
          h("tr", null, h("td", null, h("code", null, name)), h("td", { class: "number" }, count(number))),
        ),
      ),
      h("p", { class: "detail" }, "docs/commands/mq.check.md says what each means, and what a repair does to it."),
      about.writes && button("Repair…", repair, "danger"),
    );
  }

  async function repair() {
    const done = await act({
      title: "Repair " + which.name + "?",
      text: [
        "Recoverable messages become ready, records that cannot be decoded are set aside, dangling entries are removed.",
        "The server is blocked meanwhile.",
      ],
      verb: "Repair",
      danger: true,
      order: { ...which, action: "repair" },
      done: (number) => "Repaired " + many(number, "record") + ".",
    });
    if (done) await Promise.all([run(), refresh()]);
  }

  return h(
    "section",
    { class: "check" },
    h("h2", null, "Consistency"),
    h(
      "p",
      { class: "detail" },
      "MQ.CHECK reads everything that is stored of the queue. Other clients are served meanwhile.",
    ),
    check,
    result,
  );
}
