"""The field's gradients as derived by hand, in plain NumPy, each with its source; the engine is held against them.

Every weight matrix has shape (in, out), as in ``XW``; samples lie along the first axis, units or classes along the
last. Nothing overflows. What is mistaken in the notes is mended here; ``notes/claims.py`` has it as written.

Read ``units`` (hidden units), ``hidden_units`` (their table), ``outputs`` (softmax and losses), ``families`` (canonical
links), ``layers`` (affine maps, and the recursion for any depth), ``vector_units`` (maxout, radial basis, batch
normalising), then ``entry`` and ``catalogue``: ``CATALOGUE`` has each formula beside its function as operations, with
example inputs, ready for a check.
"""

from .catalogue import CATALOGUE
from .entry import Formula, Kind
from .families import (
    CANONICAL,
    CanonicalFamily,
    canonical_derivative,
    canonical_loss,
    find_canonical,
    gamma_reciprocal_derivative,
)
from .hidden_units import UNITS, Unit, UnitLike, find_units
from .layers import (
    OUTPUTS,
    ForwardPass,
    NetworkGradients,
    affine_gradients,
    affine_gradients_loops,
    affine_jacobians,
    backpropagate,
    backpropagate_loops,
    derivative_b1,
    derivative_b2,
    derivative_v,
    derivative_v_loops,
    derivative_w,
    derivative_w_loops,
    derivative_x,
    propagate,
    sample_gradients,
)
from .outputs import (
    across_samples,
    binary_cross_entropy,
    binary_cross_entropy_derivative,
    binary_cross_entropy_derivative_of_probability,
    cross_entropy,
    cross_entropy_derivative,
    log_likelihood,
    log_likelihood_derivative,
    log_softmax,
    log_softmax_jacobian,
    log_sum_exp,
    softmax,
    softmax_jacobian,
    softmax_pullback,
    squared_error,
    squared_error_derivative,
)
from .units import (
    Array,
    celu,
    celu_derivative,
    elu,
    elu_derivative,
    gelu,
    gelu_derivative,
    gelu_tanh,
    gelu_tanh_derivative,
    hardsigmoid,
    hardsigmoid_derivative,
    hardswish,
    hardswish_derivative,
    hardtanh,
    hardtanh_derivative,
    leaky_relu,
    leaky_relu_derivative,
    log_sigmoid,
    log_sigmoid_derivative,
    logistic_density,
    mish,
    mish_derivative,
    normal_distribution,
    prelu,
    prelu_derivatives,
    prelu_gradients,
    relu,
    relu6,
    relu6_derivative,
    relu_derivative,
    sech_squared,
    selu,
    selu_derivative,
    sigmoid,
    sigmoid_derivative,
    silu,
    silu_derivative,
    softplus,
    softplus_derivative,
    softsign,
    softsign_derivative,
    tanh,
    tanh_derivative,
)
from .vector_units import (
    batch_norm,
    batch_norm_gradients,
    maxout,
    maxout_gradients,
    radial_basis,
    radial_basis_gradients,
)

__all__ = [
    "CATALOGUE", "Formula", "Kind",
    "CANONICAL", "CanonicalFamily", "canonical_derivative", "canonical_loss", "find_canonical",
    "gamma_reciprocal_derivative",
    "UNITS", "Unit", "UnitLike", "find_units",
    "OUTPUTS", "ForwardPass", "NetworkGradients", "affine_gradients", "affine_gradients_loops", "affine_jacobians",
    "backpropagate", "backpropagate_loops", "derivative_b1", "derivative_b2", "derivative_v", "derivative_v_loops",
    "derivative_w", "derivative_w_loops", "derivative_x", "propagate", "sample_gradients",
    "across_samples", "binary_cross_entropy", "binary_cross_entropy_derivative",
    "binary_cross_entropy_derivative_of_probability", "cross_entropy", "cross_entropy_derivative", "log_likelihood",
    "log_likelihood_derivative", "log_softmax", "log_softmax_jacobian", "log_sum_exp", "softmax", "softmax_jacobian",
    "softmax_pullback", "squared_error", "squared_error_derivative",
    "Array", "celu", "celu_derivative", "elu", "elu_derivative", "gelu", "gelu_derivative", "gelu_tanh",
    "gelu_tanh_derivative", "hardsigmoid", "hardsigmoid_derivative", "hardswish", "hardswish_derivative", "hardtanh",
    "hardtanh_derivative", "leaky_relu", "leaky_relu_derivative", "log_sigmoid", "log_sigmoid_derivative",
    "logistic_density", "mish", "mish_derivative", "normal_distribution", "prelu", "prelu_derivatives",
    "prelu_gradients", "relu", "relu6", "relu6_derivative", "relu_derivative", "sech_squared", "selu",
    "selu_derivative", "sigmoid", "sigmoid_derivative", "silu", "silu_derivative", "softplus", "softplus_derivative",
    "softsign", "softsign_derivative", "tanh", "tanh_derivative",
    "batch_norm", "batch_norm_gradients", "maxout", "maxout_gradients", "radial_basis", "radial_basis_gradients",
]  # fmt: skip
