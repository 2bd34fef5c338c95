"""Output units: the members of the exponential family, each with its canonical link and its likelihood.

A generalised linear model has a density h(t) exp(η·t - A(η)) with the linear predictor η as its natural parameter. Its
mean is ∇A(η), the inverse of the canonical link, so the gradient of the log-likelihood in η is t - mean(η) for every
member, at unit dispersion: the T - Y with which back-propagation begins. Source: P. McCullagh, J. A. Nelder,
*Generalized Linear Models*, 2nd ed. 1989, sections 2.2 and 2.5.
"""

from abc import ABC, abstractmethod
from typing import Any

import numpy as np

from tinygrad_mlp.arrays import as_payload
from tinygrad_mlp.errors import DataError, UnsupportedError
from tinygrad_mlp.graph import NODES, TRACING, mode
from tinygrad_mlp.ops import (
    binary_cross_entropy_with_logits,
    cross_entropy,
    exp,
    log,
    log1p,
    sigmoid,
    softmax,
    squared_error,
)
from tinygrad_mlp.ops.losses import reduce

ndarray = np.ndarray


class Family(ABC):
    """One member of the family; ``eta`` is the linear predictor, shape (…, units), on numbers, arrays or nodes.

    Attributes:
        name: of the distribution.
        unit: the name of the output unit, as in ``MLP(…, output=unit)``.
        classifies: whether targets are classes.
    """

    name = ""
    unit = ""
    classifies = False

    @abstractmethod
    def mean(self, eta: Any) -> Any:
        """Return the mean of the target, the inverse canonical link of ``eta``."""

    def link(self, mu: Any) -> Any:  # noqa: ARG002  (what a family that has one implements)
        """Return a linear predictor with mean ``mu``: the canonical link; a network never asks for it."""
        raise UnsupportedError(f"{type(self).__name__} defines no link(mu), the inverse of its mean")

    @abstractmethod
    def negative_log_likelihood(self, eta: Any, t: Any, reduction: str) -> Any:
        """Return the loss of targets in the form of ``eta``."""

    def log_likelihood(self, eta: Any, t: Any) -> Any:
        """Return the log-likelihood of each target, up to terms without ``eta``.

        Its gradient in ``eta`` is t - mean(eta).

        Args:
            eta: linear predictors, shape (…, units).
            t: targets of the same shape, or of shape (…) with one unit; for classes also labels of shape (…).

        Returns:
            Shape (…, units); for classes (…).
        """
        return -self.loss(eta, t, reduction="none")

    def loss(self, eta: Any, t: Any, reduction: str = "mean") -> Any:
        """Return the negative log-likelihood: its mean, its "sum", or "none" for each target."""
        data = eta._payload if type(eta) in NODES else eta
        if type(t) is not ndarray or type(data) is not ndarray or t.shape != data.shape or t.dtype is not data.dtype:
            eta = eta if type(eta) in NODES else as_payload(eta)
            t = self.targets(eta, t)
        return self.negative_log_likelihood(eta, t, reduction)

    def targets(self, eta: Any, t: Any) -> Any:
        """Return targets in the dtype of ``eta``, and with its last axis where there is one unit."""
        kind = type(t)
        if kind not in NODES:
            if kind is float:
                return t
            t = as_payload(t)
        data = getattr(eta, "_payload", eta)
        shape = getattr(data, "shape", ())
        if shape[-1:] == (1,) and t.shape == shape[:-1]:
            t = t[..., None]
        dtype = getattr(data, "dtype", None)
        return t if dtype is None or t.dtype == dtype or type(data) is not np.ndarray else t.astype(dtype)

    def predict(self, eta: Any) -> Any:
        """Return the label of the likeliest class, or the mean where there are no classes, as a plain array."""
        y = self.mean(_plain(eta))
        return y if type(y) in NODES else np.asarray(y)

    def labels(self, t: Any) -> Any:
        """Return the targets ``t``, an array, in the form in which ``predict`` gives them."""
        return t

    def check(self, t: Any, units: int) -> None:
        """Raise ``DataError`` if the targets of all rows, an array, do not fit ``units`` units of this family."""
        if t.shape[1:] != (units,) and not (t.ndim == 1 and units == 1):
            wanted = "(rows,) or (rows, 1)" if units == 1 else f"(rows, {units})"
            raise DataError(f"y has shape {t.shape}: {units} {self.unit} outputs need {wanted}")

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


class Gaussian(Family):
    """Normal targets of unit variance: linear output, half the squared error."""

    name = "Gaussian"
    unit = "linear"

    def mean(self, eta: Any) -> Any:
        """Return ``eta`` itself."""
        return eta

    def link(self, mu: Any) -> Any:
        """Return ``mu`` itself."""
        return mu

    def negative_log_likelihood(self, eta: Any, t: Any, reduction: str) -> Any:
        """Return (η - t)² / 2; the term ½ log 2π is left out."""
        return 0.5 * squared_error(eta, t, reduction=reduction)


class Bernoulli(Family):
    """Yes or no: logistic output, binary cross entropy; each unit a question of its own."""

    name = "Bernoulli"
    unit = "logistic"
    classifies = True

    def mean(self, eta: Any) -> Any:
        """Return the probability σ(η)."""
        return sigmoid(eta)

    def link(self, mu: Any) -> Any:
        """Return the log-odds log(μ / (1 - μ))."""
        return log(mu) - log1p(-mu)

    def negative_log_likelihood(self, eta: Any, t: Any, reduction: str) -> Any:
        """Return -t log σ(η) - (1 - t) log(1 - σ(η)), exact in both tails."""
        return binary_cross_entropy_with_logits(eta, t, reduction=reduction)

    def predict(self, eta: Any) -> Any:
        """Return 1 where the probability is above a half, else 0; shape (…) if there is one unit."""
        labels = (_plain(eta) > 0).astype(np.int64)
        return labels[..., 0] if labels.shape[-1:] == (1,) else labels

    def labels(self, t: Any) -> Any:
        """Return 1 for a target above a half, else 0."""
        labels = (t > 0.5).astype(np.int64)
        return labels[..., 0] if labels.ndim > 1 and labels.shape[-1] == 1 else labels

    def check(self, t: Any, units: int) -> None:
        """Raise ``DataError`` if a target lies outside [0, 1]."""
        super().check(t, units)
        if t.size and not (t.min() >= 0 and t.max() <= 1):
            raise DataError(f"y runs from {t.min()} to {t.max()}: a logistic output needs 0 and 1, or probabilities")


class Multinomial(Family):
    """One of several classes: softmax output, cross entropy."""

    name = "Multinomial"
    unit = "softmax"
    classifies = True

    def mean(self, eta: Any) -> Any:
        """Return the probabilities softmax(η)."""
        return softmax(eta)

    def link(self, mu: Any) -> Any:
        """Return log μ: a softmax does not see a constant added to all classes, and this is the choice without one."""
        return log(mu)

    def negative_log_likelihood(self, eta: Any, t: Any, reduction: str) -> Any:
        """Return -Σ t_k log softmax(η)_k; targets that do not sum to 1 count by their sum."""
        return cross_entropy(eta, t, reduction=reduction)

    def targets(self, eta: Any, t: Any) -> Any:
        """Return labels as they are, weights in the dtype of ``eta``."""
        t = t if type(t) in NODES else as_payload(t)
        return t if t.ndim < len(eta.shape) else super().targets(eta, t)

    def predict(self, eta: Any) -> Any:
        """Return the labels, shape (…), of the likeliest classes."""
        return np.argmax(_plain(eta), axis=-1)

    def labels(self, t: Any) -> Any:
        """Return labels as they are, and the largest of a row of weights."""
        return t if t.ndim == 1 else np.argmax(t, axis=-1)

    def check(self, t: Any, units: int) -> None:
        """Raise ``DataError`` if a label is no class, or a row of weights is no distribution."""
        known = f"{units} softmax units have the labels 0 … {units - 1}"
        if t.ndim == 1:
            if t.dtype.kind not in "iub":
                raise DataError(f"y holds {t.dtype}, which are no labels: {known}; or give one column a class")
            if t.size and not (t.min() >= 0 and t.max() < units):
                raise DataError(f"y holds labels from {t.min()} to {t.max()}: {known}")
            return
        if t.shape[1:] != (units,):
            raise DataError(f"y has shape {t.shape}: {units} softmax outputs need (rows, {units}), or labels (rows,)")
        if t.size and (t.min() < 0 or not np.allclose(t.sum(axis=-1), 1)):
            raise DataError("y holds rows that do not sum to 1: give one-hot rows, probabilities, or labels")


class Poisson(Family):
    """Counts: exponential output with the log link."""

    name = "Poisson"
    unit = "exponential"

    def mean(self, eta: Any) -> Any:
        """Return the rate exp(η)."""
        return exp(eta)

    def link(self, mu: Any) -> Any:
        """Return log μ."""
        return log(mu)

    def negative_log_likelihood(self, eta: Any, t: Any, reduction: str) -> Any:
        """Return exp(η) - t·η; the term log t! is left out."""
        if tuple(getattr(eta, "shape", ())) != tuple(getattr(t, "shape", ())):
            squared_error(eta, t)  # says which shapes differ
        return reduce(exp(eta) - t * eta, reduction)

    def check(self, t: Any, units: int) -> None:
        """Raise ``DataError`` if a count is negative."""
        super().check(t, units)
        if t.size and t.min() < 0:
            raise DataError(f"y has the minimum {t.min()}: an exponential output needs counts of at least 0")


FAMILIES: dict[str, Family] = {
    family.unit: family for family in (Gaussian(), Bernoulli(), Multinomial(), Poisson())
}  # by output unit


def find_family(output: str | Family) -> Family:
    """Return the family of an output unit, or ``output`` itself.

    Raises:
        UnsupportedError: There is no such output unit.
    """
    if isinstance(output, Family):
        return output
    if output not in FAMILIES:
        raise UnsupportedError(f"output {output!r} is unknown: choose one of {', '.join(FAMILIES)}, or pass a Family")
    return FAMILIES[output]


def _plain(eta: Any) -> Any:
    """Return the numbers of a node as an array; while tracing, the node."""
    if type(eta) in NODES:
        if mode() & TRACING:
            return eta
        eta = eta._payload
    return np.asarray(eta)
