"""Array functions for Python floats: the smallest namespace, with IEEE results where Python would raise.

``math`` raises where IEEE 754 says inf or nan (``exp(1000)``, ``log(0)``). At those points NumPy answers instead, so
that a float gives what a 0-d float64 array gives, warnings under ``numpy.errstate`` included.
"""

import math
from collections.abc import Callable

import numpy as np

__all__ = [
    "abs", "acos", "acosh", "asin", "asinh", "atan", "atan2", "atanh", "cbrt", "ceil", "clip", "copysign", "cos",
    "cosh", "divide", "erf", "erfc", "exp", "exp2", "expm1", "floor", "floor_divide", "fmax", "fmin", "fmod",
    "heaviside", "hypot", "isfinite", "isinf", "isnan", "log", "log10", "log1p", "log2", "logaddexp", "logaddexp2",
    "logical_and", "logical_not", "logical_or", "logical_xor", "maximum", "minimum", "power", "remainder", "round",
    "sign", "signbit", "sin", "sinh", "sqrt", "square", "tan", "tanh", "trunc", "where",
]  # fmt: skip

apply = None  # the forward rules run as they are; see arrays.Namespace

# The builtin and the math functions are total or raise ValueError or OverflowError at special points only.
abs = abs  # noqa: PLW0127  (the builtin is the rule)
isnan = math.isnan
isinf = math.isinf
isfinite = math.isfinite


def _ieee(fast: Callable[[float], float], full: np.ufunc) -> Callable[[float], float]:
    """Return ``fast`` with ``full`` answering at the points where ``fast`` raises."""

    def function(x: float) -> float:
        try:
            return fast(x)
        except (ValueError, OverflowError):
            return float(full(float(x)))

    return function


def _through(full: np.ufunc) -> Callable[..., float]:
    """Return NumPy's function on floats."""
    return lambda *args: float(full(*args))


exp = _ieee(math.exp, np.exp)
expm1 = _ieee(math.expm1, np.expm1)
log = _ieee(math.log, np.log)
log1p = _ieee(math.log1p, np.log1p)
sqrt = _ieee(math.sqrt, np.sqrt)
sin = _ieee(math.sin, np.sin)
cos = _ieee(math.cos, np.cos)
tan = _ieee(math.tan, np.tan)
asin = _ieee(math.asin, np.asin)
acos = _ieee(math.acos, np.acos)
atan = math.atan
atan2 = math.atan2
hypot = math.hypot
sinh = _ieee(math.sinh, np.sinh)
cosh = _ieee(math.cosh, np.cosh)
tanh = math.tanh
asinh = math.asinh
acosh = _ieee(math.acosh, np.acosh)
atanh = _ieee(math.atanh, np.atanh)
exp2 = _ieee(math.exp2, np.exp2)
log2 = _ieee(math.log2, np.log2)
log10 = _ieee(math.log10, np.log10)
cbrt = math.cbrt
erf = math.erf
erfc = math.erfc
copysign = math.copysign
floor = _through(np.floor)  # math's give integers, and refuse inf and nan
ceil = _through(np.ceil)
trunc = _through(np.trunc)
round = _through(np.rint)
remainder = _through(np.remainder)
floor_divide = _through(np.floor_divide)
fmod = _through(np.fmod)
heaviside = _through(np.heaviside)
logaddexp = _through(np.logaddexp)
logaddexp2 = _through(np.logaddexp2)


def square(x: float) -> float:
    """Return ``x * x``."""
    return x * x


def divide(a: float, b: float) -> float:
    """Return ``a / b``, with inf and nan where Python raises."""
    try:
        return a / b
    except ZeroDivisionError:
        return float(np.divide(float(a), float(b)))


def power(a: float, b: float) -> float:
    """Return ``a ** b``, nan for a negative base with a fractional exponent, inf on overflow and at ``0 ** -1``."""
    try:
        y = a**b
    except (ZeroDivisionError, OverflowError):
        return float(np.power(float(a), float(b)))
    return y if type(y) is not complex else float(np.power(float(a), float(b)))


def sign(x: float) -> float:
    """Return -1, 0 or 1 as a float, nan for nan."""
    return 1.0 if x > 0 else -1.0 if x < 0 else 0.0 if x == 0 else x


def signbit(x: float) -> bool:
    """Return whether the sign is minus, that of -0.0 included."""
    return math.copysign(1.0, x) < 0


def maximum(a: float, b: float) -> float:
    """Return the larger, nan if either is nan."""
    return a if a >= b or a != a else b


def minimum(a: float, b: float) -> float:
    """Return the smaller, nan if either is nan."""
    return a if a <= b or a != a else b


def fmax(a: float, b: float) -> float:
    """Return the larger, the other if one is nan."""
    return a if a >= b or b != b else b


def fmin(a: float, b: float) -> float:
    """Return the smaller, the other if one is nan."""
    return a if a <= b or b != b else b


def clip(x: float, lower: float | None = None, upper: float | None = None) -> float:
    """Return ``minimum(maximum(x, lower), upper)``; None is no bound."""
    if lower is not None:
        x = maximum(x, lower)
    return x if upper is None else minimum(x, upper)


def where(condition: bool, a: float, b: float) -> float:
    """Return ``a`` if the condition holds, else ``b``."""
    return a if condition else b


def logical_not(a: float) -> bool:
    """Return whether ``a`` is zero."""
    return not a


def logical_and(a: float, b: float) -> bool:
    """Return whether both are nonzero."""
    return bool(a) and bool(b)


def logical_or(a: float, b: float) -> bool:
    """Return whether either is nonzero."""
    return bool(a) or bool(b)


def logical_xor(a: float, b: float) -> bool:
    """Return whether exactly one is nonzero."""
    return bool(a) is not bool(b)
