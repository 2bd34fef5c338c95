"""Draw what was computed: the graph of operations, as text and as a picture, and the network that it belongs to.

Usage: python draw_a_graph.py [FOLDER]. Writes neuron.svg and network.svg; needs no `dot`.
"""

import sys
from pathlib import Path

import numpy as np

import tinygrad_mlp as tg

folder = Path(sys.argv[1] if len(sys.argv) > 1 else ".")

# One neuron: every operation is a node, and after backward() every node knows its gradient.
x = tg.Tensor([1.0, -2.0], name="x", requires_grad=False)
w = tg.Tensor([0.5, 1.5], name="w")
b = tg.Value(0.25, name="b")
y = tg.sigmoid(w @ x + b)
y.backward(keep="all")
picture = tg.draw(y, rankdir="LR", title="y = σ(w·x + b)")
print(picture.text)
print(picture.save(folder / "neuron.svg"))

# The network of the lecture notes, 2-3-3, after a short training: line widths and colours are its weights.
X, labels = tg.data.three_clusters()
model = tg.nn.MLP([2, 3, 3], activation="sigmoid", output="softmax", rng=0)
history = tg.train.fit(model, X, labels, epochs=200, optimizer="adam", lr=0.1)
print(model.summary())
print(f"classification rate {np.mean(model.predict(X) == labels):.3f} after {history.epochs} epochs")
print(tg.draw(model, inputs=("x₁", "x₂"), outputs=("left", "top", "right")).save(folder / "network.svg"))
