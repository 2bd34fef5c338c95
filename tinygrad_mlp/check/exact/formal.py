"""Reverse accumulation on formulas: the rules of the table run on letters, and their formulas put together.

Each rule runs once for each op it belongs to, on letters for the op's operands, its output and its cotangent. What it
gives is a formula, a graph of ops itself, which is put in wherever the op occurs: so the gradient can be differentiated
again, and a rule can be looked at by itself.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from tinygrad_mlp import ops
from tinygrad_mlp.errors import GradientError, TinygradError, UnsupportedError
from tinygrad_mlp.symbols import Symbol, operands_of, run_rule
from tinygrad_mlp.symbols.simplify import make
from tinygrad_mlp.table import Op

DEEPEST = 100  # operations one upon the other: sympy recurses


class LocalRule(NamedTuple):
    """What the rule of an op gives one of its operands.

    Attributes:
        op: the op.
        operand: the operand's number.
        operands: a letter for each operand that is no constant, and the constants.
        output: the letter of the op's output.
        value: the op on its operands, a formula.
        formula: what the rule gives, in the operands, the output, and the cotangent ``g``.
    """

    op: Op
    operand: int
    operands: tuple[Any, ...]
    output: str
    value: Any
    formula: Any


class Rules:
    """The rules that were run, one for each op, operand, constants and params."""

    def __init__(self) -> None:
        self._known: dict[Any, LocalRule] = {}

    def of(self, x: Symbol, i: int) -> LocalRule:
        """Return the rule of a formula's last op for operand ``i``.

        Raises:
            UnsupportedError: The rule does not run on letters.
            GradientError: There is none.
        """
        key = self.key(x, i)
        if key not in self._known:
            op: Any = x.op
            operands = tuple(
                letter if type(z) is Symbol else z
                for letter, z in zip(_letters(op, len(x.inputs)), x.inputs, strict=True)
            )
            taken = {z.letter for z in operands if type(z) is Symbol}
            output = Symbol(next(c for c in "yzuv" if c not in taken), dtype=x.dtype)
            formula = _run(op, i, Symbol("g"), output, operands, x.params)
            value = make(op, operands, dict(x.params))
            self._known[key] = LocalRule(op, i, operands, output.letter, value, formula)
        return self._known[key]

    @staticmethod
    def key(x: Symbol, i: int) -> Any:
        """Return what two places of a graph have in common that share a rule's formula."""
        constants = tuple(None if type(z) is Symbol else repr(z) for z in x.inputs)
        op: Any = x.op
        return op.name, i, constants, repr(x.params)


def _letters(op: Op, count: int) -> Sequence[Symbol]:
    """Return a letter for each operand: its name, or a numbered one for an op of a sequence."""
    if op.arity is not None:
        return operands_of(op)
    if op is ops.affine:
        n = count // 2
        return [*(Symbol(f"w{k}") for k in range(n)), *(Symbol(f"x{k}") for k in range(n)), Symbol("b")]
    return [Symbol(f"x{k}") for k in range(count)]


def _run(op: Op, i: int, g: Symbol, y: Symbol, operands: Sequence[Any], params: Mapping[str, Any]) -> Any:
    """Return what the rule of one edge gives on letters."""
    try:
        return run_rule(op, i, g, y, operands, params)
    except GradientError:
        raise  # there is none
    except (TinygradError, TypeError, AttributeError, ValueError) as error:
        raise UnsupportedError(
            f"check_exact: the vjp of {op.name} does not run on letters ({error}): write it with ops, or use gradcheck"
        ) from error


def ordered(roots: Iterable[Any]) -> list[Symbol]:
    """Return the formulas that ``roots`` are made of, each after its operands."""
    order: list[Symbol] = []
    seen: set[int] = set()
    stack: list[tuple[Any, bool]] = [(root, False) for root in roots]
    while stack:
        x, is_done = stack.pop()
        if is_done:
            order.append(x)
        elif type(x) is Symbol and id(x) not in seen:
            seen.add(id(x))
            stack.append((x, True))
            stack += [(z, False) for z in x.inputs]
    return order


def is_larger(root: Any, most: int) -> bool:
    """Return whether a formula has more ops and letters than ``most`` written out, or is too deep to be written.

    What is used twice is written twice, so that a small graph may have a formula that fills a book.
    """
    size: dict[int, int] = {}
    depth: dict[int, int] = {}
    for x in ordered([root]):
        size[id(x)] = 1 + sum(size.get(id(z), 1) for z in x.inputs)
        depth[id(x)] = 1 + max((depth.get(id(z), 0) for z in x.inputs), default=0)
    return size.get(id(root), 1) > most or depth.get(id(root), 0) > DEEPEST


def edges(roots: Iterable[Any]) -> list[tuple[Symbol, int]]:
    """Return every op in some formulas with the number of each operand that its rule gives a gradient."""
    return [
        (x, i)
        for x in ordered(roots)
        if x.op is not None and x.op.differentiable
        for i, operand in enumerate(x.inputs)
        if type(operand) is Symbol and operand.dtype.kind == "f"
    ]


def gradient(root: Any, letters: Sequence[Symbol], rules: Rules) -> list[Any]:
    """Return the derivative of a formula in each letter, as the engine sums it up: formulas, or numbers."""
    cotangents: dict[int, Any] = {id(root): 1.0}
    into: dict[int, list[int]] = {}
    for x, i in edges([root]):
        into.setdefault(id(x), []).append(i)
    for x in reversed(ordered([root])):
        g = cotangents.get(id(x))
        if g is None or x.op is None:
            continue
        for i in into.get(id(x), ()):
            c = _placed(rules.of(x, i), g, x)
            if type(c) is not Symbol and c == 0:
                continue
            operand = id(x.inputs[i])
            before = cotangents.get(operand)
            cotangents[operand] = c if before is None else _sum(before, c)
    return [cotangents.get(id(x), 0.0) for x in letters]


def _sum(a: Any, b: Any) -> Any:
    return make(ops.add, (a, b), {}) if type(a) is Symbol or type(b) is Symbol else a + b


def _placed(rule: LocalRule, g: Any, x: Symbol) -> Any:
    """Return the formula of a rule with what its letters stand for in a graph."""
    meaning = {"g": g, rule.output: x}
    meaning.update({z.letter: given for z, given in zip(rule.operands, x.inputs, strict=True) if type(z) is Symbol})
    done: dict[int, Any] = {}
    for z in ordered([rule.formula]):
        if z.op is None:
            done[id(z)] = meaning[z.letter] if z.value is None else z
            continue
        inputs = [done[id(y)] if type(y) is Symbol else y for y in z.inputs]
        is_formula = any(type(y) is Symbol for y in inputs)
        done[id(z)] = make(z.op, inputs, z.params) if is_formula else z.op.apply(tuple(inputs), dict(z.params))
    return done.get(id(rule.formula), rule.formula)
