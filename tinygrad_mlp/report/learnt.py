"""What a network has learnt: which columns it relies on, and its decisions on a plane of two columns."""

from collections import Counter
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tinygrad_mlp.data import NumericFeature
from tinygrad_mlp.graph import no_grad
from tinygrad_mlp.viz.labels import number

from .charts import MOST, Regions
from .run import TrainingRun

Floats = NDArray[np.float64]

REPEATS = 10
ROWS = 5000  # more rows change little in the importance of a column
RESOLUTION = (132, 92)  # places along both axes


class Choice(NamedTuple):
    """The plane that is shown, and in words what the other columns are set to; both empty if there is none."""

    regions: Regions | None
    remark: str


def importance(run: TrainingRun, repeats: int = REPEATS) -> dict[str, float]:
    """Return how much the loss of the validation and test rows grows if a column is shuffled, the largest first.

    Source: L. Breiman, *Random forests*, 2001, section 10. It measures what the network uses, not what is in the data:
    of two columns that say the same it may use one or both.

    Args:
        run: the trained network and its rows.
        repeats: how many random orders the growth is averaged over.
    """
    X = np.vstack([run.inputs(part) for part in ("validation", "test")])
    y = np.concatenate([run.targets(part) for part in ("validation", "test")])
    rng = np.random.default_rng(0)
    if len(X) > ROWS:
        chosen = rng.choice(len(X), ROWS, replace=False)
        X, y = X[chosen], y[chosen]
    run.model.eval()
    grown: dict[str, float] = {}
    with no_grad():
        base = float(run.model.loss(X, y))
        for name, columns in places(run).items():
            losses = []
            for _ in range(repeats):
                shuffled = X.copy()
                shuffled[:, columns] = X[rng.permutation(len(X))][:, columns]
                losses.append(float(run.model.loss(shuffled, y)))
            grown[name] = float(np.mean(losses)) - base
    return dict(sorted(grown.items(), key=lambda item: -item[1]))


def places(run: TrainingRun) -> dict[str, slice]:
    """Return for each column of the table which of the network's inputs stand for it."""
    ends = np.cumsum([len(feature.input_names) for feature in run.preprocessor.features])
    starts = [0, *ends.tolist()[:-1]]
    names = run.preprocessor.columns
    return {name: slice(a, int(b)) for name, a, b in zip(names, starts, ends, strict=True)}


def decision_plane(run: TrainingRun, ranking: dict[str, float]) -> Choice:
    """Return the decisions over the two columns of numbers that matter most, the others held at their middle.

    Args:
        run: the trained network and its rows.
        ranking: what ``importance`` returned.
    """
    numeric = {f.name: f for f in run.preprocessor.features if isinstance(f, NumericFeature)}
    chosen = [name for name in ranking if name in numeric][:2]
    if len(chosen) < 2:
        few = f"only {chosen[0]} is" if chosen else "no column is"
        return Choice(None, f"A plane needs two columns of numbers; {few} one.")
    first, second = (numeric[name] for name in chosen)
    rows = [row for name in chosen for row in np.flatnonzero(run.table[name].missing)]
    points = np.column_stack([run.table[name].numbers() for name in chosen])
    known = np.setdiff1d(np.arange(len(points)), rows)
    x, y = (_range(points[known, i], n) for i, n in enumerate(RESOLUTION))
    place = places(run)
    plane = np.tile(middle(run), (len(x) * len(y), 1))
    grid = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)
    for i, feature in enumerate((first, second)):
        plane[:, place[feature.name]] = ((grid[:, i] - feature.mean) / feature.scale)[:, None]
    labels = run.outputs(plane).argmax(axis=1).reshape(len(y), len(x))
    truth = np.asarray(run.preprocessor.encode_target(run.table), dtype=np.int64)
    wrong = run.outputs(run.preprocessor.transform(run.table)).argmax(axis=1) != truth
    names = (first.name, second.name)
    regions = Regions(names, x, y, labels, points[known], truth[known], wrong[known], run.preprocessor.classes)
    return Choice(regions, _remark(run, names, len(points) - len(known)))


def middle(run: TrainingRun) -> Floats:
    """Return the inputs (inputs,) of a row whose numbers are the medians and whose texts the commonest ones."""
    X = run.inputs("training")
    row = np.median(X, axis=0)
    for feature in run.preprocessor.features:
        place = places(run)[feature.name]
        if not isinstance(feature, NumericFeature):
            counts = X[:, place].sum(axis=0)
            row[place] = np.arange(len(counts)) == counts.argmax()
    return row


def _range(values: Floats, n: int) -> Floats:
    low, high = float(values.min()), float(values.max())
    room = 0.06 * (high - low) or 1.0
    return np.linspace(low - room, high + room, n)


def _remark(run: TrainingRun, names: tuple[str, str], without: int) -> str:
    """Return what a reader must know in order not to misread the plane."""
    held = [f"{name} = {_middle_value(run, name)}" for name in run.preprocessor.columns if name not in names]
    parts = ["A dark ring marks a row that the network mistakes."]
    if held:
        parts[:0] = [
            "Shown are the two columns of numbers that matter most. The regions hold for the other columns at their "
            f"middle ({', '.join(held)}). Each point is a row with values of its own, so it may lie in the region of "
            "another class and be predicted rightly."
        ]
    if without:
        parts.append(f"Rows without one of the two values are not shown: {without}.")
    if len(run.table) - without > MOST:
        parts.append(f"Of the others {MOST} are drawn, chosen at random.")
    return " ".join(parts)


def _middle_value(run: TrainingRun, name: str) -> str:
    column = run.parts["training"][name]
    if column.kind == "numeric":
        return number(float(np.nanmedian(column.numbers())), 5)
    (commonest, _), *_ = Counter(column.cells).most_common(1)
    return commonest if commonest is not None else "missing"
