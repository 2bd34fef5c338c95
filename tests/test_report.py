"""The report: right metrics, readable charts, and one page that needs nothing but itself."""

import json
import math
import re
import subprocess
import sys
from html.parser import HTMLParser
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tinygrad_mlp.cli.training import Settings, Source, train_from
from tinygrad_mlp.report import PARTS, charts, frame, learnt, metrics, page, render
from tinygrad_mlp.report.inside import check_gradients
from tinygrad_mlp.report.markup import Html, code, quantity, table, text

QUICK = Settings(hidden=(4,), epochs=3, batch_size=16)
VOID = {"meta", "br", "hr", "img", "input", "link"}
EVIL = "a<b>\"c\" & 'd'"


class Page(HTMLParser):
    """Reads a page: its sections, what it refers to, and whether its elements are closed in order."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.sections: list[str] = []
        self.references: list[str] = []
        self.tags: set[str] = set()
        self.words: list[str] = []
        self.labels: list[str] = []
        self.feed(source)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        self.tags.add(tag)
        if tag == "section":
            self.sections.append(given["id"])
        names = ("href", "src", "srcset", "data", "action", "xlink:href", "poster", "background")
        self.references += [given[name] for name in names if given.get(name)]
        if given.get("role") == "img" and tag == "div":
            self.labels.append(given.get("aria-label") or "")
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)


def write_flowers(path, n=60):
    """A CSV file of two classes that one column tells apart, with a constant, a text, and missing cells."""
    rng = np.random.default_rng(0)
    rows = [f'"{EVIL.replace(chr(34), chr(34) * 2)}",noise,colour,kind']
    for i in range(n):
        kind = i % 2
        noise = "" if i == 7 else f"{rng.normal():.3f}"
        rows.append(
            f"{rng.normal() + 4 * kind:.3f},{noise},{'red' if i % 3 else 'NA'},{'yes' if kind else '<i>no</i>'}"
        )
    path.write_text("\n".join(rows), "utf-8")
    return path


@pytest.fixture(scope="module")
def flowers(tmp_path_factory):
    path = write_flowers(tmp_path_factory.mktemp("flowers") / "flowers.csv")
    settings = Settings(hidden=(4,), epochs=40, batch_size=16, activation="tanh")
    return train_from(Source(str(path), "kind"), settings, command="tinygrad-mlp train <it>", quiet=True)


@pytest.fixture(scope="module")
def prices(tmp_path_factory):
    path = tmp_path_factory.mktemp("prices") / "prices.csv"
    rng = np.random.default_rng(1)
    area = rng.uniform(20, 200, 80)
    price = 1000 * area + rng.normal(0, 5000, 80)
    lines = [f"{a:.1f},{p:.0f}" for a, p in zip(area, price, strict=True)]
    path.write_text("area,price\n" + "\n".join([*lines, "55,"]), "utf-8")
    return train_from(Source(str(path), "price"), QUICK, quiet=True)


# --- metrics ----------------------------------------------------------------------------------------------------------


@given(st.data(), st.integers(2, 4), st.integers(1, 30))
def test_classification_metrics_are_those_of_scikit_learn(data, classes, n):
    sk = pytest.importorskip("sklearn.metrics")
    truth = data.draw(hnp.arrays(np.int64, n, elements=st.integers(0, classes - 1)))
    raw = data.draw(hnp.arrays(np.float64, (n, classes), elements=st.floats(0.01, 1)))
    probabilities = raw / raw.sum(axis=1, keepdims=True)
    names = [f"c{i}" for i in range(classes)]
    found = metrics.classification(truth, probabilities, names)
    predicted, labels = probabilities.argmax(axis=1), list(range(classes))
    assert found["accuracy"] == pytest.approx(sk.accuracy_score(truth, predicted))
    assert found["log_loss"] == pytest.approx(sk.log_loss(truth, probabilities, labels=labels))
    assert found["confusion"] == sk.confusion_matrix(truth, predicted, labels=labels).tolist()
    scores = sk.precision_recall_fscore_support(truth, predicted, labels=labels, zero_division=np.nan)
    for i, name in enumerate(names):
        mine = [found["classes"][name][key] for key in ("precision", "recall", "f1", "rows")]
        for ours, theirs in zip(mine, (column[i] for column in scores), strict=True):
            assert (math.isnan(theirs) and ours is None) or ours == pytest.approx(theirs)


@given(st.data(), st.integers(2, 30))
def test_regression_metrics_are_those_of_scikit_learn(data, n):
    sk = pytest.importorskip("sklearn.metrics")
    numbers = hnp.arrays(np.float64, n, elements=st.floats(-1e6, 1e6))
    truth, predicted = data.draw(numbers), data.draw(numbers)
    found = metrics.regression(truth, predicted)
    assert found["mae"] == pytest.approx(sk.mean_absolute_error(truth, predicted))
    assert found["rmse"] == pytest.approx(sk.root_mean_squared_error(truth, predicted))
    if np.ptp(truth) > 1e-3:
        assert found["r2"] == pytest.approx(sk.r2_score(truth, predicted))


def test_what_cannot_be_computed_is_none():
    assert metrics.regression(np.array([2.0, 2.0]), np.array([1.0, 2.0]))["r2"] is None
    only_first = metrics.classification(np.array([0, 0]), np.array([[0.9, 0.1], [0.8, 0.2]]), ["a", "b"])
    assert only_first["classes"]["b"] == {"rows": 0, "precision": None, "recall": None, "f1": None}


def test_a_certain_mistake_leaves_the_log_loss_finite():
    assert math.isfinite(metrics.classification(np.array([1]), np.array([[1.0, 0.0]]), ["a", "b"])["log_loss"])


@given(st.integers(1, 300), st.data())
def test_the_interval_holds_the_share_and_shrinks_with_more_rows(n, data):
    hits = data.draw(st.integers(0, n))
    low, high = metrics.interval(hits, n)
    wider_low, wider_high = metrics.interval(4 * hits, 4 * n)
    assert 0 <= low <= hits / n + 1e-12
    assert hits / n <= high + 1e-12 <= 1 + 1e-12
    assert wider_high - wider_low < high - low


# --- charts -----------------------------------------------------------------------------------------------------------


@given(st.floats(-1e9, 1e9), st.floats(1e-6, 1e9), st.integers(3, 8))
def test_ticks_are_round_increasing_and_all_different(low, length, wanted):
    span = frame.Span(low, low + length)
    if span.high - span.low < 1e-6 * max(abs(low), 1):
        return  # the ends differ by rounding only
    found = frame.ticks(span, wanted)
    values = [value for value, _ in found]
    assert 1 <= len(found) <= wanted + 1
    assert values == sorted(values)
    slack = 1e-9 * max(abs(span.low), abs(span.high))
    assert span.low - slack <= values[0]
    assert values[-1] <= span.high + slack


@pytest.mark.parametrize(
    ("span", "texts"),
    [
        (frame.Span(2001, 2009.5), ["2002", "2004", "2006", "2008"]),
        (frame.Span(0, 1.2e6), ["0", "200,000", "400,000", "600,000", "800,000", "1,000,000", "1,200,000"]),
        (frame.Span(1, 3, whole=True), ["1", "2", "3"]),
        (frame.Span(-0.02, 0.02), ["-0.02", "-0.01", "0.00", "0.01", "0.02"]),
    ],
)
def test_ticks_are_written_as_people_write_numbers(span, texts):
    assert [text for _, text in frame.ticks(span)] == texts


CURVES = {
    "falling": {"training": [1.0, 0.1, 1e-4], "validation": [1.0, 0.2, 0.1]},
    "one epoch": {"training": [0.5]},
    "flat": {"training": [0.5, 0.5]},
    "zero": {"training": [0.0, 0.0]},
    "negative": {"training": [-1.0, -3.0]},
    "not finite": {"training": [1.0, math.inf, math.nan, 2.0]},
    "nothing finite": {"training": [math.nan]},
    "tiny": {"training": [1e-300, 1e-305]},
    "huge": {"training": [1e300, 1e10]},
}


@pytest.mark.parametrize("series", CURVES.values(), ids=CURVES)
def test_curves_of_every_kind_are_drawn(series):
    root = ElementTree.fromstring(charts.curves(series, "loss", "Loss", best=1))
    drawn = [e for e in root.iter() if e.tag.endswith(("polyline", "circle"))]
    assert len(drawn) >= any(math.isfinite(v) for values in series.values() for v in values)
    assert all("nan" not in value and "inf" not in value for e in root.iter() for value in e.attrib.values())


def test_a_curve_over_two_powers_of_ten_is_logarithmic():
    words = [e.text for e in ElementTree.fromstring(charts.curves(CURVES["falling"], "loss", "Loss")).iter()]
    assert {"0.001", "0.01", "0.1", "1"} <= set(words)


def test_many_points_are_thinned_and_the_page_stays_small():
    rng = np.random.default_rng(0)
    truth = rng.normal(size=100_000)
    assert len(charts.against(truth, truth + 1, "x")) < 400_000
    assert len(charts.histogram(truth, "x")) < 20_000
    assert charts.drawn(5).tolist() == [0, 1, 2, 3, 4]


def test_regions_cover_the_plane_once():
    labels = np.array([[0, 0, 1], [2, 1, 1]])
    regions = charts.Regions(
        ("a", "b"),
        np.array([0.0, 1.0, 2.0]),
        np.array([0.0, 1.0]),
        labels,
        np.array([[0.5, 0.5]]),
        np.array([1]),
        np.array([True]),
        ("x", "y", "z"),
    )
    root = ElementTree.fromstring(charts.decision_regions(regions))
    field = next(g for g in root.iter() if g.get("class") == "regions")
    areas: dict[str, float] = {}
    for rect in field:
        areas[rect.get("fill")] = areas.get(rect.get("fill"), 0) + float(rect.get("width")) * float(rect.get("height"))
    shares = np.array([areas[colour] for colour in ("#0072B2", "#E69F00", "#009E73")])
    assert shares / shares.sum() == pytest.approx([2 / 6, 3 / 6, 1 / 6], abs=1e-3)


# --- markup -----------------------------------------------------------------------------------------------------------


@given(st.text(max_size=30))
def test_every_text_is_escaped(content):
    for html in (text(content), code(content), table([content], [[content]], content)):
        page = Page(html)
        assert page.tags <= {"pre", "code", "div", "table", "caption", "thead", "tbody", "tr", "th", "td"}


def test_markup_is_kept_and_numbers_are_rounded():
    assert text(Html("<b>x</b>")) == "<b>x</b>"
    assert [quantity(x) for x in (0.0, 1234.5678, 98765.4, -0.00012345, 1e-9, math.nan, 2007)] == [
        "0", "1235", "98,765", "-0.0001234", "1e-09", "nan", "2007",
    ]  # fmt: skip


# --- the page ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def pages(flowers, prices):
    return {"classification": render(flowers), "regression": render(prices)}


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_the_page_has_all_sections_and_needs_nothing_else(pages, task):
    read = Page(pages[task])
    assert read.sections == list(page.SECTIONS)
    assert {"script", "link", "iframe", "object", "embed", "base"} & read.tags == set()
    assert read.references == [f"#{key}" for key in page.SECTIONS]
    assert not re.search(r"@import|url\(|https?://(?!www\.w3\.org/(2000/svg|1999/xlink))", pages[task])
    assert all(read.labels)
    assert len(read.labels) >= 5
    assert len(pages[task]) < 1_000_000


def test_the_page_tells_names_and_numbers(pages, flowers):
    words = " ".join(" ".join(Page(pages["classification"]).words).split())
    for expected in (EVIL, "<i>no</i>", "Confusion matrix", "flowers.csv", "tinygrad-mlp train <it>", flowers.digest):
        assert expected in words
    for section in ("The data", "The training", "How good it is", "What it has learnt", "The gradient check"):
        assert section in words
    assert "All agree" in words


def test_the_regression_page_shows_residuals_in_the_unit_of_the_target(pages, prices):
    words = " ".join(Page(pages["regression"]).words)
    assert "predicted − true" in words
    assert "1 more have no price" in words
    assert quantity(prices.scores["test"]["rmse"]) in words


def test_the_page_is_the_same_without_any_optional_library():
    program = (
        "import sys; "
        "sys.modules.update({m: None for m in ('matplotlib', 'rich', 'sympy', 'hypothesis', 'scipy', 'sklearn')}); "
        "from tinygrad_mlp.cli.training import *; from tinygrad_mlp.report import render; "
        "from tinygrad_mlp.data import example_file; "
        "run = train_from(Source(example_file(), 'species'), Settings(hidden=(3,), epochs=2), quiet=True); "
        "print(render(run))"
    )
    environment = {"TINYGRAD_MLP_DOT": "native", "PYTHONPATH": ":".join(sys.path), "PATH": "", "PYTHONUTF8": "1"}
    command = [sys.executable, "-W", "error", "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", env=environment, check=False)
    assert done.returncode == 0, done.stderr
    read = Page(done.stdout)
    assert read.sections == list(page.SECTIONS)
    assert len(read.labels) >= 6


def test_the_record_is_strict_json_and_complete(flowers, prices):
    for run in (flowers, prices):
        record = json.loads(json.dumps(run.record(), allow_nan=False))
        assert record["rows"]["total"] == sum(record["rows"][part] for part in PARTS) + record["rows"]["without_target"]
        assert record["epochs"] == len(run.history.loss)
        assert record["network"]["parameters"] == sum(p.size for p in run.model.parameters())
        assert set(record["versions"]) >= {"python", "numpy", "tinygrad_mlp"}
        assert record["seed"] == 0
    assert prices.record()["rows"]["without_target"] == 1
    assert set(prices.record()["metrics"]["test"]) == {"r2", "rmse", "mae"}


def test_the_metrics_of_the_record_are_those_of_the_model(flowers):
    X, y = flowers.inputs("test"), flowers.targets("test")
    assert flowers.record()["metrics"]["test"]["accuracy"] == np.mean(flowers.model.predict(X) == y)
    assert flowers.record()["metrics"]["test"]["log_loss"] == pytest.approx(float(flowers.model.loss(X, y)))


def test_the_baseline_predicts_the_commonest_class_and_the_mean(flowers, prices):
    commonest = np.bincount(flowers.truth("training")).argmax()
    assert flowers.baseline["accuracy"] == np.mean(flowers.truth("test") == commonest)
    expected = np.sqrt(np.mean((prices.truth("test") - prices.truth("training").mean()) ** 2))
    assert prices.baseline["rmse"] == pytest.approx(expected)


def test_the_column_that_tells_the_classes_apart_matters_most(flowers):
    ranking = learnt.importance(flowers)
    assert next(iter(ranking)) == EVIL
    assert ranking[EVIL] > 5 * abs(ranking["noise"])
    assert learnt.importance(flowers) == ranking


def test_the_plane_holds_the_other_columns_at_their_middle(flowers):
    choice = learnt.decision_plane(flowers, learnt.importance(flowers))
    regions = choice.regions
    assert regions.names == (EVIL, "noise")
    assert "colour = red" in choice.remark
    assert "not shown: 1" in choice.remark
    assert len(regions.points) == len(flowers.table) - 1
    assert regions.labels[:, 0].tolist() == [flowers.preprocessor.classes.index("<i>no</i>")] * len(regions.y)
    place = learnt.places(flowers)
    row = learnt.middle(flowers)
    row[place[EVIL]] = flowers.preprocessor.features[0].encode(flowers.table[EVIL])[0]
    assert sorted(set(row[place["colour"]].tolist())) == [0.0, 1.0]


def test_without_two_columns_of_numbers_there_is_no_plane(prices):
    choice = learnt.decision_plane(prices, {"area": 1.0})
    assert choice.regions is None
    assert "area" in choice.remark


def test_the_gradients_of_the_trained_network_are_confirmed(flowers, prices):
    for run in (flowers, prices):
        report = check_gradients(run)
        assert report.passed
        assert sum(x.checked for x in report.inputs) == sum(p.size for p in run.model.parameters())


def test_a_wrong_gradient_is_not_hidden(flowers, monkeypatch):
    from tinygrad_mlp.ops import tanh

    monkeypatch.setattr(tanh, "vjps", (lambda g, y, x: g * (1 - y),))  # noqa: ARG005
    words = " ".join(Page(render(flowers)).words)
    assert "Some are wrong" in words
    assert "culprit: tanh" in words
    assert "∂f/∂weight1[" in words
