"""What an account does to its queues and flow-control keys: set, pause, pin; whoever may go on then goes on."""

from __future__ import annotations

from collections.abc import Container
from sqlite3 import Connection
from typing import Final

from qsops.engine.core.flow import current_window, flow_number, keep_window, limits_of
from qsops.engine.core.gates import open_flow, open_queue
from qsops.engine.core.limits import Window
from qsops.engine.core.queues import forget_if_empty, make_queue, number_of
from qsops.engine.core.recall import recall_of_flow, recall_of_queue
from qsops.engine.plans import Plan
from qsops.errors import Rejected
from qsops.models import FlowPin, FlowUnpin, QueueSpec
from qsops.wire import texts

__all__ = [
    "delete_queue",
    "pause_flow",
    "pause_queue",
    "pin_flow",
    "reset_rate",
    "resume_flow",
    "resume_queue",
    "unpin_flow",
    "upsert_queue",
]

_SET_QUEUE: Final = """
    update queues set parallelism = ?, paused = coalesce(?, paused), updated_ms = ? where queue = ?
"""
_PAUSE_QUEUE: Final = "update queues set paused = ?, updated_ms = ? where queue = ?"
_DELETE_QUEUE: Final = "update queues set deleted = 1, paused = 0, updated_ms = ? where queue = ?"
_PAUSE_FLOW: Final = "update flow_keys set paused = ? where flow = ?"
_PIN: Final = """
    update flow_keys set
        parallelism = coalesce(:parallelism, parallelism), rate = coalesce(:rate, rate),
        period_s = coalesce(:period_s, period_s),
        pinned_parallelism = iif(:parallelism is null, pinned_parallelism, 1),
        pinned_rate = iif(:rate is null, pinned_rate, 1)
    where flow = :flow
"""
#: What was pinned stays until a message brings other limits.
_UNPIN: Final = """
    update flow_keys set pinned_parallelism = iif(?, 0, pinned_parallelism), pinned_rate = iif(?, 0, pinned_rate)
    where flow = ?
"""


def upsert_queue(
    connection: Connection, account: int, spec: QueueSpec, now_ms: int, plan: Plan, in_flight: Container[int]
) -> None:
    """Make the queue that ``spec`` names, or change it.

    :raises Rejected: 412 over a limit of ``plan``; nothing is written then.
    """
    if plan.queue_parallelism is not None and spec.parallelism > plan.queue_parallelism:
        raise Rejected(412, texts.quota_exceeded("maxParallelism", plan.queue_parallelism))
    queue = number_of(connection, account, spec.name)
    if queue is None:
        queue = make_queue(connection, account, spec.name, now_ms, plan)
    connection.execute(_SET_QUEUE, (spec.parallelism, spec.paused, now_ms, queue))
    if spec.paused:
        recall_of_queue(connection, queue, now_ms, in_flight)
    open_queue(connection, queue, now_ms)


def pause_queue(connection: Connection, account: int, name: str, now_ms: int, in_flight: Container[int]) -> bool:
    """Call for none of its messages but those ``in_flight``; False if there is no such queue."""
    queue = number_of(connection, account, name)
    if queue is None:
        return False
    connection.execute(_PAUSE_QUEUE, (1, now_ms, queue))
    recall_of_queue(connection, queue, now_ms, in_flight)
    return True


def resume_queue(connection: Connection, account: int, name: str, now_ms: int) -> bool:
    """Go on with the earliest; False if there is no such queue."""
    queue = number_of(connection, account, name)
    if queue is None:
        return False
    connection.execute(_PAUSE_QUEUE, (0, now_ms, queue))
    open_queue(connection, queue, now_ms)
    return True


def delete_queue(connection: Connection, account: int, name: str, now_ms: int) -> bool:
    """Delete a queue, paused or not: its messages go on in their order. False if there is no such queue."""
    queue = number_of(connection, account, name)
    if queue is None:
        return False
    connection.execute(_DELETE_QUEUE, (now_ms, queue))
    open_queue(connection, queue, now_ms)
    forget_if_empty(connection, queue)
    return True


def pause_flow(connection: Connection, account: int, key: str, in_flight: Container[int]) -> bool:
    """Let none of its messages pass, while the window goes on; False if there is no such key."""
    flow = flow_number(connection, account, key)
    if flow is None:
        return False
    connection.execute(_PAUSE_FLOW, (1, flow))
    recall_of_flow(connection, flow, in_flight)
    return True


def resume_flow(connection: Connection, account: int, key: str, now_ms: int) -> bool:
    """Let its messages pass again; False if there is no such key."""
    flow = flow_number(connection, account, key)
    if flow is None:
        return False
    connection.execute(_PAUSE_FLOW, (0, flow))
    open_flow(connection, flow, now_ms)
    return True


def pin_flow(connection: Connection, account: int, key: str, pin: FlowPin, now_ms: int) -> bool:
    """Hold the limits that ``pin`` names, from a new window on; False if there is no such key."""
    flow = flow_number(connection, account, key)
    if flow is None:
        return False
    limits = {"parallelism": pin.parallelism, "rate": pin.rate, "period_s": pin.period_s}
    connection.execute(_PIN, {**limits, "flow": flow})
    _begin_window(connection, flow, now_ms)
    return True


def unpin_flow(connection: Connection, account: int, key: str, unpin: FlowUnpin) -> bool:
    """Let messages change the limits that ``unpin`` names; False if there is no such key."""
    flow = flow_number(connection, account, key)
    if flow is None:
        return False
    connection.execute(_UNPIN, (unpin.parallelism, unpin.rate, flow))
    return True


def reset_rate(connection: Connection, account: int, key: str, now_ms: int) -> bool:
    """Begin a new window; False if there is no such key."""
    flow = flow_number(connection, account, key)
    if flow is None:
        return False
    _begin_window(connection, flow, now_ms)
    return True


def _begin_window(connection: Connection, flow: int, now_ms: int) -> None:
    """Now, with those calls in it that are still to come."""
    limits, _ = limits_of(connection, flow)
    long_ago = Window(now_ms - limits.period_s * 1000, 0)
    keep_window(connection, flow, current_window(connection, flow, limits, long_ago, now_ms))
    open_flow(connection, flow, now_ms)
