#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Two drawings from peers/run's JSON lines: docs/bench-area.svg, CPU for a frame against how much of it changes, and
docs/bench-displays.svg, cores against displays at rest.

    bench/peers/plot.py RESULTS [FOLDER]
"""
import collections
import json
import pathlib
import sys
from statistics import median

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 760, 440, 70, 150, 40, 60
COLOURS = {"vfd polls": "#d62728", "vfd told": "#1f4fd6", "qemu": "#8c564b", "x11vnc": "#2ca02c", "libvncserver": "#7f7f7f",
           "neatvnc": "#9467bd", "xvnc": "#ff7f0e"}


def nice(limit):
    """A step of 1, 2 or 5 times a power of ten, so that four to ten of them fit."""
    step = 10.0 ** -6
    while True:
        for factor in (1, 2, 5):
            if limit / (step * factor) <= 8:
                return step * factor
        step *= 10


class Plot:
    def __init__(self, title, x_name, y_name, x_most, y_most):
        self.x_most, self.y_most = x_most, y_most * 1.05
        self.parts = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" font-family="sans-serif" font-size="12">',
                      f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
                      f'<text x="{LEFT}" y="22" font-size="15">{title}</text>',
                      f'<text x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 16}" text-anchor="middle">{x_name}</text>',
                      f'<text transform="translate(18 {HEIGHT / 2}) rotate(-90)" text-anchor="middle">{y_name}</text>']
        self.label = 0.0
        self.axes()

    def x(self, value):
        return LEFT + value / self.x_most * (WIDTH - LEFT - RIGHT)

    def y(self, value):
        return HEIGHT - BOTTOM - value / self.y_most * (HEIGHT - TOP - BOTTOM)

    def axes(self):
        for most, horizontal in ((self.x_most, False), (self.y_most, True)):
            step, value = nice(most), 0.0
            while value <= most * 1.0001:
                if horizontal:
                    y = self.y(value)
                    self.parts.append(f'<path d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}" stroke="#ddd"/>'
                                      f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{value:g}</text>')
                else:
                    x = self.x(value)
                    self.parts.append(f'<path d="M{x:.1f} {TOP}V{HEIGHT - BOTTOM}" stroke="#ddd"/>'
                                      f'<text x="{x:.1f}" y="{HEIGHT - BOTTOM + 16}" text-anchor="middle">{value:g}</text>')
                value = round(value + step, 9)

    def line(self, name, points):
        """`points`: x, and all y that were measured there; the line goes through the medians, the bars to the outermost."""
        colour = COLOURS.get(name, "black")
        path = " ".join(f"{self.x(x):.1f},{self.y(median(ys)):.1f}" for x, ys in points)
        self.parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        for x, ys in points:
            self.parts.append(f'<path d="M{self.x(x):.1f} {self.y(min(ys)):.1f}V{self.y(max(ys)):.1f}" stroke="{colour}"/>'
                              f'<circle cx="{self.x(x):.1f}" cy="{self.y(median(ys)):.1f}" r="3" fill="{colour}"/>')
        self.label = max(self.y(median(points[-1][1])) + 4, self.label + 14)      # lines come from the highest to the lowest
        at = self.label
        self.parts.append(f'<text x="{WIDTH - RIGHT + 8}" y="{at:.1f}" fill="{colour}">{name}</text>')

    def write(self, path):
        path.write_text("\n".join(self.parts + ["</svg>", ""]))


def draw(path, title, x_name, y_name, series):
    x_most = max(x for points in series.values() for x, _ in points)
    y_most = max(max(ys) for points in series.values() for _, ys in points)
    plot = Plot(title, x_name, y_name, x_most, y_most)
    for name, points in sorted(series.items(), key=lambda item: -median(item[1][-1][1])):
        plot.line(name, points)
    plot.write(path)


def collect(lines, x, y):
    series = collections.defaultdict(lambda: collections.defaultdict(list))
    for line in lines:
        series[line["server"]][x(line)].append(y(line))
    return {name: sorted(points.items()) for name, points in series.items()}


def line_through(points):
    """Slope and height at 0 of the straight line through the medians, by least squares."""
    xs, ys = [x for x, _ in points], [median(v) for _, v in points]
    mx, my = sum(xs) / len(xs), sum(ys) / len(ys)
    slope = sum((x - mx) * (y - my) for x, y in zip(xs, ys)) / (sum((x - mx) ** 2 for x in xs) or 1)
    return slope, my - slope * mx


def last(lines, row):
    runs = [line["run"] for line in lines if line["row"] == row]
    return [line for line in lines if line["row"] == row and line["run"] == runs[-1]] if runs else []


def area(lines, what="cpu_ms"):
    return collect(last(lines, "area"), lambda line: int(line["scene"].split("-")[1]), lambda line: line[what] / line["frames"])


def displays(lines, what="cpu_ms"):
    """By what happens in a second of rest: CPU in seconds, or wake-ups. 100 pollers are of row 12."""
    many = [line for line in last(lines, 12) if not line["active"]] if last(lines, "displays") else []
    factor = 1 if what == "cpu_ms" else 1000
    series = collect(last(lines, "displays") + [dict(line, server="vfd polls") for line in many], lambda line: line["displays"],
                     lambda line: factor * line[what] / line["took_ms"])
    return {name: points for name, points in series.items() if len(points) > 1}


def draw_all(lines, folder):
    """Returns what was written."""
    drawn = []
    for series, name, title, x_name, y_name in (
            (area(lines), "bench-area.svg", "One frame of 1920x1080 to one viewer, lossless", "changed, % of the picture", "CPU ms"),
            (displays(lines), "bench-displays.svg", "Displays of 1920x1080 at rest, a viewer each", "displays", "cores")):
        if series:
            draw(folder / name, title, x_name, y_name, series)
            drawn.append(folder / name)
    return drawn


def main():
    lines = [json.loads(line) for line in open(sys.argv[1])]
    draw_all(lines, pathlib.Path(sys.argv[2] if len(sys.argv) > 2 else pathlib.Path(__file__).resolve().parents[2] / "docs"))


if __name__ == "__main__":
    main()
