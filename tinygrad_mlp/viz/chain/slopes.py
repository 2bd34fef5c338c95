"""Local derivatives, contributions and gradients on the records of a graph: what ``backward`` and ``path`` share."""

import re
import string
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from tinygrad_mlp.graph import Node
from tinygrad_mlp.paths import Flow, as_number, is_number
from tinygrad_mlp.symbols import Symbol, operands_of, vjp_formula
from tinygrad_mlp.viz.graphs.describing import gradient_of
from tinygrad_mlp.viz.labels import clean, norm, number
from tinygrad_mlp.viz.records import EdgeView, NodeView

from .equations import product, signed, total, typeset

FEW = 4  # so many contributions to a gradient are written out
LONG = re.compile(r"\d+\.\d{5,}(e[-+]\d+)?")

NO_BACKWARD = "backward() was not called: .grad is not computed; these gradients are the picture's own"
OTHER_GRAD = ".grad differs from the picture's gradients: backward() adds to what is there, zero_grad() clears it"


class Slopes:
    """The numbers of the backward pass, as a picture writes them.

    Args:
        flow: The gradient in every node.
        precision: Significant digits.
    """

    def __init__(self, flow: Flow, precision: int) -> None:
        """Keep both."""
        self.flow, self.precision = flow, precision
        self._last: tuple[Any, dict[int, float]] = None, {}
        self._last_locals: tuple[Any, dict[int, float]] = None, {}
        self._rules: dict[Any, str] = {}

    def flows(self, node: Node) -> dict[int, float]:
        """Return what ``node`` contributes to its inputs' gradients, by argument: a number, or an array's norm."""
        if self._last[0] is not node:  # the edges of one node come one after another
            self._last = node, {slot: _measure(x, c) for slot, x, c in self.flow.contributions(node)}
        return self._last[1]

    def locals(self, node: Node) -> dict[int, float]:
        """Return the local derivatives of ``node`` by argument; none at arrays."""
        if self._last_locals[0] is not node:
            self._last_locals = node, {slot: d for slot, _, d in self.flow.locals(node)}
        return self._last_locals[1]

    def arrivals(self, wanted: Iterable[Node]) -> dict[Node, list[float]]:
        """Return for each wanted node what its gradient is the sum of: numbers, or the norms of arrays."""
        found: dict[Node, list[float]] = {node: [] for node in wanted}
        for node in self.flow.order:
            if any(x in found for x in node.inputs if isinstance(x, Node)):
                for _, x, share in self.flow.contributions(node):
                    if x in found:
                        found[x].append(_measure(x, share))
        return found

    def edge(self, edge: EdgeView, wires: Sequence[tuple[Any, int]], letters: dict[str, str]) -> EdgeView:
        """Return an edge with its local derivative and contribution; unchanged where no gradient flows along it.

        Args:
            edge: The record.
            wires: The edges ``(node, argument number)`` that it stands for.
            letters: What nodes are called in formulas, by their keys.
        """
        flows = [self.flows(node)[slot] for node, slot in wires if slot in self.flows(node)]
        if not flows:
            return edge
        if len(wires) > 1:
            size = norm(flows)
            return replace(edge, flow=size, label=(f"norm {number(size, self.precision)}",), backward=True)
        (node, slot), flow, digits = wires[0], flows[0], self.precision
        single = is_number(node.inputs[slot])
        sign = int(np.sign(flow)) if single and flow == flow else 0
        local = self.locals(node).get(slot)
        if local is None:
            given = signed(flow, digits) if single else f"norm {number(flow, digits)}"
            label: tuple[str, ...] = (self._rule(node, slot), given)
            tip = ""
        else:
            y, x = letters.get(edge.target), letters.get(edge.source)
            upstream = as_number(self.flow.cotangent(node))
            name = f"∂{y}/∂{x} =" if y and x else "local"
            label = (f"{name} {number(local, digits)}", product([upstream, local], flow, digits))
            tip = f"rule: {self._rule(node, slot)}"
        return replace(edge, local=local, flow=flow, sign=sign, label=label, tip=tip, backward=True)

    def _rule(self, node: Node, slot: int) -> str:
        """Return ``rule_text``, that of equal operations once: it runs a rule on symbols."""
        if node.params or len(node.inputs) > len(string.ascii_lowercase):
            return rule_text(node, slot, self.precision)
        key = node.op, slot, tuple(x if isinstance(x, int | float) else getattr(x, "shape", ()) for x in node.inputs)
        if key not in self._rules:
            self._rules[key] = rule_text(node, slot, self.precision)
        return self._rules[key]

    def node(self, view: NodeView, members: Sequence[Any], terms: Sequence[float] = ()) -> NodeView:
        """Return a node with its gradient, the sum of ``terms`` where several meet; unchanged where none flows.

        Of several nodes shown as one it is the norm of all their gradients, of a module that of its parameters.
        """
        nodes = [x for x in members if isinstance(x, Node) and self.flow.cotangent(x) is not None]
        if view.kind == "group":
            nodes = [x for x in nodes if x.op is None]
        if not nodes:
            return replace(view, grad="", sign=0, slope=None)
        digits = self.precision
        many = f", sum of {len(terms):,} contributions" if len(terms) > 1 else ""
        if len(nodes) > 1 or not is_number(nodes[0]):
            size = norm([norm(self.flow.cotangent(x)) for x in nodes])
            return replace(view, grad=f"grad norm {number(size, digits)}{many}", sign=0, slope=None)
        g = as_number(self.flow.cotangent(nodes[0]))
        written = f"{signed(g, digits)}{many}"
        if 1 < len(terms) <= FEW:
            written = total(terms, g, digits)
        elif nodes[0] is self.flow.root:
            written += ", the seed"
        return replace(view, grad=f"grad {written}", sign=int(np.sign(g)) if g == g else 0, slope=g)

    def remark(self, leaves: Iterable[Node]) -> str:
        """Return how the gradients compare with what ``backward()`` left on the leaves; nothing where they agree."""
        differ = False
        for leaf in leaves:
            grad = gradient_of(leaf)
            if grad is None:
                return NO_BACKWARD
            differ = differ or not agree(grad, self.flow.cotangent(leaf))
        return OTHER_GRAD if differ else ""


def agree(one: Any, other: Any) -> bool:
    """Return whether two gradients are the same but for rounding."""
    single = getattr(one, "dtype", None) == np.float32 or getattr(other, "dtype", None) == np.float32
    return bool(np.allclose(one, other, rtol=1e-4 if single else 1e-9, atol=1e-12, equal_nan=True))


def rule_text(node: Node, slot: int, precision: int = 4) -> str:
    """Return what the rule of argument ``slot`` gives for the cotangent g, in symbols; y is the result of ``node``.

    Where a rule cannot run on symbols, where its formula is too long for an arrow, or where it has more operands than
    there are letters, the op's name stands for it.
    """
    op, inputs = node.op, node.inputs
    if len(inputs) > len(string.ascii_lowercase):
        return f"vjp of {clean(op.name)}"
    letters = [symbol.letter for symbol in operands_of(op)]
    if len(letters) != len(inputs):
        letters = list(string.ascii_lowercase[: len(inputs)])
    operands = [
        x
        if x is None or isinstance(x, int | float)
        else Symbol(letter, np.shape(getattr(x, "_payload", x)), dtype=getattr(x, "dtype", float))
        for letter, x in zip(letters, inputs, strict=True)
    ]
    try:
        formula = vjp_formula(op, slot, operands, **node.params)
        text = typeset(clean(LONG.sub(lambda found: number(float(found[0]), precision), formula.text)))
    except Exception:  # noqa: BLE001  (a rule is anybody's code, and a picture must not fail because of one)
        text = ""
    if not text or len(text) > 40:
        return f"vjp of {clean(op.name)}"
    shape = tuple(getattr(formula.expression, "shape", ()))
    return text if shape == inputs[slot].shape or shape == () else f"Σ({text})"  # summed where it was broadcast


def _measure(x: Node, share: Any) -> float:
    """Return a contribution to a single number as it is, to an array as its norm."""
    return as_number(share) if is_number(x) else norm(share)
