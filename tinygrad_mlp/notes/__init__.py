"""The source notes, cell by cell: their printed figures recomputed, their mistakes found, their pictures drawn.

The library began as the working form of a text that builds a multilayer perceptron by hand, derives every gradient by
hand and trains it. Here that text is held against the library, and the library against it::

    from tinygrad_mlp import notes

    print(notes.format_table(notes.table()))  # every printed figure beside ours
    print(notes.format_training(notes.training(literal=True), notes.training(literal=False)))
    print(notes.format_mistakes(notes.mistakes()))  # each found by running a check
    print(notes.format_properties(notes.properties()))
    notes.figures("out")

Read the modules in this order, in which they import each other: ``printed`` (the figures), ``loop`` (cell 30),
``cells``, ``comparing`` (the table), ``claims`` (formulas as written and mended), ``differing``, ``indices``,
``checks``, ``errata`` (the mistakes), ``facts``, ``drawings``. The gradients by hand are those of ``check.formulas``.
"""

from .comparing import Comparison, format_table, table
from .drawings import figures
from .errata import Mistake, format_mistakes, mistakes
from .facts import Property, format_properties, properties
from .loop import Trace, format_training, training

__all__ = [
    "Comparison",
    "Mistake",
    "Property",
    "Trace",
    "figures",
    "format_mistakes",
    "format_properties",
    "format_table",
    "format_training",
    "mistakes",
    "properties",
    "table",
    "training",
]
