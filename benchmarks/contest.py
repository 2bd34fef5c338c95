"""Contests: engines that do the same work, shown to give the same results, and then timed in turn."""

import signal
from collections.abc import Callable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

import tinygrad_mlp as tg
from benchmarks.timing import interleaved

OURS, COMPILED, DONATED = "tinygrad_mlp eager", "compiled", "compiled, donated"
COMPILED_C, DONATED_C = "compiled to C", "compiled to C, donated"
NUMPY = "NumPy"
PATIENCE = 60  # seconds that an engine may take until it has given its first results


class Absent(Exception):
    """The reason why an engine does not take part."""


@dataclass
class Entry:
    """What an engine brings: a step that is timed, and the arrays that its steps change, which must be right, too."""

    step: Callable[[], Any]
    state: Callable[[], Sequence[Any]] = lambda: ()


def compiled(f, **options):
    """Return ``tg.compile(f, **options)``; raises ``Absent`` where the library has no compiler."""
    if not hasattr(tg, "compile"):
        raise Absent("this tinygrad_mlp has no tg.compile")
    return tg.compile(f, **options)


@contextmanager
def patience(seconds=PATIENCE):
    """Raise ``Absent`` inside the block when it takes longer, where the system has such a clock."""

    def stop(*_):
        raise Absent(f"no result within {seconds:g} s")

    if not hasattr(signal, "setitimer"):
        yield
        return
    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def arrays(result):
    """Return the numbers and arrays of a nest of lists and tuples, as arrays of NumPy."""
    if isinstance(result, list | tuple):
        return [array for part in result for array in arrays(part)]
    return [np.asarray(result.detach() if hasattr(result, "detach") else result)]


def check(name, mine, theirs, tolerance, allowance=0.0):
    """Raise ``AssertionError`` where an engine's arrays are not the unit's."""
    assert [a.shape for a in mine] == [a.shape for a in theirs], f"{name}: other shapes than the unit's"
    for a, b in zip(mine, theirs, strict=True):
        distance, norm = np.linalg.norm(a.astype(float) - b), np.linalg.norm(b.astype(float))
        allowed = tolerance * norm + allowance
        assert distance <= allowed, f"{name}: {distance:.1e} from the unit's result of norm {norm:.1e}"


def reason(error):
    """Return in one line why an engine does not take part."""
    lines = str(error).strip().splitlines() or [""]
    words = lines[0] if len(lines[0]) < 160 else lines[0][:157] + "…"
    return f"left out: {words}" if isinstance(error, Absent) else f"left out: {type(error).__name__}: {words}"


def trial(entry, steps):
    """Return what some steps give, what they change, and the rounding that the changed arrays have on their own."""
    before = [array.copy() for array in arrays(list(entry.state()))]
    results = [array.copy() for _ in range(steps) for array in arrays(entry.step())]
    changes = [new - old for new, old in zip(arrays(list(entry.state())), before, strict=True)]
    rounding = [8 * steps * np.finfo(old.dtype).eps * np.linalg.norm(old) for old in before]
    return results, changes, max(rounding, default=0.0)


def enter(makers: Mapping[str, Callable[[], Entry]], unit: str, tolerance: float, steps: int = 3):
    """Return the entries by name, after a few steps that gave all the same results, and the reasons of those left out.

    Args:
        makers: Makes the entry of an engine.
        unit: The engine that the others must agree with.
        tolerance: How far apart results may be, relative to their norm; changes of the state, which are small beside
            the state, may be 100 times as far apart.
        steps: Steps until the results are compared; every result counts.

    Raises:
        AssertionError: Results differ.
    """
    entries, trials, missing = {}, {}, {}
    for name, make in makers.items():
        try:
            with patience():
                entry = make()
                trials[name] = trial(entry, steps)
            entries[name] = entry
        except AssertionError:
            raise
        except Exception as error:  # noqa: BLE001  # an engine that cannot run says why; the table goes on
            missing[name] = reason(error)
    results, changes, rounding = trials[unit]
    for name, (own, changed, _) in trials.items():
        check(name, own, results, tolerance)
        check(f"{name}, state", changed, changes, 100 * tolerance, rounding)
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
