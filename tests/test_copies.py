"""Copies of leaves and of whole graphs, by copy, deepcopy and pickle, and Python's containers around nodes."""

import copy
import pickle
import subprocess
import sys
import threading

import numpy as np
import pytest

import tinygrad_mlp as tg
from tinygrad_mlp import arrays
from tinygrad_mlp.errors import StaleError
from tinygrad_mlp.graph import EVERYTHING, recording, tick
from tinygrad_mlp.table import OPS

kinds = pytest.mark.parametrize("kind", [tg.Value, tg.Tensor])
COPIES = {
    "deepcopy": copy.deepcopy,
    "pickle": lambda x: pickle.loads(pickle.dumps(x)),
    "old pickle": lambda x: pickle.loads(pickle.dumps(x, protocol=2)),
}
copies = pytest.mark.parametrize("copied", COPIES.values(), ids=COPIES)


@copies
@kinds
def test_a_copied_leaf_is_independent(kind, copied):
    x = kind(2.0, name="x")
    (x * x).backward()
    z = copied(x)
    assert type(z) is kind
    assert (z.item(), z.name, z.requires_grad, z.op, float(z.grad)) == (2.0, "x", True, None, 4.0)
    z.data = z.data * 0.0 + 5.0
    assert x.item() == 2.0
    (z * z).backward()
    assert float(z.grad) == 14.0
    assert float(x.grad) == 4.0


@copies
@pytest.mark.parametrize("requires_grad", [True, False])
def test_a_copied_tensor_shares_no_memory(requires_grad, copied):
    x = tg.Tensor(np.ones((2, 3), np.float32), requires_grad=requires_grad)
    z = copied(x)
    assert not np.shares_memory(x._payload, z._payload)
    assert (z.dtype, z.requires_grad) == (np.float32, requires_grad)
    z._payload[...] = 7.0
    assert x.data[0, 0] == 1.0


def build(kind):
    x, w = kind(2.0), kind(3.0)
    h = tg.tanh(x * w + 1.0)
    y = tg.where(x > 0, h, -h) * tg.leaky_relu(h, negative_slope=0.1) + tg.maximum(x, w) ** 2
    return x, w, y


@copies
@kinds
def test_a_copied_graph_still_differentiates(kind, copied):
    x, w, y = build(kind)
    y2, x2, w2 = copied((y, x, w))
    y2.backward()
    assert x.grad is None
    assert w.grad is None
    y.backward()
    assert float(x2.grad) == float(x.grad)
    assert float(w2.grad) == float(w.grad)
    assert y2.op is y.op
    y2.backward()
    assert float(x2.grad) == 2 * float(x.grad)


@copies
@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 0, 2)])
def test_what_is_copied_together_stays_together(copied, order):
    x = tg.Value(2.0)
    middle = x * 3.0
    y = middle * middle
    twins = copied([(x, middle, y)[i] for i in order])
    x2, middle2, y2 = (twins[order.index(i)] for i in range(3))
    y2.backward()
    assert (x2.grad, middle2.grad, middle.grad) == (36.0, 12.0, None)


@copies
def test_a_copied_graph_keeps_its_constants_params_and_what_was_saved(copied):
    rng = np.random.default_rng(0)
    X, T = rng.normal(size=(5, 3)), np.eye(2)[[0, 1, 1, 0, 1]]
    W, V = tg.Tensor(rng.normal(size=(3, 4))), tg.Tensor(rng.normal(size=(4, 2)))
    with tg.sources():
        h = tg.dropout(tg.relu(X @ W)[:, [0, 0, 2, 3]], 0.5, rng=1)
        loss = tg.cross_entropy(h @ V, T) + tg.logsumexp(V, axis=(0, 1)) + tg.concatenate([V, V], axis=1).var()
    loss.name = "loss"
    loss2, W2, V2 = copied((loss, W, V))
    loss.backward()
    loss2.backward()
    assert np.array_equal(W.grad, W2.grad)
    assert np.array_equal(V.grad, V2.grad)
    assert (loss2.name, loss2.source) == ("loss", loss.source)


@copies
@kinds
def test_a_copied_gradient_graph_still_differentiates(kind, copied):
    x, _, y = build(kind)
    y.backward(create_graph=True)
    g, x.grad = x.grad, None
    g2, x2 = copied((g, x))
    g.backward()
    g2.backward()
    assert float(x2.grad) == float(x.grad)


@copies
@kinds
def test_a_copied_graph_is_guarded_by_the_same_clock(kind, copied):
    for _ in range(3):
        tick()
    x, _, y = build(kind)
    y2, x2 = copied((y, x))
    x.data = x.data + 1.0
    y2.backward()  # the copy's own leaf did not change
    with pytest.raises(StaleError):
        y.backward()
    x2.data = x2.data + 1.0
    with pytest.raises(StaleError):
        y2.backward()


@copies
def test_a_view_in_a_copied_graph_is_guarded(copied):
    x = tg.Tensor([[1.0, 2.0], [3.0, 4.0]])
    y = (x.T[0] * x.T[0]).sum()
    y2, x2 = copied((y, x))
    x2._payload[...] = 7.0
    x2.tick = tick()
    with pytest.raises(StaleError):
        y2.backward()
    y.backward()
    assert np.array_equal(x.grad, [[2.0, 0.0], [6.0, 0.0]])


@kinds
def test_copying_a_node_records(kind):
    x = kind(2.0)
    y = x.copy()
    assert y is not x
    (y * y).backward()
    assert float(x.grad) == 4.0
    z = copy.copy(x)
    assert z is not x
    assert z.item() == 2.0


def test_ops_are_copied_as_themselves():
    for op in OPS.values():
        if op.__module__.startswith("tinygrad_mlp."):
            assert copy.deepcopy(op) is op
            assert pickle.loads(pickle.dumps(op)) is op


@kinds
def test_nodes_live_in_sets_dicts_and_lists(kind):
    a, b = kind(1.0), kind(1.0)
    table = {a: "a", b: "b"}
    assert (table[a], table[b]) == ("a", "b")
    assert len({a, b, a}) == 2
    assert [a, b].index(a) == 0


def test_an_unpickled_graph_can_be_extended_and_traced():
    x = pickle.loads(pickle.dumps(tg.Tensor([1.0, 2.0])))
    with recording(EVERYTHING):
        y = (x * x).sum()
    y.backward()
    assert np.array_equal(x.grad, [2.0, 4.0])


def test_a_graph_made_in_one_thread_is_differentiated_in_another():
    x = tg.Tensor([1.0, 2.0])
    y = (x * x).sum()
    thread = threading.Thread(target=y.backward)
    thread.start()
    thread.join()
    assert np.array_equal(x.grad, [2.0, 4.0])


@pytest.mark.parametrize("kind", [tg.Value, tg.Tensor])
def test_threads_record_and_differentiate_on_shared_leaves_without_losing_a_gradient(kind):
    w = kind(2.0)
    barrier = threading.Barrier(4, timeout=20)
    interval = sys.getswitchinterval()

    def work():
        barrier.wait()
        for _ in range(200):
            (w * w + w * 3.0).backward()

    threads = [threading.Thread(target=work) for _ in range(4)]
    sys.setswitchinterval(1e-6)
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert float(w.grad) == 4 * 200 * 7.0


@kinds
def test_a_shallow_copy_of_a_leaf_shares_no_memory_and_of_a_result_is_the_result(kind):
    x = kind(2.0)
    y = x * x
    z = copy.copy(x)
    assert copy.copy(y) is y
    assert z is not x
    assert z._payload is not x._payload or kind is tg.Value
    x.data = 5.0
    assert z.item() == 2.0


LATER = """
import pickle, sys
import tinygrad_mlp as tg
x, y = pickle.load(sys.stdin.buffer)
x.data = x.data * 0.0 + 100.0
try:
    y.backward()
except tg.errors.StaleError:
    print("stale")
"""


@kinds
def test_a_graph_from_another_process_is_guarded_too(kind):
    x = kind(2.0)
    for _ in range(3):
        tick()
    graph = pickle.dumps((x, x * x))
    program = [sys.executable, "-c", LATER]
    assert subprocess.run(program, input=graph, capture_output=True, check=True).stdout.split() == [b"stale"]


@copies
def test_a_large_constant_is_copied_with_its_guard(copied, monkeypatch):
    monkeypatch.setattr(arrays, "COPY_LIMIT", 0)
    x, c = tg.Tensor([1.0, 2.0]), np.array([3.0, 4.0])
    z, y = copied((x, (x * c).sum()))
    y.backward()
    assert np.array_equal(z.grad, [3.0, 4.0])
    y = (x * c).sum()
    c[:] = 0.0
    with pytest.raises(StaleError):
        copied(y)
