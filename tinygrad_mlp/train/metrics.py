"""What is measured beside the loss: the classification rate, and which ReLU units are dead."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from tinygrad_mlp.errors import DataError, GradientError, ShapeError, UnsupportedError
from tinygrad_mlp.graph import NODES, Node, no_grad, toposort, wrap
from tinygrad_mlp.nn import MLP, Module
from tinygrad_mlp.ops import any as any_of
from tinygrad_mlp.ops import relu, reshape

CHUNK = 4096  # rows that are evaluated at once: more would fill the memory with hidden units


class Score(NamedTuple):
    """A mean loss, and the classification rate where targets are classes."""

    loss: float
    accuracy: float | None


def classification_rate(y_true: Any, y_pred: Any) -> float:
    """Return the share of labels that are predicted right: Σ 1(ŷ_i = y_i) / n.

    Args:
        y_true: labels of shape (n,).
        y_pred: labels of shape (n,).

    Raises:
        ShapeError: The shapes differ.
        DataError: There are no labels.

    >>> classification_rate([0, 1, 2, 1], [0, 1, 1, 1])
    0.75
    """
    truth, predicted = np.asarray(y_true), np.asarray(y_pred)
    if truth.shape != predicted.shape:
        raise ShapeError(f"classification_rate: {truth.shape} true and {predicted.shape} predicted labels")
    if not truth.size:
        raise DataError("classification_rate: there are no labels")
    return float(np.mean(truth == predicted))


class Objective:
    """The loss of a model on rows of data, and how many of them it classifies right.

    Args:
        model: An ``nn.MLP``, or any module that is called on rows.
        loss: ``loss(prediction, target)`` of the model's output; by default ``model.loss(X, y)``.

    Raises:
        DataError: There is no loss.
        UnsupportedError: The loss is no function.
    """

    def __init__(self, model: Module, loss: Callable[..., Any] | None = None) -> None:
        kind: Any = type(model)
        if loss is None and not hasattr(model, "loss"):
            raise DataError(f"fit: {kind.__name__} has no loss of its own: pass loss=, such as tg.cross_entropy")
        if loss is not None and not callable(loss):
            raise UnsupportedError(f"fit: loss is {loss!r}; pass a function of prediction and target, such as tg.hinge")
        self.model: Any = model
        self.loss = loss
        # an MLP as it is gives loss and labels from one pass; a subclass that computes otherwise is asked as a whole
        self.plain = isinstance(model, MLP) and kind.loss is MLP.loss and kind.__call__ is MLP.__call__

    def __call__(self, X: Any, y: Any) -> tuple[Any, Any]:
        """Return the loss, a node, and what predicts the labels: the linear predictor, the model's output, or None."""
        if self.plain:
            eta = self.model.linear_predictor(X)
            if self.loss is None:
                return self.model.family.loss(eta, y), eta
            return self.loss(self.model.family.mean(eta), y), eta
        if self.loss is None:
            return self.model.loss(X, y), None
        prediction = self.model(X)
        return self.loss(prediction, y), prediction

    def right(self, prediction: Any, y: Any) -> float | None:
        """Return how many rows are classified right; None where the targets are no classes."""
        if prediction is None:
            return None
        y = y._payload if type(y) in NODES else y
        if self.plain:
            family = self.model.family
            hits = family.predict(prediction) == family.labels(y) if family.classifies else None
        else:
            hits = _hits(prediction._payload if type(prediction) in NODES else prediction, y)
        return None if hits is None else float(hits.mean()) * len(y)


def _hits(prediction: Any, y: Any) -> Any:
    """Return which rows are right, if the targets are labels of as many classes as the prediction has columns."""
    if prediction.ndim != 2 or prediction.shape[1] < 2:
        return None
    if y.ndim == 1 and y.dtype.kind in "iu":
        return prediction.argmax(axis=1) == y
    if y.shape == prediction.shape and ((y == 0) | (y == 1)).all() and (y.sum(axis=1) == 1).all():
        return prediction.argmax(axis=1) == y.argmax(axis=1)
    return None


def evaluate(model: Module, X: Any, y: Any, *, loss: Callable[..., Any] | None = None) -> Score:
    """Return the mean loss of a model on data, and its classification rate; without dropout, without recording.

    Args:
        model: As ``fit`` takes it.
        X: shape (rows, features).
        y: shape (rows, …).
        loss: ``loss(prediction, target)``; by default the model's own.

    Raises:
        DataError: There are no rows, or the model has no loss.
    """
    return score(Objective(model, loss), np.asarray(X), np.asarray(y))


def score(objective: Objective, X: Any, y: Any) -> Score:
    """Return the loss and the rate over all rows, some at a time."""
    if not len(X):
        raise DataError("evaluate: there are no rows")
    total, right = 0.0, 0.0
    known = True
    with objective.model.evaluating(), no_grad():
        for start in range(0, len(X), CHUNK):
            rows = slice(start, start + CHUNK)
            value, prediction = objective(wrap(X[rows]), wrap(y[rows]) if objective.plain else y[rows])
            n = len(X[rows])
            total += float(value) * n
            hits = objective.right(prediction, y[rows])
            known = known and hits is not None
            right += hits or 0.0
    return Score(total / len(X), right / len(X) if known else None)


# --------------------------------------------------------------------------------------------------------- dead units


def relu_nodes(root: Node) -> list[Node]:
    """Return the ReLU nodes of a graph, from its inputs on."""
    return [node for node in reversed(toposort(root)) if node.op is relu]


def active_units(y: Any) -> Any:
    """Return which units, along the last axis of the output of a ReLU, an array or a node, are active for any row."""
    positive = y > 0
    return any_of(reshape(positive, (-1, y.shape[-1])), axis=0) if y.ndim else positive


class ReluActivity:
    """Which ReLU units were active for any row, gathered over several graphs of one model."""

    def __init__(self, model: Module) -> None:
        self.names = {id(p): name for name, p in model.named_parameters()}
        self.active: list[Any] = []
        self.layers: list[str] = []

    def add(self, root: Node) -> None:
        """Look at the ReLU nodes of the graph of ``root``."""
        nodes = relu_nodes(root)
        self.name(nodes)
        self.gather([active_units(node._payload) for node in nodes])

    def name(self, nodes: Sequence[Node]) -> None:
        """Take the names of the layers of ReLU nodes, unless they are known."""
        for i, node in enumerate(nodes[len(self.layers) :], len(self.layers)):
            self.layers.append(self._layer(node, i))

    def gather(self, active: Sequence[Any]) -> None:
        """Add which units of each ReLU node were active for rows of data."""
        for i, units in enumerate(active):
            if i == len(self.active):
                self.active.append(units)
            else:
                self.active[i] = self.active[i] | units

    def _layer(self, node: Node, i: int) -> str:
        """Return the name of the layer whose parameters feed ``node``."""
        name = layer_of(node, self.names)
        return name if name and name not in self.layers else f"relu {i + 1}"

    def shares(self) -> dict[str, float]:
        """Return the share of units of each layer that were never active."""
        return {name: float(1 - np.mean(active)) for name, active in zip(self.layers, self.active, strict=True)}


def layer_of(node: Node, names: dict[int, str]) -> str:
    """Return the module of the nearest parameter before ``node``, by the names of parameters; empty without one."""
    frontier, seen = [node], set()
    while frontier:
        following: list[Node] = []
        for x in (x for n in frontier for x in n.inputs if type(x) in NODES and id(x) not in seen):
            seen.add(id(x))
            if id(x) in names:
                return names[id(x)].rpartition(".")[0]
            following.append(x)
        frontier = following
    return ""


def dead_units(model: Module, X: Any) -> dict[str, float]:
    """Return for each ReLU layer the share of units that are 0 for every row of ``X``, and so get no gradient.

    Args:
        model: Any module; the ReLU nodes of its graph are looked at.
        X: shape (rows, features).

    Raises:
        GradientError: The output depends on no parameter.
    """
    runner: Any = model.linear_predictor if isinstance(model, MLP) else model
    with model.evaluating():
        root = runner(wrap(np.asarray(X)))
    if type(root) not in NODES or not root.requires_grad:
        raise GradientError("dead_units: the output depends on no parameter, so there is no graph to look at")
    activity = ReluActivity(model)
    activity.add(root)
    return activity.shares()
