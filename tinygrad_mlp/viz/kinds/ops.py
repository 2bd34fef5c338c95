"""The op graph: one node per operation, parameter, input and constant; frames are modules."""

from typing import Any, Unpack

from tinygrad_mlp.viz.graphs.view import view
from tinygrad_mlp.viz.records import Drawing

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
    return finished("ops", view(root, **seen), **look)
