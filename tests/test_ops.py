"""Every row of the op table: its gradient, its second derivative, its dtypes, its memory, and what its rules read."""

import inspect
import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from op_cases import CASES, direction, samples
from strategies import FEW, ROWS, SMOOTH, Call, call, leaves

import tinygrad_mlp as tg
from tinygrad_mlp.backward import cotangents
from tinygrad_mlp.graph import NODES

STEP = 2e-4
each_row = pytest.mark.parametrize("op", ROWS.values(), ids=ROWS)
each_smooth_row = pytest.mark.parametrize("op", SMOOTH.values(), ids=SMOOTH)


def noise(seed, like):
    return np.random.default_rng(seed).uniform(-1, 1, np.shape(like))


def slope(f, x, direction):
    """The derivative of ``f`` at ``x`` along a direction, measured by five-point central differences."""
    near, far = (f(x + h * direction) - f(x - h * direction) for h in (STEP, 2 * STEP))
    return (8 * near - far) / (12 * STEP)


def output(op, sample, i, x):
    """The values of ``op`` with operand ``i`` replaced by the array ``x``."""
    operands = list(sample.operands)
    operands[i] = x
    return np.asarray(call(op, operands, sample.params))


def gradients(op, operands, params, seed):
    """What each tensor among the operands gets from a seed."""
    y = call(op, operands, params)
    found = cotangents(y, np.asarray(seed, y.dtype))
    return [found[x] for x in operands if type(x) in NODES]


def agree(a, b, scale=1.0):
    return np.abs(a - b).max(initial=0.0) <= 2e-8 * (scale + np.abs(a).max(initial=0.0))


def test_every_row_has_inputs_to_be_tested_with():
    assert [name for name, op in ROWS.items() if not op.elementwise and name not in CASES] == []
    assert set(CASES) <= set(ROWS)


@each_row
def test_a_row_documents_itself(op):
    assert op.__doc__ is not None
    assert op.symbol
    assert op.latex
    shown = inspect.signature(op).parameters
    assert "xp" not in shown
    assert set(op.param_names) <= set(shown)


def test_a_signature_shows_what_a_call_takes():
    words = (
        str(inspect.signature(tg.stack)),
        str(inspect.signature(tg.cumsum)),
        list(inspect.signature(tg.std).parameters),
    )
    assert words[0] == "(arrays: Any, /, axis: int = 0) -> Any"
    assert words[1].endswith("axis: int | None = None, *, dtype: Any = None) -> Any")
    assert words[2] == ["x", "axis", "ddof", "keepdims", "correction", "dtype", "where"]


@each_smooth_row
@given(data=st.data())
def test_vjp_agrees_with_central_difference(op, data):
    """<u, J v> is the same whether J v is measured or J^T u is derived."""
    sample = data.draw(samples(op))
    seed = data.draw(st.integers(0, 1000))
    wrt = data.draw(st.sampled_from([sample.wrt, *((i,) for i in sample.wrt)]))  # the others are constants
    sample = sample._replace(wrt=wrt)
    operands = leaves(sample)
    y = call(op, operands, sample.params)
    u = noise(seed, y.data)
    found = cotangents(y, u)
    for i in wrt:
        x = sample.operands[i]
        v = direction(op, noise(seed + 1 + i, x))
        measured = np.sum(u * slope(lambda z, i=i: output(op, sample, i, z), x, v))
        derived = np.sum(found[operands[i]] * v)
        assert agree(measured, derived, scale=np.abs(u).sum()), (i, measured, derived)


@each_smooth_row
@FEW
@given(data=st.data())
def test_the_gradient_of_the_gradient_agrees_with_central_difference(op, data):
    sample = data.draw(samples(op))
    seed = data.draw(st.integers(0, 1000))
    operands = leaves(sample)
    y = call(op, operands, sample.params)
    u = tg.Tensor(noise(seed, y.data))
    first = cotangents(y, u, create_graph=True)
    projections = [direction(op, noise(seed + 1 + i, sample.operands[i])) for i in sample.wrt]
    nodes = [operands[i] for i in sample.wrt]
    s = sum(((first[x] * v).sum() for x, v in zip(nodes, projections, strict=True)), start=tg.Tensor(0.0))

    def projected(changed, at):
        new = list(sample.operands)
        new[changed] = at
        found = gradients(op, leaves(sample._replace(operands=tuple(new))), sample.params, u.data)
        return sum(np.sum(g * v) for g, v in zip(found, projections, strict=True))

    second = cotangents(s) if s.requires_grad else {}
    for i, x in zip(sample.wrt, nodes, strict=True):
        v = direction(op, noise(seed + 9, x.data))
        measured = slope(lambda z, i=i: projected(i, z), sample.operands[i], v)
        derived = np.sum(second.get(x, 0.0) * v)
        assert agree(measured, derived, scale=np.abs(u.data).sum()), (i, measured, derived)
    along = sum(
        slope(lambda z, i=i: output(op, sample, i, z), sample.operands[i], v)
        for i, v in zip(sample.wrt, projections, strict=True)
    )
    assert agree(along, second.get(u, 0.0))  # d<J^T u, v>/du = J v: this is also how a jvp is derived


@each_smooth_row
@FEW
@given(data=st.data())
def test_gradients_have_the_shape_and_dtype_of_their_operand_and_memory_of_their_own(op, data):
    sample = data.draw(samples(op))
    operands = leaves(sample)
    y = call(op, operands, sample.params)
    seed = np.ones(y.shape)
    y.backward(seed)
    tensors = [x for x in operands if type(x) in NODES]
    arrays = [seed, y._payload, *(x._payload for x in tensors), *(x for x in operands if isinstance(x, np.ndarray))]
    for x in tensors:
        assert type(x.grad) is np.ndarray
        assert (x.grad.shape, x.grad.dtype) == (x.shape, x.dtype)
        assert x.grad.flags.writeable
        assert x.grad.flags.owndata
    for a, b in itertools.product((x.grad for x in tensors), arrays):
        assert not np.shares_memory(a, b)
    for a, b in itertools.combinations([x.grad for x in tensors], 2):
        assert not np.shares_memory(a, b)


@each_smooth_row
@FEW
@given(data=st.data())
def test_backward_twice_adds_exactly_the_same_again(op, data):
    sample = data.draw(samples(op))
    operands = leaves(sample)
    y = call(op, operands, sample.params)
    u = noise(data.draw(st.integers(0, 1000)), y.data)
    y.backward(u)
    once = [operands[i].grad.copy() for i in sample.wrt]
    y.backward(u)
    for i, g in zip(sample.wrt, once, strict=True):
        assert np.array_equal(operands[i].grad, g + g)


@each_row
@FEW
@given(data=st.data())
def test_float32_stays_float32(op, data):
    if op.name == "astype":
        return
    sample = data.draw(samples(op))
    floats = [x.astype(np.float32) if x is not None and x.dtype.kind == "f" else x for x in sample.operands]
    plain = call(op, floats, sample.params)
    if np.asarray(plain).dtype.kind == "f":
        assert plain.dtype == np.float32
    if not op.differentiable:
        return
    operands = leaves(sample._replace(operands=tuple(floats)), np.float32)
    y = call(op, operands, sample.params)
    assert y.dtype == np.float32
    exact = gradients(op, leaves(sample), sample.params, np.ones(y.shape))
    for g, e in zip(gradients(op, operands, sample.params, np.ones(y.shape)), exact, strict=True):
        assert g.dtype == np.float32
        assert np.allclose(g, e, rtol=2e-4, atol=2e-5)


@each_smooth_row
@FEW
@given(data=st.data())
def test_rules_read_no_more_than_they_say(op, data):
    """What a rule names with a leading underscore may become NaN after the forward pass."""
    sample = data.draw(samples(op))
    wrt = data.draw(st.sampled_from([sample.wrt, *((i,) for i in sample.wrt)]))
    sample = sample._replace(wrt=wrt)
    operands = leaves(sample)
    y = call(op, operands, sample.params)
    u = noise(1, y.data)
    expected = [cotangents(y, u)[operands[i]] for i in wrt]
    for i, x in enumerate(operands):
        if type(x) in NODES:
            if not op.is_read(i, y.inputs):
                x._payload[...] = np.nan
        elif x is not None and x.dtype.kind == "f":
            x[...] = np.nan  # the caller's own array: copied where it is read
        elif x is not None:
            x[...] = 0
    if not reads_output(op, wrt):
        y._payload = np.full_like(y._payload, np.nan)
    for i, g in zip(wrt, expected, strict=True):
        assert np.array_equal(cotangents(y, u)[operands[i]], g), i


def reads_output(op, wrt):
    """Whether a rule names the output without an underscore."""
    rules = [(op.joint_vjp, 2), (op.argnum_vjp, 2), *((op.vjps[i], 1) for i in wrt if i < len(op.vjps))]
    return any(not rule.__code__.co_varnames[at].startswith("_") for rule, at in rules if rule is not None)


@each_smooth_row
@FEW
@given(data=st.data())
def test_vjps_are_linear_in_the_cotangent(op, data):
    sample = data.draw(samples(op))
    operands = leaves(sample)
    y = call(op, operands, sample.params)
    u, v = noise(1, y.data), noise(2, y.data)
    for i in sample.wrt:
        x = operands[i]
        both = cotangents(y, 2 * u - 3 * v)[x]
        assert agree(both, 2 * cotangents(y, u)[x] - 3 * cotangents(y, v)[x])


@each_smooth_row
@FEW
@given(data=st.data())
def test_a_row_marked_linear_is_linear_in_all_operands_jointly(op, data):
    if not op.linear:
        return
    a: Call = data.draw(samples(op))
    b = [noise(i, x) for i, x in enumerate(a.operands)]
    both = call(op, [2 * x - 3 * z for x, z in zip(a.operands, b, strict=True)], a.params)
    assert agree(both, 2 * call(op, a.operands, a.params) - 3 * call(op, b, a.params))
