"""Arithmetic and the elementary functions, one element at a time, with broadcasting."""

from typing import Any

from tinygrad_mlp import scalars
from tinygrad_mlp.errors import ShapeError
from tinygrad_mlp.table import defvjp, defvjp_argnum, primitive

# --------------------------------------------------------------------------------------------------------- arithmetic


@primitive(symbol="+", latex="{0} + {1}", elementwise=True, linear=True, analytic=True)
def add(xp: Any, a: Any, b: Any) -> Any:
    """Return ``a + b``."""
    return a + b


defvjp(add, lambda g, _y, _a, _b: g, lambda g, _y, _a, _b: g)


@primitive(symbol="−", latex="{0} - {1}", elementwise=True, linear=True, analytic=True)
def subtract(xp: Any, a: Any, b: Any) -> Any:
    """Return ``a - b``."""
    return a - b


defvjp(subtract, lambda g, _y, _a, _b: g, lambda g, _y, _a, _b: -g)


@primitive(symbol="×", latex=r"{0} \cdot {1}", elementwise=True, analytic=True)
def multiply(xp: Any, a: Any, b: Any) -> Any:
    """Return ``a * b``."""
    return a * b


defvjp(multiply, lambda g, _y, _a, b: g * b, lambda g, _y, a, _b: g * a)


@primitive(
    symbol="÷",
    latex=r"\frac{{{0}}}{{{1}}}",
    elementwise=True,
    analytic=True,
    domain=(0.5, 3.0),
    defined=r"b \ne 0",
    kinks="inf or nan where b is 0",
)
def divide(xp: Any, a: Any, b: Any) -> Any:
    """Return ``a / b``; inf or nan where ``b`` is zero, on floats too.

    >>> divide(1.0, 4.0)
    0.25
    """
    return scalars.divide(a, b) if xp is scalars else a / b


defvjp(divide, lambda g, _y, _a, b: divide(g, b), lambda g, y, _a, b: divide(-g * y, b))


@primitive(
    symbol="where",
    latex=r"\begin{{cases}} {1} & \text{{if }} {0} \\ {2} & \text{{otherwise}} \end{{cases}}",
    elementwise=True,
)
def where(xp: Any, condition: Any, a: Any, b: Any) -> Any:
    """Return ``a`` where the condition holds, else ``b``; what is not selected gets no gradient, not even a NaN.

    The three broadcast against each other. ``where(condition)`` alone gives the indices where it holds, as ``nonzero``.

    >>> where([True, False], [1.0, 2.0], 0.0)
    array([1., 0.])
    """
    return xp.where(condition, a, b)


defvjp(
    where,
    lambda g, _y, _condition, _a, _b: where(False, g, 0.0),
    lambda g, _y, condition, _a, _b: where(condition, g, 0.0),
    lambda g, _y, condition, _a, _b: where(condition, 0.0, g),
)


@primitive(
    symbol="1/",
    latex=r"\frac{{1}}{{{0}}}",
    elementwise=True,
    analytic=True,
    domain=(0.5, 3.0),
    defined=r"x \ne 0",
    kinks="-inf at 0",
)
def reciprocal(xp: Any, x: Any) -> Any:
    """Return ``1 / x``."""
    return scalars.divide(1.0, x) if xp is scalars else 1 / x


defvjp(reciprocal, lambda g, y, _x: -g * (y * y))


@primitive(
    symbol="^",
    latex="{0}^{{{1}}}",
    elementwise=True,
    analytic=True,
    domain=(0.5, 2.0),
    defined=r"a > 0 \text{ or } b \in \mathbb{Z}",
    kinks="0 in a where b is 0, 0 in b where a is 0 and b ≥ 0, and inf in a where a is 0 and 0 < b < 1",
)
def power(xp: Any, a: Any, b: Any) -> Any:
    """Return ``a`` to the power ``b``; nan for a negative base with a fractional exponent, on floats too.

    The derivative in ``a`` is 0 where ``b`` is 0; in ``b`` it is 0 where ``a`` is 0 and ``b`` is not negative.
    """
    return scalars.power(a, b) if xp is scalars else a**b


def _power_base(g: Any, _y: Any, a: Any, b: Any) -> Any:
    if isinstance(b, float | int):  # a literal exponent: the common case
        return g * (b * power(a, b - 1)) if b else where(False, g, 0.0)
    reciprocal = divide(1.0, a)
    flat = (b == 0) & (reciprocal - reciprocal != 0)  # 0 times inf or nan; elsewhere b = 0 still has a slope in b
    return g * where(flat, 0.0, b * power(where(flat, 1.0, a), b - 1.0))  # unsigned exponents have no -1


def _power_exponent(g: Any, y: Any, a: Any, b: Any) -> Any:
    flat = (a == 0) & (b >= 0)
    return g * where(flat, 0.0, y * log(where(flat, 1.0, a)))


defvjp(power, _power_base, _power_exponent)


@primitive(symbol="−", latex="-{0}", elementwise=True, linear=True, analytic=True)
def negative(xp: Any, x: Any) -> Any:
    """Return ``-x``."""
    return -x


defvjp(negative, lambda g, _y, _x: -g)


@primitive(symbol="copy", latex="{0}", elementwise=True, linear=True, analytic=True)
def identity(xp: Any, x: Any) -> Any:
    """Return ``x`` as a new node."""
    return xp.logical_or(x, x) if str(getattr(x, "dtype", "")) == "bool" else +x  # NumPy has no + of booleans


defvjp(identity, lambda g, _y, _x: g)

# --------------------------------------------------------------------------------------------- exponentials and roots


@primitive(symbol="exp", latex="e^{{{0}}}", elementwise=True, analytic=True)
def exp(xp: Any, x: Any) -> Any:
    """Return the exponential of ``x``."""
    return xp.exp(x)


defvjp(exp, lambda g, y, _x: g * y)


@primitive(
    symbol="log",
    latex=r"\log {0}",
    elementwise=True,
    analytic=True,
    domain=(0.1, 4.0),
    defined="x > 0",
    kinks="inf at 0",
)
def log(xp: Any, x: Any) -> Any:
    """Return the natural logarithm of ``x``."""
    return xp.log(x)


defvjp(log, lambda g, _y, x: divide(g, x))


@primitive(
    symbol="log1p",
    latex=r"\log(1 + {0})",
    elementwise=True,
    analytic=True,
    domain=(-0.8, 4.0),
    defined="x > -1",
    kinks="inf at -1",
)
def log1p(xp: Any, x: Any) -> Any:
    """Return ``log(1 + x)``, exact for small ``x``."""
    return xp.log1p(x)


defvjp(log1p, lambda g, _y, x: divide(g, 1 + x))


@primitive(symbol="expm1", latex="e^{{{0}}} - 1", elementwise=True, analytic=True)
def expm1(xp: Any, x: Any) -> Any:
    """Return ``exp(x) - 1``, exact for small ``x``."""
    return xp.expm1(x)


defvjp(expm1, lambda g, _y, x: g * exp(x))  # not y + 1, which loses the left tail


@primitive(
    symbol="√",
    latex=r"\sqrt{{{0}}}",
    elementwise=True,
    analytic=True,
    domain=(0.1, 4.0),
    defined=r"x \ge 0",
    kinks="inf at 0",
)
def sqrt(xp: Any, x: Any) -> Any:
    """Return the square root of ``x``; its derivative at 0 is inf."""
    return xp.sqrt(x)


defvjp(sqrt, lambda g, y, _x: divide(g, 2 * y))


@primitive(symbol="²", latex="{0}^2", elementwise=True, analytic=True)
def square(xp: Any, x: Any) -> Any:
    """Return ``x * x``."""
    return x * x


defvjp(square, lambda g, _y, x: g * (2 * x))

# ----------------------------------------------------------------------------------------- sign, and periodic functions


@primitive(symbol="sign", latex=r"\operatorname{{sign}}({0})", elementwise=True, kinks="0 everywhere, also at 0")
def sign(xp: Any, x: Any) -> Any:
    """Return -1, 0 or 1; the derivative is 0 everywhere."""
    return xp.sign(x)


defvjp(sign, lambda g, _y, _x: where(False, g, 0.0))


@primitive(symbol="abs", latex=r"\lvert {0} \rvert", elementwise=True, kinks="0 at 0")
def abs(xp: Any, x: Any) -> Any:
    """Return the absolute value of ``x``; its derivative at 0 is 0."""
    return xp.abs(x)


defvjp(abs, lambda g, _y, x: g * sign(x))


def affine_inputs(inputs: tuple[Any, ...]) -> tuple[tuple[Any, ...], tuple[Any, ...], Any]:
    """Return the weights, the values and the bias among the operands of ``affine``."""
    n = len(inputs) // 2
    return inputs[:n], inputs[n:-1], inputs[-1]


@primitive(symbol="w·x+b", latex=r"w \cdot x + b", elementwise=True, analytic=True)
def affine(xp: Any, *inputs: Any) -> Any:
    """Return ``w₁x₁ + … + wₙxₙ + b`` of the 2n + 1 operands ``[w₁, …, wₙ, x₁, …, xₙ, b]``: one node for a neuron's sum.

    >>> affine([2.0, 3.0, 10.0, 100.0, 1.0])
    321.0
    """
    if len(inputs) % 2 == 0:
        raise ShapeError(f"affine: takes n weights, n values and a bias, {len(inputs)} operands were given")
    weights, values, total = affine_inputs(inputs)
    for w, x in zip(weights, values, strict=True):
        total = total + w * x
    return total


def _affine_vjp(argnum: int, g: Any, _y: Any, *inputs: Any) -> Any:
    n = len(inputs) // 2
    return g if argnum == 2 * n else g * inputs[argnum + n if argnum < n else argnum - n]


defvjp_argnum(affine, _affine_vjp)
