"""Reading elements by index, along an axis or by a condition; adding and putting values at an index."""

import math
import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tinygrad_mlp.arrays import NUMPY
from tinygrad_mlp.errors import (
    DTypeError,
    IndexingError,
    ShapeError,
    TinygradError,
    TracingError,
    UnsupportedError,
    own_kind,
)
from tinygrad_mlp.graph import NODES, TRACING, mode, user_line
from tinygrad_mlp.ops.elementwise import add, where
from tinygrad_mlp.ops.shaping import (
    as_array,
    astype,
    broadcast_to,
    concatenate,
    normal_axis,
    number_beside,
    numpy_dtype,
    reshape,
    stack,
)
from tinygrad_mlp.table import defvjp, primitive


def plain_index(index: Any) -> Any:
    """Return an index of ints, slices, None, Ellipsis and arrays; nodes give their integers or booleans.

    Arrays are copied, so that writing to them later cannot change a gradient.

    Raises:
        IndexingError: A part is a float, or of a kind that cannot index.
        TracingError: A part is a node of a function that is being traced, whose numbers are not known.
    """
    if type(index) is tuple:
        return tuple(_plain_part(part) for part in index)
    return _plain_part(index)


def _plain_part(part: Any) -> Any:
    kind = type(part)
    if kind in (int, slice) or part is None or part is Ellipsis:
        return part
    if kind in NODES:
        part = numbers("an index is needed", part)
    if isinstance(part, np.bool_ | bool | np.integer):
        return part
    try:
        array = np.array(part)
    except ValueError as error:
        raise IndexingError(f"a list that is no index: {error}") from None
    if array.size == 0 and array.dtype.kind == "f" and not isinstance(part, np.ndarray):
        array = array.astype(np.intp)
    if array.dtype.kind == "O" and hasattr(part, "__index__"):
        return operator.index(part)
    if array.dtype.kind not in "iub":
        raise IndexingError(f"an index is an int, a slice, None, ... or an array of integers or booleans, not {part!r}")
    return array


@primitive(symbol="[ ]", latex="{0}_{{i}}", linear=True, view=True, analytic=True)
def getitem(xp: Any, x: Any, /, index: Any) -> Any:
    """Return ``x[index]``: slices, None, Ellipsis, integers, integer arrays (repeats too) and masks, as in NumPy."""
    return x[index] if xp is NUMPY else _read(xp, x, index)


def _read(xp: Any, x: Any, index: Any) -> Any:
    """Return ``x[index]`` of an array of another library, which need not know all of NumPy's indices."""
    parts = index if type(index) is tuple else (index,)
    parts = tuple(np.asarray(part) if hasattr(part, "shape") else part for part in parts)
    if not any(isinstance(part, np.ndarray) for part in parts):
        return x[parts if any(part is Ellipsis for part in parts) else (*parts, ...)]
    cells = np.asarray(np.arange(x.size).reshape(x.shape)[parts])
    return xp.reshape(xp.take(xp.reshape(x, (-1,)), xp.asarray(cells.ravel()), axis=0), cells.shape)


@primitive(symbol="scatter", latex=r"\operatorname{{scatter}}({0})", linear=True, analytic=True)
def scatter(xp: Any, values: Any, /, shape: tuple[int, ...], index: Any) -> Any:
    """Return zeros of ``shape`` with ``values`` added at ``index``; where an index repeats, every value counts.

    >>> scatter([1.0, 2.0, 4.0], (3,), [0, 0, 2])
    array([3., 0., 4.])
    """
    return xp.scatter(values, shape, index)


defvjp(getitem, lambda g, _y, _x, index: scatter(g, shape=tuple(_x.shape), index=index))
defvjp(scatter, lambda g, _y, _values, index, **_: getitem(g, index=index))


@primitive(symbol="one_hot", latex=r"\operatorname{{one\_hot}}({0})", differentiable=False)
def one_hot(xp: Any, labels: Any, /, n: int) -> Any:
    """Return whether each label equals 0, 1, …, n - 1, along a new last axis; a label outside equals none of them.

    >>> one_hot([0, 2], 3)
    array([[ True, False, False],
           [False, False,  True]])
    """
    if n < 0 or not xp.isdtype(labels.dtype, "integral"):
        raise DTypeError(f"one_hot: labels are integers and n is not negative, not {labels.dtype} and {n}")
    return xp.expand_dims(labels, axis=-1) == xp.arange(n)


# ------------------------------------------------------------------------------------------------------ along an axis


def along(x: Any, axis: int, part: Any) -> Any:
    """Return ``x`` indexed by ``part`` along one axis."""
    return getitem(x, index=(slice(None),) * normal_axis(axis, len(x.shape)) + (part,))


def _grid(indices: Any, axis: int) -> tuple[Any, ...]:
    """Return the index that names, for each element of ``indices``, its own place on every axis but ``axis``."""
    lines = np.ix_(*(np.arange(n) for n in indices.shape))
    return (*lines[:axis], indices, *lines[axis + 1 :])


@primitive(symbol="take", latex=r"\operatorname{{take\_along\_axis}}({0}, {1})")
def take_along_axis(xp: Any, x: Any, indices: Any, /, axis: int | None = -1) -> Any:
    """Return the elements of ``x`` at ``indices`` along ``axis``, as sorting and argmax give them.

    Args:
        x: an array; flattened if ``axis`` is None.
        indices: integers, negative ones count from the end; as many axes as ``x``, which broadcast but for ``axis``.
        axis: the axis along which the indices count.

    >>> take_along_axis([[3.0, 1.0], [5.0, 7.0]], [[1], [0]], 1)
    array([[1.],
           [5.]])
    """
    if not xp.isdtype(indices.dtype, "integral"):
        raise IndexingError(f"take_along_axis: indices are integers, not {indices.dtype}")
    if axis is None:
        return xp.take_along_axis(xp.reshape(x, (x.size,)), indices, axis=0)
    at = normal_axis(axis, x.ndim, "take_along_axis")
    if x.ndim != indices.ndim:
        raise ShapeError(f"take_along_axis: {x.ndim} axes, but indices with {indices.ndim}")
    wide = np.broadcast_shapes(
        (*x.shape[:at], 1, *x.shape[at + 1 :]), (*indices.shape[:at], 1, *indices.shape[at + 1 :])
    )
    x, indices = (xp.broadcast_to(v, wide[:at] + v.shape[at : at + 1] + wide[at + 1 :]) for v in (x, indices))
    return xp.take_along_axis(x, indices, axis=axis)


@primitive(symbol="scatter", latex=r"\operatorname{{add\_along\_axis}}({0}, {1})")
def add_along_axis(xp: Any, values: Any, indices: Any, /, shape: tuple[int, ...], axis: int | None = -1) -> Any:
    """Return zeros of ``shape`` with ``values`` added at ``indices`` along ``axis``: ``take_along_axis`` backwards."""
    if axis is None:
        return xp.reshape(xp.scatter(values, (math.prod(shape),), indices), shape)
    axis = normal_axis(axis, len(shape))
    wide = list(values.shape)
    wide[axis] = shape[axis]
    index = _grid(values, axis)
    total = xp.scatter(values, tuple(wide), (*index[:axis], indices, *index[axis + 1 :]))
    return xp.sum_to(total, tuple(shape))


def _add_along_axis_vjp(g: Any, _y: Any, _values: Any, indices: Any, axis: int | None = -1, **_: Any) -> Any:
    return take_along_axis(g if axis is None else _widened(g, _values.shape, axis), indices, axis=axis)


def _widened(g: Any, shape: Sequence[int], axis: int) -> Any:
    """Return ``g`` broadcast to ``shape`` on every axis but one."""
    axis %= len(shape)
    return broadcast_to(g, shape=(*shape[:axis], g.shape[axis], *shape[axis + 1 :]))


defvjp(
    take_along_axis,
    lambda g, _y, _x, indices, axis=-1: add_along_axis(g, indices, shape=tuple(_x.shape), axis=axis),
    None,
)
defvjp(add_along_axis, _add_along_axis_vjp, None)


def taken(x: Any, index: Any, axis: int | None, mode: str = "raise") -> Any:
    """Return what ``take`` gives for an array of integers."""
    x, axis = flat_unless(x, axis)
    return along(x, axis, _inside("take", index, x.shape[axis], mode))


def flat_unless(x: Any, axis: int | None) -> tuple[Any, int]:
    """Return an array and one of its axes: the array flattened, if no axis is named."""
    x = as_array(x)
    if axis is None or (not x.shape and axis in (0, -1)):
        return reshape(x, shape=(x.size,)), 0
    return x, normal_axis(axis, len(x.shape), "take")


def _inside(name: str, index: Any, n: int, mode: str) -> Any:
    """Return an index of an axis of length ``n`` with those outside treated as ``mode`` says.

    Raises:
        UnsupportedError: There is no such mode.
        IndexingError: The axis is empty, or an index is outside and may not be.
    """
    if mode not in ("raise", "wrap", "clip"):
        raise UnsupportedError(f"{name}: mode={mode!r}: choose 'raise', 'wrap' or 'clip'")
    if index.size and not n:
        raise IndexingError(f"{name}: {index.size} indices of an empty axis")
    if mode == "raise":
        if index.size and (index.min() < -n or index.max() >= n):
            raise IndexingError(f"{name}: indices run from {index.min()} to {index.max()}, on an axis of length {n}")
        return index
    return index % n if mode == "wrap" and n else np.clip(index, 0, n - 1) if n else index


def numbers(what: str, x: Any) -> Any:
    """Return the array of what is needed at once, as indices and conditions are.

    Raises:
        TracingError: A function is being traced, and this is a node whose numbers are not known.
    """
    if type(x) in NODES:
        if mode() & TRACING:
            raise TracingError(f"{what} while a function is traced, at {user_line()}: compute it outside")
        x = x._payload
    return np.asarray(as_array(x))


def integers(name: str, indices: Any) -> Any:
    """Return indices as an array of integers; booleans count as 0 and 1."""
    index = numbers(f"{name} needs its indices", indices)
    if index.dtype.kind not in "iub" and not (index.size == 0 and not hasattr(indices, "dtype")):
        raise DTypeError(f"{name}: indices are integers, not {index.dtype}")
    return index.astype(np.intp)


def _counted(name: str, index: Any, shape: Sequence[int], axis: int) -> tuple[Any, ...]:
    """Return the index for PyTorch's indices along an axis, which do not broadcast and count from the front only."""
    if index.ndim != len(shape) or _longer(index.shape, shape, axis):
        raise ShapeError(f"{name}: index {index.shape} does not fit in {tuple(shape)} beside axis {axis}")
    if index.size and (index.min() < 0 or index.max() >= shape[axis]):
        low, high = index.min(), index.max()
        raise IndexingError(f"{name}: indices run from {low} to {high}, on an axis of length {shape[axis]}")
    return _grid(index, axis)


def _longer(shape: Sequence[int], other: Sequence[int], but: int = -1) -> bool:
    """Return whether a shape is longer than another on any axis but one."""
    return any(n > m for i, (n, m) in enumerate(zip(shape, other, strict=True)) if i != but)


def gather(x: Any, axis: int, index: Any) -> Any:
    """Return ``x[i, …, index[i, …, j], …, j]``: an element of ``x`` for each of ``index``, as PyTorch's ``gather``.

    Args:
        x: an array.
        axis: the axis along which the indices count.
        index: as many axes as ``x``, and no longer than it on the others; nothing broadcasts, no index is negative.

    >>> gather([[1.0, 2.0], [3.0, 4.0]], 1, [[0], [1]])
    array([[1.],
           [4.]])
    """
    x, index = as_array(x), integers("gather", index)
    axis = normal_axis(axis, max(len(x.shape), 1), "gather")
    if not index.size:
        return reshape(taken(x, np.zeros(0, np.intp), None), shape=index.shape)
    flat = x if x.shape else reshape(x, shape=(1,))
    found = getitem(flat, index=_counted("gather", index if index.ndim else index[None], flat.shape, axis))
    return found if index.ndim else reshape(found, shape=())


def scatter_add(x: Any, axis: int, index: Any, src: Any) -> Any:
    """Return ``x`` with each element of ``src`` added at its ``index`` along ``axis``, as PyTorch's ``scatter_add``.

    Args:
        x: an array.
        axis: the axis along which the indices count.
        index: as many axes as ``x``, on none longer than ``src``, on the others no longer than ``x``.
        src: what is added; what lies outside the shape of ``index`` is not.

    >>> scatter_add([0.0, 0.0, 0.0], 0, [2, 0, 2], [1.0, 2.0, 4.0])
    array([2., 0., 5.])
    """
    x, index, src = as_array(x), integers("scatter_add", index), as_array(src)
    axis = normal_axis(axis, max(len(x.shape), 1), "scatter_add")
    if not index.size:
        return astype(x, dtype=x.dtype)
    shape = tuple(x.shape)
    x, index, src = (v if v.shape else v.reshape(1) for v in (x, index, src))
    if len(src.shape) != index.ndim or _longer(index.shape, src.shape):
        raise ShapeError(f"scatter_add: index {index.shape} is longer than src {tuple(src.shape)}")
    places = _counted("scatter_add", index, x.shape, axis)
    added = index_add(x, places, getitem(src, index=tuple(slice(n) for n in index.shape)))
    return reshape(added, shape=shape)


# ----------------------------------------------------------------------------------------------------- by a condition


def nonzero(x: Any) -> tuple[Any, ...]:
    """Return the indices of the elements that are not zero, one array of integers for each axis.

    >>> nonzero([0.0, 3.0, 4.0])
    (array([1, 2]),)
    """
    values = numbers("nonzero needs numbers", x)
    if not values.ndim:
        raise ShapeError("nonzero: a number has no axes: use atleast_1d first")
    return np.nonzero(values)


where.alone = nonzero


def argwhere(x: Any) -> Any:
    """Return the indices of the elements that are not zero, one row for each."""
    return np.argwhere(numbers("argwhere needs numbers", x))


def flatnonzero(x: Any) -> Any:
    """Return the indices of the elements that are not zero in the flattened array."""
    return np.flatnonzero(numbers("flatnonzero needs numbers", x))


def compress(condition: Any, x: Any, axis: int | None = None) -> Any:
    """Return the slices along ``axis`` for which the 1-d ``condition`` holds; elements of the flattened ``x`` if None.

    >>> compress([False, True], [[1.0, 2.0], [3.0, 4.0]], axis=0)
    array([[3., 4.]])
    """
    mask = numbers("compress needs its condition", condition)
    if mask.ndim != 1:
        raise ShapeError(f"compress: the condition has shape {mask.shape}; it must have one axis")
    return taken(x, np.flatnonzero(mask), axis)


def extract(condition: Any, x: Any) -> Any:
    """Return the elements of ``x`` for which the condition holds, both flattened."""
    return taken(x, np.flatnonzero(numbers("extract needs its condition", condition)), None)


def select(condlist: Sequence[Any], choicelist: Sequence[Any], default: Any = 0) -> Any:
    """Return for each element the choice of the first condition that holds, else ``default``.

    >>> select([[True, False]], [[1.0, 2.0]], 9.0)
    array([1., 9.])
    """
    if not condlist or len(condlist) != len(choicelist):
        raise ShapeError(f"select: {len(condlist)} conditions for {len(choicelist)} choices")
    y = default
    for condition, choice in zip(reversed(condlist), reversed(choicelist), strict=True):
        holds = as_array(condition)
        if numpy_dtype(holds.dtype).kind != "b":
            raise DTypeError(f"select: a condition holds booleans, not {holds.dtype}")
        y = where(holds, _choice(choice), _choice(y))
    return y


def _choice(x: Any) -> Any:
    """Return a list as an array; a number stays one, so that it widens nothing."""
    return as_array(x) if isinstance(x, list | tuple) else x


def choose(a: Any, choices: Any, mode: str = "raise") -> Any:
    """Return for each element of ``a`` the element there of ``choices[a]``; all broadcast against each other.

    Args:
        a: integers.
        choices: a sequence of arrays, or an array, whose first axis is the sequence.
        mode: what becomes of an integer outside: "raise", "wrap" or "clip".

    >>> choose([1, 0], [[1.0, 2.0], [3.0, 4.0]])
    array([3., 2.])
    """
    parts = [as_array(choices[i]) for i in range(len(choices))]
    index = integers("choose", a)
    if not parts:
        raise ShapeError("choose: there are no choices")
    if mode == "raise" and index.size and index.min() < 0:
        raise IndexingError(f"choose: {index.min()} is no choice; count from 0")
    index = _inside("choose", index, len(parts), mode)
    shape = numpys("choose", np.broadcast_shapes, index.shape, *(tuple(p.shape) for p in parts))
    options = stack([broadcast_to(p, shape=shape) for p in parts])
    return getitem(options, index=(np.broadcast_to(index, shape), *np.indices(shape, sparse=True)))


# ------------------------------------------------------------------------------------------------- changed at an index


def numpys(name: str, f: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Return what a function of NumPy gives; it moves places, and what it refuses is refused here by ``name``."""
    try:
        return f(*args, **kwargs)
    except TinygradError:
        raise
    except (ValueError, TypeError, IndexError, OverflowError, AttributeError) as error:
        raise own_kind(error)(f"{name}: {error}") from None


def rearranged(x: Any, values: Any, places: Callable[[Any, Any], Any]) -> Any:
    """Return elements of ``x`` and ``values`` in new places: ``places`` puts those of the second among the first's.

    Every element has a number, those of ``values`` after those of ``x``. ``places(numbers of x, numbers of values)``
    does to the numbers what is to be done to the elements, so that nothing but moving can happen to these.
    """
    size = x.size
    own = np.arange(size).reshape(tuple(x.shape))
    others = np.arange(size, size + values.size).reshape(tuple(values.shape))
    return getitem(concatenate([x, values], axis=None), index=places(own, others))


def fitting(name: str, x: Any, values: Any) -> Any:
    """Return values in the dtype of ``x``.

    Raises:
        DTypeError: They would lose their fractions, and with them the gradient.
    """
    values = number_beside(x, values)
    if x.dtype == values.dtype:
        return values
    if not np.can_cast(numpy_dtype(values.dtype), numpy_dtype(x.dtype), "same_kind"):
        raise DTypeError(f"{name}: {values.dtype} values do not fit in an array of {x.dtype}: convert one of them")
    return astype(values, dtype=x.dtype)


def index_update(x: Any, index: Any, values: Any) -> Any:
    """Return ``x`` with ``x[index]`` replaced by ``values``, which broadcast.

    Args:
        x: an array.
        index: whatever NumPy reads as an index.
        values: what stands there; where an index repeats, the last value does, and those before it get no gradient.

    >>> index_update([1.0, 2.0, 3.0], slice(1, None), 0.0)
    array([1., 0., 0.])
    """
    x = as_array(x)

    def put(own: Any, others: Any) -> Any:
        numpys("index_update", own.__setitem__, plain_index(index), others)
        return own

    return rearranged(x, fitting("index_update", x, values), put)


def index_add(x: Any, index: Any, values: Any) -> Any:
    """Return ``x`` with ``values``, which broadcast, added at ``x[index]``; where an index repeats, each value counts.

    >>> index_add([1.0, 2.0, 3.0], [0, 0, 2], [1.0, 2.0, 4.0])
    array([4., 2., 7.])
    """
    x, index = as_array(x), plain_index(index)
    values = fitting("index_add", x, values)
    shape = tuple(numpys("index_add", np.empty(tuple(x.shape), bool).__getitem__, index).shape)
    if tuple(values.shape) != shape:
        values = numpys("index_add", broadcast_to, values, shape=shape)
    return add(x, scatter(values, shape=tuple(x.shape), index=index))


def put_along_axis(x: Any, indices: Any, values: Any, axis: int | None = -1) -> Any:
    """Return ``x`` with the elements at ``indices`` along ``axis`` replaced by ``values``; ``x`` itself is kept.

    Args:
        x: an array; its flattened elements are meant if ``axis`` is None.
        indices: integers; as many axes as ``x``, which broadcast but for ``axis``.
        values: broadcast to the indices; where an index repeats, the last one stands.
        axis: the axis along which the indices count.
    """
    x, indices = as_array(x), integers("put_along_axis", indices)

    def put(own: Any, others: Any) -> Any:
        numpys("put_along_axis", np.put_along_axis, own, indices, others, axis)
        return own

    return rearranged(x, fitting("put_along_axis", x, values), put)
