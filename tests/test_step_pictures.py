"""The steps of a computation: every value and gradient appears in its turn, and at the end they are the engine's."""

import re

import numpy as np
import pytest
from hypothesis import given
from random_graphs import programs

import tinygrad_mlp as tg
from tinygrad_mlp.backward import cotangents
from tinygrad_mlp.errors import GradientError, LayoutError, UnsupportedError
from tinygrad_mlp.graph import NODES
from tinygrad_mlp.nn.scalar import MLP
from tinygrad_mlp.viz.graphs.walk import walk
from tinygrad_mlp.viz.kinds import scalar, steps
from tinygrad_mlp.viz.labels import norm, number


def parabola():
    x, w = tg.Value(2.0, "x"), tg.Value(-3.0, "w")
    a = x * w
    h = a + 10.0
    y = h * h
    a.name, h.name, y.name = "a", "h", "y"
    return x, w, y


def words(drawing, phase):
    return [frame.words for frame in drawing.frames if frame.phase == phase]


def grad_text(g):
    return f"grad {number(np.asarray(g).item(), signed=True)}" if np.size(g) == 1 else f"grad norm {number(norm(g))}"


def test_the_steps_of_a_small_graph_are_these_words():
    _, _, y = parabola()
    assert steps.captions(steps.drawing(y).frames) == [
        "forward: given x = 2, w = -3",
        "forward 1 of 3: a = x·w = 2·(-3) = -6",
        "forward 2 of 3: h = a + 10 = -6 + 10 = 4",
        "forward 3 of 3: y = h·h = 4·4 = 16",
        "backward: ∂y/∂y = 1",
        "backward 1 of 3: ∂y/∂h += ∂y/∂y · ∂y/∂h = 1 · 4 = +4; ∂y/∂h += ∂y/∂y · ∂y/∂h = 1 · 4 = +4, now 8",
        "backward 2 of 3: ∂y/∂a += ∂y/∂h · ∂h/∂a = 8 · 1 = +8",
        "backward 3 of 3: ∂y/∂x += ∂y/∂a · ∂a/∂x = 8 · (-3) = -24; ∂y/∂w += ∂y/∂a · ∂a/∂w = 8 · 2 = +16",
    ]


@given(program=programs(scalar=True))
def test_the_last_frame_has_the_engines_gradients_of_values(program):
    starts = [tg.Value(float(x), f"x{i}") for i, x in enumerate(program.starts)]
    check_frames(program(*starts))


@given(program=programs(min_side=1))
def test_the_last_frame_has_the_engines_gradients_of_tensors(program):
    starts = [tg.Tensor(x, name=f"x{i}") for i, x in enumerate(program.starts)]
    y = program(*starts)
    if y.size == 1 and y.requires_grad:
        check_frames(y)


def check_frames(y):
    """Frames know more and more, inputs before results, and at the end all."""
    wanted = cotangents(y, keep=True)
    drawing = steps.drawing(y)
    last = drawing.frames[-1]
    keys = {x: node.key for x, node in zip(walk([y]).found, drawing.graph.nodes, strict=True) if type(x) in NODES}
    assert last.graded == {keys[x]: grad_text(g) for x, g in wanted.items()}
    assert last.valued == {node.key for node in drawing.graph.nodes}
    edges = {edge.key for edge in drawing.graph.edges}
    for before, after in zip(drawing.frames, drawing.frames[1:], strict=False):
        assert before.valued <= after.valued
        assert before.graded.keys() <= after.graded.keys()
        assert after.lit <= edges | {node.key for node in drawing.graph.nodes}
        inputs = {edge.source for edge in drawing.graph.edges if edge.target in after.valued - before.valued}
        assert inputs <= before.valued
    for node in drawing.graph.nodes:
        assert node.grad == last.graded.get(node.key, "")


@given(program=programs(scalar=True, max_steps=6))
def test_the_numbers_in_the_words_of_a_step_multiply_to_its_contribution(program):
    y = program(*[tg.Value(float(x), f"x{i}") for i, x in enumerate(program.starts)])
    product = re.compile(r"= (\S+) · \(?([^ )]+)\)? ([=≈]) (\S+?)(?:,|;|$)")
    for line in words(steps.drawing(y, precision=6), "backward")[1:]:
        for g, local, relation, share in product.findall(line):
            tolerance = 1e-12 if relation == "=" else 1e-4
            assert float(g) * float(local) == pytest.approx(float(share), rel=max(tolerance, 1e-5), abs=1e-9)


def test_gradients_are_the_pictures_own():
    x, w, y = parabola()
    drawing = steps.drawing(y)
    assert x.grad is None
    assert "backward() was not called" in " ".join(drawing.graph.notes)
    y.backward()
    after = steps.drawing(y)
    assert "backward() was not called" not in " ".join(after.graph.notes)
    slopes = {node.name: node.slope for node in after.graph.nodes}
    assert (slopes["x"], slopes["w"]) == (x.grad, w.grad)


def test_tensors_are_told_by_rules_shapes_and_norms():
    X = tg.Tensor(np.arange(8.0).reshape(4, 2) / 8, requires_grad=False, name="X")
    W, b = tg.Tensor(np.ones((2, 3)), name="W"), tg.Tensor(np.zeros(3), name="b")
    h = tg.tanh(X @ W + b)
    h.name = "h"
    loss = h.sum()
    loss.name = "L"
    drawing = steps.drawing(loss)
    told = "\n".join(drawing.text.splitlines())
    assert re.search(r"h = tanh\(A.\): 4×3, norm \d", told)
    assert re.search(r"∂L/∂A. \+= ∂L/∂h·\(1 - h²\) = 4×3, norm \d", told)
    assert "∂L/∂W += Xᵀ @ ∂L/∂A" in told


def test_taken_apart_a_tensor_is_stepped_through_number_by_number():
    x, w = tg.Tensor([1.0, 2.0], requires_grad=False, name="x"), tg.Tensor([3.0, -1.0], name="w")
    y = x @ w
    y.name = "y"
    assert len(steps.drawing(y).frames) == 4
    apart = steps.drawing(y, expand=None)
    assert "∂y/∂w₁ += " in apart.text
    assert [node.slope for node in apart.graph.nodes if node.name in ("w₁", "w₂")] == [1.0, 2.0]
    assert {n.title for n in apart.graph.nodes} == {n.title for n in scalar.drawing(y).graph.nodes}


def test_a_result_of_several_elements_needs_a_seed():
    y = tg.Tensor([1.0, 2.0], name="x") * 3.0
    with pytest.raises(GradientError, match="seed"):
        steps.drawing(y)
    assert steps.drawing(y, seed=np.ones(2)).frames[-1].graded.keys() == {"n0", "n1"}


def test_a_result_without_gradient_has_forward_steps_only():
    y = tg.Tensor([1.0, 2.0], requires_grad=False) * 2.0
    assert {frame.phase for frame in steps.drawing(y).frames} == {"forward"}


def test_a_graph_with_too_many_steps_is_refused_with_the_remedy():
    model = MLP(2, [8, 8, 1], rng=0)
    loss = sum((model(x) - 1.0) ** 2 for x in np.ones((10, 2)))
    with pytest.raises(LayoutError, match=r"would have [\d,]+ steps \(limit 400\); take fewer samples"):
        steps.drawing(loss)


def test_the_order_of_evaluation_of_a_deep_graph_is_found_without_recursion():
    y = x = tg.Value(1.0, "x")
    for _ in range(5_000):
        y = y * x
    order = steps.evaluation_order(y)
    assert (len(order), order[0], order[-1]) == (5_001, x, y)


def test_a_leaf_has_no_operations_to_step_through():
    frames = steps.drawing(tg.Value(2.0, "x")).frames
    assert [frame.words for frame in frames] == ["given x = 2", "∂x/∂x = 1"]


def test_only_one_result_can_be_stepped_through():
    with pytest.raises(UnsupportedError, match="takes one result"):
        steps.drawing([tg.Value(1.0)])


# ------------------------------------------------------------------------------------------------- numbered pictures


def test_a_numbered_picture_shows_what_is_known_by_then():
    _, _, y = parabola()
    drawing = steps.drawing(y)
    pictures = steps.frames_as_pictures(drawing)
    assert len(pictures) == len(drawing.frames)
    start, last = pictures[0], pictures[-1]
    values = {node.name: node.value for node in start.graph.nodes}
    assert (values["x"], values["a"], values["y"]) == ("2", steps.UNKNOWN, steps.UNKNOWN)
    assert {node.value for node in start.graph.nodes if node.kind == "constant"} == {"10"}
    assert {node.grad for node in start.graph.nodes} == {"grad ·", ""}
    assert {edge.label for edge in start.graph.edges} >= {("∂h/∂a = ·",), ()}
    assert {node.name: node.grad for node in last.graph.nodes}["w"] == "grad +16"
    assert {edge.label for edge in last.graph.edges} >= {("∂a/∂x = -3",), ("∂a/∂w = 2",)}
    assert {node.key for node in last.graph.nodes if node.lit} <= last_lit(drawing)
    assert last.title.startswith("backward 3 of 3: ∂y/∂x += ")
    assert "backward 3 of 3" in " ".join(pictures[-1].native().split())


def last_lit(drawing):
    return drawing.frames[-1].lit


def test_the_last_picture_has_the_values_of_the_whole():
    _, _, y = parabola()
    drawing = steps.drawing(y, theme="print", rankdir="LR", title="steps")
    last = steps.frame_drawing(drawing, -1)
    assert last.theme == drawing.theme
    assert last.rankdir == "LR"
    for mine, whole in zip(last.graph.nodes, drawing.graph.nodes, strict=True):
        assert (mine.value, mine.grad, mine.sign) == (whole.value, whole.grad, whole.sign)


def test_there_is_no_picture_of_a_step_that_does_not_exist():
    _, _, y = parabola()
    with pytest.raises(LayoutError, match="step 99 of a picture with 8 steps"):
        steps.frame_drawing(steps.drawing(y), 99)
