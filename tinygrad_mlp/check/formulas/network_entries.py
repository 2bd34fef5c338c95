"""The catalogue's entries of whole networks: the notes' two layers, and the recursion at any depth and with any unit.

The inputs of a network are X, T and then W and b of each layer, from the inputs up.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from tinygrad_mlp import ops

from . import layers
from .entry import Formula, Inputs, Targets, answers, counts, one_hot, real_targets
from .output_entries import binary_cross_entropy_spelled, cross_entropy_spelled, squared_error_spelled
from .unit_entries import OPERATIONS
from .units import Array

# -------------------------------------------------------------------------------------------------- the notes' network


def _log_likelihood(X: Any, T: Any, W: Any, b1: Any, V: Any, b2: Any) -> Any:
    H = ops.sigmoid(X @ W + b1)
    return ops.sum(T * ops.log(ops.softmax(H @ V + b2)))


def _mean_loss(X: Any, T: Any, *parameters: Any) -> Any:
    return -_log_likelihood(X, T, *parameters) / X.shape[0]


def _two_layers_by_hand(X: Array, T: Array, W: Array, b1: Array, V: Array, b2: Array) -> tuple[Array | None, ...]:
    """By eq. 18–21 and cells 26 to 28."""
    _, H, Y = layers.propagate(X, [W, V], [b1, b2]).h
    return (
        layers.derivative_x(T, Y, H, V, W),
        None,
        layers.derivative_w(X, T, Y, H, V),
        layers.derivative_b1(T, Y, H, V),
        layers.derivative_v(H, T, Y),
        layers.derivative_b2(T, Y),
    )


def _mean_loss_by_hand(X: Array, T: Array, *parameters: Array) -> tuple[Array | None, ...]:
    return tuple(g if g is None else -g / len(X) for g in _two_layers_by_hand(X, T, *parameters))


def _two_layers_inputs(
    rng: np.random.Generator, samples: int = 6, inputs: int = 2, hidden: int = 4, classes: int = 3
) -> tuple[Array, ...]:
    return _drawn(rng, samples, (inputs, hidden, classes), one_hot)


# --------------------------------------------------------------------------------------------------- at any depth


def _drawn(rng: np.random.Generator, samples: int, sizes: Sequence[int], targets: Targets) -> tuple[Array, ...]:
    """Return X, T and W and b of each layer, W scaled so that activations stay near one."""
    parameters: list[Array] = []
    for n, m in pairwise(sizes):
        parameters += [rng.standard_normal((n, m)) * np.sqrt(2.0 / n), 0.5 * rng.standard_normal(m)]
    return rng.standard_normal((samples, sizes[0])), targets(rng, samples, sizes[-1]), *parameters


def _exponential_loss(theta: Any, T: Any) -> Any:
    return ops.sum(ops.exp(theta) - T * theta)


# By output unit: minus the log-likelihood as nodes, how it is written, and targets.
LOSSES: dict[str, tuple[Callable[[Any, Any], Any], str, Targets]] = {
    "softmax": (cross_entropy_spelled, "−Σ t log softmax(z)", one_hot),
    "logistic": (binary_cross_entropy_spelled, "−Σ t log σ(z) + (1 − t) log(1 − σ(z))", answers),
    "linear": (squared_error_spelled, "½ Σ (z − t)²", real_targets),
    "exponential": (_exponential_loss, "Σ exp(z) − t z", counts),
}


def _network(
    name: str, unit: str | tuple[str, ...], output: str, inputs: Inputs, source: str = "the notes, eq. 29–36"
) -> Formula:
    """Return the entry of the loss of a network, in X and in all weights and biases."""
    loss, written, _ = LOSSES[output]

    def function(X: Any, T: Any, *parameters: Any) -> Any:
        weights, biases = parameters[0::2], parameters[1::2]
        names = [unit] * (len(weights) - 1) if isinstance(unit, str) else unit
        h = X
        for W, b, one in zip(weights, biases, names, strict=False):
            h = OPERATIONS[one](h @ W + b)
        return loss(h @ weights[-1] + biases[-1], T)

    def by_hand(X: Array, T: Array, *parameters: Array) -> tuple[Array | None, ...]:
        weights, biases = parameters[0::2], parameters[1::2]
        passed = layers.propagate(X, weights, biases, unit, output)
        uphill = layers.backpropagate(T, weights, passed, unit)
        pairs = zip(uphill.weights, uphill.biases, strict=True)
        return -uphill.inputs, None, *(-g for pair in pairs for g in pair)

    words = unit.replace("_", " ") if isinstance(unit, str) else " and ".join(unit)
    return Formula(
        name,
        f"a network of {words} units with {output} output",
        f"E = {written}, δ = Y − T at the output, one layer down δ ← (δ Wᵀ) ⊙ f′;  ∂E/∂W = hᵀ δ, ∂E/∂b = Σ_n δ",
        f"{source}; Bishop, PRML 2006, eq. 5.53–5.57",
        function,
        by_hand,
        inputs,
    )


def _three_layers(output: str) -> Inputs:
    def inputs(
        rng: np.random.Generator, samples: int = 6, inputs: int = 2, hidden: int = 4, second: int = 5, outputs: int = 3
    ) -> tuple[Array, ...]:
        return _drawn(rng, samples, (inputs, hidden, second, outputs), LOSSES[output][2])

    return inputs


def _four_layers(
    rng: np.random.Generator,
    samples: int = 7,
    inputs: int = 2,
    hidden: int = 4,
    second: int = 5,
    third: int = 6,
    classes: int = 3,
) -> tuple[Array, ...]:
    return _drawn(rng, samples, (inputs, hidden, second, third, classes), one_hot)


_STATEMENT = (
    "J = Σ t log y, H = σ(XW + b₁), Y = softmax(HV + b₂), Δ = ((T − Y) Vᵀ) ⊙ H ⊙ (1 − H);  "
    "∂J/∂V = Hᵀ (T − Y), ∂J/∂b₂ = Σ_n T − Y, ∂J/∂W = Xᵀ Δ, ∂J/∂b₁ = Σ_n Δ, ∂J/∂X = Δ Wᵀ"
)
_NOTES = "the notes, eq. 18–23, cells 25 to 28"

NETWORK_ENTRIES: tuple[Formula, ...] = (
    Formula(
        "two_layers",
        "the log-likelihood of the notes' network of two layers",
        _STATEMENT,
        _NOTES,
        _log_likelihood,
        _two_layers_by_hand,
        _two_layers_inputs,
    ),
    Formula(
        "two_layers_mean",
        "the mean loss of the notes' network of two layers",
        "E = −J / N;  " + _STATEMENT.replace("J = ", "with J = "),
        _NOTES + ", divided by −N",
        _mean_loss,
        _mean_loss_by_hand,
        _two_layers_inputs,
    ),
    *(_network(f"network_{unit}", unit, "softmax", _three_layers("softmax")) for unit in OPERATIONS),
    *(
        _network(f"network_tanh_{output}", "tanh", output, _three_layers(output))
        for output in LOSSES
        if output != "softmax"
    ),
    _network("network_of_two_units", ("softplus", "tanh"), "softmax", _three_layers("softmax")),
    _network("four_layers_sigmoid", "sigmoid", "softmax", _four_layers, "the notes, eq. 29–32"),
    _network("four_layers_relu", "relu", "softmax", _four_layers, "the notes, eq. 33–36"),
)
