"""Python's own functions and operators on nodes: float, len, in, sorted, comparisons, printing, logic."""

import math
import operator

import numpy as np
import pytest

import tinygrad_mlp as tg
from tinygrad_mlp.errors import (
    DTypeError,
    ShapeError,
    TinygradError,
    UnsupportedError,
)

kinds = pytest.mark.parametrize("kind", [tg.Value, tg.Tensor])
X = np.arange(6.0).reshape(2, 3)


# ------------------------------------------------------------------------------------------------- Python's functions


@kinds
def test_what_reads_one_number(kind):
    x = kind(2.5)
    assert (float(x), int(x), x.item(), math.exp(x), math.floor(x)) == (2.5, 2, 2.5, math.exp(2.5), 2)
    assert (bool(x), bool(kind(0.0)), f"{x:.3f}", "%.1f" % x) == (True, False, "2.500", "2.5")  # noqa: UP031
    assert (x.tolist(), x.numpy().shape, type(x.numpy())) == (2.5, (), np.ndarray)
    assert sorted([kind(3.0), kind(1.0), x], key=float)[0].item() == 1.0
    assert [v.item() for v in sorted([kind(3.0), kind(1.0), x])] == [1.0, 2.5, 3.0]
    assert max(kind(1.0), x) is x
    assert min(x, kind(3.0)) is x
    assert sum([x, x, 1]).item() == 6.0
    assert abs(-x).item() == 2.5
    assert (+x).item() == 2.5
    assert math.prod([x, x]).item() == 6.25


def test_what_needs_one_number_refuses_several():
    x = tg.Tensor(X)
    for read in (float, int, bool, operator.index, math.exp, tg.Tensor.item):
        with pytest.raises((TinygradError, TypeError)) as caught:
            read(x)
        assert "(2, 3)" in str(caught.value)
    for read in (float, int):
        with pytest.raises(TypeError, match="no single number"):  # as of an array of NumPy's
            read(x)
    with pytest.raises(ShapeError, match=r"ambiguous: use \.data\.any\(\) or \.data\.all\(\)"):
        bool(x > 0)


@kinds
def test_only_an_integer_is_an_index(kind):
    with pytest.raises(DTypeError, match="is no index"):
        range(3)[kind(1.0)]
    assert range(3)[tg.Tensor(1)] == 1
    assert [10, 20, 30][tg.argmax(tg.Tensor([0.0, 0.0, 5.0]))] == 30


def test_a_tensor_has_the_length_of_its_first_axis():
    x = tg.Tensor(X)
    assert (len(x), [row.shape for row in x]) == (2, [(3,), (3,)])
    a, b = x
    (a * b).sum().backward()
    assert np.array_equal(x.grad, X[::-1])
    for scalar in (tg.Tensor(1.0), tg.Value(1.0)):
        with pytest.raises(TypeError):
            len(scalar)
        with pytest.raises(TypeError):
            list(scalar)


@kinds
def test_equality_is_elementwise_and_hash_by_identity(kind):
    a, b = kind(2.0), kind(2.0)
    assert a == b
    assert a == 2.0
    assert (a != 2) == False  # noqa: E712  (a tensor is not a bool)
    assert hash(a) != hash(b)
    assert len({a, b}) == 2
    assert {a: 1}[a] == 1
    x = tg.Tensor(X)
    assert np.array_equal((x == X).data, np.ones((2, 3), bool))
    assert np.array_equal((x != x).data, np.zeros((2, 3), bool))
    assert x in [x, a]  # the same object: no comparison is needed
    with pytest.raises(ShapeError, match="ambiguous"):
        _ = x in [a, x]
    assert 5.0 in x
    assert 7.0 not in x


@kinds
@pytest.mark.parametrize("other", [None, "text", object(), [None]])
def test_equality_with_something_else(kind, other):
    """An operator with what is no number is a TypeError, as in Python."""
    for f in (operator.add, operator.mul, operator.lt, operator.pow, operator.truediv):
        with pytest.raises(TypeError):
            f(kind(1.0), other)


def test_comparisons_of_values_are_bools():
    v = tg.Value(2.0)
    assert (v > 1) is True
    assert (v < np.float64(1)) is False
    assert (v >= tg.Value(2.0)) is True
    assert (v == 2) is True
    assert type(v > np.ones(2)) is tg.Tensor


@kinds
def test_printing_shows_numbers(kind):
    x = kind(2.0)
    assert "2.0" in repr(x) or "2." in repr(x)
    y = x * 3
    y.backward()
    assert "6." in str(y)
    assert str(x) == repr(x)
    assert f"{x}" == str(x)


def test_printing_a_tensor():
    assert repr(tg.Tensor([1.0, 2.0])) == "Tensor([1., 2.])"
    assert repr(tg.Tensor([1, 2])) == "Tensor([1, 2])"
    assert repr(tg.Tensor(np.ones(1, np.float32), name="w")) == "Tensor([1.], dtype=float32, name='w')"
    assert repr(tg.Tensor([1.0], requires_grad=False)) == "Tensor([1.], requires_grad=False)"
    assert repr(tg.Tensor([1.0]) * 2) == "Tensor([2.], op=multiply)"
    assert repr(tg.Value(1.5, name="v")) == "Value(data=1.5, grad=None, name='v')"
    assert "..." in repr(tg.Tensor(np.zeros(5000)))
    assert repr(tg.Tensor(np.zeros((0, 3)))) == "Tensor([], shape=(0, 3))"
    assert repr(tg.Tensor([])) == "Tensor([])"
    with pytest.raises((TypeError, ValueError)):
        f"{tg.Tensor([1.0, 2.0]):.3f}"


def test_logic_is_for_booleans():
    x = tg.Tensor(X)
    inside = (x > 1) & (x < 4) | (x == 0) ^ (x == 5)
    assert np.array_equal(inside.data, (X > 1) & (X < 4) | (X == 0) ^ (X == 5))
    assert np.array_equal((~(x > 1)).data, ~(X > 1))
    assert np.array_equal((np.array([True, False, True]) & (x > 1)).data, np.array([True, False, True]) & (X > 1))
    assert np.array_equal((True & (x > 1)).data, X > 1)
    for f in (operator.and_, operator.or_, operator.xor):
        with pytest.raises(DTypeError, match="take booleans"):
            f(x, x)
    with pytest.raises(DTypeError, match="take booleans"):
        operator.invert(x)


@kinds
@pytest.mark.parametrize("f", [operator.lshift, operator.rshift], ids=lambda f: f.__name__)
def test_what_has_no_row_is_pythons_type_error(kind, f):
    for args in ((kind(1.0), 2.0), (2.0, kind(1.0)), (kind(1.0), kind(1.0))):
        with pytest.raises(TypeError):
            f(*args)
    with pytest.raises(UnsupportedError, match=r"np\.nextafter"):
        np.nextafter(np.ones(2), kind(1.0))


@kinds
@pytest.mark.parametrize(("a", "b"), [(7.5, 2.0), (-7.5, 2.0), (7.5, -2.0), (-7.0, 7.0), (0.7, 0.1), (-0.0, 3.0)])
def test_quotients_and_remainders_are_pythons(kind, a, b):
    for x, y in ((kind(a), b), (a, kind(b)), (kind(a), kind(b))):
        whole, rest = divmod(x, y)
        assert (whole.item(), rest.item()) == divmod(a, b)
        assert ((x // y).item(), (x % y).item()) == (a // b, a % b)
        (3.0 * whole + rest).backward()
        if type(x) is kind:
            assert float(x.grad) == 1.0  # the quotient is constant between its jumps
        if type(y) is kind:
            assert float(y.grad) == -(a // b)
    for x, y in zip(np.divmod(kind(a), b), divmod(a, b), strict=True):
        assert x.item() == y


@kinds
@pytest.mark.parametrize("b", [0.0, -0.0, np.inf, -np.inf, np.nan])
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_a_quotient_by_zero_or_infinity_is_numpys(kind, b):
    for a in (1.0, -1.0, 0.0, np.inf, np.nan):
        for f in (np.floor_divide, np.remainder, np.fmod):
            assert np.array_equal(f(kind(a), b).item(), f(a, b), equal_nan=True), (f, a)


@kinds
def test_rounding_records_and_has_no_slope(kind):
    x = kind(1234.5678)
    for y, expected in ((round(x), 1235.0), (round(x, 2), 1234.57), (x.round(-2), 1200.0), (np.around(x, 1), 1234.6)):
        assert type(y) is kind
        assert y.item() == expected
        y.backward()
        assert float(x.grad) == 0.0


@pytest.mark.parametrize("decimals", [-2, -1, 0, 1, 3])
def test_rounding_is_numpys(decimals):
    for x in (np.array([0.5, 1.5, -2.675, 1e10 / 3, 25.0, 35.0, np.inf, np.nan]), np.array([5, 15, 125, -15])):
        expected = np.round(x, decimals)
        y = np.round(tg.Tensor(x), decimals)
        assert (y.dtype, np.array_equal(y.data, expected, equal_nan=x.dtype.kind == "f")) == (expected.dtype, True)
