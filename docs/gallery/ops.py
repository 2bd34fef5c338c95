"""Operations and modules: kind="ops".

A node for each operation on tensors, with shapes and summaries; a frame for each module, with the number of its
parameters. A function or a module is run once with its inputs, to see what it records; since nobody else can call
`backward()` then, its gradient is shown too.
"""

import tinygrad_mlp as tg

X, labels = tg.data.three_clusters()
model = tg.nn.MLP([2, 3, 3], activation="sigmoid", output="softmax", rng=0)


def loss(rows):
    return model.loss(rows, labels)


tg.draw(loss, tg.Tensor(X, requires_grad=False, name="X"), title="The loss of a 2-3-3 network").save("ops.svg")
