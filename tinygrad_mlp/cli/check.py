"""``tinygrad-mlp check``: the gradient of a function of the user's, from a terminal or in continuous integration."""

import argparse
import functools
import importlib
import importlib.util
import inspect
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

from tinygrad_mlp.check import Report, check_formula, gradcheck, gradgradcheck
from tinygrad_mlp.check.report import short
from tinygrad_mlp.errors import TinygradError
from tinygrad_mlp.graph import NODES
from tinygrad_mlp.nest import Nest, flatten

from .output import CommandError

CODES = {"right": 0, "wrong": 1, "undecided": 2}
LIBRARY = ("tinygrad_mlp", "importlib", "_frozen_importlib", "_frozen_importlib_external")
EPILOG = """exit code: 0 all is right, 1 a derivative is wrong, 2 one could not be decided, or the check cannot be used

examples:
  tinygrad-mlp check losses:cross_entropy --shape 5,3
  tinygrad-mlp check losses.py:energy --shape 4 --shape 4,4 --by-hand losses.py:energy_gradient
  tinygrad-mlp check model:loss --input model:network --json
"""


def add(commands: Any) -> None:
    """Add the command to the parser."""
    about = "check the gradient of a function"
    parser = commands.add_parser(
        "check",
        help=about,
        description=about.capitalize() + ": which derivatives are right, and which operation is wrong.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("function", metavar="MODULE:FUNCTION", help="a function of a module, or of a file.py")
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
    parser.add_argument("--by-hand", metavar="MODULE:FUNCTION", help="your own derivative, to be checked beside it")
    parser.add_argument("--second", action="store_true", help="check the second derivatives")
    parser.add_argument("--mode", choices=("reverse", "forward", "both"), default="reverse", help="of differentiation")
    parser.add_argument("--method", choices=("auto", "function", "graph"), default="auto", help="what is measured")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of the random numbers (default 0)")
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    parser.set_defaults(run=run)


def _shape(text: str) -> tuple[int, ...]:
    words = text.strip().strip("()").replace(" ", "").split(",")
    try:
        shape = tuple(int(word) for word in words if word)
    except ValueError:
        shape = (-1,)
    if any(n < 0 for n in shape):
        raise argparse.ArgumentTypeError(f"{text!r} is no shape: write lengths with commas, as 3,4, or ()")
    return shape


def run(options: argparse.Namespace) -> int:
    """Check, print the report, and return 0 if all is right, 1 if something is wrong, 2 if it could not be decided."""
    if options.by_hand:
        _refuse_beside_by_hand(options)
    if not sys.path or sys.path[0] not in ("", str(Path.cwd())):
        sys.path.insert(0, str(Path.cwd()))  # as `python -m` does: a module is looked for where one is
    f = _callable(options.function)
    inputs = _inputs(f, options.inputs, np.random.default_rng(options.seed))
    report = _checked(f, inputs, options)
    print(json.dumps(report.to_dict(), ensure_ascii=False) if options.json else repr(report))
    return CODES[report.verdict]


def _refuse_beside_by_hand(options: argparse.Namespace) -> None:
    if options.second:
        raise CommandError("--by-hand has first derivatives only: leave --second out")
    if options.mode != "reverse":
        raise CommandError(f"--by-hand is set against reverse mode: leave --mode {options.mode} out")
    if options.method != "auto":
        raise CommandError(f"--by-hand is measured in every element: leave --method {options.method} out")


def _checked(f: Any, inputs: list[Any], options: argparse.Namespace) -> Report:
    name = options.function
    try:
        if options.by_hand:
            return check_formula(f, _callable(options.by_hand), *inputs, rng=options.seed, raise_exception=False)
        check = gradgradcheck if options.second else gradcheck
        settings = {"mode": options.mode, "method": options.method, "rng": options.seed}
        watched, seen = _watched(f)
        report = check(watched, *inputs, raise_exception=False, **settings)
    except TinygradError as error:
        raise CommandError(f"{error}{_remedy(options, inputs)}") from None
    except (Exception, SystemExit) as error:
        said = f"{name} raised {type(error).__name__}: {error}{_line(error)}"
        raise CommandError(said + _remedy(options, inputs)) from error
    if not any(seen):
        raise CommandError(
            f"{name} records nothing, so there is no gradient to check: write it with operations of tinygrad_mlp, or "
            "NumPy's, or give your own derivative with --by-hand"
        )
    return report


def _remedy(options: argparse.Namespace, inputs: list[Any]) -> str:
    """Return what to do where the default, one number for each argument, may be the fault."""
    return ": give the inputs: --shape 5,3" if inputs and options.inputs is None else ""


def _watched(f: Any) -> tuple[Any, list[bool]]:
    """Return a function that notes for every call whether the result has a node, and its notes."""
    if hasattr(f, "named_parameters"):
        return f, [True]
    seen: list[bool] = []

    @functools.wraps(f)
    def watched(*arguments: Any) -> Any:
        result = f(*arguments)
        seen.append(any(type(y) in NODES for y in flatten(result)[0]))
        return result

    return watched, seen


def _line(error: BaseException) -> str:
    """Return where an error of the user's code was raised."""
    trace, line = error.__traceback__, ""
    while trace is not None:
        if str(trace.tb_frame.f_globals.get("__name__", "")).partition(".")[0] not in LIBRARY:
            line = f" ({short(f'{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}')})"
        trace = trace.tb_next
    return line


def _inputs(f: Any, given: list[Any] | None, rng: np.random.Generator) -> list[Any]:
    """Return the inputs: random arrays of shapes, and objects by name."""
    if given is None:
        given = [()] * _arguments(f)
    inputs = [_object(x, data=True) if isinstance(x, str) else rng.standard_normal(x) for x in given]
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


def _callable(name: str) -> Any:
    found = _object(name)
    if not callable(found):
        raise CommandError(f"{name} is no function, but a {type(found).__name__}")
    return found


def _object(name: str, data: bool = False) -> Any:
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
        raise CommandError(f"{where} cannot be imported: {type(error).__name__}: {error}{_line(error)}") from error
