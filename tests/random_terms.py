"""Random programs of terms, as the compiler lowers functions to, on arrays long enough for vectors and loops."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from tinygrad_mlp import ops
from tinygrad_mlp.rewrite import DOT, SUM_PRODUCT, Program, Term, ordered
from tinygrad_mlp.rewrite.terms import evaluate

UNARY = (
    ops.exp, ops.log, ops.log1p, ops.expm1, ops.sqrt, ops.square, ops.abs, ops.negative, ops.sin, ops.cos, ops.tanh,
    ops.arctan, ops.erf, ops.erfc, ops.cbrt, ops.sinh, ops.reciprocal, ops.exp2, ops.isnan, ops.isfinite, ops.arcsinh,
)  # fmt: skip
BINARY = (
    ops.add, ops.subtract, ops.multiply, ops.divide, ops.maximum, ops.minimum, ops.fmax, ops.hypot, ops.arctan2,
    ops.logaddexp, ops.copysign, ops.power,
)  # fmt: skip
COMPARISONS = (ops.greater, ops.less_equal, ops.equal, ops.not_equal)
REDUCTIONS = (ops.sum, ops.sum, ops.sum, ops.max, ops.min, ops.prod, ops.any, ops.all)
SPECIAL = (np.nan, np.inf, -np.inf, -0.0, 1e30, -1e-38)


class Sample(NamedTuple):
    """A program with what it is called with."""

    inputs: list[Term]
    values: list[Any]
    roots: list[Term]

    def expected(self) -> list[Any]:
        """What NumPy gives, one row after the other."""
        known = {id(t): v for t, v in zip(self.inputs, self.values, strict=True)}
        for t in ordered(self.roots):
            if id(t) not in known:
                known[id(t)] = t.value if t.is_constant else computed(t, [known[id(x)] for x in t.inputs])
        return [known[id(t)] for t in self.roots]

    def is_single(self) -> bool:
        """Whether any number is of single precision."""
        return any(t.dtype == np.float32 for t in ordered(self.roots))


def computed(t: Term, xs: Sequence[Any]) -> Any:
    with np.errstate(all="ignore"):
        if t.op in (DOT, SUM_PRODUCT):
            a, b = (np.asarray(x, float) for x in xs)
            return np.asarray(np.sum(np.where((a == 0) & (t.op is SUM_PRODUCT), 0.0, a * b)), t.dtype)
        y = evaluate(t.op, list(xs), t.params)
    return y if t.is_number else np.asarray(y)


class Maker:
    """Makes a program from a seed."""

    def __init__(self, seed: int, special: bool) -> None:
        self.rng = np.random.default_rng(seed)
        self.program = Program()
        self.special = special
        self.dtype = self.one([np.float64, np.float32])
        n, f, g = self.one([5, 18, 33, 70]), int(self.rng.integers(1, 5)), int(self.rng.integers(1, 40))
        self.shapes = [(n,), (n, f), (n, 1), (f,), (), (1, f), (f, g), (f, n), (n, g), (g,), (2, n, f)]
        self.inputs: list[Term] = []
        self.values: list[Any] = []

    def one(self, choices: Sequence[Any]) -> Any:
        return choices[int(self.rng.integers(len(choices)))]

    def input(self) -> None:
        name = f"x{len(self.inputs)}"
        if self.rng.random() < 0.15:
            self.inputs.append(self.program.input((), float, name))
            self.values.append(float(self.rng.integers(-8, 9) / 4))
            return
        shape = self.one(self.shapes)
        x = (self.rng.integers(-8, 9, shape) / 4).astype(self.dtype)
        if self.special:
            x = np.where(self.rng.random(shape) < 0.05, self.rng.choice(SPECIAL, shape), x).astype(self.dtype)
        self.inputs.append(self.program.input(shape, np.dtype(self.dtype), name))
        self.values.append(np.asarray(x))

    def step(self, known: Sequence[Term]) -> Term | None:
        """A row of earlier terms; None if the one drawn does not suit them."""
        a, b = self.one(known[-4:]), self.one(known)
        kind = self.rng.random()
        make = self.program.make
        if kind < 0.25:
            return make(self.one(UNARY), a)
        if kind < 0.5:
            return make(self.one(BINARY), a, self.one([b, b, b, 2.0, -1, 3]))
        if kind < 0.58:  # of what is exact: rounding must not decide
            condition = make(self.one(COMPARISONS), self.one(self.inputs), self.one(self.inputs))
            return make(ops.where, condition, a, self.one([b, 0.0]))
        if a.is_number or not a.ndim:
            return None
        if kind < 0.72:
            axes = self.rng.permutation(a.ndim)[: int(self.rng.integers(1, a.ndim + 1))]
            axis = tuple(sorted(int(i) for i in axes))
            return make(self.one(REDUCTIONS), a, axis=axis, keepdims=self.one([True, False]))
        if kind < 0.84:
            return self.product(a, b)
        return self.view(a)

    def product(self, a: Term, b: Term) -> Term | None:
        if b.is_number or a.dtype.kind != "f" or a.dtype != b.dtype:
            return None
        if a.shape == b.shape and self.rng.random() < 0.3:
            return self.program.make(self.one([DOT, SUM_PRODUCT]), a, b)
        if not (a.ndim in (1, 2) and b.ndim in (1, 2)):
            return None
        if a.shape[-1] != b.shape[0]:
            a = self.program.make(ops.transpose, a, axes=tuple(range(a.ndim))[::-1])
        return self.program.make(ops.matmul, a, b) if a.shape[-1] == b.shape[0] else None

    def view(self, a: Term) -> Term:
        make = self.program.make
        index = self.one([(slice(None, None, -1),), (slice(1, None),), (Ellipsis, 0), (0,), (None,)])
        shape = self.one([(*a.shape, 1), (1, *a.shape), (a.size,)])
        axes = tuple(int(i) for i in self.rng.permutation(a.ndim))
        return self.one([
            make(ops.transpose, a, axes=axes),
            make(ops.reshape, a, shape=shape),
            make(ops.getitem, a, index=index),
            make(ops.broadcast_to, a, shape=(2, *a.shape)),
        ])  # fmt: skip


def sample(seed: int, special: bool = False, steps: int = 12) -> Sample:
    """A program of up to so many steps; ``special`` puts NaN, infinities and the like into its inputs."""
    maker = Maker(seed, special)
    for _ in range(int(maker.rng.integers(2, 5))):
        maker.input()
    known = list(maker.inputs)
    for _ in range(int(maker.rng.integers(2, steps))):
        try:
            t = maker.step(known)
        except (ValueError, TypeError):  # shapes or dtypes that do not fit
            continue
        if t is not None and t.op is not None and 0 < t.size <= 20_000:
            known.append(t)
    made = [t for t in known if t.op is not None] or [maker.program.make(ops.negative, maker.inputs[0])]
    picked = [made[-1], *(maker.one(made) for _ in range(int(maker.rng.integers(0, 3))))]
    return Sample(maker.inputs, maker.values, list({id(t): t for t in picked}.values()))
