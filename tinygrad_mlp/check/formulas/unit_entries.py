"""The catalogue's entries of hidden units: as operations, spelled out in simpler ones, with a slope that is learnt."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_mlp import ops

from .entry import Formula, beside, points
from .hidden_units import UNITS, Unit
from .units import (
    GELU_CUBIC,
    GELU_RATE,
    SELU_ALPHA,
    SELU_SCALE,
    Array,
    logistic_density,
    prelu_gradients,
    sech_squared,
)

OPERATIONS: dict[str, Callable[[Any], Any]] = {
    "sigmoid": ops.sigmoid,
    "tanh": ops.tanh,
    "relu": ops.relu,
    "relu6": ops.relu6,
    "leaky_relu": ops.leaky_relu,
    "elu": ops.elu,
    "selu": ops.selu,
    "celu": ops.celu,
    "gelu": ops.gelu,
    "gelu_tanh": lambda a: ops.gelu(a, approximate="tanh"),
    "silu": ops.silu,
    "mish": ops.mish,
    "hardtanh": ops.hardtanh,
    "hardsigmoid": ops.hardsigmoid,
    "hardswish": ops.hardswish,
    "softplus": ops.softplus,
    "log_sigmoid": ops.log_sigmoid,
    "softsign": ops.softsign,
    "identity": ops.identity,
}


def _tanh_spelled(a: Any) -> Any:
    up, down = ops.exp(a), ops.exp(-a)
    return (up - down) / (up + down)


def _elu_spelled(a: Any) -> Any:
    return ops.where(a > 0, a, ops.exp(a) - 1.0)


def _gelu_tanh_spelled(a: Any) -> Any:
    return 0.5 * a * (1.0 + ops.tanh(GELU_RATE * (a + GELU_CUBIC * a**3)))


# In the operations of a textbook, so that what lies between is a node; not for large numbers.
SPELLED: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "sigmoid": ("1 / (1 + e⁻ᵃ)", lambda a: 1.0 / (1.0 + ops.exp(-a))),
    "tanh": ("(eᵃ − e⁻ᵃ) / (eᵃ + e⁻ᵃ)", _tanh_spelled),
    "relu": ("max(a, 0)", lambda a: ops.maximum(a, 0.0)),
    "relu6": ("min(max(a, 0), 6)", lambda a: ops.minimum(ops.maximum(a, 0.0), 6.0)),
    "leaky_relu": ("max(a, 0.01 a)", lambda a: ops.maximum(a, 0.01 * a)),
    "elu": ("a if a > 0, else eᵃ − 1", _elu_spelled),
    "selu": (
        "λ a if a > 0, else λ α (eᵃ − 1)",
        lambda a: SELU_SCALE * ops.where(a > 0, a, SELU_ALPHA * (ops.exp(a) - 1.0)),
    ),
    "gelu": ("½ a (1 + erf(a / √2))", lambda a: 0.5 * a * (1.0 + ops.erf(a / math.sqrt(2.0)))),
    "gelu_tanh": ("½ a (1 + tanh u)", _gelu_tanh_spelled),
    "silu": ("a σ(a)", lambda a: a * ops.sigmoid(a)),
    "mish": ("a tanh(log(1 + eᵃ))", lambda a: a * ops.tanh(ops.log(1.0 + ops.exp(a)))),
    "softplus": ("log(1 + eᵃ)", lambda a: ops.log(1.0 + ops.exp(a))),
    "log_sigmoid": ("log σ(a)", lambda a: ops.log(ops.sigmoid(a))),
    "softsign": ("a / (1 + |a|)", lambda a: a / (1.0 + ops.abs(a))),
}


def _slope(unit: Unit) -> Callable[[Array], Array]:
    return lambda a: unit.slope(a, unit.value(a))


def _entry(unit: Unit, suffix: str, text: str, function: Callable[[Any], Any]) -> Formula:
    title = unit.name.replace("_", " ") + " unit" + ", spelled out" * bool(suffix)
    statement = f"h = {text};  ∂h/∂a = {unit.statement}"
    return Formula(
        unit.name + suffix,
        title,
        statement,
        unit.source,
        function,
        _slope(unit),
        points(2.0, unit.kinks),
        "elementwise",
    )


def _prelu(a: Any, slope: Any, G: Any) -> Any:
    return ops.sum(G * ops.prelu(a, slope))


def _prelu_spelled(a: Any, slope: Any, G: Any) -> Any:
    return ops.sum(G * (ops.maximum(a, 0.0) + slope * ops.minimum(a, 0.0)))


def _prelu_by_hand(a: Array, slope: Array, G: Array) -> tuple[Array, Array, None]:
    return *prelu_gradients(G, a, slope), None


def _prelu_inputs(rng: np.random.Generator, samples: int = 5, units: int = 3) -> tuple[Array, ...]:
    a, G = rng.standard_normal((2, samples, units))
    return beside(a, (0.0,)), rng.uniform(0.1, 0.4, units), G


def _prelu_entry(name: str, title: str, function: Callable[..., Any]) -> Formula:
    return Formula(
        name,
        title,
        "f = Σ G ⊙ h, h = a if a > 0, else s a;  ∂f/∂a = G ⊙ (1 if a > 0, else s), ∂f/∂s = Σ_n G ⊙ min(a, 0)",
        "He, Zhang, Ren, Sun 2015, section 2.1",
        function,
        _prelu_by_hand,
        _prelu_inputs,
    )


UNIT_ENTRIES: tuple[Formula, ...] = (
    *(_entry(unit, "", f"{name}(a)", OPERATIONS[name]) for name, unit in UNITS.items()),
    *(_entry(UNITS[name], "_spelled", text, function) for name, (text, function) in SPELLED.items()),
    Formula(
        "sigmoid_tails",
        "sigmoid unit, its slope exact in both tails",
        "h = σ(a);  ∂h/∂a = σ(a) σ(−a)",
        "Bishop, PRML 2006, eq. 4.88 and 4.60",
        ops.sigmoid,
        logistic_density,
        points(2.0),
        "elementwise",
    ),
    Formula(
        "tanh_tails",
        "tanh unit, its slope exact in both tails",
        "h = tanh a;  ∂h/∂a = 1 / cosh² a",
        "Bishop, PRML 2006, eq. 5.60, by cosh² − sinh² = 1",
        ops.tanh,
        sech_squared,
        points(2.0),
        "elementwise",
    ),
    _prelu_entry("prelu", "PReLU unit with a learnt slope for each column", _prelu),
    _prelu_entry("prelu_spelled", "PReLU unit, spelled out", _prelu_spelled),
)
