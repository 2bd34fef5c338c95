"""How a row enters the table, and its derivatives with it."""

from collections.abc import Callable
from typing import Any, overload

from tinygrad_mlp.errors import GradientError, TinygradError

from .op import OPS, BinaryOp, Op, UnaryOp, VariadicOp
from .signature import MISSING, VARARGS, VARIADIC, Rule, signature_of


@overload
def primitive(forward: Rule) -> Op: ...
@overload
def primitive(**properties: Any) -> Callable[[Rule], Op]: ...
def primitive(forward: Rule | None = None, **properties: Any) -> Any:
    """Return the op whose forward rule is decorated, and enter it in the table.

    Args:
        forward: ``forward(xp, *operands, **params)``.
        **properties: symbol, latex, elementwise, linear, scalars, saves, view, random, differentiable, analytic,
            symmetric, domain, defined, kinks, explain; see ``Op``.

    >>> @primitive(symbol="³", elementwise=True)
    ... def cube(xp, x):
    ...     return x * x * x
    >>> defvjp(cube, lambda g, y, x: 3 * g * x * x)
    >>> cube(2.0)
    8.0

    Raises:
        TinygradError: The rule does not take ``xp`` first, or an op of another module has the name.
    """
    if forward is None:
        return lambda rule: primitive(rule, **properties)
    operands, params, _ = signature_of(forward)
    required = all(default is MISSING for _, default in operands)
    kind = Op
    if operands is VARIADIC:
        kind = VariadicOp
    elif len(operands) == 1 and required:
        kind = UnaryOp
    elif len(operands) == 2 and required and not params and not properties.get("saves"):
        kind = BinaryOp
    op = kind(forward, **properties)
    if op.name in OPS and OPS[op.name].__module__ != op.__module__:
        raise TinygradError(f"primitive: the table has an op {op.name!r} already: choose another name")
    OPS[op.name] = op
    return op


def _reads(rule: Rule | None, skip: int, arity: int) -> tuple[bool, ...]:
    """Return which operands a rule reads: those that it does not name with a leading underscore."""
    code = getattr(rule, "__code__", None)
    if code is None:
        return (rule is not None,) * arity
    skip += hasattr(rule, "__self__")
    names = list(code.co_varnames[skip : code.co_argcount])
    if code.co_flags & VARARGS:
        names += [code.co_varnames[code.co_argcount + code.co_kwonlyargcount]] * arity
    if len(names) < arity:
        raise GradientError(
            f"{code.co_name}: a vjp takes the operands too, and here are names for {len(names)} of {arity}"
        )
    return tuple(not names[i].startswith("_") for i in range(arity))


def defvjp(op: Op, *rules: Rule | None) -> None:
    """Register the vjp of each operand: ``rule(g, y, *operands, **params)``; None where there is no derivative.

    An operand whose values the rule does not read is named with a leading underscore in the rule.
    """
    if len(rules) != op.arity:
        raise GradientError(f"defvjp: {op.name} has {op.arity} operands, and {len(rules)} rules were given")
    op.vjps = rules
    op.reads = tuple(_reads(rule, 2, len(rules)) for rule in rules)


def defvjps(op: Op, rule: Rule) -> None:
    """Register one rule for all operands: ``rule(wanted, g, y, *operands, saved, **params)`` returns their gradients.

    ``wanted`` says for each operand whether it needs one; ``saved`` is what the forward rule saved, or None where the
    gradient is itself recorded, and then the rule recomputes it through ops.
    """
    op.joint_vjp = rule
    op.reads = (_reads(rule, 3, op.arity or 1),) * (op.arity or 1)


def defvjp_argnum(op: Op, rule: Rule) -> None:
    """Register the vjp of an op that takes a sequence: ``rule(argnum, g, y, *operands, **params)``."""
    op.argnum_vjp = rule
    op.reads = (_reads(rule, 3, 1),)


def defjvp(op: Op, *rules: Rule | None) -> None:
    """Register the jvp of each operand, ``rule(t, y, *operands, **params)``; by default it is derived from the vjp."""
    if len(rules) != op.arity:
        raise GradientError(f"defjvp: {op.name} has {op.arity} operands, and {len(rules)} rules were given")
    op.jvps = rules
