"""The driver: Python around the segments in C, which makes results, and calls NumPy for what is not done in C."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tinygrad_mlp import ops
from tinygrad_mlp.compiler.buffers import Arena
from tinygrad_mlp.compiler.runtime import ROUTINES
from tinygrad_mlp.compiler.source import TAKEN, Names
from tinygrad_mlp.compiler.writing import UFUNCS, WRITERS, dtype_text, expression, literal
from tinygrad_mlp.rewrite import Term
from tinygrad_mlp.rewrite.terms import evaluate

from .layout import is_view


class Driver:
    """The text of the function that runs a program.

    Attributes:
        once: Lines that run when a kernel is made.
        body: Lines that run with every call.
        constants: What the text refers to, by name.
        arena: The memory for what is kept between segments.
    """

    def __init__(self, inputs: Sequence[Term]) -> None:
        """Begin with the inputs."""
        self.names = Names({*TAKEN, "make", "kernel", "arena", "empty", "again", "array", "asarray", "dot"})
        self.constants: dict[str, Any] = {}
        self.once: list[str] = []
        self.body: list[str] = []
        self.arena = Arena()
        self.static: set[int] = set()  # terms whose arrays are made with the kernel
        self.numbers: set[int] = set()  # terms of numbers that lie in an array without axes
        for term in inputs:
            self.names.give(term, term.name or "x")
        self.arguments = [self.names[t] for t in inputs]

    # ---------------------------------------------------------------------------------------------------------- names

    def name(self, term: Term) -> str:
        """Return a name for the result of a term."""
        return self.names[term] if term in self.names else self.names.give(term, term.name or "t")

    def text(self, x: Any) -> str:
        """Return the code of an operand; a view of something known is made where it is first used."""
        if x is None:
            return "None"
        if x.op is None and x not in self.names and x.is_number:
            return literal(x.value)
        if x.is_constant:
            return self.constant(x)
        if x not in self.names:
            if not is_view(x):
                raise AssertionError(f"{x} is used before it is computed")
            source = self.text(x.inputs[0])
            line = f"{self.name(x)} = {expression(x, lambda _: source)}"
            (self.once if id(x.inputs[0]) in self.static else self.body).append(line)
            if id(x.inputs[0]) in self.static:
                self.static.add(id(x))
        return f"{self.names[x]}.item()" if id(x) in self.numbers else self.names[x]

    def constant(self, x: Term) -> str:
        """Return the name of a constant, which is contiguous."""
        if x not in self.names:
            name = self.names.give(x, x.name or "C")
            self.constants[name] = np.require(x.value, requirements="CA")
            self.static.add(id(x))
        return self.names[x]

    # --------------------------------------------------------------------------------------------------------- memory

    def fresh(self, term: Term) -> str:
        """Return the name of a new array for a term, made with every call."""
        name = self.name(term)
        self.body.append(f"{name} = empty({term.shape}, {_dtype(term)})")
        if term.is_number:
            self.numbers.add(id(term))
        return name

    def lend(self, term: Term) -> str:
        """Return the name of memory that a term has until it is released."""
        name = self.name(term)
        if term.is_number:
            self.once.append(f"{name} = empty((), {_dtype(term)})")
            self.numbers.add(id(term))
        else:
            self.once.append(f"{name} = {self.arena.take(term)}")
        self.static.add(id(term))
        return name

    # --------------------------------------------------------------------------------------------------------- NumPy

    def compute(self, term: Term, is_root: bool) -> None:
        """Write a term that NumPy computes."""
        a_float = not term.is_number and term.dtype.char in "fd" and term.shape and term.size
        if term.op is ops.matmul and a_float and all(x.ndim in (1, 2) and x.dtype == term.dtype for x in term.inputs):
            xs = [self.text(x) for x in term.inputs]
            out = self.fresh(term) if is_root else self.lend(term)
            self.body.append(f"dot({xs[0]}, {xs[1]}, {out})")
            return
        text = self._expression(term)
        if not term.is_number and not term.shape:
            text = f"asarray({text})"
        self.body.append(f"{self.name(term)} = {text}")

    def _expression(self, term: Term) -> str:
        if term.op.random and not isinstance(term.params["rng"], int):
            self.constants[f"rng{id(term.params['rng'])}"] = term.params["rng"]
        if term.op.name in ROUTINES or _has_text(term):
            return expression(term, self.text)
        name = self.names.fresh(term.op.name)
        op, params, number = term.op, term.params, term.is_number
        self.constants[name] = lambda *xs: _evaluated(op, xs, params, number)
        return f"{name}({', '.join(map(self.text, term.inputs))})"

    # ---------------------------------------------------------------------------------------------------------- whole

    def written(self, calls: Sequence[str], results: str) -> str:
        """Return the text: a function ``make`` of constants and segments that returns the kernel."""
        lines = ["import math", "", "import numpy as np", "", ""]
        lines.append(f"def make({', '.join([*calls, *self.constants])}):")
        if self.arena.nbytes:
            lines.append(f"    arena = aligned({self.arena.nbytes})")
        lines += ["    array, asarray, dot, empty = np.array, np.asarray, np.dot, np.empty"]
        lines += [f"    {line}" for line in self.once]
        lines += ["", f"    def kernel({', '.join(self.arguments)}):"]
        lines += [f"        {line}" for line in self.body]
        lines += [f"        return {results}", "", "    return kernel"]
        return "\n".join(lines) + "\n"


def _dtype(term: Term) -> str:
    return dtype_text(np.dtype(term.dtype))


def _has_text(term: Term) -> bool:
    """Return whether NumPy, or a routine, does what a term does."""
    if term.is_number:
        return term.op in UFUNCS or term.op in (ops.where, ops.negative)
    return term.op in UFUNCS or term.op in WRITERS or term.op is ops.power


def _evaluated(op: Any, xs: Any, params: dict[str, Any], number: bool) -> Any:
    """Return what a row gives on numbers and arrays."""
    y = evaluate(op, xs, params)
    return float(y) if number and type(y) is not bool else y


def again(call: Callable[[Any], int], given: tuple[Any, ...], written: Sequence[int] = ()) -> None:
    """Call a segment once more, with copies of arrays that are not laid out in memory as it needs them.

    Args:
        call: The segment.
        given: What it was called with.
        written: The places of arrays that it overwrites.
    """
    copies = [
        (np.array(x, order="C") if i in written or written else np.require(x, requirements="CA"))
        if isinstance(x, np.ndarray) else x
        for i, x in enumerate(given)
    ]  # fmt: skip
    if call(tuple(copies)):
        raise AssertionError("a segment refuses arrays that are contiguous")
    for i in written:
        given[i][...] = copies[i]
