"""An origin of a number that is not finite, in words: the op, the element, the operands there, the line, the reason."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinygrad_mlp.check.report import short
from tinygrad_mlp.check.reporting import number, place, plain
from tinygrad_mlp.graph import NODES, Node

from .births import Birth, first_index, is_finite, nonfinite
from .dependence import Array, dependence, numbers, slopes
from .remedies import Params, Situation

SIGNS = {"add": "+", "subtract": "-", "multiply": "·", "divide": "/"}
NEAR = 3  # steps in which a remedy looks around
NO_LINES = "no source lines: record under tg.sources(), or pass the function"


@dataclass(frozen=True)
class Operand:
    """An operand at the element: its name, its element, its number; without one number, a summary of all."""

    name: str
    index: tuple[int, ...]
    value: float | None
    summary: str = ""

    @property
    def place(self) -> str:
        """The element as one would write it."""
        return place(self.name, self.index)


@dataclass(frozen=True)
class Origin:
    """Where a number that is not finite comes from finite ones, or turns from an infinity into a nan.

    Attributes:
        phase: "forward" or "backward".
        op: the op; empty for a leaf.
        operand: forward, the constant operand that is not finite itself, else None; backward, the operand whose
            gradient it is, None where contributions to one gradient add up to it.
        name: of a leaf, or of the operand that ``operand`` says.
        index: the element: forward of the value, or of the leaf or constant; backward of the operand's gradient.
        result: the number that is not finite.
        values: the operands there.
        cotangent: backward, the gradient in the op's result there; None if no single element of it belongs to it.
        source: the user's line; empty if it was not recorded.
        reason: what happened, as ``sqrt(-1) = nan``.
        is_leaf: whether a number without an op is that of a leaf; else it is a result that was not recorded.
    """

    phase: str
    op: str
    operand: int | None
    name: str
    index: tuple[int, ...]
    result: float
    values: tuple[Operand, ...]
    cotangent: float | None
    source: str
    reason: str
    is_leaf: bool = True

    def __str__(self) -> str:
        """Return it in one line, without the reason."""
        if self.phase == "backward" and self.operand is None:
            return f"the contributions to the gradient of {place(self.name, self.index)} add up to {self.result:g}"
        if not self.op:
            return f"{'leaf ' * self.is_leaf}{place(self.name, self.index)} is {self.result:g}"
        where = f" at {short(self.source)}" if self.source else ""
        if self.phase == "forward" and self.operand is not None:
            element = f"[{', '.join(map(str, self.index))}]" if self.index else ""
            return f"constant operand {self.operand}{element} of {self.op}{where} is {self.result:g}"
        if self.phase == "forward":
            return f"{place(self.op, self.index)}{where} gives {self.result:g}"
        to = place(self.name, self.index)
        return f"{self.op}{where} gives {self.result:g} for the gradient of its operand {self.operand}, {to}"

    def to_dict(self) -> dict[str, Any]:
        """Return the origin as plain numbers and texts."""
        values = [
            {"operand": x.place, "value": plain(x.value) if x.value is not None else x.summary} for x in self.values
        ]
        return {
            "phase": self.phase, "op": self.op, "operand": self.operand, "name": self.name, "index": list(self.index),
            "result": plain(self.result), "values": values,
            "cotangent": None if self.cotangent is None else plain(self.cotangent),
            "source": self.source, "reason": self.reason,
        }  # fmt: skip


def described(birth: Birth, names: Mapping[Node, str]) -> Origin:
    """Return a birth in words; ``names`` are those of leaves."""
    node, i = birth.node, birth.operand
    at = _result_element(birth)
    constant = birth.cotangent is None and i is not None
    values = () if node.op is None or (i is None and birth.cotangent is not None) else tuple(_operands(node, at, names))
    name = _name(node, names) if i is None else _name(node.inputs[i], names) or f"operand {i}"
    cotangent = None
    if birth.cotangent is not None and i is not None and at is not None:
        cotangent = float(birth.cotangent[at])
    reason = "" if node.op is None or constant else _reason(birth, values, cotangent)
    return Origin(
        "forward" if birth.cotangent is None else "backward",
        node.op.name if node.op is not None else "",
        i, name or "x", birth.index, birth.result, values, cotangent, node.source, reason,
    )  # fmt: skip


def _name(x: Any, names: Mapping[Node, str]) -> str:
    if type(x) not in NODES:
        return ""
    return names.get(x) or x.name or (x.op.name if x.op is not None else "")


def _result_element(birth: Birth) -> tuple[int, ...] | None:
    """Return the element of the node's value to which a birth belongs; None if there is no single one.

    Backward, an operand that was broadcast belongs to several: the first whose own contribution is not finite.
    """
    node, i = birth.node, birth.operand
    if node.op is None:
        return None
    if birth.cotangent is None:
        return None if i is not None and node.shape != np.shape(numbers(node.inputs[i])) else birth.index
    if i is None or not node.op.elementwise:
        return None
    c = slopes(node, _broadcast(node), birth.cotangent, [j == i for j in range(len(node.inputs))])[i]
    here = np.zeros(np.shape(numbers(node.inputs[i])), bool)
    here[birth.index] = True
    bad = nonfinite(c) & np.broadcast_to(here, node.shape)
    return first_index(bad) if bad.any() else None


def _broadcast(node: Node) -> list[Array]:
    return [np.broadcast_to(numbers(x), node.shape) for x in node.inputs]


def _operands(node: Node, at: tuple[int, ...] | None, names: Mapping[Node, str]) -> Iterator[Operand]:
    """Yield the operands at an element of the node's value; summaries where the row is not elementwise."""
    for i, x in enumerate(node.inputs):
        values = numbers(x)
        name = _name(x, names) or f"operand {i}"
        if values.shape == ():
            yield Operand(name, (), float(values))
        elif node.op.elementwise and at is not None:
            index = at[len(at) - values.ndim :]
            index = tuple(0 if n == 1 else k for k, n in zip(index, values.shape, strict=True))
            yield Operand(name, index, float(values[index]))
        else:
            yield Operand(name, (), None, _summary(values))


def _summary(values: Array) -> str:
    text = f"shape {values.shape}"
    if not values.size:
        return text
    bad = nonfinite(values)
    finite = values[~bad]
    text += f", from {number(float(finite.min()))} to {number(float(finite.max()))}" if finite.size else ""
    return text + (f", {int(bad.sum())} not finite" if bad.any() else "")


# -------------------------------------------------------------------------------------------------------------- reasons


def _reason(birth: Birth, values: Sequence[Operand], cotangent: float | None) -> str:
    node, i = birth.node, birth.operand
    if birth.cotangent is not None:
        if i is None:
            return "finite contributions overflow when they are added"
        if cotangent is None:
            return "finite contributions overflow when they are summed" if node.op.elementwise else ""
        return _backward_reason(node, i, values, cotangent, birth.result)
    given = [x.value for x in values]
    if any(v is None for v in given):
        if any(numbers(x).size == 0 for x in node.inputs):
            return f"{node.op.name} of no elements"
        if all(map(is_finite, node.inputs)):
            return f"finite operands exceed the largest {node.dtype}"
        return _terms(node, birth.index)
    shown = [number(v) for v in given if v is not None]
    sign = SIGNS.get(node.op.name)
    call = f" {sign} ".join(shown) if sign and len(shown) == 2 else f"{node.op.name}({', '.join(shown)})"
    return f"{call} = {birth.result:g}"


def _backward_reason(node: Node, i: int, values: Sequence[Operand], g: float, result: float) -> str:
    """Return which factor of cotangent · derivative is 0, and which is infinite."""
    points = [np.asarray(x.value).astype(numbers(y).dtype) for x, y in zip(values, node.inputs, strict=True)]
    slope = slopes(node, points, 1.0, [j == i for j in range(len(values))])[i]
    d = float(slope) if slope is not None else math.nan
    shown = ", ".join(number(x.value) for x in values if x.value is not None)
    derivative = f"the derivative of {node.op.name}({shown}) in operand {i} is {d:g}"
    if g == 0 and math.isinf(d):
        return f"0 · inf: the cotangent is 0, and {derivative}"
    if math.isinf(g) and d == 0:
        return f"inf · 0: the cotangent is {g:g}, and {derivative}"
    if math.isfinite(d):
        return f"{derivative}, and times the cotangent {number(g)} it is {result:g}"
    return derivative + f"; the cotangent is {number(g)}"


def _terms(node: Node, index: tuple[int, ...]) -> str:
    """Return which terms of a sum or of a product of matrices give a nan from infinities."""
    mask = np.zeros(node.shape, bool)
    mask[index] = True
    reached = dependence(node, mask)
    if node.op.name in ("matmul", "linear"):
        a, b = (numbers(x)[m] for x, m in zip(node.inputs[:2], reached, strict=False))
        for k, (p, q) in enumerate(zip(a.tolist(), b.tolist(), strict=True)):
            if (p == 0 and math.isinf(q)) or (q == 0 and math.isinf(p)):
                return f"0 · inf: term {k} is {number(p)} · {number(q)}"
        return "inf - inf: terms of both signs are infinite"
    values = numbers(node.inputs[0])[reached[0]]
    if node.op.linear and {math.inf, -math.inf} <= set(values.ravel().tolist()):
        return "inf - inf: terms of both signs are infinite"
    n = int(nonfinite(values).sum())
    return f"{n} of its {values.size} operand elements {'is' if n == 1 else 'are'} not finite" if n else ""


# ----------------------------------------------------------------------------------------------------------- situations


def situation(birth: Birth, origin: Origin, order: Sequence[Node], turn: str, parameter: bool) -> Situation:
    """Return what the remedy of an origin depends on; ``order`` has each node of the graph before its operands."""
    node = birth.node
    added = origin.phase == "backward" and (
        origin.operand is None or (origin.cotangent is None and node.op.elementwise)
    )
    given = origin.phase == "forward" and (node.op is None or origin.operand is not None)
    values = tuple(x.value for x in origin.values if x.value is not None)
    values = values if len(values) == len(origin.values) else ()
    finite = all(map(math.isfinite, values)) if values else added or all(map(is_finite, node.inputs))
    users, selector = _around(birth, origin, order)
    return Situation(
        op="" if given else "add" if added else origin.op,
        phase=origin.phase,
        values=values,
        result=origin.result,
        cotangent=origin.cotangent,
        finite=finite,
        dtype=str(node.dtype),
        makers=_makers(node),
        users=users,
        numerator=_numerator(node, order),
        negated=any(type(x) in NODES and x.op is not None and x.op.name == "negative" for x in node.inputs),
        selector=selector,
        turn=turn,
        empty=any(numbers(x).size == 0 for x in node.inputs),
        parameter=parameter and node.op is None,
    )


def _numerator(node: Node, order: Sequence[Node]) -> str:
    """Return "same" where a quotient has the same op of the same operands above, "one" where it has 1, else ""."""
    above = [x.inputs[0] for x in order if x.op is not None and x.op.name == "divide"]
    if any(_is_alike(x, node) for x in above):
        return "same"
    inverse = any(x.op is not None and x.op.name == "reciprocal" for x in order)
    return "one" if inverse or any(type(x) not in NODES and np.all(numbers(x) == 1) for x in above) else ""


def _is_alike(x: Any, node: Node) -> bool:
    """Return whether two nodes are the same op of the same operands."""
    if type(x) not in NODES or x.op is not node.op or len(x.inputs) != len(node.inputs):
        return False
    return all(a is b for a, b in zip(x.inputs, node.inputs, strict=True))


def _makers(node: Node) -> dict[str, Params]:
    """Return the ops from which the operands come, the nearest of each name, with their params."""
    found: dict[str, Params] = {}
    for x in _back(node):
        found.setdefault(x.op.name, _params(x))
    return found


def _back(node: Node) -> Iterator[Node]:
    """Yield what the operands of a node come from, the nearest first."""
    near = [node]
    for _ in range(NEAR):
        near = [x for y in near for x in y.inputs if type(x) in NODES and x.op is not None][:20]
        yield from near


def _params(node: Node) -> Params:
    """Return over which axis a node reduces, and how, as one writes it; not what is so without being written."""
    given: dict[str, Any] = {key: node.params[key] for key in ("axis", "ddof", "keepdims") if key in node.params}
    axis = given.get("axis")
    if isinstance(axis, tuple) and len(axis) == 1:
        given["axis"] = axis[0]
    found = {key: repr(value) for key, value in given.items() if key == "axis" or value}
    if found.get("axis") == "None" and len(np.shape(numbers(node.inputs[0]))) < 2:
        del found["axis"]
    return found


def letters(birth: Birth, of: Sequence[str], names: Mapping[Node, str]) -> dict[str, str]:
    """Return what the letters of a remedy stand for: names of leaves, or words.

    Args:
        birth: where the remedy is for.
        of: the ops, further back, of which one has the operand that is meant; by default the node itself has it.
        names: of leaves.
    """
    node, i = birth.node, birth.operand
    if of:
        meant: list[Any] = [x.inputs[0] for x in _back(node) if x.op.name in of][:1]
    elif node.op is None:
        meant = [node]
    else:
        meant = [node.inputs[i]] if birth.cotangent is None and i is not None else list(node.inputs)
    words = [_words(x, f"operand {i if len(meant) == 1 and i else k}", names) for k, x in enumerate(meant)]
    return dict(zip("x" if len(words) == 1 else "ab", words, strict=False))


def _words(x: Any, otherwise: str, names: Mapping[Node, str]) -> str:
    if type(x) not in NODES or x.op is None or x in names or x.name:
        return _name(x, names) or otherwise
    return f"the result of {x.op.name}" + (f" at {short(x.source)}" if x.source else "")


def _around(birth: Birth, origin: Origin, order: Sequence[Node]) -> tuple[dict[str, dict[str, Params]], str]:
    """Return the ops that use the node within a few steps, and what does not use the element, in words.

    With each op come those between, and their params. What does not use the element is the first such op.
    """
    steps: dict[Node, int] = {birth.node: 0}
    between: dict[Node, dict[str, Params]] = {birth.node: {}}
    users: dict[str, dict[str, Params]] = {}
    selector = ""
    for node in reversed(order):
        via = [i for i, x in enumerate(node.inputs) if type(x) in NODES and x in steps]
        if not via:
            continue
        steps[node] = step = 1 + min(steps[node.inputs[i]] for i in via)
        if step <= NEAR:
            way = [node.inputs[i] for i in via if node.inputs[i] in between]
            passed = {name: params for x in way for name, params in between[x].items()}
            passed.update({x.op.name: _params(x) for x in way if x is not birth.node})
            between[node] = passed
            users.setdefault(node.op.name, passed)
        if not selector and any(_drops(node, i, birth) for i in via):
            selector = node.op.name + (f" at {short(node.source)}" if node.source else "")
    return users, selector if origin.cotangent == 0 else ""


def _drops(node: Node, i: int, birth: Birth) -> bool:
    """Return whether ``node`` does not use the element of operand ``i``, as far as shapes tell which that is."""
    name, inputs = node.op.name, node.inputs
    if name in ("getitem", "nan_to_num", "relu", "clip", "max", "min"):
        return True
    if name not in ("where", "maximum", "minimum", "fmax", "fmin", "multiply"):
        return False
    if name == "where":
        unused = numbers(inputs[0]).astype(bool) == (i == 2)
    elif name == "multiply":
        unused = numbers(inputs[1 - i]) == 0
    else:
        unused = numbers(inputs[i]) != numbers(node)
    unused = np.broadcast_to(unused, node.shape)
    single = birth.node.op is None or birth.node.op.elementwise
    same = single and birth.node.shape == node.shape and len(birth.index) == node.ndim
    return bool(unused[birth.index] if same else unused.any())
