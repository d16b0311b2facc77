"""What the service writes of lives: the rows of its log, in the order of their times."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from bench.planted.lives import DELIVERED, Lives
from bench.planted.plan import CAUSES, Plan
from qsops import frames

__all__ = ["log_table"]

Array = npt.NDArray[Any]

#: In the order in which those of one millisecond are written.
_STATES: Final = ("CREATED", "ERROR", "RETRY", "FAILED", "ACTIVE", "DELIVERED")
_CREATED, _ERROR, _RETRY, _FAILED, _ACTIVE, _DELIVERED = range(len(_STATES))
_ID_DIGITS: Final = 12
_NUMBERS: Final = 250
_NOTHING: Final = -1


def log_table(plan: Plan, lives: Lives) -> pa.Table:
    """The log as a table of :data:`qsops.frames.LOGS`, oldest first."""
    message, time_ms, state, attempt = _rows(plan, lives)
    order = np.lexsort((state, message, time_ms))
    message, time_ms, state, attempt = message[order], time_ms[order], state[order], attempt[order]
    failed = np.isin(state, (_ERROR,))
    cause = np.where(failed, lives.cause[attempt], _NOTHING)
    status = np.where(failed, np.array([one.status for one in CAUSES])[cause], np.where(state == _DELIVERED, 200, 0))
    retried_ms = lives.ended_ms[attempt] + _delays_ms(plan)[lives.number[attempt] - 1]
    rows = len(order)
    columns: dict[str, pa.Array] = {
        "time": _times(time_ms),
        "message_id": _ids(message),
        "state": pa.DictionaryArray.from_arrays(pa.array(state, pa.int8()), list(_STATES)).cast(pa.string()),
        "url": _urls(plan, lives.destination[message]),
        "labels": pa.repeat(pa.scalar("messages"), rows),
        "method": pa.repeat(pa.scalar("POST"), rows),
        "response_status": pa.array(status, mask=status == 0),
        "error": _errors(cause, message),
        "next_delivery_at": pa.array(retried_ms, pa.timestamp("ms", "UTC"), mask=state != _RETRY),
        "max_retries": pa.array(np.full(rows, plan.retries)),
        "seq": pa.array(np.zeros(rows, dtype=np.int64)),
    }
    arrays = [columns.get(field.name, pa.nulls(rows)).cast(field.type) for field in frames.LOGS]
    return pa.Table.from_arrays(arrays, schema=frames.LOGS)


def _rows(plan: Plan, lives: Lives) -> tuple[Array, Array, Array, Array]:
    """Message, time, state and attempt of each row; one that is about no attempt names the first."""
    failed = np.flatnonzero(lives.cause != DELIVERED)
    is_last = lives.number[failed] > plan.retries
    tried, done = np.arange(len(lives.message)), np.flatnonzero(lives.cause == DELIVERED)
    everyone = np.arange(len(lives.created_ms))
    parts = [
        (_ACTIVE, tried, lives.started_ms[tried]),
        (_ERROR, failed, lives.ended_ms[failed]),
        (_RETRY, failed[~is_last], lives.ended_ms[failed[~is_last]]),
        (_FAILED, failed[is_last], lives.ended_ms[failed[is_last]]),
        (_DELIVERED, done, lives.ended_ms[done]),
    ]
    attempt = np.concatenate([everyone, *(which for _, which, _ in parts)])
    message = np.concatenate([everyone, *(lives.message[which] for _, which, _ in parts)])
    time_ms = np.concatenate([lives.created_ms, *(at_ms for _, _, at_ms in parts)])
    counts = [len(everyone), *(len(which) for _, which, _ in parts)]
    state = np.repeat(np.array([_CREATED, *(state for state, _, _ in parts)], dtype=np.int8), counts)
    return message, time_ms, state, attempt


def _delays_ms(plan: Plan) -> Array:
    from qsops.retry import default_delay_ms

    return np.array([default_delay_ms(number + 1) for number in range(plan.retries + 1)])


def _times(time_ms: Array) -> pa.Array:
    return pa.array(time_ms, pa.timestamp("ms", "UTC"))


def _ids(message: Array) -> pa.Array:
    digits = pc.utf8_lpad(pa.array(message).cast(pa.string()), _ID_DIGITS, "0")
    return pc.binary_join_element_wise("msg_", digits, "")


def _urls(plan: Plan, destination: Array) -> pa.Array:
    urls = [f"https://consumer-{number:02}.example.com/api/hook" for number in range(len(plan.weights))]
    return pa.DictionaryArray.from_arrays(pa.array(destination, pa.int16()), urls).cast(pa.string())


def _errors(cause: Array, message: Array) -> pa.Array:
    """The text of each cause, with numbers that differ from row to row."""
    texts = [one.error.replace("#", str(number)) for one in CAUSES for number in range(_NUMBERS)]
    which = cause * _NUMBERS + message % _NUMBERS
    return pa.DictionaryArray.from_arrays(pa.array(which, pa.int32(), mask=cause == _NOTHING), texts).cast(pa.string())
