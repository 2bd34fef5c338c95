"""A row at the points where formulas fail: zeros, ties, infinities, NaN, the ends of the domain; on floats, too."""

import itertools
import math
from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np

from tinygrad_mlp.check.operand import Operand, signed
from tinygrad_mlp.check.recording import plain
from tinygrad_mlp.check.reporting import number
from tinygrad_mlp.check.rules import check_rules

from .report import Aspect, Fault, RuleError, judged
from .rules import measured_along
from .samples import Row, Sample, advice, is_float_array

POINTS = (0.0, -0.0, 1.0, -1.0, 2.0, -2.0, 1000.0, -1000.0, math.inf, -math.inf, math.nan)
FEW = (0.0, -0.0, 1.0, -1.0, 1000.0, math.inf, math.nan)  # for each of three operands
MOST = 400  # sets of points
SAME = 1e-12  # relative: the C library's functions and NumPy's differ in the last digit
BESIDE = 1e-7
TOGETHER = 1e-6  # relative
NEAR = 1e-3  # slopes that are closer are told as one
BETWEEN = "at a kink return a number between the slopes of both sides, and say in `kinks` which"
DOUBLE = "select with `where` before the division or the logarithm too, or let the rule return "


def points(row: Row) -> list[Sample]:
    """Return calls of an elementwise row on single numbers: every pair of special points, ties among them."""
    first = row.samples[0]
    n = sum(is_float_array(x) for x in first.operands)
    special = [*(POINTS if n < 3 else FEW), *(end for end in row.op.domain if end not in POINTS)]
    given: list[list[Any]] = []
    for x in first.operands:
        if x is None:
            given.append([None])
        else:
            given.append([np.array(v) for v in (special if is_float_array(x) else np.unique(x))])
    if math.prod(map(len, given)) <= MOST:
        chosen = list(itertools.product(*given))
    else:
        chosen = [tuple(g[row.rng.integers(len(g))] for g in given) for _ in range(MOST)]
    return [first._replace(operands=c) for c in chosen]


def check_special_points(row: Row, vjp: Aspect) -> Aspect:
    """Return whether gradients are those of one-sided slopes, none is NaN without need, and nothing raises."""
    name = "special points"
    if not row.op.elementwise:
        return _at_ties(row, vjp)
    calls = points(row)
    slopes = list(_slope_faults(row, calls)) if calls[0].wrt and vjp.verdict == "right" else []

    def faults() -> Iterator[Fault]:
        yield from (fault for fault, documented in slopes if not documented)
        if row.op.scalars:
            yield from _raising(row, calls)

    aspect = judged(name, faults(), f"{len(calls)} points: 0, ±1, ±1000, ±inf, nan, ties, ends of the domain")
    if aspect.verdict == "right" and slopes:
        return Aspect(name, "note", f"{slopes[0][0].what}; the row says: {row.op.kinks}")
    return aspect


def _at_ties(row: Row, vjp: Aspect) -> Aspect:
    """Return whether a row that is not elementwise has right gradients where all elements are zero, or equal."""
    name = "special points"
    if vjp.verdict != "right" or row.op.symmetric:
        return Aspect(name, "not applicable", "not elementwise" if vjp.verdict == "right" else "the vjp is not right")
    found = list(_tie_faults(row))
    if found and row.op.kinks and not any(math.isnan(c) for _, c in found):
        return Aspect(name, "note", f"{found[0][0].what}; the row says: {row.op.kinks}")
    return judged(name, (fault for fault, _ in found), "zeros, ties")


def _tie_faults(row: Row) -> Iterator[tuple[Fault, float]]:
    """Yield the faults where all elements are alike, and the row is continuous; with the gradient."""
    for value in (0.0, 1.0):
        sample = row.samples[0].with_floats(partial(np.full_like, fill_value=value))
        if not _is_continuous(row, sample):
            continue
        node = row.record(sample)
        try:
            row.pull(node, row.cotangent(plain(node)))
        except RuleError as error:
            if not isinstance(error.__cause__, np.linalg.LinAlgError):  # a singular matrix is refused in words
                yield Fault(f"where all elements are {number(value)} {error.fault.what}", error.fault.remedy), math.nan
            continue
        for fault in check_rules([node], row.rng, thorough=True).faults:
            numbers = f"gives {number(fault.analytic)}, measured {number(fault.numeric)}"
            what = f"where all elements are {number(value)} its vjp for {row.name(fault.operand)} {numbers}"
            yield Fault(what, BETWEEN), fault.analytic
        yield from _shares(row, sample, node, value)


def _shares(row: Row, sample: Sample, node: Any, value: float) -> Iterator[tuple[Fault, float]]:
    """Yield the operands whose elements, moved together, change the output by something else than their gradients' sum.

    Each gradient alone may lie between the slopes of its kink; moved together, ties stay ties, and the slope is plain.
    """
    u = row.cotangent(plain(node))
    for i, c in row.pull(node, u).items():
        slope, bound = measured_along(row, sample, {i: np.ones(c.shape)})
        total, measured, room = float(np.sum(c)), float(np.sum(u * slope)), float(np.sum(np.abs(u) * bound))
        if abs(total - measured) > room + TOGETHER * (abs(measured) + float(np.sum(np.abs(c)))):
            numbers = (
                f"the gradients of {row.name(i)} sum to {number(total)}, the slope along all is {number(measured)}"
            )
            yield (
                Fault(f"where all elements are {number(value)} {numbers}", "share the gradient among tied elements"),
                total,
            )


def _is_continuous(row: Row, sample: Sample) -> bool:
    """Return whether the forward rule takes a call, and gives nearly the same a little beside it."""
    moved = sample.with_floats(lambda x: x + BESIDE * signed(row.rng, x.shape))
    try:
        base, beside = row.values(sample), row.values(moved)
    except Exception:  # noqa: BLE001  (a forward rule may refuse in any way)
        return False
    return base.shape == beside.shape and bool(np.all(np.abs(beside - base) <= NEAR * (1 + np.abs(base))))


def _slope_faults(row: Row, calls: list[Sample]) -> Iterator[tuple[Fault, bool]]:
    """Yield the points at which a gradient is not between the one-sided slopes, and whether the row documents it.

    Only points at which operands and result are finite; of several with the same gradient and slopes the first.
    """
    told = set()
    columns = list(zip(*(call.operands for call in calls), strict=True))
    sample = calls[0]._replace(operands=tuple(None if c[0] is None else np.array(c) for c in columns))
    node = row.record(sample)
    u = np.ones(len(calls))
    pulled = row.pull(node, u)  # at all points: no exception
    finite = np.all([np.isfinite(x) for x in (*sample.operands, plain(node)) if x is not None], axis=0)
    values = [x if x is None else x[finite] for x in sample.operands]
    for i, c in pulled.items():
        params = row.fresh(sample.params)
        operand = Operand(row.op, params, values, i, u[finite], c[finite].astype(np.float64), row.rng, lambda _: 0.0)
        for w in operand.wrong(True):
            call = sample._replace(operands=tuple(None if x is None else x[w.j] for x in values))
            sides = [_slope(row, call, i, sign) for sign in (-1.0, 1.0)]
            low, high = min(sides) + 0.0, max(sides) + 0.0  # which prints no -0
            if low <= w.analytic <= high or (math.isinf(low) and math.isinf(high)):
                continue
            slopes = (
                f"slopes are {number(low)} and {number(high)}" if high - low > NEAR else f"slope is {number(w.numeric)}"
            )
            what = f"the gradient of {row.name(i)} is {number(w.analytic)}, the {slopes}"
            if what in told:
                continue
            told.add(what)
            missing = not math.isfinite(w.analytic)
            advised = DOUBLE + ("a number between these" if high - low > NEAR else "the slope") if missing else BETWEEN
            yield Fault(f"at {row.at(call.operands)} {what}", advised), bool(row.op.kinks) and not missing


def _slope(row: Row, call: Sample, i: int, sign: float) -> float:
    """Return the slope on one side of a point, roughly; inf where it grows as the step shrinks, as at a jump."""
    x, base = float(call.operands[i]), float(row.values(call))
    steps = [sign * 2.0**-k * max(abs(x), 1.0) for k in (10, 20)]
    near, nearer = ((float(row.values(call.with_operand(i, np.array(x + h)))) - base) / h for h in steps)
    return math.copysign(math.inf, nearer) if abs(nearer) > 8 * abs(near) + NEAR else nearer


def _raising(row: Row, calls: list[Sample]) -> Iterator[Fault]:
    """Yield the points at which a rule raises on Python floats."""
    raised = []
    for call in calls:
        try:
            on_floats(row, call)
        except RuleError as error:
            raised.append((call, error.fault))
    if len(raised) == len(calls):
        return  # nothing special about the points
    told = set()
    for call, fault in raised:
        if fault.what not in told:
            told.add(fault.what)
            yield Fault(f"at {row.at(call.operands)} on Python floats {fault.what}", fault.remedy)


# --------------------------------------------------------------------------------------------------------------- floats


def on_floats(row: Row, call: Sample) -> list[float]:
    """Return the value and the gradients of a call on Python floats."""
    try:
        node = row.record(call, floats=True)
    except Exception as error:
        raise RuleError(f"the forward rule raised {type(error).__name__}: {error}", advice(error)) from error
    value = plain(node)
    return [float(value), *(float(c) for c in (row.pull(node, 1.0).values() if _has_gradient(node) else ()))]


def _has_gradient(node: Any) -> bool:
    return bool(getattr(node, "requires_grad", False))


def on_arrays(row: Row, call: Sample) -> list[float]:
    """Return the value and the gradients of a call on arrays without dimension."""
    node = row.record(call)
    y = np.asarray(plain(node))
    return [
        float(y),
        *(float(c) for c in (row.pull(node, np.ones((), y.dtype)).values() if _has_gradient(node) else ())),
    ]


def check_floats(row: Row) -> Aspect:
    """Return whether a row gives on Python floats what it gives on arrays, at special points too."""
    name = "floats against arrays"
    if not row.op.scalars:
        return Aspect(name, "not applicable", "scalars=False: floats are taken as arrays")
    if not row.op.elementwise:
        return Aspect(name, "not applicable", "not elementwise")
    calls = [*_single(row), *points(row)]
    return judged(name, _differences(row, calls), f"value and gradient at {len(calls)} points")


def _single(row: Row) -> Iterator[Sample]:
    """Yield calls on the single elements of a sample in the domain."""
    sample = row.like([(6,)] * len(row.samples[0].operands))
    for j in range(6):
        yield sample._replace(operands=tuple(None if x is None else np.array(x[j]) for x in sample.operands))


def _differences(row: Row, calls: list[Sample]) -> Iterator[Fault]:
    raising = 0
    for call in calls:
        arrays = on_arrays(row, call)
        try:
            floats = on_floats(row, call)
        except RuleError as error:
            raising += 1
            if raising == len(calls):
                yield Fault(error.fault.what, error.fault.remedy or "scalars=False, if the forward rule needs arrays")
            continue
        wrt = [f"the gradient of {row.name(i)}" for i in call.wrt]
        for what, a, b in zip(["the value", *wrt], floats, arrays, strict=False):
            if not (a == b or abs(a - b) <= SAME * abs(b) or (math.isnan(a) and math.isnan(b))):
                yield Fault(
                    f"at {row.at(call.operands)} {what} is {number(a)} on floats, {number(b)} on arrays",
                    "the forward rule takes its functions from xp, and rules call ops: divide, power, where",
                )
