"""The columns of a network diagram: where the layers are, and which of their units are drawn."""

from dataclasses import dataclass

from tinygrad_mlp.viz.labels import width
from tinygrad_mlp.viz.theme import Theme

from .layers import Layer
from .wording import formula, letter, size_text

RADIUS = 19.0  # of a neuron
STEP = 56.0  # between the centres of neighbours in a column
MARGIN = 22.0
NAME_SIZE, LINE_SIZE = 13.0, 11.0


@dataclass(frozen=True)
class Column:
    """One layer being placed: the middle of its column, and the units that are drawn, top down."""

    layer: Layer
    x: float
    middle: float
    units: list[int]
    kind: str
    letter: str
    fill: str

    @property
    def rows(self) -> int:
        """How many places the column has; '⋮' takes one."""
        return len(self.units) + (len(self.units) < self.layer.units)

    @property
    def top(self) -> float:
        """Where its first circle is."""
        return self.middle - (self.rows - 1) * STEP / 2

    def y(self, row: int) -> float:
        """Return where the unit in place ``row`` among those drawn is: the last one comes below '⋮'."""
        hidden = self.rows > len(self.units) and row == len(self.units) - 1
        return self.top + (row + hidden) * STEP


@dataclass(frozen=True)
class Gap:
    """Where '⋮' stands for ``count`` units that are not drawn."""

    x: float
    y: float
    count: int

    @property
    def tip(self) -> str:
        """What is shown when one points at it."""
        return f"⋮ {self.count:,} units that are not drawn"


def columns_of(layers: list[Layer], units: list[list[int]], xs: list[float], theme: Theme, top: float) -> list[Column]:
    """Return the columns, each centred about the same middle; ``units`` are those drawn, ``top`` is above them all."""
    rows = max(len(drawn) + (len(drawn) < layer.units) for drawn, layer in zip(units, layers, strict=True))
    middle = top + (rows - 1) * STEP / 2 + RADIUS
    columns = []
    for at, layer in enumerate(layers):
        symbol, kind = letter(at, len(layers)), "input" if at == 0 else "output" if at == len(layers) - 1 else "hidden"
        fill = theme.nodes[kind].fill if kind != "hidden" else theme.hidden[(at - 1) % len(theme.hidden)]
        if fill == theme.background:
            fill = theme.nodes["input"].fill
        columns.append(Column(layer, xs[at], middle, units[at], kind, symbol, fill))
    return columns


def half_width(layers: list[Layer], at: int) -> float:
    """Return half the width of a column with its captions."""
    layer = layers[at]
    lines = (size_text(layer, letter(at, len(layers))), layer.activation)
    return max(RADIUS, 0.525 * width(layer.name, NAME_SIZE), *(width(line, LINE_SIZE) / 2 for line in lines))


def xs_of(layers: list[Layer], names: float, extra: float) -> list[float]:
    """Return where the columns are; ``names`` is the room for names of inputs, ``extra`` that for numbers on lines."""
    xs = [MARGIN + max(half_width(layers, 0), names + RADIUS + 8 if names else 0.0)]
    for at, layer in enumerate(layers[1:]):
        room = width(formula(layer), LINE_SIZE) + 24
        xs.append(xs[-1] + max(160.0 + extra, half_width(layers, at) + half_width(layers, at + 1) + 30, room))
    return xs
