"""The command ``tinygrad-mlp``: ``demo``, ``notes``, ``train``, ``predict`` and ``draw``.

Read ``program`` (the options' common part, errors and exit codes), ``output`` (nothing half-written), then one module a
command: ``train`` with ``training``, ``predict``, ``notes``, ``demo``, ``draw``.
"""

from .program import main

__all__ = ["main"]
