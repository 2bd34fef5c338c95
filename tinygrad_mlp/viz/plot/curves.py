"""Curves: training runs over epochs, and units with their derivatives."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tinygrad_mlp.errors import DataError, ShapeError
from tinygrad_mlp.tensors import Tensor
from tinygrad_mlp.viz.theme import BLUE, OKABE_ITO, VERMILLION

from .axes import axes_or_new, finish, raw, whole_numbers

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LINES = ("-", "--", "-.", ":")


def history(
    curves: Any,
    *,
    ax: "Axes | None" = None,
    log: bool = False,
    xlabel: str = "epoch",
    ylabel: str = "cost",
    title: str = "",
) -> "Axes":
    """Return axes with one curve for each name, over epochs counted from 1.

    Args:
        curves: Names and their values, one an epoch; one sequence of values; or the history that training returns,
            whose losses are drawn and whose best epoch is marked if there was validation.
        ax: Where to draw; by default a new figure.
        log: Make the vertical axis logarithmic.
        xlabel: What the horizontal axis counts.
        ylabel: What the vertical axis shows.
        title: A heading.

    Raises:
        DataError: there is no value to draw.
    """
    own = getattr(curves, "curves", curves)  # of what training returns
    named: Mapping[str, Sequence[float]] = own if isinstance(own, Mapping) else {ylabel: own}
    if not any(len(values) for values in named.values()):
        raise DataError("history: no values to draw; train for at least one epoch")
    ax = axes_or_new(ax)
    for i, (name, values) in enumerate(named.items()):
        line, colour = LINES[i % len(LINES)], OKABE_ITO[i % len(OKABE_ITO)]
        mark = "o" if len(values) == 1 else ""
        ax.plot(np.arange(1, len(values) + 1), np.asarray(values, float), line, color=colour, marker=mark, label=name)
    ax.xaxis.set_major_locator(whole_numbers())
    best = getattr(curves, "best_epoch", 0)
    if best and len(named) > 1:
        ax.axvline(best, color="#5A5A5A", linestyle=":", linewidth=1.0, label=f"best epoch: {best}")
    if log:
        ax.set_yscale("log")
    if len(named) > 1:
        ax.legend()
    return finish(ax, xlabel, ylabel, title)


def activation(
    f: Callable[[Any], Any],
    *,
    derivative: Callable[[Any], Any] | None = None,
    ax: "Axes | None" = None,
    interval: tuple[float, float] = (-6.0, 6.0),
    points: int = 400,
    title: str = "",
) -> "Axes":
    """Return axes with a unit and its derivative, which the engine computes unless ``derivative`` is given.

    Args:
        f: An elementwise function that accepts a tensor.
        derivative: From an array to the derivative there.
        ax: Where to draw; by default a new figure.
        interval: The first and the last point.
        points: How many points.
        title: A heading; by default the function's name.

    Raises:
        ShapeError: ``f`` does not keep the shape of its argument.
    """
    at = np.linspace(*interval, points)
    x = Tensor(at)
    y = f(x)
    if np.shape(y) != at.shape:
        raise ShapeError(f"activation: f gave shape {np.shape(y)} for {at.shape}; an elementwise function is needed")
    if derivative is not None:
        slope = np.asarray(raw(derivative(at)), dtype=float)
    else:
        slope = np.zeros_like(at)
        if isinstance(y, Tensor) and y.requires_grad:
            y.backward(np.ones_like(at))
            slope = np.asarray(x.grad)
    ax = axes_or_new(ax)
    ax.axhline(0, color="#BBBBBB", linewidth=0.8)
    ax.axvline(0, color="#BBBBBB", linewidth=0.8)
    ax.plot(at, np.asarray(raw(y)), "-", color=BLUE, label="f(x)")
    ax.plot(at, slope, "--", color=VERMILLION, label="f′(x)")
    ax.legend()
    return finish(ax, "x", "", title or getattr(f, "__name__", ""))
