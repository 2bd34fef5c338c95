"""A recorded graph as plain records: every picture of a graph reads these, none reads nodes."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypedDict

from tinygrad_mlp.errors import LayoutError
from tinygrad_mlp.graph import Node
from tinygrad_mlp.paths import local_derivatives
from tinygrad_mlp.viz.chain.written import Writer
from tinygrad_mlp.viz.labels import clean, shorten
from tinygrad_mlp.viz.records import ClusterView, EdgeView, GraphView, NodeView

from .describing import Describer, is_graded
from .frames import Frame
from .grouping import Grouping, group
from .naming import Names
from .walk import Walk, walk

BUDGET = 200
PARALLEL = 8  # edges between two nodes that are drawn side by side; more are one, with their number
LIMIT = 2_500  # layout time grows far faster than the graph: 2,908 nodes take seconds, 5,480 take minutes

Paint = Callable[[Sequence[Any]], Mapping[str, Any]]
PaintEdge = Callable[[Sequence[tuple[Any, int]]], Mapping[str, Any]]


class ViewOptions(TypedDict, total=False):
    """The options that every picture of a graph passes on to ``view``."""

    budget: int | None
    precision: int
    force: bool
    names: Any
    depth: int | None
    collapse: Iterable[str]
    expand: Iterable[str]
    gradients: Mapping[Any, Any] | None


def view(
    root: Node | Sequence[Node],
    *,
    budget: int | None = BUDGET,
    precision: int = 4,
    force: bool = False,
    names: Any = None,
    depth: int | None = None,
    collapse: Iterable[str] = (),
    expand: Iterable[str] = (),
    gradients: Mapping[Any, Any] | None = None,
    paint: Paint | None = None,
    paint_edge: PaintEdge | None = None,
) -> GraphView:
    """Return the records of a graph, ``budget`` nodes at most.

    A graph over the budget is folded: first modules are closed, then nodes that are computed alike become one with
    their count, and what is still too much is cut off, the farthest from the output first. All walks keep their own
    stacks, so any depth will do.

    Args:
        root: The result whose graph is wanted, or several.
        budget: How many nodes to show; None shows all.
        precision: Significant digits of every number.
        force: Allow more than 2,500 nodes.
        names: Names for nodes without one: a mapping such as ``locals()``, a module, or ``Names``.
        depth: How many frames of modules to open; None opens all.
        collapse: Dotted names of modules to close.
        expand: Dotted names of modules to open where they would be folded.
        gradients: Gradients of nodes to show; None shows what ``backward()`` has left on them.
        paint: From the nodes (and constants) that a record stands for to what it should have instead.
        paint_edge: From the edges ``(node, argument number)`` that a record stands for to what it should have instead.

    Raises:
        LayoutError: more than 2,500 nodes would have to be laid out, or a budget below 1.
        UnsupportedError: no module has a name of ``collapse`` or ``expand``.
    """
    if budget is not None and budget < 1:
        raise LayoutError(f"draw: budget={budget}: at least one node must be shown")
    graph = walk([root] if isinstance(root, Node) else root)
    names = names if isinstance(names, Names) else Names(names)
    groups = group(graph, names, budget, depth, collapse, expand)
    count = len(groups.members) if budget is None else min(budget, len(groups.members))
    if count > LIMIT and not force:
        raise LayoutError(
            f"draw: {count:,} nodes are too many to lay out (limit {LIMIT:,}); lower budget= to fold the far ones, "
            "or pass force=True"
        )
    graded = bool(gradients) or is_graded(graph.found)
    writer = Writer({id(x): names.of(x) for x in graph.found if names.of(x)}, precision)
    describer = Describer(precision, names, graded, gradients, writer)
    clusters, inside = _clusters(groups, count)
    folded = _folded(graph, groups, count)
    nodes = []
    for number in range(count):
        members = [graph.found[at] for at in groups.members[number]]
        node = _described(describer, groups, number, members, graph.outputs)
        node = replace(node, cluster=inside[number], folded=folded[number])
        nodes.append(replace(node, **paint(members)) if paint is not None else node)
    edges = _edges(graph, groups, count, paint_edge)
    return GraphView(tuple(nodes), edges, len(graph.found), _notes(nodes, graph, groups), clusters)


def _described(describer: Describer, groups: Grouping, number: int, members: Sequence[Any], outputs: int) -> NodeView:
    key, is_output = f"n{number}", groups.members[number][0] < outputs
    if number in groups.modules:
        return describer.module(key, members, groups.modules[number])
    if len(members) > 1:
        return describer.many(key, members, is_output)
    return describer.one(key, members[0], is_output)


def _folded(graph: Walk, groups: Grouping, count: int) -> list[int]:
    """Return for each shown node how many of its inputs are cut off."""
    folded = [0] * count
    if count < len(groups.members):
        for s, t, _ in graph.wires:
            if groups.of[t] < count <= groups.of[s]:
                folded[groups.of[t]] += 1
    return folded


def _edges(graph: Walk, groups: Grouping, count: int, paint: PaintEdge | None) -> tuple[EdgeView, ...]:
    """Return the edges between what is shown: all of single nodes, one for the many between folded ones."""
    bundles: dict[tuple[int, int, int], list[tuple[Any, int]]] = {}
    for s, t, slot in graph.wires:
        source, target = groups.of[s], groups.of[t]
        if source != target and source < count and target < count:
            single = len(groups.members[source]) == len(groups.members[target]) == 1
            bundles.setdefault((source, target, slot if single else 0), []).append((graph.found[t], slot))
    edges = []
    known: dict[int, dict[int, float]] = {}
    for (source, target, slot), wires in _bound(bundles).items():
        edge = EdgeView(f"n{source}", f"n{target}", slot, count=len(wires))
        if len(wires) == 1 and len(groups.members[target]) == 1:
            if target not in known:
                known[target] = _locals(wires[0][0])
            edge = replace(edge, local=known[target].get(slot))
        edges.append(replace(edge, **paint(wires)) if paint is not None else edge)
    return tuple(edges)


def _locals(node: Node) -> dict[int, float]:
    """Return the local derivatives of a node in its inputs, by their numbers, where both are single numbers."""
    try:
        return {slot: d for slot, _, d in local_derivatives(node)}
    except Exception:  # noqa: BLE001  (overwritten inputs, a rule of the user's that fails: nothing to be shown then)
        return {}


def _bound(bundles: dict[tuple[int, int, int], list[tuple[Any, int]]]) -> dict[tuple[int, int, int], list[Any]]:
    """Return the edges, those between two nodes as one where they are many: a stack of one number, a thousand times."""
    many = Counter((source, target) for source, target, _ in bundles)
    bound: dict[tuple[int, int, int], list[Any]] = {}
    for (source, target, slot), wires in bundles.items():
        alone = many[source, target] <= PARALLEL
        bound.setdefault((source, target, slot if alone else 0), []).extend(wires)
    return bound


def _clusters(groups: Grouping, count: int) -> tuple[tuple[ClusterView, ...], list[str]]:
    """Return the frames that hold what is shown, and for each shown node the key of the innermost."""
    around: list[Frame | None] = []
    for number in range(count):
        module = groups.modules.get(number)
        if groups.alike:
            around.append(None)
        elif module is not None:
            around.append(module.frames[0].outer)
        else:
            frame = groups.frames.of[groups.members[number][0]]
            around.append(frame if len(groups.members[number]) == 1 or frame is None else frame.outer)
    used: set[Frame] = set()
    for frame in around:
        while frame is not None and frame not in used:
            used.add(frame)
            frame = frame.outer
    keys: dict[Frame | None, str] = {None: ""}
    views: list[ClusterView] = []
    for frame in groups.frames.all():
        if frame in used:
            keys[frame] = f"c{len(views)}"
            views.append(ClusterView(keys[frame], shorten(clean(frame.title), 60), keys[frame.outer]))
    return tuple(views), [keys[frame] for frame in around]


def _notes(nodes: Sequence[NodeView], graph: Walk, groups: Grouping) -> tuple[str, ...]:
    notes, total, shown = [], len(graph.found), len(nodes)
    if groups.alike:
        notes.append(f"{total:,} nodes, those that are computed alike shown as one; budget={total} shows all")
    if shown < len(groups.members):
        what = f"{shown:,} of {len(groups.members):,} {'groups' if groups.alike else 'nodes'}"
        notes.append(f"{what}, the nearest to the output; budget={total} shows all")
    if groups.modules:
        path = next(iter(groups.modules.values())).frames[0].scope.path
        opens = f"expand={path!r} opens one" if path else "depth= opens them"
        notes.append(f"modules shown as one node: {opens}")
    graded = any(n.grad.startswith("grad ") for n in nodes)
    if graded and any(n.op and n.requires_grad and not n.grad for n in nodes):
        notes.append('gradients of inner nodes: backward(keep="all")')
    return tuple(notes)


__all__ = ["BUDGET", "LIMIT", "PARALLEL", "Names", "ViewOptions", "view"]
