"""Activation functions, in forms that neither overflow nor lose digits in the tails."""

from typing import Any

from tinygrad_mlp import scalars
from tinygrad_mlp.ops.elementwise import exp, where
from tinygrad_mlp.ops.reductions import spread, sum
from tinygrad_mlp.table import defvjp, primitive


@primitive(symbol="σ", latex=r"\sigma({0})", elementwise=True)
def sigmoid(xp: Any, x: Any) -> Any:
    """Return the logistic function ``1 / (1 + exp(-x))``, without overflow.

    >>> sigmoid(0.0)
    0.5
    """
    if xp is scalars:
        e = xp.exp(-abs(x))  # in (0, 1]: exp never sees a positive number
        return (1.0 if x >= 0 else e) / (1 + e) if x == x else x
    with xp.quiet():  # exp may overflow to inf, and 1 / inf is the right 0; twice as fast as never overflowing
        return 1 / (1 + xp.exp(-x))


defvjp(sigmoid, lambda g, y, _x: g * (y * (1 - y)))


@primitive(symbol="relu", latex=r"\operatorname{{relu}}({0})", elementwise=True)
def relu(xp: Any, x: Any) -> Any:
    """Return ``max(x, 0)``; the derivative at 0 is 0."""
    return xp.maximum(x, 0.0)


defvjp(relu, lambda g, y, _x: where(y > 0, g, 0.0))


@primitive(symbol="leaky_relu", latex=r"\operatorname{{leaky\_relu}}({0})", elementwise=True)
def leaky_relu(xp: Any, x: Any, /, negative_slope: float = 0.01) -> Any:
    """Return ``x`` where it is positive, else ``negative_slope * x``; the derivative at 0 is the slope."""
    return xp.where(x > 0, x, negative_slope * x)


defvjp(leaky_relu, lambda g, _y, x, negative_slope=0.01: where(x > 0, g, negative_slope * g))


@primitive(symbol="softplus", latex=r"\log(1 + e^{{{0}}})", elementwise=True)
def softplus(xp: Any, x: Any) -> Any:
    """Return ``log(1 + exp(x))``, without overflow."""
    return xp.maximum(x, 0.0) + xp.log1p(xp.exp(-xp.abs(x)))


defvjp(softplus, lambda g, _y, x: g * sigmoid(x))


@primitive(symbol="softmax", latex=r"\operatorname{{softmax}}({0})")
def softmax(xp: Any, x: Any, /, axis: int = -1) -> Any:
    """Return ``exp(x) / sum(exp(x))`` along ``axis``; the maximum is subtracted before exp."""
    e = xp.exp(x - xp.max(x, axis=axis, keepdims=True))
    return e / xp.sum(e, axis=axis, keepdims=True)


defvjp(softmax, lambda g, y, _x, axis=-1: y * (g - sum(g * y, axis=axis, keepdims=True)))


@primitive(symbol="log_softmax", latex=r"\log\operatorname{{softmax}}({0})")
def log_softmax(xp: Any, x: Any, /, axis: int = -1) -> Any:
    """Return ``log(softmax(x))`` along ``axis``, without the logarithm of a rounded zero."""
    z = x - xp.max(x, axis=axis, keepdims=True)
    return z - xp.log(xp.sum(xp.exp(z), axis=axis, keepdims=True))


defvjp(
    log_softmax,
    lambda g, y, _x, axis=-1: g - exp(y) * spread(sum(g, axis=axis), y.shape, axis),
)
