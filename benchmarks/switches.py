"""What is each step of the compiler worth? The compiled time with one switch off, as a ratio to everything on.

The switches are those of ``tg.compile``: the rules, sums of products by BLAS, biases inside of products, the batch as
last axis, and blocks; and then single groups of rules. Every row is timed in turn with the others of its work.
"""

from functools import partial

import numpy as np

import tinygrad_mlp as tg
from benchmarks import compiled_elementwise, compiled_networks, contest
from tinygrad_mlp.rewrite.rules import FORMS, STABILISING, titles

ON = "everything on"
OFF = {f"{name} off": {name: False} for name in ("rules", "products", "layout", "biases", "blocks")}
GROUPS = {
    "stabilising rules": STABILISING,
    "rules of negatives": {title for title in titles() if "negative" in title},
    "rules of powers and squares": {"x · x", "powers by products", "division by a power of two"},
    "weights of a softmax": {"weights of a softmax"},
    "broadcasting left to the operation": {"broadcasting left to the operation"},
}


def without(group):
    """Return the options of ``tg.compile`` with all rules on but those of a group."""
    return {"rules": [title for title in titles() if title not in group or title in FORMS]}


def written_out(parameters, X, T, lr):
    """Return the loss and the parameters after a step of the notes' network, whose softmax and loss are written out."""

    def loss(parameters):
        W, b1, V, b2 = parameters
        E = tg.exp(tg.sigmoid(X @ W + b1) @ V + b2)
        Y = E / tg.sum(E, axis=1, keepdims=True)
        return -tg.sum(T * tg.log(Y))

    value, gradients = tg.value_and_grad(loss)(parameters)
    return value, [p - lr * g for p, g in zip(parameters, gradients, strict=True)]


def network(n, sizes, dtype, activation, reduction, lr, optimizer="SGD", step=None):
    """Return what makes the entry of a training step for options of ``tg.compile``."""
    X, labels, parameters = compiled_networks.data(n, sizes, dtype)
    target = np.eye(sizes[-1], dtype=dtype)[labels] if activation == "sigmoid" else labels
    step = step or compiled_networks.training_step(activation, reduction, optimizer)

    def make(**options):
        return compiled_networks.ours(contest.compiled(step, **options), parameters, (X, target), lr, optimizer)

    return make


def works():
    """Return ``title: (what makes an entry, tolerance, repeats, rounds)``."""
    x = np.random.default_rng(0).normal(size=1_000_000)
    tiny = (300, (2, 3, 3), np.float64, "sigmoid", "sum", 1e-6)
    large = (128, (784, 256, 128, 10), np.float32, "relu", "mean", 1e-3)
    return {
        "MLP 2-3-3, batch 300, float64": (network(*tiny), 1e-9, 30, 40),
        "the same, softmax and loss written out": (network(*tiny, step=written_out), 1e-9, 30, 40),
        "MLP 784-256-128-10, batch 128, float32, SGD": (network(*large), 1e-4, 2, 30),
        "the same, Adam": (network(*large, optimizer="Adam"), 1e-4, 1, 25),
        "ten elementwise operations and their gradient, 1e6 float64": (
            partial(compiled_elementwise.ours, x), 1e-10, 1, 25,
        ),
    }  # fmt: skip


def main():
    """Return the rows: the time with everything on, and the ratios to it."""
    rows = []
    for title, (make, tolerance, repeats, rounds) in works().items():
        options = {ON: {}, **OFF, **{f"{name} off": without(group) for name, group in GROUPS.items()}}
        makers = {name: partial(make, **chosen) for name, chosen in options.items()}
        rows += contest.contest(
            f"the compiler's switches: {title}", makers, unit=ON, tolerance=tolerance, repeats=repeats, rounds=rounds
        )
    return rows
