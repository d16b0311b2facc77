"""What happened before a range to the messages in it: without their beginning, nobody can number their attempts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from qsops.client import Client
from qsops.models import LogFilter, State
from qsops.trace.pulling import pull_tables
from qsops.trace.walking import Progress

__all__ = ["head_filters", "headless", "pull_with_heads"]

#: Ids travel in the query of a request, which has to stay short.
_IDS_A_REQUEST: Final = 50
#: A bound on what one pull may cost; the messages beyond it keep their nulls.
_HEADS_LIMIT: Final = 10_000


def headless(tables: Sequence[pa.Table]) -> list[str]:
    """The ids of messages whose CREATED is not among the entries of ``tables``, sorted."""
    if not tables:
        return []
    entries = pa.concat_tables([table.select(["message_id", "state"]) for table in tables])
    begun = entries.filter(pc.field("state") == State.CREATED)["message_id"]
    ids = entries["message_id"].unique()
    return sorted(ids.filter(pc.invert(pc.is_in(ids, value_set=begun.combine_chunks()))).to_pylist())


async def pull_with_heads(client: Client, which: LogFilter, *, progress: Progress | None = None) -> list[pa.Table]:
    """As :func:`~qsops.trace.pull_tables`, and of each message in the range also what came before it.

    Of at most 10,000 messages that began earlier. What the service has forgotten does not come, and stays null when it
    is folded. ``which`` must select by message and time alone: with a filter on states a story has holes.
    """
    tables = await pull_tables(client, which, progress=progress)
    if which.from_ms is None:
        return tables
    ids = [message_id for message_id in headless(tables) if message_id]
    heads: list[pa.Table] = []
    for asked in head_filters(ids, which.from_ms):
        heads += await pull_tables(client, asked, progress=progress)
    return heads + tables


def head_filters(message_ids: Sequence[str], before_ms: int) -> Iterator[LogFilter]:
    """What to ask for, to have what came before a time to these messages, of 10,000 at the most."""
    for start in range(0, min(len(message_ids), _HEADS_LIMIT), _IDS_A_REQUEST):
        yield LogFilter(message_ids=tuple(message_ids[start : start + _IDS_A_REQUEST]), to_ms=before_ms - 1)
