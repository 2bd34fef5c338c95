"""``tinygrad-mlp check``: the gradient of a function of the user's, from a terminal or in continuous integration."""

import argparse
import functools
import json
from typing import Any

import numpy as np

from tinygrad_mlp.check import Report, check_formula, gradcheck, gradgradcheck
from tinygrad_mlp.errors import TinygradError
from tinygrad_mlp.graph import NODES
from tinygrad_mlp.nest import flatten

from .objects import add_inputs, callable_of, inputs_of, line_of, look_here
from .output import CommandError

CODES = {"right": 0, "wrong": 1, "undecided": 2}
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
    add_inputs(parser)
    parser.add_argument("--by-hand", metavar="MODULE:FUNCTION", help="your own derivative, to be checked beside it")
    parser.add_argument("--second", action="store_true", help="check the second derivatives")
    parser.add_argument("--mode", choices=("reverse", "forward", "both"), default="reverse", help="of differentiation")
    parser.add_argument("--method", choices=("auto", "function", "graph"), default="auto", help="what is measured")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of the random numbers (default 0)")
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Check, print the report, and return 0 if all is right, 1 if something is wrong, 2 if it could not be decided."""
    if options.by_hand:
        _refuse_beside_by_hand(options)
    look_here()
    f = callable_of(options.function)
    inputs = inputs_of(f, options.inputs, np.random.default_rng(options.seed))
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
            return check_formula(f, callable_of(options.by_hand), *inputs, rng=options.seed, raise_exception=False)
        check = gradgradcheck if options.second else gradcheck
        settings = {"mode": options.mode, "method": options.method, "rng": options.seed}
        watched, seen = _watched(f)
        report = check(watched, *inputs, raise_exception=False, **settings)
    except TinygradError as error:
        raise CommandError(f"{error}{_remedy(options, inputs)}") from None
    except (Exception, SystemExit) as error:
        said = f"{name} raised {type(error).__name__}: {error}{line_of(error)}"
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
