"""Lowering: composite rows written with the functions of NumPy, by running their forward rules on terms."""

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np

from tinygrad_mlp import ops
from tinygrad_mlp.arrays import NUMPY
from tinygrad_mlp.table import OPS

from .terms import NUMBERS, Program, Term, ordered

# What a forward rule may call, by the name in the array API, and the row that does just this.
ROWS: dict[str, Any] = {
    "acos": ops.arccos, "acosh": ops.arccosh, "asin": ops.arcsin, "asinh": ops.arcsinh, "atan": ops.arctan,
    "atanh": ops.arctanh, "atan2": ops.arctan2, "abs": ops.abs, "add": ops.add, "cbrt": ops.cbrt, "ceil": ops.ceil,
    "copysign": ops.copysign, "cos": ops.cos, "cosh": ops.cosh, "divide": ops.divide, "erf": ops.erf,
    "erfc": ops.erfc, "exp": ops.exp, "exp2": ops.exp2, "expm1": ops.expm1, "floor": ops.floor,
    "floor_divide": ops.floor_divide, "fmax": ops.fmax, "fmin": ops.fmin, "fmod": ops.fmod,
    "heaviside": ops.heaviside, "hypot": ops.hypot, "isfinite": ops.isfinite, "isinf": ops.isinf, "isnan": ops.isnan,
    "log": ops.log, "log10": ops.log10, "log1p": ops.log1p, "log2": ops.log2, "logaddexp": ops.logaddexp,
    "logaddexp2": ops.logaddexp2, "logical_and": ops.logical_and, "logical_not": ops.logical_not,
    "logical_or": ops.logical_or, "logical_xor": ops.logical_xor, "maximum": ops.maximum, "minimum": ops.minimum,
    "multiply": ops.multiply, "negative": ops.negative, "remainder": ops.remainder, "round": ops.rint,
    "sign": ops.sign, "signbit": ops.signbit, "sin": ops.sin, "sinh": ops.sinh, "sqrt": ops.sqrt,
    "subtract": ops.subtract, "tan": ops.tan, "tanh": ops.tanh, "trunc": ops.trunc, "where": ops.where,
    "matmul": ops.matmul,
}  # fmt: skip
# Rows that stay as they are: the emitter knows what NumPy calls them.
BASIC = frozenset((
    *ROWS.values(), ops.power, ops.square, ops.reciprocal, ops.greater, ops.greater_equal, ops.less, ops.less_equal,
    ops.equal, ops.not_equal, ops.reshape, ops.transpose, ops.broadcast_to, ops.getitem, ops.astype, ops.concatenate,
    ops.stack, ops.sum, ops.prod, ops.max, ops.min, ops.any, ops.all, ops.argmax, ops.argmin,
    ops.scatter, OPS["contraction"], OPS["dropout_mask"], OPS["recurrence"], ops.argsort,
))  # fmt: skip


class Routine:
    """A function of arrays that is no row of the table; it is met in lowered programs only.

    Attributes:
        name, forward: As of a row.
    """

    elementwise = scalars = random = saves = view = False

    def __init__(self, name: str, forward: Callable[..., Any]) -> None:
        """Take both."""
        self.name = name
        self.forward = forward

    def __repr__(self) -> str:
        return f"<{self.name}>"


WITH_ONES = Routine("with_ones", lambda xp, x: np.concatenate([x, np.ones((1, x.shape[1]), x.dtype)]))


def _beside(_xp: Any, weights: Any, bias: Any, *, negated: bool) -> Any:
    both = np.concatenate([weights, bias], axis=1)
    return -both if negated else both


BESIDE = Routine("beside", _beside)  # a column beside a matrix
TAKE = Routine("take", lambda xp, x, places, *, axis: np.take(x, places, axis=axis))  # slices along an axis
PICK = Routine("pick", lambda xp, x, i, j: x[i, j])  # elements by their rows and columns
COPY = Routine("copy", lambda xp, x: np.ascontiguousarray(x))  # in C order
DOT = Routine("vdot", lambda xp, a, b: np.vdot(a, b))
SUM_PRODUCT = Routine("sum_product", lambda xp, weights, x: xp.sum_product(weights, x))


class Lowered:
    """The namespace that records: what a forward rule calls becomes terms of one program."""

    apply = None

    def __init__(self, program: Program) -> None:
        """Record in ``program``."""
        self.program = program

    def __getattr__(self, name: str) -> Any:
        """Return the function of that name as one that makes terms; a dtype as it is."""
        row = ROWS.get(name)
        if row is not None:
            return lambda *operands: self.program.make(row, *operands)
        found = getattr(np, name, None)
        if isinstance(found, type | float):
            return found
        raise NotLowered(f"no row does what {name} does")

    def quiet(self) -> AbstractContextManager[None]:
        """Return a context that does nothing: a program runs without warnings."""
        return nullcontext()

    def isdtype(self, dtype: Any, kind: Any) -> Any:
        """Return whether a dtype is of a kind; that of a Python number is the one of an array of it."""
        return NUMPY.isdtype(np.dtype(dtype), kind)

    def result_type(self, *xs: Any) -> Any:
        """Return the dtype that NumPy gives to results of the operands."""
        return np.result_type(*(x.dtype if type(x) is Term and not x.is_number else _plain(x) for x in xs))

    def finfo(self, dtype: Any) -> Any:
        """Return the limits of a dtype."""
        return np.finfo(dtype)

    def asarray(self, x: Any, dtype: Any = None, copy: bool | None = None) -> Any:  # noqa: ARG002  (the standard's)
        """Return a term as an array."""
        if type(x) is not Term:
            return np.asarray(x, dtype)
        if not x.is_number and (dtype is None or x.dtype == dtype):
            return x
        return self.program.make(ops.astype, x, dtype=np.dtype(dtype or x.dtype))

    def astype(self, x: Any, dtype: Any) -> Any:
        """Return ``x`` in another dtype."""
        return self.program.make(ops.astype, x, dtype=np.dtype(dtype))

    def full_like(self, x: Any, value: float) -> Any:
        """Return an array of one value without its memory."""
        return self.program.constant(np.broadcast_to(np.asarray(value, x.dtype), x.shape))

    def zeros_like(self, x: Any) -> Any:
        """Return zeros."""
        return self.full_like(x, 0)

    def ones_like(self, x: Any) -> Any:
        """Return ones."""
        return self.full_like(x, 1)

    def arange(self, n: int) -> Any:
        """Return the integers below ``n``."""
        return np.arange(n)

    def zeros(self, shape: Any, dtype: Any = None) -> Any:
        """Return zeros without their memory."""
        return np.broadcast_to(np.zeros((), dtype), shape)

    def ones(self, shape: Any, dtype: Any = None) -> Any:
        """Return ones without their memory."""
        return np.broadcast_to(np.ones((), dtype), shape)

    def reshape(self, x: Any, shape: Any) -> Any:
        """Return ``x`` in another shape; one length may be -1."""
        return self.program.make(ops.reshape, x, shape=shape)

    def permute_dims(self, x: Any, axes: Any) -> Any:
        """Return ``x`` with its axes in another order."""
        return self.program.make(ops.transpose, x, axes=tuple(axes))

    def matrix_transpose(self, x: Any) -> Any:
        """Return ``x`` with its last two axes exchanged."""
        axes = list(range(x.ndim))
        return self.permute_dims(x, (*axes[:-2], axes[-1], axes[-2]))

    def expand_dims(self, x: Any, axis: int) -> Any:
        """Return ``x`` with a new axis."""
        shape = list(x.shape)
        shape.insert(axis % (x.ndim + 1), 1)
        return self.reshape(x, tuple(shape))

    def broadcast_to(self, x: Any, shape: Any) -> Any:
        """Return ``x`` repeated."""
        return self.program.make(ops.broadcast_to, x, shape=tuple(shape))

    def concat(self, xs: Sequence[Any], axis: int | None = 0) -> Any:
        """Return arrays joined along an axis."""
        return self.program.make(ops.concatenate, *xs, axis=axis)

    def stack(self, xs: Sequence[Any], axis: int = 0) -> Any:
        """Return arrays joined along a new axis."""
        return self.program.make(ops.stack, *xs, axis=axis)

    def take_along_axis(self, x: Any, indices: Any, axis: int) -> Any:
        """Return the elements at indices along an axis; one of each row by one index, which NumPy does much faster."""
        if axis == -1 and x.ndim == 2 and indices.shape == (x.shape[0], 1) and type(indices) is Term:
            rows = self.program.constant(np.arange(x.shape[0]))
            labels = self.reshape(indices, (x.shape[0],))
            like = (labels.shape, x.dtype)
            return self.reshape(self.program.put(PICK, (x, rows, labels), {}, like), (x.shape[0], 1))
        places = self._one_for_all(x, indices, axis)
        if places is not None:
            shape = (*x.shape[:axis], places.size, *x.shape[axis + 1 :])
            return self.program.put(TAKE, (x, places), {"axis": axis}, (shape, x.dtype))
        return self.program.make(ops.take_along_axis, x, indices, axis=axis)

    def _one_for_all(self, x: Any, indices: Any, axis: int) -> Any:
        """Return indices that are the same for every line along an axis, as an array of one axis; else None."""
        inner = indices.inputs[0] if type(indices) is Term and indices.op is ops.broadcast_to else indices
        if type(inner) is not Term or axis < 0 or inner.ndim != x.ndim or inner.size != inner.shape[axis]:
            return None
        wide = (*x.shape[:axis], inner.shape[axis], *x.shape[axis + 1 :])
        return self.reshape(inner, (inner.size,)) if np.broadcast_shapes(indices.shape, wide) == wide else None

    def _reduced(self, op: Any, x: Any, axis: Any, keepdims: bool) -> Any:
        return self.program.make(op, x, axis=axis, keepdims=keepdims)

    def sum(self, x: Any, axis: Any = None, keepdims: bool = False) -> Any:
        """Return the sum over axes."""
        return self._reduced(ops.sum, x, axis, keepdims)

    def prod(self, x: Any, axis: Any = None, keepdims: bool = False) -> Any:
        """Return the product over axes."""
        return self._reduced(ops.prod, x, axis, keepdims)

    def max(self, x: Any, axis: Any = None, keepdims: bool = False) -> Any:
        """Return the maximum over axes."""
        return self._reduced(ops.max, x, axis, keepdims)

    def min(self, x: Any, axis: Any = None, keepdims: bool = False) -> Any:
        """Return the minimum over axes."""
        return self._reduced(ops.min, x, axis, keepdims)

    def any(self, x: Any, axis: Any = None, keepdims: bool = False) -> Any:
        """Return whether an element is nonzero."""
        return self._reduced(ops.any, x, axis, keepdims)

    def all(self, x: Any, axis: Any = None, keepdims: bool = False) -> Any:
        """Return whether all elements are nonzero."""
        return self._reduced(ops.all, x, axis, keepdims)

    def argmax(self, x: Any, axis: Any = None, keepdims: bool = False) -> Any:
        """Return the place of the maximum."""
        return self._reduced(ops.argmax, x, axis, keepdims)

    def argmin(self, x: Any, axis: Any = None, keepdims: bool = False) -> Any:
        """Return the place of the minimum."""
        return self._reduced(ops.argmin, x, axis, keepdims)

    def mean(self, x: Any, axis: Any = None, keepdims: bool = False) -> Any:
        """Return the mean over axes: the sum over the number of elements, as NumPy computes it."""
        n = ops.reductions.count(x.shape, axis)
        if np.dtype(x.dtype).kind != "f":
            x = self.astype(x, np.float64)
        return self.sum(x, axis, keepdims) / n

    def var(self, x: Any, axis: Any = None, correction: float = 0, keepdims: bool = False) -> Any:
        """Return the variance over axes."""
        n = ops.reductions.count(x.shape, axis)
        deviation = x - self.mean(x, axis, True)
        return self.sum(deviation * deviation, axis, keepdims) / max(n - correction, 0)

    def std(self, x: Any, axis: Any = None, correction: float = 0, keepdims: bool = False) -> Any:
        """Return the standard deviation over axes."""
        return self.program.make(ops.sqrt, self.var(x, axis, correction, keepdims))

    def sum_to(self, x: Any, shape: tuple[int, ...]) -> Any:
        """Return ``x`` summed down to a shape that broadcasts to its own."""
        extra = x.ndim - len(shape)
        axes = tuple(i for i, n in enumerate(x.shape) if i < extra or shape[i - extra] != n)
        return self.reshape(self.sum(x, axes) if axes else x, shape)

    def sum_product(self, weights: Any, x: Any) -> Any:
        """Return the sum of ``weights * x``, where a weight of 0 takes away even an infinity."""
        return self.program.make(SUM_PRODUCT, weights, x)

    def scatter(self, values: Any, shape: tuple[int, ...], index: Any) -> Any:
        """Return zeros of a shape with values added at an index."""
        if any(type(part) is Term for part in (index if type(index) is tuple else (index,))):
            raise NotLowered("an index that is computed")
        return self.program.make(ops.scatter, values, shape=shape, index=index)

    def recurrence(self, a: Any, b: Any) -> Any:
        """Return ``s`` with ``s[k] = a[k] s[k-1] + b[k]``."""
        return self.program.make(OPS["recurrence"], a, b)


class NotLowered(Exception):
    """A forward rule that needs more than the namespace has; its row stays as it is."""


def _plain(x: Any) -> Any:
    return x.dtype(1) if type(x) is Term else x


def lower(program: Program, roots: Iterable[Any], leaves: dict[int, Term]) -> dict[int, Term]:
    """Return by ``id`` for each term that ``roots`` need the one in ``program`` that computes it by basic rows.

    Args:
        program: Where to write them.
        roots: Terms of another program.
        leaves: The inputs of ``program`` for those of the other one, by ``id``; filled up and returned.
    """
    namespace = Lowered(program)
    for term in ordered(roots):
        if id(term) in leaves:
            continue
        if term.op is None:
            found = program.constant(term.value)
        else:
            before = len(program.made)
            found = _lowered(namespace, term, tuple(x if x is None else leaves[id(x)] for x in term.inputs))
            for step in program.made[before:]:
                step.inner = step is not found
        if term.name and found.op is not None and not found.name:
            found.name = term.name
        leaves[id(term)] = found
    return leaves


def _lowered(namespace: Lowered, term: Term, inputs: tuple[Any, ...]) -> Term:
    """Return the term of basic rows for one term."""
    program, op = namespace.program, term.op
    like = (term.shape, term.dtype)
    if op is not ops.argsort and not op.scalars:
        inputs = tuple(namespace.asarray(x) if x is not None and x.is_number else x for x in inputs)
    if op is ops.square and inputs[0].dtype == bool:  # NumPy's own gives integers
        return program.put(ops.multiply, inputs * 2, {}, like)
    if op in BASIC and not term.params.get("reverse"):
        return program.put(op, inputs, term.params, like)
    try:
        found = op.forward(namespace, *inputs, **term.params)
    except (NotLowered, AttributeError, TypeError):
        return program.put(op, inputs, term.params, like)
    found = program.constant(found[0] if op.saves else found)
    if found.shape != term.shape or (found.dtype != term.dtype and not found.is_number):
        raise AssertionError(f"{op.name} was lowered to {found}, and gives {term}")
    return found


Rule = Callable[..., Any]
__all__ = ["BASIC", "NUMBERS", "Lowered", "NotLowered", "lower"]
