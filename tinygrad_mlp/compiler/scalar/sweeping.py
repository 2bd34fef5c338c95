"""The plan of a gradient over groups: which cotangents each group pushes down, and which sums each group pulls."""

from typing import NamedTuple

import numpy as np

from tinygrad_mlp.compiler.scalar.flat import Request
from tinygrad_mlp.compiler.scalar.fusing import INDEX, Ints
from tinygrad_mlp.compiler.scalar.grouping import Group, Plan
from tinygrad_mlp.compiler.scalar.rules import is_passed


class NotWholeError(Exception):
    """A gradient flows through a part of a product of matrices only: plan without products of matrices."""


class Edges(NamedTuple):
    """The edges from nodes of a group (``owners``) to one operand of each (``targets``).

    ``passed``: the cotangents are those of the owners, and are read there; else a call computes them, in this order.
    """

    owners: Ints
    targets: Ints
    passed: bool = False


class Pull(NamedTuple):
    """Cotangents of ``targets`` as sums of others: those at ``sources``.

    Attributes:
        sources: positions among the cotangents, of shape (most, targets) if all sums are equally long, else flat.
        starts: where each sum begins in flat sources; None otherwise.
    """

    targets: Ints
    sources: Ints
    starts: Ints | None


class Sweep:
    """What one gradient computes, by groups from the root down.

    The cotangents of all nodes lie in one array, those of edges that a group computes behind them.

    Attributes:
        pulls: for each group, and for the leaves under -1, what its cotangents sum.
        pushes: for each group the operands whose cotangents it computes, each with the position where they begin.
        size: how many cotangents there are.
    """

    def __init__(self, plan: Plan, request: Request) -> None:
        self.root = int(plan.place[request.root])
        self.pulls: dict[int, Pull] = {}
        self.pushes: dict[int, list[tuple[int, int]]] = {}
        self.size = len(plan.values)
        ends = np.zeros(self.size, bool)
        ends[plan.place[list(request.ends)]] = True
        active = _active(plan, ends)
        relevant = np.zeros(self.size, bool)
        relevant[self.root] = True
        targets, sources = [np.zeros(0, INDEX)], [np.zeros(0, INDEX)]
        for number in range(len(plan.groups) - 1, -1, -1):
            group = plan.groups[number]
            here = relevant[group.start : group.stop] & ~ends[group.start : group.stop]
            if group.request >= 0 or not here.any():
                continue
            for i, edges in enumerate(_edges(group, plan.one)):
                kept = active[edges.targets]
                if group.matrix is None:
                    kept &= here[edges.owners - group.start]
                elif not here.all():
                    raise NotWholeError
                if kept.any():
                    at = edges.owners if edges.passed else self._push(number, i, len(edges.targets))
                    relevant[edges.targets[kept]] = True
                    targets.append(edges.targets[kept])
                    sources.append(at[kept])
        self._sort(plan, np.concatenate(targets), np.concatenate(sources))

    def _push(self, number: int, i: int, n: int) -> Ints:
        """Return the positions of the cotangents that a group computes for one of its operands."""
        self.pushes.setdefault(number, []).append((i, self.size))
        self.size += n
        return np.arange(self.size - n, self.size)

    def _sort(self, plan: Plan, targets: Ints, sources: Ints) -> None:
        """Fill ``pulls``: the edges sorted by target, a group's targets being together."""
        sort = np.argsort(targets, kind="stable")
        targets, sources = targets[sort], sources[sort]
        ranges = [(-1, 0, plan.n_leaves), *((i, group.start, group.stop) for i, group in enumerate(plan.groups))]
        bounds = np.searchsorted(targets, [bound for _, *bounds in ranges for bound in bounds]).tolist()
        for (number, *_), low, high in zip(ranges, bounds[::2], bounds[1::2], strict=True):
            if high > low:
                self.pulls[number] = _pull(targets[low:high], sources[low:high])


def _pull(targets: Ints, sources: Ints) -> Pull:
    starts = np.flatnonzero(np.concatenate([[True], np.diff(targets) > 0]))
    distinct, lengths = targets[starts], np.diff(np.concatenate([starts, [len(targets)]]))
    if (lengths == lengths[0]).all():
        return Pull(distinct, np.ascontiguousarray(sources.reshape(-1, lengths[0]).T), None)
    return Pull(distinct, sources, starts)


def _active(plan: Plan, ends: Ints) -> Ints:
    """Return which nodes depend on the ends of paths, through nodes that let gradients through."""
    active = ends.copy()
    if not ends.any():
        active[: plan.n_leaves] = plan.tracked[: plan.n_leaves]
    for group in plan.groups:
        if group.request >= 0:
            continue
        found = [active[x] for x in group.operands]
        if group.matrix is not None:
            columns, rows = (x.any(axis=1) for x in found)
            some = (rows[:, None] | columns).ravel()
        elif group.kind is None:
            some = np.logical_or.reduceat(found[0] | found[1], group.starts)
        else:
            some = np.logical_or.reduce(found)
        active[group.start : group.stop] |= some & plan.tracked[group.start : group.stop]
    return active


def _edges(group: Group, one: int) -> list[Edges]:
    """Return the edges of a group to each of its operands; of sums of products, to the first and the second factors."""
    nodes = np.arange(group.start, group.stop)
    if group.kind is not None:
        return [Edges(nodes, x, is_passed(group.kind, i)) for i, x in enumerate(group.operands)]
    a, b = group.operands
    if group.matrix is not None:
        return [Edges(nodes[:1], a.ravel()), Edges(nodes[:1], b.ravel())]
    lengths = np.diff(np.concatenate([group.starts, [len(a)]]))
    owners = np.repeat(nodes, lengths)
    if (b == one).all():
        return [Edges(owners, a, passed=True)]
    if (lengths == lengths[0]).all():  # as they are computed: the first terms of all sums, the second, …
        owners, a, b = (x.reshape(group.size, -1).T.ravel() for x in (owners, a, b))
    return [Edges(owners, a), Edges(owners, b)]
