"""Tensor and Value as people use them: making, converting, indexing, printing, and Python's own functions on them."""

import math
import operator

import numpy as np
import pytest

import tinygrad_mlp as tg
from tinygrad_mlp.errors import (
    AxisError,
    DTypeError,
    GradientError,
    IndexingError,
    ShapeError,
    TinygradError,
    UnsupportedError,
)

kinds = pytest.mark.parametrize("kind", [tg.Value, tg.Tensor])
X = np.arange(6.0).reshape(2, 3)


# ------------------------------------------------------------------------------------------------------------ making


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.longdouble])
def test_a_floating_tensor_records_and_keeps_its_dtype(dtype):
    x = tg.Tensor(np.ones(2, dtype))
    assert x.requires_grad
    y = (2 * x + 1.5 - 3) / 2 * True
    assert y.dtype == dtype
    y.sum().backward()
    assert x.grad.dtype == dtype
    assert np.array_equal(x.grad, [1.0, 1.0])


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int32, np.int64, bool])
def test_an_integer_tensor_is_a_constant(dtype):
    n = tg.Tensor(np.ones(2, dtype))
    assert not n.requires_grad
    with pytest.raises(DTypeError, match=f"{np.dtype(dtype)}"):
        tg.Tensor(np.ones(2, dtype), requires_grad=True)
    x = tg.Tensor([1.0, 2.0])
    (x * n).sum().backward()
    assert np.array_equal(x.grad, [1.0, 1.0])


@pytest.mark.parametrize(
    "data", [1j, np.ones(2, complex), "1.0", ["a"], np.array(["a"]), [object()], None, {}, {1.0}, [[1.0], [1.0, 2.0]]]
)
def test_what_is_no_real_array_is_refused(data):
    for make in (tg.Tensor, tg.tensor):
        with pytest.raises(DTypeError):
            make(data)


@pytest.mark.parametrize("x", [1j, "1", None, [1.0, 2.0], np.ones(2), True, np.True_, object(), {}])
def test_a_value_holds_one_real_number(x):
    with pytest.raises(DTypeError):
        tg.Value(x)


@pytest.mark.parametrize("x", [2, 2.0, np.float32(2), np.int64(2), np.asarray(2.0), np.ones((1, 1)) * 2, tg.Value(2.0)])
def test_a_value_is_made_of_any_single_number(x):
    v = tg.Value(x)
    assert (v.data, type(v.data)) == (2.0, float)


def test_a_value_of_a_computed_node_is_refused():
    x = tg.Value(1.0)
    with pytest.raises((GradientError, DTypeError)):
        tg.Value(x * 2)
    with pytest.raises(GradientError, match="would lose its gradient"):
        tg.Tensor(tg.Tensor([1.0]) * 2)
    with pytest.raises(GradientError):
        tg.Tensor([tg.Value(1.0) * 2, 3.0])


def test_a_tensor_can_be_asked_not_to_record():
    x = tg.Tensor(X, requires_grad=False, name="x")
    assert (x.requires_grad, x.name) == (False, "x")
    assert not (x * 2).requires_grad
    assert tg.tensor(X, requires_grad=False, name="y").name == "y"


def test_nested_lists_and_tuples_become_arrays():
    assert tg.tensor([[1, 2], (3, 4)]).shape == (2, 2)
    assert tg.Tensor(2).shape == ()
    assert tg.tensor([]).shape == (0,)
    assert tg.tensor(range(3)).dtype == np.int64
    t = tg.tensor([tg.tensor([1.0, 2.0]), [3.0, tg.Value(4.0)]])
    assert np.array_equal(t.data, [[1.0, 2.0], [3.0, 4.0]])
    with pytest.raises(TinygradError):
        tg.tensor([[tg.Value(1.0)], [tg.Value(1.0), 2.0]])


def test_subclasses_of_arrays_are_not_kept():
    masked = np.ma.array([1.0, 2.0])
    assert type(tg.Tensor(masked)._data) is np.ndarray
    assert type(tg.Tensor(tg.Tensor(X).data)._data) is np.ndarray
    y = tg.Tensor(X).data * tg.Tensor(X)
    assert type(y) is tg.Tensor


def test_a_payload_decides_the_class():
    assert type(tg.Value(1.0) * 2) is tg.Value
    assert type(tg.Value(1.0) * np.float64(2)) is tg.Value
    assert type(tg.Value(1.0) * X) is tg.Tensor
    assert type(tg.Tensor(1.0) * 2) is tg.Tensor
    assert type(tg.Tensor(X).sum()) is tg.Tensor
    assert type(tg.Tensor(X)[0, 0]) is tg.Tensor


@pytest.mark.parametrize(
    "f",
    [
        lambda v: tg.maximum(v, 2),
        lambda v: tg.maximum(2, v),
        lambda v: tg.minimum(v, 1),
        lambda v: tg.clip(v, 2, 3),
        lambda v: tg.where(v > 2, v, 2),
        lambda v: tg.where(True, 2, v),
        lambda v: np.maximum(2, v),
        lambda v: v * 0 + 2,
        lambda v: v**2,
        lambda v: 2 ** (v * 0),
        lambda v: tg.affine([v, 2, 3]),
    ],
)
def test_integer_constants_that_are_chosen_become_floats(f):
    v = tg.Value(1.5)
    y = f(v)
    assert type(y) is tg.Value
    assert type(y.data) is float
    y.backward()
    assert type(v.grad) is float or v.grad is None


# ------------------------------------------------------------------------------------------------- Python's functions


@kinds
def test_what_reads_one_number(kind):
    x = kind(2.5)
    assert (float(x), int(x), x.item(), math.exp(x), math.floor(x)) == (2.5, 2, 2.5, math.exp(2.5), 2)
    assert (bool(x), bool(kind(0.0)), f"{x:.3f}", "%.1f" % x) == (True, False, "2.500", "2.5")  # noqa: UP031
    assert (x.tolist(), x.numpy().shape, type(x.numpy())) == (2.5, (), np.ndarray)
    assert sorted([kind(3.0), kind(1.0), x], key=float)[0].item() == 1.0
    assert [v.item() for v in sorted([kind(3.0), kind(1.0), x])] == [1.0, 2.5, 3.0]
    assert max(kind(1.0), x) is x
    assert min(x, kind(3.0)) is x
    assert sum([x, x, 1]).item() == 6.0
    assert abs(-x).item() == 2.5
    assert (+x).item() == 2.5
    assert math.prod([x, x]).item() == 6.25


def test_what_needs_one_number_refuses_several():
    x = tg.Tensor(X)
    for read in (float, int, bool, operator.index, math.exp, tg.Tensor.item):
        with pytest.raises((TinygradError, TypeError)) as caught:
            read(x)
        assert "(2, 3)" in str(caught.value)
    with pytest.raises(ShapeError, match=r"ambiguous: use \.data\.any\(\) or \.data\.all\(\)"):
        bool(x > 0)


@kinds
def test_only_an_integer_is_an_index(kind):
    with pytest.raises(DTypeError, match="is no index"):
        range(3)[kind(1.0)]
    assert range(3)[tg.Tensor(1)] == 1
    assert [10, 20, 30][tg.argmax(tg.Tensor([0.0, 0.0, 5.0]))] == 30


def test_a_tensor_has_the_length_of_its_first_axis():
    x = tg.Tensor(X)
    assert (len(x), [row.shape for row in x]) == (2, [(3,), (3,)])
    a, b = x
    (a * b).sum().backward()
    assert np.array_equal(x.grad, X[::-1])
    for scalar in (tg.Tensor(1.0), tg.Value(1.0)):
        with pytest.raises(TypeError):
            len(scalar)
        with pytest.raises(TypeError):
            list(scalar)


@kinds
def test_equality_is_elementwise_and_hash_by_identity(kind):
    a, b = kind(2.0), kind(2.0)
    assert a == b
    assert a == 2.0
    assert (a != 2) == False  # noqa: E712  (a tensor is not a bool)
    assert hash(a) != hash(b)
    assert len({a, b}) == 2
    assert {a: 1}[a] == 1
    x = tg.Tensor(X)
    assert np.array_equal((x == X).data, np.ones((2, 3), bool))
    assert np.array_equal((x != x).data, np.zeros((2, 3), bool))
    assert x in [x, a]  # the same object: no comparison is needed
    with pytest.raises(ShapeError, match="ambiguous"):
        _ = x in [a, x]
    assert 5.0 in x
    assert 7.0 not in x


@kinds
@pytest.mark.parametrize("other", [None, "text", object(), [None]])
def test_equality_with_something_else(kind, other):
    """An operator with what is no number is a TypeError, as in Python."""
    for f in (operator.add, operator.mul, operator.lt, operator.pow, operator.truediv):
        with pytest.raises(TypeError):
            f(kind(1.0), other)


def test_comparisons_of_values_are_bools():
    v = tg.Value(2.0)
    assert (v > 1) is True
    assert (v < np.float64(1)) is False
    assert (v >= tg.Value(2.0)) is True
    assert (v == 2) is True
    assert type(v > np.ones(2)) is tg.Tensor


@kinds
def test_printing_shows_numbers(kind):
    x = kind(2.0)
    assert "2.0" in repr(x) or "2." in repr(x)
    y = x * 3
    y.backward()
    assert "6." in str(y)
    assert str(x) == repr(x)
    assert f"{x}" == str(x)


def test_printing_a_tensor():
    assert repr(tg.Tensor([1.0, 2.0])) == "Tensor([1., 2.])"
    assert repr(tg.Tensor([1, 2])) == "Tensor([1, 2])"
    assert repr(tg.Tensor(np.ones(1, np.float32), name="w")) == "Tensor([1.], dtype=float32, name='w')"
    assert repr(tg.Tensor([1.0], requires_grad=False)) == "Tensor([1.], requires_grad=False)"
    assert repr(tg.Tensor([1.0]) * 2) == "Tensor([2.], op=multiply)"
    assert repr(tg.Value(1.5, name="v")) == "Value(data=1.5, grad=None, name='v')"
    assert "..." in repr(tg.Tensor(np.zeros(5000)))
    with pytest.raises((TypeError, ValueError)):
        f"{tg.Tensor([1.0, 2.0]):.3f}"


def test_logic_is_for_booleans():
    x = tg.Tensor(X)
    inside = (x > 1) & (x < 4) | (x == 0) ^ (x == 5)
    assert np.array_equal(inside.data, (X > 1) & (X < 4) | (X == 0) ^ (X == 5))
    assert np.array_equal((~(x > 1)).data, ~(X > 1))
    assert np.array_equal((np.array([True, False, True]) & (x > 1)).data, np.array([True, False, True]) & (X > 1))
    assert np.array_equal((True & (x > 1)).data, X > 1)
    for f in (operator.and_, operator.or_, operator.xor):
        with pytest.raises(DTypeError, match="take booleans"):
            f(x, x)
    with pytest.raises(DTypeError, match="take booleans"):
        operator.invert(x)


@pytest.mark.parametrize("f", [operator.floordiv, operator.mod, operator.lshift, divmod], ids=lambda f: f.__name__)
@kinds
def test_what_has_no_row_is_pythons_type_error(kind, f):
    for args in ((kind(1.0), 2.0), (2.0, kind(1.0)), (kind(1.0), kind(1.0))):
        with pytest.raises(TypeError):
            f(*args)
    with pytest.raises(UnsupportedError, match=r"np\.floor_divide"):
        np.floor_divide(np.ones(2), kind(1.0))


# ------------------------------------------------------------------------------------------------------ methods

METHODS = [
    "sum", "mean", "var", "max", "min", "argmax", "argmin", "reshape(3, 2)", "reshape((3, 2))", "reshape(-1)", "ravel",
    "flatten", "transpose", "transpose(1, 0)", "transpose((1, 0))", "swapaxes(0, 1)", "squeeze", "astype(np.float32)",
    "copy", "clip(1.0, 4.0)", "clip(min=2.0)", "clip(max=2)", "sum(axis=0)", "sum(0)", "sum(axis=1, keepdims=True)",
    "sum((0, 1))", "mean(axis=-1)", "var(axis=0, ddof=1)", "max(axis=1)", "min(axis=(0, 1))", "argmax(axis=1)",
    "argmin(axis=0, keepdims=True)", "T", "mT", "shape", "ndim", "size", "dtype", "tolist",
    "__getitem__(0)", "__getitem__((slice(None), 1))", "__len__",
]  # fmt: skip


@pytest.mark.parametrize("method", METHODS)
def test_methods_are_numpys(method):
    ours, numpys = tg.Tensor(X), X
    code = f"x.{method}" + ("()" if "(" not in method and callable(getattr(X, method)) else "")
    y, expected = (eval(code, {"x": x, "np": np}) for x in (ours, numpys))
    if isinstance(y, tg.Tensor):
        assert y.dtype == np.asarray(expected).dtype
        assert y.requires_grad == (y.dtype.kind == "f")
        y = y.data
        assert np.shape(y) == np.shape(expected)
        assert np.allclose(y, expected)
    else:
        assert y == expected


@kinds
@pytest.mark.parametrize(
    "name", ["relu", "tanh", "sigmoid", "exp", "log", "sqrt", "square", "abs", "softmax", "log_softmax"]
)
def test_elementwise_methods_record_their_op(kind, name):
    if not hasattr(kind, name):
        return
    x = kind(2.0) if "softmax" not in name else kind([2.0, 1.0])
    y = getattr(x, name)()
    assert y.op is getattr(tg, name)
    assert np.allclose(y.data, getattr(tg, name)(x.data))


# ----------------------------------------------------------------------------------------------------- indexing

INDICES = [
    0, -1, slice(None), slice(1, None), slice(None, None, -1), None, ..., (0, 1), (..., 0),
    (None, ..., slice(None, None, 2)),
    (slice(None), [0, 0, 2]), [0, 0, 1], np.array([1, 0, 1]), np.array([[0, 1], [1, 1]]), X > 2,
    np.array([True, False]),
    (slice(None), np.array([True, False, True])), ([0, 1], [2, 2]), (np.int64(1), slice(None)), np.zeros(0, int), [],
    (np.array([0, 1])[:, None], np.array([0, 2])), (0, [0, 1]), (Ellipsis, None), (), True, False, np.True_,
    tg.Tensor([0, 1, 1]), (tg.Tensor(1), slice(None)), tg.Tensor(X) > 2, [True, False], (None, [1, 1], None),
]  # fmt: skip


@pytest.mark.parametrize("index", INDICES, ids=str)
def test_everything_that_indexes_an_array_indexes_a_tensor(index):
    bare = index
    if isinstance(index, tg.Tensor):
        bare = index.numpy()
    elif isinstance(index, tuple):
        bare = tuple(i.numpy() if isinstance(i, tg.Tensor) else i for i in index)
    x = tg.Tensor(X)
    y = x[index]
    assert np.array_equal(y.data, X[bare])
    seed = np.random.default_rng(0).normal(size=y.shape)
    y.backward(seed)
    expected = np.zeros_like(X)
    np.add.at(expected, bare, seed)
    assert np.allclose(x.grad, expected)


@pytest.mark.parametrize(
    "index", [2, -3, (0, 3), (0, 0, 0), [2], np.array([5]), 1.0, [0.5], "a", tg.Tensor(1.0), {}, np.ones(3, bool)]
)
def test_an_impossible_index_is_an_index_error(index):
    with pytest.raises(IndexError) as caught:
        tg.Tensor(X)[index]
    assert isinstance(caught.value, IndexingError)


def test_an_index_array_may_change_after_its_use():
    x, i, m = tg.Tensor(X), np.array([0, 0]), np.array([True, False])
    y = x[i].sum() + x[m].sum()
    i[:] = 1
    m[:] = True
    y.backward()
    assert np.array_equal(x.grad, [[3.0] * 3, [0.0] * 3])


# -------------------------------------------------------------------------------------------------------- errors

MESSAGES = [
    (lambda x: x @ np.ones((4, 5)), ShapeError, r"matmul: \(2, 3\) @ \(4, 5\): inner lengths 3 and 4 differ"),
    (lambda x: x @ 2.0, ShapeError, "a scalar has no inner axis"),
    (lambda x: x @ np.ones(4), ShapeError, "inner lengths 3 and 4 differ"),
    (lambda x: tg.broadcast_to(x, (4, 2, 3)) @ np.ones((5, 3, 1)), ShapeError, "the leading axes do not broadcast"),
    (lambda x: x + np.ones(4), ShapeError, r"add: shapes \(2, 3\) and \(4,\) do not broadcast"),
    (lambda x: np.ones(4) * x, ShapeError, r"multiply: shapes \(4,\) and \(2, 3\) do not broadcast"),
    (lambda x: tg.where(np.ones(4) > 0, x, 0.0), ShapeError, "where: shapes"),
    (lambda x: tg.linear(x, np.ones((4, 5))), ShapeError, "the last axis of the input must have length 4"),
    (lambda x: tg.linear(x, np.ones((3, 5)), np.ones(4)), ShapeError, r"the bias must have shape \(5,\)"),
    (lambda x: tg.linear(x, np.ones(3)), ShapeError, r"the weight must have two axes, \(in, out\)"),
    (lambda x: x.sum(axis=2), AxisError, "2"),
    (lambda x: x.sum(axis=(0, 5)), AxisError, "5"),
    (lambda x: x.swapaxes(0, 3), AxisError, "axis 3 does not exist: the array has 2 dimensions"),
    (lambda x: tg.softmax(x, axis=2), AxisError, "2"),
    (lambda x: tg.squeeze(x, 1), ShapeError, r"squeeze: axis 1 of shape \(2, 3\) has length 3, not 1"),
    (lambda x: x.reshape(4, 2), ShapeError, r"reshape of \(2, 3\)"),
    (lambda x: tg.broadcast_to(x, (2, 2)), ShapeError, r"broadcast_to of \(2, 3\)"),
    (lambda x: tg.transpose(x, (0, 0)), ShapeError, "transpose"),
    (lambda x: tg.concatenate([x, np.ones((3, 2))]), ShapeError, "concatenate"),
    (lambda x: tg.stack([x, np.ones(3)]), ShapeError, "stack"),
    (tg.concatenate, DTypeError, "takes a list or tuple"),
    (lambda x: tg.sum(x, axes=1), UnsupportedError, "sum: no argument 'axes'"),
    (lambda x: tg.exp(x, out=None), UnsupportedError, "exp: no argument 'out'"),
    (tg.add, TypeError, "add"),
    (lambda _x: tg.add(), TypeError, "add"),
    (lambda x: tg.add(x, x, x), TypeError, "add"),
    (lambda x: tg.exp(x, x), TypeError, "exp"),
    (lambda x: x + "a", DTypeError, "str"),
    (lambda x: x * 1j, DTypeError, "complex"),
    (lambda x: x * np.ones(3, complex), DTypeError, "complex"),
    (lambda x: np.array(["a"]) + x, DTypeError, "not numbers"),
    (lambda x: x * [1.0, [2.0]], DTypeError, "list"),
    (lambda x: x.astype(complex), DTypeError, "complex"),
    (lambda x: x.astype("U3"), DTypeError, "no dtype of real numbers"),
    (lambda x: tg.dropout(x, 1.5, rng=0), TinygradError, "a probability lies in"),
    (lambda x: tg.dropout(x, 0.5, rng=None), TinygradError, "pass a seed"),
    (lambda x: tg.cross_entropy(x, [0, 3]), IndexingError, "labels run from 0 to 3, with 3 classes"),
    (lambda x: tg.cross_entropy(x, [-1, 0]), IndexingError, "-1"),
    (lambda x: tg.cross_entropy(x, [0.0, 1.0]), DTypeError, "labels must be integers"),
    (lambda x: tg.cross_entropy(x, [0]), ShapeError, r"give labels of shape \(2,\)"),
    (lambda x: tg.squared_error(x, X[0]), ShapeError, "the shapes must be the same"),
    (lambda x: tg.squared_error(x, X, reduction="avg"), UnsupportedError, "choose one of mean, sum, none"),
]


@pytest.mark.parametrize(("f", "kind", "message"), MESSAGES, ids=[str(i) for i in range(len(MESSAGES))])
def test_errors_say_what_is_wrong(f, kind, message):
    with pytest.raises(kind, match=message) as caught:
        f(tg.Tensor(X))
    assert "\n" not in str(caught.value)
    assert isinstance(caught.value, TinygradError | TypeError)
