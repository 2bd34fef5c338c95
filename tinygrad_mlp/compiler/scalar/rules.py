"""What a group of nodes of one row runs: the row's own rules on arrays, and short paths for the commonest rows."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from tinygrad_mlp.arrays import NUMPY
from tinygrad_mlp.compiler.scalar.flat import Kind
from tinygrad_mlp.compiler.scalar.paths import slope
from tinygrad_mlp.ops import (
    add,
    cos,
    divide,
    exp,
    identity,
    log,
    multiply,
    negative,
    power,
    relu,
    sin,
    sqrt,
    square,
    subtract,
    tanh,
)
from tinygrad_mlp.table import Op

Array = Any
Call = Callable[[], Any]

UFUNCS: dict[Op, Callable[..., Any]] = {
    add: np.add, subtract: np.subtract, multiply: np.multiply, divide: np.divide, negative: np.negative,
    identity: np.positive, exp: np.exp, log: np.log, sqrt: np.sqrt, square: np.square, sin: np.sin, cos: np.cos,
    tanh: np.tanh,
}  # fmt: skip


def _relu_slope(g: Array, y: Array, _x: Array, out: Array) -> None:
    out.fill(0.0)
    np.copyto(out, g, where=~(y <= 0))  # chosen, not multiplied: 0 times inf is no 0


def _tanh_slope(g: Array, y: Array, _x: Array, out: Array) -> None:
    np.multiply(y, y, out)
    np.subtract(1.0, out, out)
    np.multiply(g, out, out)


def _divisor_slope(g: Array, y: Array, _a: Array, b: Array, out: Array) -> None:
    np.multiply(g, y, out)
    np.negative(out, out)
    np.divide(out, b, out)


PASSED = None  # the cotangent itself, without a call
# For each operand what writes its cotangent to `out`, given those of the output, the output and the operands.
SLOPES: dict[Op, tuple[Callable[..., Any] | None, ...]] = {
    add: (PASSED, PASSED),
    subtract: (PASSED, lambda g, _y, _a, _b, out: np.negative(g, out)),
    multiply: (lambda g, _y, _a, b, out: np.multiply(g, b, out), lambda g, _y, a, _b, out: np.multiply(g, a, out)),
    divide: (lambda g, _y, _a, b, out: np.divide(g, b, out), _divisor_slope),
    negative: (lambda g, _y, _x, out: np.negative(g, out),),
    identity: (PASSED,),
    relu: (_relu_slope,),
    tanh: (_tanh_slope,),
    exp: (lambda g, y, _x, out: np.multiply(g, y, out),),
}


def is_passed(kind: Kind, i: int) -> bool:
    """Return whether the cotangent of the ``i``-th moving operand is that of the output."""
    return kind.op in SLOPES and SLOPES[kind.op][i] is PASSED


def forward(kind: Kind, operands: list[Array], out: Array) -> Call:
    """Return the call that computes a group of one kind from its gathered operands."""
    op = kind.op
    if op in UFUNCS:
        return partial(UFUNCS[op], *operands, out)
    if op is relu:
        return partial(_relu, operands[0], out)
    if op is power:
        if kind.fixed and kind.fixed[0][1] == 2:
            return partial(np.multiply, operands[0], operands[0], out)
        return partial(np.power, *_with_exponents(kind, operands), out)
    return partial(_generic, op.forward, kind.operands(operands), kind.params, out)


def _relu(x: Array, out: Array) -> None:
    np.maximum(x, 0.0, out=out)
    np.add(out, 0.0, out)  # of -0.0 the maximum may be -0.0


def _generic(rule: Callable[..., Any], operands: list[Array], params: dict[str, Any], out: Array) -> None:
    out[...] = rule(NUMPY, *operands, **params)


def backward(kind: Kind, i: int, g: Array, y: Array, operands: list[Array], out: Array) -> Call:
    """Return the call that computes the cotangents of the ``i``-th moving operand from those of the group."""
    op = kind.op
    short = SLOPES[op][i] if op in SLOPES else None
    if short is not None:
        return partial(short, g, y, *operands, out)
    if op is power and i == 0:
        if kind.fixed and kind.fixed[0][1] == 2:
            return partial(_square_slope, g, operands[0], out)
        return partial(_power_slope, g, *_with_exponents(kind, operands), out)
    return partial(_generic_slope, slope(kind, i), g, y, kind.operands(operands), kind.params, out)


def _with_exponents(kind: Kind, operands: list[Array]) -> tuple[Array, Array]:
    """Return the bases and as many exponents: for a single 0.5 NumPy takes the root, which differs at -inf."""
    return operands[0], np.full(operands[0].shape, kind.fixed[0][1]) if kind.fixed else operands[1]


def _square_slope(g: Array, a: Array, out: Array) -> None:
    np.multiply(a, 2.0, out)
    np.multiply(g, out, out)


def _power_slope(g: Array, a: Array, b: Any, out: Array) -> None:
    """Compute the cotangent of a base, by the rule for one float: 0 where the exponent is 0."""
    out[...] = np.where(b == 0, 0.0, g * (b * np.power(a, b - 1.0)))


def _generic_slope(
    rule: Callable[..., Any], g: Array, y: Array, operands: list[Array], params: dict[str, Any], out: Array
) -> None:
    out[...] = rule(g, y, *operands, **params)
