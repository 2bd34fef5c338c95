"""A graph computed anew with one operation changed: what a formula gives that has another forward pass."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from tinygrad_mlp.backward import cotangents
from tinygrad_mlp.check.differences import Floats
from tinygrad_mlp.check.recording import plain
from tinygrad_mlp.check.subject import raw
from tinygrad_mlp.graph import GRADIENTS, NODES, recording, wrap

from .scenes import Graph, at

Place = tuple[Any, ...]
Twins = dict[Any, Any]  # of each node the one that stands for it
Step = Callable[[Twins], Any]  # what is computed in the place of a node


def activations(graph: Graph) -> Iterator[tuple[Place, Place]]:
    """Yield where activations are, and what they are functions of: one operation, or one that is spelled out."""
    where: dict[Any, Place] = {x: ("node", n) for n, x in enumerate(graph.order)}
    where |= {x: ("leaf", k) for k, x in enumerate(graph.leaves)}
    for top in graph.order:
        bottom = graph.operand(top)
        curved = top in graph.titles or not top.op.linear
        if curved and type(bottom) in NODES and bottom in where and bottom.shape == top.shape:
            yield where[top], where[bottom]


def without(graph: Graph, top: Place, bottom: Place) -> tuple[Any, Step]:
    """Return the change that leaves out what lies between two nodes."""
    x = at(graph, bottom)
    return at(graph, top), lambda twins: twins[x]


def axes(graph: Graph) -> Iterator[tuple[int, int]]:
    """Yield operations along an axis that keep the shape, and the other axes, by their numbers."""
    for n, node in enumerate(graph.order):
        own = node.params.get("axis")
        if type(own) is int and node.shape == node.inputs[0].shape:
            yield from ((n, axis) for axis in range(node.ndim) if axis != own % node.ndim)


def with_axis(graph: Graph, n: int, axis: int) -> tuple[Any, Step]:
    """Return the change that takes an operation along another axis."""
    node = graph.order[n]
    return node, lambda twins: node.op.apply(_operands(node, twins), {**node.params, "axis": axis})


def replayed(graph: Graph, change: tuple[Any, Step]) -> dict[int, Floats] | None:
    """Return uᵀ J of the function with one node computed otherwise, by the number of the input."""
    twins: Twins = {}
    for leaf in graph.leaves:
        twins[leaf] = wrap(plain(leaf) if type(leaf._payload) is float else np.array(plain(leaf)))
        twins[leaf].requires_grad = True
    with recording(GRADIENTS), np.errstate(all="ignore"):
        for node in graph.order:
            is_changed = node is change[0]
            twins[node] = change[1](twins) if is_changed else node.op.apply(_operands(node, twins), dict(node.params))
    found = {k: np.zeros(leaf.size) for k, leaf in enumerate(graph.leaves)}
    for y, u in graph.seeds:
        if twins[y].shape != y.shape:
            return None
        given = cotangents(twins[y], u, to=[twins[leaf] for leaf in graph.leaves])
        for k, leaf in enumerate(graph.leaves):
            if twins[leaf] in given:
                found[k] = found[k] + np.asarray(raw(given[twins[leaf]]), np.float64).reshape(-1)
    return found


def _operands(node: Any, twins: Twins) -> tuple[Any, ...]:
    return tuple(twins.get(x, plain(x)) if type(x) in NODES else plain(x) for x in node.inputs)
