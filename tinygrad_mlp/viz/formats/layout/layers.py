"""The graph cut into layers: long edges get a bend, and labels a place, in the layers that they cross."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from .nesting import nested_ranks
from .ranks import Edge, heights

BEND = 12.0  # the room that an edge needs where it passes a layer

Point = tuple[float, float]


@dataclass(frozen=True)
class Enclosure:
    """A frame that is wanted around nodes.

    Attributes:
        parent: the index of the frame around it, -1 at the top; outer frames come first.
        before: the room inside it, before its contents: across and along.
        after: the room behind its contents.
        least: how large it is at least, for its title.
    """

    parent: int = -1
    before: Point = (0.0, 0.0)
    after: Point = (0.0, 0.0)
    least: Point = (0.0, 0.0)


@dataclass
class Layers:
    """A layered graph; everything is by vertex: nodes come first, then bends, then the borders of frames.

    Attributes:
        nodes: how many vertices are nodes.
        sizes: of each vertex, across and along.
        rank: the layer of each vertex, 0 for the sinks.
        home: the innermost frame around each vertex, -1 at the top.
        crowded: the frames with frames in them, -1 among them if there are any at all.
        track: vertices of one track stay on one side of every frame: the bends of an edge in a crowded frame.
        chains: the vertices of each edge, from source to target.
        above, below: neighbours in the adjacent layers; sources are above.
        straight: which edges join a node and the next on its longest path.
        frames: what was asked for.
        spans: the lowest and the highest rank of each frame; (0, -1) where it is empty.
        borders: the frame and the side, 0 or 1, of each border.
        order: the vertices of each layer, in their order across.
    """

    nodes: int
    sizes: list[Point]
    rank: list[int]
    home: list[int]
    frames: Sequence[Enclosure]
    crowded: set[int] = field(default_factory=set)
    track: list[int] = field(default_factory=list)
    chains: list[list[int]] = field(default_factory=list)
    above: list[list[int]] = field(default_factory=list)
    below: list[list[int]] = field(default_factory=list)
    straight: list[bool] = field(default_factory=list)
    spans: list[tuple[int, int]] = field(default_factory=list)
    borders: dict[int, tuple[int, int]] = field(default_factory=dict)
    order: list[list[int]] = field(default_factory=list)
    tracks: int = 0

    def add(self, size: Point, rank: int, home: int) -> int:
        """Append a vertex and return its number."""
        self.sizes.append(size)
        self.rank.append(rank)
        self.home.append(home)
        self.track.append(-1)
        self.above.append([])
        self.below.append([])
        return len(self.rank) - 1

    def around(self, v: int) -> list[int]:
        """Return the frames around a vertex, the outermost first."""
        found, frame = [], self.home[v]
        while frame >= 0:
            found.append(frame)
            frame = self.frames[frame].parent
        return found[::-1]


def layered(
    sizes: Sequence[Point],
    edges: list[Edge],
    labels: Sequence[Point | None],
    frames: Sequence[Enclosure],
    home: Sequence[int],
) -> Layers:
    """Return the layers of a graph without cycles, in the order in which a walk from the sinks meets the vertices.

    Args:
        sizes: Of each node, across and along.
        edges: Pairs (source, target) of indices.
        labels: The size of each edge's label, None where it has none.
        frames: Frames around nodes.
        home: The innermost frame of each node, -1 for none.
    """
    count = len(sizes)
    lengths = [1 if label is None else 2 for label in labels]
    rank = nested_ranks(count, edges, lengths, [frame.parent for frame in frames], home)
    layers = Layers(count, list(sizes), rank, list(home), frames, {frame.parent for frame in frames})
    layers.track = [-1] * count
    layers.above, layers.below = [[] for _ in sizes], [[] for _ in sizes]
    layers.spans = _spans(layers)
    for edge, label in zip(edges, labels, strict=True):
        _bend(layers, edge, label)
    layers.straight = _straight(layers, edges, labels)
    for frame, (low, high) in enumerate(layers.spans):
        for level in range(low, high + 1):
            for side in (0, 1):
                layers.borders[layers.add((0.0, 0.0), level, frame)] = (frame, side)
    layers.order = [[] for _ in range(max(layers.rank) + 1)]
    for v in range(len(layers.rank)):
        layers.order[layers.rank[v]].append(v)
    return layers


def _spans(layers: Layers) -> list[tuple[int, int]]:
    spans = [(1 << 60, -1) for _ in layers.frames]
    for v in range(layers.nodes):
        frame, level = layers.home[v], layers.rank[v]
        if frame >= 0:
            spans[frame] = (min(spans[frame][0], level), max(spans[frame][1], level))
    for frame in range(len(spans) - 1, -1, -1):
        parent = layers.frames[frame].parent
        if parent >= 0:
            spans[parent] = (min(spans[parent][0], spans[frame][0]), max(spans[parent][1], spans[frame][1]))
    return [(low, high) if high >= 0 else (0, -1) for low, high in spans]


def _bend(layers: Layers, edge: Edge, label: Point | None) -> None:
    """Add the chain of an edge; its bends lie in the frames that it leaves, then beside, then in those it enters."""
    source, target = edge
    leaving, entering = layers.around(source), layers.around(target)
    shared = 0
    while shared < min(len(leaving), len(entering)) and leaving[shared] == entering[shared]:
        shared += 1
    out, into = leaving[shared:], entering[shared:]
    start, end = layers.rank[source], layers.rank[target]
    middle = (start + end) // 2
    chain, at, entered = [source], leaving[shared - 1] if shared else -1, 0
    for level in range(start - 1, end, -1):
        while out and layers.spans[out[-1]][0] > level:
            out.pop()
        while entered < len(into) and layers.spans[into[entered]][1] >= level:
            entered += 1
        home = out[-1] if out else into[entered - 1] if entered else at
        chain.append(layers.add(label if label and level == middle else (BEND, 0.0), level, home))
    chain.append(target)
    for u, v in pairwise(chain):
        layers.below[u].append(v)
        layers.above[v].append(u)
    for u, v in pairwise(chain[1:-1]):
        if layers.home[u] == layers.home[v] and layers.home[u] in layers.crowded:
            if layers.track[u] < 0:
                layers.track[u] = layers.tracks
                layers.tracks += 1
            layers.track[v] = layers.track[u]
    layers.chains.append(chain)


def _straight(layers: Layers, edges: list[Edge], labels: Sequence[Point | None]) -> list[bool]:
    """Return which edges join the one deepest input of a node and that input's one nearest use.

    Drawn straight they are the spine of the picture: the values run down, the weights come in from the side.
    """
    height, rank = heights(layers.nodes, edges), layers.rank
    inputs: list[set[tuple[int, int]]] = [set() for _ in range(layers.nodes)]
    uses: list[set[tuple[int, int]]] = [set() for _ in range(layers.nodes)]
    for number, (source, target) in enumerate(edges):
        one = number if labels[number] else -1  # unlabelled parallel edges count once
        inputs[target].add((height[source], source if one < 0 else layers.nodes + number))
        uses[source].add((rank[target] + 1 + (one >= 0), target if one < 0 else layers.nodes + number))
    deepest = [_only(found) for found in inputs]
    nearest = [_only(found) for found in uses]
    return [
        deepest[target] == height[source] and nearest[source] == rank[target] + 1 + (label is not None)
        for (source, target), label in zip(edges, labels, strict=True)
    ]


def _only(found: set[tuple[int, int]]) -> int:
    """Return the largest first number, -1 if two have it."""
    best = sorted(found)[-2:]
    return -1 if not best or (len(best) == 2 and best[0][0] == best[1][0]) else best[-1][0]
