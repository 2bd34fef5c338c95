"""Do the tests hold the functions, too? Corrupt one expression of a function at a time: some test must then fail.

    python -m benchmarks.function_mutants                             # every function of ops/
    python -m benchmarks.function_mutants ops.sorting ops.norms.norm  # those of a module; one
    python -m benchmarks.function_mutants --most 10 tensors.protocols # ten mutants a function

The tests run once as they are, and it is noted which function each of them calls. Then each mutant, in a process of its
own, meets the tests that call its function, the most particular of them first. Pieces of error messages are left alone.
What survives is either equivalent (a faster way to the same result, say) or wants a test: read it and decide.
"""

import argparse
import ast
import copy
import importlib
import os
import pkgutil
import random
import resource
import signal
import sys
import time
from pathlib import Path

for variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

os.environ["HYPOTHESIS_PROFILE"] = "mutants"

import pytest
from hypothesis import HealthCheck, Phase, settings

settings.register_profile(
    "mutants",
    max_examples=20,
    derandomize=True,
    deadline=None,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
    report_multiple_bugs=False,
)

ROOT = Path(__file__).resolve().parents[1]
ELSEWHERE = ("cli", "data", "docs", "dev", "examples", "export", "history", "imports", "nn", "notes", "optim", "plot")
ELSEWHERE += ("project", "promises", "readme", "report", "train", "viz", "architecture", "depth", "neurons", "tracing")
ELSEWHERE += ("numpy_protocols", "numpy_operands", "torch_points", "torch_samples", "backends", "mpmath")  # slow
PATIENCE = 60  # seconds that a mutant may take: it may well loop forever
MEMORY = 8 << 30  # bytes

OTHER = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult, ast.Pow: ast.Mult, ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd, ast.MatMult: ast.Mult,
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq, ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
    ast.And: ast.Or, ast.Or: ast.And,
}  # fmt: skip

# ----------------------------------------------------------------------------------------------- what is done to a node


def changes(node):
    """Return what may stand in the place of one node of a function."""
    match node:
        case ast.BinOp(left, op, right):
            other = ast.BinOp(left, OTHER[type(op)](), right) if type(op) in OTHER else left
            return [other, left, right]
        case ast.Compare(left, [op], [right]) if type(op) in OTHER:
            return [ast.Compare(left, [OTHER[type(op)]()], [right])]
        case ast.BoolOp(op, values):
            fewer = [values[:i] + values[i + 1 :] for i in range(len(values))]
            return [ast.BoolOp(op, some) if some[1:] else some[0] for some in fewer]
        case ast.UnaryOp(ast.USub() | ast.Not(), operand):
            return [operand]
        case ast.Constant(bool() as value):
            return [ast.Constant(not value)]
        case ast.Constant(int() as value):
            return [ast.Constant(value + 1)]
        case ast.Constant(float() as value):
            return [ast.Constant(2 * value if value else 1.0)]
        case ast.IfExp(_, body, orelse):
            return [body, orelse]
        case ast.If(_, body, orelse):
            always = [] if isinstance(body[-1], ast.Raise) else [ast.If(ast.Constant(True), body, orelse)]
            return [ast.If(ast.Constant(False), body, orelse), *always]
        case ast.Call(func, args, keywords):
            return [ast.Call(func, args, keywords[:i] + keywords[i + 1 :]) for i in range(len(keywords))]
        case ast.AugAssign():
            return [ast.Pass()]
    return []


def places(node):
    """Yield (parent, field, index) of every node inside, error messages, annotations and docstrings excepted."""
    for field, value in ast.iter_fields(node):
        if field in ("annotation", "returns", "decorator_list", "op", "ops", "args") and not isinstance(node, ast.Call):
            continue
        for i, child in enumerate(value if isinstance(value, list) else [value]):
            if isinstance(child, ast.AST) and not isinstance(child, ast.Raise | ast.JoinedStr):
                yield node, field, i if isinstance(value, list) else None
                yield from places(child)


def mutants(definition):
    """Yield the words and the tree of every mutant of a function's definition."""
    definition.decorator_list = []
    for at, (parent, field, i) in enumerate(list(places(definition))):
        old = part(parent, field, i)
        for new in changes(old):
            tree = copy.deepcopy(definition)
            above, field, i = list(places(tree))[at]
            if i is None:
                setattr(above, field, new)
            else:
                getattr(above, field)[i] = new
            first, second = (ast.unparse(x).split("\n")[0] for x in (old, new))
            yield f"line {old.lineno}: {first} → {second}", ast.fix_missing_locations(tree)


def part(parent, field, i):
    """Return a child of a node, the i-th of its field if that is a list."""
    value = getattr(parent, field)
    return value if i is None else value[i]


def functions(module):
    """Yield each function and method that a module defines, and its definition."""
    for statement in ast.parse(Path(module.__file__).read_text()).body:
        inside = statement.body if isinstance(statement, ast.ClassDef) else [statement]
        for definition in inside:
            if isinstance(definition, ast.FunctionDef):
                owner = module if definition is statement else getattr(module, statement.name)
                found = vars(owner).get(definition.name)
                found = getattr(found, "forward", getattr(found, "fget", getattr(found, "__func__", found)))
                if hasattr(found, "__code__") and not found.__code__.co_freevars:
                    yield found, definition


def compiled(tree, function):
    """Return the code of a mutant, to stand in the place of a function's own."""
    scope = dict(function.__globals__)
    exec(compile(ast.Module([tree], []), function.__code__.co_filename, "exec"), scope)
    return scope[tree.name].__code__


# ---------------------------------------------------------------------------------------------- whether a test notices


class Trial:
    """A pytest plugin that, in the place of running the tests, tries the mutants on them."""

    def __init__(self, names, most):
        self.names, self.most = names, most
        self.callers = {}  # the code of a function: the tests that call it
        self.survivors, self.caught, self.unseen = [], 0, []

    def watch(self, items):
        """Run every test once; note which functions it calls, and how many."""
        started = set()
        breadth = {}
        for item in items:
            started.clear()
            start = time.perf_counter()
            sys.setprofile(lambda frame, *_: started.add(frame.f_code))
            right = self.passes(item)
            sys.setprofile(None)
            if not right:
                print(f"left out, it fails as it is: {item.nodeid}", flush=True)
                continue
            ours = [code for code in started if "tinygrad_mlp" in code.co_filename]
            breadth[item] = len(ours) * (0.1 + time.perf_counter() - start)
            for code in ours:
                self.callers.setdefault(code, []).append(item)
        for tests in self.callers.values():
            tests.sort(key=breadth.__getitem__)

    def pytest_runtestloop(self, session):
        """Try the mutants of the functions that were asked for."""
        session.config.pluginmanager.unregister(name="terminalreporter")  # its dots
        self.watch(session.items)
        for name in self.names:
            module, only = resolved(name)
            for function, definition in functions(module):
                if only in (None, definition.name):
                    self.attempt(f"{module.__name__.partition('.')[2]}.{definition.name}", function, definition)
        return True

    def attempt(self, name, function, definition):
        """Try the mutants of one function."""
        tests, found = self.callers.get(function.__code__, []), list(mutants(definition))
        if not tests:
            self.unseen.append(name)
            return
        if len(found) > self.most:
            found = random.Random(0).sample(found, self.most)
        code, missed = function.__code__, []
        for words, tree in found:
            try:
                function.__code__ = compiled(tree, function)
                if not self.some_test_fails(tests):
                    missed.append(f"{name}, {words}")
            finally:
                function.__code__ = code
        self.caught += len(found) - len(missed)
        self.survivors += missed
        print(f"{name:<48}{len(found) - len(missed):>5} caught{len(missed):>5} missed", flush=True)
        for survivor in missed:
            print(f"  missed: {survivor}", flush=True)

    def some_test_fails(self, tests):
        """Return whether one of the tests fails in a copy of this process, in which the mutant lives too."""
        child = os.fork()
        if child == 0:
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            signal.alarm(PATIENCE)
            resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
            os._exit(0 if all(map(self.passes, tests)) else 1)
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) != 0

    def passes(self, item):
        """Return whether a test passes, or is skipped."""
        self.failed = False
        item.ihook.pytest_runtest_protocol(item=item, nextitem=None)
        return not self.failed

    def pytest_runtest_logreport(self, report):
        """Note a failure."""
        self.failed = self.failed or report.failed


def resolved(name):
    """Return a module, and the function that is meant if not all, from a name such as ``ops.norms.norm``."""
    try:
        return importlib.import_module(f"tinygrad_mlp.{name}"), None
    except ModuleNotFoundError:
        module, _, function = name.rpartition(".")
        return importlib.import_module(f"tinygrad_mlp.{module}"), function


def main(arguments):
    """Try the mutants of the named functions; return 1 if one survives."""
    parser = argparse.ArgumentParser(description="Corrupt each function; some test must fail.")
    parser.add_argument("names", nargs="*", help="modules or functions, such as ops.norms.norm; all of ops by default")
    parser.add_argument("--most", type=int, default=10**6, help="mutants a function")
    parser.add_argument("--tests", nargs="*", help="test files; by default all that could notice")
    asked = parser.parse_args(arguments)
    names = asked.names or [f"ops.{module.name}" for module in pkgutil.iter_modules([str(ROOT / "tinygrad_mlp/ops")])]
    files = asked.tests or [
        str(file)
        for file in sorted((ROOT / "tests").glob("test_*.py"))
        if not file.stem.removeprefix("test_").startswith(ELSEWHERE)
    ]
    start, trial = time.perf_counter(), Trial(names, asked.most)
    quiet = ("-q", "-pno:cacheprovider", "-s", "--assert=plain")
    pytest.main([*quiet, *files], plugins=[trial])
    print(f"no test calls: {', '.join(trial.unseen) or 'none'}")
    print(f"{trial.caught} caught, {len(trial.survivors)} missed, {time.perf_counter() - start:.0f} s")
    return int(bool(trial.survivors))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
