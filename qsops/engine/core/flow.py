"""Flow-control keys: their limits and windows as rows."""

from __future__ import annotations

from sqlite3 import Connection
from typing import Final

from qsops.engine.core.limits import FlowLimits, Window
from qsops.models import FlowControl

__all__ = ["due_flows", "keep_window", "key_of", "limits_of", "next_wake_ms", "wake_at"]

#: Each message brings its limits along, unless they are pinned.
_MEET: Final = """
    insert into flow_keys (account, key, parallelism, rate, period_s) values (?, ?, ?, ?, ?)
    on conflict (account, key) do update set
        parallelism = iif(pinned_parallelism, parallelism, excluded.parallelism),
        rate = iif(pinned_rate, rate, excluded.rate),
        period_s = iif(pinned_rate, period_s, excluded.period_s)
    returning flow
"""
_LIMITS: Final = "select parallelism, rate, period_s, paused, window_ms, window_count from flow_keys where flow = ?"
_KEEP: Final = "update flow_keys set window_ms = ?, window_count = ? where flow = ?"
_WAKE: Final = "update flow_keys set wake_ms = ? where flow = ? and wake_ms is not ?"
_NEXT: Final = "select min(wake_ms) from flow_keys where wake_ms is not null"
_DUE: Final = "select flow from flow_keys where wake_ms is not null and wake_ms <= ? order by wake_ms, flow"


def key_of(connection: Connection, account: int, flow: FlowControl) -> int:
    """The number of the key that ``flow`` names, with its limits as they are from now on."""
    row = (account, flow.key, flow.parallelism, flow.rate, flow.period_s)
    (number,) = connection.execute(_MEET, row).fetchone()
    return int(number)


def limits_of(connection: Connection, flow: int) -> tuple[FlowLimits, Window]:
    """Limits and current window of a key."""
    parallelism, rate, period_s, paused, start_ms, count = connection.execute(_LIMITS, (flow,)).fetchone()
    return FlowLimits(parallelism, rate, period_s, bool(paused)), Window(start_ms, count)


def keep_window(connection: Connection, flow: int, window: Window) -> None:
    """The calls that the window of a key has seen."""
    connection.execute(_KEEP, (window.start_ms, window.count, flow))


def wake_at(connection: Connection, flow: int, at_ms: int | None) -> None:
    """When to look at a key again."""
    connection.execute(_WAKE, (at_ms, flow, at_ms))


def next_wake_ms(connection: Connection) -> int | None:
    """When the first key wants to be looked at."""
    (at_ms,) = connection.execute(_NEXT).fetchone()
    return None if at_ms is None else int(at_ms)


def due_flows(connection: Connection, now_ms: int) -> list[int]:
    """The keys that want to be looked at now."""
    return [flow for (flow,) in connection.execute(_DUE, (now_ms,))]
