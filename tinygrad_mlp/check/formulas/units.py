"""Hidden units and their derivatives, element by element: what the layer recursion multiplies with on its way down.

``a`` is the activation, the weighted sum that a unit receives, of any shape; ``h`` is what it gives. No form overflows,
and at a kink each takes the side that the library's operations take.
"""

import math
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[np.float64]

SELU_SCALE, SELU_ALPHA = 1.0507009873554804934, 1.6732632423543772848  # Klambauer et al., NeurIPS 2017, section 2
GELU_RATE, GELU_CUBIC = math.sqrt(2.0 / math.pi), 0.044715
FAR = 40.0  # where exp(-a²/2) is 0 in double precision, and so is 1 - tanh

# ----------------------------------------------------------------------------------------------- logistic and its kin


def sigmoid(a: Array) -> Array:
    """Return ``1 / (1 + exp(-a))`` in the form that never sees a large exponential.

    Source: C. Bishop, *Pattern Recognition and Machine Learning*, 2006, eq. 4.59.
    """
    e = np.exp(-np.abs(a))
    return np.where(a >= 0, 1.0, e) / (1.0 + e)


def sigmoid_derivative(s: Array) -> Array:
    """Return σ′ where σ is ``s``: s (1 − s), as right as ``s`` is: where s rounds to 1, it is 0.

    Source: Bishop 2006, eq. 4.88.
    """
    return s * (1.0 - s)


def logistic_density(a: Array) -> Array:
    """Return σ′ at ``a``: σ(a) σ(−a), to the last digits in both tails, where s (1 − s) loses them.

    Source: Bishop 2006, eq. 4.88 with 1 − σ(a) = σ(−a), eq. 4.60.

    >>> logistic_density(np.array([50.0])) == logistic_density(np.array([-50.0]))
    array([ True])
    """
    return sigmoid(a) * sigmoid(-a)


def tanh(a: Array) -> Array:
    """Return the hyperbolic tangent, 2 σ(2a) − 1."""
    return np.tanh(a)


def tanh_derivative(t: Array) -> Array:
    """Return tanh′ where tanh is ``t``: 1 − t², as right as ``t`` is.

    Source: Bishop 2006, eq. 5.60.
    """
    return 1.0 - t**2


def sech_squared(a: Array) -> Array:
    """Return tanh′ at ``a``: 1 / cosh² a = (2e / (1 + e²))² with e = exp(−|a|), to the last digits in both tails."""
    e = np.exp(-np.abs(a))
    return np.asarray((2.0 * e / (1.0 + e * e)) ** 2)


def softplus(a: Array) -> Array:
    """Return log(1 + exp(a)).

    Source: C. Dugas, Y. Bengio, F. Bélisle, C. Nadeau, R. Garcia, *Incorporating second-order functional knowledge for
    better option pricing*, NIPS 2000.
    """
    return np.maximum(a, 0.0) + np.log1p(np.exp(-np.abs(a)))


def softplus_derivative(a: Array) -> Array:
    """Return σ(a).

    Source: I. Goodfellow, Y. Bengio, A. Courville, *Deep Learning*, 2016, section 3.10.
    """
    return sigmoid(a)


def log_sigmoid(a: Array) -> Array:
    """Return log σ(a) = −softplus(−a)."""
    return -softplus(-a)


def log_sigmoid_derivative(a: Array) -> Array:
    """Return 1 − σ(a) = σ(−a).

    Source: Goodfellow, Bengio, Courville 2016, section 3.10, by log σ(a) = −ζ(−a).
    """
    return sigmoid(-a)


def softsign(a: Array) -> Array:
    """Return a / (1 + |a|).

    Source: X. Glorot, Y. Bengio, *Understanding the difficulty of training deep feedforward neural networks*, AISTATS
    2010, section 3.
    """
    return a / (1.0 + np.abs(a))


def softsign_derivative(a: Array) -> Array:
    """Return 1 / (1 + |a|)²; the two signs of a cancel in the quotient rule."""
    return np.asarray((1.0 / (1.0 + np.abs(a))) ** 2)


# --------------------------------------------------------------------------------------------------------- rectifiers


def relu(a: Array) -> Array:
    """Return max(a, 0).

    Source: V. Nair, G. Hinton, *Rectified linear units improve restricted Boltzmann machines*, ICML 2010.
    """
    return np.maximum(a, 0.0)


def relu_derivative(a: Array) -> Array:
    """Return the indicator of a > 0; at the kink 0."""
    return np.where(a > 0, 1.0, 0.0)


def relu6(a: Array) -> Array:
    """Return min(max(a, 0), 6).

    Source: A. Krizhevsky, *Convolutional deep belief networks on CIFAR-10*, 2010.
    """
    return np.asarray(np.minimum(np.maximum(a, 0.0), 6.0))


def relu6_derivative(a: Array) -> Array:
    """Return the indicator of 0 < a < 6; at the kinks 0."""
    return np.where((a > 0) & (a < 6), 1.0, 0.0)


def hardtanh(a: Array) -> Array:
    """Return min(max(a, −1), 1).

    Source: R. Collobert, *Large scale machine learning*, thesis, Paris 6, 2004.
    """
    return np.asarray(np.minimum(np.maximum(a, -1.0), 1.0))


def hardtanh_derivative(a: Array) -> Array:
    """Return the indicator of −1 < a < 1; at the kinks 0."""
    return np.where((a > -1) & (a < 1), 1.0, 0.0)


def hardsigmoid(a: Array) -> Array:
    """Return min(max(a + 3, 0), 6) / 6.

    Source: A. Howard et al., *Searching for MobileNetV3*, ICCV 2019, section 5.2.
    """
    return relu6(a + 3.0) / 6.0


def hardsigmoid_derivative(a: Array) -> Array:
    """Return ⅙ where −3 < a < 3, else 0."""
    return np.where((a > -3) & (a < 3), 1.0 / 6.0, 0.0)


def hardswish(a: Array) -> Array:
    """Return a min(max(a + 3, 0), 6) / 6.

    Source: Howard et al. 2019, section 5.2.
    """
    return a * hardsigmoid(a)


def hardswish_derivative(a: Array) -> Array:
    """Return 0 up to −3, a/3 + ½ between, 1 from 3 on: the product rule."""
    return np.where(a <= -3, 0.0, np.where(a < 3, a / 3.0 + 0.5, 1.0))


def leaky_relu(a: Array, slope: float = 0.01) -> Array:
    """Return ``a`` where it is positive, else ``slope`` times ``a``.

    Source: A. Maas, A. Hannun, A. Ng, *Rectifier nonlinearities improve neural network acoustic models*, 2013.
    """
    return np.where(a > 0, a, slope * a)


def leaky_relu_derivative(a: Array, slope: float = 0.01) -> Array:
    """Return 1 where a > 0, else ``slope``."""
    return np.where(a > 0, 1.0, slope)


def prelu(a: Array, slope: Array) -> Array:
    """Return ``a`` (N, C) where it is positive, else ``slope`` (C,) times ``a``; the slope is learnt.

    Source: K. He, X. Zhang, S. Ren, J. Sun, *Delving deep into rectifiers*, ICCV 2015, section 2.1.
    """
    return np.where(a > 0, a, slope * a)


def prelu_derivatives(a: Array, slope: Array) -> tuple[Array, Array]:
    """Return ∂h/∂a, which is 1 where a > 0 and else the slope, and ∂h/∂slope, which is 0 and else a; both (N, C).

    Source: He et al. 2015, section 2.1.
    """
    return np.where(a > 0, 1.0, slope), np.where(a > 0, 0.0, a)


def prelu_gradients(G: Array, a: Array, slope: Array) -> tuple[Array, Array]:
    """Return the gradients in ``a`` (N, C) and in the slopes (C,), each of which serves a whole column.

    Source: He et al. 2015, section 2.1: the gradient of a shared slope is the sum over all that share it.

    Args:
        G: the gradient in what the units give, shape (N, C).
        a: their activations, shape (N, C).
        slope: shape (C,).
    """
    in_a, in_slope = prelu_derivatives(a, slope)
    return G * in_a, np.asarray((G * in_slope).sum(axis=0))


# -------------------------------------------------------------------------------------------- exponential linear units


def elu(a: Array, alpha: float = 1.0) -> Array:
    """Return ``a`` where it is positive, else α (exp(a) − 1).

    Source: D. Clevert, T. Unterthiner, S. Hochreiter, *Fast and accurate deep network learning by exponential linear
    units*, ICLR 2016.
    """
    return np.where(a > 0, a, alpha * np.expm1(np.minimum(a, 0.0)))


def elu_derivative(a: Array, alpha: float = 1.0) -> Array:
    """Return 1 where a > 0, else α exp(a), which is h + α.

    Source: Clevert, Unterthiner, Hochreiter 2016.
    """
    return np.where(a > 0, 1.0, alpha * np.exp(np.minimum(a, 0.0)))


def selu(a: Array) -> Array:
    """Return λ times the ELU with α, where λ = 1.0507… and α = 1.6733….

    Source: G. Klambauer, T. Unterthiner, A. Mayr, S. Hochreiter, *Self-normalizing neural networks*, NeurIPS 2017.
    """
    return SELU_SCALE * elu(a, SELU_ALPHA)


def selu_derivative(a: Array) -> Array:
    """Return λ where a > 0, else λ α exp(a)."""
    return SELU_SCALE * elu_derivative(a, SELU_ALPHA)


def celu(a: Array, alpha: float = 1.0) -> Array:
    """Return ``a`` where it is positive, else α (exp(a / α) − 1), for α > 0.

    Source: J. Barron, *Continuously differentiable exponential linear units*, 2017, arXiv 1704.07483.
    """
    return np.where(a > 0, a, alpha * np.expm1(np.minimum(a, 0.0) / alpha))


def celu_derivative(a: Array, alpha: float = 1.0) -> Array:
    """Return 1 where a > 0, else exp(a / α)."""
    return np.where(a > 0, 1.0, np.exp(np.minimum(a, 0.0) / alpha))


# ------------------------------------------------------------------------------------------- a times a smooth step


def normal_distribution(a: Array) -> Array:
    """Return Φ(a) = ½ erfc(−a / √2), the share of a standard normal variable below ``a``."""
    return np.asarray(0.5 * np.vectorize(math.erfc, otypes=[np.float64])(a * -math.sqrt(0.5)))


def gelu(a: Array) -> Array:
    """Return a Φ(a).

    Source: D. Hendrycks, K. Gimpel, *Gaussian error linear units*, 2016, section 2.
    """
    return a * normal_distribution(a)


def gelu_derivative(a: Array) -> Array:
    """Return Φ(a) + a φ(a), by the product rule with Φ′ = φ = exp(−a²/2) / √(2π)."""
    near = np.clip(a, -FAR, FAR)
    return np.asarray(normal_distribution(a) + near * np.exp(-0.5 * near**2) / math.sqrt(2.0 * math.pi))


def gelu_tanh(a: Array) -> Array:
    """Return ½ a (1 + tanh u) with u = √(2/π) (a + 0.044715 a³).

    Source: Hendrycks, Gimpel 2016, section 2.
    """
    near = np.clip(a, -FAR, FAR)
    return np.asarray(a * sigmoid(2.0 * GELU_RATE * (near + GELU_CUBIC * near**3)))  # ½ (1 + tanh u) is σ(2u)


def gelu_tanh_derivative(a: Array) -> Array:
    """Return ½ (1 + tanh u) + ½ a u′ / cosh² u with u′ = √(2/π) (1 + 3 · 0.044715 a²).

    Source: the product and the chain rule on Hendrycks, Gimpel 2016, section 2.
    """
    near = np.clip(a, -FAR, FAR)
    u = GELU_RATE * (near + GELU_CUBIC * near**3)
    slope = GELU_RATE * (1.0 + 3.0 * GELU_CUBIC * near**2)
    return np.asarray(sigmoid(2.0 * u) + 0.5 * near * slope * sech_squared(u))


def silu(a: Array) -> Array:
    """Return a σ(a), also called swish.

    Source: S. Elfwing, E. Uchibe, K. Doya, *Sigmoid-weighted linear units*, Neural Networks 107, 2018.
    """
    return a * sigmoid(a)


def silu_derivative(a: Array) -> Array:
    """Return σ(a) (1 + a (1 − σ(a))).

    Source: Elfwing, Uchibe, Doya 2018.
    """
    return sigmoid(a) * (1.0 + a * sigmoid(-a))


def mish(a: Array) -> Array:
    """Return a tanh(softplus(a)).

    Source: D. Misra, *Mish: a self regularized non-monotonic activation function*, BMVC 2020.
    """
    return a * np.tanh(softplus(a))


def mish_derivative(a: Array) -> Array:
    """Return t + a (1 − t²) σ(a) with t = tanh(softplus(a)), by the product and the chain rule."""
    p = softplus(a)
    return np.tanh(p) + a * sech_squared(p) * sigmoid(a)
