"""From a recorded graph to records: what is walked, folded, framed and named, and that nothing gets lost."""

import pickle
from collections import Counter
from graphlib import TopologicalSorter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_mlp as tg
from tinygrad_mlp import nn
from tinygrad_mlp.errors import LayoutError, UnsupportedError
from tinygrad_mlp.tensors import Tensor, Value
from tinygrad_mlp.viz.graphs.folding import fold
from tinygrad_mlp.viz.graphs.grouping import group
from tinygrad_mlp.viz.graphs.naming import Names
from tinygrad_mlp.viz.graphs.view import view
from tinygrad_mlp.viz.graphs.walk import bottom_up, walk


class Block(nn.Module):
    def __init__(self, width, rng):
        self.wide = nn.Linear(width, width, rng=rng)
        self.back = nn.Linear(width, width, rng=rng)

    def __call__(self, x):
        return x + self.back(tg.relu(self.wide(x)))


class Deep(nn.Module):
    """A first layer, blocks with residual connections, a last layer."""

    def __init__(self, blocks):
        self.first = nn.Linear(2, 4, rng=0)
        self.blocks = [Block(4, i) for i in range(blocks)]
        self.last = nn.Linear(4, 1, rng=9)

    def __call__(self, x):
        x = self.first(x)
        for block in self.blocks:
            x = block(x)
        return self.last(x)


def deep(blocks):
    model = Deep(blocks)
    with tg.sources():
        loss = model(np.ones((3, 2))).sum()
    return model, loss


def is_acyclic(graph):
    order = TopologicalSorter()
    for edge in graph.edges:
        order.add(edge.target, edge.source)
    order.prepare()  # raises where there is a circle
    return True


SEEDS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 30), st.integers(0, 30)), min_size=1, max_size=60)


def value_graph(steps):
    """A graph of Values: each step adds, multiplies, negates or squashes what was made before."""
    nodes = [Value(0.5, "a"), Value(-1.5, "b")]
    for what, i, j in steps:
        a, b = nodes[i % len(nodes)], nodes[j % len(nodes)]
        nodes.append((a + b, a * b, -a, a.tanh())[what])
    return sum(nodes[2:], nodes[2])


@given(SEEDS, st.integers(1, 70))
def test_a_picture_of_any_graph_has_no_circles_and_stands_for_every_node_once(steps, budget):
    root = value_graph(steps)
    found = walk([root])
    groups = group(found, Names(), budget)
    assert sorted(at for members in groups.members for at in members) == list(range(len(found.found)))
    assert all(groups.of[at] == number for number, members in enumerate(groups.members) for at in members)
    graph = view(root, budget=budget)
    assert is_acyclic(graph)
    assert len(graph.nodes) <= budget
    assert graph.total == len(found.found)
    keys = {node.key for node in graph.nodes}
    assert all(edge.source in keys and edge.target in keys for edge in graph.edges)


@given(SEEDS)
def test_without_folding_every_argument_is_an_edge(steps):
    root = value_graph(steps)
    found = walk([root])
    graph = view(root, budget=None)
    assert len(graph.edges) == sum(len(x.inputs) for x in found.found if isinstance(x, Value))
    assert len({edge.key for edge in graph.edges}) == len(graph.edges)
    assert [node.number for node in graph.nodes] == [float(getattr(x, "data", x)) for x in found.found]
    place = {at: i for i, at in enumerate(bottom_up(found))}
    assert all(place[s] < place[t] for s, t, _ in found.wires)


@given(st.integers(1, 6), st.integers(2, 5), st.randoms(use_true_random=False))
def test_what_is_computed_alike_is_folded_whatever_the_numbers(samples, inputs, random):
    """Neurons on many samples: one node for the products, one for the sums, one for the units."""
    w, b = [Value(random.uniform(-1, 1)) for _ in range(inputs)], Value(0.1)
    outputs = []
    for _ in range(samples):
        x = [random.uniform(-1, 1) for _ in range(inputs)]
        outputs.append(sum((wi * xi for wi, xi in zip(w, x, strict=True)), b).tanh())
    root = sum(outputs[1:], outputs[0]) * 0.5
    found = walk([root])
    classes = fold(found)
    ops = {c: getattr(getattr(found.found[at], "op", None), "name", "leaf") for at, c in enumerate(classes)}
    counts = Counter(classes)
    by_op = {ops[c]: n for c, n in counts.items() if ops[c] in ("multiply", "tanh")}
    assert counts[classes[0]] == 1, "the output is a node of its own"
    if samples > 1:
        assert by_op["tanh"] == samples
    assert samples * inputs in counts.values()


def test_the_square_of_a_number_is_not_alike_to_a_product_of_two():
    p, q = Value(1.0), Value(2.0)
    found = walk([(p * p + p * q).exp()])
    products = [c for at, c in enumerate(fold(found)) if getattr(found.found[at], "op", None) is tg.multiply]
    assert len(set(products)) == 2


# --- scale ------------------------------------------------------------------------------------------------------------


def test_a_graph_of_a_hundred_thousand_nodes_is_summarised_with_its_counts():
    weights = [Value(0.1 * i) for i in range(50)]
    losses = [sum((w * float(i) for w in weights), Value(0.0)).tanh() for i in range(700)]
    graph = view(sum(losses, Value(0.0)))
    assert graph.total > 100_000
    assert len(graph.nodes) < 12
    titles = [node.title for node in graph.nodes]
    assert "700 × tanh" in titles
    assert "35,000 × multiply" in titles
    assert "50 × parameter" in titles
    assert "computed alike" in graph.notes[0]


def test_a_run_of_one_operation_is_one_node():
    x = Value(0.5, "x")
    y = x
    for _ in range(20_000):
        y = y.tanh()
    assert [node.title for node in view(y).nodes] == ["20,000 × tanh", "x"]


def test_what_cannot_be_folded_is_cut_off_far_from_the_output_and_says_so():
    x = Value(0.5, "x")
    for _ in range(2_000):
        x = (x.tanh() + 1.0).exp() * 0.1
    graph = view(x)
    assert len(graph.nodes) == 200
    assert "200 of " in graph.notes[-1]
    assert sum(node.folded for node in graph.nodes) >= 1
    with pytest.raises(LayoutError, match="at least one node"):
        view(x, budget=0)


# --- modules ----------------------------------------------------------------------------------------------------------


def test_nodes_know_the_call_of_the_module_that_made_them_only_where_lines_are_recorded():
    model = nn.MLP([2, 3, 2], "tanh", "softmax", rng=0)
    assert model(np.ones((1, 2))).scope is None
    with tg.sources():
        y = model(np.ones((1, 2)))
    assert (y.scope.path, y.scope.title) == ("", "MLP")
    assert y.scope.parameters == 17
    linear = y.inputs[0]
    assert linear.scope.path == "output"
    assert linear.scope.outer.call == y.scope.call
    copy = pickle.loads(pickle.dumps(y))
    assert copy.scope == y.scope
    with tg.sources():
        assert model(np.ones((1, 2))).scope.call != y.scope.call
        assert (Value(1.0) * 2.0).scope is None


def test_frames_are_modules_with_the_numbers_that_they_train():
    _, loss = deep(2)
    graph = view(loss)
    titles = [cluster.title for cluster in graph.clusters]
    assert titles[:2] == ["Deep, 97 parameters", "first: Linear, 12 parameters"]
    assert "blocks.0: Block, 40 parameters" in titles
    assert titles.count("wide: Linear, 20 parameters") == 2
    by_key = {cluster.key: cluster for cluster in graph.clusters}
    for cluster in graph.clusters:
        assert cluster.parent == "" or cluster.parent in by_key
    inside = {node.title: by_key[node.cluster].title for node in graph.nodes if node.cluster}
    assert inside["relu"].startswith("blocks.")
    assert graph.nodes[0].cluster == "", "the sum is computed outside"


def test_blocks_that_repeat_are_one_node_and_open_on_demand():
    model, loss = deep(12)
    graph = view(loss, names=model)
    [block] = [node for node in graph.nodes if node.kind == "group"]
    assert block.title == "Block ×12"
    assert [row.text for row in block.rows][:3] == ["blocks.0 … blocks.11", "48 operations", "480 parameters"]
    opened = view(loss, names=model, expand=["blocks.3"])
    assert [node.title for node in opened.nodes if node.kind == "group"] == ["Block ×8", "Block ×3"]
    assert "blocks.3.wide.weight" in [node.title for node in opened.nodes]
    assert is_acyclic(opened)


def test_depth_and_collapse_close_modules():
    _, loss = deep(2)
    assert [node.title for node in view(loss, depth=0).nodes] == ["Σ sum", "Deep"]
    modules = ["last: Linear", "blocks.1: Block", "blocks.0: Block", "first: Linear"]
    assert [node.title for node in view(loss, depth=1).nodes] == ["Σ sum", *modules]
    closed = view(loss, collapse=["blocks.1.wide", "first"])
    assert {node.title for node in closed.nodes if node.kind == "group"} == {"wide: Linear", "first: Linear"}
    assert is_acyclic(closed)


def test_a_module_that_is_called_again_has_a_frame_for_each_call():
    cell = nn.Linear(2, 2, rng=0)
    with tg.sources():
        x = cell(Tensor(np.ones((1, 2)), requires_grad=False))
        y = cell(tg.tanh(x)).sum()
    graph = view(y)
    assert [cluster.title for cluster in graph.clusters] == [
        "(call 1): Linear, 6 parameters",
        "(call 2): Linear, 6 parameters",
    ]
    assert sum(node.kind == "parameter" for node in graph.nodes) == 2


def test_what_lies_between_two_closed_modules_that_need_one_another_is_closed_with_them():
    """y = c(b(a(x)) + a(x)): closing all of a, b, c one by one makes no circle, and folding three alike takes all."""
    layers = [nn.Linear(2, 2, rng=i) for i in range(3)]
    net = nn.Sequential(*layers)
    with tg.sources():
        x = np.ones((1, 2))
        a = net(x)
        y = net(tg.tanh(a) + a).sum()
    for depth in (None, 0, 1):
        assert is_acyclic(view(y, depth=depth))


def test_unknown_modules_are_refused_with_those_that_there_are():
    _, loss = deep(2)
    with pytest.raises(
        UnsupportedError, match=r"collapse='blocks.7': no module .* the modules are Deep, first, blocks.0"
    ):
        view(loss, collapse=["blocks.7"])
    with pytest.raises(UnsupportedError, match=r"record it under tg\.sources\(\)"):
        view(Value(1.0) * 2.0, expand=["a"])


# --- names ------------------------------------------------------------------------------------------------------------


def test_names_come_from_nodes_then_variables_then_modules():
    model = nn.Sequential(nn.Linear(2, 1, rng=0))
    x = Tensor(np.ones((1, 2)), requires_grad=False)
    parts = [Value(1.0), Value(2.0)]
    own = Value(3.0, name="own")
    names = Names({"net": model, "x": x, "parts": parts, "other": own, "_hidden": parts[0], "n": 3})
    assert names.of(x) == "x"
    assert names.of(parts[1]) == "parts[1]"
    assert names.of(own) == "own"
    assert names.of(model.parameters()[0]) == "net.0.weight"
    assert names.of(3.0) == ""
    titles = [node.title for node in view(model(x), names=locals()).nodes]
    assert "model.0.weight" in titles
    assert "x" in titles
    with pytest.raises(UnsupportedError, match=r"names= is a int; pass a dict such as locals\(\)"):
        Names(3)


def test_paint_replaces_fields_of_the_records():
    x = Value(2.0, "x")
    y = (x * x).exp()
    seen = []
    graph = view(
        y,
        paint=lambda members: {"mark": "big"} if float(getattr(members[0], "data", members[0])) > 3 else {},
        paint_edge=lambda wires: seen.append(wires) or {"label": (f"slot {wires[0][1]}",)},
    )
    assert [node.mark for node in graph.nodes] == ["big", "big", ""]
    assert [edge.label for edge in graph.edges] == [("slot 0",), ("slot 0",), ("slot 1",)]
    assert seen[0] == [(y, 0)]


def test_a_parameter_lies_in_the_frame_of_its_module_and_an_input_outside():
    model = nn.Linear(2, 1, rng=0)
    x = Tensor(np.ones((1, 2)), name="x")  # it records gradients, and is no parameter all the same
    with tg.sources():
        y = model(x)
    clusters = {node.title: node.cluster for node in view(y, names=model).nodes}
    assert clusters == {"linear": "c0", "x": "", "weight": "c0", "bias": "c0"}


class Recurrent(nn.Module):
    def __init__(self):
        self.take, self.keep = nn.Linear(4, 4, rng=0), nn.Linear(4, 4, rng=1)

    def __call__(self, rows):
        state = np.zeros((1, 4))
        for row in rows:
            state = tg.tanh(self.take(row) + self.keep(state))
        return state


def test_modules_that_take_turns_are_not_repeats_of_one_another():
    with tg.sources():
        y = Recurrent()([np.ones((1, 4))] * 5)
    graph = view(y)
    assert not [node for node in graph.nodes if node.kind == "group"]
    assert next(c.title for c in graph.clusters if "take" in c.title) == "take (call 1): Linear, 20 parameters"


def test_calls_of_one_module_in_a_row_are_folded_and_its_parameters_counted_once():
    layer = nn.Linear(4, 4, rng=0)
    net = nn.Sequential(*[layer] * 20)
    with tg.sources():
        y = net(np.ones((1, 4)))
    [group_view] = [node for node in view(y).nodes if node.kind == "group"]
    assert group_view.title == "Linear ×20"
    assert "20 parameters" in [row.text for row in group_view.rows]


def test_without_recorded_calls_modules_are_told_by_their_parameters():
    model, X = Deep(4), np.ones((3, 2))
    loss = model(X).sum()
    titles = [c.title for c in view(loss, names=model).clusters]
    assert titles[0] == "first: Linear, 12 parameters"
    assert "blocks.3.wide: Linear, 20 parameters" in titles
    assert len(titles) == 10
    assert all(c.parent == "" for c in view(loss, names=model).clusters)
    closed = view(loss, names={"net": model}, collapse=["net.blocks.2.back"])
    assert [node.title for node in closed.nodes if node.kind == "group"] == ["net.blocks.2.back: Linear"]
    assert view(loss).clusters == ()


def test_a_module_that_is_called_again_without_a_record_has_no_frame():
    model = Recurrent()
    y = model([np.ones((1, 4))] * 3)
    assert view(y, names=model).clusters == ()


class Residual(nn.Module):
    """Blocks whose short cuts are added outside of them."""

    def __init__(self, count):
        self.blocks = [nn.Sequential(nn.Linear(4, 4, rng=i), tg.tanh, nn.Linear(4, 4, rng=i)) for i in range(count)]

    def __call__(self, x):
        for block in self.blocks:
            x = x + block(x)
        return x


def test_what_lies_between_repeats_is_folded_with_them_but_not_what_follows():
    with tg.sources():
        y = Residual(12)(np.ones((2, 4)))
    assert [node.title for node in view(y).nodes][:2] == ["+ add", "Sequential, add ×12"]


class Attention(nn.Module):
    def __init__(self):
        self.q, self.k, self.v, self.o = (nn.Linear(8, 8, rng=i) for i in range(4))

    def __call__(self, x):
        weights = tg.softmax(self.q(x) @ tg.swapaxes(self.k(x), -1, -2), axis=-1)
        return self.o(weights @ self.v(x))


def test_modules_side_by_side_are_not_repeats():
    with tg.sources():
        y = Attention()(Tensor(np.ones((2, 5, 8)), requires_grad=False, name="x"))
    graph = view(y)
    assert not [node for node in graph.nodes if node.kind == "group"]
    assert [c.title.split(":")[0] for c in graph.clusters][1:] == ["q", "k", "v", "o"]


def test_one_module_on_many_samples_is_folded():
    model = nn.MLP([2, 3, 1], rng=0)
    with tg.sources():
        losses = [(model(Tensor(np.ones((1, 2)) * i, requires_grad=False)) - 1.0) ** 2 for i in range(30)]
    titles = [node.title for node in view(sum(losses[1:], losses[0])).nodes]
    assert "MLP ×30" in titles


def test_all_modules_of_a_list_open_and_close_by_its_name():
    model, loss = deep(12)
    opened = view(loss, names=model, expand="blocks", budget=None)
    assert not [node for node in opened.nodes if node.kind == "group"]
    assert [n.title for n in view(deep(2)[1], collapse="blocks").nodes if n.kind == "group"] == [
        "blocks.1: Block",
        "blocks.0: Block",
    ]


@given(SEEDS)
def test_edges_between_numbers_know_their_local_derivative(steps):
    """Summed over all paths, their products are the gradient that the engine gives."""
    root = value_graph(steps)
    graph = view(root, budget=None)
    root.backward()
    found = walk([root]).found
    slopes = dict.fromkeys((node.key for node in graph.nodes), 0.0) | {"n0": 1.0}
    for at in reversed(bottom_up(walk([root]))):
        for edge in graph.edges:
            if edge.target == f"n{at}" and edge.local is not None:
                slopes[edge.source] += slopes[edge.target] * edge.local
    for at, x in enumerate(found):
        if isinstance(x, Value):
            assert slopes[f"n{at}"] == pytest.approx(x.grad, rel=1e-9, abs=1e-12)


def test_a_rule_that_fails_does_not_keep_a_graph_from_being_drawn():
    x = Value(2.0, "x")
    y = x * x
    x.data = 3.0  # what the rule of the product reads has changed since
    assert [edge.local for edge in view(y).edges] == [None, None]


def test_the_norm_of_a_closed_module_is_that_of_all_its_parameters_however_many():
    model = nn.Sequential(nn.Linear(1_200, 1_000, rng=0), nn.Linear(1_000, 1, rng=0))
    with tg.sources():
        loss = model(np.ones((1, 1_200))).sum()
    loss.backward()
    [closed] = [node for node in view(loss, depth=0, precision=10).nodes if node.kind == "group"]
    norm = np.sqrt(sum(np.square(p.grad).sum() for p in model.parameters()))
    assert closed.grad == f"grad norm {norm:.10g}"
