"""What moves as one: the bends of an edge inside a frame, the border of a frame, and the spine of the graph.

Bodies are paths of vertices in adjacent layers that never cross (Brandes and Köpf, "Fast and simple horizontal
coordinate assignment", 2002), so that 'left of' has no cycles among them.
"""

from bisect import bisect
from dataclasses import dataclass
from itertools import pairwise

from .layers import Layers
from .spacing import distance

BORDER, TRACK, SPINE, BEND = 4, 3, 2, 1  # what is straightened first

Arc = tuple[int, float]  # another body, and the least distance


@dataclass
class Sides:
    """The borders of a frame, what stands next to them inside it, and its least breadth."""

    left: int
    right: int
    first: list[Arc]
    last: list[Arc]
    least: float


@dataclass
class Bodies:
    """The bodies of a layered graph.

    Attributes:
        of: the body of each vertex.
        order: the bodies, each after all that are to its left.
        lefts, rights: the neighbours of each body, with their least distances.
        pulls: the bodies that each is joined to by edges, with weights.
        sides: the frames, inner ones before outer ones.
    """

    of: list[int]
    order: list[int]
    lefts: list[list[Arc]]
    rights: list[list[Arc]]
    pulls: list[list[Arc]]
    sides: list[Sides]


def bodies(layers: Layers, x: list[float], stray: float) -> Bodies:
    """Return the bodies of ``layers``, whose order is final.

    Args:
        layers: The graph.
        x: Where the vertices would be without bodies.
        stray: How far a vertex may be from where its body began.
    """
    of = _joined(layers, x, stray)
    count = max(of) + 1
    gaps: dict[tuple[int, int], float] = {}
    for layer in layers.order:
        for u, v in pairwise(layer):
            pair = (of[u], of[v])
            gaps[pair] = max(gaps.get(pair, 0.0), distance(layers, u, v))
    sides = _sides(layers, of, gaps)
    for frame in sides:
        pair = (frame.left, frame.right)
        gaps[pair] = max(gaps.get(pair, 0.0), frame.least)
    lefts: list[list[Arc]] = [[] for _ in range(count)]
    rights: list[list[Arc]] = [[] for _ in range(count)]
    for (a, b), gap in gaps.items():
        rights[a].append((b, gap))
        lefts[b].append((a, gap))
    return Bodies(of, _order(lefts, rights), lefts, rights, _pulls(layers, of, count), sides)


def _joined(layers: Layers, x: list[float], stray: float) -> list[int]:
    """Return the body of every vertex: in each pair of layers those are joined that matter most and do not cross."""
    of = [-1] * len(layers.rank)
    begun: list[float] = []
    count = 0
    segments = _segments(layers)
    for rank in range(len(layers.order) - 1, -1, -1):
        place = {v: i for i, v in enumerate(layers.order[rank])}
        above = layers.order[rank + 1] if rank + 1 < len(layers.order) else []
        at = {v: i for i, v in enumerate(above)}
        found = sorted((-weight, at[u], place[v], u, v) for u, v, weight in segments[rank])
        taken: list[tuple[int, int]] = []
        for importance, i, j, u, v in found:
            if -importance < BORDER and abs(x[v] - begun[of[u]]) > stray:
                continue
            k = bisect(taken, (i, j))
            if (k and (taken[k - 1][0] >= i or taken[k - 1][1] >= j)) or (
                k < len(taken) and (taken[k][0] <= i or taken[k][1] <= j)
            ):
                continue
            taken.insert(k, (i, j))
            of[v] = of[u]
        for v in layers.order[rank]:
            if of[v] < 0:
                of[v] = count
                count += 1
                begun.append(x[v])
    return of


def _segments(layers: Layers) -> list[list[tuple[int, int, int]]]:
    """Return, for each layer, what could be joined to the layer above it: upper vertex, lower vertex, importance."""
    segments: list[list[tuple[int, int, int]]] = [[] for _ in layers.order]
    for chain, straight in zip(layers.chains, layers.straight, strict=True):
        for u, v in pairwise(chain):
            weight = SPINE if straight else 0
            if u >= layers.nodes and v >= layers.nodes:
                weight = TRACK if layers.home[u] == layers.home[v] else BEND
            if weight:
                segments[layers.rank[v]].append((u, v, weight))
    sides: dict[tuple[int, int], int] = {}
    for v, border in layers.borders.items():  # rank by rank, from below
        if border in sides:
            segments[layers.rank[sides[border]]].append((v, sides[border], BORDER))
        sides[border] = v
    return segments


def _sides(layers: Layers, of: list[int], gaps: dict[tuple[int, int], float]) -> list[Sides]:
    found: dict[int, Sides] = {}
    ends = {border: of[v] for v, border in layers.borders.items()}
    for frame, (low, high) in enumerate(layers.spans):
        if low <= high:
            found[frame] = Sides(ends[frame, 0], ends[frame, 1], [], [], layers.frames[frame].least[0])
    for layer in layers.order:
        for u, v in pairwise(layer):
            a, b = layers.borders.get(u, (-1, -1)), layers.borders.get(v, (-1, -1))
            if a[0] == b[0]:
                continue  # nothing between the two borders here, or no border at all
            arc = gaps[of[u], of[v]]
            if a[1] == 0:
                found[a[0]].first.append((of[v], arc))
            if b[1] == 1:
                found[b[0]].last.append((of[u], arc))
    return [found[frame] for frame in sorted(found, reverse=True)]


def _order(lefts: list[list[Arc]], rights: list[list[Arc]]) -> list[int]:
    waiting = [len(arcs) for arcs in lefts]
    order = [b for b, many in enumerate(waiting) if not many]
    for b in order:  # grows while it is read
        for other, _ in rights[b]:
            waiting[other] -= 1
            if not waiting[other]:
                order.append(other)
    return order


def _pulls(layers: Layers, of: list[int], count: int) -> list[list[Arc]]:
    pulls: list[list[Arc]] = [[] for _ in range(count)]
    for v, near in enumerate(layers.below):
        for u in near:
            if of[u] != of[v]:
                light = v < layers.nodes and not layers.above[v]  # a leaf goes where it is used
                pulls[of[v]].append((of[u], 1.0))
                pulls[of[u]].append((of[v], 0.3 if light else 1.0))
    return pulls
