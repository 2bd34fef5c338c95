"""The figures of the notes, drawn from what the library computes: curves as PNG, network diagrams as SVG."""

import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tinygrad_mlp import ops
from tinygrad_mlp.data import logistic_truth, three_clusters
from tinygrad_mlp.errors import MissingDependencyError
from tinygrad_mlp.viz import draw, plot

from .cells import Network, binary_network, drawn_network, leaves
from .facts import weight_gradient_at
from .loop import batch, initial_parameters, training

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DPI = 130
COLOURS = ("#0072B2", "#D55E00", "#009E73")  # of Okabe and Ito, as in every picture of the library


def figures(directory: str | os.PathLike[str]) -> list[Path]:
    """Write the figures of the notes into a directory and return their paths; it takes a few seconds.

    Args:
        directory: where to write; made if it does not exist.

    Raises:
        MissingDependencyError: matplotlib is not installed; nothing is written then.
        OSError: the directory cannot be written.
    """
    try:
        import matplotlib  # noqa: F401  (asked for before anything is written)
    except ImportError:
        missing = "figures: matplotlib is not installed: pip install matplotlib (the extra viz)"
        raise MissingDependencyError(missing) from None
    folder = Path(directory)
    folder.mkdir(parents=True, exist_ok=True)
    written = [_save(folder / f"{name}.png", make()) for name, make in PLOTS.items()]
    return written + [_diagram(folder, name, *make()) for name, make in DIAGRAMS.items()]


def _save(path: Path, figure: "Figure") -> Path:
    """Write a figure, whole or not at all."""
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=DPI)
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        beside.write_bytes(content.getvalue())
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)
    return path


def _figure(width: float, height: float) -> "Figure":
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


# ------------------------------------------------------------------------------------------------------------- curves


def logistic_surface() -> "Figure":
    """Draw P(y = 1 | x) of the logistic unit of cell 2 over the square of cell 3."""
    weights, bias = logistic_truth()
    figure = _figure(6.4, 5.2)
    ax = figure.add_subplot(projection="3d")
    plot.surface(
        lambda points: ops.sigmoid(points @ weights + bias),
        ax=ax,
        extent=(-20.0, 20.0, -20.0, 20.0),
        resolution=80,
        zlabel="P(y = 1 | x)",
        title="The logistic unit σ(w · x + b)",
    )
    ax.view_init(elev=30, azim=140)
    return figure


def clusters() -> "Figure":
    """Draw the three clusters of cells 4 and 23."""
    figure = _figure(6.0, 4.6)
    X, labels = three_clusters()
    plot.clusters(X, labels, ax=figure.add_subplot(), title="Three clusters, 100 points each")
    return figure


def cost_curve() -> "Figure":
    """Draw the log-likelihood and the classification rate of cell 30, as written and mended, and where they part."""
    figure = _figure(13.0, 3.8)
    left, middle, right = figure.subplots(1, 3)
    written, mended = (training(literal, every=100) for literal in (True, False))
    for trace, name, line, colour in ((written, "as written", "--", COLOURS[1]), (mended, "mended", "-", COLOURS[0])):
        left.plot(trace.epochs, trace.log_likelihood, line, color=colour, label=name)
        right.plot(trace.epochs, trace.classification_rate, line, color=colour, label=name)
    off = np.subtract(written.log_likelihood, mended.log_likelihood)
    middle.plot(written.epochs, off, "-", color=COLOURS[2])
    left.set(xlabel="epoch", ylabel="log-likelihood", title="Training, cell 30")
    middle.set(xlabel="epoch", ylabel="log-likelihood, as written − mended", title="What the mistakes change")
    right.set(xlabel="epoch", ylabel="classification rate", title="Rows classified rightly")
    left.legend()
    right.legend()
    return figure


UNITS: dict[str, Callable[[Any], Any]] = {
    "linear: x": ops.identity,
    "sigmoid: σ(x)": ops.sigmoid,
    "tanh x = 2σ(2x) − 1": ops.tanh,
    "ReLU: max(0, x)": ops.relu,
    "leaky ReLU, α = 0.1": lambda x: ops.leaky_relu(x, negative_slope=0.1),
    "maxout of 0.5x + 1 and −x − 2": lambda x: ops.maximum(0.5 * x + 1.0, -x - 2.0),
    "radial basis: exp(−x²)": lambda x: ops.exp(-ops.square(x)),
    "softplus: log(1 + eˣ)": ops.softplus,
}


def hidden_units() -> "Figure":
    """Draw every hidden unit of section 1.4.1 with its derivative, which the engine computes."""
    figure = _figure(13.0, 6.0)
    for ax, (title, unit) in zip(figure.subplots(2, 4).ravel(), UNITS.items(), strict=True):
        plot.activation(unit, ax=ax, title=title)
    return figure


def saturation() -> "Figure":
    """Draw how gradients die in saturated units, and that sigmoid outputs are not centred at zero (section 1.4.1)."""
    figure = _figure(10.5, 4.0)
    left, right = figure.subplots(1, 2)
    scales = np.geomspace(0.1, 1000.0, 60)
    looks = zip((ops.sigmoid, ops.tanh, ops.relu), ("-", "--", "-."), COLOURS, strict=True)
    for unit, line, colour in looks:
        sizes = [weight_gradient_at(scale, unit) for scale in scales]
        left.loglog(scales, sizes, line, color=colour, label=unit.name)
    left.set(
        xlabel="first weights, times those of cell 24",
        ylabel="size of the gradient ∂J/∂W",
        ylim=(1e-6, None),
        title="Saturated units kill the gradient",
    )
    data, p = batch(), initial_parameters()
    a = data.X @ p.W
    edges = np.linspace(-1.0, 1.0, 41)
    for unit, colour, hatch in zip((ops.sigmoid, ops.tanh), COLOURS, ("", "//"), strict=False):
        outputs = unit(a - a.mean()).ravel()
        right.hist(
            outputs, edges, alpha=0.55, color=colour, hatch=hatch, label=f"{unit.name}, mean {outputs.mean():.2f}"
        )
    right.set(xlabel="output of the hidden units", ylabel="count", title="Sigmoid outputs are not centred at zero")
    left.legend()
    right.legend()
    return figure


PLOTS: dict[str, Callable[[], "Figure"]] = {
    "logistic-surface": logistic_surface,
    "three-clusters": clusters,
    "cost-curve": cost_curve,
    "hidden-units": hidden_units,
    "saturation": saturation,
}

# ----------------------------------------------------------------------------------------------------------- diagrams


def described(network: Network, output: str, hidden: str = "sigmoid") -> dict[str, Any]:
    """Return the plain record by which the pictures know a network: its layers with units, weights and biases."""
    layers: list[dict[str, Any]] = [{"name": "input", "units": network.weights[0].shape[0], "activation": ""}]
    last = len(network.weights) - 1
    for i, (W, b) in enumerate(zip(network.weights, network.biases, strict=True)):
        name, unit = ("output", output) if i == last else (f"hidden {i + 1}", hidden)
        layers.append({"name": name, "units": W.shape[1], "activation": unit, "weight": W.numpy(), "bias": b.numpy()})
    return {"name": "network", "layers": layers}


def logistic_unit() -> tuple[dict[str, Any], str]:
    """Return the logistic unit of cell 2."""
    weights, bias = logistic_truth()
    return described(leaves([weights.reshape(2, 1)], [np.array([bias])]), "σ"), "Logistic unit, cell 2: 3 parameters"


def binary() -> tuple[dict[str, Any], str]:
    """Return the 2-3-1 network of cell 5."""
    return described(binary_network()[0], "σ"), "2-3-1, cell 5: 13 parameters"


def two_classes() -> tuple[dict[str, Any], str]:
    """Return the 2-3-2 network of section 1.5, whose weights the notes leave open."""
    return {"name": "network", "layers": _layers(2, 3, 2)}, "2-3-2, section 1.5: 17 parameters"


def three_classes() -> tuple[dict[str, Any], str]:
    """Return the 2-3-3 network of cell 24."""
    return described(drawn_network((2, 3, 3), 1), "softmax"), "2-3-3, cell 24: 21 parameters"


def three_layers() -> tuple[dict[str, Any], str]:
    """Return the 2-3-3-3 network of cell 19."""
    return described(drawn_network((2, 3, 3, 3), 1234), "softmax"), "2-3-3-3, cell 19: 33 parameters"


def four_layers() -> tuple[dict[str, Any], str]:
    """Return the network of section 2.3, on which eq. 29 to 36 are written."""
    return {"name": "network", "layers": _layers(2, 3, 3, 3, 3)}, "Four layers, section 2.3: x, h¹, h², h³, y"


def paths() -> tuple[dict[str, Any], str]:
    """Return the 2-3-3 network of cell 24 with only those weights that join the outputs to the first weight."""
    record = described(drawn_network((2, 3, 3), 1), "softmax")
    W, V = (layer["weight"] for layer in record["layers"][1:])
    W[:, 1:], W[1], V[1:] = 0.0, 0.0, 0.0
    for layer in record["layers"][1:]:
        layer["bias"] = None
    return record, "∂J/∂w₁₁ = Σₖ (tₖ − yₖ) vₖ₁ h₁ (1 − h₁) x₁: three paths lead back to w₁₁"


def _layers(*sizes: int) -> list[dict[str, Any]]:
    units = ["", *["sigmoid"] * (len(sizes) - 2), "softmax"]
    names = ["input", *(f"hidden {i}" for i in range(1, len(sizes) - 1)), "output"]
    return [{"name": n, "units": s, "activation": u} for n, s, u in zip(names, sizes, units, strict=True)]


DIAGRAMS: dict[str, Callable[[], tuple[dict[str, Any], str]]] = {
    "network-logistic-unit": logistic_unit,
    "network-2-3-1": binary,
    "network-2-3-2": two_classes,
    "network-2-3-3": three_classes,
    "network-2-3-3-3": three_layers,
    "network-four-layers": four_layers,
    "network-back-propagation": paths,
}


def _diagram(folder: Path, name: str, record: dict[str, Any], title: str) -> Path:
    return draw(record, title=title).save(folder / f"{name}.svg")
