"""What one node contributes to the gradients of its inputs, by the rules of its row."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from tinygrad_mlp.arrays import Guarded, as_payload, is_floating, thaw
from tinygrad_mlp.errors import DTypeError, GradientError, ShapeError, StaleError
from tinygrad_mlp.graph import NO_PARAMS, NODES, Node, clock
from tinygrad_mlp.ops.shaping import astype, sum_to
from tinygrad_mlp.table import Op, defvjp

ndarray = np.ndarray


class DeferredError(Exception):
    """A gradient of a derivative is wanted: it must be written out first."""


@Op
def derivative(xp: Any, _root: Any, _x: Any) -> Any:
    """Return the derivative of ``root`` in ``x``; ``to`` are the nodes, ``x`` among them, at which paths end.

    It depends on the graph between the two, not on their values alone: only a compiler and ``expand`` know what to do.
    """
    raise GradientError("derivative: stands for a gradient that is not written out: expand the graph first")


def _derivative_vjp(_g: Any, _y: Any, _root: Any, _x: Any, **_params: Any) -> Any:
    raise DeferredError


defvjp(derivative, _derivative_vjp, _derivative_vjp)


def contributions(node: Node, g: Any, create_graph: bool = False) -> list[tuple[Node, Any]]:
    """Return each input of ``node`` that wants a gradient, with what its vjp gives for the cotangent ``g``."""
    op, inputs, params = node.op, node.inputs, node.meta or NO_PARAMS
    if node.tick != clock[0]:
        check_fresh(node)
    y = node if create_graph else node._payload
    values: list[Any] = []
    wanted: list[bool] = []
    for x in inputs:
        if type(x) in NODES:
            wanted.append(x.requires_grad)
            if not create_graph:
                x = x._payload
                if type(x) is float and not op.scalars:
                    x = np.asarray(x)
        else:
            wanted.append(False)
            if type(x) is Guarded:
                x = thaw(x)
        values.append(x)
    found: list[tuple[Node, Any]] = []
    if op.joint_vjp is not None:
        saved = None if create_graph or not op.saves else node.saved  # type: ignore[attr-defined]
        joint = op.joint_vjp(wanted, g, y, *values, saved=saved, **params)
    for i, x in enumerate(inputs):
        if not wanted[i]:
            continue
        if op.joint_vjp is not None:
            c = joint[i]
        elif op.argnum_vjp is not None:
            c = op.argnum_vjp(i, g, y, *values, **params)
        elif op.vjps and op.vjps[i] is not None:
            c = op.vjps[i](g, y, *values, **params)
        else:
            raise GradientError(f"{op.name}: no vjp is registered for operand {i}; register one with defvjp")
        d = x._payload
        if type(c) is not ndarray or type(d) is not ndarray or c.shape != d.shape or c.dtype is not d.dtype:
            c = _fit(op, c if create_graph or type(c) not in NODES else c._payload, d)
        found.append((x, c))
    return found


def _fit(op: Op, c: Any, d: Any) -> Any:
    """Return the cotangent ``c`` in the shape and dtype of its operand ``d``.

    Only an elementwise op's is summed down to the operand's shape: there a difference means broadcasting, elsewhere a
    wrong rule.
    """
    if c is None:
        raise GradientError(f"{op.name}: its vjp returned None for an operand that requires a gradient")
    try:
        c = c if type(c) in NODES else as_payload(c)
    except DTypeError as error:
        raise DTypeError(f"{op.name}: its vjp returned {error}") from None
    shape, given = tuple(getattr(d, "shape", ())), tuple(getattr(c, "shape", ()))
    if given != shape:
        try:
            if not op.elementwise:
                raise ValueError
            c = sum_to(c, shape=shape)
        except ValueError:
            raise ShapeError(f"{op.name}: its vjp returned shape {given} for an operand of shape {shape}") from None
    if type(c) in NODES:
        return astype(c, dtype=d.dtype) if hasattr(d, "dtype") and c.dtype != d.dtype else c
    if type(d) is float:
        return float(c)
    if type(d) is ndarray:
        return np.asarray(c, d.dtype)
    return c


def initial_seed(root: Node, seed: Any, create_graph: bool = False) -> Any:
    """Return the cotangent to start from, in the shape and dtype of ``root``; a node only under ``create_graph``.

    Raises:
        GradientError: ``root`` requires no gradient, or has several elements and no seed is given.
        ShapeError: The seed has another shape.
    """
    y = root._payload
    if seed is None and type(y) is ndarray and y.shape == () and root.requires_grad:
        return y.dtype.type(1)
    if not root.requires_grad:
        why = (
            "it is an integer" if not is_floating(y) else "no operand requires a gradient, or it was made under no_grad"
        )
        raise GradientError(f"backward: this {type(root).__name__} has no gradient: {why}")
    shape = tuple(getattr(y, "shape", ()))
    if seed is None:
        if getattr(y, "size", 1) != 1:
            raise GradientError(
                f"backward: the output has shape {shape}; only a scalar has a gradient without a seed: "
                "reduce it, for example with .sum(), or pass seed= of its shape"
            )
        return 1.0 if type(y) is float else y * 0 + 1 if type(y) is not ndarray else np.ones(y.shape, y.dtype)
    if type(seed) in NODES and not create_graph:
        seed = seed._payload
    if type(seed) not in NODES:
        seed = as_payload(np.asarray(seed) if type(y) is ndarray else seed)
    given = tuple(getattr(seed, "shape", ()))
    if given != shape or seed is None:
        raise ShapeError(f"backward: the seed has shape {given}, the output {shape}")
    if type(seed) in NODES:
        return seed
    return float(seed) if type(y) is float else seed.astype(y.dtype) if type(y) is ndarray else seed


def _bases(node: Node) -> Iterator[Node]:
    """Yield the nodes whose memory ``node`` shows: itself, or what it is a view of."""
    pending = [node]
    while pending:
        node = pending.pop()
        if node.op is None or not node.op.view:
            yield node
        else:
            pending += [x for x in node.inputs if type(x) in NODES]


def check_fresh(node: Node) -> None:
    """Raise ``StaleError`` if an operand that a rule of ``node`` reads was overwritten after ``node`` was made."""
    for i, x in enumerate(node.inputs):
        for base in _bases(x) if type(x) in NODES else ():
            if base.tick > node.tick and node.op.is_read(i, node.inputs):
                name = f" {base.name!r}" if base.name else ""
                line = f" at {node.source}" if node.source else ""
                raise StaleError(
                    f"{node.op.name}{line}: its operand {i}{name} was overwritten after its use, so the gradient would "
                    "be wrong: call backward() before changing data, or compute the output again"
                )
