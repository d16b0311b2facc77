"""Bills and comparisons come out the same, wherever the counts are made."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pandas as pd
import pytest

from qsops import analysis
from tests.spark.conftest import Tables

pytestmark = [
    pytest.mark.filterwarnings("ignore:unclosed.*socket:ResourceWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning:pyspark"),
]
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
QUESTIONS: dict[str, Callable[[Tables], pd.DataFrame]] = {
    "cost_shares": lambda tables: analysis.cost_shares(*tables, "url", since=NOON),
    "compare": lambda tables: analysis.compare(*analysis.split_at(tables.messages, NOON), by="url"),
}


@pytest.mark.parametrize("question", QUESTIONS)
def test_spark_counts_what_duckdb_counts(question: str, duckdb_tables: Any, spark_tables: Any):
    """What is computed from the counts is the same for the same counts, to the last bit."""
    pd.testing.assert_frame_equal(QUESTIONS[question](spark_tables), QUESTIONS[question](duckdb_tables))
