"""Times functions in turn, so that a machine whose speed drifts slows all alike, and gives ratios of medians.

The order is another each round: what the caches still hold is then no function's privilege.
"""

import time
from collections.abc import Callable, Mapping
from random import Random
from statistics import median


def interleaved(functions: Mapping[str, Callable[[], object]], *, repeats: int, rounds: int = 60) -> dict[str, float]:
    """Return the median time of one call of each function, in seconds.

    Args:
        functions: What to time, by name.
        repeats: Calls in a row that are timed together.
        rounds: How often each function gets its turn.
    """
    times: dict[str, list[float]] = {name: [] for name in functions}
    for function in functions.values():
        for _ in range(repeats):
            function()
    turns, order = list(functions.items()), Random(0)
    for _ in range(rounds):
        order.shuffle(turns)
        for name, function in turns:
            start = time.perf_counter()
            for _ in range(repeats):
                function()
            times[name].append((time.perf_counter() - start) / repeats)
    return {name: median(taken) for name, taken in times.items()}
