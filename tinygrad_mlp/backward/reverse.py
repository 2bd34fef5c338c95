"""From one root back through its graph: gradients as a dict, on the leaves, or still to be written out."""

import threading
from collections.abc import Iterable
from sys import getrefcount
from typing import Any

import numpy as np

from tinygrad_mlp.arrays import namespace
from tinygrad_mlp.backward.edges import DeferredError, contributions, derivative, initial_seed
from tinygrad_mlp.backward.floats import FloatGraph
from tinygrad_mlp.errors import GradientError
from tinygrad_mlp.graph import (
    EVERYTHING,
    GRADIENTS,
    NODE_CLASSES,
    NODES,
    TRACING,
    Node,
    current_trace,
    mode,
    recording,
    toposort,
    wrap,
)
from tinygrad_mlp.ops.elementwise import identity

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
    if create_graph and seed is None and type(root) is NODE_CLASSES[float] and mode() & TRACING:
        return _deferred(root, ends)
    trace, stops = current_trace() if create_graph else None, frozenset(ends)
    g = initial_seed(root, seed, create_graph)
    while True:
        found: dict[Node, Any] = {}
        try:
            with np.errstate(all="ignore"):
                if not create_graph:
                    _accumulate(root, g, found, stops, keep, False)
                else:
                    with recording(mode() | GRADIENTS):
                        _accumulate(root, g, found, stops, keep or trace is not None, True)
        except DeferredError:
            expand((root,))
        else:
            break
    if trace is not None:
        trace.slopes.update(found)
        if not keep:
            found = {x: g for x, g in found.items() if x.op is None or x in stops or type(x._payload) is float}
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
    trace = current_trace()
    create_graph = create_graph or trace is not None
    if type(root) is NODE_CLASSES[float] and not create_graph and root.requires_grad:
        try:
            with _grad_lock:
                FloatGraph(root).sweep(root, initial_seed(root, seed))
        except DeferredError:
            expand((root,))
            backward(root, seed)
        return
    found = cotangents(root, seed, keep=keep == "all", create_graph=create_graph)
    with _grad_lock:
        for node in found:  # .items() would hold another reference to g
            g = found[node]
            if trace is not None:
                trace.receive(node)
            if node.op is not None and type(g) in NODES and trace is None:
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


def _deferred(root: Any, ends: tuple[Node, ...]) -> dict[Node, Any]:
    """Return the gradient of a float as nodes of ``derivative``, with its numbers."""
    try:
        with _grad_lock:
            found = _slopes(root, ends)
    except DeferredError:
        expand((root,))
        return _deferred(root, ends)
    params, nodes = {"to": ends}, {}
    for x in ends or found:
        if x in found and x not in nodes:
            nodes[x] = node = wrap(found[x])
            node.op, node.meta, node.requires_grad = derivative, params, True
            node.set_inputs((root, x))
    if (trace := current_trace()) is not None:
        trace.slopes.update(nodes)
    return nodes


def _slopes(root: Any, ends: tuple[Any, ...]) -> dict[Node, float]:
    """Return the numbers of a gradient, where paths end at ``ends``: for the search these are leaves meanwhile."""
    computed = [(x, x.op, x.a, x.b) for x in dict.fromkeys(ends) if x.op is not None]
    seed = initial_seed(root, None)
    for x, *_ in computed:
        x.op = x.a = x.b = None
    try:
        return FloatGraph(root).slopes(root, seed)
    finally:
        for x, op, a, b in computed:
            x.op, x.a, x.b = op, a, b


def expand(roots: Iterable[Node]) -> None:
    """Write out the gradients that ``roots`` depend on: each derivative becomes a copy of the node that computes it."""
    written: dict[Any, dict[Node, Any]] = {}
    stack: list[Any] = list(roots)
    seen: set[Any] = set(map(id, stack))
    while stack:
        node = stack.pop()
        if node.op is derivative:
            (root, x), ends = node.inputs, node.params["to"]
            key = id(root), id(ends)
            if key not in written:
                with recording(EVERYTHING):
                    written[key] = cotangents(root, 1.0, to=ends, create_graph=True)
                _backdate(written[key].values(), node.tick)
            node.op, node.meta = identity, None
            node.set_inputs((written[key].get(x, 0.0),))
        fresh = [x for x in node.inputs if type(x) in NODES and id(x) not in seen]
        seen.update(map(id, fresh))
        stack += fresh


def _backdate(nodes: Iterable[Any], when: int) -> None:
    """Let the nodes of a gradient be as old as what stood for it: a leaf may have another value since."""
    stack = [x for x in nodes if type(x) in NODES]
    while stack:
        node = stack.pop()
        if node.op is not None and node.tick > when:
            node.tick = when
            stack += [x for x in node.inputs if type(x) in NODES]
