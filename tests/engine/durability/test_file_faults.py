import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.engine.durability.client import Answer, Client, asking
from tests.engine.durability.conftest import Start
from tests.engine.durability.disk import Disk
from tests.engine.durability.receiver import Receiver

NOWHERE = "http://127.0.0.1:1/"
BOUND_S = 60
PUBLISHERS = 8


@contextmanager
def failing(disk: Disk, what: str) -> Iterator[None]:
    disk.does(what)
    yield
    disk.does("ok")


async def arrived(receiver: Receiver, key: str) -> None:
    async with asyncio.timeout(BOUND_S), receiver.progress:
        await receiver.progress.wait_for(lambda: key in receiver.done)


async def test_no_success_leaves_before_its_sync(disk: Disk, start: Start):
    """A 2xx means on disk: between request and answer lies a whole sync of the log, however slow the disk is."""
    async with asking(start().url) as client:
        pending = [(await client.publish(NOWHERE, f"p{n}", delay="1h")).json["messageId"] for n in range(3)]
        disk.does("delay 150")
        batch = json.dumps([{"destination": NOWHERE, "body": "x", "headers": {"Upstash-Delay": "1h"}}] * 3)
        answers: list[Answer] = []

        async def publish(lane: int) -> None:
            answers.extend([await client.publish(NOWHERE, f"{lane}.{turn}", delay="1h") for turn in range(2)])

        async def change() -> None:
            answers.append(await client.ask("POST", "/v2/batch", batch))
            answers.append(await client.ask("DELETE", f"/v2/messages/{pending[0]}"))
            answers.append(await client.ask("DELETE", f"/v2/messages?messageIds={pending[1]}"))
            answers.append(await client.ask("POST", "/v2/keys/rotate"))

        await asyncio.gather(*(publish(lane) for lane in range(PUBLISHERS)), change())
        disk.does("ok")
    syncs = [sync for sync in disk.syncs() if sync.done and sync.name == "engine.db-wal"]
    assert [answer.status for answer in answers] == [200] * (2 * PUBLISHERS + 4)
    for answer in answers:
        assert any(answer.asked_s <= sync.begin_s and sync.end_s <= answer.answered_s for sync in syncs), answer


FAULTS = [("refuse EIO", 503), ("full ENOSPC", 507), ("frozen EROFS", 503)]


@pytest.mark.parametrize(("what", "status"), FAULTS)
async def test_a_failing_disk_is_said_and_got_over(
    disk: Disk, start: Start, receiver: Receiver, what: str, status: int
):
    """While nothing can be stored nothing is accepted; once it can be, the same engine goes on with all it has."""
    engine = start()
    async with asking(engine.url) as client:
        await client.publish(receiver.url, "before", delay="1s")
        with failing(disk, what):
            refused = await asyncio.gather(*(client.publish(receiver.url, "refused") for _ in range(PUBLISHERS)))
            assert {answer.status for answer in refused} == {status}
            assert (await client.ask("GET", "/v2/events")).status == 200
        async with asyncio.timeout(BOUND_S):
            await client.until_accepted(receiver.url, "after")
        await arrived(receiver, "after")
        await arrived(receiver, "before")
    engine.kill()
    async with asking(start().url) as client:
        assert await client.labels() == ["before", "after"]
    assert {arrival.key for arrival in receiver.arrivals} == {"before", "after"}


@pytest.mark.parametrize(("what", "status"), FAULTS)
@pytest.mark.parametrize("well", [True, False])
async def test_what_was_refused_does_not_come_back(disk: Disk, start: Start, what: str, status: int, well: bool):
    """Killed right after it has refused, whether the disk is well by then or not: the next start knows nothing of it.

    A commit whose sync failed stands whole in SQLite's log, and a start that reads the log would take it for good.
    """
    engine = start()
    async with asking(engine.url) as client:
        assert (await client.publish(NOWHERE, "kept", delay="1h")).status == 200
        with failing(disk, what):
            assert (await client.publish(NOWHERE, "refused", delay="1h")).status == status
            if not well:
                engine.kill()
        if well:
            engine.kill()
    async with asking(start().url) as client:
        assert await client.labels() == ["kept"]


@pytest.mark.parametrize(("what", "status"), FAULTS)
async def test_an_outcome_outlives_a_failing_disk(disk: Disk, start: Start, receiver: Receiver, what: str, status: int):
    """The disk fails while a delivery is under way: its outcome is kept until it can be stored, and not asked again."""

    def fail(key: str, count: int) -> str:
        disk.does(what)
        return "200"

    receiver.script = fail
    async with asking(start().url) as client:
        message_id = (await client.publish(receiver.url, "once")).json["messageId"]
        await arrived(receiver, "once")
        assert (await client.publish(NOWHERE, "refused", delay="1h")).status == status
        disk.does("ok")
        async with asyncio.timeout(BOUND_S):
            while await last_state(client, message_id) != "DELIVERED":
                continue
    assert [arrival.key for arrival in receiver.arrivals] == ["once"]


async def last_state(client: Client, message_id: str) -> str:
    return (await client.ask("GET", f"/v2/events?messageId={message_id}")).json["events"][0]["state"]
