"""What happened before a range to the messages in it: without their beginning, nobody can number their attempts."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from qsops.client import Client
from qsops.models import LogEntry, LogFilter, State
from qsops.trace.pulling import pull

__all__ = ["headless", "pull_with_heads"]

#: Ids travel in the query of a request, which has to stay short.
_IDS_A_REQUEST: Final = 50
#: A bound on what one pull may cost; the messages beyond it keep their nulls.
_HEADS_LIMIT: Final = 10_000


def headless(entries: Iterable[LogEntry]) -> list[str]:
    """The ids of messages whose CREATED is not among ``entries``, sorted."""
    seen = {(entry.message_id, entry.state == State.CREATED) for entry in entries}
    return sorted(message_id for message_id, created in seen if not created and (message_id, True) not in seen)


async def pull_with_heads(
    client: Client, which: LogFilter, *, bodies: bool = True, progress: Callable[[int], object] | None = None
) -> list[LogEntry]:
    """As :func:`~qsops.trace.pull`, and of each message in the range also what came before it.

    Of at most 10,000 messages that began earlier. What the service has forgotten does not come, and stays null when it
    is folded. ``which`` must select by message and time alone: with a filter on states a story has holes.
    """
    entries = await pull(client, which, bodies=bodies, progress=progress)
    if which.from_ms is None:
        return entries
    ids = [message_id for message_id in headless(entries) if message_id][:_HEADS_LIMIT]
    heads: list[LogEntry] = []
    for start in range(0, len(ids), _IDS_A_REQUEST):
        asked = LogFilter(message_ids=tuple(ids[start : start + _IDS_A_REQUEST]), to_ms=which.from_ms - 1)
        heads += await pull(client, asked, bodies=bodies, progress=progress)
    return sorted(heads, key=lambda entry: entry.time_ms) + entries
