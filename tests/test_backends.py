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
