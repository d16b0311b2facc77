"""The ways to a page of the log: whichever is taken, it is the page that reading everything would give."""

import sqlite3
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qsops.clock import EPOCH_MS, ManualClock, SeededIds
from qsops.engine.core import finding
from qsops.engine.core.intake import accept
from qsops.engine.core.journal import write_state
from qsops.engine.core.logs import read_logs
from qsops.engine.core.spans import widen
from qsops.engine.engine import Engine, open_engine
from qsops.models import LogEntry, LogFilter, Message

ACCOUNTS = (1, 2)
URLS = ("https://a.test/x", "https://a.test/y", "https://b.test/x")
LABELS = ("red", "green", "blue")
STATES = ("CREATED", "ACTIVE", "ERROR", "DELIVERED")

MESSAGES = st.lists(
    st.tuples(
        st.sampled_from(ACCOUNTS),
        st.sampled_from(URLS),
        st.sets(st.sampled_from(LABELS)).map(lambda found: tuple(sorted(found))),
        st.lists(st.sampled_from(STATES[1:]), max_size=4),
    ),
    max_size=25,
)
FILTERS = st.builds(
    LogFilter,
    urls=st.lists(st.sampled_from(URLS), max_size=2).map(tuple),
    hosts=st.lists(st.sampled_from(("a.test", "b.test", "c.test")), max_size=1).map(tuple),
    paths=st.lists(st.sampled_from(("/x", "/y")), max_size=1).map(tuple),
    labels=st.lists(st.sampled_from((*LABELS, "none")), max_size=2).map(tuple),
    states=st.lists(st.sampled_from(STATES), max_size=2).map(tuple),
    from_ms=st.none() | st.integers(EPOCH_MS, EPOCH_MS + 12),
    to_ms=st.none() | st.integers(EPOCH_MS, EPOCH_MS + 12),
    earliest_first=st.booleans(),
)
#: The clock may be set back: the order of the log is that of its commits, whatever their times.
TIMES = st.lists(st.integers(-2, 3), min_size=1, max_size=20)
#: The last line of this span of 4,096, of an account that nobody asks about; the next line begins another.
END_OF_SPAN = """
    insert into log (seq, account, message, trait, time_ms, state)
    select (max(seq) >> 12 << 12) + 4095, 3, 0, 0, ?, 'CREATED' from log
"""


def opened() -> Engine:
    clock = ManualClock()
    return open_engine(":memory:", clock=clock, ids=SeededIds(clock), quota="payg", wake=lambda: None)


def written(engine: Engine, connection: sqlite3.Connection, messages: list[Any], times: list[int]) -> None:
    """The messages, and then their further steps in turn, at times that go to and fro."""
    at_ms, rest = EPOCH_MS, []
    for account, url, labels, states in messages:
        message = Message(engine.ids.make("msg_"), url, EPOCH_MS, EPOCH_MS, labels=labels)
        accept(connection, account, message, at_ms, plan=engine.plan)
        seq, trait = connection.execute("select seq, trait from messages order by seq desc limit 1").fetchone()
        rest += [(index, account, seq, trait, state) for index, state in enumerate(states)]
    for step, (_, account, seq, trait, state) in enumerate(sorted(rest)):
        at_ms = max(EPOCH_MS, at_ms + times[step % len(times)])
        write_state(connection, account, seq, trait, state, at_ms)
        if step % 3 == 2:
            line = connection.execute(END_OF_SPAN, (at_ms,)).lastrowid
            assert line is not None
            widen(connection, line, line, at_ms, at_ms)


def matches(entry: LogEntry, wanted: LogFilter) -> bool:
    """What a filter means, said once more without an index."""
    assert entry.url is not None
    host, _, path = entry.url.removeprefix("https://").partition("/")
    return (
        (not wanted.urls or entry.url in wanted.urls)
        and (not wanted.hosts or host in wanted.hosts)
        and (not wanted.paths or f"/{path}" in wanted.paths)
        and (not wanted.labels or not set(entry.labels).isdisjoint(wanted.labels))
        and (not wanted.states or entry.state in wanted.states)
        and (wanted.from_ms is None or entry.time_ms >= wanted.from_ms)
        and (wanted.to_ms is None or entry.time_ms <= wanted.to_ms)
    )


def whole(connection: sqlite3.Connection, account: int, wanted: LogFilter, size: int) -> list[LogEntry]:
    """All pages, of ``size`` entries each."""
    found: list[LogEntry] = []
    cursor = None
    while True:
        page = read_logs(connection, account, wanted, cursor=cursor, limit=size)
        found += page.items
        if page.cursor is None:
            return found
        cursor = page.cursor


@pytest.mark.parametrize("followed", [0, 1, 100])
@given(messages=MESSAGES, times=TIMES, wanted=FILTERS, size=st.integers(1, 7), account=st.sampled_from(ACCOUNTS))
def test_every_way_leads_to_the_same_page(
    followed: int, messages: list, times: list, wanted: LogFilter, size: int, account: int
):
    """Few traits, many, or too many: the entries that match are listed once, in the order of the log."""
    with pytest.MonkeyPatch.context() as patch:
        most = f"limit {followed + 1}"
        patch.setattr(finding, "_FOLLOWED", followed)
        for name in ("_LATEST_HEADS", "_EARLIEST_HEADS"):
            patch.setattr(finding, name, getattr(finding, name).rpartition("limit")[0] + most)
        engine = opened()

        def story(connection: sqlite3.Connection) -> tuple[list[LogEntry], list[LogEntry]]:
            written(engine, connection, messages, times)
            everything = whole(connection, account, LogFilter(earliest_first=wanted.earliest_first), 1_000)
            return whole(connection, account, wanted, size), [one for one in everything if matches(one, wanted)]

        found, expected = engine.database.write(story)
        engine.database.close()
    assert found == expected


def test_the_ends_of_a_span_belong_to_it():
    """A date that is exactly the first or last of a span's is within it: both ends of a filter are inclusive."""
    engine = opened()

    def story(connection: sqlite3.Connection) -> None:
        written(engine, connection, [(1, URLS[0], (), ["ACTIVE", "ERROR", "DELIVERED"])], [7])
        last_ms = EPOCH_MS + 21
        for wanted in (LogFilter(from_ms=last_ms), LogFilter(to_ms=EPOCH_MS)):
            assert len(read_logs(connection, 1, wanted, cursor=None, limit=9).items) == 1, wanted

    engine.database.write(story)
    engine.database.close()
