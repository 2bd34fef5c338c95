"""``tinygrad-mlp draw``: the picture of a saved model, of a function of the user's, or of an example."""

import argparse
from pathlib import Path
from typing import Any

import numpy as np

from tinygrad_mlp.errors import MissingDependencyError, TinygradError, UnsupportedError
from tinygrad_mlp.export import load_model
from tinygrad_mlp.tensors import Tensor, Value
from tinygrad_mlp.viz import KINDS, Picture, draw
from tinygrad_mlp.viz.theme import THEMES

from .objects import add_inputs, callable_of, inputs_of, line_of, look_here
from .output import CommandError, spare, writing

NAMES = [kind for kind in KINDS if kind != "diff"]  # a difference needs two states
EPILOG = """examples:
  tinygrad-mlp draw                                       a neuron in numbers, as text
  tinygrad-mlp draw model.npz --out network.svg           the layers of a saved model
  tinygrad-mlp draw losses.py:energy --shape 4 --kind backward --out energy.html
  tinygrad-mlp draw losses:loss --kind path --to w        the paths from the loss to w
"""


def add(commands: Any) -> None:
    """Add the command to the parser."""
    about = "draw a saved model, a function, or an example"
    kinds = "\n".join(f"  {name:<9} {KINDS[name].shows}" for name in NAMES)
    parser = commands.add_parser(
        "draw",
        help=about,
        description=f"{about.capitalize()}.\n\nkinds of pictures:\n{kinds}",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "what", nargs="?", metavar="MODEL", help="a model.npz, or MODULE:FUNCTION; without it, a neuron in numbers"
    )
    parser.add_argument("--kind", choices=NAMES, help="see above")
    add_inputs(parser)
    parser.add_argument("--to", metavar="NAME", help="the node that the paths of --kind path lead to")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of random inputs (default 0)")
    parser.add_argument("--theme", choices=tuple(THEMES), default="light", help="default light")
    parser.add_argument("--rankdir", choices=("TB", "LR"), help="inputs on top, or on the left")
    parser.add_argument("--precision", type=int, metavar="N", help="digits of every number (default 4)")
    parser.add_argument("--depth", type=int, metavar="N", help="how many frames of modules to open")
    parser.add_argument("--expand", action="append", metavar="NAME", help="a module to open; repeat it for others")
    parser.add_argument("--engine", metavar="PROGRAM", help="a layout program, or native for the library's own layout")
    parser.add_argument("--title", default="", help="a heading")
    parser.add_argument(
        "--out",
        metavar="FILE",
        help="write .svg, .html, .png, .pdf, .gv, .mmd, .txt, or .tex of a network; otherwise print text",
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Draw, and write or print."""
    picture = _picture(options)
    if not options.out:
        print(picture.text)
        return 0
    if options.what and ":" not in options.what:
        spare(options.out, options.what)
    try:
        with writing(options.out):
            picture.save(options.out)
    except UnsupportedError as error:  # an unknown suffix
        raise CommandError(str(error)) from None
    print(f"wrote {options.out}")
    return 0


def _picture(options: argparse.Namespace) -> Picture:
    if options.kind == "path" and options.what and not options.to:
        raise CommandError("--kind path needs the name of the node that the paths lead to: --to NAME")
    if not options.what:
        return _example(options)
    _module, colon, name = options.what.rpartition(":")
    if colon and name.isidentifier() and not Path(options.what).exists():
        return _function_picture(options)
    if options.inputs:
        raise CommandError("a saved model is drawn for one row of zeros: leave --shape and --input out")
    if options.what.endswith(".py"):
        raise CommandError(f"{options.what}: name a function of the file, as in {options.what}:loss")
    return _model_picture(options)


def _look(options: argparse.Namespace) -> dict[str, Any]:
    """Return the options of ``draw`` that were given."""
    names = ("theme", "rankdir", "precision", "depth", "expand", "engine", "to", "title")
    return {name: x for name in names if (x := getattr(options, name)) not in (None, "")}


def _drawn(*subjects: Any, **options: Any) -> Picture:
    """Return a picture; an option that does not suit its kind is told in a line."""
    try:
        return draw(*subjects, **options)
    except UnsupportedError as error:
        raise CommandError(str(error)) from None


def _function_picture(options: argparse.Namespace) -> Picture:
    """Return the picture of what a function of the user's computes."""
    look_here()
    f = callable_of(options.what)
    inputs = inputs_of(f, options.inputs, np.random.default_rng(options.seed))
    try:
        return _drawn(f, *inputs, kind=options.kind, **_look(options))
    except (CommandError, MissingDependencyError):
        raise
    except TinygradError as error:
        remedy = ": give the inputs: --shape 5,3" if inputs and options.inputs is None else ""
        raise CommandError(f"{error}{remedy}") from None
    except Exception as error:
        said = f"{options.what} raised {type(error).__name__}: {error}{line_of(error)}"
        raise CommandError(said) from error


def _model_picture(options: argparse.Namespace) -> Picture:
    """Return the diagram of a saved model, or what it computes for one row of zeros."""
    path, kind = options.what, options.kind or "network"
    saved = load_model(path)
    preprocessor = saved.preprocessor
    if kind == "network":
        names: dict[str, Any] = {}
        if preprocessor is not None:
            outputs = preprocessor.classes or (preprocessor.target.name,)
            names = {"inputs": preprocessor.input_names, "outputs": outputs}
        return _drawn(saved.model, kind=kind, **names, **_look(options))
    rows = Tensor([[0.0] * saved.model.sizes[0]], requires_grad=False, name="X")  # one row of average numbers
    title = {"title": f"{Path(path).name} for one row of zeros, gradients of its first output"} | _look(options)

    def first_output(X: Tensor) -> Any:
        return saved.model(X)[0, 0]

    return _drawn(first_output, rows, kind=kind, names=saved.model, **title)


def _example(options: argparse.Namespace) -> Picture:
    """Return the graph of one rectified neuron after its backward pass."""
    kind = options.kind or "ops"
    if kind == "network":
        raise CommandError("a network diagram needs a MODEL; the example is a function: --kind ops")
    x1, x2 = Value(2.0, name="x1"), Value(-1.0, name="x2")
    w1, w2, b = Value(0.5, name="w1"), Value(-1.5, name="w2"), Value(0.25, name="b")
    y = (w1 * x1 + w2 * x2 + b).relu()
    y.name = "y"
    y.backward()
    look = {"title": "y = relu(w1 x1 + w2 x2 + b), and its gradients"} | _look(options)
    if kind == "path":
        look.setdefault("to", "w1")
    return _drawn(y, kind=kind, **look)
