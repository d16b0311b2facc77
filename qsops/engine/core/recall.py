"""Those who have passed their gates and were not called, or not to any end, are brought back.

A pause is about what happens from now on, however long ago somebody passed. And what was under way when the engine
ended, or its process for deliveries did, is attempted anew: a call like any other, which the limits of its key have to
admit.
"""

from __future__ import annotations

import json
from collections.abc import Container, Iterable, Sequence
from sqlite3 import Connection
from typing import Final

from qsops.engine.core.flow import begin_window, give_back
from qsops.engine.core.gates import open_flow, open_queue
from qsops.engine.core.queues import room_of

__all__ = ["recall_all", "recall_given_up", "recall_of_flow", "recall_of_queue"]

_AT_QUEUE: Final = 1
_AT_FLOW: Final = 2
#: Tickets begin at 1. Whoever is brought back stands before all of them, in the order of acceptance.
_BEFORE_ALL: Final = 2**60

_BACK: Final = "update gated set passed = 0, waits = ?, ticket = ? where message = ?"
_WAIT: Final = "update progress set stage = 2 where message = ?"
#: What was taken back meanwhile is not called any more, only closed; a callback passes freely.
_FIND: Final = """
    select g.message, g.passed, g.queue, g.flow from gated g join progress p on p.message = g.message
    where {} and p.cancel_requested_ms is null and (g.place is null or g.place = g.message)
    order by +g.message
"""
_OF_QUEUE: Final = _FIND.format("g.queue = ? and g.place is not null and (g.passed = 1 or g.waits = 2)")
_OF_FLOW: Final = _FIND.format("g.flow = ? and g.passed > 0 and g.passed = 1")
_PASSED: Final = _FIND.format("g.passed > 0")
_GIVEN_UP: Final = _FIND.format("g.message in (select value from json_each(?)) and g.passed > 0")

#: A message, how far it has come, its queue, its key.
_Found = Sequence[tuple[int, int, int | None, int | None]]


def recall_of_queue(connection: Connection, queue: int, now_ms: int, in_flight: Container[int]) -> None:
    """``queue`` was paused: its messages wait, each in its place, but those ``in_flight``."""
    found = [row for row in connection.execute(_OF_QUEUE, (queue,)).fetchall() if row[0] not in in_flight]
    for seq, passed, _, flow in found:
        _bring_back(connection, seq, _AT_QUEUE)
        if passed and flow is not None:
            give_back(connection, flow)
    for flow in _distinct(flow for *_, flow in found):
        open_flow(connection, flow, now_ms)


def recall_of_flow(connection: Connection, flow: int, in_flight: Container[int]) -> None:
    """The key ``flow`` was paused: its messages wait, before all others, but those ``in_flight``."""
    for seq, *_ in connection.execute(_OF_FLOW, (flow,)).fetchall():
        if seq not in in_flight:
            _bring_back(connection, seq, _AT_FLOW)
            give_back(connection, flow)


def recall_all(connection: Connection, now_ms: int) -> None:
    """The engine starts: whatever was under way passes its gates anew, before all others."""
    _bring_all_back(connection, connection.execute(_PASSED).fetchall(), now_ms)


def recall_given_up(connection: Connection, seqs: Iterable[int], now_ms: int) -> None:
    """Nobody knows what came of the attempts of ``seqs``: each passes its gates anew, before all others."""
    _bring_all_back(connection, connection.execute(_GIVEN_UP, (json.dumps([*seqs]),)).fetchall(), now_ms)


def _bring_all_back(connection: Connection, found: _Found, now_ms: int) -> None:
    # Whoever had passed may have been called in the last instant, so he still counts in the window.
    for seq, _, queue, flow in found:
        held = queue is not None and (flow is None or room_of(connection, queue) == 0)
        _bring_back(connection, seq, _AT_QUEUE if held else _AT_FLOW)
    flows = _distinct(flow for *_, flow in found)
    for flow in flows:
        begin_window(connection, flow, now_ms)
    for queue in _distinct(queue for *_, queue, _ in found):
        open_queue(connection, queue, now_ms)
    for flow in flows:
        open_flow(connection, flow, now_ms)


def _bring_back(connection: Connection, seq: int, gate: int) -> None:
    connection.execute(_BACK, (gate, seq - _BEFORE_ALL, seq))
    connection.execute(_WAIT, (seq,))


def _distinct(numbers: Iterable[int | None]) -> list[int]:
    return list(dict.fromkeys(number for number in numbers if number is not None))
