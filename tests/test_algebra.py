"""What holds of derivatives whatever the function: on random graphs, and for every row."""

import numpy as np
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from op_cases import samples
from random_graphs import Program, Step, gradient, is_smooth, programs, values, variables
from strategies import FEW, SMOOTH, call

import tinygrad_mlp as tg

each_smooth_row = pytest.mark.parametrize("op", SMOOTH.values(), ids=SMOOTH)
ELEMENTWISE = {name: op for name, op in SMOOTH.items() if op.elementwise and op.arity}
each_elementwise_row = pytest.mark.parametrize("op", ELEMENTWISE.values(), ids=ELEMENTWISE)


def noise(seed, like):
    return np.random.default_rng(seed).uniform(-1, 1, np.shape(like))


def close(a, b, digits=9):
    scale = max(np.abs(a).max(initial=1.0), np.abs(b).max(initial=1.0))
    return np.shape(a) == np.shape(b) and np.all(np.abs(np.subtract(a, b)) <= 10.0**-digits * scale)


# -------------------------------------------------------------------------------------------------------- random graphs


@given(program=programs(), seed=st.integers(0, 99))
@example(Program((np.array(0.0),), (Step("where", (0,), {"mask": np.array(False)}),)), 0)
def test_gradients_are_those_of_numbers_that_carry_their_derivatives(program, seed):
    leaves = [tg.Tensor(x) for x in program.starts]
    y = program(*leaves)
    duals = program.results([variables(x, i) for i, x in enumerate(program.starts)], naive=True)[-1]
    assert close(y.data, values(duals))
    u = noise(seed, y.data)
    y.backward(u)
    for i, x in enumerate(leaves):
        expected = gradient(duals, u, i, x.shape)
        if x.grad is None:
            assert expected is None or not expected.any()
        else:  # what `where` does not select is reached, by zeros
            assert close(x.grad, np.zeros(x.shape) if expected is None else expected)


@given(program=programs(scalar=True))
def test_values_tensors_and_their_elements_agree_on_any_graph(program):
    """One graph of floats, of 0-d arrays, and three times side by side in one array."""
    kinds = (tg.Value, tg.Tensor, lambda x: tg.Tensor(np.full(3, x)))
    grads = []
    for kind in kinds:
        leaves = [kind(x) for x in program.starts]
        y = program(*leaves)
        y.backward(np.ones(y.shape))
        grads.append([y.numpy(), *(x.grad if x.grad is not None else np.zeros(x.shape) for x in leaves)])
    for v, t, side in zip(*grads, strict=True):
        assert close(v, t, digits=13)
        assert close(np.broadcast_to(t, 3), side, digits=13)


@given(program=programs(scalar=True))
def test_a_second_derivative_is_the_same_on_values_and_tensors(program):
    assume(is_smooth(program))
    hessians = [tg.hessian(lambda *xs: tg.sum(program(*xs)))(*map(kind, program.starts)) for kind in (float, np.array)]
    assert close(*hessians, digits=11)


@given(program=programs(), seed=st.integers(0, 99))
def test_a_pullback_is_the_transpose_of_a_pushforward(program, seed):
    ws = [noise(seed + i, x) for i, x in enumerate(program.starts)]
    y, tangent = tg.jvp(program, program.starts, ws)
    v = noise(seed + 9, y)
    pulled = tg.vjp(program, *program.starts)[1](v)
    assert close(np.sum(v * tangent), sum(np.sum(g * w) for g, w in zip(pulled, ws, strict=True)))


@FEW
@given(program=programs(), seed=st.integers(0, 99))
def test_a_pushforward_is_a_pullback_transposed(program, seed):
    """J w is the gradient of <Jᵀu, w> in u."""
    assume(is_smooth(program))
    ws = [noise(seed + i, x) for i, x in enumerate(program.starts)]
    y, tangent = tg.jvp(program, program.starts, ws)

    def paired(u):
        pulled = tg.vjp(program, *map(tg.Tensor, program.starts))[1](u)
        return sum((tg.sum(g * w) for g, w in zip(pulled, ws, strict=True)), start=tg.sum(u * 0.0))

    assert close(tg.grad(paired)(noise(seed + 9, y)), tangent)


@given(program=programs(min_side=1), cut=st.integers(0, 99), seed=st.integers(0, 99))
def test_the_chain_rule_holds_wherever_a_program_is_cut(program, cut, seed):
    n = len(program.starts)
    cut %= len(program.steps)
    head, tail = program._replace(steps=program.steps[:cut]), program._replace(steps=program.steps[cut:])
    middle, first = tg.vjp(lambda *xs: head.results(xs), *program.starts)
    y, second = tg.vjp(lambda *zs: tail.results(zs)[-1], *middle)
    v = noise(seed, y)
    assert len(middle) == n + cut
    for a, b in zip(first(list(second(v))), tg.vjp(program, *program.starts)[1](v), strict=True):
        assert close(a, b)


@FEW
@given(program=programs())
def test_a_jacobian_is_the_same_by_rows_and_by_columns(program):
    y = program(*program.starts)
    for i, x in enumerate(program.starts):
        rows = np.asarray(tg.jacobian(program, argnums=i)(*program.starts)).reshape(y.size, x.size)
        for j in range(x.size):
            ts = [np.zeros(z.shape) for z in program.starts]
            ts[i].reshape(-1)[j] = 1.0
            column = tg.jvp(program, program.starts, ts)[1]
            assert close(np.ravel(column), rows[:, j])


@FEW
@given(program=programs(), seed=st.integers(0, 99))
def test_a_hessian_is_symmetric_and_the_order_of_derivatives_is_free(program, seed):
    assume(is_smooth(program))
    u = noise(seed, program(*program.starts))

    def f(*xs):
        return tg.sum(program(*xs) * u)

    n = len(program.starts)
    a, b = 0, n - 1
    xs = program.starts
    hessian = np.asarray(tg.hessian(f)(*xs)).reshape(xs[0].size, xs[0].size)
    assert close(hessian, hessian.T)
    first = np.asarray(tg.jacobian(tg.grad(f, argnums=a), argnums=b)(*xs)).reshape(xs[a].size, xs[b].size)
    second = np.asarray(tg.jacobian(tg.grad(f, argnums=b), argnums=a)(*xs)).reshape(xs[b].size, xs[a].size)
    assert close(first, second.T)
    v = noise(seed + 1, xs[0])
    product = tg.hvp(lambda x: f(x, *xs[1:]), xs[0], v)
    assert close(np.ravel(product), hessian @ v.reshape(-1))


# ---------------------------------------------------------------------------------------------------------- single rows


@each_smooth_row
@FEW
@given(data=st.data())
def test_pushed_and_pulled_pairings_agree(op, data):
    """<v, J w> = <Jᵀv, w>, through the transforms, in all operands together."""
    sample = data.draw(samples(op))
    if not sample.wrt:
        return

    def f(*xs):
        operands = list(sample.operands)
        for i, x in zip(sample.wrt, xs, strict=True):
            operands[i] = x
        return call(op, operands, sample.params)

    xs = tuple(sample.operands[i] for i in sample.wrt)
    ws = tuple(noise(i, x) for i, x in enumerate(xs))
    y, tangent = tg.jvp(f, xs, ws)
    v = noise(9, y)
    pulled = tg.vjp(f, *xs)[1](v)
    left, right = np.sum(v * tangent), sum(np.sum(g * w) for g, w in zip(pulled, ws, strict=True))
    assert abs(left - right) <= 1e-10 * (1 + np.abs(v * tangent).sum())


def grads(op, sample, operands):
    """What the differentiated operands get, from a cotangent that depends on the value alone."""
    nodes = [tg.Tensor(x) if i in sample.wrt else x for i, x in enumerate(operands)]
    y = call(op, nodes, sample.params)
    y.backward(np.cos(3 * y.data))
    return y.numpy(), {i: nodes[i].grad for i in sample.wrt}


@each_elementwise_row
@FEW
@given(data=st.data())
def test_broadcasting_is_the_same_as_repeating_first(op, data):
    """An operand that is broadcast gets the sum of what its copies would get, for leading axes and axes of length 1."""
    sample = data.draw(samples(op))
    shapes = [np.shape(x) for x in sample.operands if x is not None]
    full = np.broadcast_shapes(*shapes)
    repeated = [None if x is None else np.broadcast_to(x, full).copy() for x in sample.operands]
    y, narrow = grads(op, sample, sample.operands)
    z, wide = grads(op, sample, repeated)
    assert y.shape == full
    assert np.array_equal(y, z)
    for i in sample.wrt:
        x = sample.operands[i]
        lead = len(full) - x.ndim
        axes = tuple(j for j in range(len(full)) if j < lead or x.shape[j - lead] != full[j])
        assert close(narrow[i], wide[i].sum(axis=axes, keepdims=True).reshape(x.shape), digits=12)


@each_elementwise_row
@FEW
@given(data=st.data())
def test_an_elementwise_row_does_not_mind_the_order_of_elements(op, data):
    """Reversed operands give reversed results and gradients; a number beside an array is an array of that number."""
    sample = data.draw(samples(op))
    shapes = [np.shape(x) for x in sample.operands if x is not None]
    full = np.broadcast_shapes(*shapes)
    flat = [None if x is None else np.broadcast_to(x, full).reshape(-1) for x in sample.operands]
    order = np.random.default_rng(data.draw(st.integers(0, 99))).permutation(int(np.prod(full)))
    y, straight = grads(op, sample, flat)
    z, mixed = grads(op, sample, [None if x is None else x[order] for x in flat])
    assert close(y[order], z, digits=14)
    for i in sample.wrt:
        assert close(straight[i][order], mixed[i], digits=13)
