"""Coordinates across: what shall be straight moves as one body, and every body goes to the middle of its neighbours.

The least distances form a graph without cycles. Pushing bodies along it, once to the right and once to the left, gives
two solutions; their mean is one too, because solutions form a convex set.
"""

from itertools import pairwise

from .bodies import Bodies, Sides, bodies
from .layers import Layers
from .spacing import distance, separate

SWEEPS = 6  # layer by layer, for a start
ROUNDS = 24  # of all bodies
STRAYS = (float("inf"), 40.0)
LEAN = 1.25
STILL = 0.25  # a movement that nobody sees


def across(layers: Layers, x: list[float]) -> list[float]:
    """Return the coordinate of every vertex, from ``x`` on: in order, at their distances, mostly straight.

    Many long straight lines side by side can push each other further out in every layer, until the picture leans. So
    they are bent where they stray, if that makes it much narrower.
    """
    _relax(layers, x)
    straight, bent = (_placed(bodies(layers, x, stray), x) for stray in STRAYS)
    return straight if _breadth(straight) <= LEAN * _breadth(bent) else bent


def _breadth(x: list[float]) -> float:
    return max(x) - min(x)


def _placed(found: Bodies, x: list[float]) -> list[float]:
    """Return the coordinate of every vertex, bodies kept straight."""
    place = [0.0] * len(found.order)
    members = [0] * len(found.order)
    for v, b in enumerate(found.of):
        members[b] += 1
        place[b] += x[v]
    place = _settle(found, [total / many for total, many in zip(place, members, strict=True)])
    for _ in range(ROUNDS):
        wanted = list(place)
        for b, pulls in enumerate(found.pulls):
            if pulls:
                wanted[b] = sum(place[c] * w for c, w in pulls) / sum(w for _, w in pulls)
            elif found.lefts[b]:  # a node without edges goes next to the one before it
                wanted[b] = max(place[a] + gap for a, gap in found.lefts[b])
        for frame in found.sides:
            wanted[frame.left], wanted[frame.right] = _hug(frame, wanted)
        settled = _settle(found, wanted)
        moved = max(abs(a - b) for a, b in zip(settled, place, strict=True))
        place = settled
        if moved < STILL:
            break
    for frame in found.sides:
        place[frame.left], place[frame.right] = _tighten(frame, place)
    return [place[b] for b in found.of]


def _relax(layers: Layers, x: list[float]) -> None:
    """Move the vertices of each layer to their neighbours, layer by layer, down and up; the spine moves straight."""
    last = len(layers.order)
    gaps = [[distance(layers, u, v) for u, v in pairwise(layer)] for layer in layers.order]
    spines: tuple[dict[int, int], dict[int, int]] = ({}, {})
    for chain, straight in zip(layers.chains, layers.straight, strict=True):
        for u, v in pairwise(chain if straight else ()):
            spines[0][v], spines[1][u] = u, v
    for sweep in range(SWEEPS):
        up = sweep % 2 == 0
        spine, neighbours = spines[up], layers.below if up else layers.above
        for rank in range(last) if up else range(last - 1, -1, -1):
            layer = layers.order[rank]
            wanted, weights = [], []
            for v in layer:
                near = [spine[v]] if v in spine else neighbours[v]
                wanted.append(sum(x[u] for u in near) / len(near) if near else x[v])
                weights.append(10.0 if v in spine else 1.0 + len(near) if near else 0.1)
            for v, place in zip(layer, separate(wanted, weights, gaps[rank]), strict=True):
                x[v] = place


def _settle(found: Bodies, wanted: list[float]) -> list[float]:
    """Return places that keep all distances, near the wanted ones."""
    right, left = list(wanted), list(wanted)
    for b in found.order:
        for a, gap in found.lefts[b]:
            if right[a] + gap > right[b]:
                right[b] = right[a] + gap
    for b in reversed(found.order):
        for c, gap in found.rights[b]:
            if left[c] - gap < left[b]:
                left[b] = left[c] - gap
    return [(r + s) / 2 for r, s in zip(right, left, strict=True)]


def _hug(frame: Sides, place: list[float]) -> tuple[float, float]:
    """Return where the borders of a frame would be if it were as narrow as what is in it."""
    return min(place[b] - gap for b, gap in frame.first), max(place[b] + gap for b, gap in frame.last)


def _tighten(frame: Sides, place: list[float]) -> tuple[float, float]:
    """Return the narrowest borders, not outside the present ones, that hold what is inside and the title."""
    left, right = _hug(frame, place)
    missing = frame.least - (right - left)
    if missing > 0:
        left = max(place[frame.left], min(left - missing / 2, place[frame.right] - frame.least))
        right = left + frame.least
    return left, right
