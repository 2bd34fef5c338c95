"""Functions and points of the plane: clusters, the regions of classes, surfaces."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tinygrad_mlp.errors import DataError, ShapeError, UnsupportedError
from tinygrad_mlp.viz.theme import OKABE_ITO

from .axes import Array, axes_or_new, feature_names, finish, raw

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MARKERS = "osD^vPX*"  # one a class: shape repeats what colour says


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
    ax = axes_or_new(ax)
    for c, name in enumerate(known):
        chosen = points[index == c]
        look: dict[str, Any] = {"color": OKABE_ITO[c % len(OKABE_ITO)], "marker": MARKERS[c % len(MARKERS)]}
        ax.scatter(chosen[:, 0], chosen[:, 1], s=22, edgecolors="white", linewidths=0.5, label=str(name), **look)
    ax.legend()
    return finish(ax, *feature_names(names), title)


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
    margins = _margins(predict(grid), known, len(grid))
    ax = axes_or_new(ax)
    for c, margin in enumerate(margins):  # each by itself: between classes 0 and 2 one contour would show class 1
        if margin.max() > 0:
            field = margin.reshape(resolution, resolution)
            colour = OKABE_ITO[c % len(OKABE_ITO)]
            ax.contourf(u, v, field, levels=[0.0, 1.01 * margin.max()], colors=[colour], alpha=0.25)
            if margin.min() < 0:
                ax.contour(u, v, field, levels=[0.0], colors="#5A5A5A", linewidths=0.8)
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
    heights = np.asarray(raw(f(points)), dtype=float)
    if heights.size != len(points):
        raise ShapeError(f"surface: f gave {heights.shape} for {points.shape}; one value a point is needed")
    space: Any = axes_or_new(ax, "3d")
    if not hasattr(space, "plot_surface"):
        raise UnsupportedError('surface: ax is flat; make it with add_subplot(projection="3d")')
    space.plot_surface(grid_u, grid_v, heights.reshape(grid_u.shape), cmap="cividis", linewidth=0, antialiased=True)
    for name, label in zip(("x", "y", "z"), (*feature_names(names), zlabel), strict=True):
        space.set(**{f"{name}label": label})
    space.set_title(title)
    space.set_box_aspect(None, zoom=0.85)  # at 1 the label of the height falls off the figure
    flat: Axes = space
    return flat


def _points(X: Any, who: str) -> Array:
    points = np.asarray(raw(X), dtype=float)
    if points.ndim != 2 or points.shape[1] != 2 or not len(points):
        raise ShapeError(f"{who}: X must have shape (n, 2) with n > 0, not {points.shape}")
    return points


def _classes(y: Any, classes: Sequence[Any] | None, count: int, who: str) -> tuple[Array, Array]:
    """Return the classes, and the class of every point as an index."""
    labels = np.asarray(raw(y))
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


def _margins(prediction: Any, known: Array, count: int) -> Array:
    """Return by how much each class wins at each of ``count`` points, below 0 where it loses; shape (C, count)."""
    scores = np.asarray(raw(prediction))
    if scores.shape == (count,):
        best = _indices(scores, known, "decision_regions")
        indicators: Array = np.where(best == np.arange(len(known))[:, None], 1.0, -1.0)
        return indicators
    if scores.shape == (count, 1) and len(known) == 2:
        scores = np.concatenate([1.0 - scores, scores], axis=1)
    if scores.shape != (count, len(known)):
        raise ShapeError(
            f"decision_regions: predict gave shape {scores.shape} for {count} points and {len(known)} classes"
        )
    if len(known) == 1:
        return np.ones((1, count))
    scores, best = scores.astype(float), np.argmax(scores, axis=1)
    order = np.sort(scores, axis=1)
    with np.errstate(invalid="ignore"):  # of infinite scores
        rivals = np.where(np.arange(len(known)) == best[:, None], order[:, -2:-1], order[:, -1:])
        margins: Array = np.nan_to_num(scores - rivals, posinf=1e9, neginf=-1e9).T
    tied = (margins.max(axis=1) <= 0) & np.isin(np.arange(len(known)), best)  # wins, but nowhere by a margin
    margins[tied] = np.where(best == np.flatnonzero(tied)[:, None], 1.0, -1.0)
    return margins
