"""NumPy on nodes: it records, or works on the numbers where no gradient can be lost, or refuses by name."""

import copy
import inspect
import operator
import traceback

import numpy as np
import pytest

import tinygrad_mlp as tg
from tinygrad_mlp.errors import GradientError, TinygradError, UnsupportedError
from tinygrad_mlp.graph import NODES
from tinygrad_mlp.tensors.protocols import UFUNCS

MATRIX = np.array([[0.5, 1.5], [2.5, 0.25]])
NODES_MADE = {
    "Value": lambda: tg.Value(1.5),
    "0-d": lambda: tg.Tensor(1.5),
    "1-d": lambda: tg.Tensor(MATRIX[0]),
    "2-d": lambda: tg.Tensor(MATRIX),
    "float32": lambda: tg.Tensor(MATRIX.astype(np.float32)),
}

# ---------------------------------------------------------------------------------------------------- all of NumPy

ALL_UFUNCS = sorted({f for f in vars(np).values() if isinstance(f, np.ufunc)}, key=lambda f: f.__name__)
MODULES = (np, np.linalg, np.fft, np.lib, np.strings, np.lib.scimath, np.lib.stride_tricks, np.rec)
DISPATCHED = sorted(
    {f for m in MODULES for f in vars(m).values() if type(f).__name__ == "_ArrayFunctionDispatcher"},
    key=lambda f: (f.__module__, f.__name__),
)


def without_gradient(y):
    """Whether a result of NumPy on a node hides an array: of numbers that lost their gradient, or of objects."""
    if isinstance(y, np.ndarray | np.generic):
        return y.dtype == object or y.dtype.kind in "fc"
    return any(map(without_gradient, y)) if isinstance(y, list | tuple) else isinstance(y, float | complex)


def last_file(error):
    return traceback.extract_tb(error.__traceback__)[-1].filename


def attempt(f, *args):
    """Return what ``f`` gives, outside its domain too, or the error that it raises."""
    try:
        with np.errstate(invalid="ignore"):
            return f(*args)
    except Exception as error:  # noqa: BLE001  (the caller judges it)
        return error


@pytest.mark.parametrize("ufunc", ALL_UFUNCS, ids=lambda f: f.__name__)
@pytest.mark.parametrize("make", NODES_MADE.values(), ids=NODES_MADE)
def test_a_ufunc_records_or_refuses_by_name(ufunc, make):
    others = [make().numpy()] * (ufunc.nin - 1)
    for operands in ([make(), *others], [*others, make()]):
        y = attempt(ufunc, *operands)
        if ufunc not in UFUNCS:
            assert isinstance(y, UnsupportedError)
            assert f"np.{ufunc.__name__} " in str(y)
        elif isinstance(y, TinygradError):
            if "take booleans" not in str(y):
                assert str(y).startswith(f"{ufunc.__name__}: ")  # a product, of what NumPy refuses too
                bare = attempt(ufunc, *(x.numpy() if type(x) in NODES else x for x in operands))
                assert isinstance(bare, ValueError)
        else:
            expected = attempt(ufunc, *(x.numpy() if type(x) in NODES else x for x in operands))
            for got, bare in zip(y, expected, strict=True) if type(y) is tuple else ((y, np.asarray(expected)),):
                assert type(got) in NODES or bare.dtype == bool
                assert np.allclose(got.data if type(got) in NODES else got, bare, equal_nan=True)
                assert bare.dtype == bool or got.requires_grad


@pytest.mark.parametrize("ufunc", ALL_UFUNCS, ids=lambda f: f.__name__)
@pytest.mark.parametrize("method", ["reduce", "accumulate", "reduceat", "outer", "at"])
def test_methods_of_a_ufunc_record_or_refuse_by_name(ufunc, method):
    more = {"reduce": (), "accumulate": (), "reduceat": ([0],), "outer": (MATRIX,), "at": ([0], 1.0)}[method]
    y = attempt(getattr(ufunc, method), tg.Tensor(MATRIX), *more)
    if isinstance(y, Exception):
        assert f"np.{ufunc.__name__}.{method}" in str(y) or type(y) in (ValueError, TypeError, RuntimeError)
    else:
        assert type(y) in NODES
        assert y.requires_grad or y.dtype == bool
        assert np.allclose(y.data, getattr(ufunc, method)(MATRIX, *more))


# The parameters of NumPy's functions that take arrays; the others, such as axis and copy, are options.
ARRAYS = {
    *("A", "X", "a", "a1", "a2", "a_max", "a_min", "ar", "ar1", "ar2", "arr", "array", "arrays", "arrays_and_dtypes"),
    *("ary", "arys", "args", "b", "choicelist", "choices", "condition", "condlist", "default", "element", "f", "filt"),
    *("fill_value", "fp", "keys", "m", "operands", "p", "prototype", "q", "sample", "seq_of_zeros", "src", "start"),
    *("stop", "test_elements", "to_begin", "to_end", "tup", "u", "v", "val", "vals", "values", "varargs", "weights"),
    *("x", "x1", "x2", "xi", "xp", "y", "z"),
}


def ways_to_call(f, x):
    """Arguments for ``f`` in which the node ``x`` stands where an array may stand."""
    a = x.numpy()
    ways = [(x,), (x, x), (a, x), (x, a), ([x, x],), ([a, x],), ((x, a),), (x, 0), (x, 1, 0), (x, (1,)), ([x],)]
    ways += [(x, x, x), (a, a, x), (a > 0, x, a), (a > 0, a, x), ([a > 0], [x]), (a, [a > 0], [x]), (a, 0.0, x)]
    ways += [("ij->j", x), ("...,...", x, a), (2, x)]
    parameters = list(inspect.signature(f).parameters.values())
    names = [p.name for p in parameters for _ in range(3 if p.kind is p.VAR_POSITIONAL else 1)]
    for args in ways:
        if all(
            name in ARRAYS for name, y in zip(names, args, strict=False) if y is x or (type(y) is list and y[0] is x)
        ):
            yield args


@pytest.mark.filterwarnings("ignore::RuntimeWarning", "ignore::DeprecationWarning")
@pytest.mark.parametrize("f", DISPATCHED, ids=lambda f: f"{f.__module__}.{f.__name__}".replace("numpy", "np"))
def test_a_function_records_or_keeps_out_of_gradients_or_refuses_by_name(f):
    if f in (np.save, np.savez, np.savez_compressed, np.savetxt):
        return
    try:
        inspect.signature(f)
    except ValueError:
        pytest.skip("this NumPy does not tell the parameters of its functions in C")
    told = []
    for make in (NODES_MADE["2-d"], NODES_MADE["Value"]):
        for args in ways_to_call(f, make()):
            before = copy.deepcopy([x for x in args if isinstance(x, np.ndarray)])
            y = attempt(f, *args)
            after = [x for x in args if isinstance(x, np.ndarray)]
            assert f is np.array_repr or all(map(np.array_equal, before, after))  # it counts in its second argument
            if isinstance(y, TinygradError):
                told.append(str(y))
            elif isinstance(y, Exception):  # NumPy's own, about the arguments
                assert not isinstance(y, AttributeError | NameError) or "tinygrad_mlp" not in last_file(y), (args, y)
                told.append(f.__name__)
            else:
                told.append(f.__name__)
                assert f in LIKE or not without_gradient(y), (args, y)
    assert any(f.__name__ in text or "converting a" in text for text in told), told


# Of the shape of a node and not of its values; what becomes of the other arguments; a node that is a condition; a list
# of which NumPy 2.1 gives a part.
LIKE = (
    np.zeros_like, np.ones_like, np.empty_like, np.full_like, np.meshgrid, np.atleast_1d, np.atleast_2d, np.atleast_3d,
    np.broadcast_arrays, np.extract, np.trim_zeros,
)  # fmt: skip


def test_what_is_filled_with_a_node_is_refused():
    with pytest.raises(TinygradError, match=r"np\.copyto of a Tensor is not recorded"):
        np.full_like(np.ones(2), tg.Tensor(1.0))
    with pytest.raises(TinygradError, match="full_like: an array filled with a Tensor would lose its gradient"):
        np.full_like(tg.Tensor([1.0, 2.0]), tg.Tensor(1.0))
    with pytest.raises(GradientError):
        np.full(2, tg.Tensor(1.0))
    assert np.array_equal(np.full_like(tg.Tensor([1.0, 2.0]), 3.0), [3.0, 3.0])
    assert np.array_equal(np.zeros_like(tg.Tensor([1.0, 2.0])), [0.0, 0.0])


IMPLICIT = {
    "np.array": np.array,
    "np.asarray": np.asarray,
    "np.asanyarray": np.asanyarray,
    "np.ascontiguousarray": np.ascontiguousarray,
    "np.array of a list": lambda x: np.array([x, x]),
    "np.array of a nest": lambda x: np.array([[x, x], [x, x]]),
    "np.array of objects": lambda x: np.array(x, dtype=object),
    "np.array of dtype": lambda x: np.array(x, dtype=np.float32),
    "np.array of a list with dtype": lambda x: np.array([x, 1.0], dtype=np.float64),
    "np.r_": lambda x: np.r_[x, 1.0],
    "np.c_": lambda x: np.c_[x, x],
    "np.full": lambda x: np.full(3, x),
    "np.require": lambda x: np.require(x, np.float64),
    "setitem slice": lambda x: operator.setitem(np.zeros(3), slice(None), x),
    "normal": lambda x: np.random.default_rng(0).normal(x),
    "vectorize": np.vectorize(lambda v: v * 2),
    "frompyfunc": np.frompyfunc(lambda v: v * 2, 1, 1),
    "apply_along_axis": lambda x: np.apply_along_axis(np.sum, 0, x),
    "array method": lambda x: np.ones(3).dot(x),
    "array clip": lambda x: np.ones(3).clip(0, x),
    "np.trapezoid": lambda x: np.trapezoid([x, x]),
    "np.polyval": lambda x: np.polyval([1.0, 2.0], x),
    "np.random.shuffle": lambda x: np.random.default_rng(0).permutation(x),
    "np.ma.array": np.ma.array,
    "np.matrix": np.asmatrix,
    "np.linspace": lambda x: np.linspace(0.0, x, 3),
    "np.arange": np.arange,
    "np.piecewise": lambda x: np.piecewise(x, [x > 0], [lambda v: v]),
}


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::PendingDeprecationWarning")
@pytest.mark.parametrize("convert", IMPLICIT.values(), ids=IMPLICIT)
@pytest.mark.parametrize("make", [lambda: tg.Value(1.0), lambda: tg.Tensor(1.0), lambda: tg.Tensor([1.0, 2.0, 3.0])])
def test_an_implicit_conversion_that_would_lose_a_gradient_raises(convert, make):
    x = make()
    y = attempt(convert, x)
    assert isinstance(y, TinygradError | TypeError | ValueError | IndexError) or (type(y) in NODES and y.requires_grad)


@pytest.mark.parametrize("make", [lambda: tg.Value(0.5), lambda: tg.Tensor([0.25, 0.5])])
@pytest.mark.parametrize("name", ["erf", "expit", "gamma", "logit", "xlogy", "psi", "logsumexp", "softmax"])
def test_functions_of_scipy_are_refused_by_name(name, make):
    special = pytest.importorskip("scipy.special", reason="SciPy, of the extra sklearn, is not installed")
    f = getattr(special, name)
    y = attempt(f, *[make()] * (2 if name == "xlogy" else 1))
    assert isinstance(y, TinygradError), y
    assert f"the ufunc {name} of a" in str(y) or not isinstance(f, np.ufunc)


MASKED = {
    **{f.__name__: f for f in (operator.add, operator.sub, operator.mul, operator.truediv, operator.pow, operator.lt)},
    **{f.__name__: f for f in (operator.floordiv, operator.iadd, operator.eq)},
    "np.ma.add": np.ma.add,
    "np.ma.exp": lambda _, x: np.ma.exp(x),
    "np.ma.sum": lambda _, x: np.ma.sum(x),
    "np.ma.where": lambda m, x: np.ma.where(m > 0, m, x),
    "np.ma.maximum": np.ma.maximum,
    "np.ma.getdata": lambda _, x: np.ma.getdata(x),
    "np.ma.median": lambda _, x: np.ma.median(x),
    "np.ma.concatenate": lambda m, x: np.ma.concatenate([m, np.ma.atleast_1d(x)]),
    "setitem": lambda m, x: operator.setitem(m, slice(None), x),
}


@pytest.mark.parametrize("f", MASKED.values(), ids=MASKED)
@pytest.mark.parametrize("mask", [False, [True, False, False]])
@pytest.mark.parametrize("make", [lambda: tg.Value(1.0), lambda: tg.Tensor([1.0, 2.0, 3.0])])
def test_a_masked_array_takes_no_gradient_away(f, mask, make):
    """numpy.ma reads ``_data`` of what stands beside a masked array, past every protocol: a node has none."""
    y = attempt(f, np.ma.array([3.0, 4.0, 5.0], mask=mask), make())
    assert isinstance(y, TinygradError | TypeError) or (type(y) in NODES and y.requires_grad), y


def test_a_masked_array_meets_constants():
    x, c = np.ma.array([1.0, 2.0], mask=[False, True]), tg.Tensor([3.0, 4.0], requires_grad=False)
    assert (x * c).tolist() == [3.0, None]


def test_constants_convert():
    t = tg.Tensor([1.0, 2.0], requires_grad=False)
    a = np.asarray(t)
    assert np.array_equal(a, [1.0, 2.0])
    assert not np.shares_memory(a, t._payload)
    assert np.array(t, dtype=np.float32).dtype == np.float32
    assert np.asarray(tg.Tensor([1, 2])).dtype == np.int64
    assert np.array_equal(np.array([t, t]), [[1.0, 2.0], [1.0, 2.0]])
    with pytest.raises(ValueError, match="copy"):
        np.asarray(t, copy=False)


def test_single_elements_are_read_as_floats():
    """What NumPy itself writes as ``float(x)`` cannot be told from the user's own."""
    x = tg.Value(2.0)
    a = np.zeros(2)
    a[0] = x
    assert np.array_equal(a, [2.0, 0.0])
    assert np.float64(x) == 2.0
