"""Hidden units have the values and gradients of their formulas; for every output unit T - Y is the gradient."""

import numpy as np
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import tinygrad_mlp as tg
from tinygrad_mlp import nn, ops
from tinygrad_mlp.errors import DataError, ShapeError, TinygradError
from tinygrad_mlp.tensors import Tensor

FAMILIES = sorted(nn.FAMILIES)
seeds = st.integers(0, 2**32 - 1)
saturated = st.sampled_from([-1000.0, -50.0, -1e-300, 0.0, 1e-9, 36.0, 745.0])
etas = arrays(np.float64, st.tuples(st.integers(1, 4), st.integers(2, 4)), elements=st.floats(-30, 30) | saturated)


def mean(unit, eta):
    """The inverse links, written out."""
    if unit == "linear":
        return eta
    if unit == "logistic":
        return np.where(eta >= 0, 1, np.exp(np.minimum(eta, 0))) / (1 + np.exp(-np.abs(eta)))
    if unit == "softmax":
        e = np.exp(eta - eta.max(axis=-1, keepdims=True))
        return e / e.sum(axis=-1, keepdims=True)
    return np.exp(eta)


def targets(unit, shape, rng):
    if unit == "linear":
        return 10 * rng.standard_normal(shape)
    if unit == "logistic":
        return rng.integers(0, 2, shape).astype(float)
    if unit == "softmax":
        return np.eye(shape[-1])[rng.integers(0, shape[-1], shape[:-1])]
    return rng.poisson(3, shape).astype(float)


# ------------------------------------------------------------------------------------------------------- output units


@pytest.mark.parametrize("unit", FAMILIES)
@given(eta=etas, seed=seeds)
def test_the_gradient_of_the_log_likelihood_is_t_minus_y(unit, eta, seed):
    """At the linear predictor, at unit dispersion, for each member of the exponential family; saturated too."""
    if unit == "exponential":
        eta = np.minimum(eta, 700)  # beyond, a Poisson mean is no float
    family = nn.FAMILIES[unit]
    t = targets(unit, eta.shape, np.random.default_rng(seed))
    node = Tensor(eta)
    ops.sum(family.log_likelihood(node, t)).backward()
    np.testing.assert_allclose(node.grad, t - mean(unit, eta), rtol=1e-12, atol=4e-16)  # t - y itself rounds to that
    np.testing.assert_allclose(family.mean(eta), mean(unit, eta), rtol=1e-12, atol=1e-300)


@given(seed=seeds, n=st.integers(1, 6), c=st.integers(2, 5))
def test_labels_count_as_their_one_hot_rows(seed, n, c):
    rng = np.random.default_rng(seed)
    eta, labels = 5 * rng.standard_normal((n, c)), rng.integers(0, c, n)
    family = nn.Multinomial()
    np.testing.assert_allclose(
        family.log_likelihood(eta, labels), family.log_likelihood(eta, np.eye(c)[labels]), rtol=1e-12
    )
    np.testing.assert_array_equal(family.labels(np.eye(c)[labels]), family.labels(labels))


@pytest.mark.parametrize("unit", FAMILIES)
@given(eta=arrays(np.float64, (3, 4), elements=st.floats(-8, 8)))
def test_the_link_is_the_inverse_of_the_mean(unit, eta):
    family = nn.FAMILIES[unit]
    mu = family.mean(eta)
    np.testing.assert_allclose(family.mean(family.link(mu)), mu, rtol=1e-9)
    back = family.link(mu)
    if unit == "softmax":  # which does not see a constant added to all classes
        back, eta = back - back[..., :1], eta - eta[..., :1]
    np.testing.assert_allclose(back, eta, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(
    ("unit", "density"),
    [
        ("linear", lambda y, t: -0.5 * (t - y) ** 2),
        ("logistic", lambda y, t: t * np.log(y) + (1 - t) * np.log(1 - y)),
        ("softmax", lambda y, t: (t * np.log(y)).sum(axis=-1)),
        ("exponential", lambda y, t: t * np.log(y) - y),
    ],
)
@given(eta=arrays(np.float64, (3, 4), elements=st.floats(-8, 8)), seed=seeds)
def test_the_log_likelihood_is_that_of_the_density(unit, density, eta, seed):
    t = targets(unit, eta.shape, np.random.default_rng(seed))
    got = nn.FAMILIES[unit].log_likelihood(eta, t)
    np.testing.assert_allclose(got, density(mean(unit, eta), t), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("unit", FAMILIES)
@given(seed=seeds, rows=st.integers(1, 5))
def test_reductions_mean_what_they_mean_in_pytorch(unit, seed, rows):
    rng = np.random.default_rng(seed)
    eta = rng.standard_normal((rows, 3))
    t = targets(unit, eta.shape, rng)
    each, total, average = (nn.FAMILIES[unit].loss(eta, t, reduction=r) for r in ("none", "sum", "mean"))
    np.testing.assert_allclose(total, np.sum(each), rtol=1e-12)
    np.testing.assert_allclose(average, np.mean(each), rtol=1e-12)
    assert each.shape == ((rows,) if unit == "softmax" else (rows, 3))


def test_saturated_losses_are_exact():
    """log σ(-1000) is -1000, not the logarithm of a rounded 0, and log σ(50) is not that of a rounded 1."""
    assert nn.Bernoulli().loss([[-1000.0]], [[1.0]]) == 1000
    assert nn.Bernoulli().loss([[50.0]], [[1.0]]) == pytest.approx(np.exp(-50.0), rel=1e-12)
    assert nn.Multinomial().loss([[0.0, 1000.0]], [0]) == 1000


@pytest.mark.parametrize("unit", ["linear", "logistic", "exponential"])
def test_targets_of_one_output_may_be_a_plain_vector(unit):
    model = nn.MLP([2, 3, 1], output=unit)
    X, t = np.ones((4, 2)), np.array([0, 1, 1, 0])
    assert float(model.loss(X, t)) == float(model.loss(X, t[:, None].astype(float)))
    with pytest.raises(ShapeError):
        model.loss(X, np.ones((4, 2)))
    with pytest.raises(ShapeError):
        model.loss(X, np.ones(3))


def test_boolean_targets_are_zero_and_one():
    eta = np.array([[0.3], [-2.0]])
    assert nn.Bernoulli().loss(eta, np.array([True, False])) == nn.Bernoulli().loss(eta, [1.0, 0.0])


def test_predictions_are_labels_where_targets_are_classes():
    eta = np.array([[0.5], [-0.5]])
    assert nn.Bernoulli().predict(eta).tolist() == [1, 0]
    assert nn.Bernoulli().labels(np.array([[1.0], [0.0]])).tolist() == [1, 0]
    assert nn.Bernoulli().predict(np.array([[1.0, -1.0]])).tolist() == [[1, 0]]
    assert nn.Multinomial().predict(Tensor([[0.0, 3.0, 1.0]])).tolist() == [1]
    assert nn.Gaussian().predict(eta).tolist() == eta.tolist()
    assert nn.Poisson().predict(np.zeros((1, 1))).tolist() == [[1.0]]


@pytest.mark.parametrize(
    ("unit", "t", "units", "message"),
    [
        ("softmax", np.array([0, 3]), 3, "labels from 0 to 3: 3 softmax units have the labels 0 … 2"),
        ("softmax", np.array([-1, 0]), 3, "labels from -1 to 0"),
        ("softmax", np.array([0.0, 1.0]), 3, "float64, which are no labels"),
        ("softmax", np.array([[1.0, 1.0]]), 2, "do not sum to 1"),
        ("softmax", np.array([[1.0, 0.0]]), 3, r"shape \(1, 2\): 3 softmax outputs need \(rows, 3\)"),
        ("logistic", np.array([0.0, 2.0]), 1, "runs from 0.0 to 2.0: a logistic output needs"),
        ("exponential", np.array([1, -1]), 1, "the minimum -1"),
        ("linear", np.ones((3, 2)), 1, r"shape \(3, 2\): 1 linear outputs need \(rows,\) or \(rows, 1\)"),
    ],
)  # fmt: skip
def test_targets_that_cannot_be_are_refused(unit, t, units, message):
    with pytest.raises(DataError, match=message):
        nn.FAMILIES[unit].check(t, units)


def test_a_family_of_ones_own_is_an_output_unit():
    class Laplace(nn.Family):
        unit = "laplace"

        def mean(self, eta):
            return eta

        def negative_log_likelihood(self, eta, t, reduction):
            return nn.absolute_error(eta, t, reduction=reduction)

    model = nn.MLP([1, 1], output=Laplace())
    assert model.describe()["layers"][1]["activation"] == "laplace"
    assert float(model.loss(np.zeros((2, 1)), [1.0, -3.0])) == 2.0


# ------------------------------------------------------------------------------------------------------- hidden units


@pytest.mark.parametrize("unit", sorted(nn.HIDDEN_UNITS))
@given(seed=seeds, n=st.integers(1, 4), d=st.integers(1, 4), h=st.integers(1, 4))
def test_the_gradient_of_every_unit_is_its_slope(unit, seed, n, d, h):
    """<u, J v> by a central difference, along a random direction of all parameters, equals <Jᵀ u, v> of backward."""
    rng = np.random.default_rng(seed)
    model = nn.MLP([d, h, 2], unit, rng=rng)
    X, u = rng.standard_normal((n, d)), rng.standard_normal((n, 2))
    ops.sum(model(X) * u).backward()
    start = model.state_dict()
    direction = {name: rng.standard_normal(p.shape) for name, p in model.named_parameters()}
    analytic = sum((p.grad * direction[name]).sum() for name, p in model.named_parameters())
    found = []
    for step in (1e-6, 1e-7):
        values = []
        for sign in (1, -1):
            model.load_state_dict({name: value + sign * step * direction[name] for name, value in start.items()})
            values.append((model(X).numpy() * u).sum())
        found.append((values[0] - values[1]) / (2 * step))
    assume(abs(found[0] - found[1]) < 1e-5 * (1 + abs(found[0])))  # else a corner lies within the step
    assert analytic == pytest.approx(found[0], rel=1e-5, abs=1e-5)


@given(seed=seeds, n=st.integers(1, 5), d=st.integers(1, 4), h=st.integers(1, 4), pieces=st.integers(2, 4))
def test_maxout_is_the_largest_of_its_affine_maps(seed, n, d, h, pieces):
    rng = np.random.default_rng(seed)
    layer = nn.Maxout(d, h, pieces, rng=rng)
    layer.bias.assign(rng.standard_normal(h * pieces))
    X = rng.standard_normal((n, d))
    W, b = layer.weight.numpy(), layer.bias.numpy()
    wanted = np.stack(
        [np.max([X @ W[:, k] + b[k] for k in range(j * pieces, (j + 1) * pieces)], axis=0) for j in range(h)], axis=1
    )
    np.testing.assert_allclose(layer(X).numpy(), wanted, rtol=1e-12, atol=1e-14)
    assert layer(X[0]).shape == (h,)


@given(seed=seeds, slope=st.sampled_from([0.0, 0.01, 0.5]))
def test_relu_and_leaky_relu_are_maxout_units(seed, slope):
    rng = np.random.default_rng(seed)
    linear, maxout = nn.Linear(3, 4, rng=rng), nn.Maxout(3, 4, rng=rng)
    pieces = np.stack([linear.weight.numpy(), slope * linear.weight.numpy()], axis=-1)
    maxout.weight.assign(pieces.reshape(3, 8))
    X = rng.standard_normal((5, 3))
    leaky = ops.leaky_relu(linear(X), negative_slope=slope).numpy()
    np.testing.assert_allclose(maxout(X).numpy(), leaky, rtol=1e-12, atol=1e-15)


@given(
    seed=seeds, n=st.integers(1, 5), d=st.integers(1, 4), h=st.integers(1, 4),
    scale=st.sampled_from([1e-3, 1.0, 1e4]), offset=st.sampled_from([0.0, 1.0, 1e8]),
)  # fmt: skip
@example(seed=0, n=3, d=2, h=3, scale=1.0, offset=1e8).via("squares of 1e8 leave no digits for a distance of 1")
def test_a_radial_basis_unit_answers_by_its_distance(seed, n, d, h, scale, offset):
    """h = exp(-‖w - x‖² / σ²) as in the notes (1.4.1), with 1/σ² and not 1/(2σ²)."""
    rng = np.random.default_rng(seed)
    layer = nn.RadialBasis(d, h, rng=rng)
    layer.weight.assign(offset + scale * layer.weight.numpy())
    layer.log_width.assign(np.log(scale) + rng.standard_normal(h))
    X = offset + scale * rng.standard_normal((n, d))
    W, width = layer.weight.numpy(), np.exp(layer.log_width.numpy())
    squares = ((X[:, :, None] - W[None]) ** 2).sum(axis=1)
    np.testing.assert_allclose(layer(X).numpy(), np.exp(-squares / width**2), rtol=1e-9, atol=1e-300)
    np.testing.assert_allclose(np.diag(layer(W.T).numpy()), 1, rtol=1e-9)


def test_no_radial_basis_unit_answers_above_one():
    layer = nn.RadialBasis(3, 50, rng=0)
    layer.log_width.assign(np.full(50, -12.0))
    assert layer(layer.weight.numpy().T).numpy().max() == 1


def test_every_radial_basis_unit_hears_standardised_data_at_the_start():
    rng = np.random.default_rng(0)
    for d in (1, 10, 500):
        answer = nn.RadialBasis(d, 20, rng=rng)(rng.standard_normal((50, d))).numpy()
        assert 0.2 < answer.mean() < 0.6


def test_a_function_of_ones_own_is_a_hidden_unit():
    model = nn.MLP([2, 3, 1], lambda z: z * z)
    assert model.describe()["layers"][1]["activation"] == "function"
    assert nn.MLP([2, 3, 1], ops.relu).units[0] is nn.HIDDEN_UNITS["relu"]
    (W, b), (V, c) = ((layer.weight.numpy(), layer.bias.numpy()) for layer in model.layers)
    X = np.random.default_rng(0).standard_normal((4, 2))
    np.testing.assert_allclose(model(X).numpy(), (X @ W + b) ** 2 @ V + c, rtol=1e-12)


def test_a_softmax_or_a_sigmoid_is_not_taken_twice():
    X, labels = np.ones((2, 2)), np.array([0, 1])
    with pytest.raises(TinygradError, match=r"linear_predictor\(X\)"):
        tg.nn.cross_entropy(tg.nn.MLP([2, 2], output="softmax")(X), labels)
    with pytest.raises(TinygradError, match=r"linear_predictor\(X\)"):
        tg.nn.binary_cross_entropy_with_logits(tg.nn.MLP([2, 1], output="logistic")(X), np.ones((2, 1)))
