"""What sets the scale of an array along axes: unit norm, mean 0 and variance 1, unit mean square, cosines."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from tinygrad_mlp.errors import ShapeError
from tinygrad_mlp.ops.comparison import maximum
from tinygrad_mlp.ops.elementwise import add, divide, multiply, square
from tinygrad_mlp.ops.indexing import numpys
from tinygrad_mlp.ops.norms import euclidean_norm, vector_norm
from tinygrad_mlp.ops.reductions import mean, sum, var
from tinygrad_mlp.ops.shaping import as_array, as_tuple, broadcast_to, normal_axis, numpy_dtype, reshape
from tinygrad_mlp.ops.special import rsqrt


def normalize(x: Any, p: float = 2.0, axis: int = 1, eps: float = 1e-12) -> Any:
    """Return ``x`` divided by its p-norm along ``axis``, or by ``eps`` where the norm is smaller; as PyTorch's.

    >>> normalize([[3.0, 4.0]])
    array([[0.6, 0.8]])

    Raises:
        AxisError: There is no such axis; of a vector the axis is 0, not the 1 of the default.
    """
    x = as_array(x)
    if not x.shape:
        return reshape(normalize(reshape(x, shape=(1,)), p, axis, eps), shape=())
    axis = normal_axis(axis, len(x.shape), "normalize")
    return divide(x, maximum(vector_norm(x, axis=axis, keepdims=True, ord=p), eps))


def layer_norm(x: Any, normalized_shape: Sequence[int], weight: Any = None, bias: Any = None, eps: float = 1e-5) -> Any:
    """Return ``x`` with mean 0 and variance 1 over its last axes, then scaled by ``weight`` and shifted by ``bias``.

    Args:
        x: shape (…, *normalized_shape).
        normalized_shape: the lengths of the axes that are normalised together.
        weight, bias: of shape ``normalized_shape``, or None.
        eps: added to the variance.

    Source: J. Ba, J. Kiros, G. Hinton, *Layer normalization*, 2016.
    """
    x = as_array(x)
    axes = _last_axes("layer_norm", x, normalized_shape, weight, bias)
    y = multiply(x - mean(x, axis=axes, keepdims=True), rsqrt(add(var(x, axis=axes, keepdims=True), eps)))
    return _affine(y, weight, bias)


def rms_norm(x: Any, normalized_shape: Sequence[int], weight: Any = None, eps: float | None = None) -> Any:
    """Return ``x`` divided by the root of its mean square over its last axes, then scaled by ``weight``.

    Args:
        x: shape (…, *normalized_shape).
        normalized_shape: the lengths of the axes that are normalised together.
        weight: of shape ``normalized_shape``, or None.
        eps: added to the mean square; the spacing of floats at 1 by default, as in PyTorch.

    Source: B. Zhang, R. Sennrich, *Root mean square layer normalization*, NeurIPS 2019.
    """
    x = as_array(x)
    axes = _last_axes("rms_norm", x, normalized_shape, weight)
    if eps is None:
        dtype = numpy_dtype(x.dtype)
        eps = float(np.finfo(dtype if dtype.kind == "f" else np.float64).eps)
    return _affine(multiply(x, rsqrt(add(mean(square(x), axis=axes, keepdims=True), eps))), weight, None)


def cosine_similarity(a: Any, b: Any, axis: int = 1, eps: float = 1e-8) -> Any:
    """Return the cosine of the angle between ``a`` and ``b`` along ``axis``; a norm below ``eps`` counts as ``eps``.

    >>> cosine_similarity([[3.0, 4.0]], [[6.0, 8.0]])
    array([1.])

    Raises:
        ShapeError: The shapes do not broadcast.
        AxisError: There is no such axis; of vectors the axis is 0, not the 1 of the default.
    """
    a, b = as_array(a), as_array(b)
    shape = numpys("cosine_similarity", np.broadcast_shapes, tuple(a.shape), tuple(b.shape))
    a, b = broadcast_to(a, shape=shape), broadcast_to(b, shape=shape)  # the axis is one of both together
    if not a.shape:
        return sum(cosine_similarity(reshape(a, shape=(1,)), reshape(b, shape=(1,)), axis, eps))
    axis = normal_axis(axis, len(a.shape), "cosine_similarity")
    norms = [maximum(euclidean_norm(x, axis=axis, keepdims=True), eps) for x in (a, b)]
    return sum(multiply(divide(a, norms[0]), divide(b, norms[1])), axis=axis)


def _affine(y: Any, weight: Any, bias: Any) -> Any:
    y = y if weight is None else multiply(y, weight)
    return y if bias is None else add(y, bias)


def _last_axes(name: str, x: Any, normalized_shape: Sequence[int], *scales: Any) -> tuple[int, ...]:
    """Return the last axes of ``x``, which must have the lengths given, and so must the scales."""
    shape = tuple(x.shape)
    lengths = as_tuple(normalized_shape)
    if not lengths or shape[-len(lengths) :] != lengths:
        raise ShapeError(f"{name}: the last axes of shape {shape} are not {lengths}")
    for scale in scales:
        if scale is not None and tuple(as_array(scale).shape) != lengths:
            raise ShapeError(f"{name}: a weight or bias of shape {tuple(as_array(scale).shape)} for axes {lengths}")
    return tuple(range(len(shape) - len(lengths), len(shape)))
