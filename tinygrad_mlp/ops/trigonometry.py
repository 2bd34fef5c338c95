"""Trigonometric and hyperbolic functions and their inverses; angles are in radians unless a name says otherwise."""

import math
from typing import Any

from tinygrad_mlp.ops.elementwise import divide, sqrt, where
from tinygrad_mlp.table import defvjp, primitive


@primitive(symbol="sin", latex=r"\sin {0}", elementwise=True, analytic=True)
def sin(xp: Any, x: Any) -> Any:
    """Return the sine of ``x``."""
    return xp.sin(x)


@primitive(symbol="cos", latex=r"\cos {0}", elementwise=True, analytic=True)
def cos(xp: Any, x: Any) -> Any:
    """Return the cosine of ``x``."""
    return xp.cos(x)


defvjp(sin, lambda g, _y, x: g * cos(x))
defvjp(cos, lambda g, _y, x: -g * sin(x))


@primitive(
    symbol="tan",
    latex=r"\tan {0}",
    elementwise=True,
    analytic=True,
    domain=(-1.2, 1.2),
    defined=r"x \ne \tfrac{\pi}{2} + k \pi",
)
def tan(xp: Any, x: Any) -> Any:
    """Return the tangent of ``x``."""
    return xp.tan(x)


defvjp(tan, lambda g, y, _x: g * (1 + y * y))


@primitive(symbol="1−x²", latex="1 - {0}^2", elementwise=True, domain=(-0.9, 0.9))
def one_minus_square(xp: Any, x: Any) -> Any:
    """Return ``1 - x²``, exact near ±1, where the difference of the two would cancel."""
    return (1 - x) * (1 + x)


defvjp(one_minus_square, lambda g, _y, x: g * (-2 * x))


@primitive(
    symbol="arcsin",
    latex=r"\arcsin {0}",
    elementwise=True,
    analytic=True,
    domain=(-0.9, 0.9),
    defined=r"-1 \le x \le 1",
    kinks="inf at -1 and at 1",
)
def arcsin(xp: Any, x: Any) -> Any:
    """Return the angle in [-π/2, π/2] whose sine is ``x``; its derivative at ±1 is inf."""
    return xp.asin(x)


defvjp(arcsin, lambda g, _y, x: divide(g, sqrt(one_minus_square(x))))


@primitive(
    symbol="arccos",
    latex=r"\arccos {0}",
    elementwise=True,
    analytic=True,
    domain=(-0.9, 0.9),
    defined=r"-1 \le x \le 1",
    kinks="-inf at -1 and at 1",
)
def arccos(xp: Any, x: Any) -> Any:
    """Return the angle in [0, π] whose cosine is ``x``; its derivative at ±1 is -inf."""
    return xp.acos(x)


defvjp(arccos, lambda g, _y, x: divide(-g, sqrt(one_minus_square(x))))


@primitive(symbol="arctan", latex=r"\arctan {0}", elementwise=True, analytic=True)
def arctan(xp: Any, x: Any) -> Any:
    """Return the angle in (-π/2, π/2) whose tangent is ``x``."""
    return xp.atan(x)


defvjp(arctan, lambda g, _y, x: divide(g, 1 + x * x))


@primitive(
    symbol="arctan2",
    latex=r"\operatorname{{arctan2}}({0}, {1})",
    elementwise=True,
    domain=(0.2, 2.0),
    kinks="0 for both operands at the origin",
)
def arctan2(xp: Any, a: Any, b: Any) -> Any:
    """Return the angle of the point ``(b, a)`` in (-π, π]; both derivatives at the origin are 0."""
    return xp.atan2(a, b)


def _over_square(g: Any, leg: Any, a: Any, b: Any) -> Any:
    """Return ``g * leg / (a² + b²)``, 0 at the origin; no square is formed, which might overflow, or vanish."""
    radius = hypot(a, b)
    origin = radius == 0
    radius = where(origin, 1.0, radius)
    return where(origin, 0.0, g * divide(divide(leg, radius), radius))


defvjp(arctan2, lambda g, _y, a, b: _over_square(g, b, a, b), lambda g, _y, a, b: _over_square(-g, a, a, b))


@primitive(
    symbol="hypot",
    latex=r"\sqrt{{{0}^2 + {1}^2}}",
    elementwise=True,
    domain=(0.2, 2.0),
    kinks="0 for both operands at the origin",
)
def hypot(xp: Any, a: Any, b: Any) -> Any:
    """Return ``sqrt(a² + b²)`` without overflow; both derivatives at the origin are 0."""
    return xp.hypot(a, b)


def _share(g: Any, y: Any, leg: Any) -> Any:
    """Return ``g * leg / y``, 0 where the hypotenuse is 0."""
    origin = y == 0
    return where(origin, 0.0, g * divide(leg, where(origin, 1.0, y)))


defvjp(hypot, lambda g, y, a, _b: _share(g, y, a), lambda g, y, _a, b: _share(g, y, b))


@primitive(symbol="sinh", latex=r"\sinh {0}", elementwise=True, analytic=True)
def sinh(xp: Any, x: Any) -> Any:
    """Return the hyperbolic sine of ``x``."""
    return xp.sinh(x)


@primitive(symbol="cosh", latex=r"\cosh {0}", elementwise=True, analytic=True)
def cosh(xp: Any, x: Any) -> Any:
    """Return the hyperbolic cosine of ``x``."""
    return xp.cosh(x)


defvjp(sinh, lambda g, _y, x: g * cosh(x))
defvjp(cosh, lambda g, _y, x: g * sinh(x))


@primitive(symbol="tanh", latex=r"\tanh {0}", elementwise=True, analytic=True)
def tanh(xp: Any, x: Any) -> Any:
    """Return the hyperbolic tangent of ``x``."""
    return xp.tanh(x)


defvjp(tanh, lambda g, y, _x: g * (1 - y * y))


@primitive(symbol="arcsinh", latex=r"\operatorname{{arcsinh}} {0}", elementwise=True, analytic=True)
def arcsinh(xp: Any, x: Any) -> Any:
    """Return the inverse hyperbolic sine of ``x``."""
    return xp.asinh(x)


defvjp(arcsinh, lambda g, _y, x: divide(g, hypot(1.0, x)))


@primitive(
    symbol="arccosh",
    latex=r"\operatorname{{arccosh}} {0}",
    elementwise=True,
    analytic=True,
    domain=(1.2, 4.0),
    defined=r"x \ge 1",
    kinks="inf at 1",
)
def arccosh(xp: Any, x: Any) -> Any:
    """Return the inverse hyperbolic cosine of ``x`` ≥ 1; its derivative at 1 is inf."""
    return xp.acosh(x)


defvjp(arccosh, lambda g, _y, x: divide(divide(g, sqrt(x - 1)), sqrt(x + 1)))


@primitive(
    symbol="arctanh",
    latex=r"\operatorname{{arctanh}} {0}",
    elementwise=True,
    analytic=True,
    domain=(-0.9, 0.9),
    defined="-1 < x < 1",
    kinks="inf at -1 and at 1",
)
def arctanh(xp: Any, x: Any) -> Any:
    """Return the inverse hyperbolic tangent of ``x`` in (-1, 1)."""
    return xp.atanh(x)


defvjp(arctanh, lambda g, _y, x: divide(g, one_minus_square(x)))


@primitive(symbol="deg2rad", latex=r"\tfrac{{\pi}}{{180}} {0}", elementwise=True, linear=True, analytic=True)
def deg2rad(xp: Any, x: Any) -> Any:
    """Return an angle given in degrees in radians."""
    return x * (math.pi / 180)


@primitive(symbol="rad2deg", latex=r"\tfrac{{180}}{{\pi}} {0}", elementwise=True, linear=True, analytic=True)
def rad2deg(xp: Any, x: Any) -> Any:
    """Return an angle given in radians in degrees."""
    return x * (180 / math.pi)


defvjp(deg2rad, lambda g, _y, _x: deg2rad(g))
defvjp(rad2deg, lambda g, _y, _x: rad2deg(g))


@primitive(symbol="sinc", latex=r"\frac{{\sin(\pi {0})}}{{\pi {0}}}", elementwise=True, analytic=True)
def sinc(xp: Any, x: Any) -> Any:
    """Return ``sin(πx) / (πx)``, 1 at 0."""
    z = math.pi * xp.where(x == 0, 1.0, x)
    return xp.where(x == 0, 1.0, xp.sin(z) / z)


SERIES = [(-1) ** k * 2 * k * math.pi ** (2 * k) / math.factorial(2 * k + 1) for k in range(1, 8)]


def _sinc_vjp(g: Any, _y: Any, x: Any) -> Any:
    """Return ``g (cos(πx) - sinc(x)) / x``; near 0, where the difference cancels, its power series."""
    near = (x < 0.1) & (x > -0.1)
    small = where(near, x, 0.0)
    square = small * small
    series: Any = 0.0
    for coefficient in reversed(SERIES):
        series = coefficient + series * square
    away = where(near, 1.0, x)
    return g * where(near, small * series, divide(cos(math.pi * away) - sinc(away), away))


defvjp(sinc, _sinc_vjp)
