"""Programs that can be run: functions of a few ops, step by step; values as Python code; a check in three lines."""

import inspect
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tinygrad_mlp.errors import TinygradError
from tinygrad_mlp.graph import NODES
from tinygrad_mlp.table import OPS, Op

LARGE = 1e3  # beyond it a program does not grow: rounding would hide what is tested
MOST = 64  # elements of a result
LETTERS = "abcdeghijkmnpqrstuvwxyz"  # without f, the function, and l and o, which look like digits
EVERYWHERE = (-2.0, 2.0)  # the domain of an op that is smooth for all real numbers, or nearly


class Step(NamedTuple):
    """An op on earlier values, which are counted from the inputs on.

    Attributes:
        op: The name of the op.
        operands: The numbers of the values it takes.
        params: Its params.
    """

    op: str
    operands: tuple[int, ...]
    params: dict[str, Any]

    def __call__(self, values: Sequence[Any]) -> Any:
        """Return the result, given all values before it."""
        op, operands = OPS[self.op], [values[i] for i in self.operands]
        return op(operands, **self.params) if op.arity is None else op(*operands, **self.params)


@dataclass(frozen=True, repr=False)
class Program:
    """A function of arrays, or of nodes: its last step is its result. Printed, it is Python code.

    Attributes:
        inputs: Arrays that suit it.
        steps: What is computed, in order.

    >>> program = Program((np.array([0.0, 1.0]),), (Step("exp", (0,), {}), Step("sum", (1,), {"axis": 0})))
    >>> print(program)
    def f(a):
        b = tg.exp(a)
        return tg.sum(b, axis=0)
    >>> program(*program.inputs).round(3)
    np.float64(3.718)
    """

    inputs: tuple[NDArray[Any], ...]
    steps: tuple[Step, ...]

    def results(self, *inputs: Any) -> list[Any]:
        """Return the inputs and every result, in order."""
        values = list(inputs)
        for step in self.steps:
            values.append(step(values))
        return values

    def __call__(self, *inputs: Any) -> Any:
        """Return the last result."""
        return self.results(*inputs)[-1]

    @property
    def __signature__(self) -> inspect.Signature:
        """The parameters by the names that they have in ``source``, which reports use."""
        kind = inspect.Parameter.POSITIONAL_ONLY
        return inspect.Signature([inspect.Parameter(_letter(i), kind) for i in range(len(self.inputs))])

    @property
    def source(self) -> str:
        """The program as the definition of a function ``f`` in Python, for ``import tinygrad_mlp as tg``."""
        names = [_letter(i) for i in range(len(self.inputs) + len(self.steps))]
        lines = [f"def f({', '.join(names[: len(self.inputs)])}):"]
        for name, step in zip(names[len(self.inputs) :], self.steps, strict=True):
            operands = ", ".join(names[i] for i in step.operands)
            params = [f"{key}={literal(value)}" for key, value in step.params.items()]
            call = ", ".join([f"[{operands}]" if OPS[step.op].arity is None else operands, *params])
            lines.append(f"    {name} = tg.{step.op}({call})")
        lines[-1] = "    return " + lines[-1].partition(" = ")[2]
        return "\n".join(lines)

    def __repr__(self) -> str:
        return self.source


def _letter(i: int) -> str:
    """Return a name for the value of number ``i``: a to z, then a1 to z1, and so on."""
    rounds, k = divmod(i, len(LETTERS))
    return LETTERS[k] + (str(rounds) if rounds else "")


def result_that_fits(step: Step, values: Sequence[Any]) -> NDArray[Any] | None:
    """Return the result of a step; None if its operands do not suit the op, or if it is large, empty or not finite."""
    op = OPS[step.op]
    if not all(in_domain(op, values[i]) for i in step.operands):
        return None
    try:
        with np.errstate(all="ignore"):
            y = np.asarray(step(values), np.float64)
    except TinygradError:
        return None
    return y if 0 < y.size <= MOST and np.abs(y).max() < LARGE else None


def in_domain(op: Op, x: NDArray[Any]) -> bool:
    """Return whether all elements lie where the op is smooth and its numbers are harmless."""
    low, high = op.domain
    return op.domain == EVERYWHERE or bool(((low <= x) & (x <= high)).all())


# ----------------------------------------------------------------------------------------------------------------- code


def literal(value: Any) -> str:
    """Return a value as Python code, for ``import numpy as np, tinygrad_mlp as tg``.

    >>> literal((np.array([[1.0, -np.inf]]), {"n": 2}, np.zeros((0, 3))))
    "(np.array([[1.0, -np.inf]]), {'n': 2}, np.zeros((0, 3)))"
    """
    if isinstance(value, np.ndarray):
        return _array(value)
    if isinstance(value, float) and type(value) is float:
        return repr(value) if np.isfinite(value) else f"{'-' * (value < 0)}np.{'nan' if value != value else 'inf'}"
    if isinstance(value, np.generic):
        return f"np.{value.dtype.name}({literal(value.item())})"
    if type(value) in NODES:
        inner = literal(value.data)
        return f"tg.{type(value).__name__}({inner}{'' if value.requires_grad else ', requires_grad=False'})"
    if type(value) is list:
        return f"[{', '.join(map(literal, value))}]"
    if type(value) is tuple:
        return f"({', '.join(map(literal, value))}{',' * (len(value) == 1)})"
    if type(value) is dict:
        return "{" + ", ".join(f"{key!r}: {literal(x)}" for key, x in value.items()) + "}"
    return "..." if value is Ellipsis else repr(value)


def _array(x: NDArray[Any]) -> str:
    listed = x.tolist()
    dtype = "" if x.dtype == np.array(listed).dtype else f", dtype={x.dtype.name!r}"
    return f"np.array({literal(listed)}{dtype})" if x.size else f"np.zeros({literal(x.shape)}{dtype})"


# --------------------------------------------------------------------------------------------------------- reproduction


def reproduction(
    f: Callable[..., Any], by_hand: Callable[..., Any] | None, inputs: tuple[Any, ...]
) -> tuple[str, tuple[str, ...]]:
    """Return three lines of Python that repeat the check, and the names that they cannot import."""
    functions = [_reference(f, "f")] + ([] if by_hand is None else [_reference(by_hand, "by_hand")])
    if len({name for name, _ in functions}) < len(functions):  # two functions of one name, of two modules
        name, statement = functions[1]
        functions[1] = ("by_hand", f"{statement} as by_hand" if statement and "." not in name else "")
    names = [name for name, _ in functions]
    taken = {"np", "tg", *(name.partition(".")[0] for name in names)}
    variables = [name + "_" * (name in taken) for name in _variables(f, len(inputs))]
    imports = ["import numpy as np", "import tinygrad_mlp as tg", *_merged([text for _, text in functions if text])]
    values = ", ".join(map(literal, inputs))
    check = "gradcheck" if by_hand is None else "check_formula"
    lines = [
        "; ".join(dict.fromkeys(imports)),
        f"{', '.join(variables)} = {values}",
        f"print(tg.{check}({', '.join([*names, *variables])}, raise_exception=False))",
    ]
    return "\n".join(lines), tuple(name for name, text in functions if not text)


def _merged(statements: list[str]) -> list[str]:
    """Return import statements, those from one module as one."""
    sources: dict[str, list[str]] = {}
    for statement in statements:
        module, _, name = statement.partition(" import ")
        sources.setdefault(module, []).append(name)
    return [f"{module} import {', '.join(dict.fromkeys(names))}" for module, names in sources.items()]


def _variables(f: Callable[..., Any], n: int) -> list[str]:
    """Return what to call the inputs: the names of ``f``'s parameters, as far as it has them."""
    try:
        parameters = list(inspect.signature(f).parameters.values())
    except (TypeError, ValueError):
        parameters = []
    names = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    return names[:n] if len(names) >= n else [f"x{i}" for i in range(n)]


def _reference(f: Callable[..., Any], otherwise: str) -> tuple[str, str]:
    """Return what a program calls a function, and the statement that imports it; that is empty if none can."""
    module = getattr(f, "__module__", None) or ""
    names = vars(sys.modules[module]) if module in sys.modules else {}
    path = getattr(f, "__qualname__", "")
    if _resolved(names, path) is not f:
        path = next((name for name, value in names.items() if value is f), "")
    if not path:
        name = getattr(f, "__name__", otherwise)
        return (name if name.isidentifier() else otherwise), ""
    return path, "" if module == "__main__" else f"from {module} import {path.partition('.')[0]}"


def _resolved(names: dict[str, Any], path: str) -> Any:
    """Return what a dotted name means in a module."""
    first, *rest = path.split(".")
    found = names.get(first)
    for part in rest:
        found = getattr(found, part, None)
    return found
