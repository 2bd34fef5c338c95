"""Terms: what a recorded graph computes, without its numbers. Equal terms are one object."""

import copy
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from tinygrad_mlp import ops, scalars
from tinygrad_mlp.arrays import NUMPY
from tinygrad_mlp.table import Op

ndarray = np.ndarray
NUMBERS = (float, int, bool)
FOLDED = 4096  # elements; a larger constant is computed where it is used, and not kept in memory


class Term:
    """An input, a constant, or an op of terms.

    Attributes:
        op: The row of the table; None for inputs and constants.
        inputs: The operands: terms, or None where an operand is left out.
        params: What the row takes beside operands.
        shape, dtype: Of the result. The dtype of a Python number, which never widens an array, is its type.
        value: The number or array of a constant; None for everything else.
        name: What the user calls it; may be set.
        inner: Whether it is a step inside of a composite row.
    """

    __slots__ = ("dtype", "inner", "inputs", "name", "op", "params", "program", "shape", "value")

    def __init__(
        self,
        program: "Program",
        op: Any,
        inputs: tuple[Any, ...],
        params: dict[str, Any],
        shape: tuple[int, ...],
        dtype: Any,
        value: Any = None,
        name: str = "",
    ) -> None:
        """Take what the attributes say; ``Program`` makes terms."""
        self.program = program
        self.op = op
        self.inputs = inputs
        self.params = params
        self.shape = shape
        self.dtype = dtype
        self.value = value
        self.name = name
        self.inner = False

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """The number of elements."""
        n = 1
        for length in self.shape:
            n *= length
        return n

    @property
    def nbytes(self) -> int:
        """The bytes of the result."""
        return self.size * (8 if self.is_number else int(self.dtype.itemsize))

    @property
    def is_number(self) -> bool:
        """Whether the result is a Python number."""
        return type(self.dtype) is type

    @property
    def is_constant(self) -> bool:
        """Whether the value is known."""
        return self.value is not None

    @property
    def number(self) -> Any:
        """The value of a constant that has one element, or all of whose elements are the same; else None."""
        v = self.value
        if v is None or type(v) in NUMBERS:
            return v
        if v.size == 1 or (v.size and not any(v.strides)):
            return v.flat[0].item()
        return None

    @property
    def T(self) -> "Term":  # noqa: N802  (NumPy's name)
        """The term with its axes reversed."""
        return self.program.make(ops.transpose, self)

    def __repr__(self) -> str:
        what = self.name or (self.op.name if self.op is not None else f"{self.value!r}"[:30])
        return f"<{what} {self.shape} {getattr(self.dtype, '__name__', self.dtype)}>"

    # what forward rules write

    def _of(self, op: Op, *operands: Any) -> "Term":
        return self.program.make(op, *operands)

    def __add__(self, other: Any) -> "Term":
        return self._of(ops.add, self, other)

    def __radd__(self, other: Any) -> "Term":
        return self._of(ops.add, other, self)

    def __sub__(self, other: Any) -> "Term":
        return self._of(ops.subtract, self, other)

    def __rsub__(self, other: Any) -> "Term":
        return self._of(ops.subtract, other, self)

    def __mul__(self, other: Any) -> "Term":
        return self._of(ops.multiply, self, other)

    def __rmul__(self, other: Any) -> "Term":
        return self._of(ops.multiply, other, self)

    def __truediv__(self, other: Any) -> "Term":
        return self._of(ops.divide, self, other)

    def __rtruediv__(self, other: Any) -> "Term":
        return self._of(ops.divide, other, self)

    def __pow__(self, other: Any) -> "Term":
        return self._of(ops.power, self, other)

    def __matmul__(self, other: Any) -> "Term":
        return self._of(ops.matmul, self, other)

    def __neg__(self) -> "Term":
        return self._of(ops.negative, self)

    def __pos__(self) -> "Term":
        return self

    def __abs__(self) -> "Term":
        return self._of(ops.abs, self)

    def __gt__(self, other: Any) -> "Term":
        return self._of(ops.greater, self, other)

    def __ge__(self, other: Any) -> "Term":
        return self._of(ops.greater_equal, self, other)

    def __lt__(self, other: Any) -> "Term":
        return self._of(ops.less, self, other)

    def __le__(self, other: Any) -> "Term":
        return self._of(ops.less_equal, self, other)

    def __eq__(self, other: object) -> Any:
        return self._of(ops.equal, self, other)

    def __ne__(self, other: object) -> Any:
        return self._of(ops.not_equal, self, other)

    def __and__(self, other: Any) -> "Term":
        return self._of(ops.logical_and, self, other)

    def __or__(self, other: Any) -> "Term":
        return self._of(ops.logical_or, self, other)

    def __invert__(self) -> "Term":
        return self._of(ops.logical_not, self)

    def __getitem__(self, index: Any) -> "Term":
        return self.program.make(ops.getitem, self, index=index)

    def __bool__(self) -> bool:
        raise TypeError("a forward rule branches on a value; it may branch on shapes and dtypes only")

    __hash__ = object.__hash__


class Program:
    """Terms made so far, each once, and the rules that they went through.

    Args:
        rules: Functions ``rule(program, *inputs, **params)`` by op, each with a ``title``, that give a better term for
            a call of that op, or None; they are tried in order.

    Attributes:
        fired: How often each rule gave a term.
        calling: The op of the call that a rule looks at.
        made: The terms of ops, in the order in which they were made.
    """

    def __init__(self, rules: dict[Any, Sequence[Any]] | None = None) -> None:
        """Begin with no terms."""
        self.rules = rules or {}
        self.fired: Counter[str] = Counter()
        self.calling: Any = None
        self.made: list[Term] = []
        self._known: dict[Any, Term] = {}

    def input(self, shape: tuple[int, ...], dtype: Any, name: str = "") -> Term:
        """Return a new input."""
        return Term(self, None, (), {}, shape, dtype, name=name)

    def constant(self, value: Any) -> Term:
        """Return the constant of a number or an array."""
        if type(value) is Term:
            return value
        if type(value) in NUMBERS:
            key: Any = (type(value), value.hex() if type(value) is float else value)
            made = Term(self, None, (), {}, (), type(value), value)
        else:
            value = _thin(np.asarray(value))
            key = (value.shape, value.dtype, value.strides, value.tobytes() if value.size <= FOLDED else id(value))
            made = Term(self, None, (), {}, value.shape, value.dtype, value)
        return self._known.setdefault(key, made)

    def make(self, op: Any, *inputs: Any, **params: Any) -> Term:
        """Return the term of an op of terms, numbers and arrays: a known one, a constant, or what a rule gives."""
        terms = tuple(x if x is None or type(x) is Term else self.constant(x) for x in inputs)
        return self.put(op, terms, params)

    def put(self, op: Any, inputs: tuple[Any, ...], params: dict[str, Any], like: Any = None) -> Term:
        """Return the same, where the shape and dtype of the result may be known from ``like``."""
        for rule in self.rules.get(op, ()):
            self.calling = op
            found = rule(self, *inputs, **params)
            if found is not None:
                self.fired[rule.title] += 1
                return found  # type: ignore[no-any-return]
        if op.random:
            return Term(self, op, inputs, params, *(like or infer(op, inputs, params)))
        key = (op, tuple(map(id, inputs)), freeze(params))
        known = self._known.get(key)
        if known is None:
            shape, dtype = like or infer(op, inputs, params)
            known = Term(self, op, inputs, params, shape, dtype)
            if all(x is None or x.is_constant for x in inputs) and known.size <= FOLDED:
                self.fired["constant folding"] += 1
                known = self.constant(evaluate(op, [None if x is None else x.value for x in inputs], params))
            self._known[key] = known
            self.made.append(known)
        elif like is not None:
            self.fired["common subexpression"] += 1
        return known


def _thin(value: Any) -> Any:
    """Return an array of equal elements without the memory of all but one."""
    if value.size < 2 or not any(value.strides):
        return value
    first = value.flat[0]
    if (value == first).all() and (first != 0 or value.dtype.kind != "f" or not np.signbit(value).any()):
        return np.broadcast_to(np.asarray(first), value.shape)
    return value


def freeze(value: Any) -> Any:
    """Return something hashable that is equal for equal params."""
    if isinstance(value, dict):
        return tuple((k, freeze(value[k])) for k in sorted(value))
    if isinstance(value, list | tuple):
        return (type(value).__name__, *map(freeze, value))
    if isinstance(value, slice):
        return ("slice", value.start, value.stop, value.step)
    if isinstance(value, ndarray):
        return (value.shape, value.dtype.str, value.tobytes())
    try:
        hash(value)
    except TypeError:
        return id(value)
    return (type(value).__name__, value)


def evaluate(op: Any, values: Sequence[Any], params: dict[str, Any]) -> Any:
    """Return what an op gives on numbers and arrays."""
    arrays = any(isinstance(v, ndarray) for v in values)
    if not arrays and op.scalars:
        y = op.forward(scalars, *values, **params)
    else:
        values = values if op.scalars else [v if v is None else np.asarray(v) for v in values]
        with np.errstate(all="ignore"):
            y = op.forward(NUMPY, *values, **params)
    return y[0] if op.saves else y


# -------------------------------------------------------------------------------------------------- shapes and dtypes


def infer(op: Any, inputs: Sequence[Any], params: dict[str, Any]) -> tuple[tuple[int, ...], Any]:
    """Return the shape and dtype of what an op gives."""
    if op.elementwise:
        shape = np.broadcast_shapes(*(x.shape for x in inputs if x is not None))
        return shape, _dtype_of(op, tuple(None if x is None else x.dtype for x in inputs), freeze(params), params)
    if op is ops.matmul:
        return _product_shape(*inputs), np.result_type(*(x.dtype for x in inputs))
    if op in REDUCTIONS:
        (x,) = inputs
        found = evaluate(op, [np.ones((1,) * x.ndim, _array_dtype(x))], params)
        return reduced_shape(x.shape, params), np.asarray(found).dtype
    dummies = [None if x is None else x.value if x.is_constant else _dummy(x) for x in inputs]
    found = evaluate(op, dummies, copy.deepcopy(params) if op.random else params)  # no generator may move on
    if type(found) in NUMBERS:
        return (), type(found)
    return np.shape(found), np.asarray(found).dtype


REDUCTIONS = frozenset((ops.sum, ops.max, ops.min, ops.any, ops.all, ops.prod, ops.mean))


def _array_dtype(x: Term) -> Any:
    return np.dtype(x.dtype)


def _dummy(x: Term) -> Any:
    """Return an array like the one that ``x`` stands for; a matrix can be inverted, and has a Cholesky factor."""
    if x.is_number:
        return x.dtype(1)
    if x.dtype.kind in "iu":
        return np.zeros(x.shape, x.dtype)  # an index that exists
    y = np.ones(x.shape, x.dtype)
    if x.ndim > 1 and x.dtype.kind == "f" and x.shape[-1] == x.shape[-2]:
        y += np.eye(x.shape[-2], dtype=x.dtype)
    return y


def reduced_shape(shape: Sequence[int], params: dict[str, Any]) -> tuple[int, ...]:
    """Return the shape of a reduction with the params ``axis`` and ``keepdims``."""
    axes = ops.reductions.reduced_axes(params.get("axis"), len(shape))
    if params.get("keepdims"):
        return tuple(1 if i in axes else n for i, n in enumerate(shape))
    return tuple(n for i, n in enumerate(shape) if i not in axes)


def _product_shape(a: Term, b: Term) -> tuple[int, ...]:
    row, column = a.ndim == 1, b.ndim == 1
    left, right = ((1, *a.shape) if row else a.shape), ((*b.shape, 1) if column else b.shape)
    batch = np.broadcast_shapes(left[:-2], right[:-2])
    return batch + (() if row else left[-2:-1]) + (() if column else right[-1:])


_dtypes: dict[Any, Any] = {}


def _dtype_of(op: Any, kinds: tuple[Any, ...], frozen: Any, params: dict[str, Any]) -> Any:
    """Return the dtype of an elementwise op by a call on ones."""
    key = (op, kinds, frozen)
    if key not in _dtypes:
        ones = [None if k is None else k(1) if type(k) is type else np.ones(1, k) for k in kinds]
        found = evaluate(op, ones, params)
        if type(found) in NUMBERS:  # among numbers the larger of True and -2.0 may be either
            _dtypes[key] = float if type(found) is bool and op.differentiable else type(found)
        else:
            _dtypes[key] = np.asarray(found).dtype
    return _dtypes[key]


# ------------------------------------------------------------------------------------------------------------- walking


def ordered(roots: Iterable[Any]) -> list[Term]:
    """Return the terms that ``roots`` need, themselves included, each after its operands."""
    order: list[Term] = []
    seen: set[int] = set()
    stack: list[Any] = [x for x in reversed(list(roots)) if x is not None]
    while stack:
        term = stack.pop()
        if type(term) is tuple:
            order.append(term[0])
        elif id(term) not in seen:
            seen.add(id(term))
            stack.append((term,))
            stack.extend(x for x in reversed(term.inputs) if x is not None and id(x) not in seen)
    return order


def uses(order: Iterable[Term], roots: Iterable[Any] = ()) -> Counter[int]:
    """Return by ``id`` how often each term is an operand or a root."""
    found: Counter[int] = Counter(id(x) for term in order for x in term.inputs if x is not None)
    found.update(id(x) for x in roots if x is not None)
    return found
