"""Messages: what each one is, where it stands, and how it ended."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from qsops.fold.attempts import Attempts, facts
from qsops.fold.kinds import Array, Kind
from qsops.fold.steps import Steps, nullable
from qsops.models import State

__all__ = ["message_table"]

# What has happened for good counts before what was only asked for: a cancel may come too late for a delivery in flight.
_FINAL = (
    (State.DELIVERED, Kind.DELIVERED),
    (State.FAILED, Kind.FAILED),
    (State.CANCELED, Kind.CANCEL_REQUESTED),
    (State.CANCELED, Kind.CANCELED),
)


def message_table(steps: Steps, attempts: Attempts) -> pa.Table:
    """The columns of :data:`qsops.frames.MESSAGES`, by creation (unknown ones first) and id."""
    told = facts(steps)
    created = steps.first(steps.where(Kind.CREATED))
    finished = _finished(steps)
    delivered = steps.first(steps.where(Kind.DELIVERED))
    answer = _last_answers(steps)
    table = pa.table(
        {
            "message_id": steps.ids,
            **{name: told[name] for name in ("url", "label", "queue", "schedule_id")},
            "created_at": steps.times(created),
            "finished_at": steps.times(finished),
            "state": _states(steps, finished),
            "attempts": nullable(attempts.counts(), created < 0),
            "time_to_deliver_ms": pc.divide(pc.subtract(steps.times(delivered), steps.times(created)), 1000),
            "last_status": steps.values("response_status", answer),
            "last_error": steps.values("error", answer),
        }
    )
    at = np.where(created >= 0, steps.time[created], np.iinfo(np.int64).min) if len(steps.time) else created
    in_order = len(at) < 2 or bool((at[:-1] <= at[1:]).all())
    return table if in_order else table.take(pa.array(np.argsort(at, kind="stable")))


def _finished(steps: Steps) -> Array:
    """Per message the step that finished it, -1 while it is not finished."""
    finished = np.full(len(steps.ids), -1, dtype=np.int64)
    for _, kind in reversed(_FINAL):
        at = steps.first(steps.where(kind))
        finished = np.where(at >= 0, at, finished)
    return finished


def _states(steps: Steps, finished: Array) -> pa.Array:
    """The final state, spelled in one way whichever step closed the message; else that of the latest step."""
    latest = steps.values("state", steps.last(np.arange(len(steps.row)))).cast(pa.large_string())
    closed_by = np.where(finished >= 0, steps.kind[finished], -1) if len(steps.kind) else finished
    for name, kind in _FINAL:
        latest = pc.if_else(pa.array(closed_by == kind), pa.scalar(name, latest.type), latest)
    return latest


def _last_answers(steps: Steps) -> Array:
    """Per message the step that says how its last attempt ended; FAILED only where it says anything itself."""
    answers = np.isin(steps.kind, (Kind.ERROR, Kind.DELIVERED))
    speaks = np.zeros(len(steps.kind), dtype=bool)
    speaks[steps.told("response_status")] = True
    speaks[steps.told("error")] = True
    return steps.last(np.flatnonzero(answers | (speaks & (steps.kind == Kind.FAILED))))
