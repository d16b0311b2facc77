"""Which engine is asked, and what of."""

import subprocess
import sys
import threading
from pathlib import Path

import ibis
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from py4j.protocol import Py4JJavaError

from qsops.compute import Choice, answer, beside, choice, duckdb_connection, open_files, strangers
from qsops.compute.spark import spark_connection
from qsops.errors import SettingsError

SCHEMA = pa.schema([("id", pa.string()), ("ms", pa.int64())])


def written(path: Path, *ms: int) -> str:
    pq.write_table(pa.table({"id": [str(n) for n in ms], "ms": [*ms]}, SCHEMA), path)
    return str(path)


def test_duckdb_unless_spark_is_named():
    """Nobody needs Java who did not ask for it."""
    assert choice({}) == Choice("duckdb")
    assert choice({"QSOPS_COMPUTE": " DuckDB "}).engine == "duckdb"
    assert choice({"QSOPS_COMPUTE": "spark"}) == Choice("spark", "local[2]")
    named = {"QSOPS_COMPUTE": "spark", "QSOPS_SPARK_MASTER": "spark://spark.example:7077"}
    assert choice(named) == Choice("spark", "spark://spark.example:7077")


def test_an_engine_that_is_none_is_named():
    """With the setting and what it may be."""
    with pytest.raises(SettingsError, match="QSOPS_COMPUTE: 'dask' is no engine; it is duckdb or spark"):
        choice({"QSOPS_COMPUTE": "dask"})


def test_spark_without_java_says_so(monkeypatch: pytest.MonkeyPatch):
    """Instead of what a gateway says that could not start."""
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(SettingsError, match="QSOPS_COMPUTE=spark needs Java"):
        spark_connection("local[1]")


def test_spark_without_pyspark_says_what_to_install(monkeypatch: pytest.MonkeyPatch):
    """It is an extra of its own."""
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(SettingsError, match=r"pip install 'qsops\[spark\]'"):
        spark_connection("local[1]")


class _OfJava:
    """An exception of the other side, as Py4J hands it over."""

    _target_id = "o1"

    def __str__(self) -> str:
        return "org.apache.spark.SparkException: Could not parse Master URL: 'local[x]'"


@pytest.mark.parametrize("fault", [Py4JJavaError("at o1", _OfJava()), RuntimeError("no gateway\n\tat java.base")])
def test_a_master_that_cannot_be_is_one_line(monkeypatch: pytest.MonkeyPatch, fault: Exception):
    """With the setting, its value and what was said, whichever side says it; and never a trace of Java."""

    def start(_: object) -> None:
        raise fault

    monkeypatch.setattr("pyspark.sql.SparkSession.Builder.getOrCreate", start)
    monkeypatch.setattr("shutil.which", lambda _: "/usr/bin/java")
    with pytest.raises(SettingsError, match=r"QSOPS_SPARK_MASTER: 'local\[x\]' gives no session") as told:
        spark_connection("local[x]")
    assert str(told.value).endswith(("Could not parse Master URL: 'local[x]'", "no gateway"))
    assert "\n" not in str(told.value)


def test_a_connection_is_opened_once_for_each_thread():
    """So that a notebook waits for it once, and two threads never share one."""
    others = []
    thread = threading.Thread(target=lambda: others.append(duckdb_connection()))
    thread.start()
    thread.join()
    assert duckdb_connection() is duckdb_connection()
    assert others[0] is not duckdb_connection()


def test_the_connection_fetches_nothing():
    """No query loads an extension from somewhere, whatever it names."""
    for setting in ("autoinstall_known_extensions", "autoload_known_extensions"):
        assert duckdb_connection().con.execute(f"select current_setting('{setting}')").fetchone() == (False,)


def test_the_files_that_were_named_are_read(tmp_path: Path):
    """What is written beside them later is of another version, and does not show."""
    one, two = written(tmp_path / "1.parquet", 1, 2), written(tmp_path / "2.parquet", 3)
    table = open_files([one, two], SCHEMA, Choice())
    written(tmp_path / "3.parquet", 4)
    assert sorted(answer(table)["ms"].to_pylist()) == [1, 2, 3]


def test_no_files_are_a_table_without_rows():
    """Of the same columns."""
    found = answer(open_files([], SCHEMA, Choice()))
    assert (found.num_rows, found.column_names) == (0, SCHEMA.names)


def test_a_small_table_stands_beside_a_large_one(tmp_path: Path):
    """Both are of one engine, so that they can be joined."""
    large = open_files([written(tmp_path / "1.parquet", 1, 2, 3)], SCHEMA, Choice())
    small = beside(large, pa.table({"wanted": [2, 9]}))
    assert answer(large.join(small, large.ms == small.wanted))["id"].to_pylist() == ["2"]


def test_what_is_not_portable_is_told_by_name():
    """Approximations and hashes are what each engine makes of them."""
    table = ibis.memtable(pa.table({"ms": [1, 2]}))
    assert strangers(table.agg(ms=table.ms.sum())) == set()
    assert strangers(table.agg(ms=table.ms.approx_median(), sign=table.ms.hash().max())) == {"ApproxMedian", "Hash"}


def test_nothing_heavy_is_imported_before_an_analysis_runs():
    """Whoever reads settings, or the archive's state, waits for no database."""
    code = "import sys, qsops.compute; print(sorted({'ibis', 'duckdb', 'pyspark', 'pandas'} & set(sys.modules)))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
