"""How units respond: where a rule of the table says that an operation has stopped to pass gradients on.

Which rows can saturate, or be switched off, is read off their own derivatives at the ends of the number line: a row
whose slope dies at both ends saturates (sigmoid, tanh, arctan, clip); one that is exactly 0 at an end, with its slope,
can be off there (relu). So a row that a user adds is found, too.
"""

from typing import Any, NamedTuple

import numpy as np

from tinygrad_mlp.backward import contributions
from tinygrad_mlp.errors import TinygradError
from tinygrad_mlp.graph import GRADIENTS, NODES, Node, recording, wrap

SMALL = 0.01  # of the steepest slope: below it a unit hardly learns
FAR = np.array([30.0, 41.3, 50.0])  # several places, so that waves are no ends
NEAR = np.linspace(-8.0, 8.0, 161)


class Response(NamedTuple):
    """How an elementwise operation of one operand responds.

    Attributes:
        saturates: whether its slope dies at both ends.
        switches: whether it is 0 at an end, and flat.
        steepest: its largest slope.
    """

    saturates: bool
    switches: bool
    steepest: float


class Responses:
    """The responses of the operations of a graph, each probed once."""

    def __init__(self) -> None:
        """Begin with none."""
        self._known: dict[Any, Response | None] = {}

    def of(self, node: Node) -> Response | None:
        """Return how an operation responds; None if it is no elementwise op that varies one operand."""
        op = node.op
        if op is None or not op.elementwise or op.random or op.defined or not node.requires_grad:
            return None
        varied = [i for i, x in enumerate(node.inputs) if type(x) in NODES and x.requires_grad]
        if len(varied) != 1 or node.inputs[varied[0]].shape != node.shape:
            return None
        others = [x for i, x in enumerate(node.inputs) if i != varied[0]]
        if others and not op.kinks:  # x + 1 and 2x have no ends, and there are too many of them to try each
            return None
        if any(np.size(getattr(x, "_payload", x)) > 1 for x in others if x is not None):
            return None
        key = op, varied[0], repr(node.params), tuple(repr(getattr(x, "_payload", x)) for x in others)
        if key not in self._known:
            self._known[key] = _probed(node, varied[0])
        return self._known[key]

    def slopes(self, node: Node) -> Any:
        """Return the local derivative in each element of the operand of a node that has a response."""
        y = node._payload
        one = 1.0 if type(y) is float else np.ones(node.shape, node.dtype)
        with np.errstate(all="ignore"):
            ((_, slopes),) = contributions(node, one)
        return np.asarray(slopes)


def _probed(node: Node, at: int) -> Response | None:
    """Return how an operation responds, by running it and its rule along the number line."""
    x = wrap(np.concatenate([-FAR, NEAR, FAR]))
    x.requires_grad = True
    inputs = tuple(x if i == at else other for i, other in enumerate(node.inputs))
    try:
        with recording(GRADIENTS), np.errstate(all="ignore"):
            y = node.op.apply(inputs, dict(node.params))
            slopes = np.abs(np.asarray(contributions(y, np.ones(y.shape))[0][1], np.float64))
            values = np.asarray(y._payload, np.float64)
    except (TinygradError, ArithmeticError, ValueError, TypeError, AttributeError):
        return None  # a row that takes no such numbers
    steepest = float(np.max(slopes))
    if not (np.isfinite(values).all() and 0 < steepest < np.inf):
        return None
    low, high = slopes[: len(FAR)], slopes[-len(FAR) :]
    flat = [bool(np.all(end < SMALL * steepest)) for end in (low, high)]
    off = [not end.any() and not y.any() for end, y in ((low, values[: len(FAR)]), (high, values[-len(FAR) :]))]
    return Response(all(flat), any(off), steepest)
