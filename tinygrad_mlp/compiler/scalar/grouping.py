"""The plan of a flat graph: its nodes in groups that one call of NumPy computes, level by level."""

from itertools import pairwise
from typing import NamedTuple

import numpy as np

from tinygrad_mlp.compiler.scalar.flat import LEAF, FlatGraph, Kind
from tinygrad_mlp.compiler.scalar.fusing import INDEX, SUM, SWALLOWED, Fusion, Ints, Terms
from tinygrad_mlp.compiler.scalar.matrices import ENOUGH, blocks

MOST_LENGTHS = 4  # of sums on one level: each costs calls of its own, more are summed together


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

    def __init__(self, flat: FlatGraph, fusion: Fusion, matrices: bool = True) -> None:
        """Plan; ``matrices`` says whether to look for products of matrices."""
        codes, levels, terms, args = fusion.codes, fusion.levels, fusion.terms, fusion.args
        parts, ranks = _parts(codes, levels, terms, matrices)
        self.n_leaves = int(np.count_nonzero(codes == LEAF))
        order = np.lexsort((ranks, parts, codes, levels))
        order = order[codes[order] > SWALLOWED]
        order = np.concatenate([order[codes[order] == LEAF], order[codes[order] != LEAF]])
        self.place = np.full(len(codes), -1, INDEX)
        self.place[order] = np.arange(len(order))
        self.values = np.array(flat.values)[order]
        self.tracked = np.array(flat.tracked, bool)[order]
        keys = np.stack([levels[order], codes[order], parts[order]])
        self.groups = self._groups(flat, keys, fusion.starts[order], fusion.counts[order], args, terms)
        self.outputs = self.place[np.array(flat.outputs, INDEX)]
        self.one = int(self.place[flat.one])

    def _groups(self, flat: FlatGraph, keys: Ints, starts: Ints, counts: Ints, args: Ints, terms: Terms) -> list[Group]:
        """Return the groups: runs of one level, one code and one part in the order."""
        n, place = self.n_leaves, self.place
        cuts = np.flatnonzero((np.diff(keys[:, n:]) != 0).any(axis=0)) + n + 1
        bounds = [n, *cuts.tolist(), keys.shape[1]] if keys.shape[1] > n else []
        sort = np.argsort(place[terms.owner], kind="stable")
        owners, a, b = (place[x[sort]] for x in terms)
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
                groups.append(Group(level, flat.table[code], start, stop, operands))
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


def _parts(codes: Ints, levels: Ints, terms: Terms, matrices: bool) -> tuple[Ints, Ints]:
    """Return for each node which part of its level's sums it belongs to, and its rank there.

    Sums of equally many terms are one part, unless there are many lengths; products of matrices are a part each, with
    a negative number.
    """
    parts, ranks = np.zeros(len(codes), INDEX), np.zeros(len(codes), INDEX)
    sums, first, lengths = np.unique(terms.owner, return_index=True, return_counts=True)
    sort = np.argsort(levels[sums], kind="stable")
    sums, first, lengths = sums[sort], first[sort], lengths[sort]
    bounds = np.flatnonzero(np.diff(levels[sums], prepend=-1, append=-1)).tolist()
    found = 0
    for low, high in pairwise(bounds):
        sizes = np.unique(lengths[low:high]).tolist()
        for k in sizes if len(sizes) <= MOST_LENGTHS else []:
            mine = low + np.flatnonzero(lengths[low:high] == k)
            parts[sums[mine]] = k
            if matrices and k > 1 and len(mine) * k >= ENOUGH:
                at = first[mine][:, None] + np.arange(k)
                block, rank = blocks(terms.a[at], terms.b[at])
                inside = block >= 0
                ranks[sums[mine]] = np.where(inside, rank, 0)
                parts[sums[mine]] = np.where(inside, -1 - found - block, k)
                found += int(block.max(initial=-1)) + 1
    return parts, ranks
