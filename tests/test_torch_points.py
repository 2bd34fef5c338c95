"""Elementwise rows agree with PyTorch's at special points: value and two derivatives, or there is a reason."""
# ruff: noqa: ARG005  (what says where a row differs takes all of the row's operands)

import math

import numpy as np
import pytest
from torch_cases import ACTIVATIONS, ELEMENTWISE

import tinygrad_mlp as tg

torch = pytest.importorskip("torch", reason="PyTorch, an optional oracle, is not installed")
pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning", "ignore::DeprecationWarning")

EPS = 2.0**-52
ONE = (0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 2.0, -2.0, 3.0, -3.0, 6.0, 1e-300, -1e-300, 1e300, -1e300, 1e-5, -1e-5, 20.0)
ONE += (-20.0, 30.0, -750.0, 750.0, 1 + EPS, 1 - EPS / 2, -1 - EPS, -1 + EPS / 2, math.inf, -math.inf, math.nan)
TWO = (0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 2.0, -3.0, 1e-100, 1e100, -1e100, math.inf, -math.inf)
ROWS = {**ELEMENTWISE, **ACTIVATIONS}
NAMES = {"max|binary": "maximum", "min|binary": "minimum"}  # PyTorch's functions, where the table has other names
UNARY = [
    *("abs", "ceil", "cos", "cosh", "deg2rad", "erf", "exp", "exp2", "expm1", "floor", "log", "log10", "log1p", "log2"),
    *("nan_to_num", "rad2deg", "reciprocal", "rsqrt", "sigmoid", "sign", "sin", "sinc", "sinh", "sqrt", "square"),
    *("tan", "tanh", "trunc", "logit", "acos", "acosh", "asin", "asinh", "atan", "atanh", "neg", "round", "frac"),
    *(f"nn.functional.{name}" for name in ("relu", "relu6", "leaky_relu", "elu", "celu", "selu", "gelu", "silu")),
    *(f"nn.functional.{name}" for name in ("mish", "softsign", "softplus", "logsigmoid", "hardtanh", "hardswish")),
]
BINARY = [
    *("add", "sub", "mul", "true_divide", "pow", "float_power", "copysign", "fmax", "fmin", "fmod", "remainder"),
    *("hypot", "atan2", "logaddexp", "logaddexp2", "xlogy", "max|binary", "min|binary", "clamp_min", "clamp_max"),
]
ORIGIN = "the derivatives at the origin are 0 here, PyTorch's are nan"
# Where the numbers differ: the row, from which order of derivative on, where, and why.
DIFFERS = {
    "hypot": (1, lambda a, b: (a == 0) & (b == 0), ORIGIN),
    "atan2": (2, lambda a, b: abs(np.log10(np.hypot(a, b) + 1e-300)) > 90, f"{ORIGIN}; PyTorch's squares overflow"),
    "copysign": (1, lambda a, b: np.isinf(a) | (a == 0), "PyTorch divides the result by a"),
    "sinc": (
        1,
        lambda x: (abs(x) < 1e-3) | (abs(x) > 1e200),
        "PyTorch's cancels near 0, where it is a power series here",
    ),
    "pow": (
        2,
        lambda a, b: (b == 0) | (a <= 0),
        "PyTorch takes x⁰ for a constant; 0⁰ and negative bases are nan there",
    ),
    "logaddexp": (1, lambda a, b: ~(abs(a - b) < 700), "PyTorch's is nan where the operands are far apart"),
    "remainder": (1, lambda a, b: (b == 0) | np.isinf(b), "the value is nan; the quotient rounds to 0"),
    "xlogy": (2, lambda a, b: (a == 0) & (b == 0), "the slope is 0 where a is 0; PyTorch's second derivative is nan"),
    "logit": (1, lambda x: (x <= 0) | (x >= 1), "the slope is positive at -0 too, and outside it is not a number"),
    "acosh": (1, lambda x: (x < 1) | np.isinf(x), "the value is nan; PyTorch's second derivative at infinity too"),
    "sign": (0, np.isnan, "the sign of nan is nan here, as in NumPy"),
    "nn.functional.softplus": (2, lambda x: x >= 20, "PyTorch takes x itself above 20"),
    "nn.functional.gelu": (0, lambda x: (x < -6) | (abs(x) > 1e100), "PyTorch loses the left tail"),
    "nn.functional.mish": (2, lambda x: abs(x) > 700, "PyTorch's overflows"),
    "expm1": (1, lambda x: x < -10, "PyTorch's slope y + 1 loses the left tail"),
}
DIFFERS["float_power"], DIFFERS["logaddexp2"] = DIFFERS["pow"], DIFFERS["logaddexp"]


def pytorchs(name):
    """PyTorch's function."""
    place = torch
    for part in NAMES.get(name, name).split("."):
        place = getattr(place, part)
    return place


def derivatives_of_theirs(f, xs):
    """By order: the value, the gradient of its sum, and the gradients of the sums of those."""
    leaves = [torch.tensor(x, requires_grad=True) for x in xs]

    def gradient(y):
        if not y.requires_grad:
            return [torch.zeros_like(x) for x in leaves]
        return torch.autograd.grad(y.sum(), leaves, create_graph=True, allow_unused=True, materialize_grads=True)

    y = f(*leaves)
    first = gradient(y)
    return [[y], first, [h for g in first for h in gradient(g)]]


def derivatives_of_ours(f, xs):
    n = range(len(xs))

    def first(*nodes):
        return tg.grad(lambda *inner: tg.sum(f(*inner)), n)(*nodes)

    second = [tg.grad(lambda *nodes, i=i: tg.sum(first(*nodes)[i]), n)(*xs) for i in n]
    return [[f(*xs)], first(*xs), [h for row in second for h in row]]


@pytest.mark.parametrize("name", [*UNARY, *BINARY])
def test_special_points(name):
    xs = [np.array(ONE)] if name in UNARY else [x.ravel() for x in np.meshgrid(TWO, TWO)]
    ours = derivatives_of_ours(ROWS[name], xs)
    theirs = derivatives_of_theirs(pytorchs(name), xs)
    start, where, _ = DIFFERS.get(name, (0, lambda *_: np.zeros(xs[0].shape, bool), ""))
    undefined = np.isnan(ours[0][0])
    for order in range(3):
        for a, b in zip(ours[order], theirs[order], strict=True):
            expected = b.detach().numpy(force=True)
            known = where(*xs) if order >= start else np.zeros(xs[0].shape, bool)
            known = known | (undefined & (order > 0))  # where the value is nan, libraries differ in the slope
            known = known | (np.isnan(a) & np.isnan(expected))
            known = known | ((order == 2) & infinite(a, expected))
            bad = ~known & ~np.isclose(a, expected, rtol=1e-10, atol=1e-290 if order == 1 else 1e-15)
            assert not bad.any(), [
                order,
                [[float(x[i]) for x in xs] + [a[i], expected[i]] for i in np.flatnonzero(bad)[:4]],
            ]


def infinite(a, b):
    """Where the second derivative is infinite, of which one library may say that it is nan."""
    return ~np.isfinite(a) & ~np.isfinite(b)


def test_each_difference_from_pytorch_has_a_row():
    assert set(DIFFERS) <= {*UNARY, *BINARY}
