"""A small SVG canvas: it escapes text, rounds numbers, and gives every picture a title and a description."""

import math
from itertools import pairwise
from typing import NamedTuple
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from .labels import clean
from .theme import Style, Theme

FONT = "Arial, Helvetica, 'Liberation Sans', 'DejaVu Sans', sans-serif"
HEAD = 7.0  # the length of an arrowhead
_DASHES = {"dotted": "1.5 3", "dashed": "6 3"}

Point = tuple[float, float]
Box = tuple[float, float, float, float]  # left, top, width, height


class Line(NamedTuple):
    """How a line looks."""

    colour: str
    width: float = 1.0


class Canvas:
    """An SVG being drawn; coordinates are in pixels, y grows downwards."""

    def __init__(self, width: float, height: float, theme: Theme, title: str, description: str = "") -> None:
        """Start an SVG of the given size with the theme's background."""
        self.theme = theme
        size = {"width": _n(width), "height": _n(height), "viewBox": f"0 0 {_n(width)} {_n(height)}"}
        self.root = Element("svg", {"xmlns": "http://www.w3.org/2000/svg", "role": "img", "font-family": FONT} | size)
        self._child(self.root, "title", text=title)
        if description:
            self._child(self.root, "desc", text=description)
        self._child(self.root, "rect", width="100%", height="100%", fill=theme.background)

    def group(self, kind: str, tip: str = "", key: str = "", **data: str) -> Element:
        """Return a new group of class ``kind``, with a tooltip and an id if given, and ``data-`` attributes."""
        extra = ({"id": key} if key else {}) | {f"data-{name}": value for name, value in data.items()}
        group = self._child(self.root, "g", **{"class": kind} | extra)
        if tip:
            self._child(group, "title", text=tip)
        return group

    def text(
        self,
        parent: Element,
        x: float,
        y: float,
        text: str,
        size: float = 12,
        anchor: str = "middle",
        weight: str = "normal",
        colour: str = "",
        kind: str = "",
    ) -> None:
        """Write ``text`` with its baseline at ``y``; ``kind`` is its class."""
        attributes = ({"class": kind} if kind else {}) | ({"font-weight": weight} if weight != "normal" else {})
        place = {"x": _n(x), "y": _n(y), "text-anchor": anchor, "font-size": _n(size)}
        self._child(parent, "text", text=text, **place, fill=colour or self.theme.text, **attributes)

    def line(
        self,
        parent: Element,
        start: Point,
        end: Point,
        colour: str,
        width: float = 1.0,
        dash: str = "",
        tip: str = "",
    ) -> None:
        """Draw a straight line, with a tooltip if given."""
        ends = {"x1": _n(start[0]), "y1": _n(start[1]), "x2": _n(end[0]), "y2": _n(end[1])}
        attributes = {"stroke-dasharray": dash} if dash else {}
        line = self._child(parent, "line", **ends, stroke=colour, **{"stroke-width": _n(width)}, **attributes)
        if tip:
            self._child(line, "title", text=tip)

    def circle(self, parent: Element, centre: Point, radius: float, fill: str, stroke: str) -> None:
        """Draw a circle."""
        self._child(parent, "circle", cx=_n(centre[0]), cy=_n(centre[1]), r=_n(radius), fill=fill, stroke=stroke)

    def arrow(self, parent: Element, points: list[Point], down: bool, line: Line, backward: bool = False) -> None:
        """Draw a smooth line through ``points``, whose curves leave and arrive downwards, or rightwards.

        The arrowhead is at the last point, or at the first if ``backward``.
        """
        tip, inner = (points[0], points[1]) if backward else (points[-1], points[-2])
        along = 1 if down else 0
        step = 1.0 if tip[along] >= inner[along] else -1.0
        long = HEAD + line.width
        neck = _moved(tip, 0.0, -step * (long - 1), down)
        points = [neck, *points[1:]] if backward else [*points[:-1], neck]
        look = {"stroke": line.colour} | ({"stroke-width": _n(line.width)} if line.width != 1.0 else {})
        self._child(parent, "path", d=_curve(points, down), fill="none", **look)
        half = HEAD / 2 + line.width / 2 - 0.5
        corners = (tip, *(_moved(tip, side, -step * long, down) for side in (-half, half)))
        self._child(parent, "polygon", points=" ".join(_xy(corner) for corner in corners), fill=line.colour)

    def loop(self, parent: Element, start: Point, line: Line) -> None:
        """Draw an arrow that leaves the right side of a node at ``start`` and comes back to it, below."""
        x, y = start
        path = f"M{_xy((x, y - 6))} C{_xy((x + 17, y - 14))} {_xy((x + 17, y + 14))} {_xy((x + HEAD, y + 6))}"
        look = {"stroke": line.colour, "stroke-width": _n(line.width)}
        self._child(parent, "path", d=path, fill="none", **look)
        corners = ((x, y + 6), (x + HEAD + 1, y + 2.5), (x + HEAD + 1, y + 9.5))
        self._child(parent, "polygon", points=" ".join(_xy(corner) for corner in corners), fill=line.colour)

    def panel(self, parent: Element, box: Box, fill: str, stroke: str = "none", radius: float = 4.0) -> None:
        """Draw a plain box with rounded corners: a frame, a badge, or the ground behind a label."""
        x, y, w, h = box
        place = {"x": _n(x), "y": _n(y), "width": _n(w), "height": _n(h), "rx": _n(radius)}
        self._child(parent, "rect", **place, fill=fill, stroke=stroke)

    def shape(self, parent: Element, box: Box, style: Style, dashed: bool = False) -> None:
        """Draw the outline of a node in ``box`` (left, top, width, height)."""
        x, y, w, h = box
        look = {"fill": style.fill, "stroke": style.stroke, "stroke-width": _n(style.width)}
        dash = _DASHES.get("dashed" if dashed else style.dash, "")
        if dash:
            look["stroke-dasharray"] = dash
        if style.shape == "circle":
            self._child(parent, "circle", cx=_n(x + w / 2), cy=_n(y + h / 2), r=_n(w / 2), **look)
        elif style.shape == "ellipse":
            self._child(parent, "ellipse", cx=_n(x + w / 2), cy=_n(y + h / 2), rx=_n(w / 2), ry=_n(h / 2), **look)
        elif style.shape == "note":
            fold = f"M{_n(x)},{_n(y)} h{_n(w - 8)} l8,8 v{_n(h - 8)} h{_n(-w)} Z m{_n(w - 8)},0 v8 h8"
            self._child(parent, "path", d=fold, **look)
        else:
            radius = {"rx": "7"} if style.shape == "rounded" else {}
            place = {"x": _n(x), "y": _n(y), "width": _n(w), "height": _n(h)}
            self._child(parent, "rect", **place, **radius, **look)
        if style.double:
            outer = {"x": _n(x - 3), "y": _n(y - 3), "width": _n(w + 6), "height": _n(h + 6), "rx": "10"}
            self._child(parent, "rect", **outer, fill="none", stroke=style.stroke)

    def source(self) -> str:
        """Return the SVG as text."""
        indent(self.root)
        return tostring(self.root, encoding="unicode") + "\n"

    @staticmethod
    def _child(parent: Element, tag: str, text: str | None = None, **attributes: str) -> Element:
        child = SubElement(parent, tag, attributes)
        if text is not None:
            child.text = clean(text)
        return child


def _moved(point: Point, across: float, along: float, down: bool) -> Point:
    return (point[0] + across, point[1] + along) if down else (point[0] + along, point[1] + across)


def _xy(point: Point) -> str:
    return f"{_n(point[0])},{_n(point[1])}"


def _curve(points: list[Point], down: bool) -> str:
    """Return the path through ``points``: straight where it goes straight on, else an S whose ends go straight on."""
    path = f"M{_xy(points[0])}"
    across = 0 if down else 1
    for start, end in pairwise(points):
        if start[across] == end[across]:
            path += f" L{_xy(end)}"
        else:
            middle = (start[1 - across] + end[1 - across]) / 2
            bends = [(p[0], middle) if down else (middle, p[1]) for p in (start, end)]
            path += " C" + " ".join(_xy(p) for p in (*bends, end))
    return path


def _n(x: float) -> str:
    """Return a coordinate with two decimals at most, so that the same picture has the same bytes."""
    rounded = round(x, 2) + 0.0  # -0.0 becomes 0.0
    if not math.isfinite(rounded):
        raise ValueError(f"a coordinate is {x}")
    return f"{rounded:g}" if abs(rounded) < 1e5 else f"{rounded:.2f}"
