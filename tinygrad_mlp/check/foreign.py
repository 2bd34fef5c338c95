"""Functions of PyTorch, JAX or plain NumPy as subjects of a check: their numbers, and the gradients of their libraries.

Neither library is imported unless it is loaded already: who has a function of it, or an array of it, has loaded it.
"""

import functools
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any

import numpy as np

from tinygrad_mlp import ops
from tinygrad_mlp.arrays import is_floating
from tinygrad_mlp.errors import DTypeError, GradientError
from tinygrad_mlp.graph import GRADIENTS, NODES, recording
from tinygrad_mlp.nest import Nest, flatten

from .derived import jacobians
from .differences import Floats
from .subject import Leaf, Subject, parameter_names

LIBRARIES = ("NumPy", "JAX", "PyTorch")
EPS32 = float(np.finfo(np.float32).eps)


def _loaded(name: str, kind: str) -> Any:
    """Return the class of arrays of a library that is loaded, or an empty tuple, which nothing is an instance of."""
    module = sys.modules.get(name)
    return getattr(module, kind, ()) if module is not None else ()


def library_of(x: Any) -> str:
    """Return the library that an array is of; NumPy for numbers."""
    if isinstance(x, _loaded("torch", "Tensor")):
        return "PyTorch"
    return "JAX" if isinstance(x, _loaded("jax", "Array")) else "NumPy"


def as_numpy(x: Any) -> Any:
    """Return the array of a node, a tensor, or an array of any library; of anything else what NumPy makes of it.

    >>> as_numpy([1.0, 2.0])
    array([1., 2.])
    """
    if type(x) in NODES:
        return np.asarray(x.item() if x.shape == () else x.numpy())
    if library_of(x) == "PyTorch":
        x = x.detach().cpu().numpy()
    return np.asarray(x)


class Foreign:
    """A function that is not made of this library's operations, with what ``compare`` needs of a ``Subject``.

    Attributes:
        library: whose arrays the function gets.
        refused: what the function raised on nodes of this library, if it was tried on them.
        name: the function's.
        leaves: what is varied; their nodes are None.
        eps: the precision in which values are computed.
        coarse: whether that is single precision.
        shapes: of the outputs.
        base: the elements of the outputs at the inputs, (m,).
        nests, slots: the arguments taken apart, and for each leaf of theirs the number of what is varied, or None.
    """

    def __init__(self, check: str, f: Callable[..., Any], inputs: Sequence[Any], library: str) -> None:
        """Take the numbers and arrays of floats among the inputs.

        Raises:
            GradientError: Nothing can be varied, or ``f`` gives other values when it is called again.
            DTypeError: ``f`` returns something else than real numbers.
        """
        self.check, self.f, self.library, self.refused = check, f, library, ""
        self.name = getattr(f, "__name__", type(f).__name__)
        self.leaves: list[Leaf] = []
        self.nests, self.slots = [Nest(x) for x in inputs], list[list[int | None]]()
        for nest, name in zip(self.nests, parameter_names(f, len(inputs)), strict=True):
            self.slots.append([self._slot(x, name + path) for x, path in zip(nest.leaves, nest.paths, strict=True)])
        if not self.leaves:
            raise GradientError(f"{check}: no input can be varied: pass floats or arrays of floats")
        self.values = [leaf.values for leaf in self.leaves]
        self.eps, self.coarse = float(np.finfo(np.float64).eps), False
        with self.varying():
            outputs = self.outputs()
            self.shapes = [y.shape for y in outputs]
            if any(y.dtype == np.float32 for y in outputs):
                self.eps, self.coarse = EPS32, True
            self.base = self.at(self.values)
            if not np.array_equal(self.base, self.at(self.values), equal_nan=True):
                raise GradientError(
                    f"{check}: f gives different values for the same input: draw random numbers outside"
                )

    def _slot(self, x: Any, path: str) -> int | None:
        """Return the number of a new leaf for a float or an array of floats, None for anything else."""
        if type(x) is not float and not (library_of(x) != "NumPy" or isinstance(x, np.ndarray | np.floating)):
            return None
        values = as_numpy(x)
        if not is_floating(values):
            return None
        self.leaves.append(Leaf(path, None, np.array(values, np.float64)))
        return len(self.leaves) - 1

    # ------------------------------------------------------------------------------------------------------- values

    @contextmanager
    def varying(self) -> Iterator[None]:
        """Restore the values of the leaves afterwards, also those of parameters that a module holds itself."""
        held = [(x, x.data) for nest in self.nests for x, own in zip(nest.leaves, nest.owned, strict=True) if own]
        before = self.values
        try:
            yield
        finally:
            self.values = before
            for parameter, data in held:
                parameter.data = data

    def put(self, values: Sequence[Floats]) -> None:
        """Give the leaves values."""
        self.values = list(values)

    def at(self, values: Sequence[Floats]) -> Floats:
        """Return all elements of the output where the leaves have these values."""
        self.put(values)
        return np.concatenate([np.asarray(y, np.float64).reshape(-1) for y in self.outputs()])

    def line(self, k: int) -> Callable[[int, float], Floats]:
        """Return a function that gives the output with one element of leaf ``k`` replaced."""

        def moved(i: int, x: float) -> Floats:
            changed = self.leaves[k].values.copy()
            changed.reshape(-1)[i] = x
            return self.at([changed if n == k else leaf.values for n, leaf in enumerate(self.leaves)])

        return moved

    def outputs(self) -> list[Any]:
        """Return the outputs at the present values as arrays.

        Raises:
            DTypeError: one is not real.
        """
        with self.precisely(), np.errstate(all="ignore"):
            found = [as_numpy(y) for y in flatten(self.f(*self.arguments()[0]))[0]]
        for y in found:
            if y.dtype.kind not in "fiub":
                raise DTypeError(f"{self.check}: f returned {y.dtype}, but a derivative needs real numbers")
        if not found:
            raise GradientError(f"{self.check}: f returned nothing")
        return found

    def arguments(self, library: str = "") -> tuple[list[Any], list[Any]]:
        """Return the arguments at the present values as arrays of a library, and the varied arrays among them."""
        library = library or self.library
        varied = [_made(library, x) for x in self.values]
        made = []
        for nest, slots in zip(self.nests, self.slots, strict=True):
            leaves = list(nest.leaves)
            for n, k in enumerate(slots):
                if k is None:
                    leaves[n] = _constant(library, leaves[n])
                elif nest.owned[n] and library == "PyTorch" == library_of(leaves[n]):
                    leaves[n].data = varied[k].detach()
                    varied[k] = leaves[n]
                else:
                    leaves[n] = float(varied[k]) if type(leaves[n]) is float and library == "NumPy" else varied[k]
            made.append(nest.refill(leaves) if library == self.library else nest.rebuild(leaves))
        return made, varied

    @contextmanager
    def precisely(self) -> Iterator[None]:
        """Let JAX compute in double precision."""
        with sys.modules["jax"].enable_x64(True) if self._can_widen() else nullcontext():
            yield

    def _can_widen(self) -> bool:
        return self.library == "JAX" and hasattr(sys.modules["jax"], "enable_x64")

    # ---------------------------------------------------------------------------------------------------- gradients

    def jacobians(self) -> list[Floats] | None:
        """Return the Jacobian (m, n) in each leaf that the library gives at the present values, if it does."""
        if self.library == "NumPy":
            return None
        with self.precisely():
            rows = self._torch_rows() if self.library == "PyTorch" else self._jax_rows()
        if rows is None:
            return None
        return [np.stack([np.asarray(row[k], np.float64).reshape(-1) for row in rows]) for k in range(len(self.leaves))]

    def _torch_rows(self) -> list[list[Any]] | None:
        torch = sys.modules["torch"]
        made, varied = self.arguments()
        rows = []
        for y in flatten(self.f(*made))[0]:
            if library_of(y) != "PyTorch" or not y.requires_grad:
                return None
            for part in y.reshape(-1):
                found = torch.autograd.grad(part, varied, retain_graph=True, allow_unused=True)
                zeros = [np.zeros(x.shape) for x in self.values]
                rows.append([z if g is None else as_numpy(g) for g, z in zip(found, zeros, strict=True)])
        return rows

    def _jax_rows(self) -> list[list[Any]] | None:
        jax = sys.modules["jax"]
        varied = self.arguments()[1]

        def elements(leaves: list[Any]) -> Any:
            made = []
            for nest, slots in zip(self.nests, self.slots, strict=True):
                pairs = zip(nest.leaves, slots, strict=True)
                made.append(nest.refill([x if k is None else leaves[k] for x, k in pairs]))
            return jax.numpy.concatenate([jax.numpy.reshape(y, -1) for y in flatten(self.f(*made))[0]])

        try:
            y, pull = jax.vjp(elements, varied)
        except (TypeError, jax.errors.JAXTypeError):  # f leaves JAX on its way
            return None
        return [pull(row)[0] for row in jax.numpy.eye(len(y), dtype=y.dtype)]

    def places(self) -> list[str]:
        """Return how one would write each of the m elements of the output."""
        return Subject.places(self)  # type: ignore[arg-type]  # it reads the shapes only


def _made(library: str, x: Floats) -> Any:
    """Return an array of float64 in a library: a PyTorch tensor records."""
    if library == "PyTorch":
        return sys.modules["torch"].tensor(x, requires_grad=True)
    return sys.modules["jax"].numpy.asarray(x) if library == "JAX" else x.copy()


def _constant(library: str, x: Any) -> Any:
    """Return a constant input; an array as one of the library."""
    if library == "NumPy":
        return as_numpy(x) if library_of(x) != "NumPy" or type(x) in NODES else x
    return sys.modules["torch"].as_tensor(x) if library == "PyTorch" and isinstance(x, np.ndarray) else x


# ---------------------------------------------------------------------------------------------------------- which it is


def subject_of(check: str, f: Callable[..., Any], inputs: Sequence[Any]) -> Subject | Foreign:
    """Return what is checked: of this library's nodes where ``f`` takes them, else of the library it is made with.

    Raises:
        Exception: What ``f`` raised on nodes, if it takes nothing else either.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of NumPy, where a tensor meets an array: it is tried only
        return _subject_of(check, f, inputs)


def _subject_of(check: str, f: Callable[..., Any], inputs: Sequence[Any]) -> Subject | Foreign:
    theirs = {library_of(x) for argument in inputs for x in Nest(argument).leaves} - {"NumPy"}
    if theirs:
        return Foreign(check, f, inputs, min(theirs))
    raised: list[Exception] = []

    @functools.wraps(f)
    def watched(*arguments: Any) -> Any:
        try:
            return f(*arguments)
        except Exception as error:
            raised.append(error)
            raise

    try:
        subject = Subject(check, watched, inputs)
        with recording(GRADIENTS):
            if any(type(y) in NODES for y in flatten(subject.call())[0]):
                return subject
    except Exception as error:
        others = _foreign(check, f, inputs) if raised or isinstance(error, DTypeError) else None
        if others is None:
            raise
        others.refused = f"{type(error).__name__}: {error}"
        return others
    return _foreign(check, f, inputs) or subject


def _foreign(check: str, f: Callable[..., Any], inputs: Sequence[Any]) -> Foreign | None:
    """Return ``f`` as a function of the first library whose arrays it takes."""
    for library in LIBRARIES:
        if library != "NumPy" and {"JAX": "jax", "PyTorch": "torch"}[library] not in sys.modules:
            continue
        try:
            found = Foreign(check, f, inputs, library)
            with found.varying(), np.errstate(all="ignore"):
                result = {library_of(y) for y in flatten(f(*found.arguments()[0]))[0]}
        except Exception:  # noqa: BLE001  (a function may refuse arrays that are not its own in any way)
            continue
        if library == "NumPy" and result != {"NumPy"}:
            continue
        return found
    return None


def autograd_of(subject: Subject | Foreign) -> list[Floats] | None:
    """Return for each leaf the Jacobian that autograd gives at the present values; None where there is no autograd."""
    if isinstance(subject, Foreign):
        return subject.jacobians()
    return jacobians(subject, subject.record())


def weighted_sum(f: Callable[..., Any], weights: Floats) -> Callable[..., Any]:
    """Return ``f`` followed by a weighted sum."""

    @functools.wraps(f)
    def weighted(*arguments: Any) -> Any:
        y = f(*arguments)
        while isinstance(y, list | tuple | dict):
            (y,) = y.values() if isinstance(y, dict) else y
        if type(y) in NODES:
            return ops.sum(y * weights)
        if library_of(y) == "PyTorch":
            return (y * y.new_tensor(weights)).sum()
        return (y * weights).sum() if library_of(y) == "JAX" else np.sum(as_numpy(y) * weights)

    return weighted
