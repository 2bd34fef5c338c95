"""Reductions: NumPy's values and refusals for every axis and dtype, and gradients at ties, zeros, nan, infinities."""

import math
import operator

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from outcomes import agree, gradient, numpys_axis, outcome
from strategies import axes_near, special_arrays

import tinygrad_mlp as tg
from tinygrad_mlp.errors import AxisError, ShapeError, TinygradError, ZeroWeightsError
from tinygrad_mlp.graph import NODES

inf, nan = math.inf, math.nan
PLAIN = ["sum", "prod", "mean", "var", "std", "max", "min", "any", "all", "ptp", "count_nonzero"]
NAN_AWARE = ["nansum", "nanprod", "nanmean", "nanvar", "nanstd", "nanmax", "nanmin"]
each_reduction = pytest.mark.parametrize("name", PLAIN + NAN_AWARE)
quiet = pytest.mark.filterwarnings("ignore::RuntimeWarning")
DTYPES = [np.float64, np.float32, np.float16, np.int64, np.int8, np.uint8, np.bool_]


def tangent(f, x, t):
    """The derivative of ``f`` at ``x`` along ``t`` by central differences."""
    h = 1e-6
    return (np.asarray(f(x + h * t)) - np.asarray(f(x - h * t))) / (2 * h)


@quiet
@each_reduction
@given(data=st.data())
def test_values_and_errors_are_numpys_for_every_shape_dtype_and_axis(name, data):
    x = data.draw(special_arrays(max_dims=3))
    with np.errstate(all="ignore"):
        x = x.astype(data.draw(st.sampled_from(DTYPES)))
    if x.dtype == bool and name == "ptp":
        return  # NumPy subtracts no booleans
    if x.ndim == 0 and x.dtype.kind != "f" and name in ("nanmean", "nanvar", "nanstd"):
        return  # NumPy finds an axis 0 in a float and none in an integer
    given = {"axis": data.draw(axes_near(x.ndim)), "keepdims": data.draw(st.booleans())}
    expected = outcome(getattr(np, name), x, **{**given, "axis": numpys_axis(x, given["axis"])})
    assert agree(outcome(getattr(tg, name), x, **given), expected)
    on_node = outcome(lambda x, **given: np.asarray(getattr(tg, name)(x, **given).data), tg.Tensor(x), **given)
    assert agree(on_node, expected)


@each_reduction
def test_lists_numbers_and_values_are_reduced(name):
    f, reference = getattr(tg, name), getattr(np, name)
    for x in ([[1.0, 2.0], [0.0, 4.0]], 3.0, 2, True, [1, 2, 3]):
        if not (name == "ptp" and x is True):
            assert np.array_equal(f(x), reference(x))
    y = f(tg.Value(3.0))
    assert type(y) in NODES
    assert y.item() == reference(3.0)


def log_sums_axes(x, axis):
    """A sum over the axes that SciPy's and PyTorch's logsumexp take: of a number also (0,) and (-1,)."""
    return np.sum(np.atleast_1d(x) if isinstance(axis, tuple) else x, axis=axis)


@quiet
@given(data=st.data())
@pytest.mark.parametrize("name", ["sum", "mean", "prod", "var", "std", "max", "min", "logsumexp", "nanmax", "nansum"])
def test_a_gradient_has_the_shape_of_its_input_wherever_numpy_reduces(name, data):
    x = data.draw(hnp.arrays(np.float64, hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3)))
    axis = data.draw(axes_near(x.ndim))
    reference = log_sums_axes if name == "logsumexp" else getattr(np, name)
    if isinstance(outcome(reference, x, axis=numpys_axis(x, axis)), Exception):
        with pytest.raises(TinygradError):
            getattr(tg, name)(tg.Tensor(x), axis=axis)
        return
    assert gradient(lambda t: getattr(tg, name)(t, axis=axis), x).shape == x.shape


@pytest.mark.parametrize("name", [name for name in PLAIN if name not in ("any", "all", "count_nonzero")])
def test_an_axis_that_does_not_exist_or_comes_twice_is_an_error_that_names_the_op(name):
    for x in (np.ones((2, 3)), tg.Tensor(np.ones((2, 3)))):
        with pytest.raises(AxisError):
            getattr(tg, name)(x, axis=2)
        with pytest.raises(ShapeError):
            getattr(tg, name)(x, axis=(0, -2))
    for name in ("max", "min", "argmax", "nanmax"):
        with pytest.raises(ShapeError, match=rf"{name} of \(0, 3\)"):
            getattr(tg, name)(np.ones((0, 3)), axis=0)


@quiet
def test_the_mean_of_nothing_warns_as_in_numpy():
    with pytest.warns(RuntimeWarning, match="Mean of empty slice"):
        assert np.isnan(tg.mean(tg.Tensor(np.ones((0, 2))), axis=0).data).all()
    assert tg.sum(tg.Tensor([])).item() == 0
    assert tg.prod(tg.Tensor([])).item() == 1
    assert tg.logsumexp(tg.Tensor([])).item() == -inf


# ------------------------------------------------------------------------------------------------------------ products


@given(
    x=hnp.arrays(np.float64, st.integers(1, 5), elements=st.sampled_from([0.0, -0.0, 1.0, -2.0, 0.5, 3.0])),
)
@example(x=np.array([0.0, 2.0, 3.0]))
@example(x=np.array([0.0, 2.0, 0.0]))
@example(x=np.zeros(3))
def test_derivatives_of_a_product_are_products_of_the_others_to_third_order(x):
    def product_without(*gone):
        return math.prod(x[i] for i in range(len(x)) if i not in gone) if len(set(gone)) == len(gone) else 0.0

    n = range(len(x))
    first = tg.grad(tg.prod)
    second = tg.jacobian(first)
    assert np.array_equal(first(x), [product_without(i) for i in n])
    assert np.array_equal(second(x), [[product_without(i, j) for j in n] for i in n])
    third = tg.jacobian(second)(x)
    assert np.array_equal(third, [[[product_without(i, j, k) for k in n] for j in n] for i in n])


@pytest.mark.parametrize("axis", [None, 0, -1, (0, 2), (2, 0), (1,), ()])
def test_a_product_over_axes_has_the_gradient_that_differences_measure(axis):
    rng = np.random.default_rng(3)
    x, t = rng.normal(size=(2, 3, 2)), rng.normal(size=(2, 3, 2))
    x[0, 1] = 0.0
    u = rng.normal(size=np.prod(x, axis=axis).shape)
    derived = np.sum(gradient(lambda z: tg.prod(z, axis=axis), x, u) * t)
    assert np.isclose(derived, np.sum(u * tangent(lambda z: np.prod(z, axis=axis), x, t)), rtol=1e-6)


@quiet
def test_a_product_beside_infinity_and_nan():
    assert np.array_equal(tg.grad(tg.prod)(np.array([inf, 2.0, 0.0])), [0.0, nan, inf], equal_nan=True)
    assert np.array_equal(tg.grad(tg.prod)(np.array([nan, 2.0])), [2.0, nan], equal_nan=True)


# -------------------------------------------------------------------------------------------------- spread and extremes


def test_the_deviation_of_equal_elements_has_a_gradient_of_zero():
    x = np.array([[2.0, 2.0], [1.0, 3.0]])
    assert np.array_equal(gradient(lambda t: tg.std(t, axis=1), x, [1.0, 1.0]), [[0.0, 0.0], [-0.5, 0.5]])
    assert np.array_equal(tg.hessian(tg.std)(np.full(3, 2.0)), np.zeros((3, 3)))
    assert gradient(tg.nanstd, np.array([2.0, nan, 2.0]), 1.0).tolist() == [0.0, 0.0, 0.0]


@quiet
def test_too_few_elements_for_their_degrees_of_freedom_give_what_numpy_gives():
    for x in ([1.0], [1.0, 2.0]):
        for ddof in (1, 2, 5):
            for name in ("var", "std"):
                y = getattr(tg, name)(tg.Tensor(x), ddof=ddof)
                assert np.array_equal(y.data, getattr(np, name)(x, ddof=ddof), equal_nan=True)
                if not np.isfinite(y.data):
                    assert not np.isfinite(gradient(lambda t, n=name, d=ddof: getattr(tg, n)(t, ddof=d), x)).any()


@pytest.mark.parametrize("correction", [0, 1, 0.5])
@pytest.mark.parametrize("name", ["var", "std", "nanvar", "nanstd"])
def test_correction_is_another_name_for_ddof(name, correction):
    x = np.random.default_rng(0).normal(size=(3, 4))
    f = getattr(tg, name)
    assert np.array_equal(f(x, axis=1, correction=correction), f(x, axis=1, ddof=correction))
    assert np.allclose(f(x, correction=correction), getattr(np, name)(x, ddof=correction))
    with pytest.raises(TinygradError, match="give one of them"):
        f(x, ddof=1, correction=1)


@pytest.mark.parametrize(
    ("f", "x", "expected"),
    [
        (tg.max, [1.0, 3.0, 3.0], [0.0, 0.5, 0.5]),
        (tg.min, [0.0, -0.0, 1.0], [0.5, 0.5, 0.0]),
        (tg.max, [nan, 3.0, nan], [0.5, 0.0, 0.5]),
        (tg.max, [inf, inf], [0.5, 0.5]),
        (tg.nanmax, [nan, 3.0, 3.0], [0.0, 0.5, 0.5]),
        (tg.nanmax, [nan, -inf], [0.0, 1.0]),
        (tg.nanmin, [nan, nan], [0.0, 0.0]),
        (tg.ptp, [1.0, 3.0, 3.0], [-1.0, 0.5, 0.5]),
        (tg.ptp, [2.0, 2.0], [0.0, 0.0]),
        (tg.nansum, [nan, 3.0], [0.0, 1.0]),
        (tg.nanprod, [nan, 3.0, 2.0], [0.0, 2.0, 3.0]),
        (tg.nanmean, [nan, 3.0, 2.0], [0.0, 0.5, 0.5]),
        (tg.nanvar, [nan, 3.0, 1.0], [0.0, 1.0, -1.0]),
        (tg.logsumexp, [1000.0, 1000.0], [0.5, 0.5]),
        (tg.logsumexp, [-1000.0, 1000.0], [0.0, 1.0]),
        (tg.logsumexp, [-inf, 1.0], [0.0, 1.0]),
        (tg.logsumexp, [-inf, -inf], [0.0, 0.0]),
        (lambda x: tg.max(x, initial=3.0), [1.0, 3.0], [0.0, 0.5]),
        (lambda x: tg.max(x, initial=5.0), [1.0, 3.0], [0.0, 0.0]),
        (lambda x: tg.max(x, initial=3.0, where=[True, True, False]), [1.0, 3.0, 7.0], [0.0, 0.5, 0.0]),
        (lambda x: tg.sum(x, where=[True, False], initial=4.0), [1.0, nan], [1.0, 0.0]),
        (lambda x: tg.mean(x, where=[True, True, False]), [1.0, 2.0, nan], [0.5, 0.5, 0.0]),
        (lambda x: tg.var(x, where=[True, True, False]), [1.0, 3.0, nan], [-1.0, 1.0, 0.0]),
        (lambda x: tg.std(x, where=[True, True, False]), [2.0, 2.0, nan], [0.0, 0.0, 0.0]),
        (lambda x: tg.prod(x, where=[True, True, False], initial=2.0), [3.0, 4.0, nan], [8.0, 6.0, 0.0]),
    ],
)
def test_gradients_at_ties_nan_and_infinities(f, x, expected):
    assert np.allclose(gradient(f, np.array(x), 1.0), expected, rtol=1e-12, atol=0)


def test_an_initial_value_may_be_recorded():
    start = tg.Tensor(4.0)
    tg.sum(tg.Tensor([1.0, 2.0]), initial=start).backward()
    assert start.grad == 1.0


@given(data=st.data())
@pytest.mark.parametrize("name", ["sum", "prod", "mean", "var", "std", "max", "min"])
def test_options_follow_numpy_and_their_gradients_measure_right(name, data):
    shape = data.draw(hnp.array_shapes(min_dims=1, max_dims=3, min_side=1, max_side=3))
    rng = np.random.default_rng(data.draw(st.integers(0, 999)))
    x, t = rng.normal(size=shape), rng.normal(size=shape)
    options = {"where": rng.random(size=shape[data.draw(st.integers(0, 1)) :]) < 0.7}
    options["where"] |= not options["where"].any()
    if name in ("max", "min"):
        options["initial"] = 0.1
    axis = data.draw(st.none() | st.integers(-len(shape), len(shape) - 1))
    if not np.all(np.sum(np.broadcast_to(options["where"], shape), axis=axis)):
        axis = None
    reference, f = getattr(np, name), getattr(tg, name)
    y = f(x, axis=axis, **options)
    assert np.allclose(y, reference(x, axis=axis, **options))
    u = rng.normal(size=np.shape(y))
    derived = np.sum(gradient(lambda z: f(z, axis=axis, **options), x, u) * t)
    if name != "std" or np.all(y > 1e-3):
        measured = np.sum(u * tangent(lambda z: reference(z, axis=axis, **options), x, t))
        assert np.isclose(derived, measured, rtol=1e-5, atol=1e-6)


# -------------------------------------------------------------------------------------------------------------- average


@pytest.mark.parametrize(
    ("axis", "weights"),
    [(None, (2, 3, 4)), (0, (2,)), (-1, (4,)), ((1, 2), (3, 4)), ((2, 0), (4, 2)), (1, (2, 3, 4)), (None, None)],
)
def test_an_average_is_numpys_and_has_gradients_in_values_and_weights(axis, weights):
    rng = np.random.default_rng(1)
    x, t = rng.normal(size=(2, 3, 4)), rng.normal(size=(2, 3, 4))
    w = None if weights is None else rng.uniform(0.5, 2.0, size=weights)
    for keepdims in (False, True):
        ours = tg.average(tg.Tensor(x), axis, w, returned=True, keepdims=keepdims)
        for y, expected in zip(ours, np.average(x, axis, w, returned=True, keepdims=keepdims), strict=True):
            y = y.data if type(y) in NODES else y
            assert np.shape(y) == np.shape(expected)
            assert np.allclose(y, expected)
    u = rng.normal(size=np.average(x, axis, w).shape)
    derived = np.sum(gradient(lambda z: tg.average(z, axis, w), x, u) * t)
    assert np.isclose(derived, np.sum(u * tangent(lambda z: np.average(z, axis, w), x, t)))
    if w is not None:
        t = rng.normal(size=w.shape)
        derived = np.sum(gradient(lambda v: tg.average(x, axis, v), w, u) * t)
        assert np.isclose(derived, np.sum(u * tangent(lambda v: np.average(x, axis, v), w, t)), rtol=1e-5)


def test_weights_that_do_not_fit_or_sum_to_zero_are_errors():
    x = np.ones((2, 3))
    with pytest.raises(TypeError, match="give axis="):
        tg.average(x, weights=[1.0, 2.0])
    with pytest.raises(ShapeError, match=r"must have shape \(3,\)"):
        tg.average(x, axis=1, weights=[1.0, 2.0])
    for w in ([1.0, -1.0], tg.Tensor([1.0, -1.0])):
        with pytest.raises(ZeroWeightsError):
            tg.average(x, axis=0, weights=w)
    assert tg.average([1, 2], weights=np.array([1, 3], np.float32)).dtype == np.float64


# -------------------------------------------------------------------------------------------------------------- methods


@pytest.mark.parametrize("name", ["sum", "prod", "mean", "var", "std", "max", "min", "any", "all", "argmax", "argmin"])
def test_methods_are_those_of_arrays(name):
    x = np.random.default_rng(0).normal(size=(2, 3))
    method = operator.methodcaller(name, axis=1, keepdims=True)
    assert np.allclose(method(tg.Tensor(x)).data, method(x))
    assert np.allclose(getattr(tg.Tensor(x), name)(1).data, getattr(x, name)(1))


def test_pytorch_agrees_on_ties_and_special_points():
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    rng = np.random.default_rng(5)
    pairs = [
        (lambda x: tg.prod(x, axis=1), lambda x: torch.prod(x, 1)),
        (lambda x: tg.std(x, axis=0, ddof=1), lambda x: torch.std(x, 0)),
        (lambda x: tg.max(x, axis=(0, 1)), lambda x: torch.amax(x, (0, 1))),
        (lambda x: tg.min(x, axis=1), lambda x: torch.amin(x, 1)),
        (lambda x: tg.logsumexp(x, axis=(0, 1)), lambda x: torch.logsumexp(x, (0, 1))),
        (tg.nansum, torch.nansum),
        (lambda x: tg.nanmean(x, axis=1), lambda x: torch.nanmean(x, 1)),
    ]
    for _ in range(20):
        x = rng.choice([0.0, 1.0, 1.0, -2.0, 3.5], size=(3, 4))
        for ours, theirs in pairs:
            z = torch.tensor(x, requires_grad=True)
            y = theirs(z)
            u = rng.normal(size=tuple(y.shape))
            y.backward(torch.tensor(u))
            assert np.allclose(ours(x), y.detach().numpy())
            assert np.allclose(gradient(ours, x, u), z.grad.numpy())


@pytest.mark.parametrize("f", [tg.std, tg.nanstd, lambda t, **given: tg.std(t, where=np.ones(3, bool), **given)])
@pytest.mark.parametrize("keepdims", [False, True])
def test_the_standard_deviation_of_equal_elements_has_the_derivative_0_whatever_their_mean_rounds_to(f, keepdims):
    x = np.array([[0.1, 0.1, 0.1], [1.0, 2.0, 3.0]])
    slope = gradient(lambda t: tg.sum(f(t, axis=1, keepdims=keepdims)), x, 1.0)
    assert slope[0].tolist() == [0, 0, 0]
    assert np.allclose(slope[1], np.array([-1.0, 0.0, 1.0]) / (3 * np.std(x[1])))
