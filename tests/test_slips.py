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
    assert "the targets is missing" in slip.text


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
    assert check_formula(cost, lambda _W, _b: (fixed, None), W, B, raise_exception=False).slips == ()
