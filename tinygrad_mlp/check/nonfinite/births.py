"""Where numbers that are not finite are born in a graph: on the way forward, and on the way back."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from tinygrad_mlp.backward import contributions
from tinygrad_mlp.errors import StaleError
from tinygrad_mlp.graph import NODES, Node, toposort

from .dependence import Array, Mask, dependence, numbers


@dataclass(frozen=True)
class Birth:
    """An element at which a number that is not finite comes from finite ones.

    Attributes:
        node: what gives it: forward its value, backward a contribution to the gradient of an operand. A leaf gives its
            own value.
        operand: forward, the constant operand that is not finite itself, else None; backward, the operand whose
            gradient it is, or None where finite contributions to the gradient of ``node`` add up to it.
        index: the element, of the value or of the operand.
        result: the number that is not finite.
        cotangent: the gradient in ``node``; None on the way forward.
    """

    node: Node
    operand: int | None
    index: tuple[int, ...]
    result: float
    cotangent: Array | None = None


class Search(NamedTuple):
    """What a search found: the first birth, where it then turned from an infinity into a nan, and how many others."""

    first: Birth | None = None
    turn: Birth | None = None
    others: int = 0


class Gradients(NamedTuple):
    """The gradients of the leaves, and the search through them; ``harmless`` is a birth that reached no leaf."""

    leaves: dict[Node, Array]
    found: Search
    harmless: Birth | None = None


def nonfinite(x: Any) -> Mask:
    """Return which numbers are nan or infinite."""
    x = np.asarray(x)
    return ~np.isfinite(x) if x.dtype.kind == "f" else np.zeros(x.shape, bool)


def is_finite(x: Any) -> bool:
    """Return whether all numbers of a payload or a constant are finite."""
    if type(x) is float:
        return x - x == 0
    return type(x) is int or not nonfinite(numbers(x)).any()


def first_index(mask: Mask) -> tuple[int, ...]:
    """Return the first marked element."""
    return tuple(int(i) for i in np.unravel_index(int(np.argmax(mask)), np.shape(mask)))


# -------------------------------------------------------------------------------------------------------------- forward


def search_forward(root: Node) -> Search:
    """Return where a root that is not finite got it from: the first birth that it depends on.

    A nan comes from a nan if there is one, and what is infinite beside it is left alone: a mask of -inf, say. Where a
    nan is born of an infinity, as in inf - inf, the infinity's own birth is the first, and the nan's is the turn.
    """
    order = toposort(root)
    bad = np.isnan(numbers(root))
    if not bad.any():
        births = _births(order, {root: nonfinite(numbers(root))}, nonfinite)
        return Search(_forward(*births[-1]), None, len(births) - 1)
    births = _births(order, {root: bad}, np.isnan)
    node, operand, mask = births[-1]
    if operand is None and node.op is not None:
        marks: dict[Node, Mask] = {}
        infinite = _trace(node, mask, nonfinite, marks)[0]
        infinite += _births(order, marks, nonfinite)
        if infinite:
            return Search(_forward(*infinite[-1]), _forward(node, operand, mask), len(births) - 1)
    return Search(_forward(node, operand, mask), None, len(births) - 1)


Found = list[tuple[Node, int | None, Mask]]


def _births(order: Iterable[Node], marks: dict[Node, Mask], test: Callable[[Any], Mask]) -> Found:
    """Return the births of the marked elements, the last first; ``order`` has each node before its operands."""
    births: Found = []
    for node in order:
        mask = marks.pop(node, None)
        if mask is None:
            continue
        constants, unexplained = _trace(node, mask, test, marks)
        births += constants
        if unexplained.any():
            births.append((node, None, unexplained))
    return births


def _trace(node: Node, mask: Mask, test: Callable[[Any], Mask], marks: dict[Node, Mask]) -> tuple[Found, Mask]:
    """Mark the elements of the operands that explain the marked ones; return constants that do, and what is left."""
    constants: Found = []
    if node.op is None:
        return constants, mask
    left = mask
    number = type(node._payload) is float and node.op.name != "where"
    every = [mask] * len(node.inputs) if number else dependence(node, mask)
    for i, (x, reached) in enumerate(zip(node.inputs, every, strict=True)):
        if type(x) in NODES and x.tick > node.tick:
            raise StaleError(
                f"where_nan: operand {i} of {node.op.name} was overwritten after its use: search before the step "
                "that changes it, or compute the output again"
            )
        if number and is_finite(x._payload if type(x) in NODES else x):
            continue  # of a graph of floats, most
        values = numbers(x)
        bad = reached & (test(values) if values.dtype.kind == "f" else False)
        if not bad.any():
            continue
        left = left & ~_explained(node, bad)
        if type(x) in NODES and x.requires_grad:
            marks[x] = marks[x] | bad if x in marks else bad
        else:
            constants.append((node, i, bad))
    return constants, left


def _explained(node: Node, bad: Mask) -> Mask:
    """Return the elements of an elementwise node that depend on marked ones of an operand; of another, all."""
    return np.broadcast_to(bad if node.op.elementwise else np.True_, node.shape)


def _forward(node: Node, operand: int | None, mask: Mask) -> Birth:
    index = first_index(mask)
    values = numbers(node if operand is None else node.inputs[operand])
    return Birth(node, operand, index, float(values[index]))


def hidden(root: Node) -> Birth | None:
    """Return the first node, operands first, that is not finite though ``root`` is; None if there is none."""
    for node in reversed(toposort(root)):
        for i, x in enumerate(node.inputs):
            if not (type(x) in NODES and x.requires_grad) and not is_finite(x):
                return _forward(node, i, nonfinite(numbers(x)))
        if not is_finite(node._payload):
            return _forward(node, None, nonfinite(numbers(node)))
    return None


# ------------------------------------------------------------------------------------------------------------- backward


class _Sweep:
    """The gradient node by node from the root, with the number of its birth on every element that is not finite."""

    def __init__(self, root: Node) -> None:
        self.births: list[Birth] = []  # numbered from 1, in this order
        self.turns: dict[int, Birth] = {}
        self.grads: dict[Node, Any] = {}
        self.marks: dict[Node, Array] = {}
        self.leaves: dict[Node, Any] = {}
        self.born: dict[Node, Array] = {}  # the marks on the leaves
        y = root._payload
        self.grads[root] = 1.0 if type(y) is float else np.ones(y.shape, y.dtype)
        for node in toposort(root):
            g, marks = self.grads.pop(node), self.marks.pop(node, None)
            if node.op is None:
                self.leaves[node] = np.asarray(g)
                if marks is not None:
                    self.born[node] = marks
                continue
            edges = contributions(node, g)
            if marks is None and all(is_finite(c) for _, c in edges):
                for x, c in edges:
                    self._add(x, c, None)
            else:
                wanted = [i for i, x in enumerate(node.inputs) if type(x) in NODES and x.requires_grad]
                for i, (x, c) in zip(wanted, edges, strict=True):
                    self._add(x, c, self._number(node, i, np.asarray(c), np.asarray(g), marks))

    def _number(self, node: Node, i: int, c: Array, g: Array, marks: Array | None) -> Array | None:
        """Return the numbers of the births of a contribution: inherited from the cotangent, or new."""
        bad = nonfinite(c)
        if not bad.any():
            return None
        born = np.zeros(c.shape, np.int64)
        if marks is not None and marks.ndim == 0 and node.op.elementwise:
            born = np.where(bad, marks, born)  # all that there is was computed from this one number
            self._turn(node, i, int(marks), bad & np.isnan(c), c, g, g)
            return born
        for k in np.unique(marks[marks > 0]).tolist() if marks is not None else ():
            mine = bad & (born == 0) & dependence(node, marks == k)[i]
            born[mine] = k
            self._turn(node, i, k, mine & np.isnan(c), c, g, g[marks == k])
        new = bad & (born == 0)
        if new.any():
            index = first_index(new)
            self.births.append(Birth(node, i, index, float(c[index]), g))
            born[new] = len(self.births)
        return born

    def _turn(self, node: Node, i: int, k: int, nans: Mask, c: Array, g: Array, before: Array) -> None:
        """Note where the infinity born as number ``k`` becomes nan: ``before`` is what its cotangent was."""
        if k not in self.turns and nans.any() and not np.isnan(before).any():
            index = first_index(nans)
            self.turns[k] = Birth(node, i, index, float(c[index]), g)

    def _add(self, x: Node, c: Any, born: Array | None) -> None:
        """Add a contribution to the gradient of a node; finite ones may add up to an infinity."""
        if x not in self.grads:
            self.grads[x] = c
            if born is not None:
                self.marks[x] = born
            return
        self.grads[x] = total = self.grads[x] + c
        marks = self.marks.get(x)
        if marks is None and born is None and is_finite(total):
            return
        nothing = np.zeros(np.shape(total), np.int64)
        marks, born = (nothing if m is None else m for m in (marks, born))
        marks = np.where((marks == 0) | ((born > 0) & (born < marks)), born, marks)
        new = nonfinite(total) & (marks == 0)
        if new.any():
            index = first_index(new)
            self.births.append(Birth(x, None, index, float(np.asarray(total)[index]), np.asarray(total)))
            marks[new] = len(self.births)
        self.marks[x] = marks


def search_backward(root: Node) -> Gradients:
    """Return the gradients of the leaves, and the first birth, from the root on, that reached one of them.

    A root of several elements is summed: its cotangent is 1 in each.

    Raises:
        GradientError: An op has no derivative.
        StaleError: An operand that a rule reads was overwritten after its use.
    """
    with np.errstate(all="ignore"):
        sweep = _Sweep(root)
    reached = {k for marks in sweep.born.values() for k in np.unique(marks[marks > 0]).tolist()}
    bad = {k for x, g in sweep.leaves.items() if (m := nonfinite(g)).any() for k in sweep.born[x][m].tolist()}
    if not bad:
        harmless = sweep.births[0] if sweep.births else None
        return Gradients(sweep.leaves, Search(), harmless)
    first = min(bad)
    return Gradients(sweep.leaves, Search(sweep.births[first - 1], sweep.turns.get(first), len(reached | bad) - 1))
