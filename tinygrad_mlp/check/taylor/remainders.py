"""``taylor_test``: how fast the remainder of the Taylor expansion shrinks with the step, which tells a right gradient.

Without a gradient the remainder |f(x + hv) − f(x)| shrinks with the step h, rate 1; with the right one
|f(x + hv) − f(x) − h⟨g, v⟩| shrinks with h², rate 2; with the Hessian as well with h³, rate 3. A wrong gradient leaves
rate 1. Source: P. Farrell, D. Ham, S. Funke, M. Rognes, *Automated derivation of the adjoint of high-level transient
finite element programs*, SIAM Journal on Scientific Computing 35 (2013), section 5.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from tinygrad_mlp.backward import cotangents
from tinygrad_mlp.check.derived import projected
from tinygrad_mlp.check.differences import Floats
from tinygrad_mlp.check.foreign import Foreign, as_numpy, autograd_of, subject_of
from tinygrad_mlp.check.hand import ByHand, pulled
from tinygrad_mlp.check.reporting import Verdict, number
from tinygrad_mlp.check.subject import Subject
from tinygrad_mlp.errors import GradientError, ShapeError, UnsupportedError
from tinygrad_mlp.graph import GRADIENTS, NODES, recording
from tinygrad_mlp.nest import Nest
from tinygrad_mlp.ops import multiply, sum

from .report import CLEAR, Row, TaylorReport, resolution

LARGEST, COARSE, SMALLEST, BEYOND = 0.25, 2.0**-20, 2.0**-50, 1e12  # steps, in the scale of the inputs
RIGHT, WRONG = 0.1, 0.1  # how far below 2, and above 1, a rate may be, but for rounding
SETTLED = 8  # so many rates of 1 in a row will not change
BLIND = 1e-2  # an error of the slope, as a share of it, that a test must show
NEGLIGIBLE = 1e-7  # errors of the slope, as a share of it
LAST = 3  # rates that decide: those of the shortest steps
EPS32 = float(np.finfo(np.float32).eps)


def taylor_test(
    f: Callable[..., Any],
    *inputs: Any,
    gradient: Any = None,
    hessian: bool = False,
    direction: Any = None,
    rng: int | np.random.Generator = 0,
) -> TaylorReport:
    """Return the rates at which the remainders of the Taylor expansion of ``f`` shrink with the step.

    The step is halved from a quarter of the inputs' scale down to where rounding takes over; rates come from remainders
    well above it, of the shortest such steps. The report says ``right`` for rates of 2 (of 1.9 at least) and where the
    remainder is 0, as for a linear function; ``wrong`` for rates of 1; and ``undecided``, with the reason, for anything
    else, such as a kink.

    Args:
        f: A function of this library, PyTorch, JAX or plain NumPy. It takes the inputs, or nothing if it reads modules
            among them itself. Where it returns several numbers, their sum with random weights is tested.
        inputs: Numbers and arrays of floats, leaves, modules, and nests of them.
        gradient: The gradient to test: a function of the inputs, or what it would return, as in ``check_formula``; by
            default the one that the engine, or the library of ``f``, gives.
        hessian: Test the engine's Hessian as well, by its product with the direction: rate 3.
        direction: In which to go: for one input an array or a nest of its shape, for several a tuple; by default
            random, in the scale of each input.
        rng: The seed or generator for the direction and the weights.

    Raises:
        GradientError: No input can be varied, ``f`` gives different values for the same input, or there is no gradient.
        ShapeError: The direction or the gradient does not fit the inputs.
        UnsupportedError: The Hessian of a function that is not made of this library's operations.

    >>> import tinygrad_mlp as tg
    >>> x = np.array([1.0, 2.0])
    >>> report = taylor_test(lambda x: tg.sum(tg.exp(x)), x)
    >>> report.verdict, round(report.rate, 2)
    ('right', 2.0)
    >>> round(taylor_test(lambda x: tg.sum(tg.exp(x)), x, gradient=lambda x: x).rate, 2)
    1.0
    """
    with np.errstate(all="ignore"):
        return _test(f, inputs, gradient, hessian, direction, np.random.default_rng(rng))


def _test(
    f: Callable[..., Any], inputs: Sequence[Any], gradient: Any, hessian: bool, direction: Any, rng: np.random.Generator
) -> TaylorReport:
    subject = subject_of("taylor_test", f, inputs)
    u = _signed(rng, (len(subject.base),)) if len(subject.base) != 1 else np.ones(1)
    v = _random(subject, rng) if direction is None else _given(subject, direction, len(inputs))
    g, notes = _by_hand(subject, gradient, u) if gradient is not None else (_derived(subject, u), [])
    for k, part in enumerate(g):
        if part is None:
            v[k] = np.zeros_like(v[k])
    if len(u) > 1:
        notes.append(f"{len(u):,} outputs: their sum with random weights was tested")
    curvature = _curvature(subject, u, v) if hessian else None
    with subject.varying():
        line = _Line(subject, u, v, [np.zeros_like(d) if part is None else part for d, part in zip(v, g, strict=True)])
        return line.report(getattr(f, "__name__", type(f).__name__), curvature, notes)


# ------------------------------------------------------------------------------------------- direction and derivatives


def _signed(rng: np.random.Generator, shape: tuple[int, ...]) -> Floats:
    """Return numbers between a half and 1 with random signs: none is so small that it hides an error."""
    return np.asarray(rng.uniform(0.5, 1.0, shape) * rng.choice([-1.0, 1.0], shape))


def _total(parts: Iterable[Floats]) -> float:
    return float(np.sum([np.sum(part) for part in parts]))


def _scale(x: Floats) -> float:
    """Return the size of the elements of an input; 1 for zeros."""
    size = float(np.sqrt(np.mean(x * x))) if x.size else 0.0
    return size if size and math.isfinite(size) else 1.0


def _random(subject: Subject | Foreign, rng: np.random.Generator) -> list[Floats]:
    return [_scale(leaf.values) * _signed(rng, leaf.values.shape) for leaf in subject.leaves]


def _given(subject: Subject | Foreign, direction: Any, count: int) -> list[Floats]:
    """Return the direction that was given, one array for each leaf."""
    parts = Nest(direction).leaves
    leaves = subject.leaves
    if len(parts) != len(leaves):
        wanted = "a tuple with one for each input" if count > 1 else "what is structured like the input"
        raise ShapeError(
            f"taylor_test: {len(parts)} directions for {len(leaves)} inputs: pass {wanted}, of arrays and floats"
        )
    found = []
    for part, leaf in zip(parts, leaves, strict=True):
        d = np.asarray(as_numpy(part), np.float64)
        if d.shape != leaf.values.shape:
            raise ShapeError(
                f"taylor_test: a direction of shape {d.shape} for {leaf.name} of shape {leaf.values.shape}"
            )
        found.append(d)
    if not any(np.any(d) for d in found):
        raise GradientError("taylor_test: the direction is zero")
    return found


def _derived(subject: Subject | Foreign, u: Floats) -> list[Any]:
    """Return the gradient of the weighted sum of the outputs that automatic differentiation gives."""
    if isinstance(subject, Foreign):
        jacobians = autograd_of(subject)
        if jacobians is None:
            raise GradientError("taylor_test: f records no graph, so there is no gradient to test: pass gradient=")
        return [(u @ J).reshape(leaf.values.shape) for J, leaf in zip(jacobians, subject.leaves, strict=True)]
    return list(projected(subject.record(), _split(subject, u), subject))


def _split(subject: Subject | Foreign, u: Floats) -> list[Floats]:
    """Return the weights of each output, in its shape."""
    ends = np.cumsum([math.prod(shape) for shape in subject.shapes])[:-1]
    return [part.reshape(shape) for part, shape in zip(np.split(u, ends), subject.shapes, strict=True)]


def _by_hand(subject: Subject | Foreign, gradient: Any, u: Floats) -> tuple[list[Any], list[str]]:
    """Return the gradient that was given, None for an input of which there is none, and what to say about it."""
    shape = subject.shapes[0] if len(subject.shapes) == 1 else (len(u),)
    hand = ByHand(gradient if callable(gradient) else lambda *_: gradient, subject, shape)
    with subject.varying():
        claims = hand.at([leaf.values for leaf in subject.leaves])
    problems = [*hand.problems, *(claim.problem for claim in claims if claim.problem)]
    if problems:
        raise ShapeError(f"taylor_test: {problems[0]}")
    found: list[Any] = [None] * len(subject.leaves)
    for claim in claims:
        leaf = subject.leaves[claim.k]
        found[claim.k] = pulled(u.reshape(shape), claim.given, claim.reading, leaf.size).reshape(leaf.values.shape)
    subject.coarse |= hand.coarse
    absent = [leaf.name for leaf, part in zip(subject.leaves, found, strict=True) if part is None]
    if len(absent) == len(found):
        raise GradientError("taylor_test: gradient= gives no gradient of any input")
    return found, [f"not varied, since no gradient was given: {', '.join(absent)}"] if absent else []


def _curvature(subject: Subject | Foreign, u: Floats, v: Sequence[Floats]) -> float:
    """Return ⟨v, Hv⟩ for the Hessian that the engine gives: the slope of the slope along ``v``."""
    if isinstance(subject, Foreign):
        raise UnsupportedError("taylor_test: hessian=True is for functions made of this library's operations")
    nodes = [leaf.node for leaf in subject.leaves]
    towards = [float(d) if type(x._payload) is float else d.astype(x.dtype) for d, x in zip(v, nodes, strict=True)]
    slope: Any = 0.0
    with recording(GRADIENTS):
        for y, seed in zip(subject.record(), _split(subject, u), strict=True):
            if type(y) in NODES and y.requires_grad:
                weight = seed.astype(y.dtype) if seed.shape else float(seed)
                found = cotangents(y, weight, to=nodes, create_graph=True)
                for x, d in zip(nodes, towards, strict=True):
                    if x in found:
                        slope = slope + sum(multiply(found[x], d))
        if type(slope) not in NODES or not slope.requires_grad:
            return 0.0
        second = cotangents(slope, to=nodes)
    return _total(as_numpy(second[x]) * d for x, d in zip(nodes, v, strict=True) if x in second)


# -------------------------------------------------------------------------------------------------------------- along v


class _Tail(NamedTuple):
    """The rates that decide, the highest of all, and whether the remainder vanishes, not shrinks, below rounding."""

    rates: list[float]
    highest: float
    is_exact: bool


class _Line:
    """The function along the direction, a number for each step.

    Steps are taken as they come out after rounding, so that the rounding of ``x + hv`` makes no remainder.
    """

    def __init__(self, subject: Subject | Foreign, u: Floats, v: Sequence[Floats], g: Sequence[Floats]) -> None:
        self.subject, self.u, self.v, self.g = subject, u, v, g
        self.x = [leaf.values for leaf in subject.leaves]
        self.reach = min(
            (_scale(x) / float(np.max(np.abs(d))) for x, d in zip(self.x, v, strict=True) if np.any(d)), default=1.0
        )
        self.slope = _total(part * d for part, d in zip(g, v, strict=True))
        self.weight = _total(np.abs(part * d) for part, d in zip(g, v, strict=True))
        self.base, size, _ = self.at(0.0)
        terms = _total(np.abs(part * x) for part, x in zip(g, self.x, strict=True))
        self.size = size + (terms if math.isfinite(terms) else 0.0)  # what f adds up is at least that large
        self.noise = self._noise() if math.isfinite(self.base) else 0.0

    def at(self, h: float) -> tuple[float, float, float]:
        """Return the weighted sum of the outputs, the size of its terms, and ⟨g, step⟩."""
        moved = [x + h * d for x, d in zip(self.x, self.v, strict=True)]
        terms = self.u * self.subject.at(moved)
        step = _total(part * (z - x) for part, z, x in zip(self.g, moved, self.x, strict=True))
        return float(np.sum(terms)), float(np.sum(np.abs(terms))), step

    def _noise(self) -> float:
        """Return how much the function jitters between points a few roundings apart: where it cancels, more than eps.

        Source: second differences, as in J. Moré, S. Wild, *Estimating computational noise*, SIAM Journal on Scientific
        Computing 33 (2011).
        """
        tiny, jitter = 16 * self.subject.eps, np.zeros(0)
        while tiny < COARSE:
            points = [self.at(j * tiny * self.reach) for j in range(1, 9)]
            values = np.array([value for value, _, _ in points])
            if np.any(values != values[0]):
                steps = np.array([step for _, _, step in points])
                jitter = np.abs(np.diff(values - steps if math.isfinite(self.slope) else values, 2))
                break
            tiny *= 32  # so coarsely rounded that it does not change at all
        return float(np.max(jitter[np.isfinite(jitter)], initial=0.0))

    def row(self, h: float, curvature: float | None) -> Row | None:
        """Return the remainders for one step; None where the function is not finite."""
        value, size, step = self.at(h)
        change = value - self.base
        if not math.isfinite(change):
            return None
        floor = 2 * self.noise + self.subject.eps * (self.size + size)
        floor1 = floor + (4 * EPS32 * h * self.weight if self.subject.coarse else 0.0)
        second = None if curvature is None else abs(change - step - h * h / 2 * curvature)
        eps = EPS32 if self.subject.coarse else self.subject.eps
        floor2 = floor1 + 4 * eps * h * max(h, 1.0) * abs(curvature or 0.0)
        return Row(h, abs(change), abs(change - step), second, floor, floor1, floor2)

    def rows(self, curvature: float | None) -> list[Row]:
        """Return the remainders for steps that are halved until rounding takes over, or nothing new comes."""
        first = LARGEST * self.reach
        while (row := self.row(first, curvature)) is not None and row.remainder0 <= CLEAR * row.floor0:
            if first > BEYOND * self.reach:
                first = LARGEST * self.reach  # a constant, as far as one can see
                break
            first *= 16
        found: list[Row] = []
        h = first
        while h > SMALLEST * min(first, self.reach):
            row = self.row(h, curvature)
            if row is not None:
                found.append(row)
            h /= 2
            if len(found) > LAST and all(r.remainder1 <= CLEAR / 2 * r.floor1 for r in found[-LAST:]):
                break
            if len(found) > SETTLED and all(_is_halved(a, b) for a, b in pairwise(found[-SETTLED - 1 :])):
                break
        return found

    # -------------------------------------------------------------------------------------------------------- verdicts

    def report(self, name: str, curvature: float | None, notes: Sequence[str]) -> TaylorReport:
        """Return what came out."""
        rows = self.rows(curvature) if math.isfinite(self.base) else []
        known = rows if math.isfinite(self.slope) else []
        first = tail([(r.h, r.remainder1, r.floor1) for r in known])
        second = None
        verdict, reason = self._verdict(rows, first)
        if verdict == "right" and (coarse := self._blindness(rows)):
            verdict, reason = "undecided", coarse
        if curvature is not None:
            second = tail([(r.h, r.remainder2 or 0.0, r.floor2) for r in known])
            if verdict == "right":
                verdict, reason = _of_hessian(second, curvature, reason)
        return TaylorReport(
            name,
            verdict,
            reason,
            _rate(first),
            None if second is None else _rate(second),
            self.slope,
            self._measured(rows),
            tuple(rows),
            tuple(notes),
        )

    def _blindness(self, rows: Sequence[Row]) -> str:
        """Return how large an error must be to show, if it may be large and not show.

        Empty for a slope of 0, and where f does not change: then the slope is what rounding left of 0.
        """
        share = resolution(rows, max(abs(self.slope), abs(self._measured(rows))))
        if not share > BLIND or not any(row.remainder0 > CLEAR * row.floor0 for row in rows):
            return ""
        size = f"{share:.2g} times" if share >= 1 else f"{share:.0%} of"
        return f"scale: beside f = {self.base:.3g} only an error above {size} the slope would show"

    def _verdict(self, rows: Sequence[Row], first: _Tail) -> tuple[Verdict, str]:
        if not math.isfinite(self.base):
            return "undecided", f"f is {self.base} at the inputs"
        if math.isnan(self.slope):
            return ("wrong" if rows else "undecided"), "the gradient is nan"
        if math.isinf(self.slope):
            return "undecided", "the gradient is infinite"
        if len(rows) <= LAST:
            return "undecided", "f is finite at the inputs, but hardly anywhere along the direction"
        if (kink := self._kink(rows)) is not None:
            return kink
        hidden = all(r.remainder0 <= CLEAR * r.floor0 and r.remainder1 <= CLEAR * r.floor1 for r in rows)
        if all(r.remainder0 == 0 for r in rows) and (hidden or self.slope == 0):
            return "right", "f is constant along the direction, and the slope is 0"
        if hidden:
            return "undecided", "f changes by less than its rounding along the direction"
        if first.is_exact:
            return "right", "the remainder is 0 but for rounding: f is linear along the direction"
        if len(first.rates) < 2:
            return "undecided", self._blindness(rows) or "too few steps stand out from rounding"
        low, high = min(first.rates[-2:]), max(first.rates[-2:])
        fine = low >= 2 - 2 * RIGHT or resolution(rows, abs(self.slope)) < NEGLIGIBLE
        if _rate(first) >= 2 - RIGHT and fine:
            return "right", ""
        if high <= 1 + WRONG and low >= 1 - 2 * WRONG:
            return "wrong", ""
        if high < 0.5:
            return "undecided", "f jumps here"
        if high <= 1.5 and low <= 1.3 and first.highest >= 2 - RIGHT:
            off = abs(self.slope - self._measured(rows)) / max(abs(self.slope), abs(self._measured(rows)))
            return "wrong", f"the rate falls as the step shrinks: the gradient is off by little, {off:.1g} of the slope"
        return "undecided", "rates between 1 and 2: the gradient is off by little, or f has no second derivative here"

    def _kink(self, rows: Sequence[Row]) -> tuple[Verdict, str] | None:
        """Return the verdict where the slopes on both sides differ however short the step; None where they do not."""
        near = next((r.h for r in rows[::-4] if self._change(r) > 8 * CLEAR * r.floor0), 0.0)
        if not near:
            return None
        low, high = sorted(self._sides(near))
        jump, nearer = (abs(np.subtract(*self._sides(h))) for h in (near, near / 16))
        if not (jump > 0.02 * max(abs(low), abs(high)) and nearer > 0.6 * jump and math.isfinite(nearer)):
            return None  # the slopes draw nearer to each other, or differ only past a kink further off
        if nearer > 3 * jump:
            return "undecided", "f jumps here"
        between = low - 0.05 * jump <= self.slope <= high + 0.05 * jump
        text = f"f has a kink here: its slopes on both sides are {number(low)} and {number(high)}"
        said = "lies between" if between else "does not lie between"
        return "undecided" if between else "wrong", f"{text}, and the gradient's {number(self.slope)} {said}"

    def _change(self, row: Row) -> float:
        """Return by how much f changes on one side or the other."""
        behind = abs(self.at(-row.h)[0] - self.base)
        return max(row.remainder0, behind) if math.isfinite(behind) else row.remainder0

    def _sides(self, h: float) -> tuple[float, float]:
        """Return the slopes on both sides."""
        return (self.at(h)[0] - self.base) / h, (self.base - self.at(-h)[0]) / h

    def _measured(self, rows: Sequence[Row]) -> float:
        """Return a central difference, at a step where neither rounding nor curvature is large."""
        if not rows:
            return math.nan
        target = np.cbrt(max(self.noise, self.subject.eps)) * rows[0].h
        h = min((r.h for r in rows), key=lambda h: abs(math.log(h / target)))
        return float(np.mean(self._sides(h)))


def _is_halved(long: Row, short: Row) -> bool:
    """Return whether both remainders shrink with the step, so that the gradient plays no part in either."""
    pairs = (long.remainder0, short.remainder0), (long.remainder1, short.remainder1)
    return all(abs(a / 2 - b) < 0.01 * b for a, b in pairs)


def tail(remainders: Sequence[tuple[float, float, float]]) -> _Tail:
    """Return the rates of the shortest steps whose remainders stand out from rounding.

    Args:
        remainders: for each step, from the longest on: the step, the remainder, and what rounding makes of it.
    """
    rates: list[float] = []
    vanished = bool(remainders) and not any(r > CLEAR * floor for _, r, floor in remainders)
    for (long, before, above), (short, after, below) in pairwise(remainders):
        if before > 20 * CLEAR * above and after <= below:
            rates, vanished = [], True  # a drop like no power's: past a kink f is linear
        elif after > CLEAR * below and before > 0:
            rates.append(math.log(before / after) / math.log(long / short))
            vanished = False
    return _Tail(rates[-LAST:], max(rates, default=math.nan), vanished)


def _rate(found: _Tail) -> float:
    """Return the rate to report: inf where the remainder vanishes, nan where there is none."""
    if found.is_exact:
        return math.inf
    return float(np.median(found.rates)) if found.rates else math.nan


def _of_hessian(found: _Tail, curvature: float, reason: str) -> tuple[Verdict, str]:
    """Return the verdict with the Hessian, where the gradient is right."""
    if not math.isfinite(curvature):
        return "wrong", f"the gradient is right, but ⟨v, Hv⟩ is {curvature}"
    if found.is_exact:
        return "right", reason
    if len(found.rates) < 2:
        return "undecided", "the gradient is right; for the Hessian too few steps stand out from rounding"
    if _rate(found) >= 2.6:  # the third derivative along a line often nearly vanishes, and other terms show
        return "right", reason
    if max(found.rates[-2:]) <= 2 + WRONG:
        return "wrong", "the gradient is right, the Hessian is wrong: with it the rate is still 2"
    return "undecided", "the gradient is right; with the Hessian the rates lie between 2 and 3"
