"""How fast the remainder of the Taylor expansion shrinks: ``taylor_test``."""

from .remainders import taylor_test
from .report import TaylorReport

__all__ = ["TaylorReport", "taylor_test"]
