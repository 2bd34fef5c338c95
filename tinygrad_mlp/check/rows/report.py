"""What a check of a row of the op table found: a verdict for each aspect, what is wrong, and what to do."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, TypeAlias

from tinygrad_mlp.check.reporting import Block, Report, Table, Verdict, listed

State: TypeAlias = Literal["right", "wrong", "undecided", "note", "not checked", "not applicable"]

SHOWN = 3  # faults of one aspect


class Fault(NamedTuple):
    """Something wrong: what and where, and what to do about it."""

    what: str
    remedy: str = ""


class RuleError(Exception):
    """A rule raised, or returned what cannot be a gradient."""

    def __init__(self, what: str, remedy: str = "") -> None:
        """Take what happened, and what to do about it."""
        super().__init__(what)
        self.fault = Fault(what, remedy)


@dataclass(frozen=True)
class Aspect:
    """One aspect of a row.

    Attributes:
        name: which.
        verdict: ``right``, ``wrong`` or ``undecided``; ``note`` for what is no error; ``not checked`` where another
            aspect has to be put right first; ``not applicable``.
        what: what was looked at, or why it was not; if wrong, the first fault.
        faults: all that were found, a few of many.
    """

    name: str
    verdict: State
    what: str
    faults: tuple[Fault, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the aspect for JSON."""
        faults = [{"what": fault.what, "remedy": fault.remedy} for fault in self.faults]
        return {"aspect": self.name, "verdict": self.verdict, "what": self.what, "faults": faults}


def judged(name: str, faults: Iterable[Fault], covered: str) -> Aspect:
    """Return the aspect that is wrong if there are faults, or if looking for them made a rule fail; else right."""
    found: list[Fault] = []
    try:
        for fault in faults:
            if fault not in found:
                found.append(fault)
            if len(found) == SHOWN:
                break
    except RuleError as error:
        found.append(error.fault)
    if found:
        return Aspect(name, "wrong", found[0].what, tuple(found))
    return Aspect(name, "right", covered)


@dataclass(frozen=True, repr=False)
class OpReport(Report):
    """The result of ``check_op``: true if no aspect is wrong or undecided.

    Attributes:
        op: the name of the row.
        verdict: ``wrong`` if an aspect is; else ``undecided`` if one is; else ``right``.
        aspects: in a fixed order.
        operands: with which shapes it was called.
    """

    op: str
    verdict: Verdict
    aspects: tuple[Aspect, ...]
    operands: str = ""

    def __getitem__(self, name: str) -> Aspect:
        """Return the aspect of that name."""
        for aspect in self.aspects:
            if aspect.name == name:
                return aspect
        raise KeyError(name)

    @property
    def wrong(self) -> list[str]:
        """The names of the aspects that are wrong."""
        return [aspect.name for aspect in self.aspects if aspect.verdict == "wrong"]

    def headline(self) -> str:
        """Return the verdict with the aspects that are wrong."""
        if self.verdict == "right":
            said = f"{sum(a.verdict == 'right' for a in self.aspects)} aspects confirmed"
        else:
            said = listed([a.name for a in self.aspects if a.verdict == self.verdict])
        return f"check_op of {self.op}: {self.verdict}: {said}"

    def blocks(self) -> Iterator[Block]:
        """Return what is wrong with what to do, and a table of all aspects."""
        told: set[str] = set()
        for aspect in self.aspects:
            for fault in aspect.faults:
                if fault.what not in told:
                    yield f"{aspect.name}: {fault.what}"
                if fault.remedy and fault.remedy not in told:
                    yield f"  → {fault.remedy}"
                told |= {fault.what, fault.remedy}
        rows = [(a.name, a.verdict, a.what if not a.faults else "see above") for a in self.aspects]
        yield Table(("aspect", "verdict", "what"), rows)
        if self.operands:
            yield self.operands

    def to_dict(self) -> dict[str, Any]:
        """Return the report for JSON."""
        aspects = [aspect.to_dict() for aspect in self.aspects]
        return {
            "check": "check_op", "op": self.op, "verdict": self.verdict, "aspects": aspects, "operands": self.operands,
        }  # fmt: skip
