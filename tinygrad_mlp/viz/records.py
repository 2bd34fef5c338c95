"""What is to be drawn, as plain records: kinds of pictures make them of graphs, formats write them down."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from .labels import shape_text

Tone = Literal["", "plus", "minus", "warn"]


@dataclass(frozen=True)
class Row:
    """A small line of a label; ``tone`` says how it is coloured, ``role`` what it tells: value, grad or nothing."""

    text: str
    tone: Tone = ""
    role: str = ""


@dataclass(frozen=True)
class NodeView:
    """One node of the picture; ``key`` is its name in every format.

    Attributes:
        key: ``n0``, ``n1`` … in the order of the walk from the output.
        kind: input, parameter, constant, op, output or group.
        name: what the user calls it.
        op, symbol, params: of an operation.
        shape, dtype: of an array.
        value: its number, or a summary.
        grad: the text of its gradient.
        sign: the sign of a scalar gradient, 0 otherwise.
        number, slope: value and gradient of a single number, in full precision; None where there is none.
        requires_grad: whether a gradient flows.
        folded: how many of its inputs are not shown.
        count: how many nodes it stands for.
        formula: what the operation computes, as text: ``z = x·y``.
        source: the user's line.
        cluster: the key of the innermost cluster around it; empty at the top.
        lines: what a kind of picture adds to the label, below the value.
        mark: a word for what is the matter with it, such as ``dead`` or ``wrong``: written on it, and in the legend.
        detail: more about the mark, written behind it: ``3 of 16 units``.
        fill: a colour instead of its kind's.
        lit: whether a highlighted path runs through it.
    """

    key: str
    kind: str
    name: str = ""
    op: str = ""
    symbol: str = ""
    params: str = ""
    shape: tuple[int, ...] = ()
    dtype: str = ""
    value: str = ""
    grad: str = ""
    sign: int = 0
    number: float | None = None
    slope: float | None = None
    requires_grad: bool = False
    folded: int = 0
    count: int = 1
    formula: str = ""
    source: str = ""
    cluster: str = ""
    lines: tuple[Row, ...] = ()
    mark: str = ""
    detail: str = ""
    fill: str = ""
    lit: bool = False

    @property
    def title(self) -> str:
        """The first line of the node's label: ``σ sigmoid``, ``h = sigmoid`` if it has a name, ``W``, or ``input``."""
        if not self.op:
            if self.count > 1:
                return f"{self.count:,} × {self.name or self.kind}"
            return self.name or (self.value if self.kind == "constant" and not self.shape else "") or self.kind
        if self.count > 1:
            return f"{self.count:,} × {self.op}"
        if self.name:
            return f"{self.name} = {self.op}"
        return self.op if _spelled(self.symbol) in _spelled(self.op) else f"{self.symbol} {self.op}"

    @property
    def rows(self) -> tuple[Row, ...]:
        """The smaller lines of the label, below the title; the gradient comes last, then the mark."""
        size = f"{shape_text(self.shape)} {self.dtype}" if self.shape else ""
        value = "" if self.value == self.title else self.value
        folded = f"… {self.folded} folded input{'s' * (self.folded > 1)}" if self.folded else ""
        tone: Tone = "plus" if self.sign > 0 else "minus" if self.sign < 0 else ""
        rows = (Row(self.params), Row(size), Row(value, role="value"), Row(folded), *self.lines)
        mark = f"{self.mark}: {self.detail}" if self.mark and self.detail else self.mark
        ends = (Row(self.grad, tone, "grad"), Row(mark, "warn" if mark else ""))
        return tuple(row for row in (*rows, *ends) if row.text)

    @property
    def dashed(self) -> bool:
        """True where no gradient flows: the outline is dashed."""
        return self.kind != "constant" and not self.requires_grad

    @property
    def tip(self) -> str:
        """What is shown when one points at it: title, rows, formula and source line."""
        parts = [self.title, *(row.text for row in self.rows), self.formula, self.source]
        return ", ".join(part for part in parts if part)


@dataclass(frozen=True)
class EdgeView:
    """An edge: ``source`` is argument number ``slot`` of ``target``; both are keys. ``x * x`` has two edges.

    Attributes:
        source, target, slot: the two nodes, and the argument's number.
        label: what is written along it.
        tip: what is shown when one points at it, beside its ends.
        sign: the sign of the number on it, for its colour; 0 for none.
        count: how many edges it stands for.
        local: the local derivative ∂target/∂source, for single numbers; None where unknown.
        flow: what ``target`` contributes to the gradient of ``source``: a number, or the norm of an array; None where
            unknown.
        lit: whether a highlighted path runs along it.
        backward: whether the arrow points from target to source, as a gradient flows.
    """

    source: str
    target: str
    slot: int
    label: tuple[str, ...] = ()
    tip: str = ""
    sign: int = 0
    count: int = 1
    local: float | None = None
    flow: float | None = None
    lit: bool = False
    backward: bool = False

    @property
    def key(self) -> str:
        """Its name in every format: ``n3-n1-0``."""
        return f"{self.source}-{self.target}-{self.slot}"

    @property
    def title(self) -> str:
        """What is shown when one points at it."""
        arrow = f"{self.target} → {self.source}" if self.backward else f"{self.source} → {self.target}"
        many = f"{self.count:,} edges" if self.count > 1 else f"argument {self.slot + 1}"
        return ", ".join(part for part in (f"{arrow}, {many}", *self.label, self.tip) if part)


@dataclass(frozen=True)
class ClusterView:
    """A frame around nodes, for a module: ``parent`` is the key of the frame around it, empty at the top."""

    key: str
    title: str
    parent: str = ""


@dataclass(frozen=True)
class Entry:
    """A line of the legend: the words, and the sample before them: a kind of node, a fill, or a line.

    ``sample`` is a node's kind ("op"), "fill" with the colour in ``colour``, "line" likewise, or "" for words alone.
    """

    words: str
    sample: str = ""
    colour: str = ""
    dash: str = ""


@dataclass(frozen=True)
class GraphView:
    """A graph to be drawn.

    Attributes:
        nodes: in the order of the walk from the output; those of one cluster need not be neighbours.
        edges: by target, then by slot.
        total: how many nodes the graph has, shown or not.
        notes: remarks for the reader, below the picture.
        clusters: frames around nodes, outer ones before inner ones.
        legend: entries beside those of the kinds of nodes.
    """

    nodes: tuple[NodeView, ...]
    edges: tuple[EdgeView, ...]
    total: int
    notes: tuple[str, ...] = ()
    clusters: tuple[ClusterView, ...] = ()
    legend: tuple[Entry, ...] = ()


@dataclass(frozen=True)
class Frame:
    """One step of the player: what is done, and how far the picture is known by then.

    Attributes:
        phase: ``forward`` or ``backward``.
        words: the step in words and numbers.
        valued: keys of the nodes whose values are known.
        graded: keys of the nodes whose gradients are known, with the text of the gradient so far.
        lit: keys of the nodes and edges that take part.
    """

    phase: str
    words: str
    valued: frozenset[str]
    graded: dict[str, str]
    lit: frozenset[str]


@dataclass(frozen=True)
class Drawing:
    """A finished drawing: DOT, the same as text, and a function that writes an SVG without any program.

    ``laid_out`` says that positions are already in ``source``, so that no layout engine improves on ``native``.
    """

    kind: str
    title: str
    source: str
    text: str
    native: Callable[[], str]
    laid_out: bool = False
    graph: GraphView | None = None
    frames: tuple[Frame, ...] = ()
    extra: Callable[[str], str] | None = None  # other formats that this kind of picture has, by suffix
    theme: Any = None
    rankdir: str = "TB"
    explored: Callable[[], GraphView] | None = None  # the records with more numbers, for a page to explore


def _spelled(name: str) -> str:
    return name.replace("_", "").replace(" ", "")
