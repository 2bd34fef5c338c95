"""``find_counterexample``: random shapes and numbers until a gradient is wrong, and then the smallest that show it."""

import inspect
import traceback
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial, wraps
from random import Random
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from tinygrad_mlp.errors import DataError, ShapeError, UnsupportedError
from tinygrad_mlp.nest import flatten

from .derivations import check_formula
from .gradients import gradcheck
from .programs import literal, reproduction
from .reporting import Block, Code, Report, Verdict, count, listed
from .strategies import Pattern, broadcastable, filled, matching_shapes, require_hypothesis

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

USER = "find_counterexample"
PATIENCE = 100  # examples that f does not take, before it is said to take none

Function = Callable[..., Any]
Check = Callable[[Function, Function | None, tuple[Any, ...]], Report]


@dataclass(frozen=True, repr=False)
class Counterexample(Report):
    """The result of a search for a counterexample: true, as every report, if the verdict is ``right``: none was found.

    Attributes:
        function: The name of the function whose gradient was checked.
        verdict: ``wrong`` if there is a counterexample, ``right`` if there is none among the examples, and
            ``undecided`` if the check decided none of these.
        inputs: The counterexample: the smallest shapes and the simplest numbers found; None without one.
        program: Three lines of Python that reproduce it; empty without one.
        scope: The names that the program cannot import, such as that of a lambda: it runs where they are known.
        report: What the check says there; None if it was ended by an error.
        error: That error, for example of ``by_hand``.
        examples: How many examples were tried until the first wrong one, or in all.
        rejected: How many more there were that ``f`` does not take, or the check.
        refusal: The first error that says so.
        undecided: Of how many the check could not tell whether they are right.
    """

    function: str
    verdict: Verdict
    examples: int
    inputs: tuple[Any, ...] | None = None
    program: str = ""
    scope: tuple[str, ...] = ()
    report: Report | None = None
    error: Exception | None = None
    rejected: int = 0
    refusal: str = ""
    undecided: int = 0

    @property
    def found(self) -> bool:
        """Whether there is a counterexample."""
        return self.inputs is not None

    def headline(self) -> str:
        """Return one line: the function, the verdict, and after how many examples."""
        tried = count(self.examples, "example")
        end = {
            "wrong": f"a counterexample, found after {tried}",
            "right": f"no counterexample in {tried}",
            "undecided": f"none of {tried} could be decided",
        }
        return f"{USER} of {self.function}: {self.verdict}: {end[self.verdict]}"

    def blocks(self) -> Iterable[Block]:
        """Return the program, what is not in it, and what the check says."""
        if self.found:
            yield Code(self.program)
        if self.scope:
            yield f"run it where {listed(self.scope)} {'is' if len(self.scope) == 1 else 'are'} defined"
        if self.error is not None:
            yield f"raises {_message(self.error)}"
        if self.report is not None:
            yield self.report.headline()
            yield from self.report.blocks()
        if not self.found and self.rejected:
            yield f"{count(self.rejected, 'more example')} rejected, the first because of {self.refusal}"
        if self.verdict == "right" and self.undecided:
            yield f"{self.undecided:,} of them undecided"

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain values, the inputs as Python code."""
        return {
            "function": self.function,
            "verdict": self.verdict,
            "examples": self.examples,
            "rejected": self.rejected,
            "refusal": self.refusal,
            "undecided": self.undecided,
            "inputs": None if self.inputs is None else [literal(x) for x in self.inputs],
            "program": self.program,
            "scope": list(self.scope),
            "report": None if self.report is None else self.report.to_dict(),
            "error": None if self.error is None else _message(self.error),
        }


def find_counterexample(
    f: Function,
    by_hand: Function | None = None,
    shapes: Pattern | None = None,
    *,
    strategy: "SearchStrategy[tuple[Any, ...]] | None" = None,
    max_examples: int = 200,
    rng: int | np.random.Generator = 0,
) -> Counterexample:
    """Return a report of where the gradient of ``f`` is wrong: the smallest inputs that show it, as a program.

    Hypothesis (https://hypothesis.works) draws shapes and numbers, and makes them smaller as long as the gradient stays
    wrong. The first half of the examples has ordinary numbers, all different and none 0; then zeros, ties, 1e12 and the
    like are frequent. The same call in the same program gives the same report. Nothing is printed, and no examples are
    kept in Hypothesis's database.

    Args:
        f: The function, as ``gradcheck`` or ``check_formula`` takes it.
        by_hand: Its gradient, derived by hand; with it each example is a ``check_formula``, without it a ``gradcheck``
            of the gradient that the engine gives.
        shapes: One entry per input, each a tuple of ints and letters, as in ``[("n", "d"), ("d", 3)]``, or the same as
            a text, ``"(n,d),(d,3)"``. A letter is a length from 1 to 4, the same wherever it stands. Without it there
            are as many inputs as ``f`` has parameters without a default, of shapes that broadcast.
        strategy: A Hypothesis strategy for tuples of inputs instead, such as those of ``tg.check.strategies``.
        max_examples: How many examples to try.
        rng: The seed of the search, or a generator for it.

    Returns:
        A report with ``found``, ``inputs`` and ``program``; as every report it is true if nothing is wrong.

    Raises:
        MissingDependencyError: Hypothesis is not installed.
        DataError: ``f`` raises an error for every example.
        ShapeError: ``shapes`` cannot be read.
        UnsupportedError: The inputs cannot be told: both ``shapes`` and ``strategy``, or neither though ``f`` does not
            say how many it takes; or ``max_examples`` is not positive.

    >>> report = find_counterexample(lambda x: x * x * x, max_examples=20)
    >>> report.found, report.verdict
    (False, 'right')
    """
    require_hypothesis(USER)
    if max_examples < 1:
        raise UnsupportedError(f"{USER}: max_examples is {max_examples!r}; give a positive number")
    return search(_check, f, by_hand, _strategies(f, shapes, strategy), max_examples, rng)


def _check(f: Function, by_hand: Function | None, inputs: tuple[Any, ...]) -> Report:
    if by_hand is None:
        return gradcheck(f, *inputs, raise_exception=False)
    return check_formula(f, by_hand, *inputs, raise_exception=False)


# -------------------------------------------------------------------------------------------------------------- inputs


def _strategies(f: Function, shapes: Pattern | None, strategy: Any) -> list[Any]:
    """Return the strategies for inputs that share the examples: ordinary numbers first, then special ones."""
    if strategy is None:
        if shapes is None:
            n = _inputs(f)
            return [broadcastable(n, special=special) for special in (False, True)]
        drawn = matching_shapes(shapes)
        return [drawn.flatmap(partial(filled, special=special)) for special in (False, True)]
    if shapes is not None:
        raise UnsupportedError(f"{USER}: give shapes or a strategy, not both")
    if not hasattr(strategy, "flatmap"):
        raise UnsupportedError(f"{USER}: strategy is a {type(strategy).__name__}; give a Hypothesis strategy of tuples")
    return [strategy]


def _inputs(f: Function) -> int:
    """Return how many inputs a function needs."""
    remedy = "give their shapes, as in shapes='(n,d),(d,k)'"
    try:
        parameters = inspect.signature(f).parameters.values()
    except (TypeError, ValueError):
        raise UnsupportedError(f"{USER}: {_name(f)} does not say how many inputs it takes: {remedy}") from None
    given = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD) and p.default is p.empty]
    if not given or any(p.kind is p.VAR_POSITIONAL for p in parameters):
        raise UnsupportedError(f"{USER}: {_name(f)} takes any number of inputs, or none: {remedy}")
    return len(given)


def _copied(inputs: Sequence[Any]) -> tuple[Any, ...]:
    """Return the inputs with arrays of their own: a function may overwrite what it is given."""
    values, rebuild = flatten(tuple(inputs))
    copied: tuple[Any, ...] = rebuild([x.copy() if isinstance(x, np.ndarray) else x for x in values])
    return copied


# -------------------------------------------------------------------------------------------------------------- search


class Failure(NamedTuple):
    """Inputs for which the gradient is wrong, and the report that says so or the error that was raised."""

    inputs: tuple[Any, ...]
    report: Report | None
    error: Exception | None


def search(
    check: Check,
    f: Function,
    by_hand: Function | None,
    strategies: Sequence[Any],
    max_examples: int,
    rng: int | np.random.Generator = 0,
) -> Counterexample:
    """Return what a check says of inputs drawn from strategies, which share the examples."""
    from hypothesis import Phase, Verbosity, find, settings
    from hypothesis.errors import Flaky, NoSuchExample, Unsatisfiable

    seed = int(rng.integers(2**32)) if isinstance(rng, np.random.Generator) else rng
    trial = _Trial(check, f, by_hand)
    share = -(-max_examples // len(strategies))
    options = settings(
        max_examples=share,
        database=None,
        deadline=None,
        derandomize=False,
        phases=(Phase.generate, Phase.shrink),
        verbosity=Verbosity.quiet,
    )
    for strategy in strategies:
        try:
            find(strategy, trial.fails, settings=options, random=Random(seed))
        except (NoSuchExample, Unsatisfiable):
            if trial.hopeless:
                break
            continue
        except Flaky:  # another call gave another verdict: the last wrong one is as good as any
            pass
        if trial.failure is not None:
            return _found(trial, trial.failure)
    if not trial.tried:
        raise trial.refusal()
    verdict: Verdict = "undecided" if trial.undecided == trial.tried else "right"
    return Counterexample(_name(f), verdict, trial.tried, **trial.counts())


def _found(trial: "_Trial", failure: Failure) -> Counterexample:
    report, error = trial.outcome(failure.inputs)  # again outside of Hypothesis, which else stands for the user's line
    if report is not None and not _is_wrong(report):  # f gives other values from call to call
        report, error = failure.report, failure.error
    program, scope = reproduction(trial.f, trial.by_hand, failure.inputs)
    return Counterexample(
        _name(trial.f),
        "wrong",
        trial.first,
        failure.inputs,
        program,
        scope,
        report,
        error,
        **trial.counts(),
    )


class _Trial:
    """A check, repeated on example after example.

    Attributes:
        tried, rejected, undecided: How many examples came out how, until a wrong one; ``first`` is its number.
        failure: The last, and so the smallest, of the wrong ones.
    """

    def __init__(self, check: Check, f: Function, by_hand: Function | None) -> None:
        self.check, self.f, self.by_hand = check, f, by_hand
        self.tried = self.rejected = self.undecided = self.first = 0
        self.failure: Failure | None = None
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
        if report is not None and not _is_wrong(report):
            self.undecided += counting and report.verdict == "undecided"
            return False
        self.first = self.first or self.tried
        self.failure = Failure(inputs, report, error)
        return True

    def outcome(self, inputs: tuple[Any, ...]) -> tuple[Report | None, Exception | None]:
        """Return the report of the check, or the error that ended it."""
        try:
            with np.errstate(all="ignore"):
                return self.check(self.f, self.by_hand, _copied(inputs)), None
        except Exception as error:  # noqa: BLE001 - whatever a user's function raises
            return None, error

    def _is_ours(self, error: Exception, inputs: tuple[Any, ...]) -> bool:
        """Return whether an error is the gradient's fault: that of ``by_hand`` or of a vjp, and not of ``f`` itself."""
        raised: list[str] = []
        by_hand = self.by_hand and _watched(self.by_hand, "by_hand", raised)
        try:
            with np.errstate(all="ignore"):
                self.check(_watched(self.f, "f", raised), by_hand, _copied(inputs))
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
        refusal = _message(self.refused[1]) if self.refused else ""
        return {"rejected": self.rejected, "refusal": refusal, "undecided": self.undecided}

    def refusal(self) -> DataError:
        """Return the error that says that no example could be checked."""
        if self.refused is None:
            return DataError(f"{USER}: the strategy gives no examples")
        inputs, error = self.refused
        sides = listed([str(np.shape(x)) for x in flatten(inputs)[0]])
        remedy = "; give the shapes that it takes, as in shapes='(n,d),(d,k)'" * isinstance(error, ValueError)
        refusal = DataError(
            f"{USER}: {_name(self.f)} could be checked for none of {count(self.rejected, 'example')}; for inputs of "
            f"shape {sides} there is {_message(error)}{remedy}"
        )
        refusal.__cause__ = error
        return refusal


def _is_wrong(report: Report) -> bool:
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


def _message(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


def _name(f: Function) -> str:
    return getattr(f, "__name__", type(f).__name__)
