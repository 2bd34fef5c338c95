"""What every format says of a graph in the same words: labels of edges, the legend, a summary."""

from collections import Counter
from collections.abc import Iterable

from tinygrad_mlp.viz.colours import contrast, ink
from tinygrad_mlp.viz.records import ClusterView, EdgeView, Entry, GraphView, Row
from tinygrad_mlp.viz.theme import Mark, Style, Theme

KINDS = {
    "input": "input",
    "parameter": "parameter",
    "constant": "constant",
    "op": "operation",
    "output": "output",
    "group": "several nodes in one",
}
_COUNTED = {"op": "operation"}
MARK = "mark"  # the sample of a legend's entry that shows a mark
DASHED = "dashed: no gradient"
LIT = "highlighted"
READABLE = 4.5  # the contrast that text wants


def edge_lines(edge: EdgeView) -> tuple[str, ...]:
    """Return what is written along an edge: its label, and how many edges it stands for.

    >>> edge_lines(EdgeView("n1", "n0", 0, ("3",), count=1200))
    ('3', '×1,200')
    """
    return (*edge.label, f"×{edge.count:,}") if edge.count > 1 else edge.label


def edge_colour(edge: EdgeView, theme: Theme) -> str:
    """Return the colour of an edge's line: of a highlighted path, else of the sign on it, else plain."""
    if edge.lit:
        return theme.lit
    return {1: theme.positive, -1: theme.negative}.get(edge.sign, theme.edge)


def edge_width(edge: EdgeView) -> float:
    """Return the width of an edge's line: more for one that stands for many."""
    return min(4.0, 1.0 + 0.4 * len(str(edge.count))) if edge.count > 1 else 1.0


def label_colour(edge: EdgeView, theme: Theme) -> str:
    """Return the colour of what is written along an edge."""
    return {1: theme.plus, -1: theme.minus}.get(edge.sign, theme.text)


def row_colour(row: Row, theme: Theme) -> str:
    """Return the colour of a row of a node's label, on the fill of its kind."""
    return {"plus": theme.plus, "minus": theme.minus}.get(row.tone, theme.faint)


def badge(row: Row, theme: Theme) -> Mark | None:
    """Return the colours of a row that says what is the matter: its word stands before a colon, if it has details."""
    return theme.mark(row.text.partition(":")[0]) if row.tone == "warn" else None


def readable(colour: str, fill: str) -> str:
    """Return ``colour``, or black or white where it could not be read on ``fill``."""
    return colour if contrast(colour, fill) >= READABLE else ink(fill)


def style_of(kind: str, theme: Theme) -> Style:
    """Return the style of a kind of node; one that the theme does not know looks like an operation."""
    return theme.nodes.get(kind, theme.nodes["op"])


def frames(graph: GraphView) -> list[ClusterView]:
    """Return the clusters that hold a node, directly or inside another, outer ones before inner ones."""
    parents = {cluster.key: cluster.parent for cluster in graph.clusters}
    held: set[str] = set()
    for node in graph.nodes:
        key = node.cluster
        while key in parents and key not in held:
            held.add(key)
            key = parents[key]
    return [cluster for cluster in graph.clusters if cluster.key in held]


def highlighted(graph: GraphView) -> bool:
    """Return whether anything is highlighted."""
    return any(node.lit for node in graph.nodes) or any(edge.lit for edge in graph.edges)


def legend(graph: GraphView, theme: Theme) -> list[Entry]:
    """Return the entries of the legend: kinds of nodes that occur, marks, the highlighted path, the graph's own."""
    kinds = {node.kind for node in graph.nodes}
    entries = [Entry(word, kind) for kind, word in KINDS.items() if kind in kinds]
    if any(node.dashed for node in graph.nodes):
        entries.append(Entry(DASHED))
    own = " ".join(entry.words for entry in graph.legend)
    marks = dict.fromkeys(node.mark for node in graph.nodes if node.mark)
    entries += [Entry(mark, MARK, theme.mark(mark).fill) for mark in marks if mark not in own]
    if highlighted(graph) and all(entry.colour != theme.lit for entry in graph.legend):
        entries.append(Entry(LIT, "line", theme.lit))
    return entries + list(graph.legend)


def describe(graph: GraphView) -> str:
    """Return a graph in one sentence, for whoever cannot see it.

    >>> from tinygrad_mlp.viz.records import NodeView
    >>> describe(GraphView((NodeView("n0", "op", op="exp"), NodeView("n1", "input")), (EdgeView("n1", "n0", 0),), 2))
    '2 nodes (1 input, 1 operation), 1 edge'
    """
    count = Counter(node.kind for node in graph.nodes)
    kinds = ", ".join(_many(count[kind], _COUNTED.get(kind, kind)) for kind in KINDS if count[kind])
    parts = [f"{_many(len(graph.nodes), 'node')} ({kinds})", _many(len(graph.edges), "edge")]
    boxes = [cluster.title for cluster in frames(graph)]
    if boxes:
        parts.append(f"{_many(len(boxes), 'frame')} ({_listed(boxes)})")
    lit = [node.title for node in graph.nodes if node.lit]
    if lit:
        parts.append(f"highlighted: {_listed(lit)}")
    marked = [f"{node.title} {node.mark}" for node in graph.nodes if node.mark]
    if marked:
        parts.append(f"marked: {_listed(marked)}")
    return ", ".join(parts)


def _many(count: int, word: str) -> str:
    return f"{count:,} {word}{'s' * (count != 1)}"


def _listed(words: Iterable[str], most: int = 8) -> str:
    words = list(words)
    more = [f"… {len(words) - most:,} more"] if len(words) > most else []
    return ", ".join([*words[:most], *more])
