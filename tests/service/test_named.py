import psycopg
import pytest

from service.store.postgres.named import numbered


@pytest.mark.parametrize(
    ("sql", "translated", "names"),
    [
        ("select :a, :b_2, :a", "select $1, $2, $1", ("a", "b_2")),
        ("select ':a', 'it''s :a', :b", "select ':a', 'it''s :a', $1", ("b",)),
        (r"select E'it\':s :a' || :b", r"select E'it\':s :a' || $1", ("b",)),
        (r"select '\' || :b || '\'", r"select '\' || $1 || '\'", ("b",)),
        ('select ":a", "x"":a", :b', 'select ":a", "x"":a", $1', ("b",)),
        ("select :a::text, now()::date", "select $1::text, now()::date", ("a",)),
        ("select 1 -- :a 'b\n, :c", "select 1 -- :a 'b\n, $1", ("c",)),
        ("select /* :a ' /* :b */ :c */ :d", "select /* :a ' /* :b */ :c */ $1", ("d",)),
        ("select /* :a", "select /* :a", ()),
        ("select $$ :a $$, $x$ $$ :b $x$, :c", "select $$ :a $$, $x$ $$ :b $x$, $1", ("c",)),
        ("select a$b$, :a, c$b$", "select a$b$, $1, c$b$", ("a",)),
        ("select '{\"a\": 1}'::jsonb ? :key, 10 % 3", "select '{\"a\": 1}'::jsonb ? $1, 10 % 3", ("key",)),
        ("select x[1 : 2], :größe", "select x[1 : 2], $1", ("größe",)),
        ("", "", ()),
    ],
)
def test_parameters_are_numbered_where_they_are_parameters(sql: str, translated: str, names: tuple[str, ...]):
    """A colon in a string, a name, a comment, a dollar quote or a cast stays one."""
    assert (numbered(sql).sql, numbered(sql).names) == (translated, names)


def test_a_missing_value_is_named():
    """It is the handler's fault, and says which parameter it is."""
    with pytest.raises(psycopg.ProgrammingError, match=":b"):
        numbered("select :a, :b").values({"a": 1})
