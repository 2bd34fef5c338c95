"""Units that see all inputs at once, and batch normalisation, which sees all samples: their gradients by hand.

``G`` is the gradient in what the layer gives, of the same shape.
"""

import numpy as np

from .units import Array

# -------------------------------------------------------------------------------------------------------------- maxout


def maxout(X: Array, W: Array, b: Array) -> Array:
    """Return max_p (w_pᵀ x + b_p), shape (N, K).

    Source: I. Goodfellow, D. Warde-Farley, M. Mirza, A. Courville, Y. Bengio, *Maxout networks*, ICML 2013, section 3.

    Args:
        X: shape (N, I).
        W: one matrix for each of the P pieces, shape (P, I, K).
        b: shape (P, K).
    """
    return np.asarray((X @ W + b[:, None, :]).max(axis=0))


def maxout_gradients(G: Array, X: Array, W: Array, b: Array) -> tuple[Array, Array, Array]:
    """Return the gradients in X, W and b: only the largest piece of a unit learns; ties share evenly.

    With M_pnk = 1 where piece p is the largest: Σ_p (M_p ⊙ G) W_pᵀ, Xᵀ (M_p ⊙ G), and Σ_n M_p ⊙ G.

    Source: Goodfellow et al. 2013, section 3; the derivative of a maximum is the indicator of the largest.
    """
    Z = X @ W + b[:, None, :]
    largest = np.equal(Z, Z.max(axis=0))
    D = G * largest / largest.sum(axis=0)
    return (D @ W.transpose(0, 2, 1)).sum(axis=0), X.T @ D, np.asarray(D.sum(axis=1))


# -------------------------------------------------------------------------------------------------- radial basis units


def radial_basis(X: Array, C: Array, s: Array) -> Array:
    """Return exp(−‖x − c‖² / 2s²), shape (N, J).

    Source: D. Broomhead, D. Lowe, *Multivariable functional interpolation and adaptive networks*, Complex Systems 2,
    1988; C. Bishop, *Pattern Recognition and Machine Learning*, 2006, section 6.3.

    Args:
        X: shape (N, I).
        C: a centre in each row, shape (J, I).
        s: a width for each centre, shape (J,).
    """
    return np.asarray(np.exp(-0.5 * ((X[:, None, :] - C) ** 2).sum(axis=-1) / s**2))


def radial_basis_gradients(G: Array, X: Array, C: Array, s: Array) -> tuple[Array, Array, Array]:
    """Return the gradients in X, in the centres and in the widths.

    With r = x − c and D = G ⊙ H: −Σ_j D r / s², Σ_n D r / s², and Σ_n D ‖r‖² / s³.

    Source: the chain rule on the exponent: ∂/∂c is r / s², ∂/∂x its negative, ∂/∂s is ‖r‖² / s³.
    """
    r = X[:, None, :] - C
    D = G * radial_basis(X, C, s)
    in_c = (D / s**2)[:, :, None] * r
    return -in_c.sum(axis=1), in_c.sum(axis=0), np.asarray((D * (r**2).sum(axis=-1) / s**3).sum(axis=0))


# --------------------------------------------------------------------------------------------------- batch normalising


def batch_norm(X: Array, scale: Array, shift: Array, eps: float = 1e-5) -> Array:
    """Return γ (x − mean) / √(var + ε) + β, mean and (biased) variance over the samples.

    Source: S. Ioffe, C. Szegedy, *Batch normalization*, ICML 2015, algorithm 1.

    Args:
        X: shape (N, K).
        scale: γ, shape (K,).
        shift: β, shape (K,).
        eps: ε.
    """
    return np.asarray(scale * (X - X.mean(axis=0)) / np.sqrt(X.var(axis=0) + eps) + shift)


def batch_norm_gradients(G: Array, X: Array, scale: Array, eps: float = 1e-5) -> tuple[Array, Array, Array]:
    """Return the gradients in X, γ and β.

    With x̂ the normalised X: γ / √(var + ε) (G − mean G − x̂ mean(G x̂)), Σ_n G x̂, and Σ_n G. The two means are what the
    mean and the variance contribute, through which every sample reaches every other.

    Source: Ioffe, Szegedy 2015, section 3, its six lines put together.
    """
    width = np.sqrt(X.var(axis=0) + eps)
    normal = (X - X.mean(axis=0)) / width
    dX = scale / width * (G - G.mean(axis=0) - normal * (G * normal).mean(axis=0))
    return dX, np.asarray((G * normal).sum(axis=0)), np.asarray(G.sum(axis=0))
