"""Every number: kind="scalar".

Each `Value` is a node with its number and its gradient: parameters blue, the output yellow. Where one points at an
operation, its formula is shown, in names and in numbers. Operations on tensors are taken apart into the
multiplications and additions that they stand for.
"""

import tinygrad_mlp as tg

x1, x2 = tg.Value(2.0, "x₁"), tg.Value(-1.0, "x₂")
w1, w2, b = tg.Value(0.5, "w₁"), tg.Value(-1.5, "w₂"), tg.Value(0.25, "b")
y = tg.tanh(w1 * x1 + w2 * x2 + b)
y.name = "y"
y.backward()
tg.draw(y, kind="scalar", rankdir="LR", title="One neuron").save("scalar.svg")
