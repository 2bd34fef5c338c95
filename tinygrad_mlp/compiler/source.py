"""The rewritten program as NumPy code that a person reads: one operation a line, with the user's own names."""

import builtins
import inspect
import keyword
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from tinygrad_mlp import ops
from tinygrad_mlp.graph import NODES
from tinygrad_mlp.rewrite import Term, ordered, uses

from .capture import Fixed
from .runner import write_nest
from .runtime import ROUTINES
from .writing import expression, is_literal, literal

TAKEN = frozenset((*keyword.kwlist, *dir(builtins), "np", "math", *ROUTINES))
INLINE = 16  # elements; a larger constant is an argument of the function


class Names:
    """A name for each term, no name twice: the user's where there is one."""

    def __init__(self, taken: Iterable[str] = TAKEN) -> None:
        """Begin with names that may not be used."""
        self._taken = set(taken)
        self._names: dict[int, str] = {}
        self._counts: dict[str, int] = {}  # the last number that a name was given

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
        name, n = base, self._counts.get(base, 0)
        while name in self._taken or not name.isidentifier():
            n += 1
            name = f"{base}_{n}" if base[-1:].isdigit() else f"{base}{n}"
        self._counts[base] = n
        self._taken.add(name)
        return name


def write_source(title: str, replay: Any) -> tuple[str, dict[str, Any]]:
    """Return the text of a function that computes what was recorded, and the constants that it takes by name.

    It takes and returns what the user's function does; beside that it takes, by name, the leaves that this reads, the
    generators and arrays that it holds, and the rows that NumPy has no function for. It returns, in a dict by name,
    what the leaves, and the state of optimizers and modules, become.

    Args:
        title: Its name.
        replay: The recording, and its lowered terms.
    """
    leaves = [leaf for _reader, _term, leaf in replay.translation.live]
    source = _Source(replay.capture, replay.inputs, leaves, replay.of)
    return source.written(title, replay.wanted), source.constants


class _Source:
    """A source while it is written."""

    def __init__(self, capture: Any, inputs: Sequence[Term], live: Sequence[Any], of: Any) -> None:
        self.capture = capture
        self.of = of
        self.names = Names()
        self.texts: dict[int, str] = {}
        self.lines: list[str] = []
        self.routines: set[str] = set()
        self.rows: dict[str, str] = {}
        self.constants: dict[str, Any] = {}
        arguments = capture.arguments
        places = {id(a.node): x for a, x in zip(arguments.traced, inputs, strict=False)}
        self.parameters: list[str] = []
        given = [*zip(arguments.titles, arguments.args, strict=True), *arguments.kwargs.items()]
        for name, nest in given:
            self.parameters.append(self._take(name, nest, places))
        self.extra = [self.names.give(x, x.name or "leaf") for x in inputs[len(arguments.traced) :]]
        read = [node for _reader, node in capture.readers]  # the first of what is live
        nodes = [*read, *live[len(read) :]]
        self.leaves = {id(node): name for node, name in zip(nodes, self.extra, strict=True)}
        self.leaves |= {id(a.node): self.names[places[id(a.node)]] for a in arguments.traced if a.is_leaf}
        self.wishes = self._replaced(inputs)

    def _replaced(self, inputs: Sequence[Term]) -> dict[int, str]:
        """Return names for results without one that replace an input: the new ``W`` is ``new_W``."""
        capture, mine = self.capture, {id(x) for x in inputs}
        wishes = {}
        for value in capture.outputs:
            term = None if type(value) is Fixed else self.of(value)
            if term is not None and term.op in (ops.add, ops.subtract):
                for x in reversed([x for x in term.inputs if id(x) in mine]):
                    if (x.shape, x.dtype) == (term.shape, term.dtype):
                        wishes[id(term)] = f"new_{self.names[x]}"
        pairs = [*((node, self.of(value)) for _writer, value, node in capture.cells)]
        pairs += [(leaf, self.of(value, leaf)) for leaf, value in capture.writes]
        return wishes | {id(term): f"new_{self.leaves[id(x)]}" for x, term in pairs if id(x) in self.leaves}

    def _take(self, name: str, nest: Any, places: dict[int, Term]) -> str:
        """Return the name of a parameter, and write the line that takes its nest apart."""
        if type(nest) in NODES and id(nest) in places:
            term = places[id(nest)]
            return self.names[term] if term in self.names else self.names.give(term, term.name or name)
        name = self.names.fresh(name)
        if isinstance(nest, dict | list | tuple) and nest:
            values = nest.values() if isinstance(nest, dict) else nest
            place = len(self.lines)
            parts = [self._take(f"{name}{i}", x, places) for i, x in enumerate(values)]
            taken = f"{name}.values()" if isinstance(nest, dict) else name
            self.lines.insert(place, f"{', '.join(parts)}{',' * (len(parts) == 1)} = {taken}")
        return name

    def written(self, title: str, wanted: Sequence[Term]) -> str:
        """Return the whole text."""
        order = ordered(wanted)
        count = uses(order, wanted)
        computed = [line for term in order for line in self._line(term, count)]
        body = [*self.lines, *_aligned(computed), *self._slopes(), f"return {self._returned()}"]
        keywords = ["*", *self.extra] if self.extra else []
        title = title if title.isidentifier() and title not in TAKEN else "program"
        head = [inspect.getsource(ROUTINES[name]) for name in sorted(self.routines)]
        head = [text.replace(": Any", "").replace(" -> Any", "") + "\n\n" for text in head]
        imports = "import math\n\n" if any("math." in text for text in (*head, *computed)) else ""
        start = f"{imports}import numpy as np\n\n\n{''.join(head)}"
        return f"{start}def {title}({', '.join([*self.parameters, *keywords])}):\n" + "".join(
            f"    {line}\n" for line in body
        )

    def _line(self, term: Term, count: Any) -> list[str]:
        """Return the line of a term, if it has one of its own."""
        if term.op is None:
            if term.is_constant and term not in self.names:
                self._place(term)
            return []
        if term.op.name in ROUTINES and not term.is_number:
            self.routines.add(term.op.name)
        text = self._expression(term)
        if _inlined(term, count):
            self.texts[id(term)] = text
            return []
        name = self.names.give(term, term.name or self.wishes.get(id(term), "t"))
        return [f"{name} = {text}{_comment(term)}"]

    def _expression(self, term: Term) -> str:
        """Return a term as an expression; a row that NumPy has no function for is an argument."""
        text, row = expression(term, self._operand), term.op.name
        if not text.startswith(f"{row}(") or row in ROUTINES:
            return text
        if row not in self.rows:
            self.rows[row] = self.names.fresh(row)
            self._hold(self.rows[row], term.op)
        return self.rows[row] + text.removeprefix(row)

    def _place(self, term: Term) -> None:
        """Write a constant out, or make it an argument."""
        if is_literal(term, INLINE):
            self.texts[id(term)] = literal(term.value)
        else:
            self._hold(self.names.give(term, term.name or "C"), term.value)

    def _hold(self, name: str, value: Any) -> None:
        """Take a constant by name."""
        self.extra.append(name)
        self.constants[name] = value

    def _operand(self, x: Any) -> str:
        if x is None:
            return "None"
        if isinstance(x, int):  # the seed of a generator that is new in every call
            return f"np.random.default_rng({x!r})"
        if type(x) is not Term and x not in self.names:
            self._hold(self.names.give(x, "rng"), x)
        return self.texts[id(x)] if id(x) in self.texts else self.names[x]

    def _returned(self) -> str:
        """Return the code of what is returned."""
        texts = [
            repr(value.value) if type(value) is Fixed else self._operand(self.of(value))
            for value in self.capture.outputs
        ]
        result = write_nest(self.capture.returned, iter(texts))
        changed = [(self._title(leaf), self._operand(self.of(value, leaf))) for leaf, value in self.capture.writes]
        changed += [(self._title(node), self._operand(self.of(value))) for _, value, node in self.capture.cells]
        if not changed:
            return result
        return f"{result}, {{{', '.join(f'{name!r}: {text}' for name, text in changed)}}}"

    def _title(self, leaf: Any) -> str:
        return self.leaves.get(id(leaf)) or self.names.fresh(leaf.name or "leaf")

    def _slopes(self) -> Iterator[str]:
        """Yield comments that tell what becomes of each ``.grad``."""
        for leaf, slope in self.capture.grads:
            yield f"# {self._title(leaf)}.grad = {'None' if slope is None else self._operand(self.of(slope, leaf))}"


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
