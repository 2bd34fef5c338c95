"""Source lines, names, and functions whose everything is recorded: reading a value then is an error."""

import inspect

import numpy as np
import pytest

import tinygrad_mlp as tg
from tinygrad_mlp.errors import TracingError
from tinygrad_mlp.graph import EVERYTHING, GRADIENTS, NODES, SOURCES, mode, recording

kinds = pytest.mark.parametrize("kind", [tg.Value, tg.Tensor])


# ------------------------------------------------------------------------------------------------------ source lines


def here():
    frame = inspect.currentframe().f_back
    return f"{__file__}:{frame.f_lineno}"


@kinds
def test_source_lines_are_the_users(kind):
    x = kind(2.0)
    assert (x * x).source == ""
    with tg.sources():
        assert mode() == GRADIENTS | SOURCES
        a, at = x * x + 1, here()
        b, there = np.exp(x), here()
        with tg.sources():
            c, inner = x.relu(), here()
        with tg.no_grad():
            assert not (x * x).requires_grad
        d, last = tg.softmax_cross_entropy(tg.stack([x, x]), 1) if hasattr(tg, "softmax_cross_entropy") else -x, here()
    assert (a.source, a.inputs[0].source, b.source, c.source, d.source) == (at, at, there, inner, last)
    assert (x * x).source == ""
    a.backward()
    assert float(x.grad) == 4.0


def test_sources_decorates_a_function():
    @tg.sources()
    def f(x):
        return x * x

    assert f(tg.Value(1.0)).source.startswith(__file__)


@kinds
def test_a_node_has_a_name_beside_its_params(kind):
    x = kind(2.0, name="x")
    assert x.name == "x"
    y = tg.leaky_relu(x, negative_slope=0.5)
    assert (y.name, y.params) == ("", {"negative_slope": 0.5})
    y.name = "y"
    assert (y.name, y.params) == ("y", {"negative_slope": 0.5})
    y.name = ""
    assert y.name == ""
    y.backward()
    assert float(x.grad) == 1.0


# ----------------------------------------------------------------------------------------------------------- tracing

READINGS = {
    "bool()": bool,
    "float()": float,
    "int()": int,
    ".item()": lambda x: x.item(),
    ".data": lambda x: x.data,
    ".numpy()": lambda x: x.numpy(),
    "np.asarray()": np.asarray,
    "an index": lambda x: range(3)[x],
    "a format": lambda x: f"{x:.3f}",
    "a list": lambda x: x.tolist(),
    "np.allclose": lambda x: np.allclose(x, 1.0),
    "max": lambda x: max(x, x * 2),
    "if": lambda x: 1 if x > 0 else 2,
    "and": lambda x: x > 0 and x < 3,
    "sorted": lambda x: sorted([x, x]),
    "in a list": lambda x: x in [1.0, 2.0],
}


@pytest.mark.parametrize("read", READINGS.values(), ids=READINGS)
@pytest.mark.parametrize("make", [lambda: tg.Value(2.0), lambda: tg.Tensor(2.0), lambda: tg.Tensor([2.0]) > 1])
def test_reading_a_value_while_tracing_raises_and_names_the_line(read, make):
    x = make()
    with recording(EVERYTHING):
        line = inspect.getsourcelines(read)[1] if getattr(read, "__name__", "") == "<lambda>" else None
        with pytest.raises(TracingError) as caught:
            read(x)
    assert __file__ in str(caught.value)
    assert line is None or f"{__file__}:{line}" in str(caught.value)


REMEDIES = {
    "bool()": "use tg.where instead of `if`", "float()": "return it, and read or print it outside",
    "int()": "return it", ".item()": "return it", ".data": r"use the tensor itself; \.assign", ".numpy()": "return it",
    "np.asarray()": r"functions on it, tg\.stack to join, tg\.take", "an index": r"tg\.take\(X, i",
    "a format": "return it", "a list": "return it", "if": "use tg.where", "np.allclose": "return it",
}  # fmt: skip


@pytest.mark.parametrize(("name", "remedy"), REMEDIES.items())
def test_a_message_says_what_to_do_instead_of_what_was_done(name, remedy):
    with recording(EVERYTHING), pytest.raises(TracingError, match=f" reads a value while .*: .*{remedy}"):
        READINGS[name](tg.Tensor(2.0))


@kinds
def test_everything_is_recorded_while_tracing(kind):
    x = kind(2.0)
    with recording(EVERYTHING):
        results = [x > 1, x == 2, x != 2, x <= x, tg.isnan(x), tg.sign(x), x * 2, x.detach() * 2, tg.add(x.detach(), 1)]
        if kind is tg.Tensor:
            results += [tg.argmax(tg.stack([x, x])), (x > 1) & (x < 3), ~(x > 1), x.astype(np.int64), x > 1]
            results += [tg.astype(x, np.int64) * 2, x.reshape(1)[0]]
    for y in results:
        assert type(y) in NODES
        assert y.op is not None
    assert not results[0].requires_grad
    assert results[6].requires_grad


@kinds
def test_a_traced_graph_still_differentiates(kind):
    x = kind(2.0)
    with recording(EVERYTHING):
        y = tg.where(x > 1, x * x, -x)
    assert y.inputs[0].op is tg.greater
    y.backward()
    assert float(x.grad) == 4.0


@kinds
def test_a_traced_constant_is_computed_from_its_node(kind):
    x = kind(2.0)
    with recording(EVERYTHING):
        y = x.detach()
    assert y.inputs[0] is x
    assert not y.requires_grad


LOSSES = [
    (tg.cross_entropy, np.array([[1.0, 2.0, 0.5], [0.1, -1.0, 3.0]]), np.array([0, 2]), np.array([-100, 1])),
    (tg.nll_loss, np.array([[1.0, 2.0, 0.5], [0.1, -1.0, 3.0]]), np.array([0, 2]), np.array([-100, 1])),
    (tg.multi_margin_loss, np.array([[1.0, 2.0, 0.5], [0.1, -1.0, 3.0]]), np.array([0, 2]), np.array([2, 1])),
    (
        lambda x, var: tg.gaussian_nll_loss(x, np.zeros(3), var, eps=0.5),
        np.ones(3),
        np.ones(3),
        np.array([0.1, 0.5, 2.0]),
    ),
]


@pytest.mark.parametrize(("loss", "x", "first", "second"), LOSSES)
def test_a_traced_loss_holds_for_other_labels_and_variances(loss, x, first, second):
    fast = tg.compile(loss)
    np.testing.assert_allclose(fast(x, first), loss(x, first))
    np.testing.assert_allclose(fast(x, second), loss(x, second))
    np.testing.assert_allclose(fast(x, first), loss(x, first))


def test_shapes_may_be_read_while_tracing():
    x = tg.Tensor(np.ones((2, 3)))
    with recording(EVERYTHING):
        assert (x.shape, x.ndim, x.size, len(x), x.dtype) == ((2, 3), 2, 6, 2, np.float64)
        assert np.shape(x) == (2, 3)
        assert np.ndim(x) == 2
        assert repr(x)


def test_a_traced_mask_is_refused_rather_than_baked_in():
    x, mask = tg.Tensor([1.0, 2.0, 3.0]), tg.Tensor([True, False, True])
    with recording(EVERYTHING), pytest.raises(TracingError, match=r"an index is needed while .*test_tracing\.py:\d+"):
        x[mask]
