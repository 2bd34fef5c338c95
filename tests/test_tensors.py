"""Making tensors and Values: what they accept, refuse, keep and turn into."""

import numpy as np
import pytest

import tinygrad_mlp as tg
from tinygrad_mlp.errors import (
    DTypeError,
    GradientError,
    TinygradError,
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


def test_a_tensor_of_nodes_takes_a_name():
    v = tg.Value(1.0)
    assert tg.tensor([v, 2.0], name="pair").name == "pair"
    try:
        t = tg.tensor([v, 2.0], requires_grad=False)
    except TinygradError:
        return
    assert not t.requires_grad


def test_a_value_with_an_extended_scalar_stays_a_value():
    y = tg.Value(1.5) * np.longdouble(2)
    assert type(y) is tg.Value
    assert type(y.data) is float


def test_subclasses_of_arrays_are_not_kept():
    masked = np.ma.array([1.0, 2.0])
    assert type(tg.Tensor(masked)._payload) is np.ndarray
    assert type(tg.Tensor(tg.Tensor(X).data)._payload) is np.ndarray
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
