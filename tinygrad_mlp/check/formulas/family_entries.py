"""The catalogue's entries of canonical links: in the linear predictor, and in X, W and b of a linear model with one."""

from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_mlp import ops

from .entry import Formula, Inputs, Targets, answers, counts, one_hot, positive_targets, real_targets
from .families import canonical_derivative, find_canonical, gamma_reciprocal_derivative
from .layers import affine_gradients
from .units import Array

VARIANCE = 2.5  # of the Gaussian entry with a dispersion

# The cumulants A as nodes, each summed over samples and units.
CUMULANTS: dict[str, Callable[[Any], Any]] = {
    "gaussian": lambda theta: ops.sum(0.5 * theta**2),
    "bernoulli": lambda theta: ops.sum(ops.log(1.0 + ops.exp(theta))),
    "multinomial": lambda theta: ops.sum(ops.log(ops.sum(ops.exp(theta), axis=-1))),
    "poisson": lambda theta: ops.sum(ops.exp(theta)),
    "gamma": lambda theta: -ops.sum(ops.log(-theta)),
    "inverse_gaussian": lambda theta: -ops.sum(ops.sqrt(-2.0 * theta)),
}
TARGETS: dict[str, Targets] = {
    "gaussian": real_targets,
    "bernoulli": answers,
    "multinomial": one_hot,
    "poisson": counts,
    "gamma": positive_targets,
    "inverse_gaussian": positive_targets,
}
SOURCE = "McCullagh, Nelder, Generalized Linear Models 1989, table 2.1; Bishop, PRML 2006, eq. 4.124"


def _predictors(targets: Targets, sign: int) -> Inputs:
    def inputs(rng: np.random.Generator, samples: int = 5, units: int = 3) -> tuple[Array, ...]:
        theta = rng.standard_normal((samples, units))
        return sign * (np.abs(theta) + 0.3) if sign else theta, targets(rng, samples, units)

    return inputs


def _layer(targets: Targets, sign: int) -> Inputs:
    """Return a maker of X, W, b and T; where the predictor has a sign, X is positive and W and b have that sign."""

    def inputs(rng: np.random.Generator, samples: int = 5, inputs: int = 4, units: int = 3) -> tuple[Array, ...]:
        X, W, b = (rng.standard_normal(shape) for shape in ((samples, inputs), (inputs, units), (units,)))
        X, W, b = (np.abs(X), sign * (np.abs(W) + 0.1), sign * (np.abs(b) + 0.1)) if sign else (X, 0.5 * W, 0.5 * b)
        return X, W, b, targets(rng, samples, units)

    return inputs


def _loss(name: str, dispersion: float = 1.0) -> Callable[[Any, Any], Any]:
    return lambda theta, T: (CUMULANTS[name](theta) - ops.sum(theta * T)) / dispersion


def _in_predictor(name: str) -> Formula:
    family = find_canonical(name)
    return Formula(
        f"canonical_{name}",
        f"canonical link of the {name.replace('_', ' ')} family: θ = {family.link}",
        "E = Σ A(θ) − θ t;  ∂E/∂θ = Y − T, Y = A′(θ)",
        SOURCE,
        _loss(name),
        lambda theta, T: (canonical_derivative(name, theta, T), None),
        _predictors(TARGETS[name], family.predictor_sign),
    )


def _model(name: str) -> Formula:
    loss = _loss(name)

    def function(X: Any, W: Any, b: Any, T: Any) -> Any:
        return loss(X @ W + b, T)

    def by_hand(X: Array, W: Array, b: Array, T: Array) -> tuple[Array, Array, Array, None]:
        return *affine_gradients(canonical_derivative(name, X @ W + b, T), X, W), None

    return Formula(
        f"{name}_model",
        f"generalised linear model of the {name.replace('_', ' ')} family",
        "E = Σ A(θ) − θ t, θ = XW + b, δ = Y − T;  ∂E/∂W = Xᵀ δ, ∂E/∂b = Σ_n δ, ∂E/∂X = δ Wᵀ",
        SOURCE,
        function,
        by_hand,
        _layer(TARGETS[name], find_canonical(name).predictor_sign),
    )


def _reciprocal_loss(eta: Any, T: Any) -> Any:
    return ops.sum(eta * T - ops.log(eta))


FAMILY_ENTRIES: tuple[Formula, ...] = (
    *map(_in_predictor, CUMULANTS),
    *map(_model, CUMULANTS),
    Formula(
        "canonical_gaussian_variance",
        "canonical link of the Gaussian family with a variance",
        f"E = Σ (½ θ² − θ t) / φ, φ = {VARIANCE};  ∂E/∂θ = (Y − T) / φ",
        SOURCE,
        _loss("gaussian", VARIANCE),
        lambda theta, T: (canonical_derivative("gaussian", theta, T, VARIANCE), None),
        _predictors(real_targets, 0),
    ),
    Formula(
        "gamma_reciprocal",
        "gamma family with the reciprocal link η = 1 / μ, minus the canonical one",
        "E = Σ η t − log η;  ∂E/∂η = T − Y, Y = 1 / η",
        "McCullagh, Nelder, Generalized Linear Models 1989, chapter 8",
        _reciprocal_loss,
        lambda eta, T: (gamma_reciprocal_derivative(eta, T), None),
        _predictors(positive_targets, 1),
    ),
)
