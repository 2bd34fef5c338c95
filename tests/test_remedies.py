"""Run the code of every remedy that ``where_nan`` gives: it must be finite, with all gradients, at the bad numbers."""

import math

import numpy as np
import pytest

import tinygrad_mlp as tg
from tinygrad_mlp import Tensor, Value
from tinygrad_mlp.backward import cotangents
from tinygrad_mlp.check.nonfinite import where_nan
from tinygrad_mlp.check.nonfinite.remedies import RULES, SAFE, Situation, remedy_for

A = np.array

# what is computed; its inputs; the op that is blamed; a piece of the code
FORWARD = [
    (tg.sqrt, (A([1.0, -1e-17]),), "sqrt", "tg.sqrt(tg.clip(x, 1e-12"),
    (tg.rsqrt, (A([1.0, -1.0]),), "rsqrt", "tg.clip"),
    (tg.rsqrt, (A([1.0, 0.0]),), "rsqrt", "+ 1e-12"),
    (tg.log, (A([1.0, 0.0]),), "log", "tg.log(tg.clip"),
    (tg.log2, (A([1.0, -2.0]),), "log2", "tg.log2(tg.clip"),
    (tg.log10, (A([1.0, 0.0]),), "log10", "tg.log10(tg.clip"),
    (tg.log1p, (A([1.0, -1.0]),), "log1p", "-1 + 1e-7"),
    (lambda x: tg.log(tg.softmax(x)), (A([0.0, -2000.0]),), "log", "tg.log_softmax(x)"),
    (lambda x: tg.log(tg.sigmoid(x)), (A([0.0, -2000.0]),), "log", "tg.log_sigmoid(x)"),
    (lambda x: tg.log(1.0 - tg.sigmoid(x)), (A([0.0, 2000.0]),), "log", "tg.log_sigmoid(-x)"),
    (lambda x: tg.log(tg.sum(tg.exp(x))), (A([-2000.0, -2000.0]),), "log", "tg.logsumexp(x)"),
    (lambda x: tg.log(tg.sum(tg.exp(x))), (A([0.0, 2000.0]),), "exp", "tg.logsumexp(x)"),
    (lambda x: tg.log(1.0 + tg.exp(x)), (A([0.0, 2000.0]),), "exp", "tg.softplus(x)"),
    (lambda a: a * tg.log(a), (A([1.0, 0.0]),), "log", "a * tg.log(safe)"),
    (tg.xlogy, (A([1.0, 2.0]), A([1.0, 0.0])), "xlogy", "tg.xlogy(a, tg.clip(b"),
    (tg.exp, (A([1.0, 1000.0]),), "exp", "tg.clip(x, None, 80.0)"),
    (tg.exp, (A([1.0, 100.0], np.float32),), "exp", "tg.clip(x, None, 80.0)"),
    (tg.exp2, (A([1.0, 2000.0]),), "exp2", "tg.exp2"),
    (tg.expm1, (A([1.0, 1000.0]),), "expm1", "tg.expm1"),
    (tg.sinh, (A([1.0, -1000.0]),), "sinh", "tg.sinh"),
    (tg.cosh, (A([1.0, 1000.0]),), "cosh", "tg.cosh"),
    (lambda x: tg.exp(x) / tg.sum(tg.exp(x)), (A([1.0, 1000.0]),), "exp", "tg.softmax(x)"),
    (lambda x: tg.exp(x) / (1.0 + tg.exp(x)), (A([1.0, 1000.0]),), "exp", "tg.sigmoid(x)"),
    (lambda a, b: a / b, (A([1.0, 0.0]), A([2.0, 0.0])), "divide", "a / safe"),
    (lambda a, b: a / b, (A([1.0, 3.0]), A([2.0, 0.0])), "divide", "a / safe"),
    (tg.floor_divide, (A([1.0, 3.0]), A([2.0, 0.0])), "floor_divide", "tg.floor_divide(a, safe)"),
    (tg.remainder, (A([1.0, 3.0]), A([2.0, 0.0])), "remainder", "tg.remainder(a, safe)"),
    (tg.fmod, (A([1.0, 3.0]), A([2.0, 0.0])), "fmod", "tg.fmod(a, safe)"),
    (lambda x: x / tg.norm(x), (np.zeros(3),), "divide", "tg.normalize(x, axis=0)"),
    (tg.reciprocal, (A([1.0, 0.0]),), "reciprocal", "tg.reciprocal(safe)"),
    (lambda a, b: a**b, (A([-8.0]), A([0.4])), "power", "tg.sign(a) * tg.abs(a) ** b"),
    (lambda a, b: a**b, (A([-8.0]), A([1 / 3])), "power", "tg.cbrt(a)"),
    (lambda a, b: a**b, (A([0.0]), A([-1.0])), "power", "safe**b"),
    (lambda a, b: a**b, (A([1e20]), A([20.0])), "power", "b * tg.log(a)"),
    (lambda a, b: a**b, (A([-1e20]), A([21.0])), "power", "b * tg.log(-a)"),
    (tg.arccos, (A([0.5, 1.0000000001]),), "arccos", "tg.arccos(tg.clip"),
    (tg.arcsin, (A([0.5, -1.5]),), "arcsin", "tg.arcsin(tg.clip"),
    (tg.arctanh, (A([0.5, 1.0]),), "arctanh", "tg.arctanh(tg.clip"),
    (tg.arccosh, (A([2.0, 0.5]),), "arccosh", "tg.arccosh(tg.clip"),
    (tg.logit, (A([0.5, 1.0]),), "logit", "eps=1e-7"),
    (lambda a, b: a * tg.log(b), (A([2.0, 0.0]), A([1.0, 0.0])), "log", "a * tg.log(safe)"),
    (lambda a, b: a * b, (A([0.0]), A([math.inf])), "", "b, 1.0"),
    (lambda a, b: a * b, (A([math.inf]), A([0.0])), "", "a, 1.0"),
    (lambda x: x * 2.0, (A([1.0, math.nan, math.inf]),), "", "tg.nan_to_num(x"),
    (tg.mean, (np.zeros((0, 2)),), "mean", "tg.sum(x) / max(x.size, 1)"),
    (lambda x: tg.var(x, ddof=1), (np.ones(1),), "var", "ddof=0"),
    (lambda x: tg.std(x, ddof=1), (np.ones(1),), "std", "ddof=0"),
    (tg.softmax, (A([-math.inf, -math.inf]),), "", "tg.softmax(tg.clip"),
    (tg.log_softmax, (A([-math.inf, -math.inf]),), "", "tg.log_softmax(tg.clip"),
    (tg.logsumexp, (A([-math.inf, -math.inf]),), "", "tg.nan_to_num"),
    (lambda x: tg.slogdet(x)[1], (np.ones((2, 2)),), "log_abs_determinant", "np.eye(len(x))"),
]
BACKWARD = [
    (tg.sqrt, (A([1.0, 0.0]),), "sqrt", "tg.sqrt(x + 1e-12)"),
    (lambda x: tg.sqrt(tg.sum(tg.square(x))), (np.zeros(3),), "sqrt", "tg.norm(x)"),
    (lambda x: tg.sqrt(tg.sum(x**2)), (np.zeros(3),), "sqrt", "tg.norm(x)"),
    (lambda x: tg.sqrt(tg.var(x)), (np.ones(3),), "sqrt", "tg.std(x)"),
    (tg.cbrt, (A([1.0, 0.0]),), "cbrt", "tg.cbrt(safe)"),
    (lambda a, b: a**b, (A([0.0]), A([0.5])), "power", "(a + 1e-12) ** b"),
    (tg.arccos, (A([0.5, 1.0]),), "arccos", "tg.arccos(tg.clip"),
    (tg.arcsin, (A([0.5, -1.0]),), "arcsin", "tg.arcsin(tg.clip"),
    (tg.arccosh, (A([2.0, 1.0]),), "arccosh", "tg.arccosh(tg.clip"),
    (lambda x: 1.0 / (1.0 + tg.exp(x)), (A([0.0, 1000.0]),), "exp", "tg.sigmoid(-x)"),
    (lambda x: 1.0 / (1.0 + tg.exp(-x)), (A([0.0, -1000.0]),), "exp", "tg.sigmoid(x)"),
    (tg.log, (A([1e-320]),), "log", "tg.log(tg.clip"),
]
DROPPED = {  # what where() drops of each op that has a safe place
    "sqrt": 0.0, "rsqrt": 0.0, "cbrt": 0.0, "reciprocal": 0.0, "log": 0.0, "log2": 0.0, "log10": 0.0, "log1p": -1.0,
    "arcsin": 1.0, "arccos": 1.0, "arctanh": 1.0, "arccosh": 1.0, "logit": 1.0,
    "exp": 1e4, "exp2": 1e4, "expm1": 1e4, "sinh": 1e4, "cosh": 1e4,
}  # fmt: skip
DROPPED_OF_TWO = {"divide": (1.0, 0.0), "power": (0.0, 0.5), "xlogy": (1.0, 0.0)}


def assert_cured(code, names):
    """The code gives finite numbers and finite gradients for leaves of these names."""
    given = {name: tg.Tensor(x) if isinstance(x, np.ndarray) else Value(x) for name, x in names.items()}
    scope = {"tg": tg, "np": np, **given}
    with np.errstate(all="ignore"):
        exec(code, scope)
        y = scope["y"]
        y = tg.sum(y) if isinstance(y, Tensor) else y
    assert math.isfinite(y.item()), code
    if y.requires_grad:
        for g in cotangents(y).values():
            assert np.isfinite(g).all(), code


def named(inputs):
    return {"a": inputs[0], "x": inputs[-1], **({"b": inputs[1]} if len(inputs) > 1 else {})}


@pytest.mark.parametrize(
    ("f", "inputs", "op", "piece", "phase"),
    [(*case, "forward") for case in FORWARD] + [(*case, "backward") for case in BACKWARD],
)
def test_the_code_of_a_remedy_is_finite_where_the_op_was_not(f, inputs, op, piece, phase):
    report = where_nan(f, *inputs)
    assert (report.phase, report.op) == (phase, op), str(report)
    assert piece in report.remedy.code, str(report)
    assert report.remedy.code in str(report).replace("\n      ", "\n").replace("\n    ", "\n")
    assert_cured(report.remedy.code, named(inputs))


@pytest.mark.parametrize("op", DROPPED)
def test_the_double_where_cures_what_where_drops(op):
    f = getattr(tg, op)
    bad = DROPPED[op]
    inputs = A([0.25 if op != "arccosh" else 2.0, bad])
    report = where_nan(lambda x: tg.sum(tg.where(x != bad, f(x), 0.0)), inputs)
    assert (report.phase, report.op, report.index) == ("backward", op, (1,)), str(report)
    assert "safe = tg.where(mask, " in report.remedy.code
    assert "condition of your where" in report.remedy.code
    assert_cured(report.remedy.code, {"x": inputs})
    report = where_nan(lambda x: tg.where(x.data != bad, f(x), 0.0), bad)
    assert (report.phase, report.op, report.index) == ("backward", op, ()), str(report)
    assert_cured(report.remedy.code, {"x": bad})


@pytest.mark.parametrize("op", DROPPED_OF_TWO)
def test_the_double_where_cures_what_where_drops_of_two_operands(op):
    a, b = DROPPED_OF_TWO[op]
    keep = A([True, False])
    inputs = A([2.0, a]), A([3.0, b])
    report = where_nan(lambda a, b: tg.sum(tg.where(keep, getattr(tg, op)(a, b), 0.0)), *inputs)
    assert (report.phase, report.op) == ("backward", op), str(report)
    assert_cured(report.remedy.code, named(inputs))


@pytest.mark.parametrize("op", ["cos", "sin", "square", "tan", "silu"])
def test_an_operand_that_is_itself_not_finite_is_kept_from_the_op(op):
    f = getattr(tg, op)
    report = where_nan(lambda x: tg.sum(tg.where(tg.isfinite(x), f(x), 0.0)), A([1.0, math.nan]))
    assert (report.phase, report.op, report.index) == ("backward", op, (1,))
    assert_cured(report.remedy.code, {"x": A([1.0, math.nan])})
    report = where_nan(lambda x: tg.where(tg.isfinite(x), f(x), 0.0), math.nan)
    assert (report.phase, report.op, report.index) == ("backward", op, ())
    assert_cured(report.remedy.code, {"x": math.nan})


def test_an_infinite_factor_that_where_drops_is_kept_from_the_product():
    b = A([1.0, math.inf])
    for f in (lambda a: a * b, lambda a: b * a):
        report = where_nan(lambda a: tg.sum(tg.where(A([True, False]), f(a), 0.0)), np.ones(2))  # noqa: B023
        assert (report.phase, report.op, report.index) == ("backward", "multiply", (1,))
        x, y = (np.ones(2), b) if report.values[1] == math.inf else (b, np.ones(2))
        assert_cured(report.remedy.code, {"a": x, "b": y})


@pytest.mark.parametrize(
    ("f", "x", "op"),
    [
        (lambda x: tg.where(x < 0, tg.exp(x), 1.0), A([-10.0, 0.0, 50.0, 1000.0]), "exp"),  # 10729
        (lambda x: tg.where(x <= 0, tg.exp(x), 1 + x), A([1000.0]), "exp"),  # 68425
        (lambda x: tg.where(False, x / 0.0, 1.0), A([1.0]), "divide"),  # 52248
        (lambda x: tg.where(x > 0, tg.sqrt(x), x), A([-1.0, -4.0]), "sqrt"),  # 187297
        (lambda x: tg.where(x > 2, tg.log2(x), 2 * x), A([0.0, 2.0, 3.0]), "log2"),  # 108618
        (lambda x: tg.where(x < 1, tg.cos(x), 0.0), A([0.0, math.inf]), "cos"),  # 18287
    ],
)
def test_what_users_of_pytorch_reported_is_explained(f, x, op):
    report = where_nan(lambda x: tg.sum(f(x)), x)
    assert (report.phase, report.op) == ("backward", op), str(report)
    assert "the double where" in report.remedy.text
    assert "where at" in report.remedy.text
    b = np.zeros(1)
    assert_cured(report.remedy.code, {"x": x, "a": x, "b": b})


def test_a_mask_that_multiplies_is_no_mask_and_the_double_where_is():
    report = where_nan(lambda x: tg.sum(tg.sqrt(x) * A([1.0, 0.0])), A([1.0, 0.0]))
    assert (report.phase, report.op) == ("backward", "sqrt")
    assert "multiply" in report.remedy.text
    assert_cured(report.remedy.code, {"x": A([1.0, 0.0])})


def test_float64_cures_what_overflows_in_float32():
    x = A([1e30], np.float32)
    report = where_nan(tg.square, x)
    scope = {"tg": tg, "np": np, "x": Tensor(x)}
    exec(report.remedy.code, scope)
    assert math.isfinite(tg.sum(tg.square(scope["x"])).item())


def test_every_rule_and_every_safe_place_is_reached_by_these_tests():
    ops = {case[2] for case in FORWARD + BACKWARD} | set(DROPPED) | set(DROPPED_OF_TWO)
    assert set(SAFE) <= ops
    in_words = {"add", "subtract", "sum", "eigenvectors", "left_vectors", "right_vectors"}
    turns = {"multiply", "softmax", "log_softmax", "logsumexp"}  # where an infinity that was given becomes a nan
    assert set(RULES) == ops | in_words | turns


def test_what_has_no_code_is_told_in_words():
    for op in ("add", "subtract", "sum"):
        assert "inf - inf" in remedy_for(Situation(op, values=(math.inf, -math.inf))).text
    assert "equal eigenvalues" in remedy_for(Situation("eigenvectors", "backward")).text
    assert "parameter" in remedy_for(Situation("", parameter=True)).text
    assert remedy_for(Situation("sin", values=(math.nan,))) is None


def softmax(x):
    e = tg.exp(x)
    return e / e.sum(axis=1, keepdims=True)


def distances(a, b):
    difference = a - b
    return tg.sqrt(tg.sum(difference**2, axis=-1))


ROW, LOW = A([[1.0, 1000.0], [1.0, 2.0]]), A([[-1001.0, -1000.0], [1.0, 2.0]])


@pytest.mark.parametrize(
    ("f", "inputs", "op", "code", "same"),
    [
        (lambda x: tg.log(1 + tg.exp(x)), (ROW,), "exp", "y = tg.softplus(x)", tg.softplus),
        (lambda x: tg.log1p(tg.exp(x)), (ROW,), "exp", "y = tg.softplus(x)", tg.softplus),
        (softmax, (ROW,), "exp", "y = tg.softmax(x, axis=1)", lambda x: tg.softmax(x, axis=1)),
        (softmax, (LOW,), "divide", "y = tg.softmax(x, axis=1)", lambda x: tg.softmax(x, axis=1)),
        (lambda x: tg.log(softmax(x)), (ROW,), "exp", "y = tg.log_softmax(x, axis=1)", tg.log_softmax),
        (lambda x: tg.log(softmax(x)), (LOW,), "divide", "y = tg.log_softmax(x, axis=1)", tg.log_softmax),
        (lambda x: tg.log(softmax(x)), (-ROW,), "log", "y = tg.log_softmax(x, axis=1)", tg.log_softmax),
        (lambda x: tg.log(tg.softmax(x, axis=0)), (-ROW.T,), "log", "y = tg.log_softmax(x, axis=0)", None),
        (lambda x: tg.log(tg.exp(x).sum(axis=0)), (ROW,), "exp", "y = tg.logsumexp(x, axis=0)", None),
        (lambda x: tg.log(tg.exp(x).sum(axis=1, keepdims=True)), (LOW,), "log", "y = tg.logsumexp(x, axis=1, k", None),
        (lambda x: tg.exp(x) / tg.exp(x).sum(), (ROW,), "exp", "y = tg.softmax(x, axis=None)", None),
        (distances, (ROW, ROW), "sqrt", "y = tg.norm(x, axis=-1)", None),
        (lambda x: tg.sqrt(tg.var(x, axis=0, ddof=1)), (np.ones((2, 1)),), "sqrt", "y = tg.std(x, axis=0, ddof", None),
        (lambda x: x / tg.norm(x), (0 * ROW,), "divide", "y = x / tg.maximum(tg.norm(x, axis=(0, 1)), 1e-12)", None),
        (lambda x: x / tg.norm(x, axis=1, keepdims=True), (0 * ROW,), "divide", "y = tg.normalize(x, axis=1)", None),
        (lambda x: tg.log(tg.sigmoid(-x)), (ROW,), "log", "y = tg.log_sigmoid(x)", None),
    ],
)  # fmt: skip
def test_a_stable_form_has_the_axis_of_the_unstable_one_whatever_follows(f, inputs, op, code, same):
    for g in (f, lambda *xs: f(*xs).sum(), lambda *xs: -tg.mean(f(*xs))):
        report = where_nan(g, *inputs)
        assert report.op == op, str(report)
        assert report.remedy.code.startswith(code), str(report)
        assert_cured(report.remedy.code, {"x": inputs[0]})
    if same is not None:
        x = A([[0.5, -1.0], [2.0, 0.0]])
        np.testing.assert_allclose(f(x), same(x))


@pytest.mark.parametrize(
    "f",
    [
        lambda x: (tg.exp(x) - tg.exp(-x)) / (tg.exp(x) + tg.exp(-x)),
        lambda x: tg.where(x > 0, 0.0, x / (1 + tg.exp(-x))),
    ],
)
def test_another_quotient_of_exponentials_is_not_called_a_sigmoid(f):
    report = where_nan(f, A([1000.0, -1000.0]))
    assert "tg.silu(x)" in report.remedy.text or "where" in report.remedy.code, str(report)
    assert "sigmoid" not in report.remedy.code


def test_the_operand_is_called_by_its_own_name_or_the_report_says_what_the_letter_is():
    report = where_nan(lambda z: tg.log(z).sum(), A([0.0, 1.0]))
    assert report.remedy.code == "y = tg.log(tg.clip(z, 1e-12, None))"
    assert " where " not in str(report)
    report = where_nan(lambda x, z: tg.log(x - z).sum(), A([1.0, 2.0]), A([1.0, 1.0]))
    assert "y = tg.log(tg.clip(x, 1e-12, None))" in report.remedy.code
    assert report.remedy.meaning.startswith("x is the result of subtract at ")
    assert f"where {report.remedy.meaning}" in str(report)
    report = where_nan(lambda y: tg.log(y).sum(), A([0.0, 1.0]))  # a name that the code needs itself
    assert report.remedy.code == "y = tg.log(tg.clip(x, 1e-12, None))"
    assert report.remedy.meaning == "x is y"
    report = where_nan(lambda p: tg.log(p["w"]), {"w": 0.0})
    assert report.remedy.meaning == "x is p['w']"


@pytest.mark.parametrize("power", [2, 3.0])
def test_numbers_that_grow_from_step_to_step_are_no_matter_of_logarithms(power):
    report = where_nan(lambda w: (w**power).sum(), A([-1.9e157, 1.0]))
    assert "grow beyond float64 from step to step: a smaller learning rate, or clip the gradient" in report.remedy.text
    assert not report.remedy.code
    report = where_nan(lambda w: (w * w).sum(), A([-1.9e157, 1.0]))
    assert "a smaller learning rate, or clip the gradient" in report.remedy.text


VECTORS = ("tg.softmax(", "tg.log_softmax(", "tg.norm(", "tg.logsumexp(", "tg.normalize(", "tg.std(")
NUMBERS = [
    c for c in FORWARD + BACKWARD if c[2] in SAFE and c[1][0].dtype == np.float64 and not c[3].startswith(VECTORS)
]


@pytest.mark.parametrize(("f", "inputs", "op", "piece"), NUMBERS)
def test_the_code_of_a_remedy_is_finite_on_floats_too(f, inputs, op, piece):
    bad = tuple(float(x[-1]) for x in inputs)
    report = where_nan(f, *bad)
    assert report.op == op, str(report)
    assert piece in report.remedy.code
    assert_cured(report.remedy.code, named(bad))
