"""What the paths of a graph are worth: how many lead from a result to a node, their sum, and the largest of them.

A path goes from a result through operands to an earlier node. It is worth the product of the local derivatives along
it, and the gradient is the sum over all paths (Bauer, "Computational graphs and rounding error", 1974,
doi:10.1137/0711010). There may be more paths than atoms in the universe: everything here is dynamic programming over
the nodes, each visited once. No ``.grad`` is read or written.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from heapq import nlargest
from operator import index, itemgetter
from typing import Any

import numpy as np

from tinygrad_mlp.arrays import namespace
from tinygrad_mlp.backward import contributions, derivative, expand, initial_seed
from tinygrad_mlp.errors import UnsupportedError
from tinygrad_mlp.graph import NODES, Node, toposort

EXACT = 1_000  # paths through arrays that are followed one by one; of more, each node keeps the largest
EFFORT = 30_000_000  # elements that may be touched for that; a rule counts for a thousand
BEAM = 16  # what a node keeps at least, where its arrays cannot all be followed

Share = tuple[int, Node, Any]  # the number of an argument, the node there, and what that is given


class Flow:
    """The gradient of ``sum(seed * root)`` in every node that ``root`` depends on, beside any ``backward()``.

    Args:
        root: The node to differentiate.
        seed: Its cotangent, of its shape; 1 by default, if it has one element.

    Attributes:
        root: that node.
        order: all nodes in which there is a gradient, each before its inputs.

    Raises:
        GradientError: ``root`` has no gradient, or has several elements and no seed is given.

    >>> from tinygrad_mlp import Value
    >>> x = Value(3.0)
    >>> y = x * x
    >>> flow = Flow(y)
    >>> flow.cotangent(x), [(slot, share) for slot, _, share in flow.contributions(y)], x.grad
    (6.0, [(0, 3.0), (1, 3.0)], None)
    """

    __slots__ = ("_gradients", "_shares", "order", "root")

    def __init__(self, root: Node, seed: Any = None) -> None:
        self.root = root
        self._gradients: dict[Node, Any] = {root: initial_seed(root, seed)}
        self._shares: dict[Node, tuple[Any, ...]] = {}
        self.order = _sorted(root)
        with np.errstate(all="ignore"):
            for node in self.order:
                if node.op is not None:
                    given = contributions(node, self._gradients[node])
                    self._shares[node] = tuple([c for _, c in given])
                    for x, c in given:
                        self._gradients[x] = self._gradients[x] + c if x in self._gradients else c

    def cotangent(self, node: Node) -> Any:
        """Return the gradient in ``node``; None where ``root`` does not depend on it."""
        return self._gradients.get(node)

    def contributions(self, node: Node) -> list[Share]:
        """Return what ``node`` adds to the gradient of each input that gets one, as (argument number, input, share)."""
        return (
            [(i, x, c) for (i, x), c in zip(_wires(node), self._shares[node], strict=True)]
            if node in self._shares
            else []
        )

    def locals(self, node: Node) -> list[tuple[int, Node, float]]:
        """Return the local derivatives of ``node``, see ``local_derivatives``."""
        return local_derivatives(node)


def local_derivatives(node: Node) -> list[tuple[int, Node, float]]:
    """Return ∂node/∂input for each input that gets a gradient, as (argument number, input, number).

    Of single numbers: there are none for an array, nor in one.

    >>> from tinygrad_mlp import Value
    >>> a, b = Value(2.0), Value(5.0)
    >>> [(slot, slope) for slot, _, slope in local_derivatives(a * b)]
    [(0, 5.0), (1, 2.0)]
    """
    if node.op is None or not node.requires_grad or not is_number(node):
        return []
    if not any(is_number(x) for _, x in _wires(node)):  # a rule of arrays may cost much
        return []
    return [(i, x, as_number(c)) for i, x, c in _shares(node, initial_seed(node, None)) if is_number(x)]


def is_number(node: Node) -> bool:
    """Return whether ``node`` is a single number, be it a float or an array of one element."""
    return type(node._payload) is float or node.size == 1


def as_number(x: Any) -> float:
    """Return an array of one element as a float."""
    return x if type(x) is float else float(np.asarray(x).item())


def _wires(node: Node) -> list[tuple[int, Node]]:
    """Return the inputs to which a gradient flows, with their argument numbers; ``x * x`` has two."""
    return [(i, x) for i, x in enumerate(node.inputs) if type(x) in NODES and x.requires_grad]


def _shares(node: Node, g: Any) -> list[Share]:
    """Return what the rules of ``node`` give its inputs for the cotangent ``g``."""
    if node.op is None:
        return []
    with np.errstate(all="ignore"):
        given = contributions(node, g)
    return [(i, x, c) for (i, x), (_, c) in zip(_wires(node), given, strict=True)]


def _sorted(root: Node, *ends: Node) -> list[Node]:
    """Return the nodes that ``root`` depends on, each before its inputs, those of ``ends`` without theirs."""
    order = toposort(root, ends)
    if any(node.op is derivative for node in order):
        expand((root,))  # a gradient that a traced function has not written out yet
        order = toposort(root, ends)
    return order


# ---------------------------------------------------------------------------------------------------- number and sum


def nodes_between(root: Node, to: Node) -> list[Node]:
    """Return the nodes on paths from ``root`` to ``to``, each before its inputs: ``root`` first, ``to`` last.

    The list is empty where no path exists.
    """
    if not root.requires_grad:
        return []
    order = _sorted(root, to)
    leading = {to}
    for node in reversed(order):
        if node is not to and node.op is not None and any(x in leading for _, x in _wires(node)):
            leading.add(node)
    return [node for node in order if node in leading] if root in leading else []


def count_paths(root: Node, to: Node) -> int:
    """Return the number of paths from ``root`` to ``to``, exactly; 0 where ``root`` does not depend on it.

    >>> from tinygrad_mlp import Value
    >>> x = y = Value(1.0)
    >>> for _ in range(200):
    ...     y = y * 0.5 + y * 0.5
    >>> count_paths(y, x) == 2**200
    True
    """
    return _count(nodes_between(root, to))[0]


def _count(order: Sequence[Node]) -> tuple[int, int]:
    """Return the number of paths, and what it would cost to follow each with its array."""
    if not order:
        return 0, 0
    pending, cost, n = dict.fromkeys(order, 0), 0, 1
    pending[order[0]] = 1
    for node in order:
        n = pending.pop(node)  # of a deep graph the numbers are long: none is kept
        cost += n * (1_000 + node.size)
        if pending:
            for _, x in _wires(node):
                if x in pending:
                    pending[x] += n
    return n, cost


def sum_of_paths(root: Node, to: Node, seed: Any = None) -> Any:
    """Return the sum over all paths of the products along them, which is the gradient of ``sum(seed * root)``.

    It is zero, in the shape of ``to``, where there is no path.

    >>> from tinygrad_mlp import Value
    >>> x = Value(3.0)
    >>> sum_of_paths(x * x + x, x)
    7.0
    """
    order = nodes_between(root, to)
    return _search(order, 0, seed)[1] if order else _zero(to)


def _zero(node: Node) -> Any:
    """Return a gradient of zero."""
    return 0.0 if type(node._payload) is float else namespace(node._payload).zeros_like(node._payload)


# ---------------------------------------------------------------------------------------------------------- the largest


@dataclass(frozen=True, eq=False)
class Path:
    """One path from a result back to an earlier node, and what it contributes to the gradient there.

    Attributes:
        nodes: from the result to the node, both included.
        slots: ``nodes[i + 1]`` is argument number ``slots[i]`` of ``nodes[i]``.
        factors: for each step the local derivative between single numbers; where an array is at either end, by how
            much the step changes the norm.
        product: the seed times all local derivatives: a number, or an array of the shape of the last node.
    """

    nodes: tuple[Node, ...]
    slots: tuple[int, ...]
    factors: tuple[float, ...]
    product: Any

    @property
    def norm(self) -> float:
        """The absolute value of the product, or the Euclidean norm of its elements."""
        return _norm(self.product)

    @property
    def steps(self) -> tuple[tuple[Node, int], ...]:
        """The edges: each a node and the number of the argument at which the path goes on."""
        return tuple(zip(self.nodes[:-1], self.slots, strict=True))


class Paths:
    """All paths from ``root`` to a node: their number, their sum, and the largest.

    Args:
        root: The result.
        to: An earlier node.
        k: How many paths are wanted.
        seed: The cotangent of ``root``; needed where it has several elements.

    Attributes:
        count: how many paths there are, exactly.
        total: the sum over all of them, which is the gradient.
        largest: at most k of them, by the absolute value or norm of their products.
        nodes: all nodes on paths, each before its inputs.
        exact: whether no other is larger; among very many paths of arrays, larger ones may have been missed.

    >>> from tinygrad_mlp import Value
    >>> x = Value(3.0)
    >>> paths = Paths(x * x + 5.0 * x, x, k=1)
    >>> paths.count, paths.total, paths.largest[0].product, paths.rest
    (3, 11.0, 5.0, 6.0)
    """

    __slots__ = ("count", "exact", "largest", "nodes", "root", "to", "total")

    def __init__(self, root: Node, to: Node, k: int = 3, seed: Any = None) -> None:
        k = _wanted(k)
        order = nodes_between(root, to)
        self.root, self.to, self.nodes = root, to, tuple(order)
        self.count, cost = _count(order)
        followed = self.count <= EXACT and cost <= EFFORT
        self.exact = followed or all(map(is_number, order))
        width = k if all(map(is_number, order)) else EXACT if followed else max(k, BEAM)
        largest, self.total = _search(order, width, seed) if order else ([], _zero(to))
        self.largest = tuple(largest[:k])

    @property
    def rest(self) -> Any:
        """What the paths that are not among the largest contribute together; exactly zero where there are none."""
        with np.errstate(all="ignore"):
            if self.count == len(self.largest):
                return _zero(self.to)
            return self.total - sum(path.product for path in self.largest)


def largest_paths(root: Node, to: Node, k: int = 3, seed: Any = None) -> list[Path]:
    """Return the ``k`` paths from ``root`` to ``to`` whose products have the largest absolute values, largest first.

    Of equal ones the first in the order of the walk comes first; a product that is not a number counts as infinite.
    Between arrays a product is an array and its norm counts: up to 1,000 paths are compared one by one; of more, each
    node keeps those that are largest so far (a beam), so that a path may be missed that grows late.

    Time is linear in the graph, times ``k``. Fewer paths come back where there are fewer.

    Raises:
        UnsupportedError: ``k`` is no positive whole number.
        GradientError: ``root`` has several elements and no seed is given.

    >>> from tinygrad_mlp import Value
    >>> a, b = Value(2.0), Value(-3.0)
    >>> [(path.factors, path.product) for path in largest_paths(a * b + a**2, a)]
    [((1.0, 4.0), 4.0), ((1.0, -3.0), -3.0)]
    """
    return list(Paths(root, to, k, seed).largest)


def _wanted(k: Any) -> int:
    """Return how many paths are wanted, as a Python integer."""
    try:
        n = 0 if isinstance(k, bool) else index(k)
    except TypeError:
        n = 0
    if n < 1:
        raise UnsupportedError(f"paths: k={k!r}: give the number of paths that are wanted, 1 or more")
    return n


# What arrives at a node along one path: its size, the product so far (a float wherever the node is a single number),
# and how it came: (factor, node before, argument number, its place among what that node kept).
Arrival = tuple[float, Any, Any]


def _search(order: Sequence[Node], width: int, seed: Any) -> tuple[list[Path], Any]:
    """Return the largest paths, found by keeping ``width`` arrivals at every node, and the sum of all."""
    root, to, known = order[0], order[-1], set(order)
    start = initial_seed(root, seed)
    start = as_number(start) if is_number(root) else start
    arriving: dict[Node, list[Arrival]] = {root: [(_size(start), start, None)]}
    sums: dict[Node, Any] = {root: start}
    trails: dict[Node, list[Any]] = {}
    kept: list[Arrival] = []
    with np.errstate(all="ignore"):
        for node in order:
            kept = nlargest(width, arriving.pop(node), key=itemgetter(0)) if width else []
            trails[node] = [trail for _, _, trail in kept]
            if node is to:
                break
            products = [product for _, product, _ in kept]
            for rank, slot, x, longer, factor in _extended(node, [*products, sums.pop(node)]):
                if x not in known:
                    continue
                if rank == len(kept):
                    sums[x] = sums[x] + longer if x in sums else longer
                    continue
                size = _size(longer)
                if factor is None:  # at an array: by how much the step changes the norm
                    factor = _norm(longer) / kept[rank][0] if kept[rank][0] else 0.0
                arriving.setdefault(x, []).append((size, longer, (factor, node, slot, rank)))
        one = initial_seed(to, None) if is_number(to) and type(to._payload) is not float else 1.0
        found = [_trace(trails, to, rank, product * one) for rank, (_, product, _) in enumerate(kept)]
        return found, sums[to] * one


def _extended(node: Node, products: Sequence[Any]) -> Iterator[tuple[int, int, Node, Any, float | None]]:
    """Yield what each product becomes at each input: (its rank, argument number, input, product, factor).

    The rules are linear in the cotangent: those of a single number need to run only once, at 1.
    """
    if is_number(node):
        for slot, x, c in _shares(node, initial_seed(node, None)):
            c = as_number(c) if is_number(x) else c
            factor = c if type(c) is float else _norm(c)
            for rank, product in enumerate(products):
                yield rank, slot, x, product * c, factor
        return
    for rank, product in enumerate(products):
        for slot, x, c in _shares(node, product):
            yield rank, slot, x, as_number(c) if is_number(x) else c, None


def _trace(trails: dict[Node, list[Any]], node: Node, rank: int, product: Any) -> Path:
    """Return the path that arrived at ``node`` as number ``rank``."""
    nodes, slots, factors = [node], [], []
    while (trail := trails[node][rank]) is not None:
        factor, node, slot, rank = trail
        nodes.append(node)
        slots.append(slot)
        factors.append(factor)
    return Path(tuple(nodes[::-1]), tuple(slots[::-1]), tuple(factors[::-1]), product)


def _size(product: Any) -> float:
    """Return by what an arrival is compared: its norm, where nan counts as infinite, so that one sees where it goes."""
    size = _norm(product)
    return size if size == size else float("inf")


def _norm(x: Any) -> float:
    """Return the Euclidean norm of all elements, without overflow on the way."""
    if type(x) is float:
        return abs(x)
    a = np.abs(np.asarray(x, np.float64))
    top = float(a.max(initial=0.0))
    return top * float(np.linalg.norm((a / top).ravel())) if 0.0 < top < float("inf") else top
