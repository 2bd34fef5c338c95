"""``tinygrad-mlp check``: its verdicts as exit codes, its inputs, and what it refuses."""

import json
import os
import subprocess
import sys

import pytest

from tinygrad_mlp.cli import main

LOSSES = """
import numpy as np

import tinygrad_mlp as tg
from tinygrad_mlp import nn

labels, zero = np.array([0, 2, 1]), 0.0
network = nn.MLP([2, 3, 2], "tanh", "softmax", rng=0)
rows, kinds = np.random.default_rng(0).normal(size=(4, 2)), np.array([0, 1, 1, 0])


def right(z):
    return tg.cross_entropy(z, labels)


def right_by_hand(z):
    y = np.exp(z - z.max(axis=1, keepdims=True))
    y = y / y.sum(axis=1, keepdims=True)
    return (y - np.eye(3)[labels]) / len(z)


def wrong_by_hand(z):
    return -right_by_hand(z)


def loses(x, y):
    return x * y.detach()


def number(x):
    return x**3


def root(x):
    return tg.sqrt(x)


def raises(x):
    raise ValueError("not today")


def loss():
    return network.loss(rows, kinds)


def plain(x):
    return "text"


def columns(z):
    return tg.log_softmax(z, axis=1)


def unrecorded(x):
    return float(x.data) ** 2


def ends(x):
    raise SystemExit(0)
"""


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """A folder with a module of functions, in which the test runs."""
    (tmp_path / "losses.py").write_text(LOSSES, "utf-8")
    (tmp_path / "broken.py").write_text("import numpy\n\n1 / 0\n", "utf-8")
    (tmp_path / "lacking.py").write_text("import numpy\nimport no_such_module\n", "utf-8")
    (tmp_path / "ending.py").write_text("raise SystemExit(3)\n", "utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    yield tmp_path
    for name in [
        name for name in sys.modules if name in ("losses", "broken", "lacking", "ending") or name.startswith("file:")
    ]:
        del sys.modules[name]


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["losses:right", "--shape", "3,3"], 0, "gradcheck of right: right: 9 derivatives confirmed"),
        (["losses.py:right", "--shape", "3,3"], 0, "gradcheck of right: right"),
        (["losses:number"], 0, "1 derivative confirmed"),
        (["losses:number", "--shape", "()"], 0, "1 derivative confirmed"),
        (["losses:number", "--second"], 0, "gradgradcheck of"),
        (["losses:number", "--shape", "3", "--mode", "both", "--method", "graph"], 0, "right"),
        (["losses:loss", "--input", "losses:network"], 0, "weight1"),
        (["losses:loses"], 1, "gradient lost: operand 1 of multiply at losses.py:"),
        (["losses:root", "--input", "losses:zero"], 2, "there is no derivative"),
        (["losses:right", "--shape", "3,3", "--by-hand", "losses:right_by_hand"], 0, "right"),
        (["losses:right", "--shape", "3,3", "--by-hand", "losses.py:wrong_by_hand"], 1, "sign"),
    ],
)
def test_the_exit_code_is_the_verdict(capsys, arguments, code, says):
    assert main(["check", *arguments]) == code
    assert says in capsys.readouterr().out


def test_json_is_the_report(capsys):
    assert main(["check", "losses:loses", "--shape", "2", "--shape", "2", "--json"]) == 1
    report = json.loads(capsys.readouterr().out)
    assert (report["verdict"], report["derivatives"]) == ("wrong", 8)
    assert {e["verdict"] for e in report["elements"]} == {"wrong"}
    assert "gradient lost" in report["notes"][0]


def test_the_same_seed_gives_the_same_inputs(capsys):
    texts = []
    for seed in ("1", "1", "2"):
        main(["check", "losses:loses", "--seed", seed])
        texts.append(capsys.readouterr().out)
    assert texts[0] == texts[1] != texts[2]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["losses"], "write MODULE:NAME"),
        (["nowhere:f"], "there is no module 'nowhere'"),
        (["nowhere.py:f"], "there is no file nowhere.py"),
        (["losses:nothing"], "losses has no 'nothing'; it has "),
        (["losses:labels"], "is no function, but a ndarray"),
        (["broken:f"], "broken cannot be imported: ZeroDivisionError: division by zero"),
        (["losses:raises"], "losses:raises raised ValueError: not today ("),
        (["losses:plain"], "f returned"),
        (["losses:right", "--shape", "3,x"], "is no shape"),
        (["losses:right", "--shape", "2,3"], "cross_entropy"),
        (["losses:loss"], "no input requires a gradient"),
        (["losses:right", "--by-hand", "losses:right_by_hand", "--second"], "leave --second out"),
        (["losses:right", "--by-hand", "losses:right_by_hand", "--mode", "forward"], "leave --mode forward out"),
        (["losses:right", "--by-hand", "losses:right_by_hand", "--method", "graph"], "leave --method graph out"),
        (
            ["lacking:f"],
            "lacking cannot be imported: ModuleNotFoundError: No module named 'no_such_module' (lacking.py:2)",
        ),
        (["lacking.py:f"], "lacking.py cannot be imported: ModuleNotFoundError: No module named 'no_such_module'"),
        (["nowhere.inside:f"], "there is no module 'nowhere'"),
        (["ending:f"], "ending cannot be imported: SystemExit: 3"),
        (["losses:ends"], "losses:ends raised SystemExit: 0"),
        (["losses:columns"], "axis 1 is out of bounds for array of dimension 0: give the inputs: --shape 5,3"),
        (["losses:columns", "--shape", "5", "3"], "write the lengths of a shape with commas, as --shape 5,3"),
        (["losses:columns", "--shape", "0,3"], "the inputs have no elements, so there is nothing to check"),
        (
            ["losses:number", "--input", "losses:nope"],
            "losses has no 'nope'; it has labels, zero, network, rows, kinds",
        ),
        (["math:sin", "--shape", "()"], "math:sin records nothing, so there is no gradient to check"),
        (["losses:unrecorded"], "losses:unrecorded records nothing"),
    ],
)
def test_what_cannot_be_checked_takes_one_line_and_exit_code_2(capsys, arguments, message):
    assert main(["check", *arguments]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    "arguments",
    [["nowhere:f"], ["losses"], ["losses:plain"], ["losses:right", "--shape", "x"], ["losses:number", "--mode", "up"]],
)
def test_json_says_what_cannot_be_checked_too(capsys, arguments):
    assert main(["check", *arguments, "--json"]) == 2
    out, error = capsys.readouterr()
    found = json.loads(out)
    assert found["verdict"] == "unusable"
    assert error == f"tinygrad-mlp: {found['error']}\n"


def test_what_records_nothing_is_still_set_against_a_derivative_by_hand(capsys):
    assert main(["check", "math:sin", "--shape", "()", "--by-hand", "math:cos"]) == 0
    assert "right" in capsys.readouterr().out


def test_a_new_user_in_a_folder_of_their_own(here):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path[1:]), "PYTHONUTF8": "1"}
    command = [sys.executable, "-W", "error", "-m", "tinygrad_mlp", "check", "losses:right", "--shape", "3,3"]
    done = subprocess.run(
        command, cwd=here, env=environment, capture_output=True, text=True, encoding="utf-8", check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("gradcheck of right: right: 9 derivatives confirmed\n")
