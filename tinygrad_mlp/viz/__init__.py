"""Pictures of graphs and networks: ``draw`` makes them, a ``Picture`` shows and saves them.

Read in this order: theme, labels, view (a graph as plain records), text, svg, layout, boxes, ops, neurons, network,
engines, picture, plot.
"""

from collections.abc import Callable, Mapping
from typing import Any

from tinygrad_mlp.errors import UnsupportedError
from tinygrad_mlp.graph import Node

from . import engines, plot
from .kinds import ops
from .network import diagram
from .picture import Picture
from .records import Drawing

__all__ = ["Picture", "draw", "plot"]

KINDS: dict[str, Callable[..., Drawing]] = {"ops": ops.drawing, "network": diagram.drawing}


def draw(
    x: Any, kind: str | None = None, *, engine: str | None = None, timeout: float = engines.TIMEOUT, **options: Any
) -> Picture:
    """Return a picture of ``x``: the op graph of a recorded result, or the diagram of a network.

    Args:
        x: A ``Tensor`` or ``Value``; a module, or the record that its ``describe()`` returns.
        kind: ``ops`` (the default for a tensor or value) or ``network`` (the default for a module or record).
        engine: A layout program, or ``native`` for the library's own layout; by default what is installed.
        timeout: Seconds that a layout program may take.
        options: Of both kinds: ``title=``, ``theme="light"|"print"``, ``precision=4``. Of ``ops``: ``budget=200``,
            ``force=False``, ``rankdir="TB"|"LR"``. Of ``network``: ``weights=True``, ``max_units=8``, ``inputs=`` and
            ``outputs=`` (names).

    Returns:
        A picture with ``.source`` (DOT), ``.svg``, ``.text`` and ``.save(path)``; a notebook shows it.

    Raises:
        UnsupportedError: an unknown kind, or one that does not fit ``x``.
        LayoutError: more than 2,500 nodes would have to be laid out, and ``force`` is False.

    >>> draw({"name": "MLP", "layers": [{"name": "input", "units": 2}, {"name": "output", "units": 1}]})
    <Picture network 'MLP 2-1, 3 parameters': .svg, .source, .text, .save(path)>
    """
    node, module = isinstance(x, Node), isinstance(x, Mapping) or callable(getattr(x, "describe", None))
    if not node and not module:
        raise UnsupportedError(f"draw: cannot draw {type(x).__name__}; pass a tensor, a Value, a module or a record")
    kind = kind or ("ops" if node else "network")
    if kind not in KINDS:
        raise UnsupportedError(f"draw: unknown kind {kind!r}; the kinds are {', '.join(KINDS)}")
    if (kind == "ops") != node:
        remedy = "draw(model(X)) shows its operations" if module else "pass the model for a network diagram"
        raise UnsupportedError(f"draw: kind {kind!r} does not fit {type(x).__name__}; {remedy}")
    return Picture(KINDS[kind](x, **options), engine=engine, timeout=timeout)
