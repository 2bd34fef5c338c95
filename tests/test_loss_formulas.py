"""Losses are their formulas, written out sample by sample, with every reduction and in one dimension too."""

import math

import numpy as np
import pytest

import tinygrad_mlp as tg
from tinygrad_mlp.check import gradcheck
from tinygrad_mlp.errors import TinygradError

RNG = np.random.default_rng(4)
LABELS, SIGNS = np.array([2, 0, 1, 2]), np.array([1, -1, -1, 1])
WEIGHT = np.array([0.5, 2.0, 1.5])
X, Y, Z = RNG.normal(size=(3, 4, 3))
P = np.exp(X) / np.exp(X).sum(axis=1, keepdims=True)


def norm(v):
    return math.sqrt(sum(v * v))


def cosine(a, b, sign, margin=0.2):
    cos = sum(a * b) / (norm(a) * norm(b))
    return 1 - cos if sign == 1 else max(0.0, cos - margin)


def triplet(a, b, c, margin=1.0):
    return max(0.0, norm(a - b + 1e-6) - norm(a - c + 1e-6) + margin)


def multi_margin(x, label):
    return sum(max(0.0, 1 - x[label] + v) for i, v in enumerate(x) if i != label) / len(x)


# A loss of all samples, of one, and the arrays: the first is differentiated.
SAMPLEWISE = [
    (tg.nll_loss, lambda x, k: -x[k], (np.log(P), LABELS)),
    (tg.cross_entropy, lambda x, k: math.log(sum(np.exp(x))) - x[k], (X, LABELS)),
    (lambda *xs, **o: tg.cosine_embedding_loss(*xs, margin=0.2, **o), cosine, (X, Y, SIGNS)),
    (tg.triplet_margin_loss, triplet, (X, Y, Z)),
    (tg.multi_margin_loss, multi_margin, (X, LABELS)),
]
each_loss = pytest.mark.parametrize(
    ("loss", "one", "arrays"), SAMPLEWISE, ids=["nll", "cross_entropy", "cosine_embedding", "triplet", "multi_margin"]
)


@each_loss
def test_a_loss_is_its_formula_for_each_sample_and_reduces(loss, one, arrays):
    losses = [one(*sample) for sample in zip(*arrays, strict=True)]
    assert np.allclose(loss(*arrays, reduction="none"), losses, rtol=1e-9, atol=1e-12)
    assert np.isclose(loss(*arrays, reduction="sum"), sum(losses), rtol=1e-9)
    assert np.isclose(loss(*arrays), sum(losses) / len(losses), rtol=1e-9)
    assert gradcheck(lambda x: loss(x, *arrays[1:]), arrays[0])


@each_loss
def test_a_loss_takes_one_sample_without_an_axis_of_samples(loss, one, arrays):
    sample = [np.asarray(x[1]) for x in arrays]
    for reduction in ("none", "sum", "mean"):
        y = loss(*sample, reduction=reduction)
        assert np.shape(y) == ()
        assert np.isclose(y, one(*sample), rtol=1e-9)


@pytest.mark.parametrize("f", [tg.nll_loss, tg.cross_entropy])
def test_weights_and_ignored_labels_count_in_the_sum_and_in_its_divisor(f):
    labels = np.array([2, -100, 1, 2])
    logs = np.log(P)
    losses = [0.0 if k < 0 else -WEIGHT[k] * row[k] for row, k in zip(logs, labels, strict=True)]
    total = sum(WEIGHT[k] for k in labels if k >= 0)
    assert np.allclose(f(logs, labels, WEIGHT, reduction="none"), losses, rtol=1e-12)
    assert np.isclose(f(logs, labels, WEIGHT, reduction="sum"), sum(losses), rtol=1e-12)
    assert np.isclose(f(logs, labels, WEIGHT), sum(losses) / total, rtol=1e-12)
    assert np.isclose(f(logs, labels), -sum(logs[i, k] for i, k in enumerate(labels) if k >= 0) / 3, rtol=1e-12)
    assert gradcheck(lambda x: f(x, labels, WEIGHT), X)


def positive(v):
    return max(0.0, v)


# A loss of elements, its formula for one, and the range of predictions and the targets.
ELEMENTWISE = {
    "mse": (tg.mse_loss, lambda p, t: (p - t) ** 2, X, Y),
    "l1": (tg.l1_loss, lambda p, t: abs(p - t), X, Y),
    "smooth l1": (
        lambda *xs, **o: tg.smooth_l1_loss(*xs, beta=0.7, **o),
        lambda p, t: (p - t) ** 2 / 1.4 if abs(p - t) < 0.7 else abs(p - t) - 0.35,
        X,
        Y,
    ),
    "huber": (
        lambda *xs, **o: tg.huber_loss(*xs, delta=0.7, **o),
        lambda p, t: (p - t) ** 2 / 2 if abs(p - t) < 0.7 else 0.7 * (abs(p - t) - 0.35),
        X,
        Y,
    ),
    "bce": (tg.binary_cross_entropy, lambda p, t: -t * math.log(p) - (1 - t) * math.log(1 - p), P, P[::-1]),
    "bce with logits": (
        tg.binary_cross_entropy_with_logits,
        lambda z, t: math.log1p(math.exp(z)) - t * z,
        X,
        P,
    ),
    "kl": (tg.kl_div, lambda q, p: p * (math.log(p) - q), np.log(P), P[::-1]),
    "poisson": (tg.poisson_nll_loss, lambda z, t: math.exp(z) - t * z, X, np.abs(Y)),
    "hinge": (tg.hinge, lambda p, t: positive(1 - t * p), X, np.sign(Y)),
    "soft margin": (tg.soft_margin_loss, lambda p, t: math.log1p(math.exp(-t * p)), X, np.sign(Y)),
    "hinge embedding": (
        lambda *xs, **o: tg.hinge_embedding_loss(*xs, margin=0.8, **o),
        lambda p, t: p if t == 1 else positive(0.8 - p),
        X,
        np.sign(Y),
    ),
}


@pytest.mark.parametrize("p", [-0.1, 1.1])
def test_what_is_no_probability_has_no_cross_entropy(p):
    with pytest.raises(TinygradError, match="binary_cross_entropy"):
        tg.binary_cross_entropy(np.array([0.5, p]), np.array([0.0, 1.0]))


def test_batchmean_divides_by_the_number_of_samples_alone():
    losses = P[::-1] * (np.log(P[::-1]) - np.log(P))
    assert np.isclose(tg.kl_div(np.log(P), P[::-1], reduction="batchmean"), losses.sum() / 4, rtol=1e-12)


@pytest.mark.parametrize(("loss", "one", "p", "t"), ELEMENTWISE.values(), ids=ELEMENTWISE)
def test_a_loss_is_its_formula_for_each_element_and_reduces(loss, one, p, t):
    losses = np.vectorize(one)(p, t)
    assert np.allclose(loss(p, t, reduction="none"), losses, rtol=1e-10, atol=1e-14)
    assert np.isclose(loss(p, t, reduction="sum"), losses.sum(), rtol=1e-10)
    assert np.isclose(loss(p, t, reduction="mean"), losses.mean(), rtol=1e-10)
    assert gradcheck(lambda x: loss(x, t, reduction="sum"), p)
