"""Units in a recorded graph, each with its slope, and what people write for that slope by mistake.

A unit is one value as a function of another, element by element: a sigmoid, whether it is one operation or spelled out.
"""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from tinygrad_mlp.backward import cotangents
from tinygrad_mlp.check.differences import Floats
from tinygrad_mlp.check.recording import plain
from tinygrad_mlp.graph import GRADIENTS, NODES, recording, wrap

from .scenes import Graph, at, cast

CHAIN = 8  # operations of a unit that is spelled out

MISSING, SWAPPED, PLACE, FACTOR = "missing factor", "h for 1 − h", "slope at the wrong place", "wrong factor"


class Unit(NamedTuple):
    """A value ``h`` that depends on ``a`` alone, element by element.

    Attributes:
        top, bottom: where h and a are in the graph.
        name: what it is.
        slope: its slope as one would write it; empty if it has no name.
        anonymous: whether it is a chain of operations that has no name.
    """

    top: tuple[Any, ...]
    bottom: tuple[Any, ...]
    name: str
    slope: str
    anonymous: bool = False


Variant = tuple[str, str, Callable[[Floats, Floats, Floats], Floats]]  # kind, what was written, the slope of (h, a, s)

# What is written for the slope of a unit: of a sigmoid, of a tanh, of a rectifier, of any other.
SIGMOID: tuple[Variant, ...] = (
    (MISSING, "the factor h (1 − h) of {0} is missing", lambda _h, _a, s: np.ones_like(s)),
    (MISSING, "the factor 1 − h of {0} is missing, the slope is h (1 − h)", lambda h, _a, _s: h),
    (MISSING, "the factor h of {0} is missing, the slope is h (1 − h)", lambda h, _a, _s: 1 - h),
    (SWAPPED, "h² for the slope h (1 − h) of {0}: h for 1 − h", lambda h, _a, _s: h * h),
    (SWAPPED, "(1 − h)² for the slope h (1 − h) of {0}: 1 − h for h", lambda h, _a, _s: (1 - h) ** 2),
    (FACTOR, "h (1 + h) for the slope h (1 − h) of {0}", lambda h, _a, _s: h * (1 + h)),
    (FACTOR, "h (h − 1) for the slope h (1 − h) of {0}", lambda h, _a, _s: h * (h - 1)),
    (FACTOR, "1 − h² for the slope h (1 − h) of {0}: the slope of tanh", lambda h, _a, _s: 1 - h * h),
    (PLACE, "a (1 − a) for the slope h (1 − h) of {0}", lambda _h, a, _s: a * (1 - a)),
)
TANH: tuple[Variant, ...] = (
    (MISSING, "the factor 1 − h² of {0} is missing", lambda _h, _a, s: np.ones_like(s)),
    (SWAPPED, "h² for the slope 1 − h² of {0}", lambda h, _a, _s: h * h),
    (FACTOR, "1 − h for the slope 1 − h² of {0}", lambda h, _a, _s: 1 - h),
    (FACTOR, "1 + h² for the slope 1 − h² of {0}", lambda h, _a, _s: 1 + h * h),
    (FACTOR, "h² − 1 for the slope 1 − h² of {0}", lambda h, _a, _s: h * h - 1),
    (FACTOR, "h (1 − h) for the slope 1 − h² of {0}: the slope of the sigmoid", lambda h, _a, _s: h * (1 - h)),
    (PLACE, "1 − a² for the slope 1 − h² of {0}", lambda _h, a, _s: 1 - a * a),
)
ANY: tuple[Variant, ...] = (
    (MISSING, "the slope of {0} is missing", lambda _h, _a, s: np.ones_like(s)),
    (FACTOR, "{0} itself in place of its slope", lambda h, _a, _s: h),
    (FACTOR, "1 − h in place of the slope of {0}", lambda h, _a, _s: 1 - h),
    (FACTOR, "the operand of {0} in place of its slope", lambda _h, a, _s: a),
    (FACTOR, "1 minus the slope of {0}", lambda _h, _a, s: 1 - s),
    (FACTOR, "the sign of the slope of {0} is wrong", lambda _h, _a, s: -s),
    (FACTOR, "the slope of {0} is there twice", lambda _h, _a, s: s * s),
    (FACTOR, "the reciprocal of the slope of {0}", lambda _h, _a, s: 1 / s),
)
ANONYMOUS = tuple(ANY[i] for i in (0, 1, 3, 5, 6))  # what one can be told of a chain of operations
TITLES = {"h (1 − h)": "the sigmoid", "1 − h²": "tanh"}


def variants(unit: Unit) -> tuple[Variant, ...]:
    """Return what people write for the slope of a unit."""
    named = {"h (1 − h)": (*SIGMOID, *ANY[4:]), "1 − h²": (*TANH, *ANY[4:])}
    return named.get(unit.slope, ANONYMOUS if unit.anonymous else ANY)


def units(graph: Graph) -> list[Unit]:
    """Return the units of a graph: first those whose slope has a name, then single operations, then others.

    What is spelled out gets its name in ``graph.titles``.
    """
    where: dict[Any, tuple[Any, ...]] = {x: ("node", n) for n, x in enumerate(graph.order)}
    where |= {x: ("leaf", k) for k, x in enumerate(graph.leaves)}
    chains: dict[Any, list[Any]] = {}
    found = []
    for top in graph.order:
        chains[top] = _chain(top, chains)
        for length, bottom in enumerate(chains[top][1:CHAIN]):
            if bottom in where and top in graph.cotangents:
                slope = _slope_name(top, bottom)
                if slope and length:
                    graph.titles[top] = TITLES[slope], bottom
                name = TITLES.get(slope, "") if length else top.op.name
                nameless = not name
                name = name or f"{top.op.name} as a function of {graph.name(bottom)}"
                found.append((not slope, length, Unit(where[top], where[bottom], name, slope, nameless)))
        if top.op.name == "divide" and (z := _logits(top)) is not None:
            graph.titles[top] = "the softmax", z
    return [unit for _, _, unit in sorted(found, key=lambda x: x[:2])]


def _logits(quotient: Any) -> Any:
    """Return z where a quotient is the softmax of z, spelled out; before a maximum was taken off, if one was."""
    above = quotient.inputs[0]
    if (
        type(above) not in NODES
        or above.op is None
        or above.op.name != "exp"
        or not is_softmax(quotient, above.inputs[0])
    ):
        return None
    z = above.inputs[0]
    before = z.inputs[0] if z.op is not None and z.op.name == "subtract" else z
    return before if type(before) in NODES and is_softmax(quotient, before) else z


def numbers(graph: Graph, unit: Unit) -> tuple[Floats, Floats, Floats]:
    """Return h, a and the slope of a unit."""
    top, bottom = at(graph, unit.top), at(graph, unit.bottom)
    h, a = (np.asarray(plain(x), np.float64) for x in (top, bottom))
    return h, a, slope(top, bottom)


def slope(top: Any, bottom: Any) -> Floats:
    """Return ∂h/∂a, element by element."""
    with np.errstate(all="ignore"):
        found = cotangents(top, cast(top, np.ones(top.shape)), to=[bottom])
    return np.asarray(plain(found[bottom]), np.float64)


def misplaced(graph: Graph, unit: Unit) -> Floats | None:
    """Return the slope of a unit taken where its result is, as σ′(h) for σ′(a); None if it has none there."""
    top, bottom = at(graph, unit.top), at(graph, unit.bottom)
    leaf = wrap(plain(top) if type(top._payload) is float else np.array(plain(top)))
    leaf.requires_grad = True
    twins = {bottom: leaf}
    with recording(GRADIENTS):
        for node in graph.order[: unit.top[1] + 1]:
            if any(type(x) in NODES and x in twins for x in node.inputs):
                inputs = tuple(twins.get(x, x) if type(x) in NODES else plain(x) for x in node.inputs)
                twins[node] = node.op.apply(inputs, dict(node.params))
    return slope(twins[top], leaf) if top in twins and twins[top].shape == top.shape else None


def _chain(node: Any, chains: dict[Any, list[Any]]) -> list[Any]:
    """Return the values that a node is a function of, element by element, each of the one that follows it."""
    if node.op is None or not node.op.elementwise:
        return [node]
    below = [chains.get(x, [x]) for x in node.inputs if type(x) in NODES and x.requires_grad]
    if not below or any(x.shape != node.shape for x in node.inputs if type(x) in NODES and x.requires_grad):
        return [node]
    common = [x for x in below[0] if all(any(x is y for y in other) for other in below[1:])]
    return [node, *common]


def _slope_name(top: Any, bottom: Any) -> str:
    """Return the slope of a unit as one would write it, if it is that of a sigmoid or of tanh."""
    h, a = np.asarray(plain(top), np.float64), np.asarray(plain(bottom), np.float64)
    with np.errstate(all="ignore"):
        if np.allclose(h, 1 / (1 + np.exp(-a)), rtol=1e-9, atol=0) and h.size:
            return "h (1 − h)"
        return "1 − h²" if h.size and np.allclose(h, np.tanh(a), rtol=1e-9, atol=1e-15) else ""


# ---------------------------------------------------------------------------------------------------------- the softmax


def softmax_variants(y: Floats, z: Floats, g: Floats) -> Iterator[tuple[str, str, Floats]]:
    """Yield what people hand from a softmax ``y`` of ``z``, along the last axis, to ``z`` for the cotangent ``g``."""
    inner = np.sum(g * y, axis=-1, keepdims=True)
    yield "missing term", "only the diagonal of the Jacobian of {0}, y (1 − y)", g * y * (1 - y)
    yield "missing term", "the Jacobian of {0} without its diagonal term: −y yᵀ for diag(y) − y yᵀ", -y * inner
    yield "missing term", "the Jacobian of {0} without −y yᵀ", g * y
    yield "missing factor", "the Jacobian of {0} is missing", g
    same = y[..., :, None] == y[..., None, :]
    values = np.sum(g[..., :, None] * y[..., :, None] * (same - y[..., None, :]), axis=-2)
    yield (
        "values for indices",
        "the indicator 1(k = k′) in the Jacobian of {0} compares values: compare indices",
        values,
    )
    e = np.exp(z)
    total = e.sum(axis=-1, keepdims=True)
    off = -y * inner + g * y * y
    yield FACTOR, "1 for Σ exp in the diagonal of the Jacobian of {0}", off + g * e * (1 - e) / total**2


def is_softmax(y: Any, z: Any) -> bool:
    """Return whether a value is the softmax of another along the last axis."""
    y, z = np.asarray(plain(y), np.float64), np.asarray(plain(z), np.float64)
    if y.shape != z.shape or not y.ndim or not y.size:
        return False
    e = np.exp(z - z.max(axis=-1, keepdims=True))
    return bool(np.allclose(y, e / e.sum(axis=-1, keepdims=True), rtol=1e-9, atol=0))
