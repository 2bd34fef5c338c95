"""A plain chart as SVG: axes with round ticks, lines, points, bars and a legend; it needs no plotting library."""

import math
from collections.abc import Sequence
from typing import NamedTuple
from xml.etree.ElementTree import Element, SubElement

from tinygrad_mlp.viz.labels import number, width
from tinygrad_mlp.viz.svg import Canvas
from tinygrad_mlp.viz.theme import LIGHT

GRID = "#E3E3E3"
SIZE = 12.0
DASHES = ("", "7 4", "2 3", "9 3 2 3")

Point = tuple[float, float]
Entry = tuple[str, str, str]  # of a legend: a name, a colour, and a dash pattern, or ``mark 2`` for a point's form


class Span(NamedTuple):
    """The interval that an axis shows; ``whole`` if only whole numbers have a meaning on it."""

    low: float
    high: float
    whole: bool = False

    @classmethod
    def around(cls, values: Sequence[float], margin: float = 0.04) -> "Span":
        """Return an interval that holds all finite values with a margin, never empty."""
        finite = [v for v in values if math.isfinite(v)]
        low, high = min(finite, default=0.0), max(finite, default=1.0)
        room = (high - low) * margin or abs(high) * 0.1 or 1.0
        return cls(low - room, high + room)


Ticks = list[tuple[float, str]]


def ticks(span: Span, wanted: int = 6) -> Ticks:
    """Return round numbers in a span and how to write them: steps of 1, 2 or 5 times a power of ten.

    >>> ticks(Span(0.0, 1.0))
    [(0.0, '0.0'), (0.2, '0.2'), (0.4, '0.4'), (0.6, '0.6'), (0.8, '0.8'), (1.0, '1.0')]
    """
    rough = (span.high - span.low) / wanted
    power = math.floor(math.log10(rough))
    factor = next(factor for factor in (1, 2, 5, 10) if factor * 10.0**power >= rough * 0.999)
    step = factor * 10.0**power
    if span.whole and step < 1:
        step, power, factor = 1.0, 0, 1
    first, last = math.ceil(span.low / step - 1e-9), math.floor(span.high / step + 1e-9)
    decimals = max(0, -power - (factor == 10))
    comma = "," if max(abs(span.low), abs(span.high)) >= 10_000 else ""
    plain = decimals <= 6 and max(abs(span.low), abs(span.high)) < 1e9

    def written(value: float) -> str:
        return f"{value + 0.0:{comma}.{decimals}f}" if plain else number(value, 6)

    values = [round(k * step, decimals + 2) if plain else k * step for k in range(first, last + 1)]
    return [(value, written(value)) for value in values]


def decades(span: Span) -> Ticks:
    """Return the powers of ten in a span of decimal logarithms, at most about six of them.

    >>> decades(Span(-3.2, 0.4))
    [(-3.0, '0.001'), (-2.0, '0.01'), (-1.0, '0.1'), (0.0, '1')]
    """
    powers = range(math.ceil(span.low), math.floor(span.high) + 1)
    step = -(-len(powers) // 6) or 1
    return [(float(k), number(10.0**k)) for k in powers if k % step == 0]


class Frame:
    """A chart being drawn: data coordinates in, SVG out."""

    def __init__(
        self,
        title: str,
        description: str,
        x: Span,
        y: Span,
        xlabel: str,
        ylabel: str,
        *,
        legend: Sequence[Entry] = (),
        size: Point = (660.0, 360.0),
        logarithmic: bool = False,
    ) -> None:
        """Draw the axes; title and description are for readers who do not see the picture.

        Args:
            title: what the chart shows.
            description: the same in numbers.
            x: of the horizontal axis.
            y: of the vertical axis; if ``logarithmic``, of decimal logarithms.
            xlabel: what the horizontal axis counts.
            ylabel: what the vertical axis shows.
            legend: what its colours mean, written above.
            size: width and height in pixels.
            logarithmic: label the vertical axis with powers of ten.
        """
        self.x, self.y = x, y
        self.canvas = Canvas(*size, LIGHT, title, description)
        labels = decades(y) if logarithmic else ticks(y, 5)
        self.left = 34.0 + max((width(text, SIZE) for _, text in labels), default=0.0)
        self.right = size[0] - 16.0
        self.top, self.bottom = self._legend(legend), size[1] - 46.0
        axes = self.canvas.group("axes")
        for value, text in labels:
            self.canvas.line(axes, (self.left, self.py(value)), (self.right, self.py(value)), GRID)
            self.canvas.text(axes, self.left - 7, self.py(value) + 4, text, SIZE, "end")
        for value, text in self._across(x):
            self.canvas.line(axes, (self.px(value), self.top), (self.px(value), self.bottom), GRID)
            self.canvas.text(axes, self.px(value), self.bottom + 17, text, SIZE)
        corner = (self.left, self.bottom)
        self.canvas.line(axes, corner, (self.right, self.bottom), LIGHT.edge)
        self.canvas.line(axes, corner, (self.left, self.top), LIGHT.edge)
        self.canvas.text(axes, (self.left + self.right) / 2, size[1] - 10, xlabel, SIZE + 1)
        middle = (self.top + self.bottom) / 2
        self.canvas.text(axes, 14, middle, ylabel, SIZE + 1)
        axes[-1].set("transform", f"rotate(-90 14 {middle:g})")

    def _across(self, x: Span) -> Ticks:
        """Return as many ticks of the horizontal axis as have room."""
        for wanted in (6, 4, 3):
            found = ticks(x, wanted)
            if sum(width(text, SIZE) + 14 for _, text in found) < self.right - self.left:
                break
        return found

    def px(self, x: float) -> float:
        """Return the horizontal place of ``x`` in pixels."""
        return self.left + (x - self.x.low) / (self.x.high - self.x.low) * (self.right - self.left)

    def py(self, y: float) -> float:
        """Return the vertical place of ``y`` in pixels."""
        return self.bottom - (y - self.y.low) / (self.y.high - self.y.low) * (self.bottom - self.top)

    def group(self, kind: str, tip: str = "") -> Element:
        """Return a new group to draw into, with a tooltip if given."""
        return self.canvas.group(kind, tip)

    def line(self, points: Sequence[Point], colour: str, dash: str = "", tip: str = "") -> None:
        """Draw a line through points, with gaps where one is not finite."""
        group = self.canvas.group("line", tip)
        run: list[str] = []
        last = (math.nan, math.nan)
        for x, y in (*points, (math.nan, math.nan)):
            if math.isfinite(x) and math.isfinite(y):
                run.append(f"{self.px(x):.1f},{self.py(y):.1f}")
                last = (x, y)
                continue
            if len(run) == 1:  # a line of one point cannot be seen
                draw_mark(group, (self.px(last[0]), self.py(last[1])), 0, colour)
            elif run:
                look = {"fill": "none", "stroke": colour, "stroke-width": "2", "stroke-linejoin": "round"}
                SubElement(group, "polyline", {"points": " ".join(run), **look, **_dashed(dash)})
            run = []

    def rule(self, start: Point, end: Point, dash: str = "4 3") -> None:
        """Draw a thin grey line from one point to another."""
        first, last = ((self.px(x), self.py(y)) for x, y in (start, end))
        self.canvas.line(self.canvas.root, first, last, LIGHT.faint, dash=dash)

    def box(self, parent: Element, start: Point, end: Point, colour: str) -> None:
        """Fill a rectangle between two corners."""
        x0, x1 = sorted((self.px(start[0]), self.px(end[0])))
        y0, y1 = sorted((self.py(start[1]), self.py(end[1])))
        place = {"x": f"{x0:.2f}", "y": f"{y0:.2f}", "width": f"{x1 - x0:.2f}", "height": f"{y1 - y0:.2f}"}
        SubElement(parent, "rect", {"fill": colour, **place})

    def mark(self, parent: Element, at: Point, kind: int, colour: str, ring: bool = False) -> None:
        """Draw one data point; its form repeats what its colour says, and a ring singles it out."""
        draw_mark(parent, (self.px(at[0]), self.py(at[1])), kind, colour, ring)

    def _legend(self, entries: Sequence[Entry]) -> float:
        """Write the legend in as many lines as it needs, and return where the chart begins."""
        group, x, y = self.canvas.group("legend"), self.left, 16.0
        for name, colour, look in entries:
            mark = look.startswith("mark ")
            start = x + (18 if mark else 30)
            if start + width(name, SIZE) > self.right and x > self.left:
                start, x, y = start - x + self.left, self.left, y + 18
            if mark:
                draw_mark(group, (x + 8, y), int(look[5:]), colour)
            else:
                path = {"d": f"M{x:g},{y:g} h24", "stroke": colour, "stroke-width": "2", **_dashed(look)}
                SubElement(group, "path", path)
            self.canvas.text(group, start, y + 4, name, SIZE, "start")
            x = start + width(name, SIZE) + 20
        return y + 18

    def svg(self) -> str:
        """Return the chart as an SVG element."""
        return self.canvas.source()


def _star(arms: int, turned: bool) -> list[Point]:
    """Return the corners of a star."""
    offset = math.pi / 4 if turned else 0.0
    angles = [(k * math.pi / arms + offset, 1.5 if k % 2 == 0 else 0.55) for k in range(2 * arms)]
    return [(r * math.sin(a), -r * math.cos(a)) for a, r in angles]


FORMS: dict[str, list[Point]] = {  # corners, in units of the radius of a circle that looks as large
    "square": [(-1, -1), (1, -1), (1, 1), (-1, 1)],
    "diamond": [(0, -1.4), (1.4, 0), (0, 1.4), (-1.4, 0)],
    "triangle": [(0, -1.3), (1.2, 1), (-1.2, 1)],
    "cross": _star(4, turned=True),
    "plus": _star(4, turned=False),
    "down": [(0, 1.3), (1.2, -1), (-1.2, -1)],
    "star": _star(5, turned=False),
}


def draw_mark(parent: Element, centre: Point, kind: int, colour: str, ring: bool = False) -> None:
    """Draw a small form about ``centre`` in pixels."""
    (x, y), r = centre, 4.0
    form = ("circle", *FORMS)[kind % (1 + len(FORMS))]
    edge = {"stroke": "#1A1A1A", "stroke-width": "1.6"} if ring else {"stroke": "#FFFFFF", "stroke-width": "0.7"}
    if form == "circle":
        SubElement(parent, "circle", {"cx": f"{x:.1f}", "cy": f"{y:.1f}", "r": f"{r:g}", "fill": colour, **edge})
        return
    shape = " ".join(f"{x + r * u:.1f},{y + r * v:.1f}" for u, v in FORMS[form])
    SubElement(parent, "polygon", {"points": shape, "fill": colour, **edge})


def _dashed(dash: str) -> dict[str, str]:
    return {"stroke-dasharray": dash} if dash else {}
