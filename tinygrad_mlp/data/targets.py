"""The column to be predicted: whether it is a class or a quantity, checks, and its encoding and back.

Without an explicit task, text means classification; so do whole numbers with few different values (two; or at most
``FEW_CLASSES`` and a third of the rows). Other numbers mean regression.
"""

from collections import Counter
from dataclasses import dataclass
from typing import ClassVar, Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tinygrad_mlp.errors import DataError

from .columns import Column, number_text, shown
from .features import mean_and_scale, smallest_scale
from .generated import Floats, Labels

Task: TypeAlias = Literal["classification", "regression"]

FEW_CLASSES = 10
FEWEST_ROWS = 10


class Decision(NamedTuple):
    """The task, and in words why it is that one."""

    task: Task
    reason: str


def decide_task(column: Column, task: str | None = None) -> Decision:
    """Return what is to be learnt about a target column, after checking that it can be learnt.

    Args:
        column: the target, of all rows: the checks look at it before the split.
        task: ``classification`` or ``regression`` to decide; None or ``auto`` to find out.

    Raises:
        DataError: another task, fewer than ``FEWEST_ROWS`` rows with a target, a constant target, regression on text,
            classes with a single row, a NaN or inf.

    >>> from .tables import Table
    >>> decide_task(Table.from_columns({"age": range(20)})["age"])
    Decision(task='regression', reason='age has 20 different numbers')
    """
    if task not in {None, "auto"}:
        _require_task(task)
    present, place = int(len(column) - column.missing.sum()), _place(column)
    if present < FEWEST_ROWS:
        raise DataError(
            f"{place} has a value in {present} rows; at least {FEWEST_ROWS} are needed to train and to check"
        )
    decision = _explicit(column, task) if task in {"classification", "regression"} else _found(column)
    if decision.task == "regression":
        require_variation(column, len(np.unique(_present_numbers(column))))
        return decision
    counts = Counter(name for name in class_names(column) if name is not None)
    require_variation(column, len(counts))
    single = sorted(name for name, count in counts.items() if count == 1)
    if single:
        more = f" and {len(single) - 1} other classes have" if len(single) > 1 else " has"
        remedy = "merge or remove it" if column.kind == "text" else "merge or remove it, or choose regression"
        raise DataError(
            f"{place}: class {shown(single[0])}{more} a single row, but training and checking need one each: {remedy}"
        )
    return decision


def require_variation(column: Column, distinct: int) -> None:
    """Raise a DataError if the target has only one value."""
    if distinct < 2:
        value = next(cell for cell in column.cells if cell is not None)
        raise DataError(f"{_place(column)} is constant ({shown(value)} in every row): there is nothing to learn")


def class_names(column: Column) -> list[str | None]:
    """Return the class of each row as text, None where it is missing; the numbers ``1.0`` and ``1`` are one class."""
    column.check()
    if column.kind != "numeric":
        return list(column.cells)
    return [
        None if cell is None else number_text(number) for cell, number in zip(column.cells, column.parsed, strict=True)
    ]


@dataclass(frozen=True)
class ClassTarget:
    """A target of classes.

    Attributes:
        name: the column.
        classes: their names, in the order of the labels: numbers by size, texts by their characters.
        numeric: whether the classes are numbers, of a numeric column.
    """

    task: ClassVar[Task] = "classification"
    name: str
    classes: tuple[str, ...]
    numeric: bool = False

    def encode(self, column: Column) -> Labels:
        """Return the labels (rows,), counted from 0.

        Raises:
            DataError: a missing value, or a class that was not seen in training; it names the row.
        """
        number = {name: label for label, name in enumerate(self.classes)}
        names = [number_text(value) for value in column.numbers()] if self.numeric else list(column.cells)
        labels = np.empty(len(column), dtype=np.int64)
        for row, name in enumerate(names):
            if column.cells[row] is None:
                raise DataError(f"{column.where(row)}: the target is missing: drop such rows (table.drop_missing)")
            if name not in number:
                raise DataError(f"{column.where(row)}: class {shown(name)} was not seen in training")
            labels[row] = number[name]
        return labels

    def decode(self, labels: ArrayLike) -> NDArray[np.str_]:
        """Return the names (rows,) of labels (rows,), or of the most probable classes of probabilities (rows, classes).

        >>> ClassTarget("sex", ("f", "m")).decode([[0.9, 0.1], [0.2, 0.8]]).tolist()
        ['f', 'm']
        """
        given = np.asarray(labels)
        chosen = given.argmax(axis=1) if given.ndim == 2 else given
        if (
            chosen.ndim != 1
            or chosen.dtype.kind not in "iu"
            or (given.ndim == 2 and given.shape[1] != len(self.classes))
        ):
            raise DataError(
                f"{self.name}: labels (rows,) or probabilities (rows, {len(self.classes)}), not {given.shape}"
            )
        names: NDArray[np.str_] = np.array(self.classes, dtype=np.str_)[chosen]
        return names


@dataclass(frozen=True)
class NumberTarget:
    """A quantity, standardised: (value - mean) / scale.

    Attributes:
        name: the column.
        mean: the mean of the training rows.
        scale: their standard deviation.
    """

    task: ClassVar[Task] = "regression"
    name: str
    mean: float
    scale: float

    def encode(self, column: Column) -> Floats:
        """Return the standardised values (rows, 1), the shape of a network's output.

        Raises:
            DataError: a value that is missing or no number; it names the row.
        """
        numbers = column.numbers()
        for row in np.flatnonzero(column.missing):
            raise DataError(f"{column.where(int(row))}: the target is missing: drop such rows (table.drop_missing)")
        return ((numbers - self.mean) / self.scale).reshape(-1, 1)

    def decode(self, values: ArrayLike) -> Floats:
        """Return standardised values (rows,) or (rows, 1) as values (rows,) in the unit of the column.

        >>> NumberTarget("mass", 10.0, 2.0).decode([[0.0], [1.5]]).tolist()
        [10.0, 13.0]
        """
        given = np.asarray(values, dtype=np.float64)
        if given.ndim != 1 and given.shape[1:] != (1,):
            raise DataError(f"{self.name}: values must have shape (rows,) or (rows, 1), not {given.shape}")
        return given.reshape(-1) * self.scale + self.mean


Target: TypeAlias = ClassTarget | NumberTarget


def fit_target(column: Column, task: Task) -> Target:
    """Return the encoding of a target column, learnt from its rows (the training rows).

    Raises:
        DataError: no rows, a missing value, a constant target or one that varies by rounding only, regression on text.
    """
    _require_task(task)
    for row in np.flatnonzero(column.missing):
        raise DataError(f"{column.where(int(row))}: the target is missing: drop such rows (table.drop_missing)")
    if not len(column):
        raise DataError(f"{_place(column)} has no rows")
    if task == "regression":
        numbers = column.numbers()
        require_variation(column, len(np.unique(numbers)))
        if np.std(numbers) <= smallest_scale(numbers):
            raise DataError(
                f"{_place(column)} varies by only {np.ptp(numbers):.2g} about {numbers.mean():g}, "
                "too little for floating-point numbers: subtract an offset or rescale the column"
            )
        return NumberTarget(column.name, *mean_and_scale(numbers))
    numeric = column.kind == "numeric"
    names = {name for name in class_names(column) if name is not None}
    require_variation(column, len(names))
    return ClassTarget(column.name, tuple(sorted(names, key=float) if numeric else sorted(names)), numeric)


def _explicit(column: Column, task: str | None) -> Decision:
    if task == "regression":
        column.numbers()  # raises the error that names the first cell that is no number
        return Decision("regression", "as asked")
    return Decision("classification", "as asked")


def _found(column: Column) -> Decision:
    column.check()
    if column.kind == "text":
        return Decision("classification", f"{column.name} is text")
    numbers = _present_numbers(column)
    distinct, whole = len(np.unique(numbers)), bool((numbers == np.rint(numbers)).all())
    few = distinct <= 2 or (distinct <= FEW_CLASSES and distinct * 3 <= len(numbers))
    if whole and few:
        return Decision("classification", f"{column.name} has {distinct} different whole numbers")
    return Decision("regression", f"{column.name} has {distinct} different numbers")


def _present_numbers(column: Column) -> Floats:
    numbers = column.numbers()
    return numbers[~np.isnan(numbers)]


def _require_task(task: str | None) -> None:
    if task not in {"classification", "regression"}:
        raise DataError(f"task must be 'classification', 'regression' or 'auto', not {task!r}")


def _place(column: Column) -> str:
    return f"{column.origin.source}: target {shown(column.name)}"
