"""The recorded graph: nodes, their order, and what is being recorded.

A node holds a payload (a float or an array) and, if it was computed from nodes, the op and its inputs. Nothing else
keeps a graph alive: no tape, no closures, no cycles; it is freed by reference counting as soon as its root is dropped.
"""

import copy
import itertools
import math
import sys
import threading
from collections.abc import Callable, Iterable
from contextlib import ContextDecorator
from contextvars import ContextVar, Token
from types import FrameType
from typing import Any, NamedTuple, Self
from weakref import WeakValueDictionary

import numpy as np

from tinygrad_mlp.errors import TinygradError, TracingError

# ---------------------------------------------------------------------------------------------------------- recording

NOTHING = 0  # under no_grad
TRACING = 1  # this bit: a function is traced, and what no gradient needs is recorded too
GRADIENTS = 2  # what a gradient needs: the default
EVERYTHING = 3  # while a function is traced: comparisons and constants too
SOURCES = -8  # added to one of the others: the user's line of every node. Negative, so that `mode() > 1` is the quick
# test for gradients without lines, whether traced or not: an operator of Value makes its node at once then.

SUSPENDS = 0x20 | 0x80 | 0x200  # inspect.CO_GENERATOR, CO_COROUTINE, CO_ASYNC_GENERATOR

_mode: ContextVar[int] = ContextVar("recording mode", default=GRADIENTS)
mode = _mode.get


class recording(ContextDecorator):  # noqa: N801  (used as a word: `with recording(NOTHING):`)
    """Record ``what`` inside a ``with`` block or a decorated function; the mode belongs to the thread or task."""

    def __init__(self, what: int) -> None:
        """Take one of the four modes."""
        self.what = what
        self._tokens: list[Token[int]] = []

    def __call__(self, function: Any) -> Any:
        """Return ``function`` with its calls in this mode; a generator or a coroutine would run outside of it."""
        code = getattr(function, "__code__", None)
        if code is not None and code.co_flags & SUSPENDS:
            raise TinygradError(
                f"{type(self).__name__} cannot decorate {code.co_name}, which runs in pieces: write `with` inside of it"
            )
        return super().__call__(function)

    def __enter__(self) -> Self:
        self._tokens.append(_mode.set(self.what))
        return self

    def __exit__(self, *_: object) -> None:
        _mode.reset(self._tokens.pop())

    def _recreate_cm(self) -> "recording":
        return recording(self.what)  # a decorated function may be entered by several threads at once


class no_grad(recording):  # noqa: N801  (PyTorch's name)
    """Record nothing inside ``with tg.no_grad():``, or in a function under ``@tg.no_grad()`` or ``@tg.no_grad``.

    In a generator keep every ``yield`` outside of the block: while one waits there, its caller records nothing either.
    """

    def __new__(cls, function: Any = None) -> Any:
        """Return a context, or the function decorated without parentheses."""
        return super().__new__(cls) if function is None else cls()(function)

    def __init__(self) -> None:
        """Take no argument."""
        super().__init__(NOTHING)

    def __enter__(self) -> Self:
        self._tokens.append(_mode.set(mode() & TRACING))  # a trace needs what no gradient needs
        return self

    def _recreate_cm(self) -> "no_grad":
        return no_grad()


class sources(recording):  # noqa: N801
    """Record the user's source line of every node made inside ``with tg.sources():`` (it costs about 1 µs a node)."""

    def __init__(self) -> None:
        """Take no argument."""
        super().__init__(GRADIENTS | SOURCES)

    def __enter__(self) -> Self:
        self._tokens.append(_mode.set(mode() | SOURCES))
        return self

    def _recreate_cm(self) -> "sources":
        return sources()


class Scope(NamedTuple):
    """A call of a module, in which nodes are made: known while source lines are recorded.

    Attributes:
        path: The module's dotted name in the outermost one that was called; that one's own is empty.
        title: What kind of module it is, such as ``Linear(2, 3)``.
        parameters: How many numbers it trains.
        call: The number of the call, from 0: a module may be called several times.
        outer: The call in which it was called, None for the outermost one.
    """

    path: str
    title: str
    parameters: int
    call: int
    outer: "Scope | None"


scope: ContextVar[Scope | None] = ContextVar("scope", default=None)


# ------------------------------------------------------------------------------------------------------------- traces

_trace: ContextVar[Any] = ContextVar("trace", default=None)
current_trace = _trace.get


class Trace(recording):
    """What a function does beside returning a value while it is traced, for whoever replays it.

    Leaves and generators are as before when the ``with`` block ends: a trace only finds out what a call would do.

    Attributes:
        start: The tick at which it began; leaves made inside are not older.
        assumed: Conditions whose truth was asked for, with the answers: a replay holds as long as they stay the same.
        draws: The random nodes, in order.
        writes: ``(tick, leaf, value)`` of every assignment.
        cells: What is read anew at each replay and written back: by key its reader, the leaf that stands for what was
            read, its writer, and its present value.
        conditions: Functions that have to return True before a replay.
        cleared: Leaves whose ``.grad`` was set by the function itself.
        unset: Leaves whose ``.grad`` must be None when a call begins, since gradients are added to it.
        looked: Leaves whose ``.grad`` of before was looked at.
        before: The leaves that were changed, with what they had.
        watched: Modules whose training mode was asked for, with the answers.
        modes: Modules whose training mode was changed, with what it became.
        grads: Leaves whose ``.grad`` was changed, with what it became: a node, or None.
        after: What to call when a replay is done.
        states: The generators that were drawn from, with their states at the beginning, by ``id``.
        slopes: Gradients that were recorded, by the nodes that they belong to: for their names.
    """

    def __init__(self) -> None:
        """Begin with nothing."""
        super().__init__(EVERYTHING)
        self.start = tick()
        self.assumed: list[tuple[Node, bool]] = []
        self.draws: list[Node] = []
        self.writes: list[tuple[int, Node, Any]] = []
        self.cells: dict[Any, list[Any]] = {}
        self.cleared: set[Node] = set()
        self.unset: set[Node] = set()
        self.looked: set[Node] = set()
        self.conditions: list[Callable[[], bool]] = []
        self.before: dict[Node, tuple[Any, Any, int]] = {}
        self.grads: dict[Node, Any] = {}
        self.watched: list[tuple[Any, bool]] = []
        self.modes: list[tuple[Any, bool]] = []
        self.after: list[Callable[[], None]] = []
        self.slopes: dict[Node, Any] = {}
        self.states: dict[int, tuple[Any, Any]] = {}
        self._modes: dict[int, tuple[Any, bool]] = {}
        self._counts: dict[int, int] = {}

    def __enter__(self) -> Self:
        self._tokens.append(_trace.set(self))
        return super().__enter__()

    def __exit__(self, *_: object) -> None:
        super().__exit__()
        _trace.reset(self._tokens.pop())
        self.grads = {leaf: leaf._grad for leaf, (_, grad, _) in self.before.items() if leaf._grad is not grad}
        for leaf, (payload, grad, made) in self.before.items():
            leaf._payload, leaf._grad, leaf.tick = payload, grad, made
        for rng, state in self.states.values():
            rng.bit_generator.state = state
        for module, training in self._modes.values():
            self.modes.append((module, module._training))
            module._training = training

    def keep(self, leaf: "Node") -> None:
        """Remember a leaf that is about to change."""
        self.before.setdefault(leaf, (leaf._payload, leaf._grad, leaf.tick))

    def receive(self, leaf: "Node") -> None:
        """Note that a gradient is about to be added to ``leaf.grad``; what another call left there is not known."""
        if leaf.op is None and leaf.tick < self.start and leaf not in self.cleared and leaf not in self.unset:
            if leaf._grad is not None:
                raise TracingError(
                    f"backward() while a function is traced would add to a .grad of before, at {user_line()}: "
                    "call zero_grad() first, inside the function"
                )
            self.unset.add(leaf)
        if leaf.op is None:
            self.keep(leaf)

    def clear(self, leaf: "Node") -> None:
        """Note that ``leaf.grad`` is about to be set."""
        self.keep(leaf)
        self.cleared.add(leaf)

    def gradient(self, leaf: "Node") -> Any:
        """Return ``leaf.grad``: one of before the call is a node, read anew at each replay."""
        g = leaf._grad
        if leaf.op is not None or leaf.tick >= self.start or leaf in self.cleared or leaf in self.unset:
            return g
        self.looked.add(leaf)
        if g is None:
            self.conditions.append(lambda: leaf._grad is None)
            return None
        self.conditions.append(lambda: leaf._grad is not None)
        return self.read((id(leaf), "grad"), "grad", lambda: g._payload if type(g := leaf._grad) in NODES else g)

    def keep_mode(self, module: Any) -> None:
        """Remember the training mode of a module, which is about to change."""
        self._modes.setdefault(id(module), (module, module._training))

    def watch(self, module: Any) -> None:
        """Note that the training mode of a module is asked for; not if the function itself has set it."""
        if id(module) not in self._modes:
            self.watched.append((module, module._training))

    def count(self, owner: Any) -> int:
        """Return how often ``owner`` was counted before."""
        self._counts[id(owner)] = n = self._counts.get(id(owner), -1) + 1
        return n

    def read(self, key: Any, name: str, reader: Callable[[], Any]) -> Any:
        """Return the node of what ``reader`` gives, at each replay anew; or what was written under ``key`` since."""
        if key not in self.cells:
            node = wrap(reader())
            node.name = name
            self.cells[key] = [reader, node, None, node]
        return self.cells[key][3]

    def write(self, key: Any, writer: Callable[[Any], None], value: Any) -> None:
        """Let each replay give ``value`` to ``writer``."""
        self.cells[key][2:] = writer, value


def keep_generators(params: dict[str, Any]) -> Any:
    """Return None, after remembering the states of the generators among the params, while a function is traced."""
    trace = current_trace()
    for value in params.values() if trace is not None else ():
        if isinstance(value, np.random.Generator) and id(value) not in trace.states:
            trace.states[id(value)] = value, value.bit_generator.state


def note_copy(leaf: "Node", copied: Callable[[Any], Any], x: "Node") -> None:
    """Note that a new leaf was made of a node's number: while a function is traced, of its number in each replay."""
    if (trace := current_trace()) is not None and mode() & TRACING:
        trace.writes.append((tick(), leaf, copied(x)))


def assume(condition: Any) -> bool:
    """Return whether a condition holds; while a function is traced, a replay with another answer traces anew."""
    if type(condition) not in NODES:
        return bool(condition)
    holds = bool(condition._payload)
    trace = current_trace()
    if trace is not None and mode() & TRACING:
        trace.assumed.append((condition, holds))
    return holds


# -------------------------------------------------------------------------------------------------------------- ticks

_ticks = itertools.count(1)
clock = [0]  # the number of mutations so far; a list, so that nodes read it without a call


def tick() -> int:
    """Return the time of a new mutation: later than every node made before."""
    clock[0] = now = next(_ticks)
    return now


# -------------------------------------------------------------------------------------------------------------- nodes

NO_PARAMS: dict[str, Any] = {}
NODES: set[type] = set()  # every node class: `type(x) in NODES` costs 20 ns, `isinstance` 60
NODE_CLASSES: dict[type, type["Node"]] = {}  # payload type -> node class
new: Any = object.__new__


class Meta(dict[str, Any]):
    """The params of a node that also has a name, or a source line and the call of a module in which it was made."""

    __slots__ = ("name", "scope", "source")

    def __init__(
        self, params: dict[str, Any] | None = None, name: str = "", source: str = "", scope: Scope | None = None
    ) -> None:
        """Copy ``params`` and add the rest."""
        super().__init__(params or NO_PARAMS)
        self.name = name
        self.source = source
        self.scope = scope

    def __reduce__(self) -> Any:
        return Meta, (dict(self), self.name, self.source, self.scope)


class Node:
    """A value in a graph: a leaf, or the result of an op on ``inputs``.

    Slots: ``_payload`` the payload, ``op`` what computed it (None for a leaf), ``tick`` when it was made or last
    overwritten, ``requires_grad``, ``_grad``, and ``meta``: None, the op's params, or a ``Meta``.
    """

    __slots__ = ("_payload", "_grad", "meta", "op", "requires_grad", "tick")

    _payload: Any
    _grad: Any
    meta: dict[str, Any] | None
    op: Any
    requires_grad: bool
    tick: int

    def __init_subclass__(cls) -> None:
        NODES.add(cls)

    def __copy__(self) -> Any:
        return copy.deepcopy(self) if self.op is None else self  # what is computed is fixed; leaves share no memory

    def __reduce_ex__(self, protocol: Any) -> Any:
        if self.op is None:
            return super().__reduce_ex__(protocol)
        flat = _flat_around(self)
        return _node_at, (flat, flat.places[id(self)])

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        for slots in state:
            for name, value in (slots or {}).items():
                setattr(self, name, value)
        while clock[0] < self.tick:  # a graph of another process: its mutations came before any made here
            tick()

    @property
    def inputs(self) -> tuple[Any, ...]:
        """The operands: nodes, and raw constants; empty for a leaf."""
        raise AttributeError("a node class defines its inputs")

    def set_inputs(self, inputs: tuple[Any, ...]) -> None:  # noqa: ARG002  (what the node classes implement)
        """Take the operands of a new node."""
        raise AttributeError("a node class defines its inputs")

    @property
    def dtype(self) -> Any:
        """The dtype of the data; float64 for a Python float."""
        return getattr(self._payload, "dtype", np.dtype(np.float64))

    @property
    def shape(self) -> tuple[int, ...]:
        """The lengths of the axes; empty for a Value."""
        return tuple(getattr(self._payload, "shape", ()))

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """The number of elements."""
        return math.prod(self.shape)

    @property
    def params(self) -> dict[str, Any]:
        """The op's parameters that are not operands, such as an axis."""
        return self.meta if self.meta is not None else NO_PARAMS

    @property
    def name(self) -> str:
        """A name for pictures and messages; may be set."""
        return self.meta.name if type(self.meta) is Meta else ""

    @name.setter
    def name(self, name: str) -> None:
        if type(self.meta) is Meta:
            self.meta.name = name
        elif name:
            self.meta = Meta(self.meta, name)

    @property
    def source(self) -> str:
        """The user's line that made the node, as ``file.py:12``; empty unless recorded under ``tg.sources()``."""
        return self.meta.source if type(self.meta) is Meta else ""

    @property
    def scope(self) -> Scope | None:
        """The call of a module in which the node was made; None outside of one, or without ``tg.sources()``."""
        return self.meta.scope if type(self.meta) is Meta else None


def wrap(data: Any) -> Any:
    """Return a new node without history around ``data``; a bool is returned as it is."""
    cls = NODE_CLASSES.get(type(data))
    if cls is None:
        if type(data) is bool and not mode() & TRACING:
            return data
        data, cls = _classify(data)
    node = new(cls)
    node._payload = data
    node._grad = node.op = node.meta = None
    node.requires_grad = False
    node.tick = clock[0]
    node.set_inputs(())
    return node


def _classify(data: Any) -> tuple[Any, type[Node]]:
    """Return a payload met in an unusual type, and its node class: NumPy's scalars become 0-d arrays."""
    if isinstance(data, np.ndarray | np.generic):
        return np.asarray(data), NODE_CLASSES[np.ndarray]
    if isinstance(data, bool | int):  # a traced comparison of floats, or an integer constant that was chosen
        return data if data is True or data is False else float(data), NODE_CLASSES[float]
    return data, NODE_CLASSES[np.ndarray]  # an array of another library


def user_line() -> str:
    """Return the innermost line outside the library that led to this call, as ``file.py:12``."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and str(frame.f_globals.get("__name__", "")).partition(".")[0] == "tinygrad_mlp":
        frame = frame.f_back
    if frame is None:
        return ""
    return f"{frame.f_code.co_filename}:{frame.f_lineno}"


# ------------------------------------------------------------------------------------------------------------- copies


class _Flat:
    """What was computed in a graph, as a flat list: so that pickle and deepcopy do not recurse, however deep it is."""

    def __init__(self, kinds: Iterable[type[Node]]) -> None:
        """Make nodes without content, which ``__setstate__`` fills in; they may refer to each other in circles."""
        self.nodes: list[Any] = [new(kind) for kind in kinds]

    def gather(self, root: Node) -> Self:
        """Add ``root`` and all that it was computed from, up to leaves and to nodes of other lists still in use."""
        self.nodes.append(root)
        self.places = {id(root): 0}
        for node in self.nodes:
            for x in node.inputs:
                if type(x) in NODES and x.op is not None and id(x) not in self.places and id(x) not in _flats:
                    self.places[id(x)] = len(self.nodes)
                    self.nodes.append(x)
        _flats.update(dict.fromkeys(self.places, self))
        return self

    def __reduce__(self) -> Any:
        rows = []
        for node in self.nodes:
            inputs = node.inputs
            at = [self.places.get(id(x), -1) for x in inputs]
            others = tuple(None if i >= 0 else x for i, x in zip(at, inputs, strict=True))
            slots = {name: getattr(node, name) for name in Node.__slots__}
            rows.append((at, others, getattr(node, "saved", None), slots))
        return _Flat, ([type(node) for node in self.nodes],), rows

    def __setstate__(self, rows: Iterable[Any]) -> None:
        for node, (at, others, saved, slots) in zip(self.nodes, rows, strict=True):
            node.__setstate__((slots,))
            node.set_inputs(tuple(x if i < 0 else self.nodes[i] for i, x in zip(at, others, strict=True)))
            if saved is not None:
                node.saved = saved


_flats: WeakValueDictionary[int, _Flat] = WeakValueDictionary()  # by id of a node; pickle and deepcopy keep them alive
_flats_lock = threading.Lock()


def _flat_around(node: Node) -> _Flat:
    """Return the list that ``node`` is in, for as long as one pickle or deepcopy is under way."""
    with _flats_lock:
        return _flats.get(id(node)) or _Flat(()).gather(node)


def _node_at(flat: _Flat, i: int) -> Node:
    return flat.nodes[i]  # type: ignore[no-any-return]


# -------------------------------------------------------------------------------------------------------------- order


def toposort(root: Node, stop: Iterable[Node] = ()) -> list[Node]:
    """Return the nodes that ``root`` depends on and that require gradients, each before its inputs.

    Args:
        root: Where to start; it comes first.
        stop: Nodes whose own inputs are not followed.

    The search keeps its own stack, so depth is not limited by Python's; time and memory are linear in nodes and edges.
    """
    ends = frozenset(stop)
    order: list[Node] = []
    seen: set[Node] = set()
    stack: list[Any] = [root]
    push, pop, out, see = stack.append, stack.pop, order.append, seen.add
    while stack:
        node = pop()
        if node is None:  # below a None lies a node whose inputs are done
            out(pop())
        elif node not in seen:
            see(node)
            if node.op is None or node in ends:
                out(node)
                continue
            push(node)
            push(None)
            for x in node.inputs:
                if type(x) in NODES and x.requires_grad and x not in seen:
                    if x.op is None:  # a leaf waits for nothing
                        see(x)
                        out(x)
                    else:
                        push(x)
            if stack[-1] is None:
                pop()
                out(pop())
    order.reverse()
    return order
