"""A compiled function gives what the function itself gives: every row, random programs, first and second order."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from op_cases import samples
from random_graphs import programs
from strategies import call

import tinygrad_mlp as tg
from tinygrad_mlp.graph import NODES
from tinygrad_mlp.table import OPS

DIFFERENTIABLE = {name: op for name, op in OPS.items() if op.differentiable}


def plain(x):
    return x.numpy() if type(x) in NODES else x


def assert_same(ours, theirs, rtol=1e-9, atol=1e-11):
    assert type(ours) is type(theirs) or np.ndim(theirs) == 0
    ours, theirs = np.asarray(plain(ours)), np.asarray(plain(theirs))
    assert ours.dtype == theirs.dtype
    assert ours.shape == theirs.shape
    np.testing.assert_allclose(ours, theirs, rtol=rtol, atol=atol)


@pytest.mark.parametrize("op", OPS.values(), ids=OPS)
@given(data=st.data())
def test_every_row_compiles(op, data):
    sample = data.draw(samples(op))
    if op.random:
        return
    fast = tg.compile(lambda *xs: call(op, xs, sample.params))
    with np.errstate(all="ignore"):
        for operands in (sample.operands, sample.operands):
            assert_same(fast(*operands), call(op, operands, sample.params))


@pytest.mark.parametrize("op", DIFFERENTIABLE.values(), ids=DIFFERENTIABLE)
@given(data=st.data())
def test_every_gradient_compiles(op, data):
    sample = data.draw(samples(op))
    places = [i for i in sample.wrt if isinstance(sample.operands[i], np.ndarray)]
    if not places or op.random:
        return

    def loss(*xs):
        y = call(op, xs, sample.params)
        return tg.sum(y * tg.sin(y) if y.dtype.kind == "f" else y)

    gradient = tg.grad(loss, argnums=places)
    fast = tg.compile(gradient)
    with np.errstate(all="ignore"):
        for _ in range(2):
            for ours, theirs in zip(fast(*sample.operands), gradient(*sample.operands), strict=True):
                assert_same(ours, theirs)


@given(programs())
def test_random_programs_compile_with_their_gradients(program):
    def loss(xs):
        y = program(*xs)
        return tg.sum(y * y)

    both = tg.value_and_grad(loss)
    fast = tg.compile(both)
    for starts in (list(program.starts), [x * 0.5 + 0.25 for x in program.starts], list(program.starts)):
        with np.errstate(all="ignore"):
            value, gradients = both(starts)
            ours, own = fast(starts)
        assert_same(ours, value)
        for a, b in zip(own, gradients, strict=True):
            assert_same(a, b)


@given(programs(max_steps=5))
def test_second_derivatives_compile(program):
    def loss(xs):
        y = program(*xs)
        return tg.sum(y * y)

    def along(xs):
        return tg.hvp(loss, xs, [x * 0 + 0.5 for x in xs])

    fast = tg.compile(along)
    with np.errstate(all="ignore"):
        for a, b in zip(fast(list(program.starts)), along(list(program.starts)), strict=True):
            assert_same(a, b, rtol=1e-7, atol=1e-9)


def test_an_element_is_read_in_every_call():
    def loss(x):
        return tg.square((x + x)[0])

    fast = tg.compile(lambda x: tg.hvp(loss, x, x * 0 + 0.5))
    for start in (0.0, 1.0):
        np.testing.assert_allclose(fast(np.array([start])), [4.0])
