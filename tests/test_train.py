"""Training walks down the loss, stops when it should, survives an interruption, and says where a NaN came from."""

import io
import json
import signal
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinygrad_mlp import nn, ops, optim, train
from tinygrad_mlp.data import three_clusters
from tinygrad_mlp.errors import DataError, DTypeError, GradientError, ShapeError, TinygradError, TrainingError
from tinygrad_mlp.train.progress import Bar, Lines, Silence, reporter

seeds = st.integers(0, 2**32 - 1)
CLUSTERS, LABELS = three_clusters()[:2]


def network(seed=0, sizes=(2, 3, 3), unit="sigmoid", output="softmax", **more):
    return nn.MLP(list(sizes), unit, output, rng=seed, **more)


def same(a, b):
    """Whether two states hold the same numbers."""
    return all(np.array_equal(a[name], b[name]) for name in a)


# ------------------------------------------------------------------------------------------------------- what it does


@given(seeds, st.integers(1, 6), st.floats(0.01, 1.0))
def test_full_batch_descent_is_the_loop_written_by_hand(seed, epochs, lr):
    rng = np.random.default_rng(seed)
    X, T = rng.standard_normal((9, 2)), np.eye(3)[rng.integers(0, 3, 9)]
    model = network(seed)
    W, b, V, c = (p.numpy() for p in model.parameters())
    losses, rates = [], []
    for _ in range(epochs):
        H = 1 / (1 + np.exp(-(X @ W + b)))
        E = np.exp(H @ V + c)
        Y = E / E.sum(axis=1, keepdims=True)
        losses.append(-np.sum(T * np.log(Y)) / 9)
        rates.append(np.mean(Y.argmax(axis=1) == T.argmax(axis=1)))
        D = (Y - T) / 9
        A = (D @ V.T) * H * (1 - H)
        W, b, V, c = W - lr * X.T @ A, b - lr * A.sum(0), V - lr * H.T @ D, c - lr * D.sum(0)
    history = train.fit(model, X, T, epochs=epochs, optimizer="sgd", lr=lr)
    np.testing.assert_allclose(history.loss, losses, rtol=1e-9)
    np.testing.assert_allclose(history.accuracy, rates)
    for p, wanted in zip(model.parameters(), (W, b, V, c), strict=True):
        np.testing.assert_allclose(p.data, wanted, rtol=1e-7, atol=1e-12)
    assert history.epochs == epochs
    assert history.stopped == "epochs"


@given(seeds, st.integers(1, 20), st.integers(1, 25))
def test_every_row_is_seen_once_an_epoch(seed, rows, batch_size):
    seen = []

    class Recorder(nn.Module):
        def __init__(self):
            self.w = nn.Parameter([0.5])

        def loss(self, X, y):
            assert X.shape[0] == len(y) <= batch_size
            np.testing.assert_array_equal(X.numpy()[:, 0], y)
            seen.extend(y.tolist())
            return ops.sum(self.w * self.w)

    data = np.arange(float(rows))
    history = train.fit(
        Recorder(), data[:, None], data, epochs=2, batch_size=batch_size, rng=seed, lr=0.1, compiled=False
    )
    assert sorted(seen[:rows]) == sorted(seen[rows:]) == data.tolist()
    assert history.accuracy == []


@given(seeds, st.sampled_from([None, 7, 300]), st.sampled_from([None, 0.2]), st.sampled_from(["sgd", "adam"]))
def test_the_seed_decides_the_run(seed, batch_size, validation, optimizer):
    runs = []
    for _ in range(2):
        model = network(seed, dropout=0.2)
        history = train.fit(
            model,
            CLUSTERS,
            LABELS,
            epochs=2,
            batch_size=batch_size,
            validation=validation,
            optimizer=optimizer,
            rng=seed,
        )
        runs.append((history.loss, history.validation_loss, history.validation_accuracy, model.state_dict()))
    assert runs[0][:3] == runs[1][:3]
    assert same(runs[0][3], runs[1][3])


@pytest.mark.parametrize("batch_size", [None, 32])
@pytest.mark.parametrize("optimizer", ["sgd", "adam", None])
def test_the_three_clusters_are_learnt(batch_size, optimizer):
    model = network(unit="tanh")
    history = train.fit(model, CLUSTERS, LABELS, epochs=200, batch_size=batch_size, optimizer=optimizer)
    assert history.accuracy[-1] > 0.96
    assert history.loss[-1] < 0.3 * history.loss[0]
    rate = train.classification_rate(LABELS, model.predict(CLUSTERS))
    assert rate == train.evaluate(model, CLUSTERS, LABELS).accuracy > 0.96


def test_linear_and_poisson_regression_find_the_true_coefficients(rng):
    X = rng.standard_normal((2000, 2))
    w = np.array([1.5, -0.5])
    for output, y in (
        ("linear", X @ w + 2 + 0.1 * rng.standard_normal(2000)),
        ("exponential", rng.poisson(np.exp(X @ w / 2 + 1))),
    ):
        model = nn.MLP([2, 1], output=output)
        train.fit(model, X, y, epochs=400, lr=0.05)
        found = [*model.layers[0].weight.data[:, 0], *model.layers[0].bias.data]
        np.testing.assert_allclose(found, [1.5, -0.5, 2] if output == "linear" else [0.75, -0.25, 1], atol=0.05)


def test_targets_that_are_no_classes_have_no_classification_rate(rng):
    X = rng.standard_normal((20, 2))
    history = train.fit(nn.MLP([2, 2, 1]), X, X[:, 0], epochs=2, validation=0.25)
    assert history.accuracy == history.validation_accuracy == []
    assert len(history.validation_loss) == 2
    logistic = train.fit(nn.MLP([2, 1], output="logistic"), X, X[:, 0] > 0, epochs=300, lr=0.1)
    assert logistic.accuracy[-1] > 0.9


def test_a_sequence_trains_with_a_loss_that_is_given():
    net = nn.Sequential(nn.Linear(2, 8, rng=0), ops.tanh, nn.Linear(8, 3, rng=1))
    history = train.fit(net, CLUSTERS, LABELS, epochs=100, loss=ops.cross_entropy, validation=(CLUSTERS, LABELS))
    assert history.accuracy[-1] > 0.95
    assert history.validation_accuracy[-1] > 0.95
    assert (
        train.evaluate(net, CLUSTERS, np.eye(3)[LABELS], loss=ops.cross_entropy).accuracy
        == history.validation_accuracy[-1]
    )


def test_a_loss_that_is_given_takes_the_place_of_the_models_own():
    model = nn.MLP([2, 3], output="softmax")
    T = np.eye(3)[LABELS]
    history = train.fit(model, CLUSTERS, T, epochs=1, loss=lambda p, t: ops.absolute_error(p, t, reduction="sum"))
    fresh = nn.MLP([2, 3], output="softmax")
    assert history.loss[0] == pytest.approx(np.abs(fresh(CLUSTERS).data - T).sum(), rel=1e-12)
    assert history.accuracy[0] == np.mean(fresh.predict(CLUSTERS) == LABELS)


def test_a_subclass_that_changes_the_loss_is_asked_for_it():
    class Penalised(nn.MLP):
        def loss(self, x, y, reduction="mean"):
            return super().loss(x, y, reduction) + 10.0

    history = train.fit(Penalised([2, 3], output="softmax"), CLUSTERS, LABELS, epochs=1)
    assert history.loss[0] > 10


def test_data_come_to_the_model_in_its_own_precision():
    dtypes = set()

    class Spy(nn.MLP):
        def linear_predictor(self, x):
            dtypes.add(x.dtype.name)
            return super().linear_predictor(x)

    model = Spy([2, 2, 3], output="softmax", dtype=np.float32)
    train.fit(model, CLUSTERS, LABELS, epochs=1, validation=0.5)
    train.fit(model, np.round(CLUSTERS).astype(int), LABELS, epochs=1)
    assert dtypes == {"float32"}


def test_the_optimizer_that_is_given_is_used():
    model = network()
    optimizer = optim.SGD(model, lr=0.25, momentum=0.5)
    train.fit(model, CLUSTERS, LABELS, epochs=3, batch_size=100, optimizer=optimizer)
    assert optimizer.steps == 9
    assert optimizer.lr == 0.25


def test_training_ends_in_evaluation_mode_with_dropout_off():
    model = network(unit="relu", dropout=0.5)
    modes = []
    train.fit(model, CLUSTERS, LABELS, epochs=2, validation=0.2, callbacks=lambda m, _h: modes.append(m.training))
    assert modes == [True, True]
    assert not model.training
    np.testing.assert_array_equal(model(CLUSTERS).data, model(CLUSTERS).data)


# --------------------------------------------------------------------------------------------------------- validation


@given(seeds, st.floats(0.1, 0.9))
def test_validation_rows_are_not_trained_on_and_share_the_classes(seed, share):
    trained, held = [], []

    class Spy(nn.MLP):
        def linear_predictor(self, x):
            rows = x.numpy()[:, 0].tolist()
            (trained if self.training else held).append(rows)
            return super().linear_predictor(x)

    X = np.stack([np.arange(60.0), np.ones(60)], axis=1)
    train.fit(Spy([2, 3], output="softmax"), X, np.repeat([0, 1, 2], 20), epochs=1, validation=share, rng=seed)
    assert not set(trained[0]) & set(held[0])
    assert sorted(trained[0] + held[0]) == X[:, 0].tolist()
    counts = np.bincount(np.array(held[0], int) // 20, minlength=3)
    assert counts.max() - counts.min() <= 1
    assert abs(len(held[0]) - 60 * share) <= 1


def test_the_validation_loss_is_that_of_the_model_after_the_epoch():
    model = network(unit="relu", dropout=0.3)
    history = train.fit(model, CLUSTERS, LABELS, epochs=3, validation=(CLUSTERS[::2], LABELS[::2]))
    found = train.evaluate(model, CLUSTERS[::2], LABELS[::2])
    assert (found.loss, found.accuracy) == (history.validation_loss[-1], history.validation_accuracy[-1])


def test_evaluation_in_parts_is_evaluation_of_the_whole(rng):
    X, y = rng.standard_normal((9000, 2)), rng.integers(0, 3, 9000)
    model = network()
    found = train.evaluate(model, X, y)
    assert found.loss == pytest.approx(float(model.loss(X, y)), rel=1e-12)
    assert found.accuracy == np.mean(model.predict(X) == y)


# ----------------------------------------------------------------------------------------------------------- stopping


@given(seeds, st.floats(1e-5, 1e-1))
def test_the_stopping_rule_ends_at_the_first_small_change(seed, delta):
    whole = train.fit(network(seed), CLUSTERS, LABELS, epochs=60, optimizer="sgd")
    history = train.fit(network(seed), CLUSTERS, LABELS, epochs=60, optimizer="sgd", min_change=delta)
    small = np.flatnonzero(np.abs(np.diff(whole.loss)) < delta)
    wanted = small[0] + 2 if len(small) else 60
    assert history.epochs == wanted
    assert history.loss == whole.loss[:wanted]
    assert history.stopped == ("min_change" if len(small) else "epochs")


@given(seeds, st.integers(1, 4), st.sampled_from([None, 16]))
def test_early_stopping_returns_to_the_best_parameters(seed, patience, batch_size):
    rng = np.random.default_rng(seed)
    X, y = rng.standard_normal((40, 2)), rng.integers(0, 3, 40)  # noise: there is nothing to learn
    held = rng.standard_normal((20, 2)), rng.integers(0, 3, 20)
    model = network(seed)
    history = train.fit(
        model, X, y, epochs=40, lr=0.3, validation=held, patience=patience, batch_size=batch_size, rng=seed
    )
    best = int(np.argmin(history.validation_loss))
    assert train.evaluate(model, *held).loss == history.validation_loss[best]
    assert history.best_epoch == best + 1
    if history.stopped == "patience":
        assert history.epochs == history.best_epoch + patience
    else:
        assert history.epochs == 40


def test_early_stopping_without_validation_goes_by_the_training_loss():
    model = network()
    history = train.fit(model, CLUSTERS, LABELS, epochs=50, optimizer="sgd", lr=40.0, patience=3)
    assert history.stopped == "patience"
    assert float(model.loss(CLUSTERS, LABELS)) == pytest.approx(min(history.loss), rel=1e-12)
    assert history.best_epoch == np.argmin(history.loss) + 1


def test_a_callback_may_end_training_and_all_are_called():
    calls = []

    def stop(model, history):
        calls.append((type(model), history.epochs))
        return history.epochs == 3

    history = train.fit(network(), CLUSTERS, LABELS, callbacks=[stop, lambda _m, h: calls.append(h.epochs)])
    assert history.stopped == "callback"
    assert calls == [(nn.MLP, 1), 1, (nn.MLP, 2), 2, (nn.MLP, 3), 3]


# ------------------------------------------------------------------------------------------------------- interruption


@pytest.mark.parametrize("progress", [False, True])
def test_ctrl_c_keeps_the_best_parameters_so_far(progress):
    states = []

    def interrupt(model, history):
        states.append(model.state_dict())
        if history.epochs == 12:
            signal.raise_signal(signal.SIGINT)

    model = network(seed=3)
    held = CLUSTERS[::3], LABELS[::3]
    history = train.fit(
        model,
        CLUSTERS,
        LABELS,
        epochs=1000,
        lr=0.5,
        batch_size=8,
        validation=held,
        callbacks=interrupt,
        progress=progress,
    )
    assert history.stopped == "interrupted"
    assert history.epochs == len(history.accuracy) == len(history.validation_loss) == 12
    best = int(np.argmin(history.validation_loss))
    assert best < 11, "the best epoch must not be the last, or this test shows nothing"
    assert same(model.state_dict(), states[best])
    assert history.best_epoch == best + 1
    assert not model.training


def test_ctrl_c_within_an_epoch_leaves_a_whole_history():
    model = network()
    held = CLUSTERS[::2], LABELS[::2]
    steps = 0

    class Interrupted(optim.SGD):
        def step(self):
            nonlocal steps
            steps += 1
            super().step()
            if steps == 8:  # the third of three batches of the third epoch, less one
                raise KeyboardInterrupt

    history = train.fit(model, CLUSTERS, LABELS, batch_size=100, validation=held, optimizer=Interrupted(model, lr=0.1))
    assert (history.epochs, history.stopped) == (2, "interrupted")
    assert len(history.validation_loss) == len(history.accuracy) == 2
    assert train.evaluate(model, *held).loss == min(history.validation_loss)


def test_ctrl_c_before_the_first_measurement_keeps_what_was_learnt():
    model = network()
    before = model.state_dict()

    class Interrupted(optim.SGD):
        def step(self):
            super().step()
            raise KeyboardInterrupt

    history = train.fit(model, CLUSTERS, LABELS, batch_size=100, optimizer=Interrupted(model, lr=0.1))
    assert (history.epochs, history.best_epoch) == (0, 0)
    assert not same(model.state_dict(), before)
    assert "interrupted" in str(history)


# ------------------------------------------------------------------------------------------------------ NaN, diagnosed


def test_a_loss_that_overflows_is_diagnosed_and_the_model_restored():
    model = nn.MLP([2, 4, 1], "relu")
    before = model.state_dict()
    message = (
        r"^epoch 1, batch 2 of 3: the loss is (inf|nan): .* layer (hidden1|output) gives .* from finite operands; "
    )
    with pytest.raises(TrainingError, match=message) as caught:
        train.fit(model, 1e3 * CLUSTERS, LABELS, optimizer="sgd", lr=1e160, batch_size=100)
    assert str(caught.value).endswith(
        "the model is back at its initial parameters; lower the learning rate of 1e+160, or scale the data"
    )
    assert same(model.state_dict(), before)
    assert not model.training


def test_a_parameter_that_broke_is_named_with_its_gradient():
    model = nn.Sequential(nn.Linear(1, 1, rng=0), ops.sqrt)  # the slope of √ at 0 is infinite, and 0 · inf is nan
    model[0].weight.assign([[1.0]])
    with pytest.raises(
        TrainingError, match=r"epoch 2, batch 1 of 1: the loss is nan: parameter 0\.weight holds nan: its last"
    ):
        train.fit(model, [[0.0], [0.0]], [[0.0], [0.0]], loss=lambda p, t: ops.sum(p - t), optimizer="sgd", epochs=3)


def test_a_parameter_that_breaks_in_the_last_step_is_found():
    model = nn.Sequential(nn.Linear(1, 1, rng=0), ops.sqrt)
    model[0].weight.assign([[1.0]])
    before = model.state_dict()
    with pytest.raises(
        TrainingError, match=r"after epoch 1: parameter 0.weight holds nan: .* back at the parameters of epoch 1"
    ):
        train.fit(model, [[0.0], [0.0]], [[0.0], [0.0]], loss=lambda p, t: ops.sum(p - t), optimizer="sgd", epochs=1)
    assert same(model.state_dict(), before)


def test_a_constant_that_is_no_number_is_named():
    model = nn.MLP([2, 1])
    weight = np.array([[1.0], [np.nan]])
    with pytest.raises(
        TrainingError, match="operand 1 of multiply after layer output, a constant, holds 1 nan among 2 numbers"
    ):
        train.fit(model, np.ones((2, 2)), np.ones((2, 1)), loss=lambda p, t: ops.sum((p - t) * weight))


def test_a_run_that_breaks_late_goes_back_to_its_best_epoch():
    model = network(unit="relu")
    seen = []

    def sabotage(m, history):
        seen.append(m.state_dict())
        if history.epochs == 4:
            m.layers[1].weight.assign(np.full((3, 3), np.inf))

    held = CLUSTERS[::2], LABELS[::2]
    with pytest.raises(
        TrainingError, match=r"epoch 5, batch 1 of 1: .* parameter output.weight holds 9 inf among 9"
    ) as error:
        train.fit(model, CLUSTERS, LABELS, validation=held, callbacks=sabotage)
    assert "back at the parameters of epoch 4, its best" in str(error.value)
    assert same(model.state_dict(), seen[3])


# ------------------------------------------------------------------------------------------------- dead units, metrics


@given(st.lists(st.booleans(), min_size=1, max_size=8), st.lists(st.booleans(), min_size=1, max_size=8))
def test_dead_units_are_those_that_no_row_makes_active(first, second):
    model = nn.MLP([2, len(first), len(second), 1], "relu")
    for layer, dead in zip(model.layers, (first, second), strict=False):
        layer.weight.assign(np.zeros(layer.weight.shape))
        layer.bias.assign(np.where(dead, -1.0, 1.0))
    wanted = {"hidden1": np.mean(first), "hidden2": np.mean(second)}
    assert train.dead_units(model, CLUSTERS) == pytest.approx(wanted)
    assert model.training
    history = train.fit(model, CLUSTERS, LABELS, epochs=1, batch_size=50, lr=1e-9)
    assert {name: shares[0] for name, shares in history.dead_units.items()} == pytest.approx(wanted)


def test_a_unit_that_wakes_for_one_row_is_alive():
    model = nn.MLP([1, 1, 1], "relu")
    model.layers[0].weight.assign([[1.0]])
    X = np.full((10, 1), -1.0)
    assert train.dead_units(model, X) == {"hidden1": 1.0}
    X[7] = 1e-9
    assert train.dead_units(model, X) == {"hidden1": 0.0}
    history = train.fit(model, X, np.zeros(10), epochs=1, batch_size=1, optimizer="sgd", lr=1e-12)
    assert history.dead_units == {"hidden1": [0.0]}


def test_dead_units_of_any_module_are_found_by_its_graph():
    net = nn.Sequential(nn.Linear(2, 4, rng=0), lambda x: ops.relu(x) - 1.0, nn.Linear(4, 4, rng=1), ops.tanh)
    net[0].bias.assign([-1e3, -1e3, 1e3, 1e3])
    assert train.dead_units(net, CLUSTERS) == {"0": 0.5}
    assert train.dead_units(network(), CLUSTERS) == {}
    with pytest.raises(GradientError, match="depends on no parameter"):
        train.dead_units(nn.Sequential(ops.tanh), CLUSTERS)


def test_the_classification_rate_is_the_share_of_right_labels():
    assert train.classification_rate([0, 1, 1, 2], np.array([0, 1, 2, 2])) == 0.75
    with pytest.raises(ShapeError, match=r"\(2,\) true and \(3,\) predicted"):
        train.classification_rate([0, 1], [0, 1, 2])
    with pytest.raises(DataError, match="no labels"):
        train.classification_rate([], [])


# ------------------------------------------------------------------------------------------------ history and progress


def test_a_history_reads_well_and_becomes_json():
    model = nn.MLP([2, 4, 3], "relu", "softmax")
    model.layers[0].bias.assign([-1e3, 1.0, 1.0, 1.0])
    history = train.fit(model, CLUSTERS, LABELS, epochs=2, validation=0.2)
    text = str(history)
    assert text.startswith("2 epochs in ")
    assert "all epochs done; loss " in text
    assert "25% of hidden1 dead" in text
    assert text.endswith(f"best epoch {history.best_epoch}")
    record = json.loads(json.dumps(history.as_dict()))
    assert record["loss"] == history.loss
    assert record["epochs"] == 2
    assert record["dead_units"] == {"hidden1": [0.25, 0.25]}
    assert set(history.curves) == {"training", "validation"}
    assert history.seconds > 0


def test_a_history_drops_what_an_interruption_left_of_an_epoch():
    history = train.History([1.0], accuracy=[0.5, 0.6], validation_loss=[2.0, 3.0], dead_units={"hidden1": [0.0, 0.1]})
    history.trim()
    assert (history.accuracy, history.validation_loss, history.dead_units) == ([0.5], [2.0], {"hidden1": [0.0]})


def test_progress_without_a_terminal_is_a_few_lines_on_stderr(capsys):
    train.fit(network(), CLUSTERS, LABELS, epochs=40, progress=True, validation=0.2)
    out, err = capsys.readouterr()
    lines = err.splitlines()
    assert out == ""
    assert len(lines) == 11
    assert lines[1].startswith("epoch  4/40: loss ")
    assert " rate " in lines[-1]
    assert "validation " in lines[-1]
    train.fit(network(), CLUSTERS, LABELS, epochs=2)
    assert capsys.readouterr() == ("", "")


def test_progress_on_a_terminal_is_a_bar_where_rich_is_installed(monkeypatch):
    pytest.importorskip("rich")
    from rich.console import Console

    console = Console(file=io.StringIO(), force_terminal=True, width=80)
    history = train.History(loss=[1.0, 0.5], accuracy=[0.25, 0.5], validation_loss=[1.0, 0.75])
    with Bar(4, console) as bar:
        bar.show(history)
    text = console.file.getvalue()
    assert "2/4" in text
    assert "loss 0.5 rate 0.500, validation 0.75" in text
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    assert type(reporter(True, 3)) is Bar
    assert type(reporter(False, 3)) is Silence
    monkeypatch.setitem(sys.modules, "rich.console", None)  # as where rich is not installed
    assert type(reporter(True, 3)) is Lines
    monkeypatch.setattr(sys, "stderr", None)  # as in a program without a console
    assert type(reporter(True, 3)) is Silence


def test_slow_epochs_are_shown_between_the_tenths(monkeypatch, capsys):
    lines = Lines(1000)
    for epoch in range(1, 6):
        if epoch == 4:
            monkeypatch.setattr(Lines, "WAIT", 0.0)
        lines.show(train.History(loss=[1.0] * epoch))
    assert [line.split("/")[0] for line in capsys.readouterr().err.splitlines()] == [f"epoch    {n}" for n in (1, 4, 5)]


def test_a_history_is_shown_in_one_line():
    history = train.History(loss=[1.0, 0.5], best_epoch=2, stopped="epochs", seconds=0.5)
    assert repr(history) == "<History: 2 epochs in 0.5 s; all epochs done; loss 0.5; best epoch 2>"


# -------------------------------------------------------------------------------------------------------------- errors

X, Y = np.ones((4, 2)), np.array([0, 1, 2, 0])


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((X[:, :1], Y), ShapeError, "fit: X has 1 features, the first layer of the model takes 2"),
        ((X[0], Y), ShapeError, r"fit: X has shape \(2,\); it must have two axes"),
        ((X, Y[:3]), DataError, "fit: X has 4 rows, y 3"),
        ((X[:0], Y[:0]), DataError, "fit: X has 0 rows, y 0"),
        ((X, 1), DataError, "y is a single number"),
        ((X * [1, np.nan], Y), DataError, r"fit: X holds nan at \[0, 1\]: remove or fill in"),
        ((X * [np.inf, 1], Y), DataError, r"fit: X holds inf at \[0, 0\]"),
        ((X, Y + 1), DataError, "fit: y holds labels from 1 to 3: 3 softmax units have the labels 0 … 2"),
        ((X, Y.astype(str)), DataError, "fit: y holds <U21, not numbers: encode text first"),
        ((X, Y.reshape(-1, 1)), DataError, r"y has shape \(4, 1\): .* or labels \(rows,\)"),
        ((X, np.ones((4, 2))), DataError, r"fit: y has shape \(4, 2\): 3 softmax outputs need \(rows, 3\)"),
    ],
)  # fmt: skip
def test_data_that_do_not_fit_are_refused_before_training(arguments, error, message):
    model = network()
    before = model.state_dict()
    with pytest.raises(error, match=message):
        train.fit(model, *arguments)
    assert same(model.state_dict(), before)
    if arguments[0] is X:
        with pytest.raises(error, match="validation " if "rows" in message or "y" in message else message):
            train.fit(model, X, Y, validation=arguments)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"epochs": 0}, TinygradError, "epochs is 0; it must be a whole number of at least 1"),
        ({"epochs": 1.5}, TinygradError, "epochs is 1.5"),
        ({"batch_size": 0}, TinygradError, "batch_size is 0"),
        ({"patience": 0}, TinygradError, "patience is 0"),
        ({"min_change": 0}, TinygradError, "min_change is 0; it must be above 0"),
        ({"validation": 1.5}, DataError, "validation is 1.5; give a share of the rows between 0 and 1"),
        ({"validation": (X,)}, DataError, "validation holds 1 things"),
        ({"optimizer": "lbfgs"}, TinygradError, "optimizer 'lbfgs' is unknown: choose one of adam, sgd"),
        ({"optimizer": optim.SGD}, TinygradError, "give a name, or an object such as"),
        ({"optimizer": optim.SGD(network(), 0.1)}, TinygradError, "holds none of the model's parameters"),
        ({"lr": -1.0}, TinygradError, "lr is -1.0; it must be above 0"),
        ({"rng": None}, DTypeError, "fit: rng is None; pass a seed"),
        ({"loss": "cross_entropy"}, TinygradError, "loss is 'cross_entropy'; pass a function"),
        ({"loss": lambda _p, _t: 0.5}, TinygradError, "the loss does not depend on the model by a graph"),
        ({"loss": lambda p, _t: p}, ShapeError, r"the loss has shape \(4, 3\): reduce it to one number"),
    ],
)  # fmt: skip
def test_options_that_make_no_sense_are_refused(options, error, message):
    with pytest.raises(error, match=message):
        train.fit(network(), X, Y, **options)


def test_models_that_cannot_be_fitted_are_refused():
    with pytest.raises(TinygradError, match="the model is function, not an nn"):
        train.fit(lambda x: x, X, Y)
    with pytest.raises(TinygradError, match="a scalar network takes one sample at a time"):
        train.fit(nn.scalar.MLP(2, [1]), X, Y)
    with pytest.raises(DataError, match="Sequential has no loss of its own: pass loss="):
        train.fit(nn.Sequential(nn.Linear(2, 3, rng=0)), X, Y)
    model = network()
    with pytest.raises(TinygradError, match="lr goes with the name"):
        train.fit(model, X, Y, optimizer=optim.SGD(model, 0.1), lr=0.1)
    with pytest.raises(DataError, match="evaluate: there are no rows"):
        train.evaluate(model, X[:0], Y[:0])
