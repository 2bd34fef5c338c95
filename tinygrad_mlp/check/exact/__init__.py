"""Derivatives of scalar graphs as formulas, the engine's against sympy's: ``check_exact``.

Read ``jumps`` (comparisons as letters), ``formal`` (rules run on letters), ``expressions`` (ops as sympy's functions),
``equality`` (proofs and counterpoints), ``report``, then ``checking``.
"""

from .checking import check_exact
from .report import ExactReport

__all__ = ["ExactReport", "check_exact"]
