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
_ATTEMPTS: Final = ("message_id", "url", "outcome", "response_status", "error", "attempt")
_MESSAGES: Final = ("message_id", "url", "queue", "state")
_POLICIES: Final = ("max_retries", "retry_delay_expression")


def read_attempts(source: Any) -> pd.DataFrame:
    """Columns of attempts by message and start; times as whole unix milliseconds, :data:`NEVER_MS` where unknown.

    ``source`` is a frame of :data:`qsops.frames.ATTEMPTS`, or a table as :func:`qsops.analysis.source.of` takes them,
    which is asked for these columns alone.
    """
    frame = _read(source, _ATTEMPTS, started_ms="started_at", ended_ms="ended_at")
    return frame.sort_values(["message_id", "started_ms"], kind="stable", ignore_index=True)


def read_messages(source: Any) -> pd.DataFrame:
    """Columns of messages by id, as those of :func:`read_attempts`."""
    frame = _read(source, _MESSAGES, created_ms="created_at")
    return frame.drop_duplicates("message_id").sort_values("message_id", ignore_index=True)


def read_policies(source: Any) -> pd.DataFrame:
    """What the messages of a log were published with: max_retries, retry_delay_expression, and how many were."""
    keys = [*_POLICIES]
    if isinstance(source, pd.DataFrame):
        created = source.loc[source["state"] == "CREATED", keys]
        return created.groupby(keys, dropna=False).size().rename("messages").reset_index()
    from qsops.analysis import source as tables

    table = tables.of(source)
    created = table.filter(table.state == "CREATED")
    return tables.frame_of(created.group_by(keys).aggregate(messages=created.count()))


def _read(source: Any, columns: tuple[str, ...], **times: str) -> pd.DataFrame:
    if isinstance(source, pd.DataFrame):
        frame = source[[*columns]]
        return frame.assign(**{name: _millis(source[given]) for name, given in times.items()})
    from qsops.analysis import source as tables

    table = tables.of(source)
    frame = tables.frame_of(table.select(*columns, *times))
    return frame.assign(**{name: frame[name].fillna(NEVER_MS).to_numpy(dtype=np.int64) for name in times})


def _millis(times: pd.Series) -> Array:
    exact = pd.to_datetime(times, utc=True).astype("datetime64[ms, UTC]")
    # An unknown time is the smallest integer to pandas too.
    found: Array = exact.to_numpy(dtype="datetime64[ms]").astype(np.int64)
    return found
