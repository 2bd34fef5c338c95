"""The texts of compiled functions run by themselves: source, kernel and plan."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from op_cases import samples
from random_graphs import programs
from strategies import call
from test_compile import Pair, X, assert_same, plain

import tinygrad_mlp as tg
from tinygrad_mlp import ops
from tinygrad_mlp.compiler import schedule
from tinygrad_mlp.compiler.writing import expression, held, literal
from tinygrad_mlp.nest import Nest
from tinygrad_mlp.rewrite import Program
from tinygrad_mlp.rewrite.terms import evaluate
from tinygrad_mlp.table import OPS

IMPORTS = {"import math", "import sys", "import numpy as np"}


def run_source(fast, *args, **given):
    """What the source gives, with nothing but NumPy imported, and its constants."""
    assert {line for line in fast.source.splitlines() if line.startswith(("import", "from"))} <= IMPORTS
    namespace = {}
    exec(fast.source, namespace)
    name = re.findall(r"^def (\w+)", fast.source, re.MULTILINE)[-1]
    with np.errstate(all="ignore"):
        return namespace[name](*args, **fast.constants, **given)


def run_kernel(fast, *inputs):
    """What the kernel gives."""
    assert {line for line in fast.kernel.splitlines() if line.startswith(("import", "from"))} <= IMPORTS
    namespace = {}
    exec(fast.kernel, namespace)
    with np.errstate(all="ignore"):
        return namespace["make"](**fast._last.constants)(*inputs)


@given(programs())
def test_texts_of_random_programs_give_what_the_function_gives(program):
    def f(xs):
        return tg.value_and_grad(lambda xs: tg.sum(program(*xs) ** 2))(xs)

    fast = tg.compile(f)
    starts = list(program.starts)
    with np.errstate(all="ignore"):
        value, gradients = fast(starts)
        assert_same(run_source(fast, starts), (value, gradients))
        kernel = run_kernel(fast, *starts)
        assert any(np.allclose(x, value, equal_nan=True) for x in kernel if np.shape(x) == ())


@pytest.mark.parametrize("op", [op for op in OPS.values() if not op.random], ids=lambda op: op.name)
@given(data=st.data())
def test_the_source_of_every_row_gives_what_the_row_gives(op, data):
    sample = data.draw(samples(op))
    fast = tg.compile(lambda *xs: call(op, xs, sample.params))
    with np.errstate(all="ignore"):
        wanted = fast(*sample.operands)
    assert_same(run_source(fast, *sample.operands), wanted)


NESTS = {
    "nothing": (lambda: None, ()),
    "texts": (lambda x: {"a": x, "b": ("text", None, 3, [x * 2])}, (X,)),
    "named tuple": (lambda p: p.left * p.right["w"], (Pair(2.0, {"w": X}),)),
    "deep": (lambda x, *more: (x[0][0]["k"] + more[0], [], ()), ([[{"k": X}]], 3.0)),
    "words": (lambda d: d["class"] + d["np"] + d["x y"] + d["1"], ({"class": X, "np": X, "x y": X, "1": 2.0},)),
    "constants": (lambda x: (x + np.arange(4.0)[:, None], np.arange(3), np.full(2, np.inf), np.nan), (X,)),
    "large constant": (lambda x: x @ np.linspace(0, 1, 60).reshape(3, 20), (X,)),
    "long": (lambda x: tg.sum(tg.exp(x) * x, axis=0), (np.linspace(0, 1, 6000).reshape(200, 30),)),
    "numbers": (lambda a, b: (a * b, a > b, tg.where(a > b, a, b)), (2.0, 3.0)),
}  # fmt: skip


@pytest.mark.parametrize("case", NESTS.values(), ids=NESTS)
def test_sources_take_and_return_what_the_function_does(case):
    f, args = case
    fast = tg.compile(f)
    wanted = fast(*args)
    assert_same(wanted, plain(f(*args)))
    result = run_source(fast, *args)
    for ours, theirs in zip(Nest(result).leaves, Nest(wanted).leaves, strict=True):
        assert ours == theirs if isinstance(theirs, str) else np.allclose(ours, theirs, 1e-12, equal_nan=True)
    if fast.plan.backend == "numpy":
        inputs = [x for x in Nest(list(args)).leaves if isinstance(x, np.ndarray | float)]
        numbers = [x for x in Nest(wanted).leaves if isinstance(x, np.ndarray | float)]
        found = run_kernel(fast, *inputs)
        assert all(any(np.array_equal(x, y, equal_nan=True) for y in found) for x in numbers)


def test_the_source_returns_what_leaves_become():
    w, b = tg.Tensor(np.ones(3), name="w"), tg.Tensor(np.zeros(3), name="b")

    def step(x):
        w.assign(w - 0.5 * x)
        b.assign(b + tg.sum(w))
        return w * b

    fast = tg.compile(step)
    result = fast(X)
    value, leaves = run_source(fast, X, w=np.ones(3), b=np.zeros(3))
    assert_same(value, result)
    np.testing.assert_allclose(leaves["w"], w.data)
    np.testing.assert_allclose(leaves["b"], b.data)


def test_leaves_of_one_name_are_told_apart():
    a, b = tg.Tensor([1.0]), tg.Tensor([2.0])

    def step(x):
        a.assign(a + x)
        b.assign(b - x)

    fast = tg.compile(step)
    fast(np.array([5.0]))
    parameters = re.search(r"def step\((.*)\)", fast.source).group(1).split(", ")[2:]
    _, leaves = run_source(fast, np.array([5.0]), **dict(zip(parameters, ([1.0], [2.0]), strict=True)))
    assert sorted(float(x[0]) for x in leaves.values()) == [-3.0, 6.0]


def test_names_are_the_users():
    def loss(params, X, y):
        W, b = params
        H = tg.tanh(X @ W + b)
        return tg.mean((H - y) ** 2)

    def step(params, X, y):
        dW, db = tg.grad(loss)(params, X, y)
        W, b = params
        return W - 0.1 * dW, b - 0.1 * db

    fast = tg.compile(step)
    W, data = np.ones((3, 2)), np.ones((5, 3))
    fast((W, np.zeros(2)), data, np.ones((5, 2)))
    names = set(re.findall(r"^ +(\w+) = ", fast.source, re.MULTILINE))
    assert {"H", "dW", "db"} <= names
    assert "def step(params, X, y):" in fast.source
    assert re.search(r"H = .*# \(5, 2\) float64", fast.source)


def test_the_plan_says_what_was_done(monkeypatch):
    monkeypatch.setattr(schedule, "FUSED_BYTES", 100)
    w, c = tg.Tensor(np.ones(20), name="w"), np.linspace(0, 1, 40).reshape(2, 20)
    fast = tg.compile(lambda x: x - tg.exp(x * 1.0 * w) * c * tg.log(tg.exp(x)), donate=0)
    fast(np.ones((2, 20)))
    text = str(fast.plan)
    lines = dict(line.split(maxsplit=1) for line in text.splitlines() if not line.startswith("read live"))
    assert lines["backend"] == "numpy"
    before, after = map(int, re.findall(r"\d+", lines["operations"])[:2])
    assert before >= after > 0
    assert lines["rules"] != "none"
    assert re.search(r"\d+ operations on \d+", lines["blocks"])
    assert re.fullmatch(r"[\d,]+ bytes", lines["buffers"])
    assert "(2, 20) float64" in lines["frozen"]
    assert "read live   w" in text
    assert lines["donated"] == "x"


# --------------------------------------------------------------------------------------------------- what reads well


def test_constants_are_what_the_source_takes_by_name():
    table = np.linspace(0, 1, 60).reshape(3, 20)
    fast = tg.compile(lambda a, b: (tg.linalg.solve(a, b) @ table) * 2.0)
    y = fast(np.eye(3) * 2, np.ones((3, 3)))
    assert set(fast.constants) == {"solution", "C"}
    np.testing.assert_array_equal(fast.constants["C"], table)
    assert_same(run_source(fast, np.eye(3) * 2, np.ones((3, 3))), y)


@pytest.mark.parametrize("dtype", [np.int64, np.int32, np.float32, np.float64])
def test_counting_from_zero_is_written_as_such(dtype):
    fast = tg.compile(lambda x: x * np.arange(100, dtype=dtype))
    y = fast(np.ones(100, np.float32))
    assert "np.arange(100" in fast.source
    assert fast.constants == {}
    assert_same(run_source(fast, np.ones(100, np.float32)), y)


def test_generators_have_names_that_are_the_same_in_every_process():
    first, second = np.random.default_rng(1), np.random.default_rng(2)
    mask = tg.ops.random.dropout_mask

    def f(x, rng2):
        return x * mask(x, p=0.5, rng=first) + mask(x, p=0.5, rng=second) + mask(x, p=0.5, rng=first) + rng2

    fast = tg.compile(f)
    fast(X, 1.0)
    assert re.search(r"def f\(x, rng2, \*, rng, rng1\)", fast.source)
    assert fast.constants == {"rng": first, "rng1": second}
    assert "def make(rng, rng1)" in fast.kernel
    assert "generators  rng, rng1" in str(fast.plan)
    states = [rng.bit_generator.state for rng in (first, second)]
    y = fast(X, 1.0)
    first.bit_generator.state, second.bit_generator.state = states
    assert_same(run_source(fast, X, 1.0), y)


def test_the_source_of_a_step_in_a_loop_trains_as_the_step_does():
    start = np.ones((3, 1))
    rng = np.random.default_rng(0)
    data, target = rng.normal(size=(8, 3)), rng.normal(size=(8, 1))
    w = tg.Tensor(start, name="w", requires_grad=True)
    optimizer = tg.optim.SGD([w], lr=0.1, momentum=0.9)

    def step(X, T):
        optimizer.zero_grad()
        L = tg.mean((X @ w - T) ** 2)
        L.backward()
        optimizer.step()
        return L

    fast = tg.compile(step)
    losses = [fast(data, target) for _ in range(5)]
    assert "new_velocity0 = " in fast.source
    assert "new_w = w - " in fast.source
    assert "# w.grad = dw\n" in fast.source
    state, found = {"w": start, "velocity0": np.zeros_like(start), "lr": 0.1}, []
    for _ in range(5):
        L, changed = run_source(fast, data, target, **state)
        state |= changed
        found.append(L)
    np.testing.assert_allclose(found, losses)
    np.testing.assert_allclose(state["w"], w.data)


def test_brackets_stand_only_where_they_are_needed():
    fast = tg.compile(lambda x, y: tg.sigmoid(y * 3.0) * x)
    fast(X, X * 2)
    assert "1 / (1 + np.exp(-t))" in fast.source
    assert held("a * b - c", 2) == "a * b - c"
    assert held("a * b - c", 3) == "(a * b - c)"
    assert held("-2.0", 6) == "(-2.0)"
    assert held("np.exp(a + b)", 6) == "np.exp(a + b)"


OPERATORS = (ops.add, ops.subtract, ops.multiply, ops.divide, ops.power, ops.negative, ops.square)
TREES = st.recursive(
    st.sampled_from(["a", "b", "c", -2.0, 3]),
    lambda parts: st.tuples(st.sampled_from(OPERATORS), parts, parts),
    max_leaves=12,
)


@given(TREES)
def test_nested_expressions_are_computed_in_the_order_of_the_terms(tree):
    program = Program()
    values = {"a": np.array([2.0, 3.0]), "b": np.array([0.5, -4.0]), "c": np.array([-1.5, 0.25])}
    inputs = {name: program.input((2,), np.dtype(float), name) for name in values}

    def term(tree):
        if not isinstance(tree, tuple):
            return inputs[tree] if tree in inputs else program.constant(tree)
        op, *parts = tree
        return program.make(op, *map(term, parts[: op.arity]))

    def text(x):
        return x.name or (literal(x.value) if x.op is None else expression(x, text))

    def value(x):
        if x.op is None:
            return values[x.name] if x.name else x.value
        return evaluate(x.op, [value(y) for y in x.inputs], x.params)

    root = term(tree)
    if not root.is_number:
        with np.errstate(all="ignore"):
            np.testing.assert_allclose(eval(text(root), {"np": np, **values}), value(root), rtol=1e-12)


def test_the_source_of_a_small_graph_of_floats_is_read_as_that_of_arrays():
    def loss(a, b):
        h = tg.exp(a * b)
        return tg.value_and_grad(lambda a: tg.log(1 + h) + tg.erf(a) ** 2.5 / (1 - b) + 2.0 * a)(a)

    fast = tg.compile(loss)
    wanted = fast(0.3, 2.0)
    assert "scalars" in fast.plan.backend
    assert "def loss(a, b):" in fast.source
    assert fast.kernel != fast.source
    np.testing.assert_allclose(run_source(fast, 0.3, 2.0), wanted)
    np.testing.assert_allclose(run_source(fast, 0.7, -2.0), fast(0.7, -2.0))


def test_the_source_of_a_large_graph_of_floats_is_what_runs():
    def f(x):
        for _ in range(400):
            x = tg.sin(x) + 1.0
        return x

    fast = tg.compile(f)
    fast(0.5)
    assert fast.source == fast.kernel


@given(programs(scalar=True))
def test_sources_of_random_graphs_of_floats_give_what_the_function_gives(program):
    def f(*xs):
        return tg.value_and_grad(lambda x: program(x, *xs[1:]) ** 2)(xs[0])

    fast = tg.compile(f)
    starts = [float(x) for x in program.starts]
    with np.errstate(all="ignore"):
        wanted = fast(*starts)
        if fast.source != fast.kernel:
            np.testing.assert_allclose(run_source(fast, *starts), wanted, rtol=1e-9, atol=1e-12)
