"""NumPy's ways to join, split, repeat and rearrange arrays, written with the rows of ``shaping`` and ``indexing``."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from tinygrad_mlp.errors import AxisError, DTypeError, ShapeError, UnsupportedError
from tinygrad_mlp.ops.elementwise import identity, where
from tinygrad_mlp.ops.indexing import along, fitting, getitem, numpys, plain_index, rearranged, scatter
from tinygrad_mlp.ops.reductions import sum
from tinygrad_mlp.ops.shaping import (
    as_array,
    as_arrays,
    as_tuple,
    astype,
    beside,
    broadcast_to,
    concatenate,
    expand_dims,
    normal_axes,
    normal_axis,
    numpy_dtype,
    reshape,
    transpose,
    whole,
)

Axes = int | Sequence[int]


# -------------------------------------------------------------------------------------------------------------- order


def ravel(x: Any, order: str = "C") -> Any:
    """Return the elements of ``x`` along one axis: row by row ("C"), or column by column ("F")."""
    x = as_array(x)
    if order not in ("C", "F"):
        raise UnsupportedError(f"ravel: order={order!r}: choose 'C' or 'F'")
    return reshape(transpose(x) if order == "F" else x, shape=(x.size,))


def permute_dims(x: Any, axes: Sequence[int] | None = None) -> Any:
    """Return ``x`` with its axes in another order; reversed by default."""
    return transpose(as_array(x), axes=axes)


def moveaxis(x: Any, source: Axes, destination: Axes) -> Any:
    """Return ``x`` with the axes ``source`` at the places ``destination``; the others keep their order."""
    x = as_array(x)
    ndim = len(x.shape)
    starts, ends = normal_axes("moveaxis", source, ndim), normal_axes("moveaxis", destination, ndim)
    if len(starts) != len(ends):
        raise ShapeError(f"moveaxis: source {source} and destination {destination} must name as many axes")
    order = [a for a in range(ndim) if a not in starts]
    for end, start in sorted(zip(ends, starts, strict=True)):
        order.insert(end, start)
    return transpose(x, axes=tuple(order))


def rollaxis(x: Any, axis: int, start: int = 0) -> Any:
    """Return ``x`` with one axis moved back until it stands before the axis ``start``."""
    x = as_array(x)
    ndim = len(x.shape)
    axis, place = normal_axis(axis, ndim, "rollaxis"), whole("rollaxis: start", start)
    if not -ndim <= place <= ndim:
        raise AxisError(f"rollaxis: start {start} is no place among {ndim} dimensions")
    place += ndim if place < 0 else 0
    return moveaxis(x, axis, place - 1 if axis < place else place)


def flip(x: Any, axis: Axes | None = None) -> Any:
    """Return ``x`` in reverse order along ``axis`` (all axes by default)."""
    x = as_array(x)
    ndim = len(x.shape)
    axes = range(ndim) if axis is None else normal_axes("flip", axis, ndim)
    return getitem(x, index=tuple(slice(None, None, -1) if a in axes else slice(None) for a in range(ndim)))


def fliplr(x: Any) -> Any:
    """Return ``x`` in reverse order along its second axis."""
    return flip(_at_least("fliplr", x, 2), 1)


def flipud(x: Any) -> Any:
    """Return ``x`` in reverse order along its first axis."""
    return flip(_at_least("flipud", x, 1), 0)


def _at_least(name: str, x: Any, ndim: int) -> Any:
    """Return ``x`` if it has ``ndim`` axes or more."""
    x = as_array(x)
    if len(x.shape) < ndim:
        raise AxisError(f"{name}: shape {tuple(x.shape)} has fewer than {ndim} axes")
    return x


def rot90(x: Any, k: int = 1, axes: Sequence[int] = (0, 1)) -> Any:
    """Return ``x`` turned by ``k`` quarter turns in the plane of two axes, from the first towards the second."""
    x = as_array(x)
    if len(axes) != 2:
        raise ShapeError(f"rot90: axes {axes} must be two axes")
    first, second = normal_axes("rot90", tuple(axes), len(x.shape))
    order = list(range(len(x.shape)))
    order[first], order[second] = second, first
    k = whole("rot90: k", k) % 4
    if k == 1:
        return transpose(flip(x, second), axes=tuple(order))
    if k == 3:
        return flip(transpose(x, axes=tuple(order)), second)
    return flip(x, (first, second)) if k else x


def roll(x: Any, shift: Axes, axis: Axes | None = None) -> Any:
    """Return ``x`` with its elements moved on by ``shift`` places along ``axis``, the last ones back to the front.

    With several shifts and axes they broadcast against each other, and shifts of one axis add up.
    """
    x = as_array(x)
    if axis is None:
        return reshape(roll(ravel(x), shift, 0), shape=tuple(x.shape))
    pairs = numpys("roll", np.broadcast, shift, axis)
    if pairs.ndim > 1:
        raise ShapeError(f"roll: shift {shift} and axis {axis} are numbers, or sequences of one length")
    total = [0] * len(x.shape)
    for s, a in pairs:
        total[normal_axis(a, len(x.shape), "roll")] += whole("roll: a shift", s)
    cuts = [-s % n if n else 0 for s, n in zip(total, x.shape, strict=True)]
    for a, cut in enumerate(cuts):
        if cut:
            x = concatenate([along(x, a, slice(cut, None)), along(x, a, slice(cut))], axis=a)
    return x if any(cuts) else identity(x)


# ------------------------------------------------------------------------------------------------------------ repeats


def repeat(x: Any, repeats: Any, axis: int | None = None) -> Any:
    """Return ``x`` with each element along ``axis`` repeated; ``repeats`` is a number, or one for each element.

    >>> repeat([1.0, 2.0], [1, 2])
    array([1., 2., 2.])

    Raises:
        ShapeError: There are neither one nor as many repeats as elements, or one is negative.
        AxisError: There is no such axis.
    """
    x = as_array(x)
    if axis is None or (not x.shape and axis in (0, -1)):
        x, axis = ravel(x), 0
    axis = normal_axis(axis, len(x.shape), "repeat")
    before, n, after = tuple(x.shape[:axis]), x.shape[axis], tuple(x.shape[axis + 1 :])
    if type(repeats) is int and repeats > 1:  # five times as fast as by places
        wide = broadcast_to(reshape(x, shape=(*before, n, 1, *after)), shape=(*before, n, repeats, *after))
        return reshape(wide, shape=(*before, n * repeats, *after))
    return along(x, axis, numpys("repeat", np.repeat, np.arange(n), repeats))


def tile(x: Any, reps: Axes) -> Any:
    """Return ``x`` put side by side ``reps`` times along each axis."""
    x = as_array(x)
    counts = tuple(whole("tile: reps", count) for count in as_tuple(reps))
    if any(count < 0 for count in counts):
        raise ShapeError(f"tile: reps {reps} must not be negative")
    ndim = len(counts) if len(counts) > len(x.shape) else len(x.shape)
    counts = (1,) * (ndim - len(counts)) + counts
    shape = (1,) * (ndim - len(x.shape)) + tuple(x.shape)
    pairs = [n for length in shape for n in (1, length)]
    wide = [n for count, length in zip(counts, shape, strict=True) for n in (count, length)]
    total = tuple(count * length for count, length in zip(counts, shape, strict=True))
    y = reshape(broadcast_to(reshape(x, shape=tuple(pairs)), shape=tuple(wide)), shape=total)
    return y if max(counts, default=1) > 1 else identity(y)  # as everywhere here, no array that shares the caller's


def resize(x: Any, new_shape: Axes) -> Any:
    """Return the elements of ``x``, again and again as needed, in another shape; zeros if it has none."""
    line = ravel(x)
    line = line if line.size else concatenate([line, np.zeros(1, line.dtype)])
    return getitem(line, index=numpys("resize", np.resize, np.arange(line.size), new_shape))


def meshgrid(*xs: Any, indexing: str = "xy", sparse: bool = False) -> tuple[Any, ...]:
    """Return the coordinates of a grid: an array for each 1-d ``x``, which varies along its own axis.

    With "xy" the first two axes are exchanged, as pictures have them; with "ij" they are not. Sparse ones have length
    one along the other axes.
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
        line = tuple(x.shape[0] if i == place else 1 for i in range(len(xs)))
        thin = reshape(x, shape=line)
        grids.append(astype(thin if sparse else broadcast_to(thin, shape=tuple(shape)), dtype=x.dtype))
    return tuple(grids)


def broadcast_arrays(*xs: Any) -> tuple[Any, ...]:
    """Return arrays broadcast against each other."""
    arrays = [as_array(x) for x in xs]
    shape = numpys("broadcast_arrays", np.broadcast_shapes, *(tuple(x.shape) for x in arrays))
    return tuple(broadcast_to(x, shape=shape) for x in arrays)


# ----------------------------------------------------------------------------------------------------- join and split


def atleast_1d(*xs: Any) -> Any:
    """Return an array with one axis at least; a tuple of them for several arrays."""
    if len(xs) != 1:
        return tuple(atleast_1d(x) for x in xs)
    x = as_array(xs[0])
    return x if x.shape else reshape(x, shape=(1,))


def atleast_2d(*xs: Any) -> Any:
    """Return an array with two axes at least, a 1-d one as a row; a tuple of them for several arrays."""
    if len(xs) != 1:
        return tuple(atleast_2d(x) for x in xs)
    x = atleast_1d(xs[0])
    return x if len(x.shape) > 1 else expand_dims(x, axis=0)


def atleast_3d(*xs: Any) -> Any:
    """Return an array with three axes at least, a matrix with a new last one; a tuple of them for several arrays."""
    if len(xs) != 1:
        return tuple(atleast_3d(x) for x in xs)
    x = as_array(xs[0])
    if len(x.shape) < 2:
        return reshape(x, shape=(1, x.size, 1))
    return x if len(x.shape) > 2 else expand_dims(x, axis=-1)


def vstack(xs: Sequence[Any]) -> Any:
    """Return arrays joined one below the other; 1-d arrays are rows."""
    return concatenate([atleast_2d(x) for x in as_arrays("vstack", xs)], axis=0)


def hstack(xs: Sequence[Any]) -> Any:
    """Return arrays joined side by side: along the second axis, 1-d arrays along their only one."""
    parts = [atleast_1d(x) for x in as_arrays("hstack", xs)]
    return concatenate(parts, axis=0 if parts and len(parts[0].shape) == 1 else 1)


def dstack(xs: Sequence[Any]) -> Any:
    """Return arrays joined along a third axis."""
    return concatenate([atleast_3d(x) for x in as_arrays("dstack", xs)], axis=2)


def column_stack(xs: Sequence[Any]) -> Any:
    """Return arrays joined side by side; 1-d arrays are columns."""
    arrays = [atleast_1d(x) for x in as_arrays("column_stack", xs)]
    return concatenate([x if len(x.shape) > 1 else expand_dims(x, axis=1) for x in arrays], axis=1)


def append(x: Any, values: Any, axis: int | None = None) -> Any:
    """Return ``x`` with ``values`` after it along ``axis``; both flattened if it is None."""
    if axis is None:
        return concatenate([ravel(x), ravel(values)], axis=0)
    return concatenate([as_array(x), as_array(values)], axis=axis)


def block(arrays: Any) -> Any:
    """Return an array put together from nested lists of blocks: the innermost lists along the last axis, and so on.

    >>> block([[1.0, 2.0], [3.0, 4.0]])
    array([[1., 2.],
           [3., 4.]])
    """
    depth = _depth(arrays)
    ndim = _most_axes(arrays)
    joined = _joined(arrays, depth, depth if depth > ndim else ndim)
    return joined if depth else identity(joined)


def _depth(arrays: Any) -> int:
    """Return how deep lists are nested, which must be equal everywhere."""
    if isinstance(arrays, tuple):
        raise DTypeError("block: a tuple in the place of a list of blocks")
    if not isinstance(arrays, list):
        return 0
    depths = {_depth(x) for x in arrays}
    if len(depths) != 1:
        raise ShapeError("block: lists must be equally deep everywhere, and not empty")
    return 1 + depths.pop()


def _most_axes(arrays: Any) -> int:
    return max(map(_most_axes, arrays)) if isinstance(arrays, list) else len(as_array(arrays).shape)


def _joined(arrays: Any, depth: int, ndim: int) -> Any:
    if depth:
        return concatenate([_joined(x, depth - 1, ndim) for x in arrays], axis=-depth)
    x = as_array(arrays)
    return reshape(x, shape=(1,) * (ndim - len(x.shape)) + tuple(x.shape))


def insert(x: Any, obj: Any, values: Any, axis: int | None = None) -> Any:
    """Return ``x`` with ``values`` before the places ``obj`` along ``axis``; flattened if it is None.

    >>> insert([1.0, 2.0], 1, 9.0)
    array([1., 9., 2.])
    """
    x = as_array(x)
    where_to = plain_index(obj)
    values = fitting("insert", x, values)
    return rearranged(x, values, lambda own, new: numpys("insert", np.insert, own, where_to, new, axis))


def delete(x: Any, obj: Any, axis: int | None = None) -> Any:
    """Return ``x`` without what is at the places ``obj`` along ``axis``; flattened if it is None.

    >>> delete([1.0, 2.0, 3.0], [0, 2])
    array([2.])
    """
    x = as_array(x)
    if axis is None:
        x, axis = ravel(x), 0
    axis = normal_axis(axis, len(x.shape), "delete")
    return along(x, axis, numpys("delete", np.delete, np.arange(x.shape[axis]), plain_index(obj)))


def array_split(x: Any, sections: Any, axis: int = 0) -> list[Any]:
    """Return the parts of ``x`` along ``axis``: a number of parts, of nearly equal length, or cut at given places."""
    x = as_array(x)
    n = x.shape[normal_axis(axis, len(x.shape), "array_split")]
    if np.ndim(sections) == 0:
        parts = whole("array_split: the number of parts", sections)
        if parts <= 0:
            raise ShapeError(f"array_split: the number of parts is {parts}; it must be positive")
        edges = [i * (n // parts) + (i if i < n % parts else n % parts) for i in range(parts + 1)]
    else:
        edges = [0, *(whole("array_split: a place", place) for place in sections), n]
    return [along(x, axis, slice(*cut)) for cut in pairwise(edges)]


def split(x: Any, sections: Any, axis: int = 0) -> list[Any]:
    """Return the parts of ``x`` along ``axis``, of equal length if a number of them is given.

    Raises:
        ShapeError: The length is no multiple of the number of parts.
    """
    x = as_array(x)
    n = x.shape[normal_axis(axis, len(x.shape), "split")]
    if np.ndim(sections) == 0 and (whole("split: the number of parts", sections) <= 0 or n % sections):
        raise ShapeError(f"split: length {n} of axis {axis} cannot be split into {sections} equal parts")
    return array_split(x, sections, axis)


def hsplit(x: Any, sections: Any) -> list[Any]:
    """Return the parts of ``x`` along its second axis, of a 1-d array along its only one."""
    return split(x, sections, 0 if len(_at_least("hsplit", x, 1).shape) == 1 else 1)


def vsplit(x: Any, sections: Any) -> list[Any]:
    """Return the parts of ``x`` along its first axis."""
    return split(_at_least("vsplit", x, 2), sections, 0)


def dsplit(x: Any, sections: Any) -> list[Any]:
    """Return the parts of ``x`` along its third axis."""
    return split(_at_least("dsplit", x, 3), sections, 2)


def unstack(x: Any, axis: int = 0) -> tuple[Any, ...]:
    """Return the slices of ``x`` along ``axis``, which is gone from them."""
    x = as_array(x)
    return tuple(along(x, axis, i) for i in range(x.shape[normal_axis(axis, len(x.shape), "unstack")]))


# ---------------------------------------------------------------------------------------- diagonals, triangles, edges


def diagonal(x: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    """Return the diagonal of the plane of two axes as a new last axis, ``offset`` places right of the main one."""
    x, offset = moveaxis(x, (axis1, axis2), (-2, -1)), whole("diagonal: the offset", offset)
    rows, columns = x.shape[-2:]
    i = np.arange(rows)
    i = i[(i + offset >= 0) & (i + offset < columns)]
    return getitem(x, index=(..., i, i + offset))


def diag(x: Any, k: int = 0) -> Any:
    """Return the k-th diagonal of a matrix, or the matrix whose k-th diagonal is the 1-d ``x``."""
    x, k = as_array(x), whole("diag: k", k)
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


def diagflat(x: Any, k: int = 0) -> Any:
    """Return the matrix whose k-th diagonal holds the elements of ``x``."""
    return diag(ravel(x), k)


def fill_diagonal(x: Any, values: Any, wrap: bool = False) -> Any:
    """Return ``x`` with ``values``, again and again as needed, on its main diagonal; ``x`` itself is kept.

    Args:
        x: a matrix, or more axes of one length.
        values: a number, or numbers for the diagonal.
        wrap: begin the diagonal of a tall matrix anew below its end.
    """
    x = as_array(x)

    def put(own: Any, others: Any) -> Any:
        numpys("fill_diagonal", np.fill_diagonal, own, others, wrap)
        return own

    return rearranged(x, fitting("fill_diagonal", x, values), put)


def _triangle(x: Any, k: int) -> Any:
    """Return where the last two axes of ``x`` are on or below the k-th diagonal; a 1-d ``x`` is every row."""
    rows, columns = x.shape[-2:] if len(x.shape) > 1 else x.shape * 2
    return beside(x, np.arange(columns) <= np.arange(rows)[:, None] + whole("a diagonal", k))


def _zero(x: Any) -> Any:
    """Return a zero that leaves the dtype of ``x`` as it is."""
    dtype = numpy_dtype(x.dtype)
    return 0.0 if dtype.kind == "f" else beside(x, np.zeros((), dtype))


def tril(x: Any, k: int = 0) -> Any:
    """Return ``x`` with zeros above the k-th diagonal of its last two axes."""
    x = _at_least("tril", x, 1)
    return where(_triangle(x, k), x, _zero(x))


def triu(x: Any, k: int = 0) -> Any:
    """Return ``x`` with zeros below the k-th diagonal of its last two axes."""
    x = _at_least("triu", x, 1)
    return where(_triangle(x, k - 1), _zero(x), x)
