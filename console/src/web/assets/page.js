"use strict";

const rows = document.getElementById("queues");
const notices = document.getElementById("notices");
const search = document.getElementById("search");
let events;

// What comes from servers is only ever set as text.
function element(name, text) {
  const made = document.createElement(name);
  made.textContent = text;
  return made;
}

function age(ms) {
  const s = ms / 1000;
  if (s < 60) return s.toFixed(1) + " s";
  if (s < 3600) return Math.floor(s / 60) + " min";
  return Math.floor(s / 3600) + " h";
}

function row(queue) {
  const made = document.createElement("tr");
  const cells = queue.error
    ? [queue.name, "", "", "", "", "", "", "", "", queue.error]
    : [queue.name, queue.ready, queue.inflight, queue.delayed, queue.dead_letters, age(queue.oldest_ready_age_ms),
       queue.rates.pushed.toFixed(1), queue.rates.acked.toFixed(1), queue.blocked_clients, queue.paused ? "paused" : ""];
  made.append(...cells.map((cell) => element("td", cell)));
  return made;
}

function show(list) {
  const told = [];
  for (const source of list.sources) {
    if (source.error) told.push(source.name + ": " + source.error);
    for (const server of source.servers) {
      if (server.error) told.push(server.address + ": " + server.error);
      told.push(...server.warnings.map((warning) => server.address + ": " + warning));
    }
  }
  if (list.not_sampled) told.push(list.not_sampled + " more queues are only counted: see --max-queues.");
  if (list.matching > list.queues.length) told.push(list.queues.length + " of " + list.matching + " queues are shown.");
  notices.replaceChildren(...told.map((text) => element("li", text)));
  rows.replaceChildren(...list.queues.map(row));
}

function listen() {
  if (events) events.close();
  events = new EventSource("api/events?limit=200&search=" + encodeURIComponent(search.value));
  events.addEventListener("queues", (event) => show(JSON.parse(event.data)));
  events.onerror = () => notices.replaceChildren(element("li", "The console does not answer."));
}

search.addEventListener("input", listen);
listen();
