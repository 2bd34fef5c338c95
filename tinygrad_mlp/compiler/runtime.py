"""Functions that compiled programs call beside NumPy's; their text is part of every program that uses them."""

import math
from typing import Any

import numpy as np


def sum_product(weights: Any, x: Any) -> Any:
    """Return the sum of ``weights * x``; a weight of 0 takes away even an infinity."""
    total = np.vdot(weights, x)
    return total if total == total else np.sum(np.where(weights == 0, 0.0, weights * x))


def scatter(values: Any, shape: Any, index: Any) -> Any:
    """Return zeros with values added at an index; where an index repeats, every value counts."""
    y = np.zeros(shape, values.dtype)
    if all(part is None or part is Ellipsis or type(part) in (int, slice) for part in index):
        y[index] = values
    else:
        np.add.at(y, index, values)
    return y


def erf(x: Any) -> Any:
    """Return the error function of every element."""
    return np.fromiter(map(math.erf, x.ravel().tolist()), np.float64, x.size).reshape(x.shape).astype(x.dtype)


def erfc(x: Any) -> Any:
    """Return 1 minus the error function of every element."""
    return np.fromiter(map(math.erfc, x.ravel().tolist()), np.float64, x.size).reshape(x.shape).astype(x.dtype)


def recurrence(a: Any, b: Any) -> Any:
    """Return ``s`` with ``s[k] = a[k] s[k-1] + b[k]`` along the last axis."""
    y = b.copy()
    for k in range(1, b.shape[-1]):
        y[..., k] += a[..., k] * y[..., k - 1]
    return y


def aligned(nbytes: int) -> Any:
    """Return so many bytes of memory that begin at a multiple of 64, where vector instructions are fastest."""
    memory = np.empty(nbytes + 64, np.uint8)
    start = -memory.ctypes.data % 64
    return memory[start : start + nbytes]


def masked(condition: Any, x: Any, out: Any) -> None:
    """Write ``x`` where the condition holds, else 0, into ``out``: by its bits, four times as fast as np.where."""
    integer = np.int64 if x.itemsize == 8 else np.int32
    bits = np.negative(condition.view(np.int8)).astype(integer)  # -1 has all bits set
    np.bitwise_and(x.view(integer), bits, out.view(integer))


def unmasked(condition: Any, x: Any, out: Any) -> None:
    """Write 0 where the condition holds, else ``x``, into ``out``."""
    integer = np.int64 if x.itemsize == 8 else np.int32
    bits = np.subtract(condition.view(np.int8), 1).astype(integer)
    np.bitwise_and(x.view(integer), bits, out.view(integer))


ROUTINES = {f.__name__: f for f in (sum_product, scatter, erf, erfc, recurrence, aligned, masked, unmasked)}
