"""Where and by which numbers a formula differs from the engine, and why a sum over indices has no value at all."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from tinygrad_mlp.check.formulas import Array


def difference(what: str, theirs: Any, true: Any, names: str = "") -> str | None:
    """Return where the formula's value is farthest from the engine's, with both numbers; None if they agree.

    Args:
        what: what the numbers are.
        theirs: the formula's, an array.
        true: the engine's, of the same shape.
        names: a letter or word for each axis, to say where.
    """
    a, b = np.atleast_1d(np.asarray(theirs, float)), np.atleast_1d(np.asarray(true, float))
    if a.shape != b.shape:
        return f"{what}: the formula gives shape {a.shape}, the engine {b.shape}"
    if np.allclose(a, b, rtol=1e-9, atol=1e-12):
        return None
    at = np.unravel_index(np.argmax(np.nan_to_num(np.abs(a - b), nan=np.inf)), a.shape)
    place = (f"{n} {i + 1}" if len(n) > 2 else f"{n} = {i + 1}" for n, i in zip(names.split(), at, strict=False))
    where = " at " + ", ".join(place) if names else ""
    return f"{what}{where}: the formula gives {a[at]:.7g}, the engine {b[at]:.7g}"


def joined(*reports: str | None) -> str | None:
    """Return the reports as lines of one text; None if there is none."""
    return "\n".join(report for report in reports if report) or None


def clashes(indices: str, values: Sequence[Array], names: Sequence[str]) -> list[str]:
    """Return why a product written with indices has no value: too many on a factor, or one that runs to two lengths.

    Args:
        indices: the product as ``numpy.einsum`` takes it.
        values: its factors.
        names: their names.

    >>> clashes("lm,m->l", [np.ones((2, 3)), np.ones(3)], "ab")
    []
    >>> clashes("lm,l->m", [np.ones((2, 3)), np.ones(3)], "ab")
    ['l runs to 2 in a, to 3 in b']
    """
    found: list[str] = []
    lengths: dict[str, dict[int, str]] = {}  # letter -> length -> the first factor in which it has that length
    for letters, value, name in zip(indices.partition("->")[0].split(","), values, names, strict=True):
        if len(letters) != value.ndim:
            found.append(f"{name} has {value.ndim} index, is written with {len(letters)}")
            continue
        for letter, n in zip(letters, value.shape, strict=True):
            lengths.setdefault(letter, {}).setdefault(n, name)
    for letter, places in lengths.items():
        if len(places) > 1:
            found.append(f"{letter} runs " + ", ".join(f"to {n} in {name}" for n, name in places.items()))
    return found
