"""The rewritten program as NumPy code that a person reads: one operation a line, with the user's own names."""

import builtins
import inspect
import keyword
from collections.abc import Iterable, Sequence
from typing import Any

from tinygrad_mlp import ops
from tinygrad_mlp.graph import NODES
from tinygrad_mlp.rewrite import Term, ordered, uses

from .runtime import ROUTINES
from .writing import expression, is_literal, is_plain, literal

TAKEN = frozenset((*keyword.kwlist, *dir(builtins), "np", "math", *ROUTINES))
INLINE = 16  # elements; a larger constant is an argument of the function


class Names:
    """A name for each term, no name twice: the user's where there is one."""

    def __init__(self, taken: Iterable[str] = TAKEN) -> None:
        """Begin with names that may not be used."""
        self._taken = set(taken)
        self._names: dict[int, str] = {}

    def __getitem__(self, term: Term) -> str:
        """Return the name of a term."""
        return self._names[id(term)]

    def __contains__(self, term: Term) -> bool:
        return id(term) in self._names

    def alias(self, term: Any, name: str) -> None:
        """Give a term a name that another one has."""
        self._names[id(term)] = name

    def give(self, term: Any, wish: str) -> str:
        """Return a new name for a term, near the one wished for."""
        name = self.fresh(wish)
        self._names[id(term)] = name
        return name

    def fresh(self, wish: str) -> str:
        """Return a name that is not taken."""
        base = "".join(c if c.isalnum() or c == "_" else "_" for c in wish).strip("_")
        base = base if base.isidentifier() else "t"
        name, n = base, 0
        while name in self._taken or not name.isidentifier():
            n += 1
            name = f"{base}_{n}" if base[-1:].isdigit() else f"{base}{n}"
        self._taken.add(name)
        return name


class Nested:
    """A nest of terms, as text: built in the shape that the user's function returned or takes."""

    def __init__(self, nest: Any, texts: dict[int, str]) -> None:
        """Take the nest, and the text of each node in it by ``id``."""
        self.texts = texts
        self.text = self._write(nest)

    def _write(self, nest: Any) -> str:
        if type(nest) in NODES:
            return self.texts[id(nest)]
        if isinstance(nest, dict):
            return "{" + ", ".join(f"{key!r}: {self._write(x)}" for key, x in nest.items()) + "}"
        if isinstance(nest, list | tuple):
            parts = [self._write(x) for x in nest]
            if type(nest) is list:
                return f"[{', '.join(parts)}]"
            return f"({', '.join(parts)}{',' if len(parts) == 1 else ''})"
        return self.texts.get(id(nest)) or repr(nest)


def write_source(title: str, parameters: Sequence[tuple[str, list[str]]], extra: Sequence[tuple[Term, str]],
                 roots: Sequence[Any], names: Names, result: Any) -> str:  # fmt: skip
    """Return the text of a function.

    Args:
        title: Its name.
        parameters: Its parameters, each with the lines that take it apart.
        extra: What the function reads beside its parameters: keyword-only arguments.
        roots: The terms that it computes.
        names: The names of all inputs.
        result: A function that gives the text of what is returned.
    """
    order = ordered(roots)
    count = uses(order, roots)
    lines: list[str] = []
    routines: set[str] = set()
    texts: dict[int, str] = {}
    late: list[tuple[str, str]] = []
    for term in order:
        if term.op is None:
            if term.is_constant and term not in names:
                _place_constant(term, names, texts, extra, late)
            continue
        text = expression(term, lambda x: _operand(x, names, texts))
        if term.op.name in ROUTINES:
            routines.add(term.op.name)
        if _inlined(term, count):
            texts[id(term)] = text if is_plain(term) else f"({text})"
            continue
        name = names.give(term, term.name or "t")
        lines.append(f"    {name} = {text}" + _comment(term))
    head = [inspect.getsource(ROUTINES[name]).replace(": Any", "").replace(" -> Any", "") for name in sorted(routines)]
    keywords = [f"{name}" for _term, name in extra] + [name for name, _ in late]
    arguments = [name for name, _lines in parameters] + (["*", *keywords] if keywords else [])
    taking = [f"    {line}" for _name, unpacked in parameters for line in unpacked]
    body = [*taking, *_aligned(lines), f"    return {result(lambda x: _operand(x, names, texts))}"]
    imports = "import math\n\n" if {"erf", "erfc"} & routines else ""
    return "\n".join(
        [f"{imports}import numpy as np\n\n", *(text + "\n" for text in head), f"def {title}({', '.join(arguments)}):"]
        + body
    ) + "\n"  # fmt: skip


def _place_constant(term: Term, names: Names, texts: dict[int, str], extra: Any, late: list[tuple[str, str]]) -> None:
    value = term.value
    if is_literal(term, INLINE):
        texts[id(term)] = literal(value)
    elif term not in names:
        late.append((names.give(term, term.name or "C"), ""))


def _operand(x: Any, names: Names, texts: dict[int, str]) -> str:
    if x is None:
        return "None"
    if id(x) in texts:
        return texts[id(x)]
    return names[x]


def _inlined(term: Term, count: Any) -> bool:
    """Return whether a term is written inside the line that uses it: part of one row, or a transpose."""
    if term.op is ops.transpose:
        return True
    return term.inner and not term.name and count[id(term)] == 1


def _comment(term: Term) -> str:
    if term.is_number:
        return "  # float" if term.dtype is float else ""
    return f"  # {term.shape} {term.dtype}"


def _aligned(lines: list[str]) -> list[str]:
    """Return lines with their comments in one column."""
    codes = [line.partition("  # ") for line in lines]
    width = max((len(code) for code, _, _ in codes if len(code) <= 72), default=0)
    return [f"{code:<{width}}  # {text}" if text else code for code, _, text in codes]
