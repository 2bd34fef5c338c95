"""Derivatives that are a difference, output minus target, times a factor: with one of the two replaced or left out."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from tinygrad_mlp.check.differences import Floats

from .pool import OPERAND, Key, line, places, pool
from .scenes import Graph, Scene, at

EQUAL = 1e-9
DIFFERENCES = 4  # that a derivative may be


def differences(scene: Scene, graph: Graph) -> Iterator[tuple[Any, Key, Key, float]]:
    """Yield nodes and inputs whose cotangent is α (p − q) for two values of the graph: the place, p, q, and α."""
    values = pool(scene)
    for place, x in places(graph):
        g = graph.cotangents.get(x)
        if g is None or not np.ndim(g):
            continue
        alike = {key: v[2] for key, v in values.items() if v[2].shape == np.shape(g) and v[1] == OPERAND}
        keys, found = list(alike), 0
        for a, p in enumerate(keys):
            for q in keys[a + 1 :]:
                alpha = _multiple(np.asarray(g), alike[p] - alike[q])
                if alpha is not None and found < DIFFERENCES:
                    found += 1
                    yield place, p, q, alpha


def replacements(scene: Scene, graph: Graph) -> Iterator[tuple[str, str, Any, Key, Key, Any, Any]]:
    """Yield the kind and the text of a slip, its place, the difference p − q, and what stands for p and q."""
    values = pool(scene)
    for place, p, q, alpha in differences(scene, graph):
        p, q = (p, q) if alpha > 0 else (q, p)
        x = at(graph, place)
        where = f" in the derivative in {graph.name(x)}{line(x)}"
        for old in (p, q):
            what = {"constant": "the target {} is", "one-hot": "{} are"}.get(old[0], "{} is").format(values[old][0])
            words = f"{what} missing{where}: it is {values[p][0]} − {values[q][0]}, up to a factor"
            yield "missing term", words, place, p, q, *(None if key == old else key for key in (p, q))
        for new, (name, kind, value) in values.items():
            if new not in (p, q) and value.shape == x.shape:
                for old in (p, q):
                    text = f"{name} for {values[old][0]}{where}"
                    yield kind, text, place, p, q, *(new if key == old else key for key in (p, q))


def changed(scene: Scene, graph: Graph, place: Any, p: Key, q: Key, new_p: Any, new_q: Any) -> Floats | None:
    """Return by how much the cotangent changes; None if it is not that difference in this scene."""
    values, x = pool(scene), at(graph, place)
    g = np.asarray(graph.cotangents[x])
    alpha = _multiple(g, values[p][2] - values[q][2])
    if alpha is None:
        return None
    first, second = (0.0 if key is None else values[key][2] for key in (new_p, new_q))
    return np.asarray(alpha * (first - second) - g)


def _multiple(g: Floats, d: Floats) -> float | None:
    """Return the factor by which ``g`` is a multiple of ``d``; None if it is none."""
    size = float(np.sum(d * d))
    if not size or not np.isfinite(size):
        return None
    alpha = float(np.sum(g * d)) / size
    top = float(np.max(np.abs(g)))
    return alpha if alpha and np.max(np.abs(alpha * d - g)) <= EQUAL * top else None
