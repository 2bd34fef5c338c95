"""The catalogue's entries of layers: affine maps, single units, units of all inputs at once, batch normalising."""

from typing import Any

import numpy as np

from tinygrad_mlp import ops

from . import vector_units
from .entry import Formula
from .layers import affine_gradients, affine_jacobians, sample_gradients
from .outputs import softmax, softmax_jacobian
from .units import Array, sigmoid, sigmoid_derivative

# ------------------------------------------------------------------------------------------------------ an affine layer


def _affine(X: Any, W: Any, b: Any, G: Any) -> Any:
    return ops.sum(G * (X @ W + b))


def _affine_by_hand(X: Array, W: Array, b: Array, G: Array) -> tuple[Array, Array, Array, Array]:
    return *affine_gradients(G, X, W), X @ W + b


def _affine_mean_by_hand(X: Array, W: Array, b: Array, G: Array) -> tuple[Array, Array, Array, Array]:
    """By the gradient of each sample, whose mean is that of the mean."""
    n = len(X)
    return G @ W.T / n, sample_gradients(G, X).mean(axis=0), np.asarray(G.mean(axis=0)), (X @ W + b) / n


def _affine_inputs(
    rng: np.random.Generator, samples: int = 5, inputs: int = 4, units: int = 3
) -> tuple[Array, Array, Array, Array]:
    X, W, b, G = (
        rng.standard_normal(shape) for shape in ((samples, inputs), (inputs, units), (units,), (samples, units))
    )
    return X, W, b, G


def _affine_sample(rng: np.random.Generator, inputs: int = 4, units: int = 3) -> tuple[Array, Array, Array]:
    return rng.standard_normal(inputs), rng.standard_normal((inputs, units)), rng.standard_normal(units)


def _bias_inputs(rng: np.random.Generator, samples: int = 5, units: int = 3) -> tuple[Array, Array, Array]:
    A, G = rng.standard_normal((2, samples, units))
    return A, rng.standard_normal(units), G


_PRML = "Bishop, PRML 2006, "

_AFFINE = (
    Formula(
        "affine",
        "an affine layer of a batch",
        "f = Σ G ⊙ (XW + b);  ∂f/∂X = G Wᵀ, ∂f/∂W = Xᵀ G, ∂f/∂b = Σ_n G, ∂f/∂G = XW + b",
        _PRML + "eq. 5.53 and 5.57",
        _affine,
        _affine_by_hand,
        _affine_inputs,
    ),
    Formula(
        "affine_mean",
        "an affine layer of a batch, its mean over the samples",
        "f = 1/N Σ_n g_nᵀ (x_n W + b);  ∂f/∂W = 1/N Σ_n x_n g_nᵀ, ∂f/∂b = 1/N Σ_n g_n, ∂f/∂X = G Wᵀ / N",
        _PRML + "eq. 5.53 and 5.57, divided by N",
        lambda X, W, b, G: ops.mean(ops.sum(G * (X @ W + b), axis=-1)),
        _affine_mean_by_hand,
        _affine_inputs,
    ),
    Formula(
        "affine_jacobian",
        "the Jacobians of an affine layer, one sample",
        "y = xW + b;  ∂y/∂x = Wᵀ, ∂y_k/∂w_ij = x_i 1(j = k), ∂y/∂b = 1",
        "the definition, index by index",
        lambda x, W, b: x @ W + b,
        lambda x, W, _b: affine_jacobians(x, W),
        _affine_sample,
        "jacobian",
    ),
    Formula(
        "bias_of_a_batch",
        "a bias that is added to every sample",
        "f = Σ G ⊙ tanh(A + b);  ∂f/∂A = G ⊙ (1 − H²), ∂f/∂b = Σ_n G ⊙ (1 − H²)",
        _PRML + "eq. 5.57 and 5.60",
        lambda A, b, G: ops.sum(G * ops.tanh(A + b)),
        lambda A, b, G: (
            G * (1.0 - np.tanh(A + b) ** 2),
            (G * (1.0 - np.tanh(A + b) ** 2)).sum(axis=0),
            None,
        ),
        _bias_inputs,
    ),
)

# --------------------------------------------------------------------------------------------------------- single units


def _linear_unit_inputs(rng: np.random.Generator, hidden: int = 3) -> tuple[Array, ...]:
    return rng.uniform(0.1, 0.9, hidden), rng.standard_normal(hidden), np.asarray(rng.standard_normal())


def _sigmoid_unit_by_hand(x: Array, w: Array, b: Array) -> tuple[Array, Array, Array]:
    slope = sigmoid_derivative(sigmoid(x @ w + b))
    return slope * w, slope * x, np.asarray(slope)


def _sigmoid_unit_inputs(rng: np.random.Generator, inputs: int = 3) -> tuple[Array, ...]:
    return rng.standard_normal(inputs), rng.standard_normal(inputs), np.asarray(rng.standard_normal())


def _softmax_layer_by_hand(h: Array, V: Array) -> tuple[Array, Array]:
    inner = softmax_jacobian(softmax(h @ V))
    return inner @ V.T, inner[:, None, :] * h[:, None]


def _softmax_layer_inputs(rng: np.random.Generator, hidden: int = 3, classes: int = 2) -> tuple[Array, ...]:
    return rng.uniform(0.1, 0.9, hidden), rng.standard_normal((hidden, classes))


def _two_classes_by_hand(h: Array, V: Array) -> tuple[Array, Array]:
    slope = sigmoid_derivative(sigmoid(h @ (V[:, 0] - V[:, 1])))
    return slope * (V[:, 0] - V[:, 1]), slope * np.outer(h, [1.0, -1.0])


def _two_classes_inputs(rng: np.random.Generator, hidden: int = 3) -> tuple[Array, ...]:
    return _softmax_layer_inputs(rng, hidden, 2)


_SINGLE = (
    Formula(
        "linear_unit",
        "one linear unit",
        "z = vᵀh + b;  ∂z/∂v_j = h_j, ∂z/∂h_j = v_j, ∂z/∂b = 1",
        "the notes, above eq. 16 and eq. 17",
        lambda h, v, b: h @ v + b,
        lambda h, v, b: (v, h, np.ones_like(b)),
        _linear_unit_inputs,
    ),
    Formula(
        "sigmoid_unit",
        "one sigmoid unit",
        "h = σ(wᵀx + b);  ∂h/∂w_i = h (1 − h) x_i, ∂h/∂x_i = h (1 − h) w_i, ∂h/∂b = h (1 − h)",
        "the notes, below eq. 19 and eq. 21",
        lambda x, w, b: ops.sigmoid(x @ w + b),
        _sigmoid_unit_by_hand,
        _sigmoid_unit_inputs,
    ),
    Formula(
        "softmax_layer_jacobian",
        "the Jacobians of a softmax layer, one sample",
        "y = softmax(hV);  ∂y_k/∂v_jk′ = y_k (1(k = k′) − y_k′) h_j, ∂y/∂h = (diag y − y yᵀ) Vᵀ",
        "the notes, eq. 15–17; Bishop, PRML 2006, eq. 4.106",
        lambda h, V: ops.softmax(h @ V),
        _softmax_layer_by_hand,
        _softmax_layer_inputs,
        "jacobian",
    ),
    Formula(
        "softmax_of_two",
        "the first output of a softmax of two classes, a logistic unit of the difference",
        "y₁ = softmax(hV)₁ = σ(hᵀ(v₁ − v₂));  ∂y₁/∂v₁ = y₁ (1 − y₁) h, ∂y₁/∂v₂ = −y₁ (1 − y₁) h",
        "the notes, below eq. 19; Bishop, PRML 2006, eq. 4.57–4.58",
        lambda h, V: ops.softmax(h @ V)[0],
        _two_classes_by_hand,
        _two_classes_inputs,
    ),
)

# ------------------------------------------------------------------------------ units of all inputs; batch normalising


def _maxout(X: Any, W: Any, b: Any, G: Any) -> Any:
    return ops.sum(G * ops.max(X @ W + ops.expand_dims(b, axis=1), axis=0))


def _maxout_by_hand(X: Array, W: Array, b: Array, G: Array) -> tuple[Array, Array, Array, None]:
    return *vector_units.maxout_gradients(G, X, W, b), None


def _maxout_inputs(
    rng: np.random.Generator, samples: int = 6, inputs: int = 4, pieces: int = 3, units: int = 5
) -> tuple[Array, Array, Array, Array]:
    X, W, b, G = (
        rng.standard_normal(shape)
        for shape in ((samples, inputs), (pieces, inputs, units), (pieces, units), (samples, units))
    )
    return X, W, b, G


def _radial_basis(X: Any, C: Any, s: Any, G: Any) -> Any:
    r = ops.expand_dims(X, axis=1) - C
    return ops.sum(G * ops.exp(-ops.sum(r**2, axis=-1) / (2.0 * s**2)))


def _radial_basis_by_hand(X: Array, C: Array, s: Array, G: Array) -> tuple[Array, Array, Array, None]:
    return *vector_units.radial_basis_gradients(G, X, C, s), None


def _radial_basis_inputs(
    rng: np.random.Generator, samples: int = 5, inputs: int = 2, centres: int = 3
) -> tuple[Array, Array, Array, Array]:
    X, C, G = (rng.standard_normal(shape) for shape in ((samples, inputs), (centres, inputs), (samples, centres)))
    return X, C, rng.uniform(0.8, 1.6, centres), G


def _batch_norm(X: Any, scale: Any, shift: Any, G: Any) -> Any:
    centred = X - ops.mean(X, axis=0)
    normal = centred / ops.sqrt(ops.mean(centred**2, axis=0) + 1e-5)
    return ops.sum(G * (scale * normal + shift))


def _batch_norm_by_hand(X: Array, scale: Array, shift: Array, G: Array) -> tuple[Array, Array, Array, Array]:
    return *vector_units.batch_norm_gradients(G, X, scale), vector_units.batch_norm(X, scale, shift)


def _batch_norm_inputs(rng: np.random.Generator, samples: int = 5, units: int = 3) -> tuple[Array, Array, Array, Array]:
    X, G = rng.standard_normal((2, samples, units))
    return X, rng.uniform(0.5, 1.5, units), rng.standard_normal(units), G


_OF_ALL = (
    Formula(
        "maxout",
        "maxout units",
        "f = Σ G ⊙ max_p (X W_p + b_p), M_p = [piece p is the largest];  "
        "∂f/∂W_p = Xᵀ (M_p ⊙ G), ∂f/∂b_p = Σ_n M_p ⊙ G, ∂f/∂X = Σ_p (M_p ⊙ G) W_pᵀ",
        "Goodfellow et al., Maxout networks 2013, section 3",
        _maxout,
        _maxout_by_hand,
        _maxout_inputs,
    ),
    Formula(
        "radial_basis",
        "radial basis units",
        "f = Σ G ⊙ H, H = exp(−‖x − c‖² / 2s²), D = G ⊙ H, r = x − c;  "
        "∂f/∂X = −Σ_j D r / s², ∂f/∂C = Σ_n D r / s², ∂f/∂s = Σ_n D ‖r‖² / s³",
        "Broomhead, Lowe 1988; Bishop, PRML 2006, section 6.3, by the chain rule",
        _radial_basis,
        _radial_basis_by_hand,
        _radial_basis_inputs,
    ),
    Formula(
        "batch_norm",
        "batch normalising",
        "f = Σ G ⊙ (γ x̂ + β), x̂ = (x − mean) / √(var + ε);  "
        "∂f/∂X = γ / √(var + ε) (G − mean G − x̂ mean(G x̂)), ∂f/∂γ = Σ_n G x̂, ∂f/∂β = Σ_n G",
        "Ioffe, Szegedy, Batch normalization 2015, section 3",
        _batch_norm,
        _batch_norm_by_hand,
        _batch_norm_inputs,
    ),
)

LAYER_ENTRIES: tuple[Formula, ...] = (*_AFFINE, *_SINGLE, *_OF_ALL)
