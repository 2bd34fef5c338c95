"""Training: ``fit`` runs the loop, ``History`` tells what happened.

Read the modules in this order, in which they import each other: ``history``, ``metrics``, ``diagnosis``,
``progress``, ``inputs``, ``loop``.
"""

from .history import History
from .loop import fit
from .metrics import Score, classification_rate, dead_units, evaluate

__all__ = ["History", "Score", "classification_rate", "dead_units", "evaluate", "fit"]
