"""The geometry of a textbook network diagram: circles in columns, and the lines between them."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from tinygrad_mlp.errors import ShapeError
from tinygrad_mlp.viz.colours import ink
from tinygrad_mlp.viz.labels import clean, number, shorten, subscript, width
from tinygrad_mlp.viz.theme import Theme

from .columns import LINE_SIZE, MARGIN, NAME_SIZE, RADIUS, STEP, Column, Gap, columns_of, half_width, xs_of
from .layers import Layer
from .lines import Shown
from .wording import breaks, formula, norm_text, size_text

BIAS_RADIUS = 13.0
SMALL_SIZE = 9.5
NUMBERED = 4  # numbers are written on the lines of layers of up to so many units …
MOST_NUMBERS = 48  # … and of no more lines than this


@dataclass(frozen=True)
class Circle:
    """A neuron, or a bias unit.

    Attributes:
        key: its name in every format.
        kind: input, hidden, output or bias.
        x, y, radius: where it is.
        label: its letter.
        fill, ink: its colour, and that of the text upon it.
        tip: what is shown when one points at it.
        side: a name to be written beside it.
        value: its output, written below the letter if it fits.
        negative: whether that is below 0: the outline is dashed.
    """

    key: str
    kind: str
    x: float
    y: float
    radius: float
    label: str
    fill: str
    ink: str
    tip: str
    side: str = ""
    value: str = ""
    negative: bool = False


@dataclass(frozen=True)
class Link:
    """A line between two circles; ``value`` is its number, None where unknown; ``width`` in pixels.

    ``label`` is written on it, ``at`` the share of the way from source to target where.
    """

    source: str
    target: str
    value: float | None
    width: float
    tip: str
    label: str = ""
    at: float = 0.5


@dataclass(frozen=True)
class Caption:
    """A text centred at ``x`` on the baseline ``y``."""

    x: float
    y: float
    text: str
    size: float
    bold: bool = False


@dataclass(frozen=True)
class Diagram:
    """Everything in the picture, with its size, the largest absolute number on a line, and notes below it."""

    layers: list[Layer]
    shown: Shown
    circles: list[Circle]
    links: list[Link]
    gaps: list[Gap]
    captions: list[Caption]
    size: tuple[float, float]
    largest: float
    sampled: bool
    notes: Sequence[str] = ()


def place(
    layers: list[Layer],
    shown: Shown,
    theme: Theme,
    *,
    max_units: int = 8,
    precision: int = 4,
    numbers: bool | None = None,
    inputs: Sequence[str] = (),
    outputs: Sequence[str] = (),
    sampled: bool = False,
    notes: Sequence[str] = (),
) -> Diagram:
    """Return the diagram of the layers: where every circle, line and caption goes.

    Args:
        layers: From ``read_layers``.
        shown: What the lines show.
        theme: The colours.
        max_units: Circles in one column; of a larger layer the first ones and the last are drawn, with '⋮' between.
        precision: Significant digits in tooltips.
        numbers: Write the numbers on the lines; by default where there is room.
        inputs: Names of the inputs, written on the left.
        outputs: Names of the outputs, written on the right.
        sampled: Let the fill of circles show the outputs of their layers.
        notes: What else is said below the picture.

    Raises:
        ShapeError: There are more or fewer names than inputs, or than outputs.
    """
    _check_names(layers, inputs, outputs)
    most = max(3, max_units)
    units = [list(range(n)) if n <= most else [*range(most - 2), n - 1] for n in (layer.units for layer in layers)]
    if numbers is None:
        many = sum((len(a) + 1) * len(b) for a, b in pairwise(units))
        numbers = many <= MOST_NUMBERS and all(len(column) <= NUMBERED for column in units[1:])
    names = [[shorten(clean(name), 24) for name in group] for group in (inputs, outputs)]
    extra = max(50.0 * numbers, 12.0 * (max(map(len, units)) - 8))  # tall columns stand farther apart
    xs = xs_of(layers, max((width(name, LINE_SIZE) for name in names[0]), default=0.0), extra)
    head = MARGIN + 22 + 15 * (shown.noun in ("gradient", "change"))  # for the captions above
    columns = columns_of(layers, units, xs, theme, head + STEP * any(layer.has_bias for layer in layers))
    circles = [circle for at in range(len(columns)) for circle in _circles(columns, at, names, theme, sampled)]
    links, largest = _links(columns, shown, precision, numbers)
    gaps = [
        Gap(c.x, c.y(len(c.units) - 1) - STEP, c.layer.units - len(c.units)) for c in columns if c.rows > len(c.units)
    ]
    bottom = max(c.top + (c.rows - 1) * STEP for c in columns) + RADIUS + 26
    right = max([width(name, LINE_SIZE) + RADIUS + 8 for name in names[1]] + [half_width(layers, len(layers) - 1)])
    captions = [*_column_captions(columns, bottom), *_line_captions(columns, shown, precision)]
    size = (xs[-1] + right + MARGIN, bottom + 34)
    return Diagram(layers, shown, circles, links, gaps, captions, size, largest, sampled, [*notes, *breaks(layers)])


def _check_names(layers: list[Layer], inputs: Sequence[str], outputs: Sequence[str]) -> None:
    for words, names, layer in (("inputs", inputs, layers[0]), ("outputs", outputs, layers[-1])):
        if len(names) not in (0, layer.units):
            raise ShapeError(
                f"draw: {words}= has {len(names):,} name{'s' * (len(names) != 1)}, the network has "
                f"{layer.units:,} {words.removesuffix('s') if layer.units == 1 else words}; give a name for each"
            )


def _circles(columns: list[Column], at: int, names: list[list[str]], theme: Theme, sampled: bool) -> list[Circle]:
    """Return the circles of one column: its units, then the bias unit of the layer after it."""
    column, layer = columns[at], columns[at].layer
    sides = names[0] if at == 0 else names[1] if at == len(columns) - 1 else []
    shades = _shades(layer.output) if sampled and layer.output is not None else None
    circles = []
    for row, unit in enumerate(column.units):
        side = sides[unit] if unit < len(sides) else ""
        tip = [f"{layer.name}, unit {unit + 1} of {layer.units:,}", layer.activation, side]
        fill, value, negative = theme.background if sampled else column.fill, "", False
        if shades is not None:
            output = float(layer.output[unit])
            fill, value, negative = theme.shade(shades[unit]), _fitting(output), output < 0
            tip.append(f"output {number(output, 6, signed=True)}")
        elif sampled:
            tip.append("output: not known")
        text = ink(fill) if sampled else theme.text
        where = (column.x, column.y(row), RADIUS, column.letter + subscript(unit + 1))
        words = ", ".join(word for word in tip if word)
        circles.append(Circle(f"u{at}_{unit}", column.kind, *where, fill, text, words, side, value, negative))
    after = columns[at + 1].layer if at + 1 < len(columns) else None
    if after is not None and after.has_bias and after.follows(layer):
        tip_of_bias = f"bias unit of {after.name}: always 1"
        high = (column.x, column.top - STEP, BIAS_RADIUS, "1")
        circles.append(Circle(f"b{at}", "bias", *high, theme.background, theme.text, tip_of_bias))
    return circles


def _shades(outputs: Any) -> Any:
    """Return outputs as shares of the largest finite one of the layer; infinite ones are 1 or -1, nan stays."""
    finite = outputs[np.isfinite(outputs)]
    top = float(np.abs(finite).max()) if finite.size else 0.0
    with np.errstate(invalid="ignore"):
        shares = np.where(np.isinf(outputs), np.sign(outputs), outputs / (top or 1.0))
    return shares.tolist()


def _fitting(x: float) -> str:
    """Return ``x`` as it fits into a circle, empty if it does not."""
    texts = (number(x, digits) for digits in (3, 2, 1))
    return next((text for text in texts if width(text, SMALL_SIZE) <= 1.75 * RADIUS), "")


def _links(columns: list[Column], shown: Shown, precision: int, numbers: bool) -> tuple[list[Link], float]:
    """Return the lines between the circles that are drawn, and the largest absolute number on one of them."""
    raw: list[tuple[str, str, float | None, str, float]] = []
    for at, (before, column) in enumerate(pairwise(columns)):
        lines, layer = shown.layers[at + 1], column.layer
        if not layer.follows(before.layer):
            continue
        share = 1 / (column.rows + 1)  # then the numbers on the lines are apart, and in a column
        for unit in column.units:
            for source in before.units:
                what = f"{layer.noun} {source + 1} → {unit + 1} of {layer.name}"
                value = None if lines.weights is None else float(lines.weights[source, unit])
                tip = _joined(what, lines.weight_tip(source, unit, precision))
                raw.append((f"u{at}_{source}", f"u{at + 1}_{unit}", value, tip, share))
            if layer.has_bias:
                value = None if lines.biases is None else float(lines.biases[unit])
                tip = _joined(f"bias of unit {unit + 1} of {layer.name}", lines.bias_tip(unit, precision))
                raw.append((f"b{at}", f"u{at + 1}_{unit}", value, tip, share))
    largest = max((abs(x) for _, _, x, _, _ in raw if x is not None and np.isfinite(x)), default=0.0)
    links = []
    for start, end, x, tip, share in raw:
        label = number(x, min(precision, 2), signed=True) if numbers and x is not None else ""
        links.append(Link(start, end, x, _thickness(x, largest), tip, label, share))
    return links, largest


def _joined(what: str, said: str) -> str:
    return f"{what}: {said}" if said else what


def _thickness(x: float | None, largest: float) -> float:
    """Return the width of a line, proportional to the number on it above a hair's width."""
    if x is None:
        return 1.0
    share = min(1.0, abs(x) / largest) if largest and np.isfinite(x) else float(not np.isfinite(x))
    return 0.5 + 3.5 * share


def _column_captions(columns: list[Column], bottom: float) -> list[Caption]:
    """Return name, size and activation of every layer, below it."""
    captions = []
    for column in columns:
        captions.append(Caption(column.x, bottom, column.layer.name, NAME_SIZE, bold=True))
        captions.append(Caption(column.x, bottom + 16, size_text(column.layer, column.letter), LINE_SIZE))
        if column.layer.activation:
            captions.append(Caption(column.x, bottom + 32, column.layer.activation, LINE_SIZE))
    return captions


def _line_captions(columns: list[Column], shown: Shown, precision: int) -> list[Caption]:
    """Return how many parameters the lines into every layer have, and the norm of what they show, above them."""
    captions = []
    for (before, column), lines in zip(pairwise(columns), shown.layers[1:], strict=True):
        x = (before.x + column.x) / 2
        captions.append(Caption(x, MARGIN + 6, formula(column.layer), LINE_SIZE))
        size = norm_text(shown, lines, precision)
        if size:
            captions.append(Caption(x, MARGIN + 21, size, LINE_SIZE))
    return captions
