"""NumPy's functions on nodes: which op records each, which work on numbers alone, a refusal by name for the rest."""

from collections.abc import Callable
from functools import cache, partial
from typing import Any

import numpy as np

from tinygrad_mlp import linalg, ops
from tinygrad_mlp.errors import DTypeError, TracingError, UnsupportedError
from tinygrad_mlp.graph import NODES, TRACING, mode, user_line
from tinygrad_mlp.ops.cumulative import running_max, running_min
from tinygrad_mlp.table import PLAIN, VARARGS, Op


def _logic(op: Op, *operands: Any) -> Any:
    """Return a logical op of booleans; ``&`` and its kin on other numbers are refused."""
    for x in operands:
        if type(getattr(x, "_payload", x)) is not bool and getattr(x, "dtype", None) != np.dtype(bool):
            raise DTypeError(f"{op.name}: & | ^ ~ take booleans, such as comparisons give")
    return op(*operands)


bitwise_and = partial(_logic, ops.logical_and)
bitwise_or = partial(_logic, ops.logical_or)
bitwise_xor = partial(_logic, ops.logical_xor)
invert = partial(_logic, ops.logical_not)


UFUNCS: dict[Any, Callable[..., Any]] = {
    np.abs: ops.abs, np.add: ops.add, np.arccos: ops.arccos, np.arccosh: ops.arccosh, np.arcsin: ops.arcsin,
    np.arcsinh: ops.arcsinh, np.arctan: ops.arctan, np.arctan2: ops.arctan2, np.arctanh: ops.arctanh,
    np.bitwise_and: bitwise_and, np.bitwise_or: bitwise_or, np.bitwise_xor: bitwise_xor, np.cbrt: ops.cbrt,
    np.ceil: ops.ceil, np.copysign: ops.copysign, np.cos: ops.cos, np.cosh: ops.cosh, np.deg2rad: ops.deg2rad,
    np.degrees: ops.rad2deg, np.divide: ops.divide, np.divmod: ops.divmod, np.equal: ops.equal, np.exp: ops.exp,
    np.exp2: ops.exp2, np.expm1: ops.expm1, np.fabs: ops.abs, np.float_power: ops.float_power, np.floor: ops.floor,
    np.floor_divide: ops.floor_divide, np.fmax: ops.fmax, np.fmin: ops.fmin, np.fmod: ops.fmod, np.greater: ops.greater,
    np.greater_equal: ops.greater_equal, np.heaviside: ops.heaviside, np.hypot: ops.hypot, np.invert: invert,
    np.isfinite: ops.isfinite, np.isinf: ops.isinf, np.isnan: ops.isnan, np.less: ops.less,
    np.less_equal: ops.less_equal, np.log: ops.log, np.log10: ops.log10, np.log1p: ops.log1p, np.log2: ops.log2,
    np.logaddexp: ops.logaddexp, np.logaddexp2: ops.logaddexp2, np.logical_and: ops.logical_and,
    np.logical_not: ops.logical_not, np.logical_or: ops.logical_or, np.logical_xor: ops.logical_xor,
    np.matmul: ops.matmul, np.maximum: ops.maximum, np.minimum: ops.minimum, np.multiply: ops.multiply,
    np.negative: ops.negative, np.not_equal: ops.not_equal, np.positive: ops.positive, np.power: ops.power,
    np.rad2deg: ops.rad2deg, np.radians: ops.deg2rad, np.reciprocal: ops.reciprocal, np.remainder: ops.remainder,
    np.rint: ops.rint, np.sign: ops.sign, np.signbit: ops.signbit, np.sin: ops.sin, np.sinh: ops.sinh,
    np.sqrt: ops.sqrt, np.square: ops.square, np.subtract: ops.subtract, np.tan: ops.tan, np.tanh: ops.tanh,
    np.trunc: ops.trunc,
}  # fmt: skip

PRODUCTS = (ops.vecdot, ops.matvec, ops.vecmat)
UFUNCS.update({getattr(np, f.__name__): f for f in PRODUCTS if hasattr(np, f.__name__)})  # some since NumPy 2.2

# What a method of a ufunc is: for each ufunc the op, after the function of NumPy whose arguments the method takes.
METHODS: dict[str, tuple[Any, dict[Any, Callable[..., Any]]]] = {
    "reduce": (np.sum, {
        np.add: ops.sum, np.fmax: ops.nanmax, np.fmin: ops.nanmin, np.logaddexp: ops.logsumexp,
        np.logical_and: ops.all, np.logical_or: ops.any, np.maximum: ops.max, np.minimum: ops.min,
        np.multiply: ops.prod}),
    "accumulate": (np.cumsum, {
        np.add: ops.cumsum, np.logaddexp: ops.logcumsumexp, np.maximum: running_max, np.minimum: running_min,
        np.multiply: ops.cumprod}),
}  # fmt: skip

FUNCTIONS: dict[Any, Callable[..., Any]] = {
    np.all: ops.all, np.amax: ops.max, np.amin: ops.min, np.any: ops.any, np.append: ops.append, np.argmax: ops.argmax,
    np.argmin: ops.argmin, np.argpartition: ops.argpartition, np.argsort: ops.argsort, np.argwhere: ops.argwhere,
    np.around: ops.round, np.array_split: ops.array_split, np.astype: ops.astype, np.atleast_1d: ops.atleast_1d,
    np.atleast_2d: ops.atleast_2d, np.atleast_3d: ops.atleast_3d, np.average: ops.average, np.block: ops.block,
    np.broadcast_arrays: ops.broadcast_arrays, np.broadcast_to: ops.broadcast_to, np.choose: ops.choose,
    np.clip: ops.clip, np.column_stack: ops.column_stack, np.compress: ops.compress, np.concatenate: ops.concatenate,
    np.copy: ops.identity, np.count_nonzero: ops.count_nonzero, np.cross: ops.cross, np.cumprod: ops.cumprod,
    np.cumsum: ops.cumsum, np.cumulative_prod: ops.cumulative_prod, np.cumulative_sum: ops.cumulative_sum,
    np.delete: ops.delete, np.diag: ops.diag, np.diagflat: ops.diagflat, np.diagonal: ops.diagonal, np.diff: ops.diff,
    np.dot: ops.dot, np.dsplit: ops.dsplit, np.dstack: ops.dstack, np.ediff1d: ops.ediff1d, np.einsum: ops.einsum,
    np.expand_dims: ops.expand_dims, np.extract: ops.extract, np.fix: ops.fix, np.flatnonzero: ops.flatnonzero,
    np.flip: ops.flip, np.fliplr: ops.fliplr, np.flipud: ops.flipud, np.gradient: ops.gradient, np.hsplit: ops.hsplit,
    np.hstack: ops.hstack, np.inner: ops.inner, np.insert: ops.insert, np.interp: ops.interp, np.kron: ops.kron,
    np.matrix_transpose: ops.matrix_transpose, np.max: ops.max, np.mean: ops.mean, np.median: ops.median,
    np.meshgrid: ops.meshgrid, np.min: ops.min, np.moveaxis: ops.moveaxis, np.nan_to_num: ops.nan_to_num,
    np.nancumprod: ops.nancumprod, np.nancumsum: ops.nancumsum, np.nanmax: ops.nanmax, np.nanmean: ops.nanmean,
    np.nanmedian: ops.nanmedian, np.nanmin: ops.nanmin, np.nanpercentile: ops.nanpercentile, np.nanprod: ops.nanprod,
    np.nanquantile: ops.nanquantile, np.nanstd: ops.nanstd, np.nansum: ops.nansum, np.nanvar: ops.nanvar,
    np.nonzero: ops.nonzero, np.outer: ops.outer, np.pad: ops.pad, np.partition: ops.partition,
    np.percentile: ops.percentile, np.prod: ops.prod, np.ptp: ops.ptp, np.quantile: ops.quantile, np.ravel: ops.ravel,
    np.repeat: ops.repeat, np.reshape: ops.reshape, np.resize: ops.resize, np.roll: ops.roll, np.rollaxis: ops.rollaxis,
    np.rot90: ops.rot90, np.round: ops.round, np.select: ops.select, np.sinc: ops.sinc, np.sort: ops.sort,
    np.split: ops.split, np.squeeze: ops.squeeze, np.stack: ops.stack, np.std: ops.std, np.sum: ops.sum,
    np.swapaxes: ops.swapaxes, np.take: ops.take, np.take_along_axis: ops.take_along_axis, np.tensordot: ops.tensordot,
    np.tile: ops.tile, np.trace: ops.trace, np.transpose: ops.transpose, np.trapezoid: ops.trapezoid, np.tril: ops.tril,
    np.triu: ops.triu, np.unstack: ops.unstack, np.var: ops.var, np.vdot: ops.vdot, np.vsplit: ops.vsplit,
    np.vstack: ops.vstack, np.where: ops.where, np.linalg.cholesky: linalg.cholesky, np.linalg.cross: linalg.cross,
    np.linalg.det: linalg.det, np.linalg.diagonal: linalg.diagonal, np.linalg.eigvalsh: linalg.eigvalsh,
    np.linalg.inv: linalg.inv, np.linalg.matmul: linalg.matmul, np.linalg.matrix_norm: linalg.matrix_norm,
    np.linalg.matrix_power: linalg.matrix_power, np.linalg.matrix_transpose: linalg.matrix_transpose,
    np.linalg.multi_dot: linalg.multi_dot, np.linalg.norm: linalg.norm, np.linalg.outer: linalg.outer,
    np.linalg.pinv: linalg.pinv, np.linalg.slogdet: linalg.slogdet, np.linalg.solve: linalg.solve,
    np.linalg.svdvals: linalg.svdvals, np.linalg.tensordot: linalg.tensordot, np.linalg.trace: linalg.trace,
    np.linalg.vecdot: linalg.vecdot, np.linalg.vector_norm: linalg.vector_norm,
}  # fmt: skip

ON_SHAPES = frozenset({
    np.common_type, np.diag_indices_from, np.empty_like, np.full_like, np.iscomplexobj, np.isrealobj, np.ndim,
    np.ones_like, np.result_type, np.shape, np.size, np.tril_indices_from, np.triu_indices_from, np.zeros_like,
})  # fmt: skip

ON_VALUES = frozenset({
    np.allclose, np.array2string, np.array_equal, np.array_equiv, np.array_repr, np.array_str, np.bincount,
    np.digitize, np.isclose, np.iscomplex, np.isin, np.isreal, np.lexsort,
    np.linalg.matrix_rank, np.may_share_memory, np.nanargmax, np.nanargmin, np.searchsorted,
    np.shares_memory, np.unravel_index,
})  # fmt: skip

# NumPy's names for our params, and what it passes where the caller gave nothing.
IDLE: dict[str, tuple[Any, ...]] = {
    "casting": ("same_kind",), "copy": (True,), "dtype": (None,), "initial": (None,), "mean": (None,),
    "order": (None, "C", "K"), "out": (None,), "overwrite_input": (False,), "subok": (True, False),
    "weights": (None,), "where": (None, True),
}  # fmt: skip
RENAMED = {"newshape": "shape", "a_min": "min", "a_max": "max", "correction": "ddof"}


AN_INDEX = "an index, or a range(),"
REMEDIES = {
    "bool()": "use tg.where instead of `if`, or decide outside",
    "`in`": "compare with ==, and use tg.any or tg.where",
    ".data": "use the tensor itself; .assign(…) or an optimizer changes it",
    "np.asarray()": "use NumPy's or tg's functions on it, tg.stack to join, tg.take(X, i, axis=0) to read an array X "
    "at indices that are arguments",
    AN_INDEX: "use tg.take(X, i, axis=0) to read an array X at it, and pass the length of a loop as an int",
}  # fmt: skip


def refuse_while_tracing(what: str) -> None:
    """Raise ``TracingError`` if a function is being traced: only its graph is known, no number."""
    if mode() & TRACING:
        raise TracingError(
            f"{what} reads a value while a function is traced, at {user_line()}: "
            + REMEDIES.get(what, "return it, and read or print it outside")
        )


def array_ufunc(kind: str, ufunc: np.ufunc, method: str, inputs: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Return what a ufunc gives on nodes of class ``kind``, recorded.

    Raises:
        UnsupportedError: There is no op for the ufunc, or an argument is not supported; both are named.
    """
    func, methods = METHODS.get(method, (None, {}))
    if ufunc in methods:
        return numpy_call(f"np.{ufunc.__name__}.{method}", func, methods[ufunc], inputs, {"axis": 0, **kwargs})
    op = UFUNCS.get(ufunc)
    if op is None or method != "__call__":
        call = ufunc.__name__ + ("" if method == "__call__" else f".{method}")
        owner = "np." if getattr(np, ufunc.__name__, None) is ufunc else "the ufunc "
        raise UnsupportedError(f"{owner}{call} of a {kind} is not recorded here; use .data for the numbers alone")
    if kwargs.get("out") is not None:
        raise UnsupportedError(f"np.{ufunc.__name__}: out= would write a {kind} into an array and lose its gradient")
    params = {}
    for name, value in kwargs.items():
        if name == "axis" and ufunc is np.vecdot:
            params["axis"] = value
        elif not (name == "where" and value is True):
            raise UnsupportedError(f"np.{ufunc.__name__}: {name}= is not supported on a {kind}")
    return op(*inputs, **params)


def array_function(kind: str, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Return what a function of NumPy gives on nodes of class ``kind``: recorded, or on values if it has no derivative.

    Raises:
        UnsupportedError: There is no op for the function, or an argument is not supported; both are named.
    """
    name = f"{func.__module__}.{func.__name__}".replace("numpy", "np", 1)
    if func in ON_VALUES or func in ON_SHAPES:
        if func in ON_VALUES:
            refuse_while_tracing(name)
        elif func is np.full_like and any(type(x) in NODES for x in (*args[1:], kwargs.get("fill_value"))):
            raise UnsupportedError(
                f"{name}: an array filled with a {kind} would lose its gradient: use tg.broadcast_to"
            )
        given = [np.asarray(x) if func is np.array_repr and type(x) is float else x for x in _values(args)]
        y = func(*given, **dict(zip(kwargs, _values(tuple(kwargs.values())), strict=True)))
        if func is np.bincount and y.dtype.kind == "f":
            raise UnsupportedError(f"{name}: weights= are not recorded here; use tg.scatter")
        return y
    op = FUNCTIONS.get(func)
    if op is None:
        raise UnsupportedError(f"{name} of a {kind} is not recorded here; use .data for the numbers alone")
    return (numpy_call if isinstance(op, Op) else _composed_call)(name, func, op, args, kwargs)


def _composed_call(name: str, func: Any, f: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Return what a function composed of ops, which has NumPy's signature, gives for NumPy's arguments."""
    code = f.__code__
    known = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    theirs = () if code.co_flags & VARARGS else _signature(func) or ()
    own = _own_names(theirs, known[: code.co_argcount])
    operands = list(args[len(theirs) :])
    if len(operands) > code.co_argcount and not code.co_flags & VARARGS:
        raise UnsupportedError(f"{name}: {len(operands)} arguments; out= is not supported here")
    params = {}
    for key, value in {**dict(zip(theirs, args, strict=False)), **kwargs}.items():
        mine = own.get(key, key)
        if mine in known:
            if value is not np._NoValue:
                params[mine] = value
        elif not _idle(key, value):
            raise UnsupportedError(f"{name}: {key}= is not supported here")
    operands += [params.pop(key) for key in known[: code.co_posonlyargcount] if key in params]
    return f(*operands, **params)


def _own_names(theirs: tuple[str, ...], ours: tuple[str, ...]) -> dict[str, str]:
    """Return our name for each of NumPy's: the same, or that which stands in its place."""
    return {a: b for a, b in zip(theirs, ours, strict=False) if a not in ours and b not in theirs}


def numpy_call(name: str, func: Any, op: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Return ``op`` of NumPy's arguments: those by position under NumPy's names, without those that mean nothing."""
    signature = _signature(func)
    n = op.arity or 1
    given = dict(kwargs)
    if signature is not None:
        names = list(signature)
        given = {**dict(zip(names[n:], args[n:], strict=False)), **given}
        operands = list(args[:n])
        rest = [key for key in names[len(operands) : n] if key in given and key not in RENAMED]
        operands += [given.pop(key) for key in rest if key not in op.param_names]
    else:
        operands = list(args)
    params = {}
    for key, value in given.items():
        if _idle(key, value):
            continue
        own = RENAMED.get(key, key)
        if own not in op.param_names and own not in dict(op.operands):
            raise UnsupportedError(f"{name}: {key}= is not supported here")
        params[own] = value
    return op(*operands, **params)


def _idle(key: str, value: Any) -> bool:
    """Return whether an argument of NumPy's has a value that asks for nothing."""
    return value is np._NoValue or any(value is x or (type(value) in PLAIN and value == x) for x in IDLE.get(key, ()))


@cache
def _signature(func: Any) -> tuple[str, ...] | None:
    """Return the parameter names of a function of NumPy; None for the few written in C that tell none."""
    import inspect  # takes 5 ms

    try:
        return tuple(inspect.signature(func).parameters)
    except ValueError:
        return None


def _values(args: tuple[Any, ...]) -> list[Any]:
    """Return arguments with their nodes replaced by the numbers in them."""
    return [
        x._payload if type(x) in NODES else type(x)(_values(tuple(x))) if type(x) in (list, tuple) else x for x in args
    ]
