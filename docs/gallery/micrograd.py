"""A graph of 66,000 numbers.

micrograd's demo, a hundred samples through a network of single numbers. What is computed alike is one node, with its
count.
"""

import random

import tinygrad_mlp as tg

rng = random.Random(0)


def neuron(n):
    return [tg.Value(rng.uniform(-1, 1)) for _ in range(n)], tg.Value(0.0)


layers = [[neuron(n) for _ in range(m)] for n, m in ((2, 16), (16, 16), (16, 1))]


def network(x):
    for layer in layers:
        sums = [sum((w * v for w, v in zip(ws, x, strict=True)), b) for ws, b in layer]
        x = [s.relu() for s in sums] if layer is not layers[-1] else sums
    return x[0]


samples = [(rng.uniform(-1, 1), rng.uniform(-1, 1)) for _ in range(100)]
loss = sum((1 - network(x) * (1 if x[0] > x[1] else -1)).relu() for x in samples) / 100
loss.backward()
tg.draw(loss, names={"loss": loss}, title="100 samples through a 2-16-16-1 network").save("micrograd.svg")
