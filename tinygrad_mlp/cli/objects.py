"""What a command means by ``module:name`` or ``file.py:name``, and by the inputs that are given with it."""

import argparse
import importlib
import importlib.util
import inspect
import sys
from pathlib import Path
from typing import Any

import numpy as np

from tinygrad_mlp.check.report import short
from tinygrad_mlp.nest import Nest

from .output import CommandError

LIBRARY = ("tinygrad_mlp", "importlib", "_frozen_importlib", "_frozen_importlib_external")


def add_inputs(parser: argparse.ArgumentParser) -> None:
    """Add the two options by which inputs of a function are given; ``inputs`` is the list of both, or None."""
    parser.add_argument(
        "--shape",
        dest="inputs",
        action="append",
        type=_shape,
        metavar="N,M",
        help="an input: an array of random numbers of this shape, () for one number; repeat it for further inputs; "
        "by default one number for each argument",
    )
    parser.add_argument(
        "--input",
        dest="inputs",
        action="append",
        type=lambda text: text,
        metavar="MODULE:NAME",
        help="an input: a number, an array, a tensor or a network of a module",
    )


def look_here() -> None:
    """Look for modules in the present folder first, as ``python -m`` does."""
    if not sys.path or sys.path[0] not in ("", str(Path.cwd())):
        sys.path.insert(0, str(Path.cwd()))


def _shape(text: str) -> tuple[int, ...]:
    words = text.strip().strip("()").replace(" ", "").split(",")
    try:
        shape = tuple(int(word) for word in words if word)
    except ValueError:
        shape = (-1,)
    if any(n < 0 for n in shape):
        raise argparse.ArgumentTypeError(f"{text!r} is no shape: write lengths with commas, as 3,4, or ()")
    return shape


def inputs_of(f: Any, given: list[Any] | None, rng: np.random.Generator) -> list[Any]:
    """Return the inputs: random arrays of shapes, and objects by name."""
    if given is None:
        given = [()] * _arguments(f)
    inputs = [object_of(x, data=True) if isinstance(x, str) else rng.standard_normal(x) for x in given]
    leaves = Nest(inputs).leaves
    if leaves and not any(map(np.size, leaves)):
        raise CommandError("the inputs have no elements, so there is nothing to check: give lengths above 0")
    return [float(x) if isinstance(x, float | np.floating) else x for x in inputs]


def _arguments(f: Any) -> int:
    """Return how many arguments a function needs."""
    try:
        parameters = inspect.signature(f).parameters.values()
    except (TypeError, ValueError):
        raise CommandError("its arguments are not known: give an input for each by --shape") from None
    positional = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    return len([p for p in positional if p.default is p.empty])


def callable_of(name: str) -> Any:
    """Return the function, or what else can be called, that a name means."""
    found = object_of(name)
    if not callable(found):
        raise CommandError(f"{name} is no function, but a {type(found).__name__}")
    return found


def object_of(name: str, data: bool = False) -> Any:
    """Return what ``module:name`` or ``file.py:name`` means: a function, or data."""
    where, colon, path = name.rpartition(":")
    if not colon or not path or not where:
        raise CommandError(f"{name!r}: write MODULE:NAME, as in losses:cross_entropy or losses.py:cross_entropy")
    found = _module(where)
    for part in path.split("."):
        if not hasattr(found, part):
            suits = _is_data if data else callable
            known = [word for word, x in vars(found).items() if not word.startswith("_") and suits(x)]
            nothing = "no numbers, arrays or networks" if data else "nothing that can be called"
            raise CommandError(f"{where} has no {path!r}; it has {', '.join(known[:8]) or nothing}")
        found = getattr(found, part)
    return found


def _is_data(x: Any) -> bool:
    """Return whether something of a module may be meant as an input."""
    return not (inspect.ismodule(x) or inspect.isroutine(x) or inspect.isclass(x) or isinstance(x, str))


def _module(where: str) -> Any:
    try:
        if not where.endswith(".py"):
            return importlib.import_module(where)
        file = Path(where).resolve()
        if not file.is_file():
            raise CommandError(f"there is no file {where}")
        name = f"file:{file}"
        if name not in sys.modules:  # so that a second name of the same file means the same objects
            spec = importlib.util.spec_from_file_location(name, file)
            assert spec is not None
            assert spec.loader is not None
            sys.modules[name] = importlib.util.module_from_spec(spec)
            try:
                spec.loader.exec_module(sys.modules[name])
            except BaseException:
                del sys.modules[name]
                raise
        return sys.modules[name]
    except CommandError:
        raise
    except (Exception, SystemExit) as error:
        if isinstance(error, ModuleNotFoundError) and f"{where}.".startswith(f"{error.name}."):
            raise CommandError(f"there is no module {error.name!r} here: give a module, or a file.py") from None
        raise CommandError(f"{where} cannot be imported: {type(error).__name__}: {error}{line_of(error)}") from error


def line_of(error: BaseException) -> str:
    """Return where an error of the user's code was raised."""
    trace, line = error.__traceback__, ""
    while trace is not None:
        if str(trace.tb_frame.f_globals.get("__name__", "")).partition(".")[0] not in LIBRARY:
            line = f" ({short(f'{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}')})"
        trace = trace.tb_next
    return line
