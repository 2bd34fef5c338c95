"""What happened in training, epoch by epoch."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

REASONS = {
    "epochs": "all epochs done",
    "min_change": "the loss changed by less than min_change",
    "patience": "no better loss for `patience` epochs",
    "callback": "a callback asked to stop",
    "interrupted": "interrupted",
}


@dataclass(repr=False)
class History:
    """The curves of a training run, one number an epoch, and why it ended.

    Attributes:
        loss: mean training loss of each epoch, measured before each of its steps.
        accuracy: classification rate on the training rows in the same passes; empty where targets are no classes.
        validation_loss: loss on the validation rows after each epoch; empty without validation.
        validation_accuracy: classification rate on them.
        dead_units: for each ReLU layer, the share of units that no training row of the epoch made active.
        best_epoch: number, from 1, of the epoch with the smallest validation loss, or training loss without validation.
        stopped: which of ``REASONS`` ended it.
        seconds: how long it took.
    """

    loss: list[float] = field(default_factory=list)
    accuracy: list[float] = field(default_factory=list)
    validation_loss: list[float] = field(default_factory=list)
    validation_accuracy: list[float] = field(default_factory=list)
    dead_units: dict[str, list[float]] = field(default_factory=dict)
    best_epoch: int = 0
    stopped: str = ""
    seconds: float = 0.0

    @property
    def epochs(self) -> int:
        """The number of epochs that were finished."""
        return len(self.loss)

    @property
    def curves(self) -> dict[str, list[float]]:
        """The losses by name, as ``viz.plot.history`` takes them."""
        named = {"training": self.loss, "validation": self.validation_loss}
        return {name: values for name, values in named.items() if values}

    def add(self, numbers: Mapping[str, float], dead: Mapping[str, float]) -> None:
        """Append the numbers of one epoch, under the names of the attributes."""
        for name, share in dead.items():
            self.dead_units.setdefault(name, []).append(share)
        for name in ("accuracy", "validation_loss", "validation_accuracy", "loss"):  # loss last: it counts the epochs
            if name in numbers:
                getattr(self, name).append(numbers[name])

    def trim(self) -> None:
        """Drop what an interruption left of an unfinished epoch."""
        for values in (self.accuracy, self.validation_loss, self.validation_accuracy, *self.dead_units.values()):
            del values[self.epochs :]

    def latest(self) -> str:
        """Return the last epoch in one line: loss and classification rate on training and validation rows."""
        parts = []
        if self.loss:
            parts.append(f"loss {self.loss[-1]:.4g}" + (f" rate {self.accuracy[-1]:.3f}" if self.accuracy else ""))
        if self.validation_loss:
            rate = f" rate {self.validation_accuracy[-1]:.3f}" if self.validation_accuracy else ""
            parts.append(f"validation {self.validation_loss[-1]:.4g}{rate}")
        dead = {name: shares[-1] for name, shares in self.dead_units.items() if shares and shares[-1] > 0}
        parts += [f"{share:.0%} of {name} dead" for name, share in dead.items()]
        return ", ".join(parts)

    def as_dict(self) -> dict[str, Any]:
        """Return everything as plain lists and numbers, for JSON."""
        names = (
            "loss",
            "accuracy",
            "validation_loss",
            "validation_accuracy",
            "dead_units",
            "best_epoch",
            "stopped",
            "seconds",
        )
        return {"epochs": self.epochs, **{name: getattr(self, name) for name in names}}

    def __str__(self) -> str:
        epochs = f"{self.epochs} epoch{'s' * (self.epochs != 1)} in {self.seconds:.2g} s"
        reason = REASONS.get(self.stopped, self.stopped)
        best = f"best epoch {self.best_epoch}" if self.best_epoch else ""
        return "; ".join(part for part in (epochs, reason, self.latest(), best) if part)

    def __repr__(self) -> str:
        return f"<History: {self}>"
