"""What does a gradient check cost? Beside PyTorch's, which also compares every element, and its fast mode.

``function`` measures every derivative on the function itself, ``graph`` checks the rule of every recorded operation.
Every check must confirm the gradients before it is timed. One BLAS thread.
"""

import gc
from itertools import pairwise

import numpy as np

import tinygrad_mlp as tg
from benchmarks.peers import has_torch
from benchmarks.scalars import loss_of, moons, neuron_network, plain_network
from benchmarks.timing import interleaved
from tinygrad_mlp.check.recording import Recording
from tinygrad_mlp.check.rules import check_rules

TORCH, FAST = "PyTorch", "PyTorch, fast mode"
METHODS = ("function", "graph")


def products(n):
    """Return the checks of a product of two n × n matrices."""
    rng = np.random.default_rng(0)
    A, B = rng.normal(size=(2, n, n))
    checks = {method: lambda method=method: tg.gradcheck(tg.matmul, A, B, method=method) for method in METHODS}
    if has_torch():
        import torch

        inputs = [torch.tensor(x, requires_grad=True) for x in (A, B)]
        checks[TORCH] = lambda: torch.autograd.gradcheck(torch.matmul, inputs)
        checks[FAST] = lambda: torch.autograd.gradcheck(torch.matmul, inputs, fast_mode=True)
    return checks


def network_weights(sizes=(20, 50, 3), n=40):
    """Return inputs, labels, and weights and biases in turn."""
    rng = np.random.default_rng(0)
    X, t = rng.normal(size=(n, sizes[0])), rng.integers(0, sizes[-1], n)
    W = [rng.normal(size=(a, b)) / np.sqrt(a) for a, b in pairwise(sizes)]
    return X, t, [W[0], np.zeros(sizes[1]), W[1], np.zeros(sizes[2])]


def network():
    """Return the checks of the loss of a network in its 1,203 parameters."""
    X, t, parameters = network_weights()

    def loss(W, b, V, c):
        return tg.cross_entropy(tg.tanh(X @ W + b) @ V + c, t)

    checks = {method: lambda method=method: tg.gradcheck(loss, *parameters, method=method) for method in METHODS}
    if has_torch():
        import torch

        inputs = [torch.tensor(p, requires_grad=True) for p in parameters]
        X_, t_ = torch.tensor(X), torch.tensor(t)

        def loss_(W, b, V, c):
            return torch.nn.functional.cross_entropy(torch.tanh(X_ @ W + b) @ V + c, t_)

        checks[TORCH] = lambda: torch.autograd.gradcheck(loss_, inputs)
        checks[FAST] = lambda: torch.autograd.gradcheck(loss_, inputs, fast_mode=True)
    return checks


def second_derivatives():
    """Return the checks of second derivatives: of tanh(A B), 5 × 5."""
    rng = np.random.default_rng(0)
    A, B = rng.normal(size=(2, 5, 5))
    checks = {m: lambda m=m: tg.gradgradcheck(lambda A, B: tg.tanh(A @ B), A, B, method=m) for m in METHODS}
    if has_torch():
        import torch

        inputs = [torch.tensor(x, requires_grad=True) for x in (A, B)]
        checks[TORCH] = lambda: torch.autograd.gradgradcheck(lambda A, B: torch.tanh(A @ B), inputs)
    return checks


def large_graph(blocks=50, n=100):
    """Return the check of the rules of 200 nodes of 100 × 100, and a forward and backward pass through them."""
    rng = np.random.default_rng(0)
    X = tg.Tensor(rng.normal(size=(n, n)))
    W = [tg.Tensor(rng.normal(size=(n, n)) / np.sqrt(n)) for _ in range(blocks)]

    def run():
        Y = X
        for w in W:
            Y = tg.tanh(Y @ w) * Y + w
        return Y

    def both():
        run().backward(np.ones((n, n)))
        return True

    order = Recording([run()]).order
    assert len(order) == 4 * blocks
    return {
        "forward and backward": both,
        "the rules of all nodes": lambda: not check_rules(order, np.random.default_rng(0)).faults,
    }


def scalar_graph(make):
    """Return the check of the rules of micrograd's demo, and a forward and backward pass through it."""
    parameters, model = make()
    X, y = moons()

    def both():
        loss_of(parameters, model, X, y).backward()
        return True

    order = Recording([loss_of(parameters, model, X, y)]).order
    return {
        "forward and backward": both,
        f"the rules of {len(order):,} nodes": lambda: not check_rules(order, np.random.default_rng(0)).faults,
    }


def rows(title, checks, unit, rounds):
    """Return the rows of one table, after all checks have confirmed the gradients."""
    for name, check in checks.items():
        assert check(), f"{title}: {name} rejects the gradients"
    gc.freeze()  # Python's cycle collector would walk the graphs that are checked again and again
    times = interleaved(checks, repeats=1, rounds=rounds)
    gc.unfreeze()
    unit = unit if unit in times else next(iter(times))
    names = {name: f"tinygrad_mlp, {name}" if name in METHODS else name for name in times}
    return [
        (
            title,
            names[name],
            f"{1e3 * time:,.{1 if time < 0.1 else 0}f} ms",
            f"{time / times[unit]:.3g} × {names[unit]}",
        )
        for name, time in times.items()
    ]


def main():
    """Return the rows of all checks."""
    from tinygrad_mlp import Value

    passes = "forward and backward"
    return [
        *rows("gradcheck of matmul, 10 × 10", products(10), TORCH, 15),
        *rows("gradcheck of matmul, 30 × 30", products(30), TORCH, 7),
        *rows("gradcheck of matmul, 60 × 60", products(60), TORCH, 3),
        *rows("gradcheck of an MLP 20-50-3, batch 40", network(), TORCH, 7),
        *rows("gradgradcheck of tanh(A B), 5 × 5", second_derivatives(), TORCH, 7),
        *rows("200 nodes of 100 × 100", large_graph(), passes, 15),
        *rows("micrograd's demo, operators of Value", scalar_graph(lambda: plain_network(Value)), passes, 3),
        *rows("micrograd's demo, nn.scalar", scalar_graph(neuron_network), passes, 5),
    ]
