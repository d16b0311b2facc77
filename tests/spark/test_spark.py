"""Spark answers what DuckDB answers."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import ibis
import pandas as pd
import pytest

from qsops import analysis, frames
from qsops.analysis import source
from qsops.archive.layout import ATTEMPTS, LOGS, MESSAGES, Layout
from qsops.archive.places import store_at
from qsops.archive.reading import table
from qsops.archive.state import load
from qsops.archive.syncing import sync
from qsops.clock import EPOCH_MS
from qsops.compute import PORTABLE, Choice, answer, open_files, strangers
from tests.analysis.test_against_oracle import QUESTIONS
from tests.archive.killed import END_MS, HALF_MS, log_at
from tests.spark.conftest import MASTER, Tables

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
pytestmark = [
    # Spark's own: sockets that its gateway leaves to the collector, and what PySpark calls that others have deprecated.
    pytest.mark.filterwarnings("ignore:unclosed.*socket:ResourceWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning:pyspark"),
]


@pytest.mark.parametrize("question", QUESTIONS)
def test_spark_answers_what_duckdb_answers(question: str, duckdb_tables: Tables, spark_tables: Tables):
    """Every analysis gives the same frame from both engines, to the last bit."""
    ask = QUESTIONS[question]
    pd.testing.assert_frame_equal(ask(analysis, *spark_tables), ask(analysis, *duckdb_tables))


BILLS: dict[str, Callable[[Tables], pd.DataFrame]] = {
    "cost_shares": lambda tables: analysis.cost_shares(*tables, "url", since=NOON),
    "compare": lambda tables: analysis.compare(*analysis.split_at(tables.messages, NOON), by="url"),
}


@pytest.mark.parametrize("question", BILLS)
def test_spark_counts_what_duckdb_counts(question: str, duckdb_tables: Any, spark_tables: Any):
    """What is computed from the counts is the same for the same counts, to the last bit."""
    pd.testing.assert_frame_equal(BILLS[question](spark_tables), BILLS[question](duckdb_tables))


def operations(table: Any) -> dict[str, Any]:
    """Each operation of the portable subset that has a value of its own, as columns of one row."""
    at, took = table.ended_ms, table.duration_ms
    text = table.error_fingerprint
    whole = at.notnull() & took.notnull()
    return {
        "count": ibis._.count(),
        "count_of": text.count(),
        "count_where": table.count(where=table.outcome == "error"),
        "distinct": table.message_id.nunique(),
        "distinct_where": table.message_id.nunique(where=table.attempt > 1),
        "sum": took.sum(),
        "difference": (at - table.started_ms).sum(),
        "product": (took * 3).max(),
        "remainder": (at % 3_600_000).sum(),
        "least_text": text.min(),
        "largest_where": text.max(where=table.response_status == 500),
        "median": took.median(),
        "quantile": took.quantile(0.95),
        "quantiles": took.quantile([0.25, 0.5, 0.99]),
        "conditions": (whole & ~table.outcome.isin(["error"]) | (table.attempt != 1)).ifelse(1, 0).sum(),
        "between": table.response_status.between(400, 499).ifelse(1, 0).sum(),
        "cases": ibis.cases((took < 10, 1), (took < 100, 2), else_=3).sum(),
        "coalesce": ibis.coalesce(table.response_status, 0).sum(),
        "cast": took.cast("float64").max(),
        "null": text.isnull().ifelse(1, 0).sum(),
        "bounds": ((took >= 5) & (took <= 500)).ifelse(1, 0).sum(),
    }


def shapes(table: Any) -> dict[str, Any]:
    """What becomes of rows: joins, windows, unions."""
    failed = table.filter(table.outcome == "error").select("message_id", "ended_ms", "attempt")
    ids = failed.select(other=failed.message_id).distinct()
    order = {"group_by": "message_id", "order_by": ["attempt"]}
    steps = failed.mutate(
        place=ibis.row_number().over(ibis.window(**order)),
        before=failed.ended_ms.lag().over(ibis.window(**order)),
        so_far=failed.attempt.sum().over(ibis.cumulative_window(**order)),
    )
    joined = table.left_join(ids, table.message_id == ids.other)
    return {
        "windows": steps.agg(place=steps.place.sum(), before=steps.before.sum(), so_far=steps.so_far.sum()),
        "left join": joined.agg(rows=joined.count(), hit=joined.other.count()),
        "semi join": table.semi_join(failed, "message_id").agg(rows=ibis._.count()),
        "union": ibis.union(failed, failed).agg(rows=ibis._.count(), last=ibis._.ended_ms.max()),
    }


def test_the_operations_of_the_subset_agree(duckdb_tables: Tables, spark_tables: Tables):
    """One row holds the answer of each operation; floats agree to twelve digits, all others exactly."""
    answers = []
    for tables in (duckdb_tables, spark_tables):
        expression = tables.attempts.agg(**operations(tables.attempts))
        assert strangers(expression) == set()
        answers.append(source.frame_of(expression).iloc[0].to_dict())
    one, other = answers
    assert [*one.pop("quantiles")] == pytest.approx([*other.pop("quantiles")], rel=1e-12)
    for name, value in one.items():
        assert other[name] == (value if isinstance(value, str) else pytest.approx(value, rel=1e-12)), name


def test_the_shapes_of_the_subset_agree(duckdb_tables: Tables, spark_tables: Tables):
    """Joins, windows in an order without ties, and unions give the same rows."""
    for name, expression in shapes(duckdb_tables.attempts).items():
        assert strangers(expression) == set(), name
        other = shapes(spark_tables.attempts)[name]
        pd.testing.assert_frame_equal(source.frame_of(expression), source.frame_of(other))


def test_no_analysis_leaves_the_subset(monkeypatch: pytest.MonkeyPatch, duckdb_tables: Tables):
    """Whatever is asked is made of operations that both engines are tried with here."""
    asked: set[str] = set()
    answer = source.answer

    def spy(expression: Any) -> Any:
        assert strangers(expression) == set()
        asked.update(type(node).__name__ for node in expression.op().find(ibis.expr.operations.Node))
        return answer(expression)

    monkeypatch.setattr(source, "answer", spy)
    for ask in QUESTIONS.values():
        ask(analysis, *duckdb_tables)
    assert asked <= PORTABLE


def test_no_files_are_an_empty_table(spark_tables: Tables):
    """An archive that was never synced is asked like any other, in both engines."""
    for choice in (Choice("duckdb"), Choice("spark", MASTER)):
        attempts = open_files([], frames.PORTABLE_ATTEMPTS, choice)
        assert analysis.failure_groups(attempts).empty


def _rows(found: Any, layout: Layout) -> pd.DataFrame:
    rows = frames.of_table(answer(found), layout.schema)
    return rows.sort_values(list(rows.columns)).reset_index(drop=True)


@pytest.mark.usefixtures("spark_tables")
def test_an_archive_in_both_engines(tmp_path: Path):
    """Each table has the same rows in Spark as in DuckDB, also after a later sync has replaced some of its files."""
    store = store_at(str(tmp_path), {})
    log = log_at(HALF_MS)
    sync(store, log, log.clock, from_ms=EPOCH_MS, most=100)
    state = load(store)
    assert {file.open for file in state.tables["messages"].files} == {True, False}
    spark = {layout: table(store, state, layout, Choice("spark", MASTER)) for layout in (LOGS, ATTEMPTS, MESSAGES)}
    log.clock.move_to(END_MS)
    sync(store, log, log.clock, from_ms=EPOCH_MS)
    for layout, found in spark.items():
        duck = table(store, state, layout, Choice("duckdb"))
        pd.testing.assert_frame_equal(_rows(found, layout), _rows(duck, layout))
