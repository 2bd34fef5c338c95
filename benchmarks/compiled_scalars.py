"""How long does micrograd's demo in scalar nodes take, recorded once and replayed? Against NumPy on the whole batch.

A 2-16-16-1 ReLU network on 100 samples, hinge loss and L2 penalty, update included: the 65,000 nodes of ``scalars``.
What is not compiled runs in a process of its own, so that neither measures the other's garbage.
"""

import ast
import subprocess
import sys
from importlib.util import find_spec

import numpy as np

import tinygrad_mlp as tg
from benchmarks import contest
from benchmarks.contest import Entry
from benchmarks.handwritten import hinge_step
from benchmarks.scalars import moons, starting_weights
from benchmarks.timing import interleaved

RATE, PENALTY = 0.01, 1e-4
ALONE = {"tinygrad_mlp eager": "tinygrad_mlp", "micrograd, collector off": "micrograd, collector off"}
ALONE["micrograd, as installed"] = "micrograd, as installed"


def start():
    """Return the first parameters: for each layer, for each neuron, its weights and then its bias, as floats."""
    return [[[*row, 0.0] for row in rows] for rows in starting_weights()]


def loss(layers, X, y):
    """Return the loss as micrograd's demo writes it, one number at a time."""
    losses = []
    for x, label in zip(X, y, strict=True):
        values = x
        for layer in layers:
            sums = [sum((w * v for w, v in zip(row[:-1], values, strict=True)), row[-1]) for row in layer]
            values = [tg.relu(total) for total in sums] if layer is not layers[-1] else sums
        losses.append(tg.relu(1 + -label * values[0]))
    return sum(losses) * (1.0 / len(losses)) + PENALTY * sum(p * p for layer in layers for row in layer for p in row)


def training_step(layers):
    """Return the loss and the parameters after a step of gradient descent."""
    X, y = moons()
    value, gradients = tg.value_and_grad(lambda layers: loss(layers, X, y))(layers)
    return value, [
        [[p - RATE * g for p, g in zip(row, slopes, strict=True)] for row, slopes in zip(*pair, strict=True)]
        for pair in zip(layers, gradients, strict=True)
    ]


def replayed(**options):
    """Return the entry of the compiled step."""
    fast, layers = contest.compiled(training_step, **options), start()

    def step():
        nonlocal layers
        value, layers = fast(layers)
        return value

    return Entry(step, lambda: matrices(layers))


def matrices(layers):
    """Return the parameters of each layer as NumPy has them: weights (in, out) and biases."""
    tables = [np.array(rows, dtype=float) for rows in layers]
    return [p for table in tables for p in (table[:, :-1].T, table[:, -1])]


def by_hand():
    """Return the entry of NumPy on the whole batch."""
    X, y = (np.array(part) for part in moons())
    own = [p.copy() for p in matrices(start())]
    return Entry(lambda: hinge_step(X, y, own[::2], own[1::2], RATE, PENALTY), lambda: own)


def alone(engine, steps):
    """Return the median seconds of a step of an engine that is not compiled, and its losses."""
    command = [sys.executable, "-c", f"from benchmarks.scalars import run; run({engine!r}, {steps})"]
    return ast.literal_eval(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def main():
    """Return the rows."""
    title = "micrograd's demo in scalar nodes, one step, update included"
    makers = {
        "NumPy on the whole batch": by_hand,
        "replayed": replayed,
        "replayed in C": lambda: replayed(backend="c"),
    }
    unit = next(iter(makers))
    entries, missing = contest.enter(makers, unit, tolerance=1e-9)
    times = interleaved({name: e.step for name, e in entries.items()}, repeats=3, rounds=60)
    step = by_hand().step
    expected = [float(step()) for _ in range(6)]
    for name, engine in ALONE.items():
        if not engine.startswith("micrograd") or find_spec("micrograd"):
            times[name], losses = alone(engine, len(expected))
            assert np.allclose(losses, expected, rtol=1e-9), (name, losses, expected)
    return [
        (title, name, f"{times[name] * 1e3:,.3f} ms", f"{times[name] / times[unit]:,.2f} × {unit}")
        if name in times
        else (title, name, "", missing[name])
        for name in (*makers, *ALONE)
        if name in times or name in missing
    ]
