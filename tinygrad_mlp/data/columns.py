"""One column of a table: its cells as they were written, what kind they are, and the numbers in them.

What counts as what, in a file and in memory alike:

* **missing**: an empty cell or one of ``MISSING`` (``NA``, ``null``, ``?`` …). It can be filled in.
* **a number**: ASCII digits with an optional sign, decimal point and exponent (``-1.5e3``), nothing else.
* **nan and inf written as numbers** are results of a computation that went wrong, so they are an error and are not
  filled in; so are numbers above ``LARGEST``, whose squares overflow.
* A column is *numeric* if every cell that is not missing is one of the last two, *empty* if all are missing, otherwise
  *text*. Text of which half or more are numbers is almost always a numeric column with a slip in it: an error, unless
  ``kind`` decides.

Such an error is kept in ``Column.problem`` and raised when the column is used: one that is left out disturbs nobody.
"""

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from tinygrad_mlp.errors import DataError

from .generated import Floats

Kind: TypeAlias = Literal["numeric", "text", "empty"]

MISSING = frozenset({"", "NA", "N/A", "#N/A", "<NA>", "na", "n/a", "null", "NULL", "Null", "None", "?"})
LARGEST = 1e100

_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?", re.ASCII)
_NOT_FINITE = re.compile(r"[+-]?(?:nan|inf|infinity)", re.ASCII | re.IGNORECASE)
_COMMA_NUMBER = re.compile(r"[+-]?[0-9]+(?:,[0-9]+)+(?:\.[0-9]*)?", re.ASCII)


@dataclass(frozen=True)
class Origin:
    """Where rows come from, so that errors can point there.

    Attributes:
        source: the file's name, or what else to call the table.
        lines: the line on which each row begins, or the row's number from 0 where there is no file.
        unit: ``line`` or ``row``.
    """

    source: str
    lines: tuple[int, ...]
    unit: Literal["line", "row"] = "row"

    def take(self, rows: Iterable[int]) -> "Origin":
        """Return the origin of the given rows, in their order."""
        return Origin(self.source, tuple(self.lines[row] for row in rows), self.unit)


@dataclass(frozen=True, eq=False, repr=False)
class Column:
    """A named column.

    Attributes:
        name: its name.
        kind: numeric, text or empty (no cell has a value).
        cells: every cell as text, None where it is missing.
        origin: where the rows come from.
        parsed: the cells as numbers (rows,), NaN where there is none; ask ``numbers()``, which checks, instead.
        problem: why the cells cannot be used as they are; empty if they can.
    """

    name: str
    kind: Kind
    cells: tuple[str | None, ...]
    origin: Origin
    parsed: Floats
    problem: str = ""

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.cells)

    def __repr__(self) -> str:
        return f"<Column {shown(self.name)}: {self.kind}, {len(self)} rows, {int(self.missing.sum())} missing>"

    @property
    def missing(self) -> NDArray[np.bool_]:
        """The rows (rows,) that have no value."""
        return np.array([cell is None for cell in self.cells], dtype=np.bool_)

    def numbers(self) -> Floats:
        """Return the cells as numbers (rows,), NaN where a value is missing.

        Raises:
            DataError: the column has a problem, or a cell that is no number.
        """
        self.check()
        for row in np.flatnonzero(np.isnan(self.parsed) & ~self.missing):
            raise DataError(f"{self.where(int(row))}: {shown(self.cells[row])} is not a number")
        return self.parsed

    def check(self) -> None:
        """Raise a DataError if the column has a problem."""
        if self.problem:
            raise DataError(self.problem)

    def where(self, row: int) -> str:
        """Return the place of a cell, for an error: ``d.csv, line 7, column 'mass'``."""
        return f"{self.origin.source}, {self.origin.unit} {self.origin.lines[row]}, column {shown(self.name)}"

    def take(self, rows: Iterable[int], origin: Origin) -> "Column":
        """Return the column with the given rows in their order; its kind stays, as it was decided on all rows."""
        chosen = list(rows)
        cells = tuple(self.cells[row] for row in chosen)
        return Column(self.name, self.kind, cells, origin, self.parsed[chosen], self.problem)


def parse_column(
    name: str, cells: Sequence[str | None], origin: Origin, kind: Kind | None = None, decimal: str = "."
) -> Column:
    """Return the column made of ``cells``, its kind found out or given.

    Args:
        name: the column's name.
        cells: text, or None for a missing value.
        origin: where the rows come from.
        kind: ``numeric`` or ``text`` to decide for the column; otherwise its cells decide.
        decimal: the decimal sign, ``.`` or ``,``.

    >>> parse_column("a", ["1.5", None, "-2e3"], Origin("memory", (0, 1, 2))).numbers().tolist()
    [1.5, nan, -2000.0]
    """
    read = [None if cell is None else _number(cell, decimal) for cell in cells]
    parsed = np.array([math.nan if number is None else number for number in read], dtype=np.float64)
    words = [row for row, number in enumerate(read) if number is None and cells[row] is not None]
    present = sum(cell is not None for cell in cells)
    found: Kind = "text" if kind == "text" or (words and kind != "numeric") else "numeric" if present else "empty"
    column = Column(name, found, tuple(cells), origin, parsed)
    if kind == "text":
        return column
    problem = _slip(column, words, present, certain=kind == "numeric") if words else _not_finite(column)
    return replace(column, problem=problem)


def _slip(column: Column, words: list[int], present: int, certain: bool) -> str:
    """Return what is wrong with a column of numbers in which the rows ``words`` hold none; empty if it is honest text.

    Args:
        column: the column.
        words: the rows whose cell is neither missing nor a number.
        present: how many cells are not missing.
        certain: whether the column was declared numeric.
    """
    commas = sum(1 for row in words if _COMMA_NUMBER.fullmatch(column.cells[row] or ""))
    numeric = present - len(words)
    if not certain and (numeric + commas) * 2 < present:
        return ""  # mostly words: an honest text column
    place = f"{column.where(words[0])}: {shown(column.cells[words[0]])}"
    if commas == len(words):
        return (
            f"{place} has a comma: if it is the decimal sign, read with decimal=','; if it marks thousands, remove it"
        )
    return (
        f"{place} is not a number, but {numeric} of {present} cells are: "
        "correct it, leave it empty, leave the column out, or read the column as text"
    )


def _not_finite(column: Column) -> str:
    """Return what is wrong with the first cell of a numeric column that cannot be trained on."""
    for row in np.flatnonzero(~(np.abs(column.parsed) <= LARGEST)):
        cell = column.cells[row]
        if cell is not None:
            too_large = f"above {LARGEST:g}, too large to train on: rescale the column"
            not_finite = "not a finite number: correct it, or leave the cell empty if the value is missing"
            return (
                f"{column.where(int(row))}: {shown(cell)} is {not_finite if _NOT_FINITE.fullmatch(cell) else too_large}"
            )
    return ""


def number_text(value: float) -> str:
    """Return a number as a cell shows it: whole numbers without a point, others so that they read back exactly.

    >>> number_text(3.0), number_text(0.1), number_text(1e300)
    ('3', '0.1', '1e+300')
    """
    number = float(value)
    return str(int(number)) if number.is_integer() and abs(number) < 1e15 else repr(number)


def value_text(value: Any) -> str | None:
    """Return a value in memory as the cell that would show it; None stays None.

    Raises:
        DataError: the value is no number, text, bool or None.
    """
    if value is None:
        return None
    if isinstance(value, str):
        return str(value)
    if isinstance(value, (bool, np.bool_)):
        return str(bool(value))
    if isinstance(value, (int, float, np.integer, np.floating)):
        return number_text(float(value))
    raise DataError(f"a cell must be a number, a text or None, not {type(value).__name__}")


def shown(text: str | None, limit: int = 40) -> str:
    r"""Return a text in quotes, on one line and not longer than ``limit``, for a message.

    >>> print(shown("two\nlines"))
    'two\nlines'
    """
    whole = str(text)
    return repr(whole if len(whole) <= limit else whole[: limit - 1] + "…")


def _number(cell: str, decimal: str) -> float | None:
    """Return the number that a cell shows, or None."""
    text = cell if decimal == "." else cell.replace(".", "·").replace(decimal, ".")
    return float(text) if _NUMBER.fullmatch(text) or _NOT_FINITE.fullmatch(text) else None
