"""What ``tg.compile`` returns: a function that is recorded once for each kind of call, and then replayed."""

import gc
import sys
import threading
import warnings
from collections.abc import Callable
from contextlib import suppress
from functools import update_wrapper
from types import MethodType
from typing import Any

import numpy as np

from tinygrad_mlp.errors import MissingDependencyError, TinygradError, TracingError, UnsupportedError
from tinygrad_mlp.graph import GRADIENTS, NODES, mode
from tinygrad_mlp.nest import Nest
from tinygrad_mlp.rewrite.rules import check_titles
from tinygrad_mlp.transforms import depth, is_enclosed

from .arguments import MISS
from .capture import Capture, parameters
from .repeats import LIMIT, Repeats
from .replay import Replay, replay_of
from .scalars import scalar_replay_of
from .signature import Signature

KEPT = 256  # recordings; each call of a new kind, such as with another integer, makes one


class Compiled:
    """A function recorded once for each kind of call, and replayed as straight NumPy.

    Attributes:
        source: The rewritten program of the latest recording as NumPy code.
        constants: What that takes by name beside what it reads live.
        kernel: What runs.
        plan: What was done to get there.
    """

    def __init__(self, f: Callable[..., Any], backend: str, donate: Any, switches: dict[str, Any]) -> None:
        """Take the function and how to compile it; ``compile`` checks both."""
        update_wrapper(self, f, updated=())  # other attributes are looked up when they are asked for
        self._f = f
        self._backend = backend
        self._compiler = _c_compiler() if backend == "c" else None
        self._donate = donate
        self._switches = {**switches, "rules": check_titles(switches.get("rules", True))}
        self._replays: list[Replay] = []
        self._last: Replay | None = None
        self._is_bound = False  # whether a recording is bound to the leaves that it was given
        self._digests: set[bytes] = set()  # of the recordings with leaves after the first
        self._repeats = Repeats()
        self._lock = threading.Lock()

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Return what the function returns, as plain numbers and arrays."""
        for replay in self._replays:
            if (mode() != GRADIENTS or depth()) and is_enclosed():
                break
            y = replay.run(args, kwargs)
            if y is not MISS:
                return y
        return self._record(args, kwargs)

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        """Return it bound to an instance, as a method is."""
        return self if instance is None else MethodType(self, instance)

    def __getattr__(self, name: str) -> Any:
        """Return an attribute of what was compiled, such as the ``parameters`` of a module."""
        if name == "_f" or (name.startswith("__") and name.endswith("__")):
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        return getattr(self._f, name)

    def __reduce__(self) -> Any:
        name = getattr(self._f, "__name__", "")
        if getattr(sys.modules.get(getattr(self._f, "__module__", "")), name, None) is self:
            return name  # it decorates a function of a module, where it is found again
        return Compiled, (self._f, self._backend, self._donate, self._switches)

    def _record(self, args: Any, kwargs: Any) -> Any:
        """Record a call of a new kind, and replay it."""
        if is_enclosed():  # what encloses records the ops of the function
            return self._f(*args, **kwargs)
        collecting = gc.isenabled()
        gc.disable()  # of the very many nodes of a scalar graph none is garbage yet, and to look costs half of the time
        try:
            replay, is_general = self._replay_of(args, kwargs)
        finally:
            if collecting:
                gc.enable()
        self._last = replay
        with self._lock:  # those that are bound to leaves come first
            kept = self._replays[: KEPT - 1]
            self._replays = [*kept, replay] if is_general else [replay, *kept]
        self._warn_of_integers(args, kwargs)
        y = replay.run(args, kwargs)
        return plain(self._f(*args, **kwargs)) if y is MISS else y

    def _warn_of_integers(self, args: Any, kwargs: Any) -> None:
        titles = parameters(self._f)
        titles = (*titles, *(f"argument{i}" for i in range(len(titles), len(args))))
        found = self._repeats.note([*zip(titles, args, strict=False), *kwargs.items()])
        if found:
            warnings.warn(
                f"{getattr(self, '__name__', 'the function')} was recorded anew for each of {LIMIT} integers: {found}. "
                "An integer is part of the program: pass it as a float, which is an input",
                RuntimeWarning,
                stacklevel=4,
            )

    def _replay_of(self, args: Any, kwargs: Any) -> tuple[Replay, bool]:
        """Record a call, and return what replays it, and whether that takes other leaves than it was recorded with."""
        capture = Capture(self._f, args, kwargs)
        if self._switches.get("twice"):
            self._record_again(capture, args, kwargs)
        if not self._replays:
            capture.arguments.check_donated(self._donate)
        self._bind(capture)
        return self._planned(capture), capture.own is not None

    def _bind(self, capture: Capture) -> None:
        """Tell a recording whether it holds for other leaves: from the third on, if it does the same as with others."""
        if not any(a.is_leaf for a in capture.arguments.traced):
            return
        if self._is_bound:
            signature = Signature(capture)
            looked = any(a.node in capture.trace.looked for a in capture.arguments.traced)
            if signature.digest in self._digests and not looked:
                capture.own = tuple(signature.own.values())
            self._digests.add(signature.digest)
        self._is_bound = True

    def _planned(self, capture: Capture) -> Replay:
        """Return what replays a recording."""
        replay = None
        title = getattr(self._f, "__name__", "program")
        with suppress(UnsupportedError):  # a row that is not for floats
            replay = scalar_replay_of(
                capture, "numba" if self._compiler is None else "c", title, self._switches["rules"]
            )
        return replay or replay_of(capture, title, self._donate, self._switches, self._compiler)

    def _record_again(self, capture: Capture, args: Any, kwargs: Any) -> None:
        """Raise if another recording of the same call gives another program."""
        again = Capture(self._f, args, kwargs)
        if Signature(capture).digest != Signature(again).digest:
            raise TracingError(
                "the function gives another program when it is recorded again: it draws random numbers of its own, "
                "counts its calls, or depends on something else that changes"
            )

    @property
    def _latest(self) -> Replay:
        if self._last is None:
            raise TinygradError(
                f"{getattr(self, '__name__', 'the function')} was not called yet: a call records the program"
            )
        return self._last

    @property
    def source(self) -> str:
        """The rewritten program of the latest recording, as NumPy code."""
        return self._latest.source

    @property
    def constants(self) -> dict[str, Any]:
        """What the source takes by name beside what it reads live: frozen arrays, rows as functions, generators."""
        return dict(self._latest.held)

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


def _c_compiler() -> Any:
    """Return the C compiler of the machine; None, with a warning, if it has none that can be used."""
    from .c import compiler

    try:
        return compiler()
    except MissingDependencyError as error:
        warnings.warn(f"{error}; NumPy is used instead", RuntimeWarning, stacklevel=4)
        return None


def plain(result: Any) -> Any:
    """Return the result of a function with numbers and arrays in place of nodes."""
    nest = Nest(result)
    values = [x._payload if type(x) in NODES else x for x in nest.leaves]
    return nest.rebuild([x.copy() if isinstance(x, np.ndarray) else x for x in values])
