"""SQL over pinned tables: one statement, which reads these tables and nothing else of the machine."""

from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.dataset
import pyarrow.parquet
import pytest

from qsops.archive.query import Relation, query
from qsops.errors import SettingsError


@pytest.fixture
def pinned(tmp_path: Path) -> tuple[dict[str, Relation], list[str]]:
    """A table of three rows in a file, beside another file that is not of it."""
    file = str(tmp_path / "it's 100%25.parquet")
    pyarrow.parquet.write_table(pa.table({"a": [1, 2, 3]}), file)
    pyarrow.parquet.write_table(pa.table({"secret": [4]}), tmp_path / "other.parquet")

    def relate(connection: duckdb.DuckDBPyConnection, name: str) -> object:
        return connection.register(name, pyarrow.dataset.dataset(file))

    return {"logs": relate}, [file]


@pytest.mark.parametrize(
    ("sql", "rows"),
    [
        ("select sum(a) as n from logs", [{"n": 6}]),
        ("from logs where a > 2;", [{"a": 3}]),
        ("with one as (select 1 as n) select * from one -- said twice", [{"n": 1}]),
        ("select column_name from (describe logs)", [{"column_name": "a"}]),
        ("select 'é copy' as \"copy\" /* copy */ from logs where a = 3 -- copy", [{"copy": "é copy"}]),
        ("from (pivot logs on a using count(*)) select count(*) as n", [{"n": 1}]),
    ],
)
def test_what_reads_is_answered(pinned: tuple[dict[str, Relation], list[str]], sql: str, rows: list[dict[str, int]]):
    """In the words of DuckDB's SQL, comments and a semicolon at the end included."""
    assert query(pinned[0], sql).to_pylist() == rows


@pytest.mark.parametrize(
    ("sql", "says"),
    [
        ("selec 1", r"syntax error at or near \"selec\"$"),
        ("", "expected one statement, got 0"),
        ("select 1; select 2", "expected one statement, got 2"),
        ("select nope from logs", '"nope" not found'),
        ("select * from nope", "nope does not exist!; the tables are logs$"),
        ("insert into logs values (4)", "INSERT is no reading"),
        ("delete from logs", "DELETE is no reading"),
        ("create table t as select * from logs", "CREATE is no reading"),
        ("copy logs to '{}/out.csv'", "COPY is no reading"),
        ("explain analyze copy logs to '{}/out.csv'", "COPY is no reading"),
        ("create table t as pivot logs on a using count(*)", "CREATE is no reading"),
        ("attach '{}/out.db' as o", "ATTACH is no reading"),
        ("export database '{}/out'", "EXPORT is no reading"),
        ("install httpfs", "LOAD is no reading"),
        ("set enable_external_access = true", "SET is no reading"),
        ("select * from '{}/other.parquet'", "Cannot access file"),
        ("select * from read_text('{}/other.parquet')", "Cannot access file"),
        ("select * from glob('{}/*')", "Cannot access file"),
        ("select * from read_csv('/etc/passwd')", "Cannot access file"),
    ],
)
def test_all_else_is_refused_in_one_line(
    pinned: tuple[dict[str, Relation], list[str]], tmp_path: Path, sql: str, says: str
):
    """SQL that does not parse, that writes, or that reaches for other files: nothing happens, and the line says why."""
    before = sorted(tmp_path.iterdir())
    with pytest.raises(SettingsError, match=f"^SQL: .*{says}") as refusal:
        query(pinned[0], sql.format(tmp_path))
    assert "\n" not in str(refusal.value)
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize(
    "sql",
    [
        "explain analyze {}",
        "with t as ({}) select 1",
        "with t as (/* é */ {}) select 'é', 1",
        "copy{space}(pivot logs on a using count(*)) to '{file}' (format parquet, use_tmp_file false)",
    ],
)
@pytest.mark.parametrize("space", [" ", "\n", "\u00a0", "\u2003", "/**/"], ids=ascii)
def test_the_files_that_may_be_read_are_not_written(
    pinned: tuple[dict[str, Relation], list[str]], sql: str, space: str
):
    """A COPY onto a file of the archive is refused wherever in a statement DuckDB takes one."""
    file = Path(pinned[1][0])
    before, quoted = file.read_bytes(), str(file).replace("'", "''")
    copy = f"cOpY{space}(select 9 as a) to '{quoted}' (format parquet, use_tmp_file false)"
    with pytest.raises(SettingsError, match=r"^SQL: .*only read here"):
        query(pinned[0], sql.format(copy, space=space, file=quoted))
    assert file.read_bytes() == before


@pytest.mark.parametrize(
    "sql",
    [
        "copy (select 9 as a) to '{file}' (format parquet)",
        "copy (select 9 as a) to '{file}' (format parquet, use_tmp_file false)",
        "copy (select 9 as a) to '{folder}/new.csv'",
        "explain analyze copy (select 9 as a) to '{file}' (format parquet, use_tmp_file false)",
        "attach '{folder}/new.db' as o",
        "attach '{file}' as o",
        "export database '{folder}/new'",
        "install '{file}'",
        "load '{file}'",
        "from read_parquet('{file}')",
        "from read_text('{file}')",
        "from read_blob('{file}')",
        "from read_csv('{file}')",
        "from '{file}'",
        "from glob('{folder}/*')",
        "import database '{folder}'",
        "insert into logs values (4)",
        "set enable_external_access = true",
        "set allowed_directories = ['{folder}']",
        "reset lock_configuration",
    ],
)
def test_no_sql_reaches_a_file(
    pinned: tuple[dict[str, Relation], list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sql: str
):
    """Also where nothing looks at the words: DuckDB itself is kept from every file, those of the tables included."""
    monkeypatch.setattr("qsops.archive.query._refuse_all_but_reading", lambda *_: None)
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(SettingsError, match=r"^SQL: "):
        query(pinned[0], sql.format(file=pinned[1][0].replace("'", "''"), folder=tmp_path))
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_variables_of_the_process_are_not_tables(pinned: tuple[dict[str, Relation], list[str]]):
    """DuckDB would find frames by the names of Python's variables; here none is."""
    held = pa.table({"a": [1]})
    with pytest.raises(SettingsError, match="held does not exist"):
        query(pinned[0], "select * from held")
    assert held.num_rows == 1


def test_an_answer_is_bounded(pinned: tuple[dict[str, Relation], list[str]]):
    """One that is too long is refused, not cut: a cut one looks whole."""
    assert query(pinned[0], "from logs", limit=3).num_rows == 3
    with pytest.raises(SettingsError, match="more than 2 rows"):
        query(pinned[0], "from logs", limit=2)
