"""The health of a network: how large gradients are, and what is dead, saturated, not a number, or not reached."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, Unpack

import numpy as np

from tinygrad_mlp.errors import UnsupportedError
from tinygrad_mlp.graph import Node
from tinygrad_mlp.nn import Module
from tinygrad_mlp.paths import Flow
from tinygrad_mlp.viz.graphs.naming import Names
from tinygrad_mlp.viz.labels import norm, number
from tinygrad_mlp.viz.records import Drawing, Entry, GraphView, NodeView
from tinygrad_mlp.viz.theme import Theme, find_theme

from .ailments import Ailments
from .finished import Options, finished, split
from .painting import painted
from .slopes import Slopes

LOW, HIGH = -7.0, 1.0  # powers of ten between which colours tell sizes apart
APART = 1e3  # how much the gradients of the first and last layer may differ
ENDS = ("10⁻⁷ or less", "10⁻³", "10¹ or more")
WORDS = {
    "dead": "dead: output 0 for every sample",
    "saturated": "saturated: half its slopes below 1 %",
    "nan": "nan: not a number",
    "inf": "inf: infinite",
    "no gradient": "no gradient: none arrives, or only zeros",
}


def drawing(root: Any, *, seed: Any = None, model: Any = None, **options: Unpack[Options]) -> Drawing:
    """Return the graph of ``root`` coloured by the size of gradients, with a mark on all that does not learn.

    The gradients are computed for the picture; no ``.grad`` is touched. Marks:

    - ``dead``: units (columns of a batch) of relu and its kin whose output is 0 for every sample, with their number;
    - ``saturated``: at least half of the elements of a sigmoid, tanh or their kin lie where the slope is below 1 % of
      its maximum;
    - ``nan``, ``inf``: in the value or the gradient, and where the first one arises;
    - ``no gradient``: a parameter to which no gradient leads, or only zeros.

    Args:
        root: The node whose gradient is looked at.
        seed: Its cotangent; ones by default.
        model: A module whose parameters should all be in the graph; the missing ones are listed.
        **options: As of ``view`` and ``finished``.

    Raises:
        GradientError: ``root`` has no gradient, or an operand was overwritten since.
        LayoutError: more than 2,500 nodes would have to be laid out.
        UnsupportedError: ``root`` is no node, ``model`` no module, or an unknown option.
    """
    if not isinstance(root, Node):
        raise UnsupportedError(f"draw: kind 'health' takes one result, a tensor or Value, not {type(root).__name__}")
    if model is not None and not isinstance(model, Module):
        raise UnsupportedError(f"draw: model= is a {type(model).__name__}; pass the module that is trained")
    seen, look = split(options)
    names = seen.get("names")
    seen["names"] = names = names if isinstance(names, Names) else Names(model if names is None else names)
    several = seed is None and root.size != 1
    flow = Flow(root, np.ones(root.shape, root.dtype) if several else seed)
    health = Health(flow, find_theme(look.get("theme", "light")), seen.get("precision", 4))
    graph = painted(root, health.node, seen)
    notes = [*graph.notes, *health.notes(names, model)]
    if several:
        notes.append("gradients of the sum of all elements; seed= weighs them")
    return finished("health", replace(graph, notes=tuple(notes), legend=health.legend(graph)), **look)


class Health:
    """What a picture says of the nodes of one graph."""

    def __init__(self, flow: Flow, theme: Theme, precision: int) -> None:
        """Look at the whole graph."""
        self.flow, self.theme, self.precision = flow, theme, precision
        self.ailments = Ailments(flow)

    def node(self, view: NodeView, members: Sequence[Any]) -> NodeView:
        """Return a record with the size of its gradient as colour and in words, and with its mark."""
        mark, detail = self.ailments.mark(members)
        view = replace(view, mark=mark, detail=detail, grad="", sign=0, slope=None)
        nodes = [x for x in members if isinstance(x, Node) and self.flow.cotangent(x) is not None]
        if view.kind == "group":  # of a module that of its parameters
            nodes = [x for x in nodes if x.op is None] or nodes
        if not nodes:
            return view
        size = norm([norm(self.flow.cotangent(x)) for x in nodes])
        if not np.isfinite(size):
            return replace(view, grad=f"|grad| is {size}")
        power = float(np.log10(size)) if size else -np.inf
        text = f"log₁₀|grad| = {round(power, 1) + 0.0:.1f}" if size else "grad is 0"
        return replace(view, grad=text, fill=self.theme.ramp((power - LOW) / (HIGH - LOW)))

    def notes(self, names: Names, model: Any) -> Iterable[str]:
        """Yield remarks: on ``.grad``, on parameters that are missing, on layers that learn at different speeds."""
        leaves = [x for x in self.ailments.nodes if x.op is None and self.flow.cotangent(x) is not None]
        yield from filter(None, [Slopes(self.flow, self.precision).remark(leaves)])
        if model is not None:
            inside = set(map(id, self.ailments.nodes))
            missing = [name for name, p in model.named_parameters() if id(p) not in inside]
            if missing:
                shown = ", ".join(missing[:8]) + (f" and {len(missing) - 8:,} more" if len(missing) > 8 else "")
                yield f"no gradient: the result does not depend on {shown}"
        yield from self._layers(names)

    def _layers(self, names: Names) -> Iterable[str]:
        """Yield how the gradients of the first and the last weights compare."""
        weights = [x for x in self.ailments.nodes if x.op is None and x.ndim > 1 and self.flow.cotangent(x) is not None]
        if len(weights) < 2:
            return
        first, last = weights[-1], weights[0]  # the nearest to the output is found first
        one, other = (norm(self.flow.cotangent(x)) for x in (first, last))
        if not (np.isfinite([one, other]).all() and other):
            return
        ratio = one / other
        verdict = ": it vanishes" if ratio < 1 / APART else ": it explodes" if ratio > APART else ""
        titles = [names.of(x) or title for x, title in ((first, "first weights"), (last, "last weights"))]
        digits = min(self.precision, 3)
        yield (
            f"gradient norm, first layer / last layer: {titles[0]} {number(one, digits)} / {titles[1]} "
            f"{number(other, digits)} = {number(ratio, digits)}{verdict}"
        )

    def legend(self, graph: GraphView) -> tuple[Entry, ...]:
        """Return the scale with its ends, and what the marks that occur mean."""
        scale = [Entry("norm of the gradient:")]
        scale += [Entry(word, "fill", self.theme.ramp(i / 2)) for i, word in enumerate(ENDS)]
        found = {node.mark for node in graph.nodes}
        marks = [Entry(words, "mark", self.theme.mark(mark).fill) for mark, words in WORDS.items() if mark in found]
        return tuple(scale + marks)
