"""Operations written out: what one computes and what its rule gives, in the names of its operands and in numbers."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from tinygrad_mlp.errors import TinygradError
from tinygrad_mlp.graph import GRADIENTS, Node, recording
from tinygrad_mlp.ops import affine, getitem, linear, power
from tinygrad_mlp.ops.elementwise import affine_inputs
from tinygrad_mlp.paths import as_number, is_number
from tinygrad_mlp.symbols import Formula, Symbol, run_rule
from tinygrad_mlp.viz.labels import clean, norm, number, shape_text, shorten
from tinygrad_mlp.viz.unfolding.cells import number_of

from .equations import typeset

TERMS = 4  # of a longer sum of products the first and the last ones are written
OPERANDS = 26  # that an operation whose rule is written out may have
TOOLTIP = 160  # characters of an equation that one points at
LONGEST = 72  # characters of a formula; of a longer one the operation's name and operands are written
LONG = re.compile(r"\d+\.\d{5,}(e[-+]\d+)?")
BRACKETED = re.compile(r"(?<=\()\((-[^()]*)\)(?=[,)])|(?<=, )\((-[^()]*)\)(?=[,)])")


class Writer:
    """Writes operations out.

    Args:
        letters: What nodes and constants are called, by ``id``; a number stands for one without a name.
        precision: Significant digits.
    """

    def __init__(self, letters: Mapping[int, str], precision: int) -> None:
        """Keep both."""
        self.letters, self.precision = letters, precision

    def letter(self, x: Any) -> str:
        """Return what a node or constant is called, empty if it has no name."""
        return self.letters.get(id(x), "")

    def name(self, x: Any) -> str:
        """Return what an operand is called: its name, its number, or its shape."""
        return self.letter(x) or self.value(x)

    def value(self, x: Any) -> str:
        """Return an operand in numbers: itself, or the shape of an array."""
        data = getattr(x, "_payload", x)
        if np.size(data) == 1 and np.asarray(data).dtype.kind in "biuf":
            return number(np.asarray(data).item(), self.precision)
        return f"{shape_text(np.shape(data))} array"

    def in_names(self, node: Node) -> str:
        """Return what ``node`` computes, in names: ``relu(a)``."""
        return self._formula(node, self.name)

    def equation(self, node: Node) -> str:
        """Return ``h = relu(a) = relu(0.5) = 0.5``; of an array in names, with its shape and norm."""
        parts = [self.letter(node), self.in_names(node)]
        if is_number(node):
            if all(x is None or np.size(getattr(x, "_payload", x)) == 1 for x in node.inputs):
                parts.append(self._formula(node, self.value))
            relation = " = " if self._holds(node) else " ≈ "
            return " = ".join(dict.fromkeys(filter(None, parts))) + relation + self.value(node)
        return f"{' = '.join(filter(None, parts))}: {self.size(node)}"

    def remark(self, node: Node) -> str:
        """Return the equation of an operation, cut to fit a tooltip; empty where it cannot be written."""
        if node.op is None:
            return ""
        try:
            return clean(shorten(self.equation(node), TOOLTIP))
        except Exception:  # noqa: BLE001  (a value that is traced, a row of the user's that does not run on symbols)
            return ""

    def _holds(self, node: Node) -> bool:
        """Return whether the equation is true of the numbers as they are written."""
        data = [getattr(x, "_payload", x) for x in node.inputs]
        if any(np.size(x) != 1 for x in data) or node.op.random:
            return True
        items = [x if x is None else np.asarray(x).item() for x in data]
        written = [x if x is None or type(x) is bool else float(number(x, self.precision)) for x in items]
        try:
            with recording(GRADIENTS), np.errstate(all="ignore"):
                y = number_of(node.op, tuple(written), dict(node.params))
        except (TypeError, ValueError, IndexError, TinygradError):
            return True
        return number(y, self.precision) == number(as_number(node._payload), self.precision)

    def size(self, x: Any) -> str:
        """Return the shape and norm of an array: ``300×3, norm 4.2``."""
        data = getattr(x, "_payload", x)
        return f"{shape_text(np.shape(data))}, norm {number(norm(data), self.precision)}"

    def measured(self, g: Any) -> str:
        """Return a gradient: the number, or shape and norm."""
        return number(as_number(g), self.precision) if np.size(g) == 1 else self.size(g)

    def rule(self, node: Node, slot: int, upstream: str) -> str:
        """Return what the rule of an argument gives, in names, of the gradient ``upstream`` of ``node``."""
        called = f"vjp of {clean(node.op.name)}({upstream})"
        if len(node.inputs) > OPERANDS:
            return called

        def formula() -> Formula:
            g = Symbol(upstream, node.shape)
            y = Symbol(self.letter(node) or "y", node.shape)
            operands = [_symbol(x, self.name, rule=True) for x in node.inputs]
            return Formula(run_rule(node.op, slot, g, y, operands, node.params))

        text = self._written(formula) or called
        labels = [x for x in node.inputs if _is_index(x)]  # symbols call a constant C
        text = re.sub(r"\bC\b", self.name(labels[0]), text) if len(labels) == 1 else text
        summed = node.op.elementwise and node.inputs[slot].shape != node.shape
        return f"Σ({text})" if summed else text

    def _formula(self, node: Node, spell: Callable[[Any], str]) -> str:
        """Return the formula of a node, with its operands spelled in one way or another."""
        inputs, params = node.inputs, node.params
        called = f"{clean(node.op.name)}({_few([_bare(spell(x)) for x in inputs if x is not None], ', ')})"
        if node.op is affine:
            return _affine(inputs, spell)
        if node.op is getitem and type(params["index"]) is tuple and all(type(i) is int for i in params["index"]):
            return (
                f"{spell(inputs[0])}[{', '.join(map(str, params['index']))}]" if params["index"] else spell(inputs[0])
            )

        def formula() -> Formula:
            if node.op is linear:
                x, weight, *bias = (_symbol(z, spell) for z in inputs if z is not None)
                return Formula(x @ weight + bias[0] if bias else x @ weight)
            made = Symbol(node.op.name, node.shape)
            made.op, made.params = node.op, params
            made.inputs = tuple(_symbol(x, spell, keep=node.op is power and i == 1) for i, x in enumerate(inputs))
            return Formula(made)

        return self._written(formula) or called

    def _written(self, formula: Callable[[], Formula]) -> str:
        """Return a formula as text; none where symbols will not do, or where it is long."""
        try:
            text = typeset(clean(LONG.sub(lambda found: number(float(found[0]), self.precision), formula().text)))
        except Exception:  # noqa: BLE001  (a rule is anybody's code, and a picture must not fail because of one)
            return ""
        return _unbracketed(text) if len(text) <= LONGEST else ""


def _is_index(x: Any) -> bool:
    """Return whether an operand is an array of integers or booleans."""
    data = getattr(x, "_payload", x)
    return bool(np.ndim(data)) and np.asarray(data).dtype.kind in "iub"


def _symbol(x: Any, spell: Callable[[Any], str], keep: bool = False, rule: bool = False) -> Any:
    """Return an operand as a symbol.

    Args:
        x: the operand.
        spell: what it is called.
        keep: leave a plain number one, so that ``x**2`` reads ``x²``.
        rule: leave indices and masks what they are: a rule runs on ones, which would point elsewhere.
    """
    if x is None or (keep and type(x) in (int, float)):
        return x
    data = getattr(x, "_payload", x)
    if rule and _is_index(x):
        return np.asarray(data)
    text = spell(x)
    return Symbol(f"({text})" if text.startswith("-") else text, np.shape(data), dtype=getattr(data, "dtype", float))


def _affine(inputs: tuple[Any, ...], spell: Callable[[Any], str]) -> str:
    weights, values, bias = affine_inputs(inputs)
    pairs = [[_in_product(spell(x)) for x in pair] for pair in zip(weights, values, strict=True)]
    terms = [f"{w}·{x}" for w, x in pairs]
    return _few([*terms, _in_product(spell(bias))], " + ")


def _few(terms: Sequence[str], between: str) -> str:
    if len(terms) > TERMS + 1:
        terms = [*terms[: TERMS - 1], "…", terms[-1]]
    return between.join(terms)


def _in_product(text: str) -> str:
    return f"({text})" if text.startswith("-") else text


def _bare(text: str) -> str:
    return text[1:-1] if text.startswith("(-") else text


def _unbracketed(text: str) -> str:
    """Return a formula without the brackets of a negative number that stands alone between others."""
    text = BRACKETED.sub(lambda found: found[1] or found[2], text)
    return re.sub(r"^\((-[^()]*)\)(?= [+-]|$)", r"\1", text)  # at the start of a sum, or all of it
