"""Rules about shapes: axes that move, are summed or repeated. None changes a number, except by the order of a sum."""

from typing import Any

import numpy as np

from tinygrad_mlp import ops

from .ruling import ELEMENTWISE, is_, rule
from .terms import Program, Term


@rule("same shape", ops.reshape, kind="form")
def _reshape(program: Program, x: Term, shape: Any) -> Any:
    """Of changes of shape in a row only the last counts."""
    wanted = _full_shape(x, ops.shaping.as_tuple(shape))
    if wanted == x.shape and not x.is_number:
        return x
    if is_(x, ops.reshape):
        return program.put(ops.reshape, x.inputs, {"shape": wanted})
    return None if wanted == shape else program.put(ops.reshape, (x,), {"shape": wanted})


def _full_shape(x: Term, shape: Any) -> tuple[int, ...]:
    """Return a shape without -1."""
    if -1 not in shape:
        return tuple(shape)
    rest = 1
    for n in shape:
        rest *= n if n != -1 else 1
    return tuple(x.size // rest if n == -1 else n for n in shape)


@rule("sums that keep their axes", ops.reshape)
def _kept(program: Program, x: Term, shape: Any) -> Any:
    """A sum whose axes come back with length 1, or go, is a sum that keeps them, or does not."""
    if not is_(x, ops.sum, ops.max, ops.min) or type(x.params.get("axis")) is not tuple:
        return None
    y, axes = x.inputs[0], x.params["axis"]
    kept = tuple(1 if i in axes else n for i, n in enumerate(y.shape))
    gone = tuple(n for i, n in enumerate(y.shape) if i not in axes)
    if y.is_number or tuple(shape) not in (kept, gone):
        return None
    return program.put(x.op, x.inputs, {"axis": axes, "keepdims": tuple(shape) == kept})


@rule("axes that stay", ops.transpose, kind="form")
def _transpose(program: Program, x: Term, axes: Any = None) -> Any:
    """Of transposes in a row one is left, or none."""
    order = tuple(range(x.ndim))[::-1] if axes is None else tuple(a % x.ndim for a in ops.shaping.as_tuple(axes))
    if order == tuple(range(x.ndim)):
        return x
    if is_(x, ops.transpose):
        inner = x.params["axes"]
        return program.put(ops.transpose, x.inputs, {"axes": tuple(inner[i] for i in order)})
    return None if axes == order else program.put(ops.transpose, (x,), {"axes": order})


@rule("transposes after the operation", *ELEMENTWISE)
def _transposed_after(program: Program, *inputs: Any, **params: Any) -> Any:
    """``Aᵀ + Bᵀ`` is ``(A + B)ᵀ``, and ``Aᵀ / r`` for a row r is ``(A / rᵀ)ᵀ``: transposes meet, and cancel."""
    op = program.calling
    turned = [x for x in inputs if is_(x, ops.transpose) and x.params.get("axes") == (1, 0)]
    if not turned:
        return None
    shape, others = turned[0].shape, []
    for x in inputs:
        if any(x is y for y in turned) and x.shape == shape:
            others.append(x.inputs[0])
        elif x is None or not x.ndim:
            others.append(x)
        elif x.ndim == 1 and x.shape == shape[1:]:
            others.append(program.make(ops.reshape, x, shape=(shape[1], 1)))
        else:
            return None
    return program.make(ops.transpose, program.put(op, tuple(others), params), axes=(1, 0))


@rule("sum of a transpose", ops.sum)
def _sum_of_transpose(program: Program, x: Term, axis: Any = None, keepdims: bool = False) -> Any:
    """The sum of a transpose over its columns is the sum of the original over its rows."""
    order: Any = x.params.get("axes") if is_(x, ops.transpose) else None
    if order is None or type(axis) is not tuple or (keepdims and len(axis) != x.ndim):
        return None
    kept = [order[i] for i in range(x.ndim) if i not in axis]
    if kept != sorted(kept):
        return None
    axes = tuple(sorted(order[i] for i in axis))
    return program.put(ops.sum, x.inputs, {"axis": axes, "keepdims": keepdims})


@rule("one name for moves of axes", ops.swapaxes, kind="form")
def _swapaxes(program: Program, x: Term, axis1: int, axis2: int) -> Any:
    """An exchange of two axes is a transpose."""
    order = list(range(x.ndim))
    order[axis1], order[axis2] = order[axis2], order[axis1]
    return program.put(ops.transpose, (x,), {"axes": tuple(order)})


@rule("one name for changes of shape", ops.expand_dims, ops.squeeze, kind="form")
def _reshaped(program: Program, x: Term, axis: Any = None) -> Any:
    """Axes of length 1 that come or go are a change of shape."""
    y = program.calling.forward(np, np.broadcast_to(np.zeros(()), x.shape), axis=axis)
    return program.put(ops.reshape, (x,), {"shape": y.shape})


@rule("indices that only add axes", ops.getitem, ops.scatter)
def _new_axes(program: Program, x: Term, *more: Term, index: Any, shape: Any = None) -> Any:
    """An index such as ``[:, None]`` is a change of shape."""
    parts = index if type(index) is tuple else (index,)
    if more or x.is_number or any(part is not None and part is not Ellipsis and not _is_whole(part) for part in parts):
        return None
    wanted = np.broadcast_to(np.zeros(()), x.shape)[index].shape if shape is None else shape
    return program.put(ops.reshape, (x,), {"shape": tuple(wanted)})


def _is_whole(part: Any) -> bool:
    return type(part) is slice and part == slice(None)


@rule("broadcasting to the same shape", ops.broadcast_to)
def _broadcast(program: Program, x: Term, shape: Any) -> Any:
    """Of repetitions in a row only the last counts."""
    wanted = ops.shaping.as_tuple(shape)
    if wanted == x.shape and not x.is_number:
        return x
    if is_(x, ops.broadcast_to):
        return program.put(ops.broadcast_to, x.inputs, {"shape": wanted})
    if x.is_constant and not x.is_number:
        return program.constant(np.broadcast_to(x.value, wanted))
    return None


@rule("sums to a shape are sums", ops.sum_to)
def _sum_to(program: Program, x: Term, shape: Any) -> Any:
    """What undoes broadcasting is a sum over the axes that were repeated."""
    shape = tuple(shape)
    extra = x.ndim - len(shape)
    axes = tuple(i for i, n in enumerate(x.shape) if i < extra or shape[i - extra] != n)
    if x.is_number:
        return None
    if not axes:
        return x
    total = program.put(ops.sum, (x,), {"axis": axes, "keepdims": not extra})
    return program.put(ops.reshape, (total,), {"shape": shape})


@rule("axes from the front", ops.sum, ops.max, ops.min, ops.prod, ops.any, ops.all, kind="form")
def _axes(program: Program, x: Term, axis: Any = None, keepdims: bool = False) -> Any:
    """The axes of a reduction are a sorted tuple of numbers from 0."""
    axes = ops.reductions.reduced_axes(axis, x.ndim)
    wanted = tuple(sorted(axes))
    if type(axis) is tuple and axis == wanted and type(keepdims) is bool:
        return None
    return program.put(program.calling, (x,), {"axis": wanted, "keepdims": bool(keepdims)})


@rule("same dtype", ops.astype)
def _astype(_program: Program, x: Term, dtype: Any) -> Any:
    """An array in the dtype that it has is that array."""
    return x if not x.is_number and x.dtype == np.dtype(dtype) else None
