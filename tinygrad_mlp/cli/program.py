"""The program: its commands, what it does with errors, and its exit codes.

It returns 0 if all went well, 1 if a check found something wrong, 2 if it was used wrongly or with data that it cannot
use, 130 if it was interrupted.
"""

import argparse
import contextlib
import json
import os
import re
import signal
import sys
from collections.abc import Sequence
from importlib import metadata
from typing import NoReturn

from tinygrad_mlp.errors import DataError, LayoutError, MissingDependencyError, ModelFileError, TrainingError

from . import check, demo, drawing, notes, predict, train
from .output import CommandError

COMMANDS = (demo, notes, train, predict, drawing, check)

# What the user can mend; any other exception is a bug of the program and keeps its traceback.
MENDABLE = (CommandError, DataError, LayoutError, MissingDependencyError, ModelFileError, TrainingError)


# How a message about data calls an argument of the library, and the option that sets it here.
OPTIONS = (
    (re.compile(r"\b(decimal|encoding|delimiter)='(.[^']*)'"), r"--\1 \2"),
    (re.compile(r"\(delimiter=\)"), "(--delimiter)"),
    (
        re.compile(r"leave the column out, or read the column as text$"),
        "leave the column out (--ignore), or read it as text (--as-text)",
    ),
    (re.compile(r"choose regression$"), "choose --task regression"),
)


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors take one line."""

    def error(self, message: str) -> NoReturn:
        """Raise the error, so that it is printed like every other."""
        if re.fullmatch(r"unrecognized arguments: [\d, ]+", message):
            message += ": write the lengths of a shape with commas, as --shape 5,3"
        raise CommandError(f"{message} (see {self.prog} --help)")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command that the arguments name, those of the process by default, and return its exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if arguments is None:
        _prepare_process()
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
        _complain(one_line(error))
        if "--json" in given:
            print(json.dumps({"verdict": "unusable", "error": one_line(error)}, ensure_ascii=False))
        return 2
    except BrokenPipeError:  # the reader, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python fails again at its end
        return 0
    except OSError as error:  # files are handled where they are written: what is left is the output itself
        if arguments is not None or error.filename is not None:
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        _complain(f"the output cannot be written ({error.strerror or error})")
        return 2
    except KeyboardInterrupt:
        _complain("interrupted; nothing was written")
        return 130


def _prepare_process() -> None:
    """Make the process behave in a pipe, without a terminal, and when it is told to end."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed by the caller, as `>&-` does: there is nobody to print to
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115
        stream = getattr(sys, name)
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # a terminal that knows no σ shows ? instead of a traceback
    with contextlib.suppress(ValueError):  # in another thread than the main one
        signal.signal(signal.SIGTERM, _end)


def _end(*_: object) -> NoReturn:
    """End as a signal asks, but through the clean-up, so that no half-written file stays."""
    raise SystemExit(128 + signal.SIGTERM)


def _complain(message: str) -> None:
    """Print a line on stderr; on a full disk there is no more that can be done."""
    with contextlib.suppress(OSError):
        print(f"tinygrad-mlp: {message}", file=sys.stderr)


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
    """Return an error's message on one line, with the options of the command instead of the library's arguments."""
    message = " ".join(str(error).split()) or type(error).__name__
    if isinstance(error, DataError):
        for argument, option in OPTIONS:
            message = argument.sub(option, message)
    return message


def version() -> str:
    """Return the installed version of the library."""
    try:
        return metadata.version("tinygrad-mlp")
    except metadata.PackageNotFoundError:
        return "(not installed)"
