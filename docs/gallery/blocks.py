"""Modules that repeat are folded.

Three or more modules in a row that do the same are one node, with their number. `expand="blocks.3"` opens one of
them; `depth=` and `collapse=` close more.
"""

import numpy as np

import tinygrad_mlp as tg
from tinygrad_mlp import nn


class Block(nn.Module):
    def __init__(self, width, rng):
        self.wide = nn.Linear(width, 4 * width, rng=rng)
        self.back = nn.Linear(4 * width, width, rng=rng)

    def __call__(self, x):
        return x + self.back(tg.gelu(self.wide(x)))


class Deep(nn.Module):
    def __init__(self, rng):
        self.first = nn.Linear(2, 8, rng=rng)
        self.blocks = [Block(8, rng) for _ in range(12)]
        self.last = nn.Linear(8, 1, rng=rng)

    def __call__(self, x):
        x = self.first(x)
        for block in self.blocks:
            x = block(x)
        return self.last(x)


model = Deep(np.random.default_rng(0))
tg.draw(model, np.ones((5, 2)), expand="blocks.3", title="Twelve blocks, one of them open").save("blocks.svg")
