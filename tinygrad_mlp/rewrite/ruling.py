"""How a rule is written and found: its title, the calls that it looks at, and whether its result is more stable."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from tinygrad_mlp import ops
from tinygrad_mlp.errors import UnsupportedError
from tinygrad_mlp.table import OPS

from .terms import Program, Term, _dtype_of, freeze

Rule = Callable[..., Any]
Table = dict[Any, Sequence["Named"]]
RULES: Table = {}  # by row
TITLES: dict[str, "Named"] = {}  # by title, in the order in which they are written
ELEMENTWISE = tuple(op for op in OPS.values() if op.elementwise)


class Named:
    """A rule with its name.

    Attributes:
        title: Its name.
        function: ``function(program, *inputs, **params)`` gives a term in place of the call, or None.
        kind: "exact", "stable" for one that gives numbers where the original gives NaN or infinities, or "form" for one
            that only writes a call as the compiler expects it, and so is always on.
    """

    def __init__(self, title: str, function: Rule, kind: str) -> None:
        """Take all three."""
        self.title = title
        self.function = function
        self.kind = kind
        self.__doc__ = function.__doc__

    def __call__(self, program: Program, *inputs: Any, **params: Any) -> Any:
        """Return what the rule gives, None where that has another shape or dtype than the original."""
        op = program.calling
        found = self.function(program, *inputs, **params)
        if found is None or not op.elementwise or like(found, *result(op, *inputs, **params)):
            return found
        return None


def rule(title: str, *rows: Any, kind: str = "exact") -> Callable[[Rule], Rule]:
    """Return a decorator that enters a rule for calls of the rows in the table."""

    def enter(function: Rule) -> Rule:
        named = Named(title, function, kind)
        if TITLES.setdefault(title, named) is not named:
            raise AssertionError(f"two rules are called {title!r}")
        for row in rows:
            RULES[row] = [*RULES.get(row, ()), named]
        return function

    return enter


def every_rule() -> list[Named]:
    """Return all rules, each once, in the order in which they are written."""
    return list(TITLES.values())


def chosen(titles: Iterable[str]) -> Table:
    """Return the table with only the rules of these titles, and the forms."""
    wanted = frozenset(titles)
    return {op: [r for r in rules if r.title in wanted or r.kind == "form"] for op, rules in RULES.items()}


def check_titles(rules: Any) -> frozenset[str]:
    """Return the titles of the rules that are on: all for True, none for False, else those given.

    Raises:
        UnsupportedError: There is no rule of that title.
    """
    known = list(TITLES)
    if isinstance(rules, bool):
        return frozenset(known if rules else ())
    wanted = (rules,) if isinstance(rules, str) else tuple(rules)
    for title in wanted:
        if title not in known:
            raise UnsupportedError(f"compile: there is no rule {title!r}; there are {', '.join(map(repr, known))}")
    return frozenset(wanted)


# ------------------------------------------------------------------------------------------ what rules ask about terms


def is_(x: Any, *rows: Any) -> bool:
    """Return whether a term is a call of one of the rows."""
    return type(x) is Term and any(x.op is row for row in rows)


def is_one(x: Term) -> bool:
    """Return whether a term is the constant 1."""
    return x.is_constant and bool(x.number == 1)


def is_float(x: Term) -> bool:
    """Return whether a term has a floating dtype: negatives of integers wrap around."""
    return bool(np.dtype(x.dtype).kind == "f")


def like(x: Any, shape: Any, dtype: Any) -> bool:
    """Return whether a term has the shape and the dtype; a Python number has not that of an array."""
    return bool(x.shape == shape and type(x.dtype) is type(dtype) and x.dtype == dtype)


def result(op: Any, *inputs: Any, **params: Any) -> tuple[Any, Any]:
    """Return the shape and dtype of what an elementwise op gives."""
    shape = np.broadcast_shapes(*(x.shape for x in inputs if x is not None))
    return shape, _dtype_of(op, tuple(None if x is None else x.dtype for x in inputs), freeze(params), params)


def instead(program: Program, op: Any, kept: Term, *inputs: Any) -> Any:
    """Return ``kept`` in place of ``op(*inputs)``, repeated to its shape if need be; None if the dtype is another."""
    shape, dtype = result(op, *inputs)
    if not like(kept, kept.shape, dtype):
        return None
    return kept if kept.shape == shape else program.make(ops.broadcast_to, kept, shape=shape)


def both_ways(a: Any, b: Any) -> Iterator[tuple[Any, Any]]:
    """Yield a pair and the same the other way round."""
    yield a, b
    yield b, a


def signed(x: Term) -> tuple[bool, Term]:
    """Return whether a term is a negative, and what it is without its sign."""
    minus = False
    while is_(x, ops.negative):
        minus, x = not minus, x.inputs[0]
    return minus, x


def addends(x: Term) -> list[tuple[bool, Term]]:
    """Return the two parts of a sum or a difference, each with whether it is subtracted; nothing for other terms."""
    if not is_(x, ops.add, ops.subtract):
        return []
    (minus, a), (other, b) = map(signed, x.inputs)
    return [(minus, a), (other ^ (x.op is ops.subtract), b)]


def combined(program: Program, parts: Sequence[tuple[bool, Term]]) -> Term:
    """Return the sum of two parts with signs."""
    (minus, a), (other, b) = parts
    if minus:
        minus, a, other, b = other, b, minus, a
    if minus:
        return program.make(ops.negative, program.make(ops.add, a, b))
    return program.make(ops.subtract if other else ops.add, a, b)
