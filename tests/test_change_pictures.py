"""Pictures of what a step changed: two recordings, or a snapshot and a recording, node by node."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from random_graphs import programs

import tinygrad_mlp as tg
from tinygrad_mlp import nn, optim
from tinygrad_mlp.errors import ShapeError, UnsupportedError
from tinygrad_mlp.ops import dropout
from tinygrad_mlp.viz.kinds.changes import drawing

X = np.array([[1.0, -0.5], [0.25, 2.0], [-1.0, 1.5]])


class Net(nn.Module):
    """Two layers."""

    def __init__(self):
        self.first = nn.Linear(2, 4, rng=0)
        self.last = nn.Linear(4, 1, rng=1)

    def __call__(self, x):
        return self.last(tg.tanh(self.first(x)))


def loss_of(net):
    return tg.mean(tg.square(net(X) - 1.0))


def views(before, after, **options):
    return {node.name or node.op: node for node in drawing(before, after, **options).graph.nodes}


def lines(node):
    return [row.text for row in node.lines]


def stepped(make):
    """A network, its state before a step, and its loss recorded before and after."""
    net = Net()
    state, before = net.state_dict(), loss_of(net)
    before.backward()
    make(net).step()
    return net, state, before, loss_of(net)


# ------------------------------------------------------------------------------------------------------- two recordings


@given(program=programs(), more=st.integers(1, 3), which=st.integers(0, 2))
def test_what_changed_is_written_on_every_node(program, more, which):
    moved = [x + more * (k == which % len(program.starts)) for k, x in enumerate(program.starts)]
    with np.errstate(all="ignore"):
        old = [tg.Tensor(x) for x in program.starts]
        new = [tg.Tensor(x) for x in moved]
        before, after = tg.sum(program(*old)), tg.sum(program(*new))
    made = drawing(before, after, budget=None, precision=17)
    first, second = (drawing(y, y, budget=None, precision=17) for y in (before, after))
    assert [n.key for n in made.graph.nodes] == [n.key for n in second.graph.nodes]
    for node, was, now in zip(made.graph.nodes, first.graph.nodes, second.graph.nodes, strict=True):
        if was.number is not None and was.number != now.number:
            start, _, end = node.value.partition(" (")
            assert start.split(" → ") == [was.value, now.value]
            assert float(end.rstrip(")")) == pytest.approx(now.number - was.number)
        elif was.value == now.value and was.number is not None:
            assert node.value == now.value
        if node.kind == "parameter":
            assert node.mark == ("changed" if was.value != now.value else "")
            assert bool(node.fill) == bool(node.mark)


def test_numbers_and_their_change_are_written_out():
    def f(a):
        return (a * 3.0).relu() + a**2

    a, b = tg.Value(2.0, "a"), tg.Value(1.5, "a")
    seen = views(f(a), f(b))
    assert seen["a"].value == "2 → 1.5 (-0.5)"
    assert seen["add"].value == "10 → 6.75 (-3.25)"
    assert seen["a"].mark == "changed"
    assert seen["add"].mark == ""
    assert seen["a"].grad == "grad before +7"
    assert lines(seen["a"]) == ["Δ = -0.07143·grad"]


def test_of_arrays_the_norm_of_the_change_and_its_part_are_told():
    old, new = tg.Tensor([3.0, 4.0], name="w"), tg.Tensor([3.0, 4.5], name="w")
    seen = views(tg.sum(old * 2.0), tg.sum(new * 2.0))
    assert lines(seen["w"])[0] == "‖Δ‖ = 0.5 (10 %)"
    assert lines(seen["multiply"]) == ["‖Δ‖ = 1 (10 %)"]
    zero = tg.Tensor([0.0, 0.0], name="w")
    assert lines(views(tg.sum(zero * 2.0), tg.sum(new * 2.0))["w"])[0].endswith("(from 0)")


def test_what_did_not_change_has_no_mark():
    x = tg.Tensor([1.0, 2.0], name="x")
    old, new = tg.Value(2.0, "s"), tg.Value(3.0, "s")
    seen = views(tg.sum(x * old), tg.sum(x * new))
    assert (seen["x"].mark, seen["x"].fill, seen["x"].lines) == ("", "", ())
    assert seen["s"].mark == "changed"


def test_an_update_in_place_is_told_with_the_remedy():
    _, _, before, after = stepped(lambda net: optim.SGD(net, lr=0.1))
    made = drawing(before, after)
    parameters = [node for node in made.graph.nodes if node.kind == "parameter"]
    assert {(node.mark, node.detail) for node in parameters} == {("changed", "what it was is not known")}
    assert any("model.state_dict()" in note and "(4)" in note for note in made.graph.notes)
    root = made.graph.nodes[0]
    assert root.value.startswith(f"{before.item():.4g} → {after.item():.4g} (")


def test_leaves_that_were_not_updated_since_are_known():
    w, x = tg.Tensor([1.0, 2.0], name="w"), tg.Tensor([3.0, 4.0], name="x")
    before = tg.sum(w * x)
    w.assign(np.array([1.5, 2.0]))
    seen = views(before, tg.sum(w * x))
    assert (seen["w"].mark, seen["w"].detail) == ("changed", "what it was is not known")
    assert seen["x"].mark == ""


DIFFERENT = {
    "operation": (lambda x: tg.sum(tg.tanh(x)), "node n1 is relu of shape 2×3, and tanh of shape 2×3 before"),
    "axis": (lambda x: tg.sum(tg.sum(tg.relu(x), axis=1)), "node n1 is relu of shape 2×3, and sum(axis=1) of shape 2"),
    "operand": (lambda x: tg.sum(tg.relu(x + 1.0)), "node n2 is a parameter of shape 2×3, and add of shape 2×3 before"),
    "result": (lambda x: tg.mean(tg.relu(x)), "the result is sum, and mean before"),
}


@pytest.mark.parametrize("what", DIFFERENT)
def test_of_another_computation_the_first_node_that_differs_is_named(what):
    f, message = DIFFERENT[what]
    x = tg.Tensor(np.ones((2, 3)))
    with pytest.raises(UnsupportedError, match="the two graphs differ") as error:
        drawing(f(x), tg.sum(tg.relu(x)))
    assert message in str(error.value)


def test_a_batch_of_another_size_and_other_wires_are_named():
    x, y = tg.Tensor(np.ones((2, 3))), tg.Tensor(np.ones((4, 3)))
    with pytest.raises(UnsupportedError, match="4×3"):
        drawing(tg.sum(tg.relu(x)), tg.sum(tg.relu(y)))
    a, b = tg.Value(1.0, "a"), tg.Value(2.0, "b")
    with pytest.raises(UnsupportedError, match="other operands"):
        drawing(a * b + a * 2.0, a * b + b * 2.0)


def test_other_constants_are_told():
    w = tg.Tensor([1.0, 2.0])
    notes = drawing(tg.sum(w * np.array([1.0, 2.0])), tg.sum(w * np.array([1.0, 3.0]))).graph.notes
    assert "1 constant differs, too" in notes


# ----------------------------------------------------------------------------------------------------------- a snapshot


@given(lr=st.floats(1e-3, 2.0))
def test_a_step_of_gradient_descent_goes_along_the_gradient(lr):
    net, state, _, after = stepped(lambda net: optim.SGD(net, lr=lr))
    seen = views(state, after, names=net, precision=3)
    for name in state:
        assert seen[name].mark == "changed"
        assert seen[name].fill
        (words,) = [line for line in lines(seen[name]) if line.startswith("Δ = ")]
        assert float(words.removeprefix("Δ = ").removesuffix("·grad")) == pytest.approx(-lr, rel=6e-3)


@pytest.mark.parametrize(
    "make", [lambda net: optim.Adam(net, lr=0.1), lambda net: optim.SGD(net, lr=0.1, momentum=0.9)]
)
def test_what_is_shown_is_what_changed(make):
    net, state, before, after = stepped(make)
    seen = views(state, after, names=net, precision=12)
    for name, p in net.named_parameters():
        change = np.ravel(p.numpy() - state[name])
        said = next((line for line in lines(seen[name]) if line.startswith("‖Δ‖")), seen[name].value)
        if p.size > 1:
            assert float(said.split()[2]) == pytest.approx(np.linalg.norm(change))
    assert seen["mean"].value.startswith(f"{before.item():.12g} → {after.item():.12g}")


def test_another_direction_than_the_gradients_is_told():
    net, state, _, after = stepped(lambda net: optim.Adam(net, lr=0.1))
    (words,) = [line for line in lines(views(state, after, names=net)["first.weight"]) if "cosine" in line]
    assert -1 < float(words.rpartition(" ")[2]) < 0


def test_a_loss_of_before_the_step_is_computed_again():
    net, state, before, after = stepped(lambda net: optim.SGD(net, lr=0.1))
    early, late = (drawing(state, loss, names=net) for loss in (before, after))
    assert "recorded before the step: the values after it are computed again" in early.graph.notes
    assert [node.rows for node in early.graph.nodes] == [node.rows for node in late.graph.nodes]


def test_only_the_parameters_that_were_trained_are_marked():
    net = Net()
    state = net.state_dict()
    loss_of(net).backward()
    optim.SGD(net.last, lr=0.1).step()
    seen = views(state, loss_of(net), names=net)
    assert {name for name in state if seen[name].mark} == {"last.weight", "last.bias"}
    assert seen["tanh"].lines == ()


def test_leaves_can_be_named_by_themselves_or_by_variables():
    w = tg.Tensor([1.0, 2.0], name="w")
    assert lines(views({"w": [1.0, 1.0]}, tg.sum(w * w))["w"])[0] == "‖Δ‖ = 1 (70.7 %)"
    v = tg.Tensor([1.0, 2.0])
    assert views({"v": np.array([1.0, 1.0])}, tg.sum(v * v), names={"v": v})["v"].mark == "changed"
    net = Net()
    assert views(net.state_dict(), loss_of(net), names={"net": net})["net.first.weight"].mark == ""


def test_what_was_drawn_at_random_stays_as_it_was():
    w = tg.Tensor(np.full(50, 2.0), name="w")
    loss = tg.sum(dropout(w, 0.5, rng=0))
    kept = loss.item()
    (root, *_) = drawing({"w": np.ones(50)}, loss).graph.nodes
    assert root.value.startswith(f"{kept / 2:.4g} → {kept:.4g}")


def test_scalar_networks_are_compared_too():
    net = nn.scalar.MLP(2, [3, 1], rng=0)
    state = net.state_dict()
    net([0.5, -1.0]).backward()
    optim.SGD(net, lr=0.1).step()
    made = drawing(state, net([0.5, -1.0]), names=net)
    changed = [node for node in made.graph.nodes if node.mark]
    assert changed
    assert all("Δ = -0.1·grad" in lines(node) for node in changed)


def test_a_snapshot_that_does_not_fit_is_refused():
    net = Net()
    loss = loss_of(net)
    with pytest.raises(UnsupportedError, match=r"no leaf of the graph is called so.*names=model"):
        drawing(net.state_dict(), loss)
    with pytest.raises(ShapeError, match=r"first.weight has shape \(1,\)"):
        drawing({"first.weight": np.zeros(1)}, loss, names=net)
    with pytest.raises(UnsupportedError, match="before is a float"):
        drawing(1.0, loss)
    with pytest.raises(UnsupportedError, match="after is a dict"):
        drawing(loss, {})


# ----------------------------------------------------------------------------------------------------------------- rest


def test_nothing_of_the_model_is_changed():
    net, state, before, after = stepped(lambda net: optim.SGD(net, lr=0.1))
    kept, grads = net.state_dict(), [p.grad.copy() for p in net.parameters()]
    drawing(state, before, names=net)
    drawing(before, after)
    assert all(np.array_equal(kept[name], x) for name, x in net.state_dict().items())
    assert all(np.array_equal(g, p.grad) for g, p in zip(grads, net.parameters(), strict=True))


def test_many_numbers_are_compared_as_groups():
    xs = [tg.Value(float(k)) for k in range(40)]
    ys = [tg.Value(float(k) + (k < 10)) for k in range(40)]

    def total(values):
        out = tg.Value(0.0)
        for v in values:
            out = out + v * v
        return out

    made = drawing(total(xs), total(ys), budget=10)
    groups = {(node.count, node.mark, node.detail) for node in made.graph.nodes if node.kind == "parameter"}
    assert (40, "changed", "10 of 40") in groups


@pytest.mark.parametrize("theme", ["light", "dark", "print"])
def test_every_format_tells_the_changes_and_the_picture_is_stable(theme):
    net, state, _, after = stepped(lambda net: optim.SGD(net, lr=0.1))
    made, again = (drawing(state, after, names=net, theme=theme) for _ in range(2))
    assert made.source == again.source
    for text in (made.source, made.text, made.native()):
        for said in ("changed", "Δ = -0.1·grad", "‖Δ‖"):
            assert said in text
