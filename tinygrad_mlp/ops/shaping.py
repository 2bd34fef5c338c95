"""What moves or repeats elements without computing: each is linear, and its vjp moves them back."""

import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from tinygrad_mlp.arrays import NUMPY, as_payload, namespace
from tinygrad_mlp.errors import AxisError, DTypeError, ShapeError
from tinygrad_mlp.graph import NODES
from tinygrad_mlp.table import NUMBERS, defvjp, defvjp_argnum, primitive

Axes = int | Sequence[int]


def as_tuple(axes: Axes) -> tuple[int, ...]:
    """Return an axis or a length, or several of them, as a tuple; NumPy's integers count as integers."""
    if isinstance(axes, (int, np.integer, float)):  # a union takes thrice as long
        return (axes,)
    try:
        return tuple(axes)
    except TypeError:
        return (whole("an axis or a length", axes),)


@primitive(symbol="reshape", latex=r"\operatorname{{reshape}}({0})", linear=True, view=True, analytic=True)
def reshape(xp: Any, x: Any, /, shape: Axes) -> Any:
    """Return the elements of ``x`` in another shape; one length may be -1.

    >>> reshape([[1.0, 2.0], [3.0, 4.0]], -1)
    array([1., 2., 3., 4.])
    """
    return xp.reshape(x, as_tuple(shape))


defvjp(reshape, lambda g, _y, _x, **_: reshape(g, shape=_x.shape))


@primitive(symbol="ᵀ", latex=r"{0}^{{\top}}", linear=True, view=True, analytic=True)
def transpose(xp: Any, x: Any, /, axes: Sequence[int] | None = None) -> Any:
    """Return ``x`` with its axes in another order; reversed by default."""
    if axes is None:
        return x.T if x.ndim == 2 else xp.permute_dims(x, tuple(range(x.ndim))[::-1])
    return xp.permute_dims(x, as_tuple(axes))


def _transpose_vjp(g: Any, _y: Any, _x: Any, axes: Sequence[int] | None = None) -> Any:
    if axes is None:
        return transpose(g)
    forward = [axis % _x.ndim for axis in as_tuple(axes)]
    return transpose(g, axes=tuple(forward.index(i) for i in range(_x.ndim)))


defvjp(transpose, _transpose_vjp)


@primitive(symbol="swapaxes", latex=r"\operatorname{{swapaxes}}({0})", linear=True, view=True, analytic=True)
def swapaxes(xp: Any, x: Any, /, axis1: int, axis2: int) -> Any:
    """Return ``x`` with two axes exchanged."""
    axes = list(range(x.ndim))
    i, j = normal_axis(axis1, x.ndim, "swapaxes"), normal_axis(axis2, x.ndim, "swapaxes")
    axes[i], axes[j] = axes[j], axes[i]
    return xp.permute_dims(x, tuple(axes))


defvjp(swapaxes, lambda g, _y, _x, axis1, axis2: swapaxes(g, axis1, axis2))


def normal_axis(axis: int, ndim: int, name: str = "") -> int:
    """Return the axis counted from the front; ``name`` is what an error says it is an axis for.

    Raises:
        AxisError: There is no such axis.
        DTypeError: It is no integer.
    """
    where = f"{name}: " if name else ""
    if type(axis) is not int:
        axis = whole(f"{where}an axis", axis)
    if not -ndim <= axis < ndim:
        raise AxisError(f"{where}axis {axis} does not exist: the array has {ndim} dimensions")
    return axis % ndim


def whole(what: str, number: Any) -> int:
    """Return an integer, NumPy's kinds included, as Python's.

    Raises:
        DTypeError: It is none.
    """
    try:
        return operator.index(number)
    except TypeError:
        raise DTypeError(f"{what} is an integer, not {number!r}") from None


def normal_axes(name: str, axes: Axes, ndim: int) -> tuple[int, ...]:
    """Return an axis, or several, counted from the front.

    Raises:
        AxisError: There is no such axis, or one is named twice.
    """
    found = tuple(normal_axis(axis, ndim, name) for axis in as_tuple(axes))
    if len(set(found)) < len(found):
        raise AxisError(f"{name}: axis {axes} names an axis twice")
    return found


@primitive(symbol="broadcast", latex=r"\operatorname{{broadcast}}({0})", linear=True, view=True, analytic=True)
def broadcast_to(xp: Any, x: Any, /, shape: Axes) -> Any:
    """Return ``x`` repeated along new axes and axes of length one, up to ``shape``."""
    return xp.broadcast_to(x, as_tuple(shape))


@primitive(symbol="Σ", latex=r"\sum {0}", linear=True, view=True, analytic=True)
def sum_to(xp: Any, x: Any, /, shape: tuple[int, ...]) -> Any:
    """Return ``x`` summed down to ``shape``, which broadcasts to ``x.shape``: the transpose of ``broadcast_to``.

    >>> sum_to([[1.0, 2.0], [3.0, 4.0]], (1, 2))
    array([[4., 6.]])
    """
    return xp.sum_to(x, shape)


defvjp(broadcast_to, lambda g, _y, _x, **_: sum_to(g, shape=_x.shape))
defvjp(sum_to, lambda g, _y, _x, **_: broadcast_to(g, shape=_x.shape))


@primitive(symbol="expand_dims", latex="{0}", linear=True, view=True, analytic=True)
def expand_dims(xp: Any, x: Any, /, axis: Axes) -> Any:
    """Return ``x`` with new axes of length one at ``axis`` of the result."""
    axes = as_tuple(axis)
    ndim = x.ndim + len(axes)
    new = {normal_axis(a, ndim, "expand_dims") for a in axes}
    if len(new) < len(axes):
        raise AxisError(f"expand_dims: axis {tuple(axes)} names an axis twice")
    lengths = iter(x.shape)
    return xp.reshape(x, tuple(1 if i in new else next(lengths) for i in range(ndim)))


defvjp(expand_dims, lambda g, _y, _x, **_: reshape(g, shape=_x.shape))


@primitive(symbol="squeeze", latex="{0}", linear=True, view=True, analytic=True)
def squeeze(xp: Any, x: Any, /, axis: Axes | None = None) -> Any:
    """Return ``x`` without its axes of length one, or without those named."""
    if axis is None or (not x.shape and axis in (0, -1)):  # as in NumPy, () has an axis 0 here, though not in a tuple
        return xp.reshape(x, tuple(n for n in x.shape if n != 1))
    axes = normal_axes("squeeze", axis, x.ndim)
    for a in axes:
        if x.shape[a] != 1:
            raise ShapeError(f"squeeze: axis {a} of shape {tuple(x.shape)} has length {x.shape[a]}, not 1")
    return xp.reshape(x, tuple(n for i, n in enumerate(x.shape) if i not in axes))


defvjp(squeeze, lambda g, _y, _x, **_: reshape(g, shape=_x.shape))


def numpy_dtype(dtype: Any) -> Any:
    """Return a dtype of any library as NumPy's of the same name."""
    try:
        return np.dtype(dtype)
    except TypeError:
        return np.dtype(str(dtype).rpartition(".")[2])


@primitive(symbol="astype", latex="{0}", linear=True)
def astype(xp: Any, x: Any, /, dtype: Any) -> Any:
    """Return a copy of ``x`` in another real dtype; the gradient comes back in the dtype of ``x``."""
    wanted = numpy_dtype(dtype)
    if wanted.kind not in "fiub":
        raise DTypeError(f"astype: {wanted} is no dtype of real numbers; use a real one, such as float64")
    return xp.astype(x, wanted if xp is NUMPY else getattr(xp, wanted.name))


defvjp(astype, lambda g, _y, _x, **_: astype(g, dtype=_x.dtype))


def as_floating(x: Any) -> Any:
    """Return ``x`` as an array or a node of floating-point numbers: of float64 if they are integers."""
    x = as_array(x)
    return astype(x, dtype=np.float64) if getattr(x.dtype, "kind", "f") in "iub" else x


@primitive(symbol="concatenate", latex=r"\operatorname{{concatenate}}({0}, \dots)", linear=True, analytic=True)
def concatenate(xp: Any, *arrays: Any, axis: int | None = 0) -> Any:
    """Return a sequence of arrays joined along an axis that exists; flattened first if ``axis`` is None.

    >>> concatenate([[1.0, 2.0], [3.0]])
    array([1., 2., 3.])

    Raises:
        ShapeError: The arrays differ in another axis, or have none.
        AxisError: There is no such axis.
    """
    return xp.concat(arrays, axis=axis)


def _concatenate_vjp(argnum: int, g: Any, _y: Any, *_arrays: Any, axis: int | None = 0) -> Any:
    x = _arrays[argnum]
    if axis is None:
        start = sum(a.size for a in _arrays[:argnum])
        return reshape(g[start : start + x.size], shape=x.shape)
    axis %= x.ndim
    start = sum(a.shape[axis] for a in _arrays[:argnum])
    return g[(slice(None),) * axis + (slice(start, start + x.shape[axis]), ...)]


defvjp_argnum(concatenate, _concatenate_vjp)


@primitive(symbol="stack", latex=r"\operatorname{{stack}}({0}, \dots)", linear=True, analytic=True)
def stack(xp: Any, *arrays: Any, axis: int = 0) -> Any:
    """Return a sequence of arrays of one shape, joined along a new axis.

    >>> stack([1.0, 2.0])
    array([1., 2.])

    Raises:
        ShapeError: The shapes differ.
        AxisError: The result has no such axis.
    """
    return xp.stack(arrays, axis=axis)


def _stack_vjp(argnum: int, g: Any, _y: Any, *_arrays: Any, axis: int = 0) -> Any:
    return g[(slice(None),) * (axis % g.ndim) + (argnum, ...)]


defvjp_argnum(stack, _stack_vjp)


def beside(x: Any, array: Any) -> Any:
    """Return an array of NumPy as one of the library that ``x`` is of."""
    return namespace(x._payload if type(x) in NODES else x).asarray(array)


def number_beside(x: Any, values: Any) -> Any:
    """Return values as an array, numbers as one of the library that ``x`` is of."""
    return beside(x, values) if type(values) in NUMBERS else as_array(values)


def as_arrays(name: str, xs: Any) -> list[Any]:
    """Return what is to be joined as a list of arrays.

    Raises:
        DTypeError: It is no sequence.
    """
    if not isinstance(xs, Sequence) and not getattr(xs, "shape", ()):
        raise DTypeError(f"{name}: takes a list or tuple of arrays, not {xs!r}")
    return [as_array(x) for x in xs]


def as_array(x: Any) -> Any:
    """Return ``x`` with a shape: numbers and lists become arrays, a Value a tensor without axes.

    Raises:
        DTypeError: ``x`` is None, or nothing that can be computed with.
    """
    if type(x) in NODES:
        return x if type(x._payload) is not float else reshape(x, shape=())
    x = as_payload(x)
    if x is None:
        raise DTypeError("None is no array: give numbers")
    return as_payload(np.asarray(x)) if type(x) in NUMBERS or isinstance(x, np.generic) else x
