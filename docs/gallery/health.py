"""What hinders learning: kind="health".

The colour is the order of magnitude of the gradient. Dead and saturated units, nan, inf, and parameters that no
gradient reaches are marked.
"""

import tinygrad_mlp as tg

X, labels = tg.data.three_clusters()
model = tg.nn.MLP([2, 16, 16, 3], activation=["sigmoid", "relu"], output="softmax", rng=0)
model.layers[0].weight.data = model.layers[0].weight.data * 30
model.layers[1].bias.data = model.layers[1].bias.data - 2
loss = model.loss(X, labels)
loss.backward()
tg.draw(loss, kind="health").save("health.svg")
