"""LaTeX and text by running rules on symbols, for pictures and derivations."""

from .formulas import Formula, operands_of, run_rule, value_formula, vjp_formula
from .tree import Symbol, evaluate

__all__ = ["Formula", "Symbol", "evaluate", "operands_of", "run_rule", "value_formula", "vjp_formula"]
