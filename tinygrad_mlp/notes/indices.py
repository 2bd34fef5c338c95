"""Eq. 30–32 and 34–36 as sums over indices, evaluated on one sample and held against the engine."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from tinygrad_mlp import ops
from tinygrad_mlp.check.formulas import Array
from tinygrad_mlp.tensors import Tensor

from .differing import clashes, difference

UNEQUAL, EQUAL = (2, 3, 4, 5, 6), (3, 3, 3, 3, 3)  # units of each layer, inputs first
UNITS = ("sigmoid", "relu")
FACTORS = ("δ", "w³", "f′³", "w²", "f′²", "w¹", "f′¹")  # what is multiplied, from the output down
BELOW = ("h²", "h¹", "x")  # the last factor: the layer below the weight


def find_7(formula: Mapping[str, str]) -> str | None:
    """Check products such as ``m,ml,l,k->lk`` (δ_m w_ml³ f′_l³ h_k²), in the order of eq. 30, 31, 32.

    Layers of different widths show an index that runs to two lengths; layers of equal width show, by the gradient, one
    on the wrong axis.
    """
    reports = []
    for depth, (equation, product) in enumerate(formula.items()):
        values, _ = four_layers(UNEQUAL, "sigmoid", depth)
        names = [*FACTORS[: 3 + 2 * depth], BELOW[depth]]
        clashing = clashes(product, values, names)
        found = ["; ".join(clashing)] if clashing else []
        for unit in UNITS:
            values, gradient = four_layers(EQUAL, unit, depth)
            if not clashes(product, values, names):
                what = f"with 3 {unit} units a layer ∂J/∂w"
                wrong = difference(what, np.einsum(product, *values), gradient, "row column")
                found += [wrong] if wrong else []
        reports += [f"eq. {equation}: " + line for line in found]
    return "\n".join(reports) or None


def four_layers(sizes: Sequence[int], unit: str, depth: int) -> tuple[list[Array], Array]:
    """Return the factors of the gradient in w² (depth 0), w¹ (1) or w⁰ (2) of four layers, and the engine's gradient.

    Args:
        sizes: units of each layer, inputs first.
        unit: what the hidden units are.
        depth: which of the equations 30 to 32.

    A weight matrix has shape (out, in), as in eq. 29.
    """
    rng = np.random.default_rng(3)
    x, target = rng.normal(size=sizes[0]), np.eye(sizes[-1])[0]
    w0, w1, w2, w3 = (Tensor(rng.normal(size=(m, n))) for n, m in pairwise(sizes))
    f: Any = ops.sigmoid if unit == "sigmoid" else ops.relu
    h1 = f(w0 @ x + 0.5)
    h2 = f(w1 @ h1 + 0.5)
    h3 = f(w2 @ h2 + 0.5)
    y = ops.softmax(w3 @ h3)
    ops.sum(target * ops.log(y)).backward()
    slopes = [h * (1 - h) if unit == "sigmoid" else (h > 0) * 1.0 for h in (h.numpy() for h in (h3, h2, h1))]
    weights = [w.numpy() for w in (w3, w2, w1)]
    factors = [target - y.numpy()]
    for w, slope in zip(weights[: depth + 1], slopes, strict=False):
        factors += [w, slope]
    return [*factors, (h2.numpy(), h1.numpy(), x)[depth]], (w2, w1, w0)[depth].grad
