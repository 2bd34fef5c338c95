"""Reading CSV files: what comes back, and what is refused with which line."""

import csv
import io
import json
from dataclasses import asdict

import numpy as np
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from tinygrad_mlp.data import MISSING, Table, describe, example_file, read_csv
from tinygrad_mlp.errors import DataError

# NUL is refused, surrogates cannot be written as UTF-8.
CHARACTERS = st.characters(exclude_characters="\0", exclude_categories=["Cs"])
CELLS = st.text(CHARACTERS, max_size=8) | st.sampled_from(
    ['"', "a,b", "a;b", "x\ny", "x\r\ny", " NA ", "?", "1.5", "é"]
)
NAMES = st.text(st.sampled_from("abcdefgé_ -"), max_size=5).map(lambda text: f"c{text}".strip())


@st.composite
def written_tables(draw):
    """A header and rows of text, as somebody might write them with csv.writer."""
    header = draw(st.lists(NAMES, min_size=1, max_size=4, unique=True))
    row = st.lists(CELLS, min_size=len(header), max_size=len(header))
    return header, draw(st.lists(row, min_size=1, max_size=6))


def written(header, rows, **dialect) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.writer(text, **dialect)
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue().encode()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("csv")


@pytest.fixture(scope="module")
def read(folder):
    """Read bytes as a file named ``d.csv``."""

    def read_bytes(content: bytes | str, **arguments) -> Table:
        path = folder / "d.csv"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return read_csv(path, **arguments)

    return read_bytes


# --- properties -------------------------------------------------------------------------------------------------------


@given(written_tables(), st.sampled_from([",", ";", "\t", "|"]), st.booleans(), st.booleans())
@example((["c"], [[""], ["x"]]), ",", False, False)
@example((["c"], [["x\ry"]]), ",", False, True)
@example((["ca", "cb"], [['"', 'say "a", "b"'], ["two\nlines", " "]]), ";", True, True)
def test_what_csv_writer_wrote_comes_back(read, table, delimiter, bom, unix):
    header, rows = table
    # With short line ends csv.writer of Python 3.11 leaves a lone \r unquoted, so there everything is quoted.
    lines = {"lineterminator": "\n", "quoting": csv.QUOTE_ALL} if unix else {}
    content = written(header, rows, delimiter=delimiter, **lines)
    back = read(b"\xef\xbb\xbf" * bom + content, delimiter=delimiter)
    assert back.names == tuple(header)
    expected = [[None if cell.strip() in MISSING else cell.strip() for cell in row] for row in rows]
    assert [list(row) for row in zip(*(column.cells for column in back.columns), strict=True)] == expected


@given(written_tables(), st.sampled_from([",", ";", "\t", "|"]))
def test_the_delimiter_is_found_out(read, table, delimiter):
    header, rows = table
    assume(len(header) > 1)
    content = written(header, rows, delimiter=delimiter)
    assert read(content).names == tuple(header)
    assert [c.cells for c in read(content).columns] == [c.cells for c in read(content, delimiter=delimiter).columns]


@given(st.lists(st.none() | st.floats(-1e100, 1e100) | st.integers(-(2**53), 2**53), min_size=1))
@example([-0.0, 5e-324, 1e100, None])
def test_numbers_come_back_exactly_and_missing_ones_as_nan(read, values):
    column = read(written(["x"], [["NA" if value is None else repr(value)] for value in values]))["x"]
    expected = np.array([np.nan if value is None else float(value) for value in values])
    assert np.array_equal(column.numbers(), expected, equal_nan=True)
    assert column.kind == ("empty" if np.isnan(expected).all() else "numeric")
    assert np.array_equal(column.missing, np.isnan(expected))


@given(written_tables(), st.data())
def test_a_row_with_another_number_of_fields_is_refused_with_its_line(read, table, draw):
    header, rows = table
    assume(len(header) > 1)
    place = draw.draw(st.integers(0, len(rows) - 1))
    rows = [[cell.replace("\r", "").replace("\n", "") for cell in row] for row in rows]  # one line a row
    rows[place] = rows[place] + ["more"]
    with pytest.raises(DataError, match=rf"d\.csv, line {place + 2}: {len(header) + 1} fields, but the header"):
        read(written(header, rows), delimiter=",")


@given(st.dictionaries(NAMES, st.lists(st.none() | st.floats(-1e6, 1e6), min_size=3, max_size=3), min_size=1))
def test_a_table_in_memory_is_the_one_that_a_file_gives(read, columns):
    memory = Table.from_columns(columns)
    names, rows = list(columns), list(zip(*columns.values(), strict=True))
    file = read(
        written(names, [["" if value is None else repr(value) for value in row] for row in rows]), delimiter=","
    )
    assert memory.names == file.names
    for ours, theirs in zip(memory.columns, file.columns, strict=True):
        assert ours.kind == theirs.kind
        assert np.array_equal(ours.numbers(), theirs.numbers(), equal_nan=True)


# --- examples ---------------------------------------------------------------------------------------------------------


def test_the_penguins_are_read_with_their_missing_values():
    table = read_csv(example_file("penguins.csv"))
    assert len(table) == 344
    assert {column.name: (column.kind, int(column.missing.sum())) for column in table.columns} == {
        "species": ("text", 0),
        "island": ("text", 0),
        "bill_length_mm": ("numeric", 2),
        "bill_depth_mm": ("numeric", 2),
        "flipper_length_mm": ("numeric", 2),
        "body_mass_g": ("numeric", 2),
        "sex": ("text", 11),
        "year": ("numeric", 0),
    }
    assert np.nanmean(table["body_mass_g"].numbers()) == pytest.approx(4201.754, abs=1e-3)


def test_a_row_is_known_by_the_line_on_which_it_begins(read):
    table = read('a,b\n\n"two\nlines",1\n   \nx,2\n')
    assert table.origin.lines == (3, 6)
    assert table["a"].cells == ("two\nlines", "x")


def test_old_and_foreign_line_ends_are_read(read):
    assert read(b"a,b\r1,2\r3,4\r")["b"].numbers().tolist() == [2, 4]


def test_a_blank_before_a_quote_does_not_hide_the_quote(read):
    assert read('a, b\n1, "x, y"\n')["b"].cells == ("x, y",)


def test_decimal_commas_are_read_when_asked_for(read):
    assert read("a;b\n1,5;-2\n3,25;4,0\n", decimal=",")["a"].numbers().tolist() == [1.5, 3.25]


def test_another_encoding_is_read_when_asked_for(read):
    assert read("größe\n1\n".encode("cp1252"), encoding="cp1252").names == ("größe",)
    assert read("größe\n1\n".encode("utf-16"), encoding="utf-16").names == ("größe",)


def test_other_texts_can_be_named_as_missing(read):
    assert read("a\n1\n-99\nnan\n", missing={"-99", "nan"})["a"].missing.tolist() == [False, True, True]


def test_words_that_python_takes_for_numbers_are_text(read):
    cells = ("1_000", "٣", "0x10", "word", "1e", "½")
    assert read("a\n" + "\n".join(cells))["a"].kind == "text"


def test_codes_are_categories_when_asked_for(read):
    column = read("zone\n1\n2\n7a\n", kinds={"zone": "text"})["zone"]
    assert (column.kind, column.problem) == ("text", "")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"d\.csv: the file is empty"),
        (b" \n\n", "the file is empty"),
        (b"a,b\n", "only a header and no rows"),
        (b"a,b\n1,2\n3\n", r"d\.csv, line 3: 1 field, but the header \(line 1\) has 2"),
        (b"a,a\n1,2\n", r"line 1: the header has two columns named 'a'"),
        (b"a,,b\n1,2,3\n", "line 1: column 2 of the header has no name"),
        (b"5.1,3.5,x\n4.9,3.0,y\n", "numbers where column names should be: add a header line"),
        (b'a,b\n1,"x\n2,y\n', "line 2: unexpected end of data; is a double quote missing"),
        (b'a,b\n1,"x"y\n', "line 2: .*is a double quote missing"),
        ("a\né\n".encode("cp1252"), r"line 2: byte 0xe9 is not UTF-8: save the file as UTF-8"),
        ("a\n1\n".encode("utf-16"), "written in UTF-16 or UTF-32"),
        (b"a\n1\nx\0y\n", "line 3: a NUL character, so this is no text file"),
        (b"a;b,c;d\n1;2,3;4\n", "comma and semicolon split the lines equally well"),
    ],
)
def test_a_file_that_is_no_table_is_refused_in_one_line(read, content, message):
    arguments = {} if b";" in content else {"delimiter": ","}
    with pytest.raises(DataError, match=message) as error:
        read(content, **arguments)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        (["1", "nan"], r"d\.csv, line 3, column 'a': 'nan' is not a finite number.*leave the cell empty"),
        (["-inf", "2"], "line 2, column 'a': '-inf' is not a finite number"),
        (["1", "Infinity"], "line 3, column 'a': 'Infinity' is not a finite number"),
        (["1", "1e400"], "line 3, column 'a': '1e400' is above 1e.100, too large to train on"),
        (["1", "2", "l3"], "line 4, column 'a': 'l3' is not a number, but 2 of 3 cells are: correct it"),
        (['"1,5"', '"2,5"'], "line 2, column 'a': '1,5' has a comma"),
    ],
)
def test_a_slip_among_numbers_is_refused_with_its_line_when_the_column_is_used(read, cells, message):
    column = read("a\n" + "\n".join(cells) + "\n", delimiter=";")["a"]
    for use in (column.numbers, column.check):
        with pytest.raises(DataError, match=message):
            use()
    assert describe(Table((column,), column.origin))[0].problem == column.problem != ""


def test_a_file_that_cannot_be_read_is_an_error_of_one_line(folder):
    with pytest.raises(DataError, match=r"nowhere\.csv: no such file"):
        read_csv(folder / "nowhere.csv")
    with pytest.raises(DataError, match="cannot be read"):
        read_csv(folder)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"delimiter": "ab"}, "delimiter must be one character"),
        ({"delimiter": '"'}, "delimiter must be one character"),
        ({"decimal": "x"}, "decimal must be"),
        ({"encoding": "none"}, "unknown encoding 'none'"),
        ({"kinds": {"b": "numeric"}}, "no column 'b'; it has a"),
        ({"kinds": {"a": "number"}}, "must be 'numeric' or 'text', not 'number'"),
    ],
)
def test_a_wrong_argument_is_an_error_that_names_it(read, arguments, message):
    with pytest.raises(DataError, match=message):
        read("a\n1\n", **arguments)


def test_a_missing_column_is_an_error_that_names_the_nearest():
    table = Table.from_columns({"species": ["x"], "mass": [1]})
    with pytest.raises(DataError, match="table: no column 'specis'; did you mean 'species'"):
        table["specis"]
    with pytest.raises(DataError, match="no column 'zzz'; it has species, mass"):
        table.without("zzz")
    assert table.without("mass").names == ("species",)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({}, "no columns"),
        ({"a": [1], "b": [1, 2]}, "column 'b' has 2 rows, but 'a' has 1"),
        ({"a": [[1]]}, "a cell must be a number, a text or None, not list"),
    ],
)
def test_values_that_make_no_table_are_refused(columns, message):
    with pytest.raises(DataError, match=message):
        Table.from_columns(columns)


def test_arrays_of_the_wrong_shape_make_no_table():
    with pytest.raises(DataError, match="x must have shape"):
        Table.from_arrays([1, 2])
    with pytest.raises(DataError, match="y must have shape"):
        Table.from_arrays([[1], [2]], [1, 2, 3])


def test_a_nan_in_memory_is_refused_as_in_a_file():
    with pytest.raises(DataError, match="row 1, column 'a': 'nan' is not a finite number"):
        Table.from_columns({"a": [1.0, float("nan")]})["a"].numbers()


def test_describe_tells_the_numbers_and_the_most_frequent_values(read):
    table = read("x,sex,none\n1,f,\n2,m,\n,f,NA\n4,,?\n")
    x, sex, none = describe(table)
    assert (x.minimum, x.median, x.mean, x.maximum, x.missing, x.distinct) == (1, 2, pytest.approx(7 / 3), 4, 1, 3)
    assert x.std == pytest.approx(np.std([1, 2, 4]))
    assert (sex.top, sex.missing, sex.minimum) == ((("f", 2), ("m", 1)), 1, None)
    assert (none.kind, none.missing, none.top) == ("empty", 4, ())
    assert json.loads(json.dumps([asdict(summary) for summary in (x, sex, none)]))[1]["name"] == "sex"
    assert [str(summary) for summary in (x, sex, none)] == [
        "x: numeric, 3 distinct, 1 missing: 1 … 4, mean 2.33333",
        "sex: text, 2 distinct, 1 missing: 'f' (2), 'm' (1)",
        "none: empty, 0 distinct, 4 missing",
    ]


def test_a_data_set_that_does_not_come_with_the_library_is_an_error_that_names_those_that_do():
    with pytest.raises(DataError, match=r"no data set 'iris\.csv' comes with the library; there is penguins\.csv"):
        example_file("iris.csv")
