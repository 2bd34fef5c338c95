"""The guide on derivations: its programs print what it says, and its table has every planted slip."""

import contextlib
import io
import re
import sys
from pathlib import Path

import pytest

import tinygrad_mlp as tg

sys.path.insert(0, str(Path(__file__).parents[1] / "docs"))

from make_slips import MISSED, guessed
from planted_slips import planted

DOCS = Path(__file__).parents[1] / "docs"
PAGE = (DOCS / "derivations.md").read_text("utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```\n\n```text\n(.*?)```", PAGE, re.DOTALL)
BOUND = re.compile(r" ± \S+")  # how far a measured number may be off hangs on the processor


def test_the_programs_print_what_the_page_says():
    names = {}
    assert len(BLOCKS) == PAGE.count("```python") == 5
    for code, printed in BLOCKS:
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            exec(compile(code, "derivations.md", "exec"), names)
        assert BOUND.sub("", out.getvalue()).strip() == BOUND.sub("", printed).strip()


def test_the_page_names_what_there_is():
    for name in set(re.findall(r"\btg\.([a-z_]+)\b", PAGE)):
        assert hasattr(tg, name), name


@pytest.fixture(scope="module")
def cases():
    return list(planted())


def rows():
    found = re.findall(r"^\| (.+?) \| (\d+) \| (.+?) \| (\d+) \| (.*?) \|$", PAGE, re.MULTILINE)
    return {slip: (int(total), kind, int(right), others) for slip, total, kind, right, others in found}


def test_the_table_has_every_slip_and_every_formula(cases):
    counts = {}
    for case in cases:
        counts[case.slip, case.kind] = counts.get((case.slip, case.kind), 0) + 1
    assert {(slip, kind): total for slip, (total, kind, _, _) in rows().items()} == counts
    assert f"from {len(cases):,} reports" in PAGE


def test_the_numbers_of_a_row_add_up_and_none_was_unnoticed():
    for total, _, right, others in rows().values():
        assert total == right + sum(map(int, re.findall(r" (\d+)(?:,|$)", others)))
        assert MISSED not in others


def test_a_row_is_what_comes_out_now(cases):
    said = [guessed(case) for case in cases if case.slip == "h for 1 − h"]
    total, kind, right, _ = rows()["h for 1 − h"]
    assert (len(said), said.count(kind)) == (total, right)
