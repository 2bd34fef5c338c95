"""What a step changed: kind="diff".

Two states of a model: the lines are the differences. Of two recorded losses the graph is drawn, with what changed in
each node.
"""

import tinygrad_mlp as tg

X, labels = tg.data.three_clusters()
model = tg.nn.MLP([2, 3, 3], activation="sigmoid", output="softmax", rng=0)
before = model.state_dict()
model.loss(X, labels).backward()
tg.optim.SGD(model.parameters(), lr=0.5).step()
tg.draw(before, model, kind="diff").save("diff.svg")
