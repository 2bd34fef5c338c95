"""Norms have NumPy's values and refusals, and slopes that are finite where elements are zero."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from outcomes import numpys_axis
from strategies import axes_near, axis_near, shapes

import tinygrad_mlp as tg
from tinygrad_mlp.errors import AxisError, DTypeError, ShapeError, TinygradError

inf = np.inf
NO_TORCH = "PyTorch, an optional oracle, is not installed"
pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")  # NumPy's, of zeros to negative powers
VECTOR_ORDERS = [None, 1, 2, inf, -inf, 0, 3, 1.5, 0.5, -1, -2.5, np.int64(3), np.float64(2.5)]
MATRIX_ORDERS = [None, "fro", "f", "nuc", 1, -1, 2, -2, inf, -inf, 2.0]
ELEMENTS = st.sampled_from([0.0, -0.0, 1.0, -1.0, 0.5, 2.0, -2.0, 3.0])
old = tuple(int(part) for part in np.__version__.split(".")[:2]) < (2, 4)


@st.composite
def calls(draw):
    """An array and arguments that mostly suit it: an axis and an order of vectors, or two axes and one of matrices."""
    kind = draw(st.sampled_from([np.float64, np.float32, np.int64]))
    x = draw(hnp.arrays(kind, shapes(), elements=st.integers(-4, 4)))
    if kind is not np.int64:
        x = x * kind(0.5)
    two = st.permutations(range(-x.ndim, 0)).map(lambda axes: tuple(axes[:2]))
    vectors, matrices = (axis_near(x.ndim), VECTOR_ORDERS), (two, MATRIX_ORDERS)
    anything = (st.none() | axes_near(x.ndim), [*VECTOR_ORDERS, *MATRIX_ORDERS, "max", 4])
    axes, orders = draw(st.sampled_from([vectors, matrices, anything]))
    return x, {"ord": draw(st.sampled_from(orders)), "axis": draw(axes), "keepdims": draw(st.booleans())}


def check(ours, theirs, x, kwargs):
    try:
        expected = theirs(x, **kwargs)
    except (ValueError, TypeError, IndexError):
        if not (old and x.size == 0):  # before 2.4 NumPy refused the largest of nothing
            with pytest.raises(TinygradError):
                ours(x, **kwargs)
        return
    for f, operand in ((ours, x), (ours, tg.Tensor(x)), (theirs, tg.Tensor(x))):
        y = f(operand, **kwargs)
        assert isinstance(y, tg.Tensor) == isinstance(operand, tg.Tensor)
        y = y.data if isinstance(y, tg.Tensor) else y
        assert (np.shape(y), y.dtype) == (np.shape(expected), expected.dtype)
        near = 1e-6 if y.dtype == np.float32 else 1e-13
        assert np.allclose(y, expected, rtol=10 * near, atol=near)


@given(call=calls())
@example(call=(np.zeros(0), {"ord": inf}))
@example(call=(np.array(3.0), {}))
@example(call=(np.array(3.0), {"ord": 2}))
@example(call=(np.ones((2, 2, 2)), {"ord": "fro"}))
@example(call=(np.ones((2, 3, 2)), {"keepdims": True}))
@example(call=(np.array([1e200, 1e200]), {"ord": 1}))
@example(call=(np.array([np.nan, 1.0, 0.0]), {"ord": 0}))
@example(call=(np.array([inf, -inf, 0.0]), {"ord": 3}))
@example(call=(np.array([inf, -inf]), {"ord": -1}))
def test_norms_are_numpys(call):
    check(tg.norm, np.linalg.norm, *call)


@pytest.mark.parametrize("keepdims", [False, True])
def test_every_order_along_every_axis_of_a_cube_is_numpys(keepdims):
    cube = np.arange(24.0).reshape(2, 3, 4) * 7 % 11 - 3
    for axis in range(-3, 3):
        for order in VECTOR_ORDERS:
            check(tg.norm, np.linalg.norm, cube, {"ord": order, "axis": axis, "keepdims": keepdims})
    for axes in [(0, 1), (1, 0), (-1, 0), (1, 2), (2, 1)]:
        for order in MATRIX_ORDERS:
            check(tg.norm, np.linalg.norm, cube, {"ord": order, "axis": axes, "keepdims": keepdims})


@given(data=st.data(), call=calls())
def test_vector_norms_are_numpys(data, call):
    x, kwargs = call
    kwargs |= {"ord": data.draw(st.sampled_from(VECTOR_ORDERS[1:])), "axis": data.draw(axes_near(x.ndim))}
    check(
        tg.linalg.vector_norm,
        lambda x, axis, **kwargs: np.linalg.vector_norm(x, axis=numpys_axis(x, axis), **kwargs),
        x,
        kwargs,
    )


@given(call=calls(), order=st.sampled_from(MATRIX_ORDERS))
def test_matrix_norms_are_numpys(call, order):
    x, kwargs = call
    check(tg.linalg.matrix_norm, np.linalg.matrix_norm, x, {"ord": order, "keepdims": kwargs["keepdims"]})


SPREAD = np.array([[0.9, -1.7, 2.3], [-0.4, 3.1, 1.2]])
PLANES = np.stack([SPREAD, SPREAD[::-1] - 0.15])
POINTS = [
    *[(np.array([0.9, -1.7, 0.4]), {"ord": p}) for p in VECTOR_ORDERS],
    *[(PLANES, {"ord": p, "axis": 1}) for p in VECTOR_ORDERS],
    *[(SPREAD, {"ord": p}) for p in MATRIX_ORDERS],
    *[(PLANES, {"ord": p, "axis": axes, "keepdims": True}) for p in MATRIX_ORDERS for axes in ((0, 2), (-1, 1))],
    (PLANES, {}),
    *[(np.array([0.0, 2.0, -1.0]), {"ord": p}) for p in (3, 4.5)],
]


@pytest.mark.parametrize(("x", "kwargs"), POINTS)
def test_slopes_to_second_order_are_those_that_differences_measure(x, kwargs):
    rng = np.random.default_rng(0)
    u = rng.uniform(0.5, 1, np.shape(tg.norm(x, **kwargs)))
    v, h = rng.uniform(-1, 1, x.shape), 1e-5

    def f(z):
        return (tg.norm(z, **kwargs) * u).sum()

    gradient = tg.grad(f)
    measured = (f(x + h * v) - f(x - h * v)) / (2 * h)
    assert np.isclose(np.sum(gradient(x) * v), measured, rtol=1e-7, atol=1e-7)
    assert np.isclose(tg.jvp(f, (x,), (v,))[1], measured, rtol=1e-7, atol=1e-7)
    curved = (gradient(x + h * v) - gradient(x - h * v)) / (2 * h)
    assert np.allclose(tg.hvp(f, x, v), curved, rtol=1e-6, atol=1e-6)
    assert np.allclose(tg.jvp(gradient, (x,), (v,))[1], curved, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("p", VECTOR_ORDERS)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_zeros_have_the_slope_zero(p, dtype):
    for x in (np.zeros(3, dtype), np.array([0.0, 2.0, 0.0], dtype), np.zeros(1, dtype)):
        t = tg.Tensor(x)
        y = tg.norm(t, p)
        assert y.dtype == dtype
        y.backward()
        assert t.grad.dtype == dtype
        assert np.array_equal(t.grad[[0, -1]], [0, 0])
        assert np.isfinite(t.grad).all()


@pytest.mark.parametrize("p", MATRIX_ORDERS)
def test_the_zero_matrix_has_the_slope_zero(p):
    assert np.array_equal(tg.grad(lambda t: tg.norm(t, p))(np.zeros((2, 3))), np.zeros((2, 3)))


def test_equal_elements_share_the_slope_of_the_extremes():
    x = np.array([2.0, -2.0, 1.0, -1.0])
    assert np.array_equal(tg.grad(lambda t: tg.norm(t, inf))(x), [0.5, -0.5, 0.0, 0.0])
    assert np.array_equal(tg.grad(lambda t: tg.norm(t, -inf))(x), [0.0, 0.0, 0.5, -0.5])
    assert np.allclose(tg.grad(lambda t: tg.norm(t, 2))(np.eye(2)), np.eye(2) / 2)
    assert np.array_equal(tg.grad(lambda t: tg.norm(t, 1))(np.eye(2)), np.eye(2) / 2)


@given(
    x=hnp.arrays(np.float64, st.integers(1, 4), elements=ELEMENTS),
    p=st.sampled_from([0.5, 1, 1.5, 2, 3, inf, -inf, -1]),
)
def test_gradients_with_zeros_and_ties_are_pytorchs(x, p):
    torch = pytest.importorskip("torch", reason=NO_TORCH)
    t = torch.tensor(x, requires_grad=True)
    torch.linalg.vector_norm(t, p).backward()
    assert np.allclose(tg.grad(lambda z: tg.norm(z, p))(x), t.grad.numpy())


def test_the_norm_of_a_value_and_of_nothing():
    v = tg.Value(-3.0)
    tg.norm(v).backward()
    assert v.grad == -1.0
    for p in (None, 1, 2, 3, inf):
        x = tg.Tensor(np.zeros(0))
        y = tg.norm(x, p)
        y.backward()
        assert (y.data, x.grad.shape) == (0.0, (0,))


@pytest.mark.parametrize(
    ("f", "kind", "words"),
    [
        (lambda: tg.norm(np.ones(3), "fro"), ShapeError, "norm: ord='fro' of vectors"),
        (lambda: tg.norm(np.ones(3), "nuc"), ShapeError, "norm: ord='nuc' of vectors"),
        (lambda: tg.norm(np.ones((2, 2)), 3), ShapeError, "norm: ord=3 of matrices: choose one of 'fro'"),
        (lambda: tg.norm(np.ones((2, 2)), 0), ShapeError, "norm: ord=0 of matrices"),
        (lambda: tg.norm(np.ones((2, 2, 2)), 2), ShapeError, r"norm: 3 axes of shape \(2, 2, 2\)"),
        (lambda: tg.norm(np.ones((2, 2)), axis=()), ShapeError, "norm: 0 axes"),
        (lambda: tg.norm(np.ones((2, 2)), axis=(0, -2)), AxisError, "norm: axis .* names an axis twice"),
        (lambda: tg.norm(np.ones((2, 2)), axis=2), AxisError, "axis 2 does not exist"),
        (lambda: tg.norm(np.ones((2, 2)), axis="x"), DTypeError, "an axis is an integer, not 'x'"),
        (lambda: tg.norm(np.zeros(0), -inf), ShapeError, "min of"),
        (
            lambda: tg.linalg.vector_norm(np.ones((2, 2)), axis=(0, 0)),
            AxisError,
            "vector_norm: axis .* names an axis twice",
        ),
        (lambda: tg.linalg.vector_norm(np.ones(2), ord="fro"), ShapeError, "of vectors"),
        (lambda: tg.linalg.matrix_norm(np.ones(2)), ShapeError, "matrix_norm: shape"),
        (lambda: tg.norm(None), DTypeError, "None is no array"),
    ],
)
def test_what_is_no_norm_is_refused(f, kind, words):
    with pytest.raises(kind, match=words):
        f()
