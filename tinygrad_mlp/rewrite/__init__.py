"""Algebra on recorded graphs: terms, one table of rules, and the lowering of composite rows."""

from .lowering import BASIC, BESIDE, COPY, DOT, PICK, SUM_PRODUCT, TAKE, WITH_ONES, lower
from .terms import Program, Term, ordered, uses

__all__ = [
    "BASIC", "BESIDE", "COPY", "DOT", "PICK", "SUM_PRODUCT", "TAKE", "WITH_ONES", "Program", "Term", "lower", "ordered",
    "uses",
]  # fmt: skip
