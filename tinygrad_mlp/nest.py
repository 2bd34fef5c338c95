"""Nests of arguments: lists, tuples, dicts, and objects that list their parameters, flattened and rebuilt."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

Builder = Callable[[Iterator[Any], bool], Any]


class Nest:
    """A nest taken apart: its leaves, and how to put others in their places.

    Lists, tuples, named tuples and dicts are opened; so is an object with ``named_parameters()`` (a module). ``None``
    is an empty nest. Everything else is a leaf.

    Attributes:
        leaves: The leaves, in a fixed order.
        paths: Where each leaf stands, as one would write it: ``['w'][0]``.
        owned: Whether each leaf belongs to an object that lists it as its parameter.
    """

    def __init__(self, nest: Any) -> None:
        """Take ``nest`` apart."""
        self.leaves: list[Any] = []
        self.paths: list[str] = []
        self.owned: list[bool] = []
        self._build = self._open(nest, "", False)

    def rebuild(self, values: Sequence[Any]) -> Any:
        """Return the nest with ``values`` for leaves; an object becomes the dict of its parameters by name."""
        return self._build(iter(values), False)

    def refill(self, values: Sequence[Any]) -> Any:
        """Return the nest with ``values`` for leaves, but each object as it is."""
        return self._build(iter(values), True)

    def _open(self, nest: Any, path: str, owned: bool) -> Builder:
        """Take in the leaves of ``nest`` and return the function that rebuilds it from an iterator of values."""
        is_object = not isinstance(nest, type) and hasattr(nest, "named_parameters")
        if nest is None:
            return lambda _values, _keep: None
        if is_object:
            items: list[tuple[Any, Any]] = list(nest.named_parameters())
        elif type(nest) is list or isinstance(nest, tuple):
            items = list(enumerate(nest))
        elif isinstance(nest, dict):
            items = list(nest.items())
        else:
            self.leaves.append(nest)
            self.paths.append(path)
            self.owned.append(owned)
            return lambda values, _keep: next(values)
        keys = [key for key, _ in items]
        builders = [self._open(child, f"{path}[{key!r}]", owned or is_object) for key, child in items]
        make = _maker(nest, keys)

        def build(values: Iterator[Any], keep: bool) -> Any:
            children = [builder(values, keep) for builder in builders]
            return nest if keep and is_object else make(children)

        return build


def _maker(nest: Any, keys: list[Any]) -> Callable[[list[Any]], Any]:
    """Return the function that makes a nest of the kind of ``nest`` from its children."""
    if type(nest) is list:
        return list
    if isinstance(nest, tuple):
        return getattr(type(nest), "_make", tuple)
    return lambda children: dict(zip(keys, children, strict=True))


def flatten(nest: Any) -> tuple[list[Any], Callable[[Sequence[Any]], Any]]:
    """Return the leaves of ``nest`` in a fixed order, and a function that puts other leaves in their places.

    >>> leaves, rebuild = flatten({"w": [1.0, 2.0], "b": (3.0, None)})
    >>> leaves
    [1.0, 2.0, 3.0]
    >>> rebuild([x * 10 for x in leaves])
    {'w': [10.0, 20.0], 'b': (30.0, None)}
    """
    opened = Nest(nest)
    return opened.leaves, opened.rebuild
