"""Translation: the nodes of a recording as terms of a program, row by row of the table."""

from typing import Any

import numpy as np

from tinygrad_mlp.arrays import Guarded, as_payload, thaw
from tinygrad_mlp.backward import expand
from tinygrad_mlp.errors import DTypeError
from tinygrad_mlp.graph import NODES
from tinygrad_mlp.ops import astype
from tinygrad_mlp.rewrite import Program, Term
from tinygrad_mlp.rewrite.rules import STABLE

from .capture import Capture

ndarray = np.ndarray


class Translation:
    """The terms of what was recorded.

    Attributes:
        program: Their program.
        arguments: The terms of the traced arguments, in order.
        recorded: How many operations were recorded.
        live: What is read anew at each replay beside them: ``(reader or None, term, leaf or None)``.
    """

    def __init__(self, capture: Capture, rules: Any = STABLE) -> None:
        """Translate everything that a replay computes."""
        self.capture = capture
        self.program = Program(rules)
        self.recorded = 0
        self._known: dict[int, Term] = {}
        self._kept: list[Any] = []
        self._versions: dict[int, list[tuple[int, Any]]] = {}
        for tick, leaf, value in capture.trace.writes:
            self._versions.setdefault(id(leaf), []).append((tick, value))
        self.arguments = [self._input(x.node, x.path) for x in capture.arguments.traced]
        self.live: list[tuple[Any, Term, Any]] = [
            (reader, self._input(node, ""), None) for reader, node in capture.readers
        ]
        expand(capture.roots())  # derivatives of scalar graphs, which wait for somebody who needs them as nodes
        for x in capture.roots():
            self._translate(x, None)
        self._name_slopes()

    def of(self, value: Any, leaf: Any = None) -> Term:
        """Return the term of a node or a raw value at the end of the call, in the dtype of the leaf that takes it."""
        self._translate(value, None)
        term = self._found(value, None)
        payload = getattr(leaf, "_payload", None)
        if type(payload) is not ndarray or (not term.is_number and term.dtype == payload.dtype):
            return term
        return self.program.make(astype, term, dtype=payload.dtype)

    def _input(self, node: Any, name: str) -> Term:
        payload = node._payload
        shape, dtype = (payload.shape, payload.dtype) if type(payload) is ndarray else ((), type(payload))
        own = self.capture.names.get(id(node), (None, ""))[1]
        term = self.program.input(shape, dtype, own or node.name or name)
        self._known[id(node)] = term
        self._kept.append(node)
        return term

    def _translate(self, x: Any, tick: int | None) -> None:
        """Make the terms of a node as it was at a tick, None for the end, and of all that it depends on."""
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
        return self.program.constant(as_payload(thaw(x) if type(x) is Guarded else x))

    def _leaf(self, node: Any) -> None:
        """Take in a leaf that is no argument: one that lasts is read anew at each replay, another is a constant."""
        payload = node._payload
        if type(payload) is not ndarray and type(payload) not in (float, bool, int):
            library = type(payload).__module__.partition(".")[0]
            raise DTypeError(
                f"compile: a tensor holds an array of {library}; a compiled function computes with NumPy's: "
                "use jax.jit or torch.compile"
            )
        if node.tick >= self.capture.trace.start:
            self._known[id(node)] = self.program.constant(payload)
            self._kept.append(node)
            return
        self.live.append((None, self._input(node, "leaf"), node))

    def _computed(self, node: Any) -> None:
        """Take in a node whose operands are known."""
        self.recorded += 1
        inputs = tuple(None if y is None else self._found(y, node.tick) for y in node.inputs)
        payload = node._payload
        like = (payload.shape, payload.dtype) if type(payload) is ndarray else ((), type(payload))
        term = self.program.put(node.op, inputs, dict(node.params), like)
        name = node.name or self.capture.names.get(id(node), (None, ""))[1]
        if name and (not term.name or "[" in term.name):
            term.name = name
        self._known[id(node)] = term
        self._kept.append(node)

    def _name_slopes(self) -> None:
        """Call the gradient of ``W`` ``dW``."""
        for node, g in self.capture.trace.slopes.items():
            x, slope = self._known.get(id(node)), self._known.get(id(g))
            if x is not None and slope is not None and x.name and slope.op is not None and not slope.name:
                slope.name = f"d{x.name}"
