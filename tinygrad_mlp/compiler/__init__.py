"""The compiler: a function is recorded once, rewritten, and replayed as straight NumPy."""

from collections.abc import Callable
from typing import Any

from tinygrad_mlp.errors import UnsupportedError

BACKENDS = ("numpy", "c")


def compile(f: Callable[..., Any] | None = None, *, backend: str = "numpy", donate: Any = (), **options: Any) -> Any:
    """Return ``f`` recorded once and replayed as straight NumPy, without nodes.

    Args:
        f: A function of floats, arrays, tensors and nests of them.
        backend: "numpy", or "c" where the machine has a C compiler.
        donate: The numbers of arguments whose arrays may be overwritten by results, or True for all that is updated.
        **options: switches of the compiler.
    """
    if f is None:
        return lambda function: compile(function, backend=backend, donate=donate, **options)
    if not callable(f):
        raise UnsupportedError(f"compile: {f!r} is no function")
    if backend not in BACKENDS:
        raise UnsupportedError(f"compile: backend {backend!r}: choose one of {', '.join(BACKENDS)}")
    from .compiled import Compiled  # what compiles is loaded when something is compiled

    return Compiled(f, backend, donate, options)


__all__ = ["compile"]
