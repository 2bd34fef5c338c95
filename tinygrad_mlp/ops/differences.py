"""Differences of neighbours, slopes, areas and straight lines between points: NumPy's calculus on samples."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from tinygrad_mlp.errors import DTypeError, ShapeError, UnsupportedError
from tinygrad_mlp.graph import TRACING, mode
from tinygrad_mlp.ops.arranging import ravel
from tinygrad_mlp.ops.comparison import greater, isnan, less, logical_and, logical_or, not_equal
from tinygrad_mlp.ops.elementwise import add, divide, multiply, subtract, where
from tinygrad_mlp.ops.indexing import along, fitting, getitem, numbers
from tinygrad_mlp.ops.reductions import sum
from tinygrad_mlp.ops.rounding import remainder
from tinygrad_mlp.ops.shaping import (
    as_array,
    astype,
    broadcast_to,
    concatenate,
    normal_axes,
    normal_axis,
    numpy_dtype,
    reshape,
    whole,
)

Axes = int | Sequence[int]


def diff(x: Any, n: int = 1, axis: int = -1, prepend: Any = None, append: Any = None) -> Any:
    """Return the n-th differences of neighbours along ``axis``, after ``prepend`` and ``append`` were joined to it.

    >>> diff([1.0, 4.0, 9.0], prepend=0.0)
    array([1., 3., 5.])
    """
    x, n = as_array(x), whole("diff: n", n)
    if n < 0:
        raise UnsupportedError(f"diff: n is {n}; it must not be negative")
    if not n:
        return x
    axis = normal_axis(axis, len(x.shape), "diff")
    parts = [_end(part, x, axis) for part in (prepend, x, append) if part is not None]
    x = concatenate(parts, axis=axis) if len(parts) > 1 else x
    step = not_equal if numpy_dtype(x.dtype).kind == "b" else subtract
    for _ in range(n):
        x = step(along(x, axis, slice(1, None)), along(x, axis, slice(None, -1)))
    return x


def _end(part: Any, x: Any, axis: int) -> Any:
    """Return what is joined to ``x``: a number once for every line along the axis."""
    part = as_array(part)
    if part.shape:
        return part
    return broadcast_to(part, shape=tuple(1 if i == axis else n for i, n in enumerate(x.shape)))


def ediff1d(x: Any, to_end: Any = None, to_begin: Any = None) -> Any:
    """Return the differences of neighbours in the flattened ``x``, between ``to_begin`` and ``to_end``."""
    x = ravel(x)
    if numpy_dtype(x.dtype).kind == "b":
        raise DTypeError("ediff1d: booleans have no difference: convert them to integers")
    ends = [None if part is None else ravel(fitting("ediff1d", x, part)) for part in (to_begin, to_end)]
    parts = [part for part in (ends[0], diff(x), ends[1]) if part is not None]
    return concatenate(parts) if len(parts) > 1 else parts[0]


def gradient(f: Any, *varargs: Any, axis: Axes | None = None, edge_order: int = 1) -> Any:
    """Return the slopes of samples ``f`` along its axes, by central differences, one-sided at the edges.

    Args:
        f: samples on a grid.
        varargs: the distance of the samples (1 by default), or one for each axis, or their coordinates on each axis.
        axis: the axes to go along; all by default, and then a tuple comes back if there are several.
        edge_order: how exact the slopes at the edges are: 1 or 2.

    Source: B. Fornberg, *Generation of finite difference formulas on arbitrarily spaced grids*, 1988; as np.gradient.

    >>> gradient([1.0, 4.0, 9.0])
    array([3., 4., 5.])
    """
    f = as_array(f)
    axes = tuple(range(len(f.shape))) if axis is None else normal_axes("gradient", axis, len(f.shape))
    steps = varargs * len(axes) if len(varargs) == 1 and not _shape(varargs[0]) else varargs or (1.0,) * len(axes)
    if len(steps) != len(axes):
        raise DTypeError(f"gradient: {len(varargs)} distances for {len(axes)} axes")
    if edge_order not in (1, 2):
        raise UnsupportedError(f"gradient: edge_order is {edge_order}; choose 1 or 2")
    if numpy_dtype(f.dtype).kind != "f":
        f = astype(f, dtype=np.float64)
    for a in axes:
        if f.shape[a] < edge_order + 1:
            raise ShapeError(f"gradient: axis {a} has length {f.shape[a]}; it must be {edge_order + 1} at least")
    found = [_slope(f, a, step, edge_order) for a, step in zip(axes, steps, strict=True)]
    return found[0] if len(found) == 1 else tuple(found)


def _shape(x: Any) -> tuple[int, ...]:
    return tuple(as_array(x).shape)


def _slope(f: Any, axis: int, step: Any, edge_order: int) -> Any:
    """Return the slopes of ``f`` along one axis."""
    n = f.shape[axis]
    cells = [along(f, axis, slice(i, i + n - 2)) for i in range(3)]
    step = as_array(step) if isinstance(step, list | tuple) else step
    shape = _shape(step)
    if not shape:
        rise = divide(diff(f, axis=axis), step)
        middle = divide(subtract(cells[2], cells[0]), multiply(2.0, step))
        h = None
    else:
        if shape != (n,):
            raise ShapeError(f"gradient: coordinates of shape {shape} on axis {axis} of length {n}")
        step = (
            step if numpy_dtype(step.dtype).kind == "f" else astype(step, dtype=np.float64)
        )  # unsigned ones would wrap around
        h = reshape(diff(step), shape=(n - 1,) + (1,) * (len(f.shape) - axis - 1))
        rise = divide(diff(f, axis=axis), h)
        left, right = h[: n - 2], h[1:]
        middle = divide(
            along(rise, axis, slice(None, -1)) * right + along(rise, axis, slice(1, None)) * left, left + right
        )
    first, last = along(rise, axis, slice(0, 1)), along(rise, axis, slice(n - 2, n - 1))
    if edge_order == 2:  # the slope of the parabola through three points
        ratios = (0.5, 0.5) if h is None else (divide(h[0:1], h[0:1] + h[1:2]), divide(h[-1:], h[-1:] + h[-2:-1]))
        first = first - (along(rise, axis, slice(1, 2)) - first) * ratios[0]
        last = last + (last - along(rise, axis, slice(n - 3, n - 2))) * ratios[1]
    slopes = concatenate([first, middle, last], axis=axis)
    return slopes if slopes.dtype == f.dtype else astype(slopes, dtype=f.dtype)


def trapezoid(y: Any, x: Any = None, dx: Any = 1.0, axis: int = -1) -> Any:
    """Return the area under the straight lines between samples ``y`` along ``axis``.

    Args:
        y: the samples.
        x: their coordinates, 1-d or of the shape of ``y``; by default they are ``dx`` apart.
        dx: the distance of the samples.
        axis: the axis along which they lie.

    >>> trapezoid([1.0, 2.0, 3.0])
    np.float64(4.0)
    """
    y = as_array(y)
    axis = normal_axis(axis, len(y.shape), "trapezoid")
    if x is not None:
        x = as_array(x)
        line = len(x.shape) == 1
        dx = diff(x, axis=-1 if line else axis)
        if line:
            dx = reshape(dx, shape=(dx.shape[0],) + (1,) * (len(y.shape) - axis - 1))
    return sum(
        divide(multiply(dx, add(along(y, axis, slice(1, None)), along(y, axis, slice(None, -1)))), 2.0), axis=axis
    )


def interp(x: Any, xp: Any, fp: Any, left: Any = None, right: Any = None, period: float | None = None) -> Any:
    """Return at ``x`` the straight lines between the points (``xp``, ``fp``); on a point, the slope of the right one.

    Args:
        x: where to read.
        xp: the coordinates of the points, 1-d and increasing.
        fp: their heights.
        left, right: what holds outside; the height of the nearest point by default, with slope 0.
        period: after how much the points repeat, in any order; ``left`` and ``right`` then mean nothing.

    >>> interp(2.5, [1.0, 2.0, 3.0], [3.0, 2.0, 0.0])
    array(1.)
    """
    x, xp, fp = as_array(x), as_array(xp), as_array(fp)
    n = xp.shape[0] if len(xp.shape) == 1 else 0
    if not n or tuple(fp.shape) != (n,):
        raise ShapeError(
            f"interp: points of shapes {tuple(xp.shape)} and {tuple(fp.shape)}: give two 1-d arrays, not empty"
        )
    fp = fp if numpy_dtype(fp.dtype).kind == "f" else astype(fp, dtype=np.float64)
    if period is not None:
        x, xp, fp, left, right = _periodic(x, xp, fp, period)
        n += 2
    left = getitem(fp, index=0) if left is None else left
    right = getitem(fp, index=n - 1) if right is None else right
    places, ends = numbers("interp needs its places", x), numbers("interp needs its points", xp)
    below, above = places < ends[0], places > ends[-1]
    inside = np.where(below | above, ends[0], places)
    j = np.clip(np.searchsorted(ends, inside, side="right") - 1, 0, n - 2 if n > 1 else 0)
    reached = where(below | above | (n == 1), getitem(xp, index=j), x)
    line = _line(reached, *(getitem(points, index=i) for points in (xp, fp) for i in (j, j + 1 if n > 1 else j)))
    return where(less(x, ends[0]), left, where(greater(x, ends[-1]), right, line))


def _periodic(x: Any, xp: Any, fp: Any, period: float) -> tuple[Any, Any, Any, None, None]:
    """Return places and points within one period, in order, with the nearest points of the periods beside it."""
    if period == 0:
        raise UnsupportedError("interp: period is 0; give None for points that do not repeat")
    period = abs(period)
    x, xp = remainder(x, period), remainder(xp, period)
    order = np.argsort(numbers("interp needs its points", xp), kind="stable")
    order = np.concatenate([order[-1:], order, order[:1]])
    turns = np.zeros(len(order))
    turns[0], turns[-1] = -period, period
    return x, getitem(xp, index=order) + turns, getitem(fp, index=order), None, None


def _line(x: Any, x0: Any, x1: Any, y0: Any, y1: Any) -> Any:
    """Return at ``x`` the straight line through two points; beside infinite ones what NumPy gives."""
    with np.errstate(invalid="ignore"):  # nan is chosen away below
        width = x1 - x0
        slope = divide(y1 - y0, where(width == 0, 1, width))
        line = y0 + (x - x0) * slope
        if mode() & TRACING or np.isnan(numbers("interp needs its values", line)).any():
            line = where(isnan(line), y1 + (x - x1) * slope, line)
            line = where(logical_or(x == x0, logical_and(isnan(line), logical_and(y0 == y1, x == x))), y0, line)
            line = where(x == x1, y1, line)
    return line
