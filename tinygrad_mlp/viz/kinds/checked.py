"""A gradient check painted on the graph: for every operation whether its rule is right, and the numbers if not."""

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, NamedTuple, Unpack

import numpy as np

from tinygrad_mlp.check import Culprit, Element, GradcheckReport
from tinygrad_mlp.check.report import slip
from tinygrad_mlp.check.reporting import place
from tinygrad_mlp.check.verdicts import rule_verdicts
from tinygrad_mlp.errors import StaleError, UnsupportedError
from tinygrad_mlp.graph import NODES, Node
from tinygrad_mlp.nn.layers import generator
from tinygrad_mlp.viz.graphs.naming import Names
from tinygrad_mlp.viz.graphs.walk import bottom_up, walk
from tinygrad_mlp.viz.labels import clean, number, shorten
from tinygrad_mlp.viz.records import Drawing, Entry, NodeView, Row
from tinygrad_mlp.viz.theme import Theme, find_theme

from .finished import Options, finished, split
from .painting import painted

MEANINGS = {
    "right": "",
    "kink": " (slopes differ on both sides)",
    "undecided": " (numbers cannot tell)",
    "wrong": "",
}
WORST = ("wrong", "undecided", "kink", "right")
CHANGED = "inputs or parameters were changed since the check, so that operations could not be looked at again"
LONGEST = 60  # characters of a reason in a label


class Verdict(NamedTuple):
    """What is written on a node: a state, a few words behind it, and lines of numbers."""

    state: str
    detail: str = ""
    lines: tuple[str, ...] = ()


def drawing(x: Any, *, rng: int | np.random.Generator = 0, **options: Unpack[Options]) -> Drawing:
    """Return the graph of ``x`` with a verdict on every operation that has a gradient.

    Each rule is checked on its own, at the recorded numbers, against differences of its operation: ``right``, ``kink``
    where the slopes on both sides differ (any number between them is right), ``undecided``, or ``wrong`` with what the
    rule gives and what was measured. Of a report inputs and parameters have the verdicts on their derivatives too.

    Args:
        x: A recorded result, several, or a report of ``gradcheck``.
        rng: The seed or generator for the random cotangents.
        **options: As of ``view`` and ``finished``.

    Raises:
        UnsupportedError: ``x`` is neither, or the report has no recorded graph.
        StaleError: An operand was overwritten after its use.
        LayoutError: more than 2,500 nodes would have to be laid out.
    """
    seen, look = split(options)
    roots, report = _roots(x)
    digits = seen.get("precision", 4)
    notes: list[str] = []
    try:
        found = _operations(roots, report is not None and not report.passed, generator(rng, "draw"), digits)
    except StaleError:
        if report is None:
            raise
        found, notes = {}, [CHANGED]
    if report is not None:
        for node, culprit in zip(report.recorded.faults, report.culprits, strict=True):
            found[node] = Verdict("wrong", "", _numbers(culprit, node, digits))
        found |= _leaves(report, digits)
        names = seen.get("names")
        if not isinstance(names, Names):
            seen["names"] = Names(names, zip(report.recorded.leaves, (i.name for i in report.inputs), strict=True))
        notes = [report.headline(), *report.notes, *notes]
    painter = _Painter(found, find_theme(look.get("theme", "light")))
    graph = painted(roots, painter.node, seen)
    notes = [clean(shorten(note, 200)) for note in notes]
    return finished("check", replace(graph, notes=(*notes, *graph.notes), legend=painter.legend()), **look)


def _roots(x: Any) -> tuple[list[Node], GradcheckReport | None]:
    """Return the results to draw, and the report if there is one."""
    if isinstance(x, GradcheckReport):
        if not x.recorded.outputs:
            raise UnsupportedError(f"draw: this report of {x.function} has no graph: its function records nothing")
        return list(x.recorded.outputs), x
    roots = list(x) if isinstance(x, list | tuple) else [x]
    if not roots or not all(isinstance(root, Node) for root in roots):
        kind = type(x).__name__
        raise UnsupportedError(f"draw: kind 'check' takes a recorded result or a report of gradcheck, not {kind}")
    return roots, None


# ------------------------------------------------------------------------------------------------------------ verdicts


def _operations(roots: Sequence[Node], thorough: bool, rng: np.random.Generator, digits: int) -> dict[Node, Verdict]:
    """Return the verdicts on operations."""
    graph = walk(roots)
    nodes = [graph.found[i] for i in bottom_up(graph) if isinstance(graph.found[i], Node)]
    found = {}
    for node, verdict in rule_verdicts(nodes, rng, thorough=thorough).items():
        lines = _numbers(verdict.culprit, node, digits) if verdict.culprit is not None else ()
        found[node] = Verdict(verdict.state, verdict.reason, lines)
    return found


def _numbers(culprit: Culprit, node: Node, digits: int) -> tuple[str, ...]:
    """Return what a wrong rule gives, what was measured, and how the two are related."""
    if culprit.message:
        return (culprit.message,)
    operand = f" of operand {culprit.operand}" if len(node.inputs) > 1 else ""
    element = f" at {place('', culprit.index)}" if culprit.index else ""
    numbers = f"{number(culprit.analytic, digits)}, measured {number(culprit.numeric, digits)}"
    gives = f"{culprit.mode}{operand}{element} gives {numbers}"
    return tuple(filter(None, (gives, slip(culprit).removeprefix(": "))))


def _leaves(report: GradcheckReport, digits: int) -> dict[Node, Verdict]:
    """Return the verdicts on what was varied, from its derivatives."""
    elements: dict[str, list[Element]] = {}
    for element in report.elements:
        elements.setdefault(element.input, []).append(element)
    found = {}
    for summary, leaf in zip(report.inputs, report.recorded.leaves, strict=True):
        mine = elements.get(summary.name, [])
        groups = {
            "wrong": [e for e in mine if e.verdict == "wrong"],
            "undecided": [e for e in mine if e.verdict == "undecided"],
            "kink": [e for e in mine if e.kink],
        }
        state = next((name for name, group in groups.items() if group), "right")
        group = groups.get(state, [])
        many = max(len(mine), summary.checked)
        detail = f"{len(group):,} of {many:,}" if group and many > 1 else ""
        found[leaf] = Verdict(state, detail, _worst(state, group, digits))
    return found


def _worst(state: str, group: Sequence[Element], digits: int) -> tuple[str, ...]:
    """Return the numbers of the worst of some derivatives, or why the first of them is open."""
    if not group:
        return ()
    if state != "wrong":
        return (group[0].reason.rpartition(": ")[2],)
    worst = max(group, key=lambda e: e.relative_error if math.isfinite(e.relative_error) else math.inf)
    numbers = f"is {number(worst.analytic, digits)}, measured {number(worst.numeric, digits)}"
    return (f"{worst.name} {numbers}" if worst.index or worst.output else f"the gradient {numbers}",)


# ------------------------------------------------------------------------------------------------------------ painting


class _Painter:
    """Writes verdicts on records, and counts them."""

    def __init__(self, found: dict[Node, Verdict], theme: Theme) -> None:
        """Take the verdicts."""
        self.found, self.theme = found, theme
        self.counts = Counter(verdict.state for verdict in found.values())

    def node(self, view: NodeView, members: Sequence[Any]) -> NodeView:
        """Return a record with the worst verdict on its nodes; of several nodes with the count of it."""
        verdicts = [self.found[x] for x in members if type(x) in NODES and x in self.found]
        view = replace(view, grad="", sign=0, slope=None)
        if not verdicts:
            return view
        worst = min(verdicts, key=lambda v: WORST.index(v.state))
        alike = sum(v.state == worst.state for v in verdicts)
        detail = worst.detail if len(members) == 1 else f"{alike:,} of {len(verdicts):,}" * (worst.state != "right")
        lines = tuple(Row(shorten(clean(line), LONGEST)) for line in worst.lines)
        return replace(
            view,
            lines=(*view.lines, *lines),
            mark=worst.state,
            detail=shorten(clean(detail), LONGEST),
            fill=self.theme.mark(worst.state).fill,
        )

    def legend(self) -> tuple[Entry, ...]:
        """Return the verdicts with their counts: ``right 12``, ``wrong 1``."""
        return tuple(_entries(self.counts, self.theme))


def _entries(counts: Counter[str], theme: Theme) -> Iterator[Entry]:
    for state, meaning in MEANINGS.items():
        yield Entry(f"{state} {counts[state]:,}{meaning * bool(counts[state])}", "mark", theme.mark(state).fill)
