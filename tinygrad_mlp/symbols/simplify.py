"""What calling an op on symbols gives: the formula, lightly simplified, as one would write it on paper.

A letter stands for a finite number, so that conditions which only infinities and NaN fulfil are false. What a row does
there, and at its kinks, its ``kinks`` say.
"""

import copy
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_mlp import ops
from tinygrad_mlp.arrays import NAMESPACES, NUMPY, Namespace
from tinygrad_mlp.table import Op

from .tree import Symbol, same

NUMBERS = (float, int, bool)


def shaped(x: Any) -> Any:
    """Return an array like the one that ``x`` stands for; a matrix can be inverted, and has a Cholesky factor."""
    if type(x) is not Symbol:
        return x if x is None else np.asarray(x)
    y = np.ones(x.shape, x.dtype)
    if x.ndim > 1 and x.dtype.kind == "f":
        y += np.eye(x.shape[-2], x.shape[-1])
    return y


def make(op: Op, operands: Any, params: dict[str, Any]) -> Symbol:
    """Return the formula of an op and its operands as it stands; its forward rule on ones says its shape and dtype."""
    plain = {key: 1.0 if type(value) is Symbol else value for key, value in params.items()}
    with np.errstate(all="ignore"):
        y = op.forward(NUMPY, *map(shaped, operands), **(copy.deepcopy(plain) if op.random else plain))
    y = y[0] if op.saves else y
    made = Symbol(op.name, np.shape(y), dtype=y.dtype)
    made.op, made.params = op, params
    made.inputs = tuple(map(constant, operands) if op.elementwise else operands)
    return made


def constant(x: Any) -> Any:
    """Return an array whose elements are all the same as a number, another one as a symbol with a value."""
    if type(x) in (Symbol, *NUMBERS) or x is None:
        return x
    x = np.asarray(x)
    if x.size and (x == x.flat[0]).all():
        return x.flat[0].item()
    made = Symbol("C", x.shape, dtype=x.dtype)
    made.value = x
    return made


class Symbols(Namespace):
    """The namespace of symbols: its ``apply`` stands for every forward rule."""

    @staticmethod
    def apply(op: Op, operands: Any, params: dict[str, Any]) -> Any:
        """Return what ``op`` gives on ``operands``: a simplified formula, or a number where the letters cancel."""
        rule = RULES.get(op)
        y = NotImplemented if rule is None else rule(*map(constant, operands), **params)
        if type(y) is not Symbol:
            made = make(op, operands, params)
            if y is NotImplemented:
                y = made
            elif made.shape:
                y = np.full(made.shape, y, made.dtype)  # a rule may move its elements
        return (y, None) if op.saves else y


# --------------------------------------------------------------------------------------------------------- products


def is_number(x: Any) -> bool:
    """Return whether ``x`` is a Python number."""
    return type(x) in NUMBERS


def parts(x: Any) -> tuple[float, list[Any], list[Any]]:
    """Return the coefficient, the other factors above and those below the line of a product or quotient."""
    if is_number(x):
        return float(x), [], []
    if x.op is ops.negative:
        c, above, below = parts(x.inputs[0])
        return -c, above, below
    if x.op is ops.multiply or x.op is ops.divide:
        c, above, below = parts(x.inputs[0])
        d, more, less = parts(x.inputs[1])
        if x.op is ops.divide:
            if d == 0:
                return 1.0, [x], []
            d, more, less = 1 / d, less, more
        return c * d, above + more, below + less
    if x.op is ops.reciprocal:
        return parts_of_quotient(1.0, x.inputs[0])
    return 1.0, [x], []


def parts_of_quotient(a: Any, b: Any) -> tuple[float, list[Any], list[Any]]:
    """Return the coefficient and the other factors above and below the line of ``a / b``."""
    c, above, below = parts(a)
    d, less, more = parts(b)
    return c / d, above + more, below + less


def _product(a: Any, b: Any) -> Any:
    c, above, below = parts(a)
    d, more, less = parts(b)
    return _of_parts(c * d, above + more, below + less)


def _quotient(a: Any, b: Any) -> Any:
    return NotImplemented if is_number(b) and b == 0 else _of_parts(*parts_of_quotient(a, b))


def _negative(x: Any) -> Any:
    c, above, below = parts(x)
    return _of_parts(-c, above, below)


def _of_parts(c: float, above: list[Any], below: list[Any]) -> Any:
    """Return the product of a coefficient and factors; a choice among the factors is made last."""
    if c == 0:
        return 0.0
    for i, x in enumerate(above):
        if x.op is ops.where:
            condition, p, q = x.inputs
            rest = _of_parts(c, above[:i] + above[i + 1 :], below)
            return ops.where(condition, ops.multiply(rest, p), ops.multiply(rest, q))
    y = _joined(above)
    if below:
        y = make(ops.divide, (1.0 if y is None else y, _joined(below)), {})
    if y is None:
        return c
    if c < 0 and y.op is ops.subtract:  # -(a - b) is b - a
        c, y = -c, make(ops.subtract, y.inputs[::-1], {})
    if math.fabs(c) != 1:
        y = make(ops.multiply, (math.fabs(c), y), {})
    return make(ops.negative, (y,), {}) if c < 0 else y


def _joined(factors: list[Any]) -> Any:
    """Return the product of factors, with powers of the same base taken together; None for none."""
    bases: list[list[Any]] = []
    for x in factors:
        base, exponent = _power_of(x)
        for known in bases:
            if same(known[0], base):
                known[1] += exponent
                break
        else:
            bases.append([base, exponent])
    y = None
    for base, exponent in bases:
        z = ops.power(base, exponent) if exponent != 1 else base
        y = z if y is None else make(ops.multiply, (y, z), {})
    return y


def _power_of(x: Any) -> tuple[Any, float]:
    if x.op is ops.square:
        return x.inputs[0], 2
    if x.op is ops.power and is_number(x.inputs[1]) and x.inputs[1] > 0:
        return x.inputs[0], x.inputs[1]
    return x, 1


def _power(a: Any, b: Any) -> Any:
    if not is_number(b) or b not in (0, 1, 2, -1):
        return NotImplemented
    if b == 2:
        return ops.square(a)
    return 1.0 if b == 0 else a if b == 1 else ops.divide(1.0, a)


def _square(x: Any) -> Any:
    return ops.square(x.inputs[0]) if x.op is ops.negative else NotImplemented


# ------------------------------------------------------------------------------------------------------------- sums


def _is_negative(x: Any) -> bool:
    return x < 0 if is_number(x) else x.op is ops.negative


def _sum(a: Any, b: Any) -> Any:
    if is_number(a) and a == 0:
        return b
    if is_number(b) and b == 0:
        return a
    if _is_negative(b):
        return ops.subtract(a, ops.negative(b))
    if _is_negative(a) and not is_number(a):
        return ops.subtract(b, ops.negative(a))
    return NotImplemented


def _difference(a: Any, b: Any) -> Any:
    if same(a, b):
        return 0.0
    if is_number(a) and a == 0:
        return ops.negative(b)
    if is_number(b) and b == 0:
        return a
    return ops.add(a, ops.negative(b)) if _is_negative(b) else NotImplemented


# ---------------------------------------------------------------------------------------------------------- choices


def _where(condition: Any, a: Any, b: Any) -> Any:
    if is_number(condition):
        return a if condition else b
    a, b = assume(a, condition, True), assume(b, condition, False)
    return a if same(a, b) else make(ops.where, (condition, a, b), {})


def assume(x: Any, condition: Any, holds: bool) -> Any:
    """Return ``x`` as it reads where ``condition`` is known: what chooses by it, element by element, is resolved."""
    if same(x, condition):
        return holds
    if type(x) is not Symbol or x.op is None or not x.op.elementwise:
        return x
    inputs = [assume(z, condition, holds) for z in x.inputs]
    if all(z is old for z, old in zip(inputs, x.inputs, strict=True)):
        return x
    return x.op(inputs, **x.params) if x.op.arity is None else x.op(*inputs, **x.params)


def _and(a: Any, b: Any) -> Any:
    if is_number(a) or is_number(b):
        known, other = (a, b) if is_number(a) else (b, a)
        return other if known else False
    return NotImplemented


def _or(a: Any, b: Any) -> Any:
    if is_number(a) or is_number(b):
        known, other = (a, b) if is_number(a) else (b, a)
        return True if known else other
    return NotImplemented


def _not(a: Any) -> Any:
    if is_number(a):
        return not a
    return OPPOSITES[a.op](*a.inputs) if a.op in OPPOSITES else NotImplemented  # a letter is no NaN


def _compared(result: Callable[[Any, Any], bool]) -> Callable[[Any, Any], Any]:
    """Return the rule of a comparison: a finite number against an infinite one, or against itself."""

    def rule(a: Any, b: Any) -> Any:
        if same(a, b):
            return result(0.0, 0.0)
        if (is_number(a) and math.isinf(a)) or (is_number(b) and math.isinf(b)):
            return result(*(x if is_number(x) else 0.0 for x in (a, b)))
        return NotImplemented

    return rule


# ------------------------------------------------------------------------------------------------------------ shapes


def _unless_moved(op: Op) -> Callable[..., Any]:
    """Return the rule of an op that gives its operand back where the shape is the same."""

    def rule(x: Any, **params: Any) -> Any:
        if is_number(x):
            return NotImplemented
        if x.op is ops.where:
            return ops.where(*(z if is_number(z) else op(z, **params) for z in x.inputs))
        y = make(op, (x,), params)
        return x if y.shape == x.shape and y.dtype == x.dtype else y

    return rule


def _affine(*inputs: Any) -> Any:
    weights, values, total = ops.elementwise.affine_inputs(inputs)
    for w, x in zip(weights, values, strict=True):
        total = total + w * x
    return total


OPPOSITES = {
    ops.less: ops.greater_equal,
    ops.less_equal: ops.greater,
    ops.greater: ops.less_equal,
    ops.greater_equal: ops.less,
    ops.equal: ops.not_equal,
    ops.not_equal: ops.equal,
}
RULES: dict[Op, Callable[..., Any]] = {
    ops.add: _sum,
    ops.subtract: _difference,
    ops.multiply: _product,
    ops.divide: _quotient,
    ops.reciprocal: lambda x: _quotient(1.0, x),
    ops.negative: _negative,
    ops.power: _power,
    ops.square: _square,
    ops.identity: lambda x: x,
    ops.affine: _affine,
    ops.trigonometry.one_minus_square: lambda x: 1.0 - x * x,
    ops.where: _where,
    ops.logical_and: _and,
    ops.logical_or: _or,
    ops.logical_not: _not,
    ops.isnan: lambda _x: False,
    ops.isinf: lambda _x: False,
    ops.isfinite: lambda _x: True,
    ops.equal: _compared(lambda a, b: a == b),
    ops.not_equal: _compared(lambda a, b: a != b),
    ops.less: _compared(lambda a, b: a < b),
    ops.less_equal: _compared(lambda a, b: a <= b),
    ops.greater: _compared(lambda a, b: a > b),
    ops.greater_equal: _compared(lambda a, b: a >= b),
    **{op: _unless_moved(op) for op in (ops.astype, ops.reshape, ops.broadcast_to, ops.sum_to)},
}
NAMESPACES[Symbol] = Symbols(np)  # whose arrays are constants among symbols
