"""Layers: affine maps, maxout and radial basis units, dropout, and a sequence of anything."""

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from tinygrad_mlp.errors import DTypeError, ShapeError, TinygradError
from tinygrad_mlp.ops import dropout, exp, linear, matmul, max, maximum, reshape, square, sum

from .description import gradient
from .init import Initializer, Rng, find_initializer, standard_normal
from .module import Module, Parameter


def check_width(what: str, n: Any, least: int = 1) -> int:
    """Return ``n`` as an int.

    Raises:
        ShapeError: It is no whole number, or below ``least``.
    """
    if isinstance(n, bool) or not isinstance(n, int | np.integer) or n < least:
        raise ShapeError(f"{what} is {n!r}: it must be a whole number of at least {least}")
    return int(n)


def generator(rng: Any, what: str) -> np.random.Generator:
    """Return the generator of a seed, or ``rng`` itself if it is one.

    Raises:
        DTypeError: It is neither; a seed makes every run the same.
    """
    if isinstance(rng, np.random.Generator):
        return rng
    if isinstance(rng, bool) or not isinstance(rng, int | np.integer) or rng < 0:
        raise DTypeError(f"{what}: rng is {rng!r}; pass a seed of 0 or more, or a numpy.random.Generator")
    return np.random.default_rng(int(rng))


class Linear(Module):
    """The affine map ``x @ weight + bias``.

    Args:
        n_in: Length of the last axis of the input.
        n_out: Number of units.
        bias: Whether to add one; it starts at 0.
        rng: A seed or a ``numpy.random.Generator`` for the weights.
        init: Name or function of ``nn.init``; Glorot's uniform one by default.
        dtype: Of the parameters.

    Attributes:
        weight: shape (n_in, n_out), as in XW.
        bias: shape (n_out,), or None.

    >>> Linear(2, 3, rng=0)
    Linear(2, 3)
    """

    bias: Parameter | None

    def __init__(
        self,
        n_in: int,
        n_out: int,
        bias: bool = True,
        *,
        rng: Rng,
        init: str | Initializer | None = None,
        dtype: Any = np.float64,
    ) -> None:
        n_in, n_out = check_width("Linear: n_in", n_in), check_width("Linear: n_out", n_out)
        weight = np.asarray(find_initializer(init)(n_in, n_out, generator(rng, "Linear")), dtype)
        if weight.shape != (n_in, n_out):
            raise ShapeError(f"Linear: init returned shape {weight.shape}, not {(n_in, n_out)}")
        self.weight = Parameter(weight)
        self.bias = Parameter(np.zeros(n_out, dtype)) if bias else None

    def __call__(self, x: Any) -> Any:
        """Return ``x @ weight + bias``, shape (…, n_out), of ``x``, shape (…, n_in)."""
        return linear(x, self.weight, self.bias)

    def record(self) -> dict[str, Any]:
        """Return what a network diagram shows of it."""
        n_in, n_out = self.weight.shape
        record = {"inputs": n_in, "units": n_out, "weight": self.weight.numpy(), "weight_grad": gradient(self.weight)}
        if self.bias is not None:
            record |= {"bias": self.bias.numpy(), "bias_grad": gradient(self.bias)}
        return record

    def __repr__(self) -> str:
        n_in, n_out = self.weight.shape
        return f"Linear({n_in}, {n_out}{', bias=False' if self.bias is None else ''})"


class Maxout(Module):
    """Units that return the largest of ``pieces`` affine maps: max_k (w_kᵀx + b_k).

    Source: I. Goodfellow, D. Warde-Farley, M. Mirza, A. Courville, Y. Bengio, *Maxout networks*, ICML 2013.

    Args:
        n_in: Length of the last axis of the input.
        n_out: Number of units.
        pieces: Affine maps of each unit; the pieces of unit j are the columns j·pieces … (j + 1)·pieces - 1.
        rng: A seed or a ``numpy.random.Generator`` for the weights.
        init: Name or function of ``nn.init``.
        dtype: Of the parameters.

    Attributes:
        weight: shape (n_in, n_out · pieces).
        bias: shape (n_out · pieces,).
    """

    def __init__(
        self,
        n_in: int,
        n_out: int,
        pieces: int = 2,
        *,
        rng: Rng,
        init: str | Initializer | None = None,
        dtype: Any = np.float64,
    ) -> None:
        n_in, n_out = check_width("Maxout: n_in", n_in), check_width("Maxout: n_out", n_out)
        self.pieces = check_width("Maxout: pieces", pieces, 2)
        columns = n_out * self.pieces
        self.weight = Parameter(np.asarray(find_initializer(init)(n_in, columns, generator(rng, "Maxout")), dtype))
        self.bias = Parameter(np.zeros(columns, dtype))

    def __call__(self, x: Any) -> Any:
        """Return the units, shape (…, n_out), of ``x``, shape (…, n_in)."""
        z = linear(x, self.weight, self.bias)
        return max(reshape(z, (*z.shape[:-1], -1, self.pieces)), axis=-1)

    def record(self) -> dict[str, Any]:
        """Return what a network diagram shows of it."""
        weight, bias = self.weight.numpy(), self.bias.numpy()
        units = len(bias) // self.pieces
        slopes = {"weight_grad": gradient(self.weight), "bias_grad": gradient(self.bias)}
        return {
            "inputs": len(weight),
            "units": units,
            "activation": "maxout",
            "weight": weight,
            "bias": bias,
            **slopes,
        }

    def __repr__(self) -> str:
        n_in, columns = self.weight.shape
        return f"Maxout({n_in}, {columns // self.pieces}, pieces={self.pieces})"


class RadialBasis(Module):
    """Units that answer near a centre: h_i = exp(-‖W_:,i - x‖² / σ_i²).

    Source: I. Goodfellow, Y. Bengio, A. Courville, *Deep Learning*, 2016, section 6.3.3: 1/σ², not 1/(2σ²). The centres
    are trained, and so are the widths, one a unit, through log σ, which keeps them positive. They start at σ² = 2·n_in,
    the mean squared distance between two points of standardised data, so that no unit starts silent.

    Args:
        n_in: Length of the last axis of the input.
        n_out: Number of units.
        rng: A seed or a ``numpy.random.Generator`` for the centres.
        init: Name or function of ``nn.init``; standard normal centres by default.
        dtype: Of the parameters.

    Attributes:
        weight: the centres, shape (n_in, n_out), one a column.
        log_width: log σ, shape (n_out,).
    """

    def __init__(
        self,
        n_in: int,
        n_out: int,
        *,
        rng: Rng,
        init: str | Initializer | None = standard_normal,
        dtype: Any = np.float64,
    ) -> None:
        n_in, n_out = check_width("RadialBasis: n_in", n_in), check_width("RadialBasis: n_out", n_out)
        self.weight = Parameter(np.asarray(find_initializer(init)(n_in, n_out, generator(rng, "RadialBasis")), dtype))
        self.log_width = Parameter(np.full(n_out, 0.5 * math.log(2 * n_in), dtype))

    def __call__(self, x: Any) -> Any:
        """Return the units, shape (…, n_out), of ``x``, shape (…, n_in)."""
        n_in = self.weight.shape[0]
        x = x if hasattr(x, "shape") else np.asarray(x)
        if not x.shape or x.shape[-1] != n_in:
            raise ShapeError(f"radial_basis: input {tuple(x.shape)}: its last axis must have length {n_in}")
        # ‖x - w‖² in products of matrices, since (rows, n_in, n_out) differences would fill the memory. Distances stay
        # when both points move, and near the origin the products lose no digits: move the centres' mean there.
        # Rounding may still leave a small negative number where x is the centre itself.
        mean = self.weight._payload.mean(axis=1)
        x, centres = x - mean, self.weight - mean[:, None]
        squares = sum(square(x), axis=-1, keepdims=True) - 2.0 * matmul(x, centres) + sum(square(centres), axis=0)
        return exp(-maximum(squares, 0.0) * exp(-2.0 * self.log_width))

    def record(self) -> dict[str, Any]:
        """Return what a network diagram shows of it; centres are no weights of a sum, but have the same shape."""
        n_in, n_out = self.weight.shape
        return {
            "inputs": n_in,
            "units": n_out,
            "activation": "radial_basis",
            "weight": self.weight.numpy(),
            "weight_grad": gradient(self.weight),
            "lines": "centre",
        }

    def __repr__(self) -> str:
        n_in, n_out = self.weight.shape
        return f"RadialBasis({n_in}, {n_out})"


class Dropout(Module):
    """Sets each element to 0 with probability ``p`` while training, and divides the others by ``1 - p``.

    Args:
        p: Probability of zero, in [0, 1].
        rng: A seed or a ``numpy.random.Generator``, which moves on with every call.
    """

    def __init__(self, p: float = 0.5, *, rng: Rng) -> None:
        if not 0 <= p <= 1:
            raise TinygradError(f"Dropout: p is {p}; a probability lies in [0, 1]")
        self.p = float(p)
        self.rng = generator(rng, "Dropout")

    def __call__(self, x: Any) -> Any:
        """Return ``x`` with elements dropped, or ``x`` itself in evaluation."""
        return dropout(x, self.p, rng=self.rng, training=self.training)

    def __repr__(self) -> str:
        return f"Dropout({self.p})"


class Sequential(Module):
    """Modules and functions, one applied to the result of the other; parameters are named by place: ``0.weight``.

    >>> from tinygrad_mlp.ops import relu
    >>> net = Sequential(Linear(2, 3, rng=0), relu, Linear(3, 1, rng=1))
    >>> [name for name, _ in net.named_parameters()]
    ['0.weight', '0.bias', '2.weight', '2.bias']
    """

    def __init__(self, *layers: Callable[[Any], Any]) -> None:
        for i, layer in enumerate(layers):
            if not callable(layer):
                raise DTypeError(f"Sequential: layer {i} is {layer!r}, which cannot be called")
        self.layers = layers

    def __call__(self, x: Any) -> Any:
        """Return the result of the last layer.

        Raises:
            ShapeError: What comes to a layer does not fit it.
        """
        layer: Any = None
        try:
            for layer in self.layers:
                x = layer(x)
        except ShapeError as error:
            raise ShapeError(f"Sequential, layer {self.layers.index(layer)}: {error}") from error
        return x

    def members(self) -> Iterator[tuple[str, Any]]:
        """Yield the layers by their places, then other attributes."""
        yield from ((str(i), layer) for i, layer in enumerate(self.layers))
        yield from ((name, value) for name, value in vars(self).items() if name != "layers")

    def stages(self) -> list[Any]:
        """Return the layers and functions in order, those of inner sequences in place."""
        return [stage for x in self.layers for stage in (x.stages() if isinstance(x, Sequential) else [x])]

    def __len__(self) -> int:
        return len(self.layers)

    def __getitem__(self, i: int) -> Callable[[Any], Any]:
        return self.layers[i]

    def __repr__(self) -> str:
        return f"Sequential({', '.join(getattr(x, '__name__', repr(x)) for x in self.layers)})"
