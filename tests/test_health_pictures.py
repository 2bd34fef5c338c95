"""Pictures of health: sizes of gradients, and the marks on what is dead, saturated, not finite or not reached."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from random_graphs import programs

import tinygrad_mlp as tg
from tinygrad_mlp import nn
from tinygrad_mlp.backward import cotangents
from tinygrad_mlp.errors import GradientError, StaleError, UnsupportedError
from tinygrad_mlp.graph import Node
from tinygrad_mlp.table import OPS, defvjp, primitive
from tinygrad_mlp.viz.graphs.walk import walk
from tinygrad_mlp.viz.judging.responding import Responses
from tinygrad_mlp.viz.kinds.health import drawing

MARKS = ("dead", "saturated", "nan", "inf", "no gradient")


def views(root, **options):
    """The records of the nodes, by their names or the names of their operations."""
    return {node.name or node.op: node for node in drawing(root, **options).graph.nodes}


def recorded(program):
    leaves = [tg.Tensor(x) for x in program.starts]
    with np.errstate(all="ignore"):
        return leaves, tg.sum(tg.square(program(*leaves)))


def marked(root, name, **options):
    node = views(root, **options)[name]
    return node.mark, node.detail


# ------------------------------------------------------------------------------------------------------------ gradients


@given(program=programs(min_side=1))
def test_every_node_tells_the_size_of_its_gradient(program):
    leaves, root = recorded(program)
    grads = cotangents(root, keep=True)
    found = walk([root]).found
    graph = drawing(root, budget=None).graph
    assert len(graph.nodes) == len(found)
    for view, x in zip(graph.nodes, found, strict=True):
        g = grads.get(x) if isinstance(x, Node) else None
        if g is None:
            assert (view.grad, view.fill) == ("", "")
        elif not np.any(g):
            assert view.grad == "grad is 0"
        else:
            size = float(np.linalg.norm(np.ravel(g)))
            assert abs(float(view.grad.removeprefix("log₁₀|grad| = ")) - math.log10(size)) <= 0.0501
            assert view.fill
    assert all(leaf.grad is None for leaf in leaves), "the picture computes gradients of its own"


@given(low=st.floats(-6.5, 0.5), more=st.floats(0.3, 3))
def test_larger_gradients_are_further_from_the_background(low, more):
    from tinygrad_mlp.viz.colours import contrast
    from tinygrad_mlp.viz.theme import THEMES

    for name, theme in THEMES.items():
        fills = [views(tg.Value(1.0, "x") * 10.0**p, theme=name)["x"].fill for p in (low, low + more)]
        near, far = (contrast(fill, theme.background) for fill in fills)
        assert near < far or low + more > 1, name


def test_the_legend_explains_the_scale_with_its_ends():
    words = [entry.words for entry in drawing(tg.Value(1.0) * 2.0).graph.legend]
    assert words == ["norm of the gradient:", "10⁻⁷ or less", "10⁻³", "10¹ or more"]


def test_it_says_whether_backward_was_called():
    x = tg.Value(2.0)
    y = x * x
    assert any("backward() was not called" in note for note in drawing(y).graph.notes)
    y.backward()
    assert not any("backward" in note for note in drawing(y).graph.notes)


def test_several_elements_are_weighed_by_ones_or_by_the_seed():
    x = tg.Tensor([1.0, 2.0], name="x")
    y = x * 10.0
    assert views(y)["x"].grad == "log₁₀|grad| = 1.2"
    assert any("sum of all elements" in note for note in drawing(y).graph.notes)
    assert views(y, seed=np.array([0.0, 1.0]))["x"].grad == "log₁₀|grad| = 1.0"


# ------------------------------------------------------------------------------------------------------ dead, saturated


@given(data=st.data(), samples=st.integers(1, 4), units=st.integers(1, 6))
def test_dead_units_are_counted_by_columns(data, samples, units):
    numbers = [data.draw(st.integers(-2, 1)) for _ in range(samples * units)]
    x = np.array(numbers, float).reshape(samples, units)
    dead = int((x <= 0).all(axis=0).sum())
    mark, detail = marked(tg.sum(tg.relu(tg.Tensor(x))), "relu")
    if not dead:
        assert mark == ""
    else:
        assert (mark, detail) == ("dead", f"{dead} of {units} units" + ", for one sample" * (samples == 1))


def test_units_without_samples_or_without_elements_are_not_dead():
    for shape in ((0,), (0, 3), (3, 0)):
        assert marked(tg.sum(tg.relu(tg.Tensor(np.zeros(shape)))), "relu") == ("", "")


def test_a_single_number_that_is_off_is_dead():
    assert marked(tg.Value(-1.0).relu() * 2.0, "relu") == ("dead", "output 0")
    assert marked(tg.Value(1.0).relu() * 2.0, "relu") == ("", "")


def test_maximum_with_zero_is_a_relu_too():
    x = tg.Tensor([[1.0, -1.0], [2.0, -2.0]])
    assert marked(tg.sum(tg.maximum(x, 0.0)), "maximum") == ("dead", "1 of 2 units")
    assert marked(tg.sum(tg.maximum(x, -9.0)), "maximum") == ("", "")


def test_of_numbers_folded_into_one_node_the_dead_are_counted():
    xs = [tg.Value(float(k - 3)) for k in range(30)]
    total = tg.Value(0.0)
    for x in xs:
        total = total + x.relu()
    graph = drawing(total, budget=12).graph
    (relu,) = [node for node in graph.nodes if node.op == "relu"]
    assert (relu.count, relu.mark, relu.detail) == (30, "dead", "4 of 30 outputs")


SATURATING = {
    "sigmoid": tg.sigmoid,
    "tanh": tg.tanh,
    "softsign": tg.softsign,
    "erf": OPS["erf"],
    "hardtanh": OPS["hardtanh"],
    "clip": lambda x: tg.clip(x, -1.0, 1.0),
}


@pytest.mark.parametrize("name", SATURATING)
@given(flat=st.integers(0, 10))
def test_the_share_that_is_saturated_is_told_from_a_half_on(name, flat):
    x = np.array([60.0, -60.0] * 5)[:flat].tolist() + [0.1] * (10 - flat)
    mark, detail = marked(tg.sum(SATURATING[name](tg.Tensor(x))), name)
    assert (mark, detail) == (("saturated", f"{10 * flat} %") if flat >= 5 else ("", ""))


def test_which_rows_saturate_is_read_off_their_rules():
    responses = Responses()
    found = set()
    for name, op in OPS.items():
        if op.elementwise and op.arity == 1 and op.differentiable and not op.defined:
            response = responses.of(op(tg.Tensor([0.3])))
            if response is not None and response.saturates:
                found.add(name)
    assert {"sigmoid", "tanh", "softsign", "arctan", "erf", "hardtanh", "hardsigmoid", "relu6"} <= found
    assert not found & {"relu", "exp", "softplus", "elu", "square", "sin", "identity", "abs", "floor", "log_sigmoid"}


@pytest.mark.usefixtures("own_rows")
def test_a_row_of_the_users_own_is_found_to_saturate():
    @primitive(elementwise=True)
    def squash(xp, x):
        """Return x / √(1 + x²)."""
        return x / xp.sqrt(1 + x * x)

    defvjp(squash, lambda g, _y, x: g * (1 + x * x) ** -1.5)
    assert marked(tg.sum(squash(tg.Tensor([90.0, -90.0, 0.0]))), "squash") == ("saturated", "67 %")


# ----------------------------------------------------------------------------------------------------------- not finite


@given(before=st.integers(0, 3), after=st.integers(0, 3))
def test_where_nan_begins_is_marked_and_nowhere_else(before, after):
    y = tg.Tensor([1.0, -1.0])
    for _ in range(before):
        y = y * 2.0
    with np.errstate(all="ignore"):
        y = tg.sqrt(y)
        for _ in range(after):
            y = y + 1.0
        y = tg.sum(y)
    graph = drawing(y).graph
    starts = [node.op for node in graph.nodes if node.detail == "starts here"]
    assert starts == ["sqrt"]
    assert all(node.mark == "nan" for node in graph.nodes if node.op in ("add", "sum"))


def test_an_infinite_gradient_is_marked_where_it_begins():
    x = tg.Tensor([0.0, 1.0], name="x")
    h = x * 3.0
    h.name = "h"
    y = tg.sum(tg.sqrt(h))
    assert marked(y, "h") == ("inf", "starts here, in the gradient")
    assert marked(y, "x") == ("inf", "in the gradient")
    assert marked(y, "sqrt") == ("", "")


def test_a_constant_that_is_nan_is_where_it_begins():
    y = tg.sum(tg.Tensor([1.0, 2.0]) + np.array([0.0, np.nan]))
    kinds = {node.kind: node.detail for node in drawing(y).graph.nodes}
    assert kinds["constant"] == "starts here"
    assert kinds["op"] == "in the value"


# ---------------------------------------------------------------------------------------------------------- not reached


class Net(nn.Module):
    """Two layers, and one that nothing uses."""

    def __init__(self):
        self.first = nn.Linear(2, 3, rng=0)
        self.spare = nn.Linear(3, 3, rng=1)
        self.last = nn.Linear(3, 1, rng=2)

    def __call__(self, x):
        return self.last(tg.relu(self.first(x)))


def test_parameters_without_a_gradient_are_marked_or_listed():
    net = Net()
    net.first.bias.assign(np.full(3, -100.0))
    loss = tg.mean(tg.square(net(np.ones((4, 2))) - 1.0))
    seen = views(loss, model=net)
    assert seen["relu"].detail == "3 of 3 units"
    assert seen["first.weight"].mark == seen["first.bias"].mark == seen["last.weight"].mark == "no gradient"
    assert seen["last.bias"].mark == ""
    remark = "no gradient: the result does not depend on spare.weight, spare.bias"
    assert remark in drawing(loss, model=net).graph.notes
    assert remark in drawing(loss, names=net).graph.notes
    assert remark in tg.draw(net, np.ones((4, 2)), kind="health").text
    assert remark not in drawing(loss, names={"net": net}).graph.notes, "other modules may be among the variables"


@pytest.mark.parametrize(("scale", "word"), [(1e-4, "vanishes"), (1e4, "explodes"), (1.0, "")])
def test_layers_that_learn_at_different_speeds_are_told(scale, word):
    y = tg.Tensor(np.ones((2, 2)), requires_grad=False)
    for i in range(4):
        y = y @ nn.Parameter(np.eye(2) * (scale if i == 3 else 1.0), name=f"W{i}")
    loss = tg.sum(y)
    (note,) = [note for note in drawing(loss).graph.notes if note.startswith("gradient norm, first layer")]
    assert "W0" in note.split("=")[0]
    assert "W3" in note.split("=")[0]
    assert note.endswith(word) if word else note.endswith("= 1")


class Residual(nn.Module):
    """A stem, blocks with connections around them, some of several layers, and a head."""

    def __init__(self, depths):
        self.stem = nn.Linear(3, 4, rng=0)
        self.blocks = [nn.Sequential(*[nn.Linear(4, 4, rng=i) for i in range(depth)]) for depth in depths]
        self.head = nn.Linear(4, 2, rng=1)

    def __call__(self, x):
        x = self.stem(x)
        for block in self.blocks:
            x = x + tg.relu(block(x))
        return self.head(x)


@given(depths=st.lists(st.integers(1, 3), max_size=4), recorded=st.booleans())
def test_connections_that_shorten_paths_do_not_make_a_layer_the_first(depths, recorded):
    net = Residual(depths)
    x = tg.Tensor(np.ones((2, 3)), name="x", requires_grad=recorded)
    loss = nn.cross_entropy(net(x), [0, 1])
    grads = cotangents(loss)
    first, last = (np.linalg.norm(grads[layer.weight]) for layer in (net.stem, net.head))
    (note,) = [note for note in drawing(loss, names=net).graph.notes if note.startswith("gradient norm")]
    assert f": stem.weight {first:.3g} / head.weight {last:.3g} = {first / last:.3g}" in note


def test_data_that_record_gradients_are_no_layers():
    x, w = tg.Tensor(np.ones((4, 3)), name="x"), tg.Tensor(np.ones((3, 2)), name="w")
    for weight in (w, nn.Parameter(w.data, name="w")):
        notes = drawing(nn.cross_entropy(x @ weight, [0, 1, 0, 1])).graph.notes
        assert not any("layer" in note for note in notes)


def test_layers_of_neurons_are_compared_as_wholes():
    net = nn.scalar.MLP(2, [3, 3, 1], "tanh", rng=0)
    loss = (net([1.0, -2.0]) - 1.0) ** 2
    grads = cotangents(loss)
    first, last = (np.linalg.norm([grads[p] for p in net.layers[i].parameters()]) for i in (0, -1))
    for options in ({"names": net}, {"model": net}, {"names": {}, "model": net}):
        notes = drawing(loss, **options).graph.notes
        assert f": hidden1 {first:.3g} / output {last:.3g} = {first / last:.3g}" in " ".join(notes)
    assert not any("layer" in note for note in drawing(loss).graph.notes)


def test_a_gradient_of_equal_norm_is_no_remark():
    loss = tg.sum(tg.Tensor(np.ones((1, 2))) @ tg.Tensor(np.eye(2)))
    assert not any("vanishes" in note or "explodes" in note for note in drawing(loss).graph.notes)


# ----------------------------------------------------------------------------------------------------------------- rest


@given(program=programs())
def test_marks_are_words_that_the_themes_know_and_the_picture_is_stable(program):
    _, root = recorded(program)
    one, other = drawing(root), drawing(root)
    assert {node.mark for node in one.graph.nodes} <= {"", *MARKS}
    assert (one.source, one.text) == (other.source, other.text)


@pytest.mark.parametrize("theme", ["light", "dark", "print"])
def test_every_format_tells_the_marks(theme):
    loss = tg.sum(tg.relu(tg.Tensor([[-1.0, 1.0], [-1.0, 1.0]])))
    made = drawing(loss, theme=theme)
    for text in (made.source, made.text, made.native()):
        assert "dead: 1 of 2 units" in text
        assert "log₁₀|grad|" in text


def test_what_has_no_gradient_or_is_none_is_refused():
    with pytest.raises(GradientError):
        drawing(tg.Tensor([1.0], requires_grad=False))
    with pytest.raises(UnsupportedError, match="health"):
        drawing([tg.Value(1.0)])
    with pytest.raises(UnsupportedError, match="model="):
        drawing(tg.Value(1.0) * 2.0, model=3)


def test_a_graph_that_was_overwritten_since_is_refused():
    w = tg.Tensor([1.0, 2.0])
    loss = tg.sum(w * w)
    w.assign(np.zeros(2))
    with pytest.raises(StaleError, match="overwritten"):
        drawing(loss)
