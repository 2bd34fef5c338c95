"""The numba engine: a graph as a tape of opcodes, run by one compiled interpreter that all graphs share."""

import os
import sys
from collections.abc import Callable, Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from types import FunctionType
from typing import Any, NamedTuple

import numpy as np

from tinygrad_mlp.compiler.scalar import opcodes
from tinygrad_mlp.compiler.scalar.flat import LEAF, FlatGraph
from tinygrad_mlp.compiler.scalar.fusing import INDEX, SUM, SWALLOWED, Fusion, Ints
from tinygrad_mlp.compiler.scalar.opcodes import CODES, DERIVED
from tinygrad_mlp.compiler.scalar.paths import reverse_steps
from tinygrad_mlp.errors import MissingDependencyError
from tinygrad_mlp.ops.elementwise import power

CALLED = ("_sigmoid", "_unary", "_chosen", "_holds", "_slope")  # by the two loops


def is_installed() -> bool:
    """Return whether numba can be imported."""
    return find_spec("numba") is not None


@cache
def loops() -> tuple[Callable[..., None], Callable[..., None]]:
    """Return the two loops, compiled; the machine code is kept in the user's cache folder.

    Raises:
        MissingDependencyError: numba is not installed.
    """
    try:
        import numba
    except ImportError:
        raise MissingDependencyError("the numba engine needs numba: pip install 'tinygrad-mlp[fast]'") from None
    names = dict(vars(opcodes))
    given, numba.config.CACHE_DIR = numba.config.CACHE_DIR, numba.config.CACHE_DIR or _cache_folder()
    try:
        for name in CALLED:
            names[name] = numba.njit(error_model="numpy")(_rebound(names[name], names))
        compiled = []
        for loop in (opcodes.forward, opcodes.backward):
            loop = _rebound(loop, names)
            try:
                compiled.append(numba.njit(error_model="numpy", cache=True)(loop))
            except RuntimeError:  # no folder can be written
                compiled.append(numba.njit(error_model="numpy")(loop))
    finally:
        numba.config.CACHE_DIR = given
    return compiled[0], compiled[1]


def loops_of(engine: str) -> tuple[Callable[..., None], Callable[..., None]]:
    """Return the two loops of an engine, "numba" or "c".

    Raises:
        MissingDependencyError: The machine lacks what the engine needs.
    """
    if engine == "numba":
        return loops()
    from tinygrad_mlp.compiler.c import tape  # only where it is asked for

    return tape.loops()


def _cache_folder() -> str:
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA") or "~/AppData/Local"
    else:
        base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return str(Path(base).expanduser() / "tinygrad_mlp" / "numba")


def _rebound(function: Any, names: dict[str, Any]) -> Any:
    """Return the function with the names that it calls bound to compiled ones."""
    copy = FunctionType(function.__code__, names, function.__name__)
    copy.__module__ = function.__module__
    return copy


class Part(NamedTuple):
    """A stretch of the tape up to ``last``, and then a gradient.

    Attributes:
        root: where it starts; ``nodes`` pass cotangents on, from there down.
        derivatives, sources: the nodes that take the cotangents of others.
    """

    last: int
    root: int
    nodes: Ints
    derivatives: list[int]
    sources: list[int]


def fits(flat: FlatGraph, fusion: Fusion) -> bool:
    """Return whether the interpreter has an opcode for every node of a graph."""
    used = np.unique(fusion.codes[fusion.codes > LEAF])
    kinds = [kind for i in used.tolist() if (kind := flat.table[i]) is not None]
    return all(kind.op.name in CODES and not kind.params and (not kind.fixed or kind.op is power) for kind in kinds)


class Tape:
    """A flat graph as opcodes; a call runs them."""

    def __init__(self, flat: FlatGraph, fusion: Fusion, engine: str) -> None:
        self._forward, self._backward = loops_of(engine)
        exponents = {i: flat.constant(kind.fixed[0][1]) for i, kind in enumerate(flat.table) if kind and kind.fixed}
        codes = np.concatenate([fusion.codes, np.zeros(len(flat.kinds) - len(fusion.codes), np.int64)])
        leaves, rest = np.flatnonzero(codes == LEAF), np.flatnonzero((codes != LEAF) & (codes > SWALLOWED))
        order = np.concatenate([leaves, rest])
        self.place = place = np.full(len(codes), -1, INDEX)
        place[order] = np.arange(len(order))
        self.values = np.array(flat.values)[order]
        self.n_inputs, self.first = flat.n_inputs, len(leaves)
        self.one, self.outputs = int(place[flat.one]), place[flat.outputs]
        terms = fusion.terms
        self.terms = np.stack([place[terms.a], place[terms.b]], axis=1)
        numbers = [-1 if kind is None else CODES.get(kind.op.name, -1) for kind in flat.table]
        self.ops = np.full(len(order), DERIVED, np.uint8)
        self.args = np.zeros((len(order), 3), INDEX)
        code = codes[order]
        rows = np.flatnonzero(code > LEAF)
        self.ops[rows] = np.array(numbers)[code[rows]]
        for i in range(3):
            some = rows[fusion.counts[order[rows]] > i]
            self.args[some, i] = place[fusion.args[fusion.starts[order[some]] + i]]
        for number, exponent in exponents.items():
            self.args[code == number, 1:] = place[exponent], 1
        sums = np.flatnonzero(code == SUM)
        self.ops[sums] = CODES["sum"]
        self.args[sums, 0] = np.searchsorted(terms.owner, order[sums])
        self.args[sums, 1] = np.searchsorted(terms.owner, order[sums], side="right")
        self.parts = self._parts(flat, codes)
        self._free: list[tuple[Ints, Ints]] = []

    def _parts(self, flat: FlatGraph, codes: Ints) -> list[Part]:
        """Return the gradients in the order of their first derivatives, up to which nodes are computed first."""
        parts: dict[int, Part] = {}
        for i, number in flat.request.items():
            if number not in parts:
                request = flat.requests[number]
                steps = [j for j, _ in reverse_steps(flat, request) if codes[j] > SWALLOWED]
                nodes = self.place[np.array(steps, INDEX)]
                parts[number] = Part(int(self.place[i]), int(self.place[request.root]), nodes, [], [])
            parts[number].derivatives.append(int(self.place[i]))
            parts[number].sources.append(int(self.place[flat.args[i][1]]))
        return list(parts.values())

    def __call__(self, values: Sequence[float]) -> list[float]:
        """Return the outputs for these inputs."""
        try:
            v, g = self._free.pop()  # one call has them alone: a thread that comes meanwhile takes others
        except IndexError:
            v, g = self.values.copy(), np.empty_like(self.values)
        v[: self.n_inputs] = values
        done = self.first
        for part in self.parts:
            self._forward(done, part.last, self.ops, self.args, self.terms, v)
            g.fill(0.0)
            g[part.root] = 1.0
            self._backward(part.nodes, self.one, self.ops, self.args, self.terms, v, g)
            v[part.derivatives] = g[part.sources]
            done = part.last
        self._forward(done, len(v), self.ops, self.args, self.terms, v)
        found: list[float] = v[self.outputs].tolist()
        self._free.append((v, g))
        return found
