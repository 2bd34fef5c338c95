"""Replay: one recording as a function of the same arguments that computes by plain NumPy."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from tinygrad_mlp.rewrite import Program, Term, lower, ordered
from tinygrad_mlp.rewrite.rules import tables

from .biases import biases_by_blas
from .capture import Capture, Fixed
from .donation import donated
from .kernel import Kernel
from .layout import batch_last
from .plan import Plan
from .products import products_by_blas
from .runner import runner
from .schedule import schedule
from .source import write_source
from .translation import Translation

PASSES = (("products", products_by_blas), ("layout", batch_last), ("biases", biases_by_blas))


class Replay(NamedTuple):
    """What replays one recording; the recording itself, with all its numbers, is not kept.

    Attributes:
        run: ``run(args, kwargs)`` gives the result, or ``MISS`` if the recording does not hold for the call.
        source, kernel, plan: As of ``Compiled``.
        constants: What the kernel refers to, by name.
        held: What the source takes by name, beside what is read live.
    """

    run: Callable[[Any, Any], Any]
    source: str
    kernel: str
    plan: Plan
    constants: dict[str, Any]
    held: dict[str, Any]


def replay_of(capture: Capture, title: str, donate: Any, switches: dict[str, Any], compiler: Any = None) -> Replay:
    """Return what replays a recording: rewritten, planned and written.

    Args:
        capture: The recording.
        title: The name of the function.
        donate: What may be overwritten, as ``compile`` takes it.
        switches: Steps of the compiler that are on or off.
        compiler: What builds C; None for NumPy.
    """
    made = _Planned(capture, title, donate, switches, compiler)
    return Replay(made.run, made.source, made.kernel, made.plan, made.constants, made.held)


class Written:
    """A recording as operations of NumPy, and their text.

    Args:
        capture: The recording.
        title: The name of the function.
        rules: What ``rules.tables`` takes.
        plan: Where to note what was done.

    Attributes:
        source: The text.
        held: What it takes by name, beside what is read live.
    """

    def __init__(self, capture: Capture, title: str, rules: Any, plan: Plan) -> None:
        """Rewrite, lower and write it."""
        self.capture = capture
        self.plan = plan
        stable, exact = tables(rules)
        self.translation = Translation(capture, stable)
        self._lower(exact)
        self.source, self.held = write_source(title, self)
        plan.generators = [name for name, x in self.held.items() if isinstance(x, np.random.Generator)]

    def of(self, value: Any, leaf: Any = None) -> Term:
        """Return the lowered term of a node or a raw value that is a result, in the dtype of the leaf that takes it."""
        key = id(value), id(leaf)
        return self._results[key if key in self._results else (id(value), 0)]

    # --------------------------------------------------------------------------------------------------------- terms

    def _lower(self, rules: Any) -> None:
        """Turn the recorded rows into operations of NumPy."""
        capture, plan, translation = self.capture, self.plan, self.translation
        rows = {(id(value), 0): translation.of(value) for value in capture.results()}
        rows |= {(id(value), id(leaf)): translation.of(value, leaf) for leaf, value in capture.writes}
        draws = [translation.of(node) for node in capture.draws]
        guards = [translation.of(node) for node, _ in capture.guards]
        roots = [*draws, *guards, *rows.values()]
        given = [*translation.arguments, *(term for _reader, term, _leaf in translation.live)]
        plain, self.program = Program(), Program(rules)
        lower(plain, roots, {id(t): plain.input(t.shape, t.dtype, t.name) for t in given})
        known = {id(t): self.program.input(t.shape, t.dtype, t.name) for t in given}
        self.inputs = [known[id(t)] for t in given]
        lower(self.program, roots, known)
        self._results = {key: known[id(term)] for key, term in rows.items()}
        self.draws = [known[id(t)] for t in draws]
        self.guards = [(known[id(t)], holds) for t, (_, holds) in zip(guards, capture.guards, strict=True)]
        self.results = list({id(t): t for t in self._results.values()}.values())
        self.wanted = [*self.draws, *(t for t, _ in self.guards), *self.results]
        plan.recorded = translation.recorded
        plan.lowered = len(plain.made)
        plan.rewritten = sum(t.op is not None for t in ordered(self.wanted))
        plan.rules = translation.program.fired + self.program.fired
        plan.rules["dead code"] = _not_needed(translation.program, roots) + _not_needed(self.program, self.wanted)
        plan.live = [term.name for _reader, term, leaf in translation.live if leaf is not None]


class _Planned(Written):
    """A recording while it is planned."""

    run: Callable[[Any, Any], Any]

    def __init__(self, capture: Capture, title: str, donate: Any, switches: dict[str, Any], compiler: Any) -> None:
        self.compiler = compiler
        super().__init__(capture, title, switches.get("rules", True), Plan("numpy" if compiler is None else "c"))
        self._write(donate, switches)

    def _write(self, donate: Any, switches: dict[str, Any]) -> None:
        """Plan and write the kernel, and the function around it."""
        wanted: list[Any] = list(self.wanted)
        for title, change in PASSES:
            if switches.get(title, True) and self.compiler is None:
                wanted = change(self.program, wanted)
        n, m = len(self.draws), len(self.draws) + len(self.guards)
        results = wanted[m:]
        overwritten = donated(wanted, self._candidates(donate, results), wanted[n:m])
        holds = [(t, held) for t, (_, held) in zip(wanted[n:m], self.guards, strict=True)]
        kernel: Any
        if self.compiler is not None:
            from .c import CKernel  # only where it is asked for

            kernel = CKernel(self.inputs, results, holds, overwritten, draws=wanted[:n], compiler=self.compiler)
            steps = kernel.steps
        else:
            steps = schedule(wanted, overwritten, fuse=switches.get("blocks", True))
            kernel = Kernel(self.inputs, steps, results, holds, overwritten)
        self.kernel = kernel.text
        self.constants = kernel.constants
        plan = self.plan
        plan.count(steps)
        plan.nbytes = kernel.nbytes
        plan.freeze(ordered(wanted), kernel.names)
        plan.donated = [x.name or kernel.names[x] for x in overwritten.values()]
        places = {id(t): i for i, t in enumerate(self.results)}
        given = {id(x): i for i, x in enumerate(self.inputs)}
        taken = {i: given[id(overwritten[id(t)])] for i, t in enumerate(results) if id(t) in overwritten}
        live = [(reader, leaf) for reader, _term, leaf in self.translation.live]

        def place(*value: Any) -> int:
            return places[id(self.of(*value))]

        self.run = runner(self.capture, live, kernel.maker(), place, taken, kernel.is_quiet)

    def _candidates(self, donate: Any, results: Sequence[Term]) -> list[tuple[Term, Term]]:
        """Return the results that may take the memory of an input, each with that input."""
        capture, arguments = self.capture, self.capture.arguments
        places = {id(t): i for i, t in enumerate(self.results)}
        n = len(arguments.traced)
        inputs = {id(a.node): x for a, x in zip(arguments.traced, self.inputs[:n], strict=True)}
        readers = [node for _reader, node in capture.readers]
        for (_reader, _term, leaf), x, i in zip(self.translation.live, self.inputs[n:], range(10**9), strict=False):
            inputs[id(leaf if leaf is not None else readers[i])] = x
        mine = arguments.donated(donate)
        own = {id(a.node) for a in mine}

        def result(*value: Any) -> Term:
            return results[places[id(self.of(*value))]]

        written = [(v, leaf) for leaf, v in capture.writes if id(leaf) in (inputs if donate is True else own)]
        found = [(result(v, leaf), inputs[id(leaf)]) for v, leaf in written]
        found += [(result(v), inputs[id(node)]) for _writer, v, node in capture.cells]
        outputs = [result(v) for v in capture.outputs if type(v) is not Fixed]
        given = [inputs[id(a.node)] for a in mine]
        found += [(t, x) for t in outputs for x in given if any(y is x for y in t.inputs)]
        return found + [(t, x) for t in outputs for x in given]


def _not_needed(program: Program, roots: Sequence[Any]) -> int:
    """Return how many operations of a program no root needs."""
    needed = {id(term) for term in ordered(roots)}
    return sum(id(term) not in needed for term in program.made)
