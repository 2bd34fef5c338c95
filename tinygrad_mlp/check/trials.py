"""A check that is repeated on example after example: how each came out, and whose fault an error is."""

import math
import traceback
from collections import Counter
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any, NamedTuple

import numpy as np

from tinygrad_mlp.errors import DataError, ShapeError, UnsupportedError
from tinygrad_mlp.nest import flatten

from .reporting import Report, count, listed

USER = "find_counterexample"
PATIENCE = 100  # examples that f does not take, before it is said to take none

Function = Callable[..., Any]
Check = Callable[[Function, Function | None, tuple[Any, ...]], Report]


class Failure(NamedTuple):
    """Inputs for which the gradient is wrong, and the report that says so or the error that was raised."""

    inputs: tuple[Any, ...]
    report: Report | None
    error: Exception | None


class Trial:
    """A check, repeated on example after example.

    Attributes:
        tried, rejected, undecided: How many examples came out how, until a wrong one; ``first`` is its number.
        failure: The last, and so the smallest, of the wrong ones.
    """

    def __init__(self, check: Check, f: Function, by_hand: Function | None) -> None:
        self.check, self.f, self.by_hand = check, f, by_hand
        self.tried = self.rejected = self.undecided = self.first = 0
        self.failure: Failure | None = None
        self.reasons: Counter[str] = Counter()
        self.refused: tuple[tuple[Any, ...], Exception] | None = None

    @property
    def hopeless(self) -> bool:
        """Whether ``f`` seems to take no example at all."""
        return self.rejected >= PATIENCE and not self.tried

    def fails(self, inputs: Any) -> bool:
        """Return whether the gradient is wrong for these inputs; others are drawn if ``f`` does not take them."""
        from hypothesis import reject

        if not isinstance(inputs, tuple):
            raise UnsupportedError(
                f"{USER}: the strategy gave a {type(inputs).__name__}; let it give a tuple of inputs"
            )
        if self.hopeless:
            reject()  # and so all the rest, without a call
        report, error = self.outcome(inputs)
        counting = self.failure is None
        if error is not None and not self._is_ours(error, inputs):
            self.rejected += counting
            self.refused = self.refused or (inputs, error)
            reject()
        self.tried += counting
        if report is not None and not is_wrong(report):
            if counting and report.verdict == "undecided":
                self.undecided += 1
                self.reasons[reason_of(report)] += 1
            return False
        self.first = self.first or self.tried
        self.failure = Failure(inputs, report, error)
        return True

    def outcome(self, inputs: tuple[Any, ...]) -> tuple[Report | None, Exception | None]:
        """Return the report of the check, or the error that ended it."""
        try:
            with np.errstate(all="ignore"):
                return self.check(self.f, self.by_hand, copied(inputs)), None
        except Exception as error:  # noqa: BLE001 - whatever a user's function raises
            return None, error

    def _is_ours(self, error: Exception, inputs: tuple[Any, ...]) -> bool:
        """Return whether an error is the gradient's fault: that of ``by_hand`` or of a vjp, and not of ``f`` itself."""
        raised: list[str] = []
        by_hand = self.by_hand and _watched(self.by_hand, "by_hand", raised)
        try:
            with np.errstate(all="ignore"):
                self.check(_watched(self.f, "f", raised), by_hand, copied(inputs))
        except Exception:  # noqa: BLE001 - the same again
            pass
        if "f" in raised:
            return False
        if self.by_hand is not None:
            return "by_hand" in raised or isinstance(error, ShapeError)
        frames = traceback.walk_tb(error.__traceback__)
        return any(frame.f_globals.get("__name__", "").startswith("tinygrad_mlp.backward") for frame, _ in frames)

    def counts(self) -> dict[str, Any]:
        """Return how many examples were of no use, and why."""
        refusal = message(self.refused[1]) if self.refused else ""
        reason = self.reasons.most_common(1)[0][0] if self.reasons else ""
        return {"rejected": self.rejected, "refusal": refusal, "undecided": self.undecided, "reason": reason}

    def refusal(self) -> DataError:
        """Return the error that says that no example could be checked."""
        if self.refused is None:
            return DataError(f"{USER}: the strategy gives no examples")
        inputs, error = self.refused
        sides = listed([str(np.shape(x)) for x in flatten(inputs)[0]])
        remedy = "; give the shapes that it takes, as in shapes='(n,d),(d,k)'" * isinstance(error, ValueError)
        refusal = DataError(
            f"{USER}: {name_of(self.f)} could be checked for none of {count(self.rejected, 'example')}; for inputs of "
            f"shape {sides} there is {message(error)}{remedy}"
        )
        refusal.__cause__ = error
        return refusal


def reason_of(report: Report) -> str:
    """Return why a report is undecided, in short: what it says of its first open derivative."""
    for element in getattr(report, "elements", ()):
        if element.verdict == "undecided":
            reason: str = getattr(element, "reason", "").partition(":")[0]
            return reason or "f is not finite there" * (not math.isfinite(element.numeric))
    return ""


def is_wrong(report: Report) -> bool:
    """Return whether a check found something wrong."""
    return report.verdict == "wrong"


def _watched(f: Function, name: str, raised: list[str]) -> Function:
    """Return ``f``, noting its name when an error comes out of it."""

    @wraps(f, updated=())
    def watched(*args: Any, **params: Any) -> Any:
        try:
            return f(*args, **params)
        except Exception:
            raised.append(name)
            raise

    return watched


def message(error: Exception) -> str:
    """Return an error in one line, with its kind."""
    return f"{type(error).__name__}: {error}"


def name_of(f: Function) -> str:
    """Return what to call a function."""
    return getattr(f, "__name__", type(f).__name__)


def copied(inputs: Sequence[Any]) -> tuple[Any, ...]:
    """Return the inputs with arrays of their own: a function may overwrite what it is given."""
    values, rebuild = flatten(tuple(inputs))
    copied: tuple[Any, ...] = rebuild([x.copy() if isinstance(x, np.ndarray) else x for x in values])
    return copied
