"""Running sums, products and extremes along an axis; the gradient of each is one linear recurrence run backwards."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from tinygrad_mlp.errors import AxisError, ShapeError
from tinygrad_mlp.ops.arranging import flip, moveaxis
from tinygrad_mlp.ops.comparison import equal, isnan, logical_or
from tinygrad_mlp.ops.elementwise import divide, exp, where
from tinygrad_mlp.ops.indexing import along, getitem
from tinygrad_mlp.ops.reductions import Axis, defoptions, prod, reduced_axes, sum
from tinygrad_mlp.ops.shaping import (
    as_array,
    astype,
    beside,
    broadcast_to,
    concatenate,
    reshape,
    transpose,
)
from tinygrad_mlp.table import defvjp, primitive


def _shifted(x: Any, first: float, reverse: bool = False) -> Any:
    """Return ``x`` moved on by one along the last axis, behind ``first``; before it and moved back if ``reverse``."""
    if x.shape[-1] == 0:
        return x
    edge = where(False, getitem(x, index=(..., slice(1))), first)
    if reverse:
        return concatenate([getitem(x, index=(..., slice(1, None))), edge], axis=-1)
    return concatenate([edge, getitem(x, index=(..., slice(None, -1)))], axis=-1)


@primitive(symbol="recurrence", latex=r"\operatorname{{recurrence}}({0}, {1})", analytic=True)
def recurrence(xp: Any, a: Any, b: Any, /, *, reverse: bool = False) -> Any:
    """Return ``s`` with ``s[k] = a[k] s[k-1] + b[k]`` along the last axis, ``s[k+1]`` if ``reverse``.

    The first factor multiplies nothing.

    >>> recurrence([9.0, 0.5, 0.5], [8.0, 1.0, 1.0])
    array([8. , 5. , 3.5])
    """
    if a.shape != b.shape or not a.shape:
        raise ShapeError(
            f"recurrence: factors {tuple(a.shape)} and terms {tuple(b.shape)}: give one shape with an axis"
        )
    return xp.recurrence(a[..., ::-1], b[..., ::-1])[..., ::-1] if reverse else xp.recurrence(a, b)


def _recurrence_terms(g: Any, _y: Any, a: Any, _b: Any, reverse: bool = False) -> Any:
    return recurrence(_shifted(a, 0.0, reverse=not reverse), g, reverse=not reverse)


def _recurrence_factors(g: Any, y: Any, a: Any, _b: Any, reverse: bool = False) -> Any:
    """Return each term's gradient times the sum before it; what multiplies nothing gets 0, also beside an inf."""
    if a.shape[-1] == 0:
        return g
    inner = slice(None, -1) if reverse else slice(1, None)
    before = slice(1, None) if reverse else slice(None, -1)
    slopes = getitem(_recurrence_terms(g, y, a, _b, reverse), index=(..., inner)) * getitem(y, index=(..., before))
    nothing = where(False, getitem(y, index=(..., slice(1))), 0.0)
    return concatenate([slopes, nothing] if reverse else [nothing, slopes], axis=-1)


defvjp(recurrence, _recurrence_factors, _recurrence_terms)


# ---------------------------------------------------------------------------------------------------- sums, products


def _line(xp: Any, x: Any, axis: int | None) -> tuple[Any, int]:
    """Return what NumPy runs along: ``x`` flattened if ``axis`` is None, and a number as an array of one."""
    return (xp.reshape(x, (-1,)), 0) if axis is None or (x.ndim == 0 and axis in (0, -1)) else (x, axis)


def _last(x: Any, axis: int | None) -> Any:
    """Return ``x`` with the axis to run along last."""
    return reshape(x, shape=(-1,)) if axis is None or not x.shape else moveaxis(x, axis, -1)


def _back(x: Any, shape: tuple[int, ...], axis: int | None) -> Any:
    """Undo ``_last``."""
    return reshape(x, shape=tuple(shape)) if axis is None or not shape else moveaxis(x, -1, axis)


@primitive(symbol="cumsum", latex=r"\operatorname{{cumsum}}({0})", linear=True, analytic=True)
def cumsum(xp: Any, x: Any, /, axis: int | None = None) -> Any:
    """Return the sums of the elements up to each, along ``axis``; of the flattened array by default.

    >>> cumsum([1.0, 2.0, 3.0])
    array([1., 3., 6.])
    """
    x, axis = _line(xp, x, axis)
    return xp.cumulative_sum(x, axis=axis)


def _cumsum_vjp(g: Any, _y: Any, _x: Any, axis: int | None = None) -> Any:
    along = -1 if axis is None or not _x.shape else axis
    return reshape(flip(cumsum(flip(g, along), axis=along), along), shape=tuple(_x.shape))


defvjp(cumsum, _cumsum_vjp)


@primitive(symbol="cumprod", latex=r"\operatorname{{cumprod}}({0})", analytic=True)
def cumprod(xp: Any, x: Any, /, axis: int | None = None) -> Any:
    """Return the products of the elements up to each, along ``axis``; of the flattened array by default.

    >>> cumprod([1.0, 2.0, 3.0])
    array([1., 2., 6.])
    """
    x, axis = _line(xp, x, axis)
    return xp.cumulative_prod(x, axis=axis)


def _cumprod_vjp(g: Any, y: Any, x: Any, axis: int | None = None) -> Any:
    """Return what precedes an element times what follows it: no division, so that zeros are no exception."""
    along = -1 if axis is None or not x.shape else axis
    before = _shifted(moveaxis(y, along, -1), 1.0)
    after = _recurrence_terms(moveaxis(g, along, -1), None, _last(x, axis), None)
    return _back(before * after, x.shape, axis)


defvjp(cumprod, _cumprod_vjp)


def _prod_vjp(g: Any, _y: Any, x: Any, axis: Axis = None, **_: Any) -> Any:
    """Return the product of the other elements: of those before times those after."""
    ndim = len(x.shape)
    gone = reduced_axes(axis, ndim)
    order = (*(i for i in range(ndim) if i not in gone), *gone)
    moved = transpose(x, axes=order)
    kept = moved.shape[: ndim - len(gone)]
    line = reshape(moved, shape=(*kept, math.prod(moved.shape[len(kept) :])))
    before = _shifted(cumprod(line, axis=-1), 1.0)
    after = _shifted(flip(cumprod(flip(line, -1), axis=-1), -1), 1.0, reverse=True)
    slopes = reshape(g, shape=(*kept, 1)) * (before * after)
    back = tuple(order.index(i) for i in range(ndim))
    return transpose(reshape(slopes, shape=tuple(moved.shape)), axes=back)


defvjp(prod, _prod_vjp)


# ------------------------------------------------------------------------------------------- exponentials and extremes


@primitive(symbol="logcumsumexp", latex=r"\operatorname{{logcumsumexp}}({0})")
def logcumsumexp(xp: Any, x: Any, /, axis: int | None = None) -> Any:
    """Return ``log(cumsum(exp(x)))`` along ``axis``, without overflow: a running ``logaddexp``.

    >>> logcumsumexp([1000.0, 1000.0])
    array([1000.        , 1000.69314718])
    """
    line, along = _line(xp, x, axis)
    y = xp.accumulate("logaddexp", line, along)
    return y if axis is None else xp.reshape(y, x.shape)  # a number gives one, as in PyTorch


def _logcumsumexp_vjp(g: Any, y: Any, x: Any, axis: int | None = None) -> Any:
    """Return ``exp(x[k] - y[k]) r[k]`` with ``r[k] = g[k] + exp(y[k] - y[k+1]) r[k+1]``: no exponent is positive."""
    sums, line = _last(y, axis), _last(x, axis)
    shift = where(equal(sums, -math.inf), 0.0, sums)  # of nothing but -inf, every weight is 0
    before = _shifted(sums, -math.inf)
    decay = exp(where(equal(before, shift), 0.0, before - shift))  # from inf to inf nothing is lost
    after = _recurrence_terms(_last(g, axis), None, decay, None)
    return _back(exp(line - shift) * after, x.shape, axis)


defvjp(logcumsumexp, _logcumsumexp_vjp)


@primitive(symbol="cummax", latex=r"\operatorname{{cummax}}({0})", kinks="split evenly over ties")
def running_max(xp: Any, x: Any, /, axis: int | None = None) -> Any:
    """Return the largest of the elements up to each, along ``axis``; of the flattened array by default."""
    x, axis = _line(xp, x, axis)
    return xp.accumulate("maximum", x, axis)


@primitive(symbol="cummin", latex=r"\operatorname{{cummin}}({0})", kinks="split evenly over ties")
def running_min(xp: Any, x: Any, /, axis: int | None = None) -> Any:
    """Return the smallest of the elements up to each, along ``axis``; of the flattened array by default."""
    x, axis = _line(xp, x, axis)
    return xp.accumulate("minimum", x, axis)


def _running_vjp(g: Any, y: Any, x: Any, axis: int | None = None) -> Any:
    """Return each extreme's gradient: the n-th of n ties keeps 1/n and leaves the rest to those before it."""
    along = -1 if axis is None or not x.shape else axis
    best, line = moveaxis(y, along, -1), _last(x, axis)
    there = astype(logical_or(equal(line, best), isnan(line)), dtype=x.dtype)
    before = _shifted(best, math.nan)
    same = astype(logical_or(equal(best, before), isnan(before)), dtype=x.dtype)
    share = divide(there, recurrence(same, there))
    return _back(share * _recurrence_terms(moveaxis(g, along, -1), None, 1 - share, None), x.shape, axis)


defvjp(running_max, _running_vjp)
defvjp(running_min, _running_vjp)


class Extremes(NamedTuple):
    """The running extremes along an axis, and where they were found; a later tie goes first, as in PyTorch."""

    values: Any
    indices: Any


def cummax(x: Any, axis: int = -1) -> Extremes:
    """Return the largest of the elements up to each along ``axis``, and their indices.

    >>> cummax([1.0, 3.0, 2.0]).values
    array([1., 3., 3.])
    """
    return _with_indices(running_max, x, axis)


def cummin(x: Any, axis: int = -1) -> Extremes:
    """Return the smallest of the elements up to each along ``axis``, and their indices."""
    return _with_indices(running_min, x, axis)


def _with_indices(extreme: Callable[..., Any], x: Any, axis: int) -> Extremes:
    x = as_array(x)
    if not x.shape:
        return Extremes(reshape(extreme(x, axis=axis), shape=()), np.zeros((), np.intp))
    y = extreme(x, axis=axis)
    n = moveaxis(x, axis, -1).shape[-1]
    places = moveaxis(broadcast_to(beside(x, np.arange(n)), shape=tuple(moveaxis(x, axis, -1).shape)), -1, axis)
    found = where(logical_or(equal(x, y), isnan(x)), places, 0)
    return Extremes(y, running_max(found, axis=axis))


# -------------------------------------------------------------------------------------------- NumPy's other spellings


def _cumsum(x: Any, *, axis: int | None = None, dtype: Any = None) -> Any:
    return cumsum(as_array(x) if dtype is None else astype(as_array(x), dtype=dtype), axis=axis)


def _cumprod(x: Any, *, axis: int | None = None, dtype: Any = None) -> Any:
    return cumprod(as_array(x) if dtype is None else astype(as_array(x), dtype=dtype), axis=axis)


defoptions(cumsum, _cumsum)
defoptions(cumprod, _cumprod)


def nancumsum(x: Any, axis: int | None = None) -> Any:
    """Return the running sums of what is not nan; a nan gets no gradient."""
    x = as_array(x)
    return cumsum(where(isnan(x), 0, x), axis=axis)


def nancumprod(x: Any, axis: int | None = None) -> Any:
    """Return the running products of what is not nan; a nan gets no gradient."""
    x = as_array(x)
    return cumprod(where(isnan(x), 1, x), axis=axis)


def cumulative_sum(x: Any, /, *, axis: int | None = None, dtype: Any = None, include_initial: bool = False) -> Any:
    """Return the sums of the elements up to each along ``axis``, behind a 0 if ``include_initial``.

    >>> cumulative_sum([1.0, 2.0], include_initial=True)
    array([0., 1., 3.])
    """
    return _cumulative(_cumsum, "cumulative_sum", x, axis, dtype, sum if include_initial else None)


def cumulative_prod(x: Any, /, *, axis: int | None = None, dtype: Any = None, include_initial: bool = False) -> Any:
    """Return the products of the elements up to each along ``axis``, behind a 1 if ``include_initial``."""
    return _cumulative(_cumprod, "cumulative_prod", x, axis, dtype, prod if include_initial else None)


def _cumulative(f: Callable[..., Any], name: str, x: Any, axis: int | None, dtype: Any, empty: Any) -> Any:
    x = as_array(x)
    if not x.shape:
        x = reshape(x, shape=(1,))
    if axis is None and len(x.shape) > 1:
        raise AxisError(f"{name}: an array of {len(x.shape)} dimensions: give axis=")
    axis = 0 if axis is None else axis
    y = f(x, axis=axis, dtype=dtype)
    if empty is None:
        return y
    nothing = along(y, axis, slice(0))
    return concatenate([empty(nothing, axis=axis, keepdims=True), y], axis=axis)  # the sum of nothing is 0
