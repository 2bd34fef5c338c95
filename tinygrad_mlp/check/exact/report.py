"""What an exact check found: derivatives as formulas, the engine's beside sympy's, and the rules that are wrong."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from tinygrad_mlp.check.reporting import Block, Report, Table, Verdict, count, listed, number, plain

from .equality import Comparison
from .jumps import Jumps, rounded, sympy_module

WIDEST = 60  # characters of a formula in a table
HOW = {
    "simplified": "the difference simplifies to 0",
    "rule by rule": "each rule simplifies to the derivative of its op, and the chain rule does the rest",
    "50 digits": "equal to 50 digits at {points}, not proved",
    "rounding": "equal at {points} but for floats, or a series, that a rule rounds",
    "none": "not compared: no point where f is a finite number was found",
}


@dataclass(frozen=True)
class Derivative:
    """One derivative of the function.

    Attributes:
        wrt: the inputs in which is differentiated, by name.
        left: what the rules give, an expression in which comparisons are letters; None if it is too large.
        right: what sympy gives; None as well.
        comparison: whether they are equal, and how that is known.
    """

    wrt: tuple[str, ...]
    left: Any
    right: Any
    comparison: Comparison
    jumps: Jumps = field(repr=False, compare=False)

    @property
    def name(self) -> str:
        """The derivative as one would write it: ``∂f/∂x``, ``∂²f/∂x∂y``."""
        below = "".join(f"∂{name}" for name in self.wrt)
        return f"∂f/{below}" if len(self.wrt) == 1 else f"∂²f/{below}"

    @property
    def proof(self) -> str:
        """How it is known: ``simplified``, ``rule by rule``, ``50 digits``, ``rounding`` or ``none``."""
        return self.comparison.proof

    @property
    def engine(self) -> Any:
        """What the rules give, a sympy expression."""
        return self.jumps.plain(self.left)

    @property
    def sympy(self) -> Any:
        """What sympy gives, a sympy expression."""
        return self.jumps.plain(self.right)


@dataclass(frozen=True)
class Rule:
    """What the vjp of an op gives one of its operands, beside what it should give.

    Attributes:
        op: the name of the op.
        operand: the operand's number.
        name: the operand's letter.
        left: what the rule gives, in the operands and the cotangent ``g``; comparisons are letters.
        right: ``g`` times the derivative of the op.
        comparison: whether they are equal.
        letters: the letters of the point in the comparison, in its order.
    """

    op: str
    operand: int
    name: str
    left: Any
    right: Any
    comparison: Comparison
    letters: tuple[str, ...]
    jumps: Jumps = field(repr=False, compare=False)

    @property
    def engine(self) -> Any:
        """What the rule gives, a sympy expression."""
        return self.jumps.plain(self.left)

    @property
    def sympy(self) -> Any:
        """What it should give, a sympy expression."""
        return self.jumps.plain(self.right)

    def __str__(self) -> str:
        left, right = number(self.comparison.left), number(self.comparison.right)
        gives, should = (_short(x, self.jumps) for x in (self.left, self.right))
        return (
            f"the vjp of {self.op} for its operand {self.operand} ({self.name}) gives {gives}, right is {should}: "
            f"{left} and {right} at {_at(self.letters, self.comparison)}"
        )


@dataclass(frozen=True, repr=False)
class ExactReport(Report):
    """The result of ``check_exact``: true if every derivative of the engine is sympy's.

    In its text a comparison in brackets is 1 where it holds and 0 where not; ``[x > 0]·x`` is max(x, 0). Numbers of
    many digits are printed with seven, while ``to_dict`` and the expressions have them exactly.

    Attributes:
        function: the name of the function.
        inputs: the names of its inputs.
        value: the function as an expression in which comparisons are letters; None if it is too large.
        derivatives: every derivative that was compared.
        rules: the rules that are wrong.
        notes: what else there is to know.
    """

    function: str
    inputs: tuple[str, ...]
    value: Any
    derivatives: tuple[Derivative, ...]
    rules: tuple[Rule, ...]
    notes: tuple[str, ...]
    jumps: Jumps = field(repr=False, compare=False)

    @property
    def expression(self) -> Any:
        """The function, a sympy expression."""
        return self.jumps.plain(self.value)

    @property
    def verdict(self) -> Verdict:  # type: ignore[override]
        """``wrong`` if a derivative differs, ``undecided`` if one could not be compared."""
        found = [d.comparison.equal for d in self.derivatives]
        return "wrong" if False in found else "undecided" if None in found else "right"

    @property
    def latex(self) -> str:
        """The engine's derivatives in LaTeX, one line each, as ``aligned`` takes them."""
        lines = []
        for d in self.derivatives:
            below = " ".join(rf"\partial {name}" for name in d.wrt)
            above = r"\partial f" if len(d.wrt) == 1 else r"\partial^2 f"
            right = r"\text{(too large)}" if d.left is None else sympy_module().latex(rounded(d.engine))
            lines.append(rf"\frac{{{above}}}{{{below}}} &= {right}")
        return r" \\ ".join(lines)

    def headline(self) -> str:
        """Return the verdict, and how many derivatives it is about."""
        wrong = [d.name for d in self.derivatives if d.comparison.equal is False]
        unknown = [d.name for d in self.derivatives if d.comparison.equal is None]
        what = f"check_exact of {self.function}: {self.verdict}"
        if wrong:
            return f"{what}: {listed(wrong)} of the engine {'is' if len(wrong) == 1 else 'are'} not sympy's"
        if unknown:
            return f"{what}: {listed(unknown)} could not be compared"
        return f"{what}: {count(len(self.derivatives), 'derivative')} equal to sympy's"

    def blocks(self) -> Iterable[Block]:
        """Return the wrong rules, the derivatives side by side, where they differ, and how the others were proved."""
        yield from map(str, self.rules)
        rows = [(d.name, _short(d.left, d.jumps), _beside(d), _verdict(d.comparison)) for d in self.derivatives]
        yield Table(("derivative", "engine", "sympy", "equal"), rows)
        for d in self.derivatives:
            if d.comparison.equal is False and d.comparison.point:
                numbers = f"the engine gives {number(d.comparison.left)}, sympy {number(d.comparison.right)}"
                yield f"{d.name} at {_at(self.inputs, d.comparison)}: {numbers}"
        for proof, how in HOW.items():
            mine = [d for d in self.derivatives if d.comparison.equal is not False and d.comparison.proof == proof]
            if mine:
                points = count(max(d.comparison.points for d in mine), "point")
                yield f"{proof}: {how.format(points=points)}"
        yield from self.notes

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain data; expressions as text."""
        return {
            "check": "check_exact",
            "function": self.function,
            "verdict": self.verdict,
            "expression": _text(self.value),
            "derivatives": [
                {
                    "wrt": list(d.wrt),
                    "engine": _text(d.left),
                    "sympy": _text(d.right),
                    **_compared(self.inputs, d.comparison),
                }
                for d in self.derivatives
            ],
            "rules": [
                {
                    "op": r.op,
                    "operand": r.operand,
                    "engine": _text(r.left),
                    "sympy": _text(r.right),
                    **_compared(r.letters, r.comparison),
                }
                for r in self.rules
            ],
            "notes": list(self.notes),
        }


def _compared(letters: Iterable[str], comparison: Comparison) -> dict[str, Any]:
    found: dict[str, Any] = {"equal": comparison.equal, "proof": comparison.proof, "points": comparison.points}
    if comparison.equal is False and comparison.point:
        found["at"] = {name: plain(x) for name, x in zip(letters, comparison.point, strict=True)}
        found["engine_value"], found["sympy_value"] = plain(comparison.left), plain(comparison.right)
    return found


def _at(letters: Iterable[str], comparison: Comparison) -> str:
    return ", ".join(f"{name} = {number(x)}" for name, x in zip(letters, comparison.point, strict=True))


def _text(x: Any) -> str | None:
    return None if x is None else str(x)


def _short(x: Any, jumps: Jumps) -> str:
    """Return an expression as text, cut where it is too wide for a table."""
    if x is None:
        return "(too large)"
    text = str(jumps.shown(x)).replace("**", "^")
    return text if len(text) <= WIDEST else text[: WIDEST - 1] + "…"


def _beside(d: Derivative) -> str:
    return "the same" if d.left is not None and d.left == d.right else _short(d.right, d.jumps)


def _verdict(comparison: Comparison) -> str:
    return {True: comparison.proof, False: "no", None: "unknown"}[comparison.equal]
