"""The python engine for small graphs: a function of straight-line source, a line for each node and each edge."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from tinygrad_mlp import scalars
from tinygrad_mlp.compiler.scalar.flat import AFFINE, DERIVATIVE, LEAF, FlatGraph, Kind
from tinygrad_mlp.compiler.scalar.paths import on_floats, reverse_steps, slope
from tinygrad_mlp.ops import add, cos, divide, exp, log, multiply, negative, power, relu, sin, sqrt, subtract, tanh
from tinygrad_mlp.ops.elementwise import affine_inputs
from tinygrad_mlp.table import Op

FORMS: dict[Op, str] = {
    add: "{0} + {1}", subtract: "{0} - {1}", multiply: "{0} * {1}", negative: "-{0}", divide: "divide({0}, {1})",
    power: "power({0}, {1})", relu: "{0} if {0} > 0 or {0} != {0} else 0.0", exp: "exp({0})", log: "log({0})",
    sqrt: "sqrt({0})", sin: "sin({0})", cos: "cos({0})", tanh: "tanh({0})",
}  # fmt: skip
# For each operand its cotangent, from those of the output {g}, the output {y}, and the operands.
SLOPES: dict[Op, tuple[str, ...]] = {
    add: ("{g}", "{g}"), subtract: ("{g}", "-{g}"), multiply: ("{g} * {1}", "{g} * {0}"), negative: ("-{g}",),
    divide: ("divide({g}, {1})", "divide(-{g} * {y}, {1})"), relu: ("{g} if not {y} <= 0 else 0.0",),
    exp: ("{g} * {y}",), tanh: ("{g} * (1 - {y} * {y})",),
}  # fmt: skip
NAMES: dict[str, Any] = {
    "cos": scalars.cos, "divide": scalars.divide, "exp": scalars.exp, "inf": np.inf, "log": scalars.log, "nan": np.nan,
    "power": scalars.power, "sin": scalars.sin, "sqrt": scalars.sqrt, "tanh": scalars.tanh,
}  # fmt: skip
MOST_TERMS = 50  # of a sum in one line: the parser recurses over them


class Written:
    """A flat graph as a function in Python; a call runs it. ``source`` is its text, ``names`` what the text calls."""

    def __init__(self, flat: FlatGraph) -> None:
        lines = Lines(flat)
        self.source = "\n".join(lines) + "\n"
        self.names = lines.names
        exec(compile(self.source, "<scalar graph>", "exec"), self.names)
        self._replay: Callable[[Sequence[float]], list[float]] = self.names["replay"]

    def __call__(self, values: Sequence[float]) -> list[float]:
        """Return the outputs for these inputs."""
        with np.errstate(all="ignore"):
            return self._replay([*map(float, values)])  # NumPy's floats are slower, and differ at special points


class Lines:
    """The lines of the function, one after the other; ``names`` grows with what they call."""

    def __init__(self, flat: FlatGraph) -> None:
        self.flat = flat
        self.names = dict(NAMES)
        self.shown = [f"x{i}" if i < flat.n_inputs else f"v{i}" for i in range(len(flat.kinds))]
        self.reached: set[str] = set()  # the cotangents that have a value
        for i, kind in enumerate(flat.kinds):
            if kind == LEAF and i >= flat.n_inputs:
                self.shown[i] = f"({x!r})" if (x := flat.values[i]) < 0 or repr(x) == "-0.0" else repr(x)

    def __iter__(self) -> Iterator[str]:
        flat, shown = self.flat, self.shown
        begun: set[int] = set()
        yield "def replay(values):"
        if flat.n_inputs:
            yield f"    [{', '.join(shown[: flat.n_inputs])}] = values"
        for i, kind in enumerate(flat.kinds):
            if kind == DERIVATIVE:
                number, x = flat.request[i], flat.args[i][1]
                if number not in begun:
                    begun.add(number)
                    yield from self._gradient(number)
                name = _cotangent(number, x)
                yield f"    {shown[i]} = {name if name in self.reached else 0.0}"
            elif kind == AFFINE:
                weights, values, bias = affine_inputs(tuple(shown[x] for x in flat.args[i]))
                terms = [bias, *(f"{w} * {x}" for w, x in zip(weights, values, strict=True))]
                for at in range(0, len(terms), MOST_TERMS):
                    part = [shown[i]] * (at > 0) + terms[at : at + MOST_TERMS]
                    yield f"    {shown[i]} = {' + '.join(part)}"
            elif kind != LEAF:
                yield f"    {shown[i]} = {self._value(kind, [shown[x] for x in flat.args[i]])}"
        yield f"    return [{', '.join(shown[i] for i in flat.outputs)}]"

    def _kind(self, number: int) -> tuple[Kind, str]:
        """Return a kind, and the name of what computes it."""
        kind = self.flat.table[number]
        assert kind is not None
        return kind, f"{kind.op.name}_{number}" if kind.params or kind.fixed else kind.op.name

    def _value(self, number: int, operands: Sequence[str]) -> str:
        """Return the expression of a node."""
        kind, name = self._kind(number)
        if kind.op in FORMS:
            return FORMS[kind.op].format(*_all(kind, operands))
        self.names[name] = on_floats(kind)
        return f"{name}({', '.join(operands)})"

    def _gradient(self, number: int) -> Iterator[str]:
        """Yield the lines of a gradient: every cotangent is complete before it is used."""
        flat, request = self.flat, self.flat.requests[number]
        seed = _cotangent(number, request.root)
        self.reached.add(seed)
        yield f"    {seed} = 1.0"
        for i, edges in reverse_steps(flat, request):
            operands = [self.shown[x] for x in flat.args[i]]
            for at, x in edges:
                text = self._slope(flat.kinds[i], at, _cotangent(number, i), self.shown[i], operands)
                name = _cotangent(number, x)
                yield f"    {name} {'+=' if name in self.reached else '='} {text}"
                self.reached.add(name)

    def _slope(self, number: int, at: int, g: str, y: str, operands: Sequence[str]) -> str:
        """Return the expression of the cotangent of an operand."""
        kind, name = self._kind(number)
        if number == AFFINE:
            n = len(operands) // 2
            return g if at == 2 * n else f"{g} * {operands[at + n if at < n else at - n]}"
        if kind.op in SLOPES:
            return SLOPES[kind.op][at].format(*operands, g=g, y=y)
        rule, params = slope(kind, at), kind.params
        self.names[f"d_{name}_{at}"] = lambda *given: float(rule(*given, **params))
        return f"d_{name}_{at}({', '.join([g, y, *_all(kind, operands)])})"


def _cotangent(request: int, i: int) -> str:
    return f"g{i}" if request == 0 else f"g{i}_{request}"


def _all(kind: Kind, operands: Sequence[str]) -> list[str]:
    """Return the texts of all operands."""
    return [x if isinstance(x, str) else f"({x!r})" for x in kind.operands(operands)]
