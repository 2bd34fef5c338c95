"""The formulas by hand agree with the engine, and with three independent judges: numbers, mpmath and PyTorch."""

import inspect
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from notes_mistakes import MISTAKEN_FUNCTION, MISTAKES
from numpy.testing import assert_allclose
from strategies import FEW

import tinygrad_mlp as tg
from tinygrad_mlp.check import formulas
from tinygrad_mlp.check.formulas import CANONICAL, CATALOGUE, UNITS
from tinygrad_mlp.check.formulas.unit_entries import OPERATIONS
from tinygrad_mlp.errors import ShapeError, UnsupportedError
from tinygrad_mlp.transforms import grad, jacobian, jvp

NO_TORCH = "PyTorch, an independent judge of derivatives, is not installed"
NO_MPMATH = "mpmath, an independent judge of derivatives, is not installed"
SATURATED = np.array([-1000.0, -745.0, -100.0, -40.0, -3.7, -1.2, -0.3, 0.4, 1.7, 5.0, 7.0, 40.0, 745.0, 1000.0])
ENTRIES = pytest.mark.parametrize("entry", CATALOGUE.values(), ids=CATALOGUE)
seeds = st.integers(0, 2**32 - 1)


@pytest.fixture(scope="module")
def torch():
    return pytest.importorskip("torch", reason=NO_TORCH)


@pytest.fixture(scope="module")
def mp():
    module = pytest.importorskip("mpmath", reason=NO_MPMATH)
    with module.workdps(500):  # exp(-1000) has 434 zeros
        yield module


def sizes_of(entry):
    """The sizes that an entry's example inputs take, and their defaults."""
    return {name: p.default for name, p in inspect.signature(entry.inputs).parameters.items() if name != "rng"}


def by_hand(entry, inputs):
    """The derivatives by hand, one for each input."""
    found = entry.by_hand(*inputs)
    return found if isinstance(found, tuple) else (found,)


def by_engine(entry, inputs, i):
    """The engine's derivative in input ``i``."""
    if entry.kind == "elementwise":
        return jvp(entry.function, inputs, tuple(map(np.ones_like, inputs)))[1]
    return (grad if entry.kind == "gradient" else jacobian)(entry.function, i)(*inputs)


def along(entry, derivative, direction):
    """How fast the value changes along a direction of one input, by its derivative."""
    if entry.kind == "elementwise":
        return derivative * direction
    return np.tensordot(derivative, direction, direction.ndim)


def drawn(entry, data):
    """Example inputs of random sizes."""
    small = {name: data.draw(st.integers(1, 4), label=name) for name in sizes_of(entry)}
    return entry.inputs(np.random.default_rng(data.draw(seeds, label="seed")), **small)


# ------------------------------------------------------------------------------------------------------- the catalogue


@ENTRIES
def test_an_entry_says_what_it_is_and_where_it_is_from(entry):
    assert entry.name in CATALOGUE
    assert entry.title
    assert entry.source
    assert "∂" in entry.statement


@ENTRIES
def test_all_default_sizes_of_an_entry_differ_and_none_is_one(entry):
    sizes = list(sizes_of(entry).values())
    assert len(set(sizes)) == len(sizes)
    assert min(sizes) >= 2
    inputs = entry.inputs(np.random.default_rng(0))
    assert all(x.dtype == np.float64 for x in inputs)
    assert all(len(set(x.shape)) == x.ndim for x in inputs)


@ENTRIES
def test_by_hand_gives_one_array_for_each_input_in_the_shape_that_its_kind_says(entry):
    inputs = entry.inputs(np.random.default_rng(0))
    y, hand = np.asarray(entry.function(*inputs)), by_hand(entry, inputs)
    assert len(hand) == len(inputs)
    assert any(h is not None for h in hand)
    for x, h in zip(inputs, hand, strict=True):
        if h is not None:
            assert isinstance(h, np.ndarray)
            assert h.shape == (y.shape + x.shape if entry.kind == "jacobian" else x.shape)
    assert (y.shape == ()) is (entry.kind == "gradient")


@ENTRIES
@FEW
@given(data=st.data())
def test_the_engine_derives_what_the_hand_derives(entry, data):
    inputs = drawn(entry, data)
    for i, hand in enumerate(by_hand(entry, inputs)):
        if hand is not None:
            assert_allclose(by_engine(entry, inputs, i), hand, rtol=1e-8, atol=1e-11)


@ENTRIES
@FEW
@given(data=st.data())
def test_values_change_as_the_hand_says(entry, data):
    """Differences of values know nothing of derivative rules; a kink within a step is left aside."""
    inputs = drawn(entry, data)
    rng = np.random.default_rng(1)
    with tg.no_grad():
        for i, hand in enumerate(by_hand(entry, inputs)):
            if hand is None:
                continue
            v = rng.standard_normal(inputs[i].shape)
            predicted = along(entry, hand, v)
            left, right, measured, doubt = slopes(entry.function, inputs, i, v)
            assume((np.abs(right - left) <= 1e-2 * (1.0 + np.abs(left) + np.abs(right))).all())
            assert (np.abs(measured - predicted) <= 1e-6 * np.abs(predicted) + 1e-7 + doubt).all(), (
                measured,
                predicted,
            )


def slopes(f, inputs, i, v, h=2e-4):
    """The slopes of ``f`` along ``v`` to the left, to the right and central, and how far off the last may be."""

    def value(t):
        return np.asarray(f(*inputs[:i], inputs[i] + t * v, *inputs[i + 1 :]))

    here, up, down, up2, down2 = map(value, (0.0, h, -h, 2 * h, -2 * h))
    near, far = (up - down) / (2 * h), (up2 - down2) / (4 * h)
    doubt = np.abs(near - far) + 1e-14 * (1.0 + np.abs(here)) / h  # a jump of the second derivative, and rounding
    return (here - down) / h, (up - here) / h, (4 * near - far) / 3, doubt


@ENTRIES
def test_no_derivative_vanishes_at_the_example_inputs(entry):
    """So that a factor or a sign that is missing shows."""
    inputs = entry.inputs(np.random.default_rng(0))
    for hand in by_hand(entry, inputs):
        if hand is not None:
            assert np.abs(hand).max() > 1e-3
            assert np.isfinite(hand).all()


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda m: f"{m.number}, {m.where}")
def test_a_mistake_of_the_notes_differs_from_the_right_formula(mistake):
    written = mistake.written(*mistake.inputs)
    written = written if isinstance(written, tuple) else (written,)
    right = by_hand(mistake.entry, mistake.inputs)
    differs = []
    for i, (wrong, h) in enumerate(zip(written, right, strict=True)):
        if h is not None:
            assert_allclose(by_engine(mistake.entry, mistake.inputs, i), h, rtol=1e-9, atol=1e-12)
        if wrong is not None:
            assert np.shape(wrong) == h.shape
            differs.append(not np.allclose(wrong, h, rtol=1e-9, atol=1e-12))
    assert any(differs)


def test_the_leaky_relu_of_cell_14_has_not_the_slope_of_one():
    entry, inputs = MISTAKEN_FUNCTION.entry, MISTAKEN_FUNCTION.inputs
    assert by_engine(entry, inputs, 0).tolist() == [[1.0, 1.0]]
    assert MISTAKEN_FUNCTION.written(*inputs).tolist() == [[0.01, 1.0]]


# -------------------------------------------------------------------------------------------------------- hidden units

# Of one number, at any precision. Pieces are chosen by sign, away from the kinks.
DEFINITIONS = {
    "sigmoid": lambda mp, a: 1 / (1 + mp.exp(-a)),
    "tanh": lambda mp, a: (mp.exp(a) - mp.exp(-a)) / (mp.exp(a) + mp.exp(-a)),
    "relu": lambda _mp, a: a if a > 0 else 0 * a,
    "relu6": lambda mp, a: min(max(a, mp.mpf(0)), mp.mpf(6)),
    "leaky_relu": lambda mp, a: a if a > 0 else mp.mpf(0.01) * a,
    "elu": lambda mp, a: a if a > 0 else mp.exp(a) - 1,
    "selu": lambda mp, a: (
        mp.mpf(formulas.units.SELU_SCALE) * (a if a > 0 else mp.mpf(formulas.units.SELU_ALPHA) * (mp.exp(a) - 1))
    ),
    "celu": lambda mp, a: a if a > 0 else mp.exp(a) - 1,
    "gelu": lambda mp, a: a * mp.ncdf(a),
    "gelu_tanh": lambda mp, a: a / 2 * (1 + mp.tanh(mp.sqrt(2 / mp.pi) * (a + mp.mpf(0.044715) * a**3))),
    "silu": lambda mp, a: a / (1 + mp.exp(-a)),
    "mish": lambda mp, a: a * mp.tanh(mp.log(1 + mp.exp(a))),
    "hardtanh": lambda mp, a: min(max(a, mp.mpf(-1)), mp.mpf(1)),
    "hardsigmoid": lambda mp, a: min(max(a + 3, mp.mpf(0)), mp.mpf(6)) / 6,
    "hardswish": lambda mp, a: a * min(max(a + 3, mp.mpf(0)), mp.mpf(6)) / 6,
    "softplus": lambda mp, a: mp.log(1 + mp.exp(a)),
    "log_sigmoid": lambda mp, a: -mp.log(1 + mp.exp(-a)),
    "softsign": lambda _mp, a: a / (1 + abs(a)),
    "identity": lambda _mp, a: a,
}


@pytest.mark.parametrize("unit", UNITS.values(), ids=UNITS)
@FEW
@given(a=st.lists(st.floats(-60, 60), min_size=1, max_size=4))
@example(a=SATURATED.tolist())
def test_units_and_their_slopes_are_those_of_the_definition_at_five_hundred_digits(mp, unit, a):
    a = np.array([x for x in a if all(abs(x - kink) > 1e-6 for kink in (*unit.kinks, 0.0))])
    exact = DEFINITIONS[unit.name]
    values = [float(exact(mp, mp.mpf(x))) for x in a]
    with mp.workdps(60 if unit.name == "gelu" else 500):  # Φ has all its digits in the tail, and takes its time
        derivatives = [float(mp.diff(lambda t: exact(mp, t), mp.mpf(x))) for x in a]
    h = unit.value(a)
    assert_allclose(h, values, rtol=2e-13, atol=1e-320)
    assert_allclose(unit.slope(a, h), derivatives, rtol=2e-13, atol=4e-16)


@pytest.mark.parametrize(
    ("name", "slope"),
    [
        ("sigmoid", formulas.logistic_density),
        ("tanh", formulas.sech_squared),
        ("softplus", formulas.softplus_derivative),
        ("log_sigmoid", formulas.log_sigmoid_derivative),
        ("softsign", formulas.softsign_derivative),
        ("elu", formulas.elu_derivative),
        ("selu", formulas.selu_derivative),
        ("celu", formulas.celu_derivative),
    ],
)
@FEW
@given(a=hnp.arrays(np.float64, st.integers(1, 4), elements=st.floats(-300, 300)))
@example(a=SATURATED)
def test_slopes_keep_their_digits_in_the_tails(mp, name, slope, a):
    a = a[np.abs(a) > 1e-6]
    derivatives = [float(mp.diff(lambda t: DEFINITIONS[name](mp, t), mp.mpf(x))) for x in a]
    assert_allclose(slope(a), derivatives, rtol=2e-13, atol=1e-320)


@pytest.mark.parametrize("unit", UNITS.values(), ids=UNITS)
@given(a=hnp.arrays(np.float64, hnp.array_shapes(min_dims=0, max_dims=3, max_side=4), elements=st.floats(-50, 50)))
@example(a=SATURATED)
@example(a=np.array([-3.0, -1.0, -0.0, 0.0, 1.0, 3.0, 6.0]))
def test_units_are_those_of_the_engine_at_any_shape_and_at_kinks(unit, a):
    leaf = tg.Tensor(a)
    y = OPERATIONS[unit.name](leaf)
    y.backward(np.ones_like(a))
    h = unit.value(a)
    assert_allclose(y.numpy(), h, rtol=1e-12, atol=1e-300)
    assert_allclose(leaf.grad, unit.slope(a, h), rtol=1e-12, atol=4e-16)
    assert np.shape(unit.slope(a, h)) == a.shape


THEIRS = {
    "hardsigmoid": lambda F, a: F.relu6(a + 3) / 6,  # theirs has a sixth in single precision
    "leaky_relu": lambda F, a: F.leaky_relu(a, 0.01),
    "gelu_tanh": lambda F, a: F.gelu(a, approximate="tanh"),
    "log_sigmoid": lambda F, a: F.logsigmoid(a),
    "softplus": lambda F, a: F.softplus(a, threshold=700),  # theirs is a beyond 20
    "identity": lambda _F, a: a,
}


def theirs(F, name, a):
    """A unit of PyTorch's."""
    return THEIRS[name](F, a) if name in THEIRS else getattr(F, name)(a)


@pytest.mark.parametrize("unit", UNITS.values(), ids=UNITS)
@FEW
@given(a=hnp.arrays(np.float64, (3, 2), elements=st.floats(-30, 30)))
@example(a=SATURATED)
def test_slopes_are_those_of_pytorch(torch, unit, a):
    leaf = torch.tensor(a, requires_grad=True)
    theirs(torch.nn.functional, unit.name, leaf).sum().backward()
    assume(all((a != kink).all() for kink in unit.kinks))
    assert_allclose(unit.slope(a, unit.value(a)), leaf.grad.numpy(), rtol=1e-9, atol=1e-14)


@given(a=hnp.arrays(np.float64, (3, 2), elements=st.floats(-30, 30)), parameter=st.floats(0.2, 3.0))
@pytest.mark.parametrize("name", ["elu", "celu", "leaky_relu"])
def test_units_with_a_parameter_are_those_of_the_engine_whatever_it_is(name, a, parameter):
    leaf = tg.Tensor(a)
    y = getattr(tg, name)(leaf, **{"negative_slope" if name == "leaky_relu" else "alpha": parameter})
    y.backward(np.ones_like(a))
    assert_allclose(getattr(formulas, name)(a, parameter), y.numpy(), rtol=1e-12, atol=1e-300)
    assert_allclose(getattr(formulas, f"{name}_derivative")(a, parameter), leaf.grad, rtol=1e-12)


def test_no_unit_overflows_near_the_largest_floats():
    a = np.array([-1e308, -1e160, 1e160, 1e308])
    for unit in UNITS.values():
        slope = unit.slope(a, unit.value(a))
        assert np.isfinite(unit.value(a)).all()
        assert (np.abs(slope) <= 2).all()


def test_a_unit_that_is_unknown_is_refused_by_name():
    with pytest.raises(UnsupportedError, match="unit 'cosine' is unknown: choose one of sigmoid, tanh"):
        formulas.find_units("cosine", 1)
    with pytest.raises(ShapeError, match="2 units for 3 hidden layers"):
        formulas.find_units(["relu", "tanh"], 3)


# ------------------------------------------------------------------------------------ softmax, losses, canonical links

logits = hnp.arrays(
    np.float64,
    st.tuples(st.integers(1, 4), st.integers(1, 5)),
    elements=st.sampled_from([0.0, 1.0, -40.0, 1000.0, -1000.0]) | st.floats(-30, 30),
)


@given(Z=logits)
def test_jacobians_of_the_softmax_are_those_of_the_engine_and_a_batch_is_its_samples(Z):
    Y = formulas.softmax(Z)
    J, L = formulas.softmax_jacobian(Y), formulas.log_softmax_jacobian(Y)
    assert_allclose(jacobian(tg.softmax)(Z), formulas.across_samples(J), rtol=1e-12, atol=1e-15)
    assert_allclose(jacobian(tg.log_softmax)(Z), formulas.across_samples(L), rtol=1e-12, atol=1e-15)
    for n, y in enumerate(Y):
        assert_allclose(formulas.softmax_jacobian(y), J[n], rtol=0)
        assert_allclose(J[n], Y[n][:, None] * L[n], rtol=1e-15)  # (log y)′ = y′ / y
    G = np.cos(np.arange(Z.size).reshape(Z.shape))
    assert_allclose(formulas.softmax_pullback(G, Y), np.einsum("nk,nkj->nj", G, J), rtol=1e-9, atol=1e-15)


@given(z=hnp.arrays(np.float64, hnp.array_shapes(max_dims=3, max_side=4), elements=st.floats(-800, 800)))
def test_the_softmax_and_its_logarithms_run_along_the_last_axis_of_any_shape(z):
    assert_allclose(formulas.softmax(z), tg.softmax(z), rtol=1e-12)
    assert_allclose(formulas.log_softmax(z), tg.log_softmax(z), rtol=1e-12, atol=1e-12)
    assert_allclose(formulas.log_sum_exp(z), tg.logsumexp(z, axis=-1), rtol=1e-12, atol=1e-12)


@given(Z=logits, seed=seeds)
def test_losses_and_their_derivatives_are_those_of_pytorch_saturated_too(torch, Z, seed):
    rng, F = np.random.default_rng(seed), torch.nn.functional
    one_hot = np.eye(Z.shape[1])[rng.integers(Z.shape[1], size=len(Z))]
    answers = rng.integers(2, size=Z.shape).astype(float)
    for ours, derivative, loss, T in (
        (formulas.cross_entropy, formulas.cross_entropy_derivative, F.cross_entropy, one_hot),
        (formulas.cross_entropy, formulas.cross_entropy_derivative, F.cross_entropy, rng.uniform(0, 1, Z.shape)),
        (
            formulas.binary_cross_entropy,
            formulas.binary_cross_entropy_derivative,
            F.binary_cross_entropy_with_logits,
            answers,
        ),
        (
            lambda Y, T: 2 * formulas.squared_error(Y, T),
            lambda Y, T: 2 * formulas.squared_error_derivative(Y, T),
            F.mse_loss,
            10 * answers,
        ),
    ):
        leaf = torch.tensor(Z, requires_grad=True)
        value = loss(leaf, torch.tensor(T), reduction="sum")
        value.backward()
        assert_allclose(ours(Z, T), value.item(), rtol=1e-12, atol=1e-14)
        assert_allclose(derivative(Z, T), leaf.grad.numpy(), rtol=1e-11, atol=1e-14)


# The logarithm of a density of mean m at t with dispersion d, up to terms without m.
DENSITIES = {
    "gaussian": lambda _mp, t, m, d: -((t - m) ** 2) / (2 * d),
    "bernoulli": lambda mp, t, m, _d: t * mp.log(m) + (1 - t) * mp.log(1 - m),
    "poisson": lambda mp, t, m, _d: t * mp.log(m) - m,
    "gamma": lambda mp, t, m, d: -(t / m + mp.log(m)) / d,
    "inverse_gaussian": lambda _mp, t, m, d: -((t - m) ** 2) / (2 * d * m**2 * t),
}
MEANS = {  # the inverses of the canonical links
    "gaussian": lambda _mp, theta: theta,
    "bernoulli": lambda mp, theta: 1 / (1 + mp.exp(-theta)),
    "poisson": lambda mp, theta: mp.exp(theta),
    "gamma": lambda _mp, theta: -1 / theta,
    "inverse_gaussian": lambda mp, theta: 1 / mp.sqrt(-2 * theta),
}


@pytest.mark.parametrize("name", DENSITIES)
@FEW
@given(theta=st.floats(-30, 30), t=st.floats(0.1, 10), dispersion=st.sampled_from([1.0, 0.3, 4.0]))
def test_canonical_derivatives_are_those_of_the_densities(mp, name, theta, t, dispersion):
    family = CANONICAL[name]
    theta = family.predictor_sign * (abs(theta) + 0.1) if family.predictor_sign else theta
    t, dispersion = (float(t > 1), 1.0) if name == "bernoulli" else (t, 1.0 if name == "poisson" else dispersion)

    def loss(eta):
        return -DENSITIES[name](mp, mp.mpf(t), MEANS[name](mp, eta), mp.mpf(dispersion))

    hand = formulas.canonical_derivative(name, np.array([theta]), np.array([t]), dispersion)
    assert_allclose(hand, [float(mp.diff(loss, mp.mpf(theta)))], rtol=1e-11, atol=1e-14 * (1 + t))
    value = formulas.canonical_loss(name, np.array([theta]), np.array([t]), dispersion)
    other = formulas.canonical_loss(name, np.array([1.5 * theta]), np.array([t]), dispersion)
    assert_allclose(value - other, float(loss(mp.mpf(theta)) - loss(mp.mpf(1.5 * theta))), rtol=1e-9, atol=1e-10)


@FEW
@given(eta=st.floats(0.1, 20), t=st.floats(0.1, 10))
def test_the_reciprocal_link_of_the_gamma_family_has_the_other_sign(mp, eta, t):
    measured = mp.diff(lambda e: -DENSITIES["gamma"](mp, mp.mpf(t), 1 / e, 1), mp.mpf(eta))
    hand = formulas.gamma_reciprocal_derivative(np.array(eta), np.array(t))
    assert_allclose(hand, float(measured), rtol=1e-12, atol=1e-14)
    assert_allclose(hand, -formulas.canonical_derivative("gamma", np.array(-eta), np.array(t)), rtol=1e-15)


@given(Z=logits)
def test_the_multinomial_family_is_the_softmax(Z):
    T = np.eye(Z.shape[1])[np.zeros(len(Z), int)]
    hand = formulas.canonical_derivative(CANONICAL["multinomial"], Z, T)
    assert_allclose(hand, formulas.cross_entropy_derivative(Z, T), rtol=0)
    assert_allclose(
        formulas.canonical_loss("multinomial", Z, T), formulas.cross_entropy(Z, T), atol=1e-11 * (1 + Z.size)
    )


def test_a_family_that_is_unknown_is_refused_by_name():
    with pytest.raises(UnsupportedError, match="family 'cauchy' is unknown: choose one of gaussian, bernoulli"):
        formulas.find_canonical("cauchy")


# -------------------------------------------------------------------------------------------------------------- layers


@given(n=st.integers(1, 5), i=st.integers(1, 4), k=st.integers(1, 4), seed=seeds)
def test_the_gradient_of_a_batch_is_the_sum_of_those_of_its_samples(n, i, k, seed):
    rng = np.random.default_rng(seed)
    G, X, W = rng.standard_normal((n, k)), rng.standard_normal((n, i)), rng.standard_normal((i, k))
    arrays, loops = formulas.affine_gradients(G, X, W), formulas.affine_gradients_loops(G, X, W)
    for a, b in zip(arrays, loops, strict=True):
        assert_allclose(a, b, rtol=1e-12, atol=1e-13)
    assert_allclose(formulas.sample_gradients(G, X).sum(axis=0), arrays[1], rtol=1e-12, atol=1e-13)
    single = [formulas.affine_gradients(G[m : m + 1], X[m : m + 1], W) for m in range(n)]
    assert_allclose(sum(s[1] for s in single), arrays[1], rtol=1e-12, atol=1e-13)
    assert_allclose(sum(s[2] for s in single), arrays[2], rtol=1e-12, atol=1e-13)
    in_x, in_w, in_b = formulas.affine_jacobians(X[0], W)
    assert_allclose(G[0] @ in_x, single[0][0][0], rtol=1e-12, atol=1e-13)
    assert_allclose(np.tensordot(G[0], in_w, 1), single[0][1], rtol=1e-12, atol=1e-13)
    assert_allclose(G[0] @ in_b, single[0][2], rtol=1e-15)


@st.composite
def networks(draw, max_hidden=4):
    """A batch, a network of any depth, a unit for each hidden layer, and an output unit with targets that suit it."""
    hidden = draw(st.lists(st.tuples(st.integers(1, 4), st.sampled_from(sorted(UNITS))), max_size=max_hidden))
    sizes = [draw(st.integers(1, 4)), *(n for n, _ in hidden), draw(st.integers(1, 4))]
    rng, output = np.random.default_rng(draw(seeds)), draw(st.sampled_from(sorted(formulas.OUTPUTS)))
    scale = draw(st.sampled_from([0.7, 0.7, 20.0])) if output in ("softmax", "logistic") else 0.7
    weights = [scale * rng.standard_normal(pair) for pair in pairwise(sizes)]
    biases = [scale * rng.standard_normal(n) for n in sizes[1:]]
    X = rng.standard_normal((draw(st.integers(1, 5)), sizes[0]))
    T = np.eye(sizes[-1])[rng.integers(sizes[-1], size=len(X))]
    return X, T, weights, biases, [unit for _, unit in hidden], output


def torch_loss(F, z, T, output):
    """Minus the log-likelihood of linear predictors."""
    if output == "softmax":
        return F.cross_entropy(z, T, reduction="sum")
    if output == "logistic":
        return F.binary_cross_entropy_with_logits(z, T, reduction="sum")
    return ((z - T) ** 2).sum() / 2 if output == "linear" else (z.exp() - T * z).sum()


@given(case=networks())
def test_the_recursion_gives_pytorchs_gradients_with_any_units_at_any_depth(torch, case):
    X, T, weights, biases, units, output = case
    leaves = [torch.tensor(p, requires_grad=True) for p in (X, *weights, *biases)]
    x, Ws, bs = leaves[0], leaves[1 : len(weights) + 1], leaves[len(weights) + 1 :]
    h = x
    for W, b, unit in zip(Ws[:-1], bs[:-1], units, strict=True):
        h = theirs(torch.nn.functional, unit, h @ W + b)
    torch_loss(torch.nn.functional, h @ Ws[-1] + bs[-1], torch.tensor(T), output).backward()
    passed = formulas.propagate(X, weights, biases, units, output)
    hand = formulas.backpropagate(T, weights, passed, units)
    for ours, leaf in zip((hand.inputs, *hand.weights, *hand.biases), leaves, strict=True):
        size = np.abs(ours).max(initial=0.0)
        assert_allclose(-ours, leaf.grad.numpy(), rtol=1e-7, atol=1e-11 + 1e-11 * size)


@given(case=networks(max_hidden=3))
def test_the_recursion_by_loops_gives_what_arrays_give(case):
    X, T, weights, biases, units, output = case
    passed = formulas.propagate(X, weights, biases, units, output)
    arrays, loops = (f(T, weights, passed, units) for f in (formulas.backpropagate, formulas.backpropagate_loops))
    for a, b in zip(
        (arrays.inputs, *arrays.weights, *arrays.biases), (loops.inputs, *loops.weights, *loops.biases), strict=True
    ):
        assert_allclose(a, b, rtol=1e-8, atol=1e-11 * (1 + np.abs(a).max(initial=0.0)))


def test_a_unit_of_ones_own_enters_the_recursion():
    cube = formulas.Unit("cube", lambda a: a**3, lambda a, _h: 3 * a**2)
    rng = np.random.default_rng(5)
    X, T, W, V = (rng.standard_normal(shape) for shape in ((5, 2), (5, 3), (2, 4), (4, 3)))
    b, c = rng.standard_normal(4), rng.standard_normal(3)
    passed = formulas.propagate(X, [W, V], [b, c], cube, "linear")
    dW = formulas.backpropagate(T, [W, V], passed, cube).weights[0]
    leaf = tg.Tensor(W)
    (-0.5 * tg.sum((((X @ leaf + b) ** 3) @ V + c - T) ** 2)).backward()
    assert_allclose(dW, leaf.grad, rtol=1e-10)


def test_an_output_that_is_unknown_is_refused_by_name():
    with pytest.raises(UnsupportedError, match="output 'cosine' is unknown: choose one of softmax, logistic"):
        formulas.propagate(np.ones((1, 2)), [np.eye(2)], [np.zeros(2)], output="cosine")


def test_tied_pieces_of_a_maxout_unit_share_its_gradient():
    X, G = np.array([[2.0]]), np.array([[1.0]])
    W, b = np.ones((2, 1, 1)), np.zeros((2, 1))
    dX, dW, db = formulas.maxout_gradients(G, X, W, b)
    assert dX.tolist() == [[1.0]]
    assert dW.ravel().tolist() == [1.0, 1.0]
    assert db.ravel().tolist() == [0.5, 0.5]


@FEW
@given(n=st.integers(2, 5), i=st.integers(1, 3), k=st.integers(1, 3), pieces=st.integers(1, 3), seed=seeds)
def test_units_of_all_inputs_have_pytorchs_gradients(torch, n, i, k, pieces, seed):
    rng = np.random.default_rng(seed)
    X, G, C, W = (rng.standard_normal(shape) for shape in ((n, i), (n, k), (k, i), (pieces, i, k)))
    b, s, scale = rng.standard_normal((pieces, k)), rng.uniform(0.7, 2.0, k), rng.uniform(0.5, 2.0, i)
    cases = [
        (lambda x, w, c: (x @ w + c[:, None, :]).amax(0), formulas.maxout_gradients(G, X, W, b), G, (X, W, b)),
        (
            lambda x, c, s: (-((x[:, None, :] - c) ** 2).sum(-1) / (2 * s**2)).exp(),
            formulas.radial_basis_gradients(G, X, C, s), G, (X, C, s),
        ),
        (
            lambda x, g, c: torch.nn.functional.batch_norm(x, None, None, g, c, training=True, eps=1e-5),
            formulas.batch_norm_gradients(X[::-1], X, scale), X[::-1], (X, scale, np.zeros(i)),
        ),
    ]  # fmt: skip
    for f, hand, seed_, inputs in cases:
        leaves = [torch.tensor(x, requires_grad=True) for x in inputs]
        f(*leaves).backward(torch.tensor(seed_.copy()))
        for ours, leaf in zip(hand, leaves, strict=True):
            assert_allclose(ours, leaf.grad.numpy(), rtol=1e-8, atol=1e-10)


@given(a=hnp.arrays(np.float64, (4, 3), elements=st.sampled_from([0.0, -0.0]) | st.floats(-9, 9)), seed=seeds)
def test_the_slope_of_a_prelu_sums_over_all_that_share_it(torch, a, seed):
    rng = np.random.default_rng(seed)
    slope, G = rng.uniform(0.1, 0.5, 3), rng.standard_normal((4, 3))
    leaves = [torch.tensor(x, requires_grad=True) for x in (a, slope)]
    torch.nn.functional.prelu(*leaves).backward(torch.tensor(G))
    for ours, leaf in zip(formulas.prelu_gradients(G, a, slope), leaves, strict=True):
        assert_allclose(ours, leaf.grad.numpy(), rtol=1e-12, atol=1e-14)
    assert_allclose(formulas.prelu(a, slope), tg.prelu(a, slope))


def test_all_names_of_the_package_are_there_and_listed():
    public = {
        name for name, value in vars(formulas).items() if not name.startswith("_") and not inspect.ismodule(value)
    }
    assert public == set(formulas.__all__)
    functions = [value for value in vars(formulas).values() if inspect.isfunction(value)]
    assert len(functions) > 60
    assert all(f.__doc__.startswith("Return") for f in functions)
