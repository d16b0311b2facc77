"""Waiting until messages are finished where time cannot be moved: the logs are polled."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Final

from qsops.clock import Clock
from qsops.errors import QsopsError
from qsops.models import LogEntry, LogFilter, State

__all__ = ["settle", "unfinished"]

FIRST_WAIT_S: Final = 0.1
LONGEST_WAIT_S: Final = 2.0
IDS_A_QUESTION: Final = 50

Pull = Callable[[LogFilter], Awaitable[Sequence[LogEntry]]]

_FINAL: Final = frozenset({State.DELIVERED, State.FAILED, State.CANCEL_REQUESTED, State.CANCELED, "CANCELLED"})


def unfinished(wanted: Iterable[str], entries: Iterable[LogEntry]) -> set[str]:
    """Which of ``wanted``, and of the messages that ``entries`` tell of, have not come to an end yet."""
    seen = list(entries)
    finished = {entry.message_id for entry in seen if entry.state in _FINAL}
    return (set(wanted) | {entry.message_id for entry in seen}) - finished


async def settle(pull: Pull, wanted: Sequence[str], since_ms: int, timeout_s: float, clock: Clock) -> None:
    """Wait until every message of ``wanted`` is finished; without any, every one logged after ``since_ms``.

    :raises QsopsError: it took longer than ``timeout_s``.
    """
    deadline_s = clock.monotonic_s() + timeout_s
    wait_s = FIRST_WAIT_S
    waiting = set(wanted)
    while True:
        waiting = await _still(pull, waiting) if wanted else unfinished((), await pull(LogFilter(from_ms=since_ms)))
        if not waiting:
            return
        if clock.monotonic_s() + wait_s > deadline_s:
            raise QsopsError(
                f"{len(waiting)} message(s) not finished after {timeout_s:g} s, {min(waiting)} among them: "
                f"call settle() with a longer timeout, or look at trace()"
            )
        await asyncio.sleep(wait_s)
        wait_s = min(LONGEST_WAIT_S, wait_s * 1.5)


async def _still(pull: Pull, waiting: set[str]) -> set[str]:
    ids = sorted(waiting)
    left: set[str] = set()
    for start in range(0, len(ids), IDS_A_QUESTION):
        asked = ids[start : start + IDS_A_QUESTION]
        left |= unfinished(asked, await pull(LogFilter(message_ids=tuple(asked))))
    return left
