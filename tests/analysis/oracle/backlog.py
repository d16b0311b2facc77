"""How many messages were on their way, over time."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

__all__ = ["backlog"]

_MOST_ROWS: Final = 100_000


def backlog(messages: pd.DataFrame, attempts: pd.DataFrame, every: str = "1min") -> pd.DataFrame:
    """Messages that were accepted and not finished at each moment, a row ``every`` so often.

    Columns ``at, pending, in_flight, waiting``: of the ``pending`` ones so many had an attempt ``in_flight``, the
    others were ``waiting`` for their time, a retry or a limit. The first moment is before the first message, the last
    one behind the last that is known of. ``every`` is a width as pandas spells it (``1min``, ``1h``).

    Limits: messages whose creation is not known are left out, and so are their attempts.

    :raises ValueError: when that were over 100,000 rows.
    """
    known = messages[messages["created_at"].notna()]
    seen = attempts["ended_at"].notna() | (attempts["outcome"] == "in flight")
    tried = attempts[attempts["started_at"].notna() & seen & attempts["message_id"].isin(known["message_id"])]
    begun, over = _sorted(known["created_at"]), _sorted(known["finished_at"])
    started, ended = _sorted(tried["started_at"]), _sorted(tried["ended_at"])
    at = _moments(known, tried, every)
    pending = _until(begun, at) - _until(over, at)
    in_flight = np.minimum(_until(started, at) - _until(ended, at), pending)
    counts = {"pending": pending, "in_flight": in_flight, "waiting": pending - in_flight}
    return pd.DataFrame({"at": at, **{name: pd.array(count, "Int64") for name, count in counts.items()}})


def _moments(known: pd.DataFrame, tried: pd.DataFrame, every: str) -> pd.DatetimeIndex:
    if known.empty:
        return pd.DatetimeIndex([], dtype="datetime64[us, UTC]")
    ends = pd.concat([known["created_at"], known["finished_at"], tried["started_at"], tried["ended_at"]])
    first, last = known["created_at"].min().floor(every), ends.max().ceil(every)
    if (last - first) / pd.Timedelta(every) > _MOST_ROWS:
        raise ValueError(f"every={every!r} makes over {_MOST_ROWS:,} rows of {last - first}: name a wider one")
    return pd.date_range(first, last, freq=every).as_unit("us")


def _sorted(times: pd.Series) -> npt.NDArray[Any]:
    return np.sort(times.dropna().dt.tz_localize(None).to_numpy())


def _until(times: npt.NDArray[Any], at: pd.DatetimeIndex) -> npt.NDArray[np.int64]:
    """How many of ``times`` were, at each moment."""
    return np.searchsorted(times, at.tz_localize(None).to_numpy(), side="right").astype(np.int64)
