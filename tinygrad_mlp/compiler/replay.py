"""Replay: one recording as a function of the same arguments that computes by plain NumPy."""

from typing import Any

import numpy as np

from tinygrad_mlp.errors import TracingError
from tinygrad_mlp.graph import tick
from tinygrad_mlp.rewrite import Program, Term, lower
from tinygrad_mlp.rewrite.rules import EXACT

from .capture import Capture
from .kernel import Kernel
from .layout import batch_last
from .products import products_summed
from .schedule import schedule

ndarray = np.ndarray


PASSES = (("products", products_summed), ("layout", batch_last))


class Replay:
    """One recording, and what replays it.

    Attributes:
        source, kernel, plan: As of ``Compiled``.
        run: ``run(args, kwargs)`` gives the result, or ``MISS`` if the recording does not hold for the call.
    """

    def __init__(self, capture: Capture, backend: str, donate: Any, options: Any) -> None:
        """Rewrite, plan and write the program of a recording."""
        self.capture = capture
        rows = [*capture.inputs, *(term for _r, term, _l in capture.live)]
        self.program = Program(EXACT)
        known = {id(t): self.program.input(t.shape, t.dtype, t.name) for t in rows}
        self.inputs = [known[id(t)] for t in rows]
        roots = [
            *capture.draws,
            *(t for t, _ in capture.guards),
            *(t for t in capture.outputs if type(t) is Term),
            *(t for _, t in capture.writes),
            *(t for _, t in capture.grads if t is not None),
            *(t for _, t in capture.cells),
        ]
        lower(self.program, roots, known)
        self._known = known
        self._write(options)

    def _of(self, term: Any) -> Any:
        return None if term is None else self._known[id(term)]

    def _write(self, options: Any) -> None:
        """Plan and write the kernel, and the function around it."""
        capture = self.capture
        draws = [self._of(t) for t in capture.draws]
        guards = [self._of(t) for t, _ in capture.guards]
        changed = [t for _, t in (*capture.writes, *capture.grads, *capture.cells) if t is not None]
        results = [self._of(t) for t in (*(t for t in capture.outputs if type(t) is Term), *changed)]
        results = list({id(t): t for t in results}.values())
        self._place = {id(t): i for i, t in enumerate(results)}
        wanted = [*draws, *guards, *results]
        for title, change in PASSES:
            if options.get(title, True):
                wanted = change(self.program, wanted)
        rest = len(draws) + len(guards)
        steps = schedule(wanted, fuse=options.get("blocks", True))
        holds = [(t, held) for t, (_, held) in zip(wanted[len(draws) : rest], capture.guards, strict=True)]
        kernel = Kernel(self.inputs, steps, wanted[rest:], holds)
        self.kernel = kernel.text
        namespace: dict[str, Any] = {}
        exec(compile(kernel.text, "<kernel>", "exec"), namespace)
        self._make = lambda: namespace["make"](**kernel.constants)
        self.plan = f"{len(steps)} steps, {kernel.nbytes} bytes"
        self.run = self._runner()

    # --------------------------------------------------------------------------------------------------- the function

    def _runner(self) -> Any:
        """Return the function that checks a call, runs the kernel, and gives the result in the user's nest."""
        capture = self.capture
        trace = capture.trace
        scope: dict[str, Any] = {
            **capture.arguments.constants, "tick": tick, "asarray": np.asarray, "free": [self._make()],
            "make": self._make,
        }  # fmt: skip
        lines = list(capture.arguments.checks)
        for i, (module, training) in enumerate(trace.watched):
            scope[f"module{i}"] = module
            lines.append(f"if module{i}._training is not {training}: return MISS")
        given = [f"x{i}" for i in range(len(capture.inputs))]
        leaves = {id(a.node): f"leaf{i}" for i, a in enumerate(capture.arguments.traced) if a.is_leaf}
        for i, (reader, _term, leaf) in enumerate(capture.live):
            if leaf is None:
                scope[f"read{i}"] = reader
                given.append(f"read{i}()")
                continue
            leaves[id(leaf)] = name = f"live{i}"
            scope[name] = leaf
            lines.append(f"if {name}.requires_grad is not {leaf.requires_grad}: return MISS")
            given.append(f"{name}._payload")
        for leaf in trace.unset:
            if id(leaf) in leaves:
                scope["refuse"] = refuse_gradient
                lines.append(f"if {leaves[id(leaf)]}._grad is not None: refuse()")
        lines += [
            "kernel = free.pop() if free else make()",
            *quietly(f"r = kernel({', '.join(given)})", scope),
            "free.append(kernel)",
            "if r is None: return MISS",
        ]
        for leaf, term in capture.writes:
            lines.append(f"{leaves[id(leaf)]}._payload = {self._result(term)}; {leaves[id(leaf)]}.tick = tick()")
        for leaf, term in capture.grads:
            if id(leaf) in leaves:
                lines.append(f"{leaves[id(leaf)]}._grad = {'None' if term is None else self._result(term)}")
        for i, (writer, term) in enumerate(capture.cells):
            scope[f"write{i}"] = writer
            lines.append(f"write{i}({self._result(term)})")
        for i, (module, training) in enumerate(trace.modes):
            scope[f"changed{i}"] = module
            lines.append(f"changed{i}._training = {training}")
        for i, action in enumerate(trace.after):
            scope[f"after{i}"] = action
            lines.append(f"after{i}()")
        lines.append(f"return {self._returned(scope)}")
        text = "def run(args, kwargs):\n" + "\n".join(f"    {line}" for line in lines)
        exec(compile(text, "<replay>", "exec"), scope)
        self.runner = text
        return scope["run"]

    def _result(self, term: Any) -> str:
        return f"r[{self._place[id(self._of(term))]}]"

    def _returned(self, scope: dict[str, Any]) -> str:
        """Return the code of the result's nest."""
        found = iter(self.capture.outputs)

        def write(nest: Any) -> str:
            if nest is None:
                return "None"
            if not isinstance(nest, type) and hasattr(nest, "named_parameters"):
                nest = dict(nest.named_parameters())
            if isinstance(nest, dict):
                return "{" + ", ".join(f"{key!r}: {write(x)}" for key, x in nest.items()) + "}"
            if isinstance(nest, list | tuple):
                parts = "".join(f"{write(x)}, " for x in nest)
                if type(nest) is list:
                    return f"[{parts}]"
                if type(nest) is tuple:
                    return f"({parts})"
                scope[f"nest{len(scope)}"] = getattr(type(nest), "_make", type(nest))
                return f"nest{len(scope) - 1}(({parts}))"
            term = next(found)
            if type(term) is Term:
                return self._result(term)
            scope[f"fixed{len(scope)}"] = term.value
            return f"fixed{len(scope) - 1}"

        return write(self.capture.returned)


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


def refuse_gradient() -> None:
    """Raise because a gradient of before would have to be added to."""
    raise TracingError(
        "a compiled function adds to .grad of a call before: call zero_grad() first, inside the function"
    )
