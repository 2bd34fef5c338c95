"""The steps of a computation in words and numbers."""

from collections.abc import Mapping, Sequence
from typing import Any

from tinygrad_mlp.graph import Node
from tinygrad_mlp.paths import Flow, Share, as_number, is_number
from tinygrad_mlp.viz.records import EdgeView

from .equations import product
from .lettering import ON_EDGES, abridged
from .written import Writer

GIVEN = 8  # so many inputs, or contributions of one operation, are listed


class Narrator:
    """Tells what happens.

    Args:
        writer: Writes operations out.
        flow: The gradient in every node; None where there is none.
        root: The result.
    """

    def __init__(self, writer: Writer, flow: Flow | None, root: Node) -> None:
        """Keep the three."""
        self.writer, self.flow, self.root = writer, flow, root
        self._locals: dict[Node, dict[int, float]] = {}

    def given(self, leaves: Sequence[Node]) -> str:
        """Return what is known before the first step: ``given x = 2, w = -3``."""
        if not leaves:
            return "given the constants"
        told = [self._leaf(x) for x in leaves]
        more = f" and {len(told) - GIVEN:,} more" if len(told) > GIVEN else ""
        return f"given {', '.join(told[:GIVEN])}{more}"

    def _leaf(self, x: Node) -> str:
        name, size = self.writer.letter(x) or "a number", self.writer.measured(x._payload)
        return f"{name} = {size}" if is_number(x) else f"{name} ({size})"

    def forward(self, node: Node) -> str:
        """Return what is computed: ``h = relu(a) = relu(0.5) = 0.5``."""
        return self.writer.equation(node)

    def start(self, g: Any) -> str:
        """Return where the gradient starts: ``∂L/∂L = 1``."""
        return f"{self.slope(self.root)} = {self.writer.measured(g)}"

    def backward(self, node: Node, shares: Sequence[Share], sums: Mapping[Node, Any]) -> str:
        """Return what a node adds to its inputs' gradients; ``sums`` are those before.

        Between numbers it is upstream × local; at arrays the rule in symbols, with shape and norm.
        """
        told: list[str] = []
        totals = dict(sums)
        for slot, x, share in shares:
            before = x in totals
            totals[x] = totals[x] + share if before else share
            if len(told) == GIVEN:
                continue
            words = f"{self.slope(x)} += {self._contribution(node, slot, x, share)}"
            told.append(f"{words}, now {self.writer.measured(totals[x])}" if before else words)
        more = f"; and {len(shares) - GIVEN:,} more" if len(shares) > GIVEN else ""
        return "; ".join(told) + more

    def _contribution(self, node: Node, slot: int, x: Node, share: Any) -> str:
        upstream, local = self.slope(node), self.local(node).get(slot)
        if local is None:
            return f"{self.writer.rule(node, slot, upstream)} = {self.writer.measured(share)}"
        assert self.flow is not None
        factors = [as_number(self.flow.cotangent(node)), local]
        numbers = product(factors, as_number(share), self.writer.precision)
        return f"{upstream} · {self.ratio(node, x)} = {numbers}"

    def slope(self, x: Node) -> str:
        """Return the name of a gradient: ``∂L/∂w``."""
        return self.ratio(self.root, x)

    def ratio(self, y: Node, x: Node) -> str:
        """Return the name of a derivative: ``∂h/∂a``."""
        return f"∂{self._letter(y)}/∂{self._letter(x)}"

    def _letter(self, x: Node) -> str:
        return abridged(self.writer.letter(x), ON_EDGES) or "…"

    def local(self, node: Node) -> dict[int, float]:
        """Return the local derivatives between numbers, by argument."""
        if node not in self._locals:
            found = self.flow.locals(node) if self.flow is not None else ()
            self._locals[node] = {slot: d for slot, _, d in found}
        return self._locals[node]

    def local_at(self, edge: EdgeView, node: Node) -> tuple[str, float, float] | None:
        """Return the name and number of the local derivative along an edge into ``node``, and what flows; or None."""
        local = self.local(node).get(edge.slot)
        g = self.flow.cotangent(node) if self.flow is not None else None
        if local is None or g is None:
            return None
        return self.ratio(node, node.inputs[edge.slot]), local, as_number(g) * local
