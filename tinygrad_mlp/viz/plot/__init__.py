"""Plots with matplotlib: curves, clusters, decision regions, surfaces, units, weights, confusion.

Each takes and returns axes. Without ``ax=`` a plot makes a figure of its own through pyplot, so that notebooks show it.
A program that makes many figures passes axes of ``matplotlib.figure.Figure()``, which need no closing and no display.
"""

from .axes import svg
from .curves import activation, history
from .matrices import confusion, weights
from .plane import clusters, decision_regions, surface

__all__ = ["activation", "clusters", "confusion", "decision_regions", "history", "surface", "svg", "weights"]
