"""``train.fit`` with compiled steps gives what it gives with eager ones, and says where it cannot compile."""

import warnings

import numpy as np
import pytest

import tinygrad_mlp as tg
from tinygrad_mlp.train import fit, loop

pytestmark = pytest.mark.usefixtures("always_compiled")


@pytest.fixture
def always_compiled(monkeypatch):
    """However short the training is."""
    monkeypatch.setattr(loop, "WORTH", 0)


ROWS = np.random.default_rng(0).normal(size=(37, 3))
LABELS = np.random.default_rng(1).integers(0, 3, size=37)


def classifier():
    return tg.nn.MLP([3, 6, 3], rng=0)


def dropping():
    return tg.nn.Sequential(tg.nn.Linear(3, 8, rng=0), tg.relu, tg.nn.Dropout(0.5, rng=2), tg.nn.Linear(8, 3, rng=1))


class Noisy(tg.nn.Module):
    """A model that draws noise of its own."""

    def __init__(self, rng):
        super().__init__()
        self.inner = tg.nn.Linear(3, 3, rng=0)
        self.rng = rng

    def __call__(self, x):
        return self.inner(x + self.rng.normal(size=x.shape) * 0.1)


def trained(make, compiled, optimizer=None, **options):
    """The history and the parameters after training."""
    model = make()
    if optimizer is not None:
        options["optimizer"] = optimizer(model)
    history = fit(model, ROWS, LABELS, compiled=compiled, rng=5, **{"loss": tg.cross_entropy, **options})
    return history, [p.numpy() for p in model.parameters()]


def assert_same_training(ours, theirs):
    assert len(ours[1]) == len(theirs[1]) > 0
    for a, b in zip(ours[1], theirs[1], strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-7, atol=1e-9)
    for name, column in vars(theirs[0]).items():
        if isinstance(column, list) and column and isinstance(column[0], float):
            np.testing.assert_allclose(getattr(ours[0], name), column, rtol=1e-8, err_msg=name)


OPTIONS = {
    "whole": {"epochs": 4},
    "batches": {"epochs": 3, "batch_size": 8},
    "momentum": {"epochs": 3, "batch_size": 10, "optimizer": lambda m: tg.optim.SGD(m, 0.1, 0.9, nesterov=True)},
    "adam": {"epochs": 3, "batch_size": 10, "optimizer": lambda m: tg.optim.Adam(m, 0.02)},
    "rate": {"epochs": 3, "lr": 0.5},
    "validation": {"epochs": 6, "batch_size": 8, "validation": (ROWS[:9], LABELS[:9]), "patience": 1},
}


@pytest.mark.parametrize("make", [classifier, dropping])
@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_compiled_training_is_eager_training(make, options):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert_same_training(trained(make, True, **options), trained(make, False, **options))


def reading(scores, labels):
    loss = tg.cross_entropy(scores, labels)
    return loss * 0.5 if float(loss) > 0.5 else loss


def test_a_loss_that_reads_values_trains_eagerly_with_one_warning():
    with pytest.warns(UserWarning, match="eagerly") as caught:
        ours = trained(dropping, True, epochs=3, batch_size=8, loss=reading)
    assert len(caught) == 1
    assert_same_training(ours, trained(dropping, False, epochs=3, batch_size=8, loss=reading))


def test_a_model_that_draws_noise_of_its_own_trains_eagerly():
    with pytest.warns(UserWarning, match="eagerly") as caught:
        ours = trained(lambda: Noisy(np.random.RandomState(0)), True, epochs=2)
    assert len(caught) == 1
    assert all(np.isfinite(p).all() for p in ours[1])


def test_a_mistake_in_a_loss_is_raised_as_it_is():
    def wrong(*_):
        raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        trained(classifier, True, epochs=2, loss=wrong)


def test_a_module_that_changes_itself_runs_eagerly_from_the_start_again():
    class Fading(tg.nn.Module):
        def __init__(self):
            self.w = tg.nn.Parameter([0.5, -1.0])
            self.k = 1.0

        def __call__(self, x):
            self.k *= 0.9
            return x @ self.w * self.k

    X, y = np.random.default_rng(0).normal(size=(20, 2)), np.arange(20.0)
    fits = []
    for compiled in (False, True):
        model = Fading()
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            tg.train.fit(model, X, y, loss=tg.squared_error, epochs=12, lr=0.05, compiled=compiled)
        fits.append((model.w.numpy(), model.k))
        assert len(caught) == compiled
    np.testing.assert_allclose(fits[0][0], fits[1][0])
    assert fits[0][1] == fits[1][1]


def test_dropout_draws_as_the_eager_step_from_the_first_epoch_on():
    X, y = np.random.default_rng(0).normal(size=(60, 4)), np.random.default_rng(1).normal(size=(60, 1))
    losses = []
    for compiled in (False, True):
        model = tg.nn.MLP([4, 8, 1], dropout=0.2, rng=0)
        losses.append(tg.train.fit(model, X, y, epochs=12, lr=0.05, compiled=compiled).loss)
    np.testing.assert_allclose(*losses)
