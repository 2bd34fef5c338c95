"""Write the table of rules into docs/compile.md, from the rules themselves: ``python docs/make_rules.py``."""

import re
import sys
from pathlib import Path

PAGE = Path(__file__).with_name("compile.md")
sys.path.insert(0, str(PAGE.parents[1]))

from tinygrad_mlp.rewrite.rules import every_rule  # noqa: E402

KINDS = {"exact": "exact", "stable": "stabilising", "form": "form"}
HEAD = "| rule | what it does | kind |\n|---|---|---|\n"


def table():
    """Return the table: the title of each rule, its sentence, and its kind."""
    rows = [f"| {r.title} | {(r.__doc__ or '').replace('``', '`')} | {KINDS[r.kind]} |\n" for r in every_rule()]
    return HEAD + "".join(rows)


def page(text):
    """Return the text of the page with the table as the rules give it now."""
    return re.sub(r"\| rule \|.*?\n(?=\n)", lambda _: table(), text, flags=re.DOTALL)


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text("utf-8")), "utf-8")
