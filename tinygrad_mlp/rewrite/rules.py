"""The table of rules: what may stand for a term instead, because it is equal, cheaper or more stable.

A rule gives an equal number wherever the original is finite; a stabilising one stays finite beyond. No rule takes
``x · 0`` for 0 or ``x - x`` for 0: a NaN would be lost.
"""

from collections import defaultdict
from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_mlp import ops
from tinygrad_mlp.table import OPS

from .terms import NUMBERS, Program, Term, _dtype_of, freeze

Rule = Callable[..., Any]
RULES: dict[Any, list[Any]] = defaultdict(list)


class Named:
    """A rule and its name."""

    def __init__(self, title: str, function: Rule) -> None:
        """Take both."""
        self.title = title
        self.function = function
        self.__doc__ = function.__doc__

    def __call__(self, program: Program, *inputs: Any, **params: Any) -> Any:
        """Return what the rule gives."""
        return self.function(program, *inputs, **params)


def rule(title: str, *rows: Any) -> Callable[[Rule], Rule]:
    """Return a decorator that enters a rule for calls of the rows in the table."""

    def enter(function: Rule) -> Rule:
        for row in rows:
            RULES[row].append(Named(title, function))
        return function

    return enter


def chosen(titles: Any) -> dict[Any, list[Any]]:
    """Return the table with only the rules of these titles."""
    return {op: [r for r in rules if r.title in titles] for op, rules in RULES.items()}


def titles() -> list[str]:
    """Return the names of all rules, in order."""
    return list(dict.fromkeys(r.title for rules in RULES.values() for r in rules))


def _is(x: Any, *rows: Any) -> bool:
    return type(x) is Term and x.op in rows


def _alike(x: Term, shape: Any, dtype: Any) -> bool:
    return x.shape == shape and x.dtype == dtype


def _result(op: Any, *inputs: Any) -> tuple[Any, Any]:
    """Return the shape and dtype of an elementwise op."""
    shape = np.broadcast_shapes(*(x.shape for x in inputs if x is not None))
    return shape, _dtype_of(op, tuple(None if x is None else x.dtype for x in inputs), (), {})


def _instead(program: Program, op: Any, kept: Term, *inputs: Any) -> Any:
    """Return ``kept`` in place of ``op(*inputs)``, repeated to its shape if need be; None if the dtype is another."""
    shape, dtype = _result(op, *inputs)
    if kept.dtype != dtype:
        return None
    return kept if kept.shape == shape else program.make(ops.broadcast_to, kept, shape=shape)


# -------------------------------------------------------------------------------------------- constants that are alike

ELEMENTWISE = tuple(op for op in OPS.values() if op.elementwise)


@rule("numbers for constant arrays", *ELEMENTWISE)
def _uniform(program: Program, *inputs: Any, **params: Any) -> Any:
    """An array of one number, among arrays, is that number."""
    op = program.calling
    for i, x in enumerate(inputs):
        if type(x) is Term and x.is_constant and not x.is_number and x.number is not None:
            number = program.constant(x.number)
            others = (*inputs[:i], number, *inputs[i + 1 :])
            if _same_result(op, inputs, others, params):
                return program.put(op, others, params)
    return None


def _same_result(op: Any, inputs: Any, others: Any, params: Any) -> bool:
    frozen = freeze(params)
    kinds = [tuple(None if x is None else x.dtype for x in xs) for xs in (inputs, others)]
    shapes = [np.broadcast_shapes(*(x.shape for x in xs if x is not None)) for xs in (inputs, others)]
    return shapes[0] == shapes[1] and _dtype_of(op, kinds[0], frozen, params) == _dtype_of(op, kinds[1], frozen, params)


@rule("broadcasting left to the operation", *ELEMENTWISE)
def _unbroadcast(program: Program, *inputs: Any, **params: Any) -> Any:
    """Elementwise ops broadcast by themselves."""
    for i, x in enumerate(inputs):
        if _is(x, ops.broadcast_to):
            others = (*inputs[:i], x.inputs[0], *inputs[i + 1 :])
            if _same_result(program.calling, inputs, others, params):
                return program.put(program.calling, others, params)
    return None


# ---------------------------------------------------------------------------------------------------------- arithmetic


@rule("copies are the original", ops.identity)
def _identity(_program: Program, x: Term) -> Any:
    return x


@rule("double negation", ops.negative)
def _negation(_program: Program, x: Term) -> Any:
    return x.inputs[0] if _is(x, ops.negative) else None


@rule("minus a difference", ops.negative)
def _minus_difference(program: Program, x: Term) -> Any:
    return program.make(ops.subtract, x.inputs[1], x.inputs[0]) if _is(x, ops.subtract) else None


@rule("x + 0", ops.add)
def _plus_zero(program: Program, a: Term, b: Term) -> Any:
    if b.number == 0 and type(b.number) in NUMBERS:
        return _instead(program, ops.add, a, a, b)
    if a.number == 0 and type(a.number) in NUMBERS:
        return _instead(program, ops.add, b, a, b)
    return None


@rule("x - 0", ops.subtract)
def _minus_zero(program: Program, a: Term, b: Term) -> Any:
    return _instead(program, ops.subtract, a, a, b) if b.number == 0 and b.is_constant else None


@rule("sum with a negative", ops.add)
def _plus_negative(program: Program, a: Term, b: Term) -> Any:
    if _is(b, ops.negative):
        return program.make(ops.subtract, a, b.inputs[0])
    if _is(a, ops.negative):
        return program.make(ops.subtract, b, a.inputs[0])
    return None


@rule("difference with a negative", ops.subtract)
def _minus_negative(program: Program, a: Term, b: Term) -> Any:
    return program.make(ops.add, a, b.inputs[0]) if _is(b, ops.negative) else None


@rule("x · 1", ops.multiply)
def _times_one(program: Program, a: Term, b: Term) -> Any:
    if b.number == 1 and b.is_constant:
        return _instead(program, ops.multiply, a, a, b)
    if a.number == 1 and a.is_constant:
        return _instead(program, ops.multiply, b, a, b)
    return None


@rule("x · (-1)", ops.multiply)
def _times_minus_one(program: Program, a: Term, b: Term) -> Any:
    for x, y in ((a, b), (b, a)):
        if y.is_constant and y.number == -1 and x.dtype == _result(ops.multiply, a, b)[1]:
            return _instead(program, ops.multiply, program.make(ops.negative, x), a, b)
    return None


@rule("x / 1", ops.divide)
def _over_one(program: Program, a: Term, b: Term) -> Any:
    return _instead(program, ops.divide, a, a, b) if b.number == 1 and b.is_constant else None


@rule("product of negatives", ops.multiply)
def _negatives(program: Program, a: Term, b: Term) -> Any:
    if _is(a, ops.negative) and _is(b, ops.negative):
        return program.make(ops.multiply, a.inputs[0], b.inputs[0])
    return None


@rule("x · x", ops.multiply)
def _squared(program: Program, a: Term, b: Term) -> Any:
    return program.make(ops.square, a) if a is b and not a.is_number else None


@rule("powers by products", ops.power)
def _power(program: Program, a: Term, b: Term) -> Any:
    n = b.value if type(b.value) in NUMBERS else None
    if n is None or a.is_number or np.dtype(a.dtype).kind != "f" or n not in (0.5, 1, 2, 3, -1):
        return None
    if n == 0.5:
        return program.make(ops.sqrt, a)
    if n == -1:
        return program.make(ops.divide, 1.0, a)
    square = program.make(ops.square, a)
    return a if n == 1 else square if n == 2 else program.make(ops.multiply, square, a)


# ------------------------------------------------------------------------------------------------------------- choices


@rule("choice by the opposite condition", ops.where)
def _where_not(program: Program, condition: Term, a: Term, b: Term) -> Any:
    return program.make(ops.where, condition.inputs[0], b, a) if _is(condition, ops.logical_not) else None


@rule("choice by a known condition", ops.where)
def _where_known(program: Program, condition: Term, a: Term, b: Term) -> Any:
    if not condition.is_constant or condition.number is None:
        return None
    return _instead(program, ops.where, a if condition.number else b, condition, a, b)


# ------------------------------------------------------------------------------------------------------------- shapes


@rule("same shape", ops.reshape)
def _reshape(program: Program, x: Term, shape: Any) -> Any:
    wanted = _full_shape(x, ops.shaping.as_tuple(shape))
    if wanted == x.shape and not x.is_number:
        return x
    if _is(x, ops.reshape):
        return program.put(ops.reshape, x.inputs, {"shape": wanted})
    return None if wanted == shape else program.put(ops.reshape, (x,), {"shape": wanted})


def _full_shape(x: Term, shape: Any) -> tuple[int, ...]:
    """Return a shape without -1."""
    if -1 not in shape:
        return tuple(shape)
    rest = 1
    for n in shape:
        rest *= n if n != -1 else 1
    return tuple(x.size // rest if n == -1 else n for n in shape)


@rule("axes that stay", ops.transpose)
def _transpose(program: Program, x: Term, axes: Any = None) -> Any:
    order = tuple(range(x.ndim))[::-1] if axes is None else tuple(a % x.ndim for a in ops.shaping.as_tuple(axes))
    if order == tuple(range(x.ndim)):
        return x
    if _is(x, ops.transpose):
        inner = x.params["axes"]
        return program.put(ops.transpose, x.inputs, {"axes": tuple(inner[i] for i in order)})
    return None if axes == order else program.put(ops.transpose, (x,), {"axes": order})


@rule("one name for moves of axes", ops.swapaxes)
def _swapaxes(program: Program, x: Term, axis1: int, axis2: int) -> Any:
    order = list(range(x.ndim))
    order[axis1], order[axis2] = order[axis2], order[axis1]
    return program.put(ops.transpose, (x,), {"axes": tuple(order)})


@rule("one name for changes of shape", ops.expand_dims, ops.squeeze)
def _reshaped(program: Program, x: Term, axis: Any = None) -> Any:
    y = program.calling.forward(np, np.broadcast_to(np.zeros(()), x.shape), axis=axis)
    return program.put(ops.reshape, (x,), {"shape": y.shape})


@rule("broadcasting to the same shape", ops.broadcast_to)
def _broadcast(program: Program, x: Term, shape: Any) -> Any:
    wanted = ops.shaping.as_tuple(shape)
    if wanted == x.shape and not x.is_number:
        return x
    if _is(x, ops.broadcast_to):
        return program.put(ops.broadcast_to, x.inputs, {"shape": wanted})
    if x.is_constant and not x.is_number:
        return program.constant(np.broadcast_to(x.value, wanted))
    return None


@rule("summing over nothing", ops.sum_to)
def _sum_to(_program: Program, x: Term, shape: Any) -> Any:
    return x if tuple(shape) == x.shape else None


@rule("axes from the front", ops.sum, ops.max, ops.min, ops.prod, ops.any, ops.all)
def _axes(program: Program, x: Term, axis: Any = None, keepdims: bool = False) -> Any:
    axes = ops.reductions.reduced_axes(axis, x.ndim)
    if type(axis) is tuple and axis == axes and type(keepdims) is bool:
        return None
    return program.put(program.calling, (x,), {"axis": tuple(sorted(axes)), "keepdims": bool(keepdims)})


@rule("same dtype", ops.astype)
def _astype(_program: Program, x: Term, dtype: Any) -> Any:
    return x if not x.is_number and x.dtype == np.dtype(dtype) else None


# ------------------------------------------------------------------------------------------------------------ stability


@rule("log of softmax", ops.log)
def _log_softmax(program: Program, x: Term) -> Any:
    return program.put(ops.log_softmax, x.inputs, x.params) if _is(x, ops.softmax) else None


@rule("log of 1 + exp", ops.log)
def _softplus(program: Program, x: Term) -> Any:
    if _is(x, ops.add):
        for one, e in (x.inputs, x.inputs[::-1]):
            if one.is_constant and one.number == 1 and _is(e, ops.exp) and e.shape == x.shape:
                return program.make(ops.softplus, e.inputs[0])
    return None


@rule("log of 1 + exp, as log1p", ops.log1p)
def _softplus_of_log1p(program: Program, x: Term) -> Any:
    return program.make(ops.softplus, x.inputs[0]) if _is(x, ops.exp) else None


@rule("log of a sum of exp", ops.log)
def _logsumexp(program: Program, x: Term) -> Any:
    return (
        program.put(ops.logsumexp, x.inputs[0].inputs, x.params)
        if _is(x, ops.sum) and _is(x.inputs[0], ops.exp) and not x.inputs[0].inputs[0].is_number
        else None
    )


@rule("softmax written out", ops.divide)
def _softmax(program: Program, a: Term, b: Term) -> Any:
    if not (_is(a, ops.exp) and _is(b, ops.sum) and b.inputs[0] is a and b.params.get("keepdims")):
        return None
    axes = ops.reductions.reduced_axes(b.params.get("axis"), a.ndim)
    return program.make(ops.softmax, a.inputs[0], axis=axes[0]) if len(axes) == 1 and a.ndim else None


@rule("log of sigmoid", ops.log)
def _log_sigmoid(program: Program, x: Term) -> Any:
    return program.make(ops.log_sigmoid, x.inputs[0]) if _is(x, ops.sigmoid) else None


@rule("sigmoid written out", ops.divide)
def _sigmoid(program: Program, a: Term, b: Term) -> Any:
    if not (a.is_constant and a.number == 1 and _is(b, ops.add)):
        return None
    for one, e in (b.inputs, b.inputs[::-1]):
        if one.is_constant and one.number == 1 and _is(e, ops.exp) and _is(e.inputs[0], ops.negative):
            return program.make(ops.sigmoid, e.inputs[0].inputs[0])
    return None


@rule("Y · (T / Y)", ops.multiply)
def _cancelled(program: Program, a: Term, b: Term) -> Any:
    for y, q in ((a, b), (b, a)):
        if _is(q, ops.divide) and q.inputs[1] is y and q.inputs[0].shape == q.shape:
            return _instead(program, ops.multiply, q.inputs[0], a, b)
        if _is(q, ops.negative) and _is(q.inputs[0], ops.divide) and q.inputs[0].inputs[1] is y:
            t = program.make(ops.negative, q.inputs[0].inputs[0])
            return _instead(program, ops.multiply, t, a, b)
    return None


@rule("weights of a softmax", ops.multiply)
def _weighted_softmax(program: Program, a: Term, b: Term) -> Any:
    """(e / Σ e) w is e (w / Σ e): one operation on the whole array instead of two; neither quotient overflows."""
    for y, w in ((a, b), (b, a)):
        if _is(y, ops.divide) and _is(y.inputs[0], ops.exp) and w.ndim == y.ndim and w.shape == y.inputs[1].shape:
            e, total = y.inputs
            if _is(total, ops.sum) and total.inputs[0] is e and total.size < e.size:
                return program.make(ops.multiply, e, program.make(ops.divide, w, total))
    return None


STABILISING = frozenset(
    r.title
    for rules in RULES.values()
    for r in rules
    if r.title.startswith(("log of", "softmax written", "sigmoid written"))
)
STABLE = {op: list(rules) for op, rules in RULES.items()}
EXACT = {op: [r for r in rules if r.title not in STABILISING] for op, rules in RULES.items()}
