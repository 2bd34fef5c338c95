"""The rules run on any array library that keeps to the array API: shown row by row with its strict implementation."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from op_cases import samples
from strategies import FEW, ROWS, SMOOTH, call, leaves

import tinygrad_mlp as tg
from tinygrad_mlp.arrays import NAMESPACES, NUMPY, namespace
from tinygrad_mlp.backward import cotangents
from tinygrad_mlp.errors import DTypeError
from tinygrad_mlp.graph import NODES

xp = pytest.importorskip("array_api_strict", reason="array-api-strict is not installed")


def strict(x):
    return xp.asarray(x) if isinstance(x, np.ndarray) else x


def strict_params(params):
    """Params as the array API spells them."""
    if "index" in params:  # the standard wants every axis named, or an Ellipsis
        index = params["index"]
        index = index if isinstance(index, tuple) else (index,)
        return {**params, "index": index if Ellipsis in index else (*index, Ellipsis)}
    return {**params, "dtype": xp.float64} if "dtype" in params else params


def skip_what_the_standard_lacks(op, sample):
    """The array API has no masks beside other indices, no concatenation of nothing, and so on."""
    index = sample.params.get("index")
    parts = index if isinstance(index, tuple) else (index,)
    if any(isinstance(part, np.ndarray) for part in parts):
        assert op.name in ("getitem", "scatter")
        return True
    return any(part is None for part in parts) and index is not None


@pytest.mark.parametrize("op", ROWS.values(), ids=ROWS)
@FEW
@given(data=st.data())
def test_a_forward_rule_gives_the_same_in_another_library(op, data):
    sample = data.draw(samples(op))
    if op.random or skip_what_the_standard_lacks(op, sample):
        return
    if op.name.startswith("logical"):
        sample = sample._replace(operands=tuple(x.astype(bool) for x in sample.operands))
    expected = call(op, sample.operands, sample.params)
    y = call(op, [strict(x) for x in sample.operands], strict_params(sample.params))
    assert namespace(y).module is xp
    assert np.allclose(np.asarray(y), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("op", SMOOTH.values(), ids=SMOOTH)
@FEW
@given(data=st.data())
def test_a_vjp_gives_the_same_in_another_library(op, data):
    sample = data.draw(samples(op))
    if skip_what_the_standard_lacks(op, sample):
        return
    ours = leaves(sample)
    theirs = [tg.Tensor(strict(x.data)) if type(x) in NODES else strict(x) for x in ours]
    y, z = call(op, ours, sample.params), call(op, theirs, strict_params(sample.params))
    seed = np.random.default_rng(1).uniform(-1, 1, y.shape)
    expected, found = cotangents(y, seed), cotangents(z, xp.asarray(seed))
    for i in sample.wrt:
        g = found[theirs[i]]
        assert namespace(g).module is xp
        assert g.dtype == xp.float64
        assert np.allclose(np.asarray(g), expected[ours[i]], rtol=1e-12, atol=1e-12)


X = np.random.default_rng(3).permutation(12).reshape(3, 4) / 4 - 1.4
V, S, HOLED = X[0], X @ X.T + 3 * np.eye(3), np.where(X > 1, np.nan, X)
ROW, LABELS, PLACES = np.array([0, 2, 2]), np.array([1, 0, 3]), np.argsort(X, axis=1)
COMPOSED = [
    (tg.append, X, V), (tg.delete, X, ROW, 0), (tg.diag, V), (tg.diagonal, X, 1), (tg.einsum, "ii,ij->j", S, S),
    (tg.fill_diagonal, X, 2.0), (tg.flip, X, 0), (tg.insert, X, 1, V, 0), (tg.repeat, X, [1, 2, 0], 0),
    (tg.resize, X, (2, 9)), (tg.roll, X, 2, 1), (tg.rot90, X), (tg.split, X, 2, 1), (tg.trace, X), (tg.tril, X),
    (tg.triu, X, 1), (tg.unstack, X), (tg.cummax, X), (tg.nancumsum, HOLED), (tg.diff, X), (tg.gradient, X),
    (tg.gather, X, 1, PLACES), (tg.index_add, X, ROW, X), (tg.index_update, X, [0, 2], X[:2]),
    (tg.put_along_axis, X, PLACES, X), (tg.scatter_add, X, 1, PLACES, X), (tg.select, [X > 0], [X], 0),
    (tg.take, X, ROW, 1), (tg.compress, [True, False, True], X, 0), (tg.choose, [0, 1, 0, 1], [V, X[1]]),
    (tg.cross_entropy, X, LABELS, np.arange(1.0, 5.0)), (tg.nll_loss, X, LABELS), (tg.multi_margin_loss, X, LABELS),
    (tg.gaussian_nll_loss, X, X[::-1].copy(), np.exp(X)), (tg.rms_norm, X, (4,), V), (tg.layer_norm, X, (4,), V, V),
    (tg.norm, X, "nuc"), (tg.norm, X, 3, 1), (tg.slogdet, S), (tg.solve, S, X), (tg.matrix_power, S, -1),
    (tg.kron, X, V), (tg.tensordot, X, X, 2), (tg.cross, S, S[::-1].copy()), (tg.nanmean, HOLED), (tg.nanvar, HOLED, 1),
    (tg.ptp, X, 1), (tg.median, X, 1), (tg.quantile, X, [0.1, 0.5], 1), (tg.sort, X, 0), (tg.topk, X, 2),
    *((tg.pad, X, 1, mode) for mode in ("constant", "edge", "wrap", "reflect", "linear_ramp", "mean", "maximum")),
]  # fmt: skip


@pytest.mark.parametrize(("f", "args"), [(f, args) for f, *args in COMPOSED], ids=lambda x: getattr(x, "__name__", ""))
def test_a_composed_function_and_its_gradients_are_the_same_in_another_library(f, args):
    outcomes = []
    for asarray in (np.asarray, xp.asarray):
        ours = mapped(args, lambda x, asarray=asarray: tg.Tensor(asarray(x)) if x.dtype.kind == "f" else asarray(x))
        y = f(*ours)
        for part in y if isinstance(y, list | tuple) else [y]:
            if part.requires_grad:
                tg.sum(part * part + part).backward()
        outcomes.append([x for x in flat((y, ours)) if type(x) is tg.Tensor])
    assert outcomes[0]
    for a, b in zip(*outcomes, strict=True):
        for numbers, others in ((a.data, b.data), (a.grad, b.grad)):
            if numbers is not None:
                assert namespace(others).module is xp
                assert np.allclose(np.asarray(others), numbers, rtol=1e-12, atol=1e-12, equal_nan=True)


def mapped(x, f):
    """Nested lists with ``f`` of every array."""
    if isinstance(x, list | tuple):
        return [mapped(part, f) for part in x]
    return f(x) if isinstance(x, np.ndarray) else x


def flat(x):
    return [y for part in x for y in flat(part)] if isinstance(x, list | tuple) else [x]


def test_a_network_trains_in_another_library():
    rng = np.random.default_rng(0)
    data = [rng.normal(size=shape) for shape in ((5, 3), (3, 4), (4,), (4, 2))]
    losses = []
    for asarray in (np.asarray, xp.asarray):
        X, W, b, V = (tg.Tensor(asarray(x)) for x in data)
        loss = (tg.softmax(tg.tanh(X @ W + b) @ V)[:, 0] ** 2).mean()
        loss.backward()
        losses.append([float(loss.data), *(np.asarray(p.grad) for p in (W, b, V))])
    for a, b in zip(*losses, strict=True):
        assert np.allclose(a, b, rtol=1e-12)


def test_two_libraries_in_one_operation_are_refused():
    with pytest.raises(DTypeError, match="arrays of numpy and array_api_strict in one operation"):
        tg.add(np.ones(2), xp.ones(2))


def test_the_namespace_is_found_by_type_and_remembered():
    assert namespace(1.0, np.ones(2), 3) is NUMPY
    assert namespace(np.float32(1)) is NUMPY
    assert namespace(xp.ones(1)) is NAMESPACES[type(xp.ones(1))]
    with pytest.raises(DTypeError, match="object is no number and no array"):
        namespace(object())


def test_the_data_of_another_library_are_not_shared():
    given = xp.ones(2)
    t = tg.Tensor(given)
    given[0] = 5.0
    assert np.array_equal(np.asarray(t.data), [1.0, 1.0])
    t.sum().backward()
    g = t.grad
    (t * 2).sum().backward()
    assert np.array_equal(np.asarray(g), [1.0, 1.0])
    assert np.array_equal(np.asarray(t.grad), [3.0, 3.0])
