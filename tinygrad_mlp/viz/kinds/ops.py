"""The op graph: one node per operation, parameter, input and constant; frames are modules."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Unpack

from tinygrad_mlp.paths import Flow
from tinygrad_mlp.viz.chain.slopes import Slopes
from tinygrad_mlp.viz.graphs.view import ViewOptions, view
from tinygrad_mlp.viz.labels import norm
from tinygrad_mlp.viz.records import Drawing, GraphView

from .finished import Options, finished, split


def drawing(root: Any, **options: Unpack[Options]) -> Drawing:
    """Return the op graph of ``root``, a recorded result or several.

    Args:
        root: The node whose graph is drawn, or a list of nodes.
        **options: As of ``view`` and ``finished``.

    Raises:
        LayoutError: more than 2,500 nodes would have to be laid out.
        UnsupportedError: an unknown theme, direction or module.
    """
    seen, look = split(options)
    graph = view(root, **seen)
    return replace(finished("ops", graph, **look), explored=lambda: _explored(root, graph, seen))


def _explored(root: Any, graph: GraphView, seen: ViewOptions) -> GraphView:
    """Return the records with what flows along each edge, for a page; without, where the gradient cannot be had."""
    try:
        slopes = Slopes(Flow(root), seen.get("precision", 4))
    except Exception:  # noqa: BLE001  (no gradient, no seed, a rule that fails: the page is of the graph all the same)
        return graph

    def flowing(wires: Sequence[tuple[Any, int]]) -> dict[str, Any]:
        flows = [slopes.flows(node)[slot] for node, slot in wires if slot in slopes.flows(node)]
        return {"flow": flows[0] if len(flows) == 1 else norm(flows)} if flows else {}

    return view(root, paint_edge=flowing, **seen)
