"""Frames around the nodes that one call of a module makes."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from tinygrad_mlp.errors import UnsupportedError
from tinygrad_mlp.graph import Node, Scope
from tinygrad_mlp.nn import Parameter
from tinygrad_mlp.tensors import Value
from tinygrad_mlp.viz.labels import argument, clean, shorten

from .naming import Names
from .owners import owners
from .walk import Walk


@dataclass(eq=False)
class Frame:
    """A call of a module.

    Attributes:
        scope: what was recorded of it.
        outer: the frame around it.
        inner: the frames in it, in the order of the calls.
        nodes: the numbers of the nodes directly in it.
        again: which call of the same module in the same frame it is, from 1; 0 if there is only one.
    """

    scope: Scope
    outer: "Frame | None"
    inner: list["Frame"] = field(default_factory=list)
    nodes: list[int] = field(default_factory=list)
    again: int = 0

    @property
    def depth(self) -> int:
        """How many frames are around it."""
        return 0 if self.outer is None else self.outer.depth + 1

    @property
    def name(self) -> str:
        """What it is called: the module's name without that of the module around it, and the number of the call."""
        path = self.scope.path
        if self.outer is not None and self.outer.scope.path and path.startswith(self.outer.scope.path + "."):
            path = path[len(self.outer.scope.path) + 1 :]
        return path + (f" (call {self.again})" if self.again else "")

    @property
    def title(self) -> str:
        """Its name, the kind of module, and how many parameters that has: ``hidden1: Linear, 9 parameters``."""
        count = self.scope.parameters
        words = f"{self.name}: {self.scope.title}" if self.name else self.scope.title
        return f"{words}, {count:,} parameter{'s' * (count != 1)}" if count else words

    def all_nodes(self) -> list[int]:
        """Return the numbers of the nodes in it, at any depth."""
        found, stack = [], [self]
        while stack:
            frame = stack.pop()
            found += frame.nodes
            stack += frame.inner
        return found


class Frames:
    """The frames of a graph.

    Attributes:
        top: the outermost frames, in the order of the calls.
        of: for each node the innermost frame around it, or None.
        are_guessed: whether no calls were recorded, so that modules are told by their parameters.
    """

    def __init__(self, graph: Walk, names: Names) -> None:
        """Find the frames of the nodes; a parameter or constant lies where all its users do."""
        self.top: list[Frame] = []
        self.of: list[Frame | None] = [None] * len(graph.found)
        self._known: dict[int, Frame] = {}
        for at, x in enumerate(graph.found):
            if isinstance(x, Node) and x.op is not None and x.scope is not None:
                self.of[at] = self._frame(x.scope)
        self.are_guessed = not self._known and bool(names.modules)
        if self.are_guessed:
            for at, scope in owners(graph, names).items():
                self.of[at] = self._frame(scope)
        if self._known:
            self._place_leaves(graph)
        for at, frame in enumerate(self.of):
            if frame is not None:
                frame.nodes.append(at)
        self._sort(self.top)

    def _frame(self, scope: Scope) -> Frame:
        missing = []
        at: Scope | None = scope
        while at is not None and at.call not in self._known:
            missing.append(at)
            at = at.outer
        for new in reversed(missing):
            outer = self._known[new.outer.call] if new.outer is not None else None
            frame = self._known[new.call] = Frame(new, outer)
            (self.top if outer is None else outer.inner).append(frame)
        return self._known[scope.call]

    def _place_leaves(self, graph: Walk) -> None:
        users = graph.users
        for at, x in enumerate(graph.found):
            if isinstance(x, Node) and not isinstance(x, Parameter | Value):  # inputs come from outside
                continue
            if isinstance(x, Node) and (x.op is not None or not x.requires_grad):
                continue
            around: Any = self.of[users[at][0]] if users[at] else None
            for user in users[at][1:]:
                around = _common(around, self.of[user])
            self.of[at] = around

    def _sort(self, frames: list[Frame]) -> None:
        stack = [frames]
        while stack:
            frames = stack.pop()
            frames.sort(key=lambda f: f.scope.call)
            calls: dict[str, list[Frame]] = {}
            for frame in frames:
                calls.setdefault(frame.scope.path, []).append(frame)
                stack.append(frame.inner)
            for same in calls.values():
                for number, frame in enumerate(same, 1):
                    frame.again = number if len(same) > 1 else 0

    def all(self) -> list[Frame]:
        """Return every frame, outer ones before inner ones."""
        found, stack = [], list(reversed(self.top))
        while stack:
            frame = stack.pop()
            found.append(frame)
            stack += reversed(frame.inner)
        return found

    def named(self, names: Any, who: str) -> set[int]:
        """Return the numbers of the calls of the modules with the given dotted names, or of those in a list of a name.

        Raises:
            UnsupportedError: there is no such module, and the message lists the names; or no name is given.
        """
        if not isinstance(names, Iterable):
            kind = type(names).__name__
            raise UnsupportedError(f"draw: {who}= is a {kind}; pass the dotted name of a module, or a list of names")
        names = [names] if isinstance(names, str) else list(names)
        wanted: set[int] = set()
        for name in names:
            found = {f.scope.call for f in self.all() if name in (f.scope.path, f.scope.title)}
            found = found or {f.scope.call for f in self.all() if f.scope.path.startswith(f"{name}.")}  # all of a list
            if not found:
                known = [shorten(clean(x)) for x in dict.fromkeys(f.scope.path or f.scope.title for f in self.all())]
                listed = ", ".join(known[:12]) + (", …" if len(known) > 12 else "")
                remedy = f"the modules are {listed}" if known else "record it under tg.sources()"
                called = shorten(argument(name))
                raise UnsupportedError(f"draw: {who}={called}: no module of this name made a node; {remedy}")
            wanted |= found
        return wanted


def _common(a: Frame | None, b: Frame | None) -> Frame | None:
    """Return the innermost frame around both."""
    while a is not b:
        if a is None or b is None:
            return None
        a, b = (a.outer, b) if a.depth >= b.depth else (a, b.outer)
    return a
