"""Two recordings of one computation: which node is which, what each was and is, and the gradient of before."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tinygrad_mlp.arrays import thaw
from tinygrad_mlp.backward import cotangents
from tinygrad_mlp.errors import DTypeError, ShapeError, StaleError, UnsupportedError
from tinygrad_mlp.graph import GRADIENTS, NODES, Node, recording, wrap
from tinygrad_mlp.nn import Module
from tinygrad_mlp.viz.graphs.walk import Walk, bottom_up, walk
from tinygrad_mlp.viz.labels import argument, clean, shape_text, shorten

LOST = "what it was is not known"
REMEDY = (
    "updated in place, and what they were is lost; to see it: state = model.state_dict() before the step, "
    "then draw(state, loss, kind='diff', names=model)"
)


@dataclass(frozen=True)
class Comparison:
    """What is known of the nodes of a result, before and after.

    Attributes:
        was, now: numbers and arrays, by node.
        grads: the gradient of before in leaves.
        lost: leaves that were updated in place, so that nobody knows what they were.
        late: whether the numbers in the graph itself are those of before.
        notes: remarks for the reader.
    """

    was: dict[Node, Any]
    now: dict[Node, Any]
    grads: dict[Node, Any] = field(default_factory=dict)
    lost: frozenset[Node] = frozenset()
    late: bool = False
    notes: tuple[str, ...] = ()


# ---------------------------------------------------------------------------------------------------- two recordings


def of_two(before: Node, after: Node) -> Comparison:
    """Return what is known of two results of the same computation.

    Raises:
        UnsupportedError: They are not; the message names the first node that differs.
    """
    old, new = walk([before]), walk([after])
    _check_alike(old, new)
    updated = {
        old.found[source]
        for source, target, _ in old.wires
        if type(x := old.found[source]) in NODES and x.op is None and x.tick > old.found[target].tick
    }
    was, now, lost, twins = {}, {}, set(), {}
    constants = 0
    for one, other in zip(old.found, new.found, strict=True):
        if not isinstance(other, Node):
            constants += not np.array_equal(thaw(one), thaw(other))
            continue
        if one in updated:
            lost.add(other)
            continue
        was[other], now[other], twins[one] = one._payload, other._payload, other
    notes = [f"inputs and parameters ({len(lost):,}) were {REMEDY}"] if lost else []
    notes += [f"{constants:,} constant{'s differ' if constants > 1 else ' differs'}, too"] if constants else []
    return Comparison(was, now, _gradients(before, twins), frozenset(lost), notes=tuple(notes))


def _check_alike(old: Walk, new: Walk) -> None:
    """Raise if two walks are not of the same computation."""
    for i, (one, other) in enumerate(zip(old.found, new.found, strict=False)):
        if _what(one) != _what(other):
            raise UnsupportedError(
                f"draw: kind 'diff': the two graphs differ: {_called(new, i)} is {_what(other)}, and {_what(one)} "
                "before; record the same computation twice"
            )
    if old.wires != new.wires:
        pairs = zip(old.wires, new.wires, strict=False)
        at = next((b[1] for a, b in pairs if a != b), 0)
        raise UnsupportedError(
            f"draw: kind 'diff': the two graphs differ: {_called(new, at)} has other operands; record the same "
            "computation twice"
        )


def _what(x: Any) -> str:
    """Return what a node is, in words, apart from its numbers."""
    shape = f" of shape {shape_text(tuple(x.shape))}" if getattr(x, "shape", ()) else ""
    if not isinstance(x, Node):
        return f"a constant{shape}"
    if x.op is None:
        return f"{'a parameter' if x.requires_grad else 'an input'}{shape}"
    params = {name: value for name, value in x.params.items() if not hasattr(value, "shape")}
    given = ", ".join(f"{name}={argument(value)}" for name, value in params.items() if value is not None)
    return shorten(clean(f"{x.op.name}({given}){shape}" if given else f"{x.op.name}{shape}"), 80)


def _called(graph: Walk, at: int) -> str:
    """Return what to call a node in a message."""
    x = graph.found[at]
    name = x.name if isinstance(x, Node) else ""
    return f"{clean(name)!r}" if name else "the result" if at < graph.outputs else f"node n{at}"


# ------------------------------------------------------------------------------------------------------- a snapshot


def of_snapshot(before: Mapping[str, Any], after: Node, names: Any) -> Comparison:
    """Return what is known of a result and of the old values of its leaves, by computing it again from these.

    Raises:
        UnsupportedError: No name is that of a leaf.
        ShapeError: A value does not have its leaf's shape.
        DTypeError: A value is no number.
    """
    graph = walk([after])
    leaves = [x for x in graph.found if isinstance(x, Node) and x.op is None]
    titles = _titles(names)
    given: dict[Node, Any] = {}
    for leaf in leaves:
        name = next((name for name in (*titles.get(id(leaf), ()), leaf.name) if name in before), None)
        if name is not None:
            given[leaf] = _like(leaf, before[name], name)
    if not given:
        known = sorted({name for leaf in leaves for name in (*titles.get(id(leaf), ()), leaf.name) if name})
        raise UnsupportedError(
            f"draw: kind 'diff': before has {_listed([*before][:4]) or 'nothing'}, and no leaf of the "
            f"graph is called so; they are {_listed(known[:8]) or 'without names'}: pass names=model"
        )
    old = _again(graph, given)
    late = any(x.tick > graph.found[t].tick for s, t, _ in graph.wires if type(x := graph.found[s]) in NODES)
    new = _again(graph, {}) if late else {x: x for x in graph.found if isinstance(x, Node)}
    notes = ("recorded before the step: the values after it are computed again",) if late else ()
    twins = {old[leaf]: leaf for leaf in leaves}
    was, now = ({x: y._payload for x, y in found.items()} for found in (old, new))
    return Comparison(was, now, _gradients(old[after], twins), late=late, notes=notes)


def _listed(names: Iterable[Any]) -> str:
    return ", ".join(argument(shorten(str(name))) for name in names)


def _titles(names: Any) -> dict[int, list[str]]:
    """Return the names that ``names=`` gives leaves, by id: those of a module's parameters without its own, too."""
    found: dict[int, list[str]] = {}
    entries: Iterable[tuple[str, Any]] = names.items() if isinstance(names, Mapping) else [("", names)]
    for name, x in entries:
        if isinstance(x, Node):
            found.setdefault(id(x), []).append(str(name))
        elif isinstance(x, Module):
            for part, leaf in [*x.named_parameters(), *x.named_buffers()]:
                found.setdefault(id(leaf), []).extend([part, f"{name}.{part}"])
    return found


def _like(leaf: Node, value: Any, name: str) -> Any:
    """Return an old value in the kind of the leaf's."""
    value, called = getattr(value, "_payload", value), shorten(clean(name))
    if np.asarray(value).dtype.kind not in "biuf":
        raise DTypeError(f"draw: kind 'diff': before has no real numbers for {called}; give what state_dict() returned")
    if np.shape(value) != leaf.shape:
        raise ShapeError(f"draw: kind 'diff': {called} has shape {np.shape(value)} before, and {leaf.shape} after")
    return float(value) if type(leaf._payload) is float else np.array(value, leaf.dtype)


def _again(graph: Walk, given: Mapping[Node, Any]) -> dict[Node, Any]:
    """Return for each node one that is computed from other leaves; what was drawn at random stays as it was."""
    found: dict[Node, Any] = {}
    with recording(GRADIENTS), np.errstate(all="ignore"):
        for at in bottom_up(graph):
            node = graph.found[at]
            if not isinstance(node, Node):
                continue
            if node.op is None or node.op.random:
                found[node] = twin = wrap(given.get(node, node._payload))
                twin.requires_grad = node.requires_grad
            else:
                inputs = tuple(found[x] if type(x) in NODES else thaw(x) for x in node.inputs)
                result = node.op.apply(inputs, dict(node.params))
                found[node] = result if type(result) in NODES else wrap(result)
    return found


# ---------------------------------------------------------------------------------------------------------- gradients


def _gradients(before: Node, twins: Mapping[Node, Node]) -> dict[Node, Any]:
    """Return the gradient of before in the leaves, by those of after; none where there is none."""
    if not before.requires_grad or before.size != 1:
        return {}
    try:
        found = cotangents(before)
    except StaleError:
        return {}
    return {twins[leaf]: g for leaf, g in found.items() if leaf in twins and leaf.op is None}
