"""How a basic row is written in NumPy: as an expression that a person reads, and the ufunc that does the same."""

import ast
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
CHOICE, COMPARISON, SUM, PRODUCT, SIGN, POWER, ATOM = range(7)  # how tightly an expression holds together
LEVELS: dict[type, int] = {
    ast.IfExp: CHOICE, ast.Compare: COMPARISON, ast.Add: SUM, ast.Sub: SUM, ast.Mult: PRODUCT, ast.Div: PRODUCT,
    ast.MatMult: PRODUCT, ast.FloorDiv: PRODUCT, ast.Mod: PRODUCT, ast.UnaryOp: SIGN, ast.Pow: POWER,
}  # fmt: skip


def held(text: str, level: int) -> str:
    """Return an expression, in brackets if it holds together less tightly than ``level``."""
    if text.isidentifier():
        return text
    body = ast.parse(text, mode="eval").body
    own = LEVELS.get(type(body.op) if isinstance(body, ast.BinOp) else type(body), ATOM)
    return text if own >= level else f"({text})"


def _binary(op: Any, a: str, b: str) -> str:
    """Return two operands with the operator of a row between them."""
    if op is ops.power:
        return f"{held(a, ATOM)} ** {held(b, SIGN)}"
    if op in COMPARISONS:
        return f"{held(a, SUM)} {SIGNS[op]} {held(b, SUM)}"
    level = SUM if op in (ops.add, ops.subtract) else PRODUCT
    return f"{held(a, level)} {SIGNS[op]} {held(b, level + 1)}"


def expression(term: Term, name: Name) -> str:
    """Return a term as an expression of NumPy.

    Args:
        term: What is written.
        name: Gives the text of an operand, or of the generator that a random term draws from.
    """
    if term.is_number:
        return _of_numbers(term, name)
    op, xs, params = term.op, term.inputs, term.params
    if op in SIGNS:
        return _binary(op, name(xs[0]), name(xs[1]))
    if op is ops.negative:
        return f"-{held(name(xs[0]), POWER)}"
    if op in UFUNCS:
        return f"np.{_title(op)}({', '.join(map(name, xs))})"
    writer = WRITERS.get(op)
    if writer is not None:
        return writer(term, *map(name, [*xs, params["rng"]] if op.random else xs))
    given = [*map(name, xs), *(f"{key}={value!r}" for key, value in params.items())]
    return f"{op.name}({', '.join(given)})"


def _title(op: Any) -> str:
    return "abs" if op is ops.abs else str(UFUNCS[op].__name__)


def _of_numbers(term: Term, name: Name) -> str:
    """Return a term of Python numbers, whose results stay such: NumPy's own would widen a float32 array."""
    op, xs = term.op, term.inputs
    a = [name(x) for x in xs]
    if op in (ops.add, ops.subtract, ops.multiply) or op in COMPARISONS:
        return _binary(op, *a)
    if op is ops.negative:
        return f"-{held(a[0], POWER)}"
    if op is ops.where:
        return f"{held(a[1], COMPARISON)} if {held(a[0], COMPARISON)} else {a[2]}"
    if op in MATH:
        return f"{MATH[op]}({a[0]})"
    if op is ops.reciprocal:
        return f"float(np.divide(1.0, {a[0]}))"
    if op in UFUNCS:
        kind = term.dtype.__name__
        a = [_as_float(x) if y.dtype is int else x for x, y in zip(a, xs, strict=True)]
        return f"{kind}(np.{_title(op)}({', '.join(a)}))"
    return f"{op.name}({', '.join([*a, *(f'{key}={value!r}' for key, value in term.params.items())])})"


def _as_float(x: str) -> str:
    return f"{x}.0" if x.removeprefix("-").isdigit() else f"float({x})"


MATH: dict[Any, str] = {ops.erf: "math.erf", ops.erfc: "math.erfc"}
COMPARISONS = frozenset((ops.greater, ops.greater_equal, ops.less, ops.less_equal, ops.equal, ops.not_equal))


def is_elementwise(term: Term) -> bool:
    """Return whether a term runs one element at a time, by a ufunc or a choice."""
    return term.op in UFUNCS or term.op is ops.where


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
    return f"{held(x, ATOM)}.T" if axes == tuple(range(len(axes)))[::-1] else f"np.transpose({x}, {axes})"


def _joined(term: Term, *xs: str) -> str:
    return f"np.{term.op.name}([{', '.join(xs)}], axis={term.params.get('axis', 0)})"


def dtype_text(dtype: Any) -> str:
    """Return a dtype as NumPy code."""
    dtype = np.dtype(dtype)
    return f"np.{dtype.name}" if dtype != np.dtype(bool) else "np.bool_"


def _astype(term: Term, x: str) -> str:
    if term.inputs[0].is_number:
        return f"np.asarray({x}, {dtype_text(term.dtype)})"
    return f"{held(x, ATOM)}.astype({dtype_text(term.dtype)})"


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
    text = f"{held(x, ATOM)}[{index_text(term.params['index'])}]"
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


def _mask(term: Term, _x: str, rng: str) -> str:
    p = term.params["p"]
    keep = 1 / (1 - p) if p < 1 else 0.0
    shape, dtype = tuple(term.shape), dtype_text(term.dtype)
    return f"np.where({rng}.random({shape}) >= {p!r}, {keep!r}, 0.0).astype({dtype})"


WRITERS: dict[Any, Callable[..., str]] = {
    **dict.fromkeys(REDUCERS, _reduction),
    ops.argmax: _argument,
    ops.argmin: _argument,
    ops.where: lambda _t, c, a, b: f"np.where({c}, {a}, {b})",
    ops.reciprocal: lambda _t, x: f"1 / {held(x, SIGN)}",
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
    PICK: lambda _t, x, i, j: f"{held(x, ATOM)}[{i}, {j}]",
    TAKE: lambda t, x, places: f"np.take({x}, {places}, axis={t.params['axis']})",
    DOT: lambda _t, a, b: f"np.vdot({a}, {b})",
    SUM_PRODUCT: lambda _t, a, b: f"sum_product({a}, {b})",
    OPS["recurrence"]: lambda _t, a, b: f"recurrence({a}, {b})",
    ops.erf: lambda _t, x: f"erf({x})",
    ops.erfc: lambda _t, x: f"erfc({x})",
}


def is_literal(term: Term, size: int) -> bool:
    """Return whether a constant is short enough to be written out."""
    if term.is_number or term.number is not None or not term.size or is_range(term.value):
        return True
    return term.size <= size and bool(np.isfinite(term.value).all())


def is_range(value: Any) -> bool:
    """Return whether an array is 0, 1, 2 and so on, which ``np.arange`` writes more briefly."""
    return value.ndim == 1 and value.size > 3 and value.dtype.kind in "iuf" and np.array_equal(value, range(value.size))


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
    if is_range(value):
        return f"np.arange({value.size}{'' if value.dtype == np.int64 else f', dtype={dtype}'})"
    if value.shape == () and np.isfinite(value):
        return f"{dtype}({value.item()!r})"
    if value.size and not any(value.strides):
        return f"np.full({value.shape}, {literal(value.flat[0].item())}, {dtype})"
    return f"np.array({np.array2string(value, separator=', ', threshold=value.size + 1)}, {dtype})"


Operands = Sequence[str]
