"""The table of the notes: every printed figure beside ours, and whether they agree."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .cells import figures_by_key
from .printed import PRINTED, Form, Printed

RTOL = 1e-12  # where 16 digits are printed: the last one depends on the order in which a BLAS kernel sums
_FORMATS = {"whole": ".0f", "3 decimals": ".3f", "8 decimals": ".8f", "9 digits": ".8e"}


@dataclass(frozen=True)
class Comparison:
    """One figure of the notes beside ours.

    Attributes:
        cell: where it is printed.
        what: what it is.
        printed: the printed value, a number or an array.
        ours: the value computed here, of the same shape.
        form: how it was printed.
        agreement: ``all printed digits``, ``rtol 1e-12``, or in words why they differ or are not judged.
        agrees: whether ours is as printed, or right where the notes add up wrongly; None for a timing.
    """

    cell: str
    what: str
    printed: Any
    ours: Any
    form: Form
    agreement: str
    agrees: bool | None


def table(runs: int = 10) -> list[Comparison]:
    """Return every figure that the notes print, recomputed and compared; it takes about a second.

    Args:
        runs: how often the timing of cell 13 repeats its loops.
    """
    ours = figures_by_key(runs)
    return [compared(figure, ours[key]) for key, figure in PRINTED.items()]


def compared(figure: Printed, ours: Any) -> Comparison:
    """Return the comparison of one figure with our value; where the notes add up wrongly, with the right sum."""
    if figure.addition:
        agreement, agrees = _agreement(figure.form, int(figure.addition.rpartition("=")[2]), ours)
        agreement = f"the notes add up wrongly: {figure.addition}" if agrees else agreement
    else:
        agreement, agrees = _agreement(figure.form, figure.value, ours)
    return Comparison(figure.cell, figure.what, _plain(figure.value), _plain(ours), figure.form, agreement, agrees)


def _plain(value: Any) -> Any:
    """Return a number as a Python number, anything else as an array."""
    array = np.asarray(value)
    return array.item() if array.ndim == 0 else array


def _agreement(form: Form, printed: Any, ours: Any) -> tuple[str, bool | None]:
    """Return in words how well ``ours`` agrees with a figure printed in a form, and whether it does."""
    if form == "timing":
        return "a timing: not judged", None
    p, o = np.asarray(printed, float), np.asarray(ours, float)
    if p.shape != o.shape:
        return f"DIFFERS: shape {o.shape} for {p.shape}", False
    if form == "16 digits":
        same = bool(np.allclose(o, p, rtol=RTOL, atol=0))
    else:
        same = digits(p, form) == digits(o, form)
    if not same:
        return f"DIFFERS by up to {np.abs(o - p).max():.3g}", False
    return ("rtol 1e-12" if form == "16 digits" else "all printed digits"), True


def digits(values: Any, form: Form) -> list[str]:
    """Return the numbers as they are printed in a form.

    >>> digits([1 / 3, 20.0], "9 digits")
    ['3.33333333e-01', '2.00000000e+01']
    """
    return [format(x, _FORMATS[form]) for x in np.asarray(values, float).ravel()]


def shown(value: Any, form: str = "{:.9g}", most: int = 3) -> str:
    """Return a number or the first few numbers of an array as a short text.

    >>> shown(np.arange(6.0).reshape(2, 3))
    '0, 1, 2 … (2×3)'
    """
    array = np.asarray(value)
    words = ", ".join(form.format(x) for x in array.ravel()[:most])
    if array.size <= most:
        return words
    return f"{words} … ({'×'.join(map(str, array.shape))})"


def format_table(rows: Sequence[Comparison]) -> str:
    """Return the comparisons as a table of text: cell, what, printed, ours, agreement."""
    cells = [("cell", "what", "printed", "ours", "agreement")]
    cells += [(r.cell, r.what, _entry(r, r.printed), _entry(r, r.ours), r.agreement) for r in rows]
    widths = [max(len(line[i]) for line in cells) for i in range(5)]
    lines = ["  ".join(word.ljust(w) for word, w in zip(line, widths, strict=True)).rstrip() for line in cells]
    lines.insert(1, "  ".join("-" * w for w in widths))
    return "\n".join(lines)


def _entry(row: Comparison, value: Any) -> str:
    """Return the text of a printed or own value: of long numbers fewer, so that a line stays readable."""
    if row.agrees is None:
        return shown(value, "{:.4g}")
    if row.form == "16 digits":
        return shown(value, "{:.16g}", 1)
    return shown(value, f"{{:{_FORMATS[row.form]}}}", 2)
