"""``pad`` is NumPy's in every mode, its errors included, and gradients reach the array and the constants."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from strategies import shapes

import tinygrad_mlp as tg
from tinygrad_mlp.errors import ShapeError, TinygradError

MODES = (
    "constant", "edge", "linear_ramp", "maximum", "mean", "median", "minimum", "reflect", "symmetric", "wrap",
)  # fmt: skip
WIDTHS = st.integers(0, 7)
SIDES = st.tuples(WIDTHS, WIDTHS)


def options(draw, mode, ndim):
    """Draw arguments that suit, or nearly suit, a mode and a number of axes."""
    pairs = st.lists(st.tuples(st.floats(-2, 2), st.floats(-2, 2)), min_size=ndim, max_size=ndim)
    values = st.floats(-2, 2) | st.tuples(st.floats(-2, 2), st.floats(-2, 2)) | pairs
    lengths = st.integers(1, 4)
    if not ndim:
        return {}
    statistics = {"stat_length": lengths | st.tuples(lengths, lengths)}
    return draw(st.fixed_dictionaries({}, optional={
        "constant": {"constant_values": values},
        "linear_ramp": {"end_values": values},
        "reflect": {"reflect_type": st.sampled_from(["even", "odd"])},
        "symmetric": {"reflect_type": st.sampled_from(["even", "odd"])},
    }.get(mode, {} if mode in ("edge", "wrap") else statistics)))  # fmt: skip


def numpy_takes_a_width_for_each_axis_by_its_number():
    try:
        return np.pad([1.0], {0: 1}).shape == (3,)
    except TypeError:
        return False  # NumPy 2.1


MAPPINGS = numpy_takes_a_width_for_each_axis_by_its_number()


def widths(draw, ndim):
    kinds = [WIDTHS, SIDES, st.integers(-1, 0), st.lists(SIDES, min_size=ndim, max_size=ndim)]
    if ndim and MAPPINGS:
        kinds.append(st.dictionaries(st.integers(-ndim, ndim - 1), WIDTHS | SIDES, max_size=1))
    return draw(st.one_of(kinds))


@pytest.mark.parametrize("mode", MODES)
@given(data=st.data())
def test_values_and_errors_are_numpys_in_every_mode(mode, data):
    kind = data.draw(st.sampled_from([np.float64, np.float64, np.float32, np.int64]))
    elements = st.integers(-9, 9) if kind is np.int64 else st.floats(-9, 9, width=32)
    x = data.draw(hnp.arrays(kind, shapes(max_side=4), elements=elements))
    pad_width, given_options = widths(data.draw, x.ndim), options(data.draw, mode, x.ndim)
    try:
        expected = np.pad(x, pad_width, mode, **given_options)
    except (ValueError, TypeError, IndexError):
        with pytest.raises(TinygradError):
            tg.pad(tg.Tensor(x), pad_width, mode, **given_options)
        return
    for operand in (x, tg.Tensor(x)):
        y = tg.pad(operand, pad_width, mode, **given_options)
        assert isinstance(y, tg.Tensor) == isinstance(operand, tg.Tensor)
        value = y.data if isinstance(y, tg.Tensor) else y
        assert value.dtype == expected.dtype
        assert value.shape == expected.shape
        near = 1e-6 if kind is np.float32 else 1e-14
        assert np.allclose(value, expected, rtol=near, atol=10 * near)


@pytest.mark.filterwarnings("ignore:Mean of empty slice", "ignore:invalid value")
def test_no_elements_have_a_mean_and_median_of_nan_and_no_extreme():
    for mode in ("mean", "median"):
        y = tg.pad(tg.Tensor([1.0, 2.0]), (1, 2), mode, stat_length=0)
        assert np.array_equal(y.data, np.pad([1.0, 2.0], (1, 2), mode, stat_length=0), equal_nan=True)
    for mode in ("maximum", "minimum"):
        with pytest.raises(ShapeError, match="must be positive"):
            tg.pad([1.0, 2.0], 0, mode, stat_length=0)


@pytest.mark.parametrize("mode", MODES)
@given(data=st.data())
def test_gradients_are_the_slopes_of_the_values(mode, data):
    shape = data.draw(shapes(min_dims=1, max_dims=2, min_side=1, max_side=4))
    x = np.random.default_rng(data.draw(st.integers(0, 99))).uniform(-1, 1, shape)
    pad_width, given_options = data.draw(SIDES), options(data.draw, mode, len(shape))
    t = tg.Tensor(x)
    y = tg.pad(t, pad_width, mode, **given_options)
    u, v = (np.random.default_rng(i).uniform(-1, 1, s) for i, s in enumerate((y.shape, shape)))
    y.backward(u)
    near, far = (np.pad(x + h * v, pad_width, mode, **given_options) for h in (-1e-6, 1e-6))
    assert np.isclose(np.sum(t.grad * v), np.sum(u * (far - near)) / 2e-6, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(("mode", "name"), [("constant", "constant_values"), ("linear_ramp", "end_values")])
@pytest.mark.parametrize("shape", [(), (2,), (1, 2), (2, 2), (2, 1)])
def test_what_is_put_around_may_be_a_tensor_and_gets_its_gradient(mode, name, shape):
    x, c = np.arange(6.0).reshape(2, 3), np.random.default_rng(0).normal(size=shape)
    t = tg.Tensor(c)
    y = tg.pad(x, (2, 1), mode, **{name: t})
    expected = np.pad(x, (2, 1), mode, **{name: c})
    assert np.allclose(y.data, expected)
    u, v = np.random.default_rng(1).normal(size=y.shape), np.random.default_rng(2).normal(size=shape)
    y.backward(u)
    moved = np.pad(x, (2, 1), mode, **{name: c + v}) - expected
    assert np.isclose(np.sum(t.grad * v), np.sum(u * moved))


@pytest.mark.parametrize("mode", MODES)
def test_infinities_do_not_spoil_their_neighbours(mode):
    x = np.array([1.0, np.inf, 2.0, 3.0, -np.inf, 4.0])
    with np.errstate(invalid="ignore"):
        expected = np.pad(x, 2, mode, **({"stat_length": 1} if mode in ("mean", "median") else {}))
        y = tg.pad(x, 2, mode, **({"stat_length": 1} if mode in ("mean", "median") else {}))
    assert np.array_equal(y, expected)


def test_the_median_beside_a_nan_is_nan():
    assert np.isnan(tg.pad(np.array([1.0, np.nan, 2.0]), 1, "median")[0])


@pytest.mark.parametrize(
    ("args", "options", "words"),
    [
        ((1, "best"), {}, "mode='best': choose one of constant"),
        ((1, "edge"), {"constant_values": 3.0}, "mode 'edge' takes no constant_values"),
        ((-1,), {}, "width -1 is negative"),
        ((0.5,), {}, "widths are integers"),
        (([1, 2, 3],), {}, "pad_width"),
        ((1, "reflect"), {"reflect_type": "best"}, "reflect_type='best'"),
        ((1, "maximum"), {"stat_length": 0}, "stat_length 0"),
        (({5: 1},), {}, "axis 5 does not exist"),
    ],
)
def test_what_cannot_be_padded_is_said(args, options, words):
    with pytest.raises(TinygradError, match=words):
        tg.pad(np.arange(4.0), *args, **options)
    with pytest.raises(TinygradError, match=words):
        tg.pad(tg.Tensor(np.arange(4.0)), *args, **options)


def test_an_empty_axis_has_nothing_to_be_extended_by():
    with pytest.raises(TinygradError, match="axis 0 is empty"):
        tg.pad(np.zeros((0, 2)), 1, "mean")
    assert tg.pad(np.zeros((0, 2)), 1).shape == (2, 4)
    assert tg.pad(np.zeros((0, 2)), ((0, 0), (1, 1)), "edge").shape == (0, 4)
