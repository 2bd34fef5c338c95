"""Pictures of graphs and networks: ``draw`` makes them, a ``Picture`` shows and saves them.

Read in this order: ``theme``, ``labels``, ``records`` (what is to be drawn, as plain data), ``graphs`` (from a recorded
graph to records), ``formats`` (from records to DOT, SVG, Mermaid and text), ``chain`` (the chain rule in words),
``unfolding`` (tensors taken apart), ``judging`` (what is the matter with nodes), ``kinds`` (one module a kind of
picture), ``network`` (the textbook diagram), ``page`` (the HTML file), ``engines``, ``picture``, ``subjects``,
``options``, ``drawings`` (``draw``), ``plot``.
"""

from . import engines, plot
from .drawings import KINDS, draw
from .picture import Picture

__all__ = ["KINDS", "Picture", "draw", "engines", "plot"]
