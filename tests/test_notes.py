"""Hold the notes' figures, mistakes, training loop, statements and pictures to what the library computes."""

import sys
from dataclasses import replace

import numpy as np
import pytest

from tinygrad_mlp import notes
from tinygrad_mlp.data import logistic_data, three_clusters
from tinygrad_mlp.errors import DataError, MissingDependencyError
from tinygrad_mlp.notes import cells, checks, claims, comparing, errata, facts, loop
from tinygrad_mlp.notes.printed import PRINTED

# ------------------------------------------------------------------------------------------------------------ the table


@pytest.fixture(scope="module")
def table():
    return notes.table(runs=2)


@pytest.fixture(scope="module")
def values():
    return cells.figures_by_key(runs=1)


def test_every_printed_figure_is_compared_once(table, values):
    assert len(table) == len(PRINTED) == len(values)
    assert values.keys() == PRINTED.keys()


@pytest.mark.parametrize("key", PRINTED)
def test_a_printed_figure_is_reproduced(key, values):
    compared = comparing.compared(PRINTED[key], values[key])
    assert compared.agrees is (None if PRINTED[key].form == "timing" else True), compared.agreement


def test_only_the_timing_of_cell_13_is_not_judged(table):
    assert [row.cell for row in table if row.agrees is None] == ["13", "13", "13"]
    assert all(
        row.agreement in ("all printed digits", "rtol 1e-12") for row in table if row.agrees and row.cell != "text"
    )


def test_the_parameter_counts_are_shown_as_printed_and_right(table):
    counts = {row.what.split()[-1]: (row.printed, row.ours, row.agreement) for row in table if row.cell == "text"}
    assert counts["2-3-1"] == (12, 13, "the notes add up wrongly: 6 + 3 + 3 + 1 = 13")
    assert counts["2-3-2"] == (18, 17, "the notes add up wrongly: 6 + 6 + 3 + 2 = 17")
    assert counts["2-3-3"] == (21, 21, "all printed digits")
    assert counts["2-3-3-3"] == (33, 33, "all printed digits")


LAST_DIGIT = {"whole": 1, "3 decimals": 1e-3, "8 decimals": 1e-8, "9 digits": 1e-7, "16 digits": 1e-9}


@pytest.mark.parametrize("key", [key for key in PRINTED if PRINTED[key].form != "timing"])
def test_a_figure_that_is_off_in_its_last_digit_does_not_agree(key, values):
    off = np.array(values[key], float)
    off.flat[-1] += LAST_DIGIT[PRINTED[key].form] * (1 if PRINTED[key].form == "whole" else max(1.0, abs(off.flat[-1])))
    compared = comparing.compared(PRINTED[key], off if off.ndim else off.item())
    assert compared.agrees is False
    assert compared.agreement.startswith("DIFFERS by up to")


def test_a_figure_of_another_shape_does_not_agree(values):
    assert comparing.compared(PRINTED["dW"], values["dW"].T).agreement == "DIFFERS: shape (3, 2) for (2, 3)"


def test_the_table_prints_a_line_for_each_figure(table):
    lines = notes.format_table(table).splitlines()
    assert len(lines) == len(table) + 2
    assert lines[0].split() == ["cell", "what", "printed", "ours", "agreement"]
    assert any("-320.5080195131097 … (10)" in line and line.endswith("rtol 1e-12") for line in lines)
    assert "DIFFERS" in notes.format_table([replace(table[0], agreement="DIFFERS by up to 1", agrees=False)])


# ------------------------------------------------------------------------------------------------------------- training


def test_the_mended_loop_climbs_by_the_engine_as_the_notes_readers_found():
    trace = notes.training(literal=False, epochs=1001)
    assert trace.epochs == (0, 1000)
    assert not trace.literal
    np.testing.assert_allclose(trace.log_likelihood, (-320.5080195131097, -296.416163386274), rtol=1e-12)


def test_with_the_stale_hidden_units_alone_mended_the_loop_ends_between():
    trace = notes.training(literal=False, epochs=1001, mended=[9])
    np.testing.assert_allclose(trace.log_likelihood[1], -296.4162285854735, rtol=1e-12)


def test_the_engine_and_the_formulas_take_the_same_steps():
    engine, formulas = (notes.training(False, 200, every=50, method=method) for method in ("engine", "formulas"))
    np.testing.assert_allclose(engine.log_likelihood, formulas.log_likelihood, rtol=1e-13)
    for ours, hand in zip(engine.parameters, formulas.parameters, strict=True):
        np.testing.assert_allclose(ours, hand, rtol=1e-12)
    literal = notes.training(True, 200, every=50)
    assert not np.allclose(literal.log_likelihood[1:], formulas.log_likelihood[1:], rtol=1e-7)


@pytest.mark.parametrize(("epochs", "every"), [(0, 1000), (10, 0)])
def test_a_loop_of_no_epochs_is_refused(epochs, every):
    with pytest.raises(DataError, match="must be at least 1"):
        notes.training(epochs=epochs, every=every)


def test_both_traces_are_printed_side_by_side():
    written, mended = (notes.training(literal, 3, every=1) for literal in (True, False))
    lines = notes.format_training(written, mended).splitlines()
    assert lines[2].split() == ["0", "-320.508019513", "0.4200", "-320.508019513", "0.4200"]
    assert len(lines) == 5


# -------------------------------------------------------------------------------------------------------- the mistakes


@pytest.fixture(scope="module")
def found():
    return notes.mistakes()


def test_all_the_mistakes_that_can_be_computed_are_found(found):
    assert [m.number for m in found] == [*range(1, 12), 21]
    assert all(m.where and m.says and m.check and m.numbers and m.right for m in found)
    text = notes.format_mistakes(found)
    assert text.count("    found    ") == text.count("    right    ") == len(found)


@pytest.mark.parametrize("claim", errata.MISTAKEN, ids=lambda claim: str(claim.number))
def test_the_check_finds_the_mistake_and_finds_none_in_the_mended_formula(claim):
    assert claim.find(claim.written)
    assert claim.find(claim.mended) is None


def test_a_mistake_that_its_check_does_not_confirm_is_not_reported(monkeypatch):
    monkeypatch.setattr(errata, "MISTAKEN", tuple(replace(claim, written=claim.mended) for claim in errata.MISTAKEN))
    assert notes.mistakes() == []


NUMBERS = {
    2: ["gives 0.24, the engine -0.16"],
    3: ["gives -2, the engine 0.5, and a central difference 0.5"],
    5: ["gives 0.7310586, the engine 0.2689414"],
    6: ["from -320.508020 to -24654"],
    7: ["l runs to 6 in w³, to 5 in f′³", "j runs to 4 in w², to 3 in h¹", "x has 1 index, is written with 2"],
    8: ["gives -1, the engine -0.01"],
    9: ["-296.39723655", "-296.41622858"],
    10: ["-296.41616338"],
    11: ["overflow", "nan"],
    21: ["up to 144.8", "the negative and all zeros would pass"],
}


@pytest.mark.parametrize("number", NUMBERS)
def test_a_mistake_is_shown_by_numbers(number, found):
    numbers = {m.number: m.numbers for m in found}[number]
    assert [part for part in NUMBERS[number] if part not in numbers] == []


# Formulas that are wrong in another way than the notes': the checks find these, too.
OTHERS = [
    (checks.find_1, lambda z: claims.mended_1(z) * (1 + 1e-6)),
    (checks.find_2, lambda y: np.diag(y) - 1.001 * np.outer(y, y)),
    (checks.find_3, lambda h, _v: h**2),
    (checks.find_4, lambda h, _w, x: h * x),
    (checks.find_5, lambda z, h: (claims.mended_5(z, h)[0], claims.written_5(z, h)[1])),
    (checks.find_5, lambda z, h: (claims.written_5(z, h)[0], claims.mended_5(z, h)[1])),
    (checks.find_6, lambda v, _gradient: v),
    (errata.find_7, claims.MENDED_7 | {"32 and 36": "m,ml,l,lk,k,jk,j,i->ji"}),
    (errata.find_7, claims.MENDED_7 | {"30 and 34": "m,ml,l,k->kl"}),
    (checks.find_8, lambda z, alpha: np.minimum(z, alpha * z)),
    (checks.find_9, lambda data, _p, start: claims.mended_9_and_10(data, start, start)),
    (checks.find_10, lambda data, p, start: claims.mended_9_and_10(data, p, start)._replace(b2=p.b2)),
    (checks.find_11, dict(claims.MENDED_11) | {"σ": claims.WRITTEN_11["σ"]}),
    (checks.find_11, dict(claims.MENDED_11) | {"softmax": lambda z: claims.MENDED_11["softmax"](z) * 0.5}),
    (checks.find_21, lambda derivative, H, T, Y: (False, claims.mended_21(derivative, H, T, Y)[1])),
]


@pytest.mark.parametrize(("find", "formula"), OTHERS)
def test_a_check_finds_other_mistakes_too(find, formula):
    assert find(formula)


# ------------------------------------------------------------------------------------------------- statements and cells


def test_what_the_notes_state_holds():
    shown = notes.properties()
    assert [p.states for p in shown if not p.holds] == []
    assert len({p.states for p in shown}) == len(shown) >= 9
    assert "DOES NOT HOLD" not in notes.format_properties(shown)
    assert "DOES NOT HOLD" in notes.format_properties([replace(shown[0], holds=False)])


@pytest.mark.parametrize(("t", "s"), [(0.7, 1.3), (-2.0, 0.0), (0.0, 5.0)])
def test_the_chain_rule_sums_over_both_paths(t, s):
    engine, formula = facts.chain_rule(t, s)
    x = lambda u: (u * s**2 + np.sin(u)) ** 2  # noqa: E731
    np.testing.assert_allclose(engine, formula, rtol=1e-12)
    np.testing.assert_allclose(engine, (x(t + 1e-6) - x(t - 1e-6)) / 2e-6, rtol=1e-6, atol=1e-7)


def test_the_loops_of_cell_6_give_what_the_arrays_of_cell_12_give():
    X, _ = logistic_data()
    network, _ = cells.binary_network()
    by_arrays = cells.forward(X, network, output=cells.ops.sigmoid)[-1].numpy()
    np.testing.assert_allclose(cells.forward_by_loops(X, network), by_arrays, rtol=1e-14)


def test_a_unit_is_dead_if_it_is_zero_on_every_row():
    assert facts.dead_share(np.array([[0.0, 0.0, 2.0], [0.0, 1.0, 3.0]])) == 1 / 3
    assert facts.dead_share_after(0.0)[0] < facts.dead_share_after(0.1)[0]


def test_a_step_uses_the_gradient_at_the_old_parameters():
    data, p = loop.batch(), loop.initial_parameters()
    for ours, hand in zip(loop.engine_gradient(data, p), loop.changes(data, p), strict=True):
        np.testing.assert_allclose(ours, hand, rtol=1e-12, atol=1e-12)


# ------------------------------------------------------------------------------------------------------------- pictures


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    pytest.importorskip("matplotlib")
    return tmp_path_factory.mktemp("figures") / "new"


@pytest.fixture(scope="module")
def paths(folder):
    return notes.figures(folder)


def test_every_figure_is_written_and_nothing_else(folder, paths):
    assert sorted(folder.iterdir()) == sorted(paths)
    assert {p.name for p in paths} >= {
        "logistic-surface.png",
        "three-clusters.png",
        "cost-curve.png",
        "hidden-units.png",
        "saturation.png",
        "network-2-3-1.svg",
        "network-2-3-2.svg",
        "network-2-3-3.svg",
        "network-2-3-3-3.svg",
    }


def test_the_figures_show_something(paths):
    from matplotlib.image import imread

    for path in paths:
        if path.suffix == ".png":
            pixels = imread(path)[..., :3]
            assert 0.02 < np.mean(pixels.min(axis=2) < 0.9) < 0.9, path.name
        else:
            assert path.read_text("utf-8").count("<circle") >= 4, path.name


def test_the_diagrams_state_the_right_number_of_parameters(paths):
    pictures = {path.stem: path for path in paths}
    for sizes, count in (("2-3-1", 13), ("2-3-2", 17), ("2-3-3", 21), ("2-3-3-3", 33)):
        assert f"{count} parameters" in pictures[f"network-{sizes}"].read_text("utf-8")


def test_without_matplotlib_a_clear_error_comes_before_anything_is_written(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(MissingDependencyError, match="pip install matplotlib"):
        notes.figures(tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_the_clusters_continue_the_random_numbers_for_the_weights():
    state = np.random.RandomState(1234)
    state.standard_normal(600)
    (w, _), _ = cells.binary_network()[0]
    np.testing.assert_array_equal(w.numpy().T.ravel(), state.random_sample(6))
    assert three_clusters()[0].shape == (300, 2)
