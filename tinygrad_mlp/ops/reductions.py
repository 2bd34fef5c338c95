"""What summarises an array over axes: sums, products, means, extremes, and the stable logarithm of a sum of exps."""

import math
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

import numpy as np

from tinygrad_mlp.arrays import NUMPY
from tinygrad_mlp.errors import DTypeError, ShapeError, UnsupportedError, ZeroWeightsError
from tinygrad_mlp.graph import assume
from tinygrad_mlp.ops import elementwise
from tinygrad_mlp.ops.comparison import equal, isnan, logical_and, logical_not, logical_or, maximum, minimum, not_equal
from tinygrad_mlp.ops.elementwise import divide, exp, multiply, sqrt, subtract
from tinygrad_mlp.ops.shaping import (
    as_array,
    as_tuple,
    astype,
    broadcast_to,
    normal_axis,
    numpy_dtype,
    reshape,
    transpose,
)
from tinygrad_mlp.table import Op, defvjp, primitive

Axis = int | Sequence[int] | None
select = elementwise.where  # `where` is an argument here, as in NumPy


def reduced_axes(axis: Axis, ndim: int) -> tuple[int, ...]:
    """Return the axes that a reduction removes, counted from the front; NumPy finds axis 0 in a number too."""
    if axis is None or ndim == 0:
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


def _of_number(axis: Axis) -> Axis:
    """Return the axes of a number without axes: none; NumPy's sums find an axis 0 in it, and so does PyTorch."""
    return None if axis in (None, 0, -1) else axis


# ------------------------------------------------------------------------------------------------------ sums and means


@primitive(symbol="Σ", latex=r"\sum {0}", linear=True, analytic=True)
def sum(xp: Any, x: Any, /, axis: Axis = None, *, keepdims: bool = False) -> Any:
    """Return the sum over ``axis`` (all axes by default).

    NumPy's ``dtype``, ``initial`` and ``where`` are options of this and the other reductions that have them in NumPy.

    >>> sum([[1.0, 2.0], [3.0, 4.0]], axis=0)
    array([4., 6.])
    """
    if xp is not NUMPY and xp.isdtype(x.dtype, "bool"):  # NumPy counts them
        x = xp.astype(x, xp.int64)
    return xp.sum(x, axis=_tuple(axis), keepdims=keepdims)


defvjp(sum, lambda g, _y, _x, axis=None, **_: spread(g, _x.shape, axis))


@primitive(symbol="Π", latex=r"\prod {0}", analytic=True)
def prod(xp: Any, x: Any, /, axis: Axis = None, *, keepdims: bool = False) -> Any:
    """Return the product over ``axis``; its derivative is the product of the other elements, zeros or not.

    >>> prod([[1.0, 2.0], [3.0, 4.0]], axis=0)
    array([3., 8.])
    """
    return xp.prod(x, axis=_tuple(axis), keepdims=keepdims)  # the vjp is in cumulative.py


@primitive(symbol="mean", latex=r"\operatorname{{mean}}({0})", linear=True, analytic=True)
def mean(xp: Any, x: Any, /, axis: Axis = None, *, keepdims: bool = False) -> Any:
    """Return the mean over ``axis`` (all axes by default)."""
    return xp.mean(x, axis=_tuple(axis) if x.ndim else _of_number(axis), keepdims=keepdims)


defvjp(mean, lambda g, _y, _x, axis=None, **_: spread(divide(g, count(_x.shape, axis)), _x.shape, axis))


@primitive(symbol="var", latex=r"\operatorname{{var}}({0})")
def var(xp: Any, x: Any, /, axis: Axis = None, *, ddof: float = 0, keepdims: bool = False) -> Any:
    """Return the variance over ``axis``: squared deviations from the mean, divided by n - ``ddof``."""
    return xp.var(x, axis=_tuple(axis) if x.ndim else _of_number(axis), correction=ddof, keepdims=keepdims)


@primitive(symbol="std", latex=r"\operatorname{{std}}({0})", kinks="0 where all elements are equal")
def std(xp: Any, x: Any, /, axis: Axis = None, *, ddof: float = 0, keepdims: bool = False) -> Any:
    """Return the standard deviation over ``axis``, the root of ``var``; its derivative is 0 where it is 0.

    >>> std([[1.0, 3.0]], axis=1)
    array([1.])
    """
    return xp.std(x, axis=_tuple(axis) if x.ndim else _of_number(axis), correction=ddof, keepdims=keepdims)


def _freedom(shape: Sequence[int], axis: Axis, ddof: float) -> float:
    """Return n - ``ddof``, 0 where it is negative: the result is nan or inf there, as in NumPy."""
    n = count(shape, axis) - ddof
    return float(n) if n > 0 else 0.0


def _var_vjp(g: Any, _y: Any, x: Any, axis: Axis = None, ddof: float = 0, **_: Any) -> Any:
    scale = divide(2.0, _freedom(x.shape, axis, ddof))
    return spread(multiply(g, scale), x.shape, axis) * (x - mean(x, axis=axis, keepdims=True))


def _std_vjp(g: Any, y: Any, x: Any, axis: Axis = None, ddof: float = 0, keepdims: bool = False) -> Any:
    flat = equal(y, 0.0)
    if 0 not in x.shape:  # the mean of equal elements may be rounded, and y not quite 0
        ends = (reduce(x, axis=axis, keepdims=keepdims) for reduce in (max, min))
        flat = logical_or(flat, logical_and(equal(*ends), logical_not(isnan(y))))
    slope = divide(divide(g, select(flat, 1.0, y)), _freedom(x.shape, axis, ddof))
    return spread(select(flat, 0.0, slope), x.shape, axis) * (x - mean(x, axis=axis, keepdims=True))


defvjp(var, _var_vjp)
defvjp(std, _std_vjp)


def average(x: Any, axis: Axis = None, weights: Any = None, returned: bool = False, *, keepdims: bool = False) -> Any:
    """Return ``sum(x * weights) / sum(weights)`` over ``axis``, with ``returned`` also the sum of the weights.

    Args:
        x: an array.
        axis: the axes to average over; all by default.
        weights: of the shape of ``x``, or of its shape along ``axis``; a gradient flows to them too. None: all equal.
        returned: whether to return a pair.
        keepdims: whether the averaged axes stay, with length one.

    Raises:
        ShapeError: The weights are of another shape than that of ``x`` along ``axis``.
        UnsupportedError: They are of another shape than ``x``, and no axis says which.
        ZeroWeightsError: Weights sum to zero.

    >>> average([[1.0, 2.0, 6.0]], axis=1, weights=[2.0, 1.0, 1.0])
    array([2.5])
    """
    x = as_array(x)
    if weights is None:
        y = mean(x, axis=axis, keepdims=keepdims)
        return (y, np.full(y.shape, float(count(x.shape, axis)), y.dtype)) if returned else y
    w = _fitted(as_array(weights), x.shape, axis)
    if getattr(x.dtype, "kind", "f") in "iub":
        x = astype(x, dtype=np.float64)
    total = sum(w, axis=axis, keepdims=keepdims)
    if assume(any(equal(total, 0))):
        raise ZeroWeightsError("average: weights sum to zero; leave out what has no weight")
    y = divide(sum(multiply(x, w), axis=axis, keepdims=keepdims), total)
    return (y, broadcast_to(astype(total, dtype=y.dtype), shape=tuple(y.shape))) if returned else y


def _fitted(w: Any, shape: Sequence[int], axis: Axis) -> Any:
    """Return the weights of an average, with axes of length one where ``x`` is not averaged."""
    if tuple(w.shape) == tuple(shape):
        return w
    if axis is None:
        raise UnsupportedError(
            f"average: weights of shape {tuple(w.shape)} for an array of shape {tuple(shape)}: give axis="
        )
    axes = reduced_axes(axis, len(shape))
    wanted = tuple(shape[a] for a in axes)
    if tuple(w.shape) != wanted:
        raise ShapeError(f"average: weights of shape {tuple(w.shape)}; along axis {axis} they must have shape {wanted}")
    w = transpose(w, axes=sorted(range(len(axes)), key=lambda i: axes[i]))
    return reshape(w, shape=tuple(n if i in axes else 1 for i, n in enumerate(shape)))


# ------------------------------------------------------------------------------------------------------------ extremes


@primitive(symbol="max", latex=r"\max {0}", kinks="an even share for each element at a tie, and a nan gets it all")
def max(xp: Any, x: Any, /, axis: Axis = None, *, keepdims: bool = False) -> Any:
    """Return the largest element over ``axis``; where several are largest, the gradient is split evenly."""
    return xp.max(x, axis=_tuple(axis), keepdims=keepdims)


@primitive(symbol="min", latex=r"\min {0}", kinks="an even share for each element at a tie, and a nan gets it all")
def min(xp: Any, x: Any, /, axis: Axis = None, *, keepdims: bool = False) -> Any:
    """Return the smallest element over ``axis``; where several are smallest, the gradient is split evenly."""
    return xp.min(x, axis=_tuple(axis), keepdims=keepdims)


def _shared(ties: Any, g: Any, x: Any, axis: Axis, keepdims: bool) -> Any:
    """Return ``g`` split evenly over ``ties``."""
    share = divide(g, sum(astype(ties, x.dtype), axis=axis, keepdims=keepdims))
    return select(ties, spread(share, x.shape, axis), 0.0)


def _extreme_vjp(g: Any, y: Any, x: Any, axis: Axis = None, keepdims: bool = False) -> Any:
    ties = logical_or(x == spread(y, x.shape, axis), x != x)  # a nan is the extreme of what holds one
    return _shared(ties, g, x, axis, keepdims)


defvjp(max, _extreme_vjp)
defvjp(min, _extreme_vjp)


@primitive(symbol="nanmax", latex=r"\max {0}", kinks="split evenly over ties, 0 at a nan")
def nanmax(xp: Any, x: Any, /, axis: Axis = None, *, keepdims: bool = False) -> Any:
    """Return the largest element that is not nan over ``axis``; nan if there is none.

    >>> nanmax([[1.0, float("nan")]], axis=1)
    array([1.])
    """
    return _beside_nan(xp, xp.max, -math.inf, x, _tuple(axis), keepdims)


@primitive(symbol="nanmin", latex=r"\min {0}", kinks="split evenly over ties, 0 at a nan")
def nanmin(xp: Any, x: Any, /, axis: Axis = None, *, keepdims: bool = False) -> Any:
    """Return the smallest element that is not nan over ``axis``; nan if there is none."""
    return _beside_nan(xp, xp.min, math.inf, x, _tuple(axis), keepdims)


def _beside_nan(xp: Any, extreme: Any, last: float, x: Any, axis: Any, keepdims: bool) -> Any:
    if not xp.isdtype(x.dtype, "real floating"):
        return extreme(x, axis=axis, keepdims=keepdims)
    nothing = xp.isnan(x)
    y = extreme(xp.where(nothing, xp.full_like(x, last), x), axis=axis, keepdims=keepdims)
    return xp.where(xp.all(nothing, axis=axis, keepdims=keepdims), xp.full_like(y, math.nan), y)


def _nan_extreme_vjp(g: Any, y: Any, x: Any, axis: Axis = None, keepdims: bool = False) -> Any:
    return _shared(x == spread(y, x.shape, axis), g, x, axis, keepdims)


defvjp(nanmax, _nan_extreme_vjp)
defvjp(nanmin, _nan_extreme_vjp)


def ptp(x: Any, axis: Axis = None, *, keepdims: bool = False) -> Any:
    """Return the largest element less the smallest over ``axis``.

    >>> ptp([[3.0, 1.0, 7.0]], axis=1)
    array([6.])
    """
    x = as_array(x)
    return subtract(max(x, axis=axis, keepdims=keepdims), min(x, axis=axis, keepdims=keepdims))


@primitive(symbol="argmax", latex=r"\operatorname{{argmax}} {0}", differentiable=False)
def argmax(xp: Any, x: Any, /, axis: int | None = None, *, keepdims: bool = False) -> Any:
    """Return the index of the first largest element over ``axis``, of the flattened array by default."""
    return xp.argmax(x, axis=axis, keepdims=keepdims)


@primitive(symbol="argmin", latex=r"\operatorname{{argmin}} {0}", differentiable=False)
def argmin(xp: Any, x: Any, /, axis: int | None = None, *, keepdims: bool = False) -> Any:
    """Return the index of the first smallest element over ``axis``, of the flattened array by default."""
    return xp.argmin(x, axis=axis, keepdims=keepdims)


@primitive(symbol="any", latex=r"\bigvee {0}", differentiable=False)
def any(xp: Any, x: Any, /, axis: Axis = None, *, keepdims: bool = False) -> Any:
    """Return whether an element over ``axis`` is nonzero."""
    return xp.any(x, axis=_tuple(axis), keepdims=keepdims)


@primitive(symbol="all", latex=r"\bigwedge {0}", differentiable=False)
def all(xp: Any, x: Any, /, axis: Axis = None, *, keepdims: bool = False) -> Any:
    """Return whether all elements over ``axis`` are nonzero."""
    return xp.all(x, axis=_tuple(axis), keepdims=keepdims)


def count_nonzero(x: Any, axis: Axis = None, *, keepdims: bool = False) -> Any:
    """Return how many elements over ``axis`` are nonzero."""
    return sum(not_equal(as_array(x), 0), axis=axis, keepdims=keepdims)


# ------------------------------------------------------------------------------------------------------ exponentials


@primitive(symbol="logsumexp", latex=r"\log \sum e^{{{0}}}", analytic=True, kinks="0 where every element is -inf")
def logsumexp(xp: Any, x: Any, /, axis: Axis = None, *, keepdims: bool = False) -> Any:
    """Return ``log(sum(exp(x)))`` over ``axis``, without overflow: the maximum is taken out before exp.

    >>> logsumexp([1000.0, 1000.0])
    array(1000.69314718)
    """
    axes = _tuple(axis) if x.ndim else _of_number(axis[0] if axis in ((0,), (-1,)) else axis)  # SciPy's and PyTorch's
    top = xp.max(x, axis=axes, keepdims=True) if 0 not in x.shape else xp.sum(x, axis=axes, keepdims=True)
    top = xp.where(xp.isfinite(top), top, xp.zeros_like(top))
    with xp.quiet():  # of nothing but -inf the sum is 0, and its logarithm the right -inf
        total = xp.log(xp.sum(xp.exp(x - top), axis=axes, keepdims=True)) + top
    if keepdims:
        return total
    gone = reduced_axes(axis, x.ndim)
    return xp.reshape(total, tuple(n for i, n in enumerate(x.shape) if i not in gone))


def _logsumexp_vjp(g: Any, y: Any, x: Any, axis: Axis = None, **_: Any) -> Any:
    shift = select(equal(y, -math.inf), 0.0, y)  # of nothing but -inf, every weight is 0
    return spread(g, x.shape, axis) * exp(x - spread(shift, x.shape, axis))


defvjp(logsumexp, _logsumexp_vjp)


# ------------------------------------------------------------------------------------------------------------- options


def defoptions(op: Op, composed: Callable[..., Any]) -> None:
    """Let ``composed(x, **params)``, written with ops, answer calls with more params than the row has.

    So a plain call stays one row and pays nothing for options that few calls use.
    """
    code = composed.__code__
    names = code.co_varnames[code.co_argcount : code.co_argcount + code.co_kwonlyargcount]

    @wraps(composed)
    def answer(x: Any, **params: Any) -> Any:
        if not set(op.param_names).issuperset(params):
            raise op.failure((), params, TypeError())  # which names the one that there is not
        return composed(x, **params)

    op.options = {name: answer for name in names if name not in op.param_names}
    op.param_names += tuple(op.options)


def _masked(name: str, x: Any, where: Any, fill: Any) -> Any:
    """Return ``x`` with ``fill`` where the mask does not hold."""
    return x if where is True else select(_mask(name, x, where), x, fill)


def _mask(name: str, x: Any, where: Any) -> Any:
    """Return the argument ``where`` of a reduction in the shape of ``x``."""
    mask = as_array(where)
    if numpy_dtype(mask.dtype).kind != "b":
        raise DTypeError(f"{name}: where= takes booleans, not {mask.dtype}")
    try:
        return broadcast_to(mask, shape=tuple(x.shape))
    except ShapeError:
        shapes = f"where= of shape {tuple(mask.shape)} for an array of shape {tuple(x.shape)}"
        raise ShapeError(f"{name}: {shapes}: the mask must broadcast to the array") from None


def _cast(x: Any, dtype: Any) -> Any:
    x = as_array(x)
    return x if dtype is None else astype(x, dtype=dtype)


def _start(name: str, y: Any, initial: Any) -> Any:
    """Return the argument ``initial`` of a reduction in the dtype of its result ``y``."""
    start = as_array(initial)
    if start.shape != ():
        raise ShapeError(f"{name}: initial= of shape {tuple(start.shape)}: give one number")
    return astype(start, dtype=y.dtype)


def _sum(
    x: Any, *, axis: Axis = None, keepdims: bool = False, dtype: Any = None, initial: Any = None, where: Any = True
) -> Any:
    y = sum(_masked("sum", _cast(x, dtype), where, 0), axis=axis, keepdims=keepdims)
    return y if initial is None else y + _start("sum", y, initial)


def _prod(
    x: Any, *, axis: Axis = None, keepdims: bool = False, dtype: Any = None, initial: Any = None, where: Any = True
) -> Any:
    y = prod(_masked("prod", _cast(x, dtype), where, 1), axis=axis, keepdims=keepdims)
    return y if initial is None else y * _start("prod", y, initial)


def _extreme(op: Any, beside: Any, x: Any, axis: Axis, keepdims: bool, initial: Any, where: Any) -> Any:
    """Return the extreme, ``initial`` included, of the elements where the mask holds."""
    x = as_array(x)
    if initial is None:
        if where is not True:
            raise UnsupportedError(f"{op.name}: where= needs initial=, the result where the mask holds nowhere")
        return op(x, axis=axis, keepdims=keepdims)
    start = _start(op.name, x, initial)
    if where is not True:  # an infinity hides no tie between an element and the initial value
        last = -math.inf if op is max else math.inf
        x = _masked(op.name, x, where, last if numpy_dtype(x.dtype).kind == "f" else start)
    if 0 in x.shape and count(x.shape, axis) == 0:
        return sum(x, axis=axis, keepdims=keepdims) + start
    return beside(op(x, axis=axis, keepdims=keepdims), start)


def _max(x: Any, *, axis: Axis = None, keepdims: bool = False, initial: Any = None, where: Any = True) -> Any:
    return _extreme(max, maximum, x, axis, keepdims, initial, where)


def _min(x: Any, *, axis: Axis = None, keepdims: bool = False, initial: Any = None, where: Any = True) -> Any:
    return _extreme(min, minimum, x, axis, keepdims, initial, where)


def _any(x: Any, *, axis: Axis = None, keepdims: bool = False, where: Any = True) -> Any:
    return any(_masked("any", as_array(x), where, 0), axis=axis, keepdims=keepdims)


def _all(x: Any, *, axis: Axis = None, keepdims: bool = False, where: Any = True) -> Any:
    return all(_masked("all", as_array(x), where, 1), axis=axis, keepdims=keepdims)


def _float_cast(name: str, x: Any, dtype: Any) -> Any:
    """Return ``x`` in a floating dtype: integers, whose sums might overflow, in float64 unless another is given."""
    if dtype is not None and numpy_dtype(dtype).kind != "f":
        raise UnsupportedError(f"{name}: dtype={dtype} is not floating; give float32 or float64")
    x = as_array(x)
    return _cast(x, np.float64 if dtype is None and numpy_dtype(x.dtype).kind != "f" else dtype)


def _counted(x: Any, mask: Any, axis: Axis, keepdims: bool) -> tuple[Any, Any]:
    """Return the mean over the elements where the mask holds, and their number."""
    total = sum(select(mask, x, 0), axis=axis, keepdims=keepdims)
    n = sum(mask, axis=axis, keepdims=keepdims)
    return divide(total, astype(n, dtype=total.dtype)), n


def _mean(x: Any, *, axis: Axis = None, keepdims: bool = False, dtype: Any = None, where: Any = True) -> Any:
    x = _float_cast("mean", x, dtype)
    if where is True:
        return mean(x, axis=axis, keepdims=keepdims)
    return _counted(x, _mask("mean", x, where), axis, keepdims)[0]


def _var(
    x: Any, *, axis: Axis = None, keepdims: bool = False, ddof: float = 0, correction: float | None = None,
    dtype: Any = None, where: Any = True,
) -> Any:  # fmt: skip
    x = _float_cast("var", x, dtype)
    ddof = _correction("var", ddof, correction)
    if where is True:
        return var(x, axis=axis, ddof=ddof, keepdims=keepdims)
    mask = _mask("var", x, where)
    center, n = _counted(x, mask, axis, True)
    away = select(mask, x - center, 0.0)
    total = sum(away * away, axis=axis, keepdims=True)
    y = divide(total, astype(maximum(n - ddof, 0), dtype=total.dtype))
    return y if keepdims else sum(y, axis=axis)


def _std(
    x: Any, *, axis: Axis = None, keepdims: bool = False, ddof: float = 0, correction: float | None = None,
    dtype: Any = None, where: Any = True,
) -> Any:  # fmt: skip
    if where is True:
        x = _float_cast("std", x, dtype)
        return std(x, axis=axis, ddof=_correction("std", ddof, correction), keepdims=keepdims)
    y = _var(x, axis=axis, keepdims=keepdims, ddof=ddof, correction=correction, dtype=dtype, where=where)
    x = _float_cast("std", x, dtype)
    top, bottom = (
        f(x, axis=axis, keepdims=keepdims, initial=last, where=where)
        for f, last in ((_max, -math.inf), (_min, math.inf))
    )
    flat = logical_or(equal(y, 0.0), logical_and(equal(top, bottom), logical_not(isnan(y))))  # as in the vjp of ``std``
    return select(flat, 0.0, sqrt(select(flat, 1.0, y)))


def _correction(name: str, ddof: float, correction: float | None) -> float:
    if correction is not None and ddof:
        raise UnsupportedError(f"{name}: ddof= and correction= are the same: give one of them")
    return ddof if correction is None else correction


defoptions(sum, _sum)
defoptions(prod, _prod)
defoptions(max, _max)
defoptions(min, _min)
defoptions(any, _any)
defoptions(all, _all)
defoptions(mean, _mean)
defoptions(var, _var)
defoptions(std, _std)


# ----------------------------------------------------------------------------------------------- what leaves nan aside


def nansum(x: Any, axis: Axis = None, *, keepdims: bool = False) -> Any:
    """Return the sum over ``axis`` of what is not nan; a nan gets no gradient, here and in the functions below.

    >>> nansum([[1.0, float("nan")]], axis=1)
    array([1.])
    """
    return sum(select(isnan(as_array(x)), 0, x), axis=axis, keepdims=keepdims)


def nanprod(x: Any, axis: Axis = None, *, keepdims: bool = False) -> Any:
    """Return the product over ``axis`` of what is not nan."""
    return prod(select(isnan(as_array(x)), 1, x), axis=axis, keepdims=keepdims)


def nanmean(x: Any, axis: Axis = None, *, keepdims: bool = False) -> Any:
    """Return the mean over ``axis`` of what is not nan; nan if there is nothing else."""
    x = as_array(x)
    return _mean(x, axis=axis, keepdims=keepdims, where=logical_not(isnan(x)))


def nanvar(
    x: Any, axis: Axis = None, *, ddof: float = 0, correction: float | None = None, keepdims: bool = False
) -> Any:
    """Return the variance over ``axis`` of what is not nan; nan if that is no more than ``ddof`` elements."""
    return _deviating(_var, as_array(x), axis, _correction("nanvar", ddof, correction), keepdims)


def nanstd(
    x: Any, axis: Axis = None, *, ddof: float = 0, correction: float | None = None, keepdims: bool = False
) -> Any:
    """Return the standard deviation over ``axis`` of what is not nan."""
    return _deviating(_std, as_array(x), axis, _correction("nanstd", ddof, correction), keepdims)


def _deviating(f: Callable[..., Any], x: Any, axis: Axis, ddof: float, keepdims: bool) -> Any:
    """Return the variance or deviation of what is not nan; nan where that is no more than ``ddof`` elements."""
    there = logical_not(isnan(x))
    y = f(x, axis=axis, keepdims=keepdims, ddof=ddof, where=there)
    return select(sum(there, axis=axis, keepdims=keepdims) > ddof, y, math.nan)
