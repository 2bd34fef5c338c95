"""How one column becomes inputs of a network: numbers standardised, texts as one input a category.

Everything is learnt from the training rows only.

* A **number** that is missing is replaced by the median; then (x - mean) / scale, with the mean and the standard
  deviation of the filled column, so the training rows get mean 0 and variance 1. A constant column becomes 0.
* A **text** gets one input for each category of the training rows, 1 for its own and 0 for the others. A missing text
  is a category of its own if the training rows have one. A category that they do not have, or a missing text where they
  have none, gives 0 everywhere: no input was trained for it. ``describe_unseen`` names such categories, so that nothing
  happens in silence.
"""

from collections import Counter
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from .columns import Column, shown
from .generated import Floats

_TINY = 1e-100  # a spread below this is none; its square and its inverse would leave the range of floats

_UNSEEN_SHOWN = 5


@dataclass(frozen=True)
class NumericFeature:
    """A standardised number.

    Attributes:
        name: the column.
        median: stands in for a missing value, in the unit of the column.
        mean: the mean of the training rows, missing values filled in.
        scale: their standard deviation, 1 if the column is constant.
        had_missing: whether the training rows had missing values.
    """

    name: str
    median: float
    mean: float
    scale: float
    had_missing: bool

    @property
    def input_names(self) -> tuple[str, ...]:
        """The name of its input."""
        return (self.name,)

    def encode(self, column: Column) -> Floats:
        """Return the standardised column (rows, 1).

        Raises:
            DataError: a cell that is not a number; it names the row.
        """
        numbers = column.numbers()
        filled = np.where(np.isnan(numbers), self.median, numbers)
        return ((filled - self.mean) / self.scale).reshape(-1, 1)


@dataclass(frozen=True)
class TextFeature:
    """A text, as one input a category.

    Attributes:
        name: the column.
        categories: those of the training rows, sorted.
        had_missing: whether the training rows had missing values; then the last input stands for them.
    """

    name: str
    categories: tuple[str, ...]
    had_missing: bool

    @property
    def input_names(self) -> tuple[str, ...]:
        """The names of its inputs, ``column=category``."""
        names = tuple(f"{self.name}={category}" for category in self.categories)
        return (*names, f"{self.name} (missing)") if self.had_missing else names

    def encode(self, column: Column) -> Floats:
        """Return a 1 in the input of each row's category (rows, inputs); unseen categories give a row of 0."""
        place: dict[str | None, int] = {category: i for i, category in enumerate(self.categories)}
        if self.had_missing:
            place[None] = len(self.categories)
        encoded = np.zeros((len(column), len(place)))
        for row, cell in enumerate(column.cells):
            if cell in place:
                encoded[row, place[cell]] = 1.0
        return encoded


Feature: TypeAlias = NumericFeature | TextFeature


def fit_feature(column: Column, max_categories: int) -> Feature | str:
    """Return the encoding of a column, or in words why it is left out.

    A column without any value is left out, and a text with more than ``max_categories`` categories or with a different
    one in every row: a name or a number of a row, from which nothing about other rows can be learnt.

    Raises:
        DataError: the column has a problem (``Column.problem``).
    """
    column.check()
    present = ~column.missing
    if not present.any():
        return "it has no values"
    had_missing = not present.all()
    if column.kind == "numeric":
        numbers = column.numbers()
        median = float(np.median(numbers[present]))
        return NumericFeature(column.name, median, *mean_and_scale(np.where(present, numbers, median)), had_missing)
    categories = sorted({cell for cell in column.cells if cell is not None})
    if len(categories) > max_categories:
        return f"it is text with {len(categories)} different values, more than {max_categories}"
    if len(categories) == present.sum() > 1:
        return "it is text with a different value in every row"
    return TextFeature(column.name, tuple(categories), had_missing)


def mean_and_scale(x: Floats) -> tuple[float, float]:
    """Return the mean and standard deviation (divided by n) of ``x`` (rows,); 1 for a spread that is only rounding.

    >>> mean_and_scale(np.array([1.0, 3.0])), mean_and_scale(np.array([0.1, 0.1, 0.1]))
    ((2.0, 1.0), (0.1, 1.0))
    """
    least, greatest = float(x.min()), float(x.max())
    if least == greatest:  # the mean of three 0.1 is not 0.1, and dividing by the difference would blow it up
        return least, 1.0
    middle = least + (greatest - least) / 2
    offset = x - middle  # two passes: no cancellation however far the column lies from 0
    mean = float(offset.mean())
    scale = float(np.sqrt(np.square(offset - mean).mean()))
    return middle + mean, scale if scale > smallest_scale(x) else 1.0


def smallest_scale(x: Floats) -> float:
    """Return the standard deviation of ``x`` (rows,) up to which it is only rounding, or too small to divide by."""
    return max(10 * float(np.finfo(np.float64).eps) * float(np.abs(x).max()), _TINY)


def describe_unseen(feature: Feature, column: Column) -> list[str]:
    """Return sentences about what was not in the training rows: unseen categories, missing values."""

    def in_rows(count: int) -> str:
        return "in 1 row" if count == 1 else f"in {count} rows"

    known = {None, *(feature.categories if isinstance(feature, TextFeature) else column.cells)}
    unseen = Counter(cell for cell in column.cells if cell not in known)
    sentences = [
        f"column {shown(feature.name)}: {shown(category)}, {in_rows(count)}, is new and counts as no category"
        for category, count in unseen.most_common(_UNSEEN_SHOWN)
    ]
    if len(unseen) > _UNSEEN_SHOWN:
        rest = len(unseen) - _UNSEEN_SHOWN
        sentences.append(f"column {shown(feature.name)}: {rest} more values are new and count as no category")
    missing = int(column.missing.sum())
    if missing and not feature.had_missing:
        filled = f"the median, {feature.median:g}" if isinstance(feature, NumericFeature) else "no category"
        sentences.append(
            f"column {shown(feature.name)}: a missing value, {in_rows(missing)}, none in training, counts as {filled}"
        )
    return sentences
