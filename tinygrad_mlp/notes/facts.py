"""What the notes state without printing a number, shown by numbers: the chain rule, saturation, dead units, more."""

import timeit
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinygrad_mlp import ops
from tinygrad_mlp.check.formulas import Array, backpropagate, derivative_v, derivative_v_loops, propagate
from tinygrad_mlp.tensors import Tensor, Value

from .cells import Network, drawn_network, forward, leaves
from .loop import batch, engine_gradient, initial_parameters, outputs, training


@dataclass(frozen=True)
class Property:
    """A statement of the notes and what was computed to see it.

    Attributes:
        where: the section, equation or cell.
        states: what is stated.
        numbers: what came out.
        holds: whether the numbers bear it out.
    """

    where: str
    states: str
    numbers: str
    holds: bool


def properties() -> list[Property]:
    """Return the notes' statements with the numbers that bear them out; takes a fraction of a second."""
    return [show() for show in _SHOWN]


def format_properties(shown: Sequence[Property]) -> str:
    """Return the statements as paragraphs of text."""
    return "\n\n".join(f"{p.where}: {p.states}\n    {p.numbers}{'' if p.holds else '   DOES NOT HOLD'}" for p in shown)


# ------------------------------------------------------------------------------------------------ 1: units and networks


def permuted(network: Network, order: Sequence[int]) -> Network:
    """Return a network of one hidden layer with its hidden units in another order: the same function of the inputs."""
    (W, V), (b1, b2) = ([p.numpy() for p in group] for group in network)
    chosen = list(order)
    return leaves([W[:, chosen], V[chosen]], [b1[chosen], b2])


def likelihood_and_gradients(X: Array, T: Array, network: Network) -> tuple[float, Array, Array]:
    """Return the log-likelihood and its gradients in the two weight matrices, by the engine."""
    J = ops.sum(T * ops.log(forward(X, network)[-1]))
    J.backward()
    W, V = network.weights
    return J.item(), W.grad, V.grad


def not_identifiable() -> Property:
    """Permute the hidden units: the loss stays, the gradients are permuted (section 1.2.2)."""
    data, order = batch(), [2, 0, 1]
    J, dW, dV = likelihood_and_gradients(data.X, data.T, drawn_network((2, 3, 3), 1))
    J2, dW2, dV2 = likelihood_and_gradients(data.X, data.T, permuted(drawn_network((2, 3, 3), 1), order))
    off = max(np.abs(dW2 - dW[:, order]).max(), np.abs(dV2 - dV[order]).max())
    return Property(
        "section 1.2.2",
        "the parameters cannot be identified: exchanging hidden units changes nothing",
        f"units in the order 3, 1, 2: log-likelihood {J:.10f} and {J2:.10f}; permuted gradients differ by {off:.1e}",
        bool(np.isclose(J, J2, rtol=1e-12) and off < 1e-10),
    )


def tanh_from_sigmoid() -> Property:
    """Compare tanh x with 2σ(2x) − 1, values and derivatives (section 1.4.1)."""
    at = np.linspace(-20.0, 20.0, 401)
    one, two = Tensor(at), Tensor(at)
    left, right = ops.tanh(one), 2 * ops.sigmoid(2 * two) - 1
    for y in (left, right):
        y.backward(np.ones_like(at))
    off = np.abs(left.numpy() - right.numpy()).max()
    slope = np.abs(one.grad - two.grad).max()
    return Property(
        "section 1.4.1",
        "tanh x = 2σ(2x) − 1",
        f"on [−20, 20] the values differ by at most {off:.1e}, the derivatives by {slope:.1e}",
        bool(max(off, slope) < 1e-14),
    )


def weight_gradient_at(scale: float, unit: Callable[[Any], Any] = ops.sigmoid) -> float:
    """Return the size of the gradient in the first weights of cell 24, taken ``scale`` times as large."""
    data, p = batch(), initial_parameters()
    network = leaves([scale * p.W, p.V], [scale * p.b1, p.b2])
    hidden = unit(data.X @ network.weights[0] + network.biases[0])
    J = -ops.cross_entropy(hidden @ network.weights[1] + network.biases[1], data.T, reduction="sum")
    J.backward()
    return float(np.linalg.norm(network.weights[0].grad))


def saturated() -> Property:
    """Enlarge the first weights until the sigmoid units pass on no gradient (section 1.4.1)."""
    sizes = [weight_gradient_at(scale) for scale in (1.0, 10.0, 100.0, 1000.0)]
    return Property(
        "section 1.4.1",
        "sigmoid units saturate, and then kill the gradient",
        f"first weights 1, 10, 100 and 1000 times as large: |∂J/∂W| is {', '.join(f'{size:.2g}' for size in sizes)}",
        bool(sizes[-1] < 0.05 * sizes[0]),
    )


def not_centred() -> Property:
    """Average the outputs of sigmoid and of tanh units on the same activations (section 1.4.1)."""
    data, p = batch(), initial_parameters()
    a = data.X @ p.W
    s, t = float(ops.mean(ops.sigmoid(a - a.mean()))), float(ops.mean(ops.tanh(a - a.mean())))
    return Property(
        "section 1.4.1",
        "sigmoid outputs are not centred at zero, tanh outputs are",
        f"on activations of mean 0 the mean output is {s:.3f} for σ, {t:.3f} for tanh",
        abs(s) > 0.4 and abs(t) < 0.1,
    )


def dead_share(hidden: Array) -> float:
    """Return the share of ReLU units that are 0 on every row, from their outputs (rows, units).

    >>> dead_share(np.array([[0.0, 1.0], [0.0, 0.0]]))
    0.5
    """
    return float(np.mean(np.all(hidden <= 0, axis=0)))


def dead_share_after(rate: float) -> tuple[float, float]:
    """Return the share of dead units in the second hidden layer of a 2-20-20-3 ReLU network after one step uphill.

    Args:
        rate: the learning rate of the step; 0 for the network as drawn.

    Returns:
        The share, and the largest gradient that reaches the weights of a dead unit afterwards.
    """
    data, network = batch(), drawn_network((2, 20, 20, 3), 1)

    def climb(n: Network) -> Any:
        layers = forward(data.X, n, ops.relu, ops.log_softmax)
        ops.sum(data.T * layers[-1]).backward()
        return layers[1].numpy()

    climb(network)
    stepped = leaves(*([p.numpy() + rate * p.grad for p in group] for group in network))
    hidden = climb(stepped)
    dead = np.all(hidden <= 0, axis=0)
    return dead_share(hidden), float(np.abs(stepped.weights[1].grad[:, dead]).max(initial=0.0))


def dying_units() -> Property:
    """Take one step of a rate that is far too large on a network of ReLU units, and count those that fire on no row."""
    rates = (0.0, 1e-3, 0.1)
    (first, _), (second, _), (third, gradient) = (dead_share_after(rate) for rate in rates)
    return Property(
        "section 1.4.1",
        "a step with a large gradient can leave ReLU units dead, and then no gradient reaches them",
        f"second hidden layer of 2-20-20-3: {first:.0%} dead as drawn, {second:.0%} after one step of rate {rates[1]}, "
        f"{third:.0%} of rate {rates[2]}; the largest gradient in their weights is {gradient:g}",
        first < second < third and gradient == 0.0,
    )


# ----------------------------------------------------------------------------------------------------- 2: training


def chain_rule(t: float, s: float) -> tuple[float, float]:
    """Return ∂z/∂t of z(y(x(t, s), t)) by the engine and by the chain rule (section 2.2.3).

    The functions are chosen here, since the notes leave them open: x = t s², y = x + sin t, z = y².

    >>> chain_rule(1.0, 2.0)[0]
    43.96...
    """
    tv, sv = Value(t, name="t"), Value(s, name="s")
    x = tv * sv**2
    y = x + ops.sin(tv)
    z = y**2
    z.backward()
    dz_dy, dy_dt, dy_dx, dx_dt = 2 * y.data, np.cos(t), 1.0, s**2
    return tv.grad, float(dz_dy * dy_dt + dz_dy * dy_dx * dx_dt)


def chain_rule_holds() -> Property:
    """Compare both ways at one point."""
    engine, formula = chain_rule(0.7, 1.3)
    return Property(
        "section 2.2.3",
        "∂z/∂t = ∂z/∂y ∂y/∂t + ∂z/∂y ∂y/∂x ∂x/∂t for z(y(x(t, s), t))",
        f"x = t s², y = x + sin t, z = y² at t = 0.7, s = 1.3: {engine:.12g} by the engine, {formula:.12g} by the rule",
        bool(np.isclose(engine, formula, rtol=1e-12)),
    )


def formulas_hold() -> Property:
    """Compare the hand formulas with the engine on the network of cell 24, and the recursion on one of three layers."""
    data, p = batch(), initial_parameters()
    by_hand = backpropagate(data.T, [p.W, p.V], propagate(data.X, [p.W, p.V], [p.b1, p.b2]))
    true = engine_gradient(data, p)
    off = max(
        np.abs(a - b).max() / np.abs(b).max()
        for a, b in zip([*by_hand[0], *by_hand[1]], (true.W, true.V, true.b1, true.b2), strict=True)
    )
    deep = drawn_network((2, 3, 3, 3), 1234)
    J = ops.sum(data.T * ops.log(forward(data.X, deep)[-1]))
    J.backward()
    weights, biases = ([leaf.numpy() for leaf in group] for group in deep)
    dWs = backpropagate(data.T, weights, propagate(data.X, weights, biases)).weights
    deeper = max(np.abs(d - W.grad).max() / np.abs(d).max() for d, W in zip(dWs, deep.weights, strict=True))
    return Property(
        "eq. 18 to 23 and 29 to 32",
        "the gradients derived by hand",
        f"against the engine they differ by {off:.1e} of the largest element; the recursion on 2-3-3-3 by {deeper:.1e}",
        bool(max(off, deeper) < 1e-12),
    )


def loops_and_arrays() -> Property:
    """Compute ∂J/∂V by three loops and by one product, and time both (cells 25 and 26)."""
    data, p = batch(), initial_parameters()
    H, Y = outputs(data, p)
    off = np.abs(derivative_v_loops(H, data.T, Y) - derivative_v(H, data.T, Y)).max()
    slow = min(timeit.repeat(lambda: derivative_v_loops(H, data.T, Y), number=1, repeat=3))
    fast = min(timeit.repeat(lambda: derivative_v(H, data.T, Y), number=20, repeat=3)) / 20
    return Property(
        "cells 25 and 26",
        "vectorising is faster",
        f"∂J/∂V differs by {off:.1e}; {slow * 1e3:.2f} ms by loops, {fast * 1e3:.4f} ms by one product: "
        f"{slow / fast:.0f} times",
        bool(off < 1e-9),
    )


def mended_loop() -> Property:
    """Run the mended loop of cell 30 by the engine and by the formulas."""
    engine, formulas = (training(False, 500, every=100, method=method) for method in ("engine", "formulas"))
    off = np.abs(np.subtract(engine.log_likelihood, formulas.log_likelihood)).max()
    return Property(
        "cell 30",
        "backpropagation is the gradient, once the loop is mended",
        f"500 epochs by the engine and by the formulas: the log-likelihoods differ by at most {off:.1e}",
        bool(off < 1e-9),
    )


_SHOWN = (
    not_identifiable,
    tanh_from_sigmoid,
    saturated,
    not_centred,
    dying_units,
    chain_rule_holds,
    formulas_hold,
    loops_and_arrays,
    mended_loop,
)
