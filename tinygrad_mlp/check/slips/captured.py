"""What a formula by hand carries with it: the arrays that it reads beside its arguments, which may be stale."""

import functools
import inspect
from collections.abc import Callable, Iterator
from contextlib import suppress
from types import FunctionType, MethodType
from typing import Any

import numpy as np

from tinygrad_mlp.check.differences import Floats
from tinygrad_mlp.check.foreign import as_numpy, library_of
from tinygrad_mlp.graph import NODES
from tinygrad_mlp.nest import Nest

DEPTH = 3  # functions that call functions
MOST = 60  # arrays


def captured(f: Callable[..., Any]) -> dict[str, list[Floats]]:
    """Return the arrays of floats that a function reads beside its arguments, by the name of the variable.

    >>> H = np.ones(2)
    >>> captured(lambda x: H * x)
    {'H': [array([1., 1.])]}
    """
    found: dict[str, list[Floats]] = {}
    for name, value in _variables(f, DEPTH):
        arrays = [np.asarray(as_numpy(x), np.float64) for x in _leaves(value) if _is_array(x)]
        if arrays and len(found) < MOST:
            found.setdefault(name, arrays)
    return found


def rates(f: Callable[..., Any]) -> list[float]:
    """Return the numbers that a function reads or contains, which may be learning rates."""
    found = [value for _, value in _variables(f, DEPTH) if type(value) is float]
    for code in _codes(f, DEPTH):
        found += [x for x in code.co_consts if type(x) is float]
    return list(dict.fromkeys(x for x in found if 0 < abs(x) < 1))[:8]


def _variables(f: Any, depth: int) -> Iterator[tuple[str, Any]]:
    """Yield the variables around a function, and those of the functions that it reads."""
    seen: set[int] = set()

    def visit(f: Any, depth: int) -> Iterator[tuple[str, Any]]:
        if id(f) in seen or depth == 0:
            return
        seen.add(id(f))
        for name, value in _around(f):
            yield name, value
            if isinstance(value, FunctionType | MethodType | functools.partial):
                yield from visit(value, depth - 1)

    yield from visit(f, depth)


def _around(f: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(f, functools.partial):
        yield from ((f"argument {i}", x) for i, x in enumerate(f.args))
        yield from f.keywords.items()
        yield "the function", f.func
        return
    if isinstance(f, MethodType):
        yield from vars(f.__self__).items() if hasattr(f.__self__, "__dict__") else ()
        f = f.__func__
    if not isinstance(f, FunctionType):
        yield from vars(f).items() if hasattr(f, "__dict__") else ()
        yield from f._asdict().items() if hasattr(f, "_asdict") else ()
        f = vars(type(f)).get("__call__")
    if isinstance(f, FunctionType):
        with suppress(ValueError):  # a variable that has no value yet
            around = inspect.getclosurevars(f)
            yield from around.nonlocals.items()
            yield from around.globals.items()
        names = f.__code__.co_varnames[: f.__code__.co_argcount]
        yield from zip(reversed(names), reversed(f.__defaults__ or ()), strict=False)
        yield from (f.__kwdefaults__ or {}).items()


def _codes(f: Any, depth: int) -> Iterator[Any]:
    own = f if hasattr(f, "__code__") else vars(type(f)).get("__call__")
    if isinstance(own, FunctionType | MethodType):
        yield own.__code__
    for _, value in _variables(f, depth):
        if isinstance(value, FunctionType):
            yield value.__code__


def _leaves(value: Any) -> list[Any]:
    if isinstance(value, list | tuple | dict):
        return Nest(value).leaves
    return [value]


def _is_array(x: Any) -> bool:
    if not (isinstance(x, np.ndarray) or type(x) in NODES or library_of(x) != "NumPy"):
        return False
    array = as_numpy(x)
    return bool(array.dtype.kind == "f" and array.ndim and 0 < array.size <= 10**6)
