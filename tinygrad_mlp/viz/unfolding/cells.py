"""Arrays of single numbers: each cell is a Value, which records what is computed from it, or a plain number."""

import math
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

from tinygrad_mlp import ops
from tinygrad_mlp.graph import NODES
from tinygrad_mlp.table import Op
from tinygrad_mlp.tensors.protocols import UFUNCS

LOGIC: dict[Any, Op] = {
    np.bitwise_and: ops.logical_and,
    np.bitwise_or: ops.logical_or,
    np.bitwise_xor: ops.logical_xor,
    np.invert: ops.logical_not,
}


class NotUnfolded(AttributeError):
    """What a forward rule wants cannot be done number by number; it may ask with hasattr what there is."""


class Cells(NDArrayOperatorsMixin):
    """An array whose elements are numbers, nodes among them; operators act number by number.

    Attributes:
        grid: the numbers, an object array.
    """

    __slots__ = ("grid",)
    __hash__ = object.__hash__

    def __init__(self, grid: Any) -> None:
        """Take an object array."""
        self.grid = grid

    @property
    def shape(self) -> tuple[int, ...]:
        """The lengths of the axes."""
        return self.grid.shape  # type: ignore[no-any-return]

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return self.grid.ndim  # type: ignore[no-any-return]

    @property
    def size(self) -> int:
        """The number of elements."""
        return self.grid.size  # type: ignore[no-any-return]

    @property
    def T(self) -> "Cells":  # noqa: N802  (NumPy's name)
        """The axes in reverse order."""
        return Cells(self.grid.T)

    @property
    def flat(self) -> list[Any]:
        """The numbers in C order."""
        return [self.grid[index] for index in np.ndindex(self.shape)]

    @property
    def dtype(self) -> Any:
        """Bool or integer if all elements are, else float64."""
        kinds = {type(x) for x in self.flat}
        return np.dtype(bool if kinds == {bool} else np.int64 if kinds and kinds <= {bool, int} else np.float64)

    @property
    def numbers(self) -> Any:
        """The values as an array of numbers."""
        return np.array([x._payload if type(x) in NODES else x for x in self.flat], self.dtype).reshape(self.shape)

    def __getitem__(self, index: Any) -> "Cells":
        parts = index if type(index) is tuple else (index,)
        found = self.grid[tuple(x.numbers if type(x) is Cells else x for x in parts)]
        return Cells(found if type(found) is np.ndarray else filled((), [found]))

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        op = LOGIC.get(ufunc) or UFUNCS.get(ufunc)
        if ufunc is np.positive:
            return self
        if method != "__call__" or kwargs or not isinstance(op, Op) or not op.elementwise:
            raise NotUnfolded(f"no row does what {ufunc.__name__} does")
        return each(op, *inputs)


def filled(shape: tuple[int, ...], flat: Iterable[Any]) -> Any:
    """Return an object array of numbers in C order."""
    grid = np.empty(shape, object)
    for index, x in zip(np.ndindex(shape), flat, strict=True):
        grid[index] = x
    return grid


def cells(x: Any) -> Cells:
    """Return an array or a number as cells."""
    if type(x) is Cells:
        return x
    if type(x) in NODES or x is None:
        return Cells(filled((), [x]))
    array = np.asarray(x)
    return Cells(filled(array.shape, array.ravel().tolist()))


def each(op: Op, *xs: Any, **params: Any) -> Cells:
    """Return what an elementwise op gives number by number; the operands broadcast."""
    if not op.scalars:
        raise NotUnfolded(f"{op.name} does not run on single numbers")
    grids = [cells(x).grid for x in xs]
    shape = np.broadcast_shapes(*(grid.shape for grid in grids))
    flats = [Cells(np.broadcast_to(grid, shape)).flat for grid in grids]
    return Cells(filled(shape, [number_of(op, row, params) for row in zip(*flats, strict=True)]))


def number_of(op: Op, row: tuple[Any, ...], params: dict[str, Any]) -> Any:
    """Return what an op gives for numbers: a node if it is to be recorded, else a number."""
    y = op(list(row), **params) if op.arity is None else op(*row, **params)
    if type(y) in NODES and y.op is None:
        y = y._payload
    return y.item() if isinstance(y, np.generic | np.ndarray) else y


def reduced(f: Callable[[Any, Any], Any], x: Cells, axis: Any, keepdims: bool, empty: Any = None) -> Cells:
    """Return ``f`` applied to all elements over ``axis``, one after the other; ``empty`` where there are none."""
    axes = range(x.ndim) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    gone = {a % x.ndim for a in axes} if x.ndim else set()
    kept = [i for i in range(x.ndim) if i not in gone]
    shape = tuple(x.shape[i] for i in kept)
    lines = x.grid.transpose(*kept, *sorted(gone)).reshape(*shape, math.prod(x.shape[i] for i in gone))
    found = []
    for index in np.ndindex(shape):
        line = iter(Cells(lines[index]).flat)
        total = next(line, empty)
        for item in line:
            total = f(total, item)
        found.append(total)
    wide = tuple(1 if i in gone else n for i, n in enumerate(x.shape))
    return Cells(filled(wide if keepdims else shape, found))
