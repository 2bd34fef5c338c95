"""Claimed derivatives against measured ones, element by element, each at its own scale.

Most elements are settled by one or two central differences. What these cannot settle, at a kink, at the edge of a
domain, in noise, or because it is wrong, gets a whole ladder of steps.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from .differences import (
    FIRST,
    RATIO,
    TINY,
    Bools,
    Floats,
    Pair,
    Slopes,
    central,
    climb,
    extrapolated,
    gap,
    ladder_steps,
    rounding,
)
from .subject import Subject

RTOL, COARSE_RTOL = 1e-7, 1e-3  # how far float64, and float32, gradients may be off by their own rounding
SHARP, COARSE = 1e-4, 1e-2  # a bound wider than this part of a derivative decides nothing about it
LISTED = 1000  # derivatives up to which a report keeps all; of more it keeps those that are not plainly right
UNSEEN = 1e-14  # a derivative below this may be absorbed by rounding where the output does not change at all
BLOCK = 2**19  # derivatives that are compared at once
REFINED = 60  # wrong columns after which the others are not looked at closely
CLIMBED = 1000  # columns that are looked at closely at a time
SAME = 1e-8  # a claim that differs from one central difference by no more than this part has its value
BENT = 0.02  # slopes on both sides that differ by more than this part, at the first step, are looked at again

RIGHT, WRONG, UNDECIDED, KINK, OUTSIDE = range(5)  # at a kink: between the slopes of both sides, or outside of them


class Found(NamedTuple):
    """A derivative that was compared: of output ``j`` in element ``i`` of leaf ``k``."""

    k: int
    i: int
    j: int
    claimed: float
    measured: float
    bound: float
    left: float
    right: float
    state: int
    how: str


@dataclass
class Tally:
    """How one leaf came out: what was compared, and its norms."""

    checked: int = 0
    total: int = 0
    error: float = 0.0
    norm: float = 0.0
    worst: float = 0.0


@dataclass
class Comparison:
    """What came of all elements.

    Attributes:
        found: the derivatives that are not plainly right; all, if there are few.
        tallies: by leaf.
        evaluations: how often the function was called.
        pending: the columns that need a closer look, the worst first: how bad they are, leaf, element, and outputs.
    """

    tallies: list[Tally]
    found: list[Found] = field(default_factory=list)
    evaluations: int = 0
    pending: list[tuple[float, int, int, Any]] = field(default_factory=list)

    @property
    def total(self) -> int:
        """The number of derivatives."""
        return sum(t.total for t in self.tallies)


def compare(
    subject: Subject, claims: Sequence[Floats], columns: Sequence[Any], rtol: float | None = None
) -> Comparison:
    """Return how claimed Jacobians fare; inside ``subject.varying()``.

    Args:
        subject: the function.
        claims: for each leaf the derivatives (m, n) of the outputs in its elements.
        columns: for each leaf which elements to check.
        rtol: the relative difference that is allowed; by default what rounding may do to the claim.
    """
    keep = sum(len(c) for c in columns) * len(subject.base) <= LISTED
    result = Comparison([Tally() for _ in claims])
    rtol = (COARSE_RTOL if subject.coarse else RTOL) if rtol is None else rtol
    for k, claimed in enumerate(claims):
        step = max(1, BLOCK // max(1, len(subject.base)))
        for start in range(0, len(columns[k]), step):
            at = np.asarray(columns[k][start : start + step])
            block = np.ascontiguousarray(claimed[:, at].T)
            result.pending += _first_look(subject, k, at, block, rtol, keep, result)
    result.pending.sort(key=lambda column: -column[0])
    look_closer(subject, claims, result, rtol)
    return result


def look_closer(subject: Any, claims: Sequence[Floats], result: Comparison, rtol: float) -> None:
    """Climb a ladder of steps in the pending columns, until many are known to be wrong."""
    wrong = columns = 0
    while result.pending and wrong < REFINED and columns < CLIMBED:
        _, k, i, outputs = result.pending.pop(0)
        slopes = _ladder(subject, k, i, outputs, result)
        beside = np.isinf(claims[k][:, i]).any() or np.isinf(claims[k][outputs]).any()
        infinite = bool(beside or not np.isfinite(subject.base).all())
        new = _judged(subject, k, i, outputs, claims[k][outputs, i], slopes, rtol, infinite)
        wrong += any(f.state == WRONG for f in new)
        columns += 1
        result.found += new


def _sizes(x: Floats) -> tuple[Floats, float]:
    """Return for each element how large it is among its kind, and the size of the largest."""
    finite = np.isfinite(x)
    largest = float(np.max(np.abs(x), initial=0.0, where=finite))
    return np.where(finite, np.maximum(np.abs(x), 0.01 * largest if largest else 1.0), 1.0), largest


def _first_look(
    subject: Subject, k: int, at: Any, claimed: Floats, rtol: float, keep: bool, result: Comparison
) -> list[tuple[float, int, int, Any]]:
    """Compare a block of columns by one or two steps; return the columns that need more, with how bad they look."""
    x = subject.leaves[k].values.reshape(-1)
    sizes, _ = _sizes(x)
    line = subject.line(k)
    h = 2.0 ** np.floor(np.log2(sizes[at] * FIRST))
    with np.errstate(all="ignore"):
        wide = _pairs(line, x, at, h, len(subject.base), result)
        value, bound, settled = _first_step(subject, wide, claimed, min(rtol / 10, SAME), keep)
        again = np.flatnonzero(~settled.all(axis=1))
        if len(again):
            narrow = _pairs(line, x, at[again], h[again] / RATIO, len(subject.base), result)
            pair = Pair(*(part[again] for part in wide))
            value[again], bound[again] = extrapolated(pair, narrow, subject.base, subject.eps)
            settled[again] = _settled(claimed[again], value[again], bound[again], rtol, subject.coarse)
            jump = np.abs(gap(narrow, subject.base))
            kinked = (jump > np.abs(gap(pair, subject.base)) / 2) & (jump > BENT * np.abs(value[again]))
            settled[again] &= ~(kinked & (jump > 8 * rounding(narrow, subject.eps)))
        if settled.all() and not keep:
            _tally(result.tallies[k], claimed, value, settled)
            return []
        badness = np.abs(claimed - value) / (bound + rtol * np.fmax(np.abs(claimed), np.abs(value)) + TINY)
    _tally(result.tallies[k], claimed, value, settled)
    hard = []
    for row, i in enumerate(at.tolist()):
        missing = np.flatnonzero(~settled[row])
        if len(missing):
            worst = badness[row][missing]
            hard.append((float(np.max(np.where(np.isfinite(worst), worst, np.inf))), k, i, missing))
        if keep:
            result.found += [
                _found(k, i, int(j), claimed[row, j], value[row, j], bound[row, j], RIGHT)
                for j in np.flatnonzero(settled[row])
            ]
    return hard


def _first_step(subject: Subject, wide: Pair, claimed: Floats, rtol: float, keep: bool) -> tuple[Floats, Floats, Bools]:
    """Return differences, their bounds, and which claims one step settles; most of a sparse Jacobian is left zero."""
    base = subject.base
    where: Any = (wide.up != base) | (wide.down != base) | (claimed != 0) | ~np.isfinite(base)
    value, bound, settled = np.zeros(where.shape), np.zeros(where.shape), np.ones(where.shape, bool)
    if keep or np.count_nonzero(where) > where.size / 4:
        where = ...
    else:
        where = rows, columns = np.nonzero(where)
        wide = Pair(wide.up[where], wide.down[where], wide.right[rows, 0], wide.left[rows, 0])
        base, claimed = base[columns], claimed[where]
    slopes, rooms = central(wide), rounding(wide, subject.eps)
    bends = np.abs(gap(wide, base)) > BENT * np.abs(slopes) + 2 * rooms
    same = _settled(claimed, slopes, rooms, rtol, subject.coarse) & ~bends
    settled[where] = same
    rooms = np.where(same, np.fmax(rooms, np.abs(claimed - slopes)), rooms)  # the curvature's part, as far as is known
    value[where], bound[where] = slopes, rooms
    return value, bound, settled


def _found(k: int, i: int, j: int, claimed: float, value: float, bound: float, state: int) -> Found:
    return Found(k, i, j, float(claimed), float(value), float(bound), float(value), float(value), state, "differences")


def _pairs(line: Any, x: Floats, at: Any, h: Floats, m: int, result: Comparison) -> Pair:
    """Return the outputs (c, m) at both ends of a step in each of ``c`` elements."""
    above, below = x[at] + h, x[at] - h
    up, down = np.empty((len(at), m)), np.empty((len(at), m))
    for row, i in enumerate(at.tolist()):
        up[row], down[row] = line(i, float(above[row])), line(i, float(below[row]))
    result.evaluations += 2 * len(at)
    return Pair(up, down, (above - x[at])[:, None], (x[at] - below)[:, None])


def _settled(claimed: Floats, value: Floats, bound: Floats, rtol: float, coarse: bool) -> Bools:
    """Say which claims are plainly right: equal within the bound, and the bound is small beside them."""
    scale = np.fmax(np.abs(claimed), np.abs(value))
    agree = np.abs(claimed - value) <= bound + rtol * scale
    precise = (bound <= (COARSE if coarse else SHARP) * scale) | (claimed == 0)
    return np.asarray(agree & precise & np.isfinite(bound) & np.isfinite(claimed))


def _tally(tally: Tally, claimed: Floats, value: Floats, settled: Bools) -> None:
    whole = bool(settled.all())
    error = claimed - value if whole else np.subtract(claimed, value, out=np.zeros_like(value), where=settled)
    size = claimed if whole else np.where(settled, claimed, 0.0)
    tally.checked += len(claimed)
    tally.total += claimed.size
    tally.error += float(np.vdot(error, error))
    tally.norm += float(np.vdot(size, size))


def _ladder(subject: Subject, k: int, i: int, outputs: Any, result: Comparison) -> Slopes:
    """Return what a ladder of steps in one element tells about some outputs."""
    values = subject.leaves[k].values.reshape(-1)
    x, line = float(values[i]), subject.line(k)
    steps = ladder_steps(np.array([x]), np.array([_sizes(values)[1]]))[:, 0]
    pairs = []
    for h in steps.tolist():
        above, below = x + h, x - h
        if not (above > x > below) or not np.isfinite(above - below):
            break
        pairs.append(
            Pair(line(i, above)[outputs], line(i, below)[outputs], np.asarray(above - x), np.asarray(x - below))
        )
    result.evaluations += 2 * len(pairs)
    if len(pairs) < 4:  # an input that is not finite, or so large that nothing moves it
        nothing = np.full(len(outputs), np.nan)
        return Slopes(nothing, nothing, nothing, nothing, np.zeros(len(outputs), bool), nothing, nothing)
    return climb(pairs, subject.base[outputs], subject.eps)


def judge(claimed: Floats, slopes: Slopes, rtol: float, coarse: bool, slack: Any = 0.0) -> Any:
    """Return the state of each claim beside what was measured; ``slack`` is what the claim itself may be off by."""
    value, bound = slopes.value, slopes.bound
    with np.errstate(all="ignore"):
        scale = np.fmax(np.abs(claimed), np.abs(value))
        allowed = bound + rtol * scale + slack
        apart = np.abs(claimed - value)
        low, high = np.fmin(slopes.left, slopes.right), np.fmax(slopes.left, slopes.right)
        room = slopes.slack + rtol * np.fmax(np.abs(low), np.abs(high)) + slack
        between = (low - room <= claimed) & (claimed <= high + room)
        precise = (bound <= (COARSE if coarse else SHARP) * scale) | (claimed == 0) | (scale <= slack)
        state = np.full(np.shape(claimed), UNDECIDED)
        state[(apart <= allowed) & precise] = RIGHT
        absorbed = np.abs(claimed - slopes.moving) <= 1e-3 * np.abs(claimed)
        absorbed = (value == 0) & (absorbed | ((bound == 0) & (np.abs(claimed) < UNSEEN)))
        state[(apart > allowed) & (apart > 3 * bound) & ~absorbed] = WRONG
        state[~np.isfinite(value) | np.isinf(bound)] = UNDECIDED
        state[slopes.kink] = np.where(between, KINK, OUTSIDE)[slopes.kink]
        finite = np.isfinite(claimed)
        state[~finite] = np.where(bound <= COARSE * np.abs(value) + SHARP**2, WRONG, UNDECIDED)[~finite]
    return state


def _judged(
    subject: Subject, k: int, i: int, outputs: Any, claimed: Floats, slopes: Slopes, rtol: float, infinite: bool
) -> Iterable[Found]:
    states = judge(claimed, slopes, rtol, subject.coarse)
    if infinite or np.any(~np.isfinite(claimed) & (states == UNDECIDED)):  # 0 times that is where a nan comes from
        states = np.where(np.isnan(claimed), UNDECIDED, states)
    return [
        Found(
            k, i, int(j), float(claimed[n]), float(slopes.value[n]), float(slopes.bound[n]), float(slopes.left[n]),
            float(slopes.right[n]), int(states[n]), "differences",
        )
        for n, j in enumerate(outputs)
    ]  # fmt: skip
