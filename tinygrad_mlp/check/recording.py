"""A recorded computation, op by op, to be run again at other numbers: perturbed, in float64, or complex."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from tinygrad_mlp.arrays import Guarded, namespace, thaw
from tinygrad_mlp.graph import NODES, Node, toposort

STEP = 1e-100  # into the complex plane: its square is lost beside anything


class Recording:
    """The nodes between leaves and outputs.

    Attributes:
        all: the outputs.
        outputs: the nodes among them.
        order: what was computed, inputs first.
    """

    def __init__(self, outputs: Iterable[Any]) -> None:
        """Take the graph below the outputs."""
        self.all = list(outputs)
        self.outputs = [y for y in self.all if type(y) in NODES]
        self.order: list[Node] = []
        seen: set[Node] = set()
        for root in self.outputs:
            if root.requires_grad:
                new = [node for node in reversed(toposort(root)) if node.op is not None and node not in seen]
                seen.update(new)
                self.order += new

    @property
    def is_analytic(self) -> bool:
        """Whether every op also runs on complex numbers and is differentiable there."""
        return bool(self.order) and all(node.op.analytic for node in self.order)

    def run(self, given: Mapping[Node, Any]) -> dict[Node, Any]:
        """Return the arrays of all nodes where some leaves, or nodes, have other values; the others stay."""
        known = dict(given)
        with np.errstate(all="ignore"):
            for node in self.order:
                if node not in known and any(x in known for x in node.inputs if type(x) in NODES):
                    values = [known.get(x, x) if type(x) in NODES else x for x in node.inputs]
                    known[node] = compute(node.op, [plain(v) for v in values], node.params)
        return known

    def complex_step(self, leaf: Node, i: int) -> list[Any]:
        """Return the derivative of every output in element ``i`` of a leaf, exact to the last digits.

        Source: Squire and Trapp, SIAM Review 40 (1998): Im f(x + ih) / h has no cancellation.
        """
        moved = np.array(plain(leaf), np.complex128)
        moved.reshape(-1)[i] += 1j * STEP
        known = self.run({leaf: moved})
        return [np.imag(known[y]) / STEP if y in known else np.zeros(y.shape) for y in self.outputs]


def plain(x: Any) -> Any:
    """Return the array, or the number, of a node or a constant."""
    if type(x) in NODES:
        x = x._payload
    return thaw(x) if type(x) is Guarded else x


def compute(op: Any, values: Sequence[Any], params: Mapping[str, Any]) -> Any:
    """Return what the forward rule of ``op`` gives, on arrays of any kind: complex ones too."""
    y = _forward(op, values, params)
    return y[0] if op.saves else y


def _forward(op: Any, values: Sequence[Any], params: Mapping[str, Any]) -> Any:
    if not op.scalars:
        values = [np.asarray(v) if type(v) in (float, int) else v for v in values]
    values = [np.asarray(v) if isinstance(v, np.generic) else v for v in values]
    return op.forward(namespace(*values), *values, **params)


def disturb(order: Iterable[Any], rng: np.random.Generator) -> None:
    """Compute recorded nodes anew, inputs first, with every number off by a rounding or two.

    The results of ops that are not smooth stay as they come: their rules compare them with the operands.

    Source: Vignes, A stochastic arithmetic for reliable scientific computation, Math. Comput. Simulation 35 (1993).
    """
    with np.errstate(all="ignore"):
        for node in order:
            op, data = node.op, node._payload
            y = _forward(op, [plain(x) for x in node.inputs], node.params)
            if op.saves:
                y, node.saved = y
            if op.analytic or (op.elementwise and not op.kinks):
                y = y * (1 + 2 * float(np.finfo(node.dtype).eps) * rng.uniform(-1, 1, node.shape))
            node._payload = float(y) if type(data) is float else np.asarray(y, data.dtype)
