"""How long do ten elementwise operations and their gradient take, compiled, on a million numbers and on a thousand?

y = Σ tanh(a x + b) σ(x) + x exp(-x²) with its derivatives in x, a and b, float64. A million numbers are compared with
NumPy that a person arranged in blocks that stay in cache, a thousand with plain NumPy.
"""

import numpy as np

import tinygrad_mlp as tg
from benchmarks import contest, peers
from benchmarks.contest import Entry
from benchmarks.handwritten import elementwise, elementwise_in_blocks

A, B = 0.7, -0.3
BLOCKS = "NumPy in blocks"


def chain(x, a, b):
    """Return y, in the words of the library."""
    return tg.sum(tg.tanh(a * x + b) * tg.sigmoid(x) + x * tg.exp(-(x**2)))


def ours(x, **options):
    """Return the entry of the compiled chain, the gradient included."""
    fast = contest.compiled(tg.value_and_grad(chain, argnums=(0, 1, 2)), **options)
    return Entry(lambda: fast(x, A, B))


def torch_entry(x, compile=False):
    """Return the entry of PyTorch: autograd, or the same function under ``torch.compile``."""
    import torch

    x, a, b = torch.from_numpy(x.copy()), *(torch.tensor(v, dtype=torch.float64) for v in (A, B))

    def chain(x, a, b):
        return torch.sum(torch.tanh(a * x + b) * torch.sigmoid(x) + x * torch.exp(-(x**2)))

    def step():
        for v in (x, a, b):
            v.requires_grad_(True).grad = None
        y = chain(x, a, b)
        y.backward()
        return y.detach(), x.grad, a.grad, b.grad

    def one_graph():
        (dx, da, db), y = run(x, a, b)
        return y, dx, da, db

    if not compile:
        return Entry(step)
    run = torch.compile(torch.func.grad_and_value(chain, argnums=(0, 1, 2)))
    return Entry(one_graph)


def jax_entry(x):
    """Return the entry of JAX."""
    import jax
    from jax import numpy as jnp

    def chain(x, a, b):
        return jnp.sum(jnp.tanh(a * x + b) * jax.nn.sigmoid(x) + x * jnp.exp(-(x**2)))

    run, x = jax.jit(jax.value_and_grad(chain, argnums=(0, 1, 2))), jnp.array(x)
    return Entry(lambda: jax.block_until_ready(run(x, A, B)))


def compare(title, n, unit, repeats, rounds):
    """Return the rows for ``n`` numbers."""
    x = np.random.default_rng(0).normal(size=n)
    blocks = elementwise_in_blocks(n)
    eager = tg.value_and_grad(chain, argnums=(0, 1, 2))
    makers = {
        contest.NUMPY: lambda: Entry(lambda: elementwise(x, A, B)),
        BLOCKS: lambda: Entry(lambda: blocks(x, A, B)),
        contest.OURS: lambda: Entry(lambda: eager(x, A, B)),
        contest.COMPILED: lambda: ours(x),
        contest.COMPILED_C: lambda: ours(x, backend="c"),
    }
    if peers.has_torch():
        makers |= {"PyTorch": lambda: torch_entry(x), "torch.compile": lambda: torch_entry(x, compile=True)}
    if peers.has_jax():
        makers |= {"jax.jit": lambda: jax_entry(x)}
    return contest.contest(title, makers, unit=unit, tolerance=1e-10, repeats=repeats, rounds=rounds)


def main():
    """Return the rows for both lengths."""
    title = "ten elementwise operations and their gradient, {} float64"
    return [
        *compare(title.format("1e6"), 1_000_000, BLOCKS, repeats=1, rounds=25),
        *compare(title.format("1e3"), 1_000, contest.NUMPY, repeats=30, rounds=40),
    ]
