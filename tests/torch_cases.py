"""PyTorch's operations in the library's words: what `test_torch_samples` compares, by the names of PyTorch's op_db.

Each function has PyTorch's signature and calls the library. A variant is named after a bar: `norm|fro`.
"""
# ruff: noqa: ARG005, PLW0108
# (each function has PyTorch's arguments, needed or not, and looks the library's up when it is called, not before)

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from torch_rarer_cases import RARER

import tinygrad_mlp as tg

Adapter = Callable[..., Any]


def _elementwise(*names: str) -> dict[str, Adapter]:
    """Operations with one name in both libraries, and no arguments but their operands."""
    return {name: lambda *xs, _name=name: getattr(tg, _name)(*xs) for name in names}


def _lengths(shape: Any) -> tuple[int, ...]:
    """A shape that PyTorch takes as a sequence or as several arguments."""
    return tuple(shape[0]) if len(shape) == 1 and not isinstance(shape[0], int) else tuple(shape)


ELEMENTWISE: dict[str, Adapter] = {
    **_elementwise(
        *("abs", "ceil", "copysign", "cos", "cosh", "deg2rad", "erf", "exp", "exp2", "expm1", "float_power", "floor"),
        *("fmax", "fmin", "fmod", "heaviside", "hypot", "log", "log10", "log1p", "log2", "logaddexp", "logaddexp2"),
        *("maximum", "minimum", "nan_to_num", "rad2deg", "reciprocal", "remainder", "rsqrt", "sigmoid", "sign", "sin"),
        *("sinc", "sinh", "sqrt", "square", "tan", "tanh", "trunc", "xlogy", "isfinite", "isinf", "isnan"),
        *("logical_and", "logical_not", "logical_or", "logical_xor", "lerp", "logit"),
        *("erfc", "signbit", "floor_divide"),
    ),
    "acos": tg.arccos,
    "acosh": tg.arccosh,
    "asin": tg.arcsin,
    "asinh": tg.arcsinh,
    "atan": tg.arctan,
    "atan2": tg.arctan2,
    "atanh": tg.arctanh,
    "add": lambda a, b, alpha=1: tg.add(a, b if alpha == 1 else tg.multiply(alpha, b)),
    "sub": lambda a, b, alpha=1: tg.subtract(a, b if alpha == 1 else tg.multiply(alpha, b)),
    "rsub": lambda a, b, alpha=1: tg.subtract(b, a if alpha == 1 else tg.multiply(alpha, a)),
    "mul": tg.multiply,
    "true_divide": tg.divide,
    "div|no_rounding_mode": tg.divide,
    "__radd__": lambda a, b: b + a,
    "__rsub__": lambda a, b: b - a,
    "__rmul__": lambda a, b: b * a,
    "__rdiv__": lambda a, b: b / a,
    "__rpow__": lambda a, b: b**a,
    "__rmod__": lambda a, b: b % a,
    "div|floor_rounding": lambda a, b, rounding_mode: tg.floor_divide(a, b),
    "div|trunc_rounding": lambda a, b, rounding_mode: tg.trunc(tg.divide(a, b)),
    "special.xlog1py": lambda a, b: tg.xlogy(a, 1 + b),
    "pow": tg.power,
    "neg": tg.negative,
    "positive": tg.identity,
    "round": tg.rint,
    "round|decimals_0": lambda x, decimals: tg.rint(x),
    "frac": lambda x: x - tg.trunc(x),
    "max|binary": tg.maximum,
    "min|binary": tg.minimum,
    "clamp": lambda x, min=None, max=None: tg.clip(x, min, max),
    "clamp_min": lambda x, min: tg.clip(x, min, None),
    "clamp_max": lambda x, max: tg.clip(x, None, max),
    "addcmul": lambda x, a, b, value=1: x + value * a * b,
    "addcdiv": lambda x, a, b, value=1: x + value * a / b,
    "ldexp": lambda x, n: x * tg.exp2(n),
    "where": lambda x, condition, y: tg.where(condition, x, y),
    "masked_fill": lambda x, mask, value: tg.where(mask, value, x),
    "eq": tg.equal,
    "ne": tg.not_equal,
    "gt": tg.greater,
    "ge": tg.greater_equal,
    "lt": tg.less,
    "le": tg.less_equal,
}

ACTIVATIONS: dict[str, Adapter] = {
    "nn.functional.relu": tg.relu,
    "nn.functional.relu6": tg.relu6,
    "nn.functional.leaky_relu": tg.leaky_relu,
    "nn.functional.prelu": lambda x, weight: tg.prelu(
        x, weight if len(x.shape) < 2 or not weight.shape else weight.reshape((-1,) + (1,) * (len(x.shape) - 2))
    ),
    "nn.functional.elu": tg.elu,
    "nn.functional.celu": tg.celu,
    "nn.functional.selu": tg.selu,
    "nn.functional.gelu": tg.gelu,
    "nn.functional.silu": tg.silu,
    "nn.functional.mish": tg.mish,
    "nn.functional.softsign": tg.softsign,
    "nn.functional.softplus": lambda x, beta=1, threshold=20: tg.where(
        x * beta > threshold, x, tg.softplus(x * beta) / beta
    ),
    "nn.functional.logsigmoid": tg.log_sigmoid,
    "nn.functional.hardtanh": tg.hardtanh,
    "nn.functional.hardsigmoid": tg.hardsigmoid,
    "nn.functional.hardswish": tg.hardswish,
    "nn.functional.glu": lambda x, dim=-1: tg.glu(x, axis=dim),
    "softmax": lambda x, dim: tg.softmax(x, axis=dim),
    "log_softmax": lambda x, dim: tg.log_softmax(x, axis=dim),
    "nn.functional.softmin": lambda x, dim: tg.softmin(x, axis=dim),
    "nn.functional.linear": lambda x, weight, bias=None: (
        tg.linear(x, weight.T, bias) if len(weight.shape) == 2 else x @ weight.T
    ),
    "nn.functional.normalize": lambda x, p=2.0, dim=1, eps=1e-12: tg.normalize(x, p, dim, eps),
    "nn.functional.layer_norm": tg.layer_norm,
    "nn.functional.rms_norm": tg.rms_norm,
    "nn.functional.cosine_similarity": lambda a, b, dim=1, eps=1e-8: tg.cosine_similarity(a, b, dim, eps),
}


def _reduction(name: str) -> Adapter:
    return lambda x, dim=None, keepdim=False, dtype=None: getattr(tg, name)(x, axis=dim, keepdims=keepdim)


def _spread_of(name: str) -> Adapter:
    """The variance, or its root, with one of PyTorch's three ways to say what is taken off the count."""

    def call(x: Any, dim: Any = None, unbiased: Any = True, keepdim: bool = False, correction: Any = None) -> Any:
        if isinstance(dim, bool):
            dim, unbiased = None, dim
        ddof = correction if correction is not None else 1 if unbiased else 0
        return getattr(tg, name)(x, axis=dim, ddof=ddof, keepdims=keepdim)

    return call


def _along(name: str) -> Adapter:
    return lambda x, dim=None, dtype=None: getattr(tg, name)(x, axis=dim)


def _at_rank(x: Any, dim: Any = None, keepdim: bool = False) -> Any:
    return tg.median(x, axis=dim, keepdims=keepdim)


def _norm(x: Any, p: Any = "fro", dim: Any = None, keepdim: bool = False) -> Any:
    """PyTorch's older norm: of all elements where no axis is named, and p alone decides."""
    if p == "nuc":
        return tg.norm(x, "nuc", axis=None if dim is None else tuple(dim), keepdims=keepdim)
    order = 2 if p == "fro" else p
    if dim is None:
        return tg.norm(x.reshape(-1), order)
    return tg.vector_norm(x, ord=order, axis=tuple(dim) if isinstance(dim, list) else dim, keepdims=keepdim)


def _linalg_norm(x: Any, ord: Any = None, dim: Any = None, keepdim: bool = False) -> Any:
    return tg.norm(x, ord, axis=dim, keepdims=keepdim)


def _vector_norm(x: Any, ord: Any = 2, dim: Any = None, keepdim: bool = False) -> Any:
    return tg.vector_norm(x, ord=ord, axis=dim, keepdims=keepdim)


def _matrix_norm(x: Any, ord: Any = "fro", dim: Any = (-2, -1), keepdim: bool = False) -> Any:
    return tg.norm(x, ord, axis=dim, keepdims=keepdim)


REDUCTIONS: dict[str, Adapter] = {
    "sum": _reduction("sum"),
    "mean": _reduction("mean"),
    "prod": _reduction("prod"),
    "amax": _reduction("max"),
    "amin": _reduction("min"),
    "max|reduction_no_dim": tg.max,
    "min|reduction_no_dim": tg.min,
    "aminmax": lambda x, dim=None, keepdim=False: (
        tg.min(x, axis=dim, keepdims=keepdim),
        tg.max(x, axis=dim, keepdims=keepdim),
    ),
    "all": _reduction("all"),
    "any": _reduction("any"),
    "argmax": _reduction("argmax"),
    "argmin": _reduction("argmin"),
    "count_nonzero": lambda x, dim=None: tg.count_nonzero(x, axis=dim),
    "nansum": _reduction("nansum"),
    "nanmean": _reduction("nanmean"),
    "logsumexp": _reduction("logsumexp"),
    "var": _spread_of("var"),
    "var|unbiased": _spread_of("var"),
    "std": _spread_of("std"),
    "std|unbiased": _spread_of("std"),
    "median": _at_rank,
    "cumsum": _along("cumsum"),
    "cumprod": _along("cumprod"),
    "logcumsumexp": _along("logcumsumexp"),
    "norm": _norm,
    "norm|fro": _norm,
    "norm|inf": _norm,
    "norm|nuc": _norm,
    "linalg.norm": _linalg_norm,
    "linalg.vector_norm": _vector_norm,
    "linalg.matrix_norm": _matrix_norm,
    "trace": tg.trace,
}


def _upper(factor: Any, upper: bool) -> Any:
    return tg.swapaxes(factor, -1, -2) if upper else factor


def _tensordot(a: Any, b: Any, dims: Any = 2) -> Any:
    return tg.tensordot(a, b, axes=dims)


LINEAR_ALGEBRA: dict[str, Adapter] = {
    "matmul": tg.matmul,
    "__rmatmul__": lambda a, b: b @ a,
    "mm": tg.matmul,
    "bmm": tg.matmul,
    "mv": tg.matmul,
    "addmm": lambda x, a, b, alpha=1, beta=1: beta * x + alpha * (a @ b),
    "addmv": lambda x, a, b, alpha=1, beta=1: beta * x + alpha * (a @ b),
    "addbmm": lambda x, a, b, alpha=1, beta=1: beta * x + alpha * tg.sum(a @ b, axis=0),
    "baddbmm": lambda x, a, b, alpha=1, beta=1: beta * x + alpha * (a @ b),
    "dot": lambda a, b: tg.dot(a, b),
    "vdot": lambda a, b: tg.vdot(a, b),
    "inner": lambda a, b: tg.inner(a, b),
    "outer": lambda a, b: tg.outer(a, b),
    "kron": lambda a, b: tg.kron(a, b),
    "cross": lambda a, b, dim=-1: tg.cross(a, b, axis=dim),
    "linalg.cross": lambda a, b, dim=-1: tg.cross(a, b, axis=dim),
    "linalg.vecdot": lambda a, b, dim=-1: tg.vecdot(a, b, axis=dim),
    "tensordot": _tensordot,
    "einsum": lambda xs, subscripts: tg.einsum(subscripts, *xs),
    "linalg.multi_dot": lambda xs: tg.multi_dot(xs),
    "linalg.det": lambda x: tg.det(x),
    "linalg.slogdet": lambda x: tuple(tg.slogdet(x)),
    "logdet": lambda x: tg.log(tg.det(x)),
    "linalg.inv": lambda x: tg.inv(x),
    "linalg.solve": lambda a, b: tg.solve(a, b) if len(b.shape) != len(a.shape) - 1 else (
        tg.solve(a, tg.expand_dims(b, -1))[..., 0]  # NumPy 2 takes only a 1-d b for a vector
    ),
    "linalg.cholesky": lambda x, upper=False: _upper(tg.cholesky(x), upper),
    "cholesky": lambda x, upper=False: _upper(tg.cholesky(x), upper),
    "linalg.matrix_power": lambda x, n: tg.matrix_power(x, n),
}  # fmt: skip

SHAPES: dict[str, Adapter] = {
    "reshape": lambda x, *shape: tg.reshape(x, _lengths(shape)),
    "view": lambda x, *shape: tg.reshape(x, _lengths(shape)),
    "ravel": tg.ravel,
    "flatten": lambda x, start_dim=0, end_dim=-1: tg.reshape(x, (*x.shape[:start_dim], -1)),
    "unflatten": lambda x, dim, sizes: tg.reshape(
        x, (*x.shape[: dim % len(x.shape)], *sizes, *x.shape[dim % len(x.shape) + 1 :])
    ),
    "transpose": lambda x, a, b: tg.swapaxes(x, a, b),
    "T": lambda x: x.T,
    "mT": lambda x: x.mT,
    "t": lambda x: x.T,
    "permute": lambda x, dims: tg.transpose(x, dims),
    "movedim": tg.moveaxis,
    "squeeze": lambda x, dim=None: tg.squeeze(x, dim),
    "squeeze|multiple": lambda x, dim: tg.squeeze(x, dim),
    "unsqueeze": lambda x, dim: tg.expand_dims(x, dim),
    "broadcast_to": tg.broadcast_to,
    "expand": lambda x, shape: tg.broadcast_to(
        x, [x.shape[i - len(shape)] if n == -1 else n for i, n in enumerate(shape)]
    ),
    "broadcast_tensors": lambda *xs: tg.broadcast_arrays(*xs),
    "flip": lambda x, dims: tg.flip(x, dims),
    "fliplr": lambda x: tg.flip(x, 1),
    "flipud": lambda x: tg.flip(x, 0),
    "rot90": lambda x, k=1, dims=(0, 1): tg.rot90(x, k, dims),
    "roll": lambda x, shifts, dims=None: tg.roll(x, shifts, dims),
    "repeat": lambda x, reps: tg.tile(x, reps),
    "tile": lambda x, reps: tg.tile(x, reps),
    "repeat_interleave": lambda x, repeats, dim=None, output_size=None: tg.repeat(x, repeats, axis=dim),
    "cat": lambda xs, dim=0: tg.concatenate(xs, axis=dim),
    "stack": lambda xs, dim=0: tg.stack(xs, axis=dim),
    "hstack": tg.hstack,
    "vstack": tg.vstack,
    "dstack": tg.dstack,
    "column_stack": tg.column_stack,
    "block_diag": lambda *xs: _block_diagonal(*xs),
    "chunk": lambda x, chunks, dim=0: _chunks(x, math.ceil(x.shape[dim] / chunks), dim),
    "split": lambda x, size, dim=0: _chunks(x, size, dim),
    "split|list_args": lambda x, sizes, dim=0: tg.split(x, np.cumsum(sizes)[:-1], axis=dim),
    "tensor_split": lambda x, places, dim=0: tg.array_split(x, _places(places), axis=dim),
    "hsplit": tg.hsplit,
    "vsplit": tg.vsplit,
    "dsplit": tg.dsplit,
    "unbind": lambda x, dim=0: tg.unstack(x, axis=dim),
    "meshgrid|variadic_tensors": lambda *xs, indexing: tg.meshgrid(*xs, indexing=indexing),
    "meshgrid|list_of_tensors": lambda xs, indexing: tg.meshgrid(*xs, indexing=indexing),
    **{
        f"atleast_{n}d": lambda x, _f=f: [_f(each) for each in x] if isinstance(x, list | tuple) else _f(x)
        for n, f in enumerate((tg.atleast_1d, tg.atleast_2d, tg.atleast_3d), start=1)
    },
    "diag": tg.diag,
    "diagflat": lambda x, offset=0: tg.diag(tg.ravel(x), offset),
    "diagonal": lambda x, offset=0, dim1=0, dim2=1: tg.diagonal(x, offset, dim1, dim2),
    "tril": tg.tril,
    "triu": tg.triu,
    "diff": lambda x, n=1, dim=-1, prepend=None, append=None: tg.diff(
        tg.concatenate([each for each in (prepend, x, append) if each is not None], axis=dim), n, axis=dim
    ),
    "trapezoid": lambda y, x=None, dx=1.0, dim=-1: tg.trapezoid(y, x, dx=dx, axis=dim),
    "nn.functional.pad|constant": lambda x, widths, mode="constant", value=0: _pad(x, widths, mode, value),
    "nn.functional.pad|reflect": lambda x, widths, mode: _pad(x, widths, mode),
    "nn.functional.pad|replicate": lambda x, widths, mode: _pad(x, widths, "edge"),
    "nn.functional.pad|circular": lambda x, widths, mode: _pad(x, widths, "wrap"),
}


def _places(places: Any) -> Any:
    return int(places) if isinstance(places, np.ndarray) and not places.shape else places


def _chunks(x: Any, size: int, axis: int) -> Any:
    """The parts of ``size`` along an axis, the last of which may be shorter."""
    return tg.array_split(x, list(range(size, x.shape[axis], size)), axis=axis)


def _block_diagonal(*xs: Any) -> Any:
    xs = [tg.atleast_2d(x) for x in xs]
    rows = [[x if i == j else np.zeros((x.shape[0], y.shape[1])) for j, y in enumerate(xs)] for i, x in enumerate(xs)]
    return tg.block(rows)


def _pad(x: Any, widths: Any, mode: str, value: Any = None) -> Any:
    """PyTorch names the last axis first, and only the axes that are padded."""
    pairs = [(widths[i], widths[i + 1]) for i in range(0, len(widths), 2)]
    pairs = [(0, 0)] * (len(x.shape) - len(pairs)) + pairs[::-1]
    return tg.pad(x, pairs, mode) if value is None or mode != "constant" else tg.pad(x, pairs, constant_values=value)


INDEXING: dict[str, Adapter] = {
    "__getitem__": lambda x, index: x[index],
    "select": lambda x, dim, i: x[(slice(None),) * (dim % len(x.shape)) + (i,)],
    "narrow": lambda x, dim, start, n: x[(slice(None),) * (dim % len(x.shape)) + (slice(int(start), int(start) + n),)],
    "index_select": lambda x, dim, index: tg.take(x, index, axis=dim) if x.shape else x,
    "take": lambda x, index: tg.take(x, index),
    "take_along_dim": lambda x, index, dim=None: (
        tg.take_along_axis(tg.ravel(x), index.ravel(), axis=0)
        if dim is None
        else tg.take_along_axis(x, index, axis=dim)
    ),
    "gather": lambda x, dim, index: tg.gather(x, dim, index),
    "scatter_add": lambda x, dim, index, src: tg.scatter_add(x, dim, index, src),
    "index_add": lambda x, dim, index, src, alpha=1: tg.index_add(
        x, (slice(None),) * (dim % len(x.shape)) + (index,), alpha * src
    ),
    "index_put": lambda x, index, values, accumulate=False: (
        tg.index_add(x, index, values) if accumulate else tg.index_update(x, index, values)
    ),
    "sort": lambda x, dim=-1, descending=False, stable=False: _sorted(x, dim, descending),
    "msort": lambda x: tg.sort(x, axis=0),
    "topk": lambda x, k, dim=-1, largest=True, sorted=True: tuple(tg.topk(x, k, axis=dim, largest=largest)),
}


def _sorted(x: Any, axis: int, descending: bool) -> Any:
    y, order = tg.sort(x, axis=axis), tg.argsort(x, axis=axis)
    return (tg.flip(y, axis), tg.flip(order, axis)) if descending else (y, order)


def _last_class(x: Any) -> Any:
    """PyTorch's classes are the second axis of many, here the last."""
    return tg.moveaxis(x, 1, -1) if len(x.shape) > 2 else x


def _cross_entropy(prediction: Any, target: Any, **how: Any) -> Any:
    soft = len(target.shape) == len(prediction.shape)
    return tg.cross_entropy(_last_class(prediction), _last_class(target) if soft else target, **how)


def _weighted(loss: Adapter) -> Adapter:
    """A loss that takes weights by name, called without them where there are none."""
    return lambda x, t, **how: loss(x, t, **{key: value for key, value in how.items() if value is not None})


LOSSES: dict[str, Adapter] = {
    "nn.functional.l1_loss": lambda x, t, reduction="mean": tg.l1_loss(x, t, reduction=reduction),
    "nn.functional.mse_loss": lambda x, t, reduction="mean": tg.mse_loss(x, t, reduction=reduction),
    "nn.functional.smooth_l1_loss": lambda x, t, **how: tg.smooth_l1_loss(x, t, **how),
    "nn.functional.huber_loss": lambda x, t, **how: tg.huber_loss(x, t, **how),
    "nn.functional.cross_entropy": _cross_entropy,
    "nn.functional.nll_loss": lambda x, t, **how: tg.nll_loss(_last_class(x), t, **how),
    "nn.functional.binary_cross_entropy": _weighted(lambda x, t, **how: tg.binary_cross_entropy(x, t, **how)),
    "nn.functional.binary_cross_entropy_with_logits": _weighted(
        lambda x, t, **how: tg.binary_cross_entropy_with_logits(x, t, **how)
    ),
    "nn.functional.kl_div": lambda x, t, **how: tg.kl_div(x, t, **how),
    "nn.functional.cosine_embedding_loss": lambda a, b, t, **how: tg.cosine_embedding_loss(a, b, t, **how),
    "nn.functional.hinge_embedding_loss": lambda x, t, **how: tg.hinge_embedding_loss(x, t, **how),
}

ADAPTERS = {
    **ELEMENTWISE,
    **ACTIVATIONS,
    **REDUCTIONS,
    **LINEAR_ALGEBRA,
    **SHAPES,
    **INDEXING,
    **LOSSES,
    **RARER,
}

# Samples whose meaning differs here, by the operation: why, and which.
_NUMBER = "PyTorch lets a number have axis 0 and -1, NumPy does not", lambda x, *_, **__: not x.shape
DIFFERS: dict[str, tuple[str, Callable[..., bool]]] = {
    **dict.fromkeys(
        ("median", "nanmedian"),
        (
            "PyTorch takes the lower of two middle elements, NumPy their mean",
            lambda x, dim=None, keepdim=False: not x.shape or (x.numel() if dim is None else x.shape[dim]) % 2 == 0,
        ),
    ),
    **dict.fromkeys(
        ("quantile", "nanquantile"),
        (
            "PyTorch lets a number have axis 0, and the fraction have a gradient",
            lambda x, q, dim=None, **_: (not x.shape and dim is not None) or getattr(q, "requires_grad", False),
        ),
    ),
    "nn.functional.gaussian_nll_loss": (
        "a target never broadcasts",
        lambda x, t, var, **_: t.shape != x.shape,
    ),
    "nn.functional.multi_margin_loss": (
        "a number is no vector of classes, and one vector has one label",
        lambda x, t, **_: x.shape[:-1] != t.shape or not x.shape,
    ),
    "tensordot": (
        "PyTorch lets an axis of length 1 meet any other, NumPy does not",
        lambda a, b, dims=2: (
            not isinstance(dims, int) and any(a.shape[i] != b.shape[j] for i, j in zip(*dims, strict=True))
        ),
    ),
    "squeeze": (
        "PyTorch leaves an axis of another length than 1 alone, NumPy raises",
        lambda x, dim=None: dim is not None and x.shape != () and x.shape[dim] != 1,
    ),
    "squeeze|multiple": (
        "PyTorch leaves an axis of another length than 1 alone and lets a number have axes, NumPy raises",
        lambda x, dim: not x.shape or any(x.shape[a] != 1 for a in dim),
    ),
    "diff": (
        "PyTorch's differences of order 0 leave out what is prepended, NumPy's are the joined array",
        lambda x, n=1, dim=-1, prepend=None, append=None: n == 0,
    ),
    **dict.fromkeys(
        [f"nn.functional.pad|{mode}" for mode in ("constant", "reflect", "replicate", "circular")],
        ("a negative width crops in PyTorch and is an error in NumPy", lambda x, widths, *_, **__: min(widths) < 0),
    ),
    **dict.fromkeys(("transpose", "sort", "cumsum", "cumprod", "index_add", "index_copy", "unfold"), _NUMBER),
    "cat": (
        "PyTorch leaves out an empty vector among arrays of more axes, NumPy raises",
        lambda xs, dim=0: len({x.ndim for x in xs}) > 1,
    ),
    "nn.functional.prelu": (
        "PyTorch's result has the shape of x, also where the weight has more axes",
        lambda x, weight: not x.shape,
    ),
}
# Operations whose derivative is not compared: why.
VALUES_ONLY = dict.fromkeys(("heaviside", "floor_divide"), "PyTorch has no derivative of it")
FIRST_ORDER = dict.fromkeys(
    ("nn.functional.hardsigmoid", "nn.functional.multi_margin_loss"), "PyTorch has no second derivative of it"
)
VALUE_AND_PLACE = ("median", "nanmedian")  # PyTorch gives where the value was found, too
COARSE = {"nn.functional.hardsigmoid": 1e-7}  # PyTorch's 1/6 has the digits of float32

# Calls that PyTorch refuses and NumPy allows, so that they are legal here too, by the operation.
LEGAL: dict[str, str] = {
    "masked_fill": "the value may have any shape that broadcasts",
    "mean": "a mean of integers is a float",
    "trace": "the trace of more axes is taken over two of them",
    "t": "transposes arrays of any number of axes",
    "roll": "shifts broadcast against axes",
    "narrow": "a slice beyond the end is empty",
    "tril": "of one axis, which is repeated, as in NumPy",
    "triu": "of one axis, which is repeated, as in NumPy",
    "index_add": "any index that NumPy reads, and values that broadcast",
    "linalg.cross": "vectors of two elements have a product, and operands broadcast",
    "nn.functional.prelu": "the weight may have any shape that broadcasts",
    "gradient": "one distance goes for all axes",
    "nn.functional.embedding": "indices take from an array of any number of axes",
}

# The operations of which PyTorch has samples of wrong calls.
REFUSED = (
    *("copysign", "float_power", "fmax", "fmin", "fmod", "heaviside", "hypot", "logaddexp", "maximum", "minimum"),
    *("remainder", "xlogy", "logical_and", "logical_or", "logical_xor", "atan2", "add", "sub", "rsub", "mul"),
    *("true_divide", "div|no_rounding_mode", "__radd__", "__rsub__", "__rmul__", "__rdiv__", "__rpow__", "pow", "neg"),
    *("max|binary", "min|binary", "clamp_min", "clamp_max", "ldexp", "where", "eq", "ne", "gt", "ge", "lt", "le"),
    *("nn.functional.gelu", "nn.functional.hardtanh", "nn.functional.rms_norm", "amax", "amin", "aminmax", "median"),
    *("logcumsumexp", "dot", "vdot", "reshape", "view", "T", "movedim", "fliplr", "flipud", "rot90"),
    *("cat", "hstack", "vstack", "dstack", "hsplit", "vsplit", "dsplit", "unbind", "diag", "diagonal"),
    *("diff", "index_select", "take", "gather", "scatter_add", "nn.functional.l1_loss"),
    *("nn.functional.huber_loss", "nn.functional.hinge_embedding_loss", "nn.functional.gaussian_nll_loss"),
    *("nn.functional.margin_ranking_loss", "nn.functional.multi_margin_loss", "nn.functional.poisson_nll_loss"),
    *("nn.functional.soft_margin_loss", "nn.functional.triplet_margin_loss", "linalg.diagonal", "masked_select"),
    *("floor_divide", "div|floor_rounding", "div|trunc_rounding", "__rmod__", "special.xlog1py"),
)
