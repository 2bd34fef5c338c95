"""What an entry of the catalogue is, and the example numbers that entries are tried on.

The default sizes of an entry all differ, and there is more than one sample, so that a transposition, a sum over the
wrong axis or a missing one show.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np

from .units import Array

Kind: TypeAlias = Literal["gradient", "elementwise", "jacobian"]
Inputs: TypeAlias = Callable[..., tuple[Array, ...]]
Targets: TypeAlias = Callable[[np.random.Generator, int, int], Array]
MARGIN = 0.1  # example numbers keep this distance from a kink


@dataclass(frozen=True)
class Formula:
    """A function written with the library's operations, and its derivatives by hand.

    Attributes:
        name: of the entry.
        title: what it is, in words.
        statement: the function and its derivatives as text.
        source: where they are from.
        function: takes nodes or arrays.
        by_hand: takes the same as arrays, and returns an array for each, in a tuple if there are several; None stands
            for a constant, such as the targets. What an array is, ``kind`` says.
        inputs: takes a ``numpy.random.Generator`` and sizes by name, and returns example arrays of float64.
        kind: "gradient" where the function gives one number: of the shape of the input. "elementwise": the derivative
            of each element, of the shape of the input. "jacobian": of the shape of the output and then of the input.
    """

    name: str
    title: str
    statement: str
    source: str
    function: Callable[..., Any]
    by_hand: Callable[..., Any]
    inputs: Inputs
    kind: Kind = "gradient"


def beside(x: Array, kinks: Sequence[float]) -> Array:
    """Return ``x`` with what is nearer than ``MARGIN`` to a kink moved to its other side."""
    for kink in kinks:
        near = np.abs(x - kink) < MARGIN
        x = np.where(near, kink + np.where(x < kink, -1.0, 1.0) * (2.0 * MARGIN), x)
    return x


def points(scale: float = 1.5, kinks: Sequence[float] = ()) -> Inputs:
    """Return a maker of one matrix, (samples, units), that keeps away from kinks."""

    def inputs(rng: np.random.Generator, samples: int = 5, units: int = 3) -> tuple[Array, ...]:
        return (beside(scale * rng.standard_normal((samples, units)), kinks),)

    return inputs


def one_hot(rng: np.random.Generator, samples: int, classes: int) -> Array:
    """Return random targets, (samples, classes), a single one in every row."""
    return np.eye(classes)[rng.integers(classes, size=samples)]


def answers(rng: np.random.Generator, samples: int, units: int) -> Array:
    """Return random targets 0 and 1 of logistic units."""
    return rng.integers(2, size=(samples, units)).astype(np.float64)


def row_weights(rng: np.random.Generator, samples: int, classes: int) -> Array:
    """Return positive targets whose rows do not sum to one."""
    return rng.uniform(0.2, 1.5, (samples, classes))


def real_targets(rng: np.random.Generator, samples: int, units: int) -> Array:
    """Return targets of any size."""
    return rng.standard_normal((samples, units))


def counts(rng: np.random.Generator, samples: int, units: int) -> Array:
    """Return counts as targets."""
    return rng.poisson(2.0, (samples, units)).astype(np.float64)


def positive_targets(rng: np.random.Generator, samples: int, units: int) -> Array:
    """Return positive targets."""
    return rng.gamma(2.0, 1.0, (samples, units)) + 0.1
