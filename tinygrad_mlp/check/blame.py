"""Which operation is to blame: a wrong rule, a place where a gradient is lost, the kink that a number stands at."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from tinygrad_mlp.graph import NODES, Node

from .differences import Floats
from .operand import signed
from .recording import Recording, plain
from .report import Culprit, short
from .reporting import place
from .rules import Fault
from .subject import Subject

CAUSES = "is it made with .detach(), .item(), .numpy(), float() or under no_grad?"
NUDGE = 1e-3  # relative: how far inputs are moved to see what depends on them
BENT = 0.25  # slopes whose difference is more than this part of them make a kink


def named(faults: Iterable[Fault]) -> tuple[Culprit, ...]:
    """Return a culprit for each node that has faults, the worst of its elements."""
    found: dict[Node, Culprit] = {}
    for fault in faults:
        if fault.node not in found:
            found[fault.node] = Culprit(
                fault.node.op.name,
                *(fault.operand, fault.element, fault.analytic, fault.numeric, fault.bound),
                fault.node.source,
                fault.message,
                fault.mode,
            )
    return tuple(found.values())


# ------------------------------------------------------------------------------------------------------ lost gradients


def lost(subject: Subject, recording: Recording, rng: np.random.Generator) -> list[str]:
    """Return where a gradient is lost: what in the recorded graph changes with the inputs without being a node."""
    if not recording.order:
        return [f"no gradient: f computes outside of the graph: {CAUSES}"]
    moved = [x.values + NUDGE * _size(x.values) * signed(rng, x.values.shape) for x in subject.leaves]
    with subject.varying():
        subject.put(moved)
        other = Recording(subject.record())
    if [node.op for node in recording.order] != [node.op for node in other.order]:
        return ["f records other operations beside the inputs: its branches cannot be followed"]
    notes = []
    for node, twin in zip(recording.order, other.order, strict=True):
        line = f" at {short(node.source)}" if node.source else ""
        for i, (a, b) in enumerate(zip(node.inputs, twin.inputs, strict=False)):
            if type(a) in NODES and a.requires_grad:
                continue
            if not _same(plain(a), plain(b)):
                notes.append(
                    f"gradient lost: operand {i} of {node.op.name}{line} changes with the inputs, yet no gradient "
                    f"flows through it: {CAUSES}"
                )
        notes += [
            f"gradient lost: {key} of {node.op.name}{line} changes with the inputs: it is a parameter, not an operand"
            for key, value in node.params.items()
            if type(value) is float and value != twin.params.get(key)
        ]
    return notes


def _same(a: Any, b: Any) -> bool:
    if a is None or b is None:
        return a is b
    a, b = np.asarray(a), np.asarray(b)
    return bool(np.array_equal(a, b, equal_nan=a.dtype.kind == b.dtype.kind == "f"))


def _size(x: Floats) -> Floats:
    return np.maximum(np.abs(x), np.max(np.abs(x), initial=0.0) or 1.0)


# --------------------------------------------------------------------------------------------------------------- kinks


def kink_place(recording: Recording, leaf: Node, values: Floats, i: int) -> str:
    """Return which operation has a kink in the direction of one element, as ``kink at relu, input [3]``, if any."""
    size = abs(float(values.reshape(-1)[i])) or float(np.max(np.abs(values), initial=0.0)) or 1.0
    for h in (2.0**-22 * size, 2.0**-12 * size, 2.0**-5 * size):
        unit = np.zeros(values.size)
        unit[i] = h
        step = unit.reshape(values.shape)
        ends = [recording.run({leaf: _payload(leaf, values + t)}) for t in (step, 0 * step, -step)]
        for node in recording.order:
            if node in ends[0]:
                bent = _bent(*(np.asarray(known[node], np.float64) for known in ends))
                if bent.any() and not any(_input_bent(x, ends) for x in node.inputs):
                    line = f" at {short(node.source)}" if node.source else ""
                    return f"kink at {node.op.name}{line}, {_where(node, bent)}"
    return ""


def _payload(leaf: Node, x: Floats) -> Any:
    return float(x) if type(leaf._payload) is float else x


def _input_bent(x: Any, ends: Sequence[Any]) -> bool:
    if type(x) not in NODES or x not in ends[0]:
        return False
    return bool(_bent(*(np.asarray(known[x], np.float64) for known in ends)).any())


def _bent(up: Floats, base: Floats, down: Floats) -> Any:
    """Say for which elements the slopes on both sides differ."""
    with np.errstate(all="ignore"):
        right, left = up - base, base - down
        size = np.maximum(np.abs(right), np.abs(left))
        return (np.abs(right - left) > BENT * size) & (size > 1e-12 * np.abs(base))


def _where(node: Any, bent: Any) -> str:
    """Return the element of the operand, if the op is elementwise, or else of the output."""
    index = tuple(int(n) for n in np.argwhere(bent)[0])
    return place("input" if node.op.elementwise else "output", index).replace("[", " [", 1)
