"""How autograd fares against numbers, where there is one: this library's, PyTorch's or JAX's."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from .compare import KINK, OUTSIDE, compare
from .differences import Floats
from .foreign import Foreign
from .gradients import WORDS, gradcheck
from .report import Culprit
from .reporting import Verdict
from .subject import Subject


class Autograd(NamedTuple):
    """How autograd fared.

    Attributes:
        claims: its Jacobians (m, n), one for each input.
        verdict: on all of them.
        states: on those that were looked at, with the measured number and its bound; the others are as the verdict.
        kinks: the elements (k, i) at which there is no derivative.
    """

    claims: list[Floats]
    verdict: Verdict
    states: dict[tuple[int, int, int], tuple[Verdict, float, float]]
    kinks: set[tuple[int, int]]
    culprits: tuple[Culprit, ...] = ()
    notes: tuple[str, ...] = ()


def of_the_engine(
    f: Callable[..., Any], inputs: Sequence[Any], subject: Subject, claims: list[Floats], options: dict[str, Any]
) -> Autograd:
    """Return how this library fares, by ``gradcheck`` with some options."""
    report = gradcheck(f, *inputs, **options, raise_exception=False)
    pairs = zip(report.inputs, subject.leaves, strict=True)  # of one order; their names may differ
    numbers = {theirs.name: (k, leaf.values.shape) for k, (theirs, leaf) in enumerate(pairs)}
    outputs = {name: j for j, name in enumerate(subject.places())}
    states, kinks = {}, set()
    for e in report.elements:
        if e.output in outputs and e.input in numbers:
            k, shape = numbers[e.input]
            i = int(np.ravel_multi_index(e.index, shape)) if e.index else 0
            states[k, i, outputs[e.output]] = e.verdict, e.numeric, e.bound
            if e.kink:
                kinks.add((k, i))
    return Autograd(claims, report.verdict, states, kinks, report.culprits, report.notes)


def of_a_library(subject: Foreign, claims: list[Floats], columns: Sequence[Any], rtol: float | None) -> Autograd:
    """Return how another library fares in some elements of each input."""
    function: Any = subject
    found = compare(function, claims, columns, rtol).found
    states = {(x.k, x.i, x.j): (WORDS[x.state], x.measured, x.bound) for x in found}
    kinks = {(x.k, x.i) for x in found if x.state in (KINK, OUTSIDE)}
    verdicts = {state for state, _, _ in states.values()}
    verdict: Verdict = "wrong" if "wrong" in verdicts else "undecided" if "undecided" in verdicts else "right"
    return Autograd(claims, verdict, states, kinks)
