"""Activations and normalisers at their edges are PyTorch's: kinks, numbers without axes, empty axes, odd norms."""

import numpy as np
import pytest

import tinygrad_mlp as tg
from tinygrad_mlp.errors import TinygradError

POINTS = np.array([0.0, 1.0, -1.0, 3.0, -3.0, 6.0, 0.5, -7.0, 25.0, -25.0, 1000.0, -1000.0])
ACTIVATIONS = [
    ("relu", {}), ("relu6", {}), ("elu", {}), ("elu", {"alpha": -1.5}), ("elu", {"alpha": 0.0}),
    ("celu", {"alpha": 0.5}),
    ("selu", {}), ("gelu", {}), ("gelu", {"approximate": "tanh"}), ("silu", {}),
    ("softsign", {}), ("hardtanh", {"min_val": 1.0, "max_val": 1.0}), ("hardswish", {}), ("leaky_relu", {}),
    ("softplus", {}),
]  # fmt: skip


def agree(ours, theirs, arrays):
    """Hold a function to PyTorch's: the value, and first and second derivatives of a random projection of it."""
    torch = pytest.importorskip("torch", reason="PyTorch is optional: it is the judge here")
    others = [torch.tensor(a, requires_grad=True) for a in arrays]
    expected = theirs(torch.nn.functional, *others)
    y = ours(*arrays)
    assert np.allclose(y, expected.detach().numpy(), rtol=1e-12, atol=1e-14)
    u = np.random.default_rng(0).normal(size=np.shape(y))
    first = torch.autograd.grad((expected * torch.tensor(u)).sum(), others, create_graph=True)
    found = tg.grad(lambda xs: tg.sum(ours(*xs) * u))(arrays)
    for a, b in zip(found, first, strict=True):
        assert np.allclose(a, b.detach().numpy(force=True), rtol=1e-10, atol=1e-13)
    total = sum(g.sum() for g in first)
    if total.requires_grad:
        second = torch.autograd.grad(total, others, allow_unused=True)
        found = tg.grad(lambda xs: sum(tg.sum(g) for g in tg.grad(lambda zs: tg.sum(ours(*zs) * u))(xs)))(arrays)
        for a, b in zip(found, second, strict=True):
            assert np.allclose(a, 0.0 if b is None else b.numpy(force=True), rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize(("name", "params"), ACTIVATIONS, ids=str)
def test_an_activation_has_pytorchs_derivatives_at_its_kinks(name, params):
    agree(lambda x: getattr(tg, name)(x, **params), lambda f, x: getattr(f, name)(x, **params), [POINTS])


def noise(*shape):
    return np.random.default_rng(1).normal(size=shape)


@pytest.mark.parametrize("p", [0.0, 0.5, 1.0, 1.5, 2.0, 3.0, np.inf, -1.0])
def test_normalize_takes_any_norm(p):
    agree(lambda x: tg.normalize(x, p, 1), lambda f, x: f.normalize(x, p, 1), [noise(2, 3, 2)])


def test_a_zero_among_the_elements_of_a_norm_has_slope_zero():
    x = np.array([[0.0, 3.0, 4.0]])
    assert np.isfinite(tg.grad(lambda t: tg.sum(tg.normalize(t, 0.5, 1) * noise(1, 3)))(x)).all()
    assert np.isfinite(tg.grad(lambda t: tg.sum(tg.normalize(t, 3.0, 1)))(np.zeros((1, 3)))).all()


@pytest.mark.parametrize(
    ("shapes", "axis"), [(((1, 2, 3), (2, 1, 3)), -2), (((2, 3), (2, 1, 3)), 0), (((2, 3), (2, 3)), 1), (((), ()), 0)]
)
def test_cosine_similarity_broadcasts_before_it_sums(shapes, axis):
    agree(
        lambda a, b: tg.cosine_similarity(a, b, axis),
        lambda f, a, b: f.cosine_similarity(a, b, axis),
        [noise(*shape) for shape in shapes],
    )


@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
@pytest.mark.parametrize("shape", [(), (0, 3), (2, 0), (2, 3)])
def test_a_softmax_takes_numbers_and_nothing(name, shape):
    agree(lambda x: getattr(tg, name)(x, axis=0), lambda f, x: getattr(f, name)(x, dim=0), [noise(*shape)])


@pytest.mark.parametrize(
    ("f", "words"),
    [
        (lambda x: tg.hardtanh(x, 2.0, 1.0), "hardtanh: min_val 2.0 is greater"),
        (lambda x: tg.celu(x, 0.0), "celu: alpha is 0"),
        (lambda x: tg.layer_norm(x, (3,), np.ones(2)), "layer_norm: a weight or bias of shape"),
        (lambda x: tg.rms_norm(x, (3,), np.ones((2, 3))), "rms_norm: a weight or bias of shape"),
        (lambda x: tg.layer_norm(x, ()), "layer_norm: the last axes"),
    ],
)
def test_parameters_that_mean_nothing_are_said(f, words):
    with pytest.raises(TinygradError, match=words):
        f(tg.Tensor(noise(2, 3)))
