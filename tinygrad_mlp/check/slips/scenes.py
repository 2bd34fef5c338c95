"""All that a guess at a slip goes by, at one set of inputs: the formula's numbers, the truth, and the graph between."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from tinygrad_mlp.backward import contributions, cotangents
from tinygrad_mlp.check.differences import FIRST, RATIO, Floats, along, extrapolated
from tinygrad_mlp.check.foreign import Foreign, autograd_of
from tinygrad_mlp.check.hand import ByHand, Claim, pulled
from tinygrad_mlp.check.recording import Recording, plain
from tinygrad_mlp.check.subject import Subject, raw
from tinygrad_mlp.errors import TinygradError
from tinygrad_mlp.graph import GRADIENTS, NODES, Node, recording, wrap

from .captured import captured

STEP = 2.0**-17
CLOSE, CLOSE_MEASURED = 1e-6, 1e-4  # how near to the formula's numbers a slip has to come, beside the largest
LARGEST = 400  # nodes of a graph that is looked into


class Scene:
    """One set of inputs.

    Attributes:
        values: of the inputs.
        weights: of the outputs, if their weighted sum is checked.
        close: how near numbers have to be to be the same.
        base: the elements of the outputs, (m,).
        claims: what the formula returned, by the number of the input.
        true: the Jacobians (m, n).
        u: random weights of the outputs, (m,); 1 if there is one.
        given, right: uᵀ J of the formula and of the truth, each (n,), by the number of the input.
        graph: the backward pass, if there is one to be looked into.
        pool: the values of the graph that may be taken for one another; made when it is asked for.
    """

    def __init__(
        self,
        hand: ByHand,
        subject: Subject | Foreign,
        values: Sequence[Floats],
        weights: Floats | None,
        trusted: bool,
        close: float,
    ) -> None:
        """Evaluate the formula and the truth; inside ``subject.varying()``."""
        self._options = weights, trusted, close
        self.hand, self.subject, self.values = hand, subject, list(values)
        self.weights, self.close = weights, max(close, CLOSE if trusted else CLOSE_MEASURED)
        self.claims = {c.k: c for c in hand.at(values) if c.given is not None}
        self.base = subject.at(values)
        found = autograd_of(subject) if trusted else None
        self.true = measured(subject, values) if found is None else found
        m = len(subject.base)
        self.u = np.ones(1) if m == 1 else np.random.default_rng(1).uniform(0.5, 1.5, m) * (-1.0) ** np.arange(m)
        outer = self.u.reshape(hand.outer) if weights is None else weights
        self.right = {k: self.u @ J for k, J in enumerate(self.true)}
        self.given = {
            k: pulled(outer, c.given, c.reading, subject.leaves[k].size) for k, c in self.claims.items() if c.reading
        }
        self.pool: dict[Any, Any] | None = None
        self._tangents: dict[int, tuple[Floats, dict[Node, Floats]]] = {}
        self.graph = self._graph() if trusted and isinstance(subject, Subject) else None

    def beside(self, values: Sequence[Floats]) -> "Scene":
        """Return the same at other inputs."""
        return Scene(self.hand, self.subject, values, *self._options)

    def put(self) -> None:
        """Give the inputs the values of this scene."""
        self.subject.put(self.values)

    @property
    def around(self) -> dict[str, list[Floats]]:
        """The arrays that the function and the formula read beside their arguments, by the name of the variable."""
        return captured(self.hand.by_hand) | captured(self.subject.f)

    @property
    def is_finite(self) -> bool:
        """Whether all numbers are."""
        return all(np.isfinite(x).all() for x in (*self.true, *(c.given for c in self.claims.values())))

    def right_at(self, values: Sequence[Floats]) -> dict[int, Floats]:
        """Return uᵀ J of the truth at other inputs."""
        self.subject.put(values)
        found = autograd_of(self.subject)
        self.put()
        return {k: self.u @ J for k, J in enumerate(measured(self.subject, values) if found is None else found)}

    def tangents(self, k: int) -> tuple[Floats, dict[Node, Floats]]:
        """Return a random direction in input ``k``, and how the nodes change along it, by central differences."""
        assert self.graph is not None
        if k not in self._tangents:
            leaf = self.graph.leaves[k]
            x = self.values[k]
            d = np.random.default_rng(k).uniform(0.5, 1.5, x.shape) * (float(np.max(np.abs(x), initial=0.0)) or 1.0)
            moved = [{leaf: float(v) if type(leaf._payload) is float else v} for v in (x + STEP * d, x - STEP * d)]
            up, down = (self.graph.recording.run(given) for given in moved)
            slopes = {node: (np.asarray(up[node]) - down[node]) / (2 * STEP) for node in self.graph.order if node in up}
            self._tangents[k] = d.reshape(-1), {leaf: d, **slopes}
        return self._tangents[k]

    def _graph(self) -> "Graph | None":
        assert isinstance(self.subject, Subject)
        graph = Graph(self.subject, self.subject.record(), self.u, self.around)
        return graph if 0 < len(graph.order) <= LARGEST else None


class Graph:
    """A recorded function with its backward pass for the weights ``u``.

    Attributes:
        recording: it, to be run again.
        order: the computed nodes, inputs first.
        outputs: the roots.
        leaves: the nodes of the inputs.
        names: of the inputs.
        around: the arrays that the function reads beside its arguments, by the name of the variable.
        titles: what nodes are that are spelled out, as ``the sigmoid``, each with the node that it is a function of.
        cotangents: of every node.
        seeds: the outputs with their cotangents.
        edges: of every node its operands that want a gradient, by their number, with what goes to them.
    """

    def __init__(
        self, subject: Subject, outputs: Sequence[Any], u: Floats, around: Mapping[str, Sequence[Floats]]
    ) -> None:
        """Run backward."""
        self.around = around
        self.titles: dict[Any, tuple[str, Any]] = {}
        self._constants: dict[int, str] = {}
        self.leaves = [leaf.node for leaf in subject.leaves]
        self.names = {leaf.node: leaf.name for leaf in subject.leaves}
        self.outputs = outputs
        self.recording = Recording(outputs)
        self.order: list[Any] = self.recording.order
        self.cotangents: dict[Node, Any] = {}
        self.edges: dict[Node, dict[int, Any]] = {}
        self.seeds: list[tuple[Any, Any]] = []
        at = 0
        for y in outputs:
            size = int(np.size(raw(y)))
            if type(y) in NODES and y.requires_grad:
                self.seeds.append((y, cast(y, u[at : at + size].reshape(np.shape(raw(y))))))
                self._add(*self.seeds[-1])
            at += size
        for node in reversed(self.order):
            if node in self.cotangents:
                self.edges[node] = local(node, self.cotangents[node])
                for i, c in self.edges[node].items():
                    self._add(node.inputs[i], c)

    def _add(self, x: Node, c: Any) -> None:
        self.cotangents[x] = self.cotangents[x] + c if x in self.cotangents else c

    def pull(self, x: Any, delta: Any) -> dict[int, Floats]:
        """Return what a change of the cotangent of ``x`` adds to the gradients, by the number of the input."""
        if x.op is None:
            return {k: np.asarray(delta, np.float64).reshape(-1) for k, node in enumerate(self.leaves) if node is x}
        found = cotangents(x, cast(x, delta), to=self.leaves)
        return {
            k: np.asarray(raw(found[node]), np.float64).reshape(-1)
            for k, node in enumerate(self.leaves)
            if node in found
        }

    def name(self, x: Any) -> str:
        """Return what to call a node, or a constant."""
        if type(x) not in NODES:
            return (
                (self.variable(x) or f"a constant of shape {np.shape(plain(x))}")
                if np.ndim(plain(x))
                else f"{plain(x):g}"
            )
        if x.op is None:
            return self.names.get(x) or x.name or self.variable(x) or "a constant"
        return x.name or (self.titles[x][0] if x in self.titles else x.op.name)

    def variable(self, x: Any) -> str:
        """Return the name of the variable that holds a constant, ``T`` or ``T.T``; empty if none is known."""
        if id(x) not in self._constants:
            value = np.asarray(plain(x))
            known = [(name, a) for name, arrays in self.around.items() if len(arrays) == 1 for a in arrays]
            known += [(f"{name}.T", a.T) for name, a in known if a.ndim > 1]
            same = (name for name, a in known if a.shape == value.shape and np.array_equal(a, value))
            self._constants[id(x)] = next(same, "") if value.ndim else ""
        return self._constants[id(x)]

    def operand(self, x: Any) -> Any:
        """Return what a node is a function of, element by element; None if that is not one value."""
        if x in self.titles:
            return self.titles[x][1]
        return x.inputs[0] if x.op is not None and x.op.elementwise and len(x.inputs) == 1 else None


def at(graph: Graph, place: tuple[Any, ...]) -> Any:
    """Return the node, or the input, that is at a place: ``("node", 3)``, ``("leaf", 0)``."""
    return (graph.order if place[0] == "node" else graph.leaves)[place[1]]


def cast(x: Any, g: Any) -> Any:
    """Return a cotangent in the form that a node takes: a float, or an array of its dtype."""
    return float(g) if type(x._payload) is float else np.asarray(g, x.dtype).reshape(x.shape)


def local(node: Any, g: Any) -> dict[int, Any]:
    """Return what a node hands to its operands for the cotangent ``g``, by their number."""
    wanted = [i for i, x in enumerate(node.inputs) if type(x) in NODES and x.requires_grad]
    with np.errstate(all="ignore"):
        return {i: c for i, (_, c) in zip(wanted, contributions(node, g), strict=True)}


def elsewhere(node: Any, i: int, g: Any, replaced: Mapping[int, Any]) -> Any:
    """Return what a node hands to operand ``i``, its derivative taken where other operands have other values.

    None if the op does not take them, or gives another shape.
    """
    inputs = [np.asarray(plain(x)) if type(x) is not float else x for x in map(plain, node.inputs)]
    for j, v in replaced.items():
        inputs[j] = float(v) if type(inputs[j]) is float else np.asarray(v, np.asarray(inputs[j]).dtype)
    leaf = wrap(inputs[i])
    leaf.requires_grad = True
    inputs[i] = leaf
    try:
        with recording(GRADIENTS), np.errstate(all="ignore"):
            twin = node.op.apply(tuple(inputs), dict(node.params))
            if twin.shape != node.shape:
                return None
            return local(twin, cast(twin, g))[i]
    except (TinygradError, TypeError, ValueError, KeyError, AttributeError):
        return None


def measured(subject: Subject | Foreign, values: Sequence[Floats]) -> list[Floats]:
    """Return the Jacobians (m, n) by central differences, extrapolated."""
    found, m = [], len(subject.base)
    base = subject.at(values)
    for k, x in enumerate(values):
        J = np.zeros((m, x.size))
        top = float(np.max(np.abs(x), initial=0.0)) or 1.0
        for i in range(x.size):
            moved = x.copy()

            def line(t: float, moved: Floats = moved, i: int = i, k: int = k) -> Floats:
                before, moved.reshape(-1)[i] = moved.reshape(-1)[i], t
                y = subject.at([*values[:k], moved, *values[k + 1 :]])
                moved.reshape(-1)[i] = before
                return y

            at = float(x.reshape(-1)[i])
            h = 2.0 ** np.floor(np.log2(max(abs(at), 0.01 * top) * FIRST))
            J[:, i] = extrapolated(along(line, h, at), along(line, h / RATIO, at), base, subject.eps)[0]
        found.append(J)
    subject.put(values)
    return found


def shaped(true: Floats, claim: Claim, outer: tuple[int, ...], inner: tuple[int, ...]) -> Iterable[Floats]:
    """Yield the true derivative in the shapes that a formula may have meant to return, the likeliest first."""
    m, n = true.shape
    if m == 1 and claim.reading in ("", "gradient"):
        yield true.reshape(inner)
        return
    if outer == inner and claim.reading in ("", "slope of each element"):
        yield np.diagonal(true).reshape(inner)
    if outer and inner and outer[0] == inner[0] and claim.reading in ("", "Jacobian of each sample"):
        N = outer[0]
        J = true.reshape(N, m // N, N, n // N)[np.arange(N), :, np.arange(N), :]
        yield J.reshape(*outer, *inner[1:])
    if claim.reading in ("", "Jacobian"):
        yield true.reshape(outer + inner)
