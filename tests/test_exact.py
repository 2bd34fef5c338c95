"""Exact checks: every scalar row is proved right by sympy, and of a corrupted one the report names it alone."""

import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from random_graphs import programs

import tinygrad_mlp as tg
from tinygrad_mlp.check.exact import check_exact, equality
from tinygrad_mlp.check.exact import checking as exact
from tinygrad_mlp.check.exact.expressions import Translation, functions
from tinygrad_mlp.check.exact.jumps import Jumps, exactly
from tinygrad_mlp.errors import GradientError, MissingDependencyError, UnsupportedError
from tinygrad_mlp.table import OPS, defvjp, primitive

sp = pytest.importorskip("sympy", reason="sympy is not installed: pip install 'tinygrad-mlp[check]'")

ROWS = {
    name: op
    for name, op in OPS.items()
    if op.elementwise and op.scalars and op.__module__.startswith("tinygrad_mlp.ops")
}
SMOOTH = {name: op for name, op in ROWS.items() if op.differentiable}
PARAMS = {"gelu": [{"approximate": "tanh"}], "logit": [{"eps": 0.2}], "round": [{"decimals": 1}]}
FLAT = {  # operands in which a row has slope 0 wherever it has one
    ("where", 0), ("sign", 0), ("floor", 0), ("ceil", 0), ("trunc", 0), ("rint", 0), ("round", 0), ("heaviside", 0),
    ("floor_divide", 0), ("floor_divide", 1), ("copysign", 1),
}  # fmt: skip
MUTANTS = {
    "sign": lambda _g, c: -c,
    "factor": lambda _g, c: c * 1.001,
    "zero": lambda _g, c: c * 0.0,
    "more": lambda g, c: c + g * 1e-3,
}


def calling(op, **params):
    """A function of letters that calls the op."""
    names = [f"x{k}" for k in range(op.arity or 5)]

    def f(*xs):
        return op(list(xs), **params) if op.arity is None else op(*xs, **params)

    return f, names


@pytest.fixture
def corrupt(monkeypatch):
    """Replace the rule of one operand of an op."""

    def replace(op, i, change):
        if op.arity is None:
            rule = op.argnum_vjp
            monkeypatch.setattr(
                op, "argnum_vjp", lambda j, g, *a: change(g, rule(j, g, *a)) if j == i else rule(j, g, *a)
            )
        else:
            rules = list(op.vjps)
            rule = rules[i]
            rules[i] = lambda g, *a, **p: change(g, rule(g, *a, **p))
            monkeypatch.setattr(op, "vjps", tuple(rules))

    return replace


# ---------------------------------------------------------------------------------------------------------- properties


@pytest.mark.parametrize("op", SMOOTH.values(), ids=SMOOTH)
def test_every_scalar_row_is_sympys_derivative(op):
    for params in [{}, *PARAMS.get(op.name, [])]:
        f, names = calling(op, **params)
        report = check_exact(f, *names)
        assert report.verdict == "right", report
        assert report.rules == ()


@pytest.mark.parametrize("op", SMOOTH.values(), ids=SMOOTH)
def test_every_corrupted_scalar_row_is_caught_and_named_alone(op, corrupt, monkeypatch):
    f, names = calling(op)
    for i in range(op.arity or 5):
        for name, change in MUTANTS.items():
            if (op.name, i) in FLAT and name != "more":
                continue  # of 0 the opposite is right
            corrupt(op, i, change)
            report = check_exact(f, *names)
            monkeypatch.undo()
            assert report.verdict == "wrong", (i, name, report)
            assert [(rule.op, rule.operand) for rule in report.rules] == [(op.name, i)], (i, name, report)


@given(program=programs(scalar=True))
def test_random_graphs_are_sympys_derivatives(program):
    report = check_exact(program, *(f"x{k}" for k in range(len(program.starts))))
    assert report.verdict == "right", report


@given(
    program=programs(scalar=True, max_steps=6), name=st.sampled_from(["multiply", "tanh", "square", "relu", "divide"])
)
def test_in_random_graphs_a_corrupted_row_is_the_only_one_named(program, name):
    op, names = OPS[name], [f"x{k}" for k in range(len(program.starts))]
    rules = op.vjps
    op.vjps = tuple((lambda g, *a, rule=rule: rule(g, *a) * 1.001) for rule in rules)
    try:
        report = check_exact(program, *names)
    finally:
        op.vjps = rules
    assert {rule.op for rule in report.rules} <= {name}
    assert bool(report.rules) == (report.verdict == "wrong")


@pytest.mark.parametrize("op", ROWS.values(), ids=ROWS)
@given(seed=st.integers(0, 1000))
def test_the_expression_of_a_row_has_the_rows_value(op, seed):
    if op.name in ("isnan", "isinf", "isfinite"):
        return
    low, high = op.domain
    xs = np.random.default_rng(seed).uniform(low, high, op.arity or 5).round(4)
    given = [float(x) for x in xs]
    if op.name.startswith("logical") or op.name == "where":
        given[0] = bool(given[0] > 0)
    jumps = Jumps()
    function = functions(jumps)[op.name]
    operands = [sp.Integer(int(x)) if isinstance(x, bool) else exactly(x) for x in given]
    if op.name.startswith("logical"):
        operands = [sp.Integer(int(bool(x))) for x in given]
    value = float(jumps.sp.N(function(*operands), 30))
    expected = op(given) if op.arity is None else op(*given)
    assert value == pytest.approx(float(expected), rel=1e-13, abs=1e-13)


# ---------------------------------------------------------------------------------------------------------- one by one


def test_both_branches_of_where_are_compared():
    report = check_exact(lambda x, y: tg.where(x > y, x * y, tg.exp(x) / y))
    assert report.verdict == "right"
    assert str(report.derivatives[0].left) == "[x > y]*y + (1 - [x > y])*exp(x)/y"
    assert isinstance(report.derivatives[0].engine, sp.Piecewise)


def test_branches_of_python_are_followed_at_the_values():
    def f(x):
        return x * x if x > 0 else -x

    assert str(check_exact(f, 2.0).derivatives[0].engine) == "2*x"
    report = check_exact(f, -2.0)
    assert str(report.derivatives[0].engine) == "-1"
    assert "branches in Python" in report.notes[0]


def test_second_derivatives_are_compared_too(corrupt):
    report = check_exact(lambda x, y: tg.sin(x) * y**3 + tg.relu(x) * y, order=2)
    assert report.verdict == "right"
    assert [d.name for d in report.derivatives] == ["∂f/∂x", "∂f/∂y", "∂²f/∂x∂x", "∂²f/∂x∂y", "∂²f/∂y∂y"]
    corrupt(OPS["cos"], 0, MUTANTS["sign"])  # the rule of sin computes cos
    report = check_exact(lambda x: tg.sin(x) * 2, order=2)
    assert [d.comparison.equal for d in report.derivatives] == [True, False]
    assert [rule.op for rule in report.rules] == ["cos"]


def test_a_scalar_module_and_nests_are_taken():
    neuron = tg.nn.scalar.Neuron(2)
    report = check_exact(lambda n, xs: n(xs), neuron, ["a", "b"])
    assert report.verdict == "right"
    assert len(report.derivatives) == 5
    assert all(p.grad is None for p in neuron.parameters())


def test_a_number_stands_for_the_number_that_it_rounds():
    assert exactly(0.1) == sp.Rational(1, 10)
    assert exactly(1.1 - 1) == sp.Rational(1, 10)
    assert exactly(2 / np.sqrt(np.pi)) == 2 / sp.sqrt(sp.pi)
    assert exactly(1e-20) == sp.Rational(1, 10**20)
    report = check_exact(lambda x: x**1.1 + tg.exp2(x))
    assert report.derivatives[0].proof == "simplified"


def test_a_graph_that_is_too_large_to_write_out_is_proved_rule_by_rule(corrupt):
    def deep(x):
        for _ in range(20):
            x = tg.sin(x) * x + x
        return x

    report = check_exact(deep)
    assert (report.verdict, report.derivatives[0].proof, report.derivatives[0].engine) == (
        "right",
        "rule by rule",
        None,
    )
    corrupt(OPS["sin"], 0, MUTANTS["factor"])
    report = check_exact(deep)
    assert report.verdict == "wrong"
    assert [rule.op for rule in report.rules] == ["sin"]


def test_without_time_to_simplify_the_report_claims_no_proof(monkeypatch):
    monkeypatch.setattr(exact, "SECONDS", -1.0)
    monkeypatch.setattr(equality, "SIMPLE", -1)
    report = check_exact(lambda x: tg.log(tg.sigmoid(x)))
    assert report.verdict == "right"
    assert report.derivatives[0].proof == "50 digits"
    assert "not proved" in str(report)


def test_a_series_in_a_rule_is_called_rounding():
    report = check_exact(tg.sinc, "x")
    assert (report.verdict, report.derivatives[0].proof) == ("right", "rounding")


def test_an_error_cancelled_away_at_50_digits_is_no_difference():
    report = check_exact(lambda x: tg.tanh(1000 * x) + tg.tanh(300.0 * tg.exp(x)))
    assert report.verdict == "right", report


def test_a_row_of_the_users_needs_an_expression():
    @primitive(elementwise=True)
    def cubed_for_sympy(xp, x):
        return x * x * x

    try:
        defvjp(cubed_for_sympy, lambda g, _y, x: 3 * g * x * x)
        with pytest.raises(UnsupportedError, match="cubed_for_sympy"):
            check_exact(lambda x: cubed_for_sympy(x) + 1)
        given = {"cubed_for_sympy": lambda x: sp.Abs(x) ** 3 * sp.sign(x)}
        assert check_exact(lambda x: cubed_for_sympy(x) + 1, functions=given).verdict == "right"
        defvjp(cubed_for_sympy, lambda g, _y, x: 2 * g * x * x)
        report = check_exact(lambda x: cubed_for_sympy(x) + 1, functions=given)
        assert [rule.op for rule in report.rules] == ["cubed_for_sympy"]
        defvjp(cubed_for_sympy, lambda g, _y, x: g if x > 0 else 2 * g)
        with pytest.raises(UnsupportedError, match="does not run on letters"):
            check_exact(lambda x: cubed_for_sympy(x) + 1, functions=given)
    finally:
        del OPS["cubed_for_sympy"]


@pytest.mark.parametrize(
    ("call", "kind", "message"),
    [
        (lambda: check_exact(tg.sum, np.ones(3)), UnsupportedError, r"shape \(3,\)"),
        (lambda: check_exact(tg.exp, float("nan")), UnsupportedError, "float"),
        (lambda: check_exact(tg.exp, tg.Value(1.0) * 2), UnsupportedError, "computed"),
        (lambda: check_exact(lambda x: (x, x)), GradientError, "tuple"),
        (lambda: check_exact(lambda _x: 3.0, "x"), GradientError, "float"),
        (lambda: check_exact(lambda _x: tg.Value(3.0) * 2, "x"), GradientError, "none of its inputs"),
        (lambda: check_exact(lambda: tg.Value(3.0)), GradientError, "no inputs"),
        (lambda: check_exact(lambda a, b: a * b, "x", "x"), GradientError, "two inputs"),
        (lambda: check_exact(tg.exp, "x", order=3), UnsupportedError, "order"),
        (lambda: check_exact(lambda x: tg.sum(tg.reshape(x, (1,)))), UnsupportedError, "no expression for the op"),
    ],
)
def test_what_cannot_be_checked_is_refused(call, kind, message):
    with pytest.raises(kind, match=message):
        call()


def test_without_sympy_the_error_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "sympy", None)
    with pytest.raises(MissingDependencyError, match="check"):
        check_exact(tg.exp, "x")


# ------------------------------------------------------------------------------------------------------------- reports


def test_the_report_shows_formulas_the_culprit_and_a_point_where_they_differ(corrupt):
    corrupt(OPS["sin"], 0, MUTANTS["sign"])
    report = check_exact(lambda x, y: tg.exp(tg.sin(x) * y) + x * y)
    text = str(report)
    assert "wrong: ∂f/∂x of the engine is not sympy's" in text
    assert "the vjp of sin for its operand 0 (x) gives -g*cos(x), right is g*cos(x)" in text
    assert "∂f/∂y       x + exp(y*sin(x))*sin(x)     the same" in text
    found = report.to_dict()
    assert found["rules"][0]["op"] == "sin"
    assert set(found["derivatives"][0]["at"]) == {"x", "y"}
    assert found["derivatives"][0]["engine_value"] != found["derivatives"][0]["sympy_value"]
    assert "<table" in report._repr_html_()
    assert not report


def test_numbers_of_many_digits_are_printed_with_seven_and_kept_exactly():
    neuron = tg.nn.scalar.Neuron(2, rng=0)
    x = [0.1257302210933933, -0.1321048632913019]
    report = check_exact(lambda n: n(x), neuron)
    assert report.verdict == "right"
    assert "0.1257302*[b + 0.1257302*w1 - 0.1321049*w2 > 0]" in str(report)
    assert "1257302210933933" not in str(report) + report.latex
    assert "1257302210933933" in str(report.to_dict()["derivatives"])
    report = check_exact(lambda x: tg.floor(x * 0.1257302210933933) * x)
    assert "floor(0.1257302*x)" in str(report)


def test_the_report_gives_latex():
    report = check_exact(lambda x: tg.relu(x) * x)
    assert report.latex.startswith(r"\frac{\partial f}{\partial x} &= \begin{cases} 2 x & \text{for}\: x > 0")
    assert report.expression.subs(sp.Symbol("x", real=True), 3) == 9


def test_sympys_own_jumps_become_letters():
    translation = Translation()
    x = sp.Symbol("x", real=True)
    found = translation.jumps.settled(
        sp.Max(x, 0) + sp.Abs(x) + sp.ceiling(x) + sp.Piecewise((1, sp.Ne(x, 2)), (0, True))
    )
    assert not found.has(sp.Piecewise, sp.Max, sp.Abs, sp.ceiling)
    assert translation.jumps.plain(found).subs(x, sp.Rational(5, 2)) == 9


def test_a_deep_graph_does_not_exhaust_the_stack():
    def nested(n):
        def f(x):
            for _ in range(n):
                x = tg.sin(x)
            return x

        return f

    for n in (40, 90, 3000):
        report = check_exact(nested(n), "x")
        assert report.verdict == "right"
        assert str(report)
        assert report.to_dict()
        assert report.latex


def test_kinks_in_one_input_do_not_disturb_the_mixed_derivative():
    report = check_exact(lambda a, b, c: tg.maximum(a, b) * tg.relu(c - a) + abs(a * b), order=2)
    assert report.verdict == "right", report


def test_what_overflows_at_most_points_takes_no_time():
    def f(x):
        return tg.sin(tg.exp(tg.exp(tg.exp(x)))) + tg.cos(tg.exp(tg.exp(x) * 30))

    assert check_exact(f).verdict == "right"
