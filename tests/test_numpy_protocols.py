"""NumPy on nodes: it records, or works on the numbers where no gradient can be lost, or refuses by name."""

import copy
import inspect
import operator
import traceback

import numpy as np
import pytest

import tinygrad_mlp as tg
from tinygrad_mlp.errors import GradientError, TinygradError, UnsupportedError
from tinygrad_mlp.graph import EVERYTHING, NODES, recording
from tinygrad_mlp.tensors.protocols import UFUNCS

MATRIX = np.array([[0.5, 1.5], [2.5, 0.25]])
NODES_MADE = {
    "Value": lambda: tg.Value(1.5),
    "0-d": lambda: tg.Tensor(1.5),
    "1-d": lambda: tg.Tensor(MATRIX[0]),
    "2-d": lambda: tg.Tensor(MATRIX),
    "float32": lambda: tg.Tensor(MATRIX.astype(np.float32)),
}
OTHERS = {
    "int": 2,
    "float": 0.75,
    "bool": True,
    "np.float64": np.float64(0.75),
    "np.float32": np.float32(0.75),
    "np.int64": np.int64(2),
    "np.bool": np.True_,
    "0-d array": np.asarray(0.75),
    "1-d array": np.array([0.75, 2.0]),
    "2-d array": MATRIX.T.copy(),
    "integers": np.array([[1, 2], [3, 1]]),
    "booleans": np.array([True, True]),
    "float32 array": np.array([0.75, 2.0], np.float32),
    "float16 array": np.array([0.5, 2.0], np.float16),
    "list": [0.75, 2.0],
}
BINARY = [operator.add, operator.sub, operator.mul, operator.truediv, operator.pow]
UFUNCS_OF = {operator.add: np.add, operator.sub: np.subtract, operator.mul: np.multiply}
UFUNCS_OF |= {operator.truediv: np.divide, operator.pow: np.power}


def check_recorded(y, node, compute):
    """``y = compute(node)`` is a node with the values and the derivative that NumPy gives for the bare numbers."""
    assert type(y) in NODES
    assert y.requires_grad
    values = np.asarray(node.numpy(), np.float64)
    bare = np.asarray(compute(node.numpy() if node.ndim else node.numpy()[()]))
    assert np.allclose(y.data, bare, rtol=1e-3 if y.dtype.itemsize < 4 else 1e-6 if y.dtype.itemsize < 8 else 1e-14)
    assert y.shape == bare.shape
    u = np.random.default_rng(0).uniform(0.5, 1, y.shape)
    y.backward(u if y.shape else float(u))
    precision = min(x.dtype.itemsize for x in (y, *y.inputs) if hasattr(x, "dtype") and x.dtype.kind == "f")
    h = 1e-6
    slope = np.zeros(values.shape)
    for index in np.ndindex(values.shape):
        step = np.zeros(values.shape)
        step[index] = h
        slope[index] = np.sum(u * (compute(values + step) - compute(values - step))) / (2 * h)
    assert np.allclose(node.grad, slope, rtol=5e-3 if precision < 4 else 1e-4, atol=1e-5)
    assert np.shape(node.grad) == node.shape


@pytest.mark.parametrize("f", BINARY, ids=lambda f: f.__name__)
@pytest.mark.parametrize("other", OTHERS.values(), ids=OTHERS)
@pytest.mark.parametrize("make", NODES_MADE.values(), ids=NODES_MADE)
def test_operators_record_in_both_orders(f, other, make):
    other = copy.copy(other)
    number = np.asarray(other) if isinstance(other, list) else other
    for g in (f, UFUNCS_OF[f]):
        node = make()
        check_recorded(g(node, other), node, lambda x: f(x, number))
        node = make()
        check_recorded(g(other, node), node, lambda x: f(number, x))


@pytest.mark.parametrize("f", BINARY, ids=lambda f: f.__name__)
@pytest.mark.parametrize("second", NODES_MADE.values(), ids=NODES_MADE)
@pytest.mark.parametrize("first", NODES_MADE.values(), ids=NODES_MADE)
def test_operators_record_between_nodes(f, first, second):
    a, b = first(), second()
    check_recorded(f(a, b), a, lambda x: f(x, b.numpy()))
    a, b = first(), second()
    check_recorded(f(a, b), b, lambda x: f(a.numpy(), x))


@pytest.mark.parametrize("other", [v for v in OTHERS.values() if np.ndim(v) == 2], ids=str)
def test_matmul_records_in_both_orders(other):
    node = tg.Tensor(MATRIX)
    check_recorded(node @ other, node, lambda x: x @ other)
    node = tg.Tensor(MATRIX[0])
    check_recorded(other @ node, node, lambda x: other @ x)


def test_a_value_with_a_numpy_scalar_stays_a_value():
    for scalar in (np.float64(2), np.float32(2), np.int64(2), np.asarray(2.0)[()]):
        for f in BINARY:
            assert type(f(tg.Value(1.5), scalar)) is tg.Value
            assert type(f(scalar, tg.Value(1.5))) is tg.Value
    assert type(tg.Value(1.5) * np.asarray(2.0)) is tg.Tensor


@pytest.mark.parametrize("f", [operator.lt, operator.le, operator.gt, operator.ge, operator.eq, operator.ne])
@pytest.mark.parametrize("other", OTHERS.values(), ids=OTHERS)
@pytest.mark.parametrize("make", NODES_MADE.values(), ids=NODES_MADE)
def test_comparisons_are_elementwise_in_both_orders(f, other, make):
    x = make()
    other = copy.copy(other)
    for y, expected in ((f(x, other), f(x.numpy(), other)), (f(other, x), f(np.asarray(other), x.numpy()))):
        if type(y) in NODES:
            assert not y.requires_grad
            y = y.data
        else:
            assert type(y) is bool
            assert type(x) is tg.Value
        assert np.array_equal(y, expected)


def test_in_place_operators_of_an_array_refuse_a_node():
    for node in (tg.Tensor(MATRIX), tg.Value(1.0)):
        for f in (operator.iadd, operator.imul, operator.isub, operator.itruediv):
            a = np.ones((2, 2))
            with pytest.raises(UnsupportedError, match="out="):
                f(a, node)
            assert np.array_equal(a, np.ones((2, 2)))


def test_in_place_operators_of_a_node_make_a_new_node():
    x = tg.Tensor(MATRIX)
    y = x
    y += 1
    y *= MATRIX
    assert y is not x
    y.sum().backward()
    assert np.array_equal(x.grad, MATRIX)


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
    """Return what ``f`` gives, or the error that it raises."""
    try:
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
                assert "matmul" in str(y)
                assert make is NODES_MADE["Value"] or make is NODES_MADE["0-d"]
        else:
            bare = np.asarray(ufunc(*(x.numpy() if type(x) in NODES else x for x in operands)))
            assert type(y) in NODES or bare.dtype == bool
            assert np.allclose(y.data if type(y) in NODES else y, bare, equal_nan=True)
            assert bare.dtype == bool or y.requires_grad


@pytest.mark.parametrize("ufunc", ALL_UFUNCS, ids=lambda f: f.__name__)
@pytest.mark.parametrize("method", ["reduce", "accumulate", "reduceat", "outer", "at"])
def test_methods_of_a_ufunc_record_or_refuse_by_name(ufunc, method):
    more = {"reduce": (), "accumulate": (), "reduceat": ([0],), "outer": (MATRIX,), "at": ([0], 1.0)}[method]
    y = attempt(getattr(ufunc, method), tg.Tensor(MATRIX), *more)
    if isinstance(y, Exception):
        assert f"np.{ufunc.__name__}.{method}" in str(y) or type(y) in (ValueError, TypeError, RuntimeError)
    else:
        assert type(y) in NODES
        assert y.requires_grad
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


LIKE = (np.zeros_like, np.ones_like, np.empty_like, np.full_like)  # of the shape of a node, not of its values


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


def test_constants_convert():
    t = tg.Tensor([1.0, 2.0], requires_grad=False)
    a = np.asarray(t)
    assert np.array_equal(a, [1.0, 2.0])
    assert not np.shares_memory(a, t._data)
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


# ------------------------------------------------------------------------------------------------------ arguments

X = np.arange(12.0).reshape(3, 4)
CALLS = [
    np.sum,
    lambda x: np.sum(x, 0),
    lambda x: np.sum(x, axis=(0, 1)),
    lambda x: np.sum(x, axis=-1, keepdims=True),
    lambda x: np.sum(a=x, axis=1),
    lambda x: np.sum(x, 1, None, None, True),
    lambda x: np.mean(x, axis=1),
    lambda x: np.mean(a=x, axis=0, keepdims=True),
    lambda x: np.var(x, axis=0, ddof=1),
    lambda x: np.var(x, correction=1),
    lambda x: np.max(x, axis=1),
    lambda x: np.amin(x, 0),
    lambda x: np.argmax(x, 1),
    lambda x: np.argmin(x, axis=0, keepdims=True),
    lambda x: np.clip(x, 2.0, 5.0),
    lambda x: np.clip(x, a_min=2.0, a_max=None),
    lambda x: np.clip(a=x, a_min=2.0, a_max=4.0),
    lambda x: np.clip(x, min=2.0),
    lambda x: np.reshape(x, (4, 3)),
    lambda x: np.reshape(x, -1),
    lambda x: np.reshape(x, shape=(2, 6)),
    lambda x: np.reshape(x, (2, 6), order="C"),
    np.transpose,
    lambda x: np.transpose(x, (1, 0)),
    lambda x: np.swapaxes(x, 0, 1),
    lambda x: np.swapaxes(x, axis1=0, axis2=-1),
    lambda x: np.expand_dims(x, (0, 2)),
    lambda x: np.squeeze(np.expand_dims(x, 0)),
    lambda x: np.squeeze(np.expand_dims(x, 0), axis=0),
    lambda x: np.broadcast_to(x, (2, 3, 4)),
    lambda x: np.concatenate([x, X]),
    lambda x: np.concatenate((X, x), axis=1),
    lambda x: np.concatenate([x, x], None),
    lambda x: np.stack([x, X, x], axis=1),
    lambda x: np.stack((x,), -1),
    lambda x: np.where(X > 3, x, 0.0),
    lambda x: np.where(x > 3, X, x),
    np.copy,
    lambda x: np.astype(x, np.float32),
    np.add.reduce,
    lambda x: np.add.reduce(x, axis=None),
    lambda x: np.add.reduce(x, 1, keepdims=True),
    lambda x: np.maximum.reduce(x, axis=1),
    lambda x: np.matmul(x, X.T),
    lambda x: np.matmul(X.T, x),
    lambda x: np.add(x, 1, where=True),
    np.shape,
    np.size,
    lambda x: np.allclose(x, X),
    np.count_nonzero,
    lambda x: np.result_type(x, np.float32),
    lambda x: np.array_equal(x, X),
    np.array_str,
    sum,
    lambda x: sum([x, x, X]),
    np.positive,
]


def title(f):
    if getattr(f, "__name__", "") != "<lambda>":
        return getattr(f, "__name__", "reduce")
    return inspect.getsource(f).strip().removeprefix("lambda x: ").rstrip(",")


@pytest.mark.parametrize("f", CALLS, ids=title)
def test_numpys_arguments_mean_what_they_mean_in_numpy(f):
    x = tg.Tensor(X)
    y, expected = f(x), f(X)
    if type(y) in NODES:
        assert y.dtype == np.asarray(expected).dtype
        assert y.requires_grad == (y.dtype.kind == "f")
        y = y.data
    else:
        assert type(y) is type(expected)
    assert np.shape(y) == np.shape(expected)
    assert np.all(y == expected)


REFUSED = [
    (lambda x: np.sum(x, out=np.zeros(())), "np.sum: out="),
    (lambda x: np.sum(x, where=X > 3), "np.sum: where="),
    (lambda x: np.sum(x, dtype=np.float32), "np.sum: dtype="),
    (lambda x: np.sum(x, initial=1.0), "np.sum: initial="),
    (lambda x: np.add.reduce(x, initial=1.0), "np.add.reduce: initial="),
    (lambda x: np.mean(x, out=np.zeros(4), axis=0), "np.mean: out="),
    (lambda x: np.var(x, mean=2.0), "np.var: mean="),
    (lambda x: np.max(x, initial=0.0), "np.max: initial="),
    (lambda x: np.clip(x, 0.0, 1.0, out=X), "np.clip: out="),
    (lambda x: np.concatenate([x], out=X), "np.concatenate: out="),
    (lambda x: np.stack([x], out=X), "np.stack: out="),
    (lambda x: np.reshape(x, -1, order="F"), "np.reshape: order="),
    (lambda x: np.exp(x, out=np.zeros((3, 4))), "np.exp: out="),
    (lambda x: np.exp(X, out=x), "np.exp: out="),
    (lambda x: np.exp(x, where=X > 3), "np.exp: where="),
    (lambda x: np.add(x, x, dtype=np.float32), "np.add: dtype="),
    (lambda x: np.add(x, x, casting="unsafe"), "np.add: casting="),
    (np.where, "where"),
    (np.cumsum, "np.cumsum"),
    (lambda x: np.linalg.solve(x[:, :3], x[:, 0]), "np.linalg.solve"),
    (np.linalg.norm, "np.linalg.norm"),
    (np.fft.fft, "np.fft.fft"),
    (lambda x: np.einsum("ij->i", x), "np.einsum"),
    (lambda x: np.arctan2(x, x), "np.arctan2"),
    (lambda x: np.add.at(X, 0, x), "np.add.at"),
    (lambda x: np.multiply.outer(x, x), "np.multiply.outer"),
    (lambda x: np.sum(x, axis=5), "axis 5"),
    (lambda x: np.copyto(X, x), "np.copyto"),
    (lambda x: np.put(X, 0, x), "np.put"),
]


@pytest.mark.parametrize(("f", "message"), REFUSED, ids=[message for _, message in REFUSED])
def test_what_is_not_supported_is_refused_by_name(f, message):
    with pytest.raises(TinygradError, match=message):
        f(tg.Tensor(X))
    assert np.array_equal(X, np.arange(12.0).reshape(3, 4))


def test_numpy_records_while_tracing():
    x = tg.Tensor([1.0, 2.0])
    with recording(EVERYTHING):
        y = np.where(np.greater(x, 1.0), np.exp(x), 0.0)
        assert y.op is tg.where
        assert y.inputs[0].op is tg.greater
        assert (np.shape(x), np.ndim(x), np.size(x)) == ((2,), 1, 2)
        with pytest.raises(TinygradError, match=r"np\.allclose reads a value"):
            np.allclose(x, 1.0)
