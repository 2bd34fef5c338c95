"""The forms that operands of a row may have: shapes that broadcast, no dimension, no element, other dtypes."""

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np

from tinygrad_mlp.arrays import NUMPY
from tinygrad_mlp.check.operand import signed
from tinygrad_mlp.check.recording import plain
from tinygrad_mlp.check.reporting import number
from tinygrad_mlp.check.rules import check_rules
from tinygrad_mlp.errors import TinygradError

from .report import Aspect, Fault, RuleError, judged
from .rules import TANGENT, near, pushed
from .samples import Row, Sample, Shape, is_float_array

WIDE: tuple[Shape, ...] = ((), (1,), (3,), (2, 1), (1, 3), (2, 3))  # any two broadcast
EMPTY: tuple[Shape, ...] = ((0,), (2, 0, 3))
MOST = 40  # sets of shapes, of those of three and more operands
KINDS = (np.float32, np.float16)
WIDENS = "a constant of NumPy's float64, such as np.sqrt(2), widens: write math.sqrt(2), or float(…)"
SUMMED = "let the rule return its gradient in the output's shape: the engine sums it"
SUM = "the forward rule broadcasts: sum the gradient down (sum_to), or declare elementwise=True"


# --------------------------------------------------------------------------------------------------------- broadcasting


def check_broadcasting(row: Row, vjp: Aspect) -> Aspect:
    """Return whether operands broadcast against each other, and gradients are summed back."""
    n = len(row.samples[0].operands)
    if n < 2:
        return Aspect("broadcasting", "not applicable", "one operand")
    if not row.op.elementwise:
        return _beside_elementwise(row, vjp)
    sets = list(itertools.product(WIDE, repeat=n))
    if n > 2:
        sets = [sets[k] for k in np.sort(row.rng.choice(len(sets), MOST, replace=False))]
    return judged("broadcasting", _broadcast_faults(row, sets), f"{len(sets)} sets of shapes")


def _broadcast_faults(row: Row, sets: list[tuple[Shape, ...]]) -> Iterator[Fault]:
    for shapes in sets:
        sample = row.like(shapes)
        shape = np.broadcast_shapes(*(np.shape(x) for x in sample.operands if x is not None))
        full = sample._replace(
            operands=tuple(None if x is None else np.array(np.broadcast_to(x, shape)) for x in sample.operands)
        )
        node = row.record(sample)
        y, whole = plain(node), row.values(full)
        if np.shape(y) != shape or not near(np.asarray(y, np.float64), np.asarray(whole, np.float64)):
            yield Fault(
                f"of shapes {sample.shapes} the result has shape {np.shape(y)}, or other numbers than of {shape}", ""
            )
            return
        if not sample.wrt:
            continue
        u = row.cotangent(y)
        pulled = _pulled(row, node, u, sample)
        for i, c in row.pull(row.record(full), u).items():
            if not near(pulled[i], np.asarray(NUMPY.sum_to(c, np.shape(sample.operands[i])))):
                what = f"the gradient of {row.name(i)} is not that of the operands broadcast, summed"
                yield Fault(f"of shapes {sample.shapes} {what}", SUMMED)
        if row.op.jvps:
            yield from _jvp_faults(row, sample, full)


def _jvp_faults(row: Row, sample: Sample, full: Sample) -> Iterator[Fault]:
    """Yield where an own jvp does not give a tangent of the output's shape for one of the operand's."""
    for i in sample.wrt:
        t = signed(row.rng, np.shape(sample.operands[i]))
        wide = np.array(np.broadcast_to(t, np.shape(full.operands[i])))
        if not near(pushed(row, sample, {i: t}), pushed(row, full, {i: wide})):
            yield Fault(
                f"of shapes {sample.shapes} the jvp of {row.name(i)} is not that of the operands broadcast", TANGENT
            )


def _pulled(row: Row, node: Any, u: Any, sample: Sample) -> dict[int, Any]:
    try:
        return row.pull(node, u)
    except RuleError as error:
        raise RuleError(f"of shapes {sample.shapes} {error.fault.what}", error.fault.remedy) from error


def _beside_elementwise(row: Row, vjp: Aspect) -> Aspect:
    """Return whether a row that looks elementwise, and does not say so, sums its gradients itself."""
    alike = [s for s in row.samples if len(s.wrt) > 1 and len({np.shape(x) for x in (*s.operands, row.values(s))}) == 1]
    taken = [s for sample in alike for s in _narrowed(sample) if _output(row, s) is not None]
    if not taken:
        return Aspect("broadcasting", "not applicable", "not elementwise, and no operand broadcasts")
    if vjp.verdict != "right":
        return Aspect("broadcasting", "not checked", "put the vjp right first")

    def faults() -> Iterator[Fault]:
        for s in taken:
            node = row.record(s)
            for fault in check_rules([node], row.rng, thorough=True).faults:
                said = (
                    fault.message.removeprefix(f"{row.op.name}: ")
                    or f"the gradient of {row.name(fault.operand)} is wrong"
                )
                yield Fault(f"of shapes {s.shapes} {said}", SUM)

    return judged("broadcasting", faults(), f"{len(taken)} sets of shapes that the forward rule takes")


def _narrowed(sample: Sample) -> Iterator[Sample]:
    """Yield calls in which one operand has length 1 along an axis, or no dimension."""
    for i in sample.wrt:
        x = sample.operands[i]
        for axis in range(x.ndim):
            if x.shape[axis] > 1:
                yield sample.with_operand(i, np.take(x, [0], axis))
        if x.ndim:
            yield sample.with_operand(i, np.array(x.flat[0]))


def _output(row: Row, sample: Sample) -> Any:
    """Return what the row gives; None if it refuses."""
    try:
        return plain(row.record(sample))
    except Exception:  # noqa: BLE001  (a forward rule may refuse in any way)
        return None


# --------------------------------------------------------------------------------------------------------------- shapes


def check_shapes(row: Row) -> Aspect:
    """Return whether gradients have their operand's shape where it has no dimension, or no element."""
    if row.op.elementwise:
        samples = [row.like([shape] * len(row.samples[0].operands)) for shape in ((), *EMPTY)]
        return judged("shapes", _shape_faults(row, samples), "(), " + ", ".join(map(str, EMPTY)))
    for sample, fault in row.refused:
        return Aspect(
            "shapes", "note", f"of shapes {sample.shapes} {fault.what}; should the forward rule refuse these?"
        )
    samples = [s for s in _emptied(row.samples[0]) if _output(row, s) is not None]
    if not samples:
        return Aspect("shapes", "not applicable", "the forward rule refuses operands without dimension or element")
    aspect = judged("shapes", _shape_faults(row, samples), "; ".join(dict.fromkeys(s.shapes for s in samples)))
    first = row.samples[0]
    if aspect.verdict == "wrong" and (first.params or len(first.operands) > 1):  # which need not suit each other now
        return Aspect("shapes", "note", f"{aspect.what}; should the forward rule refuse these?")
    return aspect


def _emptied(sample: Sample) -> Iterator[Sample]:
    """Yield calls in which the operands have no dimension, or no element; square matrices stay square."""
    floating = [x for x in sample.operands if is_float_array(x)]
    if all(x.ndim > 1 and x.shape[-1] == x.shape[-2] for x in floating):
        yield sample.with_floats(lambda x: x[..., :0, :0])
        return
    yield sample.with_floats(lambda x: np.array(x.flat[0]) if x.size else x)
    yield sample.with_floats(lambda x: x[:0] if x.ndim else x)
    yield sample.with_floats(lambda x: x[..., :0] if x.ndim else x)


def _shape_faults(row: Row, samples: list[Sample]) -> Iterator[Fault]:
    for sample in samples:
        try:
            node = row.record(sample)
        except Exception as error:
            raise RuleError(
                f"of shapes {sample.shapes} the forward rule raised {type(error).__name__}: {error}"
            ) from error
        y = plain(node)
        if row.op.elementwise and np.shape(y) != np.shape(next(x for x in sample.operands if x is not None)):
            yield Fault(f"of shapes {sample.shapes} the result has shape {np.shape(y)}")
            return
        if sample.wrt and getattr(node, "requires_grad", False):
            for i, c in _pulled(row, node, row.cotangent(y), sample).items():
                if c.shape != np.shape(sample.operands[i]):
                    yield Fault(f"of shapes {sample.shapes} the gradient of {row.name(i)} has shape {c.shape}")


# --------------------------------------------------------------------------------------------------------------- dtypes


def check_dtypes(row: Row) -> Aspect:
    """Return whether lower precision stays, in results and gradients, and numbers and integers fit in."""
    if "dtype" in row.samples[0].params:
        return Aspect("dtypes", "not applicable", "the dtype is a param")
    return judged("dtypes", _dtype_faults(row), "float32 and float16 stay; Python numbers do not widen; integers")


def _dtype_faults(row: Row) -> Iterator[Fault]:
    sample = row.samples[0]
    for dtype in KINDS:
        yield from _kept(row, _cast(sample, dtype), dtype)
    floating = [i for i, x in enumerate(sample.operands) if is_float_array(x)]
    if not row.op.elementwise or len(floating) < 2:
        return
    for i in floating:
        number_beside = _number(row)
        narrow = _cast(sample, np.float32).with_operand(i, number_beside)
        narrow = narrow._replace(wrt=tuple(k for k in narrow.wrt if k != i))
        yield from _kept(row, narrow, np.float32)
        yield from _beside_integers(row, sample, i)


def _cast(sample: Sample, dtype: Any) -> Sample:
    return sample.with_floats(lambda x: x.astype(dtype))


def _number(row: Row) -> float:
    low, high = row.op.domain
    return float(low + 0.6 * (high - low))


def _kept(row: Row, sample: Sample, dtype: Any) -> Iterator[Fault]:
    """Yield where a result, or what a rule gives, does not have the dtype of the operands."""
    name = np.dtype(dtype).name
    beside = " beside a Python number" if any(type(x) is float for x in sample.operands) else ""
    try:
        node = row.record(sample)
    except TinygradError:
        return  # LAPACK has no float16
    y = plain(node)
    if y.dtype.kind == "f" and y.dtype != dtype:
        yield Fault(f"{name} operands{beside} give a result of {y.dtype}", WIDENS)
        return
    if not getattr(node, "requires_grad", False):
        return
    u, values = row.cotangent(y), [plain(x) for x in node.inputs]
    saved = getattr(node, "saved", None) if row.op.saves else None
    for i in sample.wrt:
        c = plain(row.rule(i, u, y, values, sample.params, saved))
        given = getattr(c, "dtype", None)
        if given is not None and np.ndim(c) and given.kind == "f" and given != dtype:
            yield Fault(f"the rule of {row.name(i)} gives {given} for {name} operands{beside}", WIDENS)


def _beside_integers(row: Row, sample: Sample, i: int) -> Iterator[Fault]:
    """Yield where an integer operand gives other numbers than the same as floats."""
    low, high = row.op.domain
    whole = np.clip(np.rint(sample.operands[i]), np.ceil(low), np.floor(high)) + 0.0  # integers have no -0
    if np.ceil(low) > np.floor(high):
        return
    wrt = tuple(k for k in sample.wrt if k != i)
    results = []
    for x in (whole.astype(np.int64), whole):
        try:
            node = row.record(sample.with_operand(i, x), wrt)
        except TinygradError:
            return  # it says what it does not take
        u = np.ones(np.shape(plain(node)))
        results.append([np.asarray(plain(node)), *(row.pull(node, u).values() if wrt else ())])
    for a, b in zip(*results, strict=True):
        if not near(a, b):
            at = np.argmax(np.abs(np.asarray(a, np.float64) - b))
            numbers = f"{number(float(a.flat[at]))} instead of {number(float(b.flat[at]))}"
            yield Fault(f"with integers for {row.name(i)} a result or a gradient is {numbers}")
            return
