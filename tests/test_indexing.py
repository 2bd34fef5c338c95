"""Methods and indices of a tensor are NumPy's."""

import numpy as np
import pytest

import tinygrad_mlp as tg
from tinygrad_mlp.errors import (
    IndexingError,
)

kinds = pytest.mark.parametrize("kind", [tg.Value, tg.Tensor])
X = np.arange(6.0).reshape(2, 3)


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
