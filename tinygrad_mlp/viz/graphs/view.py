"""What is to be drawn, as plain records: every picture of a graph reads these, none reads nodes."""

from collections import deque
from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_mlp.errors import LayoutError, TinygradError, TracingError
from tinygrad_mlp.graph import Node
from tinygrad_mlp.viz.labels import argument, clean, norm, number, shorten, summary
from tinygrad_mlp.viz.records import EdgeView, GraphView, NodeView

BUDGET = 200
LIMIT = 2_500  # layout time grows far faster than the graph: 2,908 nodes take seconds, 5,480 take minutes

UNKNOWN = "known when it runs"  # the value of a node that is being traced


def view(root: Node, *, budget: int | None = BUDGET, precision: int = 4, force: bool = False) -> GraphView:
    """Return the records of the nodes nearest to ``root``, ``budget`` of them at most.

    The walk goes breadth first from ``root`` to the leaves and keeps its own queue, so any depth will do.

    Args:
        root: The result whose graph is wanted.
        budget: How many nodes to show; None shows all.
        precision: Significant digits of every number.
        force: Allow more than 2,500 nodes.

    Raises:
        LayoutError: more than 2,500 nodes would have to be laid out.
    """
    if budget is not None and budget < 1:
        raise LayoutError(f"draw: budget={budget}: at least one node must be shown")
    found, wires = _walk(root)
    count = len(found) if budget is None else min(budget, len(found))
    if count > LIMIT and not force:
        raise LayoutError(
            f"draw: {count:,} nodes are too many to lay out (limit {LIMIT:,}); lower budget= to fold the far ones, "
            "or pass force=True"
        )
    shown = found[:count]
    edges = tuple(EdgeView(f"n{s}", f"n{t}", slot) for s, t, slot in wires if s < count and t < count)
    folded = [0] * count
    for s, t, _ in wires:
        if t < count <= s:
            folded[t] += 1
    any_grad = any(isinstance(x, Node) and _grad(x) is not None for x in shown)
    nodes = tuple(_describe(i, x, folded[i], precision, any_grad) for i, x in enumerate(shown))
    return GraphView(nodes, edges, len(found), _notes(nodes, len(found)))


def _walk(root: Node) -> tuple[list[Any], list[tuple[int, int, int]]]:
    """Return everything that ``root`` depends on, nearest first, and the edges (input, node, argument number)."""
    found: list[Any] = [root]
    index = {id(root): 0}
    wires: list[tuple[int, int, int]] = []
    queue = deque([0])
    while queue:
        at = queue.popleft()
        for slot, x in enumerate(found[at].inputs):
            if x is None:
                continue
            shared = isinstance(x, Node) or hasattr(x, "shape")  # equal numbers are not one constant, one array is
            to = index.get(id(x)) if shared else None
            if to is None:
                to = len(found)
                found.append(x)  # keeps x alive, so that its id stays its own
                if shared:
                    index[id(x)] = to
                if isinstance(x, Node):
                    queue.append(to)
            wires.append((to, at, slot))
    return found, wires


def _grad(node: Node) -> Any:
    grad = getattr(node, "grad", None)
    return _payload(grad) if isinstance(grad, Node) else grad


def _payload(node: Any) -> Any:
    return node.data


def _describe(index: int, x: Any, folded: int, precision: int, any_grad: bool) -> NodeView:
    key = f"n{index}"
    if not isinstance(x, Node):
        shape, dtype = _form(x)
        return NodeView(key, "constant", "", shape=shape, dtype=dtype, value=_value(lambda: x, precision))
    shape, dtype = _form(x)
    kind = ("output" if index == 0 else "op") if x.op is not None else "parameter" if x.requires_grad else "input"
    grad, sign = _gradient(x, precision, any_grad)
    return NodeView(
        key,
        kind,
        shorten(clean(x.name)),
        op=clean(x.op.name) if x.op is not None else "",
        symbol=clean(x.op.symbol) if x.op is not None else "",
        params=_params(x.params, precision),
        shape=shape,
        dtype=dtype,
        value=_value(lambda: _payload(x), precision),
        grad=grad,
        sign=sign,
        requires_grad=bool(x.requires_grad),
        folded=folded,
    )


def _form(x: Any) -> tuple[tuple[int, ...], str]:
    shape = tuple(getattr(x, "shape", ()))
    return shape, clean(getattr(x, "dtype", "")) if shape else ""


def _value(read: Callable[[], Any], precision: int) -> str:
    try:
        data = read()
    except TracingError:
        return UNKNOWN
    try:
        return summary(data, precision)
    except (TypeError, ValueError, TinygradError):
        return clean(shorten(argument(data, precision)))  # no number: a slice, a list, a generator


def _gradient(node: Node, precision: int, any_grad: bool) -> tuple[str, int]:
    """Return the text of a gradient and its sign; no text where none can be, or where it was not kept."""
    if not node.requires_grad:
        return "", 0
    grad = _grad(node)
    if grad is None:
        # backward() keeps the gradients of leaves: one note says so, instead of a line on every inner node.
        return ("", 0) if any_grad and node.op is not None else ("grad: not computed", 0)
    if np.size(grad) == 1:
        g = float(np.asarray(grad).reshape(-1)[0])
        return f"grad {number(g, precision, signed=True)}", 0 if np.isnan(g) else int(np.sign(g))
    return f"grad norm {number(norm(grad), precision)}", 0


def _params(params: dict[str, Any], precision: int) -> str:
    parts = [f"{name}={argument(x, precision)}" for name, x in params.items() if x is not None and x is not False]
    return shorten(clean(", ".join(parts)), 48)


def _notes(nodes: tuple[NodeView, ...], total: int) -> tuple[str, ...]:
    notes = []
    if len(nodes) < total:
        notes.append(f"{len(nodes):,} of {total:,} nodes, the nearest to the output; budget={total} shows all")
    graded = any(n.grad.startswith("grad ") for n in nodes)
    if graded and any(n.op and n.requires_grad and not n.grad for n in nodes):
        notes.append('gradients of inner nodes: backward(keep="all")')
    return tuple(notes)
