"""Which gradients do the checkers of gradients get wrong? False alarms and misses, ours beside those of the peers.

Every checker runs as it comes, with its own tolerances, on first derivatives in reverse mode; one case is about forward
mode. autograd's draws its direction from NumPy's global generator, so that its verdict is left to chance: it has ten
tries.
"""

import warnings
from collections.abc import Callable
from importlib import metadata
from importlib.util import find_spec
from types import SimpleNamespace

import numpy as np

import tinygrad_mlp as tg
from benchmarks.gradcheck_cases import CASES, Case
from benchmarks.peers import has_jax, has_torch
from tinygrad_mlp.table import OPS

OURS, TORCH, FAST, JAX, AUTOGRAD = "tinygrad_mlp", "PyTorch", "its fast mode", "JAX", "autograd"
PACKAGES = {TORCH: "torch", FAST: "torch", JAX: "jax", AUTOGRAD: "autograd"}
MISTAKES = {"right": "false alarm", "wrong": "missed"}  # what a verdict is that is not this truth
TRIES = 10  # of a checker whose verdict is left to chance

Checker = Callable[[Case], list[str]]


def checkers() -> dict[str, Checker]:
    """Return the checkers that are installed, by name: each gives the verdicts of its tries."""
    found: dict[str, Checker] = {OURS: with_ours}
    if has_torch():
        found |= {TORCH: with_torch, FAST: lambda case: with_torch(case, fast=True)}
    if has_jax():
        found[JAX] = with_jax
    if find_spec("autograd"):
        found[AUTOGRAD] = with_autograd
    return found


def version(checker: str) -> str:
    """Return the version of the library that a checker belongs to, without how it was built."""
    return metadata.version(PACKAGES[checker]).partition("+")[0]


def outcome(case: Case, verdicts: list[str]) -> str:
    """Return ``✓``, ``undecided``, or what kind of mistake the verdicts are, and how often.

    >>> from benchmarks.gradcheck_cases import RIGHT
    >>> outcome(RIGHT[0], ["wrong"]), outcome(RIGHT[0], ["right", "wrong", "wrong"])
    ('false alarm', 'false alarm 2 of 3 times')
    """
    off = [verdict for verdict in verdicts if verdict != case.truth]
    if not off:
        return "✓"
    said = "undecided" if "undecided" in off else MISTAKES[case.truth]
    return said if len(off) == len(verdicts) else f"{said} {len(off)} of {len(verdicts)} times"


def main():
    """Return the rows: what each checker makes of each case."""
    found = checkers()
    return [
        (f"{case.name}: the gradient is {case.truth}", name, "", outcome(case, check(case)))
        for case in CASES
        for name, check in found.items()
    ]


# ------------------------------------------------------------------------------------------------------ the checkers


def our_functions() -> SimpleNamespace:
    """Return what the cases call: the functions of the library, and two more."""
    return SimpleNamespace(**vars(tg), row_max=lambda x: tg.max(x, axis=1), array=np.array)


def with_ours(case: Case) -> list[str]:
    """Return the verdict of ``tg.gradcheck``."""
    xp = our_functions()
    mode = "forward" if case.jvp else "reverse"
    if not (case.vjp or case.jvp):
        return [tg.gradcheck(lambda x: case.f(xp, x), case.x, raise_exception=False).verdict]

    @tg.primitive(elementwise=case.jvp is not None)
    def spoiled(xp, x):
        return case.f(xp, x)

    try:
        tg.defvjp(spoiled, lambda g, _y, x: case.vjp(xp, g, x))
        if case.jvp:
            tg.defjvp(spoiled, lambda t, _y, x: case.jvp(xp, t, x))
        return [tg.gradcheck(spoiled, case.x, mode=mode, raise_exception=False).verdict]
    finally:
        del OPS["spoiled"]


def with_torch(case: Case, *, fast: bool = False) -> list[str]:
    """Return the verdict of ``torch.autograd.gradcheck``."""
    import torch

    xp = SimpleNamespace(**vars(torch), row_max=lambda x: torch.max(x, 1).values, array=torch.tensor)

    class Spoiled(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            ctx.save_for_forward(x)
            return case.f(xp, x)

        @staticmethod
        def backward(ctx, g):
            return case.vjp(xp, g, *ctx.saved_tensors)

        @staticmethod
        def jvp(ctx, t):
            return case.jvp(xp, t, *ctx.saved_tensors)

    f = Spoiled.apply if case.vjp or case.jvp else lambda x: case.f(xp, x)
    forward = {"check_forward_ad": True, "check_backward_ad": False} if case.jvp else {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that an input is float32
        x = torch.tensor(case.x, requires_grad=True)
        passed = torch.autograd.gradcheck(f, x, fast_mode=fast, raise_exception=False, **forward)
    return ["right" if passed else "wrong"]


def with_jax(case: Case) -> list[str]:
    """Return the verdict of ``jax.test_util.check_grads``."""
    import jax
    from jax import numpy as jnp
    from jax.test_util import check_grads

    xp = SimpleNamespace(**vars(jnp), relu=jax.nn.relu, row_max=lambda x: jnp.max(x, axis=1))

    def f(x):
        return case.f(xp, x)

    if case.vjp:
        f = jax.custom_vjp(f)
        f.defvjp(lambda x: (case.f(xp, x), x), lambda x, g: (case.vjp(xp, g, x),))
    elif case.jvp:
        f = jax.custom_jvp(f)
        f.defjvp(lambda x, t: (case.f(xp, *x), case.jvp(xp, *t, *x)))
    mode = "fwd" if case.jvp else "rev"
    return [passes(lambda: check_grads(f, (jnp.array(case.x),), order=1, modes=(mode,)))]


def with_autograd(case: Case) -> list[str]:
    """Return the verdicts of ``autograd.test_util.check_grads``."""
    from autograd import numpy as anp
    from autograd.extend import defjvp, defvjp, primitive
    from autograd.test_util import check_grads

    xp = SimpleNamespace(**vars(anp), relu=lambda x: anp.maximum(x, 0.0), row_max=lambda x: anp.max(x, axis=1))

    def f(x):
        return case.f(xp, x)

    if case.vjp or case.jvp:
        f = primitive(f)
        defvjp(f, lambda _, x: lambda g: case.vjp(xp, g, x))
        defjvp(f, lambda t, _, x: case.jvp(xp, t, x))
    check, verdicts = check_grads(f, modes=["fwd" if case.jvp else "rev"], order=1), []
    before = np.random.get_state()  # noqa: NPY002  # the generator that it draws from
    for seed in range(TRIES):
        np.random.seed(seed)  # noqa: NPY002
        verdicts.append(passes(lambda: check(case.x)))
    np.random.set_state(before)  # noqa: NPY002
    return verdicts


def passes(check: Callable[[], object]) -> str:
    """Return ``right`` unless the check finds otherwise."""
    try:
        with np.errstate(all="ignore"):
            check()
    except AssertionError:
        return "wrong"
    return "right"
