"""Which operation is to blame: a wrong rule, a place where a gradient is lost, the kink that a number stands at."""

from collections.abc import Iterable, Iterator, Sequence
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
NUDGES = (1e-3, 1e-6, 1e-9)  # relative: how far inputs are moved to see what depends on them
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
    """Return where a gradient is lost: what in the recorded graph changes with the inputs without being a node.

    What is lost changes in proportion to the inputs; a mask changes at once, or not at all.
    """
    if not recording.order:
        return [f"no gradient: f computes outside of the graph: {CAUSES}"]
    directions = [_nudge(leaf.values, rng) for leaf in subject.leaves]
    for nudge in NUDGES:
        far, near = (_beside(subject, directions, t) for t in (nudge, nudge / 16))
        if all([n.op for n in other.order] == [n.op for n in recording.order] for other in (far, near)):
            leaves = {leaf.node for leaf in subject.leaves}
            return list(dict.fromkeys(_losses(recording, leaves, far, near)))
    return ["f records other operations beside the inputs: its branches cannot be followed"]


def _nudge(x: Floats, rng: np.random.Generator) -> Floats:
    finite = np.isfinite(x)
    largest = float(np.max(np.abs(x), initial=0.0, where=finite)) or 1.0
    return np.where(finite, np.maximum(np.abs(x), 0.01 * largest), 0.0) * signed(rng, x.shape)


def _beside(subject: Subject, directions: Sequence[Floats], t: float) -> Recording:
    with subject.varying(), np.errstate(all="ignore"):
        subject.put([leaf.values + t * d for leaf, d in zip(subject.leaves, directions, strict=True)])
        return Recording(subject.record())


def _losses(recording: Recording, leaves: set[Node], far: Recording, near: Recording) -> Iterator[str]:
    for node, one, other in zip(recording.order, far.order, near.order, strict=True):
        line = f" at {short(node.source)}" if node.source else ""
        for i, (x, a, b) in enumerate(zip(node.inputs, one.inputs, other.inputs, strict=False)):
            flows = type(x) in NODES and x.requires_grad and (x.op is not None or x in leaves)  # a new leaf ends it
            if not flows and _follows(plain(x), plain(a), plain(b)):
                yield (
                    f"gradient lost: operand {i} of {node.op.name}{line} changes with the inputs, yet no gradient "
                    f"flows through it: {CAUSES}"
                )
        for key, value in node.params.items():
            if type(value) is float and _follows(value, one.params.get(key), other.params.get(key)):
                yield (
                    f"gradient lost: {key} of {node.op.name}{line} changes with the inputs: "
                    "it is a parameter, not an operand"
                )


def _follows(x: Any, far: Any, near: Any) -> bool:
    """Return whether a constant changes with the inputs, and less where these change less."""
    x, far, near = (np.asarray(v) for v in (x, far, near))
    if x.dtype.kind != "f" or not x.shape == far.shape == near.shape:
        return False
    with np.errstate(all="ignore"):
        much, little = np.abs(far - x), np.abs(near - x)
        return bool(np.any((little > 0) & (little < much / 4)))


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
