"""The gradient as a whole gone wrong: transposed, not summed, shifted, or times a factor, and what that factor is."""

import math
from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np

from tinygrad_mlp.check.differences import Floats
from tinygrad_mlp.check.foreign import as_numpy
from tinygrad_mlp.check.hand import Claim
from tinygrad_mlp.check.recording import plain
from tinygrad_mlp.check.reporting import number

from .scenes import Scene, shaped
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
        if scene.graph is None:
            yield from _by_values(scene, true, claim, leaf.values.shape)


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


def _reshaped(true: Floats, given: Floats, outer: tuple[int, ...]) -> Iterator[Whole]:
    """Yield the true derivative and what becomes of it by a slip in its axes."""
    if true.shape == given.shape:
        yield "", "", 0, true, given
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
    size = f"{number(c)} times what it should be"
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
            missing = value < 1
            text = f"a factor {inverse} is missing" if missing else f"a factor {word} too many"
            return "constant factor", f"{text}{_also(a, scene, close)}{minus}"
    for length, where in lengths(scene):
        if abs(a - length) <= close * length:
            return "sum for mean", f"{length} times too large: {where}: a sum stands where the mean is meant{minus}"
        if abs(a * length - 1) <= close:
            return "mean for sum", f"{length} times too small: {where}: a mean stands where the sum is meant{minus}"
    return None


def _also(a: float, scene: Scene, close: float) -> str:
    for length, where in lengths(scene):
        if abs(a - length) <= close * length or abs(a * length - 1) <= close:
            return f" ({length}: {where})"
    return ""


def lengths(scene: Scene) -> list[tuple[int, str]]:
    """Return the lengths that a sum or a mean may run over, each with what it is: the batch first."""
    found: dict[int, str] = {}
    arrays: list[tuple[str, Any]] = []
    for nest, name in zip(scene.hand.nests, scene.hand.names, strict=True):
        arrays += [(name + path, as_numpy(x)) for x, path in zip(nest.leaves, nest.paths, strict=True)]
    order = [] if scene.graph is None else scene.graph.order
    rows = Counter(node.shape[0] for node in order if node.ndim > 1)
    N = rows.most_common(1)[0][0] if rows else next((len(x) for _, x in arrays if x.ndim > 1), 0)
    where = next((f", the length of axis 0 of {name}" for name, x in arrays if x.ndim > 1 and len(x) == N), "")
    found[N] = f"the batch size N = {N}{where}"
    for node in order:
        arrays += [(f"operand {i} of {node.op.name}", np.asarray(plain(x))) for i, x in enumerate(node.inputs)]
    for name, x in arrays:
        for axis, length in enumerate(x.shape):
            found.setdefault(length, f"the length of axis {axis} of {name}")
    for name, x in arrays:
        found.setdefault(x.size, f"the number of elements of {name}")
    return [(length, text) for length, text in found.items() if length > 1]


def scaled(c: float, scene: Scene) -> str:
    """Return what to add to a slip that is multiplied by a factor."""
    if c == 1:
        return ""
    named = None if c == -1 else factor(c, scene, scene.close)
    return ", and the sign is wrong" if c == -1 else f", and {named[1]}" if named else f", times {number(c)}"
