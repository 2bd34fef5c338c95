"""Reverse accumulation: sums over paths, and seeds."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_mlp as tg
from tinygrad_mlp.errors import DTypeError, GradientError, ShapeError

kinds = pytest.mark.parametrize("kind", [tg.Value, tg.Tensor])


# ------------------------------------------------------------------------------------------------------ sums over paths


@kinds
def test_a_node_used_several_times_collects_from_every_use(kind):
    x = kind(3.0)
    (x * x + x + x * x * x).backward()
    assert float(x.grad) == 6 + 1 + 27


@kinds
def test_a_chain_of_diamonds_doubles_at_each(kind):
    x = kind(1.0)
    y = x
    for _ in range(60):
        y = y + y
    y.backward()
    assert float(x.grad) == 2.0**60


@kinds
@given(edges=st.lists(st.tuples(st.integers(0, 99), st.integers(0, 99)), min_size=1, max_size=20))
def test_the_gradient_counts_the_paths(kind, edges):
    """In a graph of sums, the derivative in a leaf is the number of paths to it."""
    nodes, paths = [kind(1.0)], [1]
    for i, j in edges:
        i, j = i % len(nodes), j % len(nodes)
        nodes.append(nodes[i] + nodes[j])
        paths.append(paths[i] + paths[j])
    nodes[-1].backward()
    assert float(nodes[0].grad) == paths[-1]


@kinds
def test_gradients_of_several_outputs_add(kind):
    x = kind(3.0)
    (x * x).backward()
    (2 * x).backward()
    assert float(x.grad) == 8.0
    x.grad = None
    (x * x * x).backward()
    assert float(x.grad) == 27.0


@kinds
def test_a_leaf_is_its_own_derivative(kind):
    x = kind(3.0)
    x.backward()
    x.backward()
    assert float(x.grad) == 2.0
    assert type(x.grad) is (float if kind is tg.Value else np.ndarray)


@kinds
def test_what_the_output_does_not_depend_on_has_no_gradient(kind):
    x, y = kind(3.0), kind(4.0)
    z = y * 2
    (x * x).backward()
    assert y.grad is None
    assert z.grad is None


def test_values_and_tensors_meet_in_one_graph():
    v, t = tg.Value(3.0), tg.Tensor([1.0, 2.0])
    y = (v * v * t + tg.relu(v)).sum()
    assert type(y) is tg.Tensor
    y.backward()
    assert (v.grad, type(v.grad)) == (2 * 3 * 3 + 2.0, float)
    assert np.array_equal(t.grad, [9.0, 9.0])
    w = tg.Value(2.0)
    s = tg.tensor([w, w * w, v]).sum() * v
    s.backward()
    assert w.grad == 3.0 * 5


def test_a_tensor_of_values_keeps_their_gradients():
    a, b = tg.Value(2.0), tg.Value(5.0)
    t = tg.tensor([[a, a * b], [b, 1.0]])
    assert t.shape == (2, 2)
    (t @ t).sum().backward()
    h = 1e-6

    def f(a, b):
        m = np.array([[a, a * b], [b, 1.0]])
        return (m @ m).sum()

    assert np.isclose(a.grad, (f(2 + h, 5) - f(2 - h, 5)) / (2 * h))
    assert np.isclose(b.grad, (f(2, 5 + h) - f(2, 5 - h)) / (2 * h))


# ---------------------------------------------------------------------------------------------------------------- seeds


def test_an_output_of_several_elements_needs_a_seed_and_says_so():
    x = tg.Tensor([1.0, 2.0])
    with pytest.raises(GradientError, match=r"the output has shape \(2,\).*pass seed="):
        (x * x).backward()
    assert x.grad is None
    (x * x).backward(np.array([1.0, 10.0]))
    assert np.array_equal(x.grad, [2.0, 40.0])


@pytest.mark.parametrize("shape", [(), (1,), (1, 1)])
def test_one_element_needs_no_seed(shape):
    x = tg.Tensor(np.full(shape, 3.0))
    (x * x).backward()
    assert np.array_equal(x.grad, np.full(shape, 6.0))


@pytest.mark.parametrize("seed", [2.0, 2, np.float32(2), np.asarray(2.0), [[2.0]], np.array([2.0, 2.0])])
def test_a_seed_has_the_shape_of_the_output(seed):
    x = tg.Tensor([1.0, 2.0])
    if np.shape(seed) == (2,):
        (x * 3).backward(seed)
        assert np.array_equal(x.grad, [6.0, 6.0])
    else:
        with pytest.raises(ShapeError, match=r"the seed has shape .*, the output \(2,\)"):
            (x * 3).backward(seed)
    y = tg.Tensor(1.0)
    if np.shape(seed) == ():
        (y * 3).backward(seed)
        assert float(y.grad) == 6.0


@pytest.mark.parametrize("seed", [2.0, 2, np.float32(2), np.asarray(2.0), np.int64(2)])
def test_a_value_takes_any_single_number_as_seed(seed):
    v = tg.Value(1.0)
    (v * 3).backward(seed)
    assert (v.grad, type(v.grad)) == (6.0, float)


@pytest.mark.parametrize("seed", [1j, "1", np.array(1j), object(), None.__class__])
@kinds
def test_a_seed_is_a_real_number(kind, seed):
    with pytest.raises((DTypeError, ShapeError)):
        (kind(1.0) * 2).backward(seed)


def test_a_seed_is_not_kept():
    x = tg.Tensor([1.0, 2.0])
    seed = np.array([1.0, 1.0])
    y = x + 0.0
    y.backward(seed)
    x.backward(seed)
    seed[:] = 100.0
    assert np.array_equal(x.grad, [2.0, 2.0])
    x.grad[:] = 7.0
    assert np.array_equal(seed, [100.0, 100.0])


def test_a_seed_takes_the_dtype_of_the_output():
    x = tg.Tensor(np.ones(2, np.float32))
    (x * x).backward(np.array([1, 2]))
    assert x.grad.dtype == np.float32
    assert np.array_equal(x.grad, [2.0, 4.0])
