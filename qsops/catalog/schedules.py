"""Schedules: list them, set one up, hold it, let it go on, drop it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final

from qsops.catalog.frames import Column, frame_of
from qsops.client import Client
from qsops.errors import SettingsError
from qsops.models import DEFAULT_RETRIES, Publish, Schedule, ScheduleSpec
from qsops.publish import checks
from qsops.wire import schedules as wire

if TYPE_CHECKING:  # pandas takes a third of a second to load, which all but a listing does without.
    import pandas as pd

__all__ = ["delete", "frame", "pause", "read", "read_all", "resume", "upsert"]

_COLUMNS: Final[tuple[Column[Schedule], ...]] = (
    ("schedule_id", "str", lambda one: one.schedule_id),
    ("cron", "str", lambda one: one.cron),
    ("destination", "str", lambda one: one.publish.destination),
    ("method", "str", lambda one: one.publish.method),
    ("queue", "str", lambda one: one.publish.queue),
    ("labels", "str", lambda one: ",".join(one.publish.labels) or None),
    ("max_retries", "Int64", lambda one: _retries(one.publish)),
    ("paused", "bool", lambda one: one.paused),
    ("last_at", "time", lambda one: one.last_at_ms),
    ("next_at", "time", lambda one: one.next_at_ms),
    ("last_states", "str", lambda one: _counted(state for _, state in one.last_states)),
    ("error", "str", lambda one: one.error),
    ("created_at", "time", lambda one: one.created_at_ms or None),
)


async def read_all(client: Client) -> tuple[Schedule, ...]:
    """All schedules of the account."""
    return wire.parse_schedules(await client.ask(wire.schedules_request(), repeatable=True))


async def read(client: Client, schedule_id: str) -> Schedule:
    """One schedule, with the message that it publishes.

    :raises Rejected: 404, there is none.
    """
    request = wire.schedule_request(checks.name("schedule_id", schedule_id))
    return wire.parse_schedule_response(await client.ask(request, repeatable=True))


async def upsert(client: Client, cron: str, message: Publish, schedule_id: str) -> str:
    """Publish ``message`` anew each time that ``cron`` falls due: the schedule's id.

    One that has the id is replaced whole. So an id that is the caller's makes a lost answer safe to ask for again.

    :raises SettingsError: an id that cannot be, a cron that is no text, or ``not_before``, which schedules do not take.
    :raises Rejected: 400, the cron does not parse.
    """
    if not isinstance(cron, str) or not cron.strip():
        raise SettingsError(f"cron: expected a text such as '0 12 * * *', got {cron!r}")
    if message.not_before_s is not None:
        raise SettingsError("not_before: a schedule does not take it; give delay, which holds for each message")
    spec = ScheduleSpec(cron, message, checks.name("schedule_id", schedule_id))
    return wire.parse_schedule_created(await client.ask(wire.schedule_create_request(spec), repeatable=True))


async def pause(client: Client, schedule_id: str) -> None:
    """Skip what falls due from now on: it is not made up for."""
    await client.ask(wire.schedule_pause_request(checks.name("schedule_id", schedule_id)), repeatable=True)


async def resume(client: Client, schedule_id: str) -> None:
    """Go on with what falls due next."""
    await client.ask(wire.schedule_resume_request(checks.name("schedule_id", schedule_id)), repeatable=True)


async def delete(client: Client, schedule_id: str) -> None:
    """Drop the schedule; messages that it has published go on."""
    await client.ask(wire.schedule_delete_request(checks.name("schedule_id", schedule_id)), repeatable=True)


def frame(schedules: Sequence[Schedule]) -> pd.DataFrame:
    """Schedules as a frame, a row each.

    ``last_states`` counts what became of the messages of the latest run, e.g. ``2 SUCCESS, 1 FAIL``; ``error`` is why
    it published none.
    """
    return frame_of(schedules, _COLUMNS)


def _retries(publish: Publish) -> int:
    return DEFAULT_RETRIES if publish.retries is None else publish.retries


def _counted(states: Iterable[str]) -> str | None:
    return ", ".join(f"{count} {state}" for state, count in Counter(states).most_common()) or None
