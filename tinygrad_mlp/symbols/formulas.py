"""The formulas of a row: what it computes, and what its rule gives each operand, by running the rule on symbols."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinygrad_mlp.errors import GradientError
from tinygrad_mlp.table import VARIADIC, Op

from .printing import Latex, Text
from .simplify import make
from .tree import Symbol, evaluate

SHORT = {
    "condition": "c", "weight": "w", "bias": "b", "logits": "z", "target": "t", "values": "v", "labels": "l",
    "min": "a", "max": "b", "at_zero": "h",
}  # fmt: skip


@dataclass(frozen=True)
class Formula:
    """A formula that prints: an expression of symbols, or a number."""

    expression: Any

    @property
    def text(self) -> str:
        """The formula as Unicode text."""
        return Text().put(self.expression)

    @property
    def latex(self) -> str:
        """The formula in LaTeX, without dollar signs."""
        return Latex().put(self.expression)

    def _repr_latex_(self) -> str:
        return f"${self.latex}$"

    def __str__(self) -> str:
        return self.text

    def at(self, **values: Any) -> Any:
        """Return the number or array that it gives where each letter has a value."""
        return evaluate(self.expression, values)


def operands_of(op: Op, shape: Sequence[int] = ()) -> tuple[Symbol, ...]:
    """Return a symbol for each operand of ``op``, with its name as a letter; three for an op of a sequence."""
    if op.operands is VARIADIC:
        return tuple(Symbol(name, tuple(shape)) for name in ("wxb" if op.elementwise else "abc"))
    names = [name.lstrip("_") for name, _ in op.operands]
    return tuple(Symbol(SHORT.get(name, name), tuple(shape)) for name in names)


def value_formula(op: Op, operands: Sequence[Any] | None = None, **params: Any) -> Formula:
    r"""Return what ``op`` computes.

    Args:
        op: a row of the table.
        operands: symbols or numbers; by default one letter each.
        **params: of the call; a symbol where a letter should stand for a number.

    >>> from tinygrad_mlp import tanh
    >>> value_formula(tanh).latex
    '\\tanh x'
    """
    return Formula(make(op, operands_of(op) if operands is None else operands, params))


def vjp_formula(op: Op, i: int = 0, operands: Sequence[Any] | None = None, **params: Any) -> Formula:
    """Return the gradient that operand ``i`` of ``op`` gets, in g, that of the output, y, the output, and the operands.

    Args:
        op: a row of the table.
        i: the number of the operand.
        operands: symbols or numbers; by default one letter each.
        **params: of the call; a symbol where a letter should stand for a number.

    Raises:
        GradientError: The operand has no derivative.

    >>> from tinygrad_mlp import arcsin, relu, tanh
    >>> [vjp_formula(op).text for op in (tanh, arcsin, relu)]
    ['g·(1 − y²)', 'g/√(1 − x²)', 'g if y > 0 else 0']
    """
    operands = operands_of(op) if operands is None else tuple(operands)
    value = make(op, operands, params)
    letters = {x.letter for x in operands if type(x) is Symbol}
    g = Symbol("g", value.shape)
    y = Symbol(next(letter for letter in "yzuv" if letter not in letters), value.shape, dtype=value.dtype)
    return Formula(run_rule(op, i, g, y, operands, params))


def run_rule(op: Op, i: int, g: Symbol, y: Symbol, operands: Sequence[Any], params: Mapping[str, Any]) -> Any:
    """Return what the rule of operand ``i`` gives for symbols.

    Raises:
        GradientError: There is none.
    """
    with np.errstate(all="ignore"):
        if op.joint_vjp is not None:
            wanted = [k == i for k in range(len(operands))]
            return op.joint_vjp(wanted, g, y, *operands, saved=None, **params)[i]
        if op.argnum_vjp is not None:
            return op.argnum_vjp(i, g, y, *operands, **params)
        if i >= len(op.vjps) or (rule := op.vjps[i]) is None:
            raise GradientError(f"{op.name}: no vjp is registered for operand {i}; register one with defvjp")
        return rule(g, y, *operands, **params)
