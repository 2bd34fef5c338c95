"""Reading elements by index, and adding values back at an index."""

import math
from typing import Any

import numpy as np

from tinygrad_mlp.errors import IndexingError, ShapeError
from tinygrad_mlp.graph import NODES
from tinygrad_mlp.ops.shaping import normal_axis
from tinygrad_mlp.table import defvjp, primitive


def plain_index(index: Any) -> Any:
    """Return an index of ints, slices, None, Ellipsis and arrays; nodes give their integers or booleans.

    Arrays are copied, so that writing to them later cannot change a gradient.

    Raises:
        IndexingError: A part is a float, or of a kind that cannot index.
    """
    if type(index) is tuple:
        return tuple(_plain_part(part) for part in index)
    return _plain_part(index)


def _plain_part(part: Any) -> Any:
    kind = type(part)
    if kind in (int, slice) or part is None or part is Ellipsis:
        return part
    if kind in NODES:
        part = part._data
    if isinstance(part, np.bool_ | bool | np.integer):
        return part
    try:
        array = np.array(part)
    except ValueError as error:
        raise IndexingError(f"a list that is no index: {error}") from None
    if array.size == 0 and array.dtype.kind == "f" and not isinstance(part, np.ndarray):
        array = array.astype(np.intp)
    if array.dtype.kind not in "iub":
        raise IndexingError(f"an index is an int, a slice, None, ... or an array of integers or booleans, not {part!r}")
    return array


@primitive(symbol="[ ]", latex="{0}_{{i}}", linear=True, view=True, analytic=True)
def getitem(xp: Any, x: Any, /, index: Any) -> Any:
    """Return ``x[index]``: slices, None, Ellipsis, integers, integer arrays (repeats too) and masks, as in NumPy."""
    return x[index]


@primitive(symbol="scatter", latex=r"\operatorname{{scatter}}({0})", linear=True, analytic=True)
def scatter(xp: Any, values: Any, /, shape: tuple[int, ...], index: Any) -> Any:
    """Return zeros of ``shape`` with ``values`` added at ``index``; where an index repeats, every value counts.

    >>> scatter([1.0, 2.0, 4.0], (3,), [0, 0, 2])
    array([3., 0., 4.])
    """
    return xp.index_add(xp.zeros(shape, dtype=values.dtype), index, values)


defvjp(getitem, lambda g, _y, _x, index: scatter(g, shape=tuple(_x.shape), index=index))
defvjp(scatter, lambda g, _y, _values, index, **_: getitem(g, index=index))


@primitive(symbol="one_hot", latex=r"\operatorname{{one\_hot}}({0})", differentiable=False)
def one_hot(xp: Any, labels: Any, /, n: int) -> Any:
    """Return whether each label equals 0, 1, …, n - 1, along a new last axis."""
    return xp.expand_dims(labels, axis=-1) == xp.arange(n)


@primitive(symbol="take", latex=r"\operatorname{{take}}({0}, {1})")
def take_along_axis(xp: Any, x: Any, indices: Any, /, axis: int | None = -1) -> Any:
    """Return the elements of ``x`` at ``indices`` along ``axis`` (None: of the flattened); other axes broadcast.

    >>> take_along_axis([[10.0, 30.0, 20.0]], [[0, 2, 1]])
    array([[10., 20., 30.]])
    """
    if axis is None:
        return xp.take_along_axis(xp.reshape(x, (-1,)), indices, axis=0)
    if x.ndim != indices.ndim:
        raise ShapeError(f"take_along_axis: {x.ndim} dimensions and indices of {indices.ndim}: give as many")
    return xp.take_along_axis(x, indices, axis=axis)


@primitive(symbol="scatter", latex=r"\operatorname{{scatter}}({0}, {1})")
def add_along_axis(xp: Any, values: Any, indices: Any, /, shape: tuple[int, ...], axis: int | None = -1) -> Any:
    """Return zeros of ``shape`` with ``values`` added at ``indices`` along ``axis``: the transpose of the above.

    >>> add_along_axis([1.0, 2.0, 4.0], [0, 0, 2], (4,))
    array([3., 0., 4., 0.])
    """
    if axis is None:
        return xp.reshape(xp.index_add(xp.zeros(math.prod(shape), dtype=values.dtype), (indices,), values), shape)
    axis = normal_axis(axis, len(shape))
    open_grid = np.ogrid[tuple(slice(n) for n in shape)]
    return xp.index_add(
        xp.zeros(shape, dtype=values.dtype), (*open_grid[:axis], indices, *open_grid[axis + 1 :]), values
    )


defvjp(
    take_along_axis,
    lambda g, _y, _x, indices, axis=-1: add_along_axis(g, indices, shape=tuple(_x.shape), axis=axis),
    None,
)
defvjp(add_along_axis, lambda g, _y, _values, indices, axis=-1, **_: take_along_axis(g, indices, axis=axis), None)
