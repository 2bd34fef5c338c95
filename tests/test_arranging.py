"""NumPy's functions that move elements: the values are NumPy's, and the vjp is the transpose."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from strategies import shapes

import tinygrad_mlp as tg
from tinygrad_mlp.errors import AxisError, DTypeError, TinygradError

VECTOR, MATRIX, CUBE = np.arange(1.0, 6.0), np.arange(12.0).reshape(3, 4) + 0.5, np.arange(24.0).reshape(2, 3, 4) - 7
CASES = [
    ("ravel", [MATRIX], {}), ("ravel", [np.array(3.0)], {}), ("ravel", [CUBE, "F"], {}),
    *[("rollaxis", [CUBE, axis, start], {}) for axis in range(-3, 3) for start in range(-3, 4)],
    *[("resize", [x, shape], {}) for x in (MATRIX, np.zeros((0, 2))) for shape in (5, (2, 7), (3, 0), ())],
    *[("repeat", [np.array(3.0), 2], {"axis": axis}) for axis in (None, 0, -1)],
    ("moveaxis", [CUBE, 0, -1], {}), ("moveaxis", [CUBE, (0, 1), (-1, 0)], {}),
    ("flip", [CUBE], {}), ("flip", [CUBE], {"axis": 1}), ("flip", [CUBE], {"axis": (0, -1)}),
    *[("rot90", [CUBE], {"k": k, "axes": axes}) for k in range(-1, 4) for axes in ((0, 1), (2, 1))],
    ("roll", [MATRIX, 5], {}), ("roll", [MATRIX, -1], {"axis": 1}), ("roll", [MATRIX, (1, 2)], {"axis": (0, 1)}),
    ("roll", [np.zeros((0, 2)), 1], {"axis": 0}),
    ("repeat", [MATRIX, 2], {}), ("repeat", [MATRIX, [0, 2, 1]], {"axis": 0}), ("repeat", [VECTOR, 3], {"axis": 0}),
    ("tile", [VECTOR, 2], {}), ("tile", [MATRIX, (2, 1, 3)], {}), ("tile", [CUBE, 2], {}), ("tile", [VECTOR, 0], {}),
    ("atleast_1d", [np.array(2.0)], {}), ("atleast_2d", [VECTOR], {}), ("atleast_3d", [MATRIX], {}),
    ("atleast_3d", [VECTOR], {}),
    ("append", [MATRIX, MATRIX], {}), ("append", [MATRIX, MATRIX], {"axis": 1}),
    *[("diagonal", [MATRIX], {"offset": k}) for k in (-4, -2, 0, 1, 3, 5)], ("diagonal", [CUBE, 1, 0, 2], {}),
    *[("diag", [x], {"k": k}) for x in (VECTOR, MATRIX) for k in (-1, 0, 2)],
    ("trace", [MATRIX], {}), ("trace", [CUBE, 1], {"axis1": 1, "axis2": 2}),
    *[(name, [x], {"k": k}) for name in ("tril", "triu") for x in (MATRIX, CUBE) for k in (-1, 0, 1)],
]  # fmt: skip
JOINING = [
    ("vstack", [VECTOR, VECTOR]), ("vstack", [MATRIX, MATRIX]), ("hstack", [VECTOR, VECTOR]),
    ("hstack", [MATRIX, MATRIX]), ("dstack", [MATRIX, MATRIX]), ("column_stack", [VECTOR, np.ones((5, 2))]),
]  # fmt: skip
SPLITTING = [
    ("split", [MATRIX, 2, 1]), ("split", [VECTOR, [1, 3]]), ("array_split", [VECTOR, 3]), ("array_split", [VECTOR, 7]),
    ("hsplit", [MATRIX, 2]), ("vsplit", [MATRIX, 3]), ("dsplit", [CUBE, 2]), ("unstack", [CUBE]),
]  # fmt: skip


def noise(*shape):
    return np.random.default_rng(0).uniform(-1, 1, shape)


def check(f, expected, x):
    """Hold value and vjp of a linear ``f`` of one tensor: ⟨u, f(v) - f(0)⟩ = ⟨fᵀu, v⟩."""
    y = f(tg.Tensor(x))
    assert np.array_equal(y.data, expected)
    t = tg.Tensor(x)
    u, v = noise(*y.shape), noise(*x.shape)
    f(t).backward(u)
    moved = f(tg.Tensor(v)).data - f(tg.Tensor(np.zeros_like(v))).data
    assert np.isclose(np.sum(u * moved), np.sum((0.0 if t.grad is None else t.grad) * v))


@pytest.mark.parametrize(("name", "args", "kwargs"), CASES, ids=lambda case: case if isinstance(case, str) else "")
def test_a_function_moves_elements_as_numpys_does(name, args, kwargs):
    x, *rest = args
    theirs = getattr(np, name)
    expected = theirs(x, *rest, **kwargs)
    for ours in (getattr(tg, name), theirs):
        check(lambda t, ours=ours: ours(t, *rest, **kwargs), expected, x)


@pytest.mark.parametrize(("name", "args", "kwargs"), CASES, ids=lambda case: case if isinstance(case, str) else "")
@pytest.mark.parametrize("dtype", [np.int64, np.int8, bool, np.float32])
def test_what_only_moves_keeps_its_dtype(name, args, kwargs, dtype):
    x, *rest = args
    x = x.astype(dtype)
    y, expected = getattr(tg, name)(x, *rest, **kwargs), getattr(np, name)(x, *rest, **kwargs)
    assert y.dtype == expected.dtype
    assert np.array_equal(y, expected)


@pytest.mark.parametrize(("name", "arrays"), JOINING)
def test_a_function_joins_arrays_as_numpys_does(name, arrays):
    theirs = getattr(np, name)
    for ours in (getattr(tg, name), theirs):
        check(lambda t, ours=ours: ours([t, arrays[1]]), theirs(arrays), arrays[0])


@pytest.mark.parametrize("name", ["atleast_1d", "atleast_2d", "atleast_3d"])
def test_several_arrays_get_their_least_axes_together(name):
    arrays = (np.array(3.0), VECTOR, MATRIX, CUBE)
    for ours, theirs in zip(getattr(tg, name)(*arrays), getattr(np, name)(*arrays), strict=True):
        assert ours.shape == theirs.shape
        assert np.array_equal(ours, theirs)


@pytest.mark.parametrize(("name", "args"), SPLITTING)
def test_a_function_splits_arrays_as_numpys_does(name, args):
    x, *rest = args
    expected = [x[i] for i in range(len(x))] if name == "unstack" else getattr(np, name)(x, *rest)
    for i, part in enumerate(expected):
        check(lambda t, i=i: getattr(tg, name)(t, *rest)[i], part, x)
    if name != "unstack":
        assert [p.shape for p in getattr(np, name)(tg.Tensor(x), *rest)] == [p.shape for p in expected]


@pytest.mark.parametrize("indexing", ["xy", "ij"])
def test_meshgrid_is_numpys(indexing):
    xs = [np.arange(2.0), np.arange(3.0), np.arange(4.0)]
    for ours, theirs in zip(tg.meshgrid(*xs, indexing=indexing), np.meshgrid(*xs, indexing=indexing), strict=True):
        assert np.array_equal(ours, theirs)
    check(lambda t: tg.meshgrid(t, xs[1], indexing=indexing)[0], np.meshgrid(*xs[:2], indexing=indexing)[0], xs[0])


@pytest.mark.parametrize(
    ("f", "words"),
    [
        (lambda: tg.split(MATRIX, 5), "split: length 3 of axis 0 cannot be split into 5 equal parts"),
        (lambda: tg.moveaxis(CUBE, (0, 1), 0), "moveaxis: source"),
        (lambda: tg.rot90(CUBE, axes=(1, 1)), "rot90: axis .1, 1. names an axis twice"),
        (lambda: tg.diag(CUBE), "diag: shape"),
        (lambda: tg.tile(VECTOR, -1), "tile: reps -1 must not be negative"),
        (lambda: tg.ravel(MATRIX, order="G"), "ravel: order='G': choose 'C' or 'F'"),
        (lambda: tg.rollaxis(CUBE, 0, 4), "rollaxis: start 4 is no place among 3 dimensions"),
        (lambda: tg.rollaxis(CUBE, 0, -4), "rollaxis: start -4 is no place among 3 dimensions"),
        (lambda: tg.repeat(np.array(3.0), 2, axis=1), "axis 1"),
        (lambda: tg.block([(VECTOR, VECTOR)]), "block"),
    ],
)
def test_what_cannot_be_is_said(f, words):
    with pytest.raises(TinygradError, match=words):
        f()


# ---------------------------------------------------------------------------------------- any arguments, right or wrong

NUMBERS = st.integers(-3, 4) | st.sampled_from([np.int64(1), np.int8(-1), np.int16(2)])
SEVERAL = st.lists(NUMBERS, max_size=4).map(tuple) | st.lists(NUMBERS, max_size=3) | NUMBERS
SOME = st.lists(NUMBERS, min_size=1, max_size=3).map(tuple) | NUMBERS
AXIS = st.none() | st.integers(-3, 3)
PLACES = NUMBERS | st.lists(st.integers(-5, 5), max_size=3) | st.slices(4)
SMALL = hnp.arrays(np.float64, shapes(max_dims=2), elements=st.sampled_from([0.0, 1.0, -2.5]))
ARGUMENTS = {
    "append": (SMALL, AXIS), "array_split": (SEVERAL, NUMBERS), "delete": (PLACES, AXIS), "diag": (NUMBERS,),
    "diagflat": (NUMBERS,), "diagonal": (NUMBERS, NUMBERS, NUMBERS), "dsplit": (SEVERAL,),
    "expand_dims": (SEVERAL,), "flip": (st.none() | SEVERAL,), "fliplr": (), "flipud": (), "hsplit": (SEVERAL,),
    "insert": (PLACES, st.floats(-2, 2) | SMALL, AXIS), "moveaxis": (SEVERAL, SEVERAL),
    "permute_dims": (st.none() | SEVERAL,), "ravel": (st.sampled_from(["C", "F"]),),
    "repeat": (SEVERAL, AXIS), "reshape": (SEVERAL,), "resize": (SEVERAL,), "roll": (SOME, st.none() | SOME),
    "rollaxis": (NUMBERS, NUMBERS), "rot90": (NUMBERS, st.tuples(NUMBERS, NUMBERS)), "split": (SEVERAL, NUMBERS),
    "squeeze": (st.none() | NUMBERS | st.lists(NUMBERS, max_size=2).map(tuple),),
    "swapaxes": (NUMBERS, NUMBERS), "tile": (SEVERAL.map(lambda reps: np.abs(reps).tolist()),),
    "trace": (NUMBERS, NUMBERS, NUMBERS), "tril": (NUMBERS,), "triu": (NUMBERS,), "unstack": (),
    "vsplit": (SEVERAL,), "broadcast_to": (SEVERAL,), "transpose": (st.none() | SEVERAL,),
    "atleast_1d": (), "atleast_2d": (), "atleast_3d": (), "meshgrid": (), "broadcast_arrays": (SMALL,),
    "vstack": (), "hstack": (), "dstack": (), "column_stack": (), "concatenate": (AXIS,), "stack": (NUMBERS,),
}  # fmt: skip
JOINS = ("vstack", "hstack", "dstack", "column_stack", "concatenate", "stack")
REFUSALS = (ValueError, TypeError, IndexError, ZeroDivisionError)


def listed(y):
    return list(y) if isinstance(y, list | tuple) else [y]


@pytest.mark.parametrize("name", ARGUMENTS)
@given(data=st.data())
def test_values_errors_and_gradients_are_numpys_for_any_arguments(name, data):
    dtype = data.draw(st.sampled_from([np.float64, np.float32]))
    x = data.draw(hnp.arrays(dtype, shapes(), elements=st.integers(-9, 9)))
    args = data.draw(st.tuples(*ARGUMENTS[name]))
    others = data.draw(st.lists(SMALL | st.just(x + 1), max_size=2)) if name in JOINS else []

    def on(module, x):
        return listed(getattr(module, name)([x, *others] if name in JOINS else x, *args))

    try:
        expected = on(np, x)
    except REFUSALS:
        assume(name != "squeeze" or x.ndim)  # a number has the axes (0,) and (-1,) too, as in PyTorch
        for given_x in (tg.Tensor(x), x):
            with pytest.raises(TinygradError):
                on(tg, given_x)
        return
    t = tg.Tensor(x)
    for operand in (x, t):
        ys = on(tg, operand)
        assert len(ys) == len(expected)
        assert all(isinstance(y, tg.Tensor) == isinstance(operand, tg.Tensor) for y in ys[:1])
        for y, e in zip(ys, expected, strict=True):
            value = y.data if isinstance(y, tg.Tensor) else np.asarray(y)
            assert np.array_equal(value, e)
            assert value.dtype == e.dtype
    seeds = [noise(*e.shape) for e in expected]
    sum((np.sum(y * u) for y, u in zip(ys, seeds, strict=True)), start=tg.Tensor(0.0)).backward()
    v = np.random.default_rng(1).uniform(-1, 1, x.shape)
    moved = [b - a for a, b in zip(on(np, np.zeros(x.shape)), on(np, v), strict=True)]
    if name not in JOINS or all(x is not other for other in others):
        measured = sum(np.sum(u * m) for u, m in zip(seeds, moved, strict=True))
        assert np.isclose(measured, np.sum(v * (0.0 if t.grad is None else t.grad)), rtol=1e-5, atol=1e-5)
    assert t.grad is None or t.grad.dtype == x.dtype


@given(data=st.data())
def test_integers_and_booleans_move_as_numpys_and_keep_their_dtype(data):
    name = data.draw(st.sampled_from([n for n in ARGUMENTS if n not in (*JOINS, "append", "insert", "trace")]))
    x = data.draw(hnp.arrays(st.sampled_from([np.int64, np.uint8, np.bool_]), shapes(), elements=st.integers(0, 1)))
    args = data.draw(st.tuples(*ARGUMENTS[name]))
    try:
        expected = listed(getattr(np, name)(x, *args))
    except REFUSALS:
        return
    for y, e in zip(listed(getattr(tg, name)(x, *args)), expected, strict=True):
        assert np.array_equal(y, e)
        assert np.asarray(y).dtype == e.dtype


@pytest.mark.parametrize("name", ["concatenate", "stack", "hstack", "vstack"])
@given(data=st.data())
def test_joining_promotes_dtypes_as_numpy_and_gives_each_its_own_back(name, data):
    kinds = data.draw(st.lists(st.sampled_from([np.float16, np.float32, np.float64]), min_size=1, max_size=3))
    extra = data.draw(st.sampled_from([None, np.int64, bool]))
    arrays = [np.arange(3).astype(kind) for kind in kinds] + ([np.ones(3, extra)] if extra is not None else [])
    tensors = [tg.Tensor(a) if a.dtype.kind == "f" else a for a in arrays]
    expected = getattr(np, name)(arrays)
    y = getattr(tg, name)(tensors)
    assert y.dtype == expected.dtype
    assert np.array_equal(y.data, expected)
    (y * y).backward(np.ones(y.shape))
    for t in tensors:
        if isinstance(t, tg.Tensor):
            assert t.grad.dtype == t.dtype
            assert np.allclose(t.grad, 2 * t.data)


def test_values_tensors_arrays_and_numbers_join():
    a, t = tg.Value(2.0), tg.Tensor([3.0])
    y = tg.hstack([a, t, np.array([5.0, 6.0]), 7, [8.0]])
    assert np.array_equal(y.data, [2.0, 3.0, 5.0, 6.0, 7.0, 8.0])
    (y * y).sum().backward()
    assert a.grad == 4.0
    assert np.array_equal(t.grad, [6.0])
    assert np.array_equal(tg.block([[a, t], [1.0, 4.0]]).data, [[2.0, 3.0], [1.0, 4.0]])


@given(data=st.data())
def test_block_is_numpys(data):
    leaf = st.floats(-1, 1) | hnp.arrays(np.float64, shapes(max_dims=2, max_side=2), elements=st.floats(-1, 1))
    nest = data.draw(st.lists(leaf, max_size=3) | st.lists(st.lists(leaf, max_size=2) | leaf, max_size=2))

    def lifted(x):
        return [lifted(a) for a in x] if isinstance(x, list) else tg.Tensor(x)

    try:
        expected = np.block(nest)
    except REFUSALS:
        with pytest.raises(TinygradError):
            tg.block(lifted(nest))
        return
    y = tg.block(lifted(nest))
    assert np.array_equal(y.data, expected)


@given(data=st.data())
def test_fill_diagonal_gives_what_numpy_writes(data):
    shape = data.draw(st.sampled_from([(2, 3), (3, 3), (7, 2), (2, 2, 2), (1, 1), (2, 3, 2), (3,), (0, 0)]))
    values = data.draw(st.just(5.0) | hnp.arrays(np.float64, st.integers(1, 4), elements=st.floats(1, 9)))
    wrap = data.draw(st.booleans())
    x = noise(*shape)
    expected = x.copy()
    try:
        np.fill_diagonal(expected, values, wrap)
    except ValueError:
        with pytest.raises(TinygradError, match="fill_diagonal"):
            tg.fill_diagonal(x, values, wrap)
        return
    t, v = tg.Tensor(x), tg.Tensor(values)
    y = tg.fill_diagonal(t, v, wrap)
    assert np.array_equal(y.data, expected)
    y.backward(np.ones(shape))
    assert np.isclose(np.sum(t.grad) + np.sum(v.grad), x.size)


NAMED = [
    lambda f, x: f.repeat(a=x, repeats=2), lambda f, x: f.roll(a=x, shift=1, axis=0), lambda f, x: f.rot90(m=x, k=1),
    lambda f, x: f.tile(A=x, reps=2), lambda f, x: f.split(ary=x, indices_or_sections=3)[1],
    lambda f, x: f.take(x, [0, 7], 1, None, "wrap"), lambda f, x: f.take(a=x, indices=[1], axis=0, mode="clip"),
    lambda f, x: f.compress(condition=[True, False], a=x, axis=1), lambda f, x: f.insert(arr=x, obj=1, values=2.0),
    lambda f, x: f.diff(a=x, n=1, prepend=0.0), lambda f, x: f.ravel(a=x, order="F"), lambda f, x: f.flip(m=x),
    lambda f, x: f.meshgrid(x[0], x[1], copy=True, sparse=True)[0],
    lambda f, x: f.moveaxis(a=x, source=0, destination=1), lambda f, x: f.pad(array=x, pad_width=1, mode="edge"),
    lambda f, x: f.trapezoid(y=x, dx=2.0), lambda f, x: f.extract(condition=[True, False, True], arr=x),
    lambda f, x: f.broadcast_arrays(x, 1.0, subok=True)[0], lambda f, x: f.gradient(x, axis=1),
    lambda f, x: f.take_along_axis(arr=x, indices=np.argsort(MATRIX, axis=0), axis=0),
    lambda f, x: f.concatenate(x), lambda f, x: f.vstack(x), lambda f, x: f.block([[x, x]]),
]  # fmt: skip


@pytest.mark.parametrize("call", NAMED)
def test_numpys_functions_on_a_tensor_take_their_arguments_under_numpys_names(call):
    y = call(np, tg.Tensor(MATRIX))
    assert isinstance(y, tg.Tensor)
    assert np.array_equal(y.data, call(np, MATRIX))


@pytest.mark.parametrize("name", ["vstack", "hstack", "dstack", "column_stack"])
def test_only_a_sequence_of_arrays_can_be_joined(name):
    for xs in (1.0, tg.Tensor(1.0), (x for x in MATRIX)):
        with pytest.raises(DTypeError, match=f"{name}: takes a list or tuple of arrays"):
            getattr(tg, name)(xs)


def test_a_tuple_names_no_axis_of_a_number():
    assert tg.squeeze(tg.Tensor(1.0), 0).shape == tg.squeeze(tg.Tensor(1.0), ()).shape == ()
    for axis in ((0,), (-1,), 1):
        with pytest.raises(AxisError):
            tg.squeeze(tg.Tensor(1.0), axis)


@pytest.mark.parametrize(
    "f",
    [
        lambda x: tg.tile(x, 1), lambda x: tg.tile(x, (1, 1)), lambda x: tg.repeat(x, 1), lambda x: tg.roll(x, 0),
        lambda x: tg.roll(x, 4, 1), tg.block, lambda x: tg.block([x]), lambda x: tg.pad(x, 0),
        lambda x: tg.clip(x, None, None), lambda x: tg.resize(x, (3, 4)),
    ],
)  # fmt: skip
def test_where_numpy_gives_a_copy_nothing_is_shared(f):
    x = np.arange(12.0).reshape(3, 4)
    assert not np.shares_memory(f(x), x)
    assert np.array_equal(f(x).ravel(), x.ravel())
