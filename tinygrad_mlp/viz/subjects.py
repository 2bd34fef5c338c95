"""What was given to be drawn: a result as it is, or a function that is run once to see what it records."""

import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinygrad_mlp.compiler.capture import Capture, Naming
from tinygrad_mlp.compiler.compiled import Compiled
from tinygrad_mlp.errors import TracingError, UnsupportedError
from tinygrad_mlp.graph import NODES, Node, sources
from tinygrad_mlp.nest import Nest
from tinygrad_mlp.tensors import Tensor, Value

from .graphs.naming import Names
from .labels import clean


@dataclass(frozen=True)
class Subject:
    """Recorded results, with the names that are known of their nodes."""

    roots: tuple[Node, ...]
    names: Names

    @property
    def root(self) -> Any:
        """The result, or a list of several."""
        return self.roots[0] if len(self.roots) == 1 else list(self.roots)


def recorded(f: Any, inputs: Sequence[Any], names: Any = None, *, graded: bool = False) -> Subject:
    """Return what a function, a module or a compiled function records when it is called with ``inputs``.

    Source lines and modules are recorded, and the local names that the function gives its results. Floats and arrays
    of floats become leaves that require a gradient; for a module they are constants, since its parameters do.

    Args:
        f: What to call.
        inputs: Its arguments.
        names: More names, as of ``Names``.
        graded: Whether the result shall have a gradient: then arrays given to a compiled function are variables too,
            if it computes with no parameters of its own.

    Raises:
        UnsupportedError: nothing that it returns is recorded.
    """
    if isinstance(f, Compiled):
        subject = _compiled(f, inputs, names)
        if graded and not any(x.requires_grad for x in subject.roots):
            titles = _parameters(f, inputs)
            varied = _compiled(f, [_leaf(x, t, True) for x, t in zip(inputs, titles, strict=True)], names)
            subject = varied if any(x.requires_grad for x in varied.roots) else subject
        return subject
    is_module = hasattr(f, "named_parameters")
    titles = _parameters(f, inputs)
    arguments = [_leaf(x, title, not is_module) for x, title in zip(inputs, titles, strict=True)]
    found: dict[int, tuple[Any, str]] = {}
    with sources(), Naming(found):
        result = f(*arguments)
    if hasattr(result, "named_parameters"):
        raise UnsupportedError(
            f"draw: {_called(f)} returned a {type(result).__name__}, not what it computes; draw that"
        )
    roots = [x for x in Nest(result).leaves if isinstance(x, Node)]
    if not roots:
        raise UnsupportedError(
            f"draw: {_called(f)} returned no recorded result but {type(result).__name__}; it has to compute with what "
            "it is given, through tg or the operators of tensors"
        )
    if is_module and names is None:
        names = f
    return Subject(tuple(dict.fromkeys(roots)), Names(names, found.values()))


def _compiled(f: Compiled, inputs: Sequence[Any], names: Any) -> Subject:
    """Return what a compiled function computes: what it returns, and what it changes."""
    try:
        with sources():
            capture = Capture(f._f, inputs, {})
    except TracingError as error:
        raise UnsupportedError(f"draw: {_called(f)} cannot be recorded: {error}") from error
    found = list(capture.names.values())
    found += [(value, f"new {leaf.name}") for leaf, value in capture.writes if leaf.name]
    found += [(g, f"gradient of {leaf.name}") for leaf, g in capture.grads if leaf.name]
    roots = [x for x in capture.results() if type(x) in NODES]
    if not roots:
        raise UnsupportedError(f"draw: {_called(f)} computes nothing from its arguments")
    return Subject(tuple(dict.fromkeys(roots)), Names(names, found))


def _parameters(f: Any, inputs: Sequence[Any]) -> list[str]:
    """Return a name for each argument.

    Raises:
        UnsupportedError: ``f`` takes others.
    """
    try:
        signature = inspect.signature(f)
    except (TypeError, ValueError):  # a function of C
        signature = inspect.Signature([inspect.Parameter("x", inspect.Parameter.VAR_POSITIONAL)])
    try:
        signature.bind(*inputs)
    except TypeError as error:
        remedy = "pass its arguments after it, those by keyword with functools.partial"
        raise UnsupportedError(f"draw: {_called(f)}{clean(signature)}: {error}; {remedy}") from None
    known, count = list(signature.parameters.values()), len(inputs)
    titles = [p.name for p in known if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)][:count]
    rest = next((p.name for p in known if p.kind is p.VAR_POSITIONAL), "x")
    return titles + [f"{rest}{i}" for i in range(count - len(titles))]


def _leaf(x: Any, name: str, trained: bool) -> Any:
    """Return an argument as a named leaf, if it is a number or an array; lists and dicts are opened."""
    if isinstance(x, Node):
        return x
    if isinstance(x, np.ndarray | np.generic) and x.dtype.kind == "f":  # NumPy's float64 is a float, too
        return Tensor(x, requires_grad=trained, name=name)
    if isinstance(x, float):
        return Value(x, name=name) if trained else x
    if isinstance(x, list | tuple | dict):
        nest = Nest(x)
        return nest.refill(
            [_leaf(leaf, name + path, trained) for leaf, path in zip(nest.leaves, nest.paths, strict=True)]
        )
    return x


def _called(f: Any) -> str:
    return str(getattr(f, "__name__", type(f).__name__))
