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

    The first call of each kind records ``f``; later calls of the kind run the program that was made of it, and return
    plain numbers and arrays. ``docs/compile.md`` says what a kind is, what is frozen, and what each error means. Of
    what was recorded last, ``.source`` is the program as NumPy code that a person reads, ``.constants`` what this
    takes by name beside what it reads live, ``.kernel`` the code that runs, and ``.plan`` what was done to get there.
    Other attributes are those of ``f``.

    >>> @tg.compile
    ... def f(x, a):
    ...     return tg.sum(tg.tanh(x) * a)
    >>> f(np.zeros(3), 2.0)
    array(0.)
    >>> print(f.source)
    import numpy as np
    <BLANKLINE>
    <BLANKLINE>
    def f(x, a):
        t = np.tanh(x)  # (3,) float64
        t1 = t * a      # (3,) float64
        t2 = t1.sum()   # () float64
        return t2
    <BLANKLINE>

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

    Raises:
        UnsupportedError: ``f`` is no function, or a switch means nothing; in a call, ``donate`` names no argument with
            an array, or a donated array cannot be overwritten.
        TracingError: In a call, ``f`` needs a number while it is recorded, where only the graph is known; or it gives
            what cannot be replayed.
        DTypeError: In a call, an argument is complex, or of another library.
        GradientError: In a call, an argument is a computed tensor through which a gradient would have to flow.
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
