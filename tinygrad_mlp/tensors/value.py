"""Value: a Python float in a graph; its operators make their nodes directly, since a scalar graph has very many."""

from collections.abc import Sequence
from operator import mul
from typing import Any

import numpy as np

from tinygrad_mlp import scalars
from tinygrad_mlp.arrays import as_payload
from tinygrad_mlp.errors import DTypeError, GradientError, ShapeError, TinygradError
from tinygrad_mlp.graph import NODE_CLASSES, NODES, TRACING, Meta, clock, current_trace, mode, new, note_copy, tick
from tinygrad_mlp.ops import add, affine, divide, exp, identity, multiply, negative, power, relu, subtract, tanh
from tinygrad_mlp.ops.elementwise import affine_inputs
from tinygrad_mlp.tensors.operators import Operators
from tinygrad_mlp.tensors.protocols import refuse_while_tracing


class Value(Operators):
    """A number that records what is computed from it, as in micrograd.

    Args:
        x: A Python or NumPy real number.
        name: For pictures and messages.

    Raises:
        DTypeError: ``x`` is no single real number.
        GradientError: ``x`` is itself a computed node, whose history would be lost.

    >>> a, b = Value(2.0), Value(-3.0)
    >>> c = a * b + a**2
    >>> c.backward()
    >>> c.data, a.grad, b.grad
    (-2.0, 1.0, 2.0)
    """

    __slots__ = ("a", "b")

    a: Any
    b: Any

    def __init__(self, x: Any, name: str = "") -> None:
        self._payload = _number(x)
        self._grad = self.op = self.a = self.b = None
        self.meta = Meta(None, name) if name else None
        self.requires_grad = True
        self.tick = clock[0]
        if type(x) in NODES:
            note_copy(self, identity, x)

    @property
    def inputs(self) -> tuple[Any, ...]:
        """The operands: Values, other nodes and raw constants; empty for a leaf."""
        a, b = self.a, self.b
        if type(a) is tuple:
            return a if b is None else (*b[0], *a, b[1])
        return () if a is None else (a,) if b is None else (a, b)

    def set_inputs(self, inputs: tuple[Any, ...]) -> None:
        """Take the operands: one or two in slots of their own; an affine's values, and its weights with the bias."""
        self.a = self.b = None
        if self.op is affine:
            weights, self.a, bias = affine_inputs(inputs)
            self.b = (weights, bias)
        elif len(inputs) == 1 and inputs[0] is not None:
            self.a = inputs[0]
        elif len(inputs) == 2 and inputs[0] is not None and inputs[1] is not None:
            self.a, self.b = inputs
        elif inputs:
            self.a = inputs

    # -- data and gradient

    @property
    def data(self) -> float:
        """The number; assign another to change a leaf."""
        refuse_while_tracing(".data")
        return self._payload  # type: ignore[no-any-return]

    @data.setter
    def data(self, x: Any) -> None:
        self.assign(x)

    def assign(self, x: Any) -> None:
        """Replace the number of a leaf; a graph that used the old one can no longer run backward.

        Raises:
            TinygradError: This Value was computed.
            DTypeError: ``x`` is no single real number.
        """
        if self.op is not None:
            raise TinygradError(f"the data of a computed Value ({self.op.name}) is fixed: assign to a leaf")
        value = x
        if type(x) in NODES and mode() & TRACING:
            x = x._payload
        number = x if type(x) is float else _number(x)
        trace = current_trace()
        if trace is not None:
            trace.keep(self)
            trace.writes.append((tick(), self, identity(value) if type(value) in NODES else value))
        self._payload = number
        self.tick = tick()

    @property
    def grad(self) -> Any:
        """The gradient, a float; None before ``backward()``."""
        trace = current_trace()
        return self._grad if trace is None else trace.gradient(self)

    @grad.setter
    def grad(self, grad: Any) -> None:
        trace = current_trace()
        if trace is not None:
            trace.clear(self)
        self._grad = grad if grad is None or type(grad) in NODES else _number(grad)

    # -- operators: the common case makes the node at once; everything else is the op's own call

    def __add__(self, other: Any) -> Any:
        if mode() > 1 and self.requires_grad:
            kind = type(other)
            if kind is Value:
                y = self._payload + other._payload
            elif kind is float or kind is int:
                y = self._payload + other
            else:
                return add(self, other)
            node = new(Value)
            node._payload = y
            node._grad = node.meta = None
            node.op = add
            node.requires_grad = True
            node.tick = clock[0]
            node.a = self
            node.b = other
            return node
        return add(self, other)

    def __mul__(self, other: Any) -> Any:
        if mode() > 1 and self.requires_grad:
            kind = type(other)
            if kind is Value:
                y = self._payload * other._payload
            elif kind is float or kind is int:
                y = self._payload * other
            else:
                return multiply(self, other)
            node = new(Value)
            node._payload = y
            node._grad = node.meta = None
            node.op = multiply
            node.requires_grad = True
            node.tick = clock[0]
            node.a = self
            node.b = other
            return node
        return multiply(self, other)

    def __radd__(self, other: Any) -> Any:
        if type(other) in NUMERIC and mode() > 1 and self.requires_grad:
            return _made(add, other + self._payload, other, self)
        return add(other, self)

    def __rmul__(self, other: Any) -> Any:
        if type(other) in NUMERIC and mode() > 1 and self.requires_grad:
            return _made(multiply, other * self._payload, other, self)
        return multiply(other, self)

    def __sub__(self, other: Any) -> Any:
        if mode() > 1 and self.requires_grad:
            if type(other) is Value:
                return _made(subtract, self._payload - other._payload, self, other)
            if type(other) in NUMERIC:
                return _made(subtract, self._payload - other, self, other)
        return subtract(self, other)

    def __rsub__(self, other: Any) -> Any:
        if type(other) in NUMERIC and mode() > 1 and self.requires_grad:
            return _made(subtract, other - self._payload, other, self)
        return subtract(other, self)

    def __truediv__(self, other: Any) -> Any:
        if mode() > 1 and self.requires_grad:
            if type(other) is Value:
                return _made(divide, scalars.divide(self._payload, other._payload), self, other)
            if type(other) in NUMERIC:
                return _made(divide, scalars.divide(self._payload, other), self, other)
        return divide(self, other)

    def __rtruediv__(self, other: Any) -> Any:
        if type(other) in NUMERIC and mode() > 1 and self.requires_grad:
            return _made(divide, scalars.divide(other, self._payload), other, self)
        return divide(other, self)

    def __pow__(self, other: Any) -> Any:
        if type(other) in NUMERIC and mode() > 1 and self.requires_grad:
            return _made(power, scalars.power(self._payload, other), self, other)
        return power(self, other)

    def __neg__(self) -> Any:
        if mode() > 1 and self.requires_grad:
            return _made(negative, -self._payload, self, None)
        return negative(self)

    def relu(self) -> Any:
        """Return ``max(self, 0)``."""
        if mode() > 1 and self.requires_grad:
            x = self._payload
            return _made(relu, x if x > 0 or x != x else 0.0, self, None)
        return relu(self)

    def tanh(self) -> Any:
        """Return the hyperbolic tangent."""
        if mode() > 1 and self.requires_grad:
            return _made(tanh, scalars.tanh(self._payload), self, None)
        return tanh(self)

    def exp(self) -> Any:
        """Return the exponential."""
        if mode() > 1 and self.requires_grad:
            return _made(exp, scalars.exp(self._payload), self, None)
        return exp(self)

    def __repr__(self) -> str:
        name = f", name={self.name!r}" if self.name else ""
        return f"Value(data={self._payload}, grad={self._grad}{name})"


NUMERIC = frozenset((float, int))


def _made(op: Any, y: float, a: Any, b: Any) -> Value:
    """Return the node of a float that requires a gradient."""
    node: Value = new(Value)
    node._payload = y
    node._grad = node.meta = None
    node.op = op
    node.requires_grad = True
    node.tick = clock[0]
    node.a = a
    node.b = b
    return node


def neurons(rows: Sequence[tuple[tuple[Any, ...], Any]], values: tuple[Any, ...], rectify: bool = False) -> list[Any]:
    """Return ``w₁x₁ + … + wₙxₙ + b`` for each row ``(weights, b)``, or its relu: what the neurons of a layer compute.

    Each sum is one node of the op ``affine``; they share the tuple of values, and with it its place in the graph.

    Args:
        rows: For each neuron a tuple of n weights, and the bias.
        values: A tuple of n nodes or numbers.
        rectify: Whether to apply relu.

    >>> neurons([((Value(2.0), Value(3.0)), Value(1.0))], (10.0, 100.0))
    [Value(data=321.0, grad=None)]
    """
    now = clock[0]
    groups: list[tuple[Any, ...]] = [weights for weights, _ in rows]
    wrong = set(map(len, groups)) - {len(values)}
    if wrong:
        raise ShapeError(f"neurons: {len(values)} values for {wrong.pop()} weights")
    sums = _sums(groups, [bias for _, bias in rows], values)
    if sums is None:
        nodes = [affine([*weights, *values, bias]) for weights, bias in rows]
        return [relu(node) for node in nodes] if rectify else nodes
    nodes = []
    for row, y in zip(rows, sums, strict=True):
        node = new(Value)
        node._payload = y
        node._grad = node.meta = None
        node.op = affine
        node.requires_grad = True
        node.tick = now
        node.a = values
        node.b = row
        if rectify:
            total = node
            node = new(Value)
            node._payload = y if y > 0 or y != y else 0.0
            node._grad = node.meta = node.b = None
            node.op = relu
            node.requires_grad = True
            node.tick = now
            node.a = total
        nodes.append(node)
    return nodes


def _sums(groups: list[tuple[Any, ...]], biases: list[Any], values: tuple[Any, ...]) -> list[float] | None:
    """Return what the neurons sum, if all is floats and every bias is recorded; else None, and the op sorts it out."""
    if mode() <= 1:
        return None
    try:
        xs = [x._payload if type(x) is Value else x for x in values]
        starts = [bias._payload for bias in biases if bias.requires_grad]
        ws = iter([w._payload for weights in groups for w in weights])  # each sum takes the next n: slices cost more
        sums = [sum(map(mul, xs, ws), start) for start in starts]
    except (AttributeError, TypeError):  # a number among the parameters, a tensor or a text among the values
        return None
    return sums if len(starts) == len(groups) and set(map(type, sums)) <= {float} else None


def _number(x: Any) -> float:
    """Return ``x`` as a Python float.

    Raises:
        DTypeError: It is no single real number.
    """
    if type(x) in (float, int):
        return float(x)
    if type(x) in NODES:
        if x.op is not None and x.requires_grad:
            raise GradientError("Value of a computed node would lose its gradient: use it as it is, or .detach() it")
        x = x._payload
    payload = as_payload(x)
    boolean = type(payload) is bool or getattr(payload, "dtype", None) == np.dtype(bool)
    if payload is None or boolean or getattr(payload, "size", 1) != 1:
        raise DTypeError(f"Value({x!r}): a Value holds one real number; use tg.tensor for arrays")
    return float(payload.item() if hasattr(payload, "item") else payload)


NODE_CLASSES[float] = Value
