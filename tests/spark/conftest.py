"""One small Spark for all of these tests, and one log in both engines."""

import shutil
from collections.abc import Iterator
from typing import Any, NamedTuple

import pyarrow.parquet as pq
import pytest

from bench.planted import live, log_table, plan
from qsops import fold, frames
from qsops.compute import Choice, open_files

MASTER = "local[2]"


class Tables(NamedTuple):
    """The same rows as Ibis tables of one engine."""

    messages: Any
    attempts: Any


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """A planted log, folded and written as archives are: several files a table."""
    made = plan(11, 4_000, days=1, destinations=3)
    folded = fold.tables(log_table(made, live(made)))
    folder = tmp_path_factory.mktemp("tables")
    paths: dict[str, list[str]] = {}
    for name, table in folded._asdict().items():
        half = table.num_rows // 2
        for number, part in enumerate((table.slice(0, half), table.slice(half))):
            path = folder / f"{name}-{number}.parquet"
            pq.write_table(part, path)
            paths.setdefault(name, []).append(str(path))
    return paths


def opened(files: dict[str, list[str]], choice: Choice) -> Tables:
    """The tables of ``files`` in the engine of ``choice``."""
    return Tables(
        open_files(files["messages"], frames.PORTABLE_MESSAGES, choice),
        open_files(files["attempts"], frames.PORTABLE_ATTEMPTS, choice),
    )


@pytest.fixture(scope="session")
def duckdb_tables(files: dict[str, list[str]]) -> Tables:
    """In DuckDB."""
    return opened(files, Choice("duckdb"))


@pytest.fixture(scope="session")
def spark_tables(files: dict[str, list[str]]) -> Iterator[Tables]:
    """In Spark; its session ends with the tests."""
    if shutil.which("java") is None:
        pytest.skip("Spark runs on Java, and there is no java on this machine")
    with pytest.MonkeyPatch.context() as patch:
        # A Java that lives for seconds earns nothing by compiling well.
        patch.setenv("JDK_JAVA_OPTIONS", "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC")
        tables = opened(files, Choice("spark", MASTER))
    session = tables.messages.get_backend()._session
    # To compile each query takes longer than to answer it on so few rows.
    session.conf.set("spark.sql.codegen.wholeStage", "false")
    yield tables
    session.stop()
