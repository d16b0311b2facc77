"""What failed where: attempts without success, by destination and answer."""

from __future__ import annotations

from typing import Final

import ibis
import pandas as pd

from qsops.analysis import source
from qsops.analysis.failed import failed_attempts

__all__ = ["failures"]

_KEYS: Final = ["url", "response_status", "error"]
_READ: Final = (*_KEYS, "message_id", "attempt", "outcome", "ended_ms")


def failures(attempts: source.Rows) -> pd.DataFrame:
    """Failed attempts by destination, status and error, the most frequent first.

    Columns ``url, response_status, error, attempts, messages, recovered, first_at, last_at``. ``recovered`` counts
    those of the messages that a retry delivered; status 0 means that no answer came.

    Limits: errors that differ in an id are rows of their own; :func:`~qsops.analysis.failure_groups` joins them.
    """
    failed = failed_attempts(source.of(attempts, *_READ).select(*_READ))
    each = failed.group_by([*_KEYS, "message_id"]).agg(
        attempts=ibis._.count(), saved=failed.saved.max(), first_ms=failed.ended_ms.min(), last_ms=failed.ended_ms.max()
    )
    found = source.frame_of(
        each.group_by(_KEYS).agg(
            attempts=each.attempts.sum(),
            messages=ibis._.count(),
            recovered=each.saved.sum(),
            first_at=each.first_ms.min(),
            last_at=each.last_ms.max(),
        )
    )
    found = source.at_moments(source.at_moments(found, "first_at"), "last_at")
    return found.sort_values(["attempts", *_KEYS], ascending=[False, True, True, True], ignore_index=True)
