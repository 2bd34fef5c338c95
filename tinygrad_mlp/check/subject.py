"""What is checked: a function of leaves, which it can be evaluated at, and recorded at with the user's lines."""

import inspect
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tinygrad_mlp.arrays import is_floating
from tinygrad_mlp.errors import DTypeError, GradientError, UnsupportedError
from tinygrad_mlp.graph import GRADIENTS, NODES, NOTHING, SOURCES, recording
from tinygrad_mlp.nest import Nest, flatten
from tinygrad_mlp.tensors import Tensor, Value

Floats = NDArray[np.float64]
CHECKED = (np.dtype(np.float64), np.dtype(np.float32))


class Leaf(NamedTuple):
    """An input that is varied: its name, the node, and its values in float64."""

    name: str
    node: Any
    values: Floats

    @property
    def size(self) -> int:
        """The number of elements."""
        return int(self.values.size)


class Subject:
    """A function and its inputs.

    Attributes:
        check: the name of the check, for messages.
        name: the function's.
        leaves: what is varied.
        eps: the precision in which values are computed.
        coarse: whether an input is float32, so that what the engine derives has seven digits at most.
        notes: what is odd about the inputs.
        shapes, kinds: of the outputs; a kind says whether it is a float, and the dtype.
    """

    def __init__(self, check: str, f: Callable[..., Any], inputs: Sequence[Any]) -> None:
        """Make leaves of the numbers and arrays among the inputs, and see what ``f`` returns.

        Raises:
            GradientError: Nothing can be varied; ``f`` returns nothing, changes its inputs, or gives other values when
                it is called again.
            DTypeError: An input or an output has no dtype that can be checked.
        """
        self.check, self.f = check, f
        _check_call(check, f, inputs)
        self.name = getattr(f, "__name__", type(f).__name__)
        self.arguments, self.leaves = self._leaves(inputs)
        self._constants = [(path, x, x.copy()) for path, x in self._arrays(inputs)]
        self.call = called(f, self.arguments)
        self.coarse = any(leaf.node.dtype != np.float64 for leaf in self.leaves)
        self.eps = float(np.finfo(np.float64).eps)
        self.notes = self._aliased()
        self.shapes: list[tuple[int, ...]] = []
        self.kinds: list[tuple[bool, Any]] = []
        with self.varying():
            self.base = self._first()

    # ------------------------------------------------------------------------------------------------------- inputs

    def _leaves(self, inputs: Sequence[Any]) -> tuple[list[Any], list[Leaf]]:
        """Return the arguments for ``f``, numbers and arrays in them made leaves, and the leaves to be varied."""
        arguments: list[Any] = []
        found: list[Leaf] = []
        for argument, name in zip(inputs, parameter_names(self.f, len(inputs)), strict=True):
            nest = Nest(argument)
            paths = [name + path for path in nest.paths]
            made = [as_leaf(value) for value in nest.leaves]
            arguments.append(nest.refill(made))
            for node, path in zip(made, paths, strict=True):
                if type(node) in NODES and node.requires_grad:
                    self._check_leaf(node, path)
                    if not any(node is leaf.node for leaf in found):
                        found.append(Leaf(node.name or path, node, np.array(node.numpy(), np.float64)))
        if not found:
            raise GradientError(f"{self.check}: no input requires a gradient: {self._remedy(inputs)}")
        names = [leaf.name for leaf in found]
        return arguments, [
            x if names.count(x.name) == 1 else x._replace(name=f"{x.name} #{i}") for i, x in enumerate(found)
        ]

    def _remedy(self, inputs: Sequence[Any]) -> str:
        """Return what to pass instead of inputs among which nothing can be varied."""
        leaves = Nest(list(inputs)).leaves
        for x in leaves:
            if type(x).__module__.partition(".")[0] in ("torch", "jax", "jaxlib"):
                return f"{type(x).__name__} is of another library: pass NumPy arrays, or use check_formula"
        numbers = [x for x in leaves if type(x) is int or getattr(x, "dtype", np.dtype(float)).kind in "iu"]
        if numbers:
            return f"{numbers[0]!r} holds integers: write floats, such as 3.0"
        return "pass floats, arrays of floats, leaves or a module"

    def _check_leaf(self, node: Any, path: str) -> None:
        if node.op is not None:
            raise GradientError(
                f"{self.check}: {path} is computed ({node.op.name}), so it cannot be varied: pass a leaf"
            )
        if node.dtype not in CHECKED:
            raise DTypeError(f"{self.check}: {path} is {node.dtype}: pass float64, or float32")

    @staticmethod
    def _arrays(inputs: Sequence[Any]) -> Iterator[tuple[str, Any]]:
        for i, argument in enumerate(inputs):
            nest = Nest(argument)
            for value, path in zip(nest.leaves, nest.paths, strict=True):
                if isinstance(value, np.ndarray):
                    yield f"input {i}{path}", value

    def _aliased(self) -> list[str]:
        """Return a line for inputs that share memory: a leaf is made of each, and varied on its own."""
        arrays = [(path, x) for path, x, _ in self._constants if is_floating(x)]
        pairs = ((a, b) for i, a in enumerate(arrays) for b in arrays[i + 1 :])
        shared = [f"{a[0]} and {b[0]}" for a, b in pairs if np.may_share_memory(a[1], b[1])]
        return [f"{both} share memory; each was varied on its own" for both in shared[:3]]

    # ------------------------------------------------------------------------------------------------------- values

    @contextmanager
    def varying(self) -> Iterator[None]:
        """Let the leaves have other values inside; afterwards they are as they were, and as old."""
        before = [(leaf.node._payload, leaf.node.tick) for leaf in self.leaves]
        try:
            yield
        finally:
            for leaf, (payload, made) in zip(self.leaves, before, strict=True):
                leaf.node._payload, leaf.node.tick = payload, made

    def put(self, values: Sequence[Floats]) -> None:
        """Give the leaves values: in float64, also where they are float32, so that differences have digits."""
        for leaf, x in zip(self.leaves, values, strict=True):
            leaf.node._payload = float(x) if type(leaf.node) is Value else x

    def at(self, values: Sequence[Floats]) -> Floats:
        """Return all elements of the output, shape (m,), where the leaves have these values; inside ``varying``."""
        self.put(values)
        return self._evaluate()

    def line(self, k: int) -> Callable[[int, float], Floats]:
        """Return a function that gives the output with one element of leaf ``k`` replaced; inside ``varying``."""
        self.put([leaf.values for leaf in self.leaves])
        leaf = self.leaves[k]
        changed = leaf.values.copy()
        flat = changed.reshape(-1)
        scalar = type(leaf.node) is Value

        def moved(i: int, x: float) -> Floats:
            leaf.node._payload = x if scalar else changed
            before, flat[i] = flat[i], x
            try:
                return self._evaluate()
            finally:
                flat[i] = before

        return moved

    def _evaluate(self) -> Floats:
        with recording(NOTHING), np.errstate(all="ignore"):
            outputs = self.outputs(self.call())
            if len(outputs) == 1:
                return np.array(raw(outputs[0]), np.float64).reshape(-1)
            return np.concatenate([np.asarray(raw(y), np.float64).reshape(-1) for y in outputs])

    def _first(self) -> Floats:
        """Evaluate twice, and find out in which precision."""
        values = [leaf.values for leaf in self.leaves]
        payloads = [leaf.node._payload for leaf in self.leaves]
        with recording(NOTHING), np.errstate(all="ignore"):
            outputs = self.outputs(self.call())
        self.shapes = [np.shape(raw(y)) for y in outputs]
        self.kinds = [(type(_number(y)) is float, raw(y).dtype) for y in outputs]
        changed = [x.name for x, p in zip(self.leaves, payloads, strict=True) if x.node._payload is not p]
        changed += [path for path, x, copy in self._constants if not np.array_equal(x, copy, equal_nan=True)]
        if changed:
            raise GradientError(f"{self.check}: f changes its input {changed[0]}: let it compute on a copy")
        if any(raw(y).dtype == np.float32 for y in outputs):
            self.coarse = True
            self.put(values)
            with recording(NOTHING), np.errstate(all="ignore"):
                wide = all(raw(y).dtype == np.float64 for y in self.outputs(self.call()))
            if not wide:
                self.eps = float(np.finfo(np.float32).eps)
        base = self.at(values)
        if not np.array_equal(base, self.at(values), equal_nan=True):
            raise GradientError(
                f"{self.check}: f gives different values for the same input: switch dropout off with model.eval(), or "
                "draw random numbers outside of f"
            )
        return base

    def outputs(self, result: Any) -> list[Any]:
        """Return the outputs of ``f``, checked; a raw number or array has no graph and hence derivatives of 0."""
        if type(result) in NODES:
            outputs = [result]
        else:
            outputs, _ = flatten(result)
        for output in outputs:
            dtype = getattr(output, "dtype", None) or np.dtype(type(output))
            if dtype not in CHECKED:
                raise DTypeError(f"{self.check}: f returned {dtype}, but a derivative needs float64, or float32")
        if not outputs:
            raise GradientError(f"{self.check}: f returned nothing")
        return outputs

    def record(self) -> list[Any]:
        """Return the outputs of ``f`` at the inputs, recorded with the user's lines."""
        with recording(GRADIENTS | SOURCES), np.errstate(all="ignore"):
            return self.outputs(self.call())

    @contextmanager
    def beside(self, rng: np.random.Generator) -> Iterator[None]:
        """Let every input be off by a few roundings inside."""
        with self.varying():
            for leaf in self.leaves:
                eps = float(np.finfo(leaf.node.dtype).eps)
                moved = leaf.values * (1 + 4 * eps * rng.uniform(-1, 1, leaf.values.shape))
                leaf.node._payload = float(moved) if type(leaf.node) is Value else np.asarray(moved, leaf.node.dtype)
            yield

    @property
    def undefined(self) -> str:
        """What f is where it is no number, and hence has no derivative; empty if all of it is finite."""
        strange = self.base[~np.isfinite(self.base)]
        return f"f is {strange[0]} at these inputs, and has no derivative there" if len(strange) else ""

    def places(self) -> list[str]:
        """Return how one would write each of the m elements of the output; a number alone is empty."""
        names = []
        for k, shape in enumerate(self.shapes):
            for index in np.ndindex(*shape):
                at = (k, *index) if len(self.shapes) > 1 else index
                names.append(f"[{', '.join(map(str, at))}]" if at else "")
        return names


def raw(output: Any) -> Any:
    """Return the array of an output."""
    return output.numpy() if type(output) in NODES and type(output) is not Value else np.asarray(_number(output))


def _number(output: Any) -> Any:
    return output._payload if type(output) in NODES else output


def as_leaf(value: Any) -> Any:
    """Return a new leaf for a float or an array of floats, anything else as it is."""
    if type(value) is float:
        return Value(value)
    if isinstance(value, np.ndarray | np.floating) and is_floating(value):
        return Tensor(value)
    return value


def parameter_names(f: Callable[..., Any], count: int) -> list[str]:
    """Return what to call the inputs: the names of ``f``'s parameters where it has them."""
    try:
        parameters = inspect.signature(f).parameters.values()
    except (TypeError, ValueError):
        parameters = {}.values()
    names = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)][:count]
    return names + [f"input {i}" for i in range(len(names), count)]


def _check_call(check: str, f: Callable[..., Any], inputs: Sequence[Any]) -> None:
    """Refuse inputs in one tuple, as other libraries take them, where ``f`` wants them one by one."""
    if not callable(f):
        raise UnsupportedError(f"{check}: takes a function and its inputs, not {type(f).__name__}")
    if len(inputs) != 1 or not isinstance(inputs[0], tuple | list):
        return
    try:
        signature = inspect.signature(f)
        signature.bind(*inputs[0])
    except (TypeError, ValueError):
        return
    try:
        signature.bind(*inputs)
    except TypeError:
        raise UnsupportedError(
            f"{check}: f takes {len(inputs[0])} inputs, and got one {type(inputs[0]).__name__}: "
            f"write {check}(f, *inputs)"
        ) from None


def called(f: Callable[..., Any], arguments: Sequence[Any]) -> Callable[[], Any]:
    """Return what calls ``f``: on the arguments, or without them if it takes none and can hold these objects itself."""
    try:
        inspect.signature(f).bind(*arguments)
    except TypeError:
        try:
            inspect.signature(f).bind()
        except TypeError:
            return lambda: f(*arguments)  # which raises the error that says which argument is wrong
        return f
    except ValueError:
        pass
    return lambda: f(*arguments)
