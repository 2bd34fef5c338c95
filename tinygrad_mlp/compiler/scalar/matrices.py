"""Sums of products that together are a product of matrices, found in graphs that were written number by number."""

from typing import Any

import numpy as np

Ints = Any  # an array of indices
ENOUGH = 512  # terms: below, a product of matrices with its gathers costs as much as the sums themselves


def blocks(a: Ints, b: Ints) -> tuple[Ints, Ints]:
    """Find the blocks in which every row of ``a`` meets every row of ``b`` once: there the sums are ``b aᵀ``.

    Args:
        a: The first factors of n sums of k products, of shape (n, k).
        b: The second factors.

    Returns:
        For each sum the number of its block, or -1, and its rank: sums of a block sorted by rank are the product,
        row by row.

    Two rows of ``a`` are in one block if they meet the same rows of ``b``, and blocks are told apart by the sum of
    random numbers that stand for the rows; whether a block is whole is then counted.
    """
    n, k = a.shape
    random = np.random.default_rng(0).integers(1, 2**63, size=k, dtype=np.uint64)
    columns, column = _distinct((a.astype(np.uint64) * random).sum(axis=1))
    rows, row = _distinct((b.astype(np.uint64) * random).sum(axis=1))
    if columns + rows > 1.25 * n:  # too little is shared for a block to pay
        return np.full(n, -1), np.zeros(n, np.intp)
    stands_for = np.random.default_rng(1).integers(0, 2**63, size=rows, dtype=np.uint64)
    met = np.zeros(columns, np.uint64)
    np.add.at(met, column, stands_for[row])
    n_blocks, block_of_column = _distinct(met)
    block = block_of_column[column]
    size = np.bincount(block, minlength=n_blocks)
    width = np.bincount(block_of_column, minlength=n_blocks)
    pairs = np.unique(block * rows + row)
    height = np.bincount(pairs // rows, minlength=n_blocks)
    whole = (size == width * height) & (size * k >= ENOUGH) & (width + height <= 1.25 * size)
    return np.where(whole[block], block, -1), row * columns + column


def _distinct(x: Ints) -> tuple[int, Ints]:
    """Return how many different numbers there are, and for each which it is, counted in order of appearance."""
    _, first, which = np.unique(x, return_index=True, return_inverse=True)
    rank = np.empty(len(first), np.intp)
    rank[np.argsort(first)] = np.arange(len(first))
    return len(first), rank[which]
