"""A preprocessor as plain arrays: numbers and text only, so that an .npz needs no pickle, and checked when read."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from tinygrad_mlp.errors import ModelFileError

from .features import Feature, NumericFeature, TextFeature
from .targets import ClassTarget, NumberTarget, Target

PREFIX = "preprocessor."
FORMAT = 1

Parts: TypeAlias = tuple[tuple[Feature, ...], Target, tuple[tuple[str, str], ...]]


def to_arrays(
    features: Sequence[Feature], target: Target, left_out: Sequence[tuple[str, str]]
) -> dict[str, NDArray[Any]]:
    """Return the parts of a preprocessor as arrays.

    Keys, after ``preprocessor.``: ``format``; per feature ``names, kinds, had_missing``; per numeric feature a row of
    ``numbers`` (median, mean, scale); ``categories`` of all text features in one row and ``category_counts`` for each;
    ``target, task``; for classes ``classes, classes_numeric``; for a quantity ``target_numbers`` (mean, scale);
    ``left_out, left_out_reasons``.
    """
    numeric = [feature for feature in features if isinstance(feature, NumericFeature)]
    text = [feature for feature in features if isinstance(feature, TextFeature)]
    arrays: dict[str, NDArray[Any]] = {
        "format": np.array(FORMAT, dtype=np.int64),
        "names": _texts(feature.name for feature in features),
        "kinds": _texts("numeric" if isinstance(feature, NumericFeature) else "text" for feature in features),
        "had_missing": np.array([feature.had_missing for feature in features], dtype=np.bool_),
        "numbers": np.array([(f.median, f.mean, f.scale) for f in numeric], dtype=np.float64).reshape(-1, 3),
        "categories": _texts(category for feature in text for category in feature.categories),
        "category_counts": np.array([len(feature.categories) for feature in text], dtype=np.int64),
        "target": _texts([target.name]),
        "task": _texts([target.task]),
        "left_out": _texts(name for name, _ in left_out),
        "left_out_reasons": _texts(reason for _, reason in left_out),
    }
    if isinstance(target, ClassTarget):
        arrays |= {"classes": _texts(target.classes), "classes_numeric": np.array(target.numeric)}
    else:
        arrays |= {"target_numbers": np.array([target.mean, target.scale], dtype=np.float64)}
    return {PREFIX + key: array for key, array in arrays.items()}


def from_arrays(arrays: Mapping[str, NDArray[Any]]) -> Parts:
    """Return the parts that ``to_arrays`` stored.

    Raises:
        ModelFileError: a key is missing, an array has another type or length than it must have, a newer format.
    """
    read = _Reader(arrays)
    version = int(read("format", "iu", 0))
    if version != FORMAT:
        raise ModelFileError(f"the model's preprocessing has format {version}; this version reads format {FORMAT}")
    names, kinds, had_missing = read("names", "U", 1), read("kinds", "U", 1), read("had_missing", "b", 1)
    numbers, counts = read("numbers", "f", 2), read("category_counts", "iu", 1)
    categories = read("categories", "U", 1)
    n_numeric = int((kinds == "numeric").sum())
    read.require(len(names) == len(kinds) == len(had_missing) > 0, "as many names as kinds")
    read.require(bool(np.isin(kinds, ["numeric", "text"]).all()), "kinds numeric or text")
    read.require(numbers.shape == (n_numeric, 3) and bool(np.isfinite(numbers).all()), "three numbers a numeric column")
    read.require(len(counts) == len(kinds) - n_numeric and bool((counts > 0).all()), "categories for each text column")
    read.require(counts.sum() == len(categories), "as many categories as it counts")
    read.require(bool((numbers[:, 2] > 0).all()), "scales above 0")
    rows, groups = iter(numbers.tolist()), iter(np.split(categories, np.cumsum(counts)[:-1]) if len(counts) else [])
    features: list[Feature] = []
    for name, kind, missing in zip(names.tolist(), kinds.tolist(), had_missing.tolist(), strict=True):
        if kind == "numeric":
            median, mean, scale = next(rows)
            features.append(NumericFeature(name, median, mean, scale, missing))
        else:
            features.append(TextFeature(name, tuple(next(groups).tolist()), missing))
    left_out, reasons = read("left_out", "U", 1), read("left_out_reasons", "U", 1)
    read.require(len(left_out) == len(reasons), "a reason for each column left out")
    return tuple(features), _target(read), tuple(zip(left_out.tolist(), reasons.tolist(), strict=True))


def _target(read: "_Reader") -> Target:
    name, task = read("target", "U", 1), read("task", "U", 1)
    read.require(len(name) == len(task) == 1, "one target")
    if task[0] == "classification":
        classes = read("classes", "U", 1)
        read.require(len(classes) > 1, "two classes or more")
        return ClassTarget(str(name[0]), tuple(classes.tolist()), bool(read("classes_numeric", "b", 0)))
    read.require(task[0] == "regression", "a task that is known")
    numbers = read("target_numbers", "f", 1)
    read.require(len(numbers) == 2 and bool(np.isfinite(numbers).all()) and numbers[1] > 0, "a mean and a scale")
    return NumberTarget(str(name[0]), float(numbers[0]), float(numbers[1]))


class _Reader:
    """Gives the arrays by their short names, after checking the kind of their dtype and their number of axes."""

    def __init__(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        self._arrays = arrays

    def __call__(self, key: str, kinds: str, ndim: int) -> NDArray[Any]:
        try:
            array = np.asarray(self._arrays[PREFIX + key])
        except (KeyError, ValueError) as error:  # NumPy's ValueError: an array that needs pickle
            raise ModelFileError(f"this is no model of tinygrad_mlp: {PREFIX + key} cannot be read ({error})") from None
        self.require(array.dtype.kind in kinds and array.ndim == ndim, f"{PREFIX + key} of the right type")
        return array

    @staticmethod
    def require(condition: bool, what: str) -> None:
        """Raise a ModelFileError unless the condition holds."""
        if not condition:
            raise ModelFileError(f"the model's preprocessing is damaged: it lacks {what}")


def _texts(values: Iterable[str]) -> NDArray[np.str_]:
    return np.array(list(values), dtype=np.str_)
