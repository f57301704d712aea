// Requests to the console. Addresses are relative to the page, which may be behind a proxy; a user name in the page's own
// address must not get into them.

const base = location.origin + location.pathname;

export class Refused extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

export function address(path, parameters) {
  const url = new URL(path, base);
  for (const [name, value] of Object.entries(parameters || {})) {
    if (value || value === 0) url.searchParams.set(name, value);
  }
  return url.href;
}

export function get(path, parameters) {
  return send(address(path, parameters), {});
}

export function post(path, body) {
  const headers = { "Content-Type": "application/json" };
  return send(address(path), { method: "POST", headers, body: JSON.stringify(body) });
}

async function send(url, options) {
  let reply;
  try {
    reply = await fetch(url, options);
  } catch {
    throw new Refused(0, "The console does not answer.");
  }
  const body = await reply.json().catch(() => ({}));
  if (!reply.ok)
    throw new Refused(reply.status, body.error || "The console answered with status " + reply.status + ".");
  return body;
}

// A list of queues with every sample. Returns what ends it.
export function listen(parameters, show, lose) {
  const events = new EventSource(address("api/events", parameters));
  events.addEventListener("queues", (event) => show(JSON.parse(event.data)));
  events.addEventListener("error", lose);
  return () => events.close();
}

// Does something now and again every so many milliseconds after it was done, while the page is visible. Returns what ends it.
export function repeat(interval, task) {
  let ended = false;
  let timer;
  const run = async () => {
    clearTimeout(timer);
    if (!document.hidden) await task();
    if (!ended) timer = setTimeout(run, interval);
  };
  const wake = () => document.hidden || run();
  document.addEventListener("visibilitychange", wake);
  run();
  return () => {
    ended = true;
    clearTimeout(timer);
    document.removeEventListener("visibilitychange", wake);
  };
}
