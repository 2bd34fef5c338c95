"""Canonical links: for every member of the exponential family the gradient in the linear predictor is Y − T.

A density h(t) exp((θ t − A(θ)) / φ) whose natural parameter θ is the linear predictor has the mean y = A′(θ), and its
negative log-likelihood (A(θ) − θ t) / φ has the derivative (y − t) / φ. Source: P. McCullagh, J. Nelder, *Generalized
Linear Models*, 2nd ed. 1989, section 2.2 and table 2.1; C. Bishop, *Pattern Recognition and Machine Learning*, 2006,
section 4.3.6, eq. 4.124.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from tinygrad_mlp.errors import UnsupportedError

from .outputs import log_sum_exp, softmax
from .units import Array, sigmoid, softplus


@dataclass(frozen=True)
class CanonicalFamily:
    """A member of the exponential family with its canonical link.

    Attributes:
        name: of the distribution.
        link: the natural parameter as a function of the mean, as text.
        mean: the mean of the target at the linear predictor ``theta``: A′, the inverse of the link.
        cumulant: A, elementwise; of the multinomial (…, C) to (…).
        predictor_sign: the sign that the linear predictor must have, or 0.
    """

    name: str
    link: str
    mean: Callable[[Array], Array]
    cumulant: Callable[[Array], Array]
    predictor_sign: int = 0


CANONICAL: dict[str, CanonicalFamily] = {
    family.name: family
    for family in (
        CanonicalFamily("gaussian", "μ", lambda theta: theta, lambda theta: 0.5 * theta**2),
        CanonicalFamily("bernoulli", "log(μ / (1 − μ))", sigmoid, softplus),
        CanonicalFamily("multinomial", "log μ", softmax, log_sum_exp),
        CanonicalFamily("poisson", "log μ", np.exp, np.exp),
        CanonicalFamily("gamma", "−1 / μ", lambda theta: -1.0 / theta, lambda theta: -np.log(-theta), -1),
        CanonicalFamily(
            "inverse_gaussian",
            "−1 / (2μ²)",
            lambda theta: 1.0 / np.sqrt(-2.0 * theta),
            lambda theta: -np.sqrt(-2.0 * theta),
            -1,
        ),
    )
}


def find_canonical(family: str | CanonicalFamily) -> CanonicalFamily:
    """Return the family of that name, or ``family`` itself.

    Raises:
        UnsupportedError: there is none of that name.
    """
    if isinstance(family, CanonicalFamily):
        return family
    if family not in CANONICAL:
        raise UnsupportedError(f"family {family!r} is unknown: choose one of {', '.join(CANONICAL)}")
    return CANONICAL[family]


def canonical_loss(family: str | CanonicalFamily, theta: Array, T: Array, dispersion: float = 1.0) -> float:
    """Return Σ (A(θ) − θ t) / φ, the negative log-likelihood up to terms without θ.

    Args:
        family: its name, or itself.
        theta: natural parameters, which are the linear predictors (N, K).
        T: targets (N, K); of the multinomial rows that sum to one.
        dispersion: φ; of the Gaussian the variance.
    """
    return float((np.sum(find_canonical(family).cumulant(theta)) - np.sum(theta * T)) / dispersion)


def canonical_derivative(family: str | CanonicalFamily, theta: Array, T: Array, dispersion: float = 1.0) -> Array:
    """Return the derivative of ``canonical_loss`` in ``theta``: (Y − T) / φ with Y the mean at θ.

    >>> canonical_derivative("poisson", np.zeros(2), np.array([1.0, 3.0])).tolist()
    [0.0, -2.0]
    """
    return (find_canonical(family).mean(theta) - T) / dispersion


def gamma_reciprocal_derivative(eta: Array, T: Array) -> Array:
    """Return the derivative of Σ η t − log η, the gamma likelihood with the reciprocal link η = 1 / μ: T − Y.

    The reciprocal is minus the natural parameter, and so the sign is the other one. Source: McCullagh, Nelder 1989,
    chapter 8.
    """
    return T - 1.0 / eta
