"""Replay of a recording that is Python numbers throughout: no arrays, and no gradient recorded node by node."""

from typing import Any

from tinygrad_mlp.backward import expand
from tinygrad_mlp.errors import TinygradError
from tinygrad_mlp.graph import NODES, wrap

from .capture import Capture
from .plan import Plan
from .replay import Replay, Written
from .runner import runner
from .scalar import ScalarProgram

ROWS = 300  # a larger graph is too long to read: its source is what runs


def scalar_replay_of(capture: Capture, interpreter: str, title: str, rules: Any) -> Replay | None:
    """Return what replays a recording of numbers; None if it is not of numbers alone.

    Args:
        capture: The recording.
        interpreter: What runs large narrow graphs: "numba" or "c".
        title: The name of the function.
        rules: The rules by which its source is rewritten, as ``rules.tables`` takes them.

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
    source, held = _written(capture, title, rules) or (program.source, {})
    return Replay(run, source, program.source, plan, {}, held)


def _written(capture: Capture, title: str, rules: Any) -> tuple[str, dict[str, Any]] | None:
    """Return the source of a graph, and what it takes by name; None if the graph is large, or has a row for none."""
    if _is_large(capture):
        return None
    expand(capture.roots())  # derivatives, which are one node each until then
    if _is_large(capture):
        return None
    try:
        made = Written(capture, title, rules, Plan())
    except TinygradError:
        return None
    return made.source, made.held


def _is_large(capture: Capture) -> bool:
    """Return whether a graph has more than ``ROWS`` operations."""
    seen: set[Any] = set()
    stack = capture.roots()
    while stack and len(seen) <= ROWS:
        node = stack.pop()
        if node not in seen and node.op is not None:
            seen.add(node)
            stack += [x for x in node.inputs if type(x) in NODES]
    return len(seen) > ROWS
