"""gradcheck confirms right derivatives of every kind, and names each element of a wrong one."""

import json
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from op_cases import direction, samples
from strategies import SMOOTH, call

import tinygrad_mlp as tg
from tinygrad_mlp import nn
from tinygrad_mlp.check import assert_gradients, gradcheck, gradgradcheck
from tinygrad_mlp.errors import DTypeError, GradcheckError, GradientError, UnsupportedError
from tinygrad_mlp.table import OPS, defjvp, defvjp, defvjps, primitive


@pytest.fixture
def cube():
    """A primitive whose rule is wrong where x < 1: 2.9 x² instead of 3 x²."""

    @primitive(elementwise=True)
    def cube_with_a_slip(xp, x):
        return x * x * x

    defvjp(cube_with_a_slip, lambda g, y, x: g * tg.where(x >= 1, 3.0, 2.9) * x * x)  # noqa: ARG005
    yield cube_with_a_slip
    del OPS["cube_with_a_slip"]


@pytest.mark.parametrize("op", SMOOTH.values(), ids=SMOOTH)
@given(data=st.data())
def test_it_confirms_every_row_of_the_table(op, data):
    sample = data.draw(samples(op))
    if not sample.wrt or not all(sample.operands[i].size for i in sample.wrt):
        return  # nothing can be varied

    def f(*varied):
        operands = list(sample.operands)
        for i, x in zip(sample.wrt, varied, strict=True):
            operands[i] = direction(op, x)
        y = call(op, operands, sample.params)
        # Small elements of a matrix carry the rounding of the large ones, more than their own size lets one expect.
        return y + 10.0 if op.__module__.endswith("matrices") else y

    assert gradcheck(f, *(sample.operands[i] for i in sample.wrt))


@pytest.mark.parametrize("x", [3.0, -0.0, 1e-12, 1e8])
def test_it_takes_numbers_of_every_size(x):
    report = gradcheck(lambda x: x * x * x + 2 * x, x)
    assert report.elements[0].analytic == 3 * x * x + 2


@pytest.mark.parametrize(
    ("f", "x"),
    [
        (lambda x: x**3, 0.0),
        (lambda x: x**5, 0.0),
        (tg.sqrt, 1e-8),
        (tg.log, 1e-12),
        (lambda x: tg.exp(100 * x), 0.3),
        (lambda x: tg.sin(1e3 * x), 0.2),
        (lambda x: x + 1e9, 2.0),
        (lambda x: 1e-9 * x * x, 2.0),
        (tg.sigmoid, -700.0),
    ],
)
def test_it_is_not_misled_by_curvature_edges_or_rounding(f, x):
    assert gradcheck(f, x)
    assert gradcheck(f, np.array([x, x]))


def test_a_graph_recorded_before_can_still_run_backward():
    w, v = tg.Tensor([1.0, 2.0]), tg.Value(3.0)
    loss = (w * w * v).sum()
    assert tg.gradcheck(lambda w, v: (w * w * v).sum(), w, v).passed
    loss.backward()
    assert np.array_equal(w.grad, [6.0, 12.0])
    assert v.grad == 5.0


def test_it_names_the_elements_of_a_wrong_rule(cube):
    x = np.array([[0.5, 2.0], [3.0, 0.25]])
    report = gradcheck(cube, x, raise_exception=False)
    assert not report
    assert {(e.place, e.output) for e in report.failures} == {("x[0, 0]", "[0, 0]"), ("x[1, 1]", "[1, 1]")}
    failure = next(e for e in report.failures if e.place == "x[0, 0]")
    assert (failure.analytic, failure.numeric) == (pytest.approx(0.725), pytest.approx(0.75))
    assert failure.bound < 1e-9
    assert str(report).startswith("gradcheck of cube_with_a_slip: wrong: 2 of 16 derivatives are wrong")
    assert "∂f[0, 0]/∂x[0, 0]  0.725" in str(report)
    assert [(c.op, c.operand, c.index) for c in report.culprits] == [("cube_with_a_slip", 0, (0, 0))]
    assert "test_gradcheck.py:" in report.culprits[0].source


def test_it_raises_unless_told_otherwise(cube):
    with pytest.raises(GradcheckError, match=r"1 of 1 derivative is wrong(.|\n)*∂f/∂x +0.725"):
        gradcheck(cube, 0.5)


@pytest.mark.parametrize("share", [1 - 1e-4, 1 + 1e-4, 0.0, -1.0, 2.0])
def test_it_sees_a_factor_however_small_the_derivative_is(share):
    @primitive(elementwise=True)
    def scaled(xp, x):
        return 1e-6 * x * x

    defvjp(scaled, lambda g, y, x: share * 2e-6 * g * x)  # noqa: ARG005
    try:
        assert len(gradcheck(scaled, np.array([1.0, -2.0, 1e-3]), raise_exception=False).failures) == 3
    finally:
        del OPS["scaled"]


def test_it_sees_two_elements_that_were_exchanged():
    @primitive
    def pair(xp, x):
        return xp.stack([x[0] * x[1], x[1]])

    defvjps(pair, lambda wanted, g, y, x, saved=None: (tg.stack([g[0] * x[0], g[0] * x[1] + g[1]]),))  # noqa: ARG005
    try:
        places = [(e.output, e.place) for e in gradcheck(pair, np.array([2.0, 3.0]), raise_exception=False).failures]
        assert sorted(places) == [("[0]", "x[0]"), ("[0]", "x[1]")]
    finally:
        del OPS["pair"]


def test_it_sees_a_gradient_that_was_lost():
    report = gradcheck(lambda x: x * x.detach(), np.array([1.0, 2.0]), raise_exception=False)
    assert [(e.place, e.analytic) for e in report.failures] == [("x[0]", 1.0), ("x[1]", 2.0)]
    assert not gradcheck(lambda x: float(x) ** 2, 3.0, raise_exception=False)


def test_a_kink_is_reported_and_is_no_failure():
    report = gradcheck(tg.relu, np.array([0.0, 1.0, -2.0, 1e-9]))
    assert [e.place for e in report.kinks] == ["x[0]"]
    assert "∂f[0]/∂x[0]: kink at relu" in str(report)
    assert "input [0]: 0 is between the slopes 0 and 1" in str(report)
    assert gradcheck(abs, 0.0).kinks
    assert gradcheck(lambda x, y: tg.maximum(x, y).sum(), np.ones(2), np.ones(2)).kinks


def test_a_number_outside_of_both_slopes_is_a_failure_at_a_kink_too():
    @primitive(elementwise=True)
    def hinge_with_a_slip(xp, x):
        return xp.maximum(x, 0.0)

    defvjp(hinge_with_a_slip, lambda g, y, x: g * tg.where(x > 0, 1.0, -0.5))  # noqa: ARG005
    try:
        assert [e.place for e in gradcheck(hinge_with_a_slip, np.zeros(1), raise_exception=False).failures] == ["x[0]"]
    finally:
        del OPS["hinge_with_a_slip"]


def test_it_opens_nests_and_passes_on_what_cannot_be_varied():
    def f(weights, labels, scale):
        assert labels.dtype == np.int64
        assert scale == 2
        return tg.cross_entropy(weights["a"] * scale, labels) * weights["b"][0]

    report = gradcheck(f, {"a": np.arange(6.0).reshape(2, 3), "b": [1.5]}, np.array([0, 2]), 2)
    assert [(x.name, x.shape, x.checked) for x in report.inputs] == [
        ("weights['a']", (2, 3), 6),
        ("weights['b'][0]", (), 1),
    ]


def test_every_element_of_every_output_is_compared():
    report = gradcheck(lambda x: (x.sum(), [x * x]), np.ones(3))
    assert len(report.elements) == 4 * 3
    assert {e.output for e in report.elements} == {"[0]", "[1, 0]", "[1, 1]", "[1, 2]"}


def test_a_module_is_varied_in_place_and_restored():
    model = nn.MLP([2, 3, 2], "tanh", "softmax", rng=1)
    X, y = np.random.default_rng(0).normal(size=(5, 2)), np.array([0, 1, 1, 0, 1])
    before = model.state_dict()
    model.loss(X, y).backward()
    gradients = [p.grad.copy() for p in model.parameters()]
    for report in (gradcheck(lambda: model.loss(X, y), model), gradcheck(lambda m: m.loss(X, y), model)):
        assert [x.checked for x in report.inputs] == [6, 3, 6, 2]
    assert all(np.array_equal(before[name], value) for name, value in model.state_dict().items())
    assert all(np.array_equal(g, p.grad) for g, p in zip(gradients, model.parameters(), strict=True))


def test_leaves_are_restored_when_the_function_fails():
    w = tg.Tensor([1.0, 2.0], name="w")

    def f():
        if w.numpy()[0] > 1:
            raise RuntimeError("halfway")
        return (w * w).sum()

    with pytest.raises(RuntimeError, match="halfway"):
        gradcheck(f, w)
    assert w.tolist() == [1.0, 2.0]


def test_scalar_graphs_are_checked_too():
    network = nn.scalar.MLP(2, [3, 1], rng=0)
    report = gradcheck(lambda: (network([0.3, -0.7]) - 1.0) ** 2, network)
    assert len(report.elements) == len(list(network.parameters())) == 13


def test_a_sample_checks_as_many_elements_as_asked_for():
    report = gradcheck(lambda x, y: (x * x).sum() * y, np.ones((4, 5)), 2.0, sample=3, rng=1)
    assert [x.checked for x in report.inputs] == [3, 1]
    again = gradcheck(lambda x, y: (x * x).sum() * y, np.ones((4, 5)), 2.0, sample=3, rng=1)
    assert again.elements == report.elements


def test_it_works_where_recording_is_off():
    with tg.no_grad():
        assert gradcheck(lambda x: x * x, 2.0).elements[0].analytic == 4.0


@pytest.mark.parametrize(
    ("f", "inputs", "error", "message"),
    [
        (tg.exp, [np.float16(1)], DTypeError, "x is float16"),
        (lambda x: x > 0, [np.ones(2)], DTypeError, "f returned bool"),
        (tg.exp, [3], GradientError, "no input requires a gradient: 3 holds integers: write floats"),
        (tg.multiply, [(1.0, 2.0)], UnsupportedError, r"got one tuple: write gradcheck\(f, \*inputs\)"),
        (1.0, [1.0], UnsupportedError, "takes a function"),
        (tg.exp, [tg.exp(tg.Value(1.0))], GradientError, r"x is computed \(exp\)"),
        (lambda x: [], [1.0], GradientError, "returned nothing"),  # noqa: ARG005
        (nn.Dropout(0.5, rng=0), [np.ones(8)], GradientError, "different values for the same input"),
    ],
)
def test_what_cannot_be_checked_is_said(f, inputs, error, message):
    with pytest.raises(error, match=message):
        gradcheck(f, *inputs)


def test_a_report_shows_its_table_at_the_prompt():
    report = gradcheck(lambda w: tg.tanh(w).sum(), np.ones(2))
    assert repr(report) == str(report)


def test_where_a_derivative_is_infinite_nothing_is_decided():
    for x in (0.0, np.array([0.0, 4.0])):
        report = gradcheck(tg.sqrt, x)
        assert (report.verdict, bool(report), report.passed) == ("undecided", False, True)
        assert {e.index for e in report.undecided} == {() if np.ndim(x) == 0 else (0,)}
        assert "there is no derivative" in report.undecided[0].reason


def test_a_nan_beside_a_finite_slope_is_wrong():
    report = gradcheck(lambda x: tg.where(x > 0, tg.sqrt(x), 0.0 * x), np.array([-1.0, 4.0]), raise_exception=False)
    assert {e.name for e in report.failures} == {"∂f[0]/∂x[0]", "∂f[1]/∂x[0]"}
    assert "where_nan" in str(report)


@pytest.mark.parametrize(
    ("f", "inputs"),
    [
        (tg.sin, [1e12]),  # which turns over many times within most steps
        (tg.softmax, [np.array([1e12, 1e12])]),
        (tg.arctan2, [0.0, 1e-12]),
        (lambda X, W: tg.tanh(X @ W), [np.zeros((1, 2)), np.full((2, 1), 1e12)]),
        (lambda X, W: tg.softmax(X @ W), [np.zeros((1, 2)), np.array([[0.0, 0, 0], [1, 1, 1]])]),  # 3e-17 for 0
        (lambda X: tg.tanh(X @ np.array([-1.997, -1.996, -1.995])), [np.array([[-2.0, -1.999, -1.998]])]),  # saturated
        (lambda x: (x + 1e9) - 1e9, [2.0]),
        (tg.hypot, [0.0, 1e-9]),
        (lambda x: tg.sum(tg.softmax(x)), [np.array([1.0, 2.0, 3.0])]),
        (lambda x: 1e-12 * tg.sin(x), [1.0]),
        (lambda x: tg.sigmoid(x) + 5.0, [-40.0]),
        (tg.remainder, [1e12, 2.0]),  # at a jump
        (tg.log_softmax, [np.array([60.0, 0.0])]),  # whose first element is 0, and does not change at all
        (tg.floor_divide, [1e12, 1e3]),
        (lambda x: tg.clip(x, None, 3.0), [np.array([3.0, 1.0])]),
    ],
)
def test_false_alarms_of_before(f, inputs):
    assert gradcheck(f, *inputs)


def _writes(g, y, x):  # noqa: ARG001
    g *= 2.0
    return g


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        (lambda g, y, x: tg.sum(g * x, axis=0), r"its vjp returned shape \(3,\) for an operand of shape \(2, 3\)"),  # noqa: ARG005
        (lambda g, y, x: None, "its vjp returned None"),  # noqa: ARG005
        (lambda g, y, x: g.no_such_thing, "its vjp raised AttributeError"),  # noqa: ARG005
        (_writes, "its vjp writes into the cotangent"),
    ],
)
def test_a_rule_that_fails_is_named(rule, message):
    @primitive
    def failing(xp, x):
        return x + 1.0

    defvjp(failing, rule)
    try:
        for f in (failing, lambda x: tg.exp(failing(tg.sin(x)))):
            report = gradcheck(f, np.arange(6.0).reshape(2, 3), raise_exception=False)
            assert report.verdict == "wrong"
            assert [c.op for c in report.culprits] == ["failing"]
            assert re.search(message, str(report))
    finally:
        del OPS["failing"]


def test_an_input_that_is_changed_is_said():
    def f(x, scale):
        scale[0] = 2.0
        return x * 2.0

    with pytest.raises(GradientError, match="f changes its input"):
        gradcheck(f, np.ones(2), np.ones(1, int))


def test_inputs_that_share_memory_are_noted():
    x = np.arange(3.0)
    report = gradcheck(lambda x, y: x * y, x, x)
    assert report.verdict == "right"
    assert "input 0 and input 1 share memory" in str(report)


def test_a_jvp_of_its_own_is_checked_in_forward_mode():
    @primitive
    def doubled(xp, x):
        return x + x

    defvjp(doubled, lambda g, y, x: 2.0 * g)  # noqa: ARG005
    defjvp(doubled, lambda t, y, x: 3.0 * t)  # noqa: ARG005
    try:
        f = lambda x: tg.sin(doubled(x))  # noqa: E731
        assert gradcheck(f, np.ones(2)).verdict == "right"
        for mode in ("forward", "both"):
            report = gradcheck(f, np.ones(2), mode=mode, raise_exception=False)
            assert report.verdict == "wrong", report
            assert [(c.op, c.mode) for c in report.culprits] == [("doubled", "jvp")]
    finally:
        del OPS["doubled"]


@pytest.mark.parametrize("method", ["function", "graph"])
def test_second_derivatives_name_a_rule_that_leaves_the_graph(method):
    @primitive
    def square_by_numpy(xp, x):
        return x * x

    defvjp(square_by_numpy, lambda g, y, x: g * 2.0 * np.asarray(getattr(x, "data", x)))  # noqa: ARG005
    try:
        assert gradcheck(square_by_numpy, np.ones(2), method=method).verdict == "right"
        report = gradgradcheck(square_by_numpy, np.array([1.0, 2.0]), method=method, raise_exception=False)
        assert report.verdict == "wrong"
        assert "gradient lost" in str(report)
    finally:
        del OPS["square_by_numpy"]


@pytest.mark.parametrize("method", ["function", "graph"])
@pytest.mark.parametrize(
    "f",
    [lambda x: tg.Tensor(x.numpy()).sum(), lambda x: (x * tg.Tensor(x.numpy())).sum(), lambda x: x[0] * x[1].item()],
    ids=["all", "a factor", "a number"],
)
def test_a_gradient_that_ends_in_a_new_leaf_is_lost(f, method):
    report = gradcheck(f, np.array([1.0, 2.0, 3.0]), method=method, raise_exception=False)
    assert report.verdict == "wrong"
    assert "gradient lost" in str(report)


def test_a_report_is_text_html_and_json(cube):
    report = gradcheck(cube, np.array([0.5, 3.0]), raise_exception=False)
    assert json.loads(json.dumps(report.to_dict()))["verdict"] == "wrong"
    page = report._repr_html_()
    assert page.count("<table") == page.count("</table>") == 2
    assert "∂f[0]/∂x[0]" in page
    assert "<script" not in page
    with pytest.raises(GradcheckError) as caught:
        gradcheck(cube, np.array([0.5, 3.0]))
    assert str(caught.value).splitlines()[2:] == str(report).splitlines()[2:]  # the second has the line of the call


def test_a_report_is_in_colour_at_a_terminal_only(monkeypatch):
    report = gradcheck(tg.exp, 1.0)
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert repr(report) == str(report)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    assert "\x1b[1;32mright\x1b[0m" in repr(report)
    monkeypatch.setenv("NO_COLOR", "1")
    assert repr(report) == str(report)


def test_asserting_raises_on_what_is_undecided_too():
    assert_gradients(tg.exp, 1.0)
    with pytest.raises(GradcheckError, match="undecided"):
        assert_gradients(tg.sqrt, 0.0)


@pytest.mark.parametrize(("mode", "method"), [("backwards", "auto"), ("reverse", "fast")])
def test_an_unknown_mode_or_method_is_refused(mode, method):
    with pytest.raises(UnsupportedError, match="choose"):
        gradcheck(tg.exp, 1.0, mode=mode, method=method)


def test_a_large_function_is_checked_by_its_graph():
    x = np.random.default_rng(0).normal(size=(40, 40))
    f = lambda x: tg.sum(tg.tanh(x @ x) + tg.relu(x))  # noqa: E731
    report = gradcheck(f, np.tile(x, (3, 3)))
    assert report.verdict == "right"
    assert "the rules of" in report.coverage
    assert [i.checked for i in report.inputs] == [120 * 120]


@pytest.mark.parametrize("method", ["function", "graph"])
def test_one_element_of_many_that_is_a_little_off_is_found(method):
    @primitive
    def almost(xp, x):
        return x * 2.0

    def rule(g, y, x):  # noqa: ARG001
        factor = np.full((50, 50), 2.0)
        factor[31, 7] = 2.04
        return g * factor

    defvjp(almost, rule)
    try:
        f = lambda x: tg.sum(tg.sin(almost(x)))  # noqa: E731
        report = gradcheck(f, np.random.default_rng(0).normal(size=(50, 50)), method=method, raise_exception=False)
        assert report.verdict == "wrong"
        assert [(c.op, c.index) for c in report.culprits] == [("almost", (31, 7))]
    finally:
        del OPS["almost"]


def test_what_takes_symmetric_matrices_says_so():
    x = np.array([[2.0, 0.3], [0.3, 1.0]])
    report = gradcheck(tg.linalg.cholesky, x, raise_exception=False)
    assert report.verdict == "wrong"
    assert "cholesky takes its operand to be symmetric" in str(report)
    assert gradcheck(lambda x: tg.linalg.cholesky((x + x.T) / 2), x)


@pytest.mark.parametrize("seed", [79, 194])
def test_second_derivatives_that_cancel_are_no_false_alarm(seed):
    x = [
        [6.78222222, -1.83555556, -0.94666667],
        [-1.39111111, 5.44888889, 0.83111111],
        [0.38666667, -0.50222222, 7.2266],
    ]
    assert gradgradcheck(tg.softmax, np.array(x), rng=seed)


def test_rules_are_checked_beside_operands_that_are_not_finite():
    report = gradcheck(lambda x: tg.sum(tg.logcumsumexp(x)), np.array([1.0, -np.inf, 2.0]), method="graph")
    assert report.verdict == "right"


def planted(name, forward, rule):
    """An elementwise primitive; the caller deletes it again."""
    op = primitive(elementwise=True)(_named(forward, name))
    defvjp(op, rule)
    return op


def _named(forward, name):
    def copy(xp, x):
        return forward(xp, x)

    copy.__name__ = name
    return copy


@pytest.fixture
def sq():
    """A square whose rule is half as large again."""
    yield planted("sq", lambda xp, x: x * x, lambda g, y, x: g * 3.0 * x)  # noqa: ARG005
    del OPS["sq"]


@pytest.mark.parametrize("method", ["function", "graph"])
def test_a_wrong_rule_is_seen_beside_a_large_value_too(sq, method):
    for f, x in [
        (lambda x: 1e9 + 1e-9 * tg.sum(sq(x)), [0.3, 0.7]),
        (lambda x: 1e12 * x[0] + 0.5e-12 * sq(x[1]), [1.0, 1.0]),
        (lambda x: tg.sum(sq(x)) * 1e-12, [1.0, 2.0]),
    ]:
        report = gradcheck(f, np.array(x), method=method, raise_exception=False)
        assert report.verdict == "wrong", report
        assert report.culprits[0].op == "sq"


def test_a_gradient_that_is_lost_beside_a_large_value_is_not_right():
    f = lambda x: tg.sum(tg.tanh(x).detach() * x) * 1e-9 + 1e9  # noqa: E731
    report = gradcheck(f, np.array([0.3, 0.7]), raise_exception=False)
    assert report.verdict != "right", report


@pytest.mark.parametrize("method", ["function", "graph"])
@pytest.mark.parametrize("wrong", [np.inf, -np.inf, np.nan])
def test_a_gradient_that_is_no_number_is_not_right(wrong, method):
    op = planted("endless", lambda xp, x: x * x, lambda g, y, x: g * 2.0 * x * wrong)  # noqa: ARG005
    try:
        assert gradcheck(op, np.ones((2, 2)), method=method, raise_exception=False).verdict == "wrong"
    finally:
        del OPS["endless"]


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("method", ["function", "graph"])
@pytest.mark.parametrize(
    ("f", "x"),
    [
        (tg.log, -1.0),
        (lambda x: tg.mean(tg.log(x)), np.array([1.0, -2.0])),
        (lambda x: x + np.nan, 1.0),
        (lambda x: x * 2.0, np.inf),
        (tg.arcsin, 2.0),
        (tg.exp, 1000.0),
        (tg.sum, np.array([1.0, np.inf, -np.inf])),
    ],
)
def test_where_a_function_is_no_number_nothing_is_right(f, x, method):
    assert gradcheck(f, x, method=method, raise_exception=False).verdict == "undecided"


def test_at_a_kink_a_number_outside_of_the_slopes_is_wrong_and_a_wrong_rule_between_them_too():
    flipped = planted("flipped", lambda xp, x: x * 1.0, lambda g, y, x: -g)  # noqa: ARG005
    halved = planted("halved", lambda xp, x: x * 1.0, lambda g, y, x: g * 0.5)  # noqa: ARG005
    try:
        for op in (flipped, halved):
            report = gradcheck(lambda x, op=op: op(tg.max(x)), np.full(3, 2.0), raise_exception=False)
            assert report.verdict == "wrong", report
            assert report.culprits[0].op == op.name
    finally:
        del OPS["flipped"], OPS["halved"]


def test_a_mask_that_changes_at_a_kink_is_no_lost_gradient():
    rng = np.random.default_rng(0)
    X, W1, W2 = rng.normal(size=(100, 50)), rng.normal(size=(50, 200)), rng.normal(size=(200, 10))

    def f(W1, W2):
        h = X @ W1
        return tg.mean(tg.square((tg.where(h > 0, h, 0.1 * h) * (h.data > 0)) @ W2))

    assert gradcheck(f, W1, W2).verdict == "right"


@pytest.mark.parametrize("method", ["function", "graph"])
@pytest.mark.parametrize("check", [gradcheck, gradgradcheck])
def test_a_gradient_that_cancels_to_nothing_is_right(check, method):
    x = np.random.default_rng(0).normal(size=(4, 3))
    for data in (x, x.astype(np.float32)):
        assert check(lambda x: tg.sum(x - tg.mean(x)), data, method=method).verdict == "right"


@pytest.mark.parametrize("method", ["function", "graph"])
@pytest.mark.parametrize("factor", [-1.0, 0.0, 0.5, 2.0])
def test_a_wrong_share_at_a_tie_is_seen(monkeypatch, factor, method):
    first, second = OPS["maximum"].vjps
    monkeypatch.setattr(OPS["maximum"], "vjps", (lambda *a, **k: factor * first(*a, **k), second))
    f = lambda x: tg.sum(tg.maximum(x, tg.abs(x)) * x)  # noqa: E731
    report = gradcheck(f, np.array([1.0, 2.0]), method=method, raise_exception=False)
    assert report.verdict == "wrong"
    assert report.culprits[0].op == "maximum"


@pytest.mark.parametrize("name", ["running_max", "max", "median"])
def test_a_rule_that_is_zero_at_ties_is_seen(monkeypatch, name):
    op = OPS[name] if name in OPS else OPS["ranked"]
    for attribute, before in (("vjps", op.vjps), ("joint_vjp", op.joint_vjp)):
        if before:
            rule = before[0] if attribute == "vjps" else before
            zero = lambda *a, rule=rule, **k: 0.0 * rule(*a, **k)  # noqa: E731
            monkeypatch.setattr(op, attribute, (zero, *before[1:]) if attribute == "vjps" else zero)
    f = getattr(tg, {"running_max": "cumulative_max"}.get(name, name), None) or op
    report = gradcheck(lambda x: tg.sum(f(x) * 1.5), np.full(4, 2.0), method="graph", raise_exception=False)
    assert report.verdict == "wrong", report


def test_scalar_graphs_of_many_leaves_are_checked_together():
    network = nn.scalar.MLP(3, [8, 8, 1], rng=0)
    rows = np.random.default_rng(0).normal(size=(8, 3)).tolist()
    report = gradcheck(lambda: sum((network(row) - 1.0) ** 2 for row in rows), network, method="graph")
    assert report.verdict == "right"
    assert "along 2 random directions" in report.coverage


@pytest.mark.parametrize(("name", "value"), [("sample", 0), ("sample", -1), ("rtol", -1.0), ("rtol", "a")])
def test_options_that_make_no_sense_are_refused(name, value):
    with pytest.raises(UnsupportedError, match=f"{name}="):
        gradcheck(tg.exp, 1.0, **{name: value})


def test_steps_beyond_a_small_feature_are_not_believed():
    assert gradcheck(lambda z: 1 + 1e-14 * tg.exp(-tg.square(z / 1e-8)), 0.5e-8).verdict != "wrong"


@pytest.mark.parametrize("seed", [40, 41])
@pytest.mark.parametrize("offset", [0.0, 10.0])
def test_a_gradient_of_rounding_alone_is_not_wrong(seed, offset):
    rng = np.random.default_rng(seed)
    k, m = int(rng.integers(0, 4)), int(rng.integers(2, 5))
    x = rng.uniform(-1, 1, (m, min(k, m))) @ rng.uniform(-1, 1, (min(k, m), m))  # for 40 of rank 2 in 4 dimensions
    assert gradcheck(lambda x: tg.linalg.det(x) + offset, x).verdict != "wrong"
