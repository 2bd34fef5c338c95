"""What ``tg.compile`` returns: a function that is recorded once for each kind of call, and then replayed."""

import threading
from collections.abc import Callable
from functools import update_wrapper
from typing import Any

from tinygrad_mlp.errors import TinygradError
from tinygrad_mlp.graph import GRADIENTS, NODES, mode
from tinygrad_mlp.nest import Nest
from tinygrad_mlp.transforms import is_enclosed

from .arguments import MISS
from .capture import Capture
from .replay import Replay


class Compiled:
    """A function recorded once for each kind of call, and replayed as straight NumPy.

    Attributes:
        source: The rewritten program of the latest recording as NumPy code.
        kernel: What runs.
        plan: What was done to get there.
    """

    def __init__(self, f: Callable[..., Any], backend: str, donate: Any, options: Any = None) -> None:
        """Take the function and how to compile it; ``compile`` checks both."""
        update_wrapper(self, f)
        self._f = f
        self._backend = backend
        self._donate = donate
        self._options = options
        self._replays: list[Replay] = []
        self._lock = threading.Lock()

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Return what the function returns, as plain numbers and arrays."""
        for replay in self._replays:
            if mode() != GRADIENTS and is_enclosed():
                break
            y = replay.run(args, kwargs)
            if y is not MISS:
                return y
        return self._record(args, kwargs)

    def _record(self, args: Any, kwargs: Any) -> Any:
        """Record a call of a new kind, and replay it."""
        if is_enclosed():  # what encloses records the ops of the function
            return self._f(*args, **kwargs)
        capture = Capture(self._f, args, kwargs)
        replay = Replay(capture, self._backend, self._donate, self._options)
        with self._lock:
            self._replays = [replay, *self._replays]
        y = replay.run(args, kwargs)
        return plain(self._f(*args, **kwargs)) if y is MISS else y

    @property
    def _latest(self) -> Replay:
        if not self._replays:
            raise TinygradError(
                f"{getattr(self, '__name__', 'the function')} was not called yet: a call records the program"
            )
        return self._replays[0]

    @property
    def source(self) -> str:
        """The rewritten program of the latest recording, as NumPy code."""
        return self._latest.source

    @property
    def kernel(self) -> str:
        """The code that runs."""
        return self._latest.kernel

    @property
    def plan(self) -> Any:
        """What was done to get from what was recorded to what runs."""
        return self._latest.plan

    def __repr__(self) -> str:
        return f"<compiled {getattr(self._f, '__name__', self._f)!s}, recorded {len(self._replays)} times>"


def plain(result: Any) -> Any:
    """Return the result of a function with numbers and arrays in place of nodes."""
    nest = Nest(result)
    return nest.rebuild([x.numpy() if type(x) in NODES and x.shape else x for x in nest.leaves])
