"""The functions of the array API on cells: what a forward rule calls when its op is taken apart."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from functools import partial
from typing import Any

import numpy as np

from tinygrad_mlp import ops
from tinygrad_mlp.arrays import NUMPY, Namespace
from tinygrad_mlp.rewrite.lowering import ROWS
from tinygrad_mlp.table import Op

from .cells import Cells, NotUnfolded, cells, each, filled, number_of, reduced


class Functions:
    """A namespace of cells.

    Args:
        shifts: take a maximum or minimum as a constant. It is one where it is only subtracted, against overflow: the
            result does not depend on it, and the exponentials of a softmax are then a subtraction and ``exp``.
    """

    apply = None
    recurrence: Any = Namespace.recurrence  # written with the functions below
    accumulate: Any = Namespace.accumulate
    sum_to: Any = Namespace.sum_to

    def __init__(self, shifts: bool) -> None:
        """Keep the choice."""
        self.shifts = shifts

    def __getattr__(self, name: str) -> Any:
        """Return the function of that name, number by number; a dtype as it is."""
        row = ROWS.get(name)
        if row is not None and row.elementwise:
            return partial(each, row)
        found = getattr(np, name, None)
        if isinstance(found, type | float):
            return found
        raise NotUnfolded(f"it takes {name}, which is not done number by number")

    # -- what arrays are

    def quiet(self) -> AbstractContextManager[Any]:
        """Return a context in which an overflow does not warn."""
        return np.errstate(all="ignore")

    def isdtype(self, dtype: Any, kind: Any) -> Any:
        """Return whether a dtype is of a kind."""
        return NUMPY.isdtype(dtype, kind)

    def result_type(self, *xs: Any) -> Any:
        """Return the dtype of a result of all operands."""
        return np.result_type(*(x.dtype for x in xs))

    def finfo(self, dtype: Any) -> Any:
        """Return the limits of a dtype."""
        return np.finfo(dtype)

    def asarray(self, x: Any, dtype: Any = None, copy: bool | None = None) -> Cells:  # noqa: ARG002  (the standard's)
        """Return ``x`` as cells."""
        return cells(x) if dtype is None else self.astype(cells(x), dtype)

    def astype(self, x: Cells, dtype: Any) -> Cells:
        """Return plain numbers in another kind; nodes are floats and stay so."""
        kind = np.dtype(dtype)
        if kind.kind == "f":
            return Cells(filled(x.shape, [float(v) if type(v) in (bool, int) else v for v in x.flat]))
        if kind != x.dtype and any(type(v) not in (bool, int, float) for v in x.flat):
            raise NotUnfolded("it rounds numbers to integers")
        return cells(x.numbers.astype(kind))

    def full_like(self, x: Cells, value: Any) -> Cells:
        """Return an array of one value."""
        return cells(np.full(x.shape, value, x.dtype))

    def zeros_like(self, x: Cells) -> Cells:
        """Return zeros."""
        return self.full_like(x, 0)

    def ones_like(self, x: Cells) -> Cells:
        """Return ones."""
        return self.full_like(x, 1)

    def zeros(self, shape: Any, dtype: Any = None) -> Cells:
        """Return zeros."""
        return cells(np.zeros(shape, dtype))

    def ones(self, shape: Any, dtype: Any = None) -> Cells:
        """Return ones."""
        return cells(np.ones(shape, dtype))

    def arange(self, n: int) -> Any:
        """Return the integers below ``n``."""
        return np.arange(n)

    # -- what moves elements: no node is made

    def reshape(self, x: Any, shape: Any) -> Cells:
        """Return ``x`` in another shape."""
        return Cells(cells(x).grid.reshape(shape))

    def permute_dims(self, x: Cells, axes: Any) -> Cells:
        """Return ``x`` with its axes in another order."""
        return Cells(x.grid.transpose(axes))

    def moveaxis(self, x: Cells, source: int, destination: int) -> Cells:
        """Return ``x`` with one axis elsewhere."""
        return Cells(np.moveaxis(x.grid, source, destination))

    def matrix_transpose(self, x: Cells) -> Cells:
        """Return ``x`` with its last two axes exchanged."""
        return Cells(np.swapaxes(x.grid, -1, -2))

    def expand_dims(self, x: Cells, axis: int) -> Cells:
        """Return ``x`` with a new axis."""
        return Cells(np.expand_dims(x.grid, axis))

    def broadcast_to(self, x: Any, shape: Any) -> Cells:
        """Return ``x`` repeated."""
        return Cells(np.broadcast_to(cells(x).grid, shape))

    def concat(self, xs: Sequence[Cells], axis: int | None = 0) -> Cells:
        """Return arrays joined along an axis."""
        return Cells(np.concatenate([cells(x).grid for x in xs], axis=axis))

    def stack(self, xs: Sequence[Cells], axis: int = 0) -> Cells:
        """Return arrays joined along a new axis."""
        return Cells(np.stack([cells(x).grid for x in xs], axis=axis))

    def take(self, x: Cells, indices: Any, axis: int) -> Cells:
        """Return slices of ``x`` along an axis."""
        return Cells(np.take(x.grid, cells(indices).numbers, axis=axis))

    def take_along_axis(self, x: Cells, indices: Any, axis: int) -> Cells:
        """Return the elements of ``x`` at indices along an axis."""
        return Cells(np.take_along_axis(x.grid, cells(indices).numbers, axis))

    def sort(self, x: Cells, axis: int = -1) -> Cells:
        """Return ``x`` in the order of its values along an axis."""
        return Cells(np.take_along_axis(x.grid, self.argsort(x, axis), axis))

    def argsort(self, x: Cells, axis: int = -1, stable: bool = True) -> Any:  # noqa: ARG002  (it is)
        """Return where the elements of ``x`` stand in the order of their values."""
        return np.argsort(x.numbers, axis=axis, kind="stable")

    def scatter(self, values: Any, shape: tuple[int, ...], index: Any) -> Cells:
        """Return zeros with ``values`` added at an index."""
        parts = index if type(index) is tuple else (index,)
        plain = tuple(x.numbers if type(x) is Cells else x for x in parts)
        places = np.arange(int(np.prod(shape))).reshape(shape)[plain]
        given = self.broadcast_to(values, np.shape(places)).flat
        found: list[Any] = [0.0] * int(np.prod(shape))
        empty = [True] * len(found)
        for at, x in zip(np.ravel(places).tolist(), given, strict=True):
            found[at] = x if empty[at] else number_of(ops.add, (found[at], x), {})
            empty[at] = False
        return Cells(filled(shape, found))

    # -- what combines elements

    def where(self, condition: Any, a: Any, b: Any) -> Cells:
        """Return ``a`` where the condition holds, else ``b``: what is not chosen is left out."""
        chosen = cells(condition).numbers.astype(bool)
        shape = np.broadcast_shapes(chosen.shape, cells(a).shape, cells(b).shape)
        rows = zip(
            np.broadcast_to(chosen, shape).ravel().tolist(),
            self.broadcast_to(a, shape).flat,
            self.broadcast_to(b, shape).flat,
            strict=True,
        )
        return Cells(filled(shape, [x if holds else y for holds, x, y in rows]))

    def matmul(self, a: Cells, b: Cells) -> Cells:
        """Return the product of matrices: every product of numbers, and their sums."""
        left = a if a.ndim > 1 else Cells(a.grid[None, :])
        right = b if b.ndim > 1 else Cells(b.grid[:, None])
        products = each(ops.multiply, Cells(left.grid[..., :, :, None]), Cells(right.grid[..., None, :, :]))
        y = self.sum(products, axis=-2).grid
        y = y if a.ndim > 1 else y[..., 0, :]
        y = y if b.ndim > 1 else y[..., 0]
        return Cells(y if type(y) is np.ndarray else filled((), [y]))

    def sum_product(self, weights: Any, x: Any) -> Cells:
        """Return the sum of ``weights * x``; what has no weight is left out."""
        pairs = zip(cells(weights).flat, cells(x).flat, strict=True)
        terms = [number_of(ops.multiply, pair, {}) for pair in pairs if type(pair[0]) is not float or pair[0] != 0]
        return self.sum(Cells(filled((len(terms),), terms)))

    def _folded(self, op: Op, x: Any, axis: Any, keepdims: bool, empty: Any = None) -> Cells:
        return reduced(lambda a, b: number_of(op, (a, b), {}), cells(x), axis, keepdims, empty)

    def _plainly(self, f: Callable[..., Any], x: Any, axis: Any, keepdims: bool) -> Cells:
        return cells(f(cells(x).numbers, axis=axis, keepdims=keepdims))

    def sum(self, x: Any, axis: Any = None, keepdims: bool = False) -> Cells:
        """Return the sum over axes: one addition after the other."""
        return self._folded(ops.add, x, axis, keepdims, 0.0)

    def prod(self, x: Any, axis: Any = None, keepdims: bool = False) -> Cells:
        """Return the product over axes."""
        return self._folded(ops.multiply, x, axis, keepdims, 1.0)

    def max(self, x: Any, axis: Any = None, keepdims: bool = False) -> Cells:
        """Return the maximum over axes."""
        if self.shifts:
            return self._plainly(np.max, x, axis, keepdims)
        return self._folded(ops.maximum, x, axis, keepdims)

    def min(self, x: Any, axis: Any = None, keepdims: bool = False) -> Cells:
        """Return the minimum over axes."""
        if self.shifts:
            return self._plainly(np.min, x, axis, keepdims)
        return self._folded(ops.minimum, x, axis, keepdims)

    def any(self, x: Any, axis: Any = None, keepdims: bool = False) -> Cells:
        """Return whether an element is nonzero."""
        return self._plainly(np.any, x, axis, keepdims)

    def all(self, x: Any, axis: Any = None, keepdims: bool = False) -> Cells:
        """Return whether all elements are nonzero."""
        return self._plainly(np.all, x, axis, keepdims)

    def mean(self, x: Any, axis: Any = None, keepdims: bool = False) -> Cells:
        """Return the mean over axes: the sum divided by the number of elements."""
        x = cells(x)
        total = self.sum(x, axis, keepdims)
        return each(ops.divide, total, float(x.size // max(total.size, 1)))

    def var(self, x: Cells, axis: Any = None, correction: float = 0, keepdims: bool = False) -> Cells:
        """Return the variance over axes."""
        away = each(ops.subtract, x, self.mean(x, axis, True))
        total = self.sum(each(ops.square, away), axis, keepdims)
        return each(ops.divide, total, float(max(x.size // max(total.size, 1) - correction, 0)))

    def std(self, x: Cells, axis: Any = None, correction: float = 0, keepdims: bool = False) -> Cells:
        """Return the standard deviation over axes."""
        return each(ops.sqrt, self.var(x, axis, correction, keepdims))

    def cumulative_sum(self, x: Cells, axis: int) -> Cells:
        """Return the sums up to each element."""
        return self.accumulate("add", x, axis)  # type: ignore[no-any-return]

    def cumulative_prod(self, x: Cells, axis: int) -> Cells:
        """Return the products up to each element."""
        return self.accumulate("multiply", x, axis)  # type: ignore[no-any-return]
