"""What does compiling cost? The memory of a step that has settled down, and the time of tracing and planning.

Memory is the peak that ``tracemalloc`` sees in a step of 784-256-128-10 on 1,024 rows: parameters and what an engine
keeps between steps count, the batch does not. Time is the first call less a later one, without a C compiler's.
"""

import gc
import time
import tracemalloc
from statistics import median

import numpy as np

from benchmarks import compiled_networks as networks
from benchmarks import compiled_scalars as scalars
from benchmarks import contest

MEMORY = "peak memory of a step, MLP 784-256-128-10, batch 1024, float32"
PLANNING = "tracing and planning: the first call less a later one"


def peak(make, steps=3):
    """Return the bytes at the peak of a step after some others."""
    gc.collect()
    tracemalloc.start()
    try:
        entry = make()
        for _ in range(steps):
            entry.step()
        tracemalloc.reset_peak()
        entry.step()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def memory():
    """Return the rows about memory."""
    X, labels, parameters = networks.data(1024, (784, 256, 128, 10), np.float32)

    def ours(step):
        return networks.ours(step, parameters, (X, labels), 1e-3)

    step = networks.training_step("relu", "mean")
    makers = {
        contest.NUMPY: lambda: networks.by_hand(X, labels, parameters, "relu", 1e-3),
        contest.OURS: lambda: ours(step),
        contest.COMPILED: lambda: ours(contest.compiled(step)),
        contest.DONATED: lambda: ours(contest.compiled(step, donate=0)),
    }
    _, missing = contest.enter(makers, contest.NUMPY, tolerance=1e-4)
    peaks = {name: peak(make) for name, make in makers.items() if name not in missing}
    unit = peaks[contest.NUMPY]
    return [
        (MEMORY, name, "", missing[name])
        if name in missing
        else (MEMORY, name, f"{peaks[name] / 2**20:.1f} MiB", f"{peaks[name] / unit:.2f} × {contest.NUMPY}")
        for name in makers
    ]


def preparing(f, arguments, tries, calls):
    """Return the median seconds that the first call takes more than a later one."""
    found = []
    for _ in range(tries):
        start = time.perf_counter()
        fast = contest.compiled(f)
        fast(*arguments)
        first, later = time.perf_counter() - start, []
        for _ in range(calls):
            start = time.perf_counter()
            fast(*arguments)
            later.append(time.perf_counter() - start)
        found.append(first - median(later))
    return median(found)


def planning():
    """Return the rows about time."""
    X, labels, parameters = networks.data(300, (2, 3, 3), np.float64)
    step = networks.training_step("sigmoid", "sum")
    work = {
        "MLP 2-3-3": (step, (parameters, X, np.eye(3)[labels], 1e-6), 7, 20),
        "micrograd's demo, 65,000 nodes": (scalars.training_step, (scalars.start(),), 3, 5),
    }
    rows = []
    for name, (f, arguments, tries, calls) in work.items():
        try:
            with contest.patience():
                rows.append((PLANNING, name, f"{preparing(f, arguments, tries, calls) * 1e3:,.1f} ms", ""))
        except Exception as error:  # noqa: BLE001  # what cannot be compiled says why; the table goes on
            rows.append((PLANNING, name, "", contest.reason(error)))
    return rows


def main():
    """Return the rows."""
    return [*memory(), *planning()]
