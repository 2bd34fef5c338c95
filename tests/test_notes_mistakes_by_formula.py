"""The mistakes of the notes in formulas of derivatives: ``check_formula`` finds each, and passes it mended.

The numbers are those of ``notes.errata.MISTAKEN``; ``notes.claims`` has the formulas as written and mended.
"""

import numpy as np
import pytest

import tinygrad_mlp as tg
from tinygrad_mlp.check.derivations import check_formula
from tinygrad_mlp.check.formulas import derivative_v, sigmoid, softmax
from tinygrad_mlp.notes.claims import (
    MENDED_7,
    MENDED_11,
    WRITTEN_7,
    WRITTEN_11,
    mended_1,
    mended_2,
    mended_3,
    mended_4,
    mended_5,
    mended_8,
    mended_9_and_10,
    written_1,
    written_2,
    written_3,
    written_4,
    written_5,
    written_8,
    written_9,
    written_10,
)
from tinygrad_mlp.notes.loop import Parameters, batch, initial_parameters, outputs, training

H, V, W, X = np.array([0.2, 0.5, 0.9]), np.array([1.0, -2.0, 0.3]), np.array([0.7, -1.2]), np.array([1.5, 0.4])
MATRIX = np.array([[1.0, -1.0], [0.5, 2.0], [-0.3, 0.8]])


def found(f, by_hand, *inputs):
    report = check_formula(f, by_hand, *inputs, raise_exception=False)
    assert report.autograd == "right"
    return report


def confirmed(f, by_hand, *inputs):
    report = check_formula(f, by_hand, *inputs)
    assert report.verdict == "right", str(report)
    assert report.notes == ()


def test_1_the_diagonal_of_the_softmax_jacobian():
    z = np.array([0.5, -1.0, 2.0])
    report = found(tg.softmax, written_1, z)
    assert {e.output for e in report.failures} == {"[0]", "[1]", "[2]"}
    assert all(e.output == f"[{e.index[0]}]" for e in report.failures)
    assert "1 for Σ exp in the diagonal of the Jacobian of the softmax" in report.slips[0].text
    confirmed(tg.softmax, mended_1, z)


def test_2_the_indicator_of_values_where_two_are_equal():
    z = np.log([0.4, 0.4, 0.2])
    report = found(tg.softmax, lambda z: written_2(softmax(z)), z)
    assert report.wrong == 2
    assert report.failures[0].hand == pytest.approx(0.24)
    assert report.failures[0].numeric == pytest.approx(-0.16)
    confirmed(tg.softmax, lambda z: mended_2(softmax(z)), z)


def test_3_v_for_h():
    def f(h, v):
        return h @ v + 0.1

    report = found(f, lambda h, v: (None, written_3(h, v)), H, V)
    assert report.slips[0].kind == "wrong operand"
    assert "v for h in the derivative of matmul" in report.slips[0].text
    confirmed(f, lambda h, v: (None, mended_3(h, v)), H, V)


def test_4_w_for_x():
    def f(w, x):
        return tg.sigmoid(w @ x + 0.1)

    def by_hand(formula):
        return lambda w, x: (formula(sigmoid(w @ x + 0.1), w, x), None)

    report = found(f, by_hand(written_4), W, X)
    assert report.slips[0].kind == "wrong operand"
    assert "w for x in the derivative of matmul" in report.slips[0].text
    confirmed(f, by_hand(mended_4), W, X)


def test_5_a_softmax_of_two_is_not_a_sigmoid_of_each():
    def by_hand(formula):
        return lambda V: formula(H @ V, H)[1].transpose(0, 2, 1)

    def f(V):
        return tg.softmax(H @ V)

    report = found(f, by_hand(written_5), MATRIX)
    assert report.wrong == report.total == 12
    confirmed(f, by_hand(mended_5), MATRIX)


@pytest.mark.parametrize("depth", [0, 1, 2])
def test_7_the_indices_of_four_layers(depth):
    rng = np.random.default_rng(3)
    x, target = rng.normal(size=3), np.eye(3)[0]
    weights = [rng.normal(size=(3, 3)) for _ in range(4)]

    def f(*weights):
        h = x
        for w in weights[:3]:
            h = tg.sigmoid(w @ h + 0.5)
        return tg.sum(target * tg.log(tg.softmax(weights[3] @ h)))

    def by_hand(product):
        def gradient(*weights):
            h = [x]
            for w in weights[:3]:
                h.append(sigmoid(w @ h[-1] + 0.5))
            factors = [target - softmax(weights[3] @ h[3])]
            for k in range(3, 2 - depth, -1):
                factors += [weights[k], h[k] * (1 - h[k])]
            found = [None] * 4
            found[2 - depth] = np.einsum(product, *factors, h[2 - depth])
            return tuple(found)

        return gradient

    written = by_hand(list(WRITTEN_7.values())[depth])
    if depth == 2:  # x_ji has an index that x has not
        with pytest.raises(tg.errors.GradcheckError, match="gradient, raised ValueError: einstein sum"):
            check_formula(f, written, *weights)
    else:
        assert found(f, written, *weights).hand == "wrong"
    confirmed(f, by_hand(list(MENDED_7.values())[depth]), *weights)


def test_7_with_layers_of_other_widths_the_formula_cannot_be_computed():
    def by_hand(w):
        return np.einsum(WRITTEN_7["30 and 34"], np.ones(6), w, np.ones(5), np.ones(4))

    with pytest.raises(tg.errors.GradcheckError, match="by_hand, raised ValueError"):
        check_formula(tg.sum, by_hand, np.ones((6, 5)))


def test_8_the_slope_of_a_leaky_relu():
    z, ones = np.array([-1.0, 2.0]), np.ones(2)
    report = found(tg.leaky_relu, lambda _: written_8(ones, 0.01), z)
    assert report.failures[0].numeric == pytest.approx(0.01)
    confirmed(tg.leaky_relu, lambda z: mended_8(z, 0.01) / z, z)


def likelihood(data):
    def f(p):
        return tg.sum(data.T * tg.log(tg.softmax(tg.sigmoid(data.X @ p.W + p.b1) @ p.V + p.b2)))

    return f


@pytest.fixture(scope="module")
def data():
    return batch()


@pytest.fixture(scope="module")
def later():
    return training(epochs=1000).parameters


def test_9_hidden_units_of_the_start(data, later):
    start = initial_parameters()
    report = found(likelihood(data), lambda p: written_9(data, Parameters(*p), start), later)
    assert {e.input for e in report.failures} == {"p[0]", "p[1]", "p[2]"}
    assert report.slips[0].kind == "stale"
    assert "sigmoid at start" in report.slips[0].text
    confirmed(likelihood(data), lambda p: mended_9_and_10(data, Parameters(*p), start), later)


def test_9_at_the_start_the_formula_is_right_and_still_found(data):
    start = initial_parameters()
    report = found(likelihood(data), lambda p: written_9(data, Parameters(*p), start), start)
    assert report.wrong == 0
    assert report.verdict == "wrong"
    assert report.slips[0].kind == "stale"
    assert report.notes[0].startswith("at the given inputs the formula by hand is right, yet beside them it is wrong")


def test_10_v_after_its_update(data):
    start = initial_parameters()
    report = found(likelihood(data), lambda p: written_10(data, Parameters(*p), start), start)
    assert {e.input for e in report.failures} == {"p[0]", "p[1]"}
    assert report.slips[0].kind == "stale"
    assert "p[2] after its own update, by 1e-06" in report.slips[0].text


def test_11_a_softmax_that_overflows():
    def by_hand(softmax):
        return lambda z: mended_2(softmax(z))

    z = np.array([-1000.0, 0.0, 1000.0])
    report = found(tg.softmax, by_hand(WRITTEN_11["softmax"]), z)
    assert np.isnan(report.failures[0].hand)
    confirmed(tg.softmax, by_hand(MENDED_11["softmax"]), z)


def test_21_the_arguments_in_another_order(data):
    p = initial_parameters()
    hidden, _ = outputs(data, p)

    def f(V):
        return tg.sum(data.T * tg.log(tg.softmax(hidden @ V + p.b2)))

    def by_hand(swapped):
        def gradient(V):
            Y = softmax(hidden @ V + p.b2)
            return derivative_v(hidden, Y, data.T) if swapped else derivative_v(hidden, data.T, Y)

        return gradient

    report = found(f, by_hand(True), p.V)
    assert [slip.kind for slip in report.slips] == ["sign"]
    confirmed(f, by_hand(False), p.V)
