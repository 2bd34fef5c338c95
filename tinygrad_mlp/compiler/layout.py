"""Layout: where features are few and the batch is long, the batch becomes the last axis, along which memory runs.

NumPy works along the last axis: a row of three numbers costs it as much as one of three hundred. The terms of such a
batch are computed transposed; the transposes that this takes cancel, or are flags of BLAS calls.
"""

from collections.abc import Sequence
from typing import Any

from tinygrad_mlp import ops
from tinygrad_mlp.rewrite import COPY, DOT, PICK, SUM_PRODUCT, Program, Term, ordered

from .writing import UFUNCS

LONG, FEW, RATIO = 48, 24, 4  # at least so many rows, at most so many columns, and so many times more rows
DEEP, TALL = 32, 256  # BLAS multiplies (rows, inner) by (inner, few) twice as fast as the transposed of both
REDUCTIONS = frozenset((ops.sum, ops.max, ops.min, ops.prod, ops.any, ops.all))


def batch_last(program: Program, roots: Sequence[Any]) -> list[Any]:
    """Return terms equal to ``roots`` in which long batches are computed transposed."""
    order = ordered(roots)
    chosen = _chosen(order)
    if not chosen:
        return list(roots)
    layout = _Layout(program, chosen)
    for term in order:
        layout.add(term)
    return [layout.plain(root) for root in roots]


def _is_long(x: Any) -> bool:
    return x is not None and x.ndim == 2 and x.shape[0] >= max(LONG, RATIO * x.shape[1]) and 0 < x.shape[1] <= FEW


def _elementwise(term: Term) -> bool:
    return term.op in UFUNCS or term.op is ops.where


def _chosen(order: Sequence[Term]) -> set[int]:
    """Return by ``id`` the terms to transpose: of groups in which NumPy would have to work along short rows.

    A group is what elementwise terms and reductions connect. Its rows are short work where a row is reduced, or where
    something is repeated over rows or columns; a parameter that is only updated stays as it is.
    """
    group: dict[int, int] = {}

    def find(i: int) -> int:
        while group.setdefault(i, i) != i:
            group[i] = i = group[group[i]]
        return i

    worth: list[int] = []
    for term in order:
        if not _is_long(term) and not (term.op in REDUCTIONS and _is_long(term.inputs[0])):
            continue
        find(id(term))
        if _elementwise(term) or term.op in REDUCTIONS or term.op in (ops.broadcast_to, ops.astype):
            for x in term.inputs:
                if _is_long(x):
                    group[find(id(x))] = find(id(term))
            if term.op in REDUCTIONS or any(x is not None and x.shape not in ((), term.shape) for x in term.inputs):
                worth.append(id(term))
    heads = {find(i) for i in worth}
    return {id(t) for t in order if _is_long(t) and find(id(t)) in heads}


class _Layout:
    """Each term in its own layout, and transposed."""

    def __init__(self, program: Program, chosen: set[int]) -> None:
        self.program = program
        self.chosen = chosen
        self._plain: dict[int, Term] = {}
        self._flipped: dict[int, Term] = {}

    def plain(self, x: Any) -> Any:
        """Return a term in its own layout."""
        return x if x is None else self._plain[id(x)]

    def flipped(self, x: Term) -> Term:
        """Return a term of two axes transposed."""
        found = self._flipped.get(id(x))
        return self._turn(self.plain(x)) if found is None else found

    def copied(self, x: Term) -> Term:
        """Return a term transposed in memory: strided operands take three times as long."""
        y = self.flipped(x)
        return self._copy(y) if y.op is ops.transpose and y.size > 1 else y

    def _copy(self, x: Term) -> Term:
        return self.program.put(COPY, (x,), {}, (x.shape, x.dtype))

    def _turn(self, x: Term) -> Term:
        return self.program.make(ops.transpose, x, axes=(1, 0))

    def add(self, term: Term) -> None:
        """Take in a term whose operands are known."""
        if term.op is None:
            self._plain[id(term)] = term
        elif id(term) in self.chosen:
            self._flipped[id(term)] = made = self._turned(term)
            self._plain[id(term)] = self._turn(made)
            self._named(made, term)
        else:
            self._plain[id(term)] = self._straight(term)
            self._named(self._plain[id(term)], term)

    def _named(self, made: Term, term: Term) -> None:
        if term.name and made.op is not None and not made.name:
            made.name = term.name
        made.inner = term.inner

    def _turned(self, term: Term) -> Term:
        """Return a chosen term computed transposed."""
        op, xs, params = term.op, term.inputs, term.params
        if _elementwise(term):
            return self.program.put(op, tuple(self._beside(x) for x in xs), params)
        if op is ops.matmul:
            a, b = xs
            if a.ndim == b.ndim == 2 and a.shape[1] >= DEEP and a.shape[0] >= TALL:
                return self._copy(self._turn(self._straight(term)))
            if a.ndim == b.ndim == 2:
                return self.program.make(ops.matmul, self.flipped(b), self.flipped(a))
        if op in REDUCTIONS and params.get("keepdims") and xs[0].ndim == 2 and id(xs[0]) in self.chosen:
            axes = tuple(sorted(1 - a for a in params["axis"]))
            return self.program.put(op, (self.copied(xs[0]),), {"axis": axes, "keepdims": True})
        if op is ops.broadcast_to:
            return self.program.put(op, (self._beside(xs[0]),), {"shape": term.shape[::-1]})
        if op is ops.astype:
            return self.program.put(op, (self.flipped(xs[0]),), params)
        if op is ops.reshape and xs[0].ndim == 1 and term.shape[1] == 1:
            return self.program.make(ops.reshape, self.plain(xs[0]), shape=term.shape[::-1])
        return self._turn(self._straight(term))

    def _beside(self, x: Any) -> Any:
        """Return an operand of an elementwise term as it stands beside transposed ones."""
        if x is None or x.ndim == 0:
            return self.plain(x)
        if x.ndim == 2:
            return self.copied(x)
        return self.program.make(ops.reshape, self.plain(x), shape=(x.shape[0], 1))

    def _straight(self, term: Term) -> Term:
        """Return a term in its own layout; what it makes of transposed operands may need no transpose."""
        op, xs, params = term.op, term.inputs, term.params
        if op in REDUCTIONS and xs[0].ndim == 2 and id(xs[0]) in self.chosen:
            x = self.copied(xs[0])
            axes = tuple(sorted(1 - a for a in params["axis"]))
            if not params.get("keepdims"):
                return self.program.put(op, (x,), {"axis": axes, "keepdims": False})
            return self._turn(self.program.put(op, (x,), {"axis": axes, "keepdims": True}))
        if op in (DOT, SUM_PRODUCT) and all(id(x) in self.chosen for x in xs):
            return self.program.put(op, tuple(self.copied(x) for x in xs), params)
        if op is PICK and id(xs[0]) in self.chosen:
            return self.program.put(
                PICK, (self.flipped(xs[0]), self.plain(xs[2]), self.plain(xs[1])), {}, (term.shape, term.dtype)
            )
        if op is ops.reshape and xs[0].ndim == 2 and xs[0].shape[1] == 1 and id(xs[0]) in self._flipped:
            return self.program.make(ops.reshape, self.flipped(xs[0]), shape=term.shape)
        return self.program.put(op, tuple(map(self.plain, xs)), params)
