"""Grouping: which terms of a program run in the same loops, so that nothing between them goes through memory."""

from collections.abc import Sequence

from tinygrad_mlp import ops
from tinygrad_mlp.rewrite import Term

from .layout import is_view
from .placing import LANE, PRODUCTS, REDUCTIONS, Dims, Space, is_computed, matrix_axes, place

LANES = 24  # elements of one term that are written out
SUMMANDS = 80  # products that a small matrix product is written out into; BLAS is faster with more
NEAR = 4  # written-out elements, up to which a loop along one axis is as fast as one along all
STATEMENTS = 1200  # of one group: the compiler takes a second for so many
SMALL = 64  # elements of terms that are computed without a loop


class Group:
    """Terms that run in the same loops, and views that are free there.

    Attributes:
        space: The loops.
        terms: In order.
        operands: By ``id`` of a term the places of its operands.
        ends: The ``id`` of reductions, whose result is there only after the loops.
    """

    def __init__(self, space: Space) -> None:
        """Begin with no terms."""
        self.space = space
        self.terms: list[Term] = []
        self.operands: dict[int, list[Dims]] = {}
        self.ends: set[int] = set()
        self.statements = 0

    @property
    def length(self) -> int:
        """The number of rounds of the innermost loop."""
        return self.space.lengths[-1] if self.space.lengths else 1

    def join(self, term: Term) -> bool:
        """Take in a term if it fits."""
        placed = place(self.space, term)
        if placed is None:
            return False
        dims, operands = placed
        ends = not set(range(len(self.space.lengths))) <= set(dims)
        if ends and not self._ends(term):
            return False
        cost = self._cost(term, dims, operands)
        if cost is None or self.statements + cost > STATEMENTS:
            return False
        self.statements += cost
        self.terms.append(term)
        self.operands[id(term)] = operands
        if ends:
            self.ends.add(id(term))
        self.space.dims[id(term)] = dims
        return True

    def _ends(self, term: Term) -> bool:
        return term.op in REDUCTIONS or term.op in PRODUCTS or term.op is ops.matmul

    def _cost(self, term: Term, dims: Dims, operands: Sequence[Dims]) -> int | None:
        """Return the number of statements that a term takes; None if these are too many."""
        space = self.space
        limit = LANES if space.lengths else SMALL
        if term.op is ops.matmul:
            (m, k), (_, n) = matrix_axes(term)
            loop = space.lengths[0] if space.lengths else 1
            count, limit = m * k * n // loop, SUMMANDS
        else:
            places = [(term, dims), *zip(term.inputs, operands, strict=True)]
            flat = space.flat
            count = max(1 if flat else space.lanes(x.shape, d) for x, d in places)
        return count if count <= limit else None


def is_large(term: Term) -> bool:
    """Return whether a product of matrices is left to BLAS."""
    if term.op is not ops.matmul:
        return False
    (m, k), (_, n) = matrix_axes(term)
    return m * k * n // max(m, k, n) > SUMMANDS


def groups(waiting: Sequence[Term], done: set[int]) -> tuple[list[Group], list[Term]]:
    """Return groups that compute what can be computed now, and the terms that are left; ``done`` is filled up.

    Args:
        waiting: Terms, each after its operands.
        done: The ``id`` of terms that are computed.
    """
    found: list[Group] = []
    rest = list(waiting)
    large: set[int] = set()  # what no loops can take; it is left to NumPy
    while True:
        free = [t for t in rest if is_view(t) and _is_done(t.inputs[0], done)]
        done.update(map(id, free))
        rest = [t for t in rest if id(t) not in done]
        ready = (t for t in rest if is_computed(t) and id(t) not in large)
        seed = next((t for t in ready if all(_is_done(x, done) for x in t.inputs)), None)
        if seed is None and free:
            continue
        if seed is None:
            return found, rest
        best = max((_filled(space, rest, done, seed) for space in _spaces(seed)), key=lambda g: len(g.terms))
        if best.terms:
            done.update(map(id, best.terms))
            rest = [t for t in rest if id(t) not in done]
            found.append(best)
        else:
            large.add(id(seed))


def _is_done(x: Term | None, done: set[int]) -> bool:
    return x is None or x.op is None or id(x) in done


def _spaces(seed: Term) -> list[Space]:
    """Return the loops that may suit a term: none, along the longest axis, over all elements, along every axis."""
    shape = seed.shape
    if seed.op in REDUCTIONS or seed.op in PRODUCTS:
        shape = seed.inputs[0].shape
    if seed.op is ops.matmul:
        (m, k), (_, n) = matrix_axes(seed)
        shape = (m, k, n)
    size = 1
    for n in shape:
        size *= n
    none = [Space((), shape, (LANE,) * len(shape))]
    if size <= SMALL and max(shape, default=1) <= 16:
        return none
    longest = max(range(len(shape)), key=lambda i: shape[i])
    dims = tuple(0 if i == longest else LANE for i in range(len(shape)))
    spaces = [Space((shape[longest],), _pattern_shape(seed, shape), _pattern(seed, dims))]
    if seed.op is ops.matmul:
        return spaces
    long = [i for i, n in enumerate(shape) if n > 1]
    if len(long) > 1:
        spaces.insert(0, Space((size,), shape, (0,) * len(shape), flat=True))
        along = tuple(long.index(i) if i in long else LANE for i in range(len(shape)))
        every = Space([shape[i] for i in long], shape, along)
        few = size // shape[longest] <= NEAR
        spaces.insert(len(spaces) if few else 1, every)  # the first of equals is taken
    return spaces


def _pattern(seed: Term, dims: Dims) -> Dims:
    """Return the place of what a seed gives, or takes if it is a product whose result the loops do not run through."""
    if seed.op is not ops.matmul:
        return dims
    rows, inner, columns = dims
    return (inner, columns) if inner != LANE else (rows, columns)


def _pattern_shape(seed: Term, shape: tuple[int, ...]) -> tuple[int, ...]:
    if seed.op is not ops.matmul:
        return shape
    m, k, n = shape
    return (k, n) if k == max(shape) and m != k else (m, n)


def _filled(space: Space, waiting: Sequence[Term], done: set[int], seed: Term) -> Group:
    """Return the group of all terms that can run in the loops after ``seed``; empty if that cannot."""
    group = Group(space)
    if not group.join(seed):
        return group
    inside = {id(seed)}
    for term in waiting:
        if term is seed or not (is_computed(term) or is_view(term)):
            continue
        inputs = [x for x in term.inputs if x is not None]
        ready = all(_is_done(x, done) or (id(x) in inside and id(x) not in group.ends) for x in inputs)
        if not ready or (is_view(term) and not any(id(x) in inside for x in inputs)):
            continue
        if group.join(term):
            inside.add(id(term))
    return group
