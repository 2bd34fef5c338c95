"""Is a compiled step ever slower than an eager one? Thirty random networks, against ``nn`` and ``optim``, and NumPy.

One to five layers of widths 1 to 512 on batches of 1 to 4,096, every hidden unit and output unit of ``nn``, both float
dtypes, gradient descent or Adam. A network that comes out slower than eager by more than 5 % is measured again, longer,
and listed if it is slower then, too.
"""

from dataclasses import dataclass
from functools import partial
from itertools import count
from statistics import median

import numpy as np

import tinygrad_mlp as tg
from benchmarks import contest
from benchmarks.contest import Entry
from benchmarks.generic import network_step
from benchmarks.timing import interleaved

NETWORKS, SLOWER = 30, 1.05
COMPILERS = (contest.COMPILED, contest.COMPILED_C)
SECONDS = 1.5  # that the timing of one network takes, about
UNITS = {name: getattr(tg, name) for name in ("sigmoid", "tanh", "relu", "leaky_relu", "softplus")}


@dataclass(frozen=True)
class Network:
    """A network to train: what ``nn.MLP`` takes, and the batch, the dtype and the optimizer."""

    sizes: tuple[int, ...]
    units: tuple[str, ...]
    output: str
    rows: int
    dtype: type
    optimizer: str

    def __str__(self) -> str:
        names = ", ".join((*self.units, self.output))
        sizes = "-".join(map(str, self.sizes))
        return f"{sizes} ({names}), batch {self.rows}, {self.dtype.__name__}, {self.optimizer}"

    @property
    def lr(self) -> float:
        """The learning rate."""
        return 1e-3 if self.optimizer == "Adam" else 1e-2

    def model(self):
        """Return the network of ``nn``."""
        return tg.nn.MLP(list(self.sizes), list(self.units), self.output, rng=0, dtype=self.dtype)

    def batch(self):
        """Return inputs and targets."""
        rng, shape = np.random.default_rng(1), (self.rows, self.sizes[-1])
        X = rng.normal(size=(self.rows, self.sizes[0])).astype(self.dtype)
        if self.output == "softmax":
            return X, rng.integers(0, self.sizes[-1], self.rows)
        targets = {"linear": rng.normal(size=shape), "logistic": rng.integers(0, 2, shape)}
        return X, targets.get(self.output, rng.poisson(1.0, shape)).astype(self.dtype)

    def start(self):
        """Return the first parameters: for each layer a list, weights and biases, or centres and log-widths."""
        return [[p.numpy().copy() for p in layer.parameters()] for layer in self.model().layers]


def draw(number):
    """Return a network of the series; small and large widths and batches alike."""
    rng = np.random.default_rng(number)

    def size(most, least=1):
        return int(np.exp(rng.uniform(np.log(least), np.log(most + 1))))

    depth = int(rng.integers(1, 6))
    output = ("linear", "logistic", "softmax", "exponential")[rng.integers(4)]
    sizes = [size(512) for _ in range(depth)] + [size(512, 2 if output == "softmax" else 1)]
    units = rng.choice(sorted(tg.nn.HIDDEN_UNITS), size=depth - 1)
    return Network(
        tuple(sizes),
        tuple(map(str, units)),
        output,
        size(4096),
        (np.float32, np.float64)[rng.integers(2)],
        ("SGD", "Adam")[rng.integers(2)],
    )


# ---------------------------------------------------------------------------------------------------------- the engines


def eager(network):
    """Return the entry of ``nn`` and ``optim``."""
    model = network.model()
    optimizer = getattr(tg.optim, network.optimizer)(model.parameters(), lr=network.lr)
    X, target = (tg.Tensor(part, requires_grad=False) for part in network.batch())

    def step():
        loss = model.loss(X, target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.item()

    return Entry(step, lambda: [p.numpy() for p in model.parameters()])


def layer(unit, X, parameters):
    """Return the output of a layer in the words of the library."""
    weight, bias = parameters
    if unit == "radial_basis":
        squares = tg.sum(tg.square(X), axis=-1, keepdims=True) - 2.0 * (X @ weight) + tg.sum(tg.square(weight), axis=0)
        return tg.exp(-tg.maximum(squares, 0.0) * tg.exp(-2.0 * bias))
    Z = X @ weight + bias
    if unit == "maxout":
        return tg.max(tg.reshape(Z, (Z.shape[0], -1, 2)), axis=-1)
    return UNITS[unit](Z) if unit in UNITS else Z


def loss(network, layers, X, target):
    """Return the mean negative log-likelihood in the words of the library."""
    for unit, parameters in zip((*network.units, "linear"), layers, strict=True):
        X = layer(unit, X, parameters)
    if network.output == "linear":
        return 0.5 * tg.mean(tg.square(X - target))
    if network.output == "logistic":
        return tg.binary_cross_entropy_with_logits(X, target)
    return tg.cross_entropy(X, target) if network.output == "softmax" else tg.mean(tg.exp(X) - target * X)


def compiled(network, **options):
    """Return the entry of a compiled step: parameters and moments go in and come out."""
    steps, (X, target), state = count(1), network.batch(), [network.start()]

    def each(f, *nests):
        return [[f(*leaves) for leaves in zip(*lists, strict=True)] for lists in zip(*nests, strict=True)]

    def descend(layers, X, target, lr):
        value, slopes = tg.value_and_grad(partial(loss, network))(layers, X, target)
        return value, each(lambda p, g: p - lr * g, layers, slopes)

    def adapt(layers, firsts, seconds, number, X, target, lr):
        value, slopes = tg.value_and_grad(partial(loss, network))(layers, X, target)
        moved = each(lambda p, g, m, v: tg.optim.adam(p, g, m, v, number, lr), layers, slopes, firsts, seconds)
        return value, *(each(lambda leaf, i=i: leaf[i], moved) for i in range(3))

    adaptive = network.optimizer == "Adam"
    fast = contest.compiled(adapt if adaptive else descend, **options)
    if adaptive:
        state += [each(np.zeros_like, state[0]) for _ in range(2)]

    def step():
        number = (float(next(steps)),) if adaptive else ()
        value, *state[:] = fast(*state, *number, X, target, network.lr)
        return value

    return Entry(step, lambda: [p for parameters in state[0] for p in parameters])


def by_hand(network):
    """Return the entry of hand-written NumPy."""
    layers, (X, target), steps = network.start(), network.batch(), count(1)
    moments = [[[np.zeros_like(p), np.zeros_like(p)] for p in parameters] for parameters in layers]
    moments = moments if network.optimizer == "Adam" else None

    def step():
        return network_step(X, target, layers, network.units, network.output, network.lr, moments, next(steps))

    return Entry(step, lambda: [p for parameters in layers for p in parameters])


# ---------------------------------------------------------------------------------------------------------- the contest


def measure(network, makers):
    """Return the median times of the engines that take part, from a second, longer run where compiling did not pay."""
    tolerance = 1e-9 if network.dtype is np.float64 else 2e-4
    entries, missing = contest.enter(makers, contest.OURS, tolerance)
    steps = {name: entry.step for name, entry in entries.items()}
    first = interleaved(steps, repeats=1, rounds=3)
    repeats = max(1, int(2e-3 / max(first.values())))
    rounds = int(min(max(SECONDS / repeats / sum(first.values()), 5), 40))
    times = interleaved(steps, repeats=repeats, rounds=rounds)
    if any(times[name] > SLOWER * times[contest.OURS] for name in COMPILERS if name in steps):
        times = interleaved(steps, repeats=repeats, rounds=3 * rounds)
    return times, missing


def main(networks=NETWORKS):
    """Return the rows: median and worst ratios, and the networks that compiling slowed down."""
    title, found, missing = f"{networks} random networks, one step", [], {}
    for network in map(draw, range(networks)):
        makers = {
            contest.OURS: partial(eager, network),
            contest.NUMPY: partial(by_hand, network),
            contest.COMPILED: partial(compiled, network),
            contest.COMPILED_C: partial(compiled, network, backend="c"),
        }
        times, absent = measure(network, makers)
        found.append((network, times))
        for name, why in absent.items():
            missing.setdefault((name, why), []).append(str(network))
    rows = []
    pairs = [(name, unit) for name in COMPILERS for unit in (contest.OURS, contest.NUMPY)]
    for name, unit in ((contest.OURS, contest.NUMPY), *pairs):
        ratios = [(times[name] / times[unit], str(network)) for network, times in found if name in times]
        if ratios:
            worst, where = max(ratios)
            middle = f"{median(ratio for ratio, _ in ratios):.2f} median"
            rows.append((title, f"{name} / {unit}", middle, f"{worst:.2f} worst: {where}"))
    for name in COMPILERS:
        rows += flags(title, name, found)
    for (name, why), where in missing.items():
        rows.append((title, name, f"{len(where)} networks", f"{why}; {where[0]}"))
    return rows


def flags(title, name, found):
    """Return the rows of the networks that are slower compiled than eager."""
    ratios = [(times[name] / times[contest.OURS], str(network)) for network, times in found if name in times]
    slow = sorted(((ratio, where) for ratio, where in ratios if ratio > SLOWER), reverse=True)
    return [(title, f"{name}: SLOWER than eager", f"{ratio:.2f} × eager", where) for ratio, where in slow]
