"""``tinygrad-mlp predict``: what a saved network says about the rows of a CSV file."""

import argparse
import csv
import io
import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinygrad_mlp.data import Preprocessor, Table, read_csv
from tinygrad_mlp.errors import DataError
from tinygrad_mlp.export import load_model
from tinygrad_mlp.graph import no_grad
from tinygrad_mlp.report import metrics
from tinygrad_mlp.report.markup import decimals, percent, quantity

from .output import CommandError, spare, write_text
from .train import add_reading


def add(commands: Any) -> None:
    """Add the command to the parser."""
    about = "predict the rows of a CSV file with a saved model"
    parser = commands.add_parser(
        "predict",
        help=about,
        description="Predict the rows of a CSV file with a model that `tinygrad-mlp train` has written.",
        epilog="The file needs the columns of the training, but not the target. The result has a line for each row.",
    )
    parser.add_argument("model", metavar="MODEL", help="a model.npz")
    parser.add_argument("data", metavar="DATA.csv", help="a CSV file with a header line")
    parser.add_argument("--out", metavar="FILE", help="the CSV file to write; otherwise the terminal")
    add_reading(parser, "as in training")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Predict, and write or print."""
    if options.out:
        spare(options.out, options.data, options.model)
    saved = load_model(options.model)
    preprocessor = saved.preprocessor
    if preprocessor is None:
        raise CommandError(f"{options.model}: saved without preprocessing, so it cannot read a table")
    decimal = options.decimal or str(saved.details.get("decimal", "."))
    table = read_csv(options.data, delimiter=options.delimiter, decimal=decimal, encoding=options.encoding)
    with no_grad():
        outputs = saved.model(preprocessor.transform(table)).numpy()
    for remark in preprocessor.remarks(table):
        print(f"note: {remark}", file=sys.stderr)
    text, score = as_csv(preprocessor, table, outputs), how_good(preprocessor, table, outputs)
    if options.out:
        write_text(Path(options.out), text)
        print(f"wrote {options.out}: {len(table)} rows")
    else:
        print(text, end="")
    if score:
        print(score, file=sys.stdout if options.out else sys.stderr)
    return 0


def as_csv(preprocessor: Preprocessor, table: Table, outputs: NDArray[Any]) -> str:
    """Return a line for each row: its line in the file, the prediction, and for classes their probabilities."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    predictions = preprocessor.decode_target(outputs)
    classes = preprocessor.classes
    writer.writerow([table.origin.unit, preprocessor.target.name, *(f"P({name})" for name in classes)])
    for line, prediction, row in zip(table.origin.lines, predictions, outputs, strict=True):
        if classes:
            writer.writerow([line, prediction, *(f"{p:.6f}" for p in row)])
        else:
            writer.writerow([line, f"{prediction:.10g}"])
    return out.getvalue()


def how_good(preprocessor: Preprocessor, table: Table, outputs: NDArray[Any]) -> str:
    """Return in a line how good the predictions are, where the file has the target; otherwise nothing."""
    target = preprocessor.target
    if target.name not in table:
        return ""
    known = np.flatnonzero(~table[target.name].missing)
    if not len(known):
        return ""
    try:
        truth = target.encode(table.take(known)[target.name])
    except DataError as error:  # an unseen class or a slip: no reason to keep back predictions, which do not need it
        return f"note: how good this is cannot be told: {error}"
    if preprocessor.classes:
        found = metrics.classification(truth.astype(np.int64), outputs[known], preprocessor.classes)
        said = f"accuracy {percent(found['accuracy'])}, log-loss {quantity(found['log_loss'], 3)}"
    else:
        scores = metrics.regression(np.asarray(target.decode(truth)), np.asarray(target.decode(outputs[known])))
        said = f"R² {decimals(scores['r2'])}, RMSE {quantity(scores['rmse'])}, MAE {quantity(scores['mae'])}"
    return f"the file has {target.name} in {len(known)} row{'s' * (len(known) != 1)}: {said}"
