"""The compiler: a function is recorded once, rewritten, and replayed as straight NumPy."""

from collections.abc import Callable, Iterable
from typing import Any

from tinygrad_mlp.errors import UnsupportedError

BACKENDS = ("numpy", "c")


def compile(
    f: Callable[..., Any] | None = None,
    *,
    backend: str = "numpy",
    donate: Any = (),
    rules: Any = True,
    products: bool = True,
    layout: bool = True,
    biases: bool = True,
    blocks: bool = True,
    twice: bool = False,
) -> Any:
    """Return ``f`` recorded once and replayed as straight NumPy, without nodes.

    Args:
        f: A function of floats, arrays, tensors and nests of them.
        backend: "numpy", or "c" where the machine has a C compiler.
        donate: The numbers or names of arguments whose arrays may be overwritten by results, or True for all that is
            updated.
        rules: Whether to rewrite by the table of rules, or the titles of the rules that are on.
        products: Whether to compute sums of products by BLAS.
        layout: Whether to compute long batches of few features transposed.
        biases: Whether products of such batches add the biases too, and sum their gradients.
        blocks: Whether to run chains of elementwise operations on long arrays in blocks that stay in cache.
        twice: Whether to record a second time, and raise if that gives another program.
    """
    switches: dict[str, Any] = {"products": products, "layout": layout, "biases": biases}
    switches |= {"blocks": blocks, "twice": twice}
    for name, value in switches.items():
        if not isinstance(value, bool):
            raise UnsupportedError(f"compile: {name}={value!r}: choose True or False")
    wanted = "True, False, or the titles of rules"
    switches["rules"] = rules if isinstance(rules, bool) else _items("rules", rules, (str,), wanted)
    wanted = "True, or numbers or names of arguments"
    if donate is not True:
        donate = () if donate is None or donate is False else _items("donate", donate, (int, str), wanted)
    if f is None:
        return lambda function: compile(function, backend=backend, donate=donate, **switches)
    if not callable(f):
        raise UnsupportedError(f"compile: {f!r} is no function")
    if backend not in BACKENDS:
        raise UnsupportedError(f"compile: backend {backend!r}: choose one of {', '.join(BACKENDS)}")
    from .compiled import Compiled  # what compiles is loaded when something is compiled

    return Compiled(f, backend, donate, switches)


def _items(name: str, given: Any, kinds: tuple[type, ...], wanted: str) -> tuple[Any, ...]:
    """Return what was given for a switch, one or several, as a tuple."""
    several = not isinstance(given, kinds) and isinstance(given, Iterable)
    items = tuple(given) if several else (given,)
    if any(isinstance(x, bool) or not isinstance(x, kinds) for x in items):
        raise UnsupportedError(f"compile: {name}={given!r}: choose {wanted}")
    return items


__all__ = ["compile"]
