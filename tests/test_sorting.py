"""Sorting, the largest elements and quantiles: NumPy's and PyTorch's values, and who gets the gradient."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from outcomes import agree, gradient, outcome
from strategies import FEW, axes_near, axis_near, special_arrays

import tinygrad_mlp as tg
from tinygrad_mlp.errors import AxisError, DataError, GradientError, ShapeError, UnsupportedError
from tinygrad_mlp.ops.sorting import CONTINUOUS, ENDS, STEPS

inf, nan = math.inf, math.nan
quiet = pytest.mark.filterwarnings("ignore::RuntimeWarning")
METHODS = [*ENDS, *CONTINUOUS, *STEPS]
DTYPES = st.sampled_from([np.float64, np.float32, np.float16, np.int64, np.uint8])


def drawn(data, **limits):
    x = data.draw(special_arrays(**limits))
    with np.errstate(all="ignore"):
        return x.astype(data.draw(DTYPES))


# --------------------------------------------------------------------------------------------------------------- order


@quiet
@given(data=st.data())
def test_sort_and_argsort_are_numpys_stable_ones(data):
    x = drawn(data)
    axis = data.draw(st.none() | axis_near(x.ndim))
    assert agree(outcome(tg.sort, x, axis), outcome(np.sort, x, axis, kind="stable"))
    assert agree(outcome(tg.argsort, x, axis), outcome(np.argsort, x, axis, kind="stable"))
    assert agree(outcome(tg.sort, tg.Tensor(x), axis), outcome(np.sort, x, axis))


@given(data=st.data())
def test_the_gradient_of_sort_goes_back_where_the_elements_came_from(data):
    x = data.draw(special_arrays(min_dims=1))
    axis = data.draw(st.none() | st.integers(-x.ndim, x.ndim - 1))
    order = np.argsort(x, axis, kind="stable")
    u = np.random.default_rng(0).normal(size=order.shape)
    expected = np.zeros(x.size if axis is None else x.shape)
    np.put_along_axis(expected, order, u, axis)
    assert np.array_equal(gradient(lambda t: tg.sort(t, axis=axis), x, u), expected.reshape(x.shape))


@quiet
@given(data=st.data())
def test_a_partition_has_the_kth_in_place_and_smaller_ones_before_it(data):
    x = data.draw(special_arrays(min_dims=1, min_side=1))
    axis = data.draw(st.none() | st.integers(-x.ndim, x.ndim - 1))
    x, along = (x, axis) if axis is not None else (x.ravel(), -1)
    kth = data.draw(st.integers(0, x.shape[along] - 1))
    y = np.moveaxis(tg.partition(x, kth, axis=axis), along, -1)
    whole = np.moveaxis(np.sort(x, along), along, -1)
    assert np.array_equal(y[..., kth], whole[..., kth], equal_nan=True)
    assert np.array_equal(np.sort(y[..., :kth]), whole[..., :kth], equal_nan=True)
    places = tg.argpartition(x, kth, axis=axis)
    assert np.array_equal(np.moveaxis(np.take_along_axis(x, places, axis), along, -1), y, equal_nan=True)
    assert gradient(lambda t: tg.partition(t, kth, axis=axis), x, 1.0).tolist() == np.ones(x.shape).tolist()


def test_a_rank_that_does_not_exist_is_an_error():
    with pytest.raises(ShapeError, match="argpartition"):
        tg.partition([3.0, 1.0], 5)
    with pytest.raises(AxisError):
        tg.sort(np.ones(3), axis=1)


@given(data=st.data())
def test_topk_is_pytorchs_with_the_first_of_equal_elements_first(data):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    x = data.draw(special_arrays(min_side=1))
    axis = data.draw(st.integers(-x.ndim, x.ndim - 1)) if x.ndim else -1
    k = data.draw(st.integers(0 if x.ndim else 1, x.shape[axis] if x.ndim else 1))
    largest = data.draw(st.booleans())
    ours = tg.topk(tg.Tensor(x), k, axis=axis, largest=largest)
    theirs = torch.topk(torch.tensor(x), k, axis, largest=largest)
    assert np.array_equal(ours.values.data, theirs.values, equal_nan=True)
    line = np.moveaxis(np.atleast_1d(x), axis, -1)
    order = np.argsort(-line if largest else line, kind="stable")
    if largest:  # nan counts as the largest, and comes last in NumPy's order
        order = np.stack(
            [
                [*(i for i in o if np.isnan(r[i])), *(i for i in o if not np.isnan(r[i]))]
                for o, r in zip(order.reshape(-1, line.shape[-1]), line.reshape(-1, line.shape[-1]), strict=True)
            ]
        )
        order = order.reshape(line.shape)
    expected = np.moveaxis(order[..., :k], -1, axis).reshape(ours.indices.shape)
    assert np.array_equal(ours.indices.data, expected)
    if k and x.ndim:
        u = np.random.default_rng(0).normal(size=ours.values.shape)
        g = np.zeros(x.shape)
        np.put_along_axis(g, expected, u, axis)
        assert np.array_equal(gradient(lambda t: tg.topk(t, k, axis=axis, largest=largest).values, x, u), g)


@pytest.mark.parametrize("k", [-1, 4])
def test_topk_of_more_than_there_are_is_an_error(k):
    with pytest.raises(ShapeError, match=f"topk: k={k} of 3"):
        tg.topk([1.0, 2.0, 3.0], k)


# ----------------------------------------------------------------------------------------------------------- quantiles


@quiet
@pytest.mark.parametrize("name", ["median", "nanmedian"])
@given(data=st.data())
def test_medians_are_numpys(name, data):
    x = drawn(data, max_side=4)
    given = {"axis": data.draw(axes_near(x.ndim)), "keepdims": data.draw(st.booleans())}
    if x.size == 0 and type(given["axis"]) is tuple:
        return  # which NumPy cannot always reshape
    expected = outcome(getattr(np, name), x, **given)
    for z in (x, tg.Tensor(x)):
        assert agree(outcome(getattr(tg, name), z, **given), expected)


def test_the_median_beside_a_nan_is_nan():
    x = np.array([[1.0, nan, 3.0, 2.0], [4.0, 1.0, 3.0, 2.0]])
    assert np.array_equal(tg.median(x, axis=1), [nan, 2.5], equal_nan=True)
    assert np.array_equal(tg.nanmedian(x, axis=1), [2.0, 2.5])


@quiet
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", ["quantile", "nanquantile"])
@FEW
@given(data=st.data())
def test_quantiles_are_numpys(name, method, data):
    x = drawn(data, max_side=4, min_side=1)
    shares = st.floats(0, 1) | st.sampled_from([0.0, 1.0, 0.5, 0.25, 1 / 3])
    q = data.draw(shares | st.lists(shares, min_size=1, max_size=3) | st.just([[0.1, 0.5], [0.9, 1.0]]))
    given = {"axis": data.draw(axes_near(x.ndim)), "keepdims": data.draw(st.booleans()), "method": method}
    if name == "nanquantile":  # NumPy's loses the dtype of a slice of nan, and mixes up the axes of q with others
        x = x.astype(np.float64) if x.dtype.kind == "f" else x
        q = q if np.ndim(q) < 2 else q[0]
        if given["axis"] == () or x.ndim == 0:
            return
    expected = outcome(getattr(np, name), x, q, **given)
    for z in (x, tg.Tensor(x)):
        assert agree(outcome(getattr(tg, name), z, q, **given), expected)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("n", [1, 2, 5, 8])
def test_quantiles_on_and_between_the_ranks_are_numpys(method, n):
    x, q = np.random.default_rng(n).permutation(n) * 1.5, np.linspace(0, 1, 4 * n + 1)
    assert np.allclose(tg.quantile(x, q, method=method), np.quantile(x, q, method=method), rtol=1e-12)


def test_percentiles_beside_a_nan_are_nan_or_leave_it_out():
    x = np.array([4.0, nan, 1.0, 2.0])
    assert np.isnan(tg.percentile(x, [0, 50])).all()
    assert tg.nanpercentile(x, [0, 50, 100]).tolist() == [1.0, 2.0, 4.0]


def test_percentiles_are_quantiles_of_hundredths():
    x = np.random.default_rng(0).normal(size=(3, 5))
    for q in (30, 30.0, [10, 90], np.array(55.5)):
        assert np.array_equal(tg.percentile(x, q, axis=1), np.percentile(x, q, axis=1))
        assert np.array_equal(tg.nanpercentile(x, q, axis=0), np.nanpercentile(x, q, axis=0))
    assert tg.quantile(x, 1, axis=1).tolist() == x.max(axis=1).tolist()
    assert tg.quantile(x.astype(np.float32), 0.3).dtype == np.float32


@pytest.mark.parametrize(
    ("f", "x", "expected"),
    [
        (tg.median, [3.0, 1.0, 2.0], [0.0, 0.0, 1.0]),
        (tg.median, [4.0, 3.0, 1.0, 2.0], [0.0, 0.5, 0.0, 0.5]),
        (tg.median, [2.0, 2.0, 1.0], [0.5, 0.5, 0.0]),
        (tg.median, [2.0, 1.0, 2.0, 2.0], [1 / 3, 0.0, 1 / 3, 1 / 3]),
        (tg.median, [nan, 1.0, nan], [0.5, 0.0, 0.5]),
        (tg.median, [1.0, nan, 3.0, 2.0], [0.0, 1.0, 0.0, 0.0]),
        (tg.nanmedian, [nan, 1.0, 3.0], [0.0, 0.5, 0.5]),
        (tg.nanmedian, [nan, 1.0, 3.0, 3.0], [0.0, 0.0, 0.5, 0.5]),
        (tg.nanmedian, [nan, nan], [0.0, 0.0]),
        (lambda x: tg.quantile(x, 0.25), [1.0, 2.0, 4.0], [0.5, 0.5, 0.0]),
        (lambda x: tg.quantile(x, 0.25), [1.0, 1.0, 4.0], [0.5, 0.5, 0.0]),
        (lambda x: tg.quantile(x, [0.0, 1.0]), [1.0, 4.0, 4.0], [1.0, 0.5, 0.5]),
        (lambda x: tg.quantile(x, 0.9, method="lower"), [1.0, 2.0, 4.0], [0.0, 1.0, 0.0]),
        (lambda x: tg.quantile(x, []), [1.0, 2.0], [0.0, 0.0]),
        (lambda x: tg.nanquantile(x, 1.0), [1.0, nan, 4.0], [0.0, 0.0, 1.0]),
    ],
)
def test_gradients_of_ranks_are_split_evenly_over_equal_elements(f, x, expected):
    assert np.allclose(gradient(f, np.array(x), 1.0), expected)


@FEW
@given(data=st.data())
@pytest.mark.parametrize("method", METHODS)
def test_gradients_of_quantiles_measure_right(method, data):
    rng = np.random.default_rng(data.draw(st.integers(0, 999)))
    x, t = rng.permutation(24).reshape(2, 3, 4) + 0.1, rng.normal(size=(2, 3, 4))
    axis = data.draw(st.sampled_from([None, 0, 1, -1, (0, 2), (2, 1)]))
    q = data.draw(st.sampled_from([0.3, [0.15, 0.7], [[0.05], [0.85]]]))
    u = rng.normal(size=np.quantile(x, q, axis=axis).shape)
    derived = np.sum(gradient(lambda z: tg.quantile(z, q, axis=axis, method=method), x, u) * t)
    ends = (np.quantile(x + h * t, q, axis=axis, method=method) for h in (1e-4, -1e-4))
    assert np.isclose(derived, np.sum(u * np.subtract(*ends)) / 2e-4, atol=1e-6)


@pytest.mark.filterwarnings("ignore:Mean of empty slice", "ignore:invalid value")
def test_quantiles_of_no_elements_that_are_not_nan_are_nan():
    for shape, axis in (((0, 3), 0), ((0, 3), 1), ((0,), None)):
        for q in (0.5, [0.2, 0.4]):
            expected = np.nanquantile(np.zeros(shape), q, axis=axis)
            assert np.array_equal(
                tg.nanquantile(tg.Tensor(np.zeros(shape)), q, axis=axis).data, expected, equal_nan=True
            )


def test_what_no_quantile_can_be_taken_of_is_an_error():
    with pytest.raises(DataError, match=r"q=1\.5 is not in \[0, 1\]"):
        tg.quantile([1.0], 1.5)
    with pytest.raises(DataError, match=r"\[0, 100\]"):
        tg.percentile([1.0], [50, -1])
    with pytest.raises(DataError):
        tg.quantile([1.0], nan)
    with pytest.raises(IndexError, match="no element"):
        tg.quantile([], 0.5)
    with pytest.raises(UnsupportedError, match="choose one of linear"):
        tg.quantile([1.0], 0.5, method="fancy")
    with pytest.raises(GradientError):
        tg.quantile([1.0, 2.0], tg.Tensor(0.5))
    with pytest.raises(AxisError):
        tg.median(np.ones((2, 2)), axis=(0, 0))


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_the_median_of_nothing_is_nan():
    assert np.isnan(tg.median(tg.Tensor([])).item())
    assert np.isnan(tg.median(np.ones((0, 2)), axis=0)).tolist() == [True, True]
