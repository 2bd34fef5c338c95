"""``find_counterexample``: random shapes and numbers until a gradient is wrong, and then the smallest that show it."""

import inspect
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from random import Random
from typing import TYPE_CHECKING, Any

import numpy as np

from tinygrad_mlp.errors import UnsupportedError

from .derivations import check_formula
from .gradients import gradcheck
from .programs import literal, reproduction
from .reporting import Block, Code, Report, Verdict, count, listed
from .strategies import Pattern, broadcastable, filled, matching_shapes, require_hypothesis
from .trials import USER, Check, Failure, Function, Trial, is_wrong, message, name_of

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy


PATTERNS = {1: "(n,d)", 2: "(n,d),(d,k)", 3: "(n,d),(d,),(n,)"}  # examples of shapes
DOMAIN = "give strategy= with inputs in the domain of f, such as st.tuples(tg.check.strategies.arrays(low=0.1))"


@dataclass(frozen=True, repr=False)
class Counterexample(Report):
    """The result of a search for a counterexample: true, as every report, if the verdict is ``right``: none was found.

    Attributes:
        function: The name of the function whose gradient was checked.
        verdict: ``wrong`` if there is a counterexample, ``right`` if there is none among the examples, and
            ``undecided`` if the check could not decide more than half of these.
        inputs: The counterexample: the smallest shapes and the simplest numbers found; None without one.
        program: Three lines of Python that reproduce it; empty without one.
        scope: The names that the program cannot import, such as that of a lambda: it runs where they are known.
        report: What the check says there; None if it was ended by an error.
        error: That error, for example of ``by_hand``.
        examples: How many examples were tried until the first wrong one, or in all.
        rejected: How many more there were that ``f`` does not take, or the check.
        refusal: The first error that says so.
        undecided: Of how many the check could not tell whether they are right.
        reason: Why it could not, in most of them.
        hint: What to do.
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
    reason: str = ""
    hint: str = ""

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
            "undecided": f"{self._undecided()} of {tried} could not be decided",
        }
        return f"{USER} of {self.function}: {self.verdict}: {end[self.verdict]}"

    def blocks(self) -> Iterable[Block]:
        """Return the program, what is not in it, and what the check says."""
        if self.found:
            are = "is" if len(self.scope) == 1 else "are"
            yield Code(f"# run it where {listed(self.scope)} {are} defined\n" * bool(self.scope) + self.program)
        if self.error is not None:
            yield f"raises {message(self.error)}"
        if self.report is not None:
            yield self.report.headline()
            yield from self.report.blocks()
        if not self.found and self.rejected:
            yield f"{count(self.rejected, 'more example')} rejected, the first because of {self.refusal}"
        if not self.found and self.undecided:
            yield f"{self.undecided:,} of them undecided" + f", most because {self.reason}" * bool(self.reason)
        if self.hint:
            yield self.hint

    def _undecided(self) -> str:
        return "all" if self.undecided == self.examples else f"{self.undecided:,}"

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain values, the inputs as Python code."""
        return {
            "check": USER,
            "function": self.function,
            "verdict": self.verdict,
            "examples": self.examples,
            "rejected": self.rejected,
            "refusal": self.refusal,
            "undecided": self.undecided,
            "reason": self.reason,
            "hint": self.hint,
            "inputs": None if self.inputs is None else [literal(x) for x in self.inputs],
            "program": self.program,
            "scope": list(self.scope),
            "report": None if self.report is None else self.report.to_dict(),
            "error": None if self.error is None else message(self.error),
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
    if by_hand is not None and not callable(by_hand):
        raise UnsupportedError(
            f"{USER}: by_hand is a {type(by_hand).__name__}: give the function that computes the derivatives"
        )
    report = search(_check, f, by_hand, _strategies(f, shapes, strategy), max_examples, rng)
    unfit = report.error is not None or bool(getattr(report.report, "problems", False))
    if shapes is None and strategy is None and unfit:
        example = PATTERNS.get(len(report.inputs or ()), PATTERNS[2])
        return replace(report, hint=f"if the formula is not for such shapes, say which: shapes='{example}'")
    if report.reason.startswith("f is "):
        return replace(report, hint=DOMAIN)
    return report


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
        raise UnsupportedError(f"{USER}: {name_of(f)} does not say how many inputs it takes: {remedy}") from None
    given = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD) and p.default is p.empty]
    if not given or any(p.kind is p.VAR_POSITIONAL for p in parameters):
        raise UnsupportedError(f"{USER}: {name_of(f)} takes any number of inputs, or none: {remedy}")
    return len(given)


# -------------------------------------------------------------------------------------------------------------- search


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
    trial = Trial(check, f, by_hand)
    options = settings(
        database=None,
        deadline=None,
        derandomize=False,
        phases=(Phase.generate, Phase.shrink),
        verbosity=Verbosity.quiet,
    )
    for n, strategy in enumerate(strategies):
        share = (max_examples + len(strategies) - 1 - n) // len(strategies)  # the first ones have what is left over
        if not share:
            break
        try:
            find(strategy, trial.fails, settings=settings(options, max_examples=share), random=Random(seed))
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
    verdict: Verdict = "undecided" if 2 * trial.undecided > trial.tried else "right"
    return Counterexample(name_of(f), verdict, trial.tried, **trial.counts())


def _found(trial: Trial, failure: Failure) -> Counterexample:
    report, error = trial.outcome(failure.inputs)  # again outside of Hypothesis, which else stands for the user's line
    if report is not None and not is_wrong(report):  # f gives other values from call to call
        report, error = failure.report, failure.error
    program, scope = reproduction(trial.f, trial.by_hand, failure.inputs)
    return Counterexample(
        name_of(trial.f),
        "wrong",
        trial.first,
        failure.inputs,
        program,
        scope,
        report,
        error,
        **trial.counts(),
    )
