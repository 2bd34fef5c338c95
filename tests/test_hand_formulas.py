"""Hold the engine against gradients derived by hand: random shapes, weights and batches, saturated ones too."""

from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from hypothesis.strategies import DrawFn
from numpy.testing import assert_allclose

import tinygrad_mlp as tg
from tinygrad_mlp.check import formulas
from tinygrad_mlp.errors import ShapeError
from tinygrad_mlp.notes import cells, facts
from tinygrad_mlp.transforms import jacobian

Array = np.ndarray
SATURATED = np.array([-1000.0, -40.0, -1.0, -0.0, 0.0, 1e-300, 1.0, 40.0, 1000.0])


def numbers(scale: float) -> st.SearchStrategy[float]:
    """Floats up to ``scale``, zeros and ties among them often."""
    return st.sampled_from([0.0, -0.0, 1.0, -1.0, scale, -scale]) | st.floats(-scale, scale)


def arrays(draw: DrawFn, shape: tuple[int, ...], scale: float = 3.0) -> Array:
    return draw(hnp.arrays(np.float64, shape, elements=numbers(scale)))


class Case(NamedTuple):
    """A network of any depth with a batch."""

    X: Array
    T: Array
    labels: Array
    weights: list[Array]
    biases: list[Array]


@st.composite
def networks(draw: DrawFn, min_hidden: int = 0, max_hidden: int = 4, saturated: bool = True) -> Case:
    """A batch of 1 to 5 rows and a network with up to four hidden layers, its weights up to 3, 40 or 1000."""
    hidden = draw(st.lists(st.integers(1, 4), min_size=min_hidden, max_size=max_hidden))
    sizes = [draw(st.integers(1, 4)), *hidden, draw(st.integers(2, 4))]
    scale = draw(st.sampled_from([3.0, 3.0, 40.0, 1000.0])) if saturated else 1.5
    weights = [arrays(draw, pair, scale) for pair in pairwise(sizes)]
    biases = [arrays(draw, (n,), scale) for n in sizes[1:]]
    X = arrays(draw, (draw(st.integers(1, 5)), sizes[0]))
    labels = draw(hnp.arrays(np.int64, len(X), elements=st.integers(0, sizes[-1] - 1)))
    return Case(X, np.eye(sizes[-1])[labels], labels, weights, biases)


def by_engine(case: Case, unit: str, target: Any = None) -> tuple[float, list[Array], list[Array]]:
    """The log-likelihood and its gradients in weights and biases, by a recorded forward pass and ``backward()``."""
    weights, biases = ([tg.Tensor(p) for p in group] for group in (case.weights, case.biases))
    h: Any = case.X
    for W, b in zip(weights[:-1], biases[:-1], strict=True):
        h = getattr(tg, unit)(h @ W + b)
    J = -tg.cross_entropy(h @ weights[-1] + biases[-1], case.T if target is None else target, reduction="sum")
    J.backward()
    return J.item(), [W.grad for W in weights], [b.grad for b in biases]


def by_hand(case: Case, unit: str) -> tuple[list[Array], list[Array]]:
    """The gradients by the recursion of eq. 29 to 36."""
    passed = formulas.propagate(case.X, case.weights, case.biases, unit)
    return formulas.backpropagate(case.T, case.weights, passed, unit)[:2]


def magnitudes(case: Case, unit: str) -> tuple[list[Array], list[Array]]:
    """The recursion with every term positive: how large the terms are that cancel in each gradient."""
    a, h = formulas.propagate(case.X, case.weights, case.biases, unit)
    largest = [*map(np.abs, h[:-1]), -h[-1]]  # T + Y bounds what rounding of the softmax can do
    passed = formulas.ForwardPass(a, largest)
    return formulas.backpropagate(case.T, [np.abs(W) for W in case.weights], passed, unit)[:2]


def assert_same(ours: Array, hand: Array, terms: Array | float) -> None:
    """Equal to 9 digits, or to 12 of the terms that cancel."""
    assert (np.abs(ours - hand) <= 1e-9 * np.abs(hand) + 1e-12 * terms + 1e-300).all(), (ours, hand)


# --------------------------------------------------------------------------------------------------------------- units


@given(hnp.arrays(np.float64, hnp.array_shapes(max_dims=2, max_side=6), elements=numbers(60.0)))
@example(SATURATED)
@pytest.mark.parametrize(
    ("unit", "value", "slope"),
    [
        (tg.sigmoid, formulas.sigmoid, formulas.sigmoid_derivative),
        (tg.tanh, np.tanh, formulas.tanh_derivative),
    ],
    ids=["sigmoid", "tanh"],
)
def test_the_slope_of_a_unit_is_a_formula_of_its_output(unit, value, slope, x):
    leaf = tg.Tensor(x)
    y = unit(leaf)
    y.backward(np.ones_like(x))
    assert_allclose(y.numpy(), value(x), rtol=1e-14)
    assert_allclose(leaf.grad, slope(y.numpy()), rtol=1e-12, atol=4e-16)
    for number, gradient in zip(x.ravel().tolist(), leaf.grad.ravel(), strict=True):
        scalar = tg.Value(number)
        unit(scalar).backward()
        assert_allclose(scalar.grad, gradient, rtol=1e-12, atol=4e-16)


@given(hnp.arrays(np.float64, st.integers(1, 6), elements=numbers(40.0)))
@example(SATURATED)
@example(np.array([2.0, 2.0, 2.0]))
def test_the_jacobian_of_the_softmax_is_diag_y_minus_y_yt(z):
    assert_allclose(jacobian(tg.softmax)(z), formulas.softmax_jacobian(formulas.softmax(z)), rtol=1e-12, atol=1e-15)


@given(st.data())
def test_the_derivative_of_the_log_likelihood_in_the_outputs_is_t_over_y(data):
    y = data.draw(hnp.arrays(np.float64, st.integers(2, 5), elements=st.floats(0.01, 1.0)))
    t = np.eye(len(y))[data.draw(st.integers(0, len(y) - 1))]
    leaf = tg.Tensor(y)
    tg.sum(t * tg.log(leaf)).backward()
    assert_allclose(leaf.grad, t / y)


@given(st.data())
def test_the_derivative_of_the_cross_entropy_in_the_logits_is_y_minus_t(data):
    case = data.draw(networks(max_hidden=0))
    z = case.X @ case.weights[0] + case.biases[0]
    Y = formulas.softmax(z)
    soft = formulas.softmax(data.draw(hnp.arrays(np.float64, z.shape, elements=st.floats(-2, 2))))
    for target, t in ((case.T, case.T), (case.labels, case.T), (soft, soft)):
        leaf = tg.Tensor(z)
        tg.cross_entropy(leaf, target, reduction="sum").backward()
        assert_allclose(leaf.grad, Y - t, rtol=1e-12, atol=1e-15)


@given(networks(max_hidden=0, saturated=False))
def test_the_cross_entropy_composed_of_log_and_softmax_has_the_same_derivative(case):
    leaf = tg.Tensor(case.X @ case.weights[0] + case.biases[0])
    (-tg.sum(case.T * tg.log(tg.softmax(leaf)))).backward()
    assert_allclose(leaf.grad, formulas.softmax(leaf.numpy()) - case.T, rtol=1e-10, atol=1e-14)


# ----------------------------------------------------------------------------------------- networks of one hidden layer


@given(networks(min_hidden=1, max_hidden=1))
def test_the_four_formulas_of_a_network_of_two_layers(case):
    (W, V), (b1, b2) = case.weights, case.biases
    _, H, Y = formulas.propagate(case.X, [W, V], [b1, b2]).h
    _, (dW, dV), (db1, db2) = by_engine(case, "sigmoid")
    (terms_w, terms_v), (terms_1, terms_2) = magnitudes(case, "sigmoid")
    assert_same(dV, formulas.derivative_v(H, case.T, Y), terms_v)
    assert_same(dW, formulas.derivative_w(case.X, case.T, Y, H, V), terms_w)
    assert_same(db1, formulas.derivative_b1(case.T, Y, H, V), terms_1)
    assert_same(db2, formulas.derivative_b2(case.T, Y), terms_2)


@given(networks(min_hidden=1, max_hidden=1))
def test_loops_give_what_arrays_give(case):
    V = case.weights[1]
    _, H, Y = formulas.propagate(case.X, case.weights, case.biases).h
    dV, dW = formulas.derivative_v(H, case.T, Y), formulas.derivative_w(case.X, case.T, Y, H, V)
    (terms_w, terms_v), _ = magnitudes(case, "sigmoid")
    assert_same(formulas.derivative_v_loops(H, case.T, Y), dV, terms_v)
    assert_same(formulas.derivative_w_loops(case.X, case.T, Y, H, V), dW, terms_w)


@given(networks(min_hidden=1, max_hidden=1, saturated=False))
def test_a_forward_pass_by_loops_gives_what_arrays_give(case):
    network = cells.leaves([case.weights[0], case.weights[1][:, :1]], [case.biases[0], case.biases[1][:1]])
    by_arrays = cells.forward(case.X, network, output=tg.sigmoid)[-1].numpy()
    assert_allclose(cells.forward_by_loops(case.X, network), by_arrays, rtol=1e-13)


@given(networks(min_hidden=1, max_hidden=1, saturated=False), st.randoms(use_true_random=False))
def test_permuting_hidden_units_permutes_the_gradients_and_leaves_the_loss(case, random):
    order = random.sample(range(len(case.biases[0])), len(case.biases[0]))
    network = cells.leaves(case.weights, case.biases)
    J, dW, dV = facts.likelihood_and_gradients(case.X, case.T, network)
    J2, dW2, dV2 = facts.likelihood_and_gradients(case.X, case.T, facts.permuted(network, order))
    assert_allclose(J2, J, rtol=1e-12)
    assert_allclose(dW2, dW[:, order], rtol=1e-9, atol=1e-12)
    assert_allclose(dV2, dV[order], rtol=1e-9, atol=1e-12)


@given(networks(min_hidden=1, max_hidden=2, saturated=False))
def test_scalar_nodes_give_what_the_recursion_gives(case):
    leaves = [([[tg.Value(w) for w in row] for row in W.tolist()], [tg.Value(b) for b in bias.tolist()])
              for W, bias in zip(case.weights, case.biases, strict=True)]  # fmt: skip
    J = 0.0
    for x, label in zip(case.X.tolist(), case.labels, strict=True):
        h: Any = x
        for depth, (W, bias) in enumerate(leaves):
            a = [tg.affine([*(row[k] for row in W), *h, b]) for k, b in enumerate(bias)]
            h = [tg.sigmoid(v) for v in a] if depth < len(leaves) - 1 else a
        J = J + h[label] - tg.log(sum((tg.exp(z) for z in h), 0.0))
    J.backward()
    dWs, dbs = by_hand(case, "sigmoid")
    for (W, bias), dW, db in zip(leaves, dWs, dbs, strict=True):
        assert_allclose([[w.grad for w in row] for row in W], dW, rtol=1e-9, atol=1e-12)
        assert_allclose([b.grad for b in bias], db, rtol=1e-9, atol=1e-12)


# ------------------------------------------------------------------------------------------------ networks of any depth


@given(case=networks())
@pytest.mark.parametrize("unit", ["sigmoid", "relu"])
def test_the_recursion_gives_the_engines_gradients_at_any_depth(unit, case):
    dWs, dbs = by_hand(case, unit)
    J, weights, biases = by_engine(case, unit)
    _, from_labels, _ = by_engine(case, unit, target=case.labels)
    assert np.isfinite(J)
    terms_w, terms_b = magnitudes(case, unit)
    for ours, other, hand, terms in zip(weights, from_labels, dWs, terms_w, strict=True):
        assert_same(ours, hand, terms)
        assert_same(other, hand, terms)
    for ours, hand, terms in zip(biases, dbs, terms_b, strict=True):
        assert_same(ours, hand, terms)


@given(case=networks(min_hidden=1, saturated=False))
@pytest.mark.parametrize("unit", ["sigmoid", "relu"])
def test_the_recursion_is_the_slope_of_the_log_likelihood(unit, case):
    """Neither side may be taken on trust: move all weights a little and look how the log-likelihood changes."""
    sums = formulas.propagate(case.X, case.weights, case.biases, unit).a[:-1]  # at their zeros ReLU units have a kink
    assume(unit == "sigmoid" or all(np.abs(a).min() > 1e-3 for a in sums))
    dWs, _ = by_hand(case, unit)
    step = 1e-6

    def moved_likelihood(sign: int) -> float:
        moved = [W + sign * step * np.cos(np.arange(W.size).reshape(W.shape)) for W in case.weights]
        return formulas.log_likelihood(case.T, formulas.propagate(case.X, moved, case.biases, unit).h[-1])

    slope = sum(float(np.sum(dW * np.cos(np.arange(dW.size).reshape(dW.shape)))) for dW in dWs)
    assert_allclose((moved_likelihood(1) - moved_likelihood(-1)) / (2 * step), slope, rtol=1e-4, atol=1e-6)


def test_the_gradient_of_a_saturated_unit_is_zero_and_not_nan():
    X, T, labels = np.array([[3.0]]), np.array([[1.0, 0.0]]), np.array([0])
    case = Case(X, T, labels, [np.array([[1000.0]]), np.ones((1, 2))], [np.zeros(1), np.zeros(2)])
    _, (dW, _), _ = by_engine(case, "sigmoid")
    assert dW.tolist() == [[0.0]]
    assert by_hand(case, "sigmoid")[0][0].tolist() == [[0.0]]


def test_a_network_without_a_bias_for_each_layer_is_refused():
    with pytest.raises(ShapeError, match="2 weight matrices and 1 biases"):
        formulas.propagate(np.ones((1, 2)), [np.eye(2), np.eye(2)], [np.zeros(2)])
