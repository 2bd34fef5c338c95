"""What the lines of a network diagram show: the weights, their gradients, or what changed between two networks."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinygrad_mlp.errors import ShapeError, UnsupportedError
from tinygrad_mlp.viz.labels import norm, number

from .layers import Layer

Term = tuple[str, Any, Any]  # words around a number, and the numbers: of weights and of biases


@dataclass(frozen=True)
class Lines:
    """The numbers of the lines into one layer.

    Attributes:
        weights: what width and colour show, shape (inputs, units), None where unknown.
        biases: the same of the lines from the bias unit, shape (units,).
        terms: what tooltips say.
        size: the norm of all its numbers, weights and biases, drawn or not; None where unknown.
    """

    weights: Any
    biases: Any
    terms: tuple[Term, ...]
    size: float | None

    def weight_tip(self, source: int, unit: int, precision: int) -> str:
        """Return what is said of the weight between two units; empty where nothing is known."""
        return _said([(words, w[source, unit]) for words, w, _ in self.terms if w is not None], precision)

    def bias_tip(self, unit: int, precision: int) -> str:
        """Return what is said of the bias of a unit; empty where nothing is known."""
        return _said([(words, b[unit]) for words, _, b in self.terms if b is not None], precision)


@dataclass(frozen=True)
class Shown:
    """What all lines show: ``noun`` is what one of their numbers is called, ``layers`` has one entry for each layer."""

    noun: str
    layers: list[Lines]
    missing: str = ""

    @property
    def size(self) -> float:
        """The norm of all numbers together."""
        return norm([lines.size for lines in self.layers if lines.size is not None])


def nothing(layers: list[Layer]) -> Shown:
    """Return lines without numbers: the structure alone."""
    return Shown("", [Lines(None, None, (), None) for _ in layers])


def weights(layers: list[Layer]) -> Shown:
    """Return lines that show weights and biases."""
    nouns = sorted({layer.noun for layer in layers[1:] if layer.weight is not None}, reverse=True)
    return Shown(" or ".join(nouns), [_lines(layer.weight, layer.bias, _terms(layer)) for layer in layers])


def gradients(layers: list[Layer]) -> Shown:
    """Return lines that show the gradients of weights and biases; it says so where there are none."""
    known = any(layer.weight_grad is not None or layer.bias_grad is not None for layer in layers)
    missing = "" if known else "gradients: not computed, call backward() first"
    return Shown("gradient", [_lines(layer.weight_grad, layer.bias_grad, _terms(layer)) for layer in layers], missing)


SHOWN: dict[str, Callable[[list[Layer]], Shown]] = {
    "weights": weights,
    "gradients": gradients,
    "structure": nothing,
}


def find_shown(show: str) -> Callable[[list[Layer]], Shown]:
    """Return what ``show=`` asks for.

    Raises:
        UnsupportedError: it is unknown; the message lists the choices.
    """
    if show not in SHOWN:
        raise UnsupportedError(f"draw: unknown show={show!r}; a network can show {', '.join(SHOWN)}")
    return SHOWN[show]


def changes(before: list[Layer], after: list[Layer]) -> Shown:
    """Return lines that show what ``after`` has more than ``before``.

    Raises:
        ShapeError: a layer has another size in the two.
        UnsupportedError: the numbers of a layer are unknown.
    """
    sizes = ["-".join(str(layer.units) for layer in layers) for layers in (before, after)]
    if sizes[0] != sizes[1]:
        raise ShapeError(f"difference: the layers have sizes {sizes[0]} before and {sizes[1]} after")
    rows = [Lines(None, None, (), None)]
    for old, new in zip(before[1:], after[1:], strict=True):
        if old.weight is None or new.weight is None:
            raise UnsupportedError(f"difference: the weights of {new.name} are not known")
        if old.weight.shape != new.weight.shape or (old.bias is None) != (new.bias is None):
            raise ShapeError(f"difference: {new.name} has {_form(old)} before and {_form(new)} after")
        biases = None if new.bias is None else new.bias - old.bias
        change = new.weight - old.weight
        terms = (("{}", old.weight, old.bias), (" → {}", new.weight, new.bias), (", change {}", change, biases))
        rows.append(_lines(change, biases, terms))
    return Shown("change", rows)


def _form(layer: Layer) -> str:
    inputs, units, pieces = layer.weight.shape
    return f"{inputs}×{units * pieces} weights and {'no ' * (layer.bias is None)}biases"


def _terms(layer: Layer) -> tuple[Term, ...]:
    return ("{}", layer.weight, layer.bias), (", gradient {}", layer.weight_grad, layer.bias_grad)


def _lines(weight: Any, bias: Any, terms: tuple[Term, ...]) -> Lines:
    known = [x for x in (weight, bias) if x is not None]
    size = norm([norm(x) for x in known]) if known else None
    return Lines(_strongest(weight), _strongest(bias), terms, size)


def _strongest(numbers: Any) -> Any:
    """Return of each line's pieces the number farthest from 0; nan counts as farthest."""
    if numbers is None:
        return None
    place = np.argmax(np.abs(numbers), axis=-1)  # NumPy's argmax finds nan first
    return np.take_along_axis(numbers, place[..., None], axis=-1)[..., 0]


def _said(terms: list[tuple[str, Any]], precision: int) -> str:
    parts = []
    for words, pieces in terms:
        numbers = " and ".join(number(x, precision, signed=True) for x in pieces)
        parts.append(words.format(f"({numbers})" if len(pieces) > 1 else numbers))
    return "".join(parts).removeprefix(", ")
