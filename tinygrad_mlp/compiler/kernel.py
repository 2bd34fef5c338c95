"""The kernel: a program as NumPy code that writes into buffers made once, and in blocks that stay in cache."""

from collections.abc import Callable, Sequence
from typing import Any

from tinygrad_mlp.rewrite import Term

from .code import Code
from .lines import write
from .loops import write_block
from .runtime import UNHELD
from .schedule import Block


class Kernel:
    """The code of a program.

    Args:
        inputs: The terms that it is called with.
        plan: What ``schedule`` gave.
        roots: The terms that it returns; each is an array of its own, unless it is overwritten in ``donated``.
        guards: Conditions, with what they have to give; else the kernel returns None.
        donated: For terms, by ``id``, the input whose memory their result takes.

    Attributes:
        text: The code: a function ``make(…)`` of ``constants`` that returns the kernel with buffers of its own.
        constants: Arrays and generators that the code refers to, by name.
        names: What every term is called.
        nbytes: The bytes of the buffers.
        is_quiet: Whether it never warns: NumPy does.
    """

    def __init__(
        self,
        inputs: Sequence[Term],
        plan: Sequence[Any],
        roots: Sequence[Any],
        guards: Sequence[tuple[Term, bool]] = (),
        donated: dict[int, Term] | None = None,
    ) -> None:
        """Write the code."""
        code = Code([step.terms if isinstance(step, Block) else [step] for step in plan], roots, donated or {})
        for term in inputs:
            code.names.give(term, term.name or "x")
        arguments = ", ".join(code.names[t] for t in inputs)
        waiting = {id(t): holds for t, holds in guards}
        code.body.extend(_guard(code.text(t), holds) for t, holds in guards if t.op is None)
        for position, step in enumerate(plan):
            code.position = position
            if isinstance(step, Block):
                write_block(code, step)
                code.body.extend(_guard(code.text(t), waiting[id(t)]) for t in step.terms if id(t) in waiting)
            else:
                write(code, step)
                if id(step) in waiting:
                    code.body.append(_guard(code.text(step), waiting[id(step)]))
            code.release()
        code.body.append("return (" + "".join(f"{code.result(t)}, " for t in roots) + ")")
        self.is_quiet = False
        self.names = code.names
        self.constants = code.constants
        self.nbytes = code.arena.nbytes
        self.text = code.written(arguments)

    def maker(self) -> Callable[[], Any]:
        """Return the function that makes the kernel, with buffers of its own each time."""
        namespace: dict[str, Any] = {"UNHELD": UNHELD}
        exec(compile(self.text, "<kernel>", "exec"), namespace)
        return lambda: namespace["make"](**self.constants)


def _guard(text: str, holds: bool) -> str:
    return f"if {'not ' * holds}{text}: return None"
