"""Data sets that are computed, splits and batches."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinygrad_mlp import data
from tinygrad_mlp.errors import DataError

SHAPES = {"moons": data.moons, "circles": data.circles, "spirals": data.spirals, "xor": data.xor}

# --- properties -------------------------------------------------------------------------------------------------------


@given(st.lists(st.integers(0, 6)), st.integers(7, 9))
def test_one_hot_rows_sum_to_one_and_point_at_their_label(labels, n_classes):
    encoded = data.one_hot(np.array(labels, dtype=np.int64), n_classes)
    assert encoded.shape == (len(labels), n_classes)
    assert np.array_equal(encoded.sum(axis=1), np.ones(len(labels)))
    assert not labels or encoded.argmax(axis=1).tolist() == labels


@given(st.integers(2, 60), st.floats(0.01, 0.99), st.integers(0, 99))
def test_a_split_gives_every_row_to_one_part(n, test_size, seed):
    train, test = data.split_rows(n, test_size=test_size, rng=seed)
    assert sorted([*train, *test]) == list(range(n))
    assert len(test) == min(max(round(test_size * n), 1), n - 1)


@given(st.lists(st.sampled_from("abcd"), min_size=2, max_size=60), st.floats(0.05, 0.95), st.integers(0, 99))
def test_a_stratified_split_gives_every_row_to_one_part_and_every_class_to_training(classes, test_size, seed):
    if all(classes.count(name) == 1 for name in classes):
        with pytest.raises(DataError, match="too few rows to stratify"):
            data.split_rows(len(classes), test_size=test_size, rng=seed, stratify=classes)
        return
    train, test = data.split_rows(len(classes), test_size=test_size, rng=seed, stratify=classes)
    assert sorted([*train, *test]) == list(range(len(classes)))
    assert len(test) > 0
    assert {classes[row] for row in train} == set(classes)


@given(st.lists(st.integers(8, 40), min_size=2, max_size=4), st.floats(0.2, 0.8), st.integers(0, 99))
def test_a_stratified_split_keeps_the_shares_of_the_classes(counts, test_size, seed):
    classes = np.repeat(np.arange(len(counts)), counts)
    _, test = data.split_rows(len(classes), test_size=test_size, rng=seed, stratify=classes)
    exact = np.array(counts) * len(test) / len(classes)
    assert (np.abs(np.bincount(classes[test], minlength=len(counts)) - exact) < 1).all()
    assert len(test) == round(test_size * len(classes))


@given(st.integers(1, 50), st.none() | st.integers(1, 60), st.none() | st.integers(0, 9))
def test_batches_give_every_row_once_and_only_the_last_may_be_short(n, batch_size, seed):
    epoch = list(data.batches(n, batch_size, seed))
    assert sorted(np.concatenate(epoch)) == list(range(n))
    assert {len(rows) for rows in epoch[:-1]} <= {batch_size}
    assert 0 < len(epoch[-1]) <= (batch_size or n)


@pytest.mark.parametrize("make", SHAPES.values(), ids=SHAPES)
@given(n=st.integers(2, 30), seed=st.integers(0, 9))
def test_a_computed_set_is_finite_labelled_and_the_same_for_the_same_seed(make, n, seed):
    X, labels = make(n, noise=0.3, rng=seed)
    again, _ = make(n, noise=0.3, rng=np.random.default_rng(seed))
    assert X.shape == (len(labels), 2)
    assert np.isfinite(X).all()
    assert X.dtype == np.float64
    assert labels.dtype == np.int64
    assert set(labels.tolist()) <= {0, 1}
    assert np.array_equal(X, again)


# --- the notes' figures -----------------------------------------------------------------------------------------------


def test_the_logistic_data_has_the_labels_that_the_notes_print():
    X, labels = data.logistic_data()
    assert labels[:10].tolist() == [1, 0, 1, 1, 1, 0, 0, 0, 0, 1]
    assert X.shape == (100, 2)


def test_the_true_logistic_unit_gives_the_probability_that_the_notes_print_in_cell_2():
    weights, bias = data.logistic_truth()
    X, labels = data.logistic_data()
    assert 1 / (1 + np.exp(-(X[0] @ weights + bias))) == pytest.approx(0.75460182, abs=5e-9)
    assert np.array_equal(labels, (X @ weights + bias > 0).astype(int))


def test_the_clusters_begin_with_the_rows_that_the_notes_print():
    X, labels = data.three_clusters()
    printed = [[-1.52856484, -3.19097569], [-0.56729303, -2.3126519], [-2.72058873, -1.11283706]]
    assert np.abs(X[:3] - printed).max() < 5e-9
    assert labels.tolist() == [0] * 100 + [1] * 100 + [2] * 100


def test_drawing_goes_on_from_a_legacy_generator_as_in_cell_5():
    state = np.random.RandomState(1234)
    data.three_clusters(seed=state)
    W = state.random_sample(6).reshape(3, 2)
    assert np.abs(W - [[0.98436901, 0.61562226], [0.15471633, 0.83146947], [0.81569707, 0.09204188]]).max() < 5e-9


# --- examples ---------------------------------------------------------------------------------------------------------


def test_moons_without_noise_lie_on_two_half_circles():
    X, labels = data.moons(51, noise=0.0)
    assert np.bincount(labels).tolist() == [25, 26]
    centres = np.array([[0.0, 0.0], [1.0, 0.5]])[labels]
    assert np.hypot(*(X - centres).T) == pytest.approx(np.ones(51))
    assert (X[labels == 0, 1] > -1e-12).all()
    assert (X[labels == 1, 1] < 0.5 + 1e-12).all()


def test_circles_without_noise_have_their_radius():
    X, labels = data.circles(40, noise=0.0, factor=0.3)
    assert np.hypot(*X.T) == pytest.approx(np.where(labels == 0, 1.0, 0.3))


def test_spirals_without_noise_are_one_arm_turned():
    X, labels = data.spirals(20, n_classes=3, noise=0.0)
    assert np.hypot(*X.T) == pytest.approx(np.tile(np.arange(1, 21) / 20, 3))
    turn = np.exp(2j * np.pi / 3)
    arm = X[:, 0] + 1j * X[:, 1]
    assert arm[labels == 1] == pytest.approx(arm[labels == 0] * turn)


def test_a_generator_shuffles_anew_each_epoch_and_a_seed_alike():
    rng = np.random.default_rng(3)
    first, second = (np.concatenate(list(data.batches(20, 4, rng))).tolist() for _ in range(2))
    assert first != second
    assert np.concatenate(list(data.batches(20, 4, 3))).tolist() == first


def test_without_a_generator_batches_keep_the_order_and_may_drop_the_last():
    assert [rows.tolist() for rows in data.batches(5, 2, drop_last=True)] == [[0, 1], [2, 3]]


def test_train_test_split_keeps_arrays_and_tables_together():
    X = np.arange(40.0).reshape(20, 2)
    table = data.Table.from_arrays(X)
    X_train, X_test, table_train, table_test = data.train_test_split(X, table, test_size=5, rng=1)
    assert (len(X_train), len(X_test), len(table_train), len(table_test)) == (15, 5, 15, 5)
    assert np.array_equal(X_train[:, 1], table_train["x2"].numbers())
    assert np.array_equal(X_test[:, 0], table_test["x1"].numbers())


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: data.one_hot([0, 3], 3), "labels run from 0 to 3, but must lie in 0 … 2"),
        (lambda: data.one_hot([-1, 0]), "labels run from -1 to 0"),
        (lambda: data.one_hot([0.5]), "labels must be integers"),
        (lambda: data.one_hot([[0]]), "labels must be integers of shape"),
        (lambda: data.moons(1), "moons: rows must be 2 or more, not 1"),
        (lambda: data.three_clusters(0), "three_clusters: rows must be 1 or more, not 0"),
        (lambda: data.xor(5, noise=-1.0), "noise is a standard deviation"),
        (lambda: data.spirals(5, noise=float("nan")), "noise is a standard deviation"),
        (lambda: data.split_rows(1), "needs at least 2 rows, not 1"),
        (lambda: data.split_rows(10, test_size=10), "test_size must lie in 1 … 9 for 10 rows, not 10"),
        (lambda: data.split_rows(10, test_size=1.5), "share between 0 and 1"),
        (lambda: data.split_rows(10, stratify=[0, 1]), r"stratify must have shape \(10,\)"),
        (lambda: data.split_rows(2, stratify=["a", None]), "without a missing one"),
        (data.train_test_split, "nothing to split"),
        (lambda: data.train_test_split(np.zeros(3), np.zeros(4)), "different numbers of rows: 3, 4"),
        (lambda: data.batches(0), "needs at least 1 row"),
        (lambda: data.batches(5, 0), "batch_size must be at least 1"),
        (lambda: data.batches(5, 6, drop_last=True), "drop_last leaves nothing of 5 rows"),
    ],
)
def test_a_wrong_argument_is_an_error_that_says_so_at_once(call, message):
    with pytest.raises(DataError, match=message):
        call()
