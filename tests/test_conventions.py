"""What the rows say in ``kinks`` and ``defined`` is what their derivatives are, on arrays, on floats and recorded."""

import math

import numpy as np
import pytest
from strategies import ROWS, call

import tinygrad_mlp as tg
from tinygrad_mlp.backward import cotangents

inf, nan = math.inf, math.nan

# For every row with a convention: operands, params, and the derivative in each operand (None: not looked at).
AT_KINKS = {
    "abs": [((0.0,), {}, (0.0,)), ((-0.0,), {}, (0.0,))],
    "arccos": [((1.0,), {}, (-inf,)), ((-1.0,), {}, (-inf,))],
    "arccosh": [((1.0,), {}, (inf,))],
    "arcsin": [((1.0,), {}, (inf,)), ((-1.0,), {}, (inf,))],
    "arctan2": [((0.0, 0.0), {}, (0.0, 0.0))],
    "arctanh": [((1.0,), {}, (inf,)), ((-1.0,), {}, (inf,))],
    "cbrt": [((0.0,), {}, (inf,))],
    "ceil": [((2.0,), {}, (0.0,)), ((2.5,), {}, (0.0,))],
    "clip": [((1.0, 1.0, 3.0), {}, (1.0, 0.0, 0.0)), ((3.0, 1.0, 3.0), {}, (1.0, 0.0, 0.0))],
    "copysign": [((0.0, -1.0), {}, (0.0, 0.0)), ((-0.0, 0.0), {}, (0.0, 0.0))],
    "divide": [((1.0, 0.0), {}, (inf, -inf)), ((0.0, 0.0), {}, (inf, nan))],
    "elu": [((0.0,), {"alpha": 0.25}, (0.25,))],
    "euclidean_norm": [(([0.0, 0.0],), {}, ([0.0, 0.0],))],
    "floor_divide": [((6.0, 3.0), {}, (0.0, 0.0)), ((7.0, 3.0), {}, (0.0, 0.0))],
    "floor": [((2.0,), {}, (0.0,)), ((2.5,), {}, (0.0,))],
    "fmax": [((2.0, 2.0), {}, (1.0, 0.0))],
    "fmin": [((2.0, 2.0), {}, (1.0, 0.0))],
    "fmod": [((6.0, 3.0), {}, (1.0, -2.0))],
    "hardsigmoid": [((-3.0,), {}, (0.0,)), ((3.0,), {}, (0.0,))],
    "hardswish": [((-3.0,), {}, (0.0,)), ((3.0,), {}, (1.0,))],
    "hardtanh": [((-1.0,), {}, (0.0,)), ((2.0,), {"max_val": 2.0}, (0.0,))],
    "heaviside": [((0.0, 0.25), {}, (0.0, 1.0)), ((2.0, 0.25), {}, (0.0, 0.0))],
    "hypot": [((0.0, 0.0), {}, (0.0, 0.0))],
    "leaky_relu": [((0.0,), {"negative_slope": 0.25}, (0.25,))],
    "log": [((0.0,), {}, (inf,))],
    "log10": [((0.0,), {}, (inf,))],
    "log1p": [((-1.0,), {}, (inf,))],
    "log2": [((0.0,), {}, (inf,))],
    "logaddexp": [((inf, inf), {}, (0.5, 0.5)), ((-inf, -inf), {}, (0.5, 0.5))],
    "logaddexp2": [((inf, inf), {}, (0.5, 0.5)), ((-inf, -inf), {}, (0.5, 0.5))],
    "logit": [
        ((0.0,), {}, (inf,)),
        ((1.0,), {}, (inf,)),
        ((0.05,), {"eps": 0.1}, (0.0,)),
        ((1.0,), {"eps": 0.1}, (0,)),
    ],
    "logsumexp": [(([-inf, -inf],), {}, ([0.0, 0.0],))],
    "max": [(([2.0, 2.0, 1.0],), {}, ([0.5, 0.5, 0.0],)), (([nan, 2.0],), {}, ([1.0, 0.0],))],
    "maximum": [((2.0, 2.0), {}, (0.5, 0.5)), ((nan, 2.0), {}, (1.0, 1.0))],
    "min": [(([2.0, 2.0, 3.0],), {}, ([0.5, 0.5, 0.0],)), (([nan, 2.0],), {}, ([1.0, 0.0],))],
    "minimum": [((2.0, 2.0), {}, (0.5, 0.5)), ((nan, 2.0), {}, (1.0, 1.0))],
    "nan_to_num": [((nan,), {}, (0.0,)), ((inf,), {}, (0.0,)), ((-inf,), {}, (0.0,))],
    "nanmax": [(([2.0, 2.0, nan],), {}, ([0.5, 0.5, 0.0],))],
    "nanmin": [(([2.0, nan, 2.0],), {}, ([0.5, 0.0, 0.5],))],
    "power": [((0.0, 0.0), {}, (0.0, 0.0)), ((0.0, 2.0), {}, (0.0, 0.0)), ((0.0, 0.5), {}, (inf, 0.0))],
    "prelu": [((0.0, 0.25), {}, (0.25, 0.0))],
    "ranked": [(([2.0, 1.0, 2.0], [1]), {}, ([0.5, 0.0, 0.5], None))],
    "reciprocal": [((0.0,), {}, (-inf,))],
    "relu": [((0.0,), {}, (0.0,)), ((-0.0,), {}, (0.0,))],
    "relu6": [((0.0,), {}, (0.0,)), ((6.0,), {}, (0.0,))],
    "remainder": [((6.0, 3.0), {}, (1.0, -2.0))],
    "rint": [((2.5,), {}, (0.0,)), ((2.0,), {}, (0.0,))],
    "round": [((2.5,), {}, (0.0,)), ((2.25,), {"decimals": 1}, (0.0,))],
    "rsqrt": [((0.0,), {}, (-inf,))],
    "running_max": [(([2.0, 2.0],), {}, ([1.5, 0.5],))],
    "running_min": [(([2.0, 2.0, 3.0],), {}, ([2.0, 1.0, 0.0],))],
    "selu": [((0.0,), {}, (1.7580993408473766,))],
    "sign": [((0.0,), {}, (0.0,)), ((2.0,), {}, (0.0,))],
    "sqrt": [((0.0,), {}, (inf,))],
    "std": [(([2.0, 2.0],), {}, ([0.0, 0.0],))],
    "svdvals": [(([[0.0]],), {}, ([[0.0]],))],
    "trunc": [((2.0,), {}, (0.0,)), ((2.5,), {}, (0.0,))],
    "xlogy": [((0.0, 0.0), {}, (0.0, None)), ((0.0, -1.0), {}, (0.0, 0.0))],
}
POINTS = [(name, *point) for name, points in AT_KINKS.items() for point in points]
each_point = pytest.mark.parametrize(
    ("name", "operands", "params", "expected"), POINTS, ids=[f"{name}-{at}" for name, at, *_ in POINTS]
)


def test_every_row_with_a_convention_is_tried_at_its_kinks():
    assert {name for name, op in ROWS.items() if op.kinks} == set(AT_KINKS)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@each_point
@pytest.mark.parametrize("create_graph", [False, True], ids=["values", "recorded"])
def test_the_derivative_at_a_kink_is_the_one_that_the_row_states(name, operands, params, expected, create_graph):
    op = ROWS[name]
    kinds = [lambda x: tg.Tensor(np.asarray(x))] + [tg.Value] * (op.scalars and not create_graph)
    for kind in kinds:
        nodes = [kind(x) for x in operands]
        y = call(op, nodes, params)
        found = cotangents(y, np.ones(y.shape), create_graph=create_graph)
        for x, slope in zip(nodes, expected, strict=True):
            if slope is not None:
                assert np.allclose(np.asarray(getattr(found[x], "data", found[x])), slope, equal_nan=True), kind


@pytest.mark.parametrize("name", [name for name in AT_KINKS if ROWS[name].scalars])
def test_the_words_hold_every_slope_that_is_met(name):
    words = {0.0: "0", 0.5: "½", 1.0: "1", inf: "inf", -inf: "-inf"}
    named = {"leaky_relu": "negative_slope", "elu": "alpha", "selu": "1.7581", "prelu": "weight"}
    first = {words[slopes[0]] for _, _, slopes in AT_KINKS[name] if slopes[0] in words}
    assert all(word in ROWS[name].kinks for word in first), (ROWS[name].kinks, first)
    assert named.get(name, "") in ROWS[name].kinks


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("name", [name for name, op in ROWS.items() if op.elementwise and not op.defined])
def test_a_row_that_names_no_domain_is_defined_everywhere(name):
    op = ROWS[name]
    points = np.array([-7.3, -1.0, -0.4, 0.0, 0.4, 1.0, 7.3])
    n = op.arity or 3
    grid = np.meshgrid(*[points] * n)
    assert not np.isnan(call(op, [np.asarray(x) for x in grid], {})).any()


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize(
    ("name", "outside"),
    [
        ("log", -1.0), ("log1p", -2.0), ("log2", -1.0), ("log10", -1.0), ("sqrt", -1.0), ("rsqrt", -1.0),
        ("arcsin", 2.0), ("arccos", -2.0), ("arccosh", 0.5), ("arctanh", 2.0), ("logit", 1.5),
    ],
)  # fmt: skip
def test_outside_its_domain_a_row_is_nan(name, outside):
    assert ROWS[name].defined
    assert math.isnan(ROWS[name](outside))
    assert np.isnan(ROWS[name](np.array(outside)))
