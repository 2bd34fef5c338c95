"""What a Taylor test found: remainders, rates, and their plot."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

from tinygrad_mlp.check.reporting import Block, Report, Table, Verdict, number, plain
from tinygrad_mlp.errors import DataError, MissingDependencyError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

CLEAR = 20  # times the rounding: remainders that say something about rates
SHOWN = 8  # rows of the table
COLOURS = ("#D55E00", "#0072B2", "#009E73")  # Okabe and Ito (2008)
MARKERS = "os^"  # shape repeats what colour says
NAMES = ("|f(x+hv) − f(x)|", "… − h⟨g,v⟩|", "… − ½h²⟨v,Hv⟩|")


class Row(NamedTuple):
    """The remainders for one step.

    Attributes:
        h: the step.
        remainder0: |f(x + hv) − f(x)|.
        remainder1: |f(x + hv) − f(x) − h⟨g, v⟩|.
        remainder2: |f(x + hv) − f(x) − h⟨g, v⟩ − ½h²⟨v, Hv⟩|; None unless the Hessian is tested.
        floor0, floor1, floor2: what rounding may make of each.
    """

    h: float
    remainder0: float
    remainder1: float
    remainder2: float | None
    floor0: float
    floor1: float
    floor2: float


def resolution(rows: Sequence[Row], slope: float) -> float:
    """Return how large an error of a slope would have shown, as a share of it; nan without a slope.

    With an error Δ the remainder over h is |Δ + ch|, so that Δ is at most that of h plus twice that of h/2.
    """
    shares = [(row.remainder1 + row.floor1) / row.h / slope for row in rows if slope]
    return min((a + 2 * b for a, b in pairwise(shares)), default=math.nan)


@dataclass(frozen=True, repr=False)
class TaylorReport(Report):
    """The result of ``taylor_test``: true if the remainder shrinks as it does with the right gradient.

    Attributes:
        function: the name of the function.
        verdict: on the gradient, and on the Hessian if it is tested.
        reason: why, where the rate alone does not say so.
        rate: of the remainder with the gradient, the median of those of the shortest steps above rounding: 2 if it is
            right; inf where the remainder vanishes; nan where none can be had.
        hessian_rate: of the remainder with the Hessian as well: 3 if it is right; None if it is not tested.
        slope: ⟨g, v⟩, what the gradient says.
        measured: the same as a central difference.
        rows: the remainders for each step, from the longest on.
        notes: what else there is to know.
    """

    function: str
    verdict: Verdict
    reason: str
    rate: float
    hessian_rate: float | None
    slope: float
    measured: float
    rows: tuple[Row, ...]
    notes: tuple[str, ...] = ()

    def rates(self, order: int = 1) -> list[float]:
        """Return the rate between each row and the next, of the remainder without gradient (0), with it (1), or 2."""
        return [
            math.log(a / b) / math.log(r.h / s.h) if a and b else math.nan if not a else math.inf
            for r, s in pairwise(self.rows)
            for a, b in [(_remainder(r, order), _remainder(s, order))]
        ]

    @property
    def resolution(self) -> float:
        """How large an error of the gradient's slope would have shown, as a share of it; nan without a slope."""
        return resolution(self.rows, max(abs(self.slope), abs(self.measured)))

    def headline(self) -> str:
        """Return the verdict with the rate, or why there is none."""
        what = f"taylor_test of {self.function}: {self.verdict}: "
        if self.verdict == "undecided" or math.isnan(self.rate):
            return what + self.reason
        wanted = ", where a right gradient gives 2" if self.verdict == "wrong" and self.rate < 1.5 else ""
        return what + self._rates() + wanted

    def _rates(self) -> str:
        vanishes, first = math.isinf(self.rate), f"the remainder shrinks with rate {self.rate:.2f}"
        first = "the remainder vanishes (rate: exact)" if vanishes else first
        second = self.hessian_rate
        if second is None or math.isnan(second):
            return first
        return f"{first}, with the Hessian {'it vanishes' if math.isinf(second) else f'with rate {second:.2f}'}"

    def _title(self) -> str:
        rate = "" if math.isnan(self.rate) else ", exact" if math.isinf(self.rate) else f", rate {self.rate:.2f}"
        return f"{self.function}: {self.verdict}{rate}"

    def blocks(self) -> Iterable[Block]:
        """Return what the headline leaves out, the slopes, the table and the notes."""
        if self.verdict == "undecided" and not math.isnan(self.rate):
            yield self._rates()
        elif self.reason and not math.isnan(self.rate):
            yield self.reason
        if self.verdict != "right" and self.rows:
            yield f"slope along the direction: {number(self.slope)} by the gradient, {number(self.measured)} measured"
        if self.rows:
            yield self._table()
        if self.verdict == "right" and not math.isnan(self.resolution):
            yield f"an error of the slope above {self.resolution:.0e} of it would have shown"
        yield from self.notes

    def _table(self) -> Table:
        orders = (0, 1) if self.hessian_rate is None else (0, 1, 2)
        head = ["h", *(cell for k in orders for cell in (NAMES[k], "rate"))]
        between = [[math.nan, *self._clear_rates(k)] for k in orders]
        cells = [
            [f"{row.h:.2e}", *(c for k in orders for c in (f"{_remainder(row, k):.2e}", _rate(between[k][n])))]
            for n, row in enumerate(self.rows)
        ]
        return Table(head, [cells[n] for n in _spread(len(cells))])

    def _clear_rates(self, order: int) -> list[float]:
        """Return the rates; nan where a remainder is hardly more than rounding."""
        clear = [_remainder(row, order) > CLEAR * (row.floor0, row.floor1, row.floor2)[order] for row in self.rows]
        return [x if a and b else math.nan for x, (a, b) in zip(self.rates(order), pairwise(clear), strict=True)]

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain data."""
        return {
            "check": "taylor_test",
            "function": self.function,
            "verdict": self.verdict,
            "reason": self.reason,
            "rate": plain(self.rate),
            "hessian_rate": None if self.hessian_rate is None else plain(self.hessian_rate),
            "slope": plain(self.slope),
            "measured": plain(self.measured),
            "rows": [{name: None if x is None else plain(x) for name, x in row._asdict().items()} for row in self.rows],
            "notes": list(self.notes),
        }

    def plot(self, ax: "Axes | None" = None, *, title: str = "") -> "Axes":
        """Return axes with the remainders over the step, both logarithmic, and the slopes that they should have.

        ``report.plot().figure.savefig("taylor.png")`` writes it to a file.

        Args:
            ax: Where to draw; by default a new figure.
            title: A heading; by default the name of the function, the verdict and the rate.

        Raises:
            DataError: There are no steps to draw.
            MissingDependencyError: matplotlib is not installed.
        """
        if not self.rows:
            raise DataError(f"plot: the report has no steps to draw: {self.reason}")
        ax = _axes(ax)
        steps = [row.h for row in self.rows]
        for k in (0, 1) if self.hessian_rate is None else (0, 1, 2):
            points = [(h, _remainder(row, k)) for h, row in zip(steps, self.rows, strict=True) if _remainder(row, k)]
            if not points:
                continue
            label = ("without gradient", "with the gradient", "with gradient and Hessian")[k]
            ax.plot(*zip(*points, strict=True), MARKERS[k], color=COLOURS[k], markersize=4, label=label)
            guide = _guide(points, k + 1)
            ax.plot(*guide, ":", color=COLOURS[k], linewidth=0.9, label=f"slope {k + 1}")
        ax.fill_between(steps, [row.floor1 for row in self.rows], color="#BBBBBB", alpha=0.4, label="rounding")
        ax.set(xscale="log", yscale="log", xlabel="step h", ylabel="remainder", title=title or self._title())
        ax.legend(fontsize="small")
        return ax


def _axes(ax: "Axes | None") -> "Axes":
    """Return ``ax``, or the axes of a new figure."""
    try:
        import matplotlib.pyplot as plt
    except ImportError:
        raise MissingDependencyError(
            "plot: matplotlib is not installed: pip install matplotlib (the extra viz)"
        ) from None
    return plt.figure(layout="constrained").add_subplot() if ax is None else ax


def _guide(points: Sequence[tuple[float, float]], slope: int) -> tuple[list[float], list[float]]:
    """Return a line of a slope through the middle of some points, as long as it stays in their range."""
    h0, r0 = points[len(points) // 2]
    low, high = min(r for _, r in points), max(r for _, r in points)
    steps = [h for h, _ in points if low <= r0 * (h / h0) ** slope <= high]
    return steps, [r0 * (h / h0) ** slope for h in steps]


def _remainder(row: Row, order: int) -> float:
    return (row.remainder0, row.remainder1, row.remainder2 or 0.0)[order]


def _rate(x: float) -> str:
    return "" if not math.isfinite(x) else f"{x:.2f}"


def _spread(count: int) -> list[int]:
    """Return some row numbers, spread evenly from the first to the last."""
    if count <= SHOWN:
        return list(range(count))
    return [round(k * (count - 1) / (SHOWN - 1)) for k in range(SHOWN)]
