"""Checks of gradients: against numbers, operation by operation, and against formulas derived by hand.

Read ``reporting`` and ``report`` (what comes back), ``differences`` (numbers with error bounds), ``subject`` (what is
checked), ``compare``, ``recording``, ``operand`` and ``rules`` (each operation on its own), ``blame``, ``settling``,
then ``gradients``. Beside them stand
``formulas``, ``nonfinite`` and ``exact``.
"""

from . import formulas
from .exact import ExactReport, check_exact
from .gradients import assert_gradients, gradcheck, gradgradcheck
from .nonfinite import NonfiniteReport, where_nan
from .report import Culprit, Element, GradcheckReport, InputSummary
from .reporting import Report

__all__ = [
    "Culprit",
    "Element",
    "ExactReport",
    "GradcheckReport",
    "InputSummary",
    "NonfiniteReport",
    "Report",
    "assert_gradients",
    "check_exact",
    "formulas",
    "gradcheck",
    "gradgradcheck",
    "where_nan",
]
