"""Schedule: in which order the terms of a program run, and which run together in blocks that stay in cache."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from tinygrad_mlp import ops
from tinygrad_mlp.rewrite import DOT, SUM_PRODUCT, Term, ordered

from .order import frugal
from .writing import is_elementwise

FUSED_BYTES = 2**21  # of one array; smaller ones stay in the last level of cache by themselves
LARGE_BYTES = 2**18  # of one array; a choice masks bits in memory of its own, which should not be larger
BLOCK_BYTES = 2**17  # of one array in a block
FEW = 24  # rows
REDUCED = {ops.sum: np.add, ops.max: np.maximum, ops.min: np.minimum}
PRODUCTS = (DOT, SUM_PRODUCT)  # sums of products of two arrays of one shape


class Block:
    """Terms that run together, block after block along one axis of their shape.

    Attributes:
        shape: What they all broadcast to.
        axis: The axis along which the blocks lie.
        length: The length of a block along it.
        terms: In order; the last ones may reduce.
        places: By ``id`` of a term that lost axes: which of its own axes is the one along which the blocks lie.
    """

    def __init__(self, shape: tuple[int, ...], itemsize: int) -> None:
        """Begin with no terms."""
        self.shape = shape
        long = shape[0] > FEW or len(shape) == 1  # rows of memory; only if they are few they are cut themselves
        self.axis = 0 if long else max(range(len(shape)), key=lambda i: shape[i])
        row = itemsize * max(1, int(np.prod(shape)) // max(shape[self.axis], 1))
        self.length = max(1, min(shape[self.axis], BLOCK_BYTES // row))
        self.terms: list[Term] = []
        self.places: dict[int, int] = {}

    def add(self, term: Term) -> bool:
        """Take in a term; return whether the others may read it, since its parts stand beside theirs."""
        self.terms.append(term)
        if self.reduces(term):
            return False
        if term.op not in REDUCED or term.params.get("keepdims"):
            return True
        place = self.axis - sum(axis < self.axis for axis in term.params["axis"])
        self.places[id(term)] = place
        return bool(place == self.axis - (len(self.shape) - term.ndim))

    def crosses(self, x: Term) -> bool:
        """Return whether an operand or a result differs from block to block."""
        axis = self.axis - (len(self.shape) - x.ndim)
        return axis >= 0 and x.shape[axis] == self.shape[self.axis] and self.shape[self.axis] > 1

    def part(self, x: Term) -> str:
        """Return the index of the part of an array that belongs to the block from ``lo`` to ``hi``."""
        axis = self.places.get(id(x), self.axis - (len(self.shape) - x.ndim))
        return ":, " * axis + "lo:hi"

    def cut(self, x: Any) -> str:
        """Return the index of the part of a block's memory that the last block needs."""
        axis = self.axis - (len(self.shape) - x.ndim)
        return f"{':, ' * axis}: {self.shape[self.axis]} - lo"

    def part_shape(self, x: Term) -> tuple[int, ...]:
        """Return the shape of the part of an array in one block."""
        axis = self.axis - (len(self.shape) - x.ndim)
        return (*x.shape[:axis], self.length, *x.shape[axis + 1 :])

    def reduces(self, term: Term) -> bool:
        """Return whether a term takes all blocks together."""
        if term.op in PRODUCTS:
            return True
        return term.op in REDUCED and self.axis in term.params["axis"]


def schedule(roots: Sequence[Any], last: dict[int, Term], fuse: bool = True) -> list[Any]:
    """Return the terms and blocks that compute ``roots``, in order.

    Args:
        roots: The terms that are wanted.
        last: By ``id``, terms that overwrite an input, with that input: they come after everything that reads it.
        fuse: Whether to make blocks.
    """
    order = [t for t in ordered(roots) if t.op is not None]
    if any(t.nbytes >= min(FUSED_BYTES, LARGE_BYTES) for t in order):
        order = frugal(order, roots)
    order = _late(order, last)
    if not fuse:
        return list(order)
    done: set[int] = set()
    plan: list[Any] = []
    waiting = order
    while waiting:
        term = waiting[0]
        shape = _fusable(term)
        if shape is None or not (id(term) not in last or _spares(last[id(term)], [term], [])):
            plan.append(term)
            done.add(id(term))
            waiting = waiting[1:]
            continue
        block = Block(shape, term.dtype.itemsize)
        waiting = _fill(block, waiting, done, last)
        alone = len(block.terms) == 1 and term.op is not ops.where  # which masks bits in memory of its own
        plan.extend(block.terms if alone else [block])
        done.update(map(id, block.terms))
    return plan


def _late(order: list[Term], last: dict[int, Term]) -> list[Term]:
    """Return the terms with those of ``last`` after all that do not depend on them."""
    if not last:
        return order
    after = set(last)
    for term in order:
        if any(x is not None and id(x) in after for x in term.inputs):
            after.add(id(term))
    return [t for t in order if id(t) not in after] + [t for t in order if id(t) in after]


def _fusable(term: Term) -> tuple[int, ...] | None:
    """Return the shape over which a term may run in blocks; None if it cannot, or need not."""
    if term.is_number:
        return None
    if not is_elementwise(term) or not term.shape or term.op.random:
        return None
    least = min(FUSED_BYTES, LARGE_BYTES) if term.op is ops.where else FUSED_BYTES
    return term.shape if term.nbytes >= least else None


def _fill(block: Block, waiting: list[Term], done: set[int], last: dict[int, Term]) -> list[Term]:
    """Add to a block what can run in it, and return the rest."""
    inside: dict[int, Term] = {}
    blocked: set[int] = set()  # what waits for the end of the block, or for what is outside
    rest: list[Term] = []
    for i, term in enumerate(waiting):
        ready = all(
            x is None or x.op is None or id(x) in done or (id(x) in inside and id(x) not in blocked)
            for x in term.inputs
        )
        spares = id(term) not in last or _spares(last[id(term)], [*block.terms, term], rest)
        if ready and spares and _fits(block, term, inside):
            inside[id(term)] = term
            if not block.add(term):
                blocked.add(id(term))
        else:
            rest.append(term)
            if term.nbytes >= min(FUSED_BYTES, LARGE_BYTES):  # what comes after so much would only take memory early
                return rest + waiting[i + 1 :]
    return rest


def _spares(x: Term, together: list[Term], later: list[Term]) -> bool:
    """Return whether an input may be overwritten in a block: nobody else reads it later, or another part of it."""
    if any(_shown(y) is x for t in later for y in t.inputs if y is not None):
        return False
    return all(y is x or _shown(y) is not x for t in together for y in t.inputs if y is not None)


def _shown(x: Term) -> Term:
    """Return the term whose memory a term may show."""
    while x.op is not None and x.op.view and not is_elementwise(x):
        x = x.inputs[0]
    return x


def _fits(block: Block, term: Term, inside: dict[int, Term]) -> bool:
    if term.is_number or term.op.random:
        return False
    if is_elementwise(term):
        if term.shape == block.shape:
            return True
        return (
            bool(term.shape)
            and block.crosses(term)
            and _part(term.shape, block.shape)
            and any(id(x) in inside for x in term.inputs if x is not None)
        )
    if term.op in PRODUCTS:
        return all(x.shape == block.shape for x in term.inputs) and any(id(x) in inside for x in term.inputs)
    return term.op in REDUCED and term.inputs[0].shape == block.shape and id(term.inputs[0]) in inside


def _part(shape: tuple[int, ...], whole: tuple[int, ...]) -> bool:
    """Return whether a shape broadcasts to the block's."""
    return len(shape) <= len(whole) and all(n in (1, m) for n, m in zip(shape[::-1], whole[::-1], strict=False))
