"""The charts of a report: curves over epochs, points against a diagonal, a histogram, bars, decision regions."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinygrad_mlp.viz.labels import number, shorten, width
from tinygrad_mlp.viz.svg import Canvas
from tinygrad_mlp.viz.theme import BLUE, LIGHT, OKABE_ITO

from .frame import DASHES, SIZE, Frame, Span

CLASSES = 20  # in a legend
MOST = 2000  # points in a chart: more would hide each other and make the page slow

Floats = NDArray[np.float64]
Labels = NDArray[np.int64]


def curves(series: Mapping[str, Sequence[float]], ylabel: str, title: str, best: int | None = None) -> str:
    """Return curves over epochs counted from 1; on a logarithmic scale if they span two powers of ten.

    Args:
        series: names and their values, one an epoch.
        ylabel: what the curves show.
        title: for readers who do not see the picture.
        best: the epoch whose parameters were kept, marked by a vertical line.
    """
    values = [float(v) for curve in series.values() for v in curve if math.isfinite(v)]
    least, most = min(values, default=0.0), max(values, default=1.0)
    logarithmic = least > 0 and most / least >= 100
    if logarithmic:
        y = Span.around([math.log10(least), math.log10(most)])
    else:
        y = Span.around(values if least < 0 or least > most / 2 else [*values, 0.0])
        y = Span(max(y.low, 0.0 if least >= 0 else y.low), y.high)
    ends = ", ".join(f"{name} from {number(c[0])} to {number(c[-1])}" for name, c in series.items())
    x = Span(1.0, max(2.0, *map(len, series.values())), whole=True)
    looks = list(zip(series, OKABE_ITO, DASHES * 2, strict=False))
    legend = [*looks, *([] if best is None else [(f"kept: epoch {best}", LIGHT.faint, "4 3")])]
    frame = Frame(title, ends, x, y, "epoch", ylabel, legend=legend, size=(480.0, 330.0), logarithmic=logarithmic)
    for name, colour, dash in looks:
        heights = [_log10(v) if logarithmic else float(v) for v in series[name]]
        frame.line(list(enumerate(heights, 1)), colour, dash, name)
    if best is not None:
        frame.rule((best, y.low), (best, y.high))
    return frame.svg()


def _log10(value: float) -> float:
    return math.log10(value) if value > 0 else math.nan


def against(truth: Floats, predicted: Floats, quantity: str) -> str:
    """Return a point for every row, predicted over true value, and the diagonal on which both are equal."""
    span = Span.around([*truth, *predicted])
    what = f"predicted over true {quantity}, {len(truth)} rows, with the diagonal"
    frame = Frame("Predictions", what, span, span, f"true {quantity}", f"predicted {quantity}", size=(480.0, 420.0))
    frame.rule((span.low, span.low), (span.high, span.high))
    group = frame.group("points")
    for i in drawn(len(truth)):
        frame.mark(group, (truth[i], predicted[i]), 0, BLUE)
    return frame.svg()


def drawn(n: int) -> Labels:
    """Return the numbers of the points to draw, drawn at random where there are more than ``MOST``."""
    return np.arange(n) if n <= MOST else np.sort(np.random.default_rng(0).choice(n, MOST, replace=False))


def histogram(values: Floats, quantity: str, bins: int = 20) -> str:
    """Return how many values lie in each of equal intervals."""
    counts, edges = np.histogram(values, bins)
    what = f"{quantity} of {len(values)} rows"
    y = Span(0.0, float(counts.max()) * 1.06, whole=True)
    frame = Frame("Residuals", what, Span(edges[0], edges[-1]), y, quantity, "rows", size=(480.0, 420.0))
    for count, low, high in zip(counts, edges, edges[1:], strict=False):
        bar = frame.group("bar", f"{number(low)} … {number(high)}: {count}")
        frame.box(bar, (low, 0.0), (high, float(count)), OKABE_ITO[4])
    if edges[0] < 0 < edges[-1]:
        frame.rule((0.0, 0.0), (0.0, y.high))
    return frame.svg()


def bars(values: Mapping[str, float], title: str, unit: str) -> str:
    """Return horizontal bars with their numbers, one a name, in the order given."""
    names = {name: shorten(name, 36) for name in values}
    left = 20.0 + max(width(name, SIZE) for name in names.values())
    top = max(0.0, *values.values()) or 1.0
    canvas = Canvas(660.0, 26.0 * len(values) + 12.0, LIGHT, title, f"{unit}, the longest bar is {number(top)}")
    for i, (name, value) in enumerate(values.items()):
        y = 20.0 + 26.0 * i
        group = canvas.group("bar", f"{name}: {number(value)}")
        canvas.text(group, left - 10, y + 4, names[name], SIZE, "end")
        length = max(1.5, (580.0 - left) * max(0.0, value) / top)
        canvas.line(group, (left, y), (left + length, y), BLUE, 15.0)
        canvas.text(group, left + length + 8, y + 4, number(value, 3), SIZE, "start")
    return canvas.source()


@dataclass(frozen=True)
class Regions:
    """A plane through the space of the inputs, with what the network predicts on it.

    Attributes:
        names: the two columns.
        x, y: the values of both along the axes, shapes (columns,) and (rows,).
        labels: the predicted class at each place, shape (rows, columns).
        points: the data, shape (n, 2).
        truth: their classes, shape (n,).
        wrong: whether the network is wrong about them, shape (n,).
        classes: the classes' names.
    """

    names: tuple[str, str]
    x: Floats
    y: Floats
    labels: Labels
    points: Floats
    truth: Labels
    wrong: NDArray[np.bool_]
    classes: tuple[str, ...]


def decision_regions(regions: Regions) -> str:
    """Return the plane coloured by predicted class, and the data upon it, those mistaken with a ring."""
    a, b = regions.names
    what = (
        f"predicted class over {a} and {b}, with {len(regions.points)} points, {int(regions.wrong.sum())} of them wrong"
    )
    x, y = (_cells(values) for values in (regions.x, regions.y))
    spans = Span(float(x[0]), float(x[-1])), Span(float(y[0]), float(y[-1]))
    legend = [(shorten(name), *look(i)) for i, name in enumerate(regions.classes)]
    if len(legend) > CLASSES:
        legend[CLASSES:] = [(f"… and {len(legend) - CLASSES} more", LIGHT.background, "")]
    frame = Frame("Decision regions", what, *spans, a, b, legend=legend, size=(660.0, 480.0))
    field = frame.group("regions")
    field.set("shape-rendering", "crispEdges")
    field.set("opacity", "0.28")
    for row, labels in enumerate(regions.labels):
        for start, stop in _runs(labels):
            frame.box(field, (x[start], y[row]), (x[stop], y[row + 1]), look(int(labels[start]))[0])
    group = frame.group("points")
    for i in drawn(len(regions.points)):
        colour, mark = look(int(regions.truth[i]))
        frame.mark(group, (regions.points[i, 0], regions.points[i, 1]), int(mark[5:]), colour, bool(regions.wrong[i]))
    return frame.svg()


def look(label: int) -> tuple[str, str]:
    """Return the colour and the form of a class; the first 64 differ in one of them."""
    turn, colour = divmod(label, len(OKABE_ITO))
    return OKABE_ITO[colour], f"mark {label + turn}"


def _cells(centres: Floats) -> Any:
    """Return the edges of cells about equally spaced centres."""
    half = (centres[1] - centres[0]) / 2
    return np.append(centres - half, centres[-1] + half)


def _runs(labels: Labels) -> list[tuple[int, int]]:
    """Return where runs of equal labels start and end."""
    edges = np.flatnonzero(np.diff(labels)) + 1
    return list(zip([0, *edges.tolist()], [*edges.tolist(), len(labels)], strict=True))
