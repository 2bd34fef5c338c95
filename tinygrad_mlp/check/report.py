"""What a gradient check found, element by element, and how it prints."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, TypeAlias

Verdict: TypeAlias = Literal["agrees", "differs", "kink"]

_SHOWN = 10  # failures, and half as many kinks, that a printed report lists


@dataclass(frozen=True)
class Element:
    """One derivative: of an element of the output in an element of an input.

    Attributes:
        input: the input's name.
        index: the element of the input; empty for a number.
        output: the element of the output as one would write it, ``[2]``; empty if the output is one number.
        analytic: the derivative that the engine gives.
        numeric: the central difference.
        tolerance: how far apart the two may be.
        verdict: ``agrees``; ``differs``; or ``kink``: the slopes on both sides differ, so there is no derivative, and
            the engine's number is one of them or lies between.
    """

    input: str
    index: tuple[int, ...]
    output: str
    analytic: float
    numeric: float
    tolerance: float
    verdict: Verdict

    @property
    def place(self) -> str:
        """The element as one would write it: ``W[0, 1]``."""
        return self.input + (f"[{', '.join(map(str, self.index))}]" if self.index else "")

    @property
    def error(self) -> float:
        """The absolute difference; inf if one of the numbers is not finite."""
        difference = abs(self.analytic - self.numeric)
        return difference if math.isfinite(difference) else math.inf

    @property
    def share(self) -> float:
        """The difference in units of what is allowed: above 1 is too much."""
        if self.error in (0.0, math.inf):
            return self.error
        return self.error / self.tolerance if self.tolerance else math.inf

    def __str__(self) -> str:
        """Return the element in one line."""
        numbers = f"analytic {self.analytic:.10g}, numeric {self.numeric:.10g}"
        if self.verdict == "kink":
            return f"d output{self.output} / d {self.place}: at a kink, so there is no derivative; {numbers}"
        allowed = f"{self.error:.2g} apart, {self.tolerance:.2g} allowed"
        return f"d output{self.output} / d {self.place}: {numbers}, {allowed}"


@dataclass(frozen=True)
class InputSummary:
    """How one input came out.

    Attributes:
        name: the input's name.
        shape: its shape.
        checked: how many of its elements were checked.
        differing: how many derivatives in them differ.
        kinks: how many lie on a kink.
        relative_error: ‖analytic − numeric‖ / max(‖analytic‖, ‖numeric‖) over the derivatives that are not at kinks.
        share: the largest difference in units of what is allowed.
    """

    name: str
    shape: tuple[int, ...]
    checked: int
    differing: int
    kinks: int
    relative_error: float
    share: float


@dataclass(frozen=True, repr=False)
class GradcheckReport:
    """The result of ``gradcheck``: true if no derivative differs.

    Attributes:
        function: the name of the function that was checked.
        shapes: the inputs' names and shapes.
        elements: every derivative that was compared.
    """

    function: str
    shapes: tuple[tuple[str, tuple[int, ...]], ...]
    elements: tuple[Element, ...]

    @property
    def passed(self) -> bool:
        """Whether no derivative differs; kinks are no failures."""
        return not any(element.verdict == "differs" for element in self.elements)

    def __bool__(self) -> bool:
        """Return whether no derivative differs."""
        return self.passed

    @property
    def failures(self) -> list[Element]:
        """The derivatives that differ, the worst first."""
        return sorted((e for e in self.elements if e.verdict == "differs"), key=lambda e: -e.share)

    @property
    def kinks(self) -> list[Element]:
        """The elements where there is no derivative to compare with."""
        return [element for element in self.elements if element.verdict == "kink"]

    @property
    def inputs(self) -> list[InputSummary]:
        """A summary of each input."""
        mine: dict[str, list[Element]] = {name: [] for name, _ in self.shapes}
        for element in self.elements:
            mine[element.input].append(element)
        return [_summary(name, shape, mine[name]) for name, shape in self.shapes]

    def __str__(self) -> str:
        """Return the verdict in the first line, then a line for each failure, some kinks, and each input."""
        failures, kinks, total = self.failures, self.kinks, len(self.elements)
        derivatives = f"{total} derivative{'s' * (total != 1)}"
        if failures:
            head = f"{len(failures)} of {derivatives} not confirmed by central differences"
        else:
            agree = f"{total - len(kinks)} of {derivatives}" if kinks else derivatives
            head = f"{agree} confirmed by central differences"
        lines = [f"gradcheck of {self.function}: {head}" + (f", {len(kinks)} at kinks" if kinks else "")]
        lines += [f"  {element}" for element in (*failures[:_SHOWN], *kinks[: _SHOWN // 2])]
        hidden = max(0, len(failures) - _SHOWN) + max(0, len(kinks) - _SHOWN // 2)
        return "\n".join(lines + [f"  … and {hidden} more"] * (hidden > 0) + _rows(self.inputs))

    def __repr__(self) -> str:
        return str(self)


def _summary(name: str, shape: tuple[int, ...], elements: list[Element]) -> InputSummary:
    compared = [element for element in elements if element.verdict != "kink"]
    norm = max(math.hypot(*(e.analytic for e in compared)), math.hypot(*(e.numeric for e in compared)))
    error = math.hypot(*(e.error for e in compared))
    return InputSummary(
        name,
        shape,
        checked=len({element.index for element in elements}),
        differing=sum(element.verdict == "differs" for element in elements),
        kinks=len(elements) - len(compared),
        relative_error=error / norm if norm and math.isfinite(error) else error,
        share=max((element.share for element in compared), default=0.0),
    )


def _rows(inputs: Iterable[InputSummary]) -> list[str]:
    """Return a text table with a line for each input."""
    rows = [("input", "shape", "checked", "differ", "kinks", "relative error")]
    rows += [
        (x.name, str(x.shape), str(x.checked), str(x.differing), str(x.kinks), f"{x.relative_error:.1e}")
        for x in inputs
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  " + "  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
