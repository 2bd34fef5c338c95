"""What nodes are called in formulas: by name, or by one letter with a number that is the same in every picture."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from tinygrad_mlp.graph import NODES, Node
from tinygrad_mlp.paths import is_number
from tinygrad_mlp.viz.graphs.naming import Names
from tinygrad_mlp.viz.labels import clean, subscript
from tinygrad_mlp.viz.records import NodeView

ON_EDGES = 24  # characters of a name along an edge
IN_WORDS = 48  # in a sentence
DIGITS = "".join(map(subscript, range(10)))


class Letters:
    """What the nodes of one graph are called.

    A single number without a name is v₁, v₂ …, an array A₁, A₂ …, a constant array C₁, C₂ …, counted in the order of
    evaluation over the whole graph, whatever part of it a picture shows. A letter that is somebody's name is left out.

    Source: the numbers' names are those of A. Griewank and A. Walther, *Evaluating Derivatives*, 2nd ed., 2008, ch. 2.

    Args:
        root: The result.
        names: The names that are known.
    """

    def __init__(self, root: Node, names: Names) -> None:
        """Go through the graph once."""
        self.names = names
        self._found = list(_evaluated(root))  # keeps constants alive, so that their ids stay their own
        given = [names.of(x) for x in self._found]
        taken = {name for name in given if name and name[-1] in DIGITS}
        counts = dict.fromkeys("vAC", 0)
        self._letters: dict[int, tuple[str, int]] = {}
        for x, name in zip(self._found, given, strict=True):
            kind = "" if name else _kind(x)
            if kind:
                counts[kind] += 1
                while taken and kind + subscript(counts[kind]) in taken:
                    counts[kind] += 1
                self._letters[id(x)] = kind, counts[kind]

    def of(self, x: Any) -> str:
        """Return what a node or constant is called; empty where it needs no name, as a plain number does."""
        kind, number = self._letters.get(id(x), ("", 0))
        return kind + subscript(number) if kind else clean(self.names.of(x))

    def among(self, nodes: Iterable[Node]) -> dict[int, str]:
        """Return what nodes and their operands are called, by ``id``: the names in their formulas."""
        return {id(x): self.of(x) for node in nodes for x in (node, *node.inputs)}

    def lettered(
        self, views: Sequence[NodeView], members: Sequence[Sequence[Any]]
    ) -> tuple[list[NodeView], dict[str, str]]:
        """Return records with the names of what they stand for, and by their keys names that fit along an edge."""
        named, short = [], {}
        for view, xs in zip(views, members, strict=True):
            name = self.of(xs[0]) if len(xs) == 1 and view.kind != "group" else ""
            named.append(view if view.name or not name else replace(view, name=name))
            short[view.key] = abridged(name, ON_EDGES)
        return named, short


def abridged(name: str, limit: int) -> str:
    """Return a name, without its middle where it is longer than ``limit``: its end says most of a dotted one.

    >>> abridged("blocks.10.attention.query.weight", 24)
    'blocks.10.a…query.weight'
    """
    if len(name) <= limit:
        return name
    end = limit // 2
    return f"{name[: limit - 1 - end]}…{name[-end:]}"


def evaluation_order(root: Node) -> list[Node]:
    """Return the nodes that ``root`` depends on, each after its inputs, first arguments first."""
    return [x for x in _evaluated(root) if type(x) in NODES]


def _evaluated(root: Node) -> Iterator[Any]:
    """Yield nodes, each after its inputs, and constant arrays, first arguments first."""
    seen = {id(root)}
    stack: list[tuple[Node, Iterator[Any]]] = [(root, iter(root.inputs))]
    while stack:
        node, inputs = stack[-1]
        for x in inputs:
            if id(x) in seen or not (type(x) in NODES or hasattr(x, "shape")):
                continue
            seen.add(id(x))
            if type(x) in NODES:
                stack.append((x, iter(x.inputs)))
                break
            yield x
        else:
            yield node
            stack.pop()


def _kind(x: Any) -> str:
    """Return the letter for something without a name; none for what is written as the number that it is."""
    if type(x) not in NODES:
        return "C" if np.size(x) > 1 else ""
    if is_number(x):
        return "v" if x.requires_grad else ""
    return "A" if x.size > 1 else ""
