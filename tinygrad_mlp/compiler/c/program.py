"""A program in C: segments built into one library, and Python that calls them."""

import ctypes
from collections.abc import Callable, Sequence
from typing import Any

from tinygrad_mlp.compiler.runtime import UNHELD
from tinygrad_mlp.rewrite import Term

from .building import Compiler
from .driver import Driver, again
from .function import Function
from .layout import is_view, layout
from .prelude import prelude
from .segments import Plan, Segment

LONG = 100_000  # statements; a call with more lets other threads of Python run


class CKernel:
    """The code of a program, in C where that can be.

    Args:
        inputs: The terms that it is called with.
        roots: The terms that it returns; each is an array of its own, unless it is overwritten in ``donated``.
        guards: Conditions, with what they have to give; else the kernel returns None.
        donated: For terms, by ``id``, the input whose memory their result takes.
        draws: Random draws, in the order in which they are made.
        compiler: What builds the C text.

    Attributes:
        text: Both texts, in Python and in C.
        driver: The Python text: a function ``make(…)`` that returns the kernel with buffers of its own.
        texts: The C text, one function for each segment.
        constants: Arrays, generators and segments that it refers to, by name.
        names: What every term is called there.
        is_quiet: Whether C does all, so that NumPy has nothing to warn of.
        nbytes: The bytes of the buffers.
    """

    def __init__(
        self,
        inputs: Sequence[Term],
        roots: Sequence[Term],
        guards: Sequence[tuple[Term, bool]] = (),
        donated: dict[int, Term] | None = None,
        *,
        draws: Sequence[Term] = (),
        compiler: Compiler,
    ) -> None:
        """Write the code and build it."""
        checked = [*draws, *(t for t, _ in guards)]
        self.plan = Plan([*checked, *roots], checked if guards and donated else ())
        self._roots = {id(t) for t in roots}
        self._guards = {id(t): holds for t, holds in guards}
        self._unchecked = {id(t) for t, _ in guards if t.op is not None}
        self._bases = {id(layout(t).base) for t in roots}
        self.donated = donated or {}
        self.in_place: set[int] = set()
        self.out = Driver(inputs, roots)
        self.texts: list[str] = []
        self._segments: list[tuple[str, bool]] = []  # names, and whether a call lets other threads of Python run
        for term, holds in guards:
            if term.op is None:
                self.out.body.append(f"if bool({self.out.text(term)}) is not {holds}: return None")
        self.place = 0
        for step in self.plan.steps:
            if isinstance(step, Segment):
                self._segment(step)
            else:
                self.out.compute(step)
                self._check([step])
                self._release()
        self.out.body.append(f"return {self._results(roots)}")
        self.names, self.constants, self.nbytes = self.out.names, self.out.constants, self.out.arena.nbytes
        self.constants.update(self._built(compiler))
        self.driver = self.out.written(", ".join(self.out.arguments))
        self.text = "\n".join([self.driver, *self.texts])
        self.is_quiet = not any(isinstance(step, Term) for step in self.plan.steps)

    @property
    def steps(self) -> list[Any]:
        """The groups of terms that run in the same loops, and the terms that NumPy computes."""
        return [part for step in self.plan.steps for part in (step.groups if isinstance(step, Segment) else [step])]

    def maker(self) -> Callable[[], Any]:
        """Return the function that makes the kernel, with buffers of its own each time."""
        namespace: dict[str, Any] = {"UNHELD": UNHELD, "again": again}
        exec(compile(self.driver, "<kernel>", "exec"), namespace)
        return lambda: namespace["make"](**self.constants)

    def _built(self, compiler: Compiler) -> dict[str, Any]:
        text, found = "\n".join([prelude(compiler.vector), *self.texts]), {}
        for name, releases in self._segments:
            call = compiler.load(text, release=releases)[name]
            call.argtypes, call.restype = [ctypes.py_object], ctypes.c_int
            found[name] = call
        return found

    def _check(self, terms: Sequence[Term]) -> None:
        """Check the guards among terms that are known now."""
        for term in terms:
            if id(term) in self._guards:
                name = self.out.text(term)
                self.out.body.append(f"if {'not ' * self._guards[id(term)]}{name}: return None")
                self._unchecked.discard(id(term))

    def _release(self) -> None:
        """Take back the memory of what is not read after this place, and go on to the next."""
        self.out.arena.release(t for t, last in self.plan.last.items() if last == self.place)
        self.place += 1

    def _segment(self, segment: Segment) -> None:
        """Write a segment, and its call."""
        function = Function(self, self.out.names.fresh(f"segment{len(self.texts)}"))
        self._segments.append((function.name, segment.work > LONG))
        for group in segment.groups:
            function.add(group, f"v{self.place}")
            self._release()
        self.texts.append(function.text())
        self.out.call_segment(function.name, function.given, function.written)
        for group in segment.groups:
            self._check(group.terms)

    def _results(self, roots: Sequence[Term]) -> str:
        """Write copies of what is no array of its own, then what overwrites inputs; return the code of the results."""
        texts, late = [], []
        for term in roots:
            text = self.out.text(term)
            if id(term) in self.donated and id(term) not in self.in_place:
                name = self.out.text(self.donated[id(term)])
                late.append(f"{name}[...] = {text}")
                text = name
            elif not term.is_number and id(term) not in self.in_place and not self._is_own(term):
                name = self.out.names.fresh("result")
                self.out.body.append(f"{name} = {self.out.call('np.array')}({text})")
                text = name
            texts.append(text)
        self.out.body += late
        return "(" + "".join(f"{text}, " for text in texts) + ")"

    def _is_own(self, term: Term) -> bool:
        """Return whether a result is an array that nothing else shares."""
        return term.op is not None and not is_view(term) and id(term) not in self.out.static

    # ------------------------------------------------------------------------------------------- what a function asks

    def is_wanted(self, term: Term) -> bool:
        """Return whether Python needs a result of C."""
        return id(term) in self._bases or id(term) in self._guards

    def memory(self, term: Term) -> str:
        """Return the Python name of a new array, or of a buffer, that takes a result of C."""
        return self.out.new(term) if id(term) in self._roots else self.out.lend(term)

    def overwrites(self, term: Term) -> Term | None:
        """Return the donated input that a result may go into at once: nobody reads that later."""
        taken = self.donated.get(id(term))
        if taken is None or self._unchecked or taken.shape != term.shape or taken.dtype != term.dtype:
            return None
        late = max(self.plan.readers.get(id(taken), set()), default=-1) > self.place
        return None if late or id(taken) in self._bases else taken
