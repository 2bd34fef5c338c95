"""One training from a table to a network, as a record: rows, network, how it was trained, how good it is."""

import platform
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from importlib import metadata
from pathlib import PurePath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinygrad_mlp.data import Decision, Preprocessor, Table
from tinygrad_mlp.graph import no_grad
from tinygrad_mlp.nn import MLP
from tinygrad_mlp.train import History
from tinygrad_mlp.train.history import REASONS

from . import metrics

Floats = NDArray[np.float64]
PARTS = ("training", "validation", "test")


@dataclass(frozen=True, eq=False)
class TrainingRun:
    """What a report is made from.

    Attributes:
        table: the rows that have a target.
        dropped: how many rows had none.
        parts: the training, validation and test rows.
        decision: the task, and why it is that one.
        preprocessor: learnt from the training rows.
        model: the trained network.
        history: what ``train.fit`` returned.
        settings: how it was trained, as plain values: epochs, learning rate and so on.
        reading: how the file is written, as far as new files of the kind will be: the decimal sign.
        command: the command line that does the same again.
        digest: the SHA-256 of the data file, empty if it was a pipe.
    """

    table: Table
    dropped: int
    parts: Mapping[str, Table]
    decision: Decision
    preprocessor: Preprocessor
    model: MLP
    history: History
    settings: Mapping[str, Any] = field(default_factory=dict)
    reading: Mapping[str, str] = field(default_factory=dict)
    command: str = ""
    digest: str = ""

    @property
    def classifies(self) -> bool:
        """Whether the target is a class."""
        return self.preprocessor.task == "classification"

    @property
    def target(self) -> str:
        """The name of the target column."""
        return self.preprocessor.target.name

    @property
    def file(self) -> str:
        """The name of the data file, without its folder."""
        return PurePath(self.table.origin.source).name

    @property
    def kept(self) -> int:
        """The epoch whose parameters the network has: the best one under early stopping, otherwise the last."""
        history = self.history
        best = self.settings.get("patience") or history.stopped == "interrupted"
        return history.best_epoch if best and history.best_epoch else history.epochs

    @property
    def ending(self) -> str:
        """Why the training ended, and what was kept, in words."""
        history = self.history
        reasons = {
            "patience": f"no better validation loss for {self.settings.get('patience')} epochs",
            "interrupted": "interrupted by Ctrl-C",
        }
        reason = reasons.get(history.stopped) or REASONS.get(history.stopped, history.stopped)
        plural = "s" * (history.epochs != 1)
        return f"{history.epochs} epoch{plural} in {history.seconds:.2g} s; {reason}; kept epoch {self.kept}"

    def inputs(self, part: str) -> Floats:
        """Return the network's inputs for a part of the rows, shape (rows, inputs)."""
        return self.preprocessor.transform(self.parts[part])

    def targets(self, part: str) -> Any:
        """Return labels (rows,), or standardised values (rows, 1)."""
        return self.preprocessor.encode_target(self.parts[part])

    def truth(self, part: str) -> Any:
        """Return labels (rows,), or values in the unit of the target (rows,)."""
        targets = self.targets(part)
        return targets if self.classifies else self.preprocessor.decode_target(targets)

    def outputs(self, X: Floats) -> Floats:
        """Return what the network gives for inputs (rows, inputs): probabilities, or standardised values (rows, 1)."""
        self.model.eval()
        with no_grad():
            return np.asarray(self.model(X).numpy(), dtype=np.float64)

    def predicted(self, part: str) -> Any:
        """Return predicted labels (rows,), or values in the unit of the target (rows,)."""
        outputs = self.outputs(self.inputs(part))
        return outputs.argmax(axis=1) if self.classifies else self.preprocessor.decode_target(outputs)

    @cached_property
    def scores(self) -> dict[str, dict[str, Any]]:
        """The metrics of each part, as plain JSON values."""
        return {part: self._score(part) for part in PARTS}

    def _score(self, part: str) -> dict[str, Any]:
        if not self.classifies:
            return metrics.regression(self.truth(part), self.predicted(part))
        outputs = self.outputs(self.inputs(part))
        return metrics.classification(self.truth(part), outputs, self.preprocessor.classes)

    @cached_property
    def baseline(self) -> dict[str, Any]:
        """The test metrics of what looks at no column: the shares of the training classes, or their mean."""
        truth, known = self.truth("test"), self.truth("training")
        if not self.classifies:
            return metrics.regression(truth, np.full(len(truth), known.mean()))
        shares = np.bincount(known, minlength=len(self.preprocessor.classes)) / len(known)
        return metrics.classification(truth, np.tile(shares, (len(truth), 1)), self.preprocessor.classes)

    def record(self) -> dict[str, Any]:
        """Return everything that can be told in numbers and words, as plain JSON values."""
        history, model = self.history, self.model
        return {
            "task": self.preprocessor.task,
            "reason": self.decision.reason,
            "target": self.target,
            "data": {"file": self.file, "sha256": self.digest or None},
            "columns": list(self.preprocessor.columns),
            "left_out": dict(self.preprocessor.left_out),
            "rows": {
                "total": len(self.table) + self.dropped,
                "without_target": self.dropped,
                **{part: len(self.parts[part]) for part in PARTS},
            },
            "network": {
                "sizes": list(model.sizes),
                "hidden_units": [unit.name for unit in model.units],
                "output": model.family.unit,
                "parameters": sum(p.size for p in model.parameters()),
            },
            "settings": dict(self.settings),
            "epochs": history.epochs,
            "kept_epoch": self.kept,
            "stopped": history.stopped,
            "seconds": round(history.seconds, 3),
            "seed": self.settings.get("seed"),
            "metrics": self.scores,
            "baseline": self.baseline,
            "versions": versions(),
            "command": self.command,
        }


def versions() -> dict[str, str]:
    """Return the versions of what the numbers depend on."""
    found = {"python": platform.python_version(), "numpy": np.__version__}
    try:
        found["tinygrad_mlp"] = metadata.version("tinygrad-mlp")
    except metadata.PackageNotFoundError:  # run from a source tree that is not installed
        found["tinygrad_mlp"] = "not installed"
    return found
