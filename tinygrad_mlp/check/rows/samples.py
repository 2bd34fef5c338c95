"""Calls of a row of the op table: operands that suit it, what it records on them, and what its rules give."""

import copy
import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from tinygrad_mlp.arrays import namespace
from tinygrad_mlp.backward import contributions
from tinygrad_mlp.check.operand import signed
from tinygrad_mlp.check.recording import compute, plain
from tinygrad_mlp.errors import DTypeError, TinygradError, UnsupportedError
from tinygrad_mlp.graph import GRADIENTS, NODES, recording
from tinygrad_mlp.table import Op
from tinygrad_mlp.tensors import Tensor, Value

from .report import Fault, RuleError

Shape = tuple[int, ...]

SHAPE: Shape = (2, 3)  # of the operands of an elementwise row
TRIED: tuple[Shape, ...] = ((3, 3), (2, 3), (3,), (3, 2), (2,))  # of those of any other
TAKEN = 4  # shapes that are checked, of those that the forward rule takes
SAVES = "with saves=True the forward rule returns (y, saved), without it y alone"
COUNTS = (3, 2, 1)  # of operands, for a row that takes a sequence


class Sample(NamedTuple):
    """The operands and params of a call, and which operands want a gradient."""

    operands: tuple[Any, ...]
    params: dict[str, Any]
    wrt: tuple[int, ...]

    def with_floats(self, change: Callable[[Any], Any]) -> "Sample":
        """Return the call with every floating operand changed."""
        return self._replace(operands=tuple(change(x) if is_float_array(x) else x for x in self.operands))

    def with_operand(self, i: int, x: Any) -> "Sample":
        """Return the call with operand ``i`` replaced."""
        return self._replace(operands=(*self.operands[:i], x, *self.operands[i + 1 :]))

    @property
    def shapes(self) -> str:
        """The shapes of the operands, as text."""
        return ", ".join("None" if x is None else str(np.shape(x)) for x in self.operands)


class Row:
    """A row of the table under check.

    Attributes:
        op: the row.
        samples: calls at points where it is smooth, or those that were asked for.
        rng: for all that is drawn.
        fault: what a rule raised on these samples, if it did.
        refused: calls that the forward rule takes and a rule does not, beside others that both take.
    """

    def __init__(self, op: Op, operands: tuple[Any, ...], params: dict[str, Any], rng: np.random.Generator) -> None:
        """Take the operands of a call, or find some that suit the row."""
        self.op, self.params, self.rng = op, params, rng
        self.refused: list[tuple[Sample, Fault]] = []
        self.samples = [self._given(operands)] if operands else self._found()
        self.fault = self._pulled()

    # -------------------------------------------------------------------------------------------------------- operands

    def _given(self, operands: tuple[Any, ...]) -> Sample:
        op = self.op
        if op.arity is not None:
            operands, self.params = op.bind(operands, dict(self.params))
        elif len(operands) == 1 and isinstance(operands[0], list | tuple):
            operands = tuple(operands[0])
        numbers = [float(x) if type(x) is int and self._has_rule(i) else x for i, x in enumerate(operands)]
        sample = self._sample(tuple(x if x is None else _array(plain(x)) for x in numbers))
        if self.is_differentiable and not sample.wrt:
            raise DTypeError(f"check_op: no operand of {op.name} is floating: pass floats, or arrays of floats")
        self._called(sample)
        return sample

    def _found(self) -> list[Sample]:
        """Return calls that the forward rule takes.

        Raises:
            UnsupportedError: There are none.
        """
        error: Exception | None = None
        found = []
        for arrays in self._attempts():
            sample = self._sample(arrays)
            try:
                y = self._called(sample)
            except RuleError:
                raise
            except Exception as raised:  # noqa: BLE001  (a forward rule may refuse in any way)
                error = raised
                continue
            if np.all(np.isfinite(y)):
                found.append(sample)
                if self.op.elementwise:
                    break
        if not found:
            name = self.op.name
            reason = f" (the last ones tried: {error or 'no finite result'})"
            raise UnsupportedError(
                f"check_op: found no operands for {name}{reason}: "
                f"pass operands: check_op({name}, x, …), and params by name"
            )
        step = max(1, len(found) // TAKEN)
        return found[::step][:TAKEN]

    def _pulled(self) -> Fault | None:
        """Return what a rule raises; of several calls some may do so, if others do not."""
        if not self.is_differentiable:
            return None
        faults = []
        for sample in self.samples:
            node = self.record(sample)
            try:
                self.pull(node, self.cotangent(plain(node)))
            except RuleError as error:
                faults.append((sample, error.fault))
        if len(faults) == len(self.samples):
            return faults[0][1]
        self.refused = faults
        self.samples = [sample for sample in self.samples if not any(sample is other for other, _ in faults)]
        return None

    def _attempts(self) -> Iterator[tuple[Any, ...]]:
        op = self.op
        for n in COUNTS if op.arity is None else (op.arity,):
            if op.elementwise:
                for kind in ("b", "i", "f"):
                    yield tuple(
                        x if self._has_rule(i) else _of_kind(x, kind) for i, x in enumerate(self.draw([SHAPE] * n))
                    )
            elif n < COUNTS[0]:
                for shapes in itertools.product(TRIED, repeat=n):
                    yield tuple(map(self._tamed, self.draw(list(shapes))))
            else:
                for shapes in itertools.product((s for s in TRIED if s != (3,)), repeat=n):
                    yield tuple(self.draw(list(shapes)))

    def _tamed(self, x: Any) -> Any:
        """Return a square matrix made invertible, and positive definite if the row wants symmetric ones."""
        if x.ndim < 2 or x.shape[-1] != x.shape[-2]:
            return x
        small = x / len(x)  # so that the diagonal dominates
        return (small @ small.T if self.op.symmetric else small) + 1.25 * np.max(np.abs(x)) * np.eye(len(x))

    def draw(self, shapes: Sequence[Shape]) -> list[Any]:
        """Return arrays in the domain of the row whose elements all differ."""
        sizes = [int(np.prod(shape)) for shape in shapes]
        low, high = self.op.domain
        values = low + (high - low) * (self.rng.permutation(sum(sizes)) + 0.37) / max(sum(sizes), 1)
        parts = np.split(values, np.cumsum(sizes)[:-1])
        return [part.reshape(shape) for part, shape in zip(parts, shapes, strict=True)]

    def like(self, shapes: Sequence[Shape]) -> Sample:
        """Return a call of an elementwise row with operands of other shapes, of the kinds of the first sample."""
        first = self.samples[0]
        made = [self._like(x, new) for x, new in zip(first.operands, self.draw(shapes), strict=True)]
        return first._replace(operands=tuple(made))

    def _like(self, x: Any, new: Any) -> Any:
        if x is None or is_float_array(x):
            return None if x is None else new
        return self.rng.choice(x.reshape(-1), new.shape) if x.size else np.zeros(new.shape, x.dtype)

    def _has_rule(self, i: int) -> bool:
        op = self.op
        return op.joint_vjp is not None or op.argnum_vjp is not None or (bool(op.vjps) and op.vjps[i] is not None)

    def _sample(self, arrays: tuple[Any, ...]) -> Sample:
        floating = [i for i, x in enumerate(arrays) if is_float_array(x)]
        wrt = [i for i in floating if self._has_rule(i)] if self.is_differentiable else []
        return Sample(arrays, self.params, tuple(wrt))

    def _called(self, sample: Sample) -> Any:
        """Return what the row gives when it is called as users call it.

        Raises:
            RuleError: The forward rule saves something and does not say so, or the other way round.
        """
        op = self.op
        try:
            y = op.forward(namespace(*sample.operands), *sample.operands, **self.fresh(sample.params))
        except Exception:  # noqa: BLE001  (the call below says in words what is wrong)
            y = None
        if y is not None and isinstance(y, tuple) != op.saves:
            raise RuleError(f"saves={op.saves}, but the forward rule returns a {type(y).__name__}", SAVES)
        return np.asarray(plain(op.apply(sample.operands, self.fresh(sample.params))))

    # ----------------------------------------------------------------------------------------------------------- calls

    @property
    def is_differentiable(self) -> bool:
        """Whether any rule is registered, and the row does not say that there is no derivative."""
        return self.op.differentiable and any(self._has_rule(i) for i in range(self.op.arity or 1))

    def name(self, i: int) -> str:
        """Return how to call operand ``i``."""
        return f"operand {i}" if self.op.arity is None else f"operand {i} ({self.op.operands[i][0]})"

    def at(self, values: Sequence[Any]) -> str:
        """Return a point, a number for each operand, as one would write it."""
        names = [f"operand {i}" if self.op.arity is None else self.op.operands[i][0] for i in range(len(values))]
        shown = [(name, float(x) + 0.0) for name, x in zip(names, values, strict=True) if x is not None]
        return ", ".join(f"{name} = {x:.4g}" for name, x in shown)

    def fresh(self, params: dict[str, Any]) -> dict[str, Any]:
        """Return the params of a call, generators as they were."""
        return {key: copy.deepcopy(v) if isinstance(v, np.random.Generator) else v for key, v in params.items()}

    def values(self, sample: Sample) -> Any:
        """Return what the forward rule gives."""
        return np.asarray(compute(self.op, sample.operands, self.fresh(sample.params)))

    def cotangent(self, y: Any) -> Any:
        """Return a random cotangent of an output."""
        return signed(self.rng, np.shape(y)).astype(np.asarray(y).dtype)

    def record(self, sample: Sample, wrt: Sequence[int] | None = None, floats: bool = False) -> Any:
        """Return the node of a call, its operands in ``wrt`` new leaves; with ``floats`` all are Python floats."""
        inputs = [
            x if x is None else self._leaf(x, i in (sample.wrt if wrt is None else wrt), floats)
            for i, x in enumerate(sample.operands)
        ]
        with recording(GRADIENTS):
            node = self.op.apply(tuple(inputs), self.fresh(sample.params))
        if type(node) in NODES and node.op is not None and node.op is not self.op:
            raise UnsupportedError(
                f"check_op: with these arguments {self.op.name} is computed by other operations: check {node.op.name}"
            )
        return node

    @staticmethod
    def _leaf(x: Any, wanted: bool, floats: bool) -> Any:
        if floats:
            x = x.item()
            return Value(x) if wanted else x
        if type(x) is float:
            return x
        return Tensor(x.copy()) if wanted else x.copy()

    def pull(self, node: Any, u: Any) -> dict[int, Any]:
        """Return what the engine makes of the rules: a gradient for every operand that wants one.

        Raises:
            RuleError: A rule failed, or returned what cannot be a gradient.
        """
        try:
            pulled = contributions(node, u)
        except TinygradError as error:
            raise RuleError(str(error).removeprefix(f"{self.op.name}: "), advice(error)) from error
        except Exception as error:
            raise RuleError(f"its vjp raised {type(error).__name__}: {error}", advice(error)) from error
        wanted = [i for i, x in enumerate(node.inputs) if type(x) in NODES and x.requires_grad]
        return {i: np.asarray(plain(c)) for i, (_, c) in zip(wanted, pulled, strict=True)}

    def rule(self, i: int, u: Any, y: Any, values: Sequence[Any], params: dict[str, Any], saved: Any) -> Any:
        """Return what the rule of operand ``i`` itself gives, before the engine fits it to the operand."""
        op = self.op
        try:
            if op.joint_vjp is not None:
                wanted = [k == i for k in range(len(values))]
                return op.joint_vjp(wanted, u, y, *values, saved=saved, **params)[i]
            if op.argnum_vjp is not None:
                return op.argnum_vjp(i, u, y, *values, **params)
            return op.vjps[i](u, y, *values, **params)  # type: ignore[misc]
        except Exception as error:
            raise RuleError(f"its vjp raised {type(error).__name__}: {error}", advice(error)) from error


def advice(error: Exception) -> str:
    """Return what to do about an error that a rule raised."""
    if isinstance(error, ZeroDivisionError):
        return "Python's / raises where IEEE arithmetic gives inf or nan: write divide(a, b) of tinygrad_mlp.ops"
    if isinstance(error, OverflowError):
        return "Python's ** and math raise where IEEE arithmetic gives inf: write power(a, b), or exp(x), of the ops"
    if "its vjp returned shape" in str(error):
        return (
            "return the gradient in the operand's shape: sum over what was broadcast (sum_to), transpose if transposed"
        )
    if "NoneType" in str(error):
        return "in forward mode and on nodes what the forward rule saved is None: recompute it then"
    if "read-only" in str(error):
        return "a rule must not write into its arguments: compute a new array"
    return ""


def is_float_array(x: Any) -> bool:
    """Return whether an operand is an array of real floating-point numbers."""
    return isinstance(x, np.ndarray) and x.dtype.kind == "f"


def _array(x: Any) -> Any:
    """Return an operand as an array: a copy, in float64 if it is floating."""
    a = np.asarray(x)
    if a.dtype.kind not in "fiub":
        raise DTypeError(f"check_op: an operand of dtype {a.dtype}: pass real numbers")
    return a.astype(np.float64) if a.dtype.kind == "f" else a.copy()


def _of_kind(x: Any, kind: str) -> Any:
    return (
        x if kind == "f" else (np.argsort(x, axis=None).reshape(x.shape) % 2).astype(bool if kind == "b" else np.int64)
    )
