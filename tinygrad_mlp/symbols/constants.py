"""How a number is written: as a whole number, a fraction, a short decimal, or with π, a root or a logarithm."""

import math
from fractions import Fraction
from typing import NamedTuple

CLOSE = 4e-16  # relative: two roundings
NAMED = (
    (math.pi, r"\pi", "π"),
    (math.pi**2, r"\pi^2", "π²"),
    (math.sqrt(math.pi), r"\sqrt{\pi}", "√π"),
    (math.sqrt(2 * math.pi), r"\sqrt{2 \pi}", "√(2·π)"),
    (math.sqrt(2 / math.pi), r"\sqrt{2 / \pi}", "√(2/π)"),
    (math.sqrt(2), r"\sqrt{2}", "√2"),
    (math.log(2), r"\log 2", "log(2)"),
    (math.log(10), r"\log 10", "log(10)"),
)
DIGITS = 6  # of a number that is nothing else, in LaTeX; its text has all


class Written(NamedTuple):
    """A positive number as what stands above and below the line, in LaTeX or as text."""

    above: list[str]
    below: list[str]


def written(v: float, latex: bool) -> Written:
    """Return how the positive finite number ``v`` is written.

    >>> written(2 / math.sqrt(math.pi), latex=False)
    Written(above=['2'], below=['√π'])
    """
    plain = _fraction(v, 1000)
    if plain is not None:
        return _decimal(v, latex) if plain.denominator > 12 and len(repr(v)) <= 7 else _over(plain, [], [])
    for value, tex, text in NAMED:
        name = [tex if latex else text]
        times, per = _fraction(v / value, 360), _fraction(v * value, 360)
        if times is not None:
            return _over(times, name, [])
        if per is not None:
            return _over(per, [], name)
    return _decimal(v, latex)


def _fraction(v: float, largest: int) -> Fraction | None:
    found = Fraction(v).limit_denominator(largest)
    return found if found > 0 and math.isclose(float(found), v, rel_tol=CLOSE, abs_tol=0) else None


def _over(fraction: Fraction, above: list[str], below: list[str]) -> Written:
    p, q = fraction.numerator, fraction.denominator
    return Written(([str(p)] if p != 1 else []) + above, ([str(q)] if q != 1 else []) + below)


def _decimal(v: float, latex: bool) -> Written:
    digits = repr(v) if not latex or len(repr(v)) <= DIGITS + 2 else f"{v:.{DIGITS}g}"
    if latex and "e" in digits:
        mantissa, _, exponent = digits.partition("e")
        digits = rf"{mantissa} \cdot 10^{{{int(exponent)}}}"
    return Written([digits], [])
