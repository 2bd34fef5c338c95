"""Matrices as images: the weights of layers, and which classes are taken for which."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tinygrad_mlp.errors import DataError, ShapeError, UnsupportedError
from tinygrad_mlp.viz.colours import ink
from tinygrad_mlp.viz.labels import number, shape_text
from tinygrad_mlp.viz.network.layers import read_layers
from tinygrad_mlp.viz.theme import BLUE, VERMILLION

from .axes import Array, axes_or_new, diverging, finish, load_matplotlib, raw, whole_numbers

if TYPE_CHECKING:
    from matplotlib.axes import Axes


SMALL = 12  # numbers are written into matrices with so many rows and columns at most
TILES = 100  # units whose weights are shown as images at most


def weights(
    model: Any,
    *,
    layer: int | str | None = None,
    show: str = "weights",
    kind: str = "image",
    shape: tuple[int, int] | None = None,
    ax: Any = None,
) -> Any:
    """Return axes with the weights of every layer: one picture a layer, 0 is white, the sign is the hue.

    Args:
        model: A module, the record that its ``describe()`` returns, or a single matrix of shape (inputs, units).
        layer: A number from 1, or a name such as "output"; by default all layers.
        show: weights, or gradients.
        kind: image (rows are inputs, columns are units), or hist for the distribution.
        shape: Of inputs that are images, (height, width): the weights of every unit are shown as one, the first units
            of the layer side by side.
        ax: Where to draw: axes, or a sequence with one for each layer; by default a new figure.

    Returns:
        Axes where there is one layer, a list where there are several, as ``ax`` was given.

    Raises:
        DataError: there is no such layer, or no gradients.
        ShapeError: ``shape`` or ``ax`` does not fit.
        UnsupportedError: an unknown ``kind`` or ``show``.
    """
    if kind not in ("image", "hist") or show not in ("weights", "gradients"):
        raise UnsupportedError("weights: kind is image or hist, show is weights or gradients")
    matrices = _matrices(model, layer, show)
    panels = _panels(ax, len(matrices))
    for panel, (name, matrix) in zip(panels, matrices, strict=True):
        title = f"{name}{': gradient' * (show == 'gradients')}"
        if kind == "hist":
            _histogram(panel, matrix, title, show)
        elif shape is not None:
            _tiles(panel, matrix, shape, title)
        else:
            _image(panel, matrix, title)
    return panels if isinstance(ax, list | tuple | np.ndarray) or len(panels) > 1 else panels[0]


def _matrices(model: Any, layer: int | str | None, show: str) -> list[tuple[str, Array]]:
    """Return the name and the matrix of every layer that is wanted."""
    if not isinstance(model, Mapping) and not callable(getattr(model, "describe", None)):
        matrix = np.asarray(raw(model), dtype=float)
        if matrix.ndim != 2 or not matrix.size:
            raise ShapeError(f"weights: a model or a matrix of shape (inputs, units) is needed, not {matrix.shape}")
        return [("weights", matrix)]
    layers = read_layers(model if isinstance(model, Mapping) else model.describe())[1:]
    names = [known.name for known in layers]
    if layer is not None:
        chosen = [known for i, known in enumerate(layers, 1) if layer in (i, known.name)]
        if not chosen:
            raise DataError(f"weights: there is no layer {layer!r}; the layers are {', '.join(names)}, from 1")
        layers = chosen
    found = [(x.name, x.weight_grad if show == "gradients" else x.weight) for x in layers]
    missing = [name for name, matrix in found if matrix is None]
    if missing:
        remedy = "not computed: call backward() first" if show == "gradients" else "not known"
        raise DataError(f"weights: the {show} of {', '.join(missing)} are {remedy}")
    return [(name, matrix.reshape(len(matrix), -1)) for name, matrix in found]


def _panels(ax: Any, count: int) -> list[Any]:
    """Return as many axes as there are layers."""
    load_matplotlib()
    if ax is None:
        import matplotlib.pyplot as plt

        figure = plt.figure(figsize=(max(4.8, 3.6 * count), 3.6), layout="constrained")
        return list(figure.subplots(1, count, squeeze=False)[0])
    panels = list(np.ravel(ax)) if isinstance(ax, list | tuple | np.ndarray) else [ax]
    if len(panels) != count:
        raise ShapeError(f"weights: {len(panels)} axes for {count} layers: pass as many, or choose one by layer=")
    return panels


def _image(ax: "Axes", matrix: Array, title: str) -> None:
    """Draw a matrix with a colour bar; into a small one, its numbers too."""
    drawn = _signed(ax, matrix)
    rows, columns = matrix.shape
    if max(rows, columns) <= SMALL:
        for (i, j), x in np.ndenumerate(matrix):
            red, green, blue, _ = drawn.to_rgba(x, bytes=True)
            colour = ink(f"#{red:02X}{green:02X}{blue:02X}")
            ax.text(j, i, number(x, 2, signed=True), ha="center", va="center", fontsize=8, color=colour)
        ax.set_xticks(range(columns), [str(unit + 1) for unit in range(columns)])
        ax.set_yticks(range(rows), [str(place + 1) for place in range(rows)])
    else:
        for axis, size in ((ax.xaxis, columns), (ax.yaxis, rows)):  # counted from 1, as everywhere else
            ticks = [int(at) for at in whole_numbers().tick_values(1, size) if 1 <= at <= size]
            axis.set_ticks([at - 1 for at in ticks], [str(at) for at in ticks])
    finish(ax, "unit", "input", f"{title}, {shape_text(matrix.shape)}")


def _signed(ax: "Axes", matrix: Array) -> Any:
    """Draw an array in the colours of its signs, and a bar that tells their sizes."""
    finite = np.abs(matrix[np.isfinite(matrix)])
    top = float(finite.max()) if finite.size and finite.max() > 0 else 1.0
    drawn = ax.imshow(matrix, cmap=diverging(), vmin=-top, vmax=top, aspect="auto", interpolation="nearest")
    figure: Any = ax.figure
    figure.colorbar(drawn, ax=ax)
    return drawn


def _tiles(ax: "Axes", matrix: Array, shape: tuple[int, int], title: str) -> None:
    """Draw the weights of each unit as an image."""
    inputs, units = matrix.shape
    high, wide = shape
    if high * wide != inputs:
        raise ShapeError(f"weights: {title} has {inputs} inputs, no images of {high}×{wide}; choose it by layer=")
    count = min(units, TILES)
    across = int(np.ceil(np.sqrt(count)))
    down = -(-count // across)
    mosaic = np.full((down * (high + 1) - 1, across * (wide + 1) - 1), np.nan)  # grey between the images
    for unit in range(count):
        y, x = (unit // across) * (high + 1), (unit % across) * (wide + 1)
        mosaic[y : y + high, x : x + wide] = matrix[:, unit].reshape(high, wide)
    _signed(ax, mosaic)
    ax.set_aspect("equal")
    ax.set_xticks([])
    ax.set_yticks([])
    finish(ax, f"{count} of {units} units" if count < units else f"{units} units", "", title)


def _histogram(ax: "Axes", matrix: Array, title: str, show: str) -> None:
    """Draw how often which size occurs; the line at 0 parts the signs."""
    finite = matrix[np.isfinite(matrix)]
    if finite.size:
        step = (np.ptp(finite) or abs(finite[0]) or 1.0) / min(60, max(10, int(np.sqrt(finite.size))))
        edges = np.arange(np.floor(finite.min() / step), np.floor(finite.max() / step) + 2) * step  # 0 is one of them
        counts, _ = np.histogram(finite, edges)
        colours = [BLUE if left >= 0 else VERMILLION for left in edges[:-1]]
        ax.bar(edges[:-1], counts, width=step, align="edge", color=colours, edgecolor="white", linewidth=0.4)
    ax.axvline(0, color="#5A5A5A", linewidth=0.8)
    ax.yaxis.set_major_locator(whole_numbers())
    spread = f"mean {number(finite.mean(), 2)}, deviation {number(finite.std(), 2)}" if finite.size else "no number"
    odd = f", {matrix.size - finite.size} not finite" * (finite.size < matrix.size)
    finish(ax, f"{show.removesuffix('s')}: {spread}{odd}", "count", f"{title}, {shape_text(matrix.shape)}")


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
    ax = axes_or_new(ax)
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    drawn = ax.imshow(share, cmap="Blues", vmin=0, vmax=1)
    for i, j in np.ndindex(size, size):
        red, green, blue, _ = drawn.to_rgba(share[i, j], bytes=True)
        colour = ink(f"#{red:02X}{green:02X}{blue:02X}")
        ax.text(j, i, number(counts[i, j], 6), ha="center", va="center", color=colour)
    ax.set_xticks(range(size), words, rotation=0 if max(map(len, words)) * size < 40 else 45)
    ax.set_yticks(range(size), words)
    return finish(ax, "predicted", "true", title)
