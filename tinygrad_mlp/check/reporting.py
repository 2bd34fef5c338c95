"""What every report of a check has in common: a verdict, and text and tables for terminal, notebook and JSON."""

import html
import os
import sys
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import Any, Literal, NamedTuple, TypeAlias

Verdict: TypeAlias = Literal["right", "wrong", "undecided"]

COLOURS = {"right": "32", "wrong": "31", "undecided": "33"}  # of a terminal (ECMA-48): green, red, yellow
INKS = {"right": "#007A5A", "wrong": "#B34700", "undecided": "#8A6100"}  # of a page: readable on white
STYLE = "border-collapse:collapse;margin:6px 0;font-variant-numeric:tabular-nums"
CELL = "text-align:left;padding:2px 12px 2px 0;border-bottom:1px solid #ccc"


class Table(NamedTuple):
    """A small table: the names of its columns, and its rows as text."""

    head: Sequence[str]
    rows: Sequence[Sequence[str]]


class Code(NamedTuple):
    """Lines of a program."""

    text: str


Block: TypeAlias = str | Table | Code


class Report(ABC):
    """The result of a check: true if its verdict is ``right``.

    A subclass has ``headline`` and ``blocks``. Printed at a terminal, the verdict is in colour unless ``NO_COLOR`` is
    set (https://no-color.org); a notebook shows HTML.
    """

    verdict: Verdict

    @abstractmethod
    def headline(self) -> str:
        """Return one line: what was checked, and what came out."""

    @abstractmethod
    def blocks(self) -> Iterable[Block]:
        """Return what stands below the headline."""

    @abstractmethod
    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain numbers, texts, lists and dicts, for JSON."""

    def __bool__(self) -> bool:
        """Return whether the verdict is ``right``."""
        return self.verdict == "right"

    def __str__(self) -> str:
        """Return the report as plain text."""
        return "\n".join([self.headline(), *_lines(self.blocks())])

    def __repr__(self) -> str:
        """Return the report as text, with colour where it is shown at a terminal."""
        stream = sys.stdout
        if "NO_COLOR" in os.environ or not (hasattr(stream, "isatty") and stream.isatty()):
            return str(self)
        coloured = f"\x1b[1;{COLOURS[self.verdict]}m{self.verdict}\x1b[0m"
        return "\n".join([self.headline().replace(self.verdict, coloured, 1), *_lines(self.blocks())])

    def _repr_html_(self) -> str:
        """Return the report as HTML."""
        ink = f'<strong style="color:{INKS[self.verdict]}">{self.verdict}</strong>'
        head = html.escape(self.headline()).replace(self.verdict, ink, 1)
        return f"<div><p>{head}</p>{''.join(map(_html, self.blocks()))}</div>"


def _lines(blocks: Iterable[Block]) -> list[str]:
    lines: list[str] = []
    for block in blocks:
        if isinstance(block, Table):
            lines += aligned([block.head, *block.rows])
        else:
            lines += (block.text if isinstance(block, Code) else block).splitlines()
    return ["  " + line if line else "" for line in lines]


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return the rows of a table as lines, each column as wide as its longest cell."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]


def _html(block: Block) -> str:
    if isinstance(block, Table):
        head = "".join(f'<th style="{CELL}">{html.escape(cell)}</th>' for cell in block.head)
        rows = "".join(
            "<tr>" + "".join(f'<td style="{CELL}">{html.escape(cell)}</td>' for cell in row) + "</tr>"
            for row in block.rows
        )
        return f'<table style="{STYLE}"><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>'
    if isinstance(block, Code):
        return f"<pre>{html.escape(block.text)}</pre>"
    return "".join(f"<p>{html.escape(line)}</p>" for line in block.splitlines())


def number(x: float) -> str:
    """Return a number as reports print it."""
    return f"{x:.7g}"


def plain(x: float) -> float | str:
    """Return a number for JSON, which has no infinities and no NaN: these are words."""
    return float(x) if x - x == 0 else str(float(x))


def count(n: int, word: str) -> str:
    """Return ``n`` with a word, in the plural where needed.

    >>> count(1, "derivative"), count(2500, "derivative")
    ('1 derivative', '2,500 derivatives')
    """
    return f"{n:,} {word}{'s' * (n != 1)}"


def listed(words: Sequence[str], most: int = 5) -> str:
    """Return words as one would say them, the first few of many."""
    shown = list(words[:most])
    hidden = len(words) - len(shown)
    return ", ".join(shown) + (f" and {hidden} more" if hidden > 0 else "")


def place(name: str, index: Sequence[int]) -> str:
    """Return an element as one would write it.

    >>> place("W", (0, 1)), place("x", ())
    ('W[0, 1]', 'x')
    """
    return f"{name}[{', '.join(map(str, index))}]" if len(index) else name
