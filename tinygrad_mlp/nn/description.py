"""How a module describes itself: as the plain record of a network diagram, and as a table of its parameters."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any


class Summary(str):
    """A table that shows itself also where Python would show its ``repr``."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def describe_layers(stages: Sequence[Any]) -> list[dict[str, Any]]:
    """Return the records of the layers in ``stages``, the input first; a function or name is an activation."""
    layers: list[dict[str, Any]] = []
    for stage in stages:
        if hasattr(stage, "record"):
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


def _row(
    name: str, units: int, activation: str = "", weight: Any = None, bias: Any = None, count: int = 0
) -> dict[str, Any]:
    return {
        "name": name,
        "units": units,
        "activation": activation,
        "weight": weight,
        "bias": bias,
        "parameters": count,
    }


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
        found = module.named_parameters() if hasattr(module, "record") else direct_parameters(module)
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
