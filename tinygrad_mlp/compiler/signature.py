"""Signatures of recordings: whether two differ in nothing but the leaves that the function was given."""

import hashlib
from bisect import bisect_right
from collections.abc import Iterable
from typing import Any

import numpy as np

from tinygrad_mlp.arrays import Guarded, thaw
from tinygrad_mlp.backward import derivative
from tinygrad_mlp.graph import NODES
from tinygrad_mlp.nest import Nest
from tinygrad_mlp.rewrite.terms import freeze

from .capture import Capture, Fixed


class Signature:
    """What a recording does, with its arguments' leaves as places.

    A function may read a leaf that it is given in another way too: as a variable of its own, or through an optimizer.
    A recording cannot tell the two apart. If two recordings with different leaves have the same signature, then
    neither of these leaves was met in another way.

    Attributes:
        digest: The same for recordings that do the same.
        own: All other leaves that the recording depends on, or changes.
    """

    def __init__(self, capture: Capture) -> None:
        """Read a recording."""
        self.capture = capture
        self.own: dict[int, Any] = {}
        self._given = {id(a.node): i for i, a in enumerate(capture.arguments.traced)}
        self._writes = [tick for tick, _leaf, _value in capture.trace.writes]
        self._numbers: dict[int, int] = {}
        self._hash = hashlib.blake2b()
        for root in capture.roots():
            self._number(root)
        self._take(map(self._described, capture.outputs))
        self._effects()
        self.digest = self._hash.digest()

    def _effects(self) -> None:
        """Take in what the recording does beside returning something."""
        capture, trace, of = self.capture, self.capture.trace, self._of
        self._take(Nest(capture.returned).paths)
        self._take((of(node), holds) for node, holds in trace.assumed)
        self._take(map(of, trace.draws))
        self._take((of(leaf), of(value)) for _tick, leaf, value in trace.writes)
        self._take((of(leaf), of(value)) for leaf, value in trace.grads.items())
        self._take([(list(map(_identity, key)), of(node), of(now)) for key, (_, node, _, now) in trace.cells.items()])
        for leaves in (trace.cleared, trace.unset, trace.looked, trace.before):
            self._take(sorted(map(of, leaves)))
        self._take((id(module), training) for module, training in (*trace.watched, *trace.modes))
        self._take((len(trace.conditions), len(trace.after)))

    def _take(self, parts: Iterable[Any]) -> None:
        self._hash.update(repr(list(parts)).encode())

    def _described(self, x: Any) -> str:
        return repr(x.value) if type(x) is Fixed else self._of(x)

    def _of(self, x: Any) -> str:
        """Return what stands for a node or a constant."""
        if type(x) not in NODES:
            return _constant(x)
        if id(x) in self._given:
            return f"given {self._given[id(x)]}"
        if x.op is not None:
            return f"node {self._numbers.get(id(x))}"
        if x.tick >= self.capture.trace.start:
            return f"new {_constant(x._payload)} {x.requires_grad}"
        self.own[id(x)] = x
        return f"own {id(x)}"

    def _number(self, root: Any) -> None:
        """Number the nodes that a node depends on, and itself, and take them in."""
        stack = [root]
        while stack:
            node = stack[-1]
            if node.op is None or id(node) in self._numbers:
                stack.pop()
                continue
            waiting = [x for x in node.inputs if type(x) in NODES and x.op is not None and id(x) not in self._numbers]
            if waiting:
                stack += waiting
                continue
            stack.pop()
            params = "" if node.op is derivative else freeze(node.params)
            self._take((node.op.name, params, bisect_right(self._writes, node.tick), *map(self._of, node.inputs)))
            self._numbers[id(node)] = len(self._numbers)


def _constant(x: Any) -> str:
    x = thaw(x) if type(x) is Guarded else x
    return f"{x.dtype} {x.shape} {hashlib.blake2b(x.tobytes()).hexdigest()}" if isinstance(x, np.ndarray) else repr(x)


def _identity(x: Any) -> Any:
    return x if isinstance(x, str | int) else id(x)
