import asyncio
import sqlite3
from collections.abc import Awaitable, Sequence
from pathlib import Path

import pytest

from qsops.errors import Corrupt
from qsops.models import CallbackReport, LedgerEntry, Publish
from qsops.sqlite import Database, migrations_in
from service.errors import StoreUnavailable
from service.store import (
    Effects,
    LedgerFilter,
    Outgoing,
    Parked,
    Postponed,
    Queued,
    Sent,
    SqliteStore,
    Statement,
    Store,
    Unreadable,
)
from service.store.claims import batches

NOTE = "insert into other_events values (:id, 'note', '1', 0, :payload)"


def entry(event_id: str = "e-1", state: str = "published", **fields: object) -> LedgerEntry:
    return LedgerEntry(event_id, "message", "1", state, 1_000, **fields)  # type: ignore[arg-type]


def outgoing(number: int | str = 1, **fields: object) -> Outgoing:
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


async def test_what_is_received_twice_is_kept_once(store: Store):
    """Of two POSTs with the same event, also at the same moment, one has it; the other is told that it is known."""
    await store.record([entry("e-0", "processed")], [], 1)

    async def receive(*names: str) -> frozenset[str]:
        entries = [entry(name, "queued") for name in names]
        return await store.receive(entries, [outgoing(name, event_id=name) for name in names], 5)

    assert await asyncio.gather(receive("e-0", "e-1"), receive("e-1", "e-2"), receive("e-2")) == [
        {"e-0"},
        {"e-1"},
        {"e-2"},
    ]
    assert await receive("e-0", "e-1", "e-2") == {"e-0", "e-1", "e-2"}
    assert await ids_of(store.take(5, 9, 50)) == ["e-1", "e-2"]
    assert {found.event_id: found.state for found in await ledger_of(store)} == {
        "e-0": "processed",
        "e-1": "queued",
        "e-2": "queued",
    }


async def test_the_outbox_keeps_a_message_as_it_was(store: Store):
    """What is sent later is what would have been sent at once; the same one is kept once."""
    await store.record([], [outgoing(1), outgoing(1), outgoing(2, event_id="e-2")], 5)
    first, second = await store.take(5, 10, 50)
    assert (first.publish, second.publish) == (outgoing(1).publish, outgoing(2).publish)
    assert (first.event_id, second.event_id) == (None, "e-2")


async def test_the_outbox_settles_each_row_by_itself(store: Store):
    """Sent goes, postponed waits, parked stays for a person; the ledger follows."""
    await store.record(
        [entry(f"e-{n}", "queued") for n in range(3)], [outgoing(n, event_id=f"e-{n}") for n in range(3)], 5
    )
    rows = await store.take(5, 10, 50)
    verdicts = [Sent("msg_0"), Postponed("later", 60), Parked("never")]
    await store.settle(list(zip(rows, verdicts, strict=True)), 7)
    backlog = await store.backlog()
    assert (backlog.queued, backlog.parked, backlog.oldest_ms, backlog.due_at_ms) == (1, 1, 5, 60)
    lag = await store.lag()
    assert (lag.queued, lag.parked, lag.oldest_ms, lag.due_at_ms) == (1, 1, 5, None)
    assert await store.take(59, 10, 90) == []
    assert [row.attempts for row in await store.take(60, 10, 90)] == [1]
    assert [
        (found.state, found.message_id, found.published_at_ms, found.reason) for found in await ledger_of(store)
    ] == [
        ("published", "msg_0", 7, None),
        ("queued", None, None, None),
        ("parked", None, None, "never"),
    ]


async def ids_of(taken: Awaitable[Sequence[Queued | Unreadable]]) -> list[str | None]:
    return [row.event_id for row in await taken]


async def fill(store: Store, *rows: tuple[str, str | None]) -> None:
    """Rows of an event and its conversation each."""
    await store.record([], [outgoing(name, event_id=name, conversation=conversation) for name, conversation in rows], 5)


async def test_a_row_that_is_leased_is_nobody_elses(store: Store):
    """While one relay sends a row no other does; once its lease has run out, somebody else may."""
    await fill(store, ("a", None), ("b", None))
    assert await ids_of(store.take(5, 1, 50)) == ["a"]
    assert await ids_of(store.take(5, 9, 60)) == ["b"]
    assert await ids_of(store.take(49, 9, 60, everything=True)) == []
    assert (await store.backlog()).due_at_ms == 50
    assert await ids_of(store.take(50, 9, 60)) == ["a"]


async def test_everything_is_also_what_is_not_due_yet(store: Store):
    """Sent at somebody's word: what waits for its time goes too, each row once; what is parked does not."""
    await store.record([], [outgoing(1, event_id="a", wait_ms=90), outgoing(2, event_id="b", parked=True)], 5)
    assert await ids_of(store.take(5, 9, 50)) == []
    (row,) = await store.take(5, 9, 50, everything=True)
    await store.settle([(row, Postponed("later", 60))], 5)
    assert await store.take(5, 9, 50, everything=True, after=row.row_id) == []


async def test_a_conversation_keeps_its_order(store: Store):
    """A row stays while an earlier one of its conversation is leased, or waits; others pass it; a parked one does not
    hold it up."""
    await fill(store, ("a1", "a"), ("a2", "a"), ("b1", "b"), ("a3", "a"))
    (first,) = await store.take(5, 1, 50)
    assert await ids_of(store.take(5, 9, 50)) == ["b1"]
    await store.settle([(first, Postponed("later", 70))], 6)
    assert await ids_of(store.take(60, 1, 65)) == ["b1"]
    assert (await store.backlog()).due_at_ms == 65
    rows = await store.take(70, 9, 90)
    assert [(row.event_id, row.conversation) for row in rows if isinstance(row, Queued)] == [
        ("a1", "a"),
        ("a2", "a"),
        ("b1", "b"),
        ("a3", "a"),
    ]
    await store.settle([(rows[0], Parked("never")), (rows[1], Postponed("later", 100))], 80)
    assert await ids_of(store.take(99, 9, 200)) == ["b1"]
    assert await ids_of(store.take(100, 9, 200)) == ["a2", "a3"]


async def test_a_claim_that_is_released_can_be_made_again(store: Store):
    """Reprocessing on purpose: the next delivery is the first again."""
    effects = Effects(entry(state="processed"))
    assert await store.commit(effects, 1)
    assert await store.release(["e-1", "e-2"]) == {"e-1"}
    assert await store.release(["e-1"]) == frozenset()
    assert await store.commit(effects, 2)


async def test_old_claims_and_callbacks_go_in_portions(store: Store):
    """Pruning takes what is oldest, never more than it is told, and nothing younger."""
    for number in range(5):
        await store.commit(Effects(entry(f"e-{number}", "processed")), number)
        await store.report(
            CallbackReport(f"m-{number}", 200, "https://a.example", "POST", 0, 5), "delivery", f"e-{number}", number
        )
    assert [await store.prune(3, 2) for _ in range(3)] == [4, 2, 0]
    left = await store.fetch(Statement("select event_id, claimed_at_ms as n from claims order by 1"))
    assert left == [{"event_id": "e-3", "n": 3}, {"event_id": "e-4", "n": 4}]
    callbacks = await store.fetch(Statement("select message_id from callbacks order by 1"))
    assert callbacks == [{"message_id": "m-3"}, {"message_id": "m-4"}]


async def test_claim_and_effects_are_one(store: Store):
    """The effects of the first commit stand, those of a second do not; a failing statement undoes the claim."""
    note = "insert into other_events values (:id, 'note', '1', 0, :text)"
    effects = Effects(
        entry(state="processed", deliveries=1), [Statement(note, {"id": "e-1", "text": "a"})], [outgoing()]
    )
    broken = Effects(effects.entry, [*effects.statements, Statement("insert into nowhere values (1)")], [outgoing()])
    with pytest.raises(Exception, match="nowhere") as raised:
        await store.commit(broken, 1)
    assert not isinstance(raised.value, StoreUnavailable)
    assert (await ledger_of(store), (await store.backlog()).queued) == ([], 0)
    assert [await store.commit(effects, 1), await store.commit(effects, 2)] == [True, False]
    assert await store.fetch(Statement("select payload from other_events")) == [{"payload": "a"}]
    assert (await store.backlog()).queued == 1
    assert [found.deliveries for found in await ledger_of(store)] == [2]


async def test_one_of_a_group_fails_alone(store: Store):
    """Deliveries that are committed together stand each for itself, whichever of them cannot be written."""
    note = "insert into other_events values (:id, 'note', '1', 0, :text)"
    made = {f"e-{n}": Statement(note, {"id": f"e-{n}", "text": "a"}) for n in range(40)}
    made["e-7"] = Statement(note, {"id": "e-7", "text": None})
    made["e-31"] = Statement("insert into nowhere values (1)")
    results = await asyncio.gather(
        *(store.commit(Effects(entry(name, "processed"), [one]), 1) for name, one in made.items()),
        return_exceptions=True,
    )
    assert [name for name, result in zip(made, results, strict=True) if result is not True] == ["e-7", "e-31"]
    assert not any(isinstance(result, StoreUnavailable) for result in results)
    for table in ("claims", "events", "other_events"):
        assert await store.fetch(Statement(f"select count(*) as n from {table}")) == [{"n": 38}]


async def test_of_deliveries_at_once_one_claims(store: Store):
    """An event that is delivered many times at the same moment is processed once; the others are counted."""
    note = Statement("insert into other_events values (:id, 'note', '1', 0, 'a')", {"id": "e-1"})
    effects = Effects(entry(state="processed", deliveries=1), [note], [outgoing()])
    claimed = await asyncio.gather(*(store.commit(effects, 1) for _ in range(9)))
    assert sorted(claimed) == [False] * 8 + [True]
    assert [found.deliveries for found in await ledger_of(store)] == [9]
    assert (await store.backlog()).queued == 1


@pytest.mark.parametrize("retried", [0, 1])
async def test_who_comes_again_with_others_is_a_duplicate_alone(store: Store, retried: int):
    """Of deliveries at once the ones whose events were processed before do nothing, whatever attempt they say it is."""

    def effects(name: str) -> Effects:
        note = Statement("insert into other_events values (:id, 'note', '1', 0, 'a')", {"id": name})
        return Effects(entry(name, "processed", deliveries=retried + 1), [note], [outgoing(name)])

    assert await store.commit(effects("e-2"), 1)
    await store.record([entry("e-4")], [], 1)
    names = ["e-1", "e-2", "e-3", "e-2", "e-4"]
    assert await asyncio.gather(*(store.commit(effects(name), 2) for name in names)) == [True, False, True, False, True]
    rows = await store.fetch(Statement("select event_id, claimed_at_ms as n from claims order by event_id"))
    assert [(row["event_id"], row["n"]) for row in rows] == [("e-1", 2), ("e-2", 1), ("e-3", 2), ("e-4", 2)]
    assert await store.fetch(Statement("select count(*) as n from other_events")) == [{"n": 4}]
    assert (await store.backlog()).queued == 4
    assert {found.event_id: found.deliveries for found in await ledger_of(store)} == {
        "e-1": retried + 1,
        "e-2": retried + 3,
        "e-3": retried + 1,
        "e-4": retried + 1,
    }


async def test_statements_of_an_event_run_in_their_order(store: Store):
    """What a handler does first is done first, whatever else is in the group."""
    steps = [
        "insert into other_events values (:id, 'note', '1', 0, 'a')",
        "update other_events set payload = payload || 'b' where event_id = :id",
        "update other_events set payload = payload || 'c' where event_id = :id",
        "update other_events set payload = payload || 'b' where event_id = :id",
    ]
    names = [f"e-{n}" for n in range(9)]
    await asyncio.gather(
        *(
            store.commit(Effects(entry(name, "processed"), [Statement(sql, {"id": name}) for sql in steps]), 1)
            for name in names
        )
    )
    assert await store.fetch(Statement("select distinct payload from other_events")) == [{"payload": "abcb"}]


async def test_statements_of_an_event_stay_together(store: Store):
    """What one event wrote is what its next statement finds, also when others of its group write the same row."""
    await store.commit(Effects(entry("e-0", "processed"), [Statement(NOTE, {"id": "last", "payload": ""})]), 1)
    steps = [
        "update other_events set payload = :id where event_id = 'last'",
        "insert into other_events select :id, 'note', '1', 0, payload from other_events where event_id = 'last'",
    ]
    names = [f"e-{number}" for number in range(1, 10)]
    # Some say it in one statement more, so that not all of the group are alike.
    made = [[*steps[: number % 2], *steps] for number in range(1, 10)]
    await asyncio.gather(
        *(
            store.commit(Effects(entry(name, "processed"), [Statement(sql, {"id": name}) for sql in texts]), 1)
            for name, texts in zip(names, made, strict=True)
        )
    )
    found = await store.fetch(Statement("select event_id, payload from other_events where event_id <> 'last'"))
    assert {row["event_id"]: row["payload"] for row in found} == {name: name for name in names}


def test_events_that_do_the_same_are_one_batch():
    """To begin a statement costs more than a row of it: one text that many events have is begun once in a group."""
    made = [Effects(entry(f"e-{n}"), [Statement(text, {"n": n})]) for n, text in enumerate("abacab")]
    made.append(Effects(entry("e-6"), [Statement("a", {"n": 6}), Statement("b", {"n": 6})]))
    assert [(batch.sql, [row["n"] for row in batch.rows]) for batch in batches(made)] == [
        ("a", [0, 2, 4, 6]),
        ("b", [6, 1, 5]),
        ("c", [3]),
    ]


async def test_whoever_stops_waiting_leaves_the_others_alone(store: Store):
    """A delivery that is cut off may stand or not; those beside it are written, and the next ones too."""
    await store.open()
    tasks = [asyncio.ensure_future(store.commit(Effects(entry(f"e-{n}", "processed")), 1)) for n in range(9)]
    await asyncio.sleep(0)
    tasks[4].cancel()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert [result for n, result in enumerate(results) if n != 4] == [True] * 8
    assert await store.commit(Effects(entry("e-9", "processed")), 1)


async def test_what_is_closed_is_away(store: Store):
    """A verb after the end is told so, and closing twice is harmless."""
    await store.record([entry()], [], 1)
    await store.aclose()
    await store.aclose()
    with pytest.raises(StoreUnavailable, match="closed"):
        await store.record([entry()], [], 1)
    with pytest.raises(StoreUnavailable, match="closed"):
        await store.fetch(Statement("select 1 as n"))


async def test_a_statement_with_the_wrong_parameters_is_the_handlers_fault(store: Store):
    """An error of the statement comes through as it is: the database is not away."""
    with pytest.raises(Exception, match=r"missing|parameter") as raised:
        await store.fetch(Statement("select :missing"))
    assert not isinstance(raised.value, StoreUnavailable)


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
    await store.aclose()
    await store.aclose()
    again = SqliteStore(tmp_path / "service.db")
    assert await again.known(["e-1"]) == {"e-1"}
    assert (await again.backlog()).queued == 1
    await again.aclose()


async def test_a_file_of_before_is_brought_up_to_date(tmp_path: Path):
    """What the first release left in its outbox is sent by this one."""
    old = Database(tmp_path / "service.db", migrations_in("service.store.migrations")[:2])
    old.write(
        lambda connection: connection.execute(
            "insert into outbox (deduplication_id, path, headers, body, created_at_ms, due_at_ms) "
            "values ('d', '/v2/publish/https://a.example', '[]', x'61', 1, 1)"
        )
    )
    old.close()
    store = SqliteStore(tmp_path / "service.db")
    (row,) = await store.take(1, 9, 50)
    assert isinstance(row, Queued)
    assert (row.publish.destination, row.publish.body) == ("https://a.example", b"a")
    await store.aclose()


async def test_a_database_that_another_process_holds_is_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Locked, full or read-only is no fault of the event: nothing has taken effect, and it says so."""
    monkeypatch.setattr("qsops.sqlite.database._BUSY_TIMEOUT_MS", 1)
    store = SqliteStore(tmp_path / "service.db")
    await store.open()
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
    await store.aclose()


async def test_a_file_that_cannot_be_opened_is_told(tmp_path: Path):
    """A folder in place of the file is a database that is away; a file of something else is none of ours."""
    with pytest.raises(StoreUnavailable):
        await SqliteStore(tmp_path).open()
    (tmp_path / "text.db").write_text("this is no database, though it is long enough to be looked at by SQLite" * 20)
    with pytest.raises(Corrupt, match=r"text\.db"):
        await SqliteStore(tmp_path / "text.db").open()
