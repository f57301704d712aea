// All queues, what needs attention first, live.

import { listen } from "./api.js";
import { sparkline } from "./chart.js";
import { badge, button, h, replace, setText } from "./dom.js";
import { count, length, many, rate, short } from "./format.js";
import { link } from "./route.js";

const PAGE = 50;
// A message that has been ready for longer stands out.
const LONG = 60000;
// How long rows stay where they are after the pointer moved.
const HELD = 5000;
// A sample takes two seconds, unless a server hardly answers.
const OLD = 15000;

// Name, sort key, what it is.
const COLUMNS = [
  ["Queue", "name", "By name"],
  ["Ready", "ready", "Messages that wait to be delivered"],
  ["In flight", "inflight", "Messages that consumers hold"],
  ["Delayed", "delayed", "Messages that become ready later"],
  ["Dead", "dead_letters", "Messages in the queue's dead-letter queue"],
  ["Oldest", "oldest_ready", "How long the oldest ready message has waited"],
  ["In /s", "pushed", "Messages pushed per second; the line shows ten minutes"],
  ["Out /s", "acked", "Messages acknowledged per second; the line shows ten minutes"],
  ["Waiting", "blocked_clients", "Consumers that wait for a message"],
];

const CAUSES = {
  paused: ["paused", "attention"],
  "max-inflight": ["MAXINFLIGHT reached", "attention"],
  rate: ["rate used up", "attention"],
  "groups-busy": ["groups busy", "attention"],
  "no-consumer": ["no consumer", "bad"],
  damaged: ["damaged", "bad"],
  unreadable: ["unreadable", "bad"],
};

export function show(main, parameters, about) {
  const state = {
    search: parameters.search || "",
    sort: parameters.sort || "worst",
    reverse: parameters.reverse === "true",
    offset: Number(parameters.offset) || 0,
  };
  const alarms = h("div", { class: "alarms", role: "alert" });
  const notes = h("ul", { class: "notes", role: "status" });
  const tiles = h("div", { class: "tiles" });
  const search = h("input", {
    type: "search",
    id: "search",
    value: state.search,
    placeholder: "part of a name, or a pattern: mail*  ( / )",
  });
  const worst = button("Worst first", () => order("worst"), "quiet");
  const head = h(
    "tr",
    null,
    COLUMNS.map(([name, key, title]) =>
      h(
        "th",
        { scope: "col", "data-key": key },
        h("button", { type: "button", title, onclick: () => order(key) }, name),
      ),
    ),
    h("th", { scope: "col" }, "State"),
  );
  const body = h("tbody");
  const more = h("nav", { class: "pages", "aria-label": "Pages" });
  const fresh = h("span", { class: "fresh" });
  const rows = new Map();
  let pointedAt = 0;
  let drawnAt = Date.now();
  let stop = () => {};

  replace(
    main,
    h("div", { class: "title" }, h("h1", null, "Queues"), fresh),
    alarms,
    notes,
    tiles,
    h(
      "div",
      { class: "toolbar", role: "search" },
      h("label", { for: "search", class: "hidden" }, "Search"),
      search,
      worst,
    ),
    h("table", { class: "queues" }, h("thead", null, head), body),
    more,
  );

  // Rows do not move away from a pointer that moves.
  body.addEventListener("pointermove", () => {
    pointedAt = Date.now();
  });
  body.addEventListener("pointerleave", () => {
    pointedAt = 0;
  });
  search.addEventListener("input", () => {
    state.search = search.value.trim();
    state.offset = 0;
    subscribe();
  });

  function order(key) {
    state.reverse = key === state.sort && !state.reverse;
    state.sort = key;
    state.offset = 0;
    subscribe();
  }

  function subscribe() {
    stop();
    for (const cell of head.children) {
      const own = cell.dataset.key === state.sort;
      const rising = state.reverse !== (state.sort === "name");
      if (own) cell.setAttribute("aria-sort", rising ? "ascending" : "descending");
      else cell.removeAttribute("aria-sort");
    }
    worst.setAttribute("aria-pressed", state.sort === "worst");
    pointedAt = 0;
    const { search, sort, reverse, offset } = state;
    // So that the way back from a queue leads to the same list.
    history.replaceState(null, "", link("", { search, sort: sort !== "worst" && sort, reverse, offset }));
    stop = listen({ search, sort, reverse, offset, limit: PAGE, recent: true }, draw, lost);
  }

  function lost() {
    setText(fresh, "not connected");
    fresh.classList.add("bad");
    replace(alarms, h("p", { class: "alarm" }, "The console does not answer. What is shown is old."));
  }

  function draw(list) {
    fresh.classList.remove("bad");
    drawnAt = Date.now();
    const held = drawnAt - pointedAt < HELD;
    setText(fresh, held ? "live, rows stay while you point at them" : "live");
    warn(list);
    total(list);
    const keys = list.queues.map((queue) => queue.source + "\n" + queue.server + "\n" + queue.name);
    list.queues.forEach((queue, place) => {
      const key = keys[place];
      if (!rows.has(key) && held) return;
      if (!rows.has(key)) rows.set(key, row(queue, about.sources.length > 1));
      rows.get(key).update(queue);
    });
    if (!held) place(keys, list);
    page(list);
  }

  // Puts the rows into order; one that has the focus keeps it.
  function place(keys, list) {
    for (const key of rows.keys()) if (!keys.includes(key)) rows.delete(key);
    const wanted = keys.map((key) => rows.get(key).element);
    const others = list.not_sampled_names.map((queue) =>
      h(
        "tr",
        { class: "unknown" },
        h("th", { scope: "row" }, h("a", { href: at(queue, about.sources.length > 1) }, queue.name)),
        h("td", { colspan: COLUMNS.length }, "not sampled"),
      ),
    );
    if (!wanted.length && !others.length) {
      others.push(
        h(
          "tr",
          { class: "unknown" },
          h(
            "td",
            { colspan: COLUMNS.length + 1 },
            state.search ? "No queue matches." : alarms.children.length ? "No queue is known." : "There are no queues.",
          ),
        ),
      );
    }
    const all = [...wanted, ...others];
    if (
      all.length === body.children.length &&
      wanted.every((element, place) => body.children[place] === element) &&
      !others.length
    )
      return;
    const focus = body.contains(document.activeElement) ? document.activeElement : null;
    body.replaceChildren(...all);
    if (focus && focus.isConnected) focus.focus({ preventScroll: true });
  }

  function page(list) {
    const { offset } = state;
    const last = Math.min(offset + PAGE, list.matching);
    const turn = (to) => () => {
      state.offset = to;
      subscribe();
    };
    const key = [offset, last, list.matching].join();
    if (more.dataset.key === key) return;
    more.dataset.key = key;
    const previous = button("Previous", turn(Math.max(0, offset - PAGE)));
    const next = button("Next", turn(offset + PAGE));
    previous.disabled = offset === 0;
    next.disabled = last >= list.matching;
    replace(
      more,
      h(
        "span",
        null,
        list.matching ? count(offset + 1) + "–" + count(last) + " of " + many(list.matching, "queue") : "",
      ),
      list.matching > PAGE && [previous, next],
    );
  }

  function warn(list) {
    const down = [];
    const told = [];
    for (const source of list.sources) {
      if (source.error && source.at) down.push([source.name, source.error]);
      else if (source.error) told.push(source.name + " is asked for the first time.");
      for (const server of source.servers) {
        if (server.error) down.push([server.address, server.error]);
        told.push(...server.warnings.map((text) => server.address + ": " + text));
      }
    }
    if (list.not_sampled) {
      told.push(
        many(list.not_sampled, "more queue") +
          (list.not_sampled === 1 ? " is" : " are") +
          " only counted, because there are too many: start the console with a higher --max-queues. A search finds them.",
      );
    }
    const alarm = ([name, error]) =>
      h(
        "p",
        { class: "alarm" },
        h("strong", null, name),
        " does not answer. Its queues are not shown. ",
        h("span", { class: "detail" }, error),
      );
    update(alarms, down, alarm);
    update(notes, told, (text) => h("li", null, text));
  }

  function total(list) {
    const { totals } = list;
    const shown = [
      ["Queues", short(list.matching + (state.search ? 0 : list.not_sampled))],
      ["Ready", short(totals.ready)],
      ["In flight", short(totals.inflight)],
      ["Delayed", short(totals.delayed)],
      ["Dead letters", short(totals.dead_letters), totals.dead_letters > 0 && "bad"],
      ["In /s", rate(totals.pushed)],
      ["Out /s", rate(totals.acked)],
      ["Paused", short(totals.paused), totals.paused > 0 && "attention"],
    ];
    if (!tiles.children.length) {
      replace(
        tiles,
        shown.map(([name]) =>
          h("div", { class: "tile" }, h("span", { class: "name" }, name), h("span", { class: "figure" })),
        ),
      );
    }
    shown.forEach(([, text, kind], place) => {
      const tile = tiles.children[place];
      setText(tile.lastChild, text);
      tile.className = "tile " + (kind || "");
    });
  }

  const watch = setInterval(() => {
    const age = Date.now() - drawnAt;
    if (age < OLD) return;
    setText(fresh, "no sample for " + length(age));
    fresh.classList.add("bad");
  }, 1000);

  subscribe();
  return () => {
    clearInterval(watch);
    stop();
  };
}

// Draws a list anew only if it changed, so that it is not read out again with each sample.
function update(element, list, draw) {
  const key = JSON.stringify(list);
  if ((element.dataset.key || "[]") === key) return;
  element.dataset.key = key;
  replace(element, list.map(draw));
}

function at(queue, several) {
  return link("queue", { name: queue.name, source: several && queue.source });
}

// A row, and what it shows of a sample.
function row(queue, several) {
  const cell = (label, kind) => h("td", { "data-label": label, class: kind });
  const number = Object.fromEntries(
    ["Ready", "In flight", "Delayed", "Dead", "Oldest"].map((name) => [name, cell(name)]),
  );
  const [pushed, acked] = [sparkline("in"), sparkline("out")];
  const [rateIn, rateOut] = [h("span"), h("span")];
  const waiting = cell("Waiting");
  const state = cell("State", "state");
  const element = h(
    "tr",
    null,
    h(
      "th",
      { scope: "row" },
      h("a", { href: at(queue, several) }, queue.name),
      several && h("small", null, queue.source),
    ),
    Object.values(number),
    h("td", { "data-label": "In /s", class: "rate" }, pushed.element, rateIn),
    h("td", { "data-label": "Out /s", class: "rate" }, acked.element, rateOut),
    waiting,
    state,
  );

  function tell(element, value, text, kind) {
    setText(element, text);
    element.classList.toggle("none", !value);
    if (kind) element.classList.toggle(kind, Boolean(value));
  }

  function update(queue) {
    const known = !queue.error;
    tell(number.Ready, queue.ready, known ? short(queue.ready) : "");
    tell(number["In flight"], queue.inflight, known ? short(queue.inflight) : "");
    tell(number.Delayed, queue.delayed, known ? short(queue.delayed) : "");
    tell(number.Dead, queue.dead_letters, known ? short(queue.dead_letters) : "", "bad");
    tell(number.Oldest, queue.ready, known && queue.ready ? length(queue.oldest_ready_age_ms) : known ? "–" : "");
    number.Oldest.classList.toggle("attention", queue.oldest_ready_age_ms >= LONG && !queue.is_dead_letter_queue);
    tell(waiting, queue.blocked_clients, known ? short(queue.blocked_clients) : "");
    const recent = queue.recent || { pushed: [], acked: [] };
    const top = Math.max(...recent.pushed, ...recent.acked, 0);
    pushed.draw(recent.pushed, top);
    acked.draw(recent.acked, top);
    setText(rateIn, known ? rate(queue.rates.pushed) : "");
    setText(rateOut, known ? rate(queue.rates.acked) : "");
    const badges = queue.error
      ? [badge("unreadable", "bad", queue.error)]
      : queue.causes.map((cause) => badge(...CAUSES[cause]));
    if (queue.is_dead_letter_queue) badges.splice(0, badges.length, badge("dead letters"));
    if (known && !queue.exists && !queue.blocked_clients && !queue.rates.acked) badges.push(badge("empty"));
    const key = badges.map((one) => one.textContent).join();
    if (state.dataset.key !== key) {
      state.dataset.key = key;
      replace(state, badges);
    }
    const worst = badges.some((one) => one.classList.contains("bad"))
      ? "bad"
      : badges.some((one) => one.classList.contains("attention"))
        ? "attention"
        : "";
    element.dataset.worst = worst;
  }

  return { element, update };
}
