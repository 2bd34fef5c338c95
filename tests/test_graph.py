"""The recorded graph: its order, and the recording modes, nested and in threads."""

import asyncio
import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_mlp as tg
from tinygrad_mlp.errors import TinygradError
from tinygrad_mlp.graph import GRADIENTS, NOTHING, mode, recording, toposort

kinds = pytest.mark.parametrize("kind", [tg.Value, tg.Tensor])
EDGES = st.lists(st.tuples(st.integers(0, 99), st.integers(0, 99)), max_size=30)


# ------------------------------------------------------------------------------------------------------------- order


@kinds
@given(edges=EDGES)
def test_every_node_comes_before_its_inputs_and_only_once(kind, edges):
    nodes = [kind(1.0), kind(2.0)]
    for i, j in edges:
        nodes.append(nodes[i % len(nodes)] + nodes[j % len(nodes)])
    order = toposort(nodes[-1])
    place = {id(node): i for i, node in enumerate(order)}
    assert len(place) == len(order)
    assert order[0] is nodes[-1]
    for node in order:
        for x in node.inputs:
            assert place[id(x)] > place[id(node)]


def test_the_order_stops_where_it_is_told():
    a = tg.Value(1.0)
    b = a * 2
    c = b * 3
    assert [node is x for node, x in zip(toposort(c, [b]), [c, b], strict=True)] == [True, True]


@kinds
def test_constants_are_not_in_the_order(kind):
    a = kind(1.0)
    assert len(toposort(a * 2.0 + np.float64(3) + a.detach())) == 4


# ------------------------------------------------------------------------------------------------------------- modes


@kinds
def test_nothing_is_recorded_under_no_grad(kind):
    x = kind(2.0)
    with tg.no_grad():
        y = x * x + tg.relu(x) - 1
        assert mode() == NOTHING
    assert mode() == GRADIENTS
    assert (y.op, y.inputs, y.requires_grad) == (None, (), False)
    assert y.item() == 5.0
    z = y * x
    assert z.requires_grad
    z.backward()
    assert float(x.grad) == 5.0


@kinds
def test_modes_nest_and_end_with_an_exception(kind):
    x = kind(2.0)
    with tg.no_grad():
        with pytest.raises(ValueError, match="stop"), recording(GRADIENTS):  # noqa: PT012  (the block is what is tested)
            assert (x * x).requires_grad
            raise ValueError("stop")
        assert not (x * x).requires_grad
        with tg.no_grad():
            pass
        assert not (x * x).requires_grad
    assert (x * x).requires_grad


def test_one_no_grad_object_can_be_entered_again():
    quiet = tg.no_grad()
    with quiet, quiet:
        assert mode() == NOTHING
    with quiet:
        assert mode() == NOTHING
    assert mode() == GRADIENTS


def test_no_grad_decorates_a_function():
    @tg.no_grad()
    def double(x, again=True):
        return double(x, again=False) if again else x * 2

    x = tg.Value(1.0)
    assert not double(x).requires_grad
    assert (x * 2).requires_grad


def test_a_mode_decorates_no_function_that_runs_in_pieces():
    def generator():
        yield

    async def coroutine():
        pass

    async def both():
        yield

    for function in (generator, coroutine, both):
        for mode_of in (tg.no_grad, tg.sources):
            with pytest.raises(TinygradError, match=f"{mode_of.__name__} cannot decorate {function.__name__}"):
                mode_of()(function)


def test_no_grad_holds_in_its_own_thread_only():
    x = tg.Tensor([1.0])
    entered, asked = threading.Event(), threading.Event()
    found = []

    def other():
        entered.wait(10)
        found.append((x * 2).requires_grad)
        asked.set()

    thread = threading.Thread(target=other)
    thread.start()
    with tg.no_grad():
        entered.set()
        assert asked.wait(10)
        assert not (x * 2).requires_grad
    thread.join()
    assert found == [True]


def test_no_grad_holds_in_its_own_task_only():
    x = tg.Tensor([1.0])

    async def quiet():
        with tg.no_grad():
            await asyncio.sleep(0)
            return (x * 2).requires_grad

    async def loud():
        await asyncio.sleep(0)
        return (x * 2).requires_grad

    async def both():
        return await asyncio.gather(quiet(), loud())

    assert asyncio.run(both()) == [False, True]


def test_a_function_decorated_with_no_grad_runs_in_several_threads():
    barrier = threading.Barrier(4, timeout=10)
    found = []

    @tg.no_grad()
    def f(x):
        barrier.wait()
        y = x * 2
        barrier.wait()
        return y.requires_grad

    x = tg.Value(1.0)
    threads = [threading.Thread(target=lambda: found.append((f(x), (x * 2).requires_grad))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [(False, True)] * 4


@kinds
def test_threads_differentiate_graphs_of_their_own(kind):
    found = {}

    def work(n):
        x = kind(float(n))
        for _ in range(50):
            y = x
            for _ in range(20):
                y = y * 1.0 + x
            y.backward()
        found[n] = float(x.grad)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == dict.fromkeys(range(4), 50 * 21.0)


@kinds
def test_threads_may_share_leaves(kind):
    w = kind(3.0)

    def work():
        for _ in range(100):
            (w * w * 2.0).backward()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert float(w.grad) == 4 * 100 * 12.0


@kinds
def test_an_exception_in_an_op_leaves_no_trace(kind):
    x = kind(2.0)
    y = x * x
    with pytest.raises(TypeError):
        y + "text"
    with pytest.raises(ValueError, match="do not broadcast"):
        tg.add(tg.Tensor([1.0, 2.0]) * y, np.ones(3))
    assert mode() == GRADIENTS
    y.backward()
    assert float(x.grad) == 4.0


def test_no_grad_decorates_without_parentheses_too():
    @tg.no_grad
    def double(x):
        return x * 2.0

    assert not double(tg.Tensor([1.0])).requires_grad
    assert (tg.Tensor([1.0]) * 2.0).requires_grad
