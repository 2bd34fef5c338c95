"""``check_formula``: a gradient derived by hand, set against autograd and against numbers."""

import math
import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tinygrad_mlp.errors import GradcheckError, TinygradError, UnsupportedError

from .autograd import Autograd, of_a_library, of_the_engine
from .compare import COARSE_RTOL, KINK, OUTSIDE, RIGHT, RTOL, UNDECIDED, WRONG, Comparison, compare, look_closer
from .differences import Bools, Floats
from .foreign import Foreign, autograd_of, subject_of, weighted_sum
from .formula_report import FormulaElement, FormulaReport, Slip, unexplained
from .gradients import WORDS
from .hand import ByHand, Claim, matrix, pulled
from .operand import signed
from .reporting import Verdict, count
from .slips import guess
from .subject import Subject

EVALUATIONS = 60_000  # of the function, which is how many may measure all elements
CELLS = 2 * 10**6  # of a Jacobian; where there are more, the outputs are summed with random weights
KEPT = 1000  # elements in a report
MEASURED = 30  # elements that are measured one by one where there are too many for all
PARAMETER = re.compile(r"^input \d+\['(.+)'\]$")
NOISE = 1e-8  # of the largest derivative: more than this is not taken for rounding


def check_formula(
    f: Callable[..., Any],
    by_hand: Callable[..., Any],
    *inputs: Any,
    rtol: float | None = None,
    rng: int | np.random.Generator = 0,
    raise_exception: bool = True,
) -> FormulaReport:
    """Return which of three parties disagrees on a gradient: the formula by hand, autograd, or numbers.

    If it is the formula, the report also guesses the slip: it looks for the slip in the chain rule that would give
    exactly the formula's numbers, here and at other inputs.

    Args:
        f: A function of this library, PyTorch, JAX or plain NumPy: of anything that gives numbers. It takes the inputs,
            or nothing if it reads modules among them itself. What records no graph has no autograd, and is measured.
        by_hand: Its derivatives. It takes the inputs as plain floats and NumPy arrays, a module as the dict of its
            parameters by name, and returns an array for one input; for several a tuple, or a dict by the names of
            ``f``'s parameters, with None for what was not derived; in place of a list or a dict one of the same
            structure. Where ``f`` returns one number an array is the gradient, of the input's shape. Where it returns
            more, an array may be the Jacobian, of the output's shape followed by the input's; the slope of each
            element, of the shape of input and output, if ``f`` works element by element; or the Jacobian of each
            sample, (N, …output, …input), if ``f`` works sample by sample along the first axis. Its shape decides.
        inputs: Numbers and arrays, also of PyTorch and JAX, leaves, modules, and nests of them.
        rtol: The relative difference that is allowed; by default 1e-7, in single precision 1e-3.
        rng: The seed or generator for the other inputs.
        raise_exception: Raise if the formula or autograd is wrong, instead of only reporting it.

    Raises:
        GradcheckError: The formula or autograd is wrong, and the message is the report; or the formula raised an error.
        GradientError: No input is a float or an array of floats, or ``f`` gives different values for the same input.
        DTypeError: ``f`` does not give real numbers.
        UnsupportedError: ``by_hand`` is no function.

    >>> import tinygrad_mlp as tg
    >>> report = check_formula(lambda x: tg.sum(x**2), lambda x: x, np.array([1.0, 3.0, 4.0]), raise_exception=False)
    >>> print(report.slips[0])
    in x: a factor 2 is missing
    """
    if not callable(by_hand):
        raise UnsupportedError(
            f"check_formula: by_hand is a {type(by_hand).__name__}: give the function that computes the derivatives"
        )
    report = _Check(f, by_hand, inputs, rtol, np.random.default_rng(rng)).report()
    if raise_exception and report.verdict == "wrong":
        raise GradcheckError(str(report))
    return report


class _Check:
    """One run of the check."""

    def __init__(
        self,
        f: Callable[..., Any],
        by_hand: Callable[..., Any],
        inputs: Sequence[Any],
        rtol: float | None,
        rng: np.random.Generator,
    ) -> None:
        self.f, self.inputs, self.rtol, self.rng = f, inputs, rtol, rng
        self.subject = self._subject(f)
        shapes = self.subject.shapes
        outer = shapes[0] if len(shapes) == 1 else (len(self.subject.base),)
        self.weights: Floats | None = None
        self.notes: list[str] = []
        if math.prod(outer) * sum(leaf.size for leaf in self.subject.leaves) > CELLS and len(shapes) == 1:
            self.weights = signed(rng, outer)
            self.f = weighted_sum(f, self.weights)
            self.subject = self._subject(self.f)
            self.notes.append(f"the {math.prod(outer):,} outputs were summed with random weights: the sum was checked")
        self.hand = ByHand(by_hand, self.subject, outer)
        self.compared: Comparison | None = None

    def _subject(self, f: Callable[..., Any]) -> Subject | Foreign:
        """Return what is checked; the parameters of a module that is no argument of ``f`` by their own names."""
        subject = subject_of("check_formula", f, self.inputs)
        names = [PARAMETER.sub(r"\1", leaf.name) for leaf in subject.leaves]
        if len(set(names)) == len(names):
            subject.leaves = [leaf._replace(name=name) for leaf, name in zip(subject.leaves, names, strict=True)]
        return subject

    def report(self) -> FormulaReport:
        """Return what came out."""
        subject = self.subject
        with subject.varying():
            autograd = self._autograd()
        if len(strange := subject.base[~np.isfinite(subject.base)]):
            self.notes.append(f"f is {strange[0]} at these inputs, and has no derivative there")
        with subject.varying():
            claims = self.hand.at([leaf.values for leaf in subject.leaves])
            problems = list(dict.fromkeys([*self.hand.problems, *(c.problem for c in claims if c.problem)]))
            H = {c.k: self.matrix(c) for c in claims if c.reading}
            elements, total, wrong, undecided = self._judged(H, autograd)
            slips = self._slips(claims, autograd, bool(problems or wrong))
            self.notes += unexplained(elements, slips, not isinstance(subject, Foreign))
        hand: Verdict = "wrong" if problems or wrong or slips else "undecided" if undecided or not total else "right"
        trusted = None if autograd is None else autograd.verdict
        verdict: Verdict = "wrong" if "wrong" in (hand, trusted) else "undecided" if hand == "undecided" else "right"
        return FormulaReport(
            subject.name, self.hand.name, verdict, hand, trusted, total, tuple(elements), wrong, undecided,
            tuple(slips), tuple(problems), () if autograd is None else autograd.culprits,
            {subject.leaves[c.k].name: c.reading for c in claims if c.reading},
            (*self.notes, *(() if autograd is None else autograd.notes)), self._coverage(autograd, total, claims),
        )  # fmt: skip

    @property
    def _rtol(self) -> float:
        """How far the formula may be off, relatively."""
        coarse = self.subject.coarse or self.hand.coarse
        return (COARSE_RTOL if coarse else RTOL) if self.rtol is None else self.rtol

    def matrix(self, claim: Claim) -> Floats:
        """Return the Jacobian (m, n) of a claim; its weighted sum over the outputs where these are weighted."""
        n = self.subject.leaves[claim.k].size
        if self.weights is not None:
            return pulled(self.weights, claim.given, claim.reading, n)[None]
        return matrix(claim.given, claim.reading, len(self.subject.base), n)

    # -------------------------------------------------------------------------------------------------------- autograd

    def _autograd(self) -> Autograd | None:
        """Return how autograd fares against numbers; None where there is none."""
        try:
            claims = autograd_of(self.subject)
        except TinygradError as error:
            self.notes.append(f"no autograd: {error}")
            return None
        if claims is None:
            return None
        if isinstance(self.subject, Foreign):
            return of_a_library(self.subject, claims, self._columns(range(len(claims))), self.rtol)
        return of_the_engine(self.f, self.inputs, self.subject, claims, {"rtol": self.rtol, "rng": self.rng})

    def _columns(self, wanted: Any) -> list[Any]:
        """Return which elements of each input are measured: all, or a sample of those that are too many."""
        sizes = [leaf.size if k in wanted else 0 for k, leaf in enumerate(self.subject.leaves)]
        share = min(1.0, EVALUATIONS / 4 / max(1, sum(sizes)))
        if share < 1:
            self.notes.append(f"{100 * share:.0f} % of the elements were measured, drawn at random")
        return [np.sort(self.rng.choice(n, math.ceil(share * n), replace=False)) for n in sizes]

    # ---------------------------------------------------------------------------------------------------- the verdicts

    def _judged(self, H: dict[int, Floats], autograd: Autograd | None) -> tuple[list[FormulaElement], int, int, int]:
        """Return the elements that are not plainly right, and how many there are, are wrong, and are undecided."""
        total = sum(h.size for h in H.values())
        if not H:
            return [], 0, 0, 0
        slack = self._slack(H, autograd)
        apart = {} if autograd is None else {k: self._apart(h, autograd.claims[k], slack[k]) for k, h in H.items()}
        if autograd is None or autograd.verdict != "right":
            self.compared = self._compare(H, self._columns(H))
        else:
            at = [sorted({i for q, i in autograd.kinks if q == k and k in H}) for k in range(len(self.subject.leaves))]
            self.compared = self._compare(H, at)
        found = {(x.k, x.i, x.j): x for x in self.compared.found}
        keys = {key for key, x in found.items() if x.state != RIGHT}
        for k, marks in apart.items():
            keys |= {(k, int(i), int(j)) for j, i in np.argwhere(marks)}
        said: dict[tuple[int, int, int], Verdict] = {}
        for k, i, j in keys:
            differs = bool(apart[k][j, i]) if apart else None
            said[k, i, j] = self._verdict(found.get((k, i, j)), differs, autograd, (k, i, j), float(slack[k][j, i]))
        open_ = [key for key, verdict in said.items() if verdict != "right" or key[:2] in self._kinks(autograd)]
        wrong = sum(verdict == "wrong" for verdict in said.values())
        undecided = sum(verdict == "undecided" for verdict in said.values())
        return self._elements(open_, said, H, autograd), total, wrong, undecided

    def _compare(self, H: dict[int, Floats], columns: Sequence[Any]) -> Comparison:
        subject: Any = self.subject
        claims = [H[k] if k in H else np.zeros((len(subject.base), x.size)) for k, x in enumerate(subject.leaves)]
        result = compare(subject, claims, columns, self._rtol)
        while result.pending and not any(x.state in (WRONG, OUTSIDE) for x in result.found):
            look_closer(subject, claims, result, self._rtol)
        return result

    def _apart(self, h: Floats, a: Floats, slack: Floats) -> Bools:
        """Return where the formula and autograd differ by more than rounding."""
        with np.errstate(all="ignore"):
            close = np.abs(h - a) <= self._rtol * np.fmax(np.abs(h), np.abs(a)) + slack
            return np.asarray(~(close | (h == a)))

    def _slack(self, H: dict[int, Floats], autograd: Autograd | None) -> dict[int, Floats]:
        """Return how far rounding may move each derivative: as far as a rounding of the inputs moves it."""
        moved = {k: np.zeros(h.shape) for k, h in H.items()}
        for _ in range(3):
            values = [x.values * (1 + 1e-15 * self.rng.uniform(-1, 1, x.values.shape)) for x in self.subject.leaves]
            try:
                beside = {c.k: self.matrix(c) for c in self.hand.at(values) if c.reading}
                theirs = None if autograd is None else autograd_of(self.subject)
            except TinygradError:
                break
            for k, h in H.items():
                if k in beside and beside[k].shape == h.shape:
                    moved[k] = np.fmax(moved[k], 10 * np.abs(beside[k] - h))
                if theirs is not None and autograd is not None:
                    moved[k] = np.fmax(moved[k], 10 * np.abs(theirs[k] - autograd.claims[k]))
        sizes = {k: np.abs(H[k] if autograd is None else autograd.claims[k]) for k in H}
        tops = {k: float(np.max(x, initial=0.0, where=np.isfinite(x))) for k, x in sizes.items()}
        rounding = {k: np.nan_to_num(moved[k] + 4e-15 * tops[k]) for k in H}
        return {k: np.minimum(rounding[k], NOISE * tops[k]) + self._lost(k) for k in H}

    def _lost(self, k: int) -> Floats:
        """Return below what a derivative is lost in the output's rounding."""
        size = float(np.max(np.abs(self.subject.leaves[k].values), initial=0.0)) or 1.0
        base = np.nan_to_num(np.abs(self.subject.base), posinf=0.0)
        return np.asarray(4 * self.subject.eps * base[:, None] / size)

    def _verdict(
        self, x: Any, apart: bool | None, autograd: Autograd | None, key: tuple[int, int, int], slack: float
    ) -> Verdict:
        """Return the verdict on one derivative by hand, given what was found of it and whether autograd differs."""
        theirs: Verdict = "undecided"
        if autograd is not None:
            theirs = autograd.states[key][0] if key in autograd.states else autograd.verdict
            theirs = "right" if theirs == "wrong" and key not in autograd.states else theirs
            if not apart:
                return theirs
        if x is not None and x.state == UNDECIDED and abs(x.claimed - x.measured) <= x.bound + slack >= abs(x.claimed):
            return "right"
        if theirs == "right" and (x is None or x.state != KINK):
            return "wrong"
        return "wrong" if x is None else WORDS[x.state]

    def _kinks(self, autograd: Autograd | None) -> set[tuple[int, int]]:
        kinks = set() if autograd is None else autograd.kinks
        found = [] if self.compared is None else self.compared.found
        return kinks | {(x.k, x.i) for x in found if x.state in (KINK, OUTSIDE)}

    def _elements(
        self,
        keys: list[tuple[int, int, int]],
        said: dict[tuple[int, int, int], Verdict],
        H: dict[int, Floats],
        autograd: Autograd | None,
    ) -> list[FormulaElement]:
        """Return the derivatives as they are shown, the worst first; those are measured, if they were not yet."""
        if autograd is not None:
            keys = sorted(keys, key=lambda q: (said[q] != "wrong", -_off(H[q[0]], autograd.claims[q[0]], q), q))
        keys = keys[:KEPT]
        known = {} if autograd is None else {q: (v, b) for q, (_, v, b) in autograd.states.items()}
        missing = [q for q in keys if q not in known][:MEASURED]
        columns = [sorted({i for p, i, _ in missing if p == k}) for k in range(len(self.subject.leaves))]
        new = self._compare(H, columns).found if missing and autograd is not None else []
        known |= {
            (x.k, x.i, x.j): (x.measured, x.bound) for x in [*new, *(self.compared.found if self.compared else [])]
        }
        places, kinks = self.subject.places(), self._kinks(autograd)
        elements = []
        for k, i, j in keys:
            leaf = self.subject.leaves[k]
            index = tuple(int(n) for n in np.unravel_index(i, leaf.values.shape))
            theirs = None if autograd is None else float(autograd.claims[k][j, i])
            value, bound = known.get((k, i, j), (math.nan, math.inf))
            elements.append(
                FormulaElement(leaf.name, index, places[j], float(H[k][j, i]), theirs, value, bound, said[k, i, j],
                               (k, i) in kinks)
            )  # fmt: skip
        return elements

    # ------------------------------------------------------------------------------------------------------- the slips

    def _slips(self, claims: list[Claim], autograd: Autograd | None, wrong: bool) -> list[Slip]:
        """Return what the slips were; also where the formula is right here, and wrong at other inputs."""
        if not claims:
            return []
        trusted = autograd is not None and autograd.verdict != "wrong"
        with np.errstate(all="ignore"):
            slips, notes = guess(self.hand, self.subject, claims, self.weights, trusted, wrong, self._rtol, self.rng)
        self.notes += notes
        return slips

    def _coverage(self, autograd: Autograd | None, total: int, claims: Sequence[Claim]) -> str:
        given = {c.k for c in claims}
        absent = [leaf.name for k, leaf in enumerate(self.subject.leaves) if k not in given]
        without = f"; not derived: {', '.join(absent)}" if absent else ""
        text = f"{count(total, 'derivative')} compared{without}"
        if not isinstance(self.subject, Foreign):
            return text if autograd is not None else f"{text}; no autograd"
        library, single = self.subject.library, " in single precision" if self.subject.coarse else ""
        if autograd is None:
            refused = f" ({self.subject.refused.splitlines()[0]})" if self.subject.refused else ""
            what = "plain NumPy" if library == "NumPy" else f"a function that {library} does not differentiate"
            return f"{text}; no autograd: f is {what}{single}{refused}"
        return f"{text}; autograd is {library}'s{single}"


def _off(h: Floats, a: Floats, key: tuple[int, int, int]) -> float:
    """Return by how much a derivative by hand is off, beside the larger of it and the true one."""
    _, i, j = key
    x, y = float(h[j, i]), float(a[j, i])
    error = abs(x - y) / (max(abs(x), abs(y)) or 1.0)
    return error if error == error else math.inf
