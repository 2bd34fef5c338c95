"""Backward passes with one slip in them: each gives, over the graph of a function, the numbers of a wrong derivation.

A slip in one place changes what one operation hands to one operand, and what depends on it below: the true gradient
plus what that change contributes. A value that is wrong wherever it is read is put in its node's place for one pass.
"""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from tinygrad_mlp.backward import contributions
from tinygrad_mlp.check.differences import Floats
from tinygrad_mlp.check.recording import plain
from tinygrad_mlp.graph import NODES, Node

from . import residuals
from .pool import AXIS, BIAS, STALE, Key, added, alike, line, places, pool
from .replays import activations, axes, replayed, with_axis, without
from .scenes import Graph, Scene, at, elsewhere
from .slopes import Unit, is_softmax, misplaced, numbers, softmax_variants, units, variants

Result = dict[int, Floats]  # uᵀ J by the number of the input
Change = tuple[Any, Floats]  # the node whose cotangent changes, and by how much
PRODUCTS = {"multiply", "divide", "matmul", "linear", "dot", "inner", "outer", "contraction", "tensordot", "vecdot"}


class Recipe(NamedTuple):
    """A slip, and what it gives in a scene: a change in one place, or all gradients; None where it cannot be made.

    The less plausible it is, the higher its rank.
    """

    rank: float
    kind: str
    text: str
    make: Callable[[Scene], Change | Result | None]


def recipes(scene: Scene) -> list[Recipe]:
    """Return the slips that can be made in the graph of a scene, the plainest first."""
    if scene.graph is None:
        return []
    parts = (
        _of_slopes, _of_missing_factors, _of_inputs, _of_values, _of_softmax, _of_residuals, _of_operands, _of_terms,
        _of_extra_factors, _of_samples, _of_activations, _of_axes, _of_shifts,
    )  # fmt: skip
    return sorted((recipe for part in parts for recipe in part(scene, scene.graph)), key=lambda recipe: recipe.rank)


# -------------------------------------------------------------------------------------------------------------- slopes


def _of_slopes(_: Scene, graph: Graph) -> Iterator[Recipe]:
    """Yield wrong slopes of units."""
    for n, unit in enumerate(units(graph)):
        name, rank = unit.name + line(at(graph, unit.top)), (50.0 if unit.slope else 70.0) + n / 100
        for v, (kind, text, _slope) in enumerate(variants(unit)):
            plain_slip = kind in ("missing factor", "h for 1 − h")
            yield Recipe(rank + (0 if plain_slip else 5), kind, text.format(name), partial(_with_slope, unit, v))
        text = f"the slope of {name} is taken at its result h, not at its operand a"
        yield Recipe(rank + 3, "slope at the wrong place", text, partial(_with_slope, unit, None))


def _with_slope(unit: Unit, v: int | None, scene: Scene) -> Change | None:
    graph = _graph(scene)
    h, a, s = numbers(graph, unit)
    wrong = misplaced(graph, unit) if v is None else variants(unit)[v][2](h, a, s)
    if wrong is None:
        return None
    return at(graph, unit.bottom), graph.cotangents[at(graph, unit.top)] * (wrong - s)


def _of_softmax(_: Scene, graph: Graph) -> Iterator[Recipe]:
    """Yield wrong Jacobians of softmax operations."""
    for n, node in enumerate(graph.order):
        if node.op.name == "softmax" and is_softmax(node, node.inputs[0]):
            for v, (kind, text, _g) in enumerate(_softmaxes(graph, node)):
                yield Recipe(95, kind, text.format("the softmax" + line(node)), partial(_with_softmax, n, v))


def _softmaxes(graph: Graph, node: Any) -> list[tuple[str, str, Floats]]:
    y, z = (np.asarray(plain(x), np.float64) for x in (node, node.inputs[0]))
    return list(softmax_variants(y, z, graph.cotangents[node]))


def _with_softmax(n: int, v: int, scene: Scene) -> Change:
    graph = _graph(scene)
    node = graph.order[n]
    return node.inputs[0], _softmaxes(graph, node)[v][2] - graph.edges[node][0]


# ------------------------------------------------------------------------------------------------------- other operands


def _of_missing_factors(_: Scene, graph: Graph) -> Iterator[Recipe]:
    """Yield products one of whose factors is taken for 1."""
    for n, i, j in _reads(graph):
        node = graph.order[n]
        if j != i and node.op.name in PRODUCTS:
            text = f"the factor {graph.name(node.inputs[j])} of {node.op.name}{line(node)} is missing"
            yield Recipe(75, "missing factor", text, partial(_with_operand, n, i, j, None))


def _of_operands(scene: Scene, graph: Graph) -> Iterator[Recipe]:
    """Yield operations whose rule reads one value in place of another of the same shape."""
    known = pool(scene)
    for n, i, j in _reads(graph):
        node = graph.order[n]
        for key, (name, kind, _value) in alike(known, plain(node.inputs[j])):
            text = f"{_stands(graph, key, name, node.inputs[j])} in the derivative of {node.op.name}{line(node)}"
            yield Recipe(
                {STALE: 98, BIAS: 97, AXIS: 98}.get(kind, 100), kind, text, partial(_with_operand, n, i, j, key)
            )


def _stands(graph: Graph, key: Key, name: str, x: Any) -> str:
    """Return how to say that a value stands for ``x``."""
    what = graph.name(x) + line(x)
    if key[0] in ("node", "leaf") and type(x) in NODES and graph.operand(x) is at(graph, key):
        return f"the operand of {what}, {graph.name(at(graph, key))}, stands where its result belongs"
    return f"{name} for {what}"


def _reads(graph: Graph) -> Iterator[tuple[int, int, int]]:
    """Yield the numbers of nodes, of operands that want a gradient, and of operands that its rule may read."""
    for n, node in enumerate(graph.order):
        if not node.op.elementwise or len(node.inputs) > 1:
            for i in graph.edges.get(node, ()):
                for j, x in enumerate(node.inputs):
                    if np.asarray(plain(x)).dtype.kind == "f" and not (
                        node.op.linear or (j == i and _is_product(node))
                    ):
                        yield n, i, j


def _is_product(node: Any) -> bool:
    return node.op.name in PRODUCTS - {"divide"}


def _with_operand(n: int, i: int, j: int, key: Key | None, scene: Scene) -> Change | None:
    graph = _graph(scene)
    node = graph.order[n]
    value = np.ones(np.shape(plain(node.inputs[j]))) if key is None else pool(scene)[key][2]
    moved = elsewhere(node, i, graph.cotangents[node], {j: value})
    return None if moved is None else (node.inputs[i], moved - graph.edges[node][i])


# ------------------------------------------------------------------------------------------------------- other values


def _of_values(scene: Scene, graph: Graph) -> Iterator[Recipe]:
    """Yield values that stand in the place of another wherever the backward pass reads it."""
    known = pool(scene)
    for place, x in places(graph):
        for key, (name, kind, _value) in alike(known, plain(x)):
            what = graph.name(x) + line(x)
            stale = f"{what} is stale: {name} is used, not its value at these inputs"
            text = stale if kind == STALE else _stands(graph, key, name, x)
            yield Recipe({STALE: 90, BIAS: 85, AXIS: 98}.get(kind, 105), kind, text, partial(_with_value, place, key))


def _with_value(place: Any, key: Key, scene: Scene) -> Result:
    """Return the gradients of a backward pass in which everything reads another value where it should read a node's."""
    graph = _graph(scene)
    x, value = at(graph, place), pool(scene)[key][2]
    before = x._payload
    x._payload = float(value) if type(before) is float else np.asarray(value, before.dtype).reshape(before.shape)
    try:
        grads: dict[Node, Any] = {y: graph.cotangents[y] for y in graph.outputs if y in graph.cotangents}
        for node in reversed(graph.order):
            if node in grads:
                for operand, c in contributions(node, grads[node]):
                    grads[operand] = grads[operand] + c if operand in grads else c
    finally:
        x._payload = before
    return {k: np.asarray(grads[x], np.float64).reshape(-1) for k, x in enumerate(graph.leaves) if x in grads}


def _of_inputs(scene: Scene, graph: Graph) -> Iterator[Recipe]:
    """Yield inputs that were left out, as biases are, or taken from elsewhere, in the forward pass too."""
    for k, x in enumerate(graph.leaves):
        if added(graph, x):
            text = f"{graph.names[x]} is left out: the numbers are those with {graph.names[x]} = 0"
            yield Recipe(80, BIAS, text, partial(_with_input, k, None))
        for key, (name, kind, _value) in alike(pool(scene), plain(x)):
            if kind == STALE:
                text = f"{graph.names[x]} is stale: the numbers are those with {name}"
                yield Recipe(89, STALE, text, partial(_with_input, k, key))


def _with_input(k: int, key: Key | None, scene: Scene) -> Result:
    value = np.zeros_like(scene.values[k]) if key is None else pool(scene)[key][2].reshape(scene.values[k].shape)
    return scene.right_at([value if q == k else v for q, v in enumerate(scene.values)])


# --------------------------------------------------------------------------------------------- terms, factors, samples


def _of_residuals(scene: Scene, graph: Graph) -> Iterator[Recipe]:
    """Yield derivatives output minus target with another value for one of the two, or none."""
    for kind, text, *how in residuals.replacements(scene, graph):
        yield Recipe(94 if kind == "missing term" else 99, kind, text, partial(_with_residual, *how))


def _with_residual(place: Any, p: Key, q: Key, new_p: Key | None, new_q: Key | None, scene: Scene) -> Change | None:
    delta = residuals.changed(scene, _graph(scene), place, p, q, new_p, new_q)
    return None if delta is None else (at(_graph(scene), place), delta)


def _of_terms(_: Scene, graph: Graph) -> Iterator[Recipe]:
    """Yield paths of the chain rule that were left out, or have a wrong sign or factor."""
    for n, node in enumerate(graph.order):
        averaged = np.size(plain(node.inputs[0])) / max(1, np.size(plain(node))) if node.op.name == "mean" else 1.0
        for i in graph.edges.get(node, ()):
            operand = f"operand {i} of " if len(node.inputs) > 1 else ""
            for c, kind, words in (
                (0.0, "missing term", "the term through {0} is missing"),
                (-1.0, "sign", "the sign of the term through {0} is wrong"),
                (2.0, "constant factor", "the term through {0} is there twice"),
                (0.5, "constant factor", "a factor 2 is missing in the term through {0}"),
                (averaged, "sum for mean", "the mean in the term through {0} is taken for a sum"),
            ):
                if c != 1:
                    text = words.format(f"{operand}{node.op.name}{line(node)}")
                    yield Recipe(120 if c else 96, kind, text, partial(_with_term, n, i, c))


def _with_term(n: int, i: int, c: float, scene: Scene) -> Change:
    node = _graph(scene).order[n]
    return node.inputs[i], (c - 1) * np.asarray(_graph(scene).edges[node][i])


FACTORS: tuple[tuple[str, Callable[[Floats], Floats]], ...] = (
    ("{0}", lambda v: v),
    ("{0} (1 − {0})", lambda v: v * (1 - v)),
    ("1 − {0}²", lambda v: 1 - v * v),
    ("1 − {0}", lambda v: 1 - v),
)


def _of_extra_factors(scene: Scene, graph: Graph) -> Iterator[Recipe]:
    """Yield cotangents with a factor too many: a value, or a slope h (1 − h) or 1 − h²."""
    known = pool(scene)
    for place, x in places(graph):
        if x in graph.cotangents:
            values = {place: known[place], **dict(alike(known, plain(x)))}
            for key, (name, _kind, _value) in values.items():
                for form, (text, _factor) in enumerate(FACTORS):
                    where = f"in the derivative in {graph.name(x)}{line(x)}"
                    words = f"a factor {text.format(name)} too many, {where}"
                    yield Recipe(130, "extra factor", words, partial(_with_factor, place, key, form))


def _with_factor(place: Any, key: Key, form: int, scene: Scene) -> Change:
    x = at(_graph(scene), place)
    return x, _graph(scene).cotangents[x] * (FACTORS[form][1](pool(scene)[key][2]) - 1)


def _of_samples(_: Scene, graph: Graph) -> Iterator[Recipe]:
    """Yield operations through which only the first or the last sample is counted."""
    for n, node in enumerate(graph.order):
        g = graph.cotangents.get(node)
        if g is not None and np.ndim(g) > 1 and len(g) > 1:
            for i in graph.edges[node]:
                for row, word in ((-1, "last"), (0, "first")):
                    text = f"only the {word} sample is counted in the derivative of {node.op.name}{line(node)}"
                    yield Recipe(140, "not summed", text, partial(_with_sample, n, i, row))


def _with_sample(n: int, i: int, row: int, scene: Scene) -> Change | None:
    graph = _graph(scene)
    node = graph.order[n]
    alone = np.zeros_like(graph.cotangents[node])
    alone[row] = graph.cotangents[node][row]
    moved = elsewhere(node, i, alone, {})
    return None if moved is None else (node.inputs[i], moved - graph.edges[node][i])


# ------------------------------------------------------------------------------------------------- the forward pass too


def _of_activations(_: Scene, graph: Graph) -> Iterator[Recipe]:
    """Yield activations that were left out, in the forward pass too."""
    for top, bottom in activations(graph):
        h, a = at(graph, top), at(graph, bottom)
        text = f"{graph.name(h)}{line(h)} is left out: the numbers are those with its operand, {graph.name(a)}, for it"
        yield Recipe(96, "missing activation", text, partial(_with_replay, without, top, bottom))


def _of_axes(_: Scene, graph: Graph) -> Iterator[Recipe]:
    """Yield operations along another axis, in the forward pass too."""
    for n, axis in axes(graph):
        node = graph.order[n]
        text = f"{node.op.name}{line(node)} over axis {axis}, not over axis {node.params['axis']}"
        yield Recipe(97, AXIS, text, partial(_with_replay, with_axis, n, axis))


def _with_replay(change: Callable[..., Any], first: Any, second: Any, scene: Scene) -> Result | None:
    graph = _graph(scene)
    return replayed(graph, change(graph, first, second))


def _of_shifts(_: Scene, graph: Graph) -> Iterator[Recipe]:
    """Yield products one of whose factors is shifted by one along an axis."""
    for n, i, j in _reads(graph):
        node = graph.order[n]
        if j != i and _is_product(node):
            for axis, length in enumerate(np.shape(plain(node.inputs[j]))):
                for step in (1, -1) if length > 1 else ():
                    what = f"{graph.name(node.inputs[j])} is shifted by one along axis {axis}"
                    text = f"{what} in the derivative of {node.op.name}{line(node)}"
                    yield Recipe(135, "shifted", text, partial(_with_shift, n, i, j, step, axis))


def _with_shift(n: int, i: int, j: int, step: int, axis: int, scene: Scene) -> Change | None:
    graph = _graph(scene)
    node = graph.order[n]
    moved = elsewhere(node, i, graph.cotangents[node], {j: np.roll(plain(node.inputs[j]), step, axis)})
    return None if moved is None else (node.inputs[i], moved - graph.edges[node][i])


def _graph(scene: Scene) -> Graph:
    assert scene.graph is not None
    return scene.graph
