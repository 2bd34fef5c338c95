"""The mistakes of the source notes that are about a derivative, as hand formulas beside the functions they mistake.

The numbers are those of ``tinygrad_mlp.notes.claims``. None stands for what a claim does not speak of.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from tinygrad_mlp import ops
from tinygrad_mlp.check import formulas
from tinygrad_mlp.check.formulas import CATALOGUE, Formula
from tinygrad_mlp.notes import claims
from tinygrad_mlp.notes.loop import Batch, Parameters

Array = np.ndarray
WIDTH = 3  # of every layer in eq. 30 to 36 as written, where indices clash with any other


class Mistaken(NamedTuple):
    """A right entry of the catalogue, the mistaken derivatives, and inputs at which the mistake shows."""

    number: int
    where: str
    entry: Formula
    written: Callable[..., Any]
    inputs: tuple[Array, ...]


def example(name: str, **sizes: int) -> tuple[Array, ...]:
    return CATALOGUE[name].inputs(np.random.default_rng(11), **sizes)


def _softmax_of_two(h: Array, V: Array) -> tuple[None, Array]:
    """∂y_k′/∂v_jk by point 3 below eq. 19, whose indices are k′, k, j."""
    return None, claims.written_5(h @ V, h)[1].transpose(0, 2, 1)


def _recursion(X: Array, T: Array, *parameters: Array) -> tuple[Array | None, ...]:
    """Minus eq. 29 to 32 as written, of one sample after the other, x_ji read as x_i; their weights are (out, in)."""
    weights, biases = parameters[0::2], parameters[1::2]
    passed = formulas.propagate(X, weights, biases)
    changes = [np.zeros_like(W) for W in weights]
    for n in range(len(X)):
        x, h1, h2, h3, y = (layer[n] for layer in passed.h)
        w1, w2, w3 = (W.T for W in weights[1:])
        values = [T[n] - y, w3, h3 * (1 - h3), w2, h2 * (1 - h2), w1, h1 * (1 - h1)]
        changes[3] -= np.outer(h3, values[0])
        written = [product.replace("ji->", "i->") for product in claims.WRITTEN_7.values()]
        for depth, (product, below) in enumerate(zip(written, (h2, h1, x), strict=True)):
            changes[2 - depth] -= np.einsum(product, *values[: 3 + 2 * depth], below).T
    return None, None, *(part for change in changes for part in (change, None))


def _step(rule: Callable[..., Parameters]) -> Callable[..., tuple[Array | None, ...]]:
    """What a step of cell 30 adds to each parameter, over the learning rate; the weights at the start are others."""

    def by_hand(X: Array, T: Array, W: Array, b1: Array, V: Array, b2: Array) -> tuple[Array | None, ...]:
        data = Batch(X, T, T.argmax(axis=1))
        start = Parameters(W + 0.3, b1 - 0.2, V, b2)
        return None, None, *rule(data, Parameters(W, b1, V, b2), start)

    return by_hand


def _descent(X: Array, T: Array, *parameters: Array) -> tuple[Array | None, ...]:
    """What eq. 25 and 26 add to each parameter: they subtract the gradient of what is to become large."""
    _, _, *uphill = CATALOGUE["two_layers"].by_hand(X, T, *parameters)
    moved = (claims.written_6(p, g) - p for p, g in zip(parameters, uphill, strict=True))
    return None, None, *moved


def _exchanged(X: Array, T: Array, W: Array, b1: Array, V: Array, b2: Array) -> tuple[Array | None, ...]:
    """∂J/∂V as the test of cell 26 calls for it, Y for T and T for Y."""
    _, H, Y = formulas.propagate(X, [W, V], [b1, b2]).h
    return None, None, None, None, formulas.derivative_v(H, Y, T), None


def _sigmoid_unit(x: Array, w: Array, b: Array) -> tuple[None, Array, None]:
    return None, claims.written_4(float(formulas.sigmoid(x @ w + b)), w, x), None


_leaky_as_written = replace(
    CATALOGUE["leaky_relu"], name="leaky_relu_written", function=lambda z: ops.maximum(0.01, 1.0) * z
)

MISTAKES: tuple[Mistaken, ...] = (
    Mistaken(1, "eq. 14", CATALOGUE["softmax_jacobian_spelled"], claims.written_1, example("softmax_jacobian_spelled")),
    Mistaken(
        2, "eq. 15", CATALOGUE["softmax_jacobian"],
        lambda z: claims.written_2(formulas.softmax(z)), (np.log([0.4, 0.4, 0.2]),),
    ),
    Mistaken(
        3, "above eq. 16", CATALOGUE["linear_unit"],
        lambda h, v, _b: (None, claims.written_3(h, v), None), example("linear_unit"),
    ),
    Mistaken(4, "below eq. 19, ∂h/∂w", CATALOGUE["sigmoid_unit"], _sigmoid_unit, example("sigmoid_unit")),
    Mistaken(
        5, "below eq. 19, point 3", CATALOGUE["softmax_layer_jacobian"],
        _softmax_of_two, example("softmax_layer_jacobian", classes=2),
    ),
    Mistaken(6, "eq. 25 and 26", CATALOGUE["two_layers"], _descent, example("two_layers")),
    Mistaken(
        7, "eq. 30 to 32", CATALOGUE["four_layers_sigmoid"], _recursion,
        example("four_layers_sigmoid", inputs=WIDTH, hidden=WIDTH, second=WIDTH, third=WIDTH, classes=WIDTH),
    ),
    Mistaken(9, "cell 30, H", CATALOGUE["two_layers"], _step(claims.written_9), example("two_layers")),
    Mistaken(10, "cell 30, V", CATALOGUE["two_layers"], _step(claims.written_10), example("two_layers")),
    Mistaken(21, "cell 26", CATALOGUE["two_layers"], _exchanged, example("two_layers")),
)  # fmt: skip

# Mistake 8 is in the function, and the derivative is right: here the engine's gradient disagrees with the hand's.
MISTAKEN_FUNCTION = Mistaken(
    8, "cell 14", _leaky_as_written, CATALOGUE["leaky_relu"].by_hand, (np.array([[-1.0, 2.0]]),)
)
