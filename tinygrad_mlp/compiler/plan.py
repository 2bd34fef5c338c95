"""The plan: what was done to get from what was recorded to what runs, to be printed."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from tinygrad_mlp.rewrite import Term


class Plan:
    """What was done to get from what was recorded to what runs.

    Attributes:
        recorded: Operations that were recorded, as rows of the table.
        lowered: Operations of NumPy that the rows come down to after the first rewriting.
        rewritten: Operations of NumPy that are left after the second.
        operations: Operations that the kernel runs, copies included.
        rules: How often each rule fired, by its name.
        blocks: For each loop over blocks the number of its operations and the length of a block.
        nbytes: The bytes of all buffers.
        constants: What is frozen: name, shape and dtype.
        live: The names of the captured leaves, which are read anew in every call.
        generators: The names of the random generators that the source takes.
        donated: The names of the inputs that are overwritten.
        details: The plan of an engine for scalar graphs.
        backend: What runs: "numpy", "c", or an engine for scalar graphs.
    """

    def __init__(self, backend: str = "numpy") -> None:
        """Begin with nothing."""
        self.backend = backend
        self.recorded = self.lowered = self.rewritten = self.operations = self.nbytes = 0
        self.rules: Counter[str] = Counter()
        self.blocks: list[tuple[int, int]] = []
        self.constants: list[tuple[str, tuple[int, ...], Any]] = []
        self.live: list[str] = []
        self.generators: list[str] = []
        self.donated: list[str] = []
        self.details = ""

    def count(self, steps: Sequence[Any]) -> None:
        """Take in what the schedule gave."""
        blocks = [step for step in steps if not isinstance(step, Term)]
        self.operations = sum(1 if isinstance(step, Term) else len(step.terms) for step in steps)
        self.blocks = [(len(block.terms), block.length) for block in blocks]

    def freeze(self, order: Sequence[Term], names: Any) -> None:
        """Take in the constant arrays among the terms."""
        for term in order:
            if term.op is None and term.is_constant and not term.is_number and term.shape:
                known = term in names
                self.constants.append((names[term] if known else "C", term.shape, term.dtype))

    def __str__(self) -> str:
        if self.details:
            return f"backend     {self.backend}\nread live   {len(self.live)} leaves\n{self.details}".rstrip()
        fired = ", ".join(f"{title} {n}" for title, n in self.rules.most_common() if n) or "none"
        frozen = ", ".join(f"{name} {shape} {dtype}" for name, shape, dtype in self.constants) or "nothing"
        blocks = ", ".join(f"{n} operations on {length} rows" for n, length in self.blocks) or "none"
        lines = [
            f"backend     {self.backend}",
            f"recorded    {self.recorded} rows",
            f"operations  {self.lowered} before rewriting, {self.rewritten} after; the kernel runs {self.operations}",
            f"rules       {fired}",
            f"blocks      {blocks}",
            f"buffers     {self.nbytes:,} bytes",
            f"frozen      {frozen}",
            f"read live   {', '.join(self.live) or 'nothing'}",
            f"generators  {', '.join(self.generators) or 'none'}",
            f"donated     {', '.join(self.donated) or 'nothing'}",
        ]
        return "\n".join(lines)

    __repr__ = __str__
