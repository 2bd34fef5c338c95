"""Who computes this: the namespace of array functions for a value, found by its type.

A namespace has the functions of the Python array API (https://data-apis.org/array-api) and a short list beyond it:
``scatter``, ``sum_to``, ``sum_product``, ``recurrence``, ``accumulate``, ``quiet``, and a few functions such as
``erf``. Python floats have ``scalars``, NumPy arrays ``NUMPY``; any other library with a namespace of its own, or one
that ``array-api-compat`` knows, is found at its first use.
"""

import itertools
import math
import zlib
from functools import lru_cache
from types import NoneType
from typing import Any

import numpy as np

from tinygrad_mlp import scalars
from tinygrad_mlp.errors import DTypeError, MissingDependencyError, StaleError, TinygradError

INTEGER_OF = {np.dtype(np.float32): np.int32, np.dtype(np.float64): np.int64}
COPY_LIMIT = 64 * 2**20  # bytes; a larger constant is checksummed instead of copied


_SUM: Any = np.add.reduce  # without the dispatch of np.sum, 1 µs
_MAX: Any = np.maximum.reduce
_MIN: Any = np.minimum.reduce


class Namespace:
    """The functions of an array library, and the short list beyond the array API written with them."""

    apply: Any = None  # a namespace of symbols replaces the forward rules: apply(op, operands, params)

    def __init__(self, module: Any) -> None:
        """Wrap ``module``, whose functions are read through."""
        self.module = module

    def __getattr__(self, name: str) -> Any:
        """Return the library's own function."""
        return getattr(self.module, name)

    def quiet(self) -> Any:
        """Return a context in which an overflow or a zero that gives inf does not warn: the rule wants the inf."""
        return np.errstate(over="ignore", divide="ignore")

    def where(self, condition: Any, a: Any, b: Any) -> Any:
        """Return ``a`` where the condition, which may be a Python bool, holds, else ``b``."""
        a = self.module.asarray(a) if type(a) is type(b) is float else a  # the standard wants one array of the two
        return self.module.where(self.module.asarray(condition) if type(condition) is bool else condition, a, b)

    def sum_product(self, weights: Any, x: Any) -> Any:
        """Return the sum of ``weights * x``, two arrays of one shape; a weight of 0 takes away even an infinity."""
        return self.sum(weights * self.where(weights == 0, self.zeros_like(x), x))

    def erf(self, x: Any, function: Any = math.erf) -> Any:
        """Return the error function of every element, by the C library's."""
        values = np.asarray(x)
        found = np.fromiter(map(function, values.ravel().tolist()), np.float64, values.size).reshape(values.shape)
        return self.module.asarray(found.astype(values.dtype))

    def erfc(self, x: Any) -> Any:
        """Return 1 minus the error function, exact where that rounds to 0."""
        return self.erf(x, math.erfc)

    def cbrt(self, x: Any) -> Any:
        """Return the real cube root."""
        return self.sign(x) * self.abs(x) ** (1 / 3)

    def fmax(self, a: Any, b: Any) -> Any:
        """Return the larger, the other where one is nan."""
        return self.where(self.logical_or(a >= b, b != b), a, b)

    def fmin(self, a: Any, b: Any) -> Any:
        """Return the smaller, the other where one is nan."""
        return self.where(self.logical_or(a <= b, b != b), a, b)

    def exp2(self, x: Any) -> Any:
        """Return 2 to the power ``x``."""
        return 2.0**x

    def logaddexp2(self, a: Any, b: Any) -> Any:
        """Return ``log2(2**a + 2**b)`` without overflow."""
        ln2 = math.log(2)
        return self.logaddexp(a * ln2, b * ln2) / ln2

    def fmod(self, a: Any, b: Any) -> Any:
        """Return the remainder of ``a / b`` with the sign of ``a``."""
        size = self.remainder(self.abs(a), self.abs(b))
        return self.where(a < 0, -size, size)

    def heaviside(self, x: Any, at_zero: Any) -> Any:
        """Return 0 where ``x`` is negative, 1 where it is positive, ``at_zero`` at 0, nan at nan."""
        return self.where(x == 0, at_zero, self.where(x > 0, 1.0, self.where(x < 0, 0.0, x)))

    def scatter(self, values: Any, shape: tuple[int, ...], index: Any) -> Any:
        """Return zeros of ``shape`` with ``values`` added at ``index``; where an index repeats, every value counts."""
        xp, size = self.module, math.prod(shape)
        cells = np.arange(size).reshape(shape)[index]  # an index is NumPy's own
        hits = xp.asarray(cells.reshape(-1, 1)) == xp.arange(size)
        flat = xp.reshape(xp.broadcast_to(values, cells.shape), (-1, 1))
        total = xp.reshape(xp.sum(xp.where(hits, flat, xp.zeros_like(flat)), axis=0), shape)
        return xp.zeros(shape, dtype=values.dtype) + total

    def sum_to(self, x: Any, shape: tuple[int, ...]) -> Any:
        """Return ``x`` summed over the axes along which ``shape`` was broadcast to ``x.shape``."""
        extra = x.ndim - len(shape)
        axes = tuple(i for i, n in enumerate(x.shape) if i < extra or shape[i - extra] != n)
        return self.reshape(self.sum(x, axis=axes, keepdims=True) if axes else x, shape)

    def recurrence(self, a: Any, b: Any) -> Any:
        """Return ``s`` with ``s[k] = a[k] s[k-1] + b[k]`` along the last axis, where nothing comes before the first."""
        sums = [b[..., k] for k in range(b.shape[-1])]
        for k in range(1, len(sums)):
            sums[k] = a[..., k] * sums[k - 1] + sums[k]
        return self.stack(sums, axis=-1) if sums else b

    def accumulate(self, name: str, x: Any, axis: int) -> Any:
        """Return the function of that name over all elements up to each along ``axis``."""
        line, f = self.moveaxis(x, axis, -1), getattr(self, name)
        found = [line[..., k] for k in range(line.shape[-1])]
        for k in range(1, len(found)):
            found[k] = f(found[k - 1], found[k])
        return self.moveaxis(self.stack(found, axis=-1), -1, axis) if found else x


class NumPy(Namespace):
    """NumPy, with the calls that a training step makes most bound to the ufuncs themselves."""

    exp, log, abs, sqrt, tanh = np.exp, np.log, np.abs, np.sqrt, np.tanh
    maximum, minimum, matmul = np.maximum, np.minimum, np.matmul
    cbrt: Any = np.cbrt
    exp2: Any = np.exp2
    fmax: Any = np.fmax
    fmin: Any = np.fmin
    fmod: Any = np.fmod
    heaviside: Any = np.heaviside
    logaddexp2: Any = np.logaddexp2
    add, subtract, multiply, divide, negative = np.add, np.subtract, np.multiply, np.divide, np.negative

    @staticmethod
    def where(condition: Any, a: Any, b: Any) -> Any:
        """Return ``a`` where the condition holds, else ``b``; a 0 for ``b`` masks bits of ``a``: 10 times faster."""
        if type(b) is float and b == 0:
            kind = INTEGER_OF.get(getattr(a, "dtype", None))
            mask = getattr(condition, "dtype", None) == np.dtype(bool)
            if kind is not None and mask and condition.shape == a.shape and a.size > 4096:
                bits = np.negative(condition.view(np.int8)).astype(kind)  # -1 has all bits set
                return (a.view(kind) & bits).view(a.dtype)
        return np.where(condition, a, b)

    @staticmethod
    def sum(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
        """Return the sum over ``axis``, without ``np.sum``'s dispatch; rows of up to 8 columns go column by column."""
        if axis == -1 and x.ndim == 2 and 1 < x.shape[1] <= 8 and x.dtype.char in "fd":
            y = x[:, 0] + x[:, 1]
            for j in range(2, x.shape[1]):
                y += x[:, j]
            return y[:, None] if keepdims else y
        return _SUM(x, axis, None, None, keepdims)

    def sum_product(self, weights: Any, x: Any) -> Any:
        """Return the sum of ``weights * x``, two arrays of one shape; a weight of 0 takes away even an infinity."""
        total = np.vdot(weights, x)
        return total if total == total else Namespace.sum_product(self, weights, x)

    @staticmethod
    def take_along_axis(x: Any, indices: Any, axis: int) -> Any:
        """Return the elements of ``x`` at ``indices`` along ``axis``; a matrix's rows without NumPy's detour."""
        if axis == -1 and x.ndim == 2 and indices.shape == (len(x), 1):
            return x[np.arange(len(x)), indices[:, 0]][:, None]
        return np.take_along_axis(x, indices, axis)

    @staticmethod
    def max(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
        """Return the maximum over ``axis``; rows of up to 8 columns go column by column, 3 times faster."""
        if axis == -1 and x.ndim == 2 and 1 < x.shape[1] <= 8:
            y = np.maximum(x[:, 0], x[:, 1])
            for j in range(2, x.shape[1]):
                np.maximum(y, x[:, j], out=y)
            return y[:, None] if keepdims else y
        return _MAX(x, axis, None, None, keepdims)

    @staticmethod
    def min(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
        """Return the minimum over ``axis``."""
        return _MIN(x, axis, None, None, keepdims)

    def recurrence(self, a: Any, b: Any) -> Any:
        """Return ``s`` with ``s[k] = a[k] s[k-1] + b[k]`` along the last axis, where nothing comes before the first."""
        if not 0 < b.size == b.shape[-1] or not b.dtype == a.dtype == np.float64:
            return Namespace.recurrence(self, a, b)
        pairs = zip(a.ravel()[1:].tolist(), b.ravel()[1:].tolist(), strict=True)  # one row goes by Python's floats
        line = itertools.accumulate(pairs, lambda s, pair: pair[0] * s + pair[1], initial=b.flat[0].item())
        return np.fromiter(line, np.float64, b.size).reshape(b.shape)

    @staticmethod
    def accumulate(name: str, x: Any, axis: int) -> Any:
        """Return the ufunc of that name over all elements up to each along ``axis``."""
        return getattr(np, name).accumulate(x, axis)

    @staticmethod
    def scatter(values: Any, shape: tuple[int, ...], index: Any) -> Any:
        """Return zeros of ``shape`` with ``values`` added at ``index``; where an index repeats, every value counts."""
        y = np.zeros(shape, values.dtype)
        parts = index if type(index) is tuple else (index,)
        if all(part is None or part is Ellipsis or type(part) in (int, slice) for part in parts):
            y[index] = values  # a basic index names no cell twice
        else:
            np.add.at(y, index, values)
        return y

    def sum_to(self, x: Any, shape: tuple[int, ...]) -> Any:
        """Return ``x`` summed down to ``shape``; columns of a matrix go through BLAS, 2 to 5 times faster."""
        if x.ndim == 2 and shape == x.shape[1:] and x.dtype.char in "fd":
            return (_ones(len(x), x.dtype) if len(x) <= 2**16 else np.ones(len(x), x.dtype)) @ x
        return Namespace.sum_to(self, x, shape)


@lru_cache(maxsize=32)
def _ones(n: int, dtype: Any) -> Any:
    return np.ones(n, dtype)


NUMPY = NumPy(np)
NAMESPACES: dict[type, Any] = {
    float: scalars,
    int: scalars,
    bool: scalars,
    NoneType: scalars,
    np.ndarray: NUMPY,
}


def namespace(*values: Any) -> Any:
    """Return the namespace that computes with ``values``: ``scalars`` if all are Python numbers.

    Raises:
        DTypeError: A value belongs to no array library, or two of them to different ones.
    """
    found: Any = scalars
    for value in values:
        xp = NAMESPACES.get(type(value)) or _find(value)
        if xp is not scalars and xp is not found:
            if found is not scalars and found.apply is None and xp.apply is None:
                raise DTypeError(f"arrays of {_title(found)} and {_title(xp)} in one operation: convert one of them")
            found = found if found.apply is not None else xp  # among symbols an array is a constant
    return found


def _title(xp: Any) -> str:
    return str(getattr(xp.module, "__name__", xp.module))


def _find(value: Any) -> Any:
    """Return the namespace of a type met for the first time, and remember it."""
    if isinstance(value, np.ndarray | np.generic):
        xp: Any = NUMPY
    elif hasattr(value, "__array_namespace__"):
        xp = _known(value.__array_namespace__())
    else:
        xp = _through_compat(value)
    NAMESPACES[type(value)] = xp
    return xp


def _known(module: Any) -> Namespace:
    """Return the namespace already made for ``module``, or a new one."""
    for xp in NAMESPACES.values():
        if isinstance(xp, Namespace) and xp.module is module:
            return xp
    return Namespace(module)


def _through_compat(value: Any) -> Namespace:
    refusal = f"{type(value).__name__} is no number and no array: pass a float, an array or a tensor"
    if not hasattr(value, "shape") or not hasattr(value, "dtype"):
        raise DTypeError(refusal)
    try:
        from array_api_compat import array_namespace
    except ImportError:
        raise MissingDependencyError(
            f"{type(value).__name__} arrays need a package: pip install array-api-compat (the extra array)"
        ) from None
    try:
        return _known(array_namespace(value))
    except TypeError:
        raise DTypeError(refusal) from None


def is_floating(value: Any) -> bool:
    """Return whether ``value`` is a Python float or an array of real floating-point numbers."""
    if type(value) is float:
        return True
    dtype = getattr(value, "dtype", None)
    if dtype is None:
        return False
    kind = getattr(dtype, "kind", None)
    return kind == "f" if kind is not None else bool(namespace(value).isdtype(dtype, "real floating"))


def as_payload(data: Any) -> Any:
    """Return ``data`` as something that can be computed with: a Python number, None, or a real array.

    Raises:
        DTypeError: Complex numbers, text, objects, or a list that is ragged or holds nodes.
    """
    kind = type(data)
    if kind is not np.ndarray:
        if kind in (float, int, bool, NoneType):
            return data
        if hasattr(data, "__array_namespace__") and not isinstance(data, np.ndarray | np.generic):
            return data  # an array of another library keeps its own type
        if isinstance(data, complex | str | bytes):
            raise DTypeError(f"{kind.__name__} {data!r}: not a real number")
        if not isinstance(data, list | tuple | range | np.ndarray | np.generic) and not hasattr(data, "__array__"):
            namespace(data)
            return data
        given = data
        try:
            data = data if isinstance(data, np.generic) else np.asarray(data)
        except TinygradError:
            raise
        except (ValueError, TypeError, RuntimeError) as error:  # a list with gaps, an array that stays where it is
            raise DTypeError(f"a {kind.__name__} that is no array: {error}") from None
        if hasattr(given, "mask") and np.ma.is_masked(given):  # np.ma itself takes long to import
            raise DTypeError("a masked array has no numbers under its mask: fill it, or leave those elements out")
    if data.dtype.kind not in "fiub":
        reason = "complex numbers are not supported" if data.dtype.kind == "c" else "not numbers"
        raise DTypeError(f"dtype {data.dtype}: {reason}; use a real dtype, such as float64")
    return data


class Guarded(np.ndarray[Any, Any]):
    """A constant too large to copy: the user's own memory and the checksum it had when it was recorded."""

    checksum: int

    def __reduce__(self) -> Any:
        return freeze, (thaw(self),)

    def __deepcopy__(self, _memo: Any) -> Any:
        return freeze(thaw(self).copy())


def freeze(array: Any) -> Any:
    """Return ``array`` so that a later write to it cannot change a gradient unseen: copied, or checksummed if large."""
    if type(array) is not np.ndarray:
        return namespace(array).asarray(array, copy=True) if hasattr(array, "shape") else array
    if array.nbytes <= COPY_LIMIT:
        return array.copy()
    guarded = array.view(Guarded)
    guarded.checksum = _checksum(array)
    return guarded


def _checksum(array: Any) -> int:
    return zlib.crc32(np.ascontiguousarray(array).data)


def thaw(array: Any) -> Any:
    """Return what ``freeze`` kept.

    Raises:
        StaleError: The array was overwritten since.
    """
    if type(array) is not Guarded:
        return array
    plain = array.view(np.ndarray)
    if _checksum(plain) != array.checksum:
        raise StaleError("a constant array of more than 64 MiB was overwritten after its use: pass a copy")
    return plain
