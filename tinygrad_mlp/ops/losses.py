"""Losses: what training makes small; each compares predictions with targets and reduces as in PyTorch."""

import math
from typing import Any

import numpy as np

from tinygrad_mlp.arrays import as_payload
from tinygrad_mlp.errors import (
    DataError,
    DTypeError,
    IndexingError,
    ShapeError,
    TinygradError,
    UnsupportedError,
)
from tinygrad_mlp.graph import NODES, TRACING, assume, mode
from tinygrad_mlp.ops import reductions
from tinygrad_mlp.ops.activations import log_softmax, sigmoid, softmax, softplus
from tinygrad_mlp.ops.arranging import moveaxis
from tinygrad_mlp.ops.comparison import (
    equal,
    greater,
    greater_equal,
    less,
    less_equal,
    logical_and,
    logical_or,
    maximum,
)
from tinygrad_mlp.ops.elementwise import (
    abs,
    add,
    divide,
    exp,
    log,
    multiply,
    negative,
    square,
    where,
)
from tinygrad_mlp.ops.indexing import getitem, one_hot, take_along_axis
from tinygrad_mlp.ops.reductions import mean, sum
from tinygrad_mlp.ops.shaping import as_array, as_floating, astype, expand_dims
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


def same_shape(name: str, prediction: Any, target: Any) -> tuple[Any, Any]:
    """Return both as something with a shape; a loss never broadcasts, since that hides a wrong shape."""
    if not (isinstance(prediction, float | int) and isinstance(target, float | int)):
        prediction, target = _as_arrays(prediction, target)
    shapes = [tuple(getattr(x, "shape", ())) for x in (prediction, target)]
    if shapes[0] != shapes[1]:
        raise ShapeError(f"{name}: prediction {shapes[0]} against target {shapes[1]}: the shapes must be the same")
    return prediction, target


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


def cross_entropy(
    prediction: Any,
    target: Any,
    weight: Any = None,
    *,
    ignore_index: int = -100,
    label_smoothing: float = 0.0,
    axis: int = -1,
    from_logits: bool = True,
    reduction: str = "mean",
) -> Any:
    """Return the cross entropy ``-Σ target · log softmax(prediction)``; its gradient in the logits is y - t.

    Args:
        prediction: shape (…, classes): logits, or with ``from_logits=False`` probabilities.
        target: integer labels of shape (…), or weights of the shape of ``prediction``, one-hot or soft.
        weight: a factor for each class, or None.
        ignore_index: the label of samples that do not count.
        label_smoothing: the share of every target that is spread evenly over the classes, from 0 to 1.
        axis: the axis of classes, the last by default; PyTorch's is 1.
        from_logits: whether the softmax is still to be taken; it is more exact to leave it to this function.
        reduction: "mean" (over samples; with labels, divided by the sum of their weights), "sum" or "none".

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
    if axis != -1:
        soft = given == shape
        prediction, target = moveaxis(prediction, axis, -1), moveaxis(target, axis, -1) if soft else target
        shape, given = prediction.shape, target.shape
    partly = False
    if given != shape or not shape:
        partly = check_labels("cross_entropy", prediction, target, ignore_index)
    if from_logits and type(prediction) in NODES and prediction.op is softmax:
        raise TinygradError(
            "cross_entropy: the prediction is the output of a softmax, which would be taken twice: "
            "give model.linear_predictor(X), or say from_logits=False"
        )
    if partly or weight is not None or label_smoothing:
        return _weighted_cross_entropy(
            prediction, target, weight, ignore_index, label_smoothing, from_logits, reduction
        )
    if from_logits:
        return softmax_cross_entropy(prediction, target, reduction=reduction)
    if len(given) < len(shape):
        return reduce(negative(log(picked_labels(prediction, target))), reduction)
    return reduce(-sum(_times_log(target, prediction), axis=-1), reduction)


def _weighted_cross_entropy(
    prediction: Any, target: Any, weight: Any, ignored: int, smoothing: float, from_logits: bool, reduction: str
) -> Any:
    """Return the cross entropy over the last axis with weights of the classes, ignored labels, or smoothed targets."""
    if not 0.0 <= smoothing <= 1.0:
        raise UnsupportedError(f"cross_entropy: label_smoothing is {smoothing}; it lies between 0 and 1")
    prediction = as_floating(prediction)
    weight = class_weights("cross_entropy", weight, prediction)
    n = prediction.shape[-1]
    if len(target.shape) == len(prediction.shape):
        if smoothing:
            target = multiply(target, 1.0 - smoothing) + smoothing / n
        target = target if weight is None else multiply(target, weight)
        if from_logits:
            return softmax_cross_entropy(prediction, target, reduction=reduction)
        return reduce(-sum(_times_log(target, prediction), axis=-1), reduction)
    absent = equal(target, ignored)
    labels = where(absent, 0, target)
    logs = log_softmax(prediction) if from_logits else prediction
    picked = where(absent, 0.0 if from_logits else 1.0, picked_labels(logs, labels))
    losses = negative(picked if from_logits else log(picked))
    factors = where(absent, 0.0, 1.0 if weight is None else getitem(weight, index=labels))
    factors = astype(factors, dtype=losses.dtype)
    losses = multiply(losses, factors)
    total = _weighted_mean(losses, factors, reduction)
    if not smoothing:
        return total
    logs = logs if from_logits else log(logs)
    even = negative(sum(logs if weight is None else multiply(logs, weight), axis=-1))
    even = _weighted_mean(where(absent, 0.0, even), factors, reduction)
    return multiply(total, 1.0 - smoothing) + multiply(even, smoothing / n)


def _weighted_mean(losses: Any, factors: Any, reduction: str) -> Any:
    """Return the losses reduced, their mean being divided by the sum of the factors that they have already."""
    return divide(sum(losses), sum(factors)) if reduction == "mean" else reduce(losses, reduction)


def class_weights(name: str, weight: Any, prediction: Any) -> Any:
    """Return the weights of the classes, which lie along the last axis of ``prediction``."""
    if weight is None:
        return None
    weight = as_array(weight)
    if tuple(weight.shape) != tuple(prediction.shape)[-1:]:
        raise ShapeError(f"{name}: weight of shape {tuple(weight.shape)} for {prediction.shape[-1]} classes")
    return astype(weight, dtype=prediction.dtype) if weight.dtype != prediction.dtype else weight


def picked_labels(x: Any, labels: Any) -> Any:
    """Return the elements of ``x`` at the labels along its last axis, which is gone."""
    return getitem(take_along_axis(x, expand_dims(labels, axis=-1), axis=-1), index=(..., 0))


def nll_loss(
    prediction: Any,
    target: Any,
    weight: Any = None,
    *,
    ignore_index: int = -100,
    axis: int = -1,
    reduction: str = "mean",
) -> Any:
    """Return minus the log probabilities of the labels, as PyTorch's ``nll_loss``.

    Args:
        prediction: log probabilities, shape (…, classes).
        target: integer labels of shape (…).
        weight: a factor for each class, or None.
        ignore_index: the label of samples that do not count.
        axis: the axis of classes, the last by default; PyTorch's is 1.
        reduction: "mean" (divided by the sum of the weights of the labels), "sum" or "none".

    >>> nll_loss([[-1.0, -2.0]], [1])
    np.float64(2.0)
    """
    check_reduction(reduction)
    prediction, target = as_floating(prediction), as_array(target)
    prediction = moveaxis(prediction, axis, -1) if axis != -1 else prediction
    check_labels("nll_loss", prediction, target, ignore_index)
    weight = class_weights("nll_loss", weight, prediction)
    absent = equal(target, ignore_index)
    labels = where(absent, 0, target)
    factors = astype(where(absent, 0.0, 1.0 if weight is None else getitem(weight, index=labels)), prediction.dtype)
    losses = negative(multiply(where(absent, 0.0, picked_labels(prediction, labels)), factors))
    return _weighted_mean(losses, factors, reduction)


def _times_log(weight: Any, p: Any) -> Any:
    """Return ``weight · log(p)``, 0 where both are 0."""
    absent = logical_and(equal(weight, 0), less_equal(p, 0))
    return multiply(weight, log(where(absent, 1.0, p)))


def _as_arrays(prediction: Any, target: Any) -> tuple[Any, Any]:
    """Return both with a shape: lists become arrays."""
    if prediction is None or target is None:
        raise DTypeError("a loss of None: give the prediction and the target")
    return (
        prediction if type(prediction) in NODES else as_payload(prediction),
        target if type(target) in NODES else as_payload(target),
    )


def check_labels(name: str, prediction: Any, target: Any, ignored: int) -> bool:
    """Return whether there may be labels to ignore among ``target``.

    Raises:
        ShapeError, DTypeError, IndexingError: It is not one label per row, below the number of classes.
    """
    shape, given = tuple(prediction.shape), tuple(target.shape)
    if not shape:
        raise ShapeError(f"{name}: the prediction is a scalar; it needs a last axis of classes")
    if given != shape[:-1]:
        raise ShapeError(
            f"{name}: prediction {shape} against target {given}: give labels of shape {shape[:-1]}"
            + (", or one weight per class" if name == "cross_entropy" else "")
        )
    labels = np.asarray(target._payload if type(target) in NODES else target)
    if labels.dtype.kind not in "iu":
        raise DTypeError(f"{name}: labels must be integers, not {labels.dtype}")
    if mode() & TRACING and type(target) in NODES and labels.size:  # those of a later call may be others
        known = logical_and(greater_equal(target, 0), less(target, shape[-1]))
        if not 0 <= ignored < shape[-1] and assume(reductions.all(known)):
            return False
        assume(reductions.all(logical_or(known, equal(target, ignored))))
    if 0 <= ignored < shape[-1] or (labels.size and (labels.min() < 0 or labels.max() >= shape[-1])):
        counted = labels[labels != ignored]
    else:
        return False
    if counted.size and (counted.min() < 0 or counted.max() >= shape[-1]):
        raise IndexingError(f"{name}: labels run from {counted.min()} to {counted.max()}, with {shape[-1]} classes")
    return True


def binary_cross_entropy_with_logits(
    logits: Any, target: Any, weight: Any = None, *, pos_weight: Any = None, reduction: str = "mean"
) -> Any:
    """Return ``-t log σ(z) - (1 - t) log(1 - σ(z))``, exact in both tails; its gradient in the logits is σ(z) - t.

    Args:
        logits: any shape.
        target: the same shape, probabilities of the positive class.
        weight: a factor for each element, broadcast to the logits, or None.
        pos_weight: a factor for the first term, one a class for example, broadcast to the logits, or None.
        reduction: "mean" (over elements), "sum" or "none".
    """
    name = "binary_cross_entropy_with_logits"
    z, t = same_shape(name, logits, target)
    if type(z) in NODES and z.op is sigmoid:
        raise TinygradError(
            "binary_cross_entropy_with_logits: the prediction is the output of a sigmoid, which would be taken twice: "
            "give model.linear_predictor(X), or use binary_cross_entropy"
        )
    positive = t * softplus(-z)
    if pos_weight is not None:
        positive = _scaled(f"{name}: pos_weight", positive, pos_weight)
    return reduce(_scaled(f"{name}: weight", positive + (1 - t) * softplus(z), weight), reduction)


def _scaled(what: str, losses: Any, weight: Any) -> Any:
    """Return losses times a weight, which broadcasts to them and not beyond."""
    if weight is None:
        return losses
    weight = as_array(weight)
    shape, given = tuple(getattr(losses, "shape", ())), tuple(weight.shape)
    tail = shape[len(shape) - len(given) :] if len(given) <= len(shape) else None
    if tail is None or any(n not in (1, m) for n, m in zip(given, tail, strict=True)):
        raise ShapeError(f"{what} of shape {given} does not broadcast to losses of shape {shape}")
    return multiply(losses, weight)


def binary_cross_entropy(prediction: Any, target: Any, weight: Any = None, *, reduction: str = "mean") -> Any:
    """Return ``-t log p - (1 - t) log(1 - p)`` of probabilities ``p``; the form with logits never rounds to log 0.

    Args:
        prediction: probabilities, any shape.
        target: the same shape, probabilities of the positive class.
        weight: a factor for each element, broadcast to the prediction, or None.
        reduction: "mean" (over elements), "sum" or "none".

    A certain mistake costs inf, and what has no weight nothing; PyTorch holds the logarithms above -100 instead.

    Raises:
        DataError: A prediction is no probability.
    """
    p, t = same_shape("binary_cross_entropy", prediction, target)
    values = p._payload if type(p) in NODES and not mode() & TRACING else p
    if assume(reductions.any(logical_or(less(values, 0), greater(values, 1)))):
        raise DataError("binary_cross_entropy: predictions are probabilities, from 0 to 1: apply sigmoid first")
    losses = -(_times_log(t, p) + _times_log(1 - t, 1 - p))
    return reduce(_scaled("binary_cross_entropy: weight", losses, weight), reduction)


def kl_div(prediction: Any, target: Any, *, log_target: bool = False, reduction: str = "mean") -> Any:
    """Return ``target · (log target - prediction)``, whose sum is the Kullback-Leibler divergence, as PyTorch's.

    Args:
        prediction: log probabilities, any shape.
        target: the same shape, probabilities, or with ``log_target`` their logarithms.
        log_target: whether the target holds logarithms.
        reduction: "mean" (over elements), "batchmean" (the sum divided by the first length), "sum" or "none".

    >>> kl_div([math.log(0.5), math.log(0.5)], [0.5, 0.5], reduction="sum")
    np.float64(0.0)
    """
    if reduction != "batchmean":
        check_reduction(reduction)
    x, t = same_shape("kl_div", as_array(prediction), target)
    losses = multiply(exp(t), t - x) if log_target else _times_log(t, t) - t * x
    if reduction != "batchmean":
        return reduce(losses, reduction)
    if not x.shape:
        raise ShapeError("kl_div: 'batchmean' of a number: there is no batch")
    return divide(sum(losses), x.shape[0])


# ------------------------------------------------------------------------------------------------------------ others


def squared_error(prediction: Any, target: Any, *, reduction: str = "mean") -> Any:
    """Return ``(prediction - target)²``; "mean" is over elements, as PyTorch's ``mse_loss``."""
    prediction, target = same_shape("squared_error", prediction, target)
    return reduce(square(prediction - target), reduction)


def absolute_error(prediction: Any, target: Any, *, reduction: str = "mean") -> Any:
    """Return ``|prediction - target|``; "mean" is over elements, as PyTorch's ``l1_loss``."""
    prediction, target = same_shape("absolute_error", prediction, target)
    return reduce(abs(prediction - target), reduction)


mse_loss, l1_loss = squared_error, absolute_error  # PyTorch's names


def smooth_l1_loss(prediction: Any, target: Any, *, beta: float = 1.0, reduction: str = "mean") -> Any:
    """Return ``d² / (2 beta)`` where the error d is smaller than ``beta``, else ``|d| - beta / 2``.

    >>> smooth_l1_loss([0.5, 3.0], [0.0, 0.0], reduction="none")
    array([0.125, 2.5  ])
    """
    if not beta >= 0:
        raise UnsupportedError(f"smooth_l1_loss: beta is {beta}; it must not be negative")
    if beta == 0:
        return absolute_error(prediction, target, reduction=reduction)
    prediction, target = same_shape("smooth_l1_loss", prediction, target)
    d = prediction - target
    size = abs(d)
    return reduce(where(size < beta, square(d) * (0.5 / beta), size - 0.5 * beta), reduction)


def huber_loss(prediction: Any, target: Any, *, delta: float = 1.0, reduction: str = "mean") -> Any:
    """Return ``d² / 2`` where the error d is smaller than ``delta``, else ``delta · (|d| - delta / 2)``.

    Args:
        prediction: any shape.
        target: the same shape.
        delta: the error, in the unit of the target, from which on the loss grows linearly; positive.
        reduction: "mean" (over elements), "sum" or "none".

    Raises:
        ShapeError: The shapes differ.
        UnsupportedError: ``delta`` is not positive, or the reduction is not one of the three.

    Source: P. Huber, *Robust estimation of a location parameter*, 1964.
    """
    if not delta > 0:
        raise UnsupportedError(f"huber_loss: delta is {delta}; it must be positive")
    prediction, target = same_shape("huber_loss", prediction, target)
    d = prediction - target
    size = abs(d)
    return reduce(where(size < delta, 0.5 * square(d), delta * (size - 0.5 * delta)), reduction)


def poisson_nll_loss(
    prediction: Any,
    target: Any,
    *,
    log_input: bool = True,
    full: bool = False,
    eps: float = 1e-8,
    reduction: str = "mean",
) -> Any:
    """Return minus the log likelihood of counts whose expectations are predicted, as PyTorch's.

    Args:
        prediction: the logarithms of the expectations, or with ``log_input=False`` these themselves.
        target: the counts, of the same shape.
        log_input: whether logarithms are predicted.
        full: add Stirling's approximation of ``log(target!)`` for counts above 1.
        eps: added to an expectation before its logarithm is taken.
        reduction: "mean" (over elements), "sum" or "none".
    """
    x, t = same_shape("poisson_nll_loss", as_array(prediction), target)
    losses = exp(x) - t * x if log_input else x - t * log(x + eps)
    if full:
        many = t > 1
        n = where(many, t, 1.0)
        losses = losses + where(many, n * log(n) - n + 0.5 * log(2 * math.pi * n), 0.0)
    return reduce(losses, reduction)


def gaussian_nll_loss(
    prediction: Any, target: Any, var: Any, *, full: bool = False, eps: float = 1e-6, reduction: str = "mean"
) -> Any:
    """Return minus the log likelihood of numbers whose means and variances are predicted, as PyTorch's.

    Args:
        prediction: the means, any shape.
        target: the numbers, of the same shape.
        var: the variances: of the same shape, with a last axis of length one or without it, or one number.
        full: add the constant ``log(2π) / 2``.
        eps: what a smaller variance counts as; its gradient passes as if it did not.
        reduction: "mean" (over elements), "sum" or "none".

    Raises:
        DataError: A variance is negative.
    """
    x, t = same_shape("gaussian_nll_loss", as_array(prediction), target)
    if type(var) in NUMBERS and getattr(x.dtype, "kind", "f") == "f":
        var = astype(as_array(var), dtype=x.dtype)  # a number never widens
    var = as_array(var)
    shape, given = tuple(x.shape), tuple(var.shape)
    if given and given == shape[:-1]:
        var = expand_dims(var, axis=-1)
    elif given not in (shape, (), (*shape[:-1], 1)):
        raise ShapeError(f"gaussian_nll_loss: variances of shape {given} for a prediction of shape {shape}")
    fixed = var.detach() if type(var) in NODES else var
    values = fixed._payload if type(fixed) in NODES and not mode() & TRACING else fixed
    if assume(reductions.any(less(values, 0))):
        raise DataError("gaussian_nll_loss: a variance is negative")
    if not eps > 0:
        raise UnsupportedError(f"gaussian_nll_loss: eps is {eps}; it must be positive")
    var = add(var, maximum(eps - fixed, 0))
    losses = 0.5 * (log(var) + divide(square(x - t), var))
    return reduce(losses + 0.5 * math.log(2 * math.pi) if full else losses, reduction)
