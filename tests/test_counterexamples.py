"""A wrong gradient, whatever it is wrong for, is found and shrunk to the smallest inputs; a right one is left alone."""

import contextlib
import io
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import strategies as st

import tinygrad_mlp as tg
from tinygrad_mlp.check import strategies
from tinygrad_mlp.check.counterexamples import Counterexample, find_counterexample, search
from tinygrad_mlp.check.reporting import Report
from tinygrad_mlp.errors import DataError, MissingDependencyError, ShapeError, UnsupportedError
from tinygrad_mlp.table import OPS

HERE = Path(__file__).parent

# ------------------------------------------------------------------------- by hand: right but for what each name says


def squares(x):
    return tg.sum(x * x)


def right(x):
    return 2 * x


def missing_factor(x):
    return x


def wrong_for_batches(x):
    return 2 * x / x.shape[0]


def wrong_unless_square(x):
    return 2 * (x if x.shape[0] == x.shape[1] else np.sqrt(np.abs(x)))


def wrong_below_zero(x):
    return 2 * np.abs(x)


def wrong_from_three(x):
    return 2 * x * (1 + 1e-3 * (x.shape[-1] >= 3))


def wrong_at_ties(x):
    return 2 * x + (np.unique(x).size < x.size)


def wrong_at_zero(x):
    return np.where(x == 0, 1.0, 2 * x)


def wrong_where_large(x):
    return np.where(np.abs(x) > 1e9, x, 2 * x)


def transposed(x):
    return 2 * x.T


def crashing_for_three(x):
    if x.shape[0] == 3:
        raise RuntimeError("three rows")
    return 2 * x


def overwriting(x):
    x *= 3.0
    return x


def product(a, b):
    return tg.sum(a * b)


def wrong_for_equal_operands(a, b):
    return (b + (a == b), a)


def layer(X, W):
    return tg.sum(tg.tanh(X @ W))


def layer_slopes(X, W):
    G = 1 - np.tanh(X @ W) ** 2
    return G @ W.T, X.T @ G


def layer_slopes_of_the_mean(X, W):
    G = 1 - np.tanh(X @ W) ** 2
    return G @ W.T, X.T @ G / len(X)


class Compared(Report):
    """A stand-in for ``check_formula``: the gradient by hand against that of the engine."""

    def __init__(self, verdict="right", text=""):
        self.verdict = verdict
        self.text = text

    def headline(self):
        return f"compared: {self.verdict}"

    def blocks(self):
        return [self.text]

    def to_dict(self):
        return {"verdict": self.verdict}


def compared(f, by_hand, inputs):
    """What the stand-in says; of a huge number nothing, as of an f that gives none."""
    found = by_hand(*[x.copy() for x in inputs])
    expected = tg.grad(f, argnums=tuple(range(len(inputs))))(*inputs)
    for a, b in zip(found if isinstance(found, tuple) else (found,), expected, strict=True):
        if a.shape != b.shape:
            raise ShapeError(f"{by_hand.__name__} gives shape {a.shape} for {b.shape}")
        if not np.allclose(a, b, rtol=1e-6, atol=0):
            return Compared("wrong", f"{a} is not {b}")
    return Compared()


def searched(f, by_hand, shapes, special=(False, True), **options):
    drawn = strategies.matching_shapes(shapes)
    both = [drawn.flatmap(lambda sides, s=s: strategies.filled(sides, special=s)) for s in special]
    return search(compared, f, by_hand, both, options.pop("max_examples", 200), **options)


WRONG = [
    (squares, missing_factor, "(n)", [[1.0]]),
    (squares, wrong_for_batches, "(n,d)", [[[1.0], [2.0]]]),
    (squares, wrong_unless_square, "(n,d)", [[[1.0, 2.0]]]),
    (squares, wrong_below_zero, "(n)", [[-1.0]]),
    (squares, wrong_from_three, "(n)", [[1.0, 2.0, -1.0]]),
    (squares, wrong_at_ties, "(n)", [[0.0, 0.0]]),
    (squares, wrong_at_zero, "(n)", [[0.0]]),
    (squares, wrong_where_large, "(n)", [[1e12]]),
    (squares, overwriting, "(n)", [[1.0]]),
    (product, wrong_for_equal_operands, "(n),(n)", [[0.0], [0.0]]),
    (layer, layer_slopes_of_the_mean, "(n,d),(d,k)", [[[1.0], [2.0]], [[-1.0]]]),
]


@pytest.mark.parametrize(("f", "by_hand", "shapes", "inputs"), WRONG, ids=lambda x: getattr(x, "__name__", ""))
def test_a_wrong_formula_is_found_and_shrunk_to_the_smallest(f, by_hand, shapes, inputs):
    report = searched(f, by_hand, shapes)
    assert report.found
    assert not report
    assert (report.verdict, report.report.verdict) == ("wrong", "wrong")
    assert [x.tolist() for x in report.inputs] == inputs


@pytest.mark.parametrize(
    ("f", "by_hand", "shapes"),
    [(squares, right, "(n,d)"), (layer, layer_slopes, "(n,d),(d,k)")],
    ids=["squares", "layer"],
)
def test_a_right_formula_is_not_accused(f, by_hand, shapes):
    report = searched(f, by_hand, shapes, max_examples=60)
    assert report
    assert (report.found, report.verdict, report.inputs, report.program) == (False, "right", None, "")
    assert f"right: no counterexample in {report.examples} examples" in str(report)


@pytest.mark.parametrize(
    ("by_hand", "inputs"),
    [(missing_factor, [[1.0]]), (wrong_for_batches, [[1.0], [2.0]]), (transposed, [[1.0, 2.0]])],
    ids=lambda x: getattr(x, "__name__", ""),
)
def test_without_a_stand_in_formulas_are_checked_by_check_formula(by_hand, inputs):
    report = find_counterexample(squares, by_hand, "(n,d)")
    assert report.inputs[0].tolist() == inputs
    assert run(report.program).startswith("check_formula of squares: wrong")
    assert report.report.verdict == "wrong"


def test_a_right_formula_is_not_accused_by_check_formula_either():
    assert find_counterexample(squares, right, "(n,d)", max_examples=30)


def test_a_formula_that_raises_is_a_counterexample():
    report = searched(squares, crashing_for_three, "(n,d)")
    assert report.inputs[0].shape == (3, 1)
    assert isinstance(report.error, RuntimeError)
    assert "raises RuntimeError: three rows" in str(report)
    assert report.to_dict()["error"] == "RuntimeError: three rows"


def test_a_formula_that_gives_the_wrong_shape_is_a_counterexample():
    report = searched(squares, transposed, "(n,d)")
    assert report.inputs[0].tolist() == [[1.0, 2.0]]
    assert "raises ShapeError: transposed gives shape (2, 1) for (1, 2)" in str(report)


def test_what_f_does_not_take_is_no_counterexample():
    def picky(x):
        if x.shape[0] != 2:
            raise ValueError("two rows only")
        return tg.sum(x * x)

    report = searched(picky, right, "(n,d)", max_examples=40)
    assert (report.verdict, report.examples) == ("right", 40)
    assert report.rejected > 5
    assert f"{report.rejected} more examples rejected, the first because of ValueError: two rows only" in str(report)
    assert searched(picky, missing_factor, "(n,d)").inputs[0].shape == (2, 1)


def test_where_f_takes_nothing_the_error_says_what_it_raises():
    def never(x):
        return x[5, 5]

    with pytest.raises(
        DataError, match=r"never could be checked for none of \d+ examples; .* too many indices"
    ) as caught:
        find_counterexample(never, max_examples=4)
    assert isinstance(caught.value.__cause__, IndexError)
    with pytest.raises(DataError, match=r"give the shapes that it takes, as in shapes='\(n,d\),\(d,k\)'"):
        find_counterexample(lambda a, b: a @ b @ a @ np.ones((7, 7)), max_examples=4)


def test_a_formula_that_raises_for_shapes_that_were_not_asked_for_is_told_how_to_say_which():
    def by_hand(X, w):
        N, _ = X.shape
        return np.outer(np.ones(N), w), X.sum(axis=0)

    hint = "if the formula is not for such shapes, say which: shapes='(n,d),(d,k)'"
    report = find_counterexample(lambda X, w: tg.sum(X @ w), by_hand)
    assert isinstance(report.error, tg.errors.GradcheckError)
    assert hint in str(report).splitlines()[-1]
    summed = find_counterexample(lambda X, w: tg.sum(X @ w), lambda X, w: (np.outer(np.ones(len(X)), w), X.sum(axis=0)))
    assert summed.report.problems
    assert hint in str(summed).splitlines()[-1]
    assert find_counterexample(lambda X, w: tg.sum(X @ w), by_hand, "(n,d),(d)", max_examples=20)
    given = find_counterexample(squares, crashing_for_three, "(n,d)")
    assert (given.hint, given.inputs[0].shape) == ("", (3, 1))


def test_where_most_examples_are_undecided_the_reason_is_told():
    for by_hand in (None, lambda x: 0.5 / np.sqrt(x)):
        report = find_counterexample(lambda x: tg.sum(tg.sqrt(x)), by_hand, max_examples=40)
        assert (report.verdict, 2 * report.undecided > report.examples) == ("undecided", True)
        assert f"{report.undecided} of them undecided, most because f is " in str(report)
        assert str(report).splitlines()[-1].startswith("  give strategy= with inputs in the domain of f")


@pytest.mark.parametrize("most", [1, 2, 5, 12])
def test_no_more_examples_are_tried_than_were_asked_for(most):
    assert find_counterexample(squares, max_examples=most).examples == most


def test_undecided_examples_are_counted():
    def hesitant(_f, _by_hand, inputs):
        return Compared("undecided" if inputs[0].size > 1 else "right")

    drawn = strategies.broadcastable(1)
    report = search(hesitant, squares, None, [drawn], 50)
    assert 0 < report.undecided < report.examples == 50
    assert f"{report.undecided} of them undecided" in str(report)
    never = search(lambda *_: Compared("undecided"), squares, None, [drawn], 20)
    assert (never.verdict, bool(never), never.found) == ("undecided", False, False)
    assert "undecided: all of 20 examples could not be decided" in str(never)


def test_a_check_that_wavers_still_gives_the_last_wrong_example():
    answers = iter(["wrong", *["right"] * 10_000])
    report = search(lambda *_: Compared(next(answers)), squares, None, [strategies.broadcastable(1)], 20)
    assert report.found
    assert report.report.verdict == "wrong"


# ----------------------------------------------------------------------------------------------- the engine's gradient


def op_with(forward, vjp, **row):
    """A primitive with a rule of its own, which is taken out of the table again."""
    op = tg.primitive(symbol="?", **row)(forward)
    tg.defvjp(op, vjp)
    OPS.pop(op.name)
    return op


def _cubed(xp, x):
    """Return the cube of x."""
    return x * x * x


def _row_sums(xp, x):
    """Return the sums of the squares of rows."""
    return xp.sum(x * x, axis=-1)


def _turned(xp, x):
    """Return x transposed."""
    return xp.matrix_transpose(x)


sign_lost = op_with(_cubed, lambda g, _y, x: g * 3 * x * tg.abs(x), elementwise=True)
one_per_cent = op_with(_cubed, lambda g, _y, x: g * 3 * x * x * (1.01 if np.size(x) >= 3 else 1), elementwise=True)
mean_for_sum = op_with(_row_sums, lambda g, _y, x: 2 * tg.expand_dims(g, axis=-1) * x / x.shape[0])
not_turned_back = op_with(_turned, lambda g, _y, _x: g)


@pytest.mark.parametrize(
    ("op", "shapes", "inputs"),
    [
        (sign_lost, None, -1.0),
        (one_per_cent, "(n)", [1.0, 2.0, -1.0]),
        (mean_for_sum, "(n,d)", [[1.0], [2.0]]),
        (not_turned_back, "(n,d)", [[1.0, 2.0]]),
    ],
    ids=["sign", "one per cent", "mean for sum", "shape"],
)
def test_a_wrong_rule_of_the_engine_is_found_and_shrunk(op, shapes, inputs):
    report = find_counterexample(op, shapes=shapes)
    assert report.found
    assert report.inputs[0].tolist() == inputs
    assert Path(__file__).name in str(report)  # the culprit's line, not one of Hypothesis


@pytest.mark.parametrize(
    ("f", "shapes"),
    [
        (tg.relu, None),
        (tg.maximum, None),
        (tg.abs, "(n)"),
        (tg.matmul, [("n", "d"), ("d", 2)]),
        (lambda X, W, b: X @ W + b, "(n,d),(d,k),(k)"),
    ],
    ids=["relu", "maximum", "abs", "matmul", "layer"],
)
def test_a_right_gradient_is_not_accused_at_kinks_and_ties(f, shapes):
    assert not find_counterexample(f, shapes=shapes, max_examples=50).found


def test_inputs_can_be_drawn_from_a_strategy_of_ones_own():
    steps = st.integers(1, 9)
    report = find_counterexample(lambda n, x: sign_lost(x) * n, strategy=st.tuples(steps, st.just(np.array([-2.0]))))
    assert (report.inputs[0], report.inputs[1].tolist()) == (1, [-2.0])
    assert report.program.splitlines()[1] == "n, x = 1, np.array([-2.0])"


def test_random_graphs_can_be_searched():
    graphs = strategies.graphs(max_steps=3).map(lambda program: (program,))
    report = search(
        lambda _f, _by_hand, inputs: Compared("wrong" if any(s.op == "exp" for s in inputs[0].steps) else "right"),
        squares,
        None,
        [graphs],
        300,
    )
    assert [step.op for step in report.inputs[0].steps] == ["exp"]


# --------------------------------------------------------------------------------------------------------- the program


def run(program, scope=None):
    """What a program prints."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(program, scope if scope is not None else {})
    return out.getvalue()


def slipped(x):
    return tg.sum(sign_lost(x))


class Holder:
    @staticmethod
    def slipped(x):
        return slipped(x)


def test_the_program_has_three_lines_and_reproduces_the_report():
    report = find_counterexample(slipped)
    assert report.program.splitlines() == [
        "import numpy as np; import tinygrad_mlp as tg; from test_counterexamples import slipped",
        "x = np.array(-1.0)",
        "print(tg.gradcheck(slipped, x, raise_exception=False))",
    ]
    assert report.scope == ()
    assert run(report.program).startswith(report.report.headline())


def test_the_program_runs_by_itself():
    program = find_counterexample(slipped, max_examples=20).program
    paths = os.pathsep.join([str(HERE), *filter(None, [os.environ.get("PYTHONPATH")])])
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        env={**os.environ, "PYTHONPATH": paths},
        cwd=HERE.parent,
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stdout.startswith("gradcheck of slipped: wrong")


def test_the_program_of_a_formula_calls_check_formula():
    report = searched(squares, missing_factor, "(n)")
    assert report.program.splitlines() == [
        "import numpy as np; import tinygrad_mlp as tg; from test_counterexamples import squares, missing_factor",
        "x = np.array([1.0])",
        "print(tg.check_formula(squares, missing_factor, x, raise_exception=False))",
    ]


def test_what_cannot_be_imported_is_said_to_be_needed():
    def inner(x):
        return sign_lost(x)

    inner.__name__ = "<lambda>"
    report = find_counterexample(inner, max_examples=20)
    assert report.scope == ("f",)
    assert str(report).splitlines()[1:3] == ["  # run it where f is defined", "  " + report.program.splitlines()[0]]
    assert run(report.program, {"f": inner}).startswith(report.report.headline())


def test_a_function_of_main_is_not_imported(monkeypatch):
    monkeypatch.setattr(slipped, "__module__", "__main__")
    report = find_counterexample(slipped, max_examples=20)
    assert report.scope == ("slipped",)
    assert "from __main__" not in report.program


def test_a_function_of_a_class_is_imported_with_its_class():
    report = find_counterexample(Holder.slipped, max_examples=20)
    assert "from test_counterexamples import Holder\n" in report.program
    assert run(report.program).startswith("gradcheck of slipped: wrong")


another = missing_factor.__class__(missing_factor.__code__, globals(), "squares")


def test_two_functions_of_one_name_are_told_apart():
    report = searched(squares, another, "(n)")
    assert report.program.splitlines()[2] == "print(tg.check_formula(squares, another, x, raise_exception=False))"

    def squares_again(x):
        return x

    squares_again.__name__ = "squares"
    report = searched(squares, squares_again, "(n)")
    assert report.program.splitlines()[2] == "print(tg.check_formula(squares, by_hand, x, raise_exception=False))"
    assert report.scope == ("by_hand",)


def test_inputs_are_not_called_what_the_functions_are():
    def slope(np, slope, /):
        return sign_lost(np) + slope

    report = find_counterexample(slope, shapes="(),()")
    assert report.program.splitlines()[1] == "np_, slope_ = np.array(-1.0), np.array(1.0)"
    assert run(report.program, {"slope": slope}).startswith("gradcheck of slope: wrong")


# ---------------------------------------------------------------------------------------------------------- the report


def test_the_same_call_gives_the_same_report():
    def found(rng):
        return searched(squares, wrong_below_zero, "(n)", rng=rng).to_dict()

    assert found(0) == found(0)
    assert found(np.random.default_rng(3)) == found(np.random.default_rng(3))
    assert len({found(seed)["examples"] for seed in range(5)}) > 1


def test_a_report_prints_in_a_terminal_in_a_notebook_and_as_json():
    report = searched(squares, wrong_for_batches, "(n,d)")
    lines = str(report).splitlines()
    assert lines[0].startswith("find_counterexample of squares: wrong: a counterexample, found after ")
    assert lines[1:4] == [f"  {line}" for line in report.program.splitlines()]
    assert "  compared: wrong" in lines
    assert "<pre>import numpy as np;" in report._repr_html_()
    found = report.to_dict()
    assert found["inputs"] == ["np.array([[1.0], [2.0]])"]
    assert (found["check"], found["function"]) == ("find_counterexample", "squares")
    assert (found["verdict"], found["report"], found["error"]) == ("wrong", {"verdict": "wrong"}, None)


def test_nothing_is_printed(capfd):
    find_counterexample(slipped, max_examples=20)
    searched(squares, right, "(n)", max_examples=20)
    assert capfd.readouterr() == ("", "")


def test_the_count_of_examples_ends_with_the_first_wrong_one():
    report = searched(squares, missing_factor, "(n)")
    assert isinstance(report, Counterexample)
    assert report.examples == 1
    assert report.headline().endswith("found after 1 example")


# -------------------------------------------------------------------------------------------------------------- errors


def any_number(*inputs):
    return inputs[0]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"f": any_number}, r"any_number takes any number of inputs, or none: give their shapes"),
        ({"f": lambda: 1.0}, r"takes any number of inputs, or none"),
        ({"f": 3}, r"int does not say how many inputs it takes"),
        ({"f": squares, "shapes": "(n)", "strategy": st.none()}, r"give shapes or a strategy, not both"),
        ({"f": squares, "strategy": [1.0]}, r"strategy is a list; give a Hypothesis strategy"),
        ({"f": squares, "strategy": st.just([1.0])}, r"the strategy gave a list; let it give a tuple"),
        ({"f": squares, "by_hand": np.ones(2)}, r"by_hand is a ndarray: give the function that computes"),
        ({"f": squares, "max_examples": 0}, r"max_examples is 0; give a positive number"),
    ],
)
def test_a_wrong_call_is_refused(options, message):
    with pytest.raises(UnsupportedError, match=message):
        find_counterexample(**options)


def test_shapes_that_cannot_be_read_are_refused():
    with pytest.raises(ShapeError, match=r"'n' in .* is no shape"):
        find_counterexample(squares, shapes=("n", "d"))


def test_a_strategy_without_examples_is_refused():
    with pytest.raises(DataError, match="the strategy gives no examples"):
        find_counterexample(squares, strategy=st.nothing())


def test_without_hypothesis_the_error_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "hypothesis", None)
    with pytest.raises(MissingDependencyError, match=r"find_counterexample needs hypothesis: .*tinygrad-mlp\[check\]"):
        find_counterexample(squares)
