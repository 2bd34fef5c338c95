"""Training steps of multilayer perceptrons in PyTorch and JAX, each as its users write it, on one core.

The functions take X (n, d), a target of labels or one-hot rows, weights (in, out) and biases in turn, "sigmoid" or
"relu", "sum" or "mean", a learning rate, "SGD" or "Adam".
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

    return Entry(step, lambda: [p.detach().t() for p in model.parameters()])


def torch_compiled(X, target, parameters, activation, reduction, lr, optimizer="SGD"):
    """Return forward, backward and update as one function under ``torch.compile``, parameters updated in place.

    A compiled module beside a compiled optimizer took 1.2 to 3 times as long, since each call goes through autograd.
    """
    import torch

    unit = getattr(torch, activation)
    start = [torch.from_numpy(p.copy()) for p in parameters]
    own, firsts, seconds = ([p.clone() for p in start], *([torch.zeros_like(p) for p in start] for _ in range(2)))
    count, X, target = torch.zeros((), dtype=start[0].dtype), torch.from_numpy(X), torch.from_numpy(target)

    def loss(parameters, X, target):
        for W, b in zip(parameters[:-2:2], parameters[1:-2:2], strict=True):
            X = unit(X @ W + b)
        Z = X @ parameters[-2] + parameters[-1]
        return torch.nn.functional.cross_entropy(Z, target, reduction=reduction)

    @torch.compile
    def descend(X, target):
        gradients, value = torch.func.grad_and_value(loss)(own, X, target)
        for p, g in zip(own, gradients, strict=True):
            p.sub_(lr * g)
        return value

    @torch.compile
    def adapt(X, target):
        gradients, value = torch.func.grad_and_value(loss)(own, X, target)
        count.add_(1)
        for p, g, m, v in zip(own, gradients, firsts, seconds, strict=True):
            m.mul_(0.9).add_(0.1 * g)
            v.mul_(0.999).add_(0.001 * g * g)
            p.sub_(lr * (m / (1 - 0.9**count)) / (torch.sqrt(v / (1 - 0.999**count)) + 1e-8))
        return value

    run = descend if optimizer == "SGD" else adapt
    return Entry(lambda: run(X, target).item(), lambda: own)


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

    def descend(state, X, T):
        value, gradients = jax.value_and_grad(loss)(state[0], X, T)
        return value, (jax.tree.map(lambda p, g: p - lr * g, state[0], gradients),)

    def adapt(state, X, T):
        own, firsts, seconds, count = state
        value, gradients = jax.value_and_grad(loss)(own, X, T)
        count = count + 1
        firsts = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, firsts, gradients)
        seconds = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, seconds, gradients)
        rate, scale = lr / (1 - 0.9**count), 1 / (1 - 0.999**count)
        own = jax.tree.map(lambda p, m, v: p - rate * m / (jnp.sqrt(scale * v) + 1e-8), own, firsts, seconds)
        return value, (own, firsts, seconds, count)

    T = target if target.ndim == 2 else np.eye(len(parameters[-1]), dtype=X.dtype)[target]
    start, X, T = [jnp.array(p) for p in parameters], jnp.array(X), jnp.array(T)
    state = (start,)
    if optimizer == "Adam":
        state += (*([jnp.zeros_like(p) for p in start] for _ in range(2)), jnp.zeros((), X.dtype))
    run = jax.jit(descend if optimizer == "SGD" else adapt, donate_argnums=0)

    def step():
        nonlocal state
        value, state = run(state, X, T)
        return value.item()

    return Entry(step, lambda: state[0])
