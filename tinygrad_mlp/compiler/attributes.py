"""Attributes of objects that a compiled function is given: what Python reads from them is part of a recording."""

from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import Any

PLAIN = (int, float, bool, str, bytes)
BESIDE = frozenset(("_training",))  # which a recording watches by itself
WITHOUT = (type, ModuleType, FunctionType, MethodType, BuiltinFunctionType)


class Attributes:
    """The attributes that an object has at a recording, and the modules in it.

    A recording holds as long as each is the same object, or an equal number or text. What an array or a list among
    them holds is not looked at.
    """

    def __init__(self, owner: Any) -> None:
        """Take the attributes of ``owner``; none of a function, a class, or an optimizer, which is read live."""
        self._kept: list[tuple[Any, dict[str, Any]]] = []
        if isinstance(owner, WITHOUT) or (hasattr(owner, "zero_grad") and hasattr(owner, "step")):
            return
        modules = owner.modules() if hasattr(owner, "named_parameters") and hasattr(owner, "modules") else [owner]
        self._kept = [(x, dict(vars(x))) for x in modules if getattr(x, "__dict__", None)]

    def __bool__(self) -> bool:
        return bool(self._kept)

    def hold(self) -> bool:
        """Return whether the attributes are as they were."""
        for owner, kept in self._kept:
            now = vars(owner)
            if len(now) != len(kept):
                return False
            for name, value in kept.items():
                x = now.get(name, self)
                if x is not value and name not in BESIDE and not (type(x) is type(value) in PLAIN and x == value):
                    return False
        return True

    def restore(self) -> None:
        """Give the objects the attributes that they had."""
        for owner, kept in self._kept:
            vars(owner).clear()
            vars(owner).update(kept)
