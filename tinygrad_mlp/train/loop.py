"""The training loop."""

import math
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from tinygrad_mlp.data import batches
from tinygrad_mlp.errors import TrainingError
from tinygrad_mlp.graph import wrap
from tinygrad_mlp.nn import Module
from tinygrad_mlp.nn.layers import generator
from tinygrad_mlp.optim import SGD, Adam, check_number

from .diagnosis import broken_parameter, culprit
from .history import History
from .inputs import check_count, check_model, make_optimizer, split
from .metrics import Objective, ReluActivity, score
from .progress import reporter
from .step import Step

WORTH = 8  # steps; to record and plan one takes as long as a few of them
Callback = Callable[[Any, History], Any]


def fit(
    model: Module,
    X: Any,
    y: Any,
    *,
    epochs: int = 100,
    batch_size: int | None = None,
    optimizer: Any = None,
    lr: float | None = None,
    loss: Callable[[Any, Any], Any] | None = None,
    validation: Any = None,
    callbacks: Callback | Iterable[Callback] = (),
    patience: int | None = None,
    min_change: float | None = None,
    rng: Any = 0,
    progress: bool = False,
    compiled: bool = True,
) -> History:
    """Train a model in place, and return the history of the run; the model is left in evaluation mode.

    Ctrl-C ends training with the best parameters so far, and the history of the finished epochs.

    Args:
        model: An ``nn.MLP``, or any module with a ``loss(X, y)``, or with a ``loss`` given here.
        X: shape (rows, features).
        y: labels or targets, shape (rows,) or (rows, outputs).
        epochs: Passes over the rows, at most.
        batch_size: Rows of a step, shuffled anew in each epoch; None takes all rows in their order.
        optimizer: "adam" (the default), "sgd", or an optimizer of the model's parameters.
        lr: Learning rate, with the name of an optimizer; 0.01 for Adam, 0.1 for SGD.
        loss: ``loss(prediction, target)`` of ``model(X)``, a scalar node; the model's negative log-likelihood by
            default.
        validation: A share of the rows to hold out, or a pair ``(X, y)``.
        callbacks: Functions ``callback(model, history)``, called after each epoch; one that returns True ends training.
        patience: Early stopping: end after so many epochs without a better validation loss (training loss, without
            validation), and in any case return to the best parameters.
        min_change: The notes' Δ: end when the training loss changes by less from one epoch to the next.
        rng: A seed or a ``numpy.random.Generator``, for the split and the batches.
        progress: Show a bar, or lines.
        compiled: Record the step once and replay it with ``tg.compile``, as long as the optimizer is one of ``optim``.
            Where the model or the loss cannot be recorded, a warning says why, and each step runs eagerly.

    Raises:
        DataError, ShapeError: Data that the model cannot take; nothing was trained.
        TrainingError: The loss became NaN or infinite. The model has its best parameters so far.
    """
    check_model(model)
    random = generator(rng, "fit")
    objective = Objective(model, loss)
    rows, targets, held_out = split(objective, X, y, validation, random)
    run = _Run(objective, make_optimizer(optimizer, lr, model), check_count("epochs", epochs), random)
    run.batch_size = None if batch_size is None else check_count("batch_size", batch_size)
    run.patience = None if patience is None else check_count("patience", patience)
    run.min_change = None if min_change is None else check_number("fit: min_change", min_change, above=0.0)
    run.compiled = bool(compiled) and type(run.optimizer).step in (SGD.step, Adam.step)
    run.callbacks = [callbacks] if callable(callbacks) else list(callbacks)
    return run.train(rows, targets, held_out, progress)


class _Best:
    """The parameters and buffers with the smallest loss so far; those before training until a loss was measured."""

    def __init__(self, model: Module) -> None:
        self.nodes = [*model.parameters(), *model.buffers()]
        self.loss = math.inf
        self.epoch = 0
        self.state = self._copy()

    def _copy(self) -> list[Any]:
        return [np.array(node._payload) for node in self.nodes]

    def present(self) -> list[Any]:
        """Return the present parameters and buffers; a step replaces their arrays, and never writes into them."""
        return [node._payload for node in self.nodes]

    def offer(self, loss: float, epoch: int, state: list[Any] | None = None) -> None:
        """Keep the parameters on which ``loss`` was measured, by default a copy of the present ones, if it is best."""
        if loss < self.loss:
            self.state, self.loss, self.epoch = state or self._copy(), loss, epoch

    def restore(self) -> str:
        """Return to the best parameters, and say which they are."""
        for node, data in zip(self.nodes, self.state, strict=True):
            node.assign(data)
        where = f"the parameters of epoch {self.epoch}, its best" if self.epoch else "its initial parameters"
        return f"the model is back at {where}"


class _Run:
    """One run of training."""

    batch_size: int | None = None
    patience: int | None = None
    min_change: float | None = None
    compiled: bool = False
    callbacks: list[Callback]

    def __init__(self, objective: Objective, optimizer: Any, epochs: int, rng: np.random.Generator) -> None:
        self.objective = objective
        self.model = objective.model
        self.optimizer = optimizer
        self.epochs = epochs
        self.rng = rng
        self.history = History()
        self.best = _Best(self.model)
        self.rectified = True  # until a graph without ReLU nodes is seen
        self.step = Step(objective, optimizer, False)

    def train(self, X: Any, y: Any, held_out: Any, progress: bool) -> History:
        """Return the history of all epochs."""
        start = time.perf_counter()
        history = self.history
        count = 1 if self.batch_size is None else -(-len(X) // self.batch_size)
        self.step = Step(self.objective, self.optimizer, self.compiled and self.epochs * count >= WORTH)
        try:
            # an overflow shows in the loss, which is checked in every step: a warning would say less
            with np.errstate(all="ignore"), reporter(progress, self.epochs) as report:
                while not history.stopped:
                    self._epoch(X, y, held_out)
                    report.show(history)
                    history.stopped = self._reason()
            broken = broken_parameter(self.model)
            if broken:
                raise TrainingError(f"after epoch {history.epochs}: {broken}; {self.best.restore()}; {self._advice()}")
            if self.patience is not None:
                self.best.restore()
        except KeyboardInterrupt:
            history.trim()
            if self.best.epoch:  # else no loss was measured, and what was learnt so far is the best there is
                self.best.restore()
            history.stopped = "interrupted"
        finally:
            self.model.eval()
            history.best_epoch = self.best.epoch
            history.seconds = time.perf_counter() - start
        return history

    def _epoch(self, X: Any, y: Any, held_out: Any) -> None:
        """Take one step a batch, measure, and append to the history."""
        number = self.history.epochs + 1
        activity = ReluActivity(self.model) if self.rectified else None
        if not self.model.training:
            self.model.train()
        total, hits, classes = 0.0, 0.0, True
        one = self.batch_size is None or self.batch_size >= len(X)
        count = 1 if self.batch_size is None else -(-len(X) // self.batch_size)
        for i, (xs, ys) in enumerate(self._batches(X, y), 1):
            before = self.best.present()
            value, prediction = self.step(xs, ys, activity)
            if not math.isfinite(value):
                self._fail(value, xs, ys, f"epoch {number}, batch {i} of {count}")
            if one and held_out is None:
                self.best.offer(value, number, before)  # the loss of the parameters as they were before the step
            right = self.objective.right(prediction, ys)
            classes = classes and right is not None
            total, hits = total + value * xs.shape[0], hits + (right or 0.0)
        numbers = {"loss": total / len(X)}
        if classes:
            numbers["accuracy"] = hits / len(X)
        if held_out is not None:
            found = score(self.objective, *held_out)
            numbers["validation_loss"] = found.loss
            if found.accuracy is not None:
                numbers["validation_accuracy"] = found.accuracy
        if held_out is not None or not one:
            self.best.offer(numbers.get("validation_loss", numbers["loss"]), number)
        shares = activity.shares() if activity is not None else {}
        self.rectified = bool(shares)
        self.history.add(numbers, shares)

    def _batches(self, X: Any, y: Any) -> Iterator[tuple[Any, Any]]:
        """Yield the rows and targets of each batch."""
        if self.batch_size is None:
            yield X, y
            return
        for rows in batches(len(X), self.batch_size, self.rng):
            yield X[rows], y[rows]

    def _fail(self, value: float, xs: Any, ys: Any, where: str) -> None:
        """Raise ``TrainingError`` because the loss of a batch is not finite; say what is the first that is not."""
        loss, _ = self.objective(wrap(xs), ys)
        text = f"{where}: the loss is {value}: {culprit(loss, self.model)}"
        raise TrainingError(f"{text}; {self.best.restore()}; {self._advice()}")

    def _advice(self) -> str:
        lr = getattr(self.optimizer, "lr", None)
        return "lower the learning rate" + (f" of {lr:g}" if isinstance(lr, float) else "") + ", or scale the data"

    def _reason(self) -> str:
        """Return why training should end now, or nothing."""
        history = self.history
        answers = [callback(self.model, history) for callback in self.callbacks]  # every one is called
        if any(answer is True for answer in answers):
            return "callback"
        losses = history.loss
        if self.min_change is not None and len(losses) > 1 and abs(losses[-1] - losses[-2]) < self.min_change:
            return "min_change"
        if self.patience is not None and history.epochs - self.best.epoch >= self.patience:
            return "patience"
        return "epochs" if history.epochs >= self.epochs else ""
