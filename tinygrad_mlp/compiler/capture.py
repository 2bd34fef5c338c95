"""Capture: run a function once on nodes, and note what it gives, changes, assumes and draws."""

import math
import sys
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from types import CellType, FrameType, ModuleType
from typing import Any

import numpy as np

from tinygrad_mlp.errors import TracingError
from tinygrad_mlp.graph import NODES, Trace
from tinygrad_mlp.nest import Nest

from .arguments import Arguments

ndarray = np.ndarray
NUMBERS, REAL = (ndarray, np.generic, float, int), np.dtype(float)
EMPTY = CellType()
NAMED = 20_000  # events after which no more local names are read: a scalar network has a hundred thousand calls


class Fixed:
    """A result that is no number, such as a text: the same in every call."""

    def __init__(self, value: Any) -> None:
        """Take it."""
        self.value = value


class Capture:
    """What one call of a function did; numbers are nodes, or raw where they do not depend on anything.

    Attributes:
        arguments: The arguments, opened.
        returned: What the function returned.
        outputs: The same, flat: nodes, raw numbers and arrays, and ``Fixed`` for everything else.
        writes: ``(leaf, value)``: what was assigned to each leaf last.
        grads: ``(leaf, value or None)``: what each leaf's ``.grad`` became.
        cells: ``(writer, value, node)``: what is written back elsewhere, and the node of what was read there.
        readers: ``(reader, node)``: what is read anew at each replay, and its node.
        guards: ``(node, bool)``: conditions that have to come out the same.
        draws: The random nodes, in order.
        trace: The trace itself.
        own: The leaves that are no arguments, where the leaves among the arguments may be any others; None where a
            replay is bound to the leaves that it was recorded with.
        names: The local names that the function's code gave to nodes, by ``id``: pairs of a node and its name.
    """

    def __init__(self, f: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
        """Run ``f`` once, on the arguments of a call; leaves and generators are as before when that is done."""
        self.arguments = Arguments(args, kwargs, parameters(f))
        self.names: dict[int, tuple[Any, str]] = {}
        with np.errstate(all="ignore"), Trace() as trace, Naming(self.names):
            result = f(*self.arguments.args, **self.arguments.kwargs)
            if hasattr(result, "send") or hasattr(result, "__await__"):
                raise TracingError("compile: the function is a generator or a coroutine; it must return its values")
            self.arguments.check_unchanged()
        self.trace = trace
        self.returned = result
        self.outputs = [x if _is_number(x) else self._fixed(x) for x in Nest(result).leaves]
        arguments = {id(x.node) for x in self.arguments.traced}
        last = {id(leaf): (leaf, value) for _tick, leaf, value in trace.writes}
        self.writes = [
            (leaf, value) for leaf, value in last.values() if leaf.tick < trace.start or id(leaf) in arguments
        ]
        self.grads = [(leaf, g) for leaf, g in trace.grads.items() if trace.before[leaf][2] < trace.start]
        cells = trace.cells.values()
        self.cells = [(writer, value, node) for _reader, node, writer, value in cells if writer is not None]
        self.readers = [(reader, node) for reader, node, _writer, _value in cells]
        self.guards = trace.assumed
        self.draws = trace.draws
        self.own: tuple[Any, ...] | None = None

    def _fixed(self, x: Any) -> Fixed:
        """Return a result that is no number; it may not hold numbers, which would be those of the first call for ever.

        Raises:
            TracingError: It does.
        """
        if self._is_made(x):
            raise TracingError(
                f"compile: the function returns a {type(x).__name__} that holds what it computes: return that itself, "
                "in lists, tuples and dicts"
            )
        return Fixed(x)

    def _is_made(self, x: Any, depth: int = 4) -> bool:
        """Return whether something is, or holds, a node of the trace that is not the user's own leaf."""
        if type(x) in NODES:
            given = any(x is a.node and not a.is_leaf for a in self.arguments.traced)
            return x.op is not None or x.tick >= self.trace.start or given
        return depth > 0 and any(self._is_made(part, depth - 1) for part in _parts(x))

    def changed(self) -> list[Any]:
        """Return what leaves, gradients and cells become."""
        return [value for _, value, *_ in (*self.writes, *self.grads, *self.cells) if value is not None]

    def results(self) -> list[Any]:
        """Return all that a replay has to compute for the caller: outputs that are numbers, and what changes."""
        return [*(x for x in self.outputs if type(x) is not Fixed), *self.changed()]

    def roots(self) -> list[Any]:
        """Return the nodes that a replay has to compute, random ones and conditions among them."""
        given = [*self.draws, *(node for node, _ in self.guards), *self.results()]
        given += [value for _tick, _leaf, value in self.trace.writes]
        return [x for x in given if type(x) in NODES]

    def lasting_leaves(self) -> list[Any] | None:
        """Return the leaves older than the call that it depends on; None if not all is numbers, one value a leaf."""
        if self.draws or not all(_is_scalar(x) for x in (*self.results(), *(a.node for a in self.arguments.traced))):
            return None
        written: dict[Any, int] = {}
        for tick, leaf, _value in self.trace.writes:
            written.setdefault(leaf, tick)
        first = min(written.values(), default=math.inf)
        start, leaves = self.trace.start, []
        stack = self.roots()
        seen = set(stack)
        push, pop, see = stack.append, stack.pop, seen.add
        while stack:
            node = pop()
            if type(node._payload) is not float and type(node._payload) is not bool:
                return None
            inputs = node.inputs
            for x in inputs:
                if type(x) in NODES and x not in seen:
                    see(x)
                    push(x)
            if node.op is None:
                if node.tick < start:
                    leaves.append(node)
            elif node.tick >= first and any(type(x) in NODES and written.get(x, math.inf) <= node.tick for x in inputs):
                return None
        return leaves


def _is_number(x: Any) -> bool:
    return type(x) in NODES or (getattr(x, "dtype", REAL).kind in "fiub" and isinstance(x, NUMBERS))


def _parts(x: Any) -> list[Any]:
    """Return what an object holds: in attributes, in cells of a function, and as a container."""
    if isinstance(x, str | bytes | type | np.dtype | ModuleType):
        return []
    parts = [*getattr(x, "__dict__", {}).values(), getattr(x, "__self__", None)]
    parts += [getattr(x, slot, None) for slot in getattr(type(x), "__slots__", ())]
    parts += [cell.cell_contents for cell in getattr(x, "__closure__", None) or () if cell != EMPTY]
    if isinstance(x, dict | partial):
        parts += x.values() if isinstance(x, dict) else (*x.args, *x.keywords.values())
    elif isinstance(x, list | tuple | set | frozenset | deque):
        parts += x
    return parts


def _is_scalar(x: Any) -> bool:
    return type(x._payload if type(x) in NODES else x) in (float, bool)


def parameters(f: Any) -> tuple[str, ...]:
    """Return the names of the parameters of a function."""
    f = getattr(f, "__wrapped__", f)
    code = getattr(f, "__code__", None)
    if code is None:
        return ()
    names: tuple[str, ...] = code.co_varnames[: code.co_argcount]
    return names[1:] if hasattr(f, "__self__") else names


class Naming:
    """Notes the local names that the user's functions give to nodes."""

    def __init__(self, names: dict[int, tuple[Any, str]]) -> None:
        self.names = names
        self.events = 0
        self.before: Any = None

    def __enter__(self) -> None:
        self.before = sys.getprofile()
        if self.before is None:
            sys.setprofile(self._look)

    def __exit__(self, *_: object) -> None:
        if self.before is None:
            sys.setprofile(None)

    def _look(self, frame: FrameType, event: str, _arg: Any) -> None:
        self.events += 1
        if self.events > NAMED:
            sys.setprofile(None)
            return
        if event != "return" or frame.f_code.co_name in ("<genexpr>", "<listcomp>", "<dictcomp>", "<setcomp>"):
            return
        if str(frame.f_globals.get("__name__", "")).partition(".")[0] == "tinygrad_mlp":
            return
        for name, value in frame.f_locals.items():
            if type(value) in NODES and name.isidentifier():
                self.names[id(value)] = value, name
