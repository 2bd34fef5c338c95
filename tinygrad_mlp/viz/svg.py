"""A small SVG canvas: it escapes text, rounds numbers, and gives every picture a title and a description."""

import math
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from .labels import clean
from .theme import Style, Theme

FONT = "Arial, Helvetica, 'Liberation Sans', 'DejaVu Sans', sans-serif"
_DASHES = {"dotted": "1.5 3", "dashed": "6 3"}


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

    def group(self, kind: str, tip: str = "", key: str = "") -> Element:
        """Return a new group of class ``kind``, with a tooltip and an id if given."""
        group = self._child(self.root, "g", **{"class": kind} | ({"id": key} if key else {}))
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
    ) -> None:
        """Write ``text`` with its baseline at ``y``."""
        attributes = {"font-weight": weight} if weight != "normal" else {}
        place = {"x": _n(x), "y": _n(y), "text-anchor": anchor, "font-size": _n(size)}
        self._child(parent, "text", text=text, **place, fill=colour or self.theme.text, **attributes)

    def line(
        self,
        parent: Element,
        start: tuple[float, float],
        end: tuple[float, float],
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

    def circle(self, parent: Element, centre: tuple[float, float], radius: float, fill: str, stroke: str) -> None:
        """Draw a circle."""
        self._child(parent, "circle", cx=_n(centre[0]), cy=_n(centre[1]), r=_n(radius), fill=fill, stroke=stroke)

    def arrow(self, parent: Element, points: list[tuple[float, float]], down: bool) -> None:
        """Draw a smooth line through ``points`` with an arrowhead at the last; it runs downwards, or rightwards."""
        path = f"M{_n(points[0][0])},{_n(points[0][1])}"
        x, y = points[-1]
        tail = (x, y - 7) if down else (x - 7, y)
        for (x0, y0), (x1, y1) in zip(points[:-1], [*points[1:-1], tail], strict=True):
            a, b = ((x0, (y0 + y1) / 2), (x1, (y0 + y1) / 2)) if down else (((x0 + x1) / 2, y0), ((x0 + x1) / 2, y1))
            path += " C" + " ".join(f"{_n(u)},{_n(v)}" for u, v in (a, b, (x1, y1)))
        self._child(parent, "path", d=path, fill="none", stroke=self.theme.edge)
        sides = ((x - 3.5, y - 8), (x + 3.5, y - 8)) if down else ((x - 8, y - 3.5), (x - 8, y + 3.5))
        head = " ".join(f"{_n(u)},{_n(v)}" for u, v in ((x, y), *sides))
        self._child(parent, "polygon", points=head, fill=self.theme.edge)

    def shape(
        self, parent: Element, box: tuple[float, float, float, float], style: Style, dashed: bool = False
    ) -> None:
        """Draw the outline of a node in ``box`` (left, top, width, height)."""
        x, y, w, h = box
        look = {"fill": style.fill, "stroke": style.stroke, "stroke-width": _n(style.width)}
        dash = _DASHES.get("dashed" if dashed else style.dash, "")
        if dash:
            look["stroke-dasharray"] = dash
        if style.shape == "ellipse":
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


def _n(x: float) -> str:
    """Return a coordinate with two decimals at most, so that the same picture has the same bytes."""
    rounded = round(x, 2) + 0.0  # -0.0 becomes 0.0
    if not math.isfinite(rounded):
        raise ValueError(f"a coordinate is {x}")
    return f"{rounded:g}" if abs(rounded) < 1e5 else f"{rounded:.2f}"
