"""How much slower than hand-written NumPy is a training step in eager mode? PyTorch on the same path in the same run.

The path is what a user writes: ``model(X)``, a loss of ``nn``, ``zero_grad()``, ``backward()``, ``optimizer.step()``.
One BLAS thread.
"""

from itertools import pairwise

import numpy as np

import tinygrad_mlp as tg
from benchmarks.handwritten import relu_step, sigmoid_step
from benchmarks.peers import has_torch, torch_step
from benchmarks.timing import interleaved


def data(n, sizes, dtype, rng):
    """Return inputs, labels, one-hot targets, and the first weights and biases."""
    X = rng.normal(size=(n, sizes[0])).astype(dtype)
    labels = rng.integers(0, sizes[-1], n)
    T = np.eye(sizes[-1], dtype=dtype)[labels]
    weights = [(rng.normal(size=(a, b)) / np.sqrt(a)).astype(dtype) for a, b in pairwise(sizes)]
    return X, labels, T, weights, [np.zeros(b, dtype) for b in sizes[1:]]


def ours(X, target, weights, biases, activation, reduction, lr):
    """Return a training step through ``nn`` and ``optim``."""
    sizes = [len(weights[0]), *(len(b) for b in biases)]
    model = tg.nn.MLP(sizes, activation=activation, output="linear", rng=0, dtype=X.dtype)
    model.load_state_dict(dict(zip(model.state_dict(), _alternate(weights, biases), strict=True)))
    optimizer = tg.optim.SGD(model.parameters(), lr=lr)
    X, target = tg.Tensor(X, requires_grad=False), tg.Tensor(target, requires_grad=False)

    def step():
        loss = tg.nn.cross_entropy(model(X), target, reduction=reduction)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


def _alternate(weights, biases):
    return [array for pair in zip(weights, biases, strict=True) for array in pair]


def compare(title, n, sizes, dtype, *, activation, reduction, lr, repeats):
    """Time one network; return the row of the table."""
    X, labels, T, weights, biases = data(n, sizes, dtype, np.random.default_rng(0))
    sigmoid = activation == "sigmoid"
    own, own_biases = [W.copy() for W in weights], [b.copy() for b in biases]
    steps = {
        "NumPy": (lambda: sigmoid_step(X, T, own[0], own_biases[0], own[1], own_biases[1], lr))
        if sigmoid
        else (lambda: relu_step(X, labels, own, own_biases, lr)),
        "tinygrad_mlp": ours(X, T if sigmoid else labels, weights, biases, activation, reduction, lr),
    }
    if has_torch():
        start = _alternate(weights, biases)
        steps["PyTorch"] = torch_step(X, T if sigmoid else labels, start, activation, reduction, lr, "SGD").step
    for _ in range(3):
        losses = {name: step() for name, step in steps.items()}
        for name, loss in losses.items():
            assert np.isclose(loss, losses["NumPy"], rtol=1e-4 if dtype == np.float32 else 1e-9), (title, name, losses)
    times = interleaved(steps, repeats=repeats)
    unit = times["NumPy"]
    return [
        (f"{title}, one step", name, f"{time * 1e6:,.0f} µs", f"{time / unit:.2f} × NumPy")
        for name, time in times.items()
    ]


def main():
    """Return the rows of both networks."""
    small = {"activation": "sigmoid", "reduction": "sum", "lr": 1e-6, "repeats": 60}
    large = {"activation": "relu", "reduction": "mean", "lr": 1e-3, "repeats": 4}
    return [
        *compare("MLP 2-3-3, batch 300, float64", 300, (2, 3, 3), np.float64, **small),
        *compare("MLP 784-256-128-10, batch 128, float32", 128, (784, 256, 128, 10), np.float32, **large),
    ]
