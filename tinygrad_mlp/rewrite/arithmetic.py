"""Rules of arithmetic: they give the same numbers, and NaN and infinities where the original has them.

None takes ``x · 0`` or ``x - x`` for 0: a NaN would be lost. Only the sign of a zero may change: ``-0.0 + 0`` is -0.0.
"""

from math import frexp
from typing import Any

import numpy as np

from tinygrad_mlp import ops

from .ruling import ELEMENTWISE, both_ways, instead, is_, is_float, is_one, like, result, rule
from .terms import NUMBERS, Program, Term

WHOLE = 2**31  # a float below it that is a whole number may be written as an integer


@rule("numbers for constant arrays", *ELEMENTWISE)
def _uniform(program: Program, *inputs: Any, **params: Any) -> Any:
    """An array of one number, among arrays, is that number."""
    for i, x in enumerate(inputs):
        if type(x) is Term and x.is_constant and not x.is_number and x.number is not None:
            found = _replaced(program, inputs, i, program.constant(x.number), params)
            if found is not None:
                return found
    return None


@rule("whole numbers", *ELEMENTWISE)
def _whole(program: Program, *inputs: Any, **params: Any) -> Any:
    """``1.0`` among arrays is ``1``: one name for it, so that equal terms are found."""
    for i, x in enumerate(inputs):
        v = x.value if type(x) is Term else None
        if type(v) is float and v and abs(v) < WHOLE and v == int(v) and any(map(_is_array, inputs)):
            found = _replaced(program, inputs, i, program.constant(int(v)), params)
            if found is not None:
                return found
    return None


@rule("broadcasting left to the operation", *ELEMENTWISE)
def _unbroadcast(program: Program, *inputs: Any, **params: Any) -> Any:
    """Elementwise operations broadcast by themselves."""
    for i, x in enumerate(inputs):
        if is_(x, ops.broadcast_to):
            found = _replaced(program, inputs, i, x.inputs[0], params)
            if found is not None:
                return found
    return None


def _is_array(x: Any) -> bool:
    return type(x) is Term and not x.is_number


def _replaced(program: Program, inputs: Any, i: int, new: Term, params: Any) -> Any:
    """Return the call with another operand, None if that changes its shape or dtype."""
    op, others = program.calling, (*inputs[:i], new, *inputs[i + 1 :])
    shape, dtype = result(op, *inputs, **params)
    theirs = result(op, *others, **params)
    if theirs[0] != shape or type(theirs[1]) is not type(dtype) or theirs[1] != dtype:
        return None
    return program.put(op, others, params)


# ------------------------------------------------------------------------------------------------------ zeros and ones


@rule("copies are the original", ops.identity, kind="form")
def _identity(_program: Program, x: Term) -> Any:
    """A copy within a program is what it copies."""
    return x


@rule("x + 0", ops.add)
def _plus_zero(program: Program, a: Term, b: Term) -> Any:
    """``x + 0`` is ``x``."""
    for x, zero in ((a, b), (b, a)):
        if zero.is_constant and zero.number == 0:
            return instead(program, ops.add, x, a, b)
    return None


@rule("x - 0", ops.subtract)
def _minus_zero(program: Program, a: Term, b: Term) -> Any:
    """``x - 0`` is ``x``."""
    return instead(program, ops.subtract, a, a, b) if b.is_constant and b.number == 0 else None


@rule("0 - x", ops.subtract)
def _zero_minus(program: Program, a: Term, b: Term) -> Any:
    """``0 - x`` is ``-x``."""
    if a.is_constant and a.number == 0 and is_float(b):
        return instead(program, ops.subtract, program.make(ops.negative, b), a, b)
    return None


@rule("x · 1", ops.multiply)
def _times_one(program: Program, a: Term, b: Term) -> Any:
    """``x · 1`` is ``x``."""
    for x, one in ((a, b), (b, a)):
        if is_one(one):
            return instead(program, ops.multiply, x, a, b)
    return None


@rule("x · (-1)", ops.multiply)
def _times_minus_one(program: Program, a: Term, b: Term) -> Any:
    """``x · (-1)`` is ``-x``."""
    for x, y in ((a, b), (b, a)):
        if y.is_constant and y.number == -1 and is_float(x) and like(x, x.shape, result(ops.multiply, a, b)[1]):
            return instead(program, ops.multiply, program.make(ops.negative, x), a, b)
    return None


@rule("x / 1", ops.divide)
def _over_one(program: Program, a: Term, b: Term) -> Any:
    """``x / 1`` is ``x``."""
    return instead(program, ops.divide, a, a, b) if is_one(b) else None


# ----------------------------------------------------------------------------------------------------------- negatives


@rule("double negation", ops.negative)
def _negation(_program: Program, x: Term) -> Any:
    """``-(-x)`` is ``x``."""
    return x.inputs[0] if is_(x, ops.negative) else None


@rule("minus a difference", ops.negative)
def _minus_difference(program: Program, x: Term) -> Any:
    """``-(a - b)`` is ``b - a``."""
    return program.make(ops.subtract, x.inputs[1], x.inputs[0]) if is_(x, ops.subtract) else None


@rule("sum with a negative", ops.add)
def _plus_negative(program: Program, a: Term, b: Term) -> Any:
    """``a + (-b)`` is ``a - b``."""
    for x, y in ((a, b), (b, a)):
        if is_(y, ops.negative) and is_float(y):
            return program.make(ops.subtract, x, y.inputs[0])
    return None


@rule("difference with a negative", ops.subtract)
def _minus_negative(program: Program, a: Term, b: Term) -> Any:
    """``a - (-b)`` is ``a + b``."""
    return program.make(ops.add, a, b.inputs[0]) if is_(b, ops.negative) and is_float(b) else None


@rule("product with a negative", ops.multiply)
def _times_negative(program: Program, a: Term, b: Term) -> Any:
    """``(-a) · b`` is ``-(a · b)``, where that has no more elements; a number takes the sign; two negatives cancel."""
    for c, x in ((a, b), (b, a)):
        if c.is_constant and type(c.value) in (int, float) and c.value and is_(x, ops.negative) and is_float(x):
            return program.make(ops.multiply, -c.value, x.inputs[0])
    return _outside(program, ops.multiply, a, b)


@rule("quotient with a negative", ops.divide)
def _over_negative(program: Program, a: Term, b: Term) -> Any:
    """``(-a) / b`` and ``a / (-b)`` are ``-(a / b)``, where that has no more elements; two negatives cancel."""
    return _outside(program, ops.divide, a, b)


def _outside(program: Program, op: Any, a: Term, b: Term) -> Any:
    negatives = [x for x in (a, b) if is_(x, ops.negative) and is_float(x)]
    shape = np.broadcast_shapes(a.shape, b.shape)
    if len(negatives) == 2:
        return program.make(op, a.inputs[0], b.inputs[0])
    if not negatives or negatives[0].shape != shape:
        return None
    found = program.make(op, *(x.inputs[0] if x is negatives[0] else x for x in (a, b)))
    return program.make(ops.negative, found)


@rule("sum of negatives", ops.sum)
def _sum_of_negatives(program: Program, x: Term, **params: Any) -> Any:
    """``Σ (-x)`` is ``-Σ x``."""
    if is_(x, ops.negative) and is_float(x):
        return program.make(ops.negative, program.put(ops.sum, x.inputs, params))
    return None


# ------------------------------------------------------------------------------------------------ powers and multiples


@rule("x + x", ops.add)
def _doubled(program: Program, a: Term, b: Term) -> Any:
    """``x + x`` is ``2 · x``."""
    return program.make(ops.multiply, 2, a) if a is b and is_float(a) and not a.is_number else None


@rule("x · x", ops.multiply)
def _squared(program: Program, a: Term, b: Term) -> Any:
    """``x · x`` is the square of x."""
    return program.make(ops.square, a) if a is b and is_float(a) and not a.is_number else None


@rule("powers by products", ops.power)
def _power(program: Program, a: Term, b: Term) -> Any:
    """``x ** 2`` and ``x ** 3`` are products, ``x ** 0.5`` is the square root, ``x ** -1`` is ``1 / x``."""
    n = b.value if type(b.value) in NUMBERS else None
    if n is None or a.is_number or not is_float(a) or n not in (0.5, 1, 2, 3, -1):
        return None
    if n == 0.5:
        return program.make(ops.sqrt, a)
    if n == -1:
        return program.make(ops.divide, 1, a)
    square = program.make(ops.square, a)
    return a if n == 1 else square if n == 2 else program.make(ops.multiply, square, a)


@rule("x ** 0", ops.power)
def _power_of_zero(program: Program, a: Term, b: Term) -> Any:
    """``x ** 0`` is 1, for NaN too."""
    if type(b.value) not in NUMBERS or b.value != 0 or not is_float(a):
        return None
    shape, dtype = result(ops.power, a, b)
    return program.constant(1.0 if a.is_number else np.broadcast_to(np.ones((), dtype), shape))


@rule("product of numbers", ops.multiply, kind="stable")
def _numbers_first(program: Program, a: Term, b: Term) -> Any:
    """``c · (d · x)`` is ``(c · d) · x`` for constant numbers c and d, unless these or their product are extreme."""
    for c, y in both_ways(a, b):
        if type(c.value) not in (int, float) or not is_(y, ops.multiply) or not is_float(y):
            continue
        for d, x in both_ways(*y.inputs):
            if type(d.value) in (int, float) and all(_is_moderate(n, y.dtype) for n in (c.value, d.value)):
                n = c.value * d.value
                n = n if abs(n) < WHOLE else float(n)
                return program.make(ops.multiply, n, x) if _is_moderate(n, y.dtype) else None
    return None


def _is_moderate(n: float, dtype: Any) -> bool:
    """Return whether a number is neither 0 nor infinite in a dtype, and far from both as a float."""
    limits = np.finfo(dtype)
    return bool(max(float(limits.tiny), 1e-100) <= abs(n) <= min(float(limits.max), 1e100))


@rule("division by a power of two", ops.divide)
def _halved(program: Program, a: Term, b: Term) -> Any:
    """``x / 8`` is ``x · 0.125``, which rounds to the same and takes less time."""
    n = b.value
    if type(n) not in (int, float) or a.is_number or not is_float(a) or n == 1 or not 2**-10 <= abs(n) <= 2**10:
        return None
    return program.make(ops.multiply, a, 1 / n) if abs(frexp(n)[0]) == 0.5 else None


# ------------------------------------------------------------------------------------------------------------- choices


@rule("choice by the opposite condition", ops.where)
def _where_not(program: Program, condition: Term, a: Term, b: Term) -> Any:
    """Where c does not hold a, else b, is where c holds b, else a."""
    return program.make(ops.where, condition.inputs[0], b, a) if is_(condition, ops.logical_not) else None


@rule("choice by a known condition", ops.where)
def _where_known(program: Program, condition: Term, a: Term, b: Term) -> Any:
    """Where the condition is a constant, one of both is left."""
    if not condition.is_constant or condition.number is None:
        return None
    return instead(program, ops.where, a if condition.number else b, condition, a, b)
