"""Rows with a planted mistake, and networks of twenty operations to find it in."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from op_cases import direction
from strategies import Call, call

import tinygrad_mlp as tg
from tinygrad_mlp.backward import cotangents, edges
from tinygrad_mlp.table import Op


def network(op: Op, sample: Call, scale: float = 1.0, size: float = 1.0) -> tuple[Callable[..., Any], list[Any]]:
    """A function with ``op`` in the middle of about twenty operations, and inputs for it of a given size.

    Its value is of size ``scale``, its inputs are ``size`` times the operands of the sample.
    """

    def f(*varied: Any) -> Any:
        operands: list[Any] = list(sample.operands)
        for i, x in zip(sample.wrt, varied, strict=True):
            x = x * (2.0 / size)
            x = tg.negative(tg.negative(x) + 1.0) + 1.0
            operands[i] = direction(op, x / 2.0)
        y = call(op, operands, sample.params)
        hidden = tg.tanh(y * 0.1) + tg.sin(y * 0.2 + 0.3) - tg.sigmoid(0.4 - y * 0.3)
        weights = np.cos(np.arange(hidden.size, dtype=hidden.dtype)).reshape(hidden.shape) + 1.5
        return tg.sum(tg.square(hidden + 2.0) * weights.astype(hidden.dtype)) * scale

    return f, [sample.operands[i] * size for i in sample.wrt]


def gradients(f: Callable[..., Any], inputs: Sequence[Any]) -> list[Any] | str:
    """The gradients of ``f``; the error's name if there are none."""
    leaves = [tg.Tensor(x) for x in inputs]
    try:
        with np.errstate(all="ignore"):
            found = cotangents(f(*leaves))
        return [found.get(leaf, np.zeros(leaf.shape)) for leaf in leaves]
    except Exception as error:  # noqa: BLE001  (a planted mistake may fail in any way)
        return type(error).__name__


def tells_apart(before: Any, after: Any) -> bool:
    """Whether gradients differ by more than rounding."""
    if isinstance(before, str) or isinstance(after, str):
        return before != after
    largest = max(1e-6, *(np.max(np.abs(g), initial=0.0) for g in before))  # a residue of rounding is no gradient
    return any(bool(np.any(~(np.abs(a - b) <= 1e-6 * largest))) for a, b in zip(before, after, strict=True))


# -------------------------------------------------------------------------------------------------------- corruptions


def _each(f: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """A corruption of what a rule returns: of one cotangent, or of those of all operands."""

    def corrupt(rule: Any, _before: int) -> Any:
        def corrupt_rule(*args: Any, **kwargs: Any) -> Any:
            c = rule(*args, **kwargs)
            return [None if x is None else f(x) for x in c] if isinstance(c, tuple | list) else f(c)

        return corrupt_rule

    return corrupt


def _transposed(c: Any) -> Any:
    return tg.reshape(tg.transpose(c), np.shape(c)) if np.ndim(c) > 1 else c


def _shifted(c: Any) -> Any:
    return tg.reshape(tg.roll(tg.reshape(c, -1), 1), np.shape(c)) if np.size(c) > 1 else c


def _wrong_input(rule: Any, before: int) -> Any:
    """The first operand's values changed for those of the last, where they have one shape; else reversed in order."""

    def corrupt_rule(*args: Any, **kwargs: Any) -> Any:
        operands = list(args[before:])
        arrays = [n for n, x in enumerate(operands) if getattr(x, "dtype", None) is not None and x.dtype.kind == "f"]
        if len(arrays) > 1 and operands[arrays[0]].shape == operands[arrays[-1]].shape:
            operands[arrays[0]], operands[arrays[-1]] = operands[arrays[-1]], operands[arrays[0]]
        elif arrays:
            x = operands[arrays[0]]
            operands[arrays[0]] = np.ascontiguousarray(x.reshape(-1)[::-1]).reshape(x.shape)
        return rule(*args[:before], *operands, **kwargs)

    return corrupt_rule


def _stale_output(rule: Any, before: int) -> Any:
    """The output as it was a step ago: a little different in every element."""

    def corrupt_rule(*args: Any, **kwargs: Any) -> Any:
        y = args[before - 1]
        if getattr(y, "dtype", None) is not None and y.dtype.kind == "f":
            y = y * 1.05 + 0.01
            kwargs = {**kwargs, "saved": None} if "saved" in kwargs else kwargs
        return rule(*args[: before - 1], y, *args[before:], **kwargs)

    return corrupt_rule


CORRUPTIONS: dict[str, Any] = {
    "sign": _each(lambda c: -c),
    "factor 2": _each(lambda c: 2 * c),
    "factor 1 + 1e-3": _each(lambda c: c * 1.001),
    "transposed": _each(_transposed),
    "wrong input": _wrong_input,
    "zero": _each(lambda c: c * 0.0),
    "shifted by one": _each(_shifted),
    "stale output": _stale_output,
    "un-broadcast by the mean": None,
    "un-broadcast by the first": None,
}


@contextmanager
def corrupted(op: Op, what: str) -> Iterator[None]:
    """Corrupt the rules of a row, or how the engine undoes broadcasting for it."""
    if what.startswith("un-broadcast"):
        with _unbroadcasting(op, np.mean if what.endswith("mean") else lambda c, axis: np.take(c, 0, axis)):
            yield
        return
    before = op.vjps, op.joint_vjp, op.argnum_vjp
    corrupt = CORRUPTIONS[what]
    op.vjps = tuple(None if rule is None else corrupt(rule, 2) for rule in op.vjps)
    op.joint_vjp = op.joint_vjp and corrupt(op.joint_vjp, 3)
    op.argnum_vjp = op.argnum_vjp and corrupt(op.argnum_vjp, 3)
    try:
        yield
    finally:
        op.vjps, op.joint_vjp, op.argnum_vjp = before


@contextmanager
def _unbroadcasting(op: Op, reduce: Callable[..., Any]) -> Iterator[None]:
    right = edges._fit

    def fit(row: Op, c: Any, d: Any) -> Any:
        if row is op and isinstance(c, np.ndarray) and c.size and c.shape != np.shape(d):
            for axis in reversed(range(c.ndim)):
                own = axis - (c.ndim - np.ndim(d))
                if own < 0:
                    c = reduce(c, axis=axis)
                elif np.shape(d)[own] != c.shape[axis]:
                    c = np.expand_dims(reduce(c, axis=axis), axis)
        return right(row, c, d)

    edges._fit = fit
    try:
        yield
    finally:
        edges._fit = right
