"""Which elements of its operands the elements of a node were computed from."""

import inspect
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinygrad_mlp.arrays import Guarded, thaw
from tinygrad_mlp.backward import contributions
from tinygrad_mlp.errors import GradientError
from tinygrad_mlp.graph import GRADIENTS, NODES, Node, recording
from tinygrad_mlp.tensors import Tensor

Array = NDArray[Any]
Mask = NDArray[np.bool_]

# Rows whose derivative at operands of ones is positive in every element that the result depends on. A linear row needs
# no such point: its derivative is the same everywhere.
SHOWN_BY_ONES = {
    "matmul", "linear", "contraction", "prod", "max", "min", "logsumexp", "cumprod", "logcumsumexp", "running_max",
    "running_min", "take_along_axis", "add_along_axis",
}  # fmt: skip


def numbers(x: Any) -> NDArray[Any]:
    """Return the numbers of a node, or of a constant operand, as an array."""
    x = x._payload if type(x) in NODES else thaw(x) if type(x) is Guarded else x
    return np.asarray(0.0 if x is None else x)


def dependence(node: Node, mask: Mask) -> list[Mask]:
    """Return for each operand of ``node`` the elements that the marked elements of the node depend on.

    Never too few; too many only where a row of the table does not tell: then all elements of an operand.

    >>> x = Tensor([[1.0, 2.0], [3.0, 4.0]])
    >>> dependence(x.sum(axis=0), np.array([True, False]))[0].tolist()
    [[True, False], [True, False]]
    """
    op, inputs = node.op, node.inputs
    shapes = [np.shape(numbers(x)) for x in inputs]
    if op.name == "where":
        chosen = np.broadcast_to(numbers(inputs[0]).astype(bool), mask.shape)
        return [summed(m, shape) for m, shape in zip((mask, mask & chosen, mask & ~chosen), shapes, strict=True)]
    if op.elementwise:
        return [summed(mask, shape) for shape in shapes]
    if op.linear or op.name in SHOWN_BY_ONES:
        return _by_the_rule(node, mask)
    if "axis" in op.param_names and mask.size:
        return [_lines(node, mask, shape) if i == 0 else np.ones(shape, bool) for i, shape in enumerate(shapes)]
    return [np.ones(shape, bool) for shape in shapes]


def summed(mask: Mask, shape: Sequence[int]) -> Mask:
    """Return the elements of an operand of ``shape`` that were broadcast to a marked element."""
    extra = mask.ndim - len(shape)
    mask = np.asarray(mask.any(axis=tuple(range(extra))))
    axes = tuple(i for i, n in enumerate(shape) if mask.shape[i] != n)
    return np.asarray(mask.any(axis=axes, keepdims=True) if axes else mask)


def slopes(node: Node, values: Sequence[Array], g: Any, wanted: Sequence[bool]) -> list[Array | None]:
    """Return what the rule of ``node`` gives for the wanted operands where the operands have other values."""
    wanted = [wants and x is not None for x, wants in zip(node.inputs, wanted, strict=True)]
    values = [x.astype(node.dtype) if type(y) is float else x for x, y in zip(values, node.inputs, strict=True)]
    leaves: list[Any] = [Tensor(x) if wants else x for x, wants in zip(values, wanted, strict=True)]
    leaves = [None if y is None else x for x, y in zip(leaves, node.inputs, strict=True)]
    with recording(GRADIENTS), np.errstate(all="ignore"):
        y = node.op.apply(tuple(leaves), dict(node.params))
        found = iter([np.asarray(c) for _, c in contributions(y, np.broadcast_to(g, y.shape).astype(y.dtype))])
    return [next(found) if wants else None for wants in wanted]


def _by_the_rule(node: Node, mask: Mask) -> list[Mask]:
    """Return where the row's own derivative, taken at operands of ones, is not 0 for a cotangent that is the mask."""
    values = [numbers(x) for x in node.inputs]
    floating = [x.dtype.kind == "f" for x in values]
    points = [np.ones(x.shape) if wants else x for x, wants in zip(values, floating, strict=True)]
    try:
        found = slopes(node, points, mask, floating)
    except GradientError:  # a row without derivatives: it is not known
        return [np.ones(x.shape, bool) for x in values]
    return [np.ones(x.shape, bool) if c is None else c != 0 for x, c in zip(values, found, strict=True)]


def _lines(node: Node, mask: Mask, shape: Sequence[int]) -> Mask:
    """Return the whole lines along the row's axis in which a marked element stands."""
    axis = node.params.get("axis", inspect.signature(node.op.forward).parameters["axis"].default)
    if axis is None:
        return np.broadcast_to(mask.any(), tuple(shape))
    if mask.ndim == len(shape):
        return np.broadcast_to(mask.any(axis=axis, keepdims=True), tuple(shape))
    return np.broadcast_to(np.expand_dims(mask, axis), tuple(shape))
