"""The multilayer perceptron: hidden layers of any kind of unit, and an output unit with its likelihood."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from tinygrad_mlp.errors import ShapeError
from tinygrad_mlp.graph import no_grad

from .calls import scoped
from .families import Family, find_family
from .init import Rng
from .layers import Dropout, Linear, check_width, generator
from .module import Module
from .units import Activation, check_activations, find_unit


class MLP(Module):
    """A multilayer perceptron.

    Args:
        sizes: Numbers of inputs, hidden units of each layer, and outputs: [2, 3, 3] has one hidden layer of 3.
        activation: The hidden units: "sigmoid", "tanh", "relu", "leaky_relu", "maxout", "radial_basis", "softplus",
            "linear", or a function; a list of them, one a hidden layer.
        output: The output unit: "linear" (Gaussian), "logistic" (Bernoulli), "softmax" (multinomial), "exponential"
            (Poisson), or a ``Family``.
        rng: A seed or a ``numpy.random.Generator``, for the initial weights and for dropout.
        dropout: Probability with which a hidden unit is dropped in training.
        dtype: Of the parameters.

    Attributes:
        layers: the hidden layers and the output layer.
        family: the output unit and its likelihood.

    Raises:
        ShapeError: Fewer than two sizes, or one that is no positive whole number.
        UnsupportedError: An unknown unit, or as many activations as do not fit.

    >>> model = MLP([2, 3, 3], "sigmoid", "softmax", rng=0)
    >>> model
    MLP([2, 3, 3], 'sigmoid', 'softmax')
    >>> model([[0.5, -1.0]]).shape
    (1, 3)
    """

    def __init__(
        self,
        sizes: Sequence[int],
        activation: Activation | Sequence[Activation] = "tanh",
        output: str | Family = "linear",
        *,
        rng: Rng = 0,
        dropout: float = 0.0,
        dtype: Any = np.float64,
    ) -> None:
        self.sizes = _check_sizes(sizes)
        self.units = [find_unit(a) for a in check_activations(activation, len(self.sizes) - 2)]
        self.family = find_family(output)
        if self.family.unit == "softmax" and self.sizes[-1] == 1:
            raise ShapeError("MLP: a softmax of 1 unit is always 1: use output='logistic', or one unit a class")
        rng = generator(rng, "MLP")
        widths = zip(self.sizes, self.sizes[1:-1], self.units, strict=False)
        self.layers = [unit.layer(n_in, n_out, rng=rng, init=unit.init, dtype=dtype) for n_in, n_out, unit in widths]
        self.layers.append(Linear(self.sizes[-2], self.sizes[-1], rng=rng, dtype=dtype))
        self.activations = [unit.function for unit in self.units]
        self.dropout = Dropout(dropout, rng=rng) if dropout else None
        for i, layer in enumerate(self.layers, 1):
            for name, parameter in layer.named_parameters():
                parameter.name = f"{name}{i}"  # as pictures of the graph show it

    def __call__(self, x: Any) -> Any:
        """Return the mean of the target by the output unit, shape (…, outputs), of ``x``, shape (…, inputs).

        Raises:
            ShapeError: ``x`` has another number of features.
        """
        return self.family.mean(self.linear_predictor(x))

    @scoped
    def linear_predictor(self, x: Any) -> Any:
        """Return what goes into the output unit, shape (…, outputs): the form that stable losses take."""
        layer = self.layers[-1]
        try:
            for layer, activation in zip(self.layers, self.activations, strict=False):
                x = layer(x)
                if activation is not None:
                    x = activation(x)
                if self.dropout is not None:
                    x = self.dropout(x)
            layer = self.layers[-1]
            return layer(x)
        except ShapeError as error:
            raise ShapeError(f"MLP, layer {self._layer_name(self.layers.index(layer))}: {error}") from error

    def loss(self, x: Any, y: Any, reduction: str = "mean") -> Any:
        """Return the negative log-likelihood of targets: cross entropy, half the squared error, … by the output unit.

        Args:
            x: shape (rows, inputs).
            y: shape (rows, outputs), or (rows,) for labels and where there is one output.
            reduction: "mean", "sum" or "none".
        """
        return self.family.loss(self.linear_predictor(x), y, reduction)

    def predict(self, x: Any) -> Any:
        """Return labels of classes, or the mean where there are none, as a plain array; dropout is off."""
        with self.evaluating(), no_grad():
            return self.family.predict(self.linear_predictor(x))

    def hidden(self, x: Any) -> list[Any]:
        """Return the output of each hidden layer, shapes (…, units), without dropout."""
        outputs = []
        for layer, activation in zip(self.layers, self.activations, strict=False):
            x = layer(x)
            x = x if activation is None else activation(x)
            outputs.append(x)
        return outputs

    # -- names and descriptions

    def _layer_name(self, i: int) -> str:
        return "output" if i == len(self.layers) - 1 else f"hidden{i + 1}"

    def members(self) -> Iterator[tuple[str, Any]]:
        """Yield the layers as hidden1, hidden2, …, output, then other attributes."""
        yield from ((self._layer_name(i), layer) for i, layer in enumerate(self.layers))
        yield from ((name, value) for name, value in vars(self).items() if name != "layers")

    def stages(self) -> list[Any]:
        """Return each layer and the name of its unit."""
        names = (*(unit.name for unit in self.units), self.family.unit)
        return [stage for pair in zip(self.layers, names, strict=True) for stage in pair]

    def title(self) -> str:
        """Return the kind of network and its sizes."""
        return f"{type(self).__name__} {'-'.join(map(str, self.sizes))}"

    def __repr__(self) -> str:
        names = [unit.name for unit in self.units]
        hidden = repr(names[0]) if len(set(names)) == 1 else repr(names)
        return f"{type(self).__name__}({list(self.sizes)}, {hidden}, {self.family.unit!r})"


def _check_sizes(sizes: Any) -> tuple[int, ...]:
    """Return the sizes as ints."""
    if not isinstance(sizes, list | tuple | np.ndarray):
        raise ShapeError(f"MLP: sizes is {sizes!r}; give a list such as [2, 3, 1]: inputs, hidden units, outputs")
    if len(sizes) < 2:
        raise ShapeError(
            f"MLP: sizes is {list(sizes)}; it needs the inputs and the outputs at least, such as [2, 3, 1]"
        )
    return tuple(check_width(f"MLP: sizes[{i}]", n) for i, n in enumerate(sizes))
