"""Every number on its own: Values, and tensors taken apart into their elements."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from tinygrad_mlp.errors import UnsupportedError
from tinygrad_mlp.graph import NODES, Node
from tinygrad_mlp.ops import affine
from tinygrad_mlp.viz.chain.lettering import DIGITS, Letters
from tinygrad_mlp.viz.chain.written import Writer
from tinygrad_mlp.viz.graphs.naming import Names
from tinygrad_mlp.viz.graphs.view import BUDGET, view
from tinygrad_mlp.viz.labels import number, shorten
from tinygrad_mlp.viz.records import Drawing, EdgeView, GraphView, NodeView
from tinygrad_mlp.viz.unfolding.building import Unfolded, unfold, whole
from tinygrad_mlp.viz.unfolding.choosing import Wanted
from tinygrad_mlp.viz.unfolding.gathering import elements

from .finished import finished, split
from .painting import kept

OTHER_GRAD = "gradients of inner nodes are of this graph alone; .grad of a leaf holds more, or another"


def drawing(root: Any, *, expand: Wanted = None, **options: Any) -> Drawing:
    """Return the graph of ``root`` in single numbers: values and gradients, formulas and local derivatives on hover.

    A tensor operation is taken apart into the operations of its numbers, where that leaves its values and gradients
    as they are; another one stays whole, and a note says why. Elements are called ``W₁₂`` or ``W[0, 11]``.

    Args:
        root: A result; it and its graph stay as they are.
        expand: What to take apart. None: all tensors if ``budget`` has room for their numbers, otherwise none. Or what
            is given and nothing else: the result of an operation, the name of one, of a kind of operation or of a
            module, or several of these; ``()`` is none. ``"affine"`` takes the sums of scalar neurons apart.
        **options: As of ``view`` and ``finished``. ``budget`` grows by what is taken apart on demand.

    Raises:
        LayoutError: more than 2,500 nodes would have to be laid out.
        UnsupportedError: ``root`` is no node, no operation has a name of ``expand``, or an unknown option.
    """
    if not isinstance(root, Node):
        raise UnsupportedError(f"draw: kind 'scalar' takes one result, a tensor or Value, not {type(root).__name__}")
    given, look = split(options)  # type: ignore[arg-type]
    seen: dict[str, Any] = {**given}
    names = Names(seen.pop("names", None)) if not isinstance(seen.get("names"), Names) else seen.pop("names")
    budget = seen.pop("budget", BUDGET)
    made = unfold(root, expand, names=names, budget=budget, force=seen.get("force", False))
    if expand is not None and budget is not None:
        budget += made.choice.extra
    members: list[Sequence[Any]] = []
    wires: list[Sequence[tuple[Any, int]]] = []
    graph = view(made.root, names=names, budget=budget, paint=kept(members), paint_edge=kept(wires), **seen)
    graph = _painted(graph, members, wires, made, Letters(made.root, names), seen.get("precision", 4))
    remarks = [*whole(made, names), *_remarks(made, members)]
    return finished("scalar", replace(graph, notes=(*graph.notes, *remarks)), **look)


def _painted(
    graph: GraphView,
    members: Sequence[Sequence[Any]],
    wires: Sequence[Sequence[tuple[Any, int]]],
    made: Unfolded,
    called: Letters,
    precision: int,
) -> GraphView:
    """Return the records with names for all numbers, formulas and local derivatives."""
    views, letters = called.lettered(graph.nodes, members)
    alone = {xs[0]: v for v, xs in zip(views, members, strict=True) if len(xs) == 1 and type(xs[0]) in NODES}
    writer = Writer({id(x): v.name for x, v in alone.items()}, precision)
    nodes = [_node(v, xs[0], made, writer) if len(xs) == 1 else v for v, xs in zip(views, members, strict=True)]
    edges = []
    for edge, (wire, *more) in zip(graph.edges, wires, strict=True):
        if not more:
            slope = alone[wire[0]].slope if wire[0] in alone else None
            edge = _edge(edge, edge.local, slope, letters, precision)
        edges.append(edge)
    return replace(graph, nodes=tuple(nodes), edges=tuple(edges))


def _node(v: NodeView, x: Any, made: Unfolded, writer: Writer) -> NodeView:
    if type(x) not in NODES:
        return v
    if x in made.constants:
        return replace(v, kind="constant")
    if x.op is None or v.kind == "group":
        return v
    return replace(v, formula=writer.equation(x), params="" if x.op is elements else v.params)


def _edge(
    edge: EdgeView, local: float | None, slope: float | None, letters: dict[str, str], precision: int
) -> EdgeView:
    if local is None:
        return edge
    target, source = (letters.get(key) or key for key in (edge.target, edge.source))
    flow = None if slope is None else slope * local
    return replace(edge, local=local, flow=flow, tip=f"∂{target}/∂{source} = {number(local, precision)}")


def _remarks(made: Unfolded, members: Sequence[Sequence[Any]]) -> list[str]:
    shown = [x for xs in members for x in xs if type(x) in NODES]
    remarks = _subscripts(made, shown)
    if made.choice.enough:
        remarks.append(f"budget={made.choice.enough} takes all apart")
    if any(x.op is affine for x in shown):
        remarks.append("w·x+b is one node for a neuron's sum: expand='affine' shows its products")
    if made.others:
        remarks.append(OTHER_GRAD)
    return remarks


def _subscripts(made: Unfolded, shown: Sequence[Node]) -> list[str]:
    """Return what a name such as ``W₁₂`` means, by an example with as many indices as there are."""
    found = [x for x in shown if x.op is None and x.name and x.name[-1] in DIGITS and x in made.stands_for]
    if not found:
        return []
    x = max(found, key=lambda x: made.stands_for[x].ndim)
    origin = made.stands_for[x]
    pairs = zip(np.ndindex(origin.shape), made.cells[origin].flat, strict=True)
    index = next(index for index, cell in pairs if cell is x)
    python = ", ".join(map(str, index))
    letter = shorten(x.name[: -len(index)], 60)
    return [f"subscripts count from 1: {shorten(x.name, 60)} is {letter}[{python}]"] if index else []
