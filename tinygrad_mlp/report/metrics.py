"""How good predictions are: accuracy, log-loss and confusion of classes; R², RMSE and MAE of quantities."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Labels = NDArray[np.int64]

_LEAST = 1e-15  # a probability below it counts as this, so that one certain mistake does not make the log-loss inf


def confusion(truth: Labels, predicted: Labels, n: int) -> Labels:
    """Return how many rows of each true class (rows of the matrix) were predicted as each class (columns), (n, n).

    >>> confusion(np.array([0, 0, 1]), np.array([0, 1, 1]), 2).tolist()
    [[1, 1], [0, 1]]
    """
    return np.bincount(truth * n + predicted, minlength=n * n).reshape(n, n)


def classification(truth: Labels, probabilities: Floats, classes: Sequence[str]) -> dict[str, Any]:
    """Return accuracy, log-loss, and for each class its rows, precision, recall and F1, as plain JSON values.

    A precision, recall or F1 without a row to compute it from is None.

    Args:
        truth: labels, shape (rows,).
        probabilities: shape (rows, classes).
        classes: the classes' names in the order of the labels.
    """
    predicted = probabilities.argmax(axis=1)
    counts = confusion(truth, predicted, len(classes))
    hits, actual, claimed = np.diag(counts), counts.sum(axis=1), counts.sum(axis=0)
    own = probabilities[np.arange(len(truth)), truth]
    return {
        "accuracy": float(np.mean(predicted == truth)),
        "log_loss": float(0.0 - np.log(np.maximum(own, _LEAST)).mean()),
        "classes": {
            name: {
                "rows": int(actual[i]),
                "precision": _share(hits[i], claimed[i]),
                "recall": _share(hits[i], actual[i]),
                "f1": _share(2 * hits[i], actual[i] + claimed[i]),
            }
            for i, name in enumerate(classes)
        },
        "confusion": counts.tolist(),
    }


def regression(truth: Floats, predicted: Floats) -> dict[str, Any]:
    """Return R², the root of the mean squared error and the mean absolute error, in the unit of ``truth``.

    R² is None where ``truth`` is constant.

    >>> regression(np.array([1.0, 3.0]), np.array([1.0, 2.0]))
    {'r2': 0.5, 'rmse': 0.7071067811865476, 'mae': 0.5}
    """
    residuals = truth - predicted
    spread = float(np.square(truth - truth.mean()).sum())
    return {
        "r2": 1.0 - float(np.square(residuals).sum()) / spread if spread else None,
        "rmse": float(np.sqrt(np.square(residuals).mean())),
        "mae": float(np.abs(residuals).mean()),
    }


def interval(hits: int, n: int, z: float = 1.96) -> tuple[float, float]:
    """Return the interval in which the true share lies with 95 % confidence if ``hits`` of ``n`` rows were right.

    Source: E. B. Wilson, *Probable inference, the law of succession, and statistical inference*, 1927.

    >>> [round(end, 3) for end in interval(9, 10)]
    [0.596, 0.982]
    """
    share, extra = hits / n, z * z / n
    middle = (share + extra / 2) / (1 + extra)
    half = z * math.sqrt(share * (1 - share) / n + extra / (4 * n)) / (1 + extra)
    return max(0.0, middle - half), min(1.0, middle + half)


def _share(part: Any, whole: Any) -> float | None:
    return float(part / whole) if whole else None
