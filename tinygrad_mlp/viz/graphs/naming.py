"""What nodes are called: by their own name, by that of a variable, by the path of a module's parameter."""

from collections.abc import Iterable, Mapping
from typing import Any

from tinygrad_mlp.errors import UnsupportedError
from tinygrad_mlp.graph import Node
from tinygrad_mlp.nn import Module


class Names:
    """Names of nodes; a node's own ``name`` goes first.

    Args:
        given: None; a mapping of names to nodes, lists of nodes, and modules, such as ``locals()``; or a module.
        found: more names, ``(node, name)``, for nodes that have none else.

    Attributes:
        modules: the modules that were given, each with its name.

    Raises:
        UnsupportedError: ``given`` is nothing of the kind.
    """

    def __init__(self, given: Any = None, found: Iterable[tuple[Any, str]] = ()) -> None:
        """Look at everything once; the nodes are kept alive, so that their ids stay their own."""
        self._names: dict[int, tuple[Any, str]] = {}
        self.modules: list[tuple[str, Any]] = []
        if given is None:
            entries: Iterable[tuple[str, Any]] = ()
        elif isinstance(given, Mapping):
            entries = [(str(name), x) for name, x in given.items() if not str(name).startswith("_")]
        elif isinstance(given, Module):
            entries = [("", given)]
        else:
            kind = type(given).__name__
            raise UnsupportedError(f"draw: names= is a {kind}; pass a dict such as locals(), or a module")
        for name, x in entries:
            self._add(name, x)
        for node, name in found:
            self._names.setdefault(id(node), (node, name))

    def _add(self, name: str, x: Any) -> None:
        if isinstance(x, Node):
            self._names.setdefault(id(x), (x, name))
        elif isinstance(x, Module):
            self.modules += [(name, x)] if hasattr(x, "named_modules") else []
            prefix = f"{name}." if name else ""
            for part, parameter in [*x.named_parameters(), *x.named_buffers()]:
                self._names.setdefault(id(parameter), (parameter, prefix + part))
        elif isinstance(x, list | tuple):
            for i, item in enumerate(x):
                if isinstance(item, Node):
                    self._names.setdefault(id(item), (item, f"{name}[{i}]"))

    def of(self, node: Any) -> str:
        """Return the name of a node, empty if it has none."""
        own: str = node.name if isinstance(node, Node) else ""
        return own or self._names.get(id(node), (None, ""))[1]
