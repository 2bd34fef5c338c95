"""Replay of a recording that is Python numbers throughout: no arrays, and no gradient recorded node by node."""

from typing import Any

from tinygrad_mlp.graph import NODES, wrap

from .capture import Capture
from .plan import Plan
from .replay import Replay
from .runner import runner
from .scalar import ScalarProgram


def scalar_replay_of(capture: Capture, interpreter: str) -> Replay | None:
    """Return what replays a recording of numbers; None if it is not of numbers alone.

    Args:
        capture: The recording.
        interpreter: What runs large narrow graphs: "numba" or "c".

    Raises:
        UnsupportedError: A row in it is not for floats.
    """
    lasting = capture.lasting_leaves()
    if lasting is None:
        return None
    given = [*(a.node for a in capture.arguments.traced), *(node for _reader, node in capture.readers)]
    known = set(map(id, given))
    leaves = [x for x in lasting if id(x) not in known]
    results = list({id(x): x for x in capture.results()}.values())
    fixed = [(i, x) for i, x in enumerate(results) if type(x) is bool]
    outputs = [*results, *(node for node, _ in capture.guards)]
    outputs = [x if type(x) in NODES else wrap(float(x)) for x in outputs]
    program = ScalarProgram([*given, *leaves], outputs, interpreter=interpreter)
    plan = Plan(f"scalars, {program.engine}")
    plan.details = program.plan
    plan.live = [x.name or "leaf" for x in leaves]
    holds = [held for _node, held in capture.guards]
    n = len(results)

    def kernel(*values: Any) -> list[Any] | None:
        found = program(values)
        for i, x in fixed:
            found[i] = x
        return None if found[n:] != holds else found

    places = {id(x): i for i, x in enumerate(results)}
    live = [(reader, None) for reader, _node in capture.readers] + [(None, x) for x in leaves]
    run = runner(capture, live, lambda: kernel, lambda value, _leaf=None: places[id(value)], {})
    return Replay(run, program.source, program.source, plan, {})
