"""What a formula by hand returns, sorted by the inputs that it is the derivative of, and read as Jacobians."""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext, suppress
from typing import Any, NamedTuple

import numpy as np

from tinygrad_mlp.errors import GradcheckError, TinygradError
from tinygrad_mlp.graph import NODES
from tinygrad_mlp.nest import Nest
from tinygrad_mlp.tensors import Value

from .differences import Floats
from .foreign import Foreign, as_numpy
from .subject import Subject, parameter_names

Shape = tuple[int, ...]


class Claim(NamedTuple):
    """What was returned for one input.

    Attributes:
        k: the number of the input.
        given: the array; of float64 if it holds real numbers.
        reading: how it is understood: "gradient", "Jacobian", "slope of each element", "Jacobian of each sample"; empty
            if its shape fits none of them.
        problem: what is wrong with its shape or dtype.
    """

    k: int
    given: Any
    reading: str
    problem: str = ""


class ByHand:
    """A formula by hand with its inputs.

    Attributes:
        name: the formula's.
        said: how messages call it: by its name, if it has one.
        problems: what it returned beside what was asked for: too few, too many, or for no input.
        coarse: whether it returned single precision.
    """

    def __init__(self, by_hand: Callable[..., Any], subject: Subject | Foreign, outer: Shape) -> None:
        """Find out which of the arguments are varied; ``outer`` is the shape of what is derived."""
        self.by_hand, self.subject, self.outer = by_hand, subject, outer
        self.coarse = False
        self.name = getattr(by_hand, "__name__", type(by_hand).__name__)
        self.said = "the formula by hand" if self.name == "<lambda>" else self.name
        self.problems: list[str] = []
        if isinstance(subject, Foreign):
            self.nests, self.slots = subject.nests, subject.slots
        else:
            self.nests = [Nest(x) for x in subject.arguments]
            nodes = [leaf.node for leaf in subject.leaves]
            self.slots = [[_place(nodes, x) for x in nest.leaves] for nest in self.nests]
        self.names = parameter_names(subject.f, len(self.nests))

    # -------------------------------------------------------------------------------------------------------- the call

    def at(self, values: Sequence[Floats]) -> list[Claim]:
        """Return what the formula gives where the inputs have these values; inside ``subject.varying()``.

        Raises:
            GradcheckError: The formula raised an error, which is the cause of this one.
        """
        self.subject.put(values)
        self.problems = []
        found: dict[int, Claim] = {}
        for k, given in self._returned(self._called(self._arguments(values))):
            if k in found and found[k].reading:  # one array in two places: its gradient is the sum
                given = found[k].given + as_numpy(given)
            found[k] = self._claim(k, given)
        return self._seen_together([found[k] for k in sorted(found)])

    def _seen_together(self, claims: list[Claim]) -> list[Claim]:
        """Return what was returned; where two derivatives have each other's shape, it is said that they are swapped."""
        leaves = self.subject.leaves
        for n, a in enumerate(claims):
            for m, b in enumerate(claims[:n]):
                if a.problem and b.problem and a.given is not None and b.given is not None:
                    here, there = leaves[a.k], leaves[b.k]
                    outer = () if math.prod(self.outer) == 1 else self.outer
                    if (a.given.shape, b.given.shape) == (outer + there.values.shape, outer + here.values.shape):
                        both = f"{there.name} and {here.name}"
                        text = f"{self.said} returned the shapes of {both} in the other order: are these two swapped?"
                        claims[m], claims[n] = b._replace(problem=text), a._replace(problem=text)
        return claims

    def _arguments(self, values: Sequence[Floats]) -> list[Any]:
        arguments = []
        for nest, slots in zip(self.nests, self.slots, strict=True):
            pairs = zip(nest.leaves, slots, strict=True)
            arguments.append(nest.rebuild([_given(x, None if k is None else values[k]) for x, k in pairs]))
        return arguments

    def _called(self, arguments: list[Any]) -> Any:
        """Return what the formula returns for NumPy's arrays; for those of the function's library if it takes no other.

        A formula without parameters, beside a function that reads a module, is called without any.
        """
        if _takes_nothing(self.by_hand):
            arguments = []
        try:
            precisely = self.subject.precisely() if isinstance(self.subject, Foreign) else nullcontext()
            with precisely, np.errstate(all="ignore"):
                return self.by_hand(*arguments)
        except Exception as error:
            if isinstance(self.subject, Foreign) and self.subject.library != "NumPy":
                with suppress(Exception):  # the first error says more
                    return self.by_hand(*self.subject.arguments()[0])
            name = "" if self.name == "<lambda>" else f", {self.name},"
            raise GradcheckError(
                f"check_formula: the formula by hand{name} raised {type(error).__name__}: {error}"
            ) from error

    # ------------------------------------------------------------------------------------------------------- its parts

    def _returned(self, result: Any) -> Iterator[tuple[int, Any]]:
        """Yield the numbers of the inputs, and what was returned for each."""
        if isinstance(result, dict) and result and self.nests:
            opened = not isinstance(self.nests[0].rebuild(self.slots[0]), dict) or len(self.nests) > 1
            unknown = [key for key in result if key not in self.names]
            if opened and unknown:
                known = ", ".join(self.names)
                self.problems.append(
                    f"{self.said} returned a derivative for {unknown[0]!r}, which is no input: {known}"
                )
            result = [result.get(name) for name in self.names] if opened else result
        parts = self._parts(result)
        for nest, slots, name, part in zip(self.nests, self.slots, self.names, parts, strict=False):
            yield from self._matched(nest.rebuild([_Slot(k) for k in slots]), part, name)

    def _parts(self, result: Any) -> Any:
        """Return what was returned, for each argument."""
        if len(self.nests) == 1:
            alone = isinstance(result, tuple) and len(result) == 1
            return result if alone and not isinstance(self.nests[0].rebuild(self.slots[0]), tuple) else [result]
        if not isinstance(result, tuple | list) and not _is_stack(result, len(self.nests)):
            self.problems.append(
                f"{self.said} returned {_kind(result)} for {len(self.nests)} inputs ({', '.join(self.names)}): "
                "return a tuple with a derivative for each, None for what is not derived"
            )
            return []
        if len(result) != len(self.nests):
            self.problems.append(
                f"{self.said} returned {len(result)} derivatives for {len(self.nests)} inputs "
                f"({', '.join(self.names)}): None stands for what is not derived"
            )
        return result

    def _matched(self, wanted: Any, given: Any, path: str) -> Iterator[tuple[int, Any]]:
        """Yield the inputs of a nest with what was returned in the same places."""
        if given is None:
            return
        if isinstance(wanted, _Slot):
            if wanted.k is not None:
                yield wanted.k, given
            return
        if isinstance(wanted, dict):
            if not isinstance(given, dict):
                self.problems.append(f"{self.said} returned {_kind(given)} for {path}: return a dict by name")
                return
            unknown = [key for key in given if key not in wanted]
            if unknown:
                known = ", ".join(map(repr, wanted))
                self.problems.append(
                    f"{self.said} returned {path}[{unknown[0]!r}], which is no input: there are {known}"
                )
            items = [(key, given.get(key)) for key in wanted]
        elif not isinstance(given, list | tuple | np.ndarray) or len(given) != len(wanted):
            many = f" of {len(given)}" if hasattr(given, "__len__") else ""
            self.problems.append(f"{self.said} returned {_kind(given)}{many} for {path}, which has {len(wanted)} parts")
            return
        else:
            items = list(enumerate(given))
        for key, part in items:
            yield from self._matched(wanted[key], part, f"{path}[{key!r}]")

    # --------------------------------------------------------------------------------------------------- how it is read

    def _claim(self, k: int, given: Any) -> Claim:
        """Return what was returned for one input, read by its shape."""
        leaf = self.subject.leaves[k]
        try:
            array = as_numpy(given)
        except (TypeError, ValueError, RuntimeError, TinygradError) as error:
            return Claim(k, None, "", f"{self.said} returned {_kind(given)} for {leaf.name}: {error}")
        if array.dtype.kind not in "fiub":
            return Claim(k, None, "", f"{self.said} returned {array.dtype} for {leaf.name}: return real numbers")
        self.coarse |= array.dtype == np.float32
        reading, array = read(np.array(array, np.float64), self.outer, leaf.values.shape)
        problem = "" if reading else misfit(self.said, leaf.name, array.shape, self.outer, leaf.values.shape)
        return Claim(k, array, reading, problem)


class _Slot(NamedTuple):
    """Where a derivative is wanted: of the input ``k``, or of none."""

    k: int | None


def read(given: Floats, outer: Shape, inner: Shape) -> tuple[str, Floats]:
    """Return how a derivative is understood, by its shape, and the derivative; an empty text if it fits nothing.

    Args:
        given: what was returned.
        outer: the shape of the output.
        inner: the shape of the input.
    """
    if math.prod(outer) == 1:
        if given.shape == inner or (given.size == 1 and not inner):
            return "gradient", given.reshape(inner)
        return ("gradient", given.reshape(inner)) if given.shape == outer + inner else ("", given)
    if given.shape == outer + inner:
        return "Jacobian", given
    if outer == inner and given.shape == inner:
        return "slope of each element", given
    if outer and inner and outer[0] == inner[0] and given.shape == (*outer, *inner[1:]):
        return "Jacobian of each sample", given
    return "", given


def matrix(given: Floats, reading: str, m: int, n: int) -> Floats:
    """Return the Jacobian (m, n) that a derivative stands for."""
    if reading == "slope of each element":
        return np.diag(given.reshape(-1))
    if reading == "Jacobian of each sample":
        samples = len(given)
        J = np.zeros((samples, m // samples, samples, n // samples))
        at = np.arange(samples)
        J[at, :, at, :] = given.reshape(samples, m // samples, n // samples)
        return J.reshape(m, n)
    return given.reshape(m, n)


def pulled(u: Floats, given: Floats, reading: str, n: int) -> Floats:
    """Return uᵀ J, shape (n,), for the Jacobian that a derivative stands for; ``u`` has the shape of the output."""
    if reading == "slope of each element":
        return (u * given).reshape(-1)
    if reading == "Jacobian of each sample":
        N = len(given)
        return np.asarray(np.einsum("ns,nsi->ni", u.reshape(N, -1), given.reshape(N, u.size // N, n // N)).reshape(-1))
    return np.asarray(u.reshape(-1) @ given.reshape(u.size, n))


def misfit(name: str, leaf: str, given: Shape, outer: Shape, inner: Shape) -> str:
    """Return what is wrong with a shape."""
    if math.prod(outer) == 1:
        text = f"{name} returned shape {given} for {leaf} of shape {inner}"
        return f"{text}: {_shape_hint(given, inner)}" if _shape_hint(given, inner) else text
    wanted = [f"the Jacobian, {outer + inner}"]
    wanted += [f"the slope of each element, {inner}"] if outer == inner else []
    if outer and inner and outer[0] == inner[0] and len(outer) + len(inner) > 2:
        wanted.append(f"the Jacobian of each sample, {(*outer, *inner[1:])}")
    return (
        f"{name} returned shape {given} for {leaf} of shape {inner}; f gives {outer}, so return {' or '.join(wanted)}"
    )


def _shape_hint(given: Shape, inner: Shape) -> str:
    if given == inner[::-1]:
        return "transposed?"
    if [n for n in given if n != 1] == [n for n in inner if n != 1]:
        return f"the same numbers with {'an axis' if abs(len(given) - len(inner)) == 1 else 'axes'} of length 1"
    if given[1:] == inner:
        return "not summed over the batch?"
    if not given:
        sides = inner[0] if len(inner) == 1 else inner
        return f"one number for an array: summed over too many axes, or the same for all, np.full({sides}, …)?"
    if len(given) == len(inner) == 1:
        return "summed over the wrong axis?"
    if len(given) < len(inner) and (given == inner[: len(given)] or given == inner[len(inner) - len(given) :]):
        return "summed over too many axes?"
    return ""


def _place(nodes: list[Any], x: Any) -> int | None:
    return next((k for k, node in enumerate(nodes) if node is x), None)


def _given(x: Any, values: Floats | None) -> Any:
    """Return a leaf of an argument as the formula gets it: a float, an array, or what was passed."""
    if values is None:
        return as_numpy(x) if type(x) in NODES else x
    return float(values) if type(x) in (Value, float) else values.copy()


def _is_stack(x: Any, n: int) -> bool:
    """Return whether a result is an array that may hold the derivatives of ``n`` inputs."""
    return isinstance(x, np.ndarray) and x.ndim > 0 and len(x) == n


def _kind(x: Any) -> str:
    return f"one array of shape {x.shape}" if hasattr(x, "shape") else f"a {type(x).__name__}"


def _takes_nothing(f: Callable[..., Any]) -> bool:
    import inspect

    try:
        return not inspect.signature(f).parameters
    except (TypeError, ValueError):
        return False
