"""The op graph: one node per operation, parameter, input and constant."""

from typing import Any

from tinygrad_mlp.errors import UnsupportedError
from tinygrad_mlp.viz.formats import boxes
from tinygrad_mlp.viz.formats.digraph import dot
from tinygrad_mlp.viz.formats.text import tree
from tinygrad_mlp.viz.graphs.view import BUDGET, view
from tinygrad_mlp.viz.labels import clean
from tinygrad_mlp.viz.records import Drawing
from tinygrad_mlp.viz.theme import find_theme

_RANKDIRS = ("TB", "LR")


def drawing(
    root: Any,
    *,
    budget: int | None = BUDGET,
    force: bool = False,
    precision: int = 4,
    rankdir: str = "TB",
    theme: str = "light",
    title: str = "",
) -> Drawing:
    """Return the op graph of ``root``, a recorded result.

    Args:
        root: The node whose graph is drawn.
        budget: How many nodes to show, the nearest to ``root``; None shows all.
        force: Lay out more than 2,500 nodes.
        precision: Significant digits of every number.
        rankdir: TB (inputs on top) or LR (inputs on the left).
        theme: light, or print for greyscale.
        title: A heading.

    Raises:
        LayoutError: more than 2,500 nodes would have to be laid out.
        UnsupportedError: an unknown theme or direction.
    """
    look = find_theme(theme)
    if rankdir not in _RANKDIRS:
        raise UnsupportedError(f"draw: rankdir {rankdir!r} is not one of {', '.join(_RANKDIRS)}")
    graph = view(root, budget=budget, precision=precision, force=force)
    title = clean(title)
    return Drawing(
        kind="ops",
        title=title,
        source=dot(graph, look, title, rankdir),
        text=tree(graph),
        native=lambda: boxes.svg(graph, look, title, rankdir),
        graph=graph,
        theme=look,
    )
