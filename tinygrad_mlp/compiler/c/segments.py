"""Segments: a program cut into what runs in C and what NumPy does in between, and where each result lies."""

import math
from collections.abc import Sequence
from typing import Any

from tinygrad_mlp.rewrite import Term, ordered

from .grouping import Group, groups, is_large
from .layout import is_view, layout
from .placing import is_computed

FEW = 1000  # elements; what is smaller is computed where it comes


class Segment:
    """Groups that run in one call of C."""

    def __init__(self, found: list[Group]) -> None:
        """Take the groups."""
        self.groups = found
        self.work = sum(g.statements * math.prod(g.space.lengths) for g in found)


class Plan:
    """What runs in which order.

    Args:
        roots: The terms that are wanted, random draws first.
        first: Terms that come before all that does not lead to them.

    Attributes:
        steps: Segments, and terms that NumPy computes.
        last: By ``id`` of each term that has memory the place of the last group or step that reads it.
        places: By ``id`` of a term the place of the group or step that computes it.
        segment: By place the number of the step.
    """

    def __init__(self, roots: Sequence[Term], first: Sequence[Term] = ()) -> None:
        """Cut the program."""
        self.steps: list[Any] = []
        self.places: dict[int, int] = {}
        self.segment: list[int] = []
        self.readers: dict[int, set[int]] = {}
        self.order = [t for t in ordered(roots) if t.op is not None]
        done: set[int] = set()
        for wanted in [first, roots] if first else [roots]:
            self._cut([t for t in ordered(wanted) if t.op is not None and id(t) not in done], done, roots)
        self._find_readers()
        end = len(self.segment)
        self.last = {t: max(places, default=end) for t, places in self.readers.items()}
        for term in roots:
            self.last[id(layout(term).base)] = end

    def _cut(self, rest: list[Term], done: set[int], roots: Sequence[Term]) -> None:
        """Write down the steps that compute terms, each after its operands."""
        while rest:
            later = _postponed(rest, done, {id(t) for t in roots})
            found, _ = groups([t for t in rest if id(t) not in later], done)
            rest = [t for t in rest if id(t) not in done]
            if found:
                self._add(Segment(found), [g.terms for g in found])
            ready = _ready([t for t in rest if id(t) not in later], done)
            if not found and not ready:  # nothing but what was postponed is left
                ready = _ready(rest, done)
            for term in ready:
                self._add(term, [[term]])
            done.update(map(id, ready))
            rest = [t for t in rest if id(t) not in done]

    def _add(self, step: Any, parts: Sequence[Sequence[Term]]) -> None:
        for terms in parts:
            self.places.update((id(t), len(self.segment)) for t in terms)
            self.segment.append(len(self.steps))
        self.steps.append(step)

    def _find_readers(self) -> None:
        """Find for each term that has memory the places of the groups and steps that read it, or a view of it."""
        for term in self.order:
            if is_view(term):
                continue
            for x in term.inputs:
                if x is not None:
                    self.readers.setdefault(id(layout(x).base), set()).add(self.places[id(term)])

    def is_kept(self, term: Term) -> bool:
        """Return whether a term is read outside of the group that computes it."""
        return bool(self.readers.get(id(term), set()) - {self.places[id(term)]})

    def stays(self, term: Term) -> bool:
        """Return whether a term is read only in the segment that computes it."""
        here = self.segment[self.places[id(term)]]
        return all(self.segment[place] == here for place in self.readers.get(id(term), ()))


def _postponed(rest: Sequence[Term], done: set[int], roots: set[int]) -> set[int]:
    """Return by ``id`` what could be computed now, of inputs alone, and is read only after NumPy's next part.

    It is computed then, in the loops of its readers, and not stored until then.
    """
    now: set[int] = set()
    for term in rest:
        in_c = (is_computed(term) or is_view(term)) and not is_large(term)
        if in_c and all(x is None or x.op is None or id(x) in done or id(x) in now for x in term.inputs):
            now.add(id(term))
    if len(now) == len(rest):
        return set()
    readers: dict[int, list[Term]] = {}
    for term in rest:
        for x in term.inputs:
            readers.setdefault(id(x), []).append(term)
    found: set[int] = set()
    while True:
        before = len(found)
        for term in reversed(rest):
            if id(term) not in now or id(term) in found or id(term) in roots:
                continue
            given = all(x is None or x.op is None or x.size <= 1 for x in term.inputs)
            late = all(
                id(t) in found or (id(t) not in now and is_computed(t) and not is_large(t))
                for t in readers.get(id(term), ())
            )
            if given and late and term.size > FEW and not is_view(term):
                found.add(id(term))
        if len(found) == before:
            return found


def _ready(rest: Sequence[Term], done: set[int]) -> list[Term]:
    """Return the terms that NumPy can compute now; random draws keep their order."""
    found, drawing = [], True
    for term in rest:
        ready = all(x is None or x.op is None or id(x) in done for x in term.inputs)
        if term.op.random and not ready:
            drawing = False
        if ready and (drawing or not term.op.random):
            found.append(term)
    return found
