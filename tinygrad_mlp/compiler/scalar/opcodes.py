"""The loops of the tape: one interpreter for all graphs, in the part of Python that numba compiles.

The rules of the commonest rows, written out a second time because numba cannot call the table; tests hold them to it.
"""

from typing import Any

import numpy as np

ROWS = (
    "sum", "add", "subtract", "multiply", "divide", "negative", "relu", "tanh", "exp", "log", "power", "square", "sqrt",
    "sin", "cos", "sigmoid", "abs", "reciprocal", "identity", "maximum", "minimum", "where", "greater", "greater_equal",
    "less", "less_equal", "equal", "not_equal", "logical_not", "logical_and", "logical_or", "log1p", "expm1",
)  # fmt: skip
DERIVED = 255  # a derivative: a sweep has put it there
CODES = {name: i for i, name in enumerate(ROWS)}
Array = Any


def forward(first: int, last: int, ops: Array, args: Array, terms: Array, v: Array) -> None:
    """Compute the nodes from ``first`` to ``last``."""
    for i in range(first, last):
        op, a, b = ops[i], args[i, 0], args[i, 1]
        if op == 0:
            y = v[terms[a, 0]] * v[terms[a, 1]]
            for k in range(a + 1, b):
                y += v[terms[k, 0]] * v[terms[k, 1]]
            v[i] = y
        elif op == 3:
            v[i] = v[a] * v[b]
        elif op == 6:
            v[i] = 0.0 if v[a] <= 0 else v[a]
        elif op < 6:
            v[i] = v[a] - v[b] if op == 2 else v[a] / v[b] if op == 4 else -v[a] if op == 5 else v[a] + v[b]
        elif op < 19:
            v[i] = _unary(op, v[a], v[b])
        elif op < 22:
            v[i] = _chosen(op, v[a], v[b], v[args[i, 2]])
        elif op < 31:
            v[i] = 1.0 if _holds(op, v[a], v[b]) else 0.0
        elif op < DERIVED:
            v[i] = np.log1p(v[a]) if op == 31 else np.expm1(v[a])


def _unary(op: int, x: float, b: float) -> Any:
    if op < 11:
        return np.tanh(x) if op == 7 else np.exp(x) if op == 8 else np.log(x) if op == 9 else np.power(x, b)
    if op < 15:
        return x * x if op == 11 else np.sqrt(x) if op == 12 else np.sin(x) if op == 13 else np.cos(x)
    if op == 15:
        return _sigmoid(x)
    return abs(x) if op == 16 else 1.0 / x if op == 17 else x


def _sigmoid(x: float) -> float:
    e = np.exp(-abs(x))
    return (1.0 if x >= 0 else e) / (1 + e) if x == x else x


def _chosen(op: int, a: float, b: float, c: float) -> float:
    if op == 19:
        return a if a >= b or a != a else b
    if op == 20:
        return a if a <= b or a != a else b
    return b if a != 0 else c


def _holds(op: int, a: float, b: float) -> bool:
    if op < 26:
        return a > b if op == 22 else a >= b if op == 23 else a < b if op == 24 else a <= b
    if op < 28:
        return a == b if op == 26 else a != b
    return a == 0 if op == 28 else (a != 0 and b != 0) if op == 29 else (a != 0 or b != 0)


def backward(nodes: Array, one: int, ops: Array, args: Array, terms: Array, v: Array, g: Array) -> None:
    """Push the cotangents of ``nodes`` to their operands; what wants none gets a number that nobody reads."""
    for i in nodes:
        op, a, b, d = ops[i], args[i, 0], args[i, 1], g[i]
        if op == 0:
            for k in range(a, b):
                x, y = terms[k, 0], terms[k, 1]
                if y == one:
                    g[x] += d
                else:
                    g[x] += d * v[y]
                    g[y] += d * v[x]
        elif op == 6:
            if not v[i] <= 0:
                g[a] += d
        elif op < 5:
            g[a] += d * v[b] if op == 3 else d / v[b] if op == 4 else d
            g[b] += d * v[a] if op == 3 else -d * v[i] / v[b] if op == 4 else -d if op == 2 else d
        elif op == 10:
            x, y = v[a], v[b]
            g[a] += 0.0 if y == 0 else d * (y * np.power(x, y - 1))
            if args[i, 2] == 0:  # the exponent is no constant
                g[b] += d * (0.0 if x == 0 and y >= 0 else v[i] * np.log(x))
        elif op < 19:
            g[a] += _slope(op, d, v[a], v[i])
        elif op < 21:
            x, y = (v[a], v[b]) if op == 19 else (v[b], v[a])  # the larger gets all, at a tie each gets half
            low, high = d / 2 if x == y else 0.0 if x < y else d, d / 2 if x == y else 0.0 if y < x else d
            g[a] += low
            g[b] += high
        elif op == 21:
            g[b if v[a] != 0 else args[i, 2]] += d
        elif op > 30:
            g[a] += d / (1 + v[a]) if op == 31 else d * np.exp(v[a])


def _slope(op: int, d: float, x: float, y: float) -> float:
    if op < 10:
        return -d if op == 5 else d * (1 - y * y) if op == 7 else d * y if op == 8 else d / x
    if op < 15:
        return d * (2 * x) if op == 11 else d / (2 * y) if op == 12 else d * np.cos(x) if op == 13 else -d * np.sin(x)
    if op == 15:
        return d * (y * (1 - y))
    if op == 16:
        return d * (1.0 if x > 0 else -1.0 if x < 0 else x)
    return -d * (y * y) if op == 17 else d
