r"""What binds how tightly in a row's LaTeX template, so that operands get parentheses where they need them.

In ``{0} + {1}`` a sum may stand on the left, in ``\log {0}`` only what holds together by itself, and anything in
``\sqrt{{{0}}}``. That is read off the characters beside each place.
"""

import re
from enum import IntEnum
from functools import lru_cache
from string import Formatter
from typing import NamedTuple


class Binding(IntEnum):
    """How tightly a formula holds together; an operand that binds less than its place asks for gets parentheses."""

    NOTHING = 0
    CHOICE = 1
    LOGIC = 2
    RELATION = 3
    SUM = 4
    PRODUCT = 5
    APPLIED = 6
    POWER = 7
    ATOM = 8


class Template(NamedTuple):
    """A template taken apart: how tightly it binds, literals and places in turn, and what each place asks for."""

    binding: Binding
    pieces: tuple[tuple[str, str | None, Binding], ...]


OPENING, CLOSING = r"(?:[({\[,]|\\lfloor|\\lceil|\\lvert|\\lVert)", r"(?:[)}\],]|\\rfloor|\\rceil|\\rvert|\\rVert)"
NAME = r"(?:\\operatorname\{[^{}]*\}|\\[a-zA-Z]+)(?:_(?:\w|\{\w*\}))?"
LOGICAL, RELATIONAL = r"\\(?:lnot|land|lor|oplus)\b", r"(?:[<>=]|\\(?:le|ge|ne)\b)"
GROUP = re.compile(r"\\(lvert|lVert|lfloor|lceil).*?\\r(vert|Vert|floor|ceil)|\{[^{}]*\}|\([^()]*\)|\[[^\[\]]*\]")
PLACE = "□"


@lru_cache(maxsize=512)
def template(latex: str) -> Template:
    """Return the template of a row taken apart."""
    parsed: list[tuple[str, str | None]] = []
    for literal, field, _, _ in Formatter().parse(latex):  # which splits literals at escaped braces
        before = parsed.pop()[0] if parsed and parsed[-1][1] is None else ""
        parsed.append((before + literal, field))
    whole = "".join(literal + PLACE * (field is not None) for literal, field in parsed)
    pieces = []
    for i, (literal, field) in enumerate(parsed):
        after = parsed[i + 1][0] if i + 1 < len(parsed) else ""
        beside = after.strip() == "" and i + 1 < len(parsed) and parsed[i + 1][1] is not None
        left = literal if literal.strip() or i == 0 else PLACE  # two places in a row are a product
        pieces.append((literal, field, _asked(left, PLACE if beside else after)))
    return Template(_binding(whole), tuple(pieces))


def _asked(left: str, right: str) -> Binding:
    """Return what a place between two literals asks of its operand."""
    left, right = left.removesuffix(r"\,").strip().removesuffix(r"\,").strip(), right.strip()
    if re.match(r"[\^_]", right):
        return Binding.ATOM
    if re.search(LOGICAL + "$", left) or re.match(LOGICAL, right):
        return Binding.RELATION
    if re.search(RELATIONAL + "$", left) or re.match(RELATIONAL, right):
        return Binding.SUM
    if re.search(r"\\(?:cdot|bmod)$", left) or right.startswith(r"\bmod"):
        return Binding.POWER
    opened, closed = not left or bool(re.search(OPENING + "$", left)), not right or bool(re.match(CLOSING, right))
    if re.search(NAME + "$", left) and not opened:
        return Binding.POWER
    if left.endswith(("+", "-")):
        return Binding.PRODUCT if closed or right[:1] in "+-" else Binding.POWER
    if right[:1] in ("+", "-"):
        return Binding.SUM if opened else Binding.POWER
    if right.startswith(r"\cdot"):
        return Binding.PRODUCT if opened else Binding.POWER
    if opened and (closed or right.startswith("/")):
        return Binding.NOTHING if closed else Binding.PRODUCT
    return Binding.POWER


def _binding(whole: str) -> Binding:
    """Return how tightly a template holds together, by what stands outside all brackets."""
    if whole.strip() == PLACE or whole.startswith(r"\begin"):
        return Binding.NOTHING
    if re.fullmatch(r"\\[tc]?frac(?:\{(?:[^{}]|\{[^{}]*\})*\}){2}", whole):
        return Binding.POWER  # a fraction is a factor, and an argument, but no base
    before = ""
    while before != whole:
        before, whole = whole, GROUP.sub("\u25a0", whole)
    for pattern, binding in ((LOGICAL, Binding.LOGIC), (RELATIONAL, Binding.RELATION), (r"[-+]", Binding.SUM)):
        if re.search(pattern, whole):
            return binding
    named = re.sub(r"\\operatorname\u25a0", r"\\f", whole)
    named = re.sub(r"\\(?:[tc]?frac\u25a0|sqrt\u25a0?)\u25a0", "\u25a0", named)
    if re.fullmatch(r"(?:\\[a-zA-Z]+(?:_[\w\u25a0])?|\w)?\u25a0+", named):
        return Binding.ATOM
    if re.fullmatch(r"(?:\\[a-zA-Z]+(?:_[\w\u25a0])?[ ]*)+[\u25a1\u25a0\w]?(?:\^[\u25a0\w])?", named):
        return Binding.APPLIED
    if re.fullmatch(r"[\w\u25a1\u25a0]+[\^_][\w\u25a0]", named):
        return Binding.POWER
    return Binding.ATOM if re.fullmatch(r"\w", named) else Binding.PRODUCT
