"""Plots with matplotlib: curves, clusters, decision regions, surfaces, units, confusion; each takes and returns axes.

Without ``ax=`` a plot makes a figure of its own through pyplot, so that notebooks show it. A program that makes many
figures passes axes of ``matplotlib.figure.Figure()``, which need no closing and no display.
"""

import io
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from tinygrad_mlp.errors import DataError, MissingDependencyError, ShapeError, UnsupportedError
from tinygrad_mlp.tensors import Tensor

from .labels import number, subscript
from .theme import BLUE, OKABE_ITO, VERMILLION

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MARKERS = "osD^vPX*"  # one a class: shape repeats what colour says
LINES = ("-", "--", "-.", ":")
Array = np.ndarray[Any, Any]


def history(
    curves: Mapping[str, Sequence[float]] | Sequence[float],
    *,
    ax: "Axes | None" = None,
    log: bool = False,
    xlabel: str = "epoch",
    ylabel: str = "cost",
    title: str = "",
) -> "Axes":
    """Return axes with one curve for each name, over epochs counted from 1.

    Args:
        curves: Names and their values, one an epoch; or one sequence of values.
        ax: Where to draw; by default a new figure.
        log: Make the vertical axis logarithmic.
        xlabel: What the horizontal axis counts.
        ylabel: What the vertical axis shows.
        title: A heading.

    Raises:
        DataError: there is no value to draw.
    """
    named = curves if isinstance(curves, Mapping) else {ylabel: curves}
    if not any(len(values) for values in named.values()):
        raise DataError("history: no values to draw; train for at least one epoch")
    ax = _axes(ax)
    for i, (name, values) in enumerate(named.items()):
        line, colour = LINES[i % len(LINES)], OKABE_ITO[i % len(OKABE_ITO)]
        mark = "o" if len(values) == 1 else ""
        ax.plot(np.arange(1, len(values) + 1), np.asarray(values, float), line, color=colour, marker=mark, label=name)
    if log:
        ax.set_yscale("log")
    if len(named) > 1:
        ax.legend()
    return _finish(ax, xlabel, ylabel, title)


def clusters(
    X: Any,
    y: Any,
    *,
    ax: "Axes | None" = None,
    classes: Sequence[Any] | None = None,
    names: Sequence[str] = (),
    title: str = "",
) -> "Axes":
    """Return axes with the points of every class in its own colour and marker.

    Args:
        X: Points, shape (n, 2).
        y: Their classes, shape (n,); or one-hot rows, shape (n, C).
        ax: Where to draw; by default a new figure.
        classes: The classes in their order; by default the sorted ones of ``y``.
        names: Names of the two features.
        title: A heading.

    Raises:
        ShapeError: ``X`` is not (n, 2), or ``y`` does not fit it.
        DataError: a label of ``y`` is not among ``classes``.
    """
    points = _points(X, "clusters")
    known, index = _classes(y, classes, len(points), "clusters")
    ax = _axes(ax)
    for c, name in enumerate(known):
        chosen = points[index == c]
        look: dict[str, Any] = {"color": OKABE_ITO[c % len(OKABE_ITO)], "marker": MARKERS[c % len(MARKERS)]}
        ax.scatter(chosen[:, 0], chosen[:, 1], s=22, edgecolors="white", linewidths=0.5, label=str(name), **look)
    ax.legend()
    return _finish(ax, *_feature_names(names), title)


def decision_regions(
    predict: Callable[[Array], Any],
    X: Any,
    y: Any,
    *,
    ax: "Axes | None" = None,
    classes: Sequence[Any] | None = None,
    names: Sequence[str] = (),
    resolution: int = 200,
    title: str = "",
) -> "Axes":
    """Return axes with the plane coloured by the predicted class, and the points upon it.

    Args:
        predict: From points (m, 2) to labels (m,), to scores (m, C) of which the largest wins, or to the probability
            (m, 1) of the second of two classes.
        X: Points, shape (n, 2).
        y: Their classes, shape (n,), or one-hot rows.
        ax: Where to draw; by default a new figure.
        classes: The classes in their order; by default the sorted ones of ``y``.
        names: Names of the two features.
        resolution: Points of the grid along each axis.
        title: A heading.

    Raises:
        ShapeError: ``X`` is not (n, 2), or ``y`` or the prediction does not fit.
        DataError: a predicted or given label is not among ``classes``.
    """
    points = _points(X, "decision_regions")
    known, _ = _classes(y, classes, len(points), "decision_regions")
    low, high = points.min(axis=0), points.max(axis=0)
    edge = 0.08 * np.where(high > low, high - low, 1.0)
    u, v = (np.linspace(low[i] - edge[i], high[i] + edge[i], resolution) for i in (0, 1))
    grid = np.stack(np.meshgrid(u, v), axis=-1).reshape(-1, 2)
    region = _predicted(predict(grid), known, len(grid)).reshape(resolution, resolution)
    ax = _axes(ax)
    levels = np.arange(len(known) + 1) - 0.5
    tints = [OKABE_ITO[c % len(OKABE_ITO)] for c in range(len(known))]
    ax.contourf(u, v, region, levels=levels, colors=tints, alpha=0.25)
    if region.min() < region.max():
        ax.contour(u, v, region, levels=levels[1:-1], colors="#5A5A5A", linewidths=0.8)
    return clusters(points, y, ax=ax, classes=list(known), names=names, title=title)


def surface(
    f: Callable[[Array], Any],
    *,
    ax: "Axes | None" = None,
    extent: tuple[float, float, float, float] = (-5.0, 5.0, -5.0, 5.0),
    resolution: int = 60,
    names: Sequence[str] = (),
    zlabel: str = "y",
    title: str = "",
) -> "Axes":
    """Return three-dimensional axes with the surface of ``f`` over a rectangle.

    Args:
        f: From points (m, 2) to m values.
        ax: Axes made with ``projection="3d"``; by default a new figure.
        extent: The rectangle: lowest and highest of the first feature, then of the second.
        resolution: Points of the grid along each axis.
        names: Names of the two features.
        zlabel: What the height shows.
        title: A heading.

    Raises:
        UnsupportedError: ``ax`` is not three-dimensional.
        ShapeError: ``f`` does not return one value a point.
    """
    u, v = np.linspace(*extent[:2], resolution), np.linspace(*extent[2:], resolution)
    grid_u, grid_v = np.meshgrid(u, v)
    points = np.stack([grid_u, grid_v], axis=-1).reshape(-1, 2)
    heights = np.asarray(_raw(f(points)), dtype=float)
    if heights.size != len(points):
        raise ShapeError(f"surface: f gave {heights.shape} for {points.shape}; one value a point is needed")
    space: Any = _axes(ax, "3d")
    if not hasattr(space, "plot_surface"):
        raise UnsupportedError('surface: ax is flat; make it with add_subplot(projection="3d")')
    space.plot_surface(grid_u, grid_v, heights.reshape(grid_u.shape), cmap="cividis", linewidth=0, antialiased=True)
    for name, label in zip(("x", "y", "z"), (*_feature_names(names), zlabel), strict=True):
        space.set(**{f"{name}label": label})
    space.set_title(title)
    space.set_box_aspect(None, zoom=0.85)  # at 1 the label of the height falls off the figure
    flat: Axes = space
    return flat


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
        slope = np.asarray(_raw(derivative(at)), dtype=float)
    else:
        slope = np.zeros_like(at)
        if isinstance(y, Tensor) and y.requires_grad:
            y.backward(np.ones_like(at))
            slope = np.asarray(x.grad)
    ax = _axes(ax)
    ax.axhline(0, color="#BBBBBB", linewidth=0.8)
    ax.axvline(0, color="#BBBBBB", linewidth=0.8)
    ax.plot(at, np.asarray(_raw(y)), "-", color=BLUE, label="f(x)")
    ax.plot(at, slope, "--", color=VERMILLION, label="f′(x)")
    ax.legend()
    return _finish(ax, "x", "", title or getattr(f, "__name__", ""))


def confusion(
    matrix: Any, *, ax: "Axes | None" = None, classes: Sequence[Any] | None = None, title: str = ""
) -> "Axes":
    """Return axes with a confusion matrix: its counts as numbers, the share of each row as shade.

    Args:
        matrix: Counts, shape (C, C): rows are true classes, columns predicted ones.
        ax: Where to draw; by default a new figure.
        classes: Names of the classes.
        title: A heading.

    Raises:
        ShapeError: the matrix is not square, or does not fit ``classes``.
    """
    counts = np.asarray(matrix)
    size = len(counts) if counts.ndim == 2 else 0
    if not size or counts.shape != (size, size):
        raise ShapeError(f"confusion: a square matrix is needed, not shape {counts.shape}")
    words = [str(c) for c in (classes if classes is not None else range(size))]
    if len(words) != size:
        raise ShapeError(f"confusion: {len(words)} names for {size} classes")
    ax = _axes(ax)
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    ax.imshow(share, cmap="Blues", vmin=0, vmax=1)
    for i, j in np.ndindex(size, size):
        colour = "white" if share[i, j] > 0.55 else "black"
        ax.text(j, i, number(counts[i, j], 6), ha="center", va="center", color=colour)
    ax.set_xticks(range(size), words, rotation=0 if max(map(len, words)) * size < 40 else 45)
    ax.set_yticks(range(size), words)
    return _finish(ax, "predicted", "true", title)


def svg(ax: "Axes") -> str:
    """Return the figure of ``ax`` as an SVG element; the same figure gives the same bytes."""
    matplotlib = _matplotlib()
    out = io.StringIO()
    with matplotlib.rc_context({"svg.hashsalt": "tinygrad_mlp"}):
        figure: Any = ax.figure
        figure.savefig(out, format="svg", metadata={"Date": None})
    text = out.getvalue()
    return text[text.index("<svg") :]


def _matplotlib() -> Any:
    try:
        import matplotlib
    except ImportError:
        _missing()
    return matplotlib


def _missing() -> NoReturn:
    raise MissingDependencyError("plot: matplotlib is not installed: pip install matplotlib (the extra viz)") from None


def _axes(ax: "Axes | None", projection: str | None = None) -> "Axes":
    """Return ``ax``, or the axes of a new figure."""
    _matplotlib()
    if ax is not None:
        return ax
    import matplotlib.pyplot as plt

    return plt.figure(layout="constrained").add_subplot(projection=projection)


def _finish(ax: "Axes", xlabel: str, ylabel: str, title: str) -> "Axes":
    ax.set_xlabel(xlabel)
    ax.set_ylabel(ylabel)
    ax.set_title(title)
    return ax


def _feature_names(names: Sequence[str]) -> tuple[str, str]:
    first, second = names if len(names) == 2 else (f"x{subscript(1)}", f"x{subscript(2)}")
    return first, second


def _raw(x: Any) -> Any:
    """Return the array of a tensor; anything else as it is."""
    return x.numpy() if isinstance(x, Tensor) else x


def _points(X: Any, who: str) -> Array:
    points = np.asarray(_raw(X), dtype=float)
    if points.ndim != 2 or points.shape[1] != 2 or not len(points):
        raise ShapeError(f"{who}: X must have shape (n, 2) with n > 0, not {points.shape}")
    return points


def _classes(y: Any, classes: Sequence[Any] | None, count: int, who: str) -> tuple[Array, Array]:
    """Return the classes, and the class of every point as an index."""
    labels = np.asarray(_raw(y))
    if labels.ndim == 2 and labels.shape[1] > 1:
        names = np.arange(labels.shape[1]) if classes is None else np.asarray(classes)
        labels = names[labels.argmax(axis=1)]
        known = names
    else:
        labels = labels.reshape(-1)
        known = np.unique(labels) if classes is None else np.asarray(classes)
    if len(labels) != count:
        raise ShapeError(f"{who}: {count} points and {len(labels)} labels")
    return known, _indices(labels, known, who)


def _indices(labels: Array, known: Array, who: str) -> Array:
    match = labels[:, None] == known[None, :]
    if not match.any(axis=1).all():
        stranger = labels[~match.any(axis=1)][0]
        raise DataError(f"{who}: the label {stranger!s} is not among the classes {', '.join(map(str, known))}")
    index: Array = np.argmax(match, axis=1)
    return index


def _predicted(prediction: Any, known: Array, count: int) -> Array:
    """Return the index of the class that each of ``count`` predictions means."""
    scores = np.asarray(_raw(prediction))
    if scores.shape == (count,):
        return _indices(scores, known, "decision_regions")
    if scores.shape == (count, 1) and len(known) == 2:
        return (scores[:, 0] > 0.5).astype(int)
    if scores.shape == (count, len(known)):
        best: Array = np.argmax(scores, axis=1)
        return best
    raise ShapeError(f"decision_regions: predict gave shape {scores.shape} for {count} points and {len(known)} classes")
