"""The flow of the gradient: local derivatives and contributions on the edges, and the sums where paths meet."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Unpack

from tinygrad_mlp.errors import UnsupportedError
from tinygrad_mlp.graph import Node
from tinygrad_mlp.paths import Flow
from tinygrad_mlp.viz.chain.lettering import Letters
from tinygrad_mlp.viz.chain.slopes import Slopes
from tinygrad_mlp.viz.chain.written import Writer
from tinygrad_mlp.viz.graphs.naming import Names
from tinygrad_mlp.viz.graphs.view import view
from tinygrad_mlp.viz.records import Drawing, Entry, GraphView
from tinygrad_mlp.viz.theme import Theme, find_theme

from .finished import Options, finished, split
from .painting import KEPT, kept

LETTERS = "rules: g is the gradient that arrives, y the operation's result, other letters its arguments in order"


def drawing(root: Any, *, seed: Any = None, **options: Unpack[Options]) -> Drawing:
    """Return the graph of ``root`` with its gradient, which is computed for the picture: no ``.grad`` is touched.

    Arrows point as the gradient flows. Between single numbers an edge tells the local derivative, and below it upstream
    × local = contribution; at arrays the rule in symbols and the norm of what it gives. Where several contributions
    meet, a node shows their sum.

    Args:
        root: The node whose gradient is drawn.
        seed: Its cotangent; needed where it has several elements.
        **options: As of ``view`` and ``finished``.

    Raises:
        GradientError: ``root`` has no gradient, or needs a seed.
        LayoutError: more than 2,500 nodes would have to be laid out.
        UnsupportedError: ``root`` is no node, or an unknown option.
    """
    if not isinstance(root, Node):
        raise UnsupportedError(f"draw: kind 'backward' takes one result, a tensor or Value, not {type(root).__name__}")
    seen, look = split(options)
    names = seen.get("names")
    seen["names"] = names = names if isinstance(names, Names) else Names(names)
    slopes = Slopes(Flow(root, seed), seen.get("precision", 4))
    members: list[Sequence[Any]] = []
    wires: list[Sequence[tuple[Any, int]]] = []
    graph = view(root, paint=kept(members), paint_edge=kept(wires), **seen)
    theme = find_theme(look.get("theme", "light"))
    return finished("backward", _painted(graph, members, wires, slopes, Letters(root, names), theme), **look)


def _painted(
    graph: GraphView,
    members: Sequence[Sequence[Any]],
    wires: Sequence[Sequence[tuple[Any, int]]],
    slopes: Slopes,
    called: Letters,
    theme: Theme,
) -> GraphView:
    """Return the graph with gradients; ``members`` and ``wires`` say what each record stands for."""
    alone = [xs[0] if len(xs) == 1 and isinstance(xs[0], Node) else None for xs in members]
    terms = slopes.arrivals(x for x in alone if x is not None)
    views, letters = called.lettered(graph.nodes, members)
    writer = Writer(called.among(x for x in alone if x is not None), slopes.precision)
    nodes = []
    for v, xs, x in zip(views, members, alone, strict=True):
        node = slopes.node(v, xs, terms[x] if x is not None else ())
        nodes.append(node if x is None or v.kind == "group" else replace(node, formula=writer.remark(x)))
    edges = [slopes.edge(e, ws, letters) for e, ws in zip(graph.edges, wires, strict=True)]
    notes = [note for note in graph.notes if KEPT not in note]
    if any(edge.flow is not None and edge.local is None and edge.count == 1 for edge in edges):
        notes.append(LETTERS)
    notes.append(slopes.remark(node for node in slopes.flow.order if node.op is None))
    legend = [Entry("the gradient flows along the arrows", "line", theme.edge)]
    legend += [Entry("positive contribution", "line", theme.positive)] * any(edge.sign > 0 for edge in edges)
    legend += [Entry("negative contribution", "line", theme.negative)] * any(edge.sign < 0 for edge in edges)
    return replace(
        graph, nodes=tuple(nodes), edges=tuple(edges), notes=tuple(filter(None, notes)), legend=tuple(legend)
    )
