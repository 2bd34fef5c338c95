"""The notes' gradients as derived by hand, in plain NumPy, for any batch; the engine is held against them.

``J`` is the log-likelihood ``Σ t log y`` (eq. 11), so its gradients point uphill and training adds them. Every weight
matrix has shape (in, out), as in ``XW``; ``X`` is (N, I), ``H`` (N, J), ``Y`` and the one-hot ``T`` (N, C). What is
mistaken in the notes is mended here; ``claims.py`` has it as written.
"""

from collections.abc import Sequence
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from tinygrad_mlp.errors import ShapeError

Array: TypeAlias = NDArray[np.float64]
Unit: TypeAlias = Literal["sigmoid", "relu"]


def sigmoid(a: Array) -> Array:
    """Return ``1 / (1 + exp(-a))`` in the form that never sees a large exponential."""
    e = np.exp(-np.abs(a))
    return np.where(a >= 0, 1.0, e) / (1.0 + e)


def softmax(z: Array) -> Array:
    """Return ``exp(z_k) / Σ exp(z)`` along the last axis, its maximum subtracted first (section 1.4.2)."""
    e = np.exp(z - z.max(axis=-1, keepdims=True))
    return np.asarray(e / e.sum(axis=-1, keepdims=True))


def sigmoid_derivative(s: Array) -> Array:
    """Return σ′ where σ is ``s``: s (1 − s)."""
    return s * (1.0 - s)


def tanh_derivative(t: Array) -> Array:
    """Return tanh′ where tanh is ``t``: 1 − t²."""
    return 1.0 - t**2


def softmax_jacobian(y: Array) -> Array:
    """Return ∂y/∂z (C, C) of one sample, ``diag(y) − y yᵀ`` (eq. 14–15, the indicator of indices).

    >>> softmax_jacobian(np.array([0.5, 0.5])).tolist()
    [[0.25, -0.25], [-0.25, 0.25]]
    """
    return np.diag(y) - np.outer(y, y)


def log_likelihood(T: Array, Y: Array) -> float:
    """Return Σ t log y (eq. 11), where a class that is not the target's counts nothing."""
    return float(np.log(Y[T > 0]) @ T[T > 0])


def derivative_v(H: Array, T: Array, Y: Array) -> Array:
    """Return ∂J/∂V (J, C) = Hᵀ (T − Y) (eq. 18, cell 26)."""
    return H.T @ (T - Y)


def derivative_v_loops(H: Array, T: Array, Y: Array) -> Array:
    """Return the same by three loops over single numbers (cell 25)."""
    dV = np.zeros((H.shape[1], T.shape[1]))
    for n in range(len(T)):
        for j in range(H.shape[1]):
            for k in range(T.shape[1]):
                dV[j, k] += (T[n, k] - Y[n, k]) * H[n, j]
    return dV


def derivative_w(X: Array, T: Array, Y: Array, H: Array, V: Array) -> Array:
    """Return ∂J/∂W (I, J) = Xᵀ (((T − Y) Vᵀ) ⊙ H ⊙ (1 − H)) (eq. 21, cell 27)."""
    return X.T @ (((T - Y) @ V.T) * H * (1.0 - H))


def derivative_w_loops(X: Array, T: Array, Y: Array, H: Array, V: Array) -> Array:
    """Return the same by loops: eq. 21 as a sum over samples and classes."""
    dW = np.zeros((X.shape[1], H.shape[1]))
    for n in range(len(X)):
        for i in range(X.shape[1]):
            for j in range(H.shape[1]):
                for k in range(T.shape[1]):
                    dW[i, j] += (T[n, k] - Y[n, k]) * V[j, k] * H[n, j] * (1.0 - H[n, j]) * X[n, i]
    return dW


def derivative_b2(T: Array, Y: Array) -> Array:
    """Return ∂J/∂b₂ (C,) (eq. 19 with h₀ = 1, cell 28)."""
    return np.asarray((T - Y).sum(axis=0))


def derivative_b1(T: Array, Y: Array, H: Array, V: Array) -> Array:
    """Return ∂J/∂b₁ (J,) (cell 28)."""
    return np.asarray((((T - Y) @ V.T) * H * (1.0 - H)).sum(axis=0))


def propagate(X: Array, weights: Sequence[Array], biases: Sequence[Array], unit: Unit = "sigmoid") -> list[Array]:
    """Return the inputs, the hidden layers and the softmax output of a network of any depth (cells 19 and 21).

    Args:
        X: shape (N, I).
        weights: one matrix (in, out) a layer.
        biases: one vector (out,) a layer.
        unit: what every hidden unit is.

    Raises:
        ShapeError: there is not one bias for each weight matrix.
    """
    if len(weights) != len(biases) or not weights:
        raise ShapeError(f"propagate: {len(weights)} weight matrices and {len(biases)} biases; one of each a layer")
    layers = [X]
    for W, b in zip(weights[:-1], biases[:-1], strict=True):
        a = layers[-1] @ W + b
        layers.append(sigmoid(a) if unit == "sigmoid" else np.maximum(a, 0.0))
    return [*layers, softmax(layers[-1] @ weights[-1] + biases[-1])]


def backpropagate(
    T: Array, weights: Sequence[Array], layers: Sequence[Array], unit: Unit = "sigmoid"
) -> tuple[list[Array], list[Array]]:
    """Return ∂J/∂W and ∂J/∂b of every layer by the recursion of eq. 29–32 (sigmoid) or 33–36 (ReLU).

    The recursion: at the output δ = T − Y; one layer down δ ← (δ Wᵀ) ⊙ f′, where f′ is h (1 − h) or the indicator of
    a > 0, which is that of h > 0. Then ∂J/∂W = hᵀ δ with the layer h below, and ∂J/∂b is δ summed over the samples.

    Args:
        T: one-hot targets (N, C).
        weights: one matrix (in, out) a layer.
        layers: what ``propagate`` returned.
        unit: what every hidden unit is.
    """
    delta = T - layers[-1]
    dWs: list[Array] = []
    dbs: list[Array] = []
    for depth in range(len(weights) - 1, -1, -1):
        h = layers[depth]
        dWs.insert(0, h.T @ delta)
        dbs.insert(0, np.asarray(delta.sum(axis=0)))
        if depth:
            delta = (delta @ weights[depth].T) * (h * (1.0 - h) if unit == "sigmoid" else h > 0)
    return dWs, dbs
