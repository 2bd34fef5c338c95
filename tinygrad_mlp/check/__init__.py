"""Checks of gradients: against numbers, operation by operation, and against formulas derived by hand.

Read ``reporting`` and ``report`` (what comes back), ``differences`` (numbers with error bounds), ``subject`` (what is
checked), ``compare``, ``recording``, ``operand`` and ``rules`` (each operation on its own), ``blame``, ``settling``,
then ``gradients``. Beside them stand
``formulas`` and ``nonfinite``.
"""

from . import formulas
from .gradients import assert_gradients, gradcheck, gradgradcheck
from .nonfinite import NonfiniteReport, where_nan
from .report import Culprit, Element, GradcheckReport, InputSummary
from .reporting import Report

__all__ = [
    "Culprit",
    "Element",
    "GradcheckReport",
    "InputSummary",
    "NonfiniteReport",
    "Report",
    "assert_gradients",
    "formulas",
    "gradcheck",
    "gradgradcheck",
    "where_nan",
]
