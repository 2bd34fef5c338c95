"""Transforms inside transforms, beside other recording modes, at infinities, and refusing."""

import numpy as np
import pytest

import tinygrad_mlp as tg
from tinygrad_mlp import arrays
from tinygrad_mlp.errors import DTypeError, GradientError, ShapeError
from tinygrad_mlp.graph import EVERYTHING, GRADIENTS, NODES, NOTHING, mode, recording

A = np.array([[1.0, 2.0, -0.5], [0.25, -1.0, 3.0]])


# ------------------------------------------------------------------------------------------------------------ nested


def test_an_inner_transform_does_not_confuse_its_variable_with_an_outer_one():
    assert tg.grad(lambda x: x * tg.grad(lambda y: x * y * y)(1.0))(2.0) == 8.0
    assert tg.grad(lambda x: x * tg.grad(lambda y: x + y)(1.0))(2.0) == 1.0
    assert tg.grad(lambda x: x * tg.jvp(lambda y: x * y, (3.0,), (1.0,))[1])(2.0) == 4.0
    assert tg.jvp(lambda x: x * tg.jvp(lambda y: x + y, (1.0,), (1.0,))[1], (2.0,), (1.0,)) == (2.0, 1.0)
    assert tg.grad(lambda x: x * tg.grad(lambda y: y**3)(x))(2.0) == 36.0
    assert tg.grad(lambda x: tg.vjp(lambda y: x * y, x)[1](x)[0])(3.0) == 6.0
    assert tg.grad(lambda x: tg.vjp(lambda y: y * y, x)[0])(3.0) == 6.0  # through the value
    assert tg.grad(lambda x: tg.jvp(lambda y: y * y, (x,), (1.0,))[0])(3.0) == 6.0
    assert tg.grad(lambda x: tg.value_and_grad(lambda y: y * y)(x)[0])(3.0) == 6.0


@pytest.mark.parametrize("n", range(6))
def test_derivatives_of_any_order(n):
    f = np.sin
    expected = [np.sin, np.cos, lambda x: -np.sin(x), lambda x: -np.cos(x)][n % 4](0.7)
    for _ in range(n):
        f = tg.grad(f)
    assert f(0.7) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("outer", ["grad", "jvp"])
@pytest.mark.parametrize("inner", ["grad", "jvp"])
def test_every_nesting_gives_the_same_second_derivative(outer, inner):
    kinds = {"grad": tg.grad, "jvp": lambda f: lambda x: tg.jvp(f, (x,), (1.0,))[1]}
    f = kinds[outer](kinds[inner](lambda x: tg.tanh(x) * x + tg.sigmoid(x) / (1 + x * x)))
    h = 1e-4
    g = tg.grad(lambda x: tg.tanh(x) * x + tg.sigmoid(x) / (1 + x * x))
    assert f(0.6) == pytest.approx((g(0.6 + h) - g(0.6 - h)) / (2 * h), rel=1e-6)


def test_with_create_graph_results_are_nodes():
    x = tg.Value(2.0)
    g = tg.grad(lambda x: x**3, create_graph=True)(x)
    assert type(g) is tg.Value
    g.backward()
    assert x.grad == 12.0
    assert tg.grad(lambda w: w * x)(3.0) == 2.0  # a node from outside is a constant


def test_an_outer_leaf_is_reached_through_an_inner_gradient_only_with_create_graph():
    w = tg.Tensor([1.0, 2.0])
    g = tg.grad(lambda x: (x * x * w).sum(), create_graph=True)(np.array([3.0, 4.0]))
    g.sum().backward()
    assert np.array_equal(w.grad, [6.0, 8.0])


def test_a_transform_does_not_touch_the_gradients_of_leaves():
    w = tg.Tensor([1.0, 2.0])
    w.grad = np.array([5.0, 5.0])
    assert tg.grad(lambda x: (w * x).sum())(2.0) == 3.0
    assert np.array_equal(w.grad, [5.0, 5.0])


@pytest.mark.parametrize("what", [NOTHING, EVERYTHING])
def test_a_transform_records_for_itself_in_every_mode(what):
    with recording(what):
        g = tg.grad(lambda x: x**2.0)(3.0)
        assert mode() == what
    assert (g._payload if type(g) in NODES else g) == 6.0


@pytest.mark.parametrize(
    "derivative",
    [
        tg.grad(lambda y: y**3),
        lambda x: tg.value_and_grad(lambda y: y**3)(x)[1],
        lambda x: tg.jvp(lambda y: y**3, (x,), (1.0,))[1],
        lambda x: tg.vjp(lambda y: y**3, x)[1](1.0)[0],
        tg.jacobian(lambda y: y**3),
    ],
)
def test_what_is_computed_under_no_grad_is_a_constant_to_the_enclosing_transform(derivative):
    def f(x):
        with tg.no_grad():
            c = derivative(x)
        return c * x

    assert tg.grad(f)(2.0) == 12.0
    assert tg.jvp(f, (2.0,), (1.0,)) == (24.0, 12.0)
    with tg.no_grad():
        assert tg.grad(lambda x: derivative(x) * x)(2.0) == 36.0


def test_a_function_without_a_value_is_refused_or_has_no_slope():
    with pytest.raises(GradientError, match="grad: the function returned None: does it lack a return"):
        tg.grad(lambda _x: None)(1.0)
    _, pullback = tg.vjp(lambda _x: {}, np.ones(2))
    assert np.array_equal(pullback({})[0], [0.0, 0.0])


@pytest.mark.parametrize("f", [lambda _x: np.ones(2), lambda _x: 1.0, lambda x: x[:0], lambda x: x * 0 + x])
def test_a_jacobian_has_the_dtype_of_its_input_also_where_it_is_zero(f):
    x = np.ones(3, np.float32)
    jacobian = tg.jacobian(f)(x)
    assert (type(jacobian), jacobian.dtype) == (np.ndarray, np.float32)
    assert jacobian.shape == (*np.shape(f(x)), 3)


def test_an_exception_inside_leaves_nothing_behind():
    with pytest.raises(ZeroDivisionError):
        tg.grad(lambda _x: 1 / 0)(2.0)
    assert mode() == GRADIENTS
    assert type(tg.grad(lambda x: x * x)(3.0)) is float  # not taken for a nested one


# ----------------------------------------------------------------------------------------- special points, refusals


def test_infinities_elsewhere_do_not_disturb_a_tangent():
    ones = np.ones(2)
    constants = np.array([np.inf, np.nan])
    for f, expected in (
        (lambda x: x + constants, ones),
        (lambda x: constants - x, -ones),
        (lambda x: tg.concatenate([x, constants]), [1.0, 1.0, 0.0, 0.0]),
        (lambda x: tg.stack([constants, x]), [[0.0, 0.0], ones]),
        (lambda x: tg.where(np.array([True, False]), x, constants), [1.0, 0.0]),
        (lambda x: tg.maximum(x, np.array([-np.inf, np.inf])), [1.0, 0.0]),
    ):
        assert np.array_equal(tg.jvp(f, (A[0, :2],), (ones,))[1], expected)
    assert tg.jvp(lambda x: x + np.inf, (1.0,), (1.0,)) == (np.inf, 1.0)


def test_a_large_constant_in_a_transform(monkeypatch):
    monkeypatch.setattr(arrays, "COPY_LIMIT", 0)
    c = A.copy()
    f = lambda x: (tg.tanh(x * c) * c).sum()  # noqa: E731
    expected = (1 - np.tanh(A * A) ** 2) * A * A
    assert np.allclose(tg.grad(f)(A), expected)
    assert np.allclose(tg.jvp(f, (A,), (A,))[1], (expected * A).sum())
    assert type(tg.jvp(lambda x: x * c, (A,), (A,))[1]) is np.ndarray


def test_refusals():
    with pytest.raises(GradientError, match=r"returned shape \(2, 3\), not a scalar: use jacobian, vjp, or reduce it"):
        tg.grad(lambda x: x)(A)
    with pytest.raises(GradientError, match="a tuple"):
        tg.grad(lambda x: (x, x))(1.0)
    with pytest.raises(DTypeError, match="argument 0"):
        tg.grad(lambda x: x.sum())(np.array([1, 2]))
    with pytest.raises(DTypeError, match="str 'text'"):
        tg.grad(lambda d: d["w"])({"w": "text"})
    with pytest.raises(DTypeError):
        tg.grad(lambda x: x)(1j)
    with pytest.raises(ShapeError, match=r"a tangent of shape \(2,\) for an argument of shape \(2, 3\)"):
        tg.jvp(lambda x: x, (A,), (np.ones(2),))
    with pytest.raises(GradientError, match="one tuple"):
        tg.jvp(lambda x: x, A, A)
    with pytest.raises(ShapeError):
        tg.vjp(lambda x: x * 2, A)[1](np.ones(2))
    with pytest.raises(ShapeError, match="2 cotangents for 1 outputs"):
        tg.vjp(lambda x: x * 2, A)[1]([A, A])
