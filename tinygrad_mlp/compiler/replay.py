"""Replay: one recording as a function of the same arguments that computes by plain NumPy."""

from collections.abc import Sequence
from typing import Any

from tinygrad_mlp.rewrite import Program, Term, lower, ordered
from tinygrad_mlp.rewrite.rules import EXACT

from .capture import Capture
from .donation import donated
from .kernel import Kernel
from .layout import batch_last
from .plan import Plan
from .products import products_summed
from .runner import runner
from .schedule import schedule
from .source import write_source

PASSES = (("products", products_summed), ("layout", batch_last))
SWITCHES = frozenset(("rules", "blocks", *(title for title, _ in PASSES)))


class Replay:
    """One recording, and what replays it.

    Attributes:
        source, kernel, plan: As of ``Compiled``.
        run: ``run(args, kwargs)`` gives the result, or ``MISS`` if the recording does not hold for the call.
    """

    def __init__(self, capture: Capture, title: str, donate: Any, switches: dict[str, bool]) -> None:
        """Rewrite, plan and write the program of a recording.

        Args:
            capture: The recording.
            title: The name of the function.
            donate: What may be overwritten, as ``compile`` takes it.
            switches: Steps of the compiler that are on or off.
        """
        self.capture = capture
        self.plan = Plan()
        self._lower(EXACT if switches.get("rules", True) else {})
        self.source = write_source(title, capture, self.inputs, self.of, self.wanted)
        self._write(donate, switches)

    def of(self, term: Any) -> Any:
        """Return the lowered term of a recorded one."""
        return None if term is None else self._known[id(term)]

    # --------------------------------------------------------------------------------------------------------- terms

    def _lower(self, rules: Any) -> None:
        """Turn the recorded rows into operations of NumPy."""
        capture, plan = self.capture, self.plan
        given = [*capture.inputs, *(term for _reader, term, _leaf in capture.live)]
        changed = [t for _, t, *_ in (*capture.writes, *capture.grads, *capture.cells) if t is not None]
        outputs = [t for t in capture.outputs if type(t) is Term]
        roots = [*capture.draws, *(t for t, _ in capture.guards), *outputs, *changed]
        self._known = {}
        program = Program(rules)
        self._known = {id(t): program.input(t.shape, t.dtype, t.name) for t in given}
        self.inputs = [self._known[id(t)] for t in given]
        plain = Program()
        lower(plain, roots, {id(t): plain.input(t.shape, t.dtype, t.name) for t in given})
        lower(program, roots, self._known)
        self.program = program
        self.draws = [self.of(t) for t in capture.draws]
        self.guards = [(self.of(t), holds) for t, holds in capture.guards]
        self.results = list({id(t): t for t in (self.of(t) for t in (*outputs, *changed))}.values())
        self.wanted = [*self.draws, *(t for t, _ in self.guards), *self.results]
        plan.recorded = sum(t.op is not None for t in ordered(roots))
        plan.lowered = len(plain.made)
        plan.rules = capture.program.fired + program.fired
        plan.live = [term.name for _reader, term, leaf in capture.live if leaf is not None]

    # -------------------------------------------------------------------------------------------------------- kernel

    def _write(self, donate: Any, switches: dict[str, bool]) -> None:
        """Plan and write the kernel, and the function around it."""
        wanted: list[Any] = list(self.wanted)
        for title, change in PASSES:
            if switches.get(title, True):
                wanted = change(self.program, wanted)
        n, m = len(self.draws), len(self.draws) + len(self.guards)
        results = wanted[m:]
        overwritten = donated(wanted, self._candidates(donate, results))
        last = [t for t in results if id(t) in overwritten]
        steps = schedule(wanted, last, fuse=switches.get("blocks", True))
        holds = [(t, held) for t, (_, held) in zip(wanted[n:m], self.guards, strict=True)]
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
        self.run = runner(self.capture, kernel.maker(), lambda t: places[id(self.of(t))], taken)

    def _candidates(self, donate: Any, results: Sequence[Term]) -> list[tuple[Term, Term]]:
        """Return the results that may take the memory of an input, each with that input."""
        capture = self.capture
        places = {id(t): i for i, t in enumerate(self.results)}
        found = []
        leaves = {id(a.node): x for a, x in zip(capture.arguments.traced, self.inputs, strict=False)}
        leaves |= {id(leaf): self.of(term) for _reader, term, leaf in capture.live if leaf is not None}
        for leaf, term in capture.writes:
            if donate is True or id(leaf) in {id(a.node) for a in capture.arguments.donated(donate)}:
                found.append((results[places[id(self.of(term))]], leaves[id(leaf)]))
        found += [(results[places[id(self.of(term))]], self.of(x)) for _writer, term, x in capture.cells]
        given = [leaves[id(a.node)] for a in capture.arguments.donated(donate)]
        outputs = [results[places[id(self.of(t))]] for t in capture.outputs if type(t) is Term]
        found += [(t, x) for t in outputs for x in given if any(y is x for y in t.inputs)]
        return found + [(t, x) for t in outputs for x in given]
