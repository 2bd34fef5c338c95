"""Other elementary and special functions: more logarithms, exponentials and roots, and the error function."""

import math
from typing import Any

import numpy as np

from tinygrad_mlp.arrays import as_payload, is_floating
from tinygrad_mlp.graph import NODES
from tinygrad_mlp.ops.elementwise import abs, divide, exp, log, power, where
from tinygrad_mlp.ops.shaping import astype
from tinygrad_mlp.table import defvjp, primitive

LN2, LN10 = math.log(2), math.log(10)


@primitive(symbol="exp2", latex="2^{{{0}}}", elementwise=True, analytic=True)
def exp2(xp: Any, x: Any) -> Any:
    """Return 2 to the power ``x``."""
    return xp.exp2(x)


defvjp(exp2, lambda g, y, _x: g * (y * LN2))


@primitive(
    symbol="log2",
    latex=r"\log_2 {0}",
    elementwise=True,
    analytic=True,
    domain=(0.1, 4.0),
    defined="x > 0",
    kinks="inf at 0",
)
def log2(xp: Any, x: Any) -> Any:
    """Return the logarithm of ``x`` to base 2."""
    return xp.log2(x)


defvjp(log2, lambda g, _y, x: divide(g, x * LN2))


@primitive(
    symbol="log10",
    latex=r"\log_{{10}} {0}",
    elementwise=True,
    analytic=True,
    domain=(0.1, 4.0),
    defined="x > 0",
    kinks="inf at 0",
)
def log10(xp: Any, x: Any) -> Any:
    """Return the logarithm of ``x`` to base 10."""
    return xp.log10(x)


defvjp(log10, lambda g, _y, x: divide(g, x * LN10))


@primitive(symbol="∛", latex=r"\sqrt[3]{{{0}}}", elementwise=True, domain=(0.1, 4.0), kinks="inf at 0")
def cbrt(xp: Any, x: Any) -> Any:
    """Return the real cube root of ``x``, negative for negative ``x``; its derivative at 0 is inf."""
    return xp.cbrt(x)


defvjp(cbrt, lambda g, y, _x: divide(g, 3 * (y * y)))


@primitive(
    symbol="1/√",
    latex=r"\frac{{1}}{{\sqrt{{{0}}}}}",
    elementwise=True,
    analytic=True,
    domain=(0.2, 4.0),
    defined="x > 0",
    kinks="-inf at 0",
)
def rsqrt(xp: Any, x: Any) -> Any:
    """Return ``1 / sqrt(x)``."""
    return xp.divide(1.0, xp.sqrt(x))


defvjp(rsqrt, lambda g, y, _x: g * (-0.5 * (y * y * y)))


@primitive(
    symbol="logaddexp",
    latex=r"\log(e^{{{0}}} + e^{{{1}}})",
    elementwise=True,
    kinks="½ for each operand at two equal infinities",
)
def logaddexp(xp: Any, a: Any, b: Any) -> Any:
    """Return ``log(exp(a) + exp(b))`` without overflow."""
    return xp.logaddexp(a, b)


@primitive(
    symbol="logaddexp2",
    latex=r"\log_2(2^{{{0}}} + 2^{{{1}}})",
    elementwise=True,
    kinks="½ for each operand at two equal infinities",
)
def logaddexp2(xp: Any, a: Any, b: Any) -> Any:
    """Return ``log2(2**a + 2**b)`` without overflow."""
    return xp.logaddexp2(a, b)


@primitive(
    symbol="xlogy",
    latex=r"{0} \log {1}",
    elementwise=True,
    analytic=True,
    domain=(0.2, 3.0),
    defined=r"y > 0 \text{ or } x = 0",
    kinks="0 in x where x is 0 and y ≤ 0",
)
def xlogy(xp: Any, x: Any, y: Any) -> Any:
    """Return ``x * log(y)``, 0 where ``x`` is 0 and ``y`` is not nan."""
    if type(y) is float and type(x) is not float and is_floating(x):
        y = xp.asarray(y, dtype=x.dtype)  # a number never widens
    absent = xp.logical_and(x == 0, xp.logical_not(xp.isnan(y)))
    return xp.where(absent, 0.0, x * xp.log(xp.where(absent, 1.0, y)))


def _xlogy_factor(g: Any, _z: Any, x: Any, y: Any) -> Any:
    absent = (x == 0) & (y <= 0)
    return where(absent, 0.0, g * log(where(absent, 1.0, y)))


defvjp(xlogy, _xlogy_factor, lambda g, _z, x, y: g * divide(x, y))


@primitive(symbol="erf", latex=r"\operatorname{{erf}}({0})", elementwise=True)
def erf(xp: Any, x: Any) -> Any:
    """Return the error function ``2/√π ∫₀ˣ exp(-t²) dt``."""
    return xp.erf(x)


@primitive(symbol="erfc", latex=r"\operatorname{{erfc}}({0})", elementwise=True)
def erfc(xp: Any, x: Any) -> Any:
    """Return ``1 - erf(x)``, exact in the right tail, where the difference would round to 0."""
    return xp.erfc(x)


defvjp(erf, lambda g, _y, x: g * (2 / math.sqrt(math.pi) * exp(-x * x)))
defvjp(erfc, lambda g, _y, x: g * (-2 / math.sqrt(math.pi) * exp(-x * x)))


@primitive(
    symbol="logit",
    latex=r"\log\frac{{{0}}}{{1 - {0}}}",
    elementwise=True,
    analytic=True,
    domain=(0.1, 0.9),
    defined="0 < x < 1",
    kinks="inf at 0 and at 1; given eps, 0 below eps and above 1 - eps",
)
def logit(xp: Any, x: Any, /, eps: float | None = None) -> Any:
    """Return ``log(x / (1 - x))``, the inverse of ``sigmoid``.

    Args:
        x: probabilities.
        eps: if given, ``x`` is first held between ``eps`` and ``1 - eps``, as in PyTorch; the derivative is 0 outside.
    """
    p = x if eps is None else xp.minimum(xp.maximum(x, eps), 1 - eps)
    return xp.log(p) - xp.log1p(-p)


def _logit_vjp(g: Any, _y: Any, x: Any, eps: float | None = None) -> Any:
    slope = divide(g, abs(x * (1 - x)))
    if eps is None:
        return where((x >= 0) & (x <= 1), slope, math.nan)
    return where((x >= eps) & (x <= 1 - eps), slope, 0.0)


defvjp(logit, _logit_vjp)


@primitive(symbol="lerp", latex=r"{0} + {2}\,({1} - {0})", elementwise=True, analytic=True)
def lerp(xp: Any, a: Any, b: Any, weight: Any) -> Any:
    """Return ``a + weight * (b - a)``: ``a`` at weight 0, ``b`` at weight 1."""
    return a + weight * (b - a)


defvjp(
    lerp,
    lambda g, _y, _a, _b, weight: g * (1 - weight),
    lambda g, _y, _a, _b, weight: g * weight,
    lambda g, _y, a, b, _weight: g * (b - a),
)


def float_power(a: Any, b: Any) -> Any:
    """Return ``a`` to the power ``b``, computed in float64 at least, as NumPy does."""
    return power(_at_least_float64(a), _at_least_float64(b))


def _at_least_float64(x: Any) -> Any:
    payload = x._payload if type(x) in NODES else x
    if isinstance(payload, float | int):
        return x if type(x) in NODES else float(x)
    payload = np.asarray(as_payload(payload))
    wide = np.result_type(payload.dtype, np.float64)
    return x if payload.dtype == wide else astype(x if type(x) in NODES else payload, dtype=wide)
