"""An op graph as SVG by the library's own layout: the same labels, colours and shapes as through Graphviz."""

from tinygrad_mlp.viz.labels import width
from tinygrad_mlp.viz.records import GraphView, NodeView, Row
from tinygrad_mlp.viz.svg import Canvas
from tinygrad_mlp.viz.theme import Theme

from .layout import Point, arrange

TITLE, LINE, PAD = 12.0, 10.0, 10.0
MARGIN = 18.0
RING = 6.0  # what the double outline of the output takes
KINDS = {
    "input": "input",
    "parameter": "parameter",
    "constant": "constant",
    "op": "operation",
    "output": "output",
}


def svg(graph: GraphView, theme: Theme, title: str = "", rankdir: str = "TB") -> str:
    """Return the SVG of a graph; ``rankdir`` is TB (inputs on top) or LR (inputs on the left)."""
    down = rankdir == "TB"
    sizes = [_size(node) for node in graph.nodes]
    index = {node.key: i for i, node in enumerate(graph.nodes)}
    ordered = sorted(graph.edges, key=lambda e: (index[e.target], e.slot))
    pairs = [(index[e.source], index[e.target]) for e in ordered]
    layout = arrange(sizes if down else [(h, w) for w, h in sizes], pairs)
    legend = [kind for kind in KINDS if any(node.kind == kind for node in graph.nodes)]
    dashed = any(node.dashed for node in graph.nodes)
    wide, high = (layout.breadth, layout.depth) if down else (layout.depth, layout.breadth)
    texts = [width(note, LINE) for note in graph.notes] + [1.05 * width(title, TITLE)]
    full = 2 * MARGIN + max([wide, _legend_width(legend, dashed), *texts])
    bottom = MARGIN + high + 22
    tall = bottom + (20 if title else 0) + 22 + 15 * len(graph.notes) + MARGIN / 2
    canvas = Canvas(full, tall, theme, title or "computational graph", f"{len(graph.nodes)} nodes")
    shift = (MARGIN + (full - 2 * MARGIN - wide) / 2, MARGIN)
    for edge, route in zip(ordered, layout.routes, strict=True):
        group = canvas.group("edge", edge.title)
        canvas.arrow(group, [_place(p, shift, down) for p in route], down)
    for node, size, centre in zip(graph.nodes, sizes, layout.centres, strict=True):
        _draw_node(canvas, node, size, _place(centre, shift, down))
    if title:
        canvas.text(canvas.root, MARGIN, bottom + 13, title, TITLE, "start", "bold")
        bottom += 20
    _draw_legend(canvas, legend, dashed, bottom)
    for i, note in enumerate(graph.notes):
        canvas.text(canvas.root, MARGIN, bottom + 33 + 15 * i, note, LINE, "start", colour=theme.faint)
    return canvas.source()


def _place(point: Point, shift: Point, down: bool) -> Point:
    across, along = point
    return (across + shift[0], along + shift[1]) if down else (along + shift[0], across + shift[1])


def _size(node: NodeView) -> Point:
    """Return the width and height of a node's box."""
    rows = node.rows
    broad = max([1.05 * width(node.title, TITLE), *(width(row.text, LINE) for row in rows)])
    extra = 1.25 if node.kind == "constant" else 1.0  # an ellipse must hold the text's corners
    ring = RING if node.kind == "output" else 0.0
    return max(36.0, broad * extra + 2 * PAD) + ring, (TITLE + 4 + 13.0 * len(rows) + 12) * extra + ring


def _draw_node(canvas: Canvas, node: NodeView, size: Point, centre: Point) -> None:
    theme = canvas.theme
    group = canvas.group(f"node {node.kind}", node.tip, node.key)
    wide, high = (length - (RING if node.kind == "output" else 0.0) for length in size)
    canvas.shape(group, (centre[0] - wide / 2, centre[1] - high / 2, wide, high), theme.nodes[node.kind], node.dashed)
    rows = node.rows
    y = centre[1] - (13.0 * len(rows)) / 2 + TITLE * 0.35
    canvas.text(group, centre[0], y, node.title, TITLE, weight="bold" if node.kind != "constant" else "normal")
    for row in rows:
        y += 13.0
        canvas.text(group, centre[0], y, row.text, LINE, colour=tone(row, theme))


def tone(row: Row, theme: Theme) -> str:
    """Return the colour of a row."""
    return {"plus": theme.plus, "minus": theme.minus, "warn": theme.minus}.get(row.tone, theme.faint)


def _legend_width(kinds: list[str], dashed: bool) -> float:
    words = [KINDS[kind] for kind in kinds] + ["dashed: no gradient"] * dashed
    return sum(width(word, LINE) + 46 for word in words)


def _draw_legend(canvas: Canvas, kinds: list[str], dashed: bool, top: float) -> None:
    group = canvas.group("legend", "legend")
    x = MARGIN
    for kind in kinds:
        canvas.shape(group, (x + 3, top + 3, 20, 13), canvas.theme.nodes[kind])
        canvas.text(group, x + 30, top + 13, KINDS[kind], LINE, "start", colour=canvas.theme.faint)
        x += width(KINDS[kind], LINE) + 46
    if dashed:
        canvas.text(group, x, top + 13, "dashed: no gradient", LINE, "start", colour=canvas.theme.faint)
