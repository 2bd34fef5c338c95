"""The arguments of a call: taken apart into what is traced and what is fixed, and checked by generated code."""

import itertools
from collections.abc import Mapping, Sequence
from copy import copy
from typing import Any

import numpy as np

from tinygrad_mlp.arrays import as_payload
from tinygrad_mlp.errors import DTypeError, GradientError, TracingError, UnsupportedError
from tinygrad_mlp.graph import NODES, wrap

from .attributes import Attributes

ndarray = np.ndarray
MISS = object()  # what a replay returns where its trace does not hold


class Argument:
    """One traced argument.

    Attributes:
        number: Of the argument that it is, or is in: its place, or its name if it was given by name.
        path: Where it stands, as one would write it: ``params[0]``.
        node: What stands for it in the trace: the user's own leaf, or a new one.
        is_leaf: Whether the user gave a leaf.
    """

    def __init__(self, number: int | str, path: str, node: Any, is_leaf: bool) -> None:
        """Take what the attributes say."""
        self.number = number
        self.path = path
        self.node = node
        self.is_leaf = is_leaf


class Arguments:
    """The arguments of one call, opened.

    Lists, tuples and dicts are opened. Arrays, floats and leaves are traced; everything else is fixed: equal integers,
    booleans and strings, and the same objects, belong to the same trace.

    Args:
        args, kwargs: Of the call.
        names: The names of the parameters, as far as known.

    Attributes:
        traced: What is traced, in order.
        checks: Lines of Python that return ``MISS`` for a call of another kind; they bind ``x0, x1, …`` to the numbers
            and arrays, and ``leaf0, …`` to the user's leaves.
        constants: What the lines refer to.
        args, kwargs: The arguments with nodes in place of what is traced.
        titles: The names of those given by position.
    """

    def __init__(self, args: Sequence[Any], kwargs: Mapping[str, Any], names: Sequence[str]) -> None:
        """Open the arguments."""
        self.traced: list[Argument] = []
        self.checks: list[str] = []
        self.constants: dict[str, Any] = {"ndarray": ndarray, "MISS": MISS}
        self._variables = 0
        self._nests: list[tuple[str, Any, list[Any]]] = []  # what was opened: its path, what stands for it, its items
        self._seen: dict[int, int] = {}
        given = [self._variable() for _ in args]
        self.checks.append(f"if len(args) != {len(args)} or len(kwargs) != {len(kwargs)}: return MISS")
        if args:
            self.checks.append(f"{', '.join(given)}, = args")
        if len(kwargs) > 1:  # a function of **kwargs sees their order
            self.checks.append(f"if list(kwargs) != {self._constant(list(kwargs))}: return MISS")
        self.names = names
        self.titles = titles = [*names[: len(args)], *(f"argument{i}" for i in range(len(names), len(args)))]
        self.args = []
        for number, (x, v, title) in enumerate(zip(args, given, titles, strict=True)):
            self._number: int | str = number
            self.args.append(self._open(x, v, title))
        self.kwargs = {}
        for key, x in kwargs.items():
            v = self._variable()
            self._number = key
            self.checks.append(f"{v} = kwargs.get({key!r}, MISS)")
            self.kwargs[key] = self._open(x, v, key)

    def donated(self, donate: Any) -> list[Argument]:
        """Return the arguments that may be overwritten: all for True, else those of the numbers or names given."""
        if donate is True:
            return self.traced
        given = (donate,) if isinstance(donate, int | str) else donate
        return [x for x in self.traced if any(self._is_of(x, one) for one in given)]

    def check_donated(self, donate: Any) -> None:
        """Raise if something that may be overwritten is no argument with an array.

        Raises:
            UnsupportedError: It is not.
        """
        given = () if donate is True else (donate,) if isinstance(donate, int | str) else donate
        arrays = [x for x in self.traced if isinstance(x.node._payload, ndarray)]
        for one in given:
            if not any(self._is_of(x, one) for x in arrays):
                raise UnsupportedError(
                    f"compile: donate={one!r} is no argument with an array; the arguments are "
                    f"{', '.join([*self.titles, *self.kwargs]) or 'none'}"
                )

    def _is_of(self, argument: Argument, one: int | str) -> bool:
        """Return whether something traced belongs to the argument of a number or a name."""
        if isinstance(one, int) and -len(self.names) <= one < len(self.names):
            one = self.names[one]
        return one in (argument.number, self._title(argument.number))

    def check_unchanged(self) -> None:
        """Raise if the function has changed a list or a dict that it was given.

        Raises:
            TracingError: It has: the caller's own is as before, and a replay knows nothing of it.
        """
        for path, nest, before in self._nests:
            now = nest if isinstance(nest, list) else list(itertools.chain.from_iterable(nest.items()))
            if len(now) != len(before) or any(x is not y for x, y in zip(now, before, strict=True)):
                raise TracingError(
                    f"compile: the function changes {path}, a {type(nest).__name__} that it is given: "
                    "let it return what it makes"
                )

    def _title(self, number: int | str) -> str:
        return number if isinstance(number, str) else self.titles[number]

    def _variable(self) -> str:
        self._variables += 1
        return f"v{self._variables}"

    def _constant(self, value: Any) -> str:
        name = f"k{len(self.constants)}"
        self.constants[name] = value
        return name

    def _require(self, condition: str) -> None:
        self.checks.append(f"if not ({condition}): return MISS")

    def _open(self, x: Any, v: str, path: str) -> Any:
        """Return ``x`` with nodes in place of what is traced, and write the lines that check another like it."""
        kind = type(x)
        if kind is list or isinstance(x, dict | tuple):
            return self._open_nest(x, v, path)
        if kind is float:
            self._require(f"type({v}) is float")
            return self._trace(wrap(x), v, path)
        if isinstance(x, np.generic) and x.dtype.kind == "f":
            self._require(f"isinstance({v}, {self._constant(kind)})")
            self.checks.append(f"{v} = {self._constant(np.asarray)}({v})")
            return self._trace(wrap(np.asarray(x)), v, path)
        if isinstance(x, ndarray):
            return self._open_array(x, v, path)
        if kind in NODES:
            return self._open_node(x, v, path)
        if isinstance(x, complex | np.complexfloating):
            raise DTypeError(f"compile: {path} is a complex number: complex numbers are not supported")
        if kind in (int, bool, str, bytes) or isinstance(x, np.generic):
            self._require(f"type({v}) is {self._constant(kind)} and {v} == {self._constant(x)}")
        else:
            self._refuse(x, path)
            self._require(f"{v} is {self._constant(x)}")
            self._watch(x)
        return x

    def _watch(self, owner: Any) -> None:
        """Write the line that tells whether the attributes of an object are as they were."""
        attributes = Attributes(owner)
        if attributes:
            self._require(f"{self._constant(attributes.hold)}()")

    def _refuse(self, x: Any, path: str) -> None:
        if hasattr(x, "__array_namespace__") or (hasattr(x, "shape") and hasattr(x, "__array__")):
            library = type(x).__module__.partition(".")[0]
            raise DTypeError(
                f"compile: {path} is an array of {library}; a compiled function takes NumPy's: "
                "convert it with numpy.asarray, or use jax.jit or torch.compile"
            )

    def _open_nest(self, x: Any, v: str, path: str) -> Any:
        kind = type(x)
        self._require(f"type({v}) is {self._constant(kind)} and len({v}) == {len(x)}")
        is_dict = isinstance(x, dict)
        keys = list(x) if is_dict else range(len(x))
        if is_dict:
            self._require(f"list({v}) == {self._constant(keys)}")
        variables = [self._variable() for _ in keys]
        if variables:
            self.checks.append(f"{', '.join(variables)}, = {v}{'.values()' if is_dict else ''}")
        values: Any = [self._open(x[key], name, f"{path}[{key!r}]") for key, name in zip(keys, variables, strict=True)]
        if is_dict:
            values = dict(zip(keys, values, strict=True))
            values = values if kind is dict else _filled(x, values)
            self._nests.append((path, values, list(itertools.chain.from_iterable(values.items()))))
        elif kind is list:
            self._nests.append((path, values, list(values)))
        else:
            values = getattr(kind, "_make", kind)(values)
        return values

    def _open_array(self, x: Any, v: str, path: str) -> Any:
        payload = as_payload(x)
        self._check_array(payload, v, "type" if type(x) is ndarray else "any")
        return self._trace(wrap(np.asarray(payload)), v, path)

    def _check_array(self, x: Any, v: str, how: str) -> None:
        if how == "any":
            self._require(f"isinstance({v}, ndarray)")
            self.checks.append(f"{v} = {self._constant(np.asarray)}({v})")
            how = ""
        same = f"{v}.shape == {self._constant(x.shape)} and {v}.dtype == {self._constant(x.dtype)}"
        self._require(f"type({v}) is ndarray and {same}" if how else same)

    def _open_node(self, x: Any, v: str, path: str) -> Any:
        if x.op is not None:
            if x.requires_grad:
                raise GradientError(
                    f"compile: {path} is computed ({x.op.name}), and a compiled function gives plain arrays, through "
                    "which no gradient flows: compile the function that computes it too, or pass .detach()"
                )
            self._require(f"type({v}) is {self._constant(type(x))} and {v}.op is not None and not {v}.requires_grad")
            self.checks.append(f"{v} = {v}._payload")
            return self._open(x._payload, v, path)
        if id(x) in self._seen:
            self._require(f"{v} is leaf{self._seen[id(x)]}")
            return x
        self._seen[id(x)] = at = len(self.traced)
        kind = self._constant(type(x))
        self._require(f"type({v}) is {kind} and {v}.op is None and {v}.requires_grad is {x.requires_grad}")
        for other in self._seen.values():
            if other != at:
                self._require(f"{v} is not leaf{other}")
        self.checks.append(f"leaf{at} = {v}; {v} = {v}._payload")
        if isinstance(x._payload, ndarray):
            self._check_array(x._payload, v, "type")
        else:
            self._refuse(x._payload, path)
        return self._trace(x, v, path, is_leaf=True)

    def _trace(self, node: Any, v: str, path: str, is_leaf: bool = False) -> Any:
        self.checks.append(f"x{len(self.traced)} = {v}")
        self.traced.append(Argument(self._number, path, node, is_leaf))
        return node


def _filled(like: Any, values: dict[Any, Any]) -> Any:
    """Return a dict of a class of its own, such as an OrderedDict, with other values."""
    same = copy(like)
    same.update(values)
    return same
