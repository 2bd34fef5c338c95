"""Is the test suite any good? Corrupt each row of the op table, and the engine, in turn: some test must then fail.

    python -m benchmarks.mutants                 # all rows and the engine
    python -m benchmarks.mutants exp matmul      # some rows
    python -m benchmarks.mutants engine --jobs 2

A rule is corrupted in what it returns (its sign, a factor, one element too far, nothing at all), in what it is given
(operands swapped, an operand for the output, a cotangent of ones) and inside: of every ``a + b``, ``a * b`` and so on
one side is left out. A mutant that gives what the rule gives at a thousand random and special points is equivalent, and
is not counted. Whatever survives the tests of its row is tried on the tests of special points, and then named.
"""

import argparse
import contextlib
import dis
import inspect
import io
import multiprocessing
import os
import sys
import textwrap
import time
from pathlib import Path

for variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"
os.environ["HYPOTHESIS_PROFILE"] = "mutants"
TESTS = Path(__file__).resolve().parents[1] / "tests"
sys.path.insert(0, str(TESTS))

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

settings.register_profile(
    "mutants",
    max_examples=40,
    derandomize=True,
    deadline=None,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
    report_multiple_bugs=False,
)
settings.load_profile("mutants")

import test_algebra
import test_ops
import test_transforms
from op_cases import samples
from strategies import SMOOTH, SPECIAL, call

import tinygrad_mlp as tg
from tinygrad_mlp import arrays, backward, graph, optim, table, tensors
from tinygrad_mlp.backward import edges, floats, reverse

ROW_TESTS = (
    test_ops.test_vjp_agrees_with_central_difference,
    test_ops.test_the_gradient_of_the_gradient_agrees_with_central_difference,
    test_ops.test_vjps_are_linear_in_the_cotangent,
    test_ops.test_float32_stays_float32,
    test_transforms.test_jvp_agrees_with_central_difference,
    test_algebra.test_pushed_and_pulled_pairings_agree,
)
POINT_TESTS = (
    *("kinks", "special_points", "conventions", "oracles", "scalars", "units", "hand_formulas", "nn"),
    *("indexing", "arranging", "sorting", "matrices"),
)
ENGINE_TESTS = (
    *("backward", "graph", "gradients", "mutation", "copies", "constants", "algebra", "arrays", "scalars"),
    *("neurons", "state_machine", "transforms", "nested_transforms", "backward_errors", "tensors", "optim"),
    *("dtypes", "ops"),
)

# ---------------------------------------------------------------------------------------------- what is done to a rule


def _on_result(f):
    """Return a mutation that changes what a rule returns: one cotangent, or those of all operands."""

    def mutate(rule):
        def mutant(*args, **kwargs):
            c = rule(*args, **kwargs)
            return [None if x is None else f(x) for x in c] if isinstance(c, tuple | list) else f(c)

        return mutant

    return mutate


def _rolled(c):
    """Return a cotangent with every element one place further."""
    shape = np.shape(c) if not hasattr(c, "shape") else c.shape
    return tg.reshape(tg.roll(tg.reshape(c, -1), 1), shape) if int(np.prod(shape)) > 1 else c


def _on_arguments(change):
    """Return a mutation that changes what a rule is given: ``change(first, operands)`` of the arguments before it."""

    def mutate(rule, before):
        def mutant(*args, **kwargs):
            head, operands = change(list(args[:before]), list(args[before:]))
            return rule(*head, *operands, **kwargs)

        return mutant

    return mutate


def _ones(head, operands):
    g = head[-2]
    return [*head[:-2], tg.where(True, 1.0, g) if hasattr(g, "shape") else 1.0, head[-1]], operands


RESULTS = {
    "sign": _on_result(lambda c: -c),
    "twice": _on_result(lambda c: 2 * c),
    "0.1 % more": _on_result(lambda c: c * 1.001),
    "zero": _on_result(lambda c: tg.where(False, c, 0.0)),
    "one element further": _on_result(_rolled),
}
ARGUMENTS = {
    "cotangent of ones": _on_arguments(_ones),
    "operand for output": _on_arguments(lambda head, operands: ([*head[:-1], operands[0]], operands)),
    "output for operand": _on_arguments(lambda head, operands: (head, [head[-1], *operands[1:]])),
    "operands swapped": _on_arguments(lambda head, operands: (head, operands[::-1])),
}


def without_a_side(function):
    """Yield copies of a function in each of which one binary operation gives only its left, or its right, operand."""
    code = function.__code__
    instructions = list(dis.get_instructions(code))
    for at, instruction in enumerate(instructions):
        if instruction.opname != "BINARY_OP" or "=" in instruction.argrepr:
            continue
        end = instructions[at + 1].offset
        for side, names in (("left", ["POP_TOP"]), ("right", ["SWAP", "POP_TOP"])):
            raw = bytearray(code.co_code)
            for i in range(instruction.offset, end, 2):  # the operation and its caches
                name = names.pop(0) if names else "NOP"
                raw[i : i + 2] = bytes([dis.opmap[name], 2 if name == "SWAP" else 0])
            copy = type(function)(
                code.replace(co_code=bytes(raw)),
                function.__globals__,
                function.__name__,
                function.__defaults__,
                function.__closure__,
            )
            copy.__kwdefaults__ = function.__kwdefaults__
            yield f"only the {side} of {instruction.argrepr} ({at})", copy


def rules(op):
    """Yield each rule of a row: its name, the rule, how many arguments stand before the operands, how to replace it."""
    if op.joint_vjp is not None:
        yield "all operands", op.joint_vjp, 3, lambda rule: setattr(op, "joint_vjp", rule)
    elif op.argnum_vjp is not None:
        yield "any operand", op.argnum_vjp, 3, lambda rule: setattr(op, "argnum_vjp", rule)
    for i, rule in enumerate(op.vjps):
        if rule is not None:
            vjps = op.vjps
            yield (
                f"operand {i}",
                rule,
                2,
                lambda new, i=i, vjps=vjps: setattr(op, "vjps", (*vjps[:i], new, *vjps[i + 1 :])),
            )


def mutants(op, rule, before):
    """Yield the name and the rule of every mutant."""
    for name, mutate in RESULTS.items():
        yield name, mutate(rule)
    if op.argnum_vjp is None:
        for name, mutate in ARGUMENTS.items():
            if name != "operands swapped" or op.arity == 2:
                yield name, mutate(rule, before)
    else:
        yield "cotangent of ones", lambda argnum, g, y, *xs, **p: rule(argnum, tg.where(True, 1.0, g), y, *xs, **p)
    if hasattr(rule, "__code__"):
        yield from without_a_side(rule)


# ---------------------------------------------------------------------------------------------- whether a test notices


def gradients_of(op, operands, wrt, params):
    """Return what a row gives its operands, as text where it raises."""
    nodes = [tg.Tensor(x) if i in wrt else x for i, x in enumerate(operands)]
    try:
        with np.errstate(all="ignore"):
            y = call(op, nodes, params)
            seed = np.random.default_rng(1).normal(size=y.shape)
            found = backward.cotangents(y, seed)
            return [found.get(nodes[i]) for i in wrt]
    except Exception as error:  # noqa: BLE001  (a mutant may fail in any way)
        return type(error).__name__


def is_equivalent(op, replace, rule, mutant):
    """Return whether a mutant gives what the rule gives, at random points and among zeros, ties and infinities."""

    @settings(max_examples=100)
    @given(data=st.data())
    def agree(data):
        sample = data.draw(samples(op))
        rng = np.random.default_rng(data.draw(st.integers(0, 999)))
        special = [
            rng.choice(SPECIAL[: rng.choice([4, 8, 13])], np.shape(x))
            if x is not None and np.asarray(x).dtype.kind == "f"
            else x
            for x in sample.operands
        ]
        for operands in (sample.operands, special):
            found = []
            for candidate in (rule, mutant):
                replace(candidate)
                found.append(gradients_of(op, operands, sample.wrt, sample.params))
            replace(rule)
            assert type(found[0]) is type(found[1])
            for a, b in zip(*found, strict=True):
                assert a is b or np.array_equal(a, b, equal_nan=not isinstance(a, str))

    return not fails(agree)


def fails(test, *args):
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            test(*args)
    except pytest.skip.Exception:
        return False
    except Exception:  # noqa: BLE001  (whatever it raises, it noticed)
        return True
    return False


def some_test_fails(names):
    """Run test files in a copy of this process, in which the mutant lives too; return whether one fails."""
    files = [str(TESTS / f"test_{name}.py") for name in names if (TESTS / f"test_{name}.py").exists()]
    plugins = [f"-pno:{name}" for name in ("cacheprovider", "hypothesispytest")]  # it comes too late
    child = os.fork()
    if child == 0:
        sys.stdout = sys.stderr = open(os.devnull, "w")  # noqa: SIM115  (until the process ends)
        os._exit(pytest.main(["-xq", "--assert=plain", "-Wignore::pytest.PytestWarning", *plugins, *files]))
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if status not in (0, 1):
        raise RuntimeError(f"pytest ended with {status} on {', '.join(names)}")
    return status == 1


def try_row(name):
    """Return (caught, equivalent, missed) for one row: two numbers and a list of names."""
    op = SMOOTH[name]
    caught = equivalent = 0
    missed = []
    for which, rule, before, replace in rules(op):
        for what, mutant in mutants(op, rule, before):
            try:
                replace(mutant)
                noticed = any(fails(test, op) for test in ROW_TESTS)
                if not noticed and is_equivalent(op, replace, rule, mutant):
                    equivalent += 1
                    continue
                replace(mutant)
                if noticed or some_test_fails(POINT_TESTS):
                    caught += 1
                else:
                    missed.append(f"{name}, {which}: {what}")
            finally:
                replace(rule)
    return caught, equivalent, missed


# ---------------------------------------------------------------------------------------------------------- the engine

ENGINE = [  # a function, a piece of it, and what stands there instead
    (reverse._accumulate, "found[x] + c if x in found else c", "c"),
    (reverse._accumulate_sorted, "grads[x] + c if x in grads else c", "c"),
    (reverse._accumulate, "if x is not computed:", "if True:"),
    (edges._fit, "c = sum_to(c, shape=shape)", "c = c[(0,) * (c.ndim - len(shape))]"),
    (edges._fit, "np.asarray(c, d.dtype)", "np.asarray(c)"),
    (backward.backward, "if g.base is not None or getrefcount(g) > UNSHARED:", "if False:"),
    (backward.backward, "node._grad is not None and node.op is None", "False"),
    (backward.check_fresh, "base.tick > node.tick", "base.tick < node.tick"),
    (backward.check_fresh, "and node.op.is_read(i, node.inputs)", ""),
    (edges._bases, "node.op is None or not node.op.view", "True"),
    (backward.contributions, "if node.tick != clock[0]:", "if False:"),
    (floats._sweep, "a._grad += g * b._payload", "a._grad = g * b._payload"),
    (floats._sweep, "b._grad -= g", "b._grad += g"),
    (floats._sweep, "if node.tick != now:", "if False:"),
    (floats._sweep, "not node._payload <= 0", "not node._payload < 0"),
    (floats._sweep_affine, "x._grad += g * w._payload", "x._grad = g * w._payload"),
    (floats.FloatGraph.sweep, "self.restore()", "pass"),
    (floats.FloatGraph.sweep, "+ leaf._grad", ""),
    (graph.toposort, "order.reverse()", "order.sort(key=id)"),
    (graph.toposort, "and x not in seen", ""),
    (graph.recording.__exit__, "_mode.reset(self._tokens.pop())", "_mode.set(GRADIENTS)"),
    (graph._Flat.gather, "and id(x) not in _flats", ""),
    (arrays.Namespace.sum_to, "self.sum(x, axis=axes, keepdims=True)", "self.mean(x, axis=axes, keepdims=True)"),
    (arrays.NumPy.scatter, "np.add.at(y, index, values)", "y[index] += values"),
    (arrays.freeze, "return array.copy()", "return array"),
    (arrays.thaw, "_checksum(plain) != array.checksum", "False"),
    (table.Op._kept, "freeze(value) if type(value) not in NUMBERS and self.is_read(i, inputs) else value", "value"),
    (table.op.BinaryOp.__call__, "not raw and self.reads[1][0]", "False"),
    (table.Op._record, "node._payload = node._payload.copy()", "pass"),
    (table.op._held, "value.copy() if type(value) is ndarray else value", "value"),
    (tensors.array.Tensor.assign, "self.tick = tick()", "pass"),
    (tensors.value.Value.assign, "self.tick = tick()", "pass"),
    (
        tensors.array.Tensor.assign,
        "np.array(new, dtype=self._payload.dtype)",
        "np.asarray(new, dtype=self._payload.dtype)",
    ),
    (optim.SGD.step, "tick()", "0"),
]


def try_engine():
    """Return (caught, equivalent, missed) for the engine."""
    caught, missed = 0, []
    for function, old, new in ENGINE:
        source = textwrap.dedent(inspect.getsource(function))
        name = f"{function.__qualname__}: {old} → {new or 'nothing'}"
        if old not in source:
            missed.append(f"{name}: no such piece, mend the list")
            continue
        code, scope = function.__code__, dict(function.__globals__)
        exec(compile(source.replace(old, new), function.__code__.co_filename, "exec"), scope)
        made = scope[function.__name__]
        function.__code__ = getattr(made, "__func__", made).__code__
        try:
            if some_test_fails(ENGINE_TESTS):
                caught += 1
            else:
                missed.append(name)
        finally:
            function.__code__ = code
    return caught, 0, missed


def attempt(name):
    """Return the name of a row, or "engine", and what became of its mutants."""
    return name, try_engine() if name == "engine" else try_row(name)


def main(arguments):
    """Try the mutants of the named rows, all by default; return 1 if one survives."""
    parser = argparse.ArgumentParser(description="Corrupt each row and the engine; some test must fail.")
    parser.add_argument("rows", nargs="*", help="rows of the op table, or engine; all by default")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    given_names = parser.parse_args(arguments)
    names = given_names.rows or ["engine", *SMOOTH]
    unknown = [name for name in names if name != "engine" and name not in SMOOTH]
    if unknown:
        parser.error(f"no row {unknown[0]!r} with a derivative")
    start, totals, survivors = time.perf_counter(), [0, 0], []
    with multiprocessing.get_context("fork").Pool(given_names.jobs, maxtasksperchild=1) as pool:
        for name, (caught, equivalent, missed) in pool.imap_unordered(attempt, names):
            print(f"{name:<32}{caught:>5} caught{equivalent:>5} equivalent{len(missed):>5} missed", flush=True)
            totals = [totals[0] + caught, totals[1] + equivalent]
            survivors += missed
    for survivor in survivors:
        print(f"  missed: {survivor}")
    print(f"{totals[0]} caught, {len(survivors)} missed, {totals[1]} equivalent, {time.perf_counter() - start:.0f} s")
    return int(bool(survivors))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
