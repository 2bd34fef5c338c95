"""A layered layout of a directed graph with frames and labels, for machines without Graphviz.

Sugiyama, Tagawa and Toda (1981), in rooms of one step each: ``ranks`` and ``nesting`` give every node a layer,
``layers`` puts bends and labels into the layers that an edge crosses, ``order`` sorts each layer, ``bodies`` and
``coordinates`` place things across, ``along`` the other way.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from .along import Box, boxes, centre, levels, routes
from .coordinates import across
from .layers import Enclosure, Point, layered
from .order import untangle
from .ranks import Edge, turned
from .spacing import GAP

__all__ = ["GAP", "Box", "Enclosure", "Layout", "Point", "arrange"]


@dataclass(frozen=True)
class Layout:
    """Where everything lies: ``(across, along)``, along being the direction of the edges.

    Attributes:
        centres: of the nodes.
        routes: the points of each edge, from its source to its target.
        breadth, depth: the size of the whole.
        labels: the centre of each edge's label, None where it has none.
        boxes: of the frames; None where nothing is in one.
    """

    centres: list[Point]
    routes: list[list[Point]]
    breadth: float
    depth: float
    labels: list[Point | None]
    boxes: list[Box | None]


def arrange(
    sizes: Sequence[Point],
    edges: Sequence[Edge],
    labels: Sequence[Point | None] | None = None,
    frames: Sequence[Enclosure] = (),
    home: Sequence[int] | None = None,
) -> Layout:
    """Return positions for nodes of the given sizes ``(across, along)``, sources first, sinks last along the way.

    Args:
        sizes: One pair a node, at least one node.
        edges: Pairs (source, target) of different indices, in the order of the target's arguments; doubled edges are
            kept, and of a cycle one edge runs backwards.
        labels: The size of each edge's label, None where it has none.
        frames: Frames around nodes, outer ones before inner ones.
        home: The innermost frame of each node, -1 for none.
    """
    edges, labels = list(edges), labels or [None] * len(edges)
    back = turned(len(sizes), edges)
    forward = [(t, s) if b else (s, t) for (s, t), b in zip(edges, back, strict=True)]
    layers = layered(sizes, forward, labels, frames, home or [-1] * len(sizes))
    x = across(layers, untangle(layers))
    found = levels(layers, x)
    lines = [route[::-1] if b else route for route, b in zip(routes(layers, x, found), back, strict=True)]
    left = min(x[v] - layers.sizes[v][0] / 2 for v in range(len(x)))
    right = max(x[v] + layers.sizes[v][0] / 2 for v in range(len(x)))
    frame_boxes = [box and (box[0] - left, *box[1:]) for box in boxes(layers, x, found)]
    depth = max([found.end[0], *(box[1] + box[3] for box in frame_boxes if box)])
    spots: list[Point | None] = []
    for chain, label in zip(layers.chains, labels, strict=True):
        middle = next((v for v in chain[1:-1] if layers.sizes[v] == label), -1) if label else -1
        spots.append((x[middle] - left, centre(layers, found, middle)) if label else None)
    return Layout(
        [(x[v] - left, centre(layers, found, v)) for v in range(len(sizes))],
        [[(at - left, along) for at, along in line] for line in lines],
        right - left,
        depth,
        spots,
        frame_boxes,
    )
