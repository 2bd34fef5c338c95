"""Contests: engines that do the same work, shown to give the same results, and then timed in turn."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

import tinygrad_mlp as tg
from benchmarks.timing import interleaved

OURS, COMPILED, DONATED = "tinygrad_mlp eager", "compiled", "compiled, donated"
COMPILED_C, DONATED_C = "compiled to C", "compiled to C, donated"
NUMPY = "NumPy"


class Absent(Exception):
    """The reason why an engine does not take part."""


@dataclass
class Entry:
    """What an engine brings: a step that is timed, and arrays beyond the step's result that must be right, too."""

    step: Callable[[], Any]
    state: Callable[[], Sequence[Any]] = lambda: ()


def compiled(f, **options):
    """Return ``tg.compile(f, **options)``; raises ``Absent`` where the library has no compiler."""
    if not hasattr(tg, "compile"):
        raise Absent("this tinygrad_mlp has no tg.compile")
    return tg.compile(f, **options)


def arrays(result):
    """Return the numbers and arrays of a nest of lists and tuples, as arrays of NumPy."""
    if isinstance(result, list | tuple):
        return [array for part in result for array in arrays(part)]
    return [np.asarray(result.detach() if hasattr(result, "detach") else result)]


def apart(mine, theirs):
    """Return how far one engine's arrays are from another's, as the largest ratio of norms."""
    assert [a.shape for a in mine] == [a.shape for a in theirs], [(a.shape, b.shape) for a, b in zip(mine, theirs)]
    tiny = np.finfo(float).tiny
    pairs = [(a.astype(float), b.astype(float)) for a, b in zip(mine, theirs, strict=True)]
    return max(float(np.linalg.norm(a - b) / max(np.linalg.norm(b), tiny)) for a, b in pairs)


def reason(error):
    """Return in one line why an engine does not take part."""
    lines = str(error).strip().splitlines() or [""]
    words = lines[0] if len(lines[0]) < 160 else lines[0][:157] + "…"
    return f"left out: {words}" if isinstance(error, Absent) else f"left out: {type(error).__name__}: {words}"


def enter(makers: Mapping[str, Callable[[], Entry]], unit: str, tolerance: float, steps: int = 3):
    """Return the entries by name, after a few steps that gave all the same results, and the reasons of those left out.

    Args:
        makers: Makes the entry of an engine.
        unit: The engine that the others must agree with.
        tolerance: How far apart results may be, relative to their norm.
        steps: Steps until the results are compared; every result counts.

    Raises:
        AssertionError: Results differ.
    """
    entries, found, missing = {}, {}, {}
    for name, make in makers.items():
        try:
            entry = make()
            results = [[array.copy() for array in arrays(entry.step())] for _ in range(steps)]
            found[name] = [array for result in results for array in result] + arrays(list(entry.state()))
            entries[name] = entry
        except AssertionError:
            raise
        except Exception as error:  # noqa: BLE001  # an engine that cannot run says why; the table goes on
            missing[name] = reason(error)
    for name, results in found.items():
        distance = apart(results, found[unit])
        assert distance <= tolerance, f"{name} differs from {unit} by {distance:.1e}, more than {tolerance:.0e}"
    return entries, missing


def contest(title, makers, *, unit=NUMPY, alone=None, tolerance, repeats, rounds=40):
    """Return the rows of the table: the median time of a step of each engine, and its ratio to the unit's.

    Args:
        title: What is done.
        makers: Makes the entry of an engine.
        unit: The engine that the others must agree with, and whose time is 1.
        alone: Functions that are timed in the same run, but do only a part of the work.
        tolerance: How far apart results may be, relative to their norm.
        repeats: Calls in a row that are timed together.
        rounds: How often each engine gets its turn.
    """
    entries, missing = enter(makers, unit, tolerance)
    steps = {name: entry.step for name, entry in entries.items()} | (alone or {})
    times = interleaved(steps, repeats=repeats, rounds=rounds)
    return [
        (title, name, "", missing[name])
        if name in missing
        else (title, name, f"{times[name] * 1e6:,.0f} µs", f"{times[name] / times[unit]:.2f} × {unit}")
        for name in (*makers, *(alone or {}))
    ]
