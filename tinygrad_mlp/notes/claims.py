"""The notes' mistaken formulas, each as they write it and mended; ``checks.py`` holds both against the engine.

Both of a pair take the same arguments, so that a check which finds the mistake in the first can be seen to find none in
the second. The numbers are those of ``errata.MISTAKEN``.
"""

from collections.abc import Callable, Mapping

import numpy as np

from tinygrad_mlp.check.formulas import Array, derivative_v_loops, sigmoid, softmax

from .loop import LEARNING_RATE, Batch, Parameters, changes, outputs

# ---------------------------------------------------------------------------------------------- 1 and 2: the softmax


def written_1(z: Array) -> Array:
    """Return ∂y/∂z (C, C) by eq. 14: on the diagonal exp(z_k)(1 − exp(z_k)) / (Σ exp)²."""
    e = np.exp(z)
    jacobian = -np.outer(e, e)
    np.fill_diagonal(jacobian, e * (1.0 - e))
    return np.asarray(jacobian / e.sum() ** 2)


def mended_1(z: Array) -> Array:
    """Return the same with exp(z_k)(Σ exp − exp(z_k)) / (Σ exp)² on the diagonal."""
    e = np.exp(z)
    jacobian = -np.outer(e, e)
    np.fill_diagonal(jacobian, e * (e.sum() - e))
    return np.asarray(jacobian / e.sum() ** 2)


def written_2(y: Array) -> Array:
    """Return ∂y_k′/∂z_k (C, C) by eq. 15: y_k′ (1(y_k = y_k′) − y_k), the indicator comparing values."""
    return np.asarray(y[:, None] * ((y[:, None] == y) - y))


def mended_2(y: Array) -> Array:
    """Return the same with the indicator comparing indices, 1(k = k′)."""
    return y[:, None] * (np.eye(len(y)) - y)


# ------------------------------------------------------------------------------------ 3 to 5: factors of the chain rule


def written_3(h: Array, v: Array) -> Array:  # noqa: ARG001  (the mistake is which of the two is used)
    """Return ∂z/∂v_j as the line above eq. 16 has it: v_j."""
    return v


def mended_3(h: Array, v: Array) -> Array:  # noqa: ARG001
    """Return ∂z/∂v_j = h_j."""
    return h


def written_4(h: float, w: Array, x: Array) -> Array:  # noqa: ARG001
    """Return ∂h/∂w_i as point 3 below eq. 19 has it: h (1 − h) w_i."""
    return h * (1.0 - h) * w


def mended_4(h: float, w: Array, x: Array) -> Array:  # noqa: ARG001
    """Return ∂h/∂w_i = h (1 − h) x_i."""
    return h * (1.0 - h) * x


def written_5(z: Array, h: Array) -> tuple[Array, Array]:
    """Return y (2,) and ∂y_k′/∂v_kj (2, 2, J) by point 3 below eq. 19, where a softmax of two is σ of each.

    Its indicator compares values, as in eq. 15; its h has an index too many, which is left out here.
    """
    y = sigmoid(z)
    return y, (y * ((z[:, None] == z) - y))[:, :, None] * h


def mended_5(z: Array, h: Array) -> tuple[Array, Array]:
    """Return the same with y₁ = σ(z₁ − z₂), y₂ = 1 − y₁, and ∂y_k′/∂v_kj = y_k′ (1(k = k′) − y_k) h_j."""
    first = sigmoid(z[0] - z[1])
    y = np.array([first, 1.0 - first])
    return y, mended_2(y)[:, :, None] * h


# ------------------------------------------------------------------------------------------------------ 6: the update


def written_6(v: Array, gradient: Array) -> Array:
    """Return the parameter after a step by eq. 25 and 26: v − ∂J/∂v, without a learning rate."""
    return v - gradient


def mended_6(v: Array, gradient: Array) -> Array:
    """Return v + α ∂J/∂v, which climbs the log-likelihood J, as cell 30 does."""
    return v + LEARNING_RATE * gradient


# ------------------------------------------------------------------------------- 7: the indices of eq. 30–32 and 34–36

# The factors in the order of indices.FACTORS, one letter an index: "m,ml,l,k->lk" is Σ_m δ_m w_ml³ f′_l³ h_k².
WRITTEN_7: Mapping[str, str] = {
    "30 and 34": "m,lm,l,k->lk",
    "31 and 35": "m,lm,l,lj,k,j->kj",
    "32 and 36": "m,lm,l,lj,k,kj,j,ji->ji",
}
MENDED_7: Mapping[str, str] = {
    "30 and 34": "m,ml,l,k->lk",
    "31 and 35": "m,ml,l,lk,k,j->kj",
    "32 and 36": "m,ml,l,lk,k,kj,j,i->ji",
}


# ----------------------------------------------------------------------------------------------------- 8: leaky ReLU


def written_8(z: Array, alpha: float) -> Array:
    """Return cell 14's leaky ReLU, fmax(α, 1) z, which is z for every α below 1."""
    return np.asarray(np.fmax(alpha, 1.0) * z)


def mended_8(z: Array, alpha: float) -> Array:
    """Return max(z, α z), for 0 ≤ α ≤ 1."""
    return np.maximum(z, alpha * z)


# ---------------------------------------------------------------------------------------- 9 and 10: the loop of cell 30


def written_9(data: Batch, p: Parameters, start: Parameters) -> Parameters:
    """Return the step of cell 30 at ``p``, made with the hidden units of the weights at the start."""
    return changes(data, p, stale=outputs(data, start)[0])


def written_10(data: Batch, p: Parameters, start: Parameters) -> Parameters:  # noqa: ARG001
    """Return the step of cell 30 at ``p``, W and b₁ with the V that was just changed."""
    return changes(data, p, new_v=True)


def mended_9_and_10(data: Batch, p: Parameters, start: Parameters) -> Parameters:  # noqa: ARG001
    """Return the step with the current hidden units, and all gradients at the old parameters."""
    return changes(data, p)


# --------------------------------------------------------------------------------------------------------- 11: overflow

Units = Mapping[str, Callable[[Array], Array]]

WRITTEN_11: Units = {
    "σ": lambda z: 1.0 / (1.0 + np.exp(-z)),
    "softmax": lambda z: np.asarray(np.exp(z) / np.exp(z).sum()),
}
MENDED_11: Units = {"σ": sigmoid, "softmax": softmax}


# --------------------------------------------------------------------------------------------- 21: the test of cell 26

Derivative = Callable[[Array, Array, Array], Array]


def written_21(derivative: Derivative, H: Array, T: Array, Y: Array) -> tuple[bool, Array]:
    """Return whether ``derivative(H, T, Y)`` passes the test of cell 26, and the differences that the test sees.

    The test hands it Y for T and T for Y, and bounds the sum of the differences from above.
    """
    differences = derivative_v_loops(H, T, Y) - derivative(H, Y, T)
    return bool(differences.sum() < 0.0001), differences


def mended_21(derivative: Derivative, H: Array, T: Array, Y: Array) -> tuple[bool, Array]:
    """Return the same with the arguments in order and every element compared."""
    right = derivative_v_loops(H, T, Y)
    differences = right - derivative(H, T, Y)
    return bool(np.all(np.abs(differences) <= 1e-9 * np.abs(right).max())), differences
