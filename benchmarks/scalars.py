"""How long does micrograd's demo take in scalar nodes? One step: forward, backward, update; a process for each engine.

A 2-16-16-1 ReLU network on 100 samples, hinge loss and L2 penalty: 65,000 nodes. Python's cycle collector is on, except
where the name says so: most of micrograd's time as installed is the collector walking its closures.
"""

import gc
import sys
import time
from importlib.util import find_spec
from statistics import median

import numpy as np

ENGINES = {
    "micrograd, collector off": "0 collections",
    "tinygrad_mlp": "operators of Value",
    "tinygrad_mlp, nn.Neuron": "one node a neuron's sum",
    "micrograd, as installed": "collector on",
}


def moons(n=100):
    """Return two half circles with noise, as lists, and labels -1 and 1."""
    rng = np.random.default_rng(0)
    angles = rng.uniform(0, np.pi, n)
    upper = np.arange(n) % 2 == 0
    X = np.where(upper[:, None], np.c_[np.cos(angles), np.sin(angles)], np.c_[1 - np.cos(angles), 0.5 - np.sin(angles)])
    return (X + rng.normal(scale=0.1, size=(n, 2))).tolist(), np.where(upper, 1.0, -1.0).tolist()


def starting_weights():
    """Return for each layer a list of the rows of its neurons' weights."""
    rng = np.random.default_rng(1)
    return [rng.uniform(-1, 1, (n_out, n_in)).tolist() for n_in, n_out in ((2, 16), (16, 16), (16, 1))]


def plain_network(Value):
    """Return the parameters, and the network as micrograd's ``nn`` writes it, in the operators of ``Value``."""
    layers = [[([Value(w) for w in row], Value(0.0)) for row in rows] for rows in starting_weights()]
    parameters = [p for layer in layers for weights, bias in layer for p in (*weights, bias)]

    def network(x):
        values = [Value(v) for v in x]
        for layer in layers:
            sums = [sum((w * v for w, v in zip(weights, values, strict=True)), bias) for weights, bias in layer]
            values = [total.relu() for total in sums] if layer is not layers[-1] else sums
        return values[0]

    return parameters, network


def neuron_network():
    """Return the parameters and the network of ``nn.scalar``."""
    import tinygrad_mlp as tg

    model = tg.nn.scalar.MLP(2, [16, 16, 1], rng=0)
    values = iter([v for rows in starting_weights() for row in rows for v in (*row, 0.0)])
    parameters = list(model.parameters())
    for p in parameters:
        p.data = next(values)
    return parameters, model


def run(engine, steps=15):
    """Print the median seconds of a step and the losses, for the process that compares."""
    if engine == "tinygrad_mlp, nn.Neuron":
        parameters, network = neuron_network()
    elif engine == "tinygrad_mlp":
        from tinygrad_mlp import Value

        parameters, network = plain_network(Value)
    else:
        from micrograd.engine import Value

        parameters, network = plain_network(Value)
        if engine == "micrograd, collector off":
            gc.disable()
    X, y = moons()

    def step():
        losses = [(1 + -label * network(x)).relu() for x, label in zip(X, y, strict=True)]
        loss = sum(losses) * (1.0 / len(losses)) + 1e-4 * sum(p * p for p in parameters)
        for p in parameters:
            p.grad = 0.0
        loss.backward()
        for p in parameters:
            p.data -= 0.01 * p.grad
        return loss.data

    times, losses = [], []
    for _ in range(steps):
        start = time.perf_counter()
        losses.append(step())
        times.append(time.perf_counter() - start)
    print(repr((median(times[2:]), losses)))


def main(rounds=3):
    """Return the rows: medians over processes that took turns."""
    import ast
    import subprocess

    times, losses = {}, {}
    for _ in range(rounds):
        for engine in ENGINES:
            if engine.startswith("micrograd") and not find_spec("micrograd"):
                continue
            command = [sys.executable, "-c", f"from benchmarks.scalars import run; run({engine!r})"]
            taken, values = ast.literal_eval(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
            times.setdefault(engine, []).append(taken)
            losses[engine] = values
    for engine, values in losses.items():
        assert np.allclose(values, losses["tinygrad_mlp"], rtol=1e-9), (engine, values, losses["tinygrad_mlp"])
    medians = {engine: median(taken) for engine, taken in times.items()}
    peer = medians.get("micrograd, collector off")
    title = "micrograd's demo in scalar nodes, one step"
    return [
        (title, engine, f"{taken * 1e3:.1f} ms", f"{taken / peer:.3f} × micrograd, collector off" if peer else "")
        for engine, taken in medians.items()
    ]
