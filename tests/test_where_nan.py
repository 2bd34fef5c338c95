"""Hold ``where_nan`` to naming the op, the element and the line at which a number stops being finite."""

import json
import math
import os
import warnings

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from op_cases import samples
from random_graphs import programs
from strategies import call, leaves

import tinygrad_mlp as tg
from tinygrad_mlp import Tensor, Value
from tinygrad_mlp.backward import cotangents
from tinygrad_mlp.check.nonfinite import where_nan
from tinygrad_mlp.check.nonfinite.dependence import dependence
from tinygrad_mlp.check.report import short
from tinygrad_mlp.errors import StaleError, TinygradError
from tinygrad_mlp.table import OPS

ROWS = {name: op for name, op in OPS.items() if op.differentiable and not op.random}

# ----------------------------------------------------------------------------------------------- elements and operands


@pytest.mark.parametrize("op", ROWS.values(), ids=ROWS)
@given(data=st.data())
@settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
def test_an_element_depends_on_no_other_elements_than_those_that_are_said(op, data):
    sample = data.draw(samples(op))
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore", RuntimeWarning)
        y = call(op, leaves(sample), sample.params)
        if getattr(y, "op", None) is None or not y.size:
            return
        mask = np.zeros(y.shape, bool)
        mask[np.unravel_index(data.draw(st.integers(0, y.size - 1)), y.shape)] = True
        found = dependence(y, mask)
        changed = [np.where(found[i], x, x + 1e-3) if i in sample.wrt else x for i, x in enumerate(sample.operands)]
        after = np.asarray(call(op, changed, sample.params))
    assert [m.shape for m, x in zip(found, sample.operands, strict=True) if x is not None] == [
        np.shape(x) for x in sample.operands if x is not None
    ]
    np.testing.assert_allclose(after[mask], y.numpy()[mask], rtol=1e-12, atol=1e-14)


def test_the_elements_of_a_product_of_matrices_are_a_row_and_a_column():
    a, b = Tensor(np.zeros((2, 3))), Tensor(np.zeros((3, 2)))
    row, column = dependence(a @ b, np.array([[False, True], [False, False]]))
    assert row.tolist() == [[True] * 3, [False] * 3]
    assert column.tolist() == [[False, True]] * 3


# -------------------------------------------------------------------------------------------------------- random graphs


def spoil(x, index, bad):
    """A node that is 1 everywhere but at one element of ``x``."""
    target = np.ones(x.shape)
    target[index] = bad
    return x - (x.numpy() - target)


FORWARD = {
    "sqrt": (tg.sqrt, -1.0),
    "log": (tg.log, 0.0),
    "log1p": (tg.log1p, -2.0),
    "divide": (lambda z: 1.0 / z, 0.0),
    "reciprocal": (tg.reciprocal, 0.0),
    "power": (lambda z: z**0.5, -2.0),
    "exp": (tg.exp, 1e4),
    "arccos": (tg.arccos, 2.0),
    "logit": (lambda z: tg.logit(z / 2), 4.0),
    "square": (tg.square, 1e200),
}
BACKWARD = {
    "sqrt": (tg.sqrt, 0.0),
    "cbrt": (tg.cbrt, 0.0),
    "power": (lambda z: z**0.5, 0.0),
    "arcsin": (lambda z: tg.arcsin(z / 2), 2.0),
    "arccosh": (lambda z: tg.arccosh(z + 1), 0.0),
}
AFTER = [
    lambda y: y * 2.0,
    lambda y: y - 1.0,
    lambda y: tg.reshape(y, -1),
    tg.transpose,
    lambda y: tg.concatenate([tg.reshape(y, -1), tg.reshape(y, -1)]),
    tg.leaky_relu,
    lambda y: tg.broadcast_to(y, (2, *y.shape)),
]


@st.composite
def spoilt(draw, table):
    """A random graph into whose middle one bad element is fed, the op that cannot take it, and the element."""
    program = draw(programs(min_side=1))
    name = draw(st.sampled_from(sorted(table)))
    place = draw(st.integers(0, len(program.starts) + len(program.steps) - 1))
    after = draw(st.lists(st.sampled_from(AFTER), max_size=4))
    k = draw(st.integers(0, 63))

    def f(*starts):
        known = program.results(starts)
        x = known[place]
        index = np.unravel_index(k % x.size, x.shape)
        y = table[name][0](spoil(x, index, table[name][1]))
        for step in after:
            y = step(y)
        return known[-1].sum() + y.sum()

    x = np.asarray(program.results(program.starts)[place])
    assume(x.size)
    return f, program.starts, name, tuple(map(int, np.unravel_index(k % x.size, x.shape)))


@given(spoilt(FORWARD))
def test_forward_the_op_and_the_element_are_named_wherever_they_are_in_a_random_graph(case):
    f, starts, name, index = case
    report = where_nan(f, *starts)
    assert (report.verdict, report.phase, report.op, report.index) == ("wrong", "forward", name, index), str(report)
    assert __file__ in report.source
    assert report.remedy is not None


@given(spoilt(BACKWARD))
def test_backward_the_op_and_the_element_are_named_wherever_they_are_in_a_random_graph(case):
    f, starts, name, index = case
    report = where_nan(f, *starts)
    inputs = [Tensor(x) for x in starts]
    with np.errstate(all="ignore"):
        finite = all(np.isfinite(g).all() for g in cotangents(f(*inputs)).values())
    if finite:  # a relu, or a mask, keeps the infinity from the leaves
        assert report
        return
    assert (report.phase, report.op, report.operand, report.index) == ("backward", name, 0, index), str(report)
    assert report.remedy is not None
    assert report.remedy.code


def special(x, draw):
    y = np.array(x, float)
    for i in range(y.size):
        if draw(st.integers(0, 9)) == 0:
            y.reshape(-1)[i] = draw(st.sampled_from([0.0, -0.0, math.inf, -math.inf, math.nan, 1e308, -1e200, 1e-320]))
    return y


@given(st.booleans(), st.data())
def test_the_verdict_is_right_exactly_where_the_value_and_all_gradients_are_finite(scalar, data):
    program = data.draw(programs(scalar=scalar))
    starts = [special(x, data.draw) for x in program.starts]
    inputs = [Value(float(x)) if scalar else Tensor(x) for x in starts]
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore", RuntimeWarning)
        f = program if scalar else (lambda *xs: program(*xs).sum())
        loss = f(*inputs)
        finite = bool(np.isfinite(loss.item()).all())
        if finite and loss.requires_grad:
            finite = all(np.isfinite(g).all() for g in cotangents(loss).values())
    report = where_nan(f, *inputs)
    assert bool(report) == finite, str(report)
    assert (report.origin is None) == finite
    json.dumps(report.to_dict(), allow_nan=False)
    assert report._repr_html_().count("<div>") == 1


# ------------------------------------------------------------------------------------------------------------- forward


def test_a_leaf_that_is_nan_is_named_with_its_element():
    report = where_nan(lambda x: tg.sum(tg.sin(x) * 2.0), np.array([1.0, 2.0, 3.0, math.nan]))
    assert report.op == ""
    assert "leaf x[3] is nan" in str(report)


def test_a_constant_operand_that_is_not_finite_is_named():
    report = where_nan(lambda x: (x * np.array([1.0, math.nan])).sum(), np.ones(2))
    assert (report.op, report.operand, report.index) == ("multiply", 1, (1,))
    assert "constant operand 1[1] of multiply" in str(report)


def test_an_infinity_is_followed_to_where_it_came_from_and_the_nan_is_the_turn():
    report = where_nan(lambda x: (tg.exp(x) / tg.exp(x).sum()).sum(), np.array([0.0, 1000.0]))
    assert (report.op, report.index, report.values) == ("exp", (1,), (1000.0,))
    assert report.turn.op == "divide"
    assert "inf / inf = nan" in str(report)
    assert "softmax" in report.remedy.code


def test_a_harmless_mask_of_minus_infinity_is_not_blamed_for_a_nan_elsewhere():
    mask = np.array([[True, False], [True, True]])

    def f(x):
        scores = tg.where(mask, tg.sqrt(x), -math.inf)
        return tg.softmax(scores).sum()

    report = where_nan(f, np.array([[1.0, 1.0], [1.0, -1.0]]))
    assert (report.op, report.index) == ("sqrt", (1, 1))
    report = where_nan(f, np.ones((2, 2)))
    assert report
    assert "reaches neither" in str(report)


def test_a_branch_that_where_did_not_select_is_not_followed():
    report = where_nan(lambda x: tg.where(x > 0, tg.log(x - 2.0), tg.sqrt(x)).sum(), np.array([1.0, -1.0, 3.0]))
    assert (report.op, report.index) in [("log", (0,)), ("sqrt", (1,))]
    report = where_nan(lambda x: tg.where(x > 9, tg.log(x - 2.0), tg.sqrt(x)).sum(), np.array([1.0, -1.0, 3.0]))
    assert (report.op, report.index) == ("sqrt", (1,))


def test_terms_of_a_product_of_matrices_are_named():
    report = where_nan(lambda a: (a @ np.array([[math.inf], [1.0]])).sum(), np.array([[1.0, 2.0], [0.0, 3.0]]))
    assert report.op == "matmul"
    assert report.turn.reason == "0 · inf: term 0 is 0 · inf"


def test_the_difference_of_two_infinities_is_told():
    report = where_nan(lambda x: tg.exp(x) - tg.exp(x), 1000.0)
    assert report.op == "exp"
    assert report.turn.reason == "inf - inf = nan"


@pytest.mark.parametrize(
    ("f", "x", "op"),
    [
        (tg.mean, np.zeros(0), "mean"),
        (lambda x: tg.var(x, ddof=1), np.ones(1), "var"),
        (tg.sum, np.full(3, 1e308), "sum"),
        (tg.prod, np.full(3, 1e200), "prod"),
        (lambda x: x @ x, np.full(3, 1e200), "matmul"),
        (tg.logsumexp, np.array([-math.inf, -math.inf]), ""),
        (lambda x: tg.softmax(x).sum(), np.array([-math.inf, -math.inf]), ""),
    ],
)
def test_rows_that_are_not_elementwise_are_named(f, x, op):
    report = where_nan(f, x)
    assert (report.phase, report.op) == ("forward", op)


def test_a_sum_whose_parts_overflow_is_told_so():
    report = where_nan(tg.sum, np.full(20, 1e308) * np.tile([1.0, -1.0], 10))
    assert (report.op, report.origin.reason) == ("sum", "finite operands exceed the largest float64")
    assert "float64 ends at" in report.remedy.text


def test_a_float32_that_overflows_is_told_to_use_float64():
    report = where_nan(lambda x: tg.sum(tg.square(x)), np.full(3, 1e30, np.float32))
    assert (report.op, report.index) == ("square", (0,))
    assert "float32 ends at 3.4e38" in report.remedy.text


# ------------------------------------------------------------------------------------------------------------ backward


def test_the_double_where_is_told_with_the_line_of_the_where():
    def f(x):
        root = tg.sqrt(x)
        return tg.where(x > 0, root, 0.0).sum()

    report = where_nan(f, np.array([4.0, 0.0]))
    line = f.__code__.co_firstlineno
    assert (report.op, report.operand, report.index, report.values) == ("sqrt", 0, (1,), (0.0,))
    assert report.source == f"{__file__}:{line + 1}"
    assert report.origin.cotangent == 0
    assert "0 · inf: the cotangent is 0" in report.origin.reason
    assert f"where at {short(report.source).rpartition(':')[0]}:{line + 2}" in report.remedy.text
    assert "safe = tg.where(mask, x, 1.0)\ny = tg.where(mask, tg.sqrt(safe), 0.0)" in report.remedy.code


@pytest.mark.parametrize(
    "select",
    [
        lambda y, x: tg.where(x > 0, y, 0.0),
        lambda y, _: tg.nan_to_num(y),
        lambda y, _: tg.maximum(y, -1.0),
        lambda y, _: y[np.array([0])],
        lambda y, _: tg.clip(y, -1.0, 1.0),
        lambda y, _: tg.max(y),
    ],
)
def test_whatever_drops_a_logarithm_of_zero_leads_to_the_double_where(select):
    report = where_nan(lambda x: tg.sum(select(tg.log(x), x)), np.array([4.0, 0.0]))
    assert (report.phase, report.op, report.index) == ("backward", "log", (1,))
    assert "tg.log(safe)" in report.remedy.code


def test_an_infinite_gradient_that_turns_into_a_nan_is_told_with_both_places():
    report = where_nan(lambda x: tg.sqrt(tg.sum(tg.square(x))), np.zeros(3))
    assert (report.op, report.origin.result) == ("sqrt", math.inf)
    assert report.turn.op == "square"
    assert "inf · 0" in report.turn.reason
    assert report.remedy.code == "y = tg.norm(x)"


def test_an_operand_that_was_broadcast_is_told_with_the_element_of_the_result():
    report = where_nan(lambda a, b: (a * tg.sqrt(b)).sum(), np.array([1.0, 0.0, 2.0]), 0.0)
    assert (report.op, report.operand) == ("sqrt", 0)
    report = where_nan(lambda a, b: tg.where(a > 1, b / a, 0.0).sum(), np.array([2.0, 0.0]), 3.0)
    assert report.op == "divide"
    assert report.values == (3.0, 0.0)
    assert report.origin.cotangent == 0


def test_contributions_that_overflow_when_added_are_told():
    report = where_nan(lambda x: x * 1e308 + x * 1.1e308, 0.0)
    assert (report.phase, report.operand) == ("backward", None)
    assert "add up to inf" in str(report)


def test_an_infinite_cotangent_that_a_relu_stops_is_no_failure():
    report = where_nan(lambda x: tg.sqrt(tg.relu(x)).sum(), np.array([-1.0, 2.0]))
    assert report
    assert "reaches no leaf" in str(report)


def test_conventions_at_zero_are_finite():
    for f in (tg.norm, tg.std, lambda x: tg.abs(x).sum(), lambda x: tg.hypot(x, x).sum()):
        assert where_nan(f, np.zeros(3))


def test_float32_is_searched_in_float32():
    x = np.array([4.0, 1e-44, 0.0], np.float32)
    report = where_nan(lambda x: tg.where(x > 1, 1.0 / x, 0.0).sum(), x)
    assert (report.phase, report.op, report.index) == ("backward", "divide", (1,))
    assert report.gradients == (("x", (3,), 2),)
    report = where_nan(lambda x: tg.where(x > 1, 1.0 / x, 0.0).sum(), x.astype(float))
    assert report.gradients == (("x", (3,), 1),)
    assert report.index == (2,)


# ----------------------------------------------------------------------------------------------------- kinds of inputs


def test_all_finite_is_right():
    report = where_nan(lambda x, y: x * y, 2.0, 3.0)
    assert report.verdict == "right"
    assert (report.origin, report.phase, report.op, report.index, report.values) == (None, None, None, None, ())
    assert str(report) == "where_nan(<lambda>): right: the value and 2 gradients are finite"


def test_a_node_is_searched_as_it_was_recorded():
    x = Tensor([1.0, 0.0], name="x")
    y = tg.sqrt(x).sum()
    report = where_nan(y)
    assert (report.op, report.index, report.source) == ("sqrt", (1,), "")
    assert "no source lines: record under tg.sources(), or pass the function" in str(report)
    with tg.sources():
        y = tg.sqrt(x).sum()
    assert __file__ in where_nan(y).source


def test_a_value_is_searched_too():
    x = Value(0.0, name="x")
    report = where_nan(x**0.5)
    assert (report.op, report.values) == ("power", (0.0, 0.5))
    with np.errstate(all="ignore"):
        y = x / x
    report = where_nan(y)
    assert (report.phase, report.op, report.origin.reason) == ("forward", "divide", "0 / 0 = nan")


def test_modules_are_named_by_their_parameters_and_functions_may_take_nothing():
    model = tg.nn.MLP([2, 3, 1])
    X = np.ones((4, 2))
    assert where_nan(lambda: model(X).sum(), model)
    assert where_nan(model, X)
    report = where_nan(lambda: tg.log(model(X) * 0.0).sum(), model)
    assert report.op == "log"
    weight = dict(model.named_parameters())["output.weight"]
    weight.assign(np.full(weight.shape, math.nan))
    for report in (where_nan(lambda: model(X).sum(), model), where_nan(model, X), where_nan(model(X).sum(), model)):
        assert "leaf weight2[0, 0] is nan" in str(report)
        assert "a parameter" in report.remedy.text


def test_nests_of_inputs_and_outputs_are_taken():
    report = where_nan(lambda p: {"a": p["w"].sum(), "b": [tg.log(p["b"])]}, {"w": np.ones(2), "b": 0.0})
    assert (report.op, report.origin.values[0].name) == ("log", "p['b']")


def test_a_result_without_a_graph_is_still_looked_at():
    assert where_nan(lambda: 1.0)
    assert not where_nan(lambda: np.array([1.0, math.inf]))


def test_paths_are_printed_relative_to_the_working_folder(monkeypatch):
    monkeypatch.chdir(os.path.dirname(__file__))
    report = where_nan(lambda x: tg.sum(tg.where(x > 0, tg.sqrt(x), 0.0)), np.zeros(1))
    assert str(report).count("test_where_nan.py:") == 2
    assert os.path.dirname(__file__) not in str(report)
    assert report.source.startswith(__file__)


def test_integers_are_no_leaves_and_the_report_says_so():
    report = where_nan(tg.log, np.array([0, 1]))
    assert "forward: result[0] is -inf" in str(report)
    assert "integers are constants: x: pass floats" in str(report)
    assert "no gradient was looked at" in str(where_nan(lambda n: n * 2, 3))
    assert "integers" in str(where_nan(lambda n: n * 2, 3))
    assert "integers" not in str(where_nan(lambda x, n: x[n], np.ones(2), 1))  # an index


def test_functions_and_arrays_of_other_libraries_are_refused_in_words():
    torch = pytest.importorskip("torch", reason="torch is not installed")
    for f, x in (
        (torch.log, np.zeros(1)),
        (torch.log, 0.0),
        (torch.log, torch.zeros(1)),
        (lambda: torch.zeros(1), None),
    ):
        with pytest.raises(TinygradError, match=r"PyTorch.*: where_nan follows recorded graphs: write f with"):
            where_nan(f, *([x] if x is not None else []))


def test_what_is_no_function_and_what_returns_nothing_is_refused():
    with pytest.raises(TinygradError, match="takes a node, or a function"):
        where_nan(3.0)
    with pytest.raises(TinygradError, match="returned nothing"):
        where_nan(lambda: None)
    with pytest.raises(TinygradError, match="returned str"):
        where_nan(lambda: "x")


def test_an_operand_overwritten_after_its_use_is_an_error_and_no_wrong_answer():
    x = Tensor([1.0, math.nan])
    y = (x * 2.0).sum()
    x.assign(np.array([math.nan, 1.0]))
    with pytest.raises(StaleError, match="overwritten"):
        where_nan(y)


def test_inputs_and_gradients_of_leaves_are_left_alone():
    x = Tensor([4.0, 0.0])
    where_nan(lambda x: tg.sqrt(x).sum(), x)
    assert x.grad is None
    assert x.numpy().tolist() == [4.0, 0.0]


@pytest.mark.parametrize("start", [Value(1.0), Tensor(1.0)], ids=["Value", "Tensor"])
def test_a_graph_of_very_many_nodes_in_a_row_is_searched(start):
    n = 25_000 if type(start) is Value else 2_500
    y = start
    for _ in range(n):
        y = y * 0.5 + 0.5
    with np.errstate(all="ignore"):
        y = tg.sqrt(y - 2.0)
    for _ in range(n):
        y = y * 0.5 + 0.5
    report = where_nan(y)
    assert (report.op, report.values) == ("sqrt", (-1.0,))


def test_a_deep_graph_is_searched_on_the_way_back():
    y = Value(1.0)
    for _ in range(5_000):
        y = y * 0.5 + 0.5
    y = (y - 1.0) ** 0.5
    for _ in range(5_000):
        y = y * 0.5 + 0.5
    report = where_nan(y)
    assert (report.phase, report.op, report.values) == ("backward", "power", (0.0, 0.5))


def test_contributions_to_an_operand_that_was_broadcast_may_overflow_when_they_are_summed():
    a = np.full(20, 1e307)
    report = where_nan(lambda b: (a * b).sum(), 0.0)
    assert (report.phase, report.op, report.operand) == ("backward", "multiply", 1)
    assert "overflow when they are summed" in str(report)
    assert "float64 ends at" in report.remedy.text
