"""The notes' cells rebuilt with the library's graph primitives: what each prints, computed here.

The notes seed NumPy's global generator and draw from it in order; the same stream comes from a ``RandomState``.
Weights are leaves of a graph, so every number below can be differentiated, drawn and explained.
"""

import timeit
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from tinygrad_mlp import ops
from tinygrad_mlp.check.formulas import Array
from tinygrad_mlp.data import logistic_data, logistic_truth, one_hot, three_clusters
from tinygrad_mlp.tensors import Tensor

from .loop import training

ALPHA = 0.01  # the slope of cell 15's leaky ReLU


class Network(NamedTuple):
    """The parameters of a network as leaves: weights (in, out) and biases (out,), one of each a layer."""

    weights: tuple[Tensor, ...]
    biases: tuple[Tensor, ...]

    @property
    def size(self) -> int:
        """How many parameters there are."""
        return sum(p.size for p in (*self.weights, *self.biases))


def leaves(weights: Sequence[Any], biases: Sequence[Any]) -> Network:
    """Return the arrays as named leaves of a graph."""
    named_w = tuple(Tensor(w, name=f"W{i}") for i, w in enumerate(weights, 1))
    return Network(named_w, tuple(Tensor(b, name=f"b{i}") for i, b in enumerate(biases, 1)))


def forward(
    X: Any, network: Network, hidden: Callable[[Any], Any] = ops.sigmoid, output: Callable[[Any], Any] = ops.softmax
) -> list[Any]:
    """Return every hidden layer and the output of a network, recorded (cells 6, 12, 17, 19, 21 and 24)."""
    layers = []
    h = X
    for W, b in zip(network.weights[:-1], network.biases[:-1], strict=True):
        h = hidden(h @ W + b)
        layers.append(h)
    return [*layers, output(h @ network.weights[-1] + network.biases[-1])]


def drawn_network(sizes: Sequence[int], seed: int) -> Network:
    """Return normal weights, then normal biases, drawn in the notes' order (cells 17, 19 and 24).

    Args:
        sizes: units of every layer, inputs first.
        seed: the legacy seed.
    """
    state = np.random.RandomState(seed)
    weights = [state.standard_normal((n, m)) for n, m in pairwise(sizes)]
    return leaves(weights, [state.standard_normal(m) for m in sizes[1:]])


def binary_network() -> tuple[Network, np.random.RandomState]:
    """Return the 2-3-1 network of cell 5, drawn after the clusters of cell 4, and the generator to go on with."""
    state = np.random.RandomState(1234)
    three_clusters(seed=state)
    w, v, b1, b2 = (state.random_sample(n) for n in (6, 3, 3, 1))
    return leaves([w.reshape(3, 2).T, v.reshape(3, 1)], [b1, b2]), state


# ------------------------------------------------------------------------------------------------ the figures, by key


def logistic_figures() -> dict[str, Any]:
    """Return the figures of cells 1 and 2."""
    X, labels = logistic_data()
    weights, bias = logistic_truth()
    s = ops.sigmoid(ops.matmul(X[0], Tensor(weights, name="w")) + Tensor(bias, name="b"))
    return {"labels": labels[:10], "unit": np.array([np.round(s.item()), s.item()])}


def binary_figures(runs: int) -> dict[str, Any]:
    """Return the figures of cells 6 to 13.

    Args:
        runs: how often the timing of cell 13 repeats the loops; the seconds are scaled to its 1000 runs.
    """
    network, _ = binary_network()
    rows, _ = three_clusters()
    X, _ = logistic_data()
    (w, v), (b1, b2) = network
    y = forward(X[:3], network, output=ops.sigmoid)[-1].numpy().ravel()
    products = rows[0] * w.T
    a = products.sum(axis=1) + b1
    h = ops.sigmoid(a)
    z = h @ v + b2
    loop_seconds, array_seconds = time_forward(X, network, runs)
    return {
        "w": w.numpy().T,
        "v": v.numpy().ravel(),
        "rows": rows[:3],
        "binary": y,
        "binary classes": np.round(y).astype(int),
        "products": products.numpy(),
        "a": a.numpy(),
        "h": h.numpy(),
        "z": z.numpy(),
        "y": ops.sigmoid(z).numpy(),
        "loop seconds": loop_seconds,
        "array seconds": array_seconds,
        "speed-up": round(loop_seconds / array_seconds),
    }


def unit_figures() -> dict[str, Any]:
    """Return the figures of cell 15, whose x continues the random numbers of cell 5."""
    _, state = binary_network()
    x = Tensor(np.round(state.random_sample((3, 2)), 3), name="x")
    units: dict[str, Any] = {
        "sigmoid": ops.sigmoid(x),
        "tanh": ops.tanh(x),
        "relu": ops.relu(x),
        "leaky_relu": ops.leaky_relu(x, negative_slope=ALPHA),
    }
    return {"x": x.numpy()} | {name: y.numpy() for name, y in units.items()}


def softmax_figures() -> dict[str, Any]:
    """Return the figures of cells 17 to 22: networks with three classes, of one and of two hidden layers."""
    rows, labels = three_clusters()
    shallow = forward(rows, drawn_network((2, 3, 3), 1234))[-1].numpy()
    deep = drawn_network((2, 3, 3, 3), 1234)
    h1, h2, y = (layer.numpy() for layer in forward(rows, deep))
    rectified = forward(rows, deep, hidden=ops.relu)[-1].numpy()
    return {
        "softmax": shallow[:5],
        "softmax classes": shallow[:5].argmax(axis=1),
        "deep": y[:5],
        "deep classes": y[:5].argmax(axis=1),
        "deep h1": h1[:5],
        "deep h2": h2[:5],
        "relu net": rectified[:5],
        "relu classes": rectified[:5].argmax(axis=1),
        "relu rate": classification_rate(labels, rectified),
    }


def gradient_figures() -> dict[str, Any]:
    """Return the figures of cells 25 and 27, by the engine's backward pass."""
    rows, labels = three_clusters()
    network = drawn_network((2, 3, 3), 1)
    J = ops.sum(one_hot(labels) * ops.log(forward(rows, network)[-1]))
    J.backward()
    dW, dV = (W.grad for W in network.weights)
    return {"dV": dV, "dW": dW}


def training_figures(epochs: int = 10000) -> dict[str, Any]:
    """Return the figures of cell 30, its loop as written."""
    trace = training(literal=True, epochs=epochs)
    return {"log-likelihood": np.array(trace.log_likelihood), "rate": np.array(trace.classification_rate)}


def count_figures() -> dict[str, Any]:
    """Return how many parameters each network of section 1.5 has, counted on the networks themselves."""
    shapes = ((2, 3, 1), (2, 3, 2), (2, 3, 3), (2, 3, 3, 3))
    return {"-".join(map(str, sizes)): drawn_network(sizes, 0).size for sizes in shapes}


def figures_by_key(runs: int = 10) -> Mapping[str, Any]:
    """Return every figure of ``printed.PRINTED`` under its key, computed.

    Args:
        runs: how often the timing of cell 13 repeats the loops.
    """
    return (
        logistic_figures()
        | binary_figures(runs)
        | unit_figures()
        | softmax_figures()
        | gradient_figures()
        | training_figures()
        | count_figures()
    )


# ------------------------------------------------------------------------------------------- rates, loops and timings


def classification_rate(labels: Any, scores: Array) -> float:
    """Return the share of rows whose largest score is that of their label (section 1.6, cell 22).

    >>> classification_rate([0, 1], np.array([[0.9, 0.1], [0.8, 0.2]]))
    0.5
    """
    return float(np.mean(np.asarray(labels) == scores.argmax(axis=1)))


def forward_by_loops(X: Array, network: Network) -> Array:
    """Return the output (N, 1) of a network with one hidden layer and a logistic output, number by number (cell 6)."""
    (w, v), (b1, b2) = ([p.numpy().tolist() for p in group] for group in network)
    out = []
    for x in X.tolist():
        h = []
        for j, bias in enumerate(b1):
            h.append(ops.sigmoid(sum((x[i] * w[i][j] for i in range(len(x))), bias)))
        out.append([ops.sigmoid(sum((h[j] * v[j][0] for j in range(len(h))), b2[0]))])
    return np.array(out)


def time_forward(X: Array, network: Network, runs: int) -> tuple[float, float]:
    """Return the seconds that 1000 forward passes take by loops and by arrays, measured on fewer (cell 13)."""
    plain = Network(*(tuple(p.numpy() for p in group) for group in network))

    def seconds(f: Callable[[], Any], times: int) -> float:
        return timeit.timeit(f, number=times) * 1000 / times

    by_loops = seconds(lambda: forward_by_loops(X, network), runs)
    return by_loops, seconds(lambda: forward(X, plain, output=ops.sigmoid), 20 * runs)
