"""Which nodes a picture of paths shows: all that lie on paths if they are few, otherwise those of the largest alone."""

from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

from tinygrad_mlp.graph import Node
from tinygrad_mlp.paths import Path, Paths

RUN = 4  # so many nodes in a row, with one way through them, become one node of a large picture

Wire = tuple[int, int, Node, int]  # from the group of the input to that of the node, whose argument it is, by number


@dataclass(frozen=True)
class Trails:
    """What is shown of a graph.

    Attributes:
        groups: nodes and constants, each by itself or several in a row; the result comes first.
        wires: the edges between them.
        lit: the paths that are lit.
    """

    groups: list[list[Any]]
    wires: list[Wire]
    lit: tuple[Path, ...]


def trails(paths: Paths, budget: int | None) -> Trails:
    """Return what is shown of a graph: ``budget`` nodes, and at least the largest path, folded as far as need be."""
    nodes: dict[Hashable, Any] = {id(node): node for node in paths.nodes}
    for shown in ({**nodes, **_inputs(paths.nodes)}, nodes):
        if budget is None or len(shown) <= budget:
            return Trails([[x] for x in shown.values()], _wires(shown), paths.largest)
    found = _lit(paths, paths.largest[:1], alike=False)
    for n in range(len(paths.largest), 0, -1):
        for alike in (True, False):
            found = _lit(paths, paths.largest[:n], alike)
            if budget is None or len(found.groups) <= budget:
                return found
    return found


def _key(node: Node, slot: int) -> Hashable:
    """Return what tells an operand from others: equal numbers are not one constant, one array is."""
    x = node.inputs[slot]
    return id(x) if isinstance(x, Node) or hasattr(x, "shape") else (id(node), slot)


def _inputs(nodes: Sequence[Node]) -> dict[Hashable, Any]:
    """Return the operands of all nodes but the last, by their keys."""
    return {_key(node, i): x for node in nodes[:-1] for i, x in enumerate(node.inputs) if x is not None}


def _wires(shown: dict[Hashable, Any]) -> list[Wire]:
    """Return all edges between what is shown."""
    places = {key: i for i, key in enumerate(shown)}
    return [
        (places[key], at, node, slot)
        for at, node in enumerate(shown.values())
        if isinstance(node, Node)
        for slot in range(len(node.inputs))
        if (key := _key(node, slot)) in places
    ]


def _lit(paths: Paths, lit: Sequence[Path], alike: bool) -> Trails:
    """Return the nodes and edges of some paths, rows without a fork folded: of one operation each, if ``alike``."""
    steps = {(id(node), slot): (node, slot) for path in lit for node, slot in path.steps}
    known = {id(node) for path in lit for node in path.nodes}
    outs = Counter(id(node) for node, _ in steps.values())
    ins = Counter(id(node.inputs[slot]) for node, slot in steps.values())
    user = {id(node.inputs[slot]): node for node, slot in steps.values()}
    rows: list[list[Any]] = []
    place: dict[int, int] = {}
    for node in paths.nodes:
        if id(node) not in known:
            continue
        before = user.get(id(node))
        inner = before is not None and before is not paths.root and node is not paths.to
        if before is not None and inner and ins[id(node)] == outs[id(before)] == 1 and _follows(node, before, alike):
            place[id(node)] = place[id(before)]
            rows[place[id(node)]].append(node)
        else:
            place[id(node)] = len(rows)
            rows.append([node])
    groups = [part for row in rows for part in ([row] if len(row) >= RUN else [[node] for node in row])]
    place = {id(node): i for i, group in enumerate(groups) for node in group}
    wires = [(place[id(node.inputs[slot])], place[id(node)], node, slot) for node, slot in steps.values()]
    return Trails(groups, sorted((w for w in wires if w[0] != w[1]), key=lambda w: (w[1], w[3])), tuple(lit))


def _follows(node: Node, before: Node, alike: bool) -> bool:
    return not alike or (node.op is before.op and node.shape == before.shape)
