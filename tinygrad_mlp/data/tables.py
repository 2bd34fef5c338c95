"""A table: named columns of equal length, read from a file or made from values in memory."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tinygrad_mlp.errors import DataError

from .columns import MISSING, Column, Kind, Origin, parse_column, shown, value_text

_NAMES_SHOWN = 12


@dataclass(frozen=True, eq=False, repr=False)
class Table:
    """Named columns of equal length; ``len(table)`` is the number of rows, ``table["name"]`` a column.

    >>> table = Table.from_columns({"mass": [3.5, None], "sex": ["male", "female"]})
    >>> len(table), table.names, table["mass"].kind, table["sex"].cells
    (2, ('mass', 'sex'), 'numeric', ('male', 'female'))
    """

    columns: tuple[Column, ...]
    origin: Origin

    @classmethod
    def from_columns(
        cls,
        columns: Mapping[str, Iterable[Any]],
        *,
        source: str = "table",
        missing: Collection[str] = MISSING,
        kinds: Mapping[str, Kind] | None = None,
    ) -> "Table":
        """Return the table of values in memory; kinds are found out as for a file.

        Args:
            columns: for each name its values: numbers, texts, bools, None for a missing one.
            source: what errors call the table.
            missing: texts that stand for a missing value.
            kinds: ``numeric`` or ``text`` for columns where that is to be decided.

        Raises:
            DataError: no columns, columns of different lengths, a value of another type, an unknown name in ``kinds``.
        """
        cells = {name: [value_text(value) for value in values] for name, values in columns.items()}
        return assemble(cells, _rows_of(cells, source), missing=missing, kinds=kinds)

    @classmethod
    def from_arrays(
        cls, x: ArrayLike, y: ArrayLike | None = None, *, target: str = "y", source: str = "arrays"
    ) -> "Table":
        """Return the table with columns ``x1``, ``x2`` … for those of ``x`` (rows, features), and ``target`` for ``y``.

        >>> Table.from_arrays([[1, 2], [3, 4]], [0, 1]).names
        ('x1', 'x2', 'y')
        """
        matrix: NDArray[Any] = np.asarray(x)
        if matrix.ndim != 2:
            raise DataError(f"x must have shape (rows, features), not {matrix.shape}")
        columns: dict[str, Iterable[Any]] = {f"x{i + 1}": matrix[:, i] for i in range(matrix.shape[1])}
        if y is not None:
            values: NDArray[Any] = np.asarray(y)
            if values.shape not in {(len(matrix),), (len(matrix), 1)}:
                raise DataError(f"y must have shape ({len(matrix)},), as x has {len(matrix)} rows, not {values.shape}")
            columns[target] = values.reshape(-1)
        return cls.from_columns(columns, source=source)

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.origin.lines)

    def __contains__(self, name: object) -> bool:
        """Say whether there is a column of that name."""
        return name in self.names

    def __getitem__(self, name: str) -> Column:
        """Return the column of that name, or raise a DataError that names the nearest one."""
        for column in self.columns:
            if column.name == name:
                return column
        raise DataError(f"{self.origin.source}: no column {shown(name)}{self._remedy(name)}")

    def __repr__(self) -> str:
        columns = [f"{column.name} ({column.kind})" for column in self.columns[:_NAMES_SHOWN]]
        more = [f"and {len(self.columns) - _NAMES_SHOWN} more"] if len(self.columns) > _NAMES_SHOWN else []
        return f"<Table {self.origin.source}: {len(self)} rows; {', '.join(columns + more)}>"

    @property
    def names(self) -> tuple[str, ...]:
        """The columns' names in order."""
        return tuple(column.name for column in self.columns)

    def take(self, rows: Iterable[int]) -> "Table":
        """Return the table with the given rows, in their order."""
        chosen = [int(row) for row in rows]
        origin = self.origin.take(chosen)
        return Table(tuple(column.take(chosen, origin) for column in self.columns), origin)

    def drop_missing(self, name: str) -> "Table":
        """Return the table without the rows in which the column ``name`` has no value."""
        return self.take(np.flatnonzero(~self[name].missing))

    def without(self, *names: str) -> "Table":
        """Return the table without the named columns, which must exist."""
        for name in names:
            self[name]
        return Table(tuple(column for column in self.columns if column.name not in names), self.origin)

    def _remedy(self, name: str) -> str:
        from difflib import get_close_matches  # here, because importing it takes milliseconds and errors are rare

        close = get_close_matches(name, self.names, n=1)
        if close:
            return f"; did you mean {shown(close[0])}?"
        more = f" and {len(self.names) - _NAMES_SHOWN} more" if len(self.names) > _NAMES_SHOWN else ""
        return f"; it has {', '.join(self.names[:_NAMES_SHOWN])}{more}"


def assemble(
    cells: Mapping[str, Iterable[str | None]],
    origin: Origin,
    *,
    missing: Collection[str],
    kinds: Mapping[str, Kind] | None = None,
    decimal: str = ".",
) -> Table:
    """Return the table of the given cells: missing texts become None, and every column finds its kind.

    Raises:
        DataError: an unknown column or kind in ``kinds``, or a decimal sign other than ``.`` and ``,``.
    """
    decided = dict(kinds or {})
    if decimal not in {".", ","}:
        raise DataError(f"decimal must be '.' or ',', not {decimal!r}")
    for name, kind in decided.items():
        if kind not in {"numeric", "text"}:
            raise DataError(f"kinds: column {shown(name)} must be 'numeric' or 'text', not {kind!r}")
    columns = tuple(
        parse_column(
            name,
            [None if cell is None or cell in missing else cell for cell in column],
            origin,
            decided.get(name),
            decimal,
        )
        for name, column in cells.items()
    )
    table = Table(columns, origin)
    for name in decided:
        table[name]  # raises the error that names the close matches
    return table


def _rows_of(cells: Mapping[str, list[str | None]], source: str) -> Origin:
    if not cells:
        raise DataError(f"{source}: no columns")
    lengths = {name: len(column) for name, column in cells.items()}
    first, n = next(iter(lengths.items()))
    for name, length in lengths.items():
        if length != n:
            raise DataError(f"{source}: column {shown(name)} has {length} rows, but {shown(first)} has {n}")
    return Origin(source, tuple(range(n)))
