"""Slips that are planted in the formulas of the catalogue are noticed, all of them, and called by their names."""

import os
import sys
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest

import tinygrad_mlp as tg
from tinygrad_mlp.check.derivations import check_formula
from tinygrad_mlp.check.formulas import CATALOGUE, sigmoid, softmax
from tinygrad_mlp.check.slips import KINDS
from tinygrad_mlp.check.slips.slopes import Unit, variants

sys.path.insert(0, str(Path(__file__).parents[1] / "docs"))

from make_slips import guessed
from planted_slips import planted

SHARE = 1 if os.environ.get("HYPOTHESIS_PROFILE", "dev") in ("ci", "intense") else 6  # one of so many slips is tried
CASES = defaultdict(list)
for _case in planted():
    CASES[_case.slip].append(_case)

# Slips that give the same numbers as another, which is as good an explanation.
SAME = {
    ("the slope twice", "hardsigmoid"): "constant factor",  # the slope is ⅙, or 0
    ("the slope twice", "network_hardsigmoid"): "mean for sum",  # and there are six samples
    ("shifted by one", "softmax_layer_jacobian"): "sign",  # two classes, whose probabilities sum to one
    ("a slope y (1 − y) too many in δ", "network_tanh_logistic"): "wrong factor",  # the slope of σ, twice
    ("softmax or sigmoid forgotten in δ", "network_tanh_exponential"): "wrong factor",  # z for the slope of exp
}


@pytest.mark.parametrize("slip", CASES)
def test_a_planted_slip_is_called_by_its_name(slip):
    cases = CASES[slip][:: SHARE if len(CASES[slip]) > SHARE else 1]
    wrong = {
        case.entry.name: (called, case.kind)
        for case in cases
        if (called := guessed(case)) != SAME.get((slip, case.entry.name), case.kind)
    }
    assert wrong == {}


def test_every_formula_has_slips_planted():
    names = {case.entry.name for cases in CASES.values() for case in cases}
    assert names == set(CATALOGUE)
    assert {case.kind for cases in CASES.values() for case in cases} <= set(KINDS)


def test_what_is_equal_is_still_planted():
    assert set(SAME) <= {(case.slip, case.entry.name) for cases in CASES.values() for case in cases}


@pytest.mark.parametrize("name", list(CATALOGUE)[::4])
def test_a_formula_of_the_catalogue_has_no_slip(name):
    entry = CATALOGUE[name]
    report = check_formula(entry.function, entry.by_hand, *entry.inputs(np.random.default_rng(5)))
    assert report.verdict == "right"
    assert report.slips == report.notes == ()


# ------------------------------------------------------------------------------------------------------- what is said

X, W, B = (np.random.default_rng(1).normal(size=shape) for shape in ((5, 4), (4, 3), (3,)))
T = np.eye(3)[[0, 1, 2, 1, 0]]


def cost(W, b):
    return tg.cross_entropy(X @ W + b, T)


def slip_of(by_hand, f=cost, inputs=(W, B)):
    (slip,) = check_formula(f, by_hand, *inputs, raise_exception=False).slips
    return slip


def gradients(W, b, delta=None, scale=5):
    delta = softmax(X @ W + b) - T if delta is None else delta
    return X.T @ delta / scale, delta.sum(axis=0) / scale


def test_a_forgotten_mean_names_the_batch_size():
    slip = slip_of(lambda W, b: gradients(W, b, scale=1))
    assert slip.kind == "sum for mean"
    assert slip.text.startswith("5 times too large: the batch size N = 5")
    assert slip.inputs == ("W", "b")


def test_a_factor_that_equals_no_length_is_told_as_a_number():
    assert slip_of(lambda W, b: gradients(W, b, scale=5 / 1.7)).text == (
        "a constant factor: 1.7 times what it should be"
    )


def test_the_two_slips_of_two_inputs_are_told_apart():
    def by_hand(W, b):
        dW, db = gradients(W, b)
        return -dW, db / 5

    report = check_formula(cost, by_hand, W, B, raise_exception=False)
    assert [(slip.kind, slip.inputs) for slip in report.slips] == [("sign", ("W",)), ("mean for sum", ("b",))]


def test_two_slips_at_once_are_both_named():
    slip = slip_of(lambda W, b: tuple(-2 * g for g in gradients(W, b)))
    assert (slip.kind, slip.text) == ("constant factor", "a factor 2 too many, and the sign is wrong")


def test_a_softmax_that_is_left_out_of_a_fused_loss():
    slip = slip_of(lambda W, b: gradients(W, b, X @ W + b - T))
    assert slip.kind == "wrong operand"
    assert "for the softmax of add" in slip.text


def test_targets_that_are_labels_and_are_left_out():
    def f(W, b):
        return tg.cross_entropy(X @ W + b, np.array([0, 1, 2, 1, 0]))

    slip = slip_of(lambda W, b: gradients(W, b, softmax(X @ W + b)), f)
    assert slip.kind == "missing term"
    assert "the targets are missing" in slip.text


def test_a_term_of_a_sum_that_is_left_out():
    def f(W):
        return tg.sum(W**3) + 0.1 * tg.sum(W**2)

    slip = slip_of(lambda W: 3 * W**2, f, (W,))
    assert slip.kind == "missing term"
    assert "term through" in slip.text


def test_a_path_through_the_derivative_of_a_quotient_that_is_left_out():
    def f(a, b):
        return tg.sum(a * b / (a + b))

    a, b = np.abs(X[0]) + 1, np.abs(X[1]) + 1
    slip = slip_of(lambda a, b: (b / (a + b), (a / (a + b)) ** 2), f, (a, b))
    assert (slip.kind, slip.inputs) == ("missing term", ("a",))


def test_zeros_for_a_gradient():
    assert slip_of(lambda W, b: (0 * W, gradients(W, b)[1])).text == "the gradient is missing: all zeros"


def test_a_bias_that_is_zero_at_the_given_inputs_and_forgotten():
    def by_hand(W, b):
        return gradients(W, 0 * b)

    report = check_formula(cost, by_hand, W, 0 * B, raise_exception=False)
    assert report.wrong == 0
    assert report.verdict == "wrong"
    assert report.slips[0].kind == "forgotten bias"


def test_a_formula_that_keeps_a_value_of_its_first_call():
    kept = {}

    def by_hand(W, b):
        H = kept.setdefault("Y", softmax(X @ W + b))
        kept["Y"] = softmax(X @ W + b)
        return gradients(W, b, H - T)

    report = check_formula(cost, by_hand, W, B, raise_exception=False)
    assert report.slips[0].kind == "stale"


def test_a_line_of_the_user_is_told():
    def f(W, b):
        return tg.sum(tg.sigmoid(X @ W + b))

    def by_hand(W, b):
        h = sigmoid(X @ W + b)
        return X.T @ h, h.sum(axis=0)

    slip = slip_of(by_hand, f)
    assert slip.text.startswith("the factor 1 − h of sigmoid at ")
    assert f"{Path(__file__).name}:{f.__code__.co_firstlineno + 1}" in slip.text


def test_numbers_that_nothing_explains_get_no_guess():
    rng = np.random.default_rng(2)
    report = check_formula(cost, lambda W, _b: (rng.normal(size=W.shape), None), W, B, raise_exception=False)
    assert report.verdict == "wrong"
    fixed = np.random.default_rng(3).normal(size=W.shape)
    report = check_formula(cost, lambda _W, _b: (fixed, None), W, B, raise_exception=False)
    assert report.slips == ()
    assert report.notes == (
        "no slip is recognised in W: compare term by term; tg.find_counterexample gives the smallest case",
    )


# ------------------------------------------------------------------------------------------------------ and what it is


def sigmoids(W, V):
    return tg.sum((tg.sigmoid(X @ W) @ V) ** 2)


def slopes_of_sigmoids(W, V, h=None, V_below=None, h_above=None):
    h = sigmoid(X @ W) if h is None else h
    delta = 2 * h @ V
    below = delta @ (V if V_below is None else V_below).T
    return X.T @ (below * h * (1 - h)), (h if h_above is None else h_above).T @ delta


V = np.random.default_rng(4).normal(size=(3, 2))


def test_derivatives_in_the_other_order_are_swapped():
    for f, by_hand, inputs in (
        (cost, lambda W, b: gradients(W, b)[::-1], (W, B)),
        (lambda W, b: tg.sum(tg.sin(W) * b), lambda W, b: (np.sin(W), np.cos(W) * b), (W, W + 1)),
    ):
        slip = slip_of(by_hand, f, inputs)
        assert (slip.kind, slip.inputs) == ("swapped", ("W", "b"))
        assert slip.text == "the derivatives of W and b are swapped"


@pytest.mark.parametrize(
    ("penalty", "text"),
    [
        (lambda W: 0.1 * W, "a term 0.1 · W too many: a penalty on its size that f does not have"),
        (lambda W: 0.1 * np.sign(W), "a term 0.1 · sign(W) too many: a penalty on its size that f does not have"),
    ],
    ids=["weight decay", "L1"],
)
def test_a_penalty_that_the_function_does_not_have(penalty, text):
    def by_hand(W, b):
        dW, db = gradients(W, b)
        return dW + penalty(W), db

    slip = slip_of(by_hand)
    assert (slip.kind, slip.text, slip.inputs) == ("extra term", text, ("W",))


def test_a_penalty_that_is_forgotten_is_named_without_a_graph_too():
    def f(W):
        return sum(float(w) ** 4 + float(w) ** 2 for w in W.reshape(-1))

    slip = slip_of(lambda W: 4 * W**3, f, (W,))
    assert (slip.kind, slip.text) == ("missing term", "a term 2 · W is missing: a penalty on its size")


def test_a_factor_of_a_product_that_is_shifted():
    def hidden(W, V):
        return slopes_of_sigmoids(W, V, h_above=np.roll(sigmoid(X @ W), 1, axis=0))

    slip = slip_of(hidden, sigmoids, (W, V))
    assert slip.kind == "shifted"
    assert slip.text.startswith("sigmoid is shifted by one along axis 0 in the derivative of matmul at ")
    slip = slip_of(lambda W, V: slopes_of_sigmoids(W, V, V_below=np.roll(V, 1, axis=0)), sigmoids, (W, V))
    assert slip.text.startswith("V is shifted by one along axis 0 in the derivative of matmul at ")


def spelled_out(W, b):
    z = X @ W + b
    e = np.exp(z - np.max(z.numpy(), axis=1, keepdims=True))
    return -tg.mean(tg.sum(T * tg.log(e / np.sum(e, axis=1, keepdims=True)), axis=1))


def of_operations(W, b):
    return -tg.mean(tg.sum(T * tg.log(tg.softmax(X @ W + b)), axis=1))


@pytest.mark.parametrize("f", [cost, of_operations, spelled_out], ids=lambda f: f.__name__)
def test_a_softmax_over_the_samples(f):
    slip = slip_of(lambda W, b: gradients(W, b, softmax((X @ W + b).T).T - T), f)
    assert (slip.kind, slip.inputs) == ("wrong axis", ("W", "b"))
    assert slip.text.startswith("the softmax of add over axis 0 for ")


def test_the_jacobian_of_a_softmax_along_another_axis():
    def by_hand(W, b):
        Y = softmax((X @ W + b).T).T
        G = (T - np.sum(T * Y, axis=0)) * Y
        return X.T @ G, G.sum(axis=0)

    slip = slip_of(by_hand, lambda W, b: tg.sum(T * tg.softmax(X @ W + b, axis=1)))
    assert slip.kind == "wrong axis"
    assert slip.text.endswith(" over axis 0, not over axis 1")


def test_an_activation_that_is_left_out_in_the_forward_pass_too():
    Y = X[:, :3]

    def f(W):
        return tg.sum((tg.relu(X @ W) - Y) ** 2)

    slip = slip_of(lambda W: 2 * X.T @ (X @ W - Y), f, (W,))
    assert slip.kind == "missing activation"
    assert slip.text.startswith("relu at ")
    assert slip.text.endswith(" is left out: the numbers are those with its operand, matmul, for it")


def test_a_sum_over_the_samples_elements_and_not_over_the_samples():
    def f(b):
        return tg.sum(tg.tanh(X[:, :3] + b) ** 2)

    def by_hand(b):
        h = np.tanh(X[:, :3] + b)
        return np.sum(2 * h * (1 - h * h), axis=1)

    report = check_formula(f, by_hand, B, raise_exception=False)
    assert report.problems == ("by_hand returned shape (5,) for b of shape (3,): summed over the wrong axis?",)
    assert (report.slips[0].kind, report.slips[0].text) == (
        "wrong axis",
        "summed over axis 1, not over the batch, axis 0",
    )


def test_one_number_for_an_array_of_equal_slopes():
    slip = slip_of(lambda _x: 3.0, lambda x: 3 * tg.sum(x), (B,))
    assert slip.text == "one number for an array of shape (3,): repeat it, np.full(3, …)"


def test_a_factor_that_is_a_length_too_is_told_as_both():
    def loss_of(X):
        return lambda w: np.mean((X @ w - 1) ** 2)

    def slopes_of(X):
        return lambda w: 2 * X.T @ (X @ w - 1)

    for N in (2, 4):
        slip = slip_of(slopes_of(X[:N]), loss_of(X[:N]), (W[:, 0],))
        assert slip.text == (
            f"{N} times too large: the batch size N = {N}, the length of axis 0 of X, so a sum where the mean is "
            f"meant, or a factor {N} too many"
        )


def test_a_simple_fraction_is_told_as_one():
    slip = slip_of(lambda x: 2 * x * x, lambda x: tg.sum(x**3), (X[0],))
    assert slip.text == "a constant factor: 2/3 times what it should be"


def test_constants_are_called_by_the_names_of_their_variables():
    slip = slip_of(lambda W, b: gradients(W, b, softmax(X @ W + b)), of_operations)
    assert slip.text.startswith("the target T is missing in the derivative in add at ")
    assert slip.text.endswith("− T, up to a factor")


def test_a_sigmoid_that_is_spelled_out_is_called_one():
    H_before = sigmoid(X @ (W + 1))

    def f(W, V):
        return np.sum((1 / (1 + np.exp(-(X @ W))) @ V) ** 2)

    slip = slip_of(lambda W, V: slopes_of_sigmoids(W, V, h_above=H_before), f, (W, V))
    assert slip.text.startswith("the sigmoid at ")
    assert slip.text.endswith(" is stale: H_before is used, not its value at these inputs")


def test_an_operand_where_the_result_belongs():
    slip = slip_of(lambda W, V: slopes_of_sigmoids(W, V, h_above=X @ W), sigmoids, (W, V))
    assert slip.text.startswith("the operand of sigmoid at ")
    assert "matmul, stands where its result belongs in the derivative of matmul at " in slip.text


def test_of_a_chain_without_a_name_no_unintelligible_slip_is_told():
    slips = [text for _, text, _ in variants(Unit(("node", 3), ("node", 0), "exp as a function of add", "", True))]
    assert slips
    assert not any("1 minus" in text or "1 − h" in text or "reciprocal" in text for text in slips)
