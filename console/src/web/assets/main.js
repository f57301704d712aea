// Which view is shown: the address after # names it, with its parameters, as in #/queue?name=orders&tab=dead.

import { get } from "./api.js";
import { h, replace } from "./dom.js";
import * as message from "./message.js";
import * as overview from "./overview.js";
import * as queue from "./queue.js";
import * as servers from "./servers.js";

const views = { "": overview, queue, message, servers };
const main = document.getElementById("content");
let about;
let stop = null;
let path;

function show() {
  if (!location.hash.startsWith("#/") && location.hash !== "") return;
  const [name, query] = location.hash.slice(2).split(/\?(.*)/s);
  const view = views[name] || overview;
  if (stop) stop();
  for (const at of document.querySelectorAll("nav[aria-label=Main] a")) {
    const own = at.getAttribute("href") === "#/servers";
    if (own === (view === servers)) at.setAttribute("aria-current", "page");
    else at.removeAttribute("aria-current");
  }
  replace(main);
  stop = view.show(main, Object.fromEntries(new URLSearchParams(query || "")), about);
  document.title = (main.querySelector("h1")?.textContent || "Queues") + " · redis-mq";
  if (path !== undefined && path !== name) main.focus({ preventScroll: true });
  path = name;
}

function themes() {
  const order = { "": "dark", dark: "light", light: "" };
  const names = { "": "Theme: system", dark: "Theme: dark", light: "Theme: light" };
  const root = document.documentElement;
  const toggle = document.getElementById("theme");
  const tell = () => {
    toggle.textContent = names[root.dataset.theme || ""];
  };
  toggle.addEventListener("click", () => {
    const next = order[root.dataset.theme || ""];
    root.dataset.theme = next;
    localStorage.setItem("redis-mq-theme", next);
    tell();
  });
  tell();
}

document.addEventListener("keydown", (event) => {
  const typing = event.target.closest("input, textarea, select, dialog");
  if (event.key !== "/" || typing || event.ctrlKey || event.metaKey || event.altKey) return;
  const search = document.querySelector("input[type=search]");
  if (!search) return;
  event.preventDefault();
  search.focus();
});

async function start() {
  try {
    about = await get("api/about");
  } catch (error) {
    replace(main, h("p", { class: "alarm", role: "alert" }, error.message));
    setTimeout(start, 2000);
    return;
  }
  const mode = document.getElementById("mode");
  mode.textContent = about.writes ? "writes allowed" : "read only";
  mode.classList.toggle("attention", about.writes);
  mode.hidden = false;
  addEventListener("hashchange", show);
  show();
}

document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault();
  main.focus();
});

themes();
start();
