"""A layered layout of a directed acyclic graph, for machines without Graphviz.

Sugiyama, Tagawa and Toda (1981): nodes go to layers by longest path, long edges get a bend in every layer that they
cross, sweeps of barycentres order each layer, and least squares with minimum distances (isotonic regression) give the
coordinates.
"""

from bisect import bisect_right, insort
from dataclasses import dataclass
from itertools import pairwise

GAP = 26.0  # between neighbours of one layer
LAYER_GAP = 44.0
BEND = 12.0  # the room that an edge needs where it passes a layer
SWEEPS = 12

Point = tuple[float, float]


@dataclass(frozen=True)
class Layout:
    """Where everything lies: ``(across, along)``, along being the direction of the edges."""

    centres: list[Point]
    routes: list[list[Point]]
    breadth: float
    depth: float


class _Layers:
    """The graph with its bends: ``above[v]`` and ``below[v]`` are the neighbours of ``v`` in the adjacent layers."""

    def __init__(self, count: int, edges: list[tuple[int, int]]) -> None:
        self.rank = _ranks(count, edges)
        self.above: list[list[int]] = [[] for _ in range(count)]
        self.below: list[list[int]] = [[] for _ in range(count)]
        self.chains: list[list[int]] = []
        for source, target in edges:
            chain = [source]
            for rank in range(self.rank[source] - 1, self.rank[target], -1):
                chain.append(len(self.rank))
                self.rank.append(rank)
                self.above.append([])
                self.below.append([])
            chain.append(target)
            for u, v in pairwise(chain):
                self.below[u].append(v)
                self.above[v].append(u)
            self.chains.append(chain)
        self.order = self._first_order()

    def _first_order(self) -> list[list[int]]:
        """Order every layer as a walk from the output meets it, first argument first."""
        order: list[list[int]] = [[] for _ in range(max(self.rank) + 1)]
        seen = [False] * len(self.rank)
        sinks = [v for v in range(len(self.rank)) if not self.below[v]]
        stack = sinks[::-1]
        while stack:
            v = stack.pop()
            if not seen[v]:
                seen[v] = True
                order[self.rank[v]].append(v)
                stack.extend(reversed(self.above[v]))
        return order

    def untangle(self) -> None:
        """Reorder the layers by barycentres, sweeping up and down, and keep the order with the fewest crossings."""
        best, fewest = [list(layer) for layer in self.order], self.crossings()
        for sweep in range(SWEEPS):
            if fewest == 0:
                break
            up = sweep % 2 == 0
            neighbours = self.below if up else self.above
            ranks = range(1, len(self.order)) if up else range(len(self.order) - 2, -1, -1)
            for rank in ranks:
                place = {v: i for i, v in enumerate(self.order[rank - 1 if up else rank + 1])}
                now = {v: float(i) for i, v in enumerate(self.order[rank])}
                for v in self.order[rank]:
                    if neighbours[v]:
                        now[v] = sum(place[u] for u in neighbours[v]) / len(neighbours[v])
                self.order[rank].sort(key=now.__getitem__)
            count = self.crossings()
            if count < fewest:
                best, fewest = [list(layer) for layer in self.order], count
        self.order = best

    def crossings(self) -> int:
        """Return how many pairs of edges cross."""
        total = 0
        for rank in range(1, len(self.order)):
            place = {v: i for i, v in enumerate(self.order[rank - 1])}
            seen: list[int] = []
            for v in self.order[rank]:
                ends = sorted(place[u] for u in self.below[v])
                total += sum(len(seen) - bisect_right(seen, end) for end in ends)
                for end in ends:
                    insort(seen, end)
        return total


def arrange(sizes: list[Point], edges: list[tuple[int, int]]) -> Layout:
    """Return positions for nodes of the given sizes ``(across, along)``, sources first, sinks last along the way.

    Args:
        sizes: One pair a node, at least one node.
        edges: Pairs (source, target) of indices, in the order of the target's arguments; doubled edges are kept.
    """
    layers = _Layers(len(sizes), edges)
    layers.untangle()
    breadths = [across for across, _ in sizes] + [BEND] * (len(layers.rank) - len(sizes))
    across = _coordinates(layers, breadths, len(sizes))
    thickness = [max(sizes[v][1] if v < len(sizes) else 0.0 for v in layer) for layer in layers.order]
    along, at = [0.0] * len(layers.order), 0.0
    for rank in range(len(layers.order) - 1, -1, -1):
        along[rank] = at + thickness[rank] / 2
        at += thickness[rank] + LAYER_GAP
    centres = [(across[v], along[layers.rank[v]]) for v in range(len(layers.rank))]
    routes = _routes(layers, sizes, centres)
    breadth = max(centres[v][0] + breadths[v] / 2 for v in range(len(centres)))
    return Layout(centres[: len(sizes)], routes, breadth, at - LAYER_GAP)


def _ranks(count: int, edges: list[tuple[int, int]]) -> list[int]:
    """Return each node's longest distance to a sink, so that a leaf lies just before its first use."""
    sources: list[list[int]] = [[] for _ in range(count)]
    waiting = [0] * count
    for source, target in edges:
        sources[target].append(source)
        waiting[source] += 1
    rank = [0] * count
    ready = [v for v in range(count) if not waiting[v]]
    while ready:
        v = ready.pop()
        for u in sources[v]:
            rank[u] = max(rank[u], rank[v] + 1)
            waiting[u] -= 1
            if not waiting[u]:
                ready.append(u)
    return rank


def _coordinates(layers: _Layers, breadths: list[float], real: int) -> list[float]:
    """Return a coordinate across for every node and bend: near their neighbours, in order, and not overlapping."""
    x = [0.0] * len(breadths)
    for layer in layers.order:
        at = 0.0
        for v in layer:
            x[v] = at + breadths[v] / 2
            at += breadths[v] + GAP
    last = len(layers.order)
    for sweep in range(SWEEPS):
        up = sweep % 2 == 0
        for rank in range(last) if up else range(last - 1, -1, -1):
            layer = layers.order[rank]
            wanted, weights = [], []
            for v in layer:
                below, above = layers.below[v], layers.above[v]
                near = below + above if sweep > SWEEPS // 2 else below if up else above
                pull = [4.0 if u >= real and v >= real else 1.0 for u in near]  # long edges run straight
                wanted.append(sum(p * x[u] for p, u in zip(pull, near, strict=True)) / sum(pull) if near else x[v])
                weights.append(sum(pull) if near else 0.1)
            gaps = [(breadths[u] + breadths[v]) / 2 + GAP for u, v in pairwise(layer)]
            for v, place in zip(layer, _separate(wanted, weights, gaps), strict=True):
                x[v] = place
    left = min(x[v] - breadths[v] / 2 for v in range(len(x)))
    return [place - left for place in x]


def _separate(wanted: list[float], weights: list[float], gaps: list[float]) -> list[float]:
    """Return the places nearest to ``wanted`` (weighted least squares) whose distances are at least ``gaps``.

    Without the gaps this is isotonic regression, solved by pooling adjacent violators.
    """
    offsets = [0.0]
    for gap in gaps:
        offsets.append(offsets[-1] + gap)
    blocks: list[tuple[float, float, int]] = []  # mean, weight, length
    for want, weight, offset in zip(wanted, weights, offsets, strict=True):
        mean, total, length = want - offset, weight, 1
        while blocks and blocks[-1][0] > mean:
            other, w, n = blocks.pop()
            mean, total, length = (mean * total + other * w) / (total + w), total + w, length + n
        blocks.append((mean, total, length))
    flat = [mean for mean, _, length in blocks for _ in range(length)]
    return [place + offset for place, offset in zip(flat, offsets, strict=True)]


def _routes(layers: _Layers, sizes: list[Point], centres: list[Point]) -> list[list[Point]]:
    """Return the points of every edge, from the source's lower side to its own place on the target's upper side."""
    entries: dict[int, list[int]] = {}
    for number, chain in enumerate(layers.chains):
        entries.setdefault(chain[-1], []).append(number)
    ports = [0.0] * len(layers.chains)
    for target, numbers in entries.items():
        numbers.sort(key=lambda n: centres[layers.chains[n][-2]][0])  # stable: equal ones stay in argument order
        step = min(18.0, 0.7 * sizes[target][0] / len(numbers))
        for i, n in enumerate(numbers):
            ports[n] = centres[target][0] + step * (i - (len(numbers) - 1) / 2)
    routes = []
    for number, chain in enumerate(layers.chains):
        source, target = chain[0], chain[-1]
        start = (centres[source][0], centres[source][1] + sizes[source][1] / 2)
        end = (ports[number], centres[target][1] - sizes[target][1] / 2)
        routes.append([start, *(centres[v] for v in chain[1:-1]), end])
    return routes
