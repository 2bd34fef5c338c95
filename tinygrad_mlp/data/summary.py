"""A plain summary of a table, for a report or a terminal."""

from collections import Counter
from dataclasses import dataclass, replace

import numpy as np

from .columns import Column, Kind, number_text, shown
from .tables import Table


@dataclass(frozen=True)
class ColumnSummary:
    """What a column holds; ``dataclasses.asdict`` gives a dict that ``json.dumps`` takes.

    Attributes:
        name: the column's name.
        kind: numeric, text or empty.
        missing: how many rows have no value.
        distinct: how many different values there are.
        minimum: the least number, None unless the kind is numeric; so the next four.
        median: the middle number.
        mean: the mean.
        std: the standard deviation (divided by n).
        maximum: the greatest number.
        top: the most frequent values with their counts, most frequent first, ties in the order of their text.
        problem: why the column cannot be used as it is; empty if it can, and then the numbers above are there.
    """

    name: str
    kind: Kind
    missing: int
    distinct: int
    minimum: float | None = None
    median: float | None = None
    mean: float | None = None
    std: float | None = None
    maximum: float | None = None
    top: tuple[tuple[str, int], ...] = ()
    problem: str = ""

    def __str__(self) -> str:
        """Return the summary in one line."""
        if self.problem:
            content = self.problem
        elif self.minimum is not None and self.maximum is not None and self.mean is not None:
            content = f"{self.minimum:.6g} … {self.maximum:.6g}, mean {self.mean:.6g}"
        else:
            content = ", ".join(f"{shown(value)} ({count})" for value, count in self.top)
        missing = f", {self.missing} missing" if self.missing else ""
        return f"{self.name}: {self.kind}, {self.distinct} distinct{missing}" + (f": {content}" if content else "")


def describe(table: Table, top: int = 5) -> list[ColumnSummary]:
    """Return the summary of every column, in order.

    Args:
        table: the table.
        top: how many of the most frequent values to name.

    >>> for summary in describe(Table.from_columns({"mass": [1, 2, None], "sex": ["f", "m", "f"]})):
    ...     print(summary)
    mass: numeric, 2 distinct, 1 missing: 1 … 2, mean 1.5
    sex: text, 2 distinct: 'f' (2), 'm' (1)
    """
    return [_summary(column, top) for column in table.columns]


def _summary(column: Column, top: int) -> ColumnSummary:
    present = ~column.missing
    usable = column.kind == "numeric" and not column.problem and bool(present.any())
    numbers = column.parsed[present] if usable else None
    texts = [cell for cell in column.cells if cell is not None]
    values = Counter(texts if numbers is None else map(number_text, numbers.tolist()))
    frequent = tuple(sorted(values.items(), key=lambda item: (-item[1], item[0]))[:top])
    missing = len(column) - len(texts)
    summary = ColumnSummary(column.name, column.kind, missing, len(values), top=frequent, problem=column.problem)
    if numbers is None:
        return summary
    return replace(
        summary,
        minimum=float(numbers.min()),
        median=float(np.median(numbers)),
        mean=float(numbers.mean()),
        std=float(numbers.std()),
        maximum=float(numbers.max()),
    )
