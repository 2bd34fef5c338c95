"""The driver: Python around the segments in C, which makes results, and calls NumPy for what is not done in C."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tinygrad_mlp import ops
from tinygrad_mlp.compiler.code import Code
from tinygrad_mlp.compiler.writing import dtype_text
from tinygrad_mlp.rewrite import Term

from .layout import is_view


class Driver(Code):
    """The text of the function that runs a program.

    Attributes:
        numbers: By ``id``, terms of numbers that lie in an array without axes.
        arguments: What the inputs are called.
    """

    def __init__(self, inputs: Sequence[Term], roots: Sequence[Term]) -> None:
        """Begin with the inputs."""
        super().__init__([], roots, {})
        for name in ("again", "given"):
            self.names.fresh(name)
        self.numbers: set[int] = set()
        self.arguments = [self.names.give(term, term.name or "x") for term in inputs]

    def text(self, x: Any) -> str:
        """Return the code of an operand; a view of something known is made where it is first used."""
        if type(x) is Term and x.is_constant and not x.is_number and x not in self.names:
            self.constants[self.name(x)] = np.require(x.value, requirements=["C", "A"])
            self.static.add(id(x))
        if type(x) is Term and x not in self.names and is_view(x):
            source = x.inputs[0]
            self.text(source)
            once = id(source) in self.static and x.shape  # without axes it is no view, but a number
            (self.once if once else self.body).append(f"{self.name(x)} = {self.view(x)}")
            if once:
                self.static.add(id(x))
        name = super().text(x)
        return f"{name}.item()" if x is not None and id(x) in self.numbers else name

    # --------------------------------------------------------------------------------------------------------- memory

    def new(self, term: Term) -> str:
        """Return the name of a new array for a term, made with every call."""
        name = self.name(term)
        if term.is_number:
            self.numbers.add(id(term))
            self.body.append(f"{name} = {self.call('np.empty')}((), {self.call(dtype_text(term.dtype))})")
        else:
            self.body.append(f"{name} = {self.fresh(term)}")
        return name

    def lend(self, term: Term) -> str:
        """Return the name of memory that a term has until it is released."""
        name = self.name(term)
        if term.is_number:
            self.once.append(f"{name} = np.empty((), {dtype_text(term.dtype)})")
            self.numbers.add(id(term))
        else:
            self.once.append(f"{name} = {self.arena.take(term)}")
        self.static.add(id(term))
        return name

    # ---------------------------------------------------------------------------------------------------------- lines

    def compute(self, term: Term) -> None:
        """Write a term that NumPy computes."""
        if _is_product(term):
            xs = [self.text(x) for x in term.inputs]
            out = self.new(term) if id(term) in self.roots else self.lend(term)
            self.body.append(f"{self.call('np.dot')}({xs[0]}, {xs[1]}, {out})")
            return
        text = self.inline(term)
        if not term.is_number and not term.shape:  # NumPy has scalars there, which C does not know
            text = f"{self.call('np.asarray')}({text})"
        self.body.append(f"{self.name(term)} = {text}")

    def call_segment(self, name: str, given: Sequence[str], written: Sequence[int]) -> None:
        """Write the call of a segment; it refuses arrays that are not contiguous."""
        places = f", {tuple(written)}" if written else ""
        self.body.append(f"given = ({''.join(f'{text}, ' for text in given)})")
        self.body.append(f"if {name}(given): again({name}, given{places})")


def _is_product(term: Term) -> bool:
    """Return whether a term is a product of matrices that BLAS computes into memory that is given."""
    if term.op is not ops.matmul or not term.shape or not term.size or term.dtype.char not in "fd":
        return False
    return all(x.ndim in (1, 2) and x.dtype == term.dtype for x in term.inputs)


def again(call: Callable[[Any], int], given: tuple[Any, ...], written: Sequence[int] = ()) -> None:
    """Call a segment once more, with copies of the arrays that are not laid out in memory as it needs them.

    Args:
        call: The segment.
        given: What it was called with.
        written: The places of arrays that it overwrites.
    """
    own = [given[i] for i in written]
    copies = list(given)
    for i, x in enumerate(given):
        if type(x) is np.ndarray:
            shared = i not in written and any(np.may_share_memory(x, y) for y in own)
            if shared or not (x.flags.c_contiguous and x.flags.aligned):
                copies[i] = np.array(x, order="C")
        elif isinstance(x, np.ndarray | np.generic):
            copies[i] = np.array(x, order="C")
    if call(tuple(copies)):
        raise AssertionError("a segment refuses arrays that are contiguous")
    for i in written:
        if copies[i] is not given[i]:
            given[i][...] = copies[i]
