"""Gradients on the lines, activations in the circles.

With `show="gradients"` the lines are what `backward()` left; with `sample=` the circles are filled by what the units
give for one row.
"""

import tinygrad_mlp as tg

X, labels = tg.data.three_clusters()
model = tg.nn.MLP([2, 3, 3], activation="sigmoid", output="softmax", rng=0)
model.loss(X, labels).backward()
tg.draw(model, sample=X[0], show="gradients", inputs=("x₁", "x₂")).save("sample.svg")
