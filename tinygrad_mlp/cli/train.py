"""``tinygrad-mlp train``: a network from a CSV file, with a report about it."""

import argparse
import json
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tinygrad_mlp.export import save_model
from tinygrad_mlp.nn import HIDDEN_UNITS
from tinygrad_mlp.report import TrainingRun, render
from tinygrad_mlp.report.markup import decimals, percent, quantity

from .output import CommandError, output_folder, write_text, writing
from .training import Settings, Source, train_from

RESULTS = ("report.html", "model.npz", "metrics.json")
DEFAULT = Settings()
DELIMITERS = {"comma": ",", "semicolon": ";", "tab": "\t", "bar": "|", "\\t": "\t"}


def add(commands: Any) -> None:
    """Add the command to the parser."""
    about = "train a network on a CSV file and report on it"
    parser = commands.add_parser(
        "train",
        help=about,
        description="Train a network on a CSV file. DIR gets model.npz, metrics.json and report.html.",
        epilog="Text columns become one input a category; missing numbers become the median of the training rows.",
    )
    parser.add_argument("data", metavar="DATA.csv", help="a CSV file with a header line")
    parser.add_argument("--target", required=True, metavar="COLUMN", help="the column to predict")
    parser.add_argument("--out", required=True, metavar="DIR", help="the folder for the results; made if missing")
    add_reading(parser)
    parser.add_argument(
        "--task",
        choices=("auto", "classification", "regression"),
        default="auto",
        help="what the target is (default: found out from its values)",
    )
    parser.add_argument("--ignore", action="append", default=[], metavar="COLUMNS", help="columns to leave out: a,b")
    parser.add_argument(
        "--as-text", action="append", default=[], metavar="COLUMNS", help="columns whose numbers are codes: a,b"
    )
    parser.add_argument("--quiet", action="store_true", help="print nothing but errors")
    _add_network(parser.add_argument_group("network"))
    _add_training(parser.add_argument_group("training"))
    parser.set_defaults(run=run)


def add_reading(parser: argparse.ArgumentParser, usual_decimal: str = ".") -> None:
    """Add the options that say how a CSV file is written."""
    parser.add_argument(
        "--delimiter",
        type=delimiter,
        metavar="SIGN",
        help="between fields: comma, semicolon, tab, bar, or a character (default: found out)",
    )
    parser.add_argument(
        "--decimal", choices=(".", ","), metavar="SIGN", help=f"in numbers: . or , (default: {usual_decimal})"
    )
    parser.add_argument("--encoding", default="utf-8", metavar="NAME", help="of the file (default: utf-8)")


def _add_network(group: Any) -> None:
    group.add_argument(
        "--hidden",
        type=sizes,
        default=DEFAULT.hidden,
        metavar="N,M,…",
        help="units of each hidden layer, or none (default: 16,16)",
    )
    group.add_argument(
        "--activation",
        choices=list(HIDDEN_UNITS),
        default=DEFAULT.activation,
        metavar="UNIT",
        help=f"of the hidden layers: {', '.join(HIDDEN_UNITS)} (default: %(default)s)",
    )
    group.add_argument(
        "--dropout",
        type=share(0.0),
        default=DEFAULT.dropout,
        metavar="P",
        help="share of hidden units dropped while training (default: 0)",
    )


def _add_training(group: Any) -> None:
    whole, whole_or_0 = positive(int), positive(int, zero=True)
    options: dict[str, tuple[Callable[[str], Any], str, str]] = {
        "lr": (positive(float), "RATE", "learning rate"),
        "epochs": (whole, "N", "passes over the training rows, at most"),
        "batch_size": (whole, "N", "rows of a step"),
        "patience": (
            whole_or_0,
            "N",
            "end after N epochs without a better validation loss and keep the best; 0: train to the end",
        ),
        "validation_share": (share(0.01), "P", "share of the rows that decides when to end"),
        "test_share": (share(0.01), "P", "share of the rows that only the final figures use"),
        "seed": (whole_or_0, "N", "of the split, the weights and the batches"),
    }
    group.add_argument(
        "--optimizer", choices=("adam", "sgd"), default=DEFAULT.optimizer, help="adam or sgd (default: %(default)s)"
    )
    for name, (kind, metavar, about) in options.items():
        option = "--" + name.replace("_", "-")
        default = getattr(DEFAULT, name)
        group.add_argument(option, type=kind, default=default, metavar=metavar, help=f"{about} (default: {default})")


def run(options: argparse.Namespace) -> int:
    """Train, and write the folder."""
    given = vars(options)
    settings = Settings(**{name: given[name] for name in vars(DEFAULT)})
    source = Source(
        options.data,
        options.target,
        options.task,
        options.ignore,
        options.as_text,
        options.delimiter,
        options.decimal or ".",
        options.encoding,
    )
    if settings.validation_share + settings.test_share >= 0.95:
        raise CommandError("--validation-share and --test-share leave too few rows to train on")
    command = shlex.join(["tinygrad-mlp", *options.given])
    with output_folder(options.out) as folder:
        trained = train_from(source, settings, command=command, quiet=options.quiet)
        write_results(folder, trained)
    if not options.quiet:
        show_results(trained)
        print(f"wrote {', '.join(str(Path(options.out) / name) for name in RESULTS)}")
    return 0


def write_results(folder: Path, trained: TrainingRun) -> None:
    """Write report, model and metrics of a training into a folder."""
    details = {"target": trained.target, "command": trained.command, **trained.reading}
    with writing(folder / "model.npz"):
        save_model(folder / "model.npz", trained.model, trained.preprocessor, details)
    write_text(
        folder / "metrics.json", json.dumps(trained.record(), indent=2, allow_nan=False, ensure_ascii=False) + "\n"
    )
    write_text(folder / "report.html", render(trained))


def show_results(trained: TrainingRun) -> None:
    """Print how the training ended and how good the network is."""
    print(trained.ending)
    for part, scores in {**trained.scores, "baseline on test": trained.baseline}.items():
        if trained.classifies:
            found = f"accuracy {percent(scores['accuracy'])}, log-loss {quantity(scores['log_loss'], 3)}"
        else:
            found = f"R² {decimals(scores['r2'])}, RMSE {quantity(scores['rmse'])}, MAE {quantity(scores['mae'])}"
        print(f"  {part}: {found}")


# ---------------------------------------------------------------------------------------------------- option values


def sizes(text: str) -> tuple[int, ...]:
    """Return the numbers of hidden units in ``16,16``; none for ``none``."""
    if text.strip() in ("", "none"):
        return ()
    return tuple(positive(int)(part) for part in text.split(","))


def positive(kind: type[int] | type[float], zero: bool = False) -> Callable[[str], Any]:
    """Return what reads a finite number above 0, or also 0."""

    def read(text: str) -> Any:
        what = "a whole number" if kind is int else "a number"
        try:
            value = kind(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"{text!r} is not {what}") from None
        if not (0 < value < float("inf") or (zero and value == 0)):
            raise argparse.ArgumentTypeError(f"{text} must be {what} {'of at least' if zero else 'above'} 0")
        return value

    return read


def share(least: float) -> Callable[[str], float]:
    """Return what reads a share from ``least`` up to, but not including, 0.9."""

    def read(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"{text!r} is not a number") from None
        if not least <= value < 0.9:
            raise argparse.ArgumentTypeError(f"{text} must be at least {least:g} and below 0.9")
        return value

    return read


def delimiter(text: str) -> str:
    """Return the character that a name such as ``tab`` means, or the character itself."""
    return DELIMITERS.get(text, text)
