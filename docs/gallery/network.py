"""The textbook diagram: kind="network".

Circles in columns, a line for each weight, bound to the live model: width and colour are the weight, solid and blue
where it is positive, dashed and vermillion where it is negative.
"""

import tinygrad_mlp as tg

X, labels = tg.data.three_clusters()
model = tg.nn.MLP([2, 3, 3], activation="sigmoid", output="softmax", rng=0)
tg.train.fit(model, X, labels, epochs=200, optimizer="adam", lr=0.1)
tg.draw(model, inputs=("x₁", "x₂"), outputs=("left", "top", "right")).save("network.svg")
