"""Which nodes of a graph are one node of the picture: closed modules, then what is alike, until it fits the budget."""

from collections.abc import Iterable
from dataclasses import dataclass

from .closing import Closed, closed
from .folding import fold
from .frames import Frames
from .naming import Names
from .walk import Walk


@dataclass(frozen=True)
class Grouping:
    """A partition of a walk without circles.

    Attributes:
        of: for each node the number of its group; groups are numbered as the walk meets them.
        members: for each group its nodes.
        modules: for a group that is a closed module, which.
        frames: the frames of the graph.
        alike: whether nodes were folded by structure.
    """

    of: list[int]
    members: list[list[int]]
    modules: dict[int, Closed]
    frames: Frames
    alike: bool


def group(
    graph: Walk,
    names: Names,
    budget: int | None,
    depth: int | None = None,
    collapse: Iterable[str] = (),
    expand: Iterable[str] = (),
) -> Grouping:
    """Return the groups of a graph: as few folds as bring it under the budget, beside those that are asked for.

    Raises:
        UnsupportedError: no module has a name of ``collapse`` or ``expand``.
    """
    frames = Frames(graph, names)
    shut, opened = frames.named(collapse, "collapse"), frames.named(expand, "expand")
    deepest = max((frame.depth for frame in frames.all()), default=-1)
    fits = budget is None or len(graph.found) <= budget
    found = None
    if fits or deepest >= 0:
        found = _partition(graph, frames, closed(graph, frames, depth, shut - opened, opened))
        while budget is not None and len(found.members) > budget and depth is None and deepest >= 0:
            found = _partition(graph, frames, closed(graph, frames, deepest, shut - opened, opened))
            deepest -= 1
        fits = budget is None or len(found.members) <= budget
    if found is not None and fits:
        return found
    folded = _partition(graph, frames, (), fold(graph))
    return folded if found is None or len(folded.members) < len(found.members) else found


def _partition(graph: Walk, frames: Frames, modules: Iterable[Closed], alike: list[int] | None = None) -> Grouping:
    """Return the groups, those that a circle runs through merged."""
    label = list(range(len(graph.found))) if alike is None else list(alike)
    fresh = len(graph.found)
    titles: dict[int, Closed] = {}
    for module in modules:
        titles[fresh] = module
        for at in module.nodes:
            label[at] = fresh
        fresh += 1
    if titles:
        _merge_circles(graph, label)
    numbers: dict[int, int] = {}
    members: list[list[int]] = []
    for at, name in enumerate(label):
        number = numbers.setdefault(name, len(numbers))
        if number == len(members):
            members.append([])
        members[number].append(at)
    folds = alike is not None and len(members) < len(label)
    known = {numbers[name]: module for name, module in titles.items() if name in numbers}
    return Grouping([numbers[name] for name in label], members, known, frames, folds)


def _merge_circles(graph: Walk, label: list[int]) -> None:
    """Give the nodes of groups that depend on one another one label: what lies between closed modules joins them."""
    sources: dict[int, list[int]] = {name: [] for name in label}
    users: dict[int, list[int]] = {name: [] for name in label}
    for source, target, _ in graph.wires:
        sources[label[target]].append(label[source])
        users[label[source]].append(label[target])
    merged: dict[int, int] = {}
    for name in reversed(_finished(users)):  # Kosaraju and Sharir: components by a second walk, the other way
        if name in merged:
            continue
        component, stack = [], [name]
        merged[name] = name
        while stack:
            component.append(stack.pop())
            for other in sources[component[-1]]:
                if other not in merged:
                    merged[other] = name
                    stack.append(other)
        keep = max(component)  # the label of a module, if there is one
        merged.update(dict.fromkeys(component, keep))
    label[:] = [merged[name] for name in label]


def _finished(after: dict[int, list[int]]) -> list[int]:
    """Return the nodes of a graph in the order in which a walk into its depth is done with them."""
    order: list[int] = []
    seen: set[int] = set()
    for start, first in after.items():
        stack = [(start, iter(first))] if start not in seen else []
        seen.add(start)
        while stack:
            name, others = stack[-1]
            deeper = next((other for other in others if other not in seen), None)
            if deeper is None:
                order.append(name)
                stack.pop()
            else:
                seen.add(deeper)
                stack.append((deeper, iter(after[deeper])))
    return order
