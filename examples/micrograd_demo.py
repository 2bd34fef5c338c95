"""micrograd's demo in scalar nodes: a 2-16-16-1 network learns two half moons, every number a node of one graph.

Run: python examples/micrograd_demo.py
"""

from tinygrad_mlp import data, no_grad
from tinygrad_mlp.nn import scalar

STEPS = 60

X, labels = data.moons(100, noise=0.1, rng=1)
points, signs = X.tolist(), (2 * labels - 1).tolist()  # -1 and 1, as the hinge loss wants them

model = scalar.MLP(2, [16, 16, 1], activation="relu", rng=1337)
parameters = model.parameters()
print(f"{model}: {len(parameters)} parameters, {len(points)} points")


def loss_and_accuracy():
    scores = [model(point) for point in points]
    hinge = sum(((1 - sign * score).relu() for sign, score in zip(signs, scores, strict=True)), 0.0) / len(points)
    penalty = 1e-4 * sum((p * p for p in parameters), 0.0)
    right = sum((score.data > 0) == (sign > 0) for sign, score in zip(signs, scores, strict=True))
    return hinge + penalty, right / len(points)


for step in range(STEPS):
    loss, accuracy = loss_and_accuracy()
    model.zero_grad()
    loss.backward()
    rate = 1.0 - 0.9 * step / STEPS
    for p in parameters:
        p.data -= rate * p.grad
    if step % 10 == 0 or step == STEPS - 1:
        print(f"step {step:3d}   loss {loss.data:.4f}   accuracy {accuracy:.0%}")

print("\nThe plane as the network sees it (# positive, . negative):")
with no_grad():
    for row in range(12):
        y = 1.5 - 2.5 * row / 11
        print("  " + "".join("#" if model([-1.5 + 4 * column / 47, y]).data > 0 else "." for column in range(48)))

# The same network, one neuron: its sum w·x + b is a single node.
neuron = scalar.Neuron(2, rng=0)
out = neuron([1.0, -2.0])
out.backward()
print(f"\nOne neuron: output {out.data:.4f} by {out.op}, gradients {[round(w.grad, 4) for w in neuron.weights]}")
