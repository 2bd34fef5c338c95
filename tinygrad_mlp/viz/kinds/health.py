"""The health of a network: how large gradients are, and what is dead, saturated, not a number, or not reached."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple, Unpack

import numpy as np

from tinygrad_mlp.errors import UnsupportedError
from tinygrad_mlp.graph import Node
from tinygrad_mlp.nn import Module, Parameter
from tinygrad_mlp.nn.description import direct_parameters, is_layer
from tinygrad_mlp.paths import Flow
from tinygrad_mlp.tensors import Value
from tinygrad_mlp.viz.chain.slopes import Slopes
from tinygrad_mlp.viz.graphs.naming import Names
from tinygrad_mlp.viz.judging.ailments import Ailments
from tinygrad_mlp.viz.labels import clean, norm, number
from tinygrad_mlp.viz.records import Drawing, Entry, GraphView, NodeView
from tinygrad_mlp.viz.theme import Theme, find_theme

from .finished import Options, finished, split
from .painting import painted

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


class Layer(NamedTuple):
    """What is trained together: its name, empty if it has none, and its weights."""

    title: str
    weights: list[Node]


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
        model: A module whose parameters should all be in the graph; the missing ones are listed. By default the one
            that gives the names, as in ``names=model`` and ``draw(model, X)``.
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
    if model is None:  # the names of a module given alone have no prefix; of locals() nobody knows which is trained
        model = next((module for title, module in names.modules if not title), None)
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
        yield from self._layers(layers(self.ailments.nodes, names, model))

    def _layers(self, found: Iterable[Layer]) -> Iterable[str]:
        """Yield how the gradients of the first and the last weights compare."""
        reached = [x for x in found if any(self.flow.cotangent(w) is not None for w in x.weights)]
        if len(reached) < 2:
            return
        depths = [max(self.ailments.depths[w] for w in x.weights) for x in reached]
        first, last = (reached[i] for i in (int(np.argmax(depths)), int(np.argmin(depths))))
        one, other = (norm([norm(self.flow.cotangent(w)) for w in x.weights]) for x in (first, last))
        if first is last or not (np.isfinite([one, other]).all() and other):
            return
        ratio, digits = one / other, min(self.precision, 3)
        verdict = ": it vanishes" if ratio < 1 / APART else ": it explodes" if ratio > APART else ""
        yield (
            f"gradient norm, first layer / last layer: {first.title or 'first weights'} {number(one, digits)} / "
            f"{last.title or 'last weights'} {number(other, digits)} = {number(ratio, digits)}{verdict}"
        )

    def legend(self, graph: GraphView) -> tuple[Entry, ...]:
        """Return the scale with its ends, and what the marks that occur mean."""
        scale = [Entry("norm of the gradient:")]
        scale += [Entry(word, "fill", self.theme.ramp(i / 2)) for i, word in enumerate(ENDS)]
        found = {node.mark for node in graph.nodes}
        marks = [Entry(words, "mark", self.theme.mark(mark).fill) for mark, words in WORDS.items() if mark in found]
        return tuple(scale + marks)


def layers(nodes: Iterable[Node], names: Names, model: Any = None) -> list[Layer]:
    """Return what is trained, layer by layer: each matrix of a module, and the Values of each layer of neurons.

    Data that record gradients are not trained, nor are Values that belong to no known module.
    """
    owners: dict[int, str] = {}
    for prefix, module in [*names.modules, *([("", model)] if model is not None else [])]:
        for path, inner in module.named_modules():  # a layer of neurons comes before each of these
            title = ".".join(part for part in (prefix, path) if part) or type(inner).__name__
            for p in inner.parameters() if is_layer(inner) else [p for _, p in direct_parameters(inner)]:
                owners.setdefault(id(p), title)
    found: dict[Any, Layer] = {}
    for x in nodes:
        if isinstance(x, Parameter) and x.ndim > 1:
            found[x] = Layer(clean(names.of(x)), [x])
        elif isinstance(x, Value) and id(x) in owners:
            found.setdefault(owners[id(x)], Layer(clean(owners[id(x)]), [])).weights.append(x)
    return list(found.values())
