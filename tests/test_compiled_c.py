"""Programs in C give what NumPy gives, special points included; the cache of builds survives what happens to it."""

import itertools
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from random_graphs import programs
from random_terms import sample

import tinygrad_mlp as tg
from tinygrad_mlp import ops
from tinygrad_mlp.compiler.c import CKernel, CompilerError, building, compiler
from tinygrad_mlp.compiler.c.elements import ELEMENTWISE, is_element
from tinygrad_mlp.errors import MissingDependencyError
from tinygrad_mlp.rewrite import Program
from tinygrad_mlp.rewrite.terms import evaluate

try:
    COMPILER = compiler()
except MissingDependencyError as error:
    pytest.skip(str(error), allow_module_level=True)

FLOATS = (np.float64, np.float32)
ACCURATE = (ops.exp, ops.log, ops.tanh, ops.sin, ops.expm1, ops.log1p, ops.erf)
ROWS = sorted(ELEMENTWISE - {ops.where, ops.astype}, key=lambda op: op.name)


def kernel(inputs, roots, **options):
    return CKernel(inputs, roots, compiler=COMPILER, **options).maker()()


def inputs_of(program, arrays):
    return [program.input(x.shape, x.dtype, "x") for x in arrays]


def run(op, *arrays, **params):
    program = Program()
    terms = inputs_of(program, arrays)
    return kernel(terms, [program.make(op, *terms, **params)])(*arrays)[0]


def points(dtype):
    limits = np.finfo(dtype)
    numbers = [
        0.0, 1.0, 0.5, 2.0, 3.0, 0.1, 1e-5, 7.3, 10, 20, 88, 100, 103, 700, 710, 740, 1e5, 1e10, limits.max,
        limits.tiny, limits.tiny / 4, limits.smallest_subnormal, limits.eps, 1 + limits.eps, 1 - limits.eps, np.inf,
        np.nan,
    ]  # fmt: skip
    with np.errstate(all="ignore"):
        return np.array([s * x for x in numbers for s in (1, -1)], dtype)


def assert_near(ours, theirs, ulps):
    """Hold to NaN and infinities where NumPy has them, to signs of zeros, and to some units in the last place."""
    assert ours.dtype == theirs.dtype
    if theirs.dtype == bool:
        np.testing.assert_array_equal(ours, theirs)
        return
    np.testing.assert_array_equal(np.isnan(ours), np.isnan(theirs))
    np.testing.assert_array_equal(np.isinf(ours), np.isinf(theirs))
    known = ~np.isnan(theirs)
    ours, theirs = ours[known], theirs[known]
    np.testing.assert_array_equal(np.signbit(ours), np.signbit(theirs))
    finite = np.isfinite(theirs)
    with np.errstate(all="ignore"):
        difference = np.abs(ours[finite] - theirs[finite])
        assert (difference <= ulps * np.spacing(np.abs(theirs[finite]))).all()


# --------------------------------------------------------------------------------------------------------------- values


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("op", ROWS, ids=lambda op: op.name)
def test_every_elementwise_row_at_special_points(op, dtype):
    x = np.tile(points(dtype), 3)
    arrays = (
        [x] if op.arity == 1 else [np.array(v) for v in zip(*itertools.product(points(dtype), repeat=2), strict=True)]
    )
    program = Program()
    terms = inputs_of(program, arrays)
    term = program.make(op, *terms)
    assert is_element(term)
    if op in (ops.maximum, ops.minimum, ops.fmax, ops.fmin):  # which of two zeros comes is nobody's promise
        arrays = [a + 0.0 for a in arrays]
    ours, theirs = kernel(terms, [term])(*arrays)[0], np.asarray(evaluate(op, arrays, {}))
    if op in (ops.logaddexp, ops.logaddexp2):  # their sums cancel near 0, in NumPy as well
        eps = np.finfo(dtype).eps
        np.testing.assert_allclose(ours, theirs, rtol=8 * eps, atol=8 * eps)
    else:
        assert_near(ours, theirs, 5)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize(
    "op", [ops.exp, ops.log, ops.tanh, ops.sin, ops.expm1, ops.log1p, ops.erf], ids=lambda op: op.name
)
def test_vector_functions_are_accurate(op, dtype, rng):
    x = np.concatenate([rng.normal(size=3000), rng.uniform(0, 30, 1000), 10.0 ** rng.uniform(-30, 2, 1000)]).astype(
        dtype
    )
    assert_near(run(op, x), np.asarray(evaluate(op, [x], {})), 6)


@settings(deadline=None)
@given(st.integers(0, 10**6), st.booleans())
def test_random_programs(seed, special):
    case = sample(seed, special)
    tolerance = {"rtol": 3e-3, "atol": 1e-3} if case.is_single() else {"rtol": 1e-8, "atol": 1e-8}
    function = kernel(case.inputs, case.roots)
    for _ in range(2):
        with np.errstate(all="ignore"):
            results = function(*case.values)
        for ours, theirs in zip(results, case.expected(), strict=True):
            if isinstance(theirs, np.ndarray):
                assert (type(ours), ours.dtype, ours.shape) == (np.ndarray, theirs.dtype, theirs.shape)
            with np.errstate(all="ignore"):
                np.testing.assert_allclose(ours, theirs, **tolerance)


@given(programs(max_steps=6))
def test_compiled_gradients_are_those_of_the_function(program):
    both = tg.value_and_grad(lambda xs: tg.sum(tg.square(program(*xs))))
    fast = tg.compile(both, backend="c")
    for starts in (list(program.starts), [x * 0.5 + 0.25 for x in program.starts]):
        with np.errstate(all="ignore"):
            value, gradients = both(starts)
        ours, own = fast(starts)
        np.testing.assert_allclose(ours, value, rtol=1e-9, atol=1e-11)
        for a, b in zip(own, gradients, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("op", [ops.sum, ops.max, ops.min, ops.prod, ops.any, ops.all], ids=lambda op: op.name)
def test_reductions_over_every_axis(op, dtype, rng):
    for shape in ((70,), (33, 3), (3, 33), (20, 60), (2, 19, 5), (5000,)):
        x = rng.normal(size=shape).astype(dtype)
        x[rng.random(shape) < 0.02] = np.nan if op in (ops.max, ops.min) else 0.0
        for r in range(1, x.ndim + 1):
            for axis in itertools.combinations(range(x.ndim), r):
                for keepdims in (False, True):
                    theirs = np.asarray(evaluate(op, [x], {"axis": axis, "keepdims": keepdims}))
                    ours = run(op, x, axis=axis, keepdims=keepdims)
                    assert (ours.shape, ours.dtype) == (theirs.shape, theirs.dtype)
                    np.testing.assert_allclose(ours, theirs, rtol=2e-5 if dtype is np.float32 else 1e-12, atol=1e-4)


def test_long_sums_of_single_precision_stay_accurate(rng):
    x = rng.uniform(size=1_000_000).astype(np.float32)
    exact = x.astype(float).sum()
    assert abs(run(ops.sum, x, axis=(0,), keepdims=False) - exact) < 1e-6 * exact


# --------------------------------------------------------------------------------------------------------------- memory


def chain():
    """Two arrays (40, 3), and their product, its exp, and the sums of its columns."""
    program = Program()
    a, b = (program.input((40, 3), np.dtype(float), name) for name in "ab")
    y = program.make(ops.exp, a * b)
    return [a, b], [y, program.make(ops.sum, y, axis=(0,), keepdims=False)]


def test_inputs_of_any_layout(rng):
    function = kernel(*chain())
    a, b = rng.normal(size=(2, 40, 3))
    bytes_ = np.zeros(a.nbytes + 1, np.uint8)
    shifted = bytes_[1:].view(float).reshape(a.shape)
    shifted[...] = a
    wide = np.repeat(a, 2, axis=1)[:, ::2]
    fixed = a.copy()
    fixed.flags.writeable = False
    for x in (a, shifted, wide, np.asfortranarray(a), a[::-1][::-1], fixed):
        y, s = function(x, b)
        np.testing.assert_allclose(y, np.exp(a * b), rtol=1e-14)
        np.testing.assert_allclose(s, np.exp(a * b).sum(axis=0), rtol=1e-14)
    np.testing.assert_allclose(function(a, a)[0], np.exp(a * a), rtol=1e-14)


def test_numbers_of_numpy_and_subclasses_of_arrays(rng):
    program = Program()
    x, y = program.input((), np.dtype(np.float32), "x"), program.input((9,), np.dtype(np.float32), "y")
    function = kernel([x, y], [x * y])
    a = rng.normal(size=9).astype(np.float32)
    np.testing.assert_allclose(function(np.float32(2), a.view(np.recarray))[0], 2 * a)


def test_results_are_arrays_of_their_own(rng):
    function = kernel(*chain())
    a, b = rng.normal(size=(2, 40, 3))
    first = function(a, b)
    kept = [y.copy() for y in first]
    second = function(b + 1, b)
    assert not any(np.shares_memory(x, y) for x in first for y in (*second, a, b))
    for x, y in zip(first, kept, strict=True):
        np.testing.assert_array_equal(x, y)


def test_an_element_is_read_in_every_call(rng):
    program = Program()
    x = program.input((60,), np.dtype(float), "x")
    y = program.make(ops.exp, x)
    element = program.make(ops.getitem, program.make(ops.sqrt, y), index=(Ellipsis, 5))
    function = kernel([x], [element, program.make(ops.sum, y, axis=(0,), keepdims=False)])
    for a in rng.normal(size=(3, 60)):
        np.testing.assert_allclose(function(a)[0], np.exp(a[5] / 2), rtol=1e-14)


def test_nothing_is_computed_of_arrays_without_elements():
    program = Program()
    x = program.input((0, 3), np.dtype(float), "x")
    y, s = kernel([x], [program.make(ops.exp, x), program.make(ops.sum, x, axis=(0,), keepdims=False)])(np.ones((0, 3)))
    assert y.shape == (0, 3)
    np.testing.assert_array_equal(s, np.zeros(3))


def updates(shape, n=1):
    """Parameters and gradients, and the parameters after a step."""
    program = Program()
    xs = [program.input(shape, np.dtype(float), f"x{i}") for i in range(n)]
    g = program.input(shape, np.dtype(float), "g")
    return program, [*xs, g], [x - 0.5 * program.make(ops.tanh, g) for x in xs]


@pytest.mark.parametrize("shape", [(2, 3), (500,), (30, 40)])
def test_donated_arrays_are_overwritten(shape, rng):
    _program, inputs, roots = updates(shape, 2)
    function = kernel(inputs, roots, donated={id(r): x for r, x in zip(roots, inputs, strict=False)})
    x, y, g = rng.normal(size=(3, *shape))
    expected = [v - 0.5 * np.tanh(g) for v in (x, y)]
    results = function(x, y, g)
    assert results[0] is x
    assert results[1] is y
    np.testing.assert_allclose(results, expected, rtol=1e-12, atol=1e-15)


def test_a_donated_array_that_is_read_across_is_overwritten_last(rng):
    program = Program()
    x = program.input((30, 30), np.dtype(float), "x")
    y = program.make(ops.exp, x) + x.T
    function = kernel([x], [y, program.make(ops.getitem, x, index=(0,))], donated={id(y): x})
    a = rng.normal(size=(30, 30))
    expected, row = np.exp(a) + a.T, a[0].copy()
    b = np.repeat(a, 2, axis=0)[::2]
    for array in (a, b):
        result, first = function(array)
        assert result is array
        np.testing.assert_allclose(result, expected, rtol=1e-14)
        np.testing.assert_array_equal(first, row)


def test_a_donated_array_that_another_argument_shares(rng):
    _program, inputs, roots = updates((40,))
    function = kernel(inputs, roots, donated={id(roots[0]): inputs[0]})
    memory = rng.normal(size=50)
    x, g = memory[:40], memory[10:]
    expected = x - 0.5 * np.tanh(g)
    np.testing.assert_allclose(function(x, g)[0], expected, rtol=1e-12, atol=1e-15)


def test_guards():
    program = Program()
    x = program.input((20,), np.dtype(float), "x")
    n = program.input((), float, "n")
    positive = program.make(ops.greater, program.make(ops.sum, x, axis=(0,), keepdims=False), 0.0)
    above = program.make(ops.greater, n, 1.0)
    y = x * n
    function = kernel([x, n], [y], guards=[(positive, True), (above, False)], donated={id(y): x})
    a = np.ones(20)
    assert function(-a, 0.5) is None
    assert function(a, 2.0) is None
    np.testing.assert_array_equal(a, 1.0)
    assert function(a, 0.5)[0] is a
    np.testing.assert_array_equal(a, 0.5)


def test_threads_do_not_share_buffers(rng):
    @tg.compile(backend="c")
    def f(X, W):
        H = tg.tanh(X @ W)
        return tg.sum(tg.sort(H @ W.T, axis=0) * X, axis=1)

    W = rng.normal(size=(40, 60))
    arrays = [rng.normal(size=(200, 40)) for _ in range(8)]
    expected = [f(X, W) for X in arrays]
    with ThreadPoolExecutor(4) as pool:
        for _ in range(20):
            for ours, theirs in zip(pool.map(lambda X: f(X, W), arrays), expected, strict=True):
                np.testing.assert_array_equal(ours, theirs)


def test_random_draws_keep_their_order():
    def f(X, rng):
        return tg.dropout(tg.exp(X), 0.5, rng=rng) + tg.dropout(X, 0.3, rng=rng)

    one, other = np.random.default_rng(3), np.random.default_rng(3)
    fast = tg.compile(f, backend="c")
    X = np.linspace(0, 1, 60).reshape(20, 3)
    for _ in range(3):
        np.testing.assert_allclose(fast(X, one), f(X, other), rtol=1e-14)


def test_long_chains_of_numbers_run_by_the_interpreter_in_c():
    def f(x, y):
        for _ in range(1500):
            x, y = tg.sin(x) * y + 0.5, tg.maximum(x - y, x * 0.5)
        return x

    fast, slope = tg.compile(tg.value_and_grad(f, argnums=(0, 1)), backend="c"), tg.value_and_grad(f, argnums=(0, 1))
    for point in ((0.3, 0.9), (-2.0, 0.1)):
        ours, theirs = fast(*point), slope(*point)
        np.testing.assert_allclose([ours[0], *ours[1]], [float(theirs[0]), *theirs[1]], rtol=1e-9)
    assert fast.plan.backend == "scalars, c"


# ---------------------------------------------------------------------------------------------------------------- cache

BUILD = """
import numpy as np, tinygrad_mlp as tg
f = tg.compile(lambda x: tg.sum(tg.exp(x) * {number}), backend="c")
print(float(f(np.zeros(50))))
"""


def in_a_process(number, **environment):
    return subprocess.Popen(
        [sys.executable, "-c", BUILD.format(number=number)],
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def outcome_of(process):
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    return out.strip(), err


def test_two_processes_build_at_once(tmp_path):
    both = [in_a_process(3.0, TINYGRAD_MLP_CACHE=str(tmp_path)) for _ in range(2)]
    assert [outcome_of(p)[0] for p in both] == ["150.0", "150.0"]
    assert {p.suffix for p in tmp_path.iterdir()} == {".so"}


@pytest.mark.parametrize("damage", [lambda b: b[: len(b) // 2], lambda _: b"", lambda b: b[:-40] + bytes(40)])
def test_a_broken_file_in_the_cache_is_built_again(tmp_path, damage):
    assert outcome_of(in_a_process(5.0, TINYGRAD_MLP_CACHE=str(tmp_path)))[0] == "250.0"
    for path in tmp_path.iterdir():
        path.write_bytes(damage(path.read_bytes()))
    assert outcome_of(in_a_process(5.0, TINYGRAD_MLP_CACHE=str(tmp_path)))[0] == "250.0"
    assert all(building._is_whole(path) for path in tmp_path.iterdir())


def test_a_cache_that_cannot_be_written_to(tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("no folder")
    assert outcome_of(in_a_process(7.0, TINYGRAD_MLP_CACHE=str(blocked / "cache")))[0] == "350.0"


def test_without_a_compiler_numpy_is_used(tmp_path):
    out, err = outcome_of(in_a_process(7.0, PATH=str(tmp_path), CC=""))
    assert out == "350.0"
    assert "needs a C compiler" in err


def test_a_compiler_is_asked_for_by_name(monkeypatch):
    monkeypatch.setenv("CC", "no-such-compiler")
    with pytest.raises(MissingDependencyError, match="no-such-compiler"):
        compiler()


def test_a_compiler_may_be_asked_for_with_switches(monkeypatch):
    monkeypatch.setenv("CC", f"{COMPILER.command[0]} -DSEVEN=7")
    assert compiler().load("int seven_of_cc(void) { return SEVEN; }").seven_of_cc() == 7


def test_a_compiler_that_fails_says_why():
    with pytest.raises(CompilerError, match=r"(?s)failed with status.*unknown_function|unknown_type"):
        COMPILER.load("unknown_type x;")


def test_one_library_is_loaded_once():
    text = "int seven(void) { return 7; }"
    found = []
    threads = [threading.Thread(target=lambda: found.append(COMPILER.load(text))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({id(library) for library in found}) == 1
    assert found[0].seven() == 7
