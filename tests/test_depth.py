"""Graphs of a million nodes: no recursion, time linear in their size, and freed by reference counting alone."""

import contextlib
import copy
import gc
import itertools
import pickle
import sys
import weakref

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from op_cases import samples
from strategies import FEW, SMOOTH, call, leaves

import tinygrad_mlp as tg
from tinygrad_mlp.backward import cotangents
from tinygrad_mlp.errors import TinygradError
from tinygrad_mlp.graph import EVERYTHING, NODES, recording, toposort

kinds = pytest.mark.parametrize("kind", [tg.Value, tg.Tensor])


@pytest.fixture
def no_collector():
    """Reference counting has to do it alone."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def count_nodes():
    return sum(type(x) in NODES for x in gc.get_objects())


def count_calls(f):
    """Return how many Python and C functions run while ``f`` does: a measure of time that never varies."""
    calls = itertools.count()

    def profile(_frame, event, _arg):
        if event in ("call", "c_call"):
            next(calls)

    sys.setprofile(profile)
    try:
        f()
    finally:
        sys.setprofile(None)
    return next(calls)


def chain(kind, n):
    x = kind(1.0)
    y = x
    for _ in range(n):
        y = y + 1.0
    return x, y


def used_often(kind, n):
    x = kind(2.0)
    w = kind(3.0)
    y = kind(0.0)
    for _ in range(n):
        y = y + x * w
    return x, y


def ladder(kind, n):
    """Every node is used twice by the next: 2^n paths."""
    x = kind(1.0)
    y = x
    for _ in range(n):
        y = (y + y) * 0.5
    return x, y


def wide(kind, n):
    x = kind(1.0)
    if kind is tg.Value:
        return x, tg.affine([x] * n + [1.0] * n + [x])
    return x, tg.stack([x] * n).sum()


GRAPHS = [chain, used_often, ladder, wide]


@pytest.mark.usefixtures("no_collector")
@pytest.mark.parametrize(("kind", "n"), [(tg.Value, 1_000_000), (tg.Tensor, 300_000)])
def test_a_deep_chain_is_differentiated_and_freed(kind, n):
    x, y = chain(kind, n)
    y.backward()
    assert float(x.grad) == 1.0
    assert len(toposort(y)) == n + 1
    before = count_nodes()
    assert before > n
    del y
    assert count_nodes() <= before - n


@pytest.mark.usefixtures("no_collector")
@kinds
def test_one_node_used_100000_times(kind):
    x, y = used_often(kind, 100_000)
    y.backward()
    assert float(x.grad) == 300_000.0
    before = count_nodes()
    del y
    assert count_nodes() <= before - 200_000


@kinds
def test_paths_are_not_walked_one_by_one(kind):
    x, y = ladder(kind, 1000)
    y.backward()
    assert float(x.grad) == 1.0


@pytest.mark.parametrize("graph", GRAPHS, ids=lambda f: f.__name__)
@kinds
@pytest.mark.parametrize("create_graph", [False, True])
def test_work_grows_in_proportion_to_the_graph(kind, graph, create_graph):
    def work(n):
        x, y = graph(kind, n)
        y.backward(create_graph=create_graph)
        x.grad = None

    work(10)  # what is computed once is computed now
    small, large = count_calls(lambda: work(300)), count_calls(lambda: work(1200))
    assert large < 4.2 * small


@kinds
def test_no_comparison_of_nodes_is_made(kind, monkeypatch):
    """``==`` is elementwise, so that ``in`` on a list of nodes would be wrong as well as slow."""
    x, y = used_often(kind, 50)

    def compared(*_):
        raise AssertionError("two nodes were compared")

    for name in ("__eq__", "__ne__", "__bool__"):
        monkeypatch.setattr(tg.Value.__mro__[1], name, compared)
    y.backward()
    y.backward(create_graph=True)
    cotangents(y, to=[x])
    x.grad = None


@pytest.mark.usefixtures("no_collector")
@kinds
def test_a_deep_gradient_graph_is_differentiated_and_freed(kind):
    x = kind(1.0)
    y = x
    for _ in range(30_000):
        y = y * 1.0000001
    before = count_nodes()
    y.backward(create_graph=True)
    g, x.grad = x.grad, None
    assert g.item() == pytest.approx(y.item())
    del y, g
    assert count_nodes() < before - 29_000


@pytest.mark.usefixtures("no_collector")
@kinds
@pytest.mark.parametrize("create_graph", [False, True])
def test_a_training_loop_keeps_no_nodes(kind, create_graph):
    w = kind(1.0)

    def step():
        w.grad = None
        y = tg.tanh(w * 2.0 + 1.0) ** 2
        y.backward(create_graph=create_graph)
        w.grad = None
        w.data = w.data * 0.9

    step()
    before = count_nodes()
    for _ in range(20):
        step()
    assert count_nodes() == before


@pytest.mark.usefixtures("no_collector")
def test_a_tensor_and_its_array_go_with_their_last_reference():
    x = tg.Tensor(np.ones(1000))
    y = tg.softmax(tg.tanh(x) * x)
    dead = [weakref.ref(y), weakref.ref(y.inputs[0])]
    y.backward(np.ones(1000))
    del y
    assert [ref() for ref in dead] == [None, None]
    alive = weakref.ref(x)
    del x
    assert alive() is None


@pytest.mark.parametrize("op", SMOOTH.values(), ids=SMOOTH)
@FEW
@given(data=st.data())
def test_every_row_frees_its_nodes(op, data):
    """Also after backward, after a gradient that is a graph itself, and after an error in between."""
    sample = data.draw(samples(op))
    gc.disable()  # without the fixture's collection, which takes long
    try:
        operands = leaves(sample)
        y = call(op, operands, sample.params)
        seed = np.ones(y.shape)
        y.backward(seed, keep="all")
        gradients = cotangents(y, seed, create_graph=True)
        with contextlib.suppress(TinygradError):
            y.backward(np.ones((*y.shape, 2)))
        dead = [weakref.ref(x) for x in (y, *operands, *gradients.values()) if type(x) is tg.Tensor]
        assert len(dead) > len(sample.wrt)
        del y, operands, gradients
        assert [ref() for ref in dead if ref() is not None] == []
    finally:
        gc.enable()


@pytest.mark.usefixtures("no_collector")
@pytest.mark.parametrize("f", [lambda y: y @ np.ones(4), lambda y: y.backward(), lambda y: bool(y > 1)])
def test_the_graph_of_an_error_is_freed(f):
    x = tg.Tensor(np.ones(3))
    before = count_nodes()
    with pytest.raises(TinygradError):
        f(x * 2)
    assert count_nodes() == before


@pytest.mark.usefixtures("no_collector")
def test_a_traced_graph_is_freed():
    x = tg.Tensor(np.ones(3))
    before = count_nodes()
    with recording(EVERYTHING):
        y = tg.where(x > 0, x, 0.0).sum()
    del y
    with tg.sources():
        y = (x * 2).sum()
    del y
    assert count_nodes() == before


COPIES = {
    "deepcopy": copy.deepcopy,
    "pickle": lambda x: pickle.loads(pickle.dumps(x)),
    "pickle in Python": lambda x: pickle.loads(pickle._dumps(x)),
}


@pytest.mark.usefixtures("no_collector")
@pytest.mark.parametrize("copied", COPIES.values(), ids=COPIES)
@kinds
def test_a_deep_graph_is_copied_and_pickled_without_recursion(kind, copied):
    """Whatever is copied together stays together: leaves, results, and nodes between them, in whatever order."""
    x, w = kind(2.0), kind(3.0)
    middle = x
    for _ in range(10_000):
        middle = middle * 1.0 + w
    y = middle * w
    for _ in range(10_000):
        y = y * 1.0
    before = count_nodes()
    for order in ((x, w, middle, y), (y, middle, w, x)):
        twins = copied(order)
        x2, w2, middle2, y2 = twins if order[0] is x else twins[::-1]
        assert count_nodes() == before + 30_003  # those of the graph, and no others
        y2.backward()
        assert (float(x2.grad), float(w2.grad)) == (3.0, 30_000.0 + middle.item())
        assert (x.grad, w.grad) == (None, None)
        assert middle2.item() == middle.item()
        assert kind is tg.Tensor or middle2.grad == 3.0  # the very node that lies between them
        del x2, w2, middle2, y2, twins
        assert count_nodes() == before


@kinds
def test_a_leaf_whose_gradient_is_a_graph_of_itself_is_copied(kind):
    x = kind(2.0)
    (x**3).backward(create_graph=True)
    for copied in COPIES.values():
        for first in (True, False):
            x2, g2 = copied((x, x.grad)) if first else copied((x.grad, x))[::-1]
            assert x2.grad is g2
            x2.grad = None
            g2.backward()
            assert float(x2.grad) == 12.0


def test_printing_and_deleting_a_deep_graph_does_not_recurse():
    x, y = chain(tg.Value, 100_000)
    assert "data=100001.0" in repr(y)
    cotangents(y)
    y.backward(create_graph=True)
    x.grad = None
    del x, y
