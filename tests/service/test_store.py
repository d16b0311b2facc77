import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from qsops.errors import Corrupt
from qsops.models import LedgerEntry, Publish
from service.errors import StoreUnavailable
from service.store import (
    Effects,
    LedgerFilter,
    Outgoing,
    Parked,
    Postponed,
    Sent,
    SqliteStore,
    Statement,
    Store,
)


@pytest.fixture(params=["memory", "file"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """Every implementation of the port; the next one is one more name here."""
    store = SqliteStore(":memory:" if request.param == "memory" else tmp_path / "service.db")
    yield store
    store.close()


def entry(event_id: str = "e-1", state: str = "published", **fields: object) -> LedgerEntry:
    return LedgerEntry(event_id, "message", "1", state, 1_000, **fields)  # type: ignore[arg-type]


def outgoing(number: int = 1, **fields: object) -> Outgoing:
    message = Publish(
        "https://a.example/x?y=%C3%A4%20",
        f"grüße {number} 👋".encode(),
        headers=(("Content-Type", "text/plain"), ("X-A", "1")),
        retries=5,
        timeout_s=30,
        deduplication_id=f"d-{number}",
        labels=("message",),
    )
    return Outgoing(message, **fields)  # type: ignore[arg-type]


async def ledger_of(store: Store, **which: str) -> list[LedgerEntry]:
    return list((await store.ledger(LedgerFilter(**which), 0, 100)).items)


async def test_what_is_recorded_is_known(store: Store):
    """Duplicates are found by the ledger, however many are asked for at once."""
    await store.record([entry(f"e-{number}") for number in range(1_500)], [], 1)
    asked = [f"e-{number}" for number in range(0, 3_000, 2)]
    assert await store.known(asked) == {f"e-{number}" for number in range(0, 1_500, 2)}
    assert await store.known([]) == frozenset()


@pytest.mark.parametrize(
    ("first", "second", "state"),
    [
        ("queued", "published", "published"),
        ("published", "queued", "published"),
        ("processed", "published", "processed"),
        ("dead", "processed", "processed"),
        ("processed", "dead", "processed"),
        ("parked", "published", "published"),
    ],
)
async def test_an_entry_never_goes_back_a_state(store: Store, first: str, second: str, state: str):
    """Concurrent requests, and a consumer that is faster than the webhook, may write in any order."""
    await store.record([entry(state=first)], [], 1)
    await store.record([entry(state=second)], [], 2)
    assert [found.state for found in await ledger_of(store)] == [state]


async def test_the_outbox_keeps_a_message_as_it_was(store: Store):
    """What is sent later is what would have been sent at once; the same one is kept once."""
    await store.record([], [outgoing(1), outgoing(1), outgoing(2, event_id="e-2")], 5)
    first, second = await store.due(5, 10)
    assert (first.publish, second.publish) == (outgoing(1).publish, outgoing(2).publish)
    assert (first.event_id, second.event_id) == (None, "e-2")


async def test_the_outbox_settles_each_row_by_itself(store: Store):
    """Sent goes, postponed waits, parked stays for a person; the ledger follows."""
    await store.record(
        [entry(f"e-{n}", "queued") for n in range(3)], [outgoing(n, event_id=f"e-{n}") for n in range(3)], 5
    )
    rows = await store.due(5, 10)
    verdicts = [Sent("msg_0"), Postponed("later", 60), Parked("never")]
    await store.settle(list(zip(rows, verdicts, strict=True)), 7)
    backlog = await store.backlog()
    assert (backlog.queued, backlog.parked, backlog.oldest_ms, backlog.due_at_ms) == (1, 1, 5, 60)
    assert [row.attempts for row in await store.due(60, 10)] == [1]
    assert await store.due(59, 10) == []
    assert [
        (found.state, found.message_id, found.published_at_ms, found.reason) for found in await ledger_of(store)
    ] == [
        ("published", "msg_0", 7, None),
        ("queued", None, None, None),
        ("parked", None, None, "never"),
    ]


async def test_claim_and_effects_are_one(store: Store):
    """The effects of the first commit stand, those of a second do not; a failing statement undoes the claim."""
    note = "insert into other_events values (:id, 'note', '1', 0, :text)"
    effects = Effects(
        entry(state="processed", deliveries=1), [Statement(note, {"id": "e-1", "text": "a"})], [outgoing()]
    )
    broken = Effects(effects.entry, [*effects.statements, Statement("insert into nowhere values (1)")], [outgoing()])
    with pytest.raises(sqlite3.OperationalError, match="nowhere"):
        await store.commit(broken, 1)
    assert (await ledger_of(store), (await store.backlog()).queued) == ([], 0)
    assert [await store.commit(effects, 1), await store.commit(effects, 2)] == [True, False]
    assert await store.fetch(Statement("select payload from other_events")) == [{"payload": "a"}]
    assert (await store.backlog()).queued == 1
    assert [found.deliveries for found in await ledger_of(store)] == [2]


async def test_a_statement_with_the_wrong_parameters_is_the_handlers_fault(store: Store):
    """An error of the statement comes through as it is: the database is not away."""
    with pytest.raises(sqlite3.ProgrammingError):
        await store.fetch(Statement("select :missing"))


async def test_pages_of_the_ledger_join_without_gap_or_overlap(store: Store):
    """A page's cursor is where the next one begins; the last page has none."""
    await store.record([entry(f"e-{number}") for number in range(5)], [], 1)
    page = await store.ledger(LedgerFilter(), 0, 2)
    seen = list(page.items)
    while page.cursor is not None:
        page = await store.ledger(LedgerFilter(), int(page.cursor), 2)
        seen += page.items
    assert [found.event_id for found in seen] == [f"e-{number}" for number in range(5)]


async def test_what_was_answered_survives_the_process(tmp_path: Path):
    """A file that is opened again has what was committed."""
    store = SqliteStore(tmp_path / "service.db")
    await store.record([entry()], [outgoing()], 1)
    store.close()
    store.close()
    again = SqliteStore(tmp_path / "service.db")
    assert await again.known(["e-1"]) == {"e-1"}
    assert (await again.backlog()).queued == 1
    again.close()


async def test_a_database_that_another_process_holds_is_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Locked, full or read-only is no fault of the event: nothing has taken effect, and it says so."""
    monkeypatch.setattr("qsops.sqlite.database._BUSY_TIMEOUT_MS", 1)
    store = SqliteStore(tmp_path / "service.db")
    holder = sqlite3.connect(tmp_path / "service.db", isolation_level=None)
    holder.execute("begin immediate")
    with pytest.raises(StoreUnavailable, match="locked"):
        await store.record([entry()], [], 1)
    with pytest.raises(StoreUnavailable):
        await store.ping()
    assert await store.known(["e-1"]) == frozenset()
    holder.execute("rollback")
    holder.close()
    await store.record([entry()], [], 1)
    store.close()


def test_a_file_that_cannot_be_opened_is_told(tmp_path: Path):
    """A folder in place of the file, or a file of something else: said at start."""
    with pytest.raises(StoreUnavailable):
        SqliteStore(tmp_path)
    (tmp_path / "text.db").write_text("this is no database, though it is long enough to be looked at by SQLite" * 20)
    with pytest.raises(Corrupt, match=r"text\.db"):
        SqliteStore(tmp_path / "text.db")
