"""Elementwise rows against mpmath at hundreds of digits: value, first and second derivative to a few last places."""

import math

import numpy as np
import pytest

import tinygrad_mlp as tg

mp = pytest.importorskip("mpmath", reason="mpmath, the oracle of these tests, is not installed")
sp = pytest.importorskip("sympy", reason="sympy, which differentiates the definitions, is not installed")
pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")

X, A, B = sp.symbols("x a b", real=True)
S = sp.Symbol("s", real=True)  # the sign of x, where a definition has |x| = s x
HALF = sp.Rational(1, 2)
TINY = 1e-300  # below it double precision has fewer digits
MANY = 20  # points of each kind


def exactly(number):
    return sp.Rational(*float(number).as_integer_ratio())


# Definitions in a form that sympy differentiates and that mpmath computes at any precision.
SIGMOID = 1 / (1 + sp.exp(-X))
OF_ONE = {
    "exp": sp.exp(X),
    "expm1": sp.exp(X) - 1,
    "exp2": sp.Integer(2) ** X,
    "log": sp.log(X),
    "log1p": sp.log(1 + X),
    "log2": sp.log(X) / sp.log(2),
    "log10": sp.log(X) / sp.log(10),
    "sqrt": sp.sqrt(X),
    "cbrt": S * (S * X) ** sp.Rational(1, 3),
    "rsqrt": 1 / sp.sqrt(X),
    "reciprocal": 1 / X,
    "square": X**2,
    "sin": sp.sin(X),
    "cos": sp.cos(X),
    "tan": sp.tan(X),
    "arcsin": sp.asin(X),
    "arccos": sp.acos(X),
    "arctan": sp.atan(X),
    "sinh": (sp.exp(X) - sp.exp(-X)) / 2,
    "cosh": (sp.exp(X) + sp.exp(-X)) / 2,
    "tanh": S * (1 - sp.exp(-2 * S * X)) / (1 + sp.exp(-2 * S * X)),
    "arcsinh": S * sp.log(S * X + sp.sqrt(X * X + 1)),
    "arccosh": sp.log(X + sp.sqrt(X - 1) * sp.sqrt(X + 1)),
    "arctanh": sp.log((1 + X) / (1 - X)) / 2,
    "sinc": sp.sin(sp.pi * X) / (sp.pi * X),
    "deg2rad": X * sp.pi / 180,
    "rad2deg": X * 180 / sp.pi,
    "sigmoid": SIGMOID,
    "softplus": sp.log(1 + sp.exp(X)),
    "log_sigmoid": -sp.log(1 + sp.exp(-X)),
    "softsign": X / (1 + S * X),
    "silu": X * SIGMOID,
    "mish": X * ((1 + sp.exp(X)) ** 2 - 1) / ((1 + sp.exp(X)) ** 2 + 1),
    "gelu": X * (1 + sp.erf(X / sp.sqrt(2))) / 2,
    "gelu tanh": X / (1 + sp.exp(-2 * sp.sqrt(2 / sp.pi) * (X + exactly(0.044715) * X**3))),
    "elu": sp.exp(X) - 1,
    "celu": sp.exp(X) - 1,
    "selu": exactly(1.0507009873554804934) * exactly(1.6732632423543772848) * (sp.exp(X) - 1),
    "erf": sp.erf(X),
    "erfc": 1 - sp.erf(X),
    "logit": sp.log(X / (1 - X)),
}
OF_TWO = {
    "multiply": A * B,
    "divide": A / B,
    "hypot": sp.sqrt(A * A + B * B),
    "arctan2": sp.atan2(A, B),
    "logaddexp": sp.log(sp.exp(A) + sp.exp(B)),
    "logaddexp2": sp.log(2**A + 2**B) / sp.log(2),
    "xlogy": A * sp.log(B),
    "power": A**B,
}
ONE_MINUS = "1 - y of an output y near 1 rounds; the exact form would cost every training step a second exponential"
# What is lost: absolutely, as a share of the largest slope of the row, and why.
ABSOLUTE = {
    "tanh": ((1, 2), ONE_MINUS),
    "sigmoid": ((1, 2), ONE_MINUS),
    "softplus": ((2,), ONE_MINUS),
    "log_sigmoid": ((2,), ONE_MINUS),
    "silu": ((2,), ONE_MINUS),
    "mish": ((2,), ONE_MINUS),
    "gelu tanh": ((2,), ONE_MINUS),
    "logaddexp": ((2,), ONE_MINUS),
    "logaddexp2": ((2,), ONE_MINUS),
    "hypot": ((2,), "b²/h³ is the difference 1/h - a²/h³"),
    "arctan2": ((2,), "(a² - b²)/h⁴ is the difference of two terms"),
}


def magnitudes(rng, low, high):
    """Numbers of every size, and some between 0 and 2."""
    return np.concatenate([10.0 ** rng.uniform(low, high, 2 * MANY), rng.uniform(0, 2, MANY)])


def near_one():
    return np.concatenate([1 - 2.0 ** -np.arange(1, 53), 1 + 2.0 ** -np.arange(1, 53)])


def points(name):
    """Points over the whole domain of a row of one operand, crowded near its branch points."""
    rng = np.random.default_rng(0)
    wide, medium, small = magnitudes(rng, -300, 300), magnitudes(rng, -12, 3), magnitudes(rng, -300, 0)
    many = np.concatenate([wide, medium])
    to_one = near_one()
    inside, outside = to_one[to_one < 1], to_one[to_one > 1]
    if name in ("log", "log2", "log10", "sqrt", "rsqrt"):
        return np.concatenate([many, to_one])
    if name in ("arcsin", "arccos", "arctanh"):
        found = np.concatenate([small[small < 1], inside])
        return np.concatenate([found, -found])
    if name == "logit":
        return np.concatenate([small[small < 1], inside])
    if name == "arccosh":
        return np.concatenate([outside, 1 + many])
    if name == "log1p":
        return np.concatenate([many, -small[small < 1], -inside])
    if name in ("elu", "celu", "selu"):
        return -np.concatenate([small, rng.uniform(0, 700, MANY)])
    if name in ("cos", "sin", "tan", "sinc"):
        found = np.concatenate([small[small > 1e-150], rng.uniform(0, 40, MANY)])
        return np.concatenate([found, -found])
    if name in ("reciprocal", "square", "cbrt", "arcsinh", "deg2rad", "rad2deg"):
        return np.concatenate([many, -many])
    if name in ("arctan", "softsign"):
        many = many[many < 1e75]  # the second derivative underflows on the way
        return np.concatenate([many, -many])
    found = np.concatenate([small, rng.uniform(0, 30, 2 * MANY), rng.uniform(0, 700, MANY)])
    return np.concatenate([found, -found])


def pairs(name):
    """Pairs of numbers of every size, and of nearly equal ones."""
    rng = np.random.default_rng(1)
    size = 140 if name in ("hypot", "arctan2", "xlogy", "divide", "multiply") else 2
    a, b = (rng.permutation(magnitudes(rng, -size, size)) * rng.choice([-1, 1], 3 * MANY) for _ in "ab")
    near = rng.uniform(-3, 3, MANY)
    a, b = np.concatenate([a, near]), np.concatenate([b, near * rng.uniform(0.9, 1.1, MANY)])
    if name.startswith("logaddexp"):
        a, b = np.concatenate([a, [0.0, 1000.0, 3.0]]), np.concatenate([b, [1000.0, -1000.0, 760.0]])
    return [abs(a) if name == "power" else a, abs(b) if name == "xlogy" else b]


def derivatives(f, xs):
    """Value, and first and second derivatives by the numbers of the operands."""
    n = range(len(xs))

    def slopes(*nodes):
        return tg.grad(lambda *inner: tg.sum(f(*inner)), n)(*nodes)

    found = {(): np.asarray(f(*xs))}
    found |= {(i,): g for i, g in enumerate(slopes(*xs))}
    for i in n:
        for j, g in enumerate(tg.grad(lambda *nodes, i=i: tg.sum(slopes(*nodes)[i]), n)(*xs)):
            found[i, j] = g
    return found


def true(definition, symbols, order, point):
    """The derivative at a point; None where it is no real double-precision number."""
    for k in order:
        definition = sp.diff(definition, symbols[k])
    f = sp.lambdify([*symbols, S], definition, "mpmath")
    with mp.workdps(400):
        numbers = []
        for given in point:
            try:
                value = f(*map(mp.mpf, given), mp.mpf(math.copysign(1, given[0])))
            except (OverflowError, ZeroDivisionError):
                value = mp.inf
            numbers.append(float(value) if not isinstance(value, mp.mpc) else math.nan)
        return np.array(numbers)


def check(name, f, definition, symbols, xs):
    f_points = [tuple(map(float, point)) for point in zip(*xs, strict=True)]
    orders, _ = ABSOLUTE.get(name, ((), ""))
    for order, found in derivatives(f, xs).items():
        expected = true(definition, symbols, order, f_points)
        use = np.isfinite(expected) & (abs(expected) < 1e300)
        close = 2e-13 * abs(expected) + TINY
        if len(order) in orders:
            close += 1e-14 * scale(name, len(order), xs)
        condition = conditioned(name, xs)
        bad = use & ~(abs(found - expected) <= close + condition * abs(expected))
        assert not bad.any(), [order, [float(x[bad][0]) for x in xs], found[bad][0], expected[bad][0]]


def scale(name, order, xs):
    """The size of the terms that cancel."""
    if name in ("hypot", "arctan2"):
        return np.hypot(*xs) ** -(order - 1.0 if name == "hypot" else order)
    return 1.0 if name != "mish" and name != "silu" and name != "gelu tanh" else 1 + abs(xs[0])


def conditioned(name, xs):
    """What a last place of the operands, or of a constant factor inside, changes."""
    if name in ("exp", "exp2", "expm1", "sinh", "cosh", "softplus", "sigmoid", "log_sigmoid", "silu", "mish"):
        return 1e-15 * abs(xs[0])
    if name in ("gelu", "erf", "erfc", "gelu tanh"):
        return 1e-15 * xs[0] ** (4 if name == "gelu tanh" else 2)
    if name == "logit":
        return 1e-15 / (abs(xs[0] - 0.5) + 1e-300)
    if name in ("sinc", "sin", "cos", "tan"):
        return 1e-15 * abs(xs[0]) / np.maximum(abs(np.sin(math.pi * xs[0] if name == "sinc" else 2 * xs[0])), 1e-16)
    if name.startswith("logaddexp"):
        return 1e-15 * abs(xs[0] - xs[1])
    if name == "xlogy":
        return 1e-15 / np.maximum(abs(np.log(xs[1])), 1e-16)
    return 1e-15 * abs(xs[1] * np.log(xs[0])) if name == "power" else 0.0


@pytest.mark.parametrize("name", OF_ONE)
def test_rows_of_one_operand(name):
    f = (lambda x: tg.gelu(x, "tanh")) if name == "gelu tanh" else getattr(tg, name)
    check(name, f, OF_ONE[name], [X], [points(name)])


@pytest.mark.parametrize("name", OF_TWO)
def test_rows_of_two_operands(name):
    check(name, getattr(tg, name), OF_TWO[name], [A, B], pairs(name))
