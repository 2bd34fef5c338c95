"""The sections on the data, on the training, and on how good the network is."""

from typing import Any

import numpy as np

from tinygrad_mlp.data import ColumnSummary, describe

from . import charts
from .learnt import decision_plane, importance
from .markup import Html, decimals, definitions, figure, pair, paragraph, percent, quantity, section, table, text
from .metrics import confusion, interval
from .run import PARTS, TrainingRun

MOST_COLUMNS = 20  # whose importance is drawn
NAMES = {"lr": "learning rate", "hidden": "hidden units", "patience": "patience, epochs"}


def data_section(run: TrainingRun) -> Html:
    """Return the summary of the columns, what is not used and why, and the split."""
    left_out = dict(run.preprocessor.left_out)
    rows = []
    for summary in describe(run.table):
        role = "target" if summary.name == run.target else "left out" if summary.name in left_out else "input"
        rows.append((summary.name, role, summary.kind, summary.missing, summary.distinct, _content(summary)))
    columns = table(("column", "role", "kind", "missing", "distinct", "values"), rows, "Columns", numbers=(3, 4))
    n = len(run.table)
    dropped = f" ({run.dropped} more have no {run.target} and are not used)" if run.dropped else ""
    task = f"{run.preprocessor.task.capitalize()}: {run.decision.reason}."
    parts = [paragraph(f"{n} rows of {run.file}{dropped}. {task}"), columns]
    if left_out:
        parts.append(paragraph("Left out: " + "; ".join(f"{name} ({why})" for name, why in left_out.items()) + "."))
    parts.append(_split(run))
    parts.append(
        paragraph(
            "Medians, means, scales and categories come from the training rows alone. Missing numbers become the "
            "median; numbers are standardised; a text is one input a category."
        )
    )
    return section("data", "The data", *parts)


def _content(summary: ColumnSummary) -> str:
    if summary.minimum is not None:
        middle = f"mean {quantity(summary.mean)}, standard deviation {quantity(summary.std)}"
        return f"{quantity(summary.minimum)} … {quantity(summary.maximum)}; {middle}"
    more = summary.distinct - len(summary.top)
    return ", ".join(f"{name} ({count})" for name, count in summary.top) + (f" and {more} more" if more > 0 else "")


def _split(run: TrainingRun) -> Html:
    if not run.classifies:
        rows = [(part, len(run.parts[part]), *_spread(run.truth(part))) for part in PARTS]
        return table(("part", "rows", f"mean {run.target}", "standard deviation"), rows, "The split", numbers=(1, 2, 3))
    classes = run.preprocessor.classes
    counts = {part: np.bincount(run.truth(part), minlength=len(classes)) for part in PARTS}
    lines = [(part, len(run.parts[part]), *map(int, counts[part])) for part in PARTS]
    return table(("part", "rows", *classes), lines, "The split, by class", numbers=range(1, 2 + len(classes)))


def _spread(values: Any) -> tuple[str, str]:
    return quantity(values.mean()), quantity(values.std())


def training_section(run: TrainingRun) -> Html:
    """Return the curves, and why the training ended."""
    history = run.history
    name = "cross entropy" if run.classifies else "half squared error, standardised"
    kinds = [(name, history.loss, history.validation_loss)]
    if run.classifies:
        kinds.append(("share classified rightly", history.accuracy, history.validation_accuracy))
    drawn = []
    for ylabel, training, validation in kinds:
        curves = {"training": training, "validation": validation}
        curves = {part: values for part, values in curves.items() if len(values)}
        if curves:
            svg = charts.curves(curves, ylabel, f"{ylabel} by epoch", run.kept)
            drawn.append(figure(svg, f"{ylabel} of training and validation rows by epoch"))
    how = "The training loss of an epoch is the mean over its steps, each measured before it was taken."
    dead = {name: shares[run.kept - 1] for name, shares in history.dead_units.items() if len(shares) >= run.kept > 0}
    if any(dead.values()):
        how += " Rectified units that no training row made active: "
        how += ", ".join(f"{percent(share)} of {name}" for name, share in dead.items() if share) + "."
    parts = [paragraph(f"{run.ending}."), pair(*drawn), paragraph(how)]
    settings = {NAMES.get(name, name.replace("_", " ")): _setting(value) for name, value in run.settings.items()}
    return section("training", "The training", *parts, definitions(settings))


def _setting(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value)) or "none"
    return "none" if value is None else quantity(value) if isinstance(value, float) else str(value)


def results_section(run: TrainingRun) -> Html:
    """Return the metrics of every part, and the confusion matrix or the residuals of the test rows."""
    body = _classified(run) if run.classifies else _regressed(run)
    return section("results", "How good it is", *body)


def _classified(run: TrainingRun) -> list[Html]:
    scores = run.scores
    rows = [
        (part, len(run.parts.get(part, run.parts["test"])), percent(s["accuracy"]), quantity(s["log_loss"], 3))
        for part, s in {**scores, "baseline on test": run.baseline}.items()
    ]
    per_class = [
        (name, c["rows"], *(percent(c[key]) for key in ("precision", "recall", "f1")))
        for name, c in scores["test"]["classes"].items()
    ]
    return [
        table(
            ("part", "rows", "accuracy", "log-loss"),
            rows,
            "By part; the baseline ignores every column",
            numbers=(1, 2, 3),
        ),
        _confusion(run),
        table(("class", "rows", "precision", "recall", "F1"), per_class, "Classes, test rows", numbers=(1, 2, 3, 4)),
    ]


def _confusion(run: TrainingRun) -> Html:
    """Return the confusion matrix of the test rows; the share of each true class is the shade of its cell."""
    classes = run.preprocessor.classes
    counts = confusion(run.truth("test"), run.predicted("test"), len(classes))
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    head = "".join(f'<th scope="col" class=n>{text(name)}</th>' for name in classes)
    lines = []
    for name, row, share in zip(classes, counts, shares, strict=True):
        cells = "".join(f'<td class=n style="{_shade(s)}">{count}</td>' for count, s in zip(row, share, strict=True))
        lines.append(f'<tr><th scope="row">{text(name)}</th>{cells}</tr>')
    caption = "Confusion matrix, test rows: a line for each true class, a column for each predicted one"
    return Html(
        f'<div class="wide"><table class="confusion"><caption>{caption}</caption>\n'
        f"<thead><tr><td>true ↓ predicted →</td>{head}</tr></thead>\n<tbody>{''.join(lines)}</tbody></table></div>"
    )


def _shade(share: float) -> str:
    return f"background:rgba(0,114,178,{0.75 * share:.2f});color:{'#fff' if share > 0.6 else '#1a1a1a'}"


def _regressed(run: TrainingRun) -> list[Html]:
    scored = {**run.scores, "baseline on test": run.baseline}
    rows = [
        (part, len(run.parts.get(part, run.parts["test"])), decimals(s["r2"]), quantity(s["rmse"]), quantity(s["mae"]))
        for part, s in scored.items()
    ]
    truth, predicted = run.truth("test"), run.predicted("test")
    unit = f"R² has no unit; the others are in the unit of {run.target}. The baseline ignores every column"
    residuals = f"{run.target}, predicted − true"
    return [
        table(("part", "rows", "R²", "RMSE", "MAE"), rows, unit, numbers=(1, 2, 3, 4)),
        pair(
            figure(charts.against(truth, predicted, run.target), f"Predicted over true {run.target}, test rows"),
            figure(charts.histogram(predicted - truth, residuals), f"Histogram of {residuals}, test rows"),
        ),
    ]


def learnt_section(run: TrainingRun) -> Html:
    """Return which columns matter, and the decision regions where there is a plane to show them on."""
    ranking = importance(run)
    shown = dict(list(ranking.items())[:MOST_COLUMNS])
    caption = "How much the loss of the validation and test rows grows when a column is shuffled, mean of 10 orders."
    if len(ranking) > len(shown):
        caption += f" The first {len(shown)} of {len(ranking)} columns."
    parts = [
        figure(charts.bars(shown, "Which columns matter", "growth of the loss"), "Importance of the columns", caption)
    ]
    if run.classifies:
        plane = decision_plane(run, ranking)
        if plane.regions is None:
            parts.append(paragraph(plane.remark))
        else:
            drawn = charts.decision_regions(plane.regions)
            parts.append(figure(drawn, f"Decision regions over {' and '.join(plane.regions.names)}", plane.remark))
    return section("learnt", "What it has learnt", *parts)


def tiles(run: TrainingRun) -> list[tuple[str, str, str]]:
    """Return the most important results: what, how much, and how to read it."""
    test, base, n = run.scores["test"], run.baseline, len(run.parts["test"])
    if run.classifies:
        hits = int(np.trace(np.array(test["confusion"])))
        low, high = interval(hits, n)
        return [
            (
                "test accuracy",
                percent(test["accuracy"]),
                f"{hits} of {n} rows; 95 % interval {percent(low)} – {percent(high)}",
            ),
            ("test log-loss", quantity(test["log_loss"], 3), f"{quantity(base['log_loss'], 3)} from class shares only"),
            ("baseline accuracy", percent(base["accuracy"]), "always the commonest class"),
        ]
    return [
        ("test R²", decimals(test["r2"]), f"on {n} rows; 1 is perfect, 0 is the mean"),
        (
            "test RMSE",
            quantity(test["rmse"]),
            f"in the unit of {run.target}; half are nearer than {quantity(_median_error(run))}",
        ),
        ("baseline RMSE", quantity(base["rmse"]), "always the training mean"),
    ]


def _median_error(run: TrainingRun) -> float:
    return float(np.median(np.abs(run.truth("test") - run.predicted("test"))))
