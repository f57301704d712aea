"""Charts as SVG: bars and lines in panels, readable in light and dark mode, and without colours: what is ours is solid,
the others are hatched, hollow or dashed. Knows nothing of the bench. Standard library only.
"""

import math
from xml.sax.saxutils import escape

WIDTH = 860
STYLE = """
text { font: 13px Helvetica, Arial, sans-serif; fill: #1f2328 }
.title { font-size: 16px; font-weight: bold }
.small { font-size: 11px; fill: #59636e; stroke: #ffffff; stroke-width: 3px; paint-order: stroke }
.card { fill: #ffffff; stroke: #d1d9e0 }
.grid { stroke: #d1d9e0; fill: none }
.axis { stroke: #59636e; fill: none }
.ours { fill: #0969da; stroke: #0969da }
.other { stroke: #57606a }
.hatch { stroke: #8c959f; stroke-width: 2 }
.hollow { fill: #ffffff; stroke: #57606a }
.line { fill: none; stroke-width: 2 }
.mark { stroke-width: 1.5 }
@media (prefers-color-scheme: dark) {
text { fill: #f0f6fc }
.small { fill: #9198a1; stroke: #0d1117 }
.card { fill: #0d1117; stroke: #3d444d }
.grid { stroke: #2f353d }
.axis { stroke: #9198a1 }
.ours { fill: #4493f8; stroke: #4493f8 }
.other { stroke: #9198a1 }
.hatch { stroke: #6e7681 }
.hollow { fill: #0d1117; stroke: #9198a1 }
}
"""
DEFS = """<defs><pattern id="hatching" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">
<path class="hatch" d="M1 0V6"/></pattern></defs>"""

# What a series looks like, as a bar and as a line: its classes, the dash and the marker.
LOOKS = {
    "ours": ("ours", "", "circle"),
    "peer": ("other", "7 4", "square"),
    "third": ("hollow", "2 4", "triangle"),
}


def shown(value):
    """A number with about three digits."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def short(value):
    for size, unit in ((10**9, "G"), (10**6, "M"), (10**3, "k")):
        if value >= size:
            return f"{value / size:g}{unit}"
    return f"{value:g}"


class Drawing:
    def __init__(self, title, description):
        self.title, self.description, self.parts = title, description, []
        self.text(20, 30, title, kind="title")
        self.text(20, 50, description, kind="small")

    def text(self, x, y, text, anchor="start", kind=""):
        self.parts.append(f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" class="{kind}">{escape(text)}</text>')

    def line(self, x1, y1, x2, y2, kind="grid"):
        self.parts.append(f'<path class="{kind}" d="M{x1:.1f} {y1:.1f}L{x2:.1f} {y2:.1f}"/>')

    def bar(self, x, y, width, height, look):
        name = LOOKS[look][0]
        fill = ' fill="url(#hatching)"' if look == "peer" else ""
        self.parts.append(
            f'<rect class="{name}"{fill} x="{x:.1f}" y="{y:.1f}" width="{max(width, 1):.1f}" height="{height:.1f}"/>'
        )

    def path(self, points, look):
        name, dash, _ = LOOKS[look]
        # A hollow line would have the colour of the background inside.
        name = "other" if name == "hollow" else name
        steps = "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
        self.parts.append(
            f'<path class="{name} line" style="fill:none" stroke-dasharray="{dash or "none"}" d="M{steps}"/>'
        )
        for x, y in points:
            self.mark(x, y, look)

    def mark(self, x, y, look):
        name, _, shape = LOOKS[look]
        name = "hollow" if name == "other" else name
        if shape == "circle":
            self.parts.append(f'<circle class="{name} mark" cx="{x:.1f}" cy="{y:.1f}" r="4"/>')
        elif shape == "square":
            self.parts.append(f'<rect class="{name} mark" x="{x - 3.5:.1f}" y="{y - 3.5:.1f}" width="7" height="7"/>')
        else:
            self.parts.append(f'<path class="{name} mark" d="M{x:.1f} {y - 4.5:.1f}l4.5 8h-9z"/>')

    def legend(self, y, series, lines=False):
        x = 20
        for name, look in series.items():
            if lines:
                self.path([(x, y - 4), (x + 15, y - 4), (x + 30, y - 4)], look)
            else:
                self.bar(x, y - 11, 30, 12, look)
            self.text(x + 38, y, name)
            x += 62 + 7.2 * len(name)

    def save(self, path, height):
        body = "\n".join(self.parts)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height:.0f}" '
            f'viewBox="0 0 {WIDTH} {height:.0f}" role="img" aria-labelledby="title description">\n'
            f'<title id="title">{escape(self.title)}</title>\n<desc id="description">{escape(self.description)}</desc>\n'
            f"<style>{STYLE}</style>\n{DEFS}\n"
            f'<rect class="card" x="0.5" y="0.5" width="{WIDTH - 1}" height="{height - 1:.0f}" rx="8"/>\n{body}\n</svg>\n'
        )


def bars(path, title, remark, axis, panels, series, gutter=150, log=False):
    """Horizontal bars, panels side by side, with the same rows, and the same scale if they have one axis.

    `panels` is {title: {row: {series: value}}}, the series of a row may differ; `series` is {name: look}. A value is a
    number, (number, text), or a text instead of a bar."""
    drawing = Drawing(title, remark)
    drawing.legend(74, series)
    top, bar, between = 116, 13, 9
    rows = list(dict.fromkeys(row for panel in panels.values() for row in panel))
    counts = {row: max(len(panel.get(row, {})) for panel in panels.values()) for row in rows}
    height = sum(count * bar + between for count in counts.values())
    width = (WIDTH - 20 - gutter) / len(panels)
    # Of a panel: the values stand behind the bars.
    longest = width - 92
    for number, (name, panel) in enumerate(panels.items()):
        left = gutter + number * width
        shared = panels.values() if isinstance(axis, str) else [panel]
        values = [v[0] if isinstance(v, tuple) else v for one in shared for row in one.values() for v in row.values()]
        values = [v for v in values if not isinstance(v, str)]
        if log:
            # The shortest bar is no less than a third of a decade long.
            values.append(min(values, default=1) / 2)
        scale = scale_of(values, longest, log)
        drawing.text(left, top - 14, name)
        for tick in ticks(values, log, most=max(2, int(longest / 45))):
            x = left + scale(tick)
            if x <= left + longest + 1:
                drawing.line(x, top - 6, x, top + height)
                drawing.text(x, top + height + 14, short(tick), "middle", "small")
        y = top
        for row in rows:
            count = counts[row]
            if number == 0:
                drawing.text(gutter - 10, y + count * bar / 2 + 4, row, "end")
            for place, (of, value) in enumerate(panel.get(row, {}).items()):
                text = shown(value) if not isinstance(value, (tuple, str)) else value
                if isinstance(value, tuple):
                    value, text = value
                if isinstance(value, str):
                    drawing.text(left + 4, y + place * bar + bar - 3, text, kind="small")
                    continue
                drawing.bar(left, y + place * bar, scale(value), bar - 2, series[of])
                drawing.text(left + scale(value) + 4, y + place * bar + bar - 3, text, kind="small")
            y += count * bar + between
        drawing.line(left, top - 6, left, top + height, "axis")
        drawing.text(
            left + longest / 2, top + height + 32, axis if isinstance(axis, str) else axis[name], "middle", "small"
        )
    drawing.save(path, top + height + 46)


def lines(path, title, remark, x_axis, y_axis, panels, series, log_y=False):
    """Lines over a logarithmic x axis; three panels in a row. `panels` is {title: {series: [(x, y), ...]}}."""
    drawing = Drawing(title, remark)
    drawing.legend(74, series, lines=True)
    columns, plot_height, gap = min(3, len(panels)), 150, 78
    width = (WIDTH - 20) / columns
    for number, (name, panel) in enumerate(panels.items()):
        left = 20 + number % columns * width + 42
        top = 116 + number // columns * (plot_height + gap)
        bottom, across = top + plot_height, width - 62
        xs = [x for points in panel.values() for x, _ in points]
        ys = [y for points in panel.values() for _, y in points]
        x_scale = scale_of(xs, across, True)
        y_scale = scale_of(ys, plot_height, log_y)
        drawing.text(left, top - 12, name)
        for tick in ticks(ys, log_y, most=5):
            if y_scale(tick) <= plot_height + 1:
                drawing.line(left, bottom - y_scale(tick), left + across, bottom - y_scale(tick))
                drawing.text(left - 6, bottom - y_scale(tick) + 4, short(tick), "end", "small")
        for tick in ticks(xs, True):
            if x_scale(tick) <= across + 1:
                drawing.line(left + x_scale(tick), bottom, left + x_scale(tick), bottom + 4, "axis")
                drawing.text(left + x_scale(tick), bottom + 17, short(tick), "middle", "small")
        drawing.line(left, top, left, bottom, "axis")
        drawing.line(left, bottom, left + across, bottom, "axis")
        drawing.text(left + across / 2, bottom + 33, x_axis, "middle", "small")
        if number % columns == 0:
            middle = top + plot_height / 2
            drawing.parts.append(
                f'<text class="small" text-anchor="middle" transform="translate(22 {middle:.0f}) rotate(-90)">'
                f"{escape(y_axis)}</text>"
            )
        # What is ours is drawn last, above the others.
        for of in sorted(panel, key=lambda of: series[of] == "ours"):
            drawing.path([(left + x_scale(x), bottom - y_scale(y)) for x, y in panel[of]], series[of])
    rows = math.ceil(len(panels) / columns)
    drawing.save(path, 116 + rows * (plot_height + gap) - 30)


def scale_of(values, length, log):
    """The distance from the axis of a value. A logarithmic axis starts at the power of ten below the least value."""
    if not log:
        most = max(values, default=1) or 1
        return lambda value: value / most * length
    low = math.floor(math.log10(min(values)) + 1e-9)
    high = max(math.log10(max(values)), low + 1)
    return lambda value: (math.log10(value) - low) / (high - low) * length


def ticks(values, log, most=8):
    if log:
        low, high = math.floor(math.log10(min(values)) + 1e-9), math.ceil(math.log10(max(values)) - 1e-9)
        step = max(1, math.ceil((high - low + 1) / most))
        return [10.0**power for power in range(low, high + 1, step)]
    top = max(values, default=1) or 1
    rough = top / most
    size = 10 ** math.floor(math.log10(rough))
    step = next(size * factor for factor in (1, 2, 5, 10) if size * factor >= rough)
    return [step * number for number in range(int(top / step) + 1)]
