"""Rows of the op table, checked in one call for those who extend it: ``check_op``.

Read ``report``, ``samples`` (the calls that are made), ``rules`` (vjp, jvp, second order), ``cotangents``, ``forms``
(broadcasting, shapes, dtypes), ``points``, ``flags``, then ``checking``.
"""

from .checking import ASPECTS, check_op
from .report import Aspect, Fault, OpReport

__all__ = ["ASPECTS", "Aspect", "Fault", "OpReport", "check_op"]
