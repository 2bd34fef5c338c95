"""Every rule of the compiler gives what the original gives, on special values too, and only stabilising ones more."""

import inspect

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import tinygrad_mlp as tg
from tinygrad_mlp import ops
from tinygrad_mlp.errors import UnsupportedError
from tinygrad_mlp.rewrite import Program, Term, ordered
from tinygrad_mlp.rewrite.rules import EXACT, FORMS, STABILISING, STABLE, every_rule, tables, titles
from tinygrad_mlp.rewrite.terms import NUMBERS, evaluate
from tinygrad_mlp.table import OPS

PLAIN = (0.0, -0.0, 1.0, -1.0, 0.5, 2.0, 3.0)
FINITE = (*PLAIN, 1e-30, 1e4, -1e4, 90.0, -110.0, 800.0)
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
    "copies are the original": [lambda x: same(x) * 3.0, lambda f: same(f) - 1.5],
    "x + 0": [lambda x: x + 0, lambda x: 0.0 + x, lambda r, x: add(r, full(x, 0.0)), lambda f: f + 0.0],
    "x - 0": [lambda x: x - 0, lambda x: x - 0.0, lambda f: f - 0],
    "0 - x": [lambda x: 0 - x, lambda f: 0.0 - f],
    "x · 1": [lambda x: x * 1, lambda x: 1.0 * x, lambda r, x: mul(r, full(x, 1.0)), lambda f: f * 1],
    "x · (-1)": [lambda x: x * -1, lambda x: mul(full(x, -1.0), x), lambda f: -1.0 * f],
    "x / 1": [lambda x: x / 1, lambda x: x / 1.0],
    "double negation": [lambda x: neg(-x), lambda f: neg(-f)],
    "minus a difference": [lambda x, y: -(x - y), lambda x, f: -(f - x)],
    "sum with a negative": [lambda x, y: x + -y, lambda x, c: -c + x, lambda x, f: x + -f],
    "difference with a negative": [lambda x, y: x - -y, lambda x, c: c - -x],
    "product with a negative": [lambda x, y: -x * y, lambda x, c: c * -x, lambda x, c: -x * -c, lambda x, f: f * -x],
    "quotient with a negative": [lambda x, y: -x / y, lambda x, c: c / -x, lambda x, c: -c / -x],
    "sum of negatives": [lambda x: total(-x, **KEEP), lambda x: total(-x, axis=(0, 1), keepdims=False)],
    "x + x": [lambda x: x + x],
    "x · x": [lambda x: x * x],
    "powers by products": [lambda x, n=n: power(x, n) for n in (0.5, 1, 2, 3, -1, 2.0, 1.0)],
    "x ** 0": [lambda x: power(x, 0), lambda x: power(x, -0.0), lambda f: power(f, 0)],
    "product of numbers": [
        lambda x: mul(2.0, mul(x, 0.25)),
        lambda x: mul(mul(3, x), -0.3),
        lambda f: mul(2.0, mul(f, 0.3)),
    ],
    "division by a power of two": [lambda x: x / 8, lambda x: x / -0.25, lambda x: x / 1024.0],
    "choice by the opposite condition": [lambda b, x, y: where(invert(b), x, y), lambda b, x: where(invert(b), x, 0)],
    "choice by a known condition": [lambda x, y: where(full(x, 1.0) > 0, x, y), lambda x, c: where(False, x, c + x)],
    "same shape": [
        lambda x: reshape(x, shape=x.shape),
        lambda x: reshape(reshape(x, shape=(-1,)), shape=x.shape[::-1]),
    ],
    "sums that keep their axes": [
        lambda x: reshape(total(x, axis=(1,), keepdims=False), shape=(x.shape[0], 1)),
        lambda x: reshape(top(x, axis=(0,), keepdims=True), shape=x.shape[1:]),
    ],
    "axes that stay": [lambda x: transpose(x, axes=(0, 1)), lambda x: transpose(transpose(x))],
    "transposes after the operation": [
        lambda x, y: x.T * y.T,
        lambda x: exp(x.T) - x.T,
        lambda x, f: where(x.T > 0, x.T, f),
        lambda x, c: x.T / total(c, axis=(1,), keepdims=False),
    ],
    "sum of a transpose": [
        lambda x: total(x.T, axis=(0,), keepdims=False),
        lambda x: total(x.T, axis=(1,), keepdims=False),
        lambda x: total(x.T, axis=(0, 1), keepdims=False),
    ],
    "one name for moves of axes": [lambda x: flip(x, axis1=0, axis2=1)],
    "one name for changes of shape": [lambda x: call("expand_dims")(x, axis=1)],
    "indices that only add axes": [
        lambda x: picked(x, index=(slice(None), None)),
        lambda x: picked(x, index=(Ellipsis, None, slice(None))),
        lambda x: scattered(picked(x, index=(0,)), shape=(1, *x.shape[1:]), index=(None, slice(None))),
    ],
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
    "axes from the front": [
        lambda x: total(x, axis=-1),
        lambda x: top(x, axis=None),
        lambda x: total(x, axis=0, keepdims=True),
    ],
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
    "softmax in a product": [
        lambda x, w: mul(exp(x), w / total(exp(x), **KEEP)),
        lambda x, c: mul(neg(c / total(exp(x), **KEEP)), exp(x)),
    ],
    "log softmax written out": [
        lambda x: sub(x, logsumexp(x, **KEEP)),
        lambda x: sub(x, logsumexp(x, axis=0)),
    ],
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
        lambda y: y * (2.0 / y),
        lambda y, t, w: (y * w) * (t / y),
        lambda y: mul(y, scattered(div(-0.5, picked(y, index=ROW)), shape=y.shape, index=ROW)),
        lambda y, c: y * (c / y),
        lambda y, r: mul(y, scattered(div(r, picked(y, index=ROW)), shape=y.shape, index=ROW)),
    ],
    "Y · (s + T / Y)": [
        lambda y, t, c: y * (c + t / y),
        lambda y, t, c: (c - t / y) * y,
        lambda y, t, s: y * (neg(t / y) - s),
        lambda y, t, s, w: y * (s - w * (t / y)),
    ],
    "y z · (a / y + b / z)": [
        lambda y, z, p, q: (y * z) * (p / y + q / z),
        lambda y, z, p, q: (q / z - p / y) * (y * z),
    ],
    "(1 - t) h - t (1 - h)": [
        lambda t, h: (1 - t) * h - t * (1 - h),
        lambda t, h: h * (1 - t) - (1 - h) * t,
        lambda t, h: t * (h - 1) + h * (1 - t),
    ],
}
# Rules that round in another order; the others give the same bits, except for the sign of a zero.
ROUNDED = STABILISING | {
    "powers by products", "exp of log softmax", "softmax less its maximum", "weights of a softmax",
    "sums to a shape are sums", "sum of a transpose", "axes from the front",
}  # fmt: skip
PAIRS = [(title, build) for title, builds in CALLS.items() for build in builds]


def test_every_rule_has_a_title_a_sentence_and_a_property():
    assert set(titles()) == set(CALLS)
    assert [r.title for r in every_rule() if not (r.__doc__ or "").endswith(".")] == []
    assert sum(len(rules) for rules in STABLE.values()) >= len(CALLS)


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
                y = term.value if term.op is None else evaluate(term.op, xs, term.params)
                values[id(term)] = y if term.is_number else np.asarray(y)
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
    if title in STABILISING and any((np.asarray(v) == np.inf).any() for v in given.values()):
        return ours  # there is no softmax of +inf: it may be NaN in other places, too
    if title in STABILISING and greatest > np.finfo(ours.dtype).max / 16:
        return ours  # near the greatest number a sum or product in another order may overflow
    allowed = 0.0 if title not in ROUNDED else 32 * float(np.finfo(ours.dtype).eps) * greatest
    assert np.isfinite(ours[finite]).all()
    np.testing.assert_allclose(ours[finite], theirs[finite], rtol=0, atol=allowed)
    return ours


@pytest.mark.parametrize(("title", "build"), PAIRS)
@given(data=st.data())
def test_a_rule_gives_what_the_original_gives(title, build, data):
    values = data.draw(st.sampled_from([PLAIN, FINITE, FINITE + SPECIAL]))
    ours = compare(title, build, data.draw(operands(build, values)))
    assert title not in STABILISING or values is not FINITE or np.isfinite(ours).all()


# ------------------------------------------------------------------------------------------------- what must not change

KINDS = (np.bool_, np.int8, np.uint8, np.int16, np.float32, np.float64)
MIXED = [
    lambda x, y: x + -y, lambda x, y: x - -y, lambda x, y: -x * -y, lambda x, y: -x / y, lambda x, y: -(x - y),
    lambda x, y: x * x + y, lambda x, y: x + x - y, lambda x, y: -(2 * x) + y, lambda x, y: 0 - x + y,
    lambda x, y: x * 1.0 + y, lambda x, y: 1 * x + y, lambda x, y: x + 0.0 * y, lambda x, y: x / 4 + y / 0.5,
    lambda x, y: power(x, 2) + power(y, 2.0), lambda x, y: total(-x, **KEEP) * y, lambda x, y: x - x + 0 * y,
    lambda x, y: where(invert(x), x, y), lambda x, y: log(1 + exp(x)) + 1 / (1 + exp(-y)), lambda x, y: x * -1 + y * -1,
    lambda x, y: add(x, y.program.constant(np.zeros(2))), lambda x, y: mul(x.program.constant(np.ones(2)), x) + y,
    lambda x, y: exp(x) / total(exp(x), **KEEP) + y, lambda x, y: log(exp(x)) + (1 - y) * x - y * (1 - x),
]  # fmt: skip


@pytest.mark.parametrize("build", MIXED)
@given(data=st.data())
def test_rules_keep_dtypes_and_integers_that_wrap_around(build, data):
    given_ = {}
    for name in "xy":
        if data.draw(st.booleans()):
            given_[name] = data.draw(st.sampled_from([2.5, -1.0, 0.0, float("nan")]))
        else:
            values = np.array([[data.draw(st.integers(0, 255)), 1], [0, 128]])
            given_[name] = values.astype(data.draw(st.sampled_from(KINDS)))
    if not any(isinstance(v, np.ndarray) for v in given_.values()):
        return
    try:
        _, plain, inputs = made(build, given_, tables(False)[0])
        theirs, greatest = computed(plain, inputs)
    except (
        TypeError,
        ValueError,
        OverflowError,
        tg.errors.TinygradError,
    ):  # NumPy has no minus for booleans, and so on
        return
    for rules in (STABLE, EXACT):
        _, root, inputs = made(build, given_, rules)
        ours, _ = computed(root, inputs)
        assert root.dtype == plain.dtype
        assert root.shape == plain.shape
        ok = np.isfinite(theirs)
        if rules is EXACT:
            np.testing.assert_array_equal(np.asarray(ours)[~ok], np.asarray(theirs)[~ok])
        dtypes = [np.dtype(term.dtype) for term in ordered([plain])]
        eps = max((float(np.finfo(dtype).eps) for dtype in dtypes if dtype.kind == "f"), default=0)
        np.testing.assert_allclose(np.asarray(ours)[ok], np.asarray(theirs)[ok], rtol=0, atol=32 * eps * greatest)


@pytest.mark.parametrize("build", [lambda x: x - x, lambda x: x * 0, lambda x: x / x, lambda x: exp(log(x))])
def test_what_would_lose_a_nan_stays(build):
    _, root, inputs = made(build, {"x": np.array([np.nan, 1.0])}, STABLE)
    assert np.isnan(computed(root, inputs)[0][0])


def test_equal_terms_are_one_and_constants_are_folded():
    program = Program(STABLE)
    x = program.input((3,), np.dtype(float))
    assert add(x, 1) is add(x, 1.0)
    assert softmax(x, axis=0) is div(exp(x), total(exp(x), axis=0, keepdims=True))
    found = mul(x, program.make(ops.add, 2.0, 3.0))
    assert [y.value for y in found.inputs] == [None, 5]
    assert program.fired["constant folding"] == 1


def test_the_plan_counts_folding_common_subexpressions_and_dead_code():
    fast = tg.compile(lambda x, y: [x + y, (x + y) * (tg.exp(tg.Value(0.0)) * 2.0), tg.log(tg.exp(x))])
    fast(np.ones(3), np.ones(3))
    fired = fast.plan.rules
    assert fired["constant folding"]
    assert fired["common subexpression"]
    assert fired["dead code"]  # exp(x): its logarithm is x


# --------------------------------------------------------------------------------------------------- which rules are on


def test_an_unknown_rule_is_an_error_that_lists_the_rules():
    with pytest.raises(UnsupportedError, match=r"no rule 'x \+ 1'; there are .*'x \+ 0'"):
        tg.compile(abs, rules=["x + 0", "x + 1"])
    with pytest.raises(UnsupportedError, match="no rule"):
        tg.compile(abs, rules="everything")


def test_only_the_rules_named_fire():
    x = np.linspace(-1.0, 2.0, 5)

    def f(x):
        return tg.log(1 + tg.exp(x)) + 0.0

    for rules, expected in (
        ("x + 0", {"x + 0"}),
        ({"log of 1 + exp", "x + 0"}, {"x + 0", "log of 1 + exp"}),
        (False, set()),
    ):
        fast = tg.compile(f, rules=rules)
        np.testing.assert_allclose(fast(x), f(x), rtol=1e-14)
        assert {title for title in fast.plan.rules if title in titles() and title not in FORMS} == expected


# -------------------------------------------------------------------------------------------------- the notes' network


def network(W, b1, V, b2, X, T, lr, forward):
    def loss(W, b1, V, b2):
        H = tg.sigmoid(X @ W + b1)
        A = H @ V + b2
        Y = forward(A)
        return -tg.sum(T * tg.log(Y))

    L, (dW, db1, dV, db2) = tg.value_and_grad(loss, argnums=(0, 1, 2, 3))(W, b1, V, b2)
    return L, W - lr * dW, b1 - lr * db1, V - lr * dV, b2 - lr * db2


def written_softmax(A):
    E = tg.exp(A)
    return E / tg.sum(E, axis=1, keepdims=True)


def with_maximum(A):
    E = tg.exp(A - tg.max(A, axis=1, keepdims=True))
    return E / tg.sum(E, axis=1, keepdims=True)


def without_keepdims(A):
    E = tg.exp(A)
    return E / tg.reshape(tg.sum(E, axis=1), (-1, 1))


def transposed(A):
    E = tg.exp(A)
    return (E.T / tg.sum(E, axis=1)).T


def with_new_axis(A):
    E = tg.exp(A)
    return E / E.sum(axis=1)[:, None]


SPELLINGS = [written_softmax, with_maximum, without_keepdims, transposed, with_new_axis, tg.softmax]


def example_data(n=6):
    rng = np.random.default_rng(0)
    parameters = [rng.normal(size=shape) for shape in ((2, 3), (3,), (3, 3), (3,))]
    return [*parameters, rng.normal(size=(n, 2)), np.eye(3)[rng.integers(0, 3, n)], 0.01]


@pytest.mark.parametrize("forward", SPELLINGS)
def test_the_step_of_the_notes_network_reads_like_the_gradient_by_hand(forward):
    fast = tg.compile(lambda *given: network(*given, forward))
    given_ = example_data()
    for ours, theirs in zip(fast(*given_), network(*given_, forward), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=1e-14)
    lines = [line.partition("#")[0].strip() for line in fast.source.splitlines()]
    text = "\n".join(lines)
    for line in (
        "H = 1 / (1 + np.exp(-t1))",
        "dH = dA @ V.T",
        "dV = H.T @ dA",
        "db2 = dA.sum(axis=0)",
    ):
        assert line in lines, text
    (name,) = [
        line.partition(" = ")[0] for line in lines if line.endswith(".sum(axis=1, keepdims=True)") and "T." in line
    ]
    (quotient,) = [line for line in lines if f"({name} / " in line]  # y · Σt, with the sum of y's exponentials
    assert f"dA = {quotient.partition(' = ')[0]} - T" in lines, text
    assert text.count(" / ") == 2
    assert text.count("np.exp(") == 2
    assert text.count("np.log(") == 1


@pytest.mark.parametrize("forward", SPELLINGS)
def test_a_written_out_softmax_trains_where_the_original_overflows(forward):
    given_ = example_data()
    given_[3] = np.array([0.0, 5000.0, -5000.0])
    fast = tg.compile(lambda *given: network(*given, forward))
    assert all(np.isfinite(x).all() for x in fast(*given_))


def test_a_binary_cross_entropy_comes_down_to_the_error():
    def loss(z, t):
        h = 1 / (1 + tg.exp(-z))
        return -tg.sum(t * tg.log(h) + (1 - t) * tg.log(1.0 - h))

    z, t = np.array([-2.0, 0.5, 800.0, -800.0]), np.array([0.0, 1.0, 1.0, 0.0])
    fast = tg.compile(tg.value_and_grad(loss))
    value, gradient = fast(z, t)
    np.testing.assert_allclose(gradient, tg.sigmoid(z) - t, atol=1e-15)
    assert np.isfinite(value)
    assert fast.source.count(" / ") == 1, fast.source


@pytest.mark.parametrize("off", sorted(set(CALLS)))
def test_a_step_is_the_same_with_any_rule_off(off):
    fast = tg.compile(lambda *given: network(*given, written_softmax), rules=[t for t in titles() if t != off])
    given_ = example_data(60)
    for ours, theirs in zip(fast(*given_), network(*given_, written_softmax), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-11, atol=1e-13)
