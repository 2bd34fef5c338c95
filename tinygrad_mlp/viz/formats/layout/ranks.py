"""The layer of every node: its longest distance to a sink; and which edges to turn where a graph has cycles."""

Edge = tuple[int, int]


def turned(count: int, edges: list[Edge]) -> list[bool]:
    """Return which edges must be turned round for the graph to have no cycle: those that a depth-first walk meets.

    A recorded graph has none; where far nodes are folded into one, the result may have some.
    """
    leaving: list[list[int]] = [[] for _ in range(count)]
    for number, (source, _) in enumerate(edges):
        leaving[source].append(number)
    back = [False] * len(edges)
    state = [0] * count  # 1 while the walk is below the node, 2 afterwards
    for root in range(count):
        stack = [root] if not state[root] else []
        while stack:
            v = stack[-1]
            state[v] = max(state[v], 1)
            if leaving[v]:
                number = leaving[v].pop()
                target = edges[number][1]
                if state[target] == 0:
                    stack.append(target)
                back[number] = state[target] == 1
            else:
                state[stack.pop()] = 2
    return back


def ranks(count: int, edges: list[Edge], lengths: list[int]) -> list[int]:
    """Return each node's longest distance to a sink, so that a leaf lies just before its first use.

    Args:
        count: How many nodes there are.
        edges: Pairs (source, target) without cycles.
        lengths: How many layers each edge crosses at least.
    """
    entering: list[list[int]] = [[] for _ in range(count)]
    waiting = [0] * count
    for number, (source, target) in enumerate(edges):
        entering[target].append(number)
        waiting[source] += 1
    rank = [0] * count
    ready = [v for v in range(count) if not waiting[v]]
    while ready:
        v = ready.pop()
        for number in entering[v]:
            u = edges[number][0]
            rank[u] = max(rank[u], rank[v] + lengths[number])
            waiting[u] -= 1
            if not waiting[u]:
                ready.append(u)
    return rank


def heights(count: int, edges: list[Edge]) -> list[int]:
    """Return each node's longest distance from a leaf: 0 for leaves."""
    return ranks(count, [(target, source) for source, target in edges], [1] * len(edges))
