"""An operation: what a call of it computes, and what it records."""

from collections.abc import Callable, Sequence
from itertools import cycle
from types import NoneType
from typing import Any

import numpy as np

from tinygrad_mlp import scalars
from tinygrad_mlp.arrays import NUMPY, as_payload, freeze, is_floating, namespace
from tinygrad_mlp.errors import DTypeError, TinygradError, UnsupportedError, own_kind
from tinygrad_mlp.graph import (
    GRADIENTS,
    NO_PARAMS,
    NODE_CLASSES,
    NODES,
    SOURCES,
    TRACING,
    Meta,
    clock,
    current_trace,
    keep_generators,
    mode,
    new,
    scope,
    user_line,
    wrap,
)

from .signature import MISSING, VARIADIC, Rule, signature_of

OPS: dict[str, "Op"] = {}
ndarray = np.ndarray
REAL = "fiub"  # kinds of dtype that can be computed with
COMMON = frozenset((ndarray, float, int))
NUMBERS = frozenset((float, int, bool))
PLAIN = NUMBERS | {str, slice, NoneType}
# What users of PyTorch and of older NumPy type, and the name here.
OURS = {"dim": "axis", "keepdim": "keepdims", "unbiased": "ddof", "a_min": "min", "a_max": "max"}


def op_named(name: str) -> "Op":
    """Return the op, for pickle and copy."""
    return OPS[name]


class Op:
    """One row of the table; call it on raw values to compute, on nodes to record as well.

    Attributes:
        name, symbol, latex: what messages, pictures and formulas print; ``{0}`` stands for the first operand.
        forward: ``forward(xp, *operands, **params)``; with ``saves`` it returns ``(y, saved)``.
        arity: the number of operands; None where the op takes a sequence of them.
        elementwise: operands broadcast against each other, and a vjp is summed back to its operand's shape.
        linear: linear in all operands jointly, so that the jvp is the op applied to the tangents.
        scalars: the forward rule also runs on Python floats.
        view: the result may share its operand's memory.
        random: the result depends on a generator among the params; its node keeps the op also where no gradient flows.
        analytic: the forward rule also runs on complex arrays and is complex differentiable there (complex step).
        symmetric: the operand's matrices are taken to be symmetric, and the gradient is that along symmetric ones.
        domain: an interval in which the op is smooth and its numbers are harmless, for tests.
        defined: where the op is defined, in LaTeX, as ``x > 0``; empty for all real numbers.
        kinks: what the derivative is where there is none, or no finite one, as ``0 at 0``; a sentence's end.
        alone: what a call with the first operand alone means, if it means something else: ``where(condition)``.
        vjps, joint_vjp, argnum_vjp, jvps: the derivatives; see ``defvjp``, ``defvjps``, ``defvjp_argnum``, ``defjvp``.
        options: params that the forward rule does not know, each with what computes a call that has it.
        reads: per operand that wants a gradient, whether its rule reads the values of each operand.
    """

    vjps: tuple[Rule | None, ...] = ()
    joint_vjp: Rule | None = None
    argnum_vjp: Rule | None = None
    jvps: tuple[Rule | None, ...] = ()
    options: dict[str, Rule] = NO_PARAMS
    alone: Rule | None = None

    def __init__(
        self,
        forward: Rule,
        *,
        symbol: str = "",
        latex: str = "",
        elementwise: bool = False,
        linear: bool = False,
        scalars: bool | None = None,
        saves: bool = False,
        view: bool = False,
        random: bool = False,
        differentiable: bool = True,
        analytic: bool = False,
        symmetric: bool = False,
        domain: tuple[float, float] = (-2.0, 2.0),
        defined: str = "",
        kinks: str = "",
        explain: Callable[..., str] | None = None,
    ) -> None:
        """Make a row of ``forward``; ``primitive`` does so and enters it in the table."""
        self.forward = forward
        self.name = self.__name__ = self.__qualname__ = forward.__name__
        self.__doc__ = forward.__doc__
        self.__module__ = forward.__module__
        self.symbol = symbol or self.name
        self.latex = latex
        self.elementwise = elementwise
        self.linear = linear
        self.scalars = (elementwise if scalars is None else scalars) and not saves  # a Value has no place to save in
        self.saves = saves
        self.view = view
        self.random = random
        self.differentiable = differentiable
        self.analytic, self.symmetric = analytic, symmetric
        self.domain, self.defined = domain, defined
        self.kinks = kinks
        self.explain = explain
        self.operands, self.param_names, self.positional = signature_of(forward)
        self.arity = None if self.operands is VARIADIC else len(self.operands)
        self.reads: tuple[tuple[bool, ...], ...] = ((True,) * (self.arity or 1),) * (self.arity or 1)

    def __repr__(self) -> str:
        return f"<op {self.name}>"

    def __reduce__(self) -> Any:
        return op_named, (self.name,)

    @property
    def __signature__(self) -> Any:
        """The signature that a caller sees: the forward rule's without ``xp``, and with the options."""
        import inspect  # takes 5 ms

        signature = inspect.signature(self.forward)
        shown = list(signature.parameters.values())[1:]
        if self.arity is None:
            kinds = [inspect.Parameter.POSITIONAL_ONLY, *[inspect.Parameter.POSITIONAL_OR_KEYWORD] * (len(shown) - 1)]
            shown = [p.replace(kind=kind) for p, kind in zip(shown, kinds, strict=True)]
        shown += [inspect.signature(rule).parameters[name] for name, rule in self.options.items()]
        return signature.replace(parameters=shown)

    def bind(self, args: tuple[Any, ...], params: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Return the operands and the params of a call as one would write it in Python."""
        operands, rest = list(args[: self.arity]), args[self.arity :]
        for name, default in self.operands[len(operands) :]:
            if name not in params and default is MISSING:
                raise DTypeError(f"{self.name}: operand {name!r} is missing")
            operands.append(params.pop(name, default))
        return tuple(operands), self._named(rest, params)

    def _named(self, rest: tuple[Any, ...], params: dict[str, Any]) -> dict[str, Any]:
        """Return the params of a call, those given by position under their names."""
        if len(rest) > len(self.positional):
            most = len(self.operands) + len(self.positional)
            raise DTypeError(f"{self.name}: takes at most {most} arguments by position")
        return {**dict(zip(self.positional, rest, strict=False)), **params} if rest else params

    def apply(self, inputs: tuple[Any, ...], params: dict[str, Any]) -> Any:
        """Compute on operands already told from params; record as a call does."""
        return Op.__call__(self, *inputs, **params)

    def __call__(self, *inputs: Any, **params: Any) -> Any:
        """Compute, and record if an operand is a node that requires a gradient; subclasses have short paths."""
        if len(inputs) != self.arity and self.arity is not None:
            if self.alone is not None and len(inputs) == 1 and not params:
                return self.alone(*inputs)
            inputs, params = self.bind(inputs, params)
        for name in self.options.keys() & params.keys() if self.options else ():
            return self.options[name](*inputs, **params)
        values: list[Any] = []
        constants: list[int] = []
        tracked, arrays, common = False, False, True
        for x in inputs:
            if type(x) in NODES:
                if x.requires_grad:
                    tracked = True
                x = x._payload
            else:
                constants.append(len(values))
                if type(x) is not ndarray or x.dtype.kind not in REAL:
                    x = as_payload(x)
            if type(x) is ndarray:
                arrays = True
            elif not self.scalars or type(x) not in NUMBERS:
                common = False
            values.append(x)
        found = len(constants) < len(values)
        xp = NUMPY if arrays and common else self._prepare(values, found)
        saved = keep_generators(params) if self.random else None
        try:
            y = self.forward(xp, *values, **params) if xp.apply is None else xp.apply(self, values, params)
        except (ValueError, TypeError, IndexError, OverflowError) as error:
            raise self.failure(values, params, error) from error
        if self.saves:
            y, saved = y
        if not found and not (self.random and mode() & TRACING):
            return y if not params else self._checked(y)  # raw in, raw out; but tracing draws anew, from a node
        y = self._owned(y, values)
        if tracked and type(y) is ndarray and mode() == GRADIENTS and self.differentiable and y.dtype.kind == "f":
            return _tensor(self, y, self._kept(inputs, values, constants) if constants else inputs, params, saved)
        node = wrap(self._checked(y))
        return self._record(node, tracked, inputs, values, constants, params, saved) if type(node) in NODES else node

    def _record(
        self,
        node: Any,
        tracked: bool,
        inputs: tuple[Any, ...],
        values: Sequence[Any],
        constants: Sequence[int],
        params: dict[str, Any],
        saved: Any,
    ) -> Any:
        """Return ``node`` with its history, as far as the recording mode asks for one."""
        what = mode()
        tracked = tracked and what & GRADIENTS != 0 and self.differentiable and is_floating(node._payload)
        if not tracked and not self.random and not what & TRACING:
            if self.view and type(node._payload) is ndarray and node._payload.base is not None:
                node._payload = node._payload.copy()  # a view whose base is not recorded could not be guarded
            return node
        node.op = self
        node.requires_grad = tracked
        node.set_inputs(self._kept(inputs, values, constants))
        own = _own(params)
        node.meta = Meta(own, source=user_line(), scope=scope.get()) if what & SOURCES else own
        if saved is not None:
            node.saved = saved
        if self.random and (trace := current_trace()) is not None:
            trace.draws.append(node)
        return node

    def _kept(self, inputs: Sequence[Any], values: Sequence[Any], constants: Sequence[int]) -> tuple[Any, ...]:
        """Return the operands as the graph keeps them: a constant array is copied if a rule, or a replay, reads it."""
        kept = list(inputs)
        traced = mode() & TRACING
        for i in constants:
            value = values[i]
            kept[i] = freeze(value) if type(value) not in NUMBERS and (traced or self.is_read(i, inputs)) else value
        return tuple(kept)

    def is_read(self, i: int, inputs: Sequence[Any]) -> bool:
        """Return whether the values of operand ``i`` are read by the rule of an operand that wants a gradient."""
        if self.argnum_vjp is not None:
            return self.reads[0][0]
        if self.joint_vjp is not None:
            return self.reads[0][i]
        return any(row[i] for x, row in zip(inputs, self.reads, strict=False) if type(x) in NODES and x.requires_grad)

    def _prepare(self, values: list[Any], found: bool) -> Any:
        """Return the namespace, after giving ``values`` the forms that the forward rule takes."""
        if NoneType in map(type, values):
            given = zip(values, self.operands if self.arity is not None else cycle(VARIADIC), strict=False)
            for v, (name, default) in given:
                if v is None and default is MISSING:
                    raise DTypeError(f"{self.name}: operand {name!r} is None: give numbers")
        if found and not any(type(v) is ndarray for v in values):
            for i, v in enumerate(values):  # a Value stays a Value
                if isinstance(v, np.generic):
                    values[i] = float(v) if v.dtype.kind == "f" else v.item()
        xp = namespace(*values)
        if not self.scalars and xp in (scalars, NUMPY):
            floating = next((v.dtype for v in values if type(v) is ndarray and v.dtype.kind == "f"), None)
            for i, v in enumerate(values):
                if type(v) in NUMBERS:
                    kind = floating if type(v) is float else None  # a number never widens
                    values[i] = as_payload(np.asarray(v, kind))
            xp = NUMPY
        return xp

    def _owned(self, y: Any, values: Sequence[Any]) -> Any:
        """Return an array, copied where a rule returned its operand, or a view of it without being declared a view."""
        if type(y) is not ndarray:
            if isinstance(y, np.generic):
                return np.asarray(y)
            if type(y) in NODES:
                what = f"a {type(y).__name__} as a parameter"
                raise DTypeError(f"{self.name}: {what}: it takes numbers, and no gradient flows to it: pass .item()")
            arrays = isinstance(y, float | int) and any(type(v) is ndarray for v in values)
            return np.asarray(y) if arrays else y  # floats alone give a float, and so a Value
        for v in values:
            if v is y:
                return y[...] if self.view else y.copy()
        if y.base is None or self.view:
            return y
        return y.copy() if any(type(v) is ndarray and np.may_share_memory(y, v) for v in values) else y

    def _checked(self, y: Any) -> Any:
        """Return a result that has no gradient, if it is a real number or an array of real numbers."""
        dtype = getattr(y, "dtype", None)
        if type(y) is bool and self.differentiable:  # a constant True that was chosen
            return float(y)
        if not isinstance(y, float | int) and (dtype is None or getattr(dtype, "kind", "f") not in REAL):
            what = f"{type(y).__name__} of {dtype}" if dtype is not None else type(y).__name__
            raise DTypeError(f"{self.name}: gives {what} instead of real numbers")
        return y

    def failure(self, values: Sequence[Any], params: dict[str, Any], error: Exception) -> Exception:
        """Return the error to raise where the forward rule failed on ``values``: it names the op, shapes and remedy."""
        if isinstance(error, TinygradError):
            return error
        unknown = [key for key in params if key not in self.param_names]
        if unknown:
            known = [name for name, default in self.operands if default is not MISSING] + list(self.param_names)
            ours = OURS.get(unknown[0])
            remedy = f"use {ours}=" if ours in known else f"it takes: {', '.join(known) or 'none'}"
            return UnsupportedError(f"{self.name}: no argument {unknown[0]!r} ({remedy})")
        about_shapes = isinstance(error, ValueError) and not isinstance(error, np.linalg.LinAlgError)
        text = self.explain(*values, **params) if self.explain is not None and about_shapes else ""
        if not text:
            shapes = [tuple(v.shape) for v in values if hasattr(v, "shape")]
            if self.elementwise and not _broadcast(shapes):
                text = f"{self.name}: shapes {' and '.join(map(str, shapes))} do not broadcast"
            else:
                text = f"{self.name} of {', '.join(map(str, shapes)) or 'numbers'}: {error}"
        return own_kind(error)(text)


def _broadcast(shapes: Sequence[tuple[int, ...]]) -> bool:
    try:
        np.broadcast_shapes(*shapes)
    except ValueError:
        return False
    return True


class VariadicOp(Op):
    """An op of a sequence of operands."""

    def __call__(self, *args: Any, **params: Any) -> Any:
        """Compute on the sequence that is the first argument, and record as any op."""
        first: Any = next(iter(args), None)  # of an array, its slices along the first axis
        if not isinstance(first, Sequence) and not getattr(first, "shape", ()):
            raise DTypeError(f"{self.name}: takes a list or tuple of arrays first")
        return Op.__call__(self, *first, **self._named(args[1:], params))


class UnaryOp(Op):
    """An op of one operand, with short paths for an array, and for a tensor that requires a gradient."""

    def __call__(self, x: Any = MISSING, *args: Any, **params: Any) -> Any:
        """Compute, and record if ``x`` is a node that requires a gradient."""
        if args or x is MISSING:
            (x,), params = self.bind((x, *args) if x is not MISSING else (), params)
        if type(x) in NODES:
            value = x._payload
            if type(value) is not ndarray or not x.requires_grad or not self.differentiable or mode() != GRADIENTS:
                return Op.__call__(self, x, **params)
        elif type(x) is ndarray and x.dtype.kind in REAL and not self.random:
            value = x
        else:
            return Op.__call__(self, x, **params)
        saved = None
        try:
            y = self.forward(NUMPY, value, **params)
        except (ValueError, TypeError, IndexError, OverflowError):
            return Op.__call__(self, x, **params)  # an option, or else an error that is told there
        if self.saves:
            y, saved = y
        if value is x:
            return y if not params or (type(y) is ndarray and y.dtype.kind in REAL) else self._checked(y)
        y = self._owned(y, (value,))
        if type(y) is not ndarray or y.dtype.kind != "f":
            return wrap(self._checked(y))
        return _tensor(self, y, (x,), params, saved)


class BinaryOp(Op):
    """An op of two operands and no parameters, with short paths for arrays, and for tensors that require a gradient."""

    def __call__(self, *args: Any, **params: Any) -> Any:
        """Compute, and record if an operand is a node that requires a gradient."""
        if len(args) != 2 or params:
            return Op.__call__(self, *args, **params)
        a, b = va, vb = args
        tracked = False
        if type(a) in NODES:
            va = a._payload
            tracked = a.requires_grad
        if type(b) in NODES:
            vb = b._payload
            tracked = tracked or b.requires_grad
        if type(va) is ndarray:
            common = type(vb) in COMMON
        else:
            common = type(vb) is ndarray and type(va) in COMMON
        raw = va is a and vb is b
        if not common or (not raw and (not tracked or not self.differentiable or mode() != GRADIENTS)):
            return Op.__call__(self, *args)
        if type(a) is ndarray:
            if a.dtype.kind not in REAL:
                return Op.__call__(self, *args)
            if not raw and self.reads[1][0]:
                a = freeze(a)
        if type(b) is ndarray:
            if b.dtype.kind not in REAL:
                return Op.__call__(self, *args)
            if not raw and self.reads[0][1]:
                b = freeze(b)
        try:
            y = self.forward(NUMPY, va, vb)
        except (ValueError, TypeError, IndexError, OverflowError) as error:
            raise self.failure((va, vb), NO_PARAMS, error) from error
        if raw:
            return y
        if type(y) is not ndarray or y.base is not None or y is va or y is vb:
            y = self._owned(y, (va, vb))
        if type(y) is not ndarray or y.dtype.kind != "f":
            return wrap(self._checked(y))
        return _tensor(self, y, (a, b), NO_PARAMS, None)


def _tensor(op: Op, y: Any, inputs: tuple[Any, ...], params: dict[str, Any], saved: Any) -> Any:
    """Return the node of an array that requires a gradient."""
    node = new(NODE_CLASSES[ndarray])
    node._payload = y
    node._grad = None
    node.meta = _own(params) if params else None
    node.op = op
    node.requires_grad = True
    node.tick = clock[0]
    node.inputs = inputs
    node.saved = saved
    return node


def _own(params: dict[str, Any]) -> dict[str, Any] | None:
    """Return the params of a call, made such that nobody can change them before ``backward()``; None for none."""
    for key, value in params.items():
        if type(value) not in PLAIN:
            params[key] = _held(value)
    return params or None


def _held(value: Any) -> Any:
    """Return a copy of a list or an array, and of those in a list or a tuple; the data of a tensor."""
    kind = type(value)
    if kind is list or kind is tuple:
        return kind([v if type(v) in PLAIN else _held(v) for v in value])
    if kind in NODES:
        value = value._payload
    return value.copy() if type(value) is ndarray else value
