"""What differences leave open, settled in other ways: a complex step, rounding of the claims, the rules themselves."""

from collections.abc import Sequence

import numpy as np

from . import blame
from .compare import COARSE_RTOL, KINK, OUTSIDE, RIGHT, RTOL, SHARP, UNDECIDED, WRONG, Found, judge
from .derived import jacobians
from .differences import Floats, Slopes
from .recording import Recording, disturb
from .rules import Rules, check_rules
from .subject import Subject, raw

WOBBLED = 64  # outputs whose gradients are computed again beside the inputs
WHERE_NAN = "tg.where_nan says which operation"
BY_RULES = "confirmed by its operations"


class Settler:
    """A subject with its recorded graph, and what is found out about the two; each only once.

    Attributes:
        claims_move: whether claims come from reverse mode, so that their own rounding can be measured.
    """

    def __init__(
        self, subject: Subject, recording: Recording, rng: np.random.Generator, rtol: float | None, mode: str
    ) -> None:
        """Take a subject and its graph, and the mode of differentiation."""
        self.subject, self.recording, self.rng, self.mode = subject, recording, rng, mode
        self.claims_move = mode != "forward"
        self.rtol = (COARSE_RTOL if subject.coarse else RTOL) if rtol is None else rtol
        self._rules: Rules | None = None
        self._lost: list[str] | None = None
        self._noise: Floats | None = None
        self._near: dict[tuple[int, int], str] = {}

    # ----------------------------------------------------------------------------------------- what the graph tells

    @property
    def rules(self) -> Rules:
        """What came of the rules of the recorded operations."""
        if self._rules is None:
            self._rules = check_rules(self.recording.order, self.rng, forward=self.mode != "reverse")
        return self._rules

    @property
    def lost(self) -> list[str]:
        """Where a gradient is lost between operations."""
        if self._lost is None:
            self._lost = blame.lost(self.subject, self.recording, self.rng)
        return self._lost

    @property
    def has_faults(self) -> bool:
        """Whether the rules had to be looked at, and one is wrong."""
        return self._rules is not None and bool(self._rules.faults)

    @property
    def is_confirmed(self) -> bool:
        """Whether every rule is right, and no gradient is lost between them: then the chain rule does the rest."""
        return bool(self.recording.order) and not self.rules.faults and not self.lost

    @property
    def noise(self) -> Floats:
        """How far rounding moves each output: as far as they move when every number on the way is off by one."""
        if self._noise is None:
            self._noise = np.zeros(self.subject.base.shape)
            for _ in range(3):
                with self.subject.beside(self.rng), np.errstate(all="ignore"):
                    recorded = Recording(self.subject.record())
                    disturb(recorded.order, self.rng)
                    moved = np.concatenate([np.asarray(raw(y), np.float64).reshape(-1) for y in recorded.all])
                    change = np.abs(moved - self.subject.base)
                self._noise = np.maximum(self._noise, np.where(np.isfinite(change), change, 0.0))
        return self._noise

    def kink(self, k: int, i: int) -> str:
        """Return where the kink is that one meets beside element ``i`` of leaf ``k``; empty if there is none."""
        if (k, i) not in self._near:
            leaf = self.subject.leaves[k]
            self._near[k, i] = blame.kink_place(self.recording, leaf.node, leaf.values, i)
        return self._near[k, i]

    # ------------------------------------------------------------------------------------------------------- settling

    def settle(self, found: Sequence[Found]) -> list[Found]:
        """Return the derivatives, those that were open or look wrong settled as far as they can be."""
        base = self.subject.base
        settled = [x._replace(state=UNDECIDED) for x in found if not np.isfinite(base[x.j])]
        found = [x for x in found if np.isfinite(base[x.j])]
        settled += [x for x in found if x.state in (RIGHT, KINK)]
        left = [x for x in found if x.state not in (RIGHT, KINK)]
        for step in (self._by_complex_step, self._by_wobble, self._by_rules):
            if left:
                left = step(left)
                settled += [x for x in left if x.state in (RIGHT, KINK)]
                left = [x for x in left if x.state not in (RIGHT, KINK)]
        return settled + left

    def _by_complex_step(self, left: list[Found]) -> list[Found]:
        """Measure what is undecided by a step into the complex plane, where every operation allows one."""
        if not self.recording.is_analytic:
            return left
        columns: dict[tuple[int, int], Floats] = {}
        return [self._complex(x, columns) if x.state == UNDECIDED or len(left) <= WOBBLED else x for x in left]

    def _complex(self, x: Found, columns: dict[tuple[int, int], Floats]) -> Found:
        if (x.k, x.i) not in columns:
            parts = self.recording.complex_step(self.subject.leaves[x.k].node, x.i)
            columns[x.k, x.i] = np.concatenate([np.asarray(part).reshape(-1) for part in parts])
        slopes = columns[x.k, x.i]
        value = float(slopes[x.j]) if len(slopes) == len(self.subject.base) else np.nan
        if not (np.isfinite(value) and np.isfinite(x.claimed) and self._is_possible(value, x)):
            return x  # the graph is not the whole function
        bound = 64 * float(np.finfo(np.float64).eps) * abs(value)
        apart = abs(x.claimed - value) > bound + self.rtol * abs(value)
        return x._replace(measured=value, bound=bound, how="by a complex step", state=WRONG if apart else RIGHT)

    def _is_possible(self, value: float, x: Found) -> bool:
        """Return whether a derivative agrees with what was measured; where rounding took all of it, with the claim."""
        apart = abs(value - x.measured)
        if apart <= 2 * x.bound < SHARP * abs(value):
            return True
        if apart <= 2 * x.bound:
            return not self.lost  # numbers too coarse to see what the graph does not show
        return abs(value - x.claimed) <= self.rtol * abs(value) and self.is_confirmed  # steps too long, or absorbed

    def _by_wobble(self, left: list[Found]) -> list[Found]:
        """Allow for what rounding does to the claims: how far they move as the inputs move by a rounding."""
        outputs = sorted({x.j for x in left if np.isfinite(x.claimed) and x.state != OUTSIDE})[:WOBBLED]
        if not outputs or not self.claims_move:
            return left
        seen = [self._claims_beside(outputs) for _ in range(3)]
        rows = {j: row for row, j in enumerate(outputs)}
        done = []
        for x in left:
            if x.j in rows and x.state != OUTSIDE:
                slack = 10 * max(abs(float(claims[x.k][rows[x.j], x.i]) - x.claimed) for claims in seen)
                floor = self._floor(x, max(np.max(np.abs(c[rows[x.j]])) for c in seen[0]))
                if abs(x.measured) <= x.bound + floor and self.is_confirmed:  # nothing beside what rounding of f makes
                    slack = max(slack, floor)
                measured = x.measured, x.bound, x.left, x.right, False, 0.0, x.measured
                slopes = Slopes(*(np.array([v]) for v in measured))
                state = int(judge(np.array([x.claimed]), slopes, self.rtol, self.subject.coarse, slack)[0])
                if state in (RIGHT, KINK):
                    x = x._replace(state=state, how="within its own rounding")
            done.append(x)
        return done

    def _claims_beside(self, outputs: Sequence[int]) -> list[Floats]:
        """Return rows of the Jacobians where every input and every result is off by a rounding or two."""
        with self.subject.beside(self.rng):
            recorded = self.subject.record()
            disturb(Recording(recorded).order, self.rng)
            return jacobians(self.subject, recorded, outputs)

    def _floor(self, x: Found, largest: float) -> float:
        """Return what a few roundings make of an output's gradient, the largest element given, where there is none."""
        values = self.subject.leaves[x.k].values
        size = abs(float(values.reshape(-1)[x.i])) or float(np.max(np.abs(values), initial=0.0)) or 1.0
        eps = float(np.finfo(np.float32 if self.subject.coarse else np.float64).eps)
        known = 8 * eps * max(largest, abs(float(self.subject.base[x.j])) / size)
        return max(known, 64 * float(self.noise[x.j]) / size)

    def _by_rules(self, left: list[Found]) -> list[Found]:
        """Settle what no number can: where every operation's own rule is right, so is their product.

        Steps that cross a kink measure the slope of neither side: of a function with many, as of a network of rectified
        units, differences may be off by more than they can tell.
        """
        if not any(np.isfinite(x.claimed) for x in left) or not self.is_confirmed:
            return left
        return [
            x._replace(state=KINK if x.state == OUTSIDE else RIGHT, how=BY_RULES)
            if self._has_slope(x) and (x.state != WRONG or self.kink(x.k, x.i))
            else x
            for x in left
        ]

    def _has_slope(self, x: Found) -> bool:
        """Return whether there is something that rules can confirm: f and the claim are numbers."""
        return bool(np.isfinite(x.claimed) and np.isfinite(self.subject.base[x.j]))

    def unseen(self, claims: Sequence[Floats], pending: Sequence[tuple[float, int, int, Sequence[int]]]) -> list[Found]:
        """Return the columns that were not looked at closely as right, since every operation is."""
        nan = float("nan")
        found = [
            Found(k, i, int(j), float(claims[k][j, i]), nan, nan, nan, nan, RIGHT, BY_RULES)
            for _, k, i, outputs in pending
            for j in outputs
        ]
        return [x if self._has_slope(x) else x._replace(state=UNDECIDED) for x in found]

    def why(self, x: Found) -> str:
        """Return why a derivative is undecided, and what to do."""
        size = abs(float(self.subject.base[x.j]))
        if not np.isfinite(size):
            return f"{self.subject.undefined}: {WHERE_NAN}"
        if not np.isfinite(x.claimed):
            return f"the gradient is {x.claimed}, and no finite slope was measured: there is no derivative"
        if not np.isfinite(x.measured) or np.isinf(x.bound):
            return "f is not finite beside the input: move the input into the domain of f"
        if self.subject.eps > 1e-10:
            return f"float32: f computes in float32, which leaves {x.measured:.3g} ± {x.bound:.1g}: check it in float64"
        if size * 1e-12 > abs(x.claimed):
            return f"scale: beside f = {size:.3g} a derivative of {x.claimed:.3g} is lost in rounding"
        return f"cancellation: f is too noisy, which leaves {x.measured:.3g} ± {x.bound:.1g}"
