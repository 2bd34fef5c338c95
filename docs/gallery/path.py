"""One weight's gradient, path by path: kind="path".

Every path from the loss to one node is lit, the product of its local derivatives written out below, and their sum,
the gradient. A network of four layers has millions of paths: then the largest few are shown, and the others are
counted and summed.
"""

import tinygrad_mlp as tg

w = tg.Value(0.5, "w")
h1, h2 = tg.tanh(w * 2.0), tg.sigmoid(w * -1.0)
loss = (h1 + h2 * 3.0 - 1.0) ** 2
loss.backward()
tg.draw(loss, w, kind="path", names=locals()).save("path.svg")
