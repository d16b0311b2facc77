import sqlite3
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qsops.clock import ManualClock, SeededIds
from qsops.engine.core.attempts import Outcome, ReportIds, Settled
from qsops.engine.core.dead_letters import dead_letters, remove
from qsops.engine.core.due import due, next_due_ms
from qsops.engine.core.intake import accept
from qsops.engine.core.logs import read_logs
from qsops.engine.core.pending import FIRST, cancel, read_message
from qsops.engine.core.settlement import settle
from qsops.engine.engine import Engine, open_engine
from qsops.models import CancelFilter, DlqFilter, LogFilter, Message, Page

ACCOUNT = 1
DEAD = Outcome(500)


def opened() -> Engine:
    clock = ManualClock()
    return open_engine(":memory:", clock=clock, ids=SeededIds(clock), quota="payg", wake=lambda: None)


def bury_one(engine: Engine, connection: sqlite3.Connection) -> None:
    """Accept a message and fail it for good."""
    now_ms = engine.clock.now_ms()
    message = Message(engine.ids.make("msg_"), "https://a.test/", now_ms, now_ms, max_retries=0)
    accept(connection, ACCOUNT, message, now_ms)
    for attempt in due(connection, now_ms, limit=10, in_flight={}).attempts:
        settle(connection, [Settled(attempt, DEAD, now_ms, ReportIds())], engine.plan)


STEPS = st.lists(st.one_of(st.just("new"), st.just("page"), st.integers(0, 9)), max_size=40)


@given(steps=STEPS, size=st.integers(1, 5), earliest_first=st.booleans())
def test_no_entry_is_skipped_or_repeated(steps: list, size: int, earliest_first: bool):
    """Whatever is added or deleted between pages: what stays from first to last is listed once, and nothing twice."""
    engine = opened()
    wanted = DlqFilter(earliest_first=earliest_first)

    def page(connection: sqlite3.Connection, cursor: str | None) -> Page:
        return dead_letters(connection, ACCOUNT, wanted, cursor=cursor, limit=size)

    def everything(connection: sqlite3.Connection) -> list[str]:
        return [letter.dlq_id for letter in dead_letters(connection, ACCOUNT, wanted, limit=100).items]

    def story(connection: sqlite3.Connection) -> None:
        for _ in range(7):
            bury_one(engine, connection)
        staying = set(everything(connection))
        seen: list[str] = []
        at = page(connection, None)
        seen += [letter.dlq_id for letter in at.items]
        for step in [*steps, *["page"] * 60]:
            if step == "new":
                bury_one(engine, connection)
            elif step == "page" and at.cursor is not None:
                at = page(connection, at.cursor)
                seen += [letter.dlq_id for letter in at.items]
            elif isinstance(step, int):
                ids = everything(connection)
                if step < len(ids):
                    assert remove(connection, ACCOUNT, ids[step])
                    staying.discard(ids[step])
        assert len(seen) == len(set(seen))
        assert staying <= set(seen)

    engine.database.write(story)
    engine.database.close()


class Explained:
    """A connection that notes how SQLite goes about each query."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self.plan: list[str] = []

    def execute(self, query: str, parameters: object = ()) -> sqlite3.Cursor:
        self.plan += [row[3] for row in self._connection.execute(f"explain query plan {query}", parameters)]
        return self._connection.execute(query, parameters)


@pytest.fixture
def explained() -> Iterator[Explained]:
    engine = opened()
    yield engine.database.read(Explained)
    engine.database.close()


FILTERS = {
    "all": LogFilter(),
    "state": LogFilter(states=("FAILED",)),
    "states": LogFilter(states=("FAILED", "DELIVERED")),
    "url": LogFilter(urls=("https://a.test/",)),
    "label": LogFilter(labels=("l",), from_ms=1),
    "earliest": LogFilter(earliest_first=True),
}


@pytest.mark.parametrize("name", FILTERS)
def test_a_page_of_the_log_is_read_in_its_order(explained: Explained, name: str):
    """A page costs what it holds: the log is walked along its order, never sorted, however long it is."""
    read_logs(explained, ACCOUNT, FILTERS[name], cursor="1-5", limit=10)
    assert not [step for step in explained.plan if "TEMP B-TREE" in step or step in ("SCAN l", "SCAN m")]


def test_the_log_of_a_message_is_found_by_its_id(explained: Explained):
    """Reading one message's log does not walk the others'."""
    read_logs(explained, ACCOUNT, LogFilter(message_ids=("msg_1", "msg_2")), cursor=None, limit=10)
    assert any("INDEX log_message" in step for step in explained.plan)
    assert not [step for step in explained.plan if step.startswith("SCAN l")]


def test_the_hot_queries_walk_an_index(explained: Explained):
    """What is due, the next due time, one message and a portion of a cancel come from an index, in its order."""
    due(explained, 1, limit=10, in_flight={1: 1})
    next_due_ms(explained, {1: 1})
    read_message(explained, ACCOUNT, "msg_1", 1)
    cancel(explained, ACCOUNT, CancelFilter(), 10, 1, FIRST)
    dead_letters(explained, ACCOUNT, DlqFilter(), limit=10)
    assert not [step for step in explained.plan if "TEMP B-TREE" in step]
    assert not [step for step in explained.plan if step.startswith("SCAN")]


def test_a_cancel_of_few_does_not_search_all_that_is_pending(explained: Explained):
    """A label that few messages carry leads to these by the index, however long the backlog is."""
    cancel(explained, ACCOUNT, CancelFilter(labels=("rare",)), 10, 1, FIRST)
    assert any("INDEX log_trait" in step for step in explained.plan)
    assert not [step for step in explained.plan if step.startswith(("SCAN p", "SEARCH p USING INDEX pending"))]
