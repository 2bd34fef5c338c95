"""What does a row of the table cost beside NumPy's own function? Forward, and forward and backward, as ratios to it.

Vectors of 1,000 and of 100,000 numbers, matrices of as many in rows of 100, square matrices of 100 × 100. Processor
time of one thread, the median of several tries; small vectors show what a call costs, large ones the arithmetic.
"""

import time
from statistics import median

import numpy as np

import tinygrad_mlp as tg

TRIES, LEAST = 7, 2e-3  # LEAST: seconds that one try lasts at least


def seconds(f):
    """Return the processor time of one call."""
    f()
    start = time.process_time()
    f()
    calls = max(1, int(LEAST / max(time.process_time() - start, 1e-6)))
    found = []
    for _ in range(TRIES):
        start = time.process_time()
        for _ in range(calls):
            f()
        found.append((time.process_time() - start) / calls)
    return median(found)


def cases(n):
    """Return ``name: (row, NumPy's, operands)`` for vectors of ``n`` numbers and matrices of as many."""
    rng = np.random.default_rng(0)
    x, m, p = rng.normal(size=n), rng.normal(size=(n // 100, 100)), rng.uniform(0.5, 1.5, n)
    i, labels = rng.integers(0, n, n), rng.integers(0, 100, n // 100)

    def picked(m):
        return -(m - np.log(np.exp(m).sum(1, keepdims=True)))[np.arange(len(m)), labels].mean()

    return {
        "cumsum": (tg.cumsum, np.cumsum, (x,)),
        "cumprod of a vector": (tg.cumprod, np.cumprod, (p,)),
        "cumprod of rows": (lambda m: tg.cumprod(m, 1), lambda m: np.cumprod(m, 1), (m,)),
        "logcumsumexp": (tg.logcumsumexp, np.logaddexp.accumulate, (x,)),
        "take": (lambda x: tg.take(x, i), lambda x: np.take(x, i), (x,)),
        "index_add": (lambda x, p: tg.index_add(x, i, p), lambda x, p: np.add.at(x.copy(), i, p), (x, p)),
        "pad": (lambda m: tg.pad(m, 3), lambda m: np.pad(m, 3), (m,)),
        "sort": (tg.sort, np.sort, (x,)),
        "median of rows": (lambda m: tg.median(m, 1), lambda m: np.median(m, 1), (m,)),
        "norm of rows": (lambda m: tg.norm(m, axis=1), lambda m: np.linalg.norm(m, axis=1), (m,)),
        "prod of rows": (lambda m: tg.prod(m, 1), lambda m: np.prod(m, 1), (m,)),
        "std": (tg.std, np.std, (x,)),
        "erf (NumPy: tanh)": (tg.erf, np.tanh, (x,)),
        "cross_entropy": (lambda m: tg.cross_entropy(m, labels), picked, (m,)),
        "mse_loss": (tg.mse_loss, lambda x, p: np.square(x - p).mean(), (x, p)),
    }


def square_cases():
    """Return the same for matrices."""
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 100, 100))
    s = a @ a.T + 100 * np.eye(100)
    return {
        "einsum ij,jk->ik": (
            lambda a, b: tg.einsum("ij,jk->ik", a, b),
            lambda a, b: np.einsum("ij,jk->ik", a, b, optimize=True),
            (a, b),
        ),
        "inv": (tg.inv, np.linalg.inv, (s,)),
        "solve": (tg.solve, np.linalg.solve, (s, b)),
        "det": (tg.det, np.linalg.det, (a / 10,)),
        "cholesky": (tg.cholesky, np.linalg.cholesky, (s,)),
        "nuclear norm": (lambda a: tg.norm(a, "nuc"), lambda a: np.linalg.norm(a, "nuc"), (a,)),
    }


def backwards(row, operands):
    """Return a function that computes the row on tensors and its gradients."""
    seed = np.ones(np.shape(row(*operands)))

    def run():
        row(*(tg.Tensor(x, copy=False) for x in operands)).backward(seed)

    return run


def main():
    """Return the rows: NumPy's time, and the ratios to it."""
    rows = []
    for title, group in (
        ("1,000 numbers", cases(1_000)),
        ("100,000 numbers", cases(100_000)),
        ("100 × 100", square_cases()),
    ):
        for name, (row, theirs, operands) in group.items():
            unit = seconds(lambda theirs=theirs, operands=operands: theirs(*operands))
            tensors = [tg.Tensor(x) for x in operands]
            forward = seconds(lambda row=row, tensors=tensors: row(*tensors))
            both = seconds(backwards(row, operands))
            ratio = f"{forward / unit:.1f} × forward, {both / unit:.1f} × with backward"
            rows.append((f"a row beside NumPy: {title}", name, f"{unit * 1e6:,.0f} µs", ratio))
    return rows
