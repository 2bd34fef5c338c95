"""Reading a CSV file into a table, with errors that name the line."""

import csv
import io
from collections.abc import Collection, Iterator, Mapping
from itertools import islice
from os import PathLike, fspath
from os.path import abspath, dirname, isfile, join

import numpy as np

from tinygrad_mlp.errors import DataError

from .columns import MISSING, Kind, Origin, parse_column, shown
from .tables import Table, assemble

DELIMITERS = (",", ";", "\t", "|")
EXAMPLES = ("penguins.csv",)

_NAMES = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}
_SAMPLE = 100  # rows that decide which delimiter a file has
_WIDE_BOMS = (b"\xff\xfe", b"\xfe\xff", b"\x00\x00\xfe\xff")


def read_csv(
    path: str | PathLike[str],
    *,
    delimiter: str | None = None,
    decimal: str = ".",
    encoding: str = "utf-8",
    missing: Collection[str] = MISSING,
    kinds: Mapping[str, Kind] | None = None,
) -> Table:
    """Return the table in a CSV file with a header line.

    A field in double quotes may hold delimiters, line breaks and, doubled, double quotes. White space around a field is
    dropped, empty lines are skipped. ``tinygrad_mlp.data.columns`` tells what is missing, a number or an error.

    Args:
        path: the file, in UTF-8 with or without a byte order mark.
        delimiter: one character; if None, found out among comma, semicolon, tab and bar.
        decimal: the decimal sign, ``.`` or ``,``.
        encoding: what the file is written in, if not UTF-8.
        missing: texts that stand for a missing value.
        kinds: ``numeric`` or ``text`` for columns where that is to be decided (codes ``1, 2`` that are no quantities).

    Raises:
        DataError: no such file, not readable, not text in that encoding, empty, only a header, no header, a column name
            that is missing or there twice, a line with too few or too many fields, a quote that is never closed.
    """
    source = fspath(path)
    text = _decode(_read_bytes(source), encoding, source)
    if not text.strip():
        raise DataError(f"{source}: the file is empty")
    if delimiter is None:
        delimiter = find_delimiter(text, source)
    elif len(delimiter) != 1 or delimiter in '"\r\n ':
        raise DataError(f"delimiter must be one character and no quote, blank or line break, not {delimiter!r}")
    records = _records(text, delimiter, source)
    header_line, header = next((record for record in records if record[1] != [""]), (1, [""]))
    _check_header(header, header_line, source)
    rows, lines = [], []
    for line, row in records:
        if row == [""] and len(header) > 1:
            continue  # a line of blanks
        if len(row) != len(header):
            raise DataError(
                f"{source}, line {line}: {_fields(len(row))}, but the header (line {header_line}) has {len(header)}; "
                "a field that contains the delimiter must be in double quotes"
            )
        rows.append(row)
        lines.append(line)
    if not rows:
        raise DataError(f"{source}: only a header and no rows")
    origin = Origin(source, tuple(lines), "line")
    cells = dict(zip(header, zip(*rows, strict=True), strict=True))
    return assemble(cells, origin, missing=missing, kinds=kinds, decimal=decimal)


def example_file(name: str = "penguins.csv") -> str:
    """Return the path of a data set that comes with the library; its source and licence lie beside it.

    Raises:
        DataError: there is none of that name.

    >>> len(read_csv(example_file("penguins.csv")))
    344
    """
    package = dirname(dirname(abspath(__file__)))
    for folder in (
        join(package, "examples_data"),
        join(dirname(package), "examples", "data"),
    ):  # installed; in the source
        if isfile(join(folder, name)):
            return join(folder, name)
    raise DataError(f"no data set {shown(name)} comes with the library; there is {', '.join(EXAMPLES)}")


def find_delimiter(text: str, source: str = "text") -> str:
    r"""Return the character of ``DELIMITERS`` that splits the first rows evenly; a comma if there is a single column.

    Raises:
        DataError: two characters split the rows equally well, so that only the user can know.

    >>> find_delimiter("a;b\n1,5;2\n")
    ';'
    """
    scores = {candidate: _evenness(text, candidate) for candidate in DELIMITERS}
    best = max(scores.values())
    winners = [candidate for candidate, score in scores.items() if score == best]
    if best > 0 and len(winners) > 1:
        names = " and ".join(_NAMES[winner] for winner in winners)
        raise DataError(f"{source}: {names} split the lines equally well: say which one is the delimiter (delimiter=)")
    return winners[0]  # all zero: a single column, and the comma comes first


def _evenness(text: str, delimiter: str) -> float:
    """Return the share of the first rows that have as many fields as the header, 0 if the header has only one."""
    try:
        lengths = [len(row) for _, row in islice(_records(text, delimiter, ""), _SAMPLE) if row != [""]]
    except DataError:  # a quote in the wrong place for this delimiter
        return 0.0
    return lengths.count(lengths[0]) / len(lengths) if lengths and lengths[0] > 1 else 0.0


def _records(text: str, delimiter: str, source: str) -> Iterator[tuple[int, list[str]]]:
    """Yield every row with the line on which it begins; lines without any field are skipped."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True, strict=True)
    while True:
        line = reader.line_num + 1
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise DataError(f"{source}, line {line}: {error}; is a double quote missing or not doubled?") from None
        if row:
            yield line, [field.strip() for field in row]


def _check_header(header: list[str], line: int, source: str) -> None:
    for place, name in enumerate(header):
        if not name:
            raise DataError(
                f"{source}, line {line}: column {place + 1} of the header has no name: name it or remove it"
            )
        if name in header[:place]:
            raise DataError(f"{source}, line {line}: the header has two columns named {shown(name)}: rename one")
    names = parse_column("header", header, Origin(source, (line,) * len(header))).parsed
    numbers = np.isfinite(names)
    if numbers.sum() * 2 >= len(header) and (names[numbers] % 1 != 0).any():
        raise DataError(f"{source}, line {line}: numbers where column names should be: add a header line")


def _read_bytes(source: str) -> bytes:
    try:
        with open(source, "rb") as file:
            return file.read()
    except FileNotFoundError:
        raise DataError(f"{source}: no such file") from None
    except OSError as error:
        raise DataError(f"{source}: cannot be read ({error.strerror})") from None


def _decode(content: bytes, encoding: str, source: str) -> str:
    is_utf8 = encoding.lower().replace("_", "-") in {"utf-8", "utf8", "utf-8-sig"}
    if is_utf8 and content.startswith(_WIDE_BOMS):
        raise DataError(
            f"{source}: written in UTF-16 or UTF-32: save it as UTF-8, or give its encoding (encoding='utf-16')"
        )
    try:
        text = content.decode("utf-8-sig" if is_utf8 else encoding)
    except LookupError:
        raise DataError(f"unknown encoding {encoding!r}") from None
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise DataError(
            f"{source}, line {line}: byte 0x{content[error.start]:02x} is not {encoding.upper()}: "
            "save the file as UTF-8, or give its encoding (encoding='cp1252' for older Windows files)"
        ) from None
    if "\0" in text:
        raise DataError(
            f"{source}, line {text.count(chr(10), 0, text.index(chr(0))) + 1}: a NUL character, so this is no text file"
        )
    return text


def _fields(count: int) -> str:
    return "1 field" if count == 1 else f"{count} fields"
