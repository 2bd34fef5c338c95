"""What is written about the layers of a network diagram: sizes, counts of parameters, norms."""

from collections.abc import Sequence
from itertools import pairwise

from tinygrad_mlp.viz.labels import number

from .layers import Layer
from .lines import Lines, Shown

_SUPERSCRIPTS = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


def letter(at: int, count: int) -> str:
    """Return how the outputs of layer ``at`` of ``count`` are written."""
    return "x" if at == 0 else "y" if at == count - 1 else "h"


def size_text(layer: Layer, symbol: str) -> str:
    """Return the size of a layer: ``3 units, h ∈ ℝ³``."""
    many = layer.units > 1
    power = str(layer.units).translate(_SUPERSCRIPTS) if many else ""
    return f"{layer.units:,} unit{'s' * many}, {symbol} ∈ ℝ{power}"


def formula(layer: Layer) -> str:
    """Return the number of parameters of one layer as a sum a reader can check."""
    columns = layer.units * (layer.weight.shape[2] if layer.weight is not None else 1)  # a maxout unit has several
    total = f"{layer.parameters:,} parameters"
    if layer.parameters != columns * (layer.inputs + layer.has_bias):
        return total
    return f"{layer.inputs:,}·{columns:,}{f' + {columns:,}' * layer.has_bias} = {total}"


def breaks(layers: Sequence[Layer]) -> list[str]:
    """Return where no lines lead from one layer to the next, and why."""
    return [
        f"no lines to {layer.name}: it takes {layer.inputs:,} numbers, {before.name} has {before.units:,} units"
        for before, layer in pairwise(layers)
        if not layer.follows(before)
    ]


def norm_text(shown: Shown, lines: Lines, precision: int) -> str:
    """Return the norm of a layer's gradients or changes in words; empty of weights, whose norm says little."""
    if shown.noun not in ("gradient", "change") or lines.size is None:
        return ""
    return f"{shown.noun} norm {number(lines.size, precision)}"
