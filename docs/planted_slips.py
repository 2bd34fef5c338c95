"""Slips planted in the formulas of the catalogue; tests and the page on derivations see which of them are named.

A slip at the result changes what a formula by hand returns, or what it is given. A slip inside changes one step of the
back-propagation through a network: those are planted in a small one of our own.
"""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from tinygrad_mlp.check.formulas import CATALOGUE, OUTPUTS, UNITS, Formula

SEED = 3
OLD = 7  # the seed of parameters of before
BIASES = {3: (2,), 5: (1,), 6: (3, 5), 8: (3, 5, 7), 10: (3, 5, 7, 9)}


class Planted(NamedTuple):
    """A formula with a slip.

    Attributes:
        slip: what was done.
        kind: what it should be called.
        entry: the formula of the catalogue.
        by_hand: the formula with the slip.
        inputs: what both are tried on.
    """

    slip: str
    kind: str
    entry: Formula
    by_hand: Callable[..., Any]
    inputs: tuple[Any, ...]


def planted() -> Iterator[Planted]:
    """Yield every slip in every formula that it makes sense in, and changes."""
    for entry in CATALOGUE.values():
        inputs = entry.inputs(np.random.default_rng(SEED))
        right = parts(entry.by_hand(*inputs))
        for slip, kind, by_hand in (*at_the_result(entry, inputs), *inside(entry)):
            with np.errstate(all="ignore"):
                wrong = parts(by_hand(*inputs))
            if any(differs(a, b) for a, b in zip(right, wrong, strict=True)):
                yield Planted(slip, kind, entry, by_hand, inputs)


def parts(result: Any) -> tuple[Any, ...]:
    """Return what a formula returns as a tuple."""
    return result if isinstance(result, tuple) else (result,)


def differs(a: Any, b: Any) -> bool:
    """Return whether two derivatives differ, in shape or by more than rounding."""
    if a is None or b is None or np.all(np.abs(b) < 1e-9):
        return False
    a, b = np.asarray(a), np.asarray(b)
    return a.shape != b.shape or not np.allclose(a, b, rtol=1e-6, atol=1e-12)


# ------------------------------------------------------------------------------------------------------- at the result


def at_the_result(entry: Formula, inputs: tuple[Any, ...]) -> Iterator[tuple[str, str, Callable[..., Any]]]:
    """Yield slips that need no look inside of a formula."""
    N = len(inputs[0]) if np.ndim(inputs[0]) else 1
    yield "the sign", "sign", each(entry, lambda g: -g)
    yield "a factor 2 too many", "constant factor", each(entry, lambda g: 2 * g)
    yield "a factor ½ too many", "constant factor", each(entry, lambda g: g / 2)
    yield "a factor 0.7 too many", "constant factor", each(entry, lambda g: 0.7 * g)
    if np.ndim(inputs[0]) > 1 and entry.kind == "gradient":
        yield "1/N too many", "mean for sum", each(entry, lambda g: g / N)
        yield "1/N forgotten", "sum for mean", each(entry, lambda g: g * N)
    yield "transposed", "transposed", each(entry, np.transpose)
    yield "shifted by one", "shifted", each(entry, lambda g: np.roll(g, 1, axis=0) if np.ndim(g) else g)
    if entry.kind == "gradient":
        yield "summed over the columns too", "summed too far", each(entry, lambda g: g.sum(-1) if np.ndim(g) > 1 else g)
    if batched(entry):
        yield "not summed over the batch", "not summed", unsummed(entry)
        yield "the last sample alone", "not summed", last_sample(entry)
    if any(np.ndim(x) == 2 for x in inputs[1:-1]) and entry.kind == "gradient" and len(inputs) > 3:
        yield "weights of before", "stale", with_old_weights(entry, inputs)
    for k in biases(entry, inputs):
        yield "a bias forgotten", "forgotten bias", without(entry, k)


def each(entry: Formula, change: Callable[[Any], Any]) -> Callable[..., Any]:
    """Return the formula with each of its derivatives changed."""

    def by_hand(*inputs: Any) -> Any:
        result = entry.by_hand(*inputs)
        if isinstance(result, tuple):
            return tuple(None if g is None else change(np.asarray(g)) for g in result)
        return change(np.asarray(result))

    return by_hand


def batched(entry: Formula) -> bool:
    """Return whether a formula is a sum over samples, with derivatives in what serves all of them."""
    names = (
        "regression",
        "model",
        "prelu",
        "bias_of_a_batch",
        "affine",
        "two_layers",
        "network",
        "four_layers",
        "maxout",
    )
    return (
        entry.kind == "gradient"
        and entry.name.startswith(names) | entry.name.endswith(names[:2])
        and ("mean" not in entry.name)
    )


def rows(entry: Formula, inputs: tuple[Any, ...], n: int) -> tuple[Any, ...]:
    """Return the inputs with sample ``n`` alone."""
    N = len(inputs[0])
    shared = 1 if entry.name.startswith(("prelu", "bias")) else None
    return tuple(x[n : n + 1] if np.ndim(x) > 1 and len(x) == N and k != shared else x for k, x in enumerate(inputs))


def unsummed(entry: Formula) -> Callable[..., Any]:
    """Return the formula with the derivatives of each sample in what serves all of them."""

    def by_hand(*inputs: Any) -> Any:
        right = entry.by_hand(*inputs)
        alone = [entry.by_hand(*rows(entry, inputs, n)) for n in range(len(inputs[0]))]
        return tuple(
            g if g is None or np.shape(one) != np.shape(g) else np.stack([sample[k] for sample in alone])
            for k, (g, one) in enumerate(zip(right, alone[0], strict=True))
        )

    return by_hand


def last_sample(entry: Formula) -> Callable[..., Any]:
    """Return the formula with the last sample alone in what serves all of them, as by = for +=."""

    def by_hand(*inputs: Any) -> Any:
        alone = entry.by_hand(*rows(entry, inputs, len(inputs[0]) - 1))
        return tuple(
            g if g is None or np.shape(one) != np.shape(g) else one
            for g, one in zip(entry.by_hand(*inputs), alone, strict=True)
        )

    return by_hand


def with_old_weights(entry: Formula, inputs: tuple[Any, ...]) -> Callable[..., Any]:
    """Return the formula at other weights than it is given."""
    k = 2 if BIASES.get(len(inputs), ())[:1] == (3,) else 1
    old_weights = entry.inputs(np.random.default_rng(OLD))[k]

    def by_hand(*inputs: Any) -> Any:
        return entry.by_hand(*inputs[:k], old_weights, *inputs[k + 1 :])

    return by_hand


def biases(entry: Formula, inputs: tuple[Any, ...]) -> tuple[int, ...]:
    """Return the numbers of the inputs that are biases."""
    if entry.name.startswith(("network", "four", "two_layers")):
        return tuple(range(3, len(inputs), 2))
    vectors = [k for k, x in enumerate(inputs) if np.ndim(x) == 1 and k == len(inputs) - 2]
    return tuple(vectors) if entry.name.endswith(("model", "regression", "regression_spelled", "batch")) else ()


def without(entry: Formula, k: int) -> Callable[..., Any]:
    """Return the formula with one input left out."""
    return lambda *inputs: entry.by_hand(*inputs[:k], 0.0 * inputs[k], *inputs[k + 1 :])


# ------------------------------------------------------------------------------------------------------------- inside

SLOPES: dict[str, tuple[str, str, Callable[..., Any]]] = {
    "missing": ("the slope of the unit forgotten", "missing factor", lambda _unit, a, _h: np.ones_like(a)),
    "result": (
        "the slope at h, not at a",
        "slope at the wrong place",
        lambda unit, _a, h: unit.slope(h, unit.value(h)),
    ),
    "sigmoid": ("h for 1 − h", "h for 1 − h", lambda _unit, _a, h: h * h),
    "half": ("1 − h forgotten", "missing factor", lambda _unit, _a, h: h),
    "twice": ("the slope twice", "wrong factor", lambda unit, a, h: unit.slope(a, h) ** 2),
}


def inside(entry: Formula) -> Iterator[tuple[str, str, Callable[..., Any]]]:
    """Yield slips in one step of the chain rule."""
    if entry.kind == "elementwise":
        unit = UNITS[entry.name.removesuffix("_spelled").removesuffix("_tails")]
        for slip, kind, slope in slopes_of(unit.name):
            yield slip, kind, lambda a, slope=slope: slope(unit, a, unit.value(a))
    for network in networks(entry):
        for slip, kind, slope in slopes_of(network.units[0]):
            yield slip, kind, network._replace(slope=slope)
        yield "softmax or sigmoid forgotten in δ", "wrong operand", network._replace(delta="z")
        yield "target forgotten in δ", "missing term", network._replace(delta="y")
        yield "a slope y (1 − y) too many in δ", "extra factor", network._replace(delta="slope")
        old = entry.inputs(np.random.default_rng(OLD))[2:]
        X = entry.inputs(np.random.default_rng(SEED))[0]
        yield "hidden units of before", "stale", network._replace(old=network.forward(X, old)[1][1])
        yield "W after its update", "stale", network._replace(updated=True)


def slopes_of(name: str) -> Iterator[tuple[str, str, Callable[..., Any]]]:
    """Yield wrong slopes of a unit."""
    for key, slip in SLOPES.items():
        if (key == "sigmoid" and name in ("sigmoid", "tanh")) or (key == "half" and name == "sigmoid") or key not in (
            "sigmoid", "half",
        ):  # fmt: skip
            yield slip


def networks(entry: Formula) -> "Iterator[Network]":
    """Yield the network that an entry is of, as one of ours; none if it is of none."""
    name = entry.name
    output = next((o for o in OUTPUTS if name == f"network_tanh_{o}"), "softmax")
    unit = "tanh" if output != "softmax" else name.removeprefix("network_").removeprefix("four_layers_")
    if name in ("two_layers", "two_layers_mean"):
        yield Network(entry, ("sigmoid",), sign=1.0, mean=name == "two_layers_mean")
    elif unit in UNITS and name != unit:
        yield Network(entry, (unit,) * (3 if name.startswith("four") else 2), output)


class Network(NamedTuple):
    """Back-propagation, with one step of it as asked.

    Attributes:
        entry: of the catalogue.
        units: the hidden units.
        output: the output unit.
        sign: 1 for the log-likelihood, -1 for the loss.
        mean: whether the loss is a mean.
        slope: in place of the slope of the first hidden layer.
        delta: what is taken for y − t: "y − t", "z" for z − t, "y", or "slope" for (y − t) y (1 − y).
        old: the first hidden layer of before, which is used on the way back.
        updated: whether the way back reads the last weights after their update.
    """

    entry: Formula
    units: tuple[str, ...]
    output: str = "softmax"
    sign: float = -1.0
    mean: bool = False
    slope: Callable[..., Any] | None = None
    delta: str = ""
    old: Any = None
    updated: bool = False

    def __call__(self, X: Any, T: Any, *parameters: Any) -> tuple[Any, ...]:
        """Return the derivatives in X, T and the parameters."""
        weights = parameters[0::2]
        a, h = self.forward(X, parameters)
        y = h[-1]
        scale = -self.sign if not self.mean else 1.0 / len(X)
        delta = scale * {"": y - T, "z": a[-1] - T, "y": y, "slope": (y - T) * y * (1 - y)}[self.delta]
        if self.old is not None:
            h[1] = self.old
        found: list[Any] = []
        for k in range(len(weights) - 1, -1, -1):
            found = [h[k].T @ delta, delta.sum(axis=0), *found]
            W = weights[k] + 0.1 * found[0] if self.updated and k == len(weights) - 1 else weights[k]
            delta = delta @ W.T
            if k:
                unit = UNITS[self.units[k - 1]]
                delta = delta * (self.slope(unit, a[0], h[1]) if self.slope and k == 1 else unit.slope(a[k - 1], h[k]))
        return delta, None, *found

    def forward(self, X: Any, parameters: Any) -> tuple[list[Any], list[Any]]:
        """Return the weighted sums, and the values from X on."""
        a, h = [], [X]
        functions = [*(UNITS[name].value for name in self.units), OUTPUTS[self.output]]
        for W, b, f in zip(parameters[0::2], parameters[1::2], functions, strict=True):
            a.append(h[-1] @ W + b)
            h.append(f(a[-1]))
        return a, h
