"""How an elementwise row is written in C: as an expression of single elements, with NumPy's conventions."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tinygrad_mlp import ops
from tinygrad_mlp.rewrite import Term

C_TYPES = {"d": "double", "f": "float", "?": "uint8_t", "l": "int64_t", "q": "int64_t", "i": "int32_t"}
NUMBER_TYPES: dict[Any, str] = {float: "double", int: "int64_t", bool: "uint8_t"}
FLOATS = ("double", "float")

SIGNS = {ops.add: "+", ops.subtract: "-", ops.multiply: "*", ops.divide: "/"}
COMPARISONS = {
    ops.greater: ">", ops.greater_equal: ">=", ops.less: "<", ops.less_equal: "<=", ops.equal: "==",
    ops.not_equal: "!=",
}  # fmt: skip
LOGIC = {ops.logical_and: "&", ops.logical_or: "|", ops.logical_xor: "^"}
# Functions of one or two floats; float32 has the same names with the suffix f.
FUNCTIONS = {
    ops.exp: "exp", ops.log: "log", ops.log1p: "log1p", ops.expm1: "expm1", ops.sqrt: "sqrt", ops.exp2: "exp2",
    ops.log2: "log2", ops.log10: "log10", ops.cbrt: "cbrt", ops.sin: "sin", ops.cos: "cos", ops.tan: "tan",
    ops.arcsin: "asin", ops.arccos: "acos", ops.arctan: "atan", ops.sinh: "sinh", ops.cosh: "cosh", ops.tanh: "htan",
    ops.arcsinh: "asinh", ops.arccosh: "acosh", ops.arctanh: "atanh", ops.erf: "erf", ops.erfc: "erfc",
    ops.floor: "floor", ops.ceil: "ceil", ops.trunc: "trunc", ops.rint: "rint", ops.arctan2: "atan2",
    ops.hypot: "hypot", ops.fmod: "fmod", ops.copysign: "copysign", ops.fmax: "firstmost", ops.fmin: "firstleast",
    ops.sign: "sgn", ops.heaviside: "step", ops.logaddexp: "logsum", ops.logaddexp2: "logsum2",
    ops.remainder: "modulo", ops.floor_divide: "quotient", ops.power: "pow",
}  # fmt: skip
TESTS: dict[Any, Callable[[str], str]] = {
    ops.isnan: lambda x: f"({x} != {x})",
    ops.isinf: lambda x: f"(({x} == INFINITY) | ({x} == -INFINITY))",
    ops.isfinite: lambda x: f"({x} - {x} == 0)",
    ops.signbit: lambda x: f"(__builtin_signbit({x}) != 0)",
}
# Rows whose operands are of the result's type; they also serve integers.
PLAIN = frozenset((*SIGNS, ops.negative, ops.square, ops.maximum, ops.minimum, ops.where, ops.abs, ops.reciprocal))
ELEMENTWISE = frozenset((*PLAIN, *COMPARISONS, *LOGIC, *FUNCTIONS, *TESTS, ops.logical_not, ops.astype))


def c_type(term: Term) -> str | None:
    """Return the type of an element in C; None if there is none."""
    if term.is_number:
        return NUMBER_TYPES[term.dtype]
    return C_TYPES.get(term.dtype.char) if term.dtype.isnative else None


def compared_type(term: Term) -> str | None:
    """Return the type in which a comparison, or a test, of the operands of a term is made."""
    kinds: list[Any] = [x.dtype(1) if x.is_number else np.empty(0, x.dtype) for x in term.inputs]
    if all(x.is_number for x in term.inputs):
        return "double" if float in [x.dtype for x in term.inputs] else "int64_t"
    return C_TYPES.get(np.result_type(*kinds).char)


def is_element(term: Term) -> bool:
    """Return whether a term is one that C computes element by element."""
    if term.op not in ELEMENTWISE or any(x is None or c_type(x) is None for x in term.inputs):
        return False
    kind = c_type(term)
    if kind is None:
        return False
    if term.op in COMPARISONS or term.op in TESTS:
        return compared_type(term) in (("double", "float", "int64_t") if term.op in COMPARISONS else FLOATS)
    if term.op in LOGIC or term.op is ops.logical_not:
        return kind == "uint8_t"
    if term.op is ops.astype:
        return kind in FLOATS or c_type(term.inputs[0]) == kind
    if term.op is ops.where:
        return True
    if term.op in (ops.reciprocal, ops.divide) or term.op not in PLAIN:
        return kind in FLOATS
    return kind in (*FLOATS, "int64_t")


def literal(value: Any, kind: str) -> str:
    """Return a number as a constant of a type."""
    if kind not in FLOATS:
        return f"INT64_C({int(value)})" if kind == "int64_t" else str(int(value))
    value = float(value)
    if math.isinf(value) or math.isnan(value):
        text = "NAN" if value != value else "INFINITY" if value > 0 else "-INFINITY"
        return f"({kind}){text}"
    text = repr(value) if "." in repr(value) or "e" in repr(value) else f"{value!r}.0"
    text = f"(float){text}" if kind == "float" else text
    return f"({text})" if text[0] in "-(" else text


def cast(text: str, given: str, kind: str) -> str:
    """Return an element of a given type as one of another."""
    if given == kind:
        return text
    return f"({text} != 0)" if kind == "uint8_t" else f"(({kind}){text})"


def element(term: Term, xs: Sequence[str]) -> str:
    """Return the expression of one element of a term; ``xs`` are the names of the elements of its operands."""
    op, kind = term.op, c_type(term)
    given = [c_type(x) for x in term.inputs]
    if kind is None or None in given:
        raise AssertionError(f"{term} has no type in C")
    types = [str(g) for g in given]
    if op is ops.where:
        a, b = (cast(x, g, kind) for x, g in zip(xs[1:], types[1:], strict=True))
        return f"{cast(xs[0], types[0], 'uint8_t')} ? {a} : {b}"
    if op in COMPARISONS or op in TESTS:
        wide = compared_type(term) or "double"
        a, *rest = (cast(x, g, wide) for x, g in zip(xs, types, strict=True))
        return f"{a} {COMPARISONS[op]} {rest[0]}" if rest else TESTS[op](a)
    if op in LOGIC or op is ops.logical_not:
        tests = [cast(x, g, "uint8_t") for x, g in zip(xs, types, strict=True)]
        return f"!{tests[0]}" if len(tests) == 1 else f"{tests[0]} {LOGIC[op]} {tests[1]}"
    if op is ops.power and kind in FLOATS:
        special = _power(term, [cast(x, g, kind) for x, g in zip(xs, types, strict=True)], kind)
        if special:
            return special
    return _plain(op, [cast(x, g, kind) for x, g in zip(xs, types, strict=True)], kind)


def _plain(op: Any, xs: Sequence[str], kind: str) -> str:
    """Return the expression of a row whose operands have the type of the result."""
    suffix = "f" if kind == "float" else ""
    if op in SIGNS:
        return f"{xs[0]} {SIGNS[op]} {xs[1]}"
    if op is ops.negative:
        return f"-{xs[0]}"
    if op is ops.square:
        return f"{xs[0]} * {xs[0]}"
    if op is ops.reciprocal:
        return f"1 / {xs[0]}"
    if op is ops.astype:
        return xs[0]
    if op is ops.abs:
        return f"fabs{suffix}({xs[0]})" if kind in FLOATS else f"({xs[0]} < 0 ? -{xs[0]} : {xs[0]})"
    if op in (ops.maximum, ops.minimum):
        if kind not in FLOATS:
            return f"({xs[0]} {'>' if op is ops.maximum else '<'} {xs[1]} ? {xs[0]} : {xs[1]})"
        return f"{'most' if op is ops.maximum else 'least'}{suffix}({', '.join(xs)})"
    return f"{FUNCTIONS[op]}{suffix}({', '.join(xs)})"


def _power(term: Term, xs: Sequence[str], kind: str) -> str | None:
    """Return the power for the exponents for which NumPy has short ways, too."""
    exponent = term.inputs[1].number
    suffix = "f" if kind == "float" else ""
    x = xs[0]
    short: dict[float, str] = {2: f"{x} * {x}", 3: f"{x} * {x} * {x}", 1: x, 0: literal(1.0, kind), -1: f"1 / {x}"}
    short[0.5] = f"sqrt{suffix}({x})"
    return None if exponent is None or exponent != exponent else short.get(exponent)
