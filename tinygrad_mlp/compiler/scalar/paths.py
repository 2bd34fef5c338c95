"""The edges that a gradient flows through, node by node, for the engines that compute one float at a time."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from tinygrad_mlp import scalars
from tinygrad_mlp.compiler.scalar.flat import DERIVATIVE, LEAF, FlatGraph, Kind, Request
from tinygrad_mlp.errors import GradientError

Step = tuple[int, list[tuple[int, int]]]


def reverse_steps(flat: FlatGraph, request: Request) -> Iterator[Step]:
    """Yield each node that passes a cotangent on, from the root down, with the places of its operands that take it.

    Each operand comes as its place among those that are not fixed, and its number.
    """
    kinds, args, tracked = flat.kinds, flat.args, flat.tracked
    n = request.root + 1
    active, relevant, ends = bytearray(n), bytearray(n), bytearray(n)
    for i in request.ends:
        if i < n:
            active[i] = ends[i] = 1
    for i in range(n):
        if kinds[i] == LEAF:
            active[i] |= tracked[i] and not request.ends
        elif tracked[i] and not active[i] and kinds[i] != DERIVATIVE:
            for x in args[i]:
                if active[x]:
                    active[i] = 1
                    break
    relevant[request.root] = 1
    for i in range(request.root, -1, -1):
        if relevant[i] and kinds[i] not in (LEAF, DERIVATIVE) and not ends[i]:
            edges = [(at, x) for at, x in enumerate(args[i]) if active[x]]
            for _, x in edges:
                relevant[x] = 1
            yield i, edges


def slope(kind: Kind, i: int) -> Callable[..., Any]:
    """Return the vjp of the ``i``-th moving operand, a function of the cotangent, the output and all operands."""
    op, slot = kind.op, kind.slot(i)
    if op.argnum_vjp is not None:
        return partial(op.argnum_vjp, slot)
    if op.joint_vjp is not None:
        return partial(_joint, op.joint_vjp, slot)
    rule = op.vjps[slot] if op.vjps else None
    if rule is None:
        raise GradientError(f"{op.name}: no vjp is registered for operand {slot}; register one with defvjp")
    return rule


def _joint(rule: Callable[..., Any], slot: int, g: Any, y: Any, *operands: Any, **params: Any) -> Any:
    wanted = [i == slot for i in range(len(operands))]
    return rule(wanted, g, y, *operands, saved=None, **params)[slot]


def on_floats(kind: Kind) -> Callable[..., Any]:
    """Return the function of the moving operands, floats all, that a kind computes."""
    rule: Callable[..., Any] = partial(kind.op.forward, scalars, **kind.params)
    if not kind.fixed:
        return rule
    return lambda *moving: rule(*kind.operands(moving))
