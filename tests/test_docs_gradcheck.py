"""The programs on the page on checking gradients print what the page says."""

import contextlib
import io
import re
from pathlib import Path

import pytest

PAGE = (Path(__file__).parents[1] / "docs" / "gradcheck.md").read_text("utf-8")
PROGRAMS = re.findall(r"```python\n(.*?)```\n\n```text\n(.*?)```", PAGE, re.DOTALL)


def without_rounding(text):
    """The text without what depends on rounding: bounds, relative errors, and how many evaluations it took."""
    return re.sub(r"± \S+|\d\.\de[+-]\d\d|by [\d,]+ evaluations", "…", text).replace(" ", "").strip()


def test_every_program_has_its_output():
    assert len(PROGRAMS) == PAGE.count("```python")


@pytest.mark.usefixtures("own_rows")
@pytest.mark.parametrize("number", range(len(PROGRAMS)))
def test_a_program_prints_what_the_page_says(number):
    code, printed = PROGRAMS[number]
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(compile(code, "loss.py", "exec"), {"__name__": "loss"})
    assert without_rounding(out.getvalue()) == without_rounding(printed)
