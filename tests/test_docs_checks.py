"""The programs and commands on the page on more checks print what the page says."""

import contextlib
import io
import re
import shlex
import sys
from pathlib import Path

import pytest

import tinygrad_mlp as tg
from tinygrad_mlp.cli import main

pytest.importorskip("hypothesis", reason="hypothesis is not installed")
pytest.importorskip("sympy", reason="sympy is not installed")

DOCS = Path(__file__).parents[1] / "docs"
PAGE = (DOCS / "checks.md").read_text("utf-8")
PROGRAMS = re.findall(r"```python\n([^`]*?)```\n\n```text\n(.*?)```", PAGE, re.DOTALL)
FILE = re.findall(r"With this `losses\.py`:\n\n```python\n(.*?)```", PAGE, re.DOTALL)
COMMANDS = re.findall(r"^\$ tinygrad-mlp (.*)\n((?:(?!\$|```).*\n)*)", PAGE, re.MULTILINE)


def without_rounding(text):
    """The text without what depends on rounding: bounds, errors, remainders, and how many evaluations it took."""
    text = re.sub(r"(?m)^( *\d\.\d\de[+-]\d\d) .*$", r"\1", text)  # of Taylor's table the steps
    text = re.sub(r"± \S+|\d(?:\.\d+)?e[+-]\d\d|by [\d,]+ evaluations", "…", text)
    return "\n".join(" ".join(line.split()) for line in text.splitlines()).strip()


pytestmark = pytest.mark.usefixtures("own_rows")


def test_every_program_has_its_output():
    assert len(PROGRAMS) + len(FILE) == PAGE.count("```python") == 9
    assert len(COMMANDS) == 2


@pytest.mark.parametrize("number", range(len(PROGRAMS)))
def test_a_program_prints_what_the_page_says(number):
    code, printed = PROGRAMS[number]
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(compile(code, "loss.py", "exec"), {"__name__": "loss"})
    assert without_rounding(out.getvalue()) == without_rounding(printed)


def test_the_commands_print_what_the_page_says(tmp_path, monkeypatch, capsys):
    (tmp_path / "losses.py").write_text(FILE[0], "utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    sys.modules.pop("losses", None)
    try:
        for command, printed in COMMANDS:
            main(shlex.split(command))
            assert without_rounding(capsys.readouterr().out) == without_rounding(printed)
    finally:
        sys.modules.pop("losses", None)


def test_the_page_names_what_there_is():
    for name in set(re.findall(r"\btg\.check\.([a-z_]+)\b", PAGE)):
        assert hasattr(tg.check, name), name
    for name in set(re.findall(r"\btg\.([a-z_]+)\b", PAGE)):
        assert hasattr(tg, name), name


def test_its_links_lead_somewhere():
    headings = re.findall(r"^#+ (.*)$", PAGE, re.MULTILINE)
    anchors = {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
    assert set(re.findall(r"\]\(#([^)]+)\)", PAGE)) <= anchors
    assert all((DOCS / name).exists() for name in re.findall(r"\]\((\w+\.md)\)", PAGE))
