"""Every rule of the compiler gives what the original gives, on special values too, and only stabilising ones more."""

import inspect

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import tinygrad_mlp as tg
from tinygrad_mlp import ops
from tinygrad_mlp.errors import UnsupportedError
from tinygrad_mlp.rewrite import Program, Term, ordered
from tinygrad_mlp.rewrite.rules import EXACT, FORMS, STABILISING, STABLE, every_rule, tables, titles
from tinygrad_mlp.rewrite.terms import NUMBERS, evaluate
from tinygrad_mlp.table import OPS

FINITE = (0.0, -0.0, 1.0, -1.0, 0.5, 2.0, 3.0, 1e-30, 1e4, -1e4, 90.0, -110.0, 800.0)
SPECIAL = (np.nan, np.inf, -np.inf, 1e30, -1e30, 3e38, -3e38, 1e-38, 1e-45)


def call(name):
    """Return a function that makes a term of a row."""
    op = OPS[name]
    return lambda *xs, **params: next(x.program for x in xs if type(x) is Term).make(op, *xs, **params)


add, sub, mul, div, neg, power, where = map(
    call, ("add", "subtract", "multiply", "divide", "negative", "power", "where")
)
exp, log, log1p, softmax, sigmoid, recip = map(call, ("exp", "log", "log1p", "softmax", "sigmoid", "reciprocal"))
total, top, reshape, transpose, spread = map(call, ("sum", "max", "reshape", "transpose", "broadcast_to"))
log_softmax, logsumexp, same, sum_to, astype = map(call, ("log_softmax", "logsumexp", "identity", "sum_to", "astype"))
picked, scattered, flip, invert = map(call, ("getitem", "scatter", "swapaxes", "logical_not"))
KEEP = {"axis": (1,), "keepdims": True}
ROW = (0,)


def full(x, value):
    return x.program.constant(np.full(x.shape, value, x.dtype))


def share(x):
    """e / Σ e as softmax computes it, and its parts."""
    e = exp(sub(x, top(x, **KEEP)))
    return div(e, total(e, **KEEP))


def through_top(x, t):
    """The gradient of softmax with the maximum subtracted: the part that flows through the maximum is in it."""
    g = sub(mul(softmax(x, axis=1), total(t, **KEEP)), t)
    return add(g, where(x == top(x, **KEEP), div(neg(total(g, **KEEP)), 2.0), 0.0))


def through_top_of_any(x, g):
    y = softmax(x, axis=1)
    g = mul(y, sub(g, total(mul(g, y), **KEEP)))
    return add(where(x == top(x, **KEEP), neg(total(g, **KEEP)), 0.0), g)


def written(x, p, q):
    e = exp(x)
    s = total(e, **KEEP)
    return mul(e, sub(div(p, s), total(div(q, s), **KEEP)))


def squashed(x, p, q):
    e = exp(x)
    return mul(sub(div(p, add(1, e)), div(q, add(1, e))), e)


# Calls on which a rule must fire. The name of an operand says what it is: c a column, r a row, f a Python float, b a
# condition, everything else an array.
CALLS = {
    "numbers for constant arrays": [lambda x: mul(x, full(x, 3.0)), lambda x: add(full(x, 1.5), x)],
    "whole numbers": [lambda x: mul(x, 3.0), lambda x: sub(1.0, x), lambda x: power(x, 2.0)],
    "broadcasting left to the operation": [lambda x, c: mul(spread(c, shape=x.shape), x)],
    "copies are the original": [lambda x: same(x), lambda f: same(f)],
    "x + 0": [lambda x: x + 0, lambda x: 0.0 + x, lambda r, x: add(r, full(x, 0.0)), lambda f: f + 0.0],
    "x - 0": [lambda x: x - 0, lambda x: x - 0.0, lambda f: f - 0],
    "0 - x": [lambda x: 0 - x, lambda f: 0.0 - f],
    "x · 1": [lambda x: x * 1, lambda x: 1.0 * x, lambda r, x: mul(r, full(x, 1.0)), lambda f: f * 1],
    "x · (-1)": [lambda x: x * -1, lambda x: mul(full(x, -1.0), x), lambda f: -1.0 * f],
    "x / 1": [lambda x: x / 1, lambda x: x / 1.0],
    "double negation": [lambda x: -(-x), lambda f: -(-f)],
    "minus a difference": [lambda x, y: -(x - y), lambda x, f: -(f - x)],
    "minus a multiple": [lambda x: -(3 * x), lambda x: -(x * 0.5), lambda x: -(2.0 / x)],
    "sum with a negative": [lambda x, y: x + -y, lambda x, c: -c + x, lambda x, f: x + -f],
    "difference with a negative": [lambda x, y: x - -y, lambda x, c: c - -x],
    "product with a negative": [lambda x, y: -x * y, lambda x, c: c * -x, lambda x, c: -x * -c, lambda x, f: f * -x],
    "quotient with a negative": [lambda x, y: -x / y, lambda x, c: c / -x, lambda x, c: -c / -x],
    "sum of negatives": [lambda x: total(-x, **KEEP), lambda x: total(-x, axis=(0, 1), keepdims=False)],
    "x + x": [lambda x: x + x],
    "x · x": [lambda x: x * x],
    "powers by products": [lambda x, n=n: power(x, n) for n in (0.5, 1, 2, 3, -1, 2.0, 1.0)],
    "division by a power of two": [lambda x: x / 8, lambda x: x / -0.25, lambda x: x / 1024.0],
    "choice by the opposite condition": [lambda b, x, y: where(invert(b), x, y), lambda b, x: where(invert(b), x, 0)],
    "choice by a known condition": [lambda x, y: where(full(x, 1.0) > 0, x, y), lambda x, c: where(False, x, c + x)],
    "same shape": [lambda x: reshape(x, shape=x.shape), lambda x: reshape(reshape(x, shape=(-1,)), shape=x.shape[::-1])],
    "sums that keep their axes": [
        lambda x: reshape(total(x, axis=(1,), keepdims=False), shape=(x.shape[0], 1)),
        lambda x: reshape(top(x, axis=(0,), keepdims=True), shape=x.shape[1:]),
    ],
    "axes that stay": [lambda x: transpose(x, axes=(0, 1)), lambda x: transpose(transpose(x))],
    "one name for moves of axes": [lambda x: flip(x, axis1=0, axis2=1)],
    "one name for changes of shape": [lambda x: call("expand_dims")(x, axis=1)],
    "broadcasting to the same shape": [
        lambda x: spread(x, shape=x.shape),
        lambda x: spread(spread(x, shape=(2, *x.shape)), shape=(3, 2, *x.shape)),
    ],
    "sums to a shape are sums": [
        lambda x: sum_to(x, shape=x.shape),
        lambda x: sum_to(x, shape=x.shape[1:]),
        lambda x: sum_to(x, shape=(x.shape[0], 1)),
        lambda x: sum_to(x, shape=(1,)),
        lambda x: sum_to(x, shape=()),
    ],
    "axes from the front": [lambda x: total(x, axis=-1), lambda x: top(x), lambda x: total(x, axis=0, keepdims=True)],
    "same dtype": [lambda x: astype(x, dtype=x.dtype)],
    "log of softmax": [
        lambda x: log(softmax(x, axis=1)),
        lambda x: log(softmax(x, axis=0)),
        lambda x: log(picked(softmax(x, axis=1), index=ROW)),
    ],
    "log of exp": [lambda x: log(exp(x)), lambda f: log(exp(f))],
    "log of 1 + exp": [lambda x: log(1 + exp(x)), lambda x: log(exp(-x) + 1.0), lambda f: log(1 + exp(f))],
    "log of 1 + exp, as log1p": [lambda x: log1p(exp(x))],
    "log of a sum of exp": [
        lambda x: log(total(exp(x), **KEEP)),
        lambda x: log(total(exp(x), axis=(0, 1), keepdims=False)),
    ],
    "log of sigmoid": [lambda x: log(sigmoid(x)), lambda x: log(1 - sigmoid(x)), lambda f: log(sigmoid(f))],
    "exp of log softmax": [lambda x: exp(log_softmax(x, axis=1)), lambda x: exp(log_softmax(x, axis=0))],
    "softmax written out": [
        lambda x: div(exp(x), total(exp(x), **KEEP)),
        lambda x: div(exp(x), total(exp(x), axis=(0,), keepdims=False)),
        lambda r: div(exp(r), total(exp(r), axis=(0,), keepdims=False)),
    ],
    "softmax less its maximum": [
        lambda x: softmax(sub(x, top(x, **KEEP)), axis=1),
        lambda x: log_softmax(sub(x, top(x, **KEEP)), axis=-1),
    ],
    "logsumexp less its maximum": [lambda x: add(logsumexp(sub(x, top(x, **KEEP)), **KEEP), top(x, **KEEP))],
    "gradient of softmax written out": [written],
    "gradient through the maximum of softmax": [through_top, through_top_of_any],
    "weights of a softmax": [lambda x, c: mul(c, share(x))],
    "sigmoid written out": [
        lambda x: 1 / (1 + exp(-x)),
        lambda x: 1.0 / (exp(-x) + 1.0),
        lambda x: recip(1 + exp(x)),
        lambda x: exp(x) / (1 + exp(x)),
        lambda f: div(1, 1 + exp(-f)),
    ],
    "gradient of sigmoid written out": [
        lambda x, w: exp(-x) * (w / (1 + exp(-x))),
        lambda x, w: neg(w / (1 + exp(x))) * exp(x),
        squashed,
    ],
    "Y · (T / Y)": [
        lambda y, t: y * (t / y),
        lambda y, t: neg(t / y) * y,
        lambda y, t, w: (y * w) * (t / y),
        lambda y, r: mul(y, scattered(div(r, picked(y, index=ROW)), shape=y.shape, index=ROW)),
    ],
    "Y · (s + T / Y)": [
        lambda y, t, c: y * (c + t / y),
        lambda y, t, c: (c - t / y) * y,
        lambda y, t, s: y * (neg(t / y) - s),
    ],
    "y z · (a / y + b / z)": [
        lambda y, z, p, q: (y * z) * (p / y + q / z),
        lambda y, z, p, q: (q / z - p / y) * (y * z),
    ],
    "(1 - t) h - t (1 - h)": [lambda t, h: (1 - t) * h - t * (1 - h), lambda t, h: h * (1 - t) - (1 - h) * t],
}
# Rules that round in another order; the others give the same bits, except for the sign of a zero.
ROUNDED = STABILISING | {
    "powers by products", "exp of log softmax", "softmax less its maximum", "weights of a softmax",
    "sums to a shape are sums", "axes from the front",
}  # fmt: skip
PAIRS = [(title, build) for title, builds in CALLS.items() for build in builds]


def test_every_rule_has_a_title_a_sentence_and_a_property():
    assert set(titles()) == set(CALLS)
    assert [r.title for r in every_rule() if not (r.__doc__ or "").endswith(".")] == []
    functions = {r.title: set() for r in every_rule()}
    for rules in STABLE.values():
        for rule in rules:
            functions[rule.title].add(rule.function)
    assert [title for title, found in functions.items() if len(found) > 1] == []


# --------------------------------------------------------------------------------------------------------- the property


@st.composite
def operands(draw, build, values):
    """Return arrays and numbers for the operands of a call, by name."""
    dtype = draw(st.sampled_from([np.float64, np.float32]))
    shape = draw(st.tuples(st.integers(1, 3), st.integers(1, 4)))
    shapes = {"c": (shape[0], 1), "r": shape[1:]}
    elements = st.sampled_from([float(np.float32(v)) for v in values]) | st.floats(-3, 3, width=16)
    found = {}
    for name, parameter in inspect.signature(build).parameters.items():
        if parameter.default is not inspect.Parameter.empty:
            continue
        if name == "f":
            found[name] = draw(elements)
        elif name == "b":
            found[name] = draw(arrays(bool, shape))
        else:
            found[name] = draw(arrays(dtype, shapes.get(name, shape), elements=elements))
    return found


def made(build, given, rules):
    """Return the program, its result and the inputs, as pairs of term and value."""
    program = Program(rules)
    inputs = {
        name: program.input(v.shape, v.dtype) if isinstance(v, np.ndarray) else program.input((), type(v))
        for name, v in given.items()
    }
    return program, build(**inputs), [(inputs[name], v) for name, v in given.items()]


def computed(root, inputs):
    """Return the value of a term, and the greatest finite number on the way to it."""
    values = {id(term): value for term, value in inputs}
    greatest = 1.0
    with np.errstate(all="ignore"):
        for term in ordered([root]):
            if id(term) not in values:
                xs = [None if x is None else values[id(x)] for x in term.inputs]
                values[id(term)] = term.value if term.op is None else evaluate(term.op, xs, term.params)
            v = np.abs(np.asarray(values[id(term)], float))
            greatest = max(greatest, float(v[np.isfinite(v)].max(initial=0.0)))
    return values[id(root)], greatest


def compare(title, build, given):
    """Assert that the rule fires, and keeps shape, dtype, numbers, and NaN and infinities if it does not stabilise."""
    _, plain, inputs = made(build, given, {})
    theirs, greatest = computed(plain, inputs)
    program, root, inputs = made(build, given, tables([title])[0])
    assert program.fired[title], title
    ours, _ = computed(root, inputs)
    assert type(ours) is type(theirs) or not {type(ours), type(theirs)} & set(NUMBERS)
    assert (root.shape, root.dtype) == (plain.shape, plain.dtype)
    assert type(root.dtype) is type(plain.dtype)
    ours, theirs = np.asarray(ours), np.asarray(theirs)
    assert (ours.shape, ours.dtype) == (theirs.shape, theirs.dtype)
    finite = np.isfinite(theirs)
    if title not in STABILISING:
        np.testing.assert_array_equal(ours[~finite], theirs[~finite])
    allowed = 0.0 if title not in ROUNDED else 32 * float(np.finfo(ours.dtype).eps) * greatest
    assert np.isfinite(ours[finite]).all()
    np.testing.assert_allclose(ours[finite], theirs[finite], rtol=0, atol=allowed)
    return ours


@pytest.mark.parametrize(("title", "build"), PAIRS)
@given(data=st.data())
def test_a_rule_gives_what_the_original_gives(title, build, data):
    compare(title, build, data.draw(operands(build, ())))


@pytest.mark.parametrize(("title", "build"), PAIRS)
@given(data=st.data())
def test_a_rule_keeps_what_is_special(title, build, data):
    compare(title, build, data.draw(operands(build, FINITE + SPECIAL)))


@pytest.mark.parametrize(("title", "build"), [pair for pair in PAIRS if pair[0] in STABILISING])
@given(data=st.data())
def test_a_stabilising_rule_is_finite_wherever_the_operands_are(title, build, data):
    assert np.isfinite(compare(title, build, data.draw(operands(build, FINITE)))).all()
