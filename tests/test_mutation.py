"""Changing data after its use gives an error or the right gradient, never a wrong one."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_mlp as tg
from tinygrad_mlp import arrays
from tinygrad_mlp.errors import DTypeError, ShapeError, StaleError, TinygradError
from tinygrad_mlp.graph import tick

kinds = pytest.mark.parametrize("kind", [tg.Value, tg.Tensor])


def write_in_place(t, values):
    """Change a leaf as an optimizer does: in its own memory, and tell the clock."""
    t._data[...] = values
    t.tick = tick()


WRITES = {
    "assign": lambda t: t.assign(t.data * 0 + 7.0),
    "setter": lambda t: setattr(t, "data", t.data * 0 + 7.0),
    "augmented": lambda t: exec("t.data += 7.0", {"t": t}),
    "minus": lambda t: exec("t.data -= 7.0", {"t": t}),
    "times": lambda t: exec("t.data *= 0.5", {"t": t}),
    "power": lambda t: exec("t.data **= 3", {"t": t}),
    "in place": lambda t: write_in_place(t, 7.0),
}
tensor_writes = pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
writes = pytest.mark.parametrize("write", [f for name, f in WRITES.items() if name != "in place"])


# ------------------------------------------------------------------------------------------------ leaves of a graph


@tensor_writes
def test_an_operand_that_a_rule_reads_is_guarded(write):
    x, w = tg.Tensor([1.0, 2.0]), tg.Tensor([3.0, 4.0])
    y = (x * w).sum()
    write(x)
    with pytest.raises(StaleError, match="multiply: its operand 0 was overwritten after its use"):
        y.backward()
    assert x.grad is None
    assert w.grad is None
    (x * w).sum().backward()
    assert np.array_equal(w.grad, x.data)


@writes
def test_a_value_that_a_rule_reads_is_guarded(write):
    x, w = tg.Value(2.0, name="x"), tg.Value(3.0)
    y = x * w + 1
    write(x)
    with pytest.raises(StaleError, match="multiply: its operand 0 'x' was overwritten after its use"):
        y.backward()
    assert x.grad is None
    (x * w).backward()
    assert w.grad == x.data


@tensor_writes
@pytest.mark.parametrize(
    "compute",
    [
        lambda x: x + 1.0,
        lambda x: 2.0 - x,
        lambda x: -x,
        lambda x: x.reshape(1, 2),
        lambda x: x.sum(),
        lambda x: x.mean(),
        lambda x: x * 3.0,
        lambda x: x / 3.0,
        lambda x: x[np.array([0, 0, 1])],
        lambda x: tg.concatenate([x, x]),
        lambda x: x.exp(),
        lambda x: x.tanh(),
        tg.softmax,
        lambda x: tg.where(np.array([True, False]), x, 0.0),
        tg.relu,
        tg.sigmoid,
    ],
)
def test_an_operand_that_no_rule_reads_may_change(write, compute):
    x, same = tg.Tensor([1.0, 2.0]), tg.Tensor([1.0, 2.0])
    y, z = compute(x), compute(same)
    write(x)
    seed = np.random.default_rng(0).normal(size=y.shape)
    y.backward(seed)
    z.backward(seed)
    assert np.array_equal(x.grad, same.grad)
    assert np.array_equal(y.data, z.data) or (y.op.view and write is WRITES["in place"])


VIEWS = {
    "slice": lambda x: x[1:],
    "element": lambda x: x[0],
    "new axis": lambda x: x[None, ..., ::2],
    "transpose": lambda x: x.T,
    "reshape": lambda x: x.reshape(-1),
    "swapaxes": lambda x: x.swapaxes(0, -1),
    "expand_dims": lambda x: tg.expand_dims(x, 0),
    "squeeze": lambda x: tg.squeeze(tg.expand_dims(x, 0)),
    "broadcast_to": lambda x: tg.broadcast_to(x, (2, *x.shape)),
    "sum_to": lambda x: tg.sum_to(x, x.shape),
    "view of a view": lambda x: x.T[::-1].reshape(-1)[1:],
    "iteration": lambda x: next(iter(x)),
}
views = pytest.mark.parametrize("view", VIEWS.values(), ids=VIEWS)


@views
@tensor_writes
def test_a_write_is_seen_through_a_view(view, write):
    x = tg.Tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    v = view(x)
    values = v.numpy()
    y = (v * v).sum()
    write(x)
    try:
        y.backward()
    except StaleError:
        return
    expected = tg.Tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    (view(expected) * view(expected)).sum().backward()
    assert np.array_equal(v.data, values)
    assert np.array_equal(x.grad, expected.grad)


@views
@tensor_writes
def test_a_write_is_seen_through_an_older_view(view, write):
    """The view was made before the write and is used after it."""
    x = tg.Tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    v = view(x)
    write(x)
    y = (v * v).sum()
    used = v.numpy()
    try:
        y.backward()
    except StaleError:
        return
    expected = tg.Tensor(np.zeros((3, 2)))
    (view(expected) * (2 * used)).sum().backward()
    assert np.array_equal(x.grad, expected.grad)


@views
@pytest.mark.parametrize("quiet", [True, False])
def test_a_view_taken_without_recording_is_a_copy(view, quiet):
    x = tg.Tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]], requires_grad=quiet)
    with tg.no_grad():
        v = view(x)
    w = tg.Tensor(np.ones(v.shape))
    before = v.numpy()
    y = (v * w).sum()
    write_in_place(x, 7.0)
    assert np.array_equal(v.data, before)
    y.backward()
    assert np.array_equal(w.grad, before)


@tensor_writes
def test_a_view_of_a_constant_tensor_is_guarded_or_copied(write):
    c = tg.Tensor([1.0, 2.0], requires_grad=False)
    w = tg.Tensor([3.0])
    y = (c[1:] * w).sum()
    write(c)
    y.backward()
    assert np.array_equal(w.grad, [2.0])


@tensor_writes
def test_a_constant_tensor_is_guarded(write):
    c, w = tg.Tensor([1.0, 2.0], requires_grad=False), tg.Tensor([3.0, 4.0])
    y = (c * w).sum()
    write(c)
    with pytest.raises(StaleError):
        y.backward()


@tensor_writes
def test_an_integer_index_tensor_is_guarded_or_copied(write):
    i, w = tg.Tensor([0, 0, 1]), tg.Tensor([3.0, 4.0, 5.0])
    y = w[i].sum()
    try:
        write(i)
    except DTypeError:
        i.assign([2, 2, 2])
    y.backward()
    assert np.array_equal(w.grad, [2.0, 1.0, 0.0])


def test_a_new_graph_after_a_write_is_fresh():
    x = tg.Tensor([1.0, 2.0])
    for step in range(3):
        x.grad = None
        y = (x * x).sum()
        y.backward()
        assert np.array_equal(x.grad, 2 * x.data)
        x.data -= 0.1 * x.grad
        assert np.allclose(x.data, np.array([1.0, 2.0]) * 0.8 ** (step + 1))


def test_another_leaf_may_change():
    x, w = tg.Tensor([1.0, 2.0]), tg.Tensor([3.0, 4.0])
    y = (x * x).sum()
    w.data -= 1.0
    y.backward()
    assert np.array_equal(x.grad, [2.0, 4.0])


def test_every_layer_of_a_network_is_guarded():
    rng = np.random.default_rng(0)
    X, W, b, V = (tg.Tensor(rng.normal(size=s)) for s in ((5, 3), (3, 4), (4,), (4, 1)))
    for name, p in (("W", W), ("V", V), ("X", X)):
        loss = (tg.tanh(tg.linear(X, W, b)) @ V).sum()
        write_in_place(p, 0.5)
        with pytest.raises(StaleError):
            loss.backward()
        assert name
    loss = (tg.tanh(tg.linear(X, W, b)) @ V).sum()
    write_in_place(b, 0.5)  # its values are read by no rule
    loss.backward()


@kinds
def test_a_gradient_graph_is_guarded(kind):
    x = kind(3.0)
    (x * x * x).backward(create_graph=True)
    g, x.grad = x.grad, None
    x.data = x.data + 1.0
    with pytest.raises(StaleError):
        g.backward()


# --------------------------------------------------------------------------------------------------- raw constants

OPERATIONS = [
    lambda x, c: x * c,
    lambda x, c: c * x,
    lambda x, c: x / c,
    lambda x, c: c / x,
    lambda x, c: x**c,
    lambda x, c: c**x,
    lambda x, c: x @ c,
    lambda x, c: c @ x,
    lambda x, c: x + c,
    tg.maximum,
    lambda x, c: tg.where(c > 1.5, x, c),
    lambda x, c: tg.where(c > 1.5, c, x),
    lambda x, c: tg.clip(x, c - 1.0, c),
    lambda x, c: tg.stack([x, c, x]) ** 2,
    lambda x, c: tg.linear(c, x, c[0]),
    lambda x, c: tg.linear(x, c, c[0]) * c,
    tg.cross_entropy,
    lambda x, c: tg.cross_entropy(x, c[:, 0].astype(int)),
    lambda x, c: np.multiply(c, x),
    lambda x, c: x[c.astype(int) - 1],
    lambda x, c: x[c > 1.5],
    lambda x, c: tg.reshape(c, (2, 2)) * x,
]


@pytest.mark.parametrize("f", OPERATIONS)
@pytest.mark.parametrize("limit", [arrays.COPY_LIMIT, 0])
def test_a_raw_array_may_be_overwritten_by_its_owner(f, limit, monkeypatch):
    """Small ones are copied; large ones are checksummed, and then backward says that they changed."""
    monkeypatch.setattr(arrays, "COPY_LIMIT", limit)
    values = np.array([[1.0, 2.0], [1.0, 2.0]])
    x, same, c = tg.Tensor(values + 0.5), tg.Tensor(values + 0.5), values.copy()
    y, z = f(x, c), f(same, c.copy())
    seed = np.random.default_rng(0).normal(size=y.shape)
    z.backward(seed)
    y.backward(seed)
    assert np.array_equal(x.grad, same.grad)
    x.grad = None
    c[...] = 1.75
    try:
        y.backward(seed)
    except StaleError:
        assert limit == 0
    else:
        assert np.array_equal(x.grad, same.grad)


def test_a_large_constant_that_did_not_change_passes(monkeypatch):
    monkeypatch.setattr(arrays, "COPY_LIMIT", 0)
    x, c = tg.Tensor([1.0, 2.0]), np.array([3.0, 4.0])
    y = (x * c).sum()
    y.backward()
    y.backward()
    assert np.array_equal(x.grad, [6.0, 8.0])
    c[0] = 5.0
    with pytest.raises(StaleError, match="overwritten after its use: pass a copy"):
        y.backward()
    assert np.array_equal(x.grad, [6.0, 8.0])


@pytest.mark.parametrize("limit", [arrays.COPY_LIMIT, 0])
def test_a_strided_constant_is_guarded(limit, monkeypatch):
    monkeypatch.setattr(arrays, "COPY_LIMIT", limit)
    base = np.arange(6.0).reshape(2, 3)
    x = tg.Tensor([1.0, 2.0, 3.0])
    y = (x * base[:, ::-1].T[:, 0]).sum()
    base[...] = 0.0
    if limit:
        y.backward()
        assert np.array_equal(x.grad, [2.0, 1.0, 0.0])
    else:
        with pytest.raises(StaleError):
            y.backward()


# --------------------------------------------------------------------------------------------------- what .data shows


def test_data_is_a_read_only_view():
    x = tg.Tensor([1.0, 2.0])
    with pytest.raises(ValueError, match="assign a new array"):
        x.data[0] = 5.0
    data = x.data
    for attempt in (lambda: data.fill(0), data.sort, lambda: np.copyto(data, 0.0), lambda: data.put(0, 1)):
        with pytest.raises((ValueError, TinygradError)):
            attempt()
    with pytest.raises((ValueError, TinygradError)):
        np.add(x.data, 1.0, out=x.data[...])
    with pytest.raises(TinygradError, match="read-only"):
        np.exp(np.ones(2), out=x.data)
    with pytest.raises(TinygradError, match="elements cannot be assigned"):
        x[0] = 5.0
    assert np.array_equal(x.data, [1.0, 2.0])


def test_arithmetic_with_data_gives_plain_arrays():
    x = tg.Tensor([[1.0, 2.0]])
    for y in (
        x.data + 1,
        2 * x.data,
        np.exp(x.data),
        x.data @ np.ones((2, 1)),
        x.data.sum(axis=0),
        -x.data,
        x.data > 1,
    ):
        assert type(y) is np.ndarray
        assert y.flags.writeable
    assert type(x.data.copy()) is np.ndarray or x.data.copy().flags.writeable
    held = x.data
    held += 1.0
    assert type(held) is np.ndarray
    assert np.array_equal(x.data, [[1.0, 2.0]])
    assert float(x.data.max()) == 2.0


def test_the_data_of_a_computed_node_are_fixed():
    for x in (tg.Tensor([1.0, 2.0]), tg.Value(1.0)):
        y = x * 2
        with pytest.raises(TinygradError, match=r"computed .* \(multiply\) is fixed: assign to a leaf"):
            y.data = y.data
        with pytest.raises(TinygradError, match="assign to a leaf"):
            y.assign(1.0)


def test_assigned_values_must_fit():
    x = tg.Tensor(np.ones((2, 3), np.float32), name="x")
    with pytest.raises(ShapeError, match=r"shape \(3,\) for a tensor of shape \(2, 3\)"):
        x.assign(np.ones(3))
    with pytest.raises(ShapeError):
        x.data = 1.0
    x.data = np.full((2, 3), 2.0)
    assert x.dtype == np.float32
    with pytest.raises(DTypeError):
        x.assign(np.ones((2, 3)) * 1j)
    with pytest.raises(DTypeError):
        x.assign([["a", "b", "c"]] * 2)
    n = tg.Tensor([1, 2])
    with pytest.raises(DTypeError, match="float64 values do not fit a tensor of int64"):
        n.assign([1.5, 2.5])
    n.assign([3, 4])
    assert np.array_equal(n.data, [3, 4])
    v = tg.Value(1.0)
    for wrong in ("a", 1j, None, [1.0, 2.0], True):
        with pytest.raises(DTypeError):
            v.data = wrong
    v.data = np.float32(2.0)
    assert (v.data, type(v.data)) == (2.0, float)


def test_assigned_values_are_copied():
    x, new = tg.Tensor([1.0, 2.0]), np.array([3.0, 4.0])
    x.data = new
    new[0] = 9.0
    assert np.array_equal(x.data, [3.0, 4.0])
    y = tg.Tensor([0.0, 0.0])
    y.assign(x)
    x.data -= 1.0
    assert np.array_equal(y.data, [3.0, 4.0])


def test_a_tensor_copies_what_it_is_made_of():
    given = np.array([1.0, 2.0])
    x, shared = tg.Tensor(given), tg.Tensor(given, copy=False)
    t = tg.tensor(given)
    given[0] = 9.0
    assert np.array_equal(x.data, [1.0, 2.0])
    assert np.array_equal(t.data, [1.0, 2.0])
    assert np.array_equal(shared.data, [9.0, 2.0])  # documented as unsafe
    other = tg.Tensor(x)
    x.data -= 1.0
    assert np.array_equal(other.data, [1.0, 2.0])


def test_results_share_no_memory_with_what_the_user_holds():
    a = np.arange(4.0)
    for y in (tg.reshape(a, (2, 2)), tg.getitem(a, slice(1, 3)), tg.transpose(a)):
        assert type(y) is np.ndarray  # raw in, raw out; a view, as NumPy gives
    x = tg.Tensor(a)
    for y in (x.reshape(2, 2), x[1:], x.T, x + 0.0, x.astype(np.float64), x.copy(), x.detach(), tg.relu(x)):
        assert not np.shares_memory(y.numpy(), x._data)
        assert not y.data.flags.writeable
    d = x.detach()
    write_in_place(x, 7.0)
    assert np.array_equal(d.data, a)
    c = x.numpy()
    c[0] = 1.0
    assert x.data[0] == 7.0


STEP = st.tuples(st.sampled_from(["slice", "multiply", "add", "tanh", "write", "backward"]), st.integers(0, 9))


@pytest.mark.parametrize("in_place", [True, False])
@given(steps=st.lists(STEP, max_size=20))
def test_a_random_history_gives_the_right_gradient_or_an_error(in_place, steps):
    """Each node has a shadow over leaves that nobody overwrites: a new leaf for every version of the data."""
    w = tg.Tensor([0.5, -1.0, 2.0])
    versions = [tg.Tensor(w.data)]
    made = [(w, lambda: versions[-1])]
    for step, which in steps:
        node, shadow = made[which % len(made)]
        if step == "write":
            write_in_place(w, w._data * 0.5 + 0.1) if in_place else w.assign(w.data * 0.5 + 0.1)
            versions.append(tg.Tensor(w.data))
        elif step == "slice":
            fixed = shadow()[::-1]
            made.append((node[::-1], (lambda f=shadow: f()[::-1]) if in_place else (lambda y=fixed: y)))
        elif step == "backward":
            w.grad = None
            try:
                node.sum().backward()
            except StaleError:
                assert len(versions) > 1
                assert w.grad is None
                continue
            for v in versions:
                v.grad = None
            shadow().sum().backward()
            assert np.allclose(w.grad, sum(v.grad for v in versions if v.grad is not None))
        else:
            other, g = made[-1]
            steps_of = {"multiply": lambda a, b: a * b, "add": lambda a, _b: a + 1.0, "tanh": lambda a, _b: tg.tanh(a)}
            compute = steps_of[step]
            fixed = compute(shadow(), g())
            made.append((compute(node, other), lambda y=fixed: y))
