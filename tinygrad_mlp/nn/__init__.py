"""Networks: modules that hold parameters, layers, hidden and output units, the multilayer perceptron, scalar networks.

Read the modules in this order, in which they import each other: ``calls``, ``description``, ``module``, ``init``,
``layers``, ``units``, ``families``, ``mlp``, ``scalar``.
"""

from tinygrad_mlp.ops import (
    absolute_error,
    binary_cross_entropy,
    binary_cross_entropy_with_logits,
    cosine_embedding_loss,
    cross_entropy,
    gaussian_nll_loss,
    hinge,
    hinge_embedding_loss,
    huber_loss,
    kl_div,
    l1_loss,
    leaky_relu,
    log_softmax,
    margin_ranking_loss,
    mse_loss,
    multi_margin_loss,
    nll_loss,
    poisson_nll_loss,
    relu,
    sigmoid,
    smooth_l1_loss,
    soft_margin_loss,
    softmax,
    softplus,
    squared_error,
    tanh,
    triplet_margin_loss,
)

from . import init, scalar
from .families import FAMILIES, Bernoulli, Family, Gaussian, Multinomial, Poisson
from .layers import Dropout, Linear, Maxout, RadialBasis, Sequential
from .mlp import MLP
from .module import Module, Parameter
from .scalar import Neuron
from .units import HIDDEN_UNITS, HiddenUnit

__all__ = [
    "FAMILIES",
    "HIDDEN_UNITS",
    "MLP",
    "Bernoulli",
    "Dropout",
    "Family",
    "Gaussian",
    "HiddenUnit",
    "Linear",
    "Maxout",
    "Module",
    "Multinomial",
    "Neuron",
    "Parameter",
    "Poisson",
    "RadialBasis",
    "Sequential",
    "absolute_error",
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "cosine_embedding_loss",
    "cross_entropy",
    "gaussian_nll_loss",
    "hinge",
    "hinge_embedding_loss",
    "huber_loss",
    "init",
    "kl_div",
    "l1_loss",
    "leaky_relu",
    "log_softmax",
    "margin_ranking_loss",
    "mse_loss",
    "multi_margin_loss",
    "nll_loss",
    "poisson_nll_loss",
    "relu",
    "scalar",
    "sigmoid",
    "smooth_l1_loss",
    "soft_margin_loss",
    "softmax",
    "softplus",
    "squared_error",
    "tanh",
    "triplet_margin_loss",
]
