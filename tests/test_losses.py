"""Losses are PyTorch's: values, gradients in every floating operand, second derivatives and errors."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import FEW

import tinygrad_mlp as tg
from tinygrad_mlp.errors import TinygradError

torch = pytest.importorskip("torch", reason="PyTorch is optional: it is the judge here")
F = torch.nn.functional

REDUCTION = st.sampled_from(["mean", "sum", "none"])
SHAPES = st.sampled_from([(), (1,), (3,), (2, 3), (2, 1, 2)])
NO_VALUES = pytest.mark.filterwarnings("ignore:Mean of empty slice", "ignore:invalid value")


def agree(ours, theirs, arrays, rtol=1e-9):
    """Hold a loss to PyTorch's: the value, the gradient of each array, and that of the sum of squared gradients."""
    mine = [tg.Tensor(a) for a in arrays]
    others = [torch.tensor(a, requires_grad=True) for a in arrays]
    y, expected = ours(*mine), theirs(*others)
    assert np.allclose(y.data, expected.detach().numpy(), rtol=rtol, atol=1e-12, equal_nan=True)
    assert np.shape(y.data) == tuple(expected.shape)
    u = np.random.default_rng(9).normal(size=np.shape(y.data))
    first = tg.grad(lambda xs: tg.sum(ours(*xs) * u))(mine)
    total = (expected * torch.tensor(u)).sum()
    theirs_first = torch.autograd.grad(total, others, create_graph=True)
    for a, b in zip(first, theirs_first, strict=True):
        assert np.allclose(a, b.detach().numpy(force=True), rtol=rtol, atol=1e-12, equal_nan=True)
    squares = sum((g * g).sum() for g in theirs_first)
    if not squares.requires_grad:
        return
    theirs_second = torch.autograd.grad(squares, others, allow_unused=True)
    second = tg.grad(lambda xs: sum(tg.sum(g * g) for g in tg.grad(lambda zs: tg.sum(ours(*zs) * u))(xs)))(mine)
    for a, b in zip(second, theirs_second, strict=True):
        assert np.allclose(a, 0.0 if b is None else b.detach().numpy(force=True), rtol=1e-7, atol=1e-10, equal_nan=True)


def drawn(data, shape, low=-2.0, high=2.0):
    return np.random.default_rng(data.draw(st.integers(0, 999))).uniform(low, high, shape)


SAME = {
    "mse_loss": {}, "l1_loss": {}, "smooth_l1_loss": {"beta": [0.0, 0.3, 1.0, 5.0]},
    "huber_loss": {"delta": [0.3, 1.0]},
    "poisson_nll_loss": {"log_input": [True, False], "full": [True, False], "eps": [1e-8, 0.1]},
    "kl_div": {"log_target": [True, False]},
}  # fmt: skip


@pytest.mark.filterwarnings("ignore:reduction. .mean. divides")
@pytest.mark.parametrize("name", SAME)
@FEW
@given(data=st.data())
def test_losses_of_a_prediction_and_a_target_of_one_shape(name, data):
    shape = data.draw(SHAPES)
    positive = name in ("poisson_nll_loss", "kl_div")
    x = drawn(data, shape, 0.1 if name == "poisson_nll_loss" else -2.0)
    t = drawn(data, shape, 0.1 if positive else -2.0)
    options = {key: data.draw(st.sampled_from(values)) for key, values in SAME[name].items()}
    options["reduction"] = data.draw(REDUCTION)
    agree(lambda a, b: getattr(tg, name)(a, b, **options), lambda a, b: getattr(F, name)(a, b, **options), [x, t])


@pytest.mark.filterwarnings("ignore:reduction. 'mean' divides")
def test_kl_div_takes_its_batchmean_and_zeros():
    t = np.array([[0.5, 0.5, 0.0], [1.0, 0.0, 0.0]])
    x = np.log(np.array([[0.2, 0.3, 0.5], [0.1, 0.1, 0.8]]))
    for reduction in ("batchmean", "sum", "mean", "none"):
        expected = F.kl_div(torch.tensor(x), torch.tensor(t), reduction=reduction).numpy()
        assert np.allclose(tg.kl_div(x, t, reduction=reduction), expected)


@FEW
@given(data=st.data())
def test_cross_entropy_with_labels(data):
    shape = data.draw(st.sampled_from([(3,), (2, 3), (4, 3), (2, 3, 2), (2, 3, 1, 2)]))
    at = 1 if len(shape) > 1 else 0
    labels = np.random.default_rng(data.draw(st.integers(0, 99))).integers(0, 3, shape[:at] + shape[at + 1 :])
    options = {
        "reduction": data.draw(REDUCTION),
        "ignore_index": data.draw(st.sampled_from([-100, 1, -1])),
        "label_smoothing": data.draw(st.sampled_from([0.0, 0.1, 1.0])),
    }
    if options["ignore_index"] == -1 and labels.ndim:
        labels[..., 0] = -1
    arrays = [drawn(data, shape, -3, 3)]
    weight = data.draw(st.sampled_from([None, np.array([0.5, 2.0, 0.0])]))
    w = None if weight is None else torch.tensor(weight)
    t = torch.tensor(labels)
    with np.errstate(invalid="ignore", divide="ignore"):
        agree(
            lambda x: tg.cross_entropy(x, labels, weight, axis=at, **options),
            lambda x: F.cross_entropy(x, t, w, **options),
            arrays,
        )
    del options["label_smoothing"]
    with np.errstate(invalid="ignore", divide="ignore"):
        agree(
            lambda x: tg.nll_loss(x, labels, weight, axis=at, **options),
            lambda x: F.nll_loss(x, t, w, **options),
            arrays,
        )


@FEW
@given(data=st.data())
def test_cross_entropy_with_soft_targets(data):
    shape = data.draw(st.sampled_from([(3,), (2, 3), (2, 3, 2)]))
    at = 1 if len(shape) > 1 else 0
    arrays = [drawn(data, shape, -3, 3), drawn(data, shape, 0, 1)]
    options = {"reduction": data.draw(REDUCTION), "label_smoothing": data.draw(st.sampled_from([0.0, 0.1, 1.0]))}
    weight = data.draw(st.sampled_from([None, np.array([0.5, 2.0, 0.0])]))
    w = None if weight is None else torch.tensor(weight)
    agree(
        lambda x, t: tg.cross_entropy(x, t, weight, axis=at, **options),
        lambda x, t: F.cross_entropy(x, t, w, **options),
        arrays,
    )


@FEW
@given(data=st.data())
def test_probabilities_give_the_cross_entropy_of_their_logits(data):
    z = drawn(data, (4, 3), -3, 3)
    labels = np.array([0, 2, -100, 1])
    weight = np.array([0.5, 2.0, 1.0])
    options = {
        "weight": data.draw(st.sampled_from([None, weight])),
        "label_smoothing": data.draw(st.sampled_from([0.0, 0.2])),
    }
    p = tg.softmax(z)
    for target in (labels, tg.softmax(z[::-1])):
        expected = tg.cross_entropy(z, target, **options)
        assert np.allclose(tg.cross_entropy(p, target, from_logits=False, **options), expected)


@FEW
@given(data=st.data())
def test_binary_cross_entropies(data):
    shape = data.draw(SHAPES)
    options = {"reduction": data.draw(REDUCTION)}
    z, t = drawn(data, shape, -4, 4), drawn(data, shape, 0, 1)
    weight, pos_weight = data.draw(st.sampled_from([None, 0.3, np.full(shape, 2.0), np.ones(shape[-1:])])), None
    if data.draw(st.booleans()):
        pos_weight = np.full(shape[-1:], 3.0)

    def tensor(x):
        return None if x is None else torch.tensor(x, dtype=torch.float64)

    agree(
        lambda a, b: tg.binary_cross_entropy_with_logits(a, b, weight, pos_weight=pos_weight, **options),
        lambda a, b: F.binary_cross_entropy_with_logits(a, b, tensor(weight), pos_weight=tensor(pos_weight), **options),
        [z, t],
    )
    p = drawn(data, shape, 0.01, 0.99)
    agree(
        lambda a, b: tg.binary_cross_entropy(a, b, weight, **options),
        lambda a, b: F.binary_cross_entropy(a, b, tensor(weight), **options),
        [p, t],
        rtol=1e-7,
    )


@FEW
@given(data=st.data())
def test_margin_losses(data):
    n = data.draw(st.sampled_from([1, 4]))
    options = {"reduction": data.draw(REDUCTION), "margin": data.draw(st.sampled_from([0.3, 1.0, 2.0]))}
    a, b, c = drawn(data, (3, n, 3))
    sign = np.where(drawn(data, (n,)) > 0, 1.0, -1.0)
    signs = np.where(drawn(data, (n, 3)) > 0, 1.0, -1.0)
    s, ss = torch.tensor(sign), torch.tensor(signs)
    labels = np.random.default_rng(0).integers(0, 3, n)
    agree(
        lambda x, y: tg.cosine_embedding_loss(x, y, sign, **{**options, "margin": 0.2}),
        lambda x, y: F.cosine_embedding_loss(x, y, s, **{**options, "margin": 0.2}),
        [a, b],
    )
    agree(lambda x: tg.soft_margin_loss(x, signs), lambda x: F.soft_margin_loss(x, ss), [a])
    agree(
        lambda x, y: tg.margin_ranking_loss(x, y, signs, **options),
        lambda x, y: F.margin_ranking_loss(x, y, ss, **options),
        [a, b],
    )
    agree(
        lambda x: tg.hinge_embedding_loss(x, signs, **options), lambda x: F.hinge_embedding_loss(x, ss, **options), [a]
    )
    more = {"p": data.draw(st.sampled_from([2.0, 1.0, 3.0])), "swap": data.draw(st.booleans())}
    agree(
        lambda x, y, z: tg.triplet_margin_loss(x, y, z, **options, **more),
        lambda x, y, z: F.triplet_margin_loss(x, y, z, **options, **more),
        [a, b, c],
        rtol=1e-7,
    )
    weight = data.draw(st.sampled_from([None, np.array([0.5, 1.0, 2.0])]))
    w = None if weight is None else torch.tensor(weight)
    x, t = tg.Tensor(a), torch.tensor(a, requires_grad=True)
    for p in (1, 2):
        y = tg.multi_margin_loss(x, labels, p=p, weight=weight, **options)
        expected = F.multi_margin_loss(t, torch.tensor(labels), p=p, weight=w, **options)
        assert np.allclose(y.data, expected.detach().numpy())
        slope = tg.grad(lambda v, p=p: tg.sum(tg.multi_margin_loss(v, labels, p=p, weight=weight, **options)))(a)
        assert np.allclose(slope, torch.autograd.grad(expected.sum(), t)[0].numpy())


@FEW
@given(data=st.data())
def test_gaussian_nll_loss(data):
    shape = data.draw(st.sampled_from([(3,), (2, 3), (2, 2, 3)]))
    var = drawn(data, data.draw(st.sampled_from([shape, (*shape[:-1], 1), shape[:-1]])) or (1,), 0.0, 2.0)
    options = {
        "full": data.draw(st.booleans()),
        "eps": data.draw(st.sampled_from([1e-6, 0.5])),
        "reduction": data.draw(REDUCTION),
    }
    agree(
        lambda x, t, v: tg.gaussian_nll_loss(x, t, v, **options),
        lambda x, t, v: F.gaussian_nll_loss(x, t, v, **options),
        [drawn(data, shape), drawn(data, shape), var],
        rtol=1e-7,
    )


# ------------------------------------------------------------------------------------------------------ special points


@pytest.mark.parametrize("z", [[1000.0, -1000.0, 0.0], [-np.inf, 0.0, 1.0], [-1000.0, -1000.0, -1000.0]])
def test_extreme_logits_cost_what_they_cost_in_pytorch(z):
    for label in (0, 1):
        agree(
            lambda x, label=label: tg.cross_entropy(x, np.array([label])),
            lambda x, label=label: F.cross_entropy(x, torch.tensor([label])),
            [np.array([z])],
        ) if np.isfinite(z[label]) else None
    t = np.array([1.0, 0.0, 0.5])
    if np.isfinite(z).all():
        agree(tg.binary_cross_entropy_with_logits, F.binary_cross_entropy_with_logits, [np.array(z), t])


@pytest.mark.parametrize("params", [{}, {"label_smoothing": 0.1}, {"weight": [1.0, 2.0, 3.0]}, {"from_logits": False}])
@pytest.mark.parametrize("labels", [[0, 2], [-100, 1]])
def test_labels_widen_no_cross_entropy(labels, params):
    x = tg.Tensor(np.ones((2, 3), np.float32))
    assert tg.cross_entropy(x, np.array(labels), **params).dtype == np.float32


def test_a_number_for_a_variance_widens_nothing():
    x = tg.Tensor(np.ones(2, np.float32))
    assert tg.gaussian_nll_loss(x, x, 0.5).dtype == np.float32


def test_a_target_without_weight_has_a_slope_all_the_same():
    p, t = np.array([0.3, 0.6]), np.array([0.0, 1.0])
    agree(tg.binary_cross_entropy, F.binary_cross_entropy, [p, t], rtol=1e-7)
    q = np.array([[0.3, 0.7]])
    g = tg.grad(lambda w: tg.cross_entropy(q, w, from_logits=False))(np.array([[0.0, 1.0]]))
    assert np.allclose(g, -np.log(q))


def test_a_certain_mistake_costs_inf_and_a_certain_truth_nothing():
    with np.errstate(divide="ignore"):
        assert tg.binary_cross_entropy([0.0], [1.0]) == np.inf
    x = tg.Tensor([0.0, 1.0])
    y = tg.binary_cross_entropy(x, [0.0, 1.0])
    assert y.data == 0.0
    y.backward()
    assert np.array_equal(x.grad, [0.5, -0.5])


@NO_VALUES
def test_what_has_no_samples_is_nan_as_in_pytorch():
    x = np.zeros((2, 3))
    assert np.isnan(tg.cross_entropy(x, np.array([-100, -100])))
    assert np.isnan(tg.nll_loss(x, np.array([1, 1]), ignore_index=1))
    assert np.isnan(tg.cross_entropy(np.zeros((0, 3)), np.zeros(0, int)))
    assert np.isnan(tg.mse_loss(np.zeros((0, 3)), np.zeros((0, 3))))
    assert tg.cross_entropy(np.zeros((0, 3)), np.zeros(0, int), reduction="sum") == 0.0
    assert tg.cross_entropy(np.zeros((0, 3)), np.zeros(0, int), reduction="none").shape == (0,)


X, LABELS = np.zeros((2, 3)), np.array([0, 2])


@pytest.mark.parametrize(
    ("f", "words"),
    [
        (lambda: tg.smooth_l1_loss(X, X, beta=-1.0), "beta is -1.0"),
        (lambda: tg.huber_loss(X, X, delta=0.0), "delta is 0.0"),
        (lambda: tg.cross_entropy(X, LABELS, label_smoothing=1.5), "label_smoothing is 1.5"),
        (lambda: tg.cross_entropy(X, LABELS, np.ones(2)), "weight of shape .2,. for 3 classes"),
        (lambda: tg.cross_entropy(X, np.array([0, 3])), "labels run from 0 to 3, with 3 classes"),
        (lambda: tg.cross_entropy(X, np.array([0, -1])), "labels run from -1 to 0"),
        (lambda: tg.cross_entropy(X, LABELS, reduction="average"), "reduction 'average'"),
        (lambda: tg.nll_loss(X, LABELS, reduction="average"), "reduction 'average'"),
        (lambda: tg.nll_loss(X, np.array([0, 3])), "nll_loss: labels run from 0 to 3"),
        (lambda: tg.nll_loss(X, np.array([0])), "give labels of shape"),
        (lambda: tg.mse_loss(X, LABELS), "prediction .2, 3. against target .2,."),
        (lambda: tg.kl_div(X, LABELS), "prediction .2, 3. against target .2,."),
        (lambda: tg.kl_div(0.0, 1.0, reduction="batchmean"), "there is no batch"),
        (lambda: tg.binary_cross_entropy([1.5], [1.0]), "predictions are probabilities"),
        (lambda: tg.binary_cross_entropy([0.5], [1.0], np.ones(2)), "weight of shape .2,. does not broadcast"),
        (lambda: tg.binary_cross_entropy_with_logits(X, X, pos_weight=np.ones(2)), "pos_weight of shape .2,."),
        (lambda: tg.gaussian_nll_loss(X, X, -np.ones((2, 3))), "a variance is negative"),
        (lambda: tg.gaussian_nll_loss(X, X, np.ones(3)), "variances of shape .3,."),
        (lambda: tg.gaussian_nll_loss(X, X, 1.0, eps=0.0), "eps is 0.0"),
        (lambda: tg.triplet_margin_loss(X, X, X, margin=0.0), "margin is 0.0"),
        (lambda: tg.triplet_margin_loss(X, X, X[:1]), "the shapes must be the same"),
        (lambda: tg.multi_margin_loss(X, LABELS, p=3), "p is 3"),
        (lambda: tg.multi_margin_loss(X, np.array([-1, 0])), "negative"),
        (lambda: tg.cosine_embedding_loss(X, X, np.ones(3)), "targets .3,. for vectors .2, 3."),
        (lambda: tg.cross_entropy(X, LABELS, axis=5), "axis 5 does not exist"),
    ],
)  # fmt: skip
def test_what_is_no_loss_is_said(f, words):
    with pytest.raises(TinygradError, match=words):
        f()


@pytest.mark.parametrize("loss", [tg.cross_entropy, tg.nll_loss, tg.multi_margin_loss])
def test_weights_of_classes_are_not_rounded_to_the_integers_of_a_prediction(loss):
    prediction, weight = [[1, 2, 3], [0, 1, 0]], [0.5, 0.6, 0.7]
    expected = loss(np.array(prediction, float), [1, 2], weight=weight)
    assert loss(prediction, [1, 2], weight=weight) == expected


@pytest.mark.parametrize("options", [{}, {"label_smoothing": 0.1}, {"from_logits": False}, {"reduction": "none"}])
def test_labels_that_do_not_count_leave_single_precision(options):
    x = tg.Tensor(np.full((3, 2), 0.5, np.float32))
    assert tg.cross_entropy(x, [0, -100, 1], **options).dtype == np.float32
