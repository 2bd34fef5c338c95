"""The texts of compiled functions run by themselves: source, kernel and plan."""

import inspect
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
from tinygrad_mlp.compiler import schedule
from tinygrad_mlp.nest import Nest
from tinygrad_mlp.table import OPS

IMPORTS = {"import math", "import sys", "import numpy as np"}


def run_source(fast, *args, **given):
    """What the source gives, with nothing but NumPy imported; rows that NumPy lacks come from the table."""
    assert {line for line in fast.source.splitlines() if line.startswith(("import", "from"))} <= IMPORTS
    namespace = {}
    exec(fast.source, namespace)
    name = re.findall(r"^def (\w+)", fast.source, re.MULTILINE)[-1]
    parameters = inspect.signature(namespace[name]).parameters.values()
    rows = {p.name: OPS[p.name] for p in parameters if p.kind == p.KEYWORD_ONLY and p.name in OPS}
    with np.errstate(all="ignore"):
        return namespace[name](*args, **rows, **given)


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
    held = {} if "linspace" not in str(f.__code__.co_names) else {"C": np.linspace(0, 1, 60).reshape(3, 20)}
    if fast.plan.backend == "numpy":
        result = run_source(fast, *args, **held)
        for ours, theirs in zip(Nest(result).leaves, Nest(wanted).leaves, strict=True):
            assert ours == theirs if isinstance(theirs, str) else np.allclose(ours, theirs, 1e-12, equal_nan=True)
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
