import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from qsops.errors import SettingsError
from qsops.publish import count_rows, keyed, read_rows

URL = "https://app.example/hook"


def one(row: dict, **fixed: object):
    (made,) = keyed([row], "id", {"url": URL, **fixed}, "scope")
    return made


def test_a_plain_row_is_its_own_body():
    """Rows of data become JSON bodies, the key among them, without any preparation."""
    made = one({"id": 7, "name": "Zoë", "at": pd.Timestamp("2026-01-01", tz="UTC"), "none": float("nan")})
    assert made.key == "7"
    assert json.loads(made.message.body) == {
        "id": 7,
        "name": "Zoë",
        "at": "2026-01-01T00:00:00+00:00",
        "none": None,
    }
    assert made.message.headers == (("Content-Type", "application/json"),)


def test_shared_arguments_hold_for_every_row_and_a_rows_own_come_first():
    """What all rows share is said once; a row may differ by a column of the argument's name."""
    made = one({"id": 1, "delay": "5m", "label": None}, delay="1h", label="campaign", retries=2)
    assert (made.message.delay_s, made.message.labels, made.message.retries) == (300, ("campaign",), 2)
    assert json.loads(made.message.body) == {"id": 1}


def test_a_row_may_bring_its_body():
    """A column json or body is the body, and the key need not be a part of it."""
    assert one({"id": 1, "json": {"a": 1}}).message.body == b'{"a":1}'
    assert one({"id": 1, "body": "text"}).message.body == b"text"


def test_a_misspelt_option_is_not_sent_as_none():
    """A row with a body of its own holds nothing else: a column that is no argument is refused by name."""
    assert "'dealy'" in one({"id": 1, "body": "x", "dealy": "5m"}).error


def test_a_row_may_name_its_destination():
    """A column url or group takes the place of the shared destination, of either kind."""
    assert one({"id": 1, "group": "g"}).message.destination == "g"
    (made,) = keyed([{"id": 1, "url": "https://other.example"}], "id", {}, "scope")
    assert made.message.destination == "https://other.example"
    (lost,) = keyed([{"id": 1}], "id", {}, "scope")
    assert "url or group" in lost.error


def test_text_of_a_file_becomes_what_the_argument_needs():
    """CSV holds numbers and structures as text, frames hold whole numbers as floats."""
    row = {"id": "1", "retries": "3", "headers": '{"X-A": "b"}', "content_based_deduplication": "True", "body": "x"}
    made = one(row)
    assert made.message.retries == 3
    assert made.message.headers == (("X-A", "b"),)
    assert made.message.content_based_deduplication
    assert one({"id": 1, "retries": 3.0, "body": "x"}).message.retries == 3
    assert "headers" in one({"id": 1, "headers": "[1]"}).error
    assert "headers" in one({"id": 1, "headers": "{"}).error


def test_bad_rows_are_reported_and_the_others_go_through():
    """A row without a key, with one seen before, or with a bad value is one error, not the end."""
    rows = [{"id": 1}, {"id": None}, {"id": 1}, {"name": "x"}, {"id": 2, "delay": "soon"}, {"id": 3}]
    made = list(keyed(rows, "id", {"url": URL}, "scope"))
    assert [bool(row.message) for row in made] == [True, False, False, False, False, True]
    assert "row 2 has no key" in made[1].error
    assert "row 3 repeats the key '1'" in made[2].error
    assert "'soon'" in made[4].error


def test_strange_rows_are_reported_and_end_nothing():
    """Values that JSON can hold and a message cannot: each is the error of its row, or spelled out."""
    assert "label" in one({"id": 1, "label": 5}).error
    assert "surrogate" in one({"id": 1, "x": "\ud800"}).error
    made = one({"id": "\ud800", "json": 1})
    assert (made.key, made.error) == ("\\ud800", None)


def test_an_array_of_a_frame_is_a_list():
    """Frames read from parquet hold arrays where a column has lists."""
    frame = pd.DataFrame({"id": [1], "label": [np.array(["a", "b"])], "sizes": [np.array([1, 2])]})
    made = one(next(iter(read_rows(frame))))
    assert made.message.labels == ("a", "b")
    assert json.loads(made.message.body) == {"id": 1, "sizes": [1, 2]}


def test_a_key_may_be_computed():
    """Where no column names a row, a function of it does."""
    (made,) = keyed([{"a": 1, "b": 2}], lambda row: f"{row['a']}-{row['b']}", {"url": URL}, "scope")
    assert made.key == "1-2"


def test_a_key_makes_the_deduplication_id():
    """The same key in the same scope is the same message; another scope, or a row's own id, is its own affair."""
    first, again = one({"id": 1}).message, one({"id": 1, "delay": "5m"}).message
    assert first.deduplication_id == again.deduplication_id
    assert ":" not in first.deduplication_id
    (elsewhere,) = keyed([{"id": 1}], "id", {"url": URL}, "other scope")
    assert elsewhere.message.deduplication_id != first.deduplication_id
    assert one({"id": 1, "deduplication_id": "own"}).message.deduplication_id == "own"
    assert one({"id": 1}, content_based_deduplication=True).message.deduplication_id is None


def test_one_deduplication_id_for_all_rows_is_refused():
    """It would make all rows one message."""
    with pytest.raises(SettingsError, match="one for all rows"):
        one({"id": 1}, deduplication_id="same")


def test_bad_shared_arguments_are_refused_before_the_first_row():
    """A mistake in what all rows share is one error, not ten thousand."""
    with pytest.raises(SettingsError, match="delay"):
        next(keyed([{"id": 1}], "id", {"url": URL, "delay": "soon"}, "scope"))
    with pytest.raises(SettingsError, match="delay"):
        next(keyed([{"id": 1}], "id", {"delay": "soon"}, "scope"))


@pytest.fixture
def frame() -> pd.DataFrame:
    return pd.DataFrame({"id": [1, 2], "name": ["Zoë", None], "score": [0.5, float("nan")]})


EXPECTED = [{"id": 1, "name": "Zoë", "score": 0.5}, {"id": 2, "name": None, "score": None}]


def bodies(source: object) -> list:
    return [json.loads(row.message.body) for row in keyed(read_rows(source), "id", {"url": URL}, "scope")]


def test_every_source_gives_the_same_messages(frame: pd.DataFrame, tmp_path: Path):
    """Rows, a frame, JSONL and parquet of the same data are the same messages."""
    frame.to_parquet(tmp_path / "rows.parquet")
    lines = "".join(json.dumps(row) + "\n" for row in EXPECTED)
    (tmp_path / "rows.jsonl").write_text(lines + "\n")
    assert bodies(frame) == EXPECTED
    assert bodies(EXPECTED) == EXPECTED
    assert bodies(iter(EXPECTED)) == EXPECTED
    assert bodies(tmp_path / "rows.jsonl") == EXPECTED
    assert bodies(str(tmp_path / "rows.parquet")) == EXPECTED


def test_csv_keeps_its_texts(tmp_path: Path):
    """A postal code is no number: CSV's values stay as they stand, and an empty one is none."""
    (tmp_path / "rows.csv").write_text("\ufeffid,zip,note\n007,01067,\n", encoding="utf-8")
    assert bodies(tmp_path / "rows.csv") == [{"id": "007", "zip": "01067", "note": None}]


def test_the_number_of_rows_is_told_where_it_is_known(frame: pd.DataFrame):
    """A progress bar knows its end for what is in memory, and a file is not read twice for it."""
    assert count_rows(frame) == 2
    assert count_rows([{}]) == 1
    assert count_rows(iter([{}])) is None
    assert count_rows("rows.csv") is None


@pytest.mark.parametrize(
    ("name", "content", "named"),
    [
        ("rows.jsonl", b'{"id": 1}\n{"id"\n', "rows.jsonl, line 2"),
        ("rows.jsonl", b"[1]\n", "list"),
        ("rows.csv", b"id,name\n1\n", "line 2"),
        ("rows.csv", b"id,name\n1,2,3\n", "line 2"),
        ("rows.csv", b"id\n\xff\n", "UTF-8"),
        ("rows.parquet", b"no parquet", "rows.parquet"),
        ("rows.xlsx", b"", "rows.xlsx"),
    ],
)
def test_a_bad_file_is_named_with_its_line(tmp_path: Path, name: str, content: bytes, named: str):
    """A file that cannot be read says where."""
    (tmp_path / name).write_bytes(content)
    with pytest.raises(SettingsError, match=named):
        list(read_rows(tmp_path / name))


@pytest.mark.parametrize("source", [{"id": 1}, 17, "missing.csv"])
def test_what_is_no_source_is_refused(source: object):
    """One row alone, or anything that holds none, is a mistake, not an empty job."""
    with pytest.raises(SettingsError, match="rows"):
        read_rows(source)


def test_a_row_that_is_no_mapping_is_named():
    """A list of ids is no list of rows."""
    with pytest.raises(SettingsError, match="row 1"):
        list(read_rows(["id-1"]))


def test_a_key_that_no_row_has_is_one_fault_of_the_call():
    """A misspelt key is said once, with the columns there are, before anything is sent."""
    rows = [{"order": n, "text": "a"} for n in range(1_000)]
    with pytest.raises(SettingsError, match="no column 'id'; the first has order, text"):
        list(keyed(rows, "id", {"url": URL}, "scope"))
