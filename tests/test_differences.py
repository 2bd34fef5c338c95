"""Differences, slopes, areas and interpolation: NumPy's values and errors, and gradients in all that is real."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from strategies import axes_near, axis_near, shapes

import tinygrad_mlp as tg
from tinygrad_mlp.check import gradcheck
from tinygrad_mlp.errors import TinygradError

REFUSALS = (ValueError, TypeError, IndexError)
ARRAYS = hnp.arrays(st.sampled_from([np.float64, np.float32, np.int64, bool]), shapes(), elements=st.integers(0, 1))
PARTS = st.none() | st.floats(-2, 2) | hnp.arrays(np.float64, shapes(max_dims=2), elements=st.floats(-2, 2))


def same(ours, theirs):
    """Whether two results, or tuples of them, agree in values, shapes and dtypes."""
    ours, theirs = ((y if isinstance(y, list | tuple) else [y]) for y in (ours, theirs))
    values = [y.data if isinstance(y, tg.Tensor) else np.asarray(y) for y in ours]
    return len(values) == len(theirs) and all(
        a.shape == b.shape and a.dtype == b.dtype and np.allclose(a, b, equal_nan=True, rtol=1e-12, atol=1e-13)
        for a, b in zip(values, theirs, strict=True)
    )


def compare(name, *args, **kwargs):
    """Hold ``tg.name`` to ``np.name`` on an array, or on a tensor if it is floating."""
    x, *rest = args
    try:
        expected = getattr(np, name)(x, *rest, **kwargs)
    except REFUSALS:
        with pytest.raises(TinygradError):
            getattr(tg, name)(x, *rest, **kwargs)
        return
    assert same(getattr(tg, name)(x, *rest, **kwargs), expected)
    for module in (tg, np):
        y = getattr(module, name)(tg.Tensor(x), *rest, **kwargs)
        assert same(y, expected)
        assert all(isinstance(part, tg.Tensor) for part in (y if isinstance(y, list | tuple) else [y]))


@given(x=ARRAYS, data=st.data(), n=st.sampled_from([1, 1, 2, 3, 0, 4, -1]))
def test_diff_is_numpys(x, data, n):
    axis = data.draw(axis_near(x.ndim))
    kwargs = {}
    for key in data.draw(st.sampled_from([(), (), ("prepend",), ("append",), ("prepend", "append")])):
        part = np.take(x, [0] * data.draw(st.integers(0, 2)), axis) if x.size and -x.ndim <= axis < x.ndim else 0.5
        kwargs[key] = data.draw(st.sampled_from([1.5, part, part, np.ones(2)]))
    compare("diff", x, n, axis, **kwargs)


@given(x=ARRAYS, ends=st.tuples(PARTS, PARTS))
def test_ediff1d_is_numpys(x, ends):
    compare("ediff1d", x, to_end=ends[0], to_begin=ends[1])


@given(data=st.data())
def test_gradient_is_numpys(data):
    f = data.draw(
        hnp.arrays(
            st.sampled_from([np.float64, np.float32, np.int64]),
            shapes(min_dims=1, max_side=5),
            elements=st.integers(-9, 9),
        )
    )
    steps = []
    for n in data.draw(st.sampled_from([(), f.shape, f.shape[:1], (2, 2)])):
        line = np.cumsum(data.draw(hnp.arrays(np.float64, n, elements=st.sampled_from([0.5, 1.0, 3.0]))))
        steps.append(data.draw(st.sampled_from([2.0, line])))
    axis = data.draw(st.none() | axes_near(f.ndim)) if len(steps) < 2 else None
    kwargs = {} if axis is None else {"axis": axis}
    compare("gradient", f, *steps, edge_order=data.draw(st.integers(1, 2)), **kwargs)


@given(data=st.data())
def test_gradient_is_numpys_on_an_uneven_axis_up_to_its_edges(data):
    f = data.draw(hnp.arrays(np.float64, shapes(min_dims=1, min_side=3, max_side=5), elements=st.integers(-9, 9)))
    axis = data.draw(st.integers(-f.ndim, f.ndim - 1))
    steps = st.lists(st.sampled_from([0.5, 1.0, 3.0]), min_size=f.shape[axis], max_size=f.shape[axis])
    compare("gradient", f, np.cumsum(data.draw(steps)), axis=axis, edge_order=data.draw(st.integers(1, 2)))


@given(data=st.data())
def test_trapezoid_is_numpys(data):
    y = data.draw(hnp.arrays(st.sampled_from([np.float64, np.int64]), shapes(), elements=st.integers(-9, 9)))
    axis = data.draw(axis_near(y.ndim))
    n = y.shape[axis] if -y.ndim <= axis < y.ndim else 2
    x = data.draw(st.sampled_from([None, np.linspace(0, 1, n) ** 2, np.arange(3.0), y + 1.0]))
    compare("trapezoid", y, x, data.draw(st.sampled_from([1.0, 0.5])), axis)


@given(data=st.data())
def test_interp_is_numpys(data):
    n = data.draw(st.integers(0, 4))
    points = np.cumsum(data.draw(hnp.arrays(np.float64, n, elements=st.sampled_from([0.5, 1.0, 2.0]))))
    heights = data.draw(
        hnp.arrays(
            np.float64,
            data.draw(st.sampled_from([n, n, n, 3])),
            elements=st.floats(-3, 3) | st.sampled_from([np.inf, -np.inf, np.nan]),
        )
    )
    if n and data.draw(st.booleans()):
        points[data.draw(st.sampled_from([0, -1]))] *= np.inf
        points.sort()
    x = data.draw(
        hnp.arrays(
            np.float64, shapes(max_dims=2), elements=st.sampled_from([-1.0, 0.5, 1.0, 1.7, 3.5, 9.0, np.nan, *points])
        )
    )
    sides = data.draw(st.sampled_from([{}, {"left": -5.0}, {"right": 7.0}]))
    with np.errstate(invalid="raise"):  # NumPy gives inf or nan without a word, and so do we
        compare("interp", x, points, heights, **sides)


@given(
    points=hnp.arrays(np.float64, st.integers(1, 5), elements=st.floats(-9, 9), unique=True),
    period=st.sampled_from([20.0, 19.5, -20.0, 0.0]),
    x=hnp.arrays(np.float64, shapes(max_dims=2), elements=st.floats(-50, 50)),
)
def test_interp_of_points_that_repeat_is_numpys(points, period, x):
    compare("interp", x, points, np.cos(points), period=period, left=9.0)


@pytest.mark.parametrize("kind", [np.uint8, np.uint64, np.int64])
def test_slopes_over_integer_coordinates_may_go_down(kind):
    compare("gradient", np.array([0.0, 2.0, 4.0]), np.array([3, 2, 0], kind))


@pytest.mark.parametrize("axis", range(-3, 3))
def test_every_axis_of_a_cube_has_its_differences_and_areas(axis):
    cube = np.arange(24.0).reshape(2, 3, 4) ** 2 % 11
    n = cube.shape[axis]
    for kwargs in ({}, {"prepend": 1.5}, {"append": cube}, {"prepend": 0.5, "append": 2.5}):
        compare("diff", cube, 1, axis, **kwargs)
    for x in (None, np.arange(n) ** 2.0, cube + 1):
        compare("trapezoid", cube, x, 0.5, axis)


def test_interp_at_its_points_gives_their_heights():
    for n in (1, 2, 5):
        points, heights = np.arange(n) ** 2.0, np.arange(n) % 3 + 0.5
        compare("interp", points, points, heights)
        compare("interp", points[-1:] + 0.0, points, heights, left=7.0, right=8.0)


@pytest.mark.parametrize("f", [
    lambda x: tg.diff(x, 2), lambda x: tg.diff(x, prepend=x[:1] * 2, append=3.0),
    lambda x: tg.ediff1d(x, to_end=x[:2], to_begin=[1.0, 2.0]), lambda x: tg.gradient(x, edge_order=2),
    lambda x: tg.gradient(x, x[1]), lambda x: tg.gradient(np.sin(np.arange(5.0)), x, edge_order=2),
    lambda x: tg.gradient(np.arange(5.0) ** 2, x), lambda x: tg.trapezoid(x * x, x), lambda x: tg.trapezoid(x, dx=x[1]),
    lambda x: tg.interp([0.5, 1.0, 2.7, 9.0, -3.0], np.arange(5.0), x),
    lambda x: tg.interp(x, [0.0, 1.0, 6.0], [1.0, 3.0, 2.0]),
    lambda x: tg.interp([0.5, 2.7, 9.0, -3.0], x, [1.0, 3.0, 2.0, 7.0, 1.0]),
    lambda x: tg.interp(x * 3, [2.0, 0.0, 1.0], [1.0, 3.0, 2.0], period=2.5),
    lambda x: tg.interp([0.5, 2.7, 9.0, -3.0], x * 3, np.sin(x), period=2.5),
    lambda x: tg.interp([-9.0, 99.0], x, [1.0, 3.0, 2.0, 7.0, 1.0], left=x[0], right=x[1]),
])  # fmt: skip
def test_gradients_agree_with_central_differences(f):
    x = np.array([0.1, 0.7, 1.6, 2.2, 4.1])
    seed = np.random.default_rng(0).normal(size=np.shape(f(x)))
    assert gradcheck(lambda t: tg.sum(f(t) * seed), x)


@pytest.mark.parametrize(
    ("f", "words"),
    [
        (lambda: tg.diff([1.0], n=-1), "n is -1"),
        (lambda: tg.gradient([1.0, 2.0], edge_order=3), "edge_order is 3"),
        (lambda: tg.gradient([1.0]), "axis 0 has length 1; it must be 2"),
        (lambda: tg.gradient(np.ones((2, 2)), 1.0, 2.0, 3.0), "3 distances for 2 axes"),
        (lambda: tg.interp(1.0, [1.0], [1.0], period=0.0), "period is 0"),
        (lambda: tg.interp(1.0, [], []), "not empty"),
        (lambda: tg.ediff1d([True, False]), "booleans have no difference"),
    ],
)
def test_what_cannot_be_is_said(f, words):
    with pytest.raises(TinygradError, match=words):
        f()
