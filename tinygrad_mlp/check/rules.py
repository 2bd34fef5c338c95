"""The rules of recorded nodes, each checked on its own: what a vjp gives against differences of the op alone.

An elementwise op is checked in every element at once. Any other is checked along random directions: an error in one
element shows there unless it is smaller than rounding makes the whole sum. What fails is searched element by element.
So is an op of many operands, such as the sum of a neuron, as if these were one array: one by one, each of n operands
would take a call of the op, whose time grows with n, too.
"""

from collections.abc import Callable, Collection, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from tinygrad_mlp.backward import contributions
from tinygrad_mlp.errors import TinygradError
from tinygrad_mlp.graph import GRADIENTS, NODES, Node, recording, wrap

from .differences import Floats
from .operand import Operand, signed
from .recording import compute, disturb, plain

MANY = 32  # operands, more of which are looked at as one array
FAULTY = 8  # nodes with faults after which no other is checked


class Fault(NamedTuple):
    """A rule that gives a wrong number, or fails.

    Attributes:
        node: where.
        operand: the number of the operand whose gradient is wrong.
        element: where in it; empty for a number.
        analytic, numeric, bound: what the rule gives, and what was measured; NaN if the rule failed.
        message: what the rule raised, or did to its arguments; empty if its number is wrong.
        mode: ``jvp`` if it is the op's own jvp that is wrong.
    """

    node: Node
    operand: int
    element: tuple[int, ...] = ()
    analytic: float = np.nan
    numeric: float = np.nan
    bound: float = np.nan
    message: str = ""
    mode: str = "vjp"


class Rules(NamedTuple):
    """What came of a check of rules.

    Attributes:
        faults: in the order of the computation.
        operations: how many nodes were checked.
        elements: of their operands' gradients, how many were checked.
        unresolved: how many of these are so small that rounding would hide an error in them.
    """

    faults: list[Fault]
    operations: int
    elements: int
    unresolved: int


def check_rules(
    nodes: Sequence[Any], rng: np.random.Generator, *, thorough: bool = False, forward: bool = False
) -> Rules:
    """Return what is wrong with the rules of computed nodes.

    Args:
        nodes: to be checked, inputs first.
        rng: for the cotangents and directions.
        thorough: look at every element of every operand, not only where a direction is suspicious.
        forward: check the jvps that ops have of their own, too.
    """
    run = _Run(rng, thorough)
    groups: dict[Any, list[Any]] = {}
    for node in nodes:
        groups.setdefault(_kind(node), []).append(node)
    with np.errstate(all="ignore"):
        for kind, alike in groups.items():
            if len(alike) > 1 and kind[0] is float and len(alike[0].inputs) <= MANY:
                run.check_numbers(alike)
            else:
                for node in alike:
                    if len(run.faulty) < FAULTY:
                        run.check_node(node)
        for node in nodes if forward else ():
            run.check_jvps(node)
    places = {id(node): at for at, node in enumerate(nodes)}
    run.faults.sort(key=lambda fault: places[id(fault.node)])
    return Rules(run.faults, len(nodes), run.elements, run.unresolved)


def _kind(node: Any) -> Any:
    """Return a key that nodes share which are one elementwise op of floats: they are checked together."""
    if type(node._payload) is float and node.op.elementwise:
        inputs = node.inputs
        if all(type(plain(x)) is float for x in inputs):
            return float, node.op, len(inputs), tuple(map(repr, node.params.items()))
    return Node, id(node)


class _Run:
    """A check under way: its faults, and counts of what was looked at."""

    def __init__(self, rng: np.random.Generator, thorough: bool) -> None:
        self.rng, self.thorough = rng, thorough
        self.faults: list[Fault] = []
        self.elements = self.unresolved = 0

    @property
    def faulty(self) -> set[int]:
        """The nodes that have faults."""
        return {id(fault.node) for fault in self.faults}

    def check_node(self, node: Any) -> None:
        """Check the rule of one node in all its operands."""
        y = np.asarray(plain(node))
        if not y.size:
            return
        u = signed(self.rng, y.shape).astype(y.dtype)
        pulled = self._pulled(node, u)
        values = [plain(x) for x in node.inputs]
        self._check_jointly(node, values, u.astype(np.float64), pulled)
        if can_gather(node, values, pulled):
            self._check_gathered(node, values, u, pulled)
            return
        for i, c in pulled.items():
            c = np.asarray(c, np.float64)
            if c.size:
                wobble = _Wobble(node, i, u, self.rng)
                operand = Operand(node.op, node.params, values, i, u.astype(np.float64), c, self.rng, wobble)
                for w in operand.wrong(self.thorough):
                    index = tuple(int(n) for n in np.unravel_index(w.j, c.shape))
                    self.faults.append(Fault(node, i, index, w.analytic, w.numeric, w.bound))
                self._count(operand)

    def _check_gathered(self, node: Any, values: Sequence[Any], u: Any, pulled: dict[int, Any]) -> None:
        """Check the rule of one node in many operands at once."""
        ends = np.cumsum([np.size(c) for c in pulled.values()])
        operands = list(pulled)
        wobbles: dict[int, _Wobble] = {}

        def wobble(j: int) -> float:
            i = operands[int(np.searchsorted(ends, j, "right"))]
            return wobbles.setdefault(i, _Wobble(node, i, u, self.rng))(j)

        c = np.concatenate([np.ravel(np.asarray(c, np.float64)) for c in pulled.values()])
        operand = gathered(node, values, operands, u.astype(np.float64), c, self.rng, wobble)
        for w in operand.wrong(self.thorough):
            at = int(np.searchsorted(ends, w.j, "right"))
            shape = np.shape(pulled[operands[at]])
            j = w.j - (int(ends[at - 1]) if at else 0)
            index = tuple(int(n) for n in np.unravel_index(j, shape))
            self.faults.append(Fault(node, operands[at], index, w.analytic, w.numeric, w.bound))
        self._count(operand)

    def _check_jointly(self, node: Any, values: Sequence[Any], u: Floats, pulled: dict[int, Any]) -> None:
        """Move operands that tie by one step, where an elementwise op has a kink: their gradients have to add up."""
        if not node.op.kinks or not node.op.elementwise or len(pulled) < 2:
            return
        first, *others = (np.broadcast_to(np.asarray(values[i], np.float64), u.shape) for i in pulled)
        ties = np.logical_and.reduce([first == x for x in others]) & np.isfinite(first)
        if any(np.shape(c) != u.shape for c in pulled.values()) or not ties.any():
            return
        size = np.where(ties, np.abs(first), 0.0)
        size[ties & (first == 0)] = 1.0
        c = np.asarray(sum(size * np.asarray(c, np.float64) for c in pulled.values()))
        jointly = _Jointly(node.op, values, list(pulled), size)
        operand = Operand(jointly, node.params, [np.zeros(u.shape)], 0, u, c, self.rng, lambda _j: 0.0)
        for w in operand.wrong(False):
            index = tuple(int(n) for n in np.unravel_index(w.j, c.shape))
            self.faults.append(Fault(node, next(iter(pulled)), index, w.analytic, w.numeric, w.bound))

    def check_jvps(self, node: Any) -> None:
        """Check the jvps of one node, if it has any of its own: paired with a cotangent they give what the vjps do."""
        u = signed(self.rng, np.shape(plain(node))).astype(np.asarray(plain(node)).dtype)
        values = [plain(x) for x in node.inputs]
        for i, c in (self._pulled(node, u) if node.op.jvps else {}).items():
            c = np.asarray(c, np.float64)
            t = signed(self.rng, c.shape).astype(np.asarray(values[i]).dtype)
            try:
                tangent = node.op.jvps[i](t if c.shape else float(t), plain(node), *values, **node.params)
            except Exception as error:  # noqa: BLE001  (a rule of the user's may fail in any way)
                message = f"its jvp raised {type(error).__name__}: {error}"
                self.faults.append(Fault(node, i, message=message, mode="jvp"))
                continue
            self.faults += self._compared_tangent(node, i, u * np.asarray(plain(tangent)), c * t)

    @staticmethod
    def _compared_tangent(node: Any, i: int, pushed: Floats, pulled: Floats) -> list[Fault]:
        """Return where the pairing of a jvp with a cotangent is not that of the vjp with a tangent."""
        rtol = 1e-4 if np.asarray(plain(node)).dtype == np.float32 else 1e-9
        if node.op.elementwise and pushed.shape == pulled.shape:
            room = rtol * np.abs(pulled) + rtol**2
        else:
            room = np.asarray(rtol * np.sum(np.abs(pulled)))
            pushed, pulled = np.asarray(np.sum(pushed)), np.asarray(np.sum(pulled))
        off = np.argwhere(~(np.abs(pushed - pulled) <= room))
        if not len(off):
            return []
        at = tuple(int(n) for n in off[0])
        return [Fault(node, i, at, float(pushed[at]), float(pulled[at]), float(room[at]), mode="jvp")]

    def check_numbers(self, nodes: Sequence[Any]) -> None:
        """Check the rules of many nodes that are one elementwise op of floats, as if they were one array."""
        u = signed(self.rng, (len(nodes),))
        pulled = [self._pulled(node, np.asarray(x)) for node, x in zip(nodes, u, strict=True)]
        values = np.array([[plain(x) for x in node.inputs] for node in nodes]).T
        for i in range(len(values)):
            at = [n for n, found in enumerate(pulled) if i in found]
            if not at:
                continue
            c = np.array([pulled[n][i] for n in at])
            some = [v[at] for v in values]

            def wobble(j: int, i: int = i, at: list[int] = at) -> float:
                return _Wobble(nodes[at[j]], i, np.asarray(u[at[j]]), self.rng)(0)

            op, params = nodes[0].op, nodes[0].params
            operand = Operand(op, params, some, i, u[at], c.astype(np.float64), self.rng, wobble)
            self.faults += [Fault(nodes[at[w.j]], i, (), *w[1:]) for w in operand.wrong(self.thorough)]
            self._count(operand)

    def _count(self, operand: Operand) -> None:
        self.elements += operand.x.size
        self.unresolved += operand.unresolved

    def _pulled(self, node: Any, u: Any) -> dict[int, Floats]:
        """Return what the rule gives each operand that wants a gradient; a rule that fails is a fault."""
        is_float = type(node._payload) is float
        given = [] if is_float and node.op.elementwise else [u, plain(node), *map(plain, node.inputs)]
        before = [x.copy() if isinstance(x, np.ndarray) else x for x in given]
        try:
            pulled = contributions(node, float(u) if is_float else u)
        except TinygradError as error:
            self.faults.append(Fault(node, _operand_named(str(error)), message=str(error)))
            return {}
        except Exception as error:  # noqa: BLE001  (a rule of the user's may fail in any way)
            self.faults.append(Fault(node, 0, message=f"its vjp raised {type(error).__name__}: {error}"))
            return {}
        for x, kept, name in zip(given, before, ("cotangent", "output", *["operand"] * len(given)), strict=False):
            if isinstance(x, np.ndarray) and not _same(x, kept):
                x[...] = kept
                self.faults.append(Fault(node, 0, message=f"its vjp writes into the {name} that it is given"))
                return {}
        wanted = [i for i, x in enumerate(node.inputs) if type(x) in NODES and x.requires_grad]
        if is_float and node.op.elementwise:
            return {i: c for i, (_, c) in zip(wanted, pulled, strict=True)}
        return {i: np.asarray(plain(c), np.float64) for i, (_, c) in zip(wanted, pulled, strict=True)}


def _same(x: Any, kept: Any) -> bool:
    """Return whether an array has the values that it had; a NaN, which is rare, is looked for last."""
    return bool(np.array_equal(x, kept) or (x.dtype.kind == "f" and np.array_equal(x, kept, equal_nan=True)))


def _operand_named(message: str) -> int:
    words = message.replace(";", " ").replace(":", " ").split()
    numbers = [int(b) for a, b in pairwise(words) if a == "operand" and b.isdigit()]
    return numbers[0] if numbers else 0


def can_gather(node: Any, values: Sequence[Any], moved: Collection[int]) -> bool:
    """Return whether an op has so many operands that they are looked at as one array, and is such that they can be."""
    if len(moved) <= MANY or node.op.symmetric or (node.op.elementwise and node.size > 1):
        return False
    return len({getattr(v, "dtype", None) for v in values if v is not None}) == 1


def gathered(
    node: Any,
    values: Sequence[Any],
    moved: Sequence[int],
    u: Floats,
    c: Floats,
    rng: np.random.Generator,
    wobble: Callable[[int], float],
) -> Operand:
    """Return several operands of a node as one, with the gradients ``c`` that the rule gives them, end to end."""
    x = np.concatenate([np.ravel(values[i]) for i in moved])
    return Operand(_Gathered(node.op, values, moved), node.params, [x], 0, u, c, rng, wobble)


class _Gathered:
    """An op as a function of one array: of its operands that are moved, end to end."""

    elementwise, scalars, saves, symmetric = False, True, False, False

    def __init__(self, op: Any, values: Sequence[Any], moved: Sequence[int]) -> None:
        self.op, self.moved = op, moved
        self.values = [v.astype(np.float64) if getattr(v, "dtype", None) == np.float32 else v for v in values]
        self.are_floats = all(type(values[i]) is float for i in moved)
        self.ends = np.cumsum([np.size(values[i]) for i in moved])

    def forward(self, _xp: Any, x: Floats, **params: Any) -> Any:
        """Return what the op gives where the operands have the numbers ``x``."""
        values = list(self.values)
        parts = x.tolist() if self.are_floats else np.split(x, self.ends[:-1])
        for i, part in zip(self.moved, parts, strict=True):
            values[i] = part if type(part) is float else part.reshape(np.shape(values[i]))
        return compute(self.op, values, params)


class _Jointly:
    """An elementwise op as a function of one step in several operands, in units of their size."""

    elementwise, scalars, saves, symmetric = True, True, False, False

    def __init__(self, op: Any, values: Sequence[Any], moved: Sequence[int], size: Floats) -> None:
        self.op, self.values, self.moved, self.size = op, values, moved, size

    def forward(self, _xp: Any, t: Any, **params: Any) -> Any:
        """Return what the op gives with the operands moved by ``t``."""
        values = [v + t * self.size if i in self.moved else v for i, v in enumerate(self.values)]
        return compute(self.op, values, params)


class _Wobble:
    """How far rounding may move the gradient of an operand: as far as a rounding of the operands does."""

    def __init__(self, node: Any, i: int, u: Any, rng: np.random.Generator) -> None:
        self.node, self.i, self.u, self.rng = node, i, u, rng
        self.size: float | None = None

    def __call__(self, _j: int) -> float:
        """Return ten times the largest change that was seen; measured once."""
        if self.size is None:
            seen = [self._gradient() for _ in range(4)]
            self.size = 10 * max(float(np.max(np.abs(c - seen[0]), initial=0.0)) for c in seen[1:])
        return self.size

    def _gradient(self) -> Floats:
        """Return what the rule gives a rounding beside the operands."""
        inputs = tuple(self._beside(x) for x in self.node.inputs)
        with recording(GRADIENTS):
            twin = self.node.op.apply(inputs, dict(self.node.params))
        disturb((twin,), self.rng)
        u = float(self.u) if type(twin._payload) is float else self.u
        for x, c in contributions(twin, u):
            if x is inputs[self.i]:
                return np.asarray(plain(c), np.float64)
        return np.zeros(())

    def _beside(self, x: Any) -> Any:
        """Return an operand a rounding beside it; as a new leaf, if it wants a gradient."""
        if type(x) not in NODES or not x.requires_grad:
            return x
        data = plain(x)
        moved = data * (1 + 4 * float(np.finfo(x.dtype).eps) * self.rng.uniform(-1, 1, x.shape))
        leaf = wrap(float(moved) if type(data) is float else np.asarray(moved, data.dtype))
        leaf.requires_grad = True
        return leaf
