"""Reverse accumulation: sums over paths, seeds, what is kept, gradients of gradients, and its refusals."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_mlp as tg
from tinygrad_mlp.backward import cotangents
from tinygrad_mlp.errors import DTypeError, GradientError, ShapeError
from tinygrad_mlp.graph import NODES, mode
from tinygrad_mlp.table import OPS, defvjp, primitive

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
def test_differentiating_in_an_interior_node_stops_there(kind):
    x = kind(3.0)
    y = x * x
    z = y * y
    found = cotangents(z, to=[y])
    assert float(found[y]) == 18.0
    assert x not in found


# ------------------------------------------------------------------------------------------------------------- refusals


def test_there_is_no_gradient_of_integers():
    with pytest.raises(DTypeError, match="int64"):
        tg.Tensor([1, 2], requires_grad=True)
    n = tg.Tensor(3)
    assert not n.requires_grad
    with pytest.raises(GradientError, match="it is an integer"):
        n.backward()
    with pytest.raises(GradientError, match="integer"):
        (n * 2).backward()
    x = tg.Tensor([1.0, 2.0])
    assert not x.astype(np.int64).requires_grad
    assert not (x > 1).requires_grad
    assert not tg.argmax(x).requires_grad


@kinds
def test_there_is_no_gradient_of_constants(kind):
    x = kind(2.0)
    with pytest.raises(GradientError, match="no operand requires a gradient"):
        x.detach().backward()
    with pytest.raises(GradientError, match="no operand requires a gradient"):
        (x.detach() * 2.0).backward()
    with tg.no_grad():
        y = x * 2
    with pytest.raises(GradientError, match="no_grad"):
        y.backward()


def test_a_tensor_can_be_a_constant():
    c = tg.Tensor([1.0, 2.0], requires_grad=False)
    x = tg.Tensor([3.0, 4.0])
    (c * x).sum().backward()
    assert c.grad is None
    assert np.array_equal(x.grad, [1.0, 2.0])


@pytest.fixture
def scratch_op():
    """Ops made by a test leave the table when it ends."""
    before = dict(OPS)
    yield primitive
    for name in OPS.keys() - before.keys():
        del OPS[name]


@pytest.mark.parametrize("kind", [tg.Value, tg.Tensor])
def test_an_op_without_a_vjp_is_named(scratch_op, kind):
    @scratch_op(elementwise=True)
    def cube_without_rule(xp, x):
        return x * x * x

    x = kind(2.0)
    y = cube_without_rule(x)
    assert y.item() == 8.0
    with pytest.raises(GradientError, match="cube_without_rule: no vjp is registered for operand 0"):
        y.backward()


def test_an_op_of_ones_own_is_differentiated_in_every_way(scratch_op):
    @scratch_op(elementwise=True)
    def cube(xp, x):
        return x * x * x

    defvjp(cube, lambda g, _y, x: 3 * g * x * x)
    for kind in (tg.Value, tg.Tensor):
        x = kind(2.0)
        cube(x).backward(create_graph=True)
        assert x.grad.item() == 12.0
        g, x.grad = x.grad, None
        g.backward()
        assert float(x.grad) == 12.0
    assert cube(2.0) == 8.0
    assert np.array_equal(cube(np.array([1.0, 2.0])), [1.0, 8.0])


def test_a_vjp_of_the_wrong_shape_is_an_error_not_a_sum(scratch_op):
    @scratch_op(linear=True)
    def total(xp, x, /):
        return xp.sum(x)

    defvjp(total, lambda _g, _y, x: np.ones((2, *x.shape)))
    x = tg.Tensor([1.0, 2.0])
    with pytest.raises(ShapeError, match=r"total: its vjp returned shape \(2, 2\) for an operand of shape \(2,\)"):
        total(x).backward()


@pytest.mark.parametrize("kind", [tg.Value, tg.Tensor])
def test_a_vjp_that_fails_leaves_the_gradients_as_they_were(scratch_op, kind):
    @scratch_op(elementwise=True)
    def fragile(xp, x):
        return +x

    def broken(_g, _y, _x):
        raise ArithmeticError("broken rule")

    defvjp(fragile, broken)
    x, w = kind(2.0), kind(3.0)
    (x * w).backward()
    before = [float(x.grad), float(w.grad)]
    y = fragile(x * w) + x * w
    with pytest.raises(ArithmeticError, match="broken rule"):
        y.backward()
    assert [float(x.grad), float(w.grad)] == before
    (x * w).backward()
    assert [float(x.grad), float(w.grad)] == [2 * g for g in before]


def test_a_vjp_that_returns_none_is_named(scratch_op):
    @scratch_op(elementwise=True)
    def forgetful(xp, x):
        return +x

    defvjp(forgetful, lambda _g, _y, _x: None)
    with pytest.raises(GradientError, match="forgetful: its vjp returned None"):
        forgetful(tg.Tensor([1.0])).backward()


def test_the_number_of_rules_is_checked(scratch_op):
    @scratch_op(elementwise=True)
    def two(xp, a, b):
        return a + b

    with pytest.raises(GradientError, match="two has 2 operands, and 1 rules were given"):
        defvjp(two, lambda g, _y, _a, _b: g)


def test_the_cotangents_are_those_of_the_leaves():
    x, w = tg.Tensor([1.0, 2.0]), tg.Tensor([3.0, 4.0])
    y = (x * w).sum()
    found = cotangents(y)
    assert {id(node) for node in found} == {id(x), id(w)}
    assert all(type(g) not in NODES for g in found.values())
    assert x.grad is None
