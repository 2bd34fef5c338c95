"""Training steps of multilayer perceptrons in PyTorch and JAX, each as its users write it, on one core.

The functions take X (n, d), a target of labels or one-hot rows, weights (in, out) and biases in turn, "sigmoid" or
"relu", "sum" or "mean", a learning rate, "SGD" or "Adam"; their state is by how much the parameters have changed.
"""

from importlib.util import find_spec

import numpy as np

from benchmarks.contest import Entry


def has_torch():
    """Return whether PyTorch is installed, and if so give it one thread."""
    if not find_spec("torch"):
        return False
    import torch

    torch.set_num_threads(1)
    return True


def has_jax():
    """Return whether JAX is installed, and if so let float64 be float64 and computations run in the calling thread.

    ``__main__`` leaves XLA one core; to hand a computation to another thread there would only cost time.
    """
    if not find_spec("jax"):
        return False
    import jax

    jax.config.update("jax_enable_x64", True)
    jax.config.update("jax_cpu_enable_async_dispatch", False)
    return True


def networks(*work, **options):
    """Return the makers of the entries of all peers that are installed."""
    makers = {}
    if has_torch():
        makers["PyTorch"] = lambda: torch_step(*work, **options)
        makers["torch.compile"] = lambda: torch_compiled(*work, **options)
    if has_jax():
        makers["jax.jit"] = lambda: jax_step(*work, **options)
    return makers


def torch_step(X, target, parameters, activation, reduction, lr, optimizer="SGD"):
    """Return a step through ``torch.nn`` and ``torch.optim``."""
    import torch

    layers, start = [], [torch.from_numpy(p.copy()) for p in parameters]
    for W, b in zip(start[::2], start[1::2], strict=True):
        linear = torch.nn.Linear(*W.shape, dtype=W.dtype)
        linear.weight.data, linear.bias.data = W.t().contiguous(), b.clone()
        layers += [linear, torch.nn.Sigmoid() if activation == "sigmoid" else torch.nn.ReLU()]
    model = torch.nn.Sequential(*layers[:-1])
    rule = getattr(torch.optim, optimizer)(model.parameters(), lr=lr)
    X, target = torch.from_numpy(X), torch.from_numpy(target)

    def step():
        loss = torch.nn.functional.cross_entropy(model(X), target, reduction=reduction)
        rule.zero_grad()
        loss.backward()
        rule.step()
        return loss.item()

    return Entry(step, lambda: [p.detach().t() - s for p, s in zip(model.parameters(), start, strict=True)])


def torch_compiled(X, target, parameters, activation, reduction, lr, optimizer="SGD"):
    """Return forward, backward and update as one function under ``torch.compile``: faster here than a compiled module.

    A compiled module and a compiled optimizer took 1.2 to 3 times as long, since each call goes through autograd.
    """
    import torch

    unit = getattr(torch, activation)

    def loss(parameters, X, target):
        for W, b in zip(parameters[:-2:2], parameters[1:-2:2], strict=True):
            X = unit(X @ W + b)
        Z = X @ parameters[-2] + parameters[-1]
        return torch.nn.functional.cross_entropy(Z, target, reduction=reduction)

    @torch.compile
    def run(state, X, target):
        gradients, value = torch.func.grad_and_value(loss)(state[0], X, target)
        if optimizer == "SGD":
            return value, ([p - lr * g for p, g in zip(state[0], gradients, strict=True)],)
        return value, adam(*state, gradients, lr, torch.sqrt)

    start = [torch.from_numpy(p.copy()) for p in parameters]
    return _functional(run, start, torch.from_numpy(X), torch.from_numpy(target), optimizer, torch)


def jax_step(X, target, parameters, activation, reduction, lr, optimizer="SGD"):
    """Return forward, backward and update under one ``jax.jit`` whose parameters are donated."""
    import jax
    from jax import numpy as jnp

    unit = getattr(jax.nn, activation)

    def loss(parameters, X, T):
        for W, b in zip(parameters[:-2:2], parameters[1:-2:2], strict=True):
            X = unit(X @ W + b)
        losses = -jnp.sum(T * jax.nn.log_softmax(X @ parameters[-2] + parameters[-1]), axis=1)
        return losses.sum() if reduction == "sum" else losses.mean()

    def run(state, X, T):
        value, gradients = jax.value_and_grad(loss)(state[0], X, T)
        if optimizer == "SGD":
            return value, (jax.tree.map(lambda p, g: p - lr * g, state[0], gradients),)
        return value, adam(*state, gradients, lr, jnp.sqrt)

    T = target if target.ndim == 2 else np.eye(len(parameters[-1]), dtype=X.dtype)[target]
    start = [jnp.array(p) for p in parameters]
    return _functional(jax.jit(run, donate_argnums=0), start, jnp.array(X), jnp.array(T), optimizer, jnp)


def adam(parameters, firsts, seconds, count, gradients, lr, sqrt):
    """Return the new state: parameters, both moments, and the number of steps as an array without axes."""
    count = count + 1
    firsts = [0.9 * m + 0.1 * g for m, g in zip(firsts, gradients, strict=True)]
    seconds = [0.999 * v + 0.001 * g**2 for v, g in zip(seconds, gradients, strict=True)]
    rate, scale = lr / (1 - 0.9**count), 1 / (1 - 0.999**count)
    steps = [rate * m / (sqrt(scale * v) + 1e-8) for m, v in zip(firsts, seconds, strict=True)]
    return [p - d for p, d in zip(parameters, steps, strict=True)], firsts, seconds, count


def _functional(run, start, X, target, optimizer, library):
    """Return the entry of a function that takes and returns the state."""
    first = [np.array(p) for p in start]
    state = (start,)
    if optimizer == "Adam":
        zeros = library.zeros_like
        state = (start, [zeros(p) for p in start], [zeros(p) for p in start], zeros(start[-1][0]))

    def step():
        nonlocal state
        value, state = run(state, X, target)
        return value.item()

    return Entry(step, lambda: [np.asarray(p) - s for p, s in zip(state[0], first, strict=True)])
