// Addresses of views.

// link("queue", { name: "orders", tab: "dead" }) is #/queue?name=orders&tab=dead
export function link(view, parameters) {
  const known = Object.entries(parameters || {}).filter(([, value]) => value || value === 0);
  const query = new URLSearchParams(known).toString();
  return "#/" + view + (query ? "?" + query : "");
}

export function go(view, parameters) {
  location.hash = link(view, parameters);
}
