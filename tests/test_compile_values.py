"""A compiled function gives what the function itself gives: every row, random programs, first and second order."""

from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from op_cases import samples
from random_graphs import programs
from strategies import FEW, call

import tinygrad_mlp as tg
from tinygrad_mlp.compiler import layout, schedule
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
@FEW
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
@FEW
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


def test_a_slope_of_some_elements_is_multiplied_by_what_it_was_taken_in_and_by_another_array():
    def f(x, y):
        slope = tg.grad(lambda x: tg.sum(2.0 * tg.log(x[1:])))(x)
        return x * slope, y * slope

    x, y = np.array([1.0, 2.0, 4.0]), np.array([3.0, 5.0, 8.0])
    fast = tg.compile(f)
    for ours, theirs in zip(fast(x, y), ([0.0, 2.0, 2.0], [0.0, 5.0, 4.0]), strict=True):
        np.testing.assert_allclose(ours, theirs)


# -------------------------------------------------------------------------------------- blocks and layouts

SMALL = {"FUSED_BYTES": 16, "BLOCK_BYTES": 40}  # two elements run in blocks, of five elements at most


def small(switches):
    """A context in which small arrays are planned as long ones are."""
    patched = pytest.MonkeyPatch()
    if "blocks" in switches:
        for name, size in SMALL.items():
            patched.setattr(schedule, name, size)
    if "layout" in switches:
        patched.setattr(layout, "LONG", 2)
        patched.setattr(layout, "RATIO", 1)
    return patched


planned = pytest.mark.parametrize("switches", [("blocks",), ("layout",), ("blocks", "layout")], ids="+".join)


@planned
@given(program=programs(), donate=st.sampled_from([(), True]))
def test_random_programs_compile_in_blocks_and_layouts(switches, program, donate):
    def loss(xs):
        y = program(*xs)
        return tg.sum(y * y)

    def steps(xs):
        value, gradients = tg.value_and_grad(loss)(xs)
        return value, [x - 0.125 * g for x, g in zip(xs, gradients, strict=True)]

    fast = tg.compile(steps, donate=donate)
    patched = small(switches)
    try:
        with np.errstate(all="ignore"):
            for factor in (1.0, 0.5, 1.0):
                starts = [x * factor for x in program.starts]
                value, after = steps(starts)
                ours, own = fast([x.copy() for x in starts])
                assert_same(ours, value)
                for a, b in zip(own, after, strict=True):
                    assert_same(a, b)
    finally:
        patched.undo()


def reductions(ndim):
    axes = [None, *range(ndim), *([(0, ndim - 1)] if ndim > 1 else [])]
    return [
        (f, axis, keep) for f in (tg.sum, tg.max, tg.min, tg.mean, tg.prod) for axis in axes for keep in (False, True)
    ]


@planned
@pytest.mark.parametrize("shape", [(7,), (11, 3), (3, 11), (30, 2), (6, 6), (2, 5, 4), (30, 2, 3), (2, 3, 30)], ids=str)
@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.int64, np.int8, bool], ids=lambda d: d.__name__)
def test_reductions_of_blocks_take_every_axis(switches, shape, dtype):
    x = (np.random.default_rng(0).normal(size=shape) * 2).astype(dtype)
    kinds = reductions(len(shape))

    def f(x):
        y = (x & ~x) | x if dtype is bool else x * x - x
        return [r(y, axis=axis, keepdims=keep) for r, axis, keep in kinds if dtype is not bool or r is not tg.mean]

    patched = small(switches)
    try:
        fast = tg.compile(f)
        for given in (x, x[::-1], np.asfortranarray(x), np.zeros_like(x)):
            for ours, theirs in zip(fast(given), f(given), strict=True):
                assert_same(ours, np.asarray(plain(theirs)), *((1e-9, 1e-11) if dtype is np.float64 else (2e-5, 1e-5)))
    finally:
        patched.undo()


@pytest.mark.parametrize("switches", [(), ("blocks",)], ids=["whole", "blocks"])
@pytest.mark.parametrize("shape", [(2048, 2), (513, 8), (3, 512, 5), (4096, 1), (600, 9)], ids=str)
@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.int64, np.float16], ids=lambda d: d.__name__)
def test_reductions_of_many_short_rows(switches, shape, dtype):
    x = (np.random.default_rng(0).normal(size=shape) * 9).astype(dtype)

    def f(x):
        y = x * x - x
        return [r(y, axis=-1, keepdims=keep) for r in (tg.sum, tg.max, tg.min) for keep in (False, True)]

    patched = small(switches)
    try:
        fast = tg.compile(f)
        with_nan = np.where(x == x.flat[-1], np.nan, x) if dtype is np.float64 else x
        for given in (x, x[::-1], np.asfortranarray(x), with_nan):
            for ours, theirs in zip(fast(given), f(given), strict=True):
                assert_same(ours, np.asarray(plain(theirs)), rtol=1e-9 if dtype is np.float64 else 2e-3)
    finally:
        patched.undo()


class Operands(NamedTuple):
    x: Any
    row: Any
    column: Any
    square: Any


BROADCAST = {
    "row": lambda o: (o.x * 2) / (o.row * 3) + o.x,
    "column": lambda o: tg.tanh(o.x * o.column) - o.column,
    "centred": lambda o: (o.x * 2) - tg.mean(o.x * 2, axis=0),
    "centred rows": lambda o: (o.x * 2) - tg.mean(o.x * 2, axis=1, keepdims=True),
    "softmax": lambda o: tg.softmax(o.x * o.row, axis=1) * o.x,
    "by rows, read as a row": lambda o: (o.square * 2) / tg.sum(o.square * 2, axis=1),
    "by columns": lambda o: (o.square * 2) / tg.sum(o.square * 2, axis=0),
    "where": lambda o: tg.where(o.x > o.row, o.x * o.column, 0.0) + tg.where(o.x > 0, 0.0, o.row),
    "masks": lambda o: tg.sum(tg.where((o.x > o.row) & (o.x > o.column), o.x, -o.x), axis=0),
    "maximum": lambda o: tg.maximum(o.x * 1.5, 0.0) + tg.minimum(o.x, o.row),
    "transposed": lambda o: o.square.T * 2 + o.square,
    "shifted": lambda o: o.x[1:] * 2 - o.x[:-1] * o.row,
    "rows": lambda o: tg.concatenate([o.x * 2, o.x + o.row]) * 2,
    "outer": lambda o: tg.exp(o.column * o.row) @ o.square[:3, :3],
    "unit": lambda o: tg.exp(o.column[:1] * o.row) + o.x[:1],
}


@planned
@pytest.mark.parametrize("f", BROADCAST.values(), ids=BROADCAST)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_operands_of_other_shapes_run_beside_blocks(switches, f, dtype):
    rng = np.random.default_rng(1)
    xs = [rng.normal(size=shape).astype(dtype) for shape in ((11, 3), (3,), (11, 1), (11, 11))]
    xs[0][2, 1], xs[1][0] = np.inf, np.nan

    def both(*xs):
        return f(Operands(*xs)), tg.grad(lambda *xs: tg.sum(f(Operands(*xs)) ** 2), argnums=(0, 1, 2, 3))(*xs)

    patched = small(switches)
    try:
        fast = tg.compile(both, donate=True)
        with np.errstate(all="ignore"):
            for factor in (1, -2, 1):
                given = [x * factor for x in xs]
                value, gradients = both(*given)
                ours, own = fast(*[x.copy() for x in given])
                tolerances = (1e-9, 1e-11) if dtype is np.float64 else (2e-4, 1e-4)
                assert_same(ours, value, *tolerances)
                for a, b in zip(own, gradients, strict=True):
                    assert_same(a, b, *tolerances)
    finally:
        patched.undo()


def test_comparisons_of_floats_are_joined():
    f = tg.compile(lambda x: tg.where((x > 0.0) & (x < 1.0) | ~(x > -1.0), x, 0.0))
    assert [f(tg.Value(x)) for x in (0.7, 1.5, -0.5, -2.0)] == [0.7, 0.0, 0.0, -2.0]
