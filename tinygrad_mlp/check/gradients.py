"""``gradcheck`` and ``gradgradcheck``: what the engine derives against numbers, each element at its own scale."""

import math
from collections.abc import Callable, Sequence
from inspect import Parameter, Signature
from typing import Any, Literal

import numpy as np

from tinygrad_mlp.backward import cotangents
from tinygrad_mlp.errors import GradcheckError, UnsupportedError
from tinygrad_mlp.graph import GRADIENTS, NODES, recording
from tinygrad_mlp.graph import mode as recording_mode
from tinygrad_mlp.nest import Nest, flatten

from . import blame as blaming
from .compare import (
    COARSE_RTOL,
    KINK,
    OUTSIDE,
    RIGHT,
    RTOL,
    UNDECIDED,
    WRONG,
    Comparison,
    Found,
    Tally,
    compare,
    look_closer,
)
from .derived import jacobians, projected, pushed
from .differences import FIRST, RATIO, Floats, along, extrapolated
from .operand import signed
from .recording import Recording
from .report import Element, GradcheckReport, InputSummary, Recorded
from .reporting import Verdict, count
from .rules import check_rules
from .settling import Settler
from .subject import Subject, called, parameter_names

WORK = 10**9  # elements to compute, up to which every derivative is measured on the function: some seconds
OVERHEAD = 2000  # what an operation costs beside its elements, in elements
CELLS = 3 * 10**7  # of the Jacobian, up to which it is held in memory
DIRECTIONS = 2  # random ones, along which the whole function is checked
LEAVES = 50  # that are looked at one by one if such a direction disagrees
NAMED = 50  # kinks that are looked for in the graph
WORDS: dict[int, Verdict] = {RIGHT: "right", KINK: "right", WRONG: "wrong", OUTSIDE: "wrong", UNDECIDED: "undecided"}
MODES, METHODS = ("reverse", "forward", "both"), ("auto", "function", "graph")

Mode = Literal["reverse", "forward", "both"]
Method = Literal["auto", "function", "graph"]


def gradcheck(
    f: Callable[..., Any],
    *inputs: Any,
    mode: Mode = "reverse",
    method: Method = "auto",
    rtol: float | None = None,
    sample: int | None = None,
    blame: bool = False,
    rng: int | np.random.Generator = 0,
    raise_exception: bool = True,
) -> GradcheckReport:
    """Return a report on every derivative of ``f``: right, wrong or undecided, and which operation is to blame.

    There is no tolerance to guess: a derivative is measured by central differences at several steps, extrapolated,
    which gives it an error bound; where these leave it open, by a complex step if every operation allows one, and by
    checking every operation on its own. The engine's number is right if it lies within the bound, and the bound is
    small beside the derivative itself, however small or large that is. At a kink, where the slopes on both sides
    differ, every number between them is right. float32 inputs are measured in float64.

    Args:
        f: Takes the inputs, or nothing if it reads them itself, as in ``gradcheck(lambda: model.loss(X, y), model)``;
            returns a node of any shape, or a nest of nodes.
        inputs: Numbers, arrays, leaves, modules, and nests of them. ``f`` gets floats and arrays of floats as new
            leaves, and the rest as it is. Leaves and parameters are varied in place and restored. Everything else,
            such as integer arrays and nodes that require no gradient, is passed on.
        mode: What is checked: ``reverse`` mode, ``forward`` mode, or both.
        method: ``function`` measures every derivative on ``f`` itself; ``graph`` checks the rule of every recorded
            operation, and ``f`` along random directions; ``auto`` takes the second where the first would take more
            than a few seconds.
        rtol: The relative difference that is allowed, beyond the bound; by default 1e-7, with float32 1e-3.
        sample: How many elements of each input to check, drawn without repetition; None checks all.
        blame: Check the rule of every operation too, though nothing is wrong.
        rng: The seed or generator for ``sample`` and the random directions.
        raise_exception: Raise if a derivative is wrong, instead of only reporting it.

    Raises:
        GradcheckError: A derivative is wrong; the message is the report.
        GradientError: No input requires a gradient, an input is computed or changed by ``f``, or ``f`` gives different
            values for the same input.
        DTypeError: An input or output is neither float64 nor float32.
        UnsupportedError: An unknown mode or method.

    >>> report = gradcheck(lambda x: x * x, 3.0)
    >>> report.verdict, report.elements[0].analytic
    ('right', 6.0)
    """
    subject = Subject("gradcheck", f, inputs)
    return _run(subject, raise_exception, mode, method, rtol, sample, blame, np.random.default_rng(rng))


def gradgradcheck(
    f: Callable[..., Any],
    *inputs: Any,
    mode: Mode = "reverse",
    method: Method = "auto",
    rtol: float | None = None,
    sample: int | None = None,
    blame: bool = False,
    rng: int | np.random.Generator = 0,
    raise_exception: bool = True,
) -> GradcheckReport:
    """Return a report on the second derivatives of ``f``: the check of its gradient, recorded as a graph.

    The gradient is that of ``Σ seed · f(inputs)`` with a random seed of the outputs' shape, which is an input too. All
    arguments and errors are those of ``gradcheck``.

    >>> gradgradcheck(lambda x: x**3, 2.0).verdict
    'right'
    """
    generator = np.random.default_rng(rng)
    shapes = Subject("gradgradcheck", f, inputs)
    g = _gradient_of(f, inputs, shapes)
    seeds = [
        float(u) if is_float else u.astype(dtype)
        for u, (is_float, dtype) in zip((signed(generator, s) for s in shapes.shapes), shapes.kinds, strict=True)
    ]
    subject = Subject("gradgradcheck", g, (*inputs, *seeds))
    return _run(subject, raise_exception, mode, method, rtol, sample, blame, generator)


def assert_gradients(f: Callable[..., Any], *inputs: Any, **options: Any) -> None:
    """Return nothing, or raise if a derivative of ``f`` is wrong or undecided: one line for a test.

    Raises:
        GradcheckError: The report of ``gradcheck`` is not ``right``.

    >>> assert_gradients(lambda x: x * x, 3.0)
    """
    report = gradcheck(f, *inputs, **{**options, "raise_exception": False})
    if not report:
        raise GradcheckError(str(report))


def _gradient_of(f: Callable[..., Any], inputs: Sequence[Any], subject: Subject) -> Callable[..., Any]:
    """Return the function of the inputs, and a seed for each output, that gives the gradients of ``Σ seed · f``."""
    n = len(inputs)

    def gradient(*arguments: Any) -> list[Any]:
        given, seeds = arguments[:n], arguments[n:]
        with recording(recording_mode() | GRADIENTS):
            outputs, _ = flatten(called(f, given)())
            leaves = dict.fromkeys(x for x in Nest(list(given)).leaves if type(x) in NODES and x.requires_grad)
            totals: dict[Any, Any] = {}
            for y, seed in zip(outputs, seeds, strict=True):
                if type(y) in NODES and y.requires_grad:
                    for x, g in cotangents(y, seed, to=leaves, create_graph=True).items():
                        totals[x] = totals[x] + g if x in totals else g
        return [totals.get(x, np.zeros(x.shape, x.dtype)) for x in leaves]

    gradient.__name__ = f"the gradient of {subject.name}"
    names = list(dict.fromkeys([*parameter_names(f, n), *(f"seed{i or ''}" for i in range(len(subject.shapes)))]))
    if len(names) == n + len(subject.shapes) and all(name.isidentifier() for name in names):
        gradient.__signature__ = Signature([Parameter(x, Parameter.POSITIONAL_OR_KEYWORD) for x in names])  # type: ignore[attr-defined]
    return gradient


def _run(
    subject: Subject,
    raise_exception: bool,
    mode: Mode,
    method: Method,
    rtol: float | None,
    sample: int | None,
    blame: bool,
    rng: np.random.Generator,
) -> GradcheckReport:
    for given, name, known in ((mode, "mode", MODES), (method, "method", METHODS)):
        if given not in known:
            raise UnsupportedError(f"{subject.check}: no {name} {given!r}; choose {', '.join(map(repr, known))}")
    numbers: Any = ((sample, "sample", 1), (rtol, "rtol", 0))
    for number, name, least in numbers:
        if number is not None and not (isinstance(number, int | float | np.integer) and number >= least):
            raise UnsupportedError(f"{subject.check}: {name}={number!r}: give a number of {least} or more, or None")
    report = _Check(subject, mode, method, rtol, sample, blame, rng).report()
    if raise_exception and report.verdict == "wrong":
        raise GradcheckError(str(report))
    return report


class _Check:
    """One run of the check: what was derived, measured, and settled."""

    def __init__(
        self,
        subject: Subject,
        mode: Mode,
        method: Method,
        rtol: float | None,
        sample: int | None,
        blame: bool,
        rng: np.random.Generator,
    ) -> None:
        self.subject, self.mode, self.rng = subject, mode, rng
        self.rtol = (COARSE_RTOL if subject.coarse else RTOL) if rtol is None else rtol
        self.recording = Recording(subject.record())
        self.settler = Settler(subject, self.recording, rng, rtol, mode)
        self.notes: list[str] = []  # of what is wrong
        self.columns = [self._columns(leaf.size, sample) for leaf in subject.leaves]
        m, n = len(subject.base), sum(map(len, self.columns))
        work = (4 * n + m) * sum(node.size + OVERHEAD for node in self.recording.order)
        large = work > WORK or m * sum(leaf.size for leaf in subject.leaves) > CELLS
        self.by_graph = method == "graph" or (method == "auto" and large and bool(self.recording.order))
        self.blame = blame or self.by_graph
        self.coverage = ""

    def _columns(self, size: int, sample: int | None) -> Any:
        if sample is None or sample >= size:
            return np.arange(size)
        return np.sort(self.rng.choice(size, sample, replace=False))

    def report(self) -> GradcheckReport:
        """Return what came out."""
        settler = self.settler
        try:
            comparison = self._along_directions() if self.by_graph else self._every_element()
        except Exception as error:  # a rule of the user's may fail in any way
            if not settler.rules.faults:
                raise
            self.notes.append(f"the gradient raised: {error}")
            comparison = Comparison([])
        elements = self._elements(comparison)
        wrong = any(e.verdict == "wrong" for e in elements)
        kinks = any(x.state == KINK for x in comparison.found)  # where numbers say no more than from where to where
        faults = settler.rules.faults if wrong or kinks or self.blame or self.notes or settler.has_faults else []
        if wrong and not faults:
            faults = check_rules(self.recording.order, self.rng, thorough=True).faults
        if wrong and not faults:
            self.notes += settler.lost
            symmetric = {node.op.name: None for node in self.recording.order if node.op.symmetric}
            self.notes += [
                f"{name} takes its operand to be symmetric, and gives the gradient of symmetric changes: "
                f"check the function of x that has (x + x.T) / 2 there"
                for name in symmetric
            ]
            if any(e.verdict == "wrong" and not np.isfinite(e.analytic) for e in elements):
                self.notes.append("a gradient is not finite though the slope is: tg.where_nan says which operation")
        if comparison.pending:
            self.notes.append("so many derivatives are wrong that the rest was not looked at closely")
        verdict: Verdict = "wrong" if wrong or faults else "right"
        if verdict == "right" and any(e.verdict == "undecided" for e in elements):
            verdict = "undecided"
        recorded = Recorded(
            tuple(self.recording.outputs),
            tuple(self.subject.leaves[k].node for k in range(len(comparison.tallies))),
            tuple(dict.fromkeys(fault.node for fault in faults)),
        )
        return GradcheckReport(
            self.subject.check, self.subject.name, verdict, comparison.total, tuple(elements),
            tuple(self._summary(k, comparison, elements) for k in range(len(comparison.tallies))),
            blaming.named(faults), self.coverage, (*self.notes, *self.subject.notes), recorded,
        )  # fmt: skip

    # -------------------------------------------------------------------------------------------------- every element

    def _every_element(self) -> Comparison:
        """Compare every element with differences of the function itself, and settle what these leave open."""
        subject, settler = self.subject, self.settler
        with np.errstate(all="ignore"):
            claims = pushed(subject) if self.mode == "forward" else jacobians(subject, self.recording.all)
        with subject.varying():
            result = compare(subject, claims, self.columns, self.rtol)
        result.found = settler.settle(result.found)
        while result.pending and not any(x.state in (WRONG, OUTSIDE) for x in result.found):
            if settler.is_confirmed:
                result.found += settler.unseen(claims, result.pending)
                result.pending = []
            else:
                seen, result.found = result.found, []
                with subject.varying():
                    look_closer(subject, claims, result, self.rtol)
                result.found = seen + settler.settle(result.found)
        result.found.sort(key=lambda x: (x.k, x.i, x.j))
        if self.mode == "both":
            self._compare_modes(claims)
        whole = sum(t.checked for t in result.tallies) == sum(leaf.size for leaf in subject.leaves)
        which = "every derivative" if whole else "the derivatives in a sample of the elements"
        self.coverage = f"measured: {which}, by {count(result.evaluations, 'evaluation')} of f"
        return result

    def _compare_modes(self, claims: Sequence[Floats]) -> None:
        """Note where forward mode does not give what reverse mode does."""
        for leaf, a, b in zip(self.subject.leaves, claims, pushed(self.subject), strict=True):
            scale = np.fmax(np.abs(a), np.abs(b))
            room = self.rtol * scale + 1e-12 * np.max(scale, initial=0.0, where=np.isfinite(scale))
            if np.any((np.abs(a - b) > room) & np.isfinite(scale)):
                self.notes.append(f"forward mode gives other derivatives in {leaf.name} than reverse mode")
                self.blame = True

    # ------------------------------------------------------------------------------------------------ by the operations

    def _along_directions(self) -> Comparison:
        """Compare the function with its gradient along random directions; the rules are checked one by one."""
        subject = self.subject
        u = [signed(self.rng, shape) for shape in subject.shapes]
        flat = np.concatenate([part.reshape(-1) for part in u])
        result = Comparison([])
        gradients = projected(self.recording.all, u, subject)
        result.tallies = [Tally(g.size, g.size * len(flat)) for g in gradients]
        everything = range(len(gradients))
        if subject.undefined:
            nan = float("nan")
            result.found = [Found(0, -1, -1, nan, nan, nan, nan, nan, UNDECIDED, "direction")]
        elif any(self._direction(everything, gradients, flat) for _ in range(DIRECTIONS)):
            each = [self._direction([k], gradients, flat) for k in everything[:LEAVES]]
            result.found = [x for x in each if x is not None]
        rules = self.settler.rules
        shown = f"an error of 0.1 % in any of {count(rules.elements, 'element')} of their gradients would have shown"
        if rules.unresolved:
            shown += f", but for {rules.unresolved:,} too small beside the others"
        self.coverage = (
            f"checked: the rules of {count(rules.operations, 'operation')}: {shown}; "
            f"f itself along {DIRECTIONS} random directions"
        )
        return result

    def _direction(self, ks: Sequence[int], gradients: Sequence[Floats], u: Floats) -> Found | None:
        """Return how the gradient of ``Σ u f`` fares along a random direction in some leaves; None if it agrees."""
        subject = self.subject
        values = [leaf.values for leaf in subject.leaves]
        ds = [self._random_direction(x) if k in ks else np.zeros(x.shape) for k, x in enumerate(values)]
        with subject.varying():

            def line(t: float) -> Floats:
                return np.asarray(np.sum(u * subject.at([x + t * d for x, d in zip(values, ds, strict=True)])))

            value, bound = extrapolated(along(line, FIRST), along(line, FIRST / RATIO), line(0.0), subject.eps)
        shares = [g * d for g, d in zip(gradients, ds, strict=True)]
        claimed, weight = sum(float(np.sum(x)) for x in shares), sum(float(np.sum(np.abs(x))) for x in shares)
        apart, room = abs(claimed - float(value)), float(bound) + self.rtol * weight
        if apart <= room:
            return None
        noise = float(np.sum(np.abs(u) * self.settler.noise)) * RATIO / FIRST
        if apart <= room + noise or self.settler.is_confirmed:
            return None  # rounding; or a kink on the way: every rule is right, and nothing is lost between them
        state = WRONG if apart > 3 * float(bound) else UNDECIDED
        return Found(ks[0], -1, -1, claimed, float(value), float(bound), 0.0, 0.0, state, "direction")

    def _random_direction(self, x: Floats) -> Floats:
        finite = np.isfinite(x)
        size = np.maximum(np.abs(x), 0.01 * np.max(np.abs(x), initial=0.0, where=finite) or 1.0)
        return np.where(finite, size, 0.0) * signed(self.rng, x.shape)

    # ----------------------------------------------------------------------------------------------------- the report

    def _elements(self, comparison: Comparison) -> list[Element]:
        places = self.subject.places() if any(x.i >= 0 for x in comparison.found) else []
        named = [0]
        return [self._element(x, places, named) for x in comparison.found]

    def _element(self, x: Found, places: Sequence[str], named: list[int]) -> Element:
        leaf, verdict = self.subject.leaves[x.k], WORDS[x.state]
        numbers = x.claimed, x.measured, x.bound
        if x.i < 0:
            reason = "" if verdict == "wrong" else self.subject.undefined or "f is too noisy along this direction"
            return Element(leaf.name, (), " along a random direction", *numbers, verdict, reason)
        index = tuple(int(n) for n in np.unravel_index(x.i, leaf.values.shape))
        kink = x.state in (KINK, OUTSIDE)
        reason = "" if x.how == "differences" else x.how
        if kink:
            named[0] += 1
            where = (self.settler.kink(x.k, x.i) if named[0] <= NAMED else "") or "kink"
            low, high = sorted((x.left, x.right))
            outside = "outside of" if x.state == OUTSIDE else "beside" if not low <= x.claimed <= high else "between"
            reason = f"{where}: {x.claimed:.6g} is {outside} the slopes {low:.6g} and {high:.6g}"
        elif x.state == UNDECIDED:
            reason = self.settler.why(x)
        return Element(leaf.name, index, places[x.j], *numbers, verdict, reason, kink)

    def _summary(self, k: int, comparison: Comparison, elements: Sequence[Element]) -> InputSummary:
        leaf, tally = self.subject.leaves[k], comparison.tallies[k]
        mine = [e for e in elements if e.input == leaf.name]
        loose = [e for e in mine if e.verdict == "wrong"]
        error = math.sqrt(tally.error + sum(e.error**2 for e in loose))
        norm = math.sqrt(tally.norm + sum(max(abs(e.analytic), abs(e.numeric)) ** 2 for e in loose))
        return InputSummary(
            leaf.name, leaf.values.shape, tally.checked,
            sum(e.verdict == "wrong" for e in mine), sum(e.verdict == "undecided" for e in mine),
            sum(e.kink for e in mine), float(error / norm) if norm and np.isfinite(error) else float(error),
        )  # fmt: skip
