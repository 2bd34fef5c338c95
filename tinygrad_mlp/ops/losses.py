"""Losses: what training makes small; each compares predictions with targets and reduces as in PyTorch."""

from typing import Any

import numpy as np

from tinygrad_mlp.arrays import as_payload
from tinygrad_mlp.errors import DTypeError, IndexingError, ShapeError, TinygradError, UnsupportedError
from tinygrad_mlp.graph import NODES
from tinygrad_mlp.ops.activations import log_softmax, sigmoid, softmax, softplus
from tinygrad_mlp.ops.comparison import maximum
from tinygrad_mlp.ops.elementwise import abs, log, multiply, square, where
from tinygrad_mlp.ops.indexing import one_hot
from tinygrad_mlp.ops.reductions import mean, sum
from tinygrad_mlp.ops.shaping import astype, expand_dims
from tinygrad_mlp.table import NUMBERS, defvjps, primitive

REDUCTIONS = ("mean", "sum", "none")


def reduce(losses: Any, reduction: str, n: int | None = None) -> Any:
    """Return ``losses`` reduced: their mean (or their sum over ``n``), their sum, or as they are.

    Raises:
        UnsupportedError: The reduction is not "mean", "sum" or "none".
    """
    if reduction == "none":
        return losses
    if reduction == "sum":
        return sum(losses)
    check_reduction(reduction)
    return mean(losses) if n is None else sum(losses) / n


def check_reduction(reduction: str) -> None:
    """Raise ``UnsupportedError`` unless the reduction is one of the three."""
    if reduction not in REDUCTIONS:
        raise UnsupportedError(f"reduction {reduction!r}: choose one of {', '.join(REDUCTIONS)}")


# ------------------------------------------------------------------------------------------------------ cross entropy


@primitive(symbol="CE", latex=r"-\sum {1} \log\operatorname{{softmax}}({0})", saves=True)
def softmax_cross_entropy(xp: Any, logits: Any, target: Any, /, reduction: str = "mean") -> Any:
    """Return the cross entropy between ``target`` and ``softmax(logits)``, and save the softmax for the gradient.

    Args:
        logits: shape (…, classes).
        target: labels of shape (…), integers; or weights of shape (…, classes), one-hot or soft.
        reduction: "mean" over the rows, "sum", or "none".
    """
    z = logits - xp.max(logits, axis=-1, keepdims=True)
    e = xp.exp(z)
    total = xp.sum(e, axis=-1, keepdims=True)
    log_total = xp.log(total)
    n = rows(logits) if reduction == "mean" else 1
    if target.ndim < logits.ndim:
        picked = xp.take_along_axis(z, xp.expand_dims(target, axis=-1), axis=-1)
        losses = log_total - picked
        return xp.sum(losses) / n if reduction != "none" else losses[..., 0], e / total
    weight = xp.sum(target, axis=-1, keepdims=True)
    p = e * (weight / total)
    if reduction == "none":
        losses = weight * log_total - xp.sum(xp.where(target == 0, 0.0, target * z), axis=-1, keepdims=True)
        return losses[..., 0], p
    return (xp.sum_product(weight, log_total) - xp.sum_product(target, z)) / n, p


def rows(logits: Any) -> int:
    """Return how many samples an array of shape (…, classes) holds."""
    n = 1
    for length in logits.shape[:-1]:
        n *= length
    return n


def _softmax_cross_entropy_vjp(
    wanted: Any, g: Any, _y: Any, logits: Any, target: Any, saved: Any = None, reduction: str = "mean"
) -> Any:
    if reduction == "mean":
        g = g / rows(logits)
    elif reduction == "none":
        g = expand_dims(g, -1)
    labels = target.ndim < logits.ndim
    p = saved
    if p is None:
        p = softmax(logits) if labels else softmax(logits) * sum(target, axis=-1, keepdims=True)
    to_logits = p - (astype(one_hot(target, logits.shape[-1]), logits.dtype) if labels else target)
    return to_logits * g if wanted[0] else None, -log_softmax(logits) * g if wanted[1] else None


defvjps(softmax_cross_entropy, _softmax_cross_entropy_vjp)


def cross_entropy(prediction: Any, target: Any, *, from_logits: bool = True, reduction: str = "mean") -> Any:
    """Return the cross entropy ``-Σ target · log softmax(prediction)``; its gradient in the logits is y - t.

    Args:
        prediction: shape (…, classes): logits, or with ``from_logits=False`` probabilities.
        target: integer labels of shape (…), or weights of the shape of ``prediction``, one-hot or soft.
        from_logits: whether the softmax is still to be taken; it is more exact to leave it to this function.
        reduction: "mean" (over samples), "sum" or "none".

    Raises:
        ShapeError: The shapes do not fit.
        IndexingError: A label is negative, or not below the number of classes.
        TinygradError: The prediction is the output of a softmax, which would be taken twice.

    >>> cross_entropy([[0.0, 0.0]], [1], reduction="sum")
    np.float64(0.6931471805599453)
    """
    if reduction not in REDUCTIONS:
        check_reduction(reduction)
    prediction, target = _as_arrays(prediction, target)
    target = np.asarray(target) if type(target) in NUMBERS else target
    prediction = np.asarray(prediction) if type(prediction) in NUMBERS else prediction
    shape, given = prediction.shape, target.shape
    if given != shape or not shape:
        _check_labels(prediction, target)
    if from_logits:
        if type(prediction) in NODES and prediction.op is softmax:
            raise TinygradError(
                "cross_entropy: the prediction is the output of a softmax, which would be taken twice: "
                "give model.linear_predictor(X), or say from_logits=False"
            )
        return softmax_cross_entropy(prediction, target, reduction=reduction)
    weights = astype(one_hot(target, shape[-1]), prediction.dtype) if len(given) < len(shape) else target
    return reduce(-sum(_times_log(weights, prediction), axis=-1), reduction)


def _times_log(weight: Any, p: Any) -> Any:
    """Return ``weight · log(p)``, 0 where the weight is 0."""
    absent = weight == 0
    return where(absent, 0.0, multiply(weight, log(where(absent, 1.0, p))))


def _as_arrays(prediction: Any, target: Any) -> tuple[Any, Any]:
    """Return both with a shape: lists become arrays."""
    return (
        prediction if type(prediction) in NODES else as_payload(prediction),
        target if type(target) in NODES else as_payload(target),
    )


def _check_labels(prediction: Any, target: Any) -> None:
    """Raise unless ``target`` holds one label per row of ``prediction``, each below the number of classes."""
    shape, given = tuple(prediction.shape), tuple(target.shape)
    if not shape:
        raise ShapeError("cross_entropy: the prediction is a scalar; it needs a last axis of classes")
    if given != shape[:-1]:
        raise ShapeError(
            f"cross_entropy: prediction {shape} against target {given}: "
            f"give labels of shape {shape[:-1]}, or one weight per class"
        )
    labels = target._data if type(target) in NODES else target
    if labels.dtype.kind not in "iu":
        raise DTypeError(f"cross_entropy: labels must be integers, not {labels.dtype}")
    if labels.size and (labels.min() < 0 or labels.max() >= shape[-1]):
        low, high = labels.min(), labels.max()
        raise IndexingError(f"cross_entropy: labels run from {low} to {high}, with {shape[-1]} classes")


def binary_cross_entropy_with_logits(logits: Any, target: Any, *, reduction: str = "mean") -> Any:
    """Return ``-t log σ(z) - (1 - t) log(1 - σ(z))``, exact in both tails; its gradient in the logits is σ(z) - t.

    Args:
        logits: any shape.
        target: the same shape, probabilities of the positive class.
        reduction: "mean" (over elements), "sum" or "none".
    """
    z, t = _same_shape("binary_cross_entropy_with_logits", logits, target)
    if type(z) in NODES and z.op is sigmoid:
        raise TinygradError(
            "binary_cross_entropy_with_logits: the prediction is the output of a sigmoid, which would be taken twice: "
            "give model.linear_predictor(X), or use binary_cross_entropy"
        )
    return reduce(t * softplus(-z) + (1 - t) * softplus(z), reduction)


def binary_cross_entropy(prediction: Any, target: Any, *, reduction: str = "mean") -> Any:
    """Return ``-t log p - (1 - t) log(1 - p)`` of probabilities ``p``; the form with logits never rounds to log 0."""
    p, t = _same_shape("binary_cross_entropy", prediction, target)
    return reduce(-(_times_log(t, p) + _times_log(1 - t, 1 - p)), reduction)


# ------------------------------------------------------------------------------------------------------------ others


def squared_error(prediction: Any, target: Any, *, reduction: str = "mean") -> Any:
    """Return ``(prediction - target)²``; "mean" is over elements, as PyTorch's ``mse_loss``."""
    prediction, target = _same_shape("squared_error", prediction, target)
    return reduce(square(prediction - target), reduction)


def absolute_error(prediction: Any, target: Any, *, reduction: str = "mean") -> Any:
    """Return ``|prediction - target|``; "mean" is over elements, as PyTorch's ``l1_loss``."""
    prediction, target = _same_shape("absolute_error", prediction, target)
    return reduce(abs(prediction - target), reduction)


def hinge(prediction: Any, target: Any, *, reduction: str = "mean") -> Any:
    """Return ``max(0, 1 - t · z)`` of scores z and targets t of -1 and 1; on the margin the derivative is half."""
    prediction, target = _same_shape("hinge", prediction, target)
    return reduce(maximum(1 - target * prediction, 0.0), reduction)


def _same_shape(name: str, prediction: Any, target: Any) -> tuple[Any, Any]:
    """Return both as something with a shape; a loss never broadcasts, since that hides a wrong shape."""
    if type(prediction) in NODES or type(target) in NODES or not isinstance(prediction, float | int):
        prediction, target = _as_arrays(prediction, target)
    shapes = [tuple(getattr(x, "shape", ())) for x in (prediction, target)]
    if shapes[0] != shapes[1]:
        raise ShapeError(f"{name}: prediction {shapes[0]} against target {shapes[1]}: the shapes must be the same")
    return prediction, target
