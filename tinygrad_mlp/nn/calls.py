"""Which module makes a node: the scopes that pictures frame, kept while source lines are recorded."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from itertools import count
from typing import Any, NamedTuple

from tinygrad_mlp.graph import Scope, mode, scope, sources


class _Call(NamedTuple):
    """The innermost call of a module: the module, and the names of all modules in the outermost one, by ``id``."""

    module: Any
    names: dict[int, str]


_numbers = count()
_call: ContextVar[_Call | None] = ContextVar("call", default=None)
_heard: ContextVar[dict[int, Any] | None] = ContextVar("heard", default=None)


def scoped(method: Callable[..., Any]) -> Callable[..., Any]:
    """Return a method of modules whose nodes know, under ``tg.sources()``, that they are made in it."""

    @wraps(method)
    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        if mode() >= 0:
            return method(self, *args, **kwargs)
        outer = _call.get()
        if outer is not None and outer.module is self:  # of another method of its own
            return method(self, *args, **kwargs)
        if (heard := _heard.get()) is not None and args:
            heard[id(self)] = args[0]
        names = outer.names if outer is not None else {id(m): name for name, m in self.named_modules()}
        before = scope.set(_scope(self, names)), _call.set(_Call(self, names))
        try:
            return method(self, *args, **kwargs)
        finally:
            scope.reset(before[0])
            _call.reset(before[1])

    return call


@contextmanager
def listening() -> Iterator[dict[int, Any]]:
    """Give a dict that fills with the first argument of each module called in the ``with`` block, by its ``id``."""
    heard: dict[int, Any] = {}
    token = _heard.set(heard)
    try:
        with sources():  # the mode in which calls are noticed
            yield heard
    finally:
        _heard.reset(token)


def _scope(module: Any, names: dict[int, str]) -> Scope:
    outer, kind = scope.get(), type(module).__name__
    path = names.get(id(module))
    if path is None:  # no part of the outermost module, such as one that a function made
        path = f"{outer.path}.{kind}" if outer is not None and outer.path else kind
    return Scope(path, kind, sum(p.size for p in module.parameters()), next(_numbers), outer)
