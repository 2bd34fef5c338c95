"""From tables to arrays and back: features, targets, the decision between them, and storage without pickle."""

import numpy as np
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from tinygrad_mlp.data import Preprocessor, Table, decide_task, example_file, read_csv, train_test_split
from tinygrad_mlp.data.features import NumericFeature, mean_and_scale
from tinygrad_mlp.data.targets import ClassTarget, NumberTarget
from tinygrad_mlp.errors import DataError, ModelFileError

NUMBERS = st.floats(-1e9, 1e9) | st.integers(-3, 3).map(float) | st.just(1e100)
WORDS = st.sampled_from(["a", "b", "ä", "two words", "x\ny", "🐧", "[", "word"])


def millionths(value: float) -> float:
    """A target of finer steps could vary by rounding only, which is refused."""
    return round(value, 6)


@st.composite
def tables(draw):
    """A table with a numeric, a sparse numeric, a text and a sparse text column, and a target ``y`` of either task."""
    n = draw(st.integers(4, 20))

    def column(values):
        return draw(st.lists(values, min_size=n, max_size=n))

    target = st.sampled_from(["yes", "no", "perhaps"]) if draw(st.booleans()) else st.floats(-1e6, 1e6).map(millionths)
    columns = {
        "x": column(NUMBERS),
        "sparse": column(st.none() | NUMBERS),
        "word": column(WORDS),
        "rare": column(st.none() | WORDS),
        "y": column(target),
    }
    assume(len(set(columns["y"])) > 1)
    return Table.from_columns(columns)


def fitted(table: Table) -> Preprocessor:
    return Preprocessor.fit(table, "y", task="classification" if table["y"].kind == "text" else "regression")


@pytest.fixture(scope="module")
def penguins() -> Table:
    return read_csv(example_file("penguins.csv"))


# --- properties -------------------------------------------------------------------------------------------------------


@given(st.lists(NUMBERS, min_size=1, max_size=20))
@example([0.1, 0.1, 0.1])
@example([1e100, -1e100])
@example([1e16, 1e16 + 2])
@example([5e-324, 0.0])
def test_standardised_numbers_have_mean_0_and_variance_1_or_are_0(values):
    x = np.array(values)
    mean, scale = mean_and_scale(x)
    z = (x - mean) / scale
    rounding = 1e-9 + np.finfo(float).eps * np.abs(x).max() / scale
    assert np.isfinite(z).all()
    assert abs(z.mean()) <= rounding
    if np.ptp(x) > max(1e-7 * np.abs(x).max(), 1e-99):  # more than rounding
        assert z.var() == pytest.approx(1, abs=1e-6)
    if np.ptp(x) == 0:
        assert (z == 0).all()


@given(tables())
def test_the_inputs_are_finite_and_each_training_row_has_one_category(table):
    pre = fitted(table)
    X = pre.transform(table)
    assert X.shape == (len(table), pre.n_inputs) == (len(table), len(pre.input_names))
    assert np.isfinite(X).all()
    start = 0
    for feature in pre.features:
        block = X[:, start : start + len(feature.input_names)]
        start += block.shape[1]
        if isinstance(feature, NumericFeature):
            assert block.mean() == pytest.approx(0, abs=1e-6)
        else:
            assert np.array_equal(block.sum(axis=1), np.ones(len(table)))


@given(tables(), st.randoms(use_true_random=False))
def test_what_was_learnt_does_not_depend_on_other_rows_to_be_transformed(table, random):
    pre = fitted(table)
    rows = random.sample(range(len(table)), 2)
    assert np.array_equal(pre.transform(table.take(rows)), pre.transform(table)[rows])


@given(tables())
def test_a_target_comes_back_from_its_encoding(table):
    pre = fitted(table)
    encoded = pre.encode_target(table)
    back = pre.decode_target(encoded)
    if pre.task == "classification":
        assert encoded.dtype == np.int64
        assert back.tolist() == list(table["y"].cells)
        assert pre.decode_target(np.eye(pre.n_outputs)[encoded]).tolist() == back.tolist()
    else:
        assert encoded.shape == (len(table), 1)
        assert back == pytest.approx(table["y"].numbers(), rel=1e-9, abs=1e-9)


@given(table=tables())
def test_a_preprocessor_comes_back_from_an_npz_without_pickle(tmp_path_factory, table):
    path = tmp_path_factory.getbasetemp() / "preprocessor.npz"
    pre = fitted(table)
    np.savez(path, **pre.to_arrays(), **{"weights.0": np.ones(3)})
    with np.load(path, allow_pickle=False) as stored:
        assert Preprocessor.from_arrays(stored) == pre


# --- storage ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module", params=["species", "body_mass_g"])
def arrays(request, penguins):
    return Preprocessor.fit(penguins.drop_missing(request.param), request.param).to_arrays()


def test_every_stored_array_holds_numbers_or_text(arrays):
    assert {array.dtype.kind for array in arrays.values()} <= set("ifbU")


def test_a_model_without_one_of_the_arrays_or_with_a_foreign_one_is_refused(arrays):
    for key, array in arrays.items():
        rest = {name: value for name, value in arrays.items() if name != key}
        with pytest.raises(ModelFileError):
            Preprocessor.from_arrays(rest)
        foreign = np.zeros((2, 2)) if array.dtype.kind == "U" else np.array([["x"]])
        with pytest.raises(ModelFileError, match=key.replace(".", r"\.")):
            Preprocessor.from_arrays(rest | {key: foreign})


def test_arrays_that_do_not_fit_together_are_refused(arrays):
    for key, array in arrays.items():
        if array.ndim and array.size and key != "preprocessor.classes":
            with pytest.raises(ModelFileError, match="damaged"):
                Preprocessor.from_arrays(arrays | {key: array[:-1]})


def test_a_newer_format_and_a_foreign_file_are_refused(arrays):
    with pytest.raises(ModelFileError, match="has format 2; this version reads format 1"):
        Preprocessor.from_arrays(arrays | {"preprocessor.format": np.array(2)})
    with pytest.raises(ModelFileError, match="this is no model of tinygrad_mlp"):
        Preprocessor.from_arrays({})


def test_an_array_that_needs_pickle_is_refused_as_foreign(tmp_path, arrays):
    np.savez(tmp_path / "m.npz", **arrays | {"preprocessor.names": np.array([{}], dtype=object)})
    with np.load(tmp_path / "m.npz", allow_pickle=False) as stored, pytest.raises(ModelFileError, match="names"):
        Preprocessor.from_arrays(stored)


# --- features ---------------------------------------------------------------------------------------------------------


def test_a_missing_number_becomes_the_median_and_a_missing_text_a_category_of_its_own():
    table = Table.from_columns({"x": [1, None, 2, 9], "w": ["a", None, "b", "a"], "y": list("abab")})
    pre = Preprocessor.fit(table, "y", task="classification")
    filled = np.array([1, 2, 2, 9.0])
    assert pre.input_names == ("x", "w=a", "w=b", "w (missing)")
    assert pre.transform(table)[:, 0] == pytest.approx((filled - filled.mean()) / filled.std())
    assert pre.transform(table)[:, 1:].tolist() == [[1, 0, 0], [0, 0, 1], [0, 1, 0], [1, 0, 0]]


def test_what_was_not_seen_in_training_is_encoded_as_nothing_and_named():
    train = Table.from_columns({"x": [1, 2, 3, 4], "w": list("aabb"), "y": list("abab")})
    other = Table.from_columns({"w": ["c", None, "c"], "x": [1, None, 2], "new": [1, 2, 3]}, source="new.csv")
    pre = Preprocessor.fit(train, "y", task="classification")
    assert pre.transform(other)[:, 1:].tolist() == [[0, 0]] * 3
    assert pre.transform(other)[1, 0] == 0.0
    assert pre.remarks(other) == [
        "column 'new' was not there in training and is ignored",
        "column 'x': a missing value, in 1 row, none in training, counts as the median, 2.5",
        "column 'w': 'c', in 2 rows, is new and counts as no category",
        "column 'w': a missing value, in 1 row, none in training, counts as no category",
    ]
    assert pre.remarks(train) == []


def test_of_many_new_categories_the_commonest_are_named():
    train = Table.from_columns({"w": list("aabb"), "y": list("abab")})
    other = Table.from_columns({"w": [*map(str, range(20)), "z", "z"]})
    remarks = Preprocessor.fit(train, "y", task="classification").remarks(other)
    assert remarks[0] == "column 'w': 'z', in 2 rows, is new and counts as no category"
    assert remarks[5:] == ["column 'w': 16 more values are new and count as no category"]


@pytest.mark.parametrize("values", [[0.0, 1e-300, 2e-300], [1e9, 1e9 + 2e-7, 1e9 + 4e-7]])
def test_a_target_that_varies_by_rounding_only_is_refused(values):
    table = Table.from_columns({"x": range(12), "y": values * 4})
    with pytest.raises(DataError, match=r"target 'y' varies by only .*: subtract an offset or rescale the column"):
        Preprocessor.fit(table, "y", task="regression")


def test_tables_columns_and_preprocessors_are_shown_in_one_line(penguins):
    assert repr(penguins["sex"]) == "<Column 'sex': text, 344 rows, 11 missing>"
    assert repr(penguins.take(range(3))).endswith("penguins.csv: 3 rows; " + repr(penguins).partition("rows; ")[2])
    assert "year (numeric)>" in repr(penguins)
    wide = Table.from_columns({f"c{i}": [1] for i in range(20)})
    assert repr(wide).endswith("c11 (numeric), and 8 more>")
    fitted = repr(Preprocessor.fit(penguins, "species", leave_out="year"))
    assert fitted.startswith("<Preprocessor: classification of 'species' by 10 inputs from island, bill_length_mm")


def test_without_a_task_the_training_rows_decide_and_an_unknown_one_is_refused(penguins):
    assert Preprocessor.fit(penguins, "species").task == Preprocessor.fit(penguins, "species", task="auto").task
    with pytest.raises(DataError, match="task must be 'classification', 'regression' or 'auto', not 'cluster'"):
        Preprocessor.fit(penguins, "species", task="cluster")


def test_one_column_can_be_left_out_by_its_name_alone(penguins):
    assert "year" not in Preprocessor.fit(penguins, "species", leave_out="year").columns


def test_columns_from_which_nothing_can_be_learnt_are_left_out_with_the_reason():
    columns = {
        "row": list("abcdef"),
        "none": [None] * 6,
        "many": list("abcabc"),
        "asked": [1, 2, 3, 4, 5, 6],
        "x": [1, 2, 3, 4, 5, 6],
        "y": list("ababab"),
    }
    table = Table.from_columns(columns)
    pre = Preprocessor.fit(table, "y", task="classification", leave_out=["asked"], max_categories=2)
    assert pre.columns == ("x",)
    assert dict(pre.left_out) == {
        "row": "it is text with 6 different values, more than 2",
        "none": "it has no values",
        "many": "it is text with 3 different values, more than 2",
        "asked": "as asked",
    }
    assert dict(Preprocessor.fit(table, "y", task="classification").left_out)["row"] == (
        "it is text with a different value in every row"
    )
    with pytest.raises(DataError, match=r"no column is left to learn from.*'row': as asked"):
        Preprocessor.fit(table, "y", task="classification", leave_out=columns.keys() - {"y"})


def test_a_column_of_codes_stays_text_where_only_numbers_are_left_of_it():
    train = Table.from_columns({"zone": ["1", "2", "x", "x", "y", "x"], "y": list("ababab")})
    pre = Preprocessor.fit(train, "y", task="classification")
    assert pre.transform(Table.from_columns({"zone": [1, 2]})).tolist() == [[1, 0, 0, 0], [0, 1, 0, 0]]


def test_a_column_with_a_slip_is_an_error_only_if_it_is_used():
    table = Table.from_columns({"x": [1, 2, 3, "4o"], "z": [1, 2, 3, 4], "y": list("abab")})
    with pytest.raises(DataError, match="row 3, column 'x': '4o' is not a number, but 3 of 4 cells are"):
        Preprocessor.fit(table, "y", task="classification")
    assert Preprocessor.fit(table, "y", task="classification", leave_out=["x"]).columns == ("z",)


def test_other_columns_at_prediction_are_an_error_that_names_them(penguins):
    pre = Preprocessor.fit(penguins, "species")
    with pytest.raises(
        DataError, match=r"penguins\.csv: not the columns of the training: no 'island', 'sex'; it has sp"
    ):
        pre.transform(penguins.without("island", "sex"))
    words = Table.from_columns({name: ["no number", "word"] for name in pre.columns}, source="new.csv")
    with pytest.raises(DataError, match=r"new\.csv, row 0, column 'bill_length_mm': 'no number' is not a number"):
        pre.transform(words)


# --- targets ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "task"),
    [
        (["yes", "no"] * 5, "classification"),
        ([0, 1] * 5, "classification"),
        ([1.0, 2.0, 3.0] * 4, "classification"),
        (list(range(10)) * 3, "classification"),
        (list(range(10)) * 2, "regression"),
        (list(range(11)) * 9, "regression"),
        ([0.5, 1.5] * 5, "regression"),
        ([*range(9), None, 3.5], "regression"),
    ],
)
def test_the_task_follows_from_the_target(values, task):
    column = Table.from_columns({"y": values})["y"]
    assert decide_task(column).task == decide_task(column, "auto").task == task
    assert decide_task(column, task) == (task, "as asked")


def test_an_explicit_task_goes_before_what_the_target_looks_like():
    column = Table.from_columns({"y": [0, 1, 2] * 4})["y"]
    assert decide_task(column, "regression").task == "regression"


@pytest.mark.parametrize(
    ("values", "task", "message"),
    [
        (["a", "b"] * 4 + [None] * 9, None, "target 'y' has a value in 8 rows; at least 10 are needed"),
        ([3] * 12, None, r"target 'y' is constant \('3' in every row\): there is nothing to learn"),
        (["a"] * 12, None, "is constant"),
        ([2.5] * 12, "regression", "is constant"),
        (["a", "b"] * 6 + ["c"], None, "class 'c' has a single row.*merge or remove it"),
        (
            [0, 1] * 6 + [2, 3],
            "classification",
            "class '2' and 1 other classes have a single row.*or choose regression",
        ),
        (["a", "b"] * 6, "regression", "row 0, column 'y': 'a' is not a number"),
        ([1.5, 2.5] * 6 + [float("inf")], None, "row 12, column 'y': 'inf' is not a finite number"),
        ([0, 1] * 6 + ["o"], None, "row 12, column 'y': 'o' is not a number, but 12 of 13 cells are"),
        ([0, 1] * 6, "clustering", "task must be 'classification', 'regression' or 'auto', not 'clustering'"),
    ],
)
def test_a_target_that_cannot_be_learnt_is_refused(values, task, message):
    with pytest.raises(DataError, match=message):
        decide_task(Table.from_columns({"y": values})["y"], task)


def test_classes_that_are_numbers_are_in_the_order_of_numbers_however_written():
    table = Table.from_columns({"x": range(6), "y": ["10", "9", "1.0", "1", "9.0", "10"]})
    pre = Preprocessor.fit(table, "y", task="classification")
    assert pre.classes == ("1", "9", "10")
    assert pre.encode_target(table).tolist() == [2, 1, 0, 0, 1, 2]


def test_a_target_that_is_missing_or_new_is_an_error_with_its_row():
    train = Table.from_columns({"x": range(4), "y": list("abab")})
    pre = Preprocessor.fit(train, "y", task="classification")
    with pytest.raises(DataError, match="row 1, column 'y': class 'c' was not seen in training"):
        pre.encode_target(Table.from_columns({"y": ["a", "c"]}))
    missing = Table.from_columns({"x": range(3), "y": ["a", "b", None]})
    with pytest.raises(DataError, match="row 2, column 'y': the target is missing"):
        pre.encode_target(missing)
    with pytest.raises(DataError, match="row 2, column 'y': the target is missing"):
        Preprocessor.fit(missing, "y", task="classification")
    assert len(missing.drop_missing("y")) == 2
    with pytest.raises(DataError, match="'y' is the target and cannot be left out"):
        Preprocessor.fit(train, "y", task="classification", leave_out=["y"])


def test_outputs_of_another_shape_cannot_be_decoded():
    with pytest.raises(DataError, match=r"labels \(rows,\) or probabilities \(rows, 2\), not \(1, 3\)"):
        ClassTarget("y", ("a", "b")).decode(np.zeros((1, 3)))
    with pytest.raises(DataError, match="values must have shape"):
        NumberTarget("y", 0.0, 1.0).decode(np.zeros((2, 2)))


@pytest.mark.parametrize(
    ("target", "task", "outputs"), [("species", "classification", 3), ("body_mass_g", "regression", 1)]
)
def test_the_penguins_become_arrays(penguins, target, task, outputs):
    table = penguins.drop_missing(target)
    decision = decide_task(table[target])
    assert decision.task == task
    stratify = table[target].cells if task == "classification" else None
    train, test = train_test_split(table, rng=1, stratify=stratify)
    pre = Preprocessor.fit(train, target, task=decision.task)
    assert (pre.task, pre.n_outputs, pre.left_out) == (task, outputs, ())
    X, y = pre.transform(train), pre.encode_target(train)
    assert X.shape == (len(y), pre.n_inputs)
    assert np.isfinite(pre.transform(test)).all()
    assert len(pre.encode_target(test)) == len(test)
    numeric = [i for i, name in enumerate(pre.input_names) if name in table]
    assert X[:, numeric].mean(axis=0) == pytest.approx(np.zeros(len(numeric)), abs=1e-12)
    assert X[:, numeric].var(axis=0) == pytest.approx(np.ones(len(numeric)))
