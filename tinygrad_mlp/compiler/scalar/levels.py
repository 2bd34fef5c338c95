"""The levels engine: NumPy on one group of nodes after the other, from buffers that belong to one call at a time."""

from collections.abc import Sequence
from functools import partial

import numpy as np

from tinygrad_mlp.compiler.scalar.flat import FlatGraph
from tinygrad_mlp.compiler.scalar.fusing import Fusion
from tinygrad_mlp.compiler.scalar.grouping import Group, Plan
from tinygrad_mlp.compiler.scalar.rules import Array, Call, backward, forward
from tinygrad_mlp.compiler.scalar.sweeping import NotWholeError, Pull, Sweep


class Levels:
    """A flat graph, planned; a call replays it."""

    def __init__(self, flat: FlatGraph, fusion: Fusion, matrices: bool = True) -> None:
        """Plan, with or without products of matrices."""
        self.plan = Plan(flat, fusion, matrices)
        try:
            self.sweeps = [Sweep(self.plan, request) for request in flat.requests]
        except NotWholeError:
            self.plan = Plan(flat, fusion, matrices=False)
            self.sweeps = [Sweep(self.plan, request) for request in flat.requests]
        self.n_inputs = flat.n_inputs
        self._free: list[Workspace] = []

    def __call__(self, values: Sequence[float]) -> list[float]:
        """Return the outputs for these inputs."""
        try:
            workspace = self._free.pop()  # one call has it alone: a thread that comes meanwhile takes another
        except IndexError:
            workspace = Workspace(self.plan, self.sweeps)
        workspace.values[: self.n_inputs] = values
        with np.errstate(all="ignore"):
            for step in workspace.steps:
                step()
        found: list[float] = workspace.values[self.plan.outputs].tolist()
        self._free.append(workspace)
        return found


class Workspace:
    """The buffers of one call, and the calls of NumPy that are bound to them."""

    def __init__(self, plan: Plan, sweeps: Sequence[Sweep]) -> None:
        self.nbytes = 0
        self.values = self._keep(plan.values.copy())
        self.steps: list[Call] = []
        self.plan = plan
        self.gathered: list[list[Array]] = []  # by group, its operands
        cotangents: dict[int, Array] = {}
        for group in plan.groups:
            y = self.values[group.start : group.stop]
            if group.request >= 0:
                if group.request not in cotangents:
                    cotangents[group.request] = self._sweep(sweeps[group.request])
                self.gathered.append([self._gather(cotangents[group.request], group.operands[0], y)])
            elif group.kind is None:
                self.gathered.append(self._sum(group, y))
            else:
                self.gathered.append([self._gather(self.values, x) for x in group.operands])
                self.steps.append(forward(group.kind, self.gathered[-1], y))

    def _keep(self, buffer: Array) -> Array:
        self.nbytes += buffer.nbytes
        return buffer

    def _gather(self, source: Array, at: Array, out: Array = None) -> Array:
        """Return what lies in ``source`` at some places, in their shape: a view where they follow each other."""
        flat = at.ravel()
        first = int(flat[0])
        if int(flat[-1]) - first == len(flat) - 1 and (np.diff(flat) == 1).all():
            view = source[first : first + len(flat)].reshape(at.shape)
            if out is None:
                return view
            self.steps.append(partial(np.copyto, out, view))
            return out
        if out is None:
            out = self._keep(np.empty(at.shape))
        self.steps.append(partial(source.take, at, None, out, "clip"))  # "raise" would go through a second buffer
        return out

    def _sum(self, group: Group, y: Array) -> list[Array]:
        """Add the calls of a group of sums, and return its factors as they are gathered."""
        a, b = group.operands
        if group.matrix is not None:
            factors = [self._gather(self.values, x) for x in (a, b)]
            self.steps.append(partial(np.matmul, factors[1], factors[0].T, y.reshape(group.matrix)))
            return factors
        uniform = len(a) % group.size == 0 and bool((np.diff(group.starts) == len(a) // group.size).all())
        if uniform:
            a, b = (np.ascontiguousarray(x.reshape(group.size, -1).T) for x in (a, b))
        factors = [self._gather(self.values, a)]
        products = factors[0]
        if (b != self.plan.one).any():
            factors.append(self._gather(self.values, b))
            products = self._keep(np.empty(a.shape))
            self.steps.append(partial(np.multiply, *factors, products))
        self.steps.append(_summed(products, None if uniform else group.starts, y))
        return factors

    def _sweep(self, sweep: Sweep) -> Array:
        """Add the calls of a gradient, and return the cotangents that they leave."""
        cotangents = self._keep(np.zeros(sweep.size))
        cotangents[sweep.root] = 1.0  # nothing is pulled there, so it stays
        for number in range(len(self.plan.groups) - 1, -1, -1):
            if number in sweep.pulls:
                self._pull(sweep.pulls[number], cotangents)
            for i, at in sweep.pushes.get(number, ()):
                self._push(number, i, cotangents, at)
        if -1 in sweep.pulls:
            self._pull(sweep.pulls[-1], cotangents)
        return cotangents

    def _pull(self, pull: Pull, cotangents: Array) -> None:
        targets, (first, last) = pull.targets, (int(pull.targets[0]), int(pull.targets[-1]))
        together = last - first == len(targets) - 1  # they are sorted
        y = cotangents[first : last + 1] if together else self._keep(np.empty(len(targets)))
        if pull.starts is None and len(pull.sources) == 1:
            self._gather(cotangents, pull.sources[0], y)
        else:
            self.steps.append(_summed(self._gather(cotangents, pull.sources), pull.starts, y))
        if not together:
            self.steps.append(partial(cotangents.__setitem__, targets, y))

    def _push(self, number: int, i: int, cotangents: Array, at: int) -> None:
        """Add the call that computes the cotangents of one operand of a group."""
        group, operands = self.plan.groups[number], self.gathered[number]
        g, y = (x[group.start : group.stop] for x in (cotangents, self.values))
        if group.kind is not None:
            out = cotangents[at : at + group.size]
            self.steps.append(backward(group.kind, i, g, y, operands, out))
            return
        other = operands[1 - i]
        out = cotangents[at : at + operands[i].size].reshape(operands[i].shape)
        if group.matrix is not None:
            g = g.reshape(group.matrix)
            self.steps.append(partial(np.matmul, g.T if i == 0 else g, other, out))
            return
        if other.ndim == 1:
            owners = np.repeat(np.arange(group.size), np.diff(np.concatenate([group.starts, [len(other)]])))
            g = self._gather(g, owners)
        self.steps.append(partial(np.multiply, g, other, out))


def _summed(terms: Array, starts: Array | None, out: Array) -> Call:
    """Return the call that adds up terms: rows of equally many, or flat ones from ``starts`` on."""
    if starts is not None:
        return partial(np.add.reduceat, terms, starts, 0, None, out)
    if len(terms) == 2:
        return partial(np.add, terms[0], terms[1], out)
    return partial(np.add.reduce, terms, 0, None, out)
