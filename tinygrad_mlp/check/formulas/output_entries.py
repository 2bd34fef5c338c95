"""The catalogue's entries of output units and losses, in the linear predictors and in X, W and b of one layer."""

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np

from tinygrad_mlp import ops

from . import outputs
from .entry import Formula, Inputs, Targets, answers, one_hot, points, real_targets, row_weights
from .layers import affine_gradients
from .units import Array

Derivative: TypeAlias = Callable[[Array, Array], Array]
Loss: TypeAlias = Callable[[Any, Any], Any]  # of linear predictors and targets

# ------------------------------------------------------------------------------------------- losses as nodes, all sums


def cross_entropy_spelled(Z: Any, T: Any) -> Any:
    """Return −Σ t log softmax(z) by the softmax and the logarithm, each a node."""
    return -ops.sum(T * ops.log(ops.softmax(Z)))


def cross_entropy_from_exponentials(Z: Any, T: Any) -> Any:
    """Return −Σ t log(exp(z) / Σ exp(z)), in exponentials, a sum and a quotient."""
    E = ops.exp(Z)
    return -ops.sum(T * ops.log(E / ops.sum(E, axis=-1, keepdims=True)))


def cross_entropy_fused(Z: Any, T: Any) -> Any:
    """Return −Σ t log softmax(z) as one node."""
    return ops.cross_entropy(Z, T, reduction="sum")


def cross_entropy_mean(Z: Any, T: Any) -> Any:
    """Return −1/N Σ t log softmax(z)."""
    return cross_entropy_spelled(Z, T) / Z.shape[0]


def binary_cross_entropy_spelled(Z: Any, T: Any) -> Any:
    """Return −Σ t log σ(z) + (1 − t) log(1 − σ(z)) as it stands."""
    return binary_cross_entropy_of_probability(ops.sigmoid(Z), T)


def binary_cross_entropy_of_probability(P: Any, T: Any) -> Any:
    """Return −Σ t log p + (1 − t) log(1 − p)."""
    return -ops.sum(T * ops.log(P) + (1.0 - T) * ops.log(1.0 - P))


def binary_cross_entropy_fused(Z: Any, T: Any) -> Any:
    """Return the same as one node."""
    return ops.binary_cross_entropy_with_logits(Z, T, reduction="sum")


def squared_error_spelled(Y: Any, T: Any) -> Any:
    """Return ½ Σ (y − t)²."""
    return 0.5 * ops.sum((Y - T) ** 2)


def squared_error_mean(Y: Any, T: Any) -> Any:
    """Return 1/2N Σ (y − t)²."""
    return squared_error_spelled(Y, T) / Y.shape[0]


def squared_error_fused(Y: Any, T: Any) -> Any:
    """Return ½ Σ (y − t)² by one node for the squares."""
    return 0.5 * ops.squared_error(Y, T, reduction="sum")


# ----------------------------------------------------------------------------------------------- entries of one pattern


def mean_over_samples(derivative: Derivative) -> Derivative:
    """Return the derivative of the mean over the samples, given that of the sum."""
    return lambda Z, T: derivative(Z, T) / len(Z)


def in_predictors(
    name: str, title: str, statement: str, source: str, loss: Loss, derivative: Derivative, inputs: Inputs
) -> Formula:
    """Return the entry of a loss of predictors and targets; the targets are constant."""
    return Formula(name, title, statement, source, loss, lambda Z, T: (derivative(Z, T), None), inputs)


def predictors(targets: Targets, scale: float = 1.5) -> Inputs:
    """Return a maker of predictors Z and their targets T."""

    def inputs(rng: np.random.Generator, samples: int = 5, classes: int = 3) -> tuple[Array, ...]:
        return scale * rng.standard_normal((samples, classes)), targets(rng, samples, classes)

    return inputs


def regression(
    name: str, title: str, loss: Loss, derivative: Derivative, targets: Targets, source: str, mean: bool = False
) -> Formula:
    """Return the entry of a loss of XW + b, in X, W and b; the derivative in the predictors is δ."""

    def function(X: Any, W: Any, b: Any, T: Any) -> Any:
        return loss(X @ W + b, T)

    def by_hand(X: Array, W: Array, b: Array, T: Array) -> tuple[Array, Array, Array, None]:
        return *affine_gradients(derivative(X @ W + b, T), X, W), None

    def inputs(rng: np.random.Generator, samples: int = 5, inputs: int = 4, classes: int = 3) -> tuple[Array, ...]:
        X, W = rng.standard_normal((samples, inputs)), rng.standard_normal((inputs, classes))
        return X, W, rng.standard_normal(classes), targets(rng, samples, classes)

    statement = "δ = Y − T;  ∂E/∂W = Xᵀ δ, ∂E/∂b = Σ_n δ, ∂E/∂X = δ Wᵀ"
    statement = statement.replace("Y − T", "(Y − T) / N") if mean else statement
    return Formula(name, title, statement, source, function, by_hand, inputs)


def _probabilities(rng: np.random.Generator, samples: int = 5, units: int = 3) -> tuple[Array, ...]:
    return rng.uniform(0.1, 0.9, (samples, units)), answers(rng, samples, units)


def _likelihood_inputs(rng: np.random.Generator, samples: int = 5, classes: int = 3) -> tuple[Array, ...]:
    return outputs.softmax(rng.standard_normal((samples, classes))), one_hot(rng, samples, classes)


def _one_sample(rng: np.random.Generator, classes: int = 4) -> tuple[Array, ...]:
    return (1.5 * rng.standard_normal(classes),)


def _pulled(rng: np.random.Generator, samples: int = 5, classes: int = 3) -> tuple[Array, ...]:
    Z, G = rng.standard_normal((2, samples, classes))
    return Z, G


def _softmax_spelled(z: Any) -> Any:
    e = ops.exp(z)
    return e / ops.sum(e)


# --------------------------------------------------------------------------------------------------------- the entries

_JACOBIAN = "∂y_k/∂z_k′ = y_k (1(k = k′) − y_k′)"
_PRML = "Bishop, PRML 2006, "

_SOFTMAX = (
    Formula(
        "softmax_jacobian",
        "the Jacobian of the softmax, one sample",
        f"y = softmax(z);  {_JACOBIAN}",
        _PRML + "eq. 4.106; the notes, eq. 14–15",
        ops.softmax,
        lambda z: outputs.softmax_jacobian(outputs.softmax(z)),
        _one_sample,
        "jacobian",
    ),
    Formula(
        "softmax_jacobian_spelled",
        "the Jacobian of the softmax, spelled out",
        f"y = exp(z) / Σ exp(z);  {_JACOBIAN}",
        _PRML + "eq. 4.106; the notes, eq. 14–15",
        _softmax_spelled,
        lambda z: outputs.softmax_jacobian(outputs.softmax(z)),
        _one_sample,
        "jacobian",
    ),
    Formula(
        "softmax_jacobian_batch",
        "the Jacobian of the softmax, a batch",
        "y_n = softmax(z_n);  ∂y_nk/∂z_mk′ = 1(n = m) y_nk (1(k = k′) − y_nk′)",
        _PRML + "eq. 4.106; the notes, eq. 14–15",
        ops.softmax,
        lambda Z: outputs.across_samples(outputs.softmax_jacobian(outputs.softmax(Z))),
        points(),
        "jacobian",
    ),
    Formula(
        "log_softmax_jacobian",
        "the Jacobian of the logarithm of the softmax, one sample",
        "∂(log y_k)/∂z_k′ = 1(k = k′) − y_k′",
        _PRML + "eq. 4.106, divided by y_k",
        ops.log_softmax,
        lambda z: outputs.log_softmax_jacobian(outputs.softmax(z)),
        _one_sample,
        "jacobian",
    ),
    Formula(
        "log_softmax_jacobian_batch",
        "the Jacobian of the logarithm of the softmax, a batch",
        "∂(log y_nk)/∂z_mk′ = 1(n = m) (1(k = k′) − y_nk′)",
        _PRML + "eq. 4.106, divided by y_k",
        lambda Z: ops.log(ops.softmax(Z)),
        lambda Z: outputs.across_samples(outputs.log_softmax_jacobian(outputs.softmax(Z))),
        points(),
        "jacobian",
    ),
    Formula(
        "softmax_pullback",
        "the gradient through a softmax",
        "f = Σ G ⊙ Y, Y = softmax(Z);  ∂f/∂Z = Y ⊙ (G − Σ_k G ⊙ Y)",
        _PRML + "eq. 4.106, times G from the left",
        lambda Z, G: ops.sum(G * ops.softmax(Z)),
        lambda Z, G: (outputs.softmax_pullback(G, outputs.softmax(Z)), None),
        _pulled,
    ),
    Formula(
        "log_sum_exp",
        "the sum over samples of log Σ exp",
        "f = Σ_n log Σ_k exp(z_nk);  ∂f/∂Z = softmax(Z)",
        "the chain rule; McCullagh, Nelder 1989, section 2.2: the mean is the slope of the cumulant",
        lambda Z: ops.sum(ops.logsumexp(Z, axis=-1)),
        outputs.softmax,
        points(),
    ),
)

_CROSS = "E = −Σ t log softmax(z);  ∂E/∂Z = Y − T"
_BINARY = "E = −Σ t log σ(z) + (1 − t) log(1 − σ(z));  ∂E/∂Z = Y − T"
_SQUARES = "E = ½ Σ (y − t)²;  ∂E/∂Y = Y − T"
_CROSS_SOURCE = _PRML + "eq. 4.109; the notes, eq. 18"
_CE, _BCE, _SE = (
    outputs.cross_entropy_derivative,
    outputs.binary_cross_entropy_derivative,
    outputs.squared_error_derivative,
)

_LOSSES = (
    Formula(
        "log_likelihood",
        "the log-likelihood of classes in their probabilities",
        "J = Σ t log y;  ∂J/∂Y = T / Y",
        "the notes, eq. 11 and 13",
        lambda Y, T: ops.sum(T * ops.log(Y)),
        lambda Y, T: (outputs.log_likelihood_derivative(T, Y), None),
        _likelihood_inputs,
    ),
    in_predictors(
        "cross_entropy", "softmax and cross entropy", _CROSS, _CROSS_SOURCE,
        cross_entropy_fused, _CE, predictors(one_hot),
    ),
    in_predictors(
        "cross_entropy_spelled", "softmax and cross entropy, spelled out", _CROSS, _CROSS_SOURCE,
        cross_entropy_from_exponentials, _CE, predictors(one_hot),
    ),
    in_predictors(
        "cross_entropy_weights", "softmax and cross entropy, targets that do not sum to one",
        "E = −Σ t log softmax(z);  ∂E/∂Z = Y Σ_k t − T", _CROSS_SOURCE,
        cross_entropy_spelled, _CE, predictors(row_weights),
    ),
    in_predictors(
        "cross_entropy_mean", "softmax and mean cross entropy",
        "E = −1/N Σ t log softmax(z);  ∂E/∂Z = (Y − T) / N", _CROSS_SOURCE,
        cross_entropy_mean, mean_over_samples(_CE), predictors(one_hot),
    ),
    in_predictors(
        "binary_cross_entropy", "logistic units and binary cross entropy", _BINARY, _PRML + "eq. 4.91",
        binary_cross_entropy_fused, _BCE, predictors(answers),
    ),
    in_predictors(
        "binary_cross_entropy_spelled", "logistic units and binary cross entropy, spelled out", _BINARY,
        _PRML + "eq. 4.91", binary_cross_entropy_spelled, _BCE, predictors(answers),
    ),
    in_predictors(
        "binary_cross_entropy_of_probability", "binary cross entropy in the probabilities",
        "E = −Σ t log p + (1 − t) log(1 − p);  ∂E/∂P = (P − T) / (P (1 − P))", _PRML + "eq. 4.90",
        binary_cross_entropy_of_probability, outputs.binary_cross_entropy_derivative_of_probability, _probabilities,
    ),
    in_predictors(
        "squared_error", "linear units and squared error", _SQUARES, _PRML + "eq. 3.13",
        squared_error_fused, _SE, predictors(real_targets),
    ),
    in_predictors(
        "squared_error_spelled", "linear units and squared error, spelled out", _SQUARES, _PRML + "eq. 3.13",
        squared_error_spelled, _SE, predictors(real_targets),
    ),
    in_predictors(
        "squared_error_mean", "linear units and mean squared error",
        "E = 1/2N Σ (y − t)²;  ∂E/∂Y = (Y − T) / N", _PRML + "eq. 3.13",
        squared_error_mean, mean_over_samples(_SE), predictors(real_targets),
    ),
)  # fmt: skip

_REGRESSIONS = (
    regression(
        "softmax_regression", "softmax regression by cross entropy",
        cross_entropy_fused, _CE, one_hot, _PRML + "eq. 4.109",
    ),
    regression(
        "softmax_regression_spelled", "softmax regression by cross entropy, spelled out",
        cross_entropy_spelled, _CE, one_hot, _PRML + "eq. 4.109",
    ),
    regression(
        "softmax_regression_mean", "softmax regression by mean cross entropy",
        cross_entropy_mean, mean_over_samples(_CE), one_hot, _PRML + "eq. 4.109, divided by N", mean=True,
    ),
    regression(
        "logistic_regression", "logistic regression by binary cross entropy",
        binary_cross_entropy_fused, _BCE, answers, _PRML + "eq. 4.91",
    ),
    regression(
        "logistic_regression_spelled", "logistic regression by binary cross entropy, spelled out",
        binary_cross_entropy_spelled, _BCE, answers, _PRML + "eq. 4.91",
    ),
    regression(
        "linear_regression", "linear regression by squared error",
        squared_error_spelled, _SE, real_targets, _PRML + "eq. 3.13",
    ),
    regression(
        "linear_regression_mean", "linear regression by mean squared error",
        squared_error_mean, mean_over_samples(_SE), real_targets, _PRML + "eq. 3.13, divided by N", mean=True,
    ),
)  # fmt: skip

OUTPUT_ENTRIES: tuple[Formula, ...] = (*_SOFTMAX, *_LOSSES, *_REGRESSIONS)
