"""Flow-control keys as rows: their limits and windows, and who is under way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from sqlite3 import Connection
from typing import Any, Final

from qsops.engine.core.limits import FlowLimits, Window
from qsops.models import FlowControl, FlowKey

__all__ = [
    "begin_window",
    "count_call",
    "current_window",
    "due_flows",
    "flow_named",
    "flow_number",
    "flows",
    "forget_idle",
    "give_back",
    "keep_window",
    "key_of",
    "limits_of",
    "next_wake_ms",
    "under_way",
    "wake_at",
]

#: More keys than anybody reads; a listing has no pages.
_LISTED: Final = 10_000
_DAY_MS: Final = 86_400_000

#: Each message brings its limits along, unless they are pinned.
_MEET: Final = """
    insert into flow_keys (account, key, parallelism, rate, period_s, seen_day) values (?, ?, ?, ?, ?, ?)
    on conflict (account, key) do update set seen_day = excluded.seen_day,
        parallelism = iif(pinned_parallelism, parallelism, excluded.parallelism),
        rate = iif(pinned_rate, rate, excluded.rate),
        period_s = iif(pinned_rate, period_s, excluded.period_s)
    returning flow
"""
_FORGET: Final = """
    delete from flow_keys where flow in (
        select f.flow from flow_keys f
        where f.pinned_parallelism = 0 and f.pinned_rate = 0 and f.paused = 0 and f.seen_day < ?
            and not exists (select 1 from gated g where g.flow = f.flow)
        order by f.seen_day limit ?
    )
"""
_NUMBER: Final = "select flow from flow_keys where account = ? and key = ?"
_LIMITS: Final = "select parallelism, rate, period_s, paused, window_ms, window_count from flow_keys where flow = ?"
#: A count below 0 is of a window that has not begun.
_KEEP: Final = "update flow_keys set window_ms = ?, window_count = ? where flow = ?"
#: An index knows those with ``passed > 0``; whoever wants a part of them has to say so.
_UNDER_WAY: Final = "select count(*) from gated where flow = ? and passed > 0"
_NOT_CALLED: Final = "select count(*) from gated where flow = ? and passed > 0 and passed = 1"
_WAKE: Final = "update flow_keys set wake_ms = ? where flow = ? and wake_ms is not ?"
_NEXT: Final = "select min(wake_ms) from flow_keys where wake_ms is not null"
_DUE: Final = "select flow from flow_keys where wake_ms is not null and wake_ms <= ? order by wake_ms, flow limit ?"
_READ: Final = """
    select f.key, f.parallelism, f.rate, f.period_s, f.paused, f.window_ms, f.window_count, f.pinned_parallelism,
        f.pinned_rate,
        (select count(*) from gated g where g.flow = f.flow and g.waits = 2),
        (select count(*) from gated g where g.flow = f.flow and g.passed > 0),
        (select count(*) from gated g where g.flow = f.flow and g.passed > 0 and g.passed = 1)
    from flow_keys f where f.account = ? and {} order by f.key limit ?
"""
_HOLDS: Final = "instr(f.key, ?) > 0"
_IS: Final = "f.key = ?"


def key_of(connection: Connection, account: int, flow: FlowControl, now_ms: int) -> int:
    """The number of the key that ``flow`` names, with its limits as they are from now on."""
    row = (account, flow.key, flow.parallelism, flow.rate, flow.period_s, now_ms // _DAY_MS)
    (number,) = connection.execute(_MEET, row).fetchone()
    return int(number)


def forget_idle(connection: Connection, before_ms: int, most: int) -> None:
    """Forget keys that no message has named since, unless somebody has paused or pinned them: there may be many."""
    connection.execute(_FORGET, (before_ms // _DAY_MS, most))


def flow_number(connection: Connection, account: int, key: str) -> int | None:
    """The number of ``key``, if a message has brought it."""
    row = connection.execute(_NUMBER, (account, key)).fetchone()
    return None if row is None else int(row[0])


def flows(connection: Connection, account: int, search: str | None, now_ms: int) -> list[FlowKey]:
    """The keys that hold ``search``, or all, by name."""
    rows = connection.execute(_READ.format(_HOLDS), (account, search or "", _LISTED))
    return [_flow_key(row, now_ms) for row in rows]


def flow_named(connection: Connection, account: int, key: str, now_ms: int) -> FlowKey | None:
    """``key`` as it stands, if there is such a key."""
    row = connection.execute(_READ.format(_IS), (account, key, 1)).fetchone()
    return _flow_key(row, now_ms) if row else None


def limits_of(connection: Connection, flow: int) -> tuple[FlowLimits, Window]:
    """Limits of a key, and its latest window."""
    parallelism, rate, period_s, paused, start_ms, count = connection.execute(_LIMITS, (flow,)).fetchone()
    return FlowLimits(parallelism, rate, period_s, bool(paused)), Window(start_ms, abs(count), count >= 0)


def current_window(connection: Connection, flow: int, limits: FlowLimits, latest: Window, now_ms: int) -> Window:
    """The window that a call at ``now_ms`` falls into.

    Who passed in the last window and was not called in it will be called in this one, so it counts here again: the rate
    is of calls, and a driver without room may be late.
    """
    return latest if not limits.is_over(latest, now_ms) else Window(now_ms, _not_called(connection, flow))


def count_call(connection: Connection, flow: int, at_ms: int) -> int | None:
    """One who had passed was called; if that changes when the next one may pass, the moment to look at the key for."""
    limits, latest = limits_of(connection, flow)
    not_called = _not_called(connection, flow) if limits.is_over(latest, at_ms) else 0
    window = limits.after_call(latest, at_ms, not_called)
    if window == latest:
        return None
    keep_window(connection, flow, window)
    is_same = (window.start_ms, window.count) == (latest.start_ms, latest.count)
    return None if limits.rate is None or is_same else window.start_ms


def give_back(connection: Connection, flow: int) -> None:
    """One who had passed will not be called."""
    _, latest = limits_of(connection, flow)
    keep_window(connection, flow, replace(latest, count=max(0, latest.count - 1)))


def keep_window(connection: Connection, flow: int, window: Window) -> None:
    """The calls that the window of a key has seen; one that has not begun, and that nobody may begin, is none."""
    if not window.begun:
        window = Window(window.start_ms if window.count else 0, -window.count)
    connection.execute(_KEEP, (window.start_ms, window.count, flow))


def begin_window(connection: Connection, flow: int, at_ms: int) -> None:
    """Somebody who had passed may have been called by ``at_ms``: a window that awaits its first call awaits it no more.

    Else it would move on to a later call, with a count of those whom nobody knows to have been called.
    """
    limits, latest = limits_of(connection, flow)
    if latest.count and not latest.begun and not limits.is_over(latest, at_ms):
        keep_window(connection, flow, Window(at_ms, latest.count))


def under_way(connection: Connection, flow: int) -> int:
    """How many of its messages have passed, and have no answer yet."""
    (count,) = connection.execute(_UNDER_WAY, (flow,)).fetchone()
    return int(count)


def wake_at(connection: Connection, flow: int, at_ms: int | None) -> None:
    """When to look at a key again."""
    connection.execute(_WAKE, (at_ms, flow, at_ms))


def next_wake_ms(connection: Connection) -> int | None:
    """When the first key wants to be looked at."""
    (at_ms,) = connection.execute(_NEXT).fetchone()
    return None if at_ms is None else int(at_ms)


def due_flows(connection: Connection, now_ms: int, limit: int) -> list[int]:
    """The first ``limit`` keys that want to be looked at now."""
    return [flow for (flow,) in connection.execute(_DUE, (now_ms, limit)).fetchall()]


def _not_called(connection: Connection, flow: int) -> int:
    (count,) = connection.execute(_NOT_CALLED, (flow,)).fetchone()
    return int(count)


def _flow_key(row: Sequence[Any], now_ms: int) -> FlowKey:
    key, parallelism, rate, period_s, paused, start_ms, count, pinned_parallelism, pinned_rate, *counts = row
    waiting, passed, not_called = counts
    limits, window = FlowLimits(parallelism, rate, period_s), Window(start_ms, abs(count))
    if limits.is_over(window, now_ms):
        window = Window(now_ms, not_called)
    return FlowKey(
        key=key,
        wait_list=waiting,
        parallelism_max=parallelism,
        parallelism_count=passed,
        rate_max=rate,
        rate_count=window.count,
        period_s=period_s,
        period_start_s=window.start_ms // 1000,
        paused=bool(paused),
        pinned_parallelism=bool(pinned_parallelism),
        pinned_rate=bool(pinned_rate),
    )
