"""Hypothesis strategies: arrays with special points, shapes that fit a pattern, broadcastable sets, random graphs.

They need Hypothesis, which the extra ``check`` brings, and shrink as its own do: to few elements, and to 0, 1 and 2.
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from math import isfinite, prod
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import DTypeLike, NDArray

from tinygrad_mlp.errors import DTypeError, MissingDependencyError, ShapeError, UnsupportedError
from tinygrad_mlp.table import OPS

from .programs import Program, Step, in_domain, result_that_fits

if TYPE_CHECKING:
    from hypothesis.strategies import DrawFn, SearchStrategy

Shape: TypeAlias = tuple[int, ...]
Pattern: TypeAlias = str | Sequence[Sequence[int | str] | int]

SIMPLE = (1.0, 2.0, -1.0, 0.5, -2.0, 3.0, 1.5, -0.5)  # what ordinary numbers shrink to: with these one checks by hand
SPECIAL = (0.0, 1.0, -1.0, -0.0, 2.0, 1e-12, -1e-12, 1e12, -1e12)
WIDTH = 4.0  # of the interval of ordinary numbers, where no bounds are given
GRID = 4000  # how many ordinary numbers there are
PALETTE = 2  # how many special numbers, and how many ordinary ones, arrays with special points are made of
GROUP = re.compile(r"\(([^()]*)\)")


def require_hypothesis(user: str) -> None:
    """Raise an error if Hypothesis is missing, which ``user`` needs.

    Raises:
        MissingDependencyError: It is not installed; the message names the extra that brings it.
    """
    try:
        import hypothesis  # noqa: F401 - whether it is there
    except ImportError:
        raise MissingDependencyError(f"{user} needs hypothesis: pip install 'tinygrad-mlp[check]'") from None


# --------------------------------------------------------------------------------------------------------------- shapes


def shapes(
    *, min_dims: int = 0, max_dims: int = 3, min_side: int = 1, max_side: int = 3
) -> "SearchStrategy[tuple[int, ...]]":
    """Return a strategy for shapes of few elements; with ``min_side=0`` some of them have none."""
    require_hypothesis("shapes")
    from hypothesis import strategies as st

    return st.lists(st.integers(min_side, max_side), min_size=min_dims, max_size=max_dims).map(lambda sides: (*sides,))


def matching_shapes(
    pattern: Pattern, *, min_side: int = 1, max_side: int = 4
) -> "SearchStrategy[tuple[tuple[int, ...], ...]]":
    """Return a strategy for the shapes that a pattern describes, one for each input.

    Args:
        pattern: One entry per input, each a tuple of ints and letters; or the same as a text, as in the signatures of
            NumPy's generalized ufuncs: ``"(n,d),(d,k)"``. A letter, or any other name, is a length that is drawn, the
            same wherever it stands.
        min_side: The least length that a letter stands for; 0 gives empty arrays now and then.
        max_side: The greatest.

    Raises:
        ShapeError: The pattern cannot be read.

    >>> from hypothesis import find
    >>> find(matching_shapes("(n,d),(d,3)"), lambda shapes: shapes[0][1] > 1)
    ((1, 2), (2, 3))
    """
    require_hypothesis("matching_shapes")
    from hypothesis import strategies as st

    entries = read_pattern(pattern)
    letters = list(dict.fromkeys(side for entry in entries for side in entry if isinstance(side, str)))

    def fill(lengths: Sequence[int]) -> tuple[Shape, ...]:
        known = dict(zip(letters, lengths, strict=True))
        return tuple(tuple(known[side] if isinstance(side, str) else side for side in entry) for entry in entries)

    return st.tuples(*[st.integers(min_side, max_side)] * len(letters)).map(fill)


def read_pattern(pattern: Pattern) -> tuple[tuple[int | str, ...], ...]:
    """Return the entries of a pattern of shapes.

    >>> read_pattern("(n, d), (d, 3), ()")
    (('n', 'd'), ('d', 3), ())
    """
    if isinstance(pattern, str):
        groups = GROUP.findall(pattern)
        if not groups or GROUP.sub("", pattern).replace(" ", "") != "," * (len(groups) - 1):
            raise ShapeError(f"shapes: {pattern!r} is no pattern; write one group for each input, as in '(n,d),(d,k)'")
        texts = [[side.strip() for side in group.split(",") if side.strip()] for group in groups]
        return tuple(tuple(int(side) if side.isdecimal() else _letter(side) for side in text) for text in texts)
    if isinstance(pattern, int):
        raise ShapeError(f"shapes: {pattern!r} is one length; give one shape for each input, as in [({pattern!r},)]")
    return tuple(_entry(entry, pattern) for entry in pattern)


def _entry(entry: Any, pattern: Any) -> tuple[int | str, ...]:
    if isinstance(entry, int) and not isinstance(entry, bool):
        entry = (entry,)
    if isinstance(entry, str) or not isinstance(entry, Sequence):
        raise ShapeError(
            f"shapes: {entry!r} in {pattern!r} is no shape; give one tuple for each input, as in [('n', 'd'), ('d',)]"
        )
    return tuple(_letter(side) if isinstance(side, str) else _length(side) for side in entry)


def _letter(side: str) -> str:
    if not side.isidentifier():
        raise ShapeError(f"shapes: {side!r} is neither a length nor a name of one")
    return side


def _length(side: Any) -> int:
    if isinstance(side, bool) or not isinstance(side, int | np.integer) or side < 0:
        raise ShapeError(f"shapes: {side!r} is neither a length nor a name of one")
    return int(side)


# --------------------------------------------------------------------------------------------------------------- arrays


def arrays(
    shape: "int | Shape | SearchStrategy[tuple[int, ...]] | None" = None,
    *,
    dtype: DTypeLike = np.float64,
    low: float | None = None,
    high: float | None = None,
    special: bool = True,
) -> "SearchStrategy[NDArray[Any]]":
    """Return a strategy for arrays in which special points are frequent: zeros of both signs, ties, ±1, 1e±12.

    Args:
        shape: A shape, or a strategy for shapes; ``shapes()`` if None.
        dtype: A floating-point, integer or boolean dtype.
        low: The least number. Without it ordinary numbers start at -2, or 4 below ``high``; special ones have no bound.
        high: The greatest number, likewise.
        special: Draw special points, too. Without them all elements differ and none is 0, so that few functions have a
            kink there.

    Raises:
        DTypeError: No numbers of that dtype can be drawn.

    >>> from hypothesis import find
    >>> find(arrays((2, 2)), lambda x: x.sum() > 2)
    array([[1., 1.],
           [1., 1.]])
    >>> find(arrays(3, special=False), lambda x: x.sum() > 2)
    array([1. , 2. , 0.5])
    """
    require_hypothesis("arrays")
    from hypothesis import strategies as st

    if isinstance(shape, int):
        shape = (shape,)
    some = shapes() if shape is None else st.just(shape) if isinstance(shape, tuple) else shape
    sets = some.flatmap(lambda found: filled([found], dtype=dtype, low=low, high=high, special=special))
    return sets.map(lambda found: found[0])


def broadcastable(
    n: int,
    *,
    min_dims: int = 0,
    max_dims: int = 3,
    min_side: int = 1,
    max_side: int = 3,
    **kind: Any,
) -> "SearchStrategy[tuple[NDArray[Any], ...]]":
    """Return a strategy for tuples of ``n`` arrays whose shapes broadcast against each other.

    Args:
        n: How many arrays.
        min_dims: How many axes they have at least.
        max_dims: How many at most.
        min_side: How long an axis is at least; one of length 1 stretches to any length.
        max_side: How long at most.
        kind: ``dtype``, ``low``, ``high`` and ``special`` of ``arrays``; ties between the arrays are frequent, too, or
            do not occur.
    """
    require_hypothesis("broadcastable")
    from hypothesis.extra.numpy import mutually_broadcastable_shapes

    wide = mutually_broadcastable_shapes(
        num_shapes=n, min_dims=min_dims, max_dims=max_dims, min_side=min_side, max_side=max_side
    )
    return wide.flatmap(lambda found: filled(found.input_shapes, **kind))


def filled(
    sides: Sequence[Shape],
    *,
    dtype: DTypeLike = np.float64,
    low: float | None = None,
    high: float | None = None,
    special: bool = True,
) -> "SearchStrategy[tuple[NDArray[Any], ...]]":
    """Return a strategy for tuples of arrays of the given shapes; for the rest see ``arrays``."""
    require_hypothesis("filled")
    sizes, kind = [prod(shape) for shape in sides], np.dtype(dtype)

    def cut(flat: Sequence[Any]) -> tuple[NDArray[Any], ...]:
        parts = np.split(np.array(flat, kind), np.cumsum(sizes)[:-1])
        return tuple(part.reshape(shape) for part, shape in zip(parts, sides, strict=True))

    return _numbers(sum(sizes), kind, low, high, special).map(cut)


@lru_cache  # making a strategy takes longer than drawing from it
def _numbers(
    n: int, kind: "np.dtype[Any]", low: float | None, high: float | None, special: bool
) -> "SearchStrategy[list[Any]]":
    """Return a strategy for lists of ``n`` numbers."""
    from hypothesis import strategies as st

    if kind.kind != "f":
        return st.lists(_whole(kind, low, high), min_size=n, max_size=n)
    ordinary, points = _floats(kind, low, high)
    different = st.lists(ordinary, min_size=n, max_size=n, unique=low != high or low is None)
    if not special:
        return different
    palettes = st.tuples(st.lists(points, min_size=1, max_size=PALETTE), st.lists(ordinary, max_size=PALETTE))
    choices = st.lists(st.integers(0, 2 * PALETTE - 1), min_size=n, max_size=n)
    few = st.builds(_picked, palettes, choices)
    return st.one_of(few, few, different)


def _picked(palette: tuple[list[float], list[float]], choices: Sequence[int]) -> list[float]:
    """Return numbers of which few differ: ties are frequent."""
    some = [*palette[0], *palette[1]]
    return [some[k % len(some)] for k in choices]


@lru_cache
def _floats(kind: "np.dtype[Any]", low: float | None, high: float | None) -> tuple[Any, Any]:
    """Return strategies for the ordinary numbers, none of which is 0, and for the special ones."""
    from hypothesis import strategies as st

    least, most = _bounds(low, high)
    simple = [x for x in SIMPLE if least <= x <= most]
    steps = st.integers(0, GRID).map(lambda k: _rounded(least + (most - least) * k / GRID, least, most))
    ordinary = st.one_of(*[st.sampled_from(simple)] * bool(simple), steps.filter(bool))
    largest = float(np.finfo(kind).max)
    below, above = -largest if low is None else low, largest if high is None else high
    points = [x for x in SPECIAL if below <= x <= above and (x == 0 or np.asarray(x, kind) != 0)]
    return ordinary, st.sampled_from(points) if points else ordinary


def _bounds(low: float | None, high: float | None) -> tuple[float, float]:
    """Return between which numbers the ordinary ones lie."""
    if low is None:
        low = -WIDTH / 2 if high is None else high - WIDTH
    high = low + WIDTH if high is None else high
    if not (isfinite(low) and isfinite(high) and low <= high):
        raise DTypeError(f"arrays: no numbers lie between low {low} and high {high}")
    return float(low), float(high)


def _rounded(x: float, least: float, most: float) -> float:
    """Return ``x`` to four digits, which print short, if that lies between the bounds."""
    y = float(f"{x:.4g}")
    return y if least <= y <= most else x


def _whole(kind: "np.dtype[Any]", low: float | None, high: float | None) -> Any:
    """Return a strategy for integers or booleans."""
    from hypothesis import strategies as st

    if kind.kind == "b":
        return st.booleans()
    if kind.kind not in "iu":
        raise DTypeError(
            f"arrays: no numbers of dtype {kind} are drawn; choose a floating-point, integer or boolean one"
        )
    least, most = _bounds(0.0 if low is None and kind.kind == "u" else low, high)
    return st.integers(int(np.ceil(least)), int(np.floor(most)))


# --------------------------------------------------------------------------------------------------------------- graphs

SMOOTH = (
    "tanh", "negative", "square", "exp", "sin", "cos", "sigmoid", "softplus", "silu", "gelu", "arctan", "erf", "expm1",
    "log", "log1p", "sqrt", "reciprocal", "cbrt", "tan", "arcsin", "arctanh", "log_sigmoid", "mish", "sinh",
    "add", "subtract", "multiply", "divide", "power", "logaddexp", "hypot", "arctan2",
    "matmul", "concatenate", "sum", "mean", "prod", "var", "logsumexp", "softmax", "log_softmax", "cumsum",
    "transpose", "reshape", "expand_dims", "broadcast_to", "getitem",
)  # fmt: skip
KINKED = ("relu", "abs", "maximum", "minimum", "leaky_relu", "relu6", "max", "min", "hardtanh", "elu")
REDUCTIONS = ("sum", "mean", "prod", "var", "logsumexp", "max", "min")
ALONG = ("softmax", "log_softmax", "cumsum", "concatenate")
ATTEMPTS = 6  # at finding operands and params that suit an op


def graphs(
    *,
    ops: Sequence[str] | None = None,
    smooth: bool = False,
    special: bool = True,
    min_steps: int = 1,
    max_steps: int = 12,
    max_dims: int = 2,
) -> "SearchStrategy[Program]":
    """Return a strategy for programs: functions made of random ops, each with inputs that suit it.

    A program is called on nodes or on arrays, for example on its own ``inputs``; printed, it is Python code. Every step
    uses the result of the one before, so the derivative runs through all of them, and every input is used. Values stay
    finite and within the domains of the ops.

    Args:
        ops: The names of the ops to draw from, those of ``primitive`` functions of yours included; ``SMOOTH`` and
            ``KINKED`` of this module if None.
        smooth: Draw no op with kinks, of those.
        special: Draw zeros, ties, ±1 and 1e-12 as inputs, too.
        min_steps: How many ops at least.
        max_steps: How many at most.
        max_dims: How many axes an input has at most; 0 gives numbers.

    Raises:
        UnsupportedError: There is no op of a name.

    >>> from hypothesis import find
    >>> program = find(graphs(ops=["exp", "multiply"], max_steps=2), lambda p: len(p.steps) > 1)
    >>> print(program)
    def f(a):
        b = tg.exp(a)
        return tg.exp(b)
    >>> program(0.0) == np.e
    True
    """
    require_hypothesis("graphs")
    from hypothesis import strategies as st

    names = list((*SMOOTH, *([] if smooth else KINKED)) if ops is None else ops)
    for name in names:
        if name not in OPS:
            raise UnsupportedError(f"graphs: there is no op named {name!r} in the table")

    @st.composite
    def programs(draw: "DrawFn") -> Program:
        sets = broadcastable(draw(st.integers(1, 3)), max_dims=max_dims, low=-2.0, high=2.0, special=special)
        inputs = draw(sets)
        known: list[NDArray[Any]] = list(inputs)
        steps: list[Step] = []
        for _ in range(draw(st.integers(min_steps, max_steps))):
            step, y = _draw_step(draw, names, known, len(known) - 1 if steps else 0)
            steps.append(step)
            known.append(y)
        return _without_unused(inputs, steps)

    return programs()


def _without_unused(inputs: Sequence[NDArray[Any]], steps: Sequence[Step]) -> Program:
    """Return a program with those inputs that a step takes."""
    n = len(inputs)
    used = sorted({i for step in steps for i in step.operands if i < n})
    number = {old: new for new, old in enumerate([*used, *range(n, n + len(steps))])}
    renamed = [step._replace(operands=tuple(number[i] for i in step.operands)) for step in steps]
    return Program(tuple(inputs[i] for i in used), tuple(renamed))


def _draw_step(
    draw: "DrawFn", names: Sequence[str], known: Sequence[NDArray[Any]], latest: int
) -> tuple[Step, NDArray[Any]]:
    """Return a step that uses ``known[latest]``, and its result; tanh, which suits all, if no other does."""
    from hypothesis import strategies as st

    suiting = [name for name in names if in_domain(OPS[name], known[latest])]
    for _ in range(ATTEMPTS if suiting else 0):
        op = OPS[draw(st.sampled_from(suiting))]
        others = [draw(st.integers(0, len(known) - 1)) for _ in range((op.arity or 2) - 1)]
        others.insert(draw(st.integers(0, len(others))), latest)
        step = Step(op.name, tuple(others), draw(_params(op.name, known[others[0]].shape)))
        y = result_that_fits(step, known)
        if y is not None:
            return step, y
    return Step("tanh", (latest,), {}), np.tanh(known[latest])


def _params(name: str, shape: Shape) -> Any:
    """Return a strategy for the params of an op whose first operand has this shape."""
    from hypothesis import strategies as st

    axes = list(range(-len(shape), 0))[::-1]
    if name in REDUCTIONS:
        pairs = st.tuples(st.sampled_from([None, *axes]), st.booleans())
        return pairs.map(lambda pair: {"axis": pair[0], "keepdims": pair[1]})
    if name in ALONG and axes:
        return st.sampled_from([{"axis": axis} for axis in axes])
    if name == "reshape":
        return st.sampled_from([{"shape": (-1,)}, {"shape": (*shape, 1)}, {"shape": shape[::-1]}])
    if name == "broadcast_to":
        return st.just({"shape": (2, *shape)})
    if name == "expand_dims":
        return st.sampled_from([{"axis": axis} for axis in (0, -1)])
    if name == "getitem":
        backwards = slice(None, None, -1)
        return st.sampled_from([{"index": index} for index in (0, -1, [0, -1, 0], (Ellipsis, None), backwards)])
    return st.just({})
