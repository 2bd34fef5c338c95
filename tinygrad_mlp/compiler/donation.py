"""Donation: which results may take the memory of the arrays that they replace."""

from collections.abc import Iterable, Sequence
from typing import Any

from tinygrad_mlp.rewrite import Term, ordered

from .writing import is_elementwise


def donated(
    roots: Sequence[Term], candidates: Iterable[tuple[Term, Term]], guards: Sequence[Term] = ()
) -> dict[int, Term]:
    """Return by ``id`` the results that may be written over an input, each with that input.

    An input is overwritten only when nothing reads it any more: neither what is computed from its new value, nor
    another result that is itself written in place, or that shows it.

    Args:
        roots: All that the kernel computes.
        candidates: Pairs of a result and the input that it would replace, the likeliest first.
        guards: What has to be known before anything is overwritten.
    """
    order = [t for t in ordered(roots) if t.op is not None]
    readers: dict[int, list[Term]] = {}
    for term in order:
        for x in term.inputs:
            if x is not None:
                readers.setdefault(id(x), []).append(term)
    found: dict[int, Term] = {}
    early = {id(t) for t in ordered(guards)}
    shown = {id(t) for t in roots}
    for result, x in candidates:
        taken = any(x is y for y in found.values())
        if id(result) in found or id(result) in early or id(x) in shown or taken or not _fits(result, x):
            continue
        if any(t.op.view and id(t) in shown for t in _all_readers(x, readers) if t is not result):
            continue
        more = {**found, id(result): x}
        late = _after(order, more)
        if all(id(t) == r or id(t) not in late for r, y in more.items() for t in _all_readers(y, readers)):
            found = more
    return found


def _fits(result: Term, x: Term) -> bool:
    """Return whether a result can be computed into the memory of an input, element by element."""
    return (
        result.op is not None
        and is_elementwise(result)
        and bool(result.shape)
        and (result.shape, result.dtype) == (x.shape, x.dtype)
    )


def _all_readers(x: Term, readers: dict[int, list[Term]]) -> list[Term]:
    """Return the terms that read an input, or a view of it: any term of moved elements counts as one."""
    found: list[Term] = []
    stack = [x]
    while stack:
        for term in readers.get(id(stack.pop()), ()):
            found.append(term)
            if not is_elementwise(term) and term.op.view:
                stack.append(term)
    return found


def _after(order: Sequence[Term], first: Any) -> set[int]:
    """Return by ``id`` the terms of ``first`` and all that are computed from them."""
    late = set(first)
    for term in order:
        if any(x is not None and id(x) in late for x in term.inputs):
            late.add(id(term))
    return late
