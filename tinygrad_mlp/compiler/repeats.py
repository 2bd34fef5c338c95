"""Recordings that repeat: an integer that is another in every call, where a float would do."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from tinygrad_mlp.nest import Nest

LIMIT = 8  # values of one integer, each with a recording of its own


class Repeats:
    """Counts the integers that functions were recorded for."""

    def __init__(self) -> None:
        """Begin with none."""
        self._seen: dict[Any, dict[str, set[int]]] = {}
        self._is_told = False

    def note(self, given: Iterable[tuple[str, Any]]) -> str:
        """Take in the arguments of a recording; return once which of them was many integers, else nothing.

        Args:
            given: The arguments and their names.
        """
        if self._is_told:
            return ""
        kinds, integers = [], {}
        for title, x in given:
            nest = Nest(x)
            for path, leaf in zip(nest.paths, nest.leaves, strict=True):
                kinds.append((title + path, type(leaf), getattr(leaf, "shape", None), str(getattr(leaf, "dtype", ""))))
                if type(leaf) is int or isinstance(leaf, np.integer):
                    integers[title + path] = int(leaf)
        known = self._seen.setdefault(tuple(kinds), {})
        for path, value in integers.items():
            known.setdefault(path, set()).add(value)
            if len(known[path]) >= LIMIT:
                self._is_told = True
                return path
        return ""
