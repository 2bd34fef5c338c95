"""Nests of arguments: lists, tuples, dicts, and objects that list their parameters, flattened and rebuilt."""

from collections.abc import Callable, Iterator
from typing import Any

Rebuild = Callable[[list[Any]], Any]


def flatten(nest: Any) -> tuple[list[Any], Rebuild]:
    """Return the leaves of ``nest`` in a fixed order, and a function that puts other leaves in their places.

    Lists, tuples, named tuples and dicts are opened; so is an object with ``named_parameters()``, which is rebuilt as a
    dict of its parameters by name. ``None`` is an empty nest. Everything else is a leaf.

    >>> leaves, rebuild = flatten({"w": [1.0, 2.0], "b": (3.0, None)})
    >>> leaves
    [1.0, 2.0, 3.0]
    >>> rebuild([x * 10 for x in leaves])
    {'w': [10.0, 20.0], 'b': (30.0, None)}
    """
    leaves: list[Any] = []
    build = _open(nest, leaves)
    return leaves, lambda values: build(iter(values))


def leaf_paths(nest: Any, prefix: str = "") -> list[str]:
    """Return where each leaf stands, as one would write it: ``['w'][0]``; in the order of ``flatten``.

    >>> leaf_paths({"w": [1.0, 2.0]})
    ["['w'][0]", "['w'][1]"]
    """
    items = _items(nest)
    if items is None:
        return [prefix]
    return [path for key, child in items for path in leaf_paths(child, f"{prefix}[{key!r}]")]


def _items(nest: Any) -> list[tuple[Any, Any]] | None:
    """Return the keyed children of a nest, or None for a leaf."""
    if nest is None:
        return []
    if type(nest) is list or isinstance(nest, tuple):
        return list(enumerate(nest))
    if isinstance(nest, dict):
        return list(nest.items())
    if hasattr(nest, "named_parameters"):
        return list(nest.named_parameters())
    return None


def _open(nest: Any, leaves: list[Any]) -> Callable[[Iterator[Any]], Any]:
    """Append the leaves of ``nest`` and return the function that rebuilds it from an iterator of values."""
    items = _items(nest)
    if items is None:
        leaves.append(nest)
        return next
    keys = [key for key, _ in items]
    builders = [_open(child, leaves) for _, child in items]
    if nest is None:
        return lambda values: None
    if type(nest) is list:
        return lambda values: [build(values) for build in builders]
    if isinstance(nest, tuple):
        make: Any = type(nest)._make if hasattr(nest, "_make") else tuple
        return lambda values: make(build(values) for build in builders)
    return lambda values: {key: build(values) for key, build in zip(keys, builders, strict=True)}
