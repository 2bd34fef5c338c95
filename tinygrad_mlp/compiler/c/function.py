"""One segment as a C function of a tuple: the arrays and numbers in it, and the text of its groups."""

from typing import Any, Protocol

import numpy as np

from tinygrad_mlp.rewrite import Term

from .driver import Driver
from .elements import c_type
from .grouping import Group
from .layout import layout
from .loops import Loops
from .segments import Plan

STACK = 2**13  # bytes of one array that a call may keep on the stack
STACKS = 2**16  # of all of them


class Owner(Protocol):
    """What a function asks the kernel that it belongs to."""

    plan: Plan
    place: int
    out: Driver
    in_place: set[int]

    def is_wanted(self, term: Term) -> bool:
        """Return whether Python needs a result of C."""

    def memory(self, term: Term) -> str:
        """Return the Python name of what takes a result of C."""

    def overwrites(self, term: Term) -> Term | None:
        """Return the input that a result may go into at once."""


class Function:
    """The text of a segment.

    Attributes:
        given: What the segment is called with, in Python.
        written: The places in it of arrays that are overwritten.
    """

    def __init__(self, kernel: Owner, name: str) -> None:
        """Begin with no groups."""
        self.kernel = kernel
        self.name = name
        self.given = [kernel.out.call("np.ndarray")]
        self._variables: dict[int, Any] = {}
        self._pointers: dict[int, str] = {}
        self._head: list[str] = []
        self._lines: list[str] = []
        self._sizes: dict[int, int] = {}
        self._checked: list[int] = []  # places of arrays that Python gives
        self.written: list[int] = []
        self._stack = 0
        self._elsewhere: set[int] = set()

    def add(self, group: Group, prefix: str) -> None:
        """Write a group."""
        self._elsewhere = _read_elsewhere(group)
        loops = Loops(group, self._named, self._pointer, self._is_kept, prefix)
        self._variables.update(loops.variables)
        self._lines += loops.lines

    def _is_kept(self, term: Term) -> bool:
        return self.kernel.is_wanted(term) or self.kernel.plan.is_kept(term)

    def _is_computed_here(self, term: Term) -> bool:
        return term.op is not None and self.kernel.plan.places.get(id(term)) == self.kernel.place

    def _named(self, term: Term) -> Any:
        """Return the names of a term's elements, where they are variables."""
        in_memory = id(term) in self.kernel.out.numbers or id(term) in self._pointers
        if id(term) not in self._variables and term.is_number and not in_memory:
            at, kind = len(self.given), str(c_type(term))
            self._head.append(f"const {kind} n{at} = ({kind})((const Float *)t->items[{at}])->value;")
            text = self.kernel.out.text(term)
            self.given.append(text if term.op is None else f"float({text})")
            self._variables[id(term)] = np.array(f"n{at}", object)
        return self._variables.get(id(term))

    # --------------------------------------------------------------------------------------------------------- memory

    def _pointer(self, term: Term) -> str:
        """Return the name of the memory of a term."""
        if id(term) not in self._pointers:
            self._pointers[id(term)] = self._declared(term)
        return self._pointers[id(term)]

    def _declared(self, term: Term) -> str:
        kernel, here = self.kernel, self._is_computed_here(term)
        if here and not kernel.is_wanted(term) and kernel.plan.stays(term) and self._fits(term):
            name = f"s{len(self._pointers)}"
            self._head.append(f"{c_type(term)} {name}[{term.size}] __attribute__((aligned(64)));")
            return name
        taken = kernel.overwrites(term) if here else None
        if taken is not None and id(taken) not in self._elsewhere:
            kernel.in_place.add(id(term))
            kernel.out.names.alias(term, kernel.out.text(taken))
            name = self._pointer(taken)
            self.written.append(int(name[1:]))
            return name
        text = kernel.memory(term) if here else kernel.out.text(term)
        if id(term) in kernel.out.numbers:
            text = kernel.out.names[term]
        at = len(self.given)
        self.given.append(text)
        self._sizes[at] = term.nbytes
        if not here and id(term) not in kernel.out.static:
            self._checked.append(at)
        kind = c_type(term)
        self._head.append(f"{kind} *const a{at} = ({kind} *)ARRAY({at})->data; /* {text} {term.shape} */")
        return f"a{at}"

    def _fits(self, term: Term) -> bool:
        """Return whether a result may lie on the stack, and count it."""
        nbytes = term.size * 8
        fits = nbytes <= STACK and self._stack + nbytes <= STACKS
        self._stack += nbytes * fits
        return fits

    # ----------------------------------------------------------------------------------------------------------- text

    def text(self) -> str:
        """Return the function."""
        lines = [f"int {self.name}(const Tuple *t) {{"]
        if self._checked:
            kinds = " | ".join(f"(ARRAY({i})->type != t->items[0])" for i in self._checked)
            flags = " & ".join(f"ARRAY({i})->flags" for i in self._checked)
            lines.append(f"if (({kinds}) || ({flags} & PLAIN) != PLAIN) return 1;")
        sizes = self._sizes
        others = [i for i in self._checked if i not in self.written]
        for i in self.written:
            lines += [f"if (OVERLAP(ARRAY({i}), {sizes[i]}, ARRAY({j}), {sizes[j]})) return 2;" for j in others]
        return "\n".join([*lines, *self._head, *self._lines, "return 0;", "}"]) + "\n"


def _read_elsewhere(group: Group) -> set[int]:
    """Return the terms that a group reads, and not only at the element that a round of its loops computes."""
    places: dict[int, set[Any]] = {}
    whole = len(group.space.lengths)
    for term in group.terms:
        for x, dims in zip(term.inputs, group.operands[id(term)], strict=True):
            base = layout(x).base
            plain = base is x and (group.space.flat or len({d for d in dims if d >= 0}) == whole)
            places.setdefault(id(base), set()).add(dims if plain else None)
    return {t for t, found in places.items() if None in found or len(found) > 1}
