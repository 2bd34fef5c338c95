"""Write the verdicts of all checkers into docs/gradcheck.md: ``python docs/make_verdicts.py``.

The column of a checker that is not installed stays as it is.
"""

import re
import sys
from pathlib import Path

PAGE = Path(__file__).with_name("gradcheck.md")
sys.path.insert(0, str(PAGE.parents[1]))

from benchmarks.gradcheck_cases import CASES  # noqa: E402
from benchmarks.gradcheck_verdicts import AUTOGRAD, FAST, JAX, OURS, TORCH, checkers, outcome, version  # noqa: E402

TABLE = re.compile(r"(?<=<!-- verdicts -->\n).*?(?=<!-- /verdicts -->)", re.DOTALL)
NAMES = (OURS, TORCH, FAST, JAX, AUTOGRAD)


def read(text):
    """Return the columns on a page, by checker: the head, and a cell for each case."""
    lines = [line.strip("| ").split(" | ") for line in TABLE.search(text).group().splitlines()]
    if not lines:
        return {}
    cells = {row[0]: row[2:] for row in lines[2:]}
    heads = dict(zip(NAMES, lines[0][2:], strict=True))
    return {
        name: (head, {case.name: cells[case.name][i].strip("*") for case in CASES if case.name in cells})
        for i, (name, head) in enumerate(heads.items())
    }


def measured(name, check):
    """Return the column of a checker that is installed: the head, and a cell for each case."""
    head = name if name in (OURS, FAST) else f"{name} {version(name)}"
    return head, {case.name: outcome(case, check(case)) for case in CASES}


def table(columns):
    """Return the table: a row for each case, and how many of them each checker has wrong."""
    columns = [columns[name] for name in NAMES]
    rows = [["gradient", "is", *(head for head, _ in columns)], ["---"] * (2 + len(columns))]
    for case in CASES:
        cells = [found.get(case.name, "") for _, found in columns]
        rows.append([case.name, case.truth, *(cell if cell in ("", "✓") else f"**{cell}**" for cell in cells)])
    mistakes = (sum(cell not in ("", "✓") for cell in found.values()) for _, found in columns)
    rows.append([f"mistakes in {len(CASES)} cases", "", *map(str, mistakes)])
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def page(text):
    """Return the text of the page with what the checkers that are installed give now."""
    absent = {name: (name, {}) for name in NAMES}
    found = {name: measured(name, check) for name, check in checkers().items()}
    return TABLE.sub(lambda _: table(absent | read(text) | found), text)


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text("utf-8")), "utf-8")
