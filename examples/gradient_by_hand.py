"""A gradient derived by hand against the engine: first as one might get it wrong, then right.

Run: python examples/gradient_by_hand.py
"""

import numpy as np

import tinygrad_mlp as tg

rng = np.random.default_rng(0)
x = rng.normal(size=3)  # one sample, three inputs
w = tg.Tensor(rng.normal(size=3), name="w")
v, t = 1.7, -1.0  # the output weight, and the target


def loss(w):
    """One sigmoid unit and a linear output: half the squared error of v · σ(w · x)."""
    h = tg.sigmoid(x @ w)
    return 0.5 * (v * h - t) ** 2


L = loss(w)
L.backward()

# By hand, with the chain rule: ∂L/∂w_i = ∂L/∂y · ∂y/∂h · ∂h/∂a · ∂a/∂w_i
h = 1 / (1 + np.exp(-(x @ w.numpy())))
y = v * h
outer = (y - t) * v * h * (1 - h)
attempts = {
    "∂a/∂w = w, a slip": outer * w.numpy(),
    "∂a/∂w = x, right": outer * x,
}

print(f"loss {L.item():.6f}, gradient by the engine {np.round(w.grad, 6)}")
for name, gradient in attempts.items():
    print(f"\n{name}")
    for i, (ours, engine) in enumerate(zip(gradient, w.grad, strict=True), 1):
        verdict = "agrees" if np.isclose(ours, engine, rtol=1e-9) else "DIFFERS"
        print(f"  ∂L/∂w{i}   by hand {ours:+.9f}   engine {engine:+.9f}   {verdict}")

# Neither need be trusted: a central difference asks the loss itself.
step = 1e-6
measured = [(loss(w.numpy() + step * e) - loss(w.numpy() - step * e)) / (2 * step) for e in np.eye(3)]
print(f"\nmeasured by central differences: {np.round(measured, 6)}")

# The gradient is a graph too, so the same engine gives the second derivatives.
print("\nsecond derivatives ∂²L/∂w∂w:")
print(np.round(tg.hessian(loss)(w.numpy()), 6))
