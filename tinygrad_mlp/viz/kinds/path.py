"""The paths from a result to one node: lit in the graph, their products written out, and the sum, the gradient."""

from collections import Counter
from dataclasses import replace
from itertools import pairwise
from typing import Any, Unpack

from tinygrad_mlp.backward import initial_seed
from tinygrad_mlp.errors import GradientError, LayoutError, UnsupportedError
from tinygrad_mlp.graph import Node
from tinygrad_mlp.paths import Flow, Path, Paths, as_number, is_number
from tinygrad_mlp.viz.chain.equations import LONGEST, count, product, signed, total
from tinygrad_mlp.viz.chain.lettering import IN_WORDS, ON_EDGES, Letters, abridged
from tinygrad_mlp.viz.chain.slopes import Slopes, agree
from tinygrad_mlp.viz.chain.trails import Trails, trails
from tinygrad_mlp.viz.chain.written import Writer
from tinygrad_mlp.viz.graphs.describing import Describer, gradient_of
from tinygrad_mlp.viz.graphs.naming import Names
from tinygrad_mlp.viz.graphs.view import BUDGET, LIMIT, PARALLEL
from tinygrad_mlp.viz.graphs.walk import walk
from tinygrad_mlp.viz.labels import clean, norm, number
from tinygrad_mlp.viz.records import Drawing, EdgeView, Entry, GraphView, NodeView, Row
from tinygrad_mlp.viz.theme import find_theme

from .finished import Options, finished, split

PATHS = 5


def drawing(root: Any, to: Any, *, k: int = PATHS, seed: Any = None, **options: Unpack[Options]) -> Drawing:
    """Return the paths from ``root`` to the node ``to``, along which its gradient comes.

    The ``k`` paths that contribute most are lit, and the product of the local derivatives along each is written out;
    the others are counted, and the sum of all is the gradient. A small graph is shown with all paths and their direct
    inputs, of a large one the lit paths alone, rows of nodes folded.

    Args:
        root: A result, such as a loss.
        to: A node that it depends on, such as a weight.
        k: How many paths are lit and written out.
        seed: The cotangent of ``root``; needed where it has several elements.
        **options: As of ``view`` and ``finished``; modules are not framed.

    Raises:
        GradientError: ``root`` does not depend on ``to``, or no gradient flows to it, or a seed is needed.
        LayoutError: more than 2,500 nodes would have to be laid out.
        UnsupportedError: ``root`` or ``to`` is no node, or an unknown option.
    """
    for words, x in (("a result to start from", root), ("to=, the node where its paths end", to)):
        if not isinstance(x, Node):
            raise UnsupportedError(
                f"draw: kind 'path' takes {words}, as a tensor or a Value, not as {type(x).__name__}"
            )
    seen, look = split(options)
    names = seen.get("names")
    picture = _Picture(root, to, k, seed, seen.get("precision", 4), names if isinstance(names, Names) else Names(names))
    graph = picture.graph(seen.get("budget", BUDGET), seen.get("force", False))
    theme = find_theme(look.get("theme", "light"))
    words = (
        f"{'a path' if picture.paths.count == len(picture.shown.lit) else 'one of the largest paths'} to {picture.end}"
    )
    return finished("path", replace(graph, legend=(Entry(words, "line", theme.lit),)), **look)


class _Picture:
    """The paths between two nodes, what is shown of them, and what the nodes are called in formulas."""

    def __init__(self, root: Any, to: Any, k: int, seed: Any, precision: int, names: Names) -> None:
        self.names, self.precision, self.seed = names, precision, seed
        self.letters = Letters(root, names)
        self.start, self.end = (abridged(self.letters.of(x), IN_WORDS) or "the node" for x in (root, to))
        self.paths = Paths(root, to, k, seed)
        if not self.paths.count:
            raise GradientError(_why_none(root, to, self.end))
        self.slopes = Slopes(Flow(root, seed), precision)
        self.shown = Trails([], [], ())

    def graph(self, budget: int | None, force: bool) -> GraphView:
        """Return the records of what is shown."""
        if budget is not None and budget < 1:
            raise LayoutError(f"draw: budget={budget}: at least one node must be shown")
        self.shown = shown = trails(self.paths, budget)
        if len(shown.groups) > LIMIT and not force:
            raise LayoutError(
                f"draw: {len(shown.groups):,} nodes are too many to lay out (limit {LIMIT:,}); lower budget= to show "
                "the largest paths alone, or pass force=True"
            )
        views, letters = self.letters.lettered(self._nodes(), shown.groups)
        everything = len(walk([self.paths.root]).found)
        return GraphView(tuple(views), self._edges(letters), everything, self._notes(everything))

    def _nodes(self) -> list[NodeView]:
        """Return the records of the nodes, with their gradients; lit where a lit path runs through."""
        alone = [group[0] for group in self.shown.groups if len(group) == 1 and isinstance(group[0], Node)]
        writer = Writer(self.letters.among(alone), self.precision)
        describer = Describer(self.precision, self.names, graded=True, writer=writer)
        lit = {id(node) for path in self.shown.lit for node in path.nodes}
        drawn: dict[int, int] = {}
        for _, target, _, _ in self.shown.wires:
            drawn[target] = drawn.get(target, 0) + 1
        views = []
        for i, group in enumerate(self.shown.groups):
            view = describer.one(f"n{i}", group[0], i == 0) if len(group) == 1 else self._row(f"n{i}", group, describer)
            if len(group) == 1 and isinstance(group[0], Node):
                inputs = sum(x is not None for x in group[0].inputs)
                view = replace(self.slopes.node(view, group), folded=inputs - drawn.get(i, 0))
            views.append(replace(view, lit=id(group[0]) in lit))
        return views

    def _row(self, key: str, group: list[Any], describer: Describer) -> NodeView:
        """Return the record of nodes in a row on one path."""
        ops = list(dict.fromkeys(clean(node.op.name) for node in group))
        if len(ops) == 1:
            view = describer.many(key, group, is_output=False)
        else:
            words = ", ".join(ops[:4]) + (", …" if len(ops) > 4 else "")
            view = NodeView(key, "group", f"{len(group):,} nodes in a row", requires_grad=True, lines=(Row(words),))
        first, last = (self.slopes.flow.cotangent(group[i]) for i in (0, -1))
        if is_number(group[0]) and is_number(group[-1]) and as_number(first):
            gain = as_number(last) / as_number(first)
            view = replace(
                view, lines=(*view.lines, Row(f"local derivatives multiply to {number(gain, self.precision)}"))
            )
        return replace(view, grad="", slope=None, sign=0)

    def _edges(self, letters: dict[str, str]) -> tuple[EdgeView, ...]:
        """Return the edges: those on paths point as the gradient flows and tell the local derivative."""
        between = set(map(id, self.paths.nodes))
        lit = {(id(node), slot) for path in self.shown.lit for node, slot in path.steps}
        many = Counter((source, target) for source, target, _, _ in self.shown.wires)
        bundles: dict[tuple[int, int, int], list[tuple[Node, int]]] = {}
        for source, target, node, slot in self.shown.wires:
            alone = many[source, target] <= PARALLEL or (id(node), slot) in lit
            bundles.setdefault((source, target, slot if alone else -1), []).append((node, slot))
        edges = []
        for (source, target, _), wires in bundles.items():
            node, slot = wires[0]
            edge = EdgeView(f"n{source}", f"n{target}", slot, count=len(wires), lit=(id(node), slot) in lit)
            if id(node) in between and node is not self.paths.to and id(node.inputs[slot]) in between:
                edge = self.slopes.edge(edge, wires, letters)
                sign = edge.sign if edge.local is None else (edge.local > 0) - (edge.local < 0)
                edge = replace(edge, label=edge.label[:1], sign=sign)
            edges.append(edge)
        return tuple(edges)

    # -- the words below the picture

    def _notes(self, everything: int) -> tuple[str, ...]:
        """Return the products of the lit paths, what the others are worth, and the sum."""
        paths, lit = self.paths, self.paths.largest
        notes = []
        if sum(map(len, self.shown.groups)) < everything:
            notes.append(
                f"{len(self.shown.groups):,} of {everything:,} nodes: those on paths from {self.start} to {self.end}"
            )
        many = f"{count(paths.count)} path{'s' * (paths.count > 1)}"
        others = paths.count - len(lit)
        largest = f"{f'{len(lit)} ' * (len(lit) > 1)}largest{' found' * (not paths.exact)}"
        which = f"; the {largest} {'are' if len(lit) > 1 else 'is'} lit" if others else ""
        notes.append(f"{many} from {self.start} to {self.end}{which}")
        notes += [f"path {i}: {self._worth(path)}" for i, path in enumerate(lit, 1)]
        if others:
            notes.append(f"and {count(others)} more path{'s' * (others > 1)}, together {self._amount(paths.rest)}")
        return (*notes, self._sum())

    def _worth(self, path: Path) -> str:
        """Return the product along a path, in symbols and numbers; of arrays the nodes it runs through and its norm."""
        names = [abridged(self.letters.of(node), ON_EDGES) for node in path.nodes]
        if not all(map(is_number, path.nodes)):
            known = [
                name or (clean(node.op.name) if node.op is not None else self.end)
                for name, node in zip(names, path.nodes, strict=True)
            ]
            return f"{' → '.join(_few(known))}: {self._amount(path.product)}"
        factors = [*([] if self.seed is None else [as_number(initial_seed(self.paths.root, self.seed))]), *path.factors]
        numbers = product(factors or [1.0], as_number(path.product), self.precision)
        if not path.slots or len(factors) > LONGEST or not all(names):
            return numbers
        ratios = [f"∂{y}/∂{x}" for y, x in pairwise(names)]
        return f"{' · '.join([*['seed'] * (self.seed is not None), *ratios])} = {numbers}"

    def _amount(self, gradient: Any) -> str:
        """Return a contribution in words: a number with its sign, or the norm of an array."""
        if is_number(self.paths.to):
            return signed(as_number(gradient), self.precision)
        return f"norm {number(norm(gradient), self.precision)}"

    def _sum(self) -> str:
        """Return the sum of all paths and how it compares with what ``backward()`` left."""
        paths, lit = self.paths, self.paths.largest
        name = f"∂{self.start}/∂{self.end}"
        if is_number(paths.to):
            terms = [as_number(path.product) for path in lit]
            terms += [as_number(paths.rest)] * (paths.count > len(lit))
            line = f"sum: {name} = {total(terms, as_number(paths.total), self.precision)}"
        else:
            line = f"sum of all paths: {name}, {self._amount(paths.total)}"
        grad = gradient_of(paths.to)
        if grad is None:
            return f"{line} ({self.end}.grad is not computed: backward() was not called)"
        if agree(grad, paths.total):
            return f"{line}, as {self.end}.grad says"
        return f"{line}; {self.end}.grad is {self._amount(grad)}: backward() adds to what is there"


def _few(names: list[str]) -> list[str]:
    return names if len(names) <= 12 else [*names[:6], f"… ({len(names) - 11:,} more)", *names[-5:]]


def _why_none(root: Node, to: Node, name: str) -> str:
    """Return why no path leads from ``root`` to ``to``."""
    if any(x is to for x in walk([root]).found):
        why = "it requires no gradient" if not to.requires_grad else "the operations between have no derivative"
        return f"draw: no gradient flows to {name}: {why}"
    return (
        f"draw: the result does not depend on {name}: no path leads there; draw(…, kind='ops') shows what it depends on"
    )
