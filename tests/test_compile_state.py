"""What compiled functions change, and what they leave alone: memory, leaves, generators, optimizers, threads."""

import gc
import threading
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_compile import X, assert_same, plain, recordings

import tinygrad_mlp as tg
from tinygrad_mlp.compiler import schedule
from tinygrad_mlp.errors import DataError, StaleError, TracingError, UnsupportedError
from tinygrad_mlp.graph import assume
from tinygrad_mlp.nest import Nest

# ---------------------------------------------------------------------------------------------- memory

BIG = np.linspace(-1.0, 1.0, 10_000).reshape(100, 100)  # results of this size come from a pool


def many(x, w):
    y = tg.exp(x) * w
    return {
        "y": y,
        "T": y.T,
        "part": y[1:],
        "x": x,
        "w": w,
        "flat": tg.reshape(x, -1),
        "sum": tg.sum(y),
        "again": y + 0,
    }


@given(st.lists(st.tuples(st.booleans(), st.booleans(), st.booleans()), min_size=2, max_size=8))
def test_results_share_memory_with_nothing(calls):
    w = tg.Tensor(BIG, name="w")
    fast = tg.compile(many)
    held = []
    for i, (keep, view, spoil) in enumerate(calls):
        x = BIG * i
        result = fast(x, w)
        assert_same(result, many(x, w))
        arrays = [*result.values()]
        for j, a in enumerate(arrays):
            assert not np.shares_memory(a, x)
            assert not np.shares_memory(a, w.data)
            assert not any(np.shares_memory(a, b) for b in arrays[:j])
            assert not any(np.shares_memory(a, b) for b, _ in held)
        if keep:
            kept = [a[..., :1] if view and a.ndim else a for a in arrays]
            held += [(a, a.copy()) for a in kept]
        elif spoil:
            for a in arrays:
                a[...] = np.nan
            x[...] = np.nan
        del result, arrays
        assert all(np.array_equal(a, before) for a, before in held)


def test_constants_of_a_program_cannot_be_changed_through_results():
    c = np.arange(30.0).reshape(10, 3)
    fast = tg.compile(lambda x: (c, c * 2, x + c, np.zeros(3), tg.broadcast_to(x, (10, 3))))
    first = [a.copy() for a in fast(X)]
    for a in fast(X):
        a[...] = 7
    assert_same(list(fast(X)), first)
    assert c[0, 1] == 1


# -------------------------------------------------------------------------------------------- donation


def halves(x, y):
    return x * 0.5 + y, y - x


FORMS = {
    "number": 0, "name": "x", "numbers": (0, 1), "names": ["x", "y"], "last": -1, "all": True, "nothing": None,
    "False": False, "empty": (),
}  # fmt: skip


@pytest.mark.parametrize("donate", FORMS.values(), ids=FORMS)
@pytest.mark.parametrize("how", ["by place", "by name"])
def test_donated_arrays_take_the_results(donate, how):
    fast = tg.compile(halves, donate=donate)
    wanted = {
        "x": donate in (0, "x", (0, 1), ["x", "y"], True) and donate is not False,
        "y": donate in ((0, 1), ["x", "y"], -1),
    }
    wanted["y"] = wanted["y"] or donate is True
    for n in (1.0, 2.0):
        x, y = np.full(3, n), np.arange(3.0)
        a, b = fast(x, y) if how == "by place" else fast(x=x, y=y)
        assert_same((a, b), halves(np.full(3, n), np.arange(3.0)))
        taken = [array for array in (x, y) if any(np.shares_memory(array, r) for r in (a, b))]
        assert len(taken) >= any(wanted.values())
        assert all(wanted["x" if array is x else "y"] for array in taken)
        if not wanted["x"]:
            assert x.tolist() == [n] * 3
        if not wanted["y"]:
            assert y.tolist() == [0.0, 1.0, 2.0]


A, B = np.arange(40.0).reshape(20, 2) + 1, np.linspace(0.0, 1.0, 40).reshape(20, 2)
SQUARE = np.arange(400.0).reshape(20, 20) / 100
DONATING = {
    "update": (lambda x, y: x - 0.1 * y, A, B),
    "swap": (lambda x, y: (y, x), A, B),
    "swapped sums": (lambda x, y: (y + x, x - y, y * 2), A, B),
    "old and new": (lambda x, y: (x + 0, x * 2, y), A, B),
    "view and new": (lambda x: (x.T, x[1:], x * 2), A),
    "reversed": (lambda x: x[::-1] + x * 2, A),
    "transposed": (lambda x: x.T + x * 2, SQUARE),
    "first row": (lambda x: ((x + x[0]) * 2, x * 3), A),
    "read by a product": (lambda x, y: (tg.exp(y) * 2, x @ np.ones(2), x * 2 + 1), A, B),
    "reduced": (lambda x, y: (tg.sum(x * y, axis=0), tg.max(x * y, axis=1), x * y, tg.sum(x)), A, B),
    "normed": (lambda x: x / tg.sum(x), A),
    "where": (lambda x, y: (tg.where(x > y, x, 0.0), tg.where(y > 0.5, x, y)), A, B),
    "both of one": (lambda x: (x - 1, x * 2), A),
    "chain": (lambda x: (x - 1, (x - 1) * 2), A),
    "unchanged": (lambda x, y: (x, y + x), A, B),
    "other dtype": (lambda x: (tg.astype(x, np.float32), x > 3, x + 1), A),
}


@pytest.mark.parametrize("case", DONATING.values(), ids=DONATING)
@pytest.mark.parametrize("sizes", [(2**18, 2**16), (64, 48)], ids=["whole", "blocks"])
@pytest.mark.parametrize("kind", ["array", "strided", "leaf"])
def test_donation_never_changes_a_result(case, sizes, kind, monkeypatch):
    f, *given = case
    monkeypatch.setattr(schedule, "FUSED_BYTES", sizes[0])
    monkeypatch.setattr(schedule, "BLOCK_BYTES", sizes[1])
    fast = tg.compile(f, donate=True)
    for scale in (1.0, 0.5, 1.0):
        if kind == "strided":
            arrays = [np.repeat(x * scale, 2, axis=0)[::2] for x in given]
        else:
            arrays = [(tg.Tensor if kind == "leaf" else np.array)(x * scale) for x in given]
        results = fast(*arrays)  # a leaf that took a result is the result
        assert_same(plain(results), plain(f(*[x * scale for x in given])))


def refused():
    frozen = np.ones(4)
    frozen.flags.writeable = False
    x = np.ones(6)
    again = np.lib.stride_tricks.as_strided(np.ones(6), (4,), (8,))
    yield "read-only", frozen, np.ones(4), np.ones(4)
    yield "overlapping", x[:4], x[2:], np.ones(4)
    yield "the same", x[:4], x[:4], np.ones(4)
    yield "also read", x[:4], np.ones(4), x[1:5]
    yield "repeated", np.lib.stride_tricks.as_strided(np.ones(1), (4,), (0,)), again, np.ones(4)


@pytest.mark.parametrize("case", list(refused()), ids=lambda case: case[0])
def test_arrays_that_cannot_be_overwritten_are_refused_before_anything_is(case):
    _, x, y, z = case
    fast = tg.compile(lambda x, y, z: (x * 2 + z, y * 3 + z), donate=(0, 1))
    before = [a.copy() for a in (x, y, z)]
    for _ in range(2):
        with pytest.raises(UnsupportedError, match="donated array"):
            fast(x, y, z)
        assert all(np.array_equal(a, b) for a, b in zip((x, y, z), before, strict=True))
    assert_same(fast(np.ones(4), np.ones(4), np.ones(4)), (np.full(4, 3.0), np.full(4, 4.0)))


@pytest.mark.parametrize("donate", [(), True])
def test_a_leaf_that_is_assigned_makes_older_graphs_stale(donate):
    w = tg.Tensor([1.0, 2.0])
    fast = tg.compile(lambda x: w.assign(w - x), donate=donate)
    for _ in range(2):
        y = (w * w).sum()
        shown = w.data
        before = shown.copy()
        fast(np.ones(2))
        with pytest.raises(StaleError):
            y.backward()
        assert donate or np.array_equal(shown, before)
    assert w.tolist() == [-1.0, 0.0]


def test_a_guard_that_fails_leaves_everything_as_it_was():
    def f(w, x, rng):
        new = tg.dropout(w, 0.5, rng=rng) - x
        return new if assume(tg.sum(new) > 0) else new * 2

    ours, theirs = np.random.default_rng(1), np.random.default_rng(1)
    fast = tg.compile(f, donate=0)
    for x in (0.0, 0.0, 9.0, 9.0, 0.0, 9.0):
        assert_same(fast(np.ones(6), np.full(6, x), ours), plain(f(np.ones(6), np.full(6, x), theirs)))
        assert ours.bit_generator.state == theirs.bit_generator.state
    assert recordings(fast) == 2


# ----------------------------------------------------------------------------------- leaves and buffers


class Counting(tg.nn.Module):
    """A layer with a running mean and a count."""

    def __init__(self):
        super().__init__()
        self.mean = tg.Tensor(np.zeros(3), requires_grad=False, name="mean")
        self.count = tg.Tensor(0.0, requires_grad=False, name="count")

    def __call__(self, x):
        self.count.assign(self.count + 1.0)
        self.mean.assign(self.mean + (tg.mean(x, axis=0) - self.mean) / self.count)
        return (x - self.mean) * self.count


def test_buffers_are_read_and_written_in_every_call():
    ours, theirs = Counting(), Counting()
    fast = tg.compile(lambda x: (ours(x), ours(x * 2), ours.mean * 1.0))
    for i in range(5):
        x = BIG[i : i + 4, :3]
        assert_same(fast(x), plain((theirs(x), theirs(x * 2), theirs.mean * 1.0)))
        np.testing.assert_allclose(ours.mean.data, theirs.mean.data)
        assert ours.count.item() == theirs.count.item() == 2 * (i + 1)
        if i == 2:
            for layer in (ours, theirs):
                layer.mean.assign(np.ones(3))
    assert recordings(fast) == 1


def test_leaves_that_exchange_their_values_share_no_memory():
    a, b = tg.Tensor(BIG), tg.Tensor(BIG * 2)

    def swap():
        before = a * 1.0
        a.assign(b)
        b.assign(before)
        return a, b, a

    fast = tg.compile(swap, donate=True)
    for i in range(4):
        results = fast()
        assert a.data[0, 0] == BIG[0, 0] * (2 - i % 2)
        assert b.data[0, 0] == BIG[0, 0] * (1 + i % 2)
        for r in results:
            r[...] = 0
        assert a.data[0, 0] * b.data[0, 0] == 2 * BIG[0, 0] ** 2
        assert not np.shares_memory(a.data, b.data)


def test_an_exception_while_it_is_recorded_changes_nothing():
    w, v = tg.Tensor([1.0, 2.0]), tg.Value(3.0)
    model = tg.nn.Sequential(tg.nn.Linear(2, 2, rng=0), tg.nn.Dropout(0.5, rng=1))
    optimizer = tg.optim.Adam([w, *model.parameters()])
    rng = np.random.default_rng(3)
    before, weights = rng.bit_generator.state, [p.numpy() for p in model.parameters()]
    w.grad = g = np.ones(2)

    def f(x, fail):
        w.assign(x)
        v.assign(v * 2)
        model.eval()
        tg.dropout(x, 0.5, rng=rng)
        optimizer.zero_grad()
        (model(x) * w).sum().backward()
        optimizer.step()
        if fail:
            raise LookupError("mine")

    fast = tg.compile(f)
    for _ in range(2):
        with pytest.raises(LookupError, match="mine"):
            fast(np.zeros(2), True)
        assert (w.tolist(), v.data, optimizer.steps) == ([1.0, 2.0], 3.0, 0)
        assert w.grad is g
        assert all(p.grad is None for p in model.parameters())
        assert all(np.array_equal(p.data, x) for p, x in zip(model.parameters(), weights, strict=True))
        assert all(m.training for m in (model, *model))
        assert rng.bit_generator.state == before
    fast(np.zeros(2), False)
    assert not model.training
    assert (v.data, optimizer.steps) == (6.0, 1)
    assert rng.bit_generator.state != before


# ---------------------------------------------------------------------------------------------- chance


def test_dropout_redraws_in_every_call_as_it_would_without():
    def noisy(x, rngs):
        a = tg.dropout(x, 0.5, rng=rngs[0])
        b = tg.dropout(x * 2, 0.25, rng=rngs[1])
        c = tg.dropout(a + b, 0.5, rng=rngs[0])
        return a, b, c, tg.dropout(x, 0.5, rng=7)

    ours, theirs = ([np.random.default_rng(i) for i in range(2)] for _ in "ab")
    fast = tg.compile(noisy)
    seen = set()
    for i in range(5):
        assert_same(fast(BIG + i, ours), plain(noisy(BIG + i, theirs)))
        for a, b in zip(ours, theirs, strict=True):
            assert a.bit_generator.state == b.bit_generator.state
        seen.add(ours[0].random())
        theirs[0].random()
    assert len(seen) == 5
    assert recordings(fast) == 1


def test_draws_whose_results_nobody_needs_are_made_all_the_same():
    ours, theirs = np.random.default_rng(0), np.random.default_rng(0)

    def f(x, rng):
        tg.dropout(x, 0.5, rng=rng)
        return tg.grad(lambda x: tg.sum(tg.dropout(x, 0.5, rng=rng)))(x)

    fast = tg.compile(f)
    for _ in range(3):
        assert_same(fast(X, ours), plain(f(X, theirs)))
        assert ours.bit_generator.state == theirs.bit_generator.state


# -------------------------------------------------------------------------------------------- guards

GUARDED = {
    "labels": (
        tg.cross_entropy,
        (SQUARE[:3, :4], np.array([0, 1, 3])),
        (SQUARE[:3, :4], np.array([0, 1, 4])),
    ),
    "probabilities": (
        lambda p: tg.binary_cross_entropy(p, np.array([0.0, 1.0])),
        (np.array([0.5, 0.5]),),
        (np.array([0.5, 1.5]),),
    ),
    "weights": (lambda x, w: tg.average(x, weights=w), (X, np.ones(3)), (X, np.zeros(3))),
}  # fmt: skip


@pytest.mark.parametrize("case", GUARDED.values(), ids=GUARDED)
def test_a_replay_raises_what_the_function_raises(case):
    f, good, bad = case
    fast = tg.compile(f)
    assert_same(fast(*good), f(*good))
    with pytest.raises((DataError, ZeroDivisionError, IndexError, ValueError)) as theirs:
        f(*bad)
    for _ in range(3):
        with pytest.raises(type(theirs.value)) as ours:
            fast(*bad)
        assert str(ours.value) == str(theirs.value)
        assert_same(fast(*good), f(*good))
    assert recordings(fast) == 1


# -------------------------------------------------------------------------------------------- training

OPTIMIZERS = {
    "sgd": lambda p: tg.optim.SGD(p, lr=0.1),
    "momentum": lambda p: tg.optim.SGD(p, lr=0.1, momentum=0.9),
    "nesterov": lambda p: tg.optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.01),
    "decay": lambda p: tg.optim.SGD(p, lr=0.1, weight_decay=0.1),
    "adam": lambda p: tg.optim.Adam(p, lr=0.01),
}
makers = pytest.mark.parametrize("make", OPTIMIZERS.values(), ids=OPTIMIZERS)


def training(make, dtype=np.float64, times=1):
    """A model, its optimizer, and a step of both."""
    model = tg.nn.Sequential(tg.nn.Linear(3, 5, rng=0), tg.tanh, tg.nn.Linear(5, 2, rng=1))
    for p in model.parameters():
        p._payload = p._payload.astype(dtype)
    optimizer = make(model)

    def step(x, t):
        for _ in range(times):
            optimizer.zero_grad()
            loss = tg.mean((model(x) - t) ** 2)
            loss.backward()
            optimizer.step()
        return loss

    return model, optimizer, step


def assert_equal_models(ours, theirs, rtol=1e-9):
    for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
        np.testing.assert_allclose(a.data, b.data, rtol=rtol, atol=rtol * 1e-2)
        assert a.dtype == b.dtype


@makers
@pytest.mark.parametrize("times", [1, 2])
@pytest.mark.parametrize("donate", [(), True])
def test_compiled_steps_train_as_eager_ones(make, times, donate):
    (ours, mine, step), (theirs, other, eager) = training(make, times=times), training(make, times=times)
    fast = tg.compile(step, donate=donate)
    x, t = BIG[:6, :3] + 1, BIG[:6, 3:5]
    for i in range(12):
        if i == 3:
            mine.lr = other.lr = 0.05
        if i == 5:  # a step in between that is not compiled
            step(x, t)
            eager(x, t)
        if i == 7:
            saved = [o.state_dict() for o in (mine, other)]
        if i == 9:
            for o, s in zip((mine, other), saved, strict=True):
                o.load_state_dict(s)
        if i == 10 and hasattr(mine, "momentum"):
            mine.momentum, other.momentum = (o.momentum * 0.5 for o in (mine, other))
        np.testing.assert_allclose(fast(x * (1 + i % 3), t), eager(x * (1 + i % 3), t).data)
        assert_equal_models(ours, theirs)
        assert mine.steps == other.steps
        assert mine.state_dict().keys() >= other.state_dict().keys()
        for key, value in other.state_dict().items():
            np.testing.assert_allclose(mine.state_dict()[key], value, rtol=1e-9, atol=1e-12)


@makers
def test_numbers_learn_as_without(make):
    ours, theirs = ([tg.Value(1.0), tg.Value(-2.0)] for _ in "ab")

    def step(values, optimizer, x):
        optimizer.zero_grad()
        loss = (values[0] * x + values[1]).tanh() ** 2 + values[1] * values[1]
        loss.backward()
        optimizer.step()
        return loss

    fast, mine, other = tg.compile(step), make(ours), make(theirs)
    for i in range(6):
        assert abs(fast(ours, mine, 0.5 * i) - step(theirs, other, 0.5 * i).data) < 1e-12
        np.testing.assert_allclose([v.data for v in ours], [v.data for v in theirs], rtol=1e-12)


def test_the_learning_rate_never_widens_parameters():
    for compiled in (False, True):
        model, optimizer, step = training(OPTIMIZERS["sgd"], np.float32)
        step = tg.compile(step) if compiled else step
        for lr in (0.1, np.float64(0.2), np.float32(0.1), 1):
            optimizer.lr = lr
            step(BIG[:4, :3].astype(np.float32), BIG[:4, :2].astype(np.float32))
            assert all(p.dtype == np.float32 for p in model.parameters())


@makers
def test_the_step_alone_compiles_and_reads_gradients_of_before(make):
    (ours, mine, _), (theirs, other, _) = training(make), training(make)
    fast = tg.compile(mine.step)
    for i in range(5):
        for model, optimizer, step in ((ours, mine, fast), (theirs, other, other.step)):
            optimizer.zero_grad()
            if i != 3:  # a step without gradients changes nothing
                tg.sum(model(BIG[i : i + 4, :3]) ** 2).backward()
            step()
        assert_equal_models(ours, theirs)
    assert recordings(fast) == 2


def test_gradients_are_read_changed_and_left():
    def step(w, x):
        w.grad = None
        tg.sum(tg.exp(w * x)).backward()
        norm = tg.sqrt(tg.sum(w.grad * w.grad))
        w.grad = w.grad / tg.maximum(norm, 1.0)
        w.assign(w - 0.1 * w.grad)
        return norm

    ours, theirs = tg.Tensor(X), tg.Tensor(X)
    fast = tg.compile(step)
    for i in range(3):
        assert_same(fast(ours, X * i), plain(step(theirs, X * i)))
        np.testing.assert_allclose(ours.data, theirs.data)
        np.testing.assert_allclose(ours.grad, np.asarray(plain(theirs.grad)))
        assert not np.shares_memory(ours.grad, ours.data)


def test_a_gradient_of_before_is_read_in_every_call():
    w = tg.Tensor(X)
    fast = tg.compile(lambda: w.grad * 2 if w.grad is not None else None)
    for k in (1.0, None, 10.0):
        w.grad = None if k is None else X * k
        result = fast()
        assert result is None if k is None else np.array_equal(result, X * k * 2)


def test_a_gradient_that_would_be_added_to_is_refused():
    w = tg.Tensor(X)

    def f():
        tg.sum(w * w).backward()

    fast = tg.compile(f)
    fast()
    assert np.array_equal(w.grad, 2 * X)
    with pytest.raises(TracingError, match="zero_grad"):
        fast()
    assert np.array_equal(w.grad, 2 * X)
    w.grad = None
    fast()
    assert np.array_equal(w.grad, 2 * X)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("make", [OPTIMIZERS["nesterov"], OPTIMIZERS["adam"]], ids=["nesterov", "adam"])
def test_a_thousand_steps_stay_within_rounding(make, dtype):
    (ours, _, step), (theirs, _, eager) = training(make, dtype), training(make, dtype)
    fast = tg.compile(step, donate=True)
    x, t = BIG[:8, :3].astype(dtype) + 1, BIG[:8, 3:5].astype(dtype)
    for i in range(1000):
        a = fast(x, t)
        b = eager(x, t)
        if i % 250 == 0:
            np.testing.assert_allclose(a, b.data, rtol=1e-9 if dtype is np.float64 else 1e-3)
    assert_equal_models(ours, theirs, 1e-7 if dtype is np.float64 else 2e-2)


# -------------------------------------------------------------------------------- threads, and what grows


def test_threads_do_not_disturb_each_other():
    w = tg.Tensor(BIG[:3])
    fast = tg.compile(lambda x: (tg.exp(x @ w), tg.sum(x)))
    wrong = []
    start = threading.Barrier(4)

    def work(k):
        start.wait()
        for i in range(60):
            x = np.full((40 + k % 2, 3), k + i * 0.001)
            y, total = fast(x)
            if not (np.allclose(y, np.exp(x @ BIG[:3])) and np.isclose(total, x.sum())):
                wrong.append((k, i))

    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


@makers
def test_nothing_grows_from_call_to_call(make):
    _, _, step = training(make)
    fast = tg.compile(step, donate=True)
    x, t = BIG[:80, :3], BIG[:80, 3:5]

    def run(n):
        for _ in range(n):
            fast(x, t)
        gc.collect()
        return len(gc.get_objects())

    run(5)
    tracemalloc.start()
    try:
        run(5)
        memory, objects = tracemalloc.get_traced_memory()[0], run(0)
        after = run(200)
        assert tracemalloc.get_traced_memory()[0] - memory < 20_000
    finally:
        tracemalloc.stop()
    assert after - objects < 50
    assert recordings(fast) == 1
    assert Nest(fast(x, t)).leaves


def test_a_gradient_of_before_is_an_error_where_the_number_of_its_leaf_is_not_needed_too():
    w = tg.Tensor(np.ones(3))

    def f(x):
        tg.sum(w * x).backward()

    fast = tg.compile(f)
    fast(np.ones(3))
    with pytest.raises(TracingError, match=r"adds to \.grad of a call before: call zero_grad"):
        fast(np.ones(3))
    w.grad = None
    fast(np.ones(3))
    assert w.grad.tolist() == [1.0] * 3
