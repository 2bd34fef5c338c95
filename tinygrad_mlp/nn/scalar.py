"""Scalar networks: neurons of single numbers, for looking at every node of a small network.

A neuron's sum w·x + b is one ``affine`` node, not n products and n sums. The names are those of micrograd
(https://github.com/karpathy/micrograd), which taught this form.
"""

from collections.abc import Iterator, Sequence
from operator import attrgetter
from typing import Any

import numpy as np

from tinygrad_mlp.errors import ShapeError, UnsupportedError
from tinygrad_mlp.graph import NODES
from tinygrad_mlp.ops import relu
from tinygrad_mlp.tensors import Value, neurons

from .description import gradient
from .init import Rng
from .layers import Linear, check_width, generator
from .module import Module
from .units import Activation, HiddenUnit, check_activations, find_unit


class Neuron(Module):
    """One neuron: ``activation(w·x + b)`` of ``Value`` leaves.

    Args:
        n_in: Number of inputs.
        activation: Name of a hidden unit that acts on one number, or a function; "linear" for the sum alone.
        rng: A seed or a ``numpy.random.Generator`` for the weights, which start as suits the unit.

    Attributes:
        weights: n_in Values, a tuple.
        bias: a Value, 0 at first.

    >>> neuron = Neuron(2, rng=0)
    >>> neuron([1.0, -2.0]).op
    <op relu>
    """

    def __init__(self, n_in: int, activation: Activation = "relu", *, rng: Rng = 0) -> None:
        n_in = check_width("Neuron: n_in", n_in)
        self.unit = _scalar_unit(activation)
        start = self.unit.init(n_in, 1, generator(rng, "Neuron"))
        self.weights = tuple([Value(w, name=f"w{i}") for i, w in enumerate(start[:, 0].tolist(), 1)])
        self.bias = Value(0.0, name="b")

    def __call__(self, x: Sequence[Any]) -> Any:
        """Return the output for ``n_in`` numbers or nodes.

        Raises:
            ShapeError: ``x`` has another length.
        """
        return _outputs([self], tuple(x))[0]

    def record(self) -> dict[str, Any]:
        """Return what a network diagram shows of it."""
        return _record([self])

    def stages(self) -> list[Any]:
        """Return the neuron and the name of its unit."""
        return [self, self.unit.name]

    def __repr__(self) -> str:
        return f"Neuron({len(self.weights)})"


ROW = attrgetter("weights", "bias")


def _outputs(layer: Sequence[Neuron], x: tuple[Any, ...]) -> list[Any]:
    """Return the outputs of neurons of one kind on the same inputs."""
    first = layer[0]
    if len(x) != len(first.weights):
        raise ShapeError(f"Neuron: {len(x)} inputs for {len(first.weights)} weights")
    unit = first.unit.function
    outputs = neurons(list(map(ROW, layer)), x, rectify=unit is relu)
    return outputs if unit is relu or unit is None else list(map(unit, outputs))


def _record(layer: Sequence[Neuron]) -> dict[str, Any]:
    """Return what a network diagram shows of neurons side by side."""
    weights, biases = [neuron.weights for neuron in layer], [neuron.bias for neuron in layer]
    record = {
        "inputs": len(weights[0]),
        "units": len(layer),
        "weight": np.array([[w._payload for w in row] for row in weights]).T,
        "bias": np.array([b._payload for b in biases]),
    }
    slopes = [[gradient(x) for x in (*row, b)] for row, b in zip(weights, biases, strict=True)]
    if all(slope is not None for row in slopes for slope in row):
        grads = np.array(slopes, float).T
        record |= {"weight_grad": grads[:-1], "bias_grad": grads[-1]}
    return record


class Layer(Module):
    """Neurons side by side, on the same inputs.

    Args:
        n_in: Number of inputs.
        n_out: Number of neurons.
        activation: As of ``Neuron``.
        rng: A seed or a ``numpy.random.Generator``.
    """

    def __init__(self, n_in: int, n_out: int, activation: Activation = "relu", *, rng: Rng = 0) -> None:
        n_out = check_width("Layer: n_out", n_out)
        rng = generator(rng, "Layer")
        # a tuple, since the neurons are computed together: one of another kind in its place would not be asked
        self.neurons = tuple([Neuron(n_in, activation, rng=rng) for _ in range(n_out)])

    def __call__(self, x: Sequence[Any]) -> list[Any]:
        """Return the outputs of the neurons, a list."""
        return _outputs(self.neurons, tuple(x))

    def record(self) -> dict[str, Any]:
        """Return what a network diagram shows of it."""
        return _record(self.neurons)

    def stages(self) -> list[Any]:
        """Return the layer and the name of its units."""
        return [self, self.neurons[0].unit.name]

    def __repr__(self) -> str:
        return f"Layer({len(self.neurons[0].weights)}, {len(self.neurons)})"


class MLP(Module):
    """A multilayer perceptron of single numbers; the last layer is linear unless said otherwise.

    Args:
        n_in: Number of inputs.
        sizes: Numbers of neurons of each layer, the last of which is the output.
        activation: The hidden units, or a list with one for each hidden layer.
        output: The unit of the last layer.
        rng: A seed or a ``numpy.random.Generator``.

    >>> model = MLP(2, [16, 16, 1], rng=0)
    >>> model
    MLP(2, [16, 16, 1])
    >>> len(model.parameters())
    337
    """

    def __init__(
        self,
        n_in: int,
        sizes: Sequence[int],
        activation: Activation | Sequence[Activation] = "relu",
        *,
        output: Activation = "linear",
        rng: Rng = 0,
    ) -> None:
        if not len(sizes):
            raise ShapeError("MLP: sizes is empty; it needs the number of outputs at least, such as [1]")
        units: list[Activation] = [*check_activations(activation, len(sizes) - 1), output]
        rng = generator(rng, "MLP")
        widths = zip([n_in, *sizes[:-1]], sizes, units, strict=True)
        self.layers = [Layer(n, n_out, unit, rng=rng) for n, n_out, unit in widths]

    def __call__(self, x: Any) -> Any:
        """Return the outputs for one sample of ``n_in`` numbers or nodes: a list, or the output itself if there is one.

        Raises:
            ShapeError: ``x`` is no single sample, or has another length.
        """
        if getattr(x, "ndim", 1) != 1:
            raise ShapeError(f"MLP: the input has shape {tuple(x.shape)}; a scalar network takes one sample at a time")
        if isinstance(x, np.ndarray):
            x = x.tolist()
        elif type(x) in NODES:
            x = list(x)
        for i, layer in enumerate(self.layers):
            try:
                x = layer(x)
            except ShapeError as error:
                raise ShapeError(f"MLP, layer {self._layer_name(i)}: {error}") from error
        return x[0] if len(x) == 1 else x

    def _layer_name(self, i: int) -> str:
        return "output" if i == len(self.layers) - 1 else f"hidden{i + 1}"

    def members(self) -> Iterator[tuple[str, Any]]:
        """Yield the layers as hidden1, hidden2, …, output, then other attributes."""
        yield from ((self._layer_name(i), layer) for i, layer in enumerate(self.layers))
        yield from ((name, value) for name, value in vars(self).items() if name != "layers")

    def stages(self) -> list[Any]:
        """Return each layer and the name of its units."""
        return [stage for layer in self.layers for stage in layer.stages()]

    def title(self) -> str:
        """Return the kind of network and its sizes."""
        sizes = [len(self.layers[0].neurons[0].weights), *(len(layer.neurons) for layer in self.layers)]
        return f"MLP {'-'.join(map(str, sizes))}"

    def __repr__(self) -> str:
        return f"MLP({len(self.layers[0].neurons[0].weights)}, {[len(layer.neurons) for layer in self.layers]})"


def _scalar_unit(activation: Activation) -> HiddenUnit:
    """Return a hidden unit that acts on single numbers."""
    unit = find_unit(activation)
    if unit.layer is not Linear:
        raise UnsupportedError(f"Neuron: {unit.name} is a layer of its own, not a function of one sum; use nn.MLP")
    return unit
