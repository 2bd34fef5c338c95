"""A drawing's records as JSON that may stand in a script element."""

import json
import math
from collections.abc import Iterable
from typing import Any

from tinygrad_mlp.viz.labels import shape_text
from tinygrad_mlp.viz.records import ClusterView, Drawing, EdgeView, Frame, GraphView, NodeView

# What could end a script element or begin a comment in it; the rest of Unicode is escaped by json itself.
_UNSAFE = {ord("<"): "\\u003c", ord(">"): "\\u003e", ord("&"): "\\u0026"}


def records(drawing: Drawing) -> str:
    """Return the records of a drawing as JSON without ``<``, ``>`` and ``&``; the same drawing gives the same text."""
    graph = drawing.graph or GraphView((), (), 0)
    frames = {cluster.key: cluster for cluster in graph.clusters}
    content = {
        "kind": drawing.kind,
        "nodes": [_node(node, frames) for node in graph.nodes],
        "edges": [_edge(edge) for edge in graph.edges],
        "clusters": [{"key": c.key, "title": c.title, "parent": c.parent} for c in graph.clusters],
        "frames": _news(drawing.frames),
    }
    text = json.dumps(content, allow_nan=False, separators=(",", ":"))
    return text.translate(_UNSAFE)


def _node(node: NodeView, frames: dict[str, ClusterView]) -> dict[str, Any]:
    return {
        "key": node.key,
        "kind": node.kind,
        "title": node.title,
        "name": node.name,
        "op": node.op,
        "symbol": node.symbol,
        "value": node.value,
        "grad": node.grad,
        "number": _number(node.number),
        "slope": _number(node.slope),
        "shape": " ".join(filter(None, (shape_text(node.shape), node.dtype))),
        "formula": node.formula,
        "source": node.source,
        "cluster": node.cluster,
        "module": frames[node.cluster].title if node.cluster in frames else "",
        "count": node.count,
        "mark": f"{node.mark}: {node.detail}" if node.mark and node.detail else node.mark,
        "lit": node.lit,
        "frozen": not node.requires_grad,
        "tip": node.tip,
    }


def _edge(edge: EdgeView) -> dict[str, Any]:
    return {
        "key": edge.key,
        "source": edge.source,
        "target": edge.target,
        "local": _number(edge.local),
        "flow": _number(edge.flow),
        "backward": edge.backward,
        "tip": edge.title,
    }


def _number(x: float | None) -> float | str | None:
    """Return a number as JSON has it; nan and the infinities, which it has not, as JavaScript's words for them."""
    if x is None or math.isfinite(x):
        return x
    return "NaN" if math.isnan(x) else "Infinity" if x > 0 else "-Infinity"


def _news(frames: Iterable[Frame]) -> list[dict[str, Any]]:
    """Return what is new in every frame: whole frames would take room that grows with the square of the graph."""
    valued: frozenset[str] = frozenset()
    graded: dict[str, str] = {}
    news = []
    for frame in frames:
        lost = dict.fromkeys(sorted(graded.keys() - frame.graded.keys()))
        changed = {key: text for key, text in sorted(frame.graded.items()) if graded.get(key) != text}
        news.append(
            {
                "phase": frame.phase,
                "words": frame.words,
                "valued": sorted(frame.valued - valued),
                "unvalued": sorted(valued - frame.valued),
                "graded": changed | lost,
                "lit": sorted(frame.lit),
            }
        )
        valued, graded = frame.valued, frame.graded
    return news
