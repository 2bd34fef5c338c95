"""A gradient check, painted: kind="check".

The rule of each operation is checked on its own: right, at a kink, undecided, or wrong, with both numbers.
"""

import tinygrad_mlp as tg


@tg.primitive(symbol="cubed", elementwise=True)
def cubed(xp, x):
    """Return the third power."""
    return x * x * x


tg.defvjp(cubed, lambda g, y, x: g * 2 * x * x)  # it should be 3

v = tg.Tensor([0.0, 1.5, -2.0], name="v")
tg.draw((tg.relu(v) + cubed(v)).sum(), kind="check").save("check.svg")
