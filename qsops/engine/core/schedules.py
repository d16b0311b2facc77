"""Schedules as rows: made or overwritten, read, paused, deleted. What is due is :mod:`qsops.engine.core.firing`'s."""

from __future__ import annotations

from collections.abc import Sequence
from sqlite3 import Connection
from typing import Any, Final

from qsops.engine.core.admission import admit
from qsops.engine.core.cron import Cron, compile_cron
from qsops.engine.core.deduplication import deduplication_key, first_message, remember
from qsops.engine.core.groups import recipients_of
from qsops.engine.core.rows import decode_headers, encode_headers
from qsops.engine.plans import Plan
from qsops.errors import Rejected
from qsops.models import Headers, Publish, Receipt, Schedule, ScheduleSpec, State
from qsops.wire import texts
from qsops.wire.destinations import is_url
from qsops.wire.options import decode_options, encode_template, with_defaults

__all__ = [
    "checked_cron",
    "delete_schedule",
    "pause_schedule",
    "put_schedule",
    "resume_schedule",
    "schedule_of",
    "schedules",
    "template_of",
]

_SELECT: Final = """
    select id, cron, destination, headers, body, created_ms, caller_ip, paused, last_ms, next_ms, last_messages, error
    from schedules where account = ? {} order by schedule
"""
_COUNT: Final = "select count(*) from schedules where account = ?"
_LAST: Final = "select last_ms from schedules where account = ? and id = ?"
_DELETE: Final = "delete from schedules where account = ? and id = ?"
_INSERT: Final = """
    insert into schedules (account, id, cron, destination, headers, body, created_ms, caller_ip, next_ms)
    values (?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
_PAUSE: Final = "update schedules set paused = 1, next_ms = null where account = ? and id = ?"
_CRON: Final = "select cron, paused from schedules where account = ? and id = ?"
_RESUME: Final = "update schedules set paused = 0, next_ms = ? where account = ? and id = ?"
#: What became of the messages of a run; those that were forgotten meanwhile are left out.
_STATES: Final = f"""
    select m.id, p.finished_ms is null,
        exists (select 1 from log l where l.message = m.seq and l.state = '{State.DELIVERED}')
    from json_each(?) own join messages m on m.id = own.value join progress p on p.message = m.seq
    order by own.key
"""
#: Ids of schedules share the table of deduplication with those of messages, and never count as one with them.
_KEY_PREFIX: Final = "schedule:"


def put_schedule(
    connection: Connection,
    account: int,
    spec: ScheduleSpec,
    *,
    schedule_id: str,
    caller_ip: str,
    now_ms: int,
    plan: Plan,
) -> Receipt:
    """Make the schedule ``schedule_id``; one that has this id goes, with all that was set or known of it.

    Its deduplication is looked at here, and its messages are new each time (reference, section 8). The receipt holds
    the id of the schedule.

    :raises Rejected: 400 for a cron or option that cannot work, 404 for a group that is not there, 412 over a limit of
        ``plan``.
    """
    cron = checked_cron(spec.cron)
    headers = encode_template(spec.publish)
    _check(connection, account, spec.publish, headers, plan, now_ms)
    key = deduplication_key(spec.publish)
    if key is not None:
        first = first_message(connection, account, _KEY_PREFIX + key, now_ms)
        if first is not None and _row(connection, account, first) is not None:
            return Receipt(first, deduplicated=True)
        remember(connection, account, _KEY_PREFIX + key, schedule_id, now_ms)
    after_ms = _last_fired_ms(connection, account, schedule_id, now_ms)
    if connection.execute(_DELETE, (account, schedule_id)).rowcount == 0:
        _check_quota(connection, account, plan)
    publish, next_ms = spec.publish, cron.next_ms(after_ms)
    row = (cron.text, publish.destination, encode_headers(headers), publish.body, now_ms, caller_ip, next_ms)
    connection.execute(_INSERT, (account, schedule_id, *row))
    return Receipt(schedule_id)


def schedules(connection: Connection, account: int) -> list[Schedule]:
    """All schedules, in the order in which they were made."""
    rows = connection.execute(_SELECT.format(""), (account,)).fetchall()
    return [_schedule(connection, row) for row in rows]


def schedule_of(connection: Connection, account: int, schedule_id: str) -> Schedule | None:
    """The schedule of this id, if there is one."""
    row = _row(connection, account, schedule_id)
    return None if row is None else _schedule(connection, row)


def delete_schedule(connection: Connection, account: int, schedule_id: str) -> bool:
    """Forget the schedule; its messages go on. False if there is none."""
    return connection.execute(_DELETE, (account, schedule_id)).rowcount == 1


def pause_schedule(connection: Connection, account: int, schedule_id: str) -> bool:
    """Skip what falls due from now on; False if there is no such schedule."""
    return connection.execute(_PAUSE, (account, schedule_id)).rowcount == 1


def resume_schedule(connection: Connection, account: int, schedule_id: str, now_ms: int) -> bool:
    """Go on with what falls due after ``now_ms``; one that is not paused stays as it is. False if there is none."""
    row = connection.execute(_CRON, (account, schedule_id)).fetchone()
    if row is not None and row[1]:
        next_ms = checked_cron(row[0]).next_ms(now_ms)
        connection.execute(_RESUME, (next_ms, account, schedule_id))
    return row is not None


def template_of(destination: str, headers: Headers, body: bytes, lent: Headers = ()) -> Publish:
    """What a schedule publishes each time, under the option headers that a group has ``lent``.

    :raises Rejected: 400 for an option that cannot be read.
    """
    return decode_options(destination, with_defaults(headers, "", lent), body)


def checked_cron(text: str) -> Cron:
    """The compiled cron.

    :raises Rejected: 400, naming what is wrong with it.
    """
    try:
        return compile_cron(text)
    except ValueError as error:
        raise Rejected(400, texts.invalid_header("Upstash-Cron", text, str(error))) from error


def _check(connection: Connection, account: int, publish: Publish, headers: Headers, plan: Plan, now_ms: int) -> None:
    """Whether a message could be made of it as things stand."""
    destination = publish.destination
    found = None if is_url(destination) else recipients_of(connection, account, destination)
    template = template_of(destination, headers, publish.body, found.headers if found else ())
    endpoint = found.endpoints[0] if found else None
    admit(template, plan, message_id="", now_ms=now_ms, caller_ip=None, endpoint=endpoint)


def _check_quota(connection: Connection, account: int, plan: Plan) -> None:
    (count,) = connection.execute(_COUNT, (account,)).fetchone()
    if plan.schedules is not None and count >= plan.schedules:
        raise Rejected(412, texts.quota_exceeded("maxSchedules", plan.schedules))


def _last_fired_ms(connection: Connection, account: int, schedule_id: str, now_ms: int) -> int:
    """``now_ms``, or later: it may have fired since the request came, and must not do so again for the same time."""
    row = connection.execute(_LAST, (account, schedule_id)).fetchone()
    return max(now_ms, row[0] or 0) if row else now_ms


def _row(connection: Connection, account: int, schedule_id: str) -> Any:
    return connection.execute(_SELECT.format("and id = ?"), (account, schedule_id)).fetchone()


def _schedule(connection: Connection, row: Sequence[Any]) -> Schedule:
    schedule_id, cron, destination, headers, body, created_ms, caller_ip, paused, last_ms, next_ms, last, error = row
    return Schedule(
        schedule_id=schedule_id,
        cron=cron,
        publish=template_of(destination, decode_headers(headers), body),
        created_at_ms=created_ms,
        caller_ip=caller_ip,
        paused=bool(paused),
        last_at_ms=last_ms,
        next_at_ms=next_ms,
        last_states=tuple((one, _state(*known)) for one, *known in connection.execute(_STATES, (last,))),
        error=error,
    )


def _state(pending: int, delivered: int) -> str:
    if pending:
        return "IN_PROGRESS"
    return "SUCCESS" if delivered else "FAIL"
