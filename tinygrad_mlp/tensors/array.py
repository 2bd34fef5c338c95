"""Tensor: an array in a graph."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from tinygrad_mlp import ops
from tinygrad_mlp.arrays import as_payload, is_floating
from tinygrad_mlp.errors import DTypeError, GradientError, ShapeError, TinygradError, UnsupportedError
from tinygrad_mlp.graph import NODE_CLASSES, NODES, Meta, clock, current_trace, note_copy, tick
from tinygrad_mlp.ops.selecting import read
from tinygrad_mlp.tensors.operators import Operators, copied
from tinygrad_mlp.tensors.protocols import refuse_while_tracing

ndarray = np.ndarray


class Snapshot(np.ndarray[Any, Any]):
    """What ``.data`` of a tensor shows: a read-only view whose arithmetic gives plain new arrays.

    In-place operators give new arrays too, so that ``t.data -= g`` reaches the setter of ``data``. A copy of it is an
    ordinary array, which may be written.
    """

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        out = kwargs.get("out", ())
        if any(isinstance(x, Snapshot) and not x.flags.writeable for x in out):
            if len(out) > 1 or not any(x is out[0] for x in inputs):
                raise TinygradError(
                    f"{ufunc.__name__}: out= is the data of a tensor, which is read-only: assign to .data"
                )
            del kwargs["out"]
            out = ()
        elif out:
            kwargs["out"] = tuple(_plain(x) for x in out)
        result = getattr(ufunc, method)(*[_plain(x) for x in inputs], **kwargs)
        return result if not out else out[0] if len(out) == 1 else out

    def __setitem__(self, index: Any, value: Any) -> None:
        if not self.flags.writeable:
            raise ValueError(
                "the data of a tensor is read-only: assign a new array to .data, or build one with tg.where"
            )
        super().__setitem__(index, value)


def _plain(x: Any) -> Any:
    """Return a snapshot as the array that it is a view of."""
    return x.view(ndarray) if isinstance(x, Snapshot) else x


class Tensor(Operators):
    """An array that records what is computed from it.

    Args:
        data: An array, a number or nested lists of numbers; or an array of another library with an array API.
        requires_grad: Whether gradients flow to it; by default if its dtype is floating.
        name: For pictures and messages.
        copy: False keeps the array itself, which is unsafe: a later write to it changes recorded values unseen.

    Raises:
        DTypeError: Complex numbers, text, objects; or ``requires_grad=True`` with integers.
        GradientError: The data are themselves computed nodes, whose history would be lost.

    >>> w = Tensor([1.0, 2.0])
    >>> (w * w).sum().backward()
    >>> w.grad
    array([2., 4.])
    """

    __slots__ = ("__weakref__", "inputs", "saved")

    inputs: tuple[Any, ...]
    saved: Any

    def __init__(self, data: Any, *, requires_grad: bool | None = None, name: str = "", copy: bool = True) -> None:
        given = data
        if type(data) in NODES:
            if data.op is not None and data.requires_grad:
                raise GradientError(
                    "Tensor of a computed node would lose its gradient: use it as it is, or .detach() it"
                )
            data = data._payload
        payload = as_payload(data)
        if payload is None:
            raise DTypeError("Tensor(None): give an array, a number or nested lists of numbers")
        if hasattr(payload, "__array_namespace__") and not isinstance(payload, ndarray | np.generic):
            payload = copied(payload) if copy else payload
        else:
            payload = np.array(payload, copy=True) if copy or type(payload) is not ndarray else payload
        floating = is_floating(payload)
        if requires_grad and not floating:
            raise DTypeError(f"a tensor of {payload.dtype} has no gradient: give it a floating dtype, such as float64")
        self._payload = payload
        self._grad = self.op = self.saved = None
        self.meta = Meta(None, name) if name else None
        self.requires_grad = floating if requires_grad is None else bool(requires_grad)
        self.tick = clock[0]
        self.inputs = ()
        if type(given) in NODES:
            note_copy(self, ops.identity, given)

    def set_inputs(self, inputs: tuple[Any, ...]) -> None:
        """Take the operands of a new node."""
        self.inputs = inputs
        self.saved = None

    # -- data and gradient

    @property
    def data(self) -> Any:
        """The array, read-only; assign another of the same shape to change a leaf."""
        refuse_while_tracing(".data")
        if type(self._payload) is not ndarray:
            return self._payload
        view = self._payload.view(Snapshot)
        view.flags.writeable = False
        return view

    @data.setter
    def data(self, data: Any) -> None:
        self.assign(data)

    def assign(self, data: Any) -> None:
        """Replace the values of a leaf by a copy of ``data``; a graph that used the old ones can no more run backward.

        Raises:
            TinygradError: This tensor was computed.
            ShapeError, DTypeError: The new values do not fit.
        """
        if self.op is not None:
            raise TinygradError(f"the data of a computed tensor ({self.op.name}) is fixed: assign to a leaf")
        new = data._payload if type(data) in NODES else as_payload(data)
        if type(self._payload) is ndarray:
            new = np.asarray(new)
            if not np.can_cast(new.dtype, self._payload.dtype, "same_kind"):
                raise DTypeError(f"assign: {new.dtype} values do not fit a tensor of {self._payload.dtype}")
            new = np.array(new, dtype=self._payload.dtype)
        if tuple(new.shape) != self.shape:
            raise ShapeError(f"assign: values of shape {tuple(new.shape)} for a tensor of shape {self.shape}")
        trace = current_trace()
        if trace is not None:
            trace.keep(self)
            trace.writes.append((tick(), self, ops.identity(data) if type(data) in NODES else data))
        self._payload = new
        self.tick = tick()

    @property
    def grad(self) -> Any:
        """The gradient, a plain array of the shape and dtype of the data; None before ``backward()``."""
        trace = current_trace()
        return self._grad if trace is None else trace.gradient(self)

    @grad.setter
    def grad(self, grad: Any) -> None:
        if grad is not None and type(grad) not in NODES:
            shape = tuple(np.shape(grad))
            if shape != self.shape:
                raise ShapeError(f"grad: shape {shape} for a tensor of shape {self.shape}")
            if type(self._payload) is ndarray and (type(grad) is not ndarray or grad.dtype != self._payload.dtype):
                grad = np.asarray(as_payload(grad), self._payload.dtype)
        trace = current_trace()
        if trace is not None:
            trace.clear(self)
        self._grad = grad

    # -- shape

    @property
    def T(self) -> Any:  # noqa: N802  (NumPy's name)
        """The tensor with its axes reversed."""
        return ops.transpose(self)

    @property
    def mT(self) -> Any:  # noqa: N802  (NumPy's name)
        """The tensor with its last two axes exchanged."""
        return ops.swapaxes(self, -1, -2)

    def reshape(self, *shape: Any) -> Any:
        """Return the elements in another shape, given as one tuple or as several lengths."""
        return ops.reshape(self, shape[0] if len(shape) == 1 else shape)

    def ravel(self, order: str = "C") -> Any:
        """Return the elements along one axis."""
        return ops.ravel(self, order)

    def flatten(self, order: str = "C") -> Any:
        """Return the elements along one axis."""
        return ops.ravel(self, order)

    def transpose(self, *axes: Any) -> Any:
        """Return the axes in another order, given as one tuple or as several axes; reversed by default."""
        order = axes[0] if len(axes) == 1 and not isinstance(axes[0], int) else axes
        return ops.transpose(self, axes=tuple(order) if order is not None and len(order) else None)

    def swapaxes(self, axis1: int, axis2: int) -> Any:
        """Return the tensor with two axes exchanged."""
        return ops.swapaxes(self, axis1, axis2)

    def squeeze(self, axis: Any = None) -> Any:
        """Return the tensor without axes of length one."""
        return ops.squeeze(self, axis=axis)

    def repeat(self, repeats: Any, axis: int | None = None) -> Any:
        """Return the tensor with each element along ``axis`` repeated."""
        return ops.repeat(self, repeats, axis)

    def diagonal(self, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
        """Return the diagonal of the plane of two axes as a new last axis."""
        return ops.diagonal(self, offset, axis1, axis2)

    def trace(self, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
        """Return the sum of a diagonal of the plane of two axes."""
        return ops.trace(self, offset, axis1, axis2)

    def take(self, indices: Any, axis: int | None = None, *, mode: str = "raise") -> Any:
        """Return the elements, or the slices along ``axis``, at ``indices``."""
        return ops.take(self, indices, axis, mode)

    def compress(self, condition: Any, axis: int | None = None) -> Any:
        """Return the slices along ``axis`` for which a 1-d condition holds."""
        return ops.compress(condition, self, axis)

    def choose(self, choices: Any, *, mode: str = "raise") -> Any:
        """Return for each element the element there of the choice that it numbers."""
        return ops.choose(self, choices, mode)

    def nonzero(self) -> Any:
        """Return the indices of the elements that are not zero, one array for each axis."""
        return ops.nonzero(self)

    def astype(self, dtype: Any) -> Any:
        """Return a copy in another dtype; the gradient comes back in this one's."""
        return ops.astype(self, dtype=dtype)

    def __getitem__(self, index: Any) -> Any:
        return read(self, index)

    def __setitem__(self, index: Any, value: Any) -> None:
        raise UnsupportedError(
            "a tensor's elements cannot be assigned: build a new one with tg.index_update, or assign to .data"
        )

    def __len__(self) -> int:
        if not self.shape:
            raise DTypeError("a tensor of shape () has no length")
        return self.shape[0]

    def __iter__(self) -> Iterator[Any]:
        return (self[i] for i in range(len(self)))

    def __contains__(self, value: Any) -> bool:
        refuse_while_tracing("`in`")
        return bool((self._payload == (value._payload if type(value) in NODES else value)).any())

    # -- products

    def dot(self, other: Any) -> Any:
        """Return the sum of products over the last axis and the last but one of ``other``; see ``tg.dot``."""
        return ops.dot(self, other)

    # -- reductions

    def sum(self, axis: Any = None, *, keepdims: bool = False, **options: Any) -> Any:
        """Return the sum over ``axis``."""
        return ops.sum(self, axis=axis, keepdims=keepdims, **options)

    def mean(self, axis: Any = None, *, keepdims: bool = False, **options: Any) -> Any:
        """Return the mean over ``axis``."""
        return ops.mean(self, axis=axis, keepdims=keepdims, **options)

    def prod(self, axis: Any = None, *, keepdims: bool = False, **options: Any) -> Any:
        """Return the product over ``axis``."""
        return ops.prod(self, axis=axis, keepdims=keepdims, **options)

    def var(self, axis: Any = None, *, ddof: float = 0, keepdims: bool = False, **options: Any) -> Any:
        """Return the variance over ``axis``."""
        return ops.var(self, axis=axis, ddof=ddof, keepdims=keepdims, **options)

    def std(self, axis: Any = None, *, ddof: float = 0, keepdims: bool = False, **options: Any) -> Any:
        """Return the standard deviation over ``axis``."""
        return ops.std(self, axis=axis, ddof=ddof, keepdims=keepdims, **options)

    def max(self, axis: Any = None, *, keepdims: bool = False, **options: Any) -> Any:
        """Return the largest elements over ``axis``."""
        return ops.max(self, axis=axis, keepdims=keepdims, **options)

    def min(self, axis: Any = None, *, keepdims: bool = False, **options: Any) -> Any:
        """Return the smallest elements over ``axis``."""
        return ops.min(self, axis=axis, keepdims=keepdims, **options)

    def argmax(self, axis: int | None = None, *, keepdims: bool = False) -> Any:
        """Return the index of the first largest element over ``axis``."""
        return ops.argmax(self, axis=axis, keepdims=keepdims)

    def argmin(self, axis: int | None = None, *, keepdims: bool = False) -> Any:
        """Return the index of the first smallest element over ``axis``."""
        return ops.argmin(self, axis=axis, keepdims=keepdims)

    def any(self, axis: Any = None, *, keepdims: bool = False, **options: Any) -> Any:
        """Return whether an element over ``axis`` is nonzero."""
        return ops.any(self, axis=axis, keepdims=keepdims, **options)

    def all(self, axis: Any = None, *, keepdims: bool = False, **options: Any) -> Any:
        """Return whether all elements over ``axis`` are nonzero."""
        return ops.all(self, axis=axis, keepdims=keepdims, **options)

    def cumsum(self, axis: int | None = None, **options: Any) -> Any:
        """Return the sums of the elements up to each."""
        return ops.cumsum(self, axis=axis, **options)

    def cumprod(self, axis: int | None = None, **options: Any) -> Any:
        """Return the products of the elements up to each."""
        return ops.cumprod(self, axis=axis, **options)

    def argsort(self, axis: int | None = -1, **options: Any) -> Any:
        """Return the indices that sort the tensor along ``axis``."""
        return ops.argsort(self, axis=axis, **options)

    def sort(self, *_: Any, **__: Any) -> Any:
        """Refuse to sort in place."""
        raise UnsupportedError("sort: in NumPy it sorts in place, and a tensor cannot change: use tg.sort")

    def softmax(self, axis: int = -1) -> Any:
        """Return ``exp(self) / sum(exp(self))`` along ``axis``."""
        return ops.softmax(self, axis=axis)

    def log_softmax(self, axis: int = -1) -> Any:
        """Return the logarithm of the softmax along ``axis``."""
        return ops.log_softmax(self, axis=axis)

    def __repr__(self) -> str:
        parts = (
            [np.array2string(self._payload, prefix="Tensor(", separator=", ")]
            if type(self._payload) is ndarray
            else [repr(self._payload)]
        )
        if self.size == 0 and self.ndim > 1:  # which prints as a list without elements
            parts.append(f"shape={self.shape}")
        if self.dtype not in (np.dtype(np.float64), np.dtype(np.int64), np.dtype(bool)):
            parts.append(f"dtype={self.dtype}")
        if self.op is not None:
            parts.append(f"op={self.op.name}")
        elif is_floating(self._payload) and not self.requires_grad:
            parts.append("requires_grad=False")
        if self.name:
            parts.append(f"name={self.name!r}")
        return f"Tensor({', '.join(parts)})"


NODE_CLASSES[ndarray] = Tensor


def tensor(data: Any, *, requires_grad: bool | None = None, name: str = "") -> Any:
    """Return a tensor of numbers, or of nodes: lists of Values and tensors are stacked, and keep their gradients.

    >>> a = tensor(2.0)
    >>> tensor([a, a * a]).sum().backward()
    >>> a.grad
    array(5.)
    """
    if isinstance(data, Sequence) and not isinstance(data, str) and _holds_nodes(data):
        joined = ops.stack([tensor(x) if isinstance(x, Sequence) else x for x in data])
        joined = joined.detach() if requires_grad is False else joined
        joined.name = name
        return joined
    return Tensor(data, requires_grad=requires_grad, name=name)


def _holds_nodes(data: Sequence[Any]) -> bool:
    return any(_holds_nodes(x) if isinstance(x, list | tuple) else type(x) in NODES for x in data)
