"""The formulas of the page of operations that are written by hand agree with the engine."""

# ruff: noqa: ARG001, ARG005  (every formula is given the cotangent, the result and the operands)
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from latex_numbers import latex_value
from numpy.testing import assert_allclose

import tinygrad_mlp as tg
from tinygrad_mlp.ops import cumulative, matrices, products, sorting

sys.path.insert(0, str(Path(__file__).parents[1] / "docs"))

from hand_formulas import BY_HAND, COMPOSED

SEEDS = st.integers(0, 10**6)
T, N = np.transpose, np.newaxis


def gradients(f, *xs, seed=0):
    """A cotangent, the result, and what each operand gets."""
    y, pullback = tg.vjp(f, *xs)
    g = np.asarray(np.random.default_rng(seed).normal(size=np.shape(y)))
    return g, y, pullback(g)


# ----------------------------------------------------------------------------------------- formulas that can be read

LETTERS = {r"\alpha": 1.3, r"\beta": 0.7, r"\delta": 0.8, "m": 0.4}  # names of params, and values to read them with
READABLE = {  # the function of the letters
    "absolute_error": ("pt", tg.absolute_error, {}),
    "binary_cross_entropy": ("pt", tg.binary_cross_entropy, {}),
    "binary_cross_entropy_with_logits": ("zt", tg.binary_cross_entropy_with_logits, {}),
    "celu": ("x", tg.celu, {"alpha": 1.3}),
    "elu": ("x", tg.elu, {"alpha": 1.3}),
    "gaussian_nll_loss": ("ptv", tg.gaussian_nll_loss, {}),
    "gelu": ("x", tg.gelu, {}),
    "hinge": ("zt", tg.hinge, {}),
    "hinge_embedding_loss": ("pt", tg.hinge_embedding_loss, {"margin": 0.4}),
    "huber_loss": ("pt", tg.huber_loss, {"delta": 0.8}),
    "kl_div": ("pt", tg.kl_div, {}),
    "margin_ranking_loss": ("abt", tg.margin_ranking_loss, {"margin": 0.4}),
    "poisson_nll_loss": ("pt", tg.poisson_nll_loss, {}),
    "selu": ("x", tg.selu, {}),
    "sinc": ("x", tg.sinc, {}),
    "smooth_l1_loss": ("pt", tg.smooth_l1_loss, {"beta": 0.7}),
    "soft_margin_loss": ("zt", tg.soft_margin_loss, {}),
    "squared_error": ("pt", tg.squared_error, {}),
}
SIGNED = ("hinge", "hinge_embedding_loss", "margin_ranking_loss", "soft_margin_loss")  # targets are -1 and 1


@pytest.mark.parametrize("name", READABLE)
@given(seed=SEEDS)
def test_a_formula_by_hand_reads_as_the_numbers_of_the_engine(name, seed):
    letters, f, params = READABLE[name]
    rng = np.random.default_rng(seed)
    xs = rng.uniform(0.05, 0.95, len(letters)) if "binary" in name else rng.uniform(0.1, 2.0, len(letters))
    xs[:1] *= 1 if "binary" in name else rng.choice([-1.0, 1.0])
    if name in SIGNED:
        xs[-1] = rng.choice([-1.0, 1.0])
    if name in COMPOSED:
        params = {**params, "reduction": "none"}
    g, y, found = gradients(lambda *a: f(*a, **params), *map(np.asarray, xs), seed=seed)
    values = {**LETTERS, **dict(zip(letters, xs, strict=True)), "g": float(g), "y": float(y)}
    if name == "selu":
        del values[r"\alpha"]
    shown = dict({**BY_HAND, **COMPOSED}[name])
    if name == "selu":
        assert shown.pop(r"\lambda").startswith("1.0507")
    assert "y" in shown or name in BY_HAND
    for left, right in shown.items():
        if left == r"\Phi(x)":
            expected = latex_value(left, **values)
            assert_allclose(latex_value(right, **values), expected, rtol=1e-9)
            continue
        expected = y if left == "y" else found[letters.index(left[-1])]
        assert_allclose(latex_value(right, **values), expected, rtol=1e-9, atol=1e-9, err_msg=f"{name}: {left}")


# ---------------------------------------------------------------- formulas with indices, written out once more in NumPy


def ties(g, x, y):
    """What an element gets of each later result that it equals, shared with the elements before that equal it too."""
    upto = np.tri(len(x), dtype=bool)  # row j: the elements up to j
    same = (x[N, :] == y[:, N]) & upto
    return (g[:, N] * same / same.sum(1, keepdims=True)).sum(0)


def spectral(gaps):
    """The factors 1 / (s_j - s_i), 0 on the diagonal."""
    differences = gaps[N, :] - gaps[:, N]
    return np.where(differences == 0, 0.0, 1 / np.where(differences == 0, 1.0, differences))


def cholesky_bar(g, y, x):
    inner = np.tril(T(y) @ g)
    S = np.linalg.inv(T(y)) @ (inner - np.diag(np.diag(inner)) / 2) @ np.linalg.inv(y)
    return ((S + T(S)) / 2,)


def eigenvectors_bar(g, y, x):
    S = y @ (spectral(np.linalg.eigvalsh(x)) * (T(y) @ g)) @ T(y)
    return ((S + T(S)) / 2,)


def cofactors_slope_bar(g, y, x, t):
    along_g = tg.jvp(lambda z: matrices.cofactors_slope(z, t), (x,), (g,))[1]
    return along_g, matrices.cofactors_slope(x, g)


def vectors_bar(left):
    def bar(g, y, x):
        U, s, V = matrices.left_vectors(x), matrices.svdvals(x), matrices.right_vectors(x)
        turned = spectral(s**2) * (T(y) @ g - T(g) @ y)
        leaving = g - y @ T(y) @ g
        if left:
            return ((y @ turned @ np.diag(s) + leaving @ np.diag(1 / s)) @ T(V),)
        return (U @ (np.diag(s) @ turned @ T(y) + np.diag(1 / s) @ T(leaving)),)

    return bar


def recurrence_bar(g, y, a, b):
    bar = np.zeros_like(g)
    for i in reversed(range(len(g))):
        bar[i] = g[i] + (a[i + 1] * bar[i + 1] if i + 1 < len(g) else 0)
    return bar * np.concatenate([[0.0], y[:-1]]), bar


def norms_bar(g, y, a, b):
    m, n = np.linalg.norm(a), np.linalg.norm(b)
    return (g / m * (b / n - y * a / m), g / n * (a / m - y * b / n))


def layer_norm_bar(g, y, x, w, b):
    s = np.sqrt(x.var() + 1e-5)
    n, h = (x - x.mean()) / s, g * w
    return ((h - h.mean() - n * (h * n).mean()) / s,)


def rms_norm_bar(g, y, x, w):
    r, h = np.sqrt((x * x).mean() + 1e-6), g * w
    return ((h - x / r**2 * (h * x).mean()) / r,)


def power_bar(g, y, x):
    p = np.linalg.matrix_power
    return (sum(p(T(x), k) @ g @ p(T(x), 2 - k) for k in range(3)),)


def prod_bar(x, stop, start):
    return np.prod([x[k] for k in range(stop) if k != start])


def glu(a, b):
    return tg.glu(tg.concatenate([a, b]))


SQUARE, TALL, WIDE, ROW = (3, 3), (4, 3), (3, 4), (5,)
TARGET = np.array([0.2, 0.1, 0.3, 0.15, 0.25])
WRITTEN_OUT = {  # the function, the shapes of its operands, and the formulas of their gradients
    "average": (
        lambda x, w: tg.average(x, weights=w),
        (ROW, ROW),
        lambda g, y, x, w: (g * w / w.sum(), g * (x - y) / w.sum()),
    ),
    "cholesky": (tg.cholesky, ("definite",), cholesky_bar),
    "cofactors_slope": (matrices.cofactors_slope, (SQUARE, SQUARE), cofactors_slope_bar),
    "concatenate": (lambda a, b: tg.concatenate([a, b]), (ROW, ROW), lambda g, y, a, b: (g[:5], g[5:])),
    "contraction": (
        lambda a, b: products.contraction([a, b], subscripts="ij,jk->ik"),
        (SQUARE, WIDE),
        lambda g, y, a, b: (np.einsum("ik,jk->ij", g, b), np.einsum("ij,ik->jk", a, g)),
    ),
    "cosine_similarity": (lambda a, b: tg.cosine_similarity(a, b, axis=0), (ROW, ROW), norms_bar),
    "cross_entropy": (
        lambda z: tg.cross_entropy(z, TARGET, reduction="sum"),
        (ROW,),
        lambda g, y, z: (g * (tg.softmax(z) - TARGET),),
    ),
    "cumprod": (
        tg.cumprod,
        (ROW,),
        lambda g, y, x: (np.array([sum(g[j] * prod_bar(x, j + 1, i) for j in range(i, 5)) for i in range(5)]),),
    ),
    "cumsum": (tg.cumsum, (ROW,), lambda g, y, x: (np.cumsum(g[::-1])[::-1],)),
    "eigenvectors": (
        matrices.eigenvectors,
        ("symmetric",),
        eigenvectors_bar,
    ),
    "eigvalsh": (
        tg.eigvalsh,
        ("symmetric",),
        lambda g, y, x: (matrices.eigenvectors(x) @ np.diag(g) @ T(matrices.eigenvectors(x)),),
    ),
    "expand_dims": (lambda x: tg.expand_dims(x, 0), (ROW,), lambda g, y, x: (g[0],)),
    "glu": (
        glu,
        (ROW, ROW),
        lambda g, y, a, b: (g * tg.sigmoid(b), g * a * tg.sigmoid(b) * (1 - tg.sigmoid(b))),
    ),
    "layer_norm": (lambda x, w, b: tg.layer_norm(x, (5,), w, b), (ROW, ROW, ROW), layer_norm_bar),
    "left_vectors": (matrices.left_vectors, (TALL,), vectors_bar(left=True)),
    "logcumsumexp": (
        tg.logcumsumexp,
        (ROW,),
        lambda g, y, x: (np.array([(g[i:] * np.exp(x[i] - y[i:])).sum() for i in range(5)]),),
    ),
    "matrix_power": (lambda x: tg.matrix_power(x, 3), (SQUARE,), power_bar),
    "mean": (tg.mean, (ROW,), lambda g, y, x: (np.full(5, g / 5),)),
    "nll_loss": (lambda p: tg.nll_loss(p, 2, reduction="sum"), (ROW,), lambda g, y, p: (-g * (np.arange(5) == 2),)),
    "prod": (tg.prod, (ROW,), lambda g, y, x: (np.array([g * prod_bar(x, 5, i) for i in range(5)]),)),
    "ranked": (
        lambda x: sorting.ranked(x, np.array([0, 3])),
        ("tied",),
        lambda g, y, x: ((g * (x[:, N] == y) / (x[:, N] == y).sum(0)).sum(1),),
    ),
    "recurrence": (cumulative.recurrence, (ROW, ROW), recurrence_bar),
    "right_vectors": (matrices.right_vectors, (WIDE,), vectors_bar(left=False)),
    "rms_norm": (lambda x, w: tg.rms_norm(x, (5,), w, eps=1e-6), (ROW, ROW), rms_norm_bar),
    "running_max": (cumulative.running_max, ("tied",), lambda g, y, x: (ties(g, x, y),)),
    "running_min": (cumulative.running_min, ("tied",), lambda g, y, x: (ties(g, x, y),)),
    "solve": (
        tg.solve,
        (SQUARE, SQUARE),
        lambda g, y, a, b: (-np.linalg.solve(T(a), g) @ T(y), np.linalg.solve(T(a), g)),
    ),
    "squeeze": (tg.squeeze, ((1, 5),), lambda g, y, x: (g[N],)),
    "stack": (lambda a, b: tg.stack([a, b]), (ROW, ROW), lambda g, y, a, b: (g[0], g[1])),
    "std": (lambda x: tg.std(x, ddof=1), (ROW,), lambda g, y, x: (g * (x - x.mean()) / (4 * y),)),
    "sum": (tg.sum, (ROW,), lambda g, y, x: (np.full(5, g),)),
    "svdvals": (
        tg.svdvals,
        (TALL,),
        lambda g, y, x: (matrices.left_vectors(x) @ np.diag(g) @ T(matrices.right_vectors(x)),),
    ),
    "trace": (tg.trace, (SQUARE,), lambda g, y, x: (g * np.eye(3),)),
    "var": (lambda x: tg.var(x, ddof=1), (ROW,), lambda g, y, x: (2 * g * (x - x.mean()) / 4,)),
    "vector_norm": (
        lambda x: tg.linalg.vector_norm(x, ord=3),
        (ROW,),
        lambda g, y, x: (g * np.sign(x) * (np.abs(x) / y) ** 2,),
    ),
}


def drawn(rng, shape):
    """An operand: away from 0, of either sign."""
    if shape == "tied":
        return rng.integers(0, 3, 5).astype(float)
    if shape in ("symmetric", "definite"):
        x = rng.normal(size=(3, 3))
        return x @ x.T + np.eye(3) if shape == "definite" else x + x.T
    return rng.uniform(0.3, 2.0, shape) * rng.choice([-1.0, 1.0], shape)


@pytest.mark.parametrize("name", WRITTEN_OUT)
@given(seed=SEEDS)
def test_a_formula_with_indices_gives_the_gradient_of_the_engine(name, seed):
    f, shapes, formula = WRITTEN_OUT[name]
    rng = np.random.default_rng(seed)
    xs = [drawn(rng, shape) for shape in shapes]
    for x in xs:
        if x.ndim == 2 and min(x.shape) > 1:  # close singular values would lose the digits
            s = np.linalg.svd(x, compute_uv=False)
            assume(min(*-np.diff(s), s[-1]) > 0.05)
    g, y, found = gradients(f, *xs, seed=seed)
    expected = formula(g, y, *xs)
    for ours, hand in zip(found, expected, strict=False):  # of `layer_norm`, only that of x is shown
        assert_allclose(ours, hand, rtol=1e-8, atol=1e-8)


def test_no_formula_by_hand_goes_untested():
    derivatives = {name for name, shown in COMPOSED.items() if any(r"\bar" in left for left, _ in shown)}
    assert {*BY_HAND, *derivatives} - {*READABLE, *WRITTEN_OUT} == set()
