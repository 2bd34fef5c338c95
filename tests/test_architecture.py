"""Hold the package to its plan: who may import whom, how long a file may be, and that every name can be found."""

import ast
import io
import sys
import tokenize
from collections.abc import Callable, Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import NamedTuple

import pytest

PACKAGE = "tinygrad_mlp"
ROOT = Path(__file__).resolve().parents[1] / PACKAGE

# A room is a top-level module or package. It imports only from rooms on lower floors.
FLOORS = {
    "errors": 0, "scalars": 0,
    "arrays": 1, "nest": 1,
    "graph": 2,
    "table": 3,
    "ops": 4,
    "backward": 5, "linalg": 5,
    "tensors": 6,
    "transforms": 7,
    "rewrite": 8, "symbols": 8, "paths": 8,
    "compiler": 9, "check": 9, "chain_rule": 9, "nn": 9, "optim": 9, "data": 9,
    "train": 10, "viz": 10,
    "estimators": 11, "export": 11, "notes": 11, "report": 11,
    "cli": 12,
    "__main__": 13,
    "__init__": 14,
}  # fmt: skip
# Inside these packages imports go leftward in the order listed; inside the others they must not go round in circles.
ORDER = {
    "ops": (
        "elementwise", "comparison", "trigonometry", "rounding", "shaping", "special", "indexing", "reductions",
        "selecting",
        "linalg", "arranging", "differences", "sorting", "padding", "cumulative", "products", "matrices", "norms",
        "activations", "normalizing", "losses", "margins", "random",
    ),
}  # fmt: skip
CORE = {PACKAGE, "numpy", "graphviz", *sys.stdlib_module_names}
# Of the engine a quarter is speed and safety: the sweep over floats, short paths of a call, NumPy's protocols, copies.
FILE_CAP, FUNCTION_CAP, ENGINE_CAP = 400, 40, 2860
ENGINE = {0, 1, 2, 3, 5, 6, 7}
ENGINE_ROOMS = [name for name, floor in FLOORS.items() if floor in ENGINE][:8]

Sources = dict[str, str]  # path inside the package, with slashes -> text


class Import(NamedTuple):
    """An import of ``module`` (absolute, dotted) in a line of the file ``path``."""

    path: str
    line: int
    module: str
    at_import: bool  # runs when the file is imported: neither in a function nor under TYPE_CHECKING


def package_sources() -> Sources:
    return {p.relative_to(ROOT).as_posix(): p.read_text("utf-8") for p in sorted(ROOT.rglob("*.py"))}


def dotted(path: str) -> str:
    parts = [PACKAGE, *path.removesuffix(".py").split("/")]
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def room(path: str) -> str:
    return path.partition("/")[0].removesuffix(".py")


def source_of(node: ast.ImportFrom, path: str) -> str:
    """The absolute name of the module after ``from``."""
    here = [*dotted(path).split("."), *["__init__"] * path.endswith("__init__.py")]
    return ".".join([*here[: -node.level], *filter(None, [node.module])]) if node.level else node.module or ""


def imported_by(node: ast.AST, path: str, modules: dict[str, str]) -> list[str]:
    """The absolute names of the modules that one statement or call imports."""
    match node:
        case ast.Import(names=names):
            return [alias.name for alias in names]
        case ast.ImportFrom(names=names):
            source = source_of(node, path)
            return [f"{source}.{a.name}" if f"{source}.{a.name}" in modules else source for a in names]
        case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name), args=[ast.Constant(value=str(module)), *_]):
            return [module] if name in ("import_module", "__import__") else []
    return []


def imports(sources: Sources) -> Iterator[Import]:
    modules = {dotted(path): path for path in sources}

    def visit(node: ast.AST, path: str, at_import: bool) -> Iterator[Import]:
        for module in imported_by(node, path, modules):
            yield Import(path, node.lineno, module, at_import)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            at_import = False
        typing_only = isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)
        for child in ast.iter_child_nodes(node):
            yield from visit(child, path, at_import and not typing_only)

    for path, text in sources.items():
        yield from visit(ast.parse(text), path, True)


def internal_imports(sources: Sources) -> Iterator[tuple[Import, str]]:
    """Every import of a module of the package, with the path of the file it means."""
    modules = {dotted(path): path for path in sources}
    for found in imports(sources):
        if found.module.partition(".")[0] == PACKAGE:
            yield found, modules.get(found.module, found.module.removeprefix(PACKAGE + ".").replace(".", "/") + ".py")


def is_string_statement(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def code_lines(text: str) -> set[int]:
    """The numbers of the lines that hold code: neither blank, nor comment, nor docstring."""
    no_code = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}
    lines: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type not in no_code:
            lines.update(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(ast.parse(text)):
        if is_string_statement(node):
            lines.difference_update(range(node.lineno, node.end_lineno + 1))
    return lines


# --- the checks: each takes the sources and returns what is wrong -----------------------------------------------------


def unknown_rooms(sources: Sources) -> list[str]:
    return [f"{path}: room {room(path)!r} has no floor" for path in sources if room(path) not in FLOORS]


def upward_imports(sources: Sources) -> list[str]:
    wrong = []
    for found, target in internal_imports(sources):
        here, there = room(found.path), room(target)
        low, high = FLOORS.get(here, 99), FLOORS.get(there, 99)
        if here != there and high >= low:
            wrong.append(f"{found.path}:{found.line}: {here} (floor {low}) imports {found.module} (floor {high})")
    return wrong


def imports_against_the_order(sources: Sources) -> list[str]:
    wrong = []
    for package, order in ORDER.items():
        place = {f"{package}/{name}.py": i for i, name in enumerate((*order, "__init__"))}
        unlisted = [path for path in sources if path.startswith(f"{package}/") and path not in place]
        wrong += [f"{path}: not in the order of {package}" for path in unlisted]
        for found, target in internal_imports(sources):
            if room(found.path) == room(target) == package and place.get(target, 99) >= place.get(found.path, 99):
                wrong.append(f"{found.path}:{found.line}: imports {found.module}, which comes later in {package}")
    return wrong


def circles(sources: Sources) -> list[str]:
    graph: dict[str, set[str]] = {}
    for found, target in internal_imports(sources):
        if room(found.path) == room(target) and found.path != target:
            graph.setdefault(found.path, set()).add(target)
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return ["imports go round: " + " -> ".join(error.args[1])]
    return []


def eager_optional_imports(sources: Sources) -> list[str]:
    return [
        f"{found.path}:{found.line}: imports {found.module} outside a function; only numpy and graphviz may be"
        for found in imports(sources)
        if found.at_import and found.module.partition(".")[0] not in CORE
    ]


def long_files(sources: Sources) -> list[str]:
    sizes = {path: len(code_lines(text)) for path, text in sources.items()}
    wrong = [f"{path}: {size} lines of code, at most {FILE_CAP}" for path, size in sizes.items() if size > FILE_CAP]
    engine = sum(size for path, size in sizes.items() if FLOORS.get(room(path)) in ENGINE)
    return wrong + [f"floors 0-3 and 5-7: {engine} lines of code, at most {ENGINE_CAP}"] * (engine > ENGINE_CAP)


def long_functions(sources: Sources) -> list[str]:
    wrong = []
    for path, text in sources.items():
        lines = code_lines(text)
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                size = len(lines & set(range(node.lineno, node.end_lineno + 1)))
                if size > FUNCTION_CAP:
                    wrong.append(f"{path}:{node.lineno}: {node.name} has {size} lines of code, at most {FUNCTION_CAP}")
    return wrong


def names_for_nothing(sources: Sources) -> list[str]:
    return [f"{path}: name it for what it holds" for path in sources if Path(path).stem in ("utils", "helpers", "misc")]


def names_out_of_nowhere(sources: Sources) -> list[str]:
    """Star imports, and names that running code attaches to modules and classes, where no editor finds them."""

    def visit(node: ast.AST, path: str) -> Iterator[str]:
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.Lambda():
                return
            case ast.ImportFrom(names=[ast.alias(name="*")]):
                yield f"{path}:{node.lineno}: star import"
            case ast.Call(func=ast.Name(id="setattr" | "globals" | "vars" as name)):
                yield f"{path}:{node.lineno}: {name}() outside a function"
        for child in ast.iter_child_nodes(node):
            yield from visit(child, path)

    return [line for path, text in sources.items() for line in visit(ast.parse(text), path)]


def exports(path: str, text: str, modules: set[str]) -> set[str]:
    """The names that an ``__init__.py`` binds, other than its own submodules."""
    names: set[str] = set()
    for node in ast.parse(text).body:
        if isinstance(node, ast.FunctionDef):
            names.add(node.name)
        elif isinstance(node, ast.ImportFrom):
            source = source_of(node, path)
            names.update(a.asname or a.name for a in node.names if f"{source}.{a.name}" not in modules)
    return names


def modules_named_like_functions(sources: Sources) -> list[str]:
    """Modules that bear the name of something that their own package, or the whole package, exports."""
    modules = {dotted(path) for path in sources}
    inits = {dotted(p): exports(p, text, modules) for p, text in sources.items() if p.endswith("__init__.py")}
    return [
        f"{module.replace('.', '/')}: {package} exports something of that name"
        for module in sorted(modules - {PACKAGE})
        for package in {PACKAGE, module.rpartition(".")[0]} & inits.keys()
        if module.rpartition(".")[2] in inits[package]
    ]


CHECKS: tuple[Callable[[Sources], list[str]], ...] = (
    unknown_rooms, upward_imports, imports_against_the_order, circles, eager_optional_imports,
    long_files, long_functions, names_for_nothing, names_out_of_nowhere, modules_named_like_functions,
)  # fmt: skip


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_the_package_keeps_the_plan(check):
    sources = package_sources()
    assert len(sources) > 5
    assert check(sources) == []


LONG = "def f():\n" + "    x = 1\n" * 40

BREACHES = [
    (unknown_rooms, {"attic.py": ""}, "'attic' has no floor"),
    (upward_imports, {"graph.py": "from .tensors import Tensor", "tensors.py": ""}, "graph.py:1: graph (floor 2)"),
    (upward_imports, {"graph.py": f"from {PACKAGE} import tensors", "tensors.py": ""}, "tensors (floor 6)"),
    (upward_imports, {"graph.py": "def f():\n    from . import ops", "ops/__init__.py": ""}, "graph.py:2"),
    (upward_imports, {"nn/mlp.py": "from ..viz.view import view", "viz/view.py": ""}, f"imports {PACKAGE}.viz.view"),
    (upward_imports, {"nn/mlp.py": f"import {PACKAGE}.train", "train.py": ""}, "nn (floor 9)"),
    (upward_imports, {"nn/mlp.py": f"from {PACKAGE} import exp", "__init__.py": ""}, f"imports {PACKAGE} (floor 14)"),
    (upward_imports, {"optim.py": f"import_module('{PACKAGE}.cli')", "cli/__init__.py": ""}, "floor 12"),
    (imports_against_the_order, {"ops/elementwise.py": "from .linalg import dot", "ops/linalg.py": ""}, "comes later"),
    (imports_against_the_order, {"ops/linalg.py": "from . import exp", "ops/__init__.py": ""}, "comes later"),
    (imports_against_the_order, {"ops/extra.py": ""}, "ops/extra.py: not in the order"),
    (circles, {"viz/a.py": "from .b import f", "viz/b.py": "def f():\n    from . import a"}, "viz/a.py"),
    (eager_optional_imports, {"viz/a.py": "import matplotlib.pyplot as plt"}, "viz/a.py:1: imports matplotlib.pyplot"),
    (eager_optional_imports, {"viz/a.py": "try:\n    from rich import print\nfinally:\n    pass"}, "imports rich"),
    (long_files, {"viz/a.py": "x = 1\n" * 401}, "401 lines"),
    (long_files, {f"{name}.py": "x = 1\n" * 400 for name in ENGINE_ROOMS}, "3200 lines"),
    (long_functions, {"viz/a.py": "class A:\n    def f(self):\n" + "        x = 1\n" * 40}, "f has 41 lines"),
    (names_for_nothing, {"viz/utils.py": ""}, "viz/utils.py: name it"),
    (names_out_of_nowhere, {"nn/a.py": "from os import *"}, "star import"),
    (names_out_of_nowhere, {"nn/a.py": "for name in ('a', 'b'):\n    setattr(A, name, f)"}, "nn/a.py:2: setattr()"),
    (modules_named_like_functions, {"__init__.py": "from .check.a import a", "check/a.py": ""}, f"{PACKAGE} exports"),
    (modules_named_like_functions, {"nn/__init__.py": "from .init import init", "nn/init.py": ""}, "nn exports"),
]


@pytest.mark.parametrize(("check", "sources", "report"), BREACHES, ids=lambda value: getattr(value, "__name__", ""))
def test_a_breach_is_reported(check, sources, report):
    assert any(report in line for line in check(sources)), check(sources)


GOOD = {
    "errors.py": '"""Errors."""\n' + "# a comment\n\n" * 400,
    "graph.py": "import numpy as np\nimport graphviz\nfrom .errors import E\nfrom typing import TYPE_CHECKING\n"
    "if TYPE_CHECKING:\n    import jax\n",
    "ops/__init__.py": "from .elementwise import exp\nfrom .linalg import matmul\n",
    "ops/elementwise.py": "from ..graph import Node\n",
    "ops/linalg.py": "from . import elementwise\nfrom .elementwise import exp\n",
    "viz/__init__.py": "from . import view\nfrom .view import picture\n",
    "viz/view.py": "def f():\n    '''Doc." + "\n\n    more" * 50 + "'''\n    import rich\n    setattr(o, 'x', 1)\n",
    "__init__.py": "from . import ops, viz\nfrom .graph import Node\nfrom .ops import exp\n",
}


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_what_the_plan_allows_is_not_reported(check):
    assert check(GOOD) == []
