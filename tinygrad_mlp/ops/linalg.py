"""Products of matrices, and the affine map of a layer."""

import math
from typing import Any

from tinygrad_mlp.ops.shaping import expand_dims, reshape, squeeze, sum_to, swapaxes
from tinygrad_mlp.table import defvjp, defvjps, primitive


def _explain_matmul(a: Any, b: Any) -> str:
    """Return what is wrong with the shapes of a product."""
    left, right = (tuple(getattr(x, "shape", ())) for x in (a, b))
    if not left or not right:
        return f"matmul: {left} @ {right}: a scalar has no inner axis; use *"
    inner_a, inner_b = left[-1], right[-2] if len(right) > 1 else right[0]
    if inner_a != inner_b:
        return f"matmul: {left} @ {right}: inner lengths {inner_a} and {inner_b} differ"
    return f"matmul: {left} @ {right}: the leading axes do not broadcast"


@primitive(symbol="@", latex="{0} {1}", analytic=True, explain=_explain_matmul)
def matmul(xp: Any, a: Any, b: Any) -> Any:
    """Return the matrix product ``a @ b``; leading axes broadcast, a 1-d operand is a row left, a column right.

    Raises:
        ShapeError: The inner lengths differ, or the leading axes do not broadcast.
    """
    return xp.matmul(a, b)


def _matmul_left(g: Any, _y: Any, _a: Any, b: Any) -> Any:
    if _a.ndim == 2 and b.ndim == 2:
        return g @ b.T
    if b.ndim == 1:
        return expand_dims(g, -1) * b
    if _a.ndim == 1:
        return sum_to(squeeze(b @ expand_dims(g, -1), -1), _a.shape)
    return sum_to(g @ swapaxes(b, -1, -2), _a.shape)


def _matmul_right(g: Any, _y: Any, a: Any, _b: Any) -> Any:
    if a.ndim == 2 and _b.ndim == 2:
        return a.T @ g
    if a.ndim == 1:
        return a * g if _b.ndim == 1 else sum_to(expand_dims(a, -1) * expand_dims(g, -2), _b.shape)
    if _b.ndim == 1:
        return sum_to(squeeze(swapaxes(a, -1, -2) @ expand_dims(g, -1), -1), _b.shape)
    return sum_to(swapaxes(a, -1, -2) @ g, _b.shape)


defvjp(matmul, _matmul_left, _matmul_right)


def _explain_linear(x: Any, weight: Any, bias: Any = None) -> str:
    shapes = f"input {tuple(x.shape)}, weight {tuple(weight.shape)}"
    if weight.ndim != 2:
        return f"linear: {shapes}: the weight must have two axes, (in, out)"
    if x.ndim == 0 or x.shape[-1] != weight.shape[0]:
        return f"linear: {shapes}: the last axis of the input must have length {weight.shape[0]}"
    return f"linear: {shapes}, bias {getattr(bias, 'shape', None)}: the bias must have shape ({weight.shape[1]},)"


@primitive(symbol="linear", latex="{0} {1} + {2}", analytic=True, explain=_explain_linear)
def linear(xp: Any, x: Any, weight: Any, bias: Any = None, /) -> Any:
    """Return ``x @ weight + bias`` as one node.

    Args:
        x: shape (…, in).
        weight: shape (in, out), as in XW.
        bias: shape (out,), or None.

    Raises:
        ShapeError: The shapes do not fit.
    """
    if weight.ndim != 2:
        raise ValueError
    y = xp.matmul(x, weight)
    if bias is None:
        return y
    if bias.ndim > 1 or bias.shape not in ((), (1,), y.shape[-1:]):
        raise ValueError
    return y + bias


def _linear_vjp(wanted: Any, g: Any, _y: Any, x: Any, weight: Any, _bias: Any, **_: Any) -> Any:
    wants_x, wants_weight, wants_bias = wanted
    rows = g if g.ndim == 2 else reshape(g, shape=(math.prod(g.shape[:-1]), weight.shape[1]))  # -1 fails at length 0
    samples = x if x.ndim == 2 else reshape(x, shape=(math.prod(x.shape[:-1]), weight.shape[0]))
    to_x = g @ weight.T if wants_x else None
    to_weight = samples.T @ rows if wants_weight else None
    return to_x, to_weight, sum_to(rows, shape=_bias.shape) if wants_bias else None


defvjps(linear, _linear_vjp)
