"""The notes' 2-3-3 network from graph primitives: log-likelihood, its gradient by the engine and by hand, training.

Run: python examples/notes_network.py
"""

import numpy as np

import tinygrad_mlp as tg
from tinygrad_mlp import data
from tinygrad_mlp.check import formulas

X, labels = data.three_clusters()  # 300 points of three classes
T = data.one_hot(labels)

state = np.random.RandomState(1)  # the notes' seed, and their order of drawing
W = tg.Tensor(state.standard_normal((2, 3)), name="W")
V = tg.Tensor(state.standard_normal((3, 3)), name="V")
b1 = tg.Tensor(state.standard_normal(3), name="b1")
b2 = tg.Tensor(state.standard_normal(3), name="b2")
parameters = (W, V, b1, b2)


def forward():
    hidden = tg.sigmoid(X @ W + b1)
    return hidden, tg.softmax(hidden @ V + b2)


def log_likelihood(Y):
    return tg.sum(T * tg.log(Y))


H, Y = forward()
J = log_likelihood(Y)
J.backward()
print(f"log-likelihood {J.item():.10f} (the notes print -320.5080195131)")

by_hand = formulas.derivative_v(H.numpy(), T, Y.numpy())
print("\n∂J/∂V by the engine:")
print(V.grad)
print(f"by the hand formula Hᵀ(T − Y): largest difference {np.abs(V.grad - by_hand).max():.1e}")

print("\nGradient ascent, rate 0.003 (the notes take 0.000001, and 10,000 epochs):")
for epoch in range(301):
    _, Y = forward()
    J = log_likelihood(Y)
    for p in parameters:
        p.grad = None
    J.backward()
    if epoch % 60 == 0:
        rate = np.mean(Y.numpy().argmax(axis=1) == labels)
        print(f"epoch {epoch:3d}   log-likelihood {J.item():9.3f}   classification rate {rate:.1%}")
    for p in parameters:
        p.data += 0.003 * p.grad
