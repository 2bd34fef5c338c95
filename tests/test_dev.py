"""dev.py installs when something changed, and only then; its errors are one line."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

import dev


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """A checkout whose pip only takes notes; the notes."""
    calls: list[str] = []
    for name in ("pyproject.toml", "constraints.txt"):
        (tmp_path / name).write_text("first", "utf-8")
    venv = tmp_path / ".venv"
    places = {"ROOT": tmp_path, "VENV": venv, "PYTHON": venv / "python", "STAMP": venv / "dev-stamp.json"}
    for name, path in {**places, "CONSTRAINTS": tmp_path / "constraints.txt"}.items():
        monkeypatch.setattr(dev, name, path)

    def make_venv():
        venv.mkdir(exist_ok=True)
        (venv / "python").touch()
        calls.append("venv")

    monkeypatch.setattr(dev, "make_venv", make_venv)
    monkeypatch.setattr(dev, "pip_install", lambda what, *_: calls.append(what))
    return calls


def test_the_second_call_installs_nothing(installed):
    dev.prepare({"viz"}, {"test"})
    dev.prepare({"viz"}, set())
    assert installed == ["venv", "tinygrad-mlp[viz], group test"]


def test_a_further_extra_is_added_to_those_that_were_there(installed):
    dev.prepare({"viz"}, set())
    dev.prepare({"cli"}, {"lint"})
    dev.prepare({"viz", "cli"}, set())
    assert installed == ["venv", "tinygrad-mlp[viz]", "tinygrad-mlp[cli,viz], group lint"]


@pytest.mark.parametrize("name", ["pyproject.toml", "constraints.txt"])
def test_a_changed_file_means_another_installation(installed, name):
    dev.prepare({"viz"}, set())
    (dev.ROOT / name).write_text("second", "utf-8")
    dev.prepare({"viz"}, set())
    assert installed == ["venv", "tinygrad-mlp[viz]", "tinygrad-mlp[viz]"]


@pytest.mark.parametrize("key", ["python", "root"])
def test_another_python_or_place_means_another_environment(installed, key):
    dev.prepare({"viz"}, set())
    dev.STAMP.write_text(json.dumps({**json.loads(dev.STAMP.read_text("utf-8")), key: "another"}), "utf-8")
    dev.prepare({"cli"}, set())
    assert installed == ["venv", "tinygrad-mlp[viz]", "venv", "tinygrad-mlp[cli]"]


def test_an_installation_that_failed_is_tried_again(installed, monkeypatch):
    def fail(what, *_):
        raise dev.Failure(f"pip could not install {what}")

    with monkeypatch.context() as broken:
        broken.setattr(dev, "pip_install", fail)
        with pytest.raises(dev.Failure, match="could not install"):
            dev.prepare({"viz"}, set())
    dev.prepare({"viz"}, set())
    assert installed[-1] == "tinygrad-mlp[viz]"


COMMAND_LINES = [(["tset"], 2, "no task 'tset'"), ([], 2, ""), (["--help"], 0, "")]


@pytest.mark.parametrize(("arguments", "code", "words"), COMMAND_LINES)
def test_a_wrong_command_line_gets_one_line(arguments, code, words):
    command = [sys.executable, str(Path(dev.__file__)), *arguments]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == code
    assert words in run.stderr
    assert run.stderr.count("\n") == bool(words)


def test_the_exit_code_of_a_program_is_passed_on():
    assert dev.run(sys.executable, "-c", "raise SystemExit(7)") == 7
