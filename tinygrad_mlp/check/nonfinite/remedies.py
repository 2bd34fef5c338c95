"""What helps against a number that is not finite: by the op that gives it and by what stands around it.

The double ``where`` (JAX's FAQ, "gradients contain NaN where using where"; PyTorch's issues 10729 and 68425): a
``where`` that selects a bad branch away gives it the cotangent 0, and 0 · inf is nan; so a second ``where`` must keep
the op from ever seeing the bad number. Stable forms: Blanchard, D. J. Higham and N. J. Higham, "Accurately computing
the log-sum-exp and softmax functions", IMA Journal of Numerical Analysis 41 (2021).
"""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeAlias

GREAT = 1e30  # a number of this size has grown, in a program that was not meant to compute such
LIMIT = {"float64": "1.8e308, exp beyond 709", "float32": "3.4e38, exp beyond 88", "float16": "65504, exp beyond 11"}

GROWS = "a smaller learning rate, or clip the gradient"
SOFTPLUS = "log(1 + exp(x)) is softplus, which cannot overflow (and log(exp(a) + exp(b)) is logaddexp)"
NORMS = ("euclidean_norm", "vector_norm")
WORD = re.compile(r"(?<![.\w])[a-z]\w*")

Params: TypeAlias = Mapping[str, str]  # of a reduction, as one writes them: {"axis": "-1"}


@dataclass(frozen=True)
class Remedy:
    """What to do, in words, and as lines of code that give ``y``; the code is empty where none fits all cases.

    In the code ``x`` is the operand, ``a`` and ``b`` are the first and the second of several.

    Attributes:
        text: the words.
        code: the lines.
        of: if ``x`` is not the operand of the op itself: the ops of which one, further back, has it as its operand.
        meaning: what the letters of the code stand for, where they are no names of leaves.
    """

    text: str
    code: str = ""
    of: tuple[str, ...] = ()
    meaning: str = ""

    def named(self, meanings: Mapping[str, str]) -> "Remedy":
        """Return the remedy with the names of leaves for the letters, or with words on what these stand for."""
        words = set(WORD.findall(self.code))
        used = {letter: name for letter, name in meanings.items() if letter in words}
        taken = words - set(used)
        if all(name.isidentifier() and name not in taken for name in used.values()):
            return replace(self, code=WORD.sub(lambda word: used.get(word[0], word[0]), self.code))
        said = ", ".join(f"{letter} is {name}" for letter, name in used.items() if letter != name)
        return replace(self, meaning=said)


@dataclass(frozen=True)
class Situation:
    """What a remedy depends on.

    Attributes:
        op: the op, or "" for a leaf.
        phase: "forward" or "backward".
        values: the operands at the element; none where the op has no single element of each.
        result: the number that is not finite.
        cotangent: the gradient in the result there.
        finite: whether all operands are finite; at the element, where there is one.
        dtype: of the result.
        makers: the ops from which the operands come, up to three steps back, with their axis, ddof, keepdims.
        users: the ops to which the result goes, up to three steps on, each with the ops between, and the axis of these.
        numerator: "same" if the same, of the same operand, is the numerator of a quotient, "one" if 1 is; else "".
        negated: whether the operand is the negative of something.
        selector: what does not use the element later, in words; "" if nothing is known to.
        turn: the op in which an infinity turned into a nan; "" if none.
        empty: whether an operand has no elements.
        parameter: whether a leaf is a parameter of a module.
    """

    op: str
    phase: str = "forward"
    values: tuple[float, ...] = ()
    result: float = math.nan
    cotangent: float | None = None
    finite: bool = False
    dtype: str = "float64"
    makers: Mapping[str, Params] = field(default_factory=dict)
    users: Mapping[str, Mapping[str, Params]] = field(default_factory=dict)
    numerator: str = ""
    negated: bool = False
    selector: str = ""
    turn: str = ""
    empty: bool = False
    parameter: bool = False

    @property
    def overflows(self) -> bool:
        """Whether finite operands give an infinity, or a sum of them the nan of two."""
        return self.finite and (math.isinf(self.result) or not self.values)


Rule: TypeAlias = Callable[[Situation], Remedy | None]

# op -> the operand to be kept off, where the op is safe, a safe value, and the op on that
SAFE: dict[str, tuple[str, str, str, str]] = {
    "sqrt": ("x", "x > 0", "1.0", "tg.sqrt(safe)"),
    "rsqrt": ("x", "x > 0", "1.0", "tg.rsqrt(safe)"),
    "cbrt": ("x", "x != 0", "1.0", "tg.cbrt(safe)"),
    "reciprocal": ("x", "x != 0", "1.0", "tg.reciprocal(safe)"),
    "log": ("x", "x > 0", "1.0", "tg.log(safe)"),
    "log2": ("x", "x > 0", "1.0", "tg.log2(safe)"),
    "log10": ("x", "x > 0", "1.0", "tg.log10(safe)"),
    "log1p": ("x", "x > -1", "0.0", "tg.log1p(safe)"),
    "xlogy": ("b", "b > 0", "1.0", "tg.xlogy(a, safe)"),
    "divide": ("b", "b != 0", "1.0", "a / safe"),
    "floor_divide": ("b", "b != 0", "1.0", "tg.floor_divide(a, safe)"),
    "remainder": ("b", "b != 0", "1.0", "tg.remainder(a, safe)"),
    "fmod": ("b", "b != 0", "1.0", "tg.fmod(a, safe)"),
    "power": ("a", "a > 0", "1.0", "safe**b"),
    "arcsin": ("x", "abs(x) < 1", "0.0", "tg.arcsin(safe)"),
    "arccos": ("x", "abs(x) < 1", "0.0", "tg.arccos(safe)"),
    "arctanh": ("x", "abs(x) < 1", "0.0", "tg.arctanh(safe)"),
    "arccosh": ("x", "x > 1", "2.0", "tg.arccosh(safe)"),
    "logit": ("x", "abs(x - 0.5) < 0.5", "0.5", "tg.logit(safe)"),
    "exp": ("x", "x < 80", "0.0", "tg.exp(safe)"),
    "exp2": ("x", "x < 80", "0.0", "tg.exp2(safe)"),
    "expm1": ("x", "x < 80", "0.0", "tg.expm1(safe)"),
    "sinh": ("x", "abs(x) < 80", "0.0", "tg.sinh(safe)"),
    "cosh": ("x", "abs(x) < 80", "0.0", "tg.cosh(safe)"),
}


def remedy_for(s: Situation) -> Remedy | None:
    """Return what helps, or None where nothing is known.

    >>> print(remedy_for(Situation("sqrt", "backward", (0.0,), cotangent=0.0, selector="where at model.py:3")).code)
    mask = x > 0  # or the condition of your where
    safe = tg.where(mask, x, 1.0)
    y = tg.where(mask, tg.sqrt(safe), 0.0)
    """
    if s.phase == "backward" and s.cotangent == 0 and s.op in SAFE:
        stable = _exponential(s) if s.op == "exp" and not s.selector else None
        return stable or double_where(s.op, _unused(s), s.selector.startswith("where"))
    if s.phase == "backward" and s.cotangent == 0 and not all(map(math.isfinite, s.values)):
        return _finite_only(s)
    rule = RULES.get(s.op)
    found = rule(s) if rule is not None else None
    return found or (_overflow(s) if s.overflows and s.op else None)


def double_where(op: str, text: str, condition: bool = False) -> Remedy:
    """Return the double ``where`` around an op."""
    name, mask, safe, call = SAFE[op]
    return Remedy(
        text,
        f"mask = {mask}{'  # or the condition of your where' * condition}\n"
        f"safe = tg.where(mask, {name}, {safe})\n"
        f"y = tg.where(mask, {call}, 0.0)",
    )


def _unused(s: Situation) -> str:
    by = f"the {s.selector} does not use this element" if s.selector else "this element is not used later"
    return (
        f"{by}, so its cotangent is 0, but the op was computed there all the same, and 0 · inf is nan: "
        f"let {s.op} never see it (the double where)"
    )


def _finite_only(s: Situation) -> Remedy | None:
    """Return the double ``where`` around an op that is safe wherever its operand is finite."""
    name, call = "x", f"tg.{s.op}(safe)"
    if s.op == "multiply":
        name, call = ("a", "safe * b") if not math.isfinite(s.values[0]) else ("b", "a * safe")
    elif len(s.values) != 1:
        return None
    mask = f"mask = tg.isfinite({name}){'  # or the condition of your where' * s.selector.startswith('where')}"
    return Remedy(_unused(s), f"{mask}\nsafe = tg.where(mask, {name}, 0.0)\ny = tg.where(mask, {call}, 0.0)")


def _overflow(s: Situation) -> Remedy:
    what = f"{s.dtype} ends at {LIMIT.get(s.dtype, 'some number')}"
    if s.values and max(map(abs, s.values)) > GREAT and s.dtype == "float64":
        return Remedy(f"{what}, and the operands are beyond {GREAT:.0e} already: {GROWS}, or scale the numbers")
    if s.dtype in ("float32", "float16"):
        names = {1: "x", 2: "ab"}.get(len(s.values), "")
        code = "\n".join(f"{v} = tg.astype({v}, dtype=np.float64)  # before {s.op}" for v in names)
        return Remedy(f"{what}: compute this part in float64, or scale the numbers", code)
    return Remedy(f"{what}: scale the numbers, or compute with logarithms")


# ---------------------------------------------------------------------------------------------------------- rules by op


def _leaf(s: Situation) -> Remedy:
    if s.parameter:
        return Remedy(
            "a parameter is not finite before anything is computed: the step that made it so was too long or had a nan "
            "gradient. Run where_nan on the loss before that step, lower the learning rate, clip the gradients"
        )
    return Remedy(
        "the number is not finite before anything is computed: clean the data",
        "y = tg.nan_to_num(x, nan=0.0, posinf=0.0, neginf=0.0)  # or leave such rows out",
    )


def _sqrt(s: Situation) -> Remedy | None:
    (x,) = s.values
    if x < 0:
        return Remedy(
            "the root of a negative number: if it is negative by rounding, clip it (at a positive number: at 0 the "
            "derivative is inf)",
            f"y = tg.{s.op}(tg.clip(x, 1e-12, None))",
        )
    if s.op == "sqrt" and "sum" in s.makers and {"square", "multiply", "power"} & set(s.makers):
        code = _call("norm", s.makers["sum"], "axis", "keepdims")
        squares = ("square", "multiply", "power")
        return Remedy("norm has the derivative 0 at 0, where sqrt(sum(x²)) has inf · 0", code, squares)
    if s.op == "sqrt" and "var" in s.makers:
        code = _call("std", s.makers["var"], "axis", "ddof", "keepdims")
        return Remedy("std has the derivative 0 where all are equal, where sqrt(var) has inf · 0", code, ("var",))
    return Remedy("the derivative at 0 is infinite: keep away from 0", f"y = tg.{s.op}(x + 1e-12)")


def _cbrt(_: Situation) -> Remedy:
    return Remedy(
        "the derivative of the cube root at 0 is infinite: leave it out there",
        "mask = x != 0\nsafe = tg.where(mask, x, 1.0)\ny = tg.where(mask, tg.cbrt(safe), 0.0)",
    )


def _log(s: Situation) -> Remedy | None:
    (x,) = s.values
    if "softmax" in s.makers:
        return Remedy(
            "the probability underflows to 0: take softmax and log in one (or cross_entropy of the linear predictor)",
            _call("log_softmax", s.makers["softmax"], "axis"),
            ("softmax",),
        )
    if "sigmoid" in s.makers:
        sign = "-" if "subtract" in s.makers else ""
        return Remedy(
            "the probability rounds to 0: take sigmoid and log in one (or binary_cross_entropy_with_logits)"
            + (", and log(1 - σ(x)) is log σ(-x)" if sign else ""),
            f"y = tg.log_sigmoid({sign}x)",
            ("sigmoid",),
        )
    if {"exp", "sum", "divide"} <= set(s.makers):
        return _log_softmax(s.makers["sum"], ("exp",))
    if "exp" in s.makers and "sum" in s.makers:
        code = _call("logsumexp", s.makers["sum"], "axis", "keepdims")
        return Remedy("the exponentials underflow: subtract their maximum first", code, ("exp",))
    if "multiply" in s.users and x == 0 and s.turn == "multiply":
        return Remedy(
            "a · log(x) is 0 where a is 0, whatever x is: keep the logarithm from seeing that x (xlogy(a, x) has the "
            "value, but no finite slope in x)",
            f"safe = tg.where(a != 0, x, 1.0)\ny = a * tg.{s.op}(safe)",
        )
    lowest = {"log1p": "-1 + 1e-7"}.get(s.op, "1e-12")
    return Remedy(
        f"{s.op} of {'the edge of its domain' if math.isinf(s.result) else 'a number outside of its domain'}: clip it",
        f"y = tg.{s.op}(tg.clip(x, {lowest}, None))",
    )


def _xlogy(_: Situation) -> Remedy:
    return Remedy("the logarithm of 0 counts here: clip it", "y = tg.xlogy(a, tg.clip(b, 1e-12, None))")


def _exponential(s: Situation) -> Remedy | None:
    if s.op != "exp":
        return None
    if "log1p" in s.users:
        return Remedy(SOFTPLUS, "y = tg.softplus(x)")
    between = s.users.get("log")
    if between is not None and not {"divide", "reciprocal"} & set(between):
        if "sum" in between:
            code = _call("logsumexp", between["sum"], "axis", "keepdims")
            return Remedy("subtract the maximum before exp: logsumexp does", code)
        return Remedy(SOFTPLUS, "y = tg.softplus(x)")
    quotient = s.users.get("divide", s.users.get("reciprocal"))
    if quotient is None:
        return None
    if "sum" in quotient:
        return _log_softmax(quotient["sum"]) if between is not None else _softmax_of(quotient["sum"])
    if not s.numerator or "subtract" in quotient:
        return Remedy(
            "functions of the table cannot overflow: 1 / (1 + e⁻ˣ) is tg.sigmoid(x), x / (1 + e⁻ˣ) is tg.silu(x), "
            "(eˣ - e⁻ˣ) / (eˣ + e⁻ˣ) is tg.tanh(x)"
        )
    sign = "" if s.numerator == "same" or s.negated else "-"  # 1 / (1 + eˣ) is σ(-x), eˣ / (1 + eˣ) is σ(x)
    of = ("negative",) if s.negated and s.numerator == "one" else ()
    return Remedy("1 / (1 + exp(-x)) is sigmoid, which cannot overflow", f"y = tg.sigmoid({sign}x)", of)


def _call(name: str, params: Params, *taken: str) -> str:
    """Return a call on ``x`` with those params of a reduction that the function takes, too."""
    given = [f"{key}={params[key]}" for key in taken if key in params]
    return f"y = tg.{name}({', '.join(['x', *given])})"


def _softmax_of(total: Params, of: tuple[str, ...] = ()) -> Remedy:
    return Remedy("subtract the maximum before exp: softmax does", _call("softmax", total, "axis"), of)


def _log_softmax(total: Params, of: tuple[str, ...] = ()) -> Remedy:
    text = "this is log softmax: taken in one it neither overflows nor underflows"
    return Remedy(text, _call("log_softmax", total, "axis"), of)


def _exp(s: Situation) -> Remedy:
    limit = f"{s.dtype} ends at {LIMIT.get(s.dtype, 'some number')}"
    clip = "-80.0, 80.0" if s.op in ("sinh", "cosh") else "None, 80.0"
    text = f"{limit}: work with the logarithm, or clip the exponent"
    return _exponential(s) or Remedy(text, f"y = tg.{s.op}(tg.clip(x, {clip}))")


def _divide(s: Situation) -> Remedy | None:
    b = s.values[-1]
    if (b == 0 or math.isinf(b)) and {"exp", "sum"} <= set(s.makers):
        return (_log_softmax if "log" in s.users else _softmax_of)(s.makers["sum"], ("exp",))
    if b == 0 and set(NORMS) & set(s.makers):
        norm = s.makers.get("euclidean_norm", s.makers.get("vector_norm", {}))
        code = f"y = tg.normalize(x, axis={norm.get('axis', '-1')})"
        if norm.get("axis", "").startswith("("):  # normalize takes one axis
            code = "y = x / tg.maximum(" + _call("norm", norm, "axis", "keepdims").removeprefix("y = ") + ", 1e-12)"
        return Remedy("a vector of length 0 has no direction: normalize gives 0 there", code, NORMS)
    if b == 0:
        return double_where(s.op, "division by 0: divide only where the divisor is not 0 (the double where)")
    return None


def _power(s: Situation) -> Remedy | None:
    a, b = s.values
    if a < 0 and b != round(b):
        if abs(b - 1 / 3) < 1e-6:
            return Remedy("a negative number has a real cube root, but no power 1/3", "y = tg.cbrt(a)")
        return Remedy(
            "a negative number has no real power with a fractional exponent: take the power of its size",
            "y = tg.sign(a) * tg.abs(a) ** b",
        )
    if a == 0 and b < 0:
        return double_where("power", "0 to a negative power is infinite: leave it out (the double where)")
    if a == 0:
        return Remedy("the derivative of a power below 1 is infinite at 0: keep away from 0", "y = (a + 1e-12) ** b")
    if abs(a) > GREAT:
        return Remedy(f"the numbers grow beyond {s.dtype} from step to step: {GROWS}")
    if a < 0:
        return Remedy(
            "the power overflows: work with the logarithm of its size",
            "y = b * tg.log(-a)  # the logarithm of abs(a**b)",
        )
    return Remedy("the power overflows: work with its logarithm", "y = b * tg.log(a)  # the logarithm of a**b")


def _arc(s: Situation) -> Remedy:
    (x,) = s.values
    beyond = "outside of -1 … 1, often by rounding" if abs(x) > 1 else "at ±1, where the derivative is infinite"
    return Remedy(f"{s.op} {beyond}: clip", f"y = tg.{s.op}(tg.clip(x, -1 + 1e-7, 1 - 1e-7))")


def _arccosh(_: Situation) -> Remedy:
    return Remedy(
        "arccosh below 1, or at 1, where the derivative is infinite: clip", "y = tg.arccosh(tg.clip(x, 1 + 1e-7, None))"
    )


def _logit(_: Situation) -> Remedy:
    return Remedy("logit at 0 or 1, or outside: give eps", "y = tg.logit(x, eps=1e-7)")


def _multiply(s: Situation) -> Remedy | None:
    if 0 not in s.values or not any(map(math.isinf, s.values)):
        return None
    factor, other = ("b", "a") if s.values[0] == 0 else ("a", "b")
    return Remedy(
        "0 · inf: multiplying by 0 does not mask an infinity; select with where, before and after (the double where)",
        f"mask = {other} != 0\nsafe = tg.where(mask, {factor}, 1.0)\ny = tg.where(mask, {other} * safe, 0.0)",
    )


def _difference(s: Situation) -> Remedy | None:
    if s.overflows:
        return None
    return Remedy(
        "inf - inf: two infinities are combined; find why each is infinite, take the difference before the function "
        "that overflows (log a - log b is log(a / b)), and mask with a large finite number instead of -inf"
    )


def _mean(s: Situation) -> Remedy | None:
    if s.empty:
        return Remedy(f"the {s.op} of no elements: 0 / 0", "y = tg.sum(x) / max(x.size, 1)")
    return _difference(s)


def _spread(s: Situation) -> Remedy | None:
    if s.phase == "forward" and not math.isinf(s.result):
        return Remedy(
            "no more elements than ddof: divide by n instead of n - ddof, and take more than none",
            f"y = tg.{s.op}(x, ddof=0)",
        )
    return None


def _softmax(s: Situation) -> Remedy | None:
    if s.empty:
        return None
    return Remedy(
        "every element of the row is -inf, or one is inf: mask with a large finite number instead of -inf",
        f"y = tg.{s.op}(tg.clip(x, -1e30, 1e30))",
    )


def _determinant(_: Situation) -> Remedy:
    return Remedy("the matrix is singular: regularize it", "y = tg.slogdet(x + 1e-6 * np.eye(len(x)))[1]")


def _spectrum(s: Situation) -> Remedy:
    return Remedy(
        f"{s.op} has no derivative at equal eigenvalues or singular values: use what does not depend on the choice of "
        "vectors (eigenvalues, projections, norms), or make the values distinct with a small perturbation"
    )


RULES: dict[str, Rule] = {
    "": _leaf,
    "sqrt": _sqrt, "rsqrt": _sqrt, "cbrt": _cbrt,
    "log": _log, "log2": _log, "log10": _log, "log1p": _log, "xlogy": _xlogy, "logit": _logit,
    "exp": _exp, "exp2": _exp, "expm1": _exp, "sinh": _exp, "cosh": _exp,
    "divide": _divide, "floor_divide": _divide, "remainder": _divide, "fmod": _divide, "reciprocal": _divide,
    "power": _power, "multiply": _multiply, "add": _difference, "subtract": _difference, "sum": _difference,
    "arcsin": _arc, "arccos": _arc, "arctanh": _arc, "arccosh": _arccosh,
    "mean": _mean, "var": _spread, "std": _spread,
    "softmax": _softmax, "log_softmax": _softmax, "logsumexp": _softmax,
    "log_abs_determinant": _determinant,
    "eigenvectors": _spectrum, "left_vectors": _spectrum, "right_vectors": _spectrum,
}  # fmt: skip
