"""What both node classes share: Python's operators, NumPy's protocols, and what people look at."""

from typing import Any

import numpy as np

from tinygrad_mlp import ops
from tinygrad_mlp.arrays import is_floating, namespace
from tinygrad_mlp.backward import backward
from tinygrad_mlp.errors import DTypeError, GradientError, ShapeError, UnsupportedError
from tinygrad_mlp.graph import TRACING, Node, mode, wrap
from tinygrad_mlp.tensors.protocols import (
    AN_INDEX,
    array_function,
    array_ufunc,
    bitwise_and,
    bitwise_or,
    bitwise_xor,
    invert,
    refuse_while_tracing,
)


class Operators(Node):
    """What both node classes share: Python's operators, NumPy's protocols, and what people look at."""

    __slots__ = ()
    __hash__ = object.__hash__

    # -- operators

    def __add__(self, other: Any) -> Any:
        return ops.add(self, other)

    def __radd__(self, other: Any) -> Any:
        return ops.add(other, self)

    def __sub__(self, other: Any) -> Any:
        return ops.subtract(self, other)

    def __rsub__(self, other: Any) -> Any:
        return ops.subtract(other, self)

    def __mul__(self, other: Any) -> Any:
        return ops.multiply(self, other)

    def __rmul__(self, other: Any) -> Any:
        return ops.multiply(other, self)

    def __truediv__(self, other: Any) -> Any:
        return ops.divide(self, other)

    def __rtruediv__(self, other: Any) -> Any:
        return ops.divide(other, self)

    def __floordiv__(self, other: Any) -> Any:
        return ops.floor_divide(self, other)

    def __rfloordiv__(self, other: Any) -> Any:
        return ops.floor_divide(other, self)

    def __mod__(self, other: Any) -> Any:
        return ops.remainder(self, other)

    def __rmod__(self, other: Any) -> Any:
        return ops.remainder(other, self)

    def __divmod__(self, other: Any) -> Any:
        return ops.divmod(self, other)

    def __rdivmod__(self, other: Any) -> Any:
        return ops.divmod(other, self)

    def __pow__(self, other: Any) -> Any:
        return ops.power(self, other)

    def __rpow__(self, other: Any) -> Any:
        return ops.power(other, self)

    def __matmul__(self, other: Any) -> Any:
        return ops.matmul(self, other)

    def __rmatmul__(self, other: Any) -> Any:
        return ops.matmul(other, self)

    def __neg__(self) -> Any:
        return ops.negative(self)

    def __pos__(self) -> Any:
        return self

    def __abs__(self) -> Any:
        return ops.abs(self)

    def __round__(self, decimals: int | None = None) -> Any:
        return ops.round(self, decimals or 0)

    def __eq__(self, other: object) -> Any:
        return ops.equal(self, other)

    def __ne__(self, other: object) -> Any:
        return ops.not_equal(self, other)

    def __gt__(self, other: Any) -> Any:
        return ops.greater(self, other)

    def __ge__(self, other: Any) -> Any:
        return ops.greater_equal(self, other)

    def __lt__(self, other: Any) -> Any:
        return ops.less(self, other)

    def __le__(self, other: Any) -> Any:
        return ops.less_equal(self, other)

    def __and__(self, other: Any) -> Any:
        return bitwise_and(self, other)

    def __rand__(self, other: Any) -> Any:
        return bitwise_and(self, other)

    def __or__(self, other: Any) -> Any:
        return bitwise_or(self, other)

    def __ror__(self, other: Any) -> Any:
        return bitwise_or(self, other)

    def __xor__(self, other: Any) -> Any:
        return bitwise_xor(self, other)

    def __rxor__(self, other: Any) -> Any:
        return bitwise_xor(self, other)

    def __invert__(self) -> Any:
        return invert(self)

    # -- elementwise methods

    def relu(self) -> Any:
        """Return ``max(self, 0)``."""
        return ops.relu(self)

    def tanh(self) -> Any:
        """Return the hyperbolic tangent."""
        return ops.tanh(self)

    def sigmoid(self) -> Any:
        """Return the logistic function."""
        return ops.sigmoid(self)

    def exp(self) -> Any:
        """Return the exponential."""
        return ops.exp(self)

    def log(self) -> Any:
        """Return the natural logarithm."""
        return ops.log(self)

    def sqrt(self) -> Any:
        """Return the square root."""
        return ops.sqrt(self)

    def square(self) -> Any:
        """Return the square."""
        return ops.square(self)

    def abs(self) -> Any:
        """Return the absolute value."""
        return ops.abs(self)

    def round(self, decimals: int = 0) -> Any:
        """Return the values rounded to so many decimals; no gradient flows back."""
        return ops.round(self, decimals)

    def clip(self, min: Any = None, max: Any = None) -> Any:
        """Return the values held between ``min`` and ``max``."""
        return ops.clip(self, min, max)

    # -- gradients

    def backward(self, seed: Any = None, keep: str = "leaves", create_graph: bool = False) -> None:
        """Add the gradient of this node in each leaf to the leaf's ``.grad``.

        Args:
            seed: The cotangent of this node, of its shape; needed where it has more than one element.
            keep: "leaves", or "all" to leave a fresh ``.grad`` on interior tensors too (interior Values always have
                one).
            create_graph: Make the leaves' ``.grad`` a node, which can be differentiated again. Leaf and gradient then
                refer to each other: set ``.grad = None`` when done.

        Raises:
            GradientError: Nothing here requires a gradient, or a seed is missing.
            StaleError: Data was overwritten between its use and this call.
        """
        backward(self, seed, keep, create_graph)

    def detach(self) -> Any:
        """Return a constant with a copy of the data: gradients stop here."""
        if not mode() & TRACING:
            return wrap(copied(self._payload))
        node = ops.identity(self)
        node.requires_grad = False
        return node

    def copy(self) -> Any:
        """Return a new node with the same values; gradients pass through."""
        return ops.identity(self)

    # -- numbers

    def item(self) -> Any:
        """Return the one element as a Python number.

        Raises:
            UnsupportedError: There is not exactly one element.
        """
        refuse_while_tracing(".item()")
        if getattr(self._payload, "size", 1) != 1:
            raise UnsupportedError(f"item: a tensor of shape {self.shape} is no single number")
        return self._payload.item() if hasattr(self._payload, "item") else self._payload

    def numpy(self) -> Any:
        """Return the values as a NumPy array of one's own, outside of any graph."""
        refuse_while_tracing(".numpy()")
        return np.array(self._payload)

    def tolist(self) -> Any:
        """Return the values as nested Python lists."""
        return self.numpy().tolist()

    def __float__(self) -> float:
        """Return the one number, outside of any graph; ``a[0] = x`` on an array of NumPy asks for it too."""
        refuse_while_tracing("float()")
        return float(self.item())

    def __int__(self) -> int:
        refuse_while_tracing("int()")
        return int(self.item())

    def __index__(self) -> int:
        refuse_while_tracing(AN_INDEX)
        if self.size != 1 or is_floating(self._payload):
            raise DTypeError(f"a {type(self).__name__} of {self.dtype} and shape {self.shape} is no index")
        return int(self.item())

    def __bool__(self) -> bool:
        refuse_while_tracing("bool()")
        if self.size != 1:
            raise ShapeError(
                f"the truth of a tensor of shape {self.shape} is ambiguous: use .data.any() or .data.all()"
            )
        return bool(self._payload)

    def __format__(self, spec: str) -> str:
        if spec and self.size == 1:
            return format(self.item(), spec)
        try:
            return format(str(self), spec)
        except ValueError:
            raise ShapeError(f"format: {spec!r} is for one number, and this tensor has shape {self.shape}") from None

    # -- NumPy's protocols

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        refuse_while_tracing("np.asarray()")
        if self.requires_grad:
            raise GradientError(
                f"converting a {type(self).__name__} to an array would lose its gradient: use .data or .numpy() for "
                "the numbers, tg.stack to join nodes"
            )
        if copy is False:
            raise ValueError("a tensor gives a copy of its data, never its own memory: leave out copy=False")
        return np.array(self._payload, dtype=dtype)

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        return array_ufunc(type(self).__name__, ufunc, method, inputs, kwargs)

    def __array_function__(self, func: Any, types: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        return array_function(type(self).__name__, func, args, kwargs)


def copied(data: Any) -> Any:
    """Return a payload that shares no memory with ``data``."""
    if type(data) is np.ndarray:
        return data.copy()
    return data if type(data) in (float, int, bool) else namespace(data).asarray(data, copy=True)
