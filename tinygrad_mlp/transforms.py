"""Functions of functions: gradients, Jacobians and their products, nested to any order.

A transform calls the function on nodes of its own, so that an inner one never confuses its variable with an outer
one's. Results are plain values, except inside another transform or with ``create_graph=True``: there they are nodes.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import numpy as np

from tinygrad_mlp.arrays import as_payload, is_floating, namespace
from tinygrad_mlp.backward import cotangents, derivative, expand
from tinygrad_mlp.errors import DTypeError, GradientError, ShapeError
from tinygrad_mlp.graph import GRADIENTS, NODES, TRACING, Node, mode, recording, toposort, wrap
from tinygrad_mlp.nest import Nest
from tinygrad_mlp.ops.elementwise import identity
from tinygrad_mlp.ops.shaping import broadcast_to, reshape, stack

Function = Callable[..., Any]

_depth: ContextVar[int] = ContextVar("enclosing transforms", default=0)
depth = _depth.get


class _Call:
    """One call of a function on nodes: which arguments are differentiated, and what came back."""

    def __init__(self, name: str, f: Function, args: Sequence[Any], argnums: int | Sequence[int], kwargs: Any) -> None:
        self.single = isinstance(argnums, int)
        numbers = [argnums] if isinstance(argnums, int) else list(argnums)
        for i in numbers:
            if not -len(args) <= i < len(args):
                raise GradientError(f"{name}: argnums {i}, but the function was called with {len(args)} arguments")
        self.nests = [Nest(args[i]) for i in numbers]
        self.enclosed = is_enclosed()
        given = list(args)
        self.nodes: list[Node] = []
        with recording(mode() | GRADIENTS), _enclosing():
            for i, nest in zip(numbers, self.nests, strict=True):
                own = [
                    _variable(leaf, owned, f"{name}: argument {i % len(args)}{path}")
                    for leaf, owned, path in zip(nest.leaves, nest.owned, nest.paths, strict=True)
                ]
                self.nodes += own
                given[i] = nest.refill(own)
            self.result = f(*given, **kwargs)
        self.outputs = Nest(self.result)

    def scalar(self, name: str) -> Any:
        """Return the one output, if it is a single number.

        Raises:
            GradientError: It is not.
        """
        y = self.result
        if y is None:
            raise GradientError(f"{name}: the function returned None: does it lack a return?")
        if type(y) not in NODES:
            y = as_payload(y) if not isinstance(y, dict | list | tuple) else y
        if isinstance(y, dict | list | tuple) or getattr(y, "size", 1) != 1:
            shape = f"shape {tuple(y.shape)}" if hasattr(y, "shape") else f"a {type(y).__name__}"
            raise GradientError(f"{name}: the function returned {shape}, not a scalar: use jacobian, vjp, or reduce it")
        return y

    def gather(self, gradients: Sequence[Any], plain: bool) -> Any:
        """Return one gradient per variable in the nests of the arguments."""
        values = iter(_plain(g) if plain else g for g in gradients)
        nests = [nest.rebuild([next(values) for _ in nest.leaves]) for nest in self.nests]
        return nests[0] if self.single else tuple(nests)


def is_enclosed() -> bool:
    """Return whether an enclosing transform, or a trace, records what this one gives."""
    return (depth() > 0 and mode() & GRADIENTS != 0) or mode() & TRACING != 0


@contextmanager
def _enclosing() -> Iterator[None]:
    token = _depth.set(_depth.get() + 1)
    try:
        yield
    finally:
        _depth.reset(token)


def _variable(x: Any, owned: bool, where: str) -> Any:
    """Return the node to differentiate in: a new one, except for a module's own parameter."""
    if type(x) in NODES:
        if owned:
            return x
        if x.requires_grad:
            return identity(x)
        if mode() & TRACING and is_floating(x._payload):
            node = identity(x)  # a new variable, but computed from what is traced
            node.requires_grad = True
            return node
        x = x._payload
    payload = as_payload(x)
    if type(payload) is int:
        payload = float(payload)  # a Python number is a real number; an integer array is not
    if not is_floating(payload):
        kind = getattr(payload, "dtype", type(payload).__name__)
        raise DTypeError(f"{where}: no gradient with respect to {kind}: pass floats, or leave it out of argnums")
    node = wrap(np.array(payload) if isinstance(payload, np.ndarray) else payload)
    node.requires_grad = True
    return node


def _plain(x: Any) -> Any:
    """Return the numbers of a node; a float or an array as it is."""
    return x._payload if type(x) in NODES else x


def _differentiable(y: Any) -> bool:
    return type(y) in NODES and y.requires_grad


def _zeros(x: Any) -> Any:
    """Return zeros like a node, an array or a number."""
    data = _plain(x)
    if isinstance(data, float | int):
        return 0.0
    return np.zeros_like(data) if isinstance(data, np.ndarray) else namespace(data).zeros_like(data)


def _gradients(y: Any, seed: Any, nodes: Sequence[Node], create_graph: bool) -> list[Any]:
    """Return the gradient of ``sum(seed * y)`` in each node; zeros where there is no path."""
    if not _differentiable(y):
        return [_zeros(node) for node in nodes]
    found = cotangents(y, seed, to=nodes, create_graph=create_graph)
    return [_unshared(found[node]) if node in found else _zeros(node) for node in nodes]


def _unshared(g: Any) -> Any:
    return g.copy() if isinstance(g, np.ndarray) else g


# --------------------------------------------------------------------------------------------------------- reverse mode


def value_and_grad(f: Function, argnums: int | Sequence[int] = 0, *, create_graph: bool = False) -> Function:
    """Return a function that gives ``f``'s value and its gradient.

    Args:
        f: A function of floats, arrays, tensors, modules and nests of them, whose value is a scalar.
        argnums: The arguments to differentiate in; with several, the gradient is a tuple.
        create_graph: Give nodes instead of plain values.

    The gradient has the nest, the shapes and the dtypes of the argument; a module's is a dict by parameter name.

    Raises:
        GradientError: The value is not a scalar.
        DTypeError: An argument holds integers or text.

    >>> value_and_grad(lambda x: x * x)(3.0)
    (9.0, 6.0)
    """

    def transformed(*args: Any, **kwargs: Any) -> Any:
        call = _Call("grad", f, args, argnums, kwargs)
        y = call.scalar("grad")
        nodes = call.enclosed or create_graph
        gradients = _gradients(y, None, call.nodes, nodes)
        return (y if nodes else _plain(y)), call.gather(gradients, not nodes)

    return transformed


def grad(f: Function, argnums: int | Sequence[int] = 0, *, create_graph: bool = False) -> Function:
    """Return the gradient of ``f`` as a function; see ``value_and_grad``.

    >>> grad(lambda x: x**3)(2.0)
    12.0
    >>> grad(grad(lambda x: x**3))(2.0)
    12.0
    """
    both = value_and_grad(f, argnums, create_graph=create_graph)
    return lambda *args, **kwargs: both(*args, **kwargs)[1]


def vjp(f: Function, *xs: Any) -> tuple[Any, Function]:
    """Return ``f(*xs)``, and the function that pulls a cotangent of it back to one gradient per argument.

    >>> y, pullback = vjp(lambda a, b: a * b, 3.0, 5.0)
    >>> y, pullback(1.0)
    (15.0, (5.0, 3.0))
    """
    call = _Call("vjp", f, xs, range(len(xs)), {})
    outputs = call.outputs

    def pullback(cotangent: Any) -> Any:
        """Return the gradient of ``sum(cotangent * f(*xs))`` in each argument."""
        nodes = call.enclosed or is_enclosed()
        seeds = Nest(cotangent).leaves
        if len(seeds) != len(outputs.leaves):
            raise ShapeError(f"vjp: {len(seeds)} cotangents for {len(outputs.leaves)} outputs")
        totals = [_gradients(y, g, call.nodes, nodes) for y, g in zip(outputs.leaves, seeds, strict=True)]
        totals = totals or [[_zeros(node) for node in call.nodes]]
        return call.gather([_sum(parts) for parts in zip(*totals, strict=True)], not nodes)

    value = call.result if call.enclosed else outputs.rebuild([_plain(y) for y in outputs.leaves])
    return value, pullback


def _sum(parts: Sequence[Any]) -> Any:
    total = parts[0]
    for part in parts[1:]:
        total = total + part
    return total


# --------------------------------------------------------------------------------------------------------- forward mode


def jvp(f: Function, xs: Sequence[Any], ts: Sequence[Any]) -> tuple[Any, Any]:
    """Return ``f(*xs)`` and its directional derivative along ``ts``.

    Args:
        f: A function of floats, arrays and nests of them.
        xs: The arguments, as a tuple.
        ts: One tangent per argument, of its nest and shapes.

    The derivative is pushed forward through the recorded graph; no rule beyond the vjps is needed.

    >>> jvp(lambda a, b: a * b, (3.0, 5.0), (1.0, 0.0))
    (15.0, 5.0)
    """
    if not isinstance(xs, list | tuple) or not isinstance(ts, list | tuple) or len(xs) != len(ts):
        raise GradientError("jvp: takes the arguments as one tuple and their tangents as another of the same length")
    call = _Call("jvp", f, xs, range(len(xs)), {})
    tangents = Nest(list(ts)).leaves
    if len(tangents) != len(call.nodes):
        raise ShapeError(f"jvp: {len(tangents)} tangents for {len(call.nodes)} arrays")
    seeds = {node: _tangent(node, t) for node, t in zip(call.nodes, tangents, strict=True)}
    pushed = [push(y, seeds, call.enclosed) if _differentiable(y) else None for y in call.outputs.leaves]
    results = [_like(y) if t is None else t for y, t in zip(call.outputs.leaves, pushed, strict=True)]
    if call.enclosed:
        return call.result, call.outputs.rebuild(results)
    value = call.outputs.rebuild([_plain(y) for y in call.outputs.leaves])
    return value, call.outputs.rebuild([_unshared(_plain(t)) for t in results])


def _like(y: Any) -> Any:
    """Return the zero tangent of an output that depends on nothing."""
    return _zeros(y if type(y) in NODES else as_payload(y))


def _tangent(node: Node, t: Any) -> Any:
    """Return a tangent in the shape and dtype of its node."""
    shape = tuple(getattr(node._payload, "shape", ()))
    if type(t) not in NODES:
        t = as_payload(t)
        if isinstance(node._payload, np.ndarray):
            t = np.asarray(t, node._payload.dtype)
        elif type(node._payload) is float and getattr(t, "size", 1) == 1:
            t = float(t)
    if tuple(getattr(t, "shape", ())) != shape:
        raise ShapeError(f"jvp: a tangent of shape {tuple(getattr(t, 'shape', ()))} for an argument of shape {shape}")
    return t


def push(root: Node, seeds: dict[Node, Any], create_graph: bool = False) -> Any:
    """Return the tangent of ``root``, given the tangents of some of the nodes that it depends on; None if it has none.

    Each op's jvp is its own if it has one; else an elementwise op's vjps are read forwards, a linear op is applied to
    the tangents, and any other's vjp is transposed: it is linear in its cotangent, so its own vjp is the jvp.
    """
    tangents = dict(seeds)
    with np.errstate(all="ignore"), recording(mode() | GRADIENTS):
        expand([node for node in toposort(root, seeds) if node.op is derivative])
        for node in reversed(toposort(root, seeds)):
            if node in tangents or node.op is None:
                continue
            ts = [tangents.get(x) if type(x) in NODES else None for x in node.inputs]
            if any(t is not None for t in ts):
                tangents[node] = _push_through(node, ts, create_graph)
    return tangents.get(root)


def _push_through(node: Node, ts: Sequence[Any], create_graph: bool) -> Any:
    """Return the tangent of a node from those of its inputs (None where there is none)."""
    op, params = node.op, node.params
    values = [x._payload if type(x) in NODES and not create_graph else x for x in node.inputs]
    if not op.scalars and not create_graph:
        values = [np.asarray(v) if type(v) is float else v for v in values]
    y = node if create_graph else node._payload
    if op.linear and not op.jvps:
        filled = [_zeros(v) if t is None and v is not None else t for v, t in zip(values, ts, strict=True)]
        return _match(op.apply(tuple(filled), params), node)
    parts = []
    for i, t in enumerate(ts):
        if t is not None:
            if op.jvps:
                parts.append(op.jvps[i](t, y, *values, **params))
            elif op.elementwise:
                parts.append(_rule(op, i, broadcast_to(t, shape=node.shape) if node.shape else t, y, values, params))
            else:
                parts.append(_transposed(op, i, t, node, y, values, create_graph))
    return _match(_sum(parts), node)


def _rule(op: Any, i: int, g: Any, y: Any, values: Sequence[Any], params: dict[str, Any]) -> Any:
    """Return what the vjp of operand ``i`` gives for the cotangent ``g``."""
    if op.joint_vjp is not None:
        wanted = [j == i for j in range(len(values))]
        return op.joint_vjp(wanted, g, y, *values, saved=None, **params)[i]
    if op.argnum_vjp is not None:
        return op.argnum_vjp(i, g, y, *values, **params)
    if not op.vjps or op.vjps[i] is None:
        raise GradientError(f"{op.name}: no vjp is registered for operand {i}; register one with defvjp")
    return op.vjps[i](g, y, *values, **params)


def _transposed(op: Any, i: int, t: Any, node: Node, y: Any, values: Sequence[Any], create_graph: bool) -> Any:
    """Return the jvp of operand ``i``: the vjp of its vjp, which is linear in the cotangent ``u``."""
    u = wrap(np.zeros(node.shape, node.dtype) if isinstance(node._payload, np.ndarray) else _zeros(node))
    u.requires_grad = True
    pulled = _rule(op, i, u, y, values, node.params)
    if not _differentiable(pulled):
        return _zeros(node)
    return cotangents(pulled, t, to=[u], create_graph=create_graph).get(u, _zeros(node))


def _match(t: Any, node: Node) -> Any:
    """Return a tangent in the form of its node's payload."""
    if type(t) in NODES:
        return t
    data = node._payload
    return float(t) if type(data) is float else np.asarray(t, data.dtype) if isinstance(data, np.ndarray) else t


# ------------------------------------------------------------------------------------------------------- whole matrices


def jacobian(f: Function, argnums: int | Sequence[int] = 0, *, create_graph: bool = False) -> Function:
    """Return the Jacobian of ``f`` as a function: for each output, an array of shape output shape + input shape.

    Row by row in reverse, or column by column forwards where the inputs are fewer.

    >>> jacobian(lambda x: x * x)(np.array([1.0, 2.0]))
    array([[2., 0.],
           [0., 4.]])
    """

    def transformed(*args: Any, **kwargs: Any) -> Any:
        call = _Call("jacobian", f, args, argnums, kwargs)
        nodes = call.enclosed or create_graph
        rows = [call.gather(_jacobians(y, call.nodes, nodes), not nodes) for y in call.outputs.leaves]
        return call.outputs.rebuild(rows)

    return transformed


def _jacobians(y: Any, nodes: Sequence[Node], create_graph: bool) -> list[Any]:
    """Return the derivative of every element of ``y`` in every element of each node."""
    shape = tuple(getattr(y, "shape", ()))
    if not _differentiable(y):
        return [_no_slopes(shape, x) for x in nodes]
    if type(y._payload) is float or shape == ():
        return _gradients(y, None, nodes, create_graph)
    outputs, inputs = y._payload.size, sum(x.size for x in nodes)
    if inputs < outputs:
        return [_columns(y, x, create_graph) for x in nodes]
    rows = [_gradients(y, e, nodes, create_graph) for e in _basis(y)]
    return [
        reshape(stack([row[k] for row in rows]), shape=shape + x.shape) if rows else _no_slopes(shape, x)
        for k, x in enumerate(nodes)
    ]


def _no_slopes(shape: tuple[int, ...], x: Node) -> Any:
    """Return the Jacobian in ``x`` of an output of ``shape`` that does not depend on it."""
    if type(x._payload) is float and not shape:
        return 0.0
    return np.zeros(shape + x.shape, x.dtype if isinstance(x._payload, np.ndarray) else None)


def _columns(y: Node, x: Node, create_graph: bool) -> Any:
    """Return the Jacobian of ``y`` in ``x``, one element of ``x`` after the other."""
    columns = [push(y, {x: e}, create_graph) for e in _basis(x)]
    if not columns or columns[0] is None:
        return _no_slopes(y.shape, x)
    return reshape(stack(columns, axis=-1), shape=y.shape + x.shape)


def _basis(x: Node) -> Iterator[Any]:
    """Return the unit arrays of the shape of ``x``, in C order."""
    data = x._payload
    if type(data) is float:
        yield 1.0
        return
    n = x.size
    for i in range(n):
        e = np.zeros(n, data.dtype if isinstance(data, np.ndarray) else None)
        e[i] = 1
        e = e.reshape(x.shape)
        yield e if isinstance(data, np.ndarray) else namespace(data).asarray(e, dtype=data.dtype)


def hessian(f: Function, argnums: int | Sequence[int] = 0) -> Function:
    """Return the Hessian of a scalar function as a function: the Jacobian of its gradient.

    >>> hessian(lambda x: x[0] ** 2 * x[1])(np.array([1.0, 3.0]))
    array([[6., 2.],
           [2., 0.]])
    """
    return jacobian(grad(f, argnums), argnums)


def hvp(f: Function, x: Any, v: Any) -> Any:
    """Return the product of the Hessian of ``f`` at ``x`` with ``v``, at the cost of a few gradients.

    Source: Pearlmutter, Fast exact multiplication by the Hessian, Neural Computation 6 (1994).

    >>> hvp(lambda x: x[0] ** 2 * x[1], np.array([1.0, 3.0]), np.array([1.0, 0.0]))
    array([6., 2.])
    """
    return jvp(grad(f), (x,), (v,))[1]
