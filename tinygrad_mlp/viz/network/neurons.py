"""The geometry of a textbook network diagram: circles in columns, and the lines between them.

It reads the plain record by which a module describes itself: ``{"name": "MLP", "layers": [{"name": "hidden 1", "units":
3, "activation": "sigmoid", "weight": array(in, out) or None, "bias": array(out,) or None}, …]}``, the input first.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np

from tinygrad_mlp.errors import DataError
from tinygrad_mlp.viz.labels import clean, number, shorten, subscript, width
from tinygrad_mlp.viz.theme import Theme

RADIUS, BIAS_RADIUS = 19.0, 13.0
STEP = 56.0  # between the centres of neighbours in a column
MARGIN = 22.0
NAME_SIZE, LINE_SIZE = 13.0, 11.0


@dataclass(frozen=True)
class Layer:
    """One layer of the record, checked; ``parameters`` counts weights and biases."""

    name: str
    units: int
    activation: str
    weight: Any
    bias: Any
    has_bias: bool
    parameters: int


@dataclass(frozen=True)
class Circle:
    """A neuron, or a bias unit; ``fill`` is its colour, ``side`` a name to be written beside it."""

    key: str
    kind: str
    x: float
    y: float
    radius: float
    label: str
    fill: str
    tip: str
    side: str = ""


@dataclass(frozen=True)
class Link:
    """A line between two circles; ``value`` is its weight, None where unknown; ``width`` in pixels."""

    source: str
    target: str
    value: float | None
    width: float
    tip: str


@dataclass(frozen=True)
class Diagram:
    """Everything in the picture: what to draw, captions ``(x, y, text, size, bold)``, dots ``(x, y)`` and the size."""

    circles: list[Circle]
    links: list[Link]
    dots: list[tuple[float, float]]
    captions: list[tuple[float, float, str, float, bool]]
    size: tuple[float, float]
    largest: float
    layers: list[Layer] = field(default_factory=list)


def read_layers(record: Mapping[str, Any]) -> list[Layer]:
    """Return the layers of a record.

    Raises:
        DataError: the record has no layers, or a layer without a number of units.
    """
    rows = record.get("layers")
    if not isinstance(rows, Sequence) or not rows:
        raise DataError("draw: the description has no layers")
    layers: list[Layer] = []
    for number_of, row in enumerate(rows):
        units = row.get("units")
        if not isinstance(units, int | np.integer) or units < 1:
            raise DataError(f"draw: layer {number_of} of the description has units={units!r}, not a positive integer")
        before = layers[-1].units if layers else 0
        weight, bias = row.get("weight"), row.get("bias")
        has_bias = bool(layers) and (bias is not None or weight is None)
        if weight is not None:
            count = np.size(weight) + (np.size(bias) if bias is not None else 0)
        else:
            count = (before + 1) * int(units) if layers else 0  # a dense layer with biases, unless it says otherwise
        count = int(row.get("parameters", count))  # some units have more, such as the widths of radial basis units
        name = shorten(clean(row.get("name", "") or f"layer {number_of}"), 24)
        activation = shorten(clean(row.get("activation", "") or ""), 24)
        layers.append(Layer(name, int(units), activation, _matrix(weight, before, int(units)), bias, has_bias, count))
    return layers


def _matrix(weight: Any, before: int, units: int) -> Any:
    """Return the weights if there is one for every line (a maxout unit, for instance, has several), else None."""
    if weight is None or np.shape(weight) != (before, units):
        return None
    return np.asarray(weight, dtype=np.float64)


def place(
    layers: list[Layer],
    theme: Theme,
    *,
    weights: bool = True,
    max_units: int = 8,
    precision: int = 4,
    inputs: Sequence[str] = (),
    outputs: Sequence[str] = (),
) -> Diagram:
    """Return the diagram of the layers: where every circle, line and caption goes.

    Args:
        layers: From ``read_layers``.
        theme: The colours.
        weights: Let width and colour of a line show its weight, where weights are known.
        max_units: Circles in one column; of a larger layer the first ones and the last are drawn, with '⋮' between.
        precision: Significant digits in tooltips.
        inputs: Names of the inputs, written on the left.
        outputs: Names of the outputs, written on the right.
    """
    shown = [_shown(layer.units, max_units) for layer in layers]
    tallest = max(len(units) + (len(units) < layer.units) for units, layer in zip(shown, layers, strict=True))
    biased = any(layer.has_bias for layer in layers)
    top = MARGIN + 22 + (STEP if biased else 0)
    middle = top + (tallest - 1) * STEP / 2 + RADIUS
    columns = _columns(layers, max((width(clean(n), LINE_SIZE) for n in inputs), default=0.0))
    circles: list[Circle] = []
    dots: list[tuple[float, float]] = []
    for at, layer in enumerate(layers):
        names = inputs if at == 0 else outputs if at == len(layers) - 1 else ()
        circles += _column(layers, at, columns[at], middle, shown[at], theme, names)
        if len(shown[at]) < layer.units:
            dots.append((columns[at], middle + (len(shown[at]) / 2 - 1) * STEP))
        if at + 1 < len(layers) and layers[at + 1].has_bias:
            height = middle - (len(shown[at]) + (len(shown[at]) < layer.units) - 1) * STEP / 2 - STEP
            tip = f"bias unit of {layers[at + 1].name}: always 1"
            circles.append(Circle(f"b{at}", "bias", columns[at], height, BIAS_RADIUS, "1", theme.background, tip))
    links, largest = _links(layers, shown, weights, precision)
    bottom = middle + (tallest - 1) * STEP / 2 + RADIUS + 26
    captions = _captions(layers, columns, bottom)
    right = max([width(clean(name), LINE_SIZE) + RADIUS + 8 for name in outputs] + [_half(layers[-1])])
    return Diagram(circles, links, dots, captions, (columns[-1] + right + MARGIN, bottom + 34), largest, layers)


def _shown(units: int, most: int) -> list[int]:
    """Return the indices of the units that are drawn."""
    most = max(3, most)
    return list(range(units)) if units <= most else [*range(most - 2), units - 1]


def _half(layer: Layer) -> float:
    """Return half the width of a column with its captions."""
    lines = (_size_text(layer), layer.activation)
    return max(RADIUS, 0.525 * width(layer.name, NAME_SIZE), *(width(line, LINE_SIZE) / 2 for line in lines))


def _columns(layers: list[Layer], names: float) -> list[float]:
    at = MARGIN + max(_half(layers[0]), names + RADIUS + 8 if names else 0.0)
    columns = [at]
    for before, layer in pairwise(layers):
        formula = width(_formula(before, layer), LINE_SIZE) + 24
        at += max(160.0, _half(before) + _half(layer) + 30, formula)
        columns.append(at)
    return columns


def _column(
    layers: list[Layer], at: int, x: float, middle: float, shown: list[int], theme: Theme, names: Sequence[str]
) -> list[Circle]:
    """Return the circles of one layer, centred about ``middle``."""
    layer, last = layers[at], len(layers) - 1
    kind = "input" if at == 0 else "output" if at == last else "hidden"
    fill = theme.nodes[kind].fill if kind != "hidden" else theme.hidden[(at - 1) % len(theme.hidden)]
    if kind == "output" and fill == theme.background:
        fill = theme.nodes["input"].fill
    letter = {"input": "x", "output": "y", "hidden": "h"}[kind]
    rows = len(shown) + (len(shown) < layer.units)
    circles = []
    for row, unit in enumerate(shown):
        slot = rows - 1 if len(shown) < layer.units and row == len(shown) - 1 else row
        side = shorten(clean(names[unit]), 24) if unit < len(names) else ""
        tip = ", ".join(t for t in (f"{layer.name}, unit {unit + 1} of {layer.units}", layer.activation, side) if t)
        y = middle + (slot - (rows - 1) / 2) * STEP
        circles.append(Circle(f"u{at}_{unit}", kind, x, y, RADIUS, letter + subscript(unit + 1), fill, tip, side))
    return circles


def _links(layers: list[Layer], shown: list[list[int]], weights: bool, precision: int) -> tuple[list[Link], float]:
    """Return the lines between the circles that are drawn, and the largest absolute weight among them."""
    raw: list[tuple[str, str, float | None, str]] = []
    for at in range(1, len(layers)):
        layer = layers[at]
        for unit in shown[at]:
            for source in shown[at - 1]:
                w = float(layer.weight[source, unit]) if weights and layer.weight is not None else None
                what = f"weight {source + 1} → {unit + 1} of {layer.name}"
                raw.append((f"u{at - 1}_{source}", f"u{at}_{unit}", w, what))
            if layer.has_bias:
                known = weights and layer.bias is not None and np.size(layer.bias) == layer.units
                b = float(np.reshape(layer.bias, -1)[unit]) if known else None
                raw.append((f"b{at - 1}", f"u{at}_{unit}", b, f"bias of unit {unit + 1} of {layer.name}"))
    largest = max((abs(w) for _, _, w, _ in raw if w is not None and np.isfinite(w)), default=0.0)
    links = []
    for start, end, w, what in raw:
        if w is None:
            links.append(Link(start, end, None, 1.0, what))
            continue
        share = min(1.0, abs(w) / largest) if largest and np.isfinite(w) else float(not np.isfinite(w))
        links.append(Link(start, end, w, 0.5 + 3.5 * share, f"{what}: {number(w, precision, signed=True)}"))
    return links, largest


def _size_text(layer: Layer) -> str:
    return f"{layer.units:,} unit{'s' * (layer.units > 1)}"


def _formula(before: Layer, layer: Layer) -> str:
    """Return the number of parameters of one layer as a sum a reader can check."""
    weights = layer.parameters - layer.units * layer.has_bias
    product = f"{before.units:,}·{layer.units:,}" if weights == before.units * layer.units else f"{weights:,}"
    biases = f" + {layer.units:,}" if layer.has_bias else ""
    total = f"{layer.parameters:,} parameters"
    return total if not layer.has_bias and product == f"{weights:,}" else f"{product}{biases} = {total}"


def _captions(layers: list[Layer], columns: list[float], bottom: float) -> list[tuple[float, float, str, float, bool]]:
    captions = []
    for layer, x in zip(layers, columns, strict=True):
        captions.append((x, bottom, layer.name, NAME_SIZE, True))
        captions.append((x, bottom + 16, _size_text(layer), LINE_SIZE, False))
        if layer.activation:
            captions.append((x, bottom + 32, layer.activation, LINE_SIZE, False))
    for at in range(1, len(layers)):
        text = _formula(layers[at - 1], layers[at])
        captions.append(((columns[at - 1] + columns[at]) / 2, MARGIN + 6, text, LINE_SIZE, False))
    return captions
