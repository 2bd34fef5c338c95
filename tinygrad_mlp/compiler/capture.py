"""Capture: run a function once on nodes, and turn all that it recorded into a program of terms."""

import sys
from collections.abc import Callable, Mapping, Sequence
from types import FrameType
from typing import Any

import numpy as np

from tinygrad_mlp.arrays import Guarded, as_payload, thaw
from tinygrad_mlp.backward import expand
from tinygrad_mlp.errors import DTypeError, TracingError
from tinygrad_mlp.graph import NODES, Trace
from tinygrad_mlp.nest import Nest
from tinygrad_mlp.ops import astype
from tinygrad_mlp.rewrite import Program, Term
from tinygrad_mlp.rewrite.rules import STABLE
from tinygrad_mlp.rewrite.terms import freeze

from .arguments import Arguments

ndarray = np.ndarray
NAMED = 2000  # frames whose local names are read: a scalar network has a hundred thousand calls


class Capture:
    """What one call of a function recorded.

    Attributes:
        program: Its terms, row by row of the table.
        arguments: The arguments, opened.
        inputs: The terms of the traced arguments, in order.
        live: What is read anew at each replay: ``(reader, term, leaf or None)``.
        outputs: The terms of what the function returned, flat; ``result`` is the nest.
        writes: ``(leaf, term)``: what was assigned to each leaf last.
        grads: ``(leaf, term or None)``: what each leaf's ``.grad`` became.
        cells: ``(writer, term, input)``: what was written back elsewhere, and what was read there.
        guards: ``(term, bool)``: conditions that have to come out the same.
        draws: The random terms, in order.
        trace: The trace itself.
    """

    def __init__(self, f: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
        """Run ``f`` once, on the arguments of a call; leaves and generators are as before when that is done."""
        self.arguments = Arguments(args, kwargs, _parameters(f))
        self.program = Program(STABLE)
        self.names: dict[int, tuple[Any, str]] = {}
        with np.errstate(all="ignore"), Trace() as self.trace, _Naming(self.names):
            result = f(*self.arguments.args, **self.arguments.kwargs)
            if hasattr(result, "send") or hasattr(result, "__await__"):
                raise TracingError("compile: the function is a generator or a coroutine; it must return its values")
        self.returned = result
        self.result = Nest(result)
        self._known: dict[int, Term] = {}
        self._kept: list[Any] = []
        self._versions: dict[int, list[tuple[int, Any]]] = {}
        for tick, leaf, value in self.trace.writes:
            self._versions.setdefault(id(leaf), []).append((tick, value))
        self.inputs = [self._input(x.node, x.path) for x in self.arguments.traced]
        self.live: list[tuple[Any, Term, Any]] = []
        for reader, node, _writer, _value in self.trace.cells.values():
            self.live.append((reader, self._input(node, ""), None))
        self._read_graph()
        self._name_slopes()

    def _input(self, node: Any, name: str) -> Term:
        payload = node._payload
        shape, dtype = (payload.shape, payload.dtype) if type(payload) is ndarray else ((), type(payload))
        term = self.program.input(shape, dtype, node.name or name)
        self._known[id(node)] = term
        self._kept.append(node)
        if id(node) in self.names:
            term.name = self.names[id(node)][1]
        return term

    def is_like(self, other: "Capture") -> bool:
        """Return whether another recording has the same operations on the same constants."""
        pairs = [(capture.outputs, capture.writes, capture.program.made) for capture in (self, other)]
        if any(len(a) != len(b) for a, b in zip(*pairs, strict=True)):
            return False
        return all(_alike(a, b) for a, b in zip(self.program.made, other.program.made, strict=True))

    # ------------------------------------------------------------------------------------------------ nodes to terms

    def _read_graph(self) -> None:
        """Turn everything that the call gave or changed into terms."""
        trace = self.trace
        expand(self._roots())
        self.draws = [self._term(node, None) for node in trace.draws]
        self.outputs = [self._output(x) for x in self.result.leaves]
        self.guards = [(self._term(condition, None), holds) for condition, holds in trace.assumed]
        last = {id(leaf): (leaf, value) for _tick, leaf, value in trace.writes}
        self.writes = [
            (leaf, self._as(self._term(value, None), leaf))
            for leaf, value in last.values()
            if leaf.tick < trace.start or id(leaf) in self._known
        ]
        self.grads: list[tuple[Any, Term | None]] = [
            (leaf, None if g is None else self._term(g, None))
            for leaf, g in trace.grads.items()
            if trace.before[leaf][2] < trace.start
        ]
        self.cells = [
            (writer, self._term(value, None), self._known[id(node)])
            for _reader, node, writer, value in trace.cells.values()
            if writer is not None
        ]

    def _roots(self) -> list[Any]:
        """Return the nodes that the call gave, asked for or wrote somewhere."""
        trace = self.trace
        given = [*self.result.leaves, *trace.draws, *trace.grads.values(), *(node for node, _ in trace.assumed)]
        given += [value for _tick, _leaf, value in trace.writes]
        given += [value for _r, _n, _w, value in trace.cells.values()]
        return [x for x in given if type(x) in NODES]

    def _output(self, x: Any) -> Any:
        """Return the term of one result; what is no number, such as a text, comes back as it is."""
        if type(x) in NODES or isinstance(x, ndarray | np.generic | float | int):
            return self._term(x, None)
        return Fixed(x)

    def _as(self, term: Term, leaf: Any) -> Term:
        """Return what is assigned to a leaf in the dtype of the leaf."""
        payload = leaf._payload
        if type(payload) is not ndarray or (not term.is_number and term.dtype == payload.dtype):
            return term
        return self.program.make(astype, term, dtype=payload.dtype)

    def _term(self, x: Any, tick: int | None) -> Term:
        """Return the term of a node, or of a raw number or array, as it was at a tick: None is the end."""
        stack: list[tuple[Any, int | None]] = [(x, tick)]
        while stack:
            node, at = stack[-1]
            node = self._version(node, at)
            if type(node) not in NODES or id(node) in self._known:
                stack.pop()
                continue
            if node.op is None:
                stack.pop()
                self._leaf(node)
                continue
            waiting = [(y, node.tick) for y in node.inputs if self._is_open(y, node.tick)]
            if waiting:
                stack.extend(waiting)
            else:
                stack.pop()
                self._computed(node)
        return self._found(x, tick)

    def _version(self, x: Any, tick: int | None) -> Any:
        """Return what a leaf held at a tick: the last value assigned to it until then, or itself."""
        while type(x) in NODES and x.op is None:
            values = [value for t, value in self._versions.get(id(x), ()) if tick is None or t <= tick]
            if not values:
                break
            x = values[-1]
        return x

    def _is_open(self, x: Any, tick: int | None) -> bool:
        x = self._version(x, tick)
        return type(x) in NODES and id(x) not in self._known

    def _found(self, x: Any, tick: int | None) -> Term:
        x = self._version(x, tick)
        if type(x) in NODES:
            return self._known[id(x)]
        if type(x) is Guarded:
            x = thaw(x)
        return self.program.constant(as_payload(x))

    def _leaf(self, node: Any) -> None:
        """Take in a leaf that is no argument: one that lasts is read anew at each replay, another is a constant."""
        payload = node._payload
        if type(payload) is not ndarray and type(payload) not in (float, bool, int):
            raise DTypeError(
                f"compile: a tensor holds an array of {type(payload).__module__.partition('.')[0]}; a compiled "
                "function computes with NumPy's: use jax.jit or torch.compile"
            )
        if node.tick >= self.trace.start:
            self._known[id(node)] = self.program.constant(payload)
            self._kept.append(node)
            return
        self.live.append((None, self._input(node, f"leaf{len(self.live)}"), node))

    def _computed(self, node: Any) -> None:
        """Take in a node whose operands are known."""
        inputs = tuple(None if y is None else self._found(y, node.tick) for y in node.inputs)
        payload = node._payload
        like = (payload.shape, payload.dtype) if type(payload) is ndarray else ((), type(payload))
        term = self.program.put(node.op, inputs, dict(node.params), like)
        name = node.name or self.names.get(id(node), (None, ""))[1]
        if name and (not term.name or "[" in term.name):
            term.name = name
        self._known[id(node)] = term
        self._kept.append(node)

    def _name_slopes(self) -> None:
        """Call the gradient of ``W`` ``dW``."""
        for node, g in self.trace.slopes.items():
            x, slope = self._known.get(id(node)), self._known.get(id(g))
            while x is not None and x.op is not None and x.op.name == "identity":
                x = x.inputs[0]
            if x is not None and slope is not None and x.name and slope.op is not None and not slope.name:
                slope.name = f"d{x.name}"


def _alike(a: Term, b: Term) -> bool:
    """Return whether two terms have the same op, params and constants."""
    if a.op is not b.op or len(a.inputs) != len(b.inputs) or freeze(a.params) != freeze(b.params):
        return False
    pairs = [(x.value, y.value) for x, y in zip(a.inputs, b.inputs, strict=True) if x is not None and y is not None]
    return all((x is None) is (y is None) and (x is None or freeze(x) == freeze(y)) for x, y in pairs)


def _parameters(f: Any) -> tuple[str, ...]:
    """Return the names of the parameters of a function."""
    f = getattr(f, "__wrapped__", f)
    code = getattr(f, "__code__", None)
    if code is None:
        return ()
    names: tuple[str, ...] = code.co_varnames[: code.co_argcount]
    return names[1:] if hasattr(f, "__self__") else names


class Fixed:
    """A result that is the same in every call."""

    def __init__(self, value: Any) -> None:
        self.value = value


class _Naming:
    """Notes the local names that the user's functions give to nodes."""

    def __init__(self, names: dict[int, tuple[Any, str]]) -> None:
        self.names = names
        self.frames = 0
        self.before: Any = None

    def __enter__(self) -> None:
        self.before = sys.getprofile()
        if self.before is None:
            sys.setprofile(self._look)

    def __exit__(self, *_: object) -> None:
        if self.before is None:
            sys.setprofile(None)

    def _look(self, frame: FrameType, event: str, _arg: Any) -> None:
        if event != "return" or frame.f_code.co_name in ("<genexpr>", "<listcomp>", "<dictcomp>", "<setcomp>"):
            return
        if str(frame.f_globals.get("__name__", "")).partition(".")[0] == "tinygrad_mlp":
            return
        self.frames += 1
        if self.frames > NAMED:
            sys.setprofile(None)
            return
        for name, value in frame.f_locals.items():
            if type(value) in NODES and name.isidentifier():
                self.names[id(value)] = value, name
