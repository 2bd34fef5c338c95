"""From a table to a network's inputs and targets: learnt from the training rows, applied to any, stored as arrays."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tinygrad_mlp.errors import DataError

from .columns import shown
from .features import Feature, describe_unseen, fit_feature
from .generated import Floats, Labels
from .stored import from_arrays, to_arrays
from .tables import Table
from .targets import Target, Task, decide_task, fit_target


@dataclass(frozen=True, repr=False)
class Preprocessor:
    """The encoding of a table's columns, learnt by ``Preprocessor.fit`` and not changed afterwards.

    Attributes:
        features: how each input column is encoded, in the order of the training table.
        target: how the target is encoded, and back.
        left_out: columns of the training table that are not used, with the reason.

    >>> table = Table.from_columns({"mass": [1, 3, None, 2], "sex": list("mffm"), "kind": list("abab")})
    >>> pre = Preprocessor.fit(table, "kind", task="classification")
    >>> pre.input_names, pre.transform(table).round(2).tolist()[0], pre.encode_target(table).tolist()
    (('mass', 'sex=f', 'sex=m'), [-1.41, 0.0, 1.0], [0, 1, 0, 1])
    """

    features: tuple[Feature, ...]
    target: Target
    left_out: tuple[tuple[str, str], ...] = ()

    @classmethod
    def fit(
        cls,
        table: Table,
        target: str,
        *,
        task: Task | Literal["auto"] | None = None,
        leave_out: Collection[str] = (),
        max_categories: int = 50,
    ) -> "Preprocessor":
        """Return the preprocessor learnt from the training rows.

        Args:
            table: the training rows, without those whose target is missing (``Table.drop_missing``).
            target: the column to predict.
            task: what ``decide_task`` found for all rows; None or ``auto`` decides here, on the training rows alone.
            leave_out: columns that are not to be used, or one.
            max_categories: a text column with more categories than this is left out.

        Raises:
            DataError: no such column, a column with a slip, a NaN or an inf in it, a target that cannot be learnt, no
                column left to learn from.
        """
        goal, leave_out = table[target], [leave_out] if isinstance(leave_out, str) else leave_out
        for name in leave_out:
            if table[name] is goal:
                raise DataError(f"{table.origin.source}: {shown(target)} is the target and cannot be left out")
        if task is None or task == "auto":
            task = decide_task(goal, task).task
        learnt = fit_target(goal, task)
        features: list[Feature] = []
        left_out: list[tuple[str, str]] = []
        for column in table.columns:
            if column is not goal:
                fitted = "as asked" if column.name in leave_out else fit_feature(column, max_categories)
                if isinstance(fitted, str):
                    left_out.append((column.name, fitted))
                else:
                    features.append(fitted)
        if not features:
            reasons = "; ".join(f"{shown(name)}: {reason}" for name, reason in left_out)
            raise DataError(f"{table.origin.source}: no column is left to learn from ({reasons or 'only the target'})")
        return cls(tuple(features), learnt, tuple(left_out))

    def __repr__(self) -> str:
        columns, target = ", ".join(self.columns), shown(self.target.name)
        return f"<Preprocessor: {self.task} of {target} by {self.n_inputs} inputs from {columns}>"

    @property
    def task(self) -> Task:
        """Classification or regression."""
        return self.target.task

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes in the order of the labels; empty for regression."""
        return getattr(self.target, "classes", ())

    @property
    def n_outputs(self) -> int:
        """How many outputs a network needs: one a class, or 1 for regression."""
        return len(self.classes) or 1

    @property
    def n_inputs(self) -> int:
        """How many inputs a network needs: the columns of ``transform``'s result."""
        return len(self.input_names)

    @property
    def input_names(self) -> tuple[str, ...]:
        """The name of every input: ``mass`` for a number, ``sex=female`` for a category."""
        return tuple(name for feature in self.features for name in feature.input_names)

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that a table must have to be transformed."""
        return tuple(feature.name for feature in self.features)

    def transform(self, table: Table) -> Floats:
        """Return the network's inputs (rows, n_inputs), always finite. Columns that are not needed are ignored.

        Raises:
            DataError: a column of the training table is missing, or holds text where it held numbers.
        """
        absent = [name for name in self.columns if name not in table]
        if absent:
            names = ", ".join(shown(name) for name in absent)
            raise DataError(
                f"{table.origin.source}: not the columns of the training: no {names}; it has {', '.join(table.names)}"
            )
        return np.hstack([feature.encode(table[feature.name]) for feature in self.features])

    def encode_target(self, table: Table) -> Labels | Floats:
        """Return the labels (rows,) for classification, the standardised values (rows, 1) for regression.

        Raises:
            DataError: no target column, a missing value in it, an unseen class.
        """
        return self.target.encode(table[self.target.name])

    def decode_target(self, outputs: ArrayLike) -> NDArray[np.str_] | Floats:
        """Return what a network's outputs mean (rows,): class names, or values in the unit of the target.

        Args:
            outputs: labels (rows,) or probabilities (rows, classes); standardised values (rows,) or (rows, 1).
        """
        return self.target.decode(outputs)

    def remarks(self, table: Table) -> list[str]:
        """Return, in sentences, what in a table was not so in training, though it can be transformed.

        That is: additional columns (ignored), unseen categories, missing values where the training rows had none.
        """
        known = {*self.columns, self.target.name, *(name for name, _ in self.left_out)}
        found = [
            f"column {shown(name)} was not there in training and is ignored"
            for name in table.names
            if name not in known
        ]
        for feature in self.features:
            if feature.name in table:
                found += describe_unseen(feature, table[feature.name])
        return found

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Return the preprocessor as arrays of numbers and text for ``np.savez``; keys begin with ``preprocessor.``."""
        return to_arrays(self.features, self.target, self.left_out)

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> "Preprocessor":
        """Return the preprocessor that ``to_arrays`` stored; other keys, such as a network's, are ignored.

        Raises:
            ModelFileError: the arrays are not those of a preprocessor, or of a newer format.
        """
        return cls(*from_arrays(arrays))
