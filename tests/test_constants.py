"""Raw arrays that a graph reads, and what .data shows: nothing that the user may write to reaches a gradient."""

import copy
import pickle

import numpy as np
import pytest
from test_mutation import write_in_place

import tinygrad_mlp as tg
from tinygrad_mlp import arrays
from tinygrad_mlp.errors import DTypeError, ShapeError, StaleError, TinygradError, UnsupportedError

# --------------------------------------------------------------------------------------------------- raw constants

OPERATIONS = [
    lambda x, c: x * c,
    lambda x, c: c * x,
    lambda x, c: x / c,
    lambda x, c: c / x,
    lambda x, c: x**c,
    lambda x, c: c**x,
    lambda x, c: x @ c,
    lambda x, c: c @ x,
    lambda x, c: x + c,
    tg.maximum,
    lambda x, c: tg.where(c > 1.5, x, c),
    lambda x, c: tg.where(c > 1.5, c, x),
    lambda x, c: tg.clip(x, c - 1.0, c),
    lambda x, c: tg.stack([x, c, x]) ** 2,
    lambda x, c: tg.linear(c, x, c[0]),
    lambda x, c: tg.linear(x, c, c[0]) * c,
    tg.cross_entropy,
    lambda x, c: tg.cross_entropy(x, c[:, 0].astype(int)),
    lambda x, c: np.multiply(c, x),
    lambda x, c: x[c.astype(int) - 1],
    lambda x, c: x[c > 1.5],
    lambda x, c: tg.reshape(c, (2, 2)) * x,
]


@pytest.mark.parametrize("f", OPERATIONS)
@pytest.mark.parametrize("limit", [arrays.COPY_LIMIT, 0])
def test_a_raw_array_may_be_overwritten_by_its_owner(f, limit, monkeypatch):
    """Small ones are copied; large ones are checksummed, and then backward says that they changed."""
    monkeypatch.setattr(arrays, "COPY_LIMIT", limit)
    values = np.array([[1.0, 2.0], [1.0, 2.0]])
    x, same, c = tg.Tensor(values + 0.5), tg.Tensor(values + 0.5), values.copy()
    y, z = f(x, c), f(same, c.copy())
    seed = np.random.default_rng(0).normal(size=y.shape)
    z.backward(seed)
    y.backward(seed)
    assert np.array_equal(x.grad, same.grad)
    x.grad = None
    c[...] = 1.75
    try:
        y.backward(seed)
    except StaleError:
        assert limit == 0
    else:
        assert np.array_equal(x.grad, same.grad)


def test_a_large_constant_that_did_not_change_passes(monkeypatch):
    monkeypatch.setattr(arrays, "COPY_LIMIT", 0)
    x, c = tg.Tensor([1.0, 2.0]), np.array([3.0, 4.0])
    y = (x * c).sum()
    y.backward()
    y.backward()
    assert np.array_equal(x.grad, [6.0, 8.0])
    c[0] = 5.0
    with pytest.raises(StaleError, match="overwritten after its use: pass a copy"):
        y.backward()
    assert np.array_equal(x.grad, [6.0, 8.0])


@pytest.mark.parametrize("limit", [arrays.COPY_LIMIT, 0])
def test_a_strided_constant_is_guarded(limit, monkeypatch):
    monkeypatch.setattr(arrays, "COPY_LIMIT", limit)
    base = np.arange(6.0).reshape(2, 3)
    x = tg.Tensor([1.0, 2.0, 3.0])
    y = (x * base[:, ::-1].T[:, 0]).sum()
    base[...] = 0.0
    if limit:
        y.backward()
        assert np.array_equal(x.grad, [2.0, 1.0, 0.0])
    else:
        with pytest.raises(StaleError):
            y.backward()


# --------------------------------------------------------------------------------------------------- what .data shows


def test_data_is_a_read_only_view():
    x = tg.Tensor([1.0, 2.0])
    with pytest.raises(ValueError, match="assign a new array"):
        x.data[0] = 5.0
    data = x.data
    for attempt in (lambda: data.fill(0), data.sort, lambda: np.copyto(data, 0.0), lambda: data.put(0, 1)):
        with pytest.raises((ValueError, TinygradError)):
            attempt()
    with pytest.raises((ValueError, TinygradError)):
        np.add(x.data, 1.0, out=x.data[...])
    with pytest.raises(TinygradError, match="read-only"):
        np.exp(np.ones(2), out=x.data)
    with pytest.raises(UnsupportedError, match="elements cannot be assigned"):  # a TypeError, as of what has no items
        x[0] = 5.0
    assert np.array_equal(x.data, [1.0, 2.0])


def test_arithmetic_with_data_gives_plain_arrays():
    x = tg.Tensor([[1.0, 2.0]])
    for y in (
        x.data + 1,
        2 * x.data,
        np.exp(x.data),
        x.data @ np.ones((2, 1)),
        x.data.sum(axis=0),
        -x.data,
        x.data > 1,
    ):
        assert type(y) is np.ndarray
        assert y.flags.writeable
    assert type(x.data.copy()) is np.ndarray or x.data.copy().flags.writeable
    held = x.data
    held += 1.0
    assert type(held) is np.ndarray
    assert np.array_equal(x.data, [[1.0, 2.0]])
    assert float(x.data.max()) == 2.0


COPYING = {
    "copy": lambda d: d.copy(),
    "astype": lambda d: d.astype(np.float64),
    "np.copy": np.copy,
    "np.array": np.array,
    "np.sort": np.sort,
    "flatten": lambda d: d.flatten(),
    "repeat": lambda d: d.repeat(1),
    "take": lambda d: d.take([0, 1]),
    "deepcopy": copy.deepcopy,
    "pickle": lambda d: pickle.loads(pickle.dumps(d)),
    "fancy index": lambda d: d[[0, 1]],
    "arithmetic": lambda d: d + 0.0,
}


@pytest.mark.parametrize("copied", COPYING.values(), ids=COPYING)
def test_a_copy_of_data_is_an_ordinary_array(copied):
    x = tg.Tensor([1.0, 2.0])
    w = alias = copied(x.data)
    w[0] = 5.0
    w += 1.0
    w[1:] *= 2.0
    assert alias is w
    assert np.array_equal(alias, [6.0, 6.0])
    assert np.array_equal(x.data, [1.0, 2.0])


def test_the_data_of_a_computed_node_are_fixed():
    for x in (tg.Tensor([1.0, 2.0]), tg.Value(1.0)):
        y = x * 2
        with pytest.raises(TinygradError, match=r"computed .* \(multiply\) is fixed: assign to a leaf"):
            y.data = y.data
        with pytest.raises(TinygradError, match="assign to a leaf"):
            y.assign(1.0)


def test_assigned_values_must_fit():
    x = tg.Tensor(np.ones((2, 3), np.float32), name="x")
    with pytest.raises(ShapeError, match=r"shape \(3,\) for a tensor of shape \(2, 3\)"):
        x.assign(np.ones(3))
    with pytest.raises(ShapeError):
        x.data = 1.0
    x.data = np.full((2, 3), 2.0)
    assert x.dtype == np.float32
    with pytest.raises(DTypeError):
        x.assign(np.ones((2, 3)) * 1j)
    with pytest.raises(DTypeError):
        x.assign([["a", "b", "c"]] * 2)
    n = tg.Tensor([1, 2])
    with pytest.raises(DTypeError, match="float64 values do not fit a tensor of int64"):
        n.assign([1.5, 2.5])
    n.assign([3, 4])
    assert np.array_equal(n.data, [3, 4])
    v = tg.Value(1.0)
    for wrong in ("a", 1j, None, [1.0, 2.0], True):
        with pytest.raises(DTypeError):
            v.data = wrong
    v.data = np.float32(2.0)
    assert (v.data, type(v.data)) == (2.0, float)


def test_assigned_values_are_copied():
    x, new = tg.Tensor([1.0, 2.0]), np.array([3.0, 4.0])
    x.data = new
    new[0] = 9.0
    assert np.array_equal(x.data, [3.0, 4.0])
    y = tg.Tensor([0.0, 0.0])
    y.assign(x)
    x.data -= 1.0
    assert np.array_equal(y.data, [3.0, 4.0])


def test_a_tensor_copies_what_it_is_made_of():
    given = np.array([1.0, 2.0])
    x, shared = tg.Tensor(given), tg.Tensor(given, copy=False)
    t = tg.tensor(given)
    given[0] = 9.0
    assert np.array_equal(x.data, [1.0, 2.0])
    assert np.array_equal(t.data, [1.0, 2.0])
    assert np.array_equal(shared.data, [9.0, 2.0])  # documented as unsafe
    other = tg.Tensor(x)
    x.data -= 1.0
    assert np.array_equal(other.data, [1.0, 2.0])


def test_results_share_no_memory_with_what_the_user_holds():
    a = np.arange(4.0)
    for y in (tg.reshape(a, (2, 2)), tg.getitem(a, slice(1, 3)), tg.transpose(a)):
        assert type(y) is np.ndarray  # raw in, raw out; a view, as NumPy gives
    x = tg.Tensor(a)
    for y in (x.reshape(2, 2), x[1:], x.T, x + 0.0, x.astype(np.float64), x.copy(), x.detach(), tg.relu(x)):
        assert not np.shares_memory(y.numpy(), x._payload)
        assert not y.data.flags.writeable
    d = x.detach()
    write_in_place(x, 7.0)
    assert np.array_equal(d.data, a)
    c = x.numpy()
    c[0] = 1.0
    assert x.data[0] == 7.0


PARAMS = {
    "axis": (lambda x, p: tg.sum(x, axis=p), [0], [1]),
    "axes": (lambda x, p: tg.transpose(x, axes=p), [1, 0], [0, 1]),
    "index": (tg.getitem, np.array([0, 1]), np.array([1, 1])),
    "list of indices": (tg.getitem, [0, 1], [1, 1]),
    "tuple of indices": (lambda x, p: tg.getitem(x, (0, p)), np.array([0, 1]), np.array([1, 1])),
    "tensor": (tg.getitem, tg.Tensor([0, 1]), tg.Tensor([1, 1])),
}


@pytest.mark.parametrize(("f", "param", "other"), PARAMS.values(), ids=PARAMS)
@pytest.mark.parametrize("record", [tg.sources, np.errstate], ids=["sources", "plain"])
def test_a_param_may_be_changed_by_its_owner(f, param, other, record):
    param = copy.deepcopy(param)
    grads = []
    for late in (False, True):
        x = tg.Tensor([[1.0, 2.0], [3.0, 4.0]])
        with record():
            y = f(x, param)
        weights = np.arange(1.0, y.size + 1).reshape(y.shape)
        if late and type(param) is tg.Tensor:
            param.data = other.data
        elif late:
            param[:] = other
        y.backward(weights)
        grads.append(x.grad)
    assert np.array_equal(*grads)
