"""What is read of attempts and messages, from frames and from tables of the archive alike."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

__all__ = ["NEVER_MS", "Array", "read_attempts", "read_messages", "read_policies"]

Array = npt.NDArray[Any]

#: A time that is not known.
NEVER_MS: Final = np.iinfo(np.int64).min
_ATTEMPTS: Final = ("message_id", "url", "started_at", "ended_at", "outcome", "response_status", "error", "attempt")
_MESSAGES: Final = ("message_id", "url", "queue", "created_at", "state")
_POLICIES: Final = ("message_id", "state", "max_retries", "retry_delay_expression")


def read_attempts(source: Any) -> pd.DataFrame:
    """Columns of attempts by message and start; times as whole unix milliseconds, :data:`NEVER_MS` where unknown."""
    frame = _frame(source, _ATTEMPTS)
    frame = frame.assign(started_ms=_millis(frame["started_at"]), ended_ms=_millis(frame["ended_at"]))
    return frame.sort_values(["message_id", "started_ms"], kind="stable", ignore_index=True)


def read_messages(source: Any) -> pd.DataFrame:
    """Columns of messages by id; times as those of :func:`read_attempts`."""
    frame = _frame(source, _MESSAGES)
    frame = frame.assign(created_ms=_millis(frame["created_at"]))
    return frame.drop_duplicates("message_id").sort_values("message_id", ignore_index=True)


def read_policies(source: Any) -> pd.DataFrame:
    """Of a log what each message was published with, one row each: max_retries, retry_delay_expression."""
    frame = _frame(source, _POLICIES)
    return frame[frame["state"] == "CREATED"].drop_duplicates("message_id")


def _frame(source: Any, columns: tuple[str, ...]) -> pd.DataFrame:
    """The columns of a pandas frame, or of an Ibis table, which is asked for nothing else."""
    if isinstance(source, pd.DataFrame):
        return source[[*columns]]
    found: pd.DataFrame = source.select(*columns).to_pandas()
    return found


def _millis(times: pd.Series) -> Array:
    exact = pd.to_datetime(times, utc=True).astype("datetime64[ms, UTC]")
    # An unknown time is the smallest integer to pandas too.
    found: Array = exact.to_numpy(dtype="datetime64[ms]").astype(np.int64)
    return found
