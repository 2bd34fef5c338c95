"""A graph as SVG by the library's own layout: the same labels, colours and shapes as through Graphviz."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from math import sqrt
from xml.etree.ElementTree import Element

from tinygrad_mlp.viz.colours import mix
from tinygrad_mlp.viz.labels import width
from tinygrad_mlp.viz.records import ClusterView, EdgeView, GraphView, NodeView
from tinygrad_mlp.viz.svg import Box, Canvas, Line
from tinygrad_mlp.viz.theme import Theme

from .caption import LINE, TITLE, Caption
from .layout import Enclosure, Layout, Point, arrange
from .words import (
    badge,
    describe,
    edge_colour,
    edge_lines,
    edge_width,
    frames,
    label_colour,
    readable,
    row_colour,
    style_of,
)

ROW = 13.0  # from line to line
PAD = 10.0
MARGIN = 18.0
RING = 6.0  # what the double outline of the output, or the cards behind a group, take
HEADER = 24.0  # the title of a frame
LIT = 3.0  # the width of a highlighted line


def svg(graph: GraphView, theme: Theme, title: str = "", rankdir: str = "TB") -> str:
    """Return the SVG of a graph; ``rankdir`` is TB (inputs on top) or LR (inputs on the left).

    Nodes, edges and frames are groups of the classes node, edge and cluster, whose ids are their keys.
    """
    plan = _plan(graph, theme, rankdir == "TB")
    wide, high = plan.size
    caption = Caption(graph, theme, title, wide)
    full = 2 * MARGIN + max(wide, caption.width)
    plan.shift = ((full - wide) / 2, MARGIN)
    tall = MARGIN + high + caption.height + MARGIN / 2
    canvas = Canvas(full, tall, theme, title or "computational graph", describe(graph))
    routes = [_touching(plan, edge, route) for edge, route in zip(plan.edges, plan.layout.routes, strict=True)]
    lines = routes if plan.down else []
    for cluster, box in zip(plan.clusters, plan.layout.boxes, strict=True):
        if box:
            _draw_cluster(canvas, cluster, plan.box(box), plan.deep[cluster.key], lines)
    drawn = list(zip(plan.edges, routes, plan.layout.labels, strict=True))
    for edge, route, spot in sorted(drawn, key=lambda item: item[0].lit):  # highlighted ones lie on top
        _draw_edge(canvas, edge, route, spot and plan.place(spot), plan.down)
    places = {node.key: plan.place(centre) for node, centre in zip(graph.nodes, plan.layout.centres, strict=True)}
    for node, size in zip(graph.nodes, plan.sizes, strict=True):
        _draw_node(canvas, node, size, places[node.key])
    breadths = {node.key: size[0] for node, size in zip(graph.nodes, plan.sizes, strict=True)}
    for edge in graph.edges:
        if edge.source == edge.target:
            x, y = places[edge.source]
            canvas.loop(_edge_group(canvas, edge), (x + breadths[edge.source] / 2, y), _line(edge, theme))
    caption.draw(canvas, MARGIN, MARGIN + high)
    return canvas.source()


@dataclass
class _Plan:
    """Where everything goes: a layout is turned if the graph runs to the right."""

    down: bool
    sizes: list[Point]
    edges: list[EdgeView]
    clusters: list[ClusterView]
    deep: dict[str, int]
    ellipses: dict[str, Box]  # of the nodes of that shape: their boxes in the layout
    layout: Layout
    shift: Point = (0.0, 0.0)

    @property
    def size(self) -> Point:
        """The width and the height of the graph."""
        return (self.layout.breadth, self.layout.depth) if self.down else (self.layout.depth, self.layout.breadth)

    def place(self, point: Point) -> Point:
        """Return a point of the layout in the picture."""
        x, y = point if self.down else point[::-1]
        return (x + self.shift[0], y + self.shift[1])

    def box(self, box: Box) -> Box:
        """Return a box of the layout in the picture."""
        return (*self.place(box[:2]), *(box[2:] if self.down else (box[3], box[2])))


def _plan(graph: GraphView, theme: Theme, down: bool) -> _Plan:
    index = {node.key: i for i, node in enumerate(graph.nodes)}
    edges = sorted((e for e in graph.edges if e.source != e.target), key=lambda e: (index[e.target], e.slot))
    clusters = frames(graph)
    number = {cluster.key: i for i, cluster in enumerate(clusters)}
    deep: dict[str, int] = {}
    for cluster in clusters:
        deep[cluster.key] = deep.get(cluster.parent, 0) + 1
    sizes = [_node_size(node) for node in graph.nodes]
    labels = [_label_size(edge) for edge in edges]
    layout = arrange(
        [_turned(size, down) for size in sizes],
        [(index[e.source], index[e.target]) for e in edges],
        [size and _turned(size, down) for size in labels],
        [_enclosure(cluster, number.get(cluster.parent, -1), down) for cluster in clusters],
        [number.get(node.cluster, -1) for node in graph.nodes],
    )
    ellipses = {
        node.key: (*layout.centres[i], *_turned(sizes[i], down))
        for i, node in enumerate(graph.nodes)
        if style_of(node.kind, theme).shape == "ellipse"
    }
    return _Plan(down, sizes, edges, clusters, deep, ellipses, layout)


def _touching(plan: _Plan, edge: EdgeView, route: list[Point]) -> list[Point]:
    """Return the route of an edge in the picture; one from an ellipse begins on it, not on the box around it."""
    if edge.source in plan.ellipses:
        x, y, wide, high = plan.ellipses[edge.source]
        across, along = route[0]
        rim = high / 2 * sqrt(max(0.0, 1 - (2 * (across - x) / wide) ** 2))
        route = [(across, y + (rim if along > y else -rim)), *route[1:]]
    return [plan.place(point) for point in route]


def _turned(size: Point, down: bool) -> Point:
    return size if down else size[::-1]


def _enclosure(cluster: ClusterView, parent: int, down: bool) -> Enclosure:
    before, after, least = (PAD, HEADER), (PAD, PAD), (width(cluster.title, LINE) * 1.05 + 2 * PAD, 0.0)
    return Enclosure(parent, _turned(before, down), after, _turned(least, down))


def _node_size(node: NodeView) -> Point:
    """Return the width and height of a node's box."""
    rows = node.rows
    broad = max([1.05 * width(node.title, TITLE), *(width(row.text, LINE) + 12 * (row.tone == "warn") for row in rows)])
    extra = 1.25 if node.kind == "constant" else 1.0  # an ellipse must hold the text's corners
    ring = RING if node.kind in ("output", "group") else 0.0
    return max(36.0, broad * extra + 2 * PAD) + ring, (TITLE + 4 + ROW * len(rows) + 12) * extra + ring


def _label_size(edge: EdgeView) -> Point | None:
    lines = edge_lines(edge)
    return (max(width(line, LINE) for line in lines) + 10, ROW * len(lines) + 4) if lines else None


def _draw_cluster(canvas: Canvas, cluster: ClusterView, box: Box, deep: int, lines: Sequence[Sequence[Point]]) -> None:
    """Draw a frame, with its title where none of the ``lines``, which run downwards, crosses it if possible."""
    theme = canvas.theme
    parent = {"parent": cluster.parent} if cluster.parent else {}
    group = canvas.group("cluster", cluster.title, cluster.key, **parent)
    canvas.panel(group, box, mix(theme.background, theme.faint, min(0.05 * deep, 0.2)), theme.faint, 6.0)
    long = width(cluster.title, LINE) * 1.05
    left, free, y = box[0] + PAD, box[2] - 2 * PAD - long, box[1] + 15
    crossed = [x for line in lines for x in _crossings(line, y - LINE / 2)]
    starts = [left, left + free, left + free / 2]
    start = next((x for x in starts if not any(x - 4 < line < x + long + 4 for line in crossed)), left)
    canvas.text(group, start, y, cluster.title, LINE, "start", "bold", theme.faint, "title")


def _crossings(line: Sequence[Point], y: float) -> list[float]:
    """Return where a line, drawn downwards as a curve through its points, meets the height ``y``."""
    found = []
    for start, end in pairwise(line):
        if start[1] <= y <= end[1] and start[1] < end[1]:
            t = (y - start[1]) / (end[1] - start[1])
            found.append(start[0] + (end[0] - start[0]) * t * t * (3 - 2 * t))
    return found


def _draw_edge(canvas: Canvas, edge: EdgeView, route: list[Point], spot: Point | None, down: bool) -> None:
    theme = canvas.theme
    group = _edge_group(canvas, edge)
    canvas.arrow(group, route, down, _line(edge, theme), edge.backward)
    size = _label_size(edge)
    if spot and size:
        left, top = spot[0] - size[0] / 2, spot[1] - size[1] / 2
        canvas.panel(group, (left, top, *size), theme.background, theme.lit if edge.lit else "none")
        colour = readable(label_colour(edge, theme), theme.background)
        for i, line in enumerate(edge_lines(edge)):
            weight = "bold" if edge.lit else "normal"
            canvas.text(group, spot[0], top + 12 + ROW * i, line, LINE, "middle", weight, colour, "label")


def _edge_group(canvas: Canvas, edge: EdgeView) -> Element:
    ends = {"source": edge.source, "target": edge.target, "slot": str(edge.slot)}
    return canvas.group("edge lit" if edge.lit else "edge", edge.title, edge.key, **ends)


def _line(edge: EdgeView, theme: Theme) -> Line:
    """Return how an edge looks: wider if it is highlighted, or stands for several."""
    return Line(edge_colour(edge, theme), LIT if edge.lit else edge_width(edge))


def _draw_node(canvas: Canvas, node: NodeView, size: Point, centre: Point) -> None:
    theme, style = canvas.theme, style_of(node.kind, canvas.theme)
    if node.fill:
        style = replace(style, fill=node.fill)
    if node.lit:
        style = replace(style, stroke=theme.lit, width=LIT)
    kind = f"node {node.kind}" + " lit" * node.lit
    group = canvas.group(kind, node.tip, node.key, **({"cluster": node.cluster} if node.cluster else {}))
    wide, high = (length - (RING if node.kind in ("output", "group") else 0.0) for length in size)
    box = (centre[0] - wide / 2, centre[1] - high / 2, wide, high)
    if node.kind == "group":  # a second card behind the first, which touches the edges below it
        style, centre = replace(style, double=False), (centre[0] - RING / 2, centre[1] + RING / 2)
        canvas.shape(group, (box[0] + RING / 2, box[1] - RING / 2, wide, high), style, node.dashed)
        box = (box[0] - RING / 2, box[1] + RING / 2, wide, high)
    canvas.shape(group, box, style, node.dashed)
    _write(canvas, group, node, centre, style.fill)


def _write(canvas: Canvas, group: Element, node: NodeView, centre: Point, fill: str) -> None:
    """Write the label of a node: a bold title, smaller rows, and what is the matter in a badge."""
    theme, rows = canvas.theme, node.rows
    y = centre[1] - (ROW * len(rows)) / 2 + TITLE * 0.35
    weight = "bold" if node.kind != "constant" else "normal"
    canvas.text(group, centre[0], y, node.title, TITLE, "middle", weight, readable(theme.text, fill), "title")
    for row in rows:
        y += ROW
        colour, kind = readable(row_colour(row, theme), fill), f"row {row.role}".strip()
        mark = badge(row, theme)
        if mark:
            long = width(row.text, LINE) + 10
            canvas.panel(group, (centre[0] - long / 2, y - 9.5, long, 12.5), mark.fill, mark.text, 6.0)
            colour = mark.text
        canvas.text(group, centre[0], y, row.text, LINE, "middle", "normal", colour, kind)
