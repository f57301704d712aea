// Numbers, times and sizes as text.

const whole = new Intl.NumberFormat("en");
const time = new Intl.DateTimeFormat(undefined, {
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
  hourCycle: "h23",
});
const minute = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });

export function count(number) {
  return whole.format(number);
}

// "1 message", "1,234 messages"
export function many(number, what) {
  return count(number) + " " + what + (number === 1 ? "" : "s");
}

// At most four characters and a letter.
export function short(number) {
  for (const [size, letter] of [
    [1e9, "G"],
    [1e6, "M"],
    [1e4, "k"],
  ]) {
    if (number >= size) {
      const scaled = number / (size === 1e4 ? 1e3 : size);
      return (scaled < 100 ? scaled.toFixed(1).replace(".0", "") : Math.round(scaled)) + letter;
    }
  }
  return Number.isInteger(number) ? count(number) : number < 100 ? number.toFixed(1) : count(Math.round(number));
}

export function rate(perSecond) {
  return perSecond === 0 ? "0" : perSecond < 0.05 ? "<0.1" : short(perSecond);
}

// A length of time in its two largest units.
export function length(ms) {
  if (ms < 1000) return Math.round(ms) + " ms";
  if (ms < 10000 && ms % 1000) return (ms / 1000).toFixed(1) + " s";
  let rest = Math.floor(ms / 1000);
  const parts = [];
  for (const [size, name] of [
    [86400, "d"],
    [3600, "h"],
    [60, "min"],
    [1, "s"],
  ]) {
    if (rest >= size && parts.length < 2) {
      parts.push(Math.floor(rest / size) + " " + name);
      rest %= size;
    } else if (parts.length) break;
  }
  return parts.join(" ");
}

export function ago(unixMs) {
  const ms = Date.now() - unixMs;
  return ms < 0 ? "in " + length(-ms) : length(ms) + " ago";
}

export function until(unixMs) {
  const ms = unixMs - Date.now();
  return ms <= 0 ? "now" : "in " + length(ms);
}

// Day and time in the visitor's time zone.
export function moment(unixMs) {
  const date = new Date(unixMs);
  const pad = (number) => String(number).padStart(2, "0");
  return date.getFullYear() + "-" + pad(date.getMonth() + 1) + "-" + pad(date.getDate()) + " " + time.format(date);
}

export function clock(unixMs, seconds) {
  return (seconds ? time : minute).format(new Date(unixMs));
}

// "2026-11-28 04:12:33, 3 min ago"
export function when(unixMs) {
  return moment(unixMs) + ", " + ago(unixMs);
}

export function bytes(number) {
  if (number < 1024) return number + " B";
  for (const [size, name] of [
    [1024 ** 3, "GB"],
    [1024 ** 2, "MB"],
    [1024, "KB"],
  ]) {
    if (number >= size) return (number / size).toFixed(number / size < 10 ? 1 : 0) + " " + name;
  }
  return "";
}
