"""Reverse accumulation: the gradient of one node in all nodes before it, by the chain rule.

``cotangents`` is the whole of it, for arrays, floats and nodes alike; ``backward`` stores the result on the leaves. A
graph that is floats throughout takes a shorter way with the rules of the commonest ops written out (tested equal to the
table).
"""

import threading
from collections.abc import Iterable, Iterator
from sys import getrefcount
from typing import Any

import numpy as np

from tinygrad_mlp.arrays import Guarded, as_payload, is_floating, namespace, thaw
from tinygrad_mlp.errors import DTypeError, GradientError, ShapeError, StaleError
from tinygrad_mlp.graph import (
    EVERYTHING,
    GRADIENTS,
    NO_PARAMS,
    NODE_CLASSES,
    NODES,
    Node,
    clock,
    mode,
    recording,
    toposort,
    wrap,
)
from tinygrad_mlp.ops.elementwise import add, affine, identity, multiply, negative, power, subtract
from tinygrad_mlp.ops.shaping import astype, sum_to
from tinygrad_mlp.scalars import power as float_power
from tinygrad_mlp.table import OPS, Op

ndarray = np.ndarray
_grad_lock = threading.RLock()  # threads may share leaves, and a rule may run a graph of its own backward


def cotangents(
    root: Node,
    seed: Any = None,
    *,
    to: Iterable[Node] = (),
    keep: bool = False,
    create_graph: bool = False,
) -> dict[Node, Any]:
    """Return the gradient of ``sum(seed * root)`` in each leaf that it depends on.

    Args:
        root: The node to differentiate.
        seed: Its cotangent, of its shape; 1 by default, if it has one element.
        to: Nodes to differentiate in, instead of the leaves; the search stops at them.
        keep: Return the gradients of interior tensors too (those of interior floats always come).
        create_graph: Compute on nodes, so that the gradients are a graph themselves.

    While everything is recorded, the gradient of a float is not written out as a graph: it comes as nodes of the row
    ``derivative``, which a compiler differentiates as a whole, and ``expand`` writes out where a graph is needed.

    Raises:
        GradientError: No gradient is defined: an op without a vjp, or a root that does not depend on anything.
        StaleError: An operand that a rule reads was overwritten after its use.
    """
    ends = tuple(to)
    if create_graph and seed is None and type(root) is NODE_CLASSES[float] and mode() & EVERYTHING == EVERYTHING:
        return _deferred(root, ends)
    g = initial_seed(root, seed, create_graph)
    while True:
        found: dict[Node, Any] = {}
        try:
            with np.errstate(all="ignore"):
                if not create_graph:
                    _accumulate(root, g, found, frozenset(ends), keep, False)
                else:
                    with recording(mode() | GRADIENTS):
                        _accumulate(root, g, found, frozenset(ends), keep, True)
        except _DeferredError:
            expand((root,))
        else:
            return found


def _accumulate(
    node: Node, g: Any, found: dict[Node, Any], ends: frozenset[Node], keep: bool, create_graph: bool
) -> None:
    """Add to ``found`` what the cotangent ``g`` of ``node`` contributes to the gradients.

    As long as every node has one computed operand at most, as in a network of layers, the graph is a path and needs no
    sorting.
    """
    while node.op is not None and node not in ends:
        if keep or type(node._payload) is float:
            found[node] = g
        computed = None
        edges = contributions(node, g, create_graph)
        for x, c in edges:
            if x.op is not None:
                if computed is not None:
                    _accumulate_sorted(node, edges, found, ends, keep, create_graph)
                    return
                computed, g = x, c
        for x, c in edges:
            if x is not computed:
                found[x] = found[x] + c if x in found else c
        if computed is None:
            return
        node = computed
    found[node] = g


def _accumulate_sorted(
    root: Node,
    edges: list[tuple[Node, Any]],
    found: dict[Node, Any],
    ends: frozenset[Node],
    keep: bool,
    create_graph: bool,
) -> None:
    """Do the same from the contributions of ``root`` on, where paths may meet: a node waits until all have arrived."""
    grads: dict[Node, Any] = {}
    for node in toposort(root, ends):
        if node is not root:
            g = grads.pop(node)
            if node.op is None or node in ends:
                found[node] = found[node] + g if node in found else g
                continue
            if keep or type(node._payload) is float:
                found[node] = g
            edges = contributions(node, g, create_graph)
        for x, c in edges:
            grads[x] = grads[x] + c if x in grads else c


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
        elif op is derivative:
            raise _DeferredError
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


def backward(root: Node, seed: Any = None, keep: str = "leaves", create_graph: bool = False) -> None:
    """Add the gradient of ``root`` in each leaf to its ``.grad``.

    Args:
        root: The node to differentiate.
        seed: The cotangent of ``root``; needed where it has more than one element.
        keep: "leaves", or "all" to leave a fresh ``.grad`` on interior tensors too; interior ``Value`` nodes always
            have one.
        create_graph: Make the ``.grad`` of leaves a node, which can be differentiated again.
    """
    if keep not in ("leaves", "all"):
        raise GradientError(f"backward: keep is {keep!r}; choose 'leaves' or 'all'")
    if type(root) is NODE_CLASSES[float] and not create_graph and root.requires_grad:
        try:
            with _grad_lock:
                _FloatGraph(root).sweep(root, initial_seed(root, seed))
        except _DeferredError:
            expand((root,))
            backward(root, seed)
        return
    found = cotangents(root, seed, keep=keep == "all", create_graph=create_graph)
    with _grad_lock:
        for node in found:  # .items() would hold another reference to g
            g = found[node]
            if node.op is not None and type(g) in NODES:
                g = g._payload  # a number: a node would refer back to this graph, in a circle that keeps both alive
            if type(g) is ndarray and (node.op is not None or not create_graph):
                if g.base is not None or getrefcount(g) > UNSHARED:
                    g = g.copy()
            elif create_graph and node.op is None:
                g = g if type(g) in NODES else wrap(g)
            elif type(g) is not float:
                g = np.array(g) if isinstance(g, np.generic) else namespace(g).asarray(g, copy=True)
            if node._grad is not None and node.op is None:
                g = (node._grad if create_graph or type(node._grad) not in NODES else node._grad._payload) + g
                g = np.asarray(g) if isinstance(g, np.generic) else g
            node._grad = g


def _unshared() -> int:
    """Return the references to an array that only a dict and one local variable hold, as in ``backward``."""
    probe = {0: np.empty(0)}
    g = None
    for key in probe:  # noqa: PLC0206  (as in backward)
        g = probe[key]
    return getrefcount(g)


UNSHARED = _unshared()

# -------------------------------------------------------------------------------------------- gradients not yet written


class _DeferredError(Exception):
    """A gradient of a derivative is wanted: it must be written out first."""


@Op
def derivative(xp: Any, _root: Any, _x: Any) -> Any:
    """Return the derivative of ``root`` in ``x``; ``to`` are the nodes, ``x`` among them, at which paths end.

    It depends on the graph between the two, not on their values alone: only a compiler and ``expand`` know what to do.
    """
    raise GradientError("derivative: stands for a gradient that is not written out: expand the graph first")


def _deferred(root: Any, ends: tuple[Node, ...]) -> dict[Node, Any]:
    """Return the gradient of a float as nodes of ``derivative``, with its numbers."""
    try:
        with _grad_lock:
            found = _slopes(root, ends)
    except _DeferredError:
        expand((root,))
        return _deferred(root, ends)
    params = {"to": ends}
    nodes: dict[Node, Any] = {}
    for x in ends or found:
        if x in found and x not in nodes:
            nodes[x] = node = wrap(found[x])
            node.op, node.meta, node.requires_grad = derivative, params, True
            node.set_inputs((root, x))
    return nodes


def _slopes(root: Any, ends: tuple[Any, ...]) -> dict[Node, float]:
    """Return the numbers of a gradient, where paths end at ``ends``: for the search these are leaves meanwhile."""
    computed = [(x, x.op, x.a, x.b) for x in dict.fromkeys(ends) if x.op is not None]
    seed = initial_seed(root, None)
    for x, *_ in computed:
        x.op = x.a = x.b = None
    try:
        return _FloatGraph(root).slopes(root, seed)
    finally:
        for x, op, a, b in computed:
            x.op, x.a, x.b = op, a, b


def expand(roots: Iterable[Node]) -> None:
    """Write out the gradients that ``roots`` depend on: each derivative becomes a copy of the node that computes it."""
    written: dict[tuple[int, int], dict[Node, Any]] = {}
    for node in _derivatives(roots):
        (root, x), ends = node.inputs, node.params["to"]
        key = id(root), id(ends)
        if key not in written:
            with recording(EVERYTHING):
                written[key] = cotangents(root, 1.0, to=ends, create_graph=True)
        node.op, node.meta = identity, None
        node.set_inputs((written[key].get(x, 0.0),))


def _derivatives(roots: Iterable[Node]) -> list[Any]:
    """Return the nodes of ``derivative`` that ``roots`` depend on, each before those that depend on it."""
    stack: list[Any] = list(roots)
    seen: set[int] = set()
    found: list[Any] = []
    while stack:
        node = stack.pop()
        if node is None:
            found.append(stack.pop())
        elif id(node) not in seen:
            seen.add(id(node))
            if node.op is derivative:
                stack += [node, None]
            stack += [x for x in node.inputs if type(x) in NODES]
    return found


# ------------------------------------------------------------------------------------ graphs that are floats throughout


GROUP = object()  # on the search's stack: below it lies an n-ary node whose inputs are done


class _FloatGraph:
    """A graph of floats, taken apart for one sweep: its order, its leaves and the gradients that these had.

    The search marks a node by giving it, for ``_grad``, one particular 0.0, to which the sweep then adds. That spares a
    set and a dict of all nodes, which would cost more than the sweep itself.
    """

    def __init__(self, root: Any) -> None:
        self.kind: Any = type(root)
        self.order: list[Any] = []
        self.leaves: list[Any] = []
        self.before: list[Any] = []
        self.groups: dict[int, bool] = {}
        self.mark = float("0")  # a new object: no other 0.0 is this one
        try:
            self._search(root)
        except BaseException:
            self.restore()
            raise
        self.order.reverse()

    def _search(self, node: Any) -> None:
        """Fill ``order``, inputs first: a node waits on the stack, under None or GROUP, until those are done."""
        stack: list[Any] = []
        kind, mark, groups = self.kind, self.mark, self.groups
        push, pop, out = stack.append, stack.pop, self.order.append
        while True:
            a, b = node.a, node.b
            if node._grad is mark:
                pass
            elif a is None:
                self._leaf(node)
            elif type(a) is tuple:
                self._expand(node, push)
            else:
                node._grad = mark
                first = a if type(a) is kind and a._grad is not mark else None
                second = b if type(b) is kind and b._grad is not mark else None
                if first is not None and b is None and type(first.b) is tuple:
                    weights, bias = first.b
                    if id(first.a) in groups and id(weights) in groups and getattr(bias, "_grad", mark) is mark:
                        first._grad = mark  # a unit over a neuron's sum all of whose inputs are done
                        out(first)
                        first = None
                if first is not None or second is not None:
                    push(node)
                    push(None)
                    if first is not None and second is not None:
                        push(second)
                    node = second if first is None else first
                    continue
                out(node)
            while stack:
                node = pop()
                if node is GROUP:
                    self._close(stack[-1])
                elif node is not None:
                    break
                out(pop())
            else:
                return

    def _leaf(self, node: Any) -> None:
        self.before.append(node._grad)
        node._grad = self.mark
        self.leaves.append(node)

    def _expand(self, node: Any, push: Any) -> None:
        """Push an n-ary node and its inputs. Neurons share tuples of weights and of values: what is closed is done."""
        a, b = node.a, node.b
        node._grad = self.mark
        push(node)
        push(GROUP)
        for group in (a,) if b is None else (b[0], a):
            if id(group) not in self.groups:
                for x in group:
                    if type(x) is self.kind:
                        push(x)
        if b is not None and type(b[1]) is self.kind:
            push(b[1])

    def _close(self, node: Any) -> None:
        """Remember the groups of a node whose inputs are done, and whether all in a group are nodes."""
        for group in (node.a,) if node.b is None else (node.b[0], node.a):
            self.groups[id(group)] = all(type(x) is self.kind for x in group)

    def restore(self) -> None:
        """Give the leaves back the gradients that they had."""
        for leaf, old in zip(self.leaves, self.before, strict=True):
            leaf._grad = old

    def slopes(self, root: Any, seed: float) -> dict[Node, float]:
        """Return the gradient in each leaf that wants one, and leave none on any node."""
        try:
            root._grad = seed
            with np.errstate(all="ignore"):
                _sweep(self.order, self.kind, self.groups)
            return {leaf: leaf._grad for leaf in self.leaves if leaf.requires_grad}
        finally:
            for node in self.order:
                node._grad = None
            self.restore()

    def sweep(self, root: Any, seed: float) -> None:
        """Push ``seed`` back from ``root``; leaves add their sums to what they had, or keep that if a rule fails."""
        done = False
        try:
            root._grad = seed
            with np.errstate(all="ignore"):
                _sweep(self.order, self.kind, self.groups)
            done = True
        finally:
            if not done:
                self.restore()
        for leaf, old in zip(self.leaves, self.before, strict=True):
            if not leaf.requires_grad:
                leaf._grad = old
            elif old is not None:
                leaf._grad = (old if type(old) is float else old._payload) + leaf._grad


def _sweep(order: list[Any], kind: Any, groups: dict[int, bool]) -> None:
    """Push each node's gradient to its operands, with the rules of the table written out for the commonest ops."""
    now, relu = clock[0], OPS["relu"]
    for node in order:
        op, g, a, b = node.op, node._grad, node.a, node.b
        if node.tick != now:
            check_fresh(node)
        if op is multiply:
            if type(a) is kind and type(b) is kind:
                a._grad += g * b._payload
                b._grad += g * a._payload
            elif type(a) is kind:
                a._grad += g * b
            else:
                b._grad += g * a
        elif op is add:
            if type(a) is kind:
                a._grad += g
            if type(b) is kind:
                b._grad += g
        elif op is relu:
            if not node._payload <= 0:
                a._grad += g
        elif op is affine and groups[id(b[0])]:
            y = node._payload
            if g or y - y:  # where y is finite so is every factor, and 0 times it adds nothing
                _sweep_affine(a, b, g, kind, groups)
        elif op is subtract:
            if type(a) is kind:
                a._grad += g
            if type(b) is kind:
                b._grad -= g
        elif op is negative:
            a._grad -= g
        elif op is power and type(b) is not kind:
            if b:
                a._grad += g * (b * float_power(a._payload, b - 1))
        elif node.requires_grad:
            for x, c in contributions(node, g):
                x._grad += c


def _sweep_affine(values: Any, row: Any, g: float, kind: Any, groups: dict[int, bool]) -> None:
    """Push ``g`` to the operands of one ``affine`` node whose weights are all nodes."""
    weights, bias = row
    if groups[id(values)]:
        for w, x in zip(weights, values, strict=True):
            w._grad += g * x._payload
            x._grad += g * w._payload
    else:
        for w, x in zip(weights, values, strict=True):
            if type(x) is kind:
                x._grad += g * w._payload
                x = x._payload
            w._grad += g * x
    if type(bias) is kind:
        bias._grad += g
