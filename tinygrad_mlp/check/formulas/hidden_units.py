"""The table of hidden units that the layer recursion knows: each with its slope as a formula of (a, h)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from tinygrad_mlp.errors import ShapeError, UnsupportedError

from . import units
from .units import Array


@dataclass(frozen=True)
class Unit:
    """A hidden unit by hand.

    Attributes:
        name: for messages.
        value: what the unit gives, a function of its activations ``a``.
        slope: its derivative, a function of ``a`` and of what it gives there, ``h``; elementwise.
        statement: the slope as text.
        source: where the derivative is from.
        kinks: the activations at which there is no derivative.

    >>> cube = Unit("cube", lambda a: a**3, lambda a, h: 3 * a**2)
    >>> cube.slope(np.array([2.0]), np.array([8.0]))
    array([12.])
    """

    name: str
    value: Callable[[Array], Array]
    slope: Callable[[Array, Array], Array]
    statement: str = ""
    source: str = ""
    kinks: tuple[float, ...] = ()


UnitLike: TypeAlias = str | Unit | Sequence[str | Unit]


def _of_activation(derivative: Callable[[Array], Array]) -> Callable[[Array, Array], Array]:
    return lambda a, _h: derivative(a)


def _of_output(derivative: Callable[[Array], Array]) -> Callable[[Array, Array], Array]:
    return lambda _a, h: derivative(h)


PRML, DEEP = "Bishop, PRML 2006, ", "Goodfellow, Bengio, Courville, Deep Learning 2016, "

# The derivatives of relu to softplus can be written with h alone, too; the library keeps the form that is exact.
UNITS: dict[str, Unit] = {
    unit.name: unit
    for unit in (
        Unit(
            "sigmoid",
            units.sigmoid,
            _of_output(units.sigmoid_derivative),
            "h (1 − h)",
            PRML + "eq. 4.88; the notes, eq. 21",
        ),
        Unit("tanh", units.tanh, _of_output(units.tanh_derivative), "1 − h²", PRML + "eq. 5.60"),
        Unit(
            "relu",
            units.relu,
            _of_activation(units.relu_derivative),
            "[a > 0]",
            "Nair, Hinton 2010; the notes, eq. 34",
            (0.0,),
        ),
        Unit(
            "relu6",
            units.relu6,
            _of_activation(units.relu6_derivative),
            "[0 < a < 6]",
            "Krizhevsky 2010",
            (0.0, 6.0),
        ),
        Unit(
            "leaky_relu",
            units.leaky_relu,
            _of_activation(units.leaky_relu_derivative),
            "1 if a > 0, else 0.01",
            "Maas, Hannun, Ng 2013",
            (0.0,),
        ),
        Unit(
            "elu",
            units.elu,
            _of_activation(units.elu_derivative),
            "1 if a > 0, else eᵃ",
            "Clevert, Unterthiner, Hochreiter 2016",
        ),
        Unit(
            "selu",
            units.selu,
            _of_activation(units.selu_derivative),
            "λ if a > 0, else λ α eᵃ",
            "Klambauer et al. 2017, section 2",
            (0.0,),
        ),
        Unit("celu", units.celu, _of_activation(units.celu_derivative), "1 if a > 0, else eᵃ", "Barron 2017"),
        Unit(
            "gelu",
            units.gelu,
            _of_activation(units.gelu_derivative),
            "Φ(a) + a φ(a)",
            "Hendrycks, Gimpel 2016, section 2, by the product rule",
        ),
        Unit(
            "gelu_tanh",
            units.gelu_tanh,
            _of_activation(units.gelu_tanh_derivative),
            "½ (1 + tanh u) + ½ a u′ / cosh² u, u = √(2/π) (a + 0.044715 a³)",
            "Hendrycks, Gimpel 2016, section 2, by the product rule",
        ),
        Unit(
            "silu",
            units.silu,
            _of_activation(units.silu_derivative),
            "σ(a) (1 + a (1 − σ(a)))",
            "Elfwing, Uchibe, Doya 2018",
        ),
        Unit(
            "mish",
            units.mish,
            _of_activation(units.mish_derivative),
            "t + a (1 − t²) σ(a), t = tanh(log(1 + eᵃ))",
            "Misra 2020, by the product rule",
        ),
        Unit(
            "hardtanh",
            units.hardtanh,
            _of_activation(units.hardtanh_derivative),
            "[−1 < a < 1]",
            "Collobert 2004",
            (-1.0, 1.0),
        ),
        Unit(
            "hardsigmoid",
            units.hardsigmoid,
            _of_activation(units.hardsigmoid_derivative),
            "⅙ [−3 < a < 3]",
            "Howard et al. 2019, section 5.2",
            (-3.0, 3.0),
        ),
        Unit(
            "hardswish",
            units.hardswish,
            _of_activation(units.hardswish_derivative),
            "0 if a ≤ −3, a/3 + ½ if a < 3, else 1",
            "Howard et al. 2019, section 5.2, by the product rule",
            (-3.0, 3.0),
        ),
        Unit("softplus", units.softplus, _of_activation(units.softplus_derivative), "σ(a)", DEEP + "section 3.10"),
        Unit(
            "log_sigmoid",
            units.log_sigmoid,
            _of_activation(units.log_sigmoid_derivative),
            "1 − σ(a)",
            DEEP + "section 3.10",
        ),
        Unit(
            "softsign",
            units.softsign,
            _of_activation(units.softsign_derivative),
            "1 / (1 + |a|)²",
            "Glorot, Bengio 2010, section 3",
        ),
        Unit("identity", lambda a: a, _of_activation(np.ones_like), "1", "a linear unit"),
    )
}


def find_units(unit: UnitLike, layers: int) -> list[Unit]:
    """Return the unit of each of ``layers`` hidden layers: by name or as they are, one for all or one each.

    Raises:
        UnsupportedError: there is no unit of that name.
        ShapeError: a list of another length.
    """
    given = [unit] * layers if isinstance(unit, str | Unit) else list(unit)
    if len(given) != layers:
        raise ShapeError(f"{len(given)} units for {layers} hidden layers: give one each, or a single one")
    for one in given:
        if isinstance(one, str) and one not in UNITS:
            raise UnsupportedError(f"unit {one!r} is unknown: choose one of {', '.join(UNITS)}, or pass a Unit")
    return [UNITS[one] if isinstance(one, str) else one for one in given]
