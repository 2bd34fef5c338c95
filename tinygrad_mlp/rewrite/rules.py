"""The table of rules: what may stand for a term instead, because it is equal, cheaper or more stable.

A rule gives an equal number wherever the original is finite; a stabilising one stays finite beyond. A rule is written
in the file of its topic: ``arithmetic``, ``moves`` or ``stability``.
"""

from typing import Any

from . import arithmetic, moves, stability
from .ruling import RULES, Named, Table, check_titles, chosen, every_rule


def titles() -> list[str]:
    """Return the names of all rules, in order."""
    return [r.title for r in every_rule()]


TOPICS = (arithmetic, moves, stability)
STABILISING = frozenset(r.title for r in every_rule() if r.kind == "stable")
RECORDED = STABILISING | {"transposes after the operation", "sum of a transpose"}  # what is lowered has its own order
FORMS = frozenset(r.title for r in every_rule() if r.kind == "form")


def tables(rules: Any = True) -> tuple[Table, Table]:
    """Return the rules for what was recorded, row by row, and those for rows that are written out.

    The second lacks those that stabilise, since what is stable is written out as something that stays so, and those
    that move transposes, whose places the layout chooses.

    Args:
        rules: True for all, False for none, or the titles of those that are on.

    Raises:
        UnsupportedError: There is no rule of that title.
    """
    wanted = check_titles(rules)
    return chosen(wanted), chosen(wanted - RECORDED)


STABLE, EXACT = tables()

__all__ = [
    "EXACT",
    "FORMS",
    "RULES",
    "STABILISING",
    "STABLE",
    "TOPICS",
    "Named",
    "check_titles",
    "every_rule",
    "tables",
    "titles",
]
