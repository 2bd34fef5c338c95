"""A report about a trained network: one self-contained HTML page, and the same in numbers.

Read ``metrics``, ``frame`` and ``charts`` (SVG), ``run`` (the record that a report is made from), ``learnt``,
``markup``, ``results``, ``inside``, ``page``.
"""

from . import metrics
from .page import page as render
from .run import PARTS, TrainingRun

__all__ = ["PARTS", "TrainingRun", "metrics", "render"]
