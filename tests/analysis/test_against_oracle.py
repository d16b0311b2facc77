"""What is asked in a database is what plain pandas finds."""

from collections.abc import Callable
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.planted import live, log_table, plan
from qsops import analysis, fold, frames
from tests.analysis import oracle
from tests.analysis.tables import any_attempts, any_messages, troubled_attempts

Verbs = Any
Ask = Callable[[Verbs, Any, Any], pd.DataFrame]

#: Each question, asked of a module of analyses, messages and attempts.
QUESTIONS: dict[str, Ask] = {
    "outcomes": lambda verbs, messages, attempts: verbs.outcomes(messages),
    "outcomes by queue and hour": lambda verbs, messages, attempts: verbs.outcomes(messages, "queue", "1h"),
    "outcomes of attempts": lambda verbs, messages, attempts: verbs.outcomes(attempts, by="url"),
    "latency": lambda verbs, messages, attempts: verbs.latency(messages),
    "latency by label": lambda verbs, messages, attempts: verbs.latency(messages, by="label"),
    "latency of attempts": lambda verbs, messages, attempts: verbs.latency(attempts, "30min", by="url"),
    "retry ladder": lambda verbs, messages, attempts: verbs.retry_ladder(attempts),
    "failures": lambda verbs, messages, attempts: verbs.failures(attempts),
    "failure groups": lambda verbs, messages, attempts: verbs.failure_groups(attempts),
    "outages": lambda verbs, messages, attempts: verbs.outages(attempts, least_odds=50),
    "backlog": lambda verbs, messages, attempts: verbs.backlog(messages, attempts, "10min"),
    "duplicates": lambda verbs, messages, attempts: verbs.duplicates(attempts),
}


def alike(found: pd.DataFrame, told: pd.DataFrame) -> None:
    """The same columns, rows and values, whichever of pandas' types hold them."""
    assert [*found.columns] == [*told.columns]
    assert len(found) == len(told)
    for name in found:
        one, other = ([None if pd.isna(value) else value for value in frame[name]] for frame in (found, told))
        # A half is rounded up by one and down by the other where it is none in binary.
        assert one == [
            pytest.approx(value, abs=0.1001 if name.endswith("pct") else 0.0011) if isinstance(value, float) else value
            for value in other
        ], name


@pytest.mark.parametrize("question", QUESTIONS)
@given(seed=st.integers(0, 2**31))
@settings(max_examples=6, deadline=None)
def test_any_rows_give_what_pandas_finds(question: str, seed: int):
    """Of any rows, however torn, a verb tells what its plain reading tells, in the same order."""
    messages, attempts = any_messages(seed), any_attempts(seed)
    ask = QUESTIONS[question]
    alike(ask(analysis, messages, attempts), ask(oracle, messages, attempts))


@pytest.mark.parametrize("least_odds", [50, 1e3, 1e6])
def test_outages_are_what_their_definition_says(least_odds: float):
    """Of all stretches of 150 destinations' attempts those with the evidence, found by trying each."""
    attempts = troubled_attempts(7, 150)
    found = analysis.outages(attempts, least_odds=least_odds)
    assert len(found) > 50
    alike(found, oracle.outages(attempts, least_odds=least_odds))


@pytest.fixture(scope="module")
def planted() -> fold.Tables:
    made = plan(5, 20_000, days=2, destinations=5)
    return fold.tables(log_table(made, live(made)))


@pytest.mark.parametrize("question", QUESTIONS)
def test_a_table_gives_what_its_frame_gives(question: str, planted: fold.Tables):
    """Whether rows come as a frame or as a table with the portable columns, the answer is the same to the last bit."""
    ask = QUESTIONS[question]
    messages, attempts = (
        frames.of_table(planted.messages, frames.MESSAGES),
        frames.of_table(planted.attempts, frames.ATTEMPTS),
    )
    found = ask(analysis, planted.messages, planted.attempts)
    pd.testing.assert_frame_equal(found, ask(analysis, messages, attempts))
    alike(found, ask(oracle, messages, attempts))


def test_a_column_of_ones_own_can_be_asked_by():
    """Frames are asked with what people put into them; a column of objects is in nobody's way."""
    messages = any_messages(1).assign(shard=["a", "b"] * 200, note=[{"any": "thing"}, 3] * 200)
    found = analysis.outcomes(messages, by="shard")
    assert set(found["shard"]) == {"a", "b"}
    assert found["messages"].sum() == 400


def test_a_column_that_is_not_there_is_named():
    """Instead of what a database says about it."""
    with pytest.raises(ValueError, match="by='urll': the rows have no such column; they have message_id, url"):
        analysis.latency(any_messages(1), by="urll")


@pytest.mark.parametrize(
    ("ask", "told"),
    [
        (lambda rows: analysis.outcomes(rows, by="state"), "by='state': the answer has a column of this name"),
        (lambda rows: analysis.outcomes(rows, "created_at", "1h"), "by='created_at': the answer has a column"),
        (lambda rows: analysis.latency(rows, by="messages"), "by='messages': the answer has a column of this name"),
        (lambda rows: analysis.compare(rows, rows, by="attempts"), "by='attempts': the answer has a column"),
        (lambda rows: analysis.outcomes(rows, by="labels"), "by='labels': the column holds lists; make a row of each"),
    ],
)
def test_a_column_that_cannot_be_asked_by_is_named(ask: Callable[[pd.DataFrame], Any], told: str):
    """Instead of what a library says about it; and lists are in nobody's way until they are asked by."""
    rows = any_messages(1).assign(messages=1, labels=[["a", "b"], None] * 200)
    assert analysis.outcomes(rows).equals(analysis.outcomes(any_messages(1)))
    with pytest.raises(ValueError, match=told):
        ask(rows)


@pytest.mark.parametrize(
    ("ask", "told"),
    [
        (lambda messages, attempts: analysis.backlog(attempts, messages), "created_at, finished_at; they have message"),
        (lambda messages, attempts: analysis.retry_ladder(messages), "attempt, outcome, ended_at, wait_ms; they have"),
        (lambda messages, attempts: analysis.outages(messages), "attempt, outcome, started_at, ended_at"),
        (lambda messages, attempts: analysis.cost(attempts, messages), "the rows have no column created_at; they have"),
        (lambda messages, attempts: analysis.compare(attempts, attempts), "state, attempts, created_at"),
        (lambda messages, attempts: analysis.outcomes(messages[["url"]]), "the rows have no column outcome; they have"),
        (
            lambda messages, attempts: analysis.latency(messages[["url"]]),
            "the rows have no column duration_ms, started",
        ),
    ],
)
def test_what_is_missing_in_the_rows_is_named(ask: Callable[[pd.DataFrame, pd.DataFrame], Any], told: str):
    """Who hands over messages for attempts is told so by the columns that attempts would have."""
    with pytest.raises(ValueError, match=told):
        ask(any_messages(1), any_attempts(1))


def test_a_frame_may_have_columns_of_any_name():
    """Numbers, and the same name twice, as pandas makes of a pivot or a join."""
    rows = any_messages(1)
    rows = pd.concat([rows.assign(**{"7": 1}).rename(columns={"7": 7}), rows[["url"]]], axis="columns")
    assert analysis.outcomes(rows, by="url").equals(analysis.outcomes(any_messages(1), by="url"))


@pytest.mark.parametrize("odds", [1, 0, -5])
def test_odds_that_are_no_evidence_are_refused(odds: float):
    """At even odds every failure were an outage."""
    with pytest.raises(ValueError, match=f"least_odds={odds} is no evidence"):
        analysis.outages(any_attempts(1), least_odds=odds)


@pytest.mark.parametrize("every", ["0min", "1W", "soon", "-1h", "1us"])
def test_a_width_that_is_none_is_named(every: str):
    """Only fixed widths of whole milliseconds can be counted by on every engine."""
    with pytest.raises(ValueError, match=f"every='{every}' is no fixed width of time"):
        analysis.outcomes(any_messages(1), every=every)


def test_a_table_without_rows_gives_none():
    """As a frame without rows does."""
    empty = frames.PORTABLE_MESSAGES.empty_table(), frames.PORTABLE_ATTEMPTS.empty_table()
    for ask in QUESTIONS.values():
        assert ask(analysis, *empty).empty


def test_what_is_missing_is_null_in_the_answer():
    """Groups without a value are groups, as in pandas with dropna=False."""
    rows = pa.Table.from_pandas(any_attempts(2), preserve_index=False)
    found = analysis.outcomes(rows, by="queue")
    assert found["queue"].isna().any()
    assert found["attempts"].sum() == rows.num_rows
