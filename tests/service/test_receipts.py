import asyncio

from qsops.models import LedgerEntry, Publish
from service.store import LedgerFilter, Outgoing, Store


def entry(name: str, state: str = "queued") -> LedgerEntry:
    return LedgerEntry(name, "message", "1", state, 1)


def outgoing(name: str) -> Outgoing:
    return Outgoing(Publish("https://a.example", deduplication_id=f"d-{name}"), name)


async def receive(store: Store, *names: str) -> frozenset[str]:
    return await store.receive([entry(name) for name in names], [outgoing(name) for name in names], 1)


async def waiting(store: Store) -> list[str | None]:
    return [row.event_id for row in await store.take(1, 100, 2)]


async def test_what_is_new_is_written_with_its_message(store: Store):
    """Received events stand in ledger and outbox, in their order, with one call."""
    assert await receive(store, "a", "b", "c") == frozenset()
    assert [one.event_id for one in (await store.ledger(LedgerFilter(), 0, 10)).items] == ["a", "b", "c"]
    assert await waiting(store) == ["a", "b", "c"]


async def test_what_is_known_is_told_and_not_sent_again(store: Store):
    """An event that was received, or processed, before gets no second row, even after its first was sent."""
    await store.record([entry("a", "published"), entry("b", "processed")], [], 1)
    assert await receive(store, "a", "b", "c") == {"a", "b"}
    assert await waiting(store) == ["c"]
    assert [one.state for one in (await store.ledger(LedgerFilter(), 0, 10)).items] == [
        "published",
        "processed",
        "queued",
    ]


async def test_repeats_that_overlap_are_one(store: Store):
    """Meta may repeat a POST while the first is being written: each event is sent once."""
    await asyncio.gather(*(receive(store, "a", "b") for _ in range(20)))
    assert await waiting(store) == ["a", "b"]
    assert len((await store.ledger(LedgerFilter(), 0, 10)).items) == 2


async def test_overlapping_posts_are_told_their_own(store: Store):
    """Posts that are written together each hear which of their own events were known."""
    await receive(store, "a")
    told = await asyncio.gather(receive(store, "a", "b"), receive(store, "c"), receive(store, "a", "d"))
    assert told == [{"a"}, frozenset(), {"a"}]
    assert sorted(map(str, await waiting(store))) == ["a", "b", "c", "d"]


async def test_what_is_recorded_twice_waits_once(store: Store):
    """Of two POSTs of one event at the same moment one message is left to be sent, and none if one was published."""
    failed = [store.record([entry(name)], [outgoing(name)], 1) for name in ("a", "a", "b")]
    await asyncio.gather(*failed)
    await store.record([entry("b"), entry("c")], [outgoing("b"), outgoing("c")], 1)
    await store.record([entry("d", "published")], [], 1)
    await store.record([entry("d")], [outgoing("d")], 1)
    assert sorted(map(str, await waiting(store))) == ["a", "b", "c"]
    states = {one.event_id: one.state for one in (await store.ledger(LedgerFilter(), 0, 10)).items}
    assert states == {"a": "queued", "b": "queued", "c": "queued", "d": "published"}


async def test_a_message_without_an_entry_of_its_own_is_put_in(store: Store):
    """An event that is processed once more is sent once more, though the ledger has had it long since."""
    await store.record([entry("a", "processed")], [], 1)
    await store.record([], [outgoing("a")], 1)
    assert await waiting(store) == ["a"]
