"""Text for labels: numbers, summaries of arrays, cleaning, and how wide a text will be."""

import html
import re
from bisect import bisect_right
from functools import lru_cache
from typing import Any

import numpy as np

# What XML 1.0 forbids even when escaped: control characters, lone surrogates, two non-characters.
_ILLEGAL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")
_SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")
_NARROW = frozenset("iljtfrI.,:;'|!()[] -\"")
_WIDE = frozenset("mwMW@%æœ—―…→←")
_SLIM = frozenset("∂−√≈≤≥")  # of the symbols; most are broad
# Where scripts begin, and how wide small letters are there, of which some are narrower: measured in a browser that
# takes what Arial has not from DejaVu Sans; emoji and styled letters as wide as in the fonts made for them.
_EMS = (
    (0x80, 0.62),  # Latin
    (0x370, 0.74),  # Greek, Cyrillic
    (0x530, 0.8),  # from Armenian to Ethiopic
    (0x1D00, 0.62),  # Latin again, superscripts, punctuation, subscripts
    (0x2100, 0.9),  # symbols
    (0x27F5, 1.45),  # long arrows
    (0x2800, 0.9),
    (0x2E80, 1.0),  # East Asian scripts are square
    (0x10000, 1.4),  # emoji, styled letters
    (0x20000, 1.0),
)


def clean(text: object) -> str:
    r"""Return ``text`` on one line, without characters that an SVG may not contain.

    >>> clean("two\nlines")
    'two lines'
    """
    return _ILLEGAL.sub("\ufffd", " ".join(str(text).split()))


def escape(text: object) -> str:
    """Return ``text`` cleaned and escaped for Graphviz's HTML-like labels.

    >>> escape('a<b>&"c"')
    'a&lt;b&gt;&amp;&quot;c&quot;'
    """
    return html.escape(clean(text)).replace("\\", "\\\\")  # Graphviz expands \N there too


def shorten(text: str, limit: int = 32) -> str:
    """Return ``text``, cut to ``limit`` characters with an ellipsis where it is longer."""
    return text if len(text) <= limit else text[: limit - 1] + "…"


def subscript(index: int) -> str:
    """Return ``index`` in Unicode's subscript digits: ``12`` gives ``₁₂``."""
    return str(index).translate(_SUBSCRIPTS)


def number(x: Any, precision: int = 4, signed: bool = False) -> str:
    """Return ``x`` with ``precision`` significant digits, with its sign if ``signed``.

    >>> number(1 / 3), number(0.25, signed=True), number(float("nan"))
    ('0.3333', '+0.25', 'nan')
    """
    if isinstance(x, bool | np.bool_):
        return str(bool(x))
    value = float(x) or 0.0  # -0.0 would read as a small negative number
    return format(value, f"{'+' if signed and value and value == value else ''}.{precision}g")


def shape_text(shape: tuple[int, ...]) -> str:
    """Return a shape as people write it, ``300×2``; empty for a scalar."""
    return "×".join(str(n) for n in shape)


def summary(data: Any, precision: int = 4) -> str:
    """Return the value of a scalar, the elements of a short vector, or the range and mean of an array.

    Args:
        data: A number or an array of any library that NumPy can read.
        precision: Significant digits.

    >>> summary(np.array([[1.0, 2.0], [3.0, np.nan]]))
    'min 1 · mean 2 · max 3 · 1 nan'
    """
    a = np.asarray(data)
    if a.size == 0:
        return "empty"
    if a.dtype.kind not in "biuf":
        return clean(shorten(str(a.dtype)))
    if a.dtype.kind == "b" and a.size > 1:
        return f"{int(a.sum())} of {a.size} true"
    if a.size == 1:
        return number(a.reshape(-1)[0], precision)
    if a.ndim == 1 and a.size <= 4:
        return "[" + ", ".join(number(x, precision) for x in a) + "]"
    finite = a[np.isfinite(a)]
    bad = [(int(np.isnan(a).sum()), "nan"), (int(np.isinf(a).sum()), "inf")] if finite.size < a.size else []
    parts = []
    if finite.size:
        with np.errstate(all="ignore"):  # a picture of large numbers must not warn
            mean = finite.mean(dtype=np.float64)
        named = (("min", finite.min()), ("mean", mean), ("max", finite.max()))
        parts = [f"{word} {number(float(x), precision)}" for word, x in named]
    return " · ".join(parts + [f"{count} {word}" for count, word in bad if count])


def argument(x: Any, precision: int = 4) -> str:
    """Return an operation's argument as one would type it; never a memory address, so that pictures are stable.

    >>> argument((slice(1, None), Ellipsis, np.array([0, 2]))), argument(np.random.default_rng(0))
    ('(1:, ..., [0, 2])', 'Generator')
    """
    match x:
        case float():
            return number(x, precision)
        case None | bool() | int() | str():
            return repr(x)
        case slice():
            ends = ["" if end is None else argument(end, precision) for end in (x.start, x.stop, x.step)]
            return ":".join(ends if ends[2] else ends[:2])
        case tuple() | list():
            inner = ", ".join(argument(item, precision) for item in x)
            return f"({inner})" if isinstance(x, tuple) else f"[{inner}]"
        case np.ndarray() if x.ndim < 2 and x.size <= 6:
            return argument(x.tolist(), precision)
        case np.ndarray():
            return f"{shape_text(x.shape)} array"
        case np.generic():
            return argument(x.item(), precision)
    return "..." if x is Ellipsis else getattr(x, "__name__", type(x).__name__)


def norm(data: Any) -> float:
    """Return the Euclidean norm of all elements, scaled so that large elements do not overflow."""
    a = np.abs(np.asarray(data, dtype=np.float64)).reshape(-1)
    top = float(a.max()) if a.size else 0.0
    if top == 0.0 or not np.isfinite(top):
        return top
    return top * float(np.sqrt(np.square(a / top).sum()))


def width(text: str, size: float) -> float:
    """Return about how wide ``text`` is in Helvetica of ``size`` points, rather too wide than too narrow."""
    ems = sum(_em(c) for c in text)
    return ems * size


@lru_cache(4096)
def _em(c: str) -> float:
    if c in _NARROW:
        return 0.34
    if c in _WIDE:
        return 1.0
    if c.isascii() or c in _SLIM:
        return 0.72 if c.isupper() else 0.58
    if not c.isprintable():  # a joiner, or a mark of direction
        return 0.0
    start = bisect_right(_EMS, ord(c), key=lambda script: script[0]) - 1
    return _EMS[start][1] + 0.18 * c.isupper()
