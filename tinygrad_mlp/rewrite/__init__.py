"""Algebra on recorded graphs: terms, one table of rules, and the lowering of composite rows."""

from .lowering import BASIC, COPY, DOT, PICK, SUM_PRODUCT, lower
from .terms import Program, Term, ordered, uses

__all__ = ["BASIC", "COPY", "DOT", "PICK", "SUM_PRODUCT", "Program", "Term", "lower", "ordered", "uses"]
