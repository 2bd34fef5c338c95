"""Optimizers follow their published rules, on arrays and on single numbers, and cannot corrupt a recorded graph."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinygrad_mlp import nn, ops, optim
from tinygrad_mlp.errors import DataError, DTypeError, GradientError, ShapeError, StaleError, TinygradError
from tinygrad_mlp.tensors import Tensor, Value

seeds = st.integers(0, 2**32 - 1)
shapes = st.lists(st.sampled_from([(), (1,), (3,), (2, 3), (0,), (40, 50)]), min_size=1, max_size=3)
rates = st.floats(1e-4, 2.0)
betas = st.tuples(st.floats(0, 0.999), st.floats(0, 0.9999))


def leaves(shapes, rng, kind):
    """Tensors of the shapes, or as many Values."""
    return [Value(rng.standard_normal()) if kind is Value else Tensor(rng.standard_normal(shape)) for shape in shapes]


def numbers(params):
    return [np.array(p.data) for p in params]


def run(optimizer, rule, steps, rng, missing=0.0):
    """Step with random gradients, and hold every parameter against ``rule(i, x, g)``."""
    expected = numbers(optimizer.params)
    for _ in range(steps):
        optimizer.zero_grad()
        for i, p in enumerate(optimizer.params):
            if rng.random() >= missing:
                p.grad = rng.standard_normal(p.shape) if isinstance(p, Tensor) else rng.standard_normal()
                expected[i] = rule(i, expected[i], p.grad)
        optimizer.step()
        for p, x in zip(optimizer.params, expected, strict=True):
            np.testing.assert_allclose(np.array(p.data), x, rtol=1e-9, atol=1e-12)
            assert p.shape == np.shape(x)
            assert type(p.data) is float if isinstance(p, Value) else isinstance(p.data, np.ndarray)


# ------------------------------------------------------------------------------------------------------ update rules


@pytest.mark.parametrize("kind", [Tensor, Value])
@given(shapes, rates, seeds)
def test_sgd_goes_down_the_gradient(kind, shapes, lr, seed):
    rng = np.random.default_rng(seed)
    optimizer = optim.SGD(leaves(shapes, rng, kind), lr)
    run(optimizer, lambda _i, x, g: x - lr * g, 3, rng, missing=0.3)


@pytest.mark.parametrize("kind", [Tensor, Value])
@given(shapes, rates, st.floats(0.01, 0.99), st.booleans(), st.sampled_from([0.0, 0.1]), seeds)
def test_momentum_keeps_its_rule(kind, shapes, lr, mu, nesterov, decay, seed):
    rng = np.random.default_rng(seed)
    velocity = [0.0] * len(shapes)

    def rule(i, x, g):
        x, velocity[i] = optim.momentum(x, g + decay * x, velocity[i], lr, mu, nesterov)
        return x

    optimizer = optim.SGD(leaves(shapes, rng, kind), lr, momentum=mu, nesterov=nesterov, weight_decay=decay)
    run(optimizer, rule, 4, rng, missing=0.3)


@pytest.mark.parametrize("kind", [Tensor, Value])
@given(shapes, rates, betas, seeds)
def test_adam_keeps_its_rule(kind, shapes, lr, betas, seed):
    """Also for a parameter that gets its first gradient late: its own steps count."""
    rng = np.random.default_rng(seed)
    state = [(0.0, 0.0, 0) for _ in shapes]

    def rule(i, x, g):
        m, v, step = state[i]
        x, m, v = optim.adam(x, g, m, v, step + 1, lr, betas, 1e-8)
        state[i] = m, v, step + 1
        return x

    run(optim.Adam(leaves(shapes, rng, kind), lr, betas), rule, 4, rng, missing=0.3)


@given(st.floats(-3, 3), st.floats(0.001, 0.4), st.floats(0, 0.95), st.floats(0.1, 2))
def test_nesterov_evaluates_the_gradient_ahead(start, lr, mu, curvature):
    """Textbook form: v ← μ v - lr ∇f(θ + μ v), θ ← θ + v; ours is the same walk, seen from the point ahead θ + μ v."""
    theta = v = 0.0
    x, velocity = start, 0.0
    theta = start
    for _ in range(8):
        v = mu * v - lr * curvature * (theta + mu * v)
        theta = theta + v
        x, velocity = optim.momentum(x, curvature * x, velocity, lr, mu, nesterov=True)
        assert x == pytest.approx(theta + mu * v, rel=1e-9, abs=1e-12)


@given(st.floats(0.01, 0.99), rates, seeds)
def test_weight_decay_is_the_gradient_of_a_penalty(decay, lr, seed):
    rng = np.random.default_rng(seed)
    a, b = (Tensor(x) for x in [rng.standard_normal(4)] * 2)
    target = rng.standard_normal(4)
    (ops.sum(ops.square(a - target)) + decay / 2 * ops.sum(ops.square(a))).backward()
    ops.sum(ops.square(b - target)).backward()
    optim.SGD([a], lr).step()
    optim.SGD([b], lr, weight_decay=decay).step()
    np.testing.assert_allclose(a.data, b.data, rtol=1e-12)


@given(st.floats(1e-6, 1e6), rates)
def test_the_first_step_of_adam_has_the_length_lr(gradient, lr):
    w = Tensor([0.0, 0.0])
    w.grad = np.array([gradient, -gradient])
    optim.Adam([w], lr, eps=1e-300).step()
    np.testing.assert_allclose(w.data, [-lr, lr], rtol=1e-9)


@pytest.mark.parametrize(
    "make",
    [
        lambda p: optim.SGD(p, 0.1), lambda p: optim.SGD(p, 0.05, momentum=0.9), lambda p: optim.Adam(p, 0.1),
        lambda p: optim.SGD(p, 0.05, momentum=0.9, nesterov=True),
    ],
    ids=["sgd", "momentum", "adam", "nesterov"],
)  # fmt: skip
@pytest.mark.parametrize(
    "leaf", [lambda: Tensor([3.0, -2.0]), lambda: Tensor(2.0), lambda: Value(3.0)], ids=["1d", "0d", "float"]
)
def test_every_optimizer_finds_the_minimum_of_a_parabola(make, leaf):
    x = leaf()
    optimizer = make([x])
    for _ in range(300):
        optimizer.zero_grad()
        ops.sum((x - 1.0) * (x - 1.0)).backward() if isinstance(x, Tensor) else ((x - 1.0) * (x - 1.0)).backward()
        optimizer.step()
    np.testing.assert_allclose(np.array(x.data), 1.0, atol=1e-3)


# -------------------------------------------------------------------------------------------------------------- state


@pytest.mark.parametrize(
    "make",
    [lambda p: optim.SGD(p, 0.1, momentum=0.9), optim.Adam, lambda p: optim.SGD(p, 0.1)],
    ids=["sgd", "adam", "plain"],
)
@pytest.mark.parametrize("kind", [Tensor, Value])
def test_a_run_goes_on_from_its_state(make, kind):
    rng = np.random.default_rng(0)
    gradients = rng.standard_normal(6)
    one, two = (leaves([(), ()], np.random.default_rng(1), kind) for _ in range(2))

    def step(optimizer, g):
        for p in optimizer.params[:1]:
            p.grad = g if kind is Value else np.array(g)
        optimizer.step()

    whole, first = make(one), make(two)
    for g in gradients:
        step(whole, g)
    for g in gradients[:3]:
        step(first, g)
    state = first.state_dict()
    second = make(two)
    second.load_state_dict(state)
    for g in gradients[3:]:
        step(second, g)
    assert [float(p) for p in one] == [float(p) for p in two]
    assert second.steps == 6
    assert all(not isinstance(value, np.ndarray) or value.base is None for value in state.values())


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (lambda s: s.pop("lr"), DataError, "'lr' is missing or unknown"),
        (lambda s: s.update(first=1), DataError, "'first' is missing or unknown"),
        (
            lambda s: s.update({"velocity.0": np.zeros(2)}),
            ShapeError,
            r"velocity.0 has shape \(2,\), its parameter \(3,\)",
        ),
        (lambda s: s.update(lr=-1.0), TinygradError, "lr is -1.0; it must be above 0"),
    ],
)
def test_a_foreign_state_is_refused(change, error, message):
    w = Tensor([1.0, 2.0, 3.0])
    optimizer = optim.SGD([w], 0.1, momentum=0.5)
    w.grad = np.ones(3)
    optimizer.step()
    state = optimizer.state_dict()
    change(state)
    with pytest.raises(error, match=message):
        optimizer.load_state_dict(state)
    np.testing.assert_array_equal(optimizer.velocity[0], np.ones(3))


# -------------------------------------------------------------------------------------------------- safety in a graph


@pytest.mark.parametrize("kind", [optim.SGD, optim.Adam])
def test_a_graph_from_before_a_step_cannot_give_a_gradient(kind):
    for w in (Tensor([1.0, 2.0]), Value(2.0)):
        loss = ops.sum(w * w) if isinstance(w, Tensor) else w * w
        loss.backward()
        kind([w], lr=0.1).step()
        with pytest.raises(StaleError):
            loss.backward()
        (ops.sum(w * w) if isinstance(w, Tensor) else w * w).backward()  # a new one can


@pytest.mark.parametrize("size", [3, 100_000])
@pytest.mark.parametrize("kind", [optim.SGD, optim.Adam, lambda p, lr: optim.SGD(p, lr, momentum=0.9)])
def test_a_step_writes_into_no_array_that_was_shown(kind, size):
    w = Tensor(np.ones(size))
    gradient = np.ones(size)
    w.grad = gradient
    shown, other = w.data, Tensor(w)
    optimizer = kind([w], lr=0.1)
    optimizer.step()
    optimizer.step()
    for array in (shown, other.data, gradient):
        assert (array == 1).all()
    assert (w.data != 1).all()


def test_a_gradient_that_is_a_node_moves_too():
    w, v = Tensor([1.0, 2.0]), Value(3.0)
    ops.sum(w * w * v).backward(create_graph=True)
    optim.SGD([w, v], lr=0.5).step()
    np.testing.assert_array_equal(w.data, [1 - 3.0, 2 - 6.0])
    assert v.data == 3.0 - 2.5
    w.grad = v.grad = None


def test_parameters_without_a_gradient_stay():
    model = nn.MLP([2, 3, 1])
    before = model.state_dict()
    model.layers[1].bias.grad = np.ones(1)
    optimizer = optim.Adam(model, lr=0.5)
    optimizer.step()
    changed = [name for name, value in model.state_dict().items() if (value != before[name]).any()]
    assert changed == ["output.bias"]
    optimizer.zero_grad()
    assert model.layers[1].bias.grad is None


def test_a_shared_parameter_moves_once():
    w = nn.Parameter([1.0])
    w.grad = np.ones(1)
    optim.SGD([w, w], lr=0.25).step()
    assert w.tolist() == [0.75]


def test_a_step_keeps_float32():
    for kind in (optim.SGD, optim.Adam, lambda p, lr: optim.SGD(p, lr, momentum=0.9, weight_decay=0.1)):
        w = Tensor(np.ones(3, np.float32))
        optimizer = kind([w], lr=0.1)
        for _ in range(2):
            w.grad = np.ones(3, np.float32)
            optimizer.step()
        assert w.dtype == np.float32


def test_the_learning_rate_may_change_between_steps():
    w = Tensor([1.0])
    optimizer = optim.SGD([w], lr=0.5)
    w.grad = np.ones(1)
    optimizer.step()
    optimizer.lr = 0.25
    optimizer.step()
    assert w.tolist() == [0.25]
    assert repr(optimizer) == "SGD(1 parameters, lr=0.25)"


# ------------------------------------------------------------------------------------------------------------ errors

W = Tensor([1.0])


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: optim.SGD([W], 0), TinygradError, "SGD: lr is 0; it must be above 0 and finite"),
        (lambda: optim.SGD([W], float("nan")), TinygradError, "SGD: lr is nan"),
        (lambda: optim.SGD([W], float("inf")), TinygradError, "SGD: lr is inf"),
        (lambda: optim.Adam([W], "fast"), TinygradError, "Adam: lr is 'fast', not a number"),
        (lambda: optim.SGD([W], 0.1, momentum=1), TinygradError, "momentum is 1; it must be at least 0 and below 1"),
        (lambda: optim.SGD([W], 0.1, weight_decay=-1), TinygradError, "weight_decay is -1"),
        (lambda: optim.SGD([W], 0.1, nesterov=True), TinygradError, "nesterov=True needs a momentum above 0"),
        (lambda: optim.Adam([W], betas=(0.9, 1.0)), TinygradError, r"betas\[1\] is 1.0"),
        (lambda: optim.Adam([W], betas=(0.9,)), TinygradError, "give two numbers"),
        (lambda: optim.SGD([], 0.1), TinygradError, "SGD: there are no parameters"),
        (lambda: optim.SGD(nn.Module(), 0.1), TinygradError, "SGD: there are no parameters"),
        (lambda: optim.SGD([np.ones(3)], 0.1), DTypeError, "parameter 0 is ndarray, not a Parameter, Tensor or Value"),
        (lambda: optim.SGD(W, 0.1), DTypeError, "params is Tensor; give a Module or a list"),
        (lambda: optim.SGD([W * 2], 0.1), GradientError, r"parameter 0 is computed \(multiply\); only a leaf"),
    ],
)  # fmt: skip
def test_an_error_says_what_where_and_what_to_do(call, error, message):
    with pytest.raises(error, match=message):
        call()
