"""A recorded graph with some of its operations taken apart: a graph like any other, that can be drawn and run back."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tinygrad_mlp.backward import cotangents
from tinygrad_mlp.errors import TinygradError
from tinygrad_mlp.graph import NODES, Meta, Node, new
from tinygrad_mlp.viz.graphs.naming import Names
from tinygrad_mlp.viz.graphs.walk import Walk, bottom_up, walk
from tinygrad_mlp.viz.labels import clean, shorten

from .cells import Cells, cells, filled
from .choosing import Choice, Wanted, choose
from .gathering import element_name, gathered, leaf_cell, picked, spelled
from .trial import constant_cells, is_single, taken_apart


@dataclass
class Unfolded:
    """A graph with operations taken apart.

    Attributes:
        root: what was the root; an array of its elements, if it was an array that was taken apart.
        choice: what was taken apart.
        constants: the nodes that stand for elements of constant arrays.
        stands_for: for each new node the node of the graph that it belongs to.
        cells: the elements of the nodes that were taken apart, and of their operands.
        others: whether ``.grad`` of leaves is not the gradient of this graph alone, which inner nodes show.
    """

    root: Node
    choice: Choice
    constants: set[Node] = field(default_factory=set)
    stands_for: dict[Node, Node] = field(default_factory=dict)
    cells: dict[Node, Cells] = field(default_factory=dict)
    others: bool = False


def unfold(
    root: Node, wanted: Wanted = None, *, names: Any = None, budget: int | None = None, force: bool = False
) -> Unfolded:
    """Return the graph of ``root`` with operations taken apart into those of single numbers.

    The numbers are those of the graph, and so are the gradients: an operation for which they would not be stays whole.
    Nothing of the given graph changes.

    Args:
        root: a recorded result.
        wanted: None for all tensor operations if ``budget`` has room for that, and none otherwise; or nodes, or names
            of nodes, operations or modules.
        names: names for nodes without one.
        budget: how many nodes there may be; None for any number.
        force: allow more than 2,500 nodes.

    Raises:
        LayoutError: there would be more than 2,500 nodes.
        UnsupportedError: no operation has a name that is wanted.

    >>> import tinygrad_mlp as tg
    >>> x, w = tg.Tensor([1.0, 2.0], name="x"), tg.Tensor([3.0, 4.0], name="w")
    >>> unfold(x @ w).root.op, (x @ w).op
    (<op add>, <op matmul>)
    """
    if wanted is None and is_single(root):  # whose graph is single numbers throughout, maybe a million of them
        return Unfolded(root, Choice())
    names = names if isinstance(names, Names) else Names(names)
    graph = walk([root])
    choice = choose(graph, wanted, names, budget, force)
    return _Builder(graph, choice, names).build() if choice.apart else Unfolded(root, choice)


class _Builder:
    """Makes the new graph, inputs first."""

    def __init__(self, graph: Walk, choice: Choice, names: Names) -> None:
        self.graph, self.choice, self.names = graph, choice, names
        self.made = Unfolded(graph.found[0], choice)
        self.raw: dict[int, Cells] = {}  # the elements of constants, by id
        self.tensors: dict[Node, Any] = {}  # what stands for a node where it is wanted whole
        self.kept = {
            id(x)
            for node in graph.found
            if type(node) in NODES and node not in choice.apart
            for x in node.inputs
            if type(x) in NODES and x.op is None
        }

    def build(self) -> Unfolded:
        for at in bottom_up(self.graph):
            node = self.graph.found[at]
            if type(node) not in NODES:
                continue
            if node in self.choice.apart:
                self._take_apart(node)
            elif node.op is not None:
                self._carry_over(node)
        self.made.root = self._whole(self.graph.found[0])
        self._leave_gradients()
        return self.made

    # -- one node

    def _take_apart(self, node: Node) -> None:
        operands = [x if x is None else self._cells_of(x) for x in node.inputs]
        shifts = self.choice.apart[node].shifts
        y = taken_apart(node.op, operands, dict(node.params), shifts, is_single(node))
        known = {id(x) for grid in operands if grid is not None for x in grid.flat}
        name, shape = self.names.of(node), tuple(node.shape)
        for index, x in zip(spelled(node), y.flat, strict=True):
            fresh = type(x) in NODES and id(x) not in known and x not in self.made.stands_for
            self._adopt(x, node, known)
            if fresh and x in self.made.stands_for:
                x.name = element_name(name, index, shape)
        self.made.cells[node] = y

    def _adopt(self, x: Any, node: Node, known: set[int]) -> None:
        """Let what was made for ``node`` be as old as it, and lie where it lies."""
        stack = [x]
        while stack:
            x = stack.pop()
            if type(x) in NODES and x.op is not None and id(x) not in known and x not in self.made.stands_for:
                x.tick = node.tick
                if node.source or node.scope is not None:
                    x.meta = Meta(x.meta, "", node.source, node.scope)
                self.made.stands_for[x] = node
                stack += x.inputs

    def _carry_over(self, node: Node) -> None:
        """Let a node stay as it is; a copy, if its inputs have become others."""
        inputs = tuple(self._whole(x) if type(x) in NODES else x for x in node.inputs)
        if all(a is b for a, b in zip(inputs, node.inputs, strict=True)):
            self.tensors[node] = node
            return
        copy = new(type(node))
        for slot in Node.__slots__:
            setattr(copy, slot, getattr(node, slot))
        copy.meta = Meta(node.meta, self.names.of(node), node.source, node.scope)
        copy.set_inputs(inputs)
        if hasattr(node, "saved"):
            copy.saved = node.saved
        self.tensors[node] = copy

    def _whole(self, node: Any) -> Any:
        """Return what stands for a node: itself, its copy, or the array of its elements."""
        if node in self.tensors:
            return self.tensors[node]
        if node not in self.choice.apart:
            return node
        grid = self.made.cells[node]
        if grid.size == 1 and (is_single(node) or node is self.graph.found[0]) and type(grid.flat[0]) in NODES:
            return grid.flat[0]
        self.tensors[node] = made = gathered(grid, node, self.names.of(node))
        self.made.stands_for[made] = node
        return made

    def _cells_of(self, x: Any) -> Cells:
        """Return the elements of an operand: those it was taken apart into, or picked from it."""
        if type(x) not in NODES:
            if id(x) not in self.raw:
                self.raw[id(x)] = self._constants(x)
            return self.raw[id(x)]
        if x not in self.made.cells:
            self.made.cells[x] = self._elements(x)
        return self.made.cells[x]

    def _constants(self, x: Any) -> Cells:
        found: Cells = constant_cells(x)
        name = self.names.of(x)
        for index, cell in zip(np.ndindex(found.shape), found.flat, strict=True):
            if type(cell) in NODES:
                cell.name = element_name(name, index, found.shape)
                self.made.constants.add(cell)
        return found

    def _elements(self, x: Any) -> Cells:
        tensor, name, shape = self._whole(x), self.names.of(x), tuple(x.shape)
        if is_single(x):
            return cells(tensor)
        data = np.asarray(x._payload)
        if data.dtype.kind != "f":
            return cells(data)
        if x.op is None and id(x) not in self.kept:
            grad = x._grad if type(x._grad) not in NODES else x._grad._payload
            flat = [
                leaf_cell(data[i], element_name(name, i, shape), x, None if grad is None else np.asarray(grad)[i])
                for i in spelled(x)
            ]
        else:
            flat = [picked(tensor, i, element_name(name, i, shape)) for i in spelled(x)]
        self.made.stands_for.update(dict.fromkeys(flat, x))
        return Cells(filled(shape, flat))

    # -- gradients

    def _leave_gradients(self) -> None:
        """Leave gradients on what is new, if ``backward()`` has left some on the leaves."""
        old = self.graph.found[0]
        graded = any(type(x) in NODES and x.op is None and x._grad is not None for x in self.graph.found)
        if not graded or (old._grad is None and old.size != 1):
            return
        seed: Any = getattr(old._grad, "_payload", old._grad)
        if seed is not None:
            seed = float(np.asarray(seed).item()) if is_single(self.made.root) else np.asarray(seed)
        try:
            found = cotangents(self.made.root, seed, keep=True)
        except TinygradError:
            return
        for node, g in found.items():
            if node in self.made.stands_for and node.op is not None:
                node._grad = g if is_single(node) else np.array(g)
            elif node.op is None and node._grad is not None:
                known = node._grad._payload if type(node._grad) in NODES else node._grad
                self.made.others |= not np.allclose(known, g, rtol=1e-4, atol=1e-6, equal_nan=True)


def whole(unfolded: Unfolded, names: Names) -> Sequence[str]:
    """Return remarks: which operations stay whole, and why."""
    choice = unfolded.choice
    remarks = []
    if choice.large:
        remarks.append(f"whole, for want of room: {_listed(choice.large, names)}; {choice.remedy}")
    reasons: dict[str, list[Node]] = {}
    for node, reason in choice.refused.items():
        reasons.setdefault(reason, []).append(node)
    remarks += [f"whole: {_listed(nodes, names)}: {reason}" for reason, nodes in reasons.items()]
    return remarks


def _listed(nodes: Iterable[Node], names: Names) -> str:
    words = list(dict.fromkeys(shorten(clean(names.of(node) or node.op.name)) for node in nodes))
    return ", ".join(words[:6]) + (f" and {len(words) - 6} more" if len(words) > 6 else "")
