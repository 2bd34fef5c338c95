"""Neurons that share their tuples of weights and of values have the gradients of separate sums."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_mlp as tg
from tinygrad_mlp.backward import cotangents
from tinygrad_mlp.errors import ShapeError
from tinygrad_mlp.graph import EVERYTHING, recording
from tinygrad_mlp.tensors.value import neurons

INDEX = st.integers(0, 7)
STEPS = st.lists(
    st.tuples(st.sampled_from(["pair", "neuron", "neuron", "relu", "multiply"]), INDEX, INDEX, INDEX), max_size=12
)


def run(starts, steps, neuron):
    """Return the last result of a random program whose neurons draw their tuples from one pool."""
    nodes = [*starts, starts[0] * starts[1], starts[1] * starts[2]]
    pairs = [tuple(starts[:2]), tuple(nodes[3:])]
    for step, i, j, k in steps:
        a, b = nodes[i % len(nodes)], nodes[j % len(nodes)]
        if step == "pair":
            pairs.append((a, b))
        elif step == "multiply":
            nodes.append(tg.tanh(a * b))
        else:
            rows, values = (pairs[i % len(pairs)], nodes[k % len(nodes)]), pairs[j % len(pairs)]
            nodes.append(neuron(rows, values, step == "relu") * 0.25)
    return nodes[-1] + nodes[0] * nodes[1] * nodes[2]


def shared(row, values, rectify):
    return neurons([row], values, rectify)[0]


def separate(row, values, rectify):
    weights, bias = row
    y = bias
    for w, x in zip(weights, values, strict=True):
        y = y + w * x
    return tg.maximum(y, 0.0) if rectify else y


@given(steps=STEPS)
def test_shared_tuples_give_the_gradients_of_separate_sums(steps):
    starts = (0.5, -1.5, 0.75)
    ours, plain = [tg.Value(x) for x in starts], [tg.Value(x) for x in starts]
    y, z = run(ours, steps, shared), run(plain, steps, separate)
    assert math.isclose(y.data, z.data, rel_tol=1e-9, abs_tol=1e-9)
    by_table = cotangents(y)
    y.backward()
    z.backward()
    for a, b in zip(ours, plain, strict=True):
        assert math.isclose(a.grad, b.grad, rel_tol=1e-9, abs_tol=1e-9)
        assert math.isclose(a.grad, by_table[a], rel_tol=1e-9, abs_tol=1e-9)


@pytest.mark.parametrize("feeds", ["bias", "weights", "values"])
def test_a_neuron_may_feed_another_of_the_same_tuples(feeds):
    a, b = tg.Value(1.0), tg.Value(2.0)
    x, w, v = (a * b, a + b), (tg.Value(3.0), tg.Value(4.0)), (tg.Value(5.0), tg.Value(6.0))
    if feeds == "bias":
        y = neurons([(v, neurons([(w, tg.Value(0.5))], x)[0])], x)[0]
    elif feeds == "weights":
        y = neurons([((neurons([(w, tg.Value(0.5))], x)[0], v[0]), tg.Value(1.0))], x)[0]
    else:
        y = neurons([(x, tg.Value(1.0))], (neurons([(w, tg.Value(0.5))], x)[0], a))[0]
    expected = cotangents(y * 1.0)
    (y * 1.0).backward()
    assert (a.grad, b.grad) == (expected[a], expected[b])


@pytest.mark.parametrize("rectify", [False, True])
def test_neurons_obey_the_recording_mode(rectify):
    rows, values = [((tg.Value(2.0), tg.Value(-3.0)), tg.Value(1.0))], (tg.Value(5.0), 4.0)
    with tg.no_grad():
        (y,) = neurons(rows, values, rectify)
        assert (y.data, y.op, y.requires_grad) == (0.0 if rectify else -1.0, None, False)
    with recording(EVERYTHING):
        (z,) = neurons(rows, values, rectify)
    with tg.sources():
        (s,) = neurons(rows, values, rectify)
    assert s.source.startswith(__file__)
    assert (z.op, s.op) == ((tg.relu, tg.relu) if rectify else (tg.affine, tg.affine))
    with pytest.raises(ShapeError, match="2 values for 1 weights"):
        neurons([((tg.Value(2.0),), tg.Value(1.0))], values)


def test_neurons_of_constants_are_constants():
    c = tg.Value(2.0).detach()
    (y,) = neurons([((c, c), c)], (c, 1.0))
    assert not y.requires_grad
    (z,) = neurons([((tg.Value(3.0), c), c)], (c, 1.0))
    z.backward()
    assert z.inputs[0].grad == 2.0
    assert c.grad is None


def test_neurons_of_a_layer_match_the_op():
    xs = tuple(tg.Value(x) for x in (0.5, -1.0, 2.0))
    rows = [(tuple(tg.Value(0.1 * i + j) for j in range(3)), tg.Value(float(i))) for i in range(3)]
    for rectify in (False, True):
        for (weights, bias), y in zip(rows, neurons(rows, xs, rectify), strict=True):
            z = tg.affine([*weights, *xs, bias])
            z = tg.relu(z) if rectify else z
            assert math.isclose(y.data, z.data)
            found, expected = cotangents(y), cotangents(z)
            assert all(math.isclose(found[x], expected[x]) for x in (*weights, *xs, bias))


def test_neurons_whose_bias_is_constant_leave_the_others_their_weights():
    rows = [((tg.Value(1.0),), tg.Value(0.0).detach()), ((tg.Value(10.0),), tg.Value(0.5)), ((tg.Value(3.0),), 1.0)]
    outputs = neurons(rows, (2.0,))
    assert [node.data for node in outputs] == [2.0, 20.5, 7.0]
    outputs[1].backward()
    assert [rows[0][0][0].grad, rows[1][0][0].grad] == [None, 2.0]
