"""Layers: the gradients of an affine map, of the notes' two-layer network, and the recursion for any depth.

Every weight matrix has shape (in, out), as in ``XW``; ``X`` is (N, I), ``H`` (N, J), ``Y`` and the one-hot ``T``
(N, C). ``J`` is the log-likelihood ``Σ t log y`` (the notes, eq. 11), so its gradients point uphill and training adds
them; those of the loss −J have the other sign.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from tinygrad_mlp.errors import ShapeError, UnsupportedError

from .hidden_units import UnitLike, find_units
from .outputs import softmax
from .units import Array, sigmoid

# ------------------------------------------------------------------------------------------------- one affine layer


def affine_gradients(G: Array, X: Array, W: Array) -> tuple[Array, Array, Array]:
    """Return the gradients in X, W and b of a function with the gradient ``G`` in XW + b: G Wᵀ, Xᵀ G, and Σ_n G.

    The sums over the batch are in them: W and b serve every sample. Source: C. Bishop, *Pattern Recognition and Machine
    Learning*, 2006, eq. 5.53 and 5.57.

    Args:
        G: shape (N, K).
        X: shape (N, I).
        W: shape (I, K).
    """
    return G @ W.T, X.T @ G, np.asarray(G.sum(axis=0))


def affine_gradients_loops(G: Array, X: Array, W: Array) -> tuple[Array, Array, Array]:
    """Return the same by loops over single numbers."""
    dX, dW, db = np.zeros_like(X), np.zeros_like(W), np.zeros(W.shape[1])
    for n in range(len(X)):
        for k in range(W.shape[1]):
            db[k] += G[n, k]
            for i in range(len(W)):
                dX[n, i] += G[n, k] * W[i, k]
                dW[i, k] += X[n, i] * G[n, k]
    return dX, dW, db


def sample_gradients(G: Array, X: Array) -> Array:
    """Return the gradient in W of every sample by itself, x_n g_nᵀ, shape (N, I, K); their sum is Xᵀ G.

    >>> G, X = np.ones((5, 2)), np.ones((5, 3))
    >>> sample_gradients(G, X).sum(axis=0).tolist() == (X.T @ G).tolist()
    True
    """
    return X[:, :, None] * G[:, None, :]


def affine_jacobians(x: Array, W: Array) -> tuple[Array, Array, Array]:
    """Return the Jacobians of xW + b, one sample: in x Wᵀ (K, I), in W x_i 1(j = k) (K, I, K), in b the unit matrix.

    Args:
        x: shape (I,).
        W: shape (I, K).
    """
    one = np.eye(W.shape[1])
    return W.T, np.einsum("i,jk->jik", x, one), one


# ------------------------------------------------------------------------------------ the notes' network of two layers


def derivative_v(H: Array, T: Array, Y: Array) -> Array:
    """Return ∂J/∂V (J, C) = Hᵀ (T − Y) (the notes, eq. 18, cell 26)."""
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
    """Return ∂J/∂W (I, J) = Xᵀ (((T − Y) Vᵀ) ⊙ H ⊙ (1 − H)) (the notes, eq. 21, cell 27)."""
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
    """Return ∂J/∂b₂ (C,) = Σ_n (T − Y) (the notes, eq. 19 with h₀ = 1, cell 28)."""
    return np.asarray((T - Y).sum(axis=0))


def derivative_b1(T: Array, Y: Array, H: Array, V: Array) -> Array:
    """Return ∂J/∂b₁ (J,) = Σ_n ((T − Y) Vᵀ) ⊙ H ⊙ (1 − H) (the notes, cell 28)."""
    return np.asarray((((T - Y) @ V.T) * H * (1.0 - H)).sum(axis=0))


def derivative_x(T: Array, Y: Array, H: Array, V: Array, W: Array) -> Array:
    """Return ∂J/∂X (N, I) = (((T − Y) Vᵀ) ⊙ H ⊙ (1 − H)) Wᵀ: eq. 21 of the notes with w_ji for x_i."""
    return (((T - Y) @ V.T) * H * (1.0 - H)) @ W.T


# ------------------------------------------------------------------------------------------------ networks of any depth

# The inverses of the canonical links: with their likelihoods all begin the recursion with T − Y (``families``).
OUTPUTS: Mapping[str, Callable[[Array], Array]] = {
    "softmax": softmax,
    "logistic": sigmoid,
    "linear": lambda z: z,
    "exponential": np.exp,
}


class ForwardPass(NamedTuple):
    """What a network of L layers computes.

    Attributes:
        a: the weighted sums that each layer receives, L of them, shapes (N, out).
        h: the inputs, what each hidden layer gives, and the outputs: L + 1.
    """

    a: list[Array]
    h: list[Array]


class NetworkGradients(NamedTuple):
    """The gradients of a network: one for each weight matrix, each bias, and one in the inputs."""

    weights: list[Array]
    biases: list[Array]
    inputs: Array


def propagate(
    X: Array,
    weights: Sequence[Array],
    biases: Sequence[Array],
    unit: UnitLike = "sigmoid",
    output: str = "softmax",
) -> ForwardPass:
    """Return the activations and the values of all layers of a network of any depth (the notes, cells 19 and 21).

    Args:
        X: shape (N, I).
        weights: one matrix (in, out) a layer.
        biases: one vector (out,) a layer.
        unit: what every hidden unit is, a name in ``UNITS`` or a ``Unit``; or one for each hidden layer.
        output: "softmax", "logistic", "linear" or "exponential".

    Raises:
        ShapeError: there is not one bias for each weight matrix, or not one unit for each hidden layer.
        UnsupportedError: there is no such unit or output.
    """
    if len(weights) != len(biases) or not weights:
        raise ShapeError(f"propagate: {len(weights)} weight matrices and {len(biases)} biases; one of each a layer")
    if output not in OUTPUTS:
        raise UnsupportedError(f"output {output!r} is unknown: choose one of {', '.join(OUTPUTS)}")
    functions = [one.value for one in find_units(unit, len(weights) - 1)]
    passed = ForwardPass([], [X])
    for W, b, f in zip(weights, biases, [*functions, OUTPUTS[output]], strict=True):
        passed.a.append(passed.h[-1] @ W + b)
        passed.h.append(f(passed.a[-1]))
    return passed


def backpropagate(
    T: Array, weights: Sequence[Array], passed: ForwardPass, unit: UnitLike = "sigmoid"
) -> NetworkGradients:
    """Return the gradients of the log-likelihood in every W and b and in X, by the recursion of eq. 29–36.

    The recursion: at the output δ = T − Y, by the canonical link; one layer down δ ← (δ Wᵀ) ⊙ f′(a). Then ∂J/∂W = hᵀ δ
    with the layer h below, and ∂J/∂b is δ summed over the samples. f′ is h (1 − h) in eq. 30–32, [a > 0] in eq. 34–36.

    Source: the notes, eq. 29–36; D. Rumelhart, G. Hinton, R. Williams, *Learning representations by back-propagating
    errors*, Nature 323, 1986; Bishop 2006, eq. 5.53–5.57.

    Args:
        T: targets (N, C).
        weights: one matrix (in, out) a layer.
        passed: what ``propagate`` returned.
        unit: as there.
    """
    units = find_units(unit, len(weights) - 1)
    delta = T - passed.h[-1]
    dWs: list[Array] = []
    dbs: list[Array] = []
    for depth in range(len(weights) - 1, -1, -1):
        h = passed.h[depth]
        dWs.insert(0, h.T @ delta)
        dbs.insert(0, np.asarray(delta.sum(axis=0)))
        delta = delta @ weights[depth].T
        if depth:
            delta = delta * units[depth - 1].slope(passed.a[depth - 1], h)
    return NetworkGradients(dWs, dbs, delta)


def backpropagate_loops(
    T: Array, weights: Sequence[Array], passed: ForwardPass, unit: UnitLike = "sigmoid"
) -> NetworkGradients:
    """Return the same, one sample after the other and number by number: eq. 29–36 as sums over indices."""
    units = find_units(unit, len(weights) - 1)
    slopes = [one.slope(a, h) for one, a, h in zip(units, passed.a, passed.h[1:], strict=False)]
    dWs, dbs = [np.zeros_like(W) for W in weights], [np.zeros(W.shape[1]) for W in weights]
    dX = np.zeros_like(passed.h[0])
    for n, t in enumerate(T):
        delta = [t[k] - passed.h[-1][n, k] for k in range(len(t))]
        for depth in range(len(weights) - 1, -1, -1):
            below = [0.0] * len(weights[depth])
            for k, d in enumerate(delta):
                dbs[depth][k] += d
                for j in range(len(below)):
                    dWs[depth][j, k] += d * passed.h[depth][n, j]
                    below[j] += d * weights[depth][j, k]
            delta = [b * slopes[depth - 1][n, j] for j, b in enumerate(below)] if depth else below
        dX[n] = delta
    return NetworkGradients(dWs, dbs, dX)
