"""The checks by which the notes' mistakes are found: each takes a formula and holds it against the engine.

A check returns the numbers that show the formula wrong, or None if it finds nothing. The numbers in the names are those
of ``errata.MISTAKEN``; the check of mistake 7 is in ``indices.py``.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_mlp import ops
from tinygrad_mlp.check.formulas import Array, derivative_v
from tinygrad_mlp.transforms import jacobian

from . import claims
from .differing import difference, joined
from .loop import Batch, Parameters, batch, engine_gradient, initial_parameters, outputs, training


def find_1(formula: Callable[[Array], Array]) -> str | None:
    """Check a Jacobian of the softmax, as a function of z."""
    z = np.array([0.5, -1.0, 2.0])
    return difference("∂y_k′/∂z_k", formula(z), jacobian(ops.softmax)(z), "k′ k")


def find_2(formula: Callable[[Array], Array]) -> str | None:
    """Check a Jacobian of the softmax, as a function of y, where two probabilities are equal."""
    y = np.array([0.4, 0.4, 0.2])
    return difference("∂y_k′/∂z_k", formula(y), jacobian(ops.softmax)(np.log(y)), "k′ k")


def find_3(formula: Callable[[Array, Array], Array]) -> str | None:
    """Check ∂z/∂v of z = h · v + b, against the engine and against one central difference."""
    h, v = np.array([0.2, 0.5, 0.9]), np.array([1.0, -2.0, 0.3])

    def z(leaf: Any) -> Any:
        return h @ leaf + 0.1

    report = difference("∂z/∂v_j", formula(h, v), jacobian(z)(v), "j")
    step = np.array([0.0, 1e-6, 0.0])
    measured = (z(v + step) - z(v - step)) / 2e-6
    return report and f"{report}, and a central difference {measured:.7g}"


def find_4(formula: Callable[[float, Array, Array], Array]) -> str | None:
    """Check ∂h/∂w of h = σ(w · x + b)."""
    w, x = np.array([0.7, -1.2]), np.array([1.5, 0.4])
    h = ops.sigmoid(float(w @ x) + 0.1)
    return difference("∂h/∂w_i", formula(h, w, x), jacobian(lambda leaf: ops.sigmoid(x @ leaf + 0.1))(w), "i")


def find_5(formula: Callable[[Array, Array], tuple[Array, Array]]) -> str | None:
    """Check the outputs y of a softmax of two, and their derivatives in the weights v."""
    z, h = np.array([1.0, 2.0]), np.array([0.2, 0.5, 0.9])
    V = np.array([[1.0, -1.0], [0.5, 2.0], [-0.3, 0.8]])
    y, dy = formula(z, h)
    true = jacobian(lambda leaf: ops.softmax(h @ leaf + (z - h @ V)))(V).transpose(0, 2, 1)
    return joined(difference("y_k", y, ops.softmax(z), "k"), difference("∂y_k′/∂v_kj", dy, true, "k′ k j"))


def find_6(update: Callable[[Array, Array], Array]) -> str | None:
    """Check that one step on the network of cell 30, with the engine's gradient, makes the log-likelihood larger."""
    data, p = batch(), initial_parameters()
    gradient = engine_gradient(data, p)

    def stepped(rule: Callable[[Array, Array], Array]) -> float:
        return _likelihood(data, Parameters(*(rule(v, g) for v, g in zip(p, gradient, strict=True))))

    before, after = _likelihood(data, p), stepped(update)
    if after > before:
        return None
    slow, up = stepped(lambda v, g: v - 1e-6 * g), stepped(claims.mended_6)
    return f"one step takes J from {before:.6f} to {after:.6f}, with a rate of 1e-6 to {slow:.6f}; adding, to {up:.6f}"


def find_8(formula: Callable[[Array, float], Array]) -> str | None:
    """Check a leaky ReLU below and above 0."""
    z = np.array([-1.0, 2.0])
    return difference("the unit at z = −1", formula(z, 0.01), ops.leaky_relu(z, negative_slope=0.01))


def find_9(step: Callable[[Batch, Parameters, Parameters], Parameters]) -> str | None:
    """Check the step of the loop against the engine's gradient after 1000 epochs."""
    data, start, before = batch(), initial_parameters(), training(epochs=1000)
    p = before.parameters
    report = _steps_differ(step(data, p, start), engine_gradient(data, p))
    if report is None:
        return None
    alone = training(literal=False, epochs=1000, mended=[9]).parameters
    at = "at epoch 1000 the log-likelihood is"
    return f"{report}\n{at} {_likelihood(data, p)!r}, with this alone mended {_likelihood(data, alone)!r}"


def find_10(step: Callable[[Batch, Parameters, Parameters], Parameters]) -> str | None:
    """Check the step of the loop against the engine's gradient in the first epoch, when no hidden unit is stale yet."""
    data, start = batch(), initial_parameters()
    report = _steps_differ(step(data, start, start), engine_gradient(data, start))
    if report is None:
        return None
    both = training(literal=False, epochs=1000, method="formulas").parameters
    return f"{report}\nwith 9 and 10 mended the log-likelihood at epoch 1000 is {_likelihood(data, both)!r}"


def _steps_differ(theirs: Parameters, true: Parameters) -> str | None:
    """Return how a step differs from the gradient, by the parameter; None if it does not."""
    parts = zip(theirs._fields, theirs, true, strict=True)
    return joined(*(difference(f"∂J/∂{name}", a, b, "row column" if b.ndim == 2 else "unit") for name, a, b in parts))


def _likelihood(data: Batch, p: Parameters) -> float:
    """Return Σ t log y at ``p``, also where a probability rounds to 0."""
    H, _ = outputs(data, p)
    return float(-ops.cross_entropy(H @ p.V + p.b2, data.T, reduction="sum"))


def find_11(units: claims.Units) -> str | None:
    """Check that σ and softmax give the engine's numbers at ±1000, without overflow."""
    z = np.array([-1000.0, 0.0, 1000.0])
    reports = []
    for name, true in (("σ", ops.sigmoid(z)), ("softmax", ops.softmax(z))):
        try:
            with np.errstate(all="raise", under="ignore"):
                reports.append(difference(f"{name} of (−1000, 0, 1000)", units[name](z), true))
        except FloatingPointError as error:
            with np.errstate(all="ignore"):
                values = ", ".join(f"{value:g}" for value in units[name](z))
            right = ", ".join(f"{value:g}" for value in true)
            reports.append(f"{name} of (−1000, 0, 1000): {error}; it gives ({values}), the engine ({right})")
    return joined(*reports)


def find_21(test: Callable[[claims.Derivative, Array, Array, Array], tuple[bool, Array]]) -> str | None:
    """Check that a test of ∂J/∂V passes the right derivative, and neither its negative nor zeros."""
    data, start = batch(), initial_parameters()
    H, Y = outputs(data, start)
    passes, differences = test(derivative_v, H, data.T, Y)
    candidates: dict[str, claims.Derivative] = {
        "the negative": lambda h, t, y: -derivative_v(h, t, y),
        "all zeros": lambda h, t, y: 0.0 * derivative_v(h, t, y),
    }
    wrong = [name for name, derivative in candidates.items() if test(derivative, H, data.T, Y)[0]]
    if passes and not wrong:
        return None
    return (
        f"the right derivative {'passes' if passes else 'fails'}, with differences of up to "
        f"{np.abs(differences).max():.1f} whose sum is {differences.sum():.1e}\n"
        f"{' and '.join(wrong) or 'nothing wrong'} would pass"
    )
