"""``where_nan``: the first number of a graph that is not finite, on the way forward or back, and what helps."""

import re
import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from tinygrad_mlp.check.foreign import library_of
from tinygrad_mlp.check.reporting import Block, Code, Report, Table, Verdict, count, number
from tinygrad_mlp.check.subject import as_leaf, called, parameter_names
from tinygrad_mlp.errors import TinygradError
from tinygrad_mlp.graph import GRADIENTS, NODES, SOURCES, Node, recording, toposort
from tinygrad_mlp.nest import Nest, flatten

from .births import Birth, Search, hidden, is_finite, nonfinite, search_backward, search_forward
from .dependence import numbers
from .origins import NO_LINES, Origin, described, letters, situation
from .remedies import Remedy, remedy_for

OTHERS = "where_nan follows recorded graphs: write f with tg's or NumPy's operations, of NumPy arrays or tensors of tg"


@dataclass(frozen=True)
class NonfiniteReport(Report):
    """What ``where_nan`` found; true if the value and all gradients are finite.

    Attributes:
        verdict: "right" if all is finite, else "wrong".
        name: of the function or node.
        origin: the first number that is not finite; None if all is finite.
        turn: where it turned from an infinity into a nan; None if it did not.
        remedy: what helps; None if nothing is known.
        others: how many other origins reach the value, or the gradients.
        nodes: how many nodes the graph has.
        gradients: name, shape and how many elements are not finite, of each leaf's gradient; empty if the value is not
            finite already.
        notes: what else there is to know.
    """

    verdict: Verdict
    name: str
    origin: Origin | None = None
    turn: Origin | None = None
    remedy: Remedy | None = None
    others: int = 0
    nodes: int = 0
    gradients: tuple[tuple[str, tuple[int, ...], int], ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def phase(self) -> str | None:
        """The way on which it was found, "forward" or "backward"; None if all is finite."""
        return self.origin.phase if self.origin else None

    @property
    def op(self) -> str | None:
        """The name of the first op that gives a number that is not finite; empty for a leaf."""
        return self.origin.op if self.origin else None

    @property
    def operand(self) -> int | None:
        """The number of the operand that is meant: see ``Origin``."""
        return self.origin.operand if self.origin else None

    @property
    def index(self) -> tuple[int, ...] | None:
        """The element."""
        return self.origin.index if self.origin else None

    @property
    def values(self) -> tuple[float | None, ...]:
        """The operands at the element; None for one that has no single number there."""
        return tuple(x.value for x in self.origin.values) if self.origin else ()

    @property
    def source(self) -> str:
        """The user's line; empty if it was not recorded."""
        return self.origin.source if self.origin else ""

    def headline(self) -> str:
        """Return what was found, in one line."""
        start = f"where_nan({self.name}): {self.verdict}"
        if self.origin is None:
            return f"{start}: the value and {count(len(self.gradients), 'gradient')} are finite"
        if self.phase == "forward":
            return f"{start}, forward: {self.origin}"
        return f"{start}, backward, with a finite value: {self.origin}"

    def blocks(self) -> Iterator[Block]:
        """Return the reason, the operands, the gradients concerned and the remedy."""
        if self.origin is not None:
            if self.origin.reason:
                yield self.origin.reason
            yield from _operand_table(self.origin)
        if self.turn is not None:
            yield f"it becomes nan: {self.turn}" + (f" ({self.turn.reason})" if self.turn.reason else "")
        if self.others:
            yield f"{count(self.others, 'other origin')} besides"
        if bad := [f"{name}: {n} of {int(np.prod(shape))}" for name, shape, n in self.gradients if n]:
            yield "gradients that are not finite: " + ", ".join(bad[:5]) + (", …" if len(bad) > 5 else "")
        yield from self.notes
        if self.remedy is not None:
            yield f"remedy: {self.remedy.text}"
            if self.remedy.code:
                yield Code("\n".join("    " + line for line in self.remedy.code.splitlines()))
            if self.remedy.meaning:
                yield f"    where {self.remedy.meaning}"

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain numbers, texts, lists and dicts."""
        remedy = None
        if self.remedy is not None:
            remedy = {"text": self.remedy.text, "code": self.remedy.code, "meaning": self.remedy.meaning}
        return {
            "check": "where_nan", "name": self.name, "verdict": self.verdict, "nodes": self.nodes,
            "origin": self.origin.to_dict() if self.origin else None,
            "turn": self.turn.to_dict() if self.turn else None,
            "others": self.others, "remedy": remedy, "notes": list(self.notes),
            "gradients": [
                {"name": name, "shape": list(shape), "not_finite": n} for name, shape, n in self.gradients
            ],
        }  # fmt: skip


def _operand_table(origin: Origin) -> Iterator[Block]:
    rows = [(x.place, number(x.value) if x.value is not None else x.summary) for x in origin.values]
    if origin.cotangent is not None:
        rows.append(("cotangent", number(origin.cotangent)))
    if rows:
        yield Table(("operand", "there"), rows)


# ------------------------------------------------------------------------------------------------------------ the check


def where_nan(f: Any, *inputs: Any) -> NonfiniteReport:
    """Return a report on the first number that is not finite: where it comes from, and what helps.

    If the value is not finite, it is followed back through operands that are not finite to where those are; a nan
    through nans, as long as there are any, so that an infinity that does no harm is not blamed. If the value is finite
    but a gradient is not, the reverse sweep is followed node by node: a finite cotangent must not become an infinity.

    Args:
        f: A function of the inputs, or of nothing if it reads them itself, as in
            ``where_nan(lambda: model.loss(X, y), model)``; it is run under ``tg.sources()``, so that lines are known.
            Or a node: its recorded graph is searched.
        inputs: For ``f``; floats and arrays of floats in them become leaves. The names of leaves are taken from them.

    Raises:
        TinygradError: ``f`` is neither a node nor a function, or returns no number.
        GradientError: An op has no derivative.
        StaleError: An operand was overwritten after its use.

    >>> report = where_nan(lambda x: tg.where(x > 0, tg.sqrt(x), 0.0).sum(), np.array([1.0, 0.0]))
    >>> report.phase, report.op, report.index, report.values
    ('backward', 'sqrt', (1,), (0.0,))
    >>> print(report.remedy.code)
    mask = x > 0  # or the condition of your where
    safe = tg.where(mask, x, 1.0)
    y = tg.where(mask, tg.sqrt(safe), 0.0)
    """
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore", RuntimeWarning)  # NumPy's on means of nothing
        if type(f) in NODES:
            _, names, parameters = _leaves(["input"] * len(inputs), inputs)
            return _examined(f.name or "node", [f], names, parameters)
        if not callable(f):
            raise TinygradError(f"where_nan: takes a node, or a function and its inputs, not {type(f).__name__}")
        given = parameter_names(f, len(inputs))
        arguments, names, parameters = _leaves(given, inputs)
        outputs = _outputs(_run(f, arguments))
        _, more, own = _leaves([""], [f] if hasattr(f, "named_parameters") else [])
        name = getattr(f, "__name__", type(f).__name__)
        report = _examined(name, outputs, {**more, **names}, parameters | own)
        if report.nodes or not (whole := list(_integers(given, inputs))):
            return report
        note = (
            f"integers are constants: {', '.join(whole)}: pass floats, so that what is computed from them is recorded"
        )
        return replace(report, notes=(*report.notes, note))


def _run(f: Any, arguments: Sequence[Any]) -> Any:
    """Return what the function gives, recorded with lines.

    Raises:
        TinygradError: It is a function of another library, or the inputs are.
    """
    _refuse_others("takes", arguments)
    try:
        with recording(GRADIENTS | SOURCES):
            return called(f, arguments)()
    except TypeError as error:
        if re.search(r"must be Tensor, not (Tensor|Value)", str(error)):  # PyTorch's, of ours
            raise TinygradError(f"where_nan: f is made of PyTorch's functions: {OTHERS}") from error
        raise


def _refuse_others(what: str, values: Any) -> None:
    for x in Nest(values).leaves:
        if (library := library_of(x)) != "NumPy":
            raise TinygradError(f"where_nan: f {what} a {type(x).__name__} of {library}: {OTHERS}")


def _integers(names: Sequence[str], inputs: Sequence[Any]) -> Iterator[str]:
    """Yield the inputs that are integers, by name."""
    for argument, name in zip(inputs, names, strict=False):
        nest = Nest(argument)
        for x, path in zip(nest.leaves, nest.paths, strict=True):
            if type(x) is int or getattr(getattr(x, "dtype", None), "kind", "") in "iu":
                yield name + path


def _examined(
    name: str, outputs: Sequence[Any], names: dict[Node, str], parameters: frozenset[Node]
) -> NonfiniteReport:
    """Return the report on outputs: forward on each, then backward from each."""
    roots = [y for y in outputs if type(y) in NODES]
    for y in outputs:
        if not is_finite(y if type(y) not in NODES else y._payload):
            if type(y) not in NODES:
                note = "the result is no node: nothing in it was computed from leaves"
                return NonfiniteReport("wrong", name, _raw_origin(y), notes=(note,))
            return _blame(name, y, search_forward(y), names, parameters)
    table: list[tuple[str, tuple[int, ...], int]] = []
    notes: list[str] = []
    nodes = 0
    for root in roots:
        if not root.requires_grad:
            continue
        found = search_backward(root)
        table += [(_leaf_name(x, names), g.shape, int(nonfinite(g).sum())) for x, g in found.leaves.items()]
        nodes += len(toposort(root))
        if found.found.first is not None:
            return _blame(name, root, found.found, names, parameters, tuple(table))
        notes += _harmless(root, found.harmless, names)
    if not table:
        notes.append("no gradient was looked at: nothing that requires one leads to the result")
    return NonfiniteReport("right", name, nodes=nodes, gradients=tuple(table), notes=tuple(dict.fromkeys(notes)))


def _blame(
    name: str,
    root: Node,
    search: Search,
    names: dict[Node, str],
    parameters: frozenset[Node],
    gradients: tuple[tuple[str, tuple[int, ...], int], ...] = (),
) -> NonfiniteReport:
    """Return the report on a search that found something."""
    first, last = search.first, search.turn
    assert first is not None
    order = toposort(root)
    origin = described(first, names)
    turn = described(last, names) if last is not None else None
    remedy = None
    at_leaf = not origin.op or (origin.phase == "forward" and origin.operand is not None)
    births: list[tuple[Birth, Origin]] = [(first, origin)]
    if last is not None and turn is not None:
        births.insert(0 if at_leaf else 1, (last, turn))
    for birth, found in births:
        own = birth.node in parameters
        if remedy is None:
            remedy = remedy_for(situation(birth, found, order, turn.op if turn else "", own))
            remedy = remedy and remedy.named(letters(birth, remedy.of, names))
    notes = [] if origin.source or not origin.op else [NO_LINES]
    return NonfiniteReport("wrong", name, origin, turn, remedy, search.others, len(order), gradients, tuple(notes))


def _harmless(root: Node, born: Birth | None, names: dict[Node, str]) -> Iterator[str]:
    inside = hidden(root)
    if inside is not None:
        yield f"inside, {described(inside, names)}, but it reaches neither the value nor a gradient"
    if born is not None:
        yield f"on the way back, {described(born, names)}, but it reaches no leaf"


def _raw_origin(y: Any) -> Origin:
    values = numbers(y)
    index = tuple(int(i) for i in np.argwhere(nonfinite(values))[0])
    return Origin("forward", "", None, "result", index, float(values[index]), (), None, "", "", is_leaf=False)


# --------------------------------------------------------------------------------------------------------------- inputs


def _leaves(names: Sequence[str], inputs: Iterable[Any]) -> tuple[list[Any], dict[Node, str], frozenset[Node]]:
    """Return the inputs with leaves for floats and arrays of floats, the names of leaves, and which are parameters."""
    arguments: list[Any] = []
    named: dict[Node, str] = {}
    parameters: set[Node] = set()
    for argument, name in zip(inputs, names, strict=False):
        nest = Nest(argument)
        made = [as_leaf(value) for value in nest.leaves]
        arguments.append(nest.refill(made))
        for node, path, owned in zip(made, nest.paths, nest.owned, strict=True):
            if type(node) in NODES:
                named.setdefault(node, node.name or name + path)
                if owned:
                    parameters.add(node)
    return arguments, named, frozenset(parameters)


def _leaf_name(x: Node, names: dict[Node, str]) -> str:
    return names.get(x) or x.name or "unnamed"


def _outputs(result: Any) -> list[Any]:
    outputs = [result] if type(result) in NODES else flatten(result)[0]
    _refuse_others("returned", outputs)
    for y in outputs:
        if type(y) not in NODES and not isinstance(y, float | int | np.ndarray | np.generic):
            raise TinygradError(f"where_nan: f returned {type(y).__name__}: return a node, or a nest of nodes")
    if not outputs:
        raise TinygradError("where_nan: f returned nothing: return a node, or a nest of nodes")
    return outputs
