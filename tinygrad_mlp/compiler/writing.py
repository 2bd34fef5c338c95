"""How a basic row is written in NumPy: as an expression that a person reads, and the ufunc that does the same."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tinygrad_mlp import ops
from tinygrad_mlp.rewrite import COPY, DOT, PICK, SUM_PRODUCT, TAKE, Term
from tinygrad_mlp.table import OPS

# The ufunc of each row that is one.
UFUNCS: dict[Any, Any] = {
    ops.add: np.add, ops.subtract: np.subtract, ops.multiply: np.multiply, ops.divide: np.divide,
    ops.negative: np.negative, ops.exp: np.exp, ops.log: np.log, ops.log1p: np.log1p, ops.expm1: np.expm1,
    ops.sqrt: np.sqrt, ops.square: np.square, ops.sign: np.sign, ops.abs: np.abs, ops.power: np.power,
    ops.greater: np.greater, ops.greater_equal: np.greater_equal, ops.less: np.less, ops.less_equal: np.less_equal,
    ops.equal: np.equal, ops.not_equal: np.not_equal, ops.logical_not: np.logical_not,
    ops.logical_and: np.logical_and, ops.logical_or: np.logical_or, ops.logical_xor: np.logical_xor,
    ops.isnan: np.isnan, ops.isinf: np.isinf, ops.isfinite: np.isfinite, ops.maximum: np.maximum,
    ops.minimum: np.minimum, ops.fmax: np.fmax, ops.fmin: np.fmin, ops.exp2: np.exp2, ops.log2: np.log2,
    ops.log10: np.log10, ops.cbrt: np.cbrt, ops.logaddexp: np.logaddexp, ops.logaddexp2: np.logaddexp2,
    ops.sin: np.sin, ops.cos: np.cos, ops.tan: np.tan, ops.arcsin: np.arcsin, ops.arccos: np.arccos,
    ops.arctan: np.arctan, ops.arctan2: np.arctan2, ops.hypot: np.hypot, ops.sinh: np.sinh, ops.cosh: np.cosh,
    ops.tanh: np.tanh, ops.arcsinh: np.arcsinh, ops.arccosh: np.arccosh, ops.arctanh: np.arctanh,
    ops.floor: np.floor, ops.ceil: np.ceil, ops.trunc: np.trunc, ops.rint: np.rint, ops.signbit: np.signbit,
    ops.heaviside: np.heaviside, ops.floor_divide: np.floor_divide, ops.remainder: np.remainder, ops.fmod: np.fmod,
    ops.copysign: np.copysign,
}  # fmt: skip
SIGNS = {
    ops.add: "+", ops.subtract: "-", ops.multiply: "*", ops.divide: "/", ops.power: "**", ops.matmul: "@",
    ops.greater: ">", ops.greater_equal: ">=", ops.less: "<", ops.less_equal: "<=", ops.equal: "==",
    ops.not_equal: "!=", ops.floor_divide: "//", ops.remainder: "%",
}  # fmt: skip
REDUCERS: dict[Any, str] = {
    ops.sum: "sum", ops.prod: "prod", ops.max: "max", ops.min: "min", ops.any: "any", ops.all: "all",
}  # fmt: skip
Name = Callable[[Any], str]


def expression(term: Term, name: Name) -> str:
    """Return a term as an expression of NumPy; ``name`` gives the text of an operand, in brackets if it needs some."""
    if term.is_number:
        return _of_numbers(term, name)
    op, xs, params = term.op, term.inputs, term.params
    if op in SIGNS:
        return f"{name(xs[0])} {SIGNS[op]} {name(xs[1])}"
    if op is ops.negative:
        return f"-{name(xs[0])}"
    if op in UFUNCS:
        return f"np.{_title(op)}({', '.join(map(name, xs))})"
    writer = WRITERS.get(op)
    if writer is not None:
        return writer(term, *map(name, xs))
    given = [*map(name, xs), *(f"{key}={value!r}" for key, value in params.items())]
    return f"{op.name}({', '.join(given)})"


def _title(op: Any) -> str:
    return "abs" if op is ops.abs else str(UFUNCS[op].__name__)


def _of_numbers(term: Term, name: Name) -> str:
    """Return a term of Python numbers, whose results stay such: NumPy's own would widen a float32 array."""
    op, xs = term.op, term.inputs
    a = [name(x) for x in xs]
    if op in (ops.add, ops.subtract, ops.multiply) or op in COMPARISONS:
        return f"{a[0]} {SIGNS[op]} {a[1]}"
    if op is ops.negative:
        return f"-{a[0]}"
    if op is ops.where:
        return f"{a[1]} if {a[0]} else {a[2]}"
    if op in UFUNCS:
        kind = term.dtype.__name__
        a = [f"float({x})" if y.dtype is int else x for x, y in zip(a, xs, strict=True)]
        return f"{kind}(np.{_title(op)}({', '.join(a)}))"
    return f"{op.name}({', '.join([*a, *(f'{key}={value!r}' for key, value in term.params.items())])})"


COMPARISONS = frozenset((ops.greater, ops.greater_equal, ops.less, ops.less_equal, ops.equal, ops.not_equal))


def is_elementwise(term: Term) -> bool:
    """Return whether a term runs one element at a time, by a ufunc or a choice."""
    return term.op in UFUNCS or term.op is ops.where


def is_plain(term: Term) -> bool:
    """Return whether a term is written without operators, so that it needs no brackets as an operand."""
    if term.is_number:
        return term.op not in SIGNS and term.op not in (ops.negative, ops.where)
    return term.op not in SIGNS and term.op is not ops.negative


def _reduction(term: Term, x: str) -> str:
    call = f"{x}.{REDUCERS[term.op]}" if x.isidentifier() else f"np.{REDUCERS[term.op]}"
    axis, n = term.params["axis"], term.inputs[0].ndim
    given = [] if x.isidentifier() else [x]
    if axis != tuple(range(n)):
        given.append(f"axis={axis[0] if len(axis) == 1 else axis}")
    if term.params.get("keepdims"):
        given.append("keepdims=True")
    return f"{call}({', '.join(given)})"


def _argument(term: Term, x: str) -> str:
    axis, keep = term.params.get("axis"), term.params.get("keepdims", False)
    given = [x, *([f"axis={axis}"] if axis is not None else []), *(["keepdims=True"] if keep else [])]
    return f"np.{term.op.name}({', '.join(given)})"


def _transpose(term: Term, x: str) -> str:
    axes = term.params["axes"]
    return f"{x}.T" if axes == tuple(range(len(axes)))[::-1] else f"np.transpose({x}, {axes})"


def _joined(term: Term, *xs: str) -> str:
    return f"np.{term.op.name}([{', '.join(xs)}], axis={term.params.get('axis', 0)})"


def dtype_text(dtype: Any) -> str:
    """Return a dtype as NumPy code."""
    dtype = np.dtype(dtype)
    return f"np.{dtype.name}" if dtype != np.dtype(bool) else "np.bool_"


def _astype(term: Term, x: str) -> str:
    if term.inputs[0].is_number:
        return f"np.asarray({x}, {dtype_text(term.dtype)})"
    return f"{x}.astype({dtype_text(term.dtype)})"


def index_text(index: Any) -> str:
    """Return an index as Python code; arrays of integers are written out."""
    parts = index if type(index) is tuple else (index,)
    texts = [_part(part) for part in parts]
    return ", ".join(texts) + ("," if type(index) is tuple and len(parts) == 1 else "") if parts else "()"


def _part(part: Any) -> str:
    if isinstance(part, slice):
        ends = ["" if x is None else str(x) for x in (part.start, part.stop)]
        return ":".join(ends) + ("" if part.step is None else f":{part.step}")
    if part is Ellipsis:
        return "..."
    if isinstance(part, np.ndarray):
        return f"np.array({part.tolist()}, {dtype_text(part.dtype)}).reshape({part.shape})"
    return str(part)


def _getitem(term: Term, x: str) -> str:
    text = f"{x}[{index_text(term.params['index'])}]"
    return text if term.shape else f"{text}[()]"  # with an Ellipsis it would show the memory of x


def _scatter(term: Term, x: str) -> str:
    index = term.params["index"]
    parts = index if type(index) is tuple else (index,)
    key = "(" + "".join(f"{_as_value(part)}, " for part in parts) + ")"
    return f"scatter({x}, {tuple(term.shape)}, {key})"


def _as_value(part: Any) -> str:
    if isinstance(part, slice):
        return f"slice({part.start}, {part.stop}, {part.step})"
    return "Ellipsis" if part is Ellipsis else _part(part)


def _take(term: Term, x: str, indices: str) -> str:
    axis = term.params.get("axis", -1)
    return f"np.take_along_axis({x}, {indices}, axis={axis})"


def _mask(term: Term, _x: str) -> str:
    p = term.params["p"]
    keep = 1 / (1 - p) if p < 1 else 0.0
    shape, dtype = tuple(term.shape), dtype_text(term.dtype)
    return f"np.where({rng_name(term)}.random({shape}) >= {p!r}, {keep!r}, 0.0).astype({dtype})"


def rng_name(term: Term) -> str:
    """Return what the generator of a random term is called; a seed makes a new one with every call."""
    rng = term.params["rng"]
    return f"np.random.default_rng({rng!r})" if isinstance(rng, int) else f"rng{id(rng)}"


WRITERS: dict[Any, Callable[..., str]] = {
    **dict.fromkeys(REDUCERS, _reduction),
    ops.argmax: _argument,
    ops.argmin: _argument,
    ops.matmul: lambda _t, a, b: f"{a} @ {b}",
    ops.where: lambda _t, c, a, b: f"np.where({c}, {a}, {b})",
    ops.reciprocal: lambda _t, x: f"1 / {x}",
    ops.reshape: lambda t, x: f"np.reshape({x}, {tuple(t.shape)})",
    ops.broadcast_to: lambda t, x: f"np.broadcast_to({x}, {tuple(t.shape)})",
    ops.transpose: _transpose,
    ops.concatenate: _joined,
    ops.stack: _joined,
    ops.astype: _astype,
    ops.getitem: _getitem,
    ops.scatter: _scatter,
    ops.take_along_axis: _take,
    OPS["dropout_mask"]: _mask,
    OPS["contraction"]: lambda t, *xs: f"np.einsum({t.params['subscripts']!r}, {', '.join(xs)}, optimize=True)",
    COPY: lambda _t, x: f"np.ascontiguousarray({x})",
    PICK: lambda _t, x, i, j: f"{x}[{i}, {j}]",
    TAKE: lambda t, x, places: f"np.take({x}, {places}, axis={t.params['axis']})",
    DOT: lambda _t, a, b: f"np.vdot({a}, {b})",
    SUM_PRODUCT: lambda _t, a, b: f"sum_product({a}, {b})",
    OPS["recurrence"]: lambda _t, a, b: f"recurrence({a}, {b})",
    ops.erf: lambda _t, x: f"erf({x})",
    ops.erfc: lambda _t, x: f"erfc({x})",
}


def is_literal(term: Term, size: int) -> bool:
    """Return whether a constant is short enough to be written out."""
    if term.is_number or term.number is not None or not term.size:
        return True
    return term.size <= size and bool(np.isfinite(term.value).all())


def literal(value: Any) -> str:
    """Return a small constant as Python code."""
    if type(value) is float:
        text = repr(value)
        return f"np.{text}" if text in ("inf", "nan") else f"-np.{text[1:]}" if text in ("-inf", "-nan") else text
    if type(value) in (int, bool):
        return repr(value)
    dtype = dtype_text(value.dtype)
    if not value.size:
        return f"np.zeros({value.shape}, {dtype})"
    if value.shape == () and np.isfinite(value):
        return f"{dtype}({value.item()!r})"
    if value.size and not any(value.strides):
        return f"np.full({value.shape}, {literal(value.flat[0].item())}, {dtype})"
    return f"np.array({np.array2string(value, separator=', ', threshold=value.size + 1)}, {dtype})"


Operands = Sequence[str]
