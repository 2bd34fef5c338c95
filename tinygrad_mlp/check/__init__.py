"""Checks of gradients against numbers: ``gradcheck`` compares what the engine derives with central differences.

Read ``report`` (what comes back), then ``gradients``.
"""

from .gradients import gradcheck
from .report import Element, GradcheckReport

__all__ = ["Element", "GradcheckReport", "gradcheck"]
