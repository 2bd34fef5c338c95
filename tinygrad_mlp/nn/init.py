"""Initial weights: how large they start, so that signals and gradients neither die out nor blow up through the layers.

Sources: X. Glorot, Y. Bengio, *Understanding the difficulty of training deep feedforward neural networks*, AISTATS
2010, eq. 16; K. He, X. Zhang, S. Ren, J. Sun, *Delving deep into rectifiers*, ICCV 2015, eq. 10; Y. LeCun, L. Bottou,
G. Orr, K.-R. Müller, *Efficient BackProp*, 1998, section 4.6. Both start the biases at zero.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_mlp.errors import UnsupportedError

Rng = int | np.random.Generator
Initializer = Callable[[int, int, np.random.Generator], Any]


def glorot_uniform(n_in: int, n_out: int, rng: np.random.Generator) -> Any:
    """Return weights (n_in, n_out) uniform in ±√(6 / (n_in + n_out)): for sigmoid, tanh, softmax and linear units."""
    limit = math.sqrt(6 / (n_in + n_out))
    return rng.uniform(-limit, limit, (n_in, n_out))


def glorot_normal(n_in: int, n_out: int, rng: np.random.Generator) -> Any:
    """Return normal weights (n_in, n_out) of variance 2 / (n_in + n_out)."""
    return rng.normal(0, math.sqrt(2 / (n_in + n_out)), (n_in, n_out))


def he_normal(n_in: int, n_out: int, rng: np.random.Generator) -> Any:
    """Return normal weights (n_in, n_out) of variance 2 / n_in: for rectified units, half of which are off."""
    return rng.normal(0, math.sqrt(2 / n_in), (n_in, n_out))


def he_uniform(n_in: int, n_out: int, rng: np.random.Generator) -> Any:
    """Return weights (n_in, n_out) uniform in ±√(6 / n_in), of the same variance."""
    limit = math.sqrt(6 / n_in)
    return rng.uniform(-limit, limit, (n_in, n_out))


def lecun_normal(n_in: int, n_out: int, rng: np.random.Generator) -> Any:
    """Return normal weights (n_in, n_out) of variance 1 / n_in: the sum keeps the variance of its inputs."""
    return rng.normal(0, math.sqrt(1 / n_in), (n_in, n_out))


def standard_normal(n_in: int, n_out: int, rng: np.random.Generator) -> Any:
    """Return weights (n_in, n_out) of variance 1: centres among standardised data, or what textbooks start from."""
    return rng.standard_normal((n_in, n_out))


INITIALIZERS: dict[str, Initializer] = {
    "glorot_uniform": glorot_uniform,
    "glorot_normal": glorot_normal,
    "he_normal": he_normal,
    "he_uniform": he_uniform,
    "lecun_normal": lecun_normal,
    "standard_normal": standard_normal,
}


def find_initializer(init: str | Initializer | None) -> Initializer:
    """Return the initializer of that name, or ``init`` itself; None means ``glorot_uniform``.

    Raises:
        UnsupportedError: The name is unknown.
    """
    if init is None:
        return glorot_uniform
    if callable(init):
        return init
    if init not in INITIALIZERS:
        raise UnsupportedError(f"init {init!r} is unknown: choose one of {', '.join(INITIALIZERS)}, or pass a function")
    return INITIALIZERS[init]
