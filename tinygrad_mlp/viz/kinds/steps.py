"""Forward, then backward, one operation at a time: for a player, and as numbered pictures."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from tinygrad_mlp.errors import LayoutError, UnsupportedError
from tinygrad_mlp.graph import NODES, Node
from tinygrad_mlp.paths import Flow, as_number, is_number
from tinygrad_mlp.viz.chain.lettering import Letters, evaluation_order
from tinygrad_mlp.viz.chain.narrated import Narrator
from tinygrad_mlp.viz.chain.slopes import Slopes
from tinygrad_mlp.viz.chain.written import Writer
from tinygrad_mlp.viz.graphs.naming import Names
from tinygrad_mlp.viz.graphs.view import view
from tinygrad_mlp.viz.labels import norm, number
from tinygrad_mlp.viz.records import Drawing, EdgeView, Frame, GraphView, NodeView
from tinygrad_mlp.viz.unfolding.building import unfold, whole
from tinygrad_mlp.viz.unfolding.choosing import Wanted

from .finished import finished, split
from .painting import KEPT, kept

STEPS = 400  # more, nobody plays; and what is known in each would fill the memory
UNKNOWN = "·"


def drawing(root: Any, *, expand: Wanted = (), seed: Any = None, **options: Any) -> Drawing:
    """Return the graph of ``root`` with the steps in which it is computed and differentiated.

    The gradients are the picture's own: no ``.grad`` is read or written. Forward goes through the operations in the
    order of evaluation, inputs first; backward goes the other way, and every operation adds what its rules give to the
    gradients of its inputs.

    Args:
        root: A result.
        expand: What is taken apart into single numbers, as of the kind ``scalar``: nothing, unless said.
        seed: The cotangent of ``root``; needed where it has several elements.
        **options: As of ``view`` and ``finished``; the budget is what ``view`` may show, all by default.

    Raises:
        GradientError: ``root`` has several elements and no seed is given.
        LayoutError: more than 400 steps, and ``force`` is False; or more than 2,500 nodes.
        UnsupportedError: ``root`` is no node, or an unknown option.
    """
    if not isinstance(root, Node):
        raise UnsupportedError(f"draw: kind 'steps' takes one result, a tensor or Value, not {type(root).__name__}")
    chosen, look = split(options)  # type: ignore[arg-type]
    seen: dict[str, Any] = {**chosen}
    given: Any = seen.pop("names", None)
    names, budget, force = (
        given if isinstance(given, Names) else Names(given),
        seen.pop("budget", None),
        seen.get("force", False),
    )
    made = unfold(root, expand, names=names, budget=STEPS // 2, force=force)
    order = evaluation_order(made.root)
    steps = sum(1 + x.requires_grad for x in order if x.op is not None)
    if steps > STEPS and not force:
        raise LayoutError(
            f"draw: kind 'steps' would have {steps:,} steps (limit {STEPS}); take fewer samples, such as X[:1], or "
            "draw an earlier result; force=True makes them all"
        )
    members: list[Sequence[Any]] = []
    graph = view(made.root, names=names, budget=budget, paint=kept(members), **seen)
    flow = Flow(made.root, _shaped(seed, root, made.root)) if root.requires_grad else None
    told = _Story(graph, members, made.constants, flow, order, Letters(made.root, names), seen.get("precision", 4))
    drawn = replace(told.graph, notes=(*told.graph.notes, *whole(made, names)))
    finished_one = finished("steps", drawn, frames=told.frames, **look)
    return replace(finished_one, text="\n".join([finished_one.text, "", *captions(told.frames)]))


def _shaped(seed: Any, root: Node, new: Node) -> Any:
    """Return the seed for what stands for the root."""
    single = seed is not None and type(new._payload) is float and type(root._payload) is not float
    return float(np.asarray(getattr(seed, "_payload", seed)).item()) if single else seed


class _Story:
    """The graph with names and the picture's gradients, and the frames."""

    def __init__(
        self,
        graph: GraphView,
        members: Sequence[Sequence[Any]],
        constants: set[Node],
        flow: Flow | None,
        order: Sequence[Node],
        called: Letters,
        precision: int,
    ) -> None:
        views, _ = called.lettered(graph.nodes, members)
        self.views = views
        self.keys = {x: v.key for v, xs in zip(views, members, strict=True) for x in xs if type(x) in NODES}
        self.alone = {v.key: xs[0] for v, xs in zip(views, members, strict=True) if _is_one(v, xs)}
        letters = {id(xs[0]): v.name for v, xs in zip(views, members, strict=True) if len(xs) == 1}
        writer = Writer(letters, precision)
        self.flow, self.order, self.precision = flow, order, precision
        self.narrator = Narrator(writer, flow, order[-1])
        self.edges_into: dict[str, set[str]] = {}
        for edge in graph.edges:
            self.edges_into.setdefault(edge.target, set()).add(edge.key)
        nodes = [self._node(v, xs, constants) for v, xs in zip(views, members, strict=True)]
        edges = [self._edge(edge) for edge in graph.edges]
        self.frames = tuple(self._frames())
        last = self.frames[-1].graded
        nodes = [replace(v, grad=last.get(v.key, "")) for v in nodes]
        notes = [note for note in graph.notes if KEPT not in note]
        if flow is not None:
            notes.append(Slopes(flow, precision).remark(x for x in order if x.op is None and x.requires_grad))
        self.graph = replace(graph, nodes=tuple(nodes), edges=tuple(edges), notes=tuple(filter(None, notes)))

    # -- records

    def _node(self, v: NodeView, xs: Sequence[Any], constants: set[Node]) -> NodeView:
        v = replace(v, grad="", sign=0, slope=None)
        if not _is_one(v, xs):
            return v
        x = xs[0]
        if x in constants:
            return replace(v, kind="constant")
        g = self.flow.cotangent(x) if self.flow is not None else None
        if g is not None and is_number(x):
            slope = as_number(g)
            v = replace(v, slope=slope, sign=int(np.sign(slope)) if slope == slope else 0)
        return replace(v, formula=self.narrator.writer.equation(x)) if x.op is not None else v

    def _edge(self, edge: EdgeView) -> EdgeView:
        node = self.alone.get(edge.target)
        found = self.narrator.local_at(edge, node) if node is not None and edge.count == 1 else None
        if found is None:
            return edge
        ratio, local, flow = found
        return replace(edge, local=local, flow=flow, label=(f"{ratio} = {number(local, self.precision)}",))

    # -- frames

    def _frames(self) -> Iterator[Frame]:
        leaves = [x for x in self.order if x.op is None]
        computed = [x for x in self.order if x.op is not None]
        waiting = {id(x) for x in computed}
        groups: dict[str, set[int]] = {}
        for x in computed:
            groups.setdefault(self._key(x), set()).add(id(x))
        valued = frozenset(node.key for node in self.views).difference(groups)
        yield Frame("forward", self.narrator.given(leaves), valued, {}, self._lit(leaves))
        for node in computed:
            waiting.discard(id(node))
            if not groups[self._key(node)] & waiting:
                valued |= {self._key(node)}
            yield Frame("forward", self.narrator.forward(node), valued, {}, self._lit([node, *node.inputs], node))
        if self.flow is not None:
            yield from self._backward(computed, valued)

    def _backward(self, computed: Sequence[Node], valued: frozenset[str]) -> Iterator[Frame]:
        assert self.flow is not None
        root = self.order[-1]
        sums: dict[Node, Any] = {root: self.flow.cotangent(root)}
        graded = {self._key(root): self._gradient(sums[root])}
        yield Frame("backward", self.narrator.start(sums[root]), valued, dict(graded), self._lit([root]))
        for node in reversed(computed):
            shares = self.flow.contributions(node)
            if not shares:
                continue
            words = self.narrator.backward(node, shares, sums)
            for _, x, share in shares:
                sums[x] = sums[x] + share if x in sums else share
                graded[self._key(x)] = self._gradient(sums[x])
            graded.pop("", None)
            wires = {f"{self._key(x)}-{self._key(node)}-{slot}" for slot, x, _ in shares}
            lit = self._lit([node, *(x for _, x, _ in shares)]) | wires & self.edges_into.get(self._key(node), set())
            yield Frame("backward", words, valued, dict(graded), lit)

    def _gradient(self, g: Any) -> str:
        if np.size(g) == 1:
            return f"grad {number(as_number(g), self.precision, signed=True)}"
        return f"grad norm {number(norm(g), self.precision)}"

    def _key(self, x: Any) -> str:
        return self.keys.get(x, "") if type(x) in NODES else ""

    def _lit(self, xs: Sequence[Any], node: Node | None = None) -> frozenset[str]:
        """Return the keys of nodes that are shown, and those of the edges into ``node``."""
        keys = {self._key(x) for x in xs} - {""}
        if node is not None:
            keys |= self.edges_into.get(self._key(node), set())
        return frozenset(keys)


def _is_one(v: NodeView, xs: Sequence[Any]) -> bool:
    return len(xs) == 1 and type(xs[0]) in NODES and v.kind != "group"


# ------------------------------------------------------------------------------------------------- numbered pictures


def captions(frames: Sequence[Frame]) -> list[str]:
    """Return a line for every frame: ``forward 3 of 7: h = relu(a) = relu(0.5) = 0.5``."""
    lines = []
    for phase in ("forward", "backward"):
        of_phase = [frame for frame in frames if frame.phase == phase]
        lines += [
            f"{phase} {i} of {len(of_phase) - 1}: {frame.words}" if i else f"{phase}: {frame.words}"
            for i, frame in enumerate(of_phase)
        ]
    return lines


def frame_drawing(drawing: Drawing, i: int) -> Drawing:
    """Return the picture of step ``i``, from 0: what is not known by then is a dot, what takes part is lit.

    The dots keep the room of the numbers, so that the pictures of all steps are laid out much alike.

    Raises:
        LayoutError: there is no such step.
    """
    frames, graph = drawing.frames, drawing.graph
    if graph is None or not -len(frames) <= i < len(frames):
        raise LayoutError(f"draw: step {i} of a picture with {len(frames)} steps")
    i %= len(frames)
    frame = frames[i]
    flown = {key for before in frames[: i + 1] if before.phase == "backward" for key in before.lit}
    nodes = tuple(_at(node, frame) for node in graph.nodes)
    edges = tuple(_edge_at(edge, edge.key in frame.lit, edge.key in flown) for edge in graph.edges)
    caption = captions(frames)[i]
    title = f"{drawing.title}, {caption}" if drawing.title else caption
    graph = replace(graph, nodes=nodes, edges=edges, notes=())
    return finished("steps", graph, theme=drawing.theme.name, rankdir=drawing.rankdir, title=title)


def frames_as_pictures(drawing: Drawing) -> list[Drawing]:
    """Return the pictures of all steps, in order."""
    return [frame_drawing(drawing, i) for i in range(len(drawing.frames))]


def _at(node: NodeView, frame: Frame) -> NodeView:
    """Return a record as far as it is known in a frame."""
    grad = frame.graded.get(node.key, f"grad {UNKNOWN}" if node.grad else "")
    sign = (grad.startswith("grad +")) - (grad.startswith("grad -"))
    node = replace(node, grad=grad, sign=sign, slope=None, lit=node.key in frame.lit)
    if node.key in frame.valued:
        return node
    return replace(node, value=UNKNOWN if node.value else "", number=None, formula="", lines=())


def _edge_at(edge: EdgeView, lit: bool, known: bool) -> EdgeView:
    """Return a record with its local derivative, once the gradient has flowed along it."""
    if known:
        return replace(edge, lit=lit)
    label = tuple(f"{line.partition(' = ')[0]} = {UNKNOWN}" for line in edge.label)
    return replace(edge, lit=lit, label=label, local=None, flow=None)
