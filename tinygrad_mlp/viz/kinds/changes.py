"""What a step changed: two recordings of one computation, node by node before and after."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Unpack

import numpy as np

from tinygrad_mlp.errors import UnsupportedError
from tinygrad_mlp.graph import Node
from tinygrad_mlp.viz.judging.comparing import LOST, Comparison, of_snapshot, of_two
from tinygrad_mlp.viz.labels import norm, number, summary
from tinygrad_mlp.viz.records import Drawing, Entry, GraphView, NodeView, Row
from tinygrad_mlp.viz.theme import Theme, find_theme

from .finished import Options, finished, split
from .painting import painted

LOW, HIGH = -4.0, 0.0  # powers of ten of the relative change, between which colours tell changes apart
ENDS = ("0.01 % or less", "1 %", "100 % or more")
SAME = 1e-6  # of the change: a change is a multiple of the gradient if no more is left


def drawing(before: Any, after: Any, **options: Unpack[Options]) -> Drawing:
    """Return the graph of ``after`` with what changed since ``before``.

    A number is written ``0.5 → 0.4 (-0.1)``, of an array the norm of the change and its part of the array's own. What
    was varied, such as parameters, is marked ``changed`` and coloured by that part; where the gradient of before is
    known, it is written beside the change: after a step of gradient descent ``Δ = -0.1·grad``.

    An optimizer updates parameters in place, so that a graph does not know what they were: give what
    ``model.state_dict()`` returned before the step as ``before``, and ``names=model``. Then all nodes are computed
    again from the old values, and, if the result was recorded before the step, from the new ones.

    Args:
        before: The same result of before, or a mapping of names to the old values of leaves.
        after: A recorded result.
        **options: As of ``view`` and ``finished``; ``names=`` also says which leaves the names of ``before`` mean.

    Raises:
        UnsupportedError: The two are of different computations, with the first node that differs; or ``before`` names
            no leaf.
        ShapeError: A value of ``before`` does not have its leaf's shape.
        LayoutError: more than 2,500 nodes would have to be laid out.
    """
    for x, what in ((before, "before"), (after, "after")):
        if not (isinstance(x, Node) or (what == "before" and isinstance(x, Mapping))):
            raise UnsupportedError(
                f"draw: kind 'diff': {what} is a {type(x).__name__}; pass two recorded results, "
                "or model.state_dict() of before and a result"
            )
    seen, look = split(options)
    known = of_snapshot(before, after, seen.get("names")) if isinstance(before, Mapping) else of_two(before, after)
    painter = _Painter(known, find_theme(look.get("theme", "light")), seen.get("precision", 4))
    graph = painted(after, painter.node, seen)
    notes = (*known.notes, *graph.notes)
    return finished("diff", replace(graph, notes=notes, legend=painter.legend(graph)), **look)


class _Painter:
    """Writes changes on records."""

    def __init__(self, known: Comparison, theme: Theme, precision: int) -> None:
        """Keep what is known of both."""
        self.known, self.theme, self.precision = known, theme, precision

    def node(self, view: NodeView, members: Sequence[Any]) -> NodeView:
        """Return a record with what changed; as it is, but for its gradient, where nothing did or nothing is known."""
        view = replace(view, grad="", sign=0, slope=None)
        nodes = [x for x in members if isinstance(x, Node)]
        leaves = [x for x in nodes if x.op is None]
        if view.kind == "group":  # of a module that of its parameters
            nodes = leaves
        if any(x in self.known.lost for x in nodes):
            return replace(view, mark="changed", detail=LOST)
        pairs = [(self.known.was[x], self.known.now[x]) for x in nodes if x in self.known.was]
        changed = sum(not _same(a, b) for a, b in pairs)
        if not changed:
            return view
        was, now = (_joined([pair[k] for pair in pairs]) for k in (0, 1))
        view = self._changed(view, was, now)
        if self.known.late and len(pairs) == 1 and now.size > 1:
            view = replace(view, value=summary(pairs[0][1], self.precision))
        if not leaves:
            return view
        detail = f"{changed:,} of {len(pairs):,}" if len(pairs) > 1 else ""
        grads = [self.known.grads[x] for x in nodes if x in self.known.grads]
        if len(grads) == len(pairs):
            view = self._beside_gradient(view, now - was, _joined(grads))
        return replace(view, mark="changed", detail=detail, fill=self._colour(was, now))

    def _changed(self, view: NodeView, was: Any, now: Any) -> NodeView:
        """Return a record with the change in words and numbers."""
        digits = self.precision
        if now.size == 1:
            old, new = float(was[0]), float(now[0])
            text = f"{number(old, digits)} → {number(new, digits)} ({number(new - old, digits, signed=True)})"
            return replace(view, value=text)
        with np.errstate(all="ignore"):
            size = norm(now - was)
        share = _share(was, now)
        part = f" ({number(100 * share, 3)} %)" if np.isfinite(share) else " (from 0)" if not np.any(was) else ""
        return replace(view, lines=(*view.lines, Row(f"‖Δ‖ = {number(size, digits)}{part}")))

    def _beside_gradient(self, view: NodeView, change: Any, grad: Any) -> NodeView:
        """Return a record with the gradient of before, and how the change goes along with it."""
        digits, size = self.precision, norm(grad)
        if grad.size == 1:
            sign = int(np.sign(grad[0])) if grad[0] == grad[0] else 0
            view = replace(view, grad=f"grad before {number(grad[0], digits, signed=True)}", sign=sign)
        else:
            view = replace(view, grad=f"grad norm before {number(size, digits)}")
        if not (0 < size < np.inf and np.isfinite(norm(change))):
            return view
        ratio = float(np.vdot(change / size, grad / size))
        if norm(change - ratio * grad) <= SAME * norm(change):
            words = f"Δ = {number(ratio, digits)}·grad"
        else:
            words = f"Δ against grad: cosine {number(ratio * size / norm(change), 3)}"
        return replace(view, lines=(*view.lines, Row(words)))

    def _colour(self, was: Any, now: Any) -> str:
        share = _share(was, now)
        with np.errstate(all="ignore"):
            power = float(np.log10(share)) if share == share else HIGH
        return self.theme.ramp((power - LOW) / (HIGH - LOW))

    def legend(self, graph: GraphView) -> tuple[Entry, ...]:
        """Return the scale with its ends."""
        if not any(node.fill for node in graph.nodes):
            return ()
        scale = [Entry("change, as a part of what was:")]
        return (*scale, *(Entry(word, "fill", self.theme.ramp(i / 2)) for i, word in enumerate(ENDS)))


def _same(a: Any, b: Any) -> bool:
    if type(a) is float and type(b) is float:
        return a == b or (a != a and b != b)
    return bool(np.array_equal(a, b, equal_nan=np.asarray(a).dtype.kind == "f"))


def _joined(values: Sequence[Any]) -> Any:
    """Return all elements as one vector of float64."""
    return np.concatenate([np.asarray(x, np.float64).reshape(-1) for x in values])


def _share(was: Any, now: Any) -> float:
    """Return the norm of the change as a part of the norm before; inf from zero."""
    with np.errstate(all="ignore"):
        return float(np.divide(norm(now - was), norm(was)))
