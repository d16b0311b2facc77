"""Groups of failures in the store, on every database that it has."""

from qsops.models import CallbackReport, LedgerEntry, Publish
from service.store import Cause, Effects, Outgoing, Sent, Statement, Store, Unreadable
from service.store.failures import GROUPS, OTHERS

LONG_AGO, LIMIT = 0, 10


def report(message_id: str = "msg_1") -> CallbackReport:
    return CallbackReport(message_id, 500, "https://a.example", "POST", 5, 5)


async def fail(
    store: Store, message_id: str, now_ms: int, cause: str = "answered 500", kind: str | None = "message"
) -> bool:
    return await store.report(report(message_id), "failure", "e-1", now_ms, Cause(cause, kind))


async def process(store: Store, event_id: str, now_ms: int, kind: str = "message") -> None:
    entry = LedgerEntry(event_id, kind, "1", "processed", now_ms, processed_at_ms=now_ms)
    assert await store.commit(Effects(entry), now_ms)


async def test_a_group_is_told_once(store: Store):
    """Many failures for one cause are one thing to tell, and nothing more once it was told."""
    for number in range(3):
        assert await fail(store, f"msg_{number}", 1_000 + number)
    (group,) = await store.untold(2_000, 9_000, LONG_AGO, LIMIT)
    assert (group.cause, group.messages, group.first_at_ms, group.last_at_ms, group.passed) == (
        "answered 500", 3, 1_000, 1_002, False
    )  # fmt: skip
    await store.told(group, 2_001)
    await fail(store, "msg_9", 3_000)
    assert await store.untold(3_001, 9_000, LONG_AGO, LIMIT) == []


async def test_a_failure_that_is_reported_twice_counts_once(store: Store):
    """A callback comes at least once."""
    assert [await fail(store, "msg_1", 1_000) for _ in range(2)] == [True, False]
    assert [group.messages for group in await store.untold(2_000, 9_000, LONG_AGO, LIMIT)] == [1]


async def test_one_of_several_tells_and_another_if_it_dies(store: Store):
    """A lease keeps a group with one process; when it runs out another one tells."""
    await fail(store, "msg_1", 1_000)
    assert len(await store.untold(2_000, 5_000, LONG_AGO, LIMIT)) == 1
    assert await store.untold(4_999, 9_000, LONG_AGO, LIMIT) == []
    assert len(await store.untold(5_000, 9_000, LONG_AGO, LIMIT)) == 1


async def test_it_has_passed_when_it_is_quiet_and_its_kind_succeeds(store: Store):
    """Silence alone is no recovery: an event of the same kind has to be processed."""
    await fail(store, "msg_1", 1_000)
    (group,) = await store.untold(2_000, 2_000, LONG_AGO, LIMIT)
    await store.told(group, 2_000)
    await process(store, "e-2", 3_000, kind="comment")
    assert await store.untold(9_000, 9_000, 8_000, LIMIT) == []
    await process(store, "e-3", 4_000)
    assert await store.untold(9_000, 9_000, 999, LIMIT) == []
    (group,) = await store.untold(9_000, 9_000, 8_000, LIMIT)
    assert group.passed
    await store.told(group, 9_000)
    assert await store.untold(9_001, 9_001, 9_000, LIMIT) == []


async def test_a_failure_while_it_is_told_that_it_has_passed_begins_anew(store: Store):
    """Nothing that fails goes untold, whatever it is told in between."""
    await fail(store, "msg_1", 1_000, kind=None)
    (group,) = await store.untold(2_000, 2_000, LONG_AGO, LIMIT)
    await store.told(group, 2_000)
    (group,) = await store.untold(9_000, 12_000, 8_000, LIMIT)
    await fail(store, "msg_2", 10_000, kind=None)
    await store.told(group, 11_000)
    (group,) = await store.untold(11_001, 12_000, LONG_AGO, LIMIT)
    assert (group.passed, group.messages, group.first_at_ms) == (False, 1, 10_000)


async def test_groups_are_bounded(store: Store):
    """What fails for ever new reasons fills a bounded table, and is told as that."""
    for number in range(GROUPS + 20):
        await fail(store, f"msg_{number}", 1_000 + number, f"cause {number}")
    groups = await store.untold(5_000, 9_000, LONG_AGO, 1_000)
    assert len(groups) == GROUPS + 1
    assert [group.messages for group in groups if group.cause == OTHERS] == [20]


async def park(store: Store, name: str, reason: str, now_ms: int) -> None:
    message = Publish("https://a.example", deduplication_id=name)
    await store.record([], [Outgoing(message, reason=reason, parked=True)], now_ms)


async def test_what_is_parked_is_a_group_for_each_reason(store: Store):
    """By what was refused, and not by what the refusal says; those that only wait are none of it."""
    for number, reason in enumerate(["rejected: no URL 'x'", "rejected: other", "too_large: 9", "malformed: row 4"]):
        await park(store, f"d-{number}", reason, 1_000 + number)
    waiting = Outgoing(Publish("https://a.example", deduplication_id="d-w"), reason="rejected: waits all the same")
    await store.record([], [waiting], 1_000)
    found = await store.untold(2_000, 9_000, LONG_AGO, LIMIT)
    assert {(group.messages, group.first_at_ms, group.last_at_ms, group.is_parked) for group in found} == {
        (2, 1_000, 1_001, True), (1, 1_002, 1_002, True), (1, 1_003, 1_003, True)
    }  # fmt: skip
    assert len({group.cause for group in found}) == 3
    assert await store.untold(2_001, 9_000, LONG_AGO, LIMIT) == []


async def test_a_parked_group_has_passed_when_the_last_of_it_is_gone(store: Store):
    """However long it has been quiet: as long as one is there, somebody has to look."""
    await park(store, "d-1", "rejected: a", 1_000)
    await park(store, "d-2", "too_large: b", 1_000)
    for group in await store.untold(2_000, 9_000, LONG_AGO, LIMIT):
        await store.told(group, 2_000)
    assert await store.untold(50_000, 60_000, 50_000, LIMIT) == []
    rows = await store.fetch(Statement("select id from outbox where deduplication_id = 'd-1'"))
    await store.settle([(Unreadable(rows[0]["id"], None, ""), Sent("msg_1"))], 50_000)
    (gone,) = await store.untold(50_000, 60_000, 50_000, LIMIT)
    assert (gone.passed, gone.is_parked, gone.messages) == (True, True, 1)
    await store.told(gone, 50_000)
    assert await store.untold(99_000, 99_999, 99_000, LIMIT) == []
