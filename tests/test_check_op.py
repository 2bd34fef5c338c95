"""check_op confirms the rows of the table, and names every kind of fault in a row of the user's under its aspect."""

import json
import re

import numpy as np
import pytest
from faulty_rows import FAULTY, product, square
from hypothesis import given
from hypothesis import strategies as st
from op_cases import samples
from strategies import FEW, ROWS

import tinygrad_mlp as tg
from tinygrad_mlp.check.rows import ASPECTS, check_op
from tinygrad_mlp.errors import DTypeError, GradcheckError, ShapeError, UnsupportedError
from tinygrad_mlp.ops import divide, where
from tinygrad_mlp.table import defjvp, defvjp, primitive

ELEMENTWISE = {name: op for name, op in ROWS.items() if op.elementwise}
OTHERS = {name: op for name, op in ROWS.items() if not op.elementwise}
# What is wrong in the table itself, by aspect.
KNOWN = {
    "power": {"dtypes", "floats against arrays"},  # the rule of b widens beside a number; NumPy's array(-inf) ** 0.5
    "xlogy": {"dtypes", "special points"},  # the rule of x widens beside a number; nan for y at (0, 0), as PyTorch's
    "cofactors_slope": {"broadcasting"},  # takes stacks of different lengths, and then fails in its rule
}


pytestmark = pytest.mark.usefixtures("own_rows")


def is_as_known(report):
    undecided = [a.name for a in report.aspects if a.verdict == "undecided"]
    return set(report.wrong) <= KNOWN.get(report.op, set()) and not undecided


# ----------------------------------------------------------------------------------------------------- the table itself


@pytest.mark.parametrize("op", ELEMENTWISE.values(), ids=ELEMENTWISE)
def test_it_confirms_every_elementwise_row_with_operands_of_its_own(op):
    report = check_op(op, raise_exception=False)
    assert is_as_known(report), report
    assert set(report.wrong) == KNOWN.get(op.name, set())  # what is put right leaves the list
    assert [a.name for a in report.aspects] == list(ASPECTS)


@pytest.mark.parametrize("op", OTHERS.values(), ids=OTHERS)
@FEW
@given(data=st.data())
def test_it_confirms_every_other_row_at_operands_that_suit_it(op, data):
    sample = data.draw(samples(op))
    if op.differentiable and not all(sample.operands[i].size for i in sample.wrt):
        return
    if op.name == "det" and (np.linalg.matrix_rank(sample.operands[0]) < sample.operands[0].shape[-1] - 1).any():
        return  # the second derivatives are 0, and so is all that they are computed from: rounding alone
    operands = [list(sample.operands)] if op.arity is None else sample.operands
    params = {name: value for name, value in sample.params.items() if name != "rng"}
    report = check_op(op, *operands, rng=data.draw(st.integers(0, 1000)), raise_exception=False, **params)
    assert is_as_known(report), report


@pytest.mark.parametrize("name", ["matmul", "softmax", "sum", "std", "cholesky", "det", "concatenate", "max", "argmax"])
def test_it_finds_operands_for_a_row_that_is_not_elementwise(name):
    report = check_op(name)
    assert report
    assert "operands: (" in str(report)


# --------------------------------------------------------------------------------------------------------------- faults


@pytest.mark.parametrize("fault", FAULTY.values(), ids=FAULTY)
def test_it_names_the_aspect_of_every_fault(fault):
    report = check_op(fault.make(), raise_exception=False)
    assert tuple(report.wrong) == fault.aspects, report
    assert fault.words in str(report)
    assert not report
    assert report.verdict == "wrong"


@given(k=st.floats(-3, 3), seed=st.integers(0, 1000))
def test_every_factor_but_one_is_wrong(k, seed):
    report = check_op(product(lambda g, _y, _a, b: k * (g * b)), rng=seed, raise_exception=False)
    assert report.wrong == ([] if k == 1 else ["vjp"])


@given(at=st.tuples(st.integers(0, 1), st.integers(0, 2)), size=st.sampled_from([1e-3, 1.0, -50.0]))
def test_one_wrong_element_is_found_and_named(at, size):
    weights = np.arange(1.0, 7.0).reshape(2, 3)
    bump = np.zeros((2, 3))
    bump[at] = size

    @primitive
    def my_weighing(xp, x):
        if x.shape != weights.shape:
            raise ValueError("as many as there are weights")
        return x * weights.astype(x.dtype)

    defvjp(my_weighing, lambda g, _y, x: g * (weights * (1 + bump)).astype(x.dtype))
    report = check_op(my_weighing, np.ones((2, 3)), raise_exception=False)
    assert report.wrong == ["vjp"]
    assert f"in element [{at[0]}, {at[1]}] gives" in report["vjp"].what


def test_a_right_row_with_every_extra_is_confirmed():
    @primitive(symbol="²", latex=r"{0}^2", elementwise=True, analytic=True)
    def my_square(xp, x):
        """Return ``x²``."""
        return x * x

    defvjp(my_square, lambda g, _y, x: g * (2 * x))
    defjvp(my_square, lambda t, _y, x: t * (2 * x))
    report = check_op(my_square)
    assert {a.name: a.verdict for a in report.aspects if a.verdict != "right"} == {"broadcasting": "not applicable"}
    assert check_op("my_square", 3.0)
    assert check_op(my_square, tg.Tensor([1.0, 2.0]))


def test_a_documented_convention_outside_of_the_slopes_is_a_note():
    @primitive(elementwise=True, kinks="2 at 0")
    def my_ramp(xp, x):
        return xp.where(x > 0, x, 0.0 * x)

    defvjp(my_ramp, lambda g, _y, x: where(x == 0, 2 * g, where(x > 0, g, 0.0)))
    report = check_op(my_ramp)
    assert report["special points"].verdict == "note"
    assert "the row says: 2 at 0" in report["special points"].what


def test_what_depends_on_another_fault_is_not_checked():
    report = check_op(square(lambda g, _y, x: -2 * g * x), raise_exception=False)
    assert report["vjp"].verdict == "wrong"
    assert report["jvp"].verdict == report["second order"].verdict == "not checked"
    assert report["linearity in the cotangent"].verdict == "right"


# ----------------------------------------------------------------------------------------------------------- its report


def test_the_error_carries_the_report_with_remedies():
    op = square(lambda g, _y, x: 2 * g * x / x.size.twice)
    with pytest.raises(GradcheckError, match="check_op of my_square: wrong: vjp"):
        check_op(op)
    report = check_op(FAULTY["raw_division"].make(), raise_exception=False)
    assert "  → Python's / raises where IEEE arithmetic gives inf or nan: write divide(a, b)" in str(report)
    assert "<table" in report._repr_html_()


def test_the_report_as_a_dict_is_json():
    found = json.loads(json.dumps(check_op(FAULTY["wide_rule"].make(), raise_exception=False).to_dict()))
    assert found["verdict"] == "wrong"
    dtypes = next(a for a in found["aspects"] if a["aspect"] == "dtypes")
    assert dtypes["verdict"] == "wrong"
    assert "math.sqrt(2)" in dtypes["faults"][0]["remedy"]
    with pytest.raises(KeyError):
        check_op("exp")["vpj"]


@pytest.mark.parametrize("k", [-1.0, 2.0])
def test_of_an_elementwise_row_the_point_is_told_where_the_gradient_is_wrong(k):
    report = check_op(square(lambda g, _y, x: 2 * k * g * x), np.array([0.25, 0.75]), raise_exception=False)
    assert re.search(r"its vjp for operand 0 \(x\) in element \[\d\], at x = 0\.[27]5, gives ", str(report)), report


def test_a_fault_is_told_once_though_many_calls_show_it():
    @primitive
    def my_softmax(xp, x):
        e = xp.exp(x - xp.max(x, axis=-1, keepdims=True))
        return e / xp.sum(e, axis=-1, keepdims=True)

    defvjp(my_softmax, lambda g, y, _x: g * y * (1 - y))
    report = check_op(my_softmax, raise_exception=False)
    assert len(report["vjp"].faults) == 1, report
    assert str(report).count("its vjp for") == 1


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        (lambda g, _y, x: where(x == 0, 5 * g, where(x > 0, g, -g)), "is 5"),
        (lambda g, y, x: divide(g * x, y), "is nan"),
    ],
)
def test_zero_and_minus_zero_are_one_point_and_a_kink_wants_a_number_between_its_slopes(rule, said):
    @primitive(elementwise=True)
    def my_abs(xp, x):
        return xp.abs(x)

    defvjp(my_abs, rule)
    report = check_op(my_abs, raise_exception=False)
    assert report.wrong == ["special points"]
    (fault,) = report["special points"].faults
    assert fault.what == f"at x = 0 the gradient of operand 0 (x) {said}, the slopes are -1 and 1"
    assert "a number between" in fault.remedy


def test_ties_at_many_points_are_one_fault():
    @primitive(elementwise=True)
    def my_maximum(xp, a, b):
        return xp.maximum(a, b)

    defvjp(
        my_maximum, lambda g, _y, a, b: where(a >= b, g, 0.0), lambda g, _y, a, b: where(b > a, g, where(a == b, -g, 0))
    )
    report = check_op(my_maximum, raise_exception=False)
    assert len(report["special points"].faults) == 1, report


# -------------------------------------------------------------------------------------------------------- its arguments


def test_it_takes_a_row_by_name_with_operands_params_and_lists():
    assert check_op("sum", np.ones((2, 3)) * [1.0, 2.0, 4.0], axis=1)
    assert check_op("concatenate", [np.arange(3.0), np.arange(2.0)])
    assert check_op("where", np.array([True, False]), np.array([1.0, 2.0]), np.array([3.0, 4.0]))
    assert check_op("clip", np.array([0.5, 3.0]), None, 2.0)
    assert check_op("dropout_mask", np.ones((3, 2)), rng=5, p=0.5)["vjp"].verdict == "not applicable"


def test_its_operands_are_left_as_they_are():
    x = np.array([1.0, 2.0])
    check_op(FAULTY["writing_into_x"].make(), x, raise_exception=False)
    assert x.tolist() == [1.0, 2.0]


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        (("tanhh",), UnsupportedError, "the table has no op 'tanhh': did you mean 'tanh'?"),
        ((len,), UnsupportedError, "takes an op, made by @primitive, or its name"),
        (("getitem",), UnsupportedError, r"pass operands: check_op\(getitem, x, …\)"),
        (("exp", np.array([1, 2])), DTypeError, "no operand of exp is floating"),
        (("matmul", np.ones((2, 3)), np.ones((4, 5))), ShapeError, "inner lengths 3 and 4 differ"),
        (("exp", np.array([1j])), DTypeError, "real numbers"),
    ],
)
def test_arguments_that_do_not_suit_are_refused_in_words(arguments, error, words):
    with pytest.raises(error, match=words):
        check_op(*arguments)
