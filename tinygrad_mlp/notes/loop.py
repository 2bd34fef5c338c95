"""The training loop of cell 30: literally, and mended.

The cell climbs the log-likelihood of a 2-3-3 network on three clusters by full-batch steps. Literally it makes two
mistakes: in every epoch it multiplies with the hidden units ``H`` of the initial weights, and W and b₁ see the V that
the same step has changed. So its changes are the gradient of nothing, and only the formulas can write them down.
Mended, they are the gradient at the current parameters, and the engine computes it.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tinygrad_mlp import ops
from tinygrad_mlp.check.formulas import (
    Array,
    derivative_b1,
    derivative_b2,
    derivative_v,
    derivative_w,
    log_likelihood,
    propagate,
)
from tinygrad_mlp.data import one_hot, three_clusters
from tinygrad_mlp.errors import DataError
from tinygrad_mlp.tensors import Tensor

LEARNING_RATE = 1e-6  # cell 30 writes it as 10e-7
SEED = 1
Method = Literal["engine", "formulas"]


class Parameters(NamedTuple):
    """W (2, 3), b₁ (3,), V (3, 3) and b₂ (3,) of the network, or a change of each."""

    W: Array
    b1: Array
    V: Array
    b2: Array


class Batch(NamedTuple):
    """The rows X (300, 2), their targets T (300, 3) one-hot, and labels (300,)."""

    X: Array
    T: Array
    labels: NDArray[np.int64]


@dataclass(frozen=True)
class Trace:
    """What a run of the loop printed.

    Attributes:
        literal: whether the loop was the cell's own, mistakes included.
        epochs: the epochs at which it printed, from 0.
        log_likelihood: Σ t log y before the step of each of these epochs.
        classification_rate: the share of rows classified rightly, then.
        parameters: those after the last step.
        seconds: how long the run took.
    """

    literal: bool
    epochs: tuple[int, ...]
    log_likelihood: tuple[float, ...]
    classification_rate: tuple[float, ...]
    parameters: Parameters
    seconds: float


def batch() -> Batch:
    """Return the rows and targets of cell 23."""
    X, labels = three_clusters()
    return Batch(X, one_hot(labels), labels)


def initial_parameters() -> Parameters:
    """Return the parameters that cells 24 and 30 draw."""
    state = np.random.RandomState(SEED)
    W, V, b1, b2 = (state.standard_normal(shape) for shape in ((2, 3), (3, 3), (3,), (3,)))
    return Parameters(W, b1, V, b2)


def outputs(data: Batch, p: Parameters) -> tuple[Array, Array]:
    """Return the hidden units and the probabilities."""
    _, H, Y = propagate(data.X, [p.W, p.V], [p.b1, p.b2]).h
    return H, Y


def changes(
    data: Batch, p: Parameters, stale: Array | None = None, new_v: bool = False, rate: float = LEARNING_RATE
) -> Parameters:
    """Return what a step adds to each parameter, divided by the learning rate, by the hand formulas of cells 26 to 28.

    Args:
        data: rows and targets.
        p: the current parameters.
        stale: hidden units to use in place of the current ones, as cell 30 does.
        new_v: whether W and b₁ see the V that this step has just changed, as in cell 30.
        rate: the learning rate of that change of V.
    """
    H, Y = outputs(data, p)
    H = H if stale is None else stale
    dV = derivative_v(H, data.T, Y)
    V = p.V + rate * dV if new_v else p.V
    dW, db1 = derivative_w(data.X, data.T, Y, H, V), derivative_b1(data.T, Y, H, V)
    return Parameters(dW, db1, dV, derivative_b2(data.T, Y))


def engine_gradient(data: Batch, p: Parameters) -> Parameters:
    """Return the gradient of the log-likelihood at ``p`` by the engine: a recorded forward pass, then ``backward``."""
    W, b1, V, b2 = leaves = [Tensor(value, name=name) for name, value in zip(p._fields, p, strict=True)]
    hidden = ops.sigmoid(ops.linear(data.X, W, b1))
    J = -ops.cross_entropy(ops.linear(hidden, V, b2), data.T, reduction="sum")
    J.backward()
    return Parameters(*(leaf.grad for leaf in leaves))


def training(
    literal: bool = True,
    epochs: int = 10000,
    *,
    every: int = 1000,
    method: Method = "engine",
    mended: Sequence[int] = (9, 10),
) -> Trace:
    """Return what the loop of cell 30 prints.

    Args:
        literal: run the cell as it is written, with the hand formulas and the figures that the notes print.
        epochs: how many steps to take.
        every: print before each epoch that is a multiple of this.
        method: how the mended loop gets its gradient; the two agree.
        mended: which of the mistakes 9 (the stale hidden units) and 10 (the V just changed) are mended, if not literal;
            with one of them left, only the formulas can run.

    Raises:
        DataError: ``epochs`` or ``every`` is below 1.

    >>> training(epochs=1).log_likelihood
    (-320.508019513...,)
    """
    if epochs < 1 or every < 1:
        raise DataError(f"training: epochs ({epochs}) and every ({every}) must be at least 1")
    data, p = batch(), initial_parameters()
    left = {9, 10} if literal else {9, 10} - set(mended)
    climb: Callable[[Batch, Parameters], Parameters] = engine_gradient
    if left or method == "formulas":
        climb = partial(changes, stale=outputs(data, p)[0] if 9 in left else None, new_v=10 in left)
    start = time.perf_counter()
    told: list[tuple[int, float, float]] = []
    for epoch in range(epochs):
        if epoch % every == 0:
            _, Y = outputs(data, p)
            told.append((epoch, log_likelihood(data.T, Y), float(np.mean(Y.argmax(axis=1) == data.labels))))
        p = Parameters(*(old + LEARNING_RATE * step for old, step in zip(p, climb(data, p), strict=True)))
    at, costs, rates = zip(*told, strict=True)
    return Trace(literal, at, costs, rates, p, time.perf_counter() - start)


def format_training(literal: Trace, mended: Trace) -> str:
    """Return both traces side by side as text."""
    lines = [
        "            the loop as written           mended",
        "  epoch   log-likelihood    rate   log-likelihood    rate",
    ]
    rows = zip(literal.epochs, literal.log_likelihood, literal.classification_rate, strict=True)
    others = dict(zip(mended.epochs, zip(mended.log_likelihood, mended.classification_rate, strict=True), strict=True))
    for epoch, cost, rate in rows:
        line = f"{epoch:>7}   {cost:>14.9f}  {rate:>6.4f}"
        if epoch in others:
            line += f"   {others[epoch][0]:>14.9f}  {others[epoch][1]:>6.4f}"
        lines.append(line)
    return "\n".join(lines)
