// The servers: what INFO says, in words.

import { get, repeat } from "./api.js";
import { badge, facts, h, replace, table } from "./dom.js";
import { bytes, clock, count, length } from "./format.js";

export function show(main) {
  const box = h("div", { class: "servers" });
  let replicas = [];
  main.append(h("div", { class: "title" }, h("h1", null, "Servers")), box);

  async function load() {
    let answer;
    try {
      answer = await get("api/servers");
    } catch (error) {
      replace(box, h("p", { class: "alarm", role: "alert" }, error.message));
      return;
    }
    const opened = [...box.querySelectorAll("details[open]")].map((one) => one.dataset.address);
    replace(
      box,
      answer.sources.map((source) => draw(source, opened)),
    );
  }

  function draw(source, opened) {
    const several = source.servers.length !== 1 || source.servers[0].address !== source.name;
    return h(
      "section",
      null,
      several && h("h2", null, source.name),
      source.error && h("p", { class: "alarm", role: "alert" }, source.error),
      source.servers.map((one) => server(one, source, opened)),
    );
  }

  function server(one, source, opened) {
    const head = h(
      "h3",
      null,
      one.address,
      " ",
      one.error
        ? badge("down", "bad")
        : one.checks.every((check) => check.ok)
          ? badge("fine", "good")
          : badge("needs attention", "attention"),
    );
    if (one.error) return h("article", { class: "card" }, head, h("p", { class: "alarm", role: "alert" }, one.error));
    const { figures } = one;
    const checks = [...one.checks].sort((a, b) => a.ok - b.ok);
    return h(
      "article",
      { class: "card" },
      head,
      facts([
        ["Server", one.software],
        ["Module", one.version + ", ops " + one.op_version],
        ["Role", one.role === "slave" ? "replica" : one.role],
        ["Up for", length(figures.uptime_seconds * 1000)],
        ["Queues", count(one.queues) + (one.not_sampled ? ", " + count(one.not_sampled) + " not sampled" : "")],
        ["Clients", count(figures.clients)],
        ["Waiting consumers", count(figures.blocked_consumers)],
        ["Commands /s", count(figures.commands_per_second)],
        [
          "Memory",
          bytes(figures.used_memory) +
            (figures.maxmemory ? " of " + bytes(figures.maxmemory) : "") +
            ", " +
            figures.maxmemory_policy,
        ],
        ["Sampled", clock(source.at, true) + ", in " + length(source.took_ms)],
      ]),
      h(
        "ul",
        { class: "checks" },
        checks.map((check) =>
          h(
            "li",
            { class: check.ok ? "ok" : "wrong" },
            h("span", { class: "hidden" }, check.ok ? "Fine: " : "Wrong: "),
            check.text,
          ),
        ),
      ),
      followers(replicas.filter((replica) => replica.source === source.name && replica.server === one.address)),
      h(
        "details",
        { "data-address": one.address, open: opened.includes(one.address) },
        h("summary", null, "Counters over all queues, since the server started"),
        facts(Object.entries(one.totals).map(([name, number]) => [name.replaceAll("_", " "), count(number)])),
      ),
    );
  }

  function followers(own) {
    if (!own.length) return h("p", { class: "detail" }, "No replica is connected.");
    return table(
      "Replicas",
      ["Replica", ["Behind", "number"], "Module", "Can it follow?"],
      own.map((replica) =>
        h(
          "tr",
          null,
          h("td", null, replica.address),
          h("td", { class: "number" }, bytes(replica.lag_bytes)),
          h("td", null, replica.version || "–"),
          h(
            "td",
            { class: "text" },
            replica.error
              ? "It cannot be asked from here: " + replica.error
              : replica.problem
                ? badge(replica.problem, "bad")
                : "Yes.",
          ),
        ),
      ),
    );
  }

  async function ask() {
    const answer = await get("api/replicas").catch(() => ({ replicas: [] }));
    replicas = answer.replicas;
    await load();
  }

  // Replicas are asked one by one, so not often.
  const stops = [repeat(3000, load), repeat(30000, ask)];
  return () => stops.forEach((stop) => stop());
}
