"""What ``check_formula`` found: which of three parties disagrees, in which elements, and the slip that explains it."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from .report import Culprit
from .reporting import Block, Report, Table, Verdict, count, listed, number, place, plain

SHOWN = 6  # derivatives in a printed table


@dataclass(frozen=True)
class FormulaElement:
    """One derivative: of an element of the output in an element of an input.

    Attributes:
        input: the input's name.
        index: the element of the input; empty for a number.
        output: the element of the output as one would write it, ``[2]``; empty if the output is one number.
        hand: the derivative by hand.
        autograd: the derivative that autograd gives; None without autograd.
        numeric: the derivative as measured; NaN if it was not.
        bound: how far the measured one may be off.
        verdict: on the derivative by hand: ``right``, ``wrong`` or ``undecided``.
        kink: whether there is no derivative, so that every number between the slopes on both sides is right.
    """

    input: str
    index: tuple[int, ...]
    output: str
    hand: float
    autograd: float | None
    numeric: float
    bound: float
    verdict: Verdict
    kink: bool = False

    @property
    def name(self) -> str:
        """The derivative as one would write it: ``∂f[0]/∂W[0, 1]``."""
        return f"∂f{self.output}/∂{place(self.input, self.index)}"

    @property
    def relative_error(self) -> float:
        """How far the derivative by hand is off, in units of the larger number: 2 for a wrong sign."""
        true = self.numeric if math.isfinite(self.numeric) or self.autograd is None else self.autograd
        size = max(abs(self.hand), abs(true))
        error = abs(self.hand - true)
        return error / size if error and math.isfinite(size) and size else error if error == 0 else math.inf

    def to_dict(self) -> dict[str, Any]:
        """Return the element for JSON."""
        numbers = {name: plain(getattr(self, name)) for name in ("hand", "numeric", "bound")}
        autograd = None if self.autograd is None else plain(self.autograd)
        place = {"input": self.input, "index": list(self.index), "output": self.output}
        return {**place, **numbers, "autograd": autograd, "verdict": self.verdict, "kink": self.kink}


@dataclass(frozen=True)
class Slip:
    """What was done wrong in a derivation, as far as the numbers tell.

    Attributes:
        kind: one of the kinds of ``slips.KINDS``, such as ``sign`` or ``missing factor``.
        text: what exactly, and where.
        inputs: the names of the inputs whose derivatives it explains, in full.
    """

    kind: str
    text: str
    inputs: tuple[str, ...]

    def __str__(self) -> str:
        """Return the slip in one line."""
        return f"in {listed(self.inputs)}: {self.text}"

    def to_dict(self) -> dict[str, Any]:
        """Return the slip for JSON."""
        return {"kind": self.kind, "text": self.text, "inputs": list(self.inputs)}


@dataclass(frozen=True, repr=False)
class FormulaReport(Report):
    """The result of ``check_formula``: true if the formula by hand and autograd are right.

    Attributes:
        function: the name of the function.
        formula: the name of the formula by hand.
        verdict: ``wrong`` if the formula or autograd is; else ``undecided`` if a derivative could not be decided.
        hand: the verdict on the formula by hand.
        autograd: the verdict on autograd; None where there is none.
        total: how many derivatives were compared.
        elements: the derivatives that are not plainly right, the worst 1,000.
        wrong: how many derivatives by hand are wrong.
        undecided: how many could not be decided.
        slips: what the slip was, one for each group of inputs that it explains.
        problems: what is wrong with the shapes or the kind of what the formula returned.
        culprits: the operations whose rules are wrong, if autograd is.
        readings: how the derivative in each input was understood, by the input's name.
        notes: further findings.
        coverage: what was compared with what.
    """

    function: str
    formula: str
    verdict: Verdict
    hand: Verdict
    autograd: Verdict | None
    total: int
    elements: tuple[FormulaElement, ...]
    wrong: int = 0
    undecided: int = 0
    slips: tuple[Slip, ...] = ()
    problems: tuple[str, ...] = ()
    culprits: tuple[Culprit, ...] = ()
    readings: dict[str, str] | None = None
    notes: tuple[str, ...] = ()
    coverage: str = ""

    @property
    def failures(self) -> list[FormulaElement]:
        """The derivatives by hand that are wrong, the worst first."""
        return sorted((e for e in self.elements if e.verdict == "wrong"), key=lambda e: -e.relative_error)

    def headline(self) -> str:
        """Return which of the three parties disagrees."""
        return f"check_formula of {self.function}: {self.verdict}: {self._said()}"

    def _said(self) -> str:
        numbers = "" if self.total else ": nothing could be compared"
        if self.autograd is None:
            if self.hand == "wrong":
                return f"the formula by hand is wrong{numbers or ': numbers say otherwise'}"
            agree = "the formula by hand and numbers agree"
            return agree if self.hand == "right" else f"{self._open()}; beside it {agree}"
        if self.hand == "wrong" and self.autograd == "wrong":
            return "the formula by hand and autograd are both wrong: numbers say otherwise"
        if self.autograd == "wrong":
            return "autograd is wrong: the formula by hand and numbers agree"
        if self.hand == "wrong":
            agree = "autograd and numbers agree" if self.autograd == "right" else "autograd and numbers say otherwise"
            return f"the formula by hand is wrong{numbers or ': ' + agree}"
        if self.verdict == "undecided":
            return f"{self._open()}; the formula by hand, autograd and numbers do not disagree"
        return "all three agree: the formula by hand, autograd and numbers"

    def _open(self) -> str:
        return f"{self.undecided:,} of {count(self.total, 'derivative')} could not be decided"

    def blocks(self) -> Iterator[Block]:
        """Return the slip, problems of shape, the culprit, the worst derivatives, notes, and the coverage."""
        yield from self.problems
        yield from (f"slip {slip}" for slip in self.slips)
        yield from (f"culprit: {culprit}" for culprit in self.culprits[:2])
        if self.failures:
            yield self._worst()
        yield from self._undefined()
        yield from self.notes
        odd = {name: reading for name, reading in (self.readings or {}).items() if reading != "gradient"}
        for reading in dict.fromkeys(odd.values()):
            yield f"read as the {reading}: {listed([name for name, r in odd.items() if r == reading])}"
        if self.coverage:
            yield self.coverage

    def _undefined(self) -> Iterator[str]:
        """Return where the formula gives no number."""
        for kink, where in ((True, ", a kink of f: any number between the slopes on both sides is right"), (False, "")):
            strange = [e for e in self.failures if not math.isfinite(e.hand) and e.kink == kink]
            values = list(dict.fromkeys(number(e.hand) for e in strange))
            if strange:
                at = dict.fromkeys(place(e.input, e.index) for e in strange)
                yield f"the formula gives {' and '.join(values)} at {listed(list(at))}{where}"

    def _worst(self) -> Table:
        failures, without = self.failures, self.autograd is None
        rows = []
        for e in failures[:SHOWN]:
            middle = [] if without else [number(e.autograd) if e.autograd is not None else ""]
            rows.append((e.name, number(e.hand), *middle, _measured(e)))
        if self.wrong > SHOWN:
            rows.append((f"… {self.wrong - SHOWN:,} more", "", *([] if without else [""]), ""))
        return Table(("wrong", "by hand", *([] if without else ["autograd"]), "numeric"), rows)

    def to_dict(self) -> dict[str, Any]:
        """Return the report for JSON."""
        return {
            "check": "check_formula",
            "function": self.function,
            "formula": self.formula,
            "verdict": self.verdict,
            "hand": self.hand,
            "autograd": self.autograd,
            "derivatives": self.total,
            "wrong": self.wrong,
            "undecided": self.undecided,
            "slips": [s.to_dict() for s in self.slips],
            "problems": list(self.problems),
            "culprits": [c.to_dict() for c in self.culprits],
            "elements": [e.to_dict() for e in self.elements],
            "readings": dict(self.readings or {}),
            "notes": list(self.notes),
            "coverage": self.coverage,
        }


def _measured(e: FormulaElement) -> str:
    kink = " at a kink" * e.kink
    return "" if math.isnan(e.numeric) else f"{number(e.numeric)} ± {e.bound:.1g}{kink}"


def unexplained(elements: Sequence[FormulaElement], slips: Sequence[Slip], records: bool) -> list[str]:
    """Return a line on the inputs in which something is wrong that no slip explains, and what to do."""
    explained = {name for slip in slips for name in slip.inputs}
    wrong = sorted({e.input for e in elements if e.verdict == "wrong" and math.isfinite(e.hand)} - explained)
    remedy = "compare term by term; tg.find_counterexample gives the smallest case"
    if not records:
        remedy = (
            "slips inside the chain rule are looked for only where f records: write f with NumPy's or tg's operations "
            "to have them named"
        )
    return [f"no slip is recognised in {listed(wrong)}: {remedy}"] if wrong else []
