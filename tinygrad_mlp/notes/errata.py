"""The mistakes of the notes, each found by running a check: a formula against the engine, a counterexample, numbers.

A check takes a formula and returns the numbers that show it wrong, or None if it finds nothing. ``mistakes`` runs every
check on the formula as written, so a mistake that the engine does not confirm is not reported.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinygrad_mlp import ops
from tinygrad_mlp.transforms import jacobian

from . import claims
from .differing import difference, joined
from .formulas import Array, derivative_v
from .indices import find_7
from .loop import Batch, Parameters, batch, engine_gradient, initial_parameters, outputs, training


@dataclass(frozen=True)
class Mistake:
    """A mistake that a check found.

    Attributes:
        number: which, in the order of the notes' errata; 21 is the last of those that can be computed.
        where: the equation or cell.
        says: what the notes say there.
        check: what was run.
        numbers: what came out, in one or a few lines.
        right: what is right.
    """

    number: int
    where: str
    says: str
    check: str
    numbers: str
    right: str


@dataclass(frozen=True)
class Claim:
    """A formula of the notes with the check that it has to pass.

    Attributes:
        number, where, says, check, right: as in ``Mistake``.
        written: the formula as the notes write it.
        mended: the formula put right; the check finds nothing in it.
        find: the check, from a formula to the numbers that show it wrong, or None.
    """

    number: int
    where: str
    says: str
    check: str
    right: str
    written: Any
    mended: Any
    find: Callable[[Any], str | None]


def mistakes() -> list[Mistake]:
    """Return the mistakes that the checks find in the notes' formulas, in the order of the notes; takes a second."""
    found = [(claim, claim.find(claim.written)) for claim in MISTAKEN]
    return [Mistake(c.number, c.where, c.says, c.check, numbers, c.right) for c, numbers in found if numbers]


def format_mistakes(found: Sequence[Mistake]) -> str:
    """Return the mistakes as paragraphs of text."""
    return "\n\n".join(
        f"{m.number:>2}. {m.where}\n    says     {m.says}\n    check    {m.check}\n"
        + "\n".join(f"    {'found' if not i else '':9}{line}" for i, line in enumerate(m.numbers.splitlines()))
        + f"\n    right    {m.right}"
        for m in found
    )


# ---------------------------------------------------------------------------------------------------------- the checks


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


# ------------------------------------------------------------------------------------------------------------ the list

MISTAKEN: tuple[Claim, ...] = (
    Claim(
        1,
        "eq. 14, the diagonal",
        "∂y_k/∂z_k = exp(z_k)(1 − exp(z_k)) / (Σ exp)²",
        "its value at z = (0.5, −1, 2) against the engine's Jacobian of the softmax",
        "exp(z_k)(Σ exp − exp(z_k)) / (Σ exp)²",
        claims.written_1,
        claims.mended_1,
        find_1,
    ),
    Claim(
        2,
        "eq. 15",
        "∂y_k′/∂z_k = y_k′ (1(y_k = y_k′) − y_k): the indicator compares values",
        "its value at y = (0.4, 0.4, 0.2), where two values are equal, against the engine's Jacobian",
        "y_k′ (1(k = k′) − y_k): it compares indices",
        claims.written_2,
        claims.mended_2,
        find_2,
    ),
    Claim(
        3,
        "∂z_k/∂v_kj, above eq. 16",
        "v_j",
        "its value for three hidden units against the engine's gradient, and against one central difference",
        "h_j, which eq. 17 uses",
        claims.written_3,
        claims.mended_3,
        find_3,
    ),
    Claim(
        4,
        "∂h_j/∂a_j · ∂a_j/∂w_ji, point 3 below eq. 19",
        "h_j (1 − h_j) w_ji",
        "its value for one σ unit with two inputs against the engine's gradient",
        "h_j (1 − h_j) x_i, which eq. 21 uses",
        claims.written_4,
        claims.mended_4,
        find_4,
    ),
    Claim(
        5,
        "point 3 below eq. 19",
        "y_k has the form of h_j: y_k = σ(z_k), with ∂y_k′/∂v_kj = σ(z_k)(1(z_k = z_k′) − σ(z_k)) h_kj",
        "both at z = (1, 2) against the engine's softmax and its Jacobian in v",
        "a softmax of two is y₁ = σ(z₁ − z₂); ∂y_k′/∂v_kj = y_k′ (1(k = k′) − y_k) h_j",
        claims.written_5,
        claims.mended_5,
        find_5,
    ),
    Claim(
        6,
        "eq. 25 and 26 against eq. 11",
        "J is the log-likelihood, and a step subtracts its gradient, without a learning rate",
        "one such step on the network of cell 30, with the engine's gradient: J must grow",
        "add α ∂J/∂v, as cell 30 does (or descend −J)",
        claims.written_6,
        claims.mended_6,
        find_6,
    ),
    Claim(
        7,
        "eq. 30 to 32 and 34 to 36",
        "w_lm³ against w_ml³ of eq. 29, w_lj² against the w_lk² of eq. 30, x_ji",
        "each sum evaluated with layers of 2, 3, 4, 5 and 6 units, and of 3 each, against the engine's gradient",
        "w_ml³, w_lk² and x_i: one order of indices, and one index on a vector",
        claims.WRITTEN_7,
        claims.MENDED_7,
        find_7,
    ),
    Claim(
        8,
        "cell 14, leaky ReLU",
        "fmax(α, 1) z",
        "its value at z = −1 with α = 0.01 against the engine's leaky ReLU",
        "max(z, α z) for 0 ≤ α ≤ 1",
        claims.written_8,
        claims.mended_8,
        find_8,
    ),
    Claim(
        9,
        "cell 30, H",
        "V, W and b₁ change with the hidden units H of the initial weights, in every epoch",
        "after 1000 epochs of the loop as written, its next step against the engine's gradient",
        "use the hidden units of the current weights",
        claims.written_9,
        claims.mended_9_and_10,
        find_9,
    ),
    Claim(
        10,
        "cell 30, order of the updates",
        "W and b₁ change with the V that the same step has just changed",
        "the first step of the loop against the engine's gradient",
        "compute every gradient at the old parameters, then change them",
        claims.written_10,
        claims.mended_9_and_10,
        find_10,
    ),
    Claim(
        11,
        "section 1.3, cells 2, 14 and 16",
        "σ(z) = 1 / (1 + exp(−z)) and softmax(z) = exp(z) / Σ exp(z), as they stand",
        "both at z = (−1000, 0, 1000), with overflow made an error, against the engine's",
        "take exp of −|z| in σ, and of z − max z in the softmax",
        claims.WRITTEN_11,
        claims.MENDED_11,
        find_11,
    ),
    Claim(
        21,
        "cell 26, the test of ∂J/∂V",
        "the vectorised derivative gets Y for T and T for Y, and passes if the sum of the differences is below 0.0001",
        "the test itself, given the right derivative, its negative, and zeros",
        "give the arguments in order, and compare every element",
        claims.written_21,
        claims.mended_21,
        find_21,
    ),
)
