"""Our gradient check has no false alarm and no miss where the others do, and the page says how these fare."""

import importlib.util
from pathlib import Path

import pytest

import tinygrad_mlp as tg
from benchmarks import gradcheck_cost, gradcheck_verdicts
from benchmarks.gradcheck_cases import CASES, RIGHT
from benchmarks.gradcheck_verdicts import AUTOGRAD, FAST, JAX, OURS, TORCH
from tinygrad_mlp.table import OPS

DOCS = Path(__file__).parents[1] / "docs"
SPEC = importlib.util.spec_from_file_location("make_verdicts", DOCS / "make_verdicts.py")
make_verdicts = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(make_verdicts)
PAGE = (DOCS / "gradcheck.md").read_text("utf-8")
COLUMNS = make_verdicts.read(PAGE)


@pytest.fixture
def scaled():
    """A primitive that returns its operand, and whose rule gives ``scaled.factor`` times the gradient."""

    @tg.primitive(elementwise=True)
    def scaled_gradient(xp, x):
        return x * 1.0

    tg.defvjp(scaled_gradient, lambda g, _y, _x: scaled_gradient.factor * g)
    scaled_gradient.factor = 1.0
    yield scaled_gradient
    del OPS["scaled_gradient"]


@pytest.fixture(scope="module")
def checkers():
    """The checkers that are installed; for the module, since JAX draws from NumPy's generator when it is imported."""
    return gradcheck_verdicts.checkers()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_our_verdict_is_the_truth(case):
    assert gradcheck_verdicts.with_ours(case) == [case.truth]


@pytest.mark.parametrize("factor", [-1.0, 0.5, 2.0, 1.01])
@pytest.mark.parametrize("case", RIGHT, ids=lambda case: case.name)
def test_where_a_right_gradient_passes_a_wrong_one_does_not(case, factor, scaled):
    scaled.factor = factor
    xp = gradcheck_verdicts.our_functions()
    for f in (lambda x: case.f(xp, scaled(x)), lambda x: scaled(case.f(xp, x))):
        report = tg.gradcheck(f, case.x, blame=True, raise_exception=False)
        assert (report.verdict, [c.op for c in report.culprits]) == ("wrong", ["scaled_gradient"])


@pytest.mark.parametrize("name", [TORCH, FAST, JAX, AUTOGRAD])
def test_the_page_says_what_a_peer_makes_of_the_cases(name, checkers):
    if name not in checkers:
        pytest.skip(f"{gradcheck_verdicts.PACKAGES[name]} is not installed")
    head, cells = COLUMNS[name]
    now = make_verdicts.measured(name, checkers[name])
    if now[0] != head:
        pytest.skip(f"the page is about {head}, and here is {now[0]}")
    assert now[1] == cells, "run: python docs/make_verdicts.py"


def test_the_table_on_the_page_is_whole():
    assert COLUMNS.keys() == {OURS, TORCH, FAST, JAX, AUTOGRAD}
    for _, cells in COLUMNS.values():
        assert list(cells) == [case.name for case in CASES]
        assert all(cells.values())
    assert set(COLUMNS[OURS][1].values()) == {"✓"}
    assert make_verdicts.TABLE.search(PAGE).group() == make_verdicts.table(COLUMNS)


def test_a_verdict_is_told_as_a_false_alarm_or_a_miss_and_how_often():
    right, wrong = RIGHT[0], CASES[-1]
    assert gradcheck_verdicts.outcome(right, ["right"]) == gradcheck_verdicts.outcome(wrong, ["wrong"]) == "✓"
    assert gradcheck_verdicts.outcome(right, ["wrong", "right"]) == "false alarm 1 of 2 times"
    assert gradcheck_verdicts.outcome(wrong, ["right"]) == "missed"
    assert gradcheck_verdicts.outcome(wrong, ["undecided"]) == "undecided"


def test_the_checks_whose_cost_is_measured_confirm_the_gradients():
    for checks in (gradcheck_cost.products(4), gradcheck_cost.second_derivatives(), gradcheck_cost.large_graph(2, 5)):
        rows = gradcheck_cost.rows("some work", checks, "PyTorch", rounds=1)
        assert [name.removeprefix("tinygrad_mlp, ") for _, name, _, _ in rows] == list(checks)


def test_a_check_that_rejects_right_gradients_is_not_timed():
    with pytest.raises(AssertionError, match="some work: mine rejects the gradients"):
        gradcheck_cost.rows("some work", {"mine": lambda: False}, "mine", rounds=1)
