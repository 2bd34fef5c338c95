"""What has no gradient, and ops whose rules are missing or wrong: each refusal names the op."""

import re
import threading

import numpy as np
import pytest

import tinygrad_mlp as tg
from tinygrad_mlp.backward import cotangents
from tinygrad_mlp.errors import DTypeError, GradientError, ShapeError
from tinygrad_mlp.graph import NODES
from tinygrad_mlp.table import OPS, defvjp, defvjps, primitive

kinds = pytest.mark.parametrize("kind", [tg.Value, tg.Tensor])


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


@pytest.mark.parametrize("kind", [tg.Value, tg.Tensor])
def test_a_rule_may_run_backward_itself(scratch_op, kind):
    @scratch_op(elementwise=True)
    def triple(xp, x):
        return 3 * x

    def rule(g, _y, _x):
        inner = tg.Value(1.5)
        (inner * inner).backward()
        return g * inner.grad

    defvjp(triple, rule)
    x = kind(2.0)
    y = triple(x) * 2.0
    thread = threading.Thread(target=y.backward, daemon=True)
    thread.start()
    thread.join(10)
    assert not thread.is_alive()  # a lock that is not reentrant would stop here for ever
    assert float(x.grad) == 6.0


def test_a_vjp_that_returns_none_is_named(scratch_op):
    @scratch_op(elementwise=True)
    def forgetful(xp, x):
        return +x

    defvjp(forgetful, lambda _g, _y, _x: None)
    with pytest.raises(GradientError, match="forgetful: its vjp returned None"):
        forgetful(tg.Tensor([1.0])).backward()


@pytest.mark.parametrize("kind", [tg.Value, tg.Tensor])
@pytest.mark.parametrize("g", [1j, np.ones((), complex), "2", object()])
def test_a_vjp_that_returns_no_real_numbers_is_named(scratch_op, kind, g):
    @scratch_op(elementwise=True)
    def odd(xp, x):
        return +x

    defvjp(odd, lambda _g, _y, _x: g)
    x = kind(1.0)
    with pytest.raises(DTypeError, match="odd: its vjp returned"):
        odd(x).backward()
    assert x.grad is None


@pytest.mark.parametrize(("given", "g"), [("()", 2.0), ("(3,)", np.ones(3)), ("(2, 3)", np.ones((2, 3)))])
def test_a_vjp_that_does_not_broadcast_from_its_operand_is_named(scratch_op, given, g):
    @scratch_op(elementwise=True)
    def narrow(xp, x):
        return +x

    defvjp(narrow, lambda _g, _y, _x: g)
    with pytest.raises(
        ShapeError, match=re.escape(f"narrow: its vjp returned shape {given} for an operand of shape (2,)")
    ):
        narrow(tg.Tensor([1.0, 2.0])).sum().backward()


@pytest.mark.parametrize("kind", [tg.Value, tg.Tensor])
@pytest.mark.parametrize("form", [float, int, np.float32, lambda g: np.array([g]), lambda g: [g], tg.Value, tg.Tensor])
def test_whatever_holds_the_number_a_vjp_gives_the_gradient_is_plain(scratch_op, kind, form):
    @scratch_op(elementwise=True)
    def lenient(xp, x):
        return +x

    defvjp(lenient, lambda _g, _y, _x: form(2.0))
    x = kind(1.0)
    lenient(x).backward()
    assert type(x.grad) is {tg.Value: float, tg.Tensor: np.ndarray}[kind]
    assert (x.grad, np.shape(x.grad)) == (2.0, ())


@pytest.mark.parametrize("kind", [tg.Value, tg.Tensor])
def test_a_rule_may_run_a_graph_of_its_own_backward(scratch_op, kind):
    @scratch_op(elementwise=True)
    def nested(xp, x):
        return x * x

    w = kind(1.0)

    def rule(g, _y, x):
        own = tg.Value(float(x))
        (own * own).backward()
        (w * 5.0).backward()
        return g * own.grad

    defvjp(nested, rule)
    x = kind(3.0)
    (nested(x) * w).backward()
    assert (float(x.grad), float(w.grad)) == (6.0, 9.0 + 5.0)


def test_a_rule_names_the_operands(scratch_op):
    @scratch_op(elementwise=True)
    def short(xp, a):
        return +a

    with pytest.raises(GradientError, match="a vjp takes the operands too, and here are names for 0 of 1"):
        defvjp(short, lambda g, _y: g)
    defvjp(short, lambda g, *_: g)
    assert tg.grad(short)(1.0) == 1.0


class Rules:
    """Rules that are methods."""

    def left(self, g, _y, _a, b):
        return g * b

    def right(self, g, _y, a, _b):
        return g * a

    def both(self, wanted, g, _y, a, b, **_):
        return g * b if wanted[0] else None, g * a if wanted[1] else None


@pytest.mark.parametrize("joint", [False, True])
@pytest.mark.parametrize("swapped", [False, True])
def test_a_rule_may_be_a_method(scratch_op, joint, swapped):
    @scratch_op(elementwise=True)
    def times(xp, a, b):
        return a * b

    if joint:
        defvjps(times, Rules().both)
    else:
        defvjp(times, Rules().left, Rules().right)
    x, c = tg.Tensor([1.0, 2.0]), np.array([3.0, 4.0])
    y = times(c, x) if swapped else times(x, c)
    c[:] = 0.0
    y.sum().backward()
    assert np.array_equal(x.grad, [3.0, 4.0])


RESULTS = {
    "nothing": (None, "NoneType"),
    "complex": (np.ones(2, complex), "complex128"),
    "complex number": (1j, "complex"),
    "objects": (np.array([None, 1.0]), "object"),
    "list": ([1.0, 2.0], "list"),
    "pair": ((np.ones(2), np.ones(2)), "tuple"),
    "text": ("1", "str"),
}


@pytest.mark.parametrize("operands", [1, 2, 3])
@pytest.mark.parametrize("kind", [tg.Value, tg.Tensor])
@pytest.mark.parametrize(("y", "what"), RESULTS.values(), ids=RESULTS)
def test_an_op_that_gives_no_real_numbers_is_named(scratch_op, kind, y, what, operands):
    rules = {1: lambda xp, _a: y, 2: lambda xp, _a, _b: y, 3: lambda xp, _a, _b, _c: y}
    rules[operands].__name__ = "odd"
    op = scratch_op(elementwise=True)(rules[operands])
    for record in (tg.sources, tg.no_grad):
        with record(), pytest.raises(DTypeError, match=f"odd: gives .*{what}"):
            op(*[kind(2.0)] * operands)
    with pytest.raises(DTypeError, match=f"odd: gives .*{what}"):
        op(*[kind(2.0)] * operands)


def test_an_op_that_gives_booleans_records_nothing(scratch_op):
    @scratch_op(elementwise=True)
    def exceeds(xp, a, b):
        return a > b

    y = exceeds(tg.Tensor([1.0, 2.0]), tg.Tensor([1.0, 1.0]))
    assert not y.requires_grad
    assert y.op is None


@pytest.mark.parametrize("f", [tg.where, np.where])
def test_a_missing_operand_never_makes_an_array_of_objects(f):
    with pytest.raises(DTypeError, match="where: operand 'b' is None"):
        f(tg.Tensor([1.0, 2.0]) > 1, tg.Tensor([1.0, 2.0]), None)


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
