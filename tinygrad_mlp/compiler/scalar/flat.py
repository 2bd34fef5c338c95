"""A recorded graph of floats as flat lists: numbers in place of nodes, each after its operands."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from tinygrad_mlp.backward import derivative
from tinygrad_mlp.errors import UnsupportedError
from tinygrad_mlp.graph import NO_PARAMS, NODES, Node
from tinygrad_mlp.ops.elementwise import add, affine, multiply, power
from tinygrad_mlp.table import NUMBERS, Op
from tinygrad_mlp.tensors import Value

LEAF, ADD, MULTIPLY, AFFINE, DERIVATIVE = range(5)  # the first rows of every table of kinds


class Kind(NamedTuple):
    """A row with its params, and with the operands that are fixed: None, and exponents that are plain numbers."""

    op: Op
    params: dict[str, Any] = NO_PARAMS
    fixed: tuple[tuple[int, Any], ...] = ()

    def operands(self, moving: Sequence[Any]) -> list[Any]:
        """Return all operands, given those that are not fixed."""
        found = list(moving)
        for i, x in self.fixed:
            found.insert(i, x)
        return found

    def slot(self, i: int) -> int:
        """Return the place among all operands of the ``i``-th that is not fixed."""
        for at, _ in self.fixed:
            i += at <= i
        return i

    def text(self, operands: Sequence[str]) -> str:
        """Return a call of the op as one would write it."""
        shown = [x if isinstance(x, str) else repr(x) for x in self.operands(operands)]
        return f"{self.op.name}({', '.join([*shown, *(f'{k}={v!r}' for k, v in self.params.items())])})"


class Request(NamedTuple):
    """A gradient: of which root, and at which nodes paths end (none: at the leaves)."""

    root: int
    ends: tuple[int, ...]


class FlatGraph:
    """What ``outputs`` are computed from, inputs first, then everything after its operands.

    Attributes:
        kinds: for each node the row of ``table``; LEAF for inputs and constants.
        args: for each node its operands that are not fixed; of a derivative, the root and the node differentiated in.
        values: for each node the number it had when it was recorded.
        tracked: for each node whether gradients flow through it.
        requests: the gradients that derivatives belong to; ``request`` tells which, by node.
        outputs: the numbers of the outputs; ``logical`` whether each is a boolean.
    """

    def __init__(self, inputs: Sequence[Node], outputs: Sequence[Node]) -> None:
        self.n_inputs = len(inputs)
        self.table: list[Kind | None] = [None, Kind(add), Kind(multiply), Kind(affine), Kind(derivative)]
        self.kinds: list[int] = []
        self.args: list[tuple[int, ...]] = []
        self.values: list[float] = []
        self.tracked: list[bool] = []
        self.requests: list[Request] = []
        self.request: dict[int, int] = {}
        self._index: dict[int, int] = {}
        self._constants: dict[Any, int] = {}
        self._kinds: dict[Any, int] = {add: ADD, multiply: MULTIPLY, affine: AFFINE}
        self._special = {add: False, multiply: False, affine: False, power: True}  # whether a kind is more than its row
        self._requests: dict[tuple[int, int], int] = {}
        for x in inputs:
            self._leaf(x)
        for root in outputs:
            self._visit(root)
        self.one = self.constant(1.0)
        self.outputs = [self._index[id(x)] for x in outputs]
        self.logical = [type(x._payload) is bool for x in outputs]

    def _leaf(self, node: Any) -> None:
        if type(node) is not Value:
            raise UnsupportedError(f"a scalar graph holds floats only, and here is a {type(node).__name__}")
        self._index[id(node)] = len(self.kinds)
        self._add(LEAF, (), float(node._payload), node.requires_grad)

    def _add(self, kind: int, args: tuple[int, ...], value: float, tracked: bool) -> None:
        self.kinds.append(kind)
        self.args.append(args)
        self.values.append(value)
        self.tracked.append(tracked)

    def constant(self, x: Any) -> int:
        """Return the number of a constant; equal ones are one node, but 0.0 and -0.0 are two."""
        x = float(x)
        key = x if x else repr(x)
        if key not in self._constants:
            self._constants[key] = len(self.kinds)
            self._add(LEAF, (), x, False)
        return self._constants[key]

    def _visit(self, root: Any) -> None:
        """Add ``root`` after what it is computed from; the search keeps its own stack."""
        index, special, known, constant = self._index, self._special, self._kinds, self.constant
        stack: list[Any] = [root]
        push, pop = stack.append, stack.pop
        kinds, args, values, tracked = self.kinds, self.args, self.values, self.tracked
        while stack:
            node = pop()
            if node is not None:
                if id(node) in index:
                    continue
                op = node.op
                if op is None or type(node) is not Value:
                    self._leaf(node)
                    continue
                inputs = node.inputs
                waiting = [x for x in inputs if type(x) in NODES and id(x) not in index]
                if waiting:
                    push(inputs)
                    push(node)
                    push(None)  # below it lies a node whose inputs are done
                    waiting.reverse()
                    stack += waiting
                    continue
            else:
                node, inputs = pop(), pop()
                op = node.op
            if node.meta or special.get(op, True):
                kind, places = self._kind(node, inputs)
            else:
                kind = known[op]
                places = [index[id(x)] if type(x) is Value else constant(x) for x in inputs]
            index[id(node)] = len(kinds)
            kinds.append(kind)
            args.append(tuple(places))
            values.append(float(node._payload))
            tracked.append(node.requires_grad)

    def _kind(self, node: Any, inputs: tuple[Any, ...]) -> tuple[int, list[int]]:
        """Return the kind and the operands of a node whose row is new, takes params, or may have fixed operands."""
        op = node.op
        if op is derivative:
            return self._derivative(node)
        if not op.scalars or op.random:
            raise UnsupportedError(f"{op.name}: is not computed one float at a time")
        wrong = [x for x in inputs if type(x) is not Value and type(x) not in NUMBERS and x is not None]
        if wrong:
            raise UnsupportedError(f"{op.name}: a scalar graph holds floats only, no {type(wrong[0]).__name__}")
        if op not in self._special:
            self._special[op] = any(default is None for _, default in op.operands)
        if op not in self._kinds:
            self._kinds[op] = len(self.table)
            self.table.append(Kind(op))
        fixed = tuple(
            (i, x if x is None else float(x))
            for i, x in enumerate(inputs)
            if x is None or (op is power and i == 1 and type(x) is not Value)
        )
        params = dict(node.params)
        key = (op, repr(sorted(params.items())), repr(fixed)) if params or fixed else op
        if key not in self._kinds:
            self._kinds[key] = len(self.table)
            self.table.append(Kind(op, params, fixed))
        at = {i for i, _ in fixed}
        moving = [x for i, x in enumerate(inputs) if i not in at]
        places = [self._index[id(x)] if type(x) is Value else self.constant(x) for x in moving]
        return self._kinds[key], places

    def _derivative(self, node: Any) -> tuple[int, list[int]]:
        """Return the same for a deferred gradient; derivatives of one root with the same ends share a request."""
        root, x = (self._index[id(x)] for x in node.inputs)
        ends = node.params["to"]
        key = (root, id(ends))
        if key not in self._requests:
            self._requests[key] = len(self.requests)
            self.requests.append(Request(root, tuple(self._index[id(e)] for e in ends if id(e) in self._index)))
        self.request[len(self.kinds)] = self._requests[key]
        return DERIVATIVE, [root, x]
