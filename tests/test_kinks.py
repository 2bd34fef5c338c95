"""Where there is no derivative, or no finite one: the conventions on floats and arrays, and infinities around them."""

import math

import numpy as np
import pytest
from hypothesis import given
from strategies import special_arrays

import tinygrad_mlp as tg

inf, nan = math.inf, math.nan

# The function of one or two numbers, where, and its derivative in each.
CONVENTIONS = [
    ("relu at 0", tg.relu, (0.0,), (0.0,)),
    ("relu at -0", tg.relu, (-0.0,), (0.0,)),
    ("relu at nan", tg.relu, (nan,), (1.0,)),
    ("relu6 at 0", tg.relu6, (0.0,), (0.0,)),
    ("relu6 at 6", tg.relu6, (6.0,), (0.0,)),
    ("relu6 inside", tg.relu6, (5.5,), (1.0,)),
    ("relu6 above", tg.relu6, (8.0,), (0.0,)),
    ("relu6 at nan", tg.relu6, (nan,), (1.0,)),
    ("hardtanh at nan", tg.hardtanh, (nan,), (1.0,)),
    ("hardsigmoid at -3", tg.hardsigmoid, (-3.0,), (0.0,)),
    ("hardsigmoid at 3", tg.hardsigmoid, (3.0,), (0.0,)),
    ("hardsigmoid below", tg.hardsigmoid, (-4.0,), (0.0,)),
    ("hardsigmoid above", tg.hardsigmoid, (4.0,), (0.0,)),
    ("hardsigmoid inside", tg.hardsigmoid, (1.5,), (1 / 6,)),
    ("relu as maximum", lambda x: tg.maximum(x, 0.0), (0.0,), (0.5,)),
    ("leaky_relu at 0", lambda x: tg.leaky_relu(x, negative_slope=0.1), (0.0,), (0.1,)),
    ("abs at 0", tg.abs, (0.0,), (0.0,)),
    ("abs at -0", tg.abs, (-0.0,), (0.0,)),
    ("abs below", tg.abs, (-2.0,), (-1.0,)),
    ("sign at 0", tg.sign, (0.0,), (0.0,)),
    ("sign elsewhere", tg.sign, (3.0,), (0.0,)),
    ("maximum of a tie", tg.maximum, (2.0, 2.0), (0.5, 0.5)),
    ("maximum of zeros", tg.maximum, (0.0, -0.0), (0.5, 0.5)),
    ("minimum of a tie", tg.minimum, (2.0, 2.0), (0.5, 0.5)),
    ("maximum of infinities", tg.maximum, (inf, inf), (0.5, 0.5)),
    ("maximum with infinity", tg.maximum, (1.0, inf), (0.0, 1.0)),
    ("maximum with nan", tg.maximum, (nan, 1.0), (1.0, 1.0)),
    ("minimum with nan", tg.minimum, (1.0, nan), (1.0, 1.0)),
    ("x with itself", lambda x: tg.maximum(x, x), (2.0,), (1.0,)),
    ("clip on its lower bound", lambda x: tg.clip(x, 1.0, 3.0), (1.0,), (1.0,)),
    ("clip on its upper bound", lambda x: tg.clip(x, 1.0, 3.0), (3.0,), (1.0,)),
    ("clip inside", lambda x: tg.clip(x, 1.0, 3.0), (2.0,), (1.0,)),
    ("clip below", lambda x: tg.clip(x, 1.0, 3.0), (0.5,), (0.0,)),
    ("clip above", lambda x: tg.clip(x, 1.0, 3.0), (4.0,), (0.0,)),
    ("clip of equal bounds", lambda x: tg.clip(x, 1.0, 1.0), (1.0,), (1.0,)),
    ("clip without bounds", lambda x: tg.clip(x, None, None), (4.0,), (1.0,)),
    ("clip between infinities", lambda x: tg.clip(x, -inf, inf), (4.0,), (1.0,)),
    ("lower bound in force", lambda a: tg.clip(0.5, a, 3.0), (1.0,), (1.0,)),
    ("upper bound in force", lambda a: tg.clip(5.0, 0.0, a), (1.0,), (1.0,)),
    ("bounds crossed", lambda a, b: tg.clip(2.0, a, b), (5.0, 1.0), (0.0, 1.0)),
    ("clip of what equals both bounds", tg.clip, (1.0, 1.0, 1.0), (1.0, 0.0, 0.0)),
    ("clip to bounds that are equal", tg.clip, (0.5, 1.0, 1.0), (0.0, 0.0, 1.0)),
    ("sqrt at 0", tg.sqrt, (0.0,), (inf,)),
    ("log at 0", tg.log, (0.0,), (inf,)),
    ("log1p at -1", tg.log1p, (-1.0,), (inf,)),
    ("0 to the 0", lambda x: x**0, (0.0,), (0.0,)),
    ("0 to the 0.0", lambda x: x**0.0, (0.0,), (0.0,)),
    ("inf to the 0", lambda x: x**0.0, (inf,), (0.0,)),
    ("0 to the 1", lambda x: x**1, (0.0,), (1.0,)),
    ("0 to the 2", lambda x: x**2, (0.0,), (0.0,)),
    ("0 to the 0.5", lambda x: x**0.5, (0.0,), (inf,)),
    ("0 to the -1", lambda x: x**-1.0, (0.0,), (-inf,)),
    ("-2 to the 3", lambda x: x**3, (-2.0,), (12.0,)),
    ("-2 to the 3.0", lambda x: x**3.0, (-2.0,), (12.0,)),
    ("-2 to the -1", lambda x: x**-1, (-2.0,), (-0.25,)),
    ("power 0, 0", tg.power, (0.0, 0.0), (0.0, 0.0)),
    ("power 0, 2", tg.power, (0.0, 2.0), (0.0, 0.0)),
    ("power 2, 0", tg.power, (2.0, 0.0), (0.0, math.log(2))),
    ("power -2, 2", tg.power, (-2.0, 2.0), (-4.0, nan)),
    ("power 0, -1", tg.power, (0.0, -1.0), (-inf, -inf)),
    ("0 to a variable", lambda b: 0.0**b, (2.0,), (0.0,)),
    ("0 to a variable 0", lambda b: 0.0**b, (0.0,), (0.0,)),
    ("1 over 0", lambda x: 1.0 / x, (0.0,), (-inf,)),
    ("0 over 0", lambda x: 0.0 / x, (0.0,), (nan,)),
    ("where selects", lambda x, z: tg.where(True, x, z), (1.0, nan), (1.0, 0.0)),
    ("where selects by sign", lambda x: tg.where(x > 0, x, -x), (-3.0,), (-1.0,)),
    ("sigmoid at inf", tg.sigmoid, (inf,), (0.0,)),
    ("sigmoid at -inf", tg.sigmoid, (-inf,), (0.0,)),
    ("tanh at inf", tg.tanh, (inf,), (0.0,)),
    ("softplus at inf", tg.softplus, (inf,), (1.0,)),
    ("softplus at -inf", tg.softplus, (-inf,), (0.0,)),
    ("exp at -inf", tg.exp, (-inf,), (0.0,)),
    ("expm1 at -inf", tg.expm1, (-inf,), (0.0,)),
    ("square at 0", tg.square, (0.0,), (0.0,)),
]
each_convention = pytest.mark.parametrize(
    ("f", "at", "expected"), [row[1:] for row in CONVENTIONS], ids=[row[0] for row in CONVENTIONS]
)


@each_convention
@pytest.mark.parametrize("kind", [tg.Value, tg.Tensor, lambda x: tg.Tensor([x, x])], ids=["Value", "0-d", "1-d"])
@pytest.mark.filterwarnings("ignore:divide by zero:RuntimeWarning", "ignore:invalid value:RuntimeWarning")
def test_the_derivative_is_the_one_in_the_table(f, at, expected, kind):
    leaves = [kind(x) for x in at]
    y = f(*leaves)
    y.backward(np.ones(y.shape))
    for leaf, slope in zip(leaves, expected, strict=True):
        assert np.allclose(leaf.grad, slope, rtol=1e-15, equal_nan=True), (leaf.grad, slope)


@each_convention
@pytest.mark.filterwarnings("ignore:divide by zero:RuntimeWarning", "ignore:invalid value:RuntimeWarning")
def test_the_recorded_gradient_has_the_same_value(f, at, expected):
    leaves = [tg.Tensor(x) for x in at]
    f(*leaves).backward(create_graph=True)
    for leaf, slope in zip(leaves, expected, strict=True):
        assert np.allclose(leaf.grad.data, slope, rtol=1e-15, equal_nan=True)


@pytest.mark.parametrize("op", [tg.max, tg.min], ids=lambda op: op.name)
@pytest.mark.parametrize(
    ("axis", "expected"),
    [
        (None, [[0.25, 0.25, 0.0], [0.25, 0.0, 0.25]]),
        (0, [[0.5, 1.0, 0.0], [0.5, 0.0, 1.0]]),
        (1, [[0.5, 0.5, 0.0], [0.5, 0.0, 0.5]]),
        ((0, 1), [[0.25, 0.25, 0.0], [0.25, 0.0, 0.25]]),
    ],
)
@pytest.mark.parametrize("keepdims", [False, True])
def test_an_extreme_shares_evenly_among_its_ties(op, axis, expected, keepdims):
    x = np.array([[2.0, 2.0, 1.0], [2.0, 1.0, 2.0]]) * (1 if op is tg.max else -1)
    t = tg.Tensor(x)
    op(t, axis=axis, keepdims=keepdims).sum().backward()
    assert np.array_equal(t.grad, expected)


@given(x=special_arrays(min_dims=1, min_side=1))
def test_the_shares_of_an_extreme_add_up(x):
    x = np.where(np.isnan(x), 0.5, x)
    for op in (tg.max, tg.min):
        t = tg.Tensor(x)
        op(t, axis=-1).backward(np.ones(x.shape[:-1]))
        assert np.allclose(t.grad.sum(axis=-1), 1.0)
        assert np.all(t.grad[x != getattr(np, op.name)(x, axis=-1, keepdims=True)] == 0)


def test_a_nan_in_the_branch_not_taken_stays_there():
    x = tg.Tensor([4.0, -1.0, 0.0])
    with np.errstate(all="ignore"):
        y = tg.where(x > 0, x * 2, tg.sqrt(x))
    y.backward(np.array([1.0, 1.0, 1.0]))
    assert x.grad[0] == 2.0
    a, b = tg.Tensor([1.0, nan]), tg.Tensor([inf, 2.0])
    (tg.where(np.array([True, False]), a, b) * np.array([1.0, 3.0])).sum().backward()
    assert np.array_equal(a.grad, [1.0, 0.0])
    assert np.array_equal(b.grad, [0.0, 3.0])


def test_numbers_as_a_condition_decide_and_get_no_slope():
    x = tg.Tensor([0.0, 2.0, -3.0])
    tg.where(x, x * x, 5.0).sum().backward()
    np.testing.assert_array_equal(x.grad, [0.0, 4.0, -6.0])


def test_an_infinite_cotangent_is_not_multiplied_by_zero():
    for f in (tg.relu, lambda x: tg.where(x > 0, x, 0.0), lambda x: tg.maximum(x, -1.0), tg.sign):
        x = tg.Tensor([-2.0, 0.0])
        f(x).backward(np.array([inf, -inf]))
        assert not np.isnan(x.grad).any()


@pytest.mark.parametrize("scale", [1.0, 1000.0])
def test_softmaxes_of_large_numbers_are_exact_and_silent(scale):
    z = np.array([[1.0, 0.0, -1.0], [1.0, 1.0, 1.0]]) * scale
    x = tg.Tensor(z)
    p = tg.softmax(x)
    assert np.allclose(p.data.sum(axis=1), 1.0)
    assert np.allclose(p.data[1], 1 / 3)
    assert np.allclose(tg.log_softmax(x).data, z - tg.logsumexp(x, axis=1, keepdims=True).data)
    top = 1.0 + np.log1p(np.exp(-1.0) + np.exp(-2.0)) if scale == 1 else scale
    assert np.allclose(tg.logsumexp(x, axis=1).data, [top, scale + np.log(3)])
    tg.logsumexp(x, axis=1).sum().backward()
    assert np.allclose(x.grad, p.data)


def test_minus_infinity_has_no_weight():
    x = tg.Tensor([-inf, 0.0, 0.0])
    assert np.array_equal(tg.softmax(x).data, [0.0, 0.5, 0.5])
    assert np.array_equal(tg.log_softmax(x).data, [-inf, -np.log(2), -np.log(2)])
    tg.logsumexp(x).backward()
    assert np.allclose(x.grad, [0.0, 0.5, 0.5])
    x.grad = None
    tg.softmax(x)[1].backward()
    assert np.allclose(x.grad, [0.0, 0.25, -0.25])
    x.grad = None
    tg.cross_entropy(x[None], [1]).backward()
    assert np.allclose(x.grad, [0.0, -0.5, 0.5])
    x.grad = None
    tg.cross_entropy(x[None], np.array([[0.0, 1.0, 0.0]])).backward()
    assert np.allclose(x.grad, [0.0, -0.5, 0.5])


def test_logsumexp_of_infinities():
    assert tg.logsumexp([-inf, -inf]) == -inf
    assert tg.logsumexp([inf, 0.0]) == inf
    x = tg.Tensor([-inf, -inf])
    tg.logsumexp(x).backward()
    assert np.array_equal(x.grad, [0.0, 0.0])
    x = tg.Tensor([inf, 0.0])
    tg.logsumexp(x).backward()
    assert x.grad[1] == 0.0


@pytest.mark.parametrize("f", [tg.max, tg.min])
def test_a_nan_takes_the_gradient_of_an_extreme(f):
    x = tg.Tensor([[1.0, nan, nan], [2.0, 0.0, 1.0]])
    f(x, axis=1).backward(np.ones(2))
    assert np.array_equal(x.grad[0], [0.0, 0.5, 0.5])
    assert x.grad[1].sum() == 1.0


def test_losses_in_their_tails():
    z = tg.Tensor([1000.0, -1000.0, 1000.0, -1000.0])
    loss = tg.binary_cross_entropy_with_logits(z, np.array([1.0, 0.0, 0.0, 1.0]), reduction="none")
    assert np.array_equal(loss.data, [0.0, 0.0, 1000.0, 1000.0])
    loss.sum().backward()
    assert np.array_equal(z.grad, [0.0, 0.0, 1.0, -1.0])
    p = tg.Tensor([0.0, 1.0])
    tg.binary_cross_entropy(p, np.array([0.0, 1.0])).backward()
    assert np.array_equal(p.grad, [0.5, -0.5])
    h = tg.Tensor([1.0, 0.5, 2.0])
    tg.hinge(h, np.ones(3), reduction="sum").backward()
    assert np.array_equal(h.grad, [-0.5, -1.0, 0.0])  # half on the margin
    e = tg.Tensor([1.0, 2.0])
    tg.absolute_error(e, np.array([1.0, 1.0]), reduction="sum").backward()
    assert np.array_equal(e.grad, [0.0, 1.0])


@pytest.mark.parametrize("shape", [(0,), (0, 3), (3, 0)])
def test_reductions_of_nothing(shape):
    x = tg.Tensor(np.zeros(shape))
    assert x.sum().item() == 0.0
    x.sum().backward()
    assert x.grad.shape == shape
    for op in (tg.max, tg.min, tg.argmax):
        with pytest.raises(ValueError, match=op.name):
            op(x)
    y = tg.sum(x, axis=0)
    assert np.array_equal(y.data, np.zeros(shape[1:]))


@pytest.mark.parametrize("kind", [float, np.array, lambda x: np.array([x])])
@pytest.mark.parametrize(("a", "expected"), [(2.0, 0.5), (0.25, 4.0), (0.0, 0.0), (1e-310, 0.0)])
def test_a_power_with_exponent_zero_still_depends_on_its_exponent(kind, a, expected):
    """d²(aᵇ)/da db at b = 0 is 1/a; where that is no number the convention of a ** 0 holds: 0."""
    inner = tg.grad(lambda x, b: tg.sum(x**b))
    mixed = tg.grad(lambda b: tg.sum(inner(kind(a), b)))(kind(0.0))
    assert np.allclose(mixed, expected, rtol=1e-14, atol=0)


def test_an_array_of_exponents_has_second_derivatives_at_zero():
    exponents = np.array([0.0, 1.0, 2.0, 3.0])
    slope = tg.grad(lambda x: tg.sum(x**exponents))
    assert np.array_equal(tg.grad(lambda x: tg.sum(slope(x)))(np.zeros(4)), [0.0, 0.0, 2.0, 0.0])


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.int64])
def test_an_integer_exponent_may_be_zero(dtype):
    x = tg.Tensor([1000.0, 0.0, 3.0])
    (x ** np.array([0, 0, 2], dtype)).sum().backward()
    assert np.array_equal(x.grad, [0.0, 0.0, 6.0])
