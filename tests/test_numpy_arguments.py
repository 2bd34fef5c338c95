"""NumPy's arguments on nodes mean what they mean in NumPy, or are refused by name."""

import inspect

import numpy as np
import pytest

import tinygrad_mlp as tg
from tinygrad_mlp.errors import TinygradError
from tinygrad_mlp.graph import EVERYTHING, NODES, recording

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
    lambda x: np.clip(x, a_max=4.0, a_min=2.0),
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
    lambda x: np.sum(x, where=True),
    lambda x: np.max(x, axis=0, where=True),
    lambda x: np.mean(x, 1, None, None, where=True),
    lambda x: np.sum(x, axis=np.int64(0)),
    lambda x: np.max(x, axis=(np.int64(0), np.int8(-1))),
    lambda x: np.mean(x, axis=np.asarray(1)[()]),
    lambda x: np.var(x, np.int64(1)),
    lambda x: np.argmax(x, np.int64(1)),
    lambda x: np.reshape(x, np.prod(x.shape)),
    lambda x: np.reshape(x, (np.int64(2), -1)),
    lambda x: np.reshape(x, np.array([4, 3])),
    lambda x: np.expand_dims(x, np.int64(1)),
    lambda x: np.squeeze(np.expand_dims(x, 1), np.int64(1)),
    lambda x: np.swapaxes(x, np.int64(0), np.int64(1)),
    lambda x: np.transpose(x, np.array([1, 0])),
    lambda x: np.concatenate([x, x], np.int64(1)),
    lambda x: np.stack([x, x], np.int64(1)),
    lambda x: np.broadcast_to(x[:1, 0], np.int64(3)),
    lambda x: np.sum(x, where=X > 3),
    lambda x: np.sum(x, axis=0, where=np.array([True, False, True, True])),
    lambda x: np.sum(x, dtype=np.float32),
    lambda x: np.sum(x, 0, np.float32, None, True, 2.0, X > 3),
    lambda x: np.sum(x, initial=1.0),
    lambda x: np.add.reduce(x, initial=1.0),
    lambda x: np.add.reduce(x, axis=(), dtype=np.float32),
    lambda x: np.prod(x + 1, axis=1, dtype=np.float32, initial=2, where=X > 3),
    lambda x: np.max(x, initial=0.0),
    lambda x: np.max(x, axis=1, initial=5.5, where=X != 7),
    lambda x: np.min(x, axis=0, initial=5.5, where=X > 3),
    lambda x: np.maximum.reduce(x, axis=1, initial=7.5),
    lambda x: np.min(x[:0], axis=0, initial=3.0),
    lambda x: np.mean(x, axis=1, where=X != 2),
    lambda x: np.mean(x, dtype=np.float32),
    lambda x: np.var(x, axis=0, where=X != 2, ddof=1),
    lambda x: np.std(x, axis=1, where=X != 2, keepdims=True),
    lambda x: np.std(x, correction=1),
    lambda x: np.std(x, 1, None, None, 2),
    lambda x: np.any(x, axis=0),
    lambda x: np.all(x, where=X > 0),
    lambda x: np.any(x, axis=1, where=X > 9, keepdims=True),
    np.logical_and.reduce,
    lambda x: np.multiply.reduce(x, axis=1),
    lambda x: np.prod(x, axis=(0, 1), keepdims=True),
    lambda x: np.ptp(x, axis=1, keepdims=True),
    lambda x: np.average(x, axis=0, weights=[1.0, 2.0, 3.0]),
    np.nansum,
    lambda x: np.nanmax(x, axis=0),
    lambda x: np.nanstd(x, axis=0, ddof=1),
    np.cumsum,
    lambda x: np.cumsum(x, 1),
    lambda x: np.cumsum(x, axis=-2, dtype=np.float32),
    lambda x: np.cumprod(x, axis=1),
    np.add.accumulate,
    lambda x: np.maximum.accumulate(x, axis=1),
    lambda x: np.multiply.accumulate(x, 1),
    lambda x: np.cumulative_sum(x, axis=1, include_initial=True),
    lambda x: np.cumulative_prod(x[0], include_initial=True),
    lambda x: np.sort(-x, axis=0),
    lambda x: np.sort(x, None, kind="stable"),
    lambda x: np.argsort(-x, axis=1, stable=True),
    lambda x: np.partition(-x, 1, axis=0)[1],
    np.median,
    lambda x: np.median(x, axis=(0, 1), keepdims=True),
    lambda x: np.quantile(x, 0.3, axis=0, method="higher"),
    lambda x: np.percentile(x, [20, 50], axis=1),
    lambda x: np.nanpercentile(x, 25),
    lambda x: np.nanmedian(x, axis=1),
    lambda x: np.searchsorted(X[0], x),
    lambda x: np.digitize(x, X[0]),
    lambda x: np.flatnonzero(x > 3),
    lambda x: np.isin(x, [1.0, 2.0]),
    lambda x: np.quantile(x, 0.5, 0, None, False, "lower", True),
    lambda x: np.median(x, 1, None, False, True),
    lambda x: np.ptp(x, 0, None, True),
    lambda x: np.nansum(x, 0, None, None, True),
    lambda x: np.average(x, 0, None, True)[1],
    lambda x: np.argsort(-x, 0, "quicksort", None),
    np.argwhere,
    np.signbit,
    np.isreal,
    np.nanargmax,
    np.linalg.matrix_rank,
]


def test_an_upper_bound_alone_is_no_lower_bound():
    x = tg.Tensor(X)
    for y in (np.clip(x, a_max=4.0), np.clip(a=x, a_max=4.0), np.clip(x, max=4.0)):
        assert np.array_equal(y.data, np.minimum(X, 4.0))


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
    (lambda x: np.mean(x, out=np.zeros(4), axis=0), "np.mean: out="),
    (lambda x: np.var(x, mean=2.0), "np.var: mean="),
    (lambda x: np.max(x, where=X > 3), "max: where= needs initial="),
    (lambda x: np.sum(x, where=X), "sum: where= takes booleans"),
    (lambda x: np.mean(x, dtype=int), "mean: dtype="),
    (lambda x: np.cumsum(x, out=X), "np.cumsum: out="),
    (lambda x: np.add.accumulate(x, out=X), "np.add.accumulate: out="),
    (lambda x: np.sort(x, order="a"), "np.sort: order="),
    (lambda x: np.quantile(x, 0.5, weights=X), "np.quantile: weights="),
    (lambda x: np.quantile(x, 0.5, method="middle"), "quantile: method='middle'"),
    (lambda x: np.median(x, out=np.zeros(())), "np.median: out="),
    (lambda x: np.median(x, 1, np.zeros(3)), "np.median: out="),
    (lambda x: np.median(x, overwrite_input=True), "np.median: overwrite_input="),
    (lambda x: x.sum(dtype=np.float32, order="C"), "no argument 'order'"),
    (lambda x: np.sum(x, where=np.array([True, False])), "sum: where= of shape"),
    (lambda x: np.median(x, axis=1.5), "an axis is an integer, not 1.5"),
    (lambda x: np.sort(x, axis="a"), "an axis is an integer, not 'a'"),
    (lambda x: np.quantile(x, None), "quantile: q is None"),
    (lambda x: np.quantile(x, "a"), "'a'"),
    (lambda x: np.bincount(tg.Tensor([1, 2]), weights=x[0, :2]), "np.bincount: weights="),
    (lambda x: x.sort(), "tg.sort"),
    (lambda x: x.sum(out=np.zeros(())), "'out'"),
    (lambda x: np.clip(x, 0.0, 1.0, out=X), "np.clip: out="),
    (lambda x: np.concatenate([x], out=X), "np.concatenate: out="),
    (lambda x: np.stack([x], out=X), "np.stack: out="),
    (lambda x: np.reshape(x, -1, order="F"), "np.reshape: order="),
    (lambda x: np.exp(x, out=np.zeros((3, 4))), "np.exp: out="),
    (lambda x: np.exp(X, out=x), "np.exp: out="),
    (lambda x: np.exp(x, where=X > 3), "np.exp: where="),
    (lambda x: np.add(x, x, dtype=np.float32), "np.add: dtype="),
    (lambda x: np.add(x, x, casting="unsafe"), "np.add: casting="),
    (np.linalg.svd, "np.linalg.svd"),
    (np.linalg.cond, "np.linalg.cond"),
    (np.fft.fft, "np.fft.fft"),
    (lambda x: np.einsum("ij->i", x, out=np.zeros(3)), "np.einsum: out="),
    (lambda x: np.dot(x, X.T, np.zeros((3, 3))), r"np\.dot: .*out="),
    (lambda x: np.nextafter(x, x), "np.nextafter"),
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
