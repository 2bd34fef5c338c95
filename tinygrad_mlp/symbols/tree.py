"""A symbol: a letter, or an op applied to symbols and numbers; every op of the table takes it as an operand."""

from typing import Any

import numpy as np

from tinygrad_mlp.errors import UnsupportedError
from tinygrad_mlp.ops.comparison import (
    equal,
    greater,
    greater_equal,
    less,
    less_equal,
    logical_and,
    logical_not,
    logical_or,
    not_equal,
)
from tinygrad_mlp.ops.elementwise import abs, add, divide, multiply, negative, power, subtract
from tinygrad_mlp.ops.indexing import getitem, plain_index
from tinygrad_mlp.ops.linalg import matmul
from tinygrad_mlp.ops.shaping import transpose
from tinygrad_mlp.table import Op

FLOAT = np.dtype(np.float64)


class Symbol:
    """A formula: a letter that stands for any finite number or array, or an op with its operands.

    Python's operators and all ops make formulas of formulas; rules read ``shape``, ``ndim``, ``size``, ``dtype`` and
    ``T`` as of an array. ``Formula`` prints it as text and in LaTeX.

    Args:
        letter: what it prints as.
        shape: of the array that it stands for; () for a number.
        latex: what it prints as in LaTeX, if not the letter.
        dtype: of that array.
    """

    __slots__ = ("dtype", "inputs", "latex", "letter", "op", "params", "shape", "value")
    __array_ufunc__ = None  # an array's operators leave the work to ours

    def __init__(self, letter: str, shape: tuple[int, ...] = (), latex: str = "", dtype: Any = FLOAT) -> None:
        self.letter = letter
        self.latex = latex or letter
        self.shape = tuple(shape)
        self.dtype = np.dtype(dtype)
        self.op: Op | None = None
        self.inputs: tuple[Any, ...] = ()
        self.params: dict[str, Any] = {}
        self.value: Any = None  # of a constant array

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """The number of elements."""
        return int(np.prod(self.shape, dtype=int))

    @property
    def T(self) -> Any:  # noqa: N802  (NumPy's name)
        """The transpose."""
        return transpose(self)

    def __repr__(self) -> str:
        return self.letter if self.op is None else f"{self.op.name}({', '.join(map(repr, self.inputs))})"

    def __bool__(self) -> bool:
        raise UnsupportedError("a symbol has no truth value: a rule that runs on symbols chooses with where")

    def __iter__(self) -> Any:
        raise UnsupportedError("a symbol has no elements to iterate over: index it")

    def __add__(self, other: Any) -> Any:
        return add(self, other)

    def __radd__(self, other: Any) -> Any:
        return add(other, self)

    def __sub__(self, other: Any) -> Any:
        return subtract(self, other)

    def __rsub__(self, other: Any) -> Any:
        return subtract(other, self)

    def __mul__(self, other: Any) -> Any:
        return multiply(self, other)

    def __rmul__(self, other: Any) -> Any:
        return multiply(other, self)

    def __truediv__(self, other: Any) -> Any:
        return divide(self, other)

    def __rtruediv__(self, other: Any) -> Any:
        return divide(other, self)

    def __pow__(self, other: Any) -> Any:
        return power(self, other)

    def __rpow__(self, other: Any) -> Any:
        return power(other, self)

    def __matmul__(self, other: Any) -> Any:
        return matmul(self, other)

    def __rmatmul__(self, other: Any) -> Any:
        return matmul(other, self)

    def __neg__(self) -> Any:
        return negative(self)

    def __pos__(self) -> Any:
        return self

    def __abs__(self) -> Any:
        return abs(self)

    def __getitem__(self, index: Any) -> Any:
        return getitem(self, index=plain_index(index))

    def __eq__(self, other: Any) -> Any:
        return equal(self, other)

    def __ne__(self, other: Any) -> Any:
        return not_equal(self, other)

    def __lt__(self, other: Any) -> Any:
        return less(self, other)

    def __le__(self, other: Any) -> Any:
        return less_equal(self, other)

    def __gt__(self, other: Any) -> Any:
        return greater(self, other)

    def __ge__(self, other: Any) -> Any:
        return greater_equal(self, other)

    def __and__(self, other: Any) -> Any:
        return logical_and(self, other)

    __rand__ = __and__

    def __or__(self, other: Any) -> Any:
        return logical_or(self, other)

    __ror__ = __or__

    def __invert__(self) -> Any:
        return logical_not(self)

    __hash__ = object.__hash__


def same(a: Any, b: Any) -> bool:
    """Return whether two formulas or numbers are written alike."""
    if a is b:
        return True
    if type(a) is not Symbol or type(b) is not Symbol:
        return type(a) is not Symbol and type(b) is not Symbol and np.array_equal(a, b)
    if a.op is None or a.op is not b.op or len(a.inputs) != len(b.inputs) or repr(a.params) != repr(b.params):
        return False
    return all(same(x, z) for x, z in zip(a.inputs, b.inputs, strict=True))


def evaluate(formula: Any, values: dict[str, Any]) -> Any:
    """Return the number or array that a formula gives where each letter has a value.

    >>> x = Symbol("x")
    >>> evaluate(x * x + 1, {"x": 3.0})
    10.0
    """
    with np.errstate(all="ignore"):  # as in a backward pass: what is not chosen may be anything
        return _evaluate(formula, values, {})


def _evaluate(x: Any, values: dict[str, Any], done: dict[int, Any]) -> Any:
    if type(x) is not Symbol:
        return x
    if x.op is None:
        return values[x.letter] if x.value is None else x.value
    if id(x) not in done:
        inputs = [_evaluate(z, values, done) for z in x.inputs]
        params = {key: _evaluate(z, values, done) for key, z in x.params.items()}
        done[id(x)] = x.op(inputs, **params) if x.op.arity is None else x.op(*inputs, **params)
    return done[id(x)]
