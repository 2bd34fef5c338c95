"""Replay of a recording that is Python numbers throughout: no arrays, and no gradient recorded node by node."""

from collections.abc import Callable
from typing import Any

from tinygrad_mlp.graph import NODES, wrap

from .capture import Capture
from .plan import Plan
from .runner import runner
from .scalar import ScalarProgram


class ScalarReplay:
    """One recording of numbers, and what replays it.

    Attributes:
        source, kernel, plan: As of ``Compiled``.
        run: ``run(args, kwargs)`` gives the result, or ``MISS`` if the recording does not hold for the call.
    """

    run: Callable[[Any, Any], Any]

    def __init__(self, capture: Capture) -> None:
        """Plan the graph of a recording."""
        given = [*(a.node for a in capture.arguments.traced), *(node for _reader, node in capture.readers)]
        known = set(map(id, given))
        start = capture.trace.start
        leaves = [x for x in capture.walk() if x.op is None and x.tick < start and id(x) not in known]
        results = list({id(x): x for x in capture.results()}.values())
        outputs = [x if type(x) in NODES else wrap(x) for x in (*results, *(node for node, _ in capture.guards))]
        self.program = program = ScalarProgram([*given, *leaves], outputs)
        self.source = self.kernel = program.source
        self.plan = Plan(f"scalars, {program.engine}")
        self.plan.details = program.plan
        self.plan.live = [x.name or "leaf" for x in leaves]
        holds = [held for _node, held in capture.guards]
        n = len(results)

        def kernel(*values: Any) -> list[Any] | None:
            found = program(values)
            return None if found[n:] != holds else found

        places = {id(x): i for i, x in enumerate(results)}
        live = [(reader, None) for reader, _node in capture.readers] + [(None, x) for x in leaves]
        self.run = runner(capture, live, lambda: kernel, lambda value, _leaf=None: places[id(value)], {})
