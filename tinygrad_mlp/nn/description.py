"""How a module describes itself: as the plain record of a network diagram, and as a table of its parameters."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from tinygrad_mlp.errors import ShapeError
from tinygrad_mlp.graph import NODES, no_grad
from tinygrad_mlp.tensors import Value

from .calls import listening


class Summary(str):
    """A table that shows itself also where Python would show its ``repr``."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def describe_layers(stages: Sequence[Any]) -> list[dict[str, Any]]:
    """Return the records of the layers in ``stages``, the input first; a function or name is an activation."""
    layers: list[dict[str, Any]] = []
    for stage in stages:
        if is_layer(stage):
            record = stage.record()
            inputs = record.pop("inputs")
            if not layers:
                layers.append(_row("input", inputs))
            layers.append(_row(f"hidden {len(layers)}", **record, count=sum(p.size for p in stage.parameters())))
        elif len(layers) > 1 and is_activation(stage):
            layers[-1]["activation"] = layers[-1]["activation"] or activation_name(stage)
    if len(layers) > 1:
        layers[-1]["name"] = "output"
    return layers


def _row(name: str, units: int, activation: str = "", count: int = 0, **numbers: Any) -> dict[str, Any]:
    row = {"name": name, "units": units, "activation": activation, "parameters": count}
    unknown = dict.fromkeys(("weight", "bias", "weight_grad", "bias_grad", "output"))
    return row | unknown | numbers


def gradient(parameter: Any) -> Any:
    """Return a copy of the gradient of a parameter as an array, None before ``backward()``."""
    found = parameter.grad
    return None if found is None else np.array(found._payload if type(found) in NODES else found)


def layer_outputs(model: Any, layers: Sequence[Any], sample: Any) -> list[Any]:
    """Return what one sample becomes: what enters each of ``layers``, and what the model gives in the end.

    What enters a layer is the output of the one before it, through its activation and whatever else lies between.
    It is None for a layer that the model does not call. Dropout is off.

    Args:
        model: The module that is called.
        layers: Modules in it, in order.
        sample: One row of input numbers.

    Raises:
        ShapeError: The sample is not one row of as many numbers as the first layer takes.
    """
    x, wanted = _numbers(sample), layers[0].record()["inputs"]
    if x.size != wanted:
        raise ShapeError(
            f"{type(model).__name__}.describe: sample has shape {np.shape(sample)}, not {(wanted,)}: give one row, "
            f"such as X[0]"
        )
    parameters = model.parameters()
    single = all(isinstance(p, Value) for p in parameters)  # a scalar network takes a list of numbers
    with model.evaluating(), no_grad(), listening() as heard:
        y = model(x.tolist() if single else x.reshape(1, -1).astype(parameters[0].dtype))
    entered = [_numbers(heard[id(layer)]) if id(layer) in heard else None for layer in layers[1:]]
    return [x, *entered, _numbers(y)]


def _numbers(x: Any) -> Any:
    """Return the numbers of a node, an array, or a list of nodes and numbers as one row."""
    items = x if isinstance(x, list | tuple) else [x]
    plain = [np.ravel(item._payload if type(item) in NODES else item) for item in items]
    return np.concatenate(plain).astype(np.float64) if plain else np.zeros(0)


def is_layer(stage: Any) -> bool:
    """Return whether a stage is a layer of the diagram: a module with inputs and outputs."""
    return hasattr(stage, "record")


def is_activation(stage: Any) -> bool:
    """Return whether a stage is a function, or the name of one, and no module."""
    return not hasattr(stage, "parameters")


def activation_name(function: Any) -> str:
    """Return what to call an activation function; a name stays as it is."""
    name = function if isinstance(function, str) else str(getattr(function, "__name__", type(function).__name__))
    return "function" if name == "<lambda>" else name


def summarise(title: str, modules: Sequence[tuple[str, Any]], stages: Sequence[Any], total: int) -> Summary:
    """Return a table with a row for each module that holds parameters of its own, and their total."""
    followers = {id(a): activation_name(b) for a, b in pairwise(stages) if not is_activation(a) and is_activation(b)}
    rows: list[tuple[str, ...]] = [("layer", "kind", "activation", "shapes", "parameters")]
    counted: set[int] = set()
    for name, module in modules:
        found = module.named_parameters() if is_layer(module) else direct_parameters(module)
        own = {key: x for key, x in found if id(x) not in counted}
        counted.update(map(id, own.values()))
        if own:
            shapes = (
                ", ".join(f"{key} {_shape(x.shape)}" for key, x in own.items())
                if len(own) <= 4
                else f"{len(own)} numbers"
            )
            count = sum(x.size for x in own.values())
            rows.append(
                (name or title, repr(module) if name else "", followers.get(id(module), ""), shapes, f"{count:,}")
            )
    rows.append(("total", "", "", "", f"{total:,}"))
    keep = [i for i in range(5) if any(row[i] for row in rows[1:])]
    widths = {i: max(len(row[i]) for row in rows) for i in keep}
    lines = ["  ".join(row[i].rjust(widths[i]) if i == 4 else row[i].ljust(widths[i]) for i in keep) for row in rows]
    rule = "─" * len(lines[0])
    return Summary("\n".join((title, rule, lines[0], rule, *lines[1:-1], rule, lines[-1])))


def direct_parameters(module: Any) -> list[tuple[str, Any]]:
    """Return the parameters of a module, with their names, that belong to none of the modules in it."""
    inner = {id(p) for other in module.modules() if other is not module for p in other.parameters()}
    return [(name, p) for name, p in module.named_parameters() if id(p) not in inner]


def _shape(shape: tuple[int, ...]) -> str:
    return " × ".join(map(str, shape)) if shape else "1"
