"""Running sums, products, extremes and log-sums: NumPy's values, and gradients that divide by nothing."""

import math

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from outcomes import gradient, outcome
from strategies import axis_near, special_arrays

import tinygrad_mlp as tg
from tinygrad_mlp.errors import AxisError, TinygradError
from tinygrad_mlp.ops.cumulative import recurrence

inf, nan = math.inf, math.nan
quiet = pytest.mark.filterwarnings("ignore::RuntimeWarning")
REFERENCES = {
    "cumsum": np.cumsum,
    "cumprod": np.cumprod,
    "nancumsum": np.nancumsum,
    "nancumprod": np.nancumprod,
    "logcumsumexp": lambda x, axis: np.logaddexp.accumulate(
        np.ravel(x) if axis is None else np.atleast_1d(x), axis or 0
    ),
}


@quiet
@pytest.mark.parametrize("name", REFERENCES)
@given(data=st.data())
def test_values_are_numpys_for_every_shape_dtype_and_axis(name, data):
    x = data.draw(special_arrays(max_dims=3))
    with np.errstate(all="ignore"):
        x = x.astype(data.draw(st.sampled_from([np.float64, np.float32, np.int64, np.int8, np.bool_])))
    axis = data.draw(st.none() | axis_near(x.ndim))
    if name == "logcumsumexp" and (x.dtype.kind != "f" or x.size == 0):
        return
    expected = outcome(REFERENCES[name], x, axis)
    ours = outcome(getattr(tg, name), x, axis)
    if isinstance(expected, Exception):
        assert isinstance(ours, AxisError), ours
        return
    if name == "logcumsumexp" and axis is not None:  # PyTorch's, which gives a number for a number
        expected = expected.reshape(x.shape)
    assert (ours.shape, ours.dtype) == (expected.shape, expected.dtype)
    assert np.allclose(ours, expected, rtol=1e-5 if x.dtype == np.float32 else 1e-12, equal_nan=True)


@pytest.mark.parametrize("name", ["cumsum", "cumprod", "logcumsumexp"])
def test_numbers_lists_and_values_become_arrays(name):
    for x in (2.0, [2.0], tg.Value(2.0), tg.Tensor(2.0), [[2.0]]):
        y = getattr(tg, name)(x)
        assert y.shape == (1,)
        assert float(y[0]) == 2.0
    assert gradient(getattr(tg, name), 2.0, 3.0) == 3.0
    assert gradient(lambda x: getattr(tg, name)(x, axis=0), 2.0, 3.0).shape == ()


@given(x=hnp.arrays(np.float64, st.integers(1, 5), elements=st.sampled_from([0.0, 1.0, -2.0, 0.5, 3.0])))
@example(x=np.array([2.0, 0.0, 3.0, 0.0, 5.0]))
def test_derivatives_of_running_products_are_exact_beside_zeros(x):
    n = len(x)

    def without(k, *gone):
        inside = len(set(gone)) == len(gone) and all(i <= k for i in gone)
        return math.prod(x[i] for i in range(k + 1) if i not in gone) if inside else 0.0

    assert np.array_equal(tg.jacobian(tg.cumprod)(x), [[without(k, i) for i in range(n)] for k in range(n)])
    last = tg.hessian(lambda z: tg.cumprod(z)[-1])(x)
    assert np.array_equal(last, [[without(n - 1, i, j) for j in range(n)] for i in range(n)])


@pytest.mark.parametrize(
    "x",
    [
        [1000.0, -1000.0, 1000.0, 999.0],
        [-1000.0, 0.0, 1000.0],
        [1000.0, 0.0, -1000.0],
        [-inf, -inf, 1.0, -inf, 2.0],
        [-inf, -inf],
        [1e5, -1e5, 3.0, 1e5, -2e5],
    ],
)
def test_the_gradient_of_a_running_log_sum_is_a_sum_of_softmaxes(x):
    x, u = np.array(x), np.random.default_rng(0).normal(size=len(x))
    with np.errstate(invalid="ignore"):
        tops = np.maximum.accumulate(x)
        weights = np.array([np.exp(x[: k + 1] - tops[k]) for k in range(len(x))], dtype=object)
    rows = np.zeros((len(x), len(x)))
    for k, w in enumerate(weights):
        w = np.where(np.isnan(w), 0.0, w)
        rows[k, : k + 1] = w / w.sum() if w.sum() else 0.0
    assert np.allclose(gradient(tg.logcumsumexp, x, u), u @ rows, rtol=1e-10, atol=1e-300)
    finite = np.flatnonzero(rows.any(axis=1))
    second = tg.hessian(lambda z: (tg.logcumsumexp(z)[finite] * u[finite]).sum())(x)
    expected = sum((c * (np.diag(p) - np.outer(p, p)) for c, p in zip(u, rows, strict=True)), np.zeros_like(rows))
    assert np.allclose(second, expected, atol=1e-10)


@pytest.mark.parametrize("x", [[0.0, np.inf, 1.0], [np.inf, 0.0, 1.0], [-np.inf, np.inf, -np.inf, 2.0]])
@pytest.mark.filterwarnings("ignore:invalid value")
def test_beside_inf_a_running_log_sum_has_the_derivative_of_the_log_sums(x):
    u = np.arange(1.0, len(x) + 1)
    rows = [tg.grad(tg.logsumexp)(np.array(x[: k + 1])) for k in range(len(x))]
    expected = [sum(u[k] * rows[k][i] for k in range(i, len(x))) for i in range(len(x))]
    assert np.array_equal(gradient(tg.logcumsumexp, x, u), expected, equal_nan=True)


@pytest.mark.parametrize("axis", [0, 1, -1, None])
@pytest.mark.parametrize("name", ["cumsum", "cumprod", "logcumsumexp"])
def test_pytorch_agrees(name, axis):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    rng = np.random.default_rng(2)
    for _ in range(10):
        x = rng.choice([0.0, 1.0, -2.0, 3.5, 0.25], size=(3, 4))
        z = torch.tensor(x, requires_grad=True)
        y = getattr(torch, name)(z.reshape(-1) if axis is None else z, 0 if axis is None else axis)
        u = rng.normal(size=tuple(y.shape))
        y.backward(torch.tensor(u))
        f = getattr(tg, name)
        assert np.allclose(f(x, axis=axis), y.detach().numpy())
        assert np.allclose(gradient(lambda t, f=f: f(t, axis=axis), x, u), z.grad.numpy())


# ------------------------------------------------------------------------------------------------------------ extremes


@quiet
@given(x=special_arrays(min_dims=1, max_dims=1, min_side=1, max_side=6), seed=st.integers(0, 99))
def test_a_running_extreme_splits_each_gradient_evenly_over_its_ties(x, seed):
    u = np.random.default_rng(seed).normal(size=x.shape)
    for f, reference, whole in ((tg.cummax, np.maximum, tg.max), (tg.cummin, np.minimum, tg.min)):
        assert np.array_equal(f(x).values, reference.accumulate(x), equal_nan=True)
        expected = np.zeros(x.shape)
        for k in range(len(x)):
            expected[: k + 1] += gradient(whole, x[: k + 1], u[k])
        assert np.allclose(gradient(lambda t, f=f: f(t).values, x, u), expected)


@quiet
@given(x=special_arrays(min_dims=0, max_dims=3, min_side=1), axis=st.integers(-3, 2))
def test_running_extremes_and_their_places_are_pytorchs(x, axis):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    if x.ndim and not -x.ndim <= axis < x.ndim:
        with pytest.raises(AxisError):
            tg.cummax(x, axis=axis)
        return
    axis = axis if x.ndim else -1
    for name in ("cummax", "cummin"):
        theirs = getattr(torch, name)(torch.tensor(x), axis)
        for ours in (getattr(tg, name)(x, axis=axis), getattr(tg, name)(tg.Tensor(x), axis=axis)):
            assert np.array_equal(np.asarray(getattr(ours.values, "data", ours.values)), theirs.values, equal_nan=True)
            assert np.array_equal(np.asarray(getattr(ours.indices, "data", ours.indices)), theirs.indices)


# --------------------------------------------------------------------------------------------- recurrence and spellings


@given(
    n=st.integers(0, 6),
    rows=st.sampled_from([(), (1,), (3,), (2, 2)]),
    dtype=st.sampled_from([np.float64, np.float32]),
    reverse=st.booleans(),
)
def test_a_recurrence_is_a_loop(n, rows, dtype, reverse):
    rng = np.random.default_rng(n)
    a, b = rng.normal(size=(*rows, n)).astype(dtype), rng.normal(size=(*rows, n)).astype(dtype)
    s, expected = np.zeros(rows), np.empty((*rows, n))
    for k in range(n)[:: -1 if reverse else 1]:
        s = expected[..., k] = a[..., k] * s + b[..., k]
    y = recurrence(a, b, reverse=reverse)
    assert y.dtype == dtype
    assert np.allclose(y, expected, rtol=1e-5)


def test_the_first_factor_of_a_recurrence_multiplies_nothing():
    a, b = tg.Tensor([inf, 0.0]), tg.Tensor([5.0, 1.0])
    y = recurrence(a, b)
    assert y.data.tolist() == [5.0, 1.0]
    y[0].backward()
    assert a.grad.tolist() == [0.0, 0.0]
    for shapes in (((2,), (3,)), ((), ())):
        with pytest.raises(TinygradError, match="recurrence: factors"):
            recurrence(*(np.ones(shape) for shape in shapes))


@pytest.mark.parametrize("name", ["cumulative_sum", "cumulative_prod"])
@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 0), (2, 3)])
@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.int8])
def test_the_array_apis_spelling_may_begin_with_the_result_of_nothing(name, shape, dtype):
    f, reference = getattr(tg, name), getattr(np, name)
    x = np.ones(shape, dtype) * 2
    for axis in (0, -1) if shape else (None,):
        for options in ({}, {"include_initial": True}, {"dtype": np.float32}):
            y, expected = f(x, axis=axis, **options), reference(x, axis=axis, **options)
            assert (y.shape, y.dtype) == (expected.shape, expected.dtype)
            assert np.array_equal(y, expected)
    if len(shape) == 2:
        with pytest.raises(AxisError, match="give axis="):
            f(x)
    if dtype is np.float64 and shape == (3,):
        assert gradient(lambda t: f(t, include_initial=True), x, [9.0, 0.0, 0.0, 1.0]).tolist() == (
            [1.0, 1.0, 1.0] if name == "cumulative_sum" else [4.0, 4.0, 4.0]
        )


def test_options_and_methods_of_running_sums():
    x = np.array([[1.0, 2.0], [3.0, 4.0]])
    assert tg.cumsum(x, axis=0, dtype=np.float32).dtype == np.float32
    assert np.array_equal(tg.Tensor(x).cumsum(1).data, x.cumsum(1))
    assert np.array_equal(tg.Tensor(x).cumprod().data, x.cumprod())
    with pytest.raises(TinygradError, match="out"):
        tg.cumsum(x, out=x)


@pytest.mark.parametrize("axis", range(-3, 3))
def test_every_axis_of_a_cube_has_its_running_extremes_and_their_last_places(axis):
    cube = np.random.default_rng(0).permutation(24).reshape(2, 3, 4) * 1.0
    for f, reference in ((tg.cummax, np.maximum), (tg.cummin, np.minimum)):
        values, places = f(cube, axis=axis)
        assert np.array_equal(values, reference.accumulate(cube, axis))
        assert np.array_equal(np.take_along_axis(cube, places, axis), values)
