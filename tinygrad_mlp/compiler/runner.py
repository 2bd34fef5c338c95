"""The runner: the function that checks a call, runs the kernel, and gives the result in the user's nest."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from tinygrad_mlp.errors import TracingError, UnsupportedError
from tinygrad_mlp.graph import tick

from .capture import Capture, Fixed


def runner(
    capture: Capture,
    live: Sequence[tuple[Any, Any]],
    make: Callable[[], Any],
    place: Callable[..., int],
    taken: dict[int, int],
    is_quiet: bool = False,
) -> Callable[[Any, Any], Any]:
    """Return ``run(args, kwargs)``, which gives the result of a call, or ``MISS`` if the recording is of another kind.

    Args:
        capture: The recording.
        live: What the kernel takes beside the arguments: readers, or None with a leaf.
        make: Makes a kernel, with buffers of its own: a call takes one that is free, so that threads never share one.
        place: Where among the kernel's results that of a node, or of a raw value, is.
        taken: For results in place, by their place, the input that they overwrite.
        is_quiet: Whether the kernel never warns.
    """
    return _Runner(capture, live, make, place, taken, is_quiet).function


class _Runner:
    def __init__(
        self, capture: Capture, live: Any, make: Any, place: Any, taken: dict[int, int], is_quiet: bool
    ) -> None:
        self.capture = capture
        self.live = live
        self.place = place
        self.taken = taken
        self.scope: dict[str, Any] = {**capture.arguments.constants, "tick": tick, "free": [make()], "make": make}
        self.leaves = {id(a.node): f"leaf{i}" for i, a in enumerate(capture.arguments.traced) if a.is_leaf}
        self.lines = list(capture.arguments.checks)
        given = self._read()
        self._check_donated(given)
        before, again = self._states()
        call = f"r = kernel({', '.join(given)})"
        self.lines += [
            *before,
            "kernel = free.pop() if free else make()",
            *([call] if is_quiet else quietly(call, self.scope)),
            "free.append(kernel)",
            f"if r is None: {again}return MISS",
        ]
        self._change()
        self.lines.append(f"return {self._returned()}")
        text = "def run(args, kwargs):\n" + "\n".join(f"    {line}" for line in self.lines)
        exec(compile(text, "<replay>", "exec"), self.scope)
        self.function: Callable[[Any, Any], Any] = self.scope["run"]

    def _named(self, wish: str, value: Any) -> str:
        name = f"{wish}_{len(self.scope)}"
        self.scope[name] = value
        return name

    def _read(self) -> list[str]:
        """Write the lines that check what the recording depends on; return what the kernel is called with."""
        trace = self.capture.trace
        self.lines += self._bound()
        for module, training in trace.watched:
            self.lines.append(f"if {self._named('module', module)}._training is not {training}: return MISS")
        for condition in trace.conditions:
            self.lines.append(f"if not {self._named('holds', condition)}(): return MISS")
        given = [f"x{i}" for i in range(len(self.capture.arguments.traced))]
        for reader, leaf in self.live:
            if leaf is None:
                given.append(f"{self._named('read', reader)}()")
                continue
            self.leaves[id(leaf)] = name = self._named("leaf", leaf)
            self.lines.append(f"if {name}.requires_grad is not {leaf.requires_grad}: return MISS")
            given.append(f"{name}._payload")
        for leaf in trace.unset:
            name = self.leaves.get(id(leaf)) or self._named("leaf", leaf)  # the kernel may not need its number
            self.lines.append(f"if {name}._grad is not None: {self._named('refuse', refuse_gradient)}()")
        return given

    def _bound(self) -> Iterator[str]:
        """Yield the lines that tell which leaves a call may be given."""
        own = self.capture.own
        others = "" if own is None else self._named("own", frozenset(map(id, own)))
        for argument in self.capture.arguments.traced:
            if argument.is_leaf:
                name = self.leaves[id(argument.node)]
                other = f"{name} is not {self._named('given', argument.node)}"
                yield f"if {other if own is None else f'id({name}) in {others}'}: return MISS"
        self._named("kept", own)  # as long as their ids are compared

    def _states(self) -> tuple[list[str], str]:
        """Return lines that keep the states of generators, and a line that restores them: where a guard may fail."""
        trace = self.capture.trace
        generators = [rng for rng, _state in trace.states.values()] if trace.assumed else []
        names = [f"{self._named('rng', rng)}.bit_generator.state" for rng in generators]
        again = [f"{x} = state{i}; " for i, x in enumerate(names)]
        return [f"state{i} = {x}" for i, x in enumerate(names)], "".join(again)

    def _check_donated(self, given: list[str]) -> None:
        if not self.taken:
            return
        check = self._named("check", check_donated)
        own = [f"a{i}" for i in self.taken.values()]
        others = [f"a{i}" for i in range(len(given)) if i not in self.taken.values()]
        self.lines += [f"a{i} = {text}" for i, text in enumerate(given)]
        given[:] = [f"a{i}" for i in range(len(given))]
        # arrays that own their memory, and are not the same, do not overlap: told here in a third of the time
        arrays = [f"a{i}" for i in range(len(given)) if self._is_array(i)]
        easy = [f"{x}.flags.writeable" for x in own] + [f"{x}.base is None" for x in arrays]
        rest = [y for y in others if y in arrays]
        easy += [f"{x} is not {y}" for i, x in enumerate(own) for y in (*own[i + 1 :], *rest)]
        self.lines.append(f"if not ({' and '.join(easy)}):")
        self.lines.append(f"    {check}(({', '.join(own)},), ({', '.join(others)}{',' if others else ''}))")

    def _is_array(self, i: int) -> bool:
        """Return whether the kernel's argument ``i`` is an array."""
        traced = self.capture.arguments.traced
        nodes = [x.node for x in traced] + [node for _reader, node in self.capture.readers]
        node = nodes[i] if i < len(nodes) else self.live[i - len(traced)][1]
        return type(node._payload) is np.ndarray

    def _change(self) -> None:
        """Write the lines that change leaves, generators' owners and modules as the function does."""
        capture = self.capture
        overwritten = {place: self._leaf_of(i) for place, i in self.taken.items()}
        for name in filter(None, overwritten.values()):
            self.lines.append(f"{name}.tick = tick()")
        for leaf, value in capture.writes:
            name = self.leaves.get(id(leaf)) or self._named("leaf", leaf)
            if overwritten.get(self.place(value, leaf)) != name:
                self.lines.append(f"{name}._payload = {self._own(value, leaf)}; {name}.tick = tick()")
        for leaf, slope in capture.grads:
            name = self.leaves.get(id(leaf)) or self._named("leaf", leaf)
            self.lines.append(f"{name}._grad = {'None' if slope is None else self._own(slope, leaf)}")
        for writer, value, _node in capture.cells:
            place = self.place(value)
            if place in self.taken and self._leaf_of(self.taken[place]) is None:
                continue  # the array that was read was overwritten
            self.lines.append(f"{self._named('write', writer)}({self._result(value)})")
        for module, training in capture.trace.modes:
            self.lines.append(f"{self._named('module', module)}._training = {training}")
        for action in capture.trace.after:
            self.lines.append(f"{self._named('after', action)}()")

    def _leaf_of(self, i: int) -> str | None:
        """Return the name of the leaf that input ``i`` belongs to; None for an array."""
        traced = self.capture.arguments.traced
        node = traced[i].node if i < len(traced) else self.live[i - len(traced)][1]
        return self.leaves.get(id(node))

    def _own(self, value: Any, leaf: Any) -> str:
        """Return the code of a result that a leaf keeps: no other leaf, and no result, shares its memory."""
        text = self._result(value, leaf)
        if type(leaf._payload) is float:
            return text
        place = self.place(value, leaf)
        shared = sum(self.place(x) == place for x in self.capture.results()) > 1
        return f"{self._named('copy', np.array)}({text})" if shared else text

    def _result(self, value: Any, leaf: Any = None) -> str:
        return f"r[{self.place(value, leaf)}]"

    def _returned(self) -> str:
        """Return the code of the result's nest."""
        overwritten = {place: self._leaf_of(i) for place, i in self.taken.items()}
        texts, places = [], set()
        for value in self.capture.outputs:
            if type(value) is Fixed:
                texts.append(self._named("fixed", value.value))
                continue
            text = overwritten.get(self.place(value)) or self._result(value)
            again = self.place(value) in places and not overwritten.get(self.place(value))
            texts.append(f"{self._named('another', another)}({text})" if again else text)
            places.add(self.place(value))
        return write_nest(self.capture.returned, iter(texts), lambda value: self._named("nest", value))


def write_nest(nest: Any, texts: Iterator[str], named: Callable[[Any], str] | None = None) -> str:
    """Return the code of a nest with ``texts`` for its leaves.

    Args:
        nest: Lists, tuples, dicts, and objects that list their parameters.
        texts: The code of the leaves, in the order of ``nest.Nest``.
        named: Gives a name to what makes a named tuple, and to a key that is no literal; without it these are plain
            tuples, and keys as they print.
    """
    if nest is None:
        return "None"
    if not isinstance(nest, type) and hasattr(nest, "named_parameters"):
        nest = dict(nest.named_parameters())
    if isinstance(nest, dict):
        return "{" + ", ".join(f"{_key(key, named)}: {write_nest(x, texts, named)}" for key, x in nest.items()) + "}"
    if type(nest) is list:
        return "[" + ", ".join(write_nest(x, texts, named) for x in nest) + "]"
    if not isinstance(nest, tuple):
        return next(texts)
    parts = [write_nest(x, texts, named) for x in nest]
    text = f"({', '.join(parts)}{',' * (len(parts) == 1)})"
    make = getattr(type(nest), "_make", None)
    return text if make is None or named is None else f"{named(make)}({text})"


def _key(key: Any, named: Callable[[Any], str] | None) -> str:
    return repr(key) if named is None or type(key) in (str, int, bool, bytes) else named(key)


def another(x: Any) -> Any:
    """Return a result that is returned twice with memory of its own."""
    return x.copy() if type(x) is np.ndarray else x


def refuse_gradient() -> None:
    """Raise because a gradient of before would have to be added to."""
    raise TracingError(
        "a compiled function adds to .grad of a call before: call zero_grad() first, inside the function"
    )


def check_donated(own: tuple[Any, ...], others: tuple[Any, ...]) -> None:
    """Raise if an array that will be overwritten cannot be, or shares memory with another argument."""
    for x in own:
        if not x.flags.writeable:
            raise UnsupportedError("compile: a donated array is read-only: pass a copy, or do not donate it")
        if x.base is not None and _repeats(x):
            raise UnsupportedError("compile: a donated array shows an element twice: pass a copy, or do not donate it")
    for i, x in enumerate(own):
        for y in (*own[i + 1 :], *others):
            if type(y) is np.ndarray and np.may_share_memory(x, y):
                raise UnsupportedError(
                    "compile: a donated array shares memory with another argument, which would change too: pass a copy"
                )


def _repeats(x: Any) -> bool:
    """Return whether elements of an array may share memory: whether an axis steps by less than the ones inside it."""
    extent = x.itemsize
    for step, n in sorted((abs(step), n) for step, n in zip(x.strides, x.shape, strict=True) if n > 1):
        if step < extent:
            return bool(x.size)
        extent += step * (n - 1)
    return False


def quietly(line: str, scope: dict[str, Any]) -> list[str]:
    """Return a line of code with NumPy's warnings off, as in a gradient.

    Where NumPy has the variable that ``np.errstate`` sets, it is set directly, in a quarter of the time.
    """
    try:
        from numpy._core.umath import _extobj_contextvar, _make_extobj
    except ImportError:
        scope["errstate"] = np.errstate
        return ["with errstate(all='ignore'):", f"    {line}"]
    scope.update(warnings=_extobj_contextvar, silence=_make_extobj(all="ignore"))
    return ["token = warnings.set(silence)", "try:", f"    {line}", "finally:", "    warnings.reset(token)"]
