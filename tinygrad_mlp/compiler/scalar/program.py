"""ScalarProgram: a recorded graph of floats, replayed by the engine that suits it."""

from collections.abc import Sequence
from functools import cached_property

from tinygrad_mlp.compiler.scalar import tape
from tinygrad_mlp.compiler.scalar.flat import LEAF, FlatGraph
from tinygrad_mlp.compiler.scalar.fusing import Fusion
from tinygrad_mlp.compiler.scalar.grouping import Group
from tinygrad_mlp.compiler.scalar.levels import Levels, Workspace
from tinygrad_mlp.compiler.scalar.stepping import Stepping
from tinygrad_mlp.compiler.scalar.tape import Tape
from tinygrad_mlp.compiler.scalar.written import Lines, Written
from tinygrad_mlp.errors import ShapeError, UnsupportedError
from tinygrad_mlp.graph import Node

ENGINES = ("auto", "python", "levels", "numba", "c")
TAPES = ("numba", "c")  # interpreters of opcodes, which all graphs share
FEW = 400  # operands: so many lines of Python run faster than the calls of NumPy for a few levels
WRITTEN = 4000  # operands: more lines take longer to compile than a thousand replays
BIG = 2000  # operands: below, it does not pay to import numba
# Operands a level, below which the calls of NumPy for it (3 µs) take longer than one float at a time does:
NARROW = 100, 12, 400  # written out (30 to 60 ns an operand), stepped through (350 ns), by numba (7 ns)


class ScalarProgram:
    """A recorded graph whose payloads are all floats; a call computes it anew from other inputs.

    Args:
        inputs: Nodes that a call gives values to; every other leaf, and every raw number, stays what it is.
        outputs: Nodes of the graph; derivatives that are not written out (see ``backward.derivative``) among them.
        engine: "python", straight-line source or, for a large graph, a loop; "levels", NumPy on groups of nodes;
            "numba" and "c", interpreters of opcodes; "auto" chooses by the size and the depth of the graph.
        interpreter: The one that "auto" may choose.

    Attributes:
        engine: What was chosen. A graph with rows that the interpreter lacks runs by levels instead.

    Raises:
        UnsupportedError: Not all is floats, or there is no such engine.
        MissingDependencyError: The engine is "numba", which is not installed, or "c", without a C compiler.

    >>> from tinygrad_mlp.tensors import Value
    >>> a, b = Value(2.0), Value(3.0)
    >>> program = ScalarProgram([a, b], [a * b + a])
    >>> program([10.0, 0.5])
    [15.0]
    >>> print(program.source)
    def replay(values):
        [x0, x1] = values
        v2 = x0 * x1
        v3 = v2 + x0
        return [v3]
    <BLANKLINE>
    """

    def __init__(
        self, inputs: Sequence[Node], outputs: Sequence[Node], engine: str = "auto", interpreter: str = "numba"
    ) -> None:
        if engine not in ENGINES:
            raise UnsupportedError(f"engine is {engine!r}; choose one of {', '.join(ENGINES)}")
        self._flat = flat = FlatGraph(inputs, outputs)
        self.n_inputs = flat.n_inputs
        self._logical = [i for i, logical in enumerate(flat.logical) if logical]
        self.n_operands = sum(map(len, flat.args))
        self._interpreter = interpreter
        fusion = None if engine == "auto" and self.n_operands <= FEW else Fusion(flat)
        self.engine = self._choice(engine, flat, fusion)
        self._run: Written | Stepping | Levels | Tape
        if self.engine in TAPES and fusion is not None:
            self._run = Tape(flat, fusion, self.engine)
        elif self.engine == "levels" and fusion is not None:
            self._run = Levels(flat, fusion)
        elif self.n_operands <= WRITTEN:
            self._run = Written(flat)
        else:
            self._run = Stepping(flat)

    def _choice(self, engine: str, flat: FlatGraph, fusion: Fusion | None) -> str:
        """Return the engine that runs the graph."""
        if fusion is None:
            return "python"
        if engine in TAPES:
            tape.loops_of(engine)
            return engine if tape.fits(flat, fusion) else "levels"
        if engine != "auto":
            return engine
        width = self.n_operands / max(fusion.n_levels, 1)
        written, stepped, compiled = NARROW
        installed = self._interpreter == "c" or tape.is_installed()
        if width < compiled and self.n_operands > BIG and installed and tape.fits(flat, fusion):
            return self._interpreter
        return "python" if width < (written if self.n_operands <= WRITTEN else stepped) else "levels"

    def __call__(self, values: Sequence[float]) -> list[float]:
        """Return the outputs for these values of the inputs, in order; those that were booleans are booleans."""
        if len(values) != self.n_inputs:
            raise ShapeError(f"ScalarProgram: {len(values)} values for {self.n_inputs} inputs")
        found = self._run(values)
        for i in self._logical:
            found[i] = found[i] != 0
        return found

    @cached_property
    def source(self) -> str:
        """What runs: the groups of nodes, one a line, or all nodes in Python."""
        if isinstance(self._run, Levels):
            return "".join(f"{_text(group)}\n" for group in self._run.plan.groups)
        return "\n".join(Lines(self._flat)) + "\n"

    @cached_property
    def plan(self) -> str:
        """How the graph was planned: its nodes, rows, levels, groups and bytes."""
        flat, run = self._flat, self._run
        kinds = [flat.table[kind] for kind in sorted(set(flat.kinds) - {LEAF})]
        names = sorted({kind.op.name for kind in kinds if kind is not None})
        computed = sum(kind != LEAF for kind in flat.kinds)
        constants = len(flat.kinds) - computed - flat.n_inputs
        lines = [
            f"engine: {self.engine}",
            f"nodes: {computed} computed, {flat.n_inputs} inputs, {constants} constants",
            f"rows: {', '.join(names) or 'none'}",
            f"gradients: {len(flat.requests)}",
        ]
        if isinstance(run, Levels):
            groups = run.plan.groups
            products = sum(group.matrix is not None for group in groups)
            lines += [
                f"levels: {max((group.level for group in groups), default=0)}",
                f"groups: {len(groups)}, of which {products} products of matrices",
                f"nodes after fusing sums: {sum(group.size for group in groups)}",
                f"bytes of buffers: {Workspace(run.plan, run.sweeps).nbytes}",
            ]
        elif isinstance(run, Tape):
            lines += [
                f"nodes after fusing sums: {len(run.ops) - run.first}",
                f"bytes of buffers: {2 * run.values.nbytes}",
            ]
        return "\n".join(lines) + "\n"


def _text(group: Group) -> str:
    """Return what a group computes, in a line."""
    if group.request >= 0:
        return f"level {group.level}: {group.size} derivatives of gradient {group.request}"
    if group.kind is not None:
        operands = [chr(ord("a") + i) for i in range(len(group.operands))]
        return f"level {group.level}: {group.size} × {group.kind.text(operands)}"
    a, b = group.operands
    if group.matrix is not None:
        rows, columns = group.matrix
        return f"level {group.level}: matrix product ({rows}, {b.shape[1]}) @ ({b.shape[1]}, {columns})"
    return f"level {group.level}: {group.size} sums of {len(a)} terms"
