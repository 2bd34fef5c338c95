"""A view whose records a kind of picture changes one by one, knowing which nodes each stands for."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from tinygrad_mlp.graph import Node
from tinygrad_mlp.viz.graphs.view import ViewOptions, view
from tinygrad_mlp.viz.records import GraphView, NodeView

Change = Callable[[NodeView, Sequence[Any]], NodeView]

KEPT = "backward(keep"  # in the note of a view on gradients that backward() does not keep


def painted(root: Node | Sequence[Node], change: Change, seen: ViewOptions) -> GraphView:
    """Return the view of ``root`` with ``change(record, nodes and constants)`` in place of every node's record.

    Notes on the ``.grad`` of nodes are left out: these kinds compute their own gradients.
    """
    members: list[Sequence[Any]] = []
    graph = view(root, paint=kept(members), **seen)
    nodes = tuple(change(node, found) for node, found in zip(graph.nodes, members, strict=True))
    return replace(graph, nodes=nodes, notes=tuple(note for note in graph.notes if KEPT not in note))


def kept(found: list[Any]) -> Callable[[Any], dict[str, Any]]:
    """Return a function for ``view`` that only keeps what each record stands for, in the order of the records."""

    def keep(members: Any) -> dict[str, Any]:
        found.append(members)
        return {}

    return keep
