"""What a check says of every recorded operation: right, at a kink, undecided, or wrong; for pictures."""

from collections.abc import Iterable, Sequence
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np

from tinygrad_mlp.backward import check_fresh
from tinygrad_mlp.graph import NODES, Node

from .blame import named
from .operand import Operand, signed
from .recording import plain
from .report import Culprit
from .reporting import count
from .rules import MANY, can_gather, check_rules, gathered
from .subject import CHECKED

State: TypeAlias = Literal["right", "kink", "undecided", "wrong"]

ONE_BY_ONE = 100  # numbers that are looked at each on its own, where the rule of their op is wrong
TOGETHER = 4096  # numbers that are checked as one array


class RuleVerdict(NamedTuple):
    """What was found about the rule of one node.

    Attributes:
        state: ``right``; ``kink`` where the slopes on both sides of the operands differ, so that every number between
            them is right; ``undecided``; or ``wrong``.
        reason: why it is undecided, how many elements are at a kink, or too small to tell.
        culprit: the numbers, where it is wrong.
    """

    state: State
    reason: str = ""
    culprit: Culprit | None = None


def rule_verdicts(
    nodes: Iterable[Node], rng: np.random.Generator, *, thorough: bool = False
) -> dict[Node, RuleVerdict]:
    """Return for each computed node that has a gradient how its rule fares beside differences of the op alone.

    Args:
        nodes: The nodes, inputs first; leaves and what has no gradient are passed over.
        rng: For the cotangents and directions.
        thorough: Look at every element, not only where a random direction is suspicious.

    Raises:
        StaleError: An operand was overwritten after its use.
    """
    found: dict[Node, RuleVerdict] = {}
    alike: dict[Any, list[Node]] = {}
    for node in nodes:
        if node.op is not None and node.requires_grad:
            check_fresh(node)
            numbers = type(node._payload) is float and node.op.elementwise
            alike.setdefault((node.op, repr(node.params), len(node.inputs)) if numbers else node, []).append(node)
    with np.errstate(all="ignore"):
        for same in alike.values():
            for start in range(0, len(same), TOGETHER):
                found |= _group(same[start : start + TOGETHER], rng, thorough)
    return found


def _group(nodes: Sequence[Node], rng: np.random.Generator, thorough: bool) -> dict[Node, RuleVerdict]:
    """Return the verdicts on nodes that are one elementwise op of single numbers, or on one node."""
    if len(nodes) == 1:
        return {nodes[0]: _one(nodes[0], rng, thorough)}
    rules = check_rules(nodes, rng, thorough=thorough)
    if rules.faults or rules.unresolved:
        found = {node: _one(node, rng, thorough) for node in nodes[:ONE_BY_ONE]}
        left = f"not looked at: {count(len(nodes), nodes[0].op.name)} are too many, and not all are plainly right"
        found |= dict.fromkeys(nodes[ONE_BY_ONE:], RuleVerdict("undecided", left))
        return found | {c.node: RuleVerdict("wrong", "", named([c])[0]) for c in rules.faults}
    many = len(nodes[0].inputs) > MANY
    bent = {i for i, node in enumerate(nodes) if _bent(node, rng)} if many else _bent_numbers(nodes, rng)
    return {node: RuleVerdict("kink" if i in bent else "right") for i, node in enumerate(nodes)}


def _one(node: Node, rng: np.random.Generator, thorough: bool) -> RuleVerdict:
    """Return the verdict on one node."""
    wrong = check_rules([node], rng, thorough=thorough) if _is_checkable(node) else None
    if wrong is not None and wrong.faults:
        return RuleVerdict("wrong", "", named(wrong.faults)[0])
    if wrong is None:
        return RuleVerdict("undecided", "only float64 and float32 are checked")
    if not wrong.elements:
        return RuleVerdict("right", "no elements") if not node.size else RuleVerdict("undecided", "nothing to compare")
    if not np.isfinite(np.asarray(plain(node))).all():
        return RuleVerdict("undecided", "the result is not finite")
    if wrong.unresolved == wrong.elements:
        return RuleVerdict("undecided", "rounding hides what a derivative would show")
    bent = _bent(node, rng)
    if bent:
        where = f"{bent:,} of {count(node.size, 'element')}" if node.op.elementwise and node.size > 1 else ""
        return RuleVerdict("kink", where)
    hidden = f"{count(wrong.unresolved, 'element')} too small to tell" if wrong.unresolved else ""
    return RuleVerdict("right", hidden)


def _is_checkable(node: Node) -> bool:
    return node.dtype in CHECKED and all(
        x.dtype in CHECKED for x in node.inputs if type(x) in NODES and x.requires_grad
    )


def _bent(node: Any, rng: np.random.Generator) -> int:
    """Return in how many elements the slopes on both sides differ, at most in one operand; 1 for all of an op."""
    values = [plain(x) for x in node.inputs]
    u = signed(rng, node.shape)
    moved = [i for i, x in enumerate(node.inputs) if type(x) in NODES and x.requires_grad and x.size]
    if can_gather(node, values, moved):
        nothing = np.zeros(sum(np.size(values[i]) for i in moved))
        return int(gathered(node, values, moved, u, nothing, rng, lambda _j: 0.0).is_kinked())
    most = 0
    for i in moved:
        operand = _operand(node, values, i, u, rng)
        most = max(most, len(operand.kinked()) if node.op.elementwise else int(operand.is_kinked()))
    return most


def _bent_numbers(nodes: Sequence[Any], rng: np.random.Generator) -> set[int]:
    """Return which of many nodes, of one elementwise op of floats, are at a kink."""
    values = list(np.array([[float(plain(x)) for x in node.inputs] for node in nodes]).T)
    u = np.ones(len(nodes))
    found: set[int] = set()
    for i in range(len(values)):
        wanted = {n for n, node in enumerate(nodes) if type(x := node.inputs[i]) in NODES and x.requires_grad}
        if wanted:
            found |= wanted & set(_operand(nodes[0], values, i, u, rng).kinked().tolist())
    return found


def _operand(node: Any, values: Sequence[Any], i: int, u: Any, rng: np.random.Generator) -> Operand:
    """Return operand ``i``, of which only the op is looked at, and no rule."""
    return Operand(node.op, node.params, values, i, u, np.zeros(np.shape(values[i])), rng, lambda _j: 0.0)
