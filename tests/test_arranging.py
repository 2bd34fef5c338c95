"""NumPy's functions that move elements: the values are NumPy's, and the vjp is the transpose."""

import numpy as np
import pytest

import tinygrad_mlp as tg
from tinygrad_mlp.errors import TinygradError

VECTOR, MATRIX, CUBE = np.arange(1.0, 6.0), np.arange(12.0).reshape(3, 4) + 0.5, np.arange(24.0).reshape(2, 3, 4) - 7
CASES = [
    ("ravel", [MATRIX], {}), ("ravel", [np.array(3.0)], {}),
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
    ("diff", [MATRIX], {}), ("diff", [CUBE], {"n": 2, "axis": 1}), ("diff", [VECTOR], {"n": 0}),
    ("pad", [VECTOR, 2], {}), ("pad", [MATRIX, ((1, 0), (2, 1))], {"constant_values": 3.0}),
    *[("pad", [MATRIX, ((1, 2), (0, 3))], {"mode": mode}) for mode in ("edge", "reflect", "symmetric", "wrap")],
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


@pytest.mark.parametrize(("name", "arrays"), JOINING)
def test_a_function_joins_arrays_as_numpys_does(name, arrays):
    theirs = getattr(np, name)
    for ours in (getattr(tg, name), theirs):
        check(lambda t, ours=ours: ours([t, arrays[1]]), theirs(arrays), arrays[0])


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
        (lambda: tg.rot90(CUBE, axes=(1, 1)), "rot90: axes"),
        (lambda: tg.diag(CUBE), "diag: shape"),
        (lambda: tg.pad(VECTOR, 1, mode="median"), "pad: mode='median'"),
        (lambda: np.diff(tg.Tensor(VECTOR), prepend=0.0), "np.diff: prepend= is not supported"),
    ],
)
def test_what_cannot_be_is_said(f, words):
    with pytest.raises(TinygradError, match=words):
        f()
