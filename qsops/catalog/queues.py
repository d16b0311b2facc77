"""Queues: list them, set one up, hold it, let it go on, drop it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from qsops.catalog.frames import Column, frame_of
from qsops.client import Client
from qsops.errors import Rejected
from qsops.models import Queue, QueueSpec
from qsops.publish import checks
from qsops.wire import queues as wire

if TYPE_CHECKING:  # pandas takes a third of a second to load, which all but a listing does without.
    import pandas as pd

__all__ = ["delete", "frame", "pause", "read", "read_all", "resume", "upsert"]

_COLUMNS: Final[tuple[Column[Queue], ...]] = (
    ("queue", "str", lambda queue: queue.name),
    ("paused", "bool", lambda queue: queue.paused),
    ("parallelism", "Int64", lambda queue: queue.parallelism),
    ("lag", "Int64", lambda queue: queue.lag),
    ("created_at", "time", lambda queue: queue.created_at_ms or None),
    ("updated_at", "time", lambda queue: queue.updated_at_ms or None),
)


async def read_all(client: Client) -> tuple[Queue, ...]:
    """All queues of the account."""
    return wire.parse_queues(await client.ask(wire.queues_request(), repeatable=True))


async def read(client: Client, name: str) -> Queue:
    """One queue.

    :raises Rejected: 404, there is none.
    """
    request = wire.queue_request(checks.name("queue", name))
    return wire.parse_queue_response(await client.ask(request, repeatable=True))


async def upsert(client: Client, name: str, *, parallelism: int | None = None, paused: bool | None = None) -> None:
    """Make a queue, or change of it what is given.

    What is not given stays as it is: on the wire it would fall back to its default, so the queue is read before.
    A new one has a parallelism of 1, and is not paused.
    """
    checks.at_least(1, "parallelism", checks.count("parallelism", parallelism))
    if parallelism is None or paused is None:
        known = await _known(client, name)
        parallelism = known.parallelism if parallelism is None else parallelism
        paused = known.paused if paused is None else paused
    spec = QueueSpec(checks.name("queue", name), parallelism, paused)
    await client.ask(wire.queue_upsert_request(spec), repeatable=True)


async def pause(client: Client, name: str) -> None:
    """Deliver none of its messages from now on; new ones are taken and wait."""
    await client.ask(wire.queue_pause_request(checks.name("queue", name)), repeatable=True)


async def resume(client: Client, name: str) -> None:
    """Go on with its earliest message."""
    await client.ask(wire.queue_resume_request(checks.name("queue", name)), repeatable=True)


async def delete(client: Client, name: str) -> None:
    """Drop the queue. What becomes of messages that wait in it QStash does not say; our engine delivers them.

    :raises Rejected: 404, there is none; to the wire one that is not there is deleted, too.
    """
    await read(client, name)
    await client.ask(wire.queue_delete_request(checks.name("queue", name)), repeatable=True)


def frame(queues: Sequence[Queue]) -> pd.DataFrame:
    """Queues as a frame, a row each: queue, paused, parallelism, lag (messages not delivered yet), times."""
    return frame_of(queues, _COLUMNS)


async def _known(client: Client, name: str) -> Queue:
    """The queue as it is, or as a new one would be."""
    try:
        return await read(client, name)
    except Rejected as error:
        if error.status != 404:
            raise
        return Queue(name, created_at_ms=0, updated_at_ms=0)
