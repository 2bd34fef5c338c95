"""The walk over a recorded graph, from its outputs to its leaves."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from tinygrad_mlp.graph import Node

Wire = tuple[int, int, int]  # input, node, argument number


@dataclass(frozen=True)
class Walk:
    """A graph in numbers: ``found[i]`` is a node, or a raw constant; the outputs come first, the nearest before others.

    Attributes:
        found: nodes and constants.
        wires: the edges, ``(input, node, argument number)``, by node.
        outputs: how many of ``found`` are outputs.
    """

    found: list[Any]
    wires: list[Wire]
    outputs: int

    @cached_property
    def sources(self) -> list[list[int]]:
        """For each node its inputs, in the order of arguments."""
        lists: list[list[int]] = [[] for _ in self.found]
        for source, target, _ in self.wires:
            lists[target].append(source)
        return lists

    @cached_property
    def users(self) -> list[list[int]]:
        """For each node those that it is an input of, once for each argument."""
        lists: list[list[int]] = [[] for _ in self.found]
        for source, target, _ in self.wires:
            lists[source].append(target)
        return lists


def walk(roots: Sequence[Node]) -> Walk:
    """Return everything that ``roots`` depend on, breadth first.

    A constant array that is used twice is one constant, equal numbers are not.
    """
    found: list[Any] = list(dict.fromkeys(roots))
    outputs = len(found)
    index = {id(root): i for i, root in enumerate(found)}
    wires: list[Wire] = []
    queue = deque(range(outputs))
    while queue:
        at = queue.popleft()
        for slot, x in enumerate(found[at].inputs):
            if x is None:
                continue
            shared = isinstance(x, Node) or hasattr(x, "shape")
            to = index.get(id(x)) if shared else None
            if to is None:
                to = len(found)
                found.append(x)  # keeps x alive, so that its id stays its own
                if shared:
                    index[id(x)] = to
                if isinstance(x, Node):
                    queue.append(to)
            wires.append((to, at, slot))
    return Walk(found, wires, outputs)


def bottom_up(graph: Walk) -> list[int]:
    """Return the numbers of all nodes, inputs before what uses them."""
    sources = graph.sources
    waiting = [len(inputs) for inputs in sources]
    users = graph.users
    ready = [i for i, count in enumerate(waiting) if not count]
    order = []
    while ready:
        at = ready.pop()
        order.append(at)
        for user in users[at]:
            waiting[user] -= 1
            if not waiting[user]:
                ready.append(user)
    return order
