"""The python engine for large graphs that are narrow and deep: a loop over the nodes, then over the edges."""

import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tinygrad_mlp.compiler.scalar.flat import AFFINE, DERIVATIVE, LEAF, FlatGraph, Kind
from tinygrad_mlp.compiler.scalar.paths import on_floats, reverse_steps, slope
from tinygrad_mlp.compiler.scalar.written import NAMES
from tinygrad_mlp.ops import add, exp, multiply, negative, relu, subtract, tanh
from tinygrad_mlp.table import Op

Function = Callable[..., Any]
ARITHMETIC: dict[Op, Function] = {
    add: operator.add,
    subtract: operator.sub,
    multiply: operator.mul,
    negative: operator.neg,
}
SLOPES: dict[Op, tuple[Function | None, ...]] = {
    add: (None, None),
    subtract: (None, lambda g, _y, _a, _b: -g),
    multiply: (lambda g, _y, _a, b: g * b, lambda g, _y, a, _b: g * a),
    negative: (lambda g, _y, _x: -g,),
    relu: (lambda g, y, _x: 0.0 if y <= 0 else g,),
    exp: (lambda g, y, _x: g * y,),
    tanh: (lambda g, y, _x: g * (1 - y * y),),
}
NodeStep = tuple[int, Function, Any, Any]  # the node, its function, and two operands, or None and all operands
EdgeStep = tuple[int, int, Function | None, tuple[int, ...]]  # the node, its operand, the vjp, what that takes


class Stepping:
    """A flat graph as a list of steps; a call goes through them.

    Compiling a line of source for every node takes a hundred times longer than running it.
    """

    def __init__(self, flat: FlatGraph) -> None:
        self.n_inputs = flat.n_inputs
        self.outputs = flat.outputs
        self.start = list(flat.values)
        self.parts: list[tuple[list[NodeStep], int, list[EdgeStep], list[tuple[int, int]]]] = []
        functions = [None if kind is None else _plain(kind) for kind in flat.table]
        nodes: list[NodeStep] = []
        gathered: dict[int, list[tuple[int, int]]] = {}
        for i, kind in enumerate(flat.kinds):
            if kind == DERIVATIVE:
                number = flat.request[i]
                if number not in gathered:
                    gathered[number] = []
                    self.parts.append((nodes, number, _edges(flat, number), gathered[number]))
                    nodes = []
                gathered[number].append((i, flat.args[i][1]))
            elif kind != LEAF:
                function = functions[kind]
                assert function is not None
                args = flat.args[i]
                nodes.append((i, function, *args) if len(args) == 2 else (i, function, None, args))
        self.last = nodes
        self.roots = [request.root for request in flat.requests]

    def __call__(self, values: Sequence[float]) -> list[float]:
        """Return the outputs for these inputs."""
        v = self.start.copy()
        v[: self.n_inputs] = map(float, values)
        with np.errstate(all="ignore"):
            for nodes, number, edges, derivatives in self.parts:
                _forward(nodes, v)
                g = [0.0] * (self.roots[number] + 1)
                g[self.roots[number]] = 1.0
                _backward(edges, v, g)
                for i, x in derivatives:
                    v[i] = g[x] if x < len(g) else 0.0
            _forward(self.last, v)
        return [v[i] for i in self.outputs]


def _forward(nodes: Sequence[NodeStep], v: list[float]) -> None:
    for i, function, a, b in nodes:
        v[i] = function(*[v[x] for x in b]) if a is None else function(v[a], v[b])


def _backward(edges: Sequence[EdgeStep], v: list[float], g: list[float]) -> None:
    for i, x, rule, args in edges:
        g[x] += g[i] if rule is None else rule(g[i], v[i], *[v[a] for a in args])


def _edges(flat: FlatGraph, number: int) -> list[EdgeStep]:
    rules: dict[tuple[int, int], Function | None] = {}
    edges: list[EdgeStep] = []
    for i, operands in reverse_steps(flat, flat.requests[number]):
        kind, args = flat.kinds[i], flat.args[i]
        half = len(args) // 2
        for at, x in operands:
            if kind == AFFINE:  # each edge with the other factor alone: all operands would make it quadratic
                other = (args[at + half if at < half else at - half],)
                edges.append((i, x, None if at == 2 * half else _times, other))
                continue
            if (kind, at) not in rules:
                rules[kind, at] = _slope(flat.table[kind], at)
            edges.append((i, x, rules[kind, at], args))
    return edges


def _times(g: float, _y: float, other: float) -> float:
    return g * other


def _plain(kind: Kind) -> Function:
    """Return the function of a kind: without the namespace in between for the rows that only name one of its own."""
    if kind.params or kind.fixed:
        return on_floats(kind)
    return ARITHMETIC.get(kind.op) or NAMES.get(kind.op.name) or on_floats(kind)


def _slope(kind: Kind | None, at: int) -> Function | None:
    """Return the vjp of an edge; None where the cotangent is passed on."""
    assert kind is not None
    if kind.op in SLOPES:
        return SLOPES[kind.op][at]
    rule, params, fixed = slope(kind, at), kind.params, kind.fixed
    if not fixed:
        return lambda g, y, *moving: float(rule(g, y, *moving, **params))
    return lambda g, y, *moving: float(rule(g, y, *kind.operands(moving), **params))
