"""How long does a compiled training step take? The notes' tiny network, and 784-256-128-10 by SGD and by Adam.

Beside it: the same function uncompiled, hand-written NumPy, the matrix products alone, PyTorch and JAX. A step is one
call, from which the loss comes back.
"""

from itertools import count, pairwise

import numpy as np

import tinygrad_mlp as tg
from benchmarks import contest, peers
from benchmarks.handwritten import relu_adam_step, relu_step, sigmoid_step


def data(n, sizes, dtype):
    """Return inputs, labels, and the first parameters: weights and biases in turn."""
    rng = np.random.default_rng(0)
    X, labels = rng.normal(size=(n, sizes[0])).astype(dtype), rng.integers(0, sizes[-1], n)
    weights = [(rng.normal(size=(a, b)) / np.sqrt(a)).astype(dtype) for a, b in pairwise(sizes)]
    return X, labels, [p for W in weights for p in (W, np.zeros(W.shape[1], dtype))]


# ---------------------------------------------------------------------------------------------- the step, in tg's words


def training_step(activation, reduction, optimizer="SGD"):
    """Return a training step as a function of the state, the batch and the rate: the loss and the new state.

    The state is a list of parameters; for Adam also two lists of moments and the number of the step.
    """
    unit = getattr(tg, activation)

    def loss(parameters, X, target):
        for W, b in zip(parameters[:-2:2], parameters[1:-2:2], strict=True):
            X = unit(X @ W + b)
        V, c = parameters[-2:]
        return tg.cross_entropy(X @ V + c, target, reduction=reduction)

    def descend(parameters, X, target, lr):
        value, gradients = tg.value_and_grad(loss)(parameters, X, target)
        return value, [p - lr * g for p, g in zip(parameters, gradients, strict=True)]

    def adapt(parameters, firsts, seconds, number, X, target, lr):
        value, gradients = tg.value_and_grad(loss)(parameters, X, target)
        rows = zip(parameters, gradients, firsts, seconds, strict=True)
        moved = [tg.optim.adam(p, g, m, v, number, lr) for p, g, m, v in rows]
        return value, *([row[i] for row in moved] for i in range(3))

    return descend if optimizer == "SGD" else adapt


def ours(function, parameters, batch, lr, optimizer="SGD"):
    """Return the entry of a training step, compiled or not."""
    state = [[p.copy() for p in parameters]]
    if optimizer == "Adam":
        state += [[np.zeros_like(p) for p in parameters] for _ in range(2)]
    steps = count(1)

    def descend():
        value, state[0] = function(state[0], *batch, lr)
        return value

    def adapt():
        value, *state[:] = function(*state, float(next(steps)), *batch, lr)
        return value

    return contest.Entry(descend if optimizer == "SGD" else adapt, lambda: state[0])


# ----------------------------------------------------------------------------------------------------------- by hand


def by_hand(X, labels, parameters, activation, lr, optimizer="SGD"):
    """Return the entry of hand-written NumPy; one-hot targets for the network with a sigmoid layer."""
    own = [p.copy() for p in parameters]
    weights, biases = own[::2], own[1::2]
    if activation == "sigmoid":
        T = np.eye(len(biases[-1]), dtype=X.dtype)[labels]
        return contest.Entry(lambda: sigmoid_step(X, T, weights[0], biases[0], weights[1], biases[1], lr), lambda: own)
    if optimizer == "SGD":
        return contest.Entry(lambda: relu_step(X, labels, weights, biases, lr), lambda: own)
    moments = [[[np.zeros_like(p), np.zeros_like(p)] for p in pair] for pair in zip(weights, biases, strict=True)]
    steps = count(1)
    return contest.Entry(lambda: relu_adam_step(X, labels, weights, biases, moments, next(steps), lr), lambda: own)


def products(X, parameters):
    """Return a function that computes the matrix products of a step and nothing else, into storage made before."""
    weights = parameters[::2]
    layers = [X, *(np.ones((len(X), W.shape[1]), X.dtype) for W in weights)]
    backward = [np.ones_like(layer) for layer in layers]
    gradients = [np.empty_like(W) for W in weights]

    def step():
        for i, W in enumerate(weights):
            np.matmul(layers[i], W, out=layers[i + 1])
        for i in reversed(range(len(weights))):
            np.matmul(layers[i].T, backward[i + 1], out=gradients[i])
            if i:
                np.matmul(backward[i + 1], weights[i].T, out=backward[i])

    return step


# --------------------------------------------------------------------------------------------------------- the contests


def compare(title, n, sizes, dtype, activation, reduction, lr, *, optimizer="SGD", repeats, rounds=40):
    """Return the rows of one network."""
    X, labels, parameters = data(n, sizes, dtype)
    target = np.eye(sizes[-1], dtype=dtype)[labels] if activation == "sigmoid" else labels
    donated = 0 if optimizer == "SGD" else (0, 1, 2)

    def compiled(**options):
        step = training_step(activation, reduction, optimizer)
        return ours(contest.compiled(step, **options), parameters, (X, target), lr, optimizer)

    makers = {
        contest.NUMPY: lambda: by_hand(X, labels, parameters, activation, lr, optimizer),
        contest.OURS: lambda: ours(
            training_step(activation, reduction, optimizer), parameters, (X, target), lr, optimizer
        ),
        contest.COMPILED: compiled,
        contest.DONATED: lambda: compiled(donate=donated),
        contest.COMPILED_C: lambda: compiled(backend="c"),
        contest.DONATED_C: lambda: compiled(backend="c", donate=donated),
        **peers.networks(X, target, parameters, activation, reduction, lr, optimizer),
    }
    alone = {"matrix products alone": products(X, parameters)} if dtype == np.float32 else {}
    tolerance = 1e-9 if dtype == np.float64 else 1e-4
    return contest.contest(
        f"{title}, one step", makers, alone=alone, tolerance=tolerance, repeats=repeats, rounds=rounds
    )


def main():
    """Return the rows of all networks."""
    sizes = (784, 256, 128, 10)
    large = (sizes, np.float32, "relu", "mean", 1e-3)
    tiny = "MLP 2-3-3, batch 300, float64"
    return [
        *compare(tiny, 300, (2, 3, 3), np.float64, "sigmoid", "sum", 1e-6, repeats=30),
        *compare("MLP 784-256-128-10, batch 128, float32, SGD", 128, *large, repeats=3),
        *compare("the same, Adam", 128, *large, optimizer="Adam", repeats=3),
        *compare("the same, batch 1024, SGD", 1024, *large, repeats=1),
    ]
