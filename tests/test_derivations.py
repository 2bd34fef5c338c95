"""``check_formula`` says which of three parties disagrees, whatever the formula returns."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_mlp as tg
from tinygrad_mlp.check.derivations import check_formula
from tinygrad_mlp.check.formulas import sigmoid, softmax
from tinygrad_mlp.errors import GradcheckError, GradientError, UnsupportedError
from tinygrad_mlp.table import OPS

X = np.array([[0.3, -1.2, 2.0], [0.1, 0.4, -0.7]])


def report_of(f, by_hand, *inputs, **options):
    return check_formula(f, by_hand, *inputs, raise_exception=False, **options)


# ------------------------------------------------------------------------------------------------------ three parties


def test_all_three_agree():
    report = check_formula(lambda x: tg.sum(x**3), lambda x: 3 * x**2, X)
    assert report
    assert (report.verdict, report.hand, report.autograd, report.total) == ("right", "right", "right", 6)
    assert str(report).splitlines()[0] == (
        "check_formula of <lambda>: right: all three agree: the formula by hand, autograd and numbers"
    )


def test_the_formula_is_wrong_and_the_error_carries_the_report():
    with pytest.raises(GradcheckError) as info:
        check_formula(lambda x: tg.sum(x**3), lambda x: x**2, X)
    report = report_of(lambda x: tg.sum(x**3), lambda x: x**2, X)
    assert str(info.value) == str(report)
    assert "the formula by hand is wrong: autograd and numbers agree" in str(report)
    assert (report.hand, report.autograd) == ("wrong", "right")
    worst = report.failures[0]
    assert worst.autograd == pytest.approx(worst.numeric, abs=worst.bound)
    assert worst.hand == pytest.approx(worst.numeric / 3)


@pytest.fixture
def cubed():
    @tg.primitive
    def wrongly_cubed(xp, x):
        return x * x * x

    tg.defvjp(wrongly_cubed, lambda g, _y, x: 2 * g * x * x)
    yield wrongly_cubed
    del OPS["wrongly_cubed"]


def test_autograd_is_wrong_and_the_operation_is_named(cubed):
    report = report_of(lambda x: tg.sum(cubed(x)), lambda x: 3 * x**2, X)
    assert "autograd is wrong: the formula by hand and numbers agree" in str(report)
    assert (report.verdict, report.hand, report.autograd) == ("wrong", "right", "wrong")
    assert [culprit.op for culprit in report.culprits] == ["wrongly_cubed"]


def test_both_are_wrong_also_where_they_agree(cubed):
    report = report_of(lambda x: tg.sum(cubed(x)), lambda x: 2 * x**2, X)
    assert "the formula by hand and autograd are both wrong: numbers say otherwise" in str(report)
    assert report.wrong == 6


@given(st.floats(-8, 8), st.floats(0.1, 3))
def test_a_relative_error_of_a_millionth_is_wrong_at_every_scale(exponent, x):
    scale = 10.0**exponent

    def f(x):
        return scale * tg.sin(x)

    assert check_formula(f, lambda x: scale * np.cos(x), x).verdict == "right"
    report = report_of(f, lambda x: scale * np.cos(x) * (1 + 1e-6), x)
    assert report.verdict == "wrong"
    assert report.slips[0].kind == "constant factor"
    assert check_formula(f, lambda x: scale * np.cos(x) * (1 + 1e-6), x, rtol=1e-5).verdict == "right"


@given(st.lists(st.floats(-3, 3), min_size=2, max_size=5))
def test_at_ties_and_kinks_every_number_between_the_slopes_is_right(values):
    x = np.array([0.0, *values, values[0]])
    assert check_formula(lambda x: tg.sum(tg.relu(x)), lambda x: (x >= 0) * 1.0, x).verdict == "right"
    report = report_of(lambda x: tg.sum(tg.relu(x)), lambda x: np.where(x == 0, 1.5, x > 0), x)
    assert report.verdict == "wrong"
    assert report.failures[0].kink


def test_what_cancels_is_compared_up_to_its_rounding():
    z = 30 * X

    def by_hand(z):
        y = softmax(z)
        return y * (1 - y.sum(axis=1, keepdims=True))  # zero, up to rounding

    assert check_formula(lambda z: tg.sum(tg.softmax(z)), by_hand, z).verdict == "right"


def test_single_precision_is_checked_to_a_thousandth():
    x = X.astype(np.float32)
    assert check_formula(lambda x: tg.sum(tg.exp(x)), np.exp, x).verdict == "right"
    assert report_of(lambda x: tg.sum(tg.exp(x)), lambda x: 1.01 * np.exp(x), x).verdict == "wrong"


# ------------------------------------------------------------------------------------------------------ what it returns


def test_shapes_decide_how_a_derivative_is_read():
    def jacobians(z):
        y = softmax(z)
        return np.einsum("nk,kl->nkl", y, np.eye(3)) - y[:, :, None] * y[:, None, :]

    def whole(z):
        return np.einsum("nkl,nm->nkml", jacobians(z), np.eye(2))

    for by_hand, reading in ((jacobians, "Jacobian of each sample"), (whole, "Jacobian")):
        report = check_formula(tg.softmax, by_hand, X)
        assert report.readings == {"x": reading}
        assert f"read as the {reading}: x" in str(report)
    slope = check_formula(tg.sigmoid, lambda a: sigmoid(a) * sigmoid(-a), X)
    assert slope.readings == {"x": "slope of each element"}
    assert slope.total == 36


def test_a_slope_of_each_element_is_no_jacobian_of_what_mixes_elements():
    report = report_of(tg.softmax, lambda z: softmax(z) * (1 - softmax(z)), X[0])
    assert report.verdict == "wrong"
    assert all(e.output != f"[{e.index[0]}]" for e in report.failures)


@pytest.mark.parametrize(
    ("returned", "said"),
    [
        (X.T, "the formula by hand returned shape (3, 2) for x of shape (2, 3): transposed?"),
        (X[None], "the same numbers with an axis of length 1"),
        (np.ones((5, 2, 3)), "not summed over the batch?"),
        (X[0], "summed over too many axes?"),
        (np.ones(7), "returned shape (7,) for x of shape (2, 3)"),
        (3.0, "one number for an array: summed over too many axes, or the same for all, np.full((2, 3), …)?"),
        (1j * X, "returned complex128 for x: return real numbers"),
        ("no", "returned <U2 for x: return real numbers"),
    ],
    ids=["transposed", "axis", "unsummed", "summed", "number", "other", "complex", "text"],
)
def test_a_wrong_shape_or_kind_is_a_finding(returned, said):
    report = report_of(lambda x: tg.sum(x * x), lambda _x: returned, X)
    assert report.verdict == "wrong"
    assert said in report.problems[0]


def test_a_jacobian_of_a_wrong_shape_is_told_what_is_expected():
    report = report_of(tg.softmax, lambda _z: np.ones((4, 4)), X)
    assert "f gives (2, 3), so return the Jacobian, (2, 3, 2, 3)" in report.problems[0]
    assert "or the Jacobian of each sample, (2, 3, 3)" in report.problems[0]


def test_a_formula_that_raises_is_an_error_that_says_so():
    def by_hand(x):
        return x @ x

    with pytest.raises(GradcheckError, match="the formula by hand, by_hand, raised ValueError") as info:
        check_formula(tg.sum, by_hand, X)
    assert isinstance(info.value.__cause__, ValueError)


def test_nan_is_wrong_where_it_is():
    report = report_of(lambda x: tg.sum(x * x), lambda x: np.where(x > 1, np.nan, 2 * x), X)
    assert [e.index for e in report.failures] == [(0, 2)]
    assert np.isnan(report.failures[0].hand)
    json.dumps(report.to_dict(), allow_nan=False)


def test_several_inputs_and_what_was_not_derived():
    def f(x, y, n):
        return n * tg.sum(x * y)

    for by_hand in (
        lambda x, y, n: (n * y, n * x, None),
        lambda x, y, n: {"x": n * y, "y": n * x},
        lambda _x, y, n: [n * y, None, 0],
    ):
        assert check_formula(f, by_hand, X, X + 1, 3).verdict == "right"
    report = check_formula(f, lambda _x, _y, n: (n * (X + 1), None, None), X, X + 1, 3)
    assert report.total == 6
    assert "not derived: y" in str(report)


def test_too_few_derivatives_or_none_are_findings():
    def f(x, y):
        return tg.sum(x * y)

    report = report_of(f, lambda x, y: (y, x, x), X, X + 1)
    assert "returned 3 derivatives for 2 inputs (x, y)" in report.problems[0]
    for returned, what in ((X[0, 0], "one array of shape ()"), (np.ones((4, 3)), "one array of shape (4, 3)")):
        report = report_of(f, lambda _x, _y, g=returned: g, X, X + 1)
        assert report.problems == (
            f"the formula by hand returned {what} for 2 inputs (x, y): return a tuple with a derivative for each, "
            "None for what is not derived",
        )
    report = report_of(f, lambda _x, _y: (None, None), X, X + 1)
    assert (report.verdict, report.total) == ("undecided", 0)


def test_derivatives_that_have_each_others_shape_are_taken_for_swapped():
    report = report_of(lambda W, b: tg.sum(W + b), lambda W, b: (2 * b, W), X, X[0])
    assert report.problems == (
        "the formula by hand returned the shapes of W and b in the other order: are these two swapped?",
    )


def test_a_derivative_for_a_name_that_is_no_input_is_a_finding():
    report = report_of(lambda w, b: tg.sum(w * b), lambda w, b: {"w": b, "bias": w}, X, X + 1)
    assert report.problems == ("the formula by hand returned a derivative for 'bias', which is no input: w, b",)
    assert report.total == 6


def test_a_formula_that_is_no_function_is_refused():
    with pytest.raises(UnsupportedError, match="by_hand is a ndarray: give the function that computes"):
        check_formula(tg.sum, X, X)


def test_a_formula_without_a_number_at_a_kink_is_told_what_is_right_there():
    report = report_of(lambda x: tg.sum(tg.abs(x)), lambda x: x / np.abs(x), np.array([0.0, 1.0, -2.0]))
    assert "the formula gives nan at x[0], a kink of f: any number between the slopes on both sides is right" in str(
        report
    )
    assert "at a kink" in str(report)
    assert report.notes == ()


def test_where_f_is_not_finite_it_is_said():
    with np.errstate(invalid="ignore"):
        report = check_formula(lambda x: tg.sum(tg.sqrt(x)), lambda x: 0.5 / np.sqrt(x), np.array([-1.0, 2.0]))
    assert report.verdict == "undecided"
    assert report.notes == ("f is nan at these inputs, and has no derivative there",)


def test_parameters_of_a_module_are_called_as_it_calls_them():
    model = tg.nn.Linear(3, 2, rng=0)
    report = report_of(lambda: tg.sum(tg.tanh(model(X))), lambda p: {"weight": p["weight"], "bias": p["bias"]}, model)
    assert {e.input for e in report.elements} == {"weight", "bias"}
    assert all(e.autograd == pytest.approx(e.numeric, rel=1e-6) for e in report.elements)


def test_nests_of_inputs_have_nests_of_derivatives():
    def f(p, q):
        return tg.sum(p["a"] * p["b"]) + q[0] * q[1]

    def by_hand(p, q):
        return {"a": p["b"], "b": p["a"]}, [q[1], q[0]]

    assert check_formula(f, by_hand, {"a": X, "b": X + 1}, [2.0, 3.0]).total == 14
    report = report_of(f, lambda p, _q: ({"a": p["b"], "c": X}, None), {"a": X, "b": X + 1}, [2.0, 3.0])
    assert "returned p['c'], which is no input: there are 'a', 'b'" in report.problems[0]


def test_a_module_is_a_dict_of_its_parameters():
    model = tg.nn.Linear(3, 2, rng=0)
    before = {name: p.numpy().copy() for name, p in model.named_parameters()}

    def by_hand(p):
        slope = 1 - np.tanh(X @ p["weight"] + p["bias"]) ** 2
        return {"weight": X.T @ slope, "bias": slope.sum(axis=0)}

    assert check_formula(lambda: tg.sum(tg.tanh(model(X))), by_hand, model).total == 8
    assert check_formula(lambda m, _x: tg.sum(tg.tanh(m(X))), lambda p, _x: (by_hand(p), None), model, X).total == 8
    for name, p in model.named_parameters():
        assert np.array_equal(p.numpy(), before[name])


def test_a_leaf_that_is_passed_twice_gets_both_parts():
    leaf = tg.tensor(X, name="w")
    report = check_formula(lambda a, b: tg.sum(a * b * b), lambda a, b: (b * b, 2 * a * b), leaf, leaf)
    assert (report.verdict, report.total) == ("right", 6)


def test_floats_give_floats_to_the_formula():
    seen = []

    def by_hand(x):
        seen.append(type(x))
        return 2 * x

    assert check_formula(lambda x: x * x, by_hand, 3.0).verdict == "right"
    assert set(seen) == {float}


def test_the_slopes_of_many_elements_are_checked_by_a_weighted_sum():
    x = np.random.default_rng(0).normal(size=(60, 40))
    report = check_formula(tg.sigmoid, lambda a: sigmoid(a) * sigmoid(-a), x)
    assert report.total == 2400
    assert report.notes == ("the 2,400 outputs were summed with random weights: the sum was checked",)
    wrong = report_of(tg.sigmoid, lambda a: np.where(a == x[3, 4], 0.3, sigmoid(a) * sigmoid(-a)), x)
    assert [e.index for e in wrong.failures] == [(3, 4)]


def test_nothing_to_vary_is_an_error():
    with pytest.raises(GradientError, match="check_formula"):
        check_formula(lambda n: n * 2, lambda _n: 2, 3)


def test_a_report_shows_in_a_notebook_and_as_json():
    report = report_of(lambda x: tg.sum(x * x), lambda x: x, X)
    assert "<table" in report._repr_html_()
    found = json.loads(json.dumps(report.to_dict()))
    assert found["verdict"] == "wrong"
    assert found["slips"] == [{"kind": "constant factor", "text": report.slips[0].text, "inputs": ["x"]}]
    assert len(found["elements"]) == found["wrong"] == 6
