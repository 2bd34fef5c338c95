"""Comparisons and logic, which have no derivative, and what chooses between values by comparing them."""

from typing import Any

from tinygrad_mlp.ops.elementwise import identity, where
from tinygrad_mlp.table import defvjp, primitive


@primitive(symbol=">", latex="{0} > {1}", elementwise=True, differentiable=False)
def greater(xp: Any, a: Any, b: Any) -> Any:
    """Return whether ``a > b``."""
    return a > b


@primitive(symbol="≥", latex=r"{0} \ge {1}", elementwise=True, differentiable=False)
def greater_equal(xp: Any, a: Any, b: Any) -> Any:
    """Return whether ``a >= b``."""
    return a >= b


@primitive(symbol="<", latex="{0} < {1}", elementwise=True, differentiable=False)
def less(xp: Any, a: Any, b: Any) -> Any:
    """Return whether ``a < b``."""
    return a < b


@primitive(symbol="≤", latex=r"{0} \le {1}", elementwise=True, differentiable=False)
def less_equal(xp: Any, a: Any, b: Any) -> Any:
    """Return whether ``a <= b``."""
    return a <= b


@primitive(symbol="=", latex="{0} = {1}", elementwise=True, differentiable=False)
def equal(xp: Any, a: Any, b: Any) -> Any:
    """Return whether ``a == b``."""
    return a == b


@primitive(symbol="≠", latex=r"{0} \ne {1}", elementwise=True, differentiable=False)
def not_equal(xp: Any, a: Any, b: Any) -> Any:
    """Return whether ``a != b``."""
    return a != b


@primitive(symbol="not", latex=r"\lnot {0}", elementwise=True, differentiable=False)
def logical_not(xp: Any, a: Any) -> Any:
    """Return whether ``a`` is zero."""
    return xp.logical_not(a)


@primitive(symbol="and", latex=r"{0} \land {1}", elementwise=True, differentiable=False)
def logical_and(xp: Any, a: Any, b: Any) -> Any:
    """Return whether ``a`` and ``b`` are nonzero."""
    return xp.logical_and(a, b)


@primitive(symbol="or", latex=r"{0} \lor {1}", elementwise=True, differentiable=False)
def logical_or(xp: Any, a: Any, b: Any) -> Any:
    """Return whether ``a`` or ``b`` is nonzero."""
    return xp.logical_or(a, b)


@primitive(symbol="xor", latex=r"{0} \oplus {1}", elementwise=True, differentiable=False)
def logical_xor(xp: Any, a: Any, b: Any) -> Any:
    """Return whether exactly one of ``a`` and ``b`` is nonzero."""
    return xp.logical_xor(a, b)


@primitive(symbol="isnan", latex=r"\operatorname{{isnan}}({0})", elementwise=True, differentiable=False)
def isnan(xp: Any, x: Any) -> Any:
    """Return whether ``x`` is nan."""
    return xp.isnan(x)


@primitive(symbol="isinf", latex=r"\operatorname{{isinf}}({0})", elementwise=True, differentiable=False)
def isinf(xp: Any, x: Any) -> Any:
    """Return whether ``x`` is inf or -inf."""
    return xp.isinf(x)


@primitive(symbol="isfinite", latex=r"\operatorname{{isfinite}}({0})", elementwise=True, differentiable=False)
def isfinite(xp: Any, x: Any) -> Any:
    """Return whether ``x`` is neither inf nor nan."""
    return xp.isfinite(x)


@primitive(
    symbol="max",
    latex=r"\max({0}, {1})",
    elementwise=True,
    kinks="½ for each operand at a tie, and 1 for each beside a nan",
)
def maximum(xp: Any, a: Any, b: Any) -> Any:
    """Return the larger of ``a`` and ``b``; at a tie each gets half of the gradient, beside a nan each gets all."""
    return xp.maximum(a, b)


defvjp(
    maximum,
    lambda g, _y, a, b: where(a == b, g / 2, where(a < b, 0.0, g)),
    lambda g, _y, a, b: where(a == b, g / 2, where(b < a, 0.0, g)),
)


@primitive(
    symbol="min",
    latex=r"\min({0}, {1})",
    elementwise=True,
    kinks="½ for each operand at a tie, and 1 for each beside a nan",
)
def minimum(xp: Any, a: Any, b: Any) -> Any:
    """Return the smaller of ``a`` and ``b``; at a tie each gets half of the gradient, beside a nan each gets all."""
    return xp.minimum(a, b)


defvjp(
    minimum,
    lambda g, _y, a, b: where(a == b, g / 2, where(a > b, 0.0, g)),
    lambda g, _y, a, b: where(a == b, g / 2, where(b > a, 0.0, g)),
)


@primitive(
    symbol="fmax", latex=r"\operatorname{{fmax}}({0}, {1})", elementwise=True, kinks="1 for a and 0 for b at a tie"
)
def fmax(xp: Any, a: Any, b: Any) -> Any:
    """Return the larger of ``a`` and ``b``, the other where one is nan; at a tie ``a`` gets the gradient."""
    return xp.fmax(a, b)


defvjp(
    fmax,
    lambda g, _y, a, b: where(logical_or(a >= b, isnan(b)), g, 0.0),
    lambda g, _y, a, b: where(logical_or(a >= b, isnan(b)), 0.0, g),
)


@primitive(
    symbol="fmin", latex=r"\operatorname{{fmin}}({0}, {1})", elementwise=True, kinks="1 for a and 0 for b at a tie"
)
def fmin(xp: Any, a: Any, b: Any) -> Any:
    """Return the smaller of ``a`` and ``b``, the other where one is nan; at a tie ``a`` gets the gradient."""
    return xp.fmin(a, b)


defvjp(
    fmin,
    lambda g, _y, a, b: where(logical_or(a <= b, isnan(b)), g, 0.0),
    lambda g, _y, a, b: where(logical_or(a <= b, isnan(b)), 0.0, g),
)


@primitive(
    symbol="clip",
    latex=r"\min(\max({0}, {1}), {2})",
    elementwise=True,
    kinks="1 in x and 0 in a bound where they are equal",
)
def clip(xp: Any, x: Any, min: Any = None, max: Any = None, /) -> Any:
    """Return ``x`` held between ``min`` and ``max`` (None: no bound); the derivative in ``x`` is 1 on the bounds.

    >>> clip(5.0, 0.0, 3.0)
    3.0
    """
    if min is None:
        return identity.forward(xp, x) if max is None else xp.minimum(x, max)
    y = xp.maximum(x, min)
    return y if max is None else xp.minimum(y, max)


def _inside(x: Any, lower: Any, upper: Any) -> Any:
    above = True if lower is None else x >= lower
    below = True if upper is None else x <= upper
    return logical_and(above, below)


def _clip_lower(g: Any, _y: Any, x: Any, lower: Any, upper: Any) -> Any:
    free = x < lower
    return where(free if upper is None else logical_and(free, lower < upper), g, 0.0)


def _clip_upper(g: Any, _y: Any, x: Any, lower: Any, upper: Any) -> Any:
    free = x > upper
    crossed = False if lower is None else logical_and(lower >= upper, x < lower)
    return where(logical_or(free, crossed), g, 0.0)


defvjp(clip, lambda g, _y, x, lower, upper: where(_inside(x, lower, upper), g, 0.0), _clip_lower, _clip_upper)
