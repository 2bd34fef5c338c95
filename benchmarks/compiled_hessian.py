"""How long does a Hessian-vector product of the notes' tiny network take, compiled? Against one derived by hand."""

import numpy as np

import tinygrad_mlp as tg
from benchmarks import contest, peers
from benchmarks.compiled_networks import data
from benchmarks.contest import Entry
from benchmarks.handwritten import sigmoid_hessian_product


def loss(parameters, X, T):
    """Return the summed cross entropy of the network, in the words of the library."""
    W, b1, V, b2 = parameters
    return tg.cross_entropy(tg.sigmoid(X @ W + b1) @ V + b2, T, reduction="sum")


def product(parameters, direction, X, T):
    """Return the Hessian of the loss times the direction."""
    return tg.hvp(lambda p: loss(p, X, T), parameters, direction)


def torch_entry(X, T, parameters, direction):
    """Return the entry of PyTorch: the gradient of the gradient's product with the direction."""
    import torch

    X, T = torch.from_numpy(X), torch.from_numpy(T)
    own = [torch.from_numpy(p.copy()).requires_grad_(True) for p in parameters]
    direction = [torch.from_numpy(v) for v in direction]

    def step():
        W, b1, V, b2 = own
        Z = torch.sigmoid(X @ W + b1) @ V + b2
        value = torch.nn.functional.cross_entropy(Z, T, reduction="sum")
        gradients = torch.autograd.grad(value, own, create_graph=True)
        slope = sum(torch.sum(g * v) for g, v in zip(gradients, direction, strict=True))
        return torch.autograd.grad(slope, own)

    return Entry(step)


def torch_compiled(X, T, parameters, direction):
    """Return the entry of ``torch.compile``: a derivative forwards of the gradient, as one function."""
    import torch

    X, T = torch.from_numpy(X), torch.from_numpy(T)
    own, direction = (tuple(torch.from_numpy(p.copy()) for p in group) for group in (parameters, direction))

    def value(own):
        W, b1, V, b2 = own
        return torch.nn.functional.cross_entropy(torch.sigmoid(X @ W + b1) @ V + b2, T, reduction="sum")

    run = torch.compile(lambda own, direction: torch.func.jvp(torch.func.grad(value), (own,), (direction,))[1])
    return Entry(lambda: run(own, direction))


def jax_entry(X, T, parameters, direction):
    """Return the entry of JAX: a derivative forwards of the gradient."""
    import jax
    from jax import numpy as jnp

    X, T, own, direction = jax.tree.map(jnp.array, (X, T, list(parameters), list(direction)))

    def value(own, X, T):
        W, b1, V, b2 = own
        return -jnp.sum(T * jax.nn.log_softmax(jax.nn.sigmoid(X @ W + b1) @ V + b2, axis=1))

    def product(own, direction, X, T):
        return jax.jvp(jax.grad(lambda p: value(p, X, T)), (own,), (direction,))[1]

    run = jax.jit(product)
    return Entry(lambda: jax.block_until_ready(run(own, direction, X, T)))


def main():
    """Return the rows."""
    X, labels, parameters = data(300, (2, 3, 3), np.float64)
    T, rng = np.eye(3)[labels], np.random.default_rng(1)
    parameters = [p + 0.1 * rng.normal(size=p.shape) for p in parameters]
    direction = [rng.normal(size=p.shape) for p in parameters]
    work = (parameters, direction, X, T)

    def compiled(**options):
        fast = contest.compiled(product, **options)
        return Entry(lambda: fast(*work))

    makers = {
        contest.NUMPY: lambda: Entry(lambda: sigmoid_hessian_product(X, T, parameters, direction)),
        contest.OURS: lambda: Entry(lambda: product(*work)),
        contest.COMPILED: compiled,
        contest.COMPILED_C: lambda: compiled(backend="c"),
    }
    if peers.has_torch():
        makers["PyTorch"] = lambda: torch_entry(X, T, parameters, direction)
        makers["torch.compile"] = lambda: torch_compiled(X, T, parameters, direction)
    if peers.has_jax():
        makers["jax.jit"] = lambda: jax_entry(X, T, parameters, direction)
    title = "Hessian-vector product, MLP 2-3-3, batch 300, float64"
    return contest.contest(title, makers, tolerance=1e-10, repeats=15)
