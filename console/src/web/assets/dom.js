// Makes elements. What comes from servers is only ever set as text.

// h("a", { class: "x", href: "#/", onclick: f, hidden: true }, "text", element, [more], null)
export function h(tag, attributes, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

export function svg(tag, attributes, ...children) {
  return fill(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);
}

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "value" || name === "checked") element[name] = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...nodes(children));
  return element;
}

function nodes(children) {
  return children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false);
}

export function replace(element, ...children) {
  element.replaceChildren(...nodes(children));
}

// Sets a text only if it is another one, so that a selection stays.
export function setText(element, text) {
  if (element.textContent !== String(text)) element.textContent = text;
}

export function badge(text, kind, title) {
  return h("span", { class: "badge " + (kind || ""), title }, text);
}

// Names and values; a value may be an element. Those without a value are left out.
export function facts(pairs) {
  const shown = pairs.filter(([, value]) => value !== null && value !== undefined && value !== "");
  return h(
    "dl",
    { class: "facts" },
    shown.map(([name, value]) => h("div", null, h("dt", null, name), h("dd", null, value))),
  );
}

// A table in a box of its own that scrolls sideways. Columns are names, or [name, class].
export function table(label, columns, rows) {
  const head = columns.map((column) => {
    const [name, kind] = Array.isArray(column) ? column : [column, null];
    return h("th", { scope: "col", class: kind }, name);
  });
  return h(
    "div",
    { class: "scroll", tabindex: "0", role: "region", "aria-label": label },
    h("table", { class: "list" }, h("thead", null, h("tr", null, head)), h("tbody", null, rows)),
  );
}

export function button(text, action, kind) {
  return h("button", { type: "button", class: kind, onclick: action }, text);
}
