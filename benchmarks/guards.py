"""What do the checks cost that make a late write to data an error? A training step with them and without, interleaved.

Without: no comparison of ticks in ``backward()``, and a raw array that a rule reads is not copied when it is recorded.
The step is that of ``eager``, with the batch once as a tensor (nothing to copy) and once as a raw array.
"""

import numpy as np

import tinygrad_mlp as tg
from benchmarks.eager import data
from benchmarks.timing import interleaved
from tinygrad_mlp.backward import edges
from tinygrad_mlp.table import op


def steps(n, sizes, dtype, activation, raw):
    """Return the same training step, guarded and not."""
    X, labels, *_ = data(n, sizes, dtype, np.random.default_rng(0))
    model = tg.nn.MLP(list(sizes), activation=activation, output="linear", rng=0, dtype=dtype)
    optimizer = tg.optim.SGD(model.parameters(), lr=1e-6)
    batch = X if raw else tg.Tensor(X, requires_grad=False)

    def guarded():
        loss = tg.nn.cross_entropy(model(batch), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    def unguarded():
        check, freeze = edges.check_fresh, op.freeze
        edges.check_fresh, op.freeze = (lambda _node: None), (lambda array: array)
        try:
            guarded()
        finally:
            edges.check_fresh, op.freeze = check, freeze

    return {"without checks": unguarded, "with checks": guarded}


def main():
    """Return the rows of two networks, each with two kinds of batch."""
    rows = []
    for title, n, sizes, dtype, activation, repeats in (
        ("MLP 2-3-3, batch 300, float64", 300, (2, 3, 3), np.float64, "sigmoid", 60),
        ("MLP 784-256-128-10, batch 128, float32", 128, (784, 256, 128, 10), np.float32, "relu", 4),
    ):
        for raw in (False, True):
            times = interleaved(steps(n, sizes, dtype, activation, raw), repeats=repeats)
            unit = times["without checks"]
            kind = "a raw batch" if raw else "a tensor as batch"
            rows += [
                (
                    f"checks against late writes: {title}, {kind}",
                    name,
                    f"{t * 1e6:,.0f} µs",
                    f"{t / unit:.3f} × without",
                )
                for name, t in times.items()
            ]
    return rows
