"""What the rules of a row do with what they are given: linear in the cotangent, write nothing, read what they say."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from tinygrad_mlp.check.recording import plain
from tinygrad_mlp.graph import NODES

from .report import Aspect, Fault, judged
from .rules import near, noise_of
from .samples import Row

FACTOR = "a vjp is the cotangent g times the Jacobian: g enters every term, once, as a factor"
UNREAD = (
    "name in the rule what it reads without an underscore: a constant that is not read is not copied, and may change"
)


def check_linearity(row: Row) -> Aspect:
    """Return whether the vjps are linear in the cotangent, and write into nothing."""
    name = "linearity in the cotangent"
    return judged(
        name, _linearity_faults(row), "vjp(2u − 3v) = 2 vjp(u) − 3 vjp(v), vjp(0) = 0; nothing is overwritten"
    )


def _linearity_faults(row: Row) -> Iterator[Fault]:
    for sample in row.samples:
        node = row.record(sample)
        y = np.array(plain(node))
        u, v = row.cotangent(y), row.cotangent(y)
        given, inputs = u.copy(), [np.array(plain(x)) for x in node.inputs]
        at_u = {i: c.copy() for i, c in row.pull(node, given).items()}
        written = [
            name for name, a, b in (("the cotangent g", given, u), ("the output y", plain(node), y)) if _changed(a, b)
        ]
        written += [row.name(i) for i, x in enumerate(node.inputs) if _changed(plain(x), inputs[i])]
        for name in written:
            yield Fault(f"its vjp writes into {name}", "compute a new array: g * x, not g *= x")
        if written:
            return
        at_v, both, none = row.pull(node, v), row.pull(node, 2 * u - 3 * v), row.pull(node, 0 * u)
        for i, c in at_u.items():
            if not np.all(np.isfinite(c)):
                continue  # whatever it is, the vjp is wrong
            if np.any(none[i]):
                yield Fault(f"the vjp of {row.name(i)} gives {none[i][none[i] != 0][0]:g} for g = 0", FACTOR)
            elif not near(both[i], 2 * c - 3 * at_v[i], noise_of(y)):
                yield Fault(
                    f"the vjp of {row.name(i)} is not linear in g: vjp(2u − 3v) is not 2 vjp(u) − 3 vjp(v)", FACTOR
                )


def _changed(a: Any, b: Any) -> bool:
    return a is not None and not np.array_equal(a, b, equal_nan=b.dtype.kind == "f")


def check_reads(row: Row) -> Aspect:
    """Return whether rules read only what they name without a leading underscore."""
    return judged("reads", _read_faults(row), "operands named with an underscore are not read")


def _read_faults(row: Row) -> Iterator[Fault]:
    op = row.op
    for sample in row.samples[:1]:
        node = row.record(sample)
        values, y, u = [_copied(plain(x)) for x in node.inputs], plain(node), row.cotangent(plain(node))
        saved = getattr(node, "saved", None) if op.saves else None
        for i in sample.wrt:
            right = _numbers(row.rule(i, u, y, [_copied(x) for x in values], sample.params, saved))
            for k, x in enumerate(values):
                if x is None or _declared_read(op, i, k):
                    continue
                poisoned = [*values[:k], _poison(x), *values[k + 1 :]]
                if not _same(row, right, (i, u, y, poisoned, sample.params, saved)):
                    yield Fault(
                        f"the rule of {row.name(i)} reads {row.name(k)}, which it names with an underscore", UNREAD
                    )
            if _ignores_output(op, i) and not _same(row, right, (i, u, _poison(y), values, sample.params, saved)):
                yield Fault(f"the rule of {row.name(i)} reads the output y, which it names with an underscore", UNREAD)


def _copied(x: Any) -> Any:
    return x.copy() if isinstance(x, np.ndarray) else x


def _declared_read(op: Any, i: int, k: int) -> bool:
    if op.argnum_vjp is not None:
        return bool(op.reads[0][0])
    return bool(op.reads[0 if op.joint_vjp is not None else i][k])


def _ignores_output(op: Any, i: int) -> bool:
    rule, at = (op.joint_vjp or op.argnum_vjp, 2) if op.joint_vjp or op.argnum_vjp else (op.vjps[i], 1)
    code = getattr(rule, "__code__", None)
    at += hasattr(rule, "__self__")
    return code is not None and code.co_argcount > at and code.co_varnames[at].startswith("_")


def _poison(x: Any) -> Any:
    return np.full_like(x, np.nan) if x.dtype.kind == "f" else np.zeros_like(x)


def _numbers(c: Any) -> Any:
    return np.asarray(c._payload if type(c) in NODES else c, np.float64)


def _same(row: Row, right: Any, call: Any) -> bool:
    """Return whether a rule gives the same; an error means that it read what it was given."""
    try:
        return bool(np.array_equal(_numbers(row.rule(*call)), right, equal_nan=True))
    except Exception:  # noqa: BLE001  (RuleError, or no numbers at all)
        return False
