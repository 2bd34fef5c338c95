"""``tinygrad-mlp draw``: the picture of a saved model, or of an example function as a graph."""

import argparse
from pathlib import Path
from typing import Any

import numpy as np

from tinygrad_mlp.errors import UnsupportedError
from tinygrad_mlp.export import load_model
from tinygrad_mlp.tensors import Tensor, Value
from tinygrad_mlp.viz import Picture, draw

from .output import CommandError, spare, writing


def add(commands: Any) -> None:
    """Add the command to the parser."""
    about = "draw a saved model, or an example function"
    parser = commands.add_parser("draw", help=about, description=about.capitalize() + ".")
    parser.add_argument(
        "model", nargs="?", metavar="MODEL", help="a model.npz; without it, a neuron in numbers is drawn"
    )
    parser.add_argument(
        "--kind", choices=("network", "ops"), help="the diagram of a model's layers, or the graph of its operations"
    )
    parser.add_argument(
        "--out", metavar="FILE", help="write .svg, .gv, .txt, .html, .png or .pdf; otherwise print text"
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Draw, and write or print."""
    picture = _model_picture(options.model, options.kind) if options.model else _example(options.kind)
    if not options.out:
        print(picture.text)
        return 0
    if options.model:
        spare(options.out, options.model)
    try:
        with writing(options.out):
            picture.save(options.out)
    except UnsupportedError as error:  # an unknown suffix
        raise CommandError(str(error)) from None
    print(f"wrote {options.out}")
    return 0


def _model_picture(path: str, kind: str | None) -> Picture:
    saved = load_model(path)
    preprocessor = saved.preprocessor
    if kind == "ops":
        rows = Tensor([[0.0] * saved.model.sizes[0]], requires_grad=False, name="X")  # one row of average numbers
        output = saved.model(rows)
        output.name = "output"
        output.backward(np.eye(1, output.shape[1]), keep="all")
        return draw(output, "ops", title=f"{Path(path).name} for one row of zeros, gradients of its first output")
    names: dict[str, Any] = {}
    if preprocessor is not None:
        names = {"inputs": preprocessor.input_names, "outputs": preprocessor.classes or (preprocessor.target.name,)}
    return draw(saved.model, "network", **names)


def _example(kind: str | None) -> Picture:
    """Return the graph of one rectified neuron after its backward pass."""
    if kind == "network":
        raise CommandError("a network diagram needs a MODEL; the example is a function: --kind ops")
    x1, x2 = Value(2.0, name="x1"), Value(-1.0, name="x2")
    w1, w2, b = Value(0.5, name="w1"), Value(-1.5, name="w2"), Value(0.25, name="b")
    y = (w1 * x1 + w2 * x2 + b).relu()
    y.name = "y"
    y.backward()
    return draw(y, "ops", title="y = relu(w1 x1 + w2 x2 + b), and its gradients")
