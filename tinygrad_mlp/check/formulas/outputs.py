"""Output units and losses: the softmax and its Jacobian, and the gradients with which back-propagation begins.

Classes lie along the last axis. ``Z`` are linear predictors (N, C), ``Y`` what the output unit makes of them, ``T`` the
targets, all of one shape. A loss is summed over the samples; divide by N for the mean, and its gradient likewise.
"""

import numpy as np

from .units import Array, log_sigmoid, sigmoid, softplus

# --------------------------------------------------------------------------------------------------------- the softmax


def softmax(z: Array) -> Array:
    """Return ``exp(z_k) / Σ exp(z)`` along the last axis, its maximum subtracted first (the notes, section 1.4.2).

    Source: C. Bishop, *Pattern Recognition and Machine Learning*, 2006, eq. 4.104.
    """
    e = np.exp(z - z.max(axis=-1, keepdims=True))
    return np.asarray(e / e.sum(axis=-1, keepdims=True))


def log_sum_exp(z: Array) -> Array:
    """Return ``log Σ exp(z)`` along the last axis, (…, C) to (…). Its gradient is the softmax."""
    top = z.max(axis=-1, keepdims=True)
    return np.asarray(top[..., 0] + np.log(np.exp(z - top).sum(axis=-1)))


def log_softmax(z: Array) -> Array:
    """Return ``z − log Σ exp(z)`` along the last axis, without the logarithm of a rounded zero."""
    z = z - z.max(axis=-1, keepdims=True)
    return np.asarray(z - np.log(np.exp(z).sum(axis=-1, keepdims=True)))


def softmax_jacobian(y: Array) -> Array:
    """Return ∂y_k/∂z_k′ (C, C) of one sample, ``diag(y) − y yᵀ``; of samples (…, C) one each, (…, C, C).

    Source: Bishop 2006, eq. 4.106; the notes, eq. 14–15 with the indicator of indices.

    >>> softmax_jacobian(np.array([0.5, 0.5])).tolist()
    [[0.25, -0.25], [-0.25, 0.25]]
    """
    return y[..., :, None] * (np.eye(y.shape[-1]) - y[..., None, :])


def log_softmax_jacobian(y: Array) -> Array:
    """Return ∂(log y_k)/∂z_k′ = 1(k = k′) − y_k′, (…, C) to (…, C, C): each row is the same but for the indicator.

    Source: Bishop 2006, eq. 4.106, divided by y_k.
    """
    return np.eye(y.shape[-1]) - y[..., None, :]


def across_samples(blocks: Array) -> Array:
    """Return the Jacobian (N, C, N, D) of a batch whose samples do not see each other, from theirs (N, C, D).

    >>> across_samples(np.ones((2, 3, 4))).shape
    (2, 3, 2, 4)
    """
    return np.asarray(np.einsum("nkj,nm->nkmj", blocks, np.eye(len(blocks))))


def softmax_pullback(G: Array, Y: Array) -> Array:
    """Return the gradient in ``z`` of a function with the gradient ``G`` in ``Y = softmax(z)``: Y ⊙ (G − Σ_k G Y).

    Source: Bishop 2006, eq. 4.106, multiplied by G from the left.
    """
    return np.asarray(Y * (G - (G * Y).sum(axis=-1, keepdims=True)))


# -------------------------------------------------------------------------------------------------------------- losses


def log_likelihood(T: Array, Y: Array) -> float:
    """Return Σ t log y (the notes, eq. 11), where a class that is not the target's counts nothing."""
    return float(np.log(Y[T > 0]) @ T[T > 0])


def log_likelihood_derivative(T: Array, Y: Array) -> Array:
    """Return its derivative in the probabilities, t / y (the notes, eq. 13)."""
    return T / Y


def cross_entropy(Z: Array, T: Array) -> float:
    """Return −Σ t log softmax(z), the negative log-likelihood, from linear predictors.

    Source: Bishop 2006, eq. 4.108.
    """
    return float(-(log_softmax(Z)[T != 0] @ T[T != 0]))


def cross_entropy_derivative(Z: Array, T: Array) -> Array:
    """Return its derivative in ``Z``: Y Σt − T, which is Y − T where the targets of a sample sum to one.

    Source: Bishop 2006, eq. 4.109; the notes, eq. 18, with the other sign.
    """
    return np.asarray(softmax(Z) * T.sum(axis=-1, keepdims=True) - T)


def binary_cross_entropy(Z: Array, T: Array) -> float:
    """Return −Σ t log σ(z) + (1 − t) log(1 − σ(z)), exact in both tails.

    Source: Bishop 2006, eq. 4.90.
    """
    return float(-np.sum(T * log_sigmoid(Z) - (1.0 - T) * softplus(Z)))


def binary_cross_entropy_derivative(Z: Array, T: Array) -> Array:
    """Return its derivative in ``Z``: σ(Z) − T.

    Source: Bishop 2006, eq. 4.91.
    """
    return sigmoid(Z) - T


def binary_cross_entropy_derivative_of_probability(P: Array, T: Array) -> Array:
    """Return the derivative of −Σ t log p + (1 − t) log(1 − p) in the probabilities: (p − t) / (p (1 − p)).

    Source: Bishop 2006, eq. 4.90: times σ′ = p (1 − p) it gives eq. 4.91.
    """
    return (P - T) / (P * (1.0 - P))


def squared_error(Y: Array, T: Array) -> float:
    """Return ½ Σ (y − t)².

    Source: Bishop 2006, eq. 3.12.
    """
    return float(0.5 * np.sum((Y - T) ** 2))


def squared_error_derivative(Y: Array, T: Array) -> Array:
    """Return its derivative in ``Y``: Y − T.

    Source: Bishop 2006, eq. 3.13.
    """
    return Y - T
