"""Sums, products and counts written out in numbers, so that what is printed is true of the printed numbers."""

import math
from collections.abc import Sequence

from tinygrad_mlp.viz.labels import number

LONGEST = 7  # so many factors or terms are written out


def signed(x: float, precision: int = 4) -> str:
    """Return ``x`` with its sign, if it has one.

    >>> signed(2.0), signed(-0.5), signed(0.0), signed(math.nan)
    ('+2', '-0.5', '0', 'nan')
    """
    return number(x, precision, signed=x == x)


def product(factors: Sequence[float], result: float, precision: int = 4) -> str:
    """Return factors and their product as one line; ``≈`` where rounding for print breaks the equation.

    >>> product([-2.0, 3.0], -6.0), product([1.0054, 1.0054], 1.01082916, precision=3)
    ('-2 · 3 = -6', '1.01 · 1.01 ≈ +1.01')
    >>> product([0.0, -3.0], 0.0)
    '0 · (-3) = 0'
    >>> product([1.0] * 40 + [2.0, -3.0], -6.0)
    '2 · (-3) = -6 (and 40 factors 1)'
    """
    ones = sum(x == 1.0 for x in factors) if len(factors) > LONGEST else 0
    shown = [number(x, precision) for x in factors if not ones or x != 1.0] or ["1"]
    worth = math.prod(map(float, shown))
    left = f" (and {ones:,} factor{'s' * (ones > 1)} 1)" if ones else ""
    written = [shown[0], *(f"({x})" if x.startswith("-") else x for x in shown[1:])]
    return f"{' · '.join(_few(written))} {_relation(worth, result, precision)} {signed(result, precision)}{left}"


def total(terms: Sequence[float], result: float, precision: int = 4) -> str:
    """Return terms and their sum as one line; ``≈`` where rounding for print breaks the equation.

    >>> total([-6.0, 4.0], -2.0), total([4.0, -6.5], -2.5)
    ('-6 + 4 = -2', '4 - 6.5 = -2.5')
    """
    shown = [number(x, precision) for x in terms]
    worth = math.fsum(map(float, shown)) if all(map(math.isfinite, terms)) else sum(terms)
    if len(shown) == 1:
        return signed(result, precision)
    line = shown[0] if shown else "0"
    for term in _few(shown)[1:]:
        line += f" - {term[1:]}" if term.startswith("-") else f" + {term}"
    return f"{line} {_relation(worth, result, precision)} {signed(result, precision)}"


def count(n: int) -> str:
    """Return a count with separators, or its order of magnitude where nobody reads the digits.

    >>> count(12345), count(2**200)
    ('12,345', '1.6 × 10^60')
    """
    if n < 10**15:
        return f"{n:,}"
    power = math.log10(n)  # also of integers that no float can hold
    mantissa = round(10 ** (power % 1), 1)
    return f"{mantissa} × 10^{int(power)}" if mantissa < 10 else f"1.0 × 10^{int(power) + 1}"


def typeset(formula: str) -> str:
    """Return the text of a formula with the minus sign that numbers have, so that a picture has one.

    >>> typeset("g·(1 − y²)")
    'g·(1 - y²)'
    """
    return formula.replace("−", "-")


def _few(shown: list[str]) -> list[str]:
    """Return all that is to be written, or the first and last with the number of those left out."""
    if len(shown) <= LONGEST:
        return shown
    left = len(shown) - 5
    return [*shown[:3], f"… ({left:,} more)", *shown[-2:]]


def _relation(worth: float, result: float, precision: int) -> str:
    return "=" if number(worth, precision) == number(result, precision) else "≈"
