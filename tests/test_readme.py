"""The README says only what runs: its session, its code, its pictures, its commands."""

import doctest
import re
from pathlib import Path

import numpy as np
import pytest

import tinygrad_mlp as tg

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```", README, flags=re.MULTILINE | re.DOTALL)


def test_the_sessions_print_what_they_show():
    session = "\n".join(text for kind, text in BLOCKS if kind == "python" and ">>>" in text)
    test = doctest.DocTestParser().get_doctest(session, {}, "README", "README.md", 0)
    report: list[str] = []
    assert doctest.DocTestRunner().run(test, out=report.append).failed == 0, "".join(report)
    assert len(test.examples) >= 14


def test_the_network_trains(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code = next(text for kind, text in BLOCKS if kind == "python" and "nn.MLP" in text)
    names = {"tg": tg, "np": np}
    exec(code, names)
    assert np.mean(names["model"].predict(names["X"]) == names["labels"]) > 0.95
    assert "<svg" in (tmp_path / "network.svg").read_text("utf-8")


def test_links_and_pictures_exist():
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        assert target.startswith("https://") or (ROOT / target).exists(), target


def test_the_commands_that_it_names_exist():
    from tinygrad_mlp.cli import main

    named = set(re.findall(r"^tinygrad-mlp (\w+)", README, flags=re.MULTILINE))
    assert named
    for command in named:
        with pytest.raises(SystemExit) as stop:
            main([command, "--help"])
        assert stop.value.code == 0, command
