"""The sweep over a graph that is floats throughout, with the rules of the commonest ops written out."""

from typing import Any

import numpy as np

from tinygrad_mlp.backward.edges import check_fresh, contributions
from tinygrad_mlp.graph import Node, clock
from tinygrad_mlp.ops.elementwise import add, affine, multiply, negative, power, subtract
from tinygrad_mlp.scalars import power as float_power
from tinygrad_mlp.table import OPS

GROUP = object()  # on the search's stack: below it lies an n-ary node whose inputs are done


class FloatGraph:
    """A graph of floats, taken apart for one sweep: its order, its leaves and the gradients that these had.

    The search marks a node by giving it, for ``_grad``, one particular 0.0, to which the sweep then adds. That spares a
    set and a dict of all nodes, which would cost more than the sweep itself.
    """

    def __init__(self, root: Any) -> None:
        self.kind: Any = type(root)
        self.order: list[Any] = []
        self.leaves: list[Any] = []
        self.before: list[Any] = []
        self.groups: dict[int, bool] = {}
        self.mark = float("0")  # a new object: no other 0.0 is this one
        try:
            self._search(root)
        except BaseException:
            self.restore()
            raise
        self.order.reverse()

    def _search(self, node: Any) -> None:
        """Fill ``order``, inputs first: a node waits on the stack, under None or GROUP, until those are done."""
        stack: list[Any] = []
        kind, mark, groups = self.kind, self.mark, self.groups
        push, pop, out = stack.append, stack.pop, self.order.append
        while True:
            a, b = node.a, node.b
            if node._grad is mark:
                pass
            elif a is None:
                self._leaf(node)
            elif type(a) is tuple:
                self._expand(node, push)
            else:
                node._grad = mark
                first = a if type(a) is kind and a._grad is not mark else None
                second = b if type(b) is kind and b._grad is not mark else None
                if first is not None and b is None and type(first.b) is tuple:
                    weights, bias = first.b
                    if id(first.a) in groups and id(weights) in groups and getattr(bias, "_grad", mark) is mark:
                        first._grad = mark  # a unit over a neuron's sum all of whose inputs are done
                        out(first)
                        first = None
                if first is not None or second is not None:
                    push(node)
                    push(None)
                    if first is not None and second is not None:
                        push(second)
                    node = second if first is None else first
                    continue
                out(node)
            while stack:
                node = pop()
                if node is GROUP:
                    self._close(stack[-1])
                elif node is not None:
                    break
                out(pop())
            else:
                return

    def _leaf(self, node: Any) -> None:
        self.before.append(node._grad)
        node._grad = self.mark
        self.leaves.append(node)

    def _expand(self, node: Any, push: Any) -> None:
        """Push an n-ary node and its inputs. Neurons share tuples of weights and of values: what is closed is done."""
        a, b = node.a, node.b
        node._grad = self.mark
        push(node)
        push(GROUP)
        for group in (a,) if b is None else (b[0], a):
            if id(group) not in self.groups:
                for x in group:
                    if type(x) is self.kind:
                        push(x)
        if b is not None and type(b[1]) is self.kind:
            push(b[1])

    def _close(self, node: Any) -> None:
        """Remember the groups of a node whose inputs are done, and whether all in a group are nodes."""
        for group in (node.a,) if node.b is None else (node.b[0], node.a):
            self.groups[id(group)] = all(type(x) is self.kind for x in group)

    def restore(self) -> None:
        """Give the leaves back the gradients that they had."""
        for leaf, old in zip(self.leaves, self.before, strict=True):
            leaf._grad = old

    def slopes(self, root: Any, seed: float) -> dict[Node, float]:
        """Return the gradient in each leaf that wants one; interior nodes are left without."""
        try:
            root._grad = seed
            with np.errstate(all="ignore"):
                _sweep(self.order, self.kind, self.groups)
            return {leaf: leaf._grad for leaf in self.leaves if leaf.requires_grad}
        finally:
            for node in self.order:
                node._grad = None
            self.restore()

    def sweep(self, root: Any, seed: float) -> None:
        """Push ``seed`` back from ``root``; leaves add their sums to what they had, or keep that if a rule fails."""
        done = False
        try:
            root._grad = seed
            with np.errstate(all="ignore"):
                _sweep(self.order, self.kind, self.groups)
            done = True
        finally:
            if not done:
                self.restore()
        for leaf, old in zip(self.leaves, self.before, strict=True):
            if not leaf.requires_grad:
                leaf._grad = old
            elif old is not None:
                leaf._grad = (old if type(old) is float else old._payload) + leaf._grad


def _sweep(order: list[Any], kind: Any, groups: dict[int, bool]) -> None:
    """Push each node's gradient to its operands, with the rules of the table written out for the commonest ops."""
    now, relu = clock[0], OPS["relu"]
    for node in order:
        op, g, a, b = node.op, node._grad, node.a, node.b
        if node.tick != now:
            check_fresh(node)
        if op is multiply:
            if type(a) is kind and type(b) is kind:
                a._grad += g * b._payload
                b._grad += g * a._payload
            elif type(a) is kind:
                a._grad += g * b
            else:
                b._grad += g * a
        elif op is add:
            if type(a) is kind:
                a._grad += g
            if type(b) is kind:
                b._grad += g
        elif op is relu:
            if not node._payload <= 0:
                a._grad += g
        elif op is affine and groups[id(b[0])]:
            y = node._payload
            if g or y - y:  # where y is finite so is every factor, and 0 times it adds nothing
                _sweep_affine(a, b, g, kind, groups)
        elif op is subtract:
            if type(a) is kind:
                a._grad += g
            if type(b) is kind:
                b._grad -= g
        elif op is negative:
            a._grad -= g
        elif op is power and type(b) is not kind:
            if b:
                a._grad += g * (b * float_power(a._payload, b - 1))
        elif node.requires_grad:
            for x, c in contributions(node, g):
                x._grad += c


def _sweep_affine(values: Any, row: Any, g: float, kind: Any, groups: dict[int, bool]) -> None:
    """Push ``g`` to the operands of one ``affine`` node whose weights are all nodes."""
    weights, bias = row
    if groups[id(values)]:
        for w, x in zip(weights, values, strict=True):
            w._grad += g * x._payload
            x._grad += g * w._payload
    else:
        for w, x in zip(weights, values, strict=True):
            if type(x) is kind:
                x._grad += g * w._payload
                x = x._payload
            w._grad += g * x
    if type(bias) is kind:
        bias._grad += g
