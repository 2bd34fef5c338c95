"""What a gradient check found: its verdict, the derivatives element by element, the operation to blame."""

import math
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from tinygrad_mlp.graph import Node

from .reporting import Block, Report, Table, Verdict, count, listed, number, place, plain

SHOWN = 6  # derivatives in a printed table
NOTED = 4  # kinks and undecided derivatives that are told one by one


@dataclass(frozen=True)
class Element:
    """One derivative: of an element of the output in an element of an input.

    Attributes:
        input: the input's name.
        index: the element of the input; empty for a number.
        output: the element of the output as one would write it, ``[2]``; empty if the output is one number.
        analytic: the derivative that the engine gives.
        numeric: the derivative as measured.
        bound: how far the measured one may be off.
        verdict: ``right``, ``wrong`` or ``undecided``.
        reason: why it is undecided; where the kink is, if there is one; how it was settled, if not by differences.
        kink: whether the slopes on both sides differ, so that there is no derivative: a number between them is right.
    """

    input: str
    index: tuple[int, ...]
    output: str
    analytic: float
    numeric: float
    bound: float
    verdict: Verdict
    reason: str = ""
    kink: bool = False

    @property
    def place(self) -> str:
        """The element as one would write it: ``W[0, 1]``."""
        return place(self.input, self.index)

    @property
    def name(self) -> str:
        """The derivative as one would write it: ``∂f[0]/∂W[0, 1]``."""
        return f"∂f{self.output}/∂{self.place}"

    @property
    def error(self) -> float:
        """The absolute difference; inf if one of the numbers is not finite."""
        difference = abs(self.analytic - self.numeric)
        return difference if math.isfinite(difference) else math.inf

    @property
    def relative_error(self) -> float:
        """The difference in units of the larger number: 2 for a wrong sign."""
        size = max(abs(self.analytic), abs(self.numeric))
        return self.error / size if self.error and math.isfinite(size) and size else self.error

    def to_dict(self) -> dict[str, Any]:
        """Return the element for JSON."""
        numbers = {name: plain(getattr(self, name)) for name in ("analytic", "numeric", "bound")}
        words = {"verdict": self.verdict, "reason": self.reason, "kink": self.kink}
        return {"input": self.input, "index": list(self.index), "output": self.output, **numbers, **words}


@dataclass(frozen=True)
class Culprit:
    """An operation whose rule is wrong.

    Attributes:
        op: its name.
        operand: the number of the operand whose gradient is wrong.
        index: the element of that operand.
        analytic, numeric, bound: what the rule gives for a random cotangent, and what was measured of the op alone.
        source: the user's line, as ``file.py:12``.
        message: what is wrong, if not a number: what the rule raised, or did to its arguments.
        mode: ``vjp`` or ``jvp``.
    """

    op: str
    operand: int
    index: tuple[int, ...]
    analytic: float
    numeric: float
    bound: float
    source: str
    message: str = ""
    mode: str = "vjp"

    def __str__(self) -> str:
        """Return the culprit in one line."""
        line = f" at {short(self.source)}" if self.source else ""
        if self.message:
            return f"{self.op}{line}: {self.message}"
        element = f" in element [{', '.join(map(str, self.index))}]" if self.index else ""
        numbers = f"gives {number(self.analytic)}, measured {number(self.numeric)} ± {self.bound:.1g}"
        return f"{self.op}{line}: its {self.mode} for operand {self.operand}{element} {numbers}{slip(self)}"

    def to_dict(self) -> dict[str, Any]:
        """Return the culprit for JSON."""
        numbers = {name: plain(getattr(self, name)) for name in ("analytic", "numeric", "bound")}
        where = {"op": self.op, "operand": self.operand, "index": list(self.index), "source": self.source}
        return {**where, **numbers, "message": self.message, "mode": self.mode}


def slip(culprit: Culprit) -> str:
    """Return a hint on how the two numbers of a culprit are related, if simply."""
    a, b = culprit.analytic, culprit.numeric
    if a == 0 and b:
        return ": the gradient is missing"
    if not (math.isfinite(a) and math.isfinite(b)) or not b:
        return ""
    ratio = a / b
    for k in (-1.0, 2.0, 0.5, -2.0, -0.5, 3.0, 4.0, 0.25):
        if abs(ratio - k) < 1e-6:
            return ": the sign is wrong" if k == -1 else f": {number(k)} times what it should be"
    return ""


def short(source: str) -> str:
    """Return a source line with its path relative to the working folder, where that is shorter."""
    path, colon, line = source.rpartition(":")
    try:
        relative = os.path.relpath(path)
    except ValueError:  # on another drive
        relative = path
    return (relative if len(relative) < len(path) else path) + colon + line


@dataclass(frozen=True)
class InputSummary:
    """How one input came out.

    Attributes:
        name: the input's name.
        shape: its shape.
        checked: how many of its elements were checked.
        wrong: how many derivatives in them are wrong.
        undecided: how many could not be decided.
        kinks: how many lie on a kink.
        relative_error: ‖analytic − numeric‖ / max(‖analytic‖, ‖numeric‖) over the derivatives that are not at kinks.
    """

    name: str
    shape: tuple[int, ...]
    checked: int
    wrong: int
    undecided: int
    kinks: int
    relative_error: float


class Recorded(NamedTuple):
    """What was recorded of the function for the check, to be drawn.

    Attributes:
        outputs: its results, nodes.
        leaves: the leaf of each input of the report, in the same order.
        faults: the nodes of the culprits, in the same order.
    """

    outputs: tuple[Node, ...] = ()
    leaves: tuple[Node, ...] = ()
    faults: tuple[Node, ...] = ()


@dataclass(frozen=True, repr=False)
class GradcheckReport(Report):
    """The result of ``gradcheck``: true if every derivative is right.

    Attributes:
        check: what was run: ``gradcheck`` or ``gradgradcheck``.
        function: the name of the function that was checked.
        verdict: ``wrong`` if a derivative is; else ``undecided`` if one could not be decided; else ``right``.
        total: how many derivatives were compared.
        elements: the derivatives that were compared; of more than 1,000 only those that are not plainly right.
        inputs: a summary of each input.
        culprits: the operations whose rules are wrong, in the order of the computation.
        coverage: which derivatives were compared with what.
        notes: further findings, such as where a gradient is lost.
        recorded: the graph of the function, for a picture; no part of what two reports are compared by.
    """

    check: str
    function: str
    verdict: Verdict
    total: int
    elements: tuple[Element, ...]
    inputs: tuple[InputSummary, ...]
    culprits: tuple[Culprit, ...] = ()
    coverage: str = ""
    notes: tuple[str, ...] = ()
    recorded: Recorded = field(default=Recorded(), repr=False, compare=False)

    @property
    def passed(self) -> bool:
        """Whether no derivative is wrong, though some may be undecided."""
        return self.verdict != "wrong"

    @property
    def failures(self) -> list[Element]:
        """The derivatives that are wrong, the worst first."""
        return sorted((e for e in self.elements if e.verdict == "wrong"), key=lambda e: -e.relative_error)

    @property
    def undecided(self) -> list[Element]:
        """The derivatives that could not be decided."""
        return [e for e in self.elements if e.verdict == "undecided"]

    @property
    def kinks(self) -> list[Element]:
        """The elements where there is no derivative: the slopes on both sides differ."""
        return [e for e in self.elements if e.kink]

    def headline(self) -> str:
        """Return the verdict with its counts."""
        derivatives = count(self.total, "derivative")
        wrong, open_ = len(self.failures), len(self.undecided)
        if self.verdict == "wrong":
            said = f"{wrong:,} of {derivatives} {'is' if wrong == 1 else 'are'} wrong" if wrong else "a rule is wrong"
        elif self.verdict == "undecided":
            said = f"{open_:,} of {derivatives} could not be decided"
        else:
            said = f"{derivatives} confirmed" if self.total else "every rule confirmed"
        kinks = f", {count(len(self.kinks), 'kink')}" if self.kinks else ""
        return f"{self.check} of {self.function}: {self.verdict}: {said}{kinks}"

    def blocks(self) -> Iterator[Block]:
        """Return the culprits, the worst derivatives, kinks, what is undecided, a row for each input, coverage."""
        for i, culprit in enumerate(self.culprits[:3]):
            yield f"{'culprit' if not i else 'also'}: {culprit}"
        if len(self.culprits) > 3:
            yield f"also wrong: {listed([c.op for c in self.culprits[3:]])}"
        yield from self.notes
        if self.failures:
            yield _worst(self.failures)
        for title, elements in (("", self.kinks), ("undecided: ", self.undecided)):
            yield from (f"{title}{e.name}: {e.reason}" for e in elements[:NOTED] if e.verdict != "wrong")
            if len(elements) > NOTED:
                yield f"… and {len(elements) - NOTED:,} more {'undecided' if title else 'at kinks'}"
        if self.inputs:
            yield _rows(self.inputs)
        if self.coverage:
            yield self.coverage

    def to_dict(self) -> dict[str, Any]:
        """Return the report for JSON; of the derivatives those that are not plainly right."""
        return {
            "check": self.check,
            "function": self.function,
            "verdict": self.verdict,
            "derivatives": self.total,
            "wrong": len(self.failures),
            "undecided": len(self.undecided),
            "kinks": len(self.kinks),
            "culprits": [c.to_dict() for c in self.culprits],
            "elements": [e.to_dict() for e in self.elements if e.verdict != "right" or e.reason],
            "inputs": [
                {**vars(x), "shape": list(x.shape), "relative_error": plain(x.relative_error)} for x in self.inputs
            ],
            "coverage": self.coverage,
            "notes": list(self.notes),
        }


def _worst(failures: list[Element]) -> Table:
    rows = [
        (e.name, number(e.analytic), f"{number(e.numeric)} ± {e.bound:.1g}", _percent(e.relative_error))
        for e in failures[:SHOWN]
    ]
    if len(failures) > SHOWN:
        rows.append((f"… {len(failures) - SHOWN:,} more", "", "", ""))
    return Table(("wrong", "analytic", "numeric", "off by"), rows)


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %" if 1 <= share < 1e6 else f"{100 * share:.2g} %"


def _rows(inputs: tuple[InputSummary, ...]) -> Table:
    """Return a table with a line for each input; columns without a finding are left out."""
    columns = [("wrong", "wrong"), ("undecided", "undecided"), ("kinks", "at kinks")]
    shown = [(name, title) for name, title in columns if any(getattr(x, name) for x in inputs)]
    rows = [
        (
            x.name, str(x.shape), f"{x.checked:,}", *(f"{getattr(x, name):,}" for name, _ in shown),
            f"{x.relative_error:.1e}",
        )
        for x in inputs
    ]  # fmt: skip
    return Table(("input", "shape", "checked", *(title for _, title in shown), "relative error"), rows)
