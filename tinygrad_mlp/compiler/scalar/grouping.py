"""The plan of a flat graph: sums fused, and nodes in groups that one call of NumPy computes, level by level."""

from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from tinygrad_mlp.compiler.scalar.flat import ADD, AFFINE, DERIVATIVE, LEAF, MULTIPLY, FlatGraph, Kind
from tinygrad_mlp.compiler.scalar.matrices import ENOUGH, blocks

Ints = Any  # an array of indices
SUM = -1  # the code of n-ary sums of products, among the kinds; below it the derivatives of each request
INDEX = np.intp
MOST_LENGTHS = 4  # of sums on one level: each costs calls of its own, more are summed together


class Terms(NamedTuple):
    """Sums of products: the terms of all sums one after the other, sorted by sum.

    Attributes:
        owner: the sum that a term belongs to.
        a, b: its two factors; b is the constant 1 where the term is no product.
    """

    owner: Ints
    a: Ints
    b: Ints


class Group(NamedTuple):
    """Nodes ``start`` to ``stop`` in the order of the plan, all of one level and one kind.

    Attributes:
        level: nodes of a level depend on lower levels only.
        kind: the row; None for sums of products and for derivatives.
        operands: for each operand that is not fixed, the nodes; for sums the two factors of every term.
        starts: for sums, where the terms of each begin; None elsewhere.
        matrix: for sums that are a product of matrices, its numbers of rows and of columns; its two factors are then
            the operands, row by row (rows by terms, columns by terms), the second factor first.
        request: the gradient that derivatives belong to, else -1.
    """

    level: int
    kind: Kind | None
    start: int
    stop: int
    operands: tuple[Ints, ...]
    starts: Ints = None
    matrix: tuple[int, int] | None = None
    request: int = -1

    @property
    def size(self) -> int:
        """The number of nodes."""
        return self.stop - self.start


class Plan:
    """Where every node stands in the order of computing, and the groups in that order.

    Attributes:
        place: for each node of the flat graph its number in the plan, or -1 if a sum has swallowed it.
        values, tracked: by number in the plan; leaves come first.
    """

    def __init__(self, flat: FlatGraph, matrices: bool = True) -> None:
        """Plan; ``matrices`` says whether to look for products of matrices."""
        self.flat = flat
        kinds = np.array(flat.kinds, np.int64)
        counts = np.fromiter(map(len, flat.args), INDEX, len(kinds))
        args = np.array([x for places in flat.args for x in places], INDEX)
        tracked = np.array(flat.tracked, bool)
        codes, terms = _fuse(flat, kinds, counts, args, tracked)
        levels = _levels(flat, codes, terms)
        parts, ranks = _parts(codes, levels, terms, matrices)
        self.n_leaves = int(np.count_nonzero(codes == LEAF))
        self.n_levels = int(levels.max(initial=0))
        order = np.lexsort((ranks, parts, codes, levels))
        order = order[codes[order] > SWALLOWED]
        order = np.concatenate([order[codes[order] == LEAF], order[codes[order] != LEAF]])
        self.place = np.full(len(kinds), -1, INDEX)
        self.place[order] = np.arange(len(order))
        self.values = np.array(flat.values)[order]
        self.tracked = tracked[order]
        keys = np.stack([levels[order], codes[order], parts[order]])
        starts = np.cumsum(counts) - counts
        self.groups = self._groups(keys, starts[order], counts[order], args, terms)
        self.outputs = self.place[np.array(flat.outputs, INDEX)]
        self.one = int(self.place[flat.one])

    def _groups(self, keys: Ints, starts: Ints, counts: Ints, args: Ints, terms: Terms) -> list[Group]:
        """Return the groups: runs of one level, one code and one part in the order."""
        n, place = self.n_leaves, self.place
        cuts = np.flatnonzero((np.diff(keys[:, n:]) != 0).any(axis=0)) + n + 1
        bounds = [n, *cuts.tolist(), keys.shape[1]] if keys.shape[1] > n else []
        owners = place[terms.owner]
        sort = np.argsort(owners, kind="stable")
        owners, a, b = owners[sort], place[terms.a[sort]], place[terms.b[sort]]
        groups = []
        for start, stop in pairwise(bounds):
            level, code, part = keys[:, start].tolist()
            at = starts[start:stop]
            if code == SUM:
                low, high = np.searchsorted(owners, [start, stop])
                factors = a[low:high], b[low:high]
                first = np.searchsorted(owners[low:high], np.arange(start, stop))
                groups.append(_sums(level, start, stop, factors, first, part))
            elif code < SUM:
                groups.append(Group(level, None, start, stop, (place[args[at + 1]],), request=SUM - 1 - code))
            else:
                operands = tuple(place[args[at + i]] for i in range(int(counts[start])))
                groups.append(Group(level, self.flat.table[code], start, stop, operands))
        return groups


def _sums(level: int, start: int, stop: int, factors: tuple[Ints, Ints], first: Ints, part: int) -> Group:
    """Return a group of sums; of a product of matrices every row and column once."""
    if part >= 0:
        return Group(level, None, start, stop, factors, first)
    n = stop - start
    a, b = (x.reshape(n, -1) for x in factors)
    columns = n
    if n > 1:
        changed = np.flatnonzero((b[1:] != b[:-1]).any(axis=1))  # the first row of b lasts for all columns
        columns = int(changed[0]) + 1 if len(changed) else n
    return Group(level, None, start, stop, (a[:columns], b[::columns]), first, (n // columns, columns))


SWALLOWED = -(2**31)


def _fuse(flat: FlatGraph, kinds: Ints, counts: Ints, args: Ints, tracked: Ints) -> tuple[Ints, Terms]:
    """Return the code of each node, and the terms of the sums.

    A sum takes up a sum, and a product, that is used nowhere else. Gradients must flow through both or through neither.
    """
    n = len(kinds)
    owner = np.repeat(np.arange(n), counts)
    starts = np.cumsum(counts) - counts
    position = np.arange(len(args)) - starts[owner]
    uses = np.bincount(args, minlength=n)
    ends = [i for request in flat.requests for i in (request.root, *request.ends)]
    np.add.at(uses, np.array([*flat.outputs, *ends], INDEX), 2)
    plus = (kinds == ADD) | (kinds == AFFINE)
    at_affine = kinds[owner] == AFFINE
    plain = (kinds[owner] == ADD) | (at_affine & (position == counts[owner] - 1))
    inside = plain & (uses[args] == 1) & (tracked[args] == tracked[owner])
    parent = np.arange(n)
    nested = inside & plus[args]
    parent[args[nested]] = owner[nested]
    while True:  # the outermost sum, in steps that double
        further = parent[parent]
        if np.array_equal(further, parent):
            break
        parent = further
    product = inside & (kinds[args] == MULTIPLY)
    codes = kinds.copy()
    codes[plus] = SUM
    codes[args[nested | product]] = SWALLOWED - 1
    for i, k in flat.request.items():
        codes[i] = SUM - 1 - k
    edges = np.flatnonzero(plain & ~nested)
    target = args[edges]
    swallowed = product[edges]
    where = starts[target[swallowed]]
    a, b = target.copy(), np.full(len(edges), flat.one)
    a[swallowed], b[swallowed] = args[where], args[where + 1]
    pairs = np.flatnonzero(at_affine & (position < counts[owner] // 2))
    opposite = args[pairs + counts[owner[pairs]] // 2]
    owners = parent[np.concatenate([owner[edges], owner[pairs]])]
    return codes, Terms(owners, np.concatenate([a, args[pairs]]), np.concatenate([b, opposite]))


def _parts(codes: Ints, levels: Ints, terms: Terms, matrices: bool) -> tuple[Ints, Ints]:
    """Return for each node which part of its level's sums it belongs to, and its rank there.

    Sums of equally many terms are one part, unless there are many lengths; products of matrices are a part each, with
    a negative number.
    """
    parts, ranks = np.zeros(len(codes), INDEX), np.zeros(len(codes), INDEX)
    sort = np.argsort(terms.owner, kind="stable")
    sums, first, lengths = np.unique(terms.owner[sort], return_index=True, return_counts=True)
    a, b = terms.a[sort], terms.b[sort]
    found = 0
    for level in np.unique(levels[sums]).tolist() if len(sums) else []:
        here = levels[sums] == level
        sizes = np.unique(lengths[here]).tolist()
        if len(sizes) > MOST_LENGTHS:
            continue
        for k in sizes:
            mine = here & (lengths == k)
            parts[sums[mine]] = k
            if matrices and k > 1 and np.count_nonzero(mine) * k >= ENOUGH:
                at = first[mine][:, None] + np.arange(k)
                block, rank = blocks(a[at], b[at])
                inside = block >= 0
                ranks[sums[mine]] = np.where(inside, rank, 0)
                parts[sums[mine]] = np.where(inside, -1 - found - block, k)
                found += int(block.max(initial=-1)) + 1
    return parts, ranks


def _levels(flat: FlatGraph, codes: Ints, terms: Terms) -> Ints:
    """Return the level of each node: one above its operands'; leaves are at 0."""
    levels = [0] * len(codes)
    height = levels.__getitem__
    sort = np.argsort(terms.owner, kind="stable")
    owners = terms.owner[sort]
    nodes = np.flatnonzero((codes != LEAF) & (codes > SWALLOWED))
    first, last = np.searchsorted(owners, nodes).tolist(), np.searchsorted(owners, nodes + 1).tolist()
    factors = np.stack([terms.a[sort], terms.b[sort]], 1).ravel().tolist()
    args, kinds = flat.args, flat.kinds
    for i, low, high in zip(nodes.tolist(), first, last, strict=True):
        if kinds[i] == DERIVATIVE:
            levels[i] = levels[args[i][0]] + 1  # all derivatives of a request at once
        else:
            levels[i] = 1 + max(map(height, factors[2 * low : 2 * high] if high > low else args[i]))
    return np.array(levels)
