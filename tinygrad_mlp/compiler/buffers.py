"""Buffers: memory that a kernel keeps from call to call, each piece lent to one term after the other."""

from collections.abc import Iterable
from typing import Any

from .writing import dtype_text

ALIGNMENT = 64


class Arena:
    """One piece of memory, and which part of it belongs to whom at the moment.

    Attributes:
        nbytes: The size that is needed.
    """

    def __init__(self) -> None:
        """Begin with nothing."""
        self.nbytes = 0
        self._free: list[tuple[int, int]] = []  # (start, size), in order
        self._lent: dict[int, tuple[int, int]] = {}

    def holds(self, term: Any) -> bool:
        """Return whether a term has a part of the memory."""
        return id(term) in self._lent

    def take(self, term: Any, reused: Any = None, shape: Any = None) -> str:
        """Return the code of an array for a term: free memory, or that of a term that is no longer needed."""
        shape = term.shape if shape is None else shape
        size = term.dtype.itemsize
        for n in shape:
            size *= n
        if reused is not None:
            start, room = self._lent.pop(id(reused))
        else:
            start, room = self._find(-(-size // ALIGNMENT) * ALIGNMENT)
        self._lent[id(term)] = start, room
        return f"arena[{start}:{start + size}].view({dtype_text(term.dtype)}).reshape({tuple(shape)})"

    def _find(self, size: int) -> tuple[int, int]:
        fitting = [(room, start) for start, room in self._free if room >= size]
        if fitting:
            room, start = min(fitting)
            self._free.remove((start, room))
            if room > size:
                self._free.append((start + size, room - size))
            return start, size
        start = self.nbytes
        last = max(self._free, default=(0, 0))
        if sum(last) == start and last[1]:  # the end of the memory is free: make it longer
            self._free.remove(last)
            start = last[0]
        self.nbytes = start + size
        return start, size

    def release(self, terms: Iterable[int]) -> None:
        """Take back what was lent to terms, given by ``id``."""
        for term in terms:
            part = self._lent.pop(term, None)
            if part is not None:
                self._give_back(part)

    def _give_back(self, part: tuple[int, int]) -> None:
        """Add a part to what is free, joined with its neighbours."""
        start, size = part
        for other in sorted(self._free):
            if sum(other) == start:
                self._free.remove(other)
                start, size = other[0], size + other[1]
            elif start + size == other[0]:
                self._free.remove(other)
                size += other[1]
        self._free.append((start, size))
