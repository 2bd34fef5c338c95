"""From a CSV file to a trained network: reading, splitting, preprocessing, fitting."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np

from tinygrad_mlp.data import Preprocessor, Table, decide_task, read_csv, train_test_split
from tinygrad_mlp.data.columns import parse_column
from tinygrad_mlp.data.targets import class_names
from tinygrad_mlp.errors import TinygradError
from tinygrad_mlp.nn import MLP
from tinygrad_mlp.report import PARTS, TrainingRun
from tinygrad_mlp.train import History, fit

from .output import CommandError


@dataclass(frozen=True)
class Source:
    """Where the rows come from and what is to be learnt about them.

    Attributes:
        path: the CSV file.
        target: the column to predict.
        task: classification, regression or auto.
        ignore: columns that are not to be used; several may stand in one text, with commas between.
        as_text: columns whose numbers are codes and no quantities; likewise.
        delimiter, decimal, encoding: how the file is written.
    """

    path: str
    target: str
    task: str = "auto"
    ignore: Sequence[str] = ()
    as_text: Sequence[str] = ()
    delimiter: str | None = None
    decimal: str = "."
    encoding: str = "utf-8"


@dataclass(frozen=True)
class Settings:
    """How the network is built and trained; the fields are the options of ``tinygrad-mlp train``."""

    hidden: tuple[int, ...] = (16, 16)
    activation: str = "relu"
    dropout: float = 0.0
    optimizer: str = "adam"
    lr: float = 0.01
    epochs: int = 200
    batch_size: int = 32
    patience: int = 20
    validation_share: float = 0.2
    test_share: float = 0.2
    seed: int = 0


def train_from(source: Source, settings: Settings, *, command: str = "", quiet: bool = False) -> TrainingRun:
    """Return the finished training.

    Args:
        source: the rows and the target.
        settings: the network and its training.
        command: the command line, for the report.
        quiet: print nothing and show no progress.

    Raises:
        DataError: the rows, or the target, cannot be used.
        CommandError: the network does not fit into memory.
        TrainingError: the loss became NaN or inf.
    """
    table, dropped = _read(source)
    decision = decide_task(table[source.target], source.task)
    parts = split(table, source.target, decision.task == "classification", settings)
    leave_out = _names(table, source.ignore)
    preprocessor = Preprocessor.fit(parts["training"], source.target, task=decision.task, leave_out=leave_out)
    model = build(preprocessor, settings)
    run = TrainingRun(
        table,
        dropped,
        parts,
        decision,
        preprocessor,
        model,
        History(),
        settings=vars(settings),
        reading={"decimal": source.decimal},
        command=command,
        digest=_digest(source.path),
    )
    if not quiet:
        describe_start(run)
    history = fit(
        model,
        run.inputs("training"),
        run.targets("training"),
        epochs=settings.epochs,
        batch_size=settings.batch_size,
        optimizer=settings.optimizer,
        lr=settings.lr,
        validation=(run.inputs("validation"), run.targets("validation")),
        patience=settings.patience or None,
        rng=settings.seed,
        progress=not quiet,
    )
    if not history.epochs:  # Ctrl-C before anything was learnt
        raise KeyboardInterrupt
    return replace(run, history=history)


def describe_start(run: TrainingRun) -> None:
    """Print what will be trained on what."""
    decision, n = run.decision, len(run.table)
    print(f"{run.file}: {n} rows with a {run.target}; {decision.task}: {decision.reason}", flush=True)
    for name, reason in run.preprocessor.left_out:
        print(f"  left out {name}: {reason}")
    print(f"  {', '.join(f'{len(run.parts[part])} {part}' for part in PARTS)} rows")
    print(f"  {run.model.title()}, {sum(p.size for p in run.model.parameters()):,} parameters", flush=True)


def split(table: Table, target: str, classes: bool, settings: Settings) -> dict[str, Table]:
    """Return the training, validation and test rows; classes have about the same shares in each."""
    rng = np.random.default_rng(settings.seed)
    share = settings.validation_share / (1 - settings.test_share)  # of what the test rows leave

    def divide(rows: Table, size: float) -> list[Table]:
        return train_test_split(rows, test_size=size, rng=rng, stratify=_classes(rows, target) if classes else None)

    rest, test = divide(table, settings.test_share)
    training, validation = divide(rest, share)
    return {"training": training, "validation": validation, "test": test}


MOST_PARAMETERS = (
    50_000_000  # 2 GB with gradients, Adam's two moments and the best so far; more is a slip of the keyboard
)


def build(preprocessor: Preprocessor, settings: Settings) -> MLP:
    """Return the network, with random weights."""
    sizes = [preprocessor.n_inputs, *settings.hidden, preprocessor.n_outputs]
    count = sum((n + 1) * m for n, m in pairwise(sizes))
    hidden = ",".join(map(str, settings.hidden))
    if count > MOST_PARAMETERS:  # NumPy would start to fill the memory, and the system kill the process
        raise CommandError(
            f"--hidden {hidden}: {count:,} parameters, which take too much memory and time: choose fewer units"
        )
    output = "softmax" if preprocessor.task == "classification" else "linear"
    try:
        return MLP(sizes, settings.activation, output, rng=settings.seed, dropout=settings.dropout)
    except (MemoryError, ValueError) as error:  # NumPy: no room, or more elements than an array can have
        if isinstance(error, TinygradError):
            raise
        raise CommandError(f"--hidden {hidden}: the network does not fit into memory: choose fewer units") from None


def _read(source: Source) -> tuple[Table, int]:
    """Return the rows that have a target, and how many have none."""
    table = read_csv(source.path, delimiter=source.delimiter, decimal=source.decimal, encoding=source.encoding)
    codes = set(_names(table, source.as_text))
    if codes:  # made anew from the cells: a pipe can be read only once
        columns = (parse_column(c.name, c.cells, c.origin, "text") if c.name in codes else c for c in table.columns)
        table = Table(tuple(columns), table.origin)
    known = table.drop_missing(source.target)
    return known, len(table) - len(known)


def _names(table: Table, given: Sequence[str]) -> list[str]:
    """Return column names from texts that are one, or several with commas between; a name may itself contain one."""
    names = [name for text in given for name in ([text] if text in table else text.split(","))]
    for name in names:
        table[name.strip()]  # raises the error that names the nearest column
    return [name.strip() for name in names]


def _classes(table: Table, target: str) -> list[str]:
    return [name or "" for name in class_names(table[target])]


def _digest(path: str) -> str:
    if not Path(path).is_file():
        return ""  # a pipe, which has been read
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
