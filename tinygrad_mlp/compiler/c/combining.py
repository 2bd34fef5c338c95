"""Combining: how the parts of a reduction become one, in C."""

from typing import Any

import numpy as np

from tinygrad_mlp import ops

from .elements import FLOATS, literal

COMBINED: dict[Any, str] = {ops.sum: "+", ops.prod: "*", ops.any: "|", ops.all: "&"}


def suffix(kind: str) -> str:
    """Return the end of the names of functions for a type."""
    return "f" if kind == "float" else ""


def combine(op: Any, a: str, b: str, kind: str) -> str:
    """Return two parts of a reduction combined."""
    if op in COMBINED:
        return f"{a} {COMBINED[op]} {b}"
    if kind in FLOATS:
        return f"{'most' if op is ops.max else 'least'}{suffix(kind)}({a}, {b})"
    return f"({a} {'>' if op is ops.max else '<'} {b} ? {a} : {b})"


def clause(op: Any, kind: str) -> str:
    """Return what the compiler calls a reduction."""
    if op in COMBINED:
        return COMBINED[op]
    if kind in FLOATS:
        return f"{'most' if op is ops.max else 'least'}{suffix(kind)}"
    return "max" if op is ops.max else "min"


def identity(op: Any, kind: str) -> str:
    """Return what a reduction begins with."""
    if op in (ops.max, ops.min):
        if kind in FLOATS:
            return literal(-np.inf if op is ops.max else np.inf, kind)
        return "INT64_MIN" if op is ops.max else "INT64_MAX"
    return "1" if op in (ops.prod, ops.all) else "0"
