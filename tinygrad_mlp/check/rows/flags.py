"""What a row says of itself, held against what it does: its flags, and its documentation."""

from collections.abc import Iterator

import numpy as np

from tinygrad_mlp.check.compare import RTOL
from tinygrad_mlp.check.operand import signed
from tinygrad_mlp.check.recording import STEP, compute

from .report import Aspect, Fault, judged
from .rules import MEASURED, measured_along, near, noise_of
from .samples import Row, Sample, is_float_array


def check_flags(row: Row) -> Aspect:
    """Return whether ``elementwise``, ``linear``, ``analytic`` and ``view`` hold."""
    op = row.op
    said = [name for name in ("elementwise", "linear", "analytic", "view", "saves") if getattr(op, name)]
    aspect = judged("flags", _flag_faults(row), ", ".join(said) or "none is set")
    if aspect.verdict == "right" and not op.view and any(_is_view(row, sample) for sample in row.samples):
        return Aspect("flags", "note", "the result is a view of its operand, and copied: view=True would spare that")
    return aspect


def _flag_faults(row: Row) -> Iterator[Fault]:
    for sample in row.samples:
        given = sample.with_floats(np.copy)
        row.values(given)
        pairs = zip(sample.operands, given.operands, strict=True)
        for i, (a, b) in enumerate(pairs):
            if is_float_array(a) and not np.array_equal(a, b, equal_nan=True):
                yield Fault(f"the forward rule writes into {row.name(i)}", "compute a new array: x + 1, not x += 1")
                return
    if row.op.saves and row.op.scalars:
        yield Fault("saves=True with scalars=True: the node of a float keeps nothing", "scalars=False")
    if row.op.elementwise:
        yield from _elementwise_faults(row)
    if row.op.linear:
        yield from _linear_faults(row)
    if row.op.analytic:
        yield from _analytic_faults(row)


def _elementwise_faults(row: Row) -> Iterator[Fault]:
    """Compare every element of the result with that of the elements of the operands alone."""
    for sample in row.samples:
        shape = np.broadcast_shapes(*(np.shape(x) for x in sample.operands if x is not None))
        y = row.values(sample)
        remedy = "leave elementwise=True out: gradients are then not summed, nor read forwards"
        if y.shape != shape:
            yield Fault(
                f"elementwise=True, but of shapes {sample.shapes} the result has shape {y.shape}, not {shape}", remedy
            )
            continue
        full = [None if x is None else np.broadcast_to(x, shape) for x in sample.operands]
        for at in np.ndindex(shape):
            alone = row.values(sample._replace(operands=tuple(None if x is None else np.array(x[at]) for x in full)))
            if np.size(alone) != 1 or not near(
                np.asarray(alone, np.float64).reshape(()), np.asarray(y[at], np.float64)
            ):
                yield Fault(f"elementwise=True, but element {list(at)} of the result depends on other elements", remedy)
                return


def _linear_faults(row: Row) -> Iterator[Fault]:
    for sample in row.samples:
        other = sample.with_floats(lambda x: signed(row.rng, x.shape))
        pairs = zip(sample.operands, other.operands, strict=True)
        both = sample._replace(operands=tuple(2 * a - 3 * b if is_float_array(a) else a for a, b in pairs))
        if not near(row.values(both), 2 * row.values(sample) - 3 * row.values(other)):
            yield Fault(
                "linear=True, but f(2a − 3b) is not 2 f(a) − 3 f(b), in all operands at once",
                "leave linear=True out: the jvp would be the op itself on the tangents",
            )
            return


def _analytic_faults(row: Row) -> Iterator[Fault]:
    """Compare the complex step with differences: Im f(x + ih) / h (Squire and Trapp, SIAM Review 40, 1998)."""
    remedy = "leave analytic=True out, or write the forward rule without abs, comparisons and real parts"
    for sample in row.samples:
        for i in sample.wrt:
            t = signed(row.rng, sample.operands[i].shape)
            moved = sample.with_operand(i, sample.operands[i] + 1j * STEP * t)
            try:
                slope = np.imag(compute(row.op, moved.operands, row.fresh(sample.params))) / STEP
            except Exception as error:  # noqa: BLE001  (whatever a forward rule does on complex numbers)
                yield Fault(f"analytic=True, but on complex numbers the forward rule raised {error}", remedy)
                return
            measured, bound = measured_along(row, sample, {i: t})
            scale = np.max(np.abs(measured), initial=0.0)
            if np.any(np.abs(slope - measured) > bound + RTOL * scale + MEASURED * noise_of(measured)):
                yield Fault(
                    f"analytic=True, but along {row.name(i)} the complex step disagrees with differences", remedy
                )
                return


def _is_view(row: Row, sample: Sample) -> bool:
    y = compute(row.op, sample.operands, row.fresh(sample.params))
    return any(isinstance(x, np.ndarray) and np.may_share_memory(x, y) for x in sample.operands)


def check_documentation(row: Row) -> Aspect:
    """Return what pictures, formulas and help will lack."""
    op = row.op
    there = {"a docstring": (op.__doc__ or "").strip(), "LaTeX for formulas": op.latex}
    lacks = [what for what, text in there.items() if not text]
    if lacks:
        return Aspect("documentation", "note", "it lacks " + " and ".join(lacks))
    return Aspect("documentation", "right", "docstring, LaTeX")
