"""The generated page of operations is the one in the repository, whole, and its links lead somewhere."""

import contextlib
import importlib.util
import io
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from strategies import ROWS

import tinygrad_mlp as tg
from tinygrad_mlp.rewrite.rules import titles
from tinygrad_mlp.table import Op

DOCS = Path(__file__).parents[1] / "docs"
PAGE = (DOCS / "ops.md").read_text("utf-8")


def make_ops(name="make_ops"):
    spec = importlib.util.spec_from_file_location(name, DOCS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_is_what_the_table_gives_now():
    assert make_ops().page() == PAGE, "run: python docs/make_ops.py"


def test_the_page_is_the_same_in_every_process():
    code = "import runpy; print(runpy.run_path('docs/make_ops.py')['page'](), end='')"
    run = subprocess.run(
        [sys.executable, "-c", code],
        cwd=DOCS.parent,
        env={**os.environ, "PYTHONHASHSEED": "7", "PYTHONIOENCODING": "utf-8"},
        capture_output=True,
        check=True,
    )
    assert run.stdout.decode("utf-8").replace("\r\n", "\n") == PAGE


def test_the_page_on_compiling_has_every_rule():
    text = (DOCS / "compile.md").read_text("utf-8")
    assert make_ops("make_rules").page(text) == text, "run: python docs/make_rules.py"
    assert [title for title in titles() if f"\n| {title} | " not in text] == []


@pytest.mark.parametrize("number", [0, 1])
def test_a_program_on_the_page_on_compiling_prints_what_it_says(number):
    text = (DOCS / "compile.md").read_text("utf-8")
    code, printed = re.findall(r"```(?:python|text)\n(.*?)```", text, re.DOTALL)[2 * number :][:2]
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(compile(code, "compile.md", "exec"), {})
    assert out.getvalue().strip() == printed.strip()


def test_every_row_and_every_function_has_its_place():
    assert [name for name in ROWS if f"\n### {name}\n" not in PAGE] == []
    composed = [name for name in tg.ops.__all__ if not isinstance(getattr(tg.ops, name), Op)]
    assert [name for name in composed if f"\n- `{name}(" not in PAGE and f"\n### {name}\n" not in PAGE] == []
    kinks = [name for name, op in ROWS.items() if op.kinks]
    assert [name for name in kinks if f"| [{name}](#{name}) | {ROWS[name].kinks} |" not in PAGE] == []


def test_links_lead_to_headings():
    headings = {
        re.sub(r"[^\w -]", "", h.lower()).replace(" ", "-") for h in re.findall(r"^#+ (.*)$", PAGE, re.MULTILINE)
    }
    assert set(re.findall(r"\]\(#([^)]+)\)", PAGE)) <= headings


def test_formulas_are_balanced():
    for block in re.findall(r"```math\n(.*?)\n```", PAGE, re.DOTALL):
        plain = re.sub(r"\\[{}]", "", block)
        assert plain.count("{") == plain.count("}")
        assert plain.count(r"\left") == plain.count(r"\right")


def test_formulas_use_no_macro_that_github_refuses():
    assert re.findall(r"\\(?:operatorname|DeclareMathOperator|def|newcommand|mbox|phantom|require)\b", PAGE) == []


def test_sphinx_builds_the_pages(tmp_path):
    pytest.importorskip("myst_nb", reason="myst-nb is not installed")
    build = [sys.executable, "-m", "sphinx", "-W", "-q", "-b", "html", str(DOCS), str(tmp_path)]
    assert subprocess.run(build, check=False).returncode == 0
    assert (tmp_path / "ops.html").exists()
    assert (tmp_path / "compile.html").exists()
