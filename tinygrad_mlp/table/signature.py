"""What a forward rule takes: which of its arguments are operands, and which are params."""

from collections.abc import Callable
from typing import Any

from tinygrad_mlp.errors import TinygradError

Rule = Callable[..., Any]
MISSING: Any = object()
VARARGS = 4  # inspect.CO_VARARGS, without the 5 ms that importing inspect takes
VARIADIC: tuple[tuple[str, Any], ...] = (("arrays", MISSING),)  # the operands of an op that takes a sequence


def signature_of(forward: Rule) -> tuple[tuple[tuple[str, Any], ...], tuple[str, ...], tuple[str, ...]]:
    """Return the operands of a forward rule with their defaults, its params, and the params that may go by position."""
    code = getattr(forward, "__code__", None)
    if code is None or code.co_varnames[: min(1, code.co_argcount)] != ("xp",):
        raise TinygradError(
            f"{forward!r}: a forward rule is a function that takes the namespace first, and calls it xp"
        )
    names = code.co_varnames
    by_position = names[1 : code.co_argcount]
    by_keyword = names[code.co_argcount : code.co_argcount + code.co_kwonlyargcount]
    given = forward.__defaults__ or ()
    defaults = dict(zip(by_position[len(by_position) - len(given) :], given, strict=True))
    if code.co_flags & VARARGS:
        return VARIADIC, by_position + by_keyword, by_position + by_keyword
    if code.co_posonlyargcount:
        operands = by_position[: code.co_posonlyargcount - 1]
    else:
        operands = tuple(name for name in by_position if name not in defaults)
    params = tuple(name for name in by_position if name not in operands)
    return tuple((name, defaults.get(name, MISSING)) for name in operands), params + by_keyword, params
