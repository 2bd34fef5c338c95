"""Rules run on symbols: the formula, its text and its LaTeX all give the numbers that the rule itself gives."""

import math
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from latex_numbers import latex_value
from op_cases import samples
from strategies import FEW, ROWS, SMOOTH, call, leaves

import tinygrad_mlp as tg
from tinygrad_mlp.backward import cotangents
from tinygrad_mlp.errors import GradientError, UnsupportedError
from tinygrad_mlp.symbols import Formula, Symbol, evaluate, operands_of, value_formula, vjp_formula

ELEMENTWISE = {name: op for name, op in SMOOTH.items() if op.elementwise}
EDGES = [
    pytest.param(op, i, id=f"{name}-{i}")
    for name, op in ELEMENTWISE.items()
    for i in range(op.arity or 3)
    if not op.vjps or op.vjps[i] is not None
]


def text_value(text, **values):
    """The number that a formula's text stands for, read as Python."""
    for old, new in (("·", "*"), ("−", "-"), ("^", "**"), ("≤", "<="), ("≥", ">="), (" = ", " == "), ("≠", "!=")):
        text = text.replace(old, new)
    for old, new in (("π", "pi"), ("½", "(1/2)"), ("¼", "(1/4)"), ("¾", "(3/4)"), ("∞", "inf"), ("σ", "sigmoid")):
        text = text.replace(old, new)
    text = re.sub(r"[⁰¹²³⁴⁵⁶⁷⁸⁹]", lambda m: "**" + str("⁰¹²³⁴⁵⁶⁷⁸⁹".index(m[0])), text)
    text = re.sub(r"√(pi|\w)", r"√(\1)", text).replace("√", "sqrt")
    names = {name: op for name, op in vars(tg.ops).items() if callable(op)}
    return eval(text, {**names, "pi": math.pi, "inf": math.inf, "nan": math.nan, **values})


def point(op, seed, n):
    """Numbers in the domain of a row, away from its kinks."""
    low, high = op.domain
    return (low + (high - low) * np.random.default_rng(seed).uniform(0.02, 0.98, n)).tolist()


def on_symbols(op, i, xs):
    """The formula of an edge and what its letters stand for at a point."""
    operands = operands_of(op)[: len(xs)]
    values = {s.letter: x for s, x in zip(operands, xs, strict=True)}
    values["z" if "y" in values else "y"] = call(op, xs, {})
    return vjp_formula(op, i, operands), {**values, "g": 0.7}


def expected(op, i, xs):
    nodes = [tg.Value(x) if k == i else x for k, x in enumerate(xs)]
    return cotangents(call(op, nodes, {}), 0.7)[nodes[i]]


def agree(a, b, rtol=1e-11):
    return np.allclose(a, b, rtol=rtol, atol=rtol)


@pytest.mark.parametrize(("op", "i"), EDGES)
@given(seed=st.integers(0, 10**6))
def test_the_formula_of_an_edge_gives_what_its_rule_gives(op, i, seed):
    xs = point(op, seed, op.arity or 3)
    xs[0] = float(seed % 2) if op is tg.where else xs[0]
    formula, values = on_symbols(op, i, xs)
    right = expected(op, i, xs)
    assert agree(formula.at(**values), right)
    assert agree(text_value(formula.text, **values), right), formula.text
    assert agree(latex_value(formula.latex, **values), right, 1e-4), formula.latex  # LaTeX has six digits


@pytest.mark.parametrize("op", ELEMENTWISE.values(), ids=ELEMENTWISE)
@given(seed=st.integers(0, 10**6))
def test_the_latex_of_a_row_is_its_value_and_its_slope_is_that_of_the_rule(op, seed):
    xs = point(op, seed, op.arity or 3)
    xs[0] = float(seed % 2) if op is tg.where else xs[0]
    operands = operands_of(op)[: len(xs)]
    letters = [s.letter for s in operands]
    latex = value_formula(op, operands).latex

    def value(*at):
        return latex_value(latex, **dict(zip(letters, at, strict=True)))

    if op is tg.affine:
        assert latex == r"\operatorname{affine}(w, x, b)"
        return
    assert agree(value(*xs), call(op, xs, {}), 1e-4)
    for i in range(len(xs)):
        if op.vjps[i] is not None:
            h = 1e-5
            up, down = (value(*xs[:i], xs[i] + step, *xs[i + 1 :]) for step in (h, -h))
            formula, values = on_symbols(op, i, xs)
            assert agree(0.7 * (up - down) / (2 * h), latex_value(formula.latex, **values), 2e-4), formula.latex


@pytest.mark.parametrize("op", SMOOTH.values(), ids=SMOOTH)
@FEW
@given(data=st.data())
def test_every_rule_runs_on_symbols_of_any_shape(op, data):
    sample = data.draw(samples(op))
    nodes = leaves(sample)
    y = call(op, nodes, sample.params)
    u = np.random.default_rng(0).uniform(-1, 1, y.shape)
    found = cotangents(y, u)
    for i in sample.wrt:
        letters = [Symbol(f"x{k}", x.shape) if k in sample.wrt else x for k, x in enumerate(sample.operands)]
        formula = vjp_formula(op, i, letters, **sample.params)
        values = {s.letter: x for s, x in zip(letters, sample.operands, strict=True) if type(s) is Symbol}
        got = formula.at(**values, g=u, y=y.data)
        if op.elementwise:
            got = tg.sum_to(np.broadcast_to(got, y.shape), nodes[i].shape)
        assert agree(np.broadcast_to(got, nodes[i].shape), found[nodes[i]], 1e-9)
        assert formula.text
        assert balanced(formula.latex)


def balanced(latex):
    plain = re.sub(r"\\[{}]", "", latex)
    pairs = (("{", "}"), ("(", ")"), (r"\left", r"\right"), (r"\begin", r"\end"))
    return all(plain.count(a) == plain.count(b) for a, b in pairs)


# ------------------------------------------------------------------------------------------------------- parentheses

x, y = Symbol("x"), Symbol("y")
leaf = st.sampled_from([x, y, 2.0, 0.5, 1.0, -1.0, -3.0, 0.0, math.pi, math.log(2), 0.044715])
unary = st.sampled_from([tg.negative, tg.exp, tg.square, tg.tanh, tg.sigmoid, tg.abs, tg.sin, tg.softplus, tg.sqrt])
binary = st.sampled_from([tg.add, tg.subtract, tg.multiply, tg.divide, tg.power, tg.maximum, tg.minimum, tg.xlogy])
chosen = st.sampled_from([tg.less, tg.greater_equal])
trees = st.recursive(
    leaf,
    lambda inner: st.one_of(
        st.tuples(unary, inner),
        st.tuples(binary, inner, inner),
        st.tuples(chosen, inner, inner, inner, inner).map(lambda t: (tg.where, (t[0], *t[1:3]), *t[3:])),
    ),
    max_leaves=12,
)


def built(tree, values=None):
    """A tree of ops as a formula; with values, as their number."""
    if type(tree) is not tuple:
        return values.get(tree.letter) if type(tree) is Symbol and values else tree
    return tree[0](*(built(part, values) for part in tree[1:]))


@given(tree=trees, at=st.tuples(st.floats(0.1, 3), st.floats(-3, -0.1)))
def test_text_and_latex_have_the_parentheses_that_they_need(tree, at):
    values = dict(zip("xy", at, strict=True))
    with np.errstate(all="ignore"):
        right = built(tree, values)
        if not math.isfinite(right) or abs(right) > 1e6:
            return
        formula = Formula(built(tree))
        got = formula.at(**values)
        if not agree(got, right, 1e-6):
            return  # a difference of nearly equal numbers, or inf - inf, which letters do not have
        assert agree(text_value(formula.text, **values), got, 1e-6), formula.text
        assert balanced(formula.latex)
        try:
            read = latex_value(formula.latex, **values)
        except (ZeroDivisionError, OverflowError):
            return
        assert agree(read, got, 1e-3) or not math.isfinite(read), formula.latex


@pytest.mark.parametrize(
    ("formula", "text", "latex"),
    [
        (x * (y + 1), "x·(y + 1)", r"x \, (y + 1)"),
        (-(x + y), "−(x + y)", "-(x + y)"),
        (-(x - y), "y − x", "y - x"),
        ((x**y) ** 3.5, "(x^y)^(7/2)", r"(x^y)^{\frac{7}{2}}"),
        (x ** (y**2), "x^(y²)", "x^{y^2}"),
        (x / (y * 2), "x/(2·y)", r"\frac{x}{2 y}"),
        (x - (y - 1), "x − (y − 1)", "x - (y - 1)"),
        (x * x * x, "x³", "x^3"),
        (1 * x + 0, "x", "x"),
        (x * -1 * -1, "x", "x"),
        (x * 0.5, "x/2", r"\frac{x}{2}"),
        (x * math.log(2), "log(2)·x", r"x \log 2"),
        (2 / math.sqrt(math.pi) * x, "2·x/√π", r"\frac{2 x}{\sqrt{\pi}}"),
        (tg.sin(x) * y, "sin(x)·y", r"y \sin x"),
        (tg.sin(x * y), "sin(x·y)", r"\sin (x y)"),
        (tg.sin(x) ** 2, "sin(x)²", r"(\sin x)^2"),
        (tg.where(False, x, 0.0), None, None),
        (tg.where(x > 0, tg.where(x > 0, y, 1.0), 0.0), "y if x > 0 else 0", None),
        (tg.where(x > 0, y, y), "y", "y"),
        (tg.where(~(x <= 0), y, 0.0), "y if x > 0 else 0", None),
        (tg.where(~((x > 0) & (y > 0)), y, 0.0), "y if not (x > 0 and y > 0) else 0", None),
        (2 * tg.where(x > 0, y, 1.0), "2·y if x > 0 else 2", None),
        (x * np.array(3.0), "3·x", "3 x"),
        (tg.log(x / y), "log(x/y)", r"\log \frac{x}{y}"),
        (tg.log1p(-x), "log1p(−x)", r"\log(1 + (-x))"),
        (tg.logit(x - y), "logit(x − y)", r"\log\frac{x - y}{1 - (x - y)}"),
        (tg.tanh(0.5**x), "tanh(½^x)", r"\tanh \left(\left(\frac{1}{2}\right)^x\right)"),
        (tg.lerp(x, y, -x), None, r"x + (-x)\,(y - x)"),
        ((x / y) ** 2, "(x/y)²", r"\left(\frac{x}{y}\right)^2"),
    ],
    ids=str,
)
def test_a_formula_reads_as_in_a_book(formula, text, latex):
    if type(formula) is float:
        assert formula == 0.0
        return
    assert text is None or Formula(formula).text == text
    assert latex is None or Formula(formula).latex == latex


def test_rows_of_matrices_and_axes_have_formulas():
    a, b = Symbol("A", (2, 3)), Symbol("B", (3, 4))
    assert [vjp_formula(tg.matmul, i, (a, b)).latex for i in (0, 1)] == [r"g B^{\top}", r"A^{\top} g"]
    assert vjp_formula(tg.softmax, 0, (Symbol("x", (2, 3)),)).text == "y·(g − Σ(g·y))"
    assert vjp_formula(tg.logsumexp, 0, (Symbol("x", (3,)),)).text == "g·exp(x − y)"


def test_a_parameter_may_be_a_letter():
    slope = Symbol("α", latex=r"\alpha")
    formula = vjp_formula(tg.leaky_relu, 0, negative_slope=slope)
    assert formula.text == "g if x > 0 else α·g"
    assert value_formula(tg.leaky_relu, negative_slope=slope).latex == r"\max(0, x) + \alpha \min(0, x)"
    assert formula.at(x=-1.0, y=-0.1, g=3.0, α=0.1) == pytest.approx(0.3)


def test_functions_of_ops_run_on_symbols_and_arrays_beside_them_are_constants():
    assert Formula(tg.softmin(x)).text == "softmax(−x)"
    z = Symbol("z", (3,))
    product = z * np.array([1.0, 2.0, 3.0])
    assert product.shape == (3,)
    assert np.array_equal(evaluate(product, {"z": np.ones(3)}), [1.0, 2.0, 3.0])


def test_what_a_symbol_cannot_do_is_an_error():
    for wrong in (lambda: bool(x > 0), lambda: list(x), lambda: vjp_formula(tg.greater, 0)):
        with pytest.raises((UnsupportedError, GradientError)):
            wrong()


def test_every_latex_template_is_balanced():
    for op in ROWS.values():
        assert balanced(op.latex.replace("{{", "{").replace("}}", "}").replace("{0}", "x")), op.name


def test_formulas_without_cases_are_mathtext():
    mathtext = pytest.importorskip("matplotlib.mathtext", reason="matplotlib is not installed")
    parser = mathtext.MathTextParser("path")
    tried = 0
    for param in EDGES:
        op, i = param.values
        for latex in (vjp_formula(op, i, operands_of(op)).latex, value_formula(op, operands_of(op)).latex):
            if r"\begin" not in latex and r"\bmod" not in latex:
                parser.parse(f"${latex}$".replace(r"\lvert", "|").replace(r"\rvert", "|").replace(r"\tfrac", r"\frac"))
                tried += 1
    assert tried > 60
