"""The options of a picture, looked at before anything is drawn: what each may be, in words for the message."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from math import inf
from typing import Any, NamedTuple

import numpy as np

from tinygrad_mlp.errors import UnsupportedError

from .labels import argument, clean, shorten
from .theme import THEMES

DIGITS = 17  # tell all numbers of double precision apart


class Rule(NamedTuple):
    """What an option may be: whether a value is, and the same in words."""

    fits: Callable[[Any], bool]
    words: str


def is_whole(x: Any) -> bool:
    """Return whether ``x`` is a whole number, of Python or NumPy."""
    return isinstance(x, int | np.integer) and not isinstance(x, bool)


def _is_text(x: Any) -> bool:
    return isinstance(x, str)


def _is_sequence(x: Any) -> bool:
    return isinstance(x, Sequence)


RULES = {
    "kind": Rule(_is_text, "the name of a kind"),
    "precision": Rule(lambda x: is_whole(x) and 0 < x <= DIGITS, f"a number of digits from 1 to {DIGITS}"),
    "budget": Rule(lambda x: x is None or is_whole(x), "a number of nodes, or None for all"),
    "depth": Rule(lambda x: x is None or (is_whole(x) and x >= 0), "a number of frames, 0 or more, or None for all"),
    "collapse": Rule(lambda x: isinstance(x, Iterable), "the name of a module, or a list of names"),
    "gradients": Rule(lambda x: x is None or isinstance(x, Mapping), "a mapping of nodes to gradients"),
    "theme": Rule(_is_text, f"one of {', '.join(THEMES)}"),
    "show": Rule(_is_text, "weights, gradients or structure"),
    "title": Rule(_is_text, "a text"),
    "max_units": Rule(is_whole, "a number of circles"),
    "numbers": Rule(lambda x: x is None or isinstance(x, bool), "True, False, or None for where there is room"),
    "inputs": Rule(_is_sequence, "a list of names"),
    "outputs": Rule(_is_sequence, "a list of names"),
    "engine": Rule(lambda x: x is None or _is_text(x), "the name of a layout program, or 'native'"),
    "timeout": Rule(
        lambda x: isinstance(x, int | float | np.number) and bool(0 < x < inf), "a number of seconds above 0"
    ),
}


def check_values(options: Mapping[str, Any]) -> None:
    """Raise if an option has a value that no picture can use.

    Raises:
        UnsupportedError: it says what the option may be.
    """
    for name, x in options.items():
        rule = RULES.get(name)
        if rule is not None and not rule.fits(x):
            raise UnsupportedError(f"draw: {name}={shorten(clean(argument(x)))}: it must be {rule.words}")
