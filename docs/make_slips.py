"""Write which planted slips are recognised into docs/derivations.md: ``python docs/make_slips.py``; in some minutes."""

import re
import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

PAGE = Path(__file__).with_name("derivations.md")
sys.path.insert(0, str(PAGE.parents[1]))

from planted_slips import Planted, planted  # noqa: E402

from tinygrad_mlp.check.derivations import check_formula  # noqa: E402

MATRIX = re.compile("(?<=<!-- slips -->\n).*(?=<!-- /slips -->)", re.DOTALL)
NOTHING = "no guess"
MISSED = "unnoticed"


def guessed(case: Planted) -> str:
    """Return what a planted slip is called."""
    report = check_formula(case.entry.function, case.by_hand, *case.inputs, raise_exception=False)
    if report.verdict != "wrong":
        return MISSED
    return report.slips[0].kind if report.slips else NOTHING


def confusion(cases: Iterable[Planted]) -> dict[tuple[str, str], Counter[str]]:
    """Return how often each slip was called what; a slip comes with what it should be called."""
    found: dict[tuple[str, str], Counter[str]] = {}
    for case in cases:
        found.setdefault((case.slip, case.kind), Counter())[guessed(case)] += 1
    return found


def table(found: dict[tuple[str, str], Counter[str]]) -> str:
    """Return the confusion matrix, whose columns are named once: what is on the diagonal, and what else was said."""
    rows = ["| planted | formulas | called | | otherwise |\n|---|---|---|---|---|\n"]
    for (slip, kind), said in found.items():
        others = ", ".join(f"{name} {n}" for name, n in said.most_common() if name != kind)
        rows.append(f"| {slip} | {said.total()} | {kind} | {said[kind]} | {others} |\n")
    return "".join(rows)


def page(text: str, found: dict[tuple[str, str], Counter[str]]) -> str:
    """Return the text of the page with this table."""
    count = sum(said.total() for said in found.values())
    text = re.sub(r"from [\d,{}a-z]+ reports", f"from {count:,} reports", text)
    return re.sub(
        r"(?<=<!-- slips -->\n).*(?=<!-- /slips -->)", lambda _: "\n" + table(found) + "\n", text, flags=re.DOTALL
    )


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text("utf-8"), confusion(planted())), "utf-8")
