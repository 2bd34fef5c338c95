"""Pictures of single numbers: tensors taken apart without a changed number, their names, formulas and derivatives."""

import re
from collections import Counter
from xml.etree.ElementTree import fromstring

import numpy as np
import pytest
from hypothesis import Phase, find, given, settings
from hypothesis import strategies as st
from op_cases import samples
from random_graphs import programs
from strategies import FEW, SMOOTH, call, leaves

import tinygrad_mlp as tg
from tinygrad_mlp import nn
from tinygrad_mlp.backward import cotangents
from tinygrad_mlp.errors import LayoutError, UnsupportedError
from tinygrad_mlp.graph import NODES
from tinygrad_mlp.nn.scalar import MLP, Neuron
from tinygrad_mlp.viz.graphs.walk import walk
from tinygrad_mlp.viz.kinds import scalar
from tinygrad_mlp.viz.unfolding.building import unfold
from tinygrad_mlp.viz.unfolding.gathering import element_name

WHOLE = {
    "det", "cofactors", "cofactors_slope", "determinant_sign", "log_abs_determinant", "inv", "solution", "pinv",
    "cholesky", "eigenvectors", "eigvalsh", "left_vectors", "right_vectors", "svdvals",
}  # fmt: skip


def parsed(drawing):
    return fromstring(drawing.native())


def layer(samples=1):
    X = tg.Tensor(np.arange(1.0, 2 * samples + 1).reshape(samples, 2), requires_grad=False, name="X")
    W = tg.Tensor([[1.0, 2.0, -1.0], [0.5, -1.0, 1.0]], name="W")
    b = tg.Tensor([0.1, 0.2, 0.3], name="b")
    h = tg.tanh(X @ W + b)
    h.name = "h"
    loss = h.sum()
    loss.name = "L"
    return X, W, b, h, loss


def titles(drawing):
    return [node.title for node in drawing.graph.nodes]


def node_of(drawing, name):
    return next(node for node in drawing.graph.nodes if node.name == name)


def gradients(graph, leaf, found):
    """The gradient of a leaf in a graph with operations taken apart."""
    if leaf in found:
        return found[leaf]
    return np.array([found.get(cell, 0.0) for cell in graph.cells[leaf].flat]).reshape(leaf.shape)


# ------------------------------------------------------------------------------------------------- taking ops apart


@pytest.mark.parametrize("op", SMOOTH.values(), ids=SMOOTH)
@FEW
@given(data=st.data())
def test_an_op_taken_apart_has_the_engines_numbers_and_gradients(op, data):
    sample = data.draw(samples(op))
    operands = leaves(sample)
    y = call(op, operands, sample.params)
    if type(y) not in NODES or y.op is not op:
        return  # nothing was recorded
    made = unfold(y, y)
    if y not in made.choice.apart:
        empty = 0 in (y.size, *(np.size(x) for x in sample.operands))
        assert op.name in WHOLE or empty or "gradient would be another" in made.choice.refused[y]
        return
    np.testing.assert_allclose(made.cells[y].numbers, y.data)
    seed = np.random.default_rng(1).normal(size=y.shape)
    wanted = cotangents(y, seed)
    single = type(made.root._payload) is float
    found = cotangents(made.root, float(seed.item()) if single else seed) if made.root.requires_grad else {}
    for i in sample.wrt:
        if operands[i] in wanted:
            mine = gradients(made, operands[i], found)
            np.testing.assert_allclose(mine, wanted[operands[i]], rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("op", [op for op in SMOOTH.values() if op.name not in WHOLE], ids=lambda op: op.name)
def test_every_op_but_those_of_linear_algebra_can_be_taken_apart(op):
    def comes_apart(sample):
        y = call(op, leaves(sample), sample.params)
        return type(y) in NODES and y.op is op and y in unfold(y, y).choice.apart

    find(samples(op), comes_apart, settings=settings(max_examples=100, phases=[Phase.generate], database=None))


@given(program=programs(min_side=1), data=st.data())
def test_any_choice_of_ops_can_be_taken_apart_in_any_graph(program, data):
    starts = [tg.Tensor(x, name=f"x{i}") for i, x in enumerate(program.starts)]
    y = program.results(starts)[-1]
    if y.op is None or not y.requires_grad:
        return
    inner = [x for x in walk([y]).found if type(x) in NODES and x.op is not None]
    some = data.draw(st.none() | st.lists(st.sampled_from(inner), unique=True))
    before = [(x.name, x.tick, x.grad) for x in inner]
    made = unfold(y, some, force=True)
    assert before == [(x.name, x.tick, x.grad) for x in inner]
    for x, grid in made.cells.items():
        np.testing.assert_allclose(grid.numbers, x.data)
    seed = np.random.default_rng(1).normal(size=y.shape)
    wanted = cotangents(y, seed)
    single = type(made.root._payload) is float
    found = cotangents(made.root, float(seed.item()) if single else seed)
    for leaf in starts:
        if leaf in wanted:
            np.testing.assert_allclose(gradients(made, leaf, found), wanted[leaf], rtol=1e-6, atol=1e-9)


def test_three_elements_that_tie_keep_their_even_shares_so_the_maximum_stays_whole():
    x = tg.Tensor([1.0, 1.0, 1.0, 0.0], name="x")
    y = x.max() * 2.0
    drawing = scalar.drawing(y)
    assert "max" in " ".join(titles(drawing))
    assert any("max" in note and "tie" in note for note in drawing.graph.notes)
    np.testing.assert_allclose(cotangents(unfold(y).root)[x], [2 / 3, 2 / 3, 2 / 3, 0.0])


def test_a_sum_of_products_is_written_without_the_shift_of_softmax_in_the_gradient():
    z = tg.Tensor([1.0, 2.0], name="z")
    graph = walk([unfold(tg.softmax(z)[0]).root])
    ops = [x.op.name for x in graph.found if type(x) in NODES and x.op is not None]
    assert sorted(ops) == ["add", "divide", "exp", "exp", "subtract", "subtract"]


def test_a_graph_whose_leaf_was_overwritten_is_drawn_whole_and_says_why():
    _, W, _, _, loss = layer()
    loss.backward()
    W.data = W.data + 1.0
    notes = " ".join(scalar.drawing(loss).graph.notes)
    assert "overwritten after its use" in notes


def test_a_value_neuron_is_one_node_until_its_products_are_asked_for():
    neuron = Neuron(3, rng=0)
    y = neuron([1.0, -2.0, 0.5])
    closed, opened = scalar.drawing(y), scalar.drawing(y, expand="affine")
    assert sum("affine" in title for title in titles(closed)) == 1
    assert not any("affine" in title for title in titles(opened))
    assert sum("multiply" in title for title in titles(opened)) == 3
    assert "expand='affine'" in " ".join(closed.graph.notes)


@pytest.mark.parametrize("name", ["sigmoid", "silu", "softplus"])
def test_a_function_of_a_value_can_be_taken_apart_into_its_own_steps(name):
    x = tg.Value(0.7, "x")
    y = getattr(tg, name)(x)
    made = unfold(y, name)
    assert made.root.data == pytest.approx(y.data)
    assert cotangents(made.root)[x] == pytest.approx(cotangents(y)[x])
    assert len(walk([made.root]).found) > 2


# ------------------------------------------------------------------------------------------------------ what is shown


def test_elements_have_the_names_kinds_values_and_gradients_of_their_tensors():
    _, W, b, _, loss = layer()
    loss.backward()
    drawing = scalar.drawing(loss)
    for (i, j), w in np.ndenumerate(W.data):
        node = node_of(drawing, f"W{'₁₂'[i]}{'₁₂₃'[j]}")
        assert (node.kind, node.number, node.slope) == ("parameter", w, pytest.approx(W.grad[i, j]))
        assert node.grad == f"grad {W.grad[i, j]:+.4g}"
    assert node_of(drawing, "b₃").slope == pytest.approx(b.grad[2])
    assert node_of(drawing, "X₁₂").kind == "input"
    assert node_of(drawing, "h₁₁").op == "tanh"
    assert "subscripts count from 1" in " ".join(drawing.graph.notes)


def test_inner_gradients_are_shown_only_after_backward():
    _, _, _, _, loss = layer()
    before = scalar.drawing(loss)
    assert node_of(before, "h₁₁").slope is None
    assert "not computed" in before.text
    loss.backward()
    after = scalar.drawing(loss)
    assert "not computed" not in after.text
    assert node_of(after, "h₁₁").slope == 1.0
    assert all(node.slope is not None for node in after.graph.nodes if node.requires_grad)


def test_gradients_added_up_by_two_calls_are_remarked_on():
    _, _, _, _, loss = layer()
    loss.backward()
    assert scalar.OTHER_GRAD not in scalar.drawing(loss).graph.notes
    loss.backward()
    assert scalar.OTHER_GRAD in scalar.drawing(loss).graph.notes


def test_drawing_leaves_the_graph_as_it_was():
    _, W, _, h, loss = layer()
    loss.backward()
    before = (W.grad.copy(), h.grad, h.name, loss.data.copy())
    scalar.drawing(loss)
    np.testing.assert_array_equal(before[0], W.grad)
    assert (h.grad, h.name, loss.data) == before[1:]
    assert scalar.drawing(loss).source == scalar.drawing(loss).source


def test_formulas_are_written_in_names_and_in_numbers():
    a, w, x, b = (tg.Value(v, n) for v, n in [(0.5, "a"), (2.0, "w"), (-3.0, "x"), (1.0, "b")])
    h, z, s = a.relu(), w * x + b, tg.sigmoid(w)
    h.name, z.name, s.name = "h", "z", "s"
    y = h * z * s
    found = {node.name: node.formula for node in scalar.drawing(y).graph.nodes}
    assert found["h"] == "h = relu(a) = relu(0.5) = 0.5"
    assert re.fullmatch(r"z = v.+ \+ b = -6 \+ 1 = -5", found["z"])
    assert found["s"] == "s = σ(w) = σ(2) = 0.8808"


def test_the_formula_of_a_neuron_names_every_product():
    neuron = Neuron(2, "linear", rng=0)
    neuron.weights[0].data, neuron.weights[1].data, neuron.bias.data = 0.5, -2.0, 1.0
    x1, x2 = tg.Value(3.0, "x1"), tg.Value(4.0, "x2")
    a = neuron([x1, x2])
    a.name = "a"
    formula = scalar.drawing(a).graph.nodes[0].formula
    assert formula == "a = w1·x1 + w2·x2 + b = 0.5·3 + (-2)·4 + 1 = -5.5"


def test_an_equation_that_rounding_breaks_is_written_as_approximate():
    a, b = tg.Value(1 / 3, "a"), tg.Value(2 / 3, "b")
    y = a + b
    y.name = "y"
    assert scalar.drawing(y).graph.nodes[0].formula == "y = a + b = 0.3333 + 0.6667 = 1"
    z = a * a * 10.0
    assert scalar.drawing(z, precision=2).graph.nodes[1].formula == "v₁ = a·a = 0.33·0.33 = 0.11"
    assert "≈" in scalar.drawing(a - b * 0.5004, precision=3).graph.nodes[0].formula


def test_edges_tell_local_derivatives():
    x, w = tg.Value(2.0, "x"), tg.Value(-3.0, "w")
    y = x * w
    y.name = "y"
    y.backward()
    edges = {edge.tip: (edge.local, edge.flow) for edge in scalar.drawing(y).graph.edges}
    assert edges == {"∂y/∂x = -3": (-3.0, -3.0), "∂y/∂w = 2": (2.0, 2.0)}


@given(program=programs(scalar=True))
def test_flows_on_the_edges_add_up_to_the_gradients(program):
    starts = [tg.Value(float(x), f"x{i}") for i, x in enumerate(program.starts)]
    y = program(*starts)
    y.backward()
    graph = scalar.drawing(y, budget=None).graph
    sums = {}
    for edge in graph.edges:
        if edge.flow is not None:
            sums[edge.source] = sums.get(edge.source, 0.0) + edge.flow
    for node in graph.nodes[1:]:
        if node.slope is not None and node.requires_grad:
            assert sums[node.key] == pytest.approx(node.slope, rel=1e-9, abs=1e-12)


def test_constant_arrays_become_shared_constants():
    W = tg.Tensor([[1.0, 2.0]], name="W")
    y = (np.array([[3.0], [4.0]]) @ W).sum()
    shown = [node for node in scalar.drawing(y).graph.nodes if node.kind == "constant"]
    assert sorted(node.title for node in shown) == ["3", "4"]


def test_the_svg_has_names_numbers_and_tooltips():
    _, _, _, _, loss = layer()
    loss.backward()
    root = parsed(scalar.drawing(loss))
    text = " ".join(root.itertext())
    for word in ("W₁₂", "h₁₃", "X₁₁", "h₁₁ = tanh(", "∂L/∂h₁₃" if "∂L/∂h₁₃" in text else "∂L/∂"):
        assert word in text


@pytest.mark.parametrize(
    ("index", "shape", "name"),
    [
        ((), (), "t"),
        ((0,), (9,), "t₁"),
        ((9,), (10,), "t[9]"),
        ((0, 1), (2, 9), "t₁₂"),
        ((0, 1), (2, 10), "t[0, 1]"),
        ((0, 1, 2), (2, 2, 3), "t[0, 1, 2]"),
    ],
)
def test_elements_have_subscripts_in_small_vectors_and_matrices_and_indices_elsewhere(index, shape, name):
    assert element_name("t", index, shape) == name


def test_names_come_from_variables_too():
    u = tg.Tensor([1.0, 2.0])
    y = tg.exp(u).sum()
    drawing = scalar.drawing(y, names={"u": u, "y": y})
    assert {"u₁", "u₂"} <= {node.name for node in drawing.graph.nodes}
    assert drawing.graph.nodes[0].name == "y"


# ------------------------------------------------------------------------------------------------------- what is chosen


@given(samples=st.integers(1, 40), budget=st.integers(10, 400))
def test_all_is_taken_apart_if_it_fits_the_budget_and_nothing_otherwise(samples, budget):
    _, _, _, _, loss = layer(samples)
    drawing = scalar.drawing(loss, budget=budget)
    assert len(drawing.graph.nodes) <= budget
    left = [note for note in drawing.graph.notes if note.startswith("whole, for want of room: L, h, add, matmul; ")]
    shown = Counter(node.op for node in drawing.graph.nodes)
    assert shown["getitem"] == shown["elements"] == 0, "a picture made of picks says little"
    assert (shown["matmul"] == 0, shown["multiply"] > 0) == ((False, False) if left else (True, True))
    if not left:
        return
    assert "; expand='L' takes one apart" in left[0]
    assert "matmul" in titles_of_ops(scalar.drawing(loss, expand="L"))
    (enough,) = [note for note in drawing.graph.notes if note.startswith("budget=")]
    apart = scalar.drawing(loss, budget=int(enough.removeprefix("budget=").removesuffix(" takes all apart")))
    assert "matmul" not in titles_of_ops(apart)


def titles_of_ops(drawing):
    return {node.op for node in drawing.graph.nodes}


def test_a_graph_that_is_far_too_large_stays_whole_with_formulas_and_the_remedy():
    _, _, _, _, loss = layer(samples=300)
    drawing = scalar.drawing(loss)
    assert len(drawing.graph.nodes) == len(walk([loss]).found)
    assert node_of(drawing, "h").formula.startswith("h = tanh(A₂): 300×3")
    assert (
        "whole, for want of room: L, h, add, matmul; expand='L' takes one apart; "
        "fewer samples, such as X[:1], make room for all"
    ) in drawing.graph.notes
    with pytest.raises(LayoutError, match="limit 2,500"):
        scalar.drawing(loss, budget=None)


def test_an_op_in_the_middle_is_taken_apart_with_picks_from_what_stays_whole():
    _, W, _, _, loss = layer()
    loss.backward()
    drawing = scalar.drawing(loss, expand="h")
    shown = titles(drawing)
    assert {"h₁₁ = tanh", "h₁₂ = tanh", "h₁₃ = tanh", "h = elements"} <= set(shown)
    assert sum("getitem" in title for title in shown) == 3
    assert "W" in shown
    assert node_of(drawing, "W").grad == f"grad norm {np.linalg.norm(W.grad):.4g}"


def test_expand_takes_nodes_names_operations_and_several_of_them():
    _, _, _, h, loss = layer()
    assert titles(scalar.drawing(loss, expand=h)) == titles(scalar.drawing(loss, expand="h"))
    assert titles(scalar.drawing(loss, expand="tanh")) == titles(scalar.drawing(loss, expand=["h"]))
    assert not any("multiply" in title for title in titles(scalar.drawing(loss, expand=())))
    assert any("multiply" in title for title in titles(scalar.drawing(loss, expand=["h", "matmul"])))


def test_expand_takes_the_name_of_a_module():
    model = nn.MLP([2, 3, 1], rng=0)
    with tg.sources():
        y = model(np.ones((1, 2)))
    modules = {x.scope.path for x in walk([y]).found if type(x) in NODES and x.scope is not None}
    for path in modules - {""}:
        made = unfold(y, path)
        assert {x.scope.path for x in made.choice.apart} <= {p for p in modules if p.startswith(path)}
        assert made.choice.apart


def test_an_unknown_name_lists_those_that_there_are():
    _, _, _, _, loss = layer()
    with pytest.raises(UnsupportedError, match=r"expand='g': no operation has this name; there are L, h"):
        scalar.drawing(loss, expand="g")
    for other in (tg.Tensor([1.0]), 5, [None]):
        with pytest.raises(UnsupportedError, match="that is no operation of this graph"):
            scalar.drawing(loss, expand=other)


def test_what_would_be_thousands_of_nodes_is_refused_with_the_remedy():
    X, W = np.ones((100, 50)), tg.Tensor(np.ones((50, 10)), name="W")
    y = X @ W
    y.name = "y"
    with pytest.raises(LayoutError, match=r"'y' of shape \(100, 10\).*X\[:1\]"):
        scalar.drawing(y.sum(), expand="y")


def test_the_graph_of_a_scalar_network_needs_no_taking_apart():
    model = MLP(2, [4, 1], rng=0)
    loss = sum((model(x) - 1.0) ** 2 for x in np.random.default_rng(0).normal(size=(30, 2)))
    drawing = scalar.drawing(loss)
    assert len(drawing.graph.nodes) <= 200
    assert drawing.graph.total == len(walk([loss]).found)


def test_a_result_of_several_elements_is_the_array_of_its_elements():
    x = tg.Tensor([1.0, 2.0], name="x")
    y = x * 2.0
    y.name = "y"
    assert titles(scalar.drawing(y))[:3] == ["y = elements", "y₁ = multiply", "y₂ = multiply"]


def test_only_one_result_can_be_drawn():
    with pytest.raises(UnsupportedError, match="takes one result"):
        scalar.drawing([tg.Value(1.0)])


def test_a_leaf_is_a_picture_of_its_own():
    assert titles(scalar.drawing(tg.Tensor([1.0, 2.0], name="x"))) == ["x"]


def test_a_deep_graph_is_taken_apart_without_recursion():
    y = Neuron(2, rng=0)([1.0, 2.0])
    for _ in range(5_000):
        y = y + 1.0
    made = unfold(y, "affine", force=True)
    assert len(made.choice.apart) == 1
    assert made.root.data == y.data
