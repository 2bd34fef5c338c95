"""Products of arrays have NumPy's values and shapes, gradients to second order, and clear refusals."""

import gc
import warnings
import weakref
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from strategies import FEW

import tinygrad_mlp as tg
from tinygrad_mlp.check import gradcheck
from tinygrad_mlp.errors import AxisError, DTypeError, ShapeError, TinygradError, UnsupportedError

KINDS = [np.float64, np.float64, np.float32, np.int64, np.bool_]
numbers = st.integers(0, 2**32 - 1)
lengths = st.integers(0, 3)


def array(seed, shape, kind=np.float64):
    """Small numbers that differ, exact in every dtype."""
    return np.random.default_rng(seed).integers(-4, 5, shape).astype(kind)


def check_values(ours, theirs, *arrays):
    """NumPy's value, dtype and shape, on raw arrays and on tensors, or an error where NumPy raises one."""
    try:
        expected = theirs(*arrays)
    except (ValueError, TypeError, IndexError):
        with pytest.raises(TinygradError):
            ours(*arrays)
        return
    for given_arrays in (arrays, [tg.Tensor(x) for x in arrays]):
        y = ours(*given_arrays)
        assert isinstance(y, tg.Tensor) == isinstance(given_arrays[0], tg.Tensor)
        assert np.shape(y) == expected.shape
        assert y.dtype == expected.dtype
        assert np.array_equal(y.data if isinstance(y, tg.Tensor) else y, expected)  # small whole numbers


def check_slopes(f, *arrays):
    """The gradient, and its own gradient, are those that central differences measure along random directions."""
    rng = np.random.default_rng(0)
    u = rng.uniform(-1, 1, np.shape(f(*arrays)))
    which = tuple(range(len(arrays)))

    def weighted(*xs):
        return (f(*xs) * u).sum()

    first = tg.grad(weighted, which)(*arrays)
    vs = [rng.uniform(-1, 1, np.shape(x)) for x in arrays]
    h = 1e-4
    up, down = ([x + s * h * v for x, v in zip(arrays, vs, strict=True)] for s in (1, -1))
    measured = (weighted(*up) - weighted(*down)) / (2 * h)
    assert np.isclose(sum(np.sum(g * v) for g, v in zip(first, vs, strict=True)), measured, rtol=1e-6, atol=1e-6)
    tangent = tg.jvp(tg.grad(weighted, which), arrays, vs)[1]
    for t, a, b in zip(tangent, tg.grad(weighted, which)(*up), tg.grad(weighted, which)(*down), strict=True):
        assert np.allclose(t, (a - b) / (2 * h), rtol=1e-5, atol=1e-5)


@st.composite
def pairs(draw):
    """Two arrays whose last, or last but one, axes often fit; 0-d, zero lengths and unlike dtypes included."""
    n = draw(st.sampled_from([2, 3, 2, 3, 1, 0]))
    m = draw(st.sampled_from([n, 1, 2, 3]))
    shape = st.lists(st.sampled_from([n, n, m]), max_size=3).map(tuple)
    seed = draw(numbers)
    kinds = draw(st.sampled_from(KINDS)), draw(st.sampled_from(KINDS))
    return array(seed, draw(shape), kinds[0]), array(seed + 1, draw(shape), kinds[1])


PAIRED = ["dot", "inner", "outer", "vdot", "kron", "matmul", "vecdot", *(["matvec", "vecmat"] * hasattr(np, "matvec"))]


@pytest.mark.parametrize("name", PAIRED)
@given(xs=pairs())
def test_a_product_of_two_arrays_is_numpys(name, xs):
    check_values(getattr(tg, name), getattr(np, name), *xs)


@pytest.mark.parametrize(
    "shapes", [((2, 3), (3,)), ((1, 3), (3,)), ((1, 3), (1, 3)), ((4, 2, 3), (3,)), ((2, 3), (4, 3))]
)
def test_matrices_and_vectors_are_multiplied_as_by_einsum(shapes):
    a, b = (array(i, shape) for i, shape in enumerate(shapes))
    assert np.array_equal(tg.matvec(a, b), np.einsum("...ij,...j->...i", a, b))
    assert tg.matvec(a, b).shape == np.einsum("...ij,...j->...i", a, b).shape
    c = np.swapaxes(a, -1, -2)
    assert np.array_equal(tg.vecmat(b, c), np.einsum("...j,...jk->...k", b, c))
    assert tg.vecmat(b, c).shape == np.einsum("...j,...jk->...k", b, c).shape


@pytest.mark.parametrize("name", PAIRED)
@FEW
@given(xs=pairs())
def test_a_product_of_two_arrays_has_slopes_to_second_order(name, xs):
    a, b = (x.astype(np.float64) for x in xs)
    try:
        getattr(np, name)(a, b)
    except ValueError:
        return
    check_slopes(getattr(tg, name), a, b)


@given(xs=pairs(), data=st.data())
def test_tensordot_is_numpys(xs, data):
    a, b = xs
    n = data.draw(st.integers(0, 2))
    axis = st.integers(-3, 2)
    axes = data.draw(st.integers(0, 3) | st.just((0, 0)) | st.tuples(*[st.lists(axis, min_size=n, max_size=n)] * 2))
    check_values(lambda a, b: tg.tensordot(a, b, axes), lambda a, b: np.tensordot(a, b, axes), a, b)


@pytest.mark.parametrize(
    ("shapes", "axes"),
    [(((2, 3), (3, 4)), 1), (((2, 3), (2, 3)), 2), (((2, 3), (4,)), 0), (((2, 3, 4), (4, 3)), ((-1, 1), (0, 1)))],
)
def test_tensordot_has_slopes_to_second_order(shapes, axes):
    check_slopes(lambda a, b: tg.tensordot(a, b, axes), *(array(i, shape) for i, shape in enumerate(shapes)))


def numpy_takes_vectors_of_two_elements():
    with warnings.catch_warnings(action="ignore"):
        try:
            return np.cross([1.0, 2.0], [3.0, 5.0]) == -1.0
        except ValueError:
            return False  # NumPy 2.5


LENGTHS = [3, 3, 2, 4] if numpy_takes_vectors_of_two_elements() else [3, 3, 4]


@given(data=st.data(), seed=numbers)
def test_cross_is_numpys(data, seed):
    batches = data.draw(hnp.mutually_broadcastable_shapes(num_shapes=2, max_dims=2, max_side=3)).input_shapes
    arrays, places = [], []
    for i, batch in enumerate(batches):
        n = data.draw(st.sampled_from(LENGTHS))
        axis = data.draw(st.integers(-len(batch) - 1, len(batch)))
        shape = list(batch)
        shape.insert(axis % (len(batch) + 1), n)
        arrays.append(array(seed + i, shape))
        places.append(axis)
    axisc = data.draw(st.integers(-3, 2)) if 3 in [x.shape[at] for x, at in zip(arrays, places, strict=True)] else -1

    def theirs(a, b):
        with warnings.catch_warnings(action="ignore"):  # NumPy deprecates vectors of two elements
            return np.asarray(np.cross(a, b, *places, axisc))

    check_values(lambda a, b: tg.cross(a, b, *places, axisc), theirs, *arrays)


@pytest.mark.parametrize("sizes", [(3, 3), (3, 2), (2, 3), (2, 2)])
def test_cross_has_slopes_to_second_order(sizes):
    a, b = array(0, (4, sizes[0])), array(1, (2, 1, sizes[1]))
    check_slopes(tg.cross, a, b)
    assert np.array_equal(tg.cross(a[0], b[0, 0]), tg.cross(a[0], b[0, 0], axis=0))


def test_a_missing_third_element_is_not_multiplied():
    assert np.array_equal(tg.cross([1.0, np.inf], [1.0, 2.0, 3.0]), [np.inf, -3.0, -np.inf])


@given(data=st.data(), seed=numbers)
def test_multi_dot_is_the_product_in_turn(data, seed):
    sides = data.draw(st.lists(lengths, min_size=3, max_size=7))
    matrices = [array(seed + i, shape) for i, shape in enumerate(pairwise(sides))]
    matrices[0] = matrices[0][0] if data.draw(st.booleans()) and len(matrices[0]) else matrices[0]
    last = matrices[-1]
    matrices[-1] = last[:, 0] if data.draw(st.booleans()) and last.shape[1] else last
    expected = matrices[0]
    for x in matrices[1:]:
        expected = expected @ x
    assert np.allclose(tg.multi_dot(matrices), expected)
    assert np.shape(tg.multi_dot(matrices)) == np.shape(expected)
    assert np.allclose(np.linalg.multi_dot([tg.Tensor(x) for x in matrices]).data, expected)


def test_multi_dot_takes_the_cheap_order():
    a, b, c = tg.Tensor(np.ones((2, 50))), tg.Tensor(np.ones((50, 50))), tg.Tensor(np.ones((50, 1)))
    assert tg.multi_dot([a, b, c]).inputs[0] is a
    assert tg.multi_dot([c.T, b, a.T]).inputs[1].shape == (50, 2) or tg.multi_dot([c.T, b, a.T]).inputs[0].shape == (
        1,
        50,
    )
    check_slopes(lambda *xs: tg.multi_dot(xs), array(0, 3), array(1, (3, 2)), array(2, (2, 4)), array(3, (4,)))


def test_a_product_of_many_matrices_is_freed_without_the_collector():
    gc.disable()
    try:
        y = tg.multi_dot([tg.Tensor(np.ones((2, 2)))] * 4)
        alive = weakref.ref(y)
        del y
        assert alive() is None
    finally:
        gc.enable()


# -------------------------------------------------------------------------------------------------------------- einsum


@st.composite
def sums(draw):
    """Subscripts and operands: letters that repeat, that only one has, lengths of one, ellipses, implicit results."""
    length = {c: draw(st.integers(0, 3)) for c in "iJk"}
    dots = draw(st.lists(st.integers(1, 2), max_size=2))
    terms, arrays = [], []
    seed = draw(numbers)
    for i in range(draw(st.integers(1, 4))):
        term = "".join(draw(st.lists(st.sampled_from("iJk"), max_size=3)))
        shape = [length[c] for c in term]
        if len(set(term)) == len(term):
            shape = [draw(st.sampled_from([n, n, n, 1])) for n in shape]
        if draw(st.booleans()):
            at, own = draw(st.integers(0, len(term))), draw(st.integers(0, len(dots)))
            shape[at:at] = [draw(st.sampled_from([n, 1])) for n in dots[len(dots) - own :]]
            term = f"{term[:at]}...{term[at:]}"
        terms.append(term)
        arrays.append(array(seed + i, shape, draw(st.sampled_from(KINDS))))
    subscripts = draw(st.sampled_from([",", " , "])).join(terms)
    if draw(st.booleans()):
        known = sorted(set("".join(terms).replace(".", "")))
        out = "".join(draw(st.lists(st.sampled_from(known), unique=True))) if known else ""
        subscripts += "->" + ("..." + out if "..." in subscripts else out)
    return subscripts, arrays


@given(case=sums())
@example(case=("ii", [np.arange(4.0).reshape(2, 2)]))
@example(case=("ii,", [np.ones((2, 2), bool), np.array(3.0)]))
@example(case=("i,", [np.full(2, 100, np.int8), np.array(1)]))
@example(case=("i...,...->...i", [np.arange(4.0).reshape(2, 2), np.arange(2.0)]))
def test_einsum_is_numpys(case):
    subscripts, arrays = case
    check_values(lambda *xs: tg.einsum(subscripts, *xs), lambda *xs: np.asarray(np.einsum(subscripts, *xs)), *arrays)


@given(case=sums())
@example(case=("iij,j->j", [np.arange(8.0).reshape(2, 2, 2), np.ones(2)]))
@example(case=("ij,jk,kl->", [np.ones((2, 1)), np.arange(12.0).reshape(3, 4), np.arange(8.0).reshape(4, 2)]))
def test_einsum_has_slopes_to_second_order(case):
    subscripts, arrays = case
    check_slopes(lambda *xs: tg.einsum(subscripts, *xs), *(x.astype(np.float64) for x in arrays))


def test_einsum_of_one_node_twice_adds_both_gradients():
    x = tg.Tensor(array(0, (3, 3)))
    tg.einsum("ij,ji->", x, x).backward()
    assert np.allclose(x.grad, 2 * x.data.T)
    assert tg.gradcheck(lambda t: tg.einsum("ij,jk,ii->k", t, t, t), x.data)


@pytest.mark.parametrize(
    "args",
    [
        (array(0, (2, 3)), [1, 0]),
        (array(0, (2, 3)), [0, 1], array(1, (3, 2)), [1, 2]),
        (array(0, (2, 3)), [0, 1], array(1, (3, 2)), [1, 2], [2, 0]),
        (array(0, (4, 2, 3)), [Ellipsis, 0, 30], array(1, (4, 3)), [Ellipsis, 30], [0, Ellipsis]),
        (array(0, (2, 2)), [0, 0], []),
        (array(0, (2, 3)), range(2)),
    ],
)
def test_einsum_with_lists_of_integers_is_numpys(args):
    expected = np.einsum(*args)
    assert np.allclose(tg.einsum(*args), expected)
    tensors = [tg.Tensor(x) if isinstance(x, np.ndarray) else x for x in args]
    assert np.allclose(np.einsum(*tensors).data, expected)


def test_an_ellipsis_that_the_result_lacks_is_summed():
    a, b = array(0, (2, 2, 3)), array(1, 3)
    expected = np.einsum("...ik,...j->ij", a, b, optimize=True)
    assert np.allclose(tg.einsum("...ik,...j->ij", a, b), expected)


def test_numpys_optimize_is_accepted():
    a, b, c = array(0, (2, 3)), array(1, (3, 4)), array(2, (4,))
    for optimize in (False, True, "greedy", "optimal"):
        y = np.einsum("ij,jk,k", tg.Tensor(a), b, c, optimize=optimize)
        assert np.allclose(y.data, a @ b @ c)
    assert tg.einsum(",", 2.0, tg.Value(3.0)).data == 6.0


@pytest.mark.parametrize(
    ("args", "kind", "words"),
    [
        (("ij,jk", np.ones((2, 3)), np.ones((4, 5))), ShapeError, r"of \(2, 3\), \(4, 5\): letter 'j' stands for"),
        (("ii", np.ones((2, 3))), ShapeError, "letter 'i' stands for lengths 2 and 3"),
        (("ii", np.ones((1, 3))), ShapeError, "letter 'i' stands for lengths 1 and 3"),
        (("ij", np.ones(2)), ShapeError, "'ij' does not name the 1 axes"),
        (("i", np.ones((2, 3))), ShapeError, "'i' does not name the 2 axes"),
        (("...ij", np.ones(2)), ShapeError, "does not name"),
        (("ij->k", np.ones((2, 3))), ShapeError, "letter 'k' of the result"),
        (("ij->ii", np.ones((2, 3))), ShapeError, "letter 'i' of the result"),
        (("i,j", np.ones(2)), ShapeError, "subscripts for 2 operands, and 1 are given"),
        (("i", np.ones(2), np.ones(2)), ShapeError, "subscripts for 1 operands, and 2"),
        (("", ), ShapeError, "of nothing"),
        (("i..", np.ones(2)), ShapeError, "not made of letters"),
        (("...i...", np.ones(2)), ShapeError, "not made of letters"),
        (("i->j->i", np.ones(2)), ShapeError, "not made of letters"),
        (("i-j", np.ones((2, 2))), ShapeError, "not made of letters"),
        (("i1", np.ones((2, 2))), ShapeError, "not made of letters"),
        (("é", np.ones(2)), ShapeError, "not made of letters"),
        ((np.ones(2), [52]), ShapeError, "integers from 0 to 51"),
        ((np.ones(2), [-1]), ShapeError, "integers from 0 to 51"),
        ((np.ones(2), 0), DTypeError, "where a list of integers belongs"),
        ((np.ones(2),), DTypeError, "takes subscripts"),
        (("i", None), DTypeError, "None is no array"),
    ],
)  # fmt: skip
def test_subscripts_that_mean_nothing_are_refused(args, kind, words):
    with pytest.raises(kind, match=words):
        tg.einsum(*args)


def test_einsum_names_what_it_does_not_take():
    with pytest.raises(UnsupportedError, match=r"np.einsum: dtype= is not supported"):
        np.einsum("i", tg.Tensor([1.0]), dtype=np.float32)


# ------------------------------------------------------------------------------------------- numbers, lists, refusals


def test_products_take_numbers_lists_and_values():
    v = tg.Value(3.0)
    y = tg.dot(v, 2.0)
    y.backward()
    assert (y.data, v.grad) == (6.0, 2.0)
    assert tg.inner([1, 2], [3, 4]) == 11
    assert np.array_equal(tg.outer(2.0, [1.0, 3.0]), [[2.0, 6.0]])
    assert np.array_equal(tg.matrix_transpose([[1.0, 2.0]]), [[1.0], [2.0]])
    assert tg.Tensor([1.0, 2.0]).dot([3.0, 4.0]).data == 11.0
    assert tg.Tensor([[1.0, 2.0], [3.0, 4.0]]).trace().data == 5.0


@given(data=st.data(), seed=numbers)
def test_vecdot_runs_along_any_axis(data, seed):
    shape = data.draw(hnp.array_shapes(min_dims=2, max_dims=3, max_side=3))
    axis = data.draw(st.integers(-len(shape), len(shape) - 1))
    a, b = array(seed, shape), array(seed + 1, shape)
    expected = np.vecdot(a, b, axis=axis)
    assert np.allclose(tg.vecdot(a, b, axis=axis), expected)
    assert np.allclose(np.vecdot(tg.Tensor(a), b, axis=axis).data, expected)
    assert np.allclose(np.linalg.vecdot(tg.Tensor(a), b, axis=axis).data, expected)


@pytest.mark.parametrize(
    ("f", "kind", "words"),
    [
        (lambda: tg.dot(np.ones(2), np.ones(3)), ShapeError, r"dot: \(2,\) and \(3,\): inner lengths 2 and 3 differ"),
        (lambda: tg.dot(np.ones((2, 3)), np.ones((4, 2, 3))), ShapeError, "inner lengths 3 and 2 differ"),
        (lambda: tg.inner(np.ones((2, 3)), np.ones((3, 2))), ShapeError, "last lengths 3 and 2 differ"),
        (lambda: tg.vdot(np.ones((2, 3)), np.ones(5)), ShapeError, "vdot: 6 elements with 5"),
        (lambda: tg.vecdot(np.ones(3), np.ones(1)), ShapeError, "vecdot: lengths 3 and 1 along axis -1 differ"),
        (lambda: tg.vecdot(1.0, np.ones(1)), ShapeError, "vecdot: shape"),
        (lambda: tg.matvec(np.ones(3), np.ones(3)), ShapeError, "matvec: shape"),
        (lambda: tg.matrix_transpose(np.ones(3)), ShapeError, "matrix_transpose: shape"),
        (lambda: tg.tensordot(np.ones((2, 3)), np.ones((2, 3)), 3), ShapeError, "there are not 3 axes"),
        (lambda: tg.tensordot(np.ones((2, 2)), np.ones((2, 2)), ((0, 0), (0, 1))), ShapeError, "different axes"),
        (lambda: tg.tensordot(np.ones((2, 2)), np.ones((2, 2)), ((0,), (0, 1))), ShapeError, "different axes"),
        (lambda: tg.tensordot(np.ones((2, 2)), np.ones((2, 2)), ((2,), (0,))), AxisError, "axis 2 does not exist"),
        (lambda: tg.tensordot(np.ones((2, 2)), np.ones((2, 2)), (0,)), ShapeError, "tensordot: axes"),
        (lambda: tg.cross(np.ones(4), np.ones(3)), ShapeError, "cross: a vector of 4 elements"),
        (lambda: tg.cross(1.0, np.ones(3)), ShapeError, "cross: shape"),
        (lambda: tg.cross(np.ones(3), np.ones(3), axisa=1), AxisError, "axis 1"),
        (lambda: tg.multi_dot([np.ones((2, 2))]), ShapeError, "multi_dot: 1 arrays"),
        (lambda: tg.multi_dot([np.ones(2), np.ones(2), np.ones(2)]), ShapeError, "multi_dot: array 1"),
        (lambda: tg.multi_dot([np.ones((2, 2)), np.ones((3, 2))]), ShapeError, "inner lengths 2 and 3"),
        (lambda: tg.linalg.outer(np.ones((2, 2)), np.ones(2)), ShapeError, "linalg.outer: shapes"),
        (lambda: tg.linalg.cross(np.ones(2), np.ones(3)), ShapeError, "linalg.cross: shape"),
    ],
)
def test_shapes_that_do_not_fit_are_named(f, kind, words):
    with pytest.raises(kind, match=words):
        f()


def test_functions_of_numpy_record_the_same():
    a, b = array(0, (2, 3)), array(1, (3, 2))
    t = tg.Tensor(a)
    cases = [
        (np.dot(t, b), np.dot(a, b)),
        (np.dot(a=t, b=b, out=None), np.dot(a, b)),
        (np.inner(t, a), np.inner(a, a)),
        (np.outer(t, b), np.outer(a, b)),
        (np.vdot(t, b), np.vdot(a, b)),
        (np.kron(t, b), np.kron(a, b)),
        (np.tensordot(t, b, axes=1), np.tensordot(a, b, axes=1)),
        (np.matrix_transpose(t), a.T),
        (np.cross(t, a[::-1]), np.cross(a, a[::-1])),
        (np.linalg.cross(t, a[::-1]), np.cross(a, a[::-1])),
        (np.linalg.outer(t[0], b[0]), np.outer(a[0], b[0])),
        (np.linalg.tensordot(t, b, axes=1), np.tensordot(a, b, axes=1)),
        (np.linalg.matmul(t, b), a @ b),
        (np.linalg.matrix_transpose(t), a.T),
        (np.linalg.trace(t), np.linalg.trace(a)),
        (np.linalg.diagonal(t, offset=1), np.linalg.diagonal(a, offset=1)),
    ]
    for ours, theirs in cases:
        assert ours.requires_grad
        assert np.allclose(ours.data, theirs)


@pytest.mark.parametrize(
    "shapes", [((3,), (3,)), ((2, 3), (3,)), ((3,), (2, 3, 2)), ((4, 1, 2, 3), (5, 3, 2)), ((0, 3), (3, 2))]
)
def test_matmul_of_any_shapes_passes_gradcheck(shapes):
    a, b = (array(i, shape) for i, shape in enumerate(shapes))
    assert gradcheck(lambda a, b: (tg.matmul(a, b) * 1.5).sum(), a, b)


def test_a_bias_larger_than_the_product_is_refused():
    with pytest.raises(ShapeError, match=r"the bias must have shape \(1,\)"):
        tg.linear(np.ones((2, 3)), np.ones((3, 1)), np.ones(4))
