"""Expressions of sympy for the rows of the table that take numbers: what each computes, and what a graph computes.

A letter stands for a finite real number, so that no number is a NaN and none is infinite.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeAlias

from tinygrad_mlp.errors import UnsupportedError
from tinygrad_mlp.ops.activations import GELU_CUBIC, SELU_ALPHA, SELU_SCALE
from tinygrad_mlp.ops.elementwise import affine_inputs
from tinygrad_mlp.symbols import Symbol

from .formal import ordered
from .jumps import Jumps, exactly

Functions: TypeAlias = Mapping[str, Callable[..., Any]]

# ----------------------------------------------------------------------------------------------------------- the table


CONDITIONS = {"where": (0,), "logical_not": (0,), "logical_and": (0, 1), "logical_or": (0, 1), "logical_xor": (0, 1)}


def functions(jumps: Jumps) -> dict[str, Callable[..., Any]]:
    """Return, by the name of its op, the function that makes the expression of a row from those of its operands."""
    sp = jumps.sp
    smooth = {**_arithmetic(sp), **_elementary(sp), **_activations(sp)}
    return {**smooth, **_choices(jumps), **_pieces(jumps), **_steps(jumps)}


def _affine(*inputs: Any) -> Any:
    weights, values, total = affine_inputs(inputs)
    for w, x in zip(weights, values, strict=True):
        total = total + w * x
    return total


def _arithmetic(sp: Any) -> dict[str, Callable[..., Any]]:
    return {
        "add": lambda a, b: a + b,
        "subtract": lambda a, b: a - b,
        "multiply": lambda a, b: a * b,
        "divide": lambda a, b: a / b,
        "reciprocal": lambda x: 1 / x,
        "power": lambda a, b: a**b,
        "negative": lambda x: -x,
        "identity": lambda x: x,
        "square": lambda x: x**2,
        "one_minus_square": lambda x: 1 - x**2,
        "affine": _affine,
        "lerp": lambda a, b, weight: a + weight * (b - a),
        "deg2rad": lambda x: x * sp.pi / 180,
        "rad2deg": lambda x: x * 180 / sp.pi,
        "xlogy": lambda x, y: x * sp.log(y),
        "hypot": lambda a, b: sp.sqrt(a**2 + b**2),
        "arctan2": sp.atan2,
        "nan_to_num": lambda x, **_: x,
    }


def _elementary(sp: Any) -> dict[str, Callable[..., Any]]:
    return {
        "exp": sp.exp,
        "exp2": lambda x: sp.Integer(2) ** x,
        "expm1": lambda x: sp.exp(x) - 1,
        "log": sp.log,
        "log2": lambda x: sp.log(x) / sp.log(2),
        "log10": lambda x: sp.log(x) / sp.log(10),
        "log1p": lambda x: sp.log(1 + x),
        "sqrt": sp.sqrt,
        "rsqrt": lambda x: 1 / sp.sqrt(x),
        "logaddexp": lambda a, b: sp.log(sp.exp(a) + sp.exp(b)),
        "logaddexp2": lambda a, b: sp.log(sp.Integer(2) ** a + sp.Integer(2) ** b) / sp.log(2),
        "erf": sp.erf,
        "erfc": lambda x: 1 - sp.erf(x),
        "sin": sp.sin,
        "cos": sp.cos,
        "tan": sp.tan,
        "arcsin": sp.asin,
        "arccos": sp.acos,
        "arctan": sp.atan,
        "sinh": sp.sinh,
        "cosh": sp.cosh,
        "tanh": sp.tanh,
        "arcsinh": sp.asinh,
        "arccosh": sp.acosh,
        "arctanh": sp.atanh,
        "sinc": lambda x: sp.sin(sp.pi * x) / (sp.pi * x),
    }


def _choices(jumps: Jumps) -> dict[str, Callable[..., Any]]:
    larger, same, where = jumps.larger, jumps.same, jumps.where
    one, zero = jumps.sp.Integer(1), jumps.sp.Integer(0)

    def maximum(a: Any, b: Any) -> Any:
        return where(larger(a, b), a, b)

    def minimum(a: Any, b: Any) -> Any:
        return where(larger(a, b), b, a)

    def clip(x: Any, lower: Any, upper: Any) -> Any:
        x = x if lower is None else maximum(x, lower)
        return x if upper is None else minimum(x, upper)

    return {
        "greater": larger,
        "greater_equal": larger,
        "less": lambda a, b: larger(b, a),
        "less_equal": lambda a, b: larger(b, a),
        "equal": same,
        "not_equal": lambda a, b: 1 - same(a, b),
        "logical_not": lambda a: 1 - a,
        "logical_and": lambda a, b: a * b,
        "logical_or": lambda a, b: a + b - a * b,
        "logical_xor": lambda a, b: a + b - 2 * a * b,
        "isnan": lambda _x: zero,
        "isinf": lambda _x: zero,
        "isfinite": lambda _x: one,
        "signbit": lambda x: larger(0, x),
        "where": where,
        "maximum": maximum,
        "minimum": minimum,
        "fmax": maximum,
        "fmin": minimum,
        "clip": clip,
    }


def _activations(sp: Any) -> dict[str, Callable[..., Any]]:
    def sigmoid(x: Any) -> Any:
        return 1 / (1 + sp.exp(-x))

    def softplus(x: Any) -> Any:
        return sp.log(1 + sp.exp(x))

    def gelu(x: Any, approximate: str = "none") -> Any:
        if approximate == "tanh":
            return x * sigmoid(2 * sp.sqrt(2 / sp.pi) * (x + exactly(GELU_CUBIC) * x**3))
        return x * (1 + sp.erf(x / sp.sqrt(2))) / 2

    return {
        "sigmoid": sigmoid,
        "softplus": softplus,
        "log_sigmoid": lambda x: -softplus(-x),
        "silu": lambda x: x * sigmoid(x),
        "mish": lambda x: x * sp.tanh(softplus(x)),
        "gelu": gelu,
    }


def _pieces(jumps: Jumps) -> dict[str, Callable[..., Any]]:
    sp, larger, where = jumps.sp, jumps.larger, jumps.where
    six, third = sp.Integer(6), sp.Rational(1, 3)

    def between(x: Any, low: Any, high: Any, inside: Any, below: Any, above: Any) -> Any:
        return where(larger(x, low), where(larger(x, high), above, inside), below)

    def elu(x: Any, alpha: float = 1.0) -> Any:
        return where(larger(x, 0), x, exactly(alpha) * (sp.exp(x) - 1))

    def celu(x: Any, alpha: float = 1.0) -> Any:
        return where(larger(x, 0), x, exactly(alpha) * (sp.exp(x / exactly(alpha)) - 1))

    def logit(x: Any, eps: float | None = None) -> Any:
        inside = sp.log(x) - sp.log(1 - x)
        if eps is None:
            return inside
        low = exactly(eps)
        end = sp.log(low) - sp.log(1 - low)
        return between(x, low, 1 - low, inside, end, -end)

    def hardtanh(x: Any, min_val: float = -1.0, max_val: float = 1.0) -> Any:
        low, high = exactly(min_val), exactly(max_val)
        return between(x, low, high, x, low, high)

    return {
        "abs": lambda x: where(larger(x, 0), x, -x),
        "cbrt": lambda x: where(larger(x, 0), x**third, -((-x) ** third)),
        "softsign": lambda x: where(larger(x, 0), x / (1 + x), x / (1 - x)),
        "relu": lambda x: larger(x, 0) * x,
        "leaky_relu": lambda x, negative_slope=0.01: where(larger(x, 0), x, exactly(negative_slope) * x),
        "prelu": lambda x, weight: where(larger(x, 0), x, weight * x),
        "relu6": lambda x: between(x, 0, six, x, 0, six),
        "hardtanh": hardtanh,
        "hardsigmoid": lambda x: between(x, -3, 3, (x + 3) / six, 0, 1),
        "hardswish": lambda x: between(x, -3, 3, x * (x + 3) / six, 0, x),
        "elu": elu,
        "celu": celu,
        "selu": lambda x: exactly(SELU_SCALE) * elu(x, SELU_ALPHA),
        "logit": logit,
    }


def _steps(jumps: Jumps) -> dict[str, Callable[..., Any]]:
    sp, floor, larger, where = jumps.sp, jumps.floor, jumps.larger, jumps.where

    def trunc(x: Any) -> Any:
        return where(larger(x, 0), floor(x), -floor(-x))

    def rint(x: Any, decimals: int = 0) -> Any:  # a half goes to the even number, but halves are jumps
        scale = sp.Integer(10) ** decimals
        return floor(x * scale + sp.Rational(1, 2)) / scale

    def sign(x: Any) -> Any:
        return 2 * larger(x, 0) - 1

    return {
        "sign": sign,
        "floor": floor,
        "ceil": lambda x: -floor(-x),
        "trunc": trunc,
        "rint": rint,
        "round": rint,
        "heaviside": lambda x, at_zero: where(jumps.same(x, 0), at_zero, larger(x, 0)),
        "floor_divide": lambda a, b: floor(a / b),
        "remainder": lambda a, b: a - b * floor(a / b),
        "fmod": lambda a, b: a - b * trunc(a / b),
        "copysign": lambda a, b: a * sign(a) * sign(b),
    }


# ----------------------------------------------------------------------------------------------------------- of a graph


class Translation:
    """How formulas become expressions of sympy: the letters for what jumps, and the functions of rows.

    Args:
        more: functions of rows that the table here lacks, by name.
    """

    def __init__(self, more: Functions | None = None) -> None:
        self.jumps = Jumps()
        self.table = {**functions(self.jumps), **(more or {})}

    def expressions(self, roots: Iterable[Any], letters: Mapping[str, Any]) -> list[Any]:
        """Return the expressions of formulas, or of numbers.

        Args:
            roots: the formulas.
            letters: the sympy symbol of each letter.

        Raises:
            UnsupportedError: A row has no function here.
        """
        roots = list(roots)
        done: dict[int, Any] = {}
        for x in ordered(roots):
            done[id(x)] = letters[x.letter] if x.op is None else self._applied(x, done)
        return [done[id(root)] if type(root) is Symbol else self._number(root) for root in roots]

    def _number(self, x: Any) -> Any:
        x = float(x)
        return exactly(x) if x - x == 0 else self.jumps.constant(x)

    def _applied(self, x: Symbol, done: dict[int, Any]) -> Any:
        op: Any = x.op
        function = self.table.get(op.name)
        if function is None:
            raise UnsupportedError(
                f"check_exact: sympy has no expression for the op {op.name}: give one, functions={{{op.name!r}: ...}}, "
                "or use gradcheck, which compares numbers"
            )
        operands = [done[id(z)] if type(z) is Symbol else None if z is None else self._number(z) for z in x.inputs]
        for i in CONDITIONS.get(op.name, ()):  # a number is a condition, too: it holds where it is not 0
            z = x.inputs[i]
            if type(z) is not Symbol or z.dtype.kind != "b":
                operands[i] = 1 - self.jumps.same(operands[i], 0)
        return self.jumps.settled(self.jumps.sp.sympify(function(*operands, **x.params)))
