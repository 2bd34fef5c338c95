"""Dividing rows: into training and test rows, and into batches."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tinygrad_mlp.errors import DataError

from .generated import Labels, Seed
from .tables import Table


def train_test_split(
    *data: ArrayLike | Table, test_size: float = 0.25, rng: Seed = 0, stratify: ArrayLike | None = None
) -> list[Any]:
    """Return the training and the test part of each argument, one after the other, as scikit-learn does.

    Args:
        data: arrays (rows, …) or tables with the same number of rows.
        test_size: the share of the test rows, between 0 and 1, or their number, an int.
        rng: a seed or a ``Generator``.
        stratify: a class for each row (rows,); every class then has about the same share in both parts.

    Returns:
        ``[a_train, a_test, b_train, b_test, …]``, arrays and tables as they were given.

    Raises:
        DataError: see ``split_rows``; or nothing was given, or different numbers of rows.

    >>> X_train, X_test = train_test_split(np.arange(4.0), test_size=1)
    >>> len(X_train), len(X_test)
    (3, 1)
    """
    if not data:
        raise DataError("train_test_split: nothing to split")
    items: list[NDArray[Any] | Table] = [item if isinstance(item, Table) else np.asarray(item) for item in data]
    lengths = [len(item) if isinstance(item, Table) or item.ndim else 0 for item in items]
    if len(set(lengths)) > 1:
        raise DataError(f"train_test_split: different numbers of rows: {', '.join(map(str, lengths))}")
    train, test = split_rows(lengths[0], test_size=test_size, rng=rng, stratify=stratify)
    return [item.take(rows) if isinstance(item, Table) else item[rows] for item in items for rows in (train, test)]


def split_rows(
    n: int, *, test_size: float = 0.25, rng: Seed = 0, stratify: ArrayLike | None = None
) -> tuple[Labels, Labels]:
    """Return the numbers of the training rows and those of the test rows, both shuffled; together they are 0 … n - 1.

    With ``stratify`` the test rows are shared among the classes in proportion, by largest remainders; every class keeps
    a training row, so a class with a single row is in the training rows.

    Args:
        n: the number of rows.
        test_size: the share of the test rows, between 0 and 1, or their number, an int. No part is left empty.
        rng: a seed or a ``Generator``.
        stratify: a class for each row (n,).

    Raises:
        DataError: fewer than 2 rows, a test size that leaves one part empty, or only classes with a single row.
    """
    n_test = _test_rows(n, test_size)
    generator = np.random.default_rng(rng)
    if stratify is None:
        order = generator.permutation(n)
        return order[n_test:], order[:n_test]
    classes: NDArray[Any] = np.asarray(stratify)
    if classes.shape != (n,):
        raise DataError(f"split: stratify must have shape ({n},), a class for each row, not {classes.shape}")
    if classes.dtype.kind == "O":  # None among texts cannot be sorted
        raise DataError("split: stratify must be numbers or texts without a missing one: drop such rows first")
    _, members, counts = np.unique(classes, return_inverse=True, return_counts=True)
    quota = _shares(counts, n_test)
    order = generator.permutation(n)
    rank = np.empty(n, dtype=np.int64)  # the place of each row among those of its class, in the shuffled order
    for label, count in enumerate(counts):
        rank[order[members[order] == label]] = np.arange(count)
    is_test = (rank < quota[members])[order]
    return order[~is_test], order[is_test]


def batches(
    n: int, batch_size: int | None = None, rng: Seed | None = None, *, drop_last: bool = False
) -> Iterator[Labels]:
    """Yield the row numbers of one batch after the other, every row once: an epoch.

    Args:
        n: the number of rows.
        batch_size: rows in a batch, the last one may have fewer; None for one batch of all.
        rng: a ``Generator`` shuffles anew at each call; a seed shuffles alike each time; None keeps the order.
        drop_last: leave out a last batch that is not full.

    Raises:
        DataError: no rows, a batch size below 1, or no full batch under ``drop_last``.

    >>> [rows.tolist() for rows in batches(5, 2)]
    [[0, 1], [2, 3], [4]]
    """
    if n < 1:
        raise DataError(f"batches: needs at least 1 row, not {n}")
    if batch_size is not None and batch_size < 1:
        raise DataError(f"batches: batch_size must be at least 1, not {batch_size}")
    if drop_last and batch_size is not None and batch_size > n:
        raise DataError(f"batches: drop_last leaves nothing of {n} rows in batches of {batch_size}")
    return _epoch(n, batch_size or n, rng, drop_last)


def _epoch(n: int, size: int, rng: Seed | None, drop_last: bool) -> Iterator[Labels]:
    order = np.arange(n, dtype=np.int64) if rng is None else np.random.default_rng(rng).permutation(n)
    for start in range(0, n - size + 1 if drop_last else n, size):
        yield order[start : start + size]


def _test_rows(n: int, test_size: float) -> int:
    if n < 2:
        raise DataError(f"split: needs at least 2 rows, not {n}")
    if isinstance(test_size, (int, np.integer)):
        if not 0 < test_size < n:
            raise DataError(f"split: test_size must lie in 1 … {n - 1} for {n} rows, not {test_size}")
        return int(test_size)
    if not 0 < test_size < 1:
        raise DataError(f"split: test_size must be a share between 0 and 1 or a number of rows, not {test_size}")
    return min(max(round(test_size * n), 1), n - 1)


def _shares(counts: Labels, n_test: int) -> Labels:
    """Return how many test rows each class gives, below its count, in all ``n_test`` or as near as possible."""
    exact = counts * n_test / counts.sum()
    share: Labels = np.minimum(np.floor(exact).astype(np.int64), counts - 1)
    by_remainder = np.argsort(-(exact - share), kind="stable")
    while share.sum() < n_test:
        open_classes = [label for label in by_remainder if share[label] < counts[label] - 1]
        if not open_classes:
            break
        for label in open_classes[: n_test - int(share.sum())]:
            share[label] += 1
    if not share.sum():
        raise DataError("split: every class has a single row: there are too few rows to stratify")
    return share
