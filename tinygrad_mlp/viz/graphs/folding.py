"""Folding by structure: of a large graph, nodes that are computed alike become one, with their count.

A node's class is its operation and the classes of its inputs, so that the hundred copies of a neuron in a loop over a
hundred samples are one node of the picture. Before that, a run of one operation, such as the additions of a sum, is
one. Both keep the graph free of circles, and take time linear in it.
"""

from collections.abc import Hashable

from tinygrad_mlp.graph import Node

from .walk import Walk, bottom_up


def fold(graph: Walk) -> list[int]:
    """Return for each node of the walk the number of its class; the classes are numbered as the walk meets them."""
    chain = _runs(graph)
    users, sources = graph.users, graph.sources
    members: dict[int, list[int]] = {}
    for at, head in enumerate(chain):
        members.setdefault(head, []).append(at)
    classes = _classes(graph, chain, sources, members)
    for at, inputs in enumerate(sources):
        if not inputs and users[at]:  # leaves are told apart by what uses them
            classes[at] = classes[at], frozenset(classes[chain[user]] for user in users[at])
    numbers: dict[Hashable, int] = {}
    return [numbers.setdefault(classes[head], len(numbers)) for head in chain]


def _runs(graph: Walk) -> list[int]:
    """Return for each node the last node of its run: of one op, each used by nothing but the next."""
    users = graph.users
    last = list(range(len(graph.found)))
    for at in range(graph.outputs, len(last)):
        x = graph.found[at]
        if isinstance(x, Node) and x.op is not None and len(users[at]) == 1:
            user = graph.found[users[at][0]]
            if user.op is x.op and user.shape == x.shape and user.params == x.params:
                last[at] = users[at][0]
    for at in range(len(last)):
        path = [at]
        while last[path[-1]] != path[-1]:
            path.append(last[path[-1]])
        for passed in path:
            last[passed] = path[-1]
    return last


def _classes(
    graph: Walk, chain: list[int], sources: list[list[int]], members: dict[int, list[int]]
) -> dict[int, Hashable]:
    """Return the class of each run, by its last node."""
    numbers: dict[Hashable, int] = {}
    classes: dict[int, Hashable] = {}
    for at in bottom_up(graph):
        if chain[at] != at:
            continue
        run = members[at]
        inputs = [classes[chain[s]] for m in run for s in sources[m] if chain[s] != at]
        twice = len(run) == 1 and len(set(sources[at])) < len(sources[at])  # x·x is not x·y
        ordered = len(run) == 1 and len(inputs) <= 3
        below: Hashable = tuple(inputs) if ordered else frozenset(inputs)
        key = _label(graph.found[at], at < graph.outputs), below, twice
        classes[at] = numbers.setdefault(key, len(numbers))
    return classes


def _label(x: object, is_output: bool) -> Hashable:
    """Return what a node is, apart from its inputs."""
    shape = tuple(getattr(x, "shape", ()))
    if not isinstance(x, Node):
        return "constant", shape
    if x.op is None:
        return "parameter" if x.requires_grad else "input", shape, is_output
    params = tuple((name, repr(value)) for name, value in x.params.items() if not hasattr(value, "shape"))
    return x.op.name, shape, params, is_output
