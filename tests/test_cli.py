"""The command line from one end to the other: what it writes, what it refuses, and that nothing stays half-written."""

import csv
import dataclasses
import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from tinygrad_mlp import notes
from tinygrad_mlp.cli import demo as demo_command
from tinygrad_mlp.cli import main
from tinygrad_mlp.cli import notes as notes_command
from tinygrad_mlp.cli import train as train_command
from tinygrad_mlp.data import example_file, read_csv
from tinygrad_mlp.errors import ModelFileError
from tinygrad_mlp.export import load_model
from tinygrad_mlp.graph import no_grad
from tinygrad_mlp.notes import drawings

PENGUINS = example_file("penguins.csv")
RESULTS = ["metrics.json", "model.npz", "report.html"]
FAST = ["--hidden", "4", "--epochs", "3", "--quiet"]


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """An empty folder, in which the test runs."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A model of the penguins' species."""
    folder = tmp_path_factory.mktemp("trained") / "result"
    assert main(["train", PENGUINS, "--target", "species", "--out", str(folder), *FAST]) == 0
    return folder


def files(folder="."):
    return sorted(str(path.relative_to(folder)) for path in Path(folder).rglob("*"))


def rows(text):
    return list(csv.DictReader(io.StringIO(text)))


def run_program(*arguments, **options):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "PYTHONUTF8": "1"}
    command = [sys.executable, "-W", "error", "-m", "tinygrad_mlp", *arguments]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8", env=environment, **options
    )


# --- train ------------------------------------------------------------------------------------------------------------


def test_train_writes_model_metrics_and_report_and_says_so(capsys):
    assert (
        main(["train", PENGUINS, "--target", "species", "--out", "a/b/result", "--hidden", "5,4", "--epochs", "4"]) == 0
    )
    assert files("a/b/result") == RESULTS
    assert files("a") == ["b", "b/result", *(f"b/result/{name}" for name in RESULTS)]
    out, err = capsys.readouterr()
    assert "species is text" in out
    assert "MLP 11-5-4-3" in out
    assert "test: accuracy" in out
    assert f"wrote {Path('a/b/result/report.html')}" in out
    assert "epoch 4/4" in err
    record = json.loads(Path("a/b/result/metrics.json").read_text("utf-8"))
    assert record["task"] == "classification"
    assert record["network"]["sizes"] == [11, 5, 4, 3]
    assert record["rows"] == {"total": 344, "without_target": 0, "training": 206, "validation": 69, "test": 69}
    assert record["settings"]["seed"] == 0
    assert record["settings"]["test_share"] == 0.2
    assert record["command"].startswith(f"tinygrad-mlp train {PENGUINS} --target species")
    assert "species" in Path("a/b/result/report.html").read_text("utf-8")


def test_the_same_command_gives_the_same_files_again(here):
    for name in ("one", "two"):
        assert main(["train", PENGUINS, "--target", "species", "--out", name, *FAST, "--seed", "3"]) == 0
    one, two = (json.loads((here / name / "metrics.json").read_text("utf-8")) for name in ("one", "two"))
    assert one["metrics"] == two["metrics"]
    with np.load("one/model.npz") as first, np.load("two/model.npz") as second:
        assert all(np.array_equal(first[key], second[key]) for key in first.files if key != "details")


def test_regression_is_chosen_for_numbers_and_told_in_their_unit(capsys):
    assert main(["train", PENGUINS, "--target", "body_mass_g", "--out", "r", "--hidden", "8", "--epochs", "30"]) == 0
    out = capsys.readouterr().out
    assert "regression: body_mass_g has 94 different numbers" in out
    record = json.loads(Path("r/metrics.json").read_text("utf-8"))
    assert record["rows"]["without_target"] == 2
    assert 100 < record["metrics"]["test"]["rmse"] < record["baseline"]["rmse"]
    assert load_model("r/model.npz").model.family.unit == "linear"


def test_a_column_of_codes_can_be_taken_as_text_and_columns_be_left_out():
    command = ["train", PENGUINS, "--target", "sex", "--as-text", "year", "--ignore", "species, island", "--out", "r"]
    assert main([*command, *FAST]) == 0
    preprocessor = load_model("r/model.npz").preprocessor
    assert preprocessor.columns == ("bill_length_mm", "bill_depth_mm", "flipper_length_mm", "body_mass_g", "year")
    assert preprocessor.input_names[-3:] == ("year=2007", "year=2008", "year=2009")
    assert json.loads(Path("r/metrics.json").read_text("utf-8"))["rows"]["without_target"] == 11


def test_a_network_without_hidden_layers_and_one_of_other_units_are_trained():
    base = ["train", PENGUINS, "--target", "species", "--epochs", "2", "--quiet"]
    assert main([*base, "--hidden", "none", "--out", "linear"]) == 0
    assert load_model("linear/model.npz").model.sizes == (11, 3)
    more = ["--hidden", "3,3", "--activation", "maxout", "--dropout", "0.2", "--optimizer", "sgd", "--lr", "0.05"]
    assert main([*base, *more, "--patience", "0", "--batch-size", "1000", "--out", "maxout"]) == 0
    assert repr(load_model("maxout/model.npz").model) == "MLP([11, 3, 3, 3], 'maxout', 'softmax')"


def semicolons(path):
    """A file as a German spreadsheet writes it: semicolons, decimal commas, Latin-1, quoted line breaks."""
    rng = np.random.default_rng(0)
    lines = ["Größe;Ort;Preis"]
    for i in range(40):
        x = float(rng.uniform(1, 2))
        lines.append(f'{x:.3f};"Köln{chr(10) if i % 2 else " "}Süd";{3 * x:.3f}'.replace(".", ","))
    path.write_bytes("\n".join(lines).encode("latin-1"))
    return str(path)


def test_a_file_with_semicolons_decimal_commas_and_another_encoding_is_read(here, capsys):
    data = semicolons(here / "daten.csv")
    assert (
        main(["train", data, "--target", "Preis", "--out", "r", "--decimal", ",", "--encoding", "latin-1", *FAST]) == 0
    )
    assert main(["predict", "r/model.npz", data, "--encoding", "latin-1", "--delimiter", "semicolon"]) == 0
    found = rows(capsys.readouterr().out)  # the decimal sign was kept with the model
    assert len(found) == 40
    assert found[1]["line"] == "3"
    assert found[2]["line"] == "5"


def test_results_in_a_folder_that_exists_replace_only_their_own_names(here):
    (here / "result").mkdir()
    (here / "result" / "mine.txt").write_text("mine", "utf-8")
    (here / "result" / "report.html").write_text("old", "utf-8")
    assert main(["train", PENGUINS, "--target", "species", "--out", "result", *FAST]) == 0
    assert files("result") == ["metrics.json", "mine.txt", "model.npz", "report.html"]
    assert (here / "result" / "mine.txt").read_text("utf-8") == "mine"
    assert (here / "result" / "report.html").read_text("utf-8").startswith("<!DOCTYPE html>")


def test_quiet_is_quiet(capsys):
    assert main(["train", PENGUINS, "--target", "species", "--out", "r", *FAST]) == 0
    assert capsys.readouterr() == ("", "")


# --- predict ----------------------------------------------------------------------------------------------------------


def test_predictions_are_those_of_the_model(trained, capsys):
    assert main(["predict", str(trained / "model.npz"), PENGUINS, "--out", "pred.csv"]) == 0
    out = capsys.readouterr().out
    assert "wrote pred.csv: 344 rows" in out
    assert "the file has species in 344 rows: accuracy" in out
    found = rows(Path("pred.csv").read_text("utf-8"))
    saved, table = load_model(trained / "model.npz"), read_csv(PENGUINS)
    with no_grad():
        expected = saved.model(saved.preprocessor.transform(table)).numpy()
    given = np.array([[float(row[f"P({name})"]) for name in saved.preprocessor.classes] for row in found])
    assert np.abs(given - expected).max() <= 5e-7
    assert [row["species"] for row in found] == saved.preprocessor.decode_target(expected).tolist()
    assert [int(row["line"]) for row in found] == list(range(2, 346))


def test_predictions_of_numbers_are_in_their_unit(capsys):
    assert main(["train", PENGUINS, "--target", "body_mass_g", "--out", "r", *FAST, "--epochs", "20"]) == 0
    assert main(["predict", "r/model.npz", PENGUINS]) == 0
    out, err = capsys.readouterr()
    masses = np.array([float(row["body_mass_g"]) for row in rows(out)])
    assert 3000 < masses.mean() < 5500
    assert "the file has body_mass_g in 342 rows: R²" in err


def test_new_rows_need_no_target_and_may_have_gaps_strangers_and_more_columns(trained, here, capsys):
    header = "sex,island,note,bill_length_mm,bill_depth_mm,flipper_length_mm,body_mass_g,year"
    (here / "new.csv").write_text(f'{header}\nmale,Atlantis,"a, b",40,18,190,,2010\n,Dream,,41,,,4000,2007\n', "utf-8")
    assert main(["predict", str(trained / "model.npz"), "new.csv"]) == 0
    out, err = capsys.readouterr()
    assert [list(row)[:2] for row in rows(out)] == [["line", "species"]] * 2
    assert "note: column 'island': 'Atlantis', in 1 row, is new" in err
    assert "note: column 'note' was not there in training and is ignored" in err


# --- errors: one line, exit code 2, nothing written -------------------------------------------------------------------


def table_of(**columns):
    lines = [",".join(columns), *(",".join(map(str, row)) for row in zip(*columns.values(), strict=True))]
    return "\n".join(lines) + "\n"


N = range(20)
BAD_DATA = {
    "no such file": (None, "y", "no such file"),
    "no such column": (table_of(price=N, area=N), "prize", "no column 'prize'; did you mean 'price'?"),
    "no such column at all": (table_of(price=N, area=N), "zzz", "it has price, area"),
    "empty": ("", "y", "the file is empty"),
    "only blanks": ("\n \n\n", "y", "the file is empty"),
    "only a header": ("x,y\n", "y", "only a header"),
    "a constant target": (table_of(x=N, y=["5"] * 20), "y", "constant"),
    "a constant text": (table_of(x=N, y=["a"] * 20), "y", "constant"),
    "nan in a column": (table_of(x=["nan", *range(19)], y=N), "y", "line 2, column 'x': 'nan'"),
    "inf in the target": (table_of(x=N, y=[*range(19), "-inf"]), "y", "line 21, column 'y': '-inf'"),
    "numbers too large": (table_of(x=[f"{i}e150" for i in N], y=N), "y", "too large"),
    "a slip among numbers": (table_of(x=[*range(19), "1O"], y=N), "y", "line 21, column 'x': '1O' is not a number"),
    "too few rows": (table_of(x=range(6), y=range(6)), "y", "at least 10"),
    "a class with one row": (table_of(x=N, y=["a"] * 10 + ["b"] * 9 + ["c"]), "y", "class 'c'"),
    "only the target": (table_of(y=N), "y", "no column is left"),
    "no useful column": (table_of(name=[f"n{i}" for i in N], y=N), "y", "no column is left"),
    "a line too long": ("x,y\n1,2\n1,2,3\n", "y", "line 3: 3 fields"),
    "a quote left open": ('x,y\n1,"2\n', "y", "quote"),
    "two columns of one name": ("y,y\n1,2\n", "y", "two columns"),
    "binary": ("\0\1\2", "y", "NUL"),
}


def refused(arguments, capsys, message):
    """Run a command that must fail with one line that holds ``message``, and write nothing."""
    before = files()
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert err.startswith("tinygrad-mlp: ")
    assert err.count("\n") == 1
    assert message in err
    assert files() == before
    return out


@pytest.mark.parametrize(("content", "target", "message"), BAD_DATA.values(), ids=BAD_DATA)
def test_data_that_cannot_be_used_is_refused(here, capsys, content, target, message):
    if content is not None:
        (here / "d.csv").write_text(content, "utf-8")
    out = refused(["train", "d.csv", "--target", target, "--out", "result"], capsys, message)
    assert out == ""


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--target", "species"], "--out"),
        (["--out", "r"], "--target"),
        (["--target", "species", "--out", "r", "--hidden", "4,x"], "--hidden: 'x' is not a whole number"),
        (["--target", "species", "--out", "r", "--hidden", "0"], "above 0"),
        (["--target", "species", "--out", "r", "--hidden", "1000000000,1000000000"], "memory"),
        (["--target", "species", "--out", "r", "--lr", "nan"], "--lr"),
        (["--target", "species", "--out", "r", "--epochs", "0"], "--epochs"),
        (["--target", "species", "--out", "r", "--dropout", "1"], "--dropout"),
        (["--target", "species", "--out", "r", "--test-share", "0.5", "--validation-share", "0.5"], "too few rows"),
        (["--target", "species", "--out", "r", "--activation", "swish"], "swish"),
        (["--target", "species", "--out", "r", "--task", "regression"], "not a number"),
        (["--target", "species", "--out", "r", "--ignore", "islnd"], "did you mean 'island'?"),
        (["--target", "species", "--out", "r", "--ignore", "species"], "is the target"),
        (["--target", "species", "--out", "r", "--delimiter", "ab"], "delimiter"),
        (["--target", "species", "--out", "r", "--encoding", "klingon"], "unknown encoding"),
        (["--target", "species", "--out", "r", "--frobnicate"], "--frobnicate"),
    ],
)
def test_options_that_make_no_sense_are_refused(capsys, arguments, message):
    assert refused(["train", PENGUINS, *arguments], capsys, message) == ""


@pytest.mark.parametrize("place", ["file", "file/below", "a/file/b"])
def test_a_folder_that_cannot_be_written_is_known_before_training(here, capsys, monkeypatch, place):
    (here / "a").mkdir()
    for file in ("file", "a/file"):
        (here / file).write_text("in the way", "utf-8")
    monkeypatch.setattr(train_command, "train_from", None)  # training would be a TypeError
    refused(["train", PENGUINS, "--target", "species", "--out", place], capsys, place)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_permission_is_refused(here, capsys):
    (here / "locked").mkdir(mode=0o500)
    refused(["train", PENGUINS, "--target", "species", "--out", "locked/result"], capsys, "cannot be written")


def test_a_loss_that_becomes_infinite_is_told_with_epoch_and_place(here, capsys):
    table = read_csv(PENGUINS)["body_mass_g"]
    lines = [f"{i},{x}" for i, x in enumerate(table.numbers()[~np.isnan(table.numbers())])]
    (here / "d.csv").write_text("a,b\n" + "\n".join(lines), "utf-8")
    command = [
        "train",
        "d.csv",
        "--target",
        "b",
        "--out",
        "r",
        "--hidden",
        "8,8,8",
        "--optimizer",
        "sgd",
        "--lr",
        "1e9",
    ]
    refused([*command, "--activation", "linear", "--quiet"], capsys, "epoch")


def test_models_that_cannot_be_read_are_refused(trained, here, capsys):
    (here / "foreign.npz").write_bytes(b"PK\3\4 not really")
    (here / "cut.npz").write_bytes((trained / "model.npz").read_bytes()[:3000])
    np.savez("numbers.npz", a=np.arange(3))
    for name, message in (
        ("none.npz", "no such file"),
        ("foreign.npz", "damaged"),
        ("cut.npz", "damaged"),
        ("numbers.npz", "not a model"),
        (PENGUINS, "not a model"),
        (".", "cannot be read"),
    ):
        refused(["predict", name, PENGUINS, "--out", "pred.csv"], capsys, message)
        refused(["draw", name], capsys, message)


def test_columns_that_differ_at_prediction_are_refused(trained, here, capsys):
    lines = Path(PENGUINS).read_text("utf-8").splitlines()
    (here / "renamed.csv").write_text("\n".join([lines[0].replace("island", "isle"), *lines[1:]]), "utf-8")
    (here / "worded.csv").write_text("\n".join([lines[0], lines[1].replace("39.1", "long")]), "utf-8")
    (here / "infinite.csv").write_text("\n".join([lines[0], lines[1].replace("39.1", "inf")]), "utf-8")
    (here / "other.csv").write_text("a,b\n1,2\n", "utf-8")
    model = str(trained / "model.npz")
    refused(["predict", model, "renamed.csv", "--out", "p.csv"], capsys, "no 'island'")
    refused(["predict", model, "worded.csv", "--out", "p.csv"], capsys, "line 2, column 'bill_length_mm': 'long'")
    refused(["predict", model, "infinite.csv", "--out", "p.csv"], capsys, "line 2, column 'bill_length_mm': 'inf'")
    refused(["predict", model, "other.csv", "--out", "p.csv"], capsys, "not the columns of the training")
    refused(["predict", model, PENGUINS, "--out", "none/p.csv"], capsys, "none/p.csv: cannot be written")


# --- nothing half-written ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("failing", ["save_model", "render", "write_text"])
@pytest.mark.parametrize("error", [RuntimeError("a bug"), OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_failure_in_the_middle_of_writing_leaves_the_old_results(trained, here, capsys, monkeypatch, failing, error):
    old = {name: (trained / name).read_bytes() for name in RESULTS}
    (here / "result").mkdir()
    for name, content in old.items():
        (here / "result" / name).write_bytes(content)

    def fail(*_, **__):
        raise error

    monkeypatch.setattr(train_command, failing, fail)
    for out in ("result", "new/result"):
        command = ["train", PENGUINS, "--target", "island", "--out", out, *FAST]
        if isinstance(error, KeyboardInterrupt):
            assert main(command) == 130
            assert "nothing was written" in capsys.readouterr().err
        elif isinstance(error, OSError) and failing == "save_model":
            assert main(command) == 2
            assert "cannot be written (No space left on device)" in capsys.readouterr().err
        else:
            with pytest.raises(type(error)):
                main(command)
    assert {name: (here / "result" / name).read_bytes() for name in RESULTS} == old
    assert files() == ["result", *(f"result/{name}" for name in RESULTS)]


def test_a_disk_that_fills_while_predicting_leaves_the_old_file(trained, here, capsys, monkeypatch):
    (here / "pred.csv").write_text("old", "utf-8")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    refused(["predict", str(trained / "model.npz"), PENGUINS, "--out", "pred.csv"], capsys, "No space left")
    assert (here / "pred.csv").read_text("utf-8") == "old"


def test_ctrl_c_in_training_keeps_the_best_and_still_writes(here):
    program = run_program(
        "train", PENGUINS, "--target", "species", "--out", "result", "--epochs", "10000000", "--patience", "0", cwd=here
    )
    assert "epoch" in program.stderr.readline()  # the first epoch is done
    time.sleep(0.1)
    program.send_signal(signal.SIGINT)
    out, _ = program.communicate(timeout=60)
    assert program.returncode == 0
    assert "interrupted by Ctrl-C; kept epoch" in out
    assert files(here / "result") == RESULTS
    record = json.loads((here / "result" / "metrics.json").read_text("utf-8"))
    assert record["stopped"] == "interrupted"
    assert 1 <= record["kept_epoch"] <= record["epochs"]


# --- draw, notes, demo, and the program -------------------------------------------------------------------------------


def test_draw_shows_an_example_and_a_saved_model(trained, capsys):
    assert main(["draw"]) == 0
    assert "relu" in capsys.readouterr().out
    assert main(["draw", str(trained / "model.npz")]) == 0
    assert "11 units" in capsys.readouterr().out
    for kind, word in (("network", "Adelie"), ("ops", "softmax")):
        assert main(["draw", str(trained / "model.npz"), "--kind", kind, "--out", f"{kind}.svg"]) == 0
        assert word in Path(f"{kind}.svg").read_text("utf-8")
    refused(["draw", "--out", "picture.xyz"], capsys, "suffix")
    refused(["draw", "--kind", "network"], capsys, "MODEL")


def test_notes_prints_the_table_and_the_mistakes_and_draws(capsys, monkeypatch):
    pytest.importorskip("matplotlib")
    monkeypatch.setattr(drawings, "PLOTS", {"three-clusters": drawings.PLOTS["three-clusters"]})  # all take seconds
    assert main(["notes", "--figures", "pictures"]) == 0
    out = capsys.readouterr().out
    assert "figures agree" in out
    assert "DIFFERS" not in out
    assert "Mistakes of the notes" in out
    assert files("pictures")[-1] == "three-clusters.png"


def test_notes_says_at_once_which_extra_the_figures_need(capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert refused(["notes", "--figures", "pictures"], capsys, "pip install matplotlib") == ""


def test_notes_fails_if_a_figure_differs(capsys, monkeypatch):
    rows = notes.table()
    monkeypatch.setattr(notes, "table", lambda: [dataclasses.replace(rows[0], agrees=False), *rows[1:]])
    monkeypatch.setattr(notes_command, "show_mistakes", int)
    for name in ("training", "format_training", "properties", "format_properties"):
        monkeypatch.setattr(notes, name, lambda *_, **__: "")  # seconds that this test does not need
    assert main(["notes"]) == 1
    assert f"{sum(row.agrees is True for row in rows) - 1} of" in capsys.readouterr().out


def test_the_demo_does_all_of_it_and_says_where_to_look(capsys):
    assert main(["demo", "--out", "demo"]) == 0
    out = capsys.readouterr().out
    assert files("demo") == [*RESULTS[:2], "penguins.LICENSE.txt", "penguins.csv", "report.html"]
    assert "figures agree" in out
    assert "Mistakes of the notes" in out
    assert str(Path("demo/report.html")) in out
    assert json.loads(Path("demo/metrics.json").read_text("utf-8"))["metrics"]["test"]["accuracy"] > 0.9
    assert main(["predict", "demo/model.npz", "demo/penguins.csv", "--out", "p.csv"]) == 0


def test_the_command_of_a_report_gives_the_same_metrics():
    assert main(["demo", "--out", "demo"]) == 0
    record = json.loads(Path("demo/metrics.json").read_text("utf-8"))
    command = record["command"].split()
    assert command[0] == "tinygrad-mlp"
    assert main([*command[1:], "--quiet"]) == 0
    again = json.loads(Path("RESULT/metrics.json").read_text("utf-8"))
    assert again["metrics"] == record["metrics"]
    assert again["data"] == record["data"]


def test_the_version_and_the_help_are_printed(capsys):
    with pytest.raises(SystemExit, match="0"):
        main(["--version"])
    assert capsys.readouterr().out.startswith("tinygrad-mlp ")
    assert main([]) == 0
    out = capsys.readouterr().out
    assert all(command in out for command in ("demo", "notes", "train", "predict", "draw"))
    for command in ("demo", "notes", "train", "predict", "draw"):
        with pytest.raises(SystemExit, match="0"):
            main([command, "--help"])


def test_an_unknown_command_is_refused(capsys):
    refused(["frobnicate"], capsys, "frobnicate")


def test_a_bug_is_not_hidden(monkeypatch):
    monkeypatch.setattr("tinygrad_mlp.cli.training.read_csv", lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        main(["train", PENGUINS, "--target", "species", "--out", "r"])
    assert files() == []


def test_the_program_runs_as_a_process_and_ends_politely_when_its_reader_leaves(trained, here):
    program = run_program("predict", str(trained / "model.npz"), PENGUINS, cwd=here)
    assert program.stdout.readline().startswith("line,species,P(Adelie)")
    program.stdout.close()
    with program.stderr:
        assert "Traceback" not in program.stderr.read()
    assert program.wait(timeout=60) == 0


def test_a_terminal_without_unicode_gets_question_marks(here):
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(sys.path),
        "PYTHONUTF8": "0",
        "PYTHONIOENCODING": "ascii",
    }
    command = [sys.executable, "-m", "tinygrad_mlp", "draw"]
    done = subprocess.run(command, capture_output=True, env=environment, cwd=here, check=False)
    assert done.returncode == 0, done.stderr
    assert b"?" in done.stdout


def test_a_saved_model_needs_its_preprocessing_to_predict(capsys):
    from tinygrad_mlp import nn
    from tinygrad_mlp.export import save_model

    save_model("bare.npz", nn.MLP([2, 1], []))
    refused(["predict", "bare.npz", PENGUINS], capsys, "without preprocessing")
    with pytest.raises(ModelFileError):
        load_model("none.npz")


# --- what a hurried user does -----------------------------------------------------------------------------------------


def test_predictions_never_overwrite_the_data_or_the_model(trained, here, capsys):
    (here / "data.csv").write_bytes(Path(PENGUINS).read_bytes())
    (here / "model.npz").write_bytes((trained / "model.npz").read_bytes())
    (here / "link.csv").symlink_to("data.csv")
    for out in ("data.csv", "./data.csv", "link.csv", "model.npz"):
        refused(["predict", "model.npz", "data.csv", "--out", out], capsys, "would overwrite its own input")
    assert (here / "data.csv").read_bytes() == Path(PENGUINS).read_bytes()
    assert (here / "model.npz").read_bytes() == (trained / "model.npz").read_bytes()
    (here / "model.svg").write_bytes((trained / "model.npz").read_bytes())
    refused(["draw", "model.svg", "--out", "model.svg"], capsys, "would overwrite its own input")


def test_an_unseen_class_in_the_file_keeps_no_prediction_back(trained, here, capsys):
    lines = Path(PENGUINS).read_text("utf-8").splitlines()
    (here / "new.csv").write_text("\n".join([lines[0], lines[1].replace("Adelie", "Macaroni")]), "utf-8")
    assert main(["predict", str(trained / "model.npz"), "new.csv", "--out", "p.csv"]) == 0
    assert "note: how good this is cannot be told: new.csv, line 2" in capsys.readouterr().out
    assert len(rows(Path("p.csv").read_text("utf-8"))) == 1


def test_a_folder_in_the_way_of_a_result_is_told_before_any_file_is_replaced(here, capsys):
    (here / "r" / "report.html").mkdir(parents=True)
    (here / "r" / "metrics.json").write_text("old", "utf-8")
    message = f"{Path('r/report.html')}: a folder is in the way"
    refused(["train", PENGUINS, "--target", "species", "--out", "r", *FAST], capsys, message)
    assert (here / "r" / "metrics.json").read_text("utf-8") == "old"


def test_messages_about_data_name_options_of_the_command(here, capsys):
    (here / "comma.csv").write_text("x;y\n" + "1,5;2\n1,5;3\n" * 20, "utf-8")
    (here / "old.csv").write_bytes("größe,y\n1,2\n".encode("latin-1"))
    (here / "wide.csv").write_bytes("x,y\n1,2\n".encode("utf-16"))
    (here / "slip.csv").write_text(table_of(x=[*range(19), "1O"], y=N), "utf-8")
    for name, message in (
        ("comma.csv", "read with --decimal ,;"),
        ("old.csv", "(--encoding cp1252 for"),
        ("wide.csv", "(--encoding utf-16)"),
        ("slip.csv", "leave the column out (--ignore), or read it as text (--as-text)"),
    ):
        refused(["train", name, "--target", "y", "--out", "r"], capsys, message)
    command = ["train", "slip.csv", "--target", "y", "--task", "classification", "--out", "r"]
    refused(command, capsys, "choose --task regression")


@pytest.mark.parametrize(
    ("option", "message"), [(["--hidden", "999999999"], "too much memory"), (["--out", ""], "empty")]
)
def test_slips_of_the_keyboard_are_caught(capsys, option, message):
    refused(["train", PENGUINS, "--target", "species", "--out", "r", *option], capsys, message)


def test_the_demo_says_how_to_call_the_program_where_the_shell_does_not_find_it(here, monkeypatch):
    monkeypatch.setattr(sys, "argv", [str(here / ".venv" / "bin" / "tinygrad-mlp")])
    monkeypatch.setattr("shutil.which", lambda _: None)
    assert demo_command.program() == str(Path(".venv/bin/tinygrad-mlp"))
    monkeypatch.setattr("shutil.which", lambda name: f"/usr/bin/{name}")
    assert demo_command.program() == "tinygrad-mlp"
    monkeypatch.setattr(sys, "argv", [str(here / "tinygrad_mlp" / "__main__.py")])
    assert demo_command.program().endswith(" -m tinygrad_mlp")


@pytest.mark.skipif(not Path("/dev/stdin").exists(), reason="no /dev/stdin")
def test_a_pipe_is_read_once_and_has_no_digest(here):
    with open(PENGUINS, "rb") as file:
        content = file.read()
    command = [sys.executable, "-m", "tinygrad_mlp", "train", "/dev/stdin", "--target", "sex", "--as-text", "year"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([*command, "--out", "r", *FAST], input=content, cwd=here, env=environment, check=False)
    assert done.returncode == 0
    assert json.loads((here / "r" / "metrics.json").read_text("utf-8"))["data"]["sha256"] is None


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
def test_an_output_that_cannot_be_written_is_one_line(trained, here):
    command = [sys.executable, "-m", "tinygrad_mlp", "predict", str(trained / "model.npz"), PENGUINS]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "PYTHONUTF8": "1"}
    with open("/dev/full", "wb") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, cwd=here, env=environment, check=False)
    assert done.returncode == 2
    assert done.stderr.decode() == "tinygrad-mlp: the output cannot be written (No space left on device)\n"


@pytest.mark.skipif(os.name == "nt", reason="needs a POSIX shell")
def test_closed_streams_are_no_error(trained, here):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    for command in ("predict {0} {1} --out p.csv", "train {1} --target species --hidden 4 --epochs 2 --out r"):
        arguments = command.format(trained / "model.npz", PENGUINS)
        line = f"{sys.executable} -m tinygrad_mlp {arguments} <&- >&- 2>&-"
        assert subprocess.run(line, shell=True, cwd=here, env=environment, check=False).returncode == 0
    assert files(here) == ["p.csv", "r", *(f"r/{name}" for name in RESULTS)]


@pytest.mark.skipif(os.name == "nt", reason="Windows ends a process without asking it")
def test_a_process_that_is_told_to_end_leaves_nothing_behind(here):
    program = run_program(
        "train", PENGUINS, "--target", "species", "--out", "result", "--epochs", "10000000", "--patience", "0", cwd=here
    )
    assert "epoch" in program.stderr.readline()
    program.terminate()
    program.communicate(timeout=60)
    assert program.returncode == 128 + signal.SIGTERM
    assert files(here) == []


FUNCTIONS = """
import tinygrad_mlp as tg
from tinygrad_mlp import nn

model = nn.MLP([4, 3, 1], rng=0)

def energy(x):
    return (tg.tanh(x) ** 2).sum()

def broken(x):
    return x.nothing
"""


@pytest.fixture
def functions(tmp_path, monkeypatch):
    """A folder with a file of functions to be drawn."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "losses.py").write_text(FUNCTIONS)
    return tmp_path


@pytest.mark.parametrize("kind", ["ops", "scalar", "backward", "path", "steps", "health", "check"])
def test_draw_shows_a_function_of_the_users_in_every_kind(kind, functions, capsys):
    command = ["draw", "losses.py:energy", "--shape", "3", "--kind", kind, "--engine", "native", "--theme", "dark"]
    command += ["--to", "x"] if kind == "path" else []
    assert main(command) == 0
    assert "tanh" in capsys.readouterr().out
    assert main([*command, "--out", "picture.html"]) == 0
    assert "tanh" in (functions / "picture.html").read_text("utf-8")


def test_draw_opens_and_closes_modules(functions, capsys):  # noqa: ARG001
    assert main(["draw", "losses.py:model", "--shape", "2,4", "--kind", "ops", "--depth", "0"]) == 0
    assert "group" in capsys.readouterr().out
    command = ["draw", "losses.py:model", "--shape", "2,4", "--kind", "ops", "--depth", "1", "--expand", "hidden1"]
    assert main(command) == 0
    assert "weight1" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["losses.py"], "losses.py:loss"),
        (["losses.py:energy", "--kind", "path"], "--to NAME"),
        (["losses.py:energy", "--kind", "network"], "does not fit function"),
        (["losses.py:nothing"], "it has model, energy, broken"),
        (["losses.py:broken"], "raised AttributeError"),
        (["losses.py:energy", "--shape", "3", "--expand", "nobody"], "no module of this name"),
        (["model.npz", "--shape", "3"], "leave --shape and --input out"),
        (["losses.py:energy", "--out", "picture.xyz"], "suffix"),
    ],
    ids=str,
)
def test_draw_refuses_what_it_cannot_draw_in_a_line(functions, capsys, arguments, message):  # noqa: ARG001
    refused(["draw", *arguments], capsys, message)
