"""Rows where their formulas are 0/0, inf - inf or a kink: the value and the derivative that the row promises."""

import math

import numpy as np
import pytest

import tinygrad_mlp as tg
from tinygrad_mlp.errors import ShapeError, UnsupportedError

INF, NAN = math.inf, math.nan


def value_and_slopes(f, *xs):
    """Return a value and its derivatives, on arrays; floats must give the same."""
    nodes = [tg.Tensor(x) for x in xs]
    y = f(*nodes)
    y.backward()
    on_arrays = [y.item(), *(x.grad.item() for x in nodes)]
    values = [tg.Value(x) for x in xs]
    z = f(*values)
    z.backward()
    assert np.array_equal([z.data, *(x.grad for x in values)], on_arrays, equal_nan=True)
    return on_arrays


@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning", "ignore:divide by zero:RuntimeWarning")
@pytest.mark.parametrize(
    ("f", "xs", "expected"),
    [
        (tg.sinc, [0.0], [1.0, 0.0]),
        (tg.hypot, [0.0, 0.0], [0.0, 0.0, 0.0]),
        (tg.hypot, [1e300, 1e300], [math.sqrt(2) * 1e300, math.sqrt(0.5), math.sqrt(0.5)]),
        (tg.arctan2, [0.0, 0.0], [0.0, 0.0, 0.0]),
        (tg.arctan2, [1e-200, 1e-200], [math.pi / 4, 5e199, -5e199]),
        (tg.arctan2, [1e200, 1e200], [math.pi / 4, 5e-201, -5e-201]),
        (tg.logaddexp, [-INF, -INF], [-INF, 0.5, 0.5]),
        (tg.logaddexp, [INF, INF], [INF, 0.5, 0.5]),
        (tg.logaddexp, [-INF, 3.0], [3.0, 0.0, 1.0]),
        (tg.logaddexp2, [1000.0, 1000.0], [1001.0, 0.5, 0.5]),
        (tg.xlogy, [0.0, 0.0], [0.0, 0.0, NAN]),
        (tg.xlogy, [2.0, 1.0], [0.0, 0.0, 2.0]),
        (tg.xlogy, [0.0, 2.0], [0.0, math.log(2), 0.0]),
        (tg.xlogy, [0.0, -1.0], [0.0, 0.0, 0.0]),
        (tg.xlogy, [2.0, 0.0], [-INF, -INF, INF]),
        (tg.xlogy, [2.0, -1.0], [NAN, NAN, -2.0]),
        (tg.fmax, [NAN, 2.0], [2.0, 0.0, 1.0]),
        (tg.fmax, [2.0, 2.0], [2.0, 1.0, 0.0]),
        (tg.fmin, [2.0, NAN], [2.0, 1.0, 0.0]),
        (tg.copysign, [0.0, -1.0], [-0.0, 0.0, 0.0]),
        (tg.copysign, [3.0, -1.0], [-3.0, -1.0, 0.0]),
        (tg.remainder, [-7.0, 3.0], [2.0, 1.0, 3.0]),
        (tg.fmod, [-7.0, 3.0], [-1.0, 1.0, 2.0]),
        (tg.heaviside, [0.0, 0.25], [0.25, 0.0, 1.0]),
        (tg.heaviside, [-2.0, 0.25], [0.0, 0.0, 0.0]),
        (tg.heaviside, [2.0, 0.25], [1.0, 0.0, 0.0]),
        (tg.heaviside, [-0.0, 3.0], [3.0, 0.0, 1.0]),
        (tg.nan_to_num, [NAN], [0.0, 0.0]),
        (tg.nan_to_num, [-INF], [-np.finfo(float).max, 0.0]),
        (tg.rint, [2.5], [2.0, 0.0]),
        (tg.trunc, [-2.7], [-2.0, 0.0]),
        (tg.erf, [0.0], [0.0, 2 / math.sqrt(math.pi)]),
        (tg.erf, [INF], [1.0, 0.0]),
        (tg.cbrt, [-8.0], [-2.0, 1 / 12]),
        (tg.arcsinh, [1e200], [math.asinh(1e200), 1e-200]),
        (tg.logit, [-0.5], [NAN, NAN]),
        (tg.logit, [1.5], [NAN, NAN]),
        (lambda x: tg.logit(x, 0.1), [0.0], [math.log(0.1 / 0.9), 0.0]),
    ],
    ids=lambda value: str(getattr(value, "name", getattr(value, "__name__", value))),
)
def test_a_row_keeps_its_promise_where_its_formula_fails(f, xs, expected):
    assert np.allclose(value_and_slopes(f, *xs), expected, rtol=1e-14, atol=0, equal_nan=True)


@pytest.mark.parametrize("x", [0.0, 1e-9, 1e-3, 0.0999, 0.1001, 0.5])
def test_the_second_derivative_of_sinc_is_smooth_through_its_series(x):
    mp = pytest.importorskip("mpmath", reason="mpmath is not installed")
    mp.mp.dps = 40
    exact = mp.diff(mp.sincpi, mp.mpf(x) if x else mp.mpf("1e-25"), 2)
    assert math.isclose(tg.grad(tg.grad(tg.sinc))(x), float(exact), rel_tol=1e-9)


def test_erf_of_an_array_is_the_c_librarys():
    x = np.linspace(-6, 6, 41).reshape(1, 41)
    assert np.array_equal(tg.erf(x), [[math.erf(v) for v in x[0]]])
    assert tg.erf(x.astype(np.float32)).dtype == np.float32


def test_heaviside_passes_the_gradient_to_its_value_at_zero():
    x, h, g = np.array([0.0, 1.0, -0.0, -2.0]), tg.Tensor(np.full(4, 0.5)), np.array([3.0, 5.0, 7.0, 11.0])
    tg.heaviside(x, h).backward(g)
    assert h.grad.tolist() == [3.0, 0.0, 7.0, 0.0]


def test_float_power_computes_in_float64():
    x = tg.Tensor(np.array([2.0], np.float32))
    y = tg.float_power(x, 2)
    y.backward()
    assert (y.dtype, x.grad.dtype, x.grad[0]) == (np.float64, np.float32, 4.0)


@pytest.mark.parametrize("f", [tg.softmax, tg.log_softmax, tg.softmin])
@pytest.mark.parametrize(("shape", "axis"), [((3, 0), -1), ((0, 3), -1), ((0, 3), 0)])
def test_a_softmax_of_nothing_is_empty(f, shape, axis):
    x = tg.Tensor(np.zeros(shape))
    y = f(x, axis=axis)
    y.backward(np.zeros(shape))
    assert y.shape == x.grad.shape == shape


@pytest.mark.parametrize("axis", [0, 1, 2, -1, -2, -3])
def test_activations_over_an_axis_are_their_formulas(axis):
    x = np.random.default_rng(0).normal(size=(2, 4, 6))
    e = np.exp(-x)
    assert np.allclose(tg.softmin(x, axis=axis), e / e.sum(axis=axis, keepdims=True), rtol=1e-13)
    assert np.allclose(tg.softmax(-x, axis=axis), e / e.sum(axis=axis, keepdims=True), rtol=1e-13)
    assert np.allclose(tg.log_softmax(-x, axis=axis), -x - np.log(e.sum(axis=axis, keepdims=True)), rtol=1e-13)
    left, right = np.split(x, 2, axis)
    assert np.allclose(tg.glu(x, axis=axis), left / (1 + np.exp(-right)), rtol=1e-13)


def test_cosine_similarity_broadcasts_before_it_takes_the_norms():
    a, b = np.array([[[1.0, 2.0], [3.0, 4.0]]]), np.array([[[1.0, 1.0]], [[2.0, -1.0]]])
    both = [np.broadcast_to(x, (2, 2, 2)) for x in (a, b)]
    expected = (both[0] * both[1]).sum(1) / (np.linalg.norm(both[0], axis=1) * np.linalg.norm(both[1], axis=1))
    assert np.allclose(tg.cosine_similarity(a, b, axis=1), expected)
    with pytest.raises(ShapeError, match=r"cosine_similarity: .*\(2,\) and .*\(3,\)"):
        tg.cosine_similarity(np.ones(2), np.ones(3), axis=0)


def test_normalize_by_the_number_of_nonzero_elements():
    x = np.array([[3.0, 0.0, 4.0]], np.float32)
    y = tg.normalize(x, p=0.0)
    assert (y.dtype, y.tolist()) == (np.float32, [[1.5, 0.0, 2.0]])


def test_hardtanh_refuses_crossed_bounds():
    with pytest.raises(UnsupportedError, match=r"hardtanh: min_val 1\.0 is greater than max_val 0\.0"):
        tg.hardtanh(0.5, 1.0, 0.0)
