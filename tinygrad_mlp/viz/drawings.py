"""``draw``: which kind of picture is made of what."""

import gc
import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from difflib import get_close_matches
from typing import Any, NamedTuple, get_args

from tinygrad_mlp.backward import cotangents
from tinygrad_mlp.check import GradcheckReport
from tinygrad_mlp.errors import UnsupportedError
from tinygrad_mlp.graph import Node

from . import engines
from .graphs.naming import Names
from .graphs.walk import walk
from .kinds import backward, changes, checked, health, ops, path, scalar, steps
from .kinds.finished import Options
from .labels import argument, clean, shorten
from .network import diagram
from .options import check_values
from .picture import Picture
from .records import Drawing
from .subjects import Subject, recorded


class Kind(NamedTuple):
    """A kind of picture: what makes it, and what it shows in one line."""

    drawing: Callable[..., Drawing]
    shows: str


KINDS = {
    "ops": Kind(ops.drawing, "operations, parameters, inputs; modules as frames"),
    "network": Kind(diagram.drawing, "circles in columns, lines for weights or gradients"),
    "scalar": Kind(scalar.drawing, "every number on its own, tensors expanded"),
    "backward": Kind(backward.drawing, "the flow of the gradient, with the chain rule on its edges"),
    "path": Kind(path.drawing, "the paths from a loss to one node, product by product"),
    "steps": Kind(steps.drawing, "forward and backward, one operation at a time"),
    "health": Kind(health.drawing, "sizes of gradients; dead, saturated and unreached parts"),
    "check": Kind(checked.drawing, "the result of a gradient check, node by node"),
    "diff": Kind(changes.drawing, "what an optimizer step changed"),
}
SEVERAL = ("ops", "check")  # kinds that draw the graph of several results


def draw(
    x: Any,
    *inputs: Any,
    kind: str | None = None,
    engine: str | None = None,
    timeout: float = engines.TIMEOUT,
    **options: Any,
) -> Picture:
    """Return a picture of ``x``: of a recorded graph, of a network, or of what a function records.

    Args:
        x: A ``Tensor`` or ``Value``; a module, or the record that its ``describe()`` returns; a function or a compiled
            function, with its ``inputs``; a report of ``gradcheck``; for ``diff`` what was before.
        *inputs: The arguments of a function or module; for ``path`` the node (or its name); for ``diff`` what is after.
        kind: ``ops`` (the default for a graph), ``network`` (for a module without inputs), ``scalar``, ``backward``,
            ``path``, ``steps``, ``health``, ``check`` (for a report) or ``diff``.
        engine: A layout program, or ``native`` for the library's own layout; by default what is installed.
        timeout: Seconds that a layout program may take.
        **options: Of every kind: ``title=``, ``theme="light"|"dark"|"print"``, ``precision=4``. Of graphs:
            ``names=locals()``, ``budget=200``, ``force=False``, ``rankdir="TB"|"LR"``, and for the frames of modules
            ``depth=``, ``collapse=``, ``expand=``. Of ``network``: ``show="weights"|"gradients"``, ``sample=``,
            ``max_units=8``, ``inputs=`` and ``outputs=`` (names). Of ``path``: ``to=``, ``k=5``. Of the kinds that
            differentiate: ``seed=``. Of ``health``: ``model=``, whose parameters should all be reached.

    Returns:
        A picture with ``.source`` (DOT), ``.svg``, ``.text`` and ``.save(path)``; a notebook shows it.

    Raises:
        UnsupportedError: an unknown kind or option, or one that does not fit ``x``.
        LayoutError: more than 2,500 nodes would have to be laid out, and ``force`` is False.

    >>> draw({"name": "MLP", "layers": [{"name": "input", "units": 2}, {"name": "output", "units": 1}]})
    <Picture network 'MLP 2-1, 3 parameters': .svg, .source, .text, .save(path)>
    """
    if kind is None and len(inputs) == 1 and isinstance(inputs[0], str):  # draw(y, "ops")
        (kind,), inputs = inputs, ()
    if type(x) is tuple and x and not inputs:  # draw((loss, w), kind="path")
        x, *rest = x
        inputs = tuple(rest)
    kind = kind or _default(x, inputs)
    check_values({"kind": kind, "engine": engine, "timeout": timeout})
    if kind not in KINDS:
        near = get_close_matches(kind, KINDS, 1)
        meant = f", did you mean {near[0]!r}?" if near else ""
        raise UnsupportedError(f"draw: unknown kind {kind!r}; the kinds are {', '.join(KINDS)}{meant}")
    _check_options(kind, inputs, options)
    check_values(options)
    with _uncollected():
        drawing = _drawing(kind, x, inputs, options)
    return Picture(drawing, engine=engine, timeout=timeout)


@contextmanager
def _uncollected() -> Iterator[None]:
    """Let the cycle collector rest: of a large graph nothing is garbage, and to look takes a third of the time."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


def _default(x: Any, inputs: Sequence[Any]) -> str:
    if isinstance(x, GradcheckReport):
        return "check"
    return "network" if _is_network(x) and not inputs else "ops"


def _is_network(x: Any) -> bool:
    return isinstance(x, Mapping) or (not isinstance(x, type) and callable(getattr(x, "describe", None)))


def _drawing(kind: str, x: Any, inputs: Sequence[Any], options: dict[str, Any]) -> Drawing:
    """Return the drawing of a kind."""
    if kind == "network":
        return _network(x, inputs, options)
    if kind == "diff":
        return _diff(x, inputs, options)
    if kind == "check" and isinstance(x, GradcheckReport):
        return checked.drawing(x, **options)
    target = options.pop("to", None)
    if kind == "path" and isinstance(x, Node) and inputs:
        target, *others = inputs
        if others:
            raise UnsupportedError(f"draw: kind 'path' leads to one node; {len(inputs)} were given")
        inputs = ()
    subject = _subject(kind, x, inputs, options.pop("names", None))
    if len(subject.roots) > 1 and kind not in SEVERAL:
        raise UnsupportedError(f"draw: kind {kind!r} is of one result, and there are {len(subject.roots)}: return one")
    if kind == "path":
        return path.drawing(subject.root, _target(subject, target), names=subject.names, **options)
    if kind == "ops" and inputs and _is_differentiable(subject.root):
        options = {"gradients": cotangents(subject.root, keep=True), **options}  # nobody else can call backward()
    return KINDS[kind].drawing(subject.root, names=subject.names, **options)


def _network(x: Any, inputs: Sequence[Any], options: dict[str, Any]) -> Drawing:
    if not _is_network(x):
        raise UnsupportedError(
            f"draw: kind 'network' does not fit {type(x).__name__}; pass the model for a network diagram"
        )
    if inputs:  # draw(model, x, kind="network") shows the activations of a sample
        options = {"sample": inputs[0], **options}
    return diagram.drawing(x, **options)


def _diff(x: Any, inputs: Sequence[Any], options: dict[str, Any]) -> Drawing:
    if len(inputs) != 1:
        raise UnsupportedError(f"draw: kind 'diff' needs what was before and what is after: {1 + len(inputs)} given")
    if isinstance(inputs[0], Node):
        return changes.drawing(x, inputs[0], **options)
    return diagram.difference(x, inputs[0], **options)


def _subject(kind: str, x: Any, inputs: Sequence[Any], names: Any) -> Subject:
    """Return the recorded results of what was given."""
    if isinstance(x, Node) or (isinstance(x, list) and x and all(isinstance(y, Node) for y in x)):
        if inputs:
            remedy = "; kind='path' leads from it to a node" if isinstance(inputs[0], Node) else ""
            raise UnsupportedError(
                f"draw: kind {kind!r} of a recorded result takes no inputs: it is computed already{remedy}"
            )
        return Subject(tuple(x) if isinstance(x, list) else (x,), Names(names))
    if not inputs and _is_network(x):
        raise UnsupportedError(
            f"draw: kind {kind!r} does not fit {type(x).__name__} without inputs; draw(model, X, kind={kind!r}) or "
            "draw(model(X)) shows its operations"
        )
    if not callable(x):
        raise UnsupportedError(
            f"draw: cannot draw {type(x).__name__}; pass a tensor, a Value, a module, a record, or a function with its "
            "inputs"
        )
    return recorded(x, inputs, names, graded=kind != "ops")


def _is_differentiable(root: Any) -> bool:
    return isinstance(root, Node) and root.requires_grad and root.size == 1


def _target(subject: Subject, to: Any) -> Node:
    """Return the node that paths shall lead to, given itself or by its name."""
    if isinstance(to, Node):
        return to
    if to is None:
        raise UnsupportedError("draw: kind 'path' needs the node that it leads to: draw(loss, w, kind='path')")
    known: dict[str, Node] = {}
    for node in walk(subject.roots).found:
        if isinstance(node, Node):
            known.setdefault(subject.names.of(node), node)
    if not isinstance(to, str) or to not in known:
        listed = ", ".join(shorten(clean(name)) for name in list(known)[:12] if name)
        raise UnsupportedError(
            f"draw: to={shorten(clean(argument(to)))} names no node of the graph; it has {listed or 'no names'}"
        )
    return known[to]


def _check_options(kind: str, inputs: Sequence[Any], options: Mapping[str, Any]) -> None:
    """Raise if a kind does not have one of the options."""
    known: dict[str, None] = {}
    networks = kind == "diff" and not any(isinstance(x, Node) for x in inputs)
    for p in inspect.signature(diagram.difference if networks else KINDS[kind].drawing).parameters.values():
        if p.kind is p.KEYWORD_ONLY or p.name == "to":
            known[p.name] = None
        elif p.kind is p.VAR_KEYWORD:
            known |= dict.fromkeys(sorted((get_args(p.annotation) or (Options,))[0].__optional_keys__))
    for name in options:
        if name not in known:
            raise UnsupportedError(f"draw: kind {kind!r} has no option {name!r}; its options are {', '.join(known)}")
