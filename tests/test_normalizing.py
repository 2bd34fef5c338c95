"""Normalisers are their formulas, written out with NumPy, along any last axes, and have the slopes of these."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import FEW, shapes

import tinygrad_mlp as tg
from tinygrad_mlp.check import gradcheck


def layer_norm(x, lengths, weight, bias, eps):
    axes = tuple(range(x.ndim - len(lengths), x.ndim))
    y = (x - x.mean(axis=axes, keepdims=True)) / np.sqrt(x.var(axis=axes, keepdims=True) + eps)
    return y * (1.0 if weight is None else weight) + (0.0 if bias is None else bias)


def rms_norm(x, lengths, weight, eps):
    axes = tuple(range(x.ndim - len(lengths), x.ndim))
    y = x / np.sqrt(np.square(x).mean(axis=axes, keepdims=True) + (np.finfo(x.dtype).eps if eps is None else eps))
    return y * (1.0 if weight is None else weight)


@st.composite
def arguments(draw):
    """An array, lengths of its last axes, and a weight and a bias, or none."""
    shape = draw(shapes(min_dims=1, min_side=2))
    lengths = shape[draw(st.integers(0, len(shape) - 1)) :]
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    x, weight, bias = (rng.uniform(-2, 2, s) for s in (shape, lengths, lengths))
    return x, lengths, *(draw(st.sampled_from([None, scale])) for scale in (weight, bias))


@given(given_=arguments(), eps=st.sampled_from([1e-5, 0.1]))
def test_layer_norm_is_its_formula(given_, eps):
    expected = layer_norm(*given_, eps)
    assert np.allclose(tg.layer_norm(*given_, eps), expected, rtol=1e-12, atol=1e-14)
    assert np.allclose(tg.layer_norm(tg.Tensor(given_[0]), *given_[1:], eps=eps).data, expected, rtol=1e-12, atol=1e-14)


@given(given_=arguments(), eps=st.sampled_from([None, 1e-5, 0.1]))
def test_rms_norm_is_its_formula(given_, eps):
    for kind in (np.float64, np.float32):
        x, weight = (None if a is None else a.astype(kind) for a in (given_[0], given_[2]))
        y = tg.rms_norm(x, given_[1], weight, eps)
        assert y.dtype == kind
        assert np.allclose(y, rms_norm(x, given_[1], weight, eps), rtol=1e-5 if kind is np.float32 else 1e-12)


@FEW
@given(given_=arguments())
def test_normalisers_have_the_slopes_of_their_formulas(given_):
    x, lengths, *_ = given_
    weight, bias, u = (np.random.default_rng(i).uniform(-1, 1, s) for i, s in enumerate((lengths, lengths, x.shape)))
    assert gradcheck(lambda x, w, b: tg.sum(tg.layer_norm(x, lengths, w, b) * u), x, weight, bias)
    assert gradcheck(lambda x, w: tg.sum(tg.rms_norm(x, lengths, w, 0.1) * u), x, weight)


def test_integers_are_normalised_as_float64():
    x = np.array([[1, 2, 4]])
    assert np.allclose(tg.rms_norm(x, 3), rms_norm(x.astype(float), (3,), None, None), rtol=1e-12)


@pytest.mark.parametrize("axis", [0, -1])
def test_a_number_is_normalised_to_its_sign(axis):
    assert tg.normalize(-3.0, 2.0, axis).shape == ()
    assert tg.normalize(-3.0, 2.0, axis) == -1.0


@pytest.mark.parametrize("axis", range(-3, 3))
def test_every_axis_of_a_cube_is_divided_by_its_norms(axis):
    x = np.random.default_rng(0).normal(size=(2, 3, 4))
    for p in (1.0, 2.0, 3.0, np.inf):
        norms = np.linalg.norm(x, p, axis=axis, keepdims=True)
        assert np.allclose(tg.normalize(x, p, axis), x / norms, rtol=1e-13)
        assert np.allclose(tg.normalize(x, p, axis, 1.5), x / np.maximum(norms, 1.5), rtol=1e-13)
