"""``check_exact``: the derivatives that the rules of a scalar graph give, as formulas, against those of sympy.

The graph of a function of numbers is recorded and its rules are run on letters, from the output back to the inputs:
that is the engine's derivative, a formula. Sympy differentiates the formula of the function itself. Where both are the
same, no rounding and no choice of points is in doubt. Where they are not, each rule of the graph is compared in turn.
"""

import inspect
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from tinygrad_mlp.arrays import thaw
from tinygrad_mlp.errors import GradientError, TracingError, UnsupportedError
from tinygrad_mlp.graph import EVERYTHING, GRADIENTS, NODES, recording
from tinygrad_mlp.nest import Nest
from tinygrad_mlp.symbols import Symbol
from tinygrad_mlp.symbols.simplify import make
from tinygrad_mlp.tensors import Value

from .equality import Comparison, compare, sample
from .expressions import Functions, Translation
from .formal import Rules, edges, gradient, is_larger
from .jumps import sympy_module
from .report import Derivative, ExactReport, Rule

LARGEST = 400  # ops and letters of a formula that is written out as a whole
GROWTH = 10  # times as large may its derivative be
WEAK = ("rounding", "50 digits")
SECONDS = 0.6  # for simplifying; what is not done by then is evaluated only
START = 0.6  # the number that an input without a value has while the graph is recorded


def check_exact(
    f: Callable[..., Any],
    *inputs: Any,
    order: int = 1,
    functions: Functions | None = None,
    rng: int | np.random.Generator = 0,
) -> ExactReport:
    r"""Return a report that compares the engine's derivatives of a function of numbers with sympy's, as formulas.

    ``f`` is recorded once, with comparisons, so that ``where`` keeps both of its branches; only if it branches in
    Python, by ``if``, one branch is checked, that of the inputs' values. At kinks there is no derivative, and nothing
    is compared.

    A derivative is proved by simplifying the difference of the two formulas to 0, in each case of the comparisons in
    it that some point in the domain meets. If that takes too long, or the formula is too large, each rule of the graph
    is proved instead, of which the chain rule makes the derivative; and if that fails, 50 digits at some dozen points
    decide. The report says which.

    Args:
        f: Takes numbers, or nests of them, and returns one; made of ops, operators and methods.
        inputs: For each argument a name, a value, a leaf, a scalar module, or a nest of them; by default the names of
            ``f``'s parameters.
        order: 1, or 2 to compare the second derivatives as well.
        functions: For rows that you added to the table, by the name of the op: what makes a sympy expression of the
            operands' expressions, as ``{"cube": lambda x: x**3}``.
        rng: The seed or generator for the points.

    Raises:
        MissingDependencyError: sympy is not installed.
        UnsupportedError: An op of the graph has no sympy expression, or an input is an array.
        GradientError: ``f`` returns no single number, or one that depends on no input.

    >>> report = check_exact(lambda x: x.tanh())
    >>> report.verdict, report.derivatives[0].proof, report.derivatives[0].engine
    ('right', 'simplified', 1 - tanh(x)**2)
    """
    if order not in (1, 2):
        raise UnsupportedError(f"check_exact: order is {order!r}; choose 1 or 2")
    sympy_module()  # raises early
    name = getattr(f, "__name__", type(f).__name__)
    arguments, taken = _inputs(f, inputs)
    root, is_whole = _recorded(f, arguments)
    letters = [Symbol(x.name) for x in taken]
    formula = _formula(root, {id(x.node): letter for x, letter in zip(taken, letters, strict=True)})
    check = _Check(letters, [x.value for x in taken], functions, np.random.default_rng(rng))
    value = check.written(formula)
    derivatives = check.derivatives(formula, value, order)
    notes = [] if is_whole else ["f branches in Python: checked as it branches at the given values"]
    names = tuple(x.letter for x in letters)
    rules = tuple(check.wrong_rules(derivatives))
    return ExactReport(name, names, value, derivatives, rules, tuple(notes), check.translation.jumps)


# --------------------------------------------------------------------------------------------------------------- inputs


class _Input(NamedTuple):
    """A number that ``f`` takes: its node, what it is called, where it stands, and its value, if it has one."""

    node: Any
    name: str
    path: str
    value: float | None


def _inputs(f: Callable[..., Any], inputs: Sequence[Any]) -> tuple[list[Any], list[_Input]]:
    """Return the arguments for ``f``, and the inputs in them."""
    names = _parameters(f)
    given = inputs or names
    if not given:
        raise GradientError("check_exact: no inputs: pass a name or a number for each argument of f")
    arguments: list[Any] = []
    found: dict[int, _Input] = {}
    for k, argument in enumerate(given):
        nest = Nest(argument)
        first = names[k] if k < len(names) else f"x{k}"
        mine = [_input(x, first + path, START + 0.1 * k) for x, path in zip(nest.leaves, nest.paths, strict=True)]
        found.update({id(x.node): x for x in mine})
        arguments.append(nest.refill([x.node for x in mine]))
    taken = [x.name for x in found.values()]
    unique = [x if taken.count(x.name) == 1 else x._replace(name=x.path) for x in found.values()]
    taken = [x.name for x in unique]
    if twice := [name for name in taken if taken.count(name) > 1]:
        raise GradientError(f"check_exact: two inputs are named {twice[0]!r}: give them names of their own")
    return arguments, unique


def _parameters(f: Callable[..., Any]) -> list[str]:
    try:
        parameters = inspect.signature(f).parameters.values()
    except (TypeError, ValueError):
        return []
    return [
        p.name
        for p in parameters
        if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD) and p.default is inspect.Parameter.empty
    ]


def _input(x: Any, path: str, start: float) -> _Input:
    """Return the input that a name, a number or a leaf stands for."""
    if isinstance(x, str):
        return _Input(Value(start), x, x, None)
    if type(x) is Value and x.op is None:
        return _Input(x, x.name or path, path, float(x._payload))
    if isinstance(x, int | float | np.floating) and not isinstance(x, bool) and np.isfinite(x):
        return _Input(Value(float(x)), path, path, float(x))
    shape = f" of shape {tuple(x.shape)}" if getattr(x, "shape", ()) else ""
    kind = f"a computed {type(x).__name__}" if getattr(x, "op", None) is not None else f"a {type(x).__name__}{shape}"
    raise UnsupportedError(f"check_exact: {path} is {kind}: it takes names, numbers and leaves; gradcheck takes arrays")


def _recorded(f: Callable[..., Any], arguments: Sequence[Any]) -> tuple[Any, bool]:
    """Return the output of ``f``, and whether it was recorded with its comparisons."""
    with np.errstate(all="ignore"):
        try:
            with recording(EVERYTHING):
                y, is_whole = f(*arguments), True
        except TracingError:
            with recording(GRADIENTS):
                y, is_whole = f(*arguments), False
    if type(y) not in NODES or y.shape:
        what = f"an array of shape {y.shape}" if type(y) in NODES else f"a {type(y).__name__}"
        raise GradientError(f"check_exact: f returned {what}: it returns one number computed from its inputs")
    return y, is_whole


def _formula(root: Any, letters: Mapping[int, Symbol]) -> Any:
    """Return the graph of ``root`` as a formula; it is as deep as it likes."""
    done: dict[int, Any] = dict(letters)
    stack = [root]
    while stack:
        node = stack[-1]
        if id(node) in done:
            stack.pop()
            continue
        inputs = node.inputs
        waiting = [x for x in inputs if type(x) in NODES and id(x) not in done]
        stack += waiting
        if waiting:
            continue
        operands = [done[id(x)] if type(x) in NODES else _number(thaw(x), node.op) for x in inputs]
        depends = any(type(x) is Symbol for x in operands)
        done[id(node)] = make(node.op, operands, dict(node.params)) if depends else node._payload
    found = done[id(root)]
    if type(found) is not Symbol:
        raise GradientError("check_exact: what f returned depends on none of its inputs")
    return found


def _number(x: Any, op: Any) -> Any:
    """Return a constant operand as a Python number."""
    if x is None or isinstance(x, bool | int | float):
        return x
    array = np.asarray(x)
    if array.size != 1:
        raise UnsupportedError(f"check_exact: {op.name} takes an array of shape {array.shape}: only numbers are exact")
    return array.reshape(()).item()


# -------------------------------------------------------------------------------------------------------------- compare


class _Check:
    """One check: letters and their sympy symbols, points, the rules that were run, and the time that is left."""

    def __init__(
        self,
        letters: Sequence[Symbol],
        values: Sequence[float | None],
        functions: Functions | None,
        rng: np.random.Generator,
    ) -> None:
        self.sp, self.letters, self.rng = sympy_module(), letters, rng
        self.translation = Translation(functions)
        self.symbols = self._symbols(x.letter for x in letters)
        self.points = sample(len(letters), values, rng)
        self.until = time.perf_counter() + SECONDS
        self.rules = Rules()
        self.judged: dict[Any, Rule] = {}
        self.formulas: list[Any] = []  # what was differentiated

    def _symbols(self, names: Iterable[str]) -> dict[str, Any]:
        return {name: self.sp.Symbol(name, real=True) for name in names}

    def written(self, formula: Any) -> Any:
        """Return the expression of a formula; None if it is too large."""
        if is_larger(formula, LARGEST):
            return None
        return self.translation.expressions([formula], self.symbols)[0]

    def derivatives(self, formula: Any, value: Any, order: int) -> tuple[Derivative, ...]:
        """Return the comparisons of all derivatives up to an order of a formula, whose expression is ``value``."""
        self.formulas = [formula]
        is_needed = value is not None or order == 2
        first = gradient(formula, self.letters, self.rules) if is_needed else [None] * len(self.letters)
        found = [self.derivative(value, (x,), g) for x, g in zip(self.letters, first, strict=True)]
        if order == 2:
            self.formulas += first
            for i, g in enumerate(first):
                rows = gradient(g, self.letters, self.rules)
                pairs = zip(self.letters[i:], rows[i:], strict=True)
                found += [self.derivative(value, (self.letters[i], x), h) for x, h in pairs]
        return tuple(found)

    def derivative(self, value: Any, wrt: tuple[Symbol, ...], engine: Any) -> Derivative:
        """Compare one derivative of the whole."""
        names = tuple(x.letter for x in wrt)
        if value is None or is_larger(engine, GROWTH * LARGEST):
            return self._by_rules(names, None, None, Comparison(None, "none", 0))
        letters, variables = list(self.symbols.values()), [self.symbols[name] for name in names]
        (left,) = self.translation.expressions([engine], self.symbols)
        right = self.differentiated(value, variables)
        found = compare(left, right, value, variables, letters, self.points, self.translation.jumps, self.until)
        if found.proof in ("simplified", "rounding") or found.equal is False:
            return Derivative(names, left, right, found, self.translation.jumps)
        return self._by_rules(names, left, right, found)

    def differentiated(self, value: Any, variables: Sequence[Any]) -> Any:
        """Return sympy's derivative; what jumps has slope 0."""
        return self.translation.jumps.settled(self.sp.diff(value, *variables))

    def _by_rules(self, names: tuple[str, ...], left: Any, right: Any, found: Comparison) -> Derivative:
        """Decide by the rules of the graph, each on its own."""
        proofs = [rule.comparison for rule in self._judged()]
        if any(c.equal is False for c in proofs) and found.equal is None:
            found = found._replace(equal=False)
        elif all(c.equal and c.proof == "simplified" for c in proofs):
            found = found._replace(equal=True, proof="rule by rule")
        elif all(c.equal for c in proofs) and found.equal is None:
            weakest = min(proofs, key=lambda c: ("rounding", "50 digits").index(c.proof) if c.proof in WEAK else 2)
            found = weakest._replace(point=())
        return Derivative(names, left, right, found, self.translation.jumps)

    # ---------------------------------------------------------------------------------------------------------- rules

    def _judged(self) -> list[Rule]:
        """Return every rule that is in use, compared."""
        found = [self.judge(x, i) for x, i in edges(self.formulas)]
        return list({id(rule): rule for rule in found}.values())

    def wrong_rules(self, derivatives: Sequence[Derivative]) -> list[Rule]:
        """Return the rules that are wrong, if a derivative is."""
        if all(d.comparison.equal for d in derivatives):
            return []
        return [rule for rule in self._judged() if rule.comparison.equal is False]

    def judge(self, x: Symbol, i: int) -> Rule:
        """Compare the rule for one operand of an op with the derivative of the op's expression."""
        key = self.rules.key(x, i)
        if key not in self.judged:
            rule = self.rules.of(x, i)
            names = [z.letter for z in rule.operands if type(z) is Symbol]
            symbols = self._symbols(["g", *names])
            (value,) = self.translation.expressions([rule.value], symbols)
            (left,) = self.translation.expressions([rule.formula], {**symbols, rule.output: value})
            variable = symbols[rule.operands[i].letter]
            right = symbols["g"] * self.differentiated(value, [variable])
            points = sample(len(symbols), [None], self.rng)
            until = max(self.until, time.perf_counter()) + SECONDS / 4
            letters = list(symbols.values())
            found = compare(left, right, value, [variable], letters, points, self.translation.jumps, until)
            jumps = self.translation.jumps
            self.judged[key] = Rule(rule.op.name, i, str(variable), left, right, found, tuple(symbols), jumps)
        return self.judged[key]
