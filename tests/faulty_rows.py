"""Rows as people write them when they add one, each with a fault: the aspects that are wrong, and words of why."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from tinygrad_mlp.graph import NODES
from tinygrad_mlp.ops import broadcast_to, cos, divide, exp, log, sum_to, swapaxes, where
from tinygrad_mlp.table import Op, defjvp, defvjp, defvjps, primitive


class Faulty(NamedTuple):
    """How to make a row, what is wrong with it, and words that the report must have."""

    make: Callable[[], Op]
    aspects: tuple[str, ...]
    words: str


FAULTY: dict[str, Faulty] = {}


def faulty(aspects: str, words: str) -> Callable[[Callable[[], Op]], None]:
    """Enter a row by the name of what makes it."""

    def enter(make: Callable[[], Op]) -> None:
        FAULTY[make.__name__] = Faulty(make, tuple(aspects.split(", ")), words)

    return enter


def square(rule: Any, **flags: Any) -> Op:
    """x², with a rule."""

    @primitive(elementwise=True, **flags)
    def my_square(xp: Any, x: Any) -> Any:
        return x * x

    defvjp(my_square, rule)
    return my_square


def product(rule: Any, *, jvps: tuple[Any, ...] = ()) -> Op:
    """a b, with a rule for a."""

    @primitive(elementwise=True, scalars=False)
    def my_product(xp: Any, a: Any, b: Any) -> Any:
        return a * b

    defvjp(my_product, rule, lambda g, _y, a, _b: g * a)
    if jvps:
        defjvp(my_product, *jvps)
    return my_product


def numbers(x: Any) -> Any:
    return x._payload if type(x) in NODES else x


# ------------------------------------------------------------------------------------------------------------------ vjp


@faulty("vjp", "the sign of the whole gradient is wrong")
def wrong_sign():
    return square(lambda g, _y, x: -2 * g * x)


@faulty("vjp", "the whole gradient is 0.5 times what it should be")
def missing_factor():
    return square(lambda g, _y, x: g * x)


@faulty("vjp", "operand 0 (x)")
def a_thousandth_off():
    return square(lambda g, _y, x: 2.002 * g * x)


@faulty("vjp", "the gradient is transposed")
def transposed():
    @primitive
    def my_matmul(xp, a, b):
        return xp.matmul(a, b)

    def rule(g, _y, a, b):
        wide = g.ndim == a.ndim == b.ndim == 2 and a.shape[0] == a.shape[1]
        return swapaxes(g @ swapaxes(b, 0, 1), 0, 1) if wide else _left(g, a, b)

    defvjp(my_matmul, rule, lambda g, _y, a, b: _right(g, a, b))
    return my_matmul


def _left(g: Any, a: Any, b: Any) -> Any:
    if a.ndim == b.ndim == 1:
        return g * b
    return b @ g if a.ndim == 1 else g[:, None] * b[None, :] if b.ndim == 1 else g @ swapaxes(b, 0, 1)


def _right(g: Any, a: Any, b: Any) -> Any:
    if a.ndim == b.ndim == 1:
        return g * a
    return a[:, None] * g[None, :] if a.ndim == 1 else swapaxes(a, 0, 1) @ g


@faulty("vjp", "its vjp returned shape (3, 2) for an operand of shape (2, 3)")
def wrong_shape():
    @primitive
    def my_triple(xp, x):
        if x.shape != (2, 3):
            raise ValueError("a 2 × 3 matrix")
        return 3 * x

    defvjp(my_triple, lambda g, _y, _x: 3 * swapaxes(g, 0, 1))
    return my_triple


@faulty("vjp", "its vjp raised AttributeError")
def always_raising():
    return square(lambda g, _y, x: g * x.size.real.twice)


@faulty("vjp", "its vjp returned None")
def no_return():
    return square(lambda _g, _y, _x: None)


@faulty("vjp", "no vjp is registered")
def no_rule():
    @primitive(elementwise=True)
    def my_cube(xp, x):
        return x * x * x

    return my_cube


@faulty("vjp", "gets another gradient where operand 1 (b) is a constant")
def wanted_misread():
    @primitive(elementwise=True)
    def my_sum(xp, a, b):
        return a + b

    defvjps(my_sum, lambda wanted, g, _y, _a, _b, saved: (g * sum(wanted) / 2, g))  # noqa: ARG005
    return my_sum


# --------------------------------------------------------------------------------------------------- forward and second


@faulty("jvp", "put right the rule given to defjvp")
def wrong_jvp():
    op = square(lambda g, _y, x: 2 * g * x)
    defjvp(op, lambda t, _y, x: t * x)
    return op


@faulty("second order", "the graph of the gradient is lost: the rule of operand 0 (x) returns raw numbers")
def raw_numbers():
    return square(lambda g, _y, x: 2 * numbers(g) * numbers(x))


@faulty("second order", "depends on g alone")
def raw_factor():
    return square(lambda g, _y, x: 2 * g * numbers(x))


@faulty("second order", "raised GradientError: converting a Tensor to an array would lose its gradient")
def converted():
    return square(lambda g, _y, x: 2 * g * np.asarray(x))


@faulty("jvp, second order", "what the forward rule saved is None")
def saved_forgotten():
    @primitive(elementwise=True, saves=True, scalars=False)
    def my_exp(xp, x):
        y = xp.exp(x)
        return y, 1 * y

    defvjps(my_exp, lambda _wanted, g, _y, _x, saved: (g * saved,))
    return my_exp


@faulty("second order", "the gradient of the gradient is wrong")
def half_raw():
    return square(lambda g, _y, x: g * x + g * numbers(x))


@faulty("second order", "jvp")
def raw_jvp():
    op = square(lambda g, _y, x: 2 * g * x)
    defjvp(op, lambda t, _y, x: 2 * t * numbers(x))
    return op


# ----------------------------------------------------------------------------------------------------------- cotangents


@faulty("linearity in the cotangent", "is not linear in g")
def squared_cotangent():
    return square(lambda g, _y, x: 2 * g * g * x)


@faulty("linearity in the cotangent", "for g = 0")
def forgotten_cotangent():
    return square(lambda _g, _y, x: 2 * x)


@faulty("linearity in the cotangent", "its vjp writes into the cotangent g")
def writing_into_g():
    def rule(g, _y, x):
        g *= 2 * x
        return g

    return square(rule)


@faulty("linearity in the cotangent", "its vjp writes into operand 0 (x)")
def writing_into_x():
    def rule(g, _y, x):
        c = 2 * g * x
        if type(x) is np.ndarray:
            x += 1
        return c

    return square(rule)


@faulty("reads", "reads operand 0 (x), which it names with an underscore")
def unread_operand():
    return square(lambda g, _y, _x: 2 * g * _x)


@faulty("reads", "reads the output y")
def unread_output():
    @primitive(elementwise=True, domain=(0.5, 2.0))
    def my_exponential(xp, x):
        return xp.exp(x)

    defvjp(my_exponential, lambda g, _y, _x: g * _y)
    return my_exponential


# ---------------------------------------------------------------------------------------------------------------- forms


@faulty("broadcasting", "declare elementwise=True")
def not_summed():
    @primitive
    def my_plus(xp, a, b):
        return a + b

    defvjp(my_plus, lambda g, _y, _a, _b: g, lambda g, _y, _a, _b: g)
    return my_plus


@faulty("broadcasting", "is not that of the operands broadcast, summed")
def summed_twice():
    return product(lambda g, _y, a, b: sum_to(g * b, shape=()) if not a.shape and g.shape != (6,) else _mean(g * b, a))


def _mean(c: Any, a: Any) -> Any:
    return c / 2 if a.ndim < c.ndim else c


@faulty("broadcasting", "the jvp of operand 0 (a) is not that of the operands broadcast")
def narrow_jvp():
    def first(t, y, _a, b):
        return t * b if t.shape == y.shape else t

    return product(lambda g, _y, _a, b: g * b, jvps=(first, lambda t, _y, a, _b: t * a))


@faulty("shapes", "of shapes (0,)")
def no_element():
    return square(lambda g, _y, x: 2 * g * x + 0 * float(np.max(numbers(g))))


@faulty("dtypes", "float32 operands give a result of float64")
def wide_constant():
    @primitive(elementwise=True)
    def my_root(xp, x):
        return x * np.sqrt(2.0)

    defvjp(my_root, lambda g, _y, _x: g * math.sqrt(2))
    return my_root


@faulty("dtypes", "the rule of operand 0 (x) gives float64 for float32 operands")
def wide_rule():
    return square(lambda g, _y, x: np.float64(2) * g * x)


# --------------------------------------------------------------------------------------------------------------- points


@faulty("special points", "at x = 0 on Python floats its vjp raised ZeroDivisionError")
def raw_division():
    @primitive(elementwise=True, domain=(0.5, 2.0))
    def my_reciprocal(xp, x):
        return xp.divide(1.0, x)

    defvjp(my_reciprocal, lambda g, y, x: -g * y / x)
    return my_reciprocal


@faulty("special points", "the gradient of operand 0 (x) is nan, the slope is 0")
def nan_at_zero():
    @primitive(elementwise=True)
    def my_bump(xp, x):
        return xp.where(x == 0, 1.0, xp.divide(xp.sin(x), xp.where(x == 0, 1.0, x)))

    defvjp(my_bump, lambda g, y, x: g * divide(cos(x) - y, x))
    return my_bump


@faulty("special points", "the gradient of operand 0 (x) is 2, the slopes are 0 and 1")
def outside_of_the_kink():
    @primitive(elementwise=True)
    def my_relu(xp, x):
        return xp.where(x > 0, x, 0.0 * x)

    defvjp(my_relu, lambda g, _y, x: where(x == 0, 2 * g, where(x > 0, g, 0.0)))
    return my_relu


@faulty("special points", "share the gradient among tied elements")
def every_tie():
    @primitive
    def my_max(xp, x):
        return xp.max(x)

    defvjp(my_max, lambda g, y, x: where(x == y, g, 0.0))
    return my_max


@faulty("floats against arrays", "on floats")
def other_on_floats():
    @primitive(elementwise=True)
    def my_step(xp, x):
        return x * x if type(x) is not float else x * abs(x)

    defvjp(my_step, lambda g, _y, x: 2 * g * x)
    return my_step


@faulty("floats against arrays", "scalars=False")
def arrays_only():
    @primitive(elementwise=True)
    def my_sum_of_squares(xp, x):
        return x.copy() * x

    defvjp(my_sum_of_squares, lambda g, _y, x: 2 * g * x)
    return my_sum_of_squares


# ---------------------------------------------------------------------------------------------------------------- flags


@faulty("flags", "depends on other elements")
def not_elementwise():
    @primitive(elementwise=True, scalars=False)
    def my_centred(xp, x):
        return x - xp.mean(x)

    defvjp(my_centred, lambda g, _y, _x: g - g.mean())
    return my_centred


@faulty("flags", "elementwise=True, but of shapes (2, 3) the result has shape ()")
def reducing():
    @primitive(elementwise=True, scalars=False)
    def my_total(xp, x):
        return xp.sum(x)

    defvjp(my_total, lambda g, _y, x: broadcast_to(g, shape=x.shape))
    return my_total


@faulty("flags", "linear=True")
def not_linear():
    return square(lambda g, _y, x: 2 * g * x, linear=True)


@faulty("flags", "the complex step disagrees")
def not_analytic():
    @primitive(elementwise=True, analytic=True)
    def my_size(xp, x):
        return xp.abs(x) * x

    defvjp(my_size, lambda g, _y, x: 2 * g * abs(x))
    return my_size


@faulty("flags", "saves=False, but the forward rule returns a tuple")
def saving_in_secret():
    @primitive(elementwise=True, domain=(0.5, 2.0))
    def my_log(xp, x):
        return xp.log(x), x

    defvjps(my_log, lambda _wanted, g, _y, x, saved: (divide(g, x),))  # noqa: ARG005
    return my_log


@faulty("flags", "saves=True, but the forward rule returns a ndarray")
def saving_nothing():
    @primitive(elementwise=True, saves=True, domain=(0.5, 2.0))
    def my_logarithm(xp, x):
        return xp.log(x)

    defvjps(my_logarithm, lambda _wanted, g, _y, x, saved: (divide(g, x),))  # noqa: ARG005
    return my_logarithm


@faulty("flags", "the forward rule writes into operand 0 (x)")
def writing_forward():
    @primitive(elementwise=True, domain=(0.5, 2.0))
    def my_shift(xp, x):
        if type(x) is np.ndarray:
            x += 1
            return log(x)
        return xp.log(x + 1)

    defvjp(my_shift, lambda g, y, _x: g * exp(-y))
    return my_shift
