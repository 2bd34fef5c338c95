"""From the records of a graph to a finished drawing: the same formats for every kind of picture."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TypedDict

from tinygrad_mlp.errors import UnsupportedError
from tinygrad_mlp.viz.formats import boxes
from tinygrad_mlp.viz.formats.digraph import dot
from tinygrad_mlp.viz.formats.text import tree
from tinygrad_mlp.viz.graphs.view import ViewOptions
from tinygrad_mlp.viz.labels import clean, shorten
from tinygrad_mlp.viz.records import Drawing, Frame, GraphView
from tinygrad_mlp.viz.theme import find_theme

RANKDIRS = ("TB", "LR")


class Look(TypedDict, total=False):
    """How a graph is drawn: its theme, its direction and its title."""

    theme: str
    rankdir: str
    title: str


class Options(ViewOptions, Look, total=False):
    """What every picture of a graph can be told: which nodes to show, and how."""


def split(options: Options) -> tuple[ViewOptions, Look]:
    """Return the options of ``view``, and those of ``finished``."""
    look = {name: options[name] for name in Look.__annotations__ if name in options}  # type: ignore[literal-required]
    seen = {name: x for name, x in options.items() if name not in look}
    return seen, look  # type: ignore[return-value]


def finished(
    kind: str,
    graph: GraphView,
    *,
    theme: str = "light",
    rankdir: str = "TB",
    title: str = "",
    frames: Sequence[Frame] = (),
) -> Drawing:
    """Return the drawing of a graph.

    Args:
        kind: The kind of picture.
        graph: Its records.
        theme: light, dark, or print for greyscale.
        rankdir: TB (inputs on top) or LR (inputs on the left).
        title: A heading.
        frames: The steps of a player.

    Raises:
        UnsupportedError: an unknown theme or direction.
    """
    look = find_theme(theme)
    if rankdir not in RANKDIRS:
        raise UnsupportedError(f"draw: rankdir {shorten(repr(rankdir))} is not one of {', '.join(RANKDIRS)}")
    title = clean(title)
    graph = replace(graph, notes=tuple(map(clean, graph.notes)))
    return Drawing(
        kind=kind,
        title=title,
        source=dot(graph, look, title, rankdir),
        text=tree(graph),
        native=lambda: boxes.svg(graph, look, title, rankdir),
        graph=graph,
        frames=tuple(frames),
        theme=look,
        rankdir=rankdir,
    )
