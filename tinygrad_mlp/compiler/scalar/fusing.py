"""Sums fused: nested sums of products become one node each, and every node has a level."""

from typing import Any, NamedTuple

import numpy as np

from tinygrad_mlp.compiler.scalar.flat import ADD, AFFINE, DERIVATIVE, LEAF, MULTIPLY, FlatGraph

Ints = Any  # an array of indices
INDEX = np.intp
SUM = -1  # the code of n-ary sums of products, among the kinds; below it the derivatives of each request
SWALLOWED = -(2**31)  # codes below are of nodes that a sum has taken up


class Terms(NamedTuple):
    """Sums of products: the terms of all sums one after the other, sorted by sum.

    Attributes:
        owner: the sum that a term belongs to.
        a, b: its two factors; b is the constant 1 where the term is no product.
    """

    owner: Ints
    a: Ints
    b: Ints


class Fusion:
    """A flat graph as arrays, with its sums fused.

    Attributes:
        codes: for each node its kind, or SUM, or that of a derivative, or that it is taken up by a sum.
        terms: the terms of the sums.
        levels: for each node one more than the highest of its operands; leaves are at 0.
        args, starts, counts: the operands of all nodes one after the other, where each node's begin, and how many.
    """

    def __init__(self, flat: FlatGraph) -> None:
        kinds = np.array(flat.kinds, np.int64)
        self.counts = np.fromiter(map(len, flat.args), INDEX, len(kinds))
        self.starts = np.cumsum(self.counts) - self.counts
        self.args = np.array([x for places in flat.args for x in places], INDEX)
        self.codes, self.terms = _fuse(flat, kinds, self.counts, self.starts, self.args)
        self.levels = _levels(flat, self.codes, self.terms)
        self.n_levels = int(self.levels.max(initial=0))
        self.n_nodes = int(np.count_nonzero((self.codes != LEAF) & (self.codes > SWALLOWED)))


def _fuse(flat: FlatGraph, kinds: Ints, counts: Ints, starts: Ints, args: Ints) -> tuple[Ints, Terms]:
    """Return the code of each node, and the terms of the sums.

    A sum takes up a sum, and a product, that is used nowhere else. Gradients must flow through both or through neither.
    """
    n, tracked = len(kinds), np.array(flat.tracked, bool)
    owner = np.repeat(np.arange(n), counts)
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
    sort = np.argsort(owners, kind="stable")
    return codes, Terms(owners[sort], np.concatenate([a, args[pairs]])[sort], np.concatenate([b, opposite])[sort])


def _levels(flat: FlatGraph, codes: Ints, terms: Terms) -> Ints:
    """Return the level of each node: one above its operands'; leaves are at 0."""
    levels = [0] * len(codes)
    height = levels.__getitem__
    nodes = np.flatnonzero((codes != LEAF) & (codes > SWALLOWED))
    first, last = np.searchsorted(terms.owner, nodes).tolist(), np.searchsorted(terms.owner, nodes + 1).tolist()
    factors = np.stack([terms.a, terms.b], 1).ravel().tolist()
    args, kinds = flat.args, flat.kinds
    for i, low, high in zip(nodes.tolist(), first, last, strict=True):
        if kinds[i] == DERIVATIVE:
            levels[i] = levels[args[i][0]] + 1  # all derivatives of a request at once
        else:
            levels[i] = 1 + max(map(height, factors[2 * low : 2 * high] if high > low else args[i]))
    return np.array(levels)
