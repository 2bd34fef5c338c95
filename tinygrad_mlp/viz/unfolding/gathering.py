"""Between tensors and their elements: names of elements, one element as a node, an array of nodes as a tensor."""

from typing import Any

import numpy as np

from tinygrad_mlp.graph import GRADIENTS, Meta, Node, recording, wrap
from tinygrad_mlp.ops import getitem
from tinygrad_mlp.table import Op, defvjp_argnum
from tinygrad_mlp.viz.labels import subscript

from .cells import Cells

SMALL = 9  # lengths up to which an index is one digit


@Op
def elements(xp: Any, *numbers: Any, shape: tuple[int, ...]) -> Any:
    """Return the array of these numbers, in C order; in pictures only, so no row of the table."""
    return xp.reshape(xp.stack(numbers), shape)


defvjp_argnum(elements, lambda i, g, _y, *_numbers, **_: g.reshape(-1)[i])


def element_name(name: str, index: tuple[int, ...], shape: tuple[int, ...]) -> str:
    """Return what an element is called: ``W₁₂`` counted from 1, as in formulas, or ``W[0, 11]``, as in Python.

    Subscripts serve vectors and matrices with at most nine rows and columns.

    >>> element_name("W", (0, 1), (2, 3)), element_name("W", (0, 1), (2, 30)), element_name("b", (), ())
    ('W₁₂', 'W[0, 1]', 'b')
    """
    if not name or not shape:
        return name
    if len(shape) <= 2 and max(shape) <= SMALL:
        return name + "".join(subscript(i + 1) for i in index)
    return f"{name}[{', '.join(map(str, index))}]"


def leaf_cell(x: float, name: str, like: Node | None, grad: Any) -> Any:
    """Return a leaf that stands for an element of the leaf ``like``, or of a constant."""
    node = wrap(float(x))
    node.name = name
    if like is not None:
        node.requires_grad, node.tick = like.requires_grad, like.tick
        node._grad = None if grad is None else float(grad)
    return node


def picked(tensor: Node, index: tuple[int, ...], name: str) -> Any:
    """Return an element of a tensor that stays whole, as a number."""
    node = wrap(float(np.asarray(tensor._payload)[index]))
    node.op, node.requires_grad, node.tick = getitem, tensor.requires_grad, tensor.tick
    node.meta = Meta({"index": index}, name, tensor.source, tensor.scope)
    node.set_inputs((tensor,))
    return node


def gathered(grid: Cells, like: Node, name: str) -> Any:
    """Return the tensor ``like`` as an array of its elements."""
    with recording(GRADIENTS):
        node = elements(*grid.flat, shape=grid.shape)
    if type(node) is not type(like):
        node = wrap(np.asarray(like._payload))
    node._payload = like._payload
    node.tick = like.tick
    node.meta = Meta(node.meta, name, like.source, like.scope)
    return node


def spelled(tensor: Any) -> list[tuple[int, ...]]:
    """Return the indices of an array in C order."""
    return list(np.ndindex(tuple(tensor.shape)))
