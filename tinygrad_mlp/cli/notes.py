"""``tinygrad-mlp notes``: the source notes recomputed, and their mistakes found."""

import argparse
from typing import Any

from tinygrad_mlp import notes

from .output import writing


def add(commands: Any) -> None:
    """Add the command to the parser."""
    about = "recompute every figure of the source notes and find their mistakes"
    parser = commands.add_parser("notes", help=about, description=about.capitalize() + ".")
    parser.add_argument(
        "--figures", metavar="DIR", help="also draw the figures of the notes into DIR (needs matplotlib)"
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print the table, the training of cell 30, the mistakes and the statements; return 1 if a figure differs."""
    if options.figures:  # first, since it may fail
        with writing(options.figures):
            for path in notes.figures(options.figures):
                print(f"wrote {path}")
        print()
    agree = show_table()
    print("\nThe training loop of cell 30, as written and mended\n")
    print(notes.format_training(notes.training(literal=True), notes.training(literal=False)))
    show_mistakes()
    print("\nWhat else the notes state, checked\n")
    print(notes.format_properties(notes.properties()))
    return 0 if agree else 1


def show_table() -> bool:
    """Print every printed figure of the notes beside ours, and return whether all agree."""
    rows = notes.table()
    print("The figures that the notes print, beside ours\n")
    print(notes.format_table(rows))
    judged = [row for row in rows if row.agrees is not None]
    agree = sum(bool(row.agrees) for row in judged)
    print(f"\n{agree} of {len(judged)} figures agree; {len(rows) - len(judged)} are timings and not judged")
    return agree == len(judged)


def show_mistakes() -> None:
    """Print the mistakes of the notes, each with the check that found it."""
    print(
        "\nMistakes of the notes, each found by the check named (12 to 20 are slips that no check of a formula shows)\n"
    )
    print(notes.format_mistakes(notes.mistakes()))
