import json
from typing import Any

import pytest

from qsops.models import CallbackReport, LedgerEntry, Publish
from service.envelope import Event, encode
from service.instagram import mid_of
from service.processing.conversations import merge
from service.samples import ACCOUNT, NAMES, PERSON, TEXT, sample
from service.store import Effects, LedgerFilter, Outgoing, Statement, Store
from service.webhook import events_of

OTHER = "900000000000002"
TABLES = ("direct_messages", "reactions", "reads", "postbacks", "comments", "other_events", "callbacks", "outbox")
#: What no person stands in: a hand-over or an insight of our own account alone.
IMPERSONAL = {"mention", "story_insights", "unknown_change"}


def events_of_person(person: str) -> list[Event]:
    """One of each kind, and a message that still waits."""
    found = []
    for number, name in enumerate(name for name in NAMES if name not in IMPERSONAL):
        body = sample(name, mid=f"{person}-{number}", at_ms=number + 1, person=person)
        text = json.dumps(body).replace(PERSON, person)
        found += events_of(text.encode(), 1)
    return found


async def live(store: Store, person: str) -> None:
    """Everything that a service knows of ``person``."""
    for number, event in enumerate(events_of_person(person)):
        mid = mid_of(event.kind, event.payload)
        entry = LedgerEntry(event.id, event.kind, event.account, "processed", 1, mid=mid)
        await store.commit(Effects(entry, [Statement(*merge(event))]), 1)
        report = CallbackReport(f"m-{event.id}", 500, "https://a.example", "POST", 0, 5, dlq_id=f"dlq-{number}")
        await store.report(report, "failure", event.id, 1)
        message = Publish("https://a.example", encode(event), deduplication_id=event.id)
        await store.record([], [Outgoing(message, event.id)], 1)


async def dump(store: Store) -> dict[str, list[dict[str, Any]]]:
    return {table: await store.fetch(Statement(f"select * from {table} order by 1, 2")) for table in TABLES}


@pytest.mark.parametrize("dry_run", [True, False])
async def test_an_erasure_says_what_it_finds(store: Store, dry_run: bool):
    """A dry run counts what the real one removes, and changes nothing; a second real one finds nothing."""
    await live(store, PERSON)
    before = await dump(store)
    found = await store.erase(PERSON, dry_run=dry_run)
    assert (await dump(store) == before) is dry_run
    assert all(found.values())
    assert any((await store.erase(PERSON, dry_run=False)).values()) is dry_run


async def test_nothing_leads_to_a_person_who_was_erased(store: Store):
    """No table holds their id, a mid of theirs or a word that they wrote; the ledger still counts their events."""
    await live(store, PERSON)
    entries = (await store.ledger(LedgerFilter(), 0, 1000)).items
    assert PERSON in repr(await dump(store))
    await store.erase(PERSON, dry_run=False)
    after = await dump(store)
    ledger = (await store.ledger(LedgerFilter(), 0, 1000)).items
    assert [entry.event_id for entry in ledger] == [entry.event_id for entry in entries]
    assert PERSON not in repr((after, ledger))
    assert TEXT not in repr(after)
    assert {(row["event_id"], row["dlq_id"]) for row in after["callbacks"]} == {(None, None)}


async def test_others_stay_as_they_were(store: Store):
    """An erasure takes one person's rows, and those of nobody else, be they of the same account."""
    await live(store, OTHER)
    before = await dump(store)
    await live(store, PERSON)
    await store.erase(PERSON, dry_run=False)
    after = await dump(store)
    for table in TABLES:
        assert [row for row in before[table] if row not in after[table]] == []


@pytest.mark.parametrize("person", ["", "%", "_", "\\", "x' or 1=1 --", ACCOUNT + "0", "👋"])
async def test_an_id_that_nobody_has_finds_nothing(store: Store, person: str):
    """What looks like a pattern or like SQL is an id like any other."""
    await live(store, PERSON)
    before = await dump(store)
    assert set((await store.erase(person, dry_run=False)).values()) == {0}
    assert await dump(store) == before
