"""Small data sets that are computed, not read: those of the notes, and the shapes that people expect.

Every function returns plain arrays ``(X, labels)``: ``X`` of shape (rows, 2) in float64, ``labels`` of shape (rows,) in
int64, counted from 0. Rows come class by class (``logistic_data``, ``xor``: as drawn); ``batches`` and
``train_test_split`` shuffle them.

The notes' sets use NumPy's legacy generator, because their printed figures must reproduce. The others take ``rng``, a
seed or a ``numpy.random.Generator``.
"""

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tinygrad_mlp.errors import DataError

Seed: TypeAlias = int | np.random.Generator
Legacy: TypeAlias = int | np.random.RandomState
Floats: TypeAlias = NDArray[np.float64]
Labels: TypeAlias = NDArray[np.int64]

_LOGISTIC_BIAS = 0.2
_CENTRES = ((-2.0, -2.0), (0.0, 2.0), (2.0, -2.0))


def logistic_data(n: int = 100, seed: Legacy = 123) -> tuple[Floats, Labels]:
    """Return the notes' logistic data (cell 1): uniform points in the plane, labelled by a logistic unit.

    Args:
        n: how many rows.
        seed: a legacy seed, or a ``RandomState`` to continue drawing from.

    Returns:
        ``X`` (n, 2), uniform in [-5, 5); ``labels`` (n,), the rounded probability of the unit of ``logistic_truth``.

    >>> logistic_data()[1][:10].tolist()
    [1, 0, 1, 1, 1, 0, 0, 0, 0, 1]
    """
    x, weights = _draw_logistic(n, seed)
    probability = 1.0 / (1.0 + np.exp(-(x @ weights + _LOGISTIC_BIAS)))  # |activation| <= 10.2: cannot overflow
    return x, np.rint(probability).astype(np.int64)


def logistic_truth(n: int = 100, seed: Legacy = 123) -> tuple[Floats, float]:
    """Return the true weights (2,) and bias behind ``logistic_data``; they depend on ``n``, being drawn after the rows.

    >>> weights, bias = logistic_truth()
    >>> weights.shape, bias
    ((2,), 0.2)
    """
    return _draw_logistic(n, seed)[1], _LOGISTIC_BIAS


def _draw_logistic(n: int, seed: Legacy) -> tuple[Floats, Floats]:
    _require_rows("logistic_data", n, 1)
    state = _legacy(seed)
    x = state.uniform(low=-5.0, high=5.0, size=2 * n).reshape(n, 2)
    return x, state.random_sample(2)


def three_clusters(n: int = 100, seed: Legacy = 1234) -> tuple[Floats, Labels]:
    """Return the notes' three Gaussian clusters (cells 4 and 23), around (-2, -2), (0, 2) and (2, -2).

    Args:
        n: how many rows each cluster has.
        seed: a legacy seed, or a ``RandomState`` to continue drawing from, as cell 5 does for its weights.

    Returns:
        ``X`` (3n, 2) with unit variance around each centre; ``labels`` (3n,), n of 0, then n of 1, then n of 2.

    >>> three_clusters()[0][0].round(8).tolist()
    [-1.52856484, -3.19097569]
    """
    _require_rows("three_clusters", n, 1)
    labels = np.repeat(np.arange(3, dtype=np.int64), n)
    x = _legacy(seed).standard_normal(6 * n).reshape(3 * n, 2)
    return x + np.array(_CENTRES)[labels], labels


def moons(n: int = 100, noise: float = 0.1, rng: Seed = 0) -> tuple[Floats, Labels]:
    """Return two interleaving half circles, the shape of scikit-learn's ``make_moons`` and of micrograd's demo.

    Args:
        n: how many rows in all; the first ``n // 2`` have label 0.
        noise: the standard deviation of the Gaussian noise on both coordinates.
        rng: a seed or a ``Generator``.

    >>> X, labels = moons(4, noise=0.0)
    >>> X.round(3).tolist(), labels.tolist()
    ([[1.0, 0.0], [-1.0, 0.0], [0.0, 0.5], [2.0, 0.5]], [0, 0, 1, 1])
    """
    _require_rows("moons", n, 2)
    upper, lower = np.linspace(0.0, np.pi, n // 2), np.linspace(0.0, np.pi, n - n // 2)
    above = np.column_stack([np.cos(upper), np.sin(upper)])
    below = np.column_stack([1.0 - np.cos(lower), 0.5 - np.sin(lower)])
    return _noisy(np.vstack([above, below]), noise, rng), _halves(n)


def circles(n: int = 100, noise: float = 0.1, factor: float = 0.5, rng: Seed = 0) -> tuple[Floats, Labels]:
    """Return a circle of radius 1 (label 0) around one of radius ``factor`` (label 1); the rest as in ``moons``."""
    _require_rows("circles", n, 2)
    labels = _halves(n)
    outer = np.linspace(0.0, 2 * np.pi, n // 2, endpoint=False)
    inner = np.linspace(0.0, 2 * np.pi, n - n // 2, endpoint=False)
    angle, radius = np.concatenate([outer, inner]), np.where(labels == 0, 1.0, factor)
    return _noisy(np.column_stack([radius * np.cos(angle), radius * np.sin(angle)]), noise, rng), labels


def spirals(
    n: int = 100, n_classes: int = 2, turns: float = 1.0, noise: float = 0.02, rng: Seed = 0
) -> tuple[Floats, Labels]:
    """Return the arms of a spiral, one class an arm, from near the origin to radius 1.

    Args:
        n: how many rows each arm has.
        n_classes: how many arms.
        turns: how many times each arm winds round the origin.
        noise: the standard deviation of the Gaussian noise on both coordinates.
        rng: a seed or a ``Generator``.

    >>> X, labels = spirals(5, n_classes=3)
    >>> X.shape, labels.tolist()
    ((15, 2), [0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2])
    """
    _require_rows("spirals", n, 1)
    _require_rows("spirals", n_classes, 1, what="classes")
    labels = np.repeat(np.arange(n_classes, dtype=np.int64), n)
    radius = np.tile(np.arange(1, n + 1) / n, n_classes)
    angle = 2 * np.pi * (turns * radius + labels / n_classes)
    return _noisy(np.column_stack([radius * np.cos(angle), radius * np.sin(angle)]), noise, rng), labels


def xor(n: int = 100, noise: float = 0.0, rng: Seed = 0) -> tuple[Floats, Labels]:
    """Return uniform points of the square [-1, 1)², labelled 1 where their two coordinates have different signs.

    Noise is added after the labelling, so with noise the classes overlap at the axes.

    >>> X, labels = xor(8)
    >>> bool(((X[:, 0] * X[:, 1] < 0) == labels).all())
    True
    """
    _require_rows("xor", n, 1)
    generator = np.random.default_rng(rng)
    x = generator.uniform(-1.0, 1.0, size=(n, 2))
    labels = ((x[:, 0] < 0) != (x[:, 1] < 0)).astype(np.int64)
    return _noisy(x, noise, generator), labels


def one_hot(labels: ArrayLike, n_classes: int | None = None) -> Floats:
    """Return the matrix (rows, n_classes) that has a 1 in the column of each row's label and 0 elsewhere.

    Args:
        labels: integers (rows,) from 0.
        n_classes: the number of columns; the greatest label plus one if left out.

    Raises:
        DataError: labels that are no integers, not in one row, negative, or not below ``n_classes``.

    >>> one_hot([0, 2]).tolist()
    [[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]
    """
    given: NDArray[Any] = np.asarray(labels)
    if given.size == 0 and given.ndim == 1:
        given = given.astype(np.int64)  # np.asarray([]) is float64
    if given.ndim != 1 or given.dtype.kind not in "iub":
        raise DataError(f"one_hot: labels must be integers of shape (rows,), not {given.dtype} of shape {given.shape}")
    columns = n_classes if n_classes is not None else (int(given.max()) + 1 if given.size else 0)
    if given.size and not 0 <= int(given.min()) <= int(given.max()) < columns:
        raise DataError(f"one_hot: labels run from {given.min()} to {given.max()}, but must lie in 0 … {columns - 1}")
    encoded = np.zeros((given.size, columns))
    encoded[np.arange(given.size), given.astype(np.int64)] = 1.0
    return encoded


def _legacy(seed: Legacy) -> np.random.RandomState:
    return seed if isinstance(seed, np.random.RandomState) else np.random.RandomState(seed)


def _halves(n: int) -> Labels:
    return np.repeat(np.array([0, 1], dtype=np.int64), [n // 2, n - n // 2])


def _noisy(x: Floats, noise: float, rng: Seed) -> Floats:
    if not 0 <= noise < np.inf:
        raise DataError(f"noise is a standard deviation and must be finite and at least 0, not {noise}")
    return x + noise * np.random.default_rng(rng).standard_normal(x.shape) if noise else x


def _require_rows(function: str, n: int, least: int, what: str = "rows") -> None:
    if n < least:
        raise DataError(f"{function}: {what} must be {least} or more, not {n}")
