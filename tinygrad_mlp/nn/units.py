"""Hidden units by name: what a layer computes, and how its weights start."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from tinygrad_mlp.errors import UnsupportedError
from tinygrad_mlp.ops import identity, leaky_relu, relu, sigmoid, softplus, tanh

from .description import activation_name
from .init import Initializer, glorot_uniform, he_normal, lecun_normal, standard_normal
from .layers import Linear, Maxout, RadialBasis

Activation = str | Callable[[Any], Any]


@dataclass(frozen=True)
class HiddenUnit:
    """A kind of hidden unit.

    Attributes:
        name: for tables and pictures.
        function: applied to each element of the layer's output; None where the layer is the whole unit.
        layer: makes the layer of ``(n_in, n_out, rng=, init=, dtype=)``.
        init: the initial weights that suit it.
    """

    name: str
    function: Callable[[Any], Any] | None
    layer: Callable[..., Any] = Linear
    init: Initializer = glorot_uniform


# Rectified units start by He et al. 2015, units that saturate or are linear by Glorot and Bengio 2010. Of two
# independent normal numbers of variance s² the larger has the second moment s², so maxout keeps the scale of its
# inputs at variance 1 / n_in.
HIDDEN_UNITS: dict[str, HiddenUnit] = {
    unit.name: unit
    for unit in (
        HiddenUnit("sigmoid", sigmoid),
        HiddenUnit("tanh", tanh),
        HiddenUnit("relu", relu, init=he_normal),
        HiddenUnit("leaky_relu", leaky_relu, init=he_normal),
        HiddenUnit("maxout", None, Maxout, lecun_normal),
        HiddenUnit("radial_basis", None, RadialBasis, standard_normal),
        HiddenUnit("softplus", softplus, init=he_normal),
        HiddenUnit("linear", None),
    )
}


def find_unit(activation: Activation) -> HiddenUnit:
    """Return the hidden unit of that name, or one that applies a function to a linear layer.

    Raises:
        UnsupportedError: The name is unknown.
    """
    if isinstance(activation, str):
        if activation not in HIDDEN_UNITS:
            raise UnsupportedError(
                f"activation {activation!r} is unknown: choose one of {', '.join(HIDDEN_UNITS)}, or pass a function"
            )
        return HIDDEN_UNITS[activation]
    if not callable(activation):
        raise UnsupportedError(f"activation {activation!r} is no name and no function")
    for unit in HIDDEN_UNITS.values():
        if unit.function is activation:
            return unit
    return HiddenUnit("linear" if activation is identity else activation_name(activation), activation)


def check_activations(activation: Activation | Sequence[Activation], hidden: int) -> list[Activation]:
    """Return the activation of each of ``hidden`` layers.

    Raises:
        UnsupportedError: A list of another length.
    """
    if isinstance(activation, list | tuple):
        if len(activation) != hidden:
            raise UnsupportedError(
                f"MLP: {len(activation)} activations for {hidden} hidden layers: give one each, or a single one"
            )
        return list(activation)
    single: Any = activation
    return [single] * hidden
