"""Taylor tests: rate 2 with the right gradient and 1 with a wrong one, at every scale; undecided at kinks."""

import math
import re
import sys

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from random_graphs import is_smooth, programs

import tinygrad_mlp as tg
from tinygrad_mlp.check.taylor import taylor_test
from tinygrad_mlp.check.taylor.remainders import tail
from tinygrad_mlp.errors import DataError, GradientError, MissingDependencyError, ShapeError, UnsupportedError
from tinygrad_mlp.table import OPS

X = np.array([1.0, 2.0, -0.5])


def wave(x):
    return tg.sum(tg.exp(tg.sin(x)))


def wave_by_hand(x):
    return np.exp(np.sin(x)) * np.cos(x)


# ---------------------------------------------------------------------------------------------------------- properties


@given(program=programs(min_side=1))
def test_the_rate_of_any_smooth_program_is_2_or_the_remainder_vanishes(program):
    assume(is_smooth(program))
    report = taylor_test(program, *(float(x) if x.ndim == 0 else x for x in program.starts))
    assert report.verdict == "right", report
    assert report.rate >= 1.9


@given(
    scale=st.sampled_from([1e-8, 1e-4, 1.0, 1e4, 1e8]),
    height=st.sampled_from([1e-8, 1.0, 1e8]),
    dtype=st.sampled_from([np.float64, np.float32]),
    seed=st.integers(0, 1000),
)
def test_scale_does_not_matter(scale, height, dtype, seed):
    x = (scale * np.random.default_rng(seed).normal(size=4)).astype(dtype)

    def f(x):
        return height * wave(x / scale)

    plain = dtype == np.float64 and scale == height == 1.0
    open_ = [] if plain else ["undecided"]  # seldom rounding leaves too few steps
    right = taylor_test(f, x, rng=seed)
    assert right.verdict in ["right", *open_], right
    assert taylor_test(f, x, hessian=dtype == np.float64, rng=seed).verdict != "wrong"
    wrong = taylor_test(f, x, gradient=lambda x: 1.01 * height / scale * wave_by_hand(x / scale), rng=seed)
    assert wrong.verdict in ["wrong", *open_], wrong


@given(off=st.sampled_from([-1.0, 1e-3, 0.1, 1.0, 10.0]), seed=st.integers(0, 1000))
def test_a_wrong_gradient_has_rate_1(off, seed):
    report = taylor_test(wave, X, gradient=lambda x: wave_by_hand(x) * (1 + off), rng=seed)
    assert report.verdict == "wrong"
    assert report.rate == pytest.approx(1, abs=0.1)


@given(seed=st.integers(0, 1000), off=st.sampled_from([1e-8, 1e-7, 1e-6, 3e-6, 1e-5]))
def test_a_gradient_is_right_only_to_the_resolution_that_the_report_states(seed, off):
    report = taylor_test(wave, X, gradient=lambda x: wave_by_hand(x) * (1 + off), rng=seed)
    assert report.verdict != "right" or report.resolution >= 0.5 * off
    assert taylor_test(wave, X).resolution < 1e-5


@given(factor=st.sampled_from([1.0, 2.0, 5.0, -1.0]), seed=st.integers(0, 200))
def test_beside_a_value_that_hides_the_slope_nothing_is_called_right(factor, seed):
    def hidden(x):
        return 1e9 + 1e-9 * tg.sum(x * x)

    report = taylor_test(hidden, X, gradient=lambda x: factor * 2e-9 * x, rng=seed)
    assert report.verdict != "right" or report.resolution <= 1e-2, report
    assert taylor_test(lambda x: 1e6 + tg.sum(x * x), X, rng=seed).verdict == "right"


@given(seed=st.integers(0, 1000))
def test_one_wrong_element_among_many_shows(seed):
    x = np.random.default_rng(seed).normal(size=(50, 50))
    right = wave_by_hand(x)
    right[17, 3] += 0.1
    assert taylor_test(wave, x, gradient=right, rng=seed).verdict == "wrong"


# ---------------------------------------------------------------------------------------------------------- one by one


def test_the_zeroth_remainder_has_rate_1_and_the_one_with_the_hessian_rate_3():
    report = taylor_test(wave, X, hessian=True)
    assert report.rates(0)[9] == pytest.approx(1, abs=0.02)
    assert report.rate == pytest.approx(2, abs=0.02)
    assert report.hessian_rate == pytest.approx(3, abs=0.05)


def test_a_wrong_hessian_is_told_from_a_wrong_gradient():
    row = OPS["cos"]
    rules = row.vjps
    row.vjps = (lambda g, _y, x: g * tg.sin(x),)  # only the second derivative of sin reads it
    try:
        report = taylor_test(lambda x: tg.sum(tg.sin(x)), X, hessian=True)
    finally:
        row.vjps = rules
    assert report.verdict == "wrong"
    assert report.rate == pytest.approx(2, abs=0.05)
    assert report.hessian_rate == pytest.approx(2, abs=0.05)
    assert "the Hessian is wrong" in report.reason


def test_a_linear_function_leaves_no_remainder():
    report = taylor_test(lambda x: tg.sum(3 * x) + 1, X)
    assert report.verdict == "right"
    assert report.rate == math.inf
    assert "exact" in str(report)
    assert taylor_test(lambda x: tg.sum(3 * x), X, gradient=np.full(3, 2.0)).verdict == "wrong"


def test_a_constant_is_right_only_with_slope_0():
    assert taylor_test(lambda x: 0 * x + 1.0, 2.0).verdict == "right"
    assert taylor_test(lambda x: 0 * x + 1.0, 2.0, gradient=1.0).verdict == "wrong"


@pytest.mark.parametrize("rng", range(4))
@pytest.mark.parametrize("f", [tg.relu, tg.abs, lambda x: tg.maximum(x, 2 * x) + x * x])
def test_a_kink_is_no_verdict_and_the_report_names_both_slopes(f, rng):
    report = taylor_test(f, 0.0, rng=rng)
    assert report.verdict == "undecided"
    assert "kink" in report.reason
    assert taylor_test(f, 0.0, gradient=5.0, rng=rng).verdict == "wrong"  # beyond both slopes


def test_a_kink_beside_the_inputs_does_not_disturb():
    assert taylor_test(lambda x: tg.relu(x - 1e-3) + tg.exp(x), 0.0).verdict == "right"
    assert taylor_test(lambda x: tg.relu(x - 1e-3) + x, 0.0).rate == math.inf


@pytest.mark.parametrize(
    ("f", "x", "reason"),
    [
        (lambda x: tg.abs(x) ** 1.5, 0.0, "no second derivative"),
        (lambda x: tg.floor(x) + x, 1.0, "jumps"),
        (tg.sqrt, 0.0, "infinite"),
        (tg.log, -1.0, "f is nan"),
    ],
)
def test_what_has_no_expansion_is_undecided_and_says_why(f, x, reason):
    report = taylor_test(f, x)
    assert report.verdict == "undecided"
    assert reason in report.reason
    assert reason in report.headline()


def test_a_gradient_of_nan_is_wrong():
    report = taylor_test(lambda x: tg.where(x > 0.0, 1.0, 0.0) * tg.sqrt(x * x * 0.0) + x, 1.0)
    assert report.verdict == "wrong"
    assert report.reason == "the gradient is nan"


@pytest.mark.parametrize(
    ("f", "x"),
    [
        (lambda x: (x * x + 1e8) - 1e8, 1.0),  # rounded far more coarsely than its value
        (lambda x: tg.sin(1e8 * x), 0.3),  # smooth only in steps below 1e-8
        (lambda x: tg.sin(1e8 * x) + tg.cos(1e8 * x), 0.0),
        (lambda x: x**2, 1e8),
        (tg.log, 1e-8),
        (lambda x: x**3, 0.0),
        (tg.cos, 0.0),
        (lambda x: tg.exp(tg.astype(x, np.float32)), np.array(1.0)),
    ],
)
def test_rounding_and_odd_scales_raise_no_alarm(f, x):
    report = taylor_test(f, x)
    assert report.verdict == "right", report


def test_nests_and_modules_are_varied_whole():
    model = tg.nn.MLP([3, 4, 2], rng=0)
    before = [np.array(p.data) for p in model.parameters()]
    X = np.random.default_rng(1).normal(size=(5, 3))
    assert taylor_test(lambda m: tg.sum(m(X) ** 2), model).verdict == "right"
    assert taylor_test(lambda: tg.sum(model(X) ** 2), model, hessian=True).verdict == "right"
    assert all(np.array_equal(p.data, old) for p, old in zip(model.parameters(), before, strict=True))
    p = {"a": np.ones(2), "b": np.arange(2.0) + 1}
    assert taylor_test(lambda p, y: tg.sum(p["a"] * p["b"]) * y, p, 3.0).verdict == "right"


def test_several_outputs_are_summed_with_random_weights():
    report = taylor_test(tg.exp, X)
    assert report.verdict == "right"
    assert "3 outputs" in report.notes[0]
    assert taylor_test(tg.exp, X, gradient=np.exp).verdict == "right"
    assert taylor_test(tg.exp, X, gradient=lambda x: -np.exp(x)).verdict == "wrong"


def test_an_input_without_a_gradient_stays_as_it_is():
    report = taylor_test(lambda a, b: a * a * b, 2.0, 3.0, gradient=lambda a, b: (2 * a * b, None))
    assert report.verdict == "right"
    assert "b" in report.notes[0]


def test_a_function_of_numpy_is_tested_with_a_gradient_by_hand():
    def norm(x):
        return float(np.linalg.norm(np.asarray(x)))

    assert taylor_test(norm, X, gradient=lambda x: x / np.linalg.norm(x)).verdict == "right"
    assert taylor_test(norm, X, gradient=lambda x: x).verdict == "wrong"
    with pytest.raises(GradientError, match="pass gradient="):
        taylor_test(norm, X)
    with pytest.raises(UnsupportedError, match="hessian"):
        taylor_test(norm, X, gradient=lambda x: x, hessian=True)


def test_a_direction_can_be_given():
    report = taylor_test(wave, X, direction=np.array([1.0, 0.0, 0.0]))
    assert report.slope == pytest.approx(wave_by_hand(X)[0])
    assert report.measured == pytest.approx(report.slope)
    halves = taylor_test(lambda a, b: a * b, 2.0, X, direction=(0.0, np.ones(3)), gradient=None)
    assert halves.rate == math.inf  # linear in b alone


@pytest.mark.parametrize(
    ("call", "kind", "message"),
    [
        (lambda: taylor_test(wave, X, direction=np.ones(2)), ShapeError, "shape"),
        (lambda: taylor_test(wave, X, direction=(X, X)), ShapeError, "2 directions for 1 inputs"),
        (lambda: taylor_test(wave, X, direction=np.zeros(3)), GradientError, "zero"),
        (lambda: taylor_test(wave, X, gradient=lambda x: x[:2]), ShapeError, "shape"),
        (lambda: taylor_test(lambda x: x * x, 3), GradientError, "no input"),
    ],
)
def test_what_does_not_fit_is_refused(call, kind, message):
    with pytest.raises(kind, match=message):
        call()


def test_a_function_that_draws_random_numbers_is_refused():
    rng = np.random.default_rng(0)
    with pytest.raises(GradientError, match="different values for the same input"):
        taylor_test(lambda x: x * rng.normal(), 1.0)


# ------------------------------------------------------------------------------------------------------------- reports


def test_the_report_shows_the_verdict_the_table_and_both_slopes_of_a_wrong_gradient():
    report = taylor_test(wave, X, gradient=lambda x: x)
    text = str(report)
    assert text.startswith("taylor_test of wave: wrong: the remainder shrinks with rate 1.00, where a right gradient")
    assert "by the gradient" in text
    assert "h⟨g,v⟩" in text
    assert not report
    assert "<table" in report._repr_html_()
    assert report.to_dict()["verdict"] == "wrong"
    assert len(report.to_dict()["rows"]) == len(report.rows)


def test_a_test_that_would_not_have_shown_an_error_says_which_would():
    reports = [taylor_test(lambda x: 1e9 + 1e-9 * tg.sum(x * x), X, rng=seed) for seed in range(20)]
    said = [report for report in reports if report.reason.startswith("scale")]
    assert said
    assert re.search(r"undecided: scale: beside f = 1e\+09 only an error above .* the slope would show", str(said[0]))


def test_the_table_has_no_rates_of_rounding():
    report = taylor_test(wave, X)
    for row in report._table().rows:
        h, remainder, rate = (float(row[0]), float(row[3]), row[4])
        original = min(report.rows, key=lambda r: abs(r.h - h))
        assert not rate or (1.5 < float(rate) < 2.5 and remainder > 10 * original.floor1)


def test_the_same_seed_gives_the_same_report():
    assert taylor_test(wave, X, rng=3).to_dict() == taylor_test(wave, X, rng=3).to_dict()
    assert taylor_test(wave, X, rng=3).slope != taylor_test(wave, X, rng=4).slope


def test_the_plot_takes_and_returns_axes_and_is_logarithmic():
    figure = pytest.importorskip("matplotlib.figure", reason="matplotlib is not installed")
    ax = figure.Figure().add_subplot()
    report = taylor_test(wave, X, hessian=True)
    assert report.plot(ax=ax) is ax
    assert (ax.get_xscale(), ax.get_yscale()) == ("log", "log")
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert {"slope 1", "slope 2", "slope 3", "rounding"} <= set(labels)
    assert ax.get_title() == "wave: right, rate 2.00"
    taylor_test(lambda x: 3 * x, 1.0).plot(ax=figure.Figure().add_subplot())  # remainders of 0 cannot be drawn
    with pytest.raises(DataError, match="no steps"):
        taylor_test(tg.log, -1.0).plot(ax=ax)


def test_without_matplotlib_the_plot_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(MissingDependencyError, match="viz"):
        taylor_test(wave, X).plot()


def test_rates_come_from_remainders_above_rounding_only():
    quadratic = [(2.0**-k, 4.0**-k, 1e-6) for k in range(12)]
    assert tail(quadratic).rates == pytest.approx([2, 2, 2])
    assert tail([(h, 1e-9, 1e-6) for h, *_ in quadratic]).is_exact
    assert not tail([]).is_exact
