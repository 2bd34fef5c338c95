"""Random graphs of Values and Tensors, and a naive model of each op: numbers that carry their derivatives forward.

``programs`` draws a program: starting values, and steps that name a function, its operands and its params. ``run``
carries it out on whatever the functions take: nodes, raw arrays, or, with ``naive=True``, arrays of ``Dual`` numbers,
whose rules are written here by hand and share nothing with the library.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn
from strategies import wide

import tinygrad_mlp as tg

LARGE = 1e3  # beyond it a program does not grow: rounding would hide what is tested
Key = tuple[int, int]  # a leaf and the position of an element in it

# --------------------------------------------------------------------------------------------------------- dual numbers


class Dual:
    """A number and its derivative in every element of every leaf that it was computed from."""

    def __init__(self, value: float, slopes: dict[Key, float] | None = None) -> None:
        self.value = value
        self.slopes = slopes or {}

    def through(self, value: float, slope: float) -> "Dual":
        """What a function gives here, by its value and its slope."""
        return Dual(value, {key: slope * d for key, d in self.slopes.items()})

    def __add__(self, other: Any) -> "Dual":
        if not isinstance(other, Dual):  # NumPy's sums start from 0
            return Dual(self.value + other, self.slopes)
        keys = {**self.slopes, **other.slopes}
        sums = {key: self.slopes.get(key, 0.0) + other.slopes.get(key, 0.0) for key in keys}
        return Dual(self.value + other.value, sums)

    __radd__ = __add__

    def __mul__(self, other: "Dual") -> "Dual":
        both = self.through(0.0, other.value) + other.through(0.0, self.value)
        return Dual(self.value * other.value, both.slopes)


def constants(values: Any) -> Any:
    """An array of dual numbers without slopes."""
    return objects(np.frompyfunc(Dual, 1, 1)(np.asarray(values, float)))


def variables(values: Any, leaf: int) -> Any:
    """An array of dual numbers each of which is a variable."""
    flat = [Dual(float(x), {(leaf, i): 1.0}) for i, x in enumerate(np.ravel(values))]
    return filled(np.shape(values), flat)


def filled(shape: tuple[int, ...], flat: Sequence[Any]) -> Any:
    y = np.empty(len(flat), object)
    y[:] = flat
    return y.reshape(shape)


def objects(y: Any) -> Any:
    """What NumPy gave, as an array of dual numbers: empty sums are 0, and arrays without axes come as their element."""
    y = np.asarray(y, object)
    return filled(y.shape, [x if isinstance(x, Dual) else Dual(float(x)) for x in y.ravel()])


def values(duals: Any) -> Any:
    return np.array([d.value for d in duals.ravel()], float).reshape(duals.shape)


def gradient(duals: Any, seed: Any, leaf: int, shape: tuple[int, ...]) -> Any:
    """The derivative of ``sum(seed * duals)`` in a leaf; None if no path leads there."""
    g, found = np.zeros(math.prod(shape)), False
    for d, u in zip(duals.ravel(), np.ravel(seed), strict=True):
        for (i, at), slope in d.slopes.items():
            if i == leaf:
                g[at] += u * slope
                found = True
    return g.reshape(shape) if found or not g.size else None


# ------------------------------------------------------------------------------------------------------------ functions


def _divide(a: Dual, b: Dual) -> Dual:
    return a * b.through(1 / b.value, -1 / b.value**2)


def _maximum(a: Dual, b: Dual) -> Dual:
    share = 0.5 if a.value == b.value else float(a.value > b.value)
    return Dual(max(a.value, b.value), (a.through(0.0, share) + b.through(0.0, 1 - share)).slopes)


def _sigmoid(a: Dual) -> Dual:
    y = 1 / (1 + math.exp(-a.value))
    return a.through(y, y * (1 - y))


def _softmax(x: Any) -> Any:
    e = objects(np.frompyfunc(lambda d: d.through(math.exp(d.value), math.exp(d.value)), 1, 1)(x))
    return np.frompyfunc(_divide, 2, 1)(e, objects(e.sum(axis=-1, keepdims=True)))


class Function(NamedTuple):
    """An op, its naive model, and whose values its rules read.

    Attributes:
        ours, naive: the same function of nodes and of arrays of dual numbers; both take the params by name.
        reads: for each operand the operands that its vjp reads, by their numbers.
        view: whether the result may show its operand's memory.
        fits: whether the params of ``params`` suit operands of these values.
    """

    ours: Callable[..., Any]
    naive: Callable[..., Any]
    reads: tuple[tuple[int, ...], ...] = ((),)
    view: bool = False
    fits: Callable[..., bool] = lambda *_: True
    params: Callable[[DrawFn, Any], dict[str, Any]] = lambda *_: {}

    @property
    def arity(self) -> int:
        return len(self.reads)


def _each(f: Callable[..., Dual], n: int = 1) -> Callable[..., Any]:
    return np.frompyfunc(f, n, 1)


def _broadcast(a: Any, b: Any) -> bool:
    try:
        np.broadcast_shapes(a.shape, b.shape)
    except ValueError:
        return False
    return True


def _rows(draw: DrawFn, x: Any) -> dict[str, Any]:
    n = x.shape[0]
    some: list[Any] = [slice(None, None, -1), slice(1, None), (Ellipsis, None)]
    return {"index": draw(st.sampled_from([*some, 0, -1, [0, -1, 0], slice(0, None, 2)] if n else some))}


def _axis(draw: DrawFn, x: Any) -> dict[str, Any]:
    return {"axis": draw(st.sampled_from([None, *range(-x.ndim, x.ndim)])), "keepdims": draw(st.booleans())}


def _mask(draw: DrawFn, x: Any) -> dict[str, Any]:
    bits = draw(st.integers(0, 2 ** min(x.size, 12) - 1))
    return {"mask": np.array([bits >> i % 12 & 1 for i in range(x.size)], bool).reshape(x.shape)}


NOTHING: tuple[tuple[int, ...], ...] = ((),)
BOTH: tuple[tuple[int, ...], ...] = ((), ())
SCALAR = {
    "add": Function(tg.add, _each(Dual.__add__, 2), BOTH, fits=_broadcast),
    "subtract": Function(tg.subtract, _each(lambda a, b: a + b.through(-b.value, -1.0), 2), BOTH, fits=_broadcast),
    "multiply": Function(tg.multiply, _each(Dual.__mul__, 2), ((1,), (0,)), fits=_broadcast),
    "divide": Function(
        tg.divide,
        _each(_divide, 2),
        ((1,), (1,)),
        fits=lambda a, b: _broadcast(a, b) and np.abs(b).min(initial=1.0) > 0.2,
    ),
    "maximum": Function(tg.maximum, _each(_maximum, 2), ((0, 1), (0, 1)), fits=_broadcast),
    "negative": Function(tg.negative, _each(lambda a: a.through(-a.value, -1.0))),
    "exp": Function(
        tg.exp,
        _each(lambda a: a.through(math.exp(a.value), math.exp(a.value))),
        fits=lambda a: a.max(initial=0.0) < 4,
    ),
    "tanh": Function(tg.tanh, _each(lambda a: a.through(math.tanh(a.value), 1 - math.tanh(a.value) ** 2))),
    "sin": Function(tg.sin, _each(lambda a: a.through(math.sin(a.value), math.cos(a.value))), ((0,),)),
    "square": Function(tg.square, _each(lambda a: a.through(a.value**2, 2 * a.value)), ((0,),)),
    "relu": Function(tg.relu, _each(lambda a: a.through(max(a.value, 0.0), float(a.value > 0)))),
    "sigmoid": Function(tg.sigmoid, _each(_sigmoid)),
}
ARRAYS = {
    "getitem": Function(
        lambda x, index: x[index], lambda x, index: x[index], view=True, fits=lambda x: x.ndim > 0, params=_rows
    ),
    "transpose": Function(tg.transpose, np.transpose, view=True),
    "flatten": Function(lambda x: tg.reshape(x, -1), lambda x: x.reshape(-1), view=True),
    "widen": Function(
        lambda x: tg.broadcast_to(x, (2, *x.shape)),
        lambda x: np.broadcast_to(x, (2, *x.shape)),
        view=True,
        fits=lambda x: x.ndim < 3,
    ),
    "sum": Function(tg.sum, np.sum, params=_axis),
    "softmax": Function(
        tg.softmax, _softmax, fits=lambda x: x.ndim > 0 and x.shape[-1] > 0 and np.abs(x).max(initial=0.0) < 20
    ),
    "where": Function(
        lambda x, mask: tg.where(mask, x, 0.5), lambda x, mask: np.where(mask, x, Dual(0.5)), params=_mask
    ),
    "matmul": Function(
        tg.matmul,
        np.matmul,
        ((1,), (0,)),
        fits=lambda a, b: a.ndim in (1, 2) and b.ndim in (1, 2) and a.shape[-1] == b.shape[0],
    ),
    "concatenate": Function(
        lambda a, b: tg.concatenate([a, b]),
        lambda a, b: np.concatenate([a, b]),
        BOTH,
        fits=lambda a, b: a.ndim > 0 and a.shape == b.shape,
    ),
}
FUNCTIONS = {**SCALAR, **ARRAYS}


# ------------------------------------------------------------------------------------------------------------- programs


class Step(NamedTuple):
    """A function of earlier results, which are counted from the starts on."""

    name: str
    operands: tuple[int, ...]
    params: dict[str, Any]


class Program(NamedTuple):
    """Starting values, and what is computed from them, step by step."""

    starts: tuple[Any, ...]
    steps: tuple[Step, ...]

    def results(self, starts: Sequence[Any], naive: bool = False) -> list[Any]:
        """The starts and every result, in order."""
        found = list(starts)
        for step in self.steps:
            found.append(apply(step, [found[i] for i in step.operands], naive))
        return found

    def __call__(self, *starts: Any) -> Any:
        """The last result."""
        return self.results(starts)[-1]


def apply(step: Step, operands: Sequence[Any], naive: bool = False) -> Any:
    f = FUNCTIONS[step.name]
    return objects(f.naive(*operands, **step.params)) if naive else f.ours(*operands, **step.params)


def draw_step(draw: DrawFn, known: Sequence[Any], names: Sequence[str]) -> Step | None:
    """A step on ``known`` values; None if the one drawn fits none of them or grows large."""
    places = range(len(known))
    late = st.sampled_from(places[-3:]) | st.sampled_from(places)
    for _ in range(4):
        name = draw(st.sampled_from(names))
        f = FUNCTIONS[name]
        operands = tuple(draw(late) for _ in range(f.arity))
        xs = [np.asarray(known[i]) for i in operands]
        if f.fits(*xs):
            break
    else:
        return None
    step = Step(name, operands, f.params(draw, xs[0]))
    y = np.asarray(apply(step, xs))
    return step if np.abs(y).max(initial=0.0) < LARGE and y.size <= 64 else None


@st.composite
def programs(draw: DrawFn, scalar: bool = False, min_side: int = 0, max_steps: int = 12) -> Program:
    """A program whose last result depends on a start; of numbers and elementwise functions only, if ``scalar``."""
    n = draw(st.integers(1, 3))
    shapes = [()] * n if scalar else wide(draw, n, max_dims=2, min_side=min_side)
    quarters = st.integers(-8, 8).map(lambda k: k / 4)  # ties and zeros are frequent, sums of them exact
    starts = [np.array([draw(quarters) for _ in range(math.prod(shape))]).reshape(shape) for shape in shapes]
    known: list[Any] = list(starts)
    steps = []
    for _ in range(draw(st.integers(1, max_steps))):
        step = draw_step(draw, known, list(SCALAR if scalar else FUNCTIONS))
        if step is not None:
            steps.append(step)
            known.append(np.asarray(apply(step, [known[i] for i in step.operands])))
    return Program(tuple(starts), tuple(steps) or (Step("negative", (0,), {}),))


def is_smooth(program: Program) -> bool:
    """Whether no step stands at a kink."""
    found = program.results(program.starts)
    for step in program.steps:
        xs = [found[i] for i in step.operands]
        if step.name == "relu" and np.any(np.asarray(xs[0]) == 0):
            return False
        if step.name == "maximum" and np.any(np.equal(*xs)):
            return False
    return True
