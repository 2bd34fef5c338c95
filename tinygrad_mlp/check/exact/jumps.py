"""Numbers as sympy takes them, and letters for what jumps: comparisons, floors.

What a comparison gives is a letter of its own, ``[x > y]``, 1 where it holds and 0 where not (an Iverson bracket), of
slope 0. So a choice is a sum, and sympy sees smooth functions only: its own ``Piecewise`` takes seconds to build for a
dozen nested choices.
"""

from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from functools import lru_cache
from typing import Any, Literal, NamedTuple, TypeAlias

from tinygrad_mlp.errors import MissingDependencyError

Kind: TypeAlias = Literal["positive", "zero", "floor", "constant"]

ROUNDING = 2.3e-16  # of 1: how far a float may be from the number that it stands for
DIGITS = 15  # a decimal of so many digits means itself
SHOWN = 7  # digits of a float that are printed
FRACTION = 10**6  # the largest denominator of a fraction that a float may stand for


def sympy_module() -> Any:
    """Return sympy.

    Raises:
        MissingDependencyError: It is not installed.
    """
    try:
        import sympy
    except ImportError:
        raise MissingDependencyError(
            "check_exact: sympy is not installed: pip install 'tinygrad-mlp[check]' (the extra check)"
        ) from None
    return sympy


# -------------------------------------------------------------------------------------------------------------- numbers


def exactly(x: float) -> Any:
    """Return the number that a finite float stands for: 1/3, π/180, or else the decimal that it prints as.

    >>> exactly(0.1), exactly(1 / 3), exactly(1.1 - 1), exactly(0.7978845608028654)
    (1/10, 1/3, 1/10, sqrt(2)/sqrt(pi))
    """
    sp = sympy_module()
    short = f"{x:.{DIGITS}g}"
    if float(short) == x:
        return sp.Rational(short)
    for value, named in _named():
        share = Fraction(x / value)
        found = share.limit_denominator(FRACTION)
        if found and abs(found - share) <= Fraction(ROUNDING) * max(Fraction(1), abs(share)):
            return sp.Rational(found.numerator, found.denominator) * named
    return sp.Rational(repr(x))


def rounded(x: Any) -> Any:
    """Return an expression for people to read: fractions that stand for floats of many digits to seven of them.

    >>> import sympy
    >>> rounded(exactly(0.1257302210933933) * sympy.Symbol("x") / 3), rounded(exactly(0.1))
    (0.04191007*x, 1/10)
    """
    sp = sympy_module()
    return x.xreplace({share: sp.Float(share, SHOWN) for share in x.atoms(sp.Rational) if share.q > FRACTION})


@lru_cache(maxsize=1)
def _named() -> list[tuple[float, Any]]:
    """Return the numbers that rules are made of, and one."""
    sp = sympy_module()
    numbers = [
        sp.Integer(1), sp.pi, 1 / sp.pi, sp.sqrt(sp.pi), 1 / sp.sqrt(sp.pi), sp.sqrt(2), sp.sqrt(2 / sp.pi),
        1 / sp.sqrt(2 * sp.pi), sp.sqrt(2 * sp.pi), sp.log(2), 1 / sp.log(2), sp.log(10), 1 / sp.log(10), sp.E,
    ]  # fmt: skip
    return [(float(x), x) for x in numbers]


# --------------------------------------------------------------------------------------------------------------- jumps


class Jump(NamedTuple):
    """What a letter for a jump means: whether ``argument`` is positive, or zero; its floor; or a float as it is."""

    kind: Kind
    argument: Any
    relation: Any


class Jumps:
    """The letters for what jumps, in the order in which they were made: one depends on earlier ones only."""

    def __init__(self) -> None:
        self.sp = sympy_module()
        self.known: dict[Any, Jump] = {}
        self._letters: dict[Any, Any] = {}

    def _letter(self, kind: Kind, argument: Any, name: str, relation: Any, **assumed: bool) -> Any:
        key = kind, argument
        if key not in self._letters:
            self._letters[key] = letter = self.sp.Symbol(name, real=True, **assumed)
            self.known[letter] = Jump(kind, argument, relation)
        return self._letters[key]

    def larger(self, a: Any, b: Any) -> Any:
        """Return 1 where ``a > b``, else 0; at a tie, which is a kink or a jump, either."""
        a, b = self.sp.sympify(a), self.sp.sympify(b)
        d = a - b
        if d.is_positive or d.is_nonpositive:
            return self.sp.Integer(1 if d.is_positive else 0)
        for letter in d.args if d.is_Mul else ():
            if letter in self.known and self.known[letter][:2] == ("positive", d / letter):
                return letter  # relu(x) > 0 where x > 0
        if d.could_extract_minus_sign():
            return 1 - self.larger(b, a)
        return self._letter("positive", d, f"[{a} > {b}]", self.sp.Gt(a, b, evaluate=False), nonnegative=True)

    def same(self, a: Any, b: Any) -> Any:
        """Return 1 where ``a`` and ``b`` are equal, else 0."""
        a, b = self.sp.sympify(a), self.sp.sympify(b)
        d = a - b
        if d.is_zero or d.is_nonzero:
            return self.sp.Integer(1 if d.is_zero else 0)
        d = -d if d.could_extract_minus_sign() else d
        return self._letter("zero", d, f"[{a} = {b}]", self.sp.Eq(a, b, evaluate=False), nonnegative=True)

    def floor(self, x: Any) -> Any:
        """Return the floor of ``x``, which has slope 0 wherever it has one."""
        x = self.sp.sympify(x)
        if x.is_number:
            return self.sp.floor(x)
        return self._letter("floor", x, f"floor({x})", self.sp.floor(x), integer=True)

    def constant(self, x: float) -> Any:
        """Return a float that is no number."""
        return self._letter("constant", self.sp.Float(x), str(x), self.sp.Float(x))

    def where(self, condition: Any, a: Any, b: Any) -> Any:
        """Return ``a`` where the condition is 1, ``b`` where it is 0."""
        return a if a == b else condition * a + (1 - condition) * b

    def settled(self, x: Any) -> Any:
        """Return an expression in which what sympy itself writes for jumps is written with letters."""
        sp = self.sp
        if not x.has(sp.Piecewise, sp.Abs, sp.sign, sp.Heaviside, sp.Max, sp.Min, sp.floor, sp.ceiling, sp.DiracDelta):
            return x
        rules: list[tuple[Any, Callable[..., Any]]] = [
            (sp.Piecewise, lambda *pieces: self._pieces(pieces)),
            (sp.Abs, lambda u: u * (2 * self.larger(u, 0) - 1)),
            (sp.sign, lambda u: 2 * self.larger(u, 0) - 1),
            (sp.Heaviside, lambda u, *_: self.larger(u, 0)),
            (sp.DiracDelta, lambda *_: sp.Integer(0)),
            (sp.Max, lambda *xs: self._extreme(xs, self.larger)),
            (sp.Min, lambda *xs: self._extreme(xs, lambda a, b: self.larger(b, a))),
            (sp.floor, self.floor),
            (sp.ceiling, lambda u: -self.floor(-u)),
        ]
        for kind, rule in rules:
            x = x.replace(kind, rule)
        return x

    def _pieces(self, pieces: Iterable[Any]) -> Any:
        found: Any = self.constant(float("nan"))
        for value, condition in reversed([(p[0], p[1]) for p in pieces]):
            found = self.where(self._holds(condition), value, found)
        return found

    def _holds(self, condition: Any) -> Any:
        """Return 1 where a condition of sympy's holds, else 0."""
        sp = self.sp
        parts = [self._holds(c) for c in condition.args] if isinstance(condition, sp.And | sp.Or | sp.Not) else []
        if isinstance(condition, sp.And):
            return sp.prod(parts)
        if isinstance(condition, sp.Or):
            return 1 - sp.prod(1 - c for c in parts)
        if isinstance(condition, sp.Not):
            return 1 - parts[0]
        if condition in (sp.true, sp.false):
            return sp.Integer(1 if condition == sp.true else 0)
        a, b = condition.args
        if isinstance(condition, sp.Eq | sp.Ne):
            return self.same(a, b) if isinstance(condition, sp.Eq) else 1 - self.same(a, b)
        return self.larger(a, b) if isinstance(condition, sp.Gt | sp.Ge) else self.larger(b, a)

    def _extreme(self, xs: Sequence[Any], beats: Callable[[Any, Any], Any]) -> Any:
        best = xs[0]
        for x in xs[1:]:
            best = self.where(beats(x, best), x, best)
        return best

    # -------------------------------------------------------------------------------------------------- back to sympy

    def letters(self, *xs: Any) -> list[Any]:
        """Return the letters that expressions depend on, each after those that it depends on itself."""
        needed = set().union(*(x.free_symbols for x in xs))
        for letter in reversed(self.known):
            if letter in needed:
                needed |= self.known[letter].argument.free_symbols
        return [letter for letter in self.known if letter in needed]

    def depends(self, letter: Any, variable: Any) -> bool:
        """Return whether what a letter stands for changes with ``variable``."""
        argument = self.known[letter].argument
        return variable in argument.free_symbols or any(self.depends(z, variable) for z in self.letters(argument))

    def shown(self, x: Any) -> Any:
        """Return an expression for people to read, rounded in its letters, too."""
        done: dict[Any, Any] = {}
        for letter in self.letters(x):
            kind, argument, relation = self.known[letter]
            if kind == "constant":
                continue
            if kind == "floor":
                name = f"floor({rounded(argument.xreplace(done))})"
            else:
                a, b = (rounded(side.xreplace(done)) for side in relation.args)
                name = f"[{a} {'>' if kind == 'positive' else '='} {b}]"
            if name != str(letter):
                done[letter] = self.sp.Symbol(name, real=True)
        return rounded(x.xreplace(done))

    def plain(self, x: Any) -> Any:
        """Return an expression as sympy writes it: with cases for the only comparison, or else factors of 1 and 0."""
        sp = self.sp
        if x is None:
            return None
        cases = [z for z in self.letters(x) if self.known[z].kind in ("positive", "zero")]
        if len(cases) == 1:
            condition = self._plain(self.known[cases[0]].relation, {})
            one, other = (self._plain(x.xreplace({cases[0]: sp.Integer(k)}), {}) for k in (1, 0))
            return one if one == other else sp.Piecewise((one, condition), (other, True), evaluate=False)
        return self._plain(x, {})

    def _plain(self, x: Any, done: dict[Any, Any]) -> Any:
        sp = self.sp
        for letter in self.letters(x):
            kind, _, relation = self.known[letter]
            meant = relation.xreplace(done)
            brackets = kind in ("positive", "zero")
            done[letter] = sp.Piecewise((1, meant), (0, True), evaluate=False) if brackets else meant
        return x.xreplace(done)
