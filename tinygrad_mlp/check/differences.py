"""Numeric derivatives with error bounds: central differences at several steps, with Richardson's extrapolation.

A central difference with step ``h`` has an error of ``h² f‴/6`` from the curvature and one of about ``ε |f| / h`` from
rounding. Two steps, one four times the other, cancel the first (Richardson, Phil. Trans. A 210, 1911); how far the
results of neighbouring steps differ says how large both are. Slopes from the left and from the right that differ
however short the step tell a kink.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

RATIO = 4.0  # between neighbouring steps: a power of two, so that steps are exact
FIRST = 2.0**-10  # the first step, relative to the size of what is varied
TOP = 2.0**-4  # the longest step of a ladder, relative to the larger of that size and 1
ROUNDING = 4.0  # a computed value is off by so many roundings; more shows as scatter between the steps
TINY = 1e-290  # below this nothing is told apart


class Pair(NamedTuple):
    """Function values at both ends of steps ``h``: ``up`` at ``x + right``, ``down`` at ``x − left``."""

    up: Floats
    down: Floats
    right: Floats
    left: Floats


class Slopes(NamedTuple):
    """Derivatives as measured, all of one shape.

    Attributes:
        value: the central difference, extrapolated.
        bound: how far it may be from the derivative; inf where nothing can be said.
        left, right: the one-sided slopes.
        kink: whether the slopes on both sides differ however short the step.
        slack: how far the one-sided slopes may be off.
        moving: the best that steps tell which change the output at all: shorter ones may be absorbed by rounding.
    """

    value: Floats
    bound: Floats
    left: Floats
    right: Floats
    kink: Bools
    slack: Floats
    moving: Floats


def central(pair: Pair) -> Floats:
    """Return the central difference quotients."""
    with np.errstate(all="ignore"):
        return np.asarray((pair.up - pair.down) / (pair.right + pair.left))


def rounding(pair: Pair, eps: float) -> Floats:
    """Return how far rounding alone may move the quotients."""
    with np.errstate(all="ignore"):
        return np.asarray(ROUNDING * eps * np.fmax(np.abs(pair.up), np.abs(pair.down)) / (pair.right + pair.left))


def gap(pair: Pair, base: Floats) -> Floats:
    """Return how much the slope to the right exceeds the slope to the left."""
    with np.errstate(all="ignore"):
        return np.asarray((pair.up - base) / pair.right - (base - pair.down) / pair.left)


def extrapolated(wide: Pair, narrow: Pair, base: Floats, eps: float) -> tuple[Floats, Floats]:
    """Return derivatives from two steps, and their bounds: the error that extrapolation removed, and rounding.

    Where the slopes of both sides do not come closer as the step shrinks, their distance is added to the bound.
    """
    far, near = central(wide), central(narrow)
    with np.errstate(all="ignore"):
        removed = (near - far) / (RATIO**2 - 1)
        bound = np.abs(removed) + rounding(narrow, eps)
        bent = np.abs(gap(narrow, base))
        stays = bent > np.abs(gap(wide, base)) / 2
        bound = np.where(stays & (bent > 8 * bound), bound + bent, bound)
        value = near + removed
    return value, np.where(np.isfinite(value) & np.isfinite(bound), bound, np.inf)


def ladder_steps(x: Floats, size: Floats) -> Floats:
    """Return steps for a thorough look at elements ``x`` (c,): shape (levels, c), each a quarter of the one before.

    From a sixteenth of the larger of 1 and ``size``, that of the array around an element, down to what still moves it.
    """
    high = np.maximum(1.0, np.maximum(np.abs(x), size))
    high = np.where(np.isfinite(high), high, 1.0)
    low = np.where(x == 0, 2.0**-70, np.maximum(2.0**-51 * np.abs(x), 2.0**-900))
    ratio = np.where(np.isfinite(low) & (low > 0), high / np.where(low > 0, low, 1.0), 1.0)
    spread = np.log2(np.maximum(ratio, 1.0)) / 2
    levels = int(np.clip(np.max(spread, initial=0.0) - 2, 12, 60))
    top = 2.0 ** np.floor(np.log2(high * TOP))
    return np.asarray(top * RATIO ** -np.arange(levels)[:, None])


def climb(pairs: list[Pair], base: Floats, eps: float) -> Slopes:
    """Return the best that a ladder of steps can tell, each step a quarter of the one before.

    For every element the extrapolated difference with the smallest estimated error is taken; that error is what its
    neighbours differ from it by, and rounding.
    """
    with np.errstate(all="ignore"):
        D = np.stack([central(p) for p in pairs])
        noise = np.stack([rounding(p, eps) for p in pairs])
        rough = _roughness(D, pairs)
        gaps = np.abs(np.stack([gap(p, base) for p in pairs]))
        E = D[1:] + (D[1:] - D[:-1]) / (RATIO**2 - 1)
        change = np.abs(np.diff(E, axis=0))
        error = np.maximum(change[1:], change[:-1] / RATIO**3) + 2 * np.maximum(noise, rough)[2:-1]
        stays = (gaps[1:] > gaps[:-1] / 2) & (gaps[1:] > 8 * noise[1:])
        error = np.where(stays[1:-1], error + gaps[2:-1], error)
        value, bound = _best(E[1:-1], np.maximum(error, _contradicted(E[1:-1], D, noise)))
        rounded = rounding(pairs[-1], eps) * (pairs[-1].right + pairs[-1].left)
        right, right_error = _one_sided([p.up - base for p in pairs], [p.right for p in pairs], noise, rough, rounded)
        left, left_error = _one_sided([base - p.down for p in pairs], [p.left for p in pairs], noise, rough, rounded)
        moving = _moving(pairs, E, error)
        torn = _is_torn([p.up - p.down for p in pairs], rounded)
        bound = np.where(torn, np.inf, bound)
        jump = np.abs(right - left)
        slack = right_error + left_error
        kink = (bound >= jump / 4) & (jump > 4 * slack) & np.isfinite(slack) & ~torn
        one = np.isinf(bound) & (np.isinf(slack) | torn)  # at the edge of a domain, or of a jump, one side counts
        value = np.where(one, np.where(right_error <= left_error, right, left), value)
        bound = np.where(one, np.fmin(right_error, left_error), 2 * bound)
    return Slopes(value, bound, left, right, kink, slack, moving)


def _roughness(D: Floats, pairs: list[Pair]) -> Floats:
    """Return what rounding inside the function may do to each quotient: more than that of its value, if it cancels.

    Where rounding rules, quotients of neighbouring steps differ by some amplitude over the step. That amplitude is
    taken from the shortest steps that differ at all; a low one of several, for longer steps differ by curvature.
    """
    steps = np.stack([np.broadcast_to(p.right + p.left, D.shape[1:]) for p in pairs])
    amplitude = np.abs(np.diff(D, axis=0)) * steps[1:]
    differs = (amplitude > 0) & np.isfinite(amplitude)
    last = differs & (np.cumsum(differs[::-1], axis=0)[::-1] <= 8)
    lowest = np.sort(np.where(last, amplitude, np.inf), axis=0)[2]
    return np.asarray(np.where(np.isfinite(lowest), 4 * lowest, 0.0) / steps)


def _is_torn(changes: list[Floats], rounded: Floats) -> Bools:
    """Say where a function jumps: across the shortest steps it changes by the same amount, however short they are."""
    last = np.abs(np.stack(changes[-3:]))
    low, high = np.min(last, axis=0), np.max(last, axis=0)
    return np.asarray((low > 0.9 * high) & (low > 256 * rounded))


def _moving(pairs: list[Pair], E: Floats, error: Floats) -> Floats:
    """Return the best of the steps that move the output, where shorter ones may be absorbed by rounding inside.

    The smallest change that was seen is then what rounding may do to every change.
    """
    change = np.stack([np.abs(p.up - p.down) for p in pairs])
    moves = change > 0
    last = len(pairs) - 1 - np.argmax(moves[::-1], axis=0)[None]
    steps = np.stack([np.broadcast_to(p.right + p.left, change.shape[1:]) for p in pairs])
    quantum = (np.take_along_axis(change, last, 0) / steps)[2:-1]
    return _best(E[1:-1], np.where(moves[2:-1], error + quantum, np.inf))[0]


def _contradicted(E: Floats, D: Floats, noise: Floats) -> Floats:
    """Return how far the results of shorter steps lie from each of ``E``, beyond what these themselves scatter.

    A function that varies faster than a step looks flat at that step; shorter ones show what it is.
    """
    scatter = np.abs(np.diff(D, axis=0))
    loose = 3 * (scatter[1:] + scatter[:-1]) + 2 * noise[1:-1]  # of D[1:-1]
    excess = np.zeros_like(E)
    for k in range(len(E)):
        finer = np.abs(D[k + 2 : -1] - E[k]) - loose[k + 1 :]
        finer = np.where(np.isfinite(D[k + 2 : -1]), np.where(np.isfinite(finer), finer, 0.0), np.inf)
        excess[k] = np.max(finer, axis=0, initial=0.0)
    return excess


def _one_sided(
    changes: list[Floats], steps: list[Floats], noise: Floats, rough: Floats, rounded: Floats
) -> tuple[Floats, Floats]:
    """Return the slopes of one side, whose error shrinks with the step itself, and how far they may be off."""
    slopes = np.stack([change / step for change, step in zip(changes, steps, strict=True)])
    E = slopes[1:] + (slopes[1:] - slopes[:-1]) / (RATIO - 1)
    change = np.abs(np.diff(E, axis=0))
    error = np.maximum(change[1:], change[:-1] / RATIO**2) + 4 * np.maximum(noise, rough)[2:-1]
    value, bound = _best(E[1:-1], np.maximum(error, _contradicted(E[1:-1], slopes, noise)))
    torn = _is_torn(changes, rounded)
    return value, np.where(torn, np.inf, 2 * bound)


def _best(values: Floats, errors: Floats) -> tuple[Floats, Floats]:
    """Return for each element the value with the smallest error, and that error."""
    errors = np.where(np.isfinite(errors) & np.isfinite(values), errors, np.inf)
    k = np.argmin(errors, axis=0)[None]
    return np.take_along_axis(values, k, 0)[0], np.take_along_axis(errors, k, 0)[0]


def along(line: Callable[[float], Floats], h: float, x: float = 0.0) -> Pair:
    """Return the values at both ends of a step from ``x``, whose length is taken as it comes out after rounding."""
    above, below = x + h, x - h
    return Pair(line(above), line(below), np.asarray(above - x), np.asarray(x - below))
