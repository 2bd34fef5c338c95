"""Graphs of floats, recorded once and replayed: by Python, by NumPy level by level, by a tape of opcodes."""

import gc
import itertools
import math
import threading
import warnings
from importlib.util import find_spec
from shutil import which

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from random_graphs import programs
from strategies import SPECIAL, call

import tinygrad_mlp as tg
from tinygrad_mlp.backward import cotangents, derivative, expand
from tinygrad_mlp.compiler.scalar import ScalarProgram, opcodes, rules, tape, written
from tinygrad_mlp.compiler.scalar.flat import FlatGraph
from tinygrad_mlp.compiler.scalar.stepping import Stepping
from tinygrad_mlp.errors import MissingDependencyError, ShapeError, UnsupportedError
from tinygrad_mlp.graph import EVERYTHING, recording
from tinygrad_mlp.table import OPS

numba_or_skip = pytest.mark.skipif(find_spec("numba") is None, reason="numba is not installed (the extra fast)")
c_or_skip = pytest.mark.skipif(not any(map(which, ("gcc", "cc", "clang"))), reason="there is no C compiler")
PROGRAMS = [
    "python", "levels", pytest.param("numba", marks=numba_or_skip), pytest.param("c", marks=c_or_skip),
]  # fmt: skip
engines = pytest.mark.parametrize("engine", [*PROGRAMS, "stepping"])
ROWS = {name: op for name, op in OPS.items() if op.scalars and op.__module__.startswith("tinygrad_mlp.ops")}


def replaying(inputs, outputs, engine):
    """A function of lists of floats; "stepping" is what the python engine does with large graphs."""
    return Stepping(FlatGraph(inputs, outputs)) if engine == "stepping" else ScalarProgram(inputs, outputs, engine)


def traced(f, values):
    """The inputs, and the value of ``f`` with its gradient, all recorded."""
    xs = [tg.Value(float(v)) for v in values]
    with recording(EVERYTHING):
        y = f(*xs)
        found = cotangents(y, to=xs, create_graph=True) if y.requires_grad else {}
    return xs, [y, *(found.get(x, tg.Value(0.0)) for x in xs)]


def eager(f, values):
    """What ``f`` and its gradient are now."""
    xs = [tg.Value(float(v)) for v in values]
    y = f(*xs)
    if y.requires_grad:
        y.backward()
    return [float(y._payload), *(x.grad if x.grad is not None else 0.0 for x in xs)]


def agree(given, expected, rtol=1e-9):
    np.testing.assert_allclose(np.array(given, float), np.array(expected, float), rtol=rtol, atol=1e-12)


# ----------------------------------------------------------------------------------------------- the same as when eager


@engines
@given(data=st.data())
def test_a_replay_gives_what_eager_gives_at_other_values(engine, data):
    program = data.draw(programs(scalar=True))
    first = [float(x) for x in program.starts]
    second = [data.draw(st.integers(-8, 8)) / 4 for _ in first]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        xs, outputs = traced(program, first)
        replay = replaying(xs, outputs, engine)
        for values in (first, second, first):
            agree(replay(values), eager(program, values), 1e-8)


PARAMS = {
    "leaky_relu": [{"negative_slope": 0.3}, {"negative_slope": -0.0}], "elu": [{"alpha": 0.5}],
    "celu": [{"alpha": 2.0}], "hardtanh": [{"min_val": -2.0, "max_val": 0.5}], "gelu": [{"approximate": "tanh"}],
    "round": [{"decimals": 1}], "logit": [{"eps": 0.1}], "nan_to_num": [{"nan": 7.0}],
}  # fmt: skip
CASES = [(name, params) for name in ROWS for params in ({}, *PARAMS.get(name, ()))]


def every(op, params, points):
    """A function that applies a row to many points at once and adds up what it gives."""

    def f(*xs):
        n = len(xs) // len(points)
        results = [call(op, xs[i * n : (i + 1) * n], params) for i in range(len(points))]
        total = sum(results, tg.Value(0.0))
        return results, total

    return f


def points_of(op, seed=0):
    arity = op.arity if op.arity is not None else 5
    every_point = list(itertools.product(SPECIAL, repeat=arity)) if arity < 3 else None
    rng = np.random.default_rng(seed)
    return every_point or [tuple(rng.choice(SPECIAL, arity).tolist()) for _ in range(80)]


def rows_replayed(op, params, engine):
    """The results of a row and its derivatives at special points: replayed from others, and eager."""
    points = points_of(op)
    f, arity = every(op, params, points), len(points[0])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        xs = [tg.Value(0.5 + 0.01 * i) for i in range(arity * len(points))]
        with recording(EVERYTHING):
            results, total = f(*xs)
            found = cotangents(total, to=xs, create_graph=True) if op.differentiable else {}
        given = replaying(xs, [*results, *found.values()], engine)([v for point in points for v in point])
        ys = [tg.Value(v) for point in points for v in point]
        results, total = f(*ys)
        total.backward()
    slopes = [y.grad for x, y in zip(xs, ys, strict=True) if x in found]
    return given, [float(getattr(y, "_payload", y)) for y in results] + slopes


@engines
@pytest.mark.parametrize(("name", "params"), CASES, ids=lambda v: v if isinstance(v, str) else "".join(v))
def test_every_row_is_right_at_special_points(engine, name, params):
    agree(*rows_replayed(OPS[name], params, engine))


@engines
@pytest.mark.parametrize("exponent", [2, 2.0, 0, 1, -1, 0.5, 3, -0.5, math.nan, math.inf])
def test_powers_by_constants_are_right_at_special_points(engine, exponent):
    agree(*rows_replayed_by(lambda x: x**exponent, engine))


@engines
@pytest.mark.parametrize("bounds", [(None, None), (-1.0, None), (None, 1.0), (1.0, -1.0), (0.5, 2.0)])
def test_clip_without_some_bounds_is_right_at_special_points(engine, bounds):
    agree(*rows_replayed_by(lambda x: tg.clip(x, *bounds), engine))


@engines
def test_weights_that_multiply_infinite_cotangents_are_chosen_not_multiplied(engine):
    agree(*rows_replayed_by(lambda x: tg.log(tg.relu(x)) * 2.0 + tg.where(x > 1.0, tg.sqrt(x), x) / x, engine))


def rows_replayed_by(f, engine):
    """The same for a function of one number."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        xs = [tg.Value(0.5 + 0.01 * i) for i in range(len(SPECIAL))]
        with recording(EVERYTHING):
            results = [f(x) for x in xs]
            found = cotangents(sum(results), to=xs, create_graph=True)
        given = replaying(xs, [*results, *(found[x] for x in xs)], engine)(SPECIAL)
        ys = [tg.Value(v) for v in SPECIAL]
        expected = [f(y) for y in ys]
        sum(expected).backward()
    return given, [y._payload for y in expected] + [y.grad for y in ys]


@pytest.mark.parametrize("name", sorted(set(opcodes.ROWS) - {"sum"}))
@numba_or_skip
def test_the_tape_has_the_row(name):
    xs = [tg.Value(0.5) for _ in range(OPS[name].arity)]
    with recording(EVERYTHING):
        assert ScalarProgram(xs, [OPS[name](*xs)], "numba").engine == "numba"


@engines
def test_comparisons_and_choices_are_made_anew(engine):
    def f(x, y):
        return tg.where(x > y, x * y, tg.where(tg.logical_and(x > 0, y > 0), x - y, tg.maximum(x, y)))

    xs, outputs = traced(f, (2.0, 1.0))
    replay = replaying(xs, outputs, engine)
    for values in [(2.0, 1.0), (1.0, 2.0), (-1.0, 2.0), (-2.0, -1.0), (1.0, 1.0), (math.nan, 1.0)]:
        agree(replay(values), eager(f, values))


@pytest.mark.parametrize("engine", PROGRAMS)
def test_booleans_come_out_as_booleans(engine):
    x = tg.Value(2.0)
    with recording(EVERYTHING):
        replay = ScalarProgram([x], [x > 1.0, x, tg.logical_not(x)], engine)
    assert replay([0.5]) == [False, 0.5, False]
    assert replay([0.0])[2] is True


# ------------------------------------------------------------------------------------------------------ networks


def network(model, X, y):
    losses = [(1 + -label * model(x)).relu() for x, label in zip(X, y, strict=True)]
    return sum(losses) * (1.0 / len(losses)) + 1e-3 * sum(p * p for p in model.parameters())


def trained(neurons):
    """A step of training a small network: its parameters, and the outputs of the step."""
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(40, 2)).tolist(), rng.choice([-1.0, 1.0], 40).tolist()
    model = tg.nn.scalar.MLP(2, [16, 16, 1], rng=0)
    parameters = list(model.parameters())
    if not neurons:
        weights = iter(parameters)
        layers = [
            [([next(weights) for _ in range(n)], next(weights)) for _ in range(m)]
            for n, m in ((2, 16), (16, 16), (16, 1))
        ]

        def model(x):
            for layer in layers:
                x = [sum((w * v for w, v in zip(row, x, strict=True)), bias) for row, bias in layer]
                x = [v.relu() for v in x] if layer is not layers[-1] else x
            return x[0]

        model.parameters = lambda: parameters
    with recording(EVERYTHING):
        loss = network(model, X, y)
        g = cotangents(loss, to=parameters, create_graph=True)
        steps = [p - 0.1 * g[p] for p in parameters]
    return parameters, [loss, *steps], lambda: network(model, X, y)


@engines
@pytest.mark.parametrize("neurons", [True, False])
def test_a_network_trains_as_it_does_when_eager(engine, neurons):
    parameters, outputs, loss = trained(neurons)
    replay = replaying(parameters, outputs, engine)
    values = [p.data for p in parameters]
    for _ in range(5):
        found, *values = replay(values)
        y = loss()
        y.backward()
        agree([found], [y.data])
        for p in parameters:
            p.data = p.data - 0.1 * p.grad
            p.grad = None
        agree(values, [p.data for p in parameters])


def test_layers_written_number_by_number_become_products_of_matrices():
    for neurons in (True, False):
        parameters, outputs, _ = trained(neurons)
        program = ScalarProgram(parameters, outputs)
        assert program.engine == "levels"
        assert "matrix product (40, 17) @ (17, 16)" in program.source
        assert "groups: 13, of which 3 products of matrices" in program.plan


def test_a_gradient_through_a_part_of_a_product_of_matrices_only_is_right():
    parameters, _, _ = trained(True)
    rows = [parameters[3 * i : 3 * i + 3] for i in range(16)]
    rng = np.random.default_rng(1)
    with recording(EVERYTHING):
        sums = [[w * x + v * y + b for w, v, b in rows] for x, y in rng.normal(size=(40, 2)).tolist()]
        part = sum(sums[i][j] * sums[i][j] for i in range(20) for j in range(i % 5))
        found = cotangents(part, to=parameters, create_graph=True)
    outputs = [part, *found.values(), *(y for row in sums for y in row)]
    assert "matrix product" in ScalarProgram(parameters, outputs[len(found) + 1 :], "levels").source
    program = ScalarProgram(parameters, outputs, "levels")
    assert "matrix product" not in program.source
    agree(program([p.data for p in parameters]), [y._payload for y in outputs])


@pytest.mark.parametrize("special", [math.inf, -math.inf, math.nan, 1e200])
def test_infinities_and_nans_pass_through_products_of_matrices_as_through_sums(special):
    parameters, outputs, loss = trained(True)
    program = ScalarProgram(parameters, outputs, "levels")
    assert "matrix product" in program.source
    rng = np.random.default_rng(2)
    for p in parameters:
        p.data = float(rng.choice([0.0, -0.0, 1.0, -0.5, special], p=[0.3, 0.1, 0.3, 0.25, 0.05]))
    values = [p.data for p in parameters]
    with np.errstate(all="ignore"):
        y = loss()
        y.backward()
    agree(program(values), [y.data, *(p.data - 0.1 * p.grad for p in parameters)])


@engines
def test_nodes_at_which_paths_end_may_be_computed(engine):
    a, b = tg.Value(2.0), tg.Value(3.0)
    with recording(EVERYTHING):
        m = a * b
        y = m * a + m.exp()
        found = cotangents(y, to=[a, m], create_graph=True)
    replay = replaying([a, b], [found[a], found[m]], engine)
    agree(replay([2.0, 3.0]), [6.0, 2.0 + math.exp(6.0)])
    agree(replay([1.0, -1.0]), [-1.0, 1.0 + math.exp(-1.0)])


@engines
def test_gradients_stop_where_they_are_detached(engine):
    x = tg.Value(3.0)
    with recording(EVERYTHING):
        y = x.detach() * x + (x * x).detach()
        g = cotangents(y, to=[x], create_graph=True)[x]
    agree(replaying([x], [y, g], engine)([5.0]), [50.0, 5.0])


@engines
def test_several_gradients_and_what_is_computed_from_them(engine):
    a, b = tg.Value(2.0), tg.Value(3.0)
    with recording(EVERYTHING):
        f, h = tg.value_and_grad(lambda a, b: (a * b).tanh() + a, argnums=(0, 1))(a, b)
        k = tg.grad(lambda b: b * b * b)(b)
        y = h[0] * h[1] + k * f
    replay = replaying([a, b], [y, *h, k], engine)

    def expected(a, b):
        s = 1 - math.tanh(a * b) ** 2
        h = b * s + 1, a * s
        return [h[0] * h[1] + 3 * b * b * (math.tanh(a * b) + a), *h, 3 * b * b]

    for values in [(2.0, 3.0), (0.1, 0.2), (-0.3, 0.4)]:
        agree(replay(values), expected(*values))


# ------------------------------------------------------------------------------------------------- deferred gradients


def test_while_everything_is_recorded_a_gradient_is_not_written_out():
    x = tg.Value(2.0)
    with recording(EVERYTHING):
        g = tg.grad(lambda x: x * x * x)(x)
    assert g.op is derivative
    assert g._payload == 12.0
    expand([g])
    assert g.op is not derivative
    with recording(EVERYTHING):
        assert ScalarProgram([x], [g])([5.0]) == [75.0]


def test_a_second_derivative_writes_the_first_one_out():
    x = tg.Value(2.0)
    with recording(EVERYTHING):
        second = tg.grad(tg.grad(lambda x: x**3 * x))(x)
        h = tg.hessian(lambda x: tg.exp(x) * x)(x)
        _, t = tg.jvp(tg.grad(lambda x: x * x * x), (x,), (1.0,))
        third = tg.grad(tg.grad(tg.grad(lambda x: x * x * x * x)))(x)
    agree(ScalarProgram([x], [second, h, t, third])([0.5]), [3.0, 2.5 * math.exp(0.5), 3.0, 12.0])


def test_a_deferred_gradient_can_be_differentiated_after_the_trace():
    x = tg.Value(2.0)
    with recording(EVERYTHING):
        y = 3.0 * tg.grad(lambda x: x**3)(x)
    y.backward()
    assert x.grad == 36.0
    with recording(EVERYTHING):
        y = 3.0 * tg.grad(lambda x: x**3)(x)
    assert cotangents(y)[x] == 36.0


def test_a_deferred_gradient_that_is_written_out_late_reads_leaves_as_they_were():
    w = tg.Value(2.0)

    def step():
        g = cotangents(w * w * w, to=[w], create_graph=True)[w]
        w.assign(w - 0.01 * g)
        return g, w * 1.0

    compiled = tg.compile(step)
    x = 2.0
    for _ in range(3):
        g = 3 * x * x
        found = compiled()
        x -= 0.01 * g
        agree(found, [g, x])
    assert w.data == pytest.approx(x)


def test_deferring_leaves_no_gradients_behind():
    x = tg.Value(2.0)
    x.grad = 7.0
    with recording(EVERYTHING):
        inner = x * x
        cotangents(inner * x, to=[x], create_graph=True)
    assert x.grad == 7.0
    assert inner.grad is None


def test_a_gradient_outside_of_a_trace_is_written_out():
    x = tg.Value(2.0)
    g = tg.grad(lambda x: x * x, create_graph=True)(x)
    assert g.op is not derivative


# ------------------------------------------------------------------------------------------------------- the engines


def test_the_source_runs_by_itself():
    xs, outputs = traced(lambda x, y: tg.leaky_relu(x * y, 0.1) + x**2 - 1.5, (2.0, 3.0))
    program = ScalarProgram(xs, outputs)
    assert program.engine == "python"
    names = dict(written.Lines(FlatGraph(xs, outputs)).names)
    names.update(program._run.names)
    exec(program.source, names)
    agree(names["replay"]([0.5, -4.0]), program([0.5, -4.0]))
    assert "rows: add, derivative, leaky_relu, multiply, power, subtract" in program.plan


@engines
def test_numbers_of_other_types_are_taken_as_floats(engine):
    x, y = tg.Value(2.0), tg.Value(3.0)
    with recording(EVERYTHING):
        replay = replaying([x, y], [x / y, -x], engine)
    for values in (np.array([0.0, 0.0]), [0, 0]):
        found = replay(values)
        assert math.isnan(found[0])
        assert math.copysign(1.0, found[1]) == -1.0


@engines
def test_inputs_and_constants_may_be_outputs(engine):
    a, c = tg.Value(2.0), tg.Value(-0.0)
    with recording(EVERYTHING):
        found = replaying([a], [a, c, a + 0.0, c * 1.0, a], engine)([3.0])
    assert found == [3.0, 0.0, 3.0, 0.0, 3.0]
    assert [math.copysign(1.0, found[i]) for i in (1, 3)] == [-1.0, -1.0]
    assert replaying([], [c], engine)([]) == [0.0]


@engines
@pytest.mark.parametrize("length", [1, 2, 60, 3000])
def test_long_sums_and_chains_are_replayed(engine, length):
    def total(x, y):
        return sum((x * y for _ in range(length)), y)

    def chain(x, y):
        z = x
        for _ in range(length):
            z = (z * y).tanh() + x
        return z

    for f in (total, chain):
        xs, outputs = traced(f, (0.5, 0.25))
        agree(replaying(xs, outputs, engine)([0.125, -0.5]), eager(f, [0.125, -0.5]), 1e-7)


def test_a_deep_chain_is_not_replayed_level_by_level():
    x, w = tg.Value(0.5), tg.Value(0.9)
    with recording(EVERYTHING):
        y = x
        for _ in range(100_000):
            y = y * w + x
        g = cotangents(y, to=[x, w], create_graph=True)
    program = ScalarProgram([x, w], [y, g[x], g[w]])
    assert program.engine in ("python", "numba")
    agree(program([1.0, 0.5]), [2.0, 2.0, 4.0])
    assert len(program.source.splitlines()) > 100_000


@pytest.mark.parametrize("engine", PROGRAMS)
def test_threads_and_calls_within_calls_share_no_buffers(engine):
    parameters, outputs, _ = trained(True)
    program = ScalarProgram(parameters, outputs, engine)
    values = [[p.data + shift for p in parameters] for shift in (0.0, 0.1, 0.2, 0.3)]
    expected = [program(v) for v in values]
    wrong = []

    def work(k):
        wrong.extend(k for _ in range(30) if program(values[k]) != expected[k])

    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert [program(v) for v in values] == expected


def test_nothing_grows_from_call_to_call():
    parameters, outputs, _ = trained(True)
    program = ScalarProgram(parameters, outputs, "levels")
    values = [p.data for p in parameters]
    program(values)
    gc.collect()
    before = len(gc.get_objects())
    for _ in range(20):
        program(values)
    gc.collect()
    assert len(gc.get_objects()) - before < 20
    assert len(program._run._free) == 1


def test_what_is_no_graph_of_floats_is_refused():
    x, t = tg.Value(2.0), tg.Tensor([1.0, 2.0])
    with recording(EVERYTHING):
        mixed = tg.sum(t * x)
    for inputs, outputs in [([x], [mixed]), ([t], [x])]:
        with pytest.raises(UnsupportedError, match="floats only"):
            ScalarProgram(inputs, outputs)
    with pytest.raises(UnsupportedError, match="choose one of auto, python"):
        ScalarProgram([x], [x], "fortran")
    with pytest.raises(ShapeError, match="1 values for 2 inputs"):
        ScalarProgram([x, tg.Value(1.0)], [x])([1.0])


def test_without_numba_the_engine_names_the_extra(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "numba", None)
    tape.loops.cache_clear()
    x = tg.Value(2.0)
    with pytest.raises(MissingDependencyError, match=r"tinygrad-mlp\[fast\]"):
        ScalarProgram([x], [x * x], "numba")
    monkeypatch.undo()
    tape.loops.cache_clear()


@numba_or_skip
def test_a_row_without_an_opcode_runs_by_levels():
    x = tg.Value(2.0)
    assert ScalarProgram([x], [tg.erf(x)], "numba").engine == "levels"


# ------------------------------------------------------------------------------------------- these tests find mistakes


MISTAKES = [
    ("relu", (lambda g, y, _x, out: np.multiply(g, y >= 0, out),)),
    ("multiply", (lambda g, _y, _a, b, out: np.multiply(g, b, out), lambda g, _y, _a, b, out: np.multiply(g, b, out))),
    ("subtract", (None, None)),
    ("exp", (lambda g, _y, x, out: np.multiply(g, x, out),)),
]


@pytest.mark.parametrize(("name", "slopes"), MISTAKES, ids=lambda v: v if isinstance(v, str) else "")
def test_a_wrong_slope_of_a_group_is_found(monkeypatch, name, slopes):
    monkeypatch.setitem(rules.SLOPES, OPS[name], slopes)
    with pytest.raises(AssertionError):
        agree(*rows_replayed(OPS[name], {}, "levels"))


def test_a_wrong_function_of_a_group_is_found(monkeypatch):
    monkeypatch.setitem(rules.UFUNCS, OPS["divide"], np.floor_divide)
    with pytest.raises(AssertionError):
        agree(*rows_replayed(OPS["divide"], {}, "levels"))
