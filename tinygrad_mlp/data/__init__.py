"""Data sets, CSV files, preprocessing, splits and batches.

From a file to arrays:

>>> table = read_csv(example_file("penguins.csv")).drop_missing("species")
>>> task, reason = decide_task(table["species"])
>>> train, test = train_test_split(table, stratify=table["species"].cells)
>>> preprocessor = Preprocessor.fit(train, "species", task=task)
>>> X, labels = preprocessor.transform(train), preprocessor.encode_target(train)
>>> X.shape, preprocessor.classes, preprocessor.decode_target([2, 0]).tolist()
((258, 11), ('Adelie', 'Chinstrap', 'Gentoo'), ['Gentoo', 'Adelie'])

Read the modules in this order, in which they import each other: ``generated`` (data sets that are computed),
``columns``, ``tables``, ``reading`` (CSV), ``summary``, ``features``, ``targets``, ``stored``, ``preprocessing``,
``splitting``.
"""

from .columns import MISSING, Column
from .features import NumericFeature, TextFeature
from .generated import circles, logistic_data, logistic_truth, moons, one_hot, spirals, three_clusters, xor
from .preprocessing import Preprocessor
from .reading import example_file, read_csv
from .splitting import batches, split_rows, train_test_split
from .summary import ColumnSummary, describe
from .tables import Table
from .targets import ClassTarget, Decision, NumberTarget, decide_task

__all__ = [
    "MISSING",
    "ClassTarget",
    "Column",
    "ColumnSummary",
    "Decision",
    "NumberTarget",
    "NumericFeature",
    "Preprocessor",
    "Table",
    "TextFeature",
    "batches",
    "circles",
    "decide_task",
    "describe",
    "example_file",
    "logistic_data",
    "logistic_truth",
    "moons",
    "one_hot",
    "read_csv",
    "split_rows",
    "spirals",
    "three_clusters",
    "train_test_split",
    "xor",
]
