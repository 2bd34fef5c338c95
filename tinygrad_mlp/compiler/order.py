"""The order of terms in which the least memory is in use at a time, found greedily."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from tinygrad_mlp.rewrite import Term

from .writing import is_elementwise


def frugal(order: Sequence[Term], roots: Sequence[Any]) -> list[Term]:
    """Return terms in an order in which each comes after its operands, and large arrays as late as possible.

    Of all that could come next it takes what adds least to the memory in use: the bytes of its result, less those of
    the operands that nobody reads after it. Of equal ones it takes the first, and random terms keep their order.
    """
    places = {id(t): i for i, t in enumerate(order)}
    left = Counter(id(x) for t in order for x in set(t.inputs) if x is not None and id(x) in places)
    left.update(id(root) for root in roots)
    missing = {id(t): len({id(x) for x in t.inputs if x is not None and id(x) in places}) for t in order}
    readers: dict[int, list[Term]] = {}
    for term in order:
        for x in set(term.inputs):
            if x is not None:
                readers.setdefault(id(x), []).append(term)
    ready = [t for t in order if not missing[id(t)]]
    found: list[Term] = []
    draws = [t for t in order if t.op.random]
    while ready:
        allowed = [t for t in ready if not t.op.random or t is draws[0]]
        term = min(allowed, key=lambda t: (_added(t, left, places), places[id(t)]))
        ready = [t for t in ready if t is not term]
        if term.op.random:
            draws = draws[1:]
        found.append(term)
        for x in set(term.inputs):
            if x is not None:
                left[id(x)] -= 1
        for reader in readers.get(id(term), ()):
            missing[id(reader)] -= 1
            if not missing[id(reader)]:
                ready.append(reader)
    return found


def _added(term: Term, left: Counter[int], places: dict[int, int]) -> int:
    """Return by how many bytes the memory in use grows with a term."""
    freed = sum(x.nbytes for x in set(term.inputs) if x is not None and id(x) in places and left[id(x)] == 1)
    made = 0 if term.op.view and not is_elementwise(term) else int(term.nbytes)
    return int(made - freed)
