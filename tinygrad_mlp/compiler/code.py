"""The code of a kernel while it is written: its lines, the names in it, and which memory belongs to which term."""

import inspect
from collections.abc import Sequence
from typing import Any

from tinygrad_mlp import ops
from tinygrad_mlp.rewrite import WITH_ONES, Term
from tinygrad_mlp.rewrite.terms import evaluate

from .buffers import Arena
from .runtime import ROUTINES
from .source import TAKEN, Names
from .writing import MATH, UFUNCS, WRITERS, dtype_text, expression, is_literal, literal

FILLED = 2**18  # bytes of an array of one number; there is one of each shape and number
POOLED = 2**15  # bytes; the memory of a larger result is used again when nobody holds it any more
VIEWS = frozenset((ops.transpose, ops.reshape, ops.broadcast_to, ops.getitem))


class Code:
    """The lines of a kernel, and what they refer to.

    Args:
        plan: What ``schedule`` gave, blocks opened: lists of terms.
        roots: The terms that the kernel returns.
        donated: For terms, by ``id``, the input whose memory their result takes.

    Attributes:
        names: What every term is called.
        constants: Arrays, generators and functions that the lines refer to, by name.
        once: Lines that run when the kernel is made.
        body: Lines that run in every call.
        arena: The buffers.
        static: By ``id``, terms whose arrays are made once, with the kernel.
        local: What a term is called inside of the block that is being written, by ``id``.
        above_ones: By ``id``, terms whose arrays lie above a row of ones, with the term of both.
        position: The place in the plan of what is being written.
    """

    def __init__(self, plan: Sequence[list[Term]], roots: Sequence[Any], donated: dict[int, Term]) -> None:
        """Begin with no lines."""
        self.names = Names({*TAKEN, "make", "kernel", "lo", "hi", "arena"})
        self.constants: dict[str, Any] = {}
        self.once: list[str] = []
        self.body: list[str] = []
        self.arena = Arena()
        self.static: set[int] = set()
        self.local: dict[int, str] = {}
        self.position = 0
        self.donated = donated
        self.roots = {id(t) for t in roots}
        self.users: dict[int, set[int]] = {}
        self.readers: dict[int, list[Term]] = {}
        self.above_ones = {id(t.inputs[0]): t for terms in plan for t in terms if t.op is WITH_ONES}
        self._bound: dict[Any, str] = {}
        self._routines: set[str] = set()
        self._base: dict[int, Term] = {}
        self._last: dict[int, int] = {}
        self._ends: dict[int, list[int]] = {}  # by step, the terms that no later one reads
        self._live(plan, roots)

    # --------------------------------------------------------------------------------------------------------- lives

    def _live(self, plan: Sequence[list[Term]], roots: Sequence[Any]) -> None:
        """Find the last step that reads each term, or a view of it."""
        for position, terms in enumerate(plan):
            for term in terms:
                if len(terms) == 1 and _shows_operand(term):
                    self._base[id(term)] = self.base(term.inputs[0])
                self._last[id(term)] = position
                for x in term.inputs:
                    if x is not None:
                        self._last[id(self.base(x))] = position
                        self.users.setdefault(id(x), set()).add(id(term))
                        self.readers.setdefault(id(x), []).append(term)
        for term in roots:
            self._last[id(self.base(term))] = len(plan)
        for key, position in self._last.items():
            self._ends.setdefault(position, []).append(key)

    def base(self, term: Term) -> Term:
        """Return the term whose memory ``term`` shows: itself, or what it is a view of."""
        return self._base.get(id(term), term)

    def is_view(self, term: Term) -> bool:
        """Return whether a term shows the memory of its operand."""
        return id(term) in self._base

    def dies(self, x: Term) -> bool:
        """Return whether the step that is being written is the last to read ``x``."""
        return self._last[id(self.base(x))] == self.position

    def release(self) -> None:
        """Take back the buffers that no later step reads."""
        self.arena.release(self._ends.get(self.position, ()))

    def is_solid(self, x: Term) -> bool:
        """Return whether an array is a buffer, in C order."""
        while self.is_view(x) and x.op is ops.reshape:
            x = x.inputs[0]
        return self.arena.holds(x)

    # --------------------------------------------------------------------------------------------------------- names

    def name(self, term: Term) -> str:
        """Return the name of a term, a new one if it has none."""
        return self.names[term] if term in self.names else self.names.give(term, term.name or "t")

    def text(self, x: Any) -> str:
        """Return what a term is called, or the code of a constant."""
        if x is None:
            return "None"
        if type(x) is not Term:
            return self._generator(x)
        if id(x) in self.local:
            return self.local[id(x)]
        if x not in self.names:
            if not x.is_constant:
                raise AssertionError(f"{x} is used before it is computed")
            if x.is_number:
                return literal(x.value)
            name = self.names.give(x, x.name or "C")
            if is_literal(x, 8):
                self.once.append(f"{name} = {literal(x.value)}")
            else:
                self.constants[name] = x.value
            self.static.add(id(x))
        return self.names[x]

    def _generator(self, rng: Any) -> str:
        """Return what a generator is called; a seed makes a new one with every call."""
        if isinstance(rng, int):
            return f"np.random.default_rng({rng!r})"
        if rng not in self.names:
            self.constants[self.names.give(rng, "rng")] = rng
        return self.names[rng]

    def call(self, function: str) -> str:
        """Return the local name of something in NumPy."""
        if function not in self._bound:
            self._bound[function] = self.names.fresh(function.removeprefix("np.").replace(".", "_"))
            self.once.insert(0, f"{self._bound[function]} = {function}")
        return self._bound[function]

    def routine(self, name: str) -> str:
        """Return the name of a routine, whose text goes with the kernel."""
        self._routines.add(name)
        return name

    def bound(self, key: Any, wish: str, text: str) -> str:
        """Return the name of what ``text`` makes once."""
        if key not in self._bound:
            self._bound[key] = self.names.fresh(wish)
            self.once.append(f"{self._bound[key]} = {text}")
        return self._bound[key]

    def flat(self, term: Term) -> str:
        """Return the name of a buffer as an array of one axis."""
        name = self.text(term)
        return self.bound(("flat", name), f"{name}_flat", f"{name}.reshape(-1)")

    def ones(self, n: int, dtype: Any) -> str:
        """Return the name of ``n`` ones."""
        return self.bound(("ones", n, dtype), "ones", f"np.ones({n}, {dtype_text(dtype)})")

    def fresh(self, term: Term) -> str:
        """Return the code of an array for a result."""
        shape = f"{term.shape}, {self.call(dtype_text(term.dtype))}"
        if term.nbytes < POOLED:
            return f"{self.call('np.empty')}({shape})"
        pool = self.names.fresh("pool")
        self.once.append(f"{pool} = []")
        return f"{self.routine('fresh')}({pool}, {shape})"

    def operands(self, term: Term) -> list[str]:
        """Return what the operands of a ufunc are called; a number that is the same in every call is an array.

        NumPy takes a third of a microsecond to convert a Python number. It casts one to the dtype of the arrays beside
        it, and so do the arrays here.
        """
        dtypes = {x.dtype for x in term.inputs if not x.is_number and x.shape}
        if len(dtypes) != 1:
            return [self.text(x) for x in term.inputs]
        (dtype,) = dtypes
        extreme = term.op in (ops.maximum, ops.minimum) and dtype == term.dtype and dtype.kind == "f"
        if extreme and term.nbytes < FILLED and not self.local:
            full = [x.is_number and x.is_constant for x in term.inputs]
            return [
                self.full(x, term, term.shape) if f else self.text(x) for x, f in zip(term.inputs, full, strict=True)
            ]
        return [self._as_array(x, dtype) if x.is_number and dtype.kind == "f" else self.text(x) for x in term.inputs]

    def full(self, x: Term, term: Term, shape: Any) -> str:
        """Return the name of an array of one number: NumPy's maximum takes three times as long with a number."""
        text = f"np.full({tuple(shape)}, {literal(x.value)}, {dtype_text(term.dtype)})"
        return self.bound(("full", text), "c", text)

    def _as_array(self, x: Term, dtype: Any) -> str:
        key = (id(x), dtype)
        if x.is_constant:
            return self.bound(key, "c", f"np.array({literal(x.value)}, {dtype_text(dtype)})")
        if key not in self._bound:
            text = self.text(x)
            self._bound[key] = self.names.fresh(f"{text}_array")
            self.body.append(f"{self._bound[key]} = {self.call('np.array')}({text}, {self.call(dtype_text(dtype))})")
        return self._bound[key]

    # ---------------------------------------------------------------------------------------------------- expressions

    def inline(self, term: Term) -> str:
        """Return a term as an expression that makes an array, or a number, of its own."""
        if term.op.name in ROUTINES and not term.is_number:
            self.routine(term.op.name)
        elif not _has_text(term):
            return self._opaque(term)
        return expression(term, self.text)

    def _opaque(self, term: Term) -> str:
        """Return a call of the row itself, where NumPy has nothing like it."""
        name = self.names.fresh(term.op.name)
        self.constants[name] = Row(term)
        return f"{name}({', '.join(map(self.text, term.inputs))})"

    def view(self, term: Term) -> str:
        """Return a view of an operand as an expression."""
        if term.op is ops.reshape:
            return f"{self.text(term.inputs[0])}.reshape({', '.join(map(str, term.shape)) or '()'})"
        return expression(term, self.text)

    def result(self, term: Term) -> str:
        """Return the code of a result: an array that shares no memory with an input or a buffer."""
        text = self.text(term)
        if term.is_number or id(term) in self.donated:
            return text
        shared = term.op is None or self.is_view(term) or id(term) in self.static or not term.shape
        return f"{self.call('np.array')}({text})" if shared else text

    def written(self, arguments: str) -> str:
        """Return the whole text."""
        if self.arena.nbytes:
            self.once.insert(0, f"arena = {self.routine('aligned')}({self.arena.nbytes})")
        sources = [inspect.getsource(ROUTINES[n]) for n in sorted(self._routines)]
        head = [text.replace(": Any", "").replace(" -> Any", "") for text in sources]
        lines = ["import math", "import sys", "", "import numpy as np", "", "", *head]
        lines += [f"def make({', '.join(self.constants)}):", *(f"    {line}" for line in self.once)]
        lines += [
            "",
            f"    def kernel({arguments}):",
            *(f"        {line}" for line in self.body),
            "",
            "    return kernel",
        ]
        return "\n".join(lines) + "\n"


class Row:
    """A row of the table as a function of its operands."""

    def __init__(self, term: Term) -> None:
        """Take the row and the params of a term."""
        self.op = term.op
        self.params = term.params
        self.number = term.is_number

    def __call__(self, *xs: Any) -> Any:
        """Return what the row gives on numbers and arrays."""
        try:
            y = evaluate(self.op, xs, self.params)
        except (ValueError, TypeError, IndexError, OverflowError) as error:
            raise self.op.failure(xs, self.params, error) from error
        return float(y) if self.number and type(y) is not bool else y


def _has_text(term: Term) -> bool:
    """Return whether NumPy does what a term does."""
    if term.is_number:
        return term.op in UFUNCS or term.op in MATH or term.op in (ops.where, ops.negative, ops.reciprocal)
    return term.op in UFUNCS or term.op in WRITERS


def _shows_operand(term: Term) -> bool:
    """Return whether a term may show the memory of its operand."""
    if term.op is ops.getitem:
        index = term.params["index"]
        parts = index if type(index) is tuple else (index,)
        return bool(term.shape) and all(
            part is None or part is Ellipsis or type(part) in (int, slice) for part in parts
        )
    return term.op in VIEWS and not term.inputs[0].is_number
