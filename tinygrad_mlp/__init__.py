"""See, check and train neural networks as graphs.

``import tinygrad_mlp as tg``: nodes (``Tensor``, ``Value``), operations under NumPy's names, and transforms (``grad``,
``jvp``, …). Networks, optimizers, data, training, pictures and checks are packages of their own, loaded when first
used: ``tg.nn``, ``tg.optim``, ``tg.data``, ``tg.train``, ``tg.viz``, ``tg.check``, ``tg.export``.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from tinygrad_mlp.graph import no_grad, sources
from tinygrad_mlp.ops import (
    abs,
    absolute_error,
    add,
    affine,
    arccos,
    arccosh,
    arcsin,
    arcsinh,
    arctan,
    arctan2,
    arctanh,
    argmax,
    argmin,
    astype,
    binary_cross_entropy,
    binary_cross_entropy_with_logits,
    broadcast_to,
    cbrt,
    ceil,
    celu,
    clip,
    concatenate,
    copysign,
    cos,
    cosh,
    cosine_similarity,
    cross_entropy,
    deg2rad,
    divide,
    dropout,
    elu,
    equal,
    erf,
    exp,
    exp2,
    expand_dims,
    expm1,
    float_power,
    floor,
    fmax,
    fmin,
    fmod,
    gelu,
    getitem,
    glu,
    greater,
    greater_equal,
    hardsigmoid,
    hardswish,
    hardtanh,
    heaviside,
    hinge,
    hypot,
    identity,
    isfinite,
    isinf,
    isnan,
    layer_norm,
    leaky_relu,
    lerp,
    less,
    less_equal,
    linear,
    log,
    log1p,
    log2,
    log10,
    log_sigmoid,
    log_softmax,
    logaddexp,
    logaddexp2,
    logical_and,
    logical_not,
    logical_or,
    logical_xor,
    logit,
    logsumexp,
    matmul,
    max,
    maximum,
    mean,
    min,
    minimum,
    mish,
    multiply,
    nan_to_num,
    negative,
    normalize,
    not_equal,
    one_hot,
    power,
    prelu,
    rad2deg,
    reciprocal,
    relu,
    relu6,
    remainder,
    reshape,
    rint,
    rms_norm,
    rsqrt,
    scatter,
    selu,
    sigmoid,
    sign,
    silu,
    sin,
    sinc,
    sinh,
    softmax,
    softmin,
    softplus,
    softsign,
    sqrt,
    square,
    squared_error,
    squeeze,
    stack,
    subtract,
    sum,
    sum_to,
    swapaxes,
    tan,
    tanh,
    transpose,
    trunc,
    var,
    where,
    xlogy,
)
from tinygrad_mlp.table import defjvp, defvjp, defvjp_argnum, defvjps, primitive
from tinygrad_mlp.tensors import Tensor, Value, tensor
from tinygrad_mlp.transforms import grad, hessian, hvp, jacobian, jvp, value_and_grad, vjp

if TYPE_CHECKING:
    from tinygrad_mlp import check, data, export, nn, notes, optim, train, viz
    from tinygrad_mlp.check import gradcheck
    from tinygrad_mlp.viz import draw

__version__ = "0.1.0"

LAZY = {  # name -> the module that has it, or is it
    "check": "check",
    "data": "data",
    "draw": "viz",
    "export": "export",
    "gradcheck": "check",
    "nn": "nn",
    "notes": "notes",
    "optim": "optim",
    "train": "train",
    "viz": "viz",
}

__all__ = [
    "Tensor", "Value", "abs", "absolute_error", "add", "affine", "arccos", "arccosh", "arcsin", "arcsinh", "arctan",
    "arctan2", "arctanh", "argmax", "argmin", "astype", "binary_cross_entropy", "binary_cross_entropy_with_logits",
    "broadcast_to", "cbrt", "ceil", "celu", "check", "clip", "concatenate", "copysign", "cos", "cosh",
    "cosine_similarity", "cross_entropy", "data", "defjvp", "defvjp", "defvjp_argnum", "defvjps", "deg2rad", "divide",
    "draw", "dropout", "elu", "equal", "erf", "exp", "exp2", "expand_dims", "expm1", "export", "float_power", "floor",
    "fmax", "fmin", "fmod", "gelu", "getitem", "glu", "grad", "gradcheck", "greater", "greater_equal", "hardsigmoid",
    "hardswish", "hardtanh", "heaviside", "hessian", "hinge", "hvp", "hypot", "identity", "isfinite", "isinf",
    "isnan", "jacobian", "jvp", "layer_norm", "leaky_relu", "lerp", "less", "less_equal", "linear", "log", "log10",
    "log1p", "log2", "log_sigmoid", "log_softmax", "logaddexp", "logaddexp2", "logical_and", "logical_not",
    "logical_or", "logical_xor", "logit", "logsumexp", "matmul", "max", "maximum", "mean", "min", "minimum", "mish",
    "multiply", "nan_to_num", "negative", "nn", "no_grad", "normalize", "not_equal", "notes", "one_hot", "optim",
    "power", "prelu", "primitive", "rad2deg", "reciprocal", "relu", "relu6", "remainder", "reshape", "rint",
    "rms_norm", "rsqrt", "scatter", "selu", "sigmoid", "sign", "silu", "sin", "sinc", "sinh", "softmax", "softmin",
    "softplus", "softsign", "sources", "sqrt", "square", "squared_error", "squeeze", "stack", "subtract", "sum",
    "sum_to", "swapaxes", "tan", "tanh", "tensor", "train", "transpose", "trunc", "value_and_grad", "var", "viz",
    "vjp", "where", "xlogy",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    """Load a package, or a function of one, when it is first used."""
    if name not in LAZY:
        raise AttributeError(f"module 'tinygrad_mlp' has no attribute {name!r}")
    module = import_module(f"tinygrad_mlp.{LAZY[name]}")
    value = module if name == LAZY[name] else getattr(module, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """List the lazy names too."""
    return sorted(__all__)
