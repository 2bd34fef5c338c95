"""What makes an array longer at its sides, by a number or by elements that it has."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from tinygrad_mlp.errors import ShapeError, UnsupportedError
from tinygrad_mlp.graph import NODES, wrap
from tinygrad_mlp.ops.comparison import equal
from tinygrad_mlp.ops.elementwise import add, multiply, subtract, where
from tinygrad_mlp.ops.indexing import along, getitem, numbers, numpys, rearranged, scatter
from tinygrad_mlp.ops.reductions import max, mean, min
from tinygrad_mlp.ops.shaping import (
    as_array,
    astype,
    beside,
    broadcast_to,
    concatenate,
    normal_axis,
    number_beside,
    numpy_dtype,
    reshape,
)
from tinygrad_mlp.ops.sorting import median
from tinygrad_mlp.table import NUMBERS

OPTIONS = {
    "constant": "constant_values", "linear_ramp": "end_values", "maximum": "stat_length", "minimum": "stat_length",
    "mean": "stat_length", "median": "stat_length", "reflect": "reflect_type", "symmetric": "reflect_type",
    "edge": "", "wrap": "", "empty": "",
}  # fmt: skip


def pad(
    x: Any,
    pad_width: Any,
    mode: str = "constant",
    *,
    constant_values: Any = None,
    end_values: Any = None,
    stat_length: Any = None,
    reflect_type: str | None = None,
) -> Any:
    """Return ``x`` with elements before and after it along each axis.

    Args:
        x: an array.
        pad_width: a number, a pair (before, after), a pair for each axis, or a dict of them by axis.
        mode: "constant", "edge", "reflect", "symmetric", "wrap", "linear_ramp", "maximum", "minimum", "mean",
            "median" or "empty" (zeros here), as NumPy's.
        constant_values: what "constant" puts there: a number, or pairs as for ``pad_width``; gradients reach them.
        end_values: what "linear_ramp" arrives at, in the same forms.
        stat_length: of how many elements at the edge "mean" and its kin speak, in the same forms; of all by default.
        reflect_type: "even", or "odd": what is reflected is subtracted from twice the value at the edge.

    Raises:
        UnsupportedError: There is no such mode, or it takes no such argument.
        ShapeError: A width is negative, or an empty axis has nothing to be extended by.

    >>> pad([1.0, 2.0, 3.0], 1, mode="reflect")
    array([2., 1., 2., 3., 2.])
    """
    x = as_array(x)
    given = {
        "constant_values": constant_values,
        "end_values": end_values,
        "stat_length": stat_length,
        "reflect_type": reflect_type,
    }
    given = {name: value for name, value in given.items() if value is not None}
    widths = _widths(pad_width, tuple(x.shape))
    _check_mode(mode, given, widths, tuple(x.shape))
    if not widths:
        return astype(x, dtype=x.dtype)
    if mode == "constant" or mode == "empty" or 0 in x.shape:
        return _filled(x, widths, given.get("constant_values", 0))
    computed = mode not in ("edge", "wrap") and not (OPTIONS[mode] == "reflect_type" and reflect_type != "odd")
    if computed and numpy_dtype(x.dtype).kind != "f":  # rounded as NumPy does; integers have no gradient
        plain = {k: v if k == "reflect_type" else numbers("pad needs numbers", v) for k, v in given.items()}
        y = numpys("pad", np.pad, numbers("pad needs numbers", x), widths, mode, **plain)
        return wrap(y) if type(x) in NODES else y
    if computed:
        for axis in range(len(x.shape)):
            if any(widths[axis]) or stat_length is not None:  # a length of 0 is told in any case
                x = _RULES[mode](x, axis, widths, given.get(OPTIONS[mode]), mode)
        return x
    places = numpys("pad", np.pad, np.arange(x.size).reshape(tuple(x.shape)), widths, mode)
    return getitem(reshape(x, shape=(x.size,)), index=places)


def _check_mode(mode: str, given: dict[str, Any], widths: list[tuple[int, int]], shape: tuple[int, ...]) -> None:
    """Raise unless there is such a mode, which takes the arguments given and has something to pad with."""
    if mode not in OPTIONS:
        raise UnsupportedError(f"pad: mode={mode!r}: choose one of {', '.join(OPTIONS)}")
    for name in given:
        if name != OPTIONS[mode]:
            raise UnsupportedError(f"pad: mode {mode!r} takes no {name}")
    reflect_type = given.get("reflect_type", "even")
    if reflect_type not in ("even", "odd"):
        raise UnsupportedError(f"pad: reflect_type={reflect_type!r}: choose 'even' or 'odd'")
    for axis, (width, n) in enumerate(zip(widths, shape, strict=True)):
        if n == 0 and any(width) and mode not in ("constant", "empty"):
            raise ShapeError(f"pad: axis {axis} is empty, and mode {mode!r} has nothing to extend it by")


def _widths(pad_width: Any, shape: tuple[int, ...]) -> list[tuple[int, int]]:
    """Return the widths before and after each axis."""
    if isinstance(pad_width, Mapping):
        by_axis = {normal_axis(axis, len(shape), "pad"): width for axis, width in pad_width.items()}
        pad_width = [np.broadcast_to(by_axis.get(i, 0), 2).tolist() for i in range(len(shape))] or 0
    widths = np.asarray(pad_width)
    if widths.dtype.kind not in "iu":
        raise UnsupportedError(f"pad: widths are integers, not {widths.dtype}")
    if widths.size and widths.min() < 0:
        raise ShapeError(f"pad: width {widths.min()} is negative: cut with a slice instead")
    pairs = numpys("pad: pad_width", np.broadcast_to, widths, (len(shape), 2))
    return [(int(before), int(after)) for before, after in pairs]


def _side(name: str, values: Any, ndim: int, axis: int, side: int) -> Any:
    """Return what a number, a pair or pairs say of one side of an axis."""
    values = as_array(values)
    pairs = numpys(f"pad: {name}", broadcast_to, values, shape=(ndim, 2))
    return getitem(pairs, index=(axis, side))


def _filled(x: Any, widths: list[tuple[int, int]], values: Any) -> Any:
    """Return ``x`` with constants around it, in its own dtype."""
    if type(values) in NUMBERS and values == 0:  # ten times as fast as moving every element
        inner = tuple(slice(before, before + n) for (before, _), n in zip(widths, x.shape, strict=True))
        shape = tuple(before + n + after for (before, after), n in zip(widths, x.shape, strict=True))
        return scatter(x, shape=shape, index=inner)
    values = number_beside(x, values)
    if values.dtype != x.dtype:
        values = astype(values, dtype=x.dtype)
    return rearranged(x, values, lambda own, others: numpys("pad", np.pad, own, widths, constant_values=others))


def _ramp(x: Any, axis: int, widths: list[tuple[int, int]], end_values: Any, _mode: str) -> Any:
    """Return ``x`` with straight lines from its edges to the end values along one axis."""
    n, ndim, dtype = x.shape[axis], len(x.shape), numpy_dtype(x.dtype)
    parts = [x]
    for side, width in enumerate(widths[axis]):
        end = _side("end_values", number_beside(x, 0.0 if end_values is None else end_values), ndim, axis, side)
        steps = np.arange(width, dtype=dtype) / dtype.type(width or 1)
        rise = (steps if side == 0 else steps[::-1]).reshape((-1,) + (1,) * (ndim - axis - 1))
        edge = along(x, axis, slice(0, 1) if side == 0 else slice(n - 1, n))
        end = astype(end, dtype=x.dtype)
        parts.insert(0 if side == 0 else 2, add(end, multiply(subtract(edge, end), beside(x, rise))))
    return concatenate(parts, axis=axis)


def _summarised(x: Any, axis: int, widths: list[tuple[int, int]], stat_length: Any, mode: str) -> Any:
    """Return ``x`` with the mean, or another summary, of the elements at its edges along one axis."""
    n, ndim = x.shape[axis], len(x.shape)
    parts = [x]
    for side, width in enumerate(widths[axis]):
        length = (
            n
            if stat_length is None
            else int(_side("stat_length", numbers("stat_length", stat_length), ndim, axis, side))
        )
        if length < 0 or (length == 0 and mode in ("maximum", "minimum")):
            raise ShapeError(f"pad: stat_length {length} of mode {mode!r} must be positive")
        length = n if length > n else length
        edge = along(x, axis, slice(0, length) if side == 0 else slice(n - length, n))
        shape = tuple(width if i == axis else m for i, m in enumerate(x.shape))
        parts.insert(0 if side == 0 else 2, broadcast_to(_SUMMARIES[mode](edge, axis=axis, keepdims=True), shape=shape))
    return concatenate(parts, axis=axis)


def _odd(x: Any, axis: int, widths: list[tuple[int, int]], _type: Any, mode: str) -> Any:
    """Return ``x`` reflected along one axis such that the edges are centres of symmetry.

    Every new element is a sum of a few old ones with whole factors, which NumPy's own padding of a unit matrix tells.
    """
    n = x.shape[axis]
    pad_any: Any = np.pad  # whose stub wants the mode as a literal
    factors = pad_any(np.eye(n, dtype=np.int64), (widths[axis], (0, 0)), mode, reflect_type="odd")
    terms = int((factors != 0).sum(axis=1).max(initial=0))
    order = np.argsort(factors == 0, axis=1, kind="stable")[:, :terms]
    line = (-1,) + (1,) * (len(x.shape) - axis - 1)
    total: Any = 0.0
    for k in range(terms):
        factor = np.take_along_axis(factors, order[:, k : k + 1], 1).reshape(line)
        term = multiply(along(x, axis, order[:, k]), factor.astype(x.dtype))
        total = total + where(equal(factor, 0), 0.0, term)  # 0 · inf would be nan
    return total


_SUMMARIES: dict[str, Callable[..., Any]] = {"maximum": max, "minimum": min, "mean": mean, "median": median}
_RULES: dict[str, Callable[..., Any]] = {
    "linear_ramp": _ramp, "maximum": _summarised, "minimum": _summarised, "mean": _summarised, "median": _summarised,
    "reflect": _odd, "symmetric": _odd,
}  # fmt: skip
