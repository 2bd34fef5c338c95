"""Randomness as nodes of the graph: a mask that holds its generator, and what multiplies by it."""

from typing import Any

import numpy as np

from tinygrad_mlp.errors import DTypeError, TinygradError
from tinygrad_mlp.ops.elementwise import multiply
from tinygrad_mlp.table import primitive


@primitive(symbol="mask", latex="m", differentiable=False, random=True)
def dropout_mask(xp: Any, _x: Any, /, p: float, rng: Any) -> Any:
    """Return an array like ``x`` that holds 0 with probability ``p``, else ``1 / (1 - p)``."""
    if not xp.isdtype(_x.dtype, "real floating"):
        raise DTypeError(f"dropout: {_x.dtype} cannot hold x / (1 - p): pass floats")
    keep = xp.asarray(np.random.default_rng(rng).random(tuple(_x.shape)) >= p)
    return xp.where(keep, xp.asarray(1 / (1 - p) if p < 1 else 0.0, dtype=_x.dtype), xp.asarray(0.0, dtype=_x.dtype))


def dropout(x: Any, p: float = 0.5, *, rng: Any, training: bool = True) -> Any:
    """Return ``x`` with each element set to 0 with probability ``p``, the others divided by ``1 - p``.

    Args:
        x: an array or a tensor of floats.
        p: probability of zero, in [0, 1].
        rng: a ``numpy.random.Generator``, or a seed for a new one.
        training: if False, ``x`` comes back as it is.

    Source: Srivastava et al., Dropout, JMLR 15 (2014), in the inverted form that needs no scaling at test time.
    """
    if not 0 <= p <= 1:
        raise TinygradError(f"dropout: p is {p}; a probability lies in [0, 1]")
    if rng is None:
        raise TinygradError("dropout: rng is None; pass a seed or a numpy.random.Generator")
    if not training or p == 0:
        return x
    return multiply(x, dropout_mask(x, p=p, rng=rng))
