"""The gradient as a whole gone wrong: transposed, not summed, shifted, or times a factor, and what that factor is."""

import math
from collections import Counter
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import numpy as np

from tinygrad_mlp.check.differences import Floats
from tinygrad_mlp.check.foreign import as_numpy
from tinygrad_mlp.check.hand import Claim
from tinygrad_mlp.check.recording import plain
from tinygrad_mlp.check.reporting import number
from tinygrad_mlp.graph import NODES

from .captured import captured
from .scenes import Graph, Scene, shaped
from .slopes import ANY, SIGMOID, TANH

Whole = tuple[str, str, float, Floats, Floats]  # kind, text, rank, what a slip gives, and what the formula does
COMBINED = 40  # by so many ranks two slips are less plausible than one
PLAIN = {2.0: "2", 0.5: "½", 3.0: "3", 4.0: "4", 0.25: "¼", 1 / 3: "⅓", math.pi: "π", math.sqrt(2): "√2"}


def wholes(scene: Scene, k: int) -> Iterator[Whole]:
    """Yield what slips make of the gradient in input ``k``, beside what the formula gives."""
    if k not in scene.claims:
        return
    claim, leaf = scene.claims[k], scene.subject.leaves[k]
    if scene.weights is not None:
        if claim.reading:
            yield "", "", 0, scene.right[k], scene.given[k]
        return
    for true in shaped(scene.true[k], claim, scene.hand.outer, leaf.values.shape):
        yield from _reshaped(true, claim.given, scene.hand.outer)
        yield from _swapped(scene, k)
        if scene.graph is None:
            yield from _by_values(scene, true, claim, leaf.values.shape)
        elif len(scene.base) == 1:
            yield from _summed_otherwise(scene.graph, true, claim.given)


def _by_values(scene: Scene, true: Floats, claim: Claim, inner: tuple[int, ...]) -> Iterator[Whole]:
    """Yield the true derivative times and over an input; where its graph is not known, this much can be said."""
    if true.shape != inner:
        return
    if claim.reading == "slope of each element":
        y, x = scene.base.reshape(inner), scene.values[claim.k]
        known = SIGMOID if np.allclose(true, y * (1 - y)) else TANH if np.allclose(true, 1 - y * y) else ()
        for kind, text, slope in (*known, *ANY):
            yield kind, text.format("f"), 60, slope(y, x, true), claim.given
    for k, v in enumerate(scene.values):
        if v.shape == inner:
            name = scene.subject.leaves[k].name
            yield "extra factor", f"a factor {name} too many", 61, true * v, claim.given
            yield "missing factor", f"a factor {name} is missing", 61, true / v, claim.given


def _swapped(scene: Scene, k: int) -> Iterator[Whole]:
    """Yield the derivatives in other inputs, whose place this one may have taken."""
    given, names = scene.claims[k].given, [leaf.name for leaf in scene.subject.leaves]
    outer, leaves = scene.hand.outer, scene.subject.leaves
    for j, claim in scene.claims.items():
        if j != k:
            pairs = ((scene.true[j], leaves[j], given), (scene.true[k], leaves[k], claim.given))
            here, there = ((J.reshape(outer + x.values.shape).reshape(-1), g.reshape(-1)) for J, x, g in pairs)
            if there[0].shape == there[1].shape and np.allclose(*there, rtol=scene.close, atol=0):
                text = f"the derivatives of {names[min(j, k)]} and {names[max(j, k)]} are swapped"
                yield "swapped", text, 27, *here


def _summed_otherwise(graph: Graph, true: Floats, given: Floats) -> Iterator[Whole]:
    """Yield sums of the derivatives in values of the graph, over another axis than the one that gives the true one."""
    for node in graph.order:
        g: Any = graph.cotangents.get(node, 0.0)
        for axis in range(np.ndim(g)) if np.ndim(g) == true.ndim + 1 else ():
            if np.shape(right := np.sum(g, axis=axis)) == true.shape and np.allclose(right, true, rtol=1e-9, atol=0):
                for other in {*range(np.ndim(g))} - {axis}:
                    over = f"axis {other}, not over {'the batch, ' if axis == 0 else ''}axis {axis}"
                    yield "wrong axis", f"summed over {over}", 34, np.sum(g, axis=other), given


def _reshaped(true: Floats, given: Floats, outer: tuple[int, ...]) -> Iterator[Whole]:
    """Yield the true derivative and what becomes of it by a slip in its axes."""
    if true.shape == given.shape:
        yield "", "", 0, true, given
    if given.size == 1 < true.size and np.ptp(true) <= 1e-9 * np.max(np.abs(true)):
        text = f"one number for an array of shape {true.shape}: repeat it, np.full({_side(true.shape)}, …)"
        yield "shape", text, 29, np.full(given.shape, true.flat[0]), given
    for axes, text in _transpositions(true.ndim, len(outer)):
        yield "transposed", text, 30, np.transpose(true, axes), given
    if given.ndim == true.ndim + 1:
        for axis in range(given.ndim):
            if given.shape[:axis] + given.shape[axis + 1 :] == true.shape and given.shape[axis] > 1:
                what = f"axis {axis}, of length {given.shape[axis]},"
                text = f"the sum over {'the batch, ' if axis == 0 else ''}{what} is missing"
                yield "not summed", text, 31, true, given.sum(axis=axis)
    if given.size == true.size and given.shape != true.shape:
        text = f"the numbers are right, the shape is not: {given.shape} for {true.shape}"
        yield "shape", text, 32, true, given.reshape(true.shape)
    for axis in range(true.ndim):
        if true.shape[axis] == 1:
            continue
        kept = true.sum(axis=axis, keepdims=True)
        text = f"summed over axis {axis}, which should stay"
        for made in (kept, kept.squeeze(axis)):
            yield "summed too far", text, 33, made, given
        if given.shape == true.shape:
            text = f"summed over axis {axis}, and broadcast"
            yield "summed too far", text, 100, np.broadcast_to(kept, true.shape), given
        for step in (1, -1):
            text = f"shifted by one along axis {axis}: element i holds what belongs to i {'−' if step == 1 else '+'} 1"
            yield "shifted", text, 38, np.roll(true, step, axis), given


def _transpositions(ndim: int, outer: int) -> Iterator[tuple[list[int], str]]:
    """Yield orders of the axes that a formula may have confused."""
    axes = list(range(ndim))
    if ndim < 2:
        return
    yield axes[::-1], "transposed"
    if ndim > 2:
        yield [*axes[:-2], axes[-1], axes[-2]], "its last two axes are transposed"
        if 0 < outer < ndim:
            yield [*axes[outer:], *axes[:outer]], "the axes of the input come before those of the output: transposed"


# -------------------------------------------------------------------------------------------------------- the factors


def said(c: float, kind: str, text: str, rank: float, scene: Scene, confirmed: bool) -> tuple[float, str, str] | None:
    """Return the rank, kind and text of a change of the gradient that is multiplied by ``c``; None for no change."""
    close = 10 * scene.close
    if abs(c - 1) <= close:
        return (rank, kind, text) if kind else _slight(c, confirmed)
    if c == 0 or abs(c) < 1e-12:
        return None if kind else (10, "missing term", "the gradient is missing: all zeros")
    if abs(c + 1) <= close:
        return (rank + COMBINED, kind, f"{text}, and the sign") if kind else (10, "sign", "the sign is wrong")
    named = factor(c, scene, close)
    if kind:
        return None if named is None or not text else (rank + COMBINED, kind, f"{text}, and {named[1]}")
    if named is not None:
        return 20, *named
    size = f"{_fraction(c)} times what it should be"
    return (24, "constant factor", f"a constant factor: {size}") if confirmed else None


def _slight(c: float, confirmed: bool) -> tuple[float, str, str] | None:
    if c == 1 or not confirmed:
        return None
    return 26, "constant factor", f"a constant factor: {c:.12g} times what it should be"


def factor(c: float, scene: Scene, close: float) -> tuple[str, str] | None:
    """Return the kind of slip that a factor is, and what to say: it is a number, or a length or one over a length."""
    minus = ", and the sign is wrong" if c < 0 else ""
    a = abs(c)
    for value, word in PLAIN.items():
        if abs(a - value) <= close * value:
            inverse = next((w for v, w in PLAIN.items() if abs(v * value - 1) < 1e-12), f"1/{word}")
            text = f"a factor {inverse} is missing" if value < 1 else f"a factor {word} too many"
            return "constant factor", f"{_or_a_mean(a, scene, close)}{text}{minus}"
    for length, where in lengths(scene):
        if abs(a - length) <= close * length:
            return "sum for mean", f"{length} times too large: {where}: a sum stands where the mean is meant{minus}"
        if abs(a * length - 1) <= close:
            return "mean for sum", f"{length} times too small: {where}: a mean stands where the sum is meant{minus}"
    return None


def _or_a_mean(a: float, scene: Scene, close: float) -> str:
    """Return what else a factor may be that is a length too."""
    for length, where in lengths(scene):
        if abs(a - length) <= close * length:
            return f"{length} times too large: {where}, so a sum where the mean is meant, or "
        if abs(a * length - 1) <= close:
            return f"{length} times too small: {where}, so a mean where the sum is meant, or "
    return ""


def _fraction(c: float) -> str:
    """Return a number, as a fraction if it is one of small numbers.

    >>> _fraction(-2 / 3), _fraction(1.7)
    ('-2/3', '1.7')
    """
    near = Fraction(c).limit_denominator(9)
    return str(near) if abs(near) < 100 and abs(float(near) - c) <= 1e-7 * abs(c) else number(c)


def _side(shape: tuple[int, ...]) -> str:
    return str(shape[0] if len(shape) == 1 else shape)


def lengths(scene: Scene) -> list[tuple[int, str]]:
    """Return the lengths that a sum or a mean may run over, each with what it is: the batch first."""
    found: dict[int, str] = {}
    arrays: list[tuple[str, Any]] = []
    for nest, name in zip(scene.hand.nests, scene.hand.names, strict=True):
        arrays += [(name + path, as_numpy(x)) for x, path in zip(nest.leaves, nest.paths, strict=True)]
    order = [] if scene.graph is None else scene.graph.order
    constants = _constants(scene)
    arrays += constants
    rows = Counter(node.shape[0] for node in order if node.ndim > 1)
    N = rows.most_common(1)[0][0] if rows else next((len(x) for _, x in [*constants, *arrays] if x.ndim > 1), 0)
    where = next(
        (f", the length of axis 0 of {name}" for name, x in [*constants, *arrays] if x.ndim > 1 and len(x) == N), ""
    )
    found[N] = f"the batch size N = {N}{where}"
    for node in order:
        for i, x in enumerate(node.inputs):
            name = "" if type(x) in NODES else scene.graph.variable(x) if scene.graph else ""
            arrays.append((name or f"operand {i} of {node.op.name}", np.asarray(plain(x))))
    for name, x in arrays:
        for axis, length in enumerate(x.shape):
            found.setdefault(length, f"the length of axis {axis} of {name}")
    for name, x in arrays:
        found.setdefault(x.size, f"the number of elements of {name}")
    return [(length, text) for length, text in found.items() if length > 1]


def _constants(scene: Scene) -> list[tuple[str, Any]]:
    """Return the arrays that the function reads beside its arguments; of its graph those that are in it."""
    known = [(name, a) for name, arrays in captured(scene.subject.f).items() if len(arrays) == 1 for a in arrays]
    if scene.graph is None:
        return known
    used = {scene.graph.variable(x) for node in scene.graph.order for x in node.inputs if type(x) not in NODES}
    return [(name, a) for name, a in known if name in used or f"{name}.T" in used]


def scaled(c: float, scene: Scene) -> str:
    """Return what to add to a slip that is multiplied by a factor."""
    if c == 1:
        return ""
    named = None if c == -1 else factor(c, scene, scene.close)
    return ", and the sign is wrong" if c == -1 else f", and {named[1]}" if named else f", times {number(c)}"
