"""Gradients that are right and gradients that are wrong, each written once for every library that checks gradients."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np


class Case(NamedTuple):
    """A function of one array, and whether what is given as its gradient is right.

    Attributes:
        name: what it is, in words.
        truth: ``right`` or ``wrong``: the verdict that a checker should give.
        x: where the gradient is checked.
        f: ``f(xp, x)``, in the functions of a library's namespace ``xp``.
        vjp: ``vjp(xp, g, x)``, the rule in place of what the library derives; None leaves it that.
        jvp: ``jvp(xp, t, x)``, the same for forward mode, which is then what is checked.
    """

    name: str
    truth: str
    x: Any
    f: Callable[[Any, Any], Any]
    vjp: Callable[[Any, Any, Any], Any] | None = None
    jvp: Callable[[Any, Any, Any], Any] | None = None


def _spoiled(shape: tuple[int, ...], place: tuple[int, ...], factor: float) -> Any:
    """Return ones, but for one element."""
    ones = np.ones(shape)
    ones[place] = factor
    return ones


def _sigmoid(xp: Any, x: Any) -> Any:
    return 1 / (1 + xp.exp(-x))


FEW = np.array([0.3, 1.2, 2.5])
MANY = np.linspace(-1.5, 1.5, 2500).reshape(50, 50)
RESIDUALS = np.linspace(0.001, 0.01, 1000)

RIGHT = [
    Case("x sin x", "right", FEW, lambda xp, x: x * xp.sin(x)),
    Case("relu at 0", "right", np.array([0.0, 1.0]), lambda xp, x: xp.relu(x)),
    Case("abs x at 1e-7", "right", np.array([1e-7, 1.0]), lambda xp, x: xp.abs(x)),
    Case("the largest of three equal numbers", "right", np.array([2.0, 2.0, 2.0]), lambda xp, x: xp.max(x)),
    Case("maxima of rows, with ties", "right", np.array([[1.0, 2, 2], [3, 0, 1]]), lambda xp, x: xp.row_max(x)),
    Case("exp in float32", "right", np.array([0.5, 1.0, 3.0], np.float32), lambda xp, x: xp.exp(x)),
    Case("Σ x² at 1e8 and 1", "right", np.array([1e8, 1.0]), lambda xp, x: xp.sum(x * x)),
    Case("log x at 1e-8", "right", np.array([1e-8]), lambda xp, x: xp.log(x)),
    Case("log x at 1e-3", "right", np.array([1e-3]), lambda xp, x: xp.log(x)),
    Case("1 / x at 1e-6", "right", np.array([1e-6]), lambda _, x: 1 / x),
    Case("sin 1000 x", "right", np.array([0.2, 0.3]), lambda xp, x: xp.sin(1000 * x)),
    Case("tanh x + 1e9", "right", np.array([0.2, 0.3]), lambda xp, x: xp.tanh(x) + 1e9),
]  # fmt: skip

WRONG = [
    Case(
        "x sin x, a sign wrong", "wrong", FEW,
        lambda xp, x: x * xp.sin(x), lambda xp, g, x: g * (xp.sin(x) - x * xp.cos(x)),
    ),
    Case(
        "a gradient of 1e-6, five times too large", "wrong", np.array([0.5, 1.0]),
        lambda xp, x: 1e-6 * xp.sin(x), lambda xp, g, x: 5e-6 * g * xp.cos(x),
    ),
    Case(
        "one element of 2,500 is 2 % off", "wrong", MANY,
        lambda xp, x: xp.sum(xp.tanh(x)),
        lambda xp, g, x: g * (1 - xp.tanh(x) ** 2) * xp.array(_spoiled((50, 50), (31, 7), 1.02)),
    ),
    Case(
        "the sign of one slope, beside another of 1e6", "wrong", np.array([14.0, 0.1]),
        lambda xp, x: xp.sum(xp.exp(x)), lambda xp, g, x: g * xp.exp(x) * xp.array(_spoiled((2,), (1,), -1.0)),
    ),
    Case(
        "3.14 for π in the gradient of sin πx", "wrong", np.array([0.1, 0.8]),
        lambda xp, x: xp.sin(np.pi * x), lambda xp, g, x: 3.14 * g * xp.cos(np.pi * x),
    ),
    Case(
        "the sign at a saturated sigmoid, x = 15", "wrong", np.array([15.0]),
        _sigmoid, lambda xp, g, x: -g * _sigmoid(xp, x) * _sigmoid(xp, -x),
    ),
    Case(
        "a forgotten weight decay of 1e-5", "wrong", FEW,
        lambda xp, x: xp.sum(xp.tanh(x) + 0.5e-5 * x * x), lambda xp, g, x: g * (1 - xp.tanh(x) ** 2),
    ),
    Case(
        "the 2 of a mean of 1,000 squares", "wrong", RESIDUALS,
        lambda xp, x: xp.sum(x * x) / 1000, lambda _, g, x: g * x / 1000,
    ),
    Case(
        "forward mode: all of 1,500 slopes are 1 % off", "wrong", np.linspace(-1.5, 1.5, 1500),
        lambda xp, x: xp.exp(x), jvp=lambda xp, t, x: 1.01 * t * xp.exp(x),
    ),
]  # fmt: skip

CASES = RIGHT + WRONG
