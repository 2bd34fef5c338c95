"""Which operations are taken apart: those that are asked for, or all if they fit the budget."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tinygrad_mlp.errors import LayoutError, UnsupportedError
from tinygrad_mlp.graph import NODES, Node
from tinygrad_mlp.ops import linear, matmul
from tinygrad_mlp.viz.graphs.naming import Names
from tinygrad_mlp.viz.graphs.view import LIMIT
from tinygrad_mlp.viz.graphs.walk import Walk
from tinygrad_mlp.viz.labels import argument, clean, shorten

from .trial import Trial, is_single, try_out

Wanted = None | str | Node | Iterable[str | Node]


@dataclass
class Choice:
    """What is taken apart, and what not.

    Attributes:
        apart: the nodes that are, each with its trial.
        refused: nodes that cannot be, with the reasons.
        large: nodes for which there is no room.
        extra: how many nodes the picture has more, at most.
        remedy: what takes some of ``large`` apart.
        enough: how many nodes there are with all of ``large`` taken apart, at most; 0 where that is not known.
    """

    apart: dict[Node, Trial] = field(default_factory=dict)
    refused: dict[Node, str] = field(default_factory=dict)
    large: list[Node] = field(default_factory=list)
    extra: int = 0
    remedy: str = ""
    enough: int = 0
    _elements: dict[int, int] = field(default_factory=dict)  # of operands that stay whole, and of constants, by id

    def add(self, node: Node, trial: Trial) -> None:
        """Take a node apart: beside what stands for it then there are the elements of its operands."""
        self.apart[node] = trial
        self.extra += trial.count - 1 - self._elements.pop(id(node), 0)
        for x in node.inputs:
            data = getattr(x, "_payload", x)
            if np.ndim(data) and id(x) not in self._elements and not (type(x) in NODES and x in self.apart):
                self._elements[id(x)] = int(np.size(data))
                self.extra += int(np.size(data))


def choose(graph: Walk, wanted: Wanted, names: Names, budget: int | None, force: bool) -> Choice:
    """Return which nodes of a graph are taken apart.

    Args:
        graph: the walk over the graph.
        wanted: None for all tensors if the budget has room for that, and none of them otherwise; or nodes, or names of
            nodes, operations or modules, which are taken apart whatever the budget.
        names: what nodes are called.
        budget: how many nodes the picture may have; None for any number.
        force: whether it may have more than 2,500.

    Raises:
        LayoutError: there would be more than 2,500 nodes.
        UnsupportedError: no operation has a name that is wanted.
    """
    found = [x for x in graph.found if type(x) in NODES and x.op is not None]
    room = LIMIT if not force else None
    if wanted is not None:
        return _apart(graph, _named(found, wanted, names), names, room)
    tensors = [x for x in found if not is_single(x)]
    try:
        choice = _apart(graph, tensors, names, room)
    except LayoutError:
        if budget is None:
            raise
        large = [x for x in tensors if x.requires_grad]
        remedies = _opening(graph, found, large, names, room), "fewer samples, such as X[:1], make room for all"
        return Choice(large=large, remedy="; ".join(filter(None, remedies)))
    total, large = len(graph.found) + choice.extra, list(choice.apart)
    if budget is None or total <= budget or not large:
        return choice
    return Choice(refused=choice.refused, large=large, remedy=_opening(graph, found, large, names, room), enough=total)


def _apart(graph: Walk, candidates: list[Any], names: Names, limit: int | None) -> Choice:
    """Return what becomes of candidates that are taken apart.

    Raises:
        LayoutError: there would be more nodes than ``limit``.
    """
    choice, total = Choice(), len(graph.found)
    for node in candidates:
        if not node.requires_grad:
            choice.refused[node] = "no gradient flows through it"
            continue
        full = limit is not None and (_least(node) > limit or total + choice.extra >= limit)
        trial = Trial(count=max(_least(node), 2)) if full else try_out(node)
        if trial.refusal:
            choice.refused[node] = trial.refusal
            continue
        choice.add(node, trial)
        if limit is not None and total + choice.extra > limit:
            raise _too_large(node, names, total + choice.extra)
    return choice


def _opening(graph: Walk, found: list[Any], large: list[Any], names: Names, limit: int | None) -> str:
    """Return which name given as ``expand=`` takes something apart, the first for which there is room; or nothing."""
    for name in dict.fromkeys(names.of(x) or x.op.name for x in large):
        try:
            count = len(_apart(graph, _named(found, name, names), names, limit).apart)
        except LayoutError:
            continue
        if count:
            return f"expand={name!r} takes {'one' if count == 1 else count} apart"
    return ""


def _named(found: list[Any], wanted: Any, names: Names) -> list[Any]:
    """Return the nodes that are asked for, in the order of the graph."""
    given = [wanted] if isinstance(wanted, str | Node) or not isinstance(wanted, Iterable) else list(wanted)
    chosen, operations = set(), set(found)
    for one in given:
        if isinstance(one, str):
            matches = [x for x in found if one in (names.of(x), x.op.name) or _lies_in(x, one)]
            if not matches:
                known = dict.fromkeys(shorten(clean(names.of(x) or x.op.name)) for x in found)
                called, listed = shorten(argument(one)), ", ".join(list(known)[:12])
                raise UnsupportedError(f"draw: expand={called}: no operation has this name; there are {listed}")
            chosen.update(matches)
        elif isinstance(one, Node) and one in operations:
            chosen.add(one)
        else:
            what = f"a {type(one).__name__} that is no operation of this graph"
            raise UnsupportedError(f"draw: expand= has {what}; pass the result of an operation, or its name")
    return [x for x in found if x in chosen]


def _lies_in(node: Node, path: str) -> bool:
    """Return whether a node was made in the module with the given dotted name."""
    scope = node.scope
    while scope is not None:
        if scope.path == path:
            return True
        scope = scope.outer
    return False


def _least(node: Node) -> int:
    """Return a number of nodes that taking ``node`` apart makes or touches at least."""
    size = node.size
    if node.op in (matmul, linear):
        return 2 * size * int(np.shape(node.inputs[0])[-1])
    return max([size, *(int(np.size(getattr(x, "_payload", x))) for x in node.inputs if x is not None)])


def _too_large(node: Node, names: Names, total: int) -> LayoutError:
    name = shorten(clean(names.of(node) or node.op.name))
    return LayoutError(
        f"draw: with {name!r} of shape {tuple(node.shape)} taken apart there would be about {total:,} nodes "
        f"(limit {LIMIT:,}); take fewer samples, such as X[:1], or pass force=True"
    )
