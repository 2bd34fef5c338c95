"""Python floats as the smallest array library: they give what 0-d float64 arrays give, in values and in gradients."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import ROWS, SPECIAL, call

import tinygrad_mlp as tg
from tinygrad_mlp import scalars
from tinygrad_mlp.backward import cotangents

POINTS = (*SPECIAL, 0.1, -0.7, 1e-300, -1e-300, 710.0, 5e-324, 1e308, 1 / 3)
TAKING_FLOATS = {name: op for name, op in ROWS.items() if op.scalars}
ROOT_OF_INFINITY = (-np.inf, 0.5)  # IEEE's pow says inf; NumPy takes the root where an exponent is a scalar: nan
UNSIGNED = (
    "maximum",
    "fmax",
    "fmin",
    "minimum",
    "relu",
    "clip",
    "power",
    "celu",
    "elu",
    "relu6",
    "selu",
)  # NumPy's own signs of zero depend on its vector units
EXTRA = {"leaky_relu": {"negative_slope": 0.3}}


def points(op):
    """Every point of a unary row; of the others every combination of fewer points."""
    n = 3 if op.arity is None else op.arity
    values = {1: POINTS, 2: POINTS}.get(n, (0.0, -1.0, 2.0, np.inf, np.nan))
    return [xs for xs in itertools.product(values, repeat=n) if (op.name, xs) != ("power", ROOT_OF_INFINITY)]


def same(a, b, rounding=4e-16):
    """Equal up to the rounding of the last digits; NaN equals NaN."""
    a, b = float(a), float(b)
    if math.isnan(a) or math.isnan(b):
        return math.isnan(a) and math.isnan(b)
    return a == b if math.isinf(a) or a == 0 == b else math.isclose(a, b, rel_tol=rounding, abs_tol=1e-300)


@pytest.mark.parametrize("op", TAKING_FLOATS.values(), ids=TAKING_FLOATS)
def test_floats_give_what_0d_arrays_give(op):
    for xs in points(op):
        with np.errstate(all="ignore"):
            expected = call(op, [np.asarray(x) for x in xs], EXTRA.get(op.name, {}))
            y = call(op, list(xs), EXTRA.get(op.name, {}))
        assert type(y) in (float, bool), (xs, y)
        assert same(y, expected), (xs, y, expected)
        if op.name not in UNSIGNED and y == 0:
            assert math.copysign(1, y) == math.copysign(1, expected), (xs, y, expected)


@pytest.mark.parametrize("op", [op for op in TAKING_FLOATS.values() if op.differentiable], ids=lambda op: op.name)
def test_values_have_the_gradients_of_0d_tensors(op):
    params = EXTRA.get(op.name, {})
    for xs in points(op):
        if op.name == "where":
            nodes, tensors = [bool(xs[0])], [np.asarray(bool(xs[0]))]
        else:
            nodes, tensors = [], []
        nodes += [tg.Value(x) for x in xs[len(nodes) :]]
        tensors += [tg.Tensor(x) for x in xs[len(tensors) :]]
        with np.errstate(all="ignore"):
            y, z = call(op, nodes, params), call(op, tensors, params)
        assert type(y) is tg.Value
        assert same(y.data, z.data), (xs, y, z)
        by_table = cotangents(y, 1.5)
        y.backward(1.5)  # by the rules written out for floats, where there are any
        z.backward(1.5)
        for a, b in zip(nodes, tensors, strict=True):
            if type(a) is tg.Value:
                assert type(a.grad) is float
                assert same(a.grad, b.grad, 4e-15), (xs, a.grad, b.grad)
                assert same(a.grad, by_table[a], 4e-15), (xs, a.grad, by_table[a])


NUMPY_NAMES = [name for name in scalars.__all__ if name not in ("where", "clip", "erf", "erfc")]


@pytest.mark.parametrize("name", NUMPY_NAMES)
def test_a_function_of_floats_agrees_with_numpy(name):
    function, full = getattr(scalars, name), np.rint if name == "round" else getattr(np, name)
    arity = full.nin
    for xs in itertools.product(POINTS, repeat=arity):
        if name == "power" and xs == ROOT_OF_INFINITY:
            continue
        with np.errstate(all="ignore"):
            y, expected = function(*xs), full(*(np.float64(x) for x in xs))
        assert type(y) in (float, bool)
        assert same(y, expected), (xs, y, expected)


@pytest.mark.parametrize("x", POINTS)
@pytest.mark.parametrize(("low", "high"), [(None, None), (0.0, None), (None, 1.0), (-1.0, 1.0), (2.0, 1.0)])
def test_clip_of_floats_agrees_with_numpy(x, low, high):
    assert same(scalars.clip(x, low, high), np.clip(x, low, high) if (low, high) != (None, None) else x)


@pytest.mark.parametrize(
    ("compute", "warning"),
    [
        (lambda x: tg.exp(x * 1000), "overflow encountered in exp"),
        (lambda x: tg.log(x - 1), "divide by zero encountered in log"),
        (lambda x: tg.log(-x), "invalid value encountered in log"),
        (lambda x: tg.divide(x, x - 1), "divide by zero encountered in .*divide"),
        (lambda x: tg.power(-x, 0.3), "invalid value encountered in .*power"),
        (lambda x: tg.sqrt(-x), "invalid value encountered in sqrt"),
    ],
)
@pytest.mark.parametrize("kind", [float, tg.Value, tg.Tensor, np.asarray])
def test_a_forward_pass_warns_as_numpy_does(compute, warning, kind):
    with pytest.warns(RuntimeWarning, match=warning):
        compute(kind(1.0))


@pytest.mark.parametrize("kind", [tg.Value, tg.Tensor])
def test_a_backward_pass_does_not_warn(kind):
    x = kind(0.0)
    tg.sqrt(x).backward()
    assert x.grad == np.inf


@pytest.mark.parametrize("z", [-np.inf, -1000.0, -1e5, 0.0, 1000.0, 1e300, np.inf])
@pytest.mark.parametrize("kind", [tg.Value, tg.Tensor])
@pytest.mark.parametrize("op", [tg.sigmoid, tg.softplus, tg.tanh, tg.relu, tg.leaky_relu], ids=lambda op: op.name)
def test_activations_are_silent_and_finite_in_their_tails(op, kind, z):
    x = kind(z)
    y = op(x)
    y.backward()
    assert not math.isnan(y.item())
    assert math.isfinite(float(x.grad))


# ----------------------------------------------------------------------------------------- random graphs of floats

BINARY = [
    lambda a, b: a + b,
    lambda a, b: a - b,
    lambda a, b: a * b,
    lambda a, b: a / (b * b + 0.5),
    lambda a, b: 2 - a * 3 + 1 / (b * b + 1),
    lambda a, b: tg.affine([a, b, 0.5, b, a, 2.0, a]),
    lambda a, b: tg.affine([a, 1.5, a, b, -1.0]),
    tg.maximum,
    lambda a, _b: a**2,
    lambda a, _b: a**3.0,
    lambda a, _b: (a * a + 0.1) ** -0.5,
    lambda a, b: (a * a + 0.1) ** tg.tanh(b),
    lambda a, _b: 2.0 ** tg.tanh(a),
    lambda a, _b: a**0,
    lambda a, _b: tg.relu(a),
    lambda a, _b: -a,
    lambda a, _b: a.tanh(),
    lambda a, _b: 3.0 * a * 0.25 - 1.0,
    lambda a, _b: 1 + (a - 2) * 2,
    lambda a, b: a * tg.Value(0.5) + b * np.float64(0.5),
    lambda a, _b: a / 4,
    lambda a, b: tg.sigmoid(a) - b,
    lambda a, b: tg.where(a > b, a, b * b),
    lambda a, b: a if a > b else b.detach() + a,
]
STEPS = st.lists(st.tuples(st.integers(0, len(BINARY) - 1), st.integers(0, 99), st.integers(0, 99)), max_size=25)
STARTS = st.lists(st.sampled_from([0.0, 1.0, -1.0, 0.5, -2.0]) | st.floats(-2, 2), min_size=1, max_size=4)


def run(starts, steps):
    """Return the last result of a random program, squashed along the way so that nothing explodes."""
    found = list(starts)
    for which, i, j in steps:
        y = BINARY[which](found[i % len(found)], found[j % len(found)])
        found.append(tg.tanh(y) if abs(y.item()) > 10 else y)
    return found[-1] + sum(found[: len(starts)])  # the last result is reached first, by any path


@given(starts=STARTS, steps=STEPS)
def test_the_float_path_equals_the_table_and_the_tensors_on_random_graphs(starts, steps):
    values, tensors = [tg.Value(x) for x in starts], [tg.Tensor(x) for x in starts]
    y, z = run(values, steps), run(tensors, steps)
    assert math.isclose(y.data, float(z.data), rel_tol=1e-12, abs_tol=1e-12)
    by_table = cotangents(y, 0.75)
    y.backward(0.75)
    z.backward(0.75)
    for a, b in zip(values, tensors, strict=True):
        assert math.isclose(a.grad, float(b.grad), rel_tol=1e-9, abs_tol=1e-9)
        assert math.isclose(a.grad, by_table[a], rel_tol=1e-9, abs_tol=1e-9)


@given(starts=STARTS, steps=STEPS)
def test_a_second_backward_over_floats_adds_exactly_the_same(starts, steps):
    values = [tg.Value(x) for x in starts]
    y = run(values, steps)
    y.backward()
    once = [x.grad for x in values]
    y.backward()
    assert [x.grad for x in values] == [g + g for g in once]


@given(starts=STARTS, steps=STEPS)
def test_every_interior_value_has_its_gradient(starts, steps):
    values = [tg.Value(x) for x in starts]
    y = run(values, steps)
    y.backward()
    for node, g in cotangents(y).items():
        if node.op is not None:
            assert math.isclose(node.grad, g, rel_tol=1e-9, abs_tol=1e-9)
