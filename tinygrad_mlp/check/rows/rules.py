"""The derivatives of a row of the op table: its vjps, its jvps, those of the gradient, and what the rules read."""

from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import Any

import numpy as np

from tinygrad_mlp.backward import contributions
from tinygrad_mlp.check.compare import RTOL
from tinygrad_mlp.check.differences import FIRST, RATIO, Floats, along, extrapolated
from tinygrad_mlp.check.gradients import gradcheck, gradgradcheck
from tinygrad_mlp.check.operand import signed
from tinygrad_mlp.check.recording import plain
from tinygrad_mlp.check.report import Culprit, Element, GradcheckReport
from tinygrad_mlp.check.reporting import count, number
from tinygrad_mlp.check.rules import check_rules
from tinygrad_mlp.graph import GRADIENTS, NODES, mode, recording
from tinygrad_mlp.tensors import Tensor
from tinygrad_mlp.transforms import jvp, push

from .report import Aspect, Fault, RuleError, judged
from .samples import Row, Sample, advice

ROOM = 1e-9  # relative, for two ways to compute the same in float64
CANCELLED = 1e-12
MEASURED = 100  # so much more noise has a difference quotient
FACTORS = (-1.0, 2.0, 0.5, -2.0, -0.5)
TANGENT = "return the tangent in the output's shape: broadcast_to(…, shape=y.shape)"
LOST = "write the rule with ops (tinygrad_mlp.ops, or NumPy's functions on the nodes), not with .data or .numpy()"
WRITES = "writes into"  # what check_rules says of a rule that writes into its cotangent


# ------------------------------------------------------------------------------------------------------------------ vjp


def check_vjp(row: Row) -> Aspect:
    """Return whether every operand's gradient is right, whichever operands are constants."""
    if not any((row.op.vjps, row.op.joint_vjp, row.op.argnum_vjp)):
        what = "no vjp is registered"
        return Aspect("vjp", "wrong", what, (Fault(what, "defvjp(op, …), or declare differentiable=False"),))
    names = [row.name(i) for i in row.samples[0].wrt]
    return judged("vjp", _vjp_faults(row), f"{', '.join(names)}: in {count(len(row.samples), 'call')}")


def _vjp_faults(row: Row) -> Iterator[Fault]:
    told = set()  # of several calls, the first in which an operand's gradient is wrong
    for sample in row.samples:
        node = row.record(sample)
        u = row.cotangent(plain(node))
        whole = row.pull(node, u)
        for fault in check_rules([node], row.rng, thorough=True).faults:
            if fault.operand in told or WRITES in fault.message:
                continue
            told.add(fault.operand)
            culprit = Culprit(row.op.name, fault.operand, *fault[2:6], source="", message=fault.message)
            text = str(culprit).partition(": ")[2].replace(f"operand {fault.operand}", row.name(fault.operand))
            if row.op.elementwise and not fault.message:
                there = [None if x is None else x[fault.element] for x in sample.operands]
                text = text.replace(" gives ", f", at {row.at(there)}, gives ", 1)
            yield Fault(text, slip_of(row, sample, fault.operand, u, whole[fault.operand]))
        for size in range(1, len(sample.wrt)):
            for wrt in combinations(sample.wrt, size):
                for i, c in row.pull(row.record(sample, wrt), u).items():
                    if i not in told and not near(c, whole[i], noise_of(plain(node))):
                        told.add(i)
                        others = " and ".join(row.name(k) for k in sample.wrt if k not in wrt)
                        yield Fault(
                            f"{row.name(i)} gets another gradient where {others} is a constant",
                            "the rule must give the same whatever `wanted` says of the others",
                        )


def slip_of(row: Row, sample: Sample, i: int, u: Any, c: Floats) -> str:
    """Return how the gradient ``c`` of operand ``i`` is related to the measured one as a whole, if simply."""
    x = sample.operands[i]
    if row.op.symmetric or not x.size:
        return ""
    measured, alone = np.zeros(x.shape), np.zeros(x.shape)
    for j in np.ndindex(x.shape):
        unit = np.zeros(x.shape)
        unit[j] = 1.0
        slope = measured_along(row, sample, {i: unit})[0]
        measured[j], alone[j] = np.sum(u * slope), np.sum(slope)

    def same(a: Any) -> bool:
        return bool(np.any(measured) and np.allclose(c, a, rtol=1e-6, atol=1e-9 * np.abs(measured).max()))

    for k in FACTORS:
        if same(k * measured):
            return (
                "the sign of the whole gradient is wrong"
                if k == -1
                else f"the whole gradient is {number(k)} times what it should be"
            )
    if x.ndim > 1 and x.shape[-1] == x.shape[-2] and same(np.swapaxes(measured, -1, -2)):
        return "the gradient is transposed"
    return "the cotangent g is left out" if same(alone) else ""


def measured_along(row: Row, sample: Sample, ts: dict[int, Any]) -> tuple[Floats, Floats]:
    """Return the derivative of the output along tangents of some operands, and its error bound."""
    size = max((float(np.max(np.abs(sample.operands[i]), initial=0.0)) for i in ts), default=1.0) or 1.0

    def line(s: float) -> Floats:
        moved = sample
        for i, t in ts.items():
            moved = moved.with_operand(i, moved.operands[i] + s * t)
        return np.asarray(row.values(moved), np.float64)

    h = 2.0 ** np.floor(np.log2(size * FIRST))
    return extrapolated(along(line, h), along(line, h / RATIO), line(0.0), float(np.finfo(np.float64).eps))


def near(a: Any, b: Any, noise: float = 0.0) -> bool:
    """Return whether two arrays agree up to rounding, and up to the noise of what cancelled in them."""
    scale = float(np.max(np.abs(b), initial=0.0, where=np.isfinite(b)))
    return np.shape(a) == np.shape(b) and bool(np.allclose(a, b, rtol=ROOM, atol=ROOM * scale + noise, equal_nan=True))


def noise_of(y: Any) -> float:
    """Return what rounding may leave of a gradient that is zero, where the output is of this size."""
    return CANCELLED * (1.0 + float(np.max(np.abs(y), initial=0.0, where=np.isfinite(y))))


# ------------------------------------------------------------------------------------------------------------------ jvp


def check_jvp(row: Row, vjp: Aspect) -> Aspect:
    """Return whether forward mode gives the measured derivative along random tangents, operand by operand."""
    op = row.op
    if vjp.verdict != "right" and not op.jvps:
        return Aspect("jvp", "not checked", "derived from the vjp: put that right first")
    how = "the op's own" if op.jvps else "the op on the tangents" if op.linear else "derived from the vjp"
    return judged("jvp", _jvp_faults(row), how)


def _jvp_faults(row: Row) -> Iterator[Fault]:
    for sample in row.samples:
        for wrt in [(i,) for i in sample.wrt] + [sample.wrt] * (len(sample.wrt) > 1):
            ts = {i: symmetrical(row, signed(row.rng, sample.operands[i].shape)) for i in wrt}
            tangent = pushed(row, sample, ts)
            measured, bound = measured_along(row, sample, ts)
            names = " and ".join(row.name(i) for i in wrt)
            if tangent.shape != measured.shape:
                yield Fault(
                    f"along {names} it has shape {tangent.shape}, the output {measured.shape}",
                    TANGENT,
                )
                continue
            scale = np.fmax(np.abs(tangent), np.abs(measured))
            room = bound + RTOL * scale + ROOM * np.max(scale, initial=0.0, where=np.isfinite(scale))
            room += MEASURED * noise_of(row.values(sample))
            off = np.abs(tangent - measured) > room
            off |= np.isnan(tangent) & np.isfinite(bound)
            if np.any(off):
                at = tuple(int(n[0]) for n in np.nonzero(np.atleast_1d(off)))[: off.ndim]
                a, b, e = (float(part[at]) for part in (tangent, measured, bound))
                numbers = f"gives {number(a)}, measured {number(b)} ± {e:.1g}"
                yield Fault(f"along {names} its jvp {numbers} in element {list(at)} of the output", _jvp_advice(row))


def _jvp_advice(row: Row) -> str:
    if row.op.jvps:
        return "put right the rule given to defjvp, or leave it out: by default the jvp is derived"
    return "linear=True makes the op itself the jvp: is it linear in all operands?" if row.op.linear else ""


def pushed(row: Row, sample: Sample, ts: dict[int, Any]) -> Floats:
    """Return what forward mode gives along tangents of some operands.

    Raises:
        RuleError: A rule failed.
    """
    xs = tuple(sample.operands[i].copy() for i in ts)
    try:
        _, tangent = jvp(of_operands(row, sample, tuple(ts)), xs, tuple(ts.values()))
    except Exception as error:
        raise RuleError(f"its jvp raised {type(error).__name__}: {error}", advice(error)) from error
    return np.asarray(tangent, np.float64)


def symmetrical(row: Row, x: Any) -> Any:
    """Return the symmetric part, for a row whose matrices are symmetric."""
    return (x + x.swapaxes(-1, -2)) / 2 if row.op.symmetric else x


def of_operands(row: Row, sample: Sample, wrt: Sequence[int]) -> Any:
    """Return the row as a function of some operands."""

    def f(*varied: Any) -> Any:
        operands = list(sample.operands)
        for i, x in zip(wrt, varied, strict=True):
            operands[i] = symmetrical(row, x)
        return row.op.apply(tuple(operands), row.fresh(sample.params))

    f.__name__ = row.op.name
    return f


# --------------------------------------------------------------------------------------------------------- second order


def check_second_order(row: Row, vjp: Aspect, forward: Aspect) -> Aspect:
    """Return whether the gradient of the gradient is right; it is lost where a rule computes with raw NumPy."""
    if vjp.verdict != "right":
        return Aspect("second order", "not checked", "put the vjp right first")
    undecided = []

    def faults() -> Iterator[Fault]:
        for sample in row.samples:
            f, xs = of_operands(row, sample, sample.wrt), [sample.operands[i].copy() for i in sample.wrt]
            checks = [lambda f=f, xs=xs: gradgradcheck(f, *xs, rng=row.rng, raise_exception=False)]
            if row.op.jvps and forward.verdict == "right":
                checks.append(lambda f=f, xs=xs: _of_the_jvp(row, f, xs))
            for check in checks:
                report = _reported(check)
                if report.verdict == "wrong" and not _is_noise(report):
                    yield _second_fault(row, sample, report)
                undecided.extend(report.undecided)

    aspect = judged("second order", faults(), "the gradient of the gradient")
    if aspect.verdict == "right" and undecided:
        e: Element = undecided[0]
        return Aspect("second order", "undecided", f"{e.name}: {e.reason}")
    return aspect


def _is_noise(report: GradcheckReport) -> bool:
    """Return whether all that is wrong is what should cancel, and does up to the rounding of the others."""
    scale = max((max(abs(e.analytic), abs(e.numeric)) for e in report.elements if np.isfinite(e.analytic)), default=0.0)
    return bool(report.failures) and all(e.error <= ROOM * scale for e in report.failures)


def _of_the_jvp(row: Row, f: Any, xs: Sequence[Any]) -> GradcheckReport:
    """Return the check of the derivative of what forward mode gives."""
    ts = [symmetrical(row, signed(row.rng, x.shape)) for x in xs]

    def tangent(*leaves: Any) -> Any:
        with recording(mode() | GRADIENTS):
            return push(f(*leaves), dict(zip(leaves, ts, strict=True)), create_graph=True)

    tangent.__name__ = f"the jvp of {row.op.name}"
    return gradcheck(tangent, *xs, rng=row.rng, raise_exception=False)


def _reported(check: Any) -> GradcheckReport:
    try:
        report: GradcheckReport = check()
    except Exception as error:
        raise RuleError(
            f"on nodes its rule raised {type(error).__name__}: {error}",
            "a rule computes with ops, which take nodes too; what the forward rule saved is None then: recompute it",
        ) from error
    return report


def _second_fault(row: Row, sample: Sample, report: GradcheckReport) -> Fault:
    if report.check == "gradcheck":
        return Fault("the derivative of the jvp is wrong, though the jvp is right", LOST)
    if lost := _lost(row, sample):
        return Fault(f"the graph of the gradient is lost: {lost}", LOST)
    e = report.failures[0] if report.failures else None
    what = (
        f"{e.name} gives {number(e.analytic)}, measured {number(e.numeric)} ± {e.bound:.1g}" if e else report.headline()
    )
    return Fault(
        f"the gradient of the gradient is wrong: {what}",
        "is every factor of the rule computed by ops from the operands, y and g that it is given?",
    )


def _lost(row: Row, sample: Sample) -> str:
    """Return which operand's gradient is no node, or a node that does not depend on the cotangent."""
    node = row.record(sample)
    u = Tensor(row.cotangent(plain(node)))
    with recording(GRADIENTS):
        pulled = contributions(node, u, create_graph=True)
    wanted = [i for i, x in enumerate(node.inputs) if type(x) in NODES and x.requires_grad]
    for i, (_, c) in zip(wanted, pulled, strict=True):
        if type(c) not in NODES:
            return f"the rule of {row.name(i)} returns raw numbers"
        if not c.requires_grad or not _reaches(c, u):
            return f"what the rule of {row.name(i)} returns does not depend on g"
        if not any(_reaches(c, x) for x in (node, *node.inputs) if type(x) in NODES):
            return f"what the rule of {row.name(i)} returns depends on g alone, not on the operands or y"
    return ""


def _reaches(root: Any, goal: Any) -> bool:
    pending, seen = [root], set()
    while pending:
        node = pending.pop()
        if node is goal:
            return True
        if type(node) in NODES and node.requires_grad and node.op is not None and node not in seen:
            seen.add(node)
            pending += node.inputs
    return False
