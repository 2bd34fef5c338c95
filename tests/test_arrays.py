"""The shorter ways of the NumPy namespace give what NumPy itself gives, on large, strided and special arrays too."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from strategies import SPECIAL, indices, shapes, wide

from tinygrad_mlp.arrays import NUMPY, Namespace, as_payload, freeze, is_floating, thaw
from tinygrad_mlp.errors import DTypeError

DTYPES = [np.float16, np.float32, np.float64, np.longdouble, np.int64]


@pytest.mark.parametrize(("shape", "other"), [((70, 1), (70, 71)), ((70, 71), (71,)), ((1,), (5000,)), ((), (5000,))])
def test_where_broadcasts_its_condition(rng, shape, other):
    condition, x = np.asarray(rng.random(shape) < 0.5), rng.normal(size=other)
    assert np.array_equal(NUMPY.where(condition, x, 0.0), np.where(condition, x, 0.0))


def layouts(x):
    """The same numbers, laid out in memory in other ways."""
    wide = np.repeat(x, 2, axis=-1)[..., ::2]
    return [x, np.asfortranarray(x), wide, x[::-1][::-1], x.astype(x.dtype.newbyteorder())]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(3,), (5000,), (70, 71), (2, 3, 1000)])
def test_where_selects_also_among_many_special_numbers(rng, dtype, shape):
    condition = rng.random(shape) < 0.5
    x = rng.choice([v for v in SPECIAL if np.isfinite(v) or dtype is not np.int64], shape).astype(dtype)
    for other in (0.0, 1.0, np.nan, 0):
        expected = np.where(condition, x, other)
        for a in layouts(x):
            for c in layouts(condition):
                y = NUMPY.where(c, a, other)
                assert y.dtype == expected.dtype
                assert np.array_equal(y, expected, equal_nan=dtype is not np.int64 or other != other)
                assert not np.shares_memory(y, a)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("columns", [1, 2, 3, 8, 9])
def test_row_reductions_agree_with_numpy(rng, dtype, columns):
    for values in (rng.normal(size=(7, columns)) * 8, rng.choice(SPECIAL[:-3], (7, columns))):
        for x in layouts(values.astype(dtype)):
            for keepdims in (False, True):
                for ours, full in ((NUMPY.max, np.max), (NUMPY.min, np.min), (NUMPY.sum, np.sum)):
                    y, expected = ours(x, axis=-1, keepdims=keepdims), full(x, axis=-1, keepdims=keepdims)
                    assert y.dtype == expected.dtype
                    assert y.shape == expected.shape
                    assert np.allclose(y, expected, rtol=1e-3 if dtype is np.float16 else 1e-6)
                    assert not np.shares_memory(y, x)


def test_row_maxima_hand_nan_on():
    x = np.array([[1.0, np.nan], [np.nan, 1.0], [np.inf, -np.inf]])
    assert np.array_equal(NUMPY.max(x, axis=-1), [np.nan, np.nan, np.inf], equal_nan=True)


@given(data=st.data())
def test_sum_to_undoes_broadcasting(data):
    small, other = wide(data.draw, 2)
    shape = np.broadcast_shapes(small, other)
    x = np.random.default_rng(0).normal(size=shape)
    y = NUMPY.sum_to(x, small)
    v = np.random.default_rng(1).normal(size=small)
    assert y.shape == small
    assert np.isclose(np.sum(y * v), np.sum(x * np.broadcast_to(v, shape)))


@pytest.mark.parametrize("rows", [0, 1, 1000, 2**16 + 1])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.longdouble])
def test_column_sums_of_a_tall_matrix(rng, rows, dtype):
    x = rng.normal(size=(rows, 3)).astype(dtype)
    y = NUMPY.sum_to(x, (3,))
    assert y.dtype == dtype
    assert np.allclose(y, x.sum(axis=0, dtype=np.float64), rtol=1e-5, atol=1e-3)


@given(data=st.data())
def test_scatter_counts_repeats_as_add_at(data):
    shape = data.draw(shapes())
    index = indices(data.draw, shape)
    expected = np.zeros(shape)
    values = np.random.default_rng(1).normal(size=np.shape(expected[index]))
    np.add.at(expected, index, values)
    assert np.allclose(NUMPY.scatter(values, shape, index), expected)


@given(data=st.data())
def test_scatter_of_a_library_that_cannot_write_agrees(data):
    shape = data.draw(shapes(max_dims=2, min_side=1))
    index = indices(data.draw, shape)
    values = np.random.default_rng(1).normal(size=np.shape(np.zeros(shape)[index]))
    assert np.allclose(Namespace(np).scatter(values, shape, index), NUMPY.scatter(values, shape, index))


@given(
    weights=hnp.arrays(np.float64, (3, 4), elements=st.sampled_from([0.0, 1.0, 0.5])),
    x=hnp.arrays(np.float64, (3, 4), elements=st.sampled_from([0.0, -1.0, 2.0, -np.inf, 1000.0])),
)
def test_a_weight_of_zero_takes_away_an_infinity(weights, x):
    expected = sum(w * v for w, v in zip(weights.flat, x.flat, strict=True) if w)
    assert np.isclose(NUMPY.sum_product(weights, x), expected)


@pytest.mark.parametrize(
    "data", [1j, np.array([1j]), "1", b"1", np.array(["1"]), np.array([object()]), [[1.0], [1.0, 2.0]]]
)
def test_what_is_no_real_array_is_refused(data):
    with pytest.raises(DTypeError):
        as_payload(data)


@pytest.mark.parametrize("data", [np.datetime64("2020"), np.timedelta64(1, "s"), {1.0}, object(), print, {"a": 1.0}])
def test_what_is_no_number_is_refused(data):
    with pytest.raises(DTypeError):
        as_payload(data)


def test_floating_means_real_floating():
    assert is_floating(1.0)
    assert is_floating(np.float16(1))
    assert not is_floating(1)
    assert not is_floating(np.arange(3))
    assert not is_floating(None)


def test_a_small_array_is_frozen_by_a_copy():
    x = np.ones(3)
    kept = freeze(x)
    x[0] = 2.0
    assert np.array_equal(thaw(kept), np.ones(3))
