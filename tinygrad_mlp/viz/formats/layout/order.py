"""The order across in every layer: few crossings, frames in one piece, and no track that changes sides.

Every vertex has a key, and so has every frame and every track; a layer is sorted by the keys of the frames around a
vertex, from the outermost inwards, then by its own. As frames and tracks have one key for all layers, what is left of
a frame in one layer is left of it in every one: each frame can be a rectangle that holds nothing else.
"""

from bisect import bisect_right, insort
from collections.abc import Callable
from itertools import pairwise

from .layers import Layers
from .spacing import distance, separate

SWEEPS = 24
SWAPS = 12  # rounds of swapping neighbours
LARGE = 2_000  # vertices, above which neighbours are swapped at the end only
EFFORT = 200_000  # vertices that are looked at: large graphs get fewer sweeps
PATIENCE = 8  # sweeps without a better order

Path = tuple[tuple[float, int], ...]


def untangle(layers: Layers) -> list[float]:
    """Put every layer of ``layers.order`` in an order with few crossings; return first coordinates across.

    Sweeps up and down take each vertex to the mean of its neighbours (Sugiyama, Tagawa and Toda 1981); then
    neighbours that cross less the other way round are swapped (Gansner et al. 1993).
    """
    keys = _Keys(layers)
    x = [0.0] * len(layers.rank)
    for rank in range(len(layers.order)):
        keys.sort(rank)
        _place(layers, rank, x, x)
    best, fewest, waited = [list(layer) for layer in layers.order], crossings(layers), 0
    share = EFFORT // len(layers.rank)
    for sweep in range(max(4, min(SWEEPS, share))):
        if fewest == 0 or waited == PATIENCE:
            break
        keys.gather(x, _mean)
        up = sweep % 2 == 0
        for rank in range(1, len(layers.order)) if up else range(len(layers.order) - 2, -1, -1):
            neighbours = layers.below if up else layers.above
            for v in layers.order[rank]:
                near = neighbours[v]
                keys.own[v] = sum(x[u] for u in near) / len(near) if near else x[v]
            keys.sort(rank)
            _place(layers, rank, keys.own, x)
        if len(layers.rank) <= LARGE:
            _swap(layers, 2)
            for rank in range(len(layers.order)):
                _place(layers, rank, x, x)
        count, waited = crossings(layers), waited + 1
        if count < fewest:
            best, fewest, waited = [list(layer) for layer in layers.order], count, 0
    layers.order = best
    if fewest:
        _swap(layers, max(2, min(SWAPS, share // 2)))
    for rank in range(len(layers.order)):
        _place(layers, rank, x, x)
    return x


def crossings(layers: Layers) -> int:
    """Return how many pairs of edges cross."""
    total = 0
    for upper, lower in zip(layers.order[1:], layers.order, strict=False):
        place = {v: i for i, v in enumerate(lower)}
        seen: list[int] = []
        for v in upper:
            ends = sorted(place[u] for u in layers.below[v])
            total += sum(len(seen) - bisect_right(seen, end) for end in ends)
            for end in ends:
                insort(seen, end)
    return total


class _Keys:
    """The keys by which layers are sorted."""

    def __init__(self, layers: Layers) -> None:
        self.layers = layers
        self.own = [float(time) for time in _first_met(layers)]
        self.frame: list[float] = []
        self.track: list[float] = []
        self.gather(self.own, min)

    def gather(self, x: list[float], take: Callable[[list[float]], float]) -> None:
        """Give every frame and track what ``take`` makes of its members' coordinates."""
        layers = self.layers
        frames: list[list[float]] = [[] for _ in layers.frames]
        tracks: list[list[float]] = [[] for _ in range(layers.tracks)]
        for v in range(len(layers.rank) - len(layers.borders)):
            if layers.home[v] >= 0:
                frames[layers.home[v]].append(x[v])
            if layers.track[v] >= 0:
                tracks[layers.track[v]].append(x[v])
        for frame in range(len(frames) - 1, -1, -1):
            parent = layers.frames[frame].parent
            if parent >= 0 and frames[frame]:
                frames[parent].append(take(frames[frame]))
        self.frame = [take(members) if members else 0.0 for members in frames]
        self.track = [take(members) for members in tracks]
        self.prefixes: dict[int, Path] = {-1: ()}
        for frame, enclosure in enumerate(layers.frames):
            self.prefixes[frame] = (*self.prefixes[enclosure.parent], (self.frame[frame], -1 - frame))

    def sort(self, rank: int) -> None:
        """Sort one layer."""
        layers, prefixes = self.layers, self.prefixes
        layers.order[rank].sort(key=lambda v: prefixes[layers.home[v]] + (self._last(v),))

    def _last(self, v: int) -> tuple[float, int]:
        border = self.layers.borders.get(v)
        if border:
            return (float("inf") if border[1] else float("-inf"), 0)
        track = self.layers.track[v]
        return (self.track[track], len(self.own) + track) if track >= 0 else (self.own[v], v)


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)


def _first_met(layers: Layers) -> list[int]:
    """Return when a walk from the sinks meets each vertex, first argument first."""
    met = [-1] * len(layers.rank)
    time = 0
    stack = [v for v in range(layers.nodes) if not layers.below[v]][::-1]
    while stack:
        v = stack.pop()
        if met[v] < 0:
            met[v] = time
            time += 1
            stack.extend(reversed(layers.above[v]))
    return met


def _place(layers: Layers, rank: int, wanted: list[float], x: list[float]) -> None:
    """Set the coordinates of one layer as near to the wanted ones as its order allows."""
    layer = layers.order[rank]
    gaps = [distance(layers, u, v) for u, v in pairwise(layer)]
    weights = [0.01 if v in layers.borders else 1.0 + len(layers.above[v]) + len(layers.below[v]) for v in layer]
    for v, place in zip(layer, separate([wanted[v] for v in layer], weights, gaps), strict=True):
        x[v] = place


def _swap(layers: Layers, rounds: int) -> None:
    """Swap neighbours of one frame, not both in tracks, while that leaves fewer crossings."""
    place = [0] * len(layers.rank)
    for layer in layers.order:
        for i, v in enumerate(layer):
            place[v] = i
    for _ in range(rounds):
        better = False
        for layer in layers.order:
            for i in range(len(layer) - 1):
                u, v = layer[i], layer[i + 1]
                if layers.home[u] != layers.home[v] or u in layers.borders or v in layers.borders:
                    continue
                if layers.track[u] >= 0 and layers.track[v] >= 0:
                    continue
                if _gain(layers, place, u, v) > 0:
                    layer[i], layer[i + 1] = v, u
                    place[u], place[v] = i + 1, i
                    better = True
        if not better:
            return


def _gain(layers: Layers, place: list[int], u: int, v: int) -> int:
    """Return how many crossings vanish if ``v``, to the right of ``u``, goes to its left."""
    gain = 0
    for neighbours in (layers.above, layers.below):
        left, right = [place[w] for w in neighbours[u]], sorted(place[w] for w in neighbours[v])
        for a in left:
            gain += sum(1 for b in right if b < a) - sum(1 for b in right if b > a)
    return gain
