// Charts as SVG: a small line for a table, and lines over time with a legend. Coordinates are attributes, colours are classes.

import { h, replace, setText, svg } from "./dom.js";
import { clock, length } from "./format.js";

const SPARK = { width: 60, height: 16 };

// A line without axes. draw(values, top): nulls are gaps.
export function sparkline(kind) {
  const area = svg("path", { class: "area" });
  const line = svg("path", { class: "line" });
  const element = svg(
    "svg",
    {
      class: "spark " + kind,
      viewBox: "0 0 " + SPARK.width + " " + SPARK.height,
      preserveAspectRatio: "none",
      "aria-hidden": "true",
    },
    area,
    line,
  );

  function draw(values, top) {
    const x = (place) => (place / (values.length - 1)) * SPARK.width;
    const y = (value) => SPARK.height - 1 - (top ? (value / top) * (SPARK.height - 2) : 0);
    const spots = values.map((value, place) => (value === null ? null : [x(place), y(value)]));
    line.setAttribute("d", path(spots));
    area.setAttribute(
      "d",
      runs(spots)
        .map(
          (run) =>
            path(run) +
            "L" +
            round(run[run.length - 1][0]) +
            " " +
            SPARK.height +
            "L" +
            round(run[0][0]) +
            " " +
            SPARK.height +
            "Z",
        )
        .join(""),
    );
  }

  return { element, draw };
}

function runs(spots) {
  const all = [[]];
  for (const spot of spots) {
    if (spot) all[all.length - 1].push(spot);
    else all.push([]);
  }
  return all.filter((run) => run.length);
}

function path(spots) {
  // A point between two gaps is a short line.
  return runs(spots)
    .map((run) => "M" + run.map((spot) => spot.map(round).join(" ")).join("L") + (run.length === 1 ? "h1" : ""))
    .join("");
}

function round(number) {
  return Math.round(number * 10) / 10;
}

const MARGIN = { right: 8, top: 8, bottom: 18 };
const HEIGHT = 150;
// Of a character at the left.
const WIDTH = 6;

// A chart of series [name, point => value]. draw(points, range): points have at_ms, oldest first; the range is in
// milliseconds and ends with the last point. Arrows move the mark.
export function lineChart(title, series, format) {
  const plot = svg("svg", { class: "plot", role: "img", tabindex: "0", height: HEIGHT });
  const legend = series.map(([name], place) => {
    const value = h("b");
    return { value, element: h("li", { class: "s" + place }, h("i", { "aria-hidden": "true" }), name + " ", value) };
  });
  const time = h("span", { class: "time" });
  const element = h(
    "figure",
    { class: "chart" },
    h(
      "figcaption",
      null,
      h("span", null, title),
      time,
      h(
        "ul",
        null,
        legend.map((one) => one.element),
      ),
    ),
    plot,
  );
  let drawn = { points: [], range: 1 };
  let mark = null;
  let left = 0;

  function draw(points, range) {
    drawn = { points, range };
    const width = Math.max(plot.clientWidth, 200);
    plot.setAttribute("viewBox", "0 0 " + width + " " + HEIGHT);
    const end = points.length ? points[points.length - 1].at_ms : Date.now();
    const values = series
      .flatMap(([, value]) => points.map(value))
      .filter((value) => value !== null && value !== undefined);
    const ticks = scale(Math.max(...values, 0), format === length ? TIMES : null);
    const labels = ticks.map((tick) => (tick ? format(tick) : "0"));
    left = 14 + WIDTH * Math.max(...labels.map((label) => label.length), 4);
    const x = (at) => left + (1 - (end - at) / range) * (width - left - MARGIN.right);
    const top = ticks[ticks.length - 1];
    const y = (value) => HEIGHT - MARGIN.bottom - (value / top) * (HEIGHT - MARGIN.top - MARGIN.bottom);
    const lines = ticks.map((tick, place) => [
      svg("line", { class: "grid", x1: left, x2: width - MARGIN.right, y1: round(y(tick)), y2: round(y(tick)) }),
      svg("text", { x: left - 6, y: round(y(tick)) + 4, "text-anchor": "end" }, labels[place]),
    ]);
    const times = [0, 0.5, 1].map((part) => {
      const at = end - range * (1 - part);
      return svg(
        "text",
        { x: x(at), y: HEIGHT - 4, "text-anchor": ["start", "middle", "end"][part * 2] },
        clock(at, range < 3600e3),
      );
    });
    const gap = gapOf(points);
    const curves = series.map(([, value], place) => {
      const spots = points.flatMap((point, at) => {
        const known = value(point);
        const spot = known === null || known === undefined ? null : [x(point.at_ms), y(known)];
        return at && point.at_ms - points[at - 1].at_ms > gap ? [null, spot] : [spot];
      });
      return svg("path", { class: "line s" + place, d: path(spots) });
    });
    const chosen = mark === null ? null : nearest(points, mark);
    const cross =
      chosen &&
      svg("line", {
        class: "mark",
        x1: round(x(chosen.at_ms)),
        x2: round(x(chosen.at_ms)),
        y1: MARGIN.top,
        y2: HEIGHT - MARGIN.bottom,
      });
    replace(plot, lines, times, curves, cross);
    const told = chosen || points[points.length - 1];
    setText(time, chosen ? clock(chosen.at_ms, true) : "");
    series.forEach(([, value], place) => setText(legend[place].value, told ? tell(value(told)) : ""));
    plot.setAttribute(
      "aria-label",
      title +
        ": " +
        (told ? series.map(([name, value]) => name + " " + tell(value(told))).join(", ") : "nothing known yet"),
    );
  }

  function tell(value) {
    return value === null || value === undefined ? "–" : format(value);
  }

  function move(at) {
    mark = at;
    draw(drawn.points, drawn.range);
  }

  plot.addEventListener("pointermove", (event) => {
    const box = plot.getBoundingClientRect();
    const part = (event.clientX - box.left - left) / (box.width - left - MARGIN.right);
    const { points, range } = drawn;
    if (points.length) move(points[points.length - 1].at_ms - range * (1 - part));
  });
  plot.addEventListener("pointerleave", () => move(null));
  plot.addEventListener("blur", () => move(null));
  plot.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    const { points } = drawn;
    if (!step || !points.length) return;
    event.preventDefault();
    const chosen = mark === null ? points.length - 1 : points.indexOf(nearest(points, mark));
    move(points[Math.min(Math.max(chosen + step, 0), points.length - 1)].at_ms);
  });
  new ResizeObserver(() => draw(drawn.points, drawn.range)).observe(plot);
  return { element, draw };
}

function nearest(points, at) {
  let best = null;
  for (const point of points) if (!best || Math.abs(point.at_ms - at) < Math.abs(best.at_ms - at)) best = point;
  return best;
}

// Points further apart than this are not joined: in between nobody knows.
function gapOf(points) {
  const steps = points
    .slice(1)
    .map((point, place) => point.at_ms - points[place].at_ms)
    .sort((a, b) => a - b);
  return Math.max((steps[Math.floor(steps.length / 2)] || 0) * 4, 25000);
}

// Round lengths of time, in milliseconds.
const TIMES = [
  1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 10e3, 15e3, 30e3, 60e3, 120e3, 300e3, 600e3, 1800e3, 3600e3,
  7200e3, 21600e3, 43200e3,
];

// Four round numbers from 0 to at least the highest value.
function scale(highest, sizes) {
  if (highest <= 0) return [0, 1];
  const raw = highest / 3;
  const power = 10 ** Math.floor(Math.log10(raw));
  const round = [1, 2, 2.5, 5, 10].map((factor) => factor * power);
  const step = [...(sizes || []), ...round].find((size) => size >= raw);
  return [0, 1, 2, 3].map((number) => number * step).filter((tick, place, all) => !place || all[place - 1] < highest);
}
