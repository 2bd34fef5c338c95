"""Sorting, the largest elements, and quantiles."""

import math
from typing import Any, NamedTuple

import numpy as np

from tinygrad_mlp.arrays import as_payload
from tinygrad_mlp.errors import DataError, DTypeError, IndexingError, ShapeError, UnsupportedError
from tinygrad_mlp.ops.arranging import flip, moveaxis
from tinygrad_mlp.ops.comparison import isnan, logical_and, logical_not, logical_or, maximum, minimum
from tinygrad_mlp.ops.elementwise import divide, where
from tinygrad_mlp.ops.indexing import along, getitem, take_along_axis
from tinygrad_mlp.ops.reductions import Axis, any, mean, sum
from tinygrad_mlp.ops.rounding import ceil, floor, rint
from tinygrad_mlp.ops.shaping import (
    as_array,
    astype,
    beside,
    concatenate,
    normal_axes,
    normal_axis,
    numpy_dtype,
    reshape,
    transpose,
    whole,
)
from tinygrad_mlp.table import defvjp, primitive

# --------------------------------------------------------------------------------------------------------------- order


@primitive(symbol="argsort", latex=r"\operatorname{{argsort}}({0})", differentiable=False)
def argsort(
    xp: Any,
    x: Any,
    /,
    axis: int | None = -1,
    *,
    kind: Any = None,  # noqa: ARG001  (any kind may be stable)
    stable: bool | None = None,  # noqa: ARG001  (it is in any case)
) -> Any:
    """Return the indices that sort ``x`` along ``axis`` (None: the flattened array), equal elements in their order.

    NaN comes last. Every ``kind`` is stable here.

    >>> argsort([3.0, 1.0, 2.0])
    array([1, 2, 0])
    """
    return xp.argsort(xp.reshape(x, (-1,)) if axis is None else x, axis=-1 if axis is None else axis, stable=True)


@primitive(symbol="argpartition", latex=r"\operatorname{{argpartition}}({0})", differentiable=False)
def argpartition(xp: Any, x: Any, /, kth: Any, axis: int | None = -1) -> Any:
    """Return the indices that put the ``kth`` smallest element in its place along ``axis``, smaller ones before it."""
    line, axis = (xp.reshape(x, (-1,)), -1) if axis is None else (x, axis)
    partition = getattr(xp, "argpartition", None)  # no part of the array API, for which a sorted array will do
    return xp.argsort(line, axis=axis, stable=True) if partition is None else partition(line, kth, axis=axis)


def sort(
    x: Any,
    axis: int | None = -1,
    *,
    kind: Any = None,  # noqa: ARG001  (any kind may be stable)
    stable: bool | None = None,  # noqa: ARG001  (it is in any case)
) -> Any:
    """Return the elements of ``x`` in ascending order along ``axis`` (None: of the flattened array), NaN last.

    The gradient goes back where the elements came from, equal ones in their order: sorting is stable.

    >>> sort([3.0, 1.0, 2.0])
    array([1., 2., 3.])
    """
    x = as_array(x)
    if axis is not None:
        normal_axis(axis, len(x.shape), "sort")
    return take_along_axis(x, argsort(x, axis=axis), axis=axis)


def partition(x: Any, kth: Any, axis: int | None = -1) -> Any:
    """Return ``x`` with the ``kth`` smallest element in its place along ``axis``, and smaller ones before it.

    >>> partition([3.0, 1.0, 2.0], 0)[0]
    np.float64(1.0)
    """
    x = as_array(x)
    if axis is not None:
        normal_axis(axis, len(x.shape), "partition")
    return take_along_axis(x, argpartition(x, kth, axis=axis), axis=axis)


class TopK(NamedTuple):
    """The k largest or smallest elements along an axis, and where they were."""

    values: Any
    indices: Any


def topk(
    x: Any,
    k: int,
    axis: int = -1,
    *,
    largest: bool = True,
    sorted: bool = True,  # noqa: ARG001  (it is in any case)
) -> TopK:
    """Return the ``k`` largest (or smallest) elements along ``axis``, in order, and their indices.

    Of equal elements the first comes first; NaN counts as the largest, as in PyTorch. The result is sorted in any case.

    Raises:
        ShapeError: There are fewer than ``k`` elements, or ``k`` is negative.

    >>> topk([3.0, 1.0, 2.0], 2)
    TopK(values=array([3., 2.]), indices=array([0, 2]))
    """
    x, k = as_array(x), whole("topk: k", k)
    shape = x.shape
    if not shape:
        x, axis = reshape(x, shape=(1,)), normal_axis(axis, 1, "topk")
    axis = normal_axis(axis, len(x.shape), "topk")
    n = x.shape[axis]
    if not 0 <= k <= n:
        raise ShapeError(f"topk: k={k} of {n} elements along axis {axis}")
    # Backwards and turned round again, a stable sort keeps the order of equal elements in descending order too.
    order = (n - 1) - flip(argsort(flip(x, axis), axis=axis), axis) if largest else argsort(x, axis=axis)
    order = along(order, axis, slice(k))
    values = take_along_axis(x, order, axis=axis)
    return TopK(values, order) if shape or k == 0 else TopK(reshape(values, shape=()), reshape(order, shape=()))


# ----------------------------------------------------------------------------------------------------------- quantiles


@primitive(symbol="rank", latex=r"{0}_{{({1})}}", kinks="split evenly over equal elements")
def ranked(xp: Any, x: Any, ranks: Any, /) -> Any:
    """Return the elements at ``ranks`` among those along the last axis, from 0 for the smallest; NaN ranks last.

    The gradient of a rank is split evenly over all elements equal to the one that has it.

    >>> ranked([3.0, 1.0, 2.0], [0, 2])
    array([1., 3.])
    """
    return xp.take_along_axis(xp.sort(x, axis=-1), xp.broadcast_to(ranks, (*x.shape[:-1], ranks.shape[-1])), axis=-1)


def _ranked_vjp(g: Any, y: Any, x: Any, _ranks: Any) -> Any:
    total: Any = 0.0
    for k in range(y.shape[-1]):
        one = (..., slice(k, k + 1))
        value = getitem(y, index=one)
        ties = logical_or(x == value, isnan(x) & isnan(value))
        share = divide(getitem(g, index=one), sum(astype(ties, dtype=x.dtype), axis=-1, keepdims=True))
        total = total + where(ties, share, 0.0)
    return total if y.shape[-1] else where(False, x, 0.0)


defvjp(ranked, _ranked_vjp, None)


def _lined(name: str, x: Any, axis: Axis) -> tuple[Any, tuple[int, ...]]:
    """Return ``x`` with the axes to reduce as one last axis, and the shape of the result with those axes kept."""
    ndim = len(x.shape)
    gone = tuple(range(ndim)) if axis is None else normal_axes(name, axis, ndim)
    kept = tuple(i for i in range(ndim) if i not in gone)
    moved = transpose(x, axes=(*kept, *gone)) if gone and gone != tuple(range(len(kept), ndim)) else x
    rows = tuple(moved.shape[: len(kept)])
    line = reshape(moved, shape=(*rows, math.prod(moved.shape[len(kept) :])))
    return line, tuple(1 if i in gone else n for i, n in enumerate(x.shape))


def _unlined(y: Any, shape: tuple[int, ...], keepdims: bool, front: tuple[int, ...] = ()) -> Any:
    """Return a result whose last axis holds what differs by rank, with that as the axes ``front``."""
    return reshape(moveaxis(y, -1, 0), shape=(*front, *(shape if keepdims else y.shape[:-1])))


def _holes(line: Any) -> Any:
    """Return where a line is nan; None for a dtype that has none."""
    return isnan(line) if numpy_dtype(line.dtype).kind == "f" else None


def median(x: Any, axis: Axis = None, *, keepdims: bool = False) -> Any:
    """Return the middle element over ``axis``, the mean of the middle two if their number is even; nan beside a nan.

    >>> median([5.0, 1.0, 3.0, 2.0], keepdims=True)
    array([2.5])
    """
    line, shape = _lined("median", as_array(x), axis)
    n, holes = line.shape[-1], _holes(line)
    if n == 0:
        return mean(x, axis=axis, keepdims=keepdims)  # nan, with a warning, as in NumPy
    ranks: Any = beside(line, np.arange((n - 1) // 2, n // 2 + 1))
    if holes is not None:
        ranks = where(any(holes, axis=-1, keepdims=True), n - 1, ranks)
    return _unlined(mean(ranked(line, ranks), axis=-1, keepdims=True), shape, keepdims)


def nanmedian(x: Any, axis: Axis = None, *, keepdims: bool = False) -> Any:
    """Return the median over ``axis`` of what is not nan; nan if there is nothing else."""
    line, shape = _lined("nanmedian", as_array(x), axis)
    holes = _holes(line)
    if holes is None or line.shape[-1] == 0:
        return median(x, axis, keepdims=keepdims)
    n = sum(logical_not(holes), axis=-1, keepdims=True)
    low, high = (maximum(floor(divide(n - back, 2)), 0) for back in (1, 0))
    middle = ranked(line, astype(concatenate([low, high], axis=-1), dtype=np.int64))
    first, second = (getitem(middle, index=(..., slice(k, k + 1))) for k in (0, 1))
    y = where(low == high, first, (first + second) / 2)
    return _unlined(where(n > 0, y, math.nan), shape, keepdims)


# Where between the first and the last element the quantile q of n elements lies: n q + α + q (1 - α - β) - 1.
# Source: Hyndman and Fan, Sample quantiles in statistical packages, American Statistician 50 (1996).
CONTINUOUS = {
    "interpolated_inverted_cdf": (0.0, 1.0),
    "hazen": (0.5, 0.5),
    "weibull": (0.0, 0.0),
    "median_unbiased": (1 / 3, 1 / 3),
    "normal_unbiased": (3 / 8, 3 / 8),
}
ENDS = ("linear", "lower", "higher", "nearest", "midpoint")  # from the first element at 0 to the last at 1
STEPS = ("inverted_cdf", "averaged_inverted_cdf", "closest_observation")


def _place(method: str, n: Any, q: Any) -> Any:
    """Return where the quantile ``q`` lies among ``n`` elements in order, from 0 for the first."""
    if method in ENDS:
        place = (n - 1) * q
        return 0.5 * (floor(place) + ceil(place)) if method == "midpoint" else place
    if method in CONTINUOUS:
        alpha, beta = CONTINUOUS[method]
        return n * q + (alpha + q * (1 - alpha - beta)) - 1
    return n * q - 1 - (0.5 if method == "closest_observation" else 0)


def _rank(method: str, place: Any) -> Any:
    """Return the rank of the element that a method takes for its result; None if it takes a mean of two."""
    if method in ("lower", "higher", "nearest"):
        return {"lower": floor, "higher": ceil, "nearest": rint}[method](place)
    below = floor(place)
    if method == "inverted_cdf":
        return where(place == below, below, below + 1)
    if method == "closest_observation":
        odd = floor(divide(below, 2)) * 2 != below
        return where(logical_and(place == below, odd), below, below + 1)
    return None


def _quantile(name: str, x: Any, q: Any, axis: Axis, method: str, keepdims: bool, aside: bool) -> Any:
    """Return quantiles; those of what is not nan if ``aside``, else nan beside a nan."""
    if method not in (*ENDS, *CONTINUOUS, *STEPS):
        raise UnsupportedError(f"{name}: method={method!r}: choose one of {', '.join((*ENDS, *CONTINUOUS, *STEPS))}")
    weak, q = type(q) in (float, int), np.asarray(q)
    line, shape = _lined(name, as_array(x), axis)
    length, holes, places = line.shape[-1], _holes(line), beside(line, np.ravel(q))
    if aside and 0 in np.shape(x):
        return mean(x, axis=axis, keepdims=keepdims)  # nan, with a warning, as in NumPy, whatever the shape of q
    if length == 0:
        raise IndexingError(f"{name} of shape {tuple(np.shape(x))}: there is no element to take")
    n = sum(logical_not(holes), axis=-1, keepdims=True) if aside and holes is not None else length
    place = _place(method, n, places)
    if method == "linear" and q.dtype.kind in "iu":
        low: Any = place  # the ends, with nothing between
    else:
        low = _rank(method, place)
    found = [floor(place), floor(place) + 1] if low is None else [low]
    ranks = concatenate([astype(maximum(minimum(r, n - 1), 0), dtype=np.int64) for r in found], axis=-1)
    if holes is not None and not aside:
        ranks = where(any(holes, axis=-1, keepdims=True), length - 1, ranks)  # nan ranks last
    y = ranked(line, ranks)
    if low is None:
        share = place - floor(place)
        if method == "averaged_inverted_cdf":
            share = where(share == 0, 0.5, 1.0)
        if weak and holes is not None:
            share = astype(share, dtype=line.dtype)
        k = q.size
        y = _between(getitem(y, index=(..., slice(k))), getitem(y, index=(..., slice(k, None))), share)
    y = where(n > 0, y, math.nan) if aside and holes is not None else y
    return _unlined(y, shape, keepdims, q.shape)


def _between(a: Any, b: Any, t: Any) -> Any:
    """Return ``a`` at 0, ``b`` at 1, and what lies on the line between them."""
    return where(t >= 0.5, b - (b - a) * (1 - t), a + (b - a) * t)


def quantile(x: Any, q: Any, axis: Axis = None, *, method: str = "linear", keepdims: bool = False) -> Any:
    """Return the elements below which a share ``q`` of the elements over ``axis`` lies, between two by ``method``.

    Args:
        x: an array.
        q: a number in [0, 1], or an array of them, whose axes come first in the result.
        axis: the axes to take together; all by default.
        method: one of NumPy's, by default linear interpolation.
        keepdims: whether those axes stay, with length one.

    Raises:
        DataError: ``q`` is not in [0, 1].

    >>> quantile([1.0, 2.0, 4.0], [0.25, 0.5])
    array([1.5, 2. ])
    """
    return _quantile("quantile", x, _shares("quantile", q, 1), axis, method, keepdims, False)


def nanquantile(x: Any, q: Any, axis: Axis = None, *, method: str = "linear", keepdims: bool = False) -> Any:
    """Return the quantiles of what is not nan over ``axis``; nan if there is nothing else."""
    return _quantile("nanquantile", x, _shares("nanquantile", q, 1), axis, method, keepdims, True)


def percentile(x: Any, q: Any, axis: Axis = None, *, method: str = "linear", keepdims: bool = False) -> Any:
    """Return the quantiles of the shares ``q / 100``."""
    return _quantile("percentile", x, _shares("percentile", q, 100), axis, method, keepdims, False)


def nanpercentile(x: Any, q: Any, axis: Axis = None, *, method: str = "linear", keepdims: bool = False) -> Any:
    """Return the quantiles of the shares ``q / 100`` of what is not nan."""
    return _quantile("nanpercentile", x, _shares("nanpercentile", q, 100), axis, method, keepdims, True)


def _shares(name: str, q: Any, whole: int) -> Any:
    """Return ``q / whole``, a number as a number.

    Raises:
        DataError: It is not in [0, 1].
        DTypeError: It is no number.
    """
    given = as_payload(q)
    if given is None:
        raise DTypeError(f"{name}: q is None; give a number or an array of them")
    shares = np.asarray(given) if whole == 1 else np.divide(given, whole)
    if not np.all((shares >= 0) & (shares <= 1)):
        raise DataError(f"{name}: q={q} is not in [0, {whole}]")
    return shares.item() if type(q) in (float, int) else shares
