"""The program: its commands, what it does with errors, and its exit codes.

It returns 0 if all went well, 1 if a check found something wrong, 2 if it was used wrongly or with data that it cannot
use, 130 if it was interrupted.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import metadata
from typing import NoReturn

from tinygrad_mlp.errors import DataError, LayoutError, MissingDependencyError, ModelFileError, TrainingError

from . import demo, drawing, notes, predict, train
from .output import CommandError

COMMANDS = (demo, notes, train, predict, drawing)

# What the user can mend; any other exception is a bug of the program and keeps its traceback.
MENDABLE = (CommandError, DataError, LayoutError, MissingDependencyError, ModelFileError, TrainingError)


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors take one line."""

    def error(self, message: str) -> NoReturn:
        """Raise the error, so that it is printed like every other."""
        raise CommandError(f"{message} (see {self.prog} --help)")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command that the arguments name, those of the process by default, and return its exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # a terminal that knows no σ shows ? instead of a traceback
    try:
        parser = make_parser()
        if not given:
            parser.print_help()
            return 0
        options = parser.parse_args(given)
        options.given = given
        code: int = options.run(options)
        sys.stdout.flush()
        return code
    except MENDABLE as error:
        print(f"tinygrad-mlp: {one_line(error)}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # the reader, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python fails again at its end
        return 0
    except KeyboardInterrupt:
        print("tinygrad-mlp: interrupted; nothing was written", file=sys.stderr)
        return 130


def make_parser() -> Parser:
    """Return the parser of the command line."""
    parser = Parser(
        prog="tinygrad-mlp",
        description="See, check and train neural networks as graphs.",
        epilog="Start with: tinygrad-mlp demo --out demo-output",
    )
    parser.add_argument("--version", action="version", version=f"tinygrad-mlp {version()}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for command in COMMANDS:
        command.add(commands)
    return parser


def one_line(error: Exception) -> str:
    """Return an error's message on one line."""
    return " ".join(str(error).split()) or type(error).__name__


def version() -> str:
    """Return the installed version of the library."""
    try:
        return metadata.version("tinygrad-mlp")
    except metadata.PackageNotFoundError:
        return "(not installed)"
