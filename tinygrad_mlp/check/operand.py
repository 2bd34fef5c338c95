"""One operand of an op: the gradient that a rule gives it against differences of the op alone."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from tinygrad_mlp.arrays import NUMPY

from .compare import COARSE_RTOL, KINK, OUTSIDE, RIGHT, RTOL, SHARP, UNDECIDED, WRONG, judge
from .differences import (
    FIRST,
    RATIO,
    Floats,
    Pair,
    Slopes,
    along,
    central,
    climb,
    extrapolated,
    gap,
    ladder_steps,
    rounding,
)
from .recording import compute

DIRECTIONS = 2  # random ones, in all elements; one alone misses an error that happens to cancel
ROUNDS = 6  # of directions in the elements that rounding hid in the round before
SEARCHED = 1024  # elements up to which a thorough look takes one after the other
LOOKED = 16  # elements that are looked at one by one; more are halved first
NOTHING = 1e-12  # beside the cotangent, slopes that differ by less differ by rounding
FAULTS = 8  # wrong elements that are looked for
STEPS = (FIRST, FIRST * 2.0**-8)  # along a direction: the second passes between kinks that the first one meets


class Wrong(NamedTuple):
    """An element whose gradient is wrong: what the rule gives, and what was measured, with its bound."""

    j: int
    analytic: float
    numeric: float
    bound: float


class Operand:
    """Operand ``i`` of a call of ``op``, with the gradient ``c`` that the rule gives for the cotangent ``u``.

    Attributes:
        unresolved: how many elements are so small beside the others that rounding would hide an error in them.
    """

    def __init__(
        self,
        op: Any,
        params: dict[str, Any],
        values: Sequence[Any],
        i: int,
        u: Floats,
        c: Floats,
        rng: np.random.Generator,
        wobble: Callable[[int], float],
    ) -> None:
        """Take the call; ``wobble(j)`` says how far rounding may move element ``j`` of ``c``."""
        self.op, self.params, self.i, self.u, self.c, self.rng, self.wobble = op, params, i, u, c, rng, wobble
        self.coarse = any(getattr(v, "dtype", None) == np.float32 for v in values)
        self.values = [v.astype(np.float64) if getattr(v, "dtype", None) == np.float32 else v for v in values]
        self.is_float = type(values[i]) is float
        self.x = np.asarray(self.values[i], np.float64)
        self.largest = float(np.max(np.abs(self.x), initial=0.0, where=np.isfinite(self.x)))
        sizes = np.maximum(np.abs(self.x), 0.01 * self.largest if self.largest else 1.0)
        self.sizes = np.where(np.isfinite(self.x), sizes, 0.0)  # what is not finite stays where it is
        self.rtol = COARSE_RTOL if self.coarse else RTOL
        self.eps = float(np.finfo(np.float64).eps)
        self.base = self.output(self.x)
        self.unresolved = 0

    def output(self, x: Floats) -> Floats:
        """Return what the op gives with this operand replaced, in float64."""
        values = list(self.values)
        values[self.i] = float(x) if self.is_float else x
        y = np.asarray(compute(self.op, values, self.params))
        if y.dtype == np.float32:
            self.eps = float(np.finfo(np.float32).eps)
        return y.astype(np.float64, copy=False)

    def wrong(self, thorough: bool) -> list[Wrong]:
        """Return the wrong elements, the largest error first, some of many."""
        everywhere = np.arange(self.x.size)
        if self.op.elementwise:
            found = self._elementwise()
        elif thorough and self.x.size <= SEARCHED:
            found = [w for j in everywhere.tolist() for w in self._element(j)]
        elif self._is_suspicious(everywhere):
            found = self._search(everywhere) or self._together()
        else:
            found = []
        return sorted(found, key=_badness)[:FAULTS]

    def kinked(self) -> Any:
        """Return the elements in which an elementwise op has a kink: the slopes on both sides differ."""
        h = self.sizes * FIRST
        wide, narrow = self._moved(h), self._moved(h / RATIO)
        far, near = (np.abs(self.u * gap(pair, self.base)) for pair in (wide, narrow))
        bent = (near > far / 2) & (near > 8 * np.abs(self.u) * rounding(narrow, self.eps))
        at = np.flatnonzero((self._down(bent.astype(np.float64)) > 0) & np.isfinite(self.x))
        return at[self._climbed(at).kink] if len(at) else at

    def is_kinked(self) -> bool:
        """Return whether an op has a kink along a random direction in all elements."""
        line = self._line(self._allowed(signed(self.rng, self.x.shape) * self.sizes))
        base = np.asarray(np.vdot(self.u, self.base)).reshape(1)
        pairs = [Pair(*(p.reshape(1) for p in along(line, FIRST * RATIO**-k))) for k in range(12)]
        far, near = (np.abs(gap(pair, base)) for pair in pairs[:2])
        if not (near > far / 2) & (near > 8 * rounding(pairs[1], self.eps)):
            return False
        return bool(climb(pairs, base, self.eps).kink[0])

    # ------------------------------------------------------------------------------------------------- all at once

    def _elementwise(self) -> list[Wrong]:
        """Compare every element: an element of the output depends on one of the operand."""
        h = self.sizes * FIRST  # 0 for what is not finite
        wide = self._moved(h)
        at = self._open(central(wide), rounding(wide, self.eps), 0.0)
        if len(at):
            at = self._open(*extrapolated(wide, self._moved(h / RATIO), self.base, self.eps), self.rtol)
        at = at[np.isfinite(self.x.reshape(-1)[at])]
        if not len(at):
            return []
        slopes = self._climbed(at)
        claimed = self.c.reshape(-1)[at]
        states = judge(claimed, slopes, self.rtol, self.coarse, self._slack)
        self.unresolved += int(np.count_nonzero(states == UNDECIDED))
        suspects = np.flatnonzero((states == WRONG) | (states == OUTSIDE))
        worst = suspects[np.argsort(-np.abs(claimed - slopes.value)[suspects], kind="stable")]
        found: list[Wrong] = []
        for n in worst[: 4 * FAULTS].tolist():
            one: Any = (part[n : n + 1] for part in slopes)
            found += self._judged(int(at[n]), Slopes(*one))
            if len(found) >= FAULTS:
                break
        return found

    def _climbed(self, at: Any) -> Slopes:
        """Return the slopes of ``Σ u y`` in some elements, from a ladder of steps in all of them at once."""
        places = np.broadcast_to(np.arange(self.x.size).reshape(self.x.shape), self.base.shape).reshape(-1)
        some = np.flatnonzero(np.isin(places, at))  # the outputs that depend on these elements
        pairs = []
        for row in ladder_steps(self.x.reshape(-1)[at], np.full(len(at), self.largest)):
            moves = np.zeros(self.x.size)
            moves[at] = row
            pairs.append(Pair(*(part.reshape(-1)[some] for part in self._moved(moves.reshape(self.x.shape)))))
        slopes = climb(pairs, self.base.reshape(-1)[some], self.eps)
        u = self.u.reshape(-1)[some]
        weights = (u, np.abs(u), u, u, np.ones(len(u), bool), np.abs(u), u)
        terms: Any = Slopes(*(w * part for w, part in zip(weights, slopes, strict=True)))
        owners = np.searchsorted(at, places[some])
        return _total(terms, lambda part: np.bincount(owners, weights=part, minlength=len(at)))

    def _open(self, value: Floats, bound: Floats, rtol: float) -> Any:
        """Return the elements whose gradient is not plainly what the slopes of the outputs make it."""
        numeric, room = self._down(self.u * value), self._down(np.abs(self.u) * bound)
        scale = self._down(np.abs(self.u * value))
        agree = np.abs(self.c - numeric) <= room + rtol * scale
        return np.flatnonzero(~(agree & ((room <= SHARP * scale) | (self.c == 0))))

    def _moved(self, h: Floats) -> Pair:
        """Return the outputs with every element moved by its own step."""
        above, below = self.x + h, self.x - h
        right, left = (np.broadcast_to(d, self.base.shape) for d in (above - self.x, self.x - below))
        return Pair(self.output(above), self.output(below), right, left)

    def _down(self, z: Floats) -> Floats:
        """Return ``z`` summed to the shape of the operand, as for broadcasting."""
        return z if z.shape == self.x.shape else np.asarray(NUMPY.sum_to(z, self.x.shape))

    # ---------------------------------------------------------------------------------------------- along directions

    def _is_suspicious(self, at: Any) -> bool:
        """Say whether the gradient in some elements disagrees with slopes along random directions in them.

        An element whose share is so small that rounding hides an error of a thousandth of it gets a direction of the
        small ones; what is left after some rounds is counted as unresolved.
        """
        for _ in range(DIRECTIONS - 1):
            if not self._along(at)[0]:
                return True
        left = at
        for _ in range(ROUNDS):
            agrees, room, d = self._along(left)
            if not agrees:
                return True
            share = np.abs(self.c.reshape(-1)[left] * d[left])
            hidden = left[share * 1e-3 < room]
            if len(hidden) in (0, len(left)):
                left = hidden
                break
            left = hidden
        self.unresolved = int(np.count_nonzero(self.c.reshape(-1)[left]))
        return False

    def _along(self, at: Any) -> tuple[bool, float, Floats]:
        """Return whether a random direction in some elements agrees, up to which room, and the direction."""
        d = np.zeros(self.x.size)
        d[at] = signed(self.rng, (len(at),)) * self.sizes.reshape(-1)[at]
        direction = self._allowed(d.reshape(self.x.shape))
        shares = self.c * direction
        claimed, weight = float(np.sum(shares)), float(np.sum(np.abs(shares)))
        line, base = self._line(direction), np.asarray(np.vdot(self.u, self.base))
        scatter = 4 * self.eps * float(np.linalg.norm(self.u * self.base))
        for step in STEPS:
            wide = along(line, step)
            room = float(rounding(wide, self.eps)) + self.rtol * 0.01 * weight + scatter / step
            if abs(claimed - float(central(wide))) <= room <= 1e-4 * weight:
                return True, room, d  # one step says it all, as of every op that is linear in this operand
            value, bound = extrapolated(wide, along(line, step / RATIO), base, self.eps)
            noise = scatter * RATIO / step
            room = float(bound) + self.rtol * 0.01 * max(weight, abs(float(value))) + noise
            if abs(claimed - float(value)) <= room and (room <= 1e-4 * weight or (not weight and bound <= noise)):
                return True, room, d
            if abs(claimed - float(value)) <= room and not bound > noise + 1e-6 * weight:
                return True, room, d  # as near as rounding lets one see
        return False, room, d

    def _line(self, direction: Floats) -> Callable[[float], Floats]:
        return lambda t: np.asarray(np.vdot(self.u, self.output(self.x + t * direction)))

    def _allowed(self, direction: Floats) -> Floats:
        """Return a direction as the op takes it: symmetric, where its matrices are."""
        if self.op.symmetric:
            return np.asarray((direction + np.swapaxes(direction, -1, -2)) / 2)
        return direction

    def _search(self, at: Any) -> list[Wrong]:
        """Return the wrong elements among some, halving large sets by whether a direction in them is suspicious."""
        found: list[Wrong] = []
        pending = [at]
        while pending and len(found) < FAULTS:
            part = pending.pop()
            if len(part) > LOOKED:
                pending += [half for half in np.array_split(part, 2) if self._is_suspicious(half)]
                continue
            for j in part.tolist():
                found += self._element(j)
                if len(found) >= FAULTS:
                    break
        return found

    def _element(self, j: int) -> list[Wrong]:
        """Compare one element, by two steps and then by a ladder; what is not finite has no slope."""
        if not np.isfinite(self.x.reshape(-1)[j]):
            return []
        unit = np.zeros(self.x.size)
        unit[j] = 1.0
        direction = self._allowed(unit.reshape(self.x.shape))
        line = self._line(direction)
        claimed, size = float(np.sum(self.c * direction)), float(self.sizes.reshape(-1)[j])
        h = 2.0 ** np.floor(np.log2(size * FIRST))
        value, bound = extrapolated(along(line, h), along(line, h / RATIO), line(0.0), self.eps)
        scale = max(abs(claimed), abs(float(value)))
        if abs(claimed - float(value)) <= float(bound) + self.rtol * scale and (bound <= SHARP * scale or not claimed):
            return []
        steps = ladder_steps(np.array([self.x.reshape(-1)[j]]), np.array([self.largest]))[:, 0]

        def outputs(t: float) -> Floats:
            return np.asarray(self.u * self.output(self.x + t * direction))

        slopes = climb([along(outputs, float(step)) for step in steps], outputs(0.0), self.eps)
        return self._judged(j, _total(slopes), claimed)

    def _together(self) -> list[Wrong]:
        """Compare along all elements by one step, where each alone stands at a kink: ties stay ties then."""
        size = self.largest or 1.0
        direction = np.where(np.isfinite(self.x), size, 0.0)
        claimed = float(np.sum(self.c * direction))
        line = self._line(direction)
        base = np.asarray(np.vdot(self.u, self.base)).reshape(1)
        steps = FIRST * RATIO ** -np.arange(12.0)
        slopes = climb([Pair(*(p.reshape(1) for p in along(line, float(step)))) for step in steps], base, self.eps)
        return self._judged(int(np.argmax(np.abs(self.c))), slopes, claimed)

    # -------------------------------------------------------------------------------------------------------- verdicts

    @property
    def _slack(self) -> float:
        return 8 * self.eps * float(np.max(np.abs(self.c), initial=0.0))  # a rule sums, and may cancel

    def _judged(self, j: int, slopes: Slopes, claimed: float | None = None) -> list[Wrong]:
        c = float(self.c.reshape(-1)[j]) if claimed is None else claimed
        if not np.isfinite(c) and not np.isfinite(self.base).all():  # the op itself is no number there
            self.unresolved += 1
            return []
        # At a kink a rounding more changes the branch, and tells nothing; unless the kink itself is one of rounding.
        kink = slopes.kink[0] and abs(slopes.right[0] - slopes.left[0]) > NOTHING * np.max(np.abs(self.u))
        for wobbling in (False, True):
            room = self._slack + (self.wobble(j) if wobbling and not kink else 0.0)
            state = judge(np.array([c]), slopes, self.rtol, self.coarse, room)[0]
            if state in (RIGHT, KINK) or (state != WRONG and not slopes.kink[0]):
                self.unresolved += state not in (RIGHT, KINK)
                return []
        return [Wrong(j, c, float(slopes.value[0]), float(slopes.bound[0]))]


def signed(rng: np.random.Generator, shape: tuple[int, ...]) -> Floats:
    """Return numbers of size about 1 with random signs: none is so small that it hides an error."""
    x = np.asarray(rng.random(shape))
    x -= 0.5
    x += np.copysign(0.25, x)
    x *= 2
    return x


def _total(slopes: Slopes, add: Callable[[Any], Any] = lambda part: np.sum(part).reshape(1)) -> Slopes:
    """Return the slopes of sums from those of their terms: at kinks each term may have any slope between its two."""
    low, high = np.fmin(slopes.left, slopes.right), np.fmax(slopes.left, slopes.right)
    kink = slopes.kink.astype(bool)
    return Slopes(
        add(slopes.value),
        add(np.where(kink, 0.0, slopes.bound)),
        add(np.where(kink, low, slopes.value)),
        add(np.where(kink, high, slopes.value)),
        add(kink) > 0,
        add(np.where(kink, slopes.slack, slopes.bound)),
        add(slopes.moving),
    )


def _badness(w: Wrong) -> float:
    return -abs(w.analytic - w.numeric) if np.isfinite(w.analytic) else -np.inf
