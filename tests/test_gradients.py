"""Gradients as the user finds them: what is kept, how they add up, and gradients of gradients."""

import numpy as np
import pytest

import tinygrad_mlp as tg
from tinygrad_mlp.backward import cotangents
from tinygrad_mlp.errors import DTypeError, GradientError, ShapeError
from tinygrad_mlp.graph import mode

kinds = pytest.mark.parametrize("kind", [tg.Value, tg.Tensor])


# --------------------------------------------------------------------------------------------------------- what is kept


def test_interior_values_get_a_fresh_gradient():
    x = tg.Value(2.0)
    y = x * x
    z = y * 3
    z.backward()
    z.backward()
    assert (z.grad, y.grad, x.grad) == (1.0, 3.0, 24.0)


def test_interior_tensors_keep_theirs_on_request():
    x = tg.Tensor([2.0, 3.0])
    y = x * x
    z = y.sum()
    z.backward()
    assert y.grad is None
    z.backward(keep="all")
    z.backward(keep="all")
    assert np.array_equal(y.grad, [1.0, 1.0])
    assert np.array_equal(z.grad, 1.0)
    assert np.array_equal(x.grad, [12.0, 18.0])
    assert not np.shares_memory(y.grad, x.grad)
    with pytest.raises(GradientError, match="choose 'leaves' or 'all'"):
        z.backward(keep="some")


@kinds
def test_a_gradient_is_plain_and_writable(kind):
    x = kind(2.0)
    (x * x).backward()
    assert type(x.grad) is (float if kind is tg.Value else np.ndarray)
    x.grad += 1
    assert float(x.grad) == 5.0
    x.grad = None
    assert x.grad is None


def test_a_gradient_that_is_set_must_fit():
    x = tg.Tensor(np.ones((2, 3), np.float32))
    with pytest.raises(ShapeError, match=r"grad: shape \(3,\) for a tensor of shape \(2, 3\)"):
        x.grad = np.ones(3)
    x.grad = np.ones((2, 3))
    assert x.grad.dtype == np.float32
    with pytest.raises(DTypeError):
        x.grad = np.ones((2, 3)) * 1j
    (x * 1).sum().backward()
    assert np.array_equal(x.grad, np.full((2, 3), 2.0))


def test_adding_to_a_gradient_leaves_the_old_array_alone():
    x = tg.Tensor([1.0, 2.0])
    (x * 2).sum().backward()
    first = x.grad
    (x * 3).sum().backward()
    assert np.array_equal(first, [2.0, 2.0])
    assert np.array_equal(x.grad, [5.0, 5.0])


# ----------------------------------------------------------------------------------------------- gradients of gradients


@kinds
@pytest.mark.parametrize("n", range(5))
def test_higher_derivatives_of_a_power(kind, n):
    x = kind(2.0)
    y = x**4.0
    expected = [16.0, 32.0, 48.0, 48.0, 24.0][n]
    for _ in range(n):
        x.grad = None
        y.backward(create_graph=True)
        y = x.grad
        assert type(y) is kind
    x.grad = None
    assert y.item() == pytest.approx(expected)


@kinds
def test_gradients_as_nodes_accumulate(kind):
    x = kind(3.0)
    (x * x).backward(create_graph=True)
    (x * x * x).backward(create_graph=True)
    assert x.grad.item() == 6 + 27
    g, x.grad = x.grad, None
    g.backward()
    assert float(x.grad) == 2 + 18
    assert type(x.grad) is (float if kind is tg.Value else np.ndarray)


@kinds
def test_a_gradient_as_node_and_a_plain_one_add_up(kind):
    x = kind(3.0)
    (x * x).backward(create_graph=True)
    (x * x).backward()
    assert type(x.grad) is (float if kind is tg.Value else np.ndarray)
    assert float(x.grad) == 12.0
    (x * x).backward(create_graph=True)
    assert type(x.grad) is kind
    assert x.grad.item() == 18.0


@kinds
def test_the_gradient_is_recorded_even_under_no_grad_if_asked(kind):
    x = kind(3.0)
    y = x * x * x
    with tg.no_grad():
        y.backward(create_graph=True)
        assert mode() == 0
    g, x.grad = x.grad, None
    g.backward()
    assert float(x.grad) == 18.0


def test_a_seed_may_be_a_node():
    x, u = tg.Tensor([1.0, 2.0]), tg.Tensor([3.0, 4.0])
    g = cotangents(x * x, u, create_graph=True)[x]
    g.sum().backward()
    assert np.array_equal(u.grad, [2.0, 4.0])
    assert np.array_equal(x.grad, [6.0, 8.0])


@kinds
def test_a_seed_that_is_a_node_gives_plain_gradients(kind):
    x = kind(3.0)
    (x * x).backward(kind(2.0))
    assert (type(x.grad), x.grad) == ({tg.Value: float, tg.Tensor: np.ndarray}[kind], 12.0)
    _, pullback = tg.vjp(lambda x: x * x, 3.0)
    assert pullback(kind(2.0)) == (12.0,)


@kinds
def test_differentiating_in_an_interior_node_stops_there(kind):
    x = kind(3.0)
    y = x * x
    z = y * y
    found = cotangents(z, to=[y])
    assert float(found[y]) == 18.0
    assert x not in found


@pytest.mark.parametrize("batch", [(), (2,), (2, 3), (0,), (2, 0)])
@pytest.mark.parametrize(("n", "m"), [(4, 3), (0, 3), (4, 0), (0, 0)])
def test_a_layer_takes_any_batch_and_lengths_of_zero(batch, n, m):
    x, weight, bias = tg.Tensor(np.ones((*batch, n))), tg.Tensor(np.ones((n, m))), tg.Tensor(np.ones(m))
    tg.sum(tg.linear(x, weight, bias) * 2.0).backward()
    samples = np.prod(batch)
    assert np.array_equal(x.grad, np.full((*batch, n), 2.0 * m))
    assert np.array_equal(weight.grad, np.full((n, m), 2.0 * samples))
    assert np.array_equal(bias.grad, np.full(m, 2.0 * samples))


def test_a_label_may_be_a_number():
    logits = tg.Tensor([1.0, 2.0, 0.5])
    tg.cross_entropy(logits, 1).backward()
    assert np.allclose(logits.grad, tg.softmax(logits).data - np.eye(3)[1], rtol=1e-14)
