"""What is constant between jumps, with derivative 0 there; remainders; and what replaces nan and inf."""

import builtins
from sys import float_info
from typing import Any

from tinygrad_mlp import scalars
from tinygrad_mlp.arrays import is_floating
from tinygrad_mlp.ops.comparison import isfinite
from tinygrad_mlp.ops.elementwise import divide, identity, sign, where
from tinygrad_mlp.table import defvjp, primitive


def _nothing(g: Any, _y: Any, _x: Any) -> Any:
    return where(False, g, 0.0)


@primitive(symbol="floor", latex=r"\lfloor {0} \rfloor", elementwise=True, kinks="0 everywhere, also at the jumps")
def floor(xp: Any, x: Any) -> Any:
    """Return the largest whole number not above ``x``; the derivative is 0 everywhere."""
    return xp.floor(x)


@primitive(symbol="ceil", latex=r"\lceil {0} \rceil", elementwise=True, kinks="0 everywhere, also at the jumps")
def ceil(xp: Any, x: Any) -> Any:
    """Return the smallest whole number not below ``x``; the derivative is 0 everywhere."""
    return xp.ceil(x)


@primitive(
    symbol="trunc", latex=r"\operatorname{{trunc}}({0})", elementwise=True, kinks="0 everywhere, also at the jumps"
)
def trunc(xp: Any, x: Any) -> Any:
    """Return ``x`` rounded towards 0; the derivative is 0 everywhere."""
    return xp.trunc(x)


@primitive(
    symbol="rint", latex=r"\operatorname{{rint}}({0})", elementwise=True, kinks="0 everywhere, also at the jumps"
)
def rint(xp: Any, x: Any) -> Any:
    """Return the nearest whole number, the even one of two; the derivative is 0 everywhere."""
    return xp.round(x)


defvjp(floor, _nothing)
defvjp(ceil, _nothing)
defvjp(trunc, _nothing)
defvjp(rint, _nothing)


@primitive(
    symbol="round", latex=r"\operatorname{{round}}({0})", elementwise=True, kinks="0 everywhere, also at the jumps"
)
def round(xp: Any, x: Any, /, decimals: int = 0) -> Any:
    """Return ``x`` rounded to so many decimals, the even one of two; the derivative is 0 everywhere.

    Args:
        x: numbers.
        decimals: how many digits stay behind the point; negative ones round to tens, hundreds and so on.

    >>> round(1234.5678, 2), round(1234.5678, -2)
    (1234.57, 1200.0)
    """
    if decimals == 0 or (decimals > 0 and not is_floating(x)):
        return xp.round(x)
    scale = 10.0 ** builtins.abs(decimals)
    y = xp.round(x * scale) / scale if decimals > 0 else xp.round(x / scale) * scale
    return y if xp is scalars or is_floating(x) else xp.astype(y, x.dtype)


defvjp(round, lambda g, _y, _x, **_: where(False, g, 0.0))


@primitive(symbol="signbit", latex=r"\operatorname{{signbit}}({0})", elementwise=True, differentiable=False)
def signbit(xp: Any, x: Any) -> Any:
    """Return whether the sign of ``x`` is minus, that of -0.0 included."""
    return xp.signbit(x)


def fix(x: Any) -> Any:
    """Return ``x`` rounded towards 0, as ``trunc``."""
    return trunc(x)


def positive(x: Any) -> Any:
    """Return ``x`` as a new node."""
    return identity(x)


@primitive(
    symbol="H",
    latex=r"H({0}, {1})",
    elementwise=True,
    kinks="0 in x everywhere, also at 0, where it is 1 in the value at 0",
)
def heaviside(xp: Any, x: Any, at_zero: Any) -> Any:
    """Return 0 where ``x`` is negative, 1 where it is positive, ``at_zero`` at 0; the derivative in ``x`` is 0."""
    return xp.heaviside(x, at_zero)


defvjp(
    heaviside,
    lambda g, _y, _x, _h: where(False, g, 0.0),
    lambda g, _y, x, _h: where(x == 0, g, 0.0),
)


@primitive(
    symbol="//",
    latex=r"\left\lfloor \frac{{{0}}}{{{1}}} \right\rfloor",
    elementwise=True,
    domain=(0.3, 3.0),
    defined=r"b \ne 0",
    kinks="0 everywhere, also at the jumps",
)
def floor_divide(xp: Any, a: Any, b: Any) -> Any:
    """Return the largest whole number not above ``a / b``; both derivatives are 0 everywhere.

    >>> floor_divide(-7.0, 2.0)
    -4.0
    """
    return xp.floor_divide(a, b)


defvjp(floor_divide, lambda g, _y, _a, _b: where(False, g, 0.0), lambda g, _y, _a, _b: where(False, g, 0.0))


def divmod(a: Any, b: Any) -> tuple[Any, Any]:
    """Return ``floor_divide(a, b)`` and ``remainder(a, b)``.

    >>> divmod(7.5, 2.0)
    (3.0, 1.5)
    """
    return floor_divide(a, b), remainder(a, b)


@primitive(
    symbol="mod",
    latex=r"{0} \bmod {1}",
    elementwise=True,
    domain=(0.3, 3.0),
    defined=r"b \ne 0",
    kinks="1 in a, also at the jumps",
)
def remainder(xp: Any, a: Any, b: Any) -> Any:
    """Return ``a - floor(a / b) * b``, of the sign of ``b``, as Python's ``%``."""
    return xp.remainder(a, b)


@primitive(
    symbol="fmod",
    latex=r"\operatorname{{fmod}}({0}, {1})",
    elementwise=True,
    domain=(0.3, 3.0),
    defined=r"b \ne 0",
    kinks="1 in a, also at the jumps",
)
def fmod(xp: Any, a: Any, b: Any) -> Any:
    """Return ``a - trunc(a / b) * b``, of the sign of ``a``, as C's ``fmod``."""
    return xp.fmod(a, b)


defvjp(remainder, lambda g, _y, _a, _b: g, lambda g, _y, a, b: -g * floor_divide(a, b))
defvjp(fmod, lambda g, _y, _a, _b: g, lambda g, _y, a, b: -g * trunc(divide(a, b)))


@primitive(
    symbol="copysign",
    latex=r"\operatorname{{copysign}}({0}, {1})",
    elementwise=True,
    kinks="0 in a where a is 0, and 0 in b everywhere",
)
def copysign(xp: Any, a: Any, b: Any) -> Any:
    """Return the size of ``a`` with the sign of ``b``; the derivative in ``a`` at 0 is 0, that in ``b`` is 0."""
    return xp.copysign(a, b)


defvjp(
    copysign,
    lambda g, y, a, _b: g * (sign(a) * sign(y)),
    lambda g, _y, _a, _b: where(False, g, 0.0),
)


@primitive(
    symbol="nan_to_num",
    latex=r"\operatorname{{nan\_to\_num}}({0})",
    elementwise=True,
    kinks="0 at nan and at the infinities",
)
def nan_to_num(xp: Any, x: Any, /, nan: float = 0.0, posinf: float | None = None, neginf: float | None = None) -> Any:
    """Return ``x`` with nan and infinities replaced (by the dtype's largest numbers); the derivative is 0 there."""
    if xp is not scalars and not xp.isdtype(x.dtype, "real floating"):
        return identity.forward(xp, x)  # integers are all finite
    most = float_info.max if xp is scalars else xp.finfo(x.dtype).max
    high = most if posinf is None else posinf
    low = -most if neginf is None else neginf
    y = xp.where(xp.isnan(x), nan, x)
    y = xp.where(xp.logical_and(xp.isinf(x), x > 0), high, y)
    return xp.where(xp.logical_and(xp.isinf(x), x < 0), low, y)


defvjp(nan_to_num, lambda g, _y, x, **_: where(isfinite(x), g, 0.0))
