"""Losses of scores and vectors that shall keep a margin: hinges, rankings, cosines and triplets, as PyTorch's."""

from typing import Any

from tinygrad_mlp.errors import IndexingError, ShapeError, UnsupportedError
from tinygrad_mlp.ops.activations import relu, softplus
from tinygrad_mlp.ops.comparison import clip, equal, maximum, minimum, not_equal
from tinygrad_mlp.ops.elementwise import add, divide, multiply, negative, power, sqrt, square, subtract, where
from tinygrad_mlp.ops.indexing import getitem, one_hot
from tinygrad_mlp.ops.losses import check_labels, class_weights, picked_labels, reduce, same_shape
from tinygrad_mlp.ops.norms import vector_norm
from tinygrad_mlp.ops.reductions import sum
from tinygrad_mlp.ops.shaping import as_array, as_floating, expand_dims, normal_axis


def _above(x: Any) -> Any:
    """Return ``max(x, 0)`` with derivative 1 at 0, as PyTorch's ``clamp_min``."""
    return clip(x, 0.0, None)


def hinge(prediction: Any, target: Any, *, reduction: str = "mean") -> Any:
    """Return ``max(0, 1 - t · z)`` of scores z and targets t of -1 and 1; on the margin the derivative is half."""
    prediction, target = same_shape("hinge", prediction, target)
    return reduce(maximum(1 - target * prediction, 0.0), reduction)


def soft_margin_loss(prediction: Any, target: Any, *, reduction: str = "mean") -> Any:
    """Return ``log(1 + exp(-t · z))`` of scores z and targets t of -1 and 1."""
    z, t = same_shape("soft_margin_loss", prediction, target)
    return reduce(softplus(negative(multiply(t, z))), reduction)


def hinge_embedding_loss(prediction: Any, target: Any, *, margin: float = 1.0, reduction: str = "mean") -> Any:
    """Return a distance where the target is 1, and by how much it is below ``margin`` where the target is -1."""
    x, t = same_shape("hinge_embedding_loss", prediction, target)
    apart = where(not_equal(t, 1), _above(subtract(margin, x)), 0.0)
    return reduce(apart + where(not_equal(t, -1), x, 0.0), reduction)


def margin_ranking_loss(first: Any, second: Any, target: Any, *, margin: float = 0.0, reduction: str = "mean") -> Any:
    """Return ``max(0, -t · (first - second) + margin)``: with t = 1 the first shall be larger, with -1 the second."""
    first, second = same_shape("margin_ranking_loss", first, second)
    first, target = same_shape("margin_ranking_loss", first, target)
    return reduce(_above(add(multiply(negative(target), subtract(first, second)), margin)), reduction)


def cosine_embedding_loss(first: Any, second: Any, target: Any, *, margin: float = 0.0, reduction: str = "mean") -> Any:
    """Return ``1 - cos`` of two vectors where the target is 1, and ``max(0, cos - margin)`` where it is -1.

    Args:
        first, second: vectors along the last axis, shape (n, length) or (length,).
        target: 1 or -1 for each pair, shape (n,) or ().
        margin: the cosine that pairs of target -1 may have.
        reduction: "mean", "sum" or "none".
    """
    first, second = same_shape("cosine_embedding_loss", as_array(first), as_array(second))
    target = as_array(target)
    if not first.shape or tuple(target.shape) != tuple(first.shape[:-1]):
        raise ShapeError(f"cosine_embedding_loss: targets {tuple(target.shape)} for vectors {tuple(first.shape)}")
    squares = [add(sum(square(x), axis=-1), 1e-12) for x in (first, second)]  # PyTorch's guard against a zero vector
    cos = divide(sum(multiply(first, second), axis=-1), sqrt(multiply(*squares)))
    apart = where(equal(target, -1), _above(subtract(cos, margin)), 0.0)
    return reduce(where(equal(target, 1), subtract(1.0, cos), 0.0) + apart, reduction)


def triplet_margin_loss(
    anchor: Any,
    positive: Any,
    negatives: Any,
    *,
    margin: float = 1.0,
    p: float = 2.0,
    eps: float = 1e-6,
    swap: bool = False,
    reduction: str = "mean",
) -> Any:
    """Return by how much an anchor is not nearer, by ``margin``, to the positive vector than to the negative one.

    Args:
        anchor, positive, negatives: vectors along the last axis.
        margin: by how much nearer it shall be; positive.
        p: the norm of the distance.
        eps: added to every difference.
        swap: take the negative's distance from the positive vector where that is smaller.
        reduction: "mean", "sum" or "none".

    Source: V. Balntas, E. Riba, D. Ponsa, K. Mikolajczyk, *Learning local feature descriptors with triplets*, 2016.
    """
    if not margin > 0:
        raise UnsupportedError(f"triplet_margin_loss: margin is {margin}; it must be positive")
    anchor, positive = same_shape("triplet_margin_loss", as_array(anchor), as_array(positive))
    anchor, negatives = same_shape("triplet_margin_loss", anchor, as_array(negatives))
    normal_axis(-1, len(anchor.shape), "triplet_margin_loss")

    def distance(a: Any, b: Any) -> Any:
        return vector_norm(add(subtract(a, b), eps), axis=-1, ord=p)

    far = distance(anchor, negatives)
    if swap:
        far = minimum(far, distance(positive, negatives))
    return reduce(_above(add(subtract(distance(anchor, positive), far), margin)), reduction)


def multi_margin_loss(
    prediction: Any, target: Any, *, p: int = 1, margin: float = 1.0, weight: Any = None, reduction: str = "mean"
) -> Any:
    """Return the mean over classes of ``max(0, margin - z[label] + z)^p``, the label's own left out, as PyTorch's.

    Args:
        prediction: scores, shape (…, classes).
        target: integer labels of shape (…).
        p: 1 or 2.
        margin: by how much the label's score shall be largest.
        weight: a factor for each class, or None.
        reduction: "mean" (over samples), "sum" or "none".
    """
    if p not in (1, 2):
        raise UnsupportedError(f"multi_margin_loss: p is {p}; choose 1 or 2")
    prediction, target = as_floating(prediction), as_array(target)
    if check_labels("multi_margin_loss", prediction, target, -1):
        raise IndexingError("multi_margin_loss: a label is negative")
    weight = class_weights("multi_margin_loss", weight, prediction)
    short = relu(add(subtract(prediction, expand_dims(picked_labels(prediction, target), axis=-1)), margin))
    short = where(one_hot(target, prediction.shape[-1]), 0.0, short if p == 1 else power(short, 2))
    losses = divide(sum(short, axis=-1), prediction.shape[-1])
    return reduce(losses if weight is None else multiply(losses, getitem(weight, index=target)), reduction)
