"""Layers for graphs with frames: what flows from frame to frame lies below it, so that frames stack like blocks.

Each frame gets a roof above its nodes and a floor below them (Sander, "Layout of compound directed graphs", 1996). An
edge between two frames then says that the floor of the one is above the roof of the other, unless they feed each other.
"""

from collections.abc import Sequence

from .ranks import Edge, ranks


def nested_ranks(
    count: int, edges: list[Edge], lengths: list[int], parents: Sequence[int], home: Sequence[int]
) -> list[int]:
    """Return the layer of each node, 0 for sinks, such that frames are apart along where that is possible.

    Args:
        count: How many nodes there are.
        edges: Pairs (source, target) without cycles.
        lengths: How many layers each edge crosses at least.
        parents: The frame around each frame, -1 at the top.
        home: The innermost frame of each node, -1 for none.
    """
    ways = [_around(parents, frame) for frame in home]
    items = [_items(count, edge, ways) for edge in edges]
    cyclic = _on_cycles(count + len(parents), items)

    def roof(item: int) -> int:
        return item if item < count else 2 * item - count

    def floor(item: int) -> int:
        return item if item < count else 2 * item - count + 1

    arcs, least = list(edges), list(lengths)
    for (s, t), length in zip(items, lengths, strict=True):
        if not (cyclic[s] and cyclic[t]) and (s >= count or t >= count):
            arcs.append((floor(s), roof(t)))
            least.append(length)
    for item in range(count + len(parents)):
        frame = home[item] if item < count else parents[item - count]
        if frame >= 0:
            arcs += [(roof(count + frame), roof(item)), (floor(item), floor(count + frame))]
            least += [0, 0]
        if item >= count:
            arcs.append((roof(item), floor(item)))
            least.append(0)
    total = count + 2 * len(parents)
    found = ranks(total, arcs, least)
    if any(found[s] < found[t] + length for (s, t), length in zip(arcs, least, strict=True)):
        return ranks(count, edges, lengths)  # frames that feed each other by way of others
    return found[:count]


def _around(parents: Sequence[int], frame: int) -> list[int]:
    found = []
    while frame >= 0:
        found.append(frame)
        frame = parents[frame]
    return found[::-1]


def _items(count: int, edge: Edge, ways: list[list[int]]) -> Edge:
    """Return what an edge joins inside the innermost frame around both of its ends: nodes, or frames around them."""
    source, target = edge
    shared = 0
    for a, b in zip(ways[source], ways[target], strict=False):
        if a != b:
            break
        shared += 1
    s = count + ways[source][shared] if len(ways[source]) > shared else source
    t = count + ways[target][shared] if len(ways[target]) > shared else target
    return s, t


def _on_cycles(count: int, edges: list[Edge]) -> list[bool]:
    """Return what is on a cycle, or between two: what remains when sources and sinks are taken away again and again."""
    gone = [False] * count
    for forward in (True, False):
        after: list[list[int]] = [[] for _ in range(count)]
        waiting = [0] * count
        for source, target in edges:
            a, b = (source, target) if forward else (target, source)
            after[a].append(b)
            waiting[b] += not gone[a]
        ready = [v for v in range(count) if not waiting[v] and not gone[v]]
        while ready:
            v = ready.pop()
            gone[v] = True
            for w in after[v]:
                waiting[w] -= 1
                if not waiting[w] and not gone[w]:
                    ready.append(w)
    return [not g for g in gone]
