"""Placing: along which axes of a term a loop runs, and which of its elements are written out one by one."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.lib.stride_tricks import as_strided

from tinygrad_mlp import ops
from tinygrad_mlp.rewrite import DOT, SUM_PRODUCT, Term

from .elements import FLOATS, c_type, is_element
from .layout import VIEWS, apply_view, is_basic, layout

REDUCTIONS = frozenset((ops.sum, ops.prod, ops.max, ops.min, ops.any, ops.all))
PRODUCTS = (DOT, SUM_PRODUCT)
LANE = -1  # what is written out
Dims = tuple[int, ...]  # for each axis of a term the loop that runs along it, or LANE
_SPOT = np.zeros(1, np.int8)


class Space:
    """Loops, one in the other, the innermost of which is vectorised.

    Attributes:
        lengths: Of the loops. There may be none.
        flat: Whether the one loop runs over all elements of terms of one shape.
        dims: By ``id`` of each term that is computed in the loops.
    """

    def __init__(self, lengths: Sequence[int], shape: tuple[int, ...], dims: Dims, flat: bool = False) -> None:
        """Take the loops, and how they run through a shape, which is where to look for them in other shapes."""
        self.lengths = tuple(lengths)
        self.flat = flat
        self.shape = shape
        self.pattern = dims
        self.dims: dict[int, Dims] = {}
        self.size = int(np.prod(shape, dtype=int))

    def lanes(self, shape: tuple[int, ...], dims: Dims) -> int:
        """Return how many elements of a term are written out."""
        n = 1
        for length, d in zip(shape, dims, strict=True):
            n *= length if d == LANE else 1
        return n

    def covers(self, dims: Dims) -> bool:
        """Return whether every loop runs along an axis, and none along two."""
        if self.flat:
            return bool(dims)
        found = [d for d in dims if d != LANE]
        return len(found) == len(set(found)) == len(self.lengths)

    def guess(self, shape: tuple[int, ...], known: Sequence[int | None] = ()) -> Dims | None:
        """Return how the loops run through a shape; None if they do not."""
        if self.flat:
            return (0,) * len(shape) if shape == self.shape else None
        dims = list(known) or [None] * len(shape)
        for axis, length in enumerate(self.lengths):
            if axis in dims:
                continue
            free = [i for i, d in enumerate(dims) if d is None and shape[i] == length]
            usual = [i for i in free if self._usual(i - len(shape)) == axis]
            if not free or (not usual and len(self.lengths) > 1):  # else one would be read across its rows
                return None
            dims[(usual or free)[0]] = axis
        found = tuple(LANE if d is None else d for d in dims)
        return found if self.covers(found) else None

    def _usual(self, i: int) -> int:
        return self.pattern[i] if -i <= len(self.pattern) else LANE

    def of(self, x: Term) -> Dims | None:
        """Return the place of an operand by itself."""
        return self.dims[id(x)] if id(x) in self.dims else self.guess(x.shape)

    def is_loadable(self, x: Term, dims: Dims) -> bool:
        """Return whether an operand from outside can be read at a place."""
        if not self.flat or all(d == LANE for d in dims):
            return True
        if x.size != self.size:
            return False
        found = layout(x)
        n, natural = 1, []
        for length in reversed(x.shape):
            natural.append(n)
            n *= length
        return all(s == t or m == 1 for s, t, m in zip(found.strides, natural[::-1], x.shape, strict=True))


Placed = tuple[Dims, list[Dims]]  # of the result, and of the operands


def place(space: Space, term: Term) -> Placed | None:
    """Return how a term and its operands lie in loops; None if it cannot be computed there."""
    placer = _placer(term)
    placed = placer(space, term) if placer is not None else None
    if placed is None:
        return None
    for x, dims in zip(term.inputs, placed[1], strict=True):
        if space.dims.get(id(x), dims) != dims or (id(x) not in space.dims and not space.is_loadable(x, dims)):
            return None
    return placed


def _placer(term: Term) -> Callable[[Space, Term], Placed | None] | None:
    if is_element(term):
        return _elementwise
    if term.op in REDUCTIONS:
        return _reduction
    if term.op in PRODUCTS:
        return _product
    if term.op is ops.matmul:
        return _matmul
    return _viewed if term.op in VIEWS else None


def is_computed(term: Term) -> bool:
    """Return whether C computes a term, in loops of some kind."""
    if term.op is None or term.op.random or not term.size or c_type(term) is None:
        return False
    if any(x is None or not x.size or c_type(x) is None for x in term.inputs):
        return False
    if is_element(term):
        return True
    kinds = {c_type(x) for x in term.inputs}
    if term.op in REDUCTIONS:
        return term.inputs[0].ndim > 0 and _has_reduction(term, kinds.pop())
    if term.op in PRODUCTS:
        return len({x.shape for x in term.inputs}) == 1 and len(kinds | {c_type(term)}) == 1 and kinds.pop() in FLOATS
    if term.op is ops.matmul:
        return len(kinds) == 1 and kinds.pop() in FLOATS and all(x.ndim in (1, 2) for x in term.inputs)
    return False


def _has_reduction(term: Term, kind: str | None) -> bool:
    if term.op in (ops.any, ops.all):
        return True
    return (
        kind in FLOATS or (kind == "int64_t" and term.op is not ops.prod) or (term.op is ops.sum and kind == "uint8_t")
    )


def _elementwise(space: Space, term: Term) -> Placed | None:
    n = term.ndim
    known: list[int | None] = [None] * n
    for x in term.inputs:
        for i, d in enumerate(space.dims.get(id(x), ())):
            at = i + n - x.ndim
            if x.shape[i] > 1 and known[at] not in (None, d):
                return None
            if x.shape[i] > 1:
                known[at] = d
    if space.flat and 0 in known:
        known = [0] * n
    dims = _completed(space, term.shape, known)
    return None if dims is None else (dims, [_broadcast(x, dims) for x in term.inputs])


def _completed(space: Space, shape: tuple[int, ...], known: list[int | None]) -> Dims | None:
    """Return the place of a result of which some axes are known."""
    if space.flat:
        same = int(np.prod(shape, dtype=int)) == space.size
        return (0,) * len(shape) if shape == space.shape or (same and 0 in known) else None
    found = [d for d in known if d is not None and d != LANE]
    if len(found) == len(space.lengths):
        dims = tuple(LANE if d is None else d for d in known)
        return dims if space.covers(dims) else None
    return space.guess(shape, known)


def _broadcast(x: Term, dims: Dims) -> Dims:
    """Return the place of an operand that is broadcast to a result."""
    extra = len(dims) - x.ndim
    if dims and set(dims) == {0} and len(dims) > 1 and x.size == 1:  # a flat loop, or one axis
        return (LANE,) * x.ndim
    return tuple(dims[i + extra] if n > 1 or _is_flat(dims) else LANE for i, n in enumerate(x.shape))


def _is_flat(dims: Dims) -> bool:
    return len(dims) > 1 and set(dims) == {0}


def _reduction(space: Space, term: Term) -> Placed | None:
    (x,) = term.inputs
    dims = space.of(x)
    if dims is None or not space.covers(dims):
        return None
    reduced = ops.reductions.reduced_axes(term.params.get("axis"), x.ndim)
    if space.flat and len(reduced) != x.ndim:
        return None
    if term.params.get("keepdims"):
        return tuple(LANE if i in reduced else d for i, d in enumerate(dims)), [dims]
    return tuple(d for i, d in enumerate(dims) if i not in reduced), [dims]


def _product(space: Space, term: Term) -> Placed | None:
    places = [space.of(x) for x in term.inputs]
    dims = next((space.dims[id(x)] for x in term.inputs if id(x) in space.dims), places[0])
    return None if dims is None or not space.covers(dims) else ((), [dims, dims])


def matrix_axes(term: Term) -> tuple[tuple[int, int], tuple[int, int]]:
    """Return the lengths of the rows and columns of the operands of a product; a vector is a row, then a column."""
    a, b = term.inputs
    left = a.shape if a.ndim == 2 else (1, *a.shape)
    right = b.shape if b.ndim == 2 else (*b.shape, 1)
    return (left[0], left[1]), (right[0], right[1])


def _matmul(space: Space, term: Term) -> Placed | None:
    if space.flat or len(space.lengths) > 1:
        return None
    a, b = term.inputs
    (m, k), (_, n) = matrix_axes(term)
    along: list[int | None] = [None, None, None]  # m, k, n
    for x, places in ((a, (0, 1) if a.ndim == 2 else (1,)), (b, (1, 2) if b.ndim == 2 else (1,))):
        for i, d in zip(places, space.dims.get(id(x), ()), strict=False):
            if along[i] not in (None, d):
                return None
            along[i] = d
    dims = _completed(space, (m, k, n), along)
    if dims is None:
        return None
    rows, inner, columns = dims
    left = (rows, inner) if a.ndim == 2 else (inner,)
    right = (inner, columns) if b.ndim == 2 else (inner,)
    return (*left[:-1], *right[1:]), [left, right]


def _viewed(space: Space, term: Term) -> Placed | None:
    (x,) = term.inputs
    dims = space.dims.get(id(x))
    if dims is None or (term.op is ops.getitem and not is_basic(term.params["index"])):
        return None
    if space.flat:
        return ((0,) * term.ndim, [dims]) if term.op is ops.reshape and term.ndim else None
    if term.op is ops.reshape:
        moved = _reshaped(x.shape, term.shape, dims)
    else:
        moved = [LANE] * term.ndim
        for axis in range(len(space.lengths)):
            y = apply_view(term, as_strided(_SPOT, x.shape, [int(d == axis) for d in dims]))
            at = (
                [i for i, s in enumerate(y.strides) if s == 1 and y.shape[i] == space.lengths[axis]]
                if y is not None
                else []
            )
            if len(at) == 1:
                moved[at[0]] = axis
    found = tuple(moved)
    return (found, [dims]) if len(found) == term.ndim and space.covers(found) else None


def _reshaped(shape: tuple[int, ...], new: tuple[int, ...], dims: Dims) -> list[int]:
    """Return where the loops run after a reshaping: where as many elements come before and after."""
    moved = [LANE] * len(new)
    for i, d in enumerate(dims):
        if d != LANE:
            before = int(np.prod(shape[:i], dtype=int))
            for j, n in enumerate(new):
                if n == shape[i] and int(np.prod(new[:j], dtype=int)) == before and moved[j] == LANE:
                    moved[j] = d
                    break
    return moved
