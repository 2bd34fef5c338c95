"""Operators and ufuncs record in all four orders of operands, with numbers and arrays of every kind."""

import copy
import operator

import numpy as np
import pytest

import tinygrad_mlp as tg
from tinygrad_mlp.errors import UnsupportedError
from tinygrad_mlp.graph import NODES

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
