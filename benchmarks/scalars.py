"""How long does micrograd's demo take in scalar nodes? One step: forward, backward, update; a process for each engine.

A 2-16-16-1 ReLU network on 100 samples, hinge loss and L2 penalty: 65,000 nodes. Python's cycle collector is on, except
where the name says so: most of micrograd's time as installed is the collector walking its closures. A replay computes
the recorded step anew, gradient and update included; NumPy on the whole batch is what it is measured against.
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
    "tinygrad_mlp, replayed by levels": "recorded once",
    "tinygrad_mlp, replayed by numba": "recorded once",
    "NumPy on the whole batch": "written by hand",
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


def whole_batch():
    """Return a step of the same training in arrays, as one writes it by hand."""
    W = [np.array(rows).T.copy() for rows in starting_weights()]
    b = [np.zeros(w.shape[1]) for w in W]
    X, y = (np.array(values) for values in moons())

    def step():
        layers = [X]
        for w, bias in zip(W, b, strict=True):
            z = layers[-1] @ w + bias
            layers.append(np.maximum(z, 0.0) if w is not W[-1] else z)
        margins = 1 - y * layers[-1][:, 0]
        loss = np.maximum(margins, 0.0).mean() + 1e-4 * sum((p * p).sum() for p in (*W, *b))
        g = (-y * (margins > 0) / len(y))[:, None]
        for i in (2, 1, 0):
            dW, db = layers[i].T @ g + 2e-4 * W[i], g.sum(axis=0) + 2e-4 * b[i]
            g = (g @ W[i].T) * (layers[i] > 0)
            W[i] -= 0.01 * dW
            b[i] -= 0.01 * db
        return float(loss)

    return step


def replayed(engine):
    """Return a step that replays the graph of a whole step, the gradient and the update in it."""
    from tinygrad_mlp import Value
    from tinygrad_mlp.backward import cotangents
    from tinygrad_mlp.compiler.scalar import ScalarProgram
    from tinygrad_mlp.graph import EVERYTHING, recording

    parameters, network = plain_network(Value)
    values = [p.data for p in parameters]
    start = time.perf_counter()
    with recording(EVERYTHING):
        loss = loss_of(parameters, network, *moons())
        g = cotangents(loss, to=parameters, create_graph=True)
        updated = [p - 0.01 * g[p] for p in parameters]
    program = ScalarProgram(parameters, [loss, *updated], engine)
    print(f"recorded and planned in {time.perf_counter() - start:.2f} s: {program.plan}", file=sys.stderr)

    def step():
        found, *values[:] = program(values)
        return found

    return step


def loss_of(parameters, network, X, y):
    losses = [(1 + -label * network(x)).relu() for x, label in zip(X, y, strict=True)]
    return sum(losses) * (1.0 / len(losses)) + 1e-4 * sum(p * p for p in parameters)


def step_of(engine):
    """Return a step of training that returns the loss before it."""
    if engine == "NumPy on the whole batch":
        return whole_batch()
    if "replayed" in engine:
        return replayed(engine.split()[-1])
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
        loss = loss_of(parameters, network, X, y)
        for p in parameters:
            p.grad = 0.0
        loss.backward()
        for p in parameters:
            p.data -= 0.01 * p.grad
        return loss.data

    return step


def run(engine, steps=15):
    """Print the median seconds of a step and the losses, for the process that compares."""
    step = step_of(engine)
    gc.freeze()
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
            if any(name in engine and not find_spec(name) for name in ("micrograd", "numba")):
                continue
            command = [sys.executable, "-c", f"from benchmarks.scalars import run; run({engine!r})"]
            taken, values = ast.literal_eval(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
            times.setdefault(engine, []).append(taken)
            losses[engine] = values
    for engine, values in losses.items():
        assert np.allclose(values, losses["tinygrad_mlp"], rtol=1e-9), (engine, values, losses["tinygrad_mlp"])
    medians = {engine: median(taken) for engine, taken in times.items()}
    peer, unit = medians.get("micrograd, collector off"), medians["NumPy on the whole batch"]
    title = "micrograd's demo in scalar nodes, one step"
    return [
        (
            title,
            engine,
            f"{taken * 1e3:.3g} ms",
            f"{taken / unit:.3g} × NumPy" + (f", {taken / peer:.2g} × micrograd, collector off" if peer else ""),
        )
        for engine, taken in medians.items()
    ]
