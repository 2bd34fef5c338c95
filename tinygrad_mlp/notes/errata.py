"""The mistakes of the notes, each found by running a check on the formula as written.

A mistake that its check does not confirm is not reported. ``claims.py`` has the formulas, as written and mended;
``checks.py`` the checks.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from . import checks, claims
from .indices import find_7


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


MISTAKEN: tuple[Claim, ...] = (
    Claim(
        1,
        "eq. 14, the diagonal",
        "∂y_k/∂z_k = exp(z_k)(1 − exp(z_k)) / (Σ exp)²",
        "its value at z = (0.5, −1, 2) against the engine's Jacobian of the softmax",
        "exp(z_k)(Σ exp − exp(z_k)) / (Σ exp)²",
        claims.written_1,
        claims.mended_1,
        checks.find_1,
    ),
    Claim(
        2,
        "eq. 15",
        "∂y_k′/∂z_k = y_k′ (1(y_k = y_k′) − y_k): the indicator compares values",
        "its value at y = (0.4, 0.4, 0.2), where two values are equal, against the engine's Jacobian",
        "y_k′ (1(k = k′) − y_k): it compares indices",
        claims.written_2,
        claims.mended_2,
        checks.find_2,
    ),
    Claim(
        3,
        "∂z_k/∂v_kj, above eq. 16",
        "v_j",
        "its value for three hidden units against the engine's gradient, and against one central difference",
        "h_j, which eq. 17 uses",
        claims.written_3,
        claims.mended_3,
        checks.find_3,
    ),
    Claim(
        4,
        "∂h_j/∂a_j · ∂a_j/∂w_ji, point 3 below eq. 19",
        "h_j (1 − h_j) w_ji",
        "its value for one σ unit with two inputs against the engine's gradient",
        "h_j (1 − h_j) x_i, which eq. 21 uses",
        claims.written_4,
        claims.mended_4,
        checks.find_4,
    ),
    Claim(
        5,
        "point 3 below eq. 19",
        "y_k has the form of h_j: y_k = σ(z_k), with ∂y_k′/∂v_kj = σ(z_k)(1(z_k = z_k′) − σ(z_k)) h_kj",
        "both at z = (1, 2) against the engine's softmax and its Jacobian in v",
        "a softmax of two is y₁ = σ(z₁ − z₂); ∂y_k′/∂v_kj = y_k′ (1(k = k′) − y_k) h_j",
        claims.written_5,
        claims.mended_5,
        checks.find_5,
    ),
    Claim(
        6,
        "eq. 25 and 26 against eq. 11",
        "J is the log-likelihood, and a step subtracts its gradient, without a learning rate",
        "one such step on the network of cell 30, with the engine's gradient: J must grow",
        "add α ∂J/∂v, as cell 30 does (or descend −J)",
        claims.written_6,
        claims.mended_6,
        checks.find_6,
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
        checks.find_8,
    ),
    Claim(
        9,
        "cell 30, H",
        "V, W and b₁ change with the hidden units H of the initial weights, in every epoch",
        "after 1000 epochs of the loop as written, its next step against the engine's gradient",
        "use the hidden units of the current weights",
        claims.written_9,
        claims.mended_9_and_10,
        checks.find_9,
    ),
    Claim(
        10,
        "cell 30, order of the updates",
        "W and b₁ change with the V that the same step has just changed",
        "the first step of the loop against the engine's gradient",
        "compute every gradient at the old parameters, then change them",
        claims.written_10,
        claims.mended_9_and_10,
        checks.find_10,
    ),
    Claim(
        11,
        "section 1.3, cells 2, 14 and 16",
        "σ(z) = 1 / (1 + exp(−z)) and softmax(z) = exp(z) / Σ exp(z), as they stand",
        "both at z = (−1000, 0, 1000), with overflow made an error, against the engine's",
        "take exp of −|z| in σ, and of z − max z in the softmax",
        claims.WRITTEN_11,
        claims.MENDED_11,
        checks.find_11,
    ),
    Claim(
        21,
        "cell 26, the test of ∂J/∂V",
        "the vectorised derivative gets Y for T and T for Y, and passes if the sum of the differences is below 0.0001",
        "the test itself, given the right derivative, its negative, and zeros",
        "give the arguments in order, and compare every element",
        claims.written_21,
        claims.mended_21,
        checks.find_21,
    ),
)
