"""Transforms: grad, vjp, jvp, jacobian, hessian and hvp, on every row and on nests of arguments."""

from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from op_cases import direction, samples
from strategies import FEW, SMOOTH, call
from test_ops import agree, noise, output, slope

import tinygrad_mlp as tg
from tinygrad_mlp.errors import GradientError
from tinygrad_mlp.graph import NODES

each_smooth_row = pytest.mark.parametrize("op", SMOOTH.values(), ids=SMOOTH)
A = np.array([[1.0, 2.0, -0.5], [0.25, -1.0, 3.0]])


def of_rows(op, sample):
    """A row as a function of the operands that are differentiated."""

    def f(*xs):
        operands = list(sample.operands)
        for i, x in zip(sample.wrt, xs, strict=True):
            operands[i] = x
        return call(op, operands, sample.params)

    return f, [sample.operands[i] for i in sample.wrt]


# ----------------------------------------------------------------------------------------------------- every row


@each_smooth_row
@FEW
@given(data=st.data())
def test_jvp_agrees_with_central_difference(op, data):
    sample = data.draw(samples(op))
    f, xs = of_rows(op, sample)
    ts = [direction(op, noise(i, x)) for i, x in enumerate(xs)]
    y, t = tg.jvp(f, tuple(xs), tuple(ts))
    assert np.array_equal(y, call(op, sample.operands, sample.params))
    parts = [(i, lambda z, i=i: output(op, sample, i, z), v) for i, v in zip(sample.wrt, ts, strict=True)]
    measured = sum(slope(g, sample.operands[i], v) for i, g, v in parts)
    assert np.shape(t) == np.shape(y)
    assert agree(measured, t)


@each_smooth_row
@FEW
@given(data=st.data())
def test_vjp_is_the_transpose_of_jvp(op, data):
    sample = data.draw(samples(op))
    f, xs = of_rows(op, sample)
    ts = [direction(op, noise(i, x)) for i, x in enumerate(xs)]
    y, t = tg.jvp(f, tuple(xs), tuple(ts))
    same, pullback = tg.vjp(f, *xs)
    assert np.array_equal(same, y)
    u = noise(99, y)
    assert agree(np.sum(u * t), sum(np.sum(g * v) for g, v in zip(pullback(u), ts, strict=True)))


@each_smooth_row
@FEW
@given(data=st.data())
def test_forward_over_reverse_agrees_with_central_difference(op, data):
    """A Hessian-vector product: jvp of grad, with the other operands constant."""
    sample = data.draw(samples(op))
    i = data.draw(st.sampled_from(sample.wrt))
    f, (x,) = of_rows(op, sample._replace(wrt=(i,)))
    u = noise(5, call(op, sample.operands, sample.params))
    gradient = tg.grad(lambda z: (f(z) * u).sum())
    v = direction(op, noise(6, x))
    h = tg.hvp(lambda z: (f(z) * u).sum(), x, v)
    assert h.shape == np.shape(x)
    assert agree(slope(gradient, x, v), h, scale=np.abs(u).sum())


# ------------------------------------------------------------------------------------------------ values and classes


@pytest.mark.parametrize("x", [2.0, 2, np.float64(2), np.asarray(2.0), tg.Value(2.0), tg.Tensor(2.0)], ids=repr)
def test_results_are_plain(x):
    value, g = tg.value_and_grad(lambda x: x**3)(x)
    assert type(value) not in NODES
    assert type(g) not in NODES
    assert (float(value), float(g)) == (8.0, 12.0)
    if type(x) in (float, int):
        assert (type(value), type(g)) == (float, float)
    assert getattr(x, "grad", None) is None
    value, pullback = tg.vjp(lambda x: x**3, x)
    assert type(value) not in NODES
    assert type(pullback(value * 0 + 1)[0]) not in NODES
    assert all(type(y) not in NODES for y in tg.jvp(lambda x: x**3, (x,), (x,)))


def test_a_gradient_has_the_dtype_and_memory_of_its_own():
    x = A.astype(np.float32)
    g = tg.grad(lambda x: (x * 2.0).sum())(x)
    assert (type(g), g.dtype, g.flags.writeable) == (np.ndarray, np.float32, True)
    g = tg.grad(lambda x: x.sum())(A)
    g[0, 0] = 5.0
    assert tg.grad(lambda x: x.sum())(A)[0, 0] == 1.0
    both = tg.grad(lambda x, y: (x + y).sum(), argnums=(0, 1))(A, A)
    assert not np.shares_memory(*both)
    _, t = tg.jvp(lambda x: x, (A,), (A,))
    assert not np.shares_memory(t, A)
    assert tg.jacobian(lambda x: x * 2)(x).dtype == np.float32


def test_an_argument_is_not_changed_nor_seen_by_later_writes():
    x = A.copy()
    _, pullback = tg.vjp(lambda x: x * x, x)
    x[...] = 0.0
    assert np.array_equal(pullback(np.ones_like(A))[0], 2 * A)


def test_several_arguments():
    def f(a, b, c):
        return a * b + c

    assert tg.grad(f, argnums=1)(2.0, 3.0, 4.0) == 2.0
    assert tg.grad(f, argnums=-1)(2.0, 3.0, 4.0) == 1.0
    assert tg.grad(f, argnums=(2, 0))(2.0, 3.0, 4.0) == (1.0, 3.0)
    assert tg.grad(lambda a, *, scale: a * scale)(2.0, scale=5.0) == 5.0
    assert tg.grad(lambda a, n: a * n)(2.0, 3) == 3.0
    with pytest.raises(GradientError, match="argnums 3"):
        tg.grad(f, argnums=3)(1.0, 2.0, 3.0)


def test_an_unused_argument_has_zero_gradient():
    assert tg.grad(lambda a, _b: a, argnums=(0, 1))(2.0, A) == (1.0, pytest.approx(np.zeros_like(A)))
    assert tg.grad(lambda _a: 3.0)(2.0) == 0.0
    assert np.array_equal(tg.grad(lambda a: (a > 0).sum() * 1.0)(A), np.zeros_like(A))
    assert tg.jvp(lambda _a: 3.0, (2.0,), (1.0,)) == (3.0, 0.0)
    assert np.array_equal(tg.jacobian(lambda _a: np.ones(2))(A), np.zeros((2, 2, 3)))
    assert type(tg.jacobian(lambda _a: 3.0)(2.0)) is float
    assert tg.jacobian(lambda _a: np.ones(2))(2.0).shape == (2,)
    assert np.array_equal(tg.hessian(lambda a: a.sum())(A), np.zeros((2, 3, 2, 3)))
    assert np.array_equal(tg.hvp(lambda a: a.sum(), A, A), np.zeros_like(A))


class Pair(NamedTuple):
    weight: object
    bias: object


def test_nests_of_arguments_come_back_as_they_were():
    nest = {"layers": [Pair(A, np.ones(2)), Pair(A.T, 2.0)], "scale": (3.0, None)}

    def f(nest):
        first, second = nest["layers"]
        return (second.weight @ first.weight).sum() * nest["scale"][0] + first.bias.sum() * second.bias

    g = tg.grad(f)(nest)
    assert type(g["layers"][0]) is Pair
    assert g["scale"][1] is None
    assert np.array_equal(g["layers"][0].bias, [2.0, 2.0])
    assert g["layers"][1].bias == 2.0
    assert g["scale"][0] == pytest.approx((A.T @ A).sum())
    assert np.allclose(g["layers"][0].weight, 3 * np.repeat(A.T.sum(axis=0)[:, None], 3, axis=1))


def test_nests_of_outputs():
    y, pullback = tg.vjp(lambda x: {"double": x * 2, "rest": [x.sum(), 3.0]}, A)
    assert np.array_equal(y["double"], 2 * A)
    assert y["rest"][1] == 3.0
    (g,) = pullback({"double": np.ones_like(A), "rest": [10.0, 1.0]})
    assert np.array_equal(g, np.full_like(A, 12.0))
    y, t = tg.jvp(lambda x: (x * 2, x.sum()), (A,), (np.ones_like(A),))
    assert np.array_equal(t[0], np.full_like(A, 2.0))
    assert t[1] == 6.0
    j = tg.jacobian(lambda x: {"a": x * 2, "b": x.sum()})(np.ones(2))
    assert np.array_equal(j["a"], 2 * np.eye(2))
    assert np.array_equal(j["b"], [1.0, 1.0])


# ------------------------------------------------------------------------------------------------------ whole matrices


@pytest.mark.parametrize(
    ("f", "shape"),
    [
        (lambda x: tg.softmax(x, axis=-1), (2, 3)),
        (lambda x: tg.concatenate([x, x * x]), (2, 2)),  # more outputs than inputs: column by column
        (lambda x: x.sum(axis=0), (3, 2)),
        (lambda x: x[0], (3,)),
        (lambda x: x * x, ()),
        (lambda x: tg.stack([x, x * 2.0]), ()),
        (lambda x: x @ A, (2,)),
        (lambda x: x.reshape(-1)[:0], (2, 2)),
    ],
)
def test_a_jacobian_agrees_with_central_differences(f, shape):
    x = noise(3, np.zeros(shape))
    j = tg.jacobian(f)(x)
    columns = [slope(f, x, e.reshape(shape)) for e in np.eye(x.size)]
    expected = np.stack(columns, axis=-1).reshape(np.shape(f(x)) + shape)
    assert np.shape(j) == expected.shape
    assert np.allclose(j, expected)


def test_jacobians_of_several_arguments():
    ja, jb = tg.jacobian(lambda a, b: a @ b, argnums=(0, 1))(A, A.T)
    assert (ja.shape, jb.shape) == ((2, 2, 2, 3), (2, 2, 3, 2))
    assert tg.jacobian(lambda a: a * 2)(3.0) == 2.0


def test_a_hessian_is_symmetric_and_agrees_with_products():
    def f(x):
        return tg.logsumexp(x @ np.array([1.0, -2.0, 0.5]) * x.sum(axis=1)) + (x**3).sum()

    h = tg.hessian(f)(A)
    assert h.shape == (2, 3, 2, 3)
    square = h.reshape(6, 6)
    assert np.allclose(square, square.T)
    v = noise(1, A)
    assert np.allclose(tg.hvp(f, A, v), np.tensordot(h, v, axes=2))
    gradient = tg.grad(f)
    assert np.allclose(slope(gradient, A, v), np.tensordot(h, v, axes=2))
    assert tg.hessian(lambda x: x**3)(2.0) == 12.0
