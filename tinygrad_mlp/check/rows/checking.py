"""``check_op``: one row of the op table, every promise that a row makes, in one call."""

import difflib
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_mlp.check.reporting import Verdict
from tinygrad_mlp.errors import GradcheckError, UnsupportedError
from tinygrad_mlp.table import OPS, Op

from .cotangents import check_linearity, check_reads
from .flags import check_documentation, check_flags
from .forms import check_broadcasting, check_dtypes, check_shapes
from .points import check_floats, check_special_points
from .report import Aspect, OpReport, RuleError
from .rules import check_jvp, check_second_order, check_vjp
from .samples import Row

DERIVATIVES = ("vjp", "jvp", "second order", "linearity in the cotangent", "reads")
ASPECTS = (
    "vjp", "jvp", "second order", "linearity in the cotangent", "broadcasting", "shapes", "dtypes", "special points",
    "floats against arrays", "reads", "flags", "documentation",
)  # fmt: skip


def check_op(
    op: Op | str,
    *operands: Any,
    rng: int | np.random.Generator = 0,
    raise_exception: bool = True,
    **params: Any,
) -> OpReport:
    """Return a report on a row of the op table: its derivatives, its shapes and dtypes, its flags.

    For people who add a row. Every aspect has a verdict of its own, and what is wrong comes with what to do.

    Args:
        op: What ``@primitive`` gave, or its name in the table.
        operands: Of one call that suits the row, at which it is smooth; without them, operands are made. For an
            elementwise row they come from its ``domain``.
        rng: The seed or generator for all that is drawn; the row's too, if it takes one.
        raise_exception: Raise if an aspect is wrong, instead of only reporting it.
        **params: Of the call.

    Raises:
        GradcheckError: An aspect is wrong; the message is the report.
        UnsupportedError: No such op, or no operands were given and none that were tried suit it.

    >>> report = check_op("tanh")
    >>> report.verdict, report["second order"].verdict
    ('right', 'right')
    """
    op = _row(op)
    if "rng" in op.param_names:
        params = {**params, "rng": np.random.default_rng(rng)}
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            row = Row(op, operands, params, np.random.default_rng(rng))
        except RuleError as error:  # of the forward rule, whatever the operands
            shapes, found = "", _blocked(Aspect("flags", "wrong", error.fault.what, (error.fault,)))
        else:
            shapes, found = "; ".join(sample.shapes for sample in row.samples), _aspects(row)
    aspects = tuple(found[name] for name in ASPECTS)
    states = {aspect.verdict for aspect in aspects}
    verdict: Verdict = "wrong" if "wrong" in states else "undecided" if "undecided" in states else "right"
    report = OpReport(op.name, verdict, aspects, f"operands: {shapes}" if shapes else "")
    if raise_exception and verdict == "wrong":
        raise GradcheckError(str(report))
    return report


def _row(op: Any) -> Op:
    if isinstance(op, Op):
        return op
    if not isinstance(op, str):
        raise UnsupportedError(f"check_op: takes an op, made by @primitive, or its name, not {op!r}: use gradcheck")
    if op in OPS:
        return OPS[op]
    close = difflib.get_close_matches(op, OPS, 1)
    raise UnsupportedError(f"check_op: the table has no op {op!r}" + (f": did you mean {close[0]!r}?" if close else ""))


def _aspects(row: Row) -> dict[str, Aspect]:
    """Return every aspect; what could only repeat another's fault is not checked."""
    documentation, flags = check_documentation(row), check_flags(row)
    found = {"flags": flags, "documentation": documentation}
    if flags.verdict == "wrong":  # what they say is what the other checks go by
        return _blocked(flags) | {"documentation": documentation}
    if row.fault is not None:
        vjp = Aspect("vjp", "wrong", row.fault.what, (row.fault,))
        return _blocked(vjp) | found
    if row.is_differentiable or row.op.differentiable:
        found |= _derivatives(row)
    else:
        found |= {name: Aspect(name, "not applicable", "differentiable=False") for name in DERIVATIVES}
    others: dict[str, Callable[[], Aspect]] = {
        "broadcasting": lambda: check_broadcasting(row, found["vjp"]),
        "shapes": lambda: check_shapes(row),
        "dtypes": lambda: check_dtypes(row),
        "special points": lambda: check_special_points(row, found["vjp"]),
        "floats against arrays": lambda: check_floats(row),
    }
    return found | {name: check() for name, check in others.items()}


def _blocked(fault: Aspect) -> dict[str, Aspect]:
    """Return all aspects, not checked but for one that is wrong."""
    why = f"put right first: {fault.name}"
    return {name: Aspect(name, "not checked", why) for name in ASPECTS} | {fault.name: fault}


def _derivatives(row: Row) -> dict[str, Aspect]:
    if not row.is_differentiable:
        vjp = check_vjp(row)
        return {name: Aspect(name, "not checked", "there is no vjp") for name in DERIVATIVES} | {"vjp": vjp}
    linearity, reads = check_linearity(row), check_reads(row)
    found = {"linearity in the cotangent": linearity, "reads": reads}
    if linearity.verdict == "wrong":
        why = "put the linearity in the cotangent right first"
        return found | {name: Aspect(name, "not checked", why) for name in DERIVATIVES[:3]}
    vjp = check_vjp(row)
    forward = check_jvp(row, vjp)
    return found | {"vjp": vjp, "jvp": forward, "second order": check_second_order(row, vjp, forward)}
