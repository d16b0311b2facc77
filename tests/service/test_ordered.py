import sqlite3

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.store.ordered import ordered


@pytest.mark.parametrize(
    ("sql", "translated"),
    [
        ("select :a, :b_2, :a", "select ?, ?, ?"),
        ("select :a - 1, :b / 2", "select ? - 1, ? / 2"),
        ("select ':a', :a, :b", None),
        ('select ":a", :a, :b', None),
        ("select `:a`, :a, :b", None),
        ("select [:a], :a, :b", None),
        ("select :a, :b -- :c", None),
        ("select :a, :b /* :c */", None),
        ("select :a, :b, ?", None),
        ("select :a, :b, @c", None),
        ("select :a, :b, $c::d", None),
        ("select :a, :größe", None),
        ("select :a", None),
        ("select 1", None),
    ],
)
def test_only_a_plain_statement_is_put_in_order(sql: str, translated: str | None):
    """Where a colon may be something else, the driver goes by the names itself."""
    found = ordered(sql)
    assert (found and found[0]) == translated


def test_values_stand_in_the_order_of_their_names():
    """A row may be in any order, and hold more than the statement asks for."""
    found = ordered("select :b, :a, :b")
    assert found is not None
    assert found[1]({"a": 1, "b": 2, "c": 3}) == (2, 1, 2)


WORDS = st.sampled_from(
    [
        "select",
        "1",
        ":a",
        ":b",
        ":ä",
        ":aß",
        ":",
        "::",
        "?",
        "?1",
        "@a",
        "$a",
        "'",
        '"',
        "`",
        "[",
        "]",
        "--",
        "/*",
        "*/",
        "-",
        "/",
        ",",
        "+",
        "(",
        ")",
        "a",
        ":a:b",
        ":1",
        "#",
        "\n",
    ]
)


@given(st.lists(WORDS, max_size=12).map(lambda words: "select " + " ".join(words)))
def test_a_statement_in_order_says_what_the_named_one_says(sql: str):
    """Whatever is put in order has the same result as it stands, or the same fault."""
    found = ordered(sql)
    if found is None:
        return
    row = {"a": 5, "b": 7}
    connection = sqlite3.connect(":memory:")
    try:
        assert answer(connection, found[0], found[1](row)) == answer(connection, sql, row)
    finally:
        connection.close()


def answer(connection: sqlite3.Connection, sql: str, parameters: object) -> object:
    try:
        return connection.execute(sql, parameters).fetchall()  # type: ignore[call-overload]
    except sqlite3.Error as error:
        return type(error)
