"""Elementwise functions and reductions agree with NumPy's on every dtype: value, shape, result dtype, error or not."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import tinygrad_mlp as tg
from tinygrad_mlp.errors import DTypeError
from tinygrad_mlp.graph import NODES

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")
DTYPES = (bool, np.int8, np.uint8, np.int64, np.float16, np.float32, np.float64, np.longdouble)
NUMBERS = (0, 1, -1, 2, 3, 0.5, -0.5, 5)
LIMITS = (np.inf, -np.inf, np.nan)
# Where the library answers for small integers with float64, or with the integers that it was given.
INTEGERS_DIFFER = {"deg2rad", "rad2deg", "reciprocal", "rint", "square", "sign", "negative", "positive"}
UFUNCS = sorted(
    name
    for name in tg.__all__
    if getattr(getattr(np, name, None), "nout", 0) == 1 and name not in ("matmul", "vecdot", "matvec", "vecmat")
)


@st.composite
def operands(draw, n):
    """Arrays of every dtype that broadcast, lists and Python numbers among them."""
    shapes = draw(hnp.mutually_broadcastable_shapes(num_shapes=n, max_dims=3, max_side=3, min_side=0)).input_shapes
    found = []
    for shape in shapes:
        dtype = np.dtype(draw(st.sampled_from(DTYPES)))
        numbers = NUMBERS + LIMITS if dtype.kind == "f" else NUMBERS
        numbers = [abs(x) for x in numbers] if dtype.kind == "u" else numbers
        values = draw(st.lists(st.sampled_from(numbers), min_size=int(np.prod(shape)), max_size=int(np.prod(shape))))
        x = np.array(values, dtype=float).reshape(shape).astype(dtype)
        kind = draw(st.sampled_from(["array", "array", "array", "list", "number"]))
        found.append(x.tolist() if kind == "list" else x.flat[0].item() if kind == "number" and x.size else x)
    return found


def close(ours, theirs, exact_dtype):
    """The same numbers, to the precision of their dtype, and the same dtype if that is asked for."""
    ours, theirs = np.asarray(ours), np.asarray(theirs)
    assert ours.shape == theirs.shape
    if exact_dtype:
        assert ours.dtype == theirs.dtype, (ours.dtype, theirs.dtype)
    if theirs.dtype.kind == "f":
        eps = max(2.0**-52, *(float(np.finfo(x.dtype).eps) if x.dtype.kind == "f" else 0.0 for x in (ours, theirs)))
        ours, theirs = ours.astype(np.longdouble), theirs.astype(np.longdouble)
        assert np.allclose(ours, theirs, rtol=4 * eps, atol=4 * eps, equal_nan=True), (ours, theirs)
    else:
        assert np.array_equal(ours, theirs), (ours, theirs)


def compare(ours, theirs, xs, exact_dtype):
    """Raw operands give raw results, a tensor among them a tensor; NumPy's error is an error here."""
    plain = all(isinstance(x, float | int) for x in xs)  # of Python numbers a Python number
    try:
        expected = theirs(*xs)
    except (TypeError, ValueError, OverflowError):
        for given_ in (xs, as_nodes(xs)) if not plain else ():
            with pytest.raises((TypeError, ValueError, IndexError, OverflowError)):
                ours(*given_)
        return
    y = ours(*xs)
    assert type(y) not in NODES
    close(y, expected, exact_dtype and not plain)
    nodes = as_nodes(xs)
    if any(type(x) in NODES for x in nodes):
        y = ours(*nodes)
        assert type(y) in NODES
        close(y.numpy(), expected, exact_dtype)


def as_nodes(xs):
    return [tg.Tensor(x) if isinstance(x, np.ndarray) else x for x in xs]


# NumPy 2.1 gives ones in the dtype of the base for an exponent of 0 without axes.
POWERS_WIDEN = (np.array(2.0) ** np.array(0, np.longdouble)).dtype == np.longdouble


@pytest.mark.parametrize("name", UFUNCS)
@given(data=st.data())
def test_ufuncs(name, data):
    ufunc = getattr(np, name)
    xs = data.draw(operands(ufunc.nin))
    integers = any(np.asarray(x).dtype.kind != "f" for x in xs)
    if integers and name in INTEGERS_DIFFER:
        return
    if name == "float_power" and np.isneginf(np.asarray(xs[0], float)).any():
        return  # as power: the operator ** takes the root for an exponent of 0.5, nan at -inf
    theirs = ufunc if name != "power" else lambda a, b: as_array(a) ** as_array(b)
    compare(getattr(tg, name), theirs, xs, exact_dtype=name != "float_power" or POWERS_WIDEN)


def as_array(x):
    return np.asarray(x) if isinstance(x, list) else x


def test_fmin_does_not_wrap_a_number_that_does_not_fit():
    with pytest.raises(DTypeError, match="fmin"):
        tg.fmin(np.array([3], np.uint8), -1)
    assert np.array_equal(tg.fmax([1.0, np.nan], [np.nan, 2.0]), [1.0, 2.0])


@pytest.mark.parametrize("f", [tg.maximum, tg.fmin, lambda a, b: tg.where(False, a, b)])
def test_a_chosen_true_is_a_value_of_one(f):
    assert type(f(tg.Value(-1.0 if f is tg.maximum else 3.0), True)) is tg.Value


@given(xs=operands(1))
@example(xs=[np.float16(0).reshape(1)])
def test_functions_that_are_no_ufuncs(xs):
    for name in ("sinc", "nan_to_num"):
        if name == "sinc" and np.isnan(np.sinc(np.float16(0))) and getattr(xs[0], "dtype", None) == np.float16:
            continue  # NumPy 2.1 divides 0 by 0 there
        compare(getattr(tg, name), getattr(np, name), xs, exact_dtype=True)
    compare(tg.identity, np.copy, xs, exact_dtype=True)


@pytest.mark.parametrize("f", [tg.sum, tg.transpose, tg.expand_dims, tg.squeeze, tg.softmax])
def test_a_python_bool_is_a_number_of_no_axes(f):
    params = {"axis": 0} if f is tg.expand_dims else {}
    assert np.array_equal(f(True, **params) if f is not tg.softmax else 1, np.ones((1,) * len(params)))
