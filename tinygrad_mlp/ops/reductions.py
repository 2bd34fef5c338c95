"""What summarises an array over axes: sums, means, extremes, and the stable logarithm of a sum of exponentials."""

import math
from collections.abc import Sequence
from typing import Any

from tinygrad_mlp.ops.comparison import equal, logical_or
from tinygrad_mlp.ops.elementwise import divide, exp, multiply, where
from tinygrad_mlp.ops.shaping import as_tuple, astype, broadcast_to, normal_axis, reshape
from tinygrad_mlp.table import defvjp, primitive

Axis = int | Sequence[int] | None


def reduced_axes(axis: Axis, ndim: int) -> tuple[int, ...]:
    """Return the axes that a reduction removes, counted from the front."""
    if axis is None:
        return tuple(range(ndim))
    return tuple(normal_axis(a, ndim) for a in as_tuple(axis))


def count(shape: Sequence[int], axis: Axis) -> int:
    """Return how many elements a reduction of ``shape`` over ``axis`` takes together."""
    n = 1
    for a in reduced_axes(axis, len(shape)):
        n *= shape[a]
    return n


def spread(g: Any, shape: Sequence[int], axis: Axis) -> Any:
    """Return the result ``g`` of a reduction over ``axis`` repeated to the shape that was reduced."""
    axes = reduced_axes(axis, len(shape))
    return broadcast_to(reshape(g, tuple(1 if i in axes else n for i, n in enumerate(shape))), tuple(shape))


def _tuple(axis: Axis) -> Any:
    return axis if axis is None or isinstance(axis, int) else as_tuple(axis)


@primitive(symbol="Σ", latex=r"\sum {0}", linear=True, analytic=True)
def sum(xp: Any, x: Any, /, axis: Axis = None, *, keepdims: bool = False) -> Any:
    """Return the sum over ``axis`` (all axes by default).

    >>> sum([[1.0, 2.0], [3.0, 4.0]], axis=0)
    array([4., 6.])
    """
    return xp.sum(x, axis=_tuple(axis), keepdims=keepdims)


defvjp(sum, lambda g, _y, _x, axis=None, **_: spread(g, _x.shape, axis))


@primitive(symbol="mean", latex=r"\operatorname{{mean}}({0})", linear=True, analytic=True)
def mean(xp: Any, x: Any, /, axis: Axis = None, *, keepdims: bool = False) -> Any:
    """Return the mean over ``axis`` (all axes by default)."""
    return xp.mean(x, axis=_tuple(axis), keepdims=keepdims)


defvjp(mean, lambda g, _y, _x, axis=None, **_: spread(divide(g, count(_x.shape, axis)), _x.shape, axis))


@primitive(symbol="var", latex=r"\operatorname{{var}}({0})")
def var(xp: Any, x: Any, /, axis: Axis = None, *, ddof: float = 0, keepdims: bool = False) -> Any:
    """Return the variance over ``axis``: squared deviations from the mean, divided by n - ``ddof``."""
    return xp.var(x, axis=_tuple(axis), correction=ddof, keepdims=keepdims)


def _var_vjp(g: Any, _y: Any, x: Any, axis: Axis = None, ddof: float = 0, **_: Any) -> Any:
    scale = divide(2.0, count(x.shape, axis) - ddof)
    return spread(multiply(g, scale), x.shape, axis) * (x - mean(x, axis=axis, keepdims=True))


defvjp(var, _var_vjp)


@primitive(symbol="max", latex=r"\max {0}", kinks="an even share for each element at a tie, and a nan gets it all")
def max(xp: Any, x: Any, /, axis: Axis = None, *, keepdims: bool = False) -> Any:
    """Return the largest element over ``axis``; where several are largest, the gradient is split evenly."""
    return xp.max(x, axis=_tuple(axis), keepdims=keepdims)


@primitive(symbol="min", latex=r"\min {0}", kinks="an even share for each element at a tie, and a nan gets it all")
def min(xp: Any, x: Any, /, axis: Axis = None, *, keepdims: bool = False) -> Any:
    """Return the smallest element over ``axis``; where several are smallest, the gradient is split evenly."""
    return xp.min(x, axis=_tuple(axis), keepdims=keepdims)


def _extreme_vjp(g: Any, y: Any, x: Any, axis: Axis = None, keepdims: bool = False) -> Any:
    ties = logical_or(x == spread(y, x.shape, axis), x != x)  # a nan is the extreme of what holds one
    share = divide(g, sum(astype(ties, x.dtype), axis=axis, keepdims=keepdims))
    return where(ties, spread(share, x.shape, axis), 0.0)


defvjp(max, _extreme_vjp)
defvjp(min, _extreme_vjp)


@primitive(symbol="argmax", latex=r"\operatorname{{argmax}} {0}", differentiable=False)
def argmax(xp: Any, x: Any, /, axis: int | None = None, *, keepdims: bool = False) -> Any:
    """Return the index of the first largest element over ``axis``, of the flattened array by default."""
    return xp.argmax(x, axis=axis, keepdims=keepdims)


@primitive(symbol="argmin", latex=r"\operatorname{{argmin}} {0}", differentiable=False)
def argmin(xp: Any, x: Any, /, axis: int | None = None, *, keepdims: bool = False) -> Any:
    """Return the index of the first smallest element over ``axis``, of the flattened array by default."""
    return xp.argmin(x, axis=axis, keepdims=keepdims)


@primitive(symbol="logsumexp", latex=r"\log \sum e^{{{0}}}", analytic=True, kinks="0 where every element is -inf")
def logsumexp(xp: Any, x: Any, /, axis: Axis = None, *, keepdims: bool = False) -> Any:
    """Return ``log(sum(exp(x)))`` over ``axis``, without overflow: the maximum is taken out before exp.

    >>> logsumexp([1000.0, 1000.0])
    array(1000.69314718)
    """
    axes = _tuple(axis)
    top = xp.max(x, axis=axes, keepdims=True)
    top = xp.where(xp.isfinite(top), top, xp.zeros_like(top))
    with xp.quiet():  # of nothing but -inf the sum is 0, and its logarithm the right -inf
        total = xp.log(xp.sum(xp.exp(x - top), axis=axes, keepdims=True)) + top
    if keepdims:
        return total
    gone = reduced_axes(axis, x.ndim)
    return xp.reshape(total, tuple(n for i, n in enumerate(x.shape) if i not in gone))


def _logsumexp_vjp(g: Any, y: Any, x: Any, axis: Axis = None, **_: Any) -> Any:
    shift = where(equal(y, -math.inf), 0.0, y)  # of nothing but -inf, every weight is 0
    return spread(g, x.shape, axis) * exp(x - spread(shift, x.shape, axis))


defvjp(logsumexp, _logsumexp_vjp)
