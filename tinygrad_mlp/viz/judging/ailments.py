"""What is the matter with the nodes of a graph: dead, saturated, not finite, or without a gradient."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from tinygrad_mlp.graph import Node
from tinygrad_mlp.paths import Flow
from tinygrad_mlp.viz.graphs.walk import Walk, bottom_up, walk

from .responding import SMALL, Responses

SHARE = 0.5  # of the elements, from which on a node is marked as saturated
STARTS = "starts here"

Words = tuple[str, str]  # a mark, and more about it


class Strange(NamedTuple):
    """What is not finite about a node, ``nan`` or ``inf``: its value, its gradient; and whether either begins here."""

    value: str
    grad: str
    begins: bool
    grad_begins: bool


class Ailments:
    """What is the matter with the nodes of a graph, found in one walk.

    Attributes:
        nodes: the nodes, the result first.
        depths: by how many operations at most each of them is away from the result.
    """

    def __init__(self, flow: Flow) -> None:
        """Look for what is not finite, and for where it begins."""
        self.flow = flow
        self.responses = Responses()
        graph = walk([flow.root])
        self.nodes: list[Node] = [x for x in graph.found if isinstance(x, Node)]
        self.depths = _depths(graph)
        bad = [_strange(getattr(x, "_payload", x)) for x in graph.found]
        grads = [_strange(flow.cotangent(x)) if isinstance(x, Node) else "" for x in graph.found]
        spread = {target for source, target, _ in graph.wires if bad[source]}
        spread_back = {source for source, target, _ in graph.wires if grads[target]}
        self._strange = {
            id(x): Strange(bad[i], grads[i], bool(bad[i]) and i not in spread, bool(grads[i]) and i not in spread_back)
            for i, x in enumerate(graph.found)
            if bad[i] or grads[i]
        }
        self._found = graph.found  # keeps constants alive, so that their ids stay their own

    def mark(self, members: Sequence[Any]) -> Words:
        """Return what is worst about some nodes, and how many it concerns; nothing where all is well."""
        nodes = [x for x in members if isinstance(x, Node)]
        return self._not_finite(members) or self._dead(nodes) or self._saturated(nodes) or self._unreached(nodes)

    def _not_finite(self, members: Sequence[Any]) -> Words | None:
        states = [self._strange[id(x)] for x in members if id(x) in self._strange]
        if not states:
            return None
        values = [s.value for s in states if s.value]
        kinds = values or [s.grad for s in states]
        word = "nan" if "nan" in kinds else "inf"
        where = "in the value" if values else "in the gradient"
        if any(s.begins if values else s.grad_begins for s in states):
            return word, STARTS if values else f"{STARTS}, {where}"
        return word, f"{where} of {len(kinds):,} of {len(members):,}" if len(members) > 1 else where

    def _dead(self, nodes: Sequence[Node]) -> Words | None:
        """Return how many units are 0 for every sample: columns of a batch, or single numbers."""
        dead = total = 0
        samples: set[int] = set()
        for node in nodes:
            response = self.responses.of(node)
            if response is None or not response.switches:
                continue
            off = (np.asarray(node._payload) == 0) & (self.responses.slopes(node) == 0)
            if off.size:
                units = off.reshape(-1, off.shape[-1] if off.ndim else 1)
                dead, total = dead + int(units.all(axis=0).sum()), total + units.shape[1]
                samples.add(len(units))
        if not dead:
            return None
        few = ", for one sample" if samples == {1} and nodes[0].ndim else ""
        if len(nodes) == 1 and not nodes[0].ndim:
            return "dead", "output 0"
        return "dead", f"{dead:,} of {total:,} {'units' if nodes[0].ndim else 'outputs'}{few}"

    def _saturated(self, nodes: Sequence[Node]) -> Words | None:
        """Return which share of the elements lies where the slope is small."""
        flat = total = 0
        for node in nodes:
            response = self.responses.of(node)
            if response is not None and response.saturates:
                slopes = np.abs(self.responses.slopes(node))
                flat += int(np.count_nonzero(slopes < SMALL * response.steepest))
                total += slopes.size
        if not total or flat < SHARE * total:
            return None
        return "saturated", f"{100 * flat / total:.0f} %"

    def _unreached(self, nodes: Sequence[Node]) -> Words:
        """Return how many parameters get no gradient, or zeros alone."""
        parameters = [x for x in nodes if x.op is None and x.requires_grad]
        lacking = [x for x in parameters if (g := self.flow.cotangent(x)) is None or not np.any(g)]
        if not lacking:
            return "", ""
        return "no gradient", f"{len(lacking):,} of {len(parameters):,}" if len(parameters) > 1 else ""


def _depths(graph: Walk) -> dict[Node, int]:
    """Return the longest way from the result to each node: unlike the shortest, it is not cut short by connections."""
    longest = [0] * len(graph.found)
    for at in reversed(bottom_up(graph)):
        for source in graph.sources[at]:
            longest[source] = max(longest[source], longest[at] + 1)
    return {x: n for x, n in zip(graph.found, longest, strict=True) if isinstance(x, Node)}


def _strange(x: Any) -> str:
    """Return ``nan`` or ``inf`` if a number is, or an element of an array; else nothing."""
    if type(x) is float:
        return "nan" if x != x else "inf" if math.isinf(x) else ""
    if not isinstance(x, np.ndarray) or x.dtype.kind != "f" or np.isfinite(x).all():
        return ""
    return "nan" if np.isnan(x).any() else "inf"
