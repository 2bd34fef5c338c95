"""The chain rule in pictures: what stands on edges and nodes multiplies and sums to the gradients of the engine."""

import math
import re
from collections import defaultdict
from xml.etree.ElementTree import fromstring

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from random_graphs import programs
from strategies import FEW

import tinygrad_mlp as tg
from tinygrad_mlp.errors import GradientError, LayoutError, UnsupportedError
from tinygrad_mlp.paths import count_paths
from tinygrad_mlp.viz.chain.equations import count, product, total
from tinygrad_mlp.viz.chain.slopes import NO_BACKWARD, OTHER_GRAD, rule_text
from tinygrad_mlp.viz.kinds import backward, path
from tinygrad_mlp.viz.labels import norm, number

SVG = "{http://www.w3.org/2000/svg}"
EQUATION = re.compile(r"^(?P<left>.+) (?P<relation>[=≈]) (?P<right>[-+\w.]+)( \(and .*\))?$")


# --------------------------------------------------------------------------------------------------------- what is read


def run(program, scalar):
    """The starts of a program, called x0, x1 …, and its last result, called y."""
    starts = [tg.Value(float(x)) if scalar else tg.Tensor(x) for x in program.starts]
    for i, x in enumerate(starts):
        x.name = f"x{i}"
    y = program(*starts)
    if y.op is not None:
        y.name = "y"
    return starts, y


def seed_of(root):
    return np.linspace(0.5, 1.5, root.size).reshape(root.shape) if root.shape else None


def named(graph):
    return {node.name: node for node in graph.nodes if node.name}


def arrived(graph):
    """For each node the contributions on the edges that leave it towards the output."""
    found = defaultdict(list)
    for edge in graph.edges:
        if edge.flow is not None:
            found[edge.source].append(edge.flow)
    return found


def holds(line):
    """Whether an equation is true of the numbers that are printed: exactly if it has =, nearly if it has ≈."""
    match = EQUATION.match(line)
    factors = match["left"].split(" · ")
    assert not any(x.startswith("-") for x in factors[1:]), "a negative factor after another stands in brackets"
    terms = re.split(r" (?=[-+] )", match["left"]) if len(factors) == 1 else [x.strip("()") for x in factors]
    shown = [float(x.replace(" ", "")) for x in terms]
    worth = math.prod(shown) if " · " in line else math.fsum(shown)
    right = float(match["right"])
    if match["relation"] == "=":
        return number(worth) == number(right)
    return math.isclose(worth, right, rel_tol=2e-3, abs_tol=1e-3 * max(map(abs, shown)))


def edge_groups(drawing):
    return {
        g.get("id"): g for g in fromstring(drawing.native()).iter(f"{SVG}g") if "edge" in g.get("class", "").split()
    }


def written(group):
    return [text.text for text in group.iter(f"{SVG}text") if "label" in text.get("class", "").split()]


# ------------------------------------------------------------------------------------------------- backward, in numbers


@given(program=programs(scalar=True))
def test_the_numbers_on_edges_multiply_and_sum_to_the_gradients_of_the_engine(program):
    starts, y = run(program, scalar=True)
    graph = backward.drawing(y, budget=None).graph
    y.backward()
    nodes, sums = {node.key: node for node in graph.nodes}, arrived(graph)
    for edge in graph.edges:
        if edge.flow is not None:
            assert edge.flow == pytest.approx(nodes[edge.target].slope * edge.local, rel=1e-12, abs=1e-300)
            assert edge.backward
            assert edge.sign == np.sign(edge.flow)
    for node in graph.nodes:
        if node.key in sums:
            assert node.slope == pytest.approx(math.fsum(sums[node.key]), rel=1e-9, abs=1e-9)
            assert node.sign == np.sign(node.slope)
    shown = named(graph)
    for x in starts:
        if x.grad is not None and x.name in shown:
            assert shown[x.name].slope == pytest.approx(x.grad, rel=1e-9, abs=1e-12)


@given(program=programs(scalar=True))
def test_what_is_printed_on_edges_and_nodes_is_true_of_the_printed_numbers(program):
    _, y = run(program, scalar=True)
    drawing = backward.drawing(y, budget=None)
    terms = arrived(drawing.graph)
    for edge in drawing.graph.edges:
        if edge.flow is not None:
            ratio, worth = edge.label
            assert ratio.endswith(f" = {number(edge.local)}")
            assert worth.endswith(f" {number(edge.flow, signed=True)}")
            assert holds(worth)
    for node in drawing.graph.nodes:
        assert node.grad in drawing.text
        if 1 < len(terms[node.key]) <= 4:
            assert node.grad.endswith(f" {number(node.slope, signed=True)}")
            assert holds(node.grad.removeprefix("grad "))


@given(program=programs(min_side=1))
def test_the_norms_on_edges_of_arrays_are_those_of_what_the_rules_give(program):
    starts, y = run(program, scalar=False)
    if not y.requires_grad:
        return
    seed = seed_of(y)
    graph = backward.drawing(y, seed=seed, budget=None).graph
    y.backward(seed)
    shown, sums = named(graph), arrived(graph)
    for x in starts:
        if x.grad is None or x.name not in shown or x is y:
            continue
        node = shown[x.name]
        terms = sums[node.key]
        if x.size == 1:
            assert node.slope == pytest.approx(float(x.grad.item()), rel=1e-9, abs=1e-9)
            assert node.slope == pytest.approx(math.fsum(terms), rel=1e-9, abs=1e-9)
        else:
            assert node.grad.startswith(f"grad norm {number(norm(x.grad))}") or norm(x.grad) < 1e-12
            assert norm(x.grad) <= math.fsum(terms) * (1 + 1e-9)
            if len(terms) == 1:
                assert norm(x.grad) == pytest.approx(terms[0], rel=1e-9, abs=1e-12)


@FEW
@given(program=programs(scalar=True))
def test_drawing_the_gradient_touches_no_grad(program):
    starts, y = run(program, scalar=True)
    backward.drawing(y)
    path.drawing(y, starts[0]) if count_paths(y, starts[0]) else None
    assert all(x.grad is None for x in starts)


def example():
    """y = (a·b + a²)·c, with a gradient that comes to ``a`` from three sides."""
    a, b, c = tg.Value(2.0, "a"), tg.Value(-3.0, "b"), tg.Value(4.0, "c")
    y = (a * b + a * a) * c
    y.name = "y"
    return y, {"a": a, "b": b, "c": c}


def test_an_edge_tells_the_local_derivative_and_upstream_times_local():
    y, _ = example()
    graph = backward.drawing(y).graph
    labels = {(edge.label, edge.sign) for edge in graph.edges}
    assert (("∂y/∂c = -2", "1 · (-2) = -2"), -1) in labels
    assert (("∂y/∂v₃ = 4", "1 · 4 = +4"), 1) in labels
    assert (("∂v₁/∂a = -3", "4 · (-3) = -12"), -1) in labels
    assert {edge.tip for edge in graph.edges} == {"rule: g·b", "rule: g·a", "rule: g"}


def test_a_node_where_paths_meet_writes_the_sum_out():
    y, _ = example()
    shown = named(backward.drawing(y).graph)
    assert shown["a"].grad == "grad -12 + 8 + 8 = +4"
    assert shown["y"].grad == "grad +1, the seed"
    assert shown["b"].grad == "grad +8"
    assert ("grad -12 + 8 + 8 = +4", "plus", "grad") in [(r.text, r.tone, r.role) for r in shown["a"].rows]


def test_many_contributions_are_counted_instead_of_written_out():
    x = tg.Value(2.0, "x")
    y = x * 1.0
    for _ in range(11):
        y = y + x * 1.0
    assert named(backward.drawing(y).graph)["x"].grad == "grad +12, sum of 12 contributions"
    w = tg.Tensor([3.0, 4.0], name="w")
    shown = named(backward.drawing(tg.sum(w) + tg.sum(w)).graph)
    assert shown["w"].grad == "grad norm 2.828, sum of 2 contributions"


def test_arrays_tell_the_rule_in_symbols_and_the_norm_of_what_it_gives():
    X = tg.Tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=False)
    W = tg.Tensor([[0.5, -0.5], [0.25, 1.0]], name="W")
    b = tg.Tensor([0.0, 0.0], name="b")
    y = tg.sum(tg.tanh(X @ W + b) ** 2)
    drawing = backward.drawing(y)
    rules = [edge.label[0] for edge in drawing.graph.edges if edge.label]
    assert rules == ["broadcast_to(g)", "2·g·a", "g·(1 - y²)", "g", "Σ(g)", "aᵀ @ g"]
    assert all(edge.label[1] == f"norm {number(edge.flow)}" for edge in drawing.graph.edges if edge.label)
    assert any(note.startswith("rules: g is the gradient that arrives") for note in drawing.graph.notes)


def test_a_number_among_arrays_gets_its_share_with_a_sign():
    w, b = tg.Tensor([1.0, -2.0], name="w"), tg.Value(0.5, "b")
    graph = backward.drawing(tg.sum(w * b)).graph
    (edge,) = [edge for edge in graph.edges if edge.source == named(graph)["b"].key]
    assert (edge.label, edge.flow, edge.local, edge.sign) == (("Σ(g·a)", "-1"), -1.0, None, -1)


def test_constants_and_what_needs_no_gradient_have_plain_edges():
    x, fixed = tg.Tensor([1.0, 2.0]), tg.Tensor([3.0, 4.0], requires_grad=False, name="fixed")
    graph = backward.drawing(tg.sum(x * fixed * 2.0)).graph
    plain = {edge.source for edge in graph.edges if edge.flow is None}
    assert {node.title for node in graph.nodes if node.key in plain} == {"fixed", "2"}
    assert all(not edge.label and not edge.backward for edge in graph.edges if edge.source in plain)
    assert named(graph)["fixed"].grad == ""


@pytest.mark.usefixtures("own_rows")
def test_a_rule_that_cannot_run_on_symbols_is_called_by_its_op():
    @tg.primitive(symbol="odd", elementwise=True)
    def odd(xp, x):
        """Return x."""
        return x * 1.0

    tg.defvjp(odd, lambda g, _y, x: g * float(x > 0))
    y = odd(tg.Tensor(np.float64(2.0)))
    assert rule_text(y, 0) == "vjp of odd"
    assert backward.drawing(y).graph.edges[0].local == 1.0


def test_folded_nodes_show_the_norm_of_all_their_gradients():
    leaves = [tg.Value(float(i)) for i in range(1, 41)]
    y = leaves[0] * leaves[0]
    for x in leaves[1:]:
        y = y + x * x
    graph = backward.drawing(y, budget=10).graph
    (many,) = [node for node in graph.nodes if node.kind == "parameter"]
    assert many.count == 40
    assert many.grad == f"grad norm {number(norm([2.0 * x.data for x in leaves]))}"
    (edge,) = [edge for edge in graph.edges if edge.source == many.key]
    assert edge.label == (f"norm {number(edge.flow)}",)
    assert edge.flow == pytest.approx(norm([x.data for x in leaves for _ in range(2)]))


def test_before_backward_the_picture_says_that_its_gradients_are_its_own():
    y, _ = example()
    assert NO_BACKWARD in backward.drawing(y).graph.notes
    y.backward()
    notes = backward.drawing(y).graph.notes
    assert NO_BACKWARD not in notes
    assert OTHER_GRAD not in notes
    y.backward()
    assert OTHER_GRAD in backward.drawing(y).graph.notes


def test_the_seed_multiplies_all_gradients():
    y, _ = example()
    shown = named(backward.drawing(y, seed=10.0).graph)
    assert shown["a"].grad == "grad -120 + 80 + 80 = +40"
    assert shown["y"].grad == "grad +10, the seed"


def test_several_elements_need_a_seed_and_a_result_without_a_gradient_is_refused():
    x = tg.Tensor([1.0, 2.0])
    with pytest.raises(GradientError, match=r"only a scalar has a gradient without a seed: reduce it.*pass seed="):
        backward.drawing(x * 2.0)
    assert "grad norm" in backward.drawing(x * 2.0, seed=[1.0, 0.0]).text
    with pytest.raises(GradientError, match="has no gradient"):
        backward.drawing(tg.Tensor([1.0], requires_grad=False) * 2.0)
    with pytest.raises(UnsupportedError, match="one result, a tensor or Value, not list"):
        backward.drawing([x])


@pytest.mark.parametrize("special", [math.nan, math.inf, -math.inf], ids=str)
def test_numbers_that_are_none_are_drawn(special):
    x = tg.Value(special, "x")
    y = x * x + 0.0 * x
    assert backward.drawing(y).source
    assert path.drawing(y, x).source


# ---------------------------------------------------------------------------------------------------- paths, in numbers


def along(graph, to):
    """The product of the local derivatives along every path on the records from the output to ``to``."""
    inputs = defaultdict(list)
    for edge in graph.edges:
        if edge.local is not None:
            inputs[edge.target].append(edge)
    found, stack = [], [(graph.nodes[0].key, 1.0)]
    while stack:
        key, worth = stack.pop()
        if key == to:
            found.append(worth)
        else:
            stack += [(edge.source, worth * edge.local) for edge in inputs[key]]
    return found


@given(program=programs(scalar=True, max_steps=8))
def test_local_derivatives_multiply_along_paths_and_sum_to_the_gradient(program):
    starts, y = run(program, scalar=True)
    graphs = {x: path.drawing(y, x, budget=None).graph for x in starts if x is not y and count_paths(y, x)}
    y.backward()
    for x, graph in graphs.items():
        products = along(graph, named(graph)[x.name].key)
        assert len(products) == count_paths(y, x)
        assert math.fsum(products) == pytest.approx(x.grad, rel=1e-9, abs=1e-9)
        assert named(graph)[x.name].slope == pytest.approx(x.grad, rel=1e-9, abs=1e-12)


@given(program=programs(scalar=True, max_steps=8), k=st.integers(1, 4))
def test_the_written_products_and_the_rest_sum_to_the_gradient(program, k):
    starts, y = run(program, scalar=True)
    x = next((x for x in starts if x is not y and count_paths(y, x)), None)
    if x is None:
        return
    graph = path.drawing(y, x, k=k, budget=None).graph
    y.backward()
    n, notes = count_paths(y, x), graph.notes
    lines = [note for note in notes if re.match(r"path \d+: ", note)]
    assert len(lines) == min(k, n)
    assert any(note.startswith(f"{n} path{'s' * (n > 1)} from y to {x.name}") for note in notes)
    assert any(note.startswith(f"and {n - k} more path") for note in notes) == (n > k)
    for line in lines:
        numbers = re.sub(r"^(?:∂\S+(?: · )?)+ = ", "", line.partition(": ")[2])
        assert holds(numbers)
    worths = [float(EQUATION.match(line)["right"]) for line in lines]
    rest = [float(note.rpartition(" ")[2]) for note in notes if " more path" in note]
    scale = max(map(abs, [*worths, *rest]))
    assert math.fsum([*worths, *rest]) == pytest.approx(x.grad, abs=5e-3 * scale + 1e-9)
    assert notes[-1].startswith(f"sum: ∂y/∂{x.name} = ")


@given(program=programs(min_side=1, max_steps=8))
def test_paths_through_arrays_are_drawn_with_the_gradient_of_the_engine(program):
    starts, y = run(program, scalar=False)
    seed = seed_of(y)
    for x in starts:
        if x is y or not y.requires_grad or not count_paths(y, x):
            continue
        graph = path.drawing(y, x, seed=seed, budget=None).graph
        x.grad = None
        y.backward(seed)
        node = named(graph)[x.name]
        expected = number(float(x.grad.item()), signed=True) if x.size == 1 else f"norm {number(norm(x.grad))}"
        assert node.lit
        assert node.grad == f"grad {expected}" or norm(x.grad) < 1e-12
        assert any(edge.lit and edge.source == node.key for edge in graph.edges)


def test_each_path_is_written_out_in_symbols_and_numbers_and_the_sum_is_the_gradient():
    y, leaves = example()
    y.backward()
    drawing = path.drawing(y, leaves["a"])
    assert drawing.graph.notes == (
        "3 paths from y to a",
        "path 1: ∂y/∂v₃ · ∂v₃/∂v₁ · ∂v₁/∂a = 4 · 1 · (-3) = -12",
        "path 2: ∂y/∂v₃ · ∂v₃/∂v₂ · ∂v₂/∂a = 4 · 1 · 2 = +8",
        "path 3: ∂y/∂v₃ · ∂v₃/∂v₂ · ∂v₂/∂a = 4 · 1 · 2 = +8",
        "sum: ∂y/∂a = -12 + 8 + 8 = +4, as a.grad says",
    )
    assert all(note in drawing.text for note in drawing.graph.notes)


def test_the_nodes_and_edges_of_the_paths_are_lit_and_the_others_are_not():
    y, leaves = example()
    graph = path.drawing(y, leaves["a"]).graph
    assert [node.title for node in graph.nodes if node.lit] == [
        "y = multiply", "v₃ = add", "v₁ = multiply", "v₂ = multiply", "a",
    ]  # fmt: skip
    assert {node.title for node in graph.nodes if not node.lit} == {"b", "c"}
    lit = {edge.key: edge for edge in graph.edges if edge.lit}
    assert len(lit) == 6
    assert all(edge.backward and edge.label for edge in lit.values())
    assert all(not edge.label for edge in graph.edges if not edge.lit)
    assert all(edge.sign == np.sign(edge.local) for edge in lit.values())  # the colour is that of the number on it


def test_from_a_node_to_itself_leads_one_path_of_no_steps():
    x = tg.Value(3.0, "x")
    graph = path.drawing(x, x).graph
    assert [(node.title, node.grad, node.lit) for node in graph.nodes] == [("x", "grad +1, the seed", True)]
    assert graph.notes[:2] == ("1 path from x to x", "path 1: 1 = +1")


def test_of_more_paths_than_are_wanted_the_largest_are_lit_and_the_others_counted():
    y, leaves = example()
    graph = path.drawing(y, leaves["a"], k=1).graph
    assert graph.notes[0] == "3 paths from y to a; the largest is lit"
    assert graph.notes[2] == "and 2 more paths, together +16"
    assert graph.notes[3].startswith("sum: ∂y/∂a = -12 + 16 = +4 (a.grad is not computed")
    assert sum(edge.lit for edge in graph.edges) == 3
    assert sum(edge.local is not None for edge in graph.edges) == 6


def test_both_edges_of_x_times_x_are_paths():
    x = tg.Value(3.0, "x")
    graph = path.drawing(x * x, x).graph
    assert [(edge.slot, edge.lit, edge.label) for edge in graph.edges] == [
        (0, True, ("∂v₁/∂x = 3",)),
        (1, True, ("∂v₁/∂x = 3",)),
    ]


def test_a_gradient_that_was_added_up_is_told_apart_from_the_sum_of_the_paths():
    y, leaves = example()
    y.backward()
    y.backward()
    assert path.drawing(y, leaves["a"]).graph.notes[-1].endswith("a.grad is +8: backward() adds to what is there")


def test_a_seed_is_a_factor_of_every_path():
    y, leaves = example()
    notes = path.drawing(y, leaves["c"], seed=10.0).graph.notes
    assert "path 1: seed · ∂y/∂c = 10 · (-2) = -20" in notes


def test_paths_of_arrays_are_told_by_the_nodes_that_they_run_through():
    W = tg.Tensor([[0.5, -0.5], [0.25, 1.0]], name="W")
    y = tg.sum(tg.tanh(W) ** 2) + 0.5 * tg.sum(W)
    y.name = "y"
    y.backward()
    notes = path.drawing(y, W).graph.notes
    assert notes[1].startswith("path 1: y → v₁ → A₂ → A₁ → W: norm ")
    assert notes[2] == "path 2: y → v₃ → v₂ → W: norm 1"
    assert notes[3] == f"sum of all paths: ∂y/∂W, norm {number(norm(W.grad))}, as W.grad says"


def test_where_no_path_leads_the_error_says_why():
    y, leaves = example()
    with pytest.raises(GradientError, match=r"the result does not depend on other: no path leads there"):
        path.drawing(y, tg.Value(1.0, "other"))
    x, fixed = tg.Tensor([1.0, 2.0]), tg.Tensor([3.0, 4.0], requires_grad=False, name="fixed")
    with pytest.raises(GradientError, match="no gradient flows to fixed: it requires no gradient"):
        path.drawing(tg.sum(x * fixed), fixed)
    with pytest.raises(UnsupportedError, match=r"kind 'path' takes to=, the node where its paths end.* not as str"):
        path.drawing(y, "a")
    with pytest.raises(UnsupportedError, match=r"kind 'path' takes a result to start from.* not as list"):
        path.drawing([y], leaves["a"])
    with pytest.raises(UnsupportedError, match="k=0"):
        path.drawing(y, leaves["a"], k=0)
    with pytest.raises(LayoutError, match="budget=0"):
        path.drawing(y, leaves["a"], budget=0)


# --------------------------------------------------------------------------------------------------------- large graphs


def test_of_a_large_graph_only_the_lit_paths_are_shown_and_rows_are_folded():
    w = tg.Value(0.5, "w")
    terms = [(w * float(i)).relu() * float(i % 7 - 3) for i in range(1, 301)]
    y = terms[0]
    for term in terms[1:]:
        y = y + term
    graph = path.drawing(y, w, k=2, names={"y": y}).graph
    assert len(graph.nodes) <= 12
    assert any(node.count > 1 and node.op == "add" for node in graph.nodes)
    assert any(row.text == "local derivatives multiply to 1" for node in graph.nodes for row in node.rows)
    assert graph.notes[0].endswith(f"of {graph.total:,} nodes: those on paths from y to w")
    assert graph.notes[1] == "300 paths from y to w; the 2 largest are lit"
    assert graph.notes[2] == "path 1: ∂y/∂v₁₁₉₈ · ∂v₁₁₉₈/∂v₁₁₉₇ · ∂v₁₁₉₇/∂v₁₁₉₆ · ∂v₁₁₉₆/∂w = 1 · 3 · 1 · 300 = +900"
    assert all(node.lit for node in graph.nodes)


def test_a_path_longer_than_the_budget_is_folded_to_a_row():
    x = y = tg.Value(0.5, "x")
    for _ in range(3_000):
        y = tg.tanh(y * 1.01)
    graph = path.drawing(y, x).graph
    assert [node.title for node in graph.nodes] == ["v₆₀₀₀ = tanh", "5,999 nodes in a row", "x"]
    assert graph.notes[1] == "1 path from v₆₀₀₀ to x"


def test_a_ladder_with_two_to_the_power_of_two_hundred_paths_is_drawn():
    x = y = tg.Value(1.5, "x")
    for _ in range(200):
        y = y * 0.5 + y * 0.25
    notes = path.drawing(y, x, k=2).graph.notes
    assert any("1.6 × 10^60 paths" in note and "the 2 largest are lit" in note for note in notes)


def test_more_nodes_than_can_be_laid_out_are_refused_with_the_remedy():
    x = y = tg.Value(0.5, "x")
    for _ in range(2_600):
        y = y + 1.0
    with pytest.raises(LayoutError, match=r"too many to lay out .*lower budget= .*force=True"):
        path.drawing(y, x, budget=None)


# ------------------------------------------------------------------------------------------------------- every format


def test_labels_and_sums_are_in_dot_svg_and_text():
    y, _ = example()
    drawing = backward.drawing(y)
    assert "grad -12 + 8 + 8 = +4" in drawing.text
    assert "grad -12 + 8 + 8 = +4" in drawing.source
    groups = edge_groups(drawing)
    for edge in drawing.graph.edges:
        assert written(groups[edge.key]) == list(edge.label)
        for line in edge.label:
            assert line in drawing.source


def test_lit_paths_are_lit_in_the_svg_and_in_dot():
    y, leaves = example()
    drawing = path.drawing(y, leaves["a"])
    for key, group in edge_groups(drawing).items():
        edge = next(edge for edge in drawing.graph.edges if edge.key == key)
        assert ("lit" in group.get("class").split()) == edge.lit
    nodes = {g.get("id"): g.get("class").split() for g in fromstring(drawing.native()).iter(f"{SVG}g")}
    assert all(("lit" in nodes[node.key]) == node.lit for node in drawing.graph.nodes)
    assert drawing.theme.lit in drawing.source


@pytest.mark.parametrize("theme", ["light", "dark", "print"])
@pytest.mark.parametrize("rankdir", ["TB", "LR"])
def test_every_theme_and_direction_draws_both_kinds_the_same_every_time(theme, rankdir):
    y, leaves = example()
    for drawing in (backward.drawing, lambda y, **options: path.drawing(y, leaves["a"], **options)):
        first, again = (drawing(y, theme=theme, rankdir=rankdir, title="T") for _ in range(2))
        assert first.source == again.source
        assert first.native() == again.native()


def test_equations_are_short_and_honest():
    assert product([0.33333, 3.0], 1.0) == "0.3333 · 3 ≈ +1"
    assert product([2.0, 1.0, 3.0], 6.0) == "2 · 1 · 3 = +6"
    assert product(list(map(float, range(2, 12))), float(math.factorial(11))) == (
        "2 · 3 · 4 · … (5 more) · 10 · 11 = +3.992e+07"
    )
    assert product([1.0] * 10, 1.0) == "1 = +1 (and 10 factors 1)"
    assert total([1.0, -2.0], -1.0) == "1 - 2 = -1"
    assert total([5.0], 5.0) == "+5"
    assert total([math.inf, -math.inf], math.nan) == "inf - inf = nan"
    assert (count(999), count(10**15), count(2**5000)) == ("999", "1.0 × 10^15", "1.4 × 10^1505")
