"""The sections that look inside: the network with its weights, the op graph of its loss, and its gradient check."""

from typing import Any

import numpy as np

from tinygrad_mlp.check import GradcheckReport, gradcheck
from tinygrad_mlp.errors import LayoutError
from tinygrad_mlp.tensors import Tensor
from tinygrad_mlp.viz import draw

from .markup import Html, code, figure, paragraph, section, table
from .run import TrainingRun

GRAPH_CAPTION = (
    "Every operation that leads from the training rows to the loss, recorded while it was computed. Back-propagation "
    "walks it from the loss upwards; each parameter shows the norm of its gradient at the trained weights, which is "
    "small where training has converged."
)
ROWS = 128  # rows of the loss that the gradient check differentiates
WHOLE = 3000  # a network of up to so many parameters is checked in every one
SAMPLE = 150  # of a larger one, so many elements of every weight matrix and bias


def network_section(run: TrainingRun) -> Html:
    """Return the textbook diagram and the table of the layers."""
    record = run.model.describe()
    inputs, outputs = run.preprocessor.input_names, run.preprocessor.classes or (run.target,)
    picture = draw(record, "network", inputs=inputs, outputs=outputs, precision=3)
    caption = (
        "Line width is the size of a weight, blue is positive and solid, vermillion negative and dashed; "
        "point at a line for its number. Layers with many units show the first and the last."
    )
    return section(
        "network",
        "The network",
        figure(picture.svg, picture.title, caption, framed=True),
        code(str(run.model.summary())),
    )


def loss_graph_section(run: TrainingRun) -> Html:
    """Return the op graph of the loss of the training rows, after a backward pass."""
    loss = _loss(run, len(run.parts["training"]))
    run.model.zero_grad()
    loss.backward()
    loss.name = "loss"
    try:
        picture = draw(loss, "ops", precision=3)
        drawn = figure(picture.svg, "Op graph of the loss", GRAPH_CAPTION, framed=True)
    except LayoutError as error:
        drawn = paragraph(f"The graph is not drawn: {error}")
    run.model.zero_grad()
    return section("loss-graph", "The graph of the loss", drawn)


def check_gradients(run: TrainingRun, rows: int = ROWS) -> GradcheckReport:
    """Return the check of the derivatives of the loss in the parameters, on the first ``rows`` training rows."""
    n = min(rows, len(run.parts["training"]))
    X, y = run.inputs("training")[:n], run.targets("training")[:n]
    total = sum(p.size for p in run.model.parameters())
    run.model.eval()

    def loss() -> Any:
        return run.model.loss(X, y)

    return gradcheck(loss, run.model, raise_exception=False, sample=None if total <= WHOLE else SAMPLE)


def gradient_section(run: TrainingRun) -> Html:
    """Return what the gradient check of the trained network found."""
    report = check_gradients(run)
    n = min(ROWS, len(run.parts["training"]))
    total = sum(p.size for p in run.model.parameters())
    checked = sum(x.checked for x in report.inputs)
    which = "each of the" if checked == total else f"{checked:,} of the"
    verdict = {"wrong": "Some are wrong", "undecided": "Some could not be decided"}.get(report.verdict, "All agree")
    said = (
        f"The derivative of the loss of {n} training rows in {which} {total:,} parameters, as back-propagation gives "
        f"it, against numbers: differences of the loss at several steps, each with its error bound. {verdict}."
    )
    rows = [
        (x.name, "×".join(map(str, x.shape)), x.checked, x.wrong, x.kinks, f"{x.relative_error:.1e}")
        for x in report.inputs
    ]
    head = ("parameter", "shape", "checked", "wrong", "at a kink", "relative error")
    parts = [paragraph(said), table(head, rows, "Gradient check of the trained network", numbers=range(2, 6))]
    if report.kinks:
        parts.append(
            paragraph(
                "At a kink, such as a rectified unit at 0, the slopes on both sides differ and there is no derivative; "
                "the engine's number lies between them."
            )
        )
    if not report:
        parts.append(code(str(report)))
    return section("gradient-check", "The gradient check", *parts)


def _loss(run: TrainingRun, n: int) -> Any:
    """Return the recorded loss of the first ``n`` training rows."""
    run.model.eval()
    targets = run.targets("training")[:n]
    X = Tensor(run.inputs("training")[:n], requires_grad=False, name="X")
    y = Tensor(np.asarray(targets), requires_grad=False, name="y")
    return run.model.loss(X, y)
