"""An operation taken apart on its own, and compared with what the engine gives: a picture never shows other numbers."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinygrad_mlp.arrays import thaw
from tinygrad_mlp.backward import contributions, cotangents
from tinygrad_mlp.errors import StaleError, TinygradError
from tinygrad_mlp.graph import GRADIENTS, NODES, Node, recording, wrap
from tinygrad_mlp.ops import add, affine, multiply
from tinygrad_mlp.ops.elementwise import affine_inputs
from tinygrad_mlp.table import Op

from .cells import Cells, cells, each, filled, number_of
from .functions import Functions
from .gathering import gathered

FAILURES = (AttributeError, TypeError, ValueError, IndexError, OverflowError, TinygradError)

OVERWRITTEN = "an operand was overwritten after its use: draw before the optimizer's step"


@dataclass(frozen=True)
class Trial:
    """What came of taking a node apart.

    Attributes:
        count: how many nodes stand for it then, plain numbers among them.
        shifts: how extremes were taken, see ``Functions``.
        refusal: why it stays whole; empty if it need not.
    """

    count: int = 0
    shifts: bool = False
    refusal: str = ""


def taken_apart(op: Op, operands: Sequence[Any], params: dict[str, Any], shifts: bool, deep: bool) -> Cells:
    """Return what ``op`` gives number by number.

    Args:
        op: a row of the table.
        operands: cells, or None.
        params: of the call.
        shifts: see ``Functions``.
        deep: whether the op is one of single numbers, of which its own forward rule is wanted.
    """
    with recording(GRADIENTS), np.errstate(all="ignore"):
        if op is affine and deep:
            return Cells(filled((), [_sum_of_products([x.flat[0] for x in operands])]))
        if op.elementwise and not deep:
            return each(op, *operands, **params)
        y = op.forward(Functions(shifts), *operands, **params)
    return cells(y[0] if op.saves else y)


def _sum_of_products(inputs: list[Any]) -> Any:
    """Return ``w₁x₁ + … + wₙxₙ + b`` as products and sums."""
    weights, values, bias = affine_inputs(tuple(inputs))
    total = None
    for pair in zip(weights, values, strict=True):
        term = number_of(multiply, pair, {})
        total = term if total is None else number_of(add, (total, term), {})
    return bias if total is None else number_of(add, (total, bias), {})


def try_out(node: Node) -> Trial:
    """Return what comes of taking ``node`` apart, if its numbers and gradients stay what they are."""
    if 0 in (node.size, *(np.size(getattr(x, "_payload", x)) for x in node.inputs)):
        return Trial(refusal="there is an array without elements")
    if any(type(x) in NODES and x.tick > node.tick for x in node.inputs):
        return Trial(refusal=OVERWRITTEN)
    refusal = ""
    for shifts in (True, False):
        leaves = {x: _leaves(x) for x in node.inputs if type(x) in NODES}
        operands = [leaves[x] if type(x) in NODES else constant_cells(x) for x in node.inputs]
        try:
            y = taken_apart(node.op, operands, dict(node.params), shifts, is_single(node))
            refusal = _difference(node, y, leaves)
            if not refusal:
                return Trial(_count(y, leaves), shifts)
        except StaleError:
            return Trial(refusal=OVERWRITTEN)
        except FAILURES as error:
            refusal = str(error)
    return Trial(refusal=refusal)


def is_single(node: Node) -> bool:
    """Return whether a node is a Value, and not an array."""
    return type(node._payload) is float


def constant_cells(x: Any) -> Any:
    """Return the cells of a raw operand: of an array of floats nodes without gradients, so that uses share them."""
    if x is None:
        return None
    found = cells(thaw(x))
    if not found.ndim or found.dtype.kind != "f":
        return found
    leaves = [wrap(v) for v in found.flat]
    for leaf in leaves:
        leaf.tick = 0  # it never changes
    return Cells(filled(found.shape, leaves))


def _leaves(x: Node) -> Cells:
    found = cells(np.asarray(x._payload))
    if found.dtype.kind != "f":
        return found
    flat = [wrap(float(v)) for v in found.flat]
    for leaf in flat:
        leaf.requires_grad, leaf.tick = x.requires_grad, x.tick
    return Cells(filled(found.shape, flat))


def _difference(node: Node, y: Cells, leaves: dict[Any, Cells]) -> str:
    """Return what differs from the engine: the numbers, or the gradients for a cotangent without a pattern."""
    close = _tolerance(node)
    if y.shape != tuple(node.shape) or not np.allclose(y.numbers, np.asarray(node._payload), equal_nan=True, **close):
        return "number by number its result would be another"
    probe = np.random.default_rng(0).uniform(0.5, 1.5, y.shape)
    g = float(probe) if is_single(node) else probe.astype(np.asarray(node._payload).dtype)
    wanted: dict[Any, Any] = {}
    with np.errstate(all="ignore"):
        for x, share in contributions(node, g):
            wanted[x] = wanted[x] + share if x in wanted else share
        found = _gradients(node, y, probe)
    for x, share in wanted.items():
        mine = np.array([found.get(leaf, 0.0) for leaf in leaves[x].flat]).reshape(leaves[x].shape)
        if not np.allclose(mine, np.asarray(share), equal_nan=True, **close):
            return "number by number its gradient would be another here: a tie, or a point without a derivative"
    return ""


def _gradients(node: Node, y: Cells, probe: Any) -> dict[Any, Any]:
    like = wrap(np.asarray(y.numbers, np.float64))
    root = gathered(y, like, "")
    for x in y.flat:
        _age(x, node)
    root.tick = node.tick
    return cotangents(root, probe) if root.requires_grad else {}


def _age(x: Any, node: Node) -> None:
    """Let what was made just now be as old as ``node``: its leaves are as old as the operands."""
    stack = [x]
    while stack:
        x = stack.pop()
        if type(x) in NODES and x.op is not None and x.tick != node.tick:
            x.tick = node.tick
            stack += x.inputs


def _tolerance(node: Node) -> dict[str, float]:
    single = np.asarray(node._payload).dtype.itemsize < np.dtype(float).itemsize
    return {"rtol": 1e-3, "atol": 1e-5} if single else {"rtol": 1e-6, "atol": 1e-9}


def _count(y: Cells, leaves: dict[Any, Cells]) -> int:
    """Return how many nodes and plain numbers the cells of a result are computed by."""
    known = {id(x) for grid in leaves.values() for x in grid.flat}
    count = 0
    stack = y.flat
    while stack:
        x = stack.pop()
        if type(x) not in NODES:
            count += x is not None
        elif id(x) not in known and x.op is not None:
            known.add(id(x))
            count += 1
            stack += x.inputs
    return count
