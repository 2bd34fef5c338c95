"""Whether two expressions of sympy are equal wherever they are smooth: a proof, or a point where they differ.

Expressions choose by comparing: a function may have a kink where what is compared is equal. There it has no derivative,
and by such points, which fill no volume, nothing is decided. Elsewhere each comparison is either true or false, and in
each of these cases the difference of the two expressions is smooth. It is simplified there, which proves equality if
the result is 0, and evaluated at 50 digits at points, which disproves it if it is not 0 there.
"""

import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from importlib import import_module
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np

from .jumps import Jumps, sympy_module

Proof: TypeAlias = Literal["simplified", "rule by rule", "50 digits", "rounding", "none"]
Point: TypeAlias = tuple[Any, ...]
Case: TypeAlias = tuple[bool, ...]

DIGITS, MORE_DIGITS = 50, 1000  # of an evaluation, and of another one where the first may be cancelled away
SAME, ROUNDED = 1e-30, 1e-9  # relative: equal at 50 digits; equal but for constants and series that a rule rounds
POINTS, ENOUGH = 60, 12  # tried, and found inside the domain
SIMPLE = 100  # ops of a difference that is given to `simplify`, which takes long over larger ones


class Comparison(NamedTuple):
    """What came out: equal or not (None: nobody knows), how that is known, and where the two differ with what values.

    Attributes:
        equal: whether the two are equal.
        proof: ``simplified`` to 0, ``50 digits`` at all points, the same but for ``rounding``, or ``none``.
        points: how many points of the domain were looked at.
        point: where they differ, or else by most.
        left, right: their values there.
    """

    equal: bool | None
    proof: Proof
    points: int
    point: tuple[float, ...] = ()
    left: float = float("nan")
    right: float = float("nan")


def sample(count: int, given: Sequence[float | None], rng: np.random.Generator) -> list[Point]:
    """Return points of ``count`` coordinates as decimals: in usual domains, further out, near 0, and with zeros."""
    sp = sympy_module()
    rows: list[Any] = []
    for k in range(POINTS):
        if k % 3 == 0:
            row = rng.uniform(0.1, 0.9, count)
        elif k % 3 == 1:
            row = rng.uniform(-3.0, 3.0, count)
        else:
            row = rng.uniform(0.3, 4.0, count) * rng.choice([1.0, 1.0, 3.0, -1.0], count)
        if k % 5 == 3:
            row *= 0.1
        elif k % 5 == 4:
            row[rng.integers(count)] = 0.0
        rows.append([f"{x:.6f}" for x in row])
    if None not in given:
        rows.insert(0, [repr(x) for x in given])
    return [tuple(sp.Rational(x) for x in row) for row in rows]


def compare(
    left: Any,
    right: Any,
    value: Any,
    variables: Sequence[Any],
    letters: Sequence[Any],
    points: Iterable[Point],
    jumps: Jumps,
    until: float,
) -> Comparison:
    """Return whether two expressions for the derivative of ``value`` in ``variables`` are equal.

    Args:
        left: an expression.
        right: another one.
        value: the function; a point counts where it is a finite real number.
        variables: the letters in which is differentiated.
        letters: all letters.
        points: where to evaluate.
        jumps: what the letters for jumps stand for.
        until: when to stop simplifying, by ``time.perf_counter()``.
    """
    look = _Cases(letters, jumps, variables, value, left, right)
    found, worst, seen = Comparison(None, "none", 0), 0.0, 0
    for point in points:
        numbers = look.at(point)
        if numbers is None:
            continue
        seen += 1
        share, a, b = numbers
        if share >= worst:
            worst, found = share, Comparison(None, "none", seen, tuple(map(float, point)), a, b)
        if share > ROUNDED:
            return found._replace(equal=False, points=seen)
        if seen >= ENOUGH and left == right:
            break
    if not seen:
        return found
    if worst > SAME:
        return found._replace(equal=True, proof="rounding", points=seen)
    proved = all(_vanishes(a - b, until) for _, a, b in look.cases.values())
    return found._replace(equal=True, proof="simplified" if proved else "50 digits", points=seen)


def _vanishes(x: Any, until: float) -> bool:
    """Return whether an expression simplifies to 0 in the time there is."""
    sp = sympy_module()
    steps: tuple[Callable[[Any], Any], ...] = (sp.expand, sp.powsimp, sp.cancel, sp.simplify)
    for step in steps:
        if x == 0:
            return True
        if time.perf_counter() > until or sp.count_ops(x) > SIMPLE:
            return False
        try:
            y = step(x)
        except (sp.PolynomialError, NotImplementedError):
            continue
        x = y if step is sp.cancel or y == 0 else x
    return bool(x == 0)


class _Cases:
    """A function and two expressions for its derivative in each case of the comparisons, at as many digits as it takes.

    Attributes:
        cases: the three expressions in each case that was met.
    """

    def __init__(self, letters: Sequence[Any], jumps: Jumps, variables: Sequence[Any], *expressions: Any) -> None:
        self.mp, self.sp, self.jumps = import_module("mpmath"), sympy_module(), jumps  # the one comes with the other
        kinked = {z for z in jumps.letters(*expressions) if any(jumps.depends(z, x) for x in variables)}
        ties = [z for z in kinked if jumps.known[z].kind == "zero"]
        self.expressions = [x.xreplace(dict.fromkeys(ties, self.sp.Integer(0))) for x in expressions]
        self.steps = jumps.letters(*self.expressions)
        self.brackets = [z for z in self.steps if jumps.known[z].kind in ("positive", "zero")]
        self.kinks = kinked & set(self.brackets)
        self.letters = [*letters, *self.steps]
        self.arguments = [self._compiled([jumps.known[z].argument]) for z in self.steps]
        self.cases: dict[Case, list[Any]] = {}
        self.functions: dict[Case, Callable[..., Any] | None] = {}

    def _compiled(self, xs: Sequence[Any]) -> Callable[..., Any]:
        """Return the function of all letters that gives some expressions.

        It first tries floats: what overflows there, as exp(exp(exp(x))) does, would take mpmath minutes or all memory.
        """
        quick, precise = (self.sp.lambdify(self.letters, list(xs), library) for library in ("math", "mpmath"))

        def function(*numbers: Any) -> Any:
            with suppress(ValueError, TypeError, ZeroDivisionError, NameError):
                quick(*map(float, numbers))
            return precise(*numbers)

        return function

    def at(self, point: Point) -> tuple[float, float, float] | None:
        """Return the relative difference and both values; None where there is no number, or a kink."""
        numbers = self._evaluated(point, DIGITS)
        if numbers is None:
            return None
        _, a, b = numbers
        if self._share(a, b) > SAME:  # by itself, or because both are what is left of larger numbers
            more = self._evaluated(point, MORE_DIGITS)
            if more is None:
                return None
            _, a, b = more
            if abs(a - b) < self.mp.mpf(10) ** (100 - MORE_DIGITS):
                b = a
        return self._share(a, b), float(a), float(b)

    def _share(self, a: Any, b: Any) -> float:
        return float(abs(a - b) / max(abs(a), abs(b))) if a != b else 0.0

    def _evaluated(self, point: Point, digits: int) -> list[Any] | None:
        with self.mp.workdps(digits):
            try:
                numbers = [self.mp.mpf(int(x.p)) / int(x.q) for x in point]
                case = self._case(numbers)
                if case is None:
                    return None
                function = self._function(case)
                if function is None:
                    return None
                found = [self._real(x) for x in function(*numbers)]
            except (TypeError, ValueError, ArithmeticError, NameError):
                return None  # outside of the domain: complex numbers are not compared, and 0 is no divisor
            return None if None in found else found

    def _case(self, numbers: list[Any]) -> Case | None:
        """Return which comparisons hold, after adding what the jumps give to the numbers; None at a kink."""
        case = []
        numbers += [self.mp.mpf(0)] * len(self.steps)
        for k, (letter, argument) in enumerate(zip(self.steps, self.arguments, strict=True), -len(self.steps)):
            kind = self.jumps.known[letter].kind
            x = self._real(argument(*numbers)[0]) if kind != "constant" else self.mp.mpf(0)
            if x is None or (letter in self.kinks and abs(x) < SAME):
                return None
            if letter in self.brackets:
                case.append(bool(x > 0 if kind == "positive" else x == 0))
                x = self.mp.mpf(case[-1])
            numbers[k] = self.mp.floor(x) if kind == "floor" else x
        return tuple(case)

    def _function(self, case: Case) -> Callable[..., Any] | None:
        """Return the function that gives the three expressions in a case; None if one of them is no number there."""
        if case not in self.functions:
            known = {z: self.sp.Integer(int(holds)) for z, holds in zip(self.brackets, case, strict=True)}
            xs = [x.xreplace(known) for x in self.expressions]
            if any(x.has(self.sp.zoo, self.sp.oo, -self.sp.oo, self.sp.nan) for x in xs):
                self.functions[case] = None
            else:
                self.cases[case], self.functions[case] = xs, self._compiled(xs)
        return self.functions[case]

    def _real(self, x: Any) -> Any:
        x = self.mp.mpmathify(x)
        return x if isinstance(x, self.mp.mpf) and self.mp.isfinite(x) else None
