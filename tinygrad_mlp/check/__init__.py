"""Checks of gradients: against numbers, operation by operation, and against formulas derived by hand.

Read ``reporting`` and ``report`` (what comes back), ``differences`` (numbers with error bounds), ``subject`` (what is
checked), ``compare``, ``recording``, ``operand`` and ``rules`` (each operation on its own), ``blame``, ``settling``,
``gradients``, ``verdicts`` (for pictures); then ``hand``, ``foreign``, ``autograd`` and ``derivations`` (a formula by
hand), with ``slips`` (what is wrong with it) and ``formulas`` (the field's); ``programs``, ``strategies`` and
``counterexamples``; and by themselves ``exact``, ``taylor``, ``nonfinite`` and ``rows``.
"""

from . import formulas, strategies
from .counterexamples import Counterexample, find_counterexample
from .derivations import check_formula
from .exact import ExactReport, check_exact
from .formula_report import FormulaElement, FormulaReport, Slip
from .gradients import assert_gradients, gradcheck, gradgradcheck
from .nonfinite import NonfiniteReport, where_nan
from .report import Culprit, Element, GradcheckReport, InputSummary
from .reporting import Report
from .rows import Aspect, Fault, OpReport, check_op
from .taylor import TaylorReport, taylor_test

__all__ = [
    "Aspect",
    "Counterexample",
    "Culprit",
    "Element",
    "ExactReport",
    "Fault",
    "FormulaElement",
    "FormulaReport",
    "GradcheckReport",
    "InputSummary",
    "NonfiniteReport",
    "OpReport",
    "Report",
    "Slip",
    "TaylorReport",
    "assert_gradients",
    "check_exact",
    "check_formula",
    "check_op",
    "find_counterexample",
    "formulas",
    "gradcheck",
    "gradgradcheck",
    "strategies",
    "taylor_test",
    "where_nan",
]
