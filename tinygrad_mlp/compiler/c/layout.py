"""Where the elements of a term lie: in the memory of another one, if the term is a view of it."""

from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided

from tinygrad_mlp import ops
from tinygrad_mlp.rewrite import Term

VIEWS = (ops.transpose, ops.reshape, ops.broadcast_to, ops.getitem)
_SPOT = np.zeros(1, np.int8)
_START = int(_SPOT.__array_interface__["data"][0])


class Layout:
    """The memory of a term.

    Attributes:
        base: The term that owns it; its elements lie there in C order.
        offset, strides: Of the first element, and from one to the next along each axis, in elements.
    """

    def __init__(self, base: Term, shape: tuple[int, ...], offset: int, strides: tuple[int, ...]) -> None:
        """Take what the attributes say."""
        self.base = base
        self.shape = shape
        self.offset = offset
        self.strides = strides


def is_basic(index: Any) -> bool:
    """Return whether an index gives a view."""
    parts = index if type(index) is tuple else (index,)
    return all(part is None or part is Ellipsis or type(part) in (int, slice) for part in parts)


def is_view(term: Term) -> bool:
    """Return whether a term is an array in another one's memory."""
    return layout(term).base is not term


def layout(term: Term) -> Layout:
    """Return where the elements of a term lie."""
    found = _view(term)
    if found is not None:
        return found
    strides, n = [], 1
    for length in reversed(term.shape):
        strides.append(n)
        n *= length
    return Layout(term, term.shape, 0, tuple(strides[::-1]))


def _view(term: Term) -> Layout | None:
    if term.op not in VIEWS or term.is_number or (term.op is ops.getitem and not is_basic(term.params["index"])):
        return None
    x = term.inputs[0]
    if x.is_number or x.is_constant or not term.size:
        return None
    source = layout(x)
    y = apply_view(term, as_strided(_SPOT, source.shape, source.strides))  # it is never read
    if y is None:
        return None
    offset = source.offset + int(y.__array_interface__["data"][0]) - _START
    return Layout(source.base, term.shape, offset, y.strides)


def apply_view(term: Term, x: Any) -> Any:
    """Return the view that a term stands for of any array; None if that needs a copy."""
    if term.op is ops.transpose:
        axes = term.params.get("axes")
        return x.transpose(axes if axes is not None else tuple(range(x.ndim))[::-1])
    if term.op is ops.broadcast_to:
        return np.broadcast_to(x, term.shape)
    if term.op is ops.getitem:
        y = x[term.params["index"]]
        return y if isinstance(y, np.ndarray) else None
    try:
        return np.reshape(x, term.shape, copy=False)
    except ValueError:
        return None
