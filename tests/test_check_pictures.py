"""Pictures of a gradient check: a verdict on every operation, and of a report on every input."""

import copy
import dataclasses
import json
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from planted import corrupted
from random_graphs import is_smooth, programs

import tinygrad_mlp as tg
from tinygrad_mlp import nn
from tinygrad_mlp.check import gradcheck
from tinygrad_mlp.check.verdicts import rule_verdicts
from tinygrad_mlp.errors import GradcheckError, StaleError, UnsupportedError
from tinygrad_mlp.graph import toposort
from tinygrad_mlp.table import OPS, Op, defvjp, defvjp_argnum, primitive
from tinygrad_mlp.viz.kinds.checked import drawing

STATES = ("right", "kink", "undecided", "wrong")


def marks(x, **options):
    """The verdicts of the picture, by the names of operations and leaves."""
    return {node.name or node.op: node.mark for node in drawing(x, **options).graph.nodes}


def node_of(x, op):
    (node,) = [node for node in drawing(x).graph.nodes if node.op == op]
    return node


def recorded(program):
    leaves = [tg.Tensor(x) for x in program.starts]
    with np.errstate(all="ignore"):
        return tg.sum(program(*leaves))


# ------------------------------------------------------------------------------------------------------ right and wrong


@given(program=programs(min_side=1))
def test_every_operation_has_a_verdict_and_none_is_wrong(program):
    root = recorded(program)
    graph = drawing(root, budget=None).graph
    with_rules = [node for node in graph.nodes if node.op and node.requires_grad]
    assert all(node.mark in ("right", "kink", "undecided") and node.fill for node in with_rules)
    assert not any(node.mark for node in graph.nodes if not node.op)
    counts = Counter(node.mark for node in with_rules)
    words = [entry.words.partition(" (")[0] for entry in graph.legend]
    assert words == [f"{state} {counts[state]:,}" for state in STATES]


WRAPPED = {
    "exp": tg.exp,
    "tanh": tg.tanh,
    "relu": lambda x: tg.relu(x + 0.05),
    "softmax": tg.softmax,
    "matmul": lambda x: x @ np.array([[1.0, 2.0], [0.5, -1.0], [2.0, 1.0]]),
    "cumsum": OPS["cumsum"],
    "max": lambda x: tg.max(x, axis=1),
    "where": lambda x: tg.where(np.array([True, False, True]), x, 2.0),
    "getitem": lambda x: x[:, 1:],
}


@pytest.mark.parametrize("what", ["sign", "factor 2", "factor 1 + 1e-3"])
@pytest.mark.parametrize("name", WRAPPED)
def test_a_planted_mistake_is_marked_on_its_node_and_on_no_other(name, what, rng):
    x = tg.Tensor(rng.normal(size=(2, 3)), name="x")
    y = tg.sum(tg.sin(WRAPPED[name](x * 1.5)) * 0.7)
    with corrupted(OPS[name], what):
        seen = marks(y)
    assert seen.pop(name) == "wrong"
    assert set(seen.values()) <= {"right", ""}


def test_the_numbers_and_the_slip_stand_on_the_node():
    x = tg.Tensor([[0.5, -0.25]], name="x")
    with corrupted(OPS["tanh"], "sign"):
        node = node_of(tg.sum(tg.tanh(x)), "tanh")
    numbers, hint = (row.text for row in node.lines)
    assert numbers.startswith("vjp at [0, ")
    given, measured = numbers.partition(" gives ")[2].split(", measured ")
    assert float(given) == -float(measured)
    assert hint == "the sign is wrong"


def test_the_operand_is_named_where_there_are_several():
    with corrupted(OPS["multiply"], "factor 2"):
        node = node_of(tg.Value(2.0) * tg.Value(3.0), "multiply")
    assert node.lines[0].text.startswith("vjp of operand 0 gives ")
    assert node.lines[1].text == "2 times what it should be"


@pytest.mark.usefixtures("own_rows")
def test_a_rule_that_fails_says_how():
    @primitive()
    def half(xp, x):
        """Return x / 2."""
        return x * 0.5

    defvjp(half, lambda g, _y, _x: g[:, None])
    node = node_of(tg.sum(half(tg.Tensor([1.0, 2.0]))), "half")
    assert node.mark == "wrong"
    assert node.lines[0].text.startswith("half: its vjp returned shape (2, 1)")


@given(count=st.integers(2, 6))
def test_numbers_that_are_checked_together_get_verdicts_of_their_own(count):
    xs = [tg.Value(float(k % 3)) for k in range(count)]
    nodes = [x.relu() for x in xs]
    total = nodes[0]
    for node in nodes[1:]:
        total = total + node
    found = rule_verdicts(reversed(toposort(total)), np.random.default_rng(0))
    for x, node in zip(xs, nodes, strict=True):
        assert found[node].state == ("kink" if x.data == 0 else "right")


MISTAKES = {
    "zero": lambda c, _: 0.0 * c,
    "sign": lambda c, _: -c,
    "a thousandth": lambda c, _: 1.001 * c,
    "that of the next operand": lambda _, other: other,
}


@pytest.mark.parametrize("mistake", MISTAKES.values(), ids=MISTAKES)
@given(n=st.integers(1, 150), place=st.integers(0, 300), seed=st.integers(0, 9), size=st.sampled_from([1e-3, 1.0, 1e3]))
def test_a_rule_that_is_wrong_in_one_of_many_operands_is_found_there(mistake, n, place, seed, size):
    rng = np.random.default_rng(seed)
    values = [tg.Value(float(x)) for x in rng.normal(size=n) * size]
    node, other = (nn.scalar.Neuron(n, "linear", rng=seed)(values) for _ in range(2))
    place %= 2 * n
    right = OPS["affine"].argnum_vjp

    def wrong(argnum, *given):
        c = right(argnum, *given)
        return mistake(c, right(argnum + 1, *given)) if argnum == place else c

    assert verdict_on(node, seed).state == "right"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(OPS["affine"], "argnum_vjp", wrong)
        alone, beside = verdict_on(node, seed), verdict_on(node, seed, other)
        assert alone.state == beside.state == "wrong"
        assert alone.culprit.operand == beside.culprit.operand == place


def verdict_on(node, seed, *others):
    return rule_verdicts([node, *others], np.random.default_rng(seed))[node]


def total_of_sizes(xp, *xs):
    """Return Σ |x|."""
    return sum(xp.abs(x) for x in xs)


TOTAL = Op(total_of_sizes, elementwise=True)
defvjp_argnum(TOTAL, lambda i, g, _y, *xs: g * np.sign(xs[i]))


@given(count=st.integers(33, 80), at=st.integers(0, 32))
def test_a_kink_in_one_of_many_operands_is_told(count, at):
    numbers = np.linspace(0.5, 1.5, count)
    smooth = TOTAL(*map(tg.Value, numbers.tolist()))
    numbers[at] = 0.0
    bent = TOTAL(*map(tg.Value, numbers.tolist()))
    assert (verdict_on(bent, 0).state, verdict_on(smooth, 0).state) == ("kink", "right")


def test_a_group_tells_how_many_of_its_nodes_are_wrong():
    total = tg.Value(0.0)
    for k in range(30):
        total = total + tg.Value(0.1 * k).tanh()
    with corrupted(OPS["tanh"], "sign"):
        (node,) = [node for node in drawing(total, budget=12).graph.nodes if node.op == "tanh"]
    assert (node.count, node.mark, node.detail) == (30, "wrong", "30 of 30")


# ----------------------------------------------------------------------------------------------------- kinks and doubts


@given(numbers=st.lists(st.integers(-2, 2), min_size=1, max_size=8))
def test_kinks_are_marked_with_the_number_of_elements(numbers):
    x = tg.Tensor(np.array(numbers, float))
    for f, at in ((tg.relu, 0), (tg.abs, 0), (lambda x: tg.maximum(x, 1.0), 1)):
        node = drawing(tg.sum(f(x) * 1.5)).graph.nodes[2]
        bent = numbers.count(at)
        assert node.mark == ("kink" if bent else "right"), node
        if bent:
            assert node.detail == (f"{bent} of {len(numbers)} elements" if len(numbers) > 1 else "")


@given(program=programs(min_side=1))
def test_a_smooth_graph_has_no_kinks(program):
    seen = marks(recorded(program), budget=None).values()
    if is_smooth(program):
        assert "kink" not in seen


@pytest.mark.parametrize("x", [[[1.0, 1.0, 0.0]], [[0.0, 2.0, 2.0]]])
def test_a_tie_of_a_maximum_over_an_axis_is_a_kink(x):
    assert marks(tg.sum(tg.max(tg.Tensor(x), axis=1)))["max"] == "kink"
    assert marks(tg.sum(tg.max(tg.Tensor([[1.0, 2.0]]), axis=1)))["max"] == "right"


def test_what_numbers_cannot_tell_is_undecided_with_the_reason():
    with np.errstate(all="ignore"):
        node = node_of(tg.sum(tg.log(tg.Tensor([0.0, 1.0])) * 2.0), "log")
    assert (node.mark, node.detail) == ("undecided", "the result is not finite")


# -------------------------------------------------------------------------------------------------------------- reports


def f(W, b):
    h = tg.tanh(np.array([[1.0, 2.0], [0.5, -1.0]]) @ W + b)
    return tg.sum(h * h)


W, B = np.array([[0.5, -1.0], [2.0, 0.25]]), np.array([0.1, -0.3])


def test_a_report_that_is_right_is_right_everywhere():
    report = gradcheck(f, W, B)
    seen = marks(report)
    assert seen["W"] == seen["b"] == "right"
    assert set(seen.values()) == {"right", ""}
    assert report.headline() in drawing(report).graph.notes


def test_a_wrong_report_marks_the_culprit_and_the_inputs_that_suffer():
    with corrupted(OPS["matmul"], "sign"):
        report = gradcheck(f, W, B, raise_exception=False)
    seen = marks(report)  # the rule is right again: what the report found stays
    assert {name for name, mark in seen.items() if mark == "wrong"} == {"matmul", "W"}
    nodes = {node.name or node.op: node for node in drawing(report).graph.nodes}
    assert nodes["W"].detail == "4 of 4"
    assert nodes["W"].lines[0].text.startswith("∂f/∂W[")
    assert nodes["b"].mark == "right"


def test_inputs_at_a_kink_say_between_which_slopes():
    report = gradcheck(lambda x: x.relu() * 3.0, 0.0)
    nodes = {node.name or node.op: node for node in drawing(report).graph.nodes}
    assert (nodes["x"].mark, nodes["relu"].mark, nodes["multiply"].mark) == ("kink", "kink", "right")
    assert nodes["x"].lines[0].text == "0 is between the slopes 0 and 3"


def test_a_report_is_drawn_after_its_parameters_were_changed():
    w = tg.Tensor([1.0, 2.0], name="w")
    with corrupted(OPS["square"], "sign"):
        report = gradcheck(lambda: tg.sum(tg.square(w) * w), w, raise_exception=False)
    w.assign(np.zeros(2))
    made = drawing(report)
    assert {node.name or node.op: node.mark for node in made.graph.nodes if node.mark} == {
        "square": "wrong",
        "w": "wrong",
    }
    assert any("changed since the check" in note for note in made.graph.notes)


@given(program=programs(min_side=1, max_steps=6))
def test_inputs_have_the_verdicts_of_their_derivatives(program):
    report = gradcheck(lambda *xs: tg.sum(program(*xs)), *program.starts, raise_exception=False)
    if not report.recorded.outputs:
        return
    shown = {node.name: node for node in drawing(report, budget=None).graph.nodes if node.kind == "parameter"}
    for summary in report.inputs:
        if summary.name in shown:  # else the result does not depend on it
            mine = [e for e in report.elements if e.input == summary.name]
            worst = "kink" if any(e.kink for e in mine) else "right"
            worst = "undecided" if summary.undecided else worst
            assert shown[summary.name].mark == worst


def test_the_graph_is_no_part_of_what_a_report_says():
    report = gradcheck(f, W, B)
    bare = dataclasses.replace(report, recorded=type(report.recorded)())
    assert report == bare
    assert str(report) == str(bare)
    assert json.dumps(report.to_dict()) == json.dumps(bare.to_dict())
    assert copy.deepcopy(report) == report
    with pytest.raises(UnsupportedError, match="no graph"):
        drawing(bare)


def test_an_error_carries_no_graph_but_its_report_does():
    with corrupted(OPS["tanh"], "sign"), pytest.raises(GradcheckError, match="the sign is wrong"):
        gradcheck(f, W, B)


# ----------------------------------------------------------------------------------------------------------------- rest


def test_several_results_are_drawn_together():
    x = tg.Tensor([0.5, 1.0])
    assert Counter(node.mark for node in drawing([tg.sin(x), tg.cos(x)]).graph.nodes)["right"] == 2


@pytest.mark.parametrize("theme", ["light", "dark", "print"])
def test_every_format_has_the_verdicts_and_the_counts(theme):
    with corrupted(OPS["tanh"], "sign"):
        made = drawing(tg.sum(tg.tanh(tg.Tensor([0.5]))), theme=theme)
    for text in (made.source, made.native(), made.text):
        assert "wrong 1" in text
        assert "the sign is wrong" in text


def test_the_same_seed_gives_the_same_picture():
    y = tg.sum(tg.softmax(tg.Tensor([[0.5, 1.0, 2.0]])) * np.array([1.0, 2.0, 3.0]))
    assert drawing(y, rng=3).source == drawing(y, rng=3).source


def test_what_cannot_be_checked_is_refused():
    with pytest.raises(UnsupportedError, match="'check' takes"):
        drawing(3.0)
    w = tg.Tensor([1.0, 2.0])
    loss = tg.sum(w * w)
    w.assign(np.zeros(2))
    with pytest.raises(StaleError, match="overwritten"):
        drawing(loss)
