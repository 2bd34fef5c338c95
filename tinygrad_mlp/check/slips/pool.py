"""The values of a graph, and those around a formula by hand, that may be taken for one another."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from tinygrad_mlp.check.differences import Floats
from tinygrad_mlp.check.recording import plain
from tinygrad_mlp.check.report import short
from tinygrad_mlp.graph import NODES

from .captured import captured, rates
from .scenes import Graph, Scene
from .slopes import units

Key = tuple[Any, ...]
Pooled = tuple[str, str, Floats]  # what a value is called, the slip of using it, and the value
Pool = dict[Key, Pooled]
SUMS = {"add", "subtract", "linear"}
STALE, OPERAND, BIAS, AXIS = "stale", "wrong operand", "forgotten bias", "wrong axis"
POOLED = 40  # values of one shape that are tried in the place of another


def line(x: Any) -> str:
    """Return the user's line of a node, as it is appended to a name."""
    return f" at {short(x.source)}" if type(x) in NODES and x.op is not None and x.source else ""


def added(graph: Graph, x: Any) -> bool:
    """Return whether an input is used in sums alone, as a bias is; matrices that are added to others are targets."""
    uses = [node for node in graph.order if any(x is operand for operand in node.inputs)]
    return bool(uses) and all(node.op.name in SUMS and not (x.ndim > 1 and x.shape == node.shape) for node in uses)


def places(graph: Graph) -> Iterator[tuple[Key, Any]]:
    """Yield the nodes and the inputs of a graph, each with where it is."""
    yield from ((("node", n), x) for n, x in enumerate(graph.order))
    yield from ((("leaf", k), x) for k, x in enumerate(graph.leaves))


def pool(scene: Scene) -> Pool:
    """Return the values that may be taken for another, by a key: what they are called, the slip, and the array."""
    if scene.pool is None:
        graph = scene.graph
        assert graph is not None
        units(graph)  # which gives names to what is spelled out
        found: Pool = {}
        for k, x in enumerate(graph.leaves):
            found["leaf", k] = graph.names[x], OPERAND, np.asarray(plain(x), np.float64)
        for n, node in enumerate(graph.order):
            found["node", n] = f"{graph.name(node)}{line(node)}", OPERAND, np.asarray(plain(node), np.float64)
            for i, x in enumerate(node.inputs):
                constant = type(x) not in NODES or (x.op is None and x not in graph.names)
                value = np.asarray(plain(x)) if constant else np.zeros(0)
                if value.ndim and value.size and value.dtype.kind == "f":
                    name = graph.variable(x) or f"operand {i} of {node.op.name}{line(node)}"
                    found["constant", n, i] = name, OPERAND, value
            found |= _hidden(graph, n, node) | _along_other_axes(graph, n, node)
        found |= _without_biases(graph) | _stale(scene, graph)
        scene.pool = found
    return scene.pool


def _hidden(graph: Graph, n: int, node: Any) -> Pool:
    """Return what an operation computes inside: a softmax or a sigmoid, and the targets that labels stand for."""
    if node.op.name not in ("softmax_cross_entropy", "log_softmax", "logsumexp", "softplus", "log_sigmoid"):
        return {}
    z, name = np.asarray(plain(node.inputs[0]), np.float64), graph.name(node.inputs[0])
    with np.errstate(all="ignore"):
        if node.op.name in ("softplus", "log_sigmoid"):
            return {("sigmoid", n): (f"the sigmoid of {name}", OPERAND, 1 / (1 + np.exp(-z)))}
        e = np.exp(z - np.max(z, axis=-1, keepdims=True)) if z.ndim else np.ones(())
        found: Pool = {("softmax", n): (f"the softmax of {name}", OPERAND, e / np.sum(e, axis=-1, keepdims=True))}
    labels = [np.asarray(plain(x)) for x in node.inputs[1:]]
    if labels and labels[0].dtype.kind in "iu" and z.ndim and labels[0].shape == z.shape[:-1]:
        found["one-hot", n] = "the targets", OPERAND, np.eye(z.shape[-1])[labels[0]]
    return found


def _along_other_axes(graph: Graph, n: int, node: Any) -> Pool:
    """Return the softmax that an operation computes, taken over each of the other axes."""
    if graph.titles.get(node, ("",))[0] == "the softmax":
        x, own = graph.titles[node][1], -1
    elif node.op.name in ("softmax", "log_softmax", "softmax_cross_entropy"):
        x, own = node.inputs[0], node.params.get("axis", -1)
    else:
        return {}
    z, found = np.asarray(plain(x), np.float64), dict[Key, Pooled]()
    for axis in set(range(z.ndim)) - ({own % z.ndim} if z.ndim and type(own) is int else set()):
        with np.errstate(all="ignore"):
            e = np.exp(z - np.max(z, axis=axis, keepdims=True))
            value = e / np.sum(e, axis=axis, keepdims=True)
        found["softmax", n, axis] = f"the softmax of {graph.name(x)} over axis {axis}", AXIS, value
    return found


def _without_biases(graph: Graph) -> Pool:
    """Return what the nodes are where an input that is added is left out."""
    found: Pool = {}
    for k, x in enumerate(graph.leaves):
        if added(graph, x):
            values = graph.recording.run({x: 0.0 if type(x._payload) is float else np.zeros_like(x._payload)})
            for n, node in enumerate(graph.order):
                if node in values:
                    name = f"{graph.name(node)}{line(node)} without {graph.names[x]}"
                    found["without", k, n] = name, BIAS, np.asarray(values[node], np.float64)
    return found


def _stale(scene: Scene, graph: Graph) -> Pool:
    """Return the arrays that the formula reads beside its arguments, and the values of the nodes at those arrays."""
    found: Pool = {}
    for name, arrays in captured(scene.hand.by_hand).items():
        for q, value in enumerate(arrays):
            found["captured", name, q] = name if len(arrays) == 1 else f"part {q} of {name}", STALE, value
        given = {}
        left = list(arrays)
        for x in graph.leaves:
            same = [a for a in left if a.shape == x.shape]
            if same:
                given[x] = float(same[0]) if type(x._payload) is float else same[0]
                left = [a for a in left if a is not same[0]]
        values = graph.recording.run(given) if given else {}
        for n, node in enumerate(graph.order):
            if node in values:
                found["replayed", name, n] = (
                    f"{graph.name(node)} at {name}",
                    STALE,
                    np.asarray(values[node], np.float64),
                )
    for rate in rates(scene.hand.by_hand):
        for k, g in scene.given.items():
            shape, leaf = graph.leaves[k].shape, graph.names[graph.leaves[k]]
            for sign in (1.0, -1.0):
                updated = np.asarray(plain(graph.leaves[k])) + sign * rate * g.reshape(shape)
                found["updated", rate, sign, k] = f"{leaf} after its own update, by {sign * rate:g},", STALE, updated
    return found


def alike(values: Pool, own: Any) -> list[tuple[Key, Pooled]]:
    """Return the values of the same shape that differ."""
    shape = np.shape(own)
    found = [(key, x) for key, x in values.items() if x[2].shape == shape and not np.array_equal(x[2], own)]
    return found[:POOLED]
