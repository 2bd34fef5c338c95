"""Reading elements at integers that may be nodes: while a function is traced, another call has others."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from tinygrad_mlp import graph
from tinygrad_mlp.errors import IndexingError, TracingError
from tinygrad_mlp.graph import NODES, TRACING, assume, user_line
from tinygrad_mlp.ops import reductions
from tinygrad_mlp.ops.comparison import clip, greater_equal, less, logical_and
from tinygrad_mlp.ops.elementwise import add, multiply, where
from tinygrad_mlp.ops.indexing import flat_unless, getitem, integers, plain_index, take_along_axis, taken
from tinygrad_mlp.ops.rounding import remainder
from tinygrad_mlp.ops.shaping import as_array, astype, broadcast_to, reshape


def read(x: Any, index: Any) -> Any:
    """Return ``x[index]``; integers among the index that are nodes of a traced function stay nodes.

    Raises:
        TracingError: A mask that is a node: how many elements it selects is not known.
        IndexingError: An index is outside.
    """
    parts = index if type(index) is tuple else (index,)
    if not graph.mode() & TRACING or not any(type(part) in NODES for part in parts):
        return getitem(x, index=plain_index(index))
    for part in parts:
        if type(part) in NODES and getattr(part.dtype, "kind", "f") not in "iu":
            raise TracingError(
                f"an index is needed while a function is traced, at {user_line()}: how many elements a mask selects is "
                "not known: use tg.where, or compute it outside"
            )
    if all(_is_integers(part) for part in parts):
        return _at(x, parts, 0)
    places = [i for i, part in enumerate(parts) if type(part) in NODES]
    rest = tuple(slice(None) if type(part) in NODES else part for part in parts)
    plain = [part for part in rest if not (isinstance(part, int | slice) or part is None or part is Ellipsis)]
    if len(places) > 1 or plain:
        raise TracingError(
            f"an index is needed while a function is traced, at {user_line()}: beside slices only one array may depend "
            "on an argument: index in two steps, or compute it outside"
        )
    place = places[0]
    before = parts[:place]
    axis = sum(part is None or isinstance(part, slice) for part in before)
    if any(part is Ellipsis for part in before):
        axis = -1 - sum(part is None or isinstance(part, slice) for part in parts[place + 1 :])
    y = getitem(x, index=rest)
    return _at(y, [parts[place]], axis % len(y.shape))


def _is_integers(part: Any) -> bool:
    """Return whether a part of an index is an array of integers, or a list of them, known or not."""
    if type(part) in NODES:
        return True
    if part is None or part is Ellipsis or isinstance(part, slice):
        return False
    return getattr(np.asarray(part).dtype, "kind", "") in "iu"


def take(x: Any, indices: Any, axis: int | None = None, mode: str = "raise") -> Any:
    """Return the elements, or the slices along ``axis``, of ``x`` at ``indices``; where one repeats, gradients add.

    Args:
        x: an array; flattened if ``axis`` is None.
        indices: integers of any shape, which stands in the place of the axis.
        axis: the axis to take from.
        mode: what becomes of an index outside: "raise", "wrap" (counted modulo the length) or "clip" (to the nearest).

    >>> take([1.0, 2.0, 3.0], [0, 4], mode="wrap")
    array([1., 2.])
    """
    if not is_traced(indices) or mode not in MODES:
        return taken(x, integers("take", indices), axis, mode)
    x, axis = flat_unless(x, axis)
    last = x.shape[axis] - 1
    if mode == "wrap" and last >= 0:
        indices = remainder(indices, last + 1)
    elif mode == "clip":
        indices = clip(indices, 0, last)
    return _at(x, [indices], axis)


MODES = ("raise", "wrap", "clip")


def is_traced(index: Any) -> bool:
    """Return whether integers are a node of a function that is being traced."""
    return bool(graph.mode() & TRACING) and type(index) in NODES and getattr(index.dtype, "kind", "f") in "iu"


def _at(x: Any, indices: Sequence[Any], axis: int) -> Any:
    """Return the elements of ``x`` at one index for each of so many axes from ``axis`` on."""
    shape = tuple(x.shape)
    lengths = shape[axis : axis + len(indices)]
    if len(lengths) < len(indices):
        raise IndexingError(f"{len(indices)} indices for an array of shape {shape}")
    place: Any = 0
    for index, n in zip(indices, lengths, strict=True):
        index = as_array(index)
        if not assume(reductions.all(logical_and(greater_equal(index, -n), less(index, n)))):
            raise IndexingError(f"an index is outside of an axis of length {n}, in an array of shape {shape}")
        index = astype(index, dtype="int64")
        place = add(multiply(place, n), where(less(index, 0), add(index, n), index))
    before, after = _size(shape[:axis]), _size(shape[axis + len(indices) :])
    rows = reshape(x, shape=(before, _size(lengths), after))
    count = _size(tuple(place.shape))
    where_to = broadcast_to(reshape(place, shape=(1, count, 1)), shape=(before, count, after))
    found = take_along_axis(rows, where_to, axis=1)
    return reshape(found, shape=(*shape[:axis], *place.shape, *shape[axis + len(indices) :]))


def _size(shape: Sequence[int]) -> int:
    n = 1
    for length in shape:
        n *= length
    return n
