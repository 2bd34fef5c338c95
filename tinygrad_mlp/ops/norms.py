"""Norms of vectors and of matrices, as ``np.linalg`` has them; their derivative at 0 is 0."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from tinygrad_mlp.errors import ShapeError
from tinygrad_mlp.ops.arranging import moveaxis
from tinygrad_mlp.ops.elementwise import abs, divide, power, sign, where
from tinygrad_mlp.ops.matrices import svdvals
from tinygrad_mlp.ops.reductions import max, min, spread, sum
from tinygrad_mlp.ops.shaping import as_floating, as_tuple, normal_axes, reshape
from tinygrad_mlp.table import defvjp, primitive

INFINITY = float("inf")


@primitive(symbol="‖·‖", latex=r"\lVert {0} \rVert_2", kinks="0 at 0")
def euclidean_norm(xp: Any, x: Any, /, axis: Any = None, *, keepdims: bool = False) -> Any:
    """Return the root of the sum of squares over ``axis``; its derivative at 0 is 0."""
    return xp.sqrt(xp.sum(x * x, axis=axis, keepdims=keepdims))


def _euclidean_norm_vjp(g: Any, y: Any, x: Any, axis: Any = None, **_: Any) -> Any:
    zero = y == 0
    rate = where(zero, 0.0, divide(g, where(zero, 1.0, y)))
    return spread(rate, x.shape, axis) * x


defvjp(euclidean_norm, _euclidean_norm_vjp)


def _p_norm(x: Any, p: Any, axes: tuple[int, ...], keepdims: bool) -> Any:
    """Return the ``p``-norm over axes for any number ``p``."""
    p = float(p)  # a scalar of NumPy would widen float32
    if p == 2:
        return euclidean_norm(x, axis=axes, keepdims=keepdims)
    if p == 1:
        return sum(abs(x), axis=axes, keepdims=keepdims)
    if p == 0:  # a number of elements, whose derivative is 0 everywhere
        return sum(where(x != x, 1.0, abs(sign(x))), axis=axes, keepdims=keepdims)
    if p in (INFINITY, -INFINITY):
        return _extreme(max if p > 0 else min, abs(x), axes, keepdims)
    # A power has no finite slope at 0 below p = 1, and a root none above: zeros go around both, with the derivative 0.
    nothing = 0.0 if p > 0 else INFINITY
    zero = x == 0
    total = sum(where(zero, nothing, power(abs(where(zero, 1.0, x)), p)), axis=axes, keepdims=keepdims)
    zero = total == 0
    return where(zero, nothing, power(where(zero, 1.0, total), 1 / p))


def _extreme(reduce: Any, x: Any, axes: Any, keepdims: bool) -> Any:
    """Return the largest or the smallest over axes; the largest of no numbers that are not negative is 0."""
    if reduce is max and 0 in [x.shape[a] for a in as_tuple(axes)]:
        return sum(x, axis=axes, keepdims=keepdims)
    return reduce(x, axis=axes, keepdims=keepdims)


def _check_order(ord: Any, known: Sequence[Any] | None = None) -> None:
    """Raise if ``ord`` is no number, or none of those known."""
    number = isinstance(ord, (int, float, np.integer, np.floating)) and ord == ord
    if known is None and not number:
        raise ShapeError(f"norm: ord={ord!r} of vectors: a number goes here, inf and -inf too")
    if known is not None and ord not in known:
        raise ShapeError(f"norm: ord={ord!r} of matrices: choose one of {', '.join(map(repr, known))}")


MATRIX_ORDERS = ("fro", "f", "nuc", 1, -1, 2, -2, INFINITY, -INFINITY)


def _matrix_norm(x: Any, ord: Any, axes: tuple[int, int], keepdims: bool) -> Any:
    """Return a norm of the matrices that two axes hold."""
    _check_order(ord, MATRIX_ORDERS)
    if ord in ("fro", "f"):
        return euclidean_norm(x, axis=axes, keepdims=keepdims)
    rows, columns = axes
    x = moveaxis(x, axes, (-2, -1))
    if ord in ("nuc", 2, -2):
        values = svdvals(x)
        y = sum(values, axis=-1) if ord == "nuc" else _extreme(max if ord == 2 else min, values, -1, False)
    else:
        lines = sum(abs(x), axis=-2 if ord in (1, -1) else -1)
        y = _extreme(max if ord > 0 else min, lines, -1, False)
    return reshape(y, shape=_kept(x, y, rows, columns)) if keepdims else y


def _kept(x: Any, y: Any, *axes: int) -> tuple[int, ...]:
    """Return the shape of ``y`` with its reduced axes, of length one, in their places."""
    lengths = iter(y.shape)
    return tuple(1 if i in axes else next(lengths) for i in range(len(x.shape)))


def norm(x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Any:
    """Return the norm of vectors along one axis or of matrices along two, as ``np.linalg.norm``.

    Args:
        x: an array; integers count as float64.
        ord: of vectors a number p (inf, -inf and 0, the number of elements that are not 0, too), 2 by default; of
            matrices "fro", "nuc", 1, -1, 2, -2, inf or -inf, "fro" by default.
        axis: an axis, or a pair; by default all of a vector or a matrix, and of more axes if ``ord`` is None.
        keepdims: whether these axes stay, with length one.

    The derivative at 0 is 0, and so it is at elements that are 0; the largest among equals share evenly.

    Raises:
        ShapeError: There are more than two axes and an ``ord``, an axis is named twice, or there is no such ``ord``.

    >>> norm([3.0, 4.0])
    np.float64(5.0)
    >>> norm([[1.0, -2.0], [3.0, 4.0]], 1)
    np.float64(6.0)
    """
    x = as_floating(x)
    ndim = len(x.shape)
    if axis is None and ord is None:
        return euclidean_norm(x, axis=tuple(range(ndim)), keepdims=keepdims)
    axes = tuple(range(ndim)) if axis is None else normal_axes("norm", axis, ndim)
    if len(axes) == 1:
        if ord is not None:
            _check_order(ord)
        return _p_norm(x, 2 if ord is None else ord, axes, keepdims)
    if len(axes) == 2:
        return _matrix_norm(x, "fro" if ord is None else ord, (axes[0], axes[1]), keepdims)
    raise ShapeError(f"norm: {len(axes)} axes of shape {tuple(x.shape)}: a vector has one, a matrix two; name them")


def vector_norm(x: Any, *, axis: Any = None, keepdims: bool = False, ord: Any = 2) -> Any:
    """Return the norm of vectors along ``axis``, or several axes taken as one (all by default); see ``norm``."""
    x = as_floating(x)
    _check_order(ord)
    ndim = len(x.shape)
    whole = axis is None or (not ndim and axis in (0, -1))
    return _p_norm(x, ord, tuple(range(ndim)) if whole else normal_axes("vector_norm", axis, ndim), keepdims)


def matrix_norm(x: Any, *, keepdims: bool = False, ord: Any = "fro") -> Any:
    """Return the norm of the matrices that the last two axes hold; see ``norm``.

    Raises:
        ShapeError: ``x`` has fewer than two axes.
    """
    x = as_floating(x)
    if len(x.shape) < 2:
        raise ShapeError(f"matrix_norm: shape {tuple(x.shape)} is no matrix: two axes at least are needed")
    return _matrix_norm(x, "fro" if ord is None else ord, (len(x.shape) - 2, len(x.shape) - 1), keepdims)
