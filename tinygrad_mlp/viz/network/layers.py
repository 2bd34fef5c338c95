"""The layers of a network, read and checked from the plain record by which a module describes itself.

The record is ``{"name": "MLP", "layers": [{"name": "hidden 1", "units": 3, "activation": "sigmoid", "weight": array(in,
out) or None, "bias": array(out,) or None, …}, …]}``, the input first; beside ``name`` and ``units`` every field may be
missing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinygrad_mlp.errors import DataError
from tinygrad_mlp.viz.labels import clean, shorten

ARRAYS = ("weight", "bias", "weight_grad", "bias_grad", "output")


@dataclass(frozen=True)
class Layer:
    """One layer of the record, checked.

    Attributes:
        name, units, activation: of the layer.
        inputs: how many numbers each unit takes; where the layer before has another number of units, none of these.
        parameters: how many weights, biases and other numbers it trains.
        has_bias: whether a bias unit is drawn.
        weight, weight_grad: shape (inputs, units, pieces), where a maxout unit has several pieces, others one; None
            where unknown.
        bias, bias_grad: shape (units, pieces), or None.
        output: what the units give for the sample, or None.
        noun: what a number on a line is called: weight, or centre of a radial basis.
    """

    name: str
    units: int
    inputs: int
    activation: str
    parameters: int
    has_bias: bool
    weight: Any = None
    bias: Any = None
    weight_grad: Any = None
    bias_grad: Any = None
    output: Any = None
    noun: str = "weight"

    def follows(self, before: "Layer") -> bool:
        """Return whether it can take what the layer before it gives: lines are drawn only then."""
        return self.inputs == before.units


def read_layers(record: Mapping[str, Any]) -> list[Layer]:
    """Return the layers of a record.

    Raises:
        DataError: the record has no layers, a layer without a number of units, or other things than numbers.
    """
    rows = record.get("layers")
    if isinstance(rows, str) or not isinstance(rows, Sequence) or not rows:
        raise DataError("draw: the description has no layers: give a list of dicts, the input first")
    layers: list[Layer] = []
    for place, row in enumerate(rows):
        if not isinstance(row, Mapping):
            raise DataError(f"draw: layer {place} of the description is a {type(row).__name__}, not a dict")
        units = row.get("units")
        if isinstance(units, bool) or not isinstance(units, int | np.integer) or units < 1:
            raise DataError(f"draw: layer {place} of the description has units={units!r}, not a positive integer")
        layers.append(_layer(row, place, int(units), layers[-1].units if layers else 0))
    return layers


def _layer(row: Mapping[str, Any], place: int, units: int, before: int) -> Layer:
    numbers = {field: _numbers(row.get(field), f"{field} of layer {place}") for field in ARRAYS}
    weight, bias, output = numbers["weight"], numbers["bias"], numbers["output"]
    inputs = len(weight) if np.ndim(weight) == 2 else before
    parameters = row.get("parameters")  # some units have more, such as the widths of radial basis units
    if weight is not None:
        count = np.size(weight) + (np.size(bias) if bias is not None else 0)
    else:
        count = (before + 1) * units if place else 0  # a dense layer with biases, unless it says otherwise
    return Layer(
        name=shorten(clean(row.get("name", "") or f"layer {place}"), 24),
        units=units,
        inputs=inputs,
        activation=shorten(clean(row.get("activation", "") or ""), 24),
        parameters=int(parameters) if isinstance(parameters, int | np.integer) else count,
        has_bias=place > 0 and (bias is not None or weight is None),
        weight=_pieces(weight, (inputs, units)),
        bias=_pieces(bias, (units,)),
        weight_grad=_pieces(numbers["weight_grad"], (inputs, units)),
        bias_grad=_pieces(numbers["bias_grad"], (units,)),
        output=np.reshape(output, -1) if output is not None and np.size(output) == units else None,
        noun=clean(row.get("lines") or "weight"),
    )


def _numbers(x: Any, what: str) -> Any:
    """Return an array of numbers as float64, None as it is."""
    if x is None:
        return None
    try:
        array = np.asarray(x)
        if array.dtype.kind in "biuf":
            return array.astype(np.float64)
    except (TypeError, ValueError):
        pass  # rows of several lengths, or objects that are no numbers
    raise DataError(f"draw: {what} holds no real numbers; give an array of floats, or None where it is not known")


def _pieces(numbers: Any, shape: tuple[int, ...]) -> Any:
    """Return the numbers in ``shape`` with an axis of pieces after it; None if there are not as many for every line."""
    *rows, units = shape
    size = np.shape(numbers)
    if numbers is None or size[:-1] != tuple(rows) or not size[-1] or size[-1] % units:
        return None
    return numbers.reshape(*rows, units, -1)
