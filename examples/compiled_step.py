"""The notes' network compiled: a training step whose softmax and loss are written out becomes the gradient by hand.

Run: python examples/compiled_step.py
"""

import numpy as np

import tinygrad_mlp as tg
from tinygrad_mlp import data

X, labels = data.three_clusters()  # 300 points of three classes
T = data.one_hot(labels)


def loss(W, b1, V, b2, X, T):
    """The negative log-likelihood; exp overflows where an activation is above 709, and log(0) is -inf."""
    H = tg.sigmoid(X @ W + b1)
    A = H @ V + b2
    E = tg.exp(A)
    Y = E / tg.sum(E, axis=1, keepdims=True)
    return -tg.sum(T * tg.log(Y))


def step(W, b1, V, b2, X, T, lr):
    """The loss, and the parameters after a step against the gradient."""
    L, (dW, db1, dV, db2) = tg.value_and_grad(loss, argnums=(0, 1, 2, 3))(W, b1, V, b2, X, T)
    return L, W - lr * dW, b1 - lr * db1, V - lr * dV, b2 - lr * db2


fast = tg.compile(step)  # recorded at the first call, replayed as NumPy after it

state = np.random.RandomState(1)
start = [state.standard_normal(shape) for shape in ((2, 3), (3,), (3, 3), (3,))]
parameters = start
for epoch in range(1001):
    L, *parameters = fast(*parameters, X, T, 0.003)
    if epoch % 250 == 0:
        print(f"epoch {epoch:4d}   log-likelihood {-L:10.4f}")

slow, quick = step(*start, X, T, 0.003), fast(*start, X, T, 0.003)
distance = max(np.abs(a - b).max() for a, b in zip(slow, quick, strict=True))
print(f"\nlargest difference from the same step uncompiled: {distance:.1e}")

print("\nWhat was recorded, after the rules: no quotient T / Y is left, and dA is Y Σt - T.\n")
print(fast.source)

far = [*start[:3], np.array([0.0, 1000.0, -1000.0])]  # activations whose exponentials overflow
with np.errstate(all="ignore"):
    print(f"the loss far out: uncompiled {step(*far, X, T, 0.003)[0]}, compiled {fast(*far, X, T, 0.003)[0]:.1f}")
print(f"\n{fast.plan}")
