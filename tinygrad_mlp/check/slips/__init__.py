"""The slip in a derivation: which one would give exactly the numbers that the formula gives?

Read ``scenes`` (the graph and the formula at one set of inputs), ``slopes``, ``captured`` and ``pool`` (what a
derivation may put in a wrong place), ``replays``, ``residuals`` and ``mutations`` (passes with one slip), ``wholes``
(slips of a whole gradient), then ``search``.
"""

from .search import KINDS, guess

__all__ = ["KINDS", "guess"]
