"""NumPy's ways to join, split, repeat and rearrange arrays, written with the rows of ``shaping`` and ``indexing``."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from tinygrad_mlp.errors import ShapeError, UnsupportedError
from tinygrad_mlp.ops.comparison import not_equal
from tinygrad_mlp.ops.elementwise import identity, subtract, where
from tinygrad_mlp.ops.indexing import getitem, scatter
from tinygrad_mlp.ops.reductions import sum
from tinygrad_mlp.ops.shaping import (
    as_array,
    broadcast_to,
    concatenate,
    expand_dims,
    normal_axis,
    reshape,
    transpose,
)

Axes = int | Sequence[int]


def _along(x: Any, axis: int, part: Any) -> Any:
    """Return ``x`` indexed by ``part`` along one axis."""
    return getitem(x, index=(slice(None),) * normal_axis(axis, len(x.shape)) + (part,))


# -------------------------------------------------------------------------------------------------------------- order


def ravel(x: Any) -> Any:
    """Return the elements of ``x`` along one axis, in C order."""
    return reshape(as_array(x), shape=(-1,))


def moveaxis(x: Any, source: Axes, destination: Axes) -> Any:
    """Return ``x`` with the axes ``source`` at the places ``destination``; the others keep their order."""
    x = as_array(x)
    ndim = len(x.shape)
    starts, ends = (
        [normal_axis(a, ndim) for a in ((axes,) if isinstance(axes, int) else axes)] for axes in (source, destination)
    )
    if len(starts) != len(ends) or len(set(starts)) < len(starts) or len(set(ends)) < len(ends):
        raise ShapeError(f"moveaxis: source {source} and destination {destination} must name as many different axes")
    order = [a for a in range(ndim) if a not in starts]
    for end, start in sorted(zip(ends, starts, strict=True)):
        order.insert(end, start)
    return transpose(x, axes=tuple(order))


def flip(x: Any, axis: Axes | None = None) -> Any:
    """Return ``x`` in reverse order along ``axis`` (all axes by default)."""
    x = as_array(x)
    ndim = len(x.shape)
    axes = range(ndim) if axis is None else [normal_axis(a, ndim) for a in ((axis,) if isinstance(axis, int) else axis)]
    return getitem(x, index=tuple(slice(None, None, -1) if a in axes else slice(None) for a in range(ndim)))


def rot90(x: Any, k: int = 1, axes: tuple[int, int] = (0, 1)) -> Any:
    """Return ``x`` turned by ``k`` quarter turns in the plane of two axes, from the first towards the second."""
    x = as_array(x)
    first, second = (normal_axis(a, len(x.shape)) for a in axes)
    if first == second:
        raise ShapeError(f"rot90: axes {axes} must be two different axes")
    order = list(range(len(x.shape)))
    order[first], order[second] = second, first
    if k % 4 == 1:
        return transpose(flip(x, second), axes=tuple(order))
    if k % 4 == 3:
        return flip(transpose(x, axes=tuple(order)), second)
    return flip(x, (first, second)) if k % 4 else x


def roll(x: Any, shift: Axes, axis: Axes | None = None) -> Any:
    """Return ``x`` with its elements moved on by ``shift`` places along ``axis``, the last ones back to the front."""
    x = as_array(x)
    if axis is None:
        return reshape(roll(ravel(x), shift, 0), shape=tuple(x.shape))
    axes = (axis,) if isinstance(axis, int) else tuple(axis)
    shifts = (shift,) * len(axes) if isinstance(shift, int) else tuple(shift)
    if len(axes) != len(shifts):
        axes = axes * len(shifts) if len(axes) == 1 else axes
    for s, a in zip(shifts, axes, strict=True):
        n = x.shape[normal_axis(a, len(x.shape))]
        x = _along(x, a, np.arange(-s, n - s) % n if n else np.arange(0))
    return x


# ------------------------------------------------------------------------------------------------------------ repeats


def repeat(x: Any, repeats: Any, axis: int | None = None) -> Any:
    """Return ``x`` with each element along ``axis`` repeated; ``repeats`` is a number, or one for each element."""
    x = as_array(x)
    if axis is None:
        x, axis = ravel(x), 0
    n = x.shape[normal_axis(axis, len(x.shape))]
    return _along(x, axis, np.repeat(np.arange(n), repeats))


def tile(x: Any, reps: Axes) -> Any:
    """Return ``x`` put side by side ``reps`` times along each axis."""
    x = as_array(x)
    counts = (reps,) if isinstance(reps, int) else tuple(reps)
    ndim = len(counts) if len(counts) > len(x.shape) else len(x.shape)
    counts = (1,) * (ndim - len(counts)) + counts
    shape = (1,) * (ndim - len(x.shape)) + tuple(x.shape)
    pairs = [n for length in shape for n in (1, length)]
    wide = [n for count, length in zip(counts, shape, strict=True) for n in (count, length)]
    total = tuple(count * length for count, length in zip(counts, shape, strict=True))
    return reshape(broadcast_to(reshape(x, shape=tuple(pairs)), shape=tuple(wide)), shape=total)


def meshgrid(*xs: Any, indexing: str = "xy") -> list[Any]:
    """Return the coordinates of a grid: an array for each 1-d ``x``, which varies along its own axis.

    With "xy" the first two axes are exchanged, as pictures have them; with "ij" they are not.
    """
    if indexing not in ("xy", "ij"):
        raise UnsupportedError(f"meshgrid: indexing={indexing!r}: choose 'xy' or 'ij'")
    flat = [ravel(x) for x in xs]
    places = list(range(len(xs)))
    if indexing == "xy" and len(xs) > 1:
        places[0], places[1] = 1, 0
    shape = [0] * len(xs)
    for place, x in zip(places, flat, strict=True):
        shape[place] = x.shape[0]
    grids = []
    for place, x in zip(places, flat, strict=True):
        line = tuple(-1 if i == place else 1 for i in range(len(xs)))
        grids.append(identity(broadcast_to(reshape(x, shape=line), shape=tuple(shape))))
    return grids


# ----------------------------------------------------------------------------------------------------- join and split


def atleast_1d(x: Any) -> Any:
    """Return ``x`` with one axis at least."""
    x = as_array(x)
    return x if x.shape else reshape(x, shape=(1,))


def atleast_2d(x: Any) -> Any:
    """Return ``x`` with two axes at least; a 1-d array becomes a row."""
    x = atleast_1d(x)
    return x if len(x.shape) > 1 else expand_dims(x, axis=0)


def atleast_3d(x: Any) -> Any:
    """Return ``x`` with three axes at least; a new last one for a matrix."""
    x = as_array(x)
    if len(x.shape) < 2:
        return reshape(x, shape=(1, -1, 1))
    return x if len(x.shape) > 2 else expand_dims(x, axis=-1)


def vstack(xs: Sequence[Any]) -> Any:
    """Return arrays joined one below the other; 1-d arrays are rows."""
    return concatenate([atleast_2d(x) for x in xs], axis=0)


def hstack(xs: Sequence[Any]) -> Any:
    """Return arrays joined side by side: along the second axis, 1-d arrays along their only one."""
    parts = [atleast_1d(x) for x in xs]
    return concatenate(parts, axis=0 if parts and len(parts[0].shape) == 1 else 1)


def dstack(xs: Sequence[Any]) -> Any:
    """Return arrays joined along a third axis."""
    return concatenate([atleast_3d(x) for x in xs], axis=2)


def column_stack(xs: Sequence[Any]) -> Any:
    """Return arrays joined side by side; 1-d arrays are columns."""
    arrays = [atleast_1d(x) for x in xs]
    return concatenate([x if len(x.shape) > 1 else expand_dims(x, axis=1) for x in arrays], axis=1)


def append(x: Any, values: Any, axis: int | None = None) -> Any:
    """Return ``x`` with ``values`` after it along ``axis``; both flattened if it is None."""
    if axis is None:
        return concatenate([ravel(x), ravel(values)], axis=0)
    return concatenate([as_array(x), as_array(values)], axis=axis)


def array_split(x: Any, sections: Any, axis: int = 0) -> list[Any]:
    """Return the parts of ``x`` along ``axis``: a number of parts, of nearly equal length, or cut at given places."""
    x = as_array(x)
    n = x.shape[normal_axis(axis, len(x.shape))]
    if isinstance(sections, int):
        lengths = [len(piece) for piece in np.array_split(np.arange(n), sections)]
        edges = [0, *np.cumsum(lengths).tolist()]
    else:
        edges = [0, *(int(place) for place in sections), n]
    return [_along(x, axis, slice(*cut)) for cut in pairwise(edges)]


def split(x: Any, sections: Any, axis: int = 0) -> list[Any]:
    """Return the parts of ``x`` along ``axis``, of equal length if a number of them is given.

    Raises:
        ShapeError: The length is no multiple of the number of parts.
    """
    x = as_array(x)
    n = x.shape[normal_axis(axis, len(x.shape))]
    if isinstance(sections, int) and (sections <= 0 or n % sections):
        raise ShapeError(f"split: length {n} of axis {axis} cannot be split into {sections} equal parts")
    return array_split(x, sections, axis)


def hsplit(x: Any, sections: Any) -> list[Any]:
    """Return the parts of ``x`` along its second axis, of a 1-d array along its only one."""
    return split(x, sections, 0 if len(as_array(x).shape) == 1 else 1)


def vsplit(x: Any, sections: Any) -> list[Any]:
    """Return the parts of ``x`` along its first axis."""
    return split(x, sections, 0)


def dsplit(x: Any, sections: Any) -> list[Any]:
    """Return the parts of ``x`` along its third axis."""
    return split(x, sections, 2)


def unstack(x: Any, axis: int = 0) -> tuple[Any, ...]:
    """Return the slices of ``x`` along ``axis``, which is gone from them."""
    x = as_array(x)
    return tuple(_along(x, axis, i) for i in range(x.shape[normal_axis(axis, len(x.shape))]))


# ---------------------------------------------------------------------------------------- diagonals, triangles, edges


def diagonal(x: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    """Return the diagonal of the plane of two axes as a new last axis, ``offset`` places right of the main one."""
    x = moveaxis(x, (axis1, axis2), (-2, -1))
    rows, columns = x.shape[-2:]
    i = np.arange(rows)
    i = i[(i + offset >= 0) & (i + offset < columns)]
    return getitem(x, index=(..., i, i + offset))


def diag(x: Any, k: int = 0) -> Any:
    """Return the k-th diagonal of a matrix, or the matrix whose k-th diagonal is the 1-d ``x``."""
    x = as_array(x)
    if len(x.shape) == 2:
        return diagonal(x, k)
    if len(x.shape) != 1:
        raise ShapeError(f"diag: shape {tuple(x.shape)}; give a matrix or a 1-d array")
    n = x.shape[0] + (k if k > 0 else -k)
    i = np.arange(x.shape[0])
    return scatter(x, shape=(n, n), index=(i - (k if k < 0 else 0), i + (k if k > 0 else 0)))


def trace(x: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    """Return the sum of a diagonal of the plane of two axes."""
    return sum(diagonal(x, offset, axis1, axis2), axis=-1)


def _triangle(x: Any, k: int) -> Any:
    """Return where the last two axes of ``x`` are on or below the k-th diagonal."""
    rows, columns = x.shape[-2:]
    return np.arange(columns) <= np.arange(rows)[:, None] + k


def tril(x: Any, k: int = 0) -> Any:
    """Return ``x`` with zeros above the k-th diagonal of its last two axes."""
    x = as_array(x)
    return where(_triangle(x, k), x, 0.0)


def triu(x: Any, k: int = 0) -> Any:
    """Return ``x`` with zeros below the k-th diagonal of its last two axes."""
    x = as_array(x)
    return where(_triangle(x, k - 1), 0.0, x)


def diff(x: Any, n: int = 1, axis: int = -1) -> Any:
    """Return the n-th differences of neighbours along ``axis``."""
    x = as_array(x)
    if n < 0:
        raise UnsupportedError(f"diff: n is {n}; it must not be negative")
    step = not_equal if getattr(x, "dtype", None) == np.dtype(bool) else subtract
    for _ in range(n):
        x = step(_along(x, axis, slice(1, None)), _along(x, axis, slice(None, -1)))
    return x


def pad(x: Any, pad_width: Any, mode: str = "constant", *, constant_values: Any = 0) -> Any:
    """Return ``x`` with elements before and after it along each axis.

    Args:
        x: an array.
        pad_width: a number, a pair (before, after), or a pair for each axis.
        mode: "constant", "edge", "reflect", "symmetric" or "wrap", as NumPy's.
        constant_values: what "constant" puts there; one number.
    """
    x = as_array(x)
    if mode == "constant":
        places = np.pad(np.arange(x.size).reshape(x.shape), pad_width, constant_values=-1)
        if np.ndim(constant_values):
            raise UnsupportedError("pad: constant_values is one number here")
        index = np.unravel_index(np.flatnonzero(places >= 0), places.shape)
        inner = scatter(ravel(x), shape=places.shape, index=index)
        return where(places >= 0, inner, constant_values) if constant_values else inner
    if mode not in ("edge", "reflect", "symmetric", "wrap"):
        raise UnsupportedError(f"pad: mode={mode!r}: choose constant, edge, reflect, symmetric or wrap")
    numpy_pad: Any = np.pad  # whose stub wants the mode as a literal
    places = numpy_pad(np.arange(x.size).reshape(x.shape), pad_width, mode=mode)
    return reshape(getitem(ravel(x), index=places.ravel()), shape=places.shape)
