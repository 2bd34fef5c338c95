"""Coordinates along, the boxes of frames, and the points of every edge."""

from dataclasses import dataclass

from .layers import Layers, Point
from .spacing import separate

LAYER_GAP = 44.0
HALF_GAP = 22.0  # beside a layer of labels
STEEP = 0.2  # how much of its way across an edge gets as room along
MOST = 90.0
FRAME_GAP = 8.0  # between frames that follow each other
PORT = 18.0

Box = tuple[float, float, float, float]  # across, along, and the sizes in these directions


@dataclass
class Levels:
    """Where each layer begins and ends along, and how much room frames take before and after it."""

    start: list[float]
    end: list[float]
    opening: dict[int, float]  # of a frame, before the layer that it begins with
    closing: dict[int, float]


def levels(layers: Layers, x: list[float]) -> Levels:
    """Return the place of each layer along; rank 0, the sinks, is last."""
    found = _levels(layers, x, {})
    missing: dict[int, float] = {}
    for frame, (low, high) in enumerate(layers.spans):
        if low <= high:
            have = found.end[low] + found.closing[frame] - found.start[high] + found.opening[frame]
            missing[frame] = max(0.0, layers.frames[frame].least[1] - have)
    return _levels(layers, x, missing) if any(missing.values()) else found


def _levels(layers: Layers, x: list[float], extra: dict[int, float]) -> Levels:
    count = len(layers.order)
    opening: dict[int, float] = {}
    closing: dict[int, float] = {}
    before, after = [0.0] * count, [0.0] * count
    inner: list[list[int]] = [[] for _ in layers.frames]
    for frame in range(len(layers.frames) - 1, -1, -1):  # inner ones first
        low, high = layers.spans[frame]
        if low <= high:
            top = max((opening[c] for c in inner[frame] if layers.spans[c][1] == high), default=0.0)
            bottom = max((closing[c] for c in inner[frame] if layers.spans[c][0] == low), default=0.0)
            if layers.frames[frame].parent >= 0:
                inner[layers.frames[frame].parent].append(frame)
            opening[frame] = layers.frames[frame].before[1] + top
            closing[frame] = layers.frames[frame].after[1] + bottom + extra.get(frame, 0.0)
            before[high] = max(before[high], opening[frame] + FRAME_GAP)
            after[low] = max(after[low], closing[frame])
    start, end, at = [0.0] * count, [0.0] * count, 0.0
    for rank in range(count - 1, -1, -1):
        start[rank] = at + before[rank]
        end[rank] = start[rank] + max((layers.sizes[v][1] for v in layers.order[rank]), default=0.0)
        at = end[rank] + after[rank] + (_room(layers, x, rank) if rank else 0.0)
    return Levels(start, end, opening, closing)


def _room(layers: Layers, x: list[float], rank: int) -> float:
    """Return the room between a layer and the next: more where an edge goes far across in it."""
    far = max((abs(x[u] - x[v]) for v in layers.order[rank] for u in layers.below[v]), default=0.0)
    labels = any(all(v >= layers.nodes for v in layers.order[r]) for r in (rank, rank - 1))
    return min(MOST, max(HALF_GAP if labels else LAYER_GAP, STEEP * far))


def boxes(layers: Layers, x: list[float], found: Levels) -> list[Box | None]:
    """Return the box of each frame, None where nothing is in it: around its nodes, labels and frames, with room."""
    start = [float("inf")] * len(layers.frames)
    end = [float("-inf")] * len(layers.frames)
    for v, frame in enumerate(layers.home):
        if frame >= 0 and v not in layers.borders and (v < layers.nodes or layers.sizes[v][1]):
            middle, half = centre(layers, found, v), layers.sizes[v][1] / 2
            start[frame], end[frame] = min(start[frame], middle - half), max(end[frame], middle + half)
    sides = {border: x[v] for v, border in layers.borders.items()}
    result: list[Box | None] = [None] * len(layers.frames)
    for frame in range(len(layers.frames) - 1, -1, -1):  # inner ones first
        low, high = layers.spans[frame]
        if low > high:
            continue
        wanted = layers.frames[frame]
        top, bottom = start[frame] - wanted.before[1], end[frame] + wanted.after[1]
        roof, floor = found.start[high] - found.opening[frame], found.end[low] + found.closing[frame]
        top = max(roof, min(top, floor - wanted.least[1]))
        bottom = max(bottom, top + wanted.least[1])
        left, right = sides[frame, 0], sides[frame, 1]
        result[frame] = (left, top, right - left, bottom - top)
        if wanted.parent >= 0:
            start[wanted.parent] = min(start[wanted.parent], top)
            end[wanted.parent] = max(end[wanted.parent], bottom)
    return result


def centre(layers: Layers, found: Levels, v: int) -> float:
    """Return the coordinate along of a vertex: the middle of its layer."""
    rank = layers.rank[v]
    return (found.start[rank] + found.end[rank]) / 2


def routes(layers: Layers, x: list[float], found: Levels) -> list[list[Point]]:
    """Return the points of every edge, from its place on the source's lower side to that on the target's upper side.

    Between layers it may go across, inside a layer it runs straight on: so it meets no node.
    """
    starts = _ports(layers, x, 0)
    ends = _ports(layers, x, -1)
    result = []
    for number, chain in enumerate(layers.chains):
        source, target = chain[0], chain[-1]
        points = [(starts[number], centre(layers, found, source) + layers.sizes[source][1] / 2)]
        points.append((starts[number], found.end[layers.rank[source]]))
        for v in chain[1:-1]:
            points += [(x[v], found.start[layers.rank[v]]), (x[v], found.end[layers.rank[v]])]
        points.append((ends[number], found.start[layers.rank[target]]))
        points.append((ends[number], centre(layers, found, target) - layers.sizes[target][1] / 2))
        result.append(_without_repeats(points))
    return result


def _ports(layers: Layers, x: list[float], end: int) -> list[float]:
    """Return where each edge touches its source (``end`` 0) or its target (-1): below what it comes from, and apart."""
    edges: dict[int, list[int]] = {}
    for number, chain in enumerate(layers.chains):
        edges.setdefault(chain[end], []).append(number)
    ports = [0.0] * len(layers.chains)
    for v, numbers in edges.items():
        near = {n: x[layers.chains[n][-2 if end else 1]] for n in numbers}
        numbers.sort(key=near.__getitem__)  # stable: equal ones stay in the order of the arguments
        half = 0.35 * layers.sizes[v][0]
        gap = min(PORT, 2 * half / len(numbers))
        wanted = [min(max(near[n], x[v] - half), x[v] + half) for n in numbers]
        places = separate(wanted, [1.0] * len(numbers), [gap] * (len(numbers) - 1))
        low, high = x[v] - half, x[v] + half - gap * (len(numbers) - 1)
        for i, (n, place) in enumerate(zip(numbers, places, strict=True)):
            ports[n] = min(max(place - gap * i, low), high) + gap * i
    return ports


def _without_repeats(points: list[Point]) -> list[Point]:
    """Return the points without those that lie on the straight line along between their neighbours, or coincide."""
    kept: list[Point] = []
    for point in points:
        if kept and point[1] <= kept[-1][1] + 1e-9:
            continue
        if len(kept) > 1 and kept[-2][0] == kept[-1][0] == point[0]:
            kept.pop()
        kept.append(point)
    return kept
